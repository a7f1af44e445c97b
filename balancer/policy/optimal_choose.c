// SPDX-License-Identifier: Apache-2.0
/* Which chunks make up the amounts: what must leave, all of it; of the rest large ones first, so that there
 * are few migrations, neighbours in key order one after the other, so that they stay together, and the range
 * in which ascending keys grow last. */
#include "balancer/policy/optimal_private.h"

#include <stdlib.h>

/* Chunks that may go, of one slot on one shard that gives. */
struct offer {
    size_t cell;
    uint32_t first, n; /* into the list of chunks */
};

static bool gives(const struct coll_state *c, size_t cell)
{
    return (c->fit[cell] & FIT_LEAVE) != 0 || c->movable[cell] > c->amount[cell];
}

/* The chunks of all cells that give, cell by cell, in key order: counted, then filled in. */
static uint32_t *list_chunks(const struct coll_state *c, GArray *offers)
{
    const size_t cells = (size_t)c->n_slots * c->n;
    g_autofree uint32_t *end = g_new0(uint32_t, cells + 1);
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        const size_t at = cell_of(c, c->p->slot_of[i], c->p->shard_of[i]);
        if (gives(c, at) && optimal_may_go(c, i))
            end[at]++;
    }
    uint32_t sum = 0;
    for (size_t at = 0; at < cells; at++) {
        const struct offer o = {.cell = at, .first = sum, .n = end[at]};
        sum += end[at];
        end[at] = o.first;
        if (o.n > 0)
            g_array_append_val(offers, o);
    }
    uint32_t *list = g_new(uint32_t, MAX(sum, 1));
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        const size_t at = cell_of(c, c->p->slot_of[i], c->p->shard_of[i]);
        if (gives(c, at) && optimal_may_go(c, i))
            list[end[at]++] = i;
    }
    return list;
}

struct ranked {
    uint32_t chunk;
    bool hot;
    int64_t bytes; /* of its first part */
};

static int cmp_ranked(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->hot != b->hot)
        return a->hot ? 1 : -1;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk ? 1 : 0;
}

/* In the order in which they are taken; of one size, in key order. */
static struct ranked *rank(const struct coll_state *c, const uint32_t *list, uint32_t n)
{
    struct ranked *r = g_new(struct ranked, n);
    bool sorted = true;
    for (uint32_t i = 0; i < n; i++) {
        r[i] = (struct ranked){
            .chunk = list[i], .hot = whole_is_hot(c->p, list[i]), .bytes = optimal_part_bytes(c, list[i], 0)};
        sorted = sorted && (i == 0 || cmp_ranked(&r[i - 1], &r[i]) < 0);
    }
    if (!sorted)
        qsort(r, n, sizeof *r, cmp_ranked);
    return r;
}

/* One plan has no more than so many parts of large chunks. */
enum { PARTED_MAX = 100 * 1000 };

static void take(struct coll_state *c, uint32_t chunk, uint32_t part)
{
    if (part > 0 && c->items->len >= PARTED_MAX) {
        c->cut_short = true;
        return;
    }
    const struct item it = optimal_item(c, chunk, part, optimal_part_bytes(c, chunk, part));
    g_array_append_val(c->items, it);
}

/* Takes what fits into `amount`; of a chunk in parts, as many as fit. */
static void take_amount(struct coll_state *c, const struct offer *o, const uint32_t *list, int64_t amount)
{
    g_autofree struct ranked *r = rank(c, list + o->first, o->n);
    for (uint32_t i = 0; i < o->n && amount > 0; i++) {
        const uint32_t parts = optimal_parts(c, r[i].chunk);
        for (uint32_t k = 0; k < parts; k++) {
            const int64_t bytes = optimal_part_bytes(c, r[i].chunk, k);
            if (bytes > amount || bytes == 0)
                break;
            take(c, r[i].chunk, k);
            amount -= bytes;
        }
    }
}

static void take_all(struct coll_state *c, const struct offer *o, const uint32_t *list)
{
    for (uint32_t i = 0; i < o->n; i++) {
        const uint32_t chunk = list[o->first + i], parts = optimal_parts(c, chunk);
        for (uint32_t k = 0; k < parts; k++)
            take(c, chunk, k);
    }
}

void optimal_choose(struct coll_state *c)
{
    g_autoptr(GArray) offers = g_array_new(FALSE, FALSE, sizeof(struct offer));
    g_autofree uint32_t *list = list_chunks(c, offers);
    for (guint i = 0; i < offers->len; i++) {
        const struct offer *o = &g_array_index(offers, struct offer, i);
        if ((c->fit[o->cell] & FIT_LEAVE) != 0 && c->amount[o->cell] == 0)
            take_all(c, o, list);
        else
            take_amount(c, o, list, c->movable[o->cell] - c->amount[o->cell]);
    }
}
