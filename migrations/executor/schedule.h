// SPDX-License-Identifier: Apache-2.0
/* schedule.h - which step is next.
 * Owns: which steps wait for which (ranges that overlap go in the plan's order), which shards are busy, and
 * the order: of all steps whose shards are free, the one with the longest remaining shard first, then the
 * plan's order. Never: does I/O, reads a clock (times are handed in), starts anything. Source: list
 * scheduling of an open shop with the longest remaining machine first; a graph's edges coloured greedily. The
 * bound: with one migration a shard at a time no schedule is shorter than the longest shard's own work.
 */
#pragma once

#include "migrations/work/work.h"

typedef struct schedule schedule;

struct schedule_options {
    unsigned max_concurrent; /* 0: no limit but the shards */
    double latency_seconds;  /* of one migration, whatever its size */
    double seconds_per_byte;
};
schedule *schedule_new(const struct schedule_options *opt);
void schedule_free(schedule *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(schedule, schedule_free)

/* Adds the steps of `w` behind what there is; `w` must outlive the schedule. Steps marked in `done` (by id;
 * NULL: none) count as done. Returns the number of the first; numbers are dense, in order. */
size_t schedule_add(schedule *s, const work *w, const bool *done);
const struct work_step *schedule_step(const schedule *s, size_t number);

/* A shard that something outside the steps occupies, or no longer. Counted: as often off as on. */
void schedule_occupy(schedule *s, const char *shard);
void schedule_release(schedule *s, const char *shard);

enum { SCHEDULE_NONE = -1 };
/* The next step that may start at `now`; it counts as running from then on. SCHEDULE_NONE: none now;
 * *ret_wait_ms: until a step that only waits for its time could (schedule_delay), -1: none such. */
long schedule_next(schedule *s, int64_t now, int64_t *ret_wait_ms);
/* The same for this step; false: it may not start now. */
bool schedule_try(schedule *s, size_t number, int64_t now);
/* It ended, or one that waits is not needed any more: done (those waiting for it may go) or not (those
 * waiting for it never will: they are dropped, too, and appended to `ret_dropped`, GArray of size_t, may be
 * NULL). */
void schedule_done(schedule *s, size_t number);
void schedule_dropped(schedule *s, size_t number, GArray *ret_dropped);
/* A running step is put back: it may start again at `not_before`. */
void schedule_delay(schedule *s, size_t number, int64_t not_before);
/* Of the steps that wait, those of collection `ns` (NULL: of any) that go to shard `to` (NULL: to any, and
 * splits) never start, nor what rests on them: all are appended. What is added later is not touched. */
void schedule_drop(schedule *s, const char *ns, const char *to, GArray *ret_dropped);

size_t schedule_waiting(const schedule *s); /* not started, not dropped */
size_t schedule_running(const schedule *s);
/* Seconds until all is done if nothing fails, by the longest shard's remaining work and by concurrency. */
double schedule_remaining_seconds(const schedule *s);
