// SPDX-License-Identifier: Apache-2.0
/* Looks at the cluster: begun on their thread, heeded when they come back, freed there again. */
#include "balancer/service/service_private.h"

/* A look on its way to be freed. */
struct scrap {
    look *l; /* NULL: it is */
};

static void scrap_look(void *data)
{
    struct scrap *scrap = data;
    look_free(scrap->l);
    scrap->l = NULL;
}

static void scrap_free(void *data)
{
    struct scrap *scrap = data;
    if (scrap->l != NULL)
        look_free(scrap->l);
    g_free(scrap);
}

/* Instead of look_unref(): freed off the loop. */
static void drop_look(struct service *s, look *l)
{
    if (l == NULL || l->refs > 1 || s->brain == NULL) {
        look_unref(l);
        return;
    }
    struct scrap *scrap = g_new(struct scrap, 1);
    scrap->l = l;
    offload_submit(s->brain, scrap_look, scrap_free, scrap_free, scrap);
}

static void look_failed(struct service *s, const struct err *why, int64_t now)
{
    s->failures++;
    s->counted->count.cluster_errors++;
    s->connected = false;
    int64_t wait = BACKOFF_MAX_MS;
    if (s->failures < 10)
        wait = MIN(s->cfg->cfg->balancer.interval << (s->failures - 1), BACKOFF_MAX_MS);
    /* Jitter, so that several that lost one cluster do not come back at once. */
    wait = wait * 3 / 4 + (int64_t)g_random_int_range(0, (gint32)MAX(wait / 4, 1));
    s->next_round_at = now + wait;
    s->unreachable = *why;
    log_put(s->log, why->cls == ERR_UNAVAILABLE ? LOG_CLUSTER_UNREACHABLE : LOG_CLUSTER_REFUSED, log_err(why),
            log_seconds("retry", (double)wait / 1000));
    rounds_end_forced(s, "failed", why->msg, err_exit_code(why->cls));
}

/* What only an operator can mend does not get better by waiting. */
static bool is_fatal(const struct err *e)
{
    return e->cls == ERR_CONFIG || e->cls == ERR_USAGE;
}

/* The cluster's own windows may have changed. Unreadable ones leave the old in force. */
static void take_windows(struct service *s)
{
    struct err err = {0};
    windows *fresh = NULL;
    if (!setup_windows(s->cfg->cfg, s->last->found.cl, &fresh, &err)) {
        log_put(s->log, LOG_CONFIG_FAULT, log_str("fault", err.msg));
        return;
    }
    windows_free(s->windows);
    s->windows = fresh;
}

static void take_look(struct service *s, look *l, int64_t now)
{
    if (s->failures > 0)
        log_put(s->log, LOG_CLUSTER_BACK, log_i64("failures", s->failures));
    if (s->last == NULL)
        log_put(s->log, LOG_CLUSTER_CONNECTED, log_str("cluster", l->found.name),
                log_str("version", l->found.cl->server_version),
                log_str("id", l->found.cluster_id == NULL ? "" : l->found.cluster_id),
                log_i64("shards", l->found.cl->n_shards));
    s->failures = 0;
    s->connected = true;
    s->last_look_at = now;
    s->counted->count.plans++;
    s->counted->count.plan_seconds += l->found.plan_seconds;
    s->counted->count.read_seconds += l->found.read_seconds;
    const struct view_point point = {now, l->found.plan->summary.imbalance_before};
    if (s->history->len >= VIEW_POINTS)
        g_array_remove_index(s->history, 0);
    g_array_append_val(s->history, point);
    drop_look(s, s->last);
    s->last = look_ref(l);
    take_windows(s);
}

static void tell_plan(struct service *s, const look *l)
{
    struct json_writer w;
    if (s->running == NULL)
        return;
    g_autoptr(GString) line = g_string_new(NULL);
    json_init(&w, line);
    json_object(&w, true);
    json_put_string(&w, "event", "plan");
    json_put_int(&w, "migrations", l->found.work->n_migrations);
    json_put_int(&w, "splits", l->found.work->n_splits);
    json_put_int(&w, "bytes", l->found.work->bytes);
    json_end(&w);
    forced_tell(s->running, line->str, false);
}

