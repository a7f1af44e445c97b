// SPDX-License-Identifier: Apache-2.0
/* journal.h - everything evenkeel decided, did and was told, durable in one SQLite file.
 * Owns: the file, its schema and the migrations of the schema (`user_version`), every row and the edges
 * between states (state.h), the lock that makes it one writer. Never: talks to a cluster, reads a clock
 * (times are handed in, milliseconds since 1970, UTC), guesses an outcome, holds a secret. One writer, one
 * thread. Anyone may read it with the sqlite3 shell meanwhile. Writes outside journal_begin() ..
 * journal_commit() are a transaction each; a commit returns when it is on the disk (WAL, synchronous=FULL).
 * Every function that returns bool sets `err` on failure: ERR_CANT_CREATE (disk full, read-only, I/O),
 * ERR_NO_PERMISSION, ERR_RETRY_LATER (another writer), ERR_DATA (corrupt, foreign, newer schema, an edge that
 * is not in the table). After a failed write nothing of that transaction is in the file: a transaction is
 * over with its first failed write, further ones and its commit fail with the same error. Of rows and rounds
 * that end, times are taken as they are told, though a clock may have been set back.
 */
#pragma once

#include "common/err.h"
#include "migrations/journal/state.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdint.h>

typedef struct journal journal;

/* `JOURNAL_WRITE` makes the file (mode 0640, its folder must be there) and takes the writer's lock; the lock
 * is the process's and ends with it, however it ends. `JOURNAL_READ` takes no lock, makes nothing:
 * ERR_NO_INPUT where there is none. */
enum journal_mode { JOURNAL_READ, JOURNAL_WRITE };
bool journal_open(const char *path, enum journal_mode mode, journal **ret, struct err *err);
/* Of a journal opened for reading: it is read as it stood then, and what is written later is not seen. So it
 * is where the log's index is missing and this user may not make it. */
bool journal_is_still(const journal *j);
void journal_free(journal *j); /* rolls back what was not committed; NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(journal, journal_free)

/* Until it is called with 0, what is read is given up after `ms` with ERR_RETRY_LATER: for who may not wait.
 */
void journal_bound_reads(journal *j, int64_t ms);

/* Ties the file to a cluster at its first use; ERR_CONFIG where it belongs to another one, naming both. An id
 * that is not known ("") neither ties nor is refused. */
bool journal_claim(journal *j, const char *cluster_id, const char *cluster_name, int64_t now,
                   struct err *err);

/* Of a journal opened for reading: what is read until the commit is of one moment. */
bool journal_begin(journal *j, struct err *err);
bool journal_commit(journal *j, struct err *err);
void journal_rollback(journal *j);

/* --- rounds --- */
enum round_state { ROUND_RUNNING, ROUND_DONE, ROUND_FAILED, ROUND_CANCELLED, ROUND_INTERRUPTED };
const char *round_state_text(enum round_state s);

struct journal_round {
    const char *kind;    /* "apply", "forced", "scheduled" */
    const char *plan_id; /* NULL: of no approved plan */
    const char *policy;
    const char *who;    /* "alice (uid 1000)" */
    const char *reason; /* NULL: none given */
    uint32_t planned_migrations, planned_splits;
    int64_t planned_bytes;
    double planned_seconds; /* expected */
    int64_t started_at;
};
bool journal_round_start(journal *j, const struct journal_round *r, int64_t *ret_id, struct err *err);
/* More was planned while it ran: the planned numbers grow by these; `seconds` is how long the whole round
 * takes with them, as expected now. */
bool journal_round_extend(journal *j, int64_t round, uint32_t migrations, uint32_t splits, int64_t bytes,
                          double seconds, struct err *err);
/* `note`: one sentence how it ended; NULL: none. */
bool journal_round_end(journal *j, int64_t round, enum round_state s, int64_t at, const char *note,
                       struct err *err);
/* Rounds that a crash left running become interrupted; *ret_n: how many. Each ends with the last that the
 * journal has of it, `at` at the latest: call it before rows are settled. */
bool journal_rounds_interrupted(journal *j, int64_t at, uint32_t *ret_n, struct err *err);

/* --- approved plans --- */
struct journal_plan {
    const char *plan_id; /* content hash */
    const char *source, *policy;
    uint32_t migrations, splits;
    int64_t bytes;
    double expected_seconds;
    int64_t approved_at;
    const char *who;
};
struct journal_step { /* an approved split or migration; also what a row of either is made of */
    uint32_t step;    /* its number in the plan, 1..; 0: of no plan */
    const char *ns;
    const bson_t *min, *max;
    GBytes *enc_min, *enc_max; /* encoded; may be NULL: looked up by bounds only */
    const GPtrArray *at;       /* of a split: const bson_t *; NULL: a migration */
    const char *from, *to;     /* `to` NULL of a split */
    const char *version, *reason, *zone, *why;
    int64_t bytes; /* -1: not known */
    bool force_jumbo, open_max;
};
/* Does nothing where the plan is in the journal already (*ret_known). `steps`: struct journal_step, in order.
 */
bool journal_plan_put(journal *j, const struct journal_plan *p, const struct journal_step *steps, size_t n,
                      bool *ret_known, struct err *err);
