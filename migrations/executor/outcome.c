// SPDX-License-Identifier: Apache-2.0
/* What the hands' answers mean for a task: an end, another try, or a look later. */
#include "migrations/executor/executor_private.h"

#include "common/escape.h"

#include <string.h>

/* Others that are in the way, and a cluster that cannot be reached, are no fault of the step. */
enum { PATIENCE = 4, JITTER_FROM_PERCENT = 50 };

static void end_with(executor *x, struct task *t, enum migration_state s, const char *code,
                     const struct hands_result *r)
{
    const struct ending e = {.state = s, .done = s == MIGRATION_COMMITTED, .code = code, .result = r};
    executor_end(x, t, &e);
}

/* --- failures --- */

static void stop_by(executor *x, const struct hands_result *r)
{
    g_autoptr(GString) said = g_string_new(NULL);
    text_append_escaped(said, r->message == NULL ? "the cluster refuses" : r->message, -1);
    if (r->class.advice != NULL)
        g_string_append_printf(said, "; %s", r->class.advice);
    if (x->stopped_by == NULL)
        x->stopped_by = g_string_free(g_steal_pointer(&said), FALSE);
    executor_stop(x, "stopped");
}

static void refuse_retries(executor *x, const char *ns, const char *to, const char *code)
{
    for (guint i = 0; i < x->tasks->len; i++) {
        struct task *t = x->tasks->pdata[i];
        if (t->step != NULL && (ns == NULL || strcmp(task_ns(t), ns) == 0) &&
            (to == NULL || g_strcmp0(task_to(t), to) == 0))
            t->no_retry = code;
    }
}

static void drop_others(executor *x, const char *ns, const char *to, const struct hands_result *r)
{
    const char *code = to != NULL ? "recipient" : "collection";
    g_autoptr(GArray) dropped = g_array_new(FALSE, FALSE, sizeof(size_t));
    schedule_drop(x->schedule, ns, to, dropped);
    refuse_retries(x, ns, to, code);
    executor_drop(x, dropped, code, r->message);
}

/* No other try. Of a collection's fault that is the recipient's, too, only what goes there is dropped. */
static void fail(executor *x, struct task *t, const char *code, const struct hands_result *r)
{
    g_autofree char *ns = g_strdup(task_ns(t)), *to = g_strdup(task_to(t));
    const bool of_step = t->step != NULL && t->parent == NULL;
    const bool recipient = r->class.drop_recipient && to != NULL;
    const bool tried = t->sent > 0 || r->outcome == HANDS_FAILED || r->outcome == HANDS_NOT;
    end_with(x, t, tried ? MIGRATION_FAILED : MIGRATION_ABORTED, code, r);
    if (r->class.verdict == VERDICT_STOP)
        stop_by(x, r);
    else if (of_step && r->class.verdict == VERDICT_COLLECTION)
        drop_others(x, ns, recipient ? to : NULL, r);
    else if (of_step && recipient && r->class.verdict != VERDICT_CHUNK)
        drop_others(x, NULL, to, r);
}

void executor_give_up(executor *x, struct task *t, const char *code)
{
    struct hands_result last = t->last;
    memset(&t->last, 0, sizeof(t->last));
    end_with(x, t, t->sent > 0 ? MIGRATION_FAILED : MIGRATION_ABORTED, code, &last);
    hands_result_clear(&last);
}

/* --- another try --- */

/* Doubles with every try, half to all of it by chance, so that those who collided do not meet again. */
static int64_t back_off(executor *x, unsigned before, bool long_wait)
{
    int64_t wait = long_wait ? x->opt.max_backoff_ms : x->opt.backoff_ms;
    for (unsigned i = 0; i < before && wait < x->opt.max_backoff_ms; i++)
        wait *= 2;
    wait = CLAMP(wait, 0, x->opt.max_backoff_ms);
    return wait * g_rand_int_range(x->rand, JITTER_FROM_PERCENT, 101) / 100;
}

static void remember(struct task *t, const struct hands_result *r)
{
    hands_result_clear(&t->last);
    t->last = *r;
    t->last.message = g_strdup(r->message);
    t->last.min = t->last.max = NULL;
}

static void rest(executor *x, struct task *t, int64_t wait, const char *code, const struct hands_result *r)
{
    remember(t, r);
    t->phase = PHASE_RESTING;
    t->look_at = executor_now(x) + wait;
    executor_tell(x, EXECUTOR_RETRY, t, code, r->message, wait);
    schedule_delay(x->schedule, (size_t)t->number, t->look_at);
}

/* Why there is no other try; NULL: there is one. */
static const char *no_other_try(const executor *x, const struct task *t)
{
    if (t->number < 0)
        return "failed";
    return x->stop != NULL ? x->stop : t->no_retry;
}

bool executor_tries_left(const executor *x, unsigned before, bool patient)
{
    return before < MAX(x->opt.retry_attempts, 1) * (patient ? PATIENCE : 1);
}

static bool tries_left(const executor *x, const struct task *t, bool patient)
{
    return executor_tries_left(x, patient ? t->waits : t->tries, patient);
}

static void try_again(executor *x, struct task *t, bool patient, const struct hands_result *r)
{
    const unsigned before = patient ? t->waits++ : t->tries++;
    const char *code = r->outcome == HANDS_UNREACHABLE ? "unreachable" : "failed";
    if (no_other_try(x, t) != NULL || !tries_left(x, t, patient))
        fail(x, t, code, r);
    else
        rest(x, t, back_off(x, before, r->class.long_wait), code, r);
}

