// SPDX-License-Identifier: Apache-2.0
/* A disk that breaks: nothing starts without its row, what is under way ends, and all ends are told. */
#include "tests/support/executor_script.h"

#include "tests/support/fault_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    fault_vfs_install();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fault_vfs_remove();
    return 0;
}

static const struct {
    const char *name;
    const char *lines[SCRIPT_LINES];
    enum executor_jumbo jumbo;
    int64_t max_bytes_per_hour, cool_down_ms;
} rows[] = {
    {"before anything started",
     {"add a>b 0..10; c>d 20..30; a>c 40..50", "break 1", "all ok", "run", "failed check its file system",
      "counts 0 0 0 3 0", "asked ", "holds journal", "finished yes", "mend", "rows ", "add a>b 60..70", "run",
      "asked ", "finished yes"}},
    {"when the first ended",
     {"add a>b 0..10; a>c 20..30", "run", "break 1", "say db.c 0: ok", "run", "failed journal.db",
      "events S1 E1:committed D2:journal", "asked db.c 0", "finished yes", "mend", "rows m1 started/0",
      "counts 1 0 0 1 0"}},
    {"and works again before the last has ended",
     {"add a>b 0..10; c>d 20..30; a>c 40..50", "run", "break 1", "say db.c 0: ok", "run", "finished no",
      "wait 1000", "mend", "run 1000", "rows m1 committed/1; m2 started/0", "wait -1", "say db.c 20: ok",
      "run", "rows m1 committed/1; m2 committed/1", "events S1 S2 E1:committed D3:journal E2:committed",
      "failed check", "finished yes", "asked db.c 0; db.c 20"}},
    {"stays broken, and is tried again",
     {"add a>b 0..10; c>d 20..30", "run", "break 1", "say db.c 0: ok", "run 500", "wait 500", "run 1000",
      "wait 1000", "say db.c 20: lost", "run", "wait 200", "events S1 S2 E1:committed U2",
      "say ?db.c 20: committed", "run 200", "events E2:committed", "finished yes"}},
    {"while a step rests",
     {"add a>b 0..10", "run", "break 1", "say db.c 0: 24", "run", "events S1 R1:failed E1:journal",
      "finished yes", "asked db.c 0"}},
    {"when a chunk that is too big is to be split",
     {"add a>b 0..10", "run", "break 1", "say db.c 0: 153", "run", "events S1 E1:jumbo", "finished yes",
      "asked db.c 0"},
     EXECUTOR_JUMBO_SPLIT},
    {"when it is left",
     {"add a>b 0..10; c>d 20..30", "run", "break 1", "leave broken", "events S1 S2 U1 U2", "finished yes",
      "mend", "rows m1 started/0; m2 started/0", "leave"}},
    {"with rows that an earlier run left",
     {"left started a>b 0..10; c>d 20..30", "break 1", "inherit", "say ?db.c 0: committed", "run",
      "failed check", "events I*1 I*2 E*1:committed", "say ?db.c 20: void", "mend", "run 1000",
      "events E*2:void", "finished yes", "rows m1 committed/0; m2 aborted/0"}},
    {"that takes no row of a migration",
     {"sql ALTER TABLE migrations RENAME TO away", "add a>b 0..10; c|25 20..30; a>c 40..50", "all ok", "run",
      "failed migrations", "asked ", "counts 0 0 0 3 0", "finished yes"}},
    {"that takes no row of a split",
     {"add a>b 0..10; c|25 20..30", "run", "events S1 S2", "add d|65 60..70",
      "sql ALTER TABLE splits RENAME TO away", "all ok", "run", "failed splits", "asked db.c 0; db.c 20",
      "finished yes", "counts 1 0 0 1 1"}},
    {"that takes no row of the split of a chunk that is too big",
     {"add a>b 0..10", "run", "sql ALTER TABLE splits RENAME TO away", "say db.c 0: 153", "run",
      "failed splits", "events S1 E1:jumbo", "asked db.c 0", "finished yes"},
     EXECUTOR_JUMBO_SPLIT},
    {"that takes no attempt, and a chunk is to be split",
     {"add a>b 0..10", "run", "sql ALTER TABLE attempts RENAME TO away", "say db.c 0: 153", "run",
      "failed attempts", "events S1 E1:jumbo", "asked db.c 0", "finished yes"},
     EXECUTOR_JUMBO_SPLIT},
    {"that takes no attempt, and works again",
     {"add a>b 0..10; c>d 20..30", "run", "sql ALTER TABLE attempts RENAME TO away", "say db.c 0: ok", "run",
      "failed attempts", "sql ALTER TABLE away RENAME TO attempts", "run 1000",
      "rows m1 committed/1; m2 started/0"}},
    {"that cannot tell what went in the last hour",
     {"sql ALTER TABLE migrations RENAME TO away", "add a>b 0..10", "all ok", "run", "failed migrations",
      "events D1:journal", "asked ", "finished yes"},
     EXECUTOR_JUMBO_SKIP,
     100},
    {"that cannot tell when the limit of an hour has room",
     {"sql ALTER TABLE migrations RENAME TO away", "left planned c|5 0..10", "add a>b 0..10; c>d 20..30",
      "all ok", "run", "failed migrations", "counts 0 0 0 2 0", "asked "},
     EXECUTOR_JUMBO_SKIP,
     1},
    {"that cannot tell where a range came from",
     {"sql ALTER TABLE migrations RENAME TO away", "add a>b 0..10; a>c 0..10", "all ok", "run",
      "failed migrations", "events D1:journal D2:journal", "asked "},
     EXECUTOR_JUMBO_SKIP,
     0,
     60000},
    {"that cannot be asked about a step that rests without a row",
     {"add a>b 0..10", "say db.c 0: lost; ?db.c 0: notCarriedOut", "run 200",
      "sql ALTER TABLE migrations RENAME TO away", "run 1000", "failed migrations",
      "events S1 U1 E1:notCarriedOut R1:notCarriedOut D1:journal", "finished yes"},
     EXECUTOR_JUMBO_SKIP,
     0,
     60000},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct executor_options opt = rig_options();
        opt.jumbo = rows[i].jumbo;
        opt.max_bytes_per_hour = rows[i].max_bytes_per_hour;
        opt.cool_down_ms = rows[i].cool_down_ms;
        script_run(rows[i].name, &opt, rows[i].lines);
    }
}

