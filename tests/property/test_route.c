// SPDX-License-Identifier: Apache-2.0
/* Random chunk tables, filters and documents: the chunk that holds a document which the filter matches is
 * always among those that the filter reaches. Matching is done here by a slow evaluator that knows nothing of
 * intervals, and chunks are found by comparing whole documents. */
#include "balancer/answer/route.h"

#include "balancer/key/hash.h"
#include "tests/support/chunk_table.h"
#include "tests/support/slow_compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TABLES = 150, FILTERS = 60, DOCUMENTS = 25, POINTS_MAX = 12 };

static const char *const keys[] = {
    "{'a': 1}",   "{'a': 1, 'b': 1}",   "{'a': 1, 'b': 1, 'c': 1}", "{'a': 'hashed'}",
    "{'a.x': 1}", "{'a.x': 1, 'b': 1}", "{'a': 1, 'b': 'hashed'}"};

/* One of few values, so that equal ones meet. */
static void append_value(GRand *r, bson_t *out, const char *name)
{
    static const char *const strings[] = {"", "a", "ab", "abc", "b", "m", "z"};
    const char *text;
    bson_t sub = BSON_INITIALIZER;
    if (g_rand_int_range(r, 0, 3) == 0) {
        BSON_APPEND_INT32(out, name, g_rand_int_range(r, 0, 3));
        return;
    }
    switch (g_rand_int_range(r, 0, 16)) {
    case 0:
        BSON_APPEND_NULL(out, name);
        break;
    case 1:
        BSON_APPEND_BOOL(out, name, g_rand_boolean(r));
        break;
    case 2:
        BSON_APPEND_DATE_TIME(out, name, g_rand_int_range(r, -2, 3));
        break;
    case 3:
        BSON_APPEND_DOUBLE(out, name, (double)g_rand_int_range(r, -6, 7) / 2);
        break;
    case 4:
        BSON_APPEND_DOUBLE(out, name,
                           g_rand_boolean(r)   ? (double)NAN
                           : g_rand_boolean(r) ? (double)INFINITY
                                               : -(double)INFINITY);
        break;
    case 5:
        BSON_APPEND_INT64(out, name, g_rand_int_range(r, -3, 4));
        break;
    case 6:
        BSON_APPEND_INT32(&sub, "x", g_rand_int_range(r, 0, 3));
        BSON_APPEND_DOCUMENT(out, name, &sub);
        break;
    case 7:
        if (g_rand_boolean(r))
            BSON_APPEND_MINKEY(out, name);
        else
            BSON_APPEND_MAXKEY(out, name);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        text =
            strings[g_rand_int_range(r, 0, G_N_ELEMENTS(strings))]; /* the macro takes its argument twice */
        BSON_APPEND_UTF8(out, name, text);
        break;
    default:
        BSON_APPEND_INT32(out, name, g_rand_int_range(r, -3, 4));
        break;
    }
    bson_destroy(&sub);
}

/* The values of a document; "a" may be {x: value} instead. */
static void make_document(GRand *r, bool nested, bson_t *out)
{
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_rand_int_range(r, 0, 12) == 0)
            continue;
        if (i > 0 || !nested) {
            append_value(r, out, names[i]);
            continue;
        }
        bson_t sub;
        BSON_APPEND_DOCUMENT_BEGIN(out, "a", &sub);
        append_value(r, &sub, "x");
        bson_append_document_end(out, &sub);
    }
}

/* The value under a dotted path, a null where there is none. */
static void find(const bson_t *doc, const char *path, bson_t *null_doc, bson_iter_t *ret)
{
    bson_iter_t it;
    if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, ret))
        return;
    BSON_APPEND_NULL(null_doc, "v");
    assert_true(bson_iter_init(ret, null_doc) && bson_iter_next(ret));
}

/* ---- filters ---- */

