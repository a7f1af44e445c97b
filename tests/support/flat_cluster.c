// SPDX-License-Identifier: Apache-2.0
#include "tests/support/flat_cluster.h"

#include <string.h>

#define MIB ((int64_t)1024 * 1024)

/* Room between two keys, for splits. */
static const int64_t KEY_STEP = 1 << 20;

flat_cluster *flat_new(uint16_t n_shards, uint32_t n_colls)
{
    flat_cluster *f = g_new0(flat_cluster, 1);
    f->version = "7.0.14";
    f->chunk_bytes = 128 * MIB;
    f->sizes_known = true;
    f->n_shards = n_shards;
    f->n_colls = n_colls;
    f->shards = g_new0(struct flat_shard, n_shards);
    f->colls = g_new0(struct flat_coll, n_colls);
    for (uint16_t s = 0; s < n_shards; s++)
        f->shards[s].weight = 1;
    for (uint32_t i = 0; i < n_colls; i++)
        f->colls[i].pieces = g_array_new(FALSE, FALSE, sizeof(struct flat_piece));
    return f;
}

void flat_chunks(struct flat_coll *c, uint32_t n)
{
    c->n = n;
    c->key = g_new(int64_t, n);
    c->bytes = g_new0(int64_t, n);
    c->shard = g_new0(uint16_t, n);
    c->zone = g_new(uint8_t, n);
    c->flags = g_new0(uint8_t, n);
    c->came_from = g_new(uint16_t, n);
    memset(c->came_from, 0xff, n * sizeof *c->came_from);
    memset(c->zone, FLAT_NO_ZONE, n);
    for (uint32_t i = 0; i < n; i++)
        c->key[i] = (int64_t)i * KEY_STEP;
}

flat_cluster *flat_copy(const flat_cluster *f)
{
    flat_cluster *out = flat_new(f->n_shards, f->n_colls);
    out->version = f->version;
    out->chunk_bytes = f->chunk_bytes;
    out->sizes_known = f->sizes_known;
    out->threshold = f->threshold;
    out->together = f->together;
    memcpy(out->shards, f->shards, f->n_shards * sizeof *f->shards);
    for (uint32_t i = 0; i < f->n_colls; i++) {
        const struct flat_coll *from = &f->colls[i];
        struct flat_coll *to = &out->colls[i];
        flat_chunks(to, from->n);
        memcpy(to->key, from->key, from->n * sizeof *from->key);
        memcpy(to->bytes, from->bytes, from->n * sizeof *from->bytes);
        memcpy(to->shard, from->shard, from->n * sizeof *from->shard);
        memcpy(to->zone, from->zone, from->n);
        memcpy(to->flags, from->flags, from->n);
        memcpy(to->came_from, from->came_from, from->n * sizeof *from->came_from);
        g_array_append_vals(to->pieces, from->pieces->data, from->pieces->len);
    }
    return out;
}

void flat_free(flat_cluster *f)
{
    if (f == NULL)
        return;
    for (uint32_t i = 0; i < f->n_colls; i++) {
        g_free(f->colls[i].key);
        g_free(f->colls[i].bytes);
        g_free(f->colls[i].shard);
        g_free(f->colls[i].zone);
        g_free(f->colls[i].flags);
        g_free(f->colls[i].came_from);
        g_array_unref(f->colls[i].pieces);
    }
    for (uint16_t s = 0; s < f->n_shards && f->wishes != NULL; s++)
        g_free(f->wishes[s].shard);
    g_free(f->wishes);
    g_free(f->shards);
    g_free(f->colls);
    g_free(f);
}

bool flat_may_hold(const flat_cluster *f, uint16_t shard, uint8_t zone)
{
    const struct flat_shard *s = &f->shards[shard];
    return !s->draining && (zone == FLAT_NO_ZONE || (s->zones >> zone & 1) != 0);
}

bool flat_may_receive(const flat_cluster *f, uint16_t shard, uint8_t zone)
{
    return flat_may_hold(f, shard, zone) && !f->shards[shard].no_receive;
}

