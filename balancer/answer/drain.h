// SPDX-License-Identifier: Apache-2.0
/* drain.h - what emptying one shard takes: data, obstacles, steps, time.
 * Owns: the picture of one draining, projected by the planner with the shard taken as draining.
 * Never: starts it, asks a cluster, prints.
 */
#pragma once

#include "balancer/plan/planner.h"
#include "common/err.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One collection that has chunks on the shard. */
struct drain_collection {
    const struct collection *coll;
    enum excluded excluded; /* not EXCLUDED_NO: its chunks stay, and the draining never ends */
    int64_t chunks, jumbo;
    int64_t bytes;        /* SIZE_UNKNOWN */
    int64_t chunks_after; /* left when the projection ends; SIZE_UNKNOWN where excluded */
    uint32_t n_migrations;
};

/* A chunk flagged jumbo on the shard; at most DRAIN_JUMBO_MAX are kept. */
enum { DRAIN_JUMBO_MAX = 1000 };
struct drain_jumbo {
    const struct collection *coll;
    uint32_t chunk;
    char *fix; /* mongosh */
};

/* Where the chunks of one zone of one collection may go. */
struct drain_zone {
    const struct collection *coll;
    uint32_t zone;
    int64_t chunks;    /* of it on the shard */
    GArray *receivers; /* uint16_t */
};

/* Something that forbids the end, in the order in which it should be mended. */
struct drain_blocker {
    const char *code; /* camelCase, stable */
    char *ns;         /* NULL */
    char *why;        /* with what to do */
    char *fix;        /* mongosh; NULL: nothing to type */
};

struct drain_step {
    char *what;
    GPtrArray *commands; /* char *: mongosh */
};

typedef struct drain {
    const cluster *cl;
    uint16_t shard;
    const struct policy *policy;
    bool already;        /* it is draining in the metadata */
    GArray *others;      /* uint16_t: other shards that are draining */
    GArray *collections; /* struct drain_collection, in the model's order */
    GArray *jumbo;       /* struct drain_jumbo */
    int64_t jumbo_total;
    GArray *zones;         /* struct drain_zone */
    GArray *databases;     /* char *, borrowed: those whose primary it is */
    GArray *unsplittable;  /* const struct collection *: tracked collections there that are not sharded */
    GArray *blockers;      /* struct drain_blocker */
    GArray *steps;         /* struct drain_step */
    GArray *advice;        /* struct plan_advice: what is about this draining; texts are the plan's */
    plan *plan;            /* the projection; owned */
    int64_t chunks, bytes; /* on the shard; bytes SIZE_UNKNOWN where some are not known */
    int64_t left;          /* chunks that stay however long one waits, excluded collections included */
    uint32_t migrations, rounds; /* off the shard, and the last round in which one is */
    int64_t bytes_moved;
    double seconds, low, high;  /* from the start to the last migration off the shard */
    int64_t starts_at, ends_at; /* on the calendar, unix milliseconds; 0: not known, or (the end) never */
    enum time_basis basis;
} drain;

/* `opt`: policy, wishes and thresholds; what bounds its length is not looked at. ERR_USAGE: no such shard, or
 * the only one. The model must outlive the result. */
bool drain_make(const cluster *cl, const struct plan_options *opt, const char *shard, drain **ret,
                struct err *err);
void drain_free(drain *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(drain, drain_free)
