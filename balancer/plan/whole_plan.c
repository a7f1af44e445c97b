// SPDX-License-Identifier: Apache-2.0
/* From a whole-cluster policy's answer to a plan. The built-in's own way is projected beside it where that is
 * no great work: what it reaches the answer has to reach too, and where it still came out behind on any
 * measure (few unequal chunks can do that), the built-in's end is taken, each chunk moved there at once. */
#include "balancer/plan/planner_private.h"
#include "balancer/plan/why.h"

#include <string.h>

/* The built-in's way is projected for plans of so many moves, on clusters of so many chunks, at most. */
enum { RIVAL_MOVES_MAX = 20 * 1000, RIVAL_CHUNKS_MAX = 2 * 1000 * 1000 };

struct rival {
    struct plan_options opt;
    struct projection pr;
    struct plan *plan;
    bool known; /* it came to its end */
};

/* One way: moves, their rounds, and what they come to. */
struct way {
    GArray *moves; /* struct whole_move */
    uint32_t *round;
    uint32_t n_rounds;
};

struct worth {
    double imbalance, total; /* the worst of all collections, and of all together */
    int64_t bytes;
    uint32_t rounds;
    int64_t wrong;  /* chunks where they must not be */
    bool in_bounds; /* no collection further from its shares than its threshold */
};

static void way_clear(struct way *w)
{
    if (w->moves != NULL)
        g_array_unref(w->moves);
    g_free(w->round);
    *w = (struct way){0};
}

/* --- the facts --- */

static struct whole_collection *list_collections(const struct projection *pr, const struct rival *rival)
{
    struct whole_collection *list = g_new0(struct whole_collection, MAX(pr->cl->n_collections, 1));
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const struct coll_projection *c = &pr->colls[i];
        list[i] = (struct whole_collection){.place = c->held ? NULL : c->place,
                                            .max_chunk_bytes = c->max_chunk_bytes,
                                            .threshold_bytes = c->threshold_bytes,
                                            .priority = c->priority};
        if (rival->known && rival->pr.colls[i].place != NULL)
            list[i].rival_bytes = rival->pr.colls[i].place->shard_bytes;
    }
    return list;
}

static struct whole_facts facts_of(const struct projection *pr, const struct whole_collection *list)
{
    return (struct whole_facts){.cl = pr->cl,
                                .n_collections = pr->cl->n_collections,
                                .collections = list,
                                .draining = pr->draining,
                                .no_receive = pr->no_receive,
                                .weight = pr->weight,
                                .max_bytes = pr->max_bytes,
                                .shard_bytes = pr->shard_bytes,
                                .cut_large = cluster_has_move_range(pr->cl),
                                .rival_part = 1,
                                .balance_cluster = pr->opt->balance_cluster,
                                .threshold_chunks = pr->opt->threshold_chunks,
                                .threshold_percent = pr->opt->threshold_percent};
}

/* --- the built-in's way --- */

static bool is_worth_projecting(const struct projection *pr, guint moves)
{
    uint64_t chunks = 0;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        chunks += pr->colls[i].place == NULL ? 0 : pr->colls[i].place->chunks->n;
    return moves <= RIVAL_MOVES_MAX && chunks <= RIVAL_CHUNKS_MAX && !pr->opt->balance_cluster;
}

static void rival_run(struct rival *r, const struct run *of)
{
    struct err err = {0};
    r->opt = *of->pr->opt;
    r->opt.policy = policy_auto(of->pr->cl);
    r->opt.until_balanced = true;
    r->opt.max_moves = 2 * RIVAL_MOVES_MAX;
    r->opt.max_bytes = 0;
    r->opt.max_seconds = 0;
    r->plan = plan_begin(of->pr->cl);
    struct run run = {.pr = &r->pr, .est = of->est};
    if (!projection_init(&r->pr, of->pr->cl, &r->opt, r->plan, &err))
        return;
    run_assess(&r->pr);
    run_rounds(&run);
    r->known = !run.limited && run_is_complete(&r->pr);
}

static void rival_clear(struct rival *r)
{
    if (r->plan != NULL)
        projection_clear(&r->pr);
    plan_free(r->plan);
}

static void add_relocation(const struct whole_facts *f, const struct whole_goal *goal, uint32_t collection,
                           uint32_t chunk, uint16_t to, int64_t bytes, GArray *moves)
{
    const struct move m = {
        .entry = chunk, .from = f->collections[collection].place->shard_of[chunk], .to = to, .bytes = bytes};
    whole_add_move(f, goal, collection, m, false, moves);
}

