// SPDX-License-Identifier: Apache-2.0
/* mongo_pool.h - libmongoc clients for several threads.
 * Owns: two pools of one URI: one whose socket timeout is the deadline of a migration, one for short reads.
 * Never: shows credentials; checks that the peer is a mongos (connect.h does, before).
 */
#pragma once

#include "common/err.h"

#include <mongoc/mongoc.h>

typedef struct mongo_pool mongo_pool;

/* `deadline_ms`: how long a migration may be without an answer, at most 24 days. `max_clients` of each kind.
 * Connects to nobody yet. ERR_USAGE: the URI; ERR_UNAVAILABLE: its mongodb+srv:// name cannot be resolved. */
bool mongo_pool_new(const char *uri, int64_t deadline_ms, unsigned max_clients, mongo_pool **ret,
                    struct err *err);
/* All clients must be back. NULL accepted. */
void mongo_pool_free(mongo_pool *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mongo_pool, mongo_pool_free)

/* Waits until one is free. Error API version 2. */
mongoc_client_t *mongo_pool_take(mongo_pool *p, bool for_moves);
void mongo_pool_give(mongo_pool *p, bool for_moves, mongoc_client_t *client);
