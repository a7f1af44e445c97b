// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bson_t *from_json(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (doc == NULL)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static key_pattern *pattern_of(const char *json)
{
    key_pattern *p = NULL;
    struct err err = {0};
    bson_t *doc = from_json(json);
    if (!key_pattern_parse(doc, &p, &err))
        fail_msg("%s: %s", json, err.msg);
    bson_destroy(doc);
    return p;
}

static void assert_doc_is(const char *row, const bson_t *got, const char *want_json)
{
    bson_t *want = from_json(want_json);
    if (!bson_equal(got, want)) {
        char *text = bson_as_canonical_extended_json(got, NULL);
        fail_msg("%s: got %s, want %s", row, text, want_json);
    }
    bson_destroy(want);
}

static void reads_fields(void **state)
{
    (void)state;
    static const struct {
        const char *name, *doc;
        const char *fields; /* a letter a field: a ascending, d descending, h hashed */
    } rows[] = {
        {"one field", "{\"x\": 1}", "a"},
        {"hashed in the middle", "{\"a\": 1, \"b\": \"hashed\", \"c\": 1}", "aha"},
        {"any positive number",
         "{\"a\": 2.5, \"b\": {\"$numberLong\": \"7\"}, \"c\": {\"$numberDecimal\": \"0.1\"}}", "aaa"},
        {"descending", "{\"a\": 1, \"b\": -1, \"c\": -1.0, \"d\": {\"$numberDecimal\": \"-1\"}}", "addd"},
        {"dotted", "{\"a.b.c\": 1}", "a"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(key_pattern) p = pattern_of(rows[i].doc);
        g_autoptr(GString) got = g_string_new(NULL);
        for (uint32_t f = 0; f < p->n_fields; f++)
            g_string_append_c(got, p->fields[f].hashed ? 'h' : p->fields[f].descending ? 'd' : 'a');
        if (strcmp(got->str, rows[i].fields) != 0)
            fail_msg("%s: got %s", rows[i].name, got->str);
        assert_doc_is(rows[i].name, &p->doc, rows[i].doc);
    }
}

static void knows_its_names(void **state)
{
    (void)state;
    g_autoptr(key_pattern) p = pattern_of("{\"a\": 1, \"b.c\": \"hashed\"}");
    g_autoptr(key_pattern) plain = pattern_of("{\"a\": 1}");
    assert_int_equal(p->names->len, 6);
    assert_memory_equal(p->names->str, "a\0b.c\0", 6);
    assert_string_equal(p->fields[1].name, "b.c");
    assert_int_equal(key_pattern_find(p, "b.c"), 1);
    assert_int_equal(key_pattern_find(p, "b"), -1);
    assert_int_equal(key_pattern_hashed_field(p), 1);
    assert_int_equal(key_pattern_hashed_field(plain), -1);
    key_pattern_free(NULL);
}

static void refuses_what_is_no_key(void **state)
{
    (void)state;
    static const struct {
        const char *name, *doc, *says;
    } rows[] = {
        {"empty", "{}", "no fields"},
        {"zero", "{\"a\": 0}", "'a'"},
        {"NaN", "{\"a\": {\"$numberDouble\": \"NaN\"}}", "'a'"},
        {"decimal NaN", "{\"a\": {\"$numberDecimal\": \"NaN\"}}", "'a'"},
        {"decimal zero", "{\"a\": {\"$numberDecimal\": \"0.0\"}}", "'a'"},
        {"another index type", "{\"a\": \"text\"}", "'a'"},
        {"hashed with a tail", "{\"a\": \"hashed\\u0000\"}", "'a'"},
        {"boolean", "{\"a\": true}", "'a'"},
        {"nested", "{\"a\": {\"b\": 1}}", "'a'"},
        {"twice", "{\"a\": 1, \"b\": 1, \"a\": 1}", "'a' twice"},
        {"two hashed", "{\"a\": \"hashed\", \"b\": \"hashed\"}", "more than one hashed"},
        {"no name", "{\"\": 1}", "without a name"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        key_pattern *p = NULL;
        struct err err = {0};
        bson_t *doc = from_json(rows[i].doc);
        if (key_pattern_parse(doc, &p, &err))
            fail_msg("%s was taken", rows[i].name);
        assert_int_equal(err.cls, ERR_DATA);
        if (strstr(err.msg, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_null(p);
        bson_destroy(doc);
    }
}

static void takes_32_fields_and_no_more(void **state)
{
    (void)state;
    for (int n = 32; n <= 33; n++) {
        bson_t doc = BSON_INITIALIZER;
        key_pattern *p = NULL;
        struct err err = {0};
        for (int i = 0; i < n; i++) {
            g_autofree char *name = g_strdup_printf("f%d", i);
            bson_append_int32(&doc, name, -1, 1);
        }
        assert_int_equal(key_pattern_parse(&doc, &p, &err), n == 32);
        key_pattern_free(p);
        bson_destroy(&doc);
    }
}

static void refuses_damage(void **state)
{
    (void)state;
    static const uint8_t bad_name[] = {12, 0, 0, 0, 0x10, 0xff, 0, 1, 0, 0, 0, 0};
    static const uint8_t bad_type[] = {12, 0, 0, 0, 0x55, 'a', 0, 1, 0, 0, 0, 0};
    static const uint8_t *const docs[] = {bad_name, bad_type};
    for (size_t i = 0; i < G_N_ELEMENTS(docs); i++) {
        bson_t doc;
        key_pattern *p = NULL;
        struct err err = {0};
        assert_true(bson_init_static(&doc, docs[i], 12));
        assert_false(key_pattern_parse(&doc, &p, &err));
        assert_int_equal(err.cls, ERR_DATA);
    }
}

static void makes_global_bounds(void **state)
{
    (void)state;
    g_autoptr(key_pattern) p = pattern_of("{\"a\": 1, \"b\": -1, \"c\": \"hashed\"}");
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    key_pattern_global(p, false, &min);
    key_pattern_global(p, true, &max);
    assert_doc_is("min", &min, "{\"a\": {\"$minKey\": 1}, \"b\": {\"$maxKey\": 1}, \"c\": {\"$minKey\": 1}}");
    assert_doc_is("max", &max, "{\"a\": {\"$maxKey\": 1}, \"b\": {\"$minKey\": 1}, \"c\": {\"$maxKey\": 1}}");
    bson_destroy(&min);
    bson_destroy(&max);
}

#define LOWEST "{\"$minKey\": 1}"
#define HIGHEST "{\"$maxKey\": 1}"

static void extends_zone_bounds(void **state)
{
    (void)state;
    static const char ab[] = "{\"a\": 1, \"b\": 1}", abc[] = "{\"a\": 1, \"b\": 1, \"c\": 1}",
                      a[] = "{\"a\": 1}";
    static const char a_down_b[] = "{\"a\": 1, \"b\": -1}", hashed[] = "{\"a\": 1, \"b\": \"hashed\"}";
    static const struct {
        const char *name, *key, *bound;
        bool is_max;
        const char *want;
        bool extended, trap;
    } rows[] = {
        {"full", ab, "{\"a\": 1, \"b\": 2}", true, "{\"a\": 1, \"b\": 2}", false, false},
        {"min padded", ab, "{\"a\": 1}", false, "{\"a\": 1, \"b\": " LOWEST "}", true, false},
        {"max padded the same way", ab, "{\"a\": 1}", true, "{\"a\": 1, \"b\": " LOWEST "}", true, false},
        {"hashed padded", hashed, "{\"a\": 1}", true, "{\"a\": 1, \"b\": " LOWEST "}", true, false},
        {"descending padded", a_down_b, "{\"a\": 1}", false, "{\"a\": 1, \"b\": " HIGHEST "}", true, false},
        {"trap, field missing", ab, "{\"a\": " HIGHEST "}", true, "{\"a\": " HIGHEST ", \"b\": " HIGHEST "}",
         true, true},
        {"trap, MinKey stored", ab, "{\"a\": " HIGHEST ", \"b\": " LOWEST "}", true,
         "{\"a\": " HIGHEST ", \"b\": " HIGHEST "}", false, true},
        {"trap, both", abc, "{\"a\": " HIGHEST ", \"b\": " LOWEST "}", true,
         "{\"a\": " HIGHEST ", \"b\": " HIGHEST ", \"c\": " HIGHEST "}", true, true},
        {"trap, two MaxKeys", abc, "{\"a\": " HIGHEST ", \"b\": " HIGHEST "}", true,
         "{\"a\": " HIGHEST ", \"b\": " HIGHEST ", \"c\": " HIGHEST "}", true, true},
        {"no trap for a min", ab, "{\"a\": " HIGHEST "}", false, "{\"a\": " HIGHEST ", \"b\": " LOWEST "}",
         true, false},
        {"no trap in one field", a, "{\"a\": " HIGHEST "}", true, "{\"a\": " HIGHEST "}", false, false},
        {"no trap at the global maximum", ab, "{\"a\": " HIGHEST ", \"b\": " HIGHEST "}", true,
         "{\"a\": " HIGHEST ", \"b\": " HIGHEST "}", false, false},
        {"no trap behind a value", abc, "{\"a\": 1, \"b\": " HIGHEST "}", true,
         "{\"a\": 1, \"b\": " HIGHEST ", \"c\": " LOWEST "}", true, false},
        {"no trap before a value", ab, "{\"a\": " HIGHEST ", \"b\": 5}", true,
         "{\"a\": " HIGHEST ", \"b\": 5}", false, false},
        {"no trap with MaxKey again", abc, "{\"a\": " HIGHEST ", \"b\": " LOWEST ", \"c\": " HIGHEST "}",
         true, "{\"a\": " HIGHEST ", \"b\": " LOWEST ", \"c\": " HIGHEST "}", false, false},
        {"descending needs no rescue", a_down_b, "{\"a\": " HIGHEST "}", true,
         "{\"a\": " HIGHEST ", \"b\": " HIGHEST "}", true, false},
        {"global minimum", ab, "{\"a\": " LOWEST "}", true, "{\"a\": " LOWEST ", \"b\": " LOWEST "}", true,
         false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(key_pattern) p = pattern_of(rows[i].key);
        bson_t *bound = from_json(rows[i].bound);
        bson_t out = BSON_INITIALIZER;
        bool extended, trap;
        struct err err = {0};
        if (!key_pattern_extend(p, bound, rows[i].is_max, &out, &extended, &trap, &err))
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_doc_is(rows[i].name, &out, rows[i].want);
        if (extended != rows[i].extended || trap != rows[i].trap)
            fail_msg("%s: extended %d, trap %d", rows[i].name, extended, trap);
        bson_destroy(&out);
        bson_destroy(bound);
    }
}

static void refuses_bounds_of_other_fields(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bound, *says;
    } rows[] = {
        {"empty", "{}", "no fields"},
        {"not from the first", "{\"b\": 1}", "'b'"},
        {"wrong order", "{\"b\": 1, \"a\": 1}", "'b'"},
        {"a gap", "{\"a\": 1, \"c\": 1}", "'c'"},
        {"too many", "{\"a\": 1, \"b\": 1, \"c\": 1}", "more fields"},
    };
    g_autoptr(key_pattern) p = pattern_of("{\"a\": 1, \"b\": 1}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t *bound = from_json(rows[i].bound);
        bson_t out = BSON_INITIALIZER;
        bool extended, trap;
        struct err err = {0};
        assert_false(key_pattern_extend(p, bound, true, &out, &extended, &trap, &err));
        assert_int_equal(err.cls, ERR_DATA);
        if (strstr(err.msg, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_true(bson_empty(&out));
        bson_destroy(&out);
        bson_destroy(bound);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields),           cmocka_unit_test(knows_its_names),
        cmocka_unit_test(refuses_what_is_no_key), cmocka_unit_test(takes_32_fields_and_no_more),
        cmocka_unit_test(refuses_damage),         cmocka_unit_test(makes_global_bounds),
        cmocka_unit_test(extends_zone_bounds),    cmocka_unit_test(refuses_bounds_of_other_fields),
    };
    return cmocka_run_group_tests_name("key pattern", tests, NULL, NULL);
}
