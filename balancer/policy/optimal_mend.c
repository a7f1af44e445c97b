// SPDX-License-Identifier: Apache-2.0
/* Amounts are met in whole chunks, so a little is left: a chunk too many here, one too few there. As long as
 * the loads get nearer to their bands one more goes; then what need not have gone comes back, or something
 * smaller goes in its place. */
#include "balancer/policy/optimal_private.h"

/* Chunks of a collection looked at in search of one more, over all searches; exchanges are for plans that one
 * could read. */
enum { LOOKS_MAX = 1000 * 1000, EXCHANGES_MAX = 20 * 1000 };

static int64_t all_miss(const struct coll_state *c)
{
    int64_t sum = 0;
    for (uint16_t s = 0; s < c->n; s++)
        sum += optimal_miss(c, s, c->load[s]);
    return sum;
}

/* Which chunks go already, in how many parts. */
static uint32_t *count_taken(const struct coll_state *c)
{
    uint32_t *taken = g_new0(uint32_t, c->p->chunks->n);
    for (guint i = 0; i < c->items->len; i++)
        taken[g_array_index(c->items, struct item, i).chunk]++;
    return taken;
}

/* Change of both misses when `bytes` go from one shard to another; negative: it gets better. */
static int64_t change(const struct coll_state *c, uint16_t from, uint16_t to, int64_t bytes)
{
    return optimal_miss(c, from, c->load[from] - bytes) + optimal_miss(c, to, c->load[to] + bytes) -
           optimal_miss(c, from, c->load[from]) - optimal_miss(c, to, c->load[to]);
}

/* Per slot, two shards that might take more: the one furthest below its band, and the one that lacks most of
 * its share. */
enum { TAKERS = 2 };

static void find_takers(const struct coll_state *c, uint16_t *ret)
{
    for (uint32_t z = 0; z < c->n_slots; z++) {
        uint16_t *out = ret + (size_t)z * TAKERS;
        int64_t most_below = 0;
        double most = 0;
        out[0] = out[1] = SHARD_NONE;
        for (uint16_t s = 0; s < c->n; s++) {
            const double lack = c->goal->target[s] - (double)c->load[s];
            const int64_t below = c->goal->low[s] - c->load[s];
            if ((c->fit[cell_of(c, z, s)] & FIT_TAKE) == 0 || c->room[s] <= 0)
                continue;
            if (below > most_below) {
                most_below = below;
                out[0] = s;
            }
            if (out[1] == SHARD_NONE || lack > most) {
                most = lack;
                out[1] = s;
            }
        }
    }
}

/* The best change found so far; of equals the smallest, the last range last. */
struct helper {
    struct item item;
    int64_t gets; /* negative: so much nearer to the bands */
    bool hot;
};

static void offer(const struct coll_state *c, const struct item *it, struct helper *best)
{
    const int64_t gets = change(c, it->from, it->to, it->bytes);
    const bool hot = whole_is_hot(c->p, it->chunk);
    if (it->bytes == 0 || gets >= 0 || gets > best->gets || !optimal_has_room(c, it->to, it))
        return;
    if (gets == best->gets && (hot > best->hot || (hot == best->hot && it->bytes >= best->item.bytes)))
        return;
    *best = (struct helper){*it, gets, hot};
}

/* The chunk, or the next part of one, whose going helps most. */
static bool find_helper(const struct coll_state *c, const uint32_t *taken, const uint16_t *takers,
                        struct helper *best)
{
    *best = (struct helper){.gets = 0};
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        const uint16_t from = c->p->shard_of[i];
        const uint32_t slot = c->p->slot_of[i];
        if (taken[i] >= optimal_parts(c, i) || !optimal_may_go(c, i))
            continue;
        for (size_t k = 0; k < TAKERS; k++) {
            const uint16_t to = takers[(size_t)slot * TAKERS + k];
            struct item it = optimal_item(c, i, taken[i], optimal_part_bytes(c, i, taken[i]));
            it.to = to;
            if (to != SHARD_NONE && to != from)
                offer(c, &it, best);
        }
    }
    return best->gets < 0;
}

/* The item that had better gone elsewhere; its index, or G_MAXUINT. */
static guint find_stray(const struct coll_state *c, const uint16_t *takers, uint16_t *ret_to)
{
    int64_t best = 0;
    guint found = G_MAXUINT;
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        for (size_t k = 0; k < TAKERS; k++) {
            const uint16_t to = takers[(size_t)it->slot * TAKERS + k];
            if (to == SHARD_NONE || to == it->to || to == it->from || !optimal_has_room(c, to, it) ||
                change(c, it->to, to, it->bytes) >= best)
                continue;
            best = change(c, it->to, to, it->bytes);
            found = i;
            *ret_to = to;
        }
    }
    return found;
}

/* One more goes, or one that goes goes elsewhere, as long as that brings the loads nearer to their bands. */
static void add_helpers(struct coll_state *c, uint32_t *taken)
{
    g_autofree uint16_t *takers = g_new(uint16_t, (size_t)c->n_slots * TAKERS);
    uint64_t looks = 0;
    for (uint32_t k = 0; k < 64 + 8u * c->n && looks < LOOKS_MAX && all_miss(c) > 0; k++) {
        struct helper best;
        uint16_t to = SHARD_NONE;
        find_takers(c, takers);
        looks += c->p->chunks->n;
        const guint stray = find_stray(c, takers, &to);
        if (stray != G_MAXUINT) {
            struct item *it = &g_array_index(c->items, struct item, stray);
            optimal_unplace(c, it);
            optimal_place(c, it, to);
        } else if (find_helper(c, taken, takers, &best)) {
            optimal_place(c, &best.item, best.item.to);
            g_array_append_val(c->items, best.item);
            taken[best.item.chunk]++;
        } else {
            break;
        }
    }
}

