// SPDX-License-Identifier: Apache-2.0
/* From a whole-cluster policy's answer to a plan. The built-in's own way is projected beside it where that is
 * no great work, as the measure of what the answer has to reach. */
#include "balancer/plan/planner_private.h"
#include "balancer/plan/why.h"

#include <string.h>

/* The built-in's way is projected for plans of so many moves, on clusters of so many chunks, at most. */
enum { RIVAL_MOVES_MAX = 20 * 1000, RIVAL_CHUNKS_MAX = 500 * 1000 };

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
        if (rival->known && rival->pr.colls[i].place != NULL) {
            list[i].rival = rival->pr.colls[i].place;
            list[i].rival_moved = rival->pr.colls[i].bytes_moved;
        }
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
                                .balance_cluster = pr->opt->balance_cluster,
                                .threshold_chunks = pr->opt->threshold_chunks,
                                .threshold_percent = pr->opt->threshold_percent};
}

/* --- the built-in's way --- */

static bool is_large(const struct projection *pr)
{
    uint64_t chunks = 0;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        chunks += pr->colls[i].place == NULL ? 0 : pr->colls[i].place->chunks->n;
    return chunks > RIVAL_CHUNKS_MAX;
}

static void rival_run(struct rival *r, const struct run *of)
{
    struct err err = {0};
    r->opt = *of->pr->opt;
    r->opt.policy = policy_auto(of->pr->cl);
    r->opt.until_balanced = true;
    r->opt.max_moves = (int64_t)2 * RIVAL_MOVES_MAX;
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

/* --- comparing --- */

static void give_rounds(const struct projection *pr, struct way *w)
{
    g_autofree bool *busy = g_new(bool, MAX(pr->cl->n_shards, 1));
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        busy[s] = pr->cl->shards[s].busy;
    w->round = g_new(uint32_t, MAX(w->moves->len, 1));
    w->n_rounds = whole_rounds(pr->cl, w->moves, busy, w->round);
}

static void solve(struct projection *pr, const struct whole_facts *f, struct way *ret)
{
    whole_answer_clear(&pr->answer);
    way_clear(ret);
    pr->policy->solve(f, &pr->answer);
    ret->moves = g_array_ref(pr->answer.moves);
    give_rounds(pr, ret);
}

/* Whether what the rival reaches is what is asked of all collections, and what is left alone it leaves alone.
 */
static bool is_rival_whole(const struct projection *pr, const struct rival *r)
{
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const struct whole_goal *g = &pr->answer.goals[i];
        if (pr->colls[i].place != NULL && !g->outdone && !g->behind &&
            (g->acts || r->pr.colls[i].n_migrations > 0))
            return false;
    }
    return true;
}

/* The fullest shard by its share of everything, less 1. */
static double worst_total(const struct projection *pr, const struct rival *r, const GArray *moves)
{
    const uint16_t n = pr->cl->n_shards;
    g_autofree double *load = g_new0(double, n), *target = g_new0(double, n);
    double worst = 0;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const placement *p = moves != NULL ? pr->colls[i].place : r->pr.colls[i].place;
        for (uint16_t s = 0; p != NULL && pr->answer.goals[i].target != NULL && s < n; s++) {
            load[s] += (double)MAX(p->shard_bytes[s], 0);
            target[s] += pr->answer.goals[i].target[s];
        }
    }
    for (guint k = 0; moves != NULL && k < moves->len; k++) {
        const struct move *m = &g_array_index(moves, struct whole_move, k).move;
        load[m->from] -= (double)m->bytes;
        load[m->to] += (double)m->bytes;
    }
    for (uint16_t s = 0; s < n; s++)
        if (!pr->draining[s] && target[s] >= 1)
            worst = MAX(worst, load[s] / target[s] - 1);
    return worst;
}

/* Behind in what concerns all collections together. */
static bool is_behind_in_all(const struct projection *pr, const struct rival *r, const struct way *w)
{
    const double EVEN = 1e-9;
    return is_rival_whole(pr, r) && (w->n_rounds > r->plan->rounds->len ||
                                     worst_total(pr, r, w->moves) > worst_total(pr, r, NULL) + EVEN);
}

/* More effort for the collections that are behind, or for all where all together are. False: there is none.
 */
