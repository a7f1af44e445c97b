// SPDX-License-Identifier: Apache-2.0
/* What its owner does to an executor that runs: more work, holding, stopping, leaving, looking. */
#include "tests/support/executor_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
    const char *name;
    const char *lines[SCRIPT_LINES];
    enum executor_jumbo jumbo;
    unsigned max_concurrent;
};

static void run_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct executor_options opt = rig_options();
        opt.jumbo = rows[i].jumbo;
        opt.max_concurrent = rows[i].max_concurrent;
        script_run(rows[i].name, &opt, rows[i].lines);
    }
}

static const struct row extending[] = {
    {"a second work waits for the ranges of the first",
     {"add a>b 0..10", "run", "events S1", "add c>d 0..10; e>f 20..30", "waiting 2", "run", "events S2",
      "say db.c 0: ok", "run", "events E1:committed S1", "say db.c 20: ok", "run", "events E2:committed",
      "say db.c 0: ok", "run", "events E1:committed", "finished yes", "counts 3 0 0 0 0",
      "rows m1 committed/1; m1 committed/1; m2 committed/1"}},
    {"a second work drops out with what it rests on in the first",
     {"add a>b 0..10", "run", "add c>d 0..10; e>f 20..30", "say db.c 0: changed", "all ok", "run",
      "counts 1 0 0 2 0", "finished yes"}},
    {"some of a plan is done",
     {"done 1 a>b 0..10; c>d 0..10", "bytes 0 1", "waiting 1", "all ok", "run", "events S2 E2:committed",
      "rows m2 committed/1", "counts 1 0 0 0 0"}},
    {"all of a plan is done", {"done 1 a>b 0..10", "finished yes", "run", "events ", "wait -1"}},
    {"no work at all",
     {"finished yes", "run", "wait -1", "under 0", "seconds 0", "holds -", "list ", "busy "}},
    {"more, after all was done",
     {"all ok", "add a>b 0..10", "finished no", "wait 0", "run", "finished yes", "wait -1", "add a>b 0..10",
      "finished no", "wait 0", "run", "finished yes", "events S1 E1:committed S1 E1:committed"}},
    {"more, after a stop",
     {"stop cancelled", "add a>b 0..10; c>d 0..10", "finished no", "wait 0", "run",
      "events D1:cancelled D2:cancelled", "finished yes", "counts 0 0 0 2 0", "bytes 0 0", "rows "}},
    {"more of a collection that was dropped",
     {"add a>b 0..10; a>c 20..30", "say db.c 0: 118", "run", "events S1 E1:failed D2:collection",
      "add a>c 40..50", "all ok", "run", "events S1 E1:committed"}},
};

static void test_extending(void **state)
{
    (void)state;
    run_rows(extending, G_N_ELEMENTS(extending));
}

static const struct row holding[] = {
    {"held, and released",
     {"hold window", "add a>b 0..10", "run 100000", "events ", "holds window", "waiting 1", "wait -1",
      "hold standIn", "holds standIn", "hold -", "wait 0", "run", "events S1", "holds -"}},
    {"what is under way ends while held, and what failed waits",
     {"add a>b 0..10; a>c 20..30; d>e 40..50", "run", "events S1 S3", "hold paused", "say db.c 0: ok", "run",
      "events E1:committed", "say db.c 40: 24", "run 100000", "events R3:failed", "waiting 2", "under 0",
      "hold -", "run 1000", "events S2", "under 2", "list d>e#2;a>c#1"}},
    {"what is unknown is settled while held",
     {"add a>b 0..10", "run", "hold paused", "say db.c 0: lost; ?db.c 0: inFlight committed", "run 5000",
      "events S1 U1 E1:committed"}},
    {"held without work", {"hold window", "run", "holds -", "finished yes"}},
};

static void test_holding(void **state)
{
    (void)state;
    run_rows(holding, G_N_ELEMENTS(holding));
}

