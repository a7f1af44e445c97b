// SPDX-License-Identifier: Apache-2.0
/* The rules of the lease, step by step: what is asked, from when it counts, when to try again. */
#include "migrations/mongo/lease_rules.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ttl 30 s: held for 26,999 ms, waited for 33,001. */
enum { TTL = 30000, HOLD = 26999, WAIT = 33001 };

static const struct lease_seen none = {.doc = LEASE_DOC_NONE},
                               held_a = {LEASE_DOC_HELD, "other", "a", 7, TTL},
                               held_b = {LEASE_DOC_HELD, "other", "b", 7, TTL},
                               mine = {LEASE_DOC_HELD, "me", "m", 9, TTL},
                               given_up = {LEASE_DOC_FREE, "other", "f", 7, TTL},
                               damaged = {.doc = LEASE_DOC_DAMAGED, .stamp = "digest"};

static void begin(struct lease_rules *r)
{
    lease_rules_init(r, TTL, "me");
    assert_false(lease_rules_held(r, 0));
}

/* Held from `sent` on, and not a millisecond more than allowed. */
static void expect_held(const struct lease_rules *r, int64_t sent, int64_t epoch)
{
    assert_true(r->ours && lease_rules_held(r, sent) && lease_rules_held(r, sent + HOLD - 1));
    assert_false(lease_rules_held(r, sent + HOLD));
    assert_int_equal(r->epoch, epoch);
    assert_int_equal(lease_rules_due(r, sent + 5, false), sent + TTL / 3);
}

static void test_first_use(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    assert_int_equal(lease_rules_start(&r, 100), LEASE_OP_READ);
    assert_int_equal(lease_rules_read(&r, 200, &none), LEASE_OP_PREPARE);
    assert_int_equal(lease_rules_wrote(&r, 300, true), LEASE_OP_PLACE);
    assert_int_equal(r.next_epoch, 0);
    assert_int_equal(lease_rules_wrote(&r, 400, true), LEASE_OP_TAKE);
    assert_int_equal(lease_rules_wrote(&r, 500, true), LEASE_OP_NONE);
    expect_held(&r, 400, 1);
    /* Renewals count from before they are sent, whatever time their answers take. */
    assert_int_equal(lease_rules_start(&r, 10400), LEASE_OP_RENEW);
    assert_int_equal(r.next_epoch, 1);
    assert_int_equal(lease_rules_wrote(&r, 20000, true), LEASE_OP_NONE);
    expect_held(&r, 10400, 1);
}

/* The collection was made, but the document came so late that others can have waited. */
static void test_first_use_slow(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    lease_rules_start(&r, 0);
    lease_rules_read(&r, 10, &none);
    lease_rules_wrote(&r, 20, true);
    assert_int_equal(lease_rules_wrote(&r, 10 + HOLD, true), LEASE_OP_READ);
    assert_int_equal(lease_rules_read(&r, 10 + HOLD + 1, &held_a), LEASE_OP_NONE);
    assert_false(r.ours);
}

static void test_deleted(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    lease_rules_start(&r, 0);
    lease_rules_read(&r, 10, &none);
    assert_int_equal(lease_rules_wrote(&r, 20, false), LEASE_OP_PLACE); /* the collection is there */
    assert_int_equal(lease_rules_wrote(&r, 30, true), LEASE_OP_READ);
    assert_int_equal(lease_rules_read(&r, 40, &held_a), LEASE_OP_NONE);
    assert_int_equal(lease_rules_due(&r, 40, false), 40 + TTL / 3);
    /* Deleted once more while it is being placed. */
    lease_rules_start(&r, 50);
    lease_rules_read(&r, 60, &none);
    lease_rules_wrote(&r, 70, false);
    assert_int_equal(lease_rules_wrote(&r, 80, false), LEASE_OP_READ);
    assert_int_equal(lease_rules_read(&r, 90, &none), LEASE_OP_NONE);
}

/* Tries at these times see these documents. */
static enum lease_op see(struct lease_rules *r, int64_t now, const struct lease_seen *seen)
{
    lease_rules_start(r, now - 1);
    return lease_rules_read(r, now, seen);
}

static void test_take_over(void **state)
{
    static const struct lease_seen *const dead[] = {&held_a, &damaged};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(dead); i++) {
        struct lease_rules r;
        begin(&r);
        assert_int_equal(see(&r, 1000, &held_b), LEASE_OP_NONE);
        assert_int_equal(see(&r, 5000, dead[i]), LEASE_OP_NONE);
        assert_int_equal(lease_rules_due(&r, 5000, false), 5000 + TTL / 3);
        assert_int_equal(see(&r, 5000 + WAIT - 1, dead[i]), LEASE_OP_NONE);
        assert_int_equal(lease_rules_due(&r, 5000 + WAIT - 4000, false), 5000 + WAIT);
        assert_int_equal(see(&r, 5000 + WAIT, dead[i]), LEASE_OP_TAKE);
        assert_int_equal(r.next_epoch, 8);
        assert_int_equal(lease_rules_wrote(&r, 60000, true), LEASE_OP_NONE);
        expect_held(&r, 5000 + WAIT, 8);
    }
}

