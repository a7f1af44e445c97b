// SPDX-License-Identifier: Apache-2.0
/* What the journal receives, and what happens when it does not. */
#define _GNU_SOURCE /* seals */

#include "tests/support/datagrams.h"
#include "tests/support/log_catch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD(text, priority, id, event, component)                                                           \
    "MESSAGE=" text "\nPRIORITY=" priority "\nSYSLOG_IDENTIFIER=evenkeel\nEVENKEEL_ID=" id                   \
    "\nEVENKEEL_EVENT=" event "\nEVENKEEL_COMPONENT=" component "\nEVENKEEL_CONTEXT=main\n"

static log_catch *catch_of(const datagrams *d, enum log_format format)
{
    return log_catch_new(&(struct log_options){
        .level = LOG_LEVEL_DEBUG, .format = format, .journal_socket = datagrams_path(d)});
}

static void expect_entry(datagrams *d, const char *want, size_t len)
{
    g_autoptr(GString) got = datagrams_next(d, NULL);
    assert_non_null(got);
    if (got->len != len || memcmp(got->str, want, len) != 0)
        fail_msg("got  %s\nwant %s", got->str, want);
}

static void expect_text(log_catch *c, const char *want)
{
    g_autofree char *text = log_catch_text(c);
    assert_string_equal(text, want);
}

static void test_fields(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_JOURNALD);
    log_put(c->log, LOG_MIGRATION_COMMIT, log_str("ns", "shop.users"), log_i64("maxBytes", 12),
            log_seconds("took", 1.5), log_str("zone", NULL), log_bool("X", true),
            log_str("ThisNameIsFarTooLongForTheJournalAndMustThereforeBeCutSomewhere", "1"));
    static const char want[] = HEAD(
        "migration.commit ns=shop.users maxBytes=12 took=1.5s X=true "
        "ThisNameIsFarTooLongForTheJournalAndMustThereforeBeCutSomewhere=1",
        "6", "3002", "migration.commit",
        "MIGRATION") "EVENKEEL_NS=shop.users\nEVENKEEL_MAX_BYTES=12\nEVENKEEL_TOOK=1.5\nEVENKEEL_X=true\n"
                     "EVENKEEL_THIS_NAME_IS_FAR_TOO_LONG_FOR_THE_JOURNAL_AND_MUST_THER=1\n";
    expect_entry(d, want, sizeof want - 1);
    expect_text(c, "");
}

static void test_priorities(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_JOURNALD);
    log_put(c->log, LOG_JOURNAL_FAILED);
    log_put(c->log, LOG_LEASE_LOST);
    log_put(c->log, LOG_HTTP_REQUEST);
    static const char failed[] = HEAD("journal.failed", "3", "7001", "journal.failed", "JOURNAL");
    static const char lost[] = HEAD("lease.lost", "4", "4002", "lease.lost", "LEASE");
    static const char request[] = HEAD("http.request", "7", "6102", "http.request", "HTTP");
    expect_entry(d, failed, sizeof failed - 1);
    expect_entry(d, lost, sizeof lost - 1);
    expect_entry(d, request, sizeof request - 1);
}

/* A value with a newline can neither end its field nor begin another one. */
static void test_newlines(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_JOURNALD);
    log_put(c->log, LOG_RESUME, log_str("by", "x\nPRIORITY=0"), log_str("raw", "\x1b\xFF"));
    static const char want[] =
        HEAD("resume by=\"x\\x0APRIORITY=0\" raw=\"\\x1B\\xFF\"", "6", "1009", "resume",
             "SERVICE") "EVENKEEL_BY\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\nEVENKEEL_RAW=\x1b\xFF\n";
    expect_entry(d, want, sizeof want - 1);
}

