// SPDX-License-Identifier: Apache-2.0
/* lease_keeper.h - a thread of its own that tries the lease whenever it is due: nothing else that blocks can
 * make a renewal late.
 * Owns: the thread, its client, the lease. Never: decides what follows from a lease that is held or lost;
 * logs.
 *
 * Threads: one thread, its owner, calls everything here; lease_keeper_held() and what lease.h allows to all
 * may be asked by any.
 */
#pragma once

#include "migrations/mongo/lease.h"

typedef struct lease_keeper lease_keeper;

struct lease_keeper_options {
    const char *uri; /* may hold a password */
    const char *ns;
    int64_t ttl_ms;
    const char *name; /* of the holder, for people */
};

/* Starts to try at once. ERR_USAGE: the URI; ERR_UNAVAILABLE: too many threads or descriptors. */
bool lease_keeper_new(const struct lease_keeper_options *opt, lease_keeper **ret, struct err *err);

/* Nothing that asks lease_keeper_held() may be left. Gives up what is held, where lease_keeper_stop() was not
 * called. NULL accepted. */
void lease_keeper_free(lease_keeper *k);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lease_keeper, lease_keeper_free)

/* Ends the thread, and gives the lease up; from the start of this call it is not held any more. Blocks for a
 * try that is under way and for one command, each bounded by a third of the ttl as long as servers answer at
 * all. False: the cluster could not be told, and the next one waits for the ttl. Once only. */
bool lease_keeper_stop(lease_keeper *k, struct err *err);

/* Readable when there is news. */
int lease_keeper_fd(const lease_keeper *k);

struct lease_news {         /* since the last call */
    enum lease_state state; /* as the newest try found it; of a failed try: as before */
    bool lost;              /* it went to another meanwhile, even where it is ours again */
    struct err err;         /* of the newest try; ERR_NONE: the cluster answered */
};
/* False: there is none. */
bool lease_keeper_news(lease_keeper *k, struct lease_news *ret);

/* To be asked, not tried. */
const lease *lease_keeper_lease(const lease_keeper *k);

/* Whether it is ours at this moment: lease_held() at lease_boottime_ms(). To be asked directly before
 * whatever only the holder may do. NULL: no lease is wanted, so true. */
bool lease_keeper_held(const lease_keeper *k);
