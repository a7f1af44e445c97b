// SPDX-License-Identifier: Apache-2.0
/* Plans of random clusters, each property a test of its own. A failure prints the seed; EVENKEEL_TEST_SEED=N
 * runs that one alone. */
#include "balancer/plan/planner.h"
#include "balancer/report/report.h"
#include "tests/support/naive_policy.h"
#include "tests/support/plan_check.h"
#include "tests/support/slow_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 300 };

/* A cluster and how it is planned. */
struct scenario {
    uint32_t seed;
    struct gen_params params;
    struct plan_options opt;
    const char *drain[1]; /* of `opt` */
    cluster *cl;
    naive_cluster *before;
};

static uint32_t pick(GRand *r, uint32_t n)
{
    return (uint32_t)g_rand_int_range(r, 0, (gint32)n);
}

static double pick_share(GRand *r)
{
    static const double shares[] = {0, 0, 0.1, 0.5, 1};
    return shares[pick(r, G_N_ELEMENTS(shares))];
}

static void draw_params(GRand *r, struct gen_params *p)
{
    static const char *const versions[] = {"4.2.8",  "4.4.18", "5.0.20", "6.0.2",
                                           "6.0.14", "7.0.14", "8.0.4",  NULL};
    static const uint32_t chunk_mb[] = {0, 1, 64};
    p->version = versions[pick(r, G_N_ELEMENTS(versions))];
    p->generation = p->version != NULL && p->version[0] == '4' ? GEN_NS : GEN_UUID;
    p->shards = 2 + pick(r, 11);
    p->collections = 1 + pick(r, 6);
    p->chunks = 1 + pick(r, pick(r, 4) == 0 ? 300 : 80);
    p->zones = pick(r, 2) * pick(r, 6);
    p->skew = pick_share(r);
    p->violations = pick_share(r);
    p->any_key = true;
    p->draining = pick(r, 3) == 0 ? 1 + pick(r, MIN(p->shards, 3)) : 0;
    p->jumbo = pick(r, 2) * pick_share(r);
    p->misaligned = pick(r, 2) * pick_share(r);
    p->excluded = pick(r, 3) == 0 ? pick(r, p->collections + 1) : 0;
    p->sizes = (enum gen_sizes)pick(r, 4);
    p->measured = p->sizes != GEN_SIZES_NONE && pick(r, 3) != 0;
    p->ragged = pick(r, 2) == 0;
    p->shuffled = pick(r, 2) == 0;
    p->chunk_mb = chunk_mb[pick(r, G_N_ELEMENTS(chunk_mb))];
    p->seed = g_rand_int(r);
}

static void draw_options(GRand *r, struct plan_options *o)
{
    static const struct policy *const some[] = {NULL, &policy_count, &policy_size};
    *o = plan_options_default();
    o->policy = some[pick(r, G_N_ELEMENTS(some))];
    o->rounds = 1 + pick(r, 4);
    o->until_balanced = pick(r, 2) == 0;
    o->has_seed = pick(r, 2) == 0;
    o->seed = g_rand_int(r);
}

/* The naive cluster of the same documents, shards drained by an option included. */
static naive_cluster *naive_of(const struct scenario *s)
{
    naive_cluster *n = naive_new(&s->params);
    for (guint i = 0; i < n->shards->len; i++)
        if (s->opt.n_drain > 0 && strcmp(naive_shard_at(n, i)->id, s->drain[0]) == 0)
            naive_shard_at(n, i)->draining = true;
    return n;
}

static void scenario_init(struct scenario *s, uint32_t seed)
{
    GRand *r = g_rand_new_with_seed(seed);
    *s = (struct scenario){.seed = seed};
    draw_params(r, &s->params);
    draw_options(r, &s->opt);
    if (pick(r, 6) == 0) {
        s->drain[0] = "shard00";
        s->opt.drain = s->drain;
        s->opt.n_drain = 1;
    }
    g_rand_free(r);
    s->cl = generate_cluster(&s->params);
    s->before = naive_of(s);
}

