// SPDX-License-Identifier: Apache-2.0
#include "balancer/setup/measured.h"

#include "balancer/plan/estimate.h"

enum { NEWEST = 200 };
static const int64_t MONTH_MS = INT64_C(30) * 24 * 3600 * 1000;

GArray *setup_speeds(journal *j, int64_t now_ms)
{
    struct err ignored = {0};
    GArray *speeds = NULL;
    if (!journal_speeds(j, NEWEST, &speeds, &ignored))
        return NULL;
    for (guint i = 0; i < speeds->len; i++)
        if (g_array_index(speeds, struct journal_speed, i).ended_at < now_ms - MONTH_MS)
            return g_array_set_size(speeds, i);
    return speeds;
}

void setup_measured(cluster *cl, const GArray *speeds)
{
    g_autoptr(GArray) past = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    for (guint i = speeds == NULL ? 0 : speeds->len; i > 0; i--) {
        const struct journal_speed *of = &g_array_index(speeds, struct journal_speed, i - 1);
        const struct collection *coll = cluster_find_collection(cl, of->ns);
        const struct past_migration m = {.ended_ms = of->ended_at,
                                         .seconds = of->seconds,
                                         .running = of->ended_at == 0,
                                         .bytes = of->bytes,
                                         .from = cluster_find_shard(cl, of->from),
                                         .to = cluster_find_shard(cl, of->to),
                                         .coll = coll == NULL ? COLLECTION_NONE : coll->number};
        g_array_append_val(past, m);
    }
    estimate_prefer(cl, past);
}
