// SPDX-License-Identifier: Apache-2.0
/* Collections: sharded, dropped, configured. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

enum { SPLIT_POINTS_MAX = 8192 };

static void reply_sharded(struct request *rq, const struct coll *k)
{
    bson_t *reply = bson_new();
    BSON_APPEND_UTF8(reply, "collectionsharded", k->ns);
    if (!sb_since(rq->c, 5, 0))
        bson_append_binary(reply, "collectionUUID", -1, BSON_SUBTYPE_UUID, k->uuid, 16);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* The chunks of a new collection, `n` points between them; shards in turn, zones on their shards. */
static void first_chunks(struct coll *k, struct bound **points, guint n)
{
    sb_cluster *c = k->c;
    struct stamp when = sb_stamp_next(c);
    guint turn = 0;
    for (guint i = 0; i <= n; i++) {
        struct bound *min = i == 0 ? sb_bound_global(k->key, false) : sb_bound_ref(points[i - 1]);
        struct bound *max = i == n ? sb_bound_global(k->key, true) : sb_bound_ref(points[i]);
        const char *zone = sb_zone_of(k, min, max);
        struct shard *s = NULL;
        for (guint tries = 0; tries < c->shards->len && s == NULL; tries++) {
            struct shard *next = c->shards->pdata[turn++ % c->shards->len];
            if (!next->draining && (zone == NULL || sb_has_zone(next, zone)))
                s = next;
        }
        struct chunk *ch = sb_chunk_new(k, min, max, s != NULL ? s : c->shards->pdata[0]);
        sb_chunk_insert(k, ch);
        sb_chunk_history_reset(ch, when);
        sb_chunk_set_version(ch, ((uint64_t)1 << 32) | i);
    }
}

/* Of a hashed key: even steps over all hashes. */
static GPtrArray *hashed_points(const struct coll *k, int64_t chunks)
{
    GPtrArray *points = g_ptr_array_new_with_free_func((GDestroyNotify)sb_bound_unref);
    uint64_t step = UINT64_MAX / (uint64_t)chunks;
    for (int64_t i = 1; i < chunks; i++) {
        bson_t key = BSON_INITIALIZER;
        BSON_APPEND_INT64(&key, k->key->fields[0].name, (int64_t)(step * (uint64_t)i - ((uint64_t)1 << 63)));
        for (uint32_t f = 1; f < k->key->n_fields; f++)
            bson_append_minkey(&key, k->key->fields[f].name, -1);
        struct bound *b = sb_bound_new(k->key, &key, NULL);
        if (b != NULL)
            g_ptr_array_add(points, b);
        bson_destroy(&key);
    }
    return points;
}

static int by_key(gconstpointer a, gconstpointer b)
{
    return sb_bound_cmp(*(const struct bound *const *)a, *(const struct bound *const *)b);
}

/* At the bounds of its zones. */
static GPtrArray *zone_points(const struct coll *k)
{
    GPtrArray *points = g_ptr_array_new_with_free_func((GDestroyNotify)sb_bound_unref);
    struct bound *first = sb_bound_global(k->key, false), *last = sb_bound_global(k->key, true);
    for (guint i = 0; i < k->c->zones->len; i++) {
        const struct zone_range *z = k->c->zones->pdata[i];
        if (strcmp(z->ns, k->ns) != 0)
            continue;
        for (int end = 0; end < 2; end++) {
            struct bound *b = sb_zone_bound(k, end == 0 ? z->min : z->max);
            if (b != NULL && sb_bound_cmp(b, first) > 0 && sb_bound_cmp(b, last) < 0)
                g_ptr_array_add(points, b);
            else
                sb_bound_unref(b);
        }
    }
    g_ptr_array_sort(points, by_key);
    for (guint i = points->len; i-- > 1;) {
        if (sb_bound_cmp(points->pdata[i - 1], points->pdata[i]) == 0)
            g_ptr_array_remove_index(points, i);
    }
    sb_bound_unref(first);
    sb_bound_unref(last);
    return points;
}