static bool try_harder(const struct projection *pr, struct whole_collection *list, bool all)
{
    bool harder = false;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const struct whole_goal *g = &pr->answer.goals[i];
        if (!(g->behind || (all && g->outdone)) || list[i].effort == WHOLE_EFFORTS - 1)
            continue;
        list[i].effort++;
        harder = true;
    }
    return harder;
}

/* Solved again with the rival's end as the measure of each collection, until it is behind in nothing. */
static void outdo(struct projection *pr, const struct rival *r, struct whole_facts *f,
                  struct whole_collection *list, struct way *way)
{
    bool all;
    do {
        solve(pr, f, way);
        all = is_behind_in_all(pr, r, way);
    } while (try_harder(pr, list, all));
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
    uint32_t *order = g_new0(uint32_t, MAX(w->moves->len, 1));
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

/* Moves of the round in hand, the first of which is at `at`. */
static uint32_t count_round(const struct run *run, const struct way *w, const uint32_t *order, uint32_t at)
{
    uint32_t n = 0;
    while (at + n < w->moves->len && w->round[order[at + n]] == run->round)
        n++;
    return n;
}

/* When what was recorded is expected to end, if each migration starts as soon as its shards are free. */
static double end_so_far(const struct projection *pr)
{
    double end = 0;
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        end = MAX(end, pr->shard_until[s]);
    return end;
}

static bool is_asked_for(const struct run *run, const struct way *w, const uint32_t *order, uint32_t at)
{
    const struct plan_options *opt = run->pr->opt;
    const struct plan_ahead *ahead = &opt->ahead;
    return opt->until_balanced || run->round <= opt->rounds ||
           (run->round <= ahead->rounds &&
            run->pr->n_moves + count_round(run, w, order, at) <= ahead->moves &&
            end_so_far(run->pr) < ahead->seconds);
}

static bool record(struct run *run, const struct way *w)
{
    g_autofree const char **whys = find_whys(run->pr, w->moves);
    g_autofree uint32_t *order = order_by_round(w);
    uint32_t at = 0;
    for (run->round = 1; is_asked_for(run, w, order, at); run->round++)
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

/* Chunks that a donor would refuse stay out of the way to balance; somebody has to split them. */
static void warn_too_large(struct projection *pr, const struct whole_facts *f)
{
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        const placement *p = f->collections[i].place;
        const int64_t largest = whole_largest(f, i);
        uint32_t n = 0;
        if (p == NULL || !pr->answer.goals[i].acts || largest == INT64_MAX)
            continue;
        for (uint32_t k = 0; k < p->chunks->n; k++)
            n += p->bytes_of[k] > largest && (p->chunks->flags[k] & CHUNK_JUMBO) == 0 ? 1 : 0;
        if (n > 0)
            projection_warn(
                pr, "tooLargeToMove", pr->colls[i].coll->ns,
                "%u chunk%s of '%s' %s larger than servers of this version move (ChunkTooBig): for "
                "evenness %s; split %s",
                n, n == 1 ? "" : "s", pr->colls[i].coll->ns, n == 1 ? "is" : "are",
                n == 1 ? "it stays" : "they stay", n == 1 ? "it" : "them");
    }
}

bool whole_plan(struct run *run)
{
    struct projection *pr = run->pr;
    struct rival rival = {0};
    struct way way = {0};
    g_autofree struct whole_collection *list = list_collections(pr, &rival);
    struct whole_facts facts = facts_of(pr, list);
    const bool total = pr->opt->balance_cluster;
    facts.nearer = !total && is_large(pr); /* safely nearer than the built-in ends, wherever that is */
    solve(pr, &facts, &way);
    if (!total && !facts.nearer && way.moves->len <= RIVAL_MOVES_MAX) {
        rival_run(&rival, run);
    } else if (!total && !facts.nearer) {
        facts.nearer = true;
        solve(pr, &facts, &way);
    }
    if (rival.known) {
        g_autofree struct whole_collection *with_rival = list_collections(pr, &rival);
        facts.collections = with_rival;
        outdo(pr, &rival, &facts, with_rival, &way);
        facts.collections = list;
    }
    pr->rounds_bound = whole_rounds_bound(pr->cl, way.moves);
    warn_too_large(pr, &facts);
    note_violations(pr, way.moves);
    const bool all = record(run, &way) && !pr->answer.cut_short;
    way_clear(&way);
    rival_clear(&rival);
    return all;
}
