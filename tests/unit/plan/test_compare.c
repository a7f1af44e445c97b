// SPDX-License-Identifier: Apache-2.0
/* Plans of several policies for one cluster, measured by the same shares. */
#include "balancer/plan/compare.h"
#include "tests/support/layout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((int64_t)1 << 20)

static comparison *compare(const cluster *cl, const struct plan_options *opt,
                           const struct policy *const *policies_asked, const char *const *names, size_t n)
{
    struct err err = {0};
    comparison *c = NULL;
    if (!comparison_make(cl, opt, names, policies_asked, n, &c, &err))
        fail_msg("%s", err.msg);
    return c;
}

static const struct compared_plan *at(const comparison *c, guint i)
{
    return &g_array_index(c->plans, struct compared_plan, i);
}

/* Four chunks a shard, and all the data on one: chunks are even, data is not; the share of each is 2000 MiB.
 */
static const struct layout even_chunks = {.shards = "a b",
                                          .chunks = "a 10 a 20 a 30 a 40 b 50 b 60 b 70 b",
                                          .sizes = "a=4000M b=0M",
                                          .version = "7.0.0"};

static void all_are_measured_in_data(void **state)
{
    (void)state;
    static const struct policy *const asked[] = {&policy_count, &policy_size, NULL};
    static const char *const names[] = {"count", "size", "auto"};
    g_autoptr(cluster) cl = layout_cluster(&even_chunks);
    struct plan_options opt = plan_options_default();
    opt.until_balanced = true;
    g_autoptr(comparison) c = compare(cl, &opt, asked, names, 3);
    assert_int_equal(c->plans->len, 3);
    assert_string_equal(c->measure, "count");
    assert_true(fabs(c->before.imbalance - 1) < 1e-9);
    assert_int_equal(c->before.over, 2000 * MIB);
    assert_int_equal(at(c, 0)->plan->summary.n_migrations, 0);
    assert_true(fabs(at(c, 0)->after.imbalance - 1) < 1e-9); /* by its own count of chunks it is even */
    assert_int_equal(at(c, 0)->after.over, 2000 * MIB);
    assert_true(at(c, 1)->plan->summary.n_migrations > 0);
    assert_true(at(c, 1)->after.imbalance < 0.25);
    assert_true(at(c, 1)->after.over < 500 * MIB);
    assert_string_equal(at(c, 2)->name, "auto");
    assert_string_equal(at(c, 2)->plan->id, at(c, 1)->plan->id);
    assert_int_equal(at(c, 2)->after.over, at(c, 1)->after.over);
    assert_null(opt.policy);
}

/* Collections that are left out count for nothing, and a draining shard has no share. */
static void what_is_left_out(void **state)
{
    (void)state;
    static const struct policy *const asked[] = {&policy_size, &policy_count};
    static const char *const names[] = {"size", "count"};
    static const char *const drained[] = {"b"};
    struct layout l = even_chunks;
    l.sizes = "a=1000M b=3000M";
    struct plan_options opt = plan_options_default();
    opt.until_balanced = true;
    opt.drain = drained;
    opt.n_drain = 1;
    g_autoptr(cluster) cl = layout_cluster(&l);
    g_autoptr(comparison) c = compare(cl, &opt, asked, names, 2);
    assert_string_equal(c->measure, "size");
    assert_int_equal(c->before.over, 3000 * MIB);
    assert_int_equal(at(c, 0)->after.over, 0);
    assert_int_equal(at(c, 1)->after.over, 0);
    l.more = "\"noBalance\": true";
    g_autoptr(cluster) out = layout_cluster(&l);
    g_autoptr(comparison) nothing = compare(out, &opt, asked, names, 2);
    assert_int_equal(nothing->before.over, 0);
    assert_int_equal(at(nothing, 1)->after.over, 0);
}

static void a_fault_of_one_is_the_fault_of_all(void **state)
{
    (void)state;
    static const struct policy *const asked[] = {&policy_size, &policy_count};
    static const char *const names[] = {"size", "count"}, *const drained[] = {"nobody"};
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    g_autoptr(comparison) c = NULL;
    g_autoptr(cluster) cl = layout_cluster(&even_chunks);
    opt.drain = drained;
    opt.n_drain = 1;
    assert_false(comparison_make(cl, &opt, names, asked, 2, &c, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_measured_in_data),
        cmocka_unit_test(what_is_left_out),
        cmocka_unit_test(a_fault_of_one_is_the_fault_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
