// SPDX-License-Identifier: Apache-2.0
/* Sizes: read from the snapshot's own `sizes`, one value a shard, and shared out over the chunks at the end.
 * The bytes of a shard's chunks always add up to the shard's. */
#include "balancer/cluster/builder_private.h"

#include <string.h>

void size_doc_free(struct size_doc *s)
{
    g_free(s->ns);
    g_array_unref(s->rows);
    g_free(s);
}

/* A number, or the `bytes` of a document; its `orphanBytes` are of use and not needed. */
static bool read_size(const bson_iter_t *it, struct size_row *row)
{
    bson_iter_t field;
    row->orphan_bytes = SIZE_UNKNOWN;
    if (!BSON_ITER_HOLDS_DOCUMENT(it))
        return field_bytes(it, &row->bytes);
    if (bson_iter_recurse(it, &field) && bson_iter_find(&field, "orphanBytes"))
        field_bytes(&field, &row->orphan_bytes);
    return bson_iter_recurse(it, &field) && bson_iter_find(&field, "bytes") &&
           field_bytes(&field, &row->bytes);
}

static bool read_shard_size(builder *b, struct size_doc *s, const bson_iter_t *it, struct err *err)
{
    const char *shard = bson_iter_key(it);
    struct size_row row;
    if (shard[0] == '\0' || !g_utf8_validate(shard, -1, NULL))
        return err_set(err, ERR_DATA, "sizes of " NAME_FMT ": shard name " NAME_FMT " is empty or not UTF-8",
                       s->ns, shard);
    if (!read_size(it, &row))
        return err_set(err, ERR_DATA,
                       "sizes of " NAME_FMT " on shard " NAME_FMT
                       ": not a number of bytes from 0 to 1 PiB, nor a "
                       "document with one in `bytes`",
                       s->ns, shard);
    row.name = name_intern(b, shard);
    if (row.name == SHARD_NONE)
        return err_set(err, ERR_DATA, "sizes of " NAME_FMT ": there are more than 65534 names of shards",
                       s->ns);
    b->size_bytes += row.bytes + MAX(row.orphan_bytes, 0);
    if (b->size_bytes > SIZE_MAX_ALL)
        return err_set(err, ERR_DATA, "sizes of " NAME_FMT ": all sizes together are over 1 EiB", s->ns);
    g_array_append_val(s->rows, row);
    return true;
}

bool builder_sizes(builder *b, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    bson_iter_t it;
    if (!g_utf8_validate(ns, -1, NULL))
        return err_set(err, ERR_DATA, "sizes name a collection that is not UTF-8, " NAME_FMT, ns);
    if (g_hash_table_contains(b->size_index, ns))
        return err_set(err, ERR_DATA, "sizes of " NAME_FMT " are given twice", ns);
    if (!bson_iter_init_from_data(&it, doc, len))
        return err_set(err, ERR_DATA, "sizes of " NAME_FMT ": corrupt BSON", ns);
    struct size_doc *s = g_new0(struct size_doc, 1);
    s->ns = g_strdup(ns);
    s->rows = g_array_new(FALSE, FALSE, sizeof(struct size_row));
    g_ptr_array_add(b->sizes, s);
    g_hash_table_insert(b->size_index, s->ns, s);
    while (bson_iter_next(&it))
        if (!read_shard_size(b, s, &it, err))
            return false;
    return walk_complete(&it) || err_set(err, ERR_DATA, "sizes of " NAME_FMT ": corrupt BSON", ns);
}

static void add_orphans(struct shard *s, int64_t bytes)
{
    if (bytes >= 0)
        s->orphan_bytes = MAX(s->orphan_bytes, 0) + bytes;
}

