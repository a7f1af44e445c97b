// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/show.h"

#include "balancer/key/encode.h"

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

#define OID "{\"$oid\": \"0102030405060708090a0b0c\"}"
#define UUID_64 "yO2rw/c4TKO2jauSqRR4ow=="
#define REGEX(pattern, flags)                                                                                \
    "{\"$regularExpression\": {\"pattern\": \"" pattern "\", \"options\": \"" flags "\"}}"
#define REFUSAL(what)                                                                                        \
    "(() => { throw new Error(\"mongosh cannot write " what "; carry this out otherwise\"); })()"

/* Every type in the three spellings; NULL: as JSON, or not of interest. */
static const struct {
    const char *name, *value, *people, *json, *mongosh;
} spellings[] = {
    {"MinKey", "{\"$minKey\": 1}", "MinKey", NULL, "MinKey()"},
    {"MaxKey", "{\"$maxKey\": 1}", "MaxKey", NULL, "MaxKey()"},
    {"null", "null", "null", NULL, "null"},
    {"undefined", "{\"$undefined\": true}", "undefined", NULL, REFUSAL("a BSON undefined")},
    {"true", "true", "true", NULL, "true"},
    {"false", "false", "false", NULL, "false"},
    {"int", "-7", "-7", NULL, "NumberInt(-7)"},
    {"long", "{\"$numberLong\": \"9007199254740993\"}", "9007199254740993", "9007199254740993",
     "NumberLong(\"9007199254740993\")"},
    {"lowest long", "{\"$numberLong\": \"-9223372036854775808\"}", "-9223372036854775808",
     "-9223372036854775808", "NumberLong(\"-9223372036854775808\")"},
    {"double", "2.5", "2.5", NULL, "2.5"},
    {"short double", "0.1", "0.1", NULL, "0.1"},
    {"long double", "0.30000000000000004", "0.30000000000000004", NULL, "0.30000000000000004"},
    {"whole double", "2.0", "2", "2.0", "Double(2)"},
    {"negative zero", "-0.0", "-0", "-0.0", "Double(-0)"},
    {"large double", "1e300", "1e+300", "1e+300", "Double(1e+300)"},
    {"small double", "5e-324", "4.94065645841247e-324", "4.94065645841247e-324", "4.94065645841247e-324"},
    {"NaN", "{\"$numberDouble\": \"NaN\"}", "NaN", NULL, "Double(NaN)"},
    {"infinity", "{\"$numberDouble\": \"-Infinity\"}", "-Infinity", NULL, "Double(-Infinity)"},
    {"decimal", "{\"$numberDecimal\": \"1.50\"}", "NumberDecimal(\"1.50\")", NULL, "NumberDecimal(\"1.50\")"},
    {"decimal NaN", "{\"$numberDecimal\": \"NaN\"}", "NumberDecimal(\"NaN\")", NULL,
     "NumberDecimal(\"NaN\")"},
    {"string", "\"EU\"", "\"EU\"", NULL, "\"EU\""},
    {"string of quotes", "\"a\\\"\\\\'\"", "\"a\\\"\\\\'\"", NULL, "\"a\\\"\\\\'\""},
    {"string of controls", "\"\\n\\t\\u0000\\u001b\\u007f\"", "\"\\n\\t\\u0000\\u001b\\u007f\"", NULL,
     "\"\\n\\t\\u0000\\u001b\\u007f\""},
    {"C1 control", "\"\\u009b\"", "\"\\u009b\"", NULL, "\"\\u009b\""},
    {"direction", "\"a\\u202eb\\u2066\\u200f\"", "\"a\\u202eb\\u2066\\u200f\"", NULL,
     "\"a\\u202eb\\u2066\\u200f\""},
    {"separators", "\"\\u2028\\u2029\"", "\"\\u2028\\u2029\"", NULL, "\"\\u2028\\u2029\""},
    {"tag characters", "\"\\udb40\\udc41\"", "\"\\udb40\\udc41\"", NULL, "\"\\udb40\\udc41\""},
    {"letters of the world", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", NULL, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"end of a script", "\"</script><\"", "\"</script><\"", NULL, "\"<\\/script><\""},
    {"symbol", "{\"$symbol\": \"s\"}", "\"s\"", NULL, "new BSONSymbol(\"s\")"},
    {"ObjectId", OID, "ObjectId(\"0102030405060708090a0b0c\")", NULL,
     "ObjectId(\"0102030405060708090a0b0c\")"},
    {"date", "{\"$date\": \"2026-11-21T01:38:00Z\"}", "ISODate(\"2026-11-21T01:38:00Z\")", NULL,
     "ISODate(\"2026-11-21T01:38:00Z\")"},
    {"date with milliseconds", "{\"$date\": \"2026-11-21T01:38:00.045Z\"}",
     "ISODate(\"2026-11-21T01:38:00.045Z\")", NULL, "ISODate(\"2026-11-21T01:38:00.045Z\")"},
    {"date before 1970", "{\"$date\": {\"$numberLong\": \"-1\"}}", "ISODate(\"1969-12-31T23:59:59.999Z\")",
     NULL, "ISODate(\"1969-12-31T23:59:59.999Z\")"},
    {"last date of four digits", "{\"$date\": {\"$numberLong\": \"253402300799999\"}}",
     "ISODate(\"9999-12-31T23:59:59.999Z\")", "{\"$date\": \"9999-12-31T23:59:59.999Z\"}",
     "ISODate(\"9999-12-31T23:59:59.999Z\")"},
    {"later date", "{\"$date\": {\"$numberLong\": \"253402300800000\"}}", "Date(253402300800000)", NULL,
     "new Date(253402300800000)"},
    {"before the first year", "{\"$date\": {\"$numberLong\": \"-62135596800001\"}}", "Date(-62135596800001)",
     NULL, "new Date(-62135596800001)"},
    {"end of time", "{\"$date\": {\"$numberLong\": \"9223372036854775807\"}}", "Date(9223372036854775807)",
     NULL, REFUSAL("a date so far from 1970")},
    {"timestamp", "{\"$timestamp\": {\"t\": 4294967295, \"i\": 2}}", "Timestamp(4294967295, 2)", NULL,
     "Timestamp({ t: 4294967295, i: 2 })"},
    {"UUID", "{\"$binary\": {\"base64\": \"" UUID_64 "\", \"subType\": \"04\"}}",
     "UUID(\"c8edabc3-f738-4ca3-b68d-ab92a91478a3\")", NULL, "BinData(4, \"" UUID_64 "\")"},
    {"no UUID", "{\"$binary\": {\"base64\": \"AQI=\", \"subType\": \"04\"}}", "BinData(4, \"AQI=\")", NULL,
     "BinData(4, \"AQI=\")"},
    {"old binary", "{\"$binary\": {\"base64\": \"AQI=\", \"subType\": \"02\"}}", "BinData(2, \"AQI=\")", NULL,
     "BinData(2, \"AQI=\")"},
    {"empty binary", "{\"$binary\": {\"base64\": \"\", \"subType\": \"80\"}}", "BinData(128, \"\")", NULL,
     "BinData(128, \"\")"},
    {"regex", REGEX("^a+", "i"), "/^a+/i", NULL, "RegExp(\"^a+\", \"i\")"},
    {"regex that RegExp changes", REGEX("a/b", ""), "/a/b/", NULL, "EJSON.deserialize(" REGEX("a/b", "") ")"},
    {"regex with a flag of PCRE", REGEX("a", "x"), "/a/x", NULL, "EJSON.deserialize(" REGEX("a", "x") ")"},
    {"hostile regex", REGEX("\\u001b\\u202e", ""), "/\\x1B\\u{202E}/", NULL,
     "RegExp(\"\\u001b\\u202e\", \"\")"},
    {"DBPointer", "{\"$dbPointer\": {\"$ref\": \"d.c\", \"$id\": " OID "}}",
     "DBPointer(\"d.c\", ObjectId(\"0102030405060708090a0b0c\"))", NULL, REFUSAL("a DBPointer")},
    {"code", "{\"$code\": \"f()\"}", "Code(\"f()\")", NULL, "Code(\"f()\")"},
    {"code with scope", "{\"$code\": \"f()\", \"$scope\": {\"x\": 1}}", "Code(\"f()\", { x: 1 })", NULL,
     "Code(\"f()\", { \"x\": NumberInt(1) })"},
    {"empty document", "{}", "{}", NULL, "{}"},
    {"document", "{\"a\": 1, \"b\": {\"c\": null}}", "{ a: 1, b: { c: null } }", NULL,
     "{ \"a\": NumberInt(1), \"b\": { \"c\": null } }"},
    {"array", "[1, [], \"x\"]", "[1, [], \"x\"]", NULL, "[NumberInt(1), [], \"x\"]"},
    {"names", "{\"a.b\": 1, \"\": 2, \"$x_1\": 3, \"9\": 4}", "{ \"a.b\": 1, \"\": 2, $x_1: 3, \"9\": 4 }",
     NULL,
     "new Map([[\"a.b\", NumberInt(1)], [\"\", NumberInt(2)], [\"$x_1\", NumberInt(3)], [\"9\", "
     "NumberInt(4)]])"},
    {"hostile name", "{\"\\u001b[2J\\u202e\\\"\": 1}", "{ \"\\u001b[2J\\u202e\\\"\": 1 }", NULL,
     "{ \"\\u001b[2J\\u202e\\\"\": NumberInt(1) }"},
    {"a name that JavaScript obeys", "{\"__proto__\": {\"a\": 1}}", "{ __proto__: { a: 1 } }", NULL,
     "new Map([[\"__proto__\", { \"a\": NumberInt(1) }]])"},
    {"a field twice", "{\"a\": 1, \"a\": 2}", "{ a: 1, a: 2 }", NULL,
     REFUSAL("a document that has a field twice")},
};

