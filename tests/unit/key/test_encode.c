// SPDX-License-Identifier: Apache-2.0
/* The layout of the encoding, what is refused, and the packed form. Order itself:
 * tests/property/test_key_order.c. */
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

/* The encoding of the first field. */
static GByteArray *encode_first(const bson_t *doc)
{
    GByteArray *out = g_byte_array_new();
    bson_iter_t it;
    struct err err = {0};
    assert_true(bson_iter_init(&it, doc) && bson_iter_next(&it));
    if (!key_encode_value(&it, out, &err))
        fail_msg("%s", err.msg);
    return out;
}

static GByteArray *encode_json(const char *value)
{
    g_autofree char *json = g_strdup_printf("{\"v\": %s}", value);
    bson_t *doc = from_json(json);
    GByteArray *out = encode_first(doc);
    bson_destroy(doc);
    return out;
}

static int compare_and_free(GByteArray *a, GByteArray *b)
{
    int c = key_cmp(a->data, a->len, b->data, b->len);
    g_byte_array_unref(a);
    g_byte_array_unref(b);
    return c;
}

static char *hex_of(const GByteArray *bytes)
{
    GString *hex = g_string_new(NULL);
    for (guint i = 0; i < bytes->len; i++)
        g_string_append_printf(hex, "%02x", bytes->data[i]);
    return g_string_free(hex, FALSE);
}

/* As docs/key-order.md describes it. */
static void has_the_documented_layout(void **state)
{
    (void)state;
    static const struct {
        const char *value, *hex;
    } rows[] = {
        {"{\"$minKey\": 1}", "01"},
        {"{\"$undefined\": true}", "02"},
        {"null", "07"},
        {"{\"$numberDouble\": \"NaN\"}", "0c"
                                         "0000000000000000"
                                         "01"},
        {"0", "0c"
              "8000000000000000"
              "01"},
        {"1", "0c"
              "bff0000000000000"
              "01"},
        {"-1", "0c"
               "400fffffffffffff"
               "fe"},
        {"{\"$numberLong\": \"9007199254740993\"}", "0c"
                                                    "c340000000000000"
                                                    "02"
                                                    "4008"
                                                    "5b08145d374b0a5e"
                                                    "00"},
        {"{\"$numberLong\": \"-9007199254740993\"}", "0c"
                                                     "3cbfffffffffffff"
                                                     "fd"
                                                     "bff7"
                                                     "a4f7eba2c8b4f5a1"
                                                     "ff"},
        {"{\"$numberDecimal\": \"0.1\"}", "0c"
                                          "bfb9999999999999"
                                          "02"
                                          "4000"
                                          "0b"
                                          "00"},
        {"{\"$numberDecimal\": \"-1E-400\"}", "0c"
                                              "7fffffffffffffff"
                                              "fd"
                                              "c0c6"
                                              "fd"
                                              "ff"},
        {"{\"$numberDecimal\": \"1E309\"}", "0c"
                                            "ffefffffffffffff"
                                            "02"
                                            "409b"
                                            "0b"
                                            "00"},
        {"\"a\\u0000b\"", "11"
                          "6100ff62"
                          "00"},
        {"{\"$symbol\": \"a\"}", "11"
                                 "61"
                                 "00"},
        {"{}", "16"
               "00"},
        {"{\"a\": null, \"\": true}", "16"
                                      "07"
                                      "6100"
                                      "2a"
                                      "00"
                                      "01"
                                      "00"},
        {"[false]", "1b"
                    "2a"
                    "3000"
                    "00"
                    "00"},
        {"{\"$binary\": {\"base64\": \"AQI=\", \"subType\": \"05\"}}", "20"
                                                                       "00000002"
                                                                       "05"
                                                                       "0102"},
        {"{\"$binary\": {\"base64\": \"AQI=\", \"subType\": \"02\"}}", "20"
                                                                       "00000006"
                                                                       "02"
                                                                       "02000000"
                                                                       "0102"},
        {"{\"$oid\": \"010203040506070809101112\"}", "25"
                                                     "010203040506070809101112"},
        {"true", "2a"
                 "01"},
        {"{\"$date\": {\"$numberLong\": \"-1\"}}", "2f"
                                                   "7fffffffffffffff"},
        {"{\"$timestamp\": {\"t\": 1, \"i\": 258}}", "31"
                                                     "00000001"
                                                     "00000102"},
        {"{\"$regularExpression\": {\"pattern\": \"x\", \"options\": \"i\"}}", "34"
                                                                               "7800"
                                                                               "6900"},
        {"{\"$code\": \"x\"}", "3e"
                               "7800"},
        {"{\"$code\": \"x\", \"$scope\": {\"y\": null}}", "43"
                                                          "7800"
                                                          "07"
                                                          "7900"
                                                          "00"},
        {"{\"$maxKey\": 1}", "81"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) enc = encode_json(rows[i].value);
        g_autofree char *hex = hex_of(enc);
        if (strcmp(hex, rows[i].hex) != 0)
            fail_msg("%s: got %s, want %s", rows[i].value, hex, rows[i].hex);
    }
}

