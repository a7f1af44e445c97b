// SPDX-License-Identifier: Apache-2.0
/* cluster_json.h - a model from one JSON text of the snapshot's shape, for tests.
 * Owns: feeding a builder through libbson only. Never: used outside tests; reads no file.
 */
#pragma once

#include "balancer/cluster/builder.h"

/* Feeds every key of the snapshot to `b`: documents in the order given, sizes, serverVersion, takenAt,
 * usedShards, imbalanced_cache. JSON that cannot be read fails the test. Single quotes may stand for double
 * ones (then no text may hold a quote). */
bool cluster_json_feed(builder *b, const char *snapshot_json, struct err *err);

/* The finished model; NULL with `err` set (may be NULL) where the builder refuses. */
cluster *cluster_json_try(const char *snapshot_json, struct err *err);

/* The same; a refusal fails the test with its words. Caller frees. */
cluster *cluster_from_json(const char *snapshot_json);

/* The first warning of that code, and of that namespace unless NULL; NULL: there is none. */
const struct warning *cluster_warning(const cluster *cl, const char *code, const char *ns);
unsigned cluster_count_warnings(const cluster *cl, const char *code);