/* `hold` NULL: there is nothing to do. */
static void begin_nothing(struct service *s, const char *hold)
{
    if (hold == NULL) {
        log_put(s->log, LOG_ROUND_NOTHING, log_str("why", "balanced"));
        rounds_end_forced(s, "done", "nothing to do", 0);
    } else {
        const char *text = s->holds->len == 0 ? hold : g_array_index(s->holds, struct view_hold, 0).text;
        rounds_end_forced(s, "held", text, err_exit_code(ERR_RETRY_LATER));
    }
}

/* What keeps from beginning what was found; NULL: nothing. An open round goes on with what it has. */
static const char *work_waits_for(struct service *s, const look *l, int64_t now)
{
    const bool fits = l->found.n_steps == 0 || rounds_fit_window(s, l, now);
    s->window_short = !fits && s->executor == NULL;
    const char *hold = s->stopping ? "stopping" : holds_find(s, now);
    return hold != NULL || fits ? hold : "windowTooShort";
}

static void use_look(struct service *s, look *l, int64_t now)
{
    struct err err = {0};
    const bool nothing = l->found.n_steps == 0;
    if (switch_wanted(s)) {
        switch_stop_builtin(s);
        s->next_round_at = now; /* look again when it is off */
        return;
    }
    s->next_round_at = now + s->cfg->cfg->balancer.interval;
    if ((nothing || l->found.plan->policy->solve != NULL) && s->executor == NULL && l->ask.busy != NULL) {
        /* It saw shards that were busy with a round that is over by now: there may be more to do. */
        s->next_round_at = now;
        return;
    }
    if (!nothing || s->executor == NULL)
        tell_plan(s, l);
    if (s->running != NULL && s->running->dry_run) {
        rounds_end_forced(s, "done", "a dry run: nothing was carried out", 0);
        return;
    }
    if (s->running == NULL && s->waiting != NULL && s->executor == NULL)
        return; /* somebody asked meanwhile: it is looked for that one at once, and only that one may ignore
                   windows */
    const char *hold = work_waits_for(s, l, now);
    if (nothing || hold != NULL) {
        if (s->executor == NULL)
            begin_nothing(s, nothing ? NULL : hold);
        return;
    }
    if (!rounds_begin_work(s, l, now, &err)) {
        log_put(s->log, LOG_JOURNAL_FAILED, log_err(&err));
        service_fail(s, &err);
    }
}

/* One that went well: is it of the journal's cluster, and what does it ask for? */
static void heed_look(struct service *s, look *l, int64_t now)
{
    struct err err = {0};
    const char *id = l->found.cluster_id == NULL ? "" : l->found.cluster_id;
    if (!journal_claim(s->journal, id, l->found.name, now, &err)) {
        service_fail(s, &err);
        return;
    }
    take_look(s, l, now);
    if (s->recovered)
        use_look(s, l, now);
    else if (!s->stopping && lease_ours(s))
        rounds_recover(s, now);
}

static void on_looked(void *data)
{
    look *l = data;
    struct service *s = l->data;
    const gint64 began = g_get_monotonic_time();
    int64_t now = service_now(s);
    const struct err *err = &l->found.err;
    s->looking = false;
    if (err->cls == ERR_NONE)
        heed_look(s, l, now);
    else if (is_fatal(err))
        service_fail(s, err);
    else
        look_failed(s, err, now);
    drop_look(s, l);
    service_tick(s);
    pulse_took(s, began);
}

static void do_look(void *data)
{
    look_run(data);
}

static void unref_look(void *data)
{
    look_unref(data);
}

void looks_start(struct service *s)
{
    look *l = look_new();
    l->data = s;
    l->ask.uri = g_strdup(s->uri);
    l->ask.read_mode = setup_read_mode(s->cfg->cfg);
    l->ask.cfg = shared_config_ref(s->cfg);
    l->ask.measured = finish_measured(s);
    l->ask.busy = s->executor == NULL ? NULL : executor_busy_shards(s->executor);
    if (s->executor == NULL && s->running == NULL)
        s->running = g_steal_pointer(&s->waiting);
    const struct forced *f = s->running;
    /* A round that grows rests on metadata that do not have what is under way: it goes step by step. One that
     * was asked for is one. */
    l->ask.ahead = s->executor == NULL && f == NULL;
    if (f != NULL && f->ns != NULL) {
        struct err ignored = {0}; /* they were checked when the round was asked for */
        l->ask.namespaces = globs_new();
        for (guint i = 0; i < f->ns->len; i++)
            globs_add(l->ask.namespaces, f->ns->pdata[i], &ignored);
    }
    s->looking = true;
    offload_submit(s->brain, do_look, on_looked, unref_look, l);
}
