// SPDX-License-Identifier: Apache-2.0
/* why.h - one sentence with the numbers that decided a migration.
 * Owns: the wording. Never: recomputes; all numbers are the move's.
 */
#pragma once

#include "balancer/plan/projection.h"

/* "12 chunks", "1.4 GiB", "an unknown size". */
void why_append_load(GString *s, enum load_unit unit, int64_t load);

/* New string; the caller frees. */
char *why_whole(const struct projection *pr, const struct coll_projection *c, const struct whole_move *w);
char *why_move(const struct projection *pr, const struct coll_projection *c, const struct move *m);
