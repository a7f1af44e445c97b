// SPDX-License-Identifier: Apache-2.0
/* Tables of key, chunks and filter: what mongos would reach, and why. */
#include "balancer/answer/route.h"

#include "balancer/key/show.h"
#include "tests/support/chunk_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* "0,3-4": the chunks reached. */
static char *runs_text(const route *r)
{
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < r->runs->len; i++) {
        const struct route_run *run = &g_array_index(r->runs, struct route_run, i);
        g_string_append_printf(s, run->first == run->last ? "%s%u" : "%s%u-%u", i > 0 ? "," : "", run->first,
                               run->last);
    }
    return g_string_free(s, FALSE);
}

static void parse(const char *json, bson_t *ret)
{
    struct err err = {0};
    g_autofree char *text = g_strdup(json);
    if (strchr(text, '"') == NULL)
        g_strdelimit(text, "'", '"');
    if (!key_parse_doc(text, ret, &err))
        fail_msg("bad filter in the test: %s: %s", err.msg, json);
}

struct row {
    const char *name, *filter, *chunks;
    enum route_verdict verdict;
    const char *note; /* must stand in a note; NULL: there must be none */
};

static void check_row(const cluster *cl, const struct row *row)
{
    struct err err = {0};
    bson_t filter;
    g_autoptr(route) r = NULL;
    parse(row->filter, &filter);
    if (!route_make(cl, "db.c", &filter, &r, &err))
        fail_msg("%s: %s", row->name, err.msg);
    bson_destroy(&filter);
    g_autofree char *got = runs_text(r);
    if (strcmp(got, row->chunks) != 0 || r->verdict != row->verdict)
        fail_msg("%s: %s reaches chunks '%s' (%s), not '%s' (%s): %s", row->name, row->filter, got,
                 route_verdict_text(r->verdict), row->chunks, route_verdict_text(row->verdict), r->reason);
    bool told = false;
    for (guint i = 0; i < r->notes->len; i++)
        told |= row->note != NULL && strstr(r->notes->pdata[i], row->note) != NULL;
    if (told != (row->note != NULL) || (row->note == NULL && r->notes->len > 0))
        fail_msg("%s: notes: %u, the first '%s', expected '%s'", row->name, r->notes->len,
                 r->notes->len > 0 ? (char *)r->notes->pdata[0] : "-",
                 row->note != NULL ? row->note : "none");
}

static void check_rows(const struct chunk_table *t, const struct row *rows, size_t n)
{
    g_autoptr(cluster) cl = chunk_table_cluster(t);
    for (size_t i = 0; i < n; i++)
        check_row(cl, &rows[i]);
}

