// SPDX-License-Identifier: Apache-2.0
/* The built-in's own way with a collection, as the measure of ours: it is only one where it ends as even as
 * the thresholds ask, leaves no more where it must not be, and no shard's limit is in play, of which it knows
 * little. */
#include "balancer/policy/optimal_private.h"

static int64_t wrong_chunks(const struct coll_state *c, const placement *p)
{
    int64_t n = 0;
    for (uint32_t z = 0; z < c->n_slots; z++)
        for (uint16_t s = 0; s < c->n; s++)
            if ((c->fit[cell_of(c, z, s)] & FIT_LEAVE) != 0)
                n += p->slot_chunks[cell_of(c, z, s)] - p->slot_jumbo[cell_of(c, z, s)];
    return n;
}

static int64_t wrong_left(const struct coll_state *c)
{
    int64_t n = wrong_chunks(c, c->p);
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        n -= it->forced && it->part + 1 == optimal_parts(c, it->chunk) ? 1 : 0;
    }
    return n;
}

/* The fullest shard by its share, less 1. */
static double worst_ratio(const struct coll_state *c, const int64_t *load)
{
    double worst = 0;
    for (uint16_t s = 0; s < c->n; s++)
        if (c->goal->high[s] != INT64_MAX && c->goal->target[s] >= 1)
            worst = MAX(worst, (double)load[s] / c->goal->target[s] - 1);
    return worst;
}

/* It knows nothing of chunks that are too large to move, either. */
static bool moves_what_may_go(const struct coll_state *c)
{
    for (uint32_t i = 0; c->largest < INT64_MAX && i < c->p->chunks->n; i++)
        if (c->in->rival->shard_of[i] != c->p->shard_of[i] && !optimal_may_go(c, i))
            return false;
    return true;
}

static bool is_measure(const struct coll_state *c)
{
    if (c->in->rival == NULL || !c->rival_fits || !moves_what_may_go(c))
        return false;
    for (uint16_t s = 0; s < c->n; s++)
        if (c->limited[s])
            return false;
    return true;
}

void optimal_compare_rival(struct coll_state *c)
{
    const double EVEN = 1e-9;
    int64_t bytes = 0;
    c->goal->behind = c->goal->outdone = false;
    if (!is_measure(c))
        return;
    const int64_t ours = wrong_left(c), theirs = wrong_chunks(c, c->in->rival);
    for (guint i = 0; i < c->items->len; i++)
        bytes += g_array_index(c->items, struct item, i).bytes;
    if (theirs > ours)
        return;
    c->goal->behind =
        ours > theirs || bytes > c->in->rival_moved ||
        (c->is_spread && worst_ratio(c, c->load) > worst_ratio(c, c->in->rival->shard_bytes) + EVEN);
    c->goal->outdone = !c->goal->behind;
}

static void take(struct coll_state *c, uint32_t chunk, uint32_t part, uint16_t to, int64_t bytes)
{
    struct item it = optimal_item(c, chunk, part, bytes);
    optimal_place(c, &it, to);
    g_array_append_val(c->items, it);
}

/* A part that came back, or that stayed on the way, lies below others that went: such an end cannot be had in
 * one go. */
static bool has_detours(const struct coll_state *c, const placement *end)
{
    for (guint k = 0; k < end->pieces->len; k++) {
        const struct piece *p = &g_array_index(end->pieces, struct piece, k);
        if (p->shard == c->p->shard_of[p->chunk])
            return true;
    }
    return false;
}

void optimal_take_rival(struct coll_state *c)
{
    const placement *end = c->in->rival;
    if (!is_measure(c) || has_detours(c, end))
        return;
    optimal_take_all_back(c);
    g_autofree uint32_t *parts = g_new0(uint32_t, c->p->chunks->n);
    for (guint k = 0; k < end->pieces->len; k++) {
        const struct piece *p = &g_array_index(end->pieces, struct piece, k);
        take(c, p->chunk, parts[p->chunk]++, p->shard, p->bytes);
    }
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        const bool whole = parts[i] == 0; /* `count` moves large chunks as one, which donors refuse */
        const uint32_t n = whole ? optimal_parts(c, i) : 1;
        for (uint32_t k = 0; k < n && end->shard_of[i] != c->p->shard_of[i]; k++)
            take(c, i, parts[i] + k, end->shard_of[i],
                 whole ? optimal_part_bytes(c, i, k) : end->bytes_of[i]);
    }
    optimal_sort_items(c);
}
