// SPDX-License-Identifier: Apache-2.0
/* even_bound.h - what no way to an even cluster can beat, worked out without the planner: fair loads, the
 * fewest bytes, the fewest rounds. Owns: its own water-filling (over sets of zones) and its own flow.
 * Never: asks the planner, a policy or the placement.
 */
#pragma once

#include "tests/support/flat_cluster.h"

/* The fair load of each shard for one collection (NULL: all together), bytes: the largest load by weight is
 * as small as it can be, then the second largest, and so on, with each zone's data on shards that carry it,
 * none on draining ones, and jumbo chunks where they are. At most 12 zones may be in use. */
void even_fair(const flat_cluster *f, const struct flat_coll *c, int64_t *ret);

struct even_least {
    int64_t
        stuck;   /* bytes that must stay on a draining shard or outside their zone; jumbo ones do not count */
    int64_t off; /* bytes over `high`, and missing to `low`, at best */
    int64_t moved; /* the fewest bytes that have to move for that */
};

/* Chunks taken as fluid: first the least stuck, then the least off the band [low, high] of each shard, then
 * the fewest bytes moved. So no plan that ends within the band moves fewer. */
struct even_least even_least(const flat_cluster *f, const struct flat_coll *c, const int64_t *low,
                             const int64_t *high);

/* What one shard must take part in. */
struct even_work {
    uint32_t migrations;
    int64_t bytes;
};

/* Adds to each shard's `work` the fewest migrations, and the fewest bytes, that it takes part in until it is
 * within its band: what is foul there goes, chunk by chunk, and the largest chunks that there are bring it
 * there. `largest`: what one migration takes at most. `c` NULL: of all collections. */
void even_add_work(const flat_cluster *f, const struct flat_coll *c, const int64_t *low, const int64_t *high,
                   int64_t largest, struct even_work *work);

/* The fewest rounds for just these migrations: the busiest shard, or a set of an odd number of shards that
 * can make only (n - 1) / 2 a round among themselves. */
uint32_t even_rounds(const plan *p);

/* What has to move for all collections to be exactly even, in parts of all bytes; `together`: for the sum of
 * all collections. The one measure of imbalance for every policy. */
double even_out_of_place(const flat_cluster *f, bool together);
