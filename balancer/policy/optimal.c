// SPDX-License-Identifier: Apache-2.0
/* optimal - the whole way to balance with the fewest bytes: see docs/optimal.md. One collection after the
 * other, since nothing but a shard's room binds them together. */
#include "balancer/policy/optimal_private.h"

#include <string.h>

/* Ways that are tried exactly, over all collections of a plan, and of one of them at most. */
static const double WAYS_MAX = 2e6, WAYS_EACH = 2e5;

/* What may still arrive on each shard: a limit counts what leaves only when it is deleted there, which may be
 * long after. */
static int64_t *find_room(const struct whole_facts *f)
{
    int64_t *room = g_new(int64_t, f->cl->n_shards);
    for (uint16_t s = 0; s < f->cl->n_shards; s++) {
        const struct shard *sh = &f->cl->shards[s];
        room[s] = f->max_bytes[s] > 0 ? MAX(f->max_bytes[s] - f->shard_bytes[s], 0) : INT64_MAX;
        if (policy_auto(f->cl)->unit == LOAD_CHUNKS && sh->max_size_mb > 0 && sh->current_size_mb > 0)
            room[s] = MIN(room[s], MAX(sh->max_size_mb - sh->current_size_mb, 0) << 20);
    }
    return room;
}

static void add_moves(const struct coll_state *c, GArray *moves)
{
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        const struct move m = {.entry = it->chunk, .from = it->from, .to = it->to, .bytes = it->bytes};
        whole_add_move(c->facts, c->goal, c->number, m, it->for_total, moves);
    }
}

static void solve_collection(struct coll_state *c, double ways)
{
    optimal_choose(c);
    optimal_assign(c);
    optimal_mend(c);
    optimal_exact(c, ways);
}

static struct coll_state *init_states(const struct whole_facts *f, int64_t *room, struct whole_answer *ret)
{
    struct coll_state *states = g_new0(struct coll_state, MAX(f->n_collections, 1));
    for (uint32_t i = 0; i < f->n_collections; i++) {
        struct whole_goal *g = &ret->goals[i];
        if (f->collections[i].place == NULL)
            continue;
        g->target = g_new0(double, f->cl->n_shards);
        g->low = g_new0(int64_t, f->cl->n_shards);
        g->high = g_new0(int64_t, f->cl->n_shards);
        optimal_state_init(&states[i], f, i, room, g);
        optimal_set_goal(&states[i]);
    }
    return states;
}

static bool is_solvable(const struct whole_facts *f, const struct coll_state *c)
{
    return c->p != NULL && c->goal->acts && f->cl->n_shards >= 2;
}

static void solve(const struct whole_facts *f, struct whole_answer *ret)
{
    g_autofree int64_t *room = find_room(f);
    ret->goals = g_new0(struct whole_goal, MAX(f->n_collections, 1));
    ret->n_goals = f->n_collections;
    ret->moves = g_array_new(FALSE, FALSE, sizeof(struct whole_move));
    struct coll_state *states = init_states(f, room, ret);
    uint32_t acting = 0;
    for (uint32_t i = 0; i < f->n_collections; i++)
        acting += is_solvable(f, &states[i]) ? 1 : 0;
    for (uint32_t i = 0; i < f->n_collections; i++) {
        struct coll_state *c = &states[i];
        if (!is_solvable(f, c))
            continue;
        ret->lower_bytes += optimal_amounts(c);
        solve_collection(c, MIN(WAYS_EACH, WAYS_MAX / acting));
    }
    if (f->balance_cluster) {
        g_autofree int64_t *all_room = find_room(f);
        ret->lower_bytes = MAX(ret->lower_bytes, optimal_even_totals(states, f->n_collections, f, all_room));
    }
    for (uint32_t i = 0; i < f->n_collections; i++) {
        if (states[i].p == NULL)
            continue;
        add_moves(&states[i], ret->moves);
        optimal_state_clear(&states[i]);
    }
    g_free(states);
    whole_sort_moves(f, ret->moves);
}

/* --- one collection alone, for explanations --- */

