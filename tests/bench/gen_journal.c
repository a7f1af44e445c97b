// SPDX-License-Identifier: Apache-2.0
/* gen_journal FILE - writes a journal by what stdin says, a line a write, fields separated by tabs; for tests
 * of what reads it.
 *   round KIND AT                                 prints the round's number
 *   end ROUND STATE AT NOTE
 *   row ROUND NS MIN MAX FROM TO BYTES AT         prints the row's number; TO "-": a split; BYTES -1: unknown
 *   state migration|split ID STATE AT CODE MESSAGE
 * Times are milliseconds since 1970. Each line is answered with a line, once it is on the disk: a number, or
 * "failed: " and why.
 */
#include "migrations/journal/history.h"
#include "tests/support/journal_fixture.h"

#include <stdio.h>
#include <string.h>

enum { FIELDS_MAX = 9 };

static int64_t number(const char *s)
{
    return g_ascii_strtoll(s, NULL, 10);
}

static bool put_round(journal *j, char **f, int64_t *ret, struct err *err)
{
    const struct journal_round r = {.kind = f[1],
                                    .policy = "count",
                                    .who = "alice (uid 1000)",
                                    .reason = "test",
                                    .planned_migrations = 3,
                                    .started_at = number(f[2])};
    return journal_round_start(j, &r, ret, err);
}

static bool end_round(journal *j, char **f, struct err *err)
{
    for (int s = ROUND_DONE; s <= ROUND_INTERRUPTED; s++)
        if (strcmp(f[2], round_state_text((enum round_state)s)) == 0)
            return journal_round_end(j, number(f[1]), (enum round_state)s, number(f[3]), f[4], err);
    return err_set(err, ERR_USAGE, "no such state");
}

static bool put_row(journal *j, char **f, int64_t *ret, struct err *err)
{
    bool split = strcmp(f[6], "-") == 0;
    g_autoptr(test_step) t = test_step_new(f[2], number(f[3]), number(f[4]), f[5], split ? NULL : f[6]);
    t->s.bytes = number(f[7]);
    return journal_row_planned(j, split ? JOURNAL_SPLIT : JOURNAL_MIGRATION, number(f[1]), NULL, &t->s,
                               number(f[8]), ret, err);
}

static bool set_state(journal *j, char **f, struct err *err)
{
    enum migration_state to;
    const struct journal_outcome o = {.code = (int)number(f[5]), .message = f[6][0] == '\0' ? NULL : f[6]};
    enum journal_kind kind = strcmp(f[1], "split") == 0 ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
    if (!migration_state_parse(f[3], &to))
        return err_set(err, ERR_USAGE, "no such state");
    return journal_row_state(j, kind, number(f[2]), to, number(f[4]), &o, err);
}

static bool act(journal *j, char **f, guint n, int64_t *ret, struct err *err)
{
    if (n == 3 && strcmp(f[0], "round") == 0)
        return put_round(j, f, ret, err);
    if (n == 5 && strcmp(f[0], "end") == 0)
        return end_round(j, f, err);
    if (n == FIELDS_MAX && strcmp(f[0], "row") == 0)
        return put_row(j, f, ret, err);
    if (n == 7 && strcmp(f[0], "state") == 0)
        return set_state(j, f, err);
    return err_set(err, ERR_USAGE, "not understood");
}

int main(int argc, char **argv)
{
    char line[4096];
    if (argc != 2)
        return 64;
    g_autoptr(journal) j = test_journal(argv[1], JOURNAL_WRITE);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct err err = {0};
        int64_t ret = 0;
        line[strcspn(line, "\n")] = '\0';
        g_auto(GStrv) fields = g_strsplit(line, "\t", 0);
        if (act(j, fields, g_strv_length(fields), &ret, &err))
            printf("%" G_GINT64_FORMAT "\n", ret);
        else
            printf("failed: %s\n", err.msg);
        fflush(stdout);
    }
    return 0;
}
