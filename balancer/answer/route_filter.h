// SPDX-License-Identifier: Apache-2.0
/* route_filter.h - what a filter document leaves of each shard key field, as mongos sees it.
 * Owns: reading filters. Never: evaluates one on a document, or knows chunks. Filters are untrusted; whatever
 * is not understood leaves its field free, and a note says so.
 */
#pragma once

#include "balancer/answer/intervals.h"
#include "balancer/key/pattern.h"
#include "common/err.h"

#include <bson/bson.h>

struct filter_bounds {
    GArray *fields[KEY_FIELDS_MAX]; /* interval sets, of hashes for a hashed field; NULL: free */
    GPtrArray *notes;               /* char *, each once */
};

/* ERR_USAGE where the server would refuse the filter, too. */
bool filter_bounds_read(const key_pattern *key, const bson_t *filter, struct filter_bounds *ret,
                        struct err *err);
void filter_bounds_clear(struct filter_bounds *b);
