// SPDX-License-Identifier: Apache-2.0
/* window.h - when balancing may start: windows of the configuration, or the cluster's own activeWindow.
 * Owns: weekdays, time zones with their changes of clock, windows over midnight. Never: reads a clock: every
 * question brings its time. A window is half-open: start inclusive, stop exclusive, in wall time of its zone.
 * A wall time that a change of clock skips counts as the first moment after the gap; one that comes twice as
 * its first: so a window inside a skipped hour does not open that day, and one that ends before a repeated
 * hour does not open again in it. Times are milliseconds since 1970, UTC, of the years 1 to 9999.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct windows windows;

/* Empty: always open. */
windows *windows_new(void);
void windows_free(windows *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(windows, windows_free)

/* `days`: bit 0 Sunday .. bit 6 Saturday, the days on which it starts. Minutes since midnight, never equal;
 * start > stop: over midnight. `zone`: of tzdata ("Europe/Paris"), "" the host's own. ERR_CONFIG: a zone
 * that tzdata does not have, no day, or times that are none. */
bool windows_add(windows *w, unsigned days, int start_min, int stop_min, const char *zone, struct err *err);

/* The cluster's own, times as text_parse_clock() reads them. `day` NULL: activeWindow, each day, over
 * midnight where start > stop. `day` "Monday", ...: one entry of activeWindowDOW (8.3+), which replaces
 * activeWindow: all its entries are added, and it stands for that day alone: start > stop is early and late
 * on that same day. `zone`: mongos reads them in the time of the config server's host; UTC where that is
 * not known. The server starts migrations in the first second of `stop`, too; here `stop` is exclusive.
 * ERR_DATA: not of that form; ERR_CONFIG: the zone. */
bool windows_add_cluster(windows *w, const char *day, const char *start, const char *stop, const char *zone,
                         struct err *err);

unsigned windows_count(const windows *w);

struct window_now {
    bool open;
    bool always;        /* there is no window, or they cover all time: no change in 400 days */
    int64_t changes_at; /* when it closes (open) or opens (closed); INT64_MAX: not within 400 days */
};
/* Windows that touch or overlap count as one. */
struct window_now windows_at(const windows *w, int64_t now_ms);

/* [from, to). */
struct window_span {
    int64_t from, to;
};
/* GArray of struct window_span: the open time in [from, to), ascending, disjoint; the caller unrefs. */
GArray *windows_spans(const windows *w, int64_t from_ms, int64_t to_ms);

/* When `work_ms` of open time will have passed since `from`; INT64_MAX: never within 400 days. */
int64_t windows_finish(const windows *w, int64_t from_ms, int64_t work_ms);

/* "sat, sun 23:00-06:00 Europe/Paris; ..." or "always"; the caller frees. */
char *windows_text(const windows *w);
