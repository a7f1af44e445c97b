// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_model.h"

#include "tests/support/slow_compare.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((int64_t)1024 * 1024)

struct kept_doc {
    enum doc_kind kind;
    bson_t *doc;
};

static const bson_t *keep(naive_cluster *n, bson_t *doc)
{
    g_ptr_array_add(n->pool, doc);
    return doc;
}

static bool find(const bson_t *doc, const char *name, bson_iter_t *it)
{
    return bson_iter_init_find(it, doc, name);
}

static const char *text_of(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return find(doc, name, &it) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : NULL;
}

static bool is_true(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return find(doc, name, &it) && bson_iter_as_bool(&it);
}

static bson_t *copy_of(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    uint32_t len;
    const uint8_t *data;
    bool there = find(doc, name, &it);
    g_assert_true(there);
    bson_iter_document(&it, &len, &data);
    return bson_new_from_data(data, len);
}

static void read_shard(naive_cluster *n, const bson_t *doc)
{
    struct naive_shard s = {.id = g_strdup(text_of(doc, "_id")), .draining = is_true(doc, "draining")};
    bson_iter_t it, tag;
    s.zones = g_ptr_array_new_with_free_func(g_free);
    if (find(doc, "tags", &it) && bson_iter_recurse(&it, &tag))
        while (bson_iter_next(&tag))
            g_ptr_array_add(s.zones, g_strdup(bson_iter_utf8(&tag, NULL)));
    g_array_append_val(n->shards, s);
}

static void read_collection(naive_cluster *n, const bson_t *doc)
{
    naive_collection *c = g_new0(naive_collection, 1);
    bson_iter_t it, field;
    c->ns = g_strdup(text_of(doc, "_id"));
    c->doc = bson_copy(doc);
    c->fields = g_ptr_array_new_with_free_func(g_free);
    c->chunks = g_array_new(FALSE, TRUE, sizeof(struct naive_chunk));
    c->ranges = g_array_new(FALSE, TRUE, sizeof(struct naive_range));
    if (find(doc, "key", &it) && bson_iter_recurse(&it, &field))
        while (bson_iter_next(&field))
            g_ptr_array_add(c->fields, g_strdup(bson_iter_key(&field)));
    c->time_series = find(doc, "timeseriesFields", &it);
    c->no_moves = is_true(doc, "noBalance") || is_true(doc, "defragmentCollection") ||
                  (find(doc, "permitMigrations", &it) && !bson_iter_as_bool(&it));
    c->untouched = is_true(doc, "unsplittable") || find(doc, "reshardingFields", &it);
    g_ptr_array_add(n->colls, c);
}

static bool same_uuid(const bson_t *a, const bson_t *b)
{
    bson_iter_t x, y;
    return find(a, "uuid", &x) && find(b, "uuid", &y) && slow_compare_values(&x, &y) == 0;
}

naive_collection *naive_find(const naive_cluster *n, const char *ns)
{
    for (guint i = 0; i < n->colls->len; i++) {
        naive_collection *c = n->colls->pdata[i];
        if (strcmp(c->ns, ns) == 0)
            return c;
    }
    return NULL;
}

static void read_chunk(naive_cluster *n, const bson_t *doc)
{
    naive_collection *c = text_of(doc, "ns") == NULL ? NULL : naive_find(n, text_of(doc, "ns"));
    struct naive_chunk chunk = {.jumbo = is_true(doc, "jumbo"), .bytes = -1};
    bson_iter_t it;
    for (guint i = 0; c == NULL && i < n->colls->len; i++)
        if (same_uuid(doc, ((naive_collection *)n->colls->pdata[i])->doc))
            c = n->colls->pdata[i];
    chunk.min = keep(n, copy_of(doc, "min"));
    chunk.max = keep(n, copy_of(doc, "max"));
    if (find(doc, "estimatedDataSizeBytes", &it)) {
        chunk.bytes = bson_iter_as_int64(&it);
        n->measured = true;
    }
    while (strcmp(naive_shard_at(n, chunk.shard)->id, text_of(doc, "shard")) != 0)
        chunk.shard++;
    g_array_append_val(c->chunks, chunk);
}

