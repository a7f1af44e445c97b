// SPDX-License-Identifier: Apache-2.0
/* A plan's times: by default speeds a migration of 20 MiB takes 2 s. */
#include "balancer/plan/planner.h"
#include "tests/support/layout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)
#define T0 INT64_C(1700000000000)

/* Four of eight chunks of 20 MiB go to b; twice over, side by side, with d and e. */
static const struct layout two = {
    .shards = "a b", .chunks = "a 1 a 2 a 3 a 4 a 5 a 6 a 7 a", .sizes = "a=160M b=0"};
static const struct layout four = {
    .shards = "a b c d", .chunks = "a 1 a 2 a 3 a 4 c 5 c 6 c 7 c", .sizes = "a=80M b=0 c=80M d=0"};
static const struct layout nothing = {.shards = "a b", .chunks = "a 1 b", .sizes = "a=20M b=20M"};

static plan *make(cluster *cl, const struct sim_limits *limits, double max_seconds)
{
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    plan *p = NULL;
    opt.policy = &policy_count;
    opt.until_balanced = true;
    opt.max_seconds = max_seconds;
    if (limits != NULL)
        opt.limits = *limits;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

/* Spans in seconds from T0. */
static const struct row {
    const char *name;
    const struct layout *on;
    struct sim_limits limits; /* without spans */
    struct sim_span open[3];
    double minimum, bound, expected, low, high, barrier;
    double earliest_end, expected_end, latest_end; /* seconds from T0; 0: not known */
} rows[] = {
    {"two shards", &two, {0}, {{0}}, 4, 8, 8, 4, 32, 11, 0, 0, 0},
    {"side by side", &four, {0}, {{0}}, 2, 4, 4, 2, 16, 5, 0, 0, 0},
    {"one at a time", &four, {.max_concurrent = 1}, {{0}}, 4, 8, 8, 4, 32, 5, 0, 0, 0},
    {"a limit by the hour",
     &two,
     {.max_bytes_per_hour = 40 * MIB},
     {{0}},
     4,
     8,
     3606,
     3603,
     3624,
     11,
     0,
     0,
     0},
    {"begun at a time", &two, {.start_ms = T0}, {{0}}, 4, 8, 8, 4, 32, 11, 4, 8, 32},
    {"a window that closes",
     &two,
     {.start_ms = T0},
     {{-50, 5}, {1000, 1005}, {2000, 9000}},
     4,
     8,
     8,
     4,
     32,
     11,
     1001, /* the fourth would not have fitted by what was expected of it */
     1004,
     2015},
    {"windows are too short", &two, {.start_ms = T0}, {{0, 1}, {10, 11}}, 4, 8, 8, 4, 32, 11, 0, 0, 0},
    {"nothing to do", &nothing, {.start_ms = T0}, {{0}}, 0, 0, 0, 0, 0, 0, 0, 0, 0},
};

static bool near(double a, double b, double share)
{
    return fabs(a - b) <= share * b + 1e-3;
}

static bool ends(int64_t at, double want, double share)
{
    return want == 0 ? at == 0 : near((double)(at - T0) / 1000, want, share);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        struct sim_limits limits = row->limits;
        struct sim_span spans[G_N_ELEMENTS(row->open)];
        for (; limits.n_open < G_N_ELEMENTS(spans) && row->open[limits.n_open].to != 0; limits.n_open++) {
            spans[limits.n_open].from = T0 + row->open[limits.n_open].from * 1000;
            spans[limits.n_open].to = T0 + row->open[limits.n_open].to * 1000;
        }
        limits.open = limits.n_open > 0 ? spans : NULL;
        g_autoptr(cluster) cl = layout_cluster(row->on);
        g_autoptr(plan) p = make(cl, &limits, 0);
        const struct plan_time *t = &p->summary.time;
        /* The range is that of 48 runs: a little inside of nine in ten. */
        if (!near(t->minimum, row->minimum, 0) || !near(t->lower_bound, row->bound, 0) ||
            !near(t->expected, row->expected, 0) || !near(t->barrier, row->barrier, 0) ||
            !near(t->low, row->low, 0.1) || !near(t->high, row->high, 0.1))
            fail_msg("%s: minimum %.3f, bound %.3f, expected %.3f (%.3f to %.3f), in rounds %.3f", row->name,
                     t->minimum, t->lower_bound, t->expected, t->low, t->high, t->barrier);
        if (!ends(t->earliest_end, row->earliest_end, 0.1) || !ends(t->expected_end, row->expected_end, 0) ||
            !ends(t->latest_end, row->latest_end, 0.1))
            fail_msg("%s: ends %lld, %lld, %lld", row->name, (long long)t->earliest_end,
                     (long long)t->expected_end, (long long)t->latest_end);
        int64_t last = 0;
        for (guint k = 0; k < p->migrations->len; k++)
            last = MAX(last, g_array_index(p->migrations, struct plan_migration, k).ends_at);
        if (last / 1000 != t->expected_end / 1000)
            fail_msg("%s: the last migration ends %lld, the plan %lld", row->name, (long long)last,
                     (long long)t->expected_end);
        assert_int_equal(t->basis, TIME_DEFAULT);
    }
}