/* Whether a collection may be sharded in this database: up to 5.x only after enableSharding. */
static bool check_new(struct request *rq, const char *ns, int64_t *ret_chunks)
{
    g_autofree char *db = g_strndup(ns, strcspn(ns, "."));
    const struct database *d = sb_find_database(rq->c, db);
    *ret_chunks = sb_doc_int(rq->cmd, "numInitialChunks", 0);
    if (strcmp(db, "admin") == 0 || strcmp(db, "local") == 0)
        return sb_rq_fail(rq, SB_ILLEGAL_OPERATION, "can't shard collections in the %s db", db);
    if (*ret_chunks < 0 || *ret_chunks > SPLIT_POINTS_MAX)
        return sb_rq_fail(rq, SB_INVALID_OPTIONS, "numInitialChunks must be between 0 and %d",
                          SPLIT_POINTS_MAX);
    if (d == NULL || !d->partitioned) {
        if (!sb_since(rq->c, 6, 0) && strcmp(db, "config") != 0)
            return sb_rq_fail(rq, SB_ILLEGAL_OPERATION, "sharding not enabled for db %s", db);
        if (d == NULL && strcmp(db, "config") != 0)
            sb_database_new(rq->c, db, ((const struct shard *)rq->c->shards->pdata[0])->id)->partitioned =
                true;
    }
    return true;
}

/* Its first chunks lie at the bounds of its zones, or, of a hashed key without zones, evenly over the hashes;
 * a ranged key begins with one chunk. */
static struct coll *make_collection(struct request *rq, const char *ns, const bson_t *key, int64_t chunks)
{
    struct err err = {0};
    struct coll *k = sb_coll_new(rq->c, ns, key, &err);
    if (k == NULL) {
        sb_rq_fail(rq, SB_BAD_VALUE, "Unsupported shard key pattern: %s", err.msg);
        return NULL;
    }
    sb_uuid_next(rq->c, k->uuid);
    sb_oid_next(rq->c, &k->epoch);
    k->timestamp = sb_stamp_next(rq->c);
    k->lastmod = 4294967296;
    k->unique = sb_doc_bool(rq->cmd, "unique", false);
    g_autoptr(GPtrArray) points = zone_points(k);
    if (points->len == 0 && k->key->fields[0].hashed) {
        g_ptr_array_unref(points);
        int64_t dflt = (int64_t)rq->c->shards->len * (sb_since(rq->c, 8, 0) ? 1 : 2);
        points = hashed_points(k, chunks > 0 ? chunks : dflt);
    }
    first_chunks(k, (struct bound **)points->pdata, points->len);
    return k;
}

/* Repeated with the same key it succeeds and changes nothing. */
void sb_cmd_shard_collection(struct request *rq)
{
    const char *ns;
    bson_t key;
    bool there;
    int64_t chunks;
    if (!sb_rq_ns(rq, &ns) || !sb_rq_doc(rq, "key", true, &key, &there))
        return;
    struct coll *k = sb_find_coll(rq->c, ns);
    if (k != NULL && !bson_equal(&k->key->doc, &key)) {
        sb_rq_fail(rq, SB_ALREADY_INITIALIZED,
                   "sharding already enabled for collection %s with options that differ", ns);
        return;
    }
    if (k == NULL && (!check_new(rq, ns, &chunks) || (k = make_collection(rq, ns, &key, chunks)) == NULL))
        return;
    reply_sharded(rq, k);
}

