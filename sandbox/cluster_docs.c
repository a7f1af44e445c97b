// SPDX-License-Identifier: Apache-2.0
/* The config collections as the simulated version stores them: chunks by namespace up to 4.4 and by uuid
 * from 5.0 on, and whatever else changed its shape. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

void sb_append_stamp(bson_t *doc, const char *name, struct stamp s)
{
    bson_append_timestamp(doc, name, -1, s.t, s.i);
}

void sb_append_version(bson_t *doc, const char *name, uint64_t version)
{
    bson_append_timestamp(doc, name, -1, (uint32_t)(version >> 32), (uint32_t)version);
}

bson_t *sb_shard_doc(const sb_cluster *c, const struct shard *s)
{
    bson_t *doc = bson_new(), tags;
    char index[16];
    const char *key;
    BSON_APPEND_UTF8(doc, "_id", s->id);
    BSON_APPEND_UTF8(doc, "host", s->host);
    /* the server adds fields at the end as they come; these recordings had the tags before the state */
    if (s->zones->len > 0) {
        BSON_APPEND_ARRAY_BEGIN(doc, "tags", &tags);
        for (guint i = 0; i < s->zones->len; i++) {
            bson_uint32_to_string(i, &key, index, sizeof index);
            BSON_APPEND_UTF8(&tags, key, s->zones->pdata[i]);
        }
        bson_append_array_end(doc, &tags);
    }
    BSON_APPEND_INT32(doc, "state", 1);
    if (s->max_size > 0 && !sb_since(c, 6, 0))
        BSON_APPEND_INT64(doc, "maxSize", s->max_size);
    if (s->draining)
        BSON_APPEND_BOOL(doc, "draining", true);
    if (sb_since(c, 5, 0))
        sb_append_stamp(doc, "topologyTime", s->topology);
    return doc;
}

static void append_uuid(bson_t *doc, const char *name, const uint8_t uuid[16])
{
    bson_append_binary(doc, name, -1, BSON_SUBTYPE_UUID, uuid, 16);
}

static bson_t *database_doc(const sb_cluster *c, const struct database *d)
{
    bson_t *doc = bson_new(), version;
    BSON_APPEND_UTF8(doc, "_id", d->name);
    BSON_APPEND_UTF8(doc, "primary", d->primary);
    if (!sb_since(c, 6, 0))
        BSON_APPEND_BOOL(doc, "partitioned", d->partitioned);
    BSON_APPEND_DOCUMENT_BEGIN(doc, "version", &version);
    append_uuid(&version, "uuid", d->uuid);
    if (sb_since(c, 5, 0))
        sb_append_stamp(&version, "timestamp", d->timestamp);
    BSON_APPEND_INT32(&version, "lastMod", d->last_mod);
    bson_append_document_end(doc, &version);
    return doc;
}

/* Flags stand in a document only where they are set, and only in versions that know them. */
static void append_coll_flags(const sb_cluster *c, const struct coll *k, bson_t *doc)
{
    if (k->no_balance)
        BSON_APPEND_BOOL(doc, "noBalance", true);
    if (sb_since(c, 5, 0) && k->no_migrations)
        BSON_APPEND_BOOL(doc, "permitMigrations", false);
    if (sb_since(c, 5, 3)) {
        if (k->max_chunk_bytes > 0)
            BSON_APPEND_INT64(doc, "maxChunkSizeBytes", k->max_chunk_bytes);
        if (k->defragment)
            BSON_APPEND_BOOL(doc, "defragmentCollection", true);
    }
    if (sb_since(c, 7, 0) && k->no_auto_merge)
        BSON_APPEND_BOOL(doc, "enableAutoMerge", false);
    if (sb_since(c, 8, 0) && k->unsplittable)
        BSON_APPEND_BOOL(doc, "unsplittable", true);
}

/* The order of fields changed with the generation too. */
static bson_t *coll_doc(const sb_cluster *c, const struct coll *k)
{
    bson_t *doc = bson_new();
    BSON_APPEND_UTF8(doc, "_id", k->ns);
    BSON_APPEND_OID(doc, "lastmodEpoch", &k->epoch);
    BSON_APPEND_DATE_TIME(doc, "lastmod", k->lastmod);
    if (sb_since(c, 5, 0)) {
        sb_append_stamp(doc, "timestamp", k->timestamp);
        append_uuid(doc, "uuid", k->uuid);
        BSON_APPEND_DOCUMENT(doc, "key", &k->key->doc);
        BSON_APPEND_BOOL(doc, "unique", k->unique);
    } else {
        BSON_APPEND_BOOL(doc, "dropped", false);
        BSON_APPEND_DOCUMENT(doc, "key", &k->key->doc);
        BSON_APPEND_BOOL(doc, "unique", k->unique);
        append_uuid(doc, "uuid", k->uuid);
        if (sb_since(c, 4, 4))
            BSON_APPEND_UTF8(doc, "distributionMode", "sharded");
    }
    append_coll_flags(c, k, doc);
    bson_concat(doc, k->rest);
    return doc;
}

