// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/executor.h"

#include "migrations/executor/executor_private.h"

enum { JOURNAL_AGAIN_MS = 1000, MINUTE_MS = 60 * 1000 };

struct executor_options executor_options_default(void)
{
    return (struct executor_options){
        .n_shards = 2,
        .retry_attempts = 3,
        .backoff_ms = 5000,
        .max_backoff_ms = (int64_t)5 * MINUTE_MS,
        .assumed_bytes = 128 << 20,
        .cool_down_ms = (int64_t)20 * MINUTE_MS,
        .wait_cool_down = true,
        .jumbo = EXECUTOR_JUMBO_SKIP,
        .latency_seconds = 1,
    };
}

int64_t executor_now(const executor *x)
{
    return x->opt.now != NULL ? x->opt.now(x->opt.now_data) : g_get_real_time() / 1000;
}

/* --- birth and death --- */

static void free_open_row(gpointer row)
{
    journal_open_row_free(row);
}

static void free_task(gpointer task)
{
    task_free(task);
}

static void clear_span(gpointer span)
{
    g_free(((struct span *)span)->plan_id);
}

bool executor_new(const struct executor_options *opt, const struct hands *hands, journal *j, int64_t round,
                  void (*observer)(void *data, const struct executor_event *e), void *observer_data,
                  executor **ret, struct err *err)
{
    const unsigned at_once = opt->max_concurrent > 0 ? opt->max_concurrent : MAX(opt->n_shards / 2, 1);
    const struct schedule_options so = {at_once, opt->latency_seconds, opt->seconds_per_byte};
    workers *w;
    if (!workers_new(hands, at_once, &w, err))
        return false;
    executor *x = g_new0(executor, 1);
    x->opt = *opt;
    x->workers = w;
    x->j = j;
    x->round = round;
    x->observer = observer;
    x->observer_data = observer_data;
    x->schedule = schedule_new(&so);
    x->rand = g_rand_new_with_seed(opt->seed);
    x->born = executor_now(x);
    x->due = INT64_MAX;
    x->slots = g_array_new(FALSE, TRUE, sizeof(struct slot));
    x->spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    g_array_set_clear_func(x->spans, clear_span);
    x->tasks = g_ptr_array_new();
    x->inherited = g_ptr_array_new_with_free_func(free_open_row);
    x->cutting = g_ptr_array_new();
    x->starting = g_ptr_array_new();
    *ret = x;
    return true;
}

void executor_free(executor *x)
{
    if (x == NULL)
        return;
    workers_free(x->workers);
    g_ptr_array_set_free_func(x->tasks, free_task);
    g_ptr_array_unref(x->tasks);
    g_ptr_array_unref(x->cutting);
    g_ptr_array_unref(x->starting);
    g_ptr_array_unref(x->inherited);
    g_queue_clear_full(&x->unsaved, executor_record_free);
    g_queue_clear_full(&x->events, executor_told_free);
    g_array_unref(x->slots);
    g_array_unref(x->spans);
    schedule_free(x->schedule);
    g_rand_free(x->rand);
    g_free(x->stopped_by);
    g_free(x->blind_why);
    g_free(x);
}

/* --- tasks --- */

struct slot *executor_slot(const executor *x, size_t number)
{
    return &g_array_index(x->slots, struct slot, number);
}

static const char *plan_of(const executor *x, size_t number)
{
    for (guint i = x->spans->len; i > 0; i--) {
        const struct span *s = &g_array_index(x->spans, struct span, i - 1);
        if (number >= s->first)
            return s->plan_id;
    }
    return NULL;
}

struct task *executor_task_new(executor *x, long number)
{
    struct task *t = g_new0(struct task, 1);
    t->number = number;
    t->place = x->tasks->len;
    t->state = MIGRATION_PLANNED;
    g_ptr_array_add(x->tasks, t);
    if (number < 0)
        return t;
    t->step = schedule_step(x->schedule, (size_t)number);
    t->plan_id = plan_of(x, (size_t)number);
    t->kind = t->step->kind == WORK_SPLIT ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
    executor_slot(x, (size_t)number)->task = t;
    return t;
}

const char *task_ns(const struct task *t)
{
    return t->inherited != NULL ? t->inherited->ns : t->step->coll->ns;
}

