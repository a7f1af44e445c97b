// SPDX-License-Identifier: Apache-2.0
/* plan_steps.h - the rounds of a plan file, made into steps.
 * Owns: what must hold of each: a known collection, a range that is one, split points inside it and
 * ascending, words that are known, numbers that follow one another. Never: compares with a cluster.
 */
#pragma once

#include "migrations/work/plan_record.h"
#include "migrations/work/work_private.h"

/* Appends to `w`; collections that nothing is done to are left out. Not to be freed apart: all is the work's.
 */
bool plan_steps_read(struct plan_reader *r, const char *collections, const char *rounds, work *w,
                     struct err *err);