/* The first of a row is below (or equal to) the second. */
static void orders_what_chance_rarely_meets(void **state)
{
    (void)state;
    static const struct {
        const char *name, *low, *high;
        bool equal;
    } rows[] = {
        {"int and decimal", "1", "{\"$numberDecimal\": \"1.000\"}", true},
        {"long and double", "{\"$numberLong\": \"4611686018427387904\"}", "4611686018427387904.0", true},
        {"infinities", "{\"$numberDouble\": \"-Infinity\"}", "{\"$numberDecimal\": \"-Infinity\"}", true},
        {"NaNs", "{\"$numberDouble\": \"NaN\"}", "{\"$numberDecimal\": \"NaN\"}", true},
        {"zeros", "-0.0", "{\"$numberDecimal\": \"-0E-10\"}", true},
        {"string and symbol", "\"ab\"", "{\"$symbol\": \"ab\"}", true},
        {"2^53+1 as long and decimal", "{\"$numberLong\": \"9007199254740993\"}",
         "{\"$numberDecimal\": \"9007199254740993.0\"}", true},
        {"NaN below all", "{\"$numberDecimal\": \"NaN\"}", "{\"$numberDouble\": \"-Infinity\"}", false},
        {"the double 0.1 above the decimal", "{\"$numberDecimal\": \"0.1\"}", "0.1", false},
        {"2^53 and 2^53+1", "9007199254740992.0", "{\"$numberLong\": \"9007199254740993\"}", false},
        {"2^63-1 and 2^63", "{\"$numberLong\": \"9223372036854775807\"}", "9223372036854775808.0", false},
        {"beyond all doubles", "1.7976931348623157e308", "{\"$numberDecimal\": \"1.8E308\"}", false},
        {"one power of ten beyond", "{\"$numberDecimal\": \"1E309\"}", "{\"$numberDecimal\": \"1E310\"}",
         false},
        {"the same below zero", "{\"$numberDecimal\": \"-1E310\"}", "{\"$numberDecimal\": \"-1E309\"}",
         false},
        {"below infinity", "{\"$numberDecimal\": \"9.99E6144\"}", "{\"$numberDouble\": \"Infinity\"}", false},
        {"below the smallest double", "{\"$numberDecimal\": \"1E-6176\"}", "5e-324", false},
        {"just above zero", "0", "{\"$numberDecimal\": \"1E-6176\"}", false},
        {"just below zero", "{\"$numberDecimal\": \"-1E-6176\"}", "0", false},
        {"prefix first", "\"ab\"", "\"ab\\u0000\"", false},
        {"NUL before others", "\"a\\u0000\\u0000\"", "\"a\\u0001\"", false},
        {"bytes, not letters", "\"Z\"", "\"a\"", false},
        {"type before name", "{\"b\": 1}", "{\"a\": \"x\"}", false},
        {"name before value", "{\"a\": 9}", "{\"b\": 1}", false},
        {"end before MinKey", "{}", "{\"a\": {\"$minKey\": 1}}", false},
        {"subtype before bytes", "{\"$binary\": {\"base64\": \"/w==\", \"subType\": \"00\"}}",
         "{\"$binary\": {\"base64\": \"AA==\", \"subType\": \"05\"}}", false},
        {"array above document", "{\"z\": 1}", "[]", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int c = compare_and_free(encode_json(rows[i].low), encode_json(rows[i].high));
        if (rows[i].equal ? c != 0 : c >= 0)
            fail_msg("%s: compared %d", rows[i].name, c);
    }
}

static GByteArray *encode_binary(uint32_t len)
{
    g_autofree uint8_t *bytes = g_malloc0(len);
    bson_t doc = BSON_INITIALIZER;
    bson_append_binary(&doc, "v", -1, BSON_SUBTYPE_BINARY, bytes, len);
    GByteArray *out = encode_first(&doc);
    bson_destroy(&doc);
    return out;
}

static GByteArray *encode_dbpointer(gsize len, char letter)
{
    g_autofree char *ns = g_strnfill(len, letter);
    static const bson_oid_t oid = {{0}};
    bson_t doc = BSON_INITIALIZER;
    bson_append_dbpointer(&doc, "v", -1, ns, &oid);
    GByteArray *out = encode_first(&doc);
    bson_destroy(&doc);
    return out;
}

static void longer_comes_later_whatever_the_bytes(void **state)
{
    (void)state;
    assert_true(compare_and_free(encode_binary(255), encode_binary(256)) < 0);
    assert_true(compare_and_free(encode_binary(1), encode_binary(65536)) < 0);
    assert_true(compare_and_free(encode_dbpointer(3, 'z'), encode_dbpointer(4, 'a')) < 0);
    assert_true(compare_and_free(encode_dbpointer(250, 'a'), encode_dbpointer(256, 'a')) < 0);
}

/* A coefficient above 10^34-1 counts as zero. */
static void decimals_out_of_bounds_are_zero(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t high, low;
        bool zero;
    } rows[] = {
        {"10^34 - 1", 0x3041ed09bead87c0, 0x378d8e63ffffffff, false},
        {"10^34", 0x3041ed09bead87c0, 0x378d8e6400000000, true},
        {"negative 10^34", 0xb041ed09bead87c0, 0x378d8e6400000000, true},
        {"the other form", 0x6c10000000000000, 1, true},
        {"its negative", 0xec10000000000000, 1, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t doc = BSON_INITIALIZER;
        bson_decimal128_t d = {.high = rows[i].high, .low = rows[i].low};
        bson_append_decimal128(&doc, "v", -1, &d);
        if ((compare_and_free(encode_first(&doc), encode_json("0")) == 0) != rows[i].zero)
            fail_msg("%s", rows[i].name);
        bson_destroy(&doc);
    }
}

static void a_prefix_of_the_fields_is_a_prefix_of_the_bytes(void **state)
{
    (void)state;
    g_autoptr(key_pattern) a = pattern_of("{\"a\": 1}");
    g_autoptr(key_pattern) ab = pattern_of("{\"a\": 1, \"b\": 1}");
    g_autoptr(GByteArray) short_enc = g_byte_array_new();
    g_autoptr(GByteArray) long_enc = g_byte_array_new();
    bson_t *short_bound = from_json("{\"a\": \"x\"}");
    bson_t *long_bound = from_json("{\"a\": \"x\", \"b\": 7}");
    struct err err = {0};
    assert_true(
        key_encode_bound(bson_get_data(short_bound), short_bound->len, a->names, short_enc, NULL, &err));
    assert_true(
        key_encode_bound(bson_get_data(long_bound), long_bound->len, ab->names, long_enc, NULL, &err));
    assert_true(short_enc->len < long_enc->len);
    assert_memory_equal(short_enc->data, long_enc->data, short_enc->len);
    bson_destroy(short_bound);
    bson_destroy(long_bound);
}

static void makes_global_bounds(void **state)
{
    (void)state;
    g_autoptr(key_pattern) p = pattern_of("{\"a\": 1, \"b\": -1, \"c\": \"hashed\"}");
    for (int max = 0; max <= 1; max++) {
        g_autoptr(GByteArray) direct = g_byte_array_new();
        g_autoptr(GByteArray) via_bson = g_byte_array_new();
        bson_t bound = BSON_INITIALIZER;
        struct err err = {0};
        key_encode_global(p, max == 1, direct);
        key_pattern_global(p, max == 1, &bound);
        assert_true(key_encode_bound(bson_get_data(&bound), bound.len, p->names, via_bson, NULL, &err));
        assert_int_equal(key_cmp(direct->data, direct->len, via_bson->data, via_bson->len), 0);
        bson_destroy(&bound);
    }
}

static void compares_lengths_last(void **state)
{
    (void)state;
    static const uint8_t ab[] = "ab", ac[] = "ac";
    assert_int_equal(key_cmp(ab, 2, ab, 2), 0);
    assert_true(key_cmp(ab, 1, ab, 2) < 0);
    assert_true(key_cmp(ab, 2, ab, 1) > 0);
    assert_true(key_cmp(ac, 2, ab, 2) > 0);
    assert_true(key_cmp(ab, 0, ab, 1) < 0);
    assert_int_equal(key_cmp(NULL, 0, NULL, 0), 0);
}

static void names_the_fields_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bound, *says;
    } rows[] = {
        {"another name", "{\"a\": 1, \"c\": 1}", "the fields are { a, c } but the shard key is { a, b }"},
        {"wrong order", "{\"b\": 1, \"a\": 1}", "{ b, a }"},
        {"one missing", "{\"a\": 1}", "{ a }"},
        {"one too many", "{\"a\": 1, \"b\": 1, \"c\": 1}", "{ a, b, c }"},
        {"longer name", "{\"a\": 1, \"bb\": 1}", "{ a, bb }"},
        {"empty", "{}", "{ }"},
    };
    g_autoptr(key_pattern) p = pattern_of("{\"a\": 1, \"b\": 1}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) enc = g_byte_array_new();
        g_autoptr(GByteArray) packed = g_byte_array_new();
        bson_t *bound = from_json(rows[i].bound);
        struct err err = {0};
        g_byte_array_append(enc, (const uint8_t *)"x", 1);
        assert_false(key_encode_bound(bson_get_data(bound), bound->len, p->names, enc, packed, &err));
        assert_int_equal(err.cls, ERR_DATA);
        if (strstr(err.msg, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].name, err.msg);
        assert_int_equal(enc->len, 1);
        assert_int_equal(packed->len, 0);
        bson_destroy(bound);
    }
}

