// SPDX-License-Identifier: Apache-2.0
/* lookup.h - names given by a person, and small facts about one collection that several answers need.
 * Owns: the words for a name that is not there. Never: changes the model, prints.
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The sharded collection of that name; ERR_USAGE lists some that there are. */
bool lookup_collection(const cluster *cl, const char *ns, const struct collection **ret, struct err *err);

/* The same, and its metadata must be sound: ERR_DATA says what is damaged. */
bool lookup_sound_collection(const cluster *cl, const char *ns, const struct collection **ret,
                             struct err *err);

/* The shard of that id; ERR_USAGE lists those that there are. */
bool lookup_shard(const cluster *cl, const char *id, uint16_t *ret, struct err *err);

/* Where one chunk stands towards the zone ranges of its collection. */
struct chunk_zone {
    uint32_t zone;  /* the zone of the one range that contains it, or ZONE_NONE */
    uint32_t range; /* that range, or the first one that it overlaps; UINT32_MAX: none */
    bool crosses;   /* it overlaps a range that does not contain it */
};
struct chunk_zone lookup_chunk_zone(const struct collection *coll, uint32_t chunk);

/* The encoded global maximum of the collection's key. */
GBytes *lookup_global_max(const struct collection *coll);

/* Appends "a, b and c" of shard ids made printable; at most `max` of them, then "and N more". */
void lookup_append_shards(GString *out, const cluster *cl, const uint16_t *shards, uint32_t n, uint32_t max);
