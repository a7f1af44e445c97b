// SPDX-License-Identifier: Apache-2.0
/* Rounds: when to look, what to make of what was found, and how a round begins, grows and ends.
 *
 *   look (thread) -> nothing to do: the next look after `interval`
 *                 -> work: a round is opened, its steps go to the executor; when shards come free while it is
 *                    open, another look with the busy shards marked adds to it; it ends when nothing is under
 * way
 */
#include "balancer/service/service_private.h"

#include "balancer/key/show.h"
#include "common/json_writer.h"
#include "common/text.h"

#include <string.h>

enum { GUARD_MAX_AGE_MS = 100 };

/* --- a round begins, grows, ends --- */

static void on_executor(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    service_tick(data);
}

static bool make_acting(struct service *s, struct err *err)
{
    if (s->acting.pool != NULL)
        return true;
    const config *cfg = s->cfg->cfg;
    const cluster *cl = s->last->found.cl;
    const struct executor_options x = acting_executor(cfg, cl);
    unsigned clients = x.max_concurrent != 0 ? x.max_concurrent : MAX(cl->n_shards / 2U, 1U);
    g_autoptr(GArray) wishes = acting_wishes(cfg);
    const struct mongo_hands_options hands = acting_hands(cfg, cl, s->lease);
    if (!mongo_pool_new(s->uri, cfg->migrations.timeout, clients + 1, &s->acting.pool, err))
        return false;
    s->acting.guard =
        guard_new(GUARD_MAX_AGE_MS, (const struct guard_wish *)(void *)wishes->data, wishes->len);
    s->acting.hands = mongo_hands_new(s->acting.pool, s->acting.guard, &hands);
    return true;
}

void rounds_forget_acting(struct service *s)
{
    if (s->left) /* they use it until the process ends */
        return;
    mongo_hands_free(s->acting.hands);
    guard_free(s->acting.guard);
    mongo_pool_free(s->acting.pool);
    s->acting = (struct acting){0};
}

/* An executor on the cluster as last seen. */
static bool open_executor(struct service *s, int64_t round, struct err *err)
{
    if (!make_acting(s, err))
        return false;
    struct executor_options opt = acting_executor(s->cfg->cfg, s->last->found.cl);
    opt.seed = (uint32_t)service_now(s);
    const struct hands hands = mongo_hands_table(s->acting.hands);
    if (!executor_new(&opt, &hands, s->journal, round, rounds_on_event, s, &s->executor, err))
        return false;
    s->executor_event = event_new(s->base, executor_fd(s->executor), EV_READ | EV_PERSIST, on_executor, s);
    event_add(s->executor_event, NULL);
    return true;
}

static void close_executor(struct service *s)
{
    g_clear_pointer(&s->executor_event, event_free);
    g_clear_pointer(&s->executor, executor_free);
    g_ptr_array_set_size(s->round_works, 0);
    s->round = 0;
}

/* When the open window closes, so that nothing begins that cannot end inside it; 0: no limit. */
static int64_t window_end(const struct service *s, int64_t now)
{
    bool ignore = s->running != NULL && s->running->ignore_window;
    const struct window_now w = service_window(s, now);
    return ignore || w.always ? 0 : w.changes_at;
}

/* A reload or the cluster may have changed the window since the round was opened, or the next one has come.
 * While it is closed what was said of it holds on. Settling knows no window. */
static void heed_window_end(struct service *s, int64_t now)
{
    const struct window_now w = service_window(s, now);
    if (s->round != 0 && (w.open || w.always))
        executor_until(s->executor, window_end(s, now), "windowTooShort");
}

bool rounds_fit_window(const struct service *s, const look *l, int64_t now)
{
    const int64_t end = window_end(s, now);
    return end == 0 || acting_fits(l->found.speed, l->found.work, now, end);
}

static bool open_round(struct service *s, const look *l, int64_t now, struct err *err)
{
    const struct forced *f = s->running;
    const struct journal_round r = {.kind = f != NULL ? "forced" : "scheduled",
                                    .policy = l->found.work->policy,
                                    .who = f != NULL ? f->who : "scheduler",
                                    .reason = f != NULL ? f->reason : NULL,
                                    .planned_migrations = l->found.work->n_migrations,
                                    .planned_splits = l->found.work->n_splits,
                                    .planned_bytes = l->found.work->bytes,
                                    .planned_seconds = l->found.work->expected_seconds,
                                    .started_at = now};
    if (!journal_round_start(s->journal, &r, &s->round, err) || !open_executor(s, s->round, err))
        return false;
    heed_window_end(s, now);
    s->round_started_at = now;
    log_put(s->log, LOG_ROUND_START, log_i64("round", s->round), log_str("kind", r.kind),
            log_i64("migrations", r.planned_migrations), log_i64("splits", r.planned_splits),
            log_i64("bytes", r.planned_bytes), log_seconds("expected", r.planned_seconds));
    return true;
}

/* The work goes over to the round: a round may last for days, and what was found with it, the whole model, is
 * not kept for so long. */
