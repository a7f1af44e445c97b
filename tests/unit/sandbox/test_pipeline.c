// SPDX-License-Identifier: Apache-2.0
/* Sorting, projecting and aggregating, by tables of documents in and documents out. */
#include "sandbox/pipeline.h"
#include "sandbox/shape.h"

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

/* The documents of {"d": [...]}, owned. */
static GPtrArray *documents(const char *array)
{
    g_autofree char *text = g_strdup_printf("{\"d\": %s}", array);
    bson_t *doc = json(text);
    bson_iter_t it, el;
    GPtrArray *out = docs_new();
    assert_true(bson_iter_init_find(&it, doc, "d") && bson_iter_recurse(&it, &el));
    while (bson_iter_next(&el)) {
        const uint8_t *data;
        uint32_t len;
        bson_t one;
        bson_iter_document(&el, &len, &data);
        assert_true(bson_init_static(&one, data, len));
        g_ptr_array_add(out, bson_copy(&one));
    }
    bson_destroy(doc);
    return out;
}

static void assert_same(const char *what, const GPtrArray *got, const char *want_text)
{
    g_autoptr(GPtrArray) want = documents(want_text);
    g_autoptr(GString) shown = g_string_new(NULL);
    bool same = got->len == want->len;
    for (guint i = 0; i < got->len; i++) {
        char *text = bson_as_canonical_extended_json(got->pdata[i], NULL);
        same = same && bson_equal(got->pdata[i], want->pdata[i]);
        g_string_append_printf(shown, "%s ", text);
        bson_free(text);
    }
    if (!same)
        fail_msg("%s: got %s, want %s", what, shown->str, want_text);
}

static bool knows(void *user, const char *stage)
{
    (void)user;
    return strcmp(stage, "$source") == 0;
}

static GPtrArray *source(void *user, const char *stage, const bson_t *spec, struct fault *f)
{
    (void)user, (void)stage;
    if (!bson_has_field(spec, "fail"))
        return documents("[{\"s\": 1}, {\"s\": 2}]");
    fault_say(f, 5, "no source");
    return NULL;
}

static const GPtrArray *collection(void *user, const char *name)
{
    return strcmp(name, "other") == 0 ? user : NULL;
}

