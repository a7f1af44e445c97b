// SPDX-License-Identifier: Apache-2.0
/* estimate.h - how long migrations take, from what the cluster's changelog tells of past ones.
 * Owns: the model "seconds = a + b * bytes" and its spread. Never: schedules (planner) or reads a clock.
 */
#pragma once

#include "balancer/plan/plan.h"

struct estimate {
    double latency;          /* a: seconds whatever the size */
    double seconds_per_byte; /* b */
    double low,
        high; /* factors: nine in ten past migrations took at least low and at most high times the model */
    enum time_basis basis;
};

/* Fits to the cluster's history; fewer than 3 useful past migrations: defaults that err on the slow side. */
struct estimate estimate_fit(const cluster *cl);

/* Seconds for a migration of so many bytes (unknown sizes count as 0). */
double estimate_seconds(const struct estimate *e, int64_t bytes);
