// SPDX-License-Identifier: Apache-2.0
/* The documents of a flat cluster: to a builder, or as a snapshot's JSON. */
#include "tests/support/flat_cluster.h"

#include "balancer/cluster/builder.h"

#include <string.h>

#define MIB ((int64_t)1024 * 1024)

/* Where the documents go. */
struct out {
    builder *b;    /* or NULL: */
    GString *json; /* with the key of the kind open */
    uint64_t n;    /* documents of this kind so far */
};

static void put(struct out *out, enum doc_kind kind, bson_t *doc)
{
    struct err err = {0};
    if (out->b != NULL) {
        if (!builder_add(out->b, kind, out->n, bson_get_data(doc), doc->len, &err))
            g_error("a sound document was refused: %s", err.msg);
    } else {
        char *text = bson_as_canonical_extended_json(doc, NULL);
        g_string_append_printf(out->json, "%s\n  %s", out->n == 0 ? "" : ",", text);
        bson_free(text);
    }
    out->n++;
    bson_destroy(doc);
}

static void shard_name(uint16_t s, char ret[8])
{
    g_snprintf(ret, 8, "s%03u", s);
}

static void put_shards(const flat_cluster *f, struct out *out)
{
    for (uint16_t s = 0; s < f->n_shards; s++) {
        char id[8], index[8], zone[8];
        bson_t doc = BSON_INITIALIZER, tags;
        uint32_t n = 0;
        shard_name(s, id);
        BSON_APPEND_UTF8(&doc, "_id", id);
        BSON_APPEND_UTF8(&doc, "host", "rs/a.example:27018");
        BSON_APPEND_ARRAY_BEGIN(&doc, "tags", &tags);
        for (uint32_t z = 0; z < FLAT_NO_ZONE; z++) {
            if ((f->shards[s].zones >> z & 1) == 0)
                continue;
            g_snprintf(index, sizeof index, "%u", n++);
            g_snprintf(zone, sizeof zone, "z%02u", z);
            BSON_APPEND_UTF8(&tags, index, zone);
        }
        bson_append_array_end(&doc, &tags);
        if (f->shards[s].draining)
            BSON_APPEND_BOOL(&doc, "draining", true);
        put(out, DOC_SHARD, &doc);
    }
}

static void put_settings(const flat_cluster *f, struct out *out)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "_id", "chunksize");
    BSON_APPEND_INT64(&doc, "value", f->chunk_bytes / MIB);
    put(out, DOC_SETTING, &doc);
}

static char *name_of(uint32_t i)
{
    return g_strdup_printf("flat.c%05u", i);
}

static void append_uuid(uint32_t i, bson_t *doc)
{
    uint8_t uuid[16] = {0xf1, 0xa7};
    uint32_t be = GUINT32_TO_BE(i);
    memcpy(uuid + 12, &be, 4);
    bson_append_binary(doc, "uuid", 4, BSON_SUBTYPE_UUID, uuid, sizeof uuid);
}

/* To 4.4 chunks name their collection, from 5.0 they tell its uuid. */
static bool by_name(const flat_cluster *f)
{
    return f->version[0] < '5';
}

static void put_collections(const flat_cluster *f, struct out *out)
{
    for (uint32_t i = 0; i < f->n_colls; i++) {
        g_autofree char *ns = name_of(i);
        bson_t doc = BSON_INITIALIZER, key;
        BSON_APPEND_UTF8(&doc, "_id", ns);
        BSON_APPEND_DATE_TIME(&doc, "lastmod", 1700000000000);
        if (!by_name(f))
            BSON_APPEND_TIMESTAMP(&doc, "timestamp", 1700000000, 7);
        append_uuid(i, &doc);
        BSON_APPEND_DOCUMENT_BEGIN(&doc, "key", &key);
        BSON_APPEND_INT32(&key, "k", 1);
        bson_append_document_end(&doc, &key);
        put(out, DOC_COLLECTION, &doc);
    }
}

/* The lower bound of chunk i, which may be n: the end. */
static void append_bound(const struct flat_coll *c, const char *name, uint32_t i, bson_t *doc)
{
    bson_t bound;
    BSON_APPEND_DOCUMENT_BEGIN(doc, name, &bound);
    if (i == 0)
        BSON_APPEND_MINKEY(&bound, "k");
    else if (i == c->n)
        BSON_APPEND_MAXKEY(&bound, "k");
    else
        BSON_APPEND_INT64(&bound, "k", c->key[i]);
    bson_append_document_end(doc, &bound);
}

static void put_tag(const struct flat_coll *c, const char *ns, uint32_t from, uint32_t to, struct out *out)
{
    char zone[8];
    bson_t doc = BSON_INITIALIZER;
    g_snprintf(zone, sizeof zone, "z%02u", c->zone[from]);
    BSON_APPEND_UTF8(&doc, "ns", ns);
    append_bound(c, "min", from, &doc);
    append_bound(c, "max", to, &doc);
    BSON_APPEND_UTF8(&doc, "tag", zone);
    put(out, DOC_TAG, &doc);
}