/* Missing fields are MinKey; a maximum of MaxKeys and nothing else means the end of everything. */
static bson_t *extend(const naive_collection *c, const bson_t *bound, bool is_max)
{
    bson_iter_t it;
    guint max_keys = 0, min_keys = 0;
    bson_t *out = bson_new();
    for (guint i = 0; i < c->fields->len; i++) {
        bool given = find(bound, c->fields->pdata[i], &it);
        if (given && BSON_ITER_HOLDS_MAXKEY(&it) && min_keys == 0)
            max_keys++;
        else if (!given || BSON_ITER_HOLDS_MINKEY(&it))
            min_keys++;
    }
    bool end = is_max && max_keys > 0 && max_keys + min_keys == c->fields->len;
    for (guint i = 0; i < c->fields->len; i++) {
        const char *field = c->fields->pdata[i];
        if (end)
            BSON_APPEND_MAXKEY(out, field);
        else if (find(bound, field, &it))
            bson_append_iter(out, NULL, 0, &it);
        else
            BSON_APPEND_MINKEY(out, field);
    }
    return out;
}

static void read_tag(naive_cluster *n, const bson_t *doc)
{
    naive_collection *c = naive_find(n, text_of(doc, "ns"));
    bson_t *min = copy_of(doc, "min"), *max = copy_of(doc, "max");
    struct naive_range r = {.min = keep(n, extend(c, min, false)),
                            .max = keep(n, extend(c, max, true)),
                            .zone = g_strdup(text_of(doc, "tag"))};
    bson_destroy(min);
    bson_destroy(max);
    g_array_append_val(c->ranges, r);
}

static void read_other(naive_cluster *n, enum doc_kind kind, const bson_t *doc)
{
    bson_iter_t it;
    if (kind == DOC_MONGOS && text_of(doc, "mongoVersion") != NULL) {
        double version = g_ascii_strtod(text_of(doc, "mongoVersion"), NULL); /* major.minor is enough */
        n->move_range = version >= 6;
        n->from_4_4 = version >= 4.4;
        if (n->chunk_size == 0)
            n->chunk_size = (n->move_range ? 128 : 64) * MIB;
    }
    if (kind == DOC_SETTING && strcmp(text_of(doc, "_id"), "chunksize") == 0 && find(doc, "value", &it))
        n->chunk_size = bson_iter_as_int64(&it) * MIB;
}

static bool read_doc(void *ctx, enum doc_kind kind, const bson_t *doc, struct err *err)
{
    naive_cluster *n = ctx;
    (void)err;
    if (kind != DOC_CHUNK) {
        struct kept_doc kept = {kind, bson_copy(doc)};
        g_array_append_val(n->docs, kept);
    }
    if (kind == DOC_SHARD)
        read_shard(n, doc);
    else if (kind == DOC_COLLECTION)
        read_collection(n, doc);
    else if (kind == DOC_TAG)
        read_tag(n, doc);
    else if (kind == DOC_CHUNK)
        read_chunk(n, doc);
    else
        read_other(n, kind, doc);
    return true;
}

static bool read_sizes(void *ctx, const char *ns, const bson_t *by_shard, struct err *err)
{
    naive_cluster *n = ctx;
    naive_collection *c = naive_find(n, ns);
    (void)err;
    c->bytes = g_new0(int64_t, n->shards->len);
    for (guint s = 0; s < n->shards->len; s++) {
        bson_iter_t it;
        if (find(by_shard, naive_shard_at(n, s)->id, &it))
            c->bytes[s] = bson_iter_as_int64(&it);
    }
    return true;
}

static int cmp_chunk(gconstpointer a, gconstpointer b)
{
    return slow_compare_docs(((const struct naive_chunk *)a)->min, ((const struct naive_chunk *)b)->min);
}

static int cmp_range(gconstpointer a, gconstpointer b)
{
    return slow_compare_docs(((const struct naive_range *)a)->min, ((const struct naive_range *)b)->min);
}

const char *naive_zone(const naive_collection *c, const bson_t *min, const bson_t *max)
{
    for (guint i = 0; i < c->ranges->len; i++) {
        const struct naive_range *r = &g_array_index(c->ranges, struct naive_range, i);
        if (slow_compare_docs(r->min, min) <= 0 && slow_compare_docs(max, r->max) <= 0)
            return r->zone;
    }
    return NULL;
}

bool naive_carries(const struct naive_shard *s, const char *zone)
{
    for (guint i = 0; zone != NULL && i < s->zones->len; i++)
        if (strcmp(s->zones->pdata[i], zone) == 0)
            return true;
    return zone == NULL;
}