/* Marks the steps of the plan with a committed row: done[step] = true; `done` has n + 1 entries. */
bool journal_plan_done(journal *j, const char *plan_id, bool *done, size_t n, struct err *err);
/* "open", "complete", "abandoned". */
bool journal_plan_close(journal *j, const char *plan_id, const char *state, int64_t at, struct err *err);
struct journal_plan_totals {     /* over every round that worked on the plan; nothing of an unknown plan */
    uint32_t migrations, splits; /* committed */
    int64_t bytes;
    double seconds; /* during which at least one round on it ran */
    int64_t first_started_at;
};
bool journal_plan_totals(journal *j, const char *plan_id, struct journal_plan_totals *ret, struct err *err);

/* --- migrations and splits: rows of one life --- */
enum journal_kind { JOURNAL_MIGRATION, JOURNAL_SPLIT };

/* Writes the row in state planned. `plan_id` NULL: of no approved plan. */
bool journal_row_planned(journal *j, enum journal_kind kind, int64_t round, const char *plan_id,
                         const struct journal_step *s, int64_t at, int64_t *ret_id, struct err *err);

/* What is known at the end, or at the moment; all may be zero. */
struct journal_outcome {
    int code;            /* the server's, 0: none */
    const char *verdict; /* error_verdict_text(), NULL: none */
    const char *message; /* one sentence: the server's words (escaped here) or ours */
    const bson_t *max;   /* the end that an open range got; NULL: as planned */
    const bson_t *min;   /* likewise its begin */
    int64_t bytes;       /* moved, where known; 0 or -1: as planned */
};
/* Takes the row along an edge of state.h; ERR_DATA for any other. A final state sets its end. `o` takes the
 * place of what was known; NULL: that stays. */
bool journal_row_state(journal *j, enum journal_kind kind, int64_t id, enum migration_state to, int64_t at,
                       const struct journal_outcome *o, struct err *err);

/* One command that was sent and what came back. */
struct journal_attempt {
    enum journal_kind kind;
    int64_t row;
    uint32_t number; /* 1.. */
    int64_t started_at, ended_at;
    bool ok;
    int code;
    const char *code_name, *verdict, *message; /* may be NULL */
};
/* A row's numbers differ. The time of one that went well is what journal_speeds() tells. */
bool journal_attempt_put(journal *j, const struct journal_attempt *a, struct err *err);

/* A row that a crash, or leaving, kept open (planned, started or unknown); all owned. */
struct journal_open_row {
    enum journal_kind kind;
    int64_t id, round;
    enum migration_state state;
    char *plan_id; /* NULL: none */
    uint32_t step;
    char *ns, *from, *to, *version;
    bson_t *min, *max;
    GPtrArray *at; /* bson_t *; of a split */
    bool open_max;
    int64_t started_at; /* 0: never */
};
void journal_open_row_free(struct journal_open_row *r);
/* GPtrArray of struct journal_open_row *, oldest first; the caller unrefs. */
bool journal_open_rows(journal *j, GPtrArray **ret, struct err *err);

/* --- limits --- */
/* Bytes of migrations that committed at or after `since`; those of unknown size count as `assumed` each. */
bool journal_bytes_since(journal *j, int64_t since, int64_t assumed, int64_t *ret, struct err *err);
/* When a range that overlaps [enc_min, enc_max) last went from `to` to `from`, i.e. the way back would be
 * from -> to; 0: not at or after `since`. */
bool journal_moved_at(journal *j, const char *ns, GBytes *enc_min, GBytes *enc_max, const char *from,
                      const char *to, int64_t since, int64_t *ret_at, struct err *err);
/* Seconds and bytes of committed migrations, newest first, at most `max`: for time estimates. GArray of
 * struct journal_speed, which owns its names; the caller unrefs. */
struct journal_speed {
    char *ns, *from, *to;
    int64_t ended_at;
    double seconds;
    int64_t bytes; /* -1 */
};
bool journal_speeds(journal *j, uint32_t max, GArray **ret, struct err *err);

/* --- events, and what is remembered --- */
/* `code` is camelCase and stable ("recovered", "paused", ...). round 0: none. */
bool journal_event(journal *j, int64_t at, const char *code, int64_t round, const char *text,
                   struct err *err);

/* The built-in balancer was stopped by us: remembered before the command leaves, until it is restored. Of
 * several stops the mode before the first is kept. */
bool journal_balancer_remember(journal *j, const char *mode_before, int64_t at, struct err *err);
bool journal_balancer_forget(journal *j, int64_t at, struct err *err);
/* *ret_mode: what it was before we stopped it, to be freed; NULL: nothing to restore. */
bool journal_balancer_remembered(journal *j, char **ret_mode, int64_t *ret_at, struct err *err);

/* A word under a name ("paused", ...), NULL: none. The caller frees. */
bool journal_setting_put(journal *j, const char *name, const char *value, int64_t at, struct err *err);
bool journal_setting_get(journal *j, const char *name, char **ret, struct err *err);

/* Deletes what ended before `before`: rounds with their rows, plans closed before it, events. Open rows stay.
 * `max`: the oldest so many rounds and no more, and what else is old only where no such round is left; 0:
 * all. *ret_n: rounds. */
bool journal_prune(journal *j, int64_t before, uint32_t max, uint32_t *ret_n, struct err *err);
