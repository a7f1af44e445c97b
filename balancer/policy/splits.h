// SPDX-License-Identifier: Apache-2.0
/* splits.h - where zone bounds (or the sessions collection's rule) cut chunks, so that splits must come
 * first. Owns: finding the split points of one collection. Never: performs or applies a split. Source:
 * builtin balancer, "Zone bounds inside chunks" and "config.system.sessions"; docs/policies.md.
 */
#pragma once

#include "balancer/cluster/cluster.h"

#include <glib.h>

enum split_reason { SPLIT_ZONE_BOUNDARY, SPLIT_SESSIONS };
/* "zoneBoundary", "sessions". */
const char *split_reason_text(enum split_reason r);

/* One chunk and the points at which it is to be cut, ascending, none twice. */
struct split {
    uint32_t chunk; /* of the model */
    enum split_reason reason;
    GPtrArray *points_enc;  /* GBytes, encoded */
    GPtrArray *points_bson; /* bson_t* */
};

/* All splits of `coll` in key order; an empty array where there are none. Element type struct split; frees
 * its elements. Zone ranges are looked at in ascending order. `by_size`: the size generations do not
 * pre-split the sessions collection; zones never split it from 4.4 on. */
GArray *splits_find(const cluster *cl, const struct collection *coll, bool by_size);

/* Whether a zone bound lies inside a chunk. While it does, the collection gets no migrations at all: of those
 * whose zones are applied only the sessions collection can stay so, since it is never split there. */
bool splits_zone_bounds_cut(const struct collection *coll);
