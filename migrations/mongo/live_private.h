// SPDX-License-Identifier: Apache-2.0
/* Shared by live_*.c. */
#pragma once

#include "migrations/mongo/live_source.h"

#include <glib.h>

/* Documents one behind the other. */
struct live {
    const mongo_conn *c;
    const struct intake *to;
    mongoc_client_session_t *session; /* NULL: the server has none */
    mongoc_read_concern_t *majority;
    int64_t max_time_ms;
};

/* Replaces `into` by what config.<coll> has for `filter`; `extra` are more options of find, NULL: none. A
 * connection that breaks on the way is tried again. */
bool live_fetch(const struct live *l, const char *coll, const bson_t *filter, const bson_t *extra,
                GByteArray *into, struct err *err);

/* The document at *at, which goes on behind it; false at the end. */
bool live_next(const GByteArray *docs, size_t *at, bson_t *ret);

/* live_chunks.c: hands over the chunks of every collection of `collections`, then the collections as they
 * were when their chunks were read; these replace `collections`. */
bool live_collections(const struct live *l, GByteArray *collections, struct err *err);

/* live_sizes.c: hands over the sizes of these collections. */
bool live_sizes(const struct live *l, const GByteArray *collections, struct err *err);