static void append_history(bson_t *doc, const struct chunk *ch)
{
    bson_t history, entry;
    char index[16];
    const char *key;
    BSON_APPEND_ARRAY_BEGIN(doc, "history", &history);
    for (guint i = 0; i < ch->history->len; i++) {
        const struct placed *p = &g_array_index(ch->history, struct placed, i);
        bson_uint32_to_string(i, &key, index, sizeof index);
        bson_append_document_begin(&history, key, -1, &entry);
        sb_append_stamp(&entry, "validAfter", p->since);
        BSON_APPEND_UTF8(&entry, "shard", p->shard->id);
        bson_append_document_end(&history, &entry);
    }
    bson_append_array_end(doc, &history);
}

/* Generation 4.2: text _id, lastmod first, by ns. 4.4: ObjectId. 5.0: by uuid, no epoch. 7.0:
 * onCurrentShardSince. */
static bson_t *chunk_doc(const sb_cluster *c, const struct chunk *ch)
{
    const struct coll *k = ch->coll;
    bson_t *doc = bson_new();
    if (sb_since(c, 4, 4)) {
        BSON_APPEND_OID(doc, "_id", &ch->id);
    } else {
        g_autofree char *id = server_chunk_id(k->ns, ch->min->doc);
        BSON_APPEND_UTF8(doc, "_id", id);
    }
    if (sb_since(c, 5, 0)) {
        append_uuid(doc, "uuid", k->uuid);
    } else {
        sb_append_version(doc, "lastmod", ch->version);
        BSON_APPEND_OID(doc, "lastmodEpoch", &k->epoch);
        BSON_APPEND_UTF8(doc, "ns", k->ns);
    }
    BSON_APPEND_DOCUMENT(doc, "min", ch->min->doc);
    BSON_APPEND_DOCUMENT(doc, "max", ch->max->doc);
    BSON_APPEND_UTF8(doc, "shard", ch->shard->id);
    if (sb_since(c, 5, 0))
        sb_append_version(doc, "lastmod", ch->version);
    if (sb_since(c, 7, 0) && ch->history->len > 0)
        sb_append_stamp(doc, "onCurrentShardSince", g_array_index(ch->history, struct placed, 0).since);
    if (ch->jumbo > 0 || (ch->jumbo == 0 && !sb_since(c, 5, 0)))
        BSON_APPEND_BOOL(doc, "jumbo", ch->jumbo > 0);
    append_history(doc, ch);
    return doc;
}

/* Up to 4.2 a zone range is known by its collection and min. */
static bson_t *zone_doc(const sb_cluster *c, const struct zone_range *z)
{
    bson_t *doc = bson_new(), id;
    if (sb_since(c, 4, 4)) {
        BSON_APPEND_OID(doc, "_id", &z->id);
    } else {
        BSON_APPEND_DOCUMENT_BEGIN(doc, "_id", &id);
        BSON_APPEND_UTF8(&id, "ns", z->ns);
        BSON_APPEND_DOCUMENT(&id, "min", z->min);
        bson_append_document_end(doc, &id);
    }
    BSON_APPEND_UTF8(doc, "ns", z->ns);
    BSON_APPEND_DOCUMENT(doc, "min", z->min);
    BSON_APPEND_DOCUMENT(doc, "max", z->max);
    BSON_APPEND_UTF8(doc, "tag", z->zone);
    return doc;
}

/* One mongos, alive at all times. */
static void mongos_docs(const sb_cluster *c, GPtrArray *out)
{
    bson_t *doc = bson_new(), hosts;
    g_autofree char *version =
        g_strdup_printf("%d.%d.%d", c->opt.version_major, c->opt.version_minor, c->opt.version_patch);
    BSON_APPEND_UTF8(doc, "_id", "127.0.0.1:27017");
    BSON_APPEND_ARRAY_BEGIN(doc, "advisoryHostFQDNs", &hosts);
    bson_append_array_end(doc, &hosts);
    BSON_APPEND_UTF8(doc, "mongoVersion", version);
    BSON_APPEND_DATE_TIME(doc, "ping", sb_now_ms(c));
    BSON_APPEND_INT64(doc, "up", 20);
    BSON_APPEND_BOOL(doc, "waiting", true);
    g_ptr_array_add(out, doc);
}

