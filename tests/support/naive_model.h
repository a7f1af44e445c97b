// SPDX-License-Identifier: Apache-2.0
/* naive_model.h - a cluster as plain lists, read from the same documents as the model, to check plans
 * against. Owns: its own reading of documents, zones and sizes; every look-up is a walk, every comparison
 * slow_compare.h. Never: shares code with balancer/, but for feeding a builder; never cares for speed. Its
 * input is sound.
 */
#pragma once

#include "tests/support/generate.h"

#include <glib.h>

struct naive_shard {
    char *id;
    bool draining;
    GPtrArray *zones; /* char* */
};

/* A chunk, or a part of one: parts that were cut off it stand before the rest, all with the whole chunk's
 * bounds. */
struct naive_chunk {
    const bson_t *min, *max; /* in naive_cluster.pool */
    const char *zone;        /* NULL: none */
    uint32_t shard;
    bool jumbo;
    bool piece; /* cut off a larger one; is not cut again */
    bool part;  /* cut off, or what was left */
    int64_t bytes;
};

struct naive_range {
    const bson_t *min, *max;
    char *zone;
};

typedef struct naive_collection {
    char *ns;
    bson_t *doc;
    GPtrArray *fields; /* char*, of the shard key */
    GArray *chunks;    /* struct naive_chunk, in key order */
    GArray *ranges;    /* struct naive_range, in key order */
    bool time_series;
    bool no_moves;  /* noBalance and the like: splits but no migrations */
    bool untouched; /* neither */
    int64_t *bytes; /* per shard, as given; NULL: not known */
} naive_collection;

typedef struct naive_cluster {
    GArray *shards;     /* struct naive_shard */
    GPtrArray *colls;   /* naive_collection */
    GPtrArray *pool;    /* bson_t* */
    GArray *docs;       /* everything but chunks and sizes, for naive_build() */
    int64_t chunk_size; /* M */
    bool move_range;    /* servers from 6.0 */
    bool from_4_4;
    bool measured;
} naive_cluster;

naive_cluster *naive_new(const struct gen_params *params);
void naive_free(naive_cluster *n);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(naive_cluster, naive_free)

/* The documents of what is there now, made into a model. */
cluster *naive_build(const naive_cluster *n);

naive_collection *naive_find(const naive_cluster *n, const char *ns);
static inline struct naive_chunk *naive_chunk_at(const naive_collection *c, guint i)
{
    return &g_array_index(c->chunks, struct naive_chunk, i);
}
static inline struct naive_shard *naive_shard_at(const naive_cluster *n, guint i)
{
    return &g_array_index(n->shards, struct naive_shard, i);
}

/* The zone whose range holds all of [min, max); NULL: none. */
const char *naive_zone(const naive_collection *c, const bson_t *min, const bson_t *max);
bool naive_carries(const struct naive_shard *s, const char *zone);

/* Cuts the chunk [min, max) at `points`; false: there is no such chunk, or a point is not inside it,
 * ascending. */
bool naive_split(naive_cluster *n, naive_collection *c, const bson_t *min, const bson_t *max,
                 const bson_t *points, guint n_points);

/* The first chunk or part with these bounds, byte for byte, on that shard; -1: none. */
int naive_locate(const naive_collection *c, const bson_t *min, const bson_t *max, uint32_t shard);

/* Moves entry `i`, or the lower `bytes` of it. */
void naive_move(naive_collection *c, guint i, uint32_t to, int64_t bytes);

/* Sums per shard; `ret` of as many elements as there are shards. */
void naive_sums(const naive_cluster *n, const naive_collection *c, int64_t *ret_chunks, int64_t *ret_bytes);