static void add_loads(const struct flat_coll *c, int64_t *ret)
{
    for (uint32_t i = 0; i < c->n; i++)
        ret[c->shard[i]] += c->bytes[i];
    for (guint i = 0; i < c->pieces->len; i++) {
        const struct flat_piece *p = &g_array_index(c->pieces, struct flat_piece, i);
        ret[p->shard] += p->bytes;
    }
}

void flat_loads(const flat_cluster *f, const struct flat_coll *c, int64_t *ret)
{
    memset(ret, 0, f->n_shards * sizeof *ret);
    for (uint32_t i = 0; i < f->n_colls; i++)
        if (c == NULL || c == &f->colls[i])
            add_loads(&f->colls[i], ret);
}

struct plan_options flat_options(flat_cluster *f, const struct policy *policy)
{
    struct plan_options opt = plan_options_default();
    opt.policy = policy;
    opt.until_balanced = true;
    opt.threshold_bytes = f->threshold;
    opt.balance_cluster = f->together;
    if (f->wishes == NULL)
        f->wishes = g_new0(struct shard_wish, f->n_shards);
    for (uint16_t s = 0; s < f->n_shards; s++) {
        const struct flat_shard *shard = &f->shards[s];
        g_free(f->wishes[s].shard);
        f->wishes[s] = (struct shard_wish){.shard = g_strdup_printf("s%03u", s),
                                           .weight = shard->weight,
                                           .max_bytes = shard->max_bytes,
                                           .receive = !shard->no_receive};
    }
    opt.shard_wishes = f->wishes;
    opt.n_shard_wishes = f->n_shards;
    return opt;
}

/* A bound of this plan: INT64_MIN for MinKey. */
static int64_t key_of(plan_bound bound)
{
    bson_t doc;
    bson_iter_t it;
    plan_bound_bson(bound, &doc);
    return bson_iter_init_find(&it, &doc, "k") && BSON_ITER_HOLDS_INT64(&it) ? bson_iter_int64(&it)
                                                                             : INT64_MIN;
}

/* The chunk that begins at the bound; UINT32_MAX: none. */
static uint32_t find_chunk(const struct flat_coll *c, plan_bound min)
{
    int64_t key = key_of(min);
    uint32_t low = 0, high = c->n;
    if (key == INT64_MIN)
        return c->n > 0 ? 0 : UINT32_MAX;
    while (low + 1 < high) {
        uint32_t mid = low + (high - low) / 2;
        if (c->key[mid] <= key)
            low = mid;
        else
            high = mid;
    }
    return low > 0 && low < c->n && c->key[low] == key ? low : UINT32_MAX;
}

/* The piece of the chunk on that shard; NULL: none. */
static struct flat_piece *find_piece(const struct flat_coll *c, uint32_t chunk, uint16_t shard)
{
    for (guint i = 0; (c->flags[chunk] & FLAT_CUT) != 0 && i < c->pieces->len; i++) {
        struct flat_piece *p = &g_array_index(c->pieces, struct flat_piece, i);
        if (p->chunk == chunk && p->shard == shard)
            return p;
    }
    return NULL;
}

struct carrying {
    flat_cluster *f;
    struct flat_replay *replay;
    int64_t *total;  /* per shard, all collections */
    uint32_t *round; /* per shard: the last round that it took part in */
    const struct plan_migration *m;
};

static char *break_of(const struct carrying *r, const char *what)
{
    return g_strdup_printf("migration %u of round %u, %s from s%03u to s%03u: %s", r->m->id, r->m->round,
                           r->m->coll->ns, r->m->from, r->m->to, what);
}

