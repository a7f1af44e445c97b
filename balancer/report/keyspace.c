// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/keyspace.h"

#include "balancer/key/encode.h"

#include <string.h>

void moves_by_collection_init(struct moves_by_collection *m, const plan *p)
{
    const uint32_t n = p->cl->n_collections;
    m->order = g_new0(uint32_t, MAX(p->migrations->len, 1U));
    m->first = g_new0(uint32_t, (gsize)n + 2);
    for (guint i = 0; i < p->migrations->len; i++)
        m->first[g_array_index(p->migrations, struct plan_migration, i).coll->number + 2]++;
    for (uint32_t i = 2; i < n + 2; i++)
        m->first[i] += m->first[i - 1];
    /* Each place moves on as it is filled, and so ends at the next one's beginning. */
    for (guint i = 0; i < p->migrations->len; i++)
        m->order[m->first[g_array_index(p->migrations, struct plan_migration, i).coll->number + 1]++] = i;
}

void moves_by_collection_clear(struct moves_by_collection *m)
{
    g_free(m->order);
    g_free(m->first);
}

/* A bound's encoding, in the arena. */
struct key {
    uint32_t at, len;
};

struct range_move {
    struct key min, max;
    const struct plan_migration *m;
};

/* A migration with an end that only the donor will know. */
struct open_move {
    uint32_t chunk;
    const struct plan_migration *m;
};

struct keyspace {
    const struct collection *coll;
    bool use_zones, by_bytes;
    GByteArray *arena;
    GArray *moves; /* struct range_move, by min */
    GArray *open;  /* struct open_move, by chunk and number */
    GArray *cuts;  /* struct key: bounds inside of chunks, ascending, none twice */
};

static int cmp_keys(const keyspace *k, struct key a, struct key b)
{
    return key_cmp(k->arena->data + a.at, a.len, k->arena->data + b.at, b.len);
}

static gint by_key(gconstpointer a, gconstpointer b, gpointer k)
{
    return cmp_keys(k, *(const struct key *)a, *(const struct key *)b);
}

static gint by_min(gconstpointer a, gconstpointer b, gpointer k)
{
    const struct range_move *x = a, *y = b;
    const int c = cmp_keys(k, x->min, y->min);
    return c != 0 ? c : (x->m->id > y->m->id) - (x->m->id < y->m->id);
}

static gint by_chunk(gconstpointer a, gconstpointer b)
{
    const struct open_move *x = a, *y = b;
    if (x->chunk != y->chunk)
        return x->chunk < y->chunk ? -1 : 1;
    return (x->m->id > y->m->id) - (x->m->id < y->m->id);
}

static bool keep_bound(keyspace *k, plan_bound bound, struct key *ret)
{
    bson_t doc;
    plan_bound_bson(bound, &doc);
    ret->at = k->arena->len;
    if (!key_encode_bound(bson_get_data(&doc), doc.len, k->coll->key->names, k->arena, NULL, NULL))
        return false;
    ret->len = k->arena->len - ret->at;
    return true;
}

static struct key keep_bytes(keyspace *k, GBytes *bytes)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);
    const struct key key = {k->arena->len, (uint32_t)len};
    g_byte_array_append(k->arena, data, (guint)len);
    return key;
}

/* Notes a bound that is no chunk's. */
static void add_cut(keyspace *k, struct key key)
{
    uint32_t chunk;
    const struct chunks *ch = &k->coll->chunks;
    const uint8_t *enc = k->arena->data + key.at;
    g_autoptr(GByteArray) end = g_byte_array_new();
    if (chunks_find_bound(ch, enc, key.len, &chunk))
        return;
    key_encode_global(k->coll->key, true, end);
    if (key_cmp(enc, key.len, end->data, end->len) < 0)
        g_array_append_val(k->cuts, key);
}

static void add_move(keyspace *k, const struct plan_migration *m)
{
    struct range_move r = {.m = m};
    if (!keep_bound(k, m->min, &r.min) || !keep_bound(k, m->max, &r.max))
        return;
    if (m->open_min || m->open_max) {
        const struct open_move o = {chunks_find(&k->coll->chunks, k->arena->data + r.min.at, r.min.len), m};
        g_array_append_val(k->open, o);
        return;
    }
    g_array_append_val(k->moves, r);
    add_cut(k, r.min);
    add_cut(k, r.max);
}

static void sort_all(keyspace *k)
{
    g_array_sort_with_data(k->moves, by_min, k);
    g_array_sort(k->open, by_chunk);
    g_array_sort_with_data(k->cuts, by_key, k);
    guint n = 0;
    for (guint i = 0; i < k->cuts->len; i++) {
        const struct key key = g_array_index(k->cuts, struct key, i);
        if (n == 0 || cmp_keys(k, g_array_index(k->cuts, struct key, n - 1), key) != 0)
            g_array_index(k->cuts, struct key, n++) = key;
    }
    g_array_set_size(k->cuts, n);
}

static bool sizes_of_all(const struct chunks *ch)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < ch->n; i++) {
        if (ch->bytes[i] < 0)
            return false;
        total += ch->bytes[i];
    }
    return total > 0;
}