const char *task_from(const struct task *t)
{
    return t->inherited != NULL ? t->inherited->from : t->step->from;
}

/* The split of a chunk that is too big goes nowhere, though its step does. */
const char *task_to(const struct task *t)
{
    if (t->kind == JOURNAL_SPLIT)
        return NULL;
    return t->inherited != NULL ? t->inherited->to : t->step->to;
}

const bson_t *task_min(const struct task *t)
{
    if (t->min != NULL)
        return t->min;
    return t->inherited != NULL ? t->inherited->min : t->step->min;
}

const bson_t *task_max(const struct task *t)
{
    if (t->max != NULL)
        return t->max;
    return t->inherited != NULL ? t->inherited->max : t->step->max;
}

void task_forget_row(struct task *t)
{
    t->row = 0;
    t->sent = 0;
    t->looks = t->blind = 0;
    t->sent_at = 0;
    g_clear_pointer(&t->min, bson_destroy);
    g_clear_pointer(&t->max, bson_destroy);
}

void task_free(struct task *t)
{
    task_forget_row(t);
    hands_result_clear(&t->last);
    g_free(t);
}

/* --- work --- */

static void drop_waiting(executor *x, const char *code)
{
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(size_t));
    schedule_drop(x->schedule, NULL, NULL, gone);
    executor_drop(x, gone, code, NULL);
}

void executor_add(executor *x, const work *w, const bool *done, const char *plan_id)
{
    const struct span span = {schedule_add(x->schedule, w, done), w->steps->len, g_strdup(plan_id)};
    g_array_append_val(x->spans, span);
    g_array_set_size(x->slots, (guint)(span.first + span.n));
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *s = w->steps->pdata[i];
        if (done != NULL && done[s->id])
            executor_slot(x, span.first + i)->ended = true;
        else if (s->kind == WORK_MOVE)
            x->count.bytes_left += MAX(s->bytes, 0);
    }
    x->due = 0;
    if (x->stop != NULL)
        drop_waiting(x, x->stop);
}

static void inherit(executor *x, struct journal_open_row *r, int64_t now)
{
    struct task *t = executor_task_new(x, -1);
    t->inherited = r;
    t->kind = r->kind;
    t->row = r->id;
    t->state = r->state;
    t->started_at = r->started_at;
    t->phase = PHASE_SETTLING;
    t->look_at = now;
    x->n_inherited++;
    schedule_occupy(x->schedule, r->from);
    if (r->to != NULL)
        schedule_occupy(x->schedule, r->to);
    executor_reserve(x, t, true);
    if (r->state == MIGRATION_PLANNED) {
        const struct ending e = {.state = MIGRATION_ABORTED,
                                 .code = "neverSent",
                                 .message = "an earlier run ended before it was sent"};
        executor_end(x, t, &e);
        return;
    }
    if (r->state == MIGRATION_STARTED)
        executor_save_state(x, t, MIGRATION_UNKNOWN, "an earlier run ended before the reply came", NULL);
    t->state = MIGRATION_UNKNOWN;
    executor_tell(x, EXECUTOR_INHERITED, t, "unknown", NULL, 0);
}

void executor_inherit(executor *x, GPtrArray *rows)
{
    const guint first = x->inherited->len;
    g_ptr_array_extend_and_steal(x->inherited, rows);
    for (guint i = first; i < x->inherited->len; i++)
        inherit(x, x->inherited->pdata[i], executor_now(x));
    x->due = 0;
}

/* --- the turn --- */

static void take_results(executor *x)
{
    struct worker_job *job;
    while ((job = workers_take(x->workers)) != NULL) {
        executor_take_result(x, job->tag, job);
        worker_job_free(job);
    }
}

/* All of a turn in one transaction. */
static bool write_turn(executor *x, int64_t now, struct err *err)
{
    return journal_begin(x->j, err) && executor_write_unsaved(x, err) && executor_choose(x, now, err) &&
           executor_write_unsaved(x, err) && journal_commit(x->j, err);
}

