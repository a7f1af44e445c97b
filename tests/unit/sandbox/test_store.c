// SPDX-License-Identifier: Apache-2.0
/* Documents kept, changed, and removed; updates by table. */
#include "sandbox/store.h"
#include "sandbox/update.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bson_t *json(const char *text)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (doc == NULL)
        fail_msg("%s: %s", text, error.message);
    return doc;
}

static void assert_same(const char *what, const bson_t *got, const char *want_text)
{
    bson_t *want = json(want_text);
    if (!bson_equal(got, want)) {
        char *shown = bson_as_canonical_extended_json(got, NULL);
        fail_msg("%s: got %s, want %s", what, shown, want_text);
    }
    bson_destroy(want);
}

#define LONG(n) "{\"$numberLong\": \"" n "\"}"

static const struct {
    const char *name, *doc, *update, *want; /* want NULL: refused */
    int code;
    bool inserting;
} updates[] = {
    {"replacement keeps the id", "{\"_id\": 1, \"a\": 2}", "{\"b\": 3}", "{\"_id\": 1, \"b\": 3}", 0, false},
    {"replacement by nothing", "{\"_id\": 1, \"a\": 2}", "{}", "{\"_id\": 1}", 0, false},
    {"replacement with another id", "{\"_id\": 1}", "{\"_id\": 2}", NULL, 66, false},
    {"set", "{\"a\": 1}", "{\"$set\": {\"a\": 2, \"b\": 3}}", "{\"a\": 2, \"b\": 3}", 0, false},
    {"set below", "{\"a\": {\"b\": 1, \"c\": 2}}", "{\"$set\": {\"a.b\": 5}}",
     "{\"a\": {\"b\": 5, \"c\": 2}}", 0, false},
    {"set makes what is missing", "{}", "{\"$set\": {\"a.b.c\": 5}}", "{\"a\": {\"b\": {\"c\": 5}}}", 0,
     false},
    {"set an element", "{\"a\": [1, {\"b\": 2}]}", "{\"$set\": {\"a.1.b\": 5}}", "{\"a\": [1, {\"b\": 5}]}",
     0, false},
    {"set below a number", "{\"a\": 1}", "{\"$set\": {\"a.b\": 5}}", NULL, 28, false},
    {"set the same id", "{\"_id\": 1}", "{\"$set\": {\"_id\": 1}}", "{\"_id\": 1}", 0, false},
    {"set another id", "{\"_id\": 1}", "{\"$set\": {\"_id\": 2}}", NULL, 66, false},
    {"set an empty name", "{}", "{\"$set\": {\"\": 1}}", NULL, 56, false},
    {"set an empty name below", "{}", "{\"$set\": {\"a.\": 1}}", NULL, 56, false},
    {"unset", "{\"a\": 1, \"b\": 2}", "{\"$unset\": {\"a\": \"\"}}", "{\"b\": 2}", 0, false},
    {"unset below", "{\"a\": {\"b\": 1}}", "{\"$unset\": {\"a.b\": \"\"}}", "{\"a\": {}}", 0, false},
    {"unset what is not there", "{\"a\": 1}", "{\"$unset\": {\"b.c\": \"\", \"a.x\": 1}}", "{\"a\": 1}", 0,
     false},
    {"unset an element", "{\"a\": [1, 2]}", "{\"$unset\": {\"a.0\": 1}}", "{\"a\": [null, 2]}", 0, false},
    {"inc", "{\"n\": 1}", "{\"$inc\": {\"n\": 2}}", "{\"n\": 3}", 0, false},
    {"inc nothing", "{}", "{\"$inc\": {\"n\": 2}}", "{\"n\": 2}", 0, false},
    {"inc to a wider type", "{\"n\": 2147483647}", "{\"$inc\": {\"n\": 1}}",
     "{\"n\": " LONG("2147483648") "}", 0, false},
    {"inc a long", "{\"n\": " LONG("5") "}", "{\"$inc\": {\"n\": 1}}", "{\"n\": " LONG("6") "}", 0, false},
    {"inc by a double", "{\"n\": 1}", "{\"$inc\": {\"n\": 0.5}}", "{\"n\": 1.5}", 0, false},
    {"inc a string", "{\"n\": \"x\"}", "{\"$inc\": {\"n\": 1}}", NULL, 14, false},
    {"inc by a string", "{\"n\": 1}", "{\"$inc\": {\"n\": \"x\"}}", NULL, 14, false},
    {"max", "{\"n\": 1}", "{\"$max\": {\"n\": 2, \"m\": 5}}", "{\"n\": 2, \"m\": 5}", 0, false},
    {"min", "{\"n\": 1}", "{\"$min\": {\"n\": 2}}", "{\"n\": 1}", 0, false},
    {"set on insert, when updating", "{\"a\": 1}", "{\"$setOnInsert\": {\"a\": 2, \"b\": 2}}", "{\"a\": 1}",
     0, false},
    {"set on insert, when inserting", "{\"a\": 1}", "{\"$setOnInsert\": {\"b\": 2}}", "{\"a\": 1, \"b\": 2}",
     0, true},
    {"the date", "{}", "{\"$currentDate\": {\"d\": true}}", "{\"d\": {\"$date\": \"1970-01-01T00:00:01Z\"}}",
     0, false},
    {"push", "{\"a\": [1]}", "{\"$push\": {\"a\": 2, \"b\": 3}}", "{\"a\": [1, 2], \"b\": [3]}", 0, false},
    {"push to a number", "{\"a\": 1}", "{\"$push\": {\"a\": 2}}", NULL, 2, false},
    {"two operators on one path", "{}", "{\"$set\": {\"a\": 1}, \"$inc\": {\"a\": 1}}", NULL, 40, false},
    {"a path and one below it", "{}", "{\"$set\": {\"a.b\": 1, \"a\": 1}}", NULL, 40, false},
    {"paths that only look alike", "{}", "{\"$set\": {\"ab\": 1, \"a\": 1}}", "{\"ab\": 1, \"a\": 1}", 0,
     false},
    {"an unknown operator", "{}", "{\"$nope\": {\"a\": 1}}", NULL, 9, false},
    {"an operator without fields", "{}", "{\"$set\": 5}", NULL, 9, false},
};

