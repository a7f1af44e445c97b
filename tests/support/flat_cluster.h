// SPDX-License-Identifier: Apache-2.0
/* flat_cluster.h - a cluster as plain arrays: cheap to make, to carry a plan out on, to disturb, and to make
 * a model of, at eight chunks or ten million. Owns: where each chunk is, its size and zone; a replay that
 * tells the first rule that a plan breaks. Never: plans, or asks the placement or a policy. Sound by
 * construction: int64 keys, zone bounds between chunks.
 */
#pragma once

#include "balancer/plan/planner.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { FLAT_NO_ZONE = 31 }; /* zones are 0 to 30 */

enum {
    FLAT_JUMBO = 1 << 0,
    FLAT_MOVED = 1 << 1, /* by a plan carried out */
    FLAT_CUT = 1 << 2,   /* its lower part went: `pieces` */
    FLAT_BACK = 1 << 3,  /* it went back to where an earlier plan took it from */
    FLAT_AGAIN = 1 << 4, /* and again */
};

struct flat_shard {
    bool draining, no_receive;
    double weight;
    int64_t max_bytes; /* 0: none */
    uint32_t zones;    /* bit z: carries zone z */
};

/* The lower part of a chunk, cut off by a migration that gave min only. */
struct flat_piece {
    uint32_t chunk;
    uint16_t shard;
    bool moved; /* more than once: the first time made it */
    int64_t bytes;
};

struct flat_coll {
    uint32_t n;
    int64_t *key; /* lower bounds, ascending; the first stands for MinKey */
    int64_t *bytes;
    uint16_t *shard;
    uint8_t *zone;
    uint8_t *flags;
    uint16_t *came_from; /* by the last plan that moved it; SHARD_NONE: none has, or it has changed since */
    GArray *pieces;      /* struct flat_piece */
};

typedef struct flat_cluster {
    const char *version; /* of the servers */
    int64_t chunk_bytes; /* whole MiB; config.settings */
    bool sizes_known;    /* else each chunk has `chunk_bytes`, and nothing tells it */
    int64_t threshold;   /* bytes, by configuration; 0: the policy's */
    bool together;       /* the total of all collections is to be even, too */
    uint16_t n_shards;
    uint32_t n_colls;
    struct flat_shard *shards;
    struct flat_coll *colls;
    struct shard_wish *wishes; /* made by flat_options() */
} flat_cluster;

/* Shards of weight 1, collections of no chunks, 7.0.14, 128 MiB. */
flat_cluster *flat_new(uint16_t n_shards, uint32_t n_colls);
flat_cluster *flat_copy(const flat_cluster *f);
void flat_free(flat_cluster *f); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(flat_cluster, flat_free)

/* Gives the collection `n` chunks, all on shard 0, of no zone and no bytes. */
void flat_chunks(struct flat_coll *c, uint32_t n);

/* The model of it. */
cluster *flat_build(const flat_cluster *f);
/* Until balanced, with what the shards' weights and limits ask for; borrows from `f`. */
struct plan_options flat_options(flat_cluster *f, const struct policy *policy);

/* Whether the shard may hold data of the zone (draining ones may not), and whether it may be given any. */
bool flat_may_hold(const flat_cluster *f, uint16_t shard, uint8_t zone);
bool flat_may_receive(const flat_cluster *f, uint16_t shard, uint8_t zone);

/* Bytes per shard of one collection, or (NULL) of all; `ret` has n_shards elements. */
void flat_loads(const flat_cluster *f, const struct flat_coll *c, int64_t *ret);

struct flat_replay {
    uint64_t repeats;    /* migrations of what had been moved before, since it was settled */
    uint64_t returns;    /* of what goes back to where an earlier plan took it from */
    uint64_t to_and_fro; /* of what goes back for the third time */
    bool capacity;       /* asked for: maxBytes is a rule as well */
};

/* Carries the plan out. NULL: it broke no rule (owner, size, zone, draining, receive, jumbo, a shard once a
 * round, capacity), else the first that it broke, which the caller frees. */
char *flat_carry_out(flat_cluster *f, const plan *p, struct flat_replay *replay);

/* The same for the first `n` migrations only. */
char *flat_carry_out_some(flat_cluster *f, const plan *p, guint n, struct flat_replay *replay);

/* Makes chunks of pieces, so that the cluster can be built again; forgets what was moved, but not where it
 * came from, nor that it went back. */
void flat_settle(flat_cluster *f);
/* Cuts chunk i in two, whose lower part has `lower` bytes. Settled clusters only. */
void flat_split(struct flat_coll *c, uint32_t i, int64_t lower);

/* A snapshot for people, to repeat a failure by hand; JSON. The caller frees. */
char *flat_json(const flat_cluster *f);
