// SPDX-License-Identifier: Apache-2.0
/* The planId: every field that a plan is carried out by changes it, and equal numbers do not. */
#include "balancer/key/show.h"
#include "balancer/plan/content_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A step in words; bounds are Extended JSON. */
struct words {
    const char *policy, *key, *min, *max, *at;
    struct content_step step;
};

static const struct words base = {
    .policy = "size",
    .key = "{\"a\": 1, \"b\": 1}",
    .min = "{\"a\": 1, \"b\": 2}",
    .max = "{\"a\": 5, \"b\": {\"$maxKey\": 1}}",
    .step = {.round = 1,
             .ns = "shop.users",
             .from = "shard0",
             .to = "shard1",
             .version = "2|5||000000000000000000000000",
             .reason = "drain",
             .zone = "EU",
             .bytes = 7},
};

static void parse(const char *json, bson_t *ret)
{
    struct err err = {0};
    if (!key_parse_doc(json, ret, &err))
        fail_msg("%s", err.msg);
}

static char *id_of(const struct words *w, unsigned times)
{
    bson_t key, min, max, at = BSON_INITIALIZER;
    struct content_step step = w->step;
    g_autoptr(key_pattern) pattern = NULL;
    parse(w->key, &key);
    parse(w->min, &min);
    parse(w->max, &max);
    assert_true(key_pattern_parse(&key, &pattern, NULL));
    step.key = pattern;
    step.min = bson_get_data(&min);
    step.max = bson_get_data(&max);
    if (w->at != NULL) {
        bson_destroy(&at);
        parse(w->at, &at);
    }
    const plan_bound points[] = {bson_get_data(&at)};
    step.at = w->at == NULL ? NULL : points;
    step.n_at = w->at == NULL ? 0 : 1;
    content_id *c = content_id_new(w->policy);
    for (unsigned i = 0; i < times; i++)
        content_id_add(c, &step);
    bson_destroy(&key);
    bson_destroy(&min);
    bson_destroy(&max);
    bson_destroy(&at);
    return content_id_end(c);
}

static void test_every_field_counts(void **state)
{
    (void)state;
    struct words w[22];
    for (size_t i = 0; i < G_N_ELEMENTS(w); i++)
        w[i] = base;
    w[1].policy = "count";
    w[2].key = "{\"a\": 1, \"b\": \"hashed\"}";
    w[3].min = "{\"a\": 1, \"b\": 3}";
    w[4].max = "{\"a\": 5, \"b\": {\"$minKey\": 1}}";
    w[5].at = "{\"a\": 3, \"b\": 1}";
    w[6].at = "{\"a\": 3, \"b\": 2}";
    w[7].step.round = 2;
    w[8].step.ns = "shop.user";
    w[9].step.from = "shard1";
    w[10].step.to = "shard0";
    w[11].step.to = NULL;
    w[12].step.version = "2|6||000000000000000000000000";
    w[13].step.reason = "imbalance";
    w[14].step.zone = NULL;
    w[15].step.zone = "";
    w[16].step.bytes = 8;
    w[17].step.bytes = SIZE_UNKNOWN;
    w[18].step.force_jumbo = true;
    w[19].step.open_min = true;
    w[20].step.open_max = true;
    w[21].key = "{\"a\": -1, \"b\": 1}";
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(w); i++)
        if (!g_hash_table_add(seen, id_of(&w[i], 1)))
            fail_msg("change %zu gives an id that there was", i);
    assert_true(g_hash_table_add(seen, id_of(&base, 0)));
    assert_true(g_hash_table_add(seen, id_of(&base, 2)));
}

/* What stands in one field and what in the next is not mixed up. */
static void test_fields_are_kept_apart(void **state)
{
    (void)state;
    struct words a = base, b = base;
    a.step.from = "shard";
    a.step.to = "0x";
    b.step.from = "shard0";
    b.step.to = "x";
    g_autofree char *x = id_of(&a, 1), *y = id_of(&b, 1);
    assert_string_not_equal(x, y);
}

/* Relaxed Extended JSON does not keep the types of numbers, so neither does the id. */
static void test_equal_numbers(void **state)
{
    (void)state;
    struct words w = base;
    w.key = "{\"a\": {\"$numberDouble\": \"1.0\"}, \"b\": {\"$numberLong\": \"1\"}}";
    w.min = "{\"a\": {\"$numberLong\": \"1\"}, \"b\": {\"$numberDecimal\": \"2.0\"}}";
    w.max = "{\"a\": 5.0, \"b\": {\"$maxKey\": 1}}";
    g_autofree char *x = id_of(&base, 1), *y = id_of(&w, 1);
    assert_string_equal(x, y);
    assert_int_equal(strlen(x), 64);
}

/* A bound that cannot be encoded counts as it is. */
static void test_foreign_bound(void **state)
{
    (void)state;
    struct words a = base, b = base;
    a.min = "{\"c\": 1}";
    b.min = "{\"c\": 2}";
    g_autofree char *x = id_of(&a, 1), *y = id_of(&b, 1), *again = id_of(&a, 1);
    assert_string_not_equal(x, y);
    assert_string_equal(x, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_counts),
        cmocka_unit_test(test_fields_are_kept_apart),
        cmocka_unit_test(test_equal_numbers),
        cmocka_unit_test(test_foreign_bound),
    };
    return cmocka_run_group_tests_name("content_id", tests, NULL, NULL);
}
