// SPDX-License-Identifier: Apache-2.0
/* The one way in which a row, a task and a step end. */
#include "migrations/executor/executor_private.h"

#include <string.h>

void executor_end_row(executor *x, struct task *t, const struct ending *e)
{
    const char *message = e->message;
    if (message == NULL && e->result != NULL)
        message = e->result->message;
    executor_save_state(x, t, e->state, message, e->result);
    t->state = e->state;
    executor_tell(x, EXECUTOR_ENDED, t, e->code, message, 0);
    executor_reserve(x, t, false);
    task_forget_row(t);
}

/* --- counting --- */

static void count_step(executor *x, const struct work_step *s, const struct ending *e, bool had_row)
{
    const int64_t bytes = s->kind == WORK_MOVE ? MAX(s->bytes, 0) : 0;
    x->count.bytes_left -= bytes;
    if (e->done && e->state != MIGRATION_COMMITTED) {
        x->count.already++;
    } else if (e->done && s->kind == WORK_SPLIT) {
        x->count.splits++;
    } else if (e->done) {
        x->count.committed++;
        x->count.bytes += bytes;
        x->limited_bytes += executor_size(x, s);
    } else if (had_row && e->state == MIGRATION_FAILED) {
        x->count.failed++;
    } else {
        x->count.dropped++;
    }
}

/* --- tasks --- */

static void remove_task(executor *x, struct task *t)
{
    struct task *last = x->tasks->pdata[x->tasks->len - 1];
    last->place = t->place;
    x->tasks->pdata[t->place] = last;
    g_ptr_array_set_size(x->tasks, (gint)x->tasks->len - 1);
    if (t->number >= 0)
        executor_slot(x, (size_t)t->number)->task = NULL;
    task_free(t);
}

static void release_inherited(executor *x, const struct task *t)
{
    schedule_release(x->schedule, t->inherited->from);
    if (t->inherited->to != NULL)
        schedule_release(x->schedule, t->inherited->to);
    x->n_inherited--;
}

/* Whether the chunk of a migration that was too big could be cut: the migration itself ends either way. */
static void end_parent(executor *x, struct task *parent, const struct ending *of_split)
{
    const struct ending e = {
        .state = MIGRATION_FAILED,
        .code = of_split->done ? "split" : "jumbo",
        .message = of_split->done ? "the chunk was too big and has been split; the next plan moves the parts"
                                  : "the chunk is too big, and could not be split",
        .result = &parent->last,
    };
    executor_end(x, parent, &e);
}

/* One step that is over and has left the schedule. */
static void end_step(executor *x, size_t number, const struct ending *e)
{
    struct slot *slot = executor_slot(x, number);
    struct task none = {
        .number = (long)number, .step = schedule_step(x->schedule, number), .state = e->state};
    struct task *t = slot->task != NULL ? slot->task : &none;
    const bool had_row = t->row > 0;
    if (had_row)
        executor_end_row(x, t, e);
    else
        executor_tell(x, EXECUTOR_DROPPED, t, e->code, e->message, 0);
    slot->ended = true;
    count_step(x, t->step, e, had_row);
    if (slot->task != NULL)
        remove_task(x, t);
}

/* A step that rests after commands that failed ends as failed; one that never sent any, as aborted. */
void executor_drop(executor *x, const GArray *numbers, const char *code, const char *message)
{
    for (guint i = 0; i < numbers->len; i++) {
        const size_t number = g_array_index(numbers, size_t, i);
        struct task *t = executor_slot(x, number)->task;
        struct hands_result last = {0};
        struct ending e = {.state = MIGRATION_ABORTED, .code = code, .message = message};
        if (t != NULL && t->sent > 0)
            e.state = MIGRATION_FAILED;
        if (t != NULL && t->row > 0 && t->last.message != NULL) {
            last = t->last;
            memset(&t->last, 0, sizeof(t->last));
            e.result = &last;
            e.message = NULL; /* the cluster's words say more */
        }
        end_step(x, number, &e);
        hands_result_clear(&last);
    }
}

static void end_in_schedule(executor *x, size_t number, const struct ending *e)
{
    g_autoptr(GArray) resting = g_array_new(FALSE, FALSE, sizeof(size_t));
    if (e->done)
        schedule_done(x->schedule, number);
    else
        schedule_dropped(x->schedule, number, resting);
    end_step(x, number, e);
    executor_drop(x, resting, "restsOnFailed", "a step that it rests on was not carried out");
}

void executor_end(executor *x, struct task *t, const struct ending *e)
{
    struct task *parent = t->parent;
    if (t->number >= 0) {
        end_in_schedule(x, (size_t)t->number, e);
        return;
    }
    if (t->row > 0)
        executor_end_row(x, t, e);
    if (t->inherited != NULL) {
        release_inherited(x, t);
        if (e->state == MIGRATION_COMMITTED)
            executor_step_done(x, t->inherited);
    } else if (e->done) {
        x->count.splits++;
    }
    remove_task(x, t);
    if (parent != NULL)
        end_parent(x, parent, e);
}

/* --- steps that an earlier run had under way --- */

static long number_of(const executor *x, const struct journal_open_row *r)
{
    for (guint i = 0; r->plan_id != NULL && i < x->spans->len; i++) {
        const struct span *s = &g_array_index(x->spans, struct span, i);
        if (g_strcmp0(s->plan_id, r->plan_id) != 0)
            continue;
        for (size_t n = s->first; n < s->first + s->n; n++)
            if (schedule_step(x->schedule, n)->id == r->step)
                return (long)n;
    }
    return -1;
}

void executor_step_done(executor *x, const struct journal_open_row *r)
{
    const long number = number_of(x, r);
    if (number < 0)
        return;
    const struct slot *slot = executor_slot(x, (size_t)number);
    if (slot->ended || slot->task != NULL)
        return;
    const struct ending e = {.state = MIGRATION_ABORTED,
                             .done = true,
                             .code = "already",
                             .message = "an earlier run had it under way, and it was carried out"};
    end_in_schedule(x, (size_t)number, &e);
}