static bool add_work(struct service *s, look *l, struct err *err)
{
    const struct work *w = l->found.work;
    if (s->round_works->len > 0 &&
        !journal_round_extend(s->journal, s->round, w->n_migrations, w->n_splits, w->bytes,
                              finish_of_round(s, w->expected_seconds), err))
        return false;
    g_ptr_array_add(s->round_works, g_steal_pointer(&l->found.work));
    executor_add(s->executor, w, NULL, NULL);
    return true;
}

void rounds_end_forced(struct service *s, const char *state, const char *note, int exit_code)
{
    if (s->running == NULL)
        return;
    struct json_writer w;
    g_autoptr(GString) line = g_string_new(NULL);
    json_init(&w, line);
    json_object(&w, true);
    json_put_string(&w, "event", "end");
    json_put_string(&w, "state", state);
    json_put_string(&w, "note", note);
    json_put_int(&w, "exit", exit_code);
    json_put_int(&w, "round", s->round);
    json_end(&w);
    forced_tell(s->running, line->str, true);
    g_clear_pointer(&s->running, forced_free);
}

/* Where nothing was carried out for something that holds back, it is worth another try. */
static int exit_of(enum round_state state, const struct executor_status *st)
{
    if (state == ROUND_CANCELLED ||
        (state == ROUND_DONE && st->dropped > 0 && st->committed + st->splits == 0))
        return err_exit_code(ERR_RETRY_LATER);
    return state == ROUND_DONE ? 0 : err_exit_code(ERR_FAILED);
}

/* What was open is settled, as far as the service got. */
static void tell_recovery(struct service *s, int64_t now)
{
    struct err err = {0};
    const uint32_t *n = s->settled;
    g_autofree char *text =
        g_strdup_printf("found %u committed, %u aborted, %u failed of what an earlier run had left open",
                        n[MIGRATION_COMMITTED], n[MIGRATION_ABORTED], n[MIGRATION_FAILED]);
    log_put(s->log, LOG_RECOVERY_END, log_i64("committed", n[MIGRATION_COMMITTED]),
            log_i64("aborted", n[MIGRATION_ABORTED]), log_i64("failed", n[MIGRATION_FAILED]));
    if (!journal_event(s->journal, now, "recovered", 0, text, &err))
        service_fail(s, &err);
}

/* Recovery is closed like a round, but has no row. */
static void end_round(struct service *s, int64_t now)
{
    struct executor_status st;
    struct err err = {0};
    executor_status(s->executor, &st);
    enum round_state state = s->stopping ? ROUND_CANCELLED : st.failed > 0 ? ROUND_FAILED : ROUND_DONE;
    g_autofree char *note = g_strdup_printf("%u migrations committed, %u failed, %u not begun, %u splits",
                                            st.committed, st.failed, st.dropped, st.splits);
    if (s->round == 0) {
        tell_recovery(s, now);
    } else {
        if (!journal_round_end(s->journal, s->round, state, now, note, &err))
            service_fail(s, &err);
        log_put(s->log, LOG_ROUND_END, log_i64("round", s->round), log_str("state", round_state_text(state)),
                log_i64("committed", st.committed), log_i64("failed", st.failed),
                log_i64("dropped", st.dropped), log_i64("bytes", st.bytes),
                log_seconds("took", (double)(now - s->round_started_at) / 1000));
        s->counted->count.rounds++;
        s->counted->count.rounds_failed += state == ROUND_FAILED;
    }
    const char *why = executor_stopped_by(s->executor);
    if (why != NULL)
        log_put(s->log, LOG_ROUND_FAILED, log_i64("round", s->round), log_str("why", why));
    if (s->round != 0)
        rounds_end_forced(s, round_state_text(state), note, exit_of(state, &st));
    /* After a stop of an operator's kind the same would come again at once. */
    int64_t wait = why != NULL                    ? BACKOFF_MAX_MS
                   : st.committed + st.splits > 0 ? s->cfg->cfg->balancer.busy_interval
                                                  : s->cfg->cfg->balancer.interval;
    if (s->failures == 0)
        s->next_round_at = now + wait;
    close_executor(s);
}

/* The work of a look that found some; an error is the journal's or means that there are no threads. */
bool rounds_begin_work(struct service *s, look *l, int64_t now, struct err *err)
{
    return (s->executor != NULL || open_round(s, l, now, err)) && add_work(s, l, err);
}

/* What an earlier run left open is settled before anything is planned. */
static bool open_rows(struct service *s, struct err *err)
{
    GPtrArray *rows = NULL;
    uint32_t interrupted = 0;
    if (!journal_rounds_interrupted(s->journal, service_now(s), &interrupted, err) ||
        !journal_open_rows(s->journal, &rows, err))
        return false;
    if (rows->len == 0) {
        g_ptr_array_unref(rows);
        return true;
    }
    log_put(s->log, LOG_RECOVERY_START, log_i64("open", rows->len), log_i64("rounds", interrupted));
    if (!open_executor(s, 0, err)) {
        g_ptr_array_unref(rows);
        return false;
    }
    executor_inherit(s->executor, rows);
    return true;
}

