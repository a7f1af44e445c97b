// SPDX-License-Identifier: Apache-2.0
/* lease_rules.h - who may have the lease, as a machine without clock, cluster or thread.
 * Owns: what to ask the cluster next, when a lease that somebody else holds is over, and until when one's own
 * counts. Never: sends anything; reads a clock: every call brings its time, in milliseconds of the caller's
 * own clock, which need not agree with anybody else's.
 *
 * Why no two hold it at once, as long as no clock is more than a tenth too fast or too slow:
 * - Every write puts a new random stamp into the document. A holder counts nine tenths of the ttl from before
 *   it sent the write that the cluster (a majority of it) has confirmed, and then has nothing.
 * - Who wants it must see one and the same stamp for eleven tenths of the ttl, counted from after it first
 *   read it, so from after that write was sent; and takes it only if the stamp is still that one, in one
 *   atomic step on the server. So no renewal lies between, and the holder's nine tenths are over.
 * - Commands may arrive as late as they like: one that takes over fails on any newer stamp, one that renews
 * or gives up changes nothing but its own sender's tenure, and a confirmation counts from the sending.
 * - Stamps are random, not counted: a renewal that a fallen primary forgot cannot come back under the number
 *   of another.
 * Without a document there is no stamp to watch, and a holder may live whose document was deleted by hand:
 * who finds none puts one of nobody's there, and watches that. Only who made the collection, too, less than
 * nine tenths of the ttl before, need not wait: nobody can have had it since, nor before. So whatever is done
 * to the document by hand, no two hold it at once; but they can where the collection is dropped under a
 * running holder, until that one's next renewal.
 *
 * Leases by time: C. Gray, D. Cheriton, "Leases: an efficient fault-tolerant mechanism for distributed file
 * cache consistency", SOSP 1989; the holder's own, shorter count, and numbers that fence off former holders:
 * M. Burrows, "The Chubby lock service for loosely-coupled distributed systems", OSDI 2006.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_TEXT_MAX = 40 }; /* bytes of an id or a stamp, with its NUL: a uuid has 37 */

/* What stands in the cluster. */
enum lease_doc {
    LEASE_DOC_NONE,
    LEASE_DOC_FREE,   /* given up by its last holder */
    LEASE_DOC_HELD,   /* somebody's, if it is not over */
    LEASE_DOC_DAMAGED /* not written by us: who had it may still think to have it */
};
struct lease_seen {
    enum lease_doc doc;
    char holder[LEASE_TEXT_MAX];
    char stamp[LEASE_TEXT_MAX]; /* of DAMAGED: a digest of the document; "" where there is none */
    int64_t epoch, ttl_ms;      /* 0: not known */
};

/* What to do next; after NONE the try is over. */
enum lease_op {
    LEASE_OP_NONE,
    LEASE_OP_READ,
    LEASE_OP_PREPARE, /* make the collection, unless there is one */
    LEASE_OP_PLACE,   /* make a document of nobody's, unless there is one */
    LEASE_OP_TAKE,    /* write ours over the one just read or placed, unless it has changed since */
    LEASE_OP_RENEW    /* a new stamp, if holder and epoch are still ours */
};

struct lease_rules {
    int64_t ttl_ms;
    char id[LEASE_TEXT_MAX]; /* of this holder; no two the same, ever */
    bool ours;               /* by the cluster's last word; whether it still counts says held_until */
    int64_t epoch;           /* of ours */
    int64_t held_until;      /* 0: not held */
    bool lost;               /* ours was found to be another's, or gone; whoever tells of it clears this */
    enum lease_op op;        /* under way */
    int64_t asked_at;        /* when it was sent, or before */
    int64_t next_epoch;      /* that RENEW, TAKE and PLACE write */
    int64_t highest_epoch, longest_ttl; /* ever seen */
    bool watching;
    struct lease_seen sight; /* what stands there, unchanged ... */
    int64_t sight_since;     /* ... since then, or earlier */
    /* In this try: */
    bool renewed_by_reading, placed;
    bool made;       /* the collection, ... */
    int64_t made_at; /* ... not before that */
};

enum { LEASE_TTL_MIN_MS = 1000, LEASE_TTL_MAX_MS = 60 * 60 * 1000 };

void lease_rules_init(struct lease_rules *r, int64_t ttl_ms, const char *id);

/* Each gives the next command, which is to be sent at `now` or later. */
enum lease_op lease_rules_start(struct lease_rules *r, int64_t now);
/* The answer to READ arrived. */
enum lease_op lease_rules_read(struct lease_rules *r, int64_t now, const struct lease_seen *seen);
/* The answer to CREATE, TAKE or RENEW arrived, confirmed by a majority; `matched`: the document was written.
 */
enum lease_op lease_rules_wrote(struct lease_rules *r, int64_t now, bool matched);
/* No answer, or none that says what happened. */
void lease_rules_failed(struct lease_rules *r);
/* Not held any more, from before the document is given up; the next tenure has another id. */
void lease_rules_give_up(struct lease_rules *r, const char *new_id);

bool lease_rules_held(const struct lease_rules *r, int64_t now);
/* When the next try makes sense, after one that ended at `now`. */
int64_t lease_rules_due(const struct lease_rules *r, int64_t now, bool failed);
