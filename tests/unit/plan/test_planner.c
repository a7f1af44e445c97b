// SPDX-License-Identifier: Apache-2.0
/* Decisions of the planner on small clusters, a row each: rounds, splits, limits, exclusions, projection. */
#include "balancer/plan/planner.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define M128 "{\"_id\":\"chunksize\",\"value\":128}"

struct row {
    const char *name;
    struct layout on;
    const char *policy;
    const char *want;
    uint32_t rounds; /* 0: until balanced */
    int64_t max_moves, max_bytes;
    double max_seconds;
    bool even, seeded;
    const char *drain, *only;
    int64_t threshold_chunks, threshold_bytes;
    const char *status; /* of the collection; NULL: not looked at */
};

static const struct row rows[] = {
    {"count: even is left alone", {"a b", "a 1 b"}, "count", "", 1, .status = "balanced"},
    {"count: a difference of one is left alone", {"a b", "a 1 b 2 a"}, "count", "", 1, .status = "balanced"},
    {"count: first chunk in key order goes",
     {"a b", "a 1 a 2 a 3 b"},
     "count",
     "1 imbalance min a>b",
     1,
     .status = "imbalanced"},
    {"count: jumbo is passed over", {"a b", "a* 1 a 2 a 3 b"}, "count", "1 imbalance 1 a>b", 1},
    {"count: nothing but jumbo", {"a b", "a* 1 a* 2 a* 3 b"}, "count", "", 1},
    {"count: one shard", {"a", "a 1 a 2 a"}, "count", "", 1},
    {"count: rounds follow each other",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a"},
     "count",
     "1 imbalance min a>b; 2 imbalance 1 a>b; 3 imbalance 2 a>b",
     0},
    {"count: two rounds asked for",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a"},
     "count",
     "1 imbalance min a>b; 2 imbalance 1 a>b",
     2},
    {"count: pairs in parallel",
     {"a b c d", "a 1 a 2 a 3 a 4 b 5 b 6 b 7 b"},
     "count",
     "1 imbalance min a>c; 1 imbalance 4 b>d; 2 imbalance 1 a>c; 2 imbalance 5 b>d",
     0},
    {"count: drain before all", {"a! b c", "a 1 b 2 b 3 b 4 b"}, "count", "1 drain min a>c", 1},
    {"count: drain to the end", {"a! b c", "a 1 a 2 b 3 c"}, "count", "1 drain min a>b; 2 drain 1 a>c", 0},
    {"count: drain finds no zone", {"a!/EU b", "a 1 b"}, "count", "1 drain min a>b", 1},
    {"count: drain respects the zone",
     {"a!/EU b c/EU", "a 1 b", .zones = "EU:min..1"},
     "count",
     "1 drain min a>c",
     1},
    {"count: drain has nowhere to go",
     {"a!/EU b", "a 1 b", .zones = "EU:min..1"},
     "count",
     "",
     0,
     .status = "balanced"},
    {"count: zone violation",
     {"a b/EU", "a 1 b", .zones = "EU:min..1"},
     "count",
     "1 zoneViolation min a>b",
     0,
     .status = "imbalanced"},
    {"count: chunk outside the zone may stay anywhere",
     {"a b/EU", "b 1 b", .zones = "EU:min..1"},
     "count",
     "",
     1},
    {"count: split first, then move in the same round",
     {"a b/EU", "a", .zones = "EU:10..20"},
     "count",
     "1 split min at 10,20; 1 zoneViolation 10 a>b",
     0,
     .status = "imbalanced"},
    {"count: a shared bound is split once",
     {"a/EU b/US", "a", .zones = "EU:10..20 US:20..30"},
     "count",
     "1 split min at 10,20,30; 1 zoneViolation 20 a>b",
     0},
    {"size: within three chunk sizes",
     {"a b", "a 1 a 2 a 3 b", .sizes = "a=383M b=0", .settings = M128},
     "size",
     "",
     1,
     .status = "balanced"},
    {"size: exactly three chunk sizes",
     {"a b", "a 1 a 2 a 3 b", .sizes = "a=384M b=0", .settings = M128},
     "size",
     "1 imbalance min a>b",
     1,
     .status = "imbalanced"},
    {"size: own chunk size counts",
     {"a b", "a 1 a 2 a 3 b", .sizes = "a=40M b=0", .more = "\"maxChunkSizeBytes\":1048576"},
     "size",
     "1 imbalance min a>b",
     1},
    {"size: no sizes, one chunk size each",
     {"a b", "a 1 a 2 a 3 a 4 a", .settings = M128},
     "size",
     "1 imbalance min a>b; 2 imbalance 1 a>b",
     0},
    {"size: moveRange has an open end and cuts large chunks",
     {"a b", "a 1 b", .sizes = "a=1280M b=0", .version = "7.0.5", .settings = M128},
     "size",
     "1 imbalance min+ a>b; 2 imbalance ~min+ a>b; 3 imbalance ~min+ a>b; 4 imbalance ~min+ a>b",
     0},
    {"size: before 6.0 the chunk goes whole, and a giant is not sent to and fro",
     {"a b", "a 1 b", .sizes = "a=1280M b=0", .version = "5.0.5", .settings = M128},
     "size",
     "1 imbalance min a>b",
     0},
    {"size: a draining shard does not give for evenness",
     {"a!/EU b/EU c", "a* 1 a 2 b", .zones = "EU:1..2", .sizes = "a=900M b=900M c=0", .settings = M128},
     "size",
     "1 drain 1 a>b; 2 imbalance 2 b>c",
     0},
    {"limits: moves",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a"},
     "count",
     "1 imbalance min a>b; 2 imbalance 1 a>b",
     0,
     .max_moves = 2},
    {"limits: bytes",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a", .sizes = "a=600M"},
     "count",
     "1 imbalance min a>b; 2 imbalance 1 a>b",
     0,
     .max_bytes = 250 << 20},
    {"limits: time",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a", .sizes = "a=600M"},
     "count",
     "1 imbalance min a>b",
     0,
     .max_seconds = 7},
    {"thresholds: chunks",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a"},
     "count",
     "1 imbalance min a>b",
     0,
     .threshold_chunks = 3},
    {"thresholds: bytes",
     {"a b", "a 1 a 2 a 3 b", .sizes = "a=30M b=0", .settings = M128},
     "size",
     "1 imbalance min a>b",
     1,
     .threshold_bytes = 10 << 20},
    {"filtered", {"a b", "a 1 a 2 a"}, "count", "", 1, .only = "other.*", .status = "excluded"},
    {"noBalance moves nothing",
     {"a b", "a 1 a 2 a", .more = "\"noBalance\":true"},
     "count",
     "",
     1,
     .status = "excluded"},
    {"noBalance is split",
     {"a b/EU", "a", .zones = "EU:min..1", .more = "\"noBalance\":true"},
     "count",
     "1 split min at 1",
     0,
     .status = "excluded"},
    {"time-series is left out",
     {"a b/EU", "a 1 a 2 a", .zones = "EU:min..5", .more = "\"timeseriesFields\":{}"},
     "count",
     "",
     1,
     .status = "excluded"},
    {"time-series spread evenly never sees a zone",
     {"a b/EU", "a 1 a 2 a", .zones = "EU:min..5", .more = "\"timeseriesFields\":{}"},
     "count",
     "1 imbalance min a>b",
     0,
     .even = true,
     .status = "imbalanced"},
    {"what-if drain", {"a b c", "a 1 b 2 c"}, "count", "1 drain min a>b", 0, .drain = "a"},
    {"busy shards wait for the second round",
     {"a b c", "a 1 a 2 a 3 a 4 b 5 b", .top = "\"usedShards\":[\"a\"]"},
     "count",
     "",
     1},
};