static void scenario_clear(struct scenario *s)
{
    cluster_free(s->cl);
    naive_free(s->before);
}

static plan *must_plan(const struct scenario *s, const cluster *cl, const struct plan_options *opt)
{
    struct err err = {0};
    plan *p = NULL;
    if (!plan_make(cl, opt, &p, &err))
        fail_msg("seed %u: %s", s->seed, err.msg);
    return p;
}

static bool is_by_size(const plan *p)
{
    return p->policy->unit == LOAD_BYTES;
}

static bool warns(const plan *p, const char *code)
{
    for (guint i = 0; i < p->warnings->len; i++)
        if (strcmp(g_array_index(p->warnings, struct warning, i).code, code) == 0)
            return true;
    return false;
}

static char *json_of(const plan *p)
{
    const struct report_source src = {.kind = "snapshot", .name = "generated", .generated_ms = 0};
    GString *out = g_string_new(NULL);
    report_json(p, &src, out);
    return g_string_free(out, FALSE);
}

/* Runs a property over the seeds; it gives NULL, or what is wrong (freed here). */
static void for_all(char *(*property)(struct scenario *s))
{
    const char *given = g_getenv("EVENKEEL_TEST_SEED");
    uint32_t first = given == NULL ? 1 : (uint32_t)strtoul(given, NULL, 10), n = given == NULL ? SEEDS : 1;
    for (uint32_t i = 0; i < n; i++) {
        struct scenario s;
        scenario_init(&s, first + i);
        g_autofree char *fault = property(&s);
        scenario_clear(&s);
        if (fault != NULL)
            fail_msg("%s (again: EVENKEEL_TEST_SEED=%u)", fault, first + i);
    }
}

static char *replay(struct scenario *s, enum plan_rule rule)
{
    g_autoptr(plan) p = must_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = naive_of(s);
    return plan_check_replay(p, after, rule);
}

static char *keeps_zones(struct scenario *s)
{
    return replay(s, RULE_ZONE);
}

static char *spares_draining(struct scenario *s)
{
    return replay(s, RULE_NOT_DRAINING);
}

static char *uses_shards_once(struct scenario *s)
{
    return replay(s, RULE_ONE_PER_ROUND);
}

static char *knows_owners(struct scenario *s)
{
    return replay(s, RULE_OWNER);
}

static char *leaves_jumbo(struct scenario *s)
{
    return replay(s, RULE_NO_JUMBO);
}

static char *conserves(struct scenario *s)
{
    g_autoptr(plan) p = must_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = naive_of(s);
    char *fault = plan_check_replay(p, after, RULE_OWNER);
    return fault != NULL ? fault : plan_check_tables(p, s->before, after);
}

static char *sums_up(struct scenario *s)
{
    g_autoptr(plan) p = must_plan(s, s->cl, &s->opt);
    return plan_check_sums(p);
}

static char *tells_blocked(struct scenario *s)
{
    s->opt.until_balanced = true;
    g_autoptr(plan) p = must_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = naive_of(s);
    char *fault = plan_check_replay(p, after, RULE_OWNER);
    if (fault == NULL && !p->summary.complete)
        fault = g_strdup("a plan without limits, until balanced, is not complete");
    return fault != NULL ? fault : plan_check_blocked(p, after, true);
}

/* Whether the end can be written down as documents: where a donor cuts a chunk is not known, and of sizes
 * that are assumed the halves of a split chunk would be assumed anew. */
static bool can_be_carried_out(const struct scenario *s, const plan *p, const naive_cluster *after)
{
    if (s->params.sizes == GEN_SIZES_NONE && is_by_size(p) && p->splits->len > 0)
        return false;
    for (guint i = 0; i < after->colls->len; i++) {
        const naive_collection *c = after->colls->pdata[i];
        for (guint k = 0; k < c->chunks->len; k++)
            if (naive_chunk_at(c, k)->part)
                return false;
    }
    return true;
}

