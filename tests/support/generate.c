// SPDX-License-Identifier: Apache-2.0
/* First every number is drawn (owners, sizes, zones), collection by collection; then the documents are made
 * of the numbers, so that their order has no influence on what they say. */
#include "tests/support/generate.h"

#include <string.h>

#define MIB ((int64_t)1024 * 1024)

enum { RANGES_MAX = 64 };

/* Why a collection is left out; in turn over the last ones. */
enum flaw {
    FLAW_NONE,
    FLAW_TIME_SERIES,
    FLAW_NO_BALANCE,
    FLAW_NOT_PERMITTED,
    FLAW_DEFRAGMENTING,
    FLAW_RESHARDING,
    FLAW_UNSPLITTABLE,
    FLAW_COUNT
};

/* Chunk i is [position 2i, position 2i + 2); odd positions lie inside chunks. */
struct gen_collection {
    char *ns;
    uint8_t uuid[16];
    bson_oid_t epoch;
    struct gen_keys keys;
    enum flaw flaw;
    uint32_t n;
    uint16_t *shard;
    int64_t *bytes;
    bool *jumbo;
    uint32_t n_ranges;
    struct gen_range {
        uint64_t min, max; /* positions */
        uint32_t zone;
    } ranges[RANGES_MAX];
};

struct gen {
    const struct gen_params *params;
    const struct gen_sink *sink;
    GRand *rand;
    uint32_t n_zones;
    struct gen_collection *colls;
    uint32_t chunks_made;
};

struct gen_params gen_params_default(void)
{
    return (struct gen_params){.chunks = 10000,
                               .shards = 10,
                               .collections = 5,
                               .generation = GEN_UUID,
                               .version = "7.0.14",
                               .seed = 1};
}

static uint32_t below(struct gen *g, uint32_t n)
{
    return n < 2 ? 0 : (uint32_t)g_rand_int_range(g->rand, 0, (gint32)n);
}

static bool chance(struct gen *g, double share)
{
    return g_rand_double(g->rand) < share;
}

/* Shard s carries zone s modulo their number, and every third shard the next one too. */
static bool carries(const struct gen *g, uint32_t shard, uint32_t zone)
{
    return g->n_zones > 0 &&
           (shard % g->n_zones == zone || (shard % 3 == 2 && (shard + 1) % g->n_zones == zone));
}

/* Ranges between sorted positions; every other gap between two ranges is closed. */
static void draw_ranges(struct gen *g, struct gen_collection *c)
{
    uint32_t wanted = MIN(g->params->zones, RANGES_MAX);
    uint64_t at = 0, step = c->keys.end / (wanted + 1) + 1;
    for (uint32_t i = 0; i < wanted; i++) {
        uint64_t min = at + (chance(g, 0.5) ? 0 : below(g, (uint32_t)step));
        uint64_t max = min + 1 + below(g, (uint32_t)step);
        min += min % 2 == 1 && !chance(g, g->params->misaligned) ? 1 : 0;
        max += max % 2 == 1 && !chance(g, g->params->misaligned) ? 1 : 0;
        max = MIN(max, c->keys.end);
        if (i + 1 == wanted && chance(g, 0.5))
            max = c->keys.end;
        if (min >= max || min < at)
            continue;
        c->ranges[c->n_ranges++] = (struct gen_range){min, max, below(g, g->n_zones)};
        at = max;
    }
}

static uint32_t zone_of(const struct gen_collection *c, uint32_t chunk)
{
    for (uint32_t i = 0; i < c->n_ranges; i++)
        if (c->ranges[i].min <= 2 * (uint64_t)chunk && 2 * (uint64_t)chunk + 2 <= c->ranges[i].max)
            return c->ranges[i].zone;
    return UINT32_MAX;
}