/* What is told of time depends on the beginning; what is done, and its id, do not. */
static void test_same_plan(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&four);
    const struct sim_limits later = {.start_ms = T0, .max_concurrent = 1};
    g_autoptr(plan) p = make(cl, NULL, 0), again = make(cl, NULL, 0), other = make(cl, &later, 0);
    assert_memory_equal(&p->summary.time, &again->summary.time, sizeof p->summary.time);
    assert_string_equal(p->id, other->id);
    assert_true(other->summary.time.expected > p->summary.time.expected);
}

/* Migrations say when they start; none of a shard before the last one has ended. */
static void test_starts(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&two);
    g_autoptr(plan) p = make(cl, NULL, 0);
    assert_int_equal(p->migrations->len, 4);
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        assert_true(near(m->seconds, 2, 0));
        assert_true(near(m->starts, 2.0 * i, 0));
    }
}

static void test_limit_on_time(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&four);
    g_autoptr(plan) p = make(cl, NULL, 3);
    assert_int_equal(p->migrations->len, 2);
    assert_true(p->summary.time.expected <= 3);
}

/* Sizes and speeds of the past, per pair and collection, come through to the plan. */
static void test_history(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&four);
    g_array_set_size(cl->history, 0);
    for (int i = 0; i < 400; i++) {
        struct past_migration m = {.ended_ms = i, .bytes = 20 * MIB, .from = 0, .to = 1, .coll = 0};
        if (i % 2 == 1) {
            m.from = 2;
            m.to = 3;
        }
        m.seconds = (i % 2 == 1 ? 40 : 10) * (1 + 0.01 * (i % 7));
        g_array_append_val(cl->history, m);
    }
    g_autoptr(plan) p = make(cl, NULL, 0);
    const struct plan_time *t = &p->summary.time;
    assert_int_equal(t->basis, TIME_CHANGELOG);
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        assert_true(near(m->seconds, m->from == 0 ? 10.3 : 41.2, 0.05));
    }
    assert_true(near(t->expected, 82.4, 0.05) && t->low < t->expected && t->high > t->expected &&
                t->high < 1.3 * t->expected);
}

static void test_windows_fault(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&two);
    struct plan_options opt = plan_options_default();
    g_autoptr(plan) p = NULL;
    opt.windows_fault = "time zone 'Moon' is not known";
    assert_true(plan_make(cl, &opt, &p, NULL));
    bool warned = false;
    for (guint i = 0; i < p->warnings->len; i++)
        warned |= strcmp(g_array_index(p->warnings, struct warning, i).code, "windowsInvalid") == 0;
    assert_true(warned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),    cmocka_unit_test(test_same_plan),
                                       cmocka_unit_test(test_starts),  cmocka_unit_test(test_limit_on_time),
                                       cmocka_unit_test(test_history), cmocka_unit_test(test_windows_fault)};
    return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