static void test_a_large_entry(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_JOURNALD);
    g_autofree char *large = g_strnfill(3000000, 'x');
    log_put(c->log, LOG_RESUME, log_str("by", large));
    int fd = -1;
    g_autoptr(GString) got = datagrams_next(d, &fd);
    assert_non_null(got);
    assert_int_equal(got->len, 0);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    g_autofree char *want = g_strdup_printf(
        HEAD("resume by=%s", "6", "1009", "resume", "SERVICE") "EVENKEEL_BY=%s\n", large, large);
    size_t len = strlen(want);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, len);
    g_autofree char *bytes = g_malloc(len);
    assert_int_equal(pread(fd, bytes, len, 0), len);
    assert_memory_equal(bytes, want, len);
    close(fd);
    expect_text(c, "");
}

/* Gone, the journal is replaced by text; back, it is found again. */
static void test_a_journal_that_goes_and_comes(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_JOURNALD);
    static const char want[] = HEAD("resume", "6", "1009", "resume", "SERVICE");
    static const char line[] = "2026-11-21T01:38:00.123Z I SERVICE resume\n";
    for (unsigned i = 0; i < 3; i++) {
        log_put(c->log, LOG_RESUME);
        expect_entry(d, want, sizeof want - 1);
        expect_text(c, "");
        datagrams_close(d);
        log_put(c->log, LOG_RESUME);
        expect_text(c, line);
        datagrams_open(d);
    }
    assert_int_equal(log_dropped(c->log), 0);
}

static void test_a_journal_that_does_not_read(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_JOURNALD);
    g_autofree char *large = g_strnfill(20000, 'x');
    bool text_came = false;
    for (unsigned i = 0; i < 10000 && !text_came; i++) {
        log_put(c->log, LOG_RESUME, log_str("by", large));
        g_autofree char *text = log_catch_text(c);
        text_came = *text != '\0';
    }
    assert_true(text_came);
    /* From then on it is not waited for: this would take most of a minute. */
    for (unsigned i = 0; i < 500; i++) {
        log_put(c->log, LOG_RESUME, log_str("by", large));
        g_autofree char *text = log_catch_text(c);
        assert_true(g_str_has_suffix(text, "xxx\n"));
    }
    for (GString *got; (got = datagrams_next(d, NULL)) != NULL;)
        g_string_free(got, TRUE);
    log_put(c->log, LOG_RESUME);
    expect_text(c, "");
    assert_int_equal(log_dropped(c->log), 0);
}

static void test_a_path_too_long(void **state)
{
    (void)state;
    g_autofree char *path = g_strnfill(200, 'x');
    g_autoptr(log_catch) c = log_catch_new(&(struct log_options){
        .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JOURNALD, .journal_socket = path});
    log_put(c->log, LOG_RESUME);
    expect_text(c, "2026-11-21T01:38:00.123Z I SERVICE resume\n");
}

/* `auto` follows JOURNAL_STREAM, which names the device and inode of what is connected to the journal. */
static void test_auto(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = datagrams_new();
    g_autoptr(log_catch) c = catch_of(d, LOG_FORMAT_TEXT);
    struct stat st;
    assert_int_equal(fstat(c->log_fd, &st), 0);
    g_autofree char *ours = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    g_autofree char *other = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
    const struct {
        const char *stream;
        bool journal;
    } rows[] = {{ours, true}, {other, false}, {"", false}, {"nonsense", false}, {NULL, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].stream != NULL)
            g_setenv("JOURNAL_STREAM", rows[i].stream, TRUE);
        else
            g_unsetenv("JOURNAL_STREAM");
        log_configure(c->log, LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
        log_put(c->log, LOG_RESUME);
        g_autofree char *text = log_catch_text(c);
        g_autoptr(GString) entry = datagrams_next(d, NULL);
        assert_int_equal(entry != NULL, rows[i].journal);
        assert_int_equal(*text != '\0', !rows[i].journal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_newlines),
        cmocka_unit_test(test_a_large_entry),
        cmocka_unit_test(test_a_journal_that_goes_and_comes),
        cmocka_unit_test(test_a_journal_that_does_not_read),
        cmocka_unit_test(test_a_path_too_long),
        cmocka_unit_test(test_auto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
