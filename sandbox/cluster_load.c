// SPDX-License-Identifier: Apache-2.0
/* From the documents of a snapshot or dump, of either generation, to the state. The simulated version may be
 * another one: what its documents have besides is made up here. */
#include "sandbox/cluster_impl.h"

#include <string.h>

const char *sb_doc_string(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL)
                                                                            : NULL;
}

bool sb_doc_bool(const bson_t *doc, const char *name, bool dflt)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) ? bson_iter_as_bool(&it) : dflt;
}

double sb_doc_double(const bson_t *doc, const char *name, double dflt)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_NUMBER(&it) &&
                   !BSON_ITER_HOLDS_DECIMAL128(&it)
               ? bson_iter_as_double(&it)
               : dflt;
}

int64_t sb_doc_int(const bson_t *doc, const char *name, int64_t dflt)
{
    bson_iter_t it;
    if (bson_iter_init_find(&it, doc, name) && (BSON_ITER_HOLDS_INT32(&it) || BSON_ITER_HOLDS_INT64(&it)))
        return bson_iter_as_int64(&it);
    double d = sb_doc_double(doc, name, (double)dflt);
    return d > -9e18 && d < 9e18 ? (int64_t)d : dflt;
}

bool sb_doc_sub(const bson_t *doc, const char *name, bson_t *ret)
{
    bson_iter_t it;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return false;
    bson_iter_document(&it, &len, &data);
    return bson_init_static(ret, data, len);
}

static bool doc_stamp(const bson_t *doc, const char *name, struct stamp *ret)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_TIMESTAMP(&it))
        return false;
    bson_iter_timestamp(&it, &ret->t, &ret->i);
    return true;
}

static bool doc_uuid(const bson_t *doc, const char *name, uint8_t ret[16])
{
    bson_iter_t it;
    bson_subtype_t subtype;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_BINARY(&it))
        return false;
    bson_iter_binary(&it, &subtype, &len, &data);
    if (len != 16)
        return false;
    memcpy(ret, data, 16);
    return true;
}

static bool load_shard(sb_cluster *c, const bson_t *doc, struct err *err)
{
    const char *id = sb_doc_string(doc, "_id");
    const char *host = sb_doc_string(doc, "host");
    bson_iter_t it, tag;
    if (id == NULL || sb_find_shard(c, id) != NULL)
        return err_set(err, ERR_DATA, "a document of config.shards has no _id that is a string of its own");
    g_autofree char *made_up = g_strdup_printf("%s/127.0.0.1:%u", id, 28001 + c->shards->len);
    struct shard *s = sb_shard_new(c, id, host != NULL ? host : made_up);
    s->draining = sb_doc_bool(doc, "draining", false);
    s->max_size = sb_doc_int(doc, "maxSize", 0);
    if (!doc_stamp(doc, "topologyTime", &s->topology))
        s->topology = sb_stamp_next(c);
    if (bson_iter_init_find(&it, doc, "tags") && BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &tag)) {
        while (bson_iter_next(&tag)) {
            if (BSON_ITER_HOLDS_UTF8(&tag))
                g_ptr_array_add(s->zones, g_strdup(bson_iter_utf8(&tag, NULL)));
        }
    }
    return true;
}

/* Everything but these stands unchanged in later documents. */
static void keep_rest(struct coll *k, const bson_t *doc)
{
    bson_copy_to_excluding_noinit(doc, k->rest, "_id", "lastmodEpoch", "lastmod", "timestamp", "uuid", "key",
                                  "unique", "dropped", "noBalance", "unsplittable", "permitMigrations",
                                  "allowMigrations", "defragmentCollection", "enableAutoMerge",
                                  "maxChunkSizeBytes", "distributionMode", (char *)NULL);
}

/* Tombstones of dropped collections are left out: later versions have none, and nothing may be done with
 * them. */
