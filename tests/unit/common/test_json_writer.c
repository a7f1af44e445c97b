// SPDX-License-Identifier: Apache-2.0
#include "common/json_writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check_text(const char *name, const GString *out, const char *want)
{
    if (strcmp(out->str, want) != 0)
        fail_msg("%s: got %s, want %s", name, out->str, want);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"empty", "", "\"\""},
        {"plain", "shop.orders", "\"shop.orders\""},
        {"quotes and backslash", "a\"b\\c", "\"a\\\"b\\\\c\""},
        {"named controls", "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"other controls", "\x01\x1b\x7f", "\"\\u0001\\u001b\\u007f\""},
        {"C1 control", "\xc2\x9b", "\"\\u009b\""},
        {"UTF-8 stays", "caf\xc3\xa9 \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\""},
        {"line separators", "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\""},
        {"direction override", "\xe2\x80\xae", "\"\\u202e\""},
        {"tag character as a pair", "\xf3\xa0\x81\x81", "\"\\udb40\\udc41\""},
        {"markup stays", "<script>", "\"<script>\""},
        {"not UTF-8", "a\xff\xfe", "\"a\\\\xFF\\\\xFE\""},
        {"surrogate", "\xed\xa0\x80", "\"\\\\xED\\\\xA0\\\\x80\""},
        {"none", NULL, "null"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct json_writer w;
        g_autoptr(GString) out = g_string_new(NULL);
        json_init(&w, out);
        json_string(&w, rows[i].in);
        check_text(rows[i].name, out, rows[i].want);
    }
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double in;
        const char *want;
    } rows[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-2.5, "-2.5"},
        {0.1, "0.1"},
        {1e21, "1e+21"},
        {0.1 + 0.2, "0.30000000000000004"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {1.0 / 3, "0.3333333333333333"},
        {9007199254740993.0, "9007199254740992"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct json_writer w;
        g_autoptr(GString) out = g_string_new(NULL);
        json_init(&w, out);
        json_double(&w, rows[i].in);
        check_text(rows[i].want, out, rows[i].want);
    }
}

static void test_doubles_read_back(void **state)
{
    (void)state;
    const guint32 seed = g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < 20000; i++) {
        guint64 bits = (guint64)g_rand_int(rand) << 32 | g_rand_int(rand);
        double x, back;
        struct json_writer w;
        g_autoptr(GString) out = g_string_new(NULL);
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        json_init(&w, out);
        json_double(&w, x);
        back = g_ascii_strtod(out->str, NULL);
        if (memcmp(&x, &back, sizeof x) != 0)
            fail_msg("seed %u: %a is written as %s", seed, x, out->str);
    }
}

static void test_integers(void **state)
{
    (void)state;
    struct json_writer w;
    g_autoptr(GString) out = g_string_new(NULL);
    json_init(&w, out);
    json_array(&w, true);
    json_int(&w, INT64_MIN);
    json_int(&w, 0);
    json_int(&w, INT64_MAX);
    json_end(&w);
    check_text("integers", out, "[-9223372036854775808, 0, 9223372036854775807]");
}

static void test_layout(void **state)
{
    (void)state;
    struct json_writer w;
    g_autoptr(GString) out = g_string_new(NULL);
    json_init(&w, out);
    json_object(&w, false);
    json_put_int(&w, "a", 1);
    json_key(&w, "empty");
    json_array(&w, false);
    json_end(&w);
    json_key(&w, "list");
    json_array(&w, false);
    json_object(&w, true);
    json_put_bool(&w, "x", true);
    json_key(&w, "inside");
    json_array(&w, false); /* inside one line: on that line */
    json_null(&w);
    json_double(&w, 0.5);
    json_end(&w);
    json_end(&w);
    g_string_append(json_value(&w), "{\"raw\": 1}");
    json_end(&w);
    json_put_null(&w, "z\n");
    json_end(&w);
    check_text("layout", out,
               "{\n"
               "  \"a\": 1,\n"
               "  \"empty\": [],\n"
               "  \"list\": [\n"
               "    {\"x\": true, \"inside\": [null, 0.5]},\n"
               "    {\"raw\": 1}\n"
               "  ],\n"
               "  \"z\\n\": null\n"
               "}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_doubles_read_back),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