static uint16_t draw_owner(struct gen *g, const struct gen_collection *c, uint32_t chunk, uint32_t favourite)
{
    uint32_t zone = zone_of(c, chunk);
    uint32_t owner = chance(g, g->params->skew) ? favourite : below(g, g->params->shards);
    bool free_choice = zone == UINT32_MAX || chance(g, g->params->violations);
    for (uint32_t tries = 0; !free_choice && tries < g->params->shards && !carries(g, owner, zone); tries++)
        owner = (owner + 1) % g->params->shards;
    return (uint16_t)owner;
}

static int64_t draw_bytes(struct gen *g)
{
    int64_t m = (g->params->chunk_mb > 0 ? g->params->chunk_mb : 128) * MIB;
    if (g->params->sizes == GEN_SIZES_EVEN)
        return m / 2;
    double x = g_rand_double(g->rand);
    double most = g->params->sizes == GEN_SIZES_LARGE ? 6 : 1.25; /* below 4/3 M donors never cut */
    return (int64_t)(x * x * (double)m * most) + below(g, 1000);
}

static void draw_chunks(struct gen *g, struct gen_collection *c)
{
    uint32_t favourite = below(g, g->params->shards);
    c->shard = g_new(uint16_t, c->n);
    c->bytes = g_new(int64_t, c->n);
    c->jumbo = g_new(bool, c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        c->shard[i] = draw_owner(g, c, i, favourite);
        c->bytes[i] = draw_bytes(g);
        c->jumbo[i] = chance(g, g->params->jumbo);
    }
}

static void draw_collection(struct gen *g, uint32_t i, uint32_t n)
{
    const struct gen_params *p = g->params;
    struct gen_collection *c = &g->colls[i];
    c->flaw = i + p->excluded < p->collections
                  ? FLAW_NONE
                  : (enum flaw)(1 + (i + p->excluded - p->collections) % (FLAW_COUNT - 1));
    c->n = c->flaw == FLAW_UNSPLITTABLE ? 1 : n;
    enum gen_key kind = p->any_key ? (enum gen_key)below(g, GEN_KEY_COUNT) : p->key;
    if (c->flaw == FLAW_UNSPLITTABLE)
        kind = GEN_KEY_OBJECTID;
    c->keys = (struct gen_keys){.kind = kind, .seed = g_rand_int(g->rand), .end = 2 * (uint64_t)c->n};
    c->ns = g_strdup_printf(c->flaw == FLAW_TIME_SERIES ? "shop.system.buckets.c%03u" : "shop.c%03u", i);
    for (int k = 0; k < 16; k++)
        c->uuid[k] = (uint8_t)below(g, 256);
    for (int k = 0; k < 12; k++)
        c->epoch.bytes[k] = (uint8_t)below(g, 256);
    if (g->n_zones > 0 && c->flaw != FLAW_TIME_SERIES && c->flaw != FLAW_UNSPLITTABLE)
        draw_ranges(g, c);
    draw_chunks(g, c);
}

/* Every collection has one chunk at least; `ragged` ones between an eighth and all of an even share's double.
 */
static void draw_all(struct gen *g)
{
    const struct gen_params *p = g->params;
    g->n_zones = p->zones == 0 ? 0 : CLAMP(p->zones, 1, p->shards);
    g->colls = g_new0(struct gen_collection, p->collections);
    for (uint32_t i = 0; i < p->collections; i++) {
        uint32_t share = p->chunks / p->collections + (i < p->chunks % p->collections ? 1 : 0);
        if (p->ragged)
            share = share / 8 + below(g, 2 * share + 1);
        draw_collection(g, i, MAX(share, 1));
    }
}

static bool emit(struct gen *g, enum doc_kind kind, bson_t *doc, struct err *err)
{
    bool ok = g->sink->doc(g->sink->ctx, kind, doc, err);
    bson_destroy(doc);
    return ok;
}

static void shard_name(uint32_t i, char *ret, size_t size)
{
    g_snprintf(ret, size, "shard%02u", i);
}