static void append_field(GRand *r, bson_t *out, const char *path)
{
    static const char *const ops[] = {"$eq", "$gt", "$gte", "$lt", "$lte", "$ne"};
    const char *pattern;
    bson_t sub, list;
    switch (g_rand_int_range(r, 0, 8)) {
    case 0:
    case 1:
        append_value(r, out, path);
        break;
    case 2:
    case 3:
        BSON_APPEND_DOCUMENT_BEGIN(out, path, &sub);
        append_value(r, &sub, ops[1 + g_rand_int_range(r, 0, 2)]);
        append_value(r, &sub, ops[3 + g_rand_int_range(r, 0, 2)]);
        bson_append_document_end(out, &sub);
        break;
    case 4:
        BSON_APPEND_DOCUMENT_BEGIN(out, path, &sub);
        BSON_APPEND_ARRAY_BEGIN(&sub, "$in", &list);
        for (int i = 0, n = g_rand_int_range(r, 0, 4); i < n; i++) {
            char name[16];
            g_snprintf(name, sizeof name, "%d", i);
            append_value(r, &list, name);
        }
        bson_append_array_end(&sub, &list);
        bson_append_document_end(out, &sub);
        break;
    case 5:
        pattern = g_rand_boolean(r) ? "^ab" : "^abx?";
        BSON_APPEND_REGEX(out, path, pattern, "");
        break;
    default:
        BSON_APPEND_DOCUMENT_BEGIN(out, path, &sub);
        append_value(r, &sub, ops[g_rand_int_range(r, 0, G_N_ELEMENTS(ops))]);
        bson_append_document_end(out, &sub);
        break;
    }
}

static void make_filter(GRand *r, bool nested, unsigned depth, bson_t *out)
{
    const char *paths[] = {nested ? "a.x" : "a", "b", "c"};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        if (g_rand_int_range(r, 0, 5) < (i == 0 ? 4 : 3) - (int)(i == 2))
            append_field(r, out, paths[i]);
    if (nested && g_rand_int_range(r, 0, 8) == 0) {
        bson_t sub;
        BSON_APPEND_DOCUMENT_BEGIN(out, "a", &sub);
        append_value(r, &sub, "x");
        bson_append_document_end(out, &sub);
    }
    if (depth == 0 || g_rand_int_range(r, 0, 3) > 0)
        return;
    bson_t list;
    const char *op = g_rand_boolean(r) ? "$and" : "$or";
    BSON_APPEND_ARRAY_BEGIN(out, op, &list);
    for (int i = 0, n = g_rand_int_range(r, 1, 4); i < n; i++) {
        char name[16];
        bson_t branch;
        g_snprintf(name, sizeof name, "%d", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, name, &branch);
        make_filter(r, nested, depth - 1, &branch);
        bson_append_document_end(&list, &branch);
    }
    bson_append_array_end(out, &list);
}

/* ---- the slow evaluator ---- */

static bool is_nan(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_DOUBLE(it) && isnan(bson_iter_double(it));
}

/* Types that compare with each other. */
static bool same_bracket(const bson_iter_t *a, const bson_iter_t *b)
{
    if (BSON_ITER_HOLDS_NUMBER(a) && BSON_ITER_HOLDS_NUMBER(b))
        return true;
    return bson_iter_type(a) == bson_iter_type(b) || BSON_ITER_HOLDS_MINKEY(b) || BSON_ITER_HOLDS_MAXKEY(b);
}

static bool match_operator(const bson_iter_t *value, const char *op, const bson_iter_t *operand)
{
    int order = slow_compare_values(value, operand);
    if (strcmp(op, "$eq") == 0)
        return order == 0;
    if (strcmp(op, "$ne") == 0)
        return order != 0;
    if (!same_bracket(value, operand))
        return false;
    bool or_equal = strlen(op) == 4;
    if (order == 0)
        return or_equal;
    bool odd =
        is_nan(value) != is_nan(operand) && BSON_ITER_HOLDS_NUMBER(value) && BSON_ITER_HOLDS_NUMBER(operand);
    return !odd && (op[1] == 'g' ? order > 0 : order < 0);
}

