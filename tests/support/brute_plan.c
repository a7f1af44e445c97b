// SPDX-License-Identifier: Apache-2.0
#include "tests/support/brute_plan.h"

#include <string.h>

enum { SHARDS_MAX = 4 };

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b ? 1 : 0;
}

int brute_compare(const struct brute_end *a, const struct brute_end *b)
{
    int c = compare(a->stuck, b->stuck);
    c = c != 0 ? c : compare(a->off, b->off);
    return c != 0 ? c : compare(a->moved, b->moved);
}

static int64_t off_band(const int64_t *load, const int64_t *low, const int64_t *high, uint16_t n)
{
    int64_t off = 0;
    for (uint16_t s = 0; s < n; s++)
        off += MAX(load[s] - high[s], 0) + MAX(low[s] - load[s], 0);
    return off;
}

static bool is_stuck(const flat_cluster *f, const struct flat_coll *c, uint32_t i, uint16_t shard)
{
    return (c->flags[i] & FLAT_JUMBO) == 0 && !flat_may_hold(f, shard, c->zone[i]);
}

struct brute_end brute_end_of(const flat_cluster *start, const flat_cluster *f, const int64_t *low,
                              const int64_t *high)
{
    const struct flat_coll *c = &f->colls[0];
    int64_t load[SHARDS_MAX] = {0};
    struct brute_end end = {0};
    flat_loads(f, c, load);
    end.off = off_band(load, low, high, f->n_shards);
    for (uint32_t i = 0; i < c->n; i++) {
        end.stuck += is_stuck(f, c, i, c->shard[i]) ? c->bytes[i] : 0;
        end.moved += c->shard[i] != start->colls[0].shard[i] ? c->bytes[i] : 0;
    }
    for (guint i = 0; i < c->pieces->len; i++)
        end.moved += g_array_index(c->pieces, struct flat_piece, i).bytes;
    return end;
}

struct search {
    const flat_cluster *f;
    const struct flat_coll *c;
    const int64_t *low, *high;
    int64_t load[SHARDS_MAX], got[SHARDS_MAX], room[SHARDS_MAX];
    struct brute_end best;
};

static void try_end(struct search *t, struct brute_end end)
{
    for (uint16_t s = 0; s < t->f->n_shards; s++)
        if (t->got[s] > 0 && t->got[s] > t->room[s])
            return;
    end.off = off_band(t->load, t->low, t->high, t->f->n_shards);
    if (brute_compare(&end, &t->best) < 0)
        t->best = end;
}

static void try_chunk(struct search *t, uint32_t i, struct brute_end end)
{
    if (i == t->c->n) {
        try_end(t, end);
        return;
    }
    int64_t bytes = t->c->bytes[i];
    for (uint16_t s = 0; s < t->f->n_shards; s++) {
        bool stays = s == t->c->shard[i];
        struct brute_end next = end;
        if (!stays && ((t->c->flags[i] & FLAT_JUMBO) != 0 || !flat_may_receive(t->f, s, t->c->zone[i])))
            continue;
        next.moved += stays ? 0 : bytes;
        next.stuck += stays && is_stuck(t->f, t->c, i, s) ? bytes : 0;
        t->load[s] += bytes;
        t->got[s] += stays ? 0 : bytes;
        try_chunk(t, i + 1, next);
        t->load[s] -= bytes;
        t->got[s] -= stays ? 0 : bytes;
    }
}

struct brute_end brute_best(const flat_cluster *f, const int64_t *low, const int64_t *high)
{
    struct search t = {
        .f = f, .c = &f->colls[0], .low = low, .high = high, .best = {INT64_MAX, INT64_MAX, INT64_MAX}};
    g_assert(f->n_shards <= SHARDS_MAX && f->n_colls == 1);
    flat_loads(f, NULL, t.room);
    for (uint16_t s = 0; s < f->n_shards; s++)
        t.room[s] = f->shards[s].max_bytes == 0 ? INT64_MAX : MAX(f->shards[s].max_bytes - t.room[s], 0);
    try_chunk(&t, 0, (struct brute_end){0});
    return t.best;
}
