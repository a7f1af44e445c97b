// SPDX-License-Identifier: Apache-2.0
/* lease.h - one active evenkeel a cluster, by a document in the cluster.
 * Owns: the document (written by no one else), its reading and writing with majority, what a failure of these
 * means, and the answer to "is it ours at this moment". Who may have it, and why not two at once: see
 * lease_rules.h. Never: starts a thread, waits between tries, retries.
 *
 * The document, in `ns`: {_id: "evenkeel", holder: uuid, name, host, pid, epoch, ttlMs, stamp: uuid,
 * released, since, renewed}. `since` and `renewed` are the server's time, for people: nothing is decided by
 * them. `epoch` grows with each change of hands.
 *
 * What it cannot do: mongos knows nothing of leases, so a command that was sent in time and arrives late is
 * carried out. Ask lease_held() directly before sending. And a virtual machine that is frozen whole sees no
 * time pass.
 *
 * Threads: one thread at a time tries and releases; any may ask lease_held(), lease_due_at(), lease_epoch()
 * and lease_holder_get() meanwhile.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct lease lease;

struct lease_options {
    const char *ns;      /* "evenkeel.lease"; the same for all who share a cluster */
    int64_t ttl_ms;      /* 1 s to 1 h */
    const char *name;    /* of the service, for people */
    const char *cluster; /* the URI as it may be shown, for messages */
    /* Lends a client for one command at a time; its socket timeout bounds the time of a try. */
    mongoc_client_t *(*take)(void *data);
    void (*give)(void *data, mongoc_client_t *client);
    void *data;
    /* Milliseconds that never stand still; NULL: lease_boottime_ms(). */
    int64_t (*now_ms)(void *data);
    void *now_data;
};

/* Copies its options; asks nobody. */
lease *lease_new(const struct lease_options *opt);
/* Does not release: give it up first. NULL accepted. */
void lease_free(lease *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lease, lease_free)

enum lease_state {
    LEASE_HELD,   /* ours; for how long, lease_held() says */
    LEASE_WAITED, /* another's, or perhaps still another's; lease_refuse() says whose */
    LEASE_LOST    /* it was ours until now, and is another's, or was taken from us by hand: told once */
};

/* Gets it, renews it, or sees who has it; blocks for up to four commands. False: the cluster did not answer,
 * or not clearly; what was held is held until its time is over. ERR_UNAVAILABLE; ERR_NO_PERMISSION says which
 * role is missing. */
bool lease_try(lease *l, enum lease_state *ret, struct err *err);

/* Whether it is ours at that time of the clock in the options, by what the last renewal allows; the cluster
 * is not asked, and nothing that it may say later changes a no. */
bool lease_held(const lease *l, int64_t now_ms);
/* When lease_try() is due again: a third of the ttl after a renewal, when another's can be over, soon after a
 * failure; 0: at once. */
int64_t lease_due_at(const lease *l);

/* Of the present or last tenure; 0: none yet. Grows with each change of hands, also of other holders. */
int64_t lease_epoch(const lease *l);

/* Not held any more from the start of this call; then tells the cluster, so that the next one need not wait.
 * Where that fails they wait for the ttl. Does nothing where there is nothing to give up. A later lease_try()
 * begins a new tenure. */
bool lease_release(lease *l, struct err *err);

struct lease_holder { /* as last seen; to be cleared */
    bool known;       /* a sound document was seen, and nobody has given it up */
    bool ours;
    bool alive;        /* another's, and renewed or new while we watched: it is no use to wait for its end */
    char *name, *host; /* from the document: escape before showing; never NULL where known */
    int64_t pid, epoch;
    int64_t since_ms, renewed_ms; /* the server's time; 0: not known */
    int64_t until_ms;             /* likewise: when its time is over, unless it is renewed */
};
void lease_holder_get(const lease *l, struct lease_holder *ret);
void lease_holder_clear(struct lease_holder *h);

/* ERR_RETRY_LATER with who holds it, since and until when, and what to do; returns false. */
bool lease_refuse(const lease *l, struct err *err);

/* CLOCK_BOOTTIME: goes on while the machine sleeps or the process is stopped. */
int64_t lease_boottime_ms(void);
