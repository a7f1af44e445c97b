// SPDX-License-Identifier: Apache-2.0
/* source.h - reads a cluster's metadata from files into a model, streaming.
 * Owns: snapshots (Extended JSON or BSON, plain or gzip), `config` dumps (folder of *.bson or *.bson.gz),
 * size files, files of zones. Never: decides, keeps a document, or lets memory grow with the file. Files are
 * untrusted: whatever they hold ends in a model or in one clear error (ERR_NO_INPUT: not there or not
 * readable; ERR_DATA: all else).
 */
#pragma once

#include "balancer/cluster/builder.h"
#include "balancer/cluster/changes.h"
#include "balancer/cluster/intake.h"
#include "common/err.h"

#include <stdbool.h>

/* A snapshot: JSON when its first non-blank byte is '{', else BSON; gzip is recognised by its magic. `path`
 * "-" reads standard input. */
bool source_read_snapshot(const char *path, builder *b, struct err *err);

/* The folder mongodump writes for the database `config`, or its parent holding `config/`. shards, collections
 * must be there (X.bson or X.bson.gz); the others may be absent. */
bool source_read_dump(const char *dir, builder *b, struct err *err);

/* `--sizes`: a JSON or BSON document of the shape of the snapshot's `sizes`, or a snapshot that has that key.
 */
bool source_read_sizes(const char *path, builder *b, struct err *err);

/* `--zones`: zone ranges and shards' zones, {"tags": [...], "shards": [...], "namespaces": [...]}, JSON or
 * BSON, or a snapshot; for the change at `at` of `to`. A collection that `tags`, `namespaces` or
 * `collections` name loses the ranges it has, a shard that `shards` name the zones. */
bool source_read_zones(const char *path, change_list *to, guint at, struct err *err);

/* Snapshot and dump, document by document, to whoever wants them. */
bool source_snapshot_into(const char *path, const struct intake *to, struct err *err);
bool source_dump_into(const char *dir, const struct intake *to, struct err *err);