/* A document around `hex`, which is all behind the length. */
static GByteArray *doc_of_hex(const char *hex)
{
    GByteArray *doc = g_byte_array_new();
    g_byte_array_set_size(doc, 4);
    for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
        if (*hex == ' ')
            continue;
        uint8_t byte = (uint8_t)(g_ascii_xdigit_value(hex[0]) * 16 + g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(doc, &byte, 1);
    }
    uint32_t len = GUINT32_TO_LE(doc->len);
    memcpy(doc->data, &len, sizeof len);
    return doc;
}

/* Bytes as they could stand in a hostile dump: each is a bound {v: ...} without its length. */
static void refuses_damage(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
    } rows[] = {
        {"no end", "0a 7600 01"},
        {"name without end", "0a 7600"},
        {"unknown type", "55 7600 00"},
        {"end inside", "000a7600000000"},
        {"string too long", "02 7600 09000000610000"},
        {"string of length 0", "02 7600 000000000000"},
        {"string without NUL", "02 7600 02000000616200"},
        {"string not UTF-8", "02 7600 02000000ff0000"},
        {"overlong NUL", "02 7600 03000000c0800000"},
        {"surrogate", "02 7600 04000000eda0800000"},
        {"bad UTF-8 behind a NUL", "02 7600 040000006100ff0000"},
        {"symbol not UTF-8", "0e 7600 02000000ff0000"},
        {"code not UTF-8", "0d 7600 02000000ff0000"},
        {"regex not UTF-8", "0b 7600 ff000000"},
        {"regex flags not UTF-8", "0b 7600 00ff0000"},
        {"DBPointer not UTF-8", "0c 7600 02000000ff000102030405060708090a0b0c00"},
        {"inner name not UTF-8", "03 7600 080000000aff000000"},
        {"inner document too short", "03 7600 0400000000"},
        {"inner document without end", "03 7600 050000000100"},
        {"inner unknown type", "03 7600 080000005561000000"},
        {"array too long", "04 7600 630000000000"},
        {"bool of 2", "08 7600 0200"},
        {"old binary without inner length", "05 7600 01000000020000"},
        {"code in scope without NUL", "0f 7600 0f000000020000006162050000000000"},
        {"scope is corrupt", "0f 7600 12000000020000006100080000005561000000"},
    };
    g_autoptr(key_pattern) p = pattern_of("{\"v\": 1}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) doc = doc_of_hex(rows[i].hex);
        g_autoptr(GByteArray) enc = g_byte_array_new();
        g_autoptr(GByteArray) packed = g_byte_array_new();
        struct err err = {0};
        if (key_encode_bound(doc->data, doc->len, p->names, enc, packed, &err))
            fail_msg("%s was taken", rows[i].name);
        assert_int_equal(err.cls, ERR_DATA);
        assert_int_equal(enc->len + packed->len, 0);
    }
}