static bool match_predicate(const bson_iter_t *value, const bson_iter_t *predicate)
{
    bson_iter_t op, item;
    if (BSON_ITER_HOLDS_REGEX(predicate)) /* both patterns find what begins with "ab" */
        return BSON_ITER_HOLDS_UTF8(value) && g_str_has_prefix(bson_iter_utf8(value, NULL), "ab");
    if (!BSON_ITER_HOLDS_DOCUMENT(predicate) || !bson_iter_recurse(predicate, &op) || !bson_iter_next(&op) ||
        bson_iter_key(&op)[0] != '$')
        return slow_compare_values(value, predicate) == 0;
    do {
        bool hit = false;
        if (strcmp(bson_iter_key(&op), "$in") == 0) {
            assert_true(bson_iter_recurse(&op, &item));
            while (bson_iter_next(&item))
                hit |= slow_compare_values(value, &item) == 0;
        } else {
            hit = match_operator(value, bson_iter_key(&op), &op);
        }
        if (!hit)
            return false;
    } while (bson_iter_next(&op));
    return true;
}

static bool matches(const bson_t *doc, const bson_iter_t *filter)
{
    bson_iter_t it, list = {0};
    assert_true(bson_iter_recurse(filter, &it));
    while (bson_iter_next(&it)) {
        const char *name = bson_iter_key(&it);
        bool hit;
        if (name[0] == '$') {
            bool is_or = strcmp(name, "$or") == 0;
            assert_true(bson_iter_recurse(&it, &list));
            hit = !is_or;
            while (bson_iter_next(&list))
                hit = is_or ? hit || matches(doc, &list) : hit && matches(doc, &list);
        } else {
            bson_t none = BSON_INITIALIZER;
            bson_iter_t value;
            find(doc, name, &none, &value);
            hit = match_predicate(&value, &it);
            bson_destroy(&none);
        }
        if (!hit)
            return false;
    }
    return true;
}

/* ---- tables ---- */

static void append_key_value(const bson_t *doc, const char *path, bool hashed, bson_t *out)
{
    bson_t none = BSON_INITIALIZER;
    bson_iter_t value;
    int64_t hash;
    find(doc, path, &none, &value);
    if (hashed) {
        assert_true(key_hash_value(&value, &hash, NULL));
        BSON_APPEND_INT64(out, path, hash);
    } else {
        bson_append_iter(out, path, -1, &value);
    }
    bson_destroy(&none);
}

/* The key of a document, hashed where the pattern says so. */
static bson_t *key_of(const key_pattern *key, const bson_t *doc)
{
    bson_t *out = bson_new();
    for (uint32_t f = 0; f < key->n_fields; f++)
        append_key_value(doc, key->fields[f].name, key->fields[f].hashed, out);
    return out;
}

static gint by_key(gconstpointer a, gconstpointer b)
{
    return slow_compare_docs(*(bson_t *const *)a, *(bson_t *const *)b);
}

static key_pattern *parse_key(const char *text)
{
    bson_t doc;
    key_pattern *key = NULL;
    g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
    assert_true(bson_init_from_json(&doc, json, -1, NULL));
    assert_true(key_pattern_parse(&doc, &key, NULL));
    bson_destroy(&doc);
    return key;
}

/* Whether all values are MinKey, or all MaxKey: no point inside the key space. */
static bool is_global(const bson_t *key)
{
    bson_iter_t it;
    bool min = true, max = true;
    assert_true(bson_iter_init(&it, key));
    while (bson_iter_next(&it)) {
        min &= BSON_ITER_HOLDS_MINKEY(&it);
        max &= BSON_ITER_HOLDS_MAXKEY(&it);
    }
    return min || max;
}

/* Sorted bounds, each once: keys of random documents. */
static GPtrArray *make_points(GRand *r, const key_pattern *key, bool nested)
{
    GPtrArray *points = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    for (int i = 0, n = g_rand_int_range(r, 0, POINTS_MAX + 1); i < n; i++) {
        bson_t doc = BSON_INITIALIZER;
        make_document(r, nested, &doc);
        bson_t *point = key_of(key, &doc);
        bson_destroy(&doc);
        if (is_global(point))
            bson_destroy(point);
        else
            g_ptr_array_add(points, point);
    }
    g_ptr_array_sort(points, by_key);
    for (guint i = 1; i < points->len;)
        if (slow_compare_docs(points->pdata[i - 1], points->pdata[i]) == 0)
            g_ptr_array_remove_index(points, i);
        else
            i++;
    return points;
}

