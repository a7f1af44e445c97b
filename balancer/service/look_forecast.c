// SPDX-License-Identifier: Apache-2.0
/* Looks ahead: the same cluster and options, planned on until nothing more moves. */
#include "balancer/service/look.h"

/* A projection costs by the migration: beyond so many the answer would come late and tell little. */
enum { MIGRATIONS_MAX = 20000 };

static void take(struct look_forecast *to, const struct plan_summary *s)
{
    *to = (struct look_forecast){.made = true,
                                 .complete = s->complete,
                                 .migrations = s->n_migrations,
                                 .bytes = s->bytes,
                                 .time = s->time};
}

void look_forecast(look *l, const struct plan_options *opt)
{
    struct err ignored = {0};
    struct plan_options ahead = *opt;
    plan *p = NULL;
    take(&l->found.forecast, &l->found.plan->summary);
    if (l->found.plan->summary.complete)
        return;
    ahead.until_balanced = true;
    ahead.max_moves = MIGRATIONS_MAX;
    ahead.max_bytes = 0;
    ahead.max_seconds = 0;
    if (plan_make(l->found.cl, &ahead, &p, &ignored)) {
        take(&l->found.forecast, &p->summary);
        plan_free(p);
    } else {
        l->found.forecast.made = false;
    }
}
