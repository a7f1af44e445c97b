// SPDX-License-Identifier: Apache-2.0
/* mongo_hands.h - hands on a real cluster: guard, command, settlement.
 * Owns: nothing but the order of these steps. Never: retries or journals.
 */
#pragma once

#include "migrations/executor/hands.h"
#include "migrations/mongo/commands.h"
#include "migrations/mongo/guard.h"
#include "migrations/mongo/mongo_pool.h"

struct mongo_hands_options {
    bool move_range; /* the cluster is 6.0+ */
    bool wait_for_delete;
    enum mongo_throttle throttle;
    int throttle_members;
    const char *throttle_mode; /* copied */
    /* Asked directly before each command that changes the cluster, from any worker; closed: the command does
     * not leave, and the answer is HANDS_UNREACHABLE. `open` NULL: none. Its data must outlive the workers,
     * those that are left behind, too. */
    struct mongo_gate gate;
};

/* Pool and guard must outlive it: where executor_inside() still told of workers when the executor was freed,
 * they are used by these until the process ends, and are not freed. The pool needs as many clients of each
 * kind as there are workers. */
struct mongo_hands;
struct mongo_hands *mongo_hands_new(mongo_pool *pool, guard *g, const struct mongo_hands_options *opt);
/* After the executor. Workers that were left behind keep what they need of it. NULL accepted. */
void mongo_hands_free(struct mongo_hands *h);
struct hands mongo_hands_table(struct mongo_hands *h);
