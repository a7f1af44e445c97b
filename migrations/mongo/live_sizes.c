// SPDX-License-Identifier: Apache-2.0
/* How much data each shard holds of each collection. $shardedDataDistribution leaves out orphans and tells
 * all collections at once; servers before 6.0.3, and users who may not run it, have collStats. These are
 * measurements of the shards, not metadata: they take no read concern but the default. */
#include "migrations/mongo/live_private.h"

#include <string.h>

enum { CODE_UNAUTHORIZED = 13, CODE_NOT_SHARDED = 118 };
#define BUCKETS "system.buckets."

/* The numbers of one shard as a snapshot has them. */
struct shard_size {
    const char *shard;
    int64_t bytes, documents, orphan_bytes, orphans;
};

static void append_size(bson_t *out, const struct shard_size *s)
{
    bson_t doc;
    bson_append_document_begin(out, s->shard, -1, &doc);
    bson_append_int64(&doc, "bytes", -1, s->bytes);
    bson_append_int64(&doc, "documents", -1, s->documents);
    bson_append_int64(&doc, "orphanBytes", -1, s->orphan_bytes);
    bson_append_int64(&doc, "orphans", -1, s->orphans);
    bson_append_document_end(out, &doc);
}

/* A number of any type as a count; 0 where there is none. */
static int64_t count_field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_NUMBER(&it))
        return 0;
    double d = bson_iter_as_double(&it);
    if (!(d > 0))
        return 0;
    return BSON_ITER_HOLDS_DOUBLE(&it) ? (d < 9e18 ? (int64_t)d : INT64_MAX) : bson_iter_as_int64(&it);
}

static const char *text_field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL)
                                                                            : NULL;
}

static bool sub_document(const bson_iter_t *it, bson_t *ret)
{
    const uint8_t *data;
    uint32_t len;
    if (!BSON_ITER_HOLDS_DOCUMENT(it))
        return false;
    bson_iter_document(it, &len, &data);
    return bson_init_static(ret, data, len);
}

/* Namespaces of collections that have data of their own, borrowed from `collections`. */
static GPtrArray *list_namespaces(const GByteArray *collections)
{
    GPtrArray *all = g_ptr_array_new();
    bson_t doc;
    for (size_t at = 0; live_next(collections, &at, &doc);) {
        bson_iter_t it;
        const char *ns = text_field(&doc, "_id");
        bool dropped = bson_iter_init_find(&it, &doc, "dropped") && bson_iter_as_bool(&it);
        if (ns != NULL && strchr(ns, '.') != NULL && !dropped)
            g_ptr_array_add(all, (gpointer)ns);
    }
    return all;
}

/* One row of $shardedDataDistribution. */
static bool take_row(const struct live *l, const bson_t *row, GHashTable *wanted, struct err *err)
{
    const char *ns = text_field(row, "ns");
    bson_iter_t it, item;
    /* A namespace is told once; a second row would be refused as a second truth. */
    if (ns == NULL || !g_hash_table_remove(wanted, ns) || !bson_iter_init_find(&it, row, "shards") ||
        !BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &item))
        return true;
    bson_t out = BSON_INITIALIZER, doc;
    while (bson_iter_next(&item)) {
        struct shard_size s = {0};
        if (!sub_document(&item, &doc) || (s.shard = text_field(&doc, "shardName")) == NULL)
            continue;
        s.bytes = count_field(&doc, "ownedSizeBytes");
        s.documents = count_field(&doc, "numOwnedDocuments");
        s.orphan_bytes = count_field(&doc, "orphanedSizeBytes");
        s.orphans = count_field(&doc, "numOrphanedDocs");
        append_size(&out, &s);
    }
    bool done = l->to->sizes(l->to->data, ns, bson_get_data(&out), out.len, err);
    bson_destroy(&out);
    return done;
}

/* *ret_known: the server told. */
static bool by_distribution(const struct live *l, const GPtrArray *namespaces, bool *ret_known,
                            struct err *err)
{
    g_autoptr(GHashTable) wanted = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < namespaces->len; i++)
        g_hash_table_add(wanted, namespaces->pdata[i]);
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$shardedDataDistribution", "{", "}", "}", "]");
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(l->max_time_ms));
    mongoc_database_t *admin = mongoc_client_get_database(l->c->client, "admin");
    mongoc_cursor_t *cursor = mongoc_database_aggregate(admin, pipeline, opts, l->c->prefs);
    g_autoptr(GByteArray) rows = g_byte_array_new();
    const bson_t *row;
    bson_error_t error;
    while (mongoc_cursor_next(cursor, &row) && rows->len < ((guint)1 << 30))
        g_byte_array_append(rows, bson_get_data(row), row->len);
    *ret_known = !mongoc_cursor_error(cursor, &error);
    mongoc_cursor_destroy(cursor);
    mongoc_database_destroy(admin);
    bson_destroy(opts);
    bson_destroy(pipeline);
    bson_t doc;
    bool done = true;
    for (size_t at = 0; done && *ret_known && live_next(rows, &at, &doc);)
        done = take_row(l, &doc, wanted, err);
    return done;
}

