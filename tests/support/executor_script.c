// SPDX-License-Identifier: Apache-2.0
#include "tests/support/executor_script.h"

#include "tests/support/fault_vfs.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/work_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct script {
    const char *name, *line;
    struct rig r;
    size_t asked; /* how much of what was asked has been looked at */
};

static void check_text(const struct script *s, const char *got, const char *want)
{
    if (g_strcmp0(got, want) != 0)
        fail_msg("%s: \"%s\": got \"%s\"", s->name, s->line, got == NULL ? "(nothing)" : got);
}

static void check_number(const struct script *s, int64_t got, const char *want)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, got);
    check_text(s, text, want);
}

static struct executor_status status_of(const struct script *s)
{
    struct executor_status st;
    executor_status(s->r.x, &st);
    return st;
}

static const char *or_null(const char *text)
{
    return strcmp(text, "-") == 0 ? NULL : text;
}

/* --- done --- */

static void add(struct script *s, const char *text)
{
    rig_add(&s->r, text, false);
}

static void add_plan(struct script *s, const char *text)
{
    rig_add(&s->r, text, true);
}

static void add_done(struct script *s, const char *text)
{
    const unsigned id = (unsigned)atoi(text);
    rig_add_done(&s->r, strchr(text, ' ') + 1, id);
}

static void leave_row(struct script *s, const struct work_step *step, const char *plan_id,
                      enum migration_state state)
{
    const enum journal_kind kind = step->kind == WORK_SPLIT ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
    const struct journal_step row = executor_journal_step(step);
    const int64_t at = s->r.now - 60000;
    struct err err = {0};
    int64_t id;
    if (!journal_row_planned(s->r.j, kind, s->r.round, plan_id, &row, at, &id, &err) ||
        (state != MIGRATION_PLANNED &&
         !journal_row_state(s->r.j, kind, id, MIGRATION_STARTED, at + 1, NULL, &err)) ||
        (state == MIGRATION_UNKNOWN &&
         !journal_row_state(s->r.j, kind, id, MIGRATION_UNKNOWN, at + 2, NULL, &err)))
        fail_msg("%s: %s: %s", s->name, s->line, err.msg);
}

static void leave_rows(struct script *s, const char *text)
{
    const bool of_plan = g_str_has_prefix(text, "plan ");
    g_auto(GStrv) words = g_strsplit(of_plan ? text + 5 : text, " ", 2);
    work *w = work_make_text(words[1]);
    enum migration_state state;
    if (!migration_state_parse(words[0], &state))
        fail_msg("%s: %s", s->name, s->line);
    if (of_plan)
        rig_put_plan(&s->r, w);
    for (guint i = 0; i < (of_plan ? 1 : w->steps->len); i++)
        leave_row(s, w->steps->pdata[i], of_plan ? w->plan_id : NULL, state);
    work_free(w);
}

static void inherit(struct script *s, const char *text)
{
    GPtrArray *rows;
    struct err err = {0};
    (void)text;
    if (!journal_open_rows(s->r.j, &rows, &err))
        fail_msg("%s: %s", s->name, err.msg);
    executor_inherit(s->r.x, rows);
}

static void say(struct script *s, const char *text)
{
    rig_say(&s->r, text);
}

static void say_to_all(struct script *s, const char *text)
{
    fake_hands_otherwise(s->r.hands, or_null(text));
}

static void run(struct script *s, const char *text)
{
    rig_run(&s->r, g_ascii_strtoll(text, NULL, 10));
}

static void let_time_pass(struct script *s, const char *text)
{
    s->r.now += g_ascii_strtoll(text, NULL, 10);
}

static void hold(struct script *s, const char *text)
{
    executor_hold(s->r.x, or_null(text));
}

static void stop(struct script *s, const char *text)
{
    executor_stop(s->r.x, text);
}

static void leave(struct script *s, const char *text)
{
    const bool breaks = strcmp(text, "broken") == 0;
    if (executor_leave(s->r.x, &s->r.err) == breaks)
        fail_msg("%s: %s: %s", s->name, s->line, s->r.err.msg);
}

static void wait_until_back(struct script *s, const char *text)
{
    (void)text;
    while (executor_inside(s->r.x) > 0)
        g_usleep(1000);
}

static void run_sql(struct script *s, const char *text)
{
    test_exec(s->r.path, text);
}

static void break_disk(struct script *s, const char *text)
{
    (void)s;
    fault_vfs_fail((unsigned)atoi(text), FAULT_FOREVER, FAULT_IO);
}

static void mend(struct script *s, const char *text)
{
    (void)s;
    (void)text;
    fault_vfs_fail(0, 0, FAULT_IO);
}

/* --- seen --- */

static void see_events(struct script *s, const char *text)
{
    check_text(s, s->r.events->str + (s->r.events->str[0] == ' ' ? 1 : 0), text);
    g_string_truncate(s->r.events, 0);
}

static void see_rows(struct script *s, const char *text)
{
    g_autofree char *rows = rig_rows(&s->r), *sorted = rig_sorted(rows);
    check_text(s, sorted, text);
}