static char *reaches_an_end(struct scenario *s)
{
    s->opt.until_balanced = true;
    g_autoptr(plan) p = must_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = naive_of(s);
    char *fault = plan_check_replay(p, after, RULE_OWNER);
    if (fault != NULL || warns(p, "oscillates") || !can_be_carried_out(s, p, after))
        return fault;
    g_autoptr(cluster) balanced = naive_build(after);
    g_autoptr(plan) again = must_plan(s, balanced, &s->opt);
    if (again->migrations->len > 0 || again->splits->len > 0)
        return g_strdup_printf("carried out and planned again, there are %u migrations and %u splits",
                               again->migrations->len, again->splits->len);
    for (guint i = 0; i < again->collections->len; i++)
        if (g_array_index(again->collections, struct plan_collection, i).status == PLAN_IMBALANCED)
            return g_strdup("carried out and planned again, a collection is imbalanced");
    return NULL;
}

static char *same_json(const plan *a, const plan *b, const char *what)
{
    g_autofree char *x = json_of(a), *y = json_of(b);
    return strcmp(x, y) == 0 ? NULL : g_strdup_printf("%s gives another report", what);
}

static char *repeats(struct scenario *s)
{
    g_autoptr(cluster) twin = generate_cluster(&s->params);
    g_autoptr(plan) a = must_plan(s, s->cl, &s->opt), b = must_plan(s, s->cl, &s->opt),
                    c = must_plan(s, twin, &s->opt);
    char *fault = same_json(a, b, "the same model");
    return fault != NULL ? fault : same_json(a, c, "the same input");
}

static char *ignores_order(struct scenario *s)
{
    s->params.shuffled = !s->params.shuffled;
    g_autoptr(cluster) other = generate_cluster(&s->params);
    g_autoptr(plan) a = must_plan(s, s->cl, &s->opt), b = must_plan(s, other, &s->opt);
    return same_json(a, b, "another order of chunks and tags");
}

/* Every seed's plan keeps all rules, too. */
static char *keeps_rules_for_any_seed(struct scenario *s)
{
    char *fault = NULL;
    s->opt.has_seed = true;
    for (uint32_t seed = 0; seed < 3 && fault == NULL; seed++) {
        s->opt.seed = s->seed * 7 + seed;
        g_autoptr(plan) a = must_plan(s, s->cl, &s->opt), b = must_plan(s, s->cl, &s->opt);
        fault = same_json(a, b, "the same seed");
        for (int rule = 0; rule < RULE_COUNT && fault == NULL; rule++) {
            g_autoptr(naive_cluster) after = naive_of(s);
            fault = plan_check_replay(a, after, (enum plan_rule)rule);
        }
    }
    return fault;
}

static bool same_migration(const struct plan_migration *a, const struct plan_migration *b)
{
    bson_t x, y;
    plan_bound_bson(a->min, &x);
    plan_bound_bson(b->min, &y);
    return a->id == b->id && a->round == b->round && a->coll == b->coll && a->from == b->from &&
           a->to == b->to && a->bytes == b->bytes && a->reason == b->reason && bson_equal(&x, &y) &&
           strcmp(a->why, b->why) == 0;
}

static char *check_prefix(const plan *part, const plan *whole)
{
    if (part->migrations->len > whole->migrations->len)
        return g_strdup("the limited plan is longer");
    for (guint i = 0; i < part->migrations->len; i++)
        if (!same_migration(&g_array_index(part->migrations, struct plan_migration, i),
                            &g_array_index(whole->migrations, struct plan_migration, i)))
            return g_strdup_printf("migration %u differs under a limit", i + 1);
    if (part->migrations->len < whole->migrations->len &&
        (!warns(part, "limitReached") || part->summary.complete))
        return g_strdup("nothing tells that a limit ended the plan");
    return plan_check_sums(part);
}

