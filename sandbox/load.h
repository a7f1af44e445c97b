// SPDX-License-Identifier: Apache-2.0
/* load.h - a cluster's metadata from a snapshot or a dump, whole, for the sandbox.
 * Owns: the documents until they are fed to the cluster. Never: judges them; the cluster does.
 * (balancer/source/ streams into the planner's model, which the sandbox must not share.)
 */
#pragma once

#include "common/err.h"
#include "sandbox/cluster.h"

#include <stdbool.h>

typedef struct metadata metadata;

/* A snapshot: Extended JSON or BSON, plain or gzip. ERR_NO_INPUT, ERR_DATA. */
bool metadata_read_snapshot(const char *path, metadata **ret, struct err *err);
/* The folder that mongodump writes for the database `config`, or its parent. */
bool metadata_read_dump(const char *dir, metadata **ret, struct err *err);
void metadata_free(metadata *m); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(metadata, metadata_free)

/* The server version that the metadata speaks of, "4.2.0"; guessed from its shape where nothing says so. */
const char *metadata_version(const metadata *m);
/* The feature compatibility version it names, or NULL. */
const char *metadata_feature_version(const metadata *m);

/* Gives every document to the cluster. */
bool metadata_feed(const metadata *m, sb_cluster *c, struct err *err);