static void see_counts(struct script *s, const char *text)
{
    const struct executor_status st = status_of(s);
    g_autofree char *got =
        g_strdup_printf("%u %u %u %u %u", st.committed, st.already, st.failed, st.dropped, st.splits);
    check_text(s, got, text);
}

static void see_bytes(struct script *s, const char *text)
{
    const struct executor_status st = status_of(s);
    g_autofree char *got = g_strdup_printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT, st.bytes, st.bytes_left);
    check_text(s, got, text);
}

static void see_under(struct script *s, const char *text)
{
    check_number(s, status_of(s).under_way, text);
}

static void see_settling(struct script *s, const char *text)
{
    check_number(s, status_of(s).settling, text);
}

static void see_waiting(struct script *s, const char *text)
{
    check_number(s, (int64_t)status_of(s).waiting, text);
}

static void see_seconds(struct script *s, const char *text)
{
    check_number(s, (int64_t)(status_of(s).remaining_seconds + 0.5), text);
}

static void see_holds(struct script *s, const char *text)
{
    const struct executor_status st = status_of(s);
    g_autofree char *got = st.holds_until > 0
                               ? g_strdup_printf("%s %" G_GINT64_FORMAT, st.holds, st.holds_until - TEST_T0)
                               : g_strdup(st.holds == NULL ? "-" : st.holds);
    check_text(s, got, text);
}

static void see_wait(struct script *s, const char *text)
{
    check_number(s, executor_wait_ms(s->r.x), text);
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void see_busy(struct script *s, const char *text)
{
    g_autoptr(GPtrArray) busy = executor_busy_shards(s->r.x);
    g_ptr_array_sort(busy, by_text);
    g_ptr_array_add(busy, NULL);
    g_autofree char *got = g_strjoinv(",", (char **)busy->pdata);
    check_text(s, got, text);
}

static void see_list(struct script *s, const char *text)
{
    g_autoptr(GArray) list = executor_list(s->r.x);
    g_autoptr(GString) got = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) {
        const struct executor_under_way *u = &g_array_index(list, struct executor_under_way, i);
        g_string_append_printf(got, "%s%s%s>%s#%u", i > 0 ? ";" : "",
                               u->settling ? "?"
                               : u->split  ? "/"
                                           : "",
                               u->from, u->to == NULL ? "" : u->to, u->attempt);
    }
    check_text(s, got->str, text);
}

static void see_asked(struct script *s, const char *text)
{
    g_autofree char *asked = fake_hands_asked(s->r.hands);
    const char *since = asked + MIN(s->asked, strlen(asked));
    g_autofree char *sorted = rig_sorted(g_str_has_prefix(since, "; ") ? since + 2 : since);
    check_text(s, sorted, text);
    s->asked = strlen(asked);
}

static void see_message(struct script *s, const char *text)
{
    check_text(s, s->r.last_message, text);
}

static void see_stopped(struct script *s, const char *text)
{
    check_text(s, executor_stopped_by(s->r.x), or_null(text));
}

static void see_inside(struct script *s, const char *text)
{
    check_number(s, executor_inside(s->r.x), text);
}

static void see_finished(struct script *s, const char *text)
{
    check_text(s, executor_finished(s->r.x) ? "yes" : "no", text);
}

static void see_failed(struct script *s, const char *text)
{
    if (!s->r.journal_failed || strstr(s->r.err.msg, text) == NULL)
        fail_msg("%s: \"%s\": %s", s->name, s->line, s->r.journal_failed ? s->r.err.msg : "did not fail");
}

/* --- lines --- */

static const struct {
    const char *word;
    void (*run)(struct script *s, const char *text);
} verbs[] = {
    {"add", add},
    {"plan", add_plan},
    {"done", add_done},
    {"left", leave_rows},
    {"inherit", inherit},
    {"say", say},
    {"all", say_to_all},
    {"run", run},
    {"hold", hold},
    {"stop", stop},
    {"leave", leave},
    {"break", break_disk},
    {"mend", mend},
    {"back", wait_until_back},
    {"time", let_time_pass},
    {"sql", run_sql},
    {"events", see_events},
    {"rows", see_rows},
    {"counts", see_counts},
    {"bytes", see_bytes},
    {"under", see_under},
    {"settling", see_settling},
    {"waiting", see_waiting},
    {"seconds", see_seconds},
    {"holds", see_holds},
    {"wait", see_wait},
    {"busy", see_busy},
    {"list", see_list},
    {"asked", see_asked},
    {"message", see_message},
    {"stopped", see_stopped},
    {"inside", see_inside},
    {"finished", see_finished},
    {"failed", see_failed},
};

static void run_line(struct script *s, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 2);
    s->line = line;
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (strcmp(words[0], verbs[i].word) == 0) {
            verbs[i].run(s, words[1] == NULL ? "" : words[1]);
            return;
        }
    fail_msg("%s: no such word: %s", s->name, line);
}

void script_run(const char *name, const struct executor_options *opt, const char *const *lines)
{
    struct script s = {.name = name};
    rig_init(&s.r);
    rig_start(&s.r, opt);
    print_message("%s\n", name);
    for (; *lines != NULL; lines++)
        run_line(&s, *lines);
    mend(&s, "");
    rig_check(&s.r);
    rig_clear(&s.r);
}
