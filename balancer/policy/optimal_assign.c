// SPDX-License-Identifier: Apache-2.0
/* Who receives what: each slot's items in key order, so that neighbours stay neighbours, go to the shard that
 * has the range before already, as long as it lacks something, else to the one that lacks most. */
#include "balancer/policy/optimal_private.h"

#include <string.h>

struct assigning {
    struct coll_state *c;
    int64_t *lacks;   /* per shard, of the slot in hand */
    uint16_t *takers; /* shards that may take of the slot in hand */
    uint32_t n_takers;
    uint16_t last; /* who got the item before; SHARD_NONE */
    uint32_t last_chunk;
};

struct item optimal_item(const struct coll_state *c, uint32_t chunk, uint32_t part, int64_t bytes)
{
    const uint32_t slot = c->p->slot_of[chunk];
    const uint16_t from = c->p->shard_of[chunk];
    return (struct item){.chunk = chunk,
                         .part = part,
                         .bytes = bytes,
                         .slot = slot,
                         .from = from,
                         .to = SHARD_NONE,
                         .forced = (c->fit[cell_of(c, slot, from)] & FIT_LEAVE) != 0};
}

/* Parts of a chunk may change places, so each is taken for the largest of them. */
static int64_t room_for(const struct coll_state *c, const struct item *it)
{
    const uint32_t parts = optimal_parts(c, it->chunk);
    return parts == 1 ? it->bytes
                      : MAX(optimal_part_bytes(c, it->chunk, 0), optimal_part_bytes(c, it->chunk, parts - 1));
}

bool optimal_has_room(const struct coll_state *c, uint16_t shard, const struct item *it)
{
    /* A full shard does not even take what is empty. */
    return c->room[shard] > 0 && (c->room[shard] == INT64_MAX || c->room[shard] >= room_for(c, it));
}

static bool is_in_band(const struct coll_state *c, uint16_t shard, int64_t bytes)
{
    return c->load[shard] + bytes <= c->goal->high[shard];
}

/* The owner of the range just before the item, as it will be. */
static uint16_t neighbour(const struct assigning *a, const struct item *it)
{
    if (a->last != SHARD_NONE && (a->last_chunk == it->chunk || a->last_chunk + 1 == it->chunk))
        return a->last;
    return it->chunk > 0 ? a->c->p->shard_of[it->chunk - 1] : SHARD_NONE;
}

/* Who has room in its band before who has not; of those who lack all of it, who takes part in the fewest
 * migrations; then who lacks most. */
static bool is_better_taker(const struct assigning *a, const struct item *it, uint16_t s, uint16_t than)
{
    const struct coll_state *c = a->c;
    const bool fits = is_in_band(c, s, it->bytes), than_fits = is_in_band(c, than, it->bytes);
    const bool lacks = a->lacks[s] >= it->bytes, than_lacks = a->lacks[than] >= it->bytes;
    if (fits != than_fits)
        return fits;
    if (lacks && than_lacks && c->degree[s] != c->degree[than])
        return c->degree[s] < c->degree[than];
    return a->lacks[s] > a->lacks[than];
}

static uint16_t choose_taker(const struct assigning *a, const struct item *it)
{
    const struct coll_state *c = a->c;
    const uint16_t near = neighbour(a, it);
    uint16_t best = SHARD_NONE;
    if (near != SHARD_NONE && near != it->from && (c->fit[cell_of(c, it->slot, near)] & FIT_TAKE) != 0 &&
        a->lacks[near] >= (it->bytes + 1) / 2 && a->lacks[near] > 0 && optimal_has_room(c, near, it) &&
        is_in_band(c, near, it->bytes))
        return near;
    for (uint32_t i = 0; i < a->n_takers; i++) {
        const uint16_t s = a->takers[i];
        if (s == it->from || !optimal_has_room(c, s, it))
            continue;
        if (best == SHARD_NONE || is_better_taker(a, it, s, best))
            best = s;
    }
    return best;
}

