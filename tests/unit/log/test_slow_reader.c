// SPDX-License-Identifier: Apache-2.0
/* What becomes of lines that nobody reads in time, or at all. */
#include "tests/support/log_catch.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LARGER_THAN_A_PIPE = 5000000 };

/* Leaves no room in the pipe; the number of pages that went in. */
static unsigned fill(log_catch *c)
{
    static const char page[4096] = {0};
    unsigned pages = 0;
    assert_true(fcntl(c->log_fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(c->log_fd, page, sizeof page) > 0)
        pages++;
    assert_true(fcntl(c->log_fd, F_SETFL, 0) == 0);
    return pages;
}

static void drain(log_catch *c)
{
    char page[4096];
    while (read(c->read_fd, page, sizeof page) > 0)
        continue;
}

static void test_counts_and_tells(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = log_catch_new(NULL);
    fill(c);
    for (unsigned i = 0; i < 40; i++)
        log_put(c->log, LOG_PAUSE, log_i64("i", i));
    assert_int_equal(log_dropped(c->log), 40);
    drain(c);
    log_put(c->log, LOG_RESUME);
    g_autofree char *text = log_catch_text(c);
    assert_string_equal(text, "2026-11-21T01:38:00.123Z W LOG log.dropped n=40\n"
                              "2026-11-21T01:38:00.123Z I SERVICE resume\n");
    log_put(c->log, LOG_RESUME);
    g_autofree char *after = log_catch_text(c);
    assert_string_equal(after, "2026-11-21T01:38:00.123Z I SERVICE resume\n");
}

static void test_the_tick_tells(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = log_catch_new(NULL);
    fill(c);
    log_put(c->log, LOG_PAUSE);
    log_tick(c->log);
    assert_int_equal(log_dropped(c->log), 1);
    drain(c);
    log_tick(c->log);
    g_autofree char *text = log_catch_text(c);
    assert_string_equal(text, "2026-11-21T01:38:00.123Z W LOG log.dropped n=1\n");
    log_tick(c->log);
    g_autofree char *after = log_catch_text(c);
    assert_string_equal(after, "");
}

/* Where warnings do not show, the count is not told either, and does not keep lines from being waited for. */
static void test_below_the_level(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = log_catch_new(&(struct log_options){LOG_LEVEL_ERROR, LOG_FORMAT_TEXT});
    fill(c);
    log_put(c->log, LOG_JOURNAL_FAILED);
    drain(c);
    log_put(c->log, LOG_CONTROL_FAILED);
    g_autofree char *text = log_catch_text(c);
    assert_string_equal(text, "2026-11-21T01:38:00.123Z E CONTROL control.failed\n");
    assert_int_equal(log_dropped(c->log), 1);
}

/* A line for which there was room only in part is cut off; the next one does not continue it. */
static void test_a_torn_line(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = log_catch_new(NULL);
    unsigned pages = fill(c);
    char page[4096];
    assert_true(read(c->read_fd, page, sizeof page) == sizeof page);
    g_autofree char *large = g_strnfill(3 * sizeof page, 'x');
    log_put(c->log, LOG_PAUSE, log_str("reason", large));
    assert_int_equal(log_dropped(c->log), 1);
    for (unsigned i = 0; i < pages - 1; i++)
        assert_true(read(c->read_fd, page, sizeof page) == sizeof page);
    log_put(c->log, LOG_RESUME);
    g_autofree char *text = log_catch_text(c);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    assert_int_equal(g_strv_length(lines), 4);
    assert_true(g_str_has_prefix(lines[0], "2026-11-21T01:38:00.123Z I SERVICE pause reason=xxx"));
    assert_int_equal(strlen(lines[0]), sizeof page);
    assert_true(g_str_has_suffix(lines[1], "log.dropped n=1"));
    assert_true(g_str_has_suffix(lines[2], "resume"));
}

static gpointer read_all(gpointer data)
{
    const log_catch *c = data;
    GString *text = g_string_new(NULL);
    char piece[1000];
    ssize_t n;
    while ((n = read(c->read_fd, piece, sizeof piece)) > 0)
        g_string_append_len(text, piece, n);
    return g_string_free(text, FALSE);
}

/* A line larger than the pipe arrives whole when somebody reads: every full pipe is waited for. A machine
 * that lets the reader stand still for that long may do so now and then. */
static void test_a_large_line(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = log_catch_new(NULL);
    assert_true(fcntl(c->read_fd, F_SETFL, 0) == 0);
    GThread *reader = g_thread_new("reader", read_all, c);
    g_autofree char *large = g_strnfill(LARGER_THAN_A_PIPE, 'x');
    uint64_t tries = 0;
    while (log_dropped(c->log) == tries && tries < 20) {
        struct pollfd p = {.fd = c->log_fd, .events = POLLOUT};
        assert_int_equal(poll(&p, 1, 60000), 1);
        log_put(c->log, LOG_PAUSE, log_str("reason", large));
        tries++;
    }
    assert_int_equal(log_dropped(c->log), tries - 1);
    log_free(g_steal_pointer(&c->log));
    close(c->log_fd);
    c->log_fd = -1;
    g_autofree char *text = g_thread_join(reader);
    g_autofree char *want = g_strdup_printf("pause reason=%s\n", large);
    assert_true(g_str_has_suffix(text, want));
}

static void test_a_reader_that_went_away(void **state)
{
    (void)state;
    g_autoptr(log_catch) c = log_catch_new(NULL);
    close(c->read_fd);
    for (unsigned i = 0; i < 10; i++)
        log_put(c->log, LOG_PAUSE);
    assert_int_equal(log_dropped(c->log), 10);
    c->read_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void test_a_closed_descriptor(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    close(fd);
    g_autoptr(logger) l =
        log_new(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_TEXT, .fd = fd});
    log_put(l, LOG_PAUSE);
    assert_int_equal(log_dropped(l), 1);
}

static void test_a_full_disk(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    g_autoptr(logger) l =
        log_new(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_TEXT, .fd = fd});
    log_put(l, LOG_PAUSE);
    assert_int_equal(log_dropped(l), 1);
    close(fd);
}

