// SPDX-License-Identifier: Apache-2.0
/* estimate.h - how long migrations take, from what the journal or the cluster's changelog tells of past ones.
 * Owns: the model "seconds = a + b * bytes" and its spread. Never: schedules (planner) or reads a clock.
 */
#pragma once

#include "balancer/plan/plan.h"

struct estimate {
    double latency;          /* a: seconds whatever the size */
    double seconds_per_byte; /* b */
    double low,
        high; /* factors: nine in ten past migrations took at least low and at most high times the model */
    unsigned samples; /* past migrations that it rests on */
    enum time_basis basis;
};

/* Past migrations that an estimate needs at least. */
enum { ESTIMATE_LEAST = 3 };

/* Fits to the cluster's history; fewer than ESTIMATE_LEAST useful past migrations: defaults that err on the
 * slow side. One that took far longer or shorter than the others of its size (it hung, nothing was copied) is
 * left out. */
struct estimate estimate_fit(const cluster *cl);

/* Puts migrations that we measured ourselves (struct past_migration, oldest first; NULL: none) in the place
 * of the changelog's, which others may have filled, provided that enough of them are of use. */
void estimate_prefer(cluster *cl, const GArray *measured);

/* Seconds for a migration of so many bytes (unknown sizes count as 0). */
double estimate_seconds(const struct estimate *e, int64_t bytes);
