// SPDX-License-Identifier: Apache-2.0
/* What the journal and the observer have yet to be told. A record is written again and again until a
 * transaction with it is durable; an event is told once, whether or not the journal works. */
#include "migrations/executor/executor_private.h"

void executor_record_free(gpointer record)
{
    struct record *r = record;
    g_free(r->message);
    bson_destroy(r->min);
    bson_destroy(r->max);
    g_free(r);
}

void executor_told_free(gpointer told)
{
    struct told *e = told;
    g_free(e->message);
    g_free(e);
}

static struct record *add_record(executor *x, const struct task *t, const char *message)
{
    struct record *r = g_new0(struct record, 1);
    r->kind = t->kind;
    r->row = t->row;
    r->message = g_strdup(message);
    g_queue_push_tail(&x->unsaved, r);
    return r;
}

static const char *verdict_of(const struct hands_result *r)
{
    return r->class.verdict == VERDICT_NONE ? NULL : error_verdict_text(r->class.verdict);
}

void executor_save_attempt(executor *x, const struct task *t, const struct hands_result *r, int64_t now)
{
    struct record *rec = add_record(x, t, r->message);
    rec->has_attempt = true;
    rec->attempt = (struct journal_attempt){
        .kind = t->kind,
        .row = t->row,
        .number = t->sent,
        .started_at = t->handed_at,
        .ended_at = now,
        .ok = r->outcome == HANDS_COMMITTED,
        .code = r->code,
        .code_name = r->code_name,
        .verdict = verdict_of(r),
        .message = rec->message,
    };
}

static bson_t *copy_bound(const bson_t *b)
{
    return b == NULL ? NULL : bson_copy(b);
}

void executor_save_state(executor *x, const struct task *t, enum migration_state to, const char *message,
                         const struct hands_result *r)
{
    struct record *rec = add_record(x, t, message);
    rec->has_state = true;
    rec->to = to;
    rec->at = executor_now(x);
    rec->outcome = (struct journal_outcome){.message = rec->message, .bytes = -1};
    if (r == NULL)
        return;
    rec->outcome.code = r->code;
    rec->outcome.verdict = verdict_of(r);
    rec->outcome.min = rec->min = copy_bound(r->min);
    rec->outcome.max = rec->max = copy_bound(r->max);
}

static bool write_record(executor *x, const struct record *r, struct err *err)
{
    return (!r->has_attempt || journal_attempt_put(x->j, &r->attempt, err)) &&
           (!r->has_state || journal_row_state(x->j, r->kind, r->row, r->to, r->at, &r->outcome, err));
}

bool executor_write_unsaved(executor *x, struct err *err)
{
    for (const GList *l = g_queue_peek_nth_link(&x->unsaved, x->written); l != NULL; l = l->next) {
        if (!write_record(x, l->data, err))
            return false;
        x->written++;
    }
    return true;
}

void executor_saved(executor *x, bool durable)
{
    x->written = 0;
    if (durable)
        g_queue_clear_full(&x->unsaved, executor_record_free);
}

void executor_tell(executor *x, enum executor_event_kind kind, const struct task *t, const char *code,
                   const char *message, int64_t wait_ms)
{
    struct told *e = g_new0(struct told, 1);
    e->message = g_strdup(message);
    e->event = (struct executor_event){
        .kind = kind,
        .step = t->step,
        .inherited = t->inherited,
        .row = t->row,
        .state = t->state,
        .code = g_intern_string(code),
        .message = e->message,
        .wait_ms = wait_ms,
        .took_ms = t->row > 0 && t->started_at > 0 ? MAX(executor_now(x) - t->started_at, 0) : 0,
    };
    g_queue_push_tail(&x->events, e);
}

/* The observer may call in: what it causes is told in the same go. */
void executor_tell_all(executor *x)
{
    struct told *e;
    while ((e = g_queue_pop_head(&x->events)) != NULL) {
        if (x->observer != NULL)
            x->observer(x->observer_data, &e->event);
        executor_told_free(e);
    }
}
