// SPDX-License-Identifier: Apache-2.0
/* How much there is where: collStats, $collStats, dbStats, dataSize, $shardedDataDistribution. Sizes are
 * known by shard, and for ranges the cluster is asked. */
#include "sandbox/docpath.h"
#include "sandbox/host.h"
#include "sandbox/pipeline.h"

#include <string.h>

enum { STORAGE_RATIO = 4, INDEX_BYTES = 32 }; /* compression, and bytes of index a document */

/* What a collection has on one shard; orphans count, as they do for the server. */
struct share {
    const char *shard;
    int64_t bytes, documents, orphan_bytes, orphan_documents, chunks;
};

static int64_t at_least_zero(int64_t n)
{
    return MAX(n, 0);
}

/* Chunks of a collection by shard: shard name to GINT_TO_POINTER(count). */
static GHashTable *chunks_by_shard(host *h, const bson_t *coll)
{
    const GPtrArray *chunks = sb_cluster_docs(h->cluster, "chunks");
    GHashTable *by_shard = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; chunks != NULL && i < chunks->len; i++) {
        const char *owner = doc_get_text(chunks->pdata[i], "shard");
        if (owner == NULL || !host_chunk_of(chunks->pdata[i], coll))
            continue;
        gint n = GPOINTER_TO_INT(g_hash_table_lookup(by_shard, owner));
        g_hash_table_insert(by_shard, g_strdup(owner), GINT_TO_POINTER(n + 1));
    }
    return by_shard;
}

/* The shares of a sharded collection on the shards that have chunks of it, in the shards' order. */
static GArray *shares_of(host *h, const bson_t *coll)
{
    GArray *shares = g_array_new(FALSE, TRUE, sizeof(struct share));
    const char *ns = doc_get_text(coll, "_id");
    const GPtrArray *shards = sb_cluster_docs(h->cluster, "shards");
    g_autoptr(GHashTable) chunks = chunks_by_shard(h, coll);
    for (guint i = 0; shards != NULL && i < shards->len; i++) {
        const char *shard = doc_get_text(shards->pdata[i], "_id");
        if (shard == NULL)
            continue;
        struct share s = {.shard = shard,
                          .orphan_bytes = at_least_zero(sb_cluster_orphan_bytes(h->cluster, ns, shard)),
                          .orphan_documents =
                              at_least_zero(sb_cluster_orphan_documents(h->cluster, ns, shard)),
                          .chunks = GPOINTER_TO_INT(g_hash_table_lookup(chunks, shard))};
        s.bytes = at_least_zero(sb_cluster_bytes(h->cluster, ns, shard)) + s.orphan_bytes;
        s.documents = at_least_zero(sb_cluster_documents(h->cluster, ns, shard)) + s.orphan_documents;
        if (s.chunks > 0 || s.orphan_bytes > 0)
            g_array_append_val(shares, s);
    }
    return shares;
}

static int64_t average(int64_t bytes, int64_t documents)
{
    return documents > 0 ? bytes / documents : 0;
}

/* The index sizes of one shard: _id_ and the shard key's. Returns their sum. */
static int64_t append_indexes(bson_t *out, const bson_t *coll, int64_t documents, int64_t scale)
{
    bson_t sizes, key;
    bson_iter_t it, field;
    int64_t each = (4096 + documents * INDEX_BYTES) / scale;
    g_autoptr(GString) name = g_string_new(NULL);
    if (coll != NULL && doc_get(coll, "key", &it) && doc_under(&it, &key) && bson_iter_init(&field, &key))
        while (bson_iter_next(&field))
            g_string_append_printf(name, "%s%s_%s", name->len == 0 ? "" : "_", bson_iter_key(&field),
                                   BSON_ITER_HOLDS_UTF8(&field) ? bson_iter_utf8(&field, NULL) : "1");
    bool second = name->len > 0 && strcmp(name->str, "_id_1") != 0;
    append_count(out, "nindexes", second ? 2 : 1);
    append_count(out, "totalIndexSize", second ? 2 * each : each);
    bson_append_document_begin(out, "indexSizes", -1, &sizes);
    append_count(&sizes, "_id_", each);
    if (second)
        append_count(&sizes, name->str, each);
    bson_append_document_end(out, &sizes);
    return second ? 2 * each : each;
}

