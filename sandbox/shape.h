// SPDX-License-Identifier: Apache-2.0
/* shape.h - the order in which a query's documents come, and how much of each.
 * Owns: sort specifications and projections, parsed once. Never: chooses documents (match.h).
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>

/* Sorts an array of bson_t* in place, stably, by {a: 1, "b.c": -1}; where a path reaches an array, its
 * smallest element counts (its greatest, descending). {$natural: 1} is the order they come in, {$natural: -1}
 * the reverse. Nothing changes on a fault. */
bool shape_sort(GPtrArray *docs, const bson_t *spec, struct fault *f);

/* A projection of find, or $project and $unset: {a: 1, "b.c": 1}, {a: 0}; `computed` lets values be
 * expressions. */
typedef struct projection projection;
bool projection_parse(const bson_t *spec, bool computed, projection **ret, struct fault *f);
void projection_free(projection *p); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(projection, projection_free)

/* A new document, or NULL where an expression failed. */
bson_t *projection_apply(const projection *p, const bson_t *doc, struct fault *f);
