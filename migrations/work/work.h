// SPDX-License-Identifier: Apache-2.0
/* work.h - what is to be carried out: approved splits and migrations, one after the other as the plan has
 * them. Owns: the steps, copied out of a plan or a plan file, so that they outlive both and the model. Never:
 * changes a plan, decides an order of execution, does I/O. Ranges are half-open: [min, max). Bounds are BSON
 * byte for byte as they were read: out of a plan they are the cluster's own, out of a file they become so by
 * work_resolve().
 */
#pragma once

#include "balancer/key/pattern.h"
#include "balancer/plan/plan.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum work_kind { WORK_SPLIT, WORK_MOVE };

struct work_collection {
    char *ns;
    key_pattern *key;
};

struct work_step {
    uint32_t id; /* 1..: its place in the work, splits and migrations alike; stable for a plan */
    enum work_kind kind;
    uint32_t migration;                 /* a migration's number in the plan; 0: a split */
    uint32_t round;                     /* of the plan, 1.. */
    const struct work_collection *coll; /* into work.collections */
    bson_t *min, *max; /* of a split: the chunk; of a migration: its range, where open_max no more than it */
    GBytes *enc_min, *enc_max; /* encoded, see key/encode.h: memcmp orders them */
    GPtrArray *at;             /* of a split: bson_t *, in key order; else NULL */
    char *from, *to; /* shards; of a split: `from` is the shard that holds the chunk, `to` is NULL */
    char *version;   /* of the chunk it rests on, as collection_version_text() has it */
    char *reason;    /* "drain", "zoneViolation", "imbalance"; "zoneBoundary" of a split */
    char *zone;      /* NULL: no zone */
    char *why;       /* NULL of a split */
    int64_t bytes;   /* estimate; SIZE_UNKNOWN where not known */
    bool force_jumbo;
    bool open_max; /* moveRange with min only: the donor chooses the end, at most max */
    bool open_min; /* earlier steps cut the lower part off: it begins at the donor's first chunk in [min, max)
                    */
};

typedef struct work {
    char *plan_id;          /* content hash of the plan, 64 hex digits */
    char *policy;           /* its name, "count" */
    char *source;           /* the source's name, credentials removed; NULL: not known */
    GPtrArray *collections; /* struct work_collection * */
    GPtrArray
        *steps; /* struct work_step *, in the plan's order: of each round its splits, then its migrations */
    uint32_t n_splits, n_migrations, n_rounds;
    int64_t bytes;                                      /* of all migrations; unknown ones count as 0 */
    double expected_seconds, low_seconds, high_seconds; /* promised */
} work;

void work_free(work *w); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(work, work_free)

/* Everything the plan has, in its order. The model's bounds byte for byte. */
work *work_from_plan(const plan *p, const char *source);

/* Gives every bound and split point the bytes that the cluster has for it. A plan file holds relaxed Extended
 * JSON: there {x: 5} may be an int32, an int64 or a double, and a command must send what config.chunks
 * stores. The bytes are those of the chunk that begins with an equal bound (for max: of the next chunk, or
 * the global max), else of the zone range that begins or ends there, as a planned split has them. What the
 * cluster does not have stays as it is; stale_find() tells of it. Encodings do not change, nor does the
 * plan's id. Returns how many bounds were found and taken. */
size_t work_resolve(work *w, const cluster *cl);

/* "shop.users [{ userId: 0 }, { userId: 100 })": how a step's range is told to people; the caller frees. */
char *work_step_text(const struct work_step *s);
