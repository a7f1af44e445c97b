// SPDX-License-Identifier: Apache-2.0
/* timing.h - how long a plan takes: plan.summary.time, and when each of its migrations starts.
 * Owns: simulating the plan (simulate.h) with what migrations are expected to take (estimate.h), and often
 * enough with luck to tell a range. Never: reads a clock, or changes what the plan does. Private to plan/.
 */
#pragma once

#include "balancer/plan/estimate.h"
#include "balancer/plan/planner.h"

/* `within`: the migrations were chosen to end within so many seconds in the plan's own order; 0: they were
 * not. */
void timing_fill(plan *p, const estimate *e, const struct plan_options *opt, double within);
