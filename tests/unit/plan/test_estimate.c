// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct past {
    double seconds;
    int64_t bytes;
};

static struct estimate fit(const struct past *past, size_t n)
{
    cluster cl = {.history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    for (size_t i = 0; i < n; i++) {
        struct past_migration m = {
            .ended_ms = (int64_t)i, .seconds = past[i].seconds, .bytes = past[i].bytes};
        g_array_append_val(cl.history, m);
    }
    struct estimate e = estimate_fit(&cl);
    g_array_unref(cl.history);
    return e;
}

static void test_line(void **state)
{
    (void)state;
    const struct past past[] = {{2, 1000}, {3, 2000}, {4, 3000}, {11, 10000}};
    struct estimate e = fit(past, G_N_ELEMENTS(past));
    assert_int_equal(e.basis, TIME_CHANGELOG);
    assert_float_equal(estimate_seconds(&e, 5000), 6, 1e-9);
    assert_float_equal(estimate_seconds(&e, 0), 1, 1e-9);
    assert_float_equal(e.low, 1, 1e-9);
    assert_float_equal(e.high, 1, 1e-9);
}

static void test_too_little_history(void **state)
{
    (void)state;
    const struct past past[] = {{2, 1000}, {3, 2000}, {4, SIZE_UNKNOWN}, {0, 500}};
    struct estimate e = fit(past, G_N_ELEMENTS(past));
    assert_int_equal(e.basis, TIME_DEFAULT);
    assert_float_equal(estimate_seconds(&e, 20 << 20), 2, 1e-9);
    assert_float_equal(estimate_seconds(&e, SIZE_UNKNOWN), 1, 1e-9);
    assert_true(e.low < 1 && e.high > 1);
}

/* Never a negative latency or a rate that falls with size. */
static void test_odd_history(void **state)
{
    (void)state;
    const struct past falling[] = {{9, 1000}, {5, 2000}, {1, 3000}},
                      steep[] = {{1, 1000}, {5, 2000}, {9, 3000}}, same[] = {{1, 1000}, {2, 1000}, {3, 1000}};
    struct estimate e = fit(falling, 3);
    assert_float_equal(e.seconds_per_byte, 0, 1e-12);
    assert_float_equal(e.latency, 5, 1e-9);
    e = fit(steep, 3);
    assert_float_equal(e.latency, 0, 1e-12);
    assert_float_equal(e.seconds_per_byte, 15.0 / 6000, 1e-12);
    e = fit(same, 3);
    assert_float_equal(estimate_seconds(&e, 1000), 2, 1e-9);
    assert_true(e.low <= 0.5 && e.high >= 1.5);
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
    struct estimate e = fit(past, G_N_ELEMENTS(past));
    assert_int_equal(e.samples, 20);
    assert_float_equal(estimate_seconds(&e, 5000), 2.5, 1e-9);
    assert_float_equal(e.high, 1, 1e-9);
    const struct past apart[] = {{1, 10}, {100, 10}, {10000, 10}};
    assert_int_equal(fit(apart, 3).samples, 3);
}

static void test_ours_go_first(void **state)
{
    (void)state;
    const struct past_migration theirs = {1, 50, 1000}, ours = {2, 5, 1000}, useless = {3, 5, SIZE_UNKNOWN};
    cluster cl = {.history = g_array_new(FALSE, TRUE, sizeof(struct past_migration))};
    g_autoptr(GArray) measured = g_array_new(FALSE, TRUE, sizeof(struct past_migration));
    for (int i = 0; i < 4; i++)
        g_array_append_val(cl.history, theirs);
    estimate_prefer(&cl, NULL);
    for (int i = 0; i < 3; i++) {
        struct estimate e = estimate_fit(&cl);
        assert_int_equal(e.basis, TIME_CHANGELOG);
        assert_float_equal(estimate_seconds(&e, 1000), 50, 1e-9);
        g_array_append_val(measured, ours);
        g_array_append_val(measured, useless);
        estimate_prefer(&cl, measured);
    }
    struct estimate e = estimate_fit(&cl);
    assert_int_equal(e.basis, TIME_JOURNAL);
    assert_int_equal(e.samples, 3);
    assert_float_equal(estimate_seconds(&e, 1000), 5, 1e-9);
    g_array_unref(cl.history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_too_little_history),
                                       cmocka_unit_test(test_odd_history), cmocka_unit_test(test_outliers),
                                       cmocka_unit_test(test_ours_go_first)};
    return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
