// SPDX-License-Identifier: Apache-2.0
/* layout.h - a cluster in a line: compact descriptions for tests, and plans told back as compactly.
 * Owns: the little language below. Never: checks anything; a wrong description fails the test that gave it.
 */
#pragma once

#include "balancer/plan/plan.h"

#include <glib.h>

/* One collection "t.c" with the key {x: 1}. NULL fields: nothing of it.
 *   shards  "a b/EU/US c!"      ids; zones behind slashes; '!' draining
 *   chunks  "a 10 b 20 a* 30 b" owners with the integer bounds between them; '*' jumbo; first min MinKey,
 * last max MaxKey zones   "EU:min..10 US:20..max" sizes   "a=512M b=0"        per shard; M: MiB more    extra
 * members of the collection document: "\"noBalance\": true" settings extra settings documents, comma
 * separated JSON top     extra members of the snapshot
 */
struct layout {
    const char *shards, *chunks, *zones, *sizes, *version, *more, *settings, *top;
};

/* Caller frees with cluster_free(). */
cluster *layout_cluster(const struct layout *l);
/* The snapshot's JSON; caller frees. */
char *layout_json(const struct layout *l);

/* "1 drain min a>b; 1 imbalance 10 c>d; 2 ...": round, reason, lower bound, donor and recipient; "+" behind
 * the bound: the end is open; "~" before it: the rest of a range that was cut. Splits first: "1 split min at
 * 10,20; ". Caller frees. */
char *layout_plan_text(const plan *p);
