// SPDX-License-Identifier: Apache-2.0
/* Rows that an earlier run left open: settled, committed or not, or not to be told; and what waits for that.
 */
#include "tests/support/executor_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name;
    const char *lines[SCRIPT_LINES];
    unsigned max_concurrent;
    int64_t max_bytes_per_hour, max_moves;
} rows[] = {
    {"never sent",
     {"left planned a>b 0..10; c>d 20..30", "inherit", "run", "events E*1:neverSent E*2:neverSent",
      "rows m1 aborted/0; m2 aborted/0", "asked ", "finished yes", "counts 0 0 0 0 0",
      "message an earlier run ended before it was sent"}},
    {"sent, and carried out",
     {"left started a>b 0..10", "say ?db.c 0: committed", "inherit", "wait 0", "run",
      "events I*1 E*1:committed", "rows m1 committed/0", "asked ?db.c 0..10", "counts 0 0 0 0 0",
      "finished yes"}},
    {"unknown, and carried out",
     {"left unknown a>b 0..10", "say ?db.c 0: committed", "inherit", "run", "events I*1 E*1:committed",
      "rows m1 committed/0"}},
    {"unknown, and not carried out",
     {"left unknown a>b 0..10", "say ?db.c 0: notCarriedOut", "inherit", "run",
      "events I*1 E*1:notCarriedOut", "rows m1 failed/0", "counts 0 0 0 0 0", "stopped -"}},
    {"unknown, and the range is another one now",
     {"left unknown a>b 0..10", "say ?db.c 0: void", "inherit", "run", "events I*1 E*1:void",
      "rows m1 aborted/0"}},
    {"the cluster is still at it",
     {"left unknown a>b 0..10",
      "inherit",
      "run",
      "events I*1",
      "under 1",
      "settling 1",
      "list ?a>b#0",
      "busy a,b",
      "finished no",
      "say ?db.c 0: inFlight",
      "run",
      "wait 200",
      "run 200",
      "say ?db.c 0: unreachable",
      "run",
      "wait 1000",
      "run 1000",
      "say ?db.c 0: committed",
      "run",
      "events E*1:committed",
      "rows m1 committed/0",
      "busy "}},
    {"splits",
     {"left unknown a|5 0..10; b|25 20..30", "say ?db.c 0: committed; ?db.c 20: notCarriedOut", "inherit",
      "run", "rows s1 committed/0; s2 failed/0", "finished yes", "counts 0 0 0 0 0"}},
    {"many rows of one shard",
     {"left unknown a>b 0..10; a>c 20..30; a|45 40..50", "inherit", "add a>d 60..70", "run", "under 3",
      "busy a,b,c", "say ?db.c 0: committed; ?db.c 20: void", "run", "under 1", "waiting 1", "all ok",
      "run 200", "finished yes", "counts 1 0 0 0 0"}},
    {"nothing was left", {"inherit", "run", "finished yes", "events "}},

    {"new work waits for the shards",
     {"left unknown a>b 0..10", "inherit", "add b>c 20..30; d>e 40..50", "run", "events I*1 S2",
      "busy a,b,d,e", "waiting 1", "say ?db.c 0: notCarriedOut", "run", "events E*1:notCarriedOut S1"}},
    {"it counts under what may go on at once",
     {"left unknown a>b 0..10", "inherit", "add c>d 20..30", "run", "events I*1", "waiting 1", "holds -",
      "wait -1", "say ?db.c 0: committed", "run", "events E*1:committed S1"},
     1},
    {"its size counts under the limit of an hour",
     {"left unknown a>b 0..10", "inherit", "add c>d 20..30 1", "run", "events I*1", "holds maxBytesPerHour",
      "say ?db.c 0: notCarriedOut", "run", "events E*1:notCarriedOut S1"},
     0,
     100},
    {"it does not count under this one's own limits",
     {"left unknown a>b 0..10", "inherit", "add c>d 20..30", "all ok", "run", "counts 1 0 0 0 0",
      "rows m1 committed/0; m1 committed/1"},
     0,
     0,
     1},

    {"a step of this plan, carried out",
     {"left plan unknown a>b 0..10; c>d 0..10", "inherit", "plan a>b 0..10; c>d 0..10", "bytes 0 2", "run",
      "events I*1", "waiting 2", "say ?db.c 0: committed", "run", "events E*1:committed D1:already S2",
      "message an earlier run had it under way, and it was carried out", "counts 0 1 0 0 0", "bytes 0 1",
      "say db.c 0: ok", "run", "rows m1 committed/0; m2 committed/1", "counts 1 1 0 0 0"}},
    {"a step of this plan, not carried out",
     {"left plan unknown a>b 0..10; c>d 0..10", "inherit", "plan a>b 0..10; c>d 0..10", "run",
      "say ?db.c 0: notCarriedOut", "run", "events I*1 E*1:notCarriedOut S1", "all ok", "run",
      "rows m1 committed/1; m1 failed/0; m2 committed/1", "counts 2 0 0 0 0"}},
    {"a split of this plan, carried out",
     {"left plan started a|5 0..10; a>b 5..10", "inherit", "plan a|5 0..10; a>b 5..10", "run",
      "say ?db.c 0: committed", "run", "events I*1 E*1:committed D1:already S2", "counts 0 1 0 0 0"}},
    {"a step of this plan that was done before",
     {"left plan unknown a>b 0..10; c>d 0..10", "inherit", "done 1 a>b 0..10; c>d 0..10",
      "say ?db.c 0: committed; db.c 0: ok", "run", "rows m1 committed/0; m2 committed/1",
      "counts 1 0 0 0 0"}},
    {"a step of this plan that was dropped meanwhile",
     {"left plan unknown a>b 0..10", "inherit", "plan a>b 0..10", "run", "stop cancelled", "run",
      "events I*1 D1:cancelled", "say ?db.c 0: committed", "run", "events E*1:committed",
      "counts 0 0 0 1 0"}},
    {"a step of another plan",
     {"left plan unknown a>b 0..10", "inherit", "add a>b 0..10", "say ?db.c 0: committed; db.c 0: already",
      "run", "events I*1 E*1:committed S1 E1:already"}},
    {"a step that this work does not have",
     {"left plan unknown a>b 0..10", "inherit", "say ?db.c 0: committed", "run", "events I*1 E*1:committed"}},

    {"stopped while it is settled",
     {"left unknown a>b 0..10", "inherit", "run", "stop cancelled", "run", "finished no",
      "say ?db.c 0: committed", "run", "finished yes", "events I*1 E*1:committed"}},
    {"left before it was looked at",
     {"left started a>b 0..10; c>d 20..30", "inherit", "leave", "events I*1 I*2",
      "rows m1 unknown/0; m2 unknown/0", "inside 0", "asked "}},
    {"left while it is looked at",
     {"left unknown a>b 0..10", "inherit", "run", "leave", "events I*1", "rows m1 unknown/0", "inside 1"}},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct executor_options opt = rig_options();
        opt.max_concurrent = rows[i].max_concurrent;
        opt.max_bytes_per_hour = rows[i].max_bytes_per_hour;
        opt.max_moves = rows[i].max_moves;
        script_run(rows[i].name, &opt, rows[i].lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
