// SPDX-License-Identifier: Apache-2.0
/* live_source.h - reads a live cluster's metadata through a mongos.
 * Owns: which documents are read, in one causally consistent session with read concern majority, and that the
 * chunks of a collection are of one moment. Never: writes to the cluster, decides, or holds more at once than
 * the documents of one collection's chunks.
 */
#pragma once

#include "balancer/cluster/intake.h"
#include "migrations/mongo/connect.h"

#include <stdbool.h>

struct live_options {
    int64_t max_time_ms; /* of one read on the server; 0: 30 s */
    bool fcv;            /* ask for the feature compatibility version, too; it may be refused */
};

/* Hands everything to `to`. A source that cannot tell sizes warns `sizesUnavailable`; all else that fails is
 * an error. */
bool live_read(const mongo_conn *c, const struct live_options *opt, const struct intake *to, struct err *err);