static const struct row stopping[] = {
    {"before it began", {"add a>b 0..10", "stop stopping", "run", "events D1:stopping", "rows ", "asked "}},
    {"the first word counts", {"add a>b 0..10", "stop one", "stop two", "run", "events D1:one"}},
    {"what is under way ends, and gets no other try",
     {"add a>b 0..10; a>c 20..30; d>e 40..50", "run", "events S1 S3", "stop cancelled", "wait 0", "run",
      "events D2:cancelled", "under 2", "finished no", "wait -1", "say db.c 0: 24", "run", "events E1:failed",
      "say db.c 40: ok", "run", "events E3:committed", "finished yes", "counts 1 0 1 1 0",
      "rows m1 failed/1; m3 committed/1"}},
    {"while it rests after a refusal",
     {"add a>b 0..10", "say db.c 0: 24", "run", "events S1 R1:failed", "stop cancelled", "run",
      "events E1:cancelled", "rows m1 failed/1", "counts 0 0 1 0 0", "message error 24"}},
    {"while it rests, and nothing was sent",
     {"add a>b 0..10", "say db.c 0: unreachable", "run", "stop cancelled", "run",
      "events S1 R1:unreachable E1:cancelled", "rows m1 aborted/0", "counts 0 0 0 1 0"}},
    {"while it rests between two rows",
     {"add a>b 0..10", "say db.c 0: lost; ?db.c 0: notCarriedOut", "run 200",
      "events S1 U1 E1:notCarriedOut R1:notCarriedOut", "stop cancelled", "run", "events D1:cancelled",
      "rows m1 failed/1", "finished yes"}},
    {"while it is being settled",
     {"add a>b 0..10", "say db.c 0: lost", "run", "stop cancelled", "run", "settling 1", "finished no",
      "wait 200", "say ?db.c 0: inFlight notCarriedOut", "run 1200", "events S1 U1 E1:notCarriedOut",
      "finished yes", "rows m1 failed/1"}},
    {"while its chunk is being split",
     {"add a>b 0..10", "say db.c 0: 153", "run", "stop cancelled", "say /db.c 0: ok", "run",
      "events S1 S1 E1:committed E1:split"},
     EXECUTOR_JUMBO_SPLIT},
    {"too big, in the turn that stops",
     {"add a>b 0..10; c>d 20..30; e>f 40..50", "run", "events S1 S2 S3",
      "say db.c 0: 153; db.c 40: 153; db.c 20: 13", "back", "run", "counts 0 0 3 0 0",
      "rows m1 failed/1; m2 failed/1; m3 failed/1", "finished yes"},
     EXECUTOR_JUMBO_SPLIT},
    {"by an error: what an operator is to do",
     {"add a>b 0..10", "say db.c 0: 13", "stopped -", "run",
      "stopped error 13; give the user the role clusterManager on admin", "finished yes"}},
    {"by two errors: the first is told",
     {"add a>b 0..10; c>d 20..30", "run", "say db.c 0: 13", "run", "say db.c 20: 18", "run", "finished yes",
      "stopped error 13; give the user the role clusterManager on admin", "counts 0 0 2 0 0"}},
};

static void test_stopping(void **state)
{
    (void)state;
    run_rows(stopping, G_N_ELEMENTS(stopping));
}

