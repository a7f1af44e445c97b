// SPDX-License-Identifier: Apache-2.0
/* simulate.h - moves carried out in virtual time: when each would start, and when all would have ended.
 * Owns: the executor's order (a migration starts as soon as both its shards are free, the longest remaining
 * shard first, then the plan's order) with its limits and windows; and, to compare, MongoDB's own rounds with
 * a barrier between them. Never: reads a clock, draws a number that the seed does not give.
 * Times are seconds from the start; unix milliseconds only in spans and `start_ms`.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_NONE UINT32_MAX

/* In the plan's order, rounds ascending. */
struct sim_move {
    uint16_t from, to; /* never the same */
    uint32_t round;
    uint32_t after; /* index of an earlier one that has to have ended; SIM_NONE */
    double seconds; /* expected, 0 at least */
    int64_t bytes;  /* for the limit by the hour */
};

/* Open time, unix milliseconds: [from, to). */
struct sim_span {
    int64_t from, to;
};

struct sim_limits {
    uint32_t max_concurrent;    /* 0: as many as shard pairs allow */
    int64_t max_bytes_per_hour; /* 0: no limit. Counted by the end, what is under way in full; one that is
                                   over the limit goes alone */
    int64_t start_ms;
    /* When migrations may start, ascending and disjoint; NULL: always. None starts that by its expected time
     * would end after the span. Behind the last span nothing starts. */
    const struct sim_span *open;
    size_t n_open;
};

/* How long migrations take, as multiples of what is expected of each. The same seed gives the same migration
 * the same luck, however it is scheduled. Zeroed: exactly as expected. */
struct sim_luck {
    uint64_t seed;
    double common;        /* all migrations alike; 0: 1 */
    const double *spread; /* quantiles, ascending, of equal distance from the least to the most; NULL: 1 */
    size_t n_spread;
    double straggler_share, straggler_factor; /* this share takes so many times longer */
};

/* How long this one of them takes; `luck` NULL: as expected. */
double sim_duration(const struct sim_move *m, uint32_t number, const struct sim_luck *luck);

struct sim_end {
    double seconds; /* when the last one ended */
    uint32_t left;  /* never started: no span is long enough, or the spans are over */
};

typedef struct sim sim;

/* Borrows `moves`. */
sim *sim_new(const struct sim_move *moves, uint32_t n);
void sim_free(sim *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sim, sim_free)

/* As the executor would. `ret_starts` (NULL, or one a move): when each starts; -1: never. Costs by the
 * migration, times the number of shards that a shard exchanges data with. `limits`, `luck` NULL: none. */
struct sim_end sim_run(sim *s, const struct sim_limits *limits, const struct sim_luck *luck,
                       double *ret_starts);

/* As MongoDB's own balancer would: the next round begins when all migrations of the last have ended and
 * `pause` seconds have passed. Of `limits` windows count, for the beginnings of rounds alone. */
struct sim_end sim_run_rounds(const sim *s, const struct sim_limits *limits, const struct sim_luck *luck,
                              double pause);

/* No schedule of one migration a shard at a time is shorter, each taking its expected time: the longest
 * shard's own work, all work over the pairs that can be at work at once, a chain of moves that wait for each
 * other. Windows and the limit by the hour would only add to it. */
double sim_lower_bound(const sim *s, uint32_t max_concurrent);
