// SPDX-License-Identifier: Apache-2.0
/* How a line looks in text and in JSON. */
#include "tests/support/log_catch.h"

#include <bson/bson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_HEAD "2026-11-21T01:38:00.123Z I MIGRATION migration.commit"
#define JSON_HEAD                                                                                            \
    "{\"t\": {\"$date\": \"2026-11-21T01:38:00.123Z\"}, \"s\": \"I\", \"c\": \"MIGRATION\", \"id\": 3002, "  \
    "\"ctx\": \"main\", \"msg\": \"migration.commit\", \"attr\": {"

/* What follows the head, in each format. */
static const struct {
    const char *name;
    struct log_field field;
    const char *text, *json;
} values[] = {
    {"plain", {"ns", .string = "shop.users"}, " ns=shop.users", "\"ns\": \"shop.users\""},
    {"empty", {"ns", .string = ""}, " ns=\"\"", "\"ns\": \"\""},
    {"none", {"ns", .string = NULL}, "", ""},
    {"spaces",
     {"min", .string = "{ userId: 100 }"},
     " min=\"{ userId: 100 }\"",
     "\"min\": \"{ userId: 100 }\""},
    {"equals sign", {"a", .string = "x=y"}, " a=\"x=y\"", "\"a\": \"x=y\""},
    {"quotes", {"a", .string = "say \"hi\""}, " a=\"say \\\"hi\\\"\"", "\"a\": \"say \\\"hi\\\"\""},
    {"quote alone", {"a", .string = "\""}, " a=\"\\\"\"", "\"a\": \"\\\"\""},
    {"backslash", {"a", .string = "\\x1B"}, " a=\"\\\\x1B\"", "\"a\": \"\\\\x1B\""},
    {"escape", {"a", .string = "\x1b[31m"}, " a=\"\\x1B[31m\"", "\"a\": \"\\u001b[31m\""},
    {"newline", {"a", .string = "x\ny=1"}, " a=\"x\\x0Ay=1\"", "\"a\": \"x\\ny=1\""},
    {"not UTF-8", {"a", .string = "a\xFF"}, " a=\"a\\xFF\"", "\"a\": \"a\\\\xFF\""},
    {"other letters", {"a", .string = "caf\xC3\xA9"}, " a=caf\xC3\xA9", "\"a\": \"caf\xC3\xA9\""},
    {"turned writing", {"a", .string = "\xE2\x80\xAE"}, " a=\"\\u{202E}\"", "\"a\": \"\\u202e\""},
    {"number", {"n", LOG_FIELD_I64, .i64 = -5}, " n=-5", "\"n\": -5"},
    {"largest",
     {"n", LOG_FIELD_I64, .i64 = INT64_MAX},
     " n=9223372036854775807",
     "\"n\": 9223372036854775807"},
    {"least",
     {"n", LOG_FIELD_I64, .i64 = INT64_MIN},
     " n=-9223372036854775808",
     "\"n\": -9223372036854775808"},
    {"fraction", {"x", LOG_FIELD_F64, .f64 = 0.125}, " x=0.125", "\"x\": 0.125"},
    {"huge", {"x", LOG_FIELD_F64, .f64 = 1e300}, " x=1e+300", "\"x\": 1e+300"},
    {"infinite", {"x", LOG_FIELD_F64, .f64 = INFINITY}, " x=null", "\"x\": null"},
    {"seconds", {"took", LOG_FIELD_SECONDS, .f64 = 12.34567}, " took=12.346s", "\"took\": 12.346"},
    {"whole seconds", {"took", LOG_FIELD_SECONDS, .f64 = 3}, " took=3s", "\"took\": 3"},
    {"yes", {"force", LOG_FIELD_BOOL, .boolean = true}, " force=true", "\"force\": true"},
    {"no", {"force", LOG_FIELD_BOOL, .boolean = false}, " force=false", "\"force\": false"},
};

static log_catch *catch_of(enum log_format format)
{
    return log_catch_new(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = format});
}

static void expect_line(log_catch *c, const char *row, const char *want)
{
    g_autofree char *got = log_catch_text(c);
    if (strcmp(got, want) != 0)
        fail_msg("%s: got  %s\nwant %s", row, got, want);
}

static void test_values(void **state)
{
    (void)state;
    g_autoptr(log_catch) text = catch_of(LOG_FORMAT_TEXT);
    g_autoptr(log_catch) json = catch_of(LOG_FORMAT_JSON);
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        log_line(text->log, LOG_MIGRATION_COMMIT, &values[i].field, 1);
        log_line(json->log, LOG_MIGRATION_COMMIT, &values[i].field, 1);
        g_autofree char *text_line = g_strconcat(TEXT_HEAD, values[i].text, "\n", NULL);
        g_autofree char *json_line = g_strconcat(JSON_HEAD, values[i].json, "}}\n", NULL);
        expect_line(text, values[i].name, text_line);
        expect_line(json, values[i].name, json_line);
    }
}

