// SPDX-License-Identifier: Apache-2.0
/* probe.h - short looks at the cluster's metadata: who owns a range now, and is something on its way.
 * Owns: the queries (read concern majority, primary), either generation of config.chunks. Never: writes,
 * decides.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <mongoc/mongoc.h>

/* What a collection is at the moment; to be cleared. */
struct probe_collection {
    bool there;             /* sharded, not dropped */
    bool has_uuid, by_uuid; /* chunks are keyed by uuid (5.0+: the document has `timestamp`) */
    uint8_t uuid[16];
    bson_oid_t epoch;
    bool has_timestamp;
    uint32_t timestamp_t, timestamp_i;
    bson_t *key; /* NULL where !there */
    bool no_balance, migrations_not_permitted, resharding, unsplittable, defragmenting, time_series;
};
void probe_collection_clear(struct probe_collection *c);
bool probe_collection(mongoc_client_t *client, const char *ns, struct probe_collection *ret, struct err *err);

struct probe_chunk { /* to be cleared */
    bool there;
    bson_t *min, *max;
    char *shard;
    uint64_t version; /* lastmod */
    bool jumbo;
    int64_t valid_after; /* of history[0], a timestamp's 64 bits; 0: none */
};
void probe_chunk_clear(struct probe_chunk *c);

/* The chunk that holds the key `min` (a full bound). */
bool probe_chunk_at(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                    const bson_t *min, struct probe_chunk *ret, struct err *err);
/* The first chunk of `shard` that begins in [min, max). */
bool probe_chunk_of(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                    const bson_t *min, const bson_t *max, const char *shard, struct probe_chunk *ret,
                    struct err *err);
/* Every chunk that intersects [min, max), in key order: GPtrArray of struct probe_chunk *, at most `limit`.
 */
bool probe_chunks_in(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                     const bson_t *min, const bson_t *max, unsigned limit, GPtrArray **ret, struct err *err);

/* config.version's clusterId as text; NULL where there is none. The caller frees. */
bool probe_cluster_id(mongoc_client_t *client, char **ret, struct err *err);