/* One shard's part of collStats. Storage and index sizes are invented, but grow with the data. */
static void append_share(bson_t *out, const char *ns, const bson_t *coll, const struct share *s,
                         int64_t scale)
{
    int64_t bytes = s->bytes;
    bson_append_utf8(out, "ns", -1, ns, -1);
    append_count(out, "size", bytes / scale);
    append_count(out, "count", s->documents);
    if (s->documents > 0)
        append_count(out, "avgObjSize", average(bytes, s->documents));
    append_count(out, "storageSize", (4096 + bytes / STORAGE_RATIO) / scale);
    bson_append_bool(out, "capped", -1, false);
    append_indexes(out, coll, s->documents, scale);
    append_count(out, "scaleFactor", scale);
}

/* Documents that the store or the cluster keeps, on the shard "config" or the primary. */
static struct share plain_share(const GPtrArray *docs)
{
    struct share s = {.shard = "config"};
    for (guint i = 0; docs != NULL && i < docs->len; i++)
        s.bytes += ((const bson_t *)docs->pdata[i])->len;
    s.documents = docs == NULL ? 0 : docs->len;
    return s;
}

/* Sums over the shards; `maxSize` and `nchunks` are what a mongos has always added. */
static void append_totals(bson_t *reply, const GArray *shares, const bson_t *coll, int64_t scale)
{
    struct share total = {0};
    for (guint i = 0; i < shares->len; i++) {
        const struct share *s = &g_array_index(shares, struct share, i);
        total.bytes += s->bytes;
        total.documents += s->documents;
        total.chunks += s->chunks;
    }
    append_count(reply, "count", total.documents);
    append_count(reply, "size", total.bytes / scale);
    append_count(reply, "storageSize", (4096 * (int64_t)shares->len + total.bytes / STORAGE_RATIO) / scale);
    append_indexes(reply, coll, total.documents, scale);
    bson_append_double(reply, "avgObjSize", -1, (double)average(total.bytes, total.documents));
    append_count(reply, "maxSize", 0);
    append_count(reply, "nchunks", MAX(total.chunks, 1));
}

static bool read_scale(const bson_t *doc, int64_t *ret, struct fault *f)
{
    *ret = doc_get_int(doc, "scale", 1);
    return *ret >= 1 || fault_say(f, SB_BAD_VALUE, "scale has to be >= 1");
}

static bool coll_stats(struct call *c, bson_t *reply, struct fault *f)
{
    int64_t scale;
    bson_t parts, part;
    const char *collection = call_collection(c, f);
    if (collection == NULL || !read_scale(c->cmd, &scale, f))
        return false;
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    const bson_t *coll = host_sharded(c->h, ns);
    g_autoptr(GArray) shares =
        coll != NULL ? shares_of(c->h, coll) : g_array_new(FALSE, TRUE, sizeof(struct share));
    if (coll == NULL) {
        struct share s = plain_share(host_docs(c->h, c->db, collection));
        g_array_append_val(shares, s);
    }
    bson_append_bool(reply, "sharded", -1, coll != NULL);
    if (coll == NULL)
        bson_append_utf8(reply, "primary", -1, "config", -1);
    bson_append_bool(reply, "capped", -1, false);
    bson_append_utf8(reply, "ns", -1, ns, -1);
    append_totals(reply, shares, coll, scale);
    bson_append_document_begin(reply, "shards", -1, &parts);
    for (guint i = 0; i < shares->len; i++) {
        const struct share *s = &g_array_index(shares, struct share, i);
        bson_append_document_begin(&parts, s->shard, -1, &part);
        append_share(&part, ns, coll, s, scale);
        bson_append_double(&part, "ok", -1, 1);
        bson_append_document_end(&parts, &part);
    }
    bson_append_document_end(reply, &parts);
    return true;
}