static void updates_by_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(updates); i++) {
        bson_t *doc = json(updates[i].doc), *update = json(updates[i].update);
        struct fault f = {0};
        bson_t *got = update_apply(doc, update, updates[i].inserting, 1000, &f);
        if ((got == NULL) != (updates[i].want == NULL) || f.code != updates[i].code)
            fail_msg("%s: code %d, %s", updates[i].name, f.code, f.message);
        if (got != NULL)
            assert_same(updates[i].name, got, updates[i].want);
        fault_clear(&f);
        bson_destroy(doc);
        bson_destroy(update);
        bson_destroy(got);
    }
}

static bool insert(store *s, const char *text, struct fault *f)
{
    bson_t *doc = json(text);
    bool fine = store_insert(s, "d.c", doc, f);
    bson_destroy(doc);
    return fine;
}

static void ids_are_unique(void **state)
{
    store *s = store_new(1000);
    struct fault f = {0};
    (void)state;
    assert_true(insert(s, "{\"x\": 1, \"_id\": 5}", &f));
    assert_same("the id comes first", store_docs(s, "d.c")->pdata[0], "{\"_id\": 5, \"x\": 1}");
    static const char *const equal[] = {"{\"_id\": 5}", "{\"_id\": 5.0}", "{\"_id\": " LONG("5") "}"};
    for (size_t i = 0; i < G_N_ELEMENTS(equal); i++) {
        assert_false(insert(s, equal[i], &f));
        assert_int_equal(f.code, 11000);
        assert_non_null(f.details);
        fault_clear(&f);
    }
    assert_true(insert(s, "{\"_id\": \"5\"}", &f));
    assert_false(insert(s, "{\"_id\": [5]}", &f));
    assert_int_equal(f.code, 53);
    fault_clear(&f);
    assert_true(insert(s, "{}", &f));
    assert_int_equal(store_docs(s, "d.c")->len, 3);
    store_free(s);
}

static void memory_is_bounded(void **state)
{
    store *s = store_new(200);
    bson_t *large = bson_new();
    struct fault f = {0};
    g_autofree char *text = g_strnfill(150, 'x');
    (void)state;
    bson_append_utf8(large, "x", -1, text, -1);
    assert_true(store_insert(s, "d.c", large, &f));
    assert_false(store_insert(s, "d.c", large, &f));
    assert_int_equal(f.code, 14031);
    fault_clear(&f);
    assert_true(store_drop(s, "d.c"));
    assert_false(store_drop(s, "d.c"));
    assert_true(store_insert(s, "d.c", large, &f));
    bson_destroy(large);
    store_free(s);
}

static void upserts_and_deletes(void **state)
{
    store *s = store_new(10000);
    struct fault f = {0};
    struct store_result r;
    bson_t *query = json("{\"k\": {\"$eq\": \"v\"}, \"n\": {\"$gt\": 1}, \"t.u\": 4}"),
           *update = json("{\"$set\": {\"a\": 1}}");
    bson_t *all = json("{}"), *sort = json("{\"_id\": -1}"), *first = NULL;
    const struct store_update u = {.query = query, .update = update, .upsert = true};
    int64_t n;
    (void)state;
    assert_true(store_update(s, "d.c", &u, &r, &f));
    assert_non_null(r.upserted);
    assert_int_equal(r.matched, 0);
    bson_t without_id = BSON_INITIALIZER;
    bson_copy_to_excluding_noinit(r.after, &without_id, "_id", NULL);
    assert_same("what the query says, and the update", &without_id,
                "{\"k\": \"v\", \"t\": {\"u\": 4}, \"a\": 1}");
    bson_destroy(&without_id);
    store_result_clear(&r);
    assert_int_equal(store_docs(s, "d.c")->len, 1);
    assert_true(insert(s, "{\"_id\": 3}", &f) && insert(s, "{\"_id\": 4}", &f));
    assert_true(store_delete(s, "d.c", all, sort, 1, &n, &first, &f));
    assert_int_equal(n, 1);
    assert_non_null(first);
    bson_destroy(first);
    assert_true(store_delete(s, "d.c", all, NULL, 0, &n, NULL, &f));
    assert_int_equal(n, 2);
    assert_true(store_delete(s, "d.nosuch", all, NULL, 0, &n, &first, &f));
    assert_int_equal(n, 0);
    assert_null(first);
    bson_destroy(query);
    bson_destroy(update);
    bson_destroy(all);
    bson_destroy(sort);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_by_table),
        cmocka_unit_test(ids_are_unique),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(upserts_and_deletes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