static void chunk_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->chunks->len; i++) {
        struct chunk *ch = c->chunks->pdata[i];
        if (ch->doc == NULL)
            ch->doc = chunk_doc(c, ch);
        g_ptr_array_add(out, ch->doc);
    }
}

static void migration_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->migrations->len; i++) {
        const struct migration *m = c->migrations->pdata[i];
        if (m->move.coll != NULL && m->step <= STEPS)
            g_ptr_array_add(out, sb_migration_doc(m));
    }
}

static void shard_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->shards->len; i++)
        g_ptr_array_add(out, sb_shard_doc(c, c->shards->pdata[i]));
}

static void coll_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->colls->len; i++)
        g_ptr_array_add(out, coll_doc(c, c->colls->pdata[i]));
}

static void database_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->databases->len; i++)
        g_ptr_array_add(out, database_doc(c, c->databases->pdata[i]));
}

static void zone_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->zones->len; i++)
        g_ptr_array_add(out, zone_doc(c, c->zones->pdata[i]));
}

static void setting_docs(const sb_cluster *c, GPtrArray *out)
{
    for (guint i = 0; i < c->settings->len; i++)
        g_ptr_array_add(out, bson_copy(c->settings->pdata[i]));
}

static const struct {
    const char *name;
    void (*make)(const sb_cluster *c, GPtrArray *out);
    bool lent;      /* the documents belong to somebody else */
    bool volatile_; /* changes with time alone */
} makers[] = {
    {"shards", shard_docs, false, false},        {"databases", database_docs, false, false},
    {"collections", coll_docs, false, false},    {"chunks", chunk_docs, true, false},
    {"tags", zone_docs, false, false},           {"settings", setting_docs, false, false},
    {"migrations", migration_docs, false, true}, {"mongos", mongos_docs, false, true},
};

void sb_doc_cache_free(void *data)
{
    struct doc_cache *cache = data;
    g_ptr_array_unref(cache->docs);
    g_free(cache);
}

static const GPtrArray *made_docs(sb_cluster *c, unsigned maker)
{
    struct doc_cache *cache = g_hash_table_lookup(c->cache, makers[maker].name);
    if (cache != NULL && cache->revision == c->revision && !makers[maker].volatile_)
        return cache->docs;
    cache = g_new0(struct doc_cache, 1);
    cache->docs = makers[maker].lent ? g_ptr_array_new() : g_ptr_array_new_with_free_func(sb_bson_slot_free);
    cache->revision = c->revision;
    makers[maker].make(c, cache->docs);
    g_hash_table_replace(c->cache, g_strdup(makers[maker].name), cache);
    return cache->docs;
}

const GPtrArray *sb_cluster_docs(sb_cluster *c, const char *collection)
{
    if (strcmp(collection, "changelog") == 0)
        return c->changelog;
    if (strcmp(collection, "migrations") == 0 && sb_since(c, 6, 0))
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(makers); i++) {
        if (strcmp(makers[i].name, collection) == 0)
            return made_docs(c, i);
    }
    return g_hash_table_lookup(c->loaded, collection);
}

static bool same_id(const bson_t *a, const bson_t *b)
{
    const char *x = sb_doc_string(a, "_id"), *y = sb_doc_string(b, "_id");
    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

const bson_t *sb_setting(const sb_cluster *c, const char *id)
{
    for (guint i = 0; i < c->settings->len; i++) {
        const char *found = sb_doc_string(c->settings->pdata[i], "_id");
        if (found != NULL && strcmp(found, id) == 0)
            return c->settings->pdata[i];
    }
    return NULL;
}

/* In the place of the document with the same _id, which keeps its place in natural order. */
void sb_setting_put(sb_cluster *c, const bson_t *doc)
{
    guint i = 0;
    while (i < c->settings->len && !same_id(c->settings->pdata[i], doc))
        i++;
    if (i < c->settings->len) {
        bson_destroy(c->settings->pdata[i]);
        c->settings->pdata[i] = bson_copy(doc);
    } else {
        g_ptr_array_add(c->settings, bson_copy(doc));
    }
    sb_changed(c);
}

bool sb_cluster_put(sb_cluster *c, const char *collection, const bson_t *doc, struct err *err)
{
    const char *id = sb_doc_string(doc, "_id");
    if (id != NULL && strcmp(collection, "settings") == 0) {
        sb_setting_put(c, doc);
        return true;
    }
    struct coll *k = strcmp(collection, "collections") == 0 ? sb_find_coll(c, id) : NULL;
    if (k == NULL)
        return err_set(err, ERR_FAILED, "cannot write to 'config.%s' of a sandbox but through commands",
                       collection);
    k->no_balance = sb_doc_bool(doc, "noBalance", false);
    sb_changed(c);
    return true;
}
