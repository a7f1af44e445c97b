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
};

/* The planner's defaults, changed by what `cfg` sets; `cfg` must outlive `ret`. `namespaces` (borrowed, NULL:
 * not given) go before the configuration's. ERR_CONFIG where this version cannot do what is asked. */
bool planning_init(const config *cfg, const globs *namespaces, struct planning *ret, struct err *err);

/* The wished changes (borrowed, NULL: none) go before the configuration: weights, and the list for the
 * reports. */
void planning_change(struct planning *p, const change_list *whatif);
void planning_clear(struct planning *p);