static void put_example(log_catch *c)
{
    log_put(c->log, LOG_MIGRATION_COMMIT, log_str("ns", "shop.users"), log_str("min", "{ userId: 100 }"),
            log_str("zone", NULL), log_i64("bytes", 134217728), log_f64("share", 0.5),
            log_seconds("took", 83.25), log_bool("forced", false), log_err(&(struct err){0}));
}

static void test_the_whole_line(void **state)
{
    (void)state;
    g_autoptr(log_catch) text = catch_of(LOG_FORMAT_TEXT);
    put_example(text);
    expect_line(text, "text",
                TEXT_HEAD " ns=shop.users min=\"{ userId: 100 }\" bytes=134217728 share=0.5 "
                          "took=83.25s forced=false\n");
    g_autoptr(log_catch) json = catch_of(LOG_FORMAT_JSON);
    put_example(json);
    expect_line(json, "json",
                JSON_HEAD "\"ns\": \"shop.users\", \"min\": \"{ userId: 100 }\", \"bytes\": 134217728, "
                          "\"share\": 0.5, \"took\": 83.25, \"forced\": false}}\n");
}

static void test_levels_and_names(void **state)
{
    static const struct {
        enum log_id id;
        const char *text, *level;
    } rows[] = {
        {LOG_JOURNAL_FAILED, "2026-11-21T01:38:00.123Z E JOURNAL journal.failed\n", "\"s\": \"E\""},
        {LOG_LEASE_LOST, "2026-11-21T01:38:00.123Z W LEASE lease.lost\n", "\"s\": \"W\""},
        {LOG_PAUSE, "2026-11-21T01:38:00.123Z I SERVICE pause\n", "\"s\": \"I\""},
        {LOG_HTTP_REQUEST, "2026-11-21T01:38:00.123Z D HTTP http.request\n", "\"s\": \"D1\""},
    };
    (void)state;
    g_autoptr(log_catch) text = catch_of(LOG_FORMAT_TEXT);
    g_autoptr(log_catch) json = catch_of(LOG_FORMAT_JSON);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        log_put(text->log, rows[i].id);
        log_put(json->log, rows[i].id);
        expect_line(text, "level", rows[i].text);
        g_autofree char *got = log_catch_text(json);
        assert_non_null(strstr(got, rows[i].level));
    }
}

static void test_errors(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_FORMAT_TEXT);
    struct err err = {0};
    err_set(&err, ERR_UNAVAILABLE, "no mongos at 'h:1'");
    log_put(c->log, LOG_CLUSTER_UNREACHABLE, log_err(&err));
    expect_line(c, "error",
                "2026-11-21T01:38:00.123Z E CLUSTER cluster.unreachable error=\"no mongos at 'h:1'\"\n");
}

static void test_times(void **state)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z I SERVICE resume\n"},
        {-1, "1969-12-31T23:59:59.999Z I SERVICE resume\n"},
        {999, "1970-01-01T00:00:00.999Z I SERVICE resume\n"},
        {4102444799007, "2099-12-31T23:59:59.007Z I SERVICE resume\n"},
    };
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_FORMAT_TEXT);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        c->now_ms = rows[i].ms;
        log_put(c->log, LOG_RESUME);
        expect_line(c, "time", rows[i].want);
    }
}

/* Whatever bytes come, a line is one line of valid UTF-8 without control characters, and JSON is JSON that
 * holds the value unchanged where it was sound. */
static void test_random_bytes(void **state)
{
    (void)state;
    guint32 seed = g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(log_catch) text = catch_of(LOG_FORMAT_TEXT);
    g_autoptr(log_catch) json = catch_of(LOG_FORMAT_JSON);
    for (unsigned round = 0; round < 2000; round++) {
        char value[24] = {0};
        size_t len = (size_t)g_rand_int_range(rand, 0, sizeof value);
        for (size_t i = 0; i < len; i++)
            value[i] = (char)g_rand_int_range(rand, 1, round % 2 == 0 ? 256 : 128);
        log_put(text->log, LOG_RESUME, log_str("v", value));
        log_put(json->log, LOG_RESUME, log_str("v", value));
        g_autofree char *line = log_catch_text(text);
        for (const char *p = line; p[1] != '\0'; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f || !g_utf8_validate(line, -1, NULL))
                fail_msg("seed %u round %u: %s", seed, round, line);
        g_autofree char *object = log_catch_text(json);
        bson_error_t error;
        bson_t *doc = bson_new_from_json((const uint8_t *)object, -1, &error);
        bson_iter_t it, v;
        if (doc == NULL || !bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, "attr.v", &v))
            fail_msg("seed %u round %u: %s", seed, round, object);
        if (g_utf8_validate(value, -1, NULL))
            assert_string_equal(bson_iter_utf8(&v, NULL), value);
        bson_destroy(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_the_whole_line),
        cmocka_unit_test(test_levels_and_names),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
