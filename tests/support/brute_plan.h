// SPDX-License-Identifier: Apache-2.0
/* brute_plan.h - the best end that a small collection can come to, found by trying every one.
 * Owns: what is better than what. Never: asks the planner, or takes more than 3^8 ends or so to be sure.
 */
#pragma once

#include "tests/support/flat_cluster.h"

/* How good an end is; the lesser of the first that differs is the better. */
struct brute_end {
    int64_t stuck; /* bytes that could move but are on draining shards or outside their zone */
    int64_t off;   /* bytes over the band, and missing to it */
    int64_t moved;
};

/* <0: a is better. */
int brute_compare(const struct brute_end *a, const struct brute_end *b);

/* The end that `f` is in, its only collection having been at `start`. */
struct brute_end brute_end_of(const flat_cluster *start, const flat_cluster *f, const int64_t *low,
                              const int64_t *high);

/* The best end from `f` with whole chunks; a chunk stays or goes to any shard that may receive it, and no
 * shard gets more than it has room for as things are: what leaves it is deleted later. */
struct brute_end brute_best(const flat_cluster *f, const int64_t *low, const int64_t *high);
