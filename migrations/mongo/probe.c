// SPDX-License-Identifier: Apache-2.0
/* Who owns what. All queries are answered from an index: {ns|uuid, min} or {ns|uuid, shard, min}. */
#include "migrations/mongo/probe_private.h"

#include <string.h>

void probe_collection_clear(struct probe_collection *c)
{
    bson_destroy(c->key);
    *c = (struct probe_collection){0};
}

static bool flag(const bson_t *doc, const char *name, bool dflt)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && !BSON_ITER_HOLDS_NULL(&it) ? bson_iter_as_bool(&it) : dflt;
}

static bool has(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && !BSON_ITER_HOLDS_NULL(&it);
}

static void read_identity(const bson_t *doc, struct probe_collection *c)
{
    bson_iter_t it;
    bson_subtype_t subtype;
    uint32_t len = 0;
    const uint8_t *data = NULL;
    if (bson_iter_init_find(&it, doc, "uuid") && BSON_ITER_HOLDS_BINARY(&it)) {
        bson_iter_binary(&it, &subtype, &len, &data);
        c->has_uuid = len == sizeof(c->uuid);
        if (c->has_uuid)
            memcpy(c->uuid, data, sizeof(c->uuid));
    }
    if (bson_iter_init_find(&it, doc, "lastmodEpoch") && BSON_ITER_HOLDS_OID(&it))
        bson_oid_copy(bson_iter_oid(&it), &c->epoch);
    if (bson_iter_init_find(&it, doc, "timestamp") && BSON_ITER_HOLDS_TIMESTAMP(&it)) {
        bson_iter_timestamp(&it, &c->timestamp_t, &c->timestamp_i);
        c->has_timestamp = true;
    }
    c->by_uuid = c->has_timestamp && c->has_uuid; /* at every moment of an upgrade or downgrade */
}

static void read_collection(const bson_t *doc, const char *ns, struct probe_collection *c)
{
    bson_t key;
    const char *mode = probe_text(doc, "distributionMode"), *dot = strchr(ns, '.');
    if (flag(doc, "dropped", false) || g_strcmp0(mode, "unsharded") == 0 || !probe_document(doc, "key", &key))
        return;
    c->there = true;
    c->key = bson_copy(&key);
    read_identity(doc, c);
    c->no_balance = flag(doc, "noBalance", false);
    c->migrations_not_permitted = !flag(doc, "allowMigrations", true) ||
                                  !flag(doc, "permitMigrations", true) ||
                                  !flag(doc, "allowChunkOperations", true);
    c->resharding =
        has(doc, "reshardingFields") || (dot != NULL && g_str_has_prefix(dot + 1, "system.resharding."));
    c->unsplittable = flag(doc, "unsplittable", false);
    c->defragmenting = flag(doc, "defragmentCollection", false);
    c->time_series = has(doc, "timeseriesFields");
}

bool probe_collection(mongoc_client_t *client, const char *ns, struct probe_collection *ret, struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(ns));
    bool done = probe_find(client, "collections", filter, NULL, 1, &docs, err);
    bson_destroy(filter);
    if (!done)
        return false;
    *ret = (struct probe_collection){0};
    if (docs->len > 0)
        read_collection(docs->pdata[0], ns, ret);
    return true;
}

void probe_chunk_clear(struct probe_chunk *c)
{
    bson_destroy(c->min);
    bson_destroy(c->max);
    g_free(c->shard);
    *c = (struct probe_chunk){0};
}

static void chunk_slot_free(gpointer chunk)
{
    probe_chunk_clear(chunk);
    g_free(chunk);
}

static int64_t stamp_of(const bson_iter_t *it)
{
    uint32_t t = 0, i = 0;
    if (BSON_ITER_HOLDS_TIMESTAMP(it))
        bson_iter_timestamp(it, &t, &i);
    return (int64_t)((uint64_t)t << 32 | i);
}

static bool read_chunk(const bson_t *doc, struct probe_chunk *c, struct err *err)
{
    bson_t min, max;
    bson_iter_t it, since;
    const char *shard = probe_text(doc, "shard");
    if (shard == NULL || !probe_document(doc, "min", &min) || !probe_document(doc, "max", &max))
        return err_set(
            err, ERR_DATA,
            "a document of config.chunks has no min, no max, or no shard that is a name; check the "
            "cluster's metadata");
    *c = (struct probe_chunk){
        .there = true, .min = bson_copy(&min), .max = bson_copy(&max), .shard = g_strdup(shard)};
    if (bson_iter_init_find(&it, doc, "lastmod"))
        c->version = (uint64_t)stamp_of(&it);
    c->jumbo = flag(doc, "jumbo", false);
    if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "history.0.validAfter", &since))
        c->valid_after = stamp_of(&since);
    return true;
}

/* The filter's begin: the collection, in its generation's way. */
static bson_t *chunks_of(const char *ns, const struct probe_collection *coll)
{
    bson_t *filter = bson_new();
    if (coll->by_uuid)
        bson_append_binary(filter, "uuid", -1, BSON_SUBTYPE_UUID, coll->uuid, sizeof(coll->uuid));
    else
        BSON_APPEND_UTF8(filter, "ns", ns);
    return filter;
}

