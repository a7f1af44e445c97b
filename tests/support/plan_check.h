// SPDX-License-Identifier: Apache-2.0
/* plan_check.h - does a plan keep its rules? Asked of the naive cluster, one rule at a time.
 * Owns: the replay of a plan, split by split and migration by migration, and what must hold at each.
 * Never: asks the planner, the policies or the placement. Each function gives NULL where all holds, else what
 * does not, in a sentence that the caller frees.
 */
#pragma once

#include "balancer/plan/plan.h"
#include "tests/support/naive_model.h"

enum plan_rule {
    RULE_OWNER,         /* the donor has the range at that time, and no more of it goes than is there */
    RULE_ZONE,          /* the recipient carries the zone that holds the range */
    RULE_NOT_DRAINING,  /* no draining shard receives */
    RULE_ONE_PER_ROUND, /* no shard twice in a round */
    RULE_NO_JUMBO,      /* no chunk flagged jumbo moves */
    RULE_COUNT
};

/* Carries the plan out on `n`, checking one rule; what the others say is not looked at, but a migration of
 * what is not there cannot be carried out and always ends the replay. */
char *plan_check_replay(const plan *p, naive_cluster *n, enum plan_rule rule);

/* `before` and `after` a replay: the plan's tables of chunks and bytes, and what is conserved. */
char *plan_check_tables(const plan *p, const naive_cluster *before, const naive_cluster *after);

/* The summary is the sum of the parts; ids, rounds and counts fit together; bounds are below what they bound.
 */
char *plan_check_sums(const plan *p);

/* Each blocked entry tells of chunks that are there, `after`, and that nothing can move. `complete`: also
 * that what a complete plan leaves on draining shards and outside its zone is told. */
char *plan_check_blocked(const plan *p, const naive_cluster *after, bool complete);