/* Parts first, upwards, then what is left of their chunks. False: a part that came back lies below one that
 * went. */
static bool relocate(const struct whole_facts *f, const struct whole_goal *goal, uint32_t i,
                     const placement *end, GArray *moves)
{
    const placement *start = f->collections[i].place;
    for (guint k = 0; k < end->pieces->len; k++) {
        const struct piece *p = &g_array_index(end->pieces, struct piece, k);
        if (p->shard == start->shard_of[p->chunk])
            return false;
        add_relocation(f, goal, i, p->chunk, p->shard, p->bytes, moves);
    }
    for (uint32_t c = 0; c < end->chunks->n; c++)
        if (end->shard_of[c] != start->shard_of[c])
            add_relocation(f, goal, i, c, end->shard_of[c], end->bytes_of[c], moves);
    return true;
}

static bool take_rivals_end(const struct rival *r, const struct whole_facts *f,
                            const struct whole_answer *answer, struct way *ret)
{
    ret->moves = g_array_new(FALSE, FALSE, sizeof(struct whole_move));
    for (uint32_t i = 0; i < f->n_collections; i++)
        if (f->collections[i].place != NULL &&
            !relocate(f, &answer->goals[i], i, r->pr.colls[i].place, ret->moves))
            return false;
    whole_sort_moves(f, ret->moves);
    return true;
}

/* --- comparing --- */

struct ends {
    const struct whole_facts *f;
    const struct whole_answer *answer;
    int64_t **load; /* per collection and shard, at the end */
    int64_t *wrong; /* per collection: chunks where they must not be */
};

static void ends_clear(struct ends *e)
{
    for (uint32_t i = 0; i < e->f->n_collections; i++)
        g_free(e->load[i]);
    g_free(e->load);
    g_free(e->wrong);
}

static int64_t count_wrong(const struct whole_facts *f, const placement *p)
{
    int64_t n = 0;
    for (uint32_t slot = 0; slot < p->n_slots; slot++)
        for (uint16_t s = 0; s < f->cl->n_shards; s++)
            if (whole_reason(f, s, p->slots[slot].zone) != MOVE_IMBALANCE)
                n += p->slot_chunks[(size_t)slot * f->cl->n_shards + s];
    return n;
}

/* What the loads are after `moves`, or, where that is NULL, at the rival's end. */
static struct ends find_ends(const struct whole_facts *f, const struct whole_answer *answer,
                             const GArray *moves, const struct rival *r)
{
    struct ends e = {f, answer, g_new0(int64_t *, MAX(f->n_collections, 1)),
                     g_new0(int64_t, MAX(f->n_collections, 1))};
    for (uint32_t i = 0; i < f->n_collections; i++) {
        if (f->collections[i].place == NULL)
            continue;
        const placement *p = moves == NULL ? r->pr.colls[i].place : f->collections[i].place;
        e.load[i] = g_memdup2(p->shard_bytes, f->cl->n_shards * sizeof(int64_t));
        e.wrong[i] = count_wrong(f, p);
    }
    for (guint k = 0; moves != NULL && k < moves->len; k++) {
        const struct whole_move *w = &g_array_index(moves, struct whole_move, k);
        if (e.load[w->collection][w->move.from] >= 0)
            e.load[w->collection][w->move.from] -= w->move.bytes;
        e.load[w->collection][w->move.to] += w->move.bytes;
        /* Of a chunk in parts only the last takes it away. */
        const placement *p = f->collections[w->collection].place;
        if (w->move.reason != MOVE_IMBALANCE &&
            (k + 1 == moves->len ||
             g_array_index(moves, struct whole_move, k + 1).move.entry != w->move.entry ||
             p->bytes_of[w->move.entry] == w->move.bytes))
            e.wrong[w->collection]--;
    }
    return e;
}

static double over(double load, double target)
{
    return target >= 1 ? load / target - 1 : 0;
}

/* Whether the collection is no further from its shares than the threshold allows, by what its goal was made
 * of. */
static bool is_in_bounds(const struct ends *e, uint32_t i)
{
    const struct whole_goal *g = &e->answer->goals[i];
    for (uint16_t s = 0; s < e->f->cl->n_shards; s++)
        if (e->load[i][s] >= 0 && (e->load[i][s] > g->high[s] || e->load[i][s] < g->low[s]))
            return false;
    return true;
}

