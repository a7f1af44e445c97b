// SPDX-License-Identifier: Apache-2.0
/* plan_times.h - how long a plan takes in virtual time, with the spread that a real cluster's migrations had.
 * Owns: a model of speed (a second, and 20 MiB/s), the spread on record in tests/data/real-4.2.
 * Never: sleeps or reads a clock; the same plan takes the same time.
 */
#pragma once

#include "balancer/plan/plan.h"

/* What a migration of so many bytes takes by the model. */
double plan_times_expected(int64_t bytes);

/* One migration in twenty is six times slower. */
static const double PLAN_TIMES_STRAGGLERS = 0.05, PLAN_TIMES_STRAGGLER_FACTOR = 6;

/* Seconds, the mean over several draws of luck. */
struct plan_times {
    double usual;      /* with the spread on record */
    double stragglers; /* and stragglers */
};

/* `barrier`: as MongoDB's own balancer carries rounds out, each waiting for all of the last and then a
 * second; else as our executor does. */
struct plan_times plan_times(const plan *p, bool barrier);
