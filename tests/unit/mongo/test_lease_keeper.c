// SPDX-License-Identifier: Apache-2.0
/* The thread that keeps a lease, on a simulated cluster and by the clock of the machine: leases of one
 * second. */
#include "migrations/mongo/lease_keeper.h"
#include "tests/support/live_sandbox.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TTL = 1000, PATIENCE_MS = 30000 };

static lease_keeper *keeper(const char *uri, const char *name)
{
    const struct lease_keeper_options opt = {.uri = uri, .ns = "evenkeel.lease", .ttl_ms = TTL, .name = name};
    lease_keeper *k = NULL;
    struct err err = {0};
    if (!lease_keeper_new(&opt, &k, &err))
        fail_msg("%s", err.msg);
    return k;
}

static struct lease_news next(lease_keeper *k)
{
    struct lease_news n;
    struct pollfd told = {.fd = lease_keeper_fd(k), .events = POLLIN};
    assert_int_equal(poll(&told, 1, PATIENCE_MS), 1);
    assert_true(lease_keeper_news(k, &n));
    return n;
}

/* What comes before is passed over. */
static struct lease_news wait_for_state(lease_keeper *k, enum lease_state state)
{
    for (int i = 0; i < 100; i++) {
        struct lease_news n = next(k);
        if (n.err.cls == ERR_NONE && n.state == state)
            return n;
    }
    fail_msg("state %d never comes", (int)state);
    return (struct lease_news){.state = state};
}

static struct lease_news wait_for_failure(lease_keeper *k)
{
    struct lease_news n;
    do
        n = next(k);
    while (n.err.cls == ERR_NONE);
    assert_int_equal(n.err.cls, ERR_UNAVAILABLE);
    return n;
}

static void stop(lease_keeper *k)
{
    struct err err = {0};
    if (!lease_keeper_stop(k, &err))
        fail_msg("%s", err.msg);
    assert_false(lease_keeper_held(k));
    assert_true(lease_keeper_stop(k, &err));
}

/* Renewed by itself, again and again; nothing but its fd is asked meanwhile. */
static void test_kept(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("6.0.3", NULL);
    g_autoptr(lease_keeper) k = keeper(live_sandbox_uri(s), "kept");
    struct lease_holder h;
    struct lease_news none;
    for (int i = 0; i < 6; i++) {
        struct lease_news n = next(k);
        if (n.err.cls != ERR_NONE || n.state != LEASE_HELD || n.lost)
            fail_msg("%d: %s", (int)n.state, n.err.msg);
        assert_true(lease_keeper_held(k));
        lease_keeper_news(k, &none);
        assert_int_equal(none.state, LEASE_HELD);
    }
    lease_holder_get(lease_keeper_lease(k), &h);
    assert_true(h.known && h.ours && h.epoch == 1);
    assert_string_equal(h.name, "kept");
    lease_holder_clear(&h);
    stop(k);
}

/* The second sees that the first lives, waits, and has it when the first gives it up. */
static void test_handed_over(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("5.0.9", NULL);
    g_autoptr(lease_keeper) a = keeper(live_sandbox_uri(s), "a");
    wait_for_state(a, LEASE_HELD);
    lease_keeper *b = keeper(live_sandbox_uri(s), "b");
    struct lease_holder h = {0};
    while (!h.alive) {
        struct lease_news n = wait_for_state(b, LEASE_WAITED);
        assert_true(n.state == LEASE_WAITED && !lease_keeper_held(b));
        lease_holder_clear(&h);
        lease_holder_get(lease_keeper_lease(b), &h);
    }
    lease_holder_clear(&h);
    assert_true(lease_keeper_held(a));
    stop(a);
    wait_for_state(b, LEASE_HELD);
    assert_int_equal(lease_epoch(lease_keeper_lease(b)), 2);
    /* Freed without having been stopped it gives up as well: the next one has it at its first try. */
    lease_keeper_free(b);
    g_autoptr(lease_keeper) c = keeper(live_sandbox_uri(s), "c");
    struct lease_news n = next(c);
    assert_int_equal(n.state, LEASE_HELD);
}

/* A cluster that does not answer: held for its time and not longer; and again when it answers. */
static void test_stalled_cluster(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("7.0.5", NULL);
    g_autoptr(lease_keeper) k = keeper(live_sandbox_uri(s), "a");
    wait_for_state(k, LEASE_HELD);
    assert_int_equal(kill(live_sandbox_pid(s), SIGSTOP), 0);
    struct lease_news n = wait_for_failure(k);
    assert_false(n.lost);
    assert_int_equal(n.state, LEASE_HELD);
    assert_non_null(strstr(n.err.msg, "the lease in evenkeel.lease on mongodb://127.0.0.1"));
    while (lease_keeper_held(k))
        wait_for_failure(k);
    assert_int_equal(kill(live_sandbox_pid(s), SIGCONT), 0);
    n = wait_for_state(k, LEASE_HELD);
    assert_false(n.lost);
    assert_int_equal(lease_epoch(lease_keeper_lease(k)), 1);
}

/* A cluster that comes back and has forgotten the lease: lost, and that is not overlooked by who reads late.
 */
static void test_forgetful_cluster(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("4.2.24", NULL);
    g_autoptr(lease_keeper) k = keeper(live_sandbox_uri(s), "a");
    struct err err = {0};
    wait_for_state(k, LEASE_HELD);
    live_sandbox_kill(s);
    wait_for_failure(k);
    live_sandbox_restart(s);
    bool lost = false;
    for (struct lease_news n = {.state = LEASE_WAITED};
         n.state != LEASE_HELD || n.err.cls != ERR_NONE || !lost;) {
        n = next(k);
        lost = lost || n.lost;
    }
    assert_true(lease_keeper_held(k));
    live_sandbox_kill(s);
    /* Nobody is there to be told. */
    assert_false(lease_keeper_stop(k, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_false(lease_keeper_held(k));
}

static void test_refused(void **state)
{
    (void)state;
    lease_keeper *k = NULL;
    struct err err = {0};
    struct lease_keeper_options opt = {
        .uri = "mongodb://u:se/cret@h", .ns = "d.c", .ttl_ms = TTL, .name = "a"};
    assert_false(lease_keeper_new(&opt, &k, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_null(strstr(err.msg, "cret"));
    assert_null(k);
    lease_keeper_free(NULL);
    assert_true(lease_keeper_held(NULL));
    /* Nobody there. */
    opt.uri = "mongodb://127.0.0.1:1";
    assert_true(lease_keeper_new(&opt, &k, &err));
    wait_for_failure(k);
    struct lease_news n = wait_for_failure(k);
    assert_non_null(strstr(n.err.msg, "cannot read the lease in d.c on mongodb://127.0.0.1:1"));
    assert_false(n.lost || lease_keeper_held(k));
    assert_true(lease_keeper_stop(k, &err)); /* nothing to give up */
    lease_keeper_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_handed_over),
        cmocka_unit_test(test_stalled_cluster),
        cmocka_unit_test(test_forgetful_cluster),
        cmocka_unit_test(test_refused),
    };
    mongoc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mongoc_cleanup();
    return failed;
}
