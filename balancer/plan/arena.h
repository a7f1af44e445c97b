// SPDX-License-Identifier: Apache-2.0
/* arena.h - memory of a plan that lives as long as the plan: bounds and sentences.
 * Owns: every byte handed out. Never: frees one of them alone.
 */
#pragma once

#include "balancer/plan/plan.h"

typedef struct plan_arena plan_arena;

plan_arena *plan_arena_new(void);
void plan_arena_free(plan_arena *a); /* NULL accepted */

/* Copies a document. */
plan_bound plan_arena_bound(plan_arena *a, const bson_t *doc);
/* Copies a text. */
char *plan_arena_text(plan_arena *a, const char *s);
