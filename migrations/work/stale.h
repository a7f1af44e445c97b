// SPDX-License-Identifier: Apache-2.0
/* stale.h - whether a cluster still is as a plan found it, and how a new plan differs from an old one.
 * Owns: the comparison of every step with the cluster's chunks, and the words for each range that changed.
 * Never: reads the cluster (a model is handed in), or repairs a plan. Bounds are compared encoded, so that
 * work out of a file may be looked at before or after work_resolve().
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "migrations/work/work.h"

enum stale_kind {
    STALE_COLLECTION_GONE, /* not sharded any more, dropped, or made anew (epoch) */
    STALE_KEY,             /* another shard key */
    STALE_BOUNDS,          /* the range is not a chunk any more (split, merged) */
    STALE_OWNER,           /* another shard owns it */
    STALE_VERSION, /* same bounds and owner, but its version changed: it moved and came back, or was rewritten
                    */
    STALE_SHARD,   /* donor or recipient is not in the cluster any more */
    STALE_RECIPIENT, /* the recipient may not have it any more: it drains, or has lost the zone */
    STALE_ZONE       /* another zone covers the range now */
};

struct stale {
    uint32_t step; /* work_step.id */
    enum stale_kind kind;
    char *text; /* "shop.users [..): owned by shard2 now, not shard0" */
};

/* "bounds", "owner", ...: stable. */
const char *stale_kind_text(enum stale_kind k);

/* Compares the steps with the cluster, in order, each after the steps before it. `done` (indexed by step
 * id, 1..; may be NULL) are steps that were carried out already: they count as done and are not compared.
 * Where any is done the plan is being resumed: a chunk whose bounds and owner are as planned is then taken
 * whatever its version, since our own migrations give the remaining chunks of a donor new versions.
 *   Each step is told once, with the first fault found. What is wrong with a range (bounds, owner, version)
 * is told of every step on that range, and on the parts of a range that is split: the later ones rest on the
 * first. What is wrong with a step alone (its shards, its zone) is told of that step alone.
 *   Taken as unchanged is also: a chunk to be split that is cut already at some or all of the very points,
 * all parts being on its shard (a split that was interrupted); where open-ended steps were carried out, as
 * many parts of their range as those can have made, looked for from the begin (open_min: the donor's first);
 * and nothing being left for an open_min step, where all of the range is with the recipients of such steps:
 * the donor chose to give all, and the step has nothing to do. Returns an array of struct stale *, which
 * frees them; the caller unrefs. Empty: nothing changed. */
GPtrArray *stale_find(const work *w, const cluster *cl, const bool *done);

/* How `now` (a plan made afresh) differs from `then`: steps of `then` that `now` does not have, steps that
 * are new, and how many stay. A step is the same where it does the same to the same range; its number, round,
 * version, size and reason do not matter. Gives lines for people, "- shop.users [..) shard0 -> shard1" and
 * "+ ...", in the order of the plans, folded to `max_lines` (0: all) of each kind, "- and 12 more" behind. */
struct work_diff {
    uint32_t same, gone, added;
    GPtrArray *lines; /* char * */
};
void work_diff_make(const work *then, const work *now, uint32_t max_lines, struct work_diff *ret);
void work_diff_clear(struct work_diff *d);
