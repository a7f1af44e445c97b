// SPDX-License-Identifier: Apache-2.0
/* What of a view comes from a plan. Made on the thread that planned, and only referred to afterwards. */
#include "balancer/service/look.h"

#include "balancer/key/show.h"

static struct view_shard plan_shard_view(const cluster *cl, const struct plan_shard *ps)
{
    return (struct view_shard){.id = g_strdup(cl->shards[ps->shard].id),
                               .draining = cl->shards[ps->shard].draining,
                               .bytes = ps->bytes,
                               .target_bytes = ps->target_bytes,
                               .chunks = ps->chunks,
                               .target_chunks = ps->target_chunks};
}

static void fill_ranges(const cluster *cl, const struct collection *coll, struct view_collection *c)
{
    for (uint32_t i = 0; i < MIN(coll->n_ranges, (uint32_t)VIEW_RANGES); i++) {
        const struct view_zone_range r = {g_strdup(cluster_zone_name(cl, coll->ranges[i].zone)),
                                          key_json_text(&coll->ranges[i].min),
                                          key_json_text(&coll->ranges[i].max)};
        g_array_append_val(c->ranges, r);
    }
}

static gint by_imbalance(gconstpointer a, gconstpointer b)
{
    const struct plan_collection *x = *(const struct plan_collection *const *)a;
    const struct plan_collection *y = *(const struct plan_collection *const *)b;
    if (x->status != y->status)
        return x->status == PLAN_IMBALANCED ? -1 : y->status == PLAN_IMBALANCED ? 1 : 0;
    return x->imbalance_before > y->imbalance_before ? -1 : x->imbalance_before < y->imbalance_before ? 1 : 0;
}

static const char *const status_words[] = {
    [PLAN_BALANCED] = "balanced", [PLAN_IMBALANCED] = "imbalanced", [PLAN_EXCLUDED] = "excluded"};

static void add_collection(const plan *p, const struct plan_collection *pc, service_view *v)
{
    struct view_collection c = {.ns = g_strdup(pc->coll->ns),
                                .status = g_strdup(status_words[pc->status]),
                                .excluded = g_strdup(excluded_text(pc->excluded)),
                                .imbalance = pc->imbalance_before,
                                .chunks = pc->chunks,
                                .bytes = pc->bytes,
                                .migrations = pc->n_migrations,
                                .shards = view_shards_new(),
                                .ranges = view_ranges_new()};
    for (uint32_t i = 0; i < pc->n_shards; i++) {
        const struct view_shard vs = plan_shard_view(p->cl, &pc->shards[i]);
        g_array_append_val(c.shards, vs);
    }
    fill_ranges(p->cl, pc->coll, &c);
    g_array_append_val(v->collections, c);
}

/* Every shard's totals over the included collections; sizes that are not known anywhere make the whole
 * unknown. */
static void fill_shards(const plan *p, service_view *v)
{
    const cluster *cl = p->cl;
    g_autofree struct plan_shard *sum = g_new0(struct plan_shard, cl->n_shards);
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *pc = &g_array_index(p->collections, struct plan_collection, i);
        for (uint32_t k = 0; k < pc->n_shards && pc->status != PLAN_EXCLUDED; k++) {
            struct plan_shard *to = &sum[pc->shards[k].shard];
            to->chunks += pc->shards[k].chunks;
            to->target_chunks += pc->shards[k].target_chunks;
            to->bytes += MAX(pc->shards[k].bytes, 0);
            to->target_bytes += MAX(pc->shards[k].target_bytes, 0);
        }
    }
    for (uint16_t i = 0; i < cl->n_shards; i++) {
        sum[i].shard = i;
        struct view_shard vs = plan_shard_view(cl, &sum[i]);
        vs.zones = g_ptr_array_new_with_free_func(g_free);
        for (uint32_t z = 0; z < cl->shards[i].n_zones; z++)
            g_ptr_array_add(vs.zones, g_strdup(cluster_zone_name(cl, cl->shards[i].zones[z])));
        g_array_append_val(v->shards, vs);
    }
}

static void fill_blocked(const plan *p, service_view *v)
{
    for (guint i = 0; i < MIN(p->blocked->len, (guint)VIEW_BLOCKED); i++) {
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, i);
        const struct view_blocked vb = {
            .ns = g_strdup(b->coll->ns),
            .shard = b->shard == SHARD_NONE ? NULL : g_strdup(p->cl->shards[b->shard].id),
            .reason = g_strdup(b->reason),
            .why = g_strdup(b->why),
            .chunks = b->chunks};
        g_array_append_val(v->blocked, vb);
    }
}

static void fill_collections(const plan *p, service_view *v)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (guint i = 0; i < p->collections->len; i++) {
        struct plan_collection *pc = &g_array_index(p->collections, struct plan_collection, i);
        v->n_imbalanced += pc->status == PLAN_IMBALANCED;
        g_ptr_array_add(sorted, pc);
    }
    g_ptr_array_sort(sorted, by_imbalance);
    v->n_collections = sorted->len;
    for (guint i = 0; i < MIN(sorted->len, (guint)VIEW_COLLECTIONS); i++)
        add_collection(p, sorted->pdata[i], v);
}

service_view *look_view(const struct look_found *found)
{
    const plan *p = found->plan;
    service_view *v = service_view_new();
    fill_collections(p, v);
    fill_shards(p, v);
    fill_blocked(p, v);
    v->imbalance = p->summary.imbalance_before;
    v->policy = g_strdup(p->policy->name);
    v->cluster.name = g_strdup(found->name);
    v->cluster.version = g_strdup(found->cl->server_version);
    v->cluster.id = g_strdup(found->cluster_id);
    v->builtin_balancer = g_strdup(found->balancer.mode);
    return v;
}