static bool load_coll(sb_cluster *c, const bson_t *doc, struct err *err)
{
    const char *ns = sb_doc_string(doc, "_id");
    bson_t key;
    bson_iter_t it;
    bool dropped = sb_doc_bool(doc, "dropped", false);
    if (ns == NULL || g_hash_table_contains(c->coll_by_ns, ns))
        return err_set(err, ERR_DATA,
                       "a document of config.collections has no _id that is a string of its own");
    if (dropped)
        return true;
    if (!sb_doc_sub(doc, "key", &key))
        return err_set(err, ERR_DATA, "collection '%s' has no shard key", ns);
    struct coll *k = sb_coll_new(c, ns, &key, err);
    if (k == NULL)
        return err_wrap(err, "collection '%s'", ns);
    if (!doc_uuid(doc, "uuid", k->uuid))
        sb_uuid_next(c, k->uuid);
    if (!doc_stamp(doc, "timestamp", &k->timestamp))
        k->timestamp = sb_stamp_next(c);
    sb_oid_next(c, &k->epoch);
    static const bson_oid_t none = {{0}};
    if (bson_iter_init_find(&it, doc, "lastmodEpoch") && BSON_ITER_HOLDS_OID(&it) &&
        !bson_oid_equal(bson_iter_oid(&it), &none))
        bson_oid_copy(bson_iter_oid(&it), &k->epoch);
    k->lastmod = bson_iter_init_find(&it, doc, "lastmod") && BSON_ITER_HOLDS_DATE_TIME(&it)
                     ? bson_iter_date_time(&it)
                     : 4294967296;
    k->unique = sb_doc_bool(doc, "unique", false);
    k->no_balance = sb_doc_bool(doc, "noBalance", false);
    k->unsplittable = sb_doc_bool(doc, "unsplittable", false);
    k->no_migrations =
        !sb_doc_bool(doc, "permitMigrations", true) || !sb_doc_bool(doc, "allowMigrations", true);
    k->defragment = sb_doc_bool(doc, "defragmentCollection", false);
    k->no_auto_merge = !sb_doc_bool(doc, "enableAutoMerge", true);
    k->max_chunk_bytes = sb_doc_int(doc, "maxChunkSizeBytes", 0);
    keep_rest(k, doc);
    return true;
}

/* Of a chunk: by ns, or by uuid. */
static struct coll *coll_of_chunk(const sb_cluster *c, const bson_t *doc, GHashTable *by_uuid)
{
    uint8_t uuid[16];
    const char *ns = sb_doc_string(doc, "ns");
    if (ns != NULL)
        return sb_find_coll(c, ns);
    if (!doc_uuid(doc, "uuid", uuid))
        return NULL;
    g_autoptr(GBytes) key = g_bytes_new(uuid, sizeof uuid);
    return g_hash_table_lookup(by_uuid, key);
}

/* Places on shards that have gone are left out; what does not begin with the chunk's shard is made up anew.
 */
static void load_history(sb_cluster *c, struct chunk *ch, const bson_t *doc)
{
    bson_iter_t it, item;
    uint32_t len;
    const uint8_t *data;
    if (bson_iter_init_find(&it, doc, "history") && BSON_ITER_HOLDS_ARRAY(&it) &&
        bson_iter_recurse(&it, &item)) {
        while (bson_iter_next(&item)) {
            bson_t entry;
            struct placed p;
            if (!BSON_ITER_HOLDS_DOCUMENT(&item))
                continue;
            bson_iter_document(&item, &len, &data);
            if (!bson_init_static(&entry, data, len) || !doc_stamp(&entry, "validAfter", &p.since))
                continue;
            p.shard = sb_find_shard(c, sb_doc_string(&entry, "shard"));
            if (p.shard != NULL)
                g_array_append_val(ch->history, p);
        }
    }
    if (ch->history->len == 0 || g_array_index(ch->history, struct placed, 0).shard != ch->shard)
        sb_chunk_history_reset(ch, sb_stamp_next(c));
}

/* A chunk of no collection belongs to one that was dropped: passed over. A version that lacks is made up, in
 * order. */
static bool load_chunk(sb_cluster *c, const bson_t *doc, GHashTable *by_uuid, struct err *err)
{
    bson_t min, max;
    struct stamp version = {0};
    bson_iter_t it;
    struct coll *k = coll_of_chunk(c, doc, by_uuid);
    struct shard *s = sb_find_shard(c, sb_doc_string(doc, "shard"));
    if (k == NULL)
        return true; /* of a collection that was dropped */
    if (s == NULL || !sb_doc_sub(doc, "min", &min) || !sb_doc_sub(doc, "max", &max))
        return err_set(err, ERR_DATA, "a chunk of '%s' has no shard that exists, no min, or no max", k->ns);
    struct bound *low = sb_bound_new(k->key, &min, err),
                 *high = low != NULL ? sb_bound_new(k->key, &max, err) : NULL;
    if (high == NULL) {
        sb_bound_unref(low);
        return err_wrap(err, "a chunk of '%s'", k->ns);
    }
    struct chunk *ch = sb_chunk_new(k, low, high, s);
    doc_stamp(doc, "lastmod", &version);
    ch->version = (uint64_t)version.t << 32 | version.i;
    if (ch->version == 0)
        ch->version = ((uint64_t)1 << 32) | k->chunks->len;
    k->version = MAX(k->version, ch->version);
    if (bson_iter_init_find(&it, doc, "jumbo"))
        ch->jumbo = bson_iter_as_bool(&it) ? 1 : 0;
    if (bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_OID(&it))
        bson_oid_copy(bson_iter_oid(&it), &ch->id);
    load_history(c, ch, doc);
    g_ptr_array_add(k->chunks, ch);
    g_ptr_array_add(c->chunks, ch);
    return true;
}