/* Chunks: 0 below 0, 1 [0, 10), 2 [10, 20), 3 [20, "m"), 4 ["m", MaxKey). */
static void test_one_field(void **state)
{
    (void)state;
    static const struct chunk_table t = {.key = "{'a': 1}",
                                         .points = "[{'a': 0}, {'a': 10}, {'a': 20}, {'a': 'm'}]"};
    static const struct row rows[] = {
        {"equality", "{'a': 5}", "1", ROUTE_ONE, NULL},
        {"equality on a bound", "{'a': 10}", "2", ROUTE_ONE, NULL},
        {"$eq", "{'a': {'$eq': 5.5}}", "1", ROUTE_ONE, NULL},
        {"other number types", "{'a': {'$numberDecimal': '10.0'}}", "2", ROUTE_ONE, NULL},
        {"other fields besides", "{'a': 5, 'x': {'$gt': 3}}", "1", ROUTE_ONE, NULL},
        {"null is a missing field", "{'a': null}", "0", ROUTE_ONE, NULL},
        {"a subdocument as a value", "{'a': {'x': 1}}", "4", ROUTE_ONE, NULL},
        {"a range", "{'a': {'$gte': 5, '$lt': 15}}", "1-2", ROUTE_SOME, NULL},
        {"an excluded end counts", "{'a': {'$gte': 5, '$lt': 10}}", "1-2", ROUTE_SOME, NULL},
        {"$gt stays with numbers", "{'a': {'$gt': 20}}", "3", ROUTE_ONE, NULL},
        {"$lt begins with numbers", "{'a': {'$lt': 5}}", "0-1", ROUTE_SOME, NULL},
        {"$lte", "{'a': {'$lte': -1}}", "0", ROUTE_ONE, NULL},
        {"strings only", "{'a': {'$gte': 'a'}}", "3-4", ROUTE_SOME, NULL},
        {"strings below", "{'a': {'$lt': 'k'}}", "3", ROUTE_ONE, NULL},
        {"dates are behind strings", "{'a': {'$lt': {'$date': 0}}}", "4", ROUTE_ONE, NULL},
        {"MinKey compares with all", "{'a': {'$gt': {'$minKey': 1}}}", "0-4", ROUTE_ALL, NULL},
        {"below MaxKey", "{'a': {'$lt': {'$maxKey': 1}}}", "0-4", ROUTE_ALL, NULL},
        {"above MaxKey", "{'a': {'$gt': {'$maxKey': 1}}}", "", ROUTE_NONE, NULL},
        {"NaN", "{'a': {'$gt': {'$numberDouble': 'NaN'}}}", "", ROUTE_NONE, NULL},
        {"$in", "{'a': {'$in': [5, 25, 5]}}", "1,3", ROUTE_SOME, NULL},
        {"$in of neighbours", "{'a': {'$in': [5, 15]}}", "1-2", ROUTE_SOME, NULL},
        {"$in of one", "{'a': {'$in': [5]}}", "1", ROUTE_ONE, NULL},
        {"$in of nothing", "{'a': {'$in': []}}", "", ROUTE_NONE, NULL},
        {"a contradiction", "{'a': {'$gt': 5, '$lt': 3}}", "", ROUTE_NONE, NULL},
        {"two values at once", "{'$and': [{'a': 5}, {'a': 6}]}", "", ROUTE_NONE, NULL},
        {"two types at once", "{'a': {'$gt': 5, '$lt': 'x'}}", "", ROUTE_NONE, NULL},
        {"$and", "{'$and': [{'a': {'$gte': 5}}, {'$and': [{'a': {'$lt': 8}}]}]}", "1", ROUTE_ONE, NULL},
        {"$in and $in", "{'$and': [{'a': {'$in': [-5, 15, 25]}}, {'a': {'$in': [5, 15, 25]}}]}", "2-3",
         ROUTE_SOME, NULL},
        {"$in and a range", "{'a': {'$in': [-5, 5, 15, 25], '$gt': 2, '$lt': 20}}", "1-2", ROUTE_SOME, NULL},
        {"$and beside a field", "{'a': {'$gte': 5}, '$and': [{'a': {'$lte': 9}}]}", "1", ROUTE_ONE, NULL},
        {"$or", "{'$or': [{'a': 5}, {'a': {'$gte': 21, '$lt': 30}}]}", "1,3", ROUTE_SOME, NULL},
        {"$or inside $and", "{'$and': [{'$or': [{'a': 5}, {'a': 25}]}]}", "1,3", ROUTE_SOME, NULL},
        {"$or in $or", "{'$or': [{'a': 5}, {'$or': [{'a': 15}, {'a': 25}]}]}", "1-3", ROUTE_ALL, NULL},
        {"$or with a free branch", "{'$or': [{'a': 5}, {'x': 1}]}", "0-4", ROUTE_ALL, NULL},
        {"$or of contradictions", "{'$or': [{'a': {'$in': []}}]}", "", ROUTE_NONE, NULL},
        {"$or drops a contradiction", "{'$or': [{'a': 5}, {'a': {'$in': []}}]}", "1", ROUTE_ONE, NULL},
        {"a field goes before $or", "{'a': 5, '$or': [{'a': 5}, {'a': 25}]}", "1", ROUTE_ONE, NULL},
        {"nothing", "{}", "0-4", ROUTE_ALL, NULL},
        {"another field", "{'x': 5}", "0-4", ROUTE_ALL, NULL},
        {"$ne", "{'a': {'$ne': 5}}", "0-4", ROUTE_ALL, "$ne on 'a'"},
        {"$exists", "{'a': {'$exists': true}}", "0-4", ROUTE_ALL, "$exists on 'a'"},
        {"$nin beside a range", "{'a': {'$nin': [1], '$gte': 5, '$lt': 9}}", "1", ROUTE_ONE, "$nin on 'a'"},
        {"$expr", "{'$expr': {'$eq': ['$a', 5]}}", "0-4", ROUTE_ALL, "$expr does not"},
        {"$nor", "{'$nor': [{'a': 5}]}", "0-4", ROUTE_ALL, "$nor does not"},
        {"$comment", "{'$comment': 'x', 'a': 5}", "1", ROUTE_ONE, NULL},
        {"an array", "{'a': [1, 2]}", "0-4", ROUTE_ALL, "an array"},
        {"an array in $in", "{'a': {'$in': [5, [1]]}}", "0-4", ROUTE_ALL, "an array"},
        {"a range of arrays", "{'a': {'$gt': [1]}}", "0-4", ROUTE_ALL, "an array"},
        {"inside the field", "{'a.b': 5}", "0-4", ROUTE_ALL, "lies inside"},
        {"an anchored expression", "{'a': {'$regularExpression': {'pattern': '^ab', 'options': ''}}}", "3-4",
         ROUTE_SOME, NULL},
        {"$regex", "{'a': {'$regex': '^x'}}", "4", ROUTE_ONE, NULL},
        {"a quantifier takes its character back", "{'a': {'$regex': '^mx*'}}", "4", ROUTE_ONE, NULL},
        {"all of the prefix taken back", "{'a': {'$regex': '^m?'}}", "3-4", ROUTE_SOME, NULL},
        {"an alternative", "{'a': {'$regex': '^x|^a'}}", "3-4", ROUTE_SOME, NULL},
        {"ignoring case", "{'a': {'$regex': '^X', '$options': 'i'}}", "3-4", ROUTE_SOME, NULL},
        {"an expression as a value",
         "{'a': {'$eq': {'$regularExpression': {'pattern': '^ab', 'options': ''}}}}", "4", ROUTE_ONE, NULL},
    };
    check_rows(&t, rows, G_N_ELEMENTS(rows));
}

