// SPDX-License-Identifier: Apache-2.0
/* hands.h - what the executor has done in a cluster: blocking calls on worker threads, behind a table, so
 * that the executor can be tried on hands that are not a cluster. Owns: the questions and the answers. Never:
 * touches the journal or the executor's state; several threads call at once, each with its own `thread`.
 */
#pragma once

#include "migrations/mongo/error_class.h"
#include "migrations/work/work.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

enum hands_kind {
    HANDS_MOVE,         /* the last look, then the command */
    HANDS_SPLIT,        /* likewise, at every point of `at` that is not there yet */
    HANDS_SPLIT_MEDIAN, /* the chunk of a migration that is too big */
    HANDS_SETTLE        /* what became of it */
};

struct hands_job { /* borrowed for the call */
    enum hands_kind kind;
    const char *ns, *from, *to; /* `to` NULL: a split */
    const bson_t *min, *max;
    const GPtrArray *at; /* of a split: bson_t *; NULL or empty: the median */
    const char *version; /* of the plan; NULL: epoch not compared */
    const char *reason;  /* "drain", ... */
    bool force_jumbo, open_min, open_max;
    int64_t sent_at; /* of a settlement: when it was first sent, milliseconds since 1970; 0: not known */
};

enum hands_outcome {
    HANDS_COMMITTED,   /* the cluster says so */
    HANDS_ALREADY,     /* it was so before anything was sent */
    HANDS_FAILED,      /* the cluster refused or gave up: not done, `class` says what next */
    HANDS_UNKNOWN,     /* sent; the reply is missing or says nothing */
    HANDS_CHANGED,     /* not sent: the range changed under the plan */
    HANDS_NOT_ALLOWED, /* not sent: the recipient may not have it now */
    HANDS_UNREACHABLE, /* not sent, or not settled: the cluster could not be asked */
    HANDS_NOT,         /* settled: not done, and nothing on its way */
    HANDS_IN_FLIGHT,   /* not settled: the cluster is still at it */
    HANDS_VOID         /* settled as far as can be: the collection or the range is another one now */
};

struct hands_result { /* filled by the call; owned by the caller, hands_result_clear() */
    enum hands_outcome outcome;
    bool sent;             /* a command left: worth an attempt's row */
    int code;              /* the server's; 0: none */
    const char *code_name; /* static; "" */
    struct error_class class;
    char *message;     /* one sentence; NULL */
    bson_t *min, *max; /* the range that was sent, or moved, where the job left an end open; else NULL */
};
void hands_result_clear(struct hands_result *r);

struct hands { /* enter and leave may be NULL */
    void *data;
    void *(*enter)(void *data); /* at the start of a thread; does not block; NULL as `thread` is fine */
    void (*leave)(void *data, void *thread); /* at its end */
    void (*act)(void *data, void *thread, const struct hands_job *job, struct hands_result *ret);
};
