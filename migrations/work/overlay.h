// SPDX-License-Identifier: Apache-2.0
/* overlay.h - one collection's ranges as the steps looked at so far would leave them, over the model.
 * Owns: only the ranges that a step has touched; all others are looked up in the model, which is not copied.
 * Never: judges a step; stale.c does.
 * Steps name the ranges of the plan, and those tile: a range is found by its begin. An open-ended step leaves
 * a range in parts whose inner bounds nobody knows: known is who has the lowest part, and who may have some
 * of the rest.
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "migrations/work/stale.h"
#include "migrations/work/work_private.h"

struct overlay_range {
    GBytes *enc_max;
    uint16_t first; /* the shard that has the lowest part, or all; SHARD_NONE: of none that is in the range */
    GArray *behind; /* uint16_t, shards that may have parts behind the lowest; NULL: the range is one chunk */
    uint64_t version; /* of the chunk it was in the model */
    bool any_version; /* it has none that a plan could know: a part of a chunk that is being split */
    bool spent;       /* steps carried out may have taken all that a donor had, its rest included */
    enum stale_kind fault;
    char *why; /* what was found wrong with the range by an earlier step; NULL: nothing */
};

typedef struct overlay overlay;

/* The collection is sound and has chunks; both are borrowed. */
overlay *overlay_new(const cluster *cl, const struct collection *coll);
void overlay_free(overlay *o); /* NULL accepted */

/* A step that was carried out: where it was open-ended, the model may have its range in one more part.
 * Borrowed. */
void overlay_note_done(overlay *o, const struct work_step *s);

/* The range of a step, as the steps before it leave it. Where the cluster's chunks do not have it, or an
 * earlier step found it changed, `why` is set. Borrowed, until the overlay changes. */
struct overlay_range *overlay_find(overlay *o, const struct work_step *s);

/* Whether `shard` has what a migration takes. */
bool overlay_has(const struct overlay_range *r, const struct work_step *s, uint16_t shard);

/* Takes the step as carried out. SHARD_NONE: a shard that is not in the cluster. */
void overlay_apply(overlay *o, struct overlay_range *r, const struct work_step *s, uint16_t from,
                   uint16_t to);
