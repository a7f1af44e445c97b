// SPDX-License-Identifier: Apache-2.0
#include "common/text.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Fails with the row's name where the two texts differ. */
static void expect_text(const char *row, const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        fail_msg("%s: got \"%s\", want \"%s\"", row, got, want);
}

static void escapes(void **state)
{
    static const struct {
        const char *name, *in;
        gssize len;
        const char *want;
    } rows[] = {
        {"plain", "shop.orders", -1, "shop.orders"},
        {"empty", "", -1, ""},
        {"length given", "abcdef", 3, "abc"},
        {"letters beyond ASCII", "caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC", -1,
         "caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC"},
        {"newline and tab", "a\nb\tc", -1, "a\\x0Ab\\x09c"},
        {"escape sequence", "\x1b[31m", -1, "\\x1B[31m"},
        {"delete", "\x7f", -1, "\\x7F"},
        {"C1 control", "\xC2\x9B", -1, "\\x9B"},
        {"NUL inside", "a\0b", 3, "a\\x00b"},
        {"byte that is not UTF-8", "a\xFFz", -1, "a\\xFFz"},
        {"character cut short", "\xE6\x97", -1, "\\xE6\\x97"},
        {"overlong slash", "\xC0\xAF", -1, "\\xC0\\xAF"},
        {"surrogate in UTF-8", "\xED\xA0\x80", -1, "\\xED\\xA0\\x80"},
        {"right-to-left override",
         "a\xE2\x80\xAE"
         "b",
         -1, "a\\u{202E}b"},
        {"zero-width space", "\xE2\x80\x8B", -1, "\\u{200B}"},
        {"line separator", "\xE2\x80\xA8", -1, "\\u{2028}"},
        {"byte order mark", "\xEF\xBB\xBF", -1, "\\u{FEFF}"},
        {"tag character", "\xF3\xA0\x81\x81", -1, "\\u{E0041}"},
        {"backslash stays", "a\\b", -1, "a\\b"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new("<");
        text_append_escaped(out, rows[i].in, rows[i].len);
        g_autofree char *want = g_strconcat("<", rows[i].want, NULL);
        expect_text(rows[i].name, out->str, want);
    }
}

static void escaped_bytes_are_always_valid(void **state)
{
    (void)state;
    guint32 seed = 20260117;
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < 5000; i++) {
        char bytes[24];
        gssize len = g_rand_int_range(rand, 0, sizeof bytes);
        for (gssize j = 0; j < len; j++)
            bytes[j] = (char)g_rand_int_range(rand, 0, 256);
        g_autoptr(GString) once = g_string_new(NULL);
        text_append_escaped(once, bytes, len);
        if (!g_utf8_validate(once->str, (gssize)once->len, NULL))
            fail_msg("seed %u, step %d: result is not UTF-8", seed, i);
        g_autofree char *twice = text_escaped(once->str);
        expect_text("escaping what is escaped changes nothing", twice, once->str);
    }
}

