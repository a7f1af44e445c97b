// SPDX-License-Identifier: Apache-2.0
/* A round: the splits (in the first), then the collections in their order, sharing one set of free shards;
 * then its moves are applied to the placements, and the next round is planned on those. A collection that has
 * nothing to do whichever shards are free is settled and not looked at again, so that a long projection costs
 * by its moves. */
#include "balancer/plan/planner.h"

#include "balancer/plan/advice.h"
#include "balancer/plan/planner_private.h"
#include "balancer/plan/preview.h"
#include "balancer/plan/summary.h"
#include "balancer/plan/timing.h"
#include "balancer/plan/why.h"

struct plan_options plan_options_default(void)
{
    return (struct plan_options){.rounds = 1};
}

plan *plan_begin(const cluster *cl)
{
    plan *p = g_new0(plan, 1);
    p->cl = cl;
    p->arena = plan_arena_new();
    p->collections = g_array_new(FALSE, TRUE, sizeof(struct plan_collection));
    p->rounds = g_array_new(FALSE, FALSE, sizeof(struct plan_round));
    p->splits = g_array_new(FALSE, FALSE, sizeof(struct plan_split));
    p->migrations = g_array_new(FALSE, FALSE, sizeof(struct plan_migration));
    p->blocked = g_array_new(FALSE, FALSE, sizeof(struct plan_blocked));
    p->advice = g_array_new(FALSE, FALSE, sizeof(struct plan_advice));
    p->peaks = g_array_new(FALSE, TRUE, sizeof(struct plan_peak));
    p->zone_moves = g_array_new(FALSE, FALSE, sizeof(struct plan_zone_move));
    p->zone_faults = g_array_new(FALSE, FALSE, sizeof(struct plan_zone_fault));
    p->warnings = g_array_new(FALSE, FALSE, sizeof(struct warning));
    for (guint i = 0; i < cl->warnings->len; i++) {
        const struct warning *w = &g_array_index(cl->warnings, struct warning, i);
        struct warning copy = {
            .code = g_strdup(w->code), .ns = g_strdup(w->ns), .message = g_strdup(w->message)};
        g_array_append_val(p->warnings, copy);
    }
    return p;
}

/* Whether a shard other than the largest donor could give in this slot, or one other than the least loaded
 * could take. The policies look at those two alone, so while one of them can do nothing (a donor with nothing
 * but jumbo chunks, a recipient that has its share of the zone) the slot stands still, until a migration of
 * another collection keeps that shard busy. */
static bool slot_waits(const struct projection *pr, const struct coll_projection *c,
                       const struct round_facts *facts, uint32_t slot)
{
    const placement *p = c->place;
    enum load_unit unit = pr->policy->unit;
    uint32_t zone = p->slots[slot].zone;
    const int64_t *load =
        unit == LOAD_BYTES ? p->shard_bytes : p->slot_chunks + (size_t)slot * pr->cl->n_shards;
    int64_t most = INT64_MIN, least = INT64_MAX;
    struct evenness e;
    pr->policy->judge(facts, p, slot, &e);
    if (e.verdict == EVEN_UNSHARED)
        return false;
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        bool receives = policy_receiver(facts, p, unit, s, zone) == RECEIVER_OK;
        if (receives)
            least = MIN(least, load[s]);
        if (placement_first(p, slot, s) != ENTRY_NONE)
            most = MAX(most, load[s]);
    }
    if (most <= e.ideal || least >= e.ideal)
        return false;
    return unit == LOAD_CHUNKS || most - least >= e.threshold;
}

/* Whether a collection with nothing to do while all shards are free may have something when some are not. */
static bool waits_for_others(const struct projection *pr, const struct coll_projection *c)
{
    g_autofree bool *all_free = g_new(bool, pr->cl->n_shards);
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        all_free[s] = true;
    struct round_facts facts = projection_facts(pr, c);
    facts.free = all_free;
    for (uint32_t slot = 0; slot < c->place->n_slots; slot++)
        if (slot_waits(pr, c, &facts, slot))
            return true;
    return false;
}