static unsigned count_of(const char *text, const char *word)
{
    g_auto(GStrv) words = g_strsplit(text, word, -1);
    return g_strv_length(words) > 0 ? g_strv_length(words) - 1 : 0;
}

/* Breaks at the n-th write of a run with retries, a split and a lost reply, and stays so. False: there is no
 * such write. */
static bool breaks_well(unsigned n, enum fault_kind kind)
{
    struct rig r;
    struct executor_options opt = rig_options();
    struct executor_status s;
    opt.jumbo = EXECUTOR_JUMBO_SPLIT;
    rig_init(&r);
    rig_start(&r, &opt);
    rig_say(&r, "db.c 0: 24 ok; db.c 20: 153; db.c 40: lost; ?db.c 40: inFlight");
    fake_hands_otherwise(r.hands, "ok");
    rig_add(&r, "a>b 0..10; c>d 20..30; e>f 40..50; a|65 60..70; a>c 60..65", false);
    fault_vfs_fail(n, FAULT_FOREVER, kind);
    rig_run(&r, RIG_LONG);
    const bool struck = fault_vfs_struck() > 0;
    fault_vfs_fail(0, 0, kind);
    executor_status(r.x, &s);
    g_autofree char *written = rig_rows(&r);
    if (!executor_finished(r.x) || struck != r.journal_failed ||
        s.committed + s.failed + s.dropped + s.splits < 5 || s.under_way + s.waiting > 0)
        fail_msg("write %u: %u %u %u %u: %s: %s", n, s.committed, s.failed, s.dropped, s.splits, written,
                 r.events->str);
    /* Whatever the journal calls carried out was. */
    if (count_of(written, " committed") > s.committed + s.splits)
        fail_msg("write %u: %s: %s", n, written, r.events->str);
    rig_check(&r);
    rig_clear(&r);
    return struck;
}

static void test_every_write(void **state)
{
    (void)state;
    for (int kind = FAULT_IO; kind <= FAULT_FULL; kind++) {
        unsigned n = 1;
        while (breaks_well(n, kind == FAULT_IO ? FAULT_IO : FAULT_FULL))
            n++;
        print_message("%u writes\n", n - 1);
        assert_in_range(n, 20, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_write, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