/* The same frame around a sound value, so that the rows above fail for their own reasons. */
static void takes_what_is_sound(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
    } rows[] = {
        {"null", "0a 7600 00"},
        {"string", "02 7600 02000000 6100 00"},
        {"regex", "0b 7600 7800 6900 00"},
        {"DBPointer", "0c 7600 02000000 6100 0102030405060708090a0b0c 00"},
        {"inner document", "03 7600 08000000 0a6100 00 00"},
        {"old binary", "05 7600 05000000 02 01000000 61 00"},
        {"code with scope", "0f 7600 0f000000 02000000 6100 05000000 00 00"},
    };
    g_autoptr(key_pattern) p = pattern_of("{\"v\": 1}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) doc = doc_of_hex(rows[i].hex);
        g_autoptr(GByteArray) enc = g_byte_array_new();
        struct err err = {0};
        if (!key_encode_bound(doc->data, doc->len, p->names, enc, NULL, &err))
            fail_msg("%s: %s", rows[i].name, err.msg);
    }
}

static void refuses_wrong_lengths(void **state)
{
    (void)state;
    static const uint8_t doc[] = {8, 0, 0, 0, 10, 'v', 0, 0, 0};
    g_autoptr(key_pattern) p = pattern_of("{\"v\": 1}");
    g_autoptr(GByteArray) enc = g_byte_array_new();
    struct err err = {0};
    for (uint32_t len = 0; len <= sizeof doc; len++) {
        bool ok = key_encode_bound(doc, len, p->names, enc, NULL, &err);
        assert_int_equal(ok, len == 8);
    }
}

