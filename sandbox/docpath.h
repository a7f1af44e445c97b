// SPDX-License-Identifier: Apache-2.0
/* docpath.h - values in documents: how dotted paths reach them, and how they compare.
 * Owns: the walk of "a.b.0" through documents and arrays as queries mean it; comparing by key encodings.
 * Never: keeps a document. Iterators that it hands out borrow the document's bytes.
 */
#pragma once

#include "balancer/key/encode.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>

/* Called for each value that a path reaches; NULL: a document on the way has no such field. True stops the
 * walk. */
typedef bool docpath_fn(void *user, const bson_iter_t *value);

/* Walks as queries do: an array on the way stands for each of its documents, and a number may pick an
 * element. An array at the end is one value. Returns whether `fn` stopped it. */
bool docpath_each(const bson_t *doc, const char *path, docpath_fn *fn, void *user);

/* The one value at a path, numbers picking elements of arrays. */
bool docpath_find(const bson_t *doc, const char *path, bson_iter_t *ret);

/* The document or array under `it` as a static bson_t. */
bool doc_under(const bson_iter_t *it, bson_t *ret);

/* <0, 0, >0 in the server's order; values that cannot be encoded are equal to one another and above all. */
int value_compare(const bson_iter_t *a, const bson_iter_t *b);

/* Whole part of a number (Decimal128 is none here), clamped to 64 bits. */
bool value_int64(const bson_iter_t *it, int64_t *ret);
bool value_truth(const bson_iter_t *it);

/* The server's names of types, "objectId"; "missing" for what is none. */
const char *value_type_name(bson_type_t type);
/* The type that a name or a number of $type means; "number" gives -2. False: none. */
bool value_type_of(const bson_iter_t *it, int *ret);

/* Appends the field under `it` with another name. */
void doc_put(bson_t *out, const char *name, const bson_iter_t *it);
/* Appends all fields of `doc`. */
void doc_put_all(bson_t *out, const bson_t *doc);

/* A field by its name at the top; false where it is missing. */
bool doc_get(const bson_t *doc, const char *name, bson_iter_t *ret);
/* Its text, or NULL where it is missing or no string; borrowed. */
const char *doc_get_text(const bson_t *doc, const char *name);
/* A number, or `otherwise`. */
int64_t doc_get_int(const bson_t *doc, const char *name, int64_t otherwise);
bool doc_get_bool(const bson_t *doc, const char *name, bool otherwise);