/* Standard error is a socket where it is connected to the journal. */
static void test_a_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    g_autoptr(logger) l =
        log_new(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_TEXT, .fd = ends[0]});
    log_put(l, LOG_PAUSE);
    char got[256] = {0};
    assert_true(recv(ends[1], got, sizeof got - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(got, "I SERVICE pause\n"));
    g_autofree char *large = g_strnfill(10000, 'x');
    unsigned tries = 0;
    while (log_dropped(l) == 0 && tries++ < 1000)
        log_put(l, LOG_PAUSE, log_str("reason", large));
    assert_true(tries < 1000);
    close(ends[1]);
    log_put(l, LOG_PAUSE);
    assert_true(log_dropped(l) >= 2);
    log_free(g_steal_pointer(&l));
    close(ends[0]);
}

enum { THREADS = 8, EACH = 200 };

static gpointer write_lines(gpointer data)
{
    struct log *l = data;
    for (unsigned i = 0; i < EACH; i++) {
        log_put(l, LOG_MIGRATION_COMMIT, log_str("ns", "shop.users"), log_i64("i", i));
        log_put(l, LOG_MIGRATION_RETRY, log_str("ns", "shop.users"));
        if (i % 50 == 0)
            log_configure(l, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        if (i % 70 == 0)
            log_tick(l);
    }
    return NULL;
}

/* Many threads at once: no line is mixed with another, none is missing. */
static void test_threads(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    struct log *l = log_new(
        &(struct log_options){.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON, .fd = fileno(file)});
    GThread *threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("writer", write_lines, l);
    for (unsigned i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    log_free(l);
    rewind(file);
    char line[512];
    unsigned commits = 0;
    gint64 retries = 0; /* written or folded */
    while (fgets(line, sizeof line, file) != NULL) {
        assert_true(g_str_has_prefix(line, "{\"t\": {\"$date\": \"") && g_str_has_suffix(line, "}}\n"));
        commits += strstr(line, "migration.commit") != NULL;
        const char *repeated = strstr(line, "\"repeated\": ");
        if (strstr(line, "migration.retry") != NULL)
            retries += repeated != NULL ? g_ascii_strtoll(repeated + strlen("\"repeated\": "), NULL, 10) : 1;
    }
    assert_int_equal(retries, THREADS * EACH);
    assert_int_equal(commits, THREADS * EACH);
    (void)fclose(file);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_tells),
        cmocka_unit_test(test_the_tick_tells),
        cmocka_unit_test(test_below_the_level),
        cmocka_unit_test(test_a_torn_line),
        cmocka_unit_test(test_a_large_line),
        cmocka_unit_test(test_a_reader_that_went_away),
        cmocka_unit_test(test_a_closed_descriptor),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_socket),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
