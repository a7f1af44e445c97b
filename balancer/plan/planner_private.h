// SPDX-License-Identifier: Apache-2.0
/* planner_private.h - one planning run; for planner*.c and whole_*.c only.
 * Owns: how a move becomes part of a plan. Never: included elsewhere.
 */
#pragma once

#include "balancer/plan/estimate.h"
#include "balancer/plan/projection.h"
#include "balancer/policy/whole.h"

/* An empty plan with the model's warnings; plan_free(). */
struct plan *plan_begin(const cluster *cl);

struct run {
    struct projection *pr;
    estimate *est; /* borrowed */
    uint32_t round;
    bool limited; /* a limit of the options was met */
};

/* Marks what is imbalanced at the start, and settles what is not. */
void run_assess(struct projection *pr);
/* Rounds under the policy's pick(), as many as the options say. */
void run_rounds(struct run *run);
/* Whether another round would find nothing. */
bool run_is_complete(struct projection *pr);

/* The splits of all collections, in the round in hand. */
void run_record_splits(struct run *run);
bool run_over_limits(const struct run *run, const struct coll_projection *c, const struct move *m);
/* Puts the move into the plan; nothing moves yet. `why` lives as long as the plan. */
void run_record_move(struct run *run, struct coll_projection *c, const struct move *m, const char *why);
/* What follows from a move but for the placement: sums, and when its shards are free again. */
void run_count_move(struct run *run, struct coll_projection *c, const struct move *m);

/* whole_plan.c: the whole way to balance under a policy that has solve(). Fills pr->answer, rounds and
 * migrations of the plan; true: nothing is left for later. */
bool whole_plan(struct run *run);

/* whole_rounds.c: gives each move (struct whole_move) a round, from 1 on, so that no shard is twice in one;
 * returns how many. Parts of a chunk are put in the order of their rounds. `busy` shards (per shard) stay out
 * of the first. */
uint32_t whole_rounds(const cluster *cl, GArray *moves, const bool *busy, uint32_t *ret_round);
/* No order of these moves takes fewer rounds. */
uint32_t whole_rounds_bound(const cluster *cl, const GArray *moves);