/* After the first look: only now is the cluster known to be the journal's. What was planned on it is dropped:
 * the next look sees what was settled. */
void rounds_recover(struct service *s, int64_t now)
{
    struct err err = {0};
    s->recovered = true;
    s->next_round_at = now;
    if (!open_rows(s, &err)) {
        log_put(s->log, LOG_JOURNAL_FAILED, log_err(&err));
        service_fail(s, &err);
    }
}

/* --- the tick --- */

/* A round that is open grows when shards are free, nothing of it waits for them, and nothing holds back; a
 * forced one of some collections, or one that another waits for, does not. */
static bool wants_to_grow(const struct service *s, const struct executor_status *st)
{
    bool free_pair = st->under_way < MAX(s->last->found.cl->n_shards / 2U, 1U);
    return s->round != 0 && st->waiting == 0 && st->under_way > 0 && free_pair && s->holds->len == 0 &&
           s->waiting == NULL && (s->running == NULL || s->running->ns == NULL);
}

/* Not just after a look; and later with each step that failed: it would be planned again by every look, as
 * long as another migration keeps the round open. */
static int64_t grows_at(const struct service *s, const struct executor_status *st)
{
    bool found = s->last->found.n_steps > 0;
    int64_t least = found ? s->cfg->cfg->balancer.busy_interval : s->cfg->cfg->balancer.interval;
    int64_t most = MAX(least, BACKOFF_MAX_MS);
    int64_t at = s->last_look_at + (st->failed < 16 ? MIN(least << st->failed, most) : most);
    return s->failures > 0 ? MAX(at, s->next_round_at) : at;
}

/* What keeps from looking ends with an event of its own, after which there is a tick: no timer waits for it.
 */
static bool may_look(const struct service *s)
{
    return !s->looking && !s->switching && !s->stopping && lease_ours(s);
}

static bool look_is_due(const struct service *s, int64_t now)
{
    if (!may_look(s))
        return false;
    if (s->executor == NULL)
        return s->waiting != NULL || now >= s->next_round_at;
    struct executor_status st;
    executor_status(s->executor, &st);
    return wants_to_grow(s, &st) && now >= grows_at(s, &st);
}

/* When to look, where nothing else happens before. */
static void wait_for_look(struct service *s)
{
    struct executor_status st;
    if (!may_look(s))
        return;
    if (s->executor == NULL) {
        service_tick_at(s, s->next_round_at);
        return;
    }
    executor_status(s->executor, &st);
    if (wants_to_grow(s, &st))
        service_tick_at(s, grows_at(s, &st));
}

/* What something holds back for long would be stale by then: with nothing under way any more the round ends,
 * and another one is planned when its time comes. Inherited rows are settled whatever holds back. */
static bool give_up_held(struct service *s, const char *hold)
{
    struct executor_status st;
    executor_status(s->executor, &st);
    if (s->round == 0 || st.under_way > 0 || st.waiting == 0)
        return false;
    if (g_strcmp0(st.holds, "maxBytesPerHour") == 0)
        s->throttled_until = st.holds_until;
    else if (hold == NULL)
        return false;
    executor_stop(s->executor, hold != NULL ? hold : st.holds);
    return true;
}

static void turn(struct service *s)
{
    struct err err = {0};
    if (executor_turn(s->executor, &err) || s->fatal.cls != ERR_NONE)
        return;
    log_put(s->log, LOG_JOURNAL_FAILED, log_err(&err));
    executor_stop(s->executor, "journal");
    service_fail(s, &err);
}

static void turn_executor(struct service *s, const char *hold, int64_t now)
{
    executor_hold(s->executor, hold);
    heed_window_end(s, now);
    turn(s);
    if (give_up_held(s, hold))
        turn(s);
    if (executor_finished(s->executor))
        end_round(s, now);
}

void rounds_tick(struct service *s, int64_t now)
{
    const char *hold = holds_find(s, now);
    if (s->executor != NULL)
        turn_executor(s, hold, now);
    if (look_is_due(s, now))
        looks_start(s);
    if (s->executor != NULL && executor_wait_ms(s->executor) >= 0)
        service_tick_at(s, now + executor_wait_ms(s->executor));
    wait_for_look(s);
}

void rounds_stop(struct service *s, const char *code)
{
    if (s->executor != NULL)
        executor_stop(s->executor, code);
}

void rounds_leave(struct service *s)
{
    struct err err = {0};
    if (s->executor == NULL)
        return;
    if (!executor_leave(s->executor, &err))
        log_put(s->log, LOG_JOURNAL_FAILED, log_err(&err));
    s->left |= executor_inside(s->executor) > 0;
    if (s->round != 0 && !journal_round_end(s->journal, s->round, ROUND_INTERRUPTED, service_now(s),
                                            "left while migrations were under way", &err))
        log_put(s->log, LOG_JOURNAL_FAILED, log_err(&err));
    close_executor(s);
}

/* A look only reads: nobody waits for it at the end. */
bool rounds_idle(const struct service *s)
{
    return s->executor == NULL && !s->switching;
}