static struct worth judge(const struct ends *e, int64_t bytes, uint32_t rounds)
{
    struct worth w = {.bytes = bytes, .rounds = rounds, .in_bounds = true};
    const uint16_t n = e->f->cl->n_shards;
    g_autofree double *load = g_new0(double, n), *target = g_new0(double, n);
    for (uint32_t i = 0; i < e->f->n_collections; i++) {
        if (e->load[i] == NULL)
            continue;
        w.wrong += e->wrong[i];
        w.in_bounds = w.in_bounds && is_in_bounds(e, i);
        for (uint16_t s = 0; s < n; s++) {
            load[s] += (double)MAX(e->load[i][s], 0);
            target[s] += e->answer->goals[i].target[s];
            if (!e->f->draining[s])
                w.imbalance = MAX(w.imbalance, over((double)e->load[i][s], e->answer->goals[i].target[s]));
        }
    }
    for (uint16_t s = 0; s < n; s++)
        if (!e->f->draining[s])
            w.total = MAX(w.total, over(load[s], target[s]));
    return w;
}

static int64_t sum_bytes(const GArray *moves)
{
    int64_t sum = 0;
    for (guint i = 0; i < moves->len; i++)
        sum += g_array_index(moves, struct whole_move, i).move.bytes;
    return sum;
}

static void give_rounds(const struct projection *pr, struct way *w)
{
    g_autofree bool *busy = g_new(bool, MAX(pr->cl->n_shards, 1));
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        busy[s] = pr->cl->shards[s].busy;
    w->round = g_new(uint32_t, MAX(w->moves->len, 1));
    w->n_rounds = whole_rounds(pr->cl, w->moves, busy, w->round);
}

static struct worth judge_way(const struct projection *pr, const struct whole_facts *f, const struct way *w)
{
    struct ends e = find_ends(f, &pr->answer, w->moves, NULL);
    const struct worth worth = judge(&e, sum_bytes(w->moves), w->n_rounds);
    ends_clear(&e);
    return worth;
}

static struct worth judge_rival(const struct projection *pr, const struct whole_facts *f,
                                const struct rival *r)
{
    struct ends e = find_ends(f, &pr->answer, NULL, r);
    const struct worth worth = judge(&e, r->pr.moved_bytes, r->plan->rounds->len);
    ends_clear(&e);
    return worth;
}

/* Whether ours is behind the rival's on any measure: it ends less even, or leaves more where it must not be;
 * or the rival, as even as is asked, moved less, or in fewer rounds. */
static bool is_behind(const struct worth *us, const struct worth *them)
{
    const double EVEN = 1e-9;
    return us->wrong > them->wrong || us->imbalance > them->imbalance + EVEN ||
           us->total > them->total + EVEN ||
           (them->in_bounds && us->wrong == them->wrong &&
            (us->bytes > them->bytes || us->rounds > them->rounds));
}

static void solve(struct projection *pr, const struct whole_facts *f, struct way *ret)
{
    whole_answer_clear(&pr->answer);
    way_clear(ret);
    pr->policy->solve(f, &pr->answer);
    ret->moves = g_array_ref(pr->answer.moves);
    give_rounds(pr, ret);
}

/* Solved again with the rival's end as the measure: as even as that, then ever nearer to the shares, until it
 * is behind in nothing. Where that never is, the rival's end is taken, each chunk moved there at once. */
static void outdo(struct projection *pr, const struct rival *r, struct whole_facts *f, struct way *way)
{
    static const double parts[] = {1, 0.5, 0.25, 0};
    struct worth us, them;
    struct way other = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        f->rival_part = parts[i];
        solve(pr, f, way);
        us = judge_way(pr, f, way);
        f->rival_part = 1;
        them = judge_rival(pr, f, r);
        if (!is_behind(&us, &them))
            return;
    }
    if (them.wrong <= us.wrong && take_rivals_end(r, f, &pr->answer, &other)) {
        give_rounds(pr, &other);
        way_clear(way);
        *way = other;
        pr->took_rival = true;
    } else {
        way_clear(&other);
        solve(pr, f, way);
    }
}

/* --- recording --- */

/* One sentence serves all moves that have the same reasons. */
struct reason_key {
    uint32_t collection, zone;
    uint16_t from, to;
    uint8_t reason, for_total;
    uint16_t zero;
};

static guint key_hash(gconstpointer p)
{
    const struct reason_key *k = p;
    return k->collection * 2654435761u ^ k->zone * 40503u ^ (guint)(k->from << 16 | k->to) * 97u ^ k->reason;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct reason_key)) == 0;
}

