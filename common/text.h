// SPDX-License-Identifier: Apache-2.0
/* text.h - text for people: units, durations, times.
 * Owns: how numbers are written and read ("12.4 GiB", "384MiB", "3 h 12 min", "10s").
 * Never: prints, knows terminals, or knows what is being measured.
 */
#pragma once

#include "common/err.h"
#include "common/escape.h"

#include <glib.h>
#include <stdint.h>

/* "0 B", "812 B", "12.4 KiB", "1.00 TiB": three significant digits, binary units. Negative values keep their
 * sign. */
void text_append_bytes(GString *out, int64_t bytes);
char *text_bytes(int64_t bytes);

/* "1,234,567". */
void text_append_count(GString *out, int64_t n);
char *text_count(int64_t n);

/* "0 s", "0.4 s", "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; seconds >= 0. */
void text_append_duration(GString *out, double seconds);
char *text_duration(double seconds);

/* ISO-8601 in UTC with seconds, "2026-11-21T01:38:00Z", of milliseconds since 1970. */
char *text_iso8601(int64_t unix_ms);

/* "1", "64KiB", "1.5GiB", "2 TiB", also KB, MB, GB, TB (powers of 1000), B. Not negative. ERR_USAGE on
 * failure. */
bool text_parse_bytes(const char *s, int64_t *ret_bytes, struct err *err);

/* "10s", "500ms", "5m", "6h", "90d", "1h30m"; a number without a unit is refused, except "0". ERR_USAGE on
 * failure. */
bool text_parse_duration(const char *s, int64_t *ret_ms, struct err *err);

/* A whole number in [min, max], decimal, nothing before or behind it. ERR_USAGE on failure. */
bool text_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret, struct err *err);

/* A time of day, read as leniently as the server reads its windows: "23:00", "9:5", " 9:05:30"; what stands
 * behind the minutes is not looked at. Minutes since midnight, 0..1439. */
bool text_parse_clock(const char *s, int *ret_minutes);
