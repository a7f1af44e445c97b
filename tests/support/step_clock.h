// SPDX-License-Identifier: Apache-2.0
/* step_clock.h - time that stands still until a test lets it go on.
 * Owns: the timers, in order of their times; those of equal times fire in the order in which they were set.
 * Never: looks at a real clock.
 */
#pragma once

#include "sandbox/cluster.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct step_clock step_clock;

step_clock *step_clock_new(int64_t now_ms);
/* Timers that have not fired are dropped. NULL accepted. */
void step_clock_free(step_clock *s);

/* The clock to give to sb_cluster_new(); borrowed. */
const struct sb_clock *step_clock_host(step_clock *s);

int64_t step_clock_now(const step_clock *s);
/* Fires everything that is due within `ms`; then the time is that much later. */
void step_clock_advance(step_clock *s, int64_t ms);
/* Goes to the next timer's time and fires it, unless that is more than `limit_ms` away. False: there is none.
 */
bool step_clock_next(step_clock *s, int64_t limit_ms);
