// SPDX-License-Identifier: Apache-2.0
/* builder.h - takes documents of the `config` collections, in any order, and makes a frozen model of them.
 * Owns: reading each document, all checks that need more than one document, and the words of every fault.
 * Never: reads files, keeps a document after the call, or holds more than the model will keep (plus each
 * chunk's encoded max until the end). Untrusted: a document may hold anything. Faults that leave no model
 * worth planning on (a shard without a name, a chunk that names no collection) end the reading with ERR_DATA;
 * damage to one collection excludes it (collection.invalid, a warning `metadataInvalid`) and the rest goes
 * on. Each fault names its document.
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "common/err.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

/* The kinds of document that a model is made of; anything else in a source is passed over. */
enum doc_kind {
    DOC_SHARD,
    DOC_DATABASE,
    DOC_COLLECTION,
    DOC_CHUNK,
    DOC_TAG,
    DOC_SETTING,
    DOC_CHANGELOG,
    DOC_MONGOS, /* config.mongos: the newest ping tells the server version where nothing else does */
    DOC_KIND_COUNT
};

/* "shards", "chunks", ...: the name of the `config` collection, and of the snapshot's key. */
const char *doc_kind_name(enum doc_kind kind);
/* The kind of that name, or DOC_KIND_COUNT. */
enum doc_kind doc_kind_find(const char *name);

typedef struct builder builder;

builder *builder_new(void);
void builder_free(builder *b); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(builder, builder_free)

/* Adds the `index`th (from 0) document of its collection. `doc` is BSON as read, `len` bytes, its length
 * already checked against its header but its contents not; borrowed for the call. */
bool builder_add(builder *b, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                 struct err *err);

/* The snapshot's own keys. */
bool builder_server_version(builder *b, const char *version, struct err *err); /* "7.0.14" */
void builder_taken_at(builder *b, int64_t unix_ms);
/* One collection of `sizes`: {shard: bytes | {bytes, ...}}; numbers may be int32, int64 or double, >= 0. A
 * later call for the same ns is refused. */
bool builder_sizes(builder *b, const char *ns, const uint8_t *doc, uint32_t len, struct err *err);
/* `usedShards`: a shard that takes no part in the first round. */
void builder_used_shard(builder *b, const char *id);
/* `imbalanced_cache`: a collection to look at first. */
void builder_first_ns(builder *b, const char *ns);
/* A warning found by the reader. */
void builder_warn(builder *b, const char *code, const char *ns, const char *message);

/* Sorts, checks, shares out sizes, and hands the model over; `b` has nothing left then, on failure too, and
 * is still the caller's to free. */
bool builder_finish(builder *b, cluster **ret, struct err *err);
