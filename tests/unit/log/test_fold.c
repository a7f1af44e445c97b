// SPDX-License-Identifier: Apache-2.0
/* Which lines show, and how those that repeat themselves are folded. */
#include "tests/support/log_catch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static log_catch *catch_of(enum log_level level, unsigned per_minute)
{
    return log_catch_new(
        &(struct log_options){.level = level, .format = LOG_FORMAT_TEXT, .per_minute = per_minute});
}

static unsigned lines(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

/* The number of lines since the last call. */
static unsigned lines_now(log_catch *c)
{
    g_autofree char *text = log_catch_text(c);
    return lines(text);
}

static void retry(log_catch *c, const char *ns, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        log_put(c->log, LOG_MIGRATION_RETRY, log_i64("attempt", i), log_str("ns", ns));
}

/* What stands behind time, level and component in each line. */
static void expect_tails(log_catch *c, const char *want)
{
    g_autofree char *text = log_catch_text(c);
    g_auto(GStrv) all = g_strsplit(text, "\n", -1);
    g_autoptr(GString) got = g_string_new(NULL);
    for (char **line = all; *line != NULL && **line != '\0'; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, " ", 4);
        g_string_append_printf(got, "%s\n", parts[3]);
    }
    assert_string_equal(got->str, want);
}

static void test_levels(void **state)
{
    static const enum log_id ids[] = {LOG_JOURNAL_FAILED, LOG_LEASE_LOST, LOG_PAUSE, LOG_HTTP_REQUEST};
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_ERROR, 0);
    for (unsigned level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_configure(c->log, level, LOG_FORMAT_TEXT);
        for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
            log_put(c->log, ids[i]);
            assert_int_equal(lines_now(c), i <= level ? 1 : 0);
        }
    }
}

static void test_without_a_log(void **state)
{
    (void)state;
    log_put(NULL, LOG_PAUSE, log_str("by", "alice"));
    log_tick(NULL);
    log_free(NULL);
}

static void test_folds_and_tells(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 3);
    retry(c, "a.b", 15);
    assert_int_equal(lines_now(c), 3);
    c->now_ms += 59999;
    log_tick(c->log);
    assert_int_equal(lines_now(c), 0);
    c->now_ms += 1;
    log_tick(c->log);
    expect_tails(c, "migration.retry ns=a.b repeated=12\n");
    /* A new minute has begun for it. */
    retry(c, "a.b", 4);
    assert_int_equal(lines_now(c), 3);
}

static void test_a_line_tells_what_is_due(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 1);
    retry(c, "a.b", 2);
    log_put(c->log, LOG_LEASE_LOST);
    log_put(c->log, LOG_LEASE_LOST);
    assert_int_equal(lines_now(c), 2);
    c->now_ms += 60000;
    log_put(c->log, LOG_PAUSE);
    expect_tails(c, "migration.retry ns=a.b repeated=1\nlease.lost repeated=1\npause\n");
}

static void test_what_is_told_apart(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 1);
    retry(c, "a.b", 5);
    retry(c, "a.c", 5);
    log_put(c->log, LOG_MIGRATION_FAILED, log_str("ns", "a.b"));
    log_put(c->log, LOG_MIGRATION_FAILED, log_str("ns", NULL));
    log_put(c->log, LOG_MIGRATION_FAILED, log_i64("ns", 7));
    assert_int_equal(lines_now(c), 4);
}

static void test_what_is_never_folded(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_DEBUG, 1);
    for (unsigned i = 0; i < 50; i++) {
        log_put(c->log, LOG_MIGRATION_COMMIT, log_str("ns", "a.b"));
        log_put(c->log, LOG_HTTP_REQUEST);
    }
    assert_int_equal(lines_now(c), 100);
}

static void test_the_default_rate(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 0);
    retry(c, "a.b", LOG_PER_MINUTE + 9);
    assert_int_equal(lines_now(c), LOG_PER_MINUTE);
}

/* With more collections than are remembered, the rest is folded together, so that a flood stays one no longer
 * than a minute. */
static void test_very_many_namespaces(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 1);
    unsigned got = 0;
    for (unsigned i = 0; i < 1000; i++) {
        g_autofree char *ns = g_strdup_printf("db.c%u", i);
        retry(c, ns, 1);
        got += lines_now(c);
    }
    assert_int_equal(got, 257);
    c->now_ms += 60000;
    log_tick(c->log);
    expect_tails(c, "migration.retry repeated=743\n");
}

static void test_a_clock_set_back(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 1);
    retry(c, "a.b", 3);
    assert_int_equal(lines_now(c), 1);
    c->now_ms -= 3600 * 1000L;
    log_tick(c->log);
    expect_tails(c, "migration.retry ns=a.b repeated=2\n");
}

static void test_the_end_tells_the_rest(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 1);
    retry(c, "a.b", 3);
    assert_int_equal(lines_now(c), 1);
    log_free(g_steal_pointer(&c->log));
    expect_tails(c, "migration.retry ns=a.b repeated=2\n");
}

/* A level that was lowered since hides the count, too. */
static void test_a_changed_level(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = catch_of(LOG_LEVEL_INFO, 1);
    retry(c, "a.b", 3);
    log_configure(c->log, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    assert_int_equal(lines_now(c), 1);
    c->now_ms += 60000;
    log_tick(c->log);
    assert_int_equal(lines_now(c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_without_a_log),
        cmocka_unit_test(test_folds_and_tells),
        cmocka_unit_test(test_a_line_tells_what_is_due),
        cmocka_unit_test(test_what_is_told_apart),
        cmocka_unit_test(test_what_is_never_folded),
        cmocka_unit_test(test_the_default_rate),
        cmocka_unit_test(test_very_many_namespaces),
        cmocka_unit_test(test_a_clock_set_back),
        cmocka_unit_test(test_the_end_tells_the_rest),
        cmocka_unit_test(test_a_changed_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
