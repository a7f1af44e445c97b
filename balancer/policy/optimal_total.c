// SPDX-License-Identifier: Apache-2.0
/* The totals of all collections made even, each collection staying within its own band: largest chunks first
 * from shards that hold too much of everything to those that hold least, with no chunk moved twice. */
#include "balancer/policy/fill.h"
#include "balancer/policy/optimal_private.h"

#include <math.h>
#include <string.h>

struct candidate {
    int64_t bytes;
    uint32_t collection, chunk, part;
    bool hot;
};

struct totals {
    const struct whole_facts *facts;
    struct coll_state *states;
    uint32_t n;
    uint16_t n_shards;
    int64_t *load; /* per shard, kept up */
    double *target;
    double slack; /* how far from the target a total may be */
};

static double miss(const struct totals *t, uint16_t s, int64_t load)
{
    if (t->facts->draining[s])
        return 0;
    return MAX(fabs((double)load - t->target[s]) - t->slack, 0);
}

/* Slots of all collections that the same shards may hold are one to the sharing. */
struct supply {
    GHashTable *by_row; /* GBytes of may_hold -> index + 1 */
    GArray *bytes;      /* int64_t */
    GByteArray *rows;
};

static void add_supply(struct supply *all, const bool *row, uint16_t n, int64_t bytes)
{
    GBytes *key = g_bytes_new(row, n * sizeof *row);
    guint at = GPOINTER_TO_UINT(g_hash_table_lookup(all->by_row, key));
    if (at == 0) {
        g_array_append_val(all->bytes, bytes);
        g_byte_array_append(all->rows, (const guint8 *)row, (guint)(n * sizeof *row));
        g_hash_table_insert(all->by_row, key, GUINT_TO_POINTER(all->bytes->len));
        return;
    }
    g_array_index(all->bytes, int64_t, at - 1) += bytes;
    g_bytes_unref(key);
}

static void share_out(struct totals *t, const int64_t *room)
{
    struct supply all = {
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL),
        g_array_new(FALSE, FALSE, sizeof(int64_t)), g_byte_array_new()};
    g_autofree struct fill_shard *shards = g_new0(struct fill_shard, t->n_shards);
    for (uint16_t s = 0; s < t->n_shards; s++) {
        const int64_t may_come = t->facts->no_receive[s] ? 0 : room[s];
        shards[s] = (struct fill_shard){.weight = t->facts->draining[s] ? 0 : t->facts->weight[s],
                                        .base = t->load[s],
                                        .cap = may_come == INT64_MAX ? INT64_MAX : t->load[s] + may_come};
    }
    for (uint32_t i = 0; i < t->n; i++) {
        const struct coll_state *c = &t->states[i];
        for (uint32_t z = 0; c->p != NULL && z < c->n_slots; z++) {
            const bool *row = c->may_hold + cell_of(c, z, 0);
            int64_t bytes = 0;
            for (uint16_t s = 0; s < t->n_shards; s++) {
                bytes += row[s] ? c->movable[cell_of(c, z, s)] : 0;
                shards[s].base -= row[s] ? c->movable[cell_of(c, z, s)] : 0;
            }
            if (bytes > 0)
                add_supply(&all, row, t->n_shards, bytes);
        }
    }
    fill_targets(t->n_shards, shards, all.bytes->len, (const int64_t *)(void *)all.bytes->data,
                 (const bool *)(void *)all.rows->data, t->target);
    g_hash_table_unref(all.by_row);
    g_array_unref(all.bytes);
    g_byte_array_unref(all.rows);
}

static int by_size(gconstpointer pa, gconstpointer pb)
{
    const struct candidate *a = pa, *b = pb;
    if (a->hot != b->hot)
        return a->hot ? 1 : -1;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    if (a->collection != b->collection)
        return a->collection < b->collection ? -1 : 1;
    if (a->chunk != b->chunk)
        return a->chunk < b->chunk ? -1 : 1;
    return a->part < b->part ? -1 : a->part > b->part ? 1 : 0;
}

/* Chunks, and parts of chunks, that stay so far and are on a shard that holds too much. */
static GArray *list_candidates(const struct totals *t)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(struct candidate));
    for (uint32_t i = 0; i < t->n; i++) {
        const struct coll_state *c = &t->states[i];
        if (c->p == NULL)
            continue;
        g_autofree uint8_t *taken = g_new0(uint8_t, c->p->chunks->n);
        for (guint k = 0; k < c->items->len; k++)
            taken[g_array_index(c->items, struct item, k).chunk] = 1;
        for (uint32_t k = 0; k < c->p->chunks->n; k++) {
            const uint16_t s = c->p->shard_of[k];
            if (taken[k] || !optimal_may_go(c, k) || (double)t->load[s] <= t->target[s])
                continue;
            for (uint32_t part = 0; part < optimal_parts(c, k); part++) {
                const struct candidate one = {optimal_part_bytes(c, k, part), i, k, part,
                                              whole_is_hot(c->p, k)};
                g_array_append_val(list, one);
            }
        }
    }
    g_array_sort(list, by_size);
    return list;
}