void run_assess(struct projection *pr)
{
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        struct coll_projection *c = &pr->colls[i];
        struct move first;
        if (c->place == NULL)
            continue;
        if (c->splits->len > 0)
            c->violation = split_reason_text(g_array_index(c->splits, struct split, 0).reason);
        bool moves = !c->held && pr->cl->n_shards >= 2 && projection_first_move(pr, c, &first);
        if (moves && c->violation == NULL)
            c->violation = move_reason_text(first.reason);
        c->settled = c->held || (!moves && !pr->watch_full && !waits_for_others(pr, c));
    }
}

/* The parts of a chunk are [min, first point), [first point, second point), ... */
static void record_splits(struct projection *pr, struct coll_projection *c, uint32_t round)
{
    for (guint i = 0; i < c->splits->len; i++) {
        const struct split *s = &g_array_index(c->splits, struct split, i);
        bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
        chunk_min(c->coll, &c->coll->chunks, s->chunk, &min);
        chunk_max(c->coll, &c->coll->chunks, s->chunk, &max);
        struct plan_split out = {
            .round = round,
            .coll = c->coll,
            .min = plan_arena_bound(pr->plan->arena, &min),
            .max = plan_arena_bound(pr->plan->arena, &max),
            .at = g_ptr_array_new(),
            .shard = c->coll->chunks.shard[s->chunk],
            .version = c->coll->chunks.version[s->chunk],
            .reason = s->reason,
        };
        for (guint k = 0; k < s->points_bson->len; k++)
            g_ptr_array_add(out.at, (gpointer)plan_arena_bound(pr->plan->arena, s->points_bson->pdata[k]));
        g_array_append_val(pr->plan->splits, out);
        c->n_splits++;
        bson_destroy(&min);
        bson_destroy(&max);
    }
}

void run_record_move(struct run *run, struct coll_projection *c, const struct move *m, const char *why)
{
    struct projection *pr = run->pr;
    const placement *p = c->place;
    uint32_t chunk = placement_chunk_of(p, m->entry);
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(c->coll, p->chunks, chunk, &min);
    chunk_max(c->coll, p->chunks, chunk, &max);
    struct plan_migration out = {
        .id = pr->plan->migrations->len + 1,
        .round = run->round,
        .coll = c->coll,
        .min = plan_arena_bound(pr->plan->arena, &min),
        .max = plan_arena_bound(pr->plan->arena, &max),
        .from = m->from,
        .to = m->to,
        .version = p->chunks->version[chunk],
        .reason = m->reason,
        .zone = m->zone,
        .bytes = m->bytes,
        .force_jumbo = m->force_jumbo,
        .open_max = m->open_max,
        .open_min = placement_was_cut(p, m->entry),
        .why = why,
    };
    g_array_append_val(pr->plan->migrations, out);
    if (c->violation == NULL) /* it waited for others */
        c->violation = move_reason_text(m->reason);
    bson_destroy(&min);
    bson_destroy(&max);
}

/* A migration starts when both its shards are free. */
static double end_of(const struct run *run, const struct coll_projection *c, const struct move *m)
{
    const double *until = run->pr->shard_until;
    return MAX(until[m->from], until[m->to]) +
           estimate_seconds(run->est, c->coll->number, m->from, m->to, m->bytes);
}

bool run_over_limits(const struct run *run, const struct coll_projection *c, const struct move *m)
{
    const struct projection *pr = run->pr;
    const struct plan_options *opt = pr->opt;
    return (opt->max_moves > 0 && pr->n_moves >= opt->max_moves) ||
           (opt->max_bytes > 0 && pr->moved_bytes + m->bytes > opt->max_bytes) ||
           (opt->max_seconds > 0 && end_of(run, c, m) > opt->max_seconds);
}