static cluster *make_cluster(const char *key, const GPtrArray *points)
{
    g_autoptr(GString) json = g_string_new("[");
    for (guint i = 0; i < points->len; i++) {
        char *text = bson_as_canonical_extended_json(points->pdata[i], NULL);
        g_string_append_printf(json, "%s%s", i > 0 ? ", " : "", text);
        bson_free(text);
    }
    g_string_append_c(json, ']');
    const struct chunk_table t = {.key = key, .points = points->len > 0 ? json->str : NULL};
    return chunk_table_cluster(&t);
}

static guint chunk_of(const GPtrArray *points, const bson_t *key)
{
    guint chunk = 0;
    while (chunk < points->len && slow_compare_docs(points->pdata[chunk], key) <= 0)
        chunk++;
    return chunk;
}

static bool is_reached(const route *r, guint chunk)
{
    for (guint i = 0; i < r->runs->len; i++) {
        const struct route_run *run = &g_array_index(r->runs, struct route_run, i);
        if (run->first <= chunk && chunk <= run->last)
            return true;
    }
    return false;
}

struct tally {
    unsigned matched, narrowed;
};

static void check_filter(GRand *r, const cluster *cl, const GPtrArray *points, bool nested, guint32 seed,
                         struct tally *tally)
{
    struct err err = {0};
    bson_t wrapped = BSON_INITIALIZER, filter = BSON_INITIALIZER;
    bson_iter_t it;
    g_autoptr(route) got = NULL;
    make_filter(r, nested, 2, &filter);
    BSON_APPEND_DOCUMENT(&wrapped, "f", &filter);
    if (!route_make(cl, "db.c", &filter, &got, &err))
        fail_msg("seed %u: %s", seed, err.msg);
    bson_destroy(&filter);
    assert_true(bson_iter_init(&it, &wrapped) && bson_iter_next(&it));
    tally->narrowed += got->n_chunks < points->len + 1 ? 1 : 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        bson_t doc = BSON_INITIALIZER;
        make_document(r, nested, &doc);
        bson_t *key = key_of(got->coll->key, &doc);
        guint chunk = chunk_of(points, key);
        if (!is_global(key) && matches(&doc, &it)) {
            tally->matched++;
            if (!is_reached(got, chunk)) {
                char *f = bson_as_canonical_extended_json(&wrapped, NULL);
                char *d = bson_as_canonical_extended_json(&doc, NULL);
                char *k = bson_as_canonical_extended_json(&got->coll->key->doc, NULL);
                fail_msg("seed %u: %s on key %s does not reach chunk %u, which holds %s: %s", seed, f, k,
                         chunk, d, got->reason);
            }
        }
        bson_destroy(key);
        bson_destroy(&doc);
    }
    bson_destroy(&wrapped);
}

static void test_reaches(void **state)
{
    (void)state;
    struct tally tally = {0};
    const char *given = getenv("EVENKEEL_TEST_SEED");
    guint32 first = given != NULL ? (guint32)g_ascii_strtoull(given, NULL, 10) : 20260101;
    for (guint32 t = 0; t < TABLES; t++) {
        g_autoptr(GRand) r = g_rand_new_with_seed(first + t);
        const char *text = keys[g_rand_int_range(r, 0, G_N_ELEMENTS(keys))];
        bool nested = strstr(text, "a.x") != NULL;
        g_autoptr(key_pattern) key = parse_key(text);
        g_autoptr(GPtrArray) points = make_points(r, key, nested);
        g_autoptr(cluster) cl = make_cluster(text, points);
        for (int f = 0; f < FILTERS; f++)
            check_filter(r, cl, points, nested, first + t, &tally);
    }
    /* The check must have had something to check, and routing something to leave out. */
    assert_true(tally.matched > TABLES * FILTERS / 4);
    assert_true(tally.narrowed > TABLES * FILTERS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reaches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
