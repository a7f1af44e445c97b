// SPDX-License-Identifier: Apache-2.0
#include "balancer/setup/acting.h"

static const enum executor_jumbo jumbos[] = {
    [CONFIG_JUMBO_SKIP] = EXECUTOR_JUMBO_SKIP,
    [CONFIG_JUMBO_SPLIT] = EXECUTOR_JUMBO_SPLIT,
    [CONFIG_JUMBO_FORCE] = EXECUTOR_JUMBO_FORCE,
};

static const enum mongo_throttle throttles[] = {
    [CONFIG_THROTTLE_DEFAULT] = THROTTLE_DEFAULT,
    [CONFIG_THROTTLE_OFF] = THROTTLE_OFF,
    [CONFIG_THROTTLE_ON] = THROTTLE_ON,
    [CONFIG_THROTTLE_CONCERN] = THROTTLE_CONCERN,
};

struct executor_options acting_executor(const config *cfg, const cluster *cl)
{
    g_autoptr(estimate) speed = estimate_fit(cl);
    struct executor_options opt = executor_options_default();
    opt.n_shards = cl->n_shards;
    opt.max_concurrent = (unsigned)cfg->migrations.max_concurrent;
    opt.retry_attempts = cfg->migrations.retry.attempts;
    opt.backoff_ms = cfg->migrations.retry.backoff;
    opt.max_backoff_ms = cfg->migrations.retry.max_backoff;
    opt.max_bytes_per_hour = cfg->migrations.max_bytes_per_hour;
    opt.assumed_bytes = cl->settings.chunk_bytes;
    opt.jumbo = jumbos[cfg->migrations.jumbo];
    opt.latency_seconds = speed->latency;
    opt.seconds_per_byte = speed->seconds_per_byte;
    return opt;
}

bool acting_fits(const estimate *speed, const work *w, int64_t now, int64_t end)
{
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *step = w->steps->pdata[i];
        const int64_t bytes = step->kind == WORK_MOVE ? step->bytes : 0;
        if ((double)now + estimate_seconds(speed, COLLECTION_NONE, SHARD_NONE, SHARD_NONE, bytes) * 1000 <=
            (double)end)
            return true;
    }
    return false;
}

static bool is_held(void *data)
{
    return lease_keeper_held(data);
}

bool acting_lease(const config *cfg, const char *uri, const char *name, lease_keeper **ret, struct err *err)
{
    const struct lease_keeper_options opt = {
        .uri = uri, .ns = cfg->lease.ns, .ttl_ms = cfg->lease.ttl, .name = name};
    *ret = NULL;
    return !cfg->lease.enabled || lease_keeper_new(&opt, ret, err);
}

struct mongo_hands_options acting_hands(const config *cfg, const cluster *cl, const lease_keeper *keeper)
{
    const struct config_throttle *throttle = &cfg->migrations.secondary_throttle;
    return (struct mongo_hands_options){.move_range = cluster_has_move_range(cl),
                                        .wait_for_delete =
                                            cfg->migrations.wait_for_delete || cl->settings.wait_for_delete,
                                        .throttle = throttles[throttle->kind],
                                        .throttle_members = (int)throttle->members,
                                        .throttle_mode = throttle->mode,
                                        .gate = {is_held, (void *)keeper}};
}

GArray *acting_wishes(const config *cfg)
{
    GArray *wishes = g_array_new(FALSE, FALSE, sizeof(struct guard_wish));
    for (guint i = 0; i < cfg->balancer.shards->len; i++) {
        const struct config_shard *s = &g_array_index(cfg->balancer.shards, struct config_shard, i);
        struct guard_wish wish = {s->id, "the configuration sets receive: false for it"};
        if (!s->receive)
            g_array_append_val(wishes, wish);
    }
    return wishes;
}