/* A shard's bytes in equal shares over its chunks in key order, the first ones one more; nothing known: each
 * chunk is one full chunk. */
static void share_sizes(const naive_cluster *n, naive_collection *c)
{
    for (guint i = 0; i < c->chunks->len; i++) {
        struct naive_chunk *chunk = naive_chunk_at(c, i);
        int64_t number = 0, before = 0;
        if (chunk->bytes >= 0)
            continue;
        for (guint k = 0; k < c->chunks->len; k++) {
            number += naive_chunk_at(c, k)->shard == chunk->shard;
            before += naive_chunk_at(c, k)->shard == chunk->shard && k < i;
        }
        chunk->bytes = c->bytes == NULL ? n->chunk_size
                                        : c->bytes[chunk->shard] / number +
                                              (before < c->bytes[chunk->shard] % number ? 1 : 0);
    }
}

naive_cluster *naive_new(const struct gen_params *params)
{
    naive_cluster *n = g_new0(naive_cluster, 1);
    n->shards = g_array_new(FALSE, TRUE, sizeof(struct naive_shard));
    n->colls = g_ptr_array_new();
    n->pool = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    n->docs = g_array_new(FALSE, TRUE, sizeof(struct kept_doc));
    struct gen_sink sink = {.doc = read_doc, .sizes = read_sizes, .ctx = n};
    generate(params, &sink, NULL);
    if (n->chunk_size == 0)
        n->chunk_size = (params->generation == GEN_UUID ? 128 : 64) * MIB;
    for (guint i = 0; i < n->colls->len; i++) {
        naive_collection *c = n->colls->pdata[i];
        g_array_sort(c->chunks, cmp_chunk);
        g_array_sort(c->ranges, cmp_range);
        share_sizes(n, c);
        for (guint k = 0; k < c->chunks->len; k++)
            naive_chunk_at(c, k)->zone = naive_zone(c, naive_chunk_at(c, k)->min, naive_chunk_at(c, k)->max);
    }
    return n;
}

static void collection_free(naive_collection *c)
{
    for (guint i = 0; i < c->ranges->len; i++)
        g_free(g_array_index(c->ranges, struct naive_range, i).zone);
    g_free(c->ns);
    bson_destroy(c->doc);
    g_ptr_array_unref(c->fields);
    g_array_unref(c->chunks);
    g_array_unref(c->ranges);
    g_free(c->bytes);
    g_free(c);
}

void naive_free(naive_cluster *n)
{
    if (n == NULL)
        return;
    for (guint i = 0; i < n->shards->len; i++) {
        g_free(naive_shard_at(n, i)->id);
        g_ptr_array_unref(naive_shard_at(n, i)->zones);
    }
    for (guint i = 0; i < n->colls->len; i++)
        collection_free(n->colls->pdata[i]);
    for (guint i = 0; i < n->docs->len; i++)
        bson_destroy(g_array_index(n->docs, struct kept_doc, i).doc);
    g_array_unref(n->shards);
    g_ptr_array_unref(n->colls);
    g_ptr_array_unref(n->pool);
    g_array_unref(n->docs);
    g_free(n);
}

static void must(bool ok, const struct err *err)
{
    if (!ok)
        g_error("a sound document was refused: %s", err->msg);
}

static void build_chunk(builder *b, const naive_cluster *n, const naive_collection *c, guint i,
                        uint64_t index)
{
    const struct naive_chunk *chunk = naive_chunk_at(c, i);
    struct err err = {0};
    bson_iter_t it;
    bson_t doc = BSON_INITIALIZER;
    if (find(c->doc, "timestamp", &it) && find(c->doc, "uuid", &it))
        bson_append_iter(&doc, "uuid", -1, &it);
    else
        BSON_APPEND_UTF8(&doc, "ns", c->ns);
    BSON_APPEND_DOCUMENT(&doc, "min", chunk->min);
    BSON_APPEND_DOCUMENT(&doc, "max", chunk->max);
    BSON_APPEND_UTF8(&doc, "shard", naive_shard_at(n, chunk->shard)->id);
    BSON_APPEND_TIMESTAMP(&doc, "lastmod", 1000, i);
    if (chunk->jumbo)
        BSON_APPEND_BOOL(&doc, "jumbo", true);
    if (n->measured && c->bytes != NULL)
        BSON_APPEND_INT64(&doc, "estimatedDataSizeBytes", chunk->bytes);
    must(builder_add(b, DOC_CHUNK, index, bson_get_data(&doc), doc.len, &err), &err);
    bson_destroy(&doc);
}

