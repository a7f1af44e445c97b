// SPDX-License-Identifier: Apache-2.0
/* naive_policy.h - a round of `count` and `size`, chosen by walking lists: the rules of MongoDB's own
 * balancer written down a second time, as plainly as they go.
 * Owns: the choice. Never: changes the cluster, or shares code with balancer/policy.
 */
#pragma once

#include "tests/support/naive_model.h"

struct naive_choice {
    const naive_collection *coll;
    const bson_t *min, *max;
    uint32_t from, to;
    const char *reason; /* "drain", "zoneViolation", "imbalance" */
    const char *zone;   /* NULL: none */
    int64_t bytes;
    bool open_max, force_jumbo;
    bool sways; /* would go to and fro */
};

/* The splits that zone bounds call for, done on `n`; in how many chunks. */
guint naive_do_splits(naive_cluster *n);

/* The migrations of a round (struct naive_choice), collections and shards in their order, on what is there
 * now. `time_series`: those collections too. From the second round on, a migration by size that is as large
 * as the difference it mends is left out. */
GArray *naive_round(const naive_cluster *n, unsigned round, bool by_size, bool time_series);
