// SPDX-License-Identifier: Apache-2.0
/* drain_private.h - the second half of a draining's picture: what stands in its way, and the steps.
 * Never: included outside of drain*.c.
 */
#pragma once

#include "balancer/answer/drain.h"

/* Fills d->blockers from the facts and the projection. */
void drain_find_blockers(drain *d, const plan *p);
/* Fills d->steps; everything else must be there. */
void drain_list_steps(drain *d);