static void check_text(const char *row, const char *spelling, const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        fail_msg("%s, %s:\n got %s\nwant %s", row, spelling, got, want);
}

static void spells_every_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
        g_autofree char *doc_json = g_strdup_printf("{\"v\": %s}", spellings[i].value);
        g_autofree char *want_show = g_strdup_printf("{ v: %s }", spellings[i].people);
        g_autofree char *want_json =
            g_strdup_printf("{\"v\": %s}", spellings[i].json ? spellings[i].json : spellings[i].value);
        g_autofree char *want_mongosh = g_strdup_printf("{ \"v\": %s }", spellings[i].mongosh);
        g_autoptr(GString) shown = g_string_new(NULL);
        g_autoptr(GString) value = g_string_new(NULL);
        g_autoptr(GString) json = g_string_new(NULL);
        g_autoptr(GString) mongosh = g_string_new(NULL);
        bson_t *doc = from_json(doc_json);
        bson_iter_t it;
        assert_true(bson_iter_init_find(&it, doc, "v"));
        key_show(shown, doc, 0);
        key_show_value(value, &it, 0);
        key_json(json, doc);
        key_mongosh(mongosh, doc);
        check_text(spellings[i].name, "key_show", shown->str, want_show);
        check_text(spellings[i].name, "key_show_value", value->str, spellings[i].people);
        check_text(spellings[i].name, "key_json", json->str, want_json);
        check_text(spellings[i].name, "key_mongosh", mongosh->str, want_mongosh);
        bson_destroy(doc);
    }
}

