// SPDX-License-Identifier: Apache-2.0
/* Shared by guard*.c: copies of metadata, read once and never changed, so that a thread may go on with one
 * while another is read. */
#pragma once

#include "migrations/mongo/guard.h"
#include "migrations/mongo/probe_private.h"

/* config.shards. */
struct guard_shard {
    bool draining;
    GPtrArray *zones; /* char * */
};
struct guard_shards {
    gint refs;
    gint64 read_at; /* steady, microseconds */
    GHashTable *by_id;
};

/* A document of config.collections and its ranges of config.tags. */
struct guard_zone {
    char *zone;
    GBytes *min, *max; /* encoded, of the full key */
};
struct guard_collection {
    gint refs;
    gint64 read_at;
    struct probe_collection coll;
    GPtrArray *zones; /* struct guard_zone *; none of a time-series collection: zones never apply there */
    char *fault;      /* its zone ranges cannot be read; NULL: they can */
};

/* Counted references, from any thread. */
struct guard_shards *guard_shards_ref(struct guard_shards *s);
struct guard_collection *guard_collection_ref(struct guard_collection *c);
void guard_shards_unref(struct guard_shards *s);         /* NULL accepted */
void guard_collection_unref(struct guard_collection *c); /* NULL accepted */
bool guard_read_shards(mongoc_client_t *client, struct guard_shards **ret, struct err *err);
bool guard_read_collection(mongoc_client_t *client, const char *ns, struct guard_collection **ret,
                           struct err *err);

/* What a question is answered from. */
struct guard_view {
    const struct guard_shards *shards;
    const struct guard_collection *coll;
    const struct guard_wish *wishes;
    size_t n_wishes;
};

/* Finds the chunk and decides; `found` is empty before. */
bool guard_decide(const struct guard_view *v, mongoc_client_t *client, const struct guard_question *q,
                  enum guard_answer *ret, struct guard_found *found, struct err *err);
