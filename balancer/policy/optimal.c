// SPDX-License-Identifier: Apache-2.0
/* optimal - the whole way to balance with the fewest bytes: see docs/optimal.md. One collection after the
 * other, since nothing but a shard's room binds them together. */
#include "balancer/policy/optimal_private.h"

#include <math.h>

/* Ways that are tried exactly, over all collections of a plan, and of one of them at most. */
static const double WAYS_MAX = 2e6, WAYS_EACH = 2e5;

/* What may still arrive on each shard: a limit counts what leaves only when it is deleted there, which may be
 * long after. */
static struct common common_new(const struct whole_facts *f)
{
    const uint16_t n = f->cl->n_shards;
    struct common c = {g_new(int64_t, n), g_new0(bool, n), g_new0(uint32_t, n)};
    for (uint16_t s = 0; s < n; s++) {
        const struct shard *sh = &f->cl->shards[s];
        c.room[s] = f->max_bytes[s] > 0 ? MAX(f->max_bytes[s] - f->shard_bytes[s], 0) : INT64_MAX;
        if (policy_auto(f->cl)->unit == LOAD_CHUNKS && sh->max_size_mb > 0 && sh->current_size_mb > 0)
            c.room[s] = MIN(c.room[s], MAX(sh->max_size_mb - sh->current_size_mb, 0) << 20);
        c.limited[s] = c.room[s] != INT64_MAX;
    }
    return c;
}

static void common_clear(struct common *c)
{
    g_free(c->room);
    g_free(c->limited);
    g_free(c->degree);
}

static void add_moves(const struct coll_state *c, GArray *moves)
{
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        const struct move m = {.entry = it->chunk, .from = it->from, .to = it->to, .bytes = it->bytes};
        whole_add_move(c->facts, c->goal, c->number, m, it->for_total, moves);
    }
}

static void solve_once(struct coll_state *c, double ways)
{
    optimal_choose(c);
    optimal_assign(c);
    optimal_mend(c);
    optimal_exact(c, ways);
}

/* The placement as it will be; only what a state looks at is of its own. Parts: none. */
static placement end_of(const struct coll_state *c)
{
    placement end = *c->p;
    end.shard_of = g_memdup2(c->p->shard_of, c->p->chunks->n * sizeof *end.shard_of);
    end.shard_bytes = g_memdup2(c->p->shard_bytes, c->n * sizeof *end.shard_bytes);
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        end.shard_of[it->chunk] = it->to;
    }
    for (uint16_t s = 0; s < c->n; s++)
        end.shard_bytes[s] = c->unknown[s] ? SIZE_UNKNOWN : c->load[s];
    return end;
}

static void read_ends(const struct coll_state *c, uint16_t *to)
{
    for (guint i = 0; i < c->items->len; i++) {
        const struct item *it = &g_array_index(c->items, struct item, i);
        to[it->chunk] = it->to;
    }
}

/* Puts what a second look found on top of the first: a chunk still moves once. The second is empty then. */
static void merge(struct coll_state *c, struct coll_state *second)
{
    g_autofree uint16_t *to = g_memdup2(c->p->shard_of, c->p->chunks->n * sizeof *to);
    read_ends(c, to);
    read_ends(second, to);
    optimal_take_all_back(second);
    optimal_take_all_back(c);
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        struct item it = optimal_item(c, i, 0, c->p->bytes_of[i]);
        if (to[i] == it.from)
            continue;
        optimal_place(c, &it, to[i]);
        g_array_append_val(c->items, it);
    }
}

static bool has_parts(const struct coll_state *c)
{
    for (guint i = 0; i < c->items->len; i++)
        if (optimal_parts(c, g_array_index(c->items, struct item, i).chunk) > 1)
            return true;
    return false;
}

/* Whether a second look is wanted, and can be had: the end of a chunk in parts has no placement. */
static bool misses(const struct coll_state *c)
{
    bool missed = false;
    for (uint16_t s = 0; s < c->n; s++)
        missed |= optimal_miss(c, s, c->load[s]) > 0;
    return missed && !has_parts(c);
}

/* How far the loads are outside of half the threshold around the shares: with each plan this gets less, or
 * what must go gets less, so that planning comes to an end whatever happens in between. */
static double distance(const struct coll_state *c, const int64_t *load)
{
    double sum = 0;
    for (uint16_t s = 0; s < c->n; s++)
        if (c->goal->high[s] != INT64_MAX)
            sum += MAX(fabs((double)load[s] - c->goal->target[s]) - ((double)c->threshold - 1) / 2, 0);
    return sum;
}

static bool is_worth_it(const struct coll_state *c)
{
    for (guint i = 0; i < c->items->len; i++)
        if (g_array_index(c->items, struct item, i).forced)
            return true;
    return distance(c, c->load) < distance(c, c->p->shard_bytes);
}

/* Where bands are missed, the end is looked at as a new plan would look at it, so that a new plan finds
 * nothing more. False: nothing was found. */
