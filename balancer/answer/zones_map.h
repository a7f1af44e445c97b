// SPDX-License-Identifier: Apache-2.0
/* zones_map.h - the key space of one collection as its zone ranges divide it, gaps included.
 * Owns: which chunks lie inside each part, and which cross its bounds.
 * Never: judges (zones_check.h), prints.
 */
#pragma once

#include "balancer/cluster/cluster.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A zone's range, or a gap before, between or behind ranges. */
struct zone_part {
    const struct zone_range *range; /* NULL: a gap */
    const bson_t *min, *max;        /* borrowed from the ranges and the map */
    uint32_t inside;                /* chunks wholly in it */
    uint32_t crossing;              /* chunks partly in it */
    int64_t bytes;                  /* of those inside; SIZE_UNKNOWN */
};

typedef struct zones_map {
    const struct collection *coll;
    GArray *parts; /* struct zone_part, in key order; one gap where there are no ranges */
    bson_t *global_min, *global_max;
} zones_map;

/* Of a collection with sound metadata and at least one chunk. The model must outlive the result. */
zones_map *zones_map_new(const struct collection *coll);
void zones_map_free(zones_map *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zones_map, zones_map_free)

/* Shards that carry the zone: their numbers. `drained` (may be NULL): how many of them are draining. */
GArray *zones_carriers(const cluster *cl, uint32_t zone, uint32_t *drained);

/* Whether some collection has a range of the zone. */
bool zones_has_range(const cluster *cl, uint32_t zone);