static bool emit_shards(struct gen *g, struct err *err)
{
    const struct gen_params *p = g->params;
    for (uint32_t i = 0; i < p->shards; i++) {
        char id[16], host[96], index[16], zone[16];
        bson_t doc = BSON_INITIALIZER, tags;
        uint32_t n = 0;
        shard_name(i, id, sizeof id);
        g_snprintf(host, sizeof host, "%s/%s-a.example:27018,%s-b.example:27018", id, id, id);
        BSON_APPEND_UTF8(&doc, "_id", id);
        BSON_APPEND_UTF8(&doc, "host", host);
        BSON_APPEND_INT32(&doc, "state", 1);
        if (p->generation == GEN_UUID)
            BSON_APPEND_TIMESTAMP(&doc, "topologyTime", 1700000000 + i, 1);
        BSON_APPEND_ARRAY_BEGIN(&doc, "tags", &tags);
        for (uint32_t z = 0; z < g->n_zones; z++) {
            if (!carries(g, i, z))
                continue;
            g_snprintf(index, sizeof index, "%u", n++);
            g_snprintf(zone, sizeof zone, "zone%02u", z);
            BSON_APPEND_UTF8(&tags, index, zone);
        }
        bson_append_array_end(&doc, &tags);
        if (i + p->draining >= p->shards)
            BSON_APPEND_BOOL(&doc, "draining", true);
        if (!emit(g, DOC_SHARD, &doc, err))
            return false;
    }
    return true;
}

static bool emit_mongos(struct gen *g, struct err *err)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "_id", "router.example:27017");
    BSON_APPEND_DATE_TIME(&doc, "ping", 1760000000000);
    BSON_APPEND_INT64(&doc, "up", 86400);
    BSON_APPEND_BOOL(&doc, "waiting", true);
    if (g->params->version != NULL)
        BSON_APPEND_UTF8(&doc, "mongoVersion", g->params->version);
    return emit(g, DOC_MONGOS, &doc, err);
}

static bool emit_database(struct gen *g, struct err *err)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "_id", "shop");
    BSON_APPEND_UTF8(&doc, "primary", "shard00");
    BSON_APPEND_BOOL(&doc, "partitioned", true);
    return emit(g, DOC_DATABASE, &doc, err);
}

static bool emit_settings(struct gen *g, struct err *err)
{
    bson_t mode = BSON_INITIALIZER, size = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&mode, "_id", "balancer");
    BSON_APPEND_UTF8(&mode, "mode", "full");
    BSON_APPEND_BOOL(&mode, "stopped", false);
    BSON_APPEND_UTF8(&size, "_id", "chunksize");
    BSON_APPEND_INT64(&size, "value", g->params->chunk_mb);
    bool ok = emit(g, DOC_SETTING, &mode, err);
    if (g->params->chunk_mb > 0)
        return emit(g, DOC_SETTING, &size, err) && ok;
    bson_destroy(&size);
    return ok;
}

static void append_flaw(enum flaw flaw, bson_t *doc)
{
    bson_t inner;
    switch (flaw) {
    case FLAW_TIME_SERIES:
        BSON_APPEND_DOCUMENT_BEGIN(doc, "timeseriesFields", &inner);
        BSON_APPEND_UTF8(&inner, "timeField", "t");
        BSON_APPEND_UTF8(&inner, "granularity", "seconds");
        bson_append_document_end(doc, &inner);
        break;
    case FLAW_NO_BALANCE:
        BSON_APPEND_BOOL(doc, "noBalance", true);
        break;
    case FLAW_NOT_PERMITTED:
        BSON_APPEND_BOOL(doc, "permitMigrations", false);
        break;
    case FLAW_DEFRAGMENTING:
        BSON_APPEND_BOOL(doc, "defragmentCollection", true);
        break;
    case FLAW_RESHARDING:
        BSON_APPEND_DOCUMENT_BEGIN(doc, "reshardingFields", &inner);
        BSON_APPEND_UTF8(&inner, "state", "cloning");
        bson_append_document_end(doc, &inner);
        break;
    case FLAW_UNSPLITTABLE:
        BSON_APPEND_BOOL(doc, "unsplittable", true);
        break;
    default:
        break;
    }
}

