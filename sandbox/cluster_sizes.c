// SPDX-License-Identifier: Apache-2.0
/* How much data lies where: what a snapshot says per shard is spread over that shard's chunks; migrations and
 * splits carry it along; orphans stay behind until their deletion. */
#include "sandbox/cluster_impl.h"

#include <string.h>

enum {
    DOCUMENT_SIZE = 1024,
    GROWING_CHUNKS = 16
}; /* where nothing is known; how many chunks grow at a time */

/* bytes alone, or {bytes, documents, orphanBytes, orphans} */
struct amount {
    int64_t bytes, documents, orphan_bytes, orphan_documents;
};

static struct amount amount_of(const bson_iter_t *it)
{
    struct amount a = {0};
    bson_t doc;
    uint32_t len;
    const uint8_t *data;
    if (BSON_ITER_HOLDS_DOCUMENT(it)) {
        bson_iter_document(it, &len, &data);
        if (!bson_init_static(&doc, data, len))
            return a;
        a = (struct amount){sb_doc_int(&doc, "bytes", 0), sb_doc_int(&doc, "documents", -1),
                            sb_doc_int(&doc, "orphanBytes", 0), sb_doc_int(&doc, "orphans", 0)};
    } else if (BSON_ITER_HOLDS_NUMBER(it)) {
        a.bytes = bson_iter_as_int64(it);
        a.documents = -1;
    }
    a.bytes = CLAMP(a.bytes, 0, G_MAXINT64 / 4096);
    if (a.documents < 0)
        a.documents = a.bytes / DOCUMENT_SIZE;
    return a;
}

/* Chunks that the document speaks of one by one. */
static void apply_hints(struct coll *k, const bson_t *doc)
{
    bson_iter_t it, item;
    bson_t hint, min;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, doc, "chunks") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &item))
        return;
    while (bson_iter_next(&item)) {
        if (!BSON_ITER_HOLDS_DOCUMENT(&item))
            continue;
        bson_iter_document(&item, &len, &data);
        if (!bson_init_static(&hint, data, len) || !sb_doc_sub(&hint, "min", &min))
            continue;
        struct bound *at = sb_bound_new(k->key, &min, NULL);
        struct chunk *ch = at != NULL ? sb_chunk_at(k, at) : NULL;
        sb_bound_unref(at);
        if (ch == NULL)
            continue;
        ch->bytes = MAX(sb_doc_int(&hint, "bytes", 0), 0);
        ch->documents = MAX(sb_doc_int(&hint, "documents", 0), 0);
        ch->keys = sb_doc_int(&hint, "keys", 0);
        ch->told = true;
    }
}

/* What single chunks are known to have comes off first; the rest goes to the others in equal parts, the
 * remainder to the last. */
static void spread_over(struct coll *k, struct shard *s, struct amount a)
{
    int64_t left = 0;
    for (guint i = 0; i < k->chunks->len; i++) {
        struct chunk *ch = k->chunks->pdata[i];
        if (ch->shard != s)
            continue;
        if (ch->told) {
            a.bytes = MAX(a.bytes - ch->bytes, 0);
            a.documents = MAX(a.documents - ch->documents, 0);
        } else {
            left++;
        }
    }
    for (guint i = 0; i < k->chunks->len && left > 0; i++) {
        struct chunk *ch = k->chunks->pdata[i];
        if (ch->shard != s || ch->told)
            continue;
        ch->bytes = a.bytes / left;
        ch->documents = a.documents / left;
        a.bytes -= ch->bytes;
        a.documents -= ch->documents;
        left--;
    }
}

static void spread_coll(struct coll *k, const bson_t *doc)
{
    bson_t shards;
    bson_iter_t it;
    if (!sb_doc_sub(doc, "shards", &shards) || !bson_iter_init(&it, &shards))
        return;
    while (bson_iter_next(&it)) {
        struct shard *s = sb_find_shard(k->c, bson_iter_key(&it));
        if (s == NULL)
            continue;
        struct amount a = amount_of(&it);
        spread_over(k, s, a);
        if (a.orphan_bytes > 0 || a.orphan_documents > 0)
            sb_orphans_add(k, s, sb_bound_global(k->key, false), sb_bound_global(k->key, true),
                           a.orphan_bytes, a.orphan_documents, k->c->opt.orphan_delay_ms);
    }
}

void sb_spread_sizes(sb_cluster *c)
{
    GPtrArray *docs = g_hash_table_lookup(c->loaded, "sizes");
    for (guint i = 0; docs != NULL && i < docs->len; i++) {
        struct coll *k = sb_find_coll(c, sb_doc_string(docs->pdata[i], "_id"));
        if (k != NULL)
            apply_hints(k, docs->pdata[i]);
    }
    for (guint i = 0; docs != NULL && i < docs->len; i++) {
        struct coll *k = sb_find_coll(c, sb_doc_string(docs->pdata[i], "_id"));
        if (k != NULL)
            spread_coll(k, docs->pdata[i]);
    }
}

int64_t sb_max_chunk_bytes(const struct coll *k)
{
    const bson_t *doc = sb_setting(k->c, "chunksize");
    if (k->max_chunk_bytes > 0 && sb_since(k->c, 5, 3))
        return k->max_chunk_bytes;
    int64_t dflt = sb_since(k->c, 6, 0) ? 128 : 64;
    int64_t mb = doc != NULL ? sb_doc_int(doc, "value", dflt) : dflt;
    return CLAMP(mb, 1, 1024) * MIB;
}

