// SPDX-License-Identifier: Apache-2.0
/* What the journal's files share: the handle, statements, the words of SQLite's errors, the schema. */
#pragma once

#include "common/globs.h"
#include "migrations/journal/journal.h"

#include <sqlite3.h>

enum {
    JOURNAL_APPLICATION_ID = 0x45764b6c, /* "EvKl" */
    JOURNAL_BUSY_MS = 5000,
    JOURNAL_WAL_MAX = 8 * 1024 * 1024, /* bytes that a log keeps on the disk once it is emptied */
    JOURNAL_MESSAGE_MAX = 2048         /* bytes of a message */
};

struct journal {
    sqlite3 *db;
    char *path; /* as it was given, for messages */
    enum journal_mode mode;
    int lock_fd;            /* -1: none */
    GHashTable *statements; /* text, by its address -> sqlite3_stmt * */
    bool still;             /* see journal_is_still() */
    bool in_tx;
    struct err doom;        /* why the open transaction was rolled back before its end */
    int64_t change, stored; /* the last one given to a row; the one that the file has */
    int failed;             /* SQLite's last error */
    int64_t give_up_at;     /* monotonic microseconds; see journal_bound_reads() */
    int os_error;           /* errno after the last step */
    const globs *ns;        /* of the query that runs; what SQL's in_ns() asks */
};

/* --- file.c --- */
/* Where `path` leads to, absolute; *ret_new: nothing is there yet. */
bool journal_locate(const char *path, enum journal_mode mode, char **ret_real, bool *ret_new,
                    struct err *err);
/* Takes the writer's lock of the file `real`. */
bool journal_lock(const char *path, const char *real, int *ret_fd, struct err *err);
/* Makes it, empty, of mode 0640 less the umask. */
bool journal_create(const char *path, const char *real, struct err *err);

/* --- schema.c --- */
/* Tells a journal from other files; *ret_version is 0 of an empty file. Reads only. */
bool schema_identify(journal *j, int *ret_version, struct err *err);
/* Applies the steps behind `version`, each in a transaction; steps[i] leads to version i + 1. A step is a
 * list of SQL texts that ends with NULL. */
bool schema_apply(journal *j, int version, const char *const *const *steps, int n, struct err *err);
extern const char *const *const schema_steps[];
extern const int schema_version;

/* --- sql.c: one statement in use; `g_auto(sql) q = {0}` --- */
typedef struct {
    journal *j;
    sqlite3_stmt *stmt;
    int bound, rc;
    bool cached;
} sql;
/* From the cache: `text` must be a constant, it is known by its address. */
bool sql_open(journal *j, const char *text, sql *ret, struct err *err);
/* Prepared for this use only. */
bool sql_open_once(journal *j, const char *text, sql *ret, struct err *err);
void sql_close(sql *q);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(sql, sql_close)

/* Binds the next parameter. What is handed in by address must live until sql_close(). */
void sql_int(sql *q, int64_t x);
void sql_int_unless(sql *q, int64_t x, int64_t none); /* NULL where x is `none` */
void sql_double(sql *q, double x);
void sql_text(sql *q, const char *s);    /* as it is; what is not UTF-8 is escaped; NULL is NULL */
void sql_message(sql *q, const char *s); /* made harmless on a terminal and cut */
void sql_blob(sql *q, GBytes *bytes);    /* NULL is NULL */
void sql_doc(sql *q, const bson_t *doc); /* likewise */
/* sqlite3_step(), for who wants its result. */
int sql_step(sql *q);
/* Runs to the end; rows are passed over. */
bool sql_run(sql *q, struct err *err);
/* One row further; *ret_row: there is one. */
bool sql_next(sql *q, bool *ret_row, struct err *err);
/* The only value of the first row; `none` where there is no row or it is NULL. */
bool sql_number(sql *q, int64_t none, int64_t *ret, struct err *err);
int64_t sql_column_int(const sql *q, int column, int64_t none); /* `none` of NULL */
/* A BSON document, borrowed until the next step; ERR_DATA names `what`. */
bool sql_column_doc(const sql *q, int column, const char *what, bson_t *ret, struct err *err);

/* Runs a text of one or several statements, without parameters. */
bool sql_exec(journal *j, const char *text, struct err *err);
/* Words SQLite's error `rc` of this handle. */
bool sql_fail(journal *j, int rc, bool writes, struct err *err);

/* --- journal.c: every write stands in a transaction, the caller's or one of its own --- */
bool write_begin(journal *j, bool *ret_own, struct err *err);
/* `ok`: how the write went; is what the whole came to. A caller's transaction is over with the first failed
 * write: nothing of it is kept, and its commit fails with the same error. */
bool write_end(journal *j, bool own, bool ok, struct err *err);
int64_t write_change(journal *j); /* the next number for a row */

/* --- plans.c --- */
/* The number of the plan; *ret 0 of NULL. `must`: ERR_DATA where there is none, else 0. */
bool plan_number(journal *j, const char *plan_id, bool must, int64_t *ret, struct err *err);

/* --- rows.c: what a step looks like in the tables --- */
#define STEP_COLUMNS                                                                                         \
    "ns, donor, min, max, min_key, max_key, min_json, max_json, version, reason, zone, why, bytes"
#define STEP_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
struct step_blobs { /* what is made for binding a step; zeroed: nothing to clear */
    GBytes *min_key, *max_key;
    char *min_json, *max_json, *at_json;
    bson_t *at;
};
void step_blobs_clear(struct step_blobs *b);
/* Binds STEP_VALUES; and `at`, `at_json`. */
void step_bind(sql *q, const struct journal_step *s, struct step_blobs *b);
void step_bind_at(sql *q, const struct journal_step *s, struct step_blobs *b);
static inline enum journal_kind step_kind(const struct journal_step *s)
{
    return s->at != NULL ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
}
const char *kind_text(enum journal_kind kind); /* "migration", "split" */
