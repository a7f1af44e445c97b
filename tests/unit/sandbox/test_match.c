// SPDX-License-Identifier: Apache-2.0
/* Filters: which documents match, and what is refused. */
#include "sandbox/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Extended JSON takes $regex and $type for itself: names here begin with '@' where '$' is meant. */
static void rename_fields(const bson_iter_t *from, bson_t *out)
{
    bson_iter_t it = *from;
    while (bson_iter_next(&it)) {
        g_autofree char *name = g_strdup(bson_iter_key(&it));
        bson_iter_t inner;
        bson_t part;
        if (name[0] == '@')
            name[0] = '$';
        if (BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &inner)) {
            bson_append_document_begin(out, name, -1, &part);
            rename_fields(&inner, &part);
            bson_append_document_end(out, &part);
        } else if (BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &inner)) {
            bson_append_array_begin(out, name, -1, &part);
            rename_fields(&inner, &part);
            bson_append_array_end(out, &part);
        } else {
            bson_append_iter(out, name, -1, &it);
        }
    }
}

static bson_t *json(const char *text)
{
    bson_error_t error;
    bson_iter_t it;
    bson_t *out = bson_new();
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (doc == NULL)
        fail_msg("%s: %s", text, error.message);
    bson_iter_init(&it, doc);
    rename_fields(&it, out);
    bson_destroy(doc);
    return out;
}

#define MIN_KEY "{\"$minKey\": 1}"
#define MAX_KEY "{\"$maxKey\": 1}"

