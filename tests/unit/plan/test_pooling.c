// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/pooling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { GROUPS = 4, MEMBERS = 20 };

/* Group g is at `apart` * g, its members around it by -0.1 to 0.1; `n` members at most. */
static GArray *make(double apart, unsigned n)
{
    GArray *values = g_array_new(FALSE, FALSE, sizeof(struct pooled_value));
    for (unsigned i = 0; i < n; i++)
        for (uint32_t g = 0; g < GROUPS; g++) {
            const struct pooled_value v = {g, apart * g + 0.2 * ((double)i / (n - 1) - 0.5)};
            g_array_append_val(values, v);
        }
    return values;
}

static void test_groups(void **state)
{
    (void)state;
    g_autoptr(GArray) values = make(0.4, MEMBERS);
    g_autoptr(GArray) groups = pooled_groups(values);
    assert_int_equal(groups->len, GROUPS);
    for (uint32_t g = 0; g < GROUPS; g++) {
        const struct pooled_group *p = &g_array_index(groups, struct pooled_group, g);
        assert_int_equal(p->group, g);
        assert_int_equal(p->n, MEMBERS);
        assert_float_equal(p->effect, (0.4 * (g - 1.5)), 0.1);
        assert_true(fabs(p->effect) < fabs(0.4 * (g - 1.5)));
    }
    assert_true(sqrt(pooled_between(values)) > 0.35 && sqrt(pooled_between(values)) < 0.5);
}

/* No group, one group, groups alike, groups of one: no effects. */
static void test_nothing_to_tell(void **state)
{
    (void)state;
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(struct pooled_value));
    g_autoptr(GArray) alike = make(0, MEMBERS), one = make(1, MEMBERS), single = make(0, MEMBERS);
    for (guint i = 0; i < one->len; i++)
        g_array_index(one, struct pooled_value, i).group = POOLED_NONE;
    for (guint i = 0; i < single->len; i++)
        g_array_index(single, struct pooled_value, i).group = i;
    GArray *const all[] = {none, alike, one, single};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autoptr(GArray) groups = pooled_groups(all[i]);
        assert_int_equal(groups->len, 0);
        assert_true(pooled_between(all[i]) < 0.01);
    }
}

/* However far apart, and however few, the effect is bounded. */
static void test_bounded(void **state)
{
    (void)state;
    g_autoptr(GArray) values = make(50, MEMBERS);
    g_autoptr(GArray) groups = pooled_groups(values);
    assert_float_equal(g_array_index(groups, struct pooled_group, 0).effect, -POOLED_MOST, 1e-12);
    assert_float_equal(g_array_index(groups, struct pooled_group, GROUPS - 1).effect, POOLED_MOST, 1e-12);
    const struct pooled_value lone = {9, 1};
    g_autoptr(GArray) few = make(0.4, MEMBERS);
    g_array_append_val(few, lone);
    g_autoptr(GArray) with = pooled_groups(few);
    assert_int_equal(with->len, GROUPS + 1);
    assert_true(fabs(g_array_index(with, struct pooled_group, GROUPS).effect) < 0.15);
}

static void test_normal(void **state)
{
    (void)state;
    const struct {
        double q, z;
    } rows[] = {{0.5, 0}, {0.95, 1.6449}, {0.05, -1.6449}, {0.8413447, 1}, {0.99, 2.3263}, {0.001, -3.0902}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_float_equal(pooled_normal(rows[i].q), rows[i].z, 5e-4);
    assert_true(pooled_normal(0) < -4.7 && pooled_normal(1) > 4.7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups), cmocka_unit_test(test_nothing_to_tell),
                                       cmocka_unit_test(test_bounded), cmocka_unit_test(test_normal)};
    return cmocka_run_group_tests_name("pooling", tests, NULL, NULL);
}
