// SPDX-License-Identifier: Apache-2.0
/* chunk_table.h - small sharded clusters from a key and the points that divide it, for tests.
 * Owns: writing the snapshot text and making the model of it. Never: used outside tests.
 */
#pragma once

#include "balancer/cluster/cluster.h"

/* One collection "db.c" on shards "s0".. "s<n-1>". Single quotes stand for double ones. */
struct chunk_table {
    const char *key;    /* "{'a': 1}" */
    const char *points; /* "[{'a': 0}, {'a': 10}]": bounds inside the key space, ascending; NULL: none */
    const char *owners; /* shard digits of the chunks in order, "0120"; NULL: 0, 1, 2, 0, ... */
    const char *jumbo;  /* '1' where a chunk is flagged, "0010"; NULL: none */
    const char *shards; /* "[{'_id': 's0', 'tags': ['A']}, ...]"; NULL: s0, s1, s2 without zones */
    const char *tags;   /* "[{'min': ..., 'max': ..., 'tag': 'A'}]", with or without ns and _id; NULL: none */
    const char *extra;  /* more keys of the collection's document, ", 'noBalance': true"; NULL: none */
    const char *more;   /* more keys of the snapshot, ", 'databases': [...]"; NULL: none */
};

/* Fails the test where the builder refuses. The caller frees. */
cluster *chunk_table_cluster(const struct chunk_table *t);