/* The rules that do not depend on which part of the chunk goes. */
static char *check_rules(const struct carrying *r, const struct flat_coll *c, uint32_t chunk)
{
    const struct plan_migration *m = r->m;
    const flat_cluster *f = r->f;
    int64_t max = f->shards[m->to].max_bytes;
    if (m->from == m->to)
        return break_of(r, "goes to where it is");
    if (r->round[m->from] == m->round || r->round[m->to] == m->round)
        return break_of(r, "a shard takes part twice in the round");
    if (f->shards[m->to].draining)
        return break_of(r, "the recipient is draining");
    if (f->shards[m->to].no_receive)
        return break_of(r, "the recipient is not to receive");
    if (!flat_may_hold(f, m->to, c->zone[chunk]))
        return break_of(r, "the recipient does not carry the zone");
    if ((c->flags[chunk] & FLAT_JUMBO) != 0)
        return break_of(r, "the chunk is jumbo");
    if (m->bytes < 0 || (m->bytes == 0 && c->bytes[chunk] > 0))
        return break_of(r, "it takes nothing");
    if (m->open_max && f->version[0] >= '6' && m->bytes > f->chunk_bytes / 3 * 4 + 4)
        return break_of(r, "more goes than a donor takes at once");
    if (r->replay->capacity && max > 0 && m->bytes > 0 && r->total[m->to] + m->bytes > max)
        return break_of(r, "the recipient would be over its maxBytes");
    return NULL;
}

static void note_return(const struct carrying *r, struct flat_coll *c, uint32_t chunk)
{
    if (c->came_from[chunk] != r->m->to)
        return;
    r->replay->returns++;
    r->replay->to_and_fro += (c->flags[chunk] & FLAT_AGAIN) != 0;
    c->flags[chunk] |= (c->flags[chunk] & FLAT_BACK) != 0 ? FLAT_AGAIN : FLAT_BACK;
}

/* Moves the piece, or the chunk, or its lower part. */
static char *move_range(const struct carrying *r, struct flat_coll *c, uint32_t chunk)
{
    const struct plan_migration *m = r->m;
    struct flat_piece *piece = find_piece(c, chunk, m->from);
    if (piece != NULL) {
        if (piece->bytes != m->bytes)
            return break_of(r, "a part of a part goes, or more than there is");
        piece->shard = m->to;
        r->replay->repeats++;
        return NULL;
    }
    if (c->shard[chunk] != m->from)
        return break_of(r, "the donor does not have the range");
    if (m->bytes > c->bytes[chunk])
        return break_of(r, "more goes than there is");
    if (m->bytes == c->bytes[chunk]) {
        r->replay->repeats += (c->flags[chunk] & FLAT_MOVED) != 0;
        note_return(r, c, chunk);
        c->flags[chunk] |= FLAT_MOVED;
        c->came_from[chunk] = m->from;
        c->shard[chunk] = m->to;
        return NULL;
    }
    if (!m->open_max)
        return break_of(r, "less goes than there is between its bounds");
    struct flat_piece cut = {.chunk = chunk, .shard = m->to, .bytes = m->bytes};
    r->replay->repeats += (c->flags[chunk] & FLAT_MOVED) != 0;
    g_array_append_val(c->pieces, cut);
    c->bytes[chunk] -= m->bytes;
    c->flags[chunk] |= FLAT_CUT;
    return NULL;
}

static char *carry_one(struct carrying *r)
{
    const struct plan_migration *m = r->m;
    struct flat_coll *c = &r->f->colls[m->coll->number];
    uint32_t chunk = find_chunk(c, m->min);
    if (chunk == UINT32_MAX)
        return break_of(r, "no chunk begins at its min");
    char *fault = check_rules(r, c, chunk);
    fault = fault != NULL ? fault : move_range(r, c, chunk);
    r->round[m->from] = r->round[m->to] = m->round;
    r->total[m->from] -= m->bytes;
    r->total[m->to] += m->bytes;
    return fault;
}

char *flat_carry_out(flat_cluster *f, const plan *p, struct flat_replay *replay)
{
    return flat_carry_out_some(f, p, p->migrations->len, replay);
}

