// SPDX-License-Identifier: Apache-2.0
/* From the schedule to the workers: chosen and journalled in one transaction, handed out when it is durable.
 */
#include "migrations/executor/executor_private.h"

struct journal_step executor_journal_step(const struct work_step *s)
{
    return (struct journal_step){
        .step = s->id,
        .ns = s->coll->ns,
        .min = s->min,
        .max = s->max,
        .enc_min = s->enc_min,
        .enc_max = s->enc_max,
        .at = s->at,
        .from = s->from,
        .to = s->to,
        .version = s->version,
        .reason = s->reason,
        .zone = s->zone,
        .why = s->why,
        .bytes = s->bytes,
        .force_jumbo = s->force_jumbo,
        .open_max = s->open_max,
    };
}

/* Both states in one transaction: what is on the disk afterwards is `started`. */
static bool write_row(executor *x, const struct task *t, const struct journal_step *s, const char *plan_id,
                      int64_t now, int64_t *ret_row, struct err *err)
{
    int64_t row;
    if (!journal_row_planned(x->j, t->kind, x->round, plan_id, s, now, &row, err) ||
        !journal_row_state(x->j, t->kind, row, MIGRATION_STARTED, now, NULL, err))
        return false;
    *ret_row = row;
    return true;
}

static void open_row(executor *x, struct task *t, int64_t row, int64_t now)
{
    t->row = row;
    t->state = MIGRATION_STARTED;
    t->started_at = now;
    executor_reserve(x, t, true);
}

/* Whatever comes of it, the task goes into `starting`: there it is found when the transaction fails. */
static bool start_step(executor *x, size_t number, int64_t now, struct err *err)
{
    struct task *t = executor_slot(x, number)->task;
    int64_t row;
    if (t == NULL)
        t = executor_task_new(x, (long)number);
    t->phase = PHASE_ACTING;
    g_ptr_array_add(x->starting, t);
    if (t->row > 0)
        return true;
    const struct journal_step s = executor_journal_step(t->step);
    if (!write_row(x, t, &s, t->plan_id, now, &row, err))
        return false;
    t->fresh = true;
    open_row(x, t, row, now);
    return true;
}

/* --- the chunks that are too big --- */

static bool start_cut(executor *x, struct task *parent, int64_t now, struct err *err)
{
    struct task *t = executor_task_new(x, -1);
    g_autoptr(GPtrArray) nowhere = g_ptr_array_new();
    struct journal_step s = executor_journal_step(parent->step);
    int64_t row;
    t->parent = parent;
    t->step = parent->step;
    t->kind = JOURNAL_SPLIT;
    t->phase = PHASE_ACTING;
    g_ptr_array_add(x->starting, t);
    /* The row is no step of the plan; the point is the shard's own choice. */
    s.step = 0;
    s.to = NULL;
    s.at = nowhere;
    s.reason = "jumbo";
    if (!write_row(x, t, &s, NULL, now, &row, err))
        return false;
    t->fresh = true;
    open_row(x, t, row, now);
    return true;
}

/* A stop may have come between. */
static bool start_cuts(executor *x, int64_t now, struct err *err)
{
    while (x->cutting->len > 0) {
        struct task *t = g_ptr_array_steal_index(x->cutting, 0);
        if (x->stop != NULL)
            executor_give_up(x, t, "jumbo");
        else if (!start_cut(x, t, now, err))
            return false;
    }
    return true;
}

/* --- choosing --- */

static void drop_step(executor *x, size_t number, const struct permission *p)
{
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(size_t));
    g_autoptr(GArray) resting = g_array_new(FALSE, FALSE, sizeof(size_t));
    g_array_append_val(gone, number);
    schedule_dropped(x->schedule, number, resting);
    executor_drop(x, gone, p->code, p->message);
    executor_drop(x, resting, "restsOnFailed", "a step that it rests on was not carried out");
}

static void drop_all(executor *x, const char *code, const char *message)
{
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(size_t));
    schedule_drop(x->schedule, NULL, NULL, gone);
    executor_drop(x, gone, code, message);
}

static void wait_for(executor *x, const char *code, int64_t until)
{
    x->held_by = code;
    x->held_until = until;
    if (until > 0)
        x->due = MIN(x->due, until);
}

/* False in *ret_more: nothing else may be chosen now. */
static bool consider(executor *x, size_t number, int64_t now, bool *ret_more, struct err *err)
{
    struct permission p;
    if (!executor_may_start(x, schedule_step(x->schedule, number), executor_slot(x, number)->task, now, &p,
                            err)) {
        schedule_delay(x->schedule, number, now);
        return false;
    }
    g_autofree char *message = p.message;
    *ret_more = p.may != MAY_HOLD && p.may != MAY_DROP_ALL;
    if (p.may == MAY_START)
        return start_step(x, number, now, err);
    if (p.may == MAY_DROP) {
        drop_step(x, number, &p);
        return true;
    }
    schedule_delay(x->schedule, number, p.may == MAY_LATER ? p.until : now);
    if (p.may == MAY_DROP_ALL)
        drop_all(x, p.code, message);
    else if (p.may == MAY_HOLD)
        wait_for(x, p.code, p.until);
    else
        x->cooling = MAX(x->cooling, p.until);
    return true;
}

