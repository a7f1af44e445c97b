// SPDX-License-Identifier: Apache-2.0
/* fill.h - the fairest loads that zones allow: water poured into shards through the zones that they carry.
 * Owns: the levels. Never: looks at where data is now, but for what cannot move. Source: the decomposition
 * algorithm for lexicographically optimal flows (Fujishige 1980; Megiddo 1974): if a common level cannot be
 * reached, a least cut names the zones that crowd their shards; those are levelled among themselves, and the
 * rest among themselves.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct fill_shard {
    double weight;     /* its part of what is shared; 0: it takes nothing */
    int64_t base, cap; /* what it holds in any case; the most it may hold (INT64_MAX: no limit) */
};

/* ret_target[shard]: the load of each shard, its base included, where every zone's supply is spread over
 * shards that may hold it (may_hold[slot * n_shards + shard]) so that the highest load by weight is as low as
 * can be, then the next, and so on. What finds no room is left out. Loads in any unit. */
void fill_targets(uint16_t n_shards, const struct fill_shard *shards, uint32_t n_slots, const int64_t *supply,
                  const bool *may_hold, double *ret_target);
