// SPDX-License-Identifier: Apache-2.0
/* Limits, cool-down and back-off, on a clock that the test sets. */
#include "tests/support/executor_rig.h"

#include "tests/support/journal_fixture.h"
#include "tests/support/work_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static struct executor_status status_of(const struct rig *r)
{
    struct executor_status s;
    executor_status(r->x, &s);
    return s;
}

static void assert_held(const struct rig *r, const char *by, int64_t until)
{
    const struct executor_status s = status_of(r);
    if (by == NULL)
        assert_null(s.holds);
    else
        assert_string_equal(s.holds, by);
    assert_int_equal(s.holds_until, until);
}

static void begin(struct rig *r, const struct executor_options *opt, const char *steps)
{
    rig_init(r);
    rig_start(r, opt);
    rig_add(r, steps, false);
}

static void end(struct rig *r)
{
    rig_check(r);
    rig_clear(r);
}

/* A range that went from `from` to `to`, all of it at `at`. */
static void moved(struct rig *r, const char *ns, int min, int max, const char *from, const char *to,
                  int64_t bytes, int64_t at)
{
    g_autoptr(work) w = work_make();
    const struct work_step *s = work_make_move(w, ns, min, max, from, to, bytes);
    const struct journal_step row = {.ns = ns,
                                     .min = s->min,
                                     .max = s->max,
                                     .enc_min = s->enc_min,
                                     .enc_max = s->enc_max,
                                     .from = from,
                                     .to = to,
                                     .version = s->version,
                                     .reason = s->reason,
                                     .bytes = bytes};
    struct err err = {0};
    int64_t id;
    if (!journal_row_planned(r->j, JOURNAL_MIGRATION, r->round, NULL, &row, at, &id, &err) ||
        !journal_row_state(r->j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, at, NULL, &err) ||
        !journal_row_state(r->j, JOURNAL_MIGRATION, id, MIGRATION_COMMITTED, at, NULL, &err))
        fail_msg("%s", err.msg);
}

/* --- so many at a time --- */

#define FOUR "a>b 0..10; c>d 20..30; e>f 40..50; g>h 60..70"

static void test_concurrency(void **state)
{
    static const struct {
        unsigned shards, max, want;
    } rows[] = {{10, 0, 4}, {10, 3, 3}, {10, 1, 1}, {5, 0, 2}, {1, 0, 1}, {0, 0, 1}};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct rig r;
        struct executor_options opt = rig_options();
        opt.n_shards = rows[i].shards;
        opt.max_concurrent = rows[i].max;
        begin(&r, &opt, FOUR);
        rig_run(&r, RIG_LONG);
        assert_int_equal(status_of(&r).under_way, rows[i].want);
        assert_int_equal(status_of(&r).waiting, 4 - rows[i].want);
        assert_held(&r, NULL, 0);
        fake_hands_otherwise(r.hands, "ok");
        rig_run(&r, RIG_LONG);
        assert_int_equal(status_of(&r).committed, 4);
        end(&r);
    }
}

/* --- of this executor --- */

static const struct {
    const char *name, *steps, *says, *events;
    int64_t max_moves, max_bytes, max_ms;
} totals[] = {
    {"two moves, one after the other", "a>b 0..10; a>b 20..30; a>b 40..50", "",
     "S1 E1:committed S2 E2:committed D3:limit", 2},
    {"a failed one does not count", "a>b 0..10; a>b 20..30; a>b 40..50", "db.c 0: 13388",
     "S1 E1:failed S2 E2:committed D3:limit", 1},
    {"nor does one that was there", "a>b 0..10; a>b 20..30", "db.c 0: already",
     "S1 E1:already S2 E2:committed", 1},
    {"nor does a split", "a|5 0..10; a>b 0..5; a>b 5..10", "", "S1 E1:committed S2 E2:committed D3:limit", 1},
    {"a retry has its place", "a>b 0..10; c>d 20..30", "db.c 0: 24", "S1 R1:failed E1:committed D2:limit", 1},
    {"one that gets a new row", "a>b 0..10; a>b 20..30", "db.c 0: lost; ?db.c 0: notCarriedOut",
     "S1 U1 E1:notCarriedOut R1:notCarriedOut S2 E2:committed D1:limit", 1},
    {"bytes", "a>b 0..10 60; a>b 20..30 40; a>b 40..50 1", "", "S1 E1:committed S2 E2:committed D3:limit", 0,
     100},
    {"bytes, too many at once", "a>b 0..10 101; a>b 20..30 40", "", "D1:limit D2:limit", 0, 100},
    {"bytes of unknown size", "a>b 0..10 -1; a>b 20..30 1", "", "S1 E1:committed D2:limit", 0, 100},
    {"bytes, where one fails", "a>b 0..10 60; a>b 20..30 60; a>b 40..50 60", "db.c 0: 13388",
     "S1 E1:failed S2 E2:committed D3:limit", 0, 100},
    {"time, by the estimate", "a>b 0..10; a|25 20..30; a>b 40..50 9", "",
     "S1 E1:committed S2 E2:committed D3:limit", 0, 0, 2 * SECOND},
    {"time, too late for another try", "a>b 0..10; a>b 20..30; a>c 5..15", "db.c 0: 24",
     "S1 R1:failed S2 E2:committed E1:limit D3:restsOnFailed", 0, 0, 1 * SECOND},
};