static const char **find_whys(struct projection *pr, const GArray *moves)
{
    const char **whys = g_new(const char *, MAX(moves->len, 1));
    g_autoptr(GHashTable) known = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    for (guint i = 0; i < moves->len; i++) {
        const struct whole_move *w = &g_array_index(moves, struct whole_move, i);
        const struct reason_key key = {.collection = w->collection,
                                       .zone = w->move.zone,
                                       .from = w->move.from,
                                       .to = w->move.to,
                                       .reason = (uint8_t)w->move.reason,
                                       .for_total = w->for_total ? 1 : 0};
        whys[i] = g_hash_table_lookup(known, &key);
        if (whys[i] != NULL)
            continue;
        g_autofree char *text = why_whole(pr, &pr->colls[w->collection], w);
        whys[i] = plan_arena_text(pr->plan->arena, text);
        g_hash_table_insert(known, g_memdup2(&key, sizeof key), (gpointer)whys[i]);
    }
    return whys;
}

/* Indices of the moves, round by round, in the order of the list: counted, then filled in. */
static uint32_t *order_by_round(const struct way *w)
{
    uint32_t *order = g_new(uint32_t, MAX(w->moves->len, 1));
    g_autofree uint32_t *at = g_new0(uint32_t, (size_t)w->n_rounds + 2);
    for (guint i = 0; i < w->moves->len; i++)
        at[w->round[i] + 1]++;
    for (uint32_t r = 1; r <= w->n_rounds + 1; r++)
        at[r] += at[r - 1];
    for (guint i = 0; i < w->moves->len; i++)
        order[at[w->round[i]]++] = i;
    return order;
}

static bool record_round(struct run *run, const struct way *w, const uint32_t *order, uint32_t *at,
                         const char *const *whys)
{
    struct projection *pr = run->pr;
    struct plan *p = pr->plan;
    struct plan_round r = {
        .number = run->round, .first_split = p->splits->len, .first_migration = p->migrations->len};
    if (run->round == 1)
        run_record_splits(run);
    for (; *at < w->moves->len && w->round[order[*at]] == run->round && !run->limited; (*at)++) {
        const struct whole_move *m = &g_array_index(w->moves, struct whole_move, order[*at]);
        struct coll_projection *c = &pr->colls[m->collection];
        if (run_over_limits(run, c, &m->move)) {
            run->limited = true;
            break;
        }
        run_record_move(run, c, &m->move, whys[order[*at]]);
        run_count_move(run, c, &m->move);
        placement_relocate(c->place, m->move.entry, m->move.to, m->move.bytes);
    }
    r.n_splits = p->splits->len - r.first_split;
    r.n_migrations = p->migrations->len - r.first_migration;
    if (r.n_splits == 0 && r.n_migrations == 0)
        return false;
    g_array_append_val(p->rounds, r);
    return true;
}

static bool record(struct run *run, const struct way *w)
{
    const struct plan_options *opt = run->pr->opt;
    g_autofree const char **whys = find_whys(run->pr, w->moves);
    g_autofree uint32_t *order = order_by_round(w);
    uint32_t at = 0;
    for (run->round = 1; opt->until_balanced || run->round <= opt->rounds; run->round++)
        if (!record_round(run, w, order, &at, whys) || run->limited)
            break;
    for (uint32_t i = 0; i < run->pr->cl->n_collections; i++)
        if (run->pr->colls[i].n_migrations > 0)
            placement_sort(run->pr->colls[i].place);
    return at == w->moves->len;
}

/* The first reason for which each collection is imbalanced. */
static void note_violations(struct projection *pr, const GArray *moves)
{
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        if (pr->colls[i].splits->len > 0 && pr->colls[i].place != NULL)
            pr->colls[i].violation =
                split_reason_text(g_array_index(pr->colls[i].splits, struct split, 0).reason);
    for (guint i = 0; i < moves->len; i++) {
        const struct whole_move *w = &g_array_index(moves, struct whole_move, i);
        if (pr->colls[w->collection].violation == NULL)
            pr->colls[w->collection].violation = move_reason_text(w->move.reason);
    }
}

bool whole_plan(struct run *run)
{
    struct projection *pr = run->pr;
    struct rival rival = {0};
    struct way way = {0};
    g_autofree struct whole_collection *list = list_collections(pr, &rival);
    struct whole_facts facts = facts_of(pr, list);
    solve(pr, &facts, &way);
    if (is_worth_projecting(pr, way.moves->len))
        rival_run(&rival, run);
    if (rival.known) {
        g_autofree struct whole_collection *with_rival = list_collections(pr, &rival);
        facts.collections = with_rival;
        outdo(pr, &rival, &facts, &way);
    }
    pr->rounds_bound = whole_rounds_bound(pr->cl, way.moves);
    note_violations(pr, way.moves);
    const bool all = record(run, &way);
    way_clear(&way);
    rival_clear(&rival);
    return all;
}