/* Chunks: 0 below {EU,0}, 1 {EU,0}..{EU,100}, 2 ..{EU,200}, 3 ..{US,0}, 4 ..{US,100}, 5 the rest. */
static void test_compound(void **state)
{
    (void)state;
    static const struct chunk_table t = {
        .key = "{'r': 1, 'n': 1}",
        .points = "[{'r': 'EU', 'n': 0}, {'r': 'EU', 'n': 100}, {'r': 'EU', 'n': 200}, {'r': 'US', 'n': 0}, "
                  "{'r': 'US', 'n': 100}]"};
    static const struct row rows[] = {
        {"both fixed", "{'n': 150, 'r': 'EU'}", "2", ROUTE_ONE, NULL},
        {"prefix fixed", "{'r': 'EU'}", "0-3", ROUTE_ALL, NULL},
        {"prefix and range", "{'r': 'EU', 'n': {'$gt': 10, '$lt': 150}}", "1-2", ROUTE_SOME, NULL},
        {"prefix and values", "{'r': 'EU', 'n': {'$in': [50, 250]}}", "1,3", ROUTE_SOME, NULL},
        {"values and value", "{'r': {'$in': ['EU', 'US']}, 'n': 50}", "1,4", ROUTE_ONE, NULL},
        {"values and values are spanned", "{'r': {'$in': ['EU', 'US']}, 'n': {'$in': [50, 150]}}", "1-2,4-5",
         ROUTE_SOME, NULL},
        {"range on the first field", "{'r': {'$gte': 'EU', '$lt': 'EZ'}, 'n': 150}", "2-3", ROUTE_SOME, NULL},
        {"type end on the first field", "{'r': {'$gte': 'US'}, 'n': 50}", "4-5", ROUTE_SOME, NULL},
        {"second field only", "{'n': 50}", "0-5", ROUTE_ALL, NULL},
        {"second field cannot match", "{'r': 'EU', 'n': {'$in': []}}", "", ROUTE_NONE, NULL},
        {"$or joined field by field", "{'$or': [{'r': 'EU', 'n': 50}, {'r': 'US', 'n': 150}]}", "1-2,4-5",
         ROUTE_SOME, NULL},
        {"$or narrowed from beside", "{'n': 50, '$or': [{'r': 'EU'}, {'r': 'US'}]}", "1,4", ROUTE_ONE, NULL},
    };
    check_rows(&t, rows, G_N_ELEMENTS(rows));
}