void sb_chunk_grow(struct chunk *ch, int64_t bytes)
{
    int64_t size = ch->documents > 0 ? MAX(ch->bytes / ch->documents, 1) : DOCUMENT_SIZE;
    ch->bytes += bytes;
    ch->documents += bytes / size;
}

/* New data since the last look, in chunks that chance picks. */
void sb_grow(sb_cluster *c)
{
    int64_t now = sb_now_ms(c);
    double due = c->grown_rest + c->opt.growth * (double)(now - c->grown_ms) / 1000.0;
    c->grown_ms = now;
    c->grown_rest = 0;
    if (!(due >= 1) || c->chunks->len == 0)
        return;
    int64_t bytes = due < 1e15 ? (int64_t)due : (int64_t)1e15;
    c->grown_rest = due - (double)bytes;
    for (int i = 0; i < GROWING_CHUNKS; i++) {
        struct chunk *ch = c->chunks->pdata[g_rand_int_range(c->rand, 0, (gint32)c->chunks->len)];
        int64_t share = i + 1 < GROWING_CHUNKS ? bytes / (GROWING_CHUNKS - i) : bytes;
        sb_chunk_grow(ch, share);
        bytes -= share;
    }
}

void sb_orphans_free(void *data)
{
    struct orphans *o = data;
    sb_cancel_timer(o->coll->c, &o->timer);
    sb_bound_unref(o->min);
    sb_bound_unref(o->max);
    g_free(o);
}

static void orphans_deleted(void *data)
{
    struct orphans *o = data;
    sb_cluster *c = o->coll->c;
    o->timer = NULL;
    g_ptr_array_remove(o->coll->orphans, o);
    sb_migrations_resume(c);
}

void sb_orphans_add(struct coll *k, struct shard *s, struct bound *min, struct bound *max, int64_t bytes,
                    int64_t documents, int64_t delay_ms)
{
    struct orphans *o = g_new0(struct orphans, 1);
    *o = (struct orphans){k, s, min, max, bytes, documents, NULL};
    g_ptr_array_add(k->orphans, o);
    o->timer = sb_set_timer(k->c, delay_ms, orphans_deleted, o);
}

bool sb_orphans_overlap(const struct coll *k, const struct shard *s, const struct bound *min,
                        const struct bound *max)
{
    for (guint i = 0; i < k->orphans->len; i++) {
        const struct orphans *o = k->orphans->pdata[i];
        if (o->shard == s && sb_bound_cmp(o->min, max) < 0 && sb_bound_cmp(min, o->max) < 0)
            return true;
    }
    return false;
}

/* `what`: 0 bytes, 1 documents; of owned chunks, or of orphans. */
static int64_t total(const sb_cluster *c, const char *ns, const char *shard, bool orphans, bool documents)
{
    const struct coll *k = sb_find_coll(c, ns);
    const struct shard *s = sb_find_shard(c, shard);
    int64_t sum = 0;
    if (k == NULL || s == NULL)
        return -1;
    for (guint i = 0; orphans && i < k->orphans->len; i++) {
        const struct orphans *o = k->orphans->pdata[i];
        if (o->shard == s)
            sum += documents ? o->documents : o->bytes;
    }
    for (guint i = 0; !orphans && i < k->chunks->len; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        if (ch->shard == s)
            sum += documents ? ch->documents : ch->bytes;
    }
    return sum;
}

int64_t sb_cluster_bytes(const sb_cluster *c, const char *ns, const char *shard)
{
    return total(c, ns, shard, false, false);
}

int64_t sb_cluster_documents(const sb_cluster *c, const char *ns, const char *shard)
{
    return total(c, ns, shard, false, true);
}

int64_t sb_cluster_orphan_bytes(const sb_cluster *c, const char *ns, const char *shard)
{
    return total(c, ns, shard, true, false);
}

int64_t sb_cluster_orphan_documents(const sb_cluster *c, const char *ns, const char *shard)
{
    return total(c, ns, shard, true, true);
}

/* The part of a chunk that lies in [min, max), 0 to 1. */
static double overlap(const struct chunk *ch, const struct bound *min, const struct bound *max)
{
    double from =
        sb_bound_cmp(min, ch->min) <= 0 ? 0 : sb_key_position(ch->coll, ch->min->doc, ch->max->doc, min->doc);
    double to =
        sb_bound_cmp(ch->max, max) <= 0 ? 1 : sb_key_position(ch->coll, ch->min->doc, ch->max->doc, max->doc);
    return MAX(to - from, 0);
}

/* Parts of chunks count by where the bound lies in them. */
bool sb_cluster_range_size(sb_cluster *c, const char *ns, const bson_t *min, const bson_t *max,
                           int64_t *ret_bytes, int64_t *ret_documents)
{
    const struct coll *k = sb_find_coll(c, ns);
    struct bound *low = k != NULL ? sb_bound_new(k->key, min, NULL) : NULL;
    struct bound *high = low != NULL ? sb_bound_new(k->key, max, NULL) : NULL;
    double bytes = 0, documents = 0;
    sb_grow(c);
    for (guint i = high != NULL ? sb_chunk_index(k, low) : 0; high != NULL && i < k->chunks->len; i++) {
        const struct chunk *ch = k->chunks->pdata[i];
        if (sb_bound_cmp(ch->min, high) >= 0)
            break;
        bytes += (double)ch->bytes * overlap(ch, low, high);
        documents += (double)ch->documents * overlap(ch, low, high);
    }
    bool good = high != NULL;
    if (good) {
        *ret_bytes = (int64_t)(bytes + 0.5);
        *ret_documents = (int64_t)(documents + 0.5);
    }
    sb_bound_unref(low);
    sb_bound_unref(high);
    return good;
}