static void build_sizes(builder *b, const naive_cluster *n, const naive_collection *c)
{
    g_autofree int64_t *chunks = g_new0(int64_t, n->shards->len), *bytes = g_new0(int64_t, n->shards->len);
    struct err err = {0};
    bson_t doc = BSON_INITIALIZER;
    naive_sums(n, c, chunks, bytes);
    for (guint s = 0; s < n->shards->len; s++)
        BSON_APPEND_INT64(&doc, naive_shard_at(n, s)->id, bytes[s]);
    must(builder_sizes(b, c->ns, bson_get_data(&doc), doc.len, &err), &err);
    bson_destroy(&doc);
}

cluster *naive_build(const naive_cluster *n)
{
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    uint64_t numbers[DOC_KIND_COUNT] = {0};
    cluster *cl = NULL;
    for (guint i = 0; i < n->docs->len; i++) {
        const struct kept_doc *k = &g_array_index(n->docs, struct kept_doc, i);
        must(builder_add(b, k->kind, numbers[k->kind]++, bson_get_data(k->doc), k->doc->len, &err), &err);
    }
    for (guint i = 0; i < n->colls->len; i++) {
        const naive_collection *c = n->colls->pdata[i];
        for (guint k = 0; k < c->chunks->len; k++)
            build_chunk(b, n, c, k, numbers[DOC_CHUNK]++);
        if (c->bytes != NULL)
            build_sizes(b, n, c);
    }
    must(builder_finish(b, &cl, &err), &err);
    return cl;
}

bool naive_split(naive_cluster *n, naive_collection *c, const bson_t *min, const bson_t *max,
                 const bson_t *points, guint n_points)
{
    guint at = 0;
    while (at < c->chunks->len &&
           !(bson_equal(naive_chunk_at(c, at)->min, min) && bson_equal(naive_chunk_at(c, at)->max, max)))
        at++;
    if (at == c->chunks->len || n_points == 0)
        return false;
    const struct naive_chunk whole = *naive_chunk_at(c, at);
    guint parts = n_points + 1;
    g_array_remove_index(c->chunks, at);
    for (guint i = 0; i < parts; i++) {
        struct naive_chunk part = whole;
        if (i > 0)
            part.min = naive_chunk_at(c, at + i - 1)->max;
        if (i < n_points)
            part.max = keep(n, bson_copy(&points[i]));
        if (slow_compare_docs(part.min, part.max) >= 0)
            return false;
        part.bytes = whole.bytes / parts + (i < whole.bytes % parts ? 1 : 0);
        part.zone = naive_zone(c, part.min, part.max);
        g_array_insert_val(c->chunks, at + i, part);
    }
    return true;
}

int naive_locate(const naive_collection *c, const bson_t *min, const bson_t *max, uint32_t shard)
{
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct naive_chunk *chunk = naive_chunk_at(c, i);
        if (chunk->shard == shard && bson_equal(chunk->min, min) && bson_equal(chunk->max, max))
            return (int)i;
    }
    return -1;
}

void naive_move(naive_collection *c, guint i, uint32_t to, int64_t bytes)
{
    struct naive_chunk *chunk = naive_chunk_at(c, i);
    if (bytes >= chunk->bytes) {
        chunk->shard = to;
        return;
    }
    struct naive_chunk lower = *chunk;
    lower.shard = to;
    lower.bytes = bytes;
    lower.part = chunk->part = lower.piece = true;
    chunk->bytes -= bytes;
    g_array_insert_val(c->chunks, i, lower);
}

void naive_sums(const naive_cluster *n, const naive_collection *c, int64_t *ret_chunks, int64_t *ret_bytes)
{
    memset(ret_chunks, 0, n->shards->len * sizeof *ret_chunks);
    memset(ret_bytes, 0, n->shards->len * sizeof *ret_bytes);
    for (guint i = 0; i < c->chunks->len; i++) {
        ret_chunks[naive_chunk_at(c, i)->shard]++;
        ret_bytes[naive_chunk_at(c, i)->shard] += naive_chunk_at(c, i)->bytes;
    }
}