/* Takes the filter. At most one chunk, the first in the order of `direction`. */
static bool find_one(mongoc_client_t *client, bson_t *filter, int direction, struct probe_chunk *ret,
                     struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    bson_t *sort = BCON_NEW("min", BCON_INT32(direction));
    bool done = probe_find(client, "chunks", filter, sort, 1, &docs, err);
    bson_destroy(sort);
    bson_destroy(filter);
    if (!done)
        return false;
    struct probe_chunk found = {0};
    if (docs->len > 0 && !read_chunk(docs->pdata[0], &found, err))
        return false;
    *ret = found;
    return true;
}

static void append_range(bson_t *filter, const char *low, const bson_t *min, const bson_t *max)
{
    bson_t range;
    BSON_APPEND_DOCUMENT_BEGIN(filter, "min", &range);
    if (min != NULL)
        bson_append_document(&range, low, -1, min);
    if (max != NULL)
        BSON_APPEND_DOCUMENT(&range, "$lt", max);
    bson_append_document_end(filter, &range);
}

bool probe_chunk_at(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                    const bson_t *min, struct probe_chunk *ret, struct err *err)
{
    bson_t *filter = chunks_of(ns, coll);
    append_range(filter, "$lte", min, NULL);
    return find_one(client, filter, -1, ret, err);
}

bool probe_chunk_of(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                    const bson_t *min, const bson_t *max, const char *shard, struct probe_chunk *ret,
                    struct err *err)
{
    bson_t *filter = chunks_of(ns, coll);
    BSON_APPEND_UTF8(filter, "shard", shard);
    append_range(filter, "$gte", min, max);
    return find_one(client, filter, 1, ret, err);
}

/* The chunks that begin behind `min` and before `max`. */
static bool append_rest(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                        const bson_t *min, const bson_t *max, unsigned limit, GPtrArray *chunks,
                        struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    bson_t *sort = BCON_NEW("min", BCON_INT32(1)), *filter = chunks_of(ns, coll);
    append_range(filter, "$gt", min, max);
    bool done = probe_find(client, "chunks", filter, sort, limit, &docs, err);
    bson_destroy(filter);
    bson_destroy(sort);
    for (guint i = 0; done && i < docs->len; i++) {
        struct probe_chunk *c = g_new0(struct probe_chunk, 1);
        g_ptr_array_add(chunks, c);
        done = read_chunk(docs->pdata[i], c, err);
    }
    return done;
}

/* The first is looked for by itself: its begin may lie far before `min`, where only the index finds it. */
bool probe_chunks_in(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                     const bson_t *min, const bson_t *max, unsigned limit, GPtrArray **ret, struct err *err)
{
    g_autoptr(GPtrArray) chunks = g_ptr_array_new_with_free_func(chunk_slot_free);
    struct probe_chunk *first = g_new0(struct probe_chunk, 1);
    int reaches = -1;
    g_ptr_array_add(chunks, first);
    if (!probe_chunk_at(client, ns, coll, min, first, err) ||
        (first->there && !probe_compare(first->max, max, &reaches, err)))
        return false;
    if (!first->there)
        g_ptr_array_set_size(chunks, 0);
    if (reaches < 0 && limit > chunks->len &&
        !append_rest(client, ns, coll, min, max, limit - chunks->len, chunks, err))
        return false;
    *ret = g_steal_pointer(&chunks);
    return true;
}

bool probe_covers(const GPtrArray *chunks, const bson_t *min, const bson_t *max, bool *ret, struct err *err)
{
    int order;
    const bson_t *end = min;
    *ret = false;
    for (guint i = 0; i < chunks->len; i++) {
        const struct probe_chunk *c = chunks->pdata[i];
        if (!probe_compare(c->min, end, &order, err))
            return false;
        if (i == 0 ? order > 0 : order != 0)
            return true;
        end = c->max;
    }
    if (!probe_compare(end, max, &order, err))
        return false;
    *ret = chunks->len > 0 && order >= 0;
    return true;
}

bool probe_begins(mongoc_client_t *client, const char *ns, const struct probe_collection *coll,
                  const GPtrArray *at, unsigned *ret, struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    bson_t min, list, *filter = chunks_of(ns, coll);
    BSON_APPEND_DOCUMENT_BEGIN(filter, "min", &min);
    BSON_APPEND_ARRAY_BEGIN(&min, "$in", &list);
    for (guint i = 0; i < at->len; i++) {
        char buffer[16];
        const char *index;
        bson_uint32_to_string(i, &index, buffer, sizeof(buffer));
        BSON_APPEND_DOCUMENT(&list, index, at->pdata[i]);
    }
    bson_append_array_end(&min, &list);
    bson_append_document_end(filter, &min);
    bool done = probe_find(client, "chunks", filter, NULL, 0, &docs, err);
    bson_destroy(filter);
    if (done)
        *ret = docs->len;
    return done;
}

bool probe_cluster_id(mongoc_client_t *client, char **ret, struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    const bson_t none = BSON_INITIALIZER;
    bson_iter_t it;
    char hex[25];
    if (!probe_find(client, "version", &none, NULL, 0, &docs, err))
        return false;
    *ret = NULL;
    for (guint i = 0; i < docs->len && *ret == NULL; i++) {
        if (bson_iter_init_find(&it, docs->pdata[i], "clusterId") && BSON_ITER_HOLDS_OID(&it)) {
            bson_oid_to_string(bson_iter_oid(&it), hex);
            *ret = g_strdup(hex);
        }
    }
    return true;
}