/* Neighbours of one zone are one range. */
static void put_tags(const flat_cluster *f, struct out *out)
{
    for (uint32_t i = 0; i < f->n_colls; i++) {
        const struct flat_coll *c = &f->colls[i];
        g_autofree char *ns = name_of(i);
        for (uint32_t from = 0, to; from < c->n; from = to) {
            for (to = from + 1; to < c->n && c->zone[to] == c->zone[from];)
                to++;
            if (c->zone[from] != FLAT_NO_ZONE)
                put_tag(c, ns, from, to, out);
        }
    }
}

static void put_chunk(const flat_cluster *f, uint32_t i, const char *ns, uint32_t k, struct out *out)
{
    const struct flat_coll *c = &f->colls[i];
    char shard[8];
    bson_t doc = BSON_INITIALIZER;
    shard_name(c->shard[k], shard);
    if (by_name(f))
        BSON_APPEND_UTF8(&doc, "ns", ns);
    else
        append_uuid(i, &doc);
    append_bound(c, "min", k, &doc);
    append_bound(c, "max", k + 1, &doc);
    BSON_APPEND_UTF8(&doc, "shard", shard);
    BSON_APPEND_TIMESTAMP(&doc, "lastmod", 1, k);
    if (f->sizes_known)
        BSON_APPEND_INT64(&doc, "estimatedDataSizeBytes", c->bytes[k]);
    if ((c->flags[k] & FLAT_JUMBO) != 0)
        BSON_APPEND_BOOL(&doc, "jumbo", true);
    put(out, DOC_CHUNK, &doc);
}

static void put_chunks(const flat_cluster *f, struct out *out)
{
    for (uint32_t i = 0; i < f->n_colls; i++) {
        g_autofree char *ns = name_of(i);
        for (uint32_t k = 0; k < f->colls[i].n; k++)
            put_chunk(f, i, ns, k, out);
    }
}

/* Bytes per shard of one collection. */
static void sizes_of(const flat_cluster *f, uint32_t i, bson_t *ret)
{
    g_autofree int64_t *loads = g_new(int64_t, f->n_shards);
    flat_loads(f, &f->colls[i], loads);
    for (uint16_t s = 0; s < f->n_shards; s++) {
        char id[8];
        shard_name(s, id);
        BSON_APPEND_INT64(ret, id, loads[s]);
    }
}

static const struct {
    enum doc_kind kind;
    void (*put)(const flat_cluster *f, struct out *out);
} kinds[] = {{DOC_SHARD, put_shards},
             {DOC_SETTING, put_settings},
             {DOC_COLLECTION, put_collections},
             {DOC_TAG, put_tags},
             {DOC_CHUNK, put_chunks}};

cluster *flat_build(const flat_cluster *f)
{
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    cluster *cl = NULL;
    bool ok = builder_server_version(b, f->version, &err);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        struct out out = {.b = b};
        kinds[i].put(f, &out);
    }
    for (uint32_t i = 0; i < f->n_colls && f->sizes_known && ok; i++) {
        g_autofree char *ns = name_of(i);
        bson_t doc = BSON_INITIALIZER;
        sizes_of(f, i, &doc);
        ok = builder_sizes(b, ns, bson_get_data(&doc), doc.len, &err);
        bson_destroy(&doc);
    }
    if (!ok || !builder_finish(b, &cl, &err))
        g_error("a sound cluster was refused: %s", err.msg);
    return cl;
}

static void json_sizes(const flat_cluster *f, GString *out)
{
    g_string_append(out, ",\n\"sizes\": {");
    for (uint32_t i = 0; i < f->n_colls; i++) {
        bson_t doc = BSON_INITIALIZER;
        sizes_of(f, i, &doc);
        char *text = bson_as_canonical_extended_json(&doc, NULL);
        g_string_append_printf(out, "%s\n  \"flat.c%05u\": %s", i == 0 ? "" : ",", i, text);
        bson_free(text);
        bson_destroy(&doc);
    }
    g_string_append(out, "}");
}

char *flat_json(const flat_cluster *f)
{
    GString *json = g_string_new("{");
    g_string_append_printf(json, "\"evenkeelSnapshot\": 1,\n\"serverVersion\": \"%s\"", f->version);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        struct out out = {.json = json};
        g_string_append_printf(json, ",\n\"%s\": [", doc_kind_name(kinds[i].kind));
        kinds[i].put(f, &out);
        g_string_append(json, "]");
    }
    if (f->sizes_known)
        json_sizes(f, json);
    g_string_append(json, "}\n");
    return g_string_free(json, FALSE);
}
