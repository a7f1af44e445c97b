// SPDX-License-Identifier: Apache-2.0
/* changes_private.h - what the files of zones say, between their reading and their making.
 * Owns: documents and names as read. Never: included outside balancer/cluster.
 */
#pragma once

#include "balancer/cluster/changes.h"

struct changes_zones *changes_zones_new(void);
void changes_zones_free(struct changes_zones *z);
/* Makes all that the files say. */
bool changes_zones_make(const change_list *c, builder *b, struct err *err);

/* The name's place among the shards that were read; SHARD_NONE: there is none. */
uint16_t changes_find_shard(const builder *b, const char *id);
/* "; did you mean 'x'?", or that there is none like it: err_set() of the class. False. */
bool changes_no_shard(const builder *b, enum err_class cls, const char *id, struct err *err);
