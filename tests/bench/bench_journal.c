// SPDX-License-Identifier: Apache-2.0
/* bench_journal - what the journal costs: CPU and time of a transaction with eight changes of state, of a
 * plan, of opening, and of reading. bench_journal [TRANSACTIONS [FILE]]
 */
#include "migrations/journal/history.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROWS = 8, PLAN = 20000 };

static double cpu(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void tell(const char *what, double n, double cpu_s, double wall_s)
{
    printf("%-38s %10.3f ms CPU %10.3f ms\n", what, cpu_s * 1e3 / n, wall_s * 1e3 / n);
}

/* Rows are planned, started, ended: what the executor does, eight at a time. */
static void transactions(journal *j, int n)
{
    double cpu_s[3] = {0}, wall_s[3] = {0};
    int64_t ids[ROWS], round = test_round(j, NULL, TEST_T0);
    for (int i = 0; i < n; i++)
        for (int phase = 0; phase < 3; phase++) {
            double c = cpu(), w = measure_now();
            int64_t now = TEST_T0 + 1000 * i + phase;
            journal_begin(j, NULL);
            for (int k = 0; k < ROWS; k++) {
                if (phase == 0)
                    ids[k] = test_row(j, round, "shop.users", k * 10, k * 10 + 10, "shard0", "shard1", now);
                else if (phase == 1)
                    journal_row_state(j, JOURNAL_MIGRATION, ids[k], MIGRATION_STARTED, now, NULL, NULL);
                else
                    journal_row_state(j, JOURNAL_MIGRATION, ids[k], MIGRATION_COMMITTED, now,
                                      &(struct journal_outcome){.bytes = 1 << 20}, NULL);
            }
            if (!journal_commit(j, NULL))
                exit(1);
            cpu_s[phase] += cpu() - c;
            wall_s[phase] += measure_now() - w;
        }
    static const char *const names[] = {"8 rows planned", "8 states: started",
                                        "8 states: committed, outcome"};
    for (int phase = 0; phase < 3; phase++)
        tell(names[phase], n, cpu_s[phase], wall_s[phase]);
    journal_round_end(j, round, ROUND_DONE, TEST_T0 + 1000 * n, NULL, NULL);
}

static void plan(journal *j, uint32_t n)
{
    g_autoptr(test_step) t = test_step_new("shop.users", 0, 1, "shard0", "shard1");
    g_autofree struct journal_step *steps = g_new0(struct journal_step, n);
    bool known, *done = g_new0(bool, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        steps[i] = t->s;
        steps[i].step = i + 1;
    }
    const struct journal_plan p = {.plan_id = "feed", .policy = "size", .migrations = n, .who = "bench"};
    double c = cpu(), w = measure_now();
    journal_plan_put(j, &p, steps, n, &known, NULL);
    tell("a plan of 20000 steps", 1, cpu() - c, measure_now() - w);
    c = cpu(), w = measure_now();
    journal_plan_done(j, "feed", done, n, NULL);
    tell("what of it is done", 1, cpu() - c, measure_now() - w);
    g_free(done);
}

static bool count(void *data, const struct history_row *row, struct err *err)
{
    (void)err;
    *(int64_t *)data += row->min != NULL;
    return true;
}

static void reading(const char *path)
{
    int64_t n = 0;
    struct history_totals t;
    const struct history_filter all = {0}, newest = {.limit = 50};
    double c = cpu(), w = measure_now();
    journal_free(test_journal(path, JOURNAL_WRITE));
    tell("opening, with the check of all pages", 1, cpu() - c, measure_now() - w);
    g_autoptr(journal) j = test_journal(path, JOURNAL_READ);
    const struct {
        const char *name;
        const struct history_filter *f;
    } rows[] = {{"the newest 50 rows", &newest}, {"all rows", &all}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        n = 0;
        c = cpu(), w = measure_now();
        history_rows(j, rows[i].f, count, &n, NULL);
        tell(rows[i].name, 1, cpu() - c, measure_now() - w);
    }
    c = cpu(), w = measure_now();
    history_totals(j, &all, &t, NULL);
    tell("totals", 1, cpu() - c, measure_now() - w);
    printf("%" G_GINT64_FORMAT " rows\n", n);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 2000;
    g_autoptr(temp_dir) dir = argc > 2 ? NULL : temp_dir_new();
    g_autofree char *path = argc > 2 ? g_strdup(argv[2]) : g_build_filename(dir->path, "journal.db", NULL);
    journal *j = test_journal(path, JOURNAL_WRITE);
    transactions(j, n);
    plan(j, PLAN);
    journal_free(j);
    reading(path);
    return 0;
}
