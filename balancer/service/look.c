// SPDX-License-Identifier: Apache-2.0
#include "balancer/service/look.h"

#include "balancer/cluster/intake.h"
#include "balancer/plan/estimate.h"
#include "balancer/setup/measured.h"
#include "common/json_writer.h"
#include "migrations/mongo/live_source.h"
#include "migrations/mongo/probe.h"

#include <string.h>

struct shared_config *shared_config_new(config *taken)
{
    struct shared_config *c = g_new0(struct shared_config, 1);
    c->cfg = taken;
    g_atomic_ref_count_init(&c->refs);
    return c;
}

struct shared_config *shared_config_ref(struct shared_config *c)
{
    g_atomic_ref_count_inc(&c->refs);
    return c;
}

void shared_config_unref(struct shared_config *c)
{
    if (c == NULL || !g_atomic_ref_count_dec(&c->refs))
        return;
    config_free(c->cfg);
    g_free(c);
}

look *look_new(void)
{
    look *l = g_new0(look, 1);
    l->refs = 1;
    l->found.orphans = -1;
    return l;
}

look *look_ref(look *l)
{
    l->refs++;
    return l;
}

void look_unref(look *l)
{
    if (l != NULL && --l->refs == 0)
        look_free(l);
}

void look_free(look *l)
{
    shared_config_unref(l->ask.cfg);
    g_free(l->ask.uri);
    globs_free(l->ask.namespaces);
    g_clear_pointer(&l->ask.busy, g_ptr_array_unref);
    g_clear_pointer(&l->ask.measured, g_array_unref);
    work_free(l->found.work);
    plan_free(l->found.plan);
    estimate_free(l->found.speed);
    cluster_free(l->found.cl);
    g_clear_pointer(&l->found.plan_json, g_bytes_unref);
    service_view_free(l->found.view);
    g_free(l->found.cluster_id);
    g_free(l->found.name);
    g_free(l);
}

/* Between the source and the builder: counts orphans as they go by. */
struct counting {
    struct intake to;
    int64_t orphans; /* -1: no size told of any */
};

static bool on_document(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                        struct err *err)
{
    const struct counting *c = data;
    return c->to.document(c->to.data, kind, index, doc, len, err);
}

static bool on_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct counting *c = data;
    bson_t sizes;
    bson_iter_t it, shard;
    if (bson_init_static(&sizes, doc, len) && bson_iter_init(&it, &sizes))
        while (bson_iter_next(&it))
            if (BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &shard) &&
                bson_iter_find(&shard, "orphans") && BSON_ITER_HOLDS_NUMBER(&shard))
                c->orphans = MAX(c->orphans, 0) + MAX(bson_iter_as_int64(&shard), 0);
    return c->to.sizes(c->to.data, ns, doc, len, err);
}

static bool on_text(void *data, enum intake_text what, const char *text, struct err *err)
{
    const struct counting *c = data;
    return c->to.text(c->to.data, what, text, err);
}

static bool on_taken_at(void *data, int64_t unix_ms, struct err *err)
{
    const struct counting *c = data;
    return c->to.taken_at(c->to.data, unix_ms, err);
}

static void on_warn(void *data, const char *code, const char *ns, const char *message)
{
    const struct counting *c = data;
    c->to.warn(c->to.data, code, ns, message);
}

static bool read_cluster(look *l, struct err *err)
{
    const struct live_options opt = {0};
    g_autoptr(mongo_conn) conn = NULL;
    g_autoptr(builder) b = builder_new();
    if (!mongo_connect(l->ask.uri, l->ask.read_mode, &conn, err))
        return false;
    l->found.name = g_strdup(conn->name);
    struct counting counting = {.to = intake_builder(b), .orphans = -1};
    const struct intake between = {&counting, on_document, on_sizes, on_text, on_taken_at, on_warn};
    for (guint i = 0; l->ask.busy != NULL && i < l->ask.busy->len; i++)
        if (!between.text(between.data, INTAKE_USED_SHARD, l->ask.busy->pdata[i], err))
            return false;
    if (!probe_cluster_id(conn->client, &l->found.cluster_id, err) ||
        !balancer_status(conn->client, &l->found.balancer, err) || !live_read(conn, &opt, &between, err) ||
        !builder_finish(b, &l->found.cl, err))
        return false;
    l->found.orphans = counting.orphans;
    setup_measured(l->found.cl, l->ask.measured);
    return true;
}

/* Work for about ten minutes: long enough that shards hardly ever wait for a look, short enough that what it
 * rests on is still so when it is done. */
static const struct plan_ahead AHEAD = {.rounds = 64, .moves = 512, .seconds = 600};

static bool make_plan(look *l, struct err *err)
{
    struct planning planning = {0};
    if (!planning_init(l->ask.cfg->cfg, l->ask.namespaces, &planning, err))
        return false;
    planning.opt.max_bytes = l->ask.max_bytes;
    planning.opt.max_seconds = l->ask.max_seconds;
    if (l->ask.ahead)
        planning.opt.ahead = AHEAD;
    planning_when(l->ask.cfg->cfg, l->found.cl, g_get_real_time() / 1000, &planning);
    bool made = plan_make(l->found.cl, &planning.opt, &l->found.plan, err);
    if (made) {
        const struct report_source src = {"cluster", l->found.name, g_get_real_time() / 1000};
        g_autoptr(GString) json = g_string_new(NULL);
        report_json(l->found.plan, &src, json);
        json_one_line(json);
        l->found.plan_json = g_string_free_to_bytes(g_steal_pointer(&json));
        l->found.work = work_from_plan(l->found.plan, l->found.name);
        l->found.n_steps = l->found.work->steps->len;
        l->found.speed = estimate_fit(l->found.cl);
        l->found.view = look_view(&l->found);
        look_forecast(l, &planning.opt);
    }
    planning_clear(&planning);
    return made;
}

void look_run(look *l)
{
    gint64 began = g_get_monotonic_time();
    if (!read_cluster(l, &l->found.err))
        return;
    gint64 read = g_get_monotonic_time();
    l->found.read_seconds = (double)(read - began) / 1e6;
    make_plan(l, &l->found.err);
    l->found.plan_seconds = (double)(g_get_monotonic_time() - read) / 1e6;
}

double look_seconds(const struct look_found *found, const char *ns, const char *from, const char *to,
                    int64_t bytes)
{
    const struct collection *coll = ns == NULL ? NULL : cluster_find_collection(found->cl, ns);
    return estimate_seconds(found->speed, coll == NULL ? COLLECTION_NONE : coll->number,
                            from == NULL ? SHARD_NONE : cluster_find_shard(found->cl, from),
                            to == NULL ? SHARD_NONE : cluster_find_shard(found->cl, to), bytes);
}