/* What key_json() writes reads back as the same bytes; relaxed JSON keeps all types but the small long. */
static void json_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
        g_autofree char *doc_json = g_strdup_printf("{\"v\": %s}", spellings[i].value);
        g_autoptr(GString) json = g_string_new(NULL);
        bson_t *doc = from_json(doc_json);
        bson_t back;
        struct err err = {0};
        key_json(json, doc);
        if (!key_parse_doc(json->str, &back, &err))
            fail_msg("%s: %s", spellings[i].name, err.msg);
        if (!bson_equal(doc, &back))
            fail_msg("%s: %s came back changed", spellings[i].name, json->str);
        bson_destroy(&back);
        bson_destroy(doc);
    }
}

static void shortens_in_the_middle(void **state)
{
    (void)state;
    static const struct {
        guint max_chars;
        const char *want;
    } rows[] = {
        {0, "{ a: \"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\" }"},
        {13, "{ a: \"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\" }"},
        {12, "{ a: \"\xe2\x80\xa6\xc3\xa9\xc3\xa9\" }"},
        {7, "{ a\xe2\x80\xa6\" }"},
        {2, "{\xe2\x80\xa6"},
        {1, "\xe2\x80\xa6"},
    };
    bson_t *doc = from_json("{\"a\": \"\\u00e9\\u00e9\\u00e9\\u00e9\"}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new("=");
        key_show(out, doc, rows[i].max_chars);
        check_text("shortened", "key_show", out->str + 1, rows[i].want);
    }
    bson_destroy(doc);
}

