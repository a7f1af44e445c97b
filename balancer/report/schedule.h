// SPDX-License-Identifier: Apache-2.0
/* schedule.h - who is busy when a plan is carried out, each migration starting when the plan says.
 * Owns: how long the whole and each shard's part of it is. Never: decides when a migration starts (the plan's
 * simulation does) or draws. Seconds of open time from the start.
 */
#pragma once

#include "balancer/plan/plan.h"

struct schedule {
    double *busy;  /* per shard: giving and taking together */
    double length; /* until the last one ends */
    uint16_t
        critical; /* the busiest shard: no schedule is shorter than its own work; SHARD_NONE: nothing moves */
};

void schedule_make(struct schedule *s, const plan *p);
void schedule_clear(struct schedule *s);
