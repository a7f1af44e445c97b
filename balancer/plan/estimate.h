// SPDX-License-Identifier: Apache-2.0
/* estimate.h - how long migrations take, from what the journal or the cluster's changelog tells of past ones.
 * Owns: the model "seconds = (a + b * bytes) * factors of donor, recipient, collection, and the two shards
 * together", how far single migrations stray from it, and how far all of them together may.
 * Never: schedules (simulate.h) or reads a clock.
 */
#pragma once

#include "balancer/plan/plan.h"

enum { ESTIMATE_GROUPS = 4 };

typedef struct estimate {
    double latency;          /* a: seconds whatever the size */
    double seconds_per_byte; /* b */
    double low,
        high; /* factors: nine in ten past migrations took at least low and at most high times the model */
    /* The same of the sum of many: how far the model itself may be off, since few past migrations, or of
     * other times, stand behind it. */
    double common_low, common_high;
    unsigned samples; /* past migrations that it rests on */
    enum time_basis basis;
    GArray *factors[ESTIMATE_GROUPS]; /* of estimate.c */
    GArray *ratios; /* double, ascending: how many times the model each past one took; empty: not known */
} estimate;

/* Past migrations that an estimate needs at least. */
enum { ESTIMATE_LEAST = 3 };

/* Fits to the newest of the cluster's history; fewer than ESTIMATE_LEAST useful past migrations: defaults
 * that err on the slow side. One that took far longer or shorter than the others of its size (it hung,
 * nothing was copied) is left out. A factor of its own has a shard or a collection whose past migrations
 * differ from the others by more than chance would have it; it is the nearer to 1 the fewer they are. */
estimate *estimate_fit(const cluster *cl);
void estimate_free(estimate *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(estimate, estimate_free)

/* Puts migrations that we measured ourselves (struct past_migration, oldest first; NULL: none) in the place
 * of the changelog's, which others may have filled, provided that enough of them are of use. */
void estimate_prefer(cluster *cl, const GArray *measured);

/* Expected seconds of a migration of so many bytes (unknown sizes count as 0) of collection number `coll`
 * (COLLECTION_NONE: any) between two shards (SHARD_NONE: any). */
double estimate_seconds(const estimate *e, uint32_t coll, uint16_t from, uint16_t to, int64_t bytes);

/* How many times the model a migration takes: a share `q` (0 to 1) takes less. Its mean is about 1. */
double estimate_spread(const estimate *e, double q);
/* The same of what concerns all migrations alike. */
double estimate_common(const estimate *e, double q);