static const struct {
    const char *name, *docs, *pipeline, *want; /* want NULL: refused with `code` */
    int code;
} rows[] = {
    {"nothing", "[{\"a\": 1}]", "[]", "[{\"a\": 1}]", 0},
    {"match", "[{\"a\": 1}, {\"a\": 2}]", "[{\"$match\": {\"a\": 2}}]", "[{\"a\": 2}]", 0},
    {"match, twice", "[{\"a\": 1}, {\"a\": 2}]",
     "[{\"$match\": {\"a\": {\"$gt\": 0}}}, {\"$match\": {\"a\": 1}}]", "[{\"a\": 1}]", 0},
    {"sort is stable", "[{\"a\": 2, \"i\": 1}, {\"a\": 1, \"i\": 2}, {\"a\": 2, \"i\": 3}]",
     "[{\"$sort\": {\"a\": -1}}]", "[{\"a\": 2, \"i\": 1}, {\"a\": 2, \"i\": 3}, {\"a\": 1, \"i\": 2}]", 0},
    {"sort by two", "[{\"a\": 2, \"b\": 1}, {\"a\": 1, \"b\": 1}, {\"a\": 2, \"b\": 3}]",
     "[{\"$sort\": {\"a\": 1, \"b\": -1}}]",
     "[{\"a\": 1, \"b\": 1}, {\"a\": 2, \"b\": 3}, {\"a\": 2, \"b\": 1}]", 0},
    {"sort by types",
     "[{\"a\": \"x\"}, {\"a\": {\"$maxKey\": 1}}, {\"a\": 1}, {}, {\"a\": {\"$minKey\": 1}}]",
     "[{\"$sort\": {\"a\": 1}}]",
     "[{\"a\": {\"$minKey\": 1}}, {}, {\"a\": 1}, {\"a\": \"x\"}, {\"a\": {\"$maxKey\": 1}}]", 0},
    {"sort by arrays, ascending", "[{\"a\": [5, 2]}, {\"a\": 3}]", "[{\"$sort\": {\"a\": 1}}]",
     "[{\"a\": [5, 2]}, {\"a\": 3}]", 0},
    {"sort by arrays, descending", "[{\"a\": 3}, {\"a\": [5, 2]}]", "[{\"$sort\": {\"a\": -1}}]",
     "[{\"a\": [5, 2]}, {\"a\": 3}]", 0},
    {"sort below", "[{\"a\": {\"b\": 2}}, {\"a\": {\"b\": 1}}]", "[{\"$sort\": {\"a.b\": 1}}]",
     "[{\"a\": {\"b\": 1}}, {\"a\": {\"b\": 2}}]", 0},
    {"sort by nonsense", "[]", "[{\"$sort\": {\"a\": 2}}]", NULL, 2},
    {"skip and limit", "[{\"a\": 1}, {\"a\": 2}, {\"a\": 3}]", "[{\"$skip\": 1}, {\"$limit\": 1}]",
     "[{\"a\": 2}]", 0},
    {"skip beyond", "[{\"a\": 1}]", "[{\"$skip\": 5}]", "[]", 0},
    {"limit of nothing", "[]", "[{\"$limit\": 0}]", NULL, 15958},
    {"project some", "[{\"_id\": 1, \"a\": 1, \"b\": {\"c\": 1, \"d\": 2}}]",
     "[{\"$project\": {\"b.c\": 1}}]", "[{\"_id\": 1, \"b\": {\"c\": 1}}]", 0},
    {"project some without id", "[{\"_id\": 1, \"a\": 1}]", "[{\"$project\": {\"_id\": 0, \"a\": true}}]",
     "[{\"a\": 1}]", 0},
    {"project the id only", "[{\"_id\": 1, \"a\": 1}]", "[{\"$project\": {\"_id\": 1}}]", "[{\"_id\": 1}]",
     0},
    {"project all but some", "[{\"_id\": 1, \"a\": 1, \"b\": {\"c\": 1, \"d\": 2}}]",
     "[{\"$project\": {\"a\": 0, \"b.c\": 0}}]", "[{\"_id\": 1, \"b\": {\"d\": 2}}]", 0},
    {"project into arrays", "[{\"a\": [{\"b\": 1, \"c\": 2}, 5, {\"c\": 3}]}]",
     "[{\"$project\": {\"a.b\": 1}}]", "[{\"a\": [{\"b\": 1}, {}]}]", 0},
    {"project a mixture", "[{}]", "[{\"$project\": {\"a\": 1, \"b\": 0}}]", NULL, 2},
    {"project an expression", "[{\"_id\": 1, \"a\": 2}]",
     "[{\"$project\": {\"b\": \"$a\", \"c\": {\"$add\": [\"$a\", 1]}}}]",
     "[{\"_id\": 1, \"b\": 2, \"c\": 3}]", 0},
    {"unset", "[{\"a\": 1, \"b\": 2}]", "[{\"$unset\": \"a\"}]", "[{\"b\": 2}]", 0},
    {"add fields", "[{\"a\": {\"b\": 1}}]", "[{\"$addFields\": {\"a.c\": \"$a.b\", \"d\": \"$nosuch\"}}]",
     "[{\"a\": {\"b\": 1, \"c\": 1}}]", 0},
    {"group", "[{\"k\": 1, \"n\": 1}, {\"k\": 2, \"n\": 5}, {\"k\": 1.0, \"n\": 2}]",
     "[{\"$group\": {\"_id\": \"$k\", \"s\": {\"$sum\": \"$n\"}, \"c\": {\"$sum\": 1}}}]",
     "[{\"_id\": 1, \"s\": 3, \"c\": 2}, {\"_id\": 2, \"s\": 5, \"c\": 1}]", 0},
    {"group all", "[{\"n\": 1}, {\"n\": 4}, {\"n\": \"x\"}]",
     "[{\"$group\": {\"_id\": null, \"s\": {\"$sum\": \"$n\"}, \"a\": {\"$avg\": \"$n\"}, \"lo\": {\"$min\": "
     "\"$n\"}, \"hi\": {\"$max\": \"$n\"}, \"f\": {\"$first\": \"$n\"}, \"l\": {\"$last\": \"$n\"}, \"p\": "
     "{\"$push\": \"$n\"}}}]",
     "[{\"_id\": null, \"s\": 5, \"a\": 2.5, \"lo\": 1, \"hi\": \"x\", \"f\": 1, \"l\": \"x\", \"p\": [1, 4, "
     "\"x\"]}]",
     0},
    {"group by a document", "[{\"a\": 1}, {\"a\": 1}]",
     "[{\"$group\": {\"_id\": {\"x\": \"$a\"}, \"u\": {\"$addToSet\": \"$a\"}}}]",
     "[{\"_id\": {\"x\": 1}, \"u\": [1]}]", 0},
    {"group of nothing", "[]", "[{\"$group\": {\"_id\": null}}]", "[]", 0},
    {"group without id", "[]", "[{\"$group\": {\"a\": {\"$sum\": 1}}}]", NULL, 15955},
    {"group by an unknown accumulator", "[]", "[{\"$group\": {\"_id\": 1, \"a\": {\"$nope\": 1}}}]", NULL,
     15952},
    {"count", "[{}, {}]", "[{\"$count\": \"n\"}]", "[{\"n\": 2}]", 0},
    {"count of nothing", "[]", "[{\"$count\": \"n\"}]", "[]", 0},
    {"count into a path", "[]", "[{\"$count\": \"a.b\"}]", NULL, 40156},
    {"unwind", "[{\"i\": 1, \"a\": [1, 2]}, {\"i\": 2, \"a\": []}, {\"i\": 3}, {\"i\": 4, \"a\": 7}]",
     "[{\"$unwind\": \"$a\"}]", "[{\"i\": 1, \"a\": 1}, {\"i\": 1, \"a\": 2}, {\"i\": 4, \"a\": 7}]", 0},
    {"unwind, keeping", "[{\"i\": 2, \"a\": []}, {\"i\": 3}]",
     "[{\"$unwind\": {\"path\": \"$a\", \"preserveNullAndEmptyArrays\": true}}]", "[{\"i\": 2}, {\"i\": 3}]",
     0},
    {"unwind a name", "[]", "[{\"$unwind\": \"a\"}]", NULL, 28818},
    {"replace the root", "[{\"a\": {\"b\": 1}}]", "[{\"$replaceRoot\": {\"newRoot\": \"$a\"}}]",
     "[{\"b\": 1}]", 0},
    {"replace the root by a number", "[{\"a\": 1}]", "[{\"$replaceWith\": \"$a\"}]", NULL, 40228},
    {"lookup", "[{\"k\": 1}, {\"k\": 3}]",
     "[{\"$lookup\": {\"from\": \"other\", \"localField\": \"k\", \"foreignField\": \"o\", \"as\": \"x\"}}]",
     "[{\"k\": 1, \"x\": [{\"o\": 1}]}, {\"k\": 3, \"x\": []}]", 0},
    {"lookup in nothing", "[{\"k\": 1}]",
     "[{\"$lookup\": {\"from\": \"none\", \"localField\": \"k\", \"foreignField\": \"o\", \"as\": \"x\"}}]",
     "[{\"k\": 1, \"x\": []}]", 0},
    {"a source", "[]", "[{\"$source\": {}}, {\"$match\": {\"s\": 2}}]", "[{\"s\": 2}]", 0},
    {"a source that fails", "[]", "[{\"$source\": {\"fail\": 1}}]", NULL, 5},
    {"a source in the middle", "[]", "[{\"$match\": {}}, {\"$source\": {}}]", NULL, 40602},
    {"an unknown stage", "[]", "[{\"$nope\": 1}]", NULL, 40324},
    {"a stage that is not here", "[]", "[{\"$out\": \"x\"}]", NULL, 115},
    {"two stages in one", "[]", "[{\"$match\": {}, \"$limit\": 1}]", NULL, 40323},
    {"a stage that is a number", "[]", "[1]", NULL, 14},
    {"cond", "[{\"a\": 1}]",
     "[{\"$project\": {\"x\": {\"$cond\": [{\"$gt\": [\"$a\", 0]}, \"yes\", \"no\"]}, \"y\": {\"$cond\": "
     "{\"if\": false, \"then\": 1, \"else\": 2}}}}]",
     "[{\"x\": \"yes\", \"y\": 2}]", 0},
    {"arithmetic", "[{\"a\": 7}]",
     "[{\"$project\": {\"s\": {\"$subtract\": [\"$a\", 2]}, \"m\": {\"$multiply\": [\"$a\", 2]}, \"d\": "
     "{\"$divide\": [\"$a\", 2]}, \"r\": {\"$mod\": [\"$a\", 4]}, \"n\": {\"$add\": [\"$a\", null]}}}]",
     "[{\"s\": 5, \"m\": 14, \"d\": 3.5, \"r\": 3, \"n\": null}]", 0},
    {"division by zero", "[{}]", "[{\"$project\": {\"d\": {\"$divide\": [1, 0]}}}]", NULL, 2},
    {"if null", "[{\"a\": 1}]", "[{\"$project\": {\"x\": {\"$ifNull\": [\"$b\", \"$a\"]}}}]", "[{\"x\": 1}]",
     0},
    {"size of what is no array", "[{\"a\": 1}]", "[{\"$project\": {\"x\": {\"$size\": \"$a\"}}}]", NULL,
     17124},
    {"array elements", "[{\"a\": [4, 5, 6]}]",
     "[{\"$project\": {\"x\": {\"$arrayElemAt\": [\"$a\", -1]}, \"y\": {\"$arrayElemAt\": [\"$a\", 9]}, "
     "\"z\": {\"$in\": [5, \"$a\"]}}}]",
     "[{\"x\": 6, \"z\": true}]", 0},
    {"literal", "[{}]", "[{\"$project\": {\"x\": {\"$literal\": \"$a\"}}}]", "[{\"x\": \"$a\"}]", 0},
    {"an unknown operator", "[{}]", "[{\"$project\": {\"x\": {\"$nope\": 1}}}]", NULL, 168},
    {"an undefined variable", "[{}]", "[{\"$project\": {\"x\": \"$$nope\"}}]", NULL, 17276},
    {"too few arguments", "[{}]", "[{\"$project\": {\"x\": {\"$subtract\": [1]}}}]", NULL, 16020},
};