static void test_totals(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(totals); i++) {
        struct rig r;
        struct executor_options opt = rig_options();
        opt.max_moves = totals[i].max_moves;
        opt.max_bytes = totals[i].max_bytes;
        opt.max_ms = totals[i].max_ms;
        opt.seconds_per_byte = totals[i].max_ms > 0 ? 0.5 : 0;
        opt.latency_seconds = 0.5;
        opt.max_concurrent = 1;
        print_message("%s\n", totals[i].name);
        rig_init(&r);
        rig_start(&r, &opt);
        if (totals[i].says[0] != '\0')
            rig_say(&r, totals[i].says);
        fake_hands_otherwise(r.hands, "ok");
        rig_add(&r, totals[i].steps, false);
        rig_run(&r, RIG_LONG);
        assert_string_equal(r.events->str, totals[i].events);
        assert_true(executor_finished(r.x));
        end(&r);
    }
}

/* What is under way may fail and leave room: till then the rest waits. */
static void test_totals_wait(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.max_moves = 1;
    begin(&r, &opt, "a>b 0..10; c>d 20..30; e>f 40..50");
    rig_run(&r, RIG_LONG);
    assert_held(&r, "limit", 0);
    assert_int_equal(status_of(&r).waiting, 2);
    rig_say(&r, "db.c 0: 13388");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S1 E1:failed S2");
    rig_say(&r, "db.c 20: ok");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S1 E1:failed S2 E2:committed D3:limit");
    end(&r);
}

/* The time runs on while the executor is held, and while a step rests. */
static void test_time_up(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.max_ms = 10 * SECOND;
    opt.max_concurrent = 1;
    begin(&r, &opt, "a>b 0..10; a>c 5..15");
    rig_say(&r, "db.c 0: 24");
    rig_run(&r, 0);
    executor_hold(r.x, "window");
    rig_run(&r, 10 * SECOND - 1);
    assert_string_equal(r.events->str, "S1 R1:failed");
    assert_held(&r, "window", 0);
    assert_int_equal(executor_wait_ms(r.x), 1);
    rig_run(&r, 1);
    assert_string_equal(r.events->str, "S1 R1:failed E1:limit D2:limit");
    assert_string_equal(r.last_message, "the time is up");
    assert_true(executor_finished(r.x));
    end(&r);
}

/* The time that is left may change under way; what is under way is let be. */
static void test_until(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.max_concurrent = 1;
    opt.latency_seconds = 0.5;
    opt.seconds_per_byte = 1;
    begin(&r, &opt, "a>b 0..10 2; c>d 20..30 30; a>b 40..50 2; c>d 60..70 30");
    fake_hands_otherwise(r.hands, "ok");
    executor_until(r.x, r.now + 20 * SECOND, "window");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "D2:window D4:window S1 E1:committed S3 E3:committed");
    assert_string_equal(r.last_message, "it would not end in time");
    end(&r);
    begin(&r, &opt, "a>b 0..10 2; c>d 20..30 30");
    fake_hands_otherwise(r.hands, "ok");
    executor_until(r.x, r.now + 20 * SECOND, "window");
    executor_until(r.x, 0, "window");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S2 E2:committed S1 E1:committed");
    end(&r);
}

/* --- of the last hour --- */

