// SPDX-License-Identifier: Apache-2.0
/* Of few chunks, all ways are tried: every chunk on every shard that may have it. The best leaves least where
 * it must not be, then has the loads nearest to their bands, then moves the fewest bytes, then takes the
 * fewest rounds, then the fewest migrations. Ways that are equal in all that differ in what follows: loads
 * nearer to their shares, the range in which ascending keys grow left alone, neighbours together; then the
 * first found. */
#include "balancer/policy/optimal_private.h"

#include <math.h>
#include <string.h>

enum { CHUNKS_MAX = 16 };

struct worth {
    int64_t wrong, miss, bytes;
    uint32_t rounds, moves;
    int64_t off; /* sum of the distances from the shares; this and what follows: only looked at in a tie */
    bool hot;    /* the range that ends the key space goes */
    uint32_t borders; /* neighbours on different shards, next to a chunk that may go */
};

struct search {
    struct coll_state *c;
    uint32_t n;
    uint32_t chunk[CHUNKS_MAX];
    uint16_t to[CHUNKS_MAX], best[CHUNKS_MAX];
    int64_t *load, *room;
    uint32_t *degree;
    struct worth now, found;
    bool any;
};

static int compare(const struct worth *a, const struct worth *b)
{
    if (a->wrong != b->wrong)
        return a->wrong < b->wrong ? -1 : 1;
    if (a->miss != b->miss)
        return a->miss < b->miss ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    if (a->rounds != b->rounds)
        return a->rounds < b->rounds ? -1 : 1;
    return a->moves < b->moves ? -1 : a->moves > b->moves ? 1 : 0;
}

/* Of two that are equal by compare(). */
static int compare_ties(const struct worth *a, const struct worth *b)
{
    if (a->off != b->off)
        return a->off < b->off ? -1 : 1;
    if (a->hot != b->hot)
        return a->hot ? 1 : -1;
    return a->borders < b->borders ? -1 : a->borders > b->borders ? 1 : 0;
}

static uint32_t count_borders(const struct search *s)
{
    const placement *p = s->c->p;
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->n; k++) {
        const uint32_t i = s->chunk[k];
        const bool movable_before = k > 0 && s->chunk[k - 1] + 1 == i;
        const bool movable_after = k + 1 < s->n && s->chunk[k + 1] == i + 1;
        if (i > 0)
            n += s->to[k] != (movable_before ? s->to[k - 1] : p->shard_of[i - 1]) ? 1 : 0;
        if (i + 1 < p->chunks->n && !movable_after) /* else it is counted with that one */
            n += s->to[k] != p->shard_of[i + 1] ? 1 : 0;
    }
    return n;
}

static void judge_ties(const struct search *s, struct worth *w)
{
    const struct coll_state *c = s->c;
    const uint32_t last = s->chunk[s->n - 1];
    for (uint16_t k = 0; k < c->n; k++)
        if (c->goal->high[k] != INT64_MAX)
            w->off += (int64_t)fabs((double)s->load[k] - c->goal->target[k]);
    w->hot = whole_is_hot(c->p, last) && s->to[s->n - 1] != c->p->shard_of[last];
    w->borders = count_borders(s);
}

static void judge(struct search *s)
{
    struct worth w = s->now;
    for (uint16_t k = 0; k < s->c->n; k++) {
        w.miss += optimal_miss(s->c, k, s->load[k]);
        w.rounds = MAX(w.rounds, s->degree[k]);
    }
    const int by = s->any ? compare(&w, &s->found) : -1;
    if (by > 0)
        return;
    judge_ties(s, &w);
    if (by == 0 && compare_ties(&w, &s->found) >= 0)
        return;
    s->any = true;
    s->found = w;
    memcpy(s->best, s->to, s->n * sizeof s->to[0]);
}

static void try_from(struct search *s, uint32_t k);

/* One chunk on one shard, then all the others. */
static void try_on(struct search *s, uint32_t k, uint16_t to)
{
    const struct coll_state *c = s->c;
    const uint16_t from = c->p->shard_of[s->chunk[k]];
    const int64_t bytes = c->p->bytes_of[s->chunk[k]];
    const struct worth before = s->now;
    s->to[k] = to;
    if (to == from) {
        if ((c->fit[cell_of(c, c->p->slot_of[s->chunk[k]], from)] & FIT_LEAVE) != 0)
            s->now.wrong += bytes + 1;
        try_from(s, k + 1);
    } else if ((s->room[to] > 0 && s->room[to] >= bytes)) {
        s->now.bytes += bytes;
        s->now.moves++;
        s->degree[from]++;
        s->degree[to]++;
        s->load[from] -= c->unknown[from] ? 0 : bytes;
        s->load[to] += bytes;
        s->room[to] -= s->room[to] == INT64_MAX ? 0 : bytes;
        try_from(s, k + 1);
        s->room[to] += s->room[to] == INT64_MAX ? 0 : bytes;
        s->load[to] -= bytes;
        s->load[from] += c->unknown[from] ? 0 : bytes;
        s->degree[to]--;
        s->degree[from]--;
    }
    s->now = before;
}

/* As deep as there are chunks, CHUNKS_MAX at most. */
static void try_from(struct search *s, uint32_t k)
{
    const struct coll_state *c = s->c;
    if (k == s->n) {
        judge(s);
        return;
    }
    const uint16_t from = c->p->shard_of[s->chunk[k]];
    const uint32_t slot = c->p->slot_of[s->chunk[k]];
    try_on(s, k, from);
    for (uint16_t to = 0; to < c->n; to++)
        if (to != from && (c->fit[cell_of(c, slot, to)] & FIT_TAKE) != 0)
            try_on(s, k, to);
}

/* The chunks that may go; false: too many ways. */
static bool list_chunks(struct search *s, double ways)
{
    const struct coll_state *c = s->c;
    double n = 1;
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        if (!optimal_may_go(c, i))
            continue;
        if (s->n == CHUNKS_MAX || optimal_parts(c, i) > 1)
            return false;
        uint32_t takers = 1;
        for (uint16_t to = 0; to < c->n; to++)
            takers += (c->fit[cell_of(c, c->p->slot_of[i], to)] & FIT_TAKE) != 0 ? 1 : 0;
        n *= takers;
        if (n > ways)
            return false;
        s->chunk[s->n++] = i;
    }
    return s->n > 0;
}

static void take_best(struct search *s)
{
    struct coll_state *c = s->c;
    for (uint32_t k = 0; k < s->n; k++) {
        const uint32_t i = s->chunk[k];
        struct item it = optimal_item(c, i, 0, c->p->bytes_of[i]);
        if (s->best[k] == it.from)
            continue;
        optimal_place(c, &it, s->best[k]);
        g_array_append_val(c->items, it);
    }
}

void optimal_exact(struct coll_state *c, double ways)
{
    struct search s = {.c = c};
    if (!list_chunks(&s, ways))
        return;
    optimal_take_all_back(c);
    s.load = g_memdup2(c->load, c->n * sizeof *c->load);
    s.room = g_memdup2(c->room, c->n * sizeof *c->room);
    s.degree = g_memdup2(c->degree, c->n * sizeof *c->degree);
    try_from(&s, 0);
    take_best(&s);
    g_free(s.load);
    g_free(s.room);
    g_free(s.degree);
}
