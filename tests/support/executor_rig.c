// SPDX-License-Identifier: Apache-2.0
#include "tests/support/executor_rig.h"

#include "migrations/executor/executor_private.h"
#include "migrations/journal/history.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/work_make.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PATIENCE_MS = 60000 };

static int64_t clock_of(void *data)
{
    return ((struct rig *)data)->now;
}

struct executor_options rig_options(void)
{
    return (struct executor_options){
        .n_shards = 10,
        .retry_attempts = 3,
        .backoff_ms = 1000,
        .max_backoff_ms = 8000,
        .assumed_bytes = 100,
        .latency_seconds = 1,
        .seed = 7,
    };
}

static void free_work(gpointer w)
{
    work_free(w);
}

void rig_init(struct rig *r)
{
    *r = (struct rig){.now = TEST_T0, .events = g_string_new(NULL), .waits = g_string_new(NULL)};
    r->dir = temp_dir_new();
    r->path = g_build_filename(r->dir->path, "journal.db", NULL);
    r->j = test_journal(r->path, JOURNAL_WRITE);
    r->round = test_round(r->j, NULL, r->now);
    r->hands = fake_hands_new(r->path);
    r->works = g_ptr_array_new_with_free_func(free_work);
}

static void observe(void *data, const struct executor_event *e)
{
    static const char letters[] = {
        [EXECUTOR_STARTED] = 'S', [EXECUTOR_ENDED] = 'E',   [EXECUTOR_UNKNOWN] = 'U',
        [EXECUTOR_RETRY] = 'R',   [EXECUTOR_DROPPED] = 'D', [EXECUTOR_INHERITED] = 'I'};
    struct rig *r = data;
    if (r->watch != NULL)
        r->watch(r->watch_data, e);
    const unsigned id = e->step != NULL ? e->step->id : e->inherited->step;
    g_string_append_printf(r->events, "%s%c%s%u", r->events->len > 0 ? " " : "", letters[e->kind],
                           e->inherited != NULL ? "*" : "", id);
    if (e->kind != EXECUTOR_STARTED && e->kind != EXECUTOR_UNKNOWN && e->kind != EXECUTOR_INHERITED)
        g_string_append_printf(r->events, ":%s", e->code);
    if (e->kind == EXECUTOR_RETRY)
        g_string_append_printf(r->waits, "%s%" G_GINT64_FORMAT, r->waits->len > 0 ? " " : "", e->wait_ms);
    if (e->message == NULL)
        return;
    g_free(r->last_message);
    r->last_message = g_strdup(e->message);
}

void rig_start(struct rig *r, const struct executor_options *opt)
{
    struct executor_options o = *opt;
    const struct hands hands = fake_hands_table(r->hands);
    struct err err = {0};
    o.now = clock_of;
    o.now_data = r;
    if (!executor_new(&o, &hands, r->j, r->round, observe, r, &r->x, &err))
        fail_msg("%s", err.msg);
}

void rig_clear(struct rig *r)
{
    executor_free(r->x);
    fake_hands_end(r->hands);
    fake_hands_free(r->hands);
    g_ptr_array_unref(r->works);
    journal_free(r->j);
    g_string_free(r->events, TRUE);
    g_string_free(r->waits, TRUE);
    g_free(r->last_message);
    g_free(r->path);
    temp_dir_free(r->dir);
}

void rig_put_plan(struct rig *r, const work *w)
{
    const struct journal_plan p = {
        .plan_id = w->plan_id, .source = "a test", .policy = "count", .who = "alice"};
    g_autofree struct journal_step *steps = g_new0(struct journal_step, w->steps->len);
    struct err err = {0};
    bool known;
    for (guint i = 0; i < w->steps->len; i++)
        steps[i] = executor_journal_step(w->steps->pdata[i]);
    if (!journal_plan_put(r->j, &p, steps, w->steps->len, &known, &err))
        fail_msg("%s", err.msg);
}

static work *keep_work(struct rig *r, const char *steps)
{
    work *w = work_make_text(steps);
    g_ptr_array_add(r->works, w);
    return w;
}

void rig_add(struct rig *r, const char *steps, bool with_plan)
{
    const work *w = keep_work(r, steps);
    if (with_plan)
        rig_put_plan(r, w);
    executor_add(r->x, w, NULL, with_plan ? w->plan_id : NULL);
}

void rig_add_done(struct rig *r, const char *steps, unsigned id)
{
    const work *w = keep_work(r, steps);
    g_autofree bool *done = g_new0(bool, w->steps->len + 1);
    rig_put_plan(r, w);
    done[id] = true;
    executor_add(r->x, w, done, w->plan_id);
}

void rig_say(struct rig *r, const char *answers)
{
    g_auto(GStrv) lines = g_strsplit(answers, "; ", -1);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) parts = g_strsplit(lines[i], ": ", 2);
        assert_non_null(parts[1]);
        fake_hands_say(r->hands, parts[0], parts[1]);
    }
}

/* --- running --- */

static unsigned with_workers(const struct rig *r)
{
    unsigned n = 0;
    for (guint i = 0; i < r->x->tasks->len; i++)
        n += ((const struct task *)r->x->tasks->pdata[i])->with_worker ? 1 : 0;
    return n;
}

/* True: a result is there; false: there will be none until the test gives an answer. */
static bool wait_for_result(struct rig *r)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = executor_fd(r->x), .events = POLLIN},
                               {.fd = fake_hands_fd(r->hands), .events = POLLIN}};
        const unsigned out = with_workers(r);
        if (poll(fds, 1, 0) > 0)
            return true;
        if (fake_hands_waiting(r->hands) == out)
            return poll(fds, 1, 0) > 0;
        if (poll(fds, 2, PATIENCE_MS) == 0)
            fail_msg("no worker does anything");
    }
}

void rig_run(struct rig *r, int64_t ms)
{
    const int64_t end = r->now + ms;
    for (;;) {
        if (!executor_turn(r->x, &r->err))
            r->journal_failed = true;
        if (executor_finished(r->x))
            return;
        if (wait_for_result(r))
            continue;
        const int64_t wait = executor_wait_ms(r->x);
        if (wait < 0 || wait > end - r->now) {
            r->now = wait < 0 ? r->now : end;
            return;
        }
        r->now += wait;
    }
}

static bool add_row(void *data, const struct history_row *row, struct err *err)
{
    GString *out = data;
    (void)err;
    g_string_append_printf(out, "%s%c%u %s/%u", out->len > 0 ? "; " : "",
                           row->kind == JOURNAL_SPLIT ? 's' : 'm', row->step,
                           migration_state_text(row->state), row->attempts);
    return true;
}

char *rig_rows(const struct rig *r)
{
    const struct history_filter all = {0};
    GString *out = g_string_new(NULL);
    struct err err = {0};
    if (!history_rows(r->j, &all, add_row, out, &err))
        fail_msg("%s", err.msg);
    return g_string_free(out, FALSE);
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *rig_sorted(const char *list)
{
    g_auto(GStrv) words = g_strsplit(list, "; ", -1);
    qsort(words, g_strv_length(words), sizeof(*words), by_text);
    return g_strjoinv("; ", words);
}

void rig_check(struct rig *r)
{
    g_autofree char *fault = fake_hands_fault(r->hands);
    if (fault != NULL)
        fail_msg("%s", fault);
}
