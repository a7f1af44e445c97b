// SPDX-License-Identifier: Apache-2.0
/* compare.h - the plans of several policies for one cluster, and what is measured of all by the same shares.
 * Owns: the plans, and the figures that are comparable. Never: decides which is better.
 * A plan's own imbalance is in its policy's unit and by its policy's shares; here all are measured in bytes,
 * by the shares of one of them.
 */
#pragma once

#include "balancer/plan/planner.h"

/* The data of the included collections, against their shares. */
struct compared_load {
    double imbalance; /* of the cluster: the largest load over its share, less 1; 0 at least */
    int64_t over;     /* bytes above the shares, of each collection by itself, all together */
};

struct compared_plan {
    const char *name; /* as asked for, "auto" too; borrowed */
    plan *plan;
    struct compared_load after;
};

typedef struct comparison {
    GArray *plans;       /* struct compared_plan, in the order asked for */
    const char *measure; /* the policy whose shares measure all: one that weighs shards and knows their limits
                            where there is one among them, else the first */
    struct compared_load before;
} comparison;

/* Plans with each of the policies, NULL for auto, under otherwise the same options. `names` and `policies`
 * have `n` elements, 1 at least; the model and the options must outlive the result. Errors are plan_make()'s.
 */
bool comparison_make(const cluster *cl, const struct plan_options *opt, const char *const *names,
                     const struct policy *const *policies, size_t n, comparison **ret, struct err *err);
void comparison_free(comparison *c); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(comparison, comparison_free)
