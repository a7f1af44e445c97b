// SPDX-License-Identifier: Apache-2.0
/* keyspace.h - one collection's key space in key order, as the plan finds it and as it leaves it.
 * Owns: where zone bounds, planned splits and moved ranges cut chunks, and how wide each part is. Never:
 * draws, or keeps the parts: it walks over them, so that millions of chunks cost no memory.
 */
#pragma once

#include "balancer/plan/plan.h"

#include <stdbool.h>
#include <stdint.h>

/* The migrations of a plan by collection, in the order of their numbers. */
struct moves_by_collection {
    uint32_t *order; /* places in plan.migrations */
    uint32_t *first; /* by collection number, one more at the end: where in `order` its own begin */
};
void moves_by_collection_init(struct moves_by_collection *m, const plan *p);
void moves_by_collection_clear(struct moves_by_collection *m);

struct keyspace_part {
    uint32_t chunk;                    /* that it is, or is a part of */
    double width;                      /* bytes, or chunks: keyspace_by_bytes() */
    uint16_t before, after;            /* shards */
    uint32_t zone;                     /* or ZONE_NONE */
    const struct plan_migration *move; /* the last that takes it along; NULL: it stays */
};

typedef struct keyspace keyspace;

/* NULL where the collection has no chunks that are known. The plan and `moves` must outlive it. */
keyspace *keyspace_new(const plan *p, const struct plan_collection *c,
                       const struct moves_by_collection *moves);
void keyspace_free(keyspace *k);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(keyspace, keyspace_free)

/* Whether widths are bytes: sizes of all chunks are known, and not all of them nought. */
bool keyspace_by_bytes(const keyspace *k);

/* Every part once, in key order. A chunk of which only a part moves, the bounds of which the donor chooses,
 * counts that part as its lower end. */
typedef void (*keyspace_visit)(const struct keyspace_part *part, void *ctx);
void keyspace_walk(const keyspace *k, keyspace_visit visit, void *ctx);
