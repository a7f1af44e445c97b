// SPDX-License-Identifier: Apache-2.0
/* What the journal measured, as the past of a model. */
#include "balancer/setup/measured.h"
#include "tests/support/cluster_json.h"
#include "tests/support/journal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY INT64_C(86400000)

static void measured(struct journal_fixture *f, int n, const char *ns, const char *to, int64_t at)
{
    const int64_t round = test_round(f->j, NULL, at);
    const int64_t id = test_moved(f->j, round, ns, 10 * n, 10 * n + 10, "s0", to, at, at + 4000);
    const struct journal_attempt a = {.kind = JOURNAL_MIGRATION,
                                      .row = id,
                                      .number = 1,
                                      .started_at = at,
                                      .ended_at = at + 3000,
                                      .ok = true};
    assert_true(journal_attempt_put(f->j, &a, &f->err));
}

/* Names that are in the model are numbered; what is too old is not told. */
static void takes_the_last_month(void **state)
{
    struct journal_fixture *f = *state;
    g_autoptr(cluster) cl = cluster_from_json("{'shards': [{'_id': 's0'}, {'_id': 's1'}],"
                                              " 'collections': [{'_id': 'a.b', 'key': {'k': 1}}]}");
    measured(f, 0, "a.b", "s1", TEST_T0 - 40 * DAY);
    measured(f, 1, "a.b", "s1", TEST_T0 - 3 * DAY);
    measured(f, 2, "a.gone", "s1", TEST_T0 - 2 * DAY);
    measured(f, 3, "a.b", "s9", TEST_T0 - 1 * DAY);
    g_autoptr(GArray) speeds = setup_speeds(f->j, TEST_T0);
    assert_int_equal(speeds->len, 3);
    const struct journal_speed under_way = {
        .ns = g_strdup("a.b"), .from = g_strdup("s1"), .to = g_strdup("s0"), .seconds = 7, .bytes = 5};
    g_array_prepend_val(speeds, under_way);
    setup_measured(cl, speeds);
    assert_true(cl->history_is_ours);
    assert_int_equal(cl->history->len, 4);
    const struct past_migration *m = &g_array_index(cl->history, struct past_migration, 0);
    assert_true(m[0].coll == 0 && m[0].from == 0 && m[0].to == 1 && m[0].seconds == 3 && !m[0].running);
    assert_true(m[1].coll == COLLECTION_NONE && m[1].to == 1);
    assert_true(m[2].coll == 0 && m[2].to == SHARD_NONE);
    assert_true(m[3].running && m[3].seconds == 7 && m[3].from == 1 && m[3].to == 0);
}

static void nothing_measured(void **state)
{
    struct journal_fixture *f = *state;
    g_autoptr(cluster) cl = cluster_from_json("{'shards': [{'_id': 's0'}]}");
    g_autoptr(GArray) speeds = setup_speeds(f->j, TEST_T0);
    assert_int_equal(speeds->len, 0);
    setup_measured(cl, speeds);
    setup_measured(cl, NULL);
    assert_false(cl->history_is_ours);
    test_exec(f->path, "DROP TABLE attempts");
    assert_null(setup_speeds(f->j, TEST_T0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_the_last_month, journal_setup, journal_teardown),
        cmocka_unit_test_setup_teardown(nothing_measured, journal_setup, journal_teardown),
    };
    return cmocka_run_group_tests_name("measured", tests, NULL, NULL);
}