/* Puts what was given into c->bytes; shards that were not given stay unknown. */
static bool give_sizes(builder *b, struct collection *c, const struct size_doc *s, struct err *err)
{
    g_autofree int64_t *bytes = g_new(int64_t, b->shards->len);
    for (guint i = 0; i < b->shards->len; i++)
        bytes[i] = SIZE_UNKNOWN;
    for (guint i = 0; i < s->rows->len; i++) {
        const struct size_row *row = &g_array_index(s->rows, struct size_row, i);
        const struct shard_name *n = name_at(b, row->name);
        if (n->number == SHARD_NONE) {
            warn_add(b, "sizesUnknownShard", c->ns,
                     "sizes name shard " NAME_FMT ", which is not in config.shards", n->name);
            continue;
        }
        if (bytes[n->number] != SIZE_UNKNOWN)
            return err_set(err, ERR_DATA, "sizes of " NAME_FMT " on shard " NAME_FMT " are given twice",
                           c->ns, n->name);
        bytes[n->number] = row->bytes;
        add_orphans(&g_array_index(b->shards, struct shard, n->number), row->orphan_bytes);
        c->sizes_known = true;
    }
    if (c->sizes_known)
        c->bytes = g_steal_pointer(&bytes);
    return true;
}

/* Of one collection on one shard. */
struct share {
    int64_t chunks, measured; /* number of chunks, and of those with a size of their own */
    int64_t measured_bytes;
    int64_t each, remainder; /* what goes to every chunk that takes part; one more to the first ones */
    bool all;                /* measured chunks take part, too */
};

static struct share *count_shares(const struct collection *c, guint n_shards)
{
    struct share *shares = g_new0(struct share, MAX(n_shards, 1));
    const struct chunks *ch = &c->chunks;
    for (uint32_t i = 0; i < ch->n; i++) {
        struct share *s = &shares[ch->shard[i]];
        s->chunks++;
        if (ch->flags[i] & CHUNK_MEASURED) {
            s->measured++;
            s->measured_bytes += ch->bytes[i];
        }
    }
    return shares;
}

/* Settles how a shard's bytes go to its chunks. Measurements that together exceed them are out of date and do
 * not count; where every chunk was measured, what is over is spread on top. */
static void settle_share(struct share *s, int64_t bytes)
{
    if (s->measured_bytes > bytes)
        s->measured = s->measured_bytes = 0;
    int64_t takers = s->chunks - s->measured;
    if (takers == 0) {
        takers = s->chunks;
        s->all = true;
    }
    s->each = (bytes - s->measured_bytes) / takers;
    s->remainder = (bytes - s->measured_bytes) % takers;
}

static void share_out(struct collection *c, struct share *shares)
{
    struct chunks *ch = &c->chunks;
    for (uint32_t i = 0; i < ch->n; i++) {
        struct share *s = &shares[ch->shard[i]];
        if (c->bytes[ch->shard[i]] == SIZE_UNKNOWN)
            continue;
        if (s->measured == 0)
            ch->flags[i] &= (uint8_t)~CHUNK_MEASURED;
        bool measured = (ch->flags[i] & CHUNK_MEASURED) != 0;
        if (measured && !s->all)
            continue;
        ch->bytes[i] = (measured ? ch->bytes[i] : 0) + s->each + (s->remainder > 0);
        if (s->remainder > 0)
            s->remainder--;
    }
}

static void share_collection(struct collection *c, guint n_shards)
{
    g_autofree struct share *shares = count_shares(c, n_shards);
    for (guint i = 0; i < n_shards; i++) {
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): c->bytes has n_shards elements
        if (c->bytes[i] == SIZE_UNKNOWN && shares[i].chunks == 0)
            c->bytes[i] = 0;
        else if (c->bytes[i] != SIZE_UNKNOWN && shares[i].chunks > 0)
            settle_share(&shares[i], c->bytes[i]);
    }
    share_out(c, shares);
}

bool builder_finish_sizes(builder *b, struct err *err)
{
    for (guint i = 0; i < b->collections->len; i++) {
        struct collection *c = &g_array_index(b->collections, struct collection, i);
        const struct size_doc *s = g_hash_table_lookup(b->size_index, c->ns);
        if (s == NULL)
            continue;
        if (!give_sizes(b, c, s, err))
            return false;
        if (c->sizes_known)
            share_collection(c, b->shards->len);
    }
    for (guint i = 0; i < b->sizes->len; i++) {
        const struct size_doc *s = b->sizes->pdata[i];
        if (!g_hash_table_contains(b->collection_index, s->ns))
            warn_add(b, "sizesUnknownNamespace", s->ns,
                     "sizes are given for a collection that is not in "
                     "config.collections");
    }
    return true;
}
