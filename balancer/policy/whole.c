// SPDX-License-Identifier: Apache-2.0
#include "balancer/policy/whole.h"

void whole_goal_init(struct whole_goal *g, uint16_t n_shards)
{
    *g = (struct whole_goal){.target = g_new0(double, n_shards),
                             .low = g_new0(int64_t, n_shards),
                             .high = g_new0(int64_t, n_shards)};
}

void whole_goal_clear(struct whole_goal *g)
{
    g_free(g->target);
    g_free(g->low);
    g_free(g->high);
    *g = (struct whole_goal){0};
}

void whole_answer_clear(struct whole_answer *a)
{
    for (uint32_t i = 0; i < a->n_goals; i++)
        whole_goal_clear(&a->goals[i]);
    g_free(a->goals);
    if (a->moves != NULL)
        g_array_unref(a->moves);
    *a = (struct whole_answer){0};
}

bool whole_leaves_end_open(const struct whole_facts *f, uint32_t collection, uint32_t chunk, int64_t bytes)
{
    const struct whole_collection *in = &f->collections[collection];
    if (!f->cut_large)
        return false;
    return (in->place->chunks->flags[chunk] & CHUNK_MEASURED) == 0 || bytes < in->place->bytes_of[chunk] ||
           bytes > in->max_chunk_bytes;
}

int64_t whole_largest(const struct whole_facts *f, uint32_t collection)
{
    const int64_t m = f->collections[collection].max_chunk_bytes;
    if (f->cut_large)
        return INT64_MAX;
    return cluster_version_cmp(f->cl, 5, 0, 0) >= 0 ? 2 * m : m + m / 10 * 3;
}

bool whole_is_hot(const placement *p, uint32_t chunk)
{
    return chunk + 1 == p->chunks->n && p->chunks->n > 1;
}

enum move_reason whole_reason(const struct whole_facts *f, uint16_t from, uint32_t zone)
{
    if (f->draining[from])
        return MOVE_DRAIN;
    return shard_has_zone(&f->cl->shards[from], zone) ? MOVE_IMBALANCE : MOVE_ZONE_VIOLATION;
}

void whole_add_move(const struct whole_facts *f, const struct whole_goal *goal, uint32_t collection,
                    struct move m, bool for_total, GArray *moves)
{
    const placement *p = f->collections[collection].place;
    const uint32_t slot = p->slot_of[m.entry];
    struct whole_move w = {
        .collection = collection, .move = m, .hot = whole_is_hot(p, m.entry), .for_total = for_total};
    w.move.zone = p->slots[slot].zone;
    w.move.reason = whole_reason(f, m.from, w.move.zone);
    w.move.donor_load = p->shard_bytes[m.from];
    w.move.recipient_load = p->shard_bytes[m.to];
    w.move.ideal = (int64_t)(goal->target[m.from] + 0.5);
    w.move.recipient_ideal = (int64_t)(goal->target[m.to] + 0.5);
    w.move.open_max = whole_leaves_end_open(f, collection, m.entry, m.bytes);
    if (w.move.reason == MOVE_ZONE_VIOLATION)
        w.move.force_jumbo = f->cl->settings.attempt_jumbo && cluster_version_cmp(f->cl, 4, 4, 0) >= 0;
    g_array_append_val(moves, w);
}

/* Higher priority first, then what must go, what is not hot, and as they stand, by collection and key. */
static int by_urgency(gconstpointer pa, gconstpointer pb, gpointer data)
{
    const struct whole_move *a = pa, *b = pb;
    const struct whole_facts *f = data;
    const bool must_a = a->move.reason != MOVE_IMBALANCE, must_b = b->move.reason != MOVE_IMBALANCE;
    const int64_t prio_a = f->collections[a->collection].priority,
                  prio_b = f->collections[b->collection].priority;
    if (prio_a != prio_b)
        return prio_a > prio_b ? -1 : 1;
    if (must_a != must_b)
        return must_a ? -1 : 1;
    return a->hot == b->hot ? 0 : a->hot ? 1 : -1;
}

void whole_sort_moves(const struct whole_facts *f, GArray *moves)
{
    g_array_sort_with_data(moves, by_urgency, (gpointer)f); /* it is stable */
}
