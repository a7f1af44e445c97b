// SPDX-License-Identifier: Apache-2.0
/* The balancer inside MongoDB, where the configuration says stopAndRestore: remembered in the journal before
 * it is stopped, forgotten after it was started again, so that no crash leaves it stopped unknown to us. */
#include "balancer/service/service_private.h"

enum { STOP_TIMEOUT_MS = 60 * 1000 };

struct switching {
    struct service *s;
    char *uri;
    bool start;
    struct err err;
};

static void switching_free(void *data)
{
    struct switching *w = data;
    g_free(w->uri);
    g_free(w);
}

static struct switching *switching_new(struct service *s, bool start)
{
    struct switching *w = g_new0(struct switching, 1);
    w->s = s;
    w->uri = g_strdup(s->uri);
    w->start = start;
    return w;
}

static void do_switch(void *data)
{
    struct switching *w = data;
    g_autoptr(mongo_conn) c = NULL;
    if (!mongo_connect(w->uri, MONGOC_READ_PRIMARY, &c, &w->err))
        return;
    if (w->start)
        balancer_start(c->client, &w->err);
    else
        balancer_stop(c->client, STOP_TIMEOUT_MS, &w->err);
}

static void on_switched(void *data)
{
    struct switching *w = data;
    struct service *s = w->s;
    s->switching = false;
    if (w->err.cls == ERR_NONE) {
        log_put(s->log, LOG_BALANCER_STOPPED, log_str("by", "evenkeel"));
        s->next_round_at = service_now(s);
    } else {
        log_put(s->log, LOG_BALANCER_RUNNING, log_err(&w->err));
        s->next_round_at = service_now(s) + s->cfg->cfg->balancer.interval;
        rounds_end_forced(s, "failed", w->err.msg, err_exit_code(w->err.cls));
    }
    switching_free(w);
    service_tick(s);
}

bool switch_wanted(const struct service *s)
{
    return s->cfg->cfg->cluster.builtin_balancer == CONFIG_BUILTIN_STOP_AND_RESTORE && s->last != NULL &&
           s->last->found.balancer.migrates && lease_ours(s) && !s->stopping;
}

void switch_stop_builtin(struct service *s)
{
    struct err err = {0};
    if (!journal_balancer_remember(s->journal, s->last->found.balancer.mode, service_now(s), &err)) {
        service_fail(s, &err);
        return;
    }
    s->switching = true;
    offload_submit(s->brain, do_switch, on_switched, switching_free, switching_new(s, false));
}

static void on_restored(void *data)
{
    struct switching *w = data;
    struct service *s = w->s;
    s->switching = false;
    s->restored = true;
    if (w->err.cls == ERR_NONE && journal_balancer_forget(s->journal, service_now(s), &w->err))
        log_put(s->log, LOG_BALANCER_RESTORED, log_str("by", "evenkeel"));
    else
        log_put(s->log, LOG_BALANCER_RESTORE_FAILED, log_err(&w->err));
    switching_free(w);
    service_tick(s);
}

/* Where the lease is another's, so is the cluster: what is remembered stays so until this journal's service
 * has it again. */
bool switch_restore_builtin(struct service *s)
{
    struct err err = {0};
    g_autofree char *mode = NULL;
    int64_t at;
    if (s->restored)
        return false;
    if (!journal_balancer_remembered(s->journal, &mode, &at, &err))
        log_put(s->log, LOG_BALANCER_RESTORE_FAILED, log_err(&err));
    if (mode == NULL)
        return false;
    if (!lease_ours(s)) { /* another may be at work, and rely on it */
        err_set(&err, ERR_RETRY_LATER,
                "the built-in balancer is left stopped, since this process does not hold the lease; the next "
                "run that does starts it, and so does sh.startBalancer()");
        log_put(s->log, LOG_BALANCER_RESTORE_FAILED, log_err(&err));
        s->restored = true;
        return false;
    }
    s->switching = true;
    offload_submit(s->brain, do_switch, on_restored, switching_free, switching_new(s, true));
    return true;
}