/* Nothing of the transaction is in the file. What is known stays in memory; nothing starts any more. */
static void break_off(executor *x, const struct err *why)
{
    journal_rollback(x->j);
    executor_saved(x, false);
    x->broken = *why;
    executor_unchoose(x);
    while (x->cutting->len > 0)
        executor_give_up(x, g_ptr_array_steal_index(x->cutting, 0), "jumbo");
    executor_stop(x, "journal");
}

static void save_only(executor *x)
{
    if (x->unsaved.length == 0)
        return;
    if (journal_begin(x->j, NULL) && executor_write_unsaved(x, NULL) && journal_commit(x->j, NULL)) {
        executor_saved(x, true);
        return;
    }
    journal_rollback(x->j);
    executor_saved(x, false);
}

static bool has_to_write(const executor *x)
{
    return x->unsaved.length > 0 || x->cutting->len > 0 || schedule_waiting(x->schedule) > 0;
}

bool executor_turn(executor *x, struct err *err)
{
    const int64_t now = executor_now(x);
    struct err why = {0};
    if (x->left)
        return true;
    x->due = INT64_MAX;
    take_results(x);
    if (x->broken.cls != ERR_NONE) {
        save_only(x);
    } else if (has_to_write(x)) {
        if (write_turn(x, now, &why))
            executor_saved(x, true);
        else
            break_off(x, &why);
    }
    if (x->unsaved.length > 0)
        x->due = now + JOURNAL_AGAIN_MS;
    executor_hand_out(x, now);
    executor_look(x, now);
    executor_tell_all(x);
    if (x->broken.cls == ERR_NONE)
        return true;
    if (err != NULL)
        *err = x->broken;
    return false;
}

int executor_fd(const executor *x)
{
    return workers_fd(x->workers);
}

int64_t executor_wait_ms(const executor *x)
{
    if (executor_finished(x))
        return -1;
    if (x->events.length > 0)
        return 0;
    return x->due == INT64_MAX ? -1 : MAX(x->due - executor_now(x), 0);
}

/* --- from outside --- */

void executor_until(executor *x, int64_t at, const char *code)
{
    if (x->until == at)
        return;
    x->until = at;
    x->until_code = g_intern_string(code);
    x->due = 0;
}

void executor_hold(executor *x, const char *code)
{
    x->hold = g_intern_string(code);
    x->due = 0;
}

void executor_stop(executor *x, const char *code)
{
    if (x->stop != NULL)
        return;
    x->stop = g_intern_string(code);
    drop_waiting(x, x->stop);
    x->due = 0;
}

static void leave_commands(executor *x)
{
    static const char message[] = "left to the cluster while it was under way";
    for (guint i = 0; i < x->tasks->len; i++) {
        struct task *t = x->tasks->pdata[i];
        if (t->phase != PHASE_ACTING)
            continue;
        executor_save_state(x, t, MIGRATION_UNKNOWN, message, NULL);
        t->state = MIGRATION_UNKNOWN;
        executor_tell(x, EXECUTOR_UNKNOWN, t, "unknown", message, 0);
    }
}

/* Migrations whose chunk is being split were refused: that much is known. */
static void end_cutting(executor *x)
{
    g_autoptr(GPtrArray) parents = g_steal_pointer(&x->cutting);
    x->cutting = g_ptr_array_new();
    for (guint i = 0; i < x->tasks->len; i++) {
        struct task *t = x->tasks->pdata[i];
        if (t->parent != NULL)
            g_ptr_array_add(parents, t->parent);
        t->parent = NULL;
    }
    for (guint i = 0; i < parents->len; i++)
        executor_give_up(x, parents->pdata[i], "jumbo");
}

bool executor_leave(executor *x, struct err *err)
{
    if (x->left)
        return true;
    take_results(x);
    executor_stop(x, "stopping");
    leave_commands(x);
    end_cutting(x);
    const bool ok = journal_begin(x->j, err) && executor_write_unsaved(x, err) && journal_commit(x->j, err);
    if (!ok)
        journal_rollback(x->j);
    executor_saved(x, ok);
    executor_tell_all(x);
    x->left = true;
    return ok;
}

bool executor_finished(const executor *x)
{
    if (x->left)
        return true;
    const bool saved = x->unsaved.length == 0 || x->broken.cls != ERR_NONE;
    return x->tasks->len == 0 && schedule_waiting(x->schedule) == 0 && saved && x->events.length == 0;
}