static bool load_database(sb_cluster *c, const bson_t *doc, struct err *err)
{
    bson_t version;
    const char *name = sb_doc_string(doc, "_id"), *primary = sb_doc_string(doc, "primary");
    if (name == NULL || primary == NULL || sb_find_database(c, name) != NULL)
        return err_set(err, ERR_DATA, "a document of config.databases has no _id of its own or no primary");
    struct database *d = sb_database_new(c, name, primary);
    d->partitioned = sb_doc_bool(doc, "partitioned", true);
    if (sb_doc_sub(doc, "version", &version)) {
        doc_uuid(&version, "uuid", d->uuid);
        doc_stamp(&version, "timestamp", &d->timestamp);
        d->last_mod = (int32_t)CLAMP(sb_doc_int(&version, "lastMod", 1), 1, G_MAXINT32);
    }
    return true;
}

static bool load_zone(sb_cluster *c, const bson_t *doc, struct err *err)
{
    bson_t min, max;
    bson_iter_t it;
    const char *ns = sb_doc_string(doc, "ns"), *zone = sb_doc_string(doc, "tag");
    if (ns == NULL || zone == NULL || !sb_doc_sub(doc, "min", &min) || !sb_doc_sub(doc, "max", &max))
        return err_set(err, ERR_DATA, "a document of config.tags has no ns, tag, min or max");
    struct zone_range *z = sb_zone_range_new(c, ns, &min, &max, zone);
    if (bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_OID(&it))
        bson_oid_copy(bson_iter_oid(&it), &z->id);
    return true;
}

static int by_min(gconstpointer a, gconstpointer b)
{
    const struct chunk *x = *(const struct chunk *const *)a, *y = *(const struct chunk *const *)b;
    return sb_bound_cmp(x->min, y->min);
}

/* Puts the chunks in order; they must tile the key space. */
static bool check_tiling(struct coll *k, struct err *err)
{
    g_ptr_array_sort(k->chunks, by_min);
    if (k->chunks->len == 0)
        return err_set(err, ERR_DATA, "collection '%s' has no chunks", k->ns);
    struct bound *first = sb_bound_global(k->key, false), *last = sb_bound_global(k->key, true);
    const struct chunk *head = k->chunks->pdata[0], *tail = k->chunks->pdata[k->chunks->len - 1];
    bool good = sb_bound_cmp(head->min, first) == 0 && sb_bound_cmp(tail->max, last) == 0;
    for (guint i = 0; i + 1 < k->chunks->len && good; i++) {
        struct chunk *a = k->chunks->pdata[i], *b = k->chunks->pdata[i + 1];
        good = sb_bound_cmp(a->max, b->min) == 0;
        sb_bound_unref(a->max);
        a->max = sb_bound_ref(b->min);
    }
    for (guint i = 0; i < k->chunks->len && good; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        good = sb_bound_cmp(ch->min, ch->max) < 0;
    }
    sb_bound_unref(first);
    sb_bound_unref(last);
    return good ||
           err_set(err, ERR_DATA,
                   "the chunks of collection '%s' do not cover its key space without gaps and overlaps",
                   k->ns);
}

static bool load_each(sb_cluster *c, const char *name,
                      bool (*load)(sb_cluster *, const bson_t *, struct err *), struct err *err)
{
    GPtrArray *docs = g_hash_table_lookup(c->loaded, name);
    for (guint i = 0; docs != NULL && i < docs->len; i++) {
        if (!load(c, docs->pdata[i], err))
            return false;
    }
    return true;
}

static bool load_chunks(sb_cluster *c, struct err *err)
{
    GPtrArray *docs = g_hash_table_lookup(c->loaded, "chunks");
    g_autoptr(GHashTable) by_uuid =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    for (guint i = 0; i < c->colls->len; i++) {
        struct coll *k = c->colls->pdata[i];
        g_hash_table_insert(by_uuid, g_bytes_new(k->uuid, sizeof k->uuid), k);
    }
    for (guint i = 0; docs != NULL && i < docs->len; i++) {
        if (!load_chunk(c, docs->pdata[i], by_uuid, err))
            return false;
    }
    for (guint i = 0; i < c->colls->len; i++) {
        if (!check_tiling(c->colls->pdata[i], err))
            return false;
    }
    return true;
}