static bson_t *nest(unsigned levels)
{
    bson_t *doc = BCON_NEW("v", BCON_INT32(1));
    for (unsigned i = 0; i < levels; i++) {
        bson_t *outer = BCON_NEW("v", BCON_DOCUMENT(doc));
        bson_destroy(doc);
        doc = outer;
    }
    return doc;
}

static void nests_so_deep_and_no_deeper(void **state)
{
    (void)state;
    g_autoptr(key_pattern) p = pattern_of("{\"v\": 1}");
    for (unsigned levels = KEY_DEPTH_MAX; levels <= KEY_DEPTH_MAX + 1u; levels++) {
        g_autoptr(GByteArray) enc = g_byte_array_new();
        struct err err = {0};
        bson_t *doc = nest(levels);
        bool ok = key_encode_bound(bson_get_data(doc), doc->len, p->names, enc, NULL, &err);
        assert_int_equal(ok, levels == KEY_DEPTH_MAX);
        assert_true(ok || strstr(err.msg, "nested") != NULL);
        bson_destroy(doc);
    }
}

static void lists_names(void **state)
{
    (void)state;
    static const uint8_t broken[] = {14, 0, 0, 0, 10, 'a', 0, 0x55, 'b', 0, 0, 0, 0, 0};
    g_autoptr(GString) names = g_string_new("=");
    bson_t *doc = from_json("{\"a\": 1, \"\": 2, \"b.c\": 3}");
    assert_true(key_bound_names(bson_get_data(doc), doc->len, names));
    assert_int_equal(names->len, 8);
    assert_memory_equal(names->str, "=a\0\0b.c\0", 8);
    assert_false(key_bound_names(broken, sizeof broken, names));
    assert_int_equal(names->len, 8);
    bson_destroy(doc);
}

/* libbson would sort the flags of a regular expression; the packed form must not. */
static void unpacks_bytes_that_libbson_would_change(void **state)
{
    (void)state;
    static const uint8_t doc[] = {17, 0, 0, 0, 11, 'v', 0, 'x', 0, 's', 'm', 'i', 'i', 0, 10, 'w', 0, 0};
    uint8_t bound[sizeof doc];
    g_autoptr(key_pattern) p = pattern_of("{\"v\": 1, \"w\": 1}");
    g_autoptr(GByteArray) enc = g_byte_array_new();
    g_autoptr(GByteArray) packed = g_byte_array_new();
    bson_t back = BSON_INITIALIZER;
    struct err err = {0};
    memcpy(bound, doc, sizeof doc);
    bound[0] = sizeof doc;
    assert_true(key_encode_bound(bound, sizeof bound, p->names, enc, packed, &err));
    key_unpack(p, packed->data, packed->len, &back);
    assert_int_equal(back.len, sizeof bound);
    assert_memory_equal(bson_get_data(&back), bound, sizeof bound);
    bson_destroy(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_documented_layout),
        cmocka_unit_test(orders_what_chance_rarely_meets),
        cmocka_unit_test(longer_comes_later_whatever_the_bytes),
        cmocka_unit_test(decimals_out_of_bounds_are_zero),
        cmocka_unit_test(a_prefix_of_the_fields_is_a_prefix_of_the_bytes),
        cmocka_unit_test(makes_global_bounds),
        cmocka_unit_test(compares_lengths_last),
        cmocka_unit_test(names_the_fields_found),
        cmocka_unit_test(refuses_damage),
        cmocka_unit_test(takes_what_is_sound),
        cmocka_unit_test(refuses_wrong_lengths),
        cmocka_unit_test(nests_so_deep_and_no_deeper),
        cmocka_unit_test(lists_names),
        cmocka_unit_test(unpacks_bytes_that_libbson_would_change),
    };
    return cmocka_run_group_tests_name("key encoding", tests, NULL, NULL);
}
