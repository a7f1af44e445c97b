// SPDX-License-Identifier: Apache-2.0
/* Reading what is remembered. */
#include "migrations/mongo/guard_private.h"

#include "balancer/key/encode.h"

static void shard_slot_free(gpointer p)
{
    struct guard_shard *s = p;
    g_ptr_array_unref(s->zones);
    g_free(s);
}

static void zone_slot_free(gpointer p)
{
    struct guard_zone *z = p;
    g_free(z->zone);
    g_clear_pointer(&z->min, g_bytes_unref);
    g_clear_pointer(&z->max, g_bytes_unref);
    g_free(z);
}

struct guard_shards *guard_shards_ref(struct guard_shards *s)
{
    g_atomic_int_inc(&s->refs);
    return s;
}

void guard_shards_unref(struct guard_shards *s)
{
    if (s == NULL || !g_atomic_int_dec_and_test(&s->refs))
        return;
    g_hash_table_unref(s->by_id);
    g_free(s);
}

struct guard_collection *guard_collection_ref(struct guard_collection *c)
{
    g_atomic_int_inc(&c->refs);
    return c;
}

void guard_collection_unref(struct guard_collection *c)
{
    if (c == NULL || !g_atomic_int_dec_and_test(&c->refs))
        return;
    probe_collection_clear(&c->coll);
    g_ptr_array_unref(c->zones);
    g_free(c->fault);
    g_free(c);
}

static void add_shard(struct guard_shards *s, const bson_t *doc)
{
    bson_iter_t it, tag;
    const char *id = probe_text(doc, "_id");
    if (id == NULL)
        return;
    struct guard_shard *shard = g_new0(struct guard_shard, 1);
    shard->zones = g_ptr_array_new_with_free_func(g_free);
    shard->draining = bson_iter_init_find(&it, doc, "draining") && bson_iter_as_bool(&it);
    if (bson_iter_init_find(&it, doc, "tags") && BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &tag))
        while (bson_iter_next(&tag))
            if (BSON_ITER_HOLDS_UTF8(&tag))
                g_ptr_array_add(shard->zones, g_strdup(bson_iter_utf8(&tag, NULL)));
    g_hash_table_replace(s->by_id, g_strdup(id), shard);
}

bool guard_read_shards(mongoc_client_t *client, struct guard_shards **ret, struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    const bson_t all = BSON_INITIALIZER;
    gint64 now = g_get_monotonic_time();
    if (!probe_find(client, "shards", &all, NULL, 0, &docs, err))
        return false;
    struct guard_shards *s = g_new0(struct guard_shards, 1);
    s->refs = 1;
    s->read_at = now;
    s->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, shard_slot_free);
    for (guint i = 0; i < docs->len; i++)
        add_shard(s, docs->pdata[i]);
    *ret = s;
    return true;
}

/* A bound of a zone range, made a full key as the servers do it, encoded. */
static GBytes *read_bound(const key_pattern *key, const bson_t *tag, bool is_max, struct err *err)
{
    bson_t stored, full = BSON_INITIALIZER;
    bool extended, trap;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    const char *name = is_max ? "max" : "min";
    if (!probe_document(tag, name, &stored)) {
        err_set(err, ERR_DATA, "%s is not a document", name);
        return NULL;
    }
    bool good = key_pattern_extend(key, &stored, is_max, &full, &extended, &trap, err) &&
                key_encode_bound(bson_get_data(&full), full.len, key->names, enc, NULL, err);
    bson_destroy(&full);
    return good ? g_byte_array_free_to_bytes(g_steal_pointer(&enc)) : NULL;
}

static bool add_zone(struct guard_collection *c, const key_pattern *key, const bson_t *tag, struct err *err)
{
    const char *name = probe_text(tag, "tag");
    if (name == NULL)
        return err_set(err, ERR_DATA, "a document of config.tags names no zone");
    struct guard_zone *z = g_new0(struct guard_zone, 1);
    g_ptr_array_add(c->zones, z);
    z->zone = g_strdup(name);
    z->min = read_bound(key, tag, false, err);
    z->max = z->min != NULL ? read_bound(key, tag, true, err) : NULL;
    return z->max != NULL || err_wrap(err, "a range of zone %s", name);
}

static bool read_zones(mongoc_client_t *client, const char *ns, struct guard_collection *c, struct err *err)
{
    g_autoptr(GPtrArray) tags = NULL;
    g_autoptr(key_pattern) key = NULL;
    struct err why = {0};
    bson_t *filter = BCON_NEW("ns", BCON_UTF8(ns));
    bool done = probe_find(client, "tags", filter, NULL, 0, &tags, err);
    bson_destroy(filter);
    if (!done)
        return false;
    bool good = key_pattern_parse(c->coll.key, &key, &why);
    for (guint i = 0; good && i < tags->len; i++)
        good = add_zone(c, key, tags->pdata[i], &why);
    if (!good)
        c->fault = g_strdup(why.msg);
    return true;
}

bool guard_read_collection(mongoc_client_t *client, const char *ns, struct guard_collection **ret,
                           struct err *err)
{
    struct guard_collection *c = g_new0(struct guard_collection, 1);
    c->refs = 1;
    c->read_at = g_get_monotonic_time();
    c->zones = g_ptr_array_new_with_free_func(zone_slot_free);
    bool done = probe_collection(client, ns, &c->coll, err) &&
                (!c->coll.there || c->coll.time_series || read_zones(client, ns, c, err));
    if (done)
        *ret = c;
    else
        guard_collection_unref(c);
    return done;
}
