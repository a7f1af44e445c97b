// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/view.h"

const char *service_state_text(enum service_state s)
{
    static const char *const texts[] = {
        [SERVICE_STARTING] = "starting", [SERVICE_STANDBY] = "standby",
        [SERVICE_IDLE] = "idle",         [SERVICE_PLANNING] = "planning",
        [SERVICE_MOVING] = "moving",     [SERVICE_HELD] = "held",
        [SERVICE_PAUSED] = "paused",     [SERVICE_UNREACHABLE] = "unreachable",
        [SERVICE_STOPPING] = "stopping",
    };
    return texts[s];
}

static void clear_hold(void *p)
{
    struct view_hold *h = p;
    g_free(h->code);
    g_free(h->text);
}

static void clear_migration(void *p)
{
    struct view_migration *m = p;
    g_free(m->ns);
    g_free(m->from);
    g_free(m->to);
    g_free(m->min);
    g_free(m->max);
    g_free(m->reason);
}

static void clear_shard(void *p)
{
    struct view_shard *s = p;
    g_free(s->id);
    if (s->zones != NULL)
        g_ptr_array_unref(s->zones);
}

static void clear_range(void *p)
{
    struct view_zone_range *r = p;
    g_free(r->zone);
    g_free(r->min);
    g_free(r->max);
}

static void clear_collection(void *p)
{
    struct view_collection *c = p;
    g_free(c->ns);
    g_free(c->status);
    g_free(c->excluded);
    if (c->shards != NULL)
        g_array_unref(c->shards);
    if (c->ranges != NULL)
        g_array_unref(c->ranges);
}

static void clear_blocked(void *p)
{
    struct view_blocked *b = p;
    g_free(b->ns);
    g_free(b->shard);
    g_free(b->reason);
    g_free(b->why);
}

static void clear_round(void *p)
{
    struct view_round *r = p;
    g_free(r->kind);
    g_free(r->state);
    g_free(r->who);
    g_free(r->reason);
    g_free(r->note);
}

static GArray *array_of(guint size, GDestroyNotify clear)
{
    GArray *a = g_array_new(FALSE, TRUE, size);
    if (clear != NULL)
        g_array_set_clear_func(a, clear);
    return a;
}

GArray *view_shards_new(void)
{
    return array_of(sizeof(struct view_shard), clear_shard);
}

GArray *view_ranges_new(void)
{
    return array_of(sizeof(struct view_zone_range), clear_range);
}

service_view *service_view_new(void)
{
    service_view *v = g_new0(service_view, 1);
    v->holds = array_of(sizeof(struct view_hold), clear_hold);
    v->migrations = array_of(sizeof(struct view_migration), clear_migration);
    v->shards = view_shards_new();
    v->collections = array_of(sizeof(struct view_collection), clear_collection);
    v->history = array_of(sizeof(struct view_point), NULL);
    v->rounds = array_of(sizeof(struct view_round), clear_round);
    v->blocked = array_of(sizeof(struct view_blocked), clear_blocked);
    return v;
}

void service_view_free(service_view *v)
{
    if (v == NULL)
        return;
    g_free(v->version);
    g_free(v->cluster.name);
    g_free(v->cluster.version);
    g_free(v->cluster.id);
    g_free(v->lease.holder);
    g_free(v->window.text);
    g_free(v->pause.who);
    g_free(v->pause.reason);
    g_free(v->policy);
    g_free(v->builtin_balancer);
    g_free(v->round.kind);
    g_free(v->speed.basis);
    g_array_unref(v->holds);
    g_array_unref(v->migrations);
    g_array_unref(v->shards);
    g_array_unref(v->collections);
    g_array_unref(v->history);
    g_array_unref(v->rounds);
    g_array_unref(v->blocked);
    g_free(v);
}

bool view_round_counts(const struct view_round *r)
{
    return g_strcmp0(r->state, "done") == 0 && r->committed > 0 && r->planned_seconds > 0 &&
           r->started_at > 0 && r->ended_at > r->started_at;
}

struct view_promise view_promise(const service_view *v)
{
    struct view_promise p = {0};
    for (guint i = 0; i < v->rounds->len; i++) {
        const struct view_round *r = &g_array_index(v->rounds, struct view_round, i);
        if (!view_round_counts(r))
            continue;
        p.rounds++;
        p.promised_seconds += r->planned_seconds;
        p.achieved_seconds += (double)(r->ended_at - r->started_at) / 1000;
    }
    return p;
}