/* hash(1) = 5902408780260971510, hash(15) = 6704049549995522780, hash(8) = -6200100076853976706,
 * hash(null) = 2338878944348059895. */
static void test_hashed(void **state)
{
    (void)state;
    static const struct chunk_table t = {
        .key = "{'h': 'hashed'}",
        .points = "[{'h': {'$numberLong': '-6200100076853976706'}}, {'h': {'$numberLong': '0'}}, {'h': "
                  "{'$numberLong': '5902408780260971510'}}, {'h': {'$numberLong': '6000000000000000000'}}]"};
    static const struct row rows[] = {
        {"equality", "{'h': 8}", "1", ROUTE_ONE, NULL},
        {"another number type", "{'h': 1.9}", "3", ROUTE_ONE, NULL},
        {"null", "{'h': null}", "2", ROUTE_ONE, NULL},
        {"$in", "{'h': {'$in': [8, 15]}}", "1,4", ROUTE_ONE, NULL},
        {"a range", "{'h': {'$gt': 1, '$lt': 2}}", "0-4", ROUTE_ALL, "hashed field"},
        {"a range beside equality", "{'h': {'$eq': 1, '$gt': 0}}", "3", ROUTE_ONE, "hashed field"},
        {"an expression", "{'h': {'$regex': '^a'}}", "0-4", ROUTE_ALL, "hashed field"},
    };
    check_rows(&t, rows, G_N_ELEMENTS(rows));
}

static void test_dotted(void **state)
{
    (void)state;
    static const struct chunk_table one = {.key = "{'a.b': 1}", .points = "[{'a.b': 0}, {'a.b': 10}]"};
    static const struct row one_rows[] = {
        {"dotted", "{'a.b': 5}", "1", ROUTE_ONE, NULL},
        {"a whole subdocument", "{'a': {'b': 5}}", "1", ROUTE_ONE, NULL},
        {"with other fields in it", "{'a': {'z': 1, 'b': 15}}", "2", ROUTE_ONE, NULL},
        {"$eq", "{'a': {'$eq': {'b': 5}}}", "1", ROUTE_ONE, NULL},
        {"without the field", "{'a': {'z': 5}}", "0-2", ROUTE_ALL, NULL},
        {"operators on the parent", "{'a': {'$gt': {'b': 5}}}", "0-2", ROUTE_ALL, NULL},
        {"both, and they differ", "{'a': {'b': 5}, 'a.b': 6}", "", ROUTE_NONE, NULL},
    };
    check_rows(&one, one_rows, G_N_ELEMENTS(one_rows));
    static const struct chunk_table two = {.key = "{'a.b': 1, 'c': 1}",
                                           .points = "[{'a.b': 0, 'c': 0}, {'a.b': 10, 'c': 0}]"};
    static const struct row two_rows[] = {
        {"all fixed", "{'a': {'b': 5}, 'c': 1}", "1", ROUTE_ONE, NULL},
        {"not all fixed", "{'a': {'b': 5}}", "0-2", ROUTE_ALL, "only where the filter fixes all"},
        {"a prefix, dotted", "{'a.b': 5}", "1", ROUTE_ONE, NULL},
    };
    check_rows(&two, two_rows, G_N_ELEMENTS(two_rows));
}