/* The state of a collection as if it were the only one. */
static void alone_init(struct coll_state *c, struct whole_facts *f, struct whole_collection *in,
                       const struct round_facts *facts, const placement *p, struct whole_goal *goal,
                       int64_t **ret_room)
{
    const uint16_t n = facts->cl->n_shards;
    *in = (struct whole_collection){.place = p,
                                    .max_chunk_bytes = facts->max_chunk_bytes,
                                    .threshold_bytes = facts->limits.threshold_bytes};
    *f = (struct whole_facts){.cl = facts->cl,
                              .n_collections = 1,
                              .collections = in,
                              .draining = facts->draining,
                              .no_receive = facts->limits.no_receive,
                              .weight = facts->limits.weight,
                              .max_bytes = facts->limits.max_bytes,
                              .shard_bytes = facts->limits.shard_bytes,
                              .cut_large = facts->cut_large,
                              .threshold_chunks = facts->limits.threshold_chunks,
                              .threshold_percent = facts->limits.threshold_percent};
    *goal = (struct whole_goal){g_new0(double, n), g_new0(int64_t, n), g_new0(int64_t, n), false};
    *ret_room = find_room(f);
    optimal_state_init(c, f, 0, *ret_room, goal);
    optimal_set_goal(c);
}

static void goal_clear(struct whole_goal *goal)
{
    g_free(goal->target);
    g_free(goal->low);
    g_free(goal->high);
}

static void pick(const struct round_facts *facts, const placement *p, GArray *moves)
{
    struct coll_state c;
    struct whole_facts f;
    struct whole_collection in;
    struct whole_goal goal;
    g_autofree int64_t *room = NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct whole_move));
    alone_init(&c, &f, &in, facts, p, &goal, &room);
    if (is_solvable(&f, &c)) {
        optimal_amounts(&c);
        solve_collection(&c, WAYS_EACH);
        add_moves(&c, all);
    }
    for (guint i = 0; i < all->len; i++)
        g_array_append_val(moves, g_array_index(all, struct whole_move, i).move);
    optimal_state_clear(&c);
    goal_clear(&goal);
}

/* The shard that is furthest over its share and holds some of the slot, and the one that lacks most. */
static void find_ends(const struct coll_state *c, uint32_t slot, struct evenness *e)
{
    double over = 0, lack = 0;
    for (uint16_t s = 0; s < c->n; s++) {
        const size_t at = cell_of(c, slot, s);
        const double off = (double)c->load[s] - c->goal->target[s];
        e->n_sharing += (c->fit[at] & FIT_KEEP) != 0 ? 1 : 0;
        e->n_receivers += (c->fit[at] & FIT_TAKE) != 0 ? 1 : 0;
        if ((c->fit[at] & FIT_KEEP) != 0 && c->p->slot_chunks[at] > 0 &&
            (e->donor == SHARD_NONE || off > over)) {
            e->donor = s;
            over = off;
        }
        if ((c->fit[at] & FIT_TAKE) != 0 && (e->recipient == SHARD_NONE || -off > lack)) {
            e->recipient = s;
            lack = -off;
        }
    }
}

static enum even_verdict verdict(const struct coll_state *c, uint32_t slot, struct evenness *e)
{
    if (e->n_sharing == 0 || c->p->slots[slot].bytes == 0)
        return EVEN_UNSHARED;
    if (e->donor == SHARD_NONE || e->donor_load <= e->ideal)
        return EVEN_BALANCED;
    if (e->recipient == SHARD_NONE || e->recipient == e->donor)
        return EVEN_NO_RECEIVER;
    if ((double)e->recipient_load >= c->goal->target[e->recipient])
        return EVEN_RECEIVER_AT_SHARE;
    if (!c->goal->acts || e->donor_load <= c->goal->high[e->donor])
        return EVEN_BELOW_THRESHOLD;
    e->entry = placement_first(c->p, slot, e->donor);
    return e->entry == ENTRY_NONE ? EVEN_ONLY_JUMBO : EVEN_MOVES;
}

static void judge(const struct round_facts *facts, const placement *p, uint32_t slot, struct evenness *ret)
{
    struct coll_state c;
    struct whole_facts f;
    struct whole_collection in;
    struct whole_goal goal;
    g_autofree int64_t *room = NULL;
    alone_init(&c, &f, &in, facts, p, &goal, &room);
    *ret = (struct evenness){
        .donor = SHARD_NONE, .recipient = SHARD_NONE, .entry = ENTRY_NONE, .threshold = c.threshold};
    find_ends(&c, slot, ret);
    if (ret->donor != SHARD_NONE) {
        ret->donor_load = c.load[ret->donor];
        ret->ideal = (int64_t)(goal.target[ret->donor] + 0.5);
    }
    ret->recipient_load = ret->recipient == SHARD_NONE ? 0 : c.load[ret->recipient];
    ret->verdict = verdict(&c, slot, ret);
    optimal_state_clear(&c);
    goal_clear(&goal);
}

const struct policy policy_optimal = {
    .name = "optimal",
    .unit = LOAD_BYTES,
    .help = "ours: the fewest bytes, then the fewest rounds; shards weighed by capacity",
    .pick = pick,
    .judge = judge,
    .solve = solve,
};
