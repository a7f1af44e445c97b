// SPDX-License-Identifier: Apache-2.0
#include "balancer/source/json_scan.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* `taken`: how many bytes are the value, or stand before the one that is wrong; `why` NULL: the value is
 * whole; "": it goes on. */
static const struct {
    const char *text;
    size_t taken;
    const char *why;
} rows[] = {
    {"{}", 2, NULL},
    {"{} x", 2, NULL},
    {"[] ]", 2, NULL},
    {" \t\r\n[ 1 , 2 ]", 13, NULL},
    {"{\"a\":{\"b\":[true,false,null,\"x\"]}} ,", 33, NULL},
    {"\"a\\\"b\\\\\" ", 8, NULL},
    {"\"\\u00e9\\n\\/\\b\\f\\r\\t\"", 20, NULL},
    {"\"]}\"", 4, NULL},
    {"{\"}\":\"{\"}", 9, NULL},
    {"0,", 1, NULL},
    {"-0.5e+10 ", 8, NULL},
    {"12E3]", 4, NULL},
    {"true,", 4, NULL},
    {"-9223372036854775808]", 20, NULL},
    {"12345678901234567890.5]", 22, NULL},
    {"12345678901234567890e1]", 22, NULL},
    {"[12345678901234567890]", 21, "more than 64 bits"},
    {"[-12345678901234567890 ]", 22, "more than 64 bits"},
    {"", 0, ""},
    {"{", 1, ""},
    {"[1", 2, ""},
    {"\"abc", 4, ""},
    {"\"a\\", 3, ""},
    {"\"a\\u00", 6, ""},
    {"nul", 3, ""},
    {"-", 1, ""},
    {"1.", 2, ""},
    {"{,", 1, "a key in double quotes"},
    {"{\"a\":1,}", 7, "a key in double quotes"},
    {"{a:1}", 1, "a key in double quotes"},
    {"{\"a\" 1}", 5, "':' was expected"},
    {"{\"a\":1 \"b\":2}", 7, "',' or '}'"},
    {"{\"a\":1]", 6, "',' or '}'"},
    {"[1 2]", 3, "',' or ']'"},
    {"[1,]", 3, "a value was expected"},
    {"[,1]", 1, "a value was expected"},
    {"]", 0, "a value was expected"},
    {"{\"a\":}", 5, "a value was expected"},
    {"NaN", 0, "a value was expected"},
    {"'a'", 0, "a value was expected"},
    {"// x", 0, "a value was expected"},
    {"[nulx]", 4, "unknown word"},
    {"[True]", 1, "a value was expected"},
    {"[01]", 2, "not a number"},
    {"[1.x]", 3, "not a number"},
    {"[1e]", 3, "not a number"},
    {"[-a]", 2, "not a number"},
    {"[+1]", 1, "a value was expected"},
    {"[.5]", 1, "a value was expected"},
    {"[1.2.3]", 4, "',' or ']'"},
    {"\"a\nb\"", 2, "control character"},
    {"\"a\\x\"", 3, "unknown escape"},
    {"\"\\u00g0\"", 5, "four hexadecimal digits"},
};

static enum json_scan_result feed_in_steps(const char *text, size_t step, size_t *ret_taken,
                                           const char **ret_why, struct json_scan *s)
{
    size_t n = strlen(text), at = 0;
    enum json_scan_result what = JSON_SCAN_MORE;
    while (at < n && what == JSON_SCAN_MORE) {
        size_t used;
        /* A copy of just this piece, so that reading beyond it is seen. */
        g_autofree uint8_t *piece = g_memdup2(text + at, MIN(step, n - at));
        what = json_scan_feed(s, piece, MIN(step, n - at), &used, ret_why);
        at += used;
    }
    *ret_taken = at;
    return what;
}

static void grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++) {
            struct json_scan s = {0};
            const char *why = NULL;
            size_t taken;
            enum json_scan_result what = feed_in_steps(rows[i].text, step, &taken, &why, &s);
            enum json_scan_result want = rows[i].why == NULL      ? JSON_SCAN_DONE
                                         : rows[i].why[0] == '\0' ? JSON_SCAN_MORE
                                                                  : JSON_SCAN_BAD;
            if (what != want || taken != rows[i].taken)
                fail_msg("%s, in steps of %zu: result %d after %zu bytes", rows[i].text, step, (int)what,
                         taken);
            if (want == JSON_SCAN_BAD && strstr(why, rows[i].why) == NULL)
                fail_msg("%s: %s", rows[i].text, why);
            if (json_scan_complete(&s) != (want == JSON_SCAN_DONE))
                fail_msg("%s: complete or not", rows[i].text);
        }
    }
}

static void numbers_at_the_end(void **state)
{
    (void)state;
    static const char *const whole[] = {"1", "0", "-12", "1.5", "1e5"};
    for (size_t i = 0; i < G_N_ELEMENTS(whole); i++) {
        struct json_scan s = {0};
        const char *why;
        size_t taken;
        assert_int_equal(feed_in_steps(whole[i], 1, &taken, &why, &s), JSON_SCAN_MORE);
        assert_true(json_scan_complete(&s));
    }
}

static void nesting(void **state)
{
    (void)state;
    for (int deep = 1; deep < 200; deep++) {
        for (int object = 0; object < 2; object++) {
            g_autoptr(GString) text = g_string_new(NULL);
            for (int i = 0; i < deep; i++)
                g_string_append(text, !object ? "[" : i == deep - 1 ? "{" : "{\"a\":");
            for (int i = 0; i < deep; i++)
                g_string_append_c(text, object ? '}' : ']');
            struct json_scan s = {0};
            const char *why = NULL;
            size_t taken;
            enum json_scan_result what = feed_in_steps(text->str, text->len, &taken, &why, &s);
            assert_int_equal(what, deep <= JSON_DEPTH_MAX ? JSON_SCAN_DONE : JSON_SCAN_BAD);
            if (what == JSON_SCAN_BAD)
                assert_non_null(strstr(why, "nested too deeply"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar),
        cmocka_unit_test(numbers_at_the_end),
        cmocka_unit_test(nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