/* With its chunks, orphans and zone ranges. */
void sb_cmd_drop(struct request *rq)
{
    const char *name;
    if (!sb_rq_string(rq, "drop", true, &name))
        return;
    g_autofree char *ns = g_strdup_printf("%s.%s", rq->db, name);
    struct coll *k = sb_find_coll(rq->c, ns);
    if (k == NULL) {
        sb_rq_fail(rq, SB_NAMESPACE_NOT_FOUND, "ns not found");
        return;
    }
    bson_t *reply = bson_new();
    BSON_APPEND_INT32(reply, "nIndexesWas", 2);
    BSON_APPEND_UTF8(reply, "ns", ns);
    sb_coll_remove(rq->c, k);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

void sb_cmd_drop_database(struct request *rq)
{
    sb_cluster *c = rq->c;
    g_autofree char *prefix = g_strdup_printf("%s.", rq->db);
    for (guint i = c->colls->len; i-- > 0;) {
        struct coll *k = c->colls->pdata[i];
        if (g_str_has_prefix(k->ns, prefix))
            sb_coll_remove(c, k);
    }
    bson_t *reply = bson_new();
    struct database *d = sb_find_database(c, rq->db);
    if (d != NULL) {
        BSON_APPEND_UTF8(reply, "dropped", rq->db);
        g_ptr_array_remove(c->databases, d);
        sb_changed(c);
    }
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* chunkSize 0 takes the collection's own size back. Defragmentation is switched on and shown; nothing is
 * defragmented. */
void sb_cmd_configure_balancing(struct request *rq)
{
    static const char *const fields[] = {"chunkSize",       "defragmentCollection", "enableAutoMerger",
                                         "enableBalancing", "enableAutoSplitter",   NULL};
    struct coll *k;
    if (!sb_rq_known_fields(rq, fields) || !sb_rq_coll(rq, &k))
        return;
    int64_t size = sb_doc_int(rq->cmd, "chunkSize", -1);
    if (bson_has_field(rq->cmd, "chunkSize") && (size < 0 || size > 1024)) {
        sb_rq_fail(rq, SB_INVALID_OPTIONS, "Chunk size '%" G_GINT64_FORMAT "' out of range [1MB, 1GB]", size);
        return;
    }
    if (size >= 0)
        k->max_chunk_bytes = size * MIB;
    k->defragment = sb_doc_bool(rq->cmd, "defragmentCollection", k->defragment);
    if (sb_since(rq->c, 7, 0))
        k->no_auto_merge = !sb_doc_bool(rq->cmd, "enableAutoMerger", !k->no_auto_merge);
    if (sb_since(rq->c, 8, 0))
        k->no_balance = !sb_doc_bool(rq->cmd, "enableBalancing", !k->no_balance);
    sb_changed(rq->c);
    sb_rq_reply(rq, NULL);
}

void sb_cmd_set_allow_migrations(struct request *rq)
{
    static const char *const fields[] = {"allowMigrations", NULL};
    struct coll *k;
    bson_iter_t it;
    if (!sb_rq_known_fields(rq, fields) || !sb_rq_coll(rq, &k))
        return;
    if (!bson_iter_init_find(&it, rq->cmd, "allowMigrations")) {
        sb_rq_fail(rq, SB_IDL_MISSING,
                   "BSON field 'setAllowMigrations.allowMigrations' is missing but a required field");
        return;
    }
    if (!BSON_ITER_HOLDS_BOOL(&it)) {
        sb_rq_fail(
            rq, SB_TYPE_MISMATCH,
            "BSON field 'setAllowMigrations.allowMigrations' is the wrong type '%s', expected type 'bool'",
            sb_bson_type_word(bson_iter_type(&it)));
        return;
    }
    k->no_migrations = !bson_iter_bool(&it);
    sb_changed(rq->c);
    sb_rq_reply(rq, NULL);
}

void sb_cmd_flush_router_config(struct request *rq)
{
    bson_t *reply = bson_new();
    BSON_APPEND_BOOL(reply, "flushed", true);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* What mongos knows: the collection's version, not a shard's. */
void sb_cmd_get_shard_version(struct request *rq)
{
    struct coll *k;
    if (!sb_rq_coll(rq, &k))
        return;
    bson_t *reply = bson_new();
    sb_append_version(reply, "version", k->version);
    BSON_APPEND_OID(reply, "versionEpoch", &k->epoch);
    if (sb_since(rq->c, 5, 0))
        sb_append_stamp(reply, "versionTimestamp", k->timestamp);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}
