// SPDX-License-Identifier: Apache-2.0
/* What the service manager receives, byte for byte. */
#include "common/notify/notify.h"
#include "tests/support/datagrams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void expect(datagrams *d, const char *want)
{
    g_autoptr(GString) got = datagrams_next(d, NULL);
    assert_non_null(got);
    assert_string_equal(got->str, want);
    assert_null(datagrams_next(d, NULL));
}

static datagrams *manager(void)
{
    datagrams *d = datagrams_new();
    g_setenv("NOTIFY_SOCKET", datagrams_path(d), TRUE);
    return d;
}

static void test_states(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = manager();
    struct err err = {0};
    assert_true(notify_ready("standing by", &err));
    expect(d, "READY=1\nSTATUS=standing by\n");
    assert_true(notify_ready(NULL, &err));
    expect(d, "READY=1\n");
    assert_true(notify_stopping("waiting for 2 migrations", 90000, &err));
    expect(d, "STOPPING=1\nSTATUS=waiting for 2 migrations\nEXTEND_TIMEOUT_USEC=90000000\n");
    assert_true(notify_stopping(NULL, 0, &err));
    expect(d, "STOPPING=1\n");
    assert_true(notify_stopping(NULL, G_MAXINT64, &err));
    expect(d, "STOPPING=1\nEXTEND_TIMEOUT_USEC=9223372036854775000\n");
    assert_true(notify_watchdog(&err));
    expect(d, "WATCHDOG=1");
}

static void test_what_says_nothing(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = manager();
    struct err err = {0};
    assert_true(notify_status(NULL, &err));
    assert_null(datagrams_next(d, NULL));
}

static void test_reloading(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = manager();
    struct err err = {0};
    gint64 before = g_get_monotonic_time();
    assert_true(notify_reloading(&err));
    gint64 after = g_get_monotonic_time();
    g_autoptr(GString) got = datagrams_next(d, NULL);
    assert_non_null(got);
    static const char head[] = "RELOADING=1\nMONOTONIC_USEC=";
    assert_true(g_str_has_prefix(got->str, head) && g_str_has_suffix(got->str, "\n"));
    gint64 told = g_ascii_strtoll(got->str + sizeof head - 1, NULL, 10);
    assert_true(before <= told && told <= after);
}

/* A status is one line whatever stands in it: it cannot smuggle in a notification of its own. */
static void test_status_is_one_line(void **state)
{
    static const struct {
        const char *status, *want;
    } rows[] = {
        {"moving 3 of 128, 41 GB left, done about 03:20",
         "STATUS=moving 3 of 128, 41 GB left, done about 03:20\n"},
        {"", "STATUS=\n"},
        {"a\nSTOPPING=1", "STATUS=a\\x0ASTOPPING=1\n"},
        {"\x1b[2J\xFF", "STATUS=\\x1B[2J\\xFF\n"},
        {"caf\xC3\xA9", "STATUS=caf\xC3\xA9\n"},
    };
    (void)state;
    g_autoptr(datagrams) d = manager();
    struct err err = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_true(notify_status(rows[i].status, &err));
        expect(d, rows[i].want);
    }
}

static bool tell_all(struct err *err)
{
    return notify_ready("x", err) && notify_status("x", err) && notify_reloading(err) &&
           notify_stopping("x", 1, err) && notify_watchdog(err);
}

static void test_without_a_manager(void **state)
{
    (void)state;
    struct err err = {0};
    g_unsetenv("NOTIFY_SOCKET");
    assert_true(tell_all(&err));
    assert_int_equal(err.cls, ERR_NONE);
}

static void test_a_manager_that_is_gone(void **state)
{
    (void)state;
    g_autoptr(datagrams) d = manager();
    datagrams_close(d);
    struct err err = {0};
    assert_false(notify_status("x", &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "cannot tell the service manager 'status'"));
    assert_non_null(strstr(err.msg, datagrams_path(d)));
    assert_false(notify_watchdog(NULL));
    datagrams_open(d);
    assert_true(notify_watchdog(&err));
    expect(d, "WATCHDOG=1");
}

static void test_an_address_that_is_none(void **state)
{
    static const char *const rows[] = {"relative/path", "", "/"};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_setenv("NOTIFY_SOCKET", rows[i], TRUE);
        assert_false(tell_all(&err));
        assert_int_equal(err.cls, ERR_UNAVAILABLE);
    }
}

static void set(const char *name, const char *value)
{
    if (value != NULL)
        g_setenv(name, value, TRUE);
    else
        g_unsetenv(name);
}

static void test_watchdog_interval(void **state)
{
    (void)state;
    g_autofree char *us = g_strdup_printf("%d", (int)getpid());
    const struct {
        const char *name, *usec, *pid;
        bool ok;
        int64_t want;
    } rows[] = {
        {"none", NULL, NULL, true, 0},
        {"half of it", "30000000", NULL, true, 15000},
        {"for us", "3000000", us, true, 1500},
        {"for another process", "3000000", "1", true, 0},
        {"very short", "900", NULL, true, 1},
        {"nought", "0", NULL, false, 77},
        {"no number", "soon", NULL, false, 77},
        {"negative", "-1", NULL, false, 77},
        {"no process", "3000000", "nobody", false, 77},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        int64_t ms = 77;
        set("WATCHDOG_USEC", rows[i].usec);
        set("WATCHDOG_PID", rows[i].pid);
        if (notify_watchdog_every(&ms, &err) != rows[i].ok || ms != rows[i].want)
            fail_msg("%s: %d ms, %s", rows[i].name, (int)ms, err.msg);
        assert_int_equal(err.cls, rows[i].ok ? ERR_NONE : ERR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_what_says_nothing),
        cmocka_unit_test(test_reloading),
        cmocka_unit_test(test_status_is_one_line),
        cmocka_unit_test(test_without_a_manager),
        cmocka_unit_test(test_a_manager_that_is_gone),
        cmocka_unit_test(test_an_address_that_is_none),
        cmocka_unit_test(test_watchdog_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