char *flat_carry_out_some(flat_cluster *f, const plan *p, guint n, struct flat_replay *replay)
{
    g_autofree int64_t *total = g_new0(int64_t, f->n_shards);
    g_autofree uint32_t *round = g_new0(uint32_t, f->n_shards);
    struct carrying r = {.f = f, .replay = replay, .total = total, .round = round};
    uint32_t last = 0;
    char *fault = NULL;
    flat_loads(f, NULL, total);
    for (guint i = 0; i < n && fault == NULL; i++) {
        r.m = &g_array_index(p->migrations, struct plan_migration, i);
        fault = r.m->round < last ? break_of(&r, "rounds are out of order") : carry_one(&r);
        last = r.m->round;
    }
    return fault;
}

/* Puts one more chunk at `i`; its values are those of the chunk that stood there. */
static void insert_chunk(struct flat_coll *c, uint32_t i)
{
    uint32_t n = ++c->n, tail = n - 1 - i;
    c->key = g_renew(int64_t, c->key, n);
    c->bytes = g_renew(int64_t, c->bytes, n);
    c->shard = g_renew(uint16_t, c->shard, n);
    c->zone = g_renew(uint8_t, c->zone, n);
    c->flags = g_renew(uint8_t, c->flags, n);
    c->came_from = g_renew(uint16_t, c->came_from, n);
    memmove(c->key + i + 1, c->key + i, tail * sizeof *c->key);
    memmove(c->bytes + i + 1, c->bytes + i, tail * sizeof *c->bytes);
    memmove(c->shard + i + 1, c->shard + i, tail * sizeof *c->shard);
    memmove(c->zone + i + 1, c->zone + i, tail);
    memmove(c->flags + i + 1, c->flags + i, tail);
    memmove(c->came_from + i + 1, c->came_from + i, tail * sizeof *c->came_from);
}

void flat_split(struct flat_coll *c, uint32_t i, int64_t lower)
{
    int64_t end = i + 1 < c->n ? c->key[i + 1] : c->key[i] + KEY_STEP, bytes = c->bytes[i];
    double part = bytes > 0 ? (double)lower / (double)bytes : 0.5;
    int64_t at = c->key[i] + (int64_t)(part * (double)(end - c->key[i]));
    if (end - c->key[i] < 2)
        return;
    insert_chunk(c, i);
    c->bytes[i] = lower;
    c->bytes[i + 1] = bytes - lower;
    c->key[i + 1] = CLAMP(at, c->key[i] + 1, end - 1);
}

static int by_chunk_down(gconstpointer a, gconstpointer b)
{
    uint32_t x = ((const struct flat_piece *)a)->chunk, y = ((const struct flat_piece *)b)->chunk;
    return x > y ? -1 : x < y ? 1 : 0;
}

/* From the last chunk to the first, so that numbers stay right; the pieces of one chunk, which were cut off
 * from below one after the other, from the last cut to the first. */
static void settle_pieces(struct flat_coll *c)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct flat_piece));
    for (guint i = c->pieces->len; i > 0; i--)
        g_array_append_val(pieces, g_array_index(c->pieces, struct flat_piece, i - 1));
    g_array_set_size(c->pieces, 0);
    g_array_sort(pieces, by_chunk_down); /* stable */
    for (guint i = 0; i < pieces->len; i++) {
        const struct flat_piece *p = &g_array_index(pieces, struct flat_piece, i);
        c->bytes[p->chunk] += p->bytes;
        flat_split(c, p->chunk, p->bytes);
        c->came_from[p->chunk] = c->shard[p->chunk + 1];
        c->shard[p->chunk] = p->shard;
    }
}

void flat_settle(flat_cluster *f)
{
    for (uint32_t i = 0; i < f->n_colls; i++) {
        struct flat_coll *c = &f->colls[i];
        settle_pieces(c);
        for (uint32_t k = 0; k < c->n; k++)
            c->flags[k] &= FLAT_JUMBO | FLAT_BACK | FLAT_AGAIN;
    }
}