keyspace *keyspace_new(const plan *p, const struct plan_collection *c,
                       const struct moves_by_collection *moves)
{
    const struct collection *coll = c->coll;
    if (coll->key == NULL || coll->chunks.n == 0)
        return NULL;
    keyspace *k = g_new0(keyspace, 1);
    k->coll = coll;
    k->use_zones = c->zones != NULL && c->zones->len > 0;
    k->by_bytes = coll->chunks.bytes != NULL && sizes_of_all(&coll->chunks);
    k->arena = g_byte_array_new();
    k->moves = g_array_new(FALSE, FALSE, sizeof(struct range_move));
    k->open = g_array_new(FALSE, FALSE, sizeof(struct open_move));
    k->cuts = g_array_new(FALSE, FALSE, sizeof(struct key));
    for (uint32_t i = moves->first[coll->number]; i < moves->first[coll->number + 1]; i++)
        add_move(k, &g_array_index(p->migrations, struct plan_migration, moves->order[i]));
    for (uint32_t i = 0; k->use_zones && i < coll->n_ranges; i++) {
        add_cut(k, keep_bytes(k, coll->ranges[i].enc_min));
        add_cut(k, keep_bytes(k, coll->ranges[i].enc_max));
    }
    sort_all(k);
    return k;
}

void keyspace_free(keyspace *k)
{
    if (k == NULL)
        return;
    g_byte_array_unref(k->arena);
    g_array_unref(k->moves);
    g_array_unref(k->open);
    g_array_unref(k->cuts);
    g_free(k);
}

bool keyspace_by_bytes(const keyspace *k)
{
    return k->by_bytes;
}

/* ---- the walk ---- */

struct walk {
    const keyspace *k;
    keyspace_visit visit;
    void *ctx;
    uint32_t range;             /* the zone range looked at */
    guint next_move, cut, open; /* the first not yet come to */
    GArray *active;             /* struct range_move that hold the current key */
};

static uint32_t zone_at(struct walk *w, const uint8_t *enc, uint32_t len)
{
    const struct collection *c = w->k->coll;
    gsize n;
    while (w->k->use_zones && w->range < c->n_ranges) {
        const uint8_t *max = g_bytes_get_data(c->ranges[w->range].enc_max, &n);
        if (key_cmp(enc, len, max, (uint32_t)n) < 0) {
            const uint8_t *min = g_bytes_get_data(c->ranges[w->range].enc_min, &n);
            return key_cmp(enc, len, min, (uint32_t)n) >= 0 ? c->ranges[w->range].zone : ZONE_NONE;
        }
        w->range++;
    }
    return ZONE_NONE;
}

/* The last migration that takes the key along. */
static const struct plan_migration *move_at(struct walk *w, const uint8_t *enc, uint32_t len)
{
    const keyspace *k = w->k;
    const struct plan_migration *last = NULL;
    for (; w->next_move < k->moves->len; w->next_move++) {
        const struct range_move *r = &g_array_index(k->moves, struct range_move, w->next_move);
        if (key_cmp(k->arena->data + r->min.at, r->min.len, enc, len) > 0)
            break;
        g_array_append_val(w->active, *r);
    }
    for (guint i = w->active->len; i > 0; i--) {
        const struct range_move *r = &g_array_index(w->active, struct range_move, i - 1);
        if (key_cmp(k->arena->data + r->max.at, r->max.len, enc, len) <= 0)
            g_array_remove_index_fast(w->active, i - 1);
        else if (last == NULL || r->m->id > last->id)
            last = r->m;
    }
    return last;
}

static void visit_part(struct walk *w, uint32_t chunk, const uint8_t *enc, uint32_t len, double width)
{
    const uint16_t shard = w->k->coll->chunks.shard[chunk];
    struct keyspace_part part = {
        .chunk = chunk, .before = shard, .after = shard, .zone = zone_at(w, enc, len)};
    part.move = move_at(w, enc, len);
    const struct plan_migration *whole = part.move;
    for (; w->open < w->k->open->len; w->open++) {
        const struct open_move *o = &g_array_index(w->k->open, struct open_move, w->open);
        if (o->chunk > chunk)
            break;
        part.width = w->k->by_bytes && o->m->bytes >= 0 ? MIN((double)o->m->bytes, width) : width / 2;
        part.move = o->m;
        part.after = o->m->to;
        width -= part.width;
        w->visit(&part, w->ctx);
    }
    part.move = whole;
    part.after = whole == NULL ? shard : whole->to;
    part.width = width;
    w->visit(&part, w->ctx);
}

/* How many cuts lie inside of the chunk. */
static guint cuts_in(const struct walk *w, uint32_t chunk)
{
    const keyspace *k = w->k;
    guint n = 0;
    if (chunk + 1 >= k->coll->chunks.n)
        return k->cuts->len - w->cut;
    uint32_t len;
    const uint8_t *end = chunk_enc(&k->coll->chunks, chunk + 1, &len);
    for (; w->cut + n < k->cuts->len; n++) {
        const struct key key = g_array_index(k->cuts, struct key, w->cut + n);
        if (key_cmp(k->arena->data + key.at, key.len, end, len) >= 0)
            break;
    }
    return n;
}

void keyspace_walk(const keyspace *k, keyspace_visit visit, void *ctx)
{
    const struct chunks *ch = &k->coll->chunks;
    struct walk w = {.k = k, .visit = visit, .ctx = ctx};
    w.active = g_array_new(FALSE, FALSE, sizeof(struct range_move));
    for (uint32_t i = 0; i < ch->n; i++) {
        uint32_t len;
        const uint8_t *enc = chunk_enc(ch, i, &len);
        const guint n = cuts_in(&w, i);
        const double width = (k->by_bytes ? (double)ch->bytes[i] : 1) / (n + 1);
        visit_part(&w, i, enc, len, width);
        for (guint c = 0; c < n; c++) {
            const struct key key = g_array_index(k->cuts, struct key, w.cut + c);
            visit_part(&w, i, k->arena->data + key.at, key.len, width);
        }
        w.cut += n;
    }
    g_array_unref(w.active);
}
