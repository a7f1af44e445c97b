// SPDX-License-Identifier: Apache-2.0
/* pipeline.h - aggregation: the stages that metadata queries use, run to the end over documents in memory.
 * Owns: the stages, and which names are stages at all. Never: finds documents itself: collections and the
 * sources that tell about the cluster ($collStats, $currentOp, ...) come from its host.
 */
#pragma once

#include "sandbox/fault.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>

struct pipeline_host {
    void *user;
    /* Whether `stage` is a source that the host knows; then its documents, owned, freed with the array. */
    bool (*knows)(void *user, const char *stage);
    GPtrArray *(*source)(void *user, const char *stage, const bson_t *spec, struct fault *f);
    /* The documents of a collection of the same database, borrowed, for $lookup; NULL: none. */
    const GPtrArray *(*collection)(void *user, const char *name);
};

/* Runs `pipeline` (an array) over `docs` (borrowed; NULL: the pipeline must begin with a source). The
 * result's elements are owned, and freed with it. NULL: a fault. */
GPtrArray *pipeline_run(const bson_t *pipeline, const GPtrArray *docs, const struct pipeline_host *host,
                        struct fault *f);

/* A new array that frees documents. */
GPtrArray *docs_new(void);