/* What both bands gain, bytes; negative: they lose. */
static int64_t gain(const struct coll_state *c, const struct item *it, uint16_t to)
{
    return optimal_miss(c, it->from, c->load[it->from]) + optimal_miss(c, to, c->load[to]) -
           optimal_miss(c, it->from, c->load[it->from] - it->bytes) -
           optimal_miss(c, to, c->load[to] + it->bytes);
}

void optimal_place(struct coll_state *c, struct item *it, uint16_t to)
{
    it->to = to;
    c->degree[it->from]++;
    c->degree[to]++;
    c->load[it->from] -= c->unknown[it->from] ? 0 : it->bytes;
    c->load[to] += it->bytes;
    if (c->room[to] != INT64_MAX)
        c->room[to] -= room_for(c, it);
}

void optimal_unplace(struct coll_state *c, struct item *it)
{
    c->degree[it->from]--;
    c->degree[it->to]--;
    c->load[it->from] += c->unknown[it->from] ? 0 : it->bytes;
    c->load[it->to] -= it->bytes;
    if (c->room[it->to] != INT64_MAX)
        c->room[it->to] += room_for(c, it);
    it->to = SHARD_NONE;
}

void optimal_take_all_back(struct coll_state *c)
{
    for (guint i = 0; i < c->items->len; i++)
        optimal_unplace(c, &g_array_index(c->items, struct item, i));
    g_array_set_size(c->items, 0);
}

static void assign(struct assigning *a, struct item *it)
{
    struct coll_state *c = a->c;
    const uint16_t to = choose_taker(a, it);
    if (to == SHARD_NONE || (!it->forced && gain(c, it, to) < 0))
        return;
    optimal_place(c, it, to);
    a->lacks[to] -= it->bytes;
    a->last = to;
    a->last_chunk = it->chunk;
}

static int by_slot_and_key(gconstpointer pa, gconstpointer pb)
{
    const struct item *a = pa, *b = pb;
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    if (a->chunk != b->chunk)
        return a->chunk < b->chunk ? -1 : 1;
    return a->part < b->part ? -1 : a->part > b->part ? 1 : 0;
}

static void start_slot(struct assigning *a, uint32_t slot)
{
    const struct coll_state *c = a->c;
    a->n_takers = 0;
    a->last = SHARD_NONE;
    for (uint16_t s = 0; s < c->n; s++) {
        const size_t at = cell_of(c, slot, s);
        a->lacks[s] = MAX(c->amount[at] - c->movable[at], 0);
        if ((c->fit[at] & FIT_TAKE) != 0)
            a->takers[a->n_takers++] = s;
    }
}

/* A part can only go when all parts below it go. */
void optimal_drop_unplaced(struct coll_state *c)
{
    guint kept = 0;
    uint32_t broken = UINT32_MAX; /* the chunk whose part was dropped */
    for (guint i = 0; i < c->items->len; i++) {
        struct item *it = &g_array_index(c->items, struct item, i);
        if (it->to != SHARD_NONE && it->chunk == broken)
            optimal_unplace(c, it);
        if (it->to == SHARD_NONE) {
            broken = it->chunk;
            continue;
        }
        g_array_index(c->items, struct item, kept++) = *it;
    }
    g_array_set_size(c->items, kept);
}

void optimal_assign(struct coll_state *c)
{
    struct assigning a = {.c = c, .lacks = g_new0(int64_t, c->n), .takers = g_new0(uint16_t, c->n)};
    g_array_sort(c->items, by_slot_and_key);
    for (guint i = 0; i < c->items->len; i++) {
        struct item *it = &g_array_index(c->items, struct item, i);
        if (i == 0 || it->slot != g_array_index(c->items, struct item, i - 1).slot)
            start_slot(&a, it->slot);
        assign(&a, it);
    }
    g_free(a.lacks);
    g_free(a.takers);
    optimal_drop_unplaced(c);
}
