// SPDX-License-Identifier: Apache-2.0
/* flat_random.h - random clusters, small and middling, with everything that a plan has to mind: zones that
 * share shards, weights, draining, shards that are full or are not to receive, jumbo chunks, sizes unknown.
 * Owns: the odds. Never: plans.
 */
#pragma once

#include "tests/support/flat_cluster.h"

/* One collection, 3 shards, 8 chunks, 2 zones at most; `equal`: all chunks of one size. */
flat_cluster *flat_random_tiny(GRand *r, bool equal);
/* Up to 9 shards, 4 collections, 60 chunks each, 4 zones. */
flat_cluster *flat_random(GRand *r);

/* The same with weights, limits, thresholds and sizes that nobody would wish for. */
flat_cluster *flat_random_extreme(GRand *r);

/* What others do meanwhile: chunks moved, split, grown; none becomes wrong by it, but out of its zone. The
 * cluster is settled first. */
void flat_disturb(flat_cluster *f, GRand *r);
