// SPDX-License-Identifier: Apache-2.0
/* planning.h - from the `balancer` section of the configuration to the planner's options.
 * Owns: which key means which option. Never: plans, or reads the file.
 */
#pragma once

#include "balancer/plan/planner.h"
#include "common/config/config.h"

/* What the configuration says about planning. Zeroed: nothing to clear. */
struct planning {
    struct plan_options opt; /* points into the rest, and into the configuration */
    globs *namespaces;
    GArray *shards;      /* struct shard_wish */
    GArray *collections; /* struct collection_wish */
    GArray *open;        /* struct sim_span */
    char *windows_fault;
};

/* The planner's defaults, changed by what `cfg` sets; `cfg` must outlive `ret`. `namespaces` (borrowed, NULL:
 * not given) go before the configuration's. ERR_CONFIG where this version cannot do what is asked. */
bool planning_init(const config *cfg, const globs *namespaces, struct planning *ret, struct err *err);

/* The wished changes (borrowed, NULL: none) go before the configuration: weights, and the list for the
 * reports. */
void planning_change(struct planning *p, const change_list *whatif);
/* When the plan would be carried out: from `start_ms` (unix time; 0: not known) on, in the windows that count
 * for this cluster. Windows that cannot be read leave the times without a calendar, and the plan with a
 * warning. */
void planning_when(const config *cfg, const cluster *cl, int64_t start_ms, struct planning *p);
void planning_clear(struct planning *p);
