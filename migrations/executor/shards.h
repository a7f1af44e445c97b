// SPDX-License-Identifier: Apache-2.0
/* shards.h - the shards of a schedule: how much is left to do for each, and whether it is free.
 * Owns: their names and numbers (dense, in the order they were met), and the order by remaining work. Never:
 * knows steps. A change of remaining work costs by the places it moves a shard.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct shards shards;

shards *shards_new(void);
void shards_free(shards *s);

/* The number of a shard; a new name gets one. */
uint32_t shards_find(shards *s, const char *name);
uint32_t shards_count(const shards *s);
/* The shard with the n-th most remaining work, n < shards_count(). */
uint32_t shards_ranked(const shards *s, uint32_t n);

int64_t shards_remaining(const shards *s, uint32_t shard); /* microseconds */
void shards_change_remaining(shards *s, uint32_t shard, int64_t by);

/* Counted: as often off as on. */
void shards_occupy(shards *s, uint32_t shard, bool on);
bool shards_is_free(const shards *s, uint32_t shard);