static bool emit_collections(struct gen *g, struct err *err)
{
    for (uint32_t i = 0; i < g->params->collections; i++) {
        const struct gen_collection *c = &g->colls[i];
        bson_t doc = BSON_INITIALIZER, key;
        BSON_APPEND_UTF8(&doc, "_id", c->ns);
        BSON_APPEND_OID(&doc, "lastmodEpoch", &c->epoch);
        BSON_APPEND_DATE_TIME(&doc, "lastmod", 1700000000000 + i);
        if (g->params->generation == GEN_UUID)
            BSON_APPEND_TIMESTAMP(&doc, "timestamp", 1700000000 + i, 7);
        bson_append_binary(&doc, "uuid", 4, BSON_SUBTYPE_UUID, c->uuid, sizeof c->uuid);
        BSON_APPEND_DOCUMENT_BEGIN(&doc, "key", &key);
        gen_key_pattern(c->keys.kind, &key);
        bson_append_document_end(&doc, &key);
        BSON_APPEND_BOOL(&doc, "unique", false);
        append_flaw(c->flaw, &doc);
        if (!emit(g, DOC_COLLECTION, &doc, err))
            return false;
    }
    return true;
}

static bool emit_tag(struct gen *g, const struct gen_collection *c, const struct gen_range *r,
                     struct err *err)
{
    char zone[16];
    bson_t doc = BSON_INITIALIZER, part;
    bson_oid_t oid = c->epoch;
    oid.bytes[11] = (uint8_t)(r - c->ranges);
    g_snprintf(zone, sizeof zone, "zone%02u", r->zone);
    BSON_APPEND_OID(&doc, "_id", &oid);
    BSON_APPEND_UTF8(&doc, "ns", c->ns);
    BSON_APPEND_DOCUMENT_BEGIN(&doc, "min", &part);
    gen_key_zone_at(&c->keys, r->min, false, &part);
    bson_append_document_end(&doc, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&doc, "max", &part);
    gen_key_zone_at(&c->keys, r->max, true, &part);
    bson_append_document_end(&doc, &part);
    BSON_APPEND_UTF8(&doc, "tag", zone);
    return emit(g, DOC_TAG, &doc, err);
}

static void append_chunk_id(const struct gen *g, const struct gen_collection *c, uint32_t i, bson_t *doc)
{
    if (g->params->generation == GEN_UUID) {
        bson_oid_t oid = c->epoch;
        uint32_t be = GUINT32_TO_BE(i);
        memcpy(oid.bytes + 8, &be, 4);
        BSON_APPEND_OID(doc, "_id", &oid);
        bson_append_binary(doc, "uuid", 4, BSON_SUBTYPE_UUID, c->uuid, sizeof c->uuid);
        return;
    }
    g_autofree char *id = g_strdup_printf("%s-k_%u", c->ns, i);
    BSON_APPEND_UTF8(doc, "_id", id);
    BSON_APPEND_UTF8(doc, "ns", c->ns);
}

static void append_history(const struct gen *g, const char *shard, uint32_t since, bson_t *doc)
{
    bson_t history, entry;
    if (g->params->generation == GEN_UUID)
        BSON_APPEND_TIMESTAMP(doc, "onCurrentShardSince", since, 3);
    BSON_APPEND_ARRAY_BEGIN(doc, "history", &history);
    BSON_APPEND_DOCUMENT_BEGIN(&history, "0", &entry);
    BSON_APPEND_TIMESTAMP(&entry, "validAfter", since, 3);
    BSON_APPEND_UTF8(&entry, "shard", shard);
    bson_append_document_end(&history, &entry);
    bson_append_array_end(doc, &history);
}

