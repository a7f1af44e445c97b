// SPDX-License-Identifier: Apache-2.0
/* summary.h - what a finished projection says of collections and of the whole: loads, shares, bounds, the
 * plan's id. Owns: those figures. Never: decides or projects. Private to plan/.
 */
#pragma once

#include "balancer/plan/projection.h"

/* Fills plan->collections and the figures of plan->summary that follow from them. */
void summary_fill(struct projection *pr);

/* The largest load over its target, less 1; 0 at least. A shard that should hold nothing is measured against
 * the mean of the `staying` shards. */
double summary_imbalance(const int64_t *load, const int64_t *target, uint16_t n, uint32_t staying);

/* Finds what cannot move, however long one waits: jumbo chunks, zones without a shard that may receive,
 * excluded collections on draining shards. Fills plan->blocked. */
void blocked_fill(struct projection *pr);

/* The content hash, see content_id.h. */
char *plan_content_id(const plan *p);