static void test_facts(void **state)
{
    (void)state;
    static const struct chunk_table t = {.key = "{'a': 1}",
                                         .points = "[{'a': 0}, {'a': 10}, {'a': 20}]",
                                         .owners = "0011",
                                         .shards =
                                             "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1'}, {'_id': 's2'}]",
                                         .tags = "[{'min': {'a': 0}, 'max': {'a': 10}, 'tag': 'A'}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    bson_t filter;
    g_autoptr(route) r = NULL;
    parse("{'a': {'$gte': 0, '$lte': 10}}", &filter);
    assert_true(route_make(cl, "db.c", &filter, &r, NULL));
    bson_destroy(&filter);
    assert_int_equal(r->n_chunks, 2);
    assert_int_equal(r->n_holders, 2);
    assert_int_equal(r->verdict, ROUTE_ALL);
    assert_int_equal(r->shards->len, 2);
    assert_int_equal(g_array_index(r->shards, struct route_share, 1).number, 1);
    assert_int_equal(g_array_index(r->shards, struct route_share, 1).chunks, 1);
    assert_int_equal(r->zones->len, 2);
    assert_int_equal(g_array_index(r->zones, struct route_share, 0).number, 0);
    assert_int_equal(g_array_index(r->zones, struct route_share, 1).number, ZONE_NONE);
    assert_int_equal(r->fields[0], ROUTE_RANGE);
    assert_non_null(strstr(r->reason, "2 of 4 chunks on all 2 shards"));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ns, *filter, *words;
    } rows[] = {
        {"unknown collection", "db.x", "{}", "there are db.c"},
        {"$in without an array", "db.c", "{'a': {'$in': 5}}", "$in needs an array"},
        {"$or without an array", "db.c", "{'$or': {'a': 5}}", "$or needs an array"},
        {"an empty $or", "db.c", "{'$or': []}", "at least one"},
        {"$and of numbers", "db.c", "{'$and': [5]}", "array of documents"},
    };
    static const struct chunk_table t = {.key = "{'a': 1}"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        bson_t filter;
        route *r = NULL;
        parse(rows[i].filter, &filter);
        if (route_make(cl, rows[i].ns, &filter, &r, &err) || err.cls != ERR_USAGE ||
            strstr(err.msg, rows[i].words) == NULL)
            fail_msg("%s: '%s' lacks '%s'", rows[i].name, err.msg, rows[i].words);
        assert_null(r);
        bson_destroy(&filter);
    }
}

/* Deep nesting ends in an error, not in the stack's end. */
static void test_deep(void **state)
{
    (void)state;
    static const struct chunk_table t = {.key = "{'a': 1}"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    static const char *const ops[] = {"$and", "$or"};
    for (size_t o = 0; o < G_N_ELEMENTS(ops); o++) {
        bson_t doc = BSON_INITIALIZER;
        for (int depth = 0; depth < 70; depth++) {
            bson_t outer = BSON_INITIALIZER, array;
            BSON_APPEND_ARRAY_BEGIN(&outer, ops[o], &array);
            BSON_APPEND_DOCUMENT(&array, "0", &doc);
            bson_append_array_end(&outer, &array);
            bson_destroy(&doc);
            bson_copy_to(&outer, &doc);
            bson_destroy(&outer);
        }
        struct err err = {0};
        route *r = NULL;
        assert_false(route_make(cl, "db.c", &doc, &r, &err));
        assert_non_null(strstr(err.msg, "nested"));
        bson_destroy(&doc);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    static const struct chunk_table t = {.key = "{'a': 1}",
                                         .tags = "[{'min': {'x': 0}, 'max': {'x': 10}, 'tag': 'A'}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    struct err err = {0};
    bson_t filter = BSON_INITIALIZER;
    route *r = NULL;
    assert_false(route_make(cl, "db.c", &filter, &r, &err));
    assert_int_equal(err.cls, ERR_DATA);
    assert_non_null(strstr(err.msg, "damaged"));
    bson_destroy(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_field), cmocka_unit_test(test_compound), cmocka_unit_test(test_hashed),
        cmocka_unit_test(test_dotted),    cmocka_unit_test(test_facts),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep),      cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