static bool emit_chunk(struct gen *g, const struct gen_collection *c, uint32_t i, struct err *err)
{
    char shard[16];
    bson_t doc = BSON_INITIALIZER, part;
    shard_name(c->shard[i], shard, sizeof shard);
    append_chunk_id(g, c, i, &doc);
    BSON_APPEND_DOCUMENT_BEGIN(&doc, "min", &part);
    gen_key_at(&c->keys, 2 * (uint64_t)i, &part);
    bson_append_document_end(&doc, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&doc, "max", &part);
    gen_key_at(&c->keys, 2 * (uint64_t)i + 2, &part);
    bson_append_document_end(&doc, &part);
    BSON_APPEND_UTF8(&doc, "shard", shard);
    BSON_APPEND_TIMESTAMP(&doc, "lastmod", 1 + i / 4, i % 4);
    if (g->params->generation == GEN_NS)
        BSON_APPEND_OID(&doc, "lastmodEpoch", &c->epoch);
    append_history(g, shard, 1700000000 + i, &doc);
    if (g->params->sizes != GEN_SIZES_NONE && g->params->measured)
        BSON_APPEND_INT64(&doc, "estimatedDataSizeBytes", c->bytes[i]);
    if (c->jumbo[i])
        BSON_APPEND_BOOL(&doc, "jumbo", true);
    return emit(g, DOC_CHUNK, &doc, err);
}

struct item {
    uint32_t coll, number;
};

static void shuffle(struct gen *g, GArray *items)
{
    struct item *v = (struct item *)(void *)items->data;
    for (uint32_t i = items->len; g->params->shuffled && i > 1; i--) {
        uint32_t j = below(g, i);
        struct item t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}

/* Tags, or chunks, of all collections. */
static bool emit_items(struct gen *g, bool tags, struct err *err)
{
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(struct item));
    for (uint32_t i = 0; i < g->params->collections; i++)
        for (uint32_t k = 0; k < (tags ? g->colls[i].n_ranges : g->colls[i].n); k++)
            g_array_append_val(items, ((struct item){i, k}));
    shuffle(g, items);
    for (guint i = 0; i < items->len; i++) {
        struct item it = g_array_index(items, struct item, i);
        const struct gen_collection *c = &g->colls[it.coll];
        if (!(tags ? emit_tag(g, c, &c->ranges[it.number], err) : emit_chunk(g, c, it.number, err)))
            return false;
    }
    return true;
}

static bool emit_sizes(struct gen *g, struct err *err)
{
    uint32_t n = g->params->shards;
    g_autofree int64_t *bytes = g_new(int64_t, n);
    for (uint32_t i = 0; i < g->params->collections; i++) {
        const struct gen_collection *c = &g->colls[i];
        bson_t doc = BSON_INITIALIZER;
        memset(bytes, 0, n * sizeof *bytes);
        for (uint32_t k = 0; k < c->n; k++)
            bytes[c->shard[k]] += c->bytes[k];
        for (uint32_t s = 0; s < n; s++) {
            char id[16];
            shard_name(s, id, sizeof id);
            BSON_APPEND_INT64(&doc, id, bytes[s]);
        }
        bool ok = g->sink->sizes(g->sink->ctx, c->ns, &doc, err);
        bson_destroy(&doc);
        if (!ok)
            return false;
    }
    return true;
}

bool generate(const struct gen_params *params, const struct gen_sink *sink, struct err *err)
{
    struct gen g = {.params = params, .sink = sink, .rand = g_rand_new_with_seed(params->seed)};
    draw_all(&g);
    bool ok = emit_shards(&g, err) && emit_mongos(&g, err) && emit_database(&g, err) &&
              emit_settings(&g, err) && emit_collections(&g, err) && emit_items(&g, true, err) &&
              emit_items(&g, false, err);
    if (ok && params->sizes != GEN_SIZES_NONE && sink->sizes != NULL)
        ok = emit_sizes(&g, err);
    for (uint32_t i = 0; i < params->collections; i++) {
        g_free(g.colls[i].ns);
        g_free(g.colls[i].shard);
        g_free(g.colls[i].bytes);
        g_free(g.colls[i].jumbo);
    }
    g_free(g.colls);
    g_rand_free(g.rand);
    return ok;
}
