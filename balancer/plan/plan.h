// SPDX-License-Identifier: Apache-2.0
/* plan.h - a plan: what would be split and moved, in which round, why, what stays, and what it takes.
 * Owns: everything that a report shows, computed once; the model it was made from must outlive it.
 * Never: does I/O or knows formats.
 * Ranges are half-open. Same model, options and seed: same plan, same planId (content_id.h).
 */
#pragma once

#include "balancer/cluster/changes.h"
#include "balancer/cluster/cluster.h"
#include "balancer/policy/policy.h"
#include "balancer/policy/splits.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* BSON documents of bounds live in the plan's arena; their length is in their first four bytes. */
typedef const uint8_t *plan_bound;
void plan_bound_bson(plan_bound b, bson_t *ret_static); /* borrowed view, no need to destroy */

struct plan_shard {
    uint16_t shard;
    int64_t chunks, chunks_after;
    int64_t bytes, bytes_after; /* SIZE_UNKNOWN: not known */
    int64_t target_bytes;       /* its share; SIZE_UNKNOWN where sizes are not known */
    int64_t target_chunks;      /* its share, rounded to nearest */
    int64_t low_bytes,
        high_bytes; /* `optimal`: what it may hold at the end, both inclusive; else 0, INT64_MAX */
};

enum plan_status { PLAN_BALANCED, PLAN_IMBALANCED, PLAN_EXCLUDED };
const char *plan_status_text(enum plan_status s); /* "balanced", ... */

struct plan_collection {
    const struct collection *coll;
    enum plan_status status;
    enum excluded excluded;
    const char
        *violation;   /* the first reason for which it is imbalanced: "zoneBoundary", "drain", ...; NULL */
    GPtrArray *zones; /* names of the zones with ranges here, borrowed, in byte order */
    uint32_t n_shards;
    struct plan_shard
        *shards; /* every shard of the cluster that holds some of it, or has a share, or gets some */
    int64_t chunks, bytes; /* all; bytes SIZE_UNKNOWN where not known */
    uint32_t n_migrations, n_splits;
    int64_t bytes_moved;
    double imbalance_before, imbalance_after; /* largest load over target, less 1; 0 at least */
    bool sizes_assumed;
};

struct plan_split {
    uint32_t round;
    const struct collection *coll;
    plan_bound min, max;
    GPtrArray *at;    /* plan_bound */
    uint16_t shard;   /* that holds the chunk */
    uint64_t version; /* of the chunk */
    enum split_reason reason;
};

struct plan_migration {
    uint32_t id;    /* 1.. over the whole plan */
    uint32_t round; /* 1.. */
    const struct collection *coll;
    plan_bound min, max; /* [min, max); where open_max the end is the donor's, at most max */
    uint16_t from, to;
    uint64_t version; /* of the chunk it rests on */
    enum move_reason reason;
    uint32_t zone; /* or ZONE_NONE */
    int64_t bytes; /* estimate; SIZE_UNKNOWN where not known */
    bool force_jumbo;
    bool open_max;
    bool open_min; /* earlier migrations of this plan cut the lower part off: the range begins somewhere after
                      min */
    const char *why;
    double seconds; /* that it is expected to take */
    double starts;  /* when it is expected to start, seconds of open time from the plan's beginning */
    int64_t
        ends_at; /* when it is expected to end on the calendar, unix milliseconds; 0: not known, or never */
};

struct plan_round {
    uint32_t number;
    uint32_t first_split, n_splits;         /* into plan.splits */
    uint32_t first_migration, n_migrations; /* into plan.migrations */
};

struct plan_blocked {
    const struct collection *coll;
    plan_bound min; /* of the first such chunk; NULL: none in particular */
    uint16_t shard;
    const char *reason; /* "jumbo", "noEligibleShard", "excluded", ...: stable */
    int64_t chunks;     /* how many */
    int64_t bytes;
    const char *why;
};

/* Something that an operator would be glad to know, see advice.h. All texts are escaped, and in the arena. */
struct plan_advice {
    const char *code;              /* camelCase, stable: docs/advice.md */
    const struct collection *coll; /* NULL: the cluster */
    uint16_t shard;                /* SHARD_NONE: none in particular */
    char *message;                 /* what was found, with the numbers */
    char *todo;                    /* what to do about it */
    char *commands;                /* mongosh, one command a line; "": nothing to type */
};

/* What a shard holds while the plan is carried out: all its collections, those that are left out too. */
struct plan_peak {
    uint16_t shard;
    bool assumed;         /* some of its sizes are not known, and assumed */
    int64_t bytes;        /* before */
    int64_t orphan_bytes; /* there before, not yet deleted; SIZE_UNKNOWN */
    int64_t bytes_in, bytes_out;
    int64_t peak;        /* at most, where nothing is deleted before the end */
    int64_t prompt_peak; /* at most, where each range is deleted at once from where it came */
    int64_t limit;       /* the smaller of the configured maxBytes and maxSize; SIZE_UNKNOWN: none */
};

/* A change of zones: what leaves and comes, by zone and shard. */
struct plan_zone_move {
    uint32_t zone; /* or ZONE_NONE */
    uint16_t shard;
    uint32_t n_out, n_in;
    int64_t bytes_out, bytes_in;
};

/* Ranges of a zone of one collection that cannot be where they belong. */
struct plan_zone_fault {
    const struct collection *coll;
    uint32_t zone, n_ranges;
    bool no_carrier;       /* no shard carries it; else none of those that do may receive */
    int64_t chunks, bytes; /* that stay in the wrong place */
    char *why;
};

enum time_basis { TIME_DEFAULT, TIME_CHANGELOG, TIME_JOURNAL };
const char *time_basis_text(enum time_basis b);

struct plan_time {
    /* Seconds of open time, limits by the hour included: at the best speeds ever seen; as expected; nine in
     * ten times at least and at most. */
    double minimum, expected, low, high;
    enum time_basis basis;
    double lower_bound; /* no order of these migrations takes less, at expected speeds */
    double barrier;     /* as MongoDB's own balancer would carry out the rounds: each waits for the last */
    /* Unix milliseconds, windows included; 0: not known, or (the ends) never. */
    int64_t starts_at, earliest_end, expected_end, latest_end;
};

struct plan_summary {
    uint32_t n_migrations, n_splits, n_rounds;
    int64_t bytes;
    struct plan_time time;
    int64_t lower_bytes;                      /* no plan to the same end moves fewer */
    uint32_t lower_rounds;                    /* nor in fewer rounds */
    double imbalance_before, imbalance_after; /* of the cluster: all included collections together */
    bool complete;                            /* nothing is left for another round */
};

typedef struct plan {
    const cluster *cl;
    const struct policy *policy;
    const change_list *whatif; /* that the model has and the cluster has not; borrowed; NULL: none */
    char *id;                  /* content hash, 64 hex digits */
    GArray *collections;       /* struct plan_collection, in the order of the input */
    GArray *rounds;            /* struct plan_round */
    GArray *splits;            /* struct plan_split */
    GArray *migrations;        /* struct plan_migration */
    GArray *blocked;           /* struct plan_blocked */
    GArray *advice;            /* struct plan_advice; empty unless plan_options.advice */
    GArray *peaks;             /* struct plan_peak, one a shard, in the model's order */
    GArray *zone_moves;        /* struct plan_zone_move; empty but for a change of zones (whatif) */
    GArray *zone_faults;       /* struct plan_zone_fault; the same */
    GArray *warnings;          /* struct warning */
    struct plan_summary summary;
    struct plan_arena *arena;
} plan;

void plan_free(plan *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(plan, plan_free)
