// SPDX-License-Identifier: Apache-2.0
/* error_class.h - what each error of a move or a split means: one table by code, one by text.
 * Owns: the verdict for every code of the catalogue, the unwrapping of codes that stand for others
 * (OperationFailed, code-less replies, libmongoc's own numbers), and whether the outcome is known. Never:
 * retries, sleeps, or asks the cluster. Source: the MongoDB error catalogue by server version; answers
 * recorded from a real 4.2 cluster (tests/data/recorded).
 */
#pragma once

#include <bson/bson.h>
#include <stdbool.h>

enum error_verdict {
    VERDICT_NONE,       /* it went well */
    VERDICT_SOON,       /* the same again after a short back-off, a few times */
    VERDICT_ROUND,      /* drop it now; the next round sees fresh metadata */
    VERDICT_SPLIT,      /* too big: split it first, or take it as jumbo */
    VERDICT_CHUNK,      /* nothing to be done for this chunk until its metadata changes */
    VERDICT_COLLECTION, /* nothing to be done for this collection until its metadata changes */
    VERDICT_STOP,       /* stop: an operator is needed */
    VERDICT_COUNT
};
/* "soon", "round", "split", "chunk", "collection", "stop"; "" of none. Stable. */
const char *error_verdict_text(enum error_verdict v);

struct error_class {
    enum error_verdict verdict;
    bool unknown;    /* the cluster may have done it, or may still be at it: settle before anything else */
    bool contention; /* someone else's migration is in the way (117 and its like): wait with jitter */
    bool drop_recipient; /* the fault is the recipient's: choose another; with VERDICT_CHUNK and
                            VERDICT_COLLECTION: they hold for this recipient only */
    bool long_wait;      /* minutes, not seconds, before it makes sense again */
    const char *advice;  /* one sentence for the operator: what to do; static */
};

enum error_command { ERROR_OF_MOVE, ERROR_OF_SPLIT };

/* The class of a code, without its text; unknown codes have one, too. `name` of the code, "" where it has
 * none; may be NULL. */
const struct error_class *error_class_of(int code, enum error_command of, const char **ret_name);

/* A reply that libmongoc reported as failed, or one with a writeConcernError. */
struct error_seen {
    int code;              /* the server's own, 0: none */
    const char *code_name; /* static, "" where not known */
    const char *message;   /* borrowed from reply or error, or static; never NULL */
    struct error_class class;
};
/* `error` may be NULL (a reply alone), `reply` may be NULL (nothing came). An ok reply without
 * writeConcernError gives VERDICT_NONE. The message is as the server sent it: escape it before it is shown.
 */
void error_see(const bson_t *reply, const bson_error_t *error, enum error_command of, struct error_seen *ret);
