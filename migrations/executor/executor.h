// SPDX-License-Identifier: Apache-2.0
/* executor.h - carries work out: starts what may start, journals every step before and after, retries,
 * settles, stops. Owns: the worker threads, the rows under way, retries and back-off, limits, cool-down, the
 * order of journal and command: a row is `started` on the disk before its command leaves. Never: changes a
 * plan, blocks its owner's thread on the cluster, lets two migrations use one shard. One thread owns it and
 * calls everything here; workers only run hands and hand results back through a queue and a descriptor. All
 * that ended since the last turn, and all that starts, is one transaction of the journal.
 */
#pragma once

#include "migrations/executor/hands.h"
#include "migrations/journal/journal.h"
#include "migrations/work/work.h"

#include <glib.h>

enum executor_jumbo { EXECUTOR_JUMBO_SKIP, EXECUTOR_JUMBO_SPLIT, EXECUTOR_JUMBO_FORCE };

struct executor_options {
    unsigned n_shards;       /* of the cluster */
    unsigned max_concurrent; /* 0: as many as shard pairs allow: n_shards / 2, 1 at least */
    int64_t retry_attempts;  /* commands for one step in all, 1 at least; four times as many where others are
                                in  the way, or the cluster cannot be reached */
    int64_t backoff_ms, max_backoff_ms;
    int64_t max_bytes_per_hour; /* 0: no limit; over the journal's last hour and what is under way */
    int64_t assumed_bytes;      /* of a migration whose size is not known */
    int64_t max_moves, max_bytes, max_ms; /* of this executor; 0: no limit */
    int64_t
        cool_down_ms; /* a range does not go back where it came from earlier than this after it came; 0: no */
    bool wait_cool_down; /* wait for it; else such a step is dropped */
    enum executor_jumbo jumbo;
    double latency_seconds, seconds_per_byte; /* for the order and for finish times */
    uint32_t seed;                            /* of jitter */
    int64_t (*now)(void *data);               /* milliseconds since 1970; NULL: the system's clock */
    void *now_data;
};
struct executor_options executor_options_default(void); /* the configuration's defaults; cool-down 20 min */

enum executor_event_kind {
    EXECUTOR_STARTED,  /* the row is durable, the command is about to leave */
    EXECUTOR_ENDED,    /* in a final state */
    EXECUTOR_UNKNOWN,  /* the reply is missing; being settled */
    EXECUTOR_RETRY,    /* `wait_ms` until it is tried again */
    EXECUTOR_DROPPED,  /* it has no row, or no more: cancelled, limit, cool-down, something it rested on
                          failed, or  an earlier run had done it (`already`) */
    EXECUTOR_INHERITED /* a row that an earlier run left open; being settled */
};
struct executor_event { /* borrowed for the call */
    enum executor_event_kind kind;
    const struct work_step *step;             /* NULL: of an inherited row */
    const struct journal_open_row *inherited; /* NULL: of a step */
    int64_t row;
    enum migration_state state;
    /* Stable, camelCase. Ended: "committed", "already", "failed", "jumbo", "split", "changed", "notAllowed",
     * "unreachable", "notCarriedOut", "void", "neverSent"; ended or dropped: "limit", "coolDown",
     * "collection", "recipient", "restsOnFailed", "journal", "stopped", or what executor_until() or
     * executor_stop() was told. */
    const char *code;
    const char *message; /* one sentence; NULL */
    int64_t wait_ms, took_ms;
};

/* What holds back, as a stable word: "maxBytesPerHour", "limit", "coolDown", "backoff", "journal", or what
 * executor_hold() was told; NULL: nothing. */
struct executor_status {
    unsigned under_way, settling; /* settling is a part of under_way */
    size_t waiting;
    uint32_t committed, already, failed, dropped,
        splits;                /* already: was so before; counted beside committed */
    int64_t bytes, bytes_left; /* committed; of steps waiting or under way */
    double remaining_seconds;
    const char *holds;
    int64_t holds_until; /* 0: not known */
};

/* One that is under way, for display. */
struct executor_under_way {
    const char *ns, *from, *to;
    const bson_t *min, *max;
    int64_t row, bytes, started_at;
    uint32_t attempt;
    bool settling, split;
};

typedef struct executor executor;

/* Journal and the hands' data must outlive it. `round`: the journal's; `observer` may be NULL.
 * ERR_UNAVAILABLE: no threads. */
bool executor_new(const struct executor_options *opt, const struct hands *hands, journal *j, int64_t round,
                  void (*observer)(void *data, const struct executor_event *e), void *observer_data,
                  executor **ret, struct err *err);
/* Waits for no worker: those that are inside a command are left behind with what they need; the hands' data
 * must outlive them. Call executor_leave() before. */
void executor_free(executor *x);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(executor, executor_free)

/* A step as the journal takes it; borrows from it. */
struct journal_step executor_journal_step(const struct work_step *s);

/* Adds work; it is borrowed until the executor is freed. `done`: as in schedule_add(). `plan_id` goes into
 * the rows: NULL for work of no approved plan. */
void executor_add(executor *x, const work *w, const bool *done, const char *plan_id);
/* Takes over what journal_open_rows() found; rows in state planned become aborted at once. Ownership of the
 * array passes. */
void executor_inherit(executor *x, GPtrArray *rows);

/* Readable when a result waits. */
int executor_fd(const executor *x);
/* Takes in results, journals, starts what may start, tells the observer. False: the journal failed, now or
 * before: nothing more is started, what is under way runs on, and further turns only wait for it, and try
 * again to write down how it ended. */
bool executor_turn(executor *x, struct err *err);
/* Milliseconds until a turn is due without a result; -1: none. */
int64_t executor_wait_ms(const executor *x);

/* From now on nothing starts that would end later than `at`, by the estimate; 0: no such time. What is left
 * out for it is dropped with `code`. It stands beside max_ms. */
void executor_until(executor *x, int64_t at, const char *code);
/* No new migration starts while held (0 holds: goes on). The word is shown in status. */
void executor_hold(executor *x, const char *code); /* NULL: released */
/* No new ones ever; what is under way ends. `code`: "cancelled", "stopping", ... */
void executor_stop(executor *x, const char *code);
/* What is under way becomes `unknown` in the journal and is left to the cluster. */
bool executor_leave(executor *x, struct err *err);
/* Workers that are inside the hands at this moment: where there are any after executor_leave(), what the
 * hands use may not be freed as long as the process lives. */
unsigned executor_inside(executor *x);
/* Nothing is under way, nothing waits, and all is journalled and told, or cannot be journalled. */
bool executor_finished(const executor *x);
/* How many of those under way wait for nothing but a look at a cluster that could not be asked as often, in a
 * row, as a command would be tried there; *ret_why: what the last look met, borrowed until the next turn.
 * They go on looking: whoever has no such patience leaves them to the next run. */
unsigned executor_blind(const executor *x, const char **ret_why);
/* A verdict said stop: an operator is needed; the sentence, or NULL. */
const char *executor_stopped_by(const executor *x);

void executor_status(const executor *x, struct executor_status *ret);
/* GArray of struct executor_under_way, oldest first, borrowed contents until the next turn; the caller
 * unrefs. */
GArray *executor_list(const executor *x);
/* Names of shards that take part in something (const char *), interned; the caller unrefs. */
GPtrArray *executor_busy_shards(const executor *x);
