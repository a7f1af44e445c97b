// SPDX-License-Identifier: Apache-2.0
/* schedule.h - when each migration of a plan runs, where each starts as soon as both its shards are free.
 * Owns: beginnings, ends, and which shard has the most to do. Never: estimates (plan/estimate.h does) or
 * draws. Seconds from the start of the plan, in which no window and no pause is counted.
 */
#pragma once

#include "balancer/plan/plan.h"

struct schedule {
    double *begin, *end; /* per migration, in the order of plan.migrations */
    double *busy;        /* per shard: giving and taking together */
    double length;       /* until the last one ends */
    uint16_t
        critical; /* the busiest shard: no schedule is shorter than its own work; SHARD_NONE: nothing moves */
};

void schedule_make(struct schedule *s, const plan *p);
void schedule_clear(struct schedule *s);