static char *obeys_limits(struct scenario *s)
{
    s->opt.until_balanced = true;
    g_autoptr(plan) whole = must_plan(s, s->cl, &s->opt);
    if (whole->migrations->len == 0)
        return NULL;
    s->opt.max_moves = 1 + s->seed % whole->migrations->len;
    g_autoptr(plan) few = must_plan(s, s->cl, &s->opt);
    s->opt.max_moves = 0;
    s->opt.max_bytes = 1 + whole->summary.bytes / (1 + s->seed % 5);
    g_autoptr(plan) small = must_plan(s, s->cl, &s->opt);
    s->opt.max_bytes = 0;
    s->opt.max_seconds = whole->summary.time.expected / (1 + s->seed % 3);
    g_autoptr(plan) quick = must_plan(s, s->cl, &s->opt);
    if ((int64_t)few->migrations->len != 1 + s->seed % whole->migrations->len)
        return g_strdup_printf("%u migrations under a limit of %u", few->migrations->len,
                               1 + s->seed % whole->migrations->len);
    if (small->summary.bytes > 1 + whole->summary.bytes / (1 + s->seed % 5))
        return g_strdup("more bytes than the limit");
    if (quick->summary.time.expected > s->opt.max_seconds)
        return g_strdup("longer than the limit");
    char *fault = check_prefix(few, whole);
    fault = fault != NULL ? fault : check_prefix(small, whole);
    return fault != NULL ? fault : check_prefix(quick, whole);
}

static char *differ(const plan *p, guint i, const struct naive_choice *want)
{
    const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
    bson_t min, max;
    plan_bound_bson(m->min, &min);
    plan_bound_bson(m->max, &max);
    if (strcmp(m->coll->ns, want->coll->ns) == 0 && slow_compare_docs(&min, want->min) == 0 &&
        slow_compare_docs(&max, want->max) == 0 && m->from == want->from && m->to == want->to &&
        strcmp(move_reason_text(m->reason), want->reason) == 0 && m->bytes == want->bytes &&
        m->open_max == want->open_max && m->force_jumbo == want->force_jumbo)
        return NULL;
    return g_strdup_printf("migration %u: %s %u>%u %s %" G_GINT64_FORMAT
                           ", naively %s %u>%u %s %" G_GINT64_FORMAT,
                           m->id, m->coll->ns, m->from, m->to, move_reason_text(m->reason), m->bytes,
                           want->coll->ns, want->from, want->to, want->reason, want->bytes);
}

static char *agrees_with_naive(struct scenario *s)
{
    s->opt.has_seed = false;
    s->opt.until_balanced = false;
    s->opt.rounds = 1;
    s->opt.time_series_even = s->seed % 2 == 0;
    g_autoptr(plan) p = must_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) n = naive_of(s);
    guint splits = naive_do_splits(n);
    if (splits != p->splits->len)
        return g_strdup_printf("%u splits, naively %u", p->splits->len, splits);
    g_autoptr(GArray) want = naive_round(n, is_by_size(p), s->opt.time_series_even);
    char *fault = NULL;
    for (guint i = 0; i < MIN(want->len, p->migrations->len) && fault == NULL; i++)
        fault = differ(p, i, &g_array_index(want, struct naive_choice, i));
    if (fault == NULL && want->len != p->migrations->len)
        fault = g_strdup_printf("%u migrations, naively %u", p->migrations->len, want->len);
    return fault;
}

