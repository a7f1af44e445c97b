// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/schedule.h"

#include "balancer/plan/estimate.h"

void schedule_make(struct schedule *s, const plan *p)
{
    const uint16_t n = p->cl->n_shards;
    g_autoptr(estimate) est = estimate_fit(p->cl);
    g_autofree double *free_at = g_new0(double, MAX(n, 1));
    s->begin = g_new0(double, MAX(p->migrations->len, 1U));
    s->end = g_new0(double, MAX(p->migrations->len, 1U));
    s->busy = g_new0(double, MAX(n, 1));
    s->length = 0;
    s->critical = SHARD_NONE;
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        const double seconds = estimate_seconds(est, m->coll->number, m->from, m->to, m->bytes);
        s->begin[i] = MAX(free_at[m->from], free_at[m->to]);
        s->end[i] = s->begin[i] + seconds;
        free_at[m->from] = free_at[m->to] = s->end[i];
        s->busy[m->from] += seconds;
        s->busy[m->to] += seconds;
        s->length = MAX(s->length, s->end[i]);
    }
    for (uint16_t i = 0; i < n; i++)
        if (s->busy[i] > 0 && (s->critical == SHARD_NONE || s->busy[i] > s->busy[s->critical]))
            s->critical = i;
}

void schedule_clear(struct schedule *s)
{
    g_free(s->begin);
    g_free(s->end);
    g_free(s->busy);
}
