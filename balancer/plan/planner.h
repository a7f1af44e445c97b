// SPDX-License-Identifier: Apache-2.0
/* planner.h - projects a cluster forward, round by round, under a policy.
 * Owns: the order of a round (splits, then collections sharing one set of free shards), projection, limits,
 * the end. Never: does I/O, reads a clock, or draws an unseeded random number.
 */
#pragma once

#include "balancer/plan/plan.h"
#include "balancer/plan/simulate.h"
#include "common/err.h"
#include "common/globs.h"

/* Per-shard and per-collection wishes of the configuration. */
struct shard_wish {
    char *shard;
    double weight;     /* 1 by default; used by `optimal` only */
    int64_t max_bytes; /* 0: none */
    bool receive;
};
struct collection_wish {
    char *ns;
    int64_t priority;  /* higher goes first; 0 by default */
    int64_t threshold; /* bytes; 0: none of its own */
    bool enabled;
};

/* How far a policy that knows its whole way (solve()) plans beyond `rounds`: whole rounds, as long as none of
 * these is passed and the rounds before are expected to end earlier than `seconds`. All zero: no further. */
struct plan_ahead {
    uint32_t rounds; /* in all */
    int64_t moves;
    double seconds;
};

struct plan_options {
    const struct policy *policy; /* NULL: by server version */
    uint32_t rounds;             /* how many to project; 1 at least */
    struct plan_ahead ahead;
    bool until_balanced; /* to a fixed point; `rounds` is not looked at */
    int64_t max_moves;   /* 0: no limit, for all three */
    int64_t max_bytes;
    double max_seconds;
    const globs *namespaces; /* NULL: all */
    bool time_series_even;
    bool balance_cluster; /* `optimal`: the total of all collections is to be even, too */
    bool has_seed;        /* shuffle shards and collections by it, else array order */
    uint32_t seed;
    bool advice;                               /* fill plan->advice, too */
    int64_t threshold_chunks, threshold_bytes; /* 0: the built-in's */
    double threshold_percent;
    const char *const *drain; /* shards taken as draining in this projection */
    size_t n_drain;
    const struct shard_wish *shard_wishes;
    size_t n_shard_wishes;
    const struct collection_wish *collection_wishes;
    size_t n_collection_wishes;
    struct sim_limits limits;  /* that it is carried out under, for its times; start_ms 0: not known when */
    const char *windows_fault; /* why windows could not be read; NULL: they were, or nobody asked */
    const change_list *whatif; /* that were made to the model, for the reports; NULL: none */
};

/* The defaults: one round, everything else zero. */
struct plan_options plan_options_default(void);

/* Makes the plan. ERR_USAGE: an option names a shard that is not there, ERR_DATA: nothing can be planned on
 * this. */
bool plan_make(const cluster *cl, const struct plan_options *opt, plan **ret, struct err *err);
