// SPDX-License-Identifier: Apache-2.0
/* projection.h - the state of a planning run: every collection's placement and what was decided so far.
 * Owns: placements, shard facts under the options, tallies of what moved. Private to plan/.
 * Never: outlives plan_make(); what a report needs is copied into the plan.
 */
#pragma once

#include "balancer/plan/arena.h"
#include "balancer/plan/planner.h"
#include "balancer/policy/whole.h"

struct coll_projection {
    const struct collection *coll;
    enum excluded excluded;
    bool apply_zones;
    GArray *splits;   /* struct split; empty where there are none */
    placement *place; /* NULL where excluded */
    bool held;        /* a zone bound stays inside a chunk: no migrations */
    bool settled;     /* nothing to do for it, whichever shards are free */
    bool oscillates;  /* a migration was left out that would only turn the imbalance around */
    int64_t max_chunk_bytes, threshold_bytes, priority;
    int64_t *before_chunks, *before_bytes; /* per shard; bytes SIZE_UNKNOWN where not known */
    int64_t *net_chunks, *net_bytes;       /* [slot * n_shards + shard]: what went out, less what came in */
    const char *violation;                 /* why it is imbalanced at the start; NULL */
    uint32_t n_migrations, n_splits;
    int64_t bytes_moved;
};

struct projection {
    const cluster *cl;
    const struct plan_options *opt;
    const struct policy *policy;
    struct plan *plan;
    uint16_t *shard_order;
    bool *draining, *no_receive, *full, *free; /* per shard */
    int64_t *max_bytes, *shard_bytes;          /* per shard: the wish (0: none), and all data there now */
    int64_t *arrived;
    bool watch_full;
    struct coll_projection *colls; /* as cluster.collections */
    uint32_t *coll_order;
    int64_t moved_bytes; /* by the whole plan so far */
    uint32_t n_moves;
    double *weight;             /* per shard */
    struct whole_answer answer; /* of a policy that has solve(), else zeroed */
    uint32_t rounds_bound;      /* no order of its moves takes fewer rounds */
    double *shard_until; /* per shard: when its last migration ends, seconds from the start, as estimated */
};

/* The facts that a policy is given for one collection now; `free` is borrowed from the projection. */
struct round_facts projection_facts(const struct projection *pr, const struct coll_projection *c);

/* Sets up shards, order, collections, placements. ERR_USAGE: an option names what is not there. */
bool projection_init(struct projection *pr, const cluster *cl, const struct plan_options *opt, plan *out,
                     struct err *err);
void projection_clear(struct projection *pr);

/* Adds a warning to the plan; all texts are copied. */
void projection_warn(struct projection *pr, const char *code, const char *ns, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);

/* The moves (struct move) that the policy would choose for this collection alone with all shards free. The
 * caller frees. */
GArray *projection_moves(const struct projection *pr, const struct coll_projection *c);
/* The first of them; false: none. */
bool projection_first_move(struct projection *pr, const struct coll_projection *c, struct move *ret);