static void run_row(size_t i, GPtrArray *other)
{
    const struct pipeline_host host = {
        .user = other, .knows = knows, .source = source, .collection = collection};
    g_autofree char *text = g_strdup_printf("{\"p\": %s}", rows[i].pipeline);
    g_autoptr(GPtrArray) docs = documents(rows[i].docs);
    bson_t *holder = json(text), pipeline;
    bson_iter_t it;
    const uint8_t *data;
    uint32_t len;
    struct fault f = {0};
    assert_true(bson_iter_init_find(&it, holder, "p"));
    bson_iter_array(&it, &len, &data);
    assert_true(bson_init_static(&pipeline, data, len));
    GPtrArray *got = pipeline_run(&pipeline, docs, &host, &f);
    if ((got == NULL) != (rows[i].want == NULL) || f.code != rows[i].code)
        fail_msg("%s: code %d, %s", rows[i].name, f.code, f.message == NULL ? "no fault" : f.message);
    if (got != NULL) {
        assert_same(rows[i].name, got, rows[i].want);
        g_ptr_array_unref(got);
    }
    assert_same("the input stays", docs, rows[i].docs);
    fault_clear(&f);
    bson_destroy(holder);
}

static void pipelines_by_table(void **state)
{
    g_autoptr(GPtrArray) other = documents("[{\"o\": 1}, {\"o\": 2}]");
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        run_row(i, other);
}