/* The naive reading of the documents and the model agree before anything is planned. */
static char *reads_alike(struct scenario *s)
{
    for (guint i = 0; i < s->before->colls->len; i++) {
        const naive_collection *c = s->before->colls->pdata[i];
        const struct collection *m = cluster_find_collection(s->cl, c->ns);
        if (m == NULL || m->invalid != NULL || m->chunks.n != c->chunks->len)
            return g_strdup_printf("%s: %s", c->ns, m == NULL ? "not there" : m->invalid);
        for (uint32_t k = 0; k < m->chunks.n; k++) {
            const struct naive_chunk *chunk = naive_chunk_at(c, k);
            bson_t min = BSON_INITIALIZER;
            chunk_min(m, &m->chunks, k, &min);
            bool same = bson_equal(&min, chunk->min) && m->chunks.shard[k] == chunk->shard;
            bson_destroy(&min);
            if (!same)
                return g_strdup_printf("%s: chunk %u differs", c->ns, k);
        }
    }
    return NULL;
}

#define PROPERTY(name)                                                                                       \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        for_all(name);                                                                                       \
    }
PROPERTY(reads_alike)
PROPERTY(keeps_zones)
PROPERTY(spares_draining)
PROPERTY(uses_shards_once)
PROPERTY(knows_owners)
PROPERTY(leaves_jumbo)
PROPERTY(conserves)
PROPERTY(sums_up)
PROPERTY(tells_blocked)
PROPERTY(reaches_an_end)
PROPERTY(repeats)
PROPERTY(ignores_order)
PROPERTY(keeps_rules_for_any_seed)
PROPERTY(obeys_limits)
PROPERTY(agrees_with_naive)

/* What the checks are for: a plan that is wrong in one place. Each row spoils a plan and names the check that
 * must say so. */
static struct plan_migration *first_migration(plan *p)
{
    return &g_array_index(p->migrations, struct plan_migration, 0);
}

static bool spoil_zone(plan *p, const naive_cluster *n)
{
    for (guint i = 0; i < p->migrations->len; i++) {
        struct plan_migration *m = first_migration(p) + i;
        for (uint16_t to = 0; to < n->shards->len && m->zone != ZONE_NONE; to++)
            if (to != m->from && !naive_carries(naive_shard_at(n, to), p->cl->zones[m->zone])) {
                m->to = to;
                return true;
            }
    }
    return false;
}

static bool spoil_draining(plan *p, const naive_cluster *n)
{
    for (uint16_t s = 0; s < n->shards->len && p->migrations->len > 0; s++)
        if (naive_shard_at(n, s)->draining && s != first_migration(p)->from) {
            first_migration(p)->to = s;
            return true;
        }
    return false;
}

static bool spoil_round(plan *p, const naive_cluster *n)
{
    (void)n;
    for (guint i = 1; i < p->migrations->len; i++)
        if (first_migration(p)[i].round == 1) {
            first_migration(p)[i].to = first_migration(p)->to;
            return true;
        }
    return false;
}

static bool spoil_owner(plan *p, const naive_cluster *n)
{
    if (p->migrations->len == 0)
        return false;
    first_migration(p)->from = (uint16_t)((first_migration(p)->from + 1) % n->shards->len);
    return true;
}

static bool spoil_bytes(plan *p, const naive_cluster *n)
{
    (void)n;
    if (p->migrations->len == 0)
        return false;
    first_migration(p)->bytes++;
    return true;
}

/* Gives the first migration the bounds of a jumbo chunk of its shard. */
static bool spoil_jumbo(plan *p, const naive_cluster *n)
{
    for (guint i = 0; p->splits->len == 0 && i < p->migrations->len; i++) {
        struct plan_migration *m = first_migration(p) + i;
        const naive_collection *c = naive_find(n, m->coll->ns);
        for (guint k = 0; m->round == 1 && k < c->chunks->len; k++) {
            const struct naive_chunk *chunk = naive_chunk_at(c, k);
            if (!chunk->jumbo || chunk->shard != m->from)
                continue;
            m->min = bson_get_data(chunk->min);
            m->max = bson_get_data(chunk->max);
            return true;
        }
    }
    return false;
}