static void too_big(executor *x, struct task *t, const struct hands_result *r)
{
    const bool may = t->kind == JOURNAL_MIGRATION && no_other_try(x, t) == NULL;
    if (may && x->opt.jumbo == EXECUTOR_JUMBO_FORCE && !t->force && !t->step->force_jumbo) {
        t->force = true;
        rest(x, t, 0, "jumbo", r);
    } else if (may && x->opt.jumbo == EXECUTOR_JUMBO_SPLIT) {
        remember(t, r);
        t->phase = PHASE_CUTTING;
        g_ptr_array_add(x->cutting, t);
    } else {
        fail(x, t, "jumbo", r);
    }
}

/* --- the missing reply --- */

static void settle_later(executor *x, struct task *t)
{
    static const int64_t waits[] = {200, 1000, 2000, 5000, 10000, 30000};
    t->phase = PHASE_SETTLING;
    t->look_at = executor_now(x) + waits[MIN(t->looks, G_N_ELEMENTS(waits) - 1)];
    t->looks++;
}

static void become_unknown(executor *x, struct task *t, const struct hands_result *r)
{
    executor_save_state(x, t, MIGRATION_UNKNOWN, r->message, r);
    t->state = MIGRATION_UNKNOWN;
    remember(t, r);
    if (r->min != NULL)
        t->min = bson_copy(r->min);
    if (r->max != NULL)
        t->max = bson_copy(r->max);
    executor_tell(x, EXECUTOR_UNKNOWN, t, "unknown", r->message, 0);
    settle_later(x, t);
}

/* What the reply that said too little asked for, now that it is known that nothing came of it. */
static struct hands_result as_failed(const struct task *t, const struct hands_result *settled)
{
    struct hands_result r = *settled;
    r.outcome = HANDS_NOT;
    r.code = t->last.code;
    r.code_name = t->last.code_name;
    r.class = t->last.class;
    r.class.unknown = false;
    return r;
}

/* The row ends; the step may get another one. Whoever got no reply at all may try again. */
static void not_carried_out(executor *x, struct task *t, const struct hands_result *settled)
{
    const struct hands_result r = as_failed(t, settled);
    const bool patient = r.class.contention;
    const bool soon = patient || r.class.verdict == VERDICT_SOON || r.class.verdict == VERDICT_NONE;
    const unsigned before = patient ? t->waits++ : t->tries++;
    if (!soon || no_other_try(x, t) != NULL || !tries_left(x, t, patient)) {
        fail(x, t, "notCarriedOut", &r);
        return;
    }
    const struct ending e = {.state = MIGRATION_FAILED, .code = "notCarriedOut", .result = &r};
    executor_end_row(x, t, &e);
    rest(x, t, back_off(x, before, r.class.long_wait), "notCarriedOut", &r);
}

static void count_blind(executor *x, struct task *t, const struct hands_result *r)
{
    t->blind = r->outcome == HANDS_UNREACHABLE ? t->blind + 1 : 0;
    if (t->blind == 0)
        return;
    g_free(x->blind_why);
    x->blind_why = g_strdup(r->message);
}

static void take_settlement(executor *x, struct task *t, const struct hands_result *r)
{
    count_blind(x, t, r);
    if (r->outcome == HANDS_COMMITTED)
        end_with(x, t, MIGRATION_COMMITTED, "committed", r);
    else if (r->outcome == HANDS_NOT)
        not_carried_out(x, t, r);
    else if (r->outcome == HANDS_VOID)
        end_with(x, t, MIGRATION_ABORTED, "void", r);
    else
        settle_later(x, t);
}

/* --- the reply --- */

static void take_failure(executor *x, struct task *t, const struct hands_result *r)
{
    if (r->class.unknown)
        become_unknown(x, t, r);
    else if (r->class.verdict == VERDICT_SPLIT)
        too_big(x, t, r);
    else if (r->class.contention)
        try_again(x, t, true, r);
    else if (r->class.verdict == VERDICT_SOON)
        try_again(x, t, false, r);
    else
        fail(x, t, "failed", r);
}

static void take_already(executor *x, struct task *t, const struct hands_result *r)
{
    g_autofree char *message =
        task_to(t) == NULL ? g_strdup("already split") : g_strdup_printf("already on %s", task_to(t));
    const struct ending e = {
        .state = MIGRATION_ABORTED, .done = true, .code = "already", .message = message, .result = r};
    executor_end(x, t, &e);
}

static void take_reply(executor *x, struct task *t, const struct hands_result *r)
{
    switch (r->outcome) {
    case HANDS_COMMITTED:
        end_with(x, t, MIGRATION_COMMITTED, "committed", r);
        break;
    case HANDS_ALREADY:
        take_already(x, t, r);
        break;
    case HANDS_CHANGED:
        end_with(x, t, MIGRATION_ABORTED, "changed", r);
        break;
    case HANDS_NOT_ALLOWED:
        end_with(x, t, MIGRATION_ABORTED, "notAllowed", r);
        break;
    case HANDS_VOID:
        end_with(x, t, MIGRATION_ABORTED, "void", r);
        break;
    case HANDS_UNREACHABLE:
        try_again(x, t, true, r);
        break;
    case HANDS_UNKNOWN:
    case HANDS_IN_FLIGHT:
        become_unknown(x, t, r);
        break;
    case HANDS_FAILED:
    case HANDS_NOT:
        take_failure(x, t, r);
        break;
    }
}

void executor_take_result(executor *x, struct task *t, const struct worker_job *job)
{
    const struct hands_result *r = &job->result;
    t->with_worker = false;
    if (job->ask.kind == HANDS_SETTLE) {
        take_settlement(x, t, r);
        return;
    }
    if (r->sent) {
        t->sent++;
        if (t->sent_at == 0)
            t->sent_at = t->handed_at;
        executor_save_attempt(x, t, r, executor_now(x));
    }
    take_reply(x, t, r);
}
