// SPDX-License-Identifier: Apache-2.0
/* Plans of random clusters, each property a test of its own. */
#include "balancer/report/report.h"
#include "tests/support/plan_check.h"
#include "tests/support/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *json_of(const plan *p)
{
    const struct report_source src = {.kind = "snapshot", .name = "generated", .generated_ms = 0};
    GString *out = g_string_new(NULL);
    report_json(p, &src, out);
    return g_string_free(out, FALSE);
}

static char *replay(struct scenario *s, enum plan_rule rule)
{
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = scenario_naive(s);
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
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = scenario_naive(s);
    char *fault = plan_check_replay(p, after, RULE_OWNER);
    return fault != NULL ? fault : plan_check_tables(p, s->before, after);
}

static char *sums_up(struct scenario *s)
{
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    return plan_check_sums(p);
}

static char *tells_blocked(struct scenario *s)
{
    s->opt.until_balanced = true;
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = scenario_naive(s);
    char *fault = plan_check_replay(p, after, RULE_OWNER);
    if (fault == NULL && !p->summary.complete)
        fault = g_strdup("a plan without limits, until balanced, is not complete");
    return fault != NULL ? fault : plan_check_blocked(p, after, true);
}

/* Whether the end can be written down as documents: where a donor cuts a chunk is not known, and of sizes
 * that are assumed the halves of a split chunk would be assumed anew. */
static bool can_be_carried_out(const struct scenario *s, const plan *p, const naive_cluster *after)
{
    if (s->params.sizes == GEN_SIZES_NONE && plan_is_by_size(p) && p->splits->len > 0)
        return false;
    for (guint i = 0; i < after->colls->len; i++) {
        const naive_collection *c = after->colls->pdata[i];
        for (guint k = 0; k < c->chunks->len; k++)
            if (naive_chunk_at(c, k)->part)
                return false;
    }
    return true;
}

/* Of `optimal` test_optimal.c asks it, which knows where a second look may find more. */
static char *reaches_an_end(struct scenario *s)
{
    if (s->opt.policy == &policy_optimal)
        return NULL;
    s->opt.until_balanced = true;
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    g_autoptr(naive_cluster) after = scenario_naive(s);
    char *fault = plan_check_replay(p, after, RULE_OWNER);
    if (fault != NULL || plan_warns(p, "oscillates") || !can_be_carried_out(s, p, after))
        return fault;
    g_autoptr(cluster) balanced = naive_build(after);
    g_autoptr(plan) again = scenario_plan(s, balanced, &s->opt);
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
    g_autoptr(plan) a = scenario_plan(s, s->cl, &s->opt), b = scenario_plan(s, s->cl, &s->opt),
                    c = scenario_plan(s, twin, &s->opt);
    char *fault = same_json(a, b, "the same model");
    return fault != NULL ? fault : same_json(a, c, "the same input");
}

static char *ignores_order(struct scenario *s)
{
    s->params.shuffled = !s->params.shuffled;
    g_autoptr(cluster) other = generate_cluster(&s->params);
    g_autoptr(plan) a = scenario_plan(s, s->cl, &s->opt), b = scenario_plan(s, other, &s->opt);
    return same_json(a, b, "another order of chunks and tags");
}

/* Every seed's plan keeps all rules, too. */
static char *keeps_rules_for_any_seed(struct scenario *s)
{
    char *fault = NULL;
    s->opt.has_seed = true;
    for (uint32_t seed = 0; seed < 3 && fault == NULL; seed++) {
        s->opt.seed = s->seed * 7 + seed;
        g_autoptr(plan) a = scenario_plan(s, s->cl, &s->opt), b = scenario_plan(s, s->cl, &s->opt);
        fault = same_json(a, b, "the same seed");
        for (int rule = 0; rule < RULE_COUNT && fault == NULL; rule++) {
            g_autoptr(naive_cluster) after = scenario_naive(s);
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
        (!plan_warns(part, "limitReached") || part->summary.complete))
        return g_strdup("nothing tells that a limit ended the plan");
    return plan_check_sums(part);
}

static char *obeys_limits(struct scenario *s)
{
    s->opt.until_balanced = true;
    g_autoptr(plan) whole = scenario_plan(s, s->cl, &s->opt);
    if (whole->migrations->len == 0)
        return NULL;
    s->opt.max_moves = 1 + s->seed % whole->migrations->len;
    g_autoptr(plan) few = scenario_plan(s, s->cl, &s->opt);
    s->opt.max_moves = 0;
    s->opt.max_bytes = 1 + whole->summary.bytes / (1 + s->seed % 5);
    g_autoptr(plan) small = scenario_plan(s, s->cl, &s->opt);
    s->opt.max_bytes = 0;
    s->opt.max_seconds = whole->summary.time.expected / (1 + s->seed % 3);
    g_autoptr(plan) quick = scenario_plan(s, s->cl, &s->opt);
    if ((int64_t)few->migrations->len != 1 + s->seed % whole->migrations->len)
        return g_strdup_printf("%u migrations under a limit of %u", few->migrations->len,
                               1 + s->seed % whole->migrations->len);
    if (small->summary.bytes > 1 + whole->summary.bytes / (1 + s->seed % 5))
        return g_strdup("more bytes than the limit");
    if (quick->summary.time.expected > s->opt.max_seconds + 0.001) /* it is told in milliseconds */
        return g_strdup("longer than the limit");
    char *fault = check_prefix(few, whole);
    fault = fault != NULL ? fault : check_prefix(small, whole);
    return fault != NULL ? fault : check_prefix(quick, whole);
}

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
        for (uint32_t seed = 1; seed <= SCENARIO_SEEDS && spoilt < 5; seed++) {
            struct scenario s;
            scenario_init(&s, seed);
            g_autoptr(plan) p = scenario_plan(&s, s.cl, &s.opt);
            g_autoptr(naive_cluster) after = scenario_naive(&s);
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
    for (uint32_t seed = 1; seed <= SCENARIO_SEEDS; seed++) {
        struct scenario s;
        scenario_init(&s, seed);
        s.opt.until_balanced = true;
        g_autoptr(plan) p = scenario_plan(&s, s.cl, &s.opt);
        bool here[KINDS] = {[SPLIT] = p->splits->len > 0,
                            [BLOCKED] = p->blocked->len > 0,
                            [COUNT] = !plan_is_by_size(p),
                            [SIZE] = plan_is_by_size(p),
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
        if (met[k] < SCENARIO_SEEDS / 30)
            fail_msg("only %u of %d scenarios have: %s", met[k], SCENARIO_SEEDS, names[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(test_checks_bite),
        cmocka_unit_test(test_scenarios_are_varied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
