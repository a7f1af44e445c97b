// SPDX-License-Identifier: Apache-2.0
/* loads.h - what shards hold before and after, and their targets, in the one unit that can be compared.
 * Owns: which unit that is. Never: computes a load or a target; the plan has them.
 */
#pragma once

#include "balancer/plan/plan.h"

struct shard_load {
    uint16_t shard;
    int64_t now, after, target;
};

/* Bytes where the policy goes by them and all of them are known, else chunks. */
enum load_unit loads_unit(const plan *p, const struct plan_collection *c);
struct shard_load loads_of(enum load_unit unit, const struct plan_shard *s);

/* One for each shard of the cluster: all collections that are not left out, together. The caller unrefs. */
GArray *loads_of_cluster(const plan *p, enum load_unit *ret_unit);