void run_count_move(struct run *run, struct coll_projection *c, const struct move *m)
{
    struct projection *pr = run->pr;
    size_t base = (size_t)placement_slot(c->place, m->zone) * pr->cl->n_shards;
    pr->shard_until[m->from] = pr->shard_until[m->to] = end_of(run, c, m);
    c->net_chunks[base + m->from]++;
    c->net_chunks[base + m->to]--;
    c->net_bytes[base + m->from] += m->bytes;
    c->net_bytes[base + m->to] -= m->bytes;
    pr->arrived[m->to] += m->bytes;
    pr->arrived[m->from] -= m->bytes;
    pr->shard_bytes[m->to] += m->bytes;
    pr->shard_bytes[m->from] -= m->bytes;
    pr->moved_bytes += m->bytes;
    pr->n_moves++;
    c->n_migrations++;
    c->bytes_moved += m->bytes;
}

/* After the first round, a migration that is as large as the difference it is to mend would go to and fro for
 * ever. */
static bool would_oscillate(const struct projection *pr, const struct move *m, uint32_t round)
{
    return round > 1 && m->reason == MOVE_IMBALANCE && pr->policy->unit == LOAD_BYTES &&
           m->bytes >= m->donor_load - m->recipient_load;
}

/* Whether a later round would find something for this collection, all shards being free. */
static bool has_more(struct projection *pr, struct coll_projection *c)
{
    g_autoptr(GArray) moves = projection_moves(pr, c);
    for (guint i = 0; i < moves->len; i++) {
        if (!would_oscillate(pr, &g_array_index(moves, struct move, i), 2))
            return true;
        c->oscillates = true;
    }
    return false;
}

/* Picks, records and applies one collection's moves of the round. */
static void plan_collection_round(struct run *run, struct coll_projection *c)
{
    struct projection *pr = run->pr;
    struct round_facts facts = projection_facts(pr, c);
    g_autoptr(GArray) moves = g_array_new(FALSE, FALSE, sizeof(struct move));
    bool moved = false;
    pr->policy->pick(&facts, c->place, moves);
    for (guint i = 0; i < moves->len; i++) {
        const struct move *m = &g_array_index(moves, struct move, i);
        if (would_oscillate(pr, m, run->round)) {
            c->oscillates = true; /* the others of the collection go on: a drain must come to its end */
            pr->free[m->from] = pr->free[m->to] = true;
            continue;
        }
        if (run_over_limits(run, c, m)) {
            run->limited = true;
            return;
        }
        g_autofree char *why = why_move(pr, c, m);
        run_record_move(run, c, m, plan_arena_text(pr->plan->arena, why));
        run_count_move(run, c, m);
        placement_move(c->place, m->entry, m->to,
                       m->bytes); /* the others of this pick have other shards, so what they rest on stays */
        moved = true;
    }
    if (!moved && !pr->watch_full && !has_more(pr, c) && !waits_for_others(pr, c))
        c->settled = true;
}

void run_record_splits(struct run *run)
{
    for (uint32_t i = 0; i < run->pr->cl->n_collections; i++)
        record_splits(run->pr, &run->pr->colls[run->pr->coll_order[i]], run->round);
}

static void start_round(struct run *run)
{
    struct projection *pr = run->pr;
    for (uint16_t s = 0; s < pr->cl->n_shards; s++) {
        pr->free[s] = run->round > 1 || !pr->cl->shards[s].busy;
        pr->full[s] = pr->max_bytes[s] > 0 && pr->shard_bytes[s] >= pr->max_bytes[s];
    }
}

static uint32_t count_free(const struct projection *pr)
{
    uint32_t n = 0;
    for (uint16_t s = 0; s < pr->cl->n_shards; s++)
        n += pr->free[s] ? 1 : 0;
    return n;
}