/* Text that is not UTF-8 cannot come from a plan, but an error message may have to show it. */
static void bytes_that_are_no_text_do_no_harm(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {17, 0, 0, 0, 2, 0xff, 0, 5, 0, 0, 0, 0xe2, 0x80, 'a', 0xff, 0, 0};
    bson_t doc;
    g_autoptr(GString) shown = g_string_new(NULL);
    g_autoptr(GString) json = g_string_new(NULL);
    g_autoptr(GString) mongosh = g_string_new(NULL);
    assert_true(bson_init_static(&doc, bytes, sizeof bytes));
    key_show(shown, &doc, 0);
    key_json(json, &doc);
    key_mongosh(mongosh, &doc);
    assert_string_equal(shown->str, "{ \"\\ufffd\": \"\\ufffd\\ufffda\\ufffd\" }");
    assert_string_equal(json->str, "{\"\\ufffd\": \"\\ufffd\\ufffda\\ufffd\"}");
    assert_non_null(strstr(mongosh->str, "throw"));
}

static void damage_is_shown_as_such(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {23, 0, 0,  0,   10, 'a',  0,   3, 'b', 0, 11, 0,
                                    0,  0, 10, 'c', 0,  0x55, 'd', 0, 0,   0, 0};
    uint8_t copy[sizeof bytes];
    bson_t doc;
    g_autoptr(GString) shown = g_string_new(NULL);
    g_autoptr(GString) json = g_string_new(NULL);
    g_autoptr(GString) mongosh = g_string_new(NULL);
    memcpy(copy, bytes, sizeof bytes);
    assert_true(bson_init_static(&doc, copy, sizeof copy));
    key_show(shown, &doc, 0);
    key_json(json, &doc);
    key_mongosh(mongosh, &doc);
    assert_non_null(strstr(shown->str, "a: null"));
    assert_non_null(strstr(shown->str, "<corrupt BSON>"));
    assert_non_null(strstr(mongosh->str, "throw"));
}

static void depth_is_bounded(void **state)
{
    (void)state;
    g_autoptr(GString) out = g_string_new(NULL);
    bson_t *doc = bson_new();
    for (int i = 0; i < 1000; i++) {
        bson_t *outer = BCON_NEW("v", BCON_DOCUMENT(doc));
        bson_destroy(doc);
        doc = outer;
    }
    key_show(out, doc, 0);
    assert_non_null(strstr(out->str, "nested too deep"));
    g_string_truncate(out, 0);
    key_json(out, doc);
    assert_non_null(strstr(out->str, "null"));
    g_string_truncate(out, 0);
    key_mongosh(out, doc);
    assert_non_null(strstr(out->str, "throw"));
    bson_destroy(doc);
}

static void quotes_strings(void **state)
{
    (void)state;
    g_autoptr(GString) out = g_string_new("x = ");
    key_mongosh_string(out, "a\"</b>\n");
    assert_string_equal(out->str, "x = \"a\\\"<\\/b>\\n\"");
}

static void reads_values(void **state)
{
    (void)state;
    static const char *const values[] = {
        "1",
        "-0.5e3",
        " true ",
        "null",
        "\"a b\"",
        "\"\"",
        "{}",
        "[1, 2]",
        OID,
        "{\"$minKey\": 1}",
        "{\"a\": \"}\"}",
        "9223372036854775807",
        "\"\\\\\"",
        "\"\\\"\"",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *doc_json = g_strdup_printf("{\"v\": %s}", values[i]);
        bson_t *want = from_json(doc_json);
        bson_t got;
        struct err err = {0};
        if (!key_parse_value(values[i], &got, &err))
            fail_msg("%s: %s", values[i], err.msg);
        assert_true(bson_equal(&got, want));
        bson_destroy(&got);
        bson_destroy(want);
    }
}