/* One document a shard, before any later stage projects or groups them. */
GPtrArray *sizes_coll_stats(host *h, const char *ns, const bson_t *spec, struct fault *f)
{
    const bson_t *coll = host_sharded(h, ns);
    const char *collection = strchr(ns, '.') + 1;
    g_autofree char *db = g_strndup(ns, (gsize)(collection - ns - 1));
    bson_t storage = BSON_INITIALIZER, part;
    bson_iter_t it;
    int64_t scale = 1;
    bool with_storage =
        doc_get(spec, "storageStats", &it) && BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, &storage);
    if (with_storage && !read_scale(&storage, &scale, f))
        return NULL;
    g_autoptr(GArray) shares =
        coll != NULL ? shares_of(h, coll) : g_array_new(FALSE, TRUE, sizeof(struct share));
    struct share plain = plain_share(host_docs(h, db, collection));
    if (coll == NULL)
        g_array_append_val(shares, plain);
    GPtrArray *out = docs_new();
    for (guint i = 0; i < shares->len; i++) {
        const struct share *s = &g_array_index(shares, struct share, i);
        bson_t *doc = bson_new();
        bson_append_utf8(doc, "ns", -1, ns, -1);
        bson_append_utf8(doc, "shard", -1, s->shard, -1);
        bson_append_utf8(doc, "host", -1, "sandbox", -1);
        bson_append_date_time(doc, "localTime", -1, host_now(h));
        if (with_storage) {
            bson_append_document_begin(doc, "storageStats", -1, &part);
            append_share(&part, ns, coll, s, scale);
            bson_append_document_end(doc, &part);
        }
        if (bson_has_field(spec, "count"))
            append_count(doc, "count", s->documents);
        g_ptr_array_add(out, doc);
    }
    return out;
}

/* The only source that separates orphans from what a shard owns. */
GPtrArray *sizes_data_distribution(host *h)
{
    GPtrArray *out = docs_new();
    const GPtrArray *collections = sb_cluster_docs(h->cluster, "collections");
    for (guint i = 0; collections != NULL && i < collections->len; i++) {
        bson_t list, one;
        bson_t *doc = bson_new();
        g_autoptr(GArray) shares = shares_of(h, collections->pdata[i]);
        bson_append_utf8(doc, "ns", -1, doc_get_text(collections->pdata[i], "_id"), -1);
        bson_append_array_begin(doc, "shards", -1, &list);
        for (guint n = 0; n < shares->len; n++) {
            const struct share *s = &g_array_index(shares, struct share, n);
            char key[16];
            const char *index;
            bson_uint32_to_string(n, &index, key, sizeof key);
            bson_append_document_begin(&list, index, -1, &one);
            bson_append_utf8(&one, "shardName", -1, s->shard, -1);
            append_count(&one, "numOrphanedDocs", s->orphan_documents);
            append_count(&one, "numOwnedDocuments", s->documents - s->orphan_documents);
            append_count(&one, "ownedSizeBytes", s->bytes - s->orphan_bytes);
            append_count(&one, "orphanedSizeBytes", s->orphan_bytes);
            bson_append_document_end(&list, &one);
        }
        bson_append_array_end(doc, &list);
        g_ptr_array_add(out, doc);
    }
    return out;
}

static bool db_stats(struct call *c, bson_t *reply, struct fault *f)
{
    const GPtrArray *collections = sb_cluster_docs(c->h->cluster, "collections");
    g_autofree char *prefix = g_strconcat(c->db, ".", NULL);
    int64_t scale, bytes = 0, documents = 0, n = 0;
    if (!read_scale(c->cmd, &scale, f))
        return false;
    for (guint i = 0; collections != NULL && i < collections->len; i++) {
        const char *ns = doc_get_text(collections->pdata[i], "_id");
        if (ns == NULL || !g_str_has_prefix(ns, prefix))
            continue;
        g_autoptr(GArray) shares = shares_of(c->h, collections->pdata[i]);
        n++;
        for (guint s = 0; s < shares->len; s++) {
            bytes += g_array_index(shares, struct share, s).bytes;
            documents += g_array_index(shares, struct share, s).documents;
        }
    }
    bson_append_utf8(reply, "db", -1, c->db, -1);
    append_count(reply, "collections", n);
    append_count(reply, "objects", documents);
    bson_append_double(reply, "avgObjSize", -1, (double)average(bytes, documents));
    const int64_t scaled = bytes / scale, stored = scaled / STORAGE_RATIO;
    bson_append_double(reply, "dataSize", -1, (double)scaled);
    bson_append_double(reply, "storageSize", -1, (double)stored);
    append_count(reply, "scaleFactor", scale);
    return true;
}