static void run_row(void **state)
{
    const struct row *r = *state;
    struct err err = {0};
    g_autoptr(cluster) cl = layout_cluster(&r->on);
    g_autoptr(globs) only = globs_new();
    struct plan_options opt = plan_options_default();
    opt.policy = policy_find(r->policy);
    opt.rounds = MAX(r->rounds, 1);
    opt.until_balanced = r->rounds == 0;
    opt.max_moves = r->max_moves;
    opt.max_bytes = r->max_bytes;
    opt.max_seconds = r->max_seconds;
    opt.time_series_even = r->even;
    opt.threshold_chunks = r->threshold_chunks;
    opt.threshold_bytes = r->threshold_bytes;
    opt.drain = &r->drain;
    opt.n_drain = r->drain != NULL ? 1 : 0;
    if (r->only != NULL) {
        assert_true(globs_add(only, r->only, &err));
        opt.namespaces = only;
    }
    g_autoptr(plan) p = NULL;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    g_autofree char *have = layout_plan_text(p);
    assert_string_equal(have, r->want);
    if (r->status != NULL)
        assert_string_equal(plan_status_text(g_array_index(p->collections, struct plan_collection, 0).status),
                            r->status);
}

static void test_unknown_drain_shard(void **state)
{
    (void)state;
    struct layout l = {"a b", "a 1 b"};
    struct err err = {0};
    g_autoptr(cluster) cl = layout_cluster(&l);
    const char *drain = "zz";
    struct plan_options opt = plan_options_default();
    opt.drain = &drain;
    opt.n_drain = 1;
    plan *p = NULL;
    assert_false(plan_make(cl, &opt, &p, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_string_equal(err.msg, "no shard 'zz' in this cluster");
    assert_null(p);
}

static plan *plan_layout(const struct layout *l, const char *policy, cluster **ret_cl)
{
    struct err err = {0};
    struct plan_options opt = plan_options_default();
    plan *p = NULL;
    *ret_cl = layout_cluster(l);
    opt.policy = policy_find(policy);
    opt.until_balanced = true;
    if (!plan_make(*ret_cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

/* Sentences carry the numbers that decided. */
static void test_why(void **state)
{
    (void)state;
    static const struct {
        struct layout l;
        const char *policy, *why;
    } cases[] = {
        {{"a b c/EU", "a 1 a 2 a 3 a 4 b"},
         "count",
         "a holds 4 chunks of t.c, 2 chunks over its share of 2 chunks (3 shards); c holds the least of it "
         "(0 chunks) of the "
         "2 free shards that can receive"},
        {{"a b", "a 1 a", .sizes = "a=1024M b=256M", .settings = M128},
         "size",
         "a holds 1.00 GiB of t.c, 384 MiB over its share of 640 MiB (2 shards); b is the only free shard "
         "that can receive"},
        {{"a b/EU", "a 1 b", .zones = "EU:min..1"},
         "count",
         "the range belongs to zone EU, which a does not carry; b is the only free shard in zone EU that can "
         "receive"},
        {{"a! b", "a 1 b", .sizes = "a=64M b=64M"},
         "size",
         "a is draining and still holds 1 chunk, 64.0 MiB, of t.c; b is the only free shard that can "
         "receive"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        cluster *cl;
        g_autoptr(plan) p = plan_layout(&cases[i].l, cases[i].policy, &cl);
        assert_true(p->migrations->len > 0);
        assert_string_equal(g_array_index(p->migrations, struct plan_migration, 0).why, cases[i].why);
        cluster_free(cl);
    }
}

static void test_blocked(void **state)
{
    (void)state;
    static const struct {
        struct layout l;
        const char *policy, *reason, *shard;
        int64_t chunks;
        const char *why;
    } cases[] = {
        {{"a! b", "a* 1 a* 2 b"},
         "count",
         "jumbo",
         "a",
         2,
         "the shard is draining, but these chunks are flagged jumbo"},
        {{"a!/EU b", "a 1 a 2 b", .zones = "EU:min..2"},
         "count",
         "noEligibleShard",
         "a",
         2,
         "no shard may receive chunks of zone EU: no other shard carries it"},
        {{"a/US b!/EU", "a 1 b", .zones = "EU:min..1"},
         "count",
         "noEligibleShard",
         "a",
         1,
         "no shard may receive chunks of zone EU: b is draining"},
        {{"a b", "a* 1 a* 2 a* 3 a* 4 b"}, "count", "jumbo", "a", 4, "should give, but all its chunks"},
        {{"a! b", "a 1 b", .more = "\"noBalance\":true"},
         "count",
         "excluded",
         "a",
         1,
         "is excluded (noBalance)"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        cluster *cl;
        g_autoptr(plan) p = plan_layout(&cases[i].l, cases[i].policy, &cl);
        assert_true(p->blocked->len >= 1);
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, 0);
        assert_string_equal(b->reason, cases[i].reason);
        assert_string_equal(cl->shards[b->shard].id, cases[i].shard);
        assert_int_equal(b->chunks, cases[i].chunks);
        if (strstr(b->why, cases[i].why) == NULL)
            fail_msg("'%s' does not say '%s'", b->why, cases[i].why);
        cluster_free(cl);
    }
}

static bool has_warning(const plan *p, const char *code)
{
    for (guint i = 0; i < p->warnings->len; i++)
        if (strcmp(g_array_index(p->warnings, struct warning, i).code, code) == 0)
            return true;
    return false;
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        struct layout l;
        const char *policy, *code;
    } cases[] = {
        {{"a b", "a 1 b"}, "size", "sizesAssumed"},
        {{"a b", "a 1 b", .sizes = "a=1280M b=0", .version = "5.0.5", .settings = M128},
         "size",
         "oscillates"},
        {{"a b", "a 1 b", .settings = "{\"_id\":\"chunksize\",\"value\":0}"}, "count", "settingsInvalid"},
        {{"a b", "a 1 b", .zones = "EU:min..1"}, "count", "zoneWithoutShard"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        cluster *cl;
        g_autoptr(plan) p = plan_layout(&cases[i].l, cases[i].policy, &cl);
        if (!has_warning(p, cases[i].code))
            fail_msg("no warning '%s'", cases[i].code);
        cluster_free(cl);
    }
}

/* The same input gives the same plan; what is decided, and nothing else, makes the id. */
static void test_id(void **state)
{
    (void)state;
    struct layout l = {"a b", "a 1 a 2 a 3 b"}, other = {"a b", "a 1 a 2 a 4 b"},
                  moved = {"a b", "a 2 a 3 a 4 a"};
    cluster *c1, *c2, *c3, *c4;
    g_autoptr(plan) p1 = plan_layout(&l, "count", &c1);
    g_autoptr(plan) p2 = plan_layout(&l, "count", &c2);
    g_autoptr(plan) p3 = plan_layout(&other, "count", &c3);
    g_autoptr(plan) p4 = plan_layout(&moved, "count", &c4);
    assert_int_equal(strlen(p1->id), 64);
    assert_string_equal(p1->id, p2->id);
    assert_string_equal(p1->id, p3->id); /* another bound, which the plan does not touch */
    assert_string_not_equal(p1->id, p4->id);
    cluster_free(c1);
    cluster_free(c2);
    cluster_free(c3);
    cluster_free(c4);
}

static void test_summary(void **state)
{
    (void)state;
    struct layout l = {"a b c", "a 1 a 2 a 3 a 4 a 5 a", .sizes = "a=600M"};
    cluster *cl;
    g_autoptr(plan) p = plan_layout(&l, "count", &cl);
    const struct plan_summary *s = &p->summary;
    assert_int_equal(s->n_migrations, 4);
    assert_int_equal(s->n_rounds, 4);
    assert_int_equal(s->bytes, 400ll << 20);
    assert_int_equal(s->lower_bytes, 400ll << 20);
    assert_int_equal(s->lower_rounds, 4);
    assert_float_equal(s->imbalance_before, 2.0, 1e-9);
    assert_float_equal(s->imbalance_after, 0.0, 1e-9);
    assert_true(s->complete);
    assert_int_equal(s->time.basis, TIME_DEFAULT);
    assert_float_equal(s->time.expected, 4 * (1 + 5.0), 1e-6); /* one after the other: a takes part in all */
    assert_true(s->time.minimum <= s->time.expected && s->time.low <= s->time.expected);
    assert_true(s->time.high >= s->time.expected);
    const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, 0);
    assert_int_equal(c->n_shards, 3);
    assert_int_equal(c->shards[0].chunks, 6);
    assert_int_equal(c->shards[0].chunks_after, 2);
    assert_int_equal(c->shards[0].bytes_after, 200ll << 20);
    assert_int_equal(c->shards[0].target_bytes, 200ll << 20);
    cluster_free(cl);
}

int main(void)
{
    struct CMUnitTest tests[G_N_ELEMENTS(rows) + 8] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        tests[n++] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_unknown_drain_shard);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_why);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_blocked);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_warnings);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_id);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_summary);
    return _cmocka_run_group_tests("planner", tests, n, NULL, NULL);
}
