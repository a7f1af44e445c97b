// SPDX-License-Identifier: Apache-2.0
/* expr.h - aggregation expressions: field paths, literals, documents, and the operators that metadata queries
 * use. Owns: evaluating them straight from their BSON. Never: knows stages. Nesting is bounded by the
 * document's depth.
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <stdbool.h>

/* Appends the value of the expression under `e`, asked of `root`, to `out` as `name`; appends nothing where
 * the value is missing. False: a fault. */
bool expr_eval(const bson_iter_t *e, const bson_t *root, bson_t *out, const char *name, struct fault *f);

/* A new document: `doc` with the fields of `spec` ({"a.b": expression}) set, expressions asked of `root`.
 * NULL: a fault. */
bson_t *expr_set_fields(const bson_t *doc, const bson_t *spec, const bson_t *root, struct fault *f);

/* A new document: `doc` with the value under `value` at a dotted path (NULL: the path removed); documents on
 * the way are made. NULL: a value on the way is neither document nor array; `f` says so. */
bson_t *doc_with_path(const bson_t *doc, const char *path, const bson_iter_t *value, struct fault *f);

/* Appends the sum of two numbers of any kind but Decimal128, in the wider type. False: they are no numbers.
 */
bool number_add(const bson_iter_t *a, const bson_iter_t *b, bson_t *out, const char *name);
