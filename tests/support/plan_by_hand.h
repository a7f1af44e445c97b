// SPDX-License-Identifier: Apache-2.0
/* plan_by_hand.h - plans put together by a test, without source, policy or planner.
 * Owns: the cluster, the plan, and all that they point at; free with hand_free(), never with plan_free().
 * Never: checks that the plan makes sense; a report must bear any.
 */
#pragma once

#include "balancer/plan/plan.h"

#include <glib.h>
#include <stdint.h>

typedef struct hand {
    cluster cl;
    plan p;
    GPtrArray *owned; /* freed with g_free() */
    GPtrArray *keys;  /* key_pattern */
} hand;

/* Shards "shard0"... of a server of that version ("6.0.3", or NULL), the policy of that name; nothing to do.
 */
hand *hand_new(const char *version, const char *policy, uint16_t n_shards);
void hand_free(hand *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(hand, hand_free)

/* Renames a shard, any bytes. */
void hand_shard_id(hand *h, uint16_t shard, const char *id);

/* Adds a zone that the shard carries; returns its number. Add them in byte order. */
uint32_t hand_zone(hand *h, uint16_t shard, const char *name);

/* Adds a balanced collection that every shard holds 10 chunks and 10 MiB of; returns its place. `key` is
 * Extended JSON; NULL: damaged metadata. At most 1000 collections. */
guint hand_collection(hand *h, const char *ns, const char *key);
struct plan_collection *hand_at(hand *h, guint collection);
struct collection *hand_model(hand *h, guint collection);

/* A bound from Extended JSON, or a copy of a document. */
plan_bound hand_bound(hand *h, const char *json);
plan_bound hand_bound_of(hand *h, const bson_t *doc);

/* Begins the next round; splits and migrations go into the newest. */
void hand_round(hand *h);
void hand_split(hand *h, guint collection, const char *min, const char *max, const char *at);
struct plan_migration *hand_move(hand *h, guint collection, const char *min, const char *max, uint16_t from,
                                 uint16_t to, int64_t bytes);
struct plan_blocked *hand_blocked(hand *h, guint collection, uint16_t shard, const char *reason);
/* Message, todo and commands are all `text`; `coll` may be NULL. */
void hand_advice(hand *h, const char *code, const struct collection *coll, uint16_t shard, const char *text);
void hand_warning(hand *h, const char *code, const char *ns, const char *message);
