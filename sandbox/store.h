// SPDX-License-Identifier: Apache-2.0
/* store.h - ordinary collections, in memory: enough for leases, journals of tools, and tests of drivers.
 * Owns: the documents and the uniqueness of _id. Never: holds what the cluster owns, or outlives the process.
 */
#pragma once

#include "sandbox/fault.h"
#include "sandbox/match.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct store store;

/* Documents together take no more than `max_bytes`; what would be more is refused. */
store *store_new(int64_t max_bytes);
void store_free(store *s); /* NULL accepted */

/* The documents of a namespace, borrowed until the next write; NULL: no such collection. */
const GPtrArray *store_docs(const store *s, const char *ns);

/* Namespaces of a database (NULL: all), sorted; elements char *, freed with it. */
GPtrArray *store_names(const store *s, const char *db);

/* False: it is there already. */
bool store_create(store *s, const char *ns);
bool store_drop(store *s, const char *ns);

/* Inserts a copy; a document without _id gets one. */
bool store_insert(store *s, const char *ns, const bson_t *doc, struct fault *f);

struct store_update {
    const bson_t *query, *update;
    const bson_t *sort; /* of findAndModify; NULL: natural order */
    bool multi, upsert;
    int64_t now_ms;
};

struct store_result {
    int64_t matched, modified;
    bson_t *upserted;       /* {"_id": id}, or NULL */
    bson_t *before, *after; /* of the first document; NULL: there was none */
};
void store_result_clear(struct store_result *r);

bool store_update(store *s, const char *ns, const struct store_update *u, struct store_result *ret,
                  struct fault *f);

/* Removes those that match, at most `limit` (0: all), first ones of the order; the first removed is put into
 * *ret_first (NULL: not wanted), the caller destroys it. */
bool store_delete(store *s, const char *ns, const bson_t *query, const bson_t *sort, int64_t limit,
                  int64_t *ret_n, bson_t **ret_first, struct fault *f);

/* Borrowed documents of `docs` (NULL: none) that match, sorted; freed with g_ptr_array_unref(). NULL: a
 * fault. */
GPtrArray *store_select(const GPtrArray *docs, const bson_t *query, const bson_t *sort, struct fault *f);

/* The document that an upsert inserts. NULL: a fault. */
bson_t *store_upserted(const bson_t *query, const bson_t *update, int64_t now_ms, struct fault *f);