/* Another stamp begins the waiting anew, even if the first one comes back. */
static void test_renewed_meanwhile(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    see(&r, 1000, &held_a);
    see(&r, 20000, &held_b);
    assert_int_equal(see(&r, 1000 + WAIT, &held_a), LEASE_OP_NONE);
    assert_int_equal(see(&r, 20000 + WAIT, &held_a), LEASE_OP_NONE);
    assert_int_equal(see(&r, 1000 + 2 * WAIT, &held_a), LEASE_OP_TAKE);
    /* Another was faster. */
    assert_int_equal(lease_rules_wrote(&r, 90000, false), LEASE_OP_NONE);
    assert_false(r.ours || lease_rules_held(&r, 90000));
}

static void test_given_up(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    assert_int_equal(see(&r, 1000, &held_a), LEASE_OP_NONE);
    assert_int_equal(see(&r, 1100, &given_up), LEASE_OP_TAKE);
    lease_rules_wrote(&r, 1200, true);
    expect_held(&r, 1100, 8);
}

/* The answer to a write was lost: the document is ours, and counts from its next renewal. */
static void test_lost_answer(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    assert_int_equal(see(&r, 100, &given_up), LEASE_OP_TAKE);
    lease_rules_failed(&r);
    assert_false(lease_rules_held(&r, 101));
    assert_int_equal(lease_rules_due(&r, 200, true), 200 + TTL / 10);
    assert_int_equal(see(&r, 3200, &mine), LEASE_OP_RENEW);
    assert_int_equal(r.next_epoch, 9);
    lease_rules_wrote(&r, 3300, true);
    expect_held(&r, 3200, 9);
    /* A renewal whose answer is lost changes nothing: the old one counts. */
    lease_rules_start(&r, 13000);
    lease_rules_failed(&r);
    assert_true(lease_rules_held(&r, 3200 + HOLD - 1));
    assert_false(lease_rules_held(&r, 3200 + HOLD));
    assert_int_equal(lease_rules_start(&r, 50000), LEASE_OP_RENEW);
}

/* Somebody changed the document to and fro: seen as ours, but not renewed. It ends, and waits. */
static void test_never_twice_in_a_try(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    assert_int_equal(see(&r, 100, &mine), LEASE_OP_RENEW);
    assert_int_equal(lease_rules_wrote(&r, 200, false), LEASE_OP_READ);
    assert_int_equal(lease_rules_read(&r, 300, &mine), LEASE_OP_NONE);
    assert_false(r.lost);
}

static void test_lost(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    see(&r, 100, &given_up);
    lease_rules_wrote(&r, 100, true);
    assert_int_equal(lease_rules_start(&r, 10100), LEASE_OP_RENEW);
    assert_true(lease_rules_held(&r, 10200));
    assert_int_equal(lease_rules_wrote(&r, 10200, false), LEASE_OP_READ);
    assert_false(lease_rules_held(&r, 10200));
    lease_rules_failed(&r); /* nor is the loss forgotten where the reading fails */
    assert_true(r.lost);
    assert_int_equal(see(&r, 11000, &held_b), LEASE_OP_NONE);
    assert_true(r.lost && !r.ours);
    assert_int_equal(see(&r, 12000, &given_up), LEASE_OP_TAKE);
    lease_rules_wrote(&r, 12000, true);
    assert_false(r.lost);
    expect_held(&r, 12000, 9);
}

static void test_give_up(void **state)
{
    (void)state;
    struct lease_rules r;
    begin(&r);
    see(&r, 100, &given_up);
    lease_rules_wrote(&r, 100, true);
    lease_rules_give_up(&r, "me again");
    assert_false(r.ours || lease_rules_held(&r, 101));
    assert_string_equal(r.id, "me again");
    /* A document that still bears the old id is another's. */
    assert_int_equal(see(&r, 200, &mine), LEASE_OP_NONE);
    assert_int_equal(see(&r, 200 + WAIT, &mine), LEASE_OP_TAKE);
    assert_int_equal(r.next_epoch, 10);
}

/* A holder with a longer ttl is waited for as long; one that cannot be, no longer than an hour. */
static void test_ttls(void **state)
{
    static const struct {
        int64_t own, seen, wait;
    } rows[] = {
        {TTL, 60000, 66001},       {TTL, 5000, WAIT}, {TTL, -1, WAIT},
        {TTL, INT64_MAX, 3960001}, {5, 0, 1101},      {INT64_MAX, 0, 3960001},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct lease_rules r;
        struct lease_seen seen = held_a;
        seen.ttl_ms = rows[i].seen;
        lease_rules_init(&r, rows[i].own, "me");
        assert_int_equal(see(&r, 1000, &seen), LEASE_OP_NONE);
        assert_int_equal(see(&r, 1000 + rows[i].wait - 1, &seen), LEASE_OP_NONE);
        assert_int_equal(see(&r, 1000 + rows[i].wait, &seen), LEASE_OP_TAKE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_use),
        cmocka_unit_test(test_first_use_slow),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_take_over),
        cmocka_unit_test(test_renewed_meanwhile),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_lost_answer),
        cmocka_unit_test(test_never_twice_in_a_try),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_ttls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