static const struct row leaving[] = {
    {"in a command",
     {"add a>b 0..10; a>c 20..30; d|45 40..50", "run", "events S1 S3", "leave", "events D2:stopping U1 U3",
      "message left to the cluster while it was under way", "finished yes", "inside 2", "under 0", "list ",
      "busy ", "seconds 0", "wait -1", "rows m1 unknown/0; s3 unknown/0", "run", "leave", "events "}},
    {"after a stop",
     {"add a>b 0..10; a>c 20..30", "run", "stop cancelled", "run", "leave", "events S1 D2:cancelled U1",
      "rows m1 unknown/0"}},
    {"with a result that nobody has looked at",
     {"add a>b 0..10; a>c 20..30", "run", "say db.c 0: ok", "back", "leave",
      "events S1 E1:committed D2:stopping", "inside 0", "rows m1 committed/1"}},
    {"while it rests",
     {"add a>b 0..10", "say db.c 0: 24", "run", "leave", "events S1 R1:failed E1:stopping",
      "rows m1 failed/1"}},
    {"while it is being settled",
     {"add a>b 0..10", "say db.c 0: lost", "run 200", "leave", "events S1 U1", "rows m1 unknown/1",
      "inside 1"}},
    {"while its chunk is being split",
     {"add a>b 0..10", "say db.c 0: 153", "run", "leave", "events S1 S1 U1 E1:jumbo",
      "rows m1 failed/1; s0 unknown/0", "counts 0 0 1 0 0"},
     EXECUTOR_JUMBO_SPLIT},
    {"with a chunk that is to be split next",
     {"add a>b 0..10", "run", "say db.c 0: 153", "back", "leave", "events S1 E1:jumbo", "rows m1 failed/1",
      "asked db.c 0"},
     EXECUTOR_JUMBO_SPLIT},
    {"with nothing to leave", {"leave", "finished yes", "events ", "run", "inside 0"}},
    {"without a word", {"add a>b 0..10; c>d 20..30; a>c 40..50", "run", "under 2", "inside 2"}},
    {"without a word, while it rests and is settled",
     {"add a>b 0..10; c>d 20..30", "say db.c 0: 24; db.c 20: lost", "run", "settling 1"}},
};

static void test_leaving(void **state)
{
    (void)state;
    run_rows(leaving, G_N_ELEMENTS(leaving));
}

static const struct row looking[] = {
    {"what is under way",
     {"add a>b 0..10 5; c|25 20..30; a>d 40..50 7", "bytes 0 12", "seconds 2", "run", "under 2", "settling 0",
      "waiting 1", "list a>b#1;/c>#1", "busy a,b,c", "say db.c 20: ok", "run", "counts 0 0 0 0 1",
      "bytes 0 12", "busy a,b", "say db.c 0: ok", "run", "bytes 5 7", "seconds 1"}},
    {"another try",
     {"add a>b 0..10", "say db.c 0: 24", "run", "list ", "busy ", "under 0", "waiting 1", "run 1000",
      "list a>b#2", "waiting 0", "say db.c 0: lost", "run", "list ?a>b#2", "settling 1", "under 1"}},
    {"the oldest first",
     {"add a>b 0..10; c>d 20..30; a>e 40..50", "run", "time 1", "say db.c 0: ok", "run", "list c>d#1;a>e#1"}},
    {"a chunk that is too big is told as its migration",
     {"add a>b 0..10", "say db.c 0: 153", "run", "list a>b#1", "under 1", "busy a,b"},
     EXECUTOR_JUMBO_SPLIT},
    {"sizes that are not known", {"add a>b 0..10 -1", "bytes 0 0", "all ok", "run", "bytes 0 0"}},
};

static void test_looking(void **state)
{
    (void)state;
    run_rows(looking, G_N_ELEMENTS(looking));
}

/* One that is freed before its first turn; without an observer; with no end in sight. */
static void test_bare(void **state)
{
    struct rig r;
    struct executor_options opt = executor_options_default();
    struct err err = {0};
    (void)state;
    rig_init(&r);
    const struct hands hands = fake_hands_table(r.hands);
    assert_true(executor_new(&opt, &hands, r.j, r.round, NULL, NULL, &r.x, &err));
    rig_add(&r, "a>b 0..10", false);
    fake_hands_otherwise(r.hands, "ok");
    rig_run(&r, 0); /* on the system's clock */
    assert_true(executor_finished(r.x));
    rig_add(&r, "a>b 0..10", false);
    rig_clear(&r);
    executor_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extending), cmocka_unit_test(test_holding), cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_leaving),   cmocka_unit_test(test_looking), cmocka_unit_test(test_bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