/* Whether the collection stays within its own band, or gets no farther from it. */
static bool keeps_band(const struct coll_state *c, uint16_t from, uint16_t to, int64_t bytes)
{
    return optimal_miss(c, from, c->load[from] - bytes) <= optimal_miss(c, from, c->load[from]) &&
           optimal_miss(c, to, c->load[to] + bytes) <= optimal_miss(c, to, c->load[to]);
}

static uint16_t choose_taker(const struct totals *t, const struct coll_state *c, const struct item *it)
{
    uint16_t best = SHARD_NONE;
    double most = 0;
    for (uint16_t s = 0; s < t->n_shards; s++) {
        const double lack = t->target[s] - (double)t->load[s];
        const bool may = s != it->from && (c->fit[cell_of(c, it->slot, s)] & FIT_TAKE) != 0 &&
                         optimal_has_room(c, s, it) && keeps_band(c, it->from, s, it->bytes);
        if (!may || (best != SHARD_NONE && lack <= most))
            continue;
        best = s;
        most = lack;
    }
    return best;
}

static void move(struct totals *t, const struct candidate *one)
{
    struct coll_state *c = &t->states[one->collection];
    struct item it = optimal_item(c, one->chunk, one->part, one->bytes);
    it.for_total = true;
    if (miss(t, it.from, t->load[it.from] - it.bytes) > miss(t, it.from, t->load[it.from]))
        return;
    const uint16_t to = choose_taker(t, c, &it);
    if (to == SHARD_NONE || it.bytes == 0 ||
        miss(t, it.from, t->load[it.from] - it.bytes) + miss(t, to, t->load[to] + it.bytes) >=
            miss(t, it.from, t->load[it.from]) + miss(t, to, t->load[to]))
        return;
    if (it.part > 0) { /* only on top of the part below */
        const struct item *last =
            c->items->len == 0 ? NULL : &g_array_index(c->items, struct item, c->items->len - 1);
        if (last == NULL || last->chunk != it.chunk || last->part + 1 != it.part)
            return;
    }
    optimal_place(c, &it, to);
    g_array_append_val(c->items, it);
    t->load[it.from] -= it.bytes;
    t->load[to] += it.bytes;
}

static bool is_uneven(const struct totals *t, double threshold)
{
    double over = 0, under = 0;
    for (uint16_t s = 0; s < t->n_shards; s++) {
        if (t->facts->draining[s])
            continue;
        over = MAX(over, (double)t->load[s] - t->target[s]);
        under = MAX(under, t->target[s] - (double)t->load[s]);
    }
    return over + under >= threshold;
}

static bool any_miss(const struct totals *t)
{
    for (uint16_t s = 0; s < t->n_shards; s++)
        if (miss(t, s, t->load[s]) > 0)
            return true;
    return false;
}

int64_t optimal_even_totals(struct coll_state *states, uint32_t n, const struct whole_facts *facts,
                            const int64_t *room)
{
    struct totals t = {.facts = facts, .states = states, .n = n, .n_shards = facts->cl->n_shards};
    double threshold = 1, least = 0;
    t.load = g_memdup2(facts->shard_bytes, t.n_shards * sizeof *t.load);
    t.target = g_new0(double, t.n_shards);
    for (uint32_t i = 0; i < n; i++)
        threshold = states[i].p == NULL ? threshold : MAX(threshold, (double)states[i].threshold);
    share_out(&t, room);
    t.slack = (threshold - 1) / 2;
    for (uint16_t s = 0; s < t.n_shards; s++)
        least += facts->draining[s] ? 0 : MAX((double)t.load[s] - t.target[s] - t.slack, 0);
    for (uint32_t i = 0; i < n; i++) /* what is to move already */
        for (guint k = 0; states[i].p != NULL && k < states[i].items->len; k++) {
            const struct item *it = &g_array_index(states[i].items, struct item, k);
            t.load[it->from] -= it->bytes;
            t.load[it->to] += it->bytes;
        }
    if (is_uneven(&t, threshold)) {
        g_autoptr(GArray) list = list_candidates(&t);
        for (guint i = 0; i < list->len && any_miss(&t); i++)
            move(&t, &g_array_index(list, struct candidate, i));
    } else {
        least = 0;
    }
    g_free(t.load);
    g_free(t.target);
    return (int64_t)least;
}