static const struct {
    const char *filter, *doc;
    bool want;
} rows[] = {
    {"{}", "{\"a\": 1}", true},
    {"{\"a\": 1}", "{\"a\": 1}", true},
    {"{\"a\": 1}", "{\"a\": 1.0}", true},
    {"{\"a\": 1}", "{\"a\": {\"$numberDecimal\": \"1.00\"}}", true},
    {"{\"a\": 1}", "{\"a\": \"1\"}", false},
    {"{\"a\": 1}", "{\"b\": 1}", false},
    {"{\"a\": null}", "{\"b\": 1}", true},
    {"{\"a\": null}", "{\"a\": null}", true},
    {"{\"a\": null}", "{\"a\": 0}", false},
    {"{\"a\": {\"$ne\": null}}", "{\"b\": 1}", false},
    {"{\"a\": {\"$ne\": 1}}", "{\"b\": 1}", true},
    {"{\"a\": {\"$ne\": 1}}", "{\"a\": [1, 2]}", false},
    {"{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": 1}}", true},
    {"{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": 1, \"c\": 2}}", false},
    {"{\"a\": {\"b\": 1, \"c\": 2}}", "{\"a\": {\"c\": 2, \"b\": 1}}", false},
    {"{\"a.b\": 1}", "{\"a\": {\"b\": 1, \"c\": 2}}", true},
    {"{\"a.b\": 1}", "{\"a\": [{\"b\": 2}, {\"b\": 1}]}", true},
    {"{\"a.b\": 1}", "{\"a\": [{\"b\": 2}, {\"c\": 1}]}", false},
    {"{\"a.1\": 5}", "{\"a\": [4, 5]}", true},
    {"{\"a.0\": 5}", "{\"a\": [4, 5]}", false},
    {"{\"a.0.b\": 5}", "{\"a\": [{\"b\": 5}]}", true},
    {"{\"a\": 2}", "{\"a\": [1, 2]}", true},
    {"{\"a\": [1, 2]}", "{\"a\": [1, 2]}", true},
    {"{\"a\": [2, 1]}", "{\"a\": [1, 2]}", false},
    {"{\"a\": {\"$gt\": 1}}", "{\"a\": 2}", true},
    {"{\"a\": {\"$gt\": 1}}", "{\"a\": 1}", false},
    {"{\"a\": {\"$gt\": 1}}", "{\"a\": \"2\"}", false},
    {"{\"a\": {\"$gte\": 1, \"$lt\": 3}}", "{\"a\": 2}", true},
    {"{\"a\": {\"$gte\": 1, \"$lt\": 3}}", "{\"a\": 3}", false},
    {"{\"a\": {\"$lte\": null}}", "{}", true},
    {"{\"a\": {\"$lt\": 5}}", "{\"a\": {\"$numberDouble\": \"NaN\"}}", false},
    {"{\"a\": {\"$numberDouble\": \"NaN\"}}", "{\"a\": {\"$numberDouble\": \"NaN\"}}", true},
    {"{\"a\": {\"$lte\": {\"$numberDouble\": \"NaN\"}}}", "{\"a\": 1}", false},
    {"{\"a\": {\"$lt\": " MAX_KEY "}}", "{\"a\": 1}", true},
    {"{\"a\": {\"$gt\": " MIN_KEY "}}", "{\"a\": \"x\"}", true},
    {"{\"min\": {\"$lte\": {\"k\": 5}}}", "{\"min\": {\"k\": " MIN_KEY "}}", true},
    {"{\"min\": {\"$lte\": {\"k\": 5}}}", "{\"min\": {\"k\": 5}}", true},
    {"{\"min\": {\"$lte\": {\"k\": 5}}}", "{\"min\": {\"k\": \"a\"}}", false},
    {"{\"max\": {\"$gt\": {\"k\": 5}}}", "{\"max\": {\"k\": " MAX_KEY "}}", true},
    {"{\"a\": {\"$in\": [1, \"x\"]}}", "{\"a\": \"x\"}", true},
    {"{\"a\": {\"$in\": [1, \"x\"]}}", "{\"a\": [3, 1]}", true},
    {"{\"a\": {\"$in\": []}}", "{\"a\": 1}", false},
    {"{\"a\": {\"$in\": [null]}}", "{}", true},
    {"{\"a\": {\"$in\": [{\"$regularExpression\": {\"pattern\": \"^x\", \"options\": \"\"}}]}}",
     "{\"a\": \"xy\"}", true},
    {"{\"a\": {\"$nin\": [1]}}", "{\"a\": 2}", true},
    {"{\"a\": {\"$nin\": [1]}}", "{}", true},
    {"{\"a\": {\"$nin\": [1, null]}}", "{}", false},
    {"{\"a\": {\"$exists\": true}}", "{\"a\": null}", true},
    {"{\"a\": {\"$exists\": true}}", "{}", false},
    {"{\"a\": {\"$exists\": false}}", "{}", true},
    {"{\"a\": {\"$exists\": 0}}", "{\"a\": 1}", false},
    {"{\"a.b\": {\"$exists\": false}}", "{\"a\": {\"c\": 1}}", true},
    {"{\"a\": {\"@type\": \"string\"}}", "{\"a\": \"x\"}", true},
    {"{\"a\": {\"@type\": \"number\"}}", "{\"a\": 2.5}", true},
    {"{\"a\": {\"@type\": [\"bool\", 2]}}", "{\"a\": \"x\"}", true},
    {"{\"a\": {\"@type\": \"minKey\"}}", "{\"a\": " MIN_KEY "}", true},
    {"{\"a\": {\"@type\": \"array\"}}", "{\"a\": []}", true},
    {"{\"a\": {\"$size\": 2}}", "{\"a\": [1, 2]}", true},
    {"{\"a\": {\"$size\": 2}}", "{\"a\": 2}", false},
    {"{\"a\": {\"$mod\": [4, 1]}}", "{\"a\": 9}", true},
    {"{\"a\": {\"$mod\": [-1, 0]}}", "{\"a\": {\"$numberLong\": \"-9223372036854775808\"}}", true},
    {"{\"a\": {\"$all\": [1, 2]}}", "{\"a\": [2, 3, 1]}", true},
    {"{\"a\": {\"$all\": [1, 4]}}", "{\"a\": [2, 3, 1]}", false},
    {"{\"a\": {\"$all\": []}}", "{\"a\": []}", false},
    {"{\"a\": {\"@regex\": \"^sh\"}}", "{\"a\": \"shop\"}", true},
    {"{\"a\": {\"@regex\": \"^SH\", \"@options\": \"i\"}}", "{\"a\": \"shop\"}", true},
    {"{\"a\": {\"@regex\": \"^SH\"}}", "{\"a\": 5}", false},
    {"{\"a\": {\"$regularExpression\": {\"pattern\": \"o.\", \"options\": \"\"}}}", "{\"a\": [\"shop\"]}",
     true},
    {"{\"a\": {\"$not\": {\"$gt\": 5}}}", "{}", true},
    {"{\"a\": {\"$not\": {\"$gt\": 5}}}", "{\"a\": 6}", false},
    {"{\"a\": {\"$not\": {\"$gt\": 5, \"$lt\": 7}}}", "{\"a\": 8}", true},
    {"{\"a\": {\"$elemMatch\": {\"$gt\": 1, \"$lt\": 3}}}", "{\"a\": [0, 2, 5]}", true},
    {"{\"a\": {\"$elemMatch\": {\"$gt\": 1, \"$lt\": 3}}}", "{\"a\": [0, 5]}", false},
    {"{\"a\": {\"$elemMatch\": {\"$in\": [5]}}}", "{\"a\": [0, 5]}", true},
    {"{\"a\": {\"$elemMatch\": {\"$nin\": [5]}}}", "{\"a\": [5]}", false},
    {"{\"a\": {\"$elemMatch\": {\"$ne\": 5}}}", "{\"a\": [5, 6]}", true},
    {"{\"a\": {\"$elemMatch\": {\"b\": 1, \"c\": 2}}}", "{\"a\": [{\"b\": 1, \"c\": 2}]}", true},
    {"{\"a\": {\"$elemMatch\": {\"b\": 1, \"c\": 2}}}", "{\"a\": [{\"b\": 1}, {\"c\": 2}]}", false},
    {"{\"a\": {\"$elemMatch\": {\"$or\": [{\"b\": 1}, {\"b\": 2}]}}}", "{\"a\": [{\"b\": 2}]}", true},
    {"{\"$or\": [{\"a\": 1}, {\"b\": 2}]}", "{\"b\": 2}", true},
    {"{\"$or\": [{\"a\": 1}, {\"b\": 2}]}", "{\"b\": 1}", false},
    {"{\"$and\": [{\"a\": 1}, {\"b\": 2}]}", "{\"a\": 1, \"b\": 2}", true},
    {"{\"$nor\": [{\"a\": 1}, {\"b\": 2}]}", "{\"a\": 2, \"b\": 1}", true},
    {"{\"$nor\": [{\"a\": 1}, {\"b\": 2}]}", "{\"b\": 2}", false},
    {"{\"$comment\": \"x\"}", "{}", true},
};