static bool is_full(const executor *x)
{
    const unsigned most = x->opt.max_concurrent > 0 ? x->opt.max_concurrent : MAX(x->opt.n_shards / 2, 1);
    return schedule_running(x->schedule) + x->n_inherited >= most;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    const struct task *const *t = a, *const *u = b;
    return (*t)->number < (*u)->number ? -1 : (*t)->number > (*u)->number ? 1 : 0;
}

/* Rows that are open come first: they have their place under the limits, and others may wait for it. In the
 * plan's order, whatever order they came to rest in. */
static bool choose_resting(executor *x, int64_t now, struct err *err)
{
    g_autoptr(GPtrArray) due = g_ptr_array_new();
    for (guint i = 0; i < x->tasks->len; i++) {
        struct task *t = x->tasks->pdata[i];
        if (t->phase != PHASE_RESTING || t->row == 0)
            continue;
        if (t->look_at <= now)
            g_ptr_array_add(due, t);
        else
            x->due = MIN(x->due, t->look_at);
    }
    g_ptr_array_sort(due, by_number);
    for (guint i = 0; i < due->len && !is_full(x); i++) {
        const struct task *t = due->pdata[i];
        bool more;
        if (schedule_try(x->schedule, (size_t)t->number, now) &&
            !consider(x, (size_t)t->number, now, &more, err))
            return false;
    }
    return true;
}

static void wait_for_time(executor *x, int64_t now, int64_t wait)
{
    if (wait < 0)
        return;
    x->due = MIN(x->due, now + wait);
    if (schedule_running(x->schedule) == 0)
        wait_for(x, x->cooling > now ? "coolDown" : "backoff", now + wait);
}

static bool choose_steps(executor *x, int64_t now, struct err *err)
{
    for (bool more = true; more && !is_full(x);) {
        int64_t wait;
        const long number = schedule_next(x->schedule, now, &wait);
        if (number == SCHEDULE_NONE) {
            wait_for_time(x, now, wait);
            return true;
        }
        if (!consider(x, (size_t)number, now, &more, err))
            return false;
    }
    return true;
}

bool executor_choose(executor *x, int64_t now, struct err *err)
{
    g_autofree char *message = NULL;
    x->held_by = NULL;
    x->held_until = 0;
    if (!start_cuts(x, now, err))
        return false;
    const char *limit = executor_limit_reached(x, now, &message);
    if (schedule_waiting(x->schedule) > 0 && limit != NULL)
        drop_all(x, limit, message);
    if (schedule_waiting(x->schedule) > 0 && x->opt.max_ms > 0)
        x->due = MIN(x->due, x->born + x->opt.max_ms);
    if (schedule_waiting(x->schedule) > 0 && x->until > 0)
        x->due = MIN(x->due, x->until);
    if (x->stop != NULL || x->hold != NULL)
        return true;
    return choose_resting(x, now, err) && choose_steps(x, now, err);
}

/* --- what becomes of it --- */

/* Rows of the failed transaction are not in the journal; the others are, and their last command failed. */
void executor_unchoose(executor *x)
{
    for (guint i = 0; i < x->starting->len; i++) {
        struct task *t = x->starting->pdata[i];
        if (t->fresh)
            executor_reserve(x, t, false);
        if (t->fresh)
            t->row = 0;
        t->fresh = false;
        executor_give_up(x, t, "journal");
    }
    g_ptr_array_set_size(x->starting, 0);
}

static void put_job(executor *x, struct task *t, enum hands_kind kind, int64_t now)
{
    const struct journal_open_row *in = t->inherited;
    const struct work_step *s = t->step;
    const struct hands_job job = {
        .kind = kind,
        .ns = task_ns(t),
        .from = task_from(t),
        .to = task_to(t),
        .min = task_min(t),
        .max = task_max(t),
        .at = in != NULL          ? in->at
              : t->parent != NULL ? NULL
                                  : s->at,
        .version = in != NULL ? in->version : s->version,
        .reason = s != NULL ? s->reason : NULL,
        .force_jumbo = t->force || (s != NULL && s->force_jumbo),
        .open_min = s != NULL && s->open_min,
        .open_max = in != NULL ? in->open_max : s->open_max,
        .sent_at = in != NULL ? in->started_at : t->sent_at,
    };
    t->with_worker = true;
    if (kind != HANDS_SETTLE)
        t->handed_at = now;
    workers_put(x->workers, worker_job_new(&job, t));
}

void executor_hand_out(executor *x, int64_t now)
{
    for (guint i = 0; i < x->starting->len; i++) {
        struct task *t = x->starting->pdata[i];
        if (t->fresh)
            executor_tell(x, EXECUTOR_STARTED, t, "started", NULL, 0);
        t->fresh = false;
        put_job(x, t,
                t->parent != NULL          ? HANDS_SPLIT_MEDIAN
                : t->kind == JOURNAL_SPLIT ? HANDS_SPLIT
                                           : HANDS_MOVE,
                now);
    }
    g_ptr_array_set_size(x->starting, 0);
}

void executor_look(executor *x, int64_t now)
{
    for (guint i = 0; i < x->tasks->len; i++) {
        struct task *t = x->tasks->pdata[i];
        if (t->phase != PHASE_SETTLING || t->with_worker)
            continue;
        if (t->look_at <= now)
            put_job(x, t, HANDS_SETTLE, now);
        else
            x->due = MIN(x->due, t->look_at);
    }
}