static void test_checks_bite(void **state)
{
    static const struct {
        const char *name;
        bool (*spoil)(plan *p, const naive_cluster *n);
        enum plan_rule rule;
        const char *says;
    } rows[] = {
        {"a recipient outside the zone", spoil_zone, RULE_ZONE, "does not carry it"},
        {"a draining recipient", spoil_draining, RULE_NOT_DRAINING, "which is draining"},
        {"a shard twice in a round", spoil_round, RULE_ONE_PER_ROUND, "share a shard"},
        {"a donor that has it not", spoil_owner, RULE_OWNER, "does not have the range"},
        {"more than is there", spoil_bytes, RULE_OWNER, "bytes"},
        {"a jumbo chunk", spoil_jumbo, RULE_NO_JUMBO, "jumbo"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned spoilt = 0;
        for (uint32_t seed = 1; seed <= SEEDS && spoilt < 5; seed++) {
            struct scenario s;
            scenario_init(&s, seed);
            g_autoptr(plan) p = must_plan(&s, s.cl, &s.opt);
            g_autoptr(naive_cluster) after = naive_of(&s);
            if (rows[i].spoil(p, s.before)) {
                g_autofree char *fault = plan_check_replay(p, after, rows[i].rule);
                if (fault == NULL || strstr(fault, rows[i].says) == NULL)
                    fail_msg("%s, seed %u: the check says %s", rows[i].name, seed,
                             fault == NULL ? "nothing" : fault);
                spoilt++;
            }
            scenario_clear(&s);
        }
        if (spoilt == 0)
            fail_msg("%s: no plan could be spoilt so", rows[i].name);
    }
}

/* The scenarios are worth planning: each feature is met, and there is something to do. */
static void test_scenarios_are_varied(void **state)
{
    enum { DRAIN, VIOLATION, IMBALANCE, SPLIT, OPEN, CUT, BLOCKED, COUNT, SIZE, MANY, KINDS };
    static const char *const names[KINDS] = {"drain",     "zoneViolation", "imbalance", "splits",
                                             "open ends", "cut chunks",    "blocked",   "count",
                                             "size",      "ten rounds"};
    unsigned met[KINDS] = {0};
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct scenario s;
        scenario_init(&s, seed);
        s.opt.until_balanced = true;
        g_autoptr(plan) p = must_plan(&s, s.cl, &s.opt);
        bool here[KINDS] = {[SPLIT] = p->splits->len > 0,
                            [BLOCKED] = p->blocked->len > 0,
                            [COUNT] = !is_by_size(p),
                            [SIZE] = is_by_size(p),
                            [MANY] = p->rounds->len >= 10};
        for (guint i = 0; i < p->migrations->len; i++) {
            const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
            here[m->reason == MOVE_DRAIN            ? DRAIN
                 : m->reason == MOVE_ZONE_VIOLATION ? VIOLATION
                                                    : IMBALANCE] = true;
            here[OPEN] = here[OPEN] || m->open_max;
            here[CUT] = here[CUT] || m->open_min;
        }
        for (int k = 0; k < KINDS; k++)
            met[k] += here[k] ? 1 : 0;
        scenario_clear(&s);
    }
    for (int k = 0; k < KINDS; k++)
        if (met[k] < SEEDS / 30)
            fail_msg("only %u of %d scenarios have: %s", met[k], SEEDS, names[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_alike),
        cmocka_unit_test(test_keeps_zones),
        cmocka_unit_test(test_spares_draining),
        cmocka_unit_test(test_uses_shards_once),
        cmocka_unit_test(test_knows_owners),
        cmocka_unit_test(test_leaves_jumbo),
        cmocka_unit_test(test_conserves),
        cmocka_unit_test(test_sums_up),
        cmocka_unit_test(test_tells_blocked),
        cmocka_unit_test(test_reaches_an_end),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_ignores_order),
        cmocka_unit_test(test_keeps_rules_for_any_seed),
        cmocka_unit_test(test_obeys_limits),
        cmocka_unit_test(test_agrees_with_naive),
        cmocka_unit_test(test_checks_bite),
        cmocka_unit_test(test_scenarios_are_varied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
