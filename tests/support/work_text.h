// SPDX-License-Identifier: Apache-2.0
/* work_text.h - plans as the JSON that is read back, and work written out line by line to be compared.
 * Owns: the lines. Never: changes what it is given.
 */
#pragma once

#include "balancer/plan/plan.h"
#include "migrations/work/work.h"

/* The report in JSON, made at time 0 of a snapshot "cluster.json". The caller frees. */
char *plan_json(const plan *p);

/* Every field of the work, a step a line. `types`: bounds with the types of their values, too, which a file
 * does not keep; else encoded only. The caller frees. */
char *work_text(const work *w, bool types);
