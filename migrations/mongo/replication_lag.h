// SPDX-License-Identifier: Apache-2.0
/* replication_lag.h - how far the members of a shard are behind its primary.
 * Owns: asking the members themselves, since a mongos does not tell: `hello`, which every server answers
 * without a login, says when its last write was made. Never: sends credentials (a shard has users of its
 * own), decides what is too much. Members that do not answer and arbiters have no lag; the primary has to
 * answer. Blocks for a few seconds at most.
 */
#pragma once

#include "common/err.h"

#include <stdint.h>

/* `uri`: the cluster's, for its TLS options. `hosts`: of config.shards, "name/host:port,...". *ret_member:
 * who is furthest behind, to be freed; NULL: there is only the primary. ERR_UNAVAILABLE: no primary can be
 * reached from here; ERR_DATA: hosts that are none. */
bool replication_lag(const char *uri, const char *hosts, int64_t *ret_ms, char **ret_member, struct err *err);
