// SPDX-License-Identifier: Apache-2.0
/* What the doors may ask: each function of ops.h on the service's state. */
#include "balancer/service/service_private.h"

#include "common/json_writer.h"
#include "common/text.h"
#include "migrations/journal/history.h"

#include <string.h>

void forced_free(struct forced *f)
{
    if (f == NULL)
        return;
    g_free(f->who);
    g_free(f->reason);
    g_clear_pointer(&f->ns, g_ptr_array_unref);
    g_array_unref(f->followers);
    g_free(f);
}

void forced_tell(struct forced *f, const char *line, bool done)
{
    /* A follower may leave while it is told. */
    g_autoptr(GArray) now = g_array_copy(f->followers);
    for (guint i = 0; i < now->len; i++) {
        const struct follower *to = &g_array_index(now, struct follower, i);
        to->fn(to->data, line, done);
    }
    if (done)
        g_array_set_size(f->followers, 0);
}

static service_view *op_view(void *data)
{
    return service_fill_view(data);
}

static bool take_namespaces(const struct service_round_ask *ask, struct forced *f, struct err *err)
{
    g_autoptr(globs) trial = globs_new();
    if (ask->ns == NULL)
        return true;
    f->ns = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < ask->n_ns; i++) {
        if (!globs_add(trial, ask->ns[i], err))
            return false;
        g_ptr_array_add(f->ns, g_strdup(ask->ns[i]));
    }
    return true;
}

static bool op_round(void *data, const struct service_asker *by, const struct service_round_ask *ask,
                     service_follow_fn follow, void *follow_data, int64_t *ret_round, bool *ret_queued,
                     struct err *err)
{
    struct service *s = data;
    if (s->stopping)
        return err_set(err, ERR_UNAVAILABLE, "the service is stopping; start it again first");
    if (s->waiting != NULL)
        return err_set(err, ERR_RETRY_LATER,
                       "a forced round of %s waits already behind the one that runs; only one waits",
                       s->waiting->who);
    struct forced *f = g_new0(struct forced, 1);
    f->followers = g_array_new(FALSE, FALSE, sizeof(struct follower));
    f->who = g_strdup(by->who);
    f->reason = g_strdup(by->reason);
    f->ignore_window = ask->ignore_window;
    f->dry_run = ask->dry_run;
    if (!take_namespaces(ask, f, err)) {
        forced_free(f);
        return false;
    }
    const struct follower to = {follow, follow_data};
    if (follow != NULL)
        g_array_append_val(f->followers, to);
    *ret_queued = s->executor != NULL || s->looking || s->running != NULL;
    *ret_round = s->round;
    s->waiting = f;
    service_tick_at(s, service_now(s));
    return true;
}

static void op_unfollow(void *data, void *follow_data)
{
    const struct service *s = data;
    struct forced *both[] = {s->running, s->waiting};
    for (size_t i = 0; i < G_N_ELEMENTS(both); i++)
        for (guint k = both[i] == NULL ? 0 : both[i]->followers->len; k-- > 0;)
            if (g_array_index(both[i]->followers, struct follower, k).data == follow_data)
                g_array_remove_index(both[i]->followers, k);
}

/* `value`: "who\nreason", or NULL: not paused; with its event, or neither. */
static bool remember_pause(struct service *s, const struct service_asker *by, const char *value,
                           struct err *err)
{
    int64_t now = service_now(s);
    g_autofree char *text = g_strdup_printf("by %s%s%s", by->who, by->reason == NULL ? "" : ": ",
                                            by->reason == NULL ? "" : by->reason);
    return journal_begin(s->journal, err) && journal_setting_put(s->journal, "paused", value, now, err) &&
           journal_event(s->journal, now, value != NULL ? "paused" : "resumed", s->round, text, err) &&
           journal_commit(s->journal, err);
}

static void set_pause(struct service *s, bool paused, const char *who, const char *reason)
{
    s->paused = paused;
    g_free(s->pause_who);
    g_free(s->pause_reason);
    s->pause_who = g_strdup(who);
    s->pause_reason = reason == NULL || reason[0] == '\0' ? NULL : g_strdup(reason);
    s->paused_at = paused ? service_now(s) : 0;
}

static bool op_pause(void *data, const struct service_asker *by, struct err *err)
{
    struct service *s = data;
    g_autofree char *value = g_strdup_printf("%s\n%s", by->who, by->reason == NULL ? "" : by->reason);
    if (!remember_pause(s, by, value, err))
        return false;
    set_pause(s, true, by->who, by->reason);
    log_put(s->log, LOG_PAUSE, log_str("who", by->who), log_str("reason", by->reason));
    service_tick_at(s, service_now(s));
    return true;
}

static bool op_resume(void *data, const struct service_asker *by, struct err *err)
{
    struct service *s = data;
    int64_t now = service_now(s);
    if (!remember_pause(s, by, NULL, err))
        return false;
    set_pause(s, false, NULL, NULL);
    log_put(s->log, LOG_RESUME, log_str("who", by->who), log_str("reason", by->reason));
    s->next_round_at = now;
    service_tick_at(s, now);
    return true;
}

bool service_remember_pause(struct service *s, struct err *err)
{
    g_autofree char *value = NULL;
    if (!journal_setting_get(s->journal, "paused", &value, err))
        return false;
    if (value == NULL)
        return true;
    char *reason = strchr(value, '\n');
    if (reason != NULL)
        *reason++ = '\0';
    set_pause(s, true, value, reason);
    return true;
}

static bool op_reload(void *data, const struct service_asker *by, struct err *err)
{
    return service_reload(data, by, err);
}

static GBytes *op_plan(void *data)
{
    const struct service *s = data;
    return s->last == NULL ? NULL : g_bytes_ref(s->last->found.plan_json);
}

static bool op_ready(void *data, char **ret_why_not)
{
    const struct service *s = data;
    *ret_why_not = s->stopping                            ? g_strdup("stopping")
                   : s->connected || lease_stands_by(s)   ? NULL
                   : s->failures + s->lease_failures == 0 ? g_strdup("starting: the cluster was not read yet")
                                                          : g_strdup("the cluster does not answer");
    return *ret_why_not == NULL;
}

struct service_ops service_ops_of(struct service *s)
{
    return (struct service_ops){.data = s,
                                .view = op_view,
                                .round = op_round,
                                .unfollow = op_unfollow,
                                .pause = op_pause,
                                .resume = op_resume,
                                .reload = op_reload,
                                .plan_json = op_plan,
                                .history_json = service_history_json,
                                .ready = op_ready};
}