static void which_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t *filter = json(rows[i].filter), *doc = json(rows[i].doc);
        g_autoptr(match) m = NULL;
        struct fault f = {0};
        if (!match_parse(filter, &m, &f))
            fail_msg("%s: %s", rows[i].filter, f.message);
        if (match_test(m, doc) != rows[i].want)
            fail_msg("%s on %s: not %d", rows[i].filter, rows[i].doc, rows[i].want);
        bson_destroy(filter);
        bson_destroy(doc);
    }
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *filter, *message;
        int code;
    } refused[] = {
        {"{\"x\": {\"$nope\": 1}}", "unknown operator: $nope", 2},
        {"{\"$nope\": []}", "unknown top level operator: $nope", 2},
        {"{\"$or\": []}", "$and/$or/$nor must be a nonempty array", 2},
        {"{\"$or\": 1}", "or must be an array", 2},
        {"{\"$or\": [1]}", "$or/$and/$nor entries need to be full objects", 2},
        {"{\"a\": {\"$in\": 1}}", "$in needs an array", 2},
        {"{\"a\": {\"$not\": 1}}", "$not needs a regex or a document", 2},
        {"{\"a\": {\"$not\": {}}}", "$not cannot be empty", 2},
        {"{\"a\": {\"@regex\": \"(\"}}", "Regular expression is invalid", 51091},
        {"{\"a\": {\"@regex\": \"a\", \"@options\": \"q\"}}", "invalid flag in regex options: q", 51108},
        {"{\"a\": {\"@options\": \"i\"}}", "$options needs a $regex", 2},
        {"{\"a\": {\"$mod\": [0, 1]}}", "divisor cannot be 0", 2},
        {"{\"a\": {\"@type\": \"nope\"}}", "Unknown type name alias: nope", 2},
        {"{\"a\": {\"$size\": \"x\"}}", "$size needs a number", 2},
        {"{\"a\": {\"$elemMatch\": 1}}", "$elemMatch needs an Object", 2},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        bson_t *filter = json(refused[i].filter);
        match *m = NULL;
        struct fault f = {0};
        assert_false(match_parse(filter, &m, &f));
        assert_null(m);
        if (f.code != refused[i].code || !g_str_has_prefix(f.message, refused[i].message))
            fail_msg("%s: %d %s", refused[i].filter, f.code, f.message);
        fault_clear(&f);
        bson_destroy(filter);
    }
}

static void note(void *user, const char *path, const bson_iter_t *value)
{
    (void)value;
    g_string_append_printf(user, "%s ", path);
}

static void equalities(void **state)
{
    bson_t *filter = json("{\"a\": 1, \"b\": {\"$eq\": 2}, \"c\": {\"$gt\": 1}, \"$and\": [{\"d.e\": 5}], "
                          "\"$or\": [{\"f\": 1}]}");
    g_autoptr(match) m = NULL;
    g_autoptr(GString) paths = g_string_new(NULL);
    struct fault f = {0};
    (void)state;
    assert_true(match_parse(filter, &m, &f));
    match_each_equality(m, note, paths);
    assert_string_equal(paths->str, "a b d.e ");
    bson_destroy(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_match),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(equalities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