static bool look_again(struct coll_state *c, double ways)
{
    struct coll_state second;
    struct whole_goal goal;
    placement end = end_of(c);
    struct whole_facts facts = *c->facts;
    const struct common common = {c->room, (bool *)c->limited, c->degree};
    g_autofree struct whole_collection *list = g_new0(struct whole_collection, (size_t)c->number + 1);
    list[c->number] = *c->in;
    list[c->number].place = &end;
    list[c->number].rival = NULL;
    facts.collections = list;
    whole_goal_init(&goal, c->n);
    optimal_state_init(&second, &facts, c->number, &common, &goal);
    optimal_set_goal(&second);
    if (goal.acts) {
        optimal_amounts(&second);
        solve_once(&second, ways);
    }
    const bool found = second.items->len > 0 && !has_parts(&second) && is_worth_it(&second);
    if (found)
        merge(c, &second);
    else
        optimal_take_all_back(&second);
    optimal_state_clear(&second);
    whole_goal_clear(&goal);
    g_free(end.shard_of);
    g_free(end.shard_bytes);
    return found;
}

enum { LOOKS_AGAIN = 6 };

static void solve_collection(struct coll_state *c, double ways)
{
    solve_once(c, ways);
    for (int i = 0; i < LOOKS_AGAIN && misses(c) && look_again(c, ways); i++)
        ;
    if (c->in->effort == WHOLE_EFFORTS - 1)
        optimal_take_rival(c);
    if (c->items->len > 0 && !is_worth_it(c))
        optimal_take_all_back(c);
    optimal_compare_rival(c);
}

static struct coll_state *init_states(const struct whole_facts *f, const struct common *common,
                                      struct whole_answer *ret)
{
    struct coll_state *states = g_new0(struct coll_state, MAX(f->n_collections, 1));
    for (uint32_t i = 0; i < f->n_collections; i++) {
        struct whole_goal *g = &ret->goals[i];
        if (f->collections[i].place == NULL)
            continue;
        whole_goal_init(g, f->cl->n_shards);
        optimal_state_init(&states[i], f, i, common, g);
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
    struct common common = common_new(f), at_start = common_new(f);
    ret->goals = g_new0(struct whole_goal, MAX(f->n_collections, 1));
    ret->n_goals = f->n_collections;
    ret->moves = g_array_new(FALSE, FALSE, sizeof(struct whole_move));
    struct coll_state *states = init_states(f, &common, ret);
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
        const int64_t least = optimal_even_totals(states, f->n_collections, f, at_start.room);
        ret->lower_bytes = MAX(ret->lower_bytes, least);
    }
    for (uint32_t i = 0; i < f->n_collections; i++) {
        if (states[i].p == NULL)
            continue;
        add_moves(&states[i], ret->moves);
        ret->cut_short = ret->cut_short || states[i].cut_short;
        optimal_state_clear(&states[i]);
    }
    g_free(states);
    common_clear(&common);
    common_clear(&at_start);
    whole_sort_moves(f, ret->moves);
}

/* --- one slot of a collection alone: whether it is stuck --- */

/* The state of a collection as if it were the only one. */
struct alone {
    struct coll_state c;
    struct whole_facts f;
    struct whole_collection in;
    struct whole_goal goal;
    struct common common;
};

static void alone_init(struct alone *a, const struct round_facts *facts, const placement *p)
{
    a->in = (struct whole_collection){.place = p,
                                      .max_chunk_bytes = facts->max_chunk_bytes,
                                      .threshold_bytes = facts->limits.threshold_bytes};
    a->f = (struct whole_facts){.cl = facts->cl,
                                .n_collections = 1,
                                .collections = &a->in,
                                .draining = facts->draining,
                                .no_receive = facts->limits.no_receive,
                                .weight = facts->limits.weight,
                                .max_bytes = facts->limits.max_bytes,
                                .shard_bytes = facts->limits.shard_bytes,
                                .cut_large = facts->cut_large,
                                .threshold_chunks = facts->limits.threshold_chunks,
                                .threshold_percent = facts->limits.threshold_percent};
    whole_goal_init(&a->goal, facts->cl->n_shards);
    a->common = common_new(&a->f);
    optimal_state_init(&a->c, &a->f, 0, &a->common, &a->goal);
    optimal_set_goal(&a->c);
}

static void alone_clear(struct alone *a)
{
    optimal_state_clear(&a->c);
    whole_goal_clear(&a->goal);
    common_clear(&a->common);
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
    struct alone a;
    alone_init(&a, facts, p);
    *ret = (struct evenness){
        .donor = SHARD_NONE, .recipient = SHARD_NONE, .entry = ENTRY_NONE, .threshold = a.c.threshold};
    find_ends(&a.c, slot, ret);
    if (ret->donor != SHARD_NONE) {
        ret->donor_load = a.c.load[ret->donor];
        ret->ideal = (int64_t)(a.goal.target[ret->donor] + 0.5);
    }
    ret->recipient_load = ret->recipient == SHARD_NONE ? 0 : a.c.load[ret->recipient];
    ret->verdict = verdict(&a.c, slot, ret);
    alone_clear(&a);
}

const struct policy policy_optimal = {
    .name = "optimal",
    .unit = LOAD_BYTES,
    .help = "ours: the fewest bytes, then the fewest rounds; shards weighed by capacity",
    .judge = judge,
    .solve = solve,
};