static void test_hour(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.max_bytes_per_hour = 100;
    rig_init(&r);
    moved(&r, "db.c", 500, 510, "a", "z", 30, r.now - HOUR);
    moved(&r, "db.c", 510, 520, "a", "z", 40, r.now - 50 * MINUTE);
    moved(&r, "db.c", 520, 530, "a", "z", 30, r.now - 40 * MINUTE);
    moved(&r, "db.c", 530, 540, "a", "z", 99, r.now - HOUR - 1);
    rig_start(&r, &opt);
    rig_add(&r, "a>b 0..10 60; a|25 20..30; c>d 40..50 40", false);
    fake_hands_otherwise(r.hands, "ok");
    rig_run(&r, 0); /* the hour is full: 100 */
    assert_held(&r, "maxBytesPerHour", r.now + 10 * MINUTE + 1);
    rig_run(&r, 10 * MINUTE); /* 30 went a millisecond past the full hour, 40 do now */
    assert_held(&r, "maxBytesPerHour", r.now + 1);
    rig_run(&r, 1); /* 30 left: 60 fit, and then 0 of 40 */
    assert_string_equal(r.events->str, "S1 E1:committed S2 E2:committed");
    assert_held(&r, "maxBytesPerHour", TEST_T0 + 20 * MINUTE + 1);
    rig_run(&r, RIG_LONG);
    assert_int_equal(r.now, TEST_T0 + 20 * MINUTE + 1);
    assert_int_equal(status_of(&r).committed, 2);
    end(&r);
}

/* The size of what is under way counts; when room comes is not known then. */
static void test_hour_under_way(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.max_bytes_per_hour = 100;
    begin(&r, &opt, "a>b 0..10 70; c>d 20..30 40; e>f 40..50 -1");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S1");
    assert_held(&r, "maxBytesPerHour", 0);
    rig_say(&r, "db.c 0: 13388");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S1 E1:failed S2");
    fake_hands_otherwise(r.hands, "ok");
    rig_run(&r, RIG_LONG);
    assert_int_equal(r.now, TEST_T0 + HOUR + 1); /* the third counts as 100 */
    assert_int_equal(status_of(&r).committed, 2);
    end(&r);
}

static void test_hour_bigger_than_limit(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.max_bytes_per_hour = 100;
    rig_init(&r);
    moved(&r, "db.c", 500, 510, "a", "z", 1, r.now - 30 * MINUTE);
    rig_start(&r, &opt);
    rig_add(&r, "a>b 0..10 1000; c>d 20..30 1", false);
    rig_run(&r, 29 * MINUTE);
    assert_string_equal(r.events->str, "");
    rig_run(&r, 2 * MINUTE);
    assert_string_equal(r.events->str, "S1"); /* alone */
    fake_hands_otherwise(r.hands, "ok");
    rig_run(&r, RIG_LONG);
    assert_int_equal(status_of(&r).committed, 2);
    assert_int_equal(r.now, TEST_T0 + 30 * MINUTE + 1 + HOUR + 1);
    end(&r);
}

/* --- cool-down --- */

#define BACK "a>b 0..10; a>c 0..5; c>a 20..30; a|45 40..50"

static void test_cool_down(void **state)
{
    static const struct {
        bool wait;
        const char *events;
        int64_t end;
    } rows[] = {
        {false, "D1:coolDown D2:restsOnFailed S3 E3:committed S4 E4:committed", 0},
        {true, "S3 E3:committed S4 E4:committed S1 E1:committed S2 E2:committed", 10 * MINUTE},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct rig r;
        struct executor_options opt = rig_options();
        opt.cool_down_ms = 20 * MINUTE;
        opt.wait_cool_down = rows[i].wait;
        opt.max_concurrent = 1;
        rig_init(&r);
        moved(&r, "db.c", 5, 7, "b", "a", 1, r.now - 10 * MINUTE);
        moved(&r, "db.c", 0, 100, "b", "a", 1, r.now - 20 * MINUTE);
        moved(&r, "db.c", 10, 20, "c", "a", 1, r.now - MINUTE);
        moved(&r, "db.d", 0, 100, "c", "a", 1, r.now);
        rig_start(&r, &opt);
        fake_hands_otherwise(r.hands, "ok");
        rig_add(&r, BACK, false);
        rig_run(&r, 5 * MINUTE);
        assert_held(&r, rows[i].wait ? "coolDown" : NULL, rows[i].wait ? TEST_T0 + 10 * MINUTE : 0);
        rig_run(&r, RIG_LONG);
        assert_string_equal(r.events->str, rows[i].events);
        assert_int_equal(r.now, TEST_T0 + rows[i].end);
        end(&r);
    }
}

/* A range does not go back where this very executor had it from. */
static void test_cool_down_within(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    opt.cool_down_ms = 20 * MINUTE;
    begin(&r, &opt, "a>b 0..10; b>a 0..10");
    fake_hands_otherwise(r.hands, "ok");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S1 E1:committed D2:coolDown");
    assert_string_equal(r.last_message,
                        "it came from a at 2026-11-21T00:00:00Z, and does not go back so soon");
    end(&r);
}

