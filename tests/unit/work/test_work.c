// SPDX-License-Identifier: Apache-2.0
/* Work out of a plan, and the cluster's own bytes for what a file told less exactly. */
#include "balancer/plan/planner.h"
#include "migrations/work/plan_file.h"
#include "tests/support/chunk_table.h"
#include "tests/support/plan_by_hand.h"
#include "tests/support/work_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static plan *plan_of(const cluster *cl)
{
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    plan *p = NULL;
    opt.policy = &policy_count;
    opt.until_balanced = true;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static work *reread(const plan *p)
{
    g_autofree char *json = plan_json(p);
    struct err err = {0};
    work *w = NULL;
    if (!plan_file_parse("plan.json", json, strlen(json), &w, &err))
        fail_msg("%s", err.msg);
    return w;
}

/* Everything is a copy: the plan and its model may go first. */
static void test_outlives_the_plan(void **state)
{
    (void)state;
    hand *h = hand_new("6.0.14", "size", 3);
    uint32_t eu = hand_zone(h, 1, "EU");
    hand_collection(h, "shop.users", "{\"a\": \"hashed\"}");
    hand_collection(h, "shop.still", "{\"b\": 1}");
    hand_collection(h, "shop.orders", "{\"r\": 1, \"i\": 1}");
    hand_round(h);
    hand_split(h, 2, "{\"r\": 1, \"i\": 1}", "{\"r\": 2, \"i\": 1}", "{\"r\": 1, \"i\": 5}");
    struct plan_migration *m = hand_move(h, 0, "{\"a\": 1}", "{\"a\": 2}", 0, 1, 4096);
    m->zone = eu;
    m->force_jumbo = m->open_max = true;
    hand_round(h);
    hand_move(h, 2, "{\"r\": 1, \"i\": 1}", "{\"r\": 1, \"i\": 5}", 2, 0, SIZE_UNKNOWN)->open_min = true;
    h->p.summary.time = (struct plan_time){.expected = 4.5, .low = 2, .high = 9};
    g_autoptr(work) w = work_from_plan(&h->p, NULL);
    hand_free(h);

    assert_int_equal(w->steps->len, 3);
    assert_int_equal(w->collections->len, 2);
    assert_true(w->n_splits == 1 && w->n_migrations == 2 && w->n_rounds == 2 && w->bytes == 4096);
    assert_float_equal(w->expected_seconds, 4.5, 0);
    assert_float_equal(w->low_seconds, 2, 0);
    assert_float_equal(w->high_seconds, 9, 0);
    assert_null(w->source);
    assert_string_equal(w->policy, "size");
    const struct work_step *split = w->steps->pdata[0], *first = w->steps->pdata[1],
                           *second = w->steps->pdata[2];
    assert_true(split->kind == WORK_SPLIT && split->id == 1 && split->migration == 0 && split->round == 1);
    assert_string_equal(split->coll->ns, "shop.orders");
    assert_string_equal(split->from, "shard0");
    assert_string_equal(split->reason, "zoneBoundary");
    assert_string_equal(split->version, "0|0||000000000000000000000000");
    assert_int_equal(split->at->len, 1);
    assert_true(split->to == NULL && split->why == NULL && split->zone == NULL);
    assert_true(first->kind == WORK_MOVE && first->id == 2 && first->migration == 1 && first->round == 1);
    assert_string_equal(first->zone, "EU");
    assert_string_equal(first->version, "2|5||000000000000000000000000");
    assert_true(first->force_jumbo && first->open_max && !first->open_min && first->bytes == 4096);
    assert_null(first->at);
    assert_true(second->id == 3 && second->migration == 2 && second->round == 2 && second->open_min);
    assert_int_equal(second->bytes, SIZE_UNKNOWN);
    assert_ptr_equal(second->coll, split->coll);
    assert_true(g_bytes_compare(second->enc_min, second->enc_max) < 0);
    assert_true(g_bytes_equal(second->enc_min, split->enc_min));
}

static void test_free_nothing(void **state)
{
    (void)state;
    work_free(NULL);
}

static void test_step_text(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.14", "size", 2);
    hand_collection(h, "shop.us\033ers", "{\"userId\": 1}");
    hand_round(h);
    hand_move(h, 0, "{\"userId\": 0}", "{\"userId\": {\"$maxKey\": 1}}", 0, 1, 1);
    g_autoptr(work) w = work_from_plan(&h->p, NULL);
    g_autofree char *text = work_step_text(w->steps->pdata[0]);
    assert_string_equal(text, "shop.us\\x1Bers [{ userId: 0 }, { userId: MaxKey })");
}

/* --- the cluster's own bytes --- */

/* Numbers of every type, zone bounds of other types than the chunks', and one inside a chunk. */
static const struct chunk_table mixed = {
    .key = "{'a': 1, 'b': 1}",
    .points = "[{\"a\": {\"$numberLong\": \"1\"}, \"b\": {\"$numberDouble\": \"2.0\"}},"
              "{\"a\": {\"$numberInt\": \"3\"}, \"b\": {\"$numberDecimal\": \"4.00\"}},"
              "{\"a\": {\"$numberDouble\": \"5.5\"}, \"b\": {\"$numberLong\": \"9007199254740993\"}},"
              "{\"a\": {\"$numberDouble\": \"7.0\"}, \"b\": {\"$minKey\": 1}}]",
    .owners = "00000",
    .shards = "[{'_id': 's0'}, {'_id': 's1', 'tags': ['A']}, {'_id': 's2', 'tags': ['B']}]",
    .tags = "[{\"min\": {\"a\": 1, \"b\": 2}, \"max\": {\"a\": {\"$numberLong\": \"6\"}, \"b\": 1.0}, "
            "\"tag\": \"A\"},"
            "{\"min\": {\"a\": 6.0, \"b\": {\"$numberLong\": \"1\"}}, \"max\": {\"a\": {\"$maxKey\": 1}, "
            "\"b\": {\"$maxKey\": 1}}, \"tag\": \"B\"}]",
};

static void test_resolve(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = chunk_table_cluster(&mixed);
    g_autoptr(plan) p = plan_of(cl);
    assert_true(p->splits->len > 0 && p->migrations->len > 3);
    g_autoptr(work) direct = work_from_plan(p, "cluster.json"), read = reread(p);
    g_autofree char *want = work_text(direct, true), *before = work_text(read, true);
    assert_string_not_equal(before, want);
    size_t n = work_resolve(read, cl);
    g_autofree char *after = work_text(read, true);
    assert_string_equal(after, want);
    assert_int_equal(n, 2 * direct->steps->len + 1);
    assert_int_equal(work_resolve(direct, cl), n);
    g_autofree char *same = work_text(direct, true);
    assert_string_equal(same, want);
}

/* After the split the chunk's own bytes count, whatever the zone's are. */
static void test_resolve_split_done(void **state)
{
    (void)state;
    static const struct chunk_table apart = {
        .key = "{'a': 1, 'b': 1}",
        .points = "[{\"a\": 6, \"b\": {\"$numberDecimal\": \"1.0\"}}]",
        .owners = "00",
    };
    g_autoptr(cluster) cl = chunk_table_cluster(&mixed), later = chunk_table_cluster(&apart);
    g_autoptr(plan) p = plan_of(cl);
    g_autoptr(work) w = reread(p);
    assert_true(work_resolve(w, later) > 0);
    const struct work_step *split = w->steps->pdata[0];
    bson_iter_t it;
    assert_int_equal(split->kind, WORK_SPLIT);
    assert_true(bson_iter_init_find(&it, split->at->pdata[0], "b"));
    assert_true(BSON_ITER_HOLDS_DECIMAL128(&it));
}

/* Another key, another collection, no cluster to speak of: all stays as it was read. */
static void test_resolve_nothing(void **state)
{
    (void)state;
    static const struct chunk_table other_key = {.key = "{'a': 1}"};
    g_autoptr(cluster) cl = chunk_table_cluster(&mixed), other = chunk_table_cluster(&other_key);
    g_autoptr(plan) p = plan_of(cl);
    g_autoptr(work) w = reread(p);
    g_autofree char *before = work_text(w, true);
    assert_int_equal(work_resolve(w, other), 0);
    g_free(other->collections[0].ns);
    other->collections[0].ns = g_strdup("db.other");
    assert_int_equal(work_resolve(w, other), 0);
    g_autofree char *after = work_text(w, true);
    assert_string_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outlives_the_plan),  cmocka_unit_test(test_free_nothing),
        cmocka_unit_test(test_step_text),          cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_resolve_split_done), cmocka_unit_test(test_resolve_nothing),
    };
    return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
