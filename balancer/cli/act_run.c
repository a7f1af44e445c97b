// SPDX-License-Identifier: Apache-2.0
/* Carrying work out: the round's row, the executor, what became of each step. */
#include "balancer/cli/cli_act.h"

#include "balancer/setup/acting.h"

#include <string.h>

struct run {
    struct act *a;
    struct act_outcome *out;
};

static void missed_free(void *data)
{
    struct act_missed *m = data;
    g_free(m->code);
    g_free(m->message);
    g_free(m);
}

void act_outcome_clear(struct act_outcome *o)
{
    g_clear_pointer(&o->missed, g_ptr_array_unref);
    g_clear_pointer(&o->already, g_array_unref);
    g_clear_pointer(&o->stopped_by, g_free);
}

static void on_event(void *data, const struct executor_event *e)
{
    struct run *r = data;
    act_progress_event(r->a->progress, e);
    bool ended = e->kind == EXECUTOR_ENDED || e->kind == EXECUTOR_DROPPED;
    if (e->step == NULL || !ended || e->state == MIGRATION_COMMITTED)
        return;
    if (strcmp(e->code, "already") == 0) {
        g_array_append_val(r->out->already, e->step->id);
        return;
    }
    struct act_missed *m = g_new(struct act_missed, 1);
    *m = (struct act_missed){.step = e->step,
                             .code = g_strdup(e->code),
                             .message = g_strdup(e->message),
                             .failed = e->kind == EXECUTOR_ENDED && e->state == MIGRATION_FAILED};
    g_ptr_array_add(r->out->missed, m);
}

static struct executor_options options_of(const struct act *a, const struct act_job *job)
{
    struct executor_options opt = acting_executor(a->cfg, job->cl);
    opt.max_moves = a->args->max_moves;
    opt.max_bytes = a->args->max_bytes;
    opt.max_ms = a->args->max_ms;
    opt.wait_cool_down = job->wait_cool_down;
    opt.seed = g_random_int();
    return opt;
}

/* What of the work is left to do, for the round's row. */
static struct journal_round round_of(const struct act *a, const struct act_job *job, size_t *ret_done)
{
    const work *w = job->work;
    struct journal_round r = {.kind = job->kind,
                              .plan_id = job->plan_id,
                              .policy = w->policy,
                              .who = a->who,
                              .reason = job->reason,
                              .started_at = act_now()};
    *ret_done = 0;
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *s = w->steps->pdata[i];
        if (job->done != NULL && job->done[s->id]) {
            (*ret_done)++;
            continue;
        }
        *(s->kind == WORK_SPLIT ? &r.planned_splits : &r.planned_migrations) += 1;
        if (s->kind == WORK_MOVE)
            r.planned_bytes += MAX(s->bytes, 0);
    }
    if (w->steps->len > 0)
        r.planned_seconds = w->expected_seconds * (double)(w->steps->len - *ret_done) / (double)w->steps->len;
    return r;
}

static enum round_state state_of(const struct act_outcome *o)
{
    if (o->end == ACT_CANCELLED || o->end == ACT_LEFT)
        return ROUND_CANCELLED;
    return o->end == ACT_BLIND || o->stopped_by != NULL || o->status.failed > 0 ? ROUND_FAILED : ROUND_DONE;
}

static bool end_round(struct act *a, const struct act_outcome *o, struct err *err)
{
    g_autoptr(GString) note = g_string_new(NULL);
    const struct executor_status *s = &o->status;
    g_string_append_printf(note, "%u committed, %u failed, %u not carried out", s->committed + s->already,
                           s->failed, s->dropped);
    if (a->n_left > 0)
        g_string_append_printf(note, ", %u left to the cluster", a->n_left);
    if (o->stopped_by != NULL)
        g_string_append_printf(note, "; stopped: %s", o->stopped_by);
    return journal_round_end(a->journal, o->round, state_of(o), act_now(), note->str, err);
}

static bool carry_out(struct run *r, const struct act_job *job, size_t done, struct err *err)
{
    struct act *a = r->a;
    struct act_outcome *o = r->out;
    struct hands hands;
    g_autoptr(executor) x = NULL;
    const struct executor_options opt = options_of(a, job);
    if (!act_hands(a, job->cl, &hands, err) ||
        !executor_new(&opt, &hands, a->journal, o->round, on_event, r, &x, err))
        return false;
    gint64 began = g_get_monotonic_time();
    a->progress = act_progress_new(a, job->work->steps->len, done);
    executor_until(x, job->window_end, ACT_WINDOW);
    executor_add(x, job->work, job->done, job->plan_id);
    bool sound = act_turn(a, x, &o->end, err);
    g_clear_pointer(&a->progress, act_progress_free);
    o->seconds = (double)(g_get_monotonic_time() - began) / 1e6;
    o->stopped_by = g_strdup(executor_stopped_by(x));
    executor_status(x, &o->status);
    return sound;
}

bool act_run(struct act *a, const struct act_job *job, struct act_outcome *ret, struct err *err)
{
    struct act_outcome out = {.missed = g_ptr_array_new_with_free_func(missed_free),
                              .already = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
    struct run r = {.a = a, .out = &out};
    size_t done;
    const struct journal_round row = round_of(a, job, &done);
    bool started = journal_round_start(a->journal, &row, &out.round, err);
    if (started && carry_out(&r, job, done, err) && end_round(a, &out, err)) {
        *ret = out;
        return true;
    }
    /* Where the journal is what failed, this does too: the next run finds the round interrupted. */
    if (started)
        journal_round_end(a->journal, out.round, ROUND_FAILED, act_now(), err->msg, NULL);
    act_outcome_clear(&out);
    return false;
}

bool act_incomplete(struct act *a, const struct act_outcome *o, uint32_t left, uint32_t all, const char *how,
                    struct err *err)
{
    if (a->lease_lost && !act_lease_check(a, err))
        return err_wrap(err, "not complete: %u of %u left", left, all);
    if (o->end == ACT_BLIND)
        return act_blind(a, err);
    return o->stopped_by != NULL ? err_set(err, ERR_FAILED, "not complete: %u of %u left; stopped: %s", left,
                                           all, o->stopped_by)
                                 : err_set(err, ERR_FAILED, "not complete: %u of %u left%s", left, all, how);
}
