// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/schedule.h"

void schedule_make(struct schedule *s, const plan *p)
{
    const uint16_t n = p->cl->n_shards;
    s->busy = g_new0(double, MAX(n, 1));
    s->length = 0;
    s->critical = SHARD_NONE;
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        s->busy[m->from] += m->seconds;
        s->busy[m->to] += m->seconds;
        if (m->starts >= 0)
            s->length = MAX(s->length, m->starts + m->seconds);
    }
    for (uint16_t i = 0; i < n; i++)
        if (s->busy[i] > 0 && (s->critical == SHARD_NONE || s->busy[i] > s->busy[s->critical]))
            s->critical = i;
}

void schedule_clear(struct schedule *s)
{
    g_free(s->busy);
}
