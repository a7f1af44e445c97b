// SPDX-License-Identifier: Apache-2.0
/* placement.h - where the chunks of one collection are in a projection: the frozen model with planned splits
 * and migrations applied. Owns: the current shard, zone and size of every chunk, loads per shard and zone,
 * and, per shard and zone, the chunks that may move, lowest key first. Never: chooses. A migration costs
 * O(log chunks), a look at loads O(1), whatever the number of chunks.
 *
 * A migration with an open end (moveRange with min only) may take only the lower part of a large chunk. That
 * part becomes a `piece`, an entry of its own behind the chunks; what remains stays where it was under the
 * chunk's number, its lower bound being unknown from then on.
 */
#pragma once

#include "balancer/cluster/cluster.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define ENTRY_NONE UINT32_MAX

/* One zone of the collection, or "no zone" (the last slot always). */
struct zone_slot {
    uint32_t zone;  /* cluster zone number, or ZONE_NONE */
    int64_t chunks; /* over all shards */
    int64_t bytes;
};

typedef struct placement {
    const cluster *cl;
    const struct collection *coll;
    const struct chunks *chunks; /* the model's, or `split` */
    struct chunks split; /* the model's chunks with planned splits applied; empty where there are none */
    bool has_split;

    uint32_t n_slots; /* zones with ranges here, in byte order of names, then no zone */
    struct zone_slot *slots;
    uint16_t *slot_of;  /* per chunk */
    uint16_t *shard_of; /* per chunk: where it is now */
    int64_t *bytes_of;  /* per chunk: what is left of it; 0 where unknown */

    int64_t *shard_chunks; /* per shard, whole collection, pieces included */
    int64_t *shard_bytes;  /* per shard, whole collection; SIZE_UNKNOWN: not known there */
    int64_t *slot_chunks;  /* [slot * n_shards + shard] */
    int64_t *slot_bytes;   /* the same */
    int64_t *slot_jumbo;   /* the same: chunks flagged jumbo */

    GArray *pieces;         /* struct piece */
    uint8_t *cut;           /* per chunk: pieces were cut off its lower end; NULL while there are none */
    struct bucket *buckets; /* [slot * n_shards + shard]: entries not jumbo, as a heap, lowest key first */
    bool sizes_assumed;     /* no sizes were known: each chunk counts as one configured chunk size */
} placement;

struct piece {
    uint32_t chunk; /* cut off from it, at its lower end */
    uint16_t shard;
    int64_t bytes;
    bool first; /* the lowest piece of its chunk: it begins at the chunk's min */
};

/* A point at which a planned split cuts a chunk. */
struct split_point {
    uint32_t chunk;      /* of the model */
    GBytes *enc;         /* borrowed for the call */
    const bson_t *bound; /* borrowed for the call */
};

/* `use_zones` false: zones are not applied (time-series spread evenly); all chunks are in the no-zone slot.
 * `points` (may be NULL, n 0): planned splits, ascending, strictly inside their chunks; taken as done: a
 * chunk's bytes are shared evenly between its parts, which stay on its shard and keep its version. Where
 * sizes are not known, each chunk takes `assumed_bytes`. Caller frees. */
placement *placement_new(const cluster *cl, const struct collection *coll, bool use_zones,
                         const struct split_point *points, uint32_t n_points, int64_t assumed_bytes);
void placement_free(placement *p); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(placement, placement_free)

/* The slot of a cluster zone number; n_slots - 1 for ZONE_NONE; UINT32_MAX where the zone has no range here.
 */
uint32_t placement_slot(const placement *p, uint32_t zone);

/* The movable entry with the lowest key of this slot on this shard, or ENTRY_NONE. */
uint32_t placement_first(const placement *p, uint32_t slot, uint16_t shard);

/* Facts of an entry (a chunk's number, or chunks.n + a piece's). */
uint32_t placement_chunk_of(const placement *p, uint32_t entry); /* the chunk it is or was cut from */
int64_t placement_bytes(const placement *p, uint32_t entry);
uint16_t placement_shard(const placement *p, uint32_t entry);
bool placement_is_piece(const placement *p, uint32_t entry);
/* <0, 0, >0: key order of two entries. */
int placement_order(const placement *p, uint32_t a, uint32_t b);
/* Whether something was cut off its lower end in this projection, so that its min is not known beforehand. */
bool placement_was_cut(const placement *p, uint32_t entry);

/* Moves `entry`, which must be placement_first() of its slot and shard, to shard `to`; `bytes` < its size:
 * only the lower part of that size goes, as a new piece. Returns the entry that is now on `to`. */
uint32_t placement_move(placement *p, uint32_t entry, uint16_t to, int64_t bytes);

/* The same for any entry; placement_first() must not be asked until placement_sort(). */
uint32_t placement_relocate(placement *p, uint32_t entry, uint16_t to, int64_t bytes);
/* Finds the movable entries of every slot on every shard anew; costs by the chunks. */
void placement_sort(placement *p);
