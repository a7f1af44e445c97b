// SPDX-License-Identifier: Apache-2.0
/* history.h - reading the journal: rounds and migrations, filtered, newest last.
 * Owns: the filter and the rows as they are told to people and programs. Never: writes. Works on a journal
 * opened either way; between journal_begin() and journal_commit() all answers are of one moment.
 */
#pragma once

#include "migrations/journal/journal.h"

struct history_filter {
    int64_t since, until;  /* [since, until), milliseconds since 1970 by when the row was planned; 0: open */
    const char *const *ns; /* exact names or globs ("!" excludes); NULL: all. See common/globs.h */
    size_t n_ns;
    const char *shard; /* donor or recipient; NULL: any */
    bool has_state;    /* of rounds, too: state, shard and ns ask for one with such a migration or split */
    enum migration_state state;
    int64_t round;  /* 0: all */
    int64_t after;  /* rows whose `change` is greater than this; 0: all. For --tail */
    uint32_t limit; /* the newest so many; 0: all */
};

/* A time as people write it: ISO-8601 (a date; a time of UTC unless it tells its zone), or how long before
 * `now` ("2h", "90d"). ERR_USAGE. */
bool history_parse_time(const char *s, int64_t now, int64_t *ret, struct err *err);
/* "committed" into the filter's state. ERR_USAGE lists them all. */
bool history_parse_state(const char *s, struct history_filter *f, struct err *err);

struct history_row { /* a migration or a split; borrowed for the call */
    enum journal_kind kind;
    int64_t id, round;
    const char *plan_id; /* or NULL */
    uint32_t step;
    enum migration_state state;
    const char *ns, *from, *to, *zone, *reason, *why; /* to, zone, why may be NULL */
    const bson_t *min, *max, *at;             /* likewise; `at`, of a split: an array of points; else NULL */
    const char *min_json, *max_json;          /* relaxed Extended JSON; the end as moved where known */
    const char *at_json;                      /* of a split: an array; else NULL */
    int64_t bytes;                            /* -1 */
    int64_t planned_at, started_at, ended_at; /* 0: not yet */
    uint32_t attempts;
    int code;
    const char *verdict, *message; /* or NULL */
    int64_t change;                /* grows with every write of any row */
    bool open_max;                 /* the donor chooses, or chose, the end */
};
/* Rows by when they were planned; those after a `change` by that. `fn` stops it by returning false with `err`
 * set. ERR_USAGE: a pattern that is none. */
typedef bool (*history_fn)(void *data, const struct history_row *row, struct err *err);
bool history_rows(journal *j, const struct history_filter *f, history_fn fn, void *data, struct err *err);

struct history_round {
    int64_t id;
    const char *kind, *state, *plan_id, *policy, *who, *reason, *note;
    int64_t started_at, ended_at;
    uint32_t planned_migrations, planned_splits, committed, failed, aborted, open, splits;
    int64_t planned_bytes, bytes;
    double planned_seconds;
    int64_t change;
};
/* Rounds by when they started; since and until compare with that. */
typedef bool (*history_round_fn)(void *data, const struct history_round *row, struct err *err);
bool history_rounds(journal *j, const struct history_filter *f, history_round_fn fn, void *data,
                    struct err *err);

struct history_totals {
    uint32_t rows[MIGRATION_STATE_COUNT]; /* migrations and splits, by state */
    uint32_t splits;                      /* of all of these */
    int64_t bytes;                        /* of migrations that committed, where known */
};
bool history_totals(journal *j, const struct history_filter *f, struct history_totals *ret, struct err *err);

/* The greatest `change` so far. */
bool history_change(journal *j, int64_t *ret, struct err *err);