static bool check_pattern(struct call *c, const bson_t *coll, struct fault *f)
{
    bson_iter_t it, key;
    if (!doc_get(c->cmd, "keyPattern", &it) || (doc_get(coll, "key", &key) && value_compare(&it, &key) == 0))
        return true;
    return fault_say(f, SB_BAD_VALUE, "keyPattern must equal shard key");
}

/* Of a whole collection, or of what no shard key divides. */
static void sum_whole(struct call *c, const char *ns, const bson_t *coll, int64_t *ret_bytes,
                      int64_t *ret_documents)
{
    g_autofree char *db = g_strndup(ns, strcspn(ns, "."));
    g_autoptr(GArray) shares =
        coll != NULL ? shares_of(c->h, coll) : g_array_new(FALSE, TRUE, sizeof(struct share));
    struct share plain = plain_share(host_docs(c->h, db, strchr(ns, '.') + 1));
    if (coll == NULL)
        g_array_append_val(shares, plain);
    *ret_bytes = *ret_documents = 0;
    for (guint i = 0; i < shares->len; i++) {
        *ret_bytes += g_array_index(shares, struct share, i).bytes;
        *ret_documents += g_array_index(shares, struct share, i).documents;
    }
}

static bool measure(struct call *c, const char *ns, int64_t *ret_bytes, int64_t *ret_documents,
                    struct fault *f)
{
    bson_t min, max;
    const bson_t *coll = host_sharded(c->h, ns);
    if (!call_document(c, "min", &min, f) || !call_document(c, "max", &max, f))
        return false;
    if (bson_empty(&min) != bson_empty(&max))
        return fault_say(f, SB_BAD_VALUE, "either provide both min and max or leave both empty");
    if (coll != NULL && !check_pattern(c, coll, f))
        return false;
    if (coll != NULL && !bson_empty(&min))
        return sb_cluster_range_size(c->h->cluster, ns, &min, &max, ret_bytes, ret_documents) ||
               fault_say(f, SB_BAD_VALUE, "min and max must be full shard keys of %s", ns);
    sum_whole(c, ns, coll, ret_bytes, ret_documents);
    return true;
}

static bool data_size(struct call *c, bson_t *reply, struct fault *f)
{
    int64_t bytes = 0, documents = 0;
    const char *ns = BSON_ITER_HOLDS_UTF8(&c->first) ? bson_iter_utf8(&c->first, NULL) : NULL;
    if (ns == NULL || strchr(ns, '.') == NULL)
        return fault_say(f, SB_INVALID_NAMESPACE, "Invalid namespace specified");
    if (!measure(c, ns, &bytes, &documents, f))
        return false;
    if (host_since(c->h, 7, 0)) {
        bson_append_int64(reply, "size", -1, bytes);
        bson_append_int64(reply, "numObjects", -1, documents);
    } else {
        bson_append_double(reply, "size", -1, (double)bytes);
        bson_append_double(reply, "numObjects", -1, (double)documents);
    }
    return bson_append_int32(reply, "millis", -1, 0);
}

const struct command commands_sizes[] = {
    {"collStats", coll_stats, 0, 0},
    {"collstats", coll_stats, 0, 0},
    {"dbStats", db_stats, 0, 0},
    {"dbstats", db_stats, 0, 0},
    {"dataSize", data_size, 0, 0},
    {"datasize", data_size, 0, 0},
    {NULL, NULL, 0, 0},
};
