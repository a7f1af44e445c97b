// SPDX-License-Identifier: Apache-2.0
/* Rounds by edge colouring. The parts of a chunk leave from its lower end upwards, so the part that goes
 * first is whichever got the earliest round. */
#include "balancer/plan/colouring.h"
#include "balancer/plan/planner_private.h"

/* Moves of the same chunk stand together in a sorted list. */
struct place {
    uint64_t chunk; /* collection and chunk */
    uint32_t index; /* in the list of moves */
};

static struct whole_move *move_at(const GArray *moves, uint32_t i)
{
    return &g_array_index(moves, struct whole_move, i);
}

static GArray *list_places(const GArray *moves)
{
    GArray *places = g_array_sized_new(FALSE, FALSE, sizeof(struct place), moves->len);
    for (uint32_t i = 0; i < moves->len; i++) {
        const struct whole_move *w = move_at(moves, i);
        const struct place p = {.chunk = (uint64_t)w->collection << 32 | w->move.entry, .index = i};
        g_array_append_val(places, p);
    }
    return places;
}

static int by_chunk(gconstpointer pa, gconstpointer pb)
{
    const struct place *a = pa, *b = pb;
    if (a->chunk != b->chunk)
        return a->chunk < b->chunk ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index ? 1 : 0;
}

struct slot {
    uint32_t round, index;
};

static int by_round(gconstpointer pa, gconstpointer pb)
{
    const struct slot *a = pa, *b = pb;
    return a->round < b->round ? -1 : a->round > b->round ? 1 : 0;
}

/* The parts of one chunk all leave the same shard, so no two share a round: the k-th to go is the k-th part.
 */
static void order_parts(GArray *moves, const GArray *places, guint first, guint end, const uint32_t *round)
{
    g_autoptr(GArray) slots = g_array_new(FALSE, FALSE, sizeof(struct slot));
    g_autofree int64_t *bytes = g_new0(int64_t, end - first);
    for (guint k = first; k < end; k++) {
        const uint32_t index = g_array_index(places, struct place, k).index;
        const struct slot s = {round[index], index};
        bytes[k - first] = move_at(moves, index)->move.bytes;
        g_array_append_val(slots, s);
    }
    g_array_sort(slots, by_round);
    for (guint k = 0; k < slots->len; k++)
        move_at(moves, g_array_index(slots, struct slot, k).index)->move.bytes = bytes[k];
}

static void order_chunks(GArray *moves, const uint32_t *round)
{
    g_autoptr(GArray) places = list_places(moves);
    g_array_sort(places, by_chunk);
    for (guint i = 0, end; i < places->len; i = end) {
        const uint64_t chunk = g_array_index(places, struct place, i).chunk;
        for (end = i + 1; end < places->len && g_array_index(places, struct place, end).chunk == chunk;)
            end++;
        if (end > i + 1)
            order_parts(moves, places, i, end, round);
    }
}

/* The first round that has a move without a busy shard; 0: none has. */
static uint32_t first_idle(const GArray *moves, const bool *busy, const uint32_t *round)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < moves->len; i++) {
        const struct move *m = &move_at(moves, i)->move;
        if (!busy[m->from] && !busy[m->to] && (first == 0 || round[i] < first))
            first = round[i];
    }
    return first;
}

/* The moves of the first round with a busy shard wait for a round of their own, the last. Where nothing would
 * be left, a round that has something to do now is first in its place. */
static uint32_t spare_busy(const GArray *moves, const bool *busy, uint32_t n_rounds, uint32_t *round)
{
    const uint32_t first = first_idle(moves, busy, round);
    uint32_t late = 0;
    for (uint32_t i = 0; i < moves->len; i++) {
        const struct move *m = &move_at(moves, i)->move;
        if (first > 1 && (round[i] == 1 || round[i] == first))
            round[i] = round[i] == 1 ? first : 1;
        if (round[i] != 1 || (!busy[m->from] && !busy[m->to]))
            continue;
        round[i] = n_rounds + 1;
        late = 1;
    }
    return n_rounds + late;
}

/* A migration between two shards, whichever way it goes. */
struct between {
    uint32_t pair, index;
    const struct whole_move *w;
};

/* Whether it brings neither shard nearer to its share: it is there to make a sum exact. */
static bool is_against(const struct move *m)
{
    return m->reason == MOVE_IMBALANCE &&
           (m->donor_load <= m->ideal || m->recipient_load >= m->recipient_ideal);
}

static int by_worth(gconstpointer pa, gconstpointer pb)
{
    const struct between *a = pa, *b = pb;
    const bool against_a = is_against(&a->w->move), against_b = is_against(&b->w->move);
    if (a->pair != b->pair)
        return a->pair < b->pair ? -1 : 1;
    if (against_a != against_b)
        return against_a ? 1 : -1;
    return a->index < b->index ? -1 : 1; /* the list's order */
}

static int by_number(gconstpointer pa, gconstpointer pb)
{
    const uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    return a < b ? -1 : a > b ? 1 : 0;
}

/* Migrations between the same two shards can change places: what is worth most goes first, so that a run that
 * ends early has done that. */
static void order_pairs(const GArray *moves, uint32_t *round)
{
    g_autoptr(GArray) list = g_array_sized_new(FALSE, FALSE, sizeof(struct between), moves->len);
    g_autoptr(GArray) rounds = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t i = 0; i < moves->len; i++) {
        const struct whole_move *w = move_at(moves, i);
        const uint32_t low = MIN(w->move.from, w->move.to), high = MAX(w->move.from, w->move.to);
        const struct between b = {low << 16 | high, i, w};
        g_array_append_val(list, b);
    }
    g_array_sort(list, by_worth);
    for (guint first = 0, end; first < list->len; first = end) {
        const struct between *b = &g_array_index(list, struct between, first);
        g_array_set_size(rounds, 0);
        for (end = first; end < list->len && b[end - first].pair == b->pair; end++)
            g_array_append_val(rounds, round[b[end - first].index]);
        g_array_sort(rounds, by_number);
        for (guint k = first; k < end; k++)
            round[b[k - first].index] = g_array_index(rounds, uint32_t, k - first);
    }
}

uint32_t whole_rounds(const cluster *cl, GArray *moves, const bool *busy, uint32_t *ret_round)
{
    g_autofree struct colouring_edge *edges = g_new(struct colouring_edge, MAX(moves->len, 1));
    for (uint32_t i = 0; i < moves->len; i++) {
        const struct move *m = &move_at(moves, i)->move;
        edges[i] = (struct colouring_edge){m->from, m->to};
    }
    const uint32_t n = colouring_find(cl->n_shards, edges, moves->len, ret_round);
    for (uint32_t i = 0; i < moves->len; i++)
        ret_round[i]++;
    order_pairs(moves, ret_round);
    const uint32_t rounds = spare_busy(moves, busy, n, ret_round);
    order_chunks(moves, ret_round);
    return rounds;
}

uint32_t whole_rounds_bound(const cluster *cl, const GArray *moves)
{
    g_autofree struct colouring_edge *edges = g_new(struct colouring_edge, MAX(moves->len, 1));
    for (uint32_t i = 0; i < moves->len; i++) {
        const struct move *m = &move_at(moves, i)->move;
        edges[i] = (struct colouring_edge){m->from, m->to};
    }
    return colouring_bound(cl->n_shards, edges, moves->len);
}