/* Documents that are kept as they are, oldest first: a snapshot has the changelog newest first. */
static void load_plain(sb_cluster *c)
{
    GPtrArray *docs = g_hash_table_lookup(c->loaded, "settings");
    for (guint i = 0; docs != NULL && i < docs->len; i++)
        g_ptr_array_add(c->settings, bson_copy(docs->pdata[i]));
    docs = g_hash_table_lookup(c->loaded, "changelog");
    bson_iter_t a, b;
    bool reversed = docs != NULL && docs->len > 1 && bson_iter_init_find(&a, docs->pdata[0], "time") &&
                    bson_iter_init_find(&b, docs->pdata[docs->len - 1], "time") &&
                    BSON_ITER_HOLDS_DATE_TIME(&a) && BSON_ITER_HOLDS_DATE_TIME(&b) &&
                    bson_iter_date_time(&a) > bson_iter_date_time(&b);
    for (guint i = 0; docs != NULL && i < docs->len; i++)
        g_ptr_array_add(c->changelog, bson_copy(docs->pdata[reversed ? docs->len - 1 - i : i]));
    const bson_t *balancer = sb_setting(c, "balancer");
    if (balancer == NULL || !sb_doc_bool(balancer, "stopped", false))
        c->rounds_since = sb_now_ms(c);
}

/* Every database that a collection names has a primary. */
static void complete_databases(sb_cluster *c)
{
    for (guint i = 0; i < c->colls->len; i++) {
        const struct coll *k = c->colls->pdata[i];
        g_autofree char *name = g_strndup(k->ns, strcspn(k->ns, "."));
        if (strcmp(name, "config") != 0 && sb_find_database(c, name) == NULL) {
            const struct shard *first = c->shards->pdata[0];
            sb_database_new(c, name, first->id)->partitioned = true;
        }
    }
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What a cluster is known by for its whole life: of the same snapshot always the same, whatever the order of
 * its documents. Epochs that were made up here are left out. */
static void make_cluster_id(const sb_cluster *c, bson_oid_t *ret)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    GPtrArray *colls = g_hash_table_lookup(c->loaded, "collections");
    uint8_t digest[32];
    gsize len = sizeof digest;
    for (guint i = 0; i < c->shards->len; i++)
        g_ptr_array_add(parts, g_strconcat("shard ", ((const struct shard *)c->shards->pdata[i])->id, NULL));
    for (guint i = 0; colls != NULL && i < colls->len; i++) {
        bson_iter_t it;
        char hex[25] = "";
        const char *ns = sb_doc_string(colls->pdata[i], "_id");
        if (bson_iter_init_find(&it, colls->pdata[i], "lastmodEpoch") && BSON_ITER_HOLDS_OID(&it))
            bson_oid_to_string(bson_iter_oid(&it), hex);
        g_ptr_array_add(parts, g_strconcat("collection ", ns != NULL ? ns : "", " ", hex, NULL));
    }
    g_ptr_array_sort(parts, by_text);
    for (guint i = 0; i < parts->len; i++)
        g_checksum_update(sum, parts->pdata[i], (gssize)strlen(parts->pdata[i]) + 1);
    g_checksum_get_digest(sum, digest, &len);
    bson_oid_init_from_data(ret, digest);
}

static void complete_version(sb_cluster *c)
{
    GPtrArray *docs = g_hash_table_lookup(c->loaded, "version");
    if (docs != NULL && docs->len > 0)
        return;
    bson_t *doc = bson_new();
    bson_oid_t id;
    make_cluster_id(c, &id);
    BSON_APPEND_INT32(doc, "_id", 1);
    if (!sb_since(c, 7, 0)) {
        BSON_APPEND_INT32(doc, "minCompatibleVersion", 5);
        BSON_APPEND_INT32(doc, "currentVersion", 6);
    }
    BSON_APPEND_OID(doc, "clusterId", &id);
    docs = g_ptr_array_new_with_free_func(sb_bson_slot_free);
    g_ptr_array_add(docs, doc);
    g_hash_table_replace(c->loaded, g_strdup("version"), docs);
}

/* Shards first: everything else refers to them. Then collections before chunks, whatever order the documents
 * came in. */
bool sb_load_all(sb_cluster *c, struct err *err)
{
    static const char *const modelled[] = {"shards",   "collections", "databases",  "chunks", "tags",
                                           "settings", "changelog",   "migrations", "sizes"};
    if (!load_each(c, "shards", load_shard, err))
        return false;
    if (c->shards->len == 0)
        return err_set(err, ERR_DATA, "a cluster needs a shard at least");
    if (!load_each(c, "databases", load_database, err) || !load_each(c, "collections", load_coll, err) ||
        !load_chunks(c, err) || !load_each(c, "tags", load_zone, err))
        return false;
    load_plain(c);
    complete_databases(c);
    complete_version(c);
    sb_spread_sizes(c);
    for (unsigned i = 0; i < G_N_ELEMENTS(modelled); i++)
        g_hash_table_remove(c->loaded, modelled[i]);
    return true;
}
