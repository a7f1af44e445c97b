// SPDX-License-Identifier: Apache-2.0
/* migrations.pauseWhen.replicationLag: the shards' members are asked every few seconds, on a thread of its
 * own, since one that cannot be reached takes its time. */
#include "balancer/service/service_private.h"

#include "common/text.h"
#include "migrations/mongo/replication_lag.h"

enum { EVERY_MS = 5000 };

struct lagging {
    struct service *s;
    char *uri;
    GPtrArray *shards; /* char *: id, hosts, id, hosts, ... */
    int64_t limit;
    char *why; /* what is too much, or cannot be told; NULL: nothing */
};

static void lagging_free(void *data)
{
    struct lagging *l = data;
    g_free(l->uri);
    g_free(l->why);
    g_ptr_array_unref(l->shards);
    g_free(l);
}

static char *too_much(const struct lagging *l, const char *shard, const char *member, int64_t ms)
{
    g_autofree char *behind = text_duration((double)ms / 1000);
    g_autofree char *limit = text_duration((double)l->limit / 1000);
    return g_strdup_printf(
        "%s of %s is %s behind its primary, more than the %s of migrations.pauseWhen.replicationLag", member,
        shard, behind, limit);
}

/* The first one that is too much is enough. */
static void do_ask(void *data)
{
    struct lagging *l = data;
    for (guint i = 0; i + 1 < l->shards->len && l->why == NULL; i += 2) {
        struct err err = {0};
        int64_t ms = 0;
        g_autofree char *member = NULL;
        if (!replication_lag(l->uri, l->shards->pdata[i + 1], &ms, &member, &err))
            l->why = g_strdup(err.msg);
        else if (ms > l->limit)
            l->why = too_much(l, l->shards->pdata[i], member, ms);
    }
}

static void on_asked(void *data)
{
    struct lagging *l = data;
    struct service *s = l->s;
    s->asking_lag = false;
    s->lag_known = true;
    s->lag_at = service_now(s) + EVERY_MS;
    g_free(s->lag);
    s->lag = g_steal_pointer(&l->why);
    lagging_free(l);
    service_tick(s);
}

static void ask(struct service *s)
{
    struct lagging *l = g_new0(struct lagging, 1);
    const cluster *cl = s->last->found.cl;
    l->s = s;
    l->uri = g_strdup(s->uri);
    l->limit = s->cfg->cfg->migrations.pause_when.replication_lag;
    l->shards = g_ptr_array_new_with_free_func(g_free);
    for (uint16_t i = 0; i < cl->n_shards; i++) {
        g_ptr_array_add(l->shards, g_strdup(cl->shards[i].id));
        g_ptr_array_add(l->shards, g_strdup(cl->shards[i].host == NULL ? "" : cl->shards[i].host));
    }
    s->asking_lag = true;
    offload_submit(s->lagger, do_ask, on_asked, lagging_free, l);
}

void lag_tick(struct service *s, int64_t now)
{
    struct err err = {0};
    if (s->cfg->cfg->migrations.pause_when.replication_lag == 0 || s->last == NULL || s->stopping ||
        !lease_ours(s)) {
        s->lag_known = false;
        s->lag_at = 0;
        return;
    }
    if (s->lagger == NULL && !offload_new(s->base, "lag", &s->lagger, &err)) {
        service_fail(s, &err);
        return;
    }
    if (!s->asking_lag && now >= s->lag_at)
        ask(s);
    if (!s->asking_lag)
        service_tick_at(s, s->lag_at);
}

char *lag_holds(const struct service *s)
{
    if (s->cfg->cfg->migrations.pause_when.replication_lag == 0 || s->last == NULL)
        return NULL;
    return g_strdup(s->lag_known ? s->lag : "the replication lag of the shards is not known yet");
}
