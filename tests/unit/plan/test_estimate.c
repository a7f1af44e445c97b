// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/estimate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct past {
    double seconds;
    int64_t bytes;
};

static estimate *fit(const struct past *past, size_t n)
{
    cluster cl = {.history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    for (size_t i = 0; i < n; i++) {
        struct past_migration m = {.ended_ms = (int64_t)i,
                                   .seconds = past[i].seconds,
                                   .bytes = past[i].bytes,
                                   .from = SHARD_NONE,
                                   .to = SHARD_NONE,
                                   .coll = COLLECTION_NONE};
        g_array_append_val(cl.history, m);
    }
    estimate *e = estimate_fit(&cl);
    g_array_unref(cl.history);
    return e;
}

/* Of any collection and shards. */
static double seconds_of(const estimate *e, int64_t bytes)
{
    return estimate_seconds(e, COLLECTION_NONE, SHARD_NONE, SHARD_NONE, bytes);
}

static void test_line(void **state)
{
    (void)state;
    const struct past past[] = {{2, 1000}, {3, 2000}, {4, 3000}, {11, 10000}};
    g_autoptr(estimate) e = fit(past, G_N_ELEMENTS(past));
    assert_int_equal(e->basis, TIME_CHANGELOG);
    assert_float_equal(seconds_of(e, 5000), 6, 1e-9);
    assert_float_equal(seconds_of(e, 0), 1, 1e-9);
    assert_float_equal(e->low, 1, 1e-9);
    assert_float_equal(e->high, 1, 1e-9);
}

static void test_too_little_history(void **state)
{
    (void)state;
    const struct past past[] = {{2, 1000}, {3, 2000}, {4, SIZE_UNKNOWN}, {0, 500}};
    g_autoptr(estimate) e = fit(past, G_N_ELEMENTS(past));
    assert_int_equal(e->basis, TIME_DEFAULT);
    assert_float_equal(seconds_of(e, 20 << 20), 2, 1e-9);
    assert_float_equal(seconds_of(e, SIZE_UNKNOWN), 1, 1e-9);
    assert_true(e->low < 1 && e->high > 1);
}

/* Never a negative latency or a rate that falls with size. */
static void test_odd_history(void **state)
{
    (void)state;
    const struct past falling[] = {{9, 1000}, {5, 2000}, {1, 3000}},
                      steep[] = {{1, 1000}, {5, 2000}, {9, 3000}}, same[] = {{1, 1000}, {2, 1000}, {3, 1000}};
    g_autoptr(estimate) e = fit(falling, 3);
    assert_float_equal(e->seconds_per_byte, 0, 1e-12);
    assert_float_equal(e->latency, 5, 1e-9);
    estimate_free(e);
    e = fit(steep, 3);
    assert_float_equal(e->latency, 0, 1e-12);
    assert_float_equal(e->seconds_per_byte, 0.0065 / 3, 1e-12);
    estimate_free(e);
    e = fit(same, 3);
    assert_float_equal(seconds_of(e, 1000), 2, 1e-9);
    assert_true(e->low <= 0.5 && e->high >= 1.5);
}

/* One that hung for hours and one that copied nothing do not bend what twenty agree on. */
static void test_outliers(void **state)
{
    (void)state;
    struct past past[22];
    for (int i = 0; i < 20; i++)
        past[i] = (struct past){2 + 0.1 * i, 1000 * i};
    past[20] = (struct past){21600, 9500};
    past[21] = (struct past){0.001, 12000};
    g_autoptr(estimate) e = fit(past, G_N_ELEMENTS(past));
    assert_int_equal(e->samples, 20);
    assert_float_equal(seconds_of(e, 5000), 2.5, 1e-9);
    assert_float_equal(e->high, 1, 1e-9);
    const struct past apart[] = {{1, 10}, {100, 10}, {10000, 10}};
    g_autoptr(estimate) wild = fit(apart, 3);
    assert_int_equal(wild->samples, 3);
}

static void test_ours_go_first(void **state)
{
    (void)state;
    const struct past_migration theirs = {.ended_ms = 1, .seconds = 50, .bytes = 1000},
                                ours = {.ended_ms = 2, .seconds = 5, .bytes = 1000},
                                useless = {.ended_ms = 3, .seconds = 5, .bytes = SIZE_UNKNOWN};
    cluster cl = {.history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    g_autoptr(GArray) measured = g_array_new(FALSE, TRUE, sizeof(struct past_migration));
    for (int i = 0; i < 4; i++)
        g_array_append_val(cl.history, theirs);
    estimate_prefer(&cl, NULL);
    for (int i = 0; i < 3; i++) {
        g_autoptr(estimate) e = estimate_fit(&cl);
        assert_int_equal(e->basis, TIME_CHANGELOG);
        assert_float_equal(seconds_of(e, 1000), 50, 1e-9);
        g_array_append_val(measured, ours);
        g_array_append_val(measured, useless);
        estimate_prefer(&cl, measured);
    }
    g_autoptr(estimate) e = estimate_fit(&cl);
    assert_int_equal(e->basis, TIME_JOURNAL);
    assert_int_equal(e->samples, 3);
    assert_float_equal(seconds_of(e, 1000), 5, 1e-9);
    g_array_unref(cl.history);
}

/* Whatever the log claims, times stay numbers. */
static void test_hostile_history(void **state)
{
    (void)state;
    const double seconds[] = {1e-300, 1e-6, 1e-3, 1, 1e8};
    const int64_t bytes[] = {0, 1, 1000, INT64_C(1) << 50};
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    for (int round = 0; round < 500; round++) {
        struct past past[12];
        for (size_t i = 0; i < G_N_ELEMENTS(past); i++)
            past[i] = (struct past){seconds[g_rand_int_range(rand, 0, G_N_ELEMENTS(seconds))],
                                    bytes[g_rand_int_range(rand, 0, G_N_ELEMENTS(bytes))]};
        g_autoptr(estimate) e = fit(past, G_N_ELEMENTS(past));
        for (size_t i = 0; i < G_N_ELEMENTS(bytes); i++)
            if (!isfinite(seconds_of(e, bytes[i])) || seconds_of(e, bytes[i]) < 0)
                fail_msg("round %d: %g s", round, seconds_of(e, bytes[i]));
        if (!(e->common_low <= 1 && e->common_high >= 1 && e->low <= 1 && e->high >= 1))
            fail_msg("round %d: range %g to %g, %g to %g", round, e->common_low, e->common_high, e->low,
                     e->high);
    }
}

/* --- by shards and by collection --- */

enum { SHARDS = 4, COLLECTIONS = 3 };

/* Past migrations of 10 MB at 1 s + 1 s a MB, times what their pair and collection cost, strayed by up to
 * `noise` (of the logarithm) either way. */
static estimate *fit_factors(guint32 seed, unsigned n, double pair_1_2, double coll_2, double noise)
{
    cluster cl = {.n_shards = SHARDS,
                  .n_collections = COLLECTIONS,
                  .history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (unsigned i = 0; i < n; i++) {
        struct past_migration m = {.ended_ms = i, .bytes = g_rand_int_range(rand, 1, 20) * 1000000};
        m.from = (uint16_t)g_rand_int_range(rand, 0, SHARDS);
        m.to = (uint16_t)((m.from + g_rand_int_range(rand, 1, SHARDS)) % SHARDS);
        m.coll = (uint32_t)g_rand_int_range(rand, 0, COLLECTIONS);
        m.seconds = 1 + (double)m.bytes / 1e6;
        m.seconds *= (m.from == 1 && m.to == 2 ? pair_1_2 : 1) * (m.coll == 2 ? coll_2 : 1);
        m.seconds *= exp(g_rand_double_range(rand, -noise, noise));
        g_array_append_val(cl.history, m);
    }
    estimate *e = estimate_fit(&cl);
    g_array_unref(cl.history);
    return e;
}

/* What differs is found, what does not stays alike. */
static void test_factors(void **state)
{
    (void)state;
    for (guint32 seed = 1; seed <= 50; seed++) {
        g_autoptr(estimate) e = fit_factors(seed, 600, 3, 0.5, 0.3);
        const double usual = estimate_seconds(e, 0, 0, 1, 10000000);
        const double slow = estimate_seconds(e, 0, 1, 2, 10000000) / usual;
        const double quick = estimate_seconds(e, 2, 0, 1, 10000000) / usual;
        const double other = estimate_seconds(e, 1, 3, 0, 10000000) / usual;
        const double both = estimate_seconds(e, 2, 1, 2, 10000000) / usual;
        if (fabs(slow - 3) > 0.6 || fabs(quick - 0.5) > 0.1 || fabs(other - 1) > 0.25 ||
            fabs(both - 1.5) > 0.4)
            fail_msg("seed %u: slow pair %.3f, quick collection %.3f, other %.3f, both %.3f", seed, slow,
                     quick, other, both);
    }
}

/* Where nothing differs but by chance, factors stay near 1; few past migrations say little. */
static void test_no_factors(void **state)
{
    (void)state;
    double worst = 0;
    for (guint32 seed = 1; seed <= 200; seed++) {
        g_autoptr(estimate) e = fit_factors(seed, 30 + seed * 3, 1, 1, 0.5);
        const double any = seconds_of(e, 10000000);
        for (uint16_t from = 0; from < SHARDS; from++)
            for (uint16_t to = 0; to < SHARDS; to++)
                for (uint32_t coll = 0; coll < COLLECTIONS; coll++)
                    worst = MAX(worst, fabs(log(estimate_seconds(e, coll, from, to, 10000000) / any)));
    }
    print_message("largest factor by chance alone: %.3f\n", exp(worst));
    assert_true(worst < 0.45);
}

static void test_range(void **state)
{
    (void)state;
    g_autoptr(estimate) e = fit_factors(7, 1000, 1, 1, 0.5), few = fit_factors(7, 10, 1, 1, 0.5);
    assert_float_equal(e->low, exp(-0.45), 0.05);
    assert_float_equal(e->high, exp(0.45), 0.15);
    assert_true(e->common_high < 1.1 && e->common_low > 0.9);
    assert_true(few->common_high > 1.2 && few->common_low < 0.85);
    double sum = 0;
    for (int i = 0; i < 1000; i++)
        sum += estimate_spread(e, (i + 0.5) / 1000);
    assert_float_equal(sum / 1000, 1, 0.05);
    assert_float_equal(estimate_common(e, 0.5), 1, 1e-3);
    assert_float_equal(estimate_common(e, 0.95), e->common_high, 1e-3);
    assert_float_equal(estimate_common(e, 0.05), e->common_low, 1e-3);
    g_autoptr(estimate) none = fit(NULL, 0);
    assert_float_equal(estimate_spread(none, 0.9), 1, 0);
    assert_float_equal(estimate_common(none, 0.95), 4, 0.01);
}

/* Whole nights differ, not only migrations: then the sum of many is uncertain, too. */
static void test_drift(void **state)
{
    (void)state;
    struct past past[200];
    for (int i = 0; i < 200; i++)
        past[i] = (struct past){(i / 20 % 2 == 0 ? 2 : 4) * (1 + (i % 5) * 0.05), 1000};
    g_autoptr(estimate) e = fit(past, G_N_ELEMENTS(past));
    assert_true(e->common_high > 1.5 && e->common_low < 0.7);
}

/* What is under way counts with the time that it has still to take: else the long ones would be missing. */
static void test_running(void **state)
{
    (void)state;
    cluster cl = {.history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    struct past_migration m = {.bytes = 1000, .from = SHARD_NONE, .to = SHARD_NONE, .coll = COLLECTION_NONE};
    for (int i = 0; i < 20; i++) {
        m.seconds = i % 4 == 3 ? 40 : 10;
        g_array_append_val(cl.history, m);
    }
    g_autoptr(estimate) ended = estimate_fit(&cl);
    m.running = true;
    m.seconds = 1;
    for (int i = 0; i < 20; i++)
        g_array_append_val(cl.history, m);
    g_autoptr(estimate) begun = estimate_fit(&cl);
    for (guint i = 20; i < 40; i++)
        g_array_index(cl.history, struct past_migration, i).seconds = 20;
    g_autoptr(estimate) late = estimate_fit(&cl);
    for (guint i = 20; i < 40; i++)
        g_array_index(cl.history, struct past_migration, i).seconds = 1e6; /* they hang */
    g_autoptr(estimate) hung = estimate_fit(&cl);
    g_array_unref(cl.history);
    assert_float_equal(seconds_of(ended, 1000), 17.5, 0.01);
    assert_float_equal(seconds_of(begun, 1000), 17.5, 0.5);
    assert_true(seconds_of(late, 1000) > 26);
    assert_float_equal(seconds_of(hung, 1000), 17.5, 0.01);
    assert_int_equal(begun->samples, 20);
}

/* A model rests on what has ended; what is under way alone says nothing. */
static void test_running_alone(void **state)
{
    (void)state;
    cluster cl = {.history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    g_autoptr(GArray) measured = g_array_new(FALSE, TRUE, sizeof(struct past_migration));
    const struct past_migration m = {.bytes = 1000, .seconds = 5, .running = true};
    for (int i = 0; i < 9; i++)
        g_array_append_val(measured, m);
    estimate_prefer(&cl, measured);
    assert_false(cl.history_is_ours);
    g_array_append_vals(cl.history, measured->data, measured->len);
    g_autoptr(estimate) e = estimate_fit(&cl);
    assert_int_equal(e->basis, TIME_DEFAULT);
    g_array_unref(cl.history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line),
                                       cmocka_unit_test(test_too_little_history),
                                       cmocka_unit_test(test_odd_history),
                                       cmocka_unit_test(test_outliers),
                                       cmocka_unit_test(test_hostile_history),
                                       cmocka_unit_test(test_ours_go_first),
                                       cmocka_unit_test(test_factors),
                                       cmocka_unit_test(test_no_factors),
                                       cmocka_unit_test(test_range),
                                       cmocka_unit_test(test_drift),
                                       cmocka_unit_test(test_running),
                                       cmocka_unit_test(test_running_alone)};
    return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