/* Whether no part above this one goes, so that it can stay alone. */
static bool is_last_part(const struct item *it, const uint32_t *taken)
{
    return it->part + 1 == taken[it->chunk];
}

/* Takes back what is not needed. */
static void take_back(struct coll_state *c, uint32_t *taken)
{
    for (guint i = c->items->len; i > 0; i--) {
        struct item *it = &g_array_index(c->items, struct item, i - 1);
        if (it->forced || !is_last_part(it, taken) || change(c, it->to, it->from, it->bytes) > 0)
            continue;
        optimal_unplace(c, it);
        taken[it->chunk]--;
    }
    optimal_drop_unplaced(c);
}

/* Two that go opposite ways only change places, which what else goes may have made needless; the more so as
 * half of such a pair carried out would call for the other half to be undone. */
enum { PAIRS_MAX = 1500 };

static void take_pairs_back(struct coll_state *c, uint32_t *taken)
{
    for (guint i = 0; i < c->items->len && c->items->len <= PAIRS_MAX; i++) {
        struct item *a = &g_array_index(c->items, struct item, i);
        for (guint k = 0; k < i && a->to != SHARD_NONE && !a->forced && is_last_part(a, taken); k++) {
            struct item *b = &g_array_index(c->items, struct item, k);
            const int64_t less = a->bytes - b->bytes;
            if (b->to != a->from || b->from != a->to || b->forced || !is_last_part(b, taken) ||
                change(c, a->to, a->from, less) > 0)
                continue;
            optimal_unplace(c, a);
            optimal_unplace(c, b);
            taken[a->chunk]--;
            taken[b->chunk]--;
        }
    }
    optimal_drop_unplaced(c);
}

struct sized {
    int64_t bytes;
    uint32_t chunk;
    uint64_t cell;
};

static int by_cell_and_size(gconstpointer pa, gconstpointer pb)
{
    const struct sized *a = pa, *b = pb;
    if (a->cell != b->cell)
        return a->cell < b->cell ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk ? 1 : 0;
}

/* The first chunk of the cell with at least so many bytes that does not go; NULL: none. */
static const struct sized *find_sized(const GArray *all, uint64_t cell, int64_t bytes, const uint32_t *taken)
{
    guint low = 0, high = all->len;
    const struct sized key = {.bytes = bytes, .chunk = 0, .cell = cell};
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        if (by_cell_and_size(&g_array_index(all, struct sized, middle), &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < all->len; low++) {
        const struct sized *s = &g_array_index(all, struct sized, low);
        if (s->cell != cell)
            return NULL;
        if (taken[s->chunk] == 0)
            return s;
    }
    return NULL;
}

static GArray *list_sizes(const struct coll_state *c)
{
    g_autofree bool *donor = g_new0(bool, (size_t)c->n_slots * c->n);
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct sized));
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        donor[cell_of(c, it->slot, it->from)] |= !it->forced;
    }
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        const size_t at = cell_of(c, c->p->slot_of[i], c->p->shard_of[i]);
        const struct sized s = {c->p->bytes_of[i], i, at};
        if (donor[at] && optimal_may_go(c, i) && optimal_parts(c, i) == 1)
            g_array_append_val(all, s);
    }
    g_array_sort(all, by_cell_and_size);
    return all;
}

/* Sends a smaller chunk in the place of a larger one where both bands allow it. */
static void exchange(struct coll_state *c, uint32_t *taken)
{
    g_autoptr(GArray) all = list_sizes(c);
    for (guint i = 0; i < c->items->len; i++) {
        struct item *it = &g_array_index(c->items, struct item, i);
        const int64_t slack = MIN(c->goal->high[it->from] - c->load[it->from], /* what may stay */
                                  c->load[it->to] - c->goal->low[it->to]);
        if (it->forced || it->part > 0 || optimal_parts(c, it->chunk) > 1 || slack <= 0 ||
            c->unknown[it->from])
            continue;
        const struct sized *s = find_sized(all, cell_of(c, it->slot, it->from), it->bytes - slack, taken);
        if (s == NULL || s->bytes >= it->bytes || s->bytes == 0)
            continue;
        const uint16_t to = it->to;
        optimal_unplace(c, it);
        taken[it->chunk] = 0;
        it->chunk = s->chunk;
        it->bytes = s->bytes;
        taken[it->chunk] = 1;
        optimal_place(c, it, to);
    }
}

static int by_chunk_and_part(gconstpointer pa, gconstpointer pb)
{
    const struct item *a = pa, *b = pb;
    if (a->chunk != b->chunk)
        return a->chunk < b->chunk ? -1 : 1;
    return a->part < b->part ? -1 : a->part > b->part ? 1 : 0;
}

void optimal_sort_items(struct coll_state *c)
{
    g_array_sort(c->items, by_chunk_and_part);
}

void optimal_mend(struct coll_state *c)
{
    g_autofree uint32_t *taken = count_taken(c);
    add_helpers(c, taken);
    optimal_sort_items(c);
    take_back(c, taken);
    take_pairs_back(c, taken);
    if (c->items->len <= EXCHANGES_MAX && c->unit == 0)
        exchange(c, taken);
    optimal_sort_items(c);
}