/* Random documents sorted by the encoded keys are in the order that comparing them pair by pair gives. */
static void many_documents_are_sorted(void **state)
{
    const uint32_t seed = 7;
    GRand *rand = g_rand_new_with_seed(seed);
    g_autoptr(GPtrArray) docs = docs_new();
    bson_t *order = json("{\"a\": 1, \"b\": -1}");
    struct fault f = {0};
    (void)state;
    for (int i = 0; i < 2000; i++)
        g_ptr_array_add(docs, BCON_NEW("a", BCON_INT32(g_rand_int_range(rand, 0, 40)), "b",
                                       BCON_INT32(g_rand_int_range(rand, -40, 40)), "i", BCON_INT32(i)));
    assert_true(shape_sort(docs, order, &f));
    for (guint i = 1; i < docs->len; i++) {
        bson_iter_t x, y;
        int v[2][3];
        for (int k = 0; k < 3; k++) {
            static const char *const names[] = {"a", "b", "i"};
            assert_true(bson_iter_init_find(&x, docs->pdata[i - 1], names[k]));
            assert_true(bson_iter_init_find(&y, docs->pdata[i], names[k]));
            v[0][k] = bson_iter_int32(&x);
            v[1][k] = bson_iter_int32(&y);
        }
        bool fine = v[0][0] < v[1][0] ||
                    (v[0][0] == v[1][0] && (v[0][1] > v[1][1] || (v[0][1] == v[1][1] && v[0][2] < v[1][2])));
        if (!fine)
            fail_msg("seed %u: documents %u and %u", seed, i - 1, i);
    }
    g_rand_free(rand);
    bson_destroy(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_by_table),
        cmocka_unit_test(many_documents_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
