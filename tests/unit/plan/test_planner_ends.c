// SPDX-License-Identifier: Apache-2.0
/* When a projection is at its end, and what must not end it: a collection that stands still beside busy
 * shards, one with a migration that would go to and fro, a limit. */
#include "balancer/plan/planner.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define M1 "{\"_id\":\"chunksize\",\"value\":1}"

static bool warns(const plan *p, const char *code)
{
    for (guint i = 0; i < p->warnings->len; i++)
        if (strcmp(g_array_index(p->warnings, struct warning, i).code, code) == 0)
            return true;
    return false;
}

static void ends(void **state)
{
    static const struct {
        const char *name;
        struct layout on;
        const struct policy *policy;
        uint32_t rounds; /* 0: until balanced */
        int64_t max_moves;
        const char *want;
        bool complete, oscillates;
        const char *status;
    } rows[] = {
        {"a largest donor of jumbo chunks stops the zone",
         {.shards = "a b c", .chunks = "a* 1 a* 2 a* 3 a* 4 b 5 b 6 b"},
         &policy_count,
         0,
         0,
         "",
         true,
         false,
         "balanced"},
        {"it does not while it is busy",
         {.shards = "a b c", .chunks = "a* 1 a* 2 a* 3 a* 4 b 5 b 6 b", .top = "\"usedShards\": [\"a\"]"},
         &policy_count,
         0,
         0,
         "1 imbalance 4 b>c",
         true,
         false,
         "imbalanced"},
        {"size: neither",
         {.shards = "a b c",
          .chunks = "a* 1 a* 2 b 3 b",
          .sizes = "a=9M b=8M c=0",
          .settings = M1,
          .top = "\"usedShards\": [\"a\"]"},
         &policy_size,
         1,
         0,
         "1 imbalance 2 b>c",
         true,
         false,
         "imbalanced"},
        {"a drain goes on beside a migration that would go to and fro",
         {.shards = "a b c! d",
          .chunks = "a 1 c 2 c 3 c",
          .sizes = "a=10M b=0 c=3M d=0",
          .version = "5.0.0",
          .settings = M1},
         &policy_size,
         0,
         0,
         "1 drain 1 c>b; 1 imbalance min a>d; 2 drain 2 c>a; 3 drain 3 c>a",
         true,
         true,
         "imbalanced"},
        {"a limit leaves the plan incomplete, whatever the rest would do",
         {.shards = "a b c d",
          .chunks = "a 1 c",
          .sizes = "a=10M b=0 c=10M d=0",
          .version = "5.0.0",
          .settings = M1},
         &policy_size,
         1,
         1,
         "1 imbalance min a>b",
         false,
         false,
         "imbalanced"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(cluster) cl = layout_cluster(&rows[i].on);
        g_autoptr(plan) p = NULL;
        struct err err = {0};
        struct plan_options opt = plan_options_default();
        opt.policy = rows[i].policy;
        opt.until_balanced = rows[i].rounds == 0;
        opt.rounds = rows[i].rounds;
        opt.max_moves = rows[i].max_moves;
        if (!plan_make(cl, &opt, &p, &err))
            fail_msg("%s: %s", rows[i].name, err.msg);
        g_autofree char *have = layout_plan_text(p);
        const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, 0);
        if (strcmp(have, rows[i].want) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].name, have, rows[i].want);
        if (p->summary.complete != rows[i].complete || warns(p, "oscillates") != rows[i].oscillates ||
            strcmp(plan_status_text(c->status), rows[i].status) != 0)
            fail_msg("%s: complete %d, oscillates %d, %s", rows[i].name, p->summary.complete,
                     warns(p, "oscillates"), plan_status_text(c->status));
    }
}

/* Zone bounds split collections that get no migrations, too, and the table of shards tells so. */
static void excluded_split(void **state)
{
    static const struct layout on = {
        .shards = "a/EU b", .chunks = "a 10 b", .zones = "EU:3..7", .more = "\"noBalance\": true"};
    g_autoptr(cluster) cl = layout_cluster(&on);
    g_autoptr(plan) p = NULL;
    struct plan_options opt = plan_options_default();
    (void)state;
    assert_true(plan_make(cl, &opt, &p, NULL));
    const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, 0);
    assert_int_equal(p->migrations->len, 0);
    assert_int_equal(p->splits->len, 1);
    assert_int_equal(c->status, PLAN_EXCLUDED);
    assert_int_equal(c->n_shards, 2);
    assert_int_equal(c->shards[0].chunks, 1);
    assert_int_equal(c->shards[0].chunks_after, 3);
    assert_int_equal(c->shards[1].chunks_after, 1);
}

/* Whole rounds, as far ahead as all three bounds allow, but what was asked for in any case. */
static void ahead(void **state)
{
    static const struct layout uneven = {.shards = "a b c d",
                                         .chunks = "a 10 a 20 a 30 a 40 a 50 a 60 a 70 a"};
    static const struct row {
        uint32_t rounds;
        struct plan_ahead ahead;
        uint32_t expected; /* rounds */
    } rows[] = {
        {1, {0}, 1},
        {1, {.rounds = 64, .moves = 512, .seconds = 1e9}, 6},
        {1, {.rounds = 3, .moves = 512, .seconds = 1e9}, 3},
        {1, {.rounds = 64, .moves = 4, .seconds = 1e9}, 4},
        {1, {.rounds = 64, .moves = 512, .seconds = 1e-9}, 1},
        {2, {.rounds = 64, .moves = 1, .seconds = 1e-9}, 2},
    };
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&uneven);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct plan_options opt = plan_options_default();
        opt.policy = &policy_optimal;
        opt.rounds = rows[i].rounds;
        opt.ahead = rows[i].ahead;
        g_autoptr(plan) p = NULL;
        assert_true(plan_make(cl, &opt, &p, NULL));
        assert_int_equal(p->rounds->len, rows[i].expected);
        assert_int_equal(p->summary.complete, rows[i].expected == 6);
        opt.policy = &policy_count; /* it knows no further */
        g_clear_pointer(&p, plan_free);
        assert_true(plan_make(cl, &opt, &p, NULL));
        assert_int_equal(p->rounds->len, rows[i].rounds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(excluded_split),
        cmocka_unit_test(ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
