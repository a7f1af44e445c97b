// SPDX-License-Identifier: Apache-2.0
/* When a plan would be carried out: windows and limits as the planner's options have them. */
#include "balancer/setup/planning.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS INT64_C(3600000)
#define MONDAY INT64_C(1794787200000) /* 2026-11-16T00:00:00Z */

static config *read_yaml(const char *text)
{
    struct err err = {0};
    config *cfg = NULL;
    if (!config_parse("test", text, strlen(text), &cfg, NULL, &err))
        fail_msg("%s", err.msg);
    return cfg;
}

#define WINDOW "balancer: {windows: [{days: [mon], start: \"22:00\", stop: \"23:00\", timezone: UTC}]}\n"
#define CLUSTER_WINDOW                                                                                       \
    "{'settings': [{'_id': 'balancer', 'activeWindow': {'start': '04:00', 'stop': '06:00'}}]}"

static const struct row {
    const char *name, *yaml, *cluster;
    int64_t start;    /* after MONDAY, ms; -1: not known */
    int64_t from, to; /* of the first span; 0 0: always open */
    bool begins;      /* start_ms is set */
} rows[] = {
    {"nothing", "balancer: {}\n", "{}", 0, 0, 0, true},
    {"not known when", WINDOW, "{}", -1, 0, 0, false},
    {"of the configuration", WINDOW, CLUSTER_WINDOW, 0, 22 * HOUR_MS, 23 * HOUR_MS, true},
    {"inside it", WINDOW, "{}", 22 * HOUR_MS + 1000, 22 * HOUR_MS + 1000, 23 * HOUR_MS, true},
    {"the cluster's own", "balancer: {}\n", CLUSTER_WINDOW, 0, 4 * HOUR_MS, 6 * HOUR_MS, true},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        struct err err = {0};
        struct planning p = {0};
        g_autoptr(config) cfg = read_yaml(row->yaml);
        g_autoptr(cluster) cl = cluster_from_json(row->cluster);
        assert_true(planning_init(cfg, NULL, &p, &err));
        const int64_t start = row->start < 0 ? 0 : MONDAY + row->start;
        planning_when(cfg, cl, start, &p);
        planning_when(cfg, cl, start, &p); /* a second time changes nothing */
        const struct sim_limits *l = &p.opt.limits;
        if (l->start_ms != (row->begins ? start : 0) || (l->open == NULL) != (row->to == 0))
            fail_msg("%s: start %lld, open %d", row->name, (long long)l->start_ms, l->open != NULL);
        if (row->to > 0 && (l->open[0].from != MONDAY + row->from || l->open[0].to != MONDAY + row->to))
            fail_msg("%s: from %lld to %lld", row->name, (long long)l->open[0].from,
                     (long long)l->open[0].to);
        planning_clear(&p);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct err err = {0};
    struct planning p = {0};
    g_autoptr(config) cfg = read_yaml("migrations: {maxConcurrent: 3, maxBytesPerHour: 1GiB}\n");
    assert_true(planning_init(cfg, NULL, &p, &err));
    assert_int_equal(p.opt.limits.max_concurrent, 3);
    assert_int_equal(p.opt.limits.max_bytes_per_hour, INT64_C(1) << 30);
    planning_clear(&p);
}

/* A window that cannot be read costs the calendar, not the plan. */
static void test_fault(void **state)
{
    (void)state;
    struct err err = {0};
    struct planning p = {0};
    g_autoptr(config) cfg = read_yaml("balancer: {}\n");
    g_autoptr(cluster) cl = cluster_from_json(CLUSTER_WINDOW);
    g_free(cl->settings.window_start);
    cl->settings.window_start = g_strdup("teatime");
    assert_true(planning_init(cfg, NULL, &p, &err));
    planning_when(cfg, cl, MONDAY, &p);
    assert_int_equal(p.opt.limits.start_ms, 0);
    assert_non_null(strstr(p.opt.windows_fault, "teatime"));
    planning_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_fault)};
    return cmocka_run_group_tests_name("planning_when", tests, NULL, NULL);
}
