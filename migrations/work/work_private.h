// SPDX-License-Identifier: Apache-2.0
/* work_private.h - how work is put together, for those who make it.
 * Owns: nothing. Never: used outside migrations/work.
 */
#pragma once

#include "balancer/plan/content_id.h"
#include "common/err.h"
#include "migrations/work/work.h"

work *work_new(void);

/* A collection of that name and shard key. ERR_DATA: not a shard key. */
const struct work_collection *work_add_collection(work *w, const char *ns, const bson_t *key,
                                                  struct err *err);

/* An empty step of `coll`, to be filled in; bounds by step_set_bounds(). */
struct work_step *step_new(enum work_kind kind, const struct work_collection *coll);
void step_free(gpointer step); /* NULL accepted */

/* The encoding of a bound. NULL, with ERR_DATA: its fields are not the shard key's, or a value cannot be
 * compared. */
GBytes *step_encode(const struct work_collection *coll, const bson_t *bound, struct err *err);

/* Appends `s`, which is then the work's; gives it its id and counts it. */
void work_add(work *w, struct work_step *s);

/* The hash of the content, to be compared with plan_id; the caller frees. */
char *work_content_id(const work *w);
