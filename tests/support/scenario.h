// SPDX-License-Identifier: Apache-2.0
/* scenario.h - a random small cluster and a way to plan it, for properties that must hold of every plan.
 * Owns: the odds, and the loop over seeds. A failure prints the seed; EVENKEEL_TEST_SEED=N runs that one
 * alone; with EVENKEEL_TEST_SEEDS=M, M of them from there. Never: judges a plan, but for one that has no end.
 */
#pragma once

#include "balancer/plan/planner.h"
#include "tests/support/naive_model.h"

enum { SCENARIO_SEEDS = 200 };

struct scenario {
    uint32_t seed;
    struct gen_params params;
    struct plan_options opt;
    const char *drain[1]; /* of `opt` */
    cluster *cl;
    naive_cluster *before;
};

void scenario_init(struct scenario *s, uint32_t seed);
void scenario_clear(struct scenario *s);

/* The naive cluster of the same documents, shards drained by an option included. */
naive_cluster *scenario_naive(const struct scenario *s);

/* Plans `cl`; an error, or a plan without an end, fails the test. */
plan *scenario_plan(const struct scenario *s, const cluster *cl, const struct plan_options *opt);

/* Runs a property over the seeds: it gives NULL, or what is wrong (freed here), which fails the test. */
void scenario_for_all(char *(*property)(struct scenario *s));
/* The same over that many. */
void scenario_for_seeds(uint32_t seeds, char *(*property)(struct scenario *s));

/* A property as a cmocka test. */
#define PROPERTY(name)                                                                                       \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        scenario_for_all(name);                                                                              \
    }

/* Facts of a plan that tests ask for. */
bool plan_is_by_size(const plan *p);
bool plan_warns(const plan *p, const char *code);