/* `size` counts orphans; where their number is known, they are taken for documents of average size. */
static struct shard_size read_stats(const char *shard, const bson_t *doc)
{
    struct shard_size s = {.shard = shard, .bytes = count_field(doc, "size")};
    s.documents = count_field(doc, "count");
    s.orphans = MIN(count_field(doc, "numOrphanDocs"), s.documents);
    if (s.documents > 0) {
        s.orphan_bytes = (int64_t)((double)s.bytes / (double)s.documents * (double)s.orphans);
        s.orphan_bytes = CLAMP(s.orphan_bytes, 0, s.bytes);
    }
    s.bytes -= s.orphan_bytes;
    s.documents -= s.orphans;
    return s;
}

static bool take_stats(const struct live *l, const char *ns, const bson_t *reply, struct err *err)
{
    bson_iter_t it, shard;
    bson_t out = BSON_INITIALIZER, doc;
    if (!bson_iter_init_find(&it, reply, "shards") || !BSON_ITER_HOLDS_DOCUMENT(&it) ||
        !bson_iter_recurse(&it, &shard))
        return true;
    while (bson_iter_next(&shard)) {
        if (!sub_document(&shard, &doc))
            continue;
        struct shard_size s = read_stats(bson_iter_key(&shard), &doc);
        append_size(&out, &s);
    }
    bool done = l->to->sizes(l->to->data, ns, bson_get_data(&out), out.len, err);
    bson_destroy(&out);
    return done;
}

/* A collection that is not there, or is not sharded, is answered too: with some shard and a size of 0. */
static bool tells_shards(const bson_t *reply)
{
    bson_iter_t it;
    bson_t shards;
    if (bson_iter_init_find(&it, reply, "sharded") && !bson_iter_as_bool(&it))
        return false;
    return bson_iter_init_find(&it, reply, "shards") && sub_document(&it, &shards) && !bson_empty(&shards);
}

/* Asks for the collection called `name`. *ret_code: why the server did not tell; 0: it did. */
static bool ask_stats(const struct live *l, const char *db, const char *name, const char *ns,
                      uint32_t *ret_code, struct err *err)
{
    bson_t *cmd = BCON_NEW("collStats", BCON_UTF8(name), "maxTimeMS", BCON_INT64(l->max_time_ms));
    bson_t reply;
    bson_error_t error = {0};
    bool told = mongoc_client_command_simple(l->c->client, db, cmd, l->c->prefs, &reply, &error), done = true;
    if (told && !tells_shards(&reply))
        *ret_code = CODE_NOT_SHARDED;
    else
        *ret_code = told ? 0 : MAX(error.code, 1);
    if (*ret_code == 0)
        done = take_stats(l, ns, &reply, err);
    else if (!told && mongo_broke(&error))
        done = mongo_failed(l->c, "collStats", &error, &reply, err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    return done;
}

/* Of a time-series collection the server is asked by the name of the view first: its buckets are off limits
 * to clusterMonitor. */
static bool by_stats(const struct live *l, const char *ns, uint32_t *ret_code, struct err *err)
{
    const char *name = strchr(ns, '.') + 1;
    g_autofree char *db = g_strndup(ns, (gsize)(name - 1 - ns));
    if (g_str_has_prefix(name, BUCKETS)) {
        if (!ask_stats(l, db, name + strlen(BUCKETS), ns, ret_code, err))
            return false;
        if (*ret_code == 0)
            return true;
    }
    return ask_stats(l, db, name, ns, ret_code, err);
}

static void warn(const struct live *l, const char *ns, uint32_t code)
{
    g_autofree char *message =
        code == CODE_UNAUTHORIZED
            ? g_strdup("the user may not read data sizes (collStats); give it the role clusterMonitor on "
                       "admin, or supply --sizes")
            : g_strdup_printf("the cluster does not tell its data size (code %u); --sizes can supply it",
                              code);
    l->to->warn(l->to->data, "sizesUnavailable", ns, message);
}

/* Who may not ask of one collection may not ask of the next: then there is one warning for all. Time-series
 * collections do not count for that. */
static bool each_by_stats(const struct live *l, const GPtrArray *namespaces, struct err *err)
{
    for (guint i = 0; i < namespaces->len; i++) {
        const char *ns = namespaces->pdata[i];
        uint32_t code;
        if (!by_stats(l, ns, &code, err))
            return false;
        bool for_all = code == CODE_UNAUTHORIZED && strstr(ns, "." BUCKETS) == NULL;
        if (code != 0)
            warn(l, for_all ? NULL : ns, code);
        if (for_all)
            return true;
    }
    return true;
}

/* From 6.0.3 on. */
static bool has_distribution(const char *version)
{
    static const gint64 first[] = {6, 0, 3};
    for (unsigned i = 0; i < G_N_ELEMENTS(first); i++) {
        char *end;
        gint64 part = g_ascii_strtoll(version, &end, 10);
        if (part != first[i])
            return part > first[i];
        version = *end == '.' ? end + 1 : end;
    }
    return true;
}

bool live_sizes(const struct live *l, const GByteArray *collections, struct err *err)
{
    g_autoptr(GPtrArray) namespaces = list_namespaces(collections);
    bool known = false;
    if (namespaces->len == 0)
        return true;
    if (has_distribution(l->c->version) && !by_distribution(l, namespaces, &known, err))
        return false;
    return known || each_by_stats(l, namespaces, err);
}
