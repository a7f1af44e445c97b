// SPDX-License-Identifier: Apache-2.0
/* settle.h - finds out what became of a migration or a split whose reply is missing.
 * Owns: the rules: who owns the chunk that holds `min`, and is something still on its way. Never: sends the
 * command again, guesses.
 *
 * The rules, first that holds:
 *  1. the collection is gone, or of another incarnation than `version`          void
 *  2. the recipient owns all of the range                                        committed
 *  3. anybody but the donor owns any of it                                       void
 *  4. the donor owns it, and something is on its way                             in flight
 *  5. the donor owns it, and nothing is on its way, twice, 200 ms apart          not
 *     (a command may still lie in a mongos' socket when the first look is taken)
 * On its way: a document of config.migrations (to 5.x), or in $currentOp the donor's command or thread, the
 * recipient's thread, or the command in mongos. Where $currentOp is not permitted the changelog stands in for
 * it: "nothing is on its way" then needs an entry, not older than `sent_at`, that tells the end of this
 * range's newest attempt, or the begin of another migration by the same donor after this one's; without that,
 * or without `sent_at`, it is in flight until the role is granted. The text says so.
 */
#pragma once

#include "migrations/mongo/probe.h"

enum settle_outcome {
    SETTLE_COMMITTED, /* the recipient owns all of it */
    SETTLE_NOT,       /* the donor owns it, and nothing is on its way */
    SETTLE_IN_FLIGHT, /* the donor owns it, and the cluster is still at it: ask again later */
    SETTLE_VOID /* the collection is gone or made anew, or others changed the range: nobody can say more; a
                   new plan is needed */
};

struct settle_question {
    const char *ns;
    const bson_t *min, *max; /* as sent; max: the planned end where `open_max` */
    bool open_max;           /* only the chunk that holds `min` counts */
    const char *from, *to;
    const char *version; /* of the plan, with the collection's epoch ("2|5||epoch..."); NULL: not compared */
    int64_t sent_at;     /* when it was first sent, milliseconds since 1970; 0: not known */
};

/* ERR_UNAVAILABLE: nobody could be asked, or the chunks would not keep still; ask again. *ret_max (may be
 * NULL, as ret_text): the end of the chunk at `min` where it went (committed), else NULL; to be destroyed.
 * *ret_text: one sentence with what was found, to be freed. */
bool settle_move(mongoc_client_t *client, const struct settle_question *q, enum settle_outcome *ret,
                 bson_t **ret_max, char **ret_text, struct err *err);

/* Whether chunks begin at every point of `at` (const bson_t *): committed; at some or none, twice, and no
 * split of the collection is under way: not. */
bool settle_split(mongoc_client_t *client, const char *ns, const GPtrArray *at, enum settle_outcome *ret,
                  char **ret_text, struct err *err);
