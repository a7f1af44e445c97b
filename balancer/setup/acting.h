// SPDX-License-Identifier: Apache-2.0
/* acting.h - from the `migrations` section of the configuration to the options of the executor and its hands.
 * Owns: which key means which option. Never: acts, or reads the file.
 */
#pragma once

#include "balancer/plan/estimate.h"
#include "common/config/config.h"
#include "migrations/executor/executor.h"
#include "migrations/executor/mongo_hands.h"
#include "migrations/mongo/lease_keeper.h"

/* For the cluster as just read: its shards, its chunk size, what its past says of speed. No limits of one run
 * (max_moves ...) are set. */
struct executor_options acting_executor(const config *cfg, const cluster *cl);

/* Whether any step, begun at `now`, would end by `end`, by the estimate: whether executor_until() would let
 * anything start. */
bool acting_fits(const estimate *speed, const work *w, int64_t now, int64_t end);

/* Borrows from `cfg` and `keeper` (NULL: none is wanted), without which nothing is sent. */
struct mongo_hands_options acting_hands(const config *cfg, const cluster *cl, const lease_keeper *keeper);

/* The keeper of the lease that the configuration wants; *ret NULL: it wants none. `name`: of what will hold
 * it. */
bool acting_lease(const config *cfg, const char *uri, const char *name, lease_keeper **ret, struct err *err);

/* Shards that the configuration does not want to receive: GArray of struct guard_wish, which borrow from
 * `cfg`; the caller unrefs. */
GArray *acting_wishes(const config *cfg);
