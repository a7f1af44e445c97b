// SPDX-License-Identifier: Apache-2.0
/* From the `balancer` section of the configuration to the planner's options. */
#include "balancer/setup/planning.h"

#include "balancer/setup/window_setup.h"

/* Windows further ahead say nothing. */
#define HORIZON_MS (INT64_C(400) * 24 * 3600 * 1000)

#include <string.h>

static bool choose_policy(const config *cfg, struct plan_options *opt, struct err *err)
{
    switch (cfg->balancer.policy) {
    case CONFIG_POLICY_AUTO:
        opt->policy = NULL;
        return true;
    case CONFIG_POLICY_COUNT:
        opt->policy = &policy_count;
        return true;
    case CONFIG_POLICY_SIZE:
        opt->policy = &policy_size;
        return true;
    case CONFIG_POLICY_OPTIMAL:
        opt->policy = &policy_optimal;
        return true;
    }
    return err_set(err, ERR_CONFIG, "balancer.policy: unknown policy");
}

/* --ns says it all where it is given; else what the file says. */
static bool choose_namespaces(const config *cfg, const globs *namespaces, struct planning *p, struct err *err)
{
    p->opt.namespaces = namespaces;
    if (namespaces != NULL || !config_is_set(cfg, "balancer.namespaces"))
        return true;
    p->namespaces = globs_new();
    p->opt.namespaces = p->namespaces;
    for (guint i = 0; i < cfg->balancer.namespaces->len; i++)
        if (!globs_add(p->namespaces, cfg->balancer.namespaces->pdata[i], err)) {
            err->cls = ERR_CONFIG;
            return err_wrap(err, "balancer.namespaces");
        }
    return true;
}

/* The table's defaults are the built-in's own rules, so only what the file gives may change them. */
static void take_thresholds(const config *cfg, struct plan_options *opt)
{
    if (config_is_set(cfg, "balancer.thresholds.chunks"))
        opt->threshold_chunks = cfg->balancer.thresholds.chunks;
    if (config_is_set(cfg, "balancer.thresholds.bytes"))
        opt->threshold_bytes = cfg->balancer.thresholds.bytes;
    if (config_is_set(cfg, "balancer.thresholds.percent"))
        opt->threshold_percent = cfg->balancer.thresholds.percent;
}

static void take_shards(const config *cfg, struct planning *p)
{
    p->shards = g_array_new(FALSE, FALSE, sizeof(struct shard_wish));
    for (guint i = 0; i < cfg->balancer.shards->len; i++) {
        const struct config_shard *from = &g_array_index(cfg->balancer.shards, struct config_shard, i);
        struct shard_wish wish = {.shard = from->id,
                                  .weight = from->weight,
                                  .max_bytes = from->max_bytes,
                                  .receive = from->receive};
        g_array_append_val(p->shards, wish);
    }
    p->opt.shard_wishes = (const struct shard_wish *)(void *)p->shards->data;
    p->opt.n_shard_wishes = p->shards->len;
}

static void take_collections(const config *cfg, struct planning *p)
{
    p->collections = g_array_new(FALSE, FALSE, sizeof(struct collection_wish));
    for (guint i = 0; i < cfg->balancer.collections->len; i++) {
        const struct config_collection *from =
            &g_array_index(cfg->balancer.collections, struct config_collection, i);
        struct collection_wish wish = {.ns = from->ns,
                                       .priority = from->priority,
                                       .threshold = from->threshold,
                                       .enabled = from->enabled};
        g_array_append_val(p->collections, wish);
    }
    p->opt.collection_wishes = (const struct collection_wish *)(void *)p->collections->data;
    p->opt.n_collection_wishes = p->collections->len;
}

bool planning_init(const config *cfg, const globs *namespaces, struct planning *ret, struct err *err)
{
    struct planning p = {.opt = plan_options_default()};
    if (!choose_policy(cfg, &p.opt, err) || !choose_namespaces(cfg, namespaces, &p, err)) {
        planning_clear(&p);
        return false;
    }
    p.opt.balance_cluster = cfg->balancer.balance == CONFIG_BALANCE_CLUSTER;
    p.opt.time_series_even = cfg->balancer.time_series == CONFIG_TIME_SERIES_EVEN;
    p.opt.limits.max_concurrent = (uint32_t)cfg->migrations.max_concurrent;
    p.opt.limits.max_bytes_per_hour = cfg->migrations.max_bytes_per_hour;
    take_thresholds(cfg, &p.opt);
    take_shards(cfg, &p);
    take_collections(cfg, &p);
    *ret = p;
    return true;
}

static void weigh(struct planning *p, const struct wished *ch)
{
    for (guint i = 0; i < p->shards->len; i++) {
        struct shard_wish *known = &g_array_index(p->shards, struct shard_wish, i);
        if (strcmp(known->shard, ch->shard) == 0) {
            known->weight = ch->weight;
            return;
        }
    }
    struct shard_wish wish = {.shard = ch->shard, .weight = ch->weight, .receive = true};
    g_array_append_val(p->shards, wish);
}

void planning_change(struct planning *p, const change_list *whatif)
{
    p->opt.whatif = whatif;
    for (guint i = 0; whatif != NULL && i < whatif->list->len; i++) {
        const struct wished *ch = &g_array_index(whatif->list, struct wished, i);
        if (ch->kind == CHANGE_WEIGHT)
            weigh(p, ch);
    }
    p->opt.shard_wishes = (const struct shard_wish *)(void *)p->shards->data;
    p->opt.n_shard_wishes = p->shards->len;
}

void planning_when(const config *cfg, const cluster *cl, int64_t start_ms, struct planning *p)
{
    static const struct sim_span none[1];
    struct err err = {0};
    g_autoptr(windows) w = NULL;
    if (start_ms == 0)
        return;
    if (!setup_windows(cfg, cl, &w, &err)) {
        g_free(p->windows_fault);
        p->opt.windows_fault = p->windows_fault = g_strdup(err.msg);
        return;
    }
    p->opt.limits.start_ms = start_ms;
    if (windows_count(w) == 0)
        return;
    g_clear_pointer(&p->open, g_array_unref);
    p->open = g_array_new(FALSE, FALSE, sizeof(struct sim_span));
    g_autoptr(GArray) spans = windows_spans(w, start_ms, start_ms + HORIZON_MS);
    for (guint i = 0; i < spans->len; i++) {
        const struct window_span *from = &g_array_index(spans, struct window_span, i);
        const struct sim_span span = {from->from, from->to};
        g_array_append_val(p->open, span);
    }
    p->opt.limits.n_open = p->open->len;
    p->opt.limits.open = p->open->len > 0 ? (const struct sim_span *)(void *)p->open->data : none;
}

void planning_clear(struct planning *p)
{
    globs_free(p->namespaces);
    g_clear_pointer(&p->shards, g_array_unref);
    g_clear_pointer(&p->collections, g_array_unref);
    g_clear_pointer(&p->open, g_array_unref);
    g_free(p->windows_fault);
    *p = (struct planning){0};
}
