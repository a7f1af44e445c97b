// SPDX-License-Identifier: Apache-2.0
/* guard.h - the last look before a command leaves: is the range still there, and may it still go where it is
 * meant to? Owns: a copy of shards and zones that is read again when it is older than allowed, shared by all
 * threads behind a lock; the rules. Never: writes, chooses another recipient.
 */
#pragma once

#include "migrations/mongo/probe.h"

typedef struct guard guard;

struct guard_wish { /* a shard the configuration does not want to receive */
    const char *shard;
    const char *why; /* "receive: false in the configuration" */
};
/* `max_age_ms`: shards, zones and collection documents older than this are read again before they are
 * believed. Wishes are copied. */
guard *guard_new(int64_t max_age_ms, const struct guard_wish *wishes, size_t n);
void guard_free(guard *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(guard, guard_free)

enum guard_answer {
    GUARD_GO,
    GUARD_DONE,       /* the recipient has it already */
    GUARD_CHANGED,    /* the range is not there any more, or someone else's: a new plan is needed */
    GUARD_NOT_ALLOWED /* recipient drains, is gone, lacks the zone, must not receive; or the collection may
                         not be moved now */
};

struct guard_question {
    const char *ns;
    const bson_t *min, *max;
    const char *from, *to; /* `to` NULL: a split, only the chunk [min, max) on `from` is looked for */
    const char *version;   /* epoch of the collection; NULL: not compared */
    bool open_min;         /* the range begins at the donor's first chunk in [min, max) */
    bool open_max;         /* the chunk may end before or after max */
    bool draining_ok;      /* noBalance and its like do not count: the donor drains */
};
struct guard_found {     /* to be cleared */
    bson_t *min, *max;   /* of the chunk as it is now */
    char *text;          /* why not; NULL of GUARD_GO */
    bool move_range_sub; /* unused by splits: the range is a part of one chunk */
};
void guard_found_clear(struct guard_found *f);
bool guard_ask(guard *g, mongoc_client_t *client, const struct guard_question *q, enum guard_answer *ret,
               struct guard_found *ret_found, struct err *err);