/* --- back-off --- */

static void test_back_off(void **state)
{
    static const struct {
        const char *says;
        int64_t most[6]; /* each wait is half to all of this */
    } rows[] = {
        {"db.c 0: 24 24 24 24 24 24 ok", {1000, 2000, 4000, 8000, 8000, 8000}},
        {"db.c 0: 46 46 46 24 24 ok", {1000, 2000, 4000, 1000, 2000}},
        {"db.c 0: unreachable 24 unreachable 24 ok", {1000, 1000, 2000, 2000}},
        {"db.c 0: lost lost ok; ?db.c 0: notCarriedOut notCarriedOut", {1000, 2000}},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct rig r;
        struct executor_options opt = rig_options();
        opt.retry_attempts = 7;
        opt.seed = (uint32_t)i;
        begin(&r, &opt, "a>b 0..10");
        rig_say(&r, rows[i].says);
        rig_run(&r, RIG_LONG);
        g_auto(GStrv) waits = g_strsplit(r.waits->str, " ", -1);
        for (unsigned k = 0; k < 6 && rows[i].most[k] > 0; k++) {
            const int64_t wait = g_ascii_strtoll(waits[k], NULL, 10);
            assert_in_range(wait, rows[i].most[k] / 2, rows[i].most[k]);
        }
        assert_int_equal(status_of(&r).committed, 1);
        end(&r);
    }
}

static void test_back_off_frees_shards(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    begin(&r, &opt, "a>b 0..10; b>c 20..30");
    rig_say(&r, "db.c 0: 24");
    rig_run(&r, 0);
    assert_string_equal(r.events->str, "S1 R1:failed S2");
    assert_int_equal(status_of(&r).waiting, 1);
    rig_say(&r, "db.c 20: ok");
    rig_run(&r, 0);
    const int64_t wait = g_ascii_strtoll(r.waits->str, NULL, 10);
    assert_held(&r, "backoff", TEST_T0 + wait);
    assert_int_equal(executor_wait_ms(r.x), wait);
    rig_say(&r, "db.c 0: ok");
    rig_run(&r, wait);
    assert_true(executor_finished(r.x));
    end(&r);
}

/* Looks come after 0.2, 1, 2, 5, 10, 30, 30 s. */
static void test_settling_times(void **state)
{
    static const int64_t waits[] = {200, 1000, 2000, 5000, 10000, 30000, 30000};
    struct rig r;
    struct executor_options opt = rig_options();
    (void)state;
    begin(&r, &opt, "a>b 0..10; c>a 20..30");
    rig_say(&r, "db.c 0: lost");
    for (size_t i = 0; i < G_N_ELEMENTS(waits); i++) {
        rig_run(&r, 0);
        assert_int_equal(status_of(&r).settling, 1);
        assert_int_equal(status_of(&r).under_way, 1); /* the shards stay taken */
        assert_int_equal(executor_wait_ms(r.x), waits[i]);
        rig_say(&r, i % 2 == 0 ? "?db.c 0: inFlight" : "?db.c 0: unreachable");
        rig_run(&r, waits[i]);
    }
    rig_say(&r, "?db.c 0: committed; db.c 20: ok");
    rig_run(&r, RIG_LONG);
    assert_string_equal(r.events->str, "S1 U1 E1:committed S2 E2:committed");
    end(&r);
}

static void test_defaults(void **state)
{
    const struct executor_options o = executor_options_default();
    (void)state;
    assert_int_equal(o.retry_attempts, 3);
    assert_int_equal(o.backoff_ms, 5 * SECOND);
    assert_int_equal(o.max_backoff_ms, 5 * MINUTE);
    assert_int_equal(o.cool_down_ms, 20 * MINUTE);
    assert_int_equal(o.max_bytes_per_hour + o.max_moves + o.max_bytes + o.max_ms + o.max_concurrent, 0);
    assert_int_equal(o.jumbo, EXECUTOR_JUMBO_SKIP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concurrency),    cmocka_unit_test(test_totals),
        cmocka_unit_test(test_totals_wait),    cmocka_unit_test(test_time_up),
        cmocka_unit_test(test_until),          cmocka_unit_test(test_hour),
        cmocka_unit_test(test_hour_under_way), cmocka_unit_test(test_hour_bigger_than_limit),
        cmocka_unit_test(test_cool_down),      cmocka_unit_test(test_cool_down_within),
        cmocka_unit_test(test_back_off),       cmocka_unit_test(test_back_off_frees_shards),
        cmocka_unit_test(test_settling_times), cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