static void refuses_what_is_no_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"abc", "double quotes"},
        {"", "nothing to read"},
        {"  ", "nothing to read"},
        {"'abc'", "neither a number"},
        {"1 2", "something follows"},
        {"1, \"w\": 2", "something follows"},
        {"1}", "something follows"},
        {"}", "'}'"},
        {",", "','"},
        {"{\"a\": 1} {\"b\": 2}", "something follows"},
        {"{\"a\": 1", "not closed"},
        {"{\"a\": 1]", ""},
        {"\"abc", "not closed"},
        {"\"abc\\", "not closed"},
        {"NaN", "neither"},
        {"-Infinity", "neither"},
        {"012", "neither"},
        {"+1", "neither"},
        {"1.", "digits are missing"},
        {"1e", "digits are missing"},
        {"1e+", "digits are missing"},
        {"1x", "not a number"},
        {"-", "neither"},
        {"9223372036854775808", "64 bits"},
        {"99999999999999999999", "64 bits"},
        {"{\"a\": 99999999999999999999}", "64 bits"},
        {"1e999", "range"},
        {"{\"a\" 1}", ""},
        {"{\"a\": tru}", "neither"},
        {"\"\\ud800\"", ""},
        {"{\"\\u0000\": 1}", ""},
        {"{\"$oid\": \"zz\"}", "OID"},
        {"{\"$date\": \"yesterday\"}", "date"},
        {"\"\xff\"", "not UTF-8"},
        {"MinKey", "neither"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t got;
        struct err err = {0};
        if (key_parse_value(rows[i].text, &got, &err))
            fail_msg("'%s' was taken", rows[i].text);
        assert_int_equal(err.cls, ERR_USAGE);
        assert_non_null(strstr(err.msg, "\"abc\""));
        if (strstr(err.msg, rows[i].says) == NULL)
            fail_msg("'%s': %s", rows[i].text, err.msg);
    }
}

static void reads_documents_only(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } refused[] = {
        {"[1]", "does not begin with '{'"},    {"1", "does not begin"},
        {"\"a\"", "does not begin"},           {"{a: 1}", "double quotes"},
        {"{\"a\": 1}{}", "something follows"}, {"", "nothing to read"},
    };
    bson_t got;
    struct err err = {0};
    bson_t *want = from_json("{\"a\": {\"b\": [1]}}");
    assert_true(key_parse_doc(" {\"a\": {\"b\": [1]}}\n", &got, &err));
    assert_true(bson_equal(&got, want));
    bson_destroy(&got);
    bson_destroy(want);
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        err = (struct err){0};
        assert_false(key_parse_doc(refused[i].text, &got, &err));
        assert_int_equal(err.cls, ERR_USAGE);
        if (strstr(err.msg, refused[i].says) == NULL)
            fail_msg("'%s': %s", refused[i].text, err.msg);
    }
}

static void nesting_is_bounded_when_read(void **state)
{
    (void)state;
    for (int levels = 80; levels <= 100000; levels += 99920) {
        g_autoptr(GString) json = g_string_new(NULL);
        bson_t got;
        struct err err = {0};
        for (int i = 0; i < levels; i++)
            g_string_append(json, "{\"a\": ");
        g_string_append(json, "1");
        for (int i = 0; i < levels; i++)
            g_string_append(json, "}");
        bool ok = key_parse_doc(json->str, &got, &err);
        assert_int_equal(ok, levels == 80);
        if (ok)
            bson_destroy(&got);
        else
            assert_non_null(strstr(err.msg, "nested"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spells_every_type),
        cmocka_unit_test(json_reads_back),
        cmocka_unit_test(shortens_in_the_middle),
        cmocka_unit_test(bytes_that_are_no_text_do_no_harm),
        cmocka_unit_test(damage_is_shown_as_such),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(quotes_strings),
        cmocka_unit_test(reads_values),
        cmocka_unit_test(refuses_what_is_no_value),
        cmocka_unit_test(reads_documents_only),
        cmocka_unit_test(nesting_is_bounded_when_read),
    };
    return cmocka_run_group_tests_name("key spellings", tests, NULL, NULL);
}