static void shows_bytes(void **state)
{
    static const struct {
        int64_t in;
        const char *want;
    } rows[] = {
        {0, "0 B"},
        {1, "1 B"},
        {812, "812 B"},
        {1023, "1023 B"},
        {1024, "1.00 KiB"},
        {10234, "9.99 KiB"},
        {10240, "10.0 KiB"},
        {12698, "12.4 KiB"},
        {102350, "100 KiB"},
        {1048575, "1.00 MiB"},
        {1048576, "1.00 MiB"},
        {402653184, "384 MiB"},
        {1099511627776, "1.00 TiB"},
        {1125899906842624, "1.00 PiB"},
        {INT64_MAX, "8.00 EiB"},
        {-1, "-1 B"},
        {-2048, "-2.00 KiB"},
        {INT64_MIN, "-8.00 EiB"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_bytes(rows[i].in);
        expect_text(rows[i].want, got, rows[i].want);
    }
}

static void shows_counts(void **state)
{
    static const struct {
        int64_t in;
        const char *want;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {999, "999"},
        {1000, "1,000"},
        {12345, "12,345"},
        {1234567, "1,234,567"},
        {-1, "-1"},
        {-100, "-100"},
        {-1000, "-1,000"},
        {INT64_MAX, "9,223,372,036,854,775,807"},
        {INT64_MIN, "-9,223,372,036,854,775,808"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_count(rows[i].in);
        expect_text(rows[i].want, got, rows[i].want);
    }
}

static void shows_durations(void **state)
{
    static const struct {
        double in;
        const char *want;
    } rows[] = {
        {0, "0 s"},           {-5, "0 s"},
        {NAN, "0 s"},         {0.04, "0.04 s"},
        {0.4, "0.4 s"},       {9.94, "9.9 s"},
        {9.96, "10 s"},       {45.4, "45 s"},
        {59.4, "59 s"},       {59.6, "1 min"},
        {200, "3 min 20 s"},  {3599.6, "1 h"},
        {7500, "2 h 5 min"},  {2 * 86400.0 - 1, "47 h 59 min"},
        {2 * 86400.0, "2 d"}, {3 * 86400.0 + 4 * 3600 + 1800, "3 d 4 h"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_duration(rows[i].in);
        expect_text(rows[i].want, got, rows[i].want);
    }
}

static void shows_times(void **state)
{
    static const struct {
        int64_t in;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {999, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {-1000, "1969-12-31T23:59:59Z"},
        {1795225080000, "2026-11-21T01:38:00Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {INT64_MAX, "unknown"},
        {INT64_MIN, "unknown"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_iso8601(rows[i].in);
        expect_text(rows[i].want, got, rows[i].want);
    }
}

enum { REFUSED = -1 };

static void expect_number(const char *what, const char *in, bool ok, int64_t got, int64_t want,
                          const struct err *err)
{
    if (ok != (want != REFUSED))
        fail_msg("%s '%s': %s", what, in, ok ? "taken, but ought to be refused" : err->msg);
    if (ok && got != want)
        fail_msg("%s '%s': got %lld, want %lld", what, in, (long long)got, (long long)want);
    if (!ok) {
        assert_int_equal(err->cls, ERR_USAGE);
        assert_int_equal(got, 4711); /* as before */
        if (in[0] != '\0' && strstr(err->msg, in) == NULL)
            fail_msg("%s '%s': message does not name it: %s", what, in, err->msg);
    }
}

static void reads_bytes(void **state)
{
    static const struct {
        const char *in;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"1", 1},
        {"1B", 1},
        {"64KiB", 65536},
        {"384MiB", 402653184},
        {"1.5GiB", 1610612736},
        {"2 TiB", 2199023255552},
        {"1PiB", 1125899906842624},
        {"1kb", 1000},
        {"1.5MB", 1500000},
        {"3GB", 3000000000},
        {"2tb", 2000000000000},
        {"1gib", 1073741824},
        {"8388607TiB", 9223370937343148032},
        {"8388608TiB", REFUSED},
        {"99999999999999999999999999", REFUSED},
        {"", REFUSED},
        {"-1", REFUSED},
        {"+1", REFUSED},
        {" 1", REFUSED},
        {"1 ", 1},
        {"MiB", REFUSED},
        {".5GiB", REFUSED},
        {"1.GiB", REFUSED},
        {"1e3", REFUSED},
        {"1,5GiB", REFUSED},
        {"0x10", REFUSED},
        {"nan", REFUSED},
        {"inf", REFUSED},
        {"5Q", REFUSED},
        {"5MiBs", REFUSED},
        {"5M", REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        int64_t got = 4711;
        bool ok = text_parse_bytes(rows[i].in, &got, &err);
        expect_number("size", rows[i].in, ok, got, rows[i].want, &err);
    }
}

static void reads_durations(void **state)
{
    static const struct {
        const char *in;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"500ms", 500},
        {"10s", 10000},
        {"1.5s", 1500},
        {"5m", 300000},
        {"6h", 21600000},
        {"90d", 7776000000},
        {"1h30m", 5400000},
        {"1m500ms", 60500},
        {"", REFUSED},
        {"10", REFUSED},
        {"s", REFUSED},
        {"-5s", REFUSED},
        {"5 s", REFUSED},
        {"5sec", REFUSED},
        {"5s!", REFUSED},
        {"1h30", REFUSED},
        {"999999999999d", REFUSED},
        {"1w", REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        int64_t got = 4711;
        bool ok = text_parse_duration(rows[i].in, &got, &err);
        expect_number("duration", rows[i].in, ok, got, rows[i].want, &err);
    }
}

static void reads_whole_numbers(void **state)
{
    static const struct {
        const char *in;
        int64_t min, max, want;
    } rows[] = {
        {"0", 0, 9, 0},
        {"9", 0, 9, 9},
        {"10", 0, 9, REFUSED},
        {"007", 0, 9, 7},
        {"-3", -5, 5, -3},
        {"-6", -5, 5, REFUSED},
        {"9223372036854775807", 0, INT64_MAX, INT64_MAX},
        {"9223372036854775808", 0, INT64_MAX, REFUSED},
        {"-9223372036854775808", INT64_MIN, 0, INT64_MIN},
        {"-9223372036854775809", INT64_MIN, 0, REFUSED},
        {"", 0, 9, REFUSED},
        {"-", -9, 9, REFUSED},
        {"+1", 0, 9, REFUSED},
        {" 1", 0, 9, REFUSED},
        {"1 ", 0, 9, REFUSED},
        {"\t1", 0, 9, REFUSED},
        {"1.0", 0, 9, REFUSED},
        {"1e0", 0, 9, REFUSED},
        {"0x1", 0, 9, REFUSED},
        {"one", 0, 9, REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        int64_t got = 4711;
        bool ok = text_parse_int(rows[i].in, rows[i].min, rows[i].max, &got, &err);
        if (ok != (rows[i].want != REFUSED))
            fail_msg("number '%s': %s", rows[i].in, ok ? "taken, but ought to be refused" : err.msg);
        assert_int_equal(got, ok ? rows[i].want : 4711);
        assert_int_equal(err.cls, ok ? ERR_NONE : ERR_USAGE);
    }
}

static void reads_times_of_day(void **state)
{
    static const struct {
        const char *in;
        int want; /* -1: refused */
    } rows[] = {
        {"0:00", 0},
        {"23:59", 1439},
        {"9:5", 545},
        {" 9: 05:30", 545},
        {"07:30x", 450},
        {"24:00", -1},
        {"9:60", -1},
        {"9", -1},
        {"", -1},
        {":30", -1},
        {"9:", -1},
        {"9:x", -1},
        {"-1:00", -1},
        {"9.30", -1},
        {"x9:30", -1},
        {"00009:0030", 570},
        {"9999999999999:0", -1},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int got = -1;
        bool ok = text_parse_clock(rows[i].in, &got);
        if (ok != (rows[i].want >= 0) || got != rows[i].want)
            fail_msg("'%s': %d", rows[i].in, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(escaped_bytes_are_always_valid),
        cmocka_unit_test(shows_bytes),
        cmocka_unit_test(shows_counts),
        cmocka_unit_test(shows_durations),
        cmocka_unit_test(shows_times),
        cmocka_unit_test(reads_bytes),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(reads_times_of_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
