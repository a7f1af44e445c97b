// SPDX-License-Identifier: Apache-2.0
/* advice.h - what an operator would be glad to know, found in the metadata and the finished plan.
 * Owns: the codes, when each is given, the sentences and the commands; docs/advice.md is their description.
 * Never: decides or moves anything, does I/O, or says what the metadata do not prove without saying so.
 * Costs one pass over the chunks, and nothing unless plan_options.advice asks for it.
 */
#pragma once

#include "balancer/plan/estimate.h"
#include "balancer/plan/planner.h"

/* Fills plan->advice of a plan that is complete but for it: by collection in the plan's order, of one
 * collection in the order of docs/advice.md, then what concerns the cluster. `opt` and `est`: what it was
 * made with. */
void advice_fill(plan *p, const struct plan_options *opt, const estimate *est);
