// SPDX-License-Identifier: Apache-2.0
/* flat_case.h - properties of plans over random flat clusters, seed by seed.
 * Owns: the loop. A failure prints the first seed, with EVENKEEL_TEST_TELL=1 all of them;
 * EVENKEEL_TEST_SEED=N runs that one alone, with EVENKEEL_TEST_SEEDS=M M of them from there;
 * EVENKEEL_TEST_SAVE=FILE writes its cluster as a snapshot.
 * Never: judges a plan.
 */
#pragma once

#include "tests/support/flat_cluster.h"

/* A plan and the model that it points into. */
typedef struct flat_plan {
    cluster *cl;
    plan *p;
} flat_plan;

/* Until balanced. Caller frees. */
flat_plan *flat_plan_new(flat_cluster *f, const struct policy *policy);
void flat_plan_free(flat_plan *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(flat_plan, flat_plan_free)

struct flat_case {
    uint32_t seed;
    GRand *rand; /* what the property draws besides */
    flat_cluster *f;
};

/* Runs a property over the seeds: it gives NULL, or what is wrong (freed here); where any seed is
 * wrong the test fails at the end. */
void flat_for_seeds(uint32_t seeds, flat_cluster *(*make)(GRand *r), char *(*property)(struct flat_case *t));
