// SPDX-License-Identifier: Apache-2.0
/* scenario_set.h - the clusters by which policies are compared: each the same whenever it is made.
 * Owns: what they are like. Never: plans them.
 */
#pragma once

#include "tests/support/flat_cluster.h"

struct set_scenario {
    const char *name;  /* one word, for options */
    const char *about; /* what it is, a line */
    bool together;     /* it is the sum of all collections that is to be even */
    uint32_t chunks;   /* about so many, at scale 1 */
    flat_cluster *(*make)(double scale);
};

extern const struct set_scenario set_scenarios[];
extern const size_t n_set_scenarios;

/* The one that takes longest, with ten times the chunks. */
extern const struct set_scenario set_huge;
