// SPDX-License-Identifier: Apache-2.0
/* route.h - which chunks, zones and shards a filter reaches.
 * Owns: targeting as mongos does it: intervals of the key, both ends counted in, and the reason in words.
 * Never: evaluates a filter on documents, asks a cluster, prints. Every chunk that can hold a matching
 * document is among those found.
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdint.h>

enum route_verdict {
    ROUTE_NONE, /* the filter contradicts itself: no key can match */
    ROUTE_ONE,
    ROUTE_SOME,
    ROUTE_ALL /* all shards that hold chunks, more than one: scatter-gather */
};
/* "none", "one", "some", "all". */
const char *route_verdict_text(enum route_verdict v);

enum route_constraint { ROUTE_FREE, ROUTE_RANGE, ROUTE_VALUES, ROUTE_VALUE };
/* "none", "range", "values", "value": what the filter leaves of a key field. Values: several, or several
 * ranges. */
const char *route_constraint_text(enum route_constraint c);

/* Neighbouring chunks that are reached, first to last. */
struct route_run {
    uint32_t first, last;
};

struct route_share {
    uint32_t number; /* shard, or zone (ZONE_NONE: no zone) */
    uint32_t chunks;
};

typedef struct route {
    const struct collection *coll;
    enum route_verdict verdict;
    enum route_constraint fields[KEY_FIELDS_MAX];
    uint32_t n_chunks;  /* reached */
    uint32_t n_holders; /* shards that hold chunks of the collection */
    GArray *runs;       /* struct route_run, ascending */
    GArray *shards;     /* struct route_share, by number */
    GArray *zones;      /* the same, no zone last */
    char *reason;
    GPtrArray *notes; /* char * */
} route;

/* ERR_USAGE: no such sharded collection, or a filter that the server would refuse; ERR_DATA: its metadata is
 * damaged. The model must outlive the result. */
bool route_make(const cluster *cl, const char *ns, const bson_t *filter, route **ret, struct err *err);
void route_free(route *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(route, route_free)