/* Plans one round; false: it had nothing, and is not recorded. */
static bool plan_one_round(struct run *run)
{
    struct projection *pr = run->pr;
    struct plan *p = pr->plan;
    struct plan_round r = {
        .number = run->round, .first_split = p->splits->len, .first_migration = p->migrations->len};
    start_round(run);
    if (run->round == 1)
        run_record_splits(run);
    for (uint32_t i = 0; i < pr->cl->n_collections && !run->limited && count_free(pr) >= 2; i++) {
        struct coll_projection *c = &pr->colls[pr->coll_order[i]];
        if (c->place != NULL && !c->held && !c->settled)
            plan_collection_round(run, c);
    }
    r.n_splits = p->splits->len - r.first_split;
    r.n_migrations = p->migrations->len - r.first_migration;
    if (r.n_splits == 0 && r.n_migrations == 0)
        return false;
    g_array_append_val(p->rounds, r);
    return true;
}

void run_rounds(struct run *run)
{
    const struct plan_options *opt = run->pr->opt;
    for (run->round = 1; opt->until_balanced || run->round <= opt->rounds; run->round++) {
        if (!plan_one_round(run) || run->limited)
            break;
    }
}

bool run_is_complete(struct projection *pr)
{
    bool complete = true;
    for (uint32_t i = 0; i < pr->cl->n_collections; i++) {
        struct coll_projection *c = &pr->colls[i];
        if (c->place != NULL && !c->held && !c->settled && has_more(pr, c))
            complete = false;
    }
    return complete;
}

static void warn_ends(struct run *run)
{
    struct projection *pr = run->pr;
    if (run->limited)
        projection_warn(pr, "limitReached", NULL,
                        "a limit on moves, bytes or time ends the plan before the cluster is balanced");
    if (pr->opt->windows_fault != NULL)
        projection_warn(pr, "windowsInvalid", NULL, "%s; times are told without windows",
                        pr->opt->windows_fault);
    if (pr->cl->settings.invalid != NULL)
        projection_warn(pr, "settingsInvalid", NULL, "%s; MongoDB's own balancer would skip every round",
                        pr->cl->settings.invalid);
    for (uint32_t i = 0; i < pr->cl->n_collections; i++)
        if (pr->colls[i].oscillates)
            projection_warn(pr, "oscillates", pr->colls[i].coll->ns,
                            "a chunk of '%s' is as large as the difference between its shards, so that "
                            "migrations would go to and fro; after the first round such migrations are left "
                            "out: split its chunks",
                            pr->colls[i].coll->ns);
}

/* With a limit on time, when the last migration ends in the plan's own order; else 0. */
static double chosen_to_end(const struct projection *pr)
{
    double end = 0;
    for (uint16_t s = 0; pr->opt->max_seconds > 0 && s < pr->cl->n_shards; s++)
        end = MAX(end, pr->shard_until[s]);
    return end;
}

bool plan_make(const cluster *cl, const struct plan_options *opt, plan **ret, struct err *err)
{
    g_autoptr(plan) p = plan_begin(cl);
    struct projection pr;
    bool ok = projection_init(&pr, cl, opt, p, err);
    if (ok) {
        struct run run = {.pr = &pr, .est = estimate_fit(cl)};
        p->policy = pr.policy;
        p->whatif = opt->whatif;
        if (pr.policy->solve != NULL) {
            p->summary.complete = whole_plan(&run);
        } else {
            run_assess(&pr);
            run_rounds(&run);
            p->summary.complete = !run.limited && run_is_complete(&pr);
        }
        warn_ends(&run);
        timing_fill(p, run.est, opt, chosen_to_end(&pr));
        summary_fill(&pr);
        blocked_fill(&pr);
        if (opt->advice)
            advice_fill(p, opt, run.est);
        estimate_free(run.est);
        peaks_fill(&pr);
        zone_change_fill(&pr);
        p->id = plan_content_id(p);
        *ret = g_steal_pointer(&p);
    }
    projection_clear(&pr);
    return ok;
}
