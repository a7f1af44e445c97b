// SPDX-License-Identifier: Apache-2.0
/* preview.h - what a plan does to the space of its shards, and what a change of zones comes to.
 * Owns: those figures. Never: decides. Private to plan/.
 */
#pragma once

#include "balancer/plan/projection.h"

/* Fills plan->peaks, one for each shard, and warns of those that become too full. */
void peaks_fill(struct projection *pr);

/* Fills plan->zone_moves and plan->zone_faults, where the plan is about other zones than the cluster's. */
void zone_change_fill(struct projection *pr);
