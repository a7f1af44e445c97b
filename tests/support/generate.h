// SPDX-License-Identifier: Apache-2.0
/* generate.h - makes clusters for tests and benchmarks: the documents of the `config` collections as a real
 * server stores them, from a seed. Owns: the shape of the documents, who owns which chunk, where zones lie,
 * what is damaged by none: all it makes is sound. Never: plans, or knows the model; the same parameters give
 * the same documents.
 */
#pragma once

#include "balancer/cluster/builder.h"
#include "common/err.h"
#include "tests/support/gen_keys.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

enum gen_generation { GEN_NS, GEN_UUID }; /* chunks name their collection so (to 4.4, from 5.0) */
enum gen_sizes {
    GEN_SIZES_NONE,
    GEN_SIZES_EVEN,
    GEN_SIZES_SKEWED,
    GEN_SIZES_LARGE /* some are cut when they move */
};

struct gen_params {
    uint32_t chunks, shards, collections; /* chunks over all collections, spread evenly unless `ragged` */
    uint32_t zones;                       /* zone ranges per collection; 0: none */
    double skew;       /* 0: owners drawn evenly; 1: all chunks on one shard per collection */
    double violations; /* share of the zoned chunks that lie outside their zone's shards */
    enum gen_key key;
    bool any_key; /* each collection draws a kind of its own */
    enum gen_generation generation;
    uint32_t draining; /* shards, the last ones */
    double jumbo;      /* share of the chunks */
    double misaligned; /* share of the zone bounds that lie inside a chunk */
    uint32_t excluded; /* collections, the last ones: time-series, noBalance, ... in turn */
    enum gen_sizes sizes;
    bool measured;       /* sizes of chunks too, where sizes are given */
    bool ragged;         /* collections of very different numbers of chunks */
    bool shuffled;       /* chunks and tags in random order */
    uint32_t chunk_mb;   /* config.settings chunksize; 0: no document */
    const char *version; /* of the servers; NULL: none is told */
    uint32_t seed;
};

/* 10,000 chunks, 10 shards, 5 collections, 7.0.14, ObjectId keys; everything else zero. */
struct gen_params gen_params_default(void);

/* Where the documents go. Documents of one kind come together, shards first, chunks last, then the sizes. */
struct gen_sink {
    bool (*doc)(void *ctx, enum doc_kind kind, const bson_t *doc, struct err *err);
    bool (*sizes)(void *ctx, const char *ns, const bson_t *by_shard, struct err *err); /* NULL: not wanted */
    void *ctx;
};

bool generate(const struct gen_params *params, const struct gen_sink *sink, struct err *err);

/* generate_out.c: the consumers. The folder must exist. A snapshot is Extended JSON; sizes stand in it. */
bool generate_dump(const struct gen_params *params, const char *dir, struct err *err);
bool generate_snapshot(const struct gen_params *params, const char *path, struct err *err);
/* The model, by way of a builder; fails the process on an error: what is generated is sound. */
cluster *generate_cluster(const struct gen_params *params);

/* A sink that feeds `b`; `counters` is zeroed by the caller, one number per kind. */
struct gen_builder_sink {
    builder *b;
    uint64_t counters[DOC_KIND_COUNT];
};
struct gen_sink gen_sink_builder(struct gen_builder_sink *to);
