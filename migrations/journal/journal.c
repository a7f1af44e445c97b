// SPDX-License-Identifier: Apache-2.0
/* Opening the file, and transactions. */
#include "migrations/journal/journal_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void finalize(gpointer stmt)
{
    sqlite3_finalize(stmt);
}

/* in_ns(ns): whether the query that runs wants this collection. */
static void in_ns(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    const journal *j = sqlite3_user_data(ctx);
    const char *ns = (const char *)sqlite3_value_text(args[0]);
    (void)n;
    sqlite3_result_int(ctx, ns != NULL && globs_match(j->ns, ns));
}

/* An immutable file is read as it stands: no lock, no log. Only for one that nobody has open. */
static bool connect_file(journal *j, const char *real, bool immutable, struct err *err)
{
    enum { FLAGS = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE };
    int access = j->mode == JOURNAL_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    g_autofree char *escaped = immutable ? g_uri_escape_bytes((const guint8 *)real, strlen(real), "/") : NULL;
    g_autofree char *uri = immutable ? g_strconcat("file:", escaped, "?immutable=1", NULL) : NULL;
    sqlite3_close(j->db);
    int rc = sqlite3_open_v2(immutable ? uri : real, &j->db,
                             access | FLAGS | (immutable ? SQLITE_OPEN_URI : 0), NULL);
    if (rc != SQLITE_OK)
        return sql_fail(j, rc, j->mode == JOURNAL_WRITE, err);
    /* What the file says of itself is data, not program. */
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(j->db, JOURNAL_BUSY_MS);
    sqlite3_create_function(j->db, "in_ns", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, j, in_ns, NULL, NULL);
    return true;
}

static bool set_log(journal *j, struct err *err)
{
    g_auto(sql) q = {0};
    bool row;
    if (!sql_open_once(j, "PRAGMA journal_mode = WAL", &q, err) || !sql_next(&q, &row, err))
        return false;
    const char *got = row ? (const char *)sqlite3_column_text(q.stmt, 0) : NULL;
    if (g_strcmp0(got, "wal") != 0)
        return err_set(err, ERR_CANT_CREATE,
                       "journal '%s' cannot have a write-ahead log where it is, perhaps on a network file "
                       "system; put it on a local one (journal.path)",
                       j->path);
    /* The log stays with the file, so that those who may only read find one. */
    int persist = 1;
    sqlite3_file_control(j->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    return true;
}

/* Damage is found before anything is moved on the word of this file. */
static bool check_pages(journal *j, struct err *err)
{
    g_auto(sql) q = {0};
    bool row;
    if (!sql_open_once(j, "PRAGMA quick_check(1)", &q, err) || !sql_next(&q, &row, err))
        return false;
    const char *said = row ? (const char *)sqlite3_column_text(q.stmt, 0) : NULL;
    if (g_strcmp0(said, "ok") == 0)
        return true;
    return err_set(
        err, ERR_DATA,
        "journal '%s' is damaged (%s); put a backup in its place, or move it aside with its -wal and "
        "-shm files and begin a new one",
        j->path, said == NULL ? "it cannot be checked" : said);
}

static bool open_writer(journal *j, const char *real, struct err *err)
{
    int version = 0;
    if (!connect_file(j, real, false, err) || !schema_identify(j, &version, err) || !set_log(j, err))
        return false;
    g_autofree char *settings =
        g_strdup_printf("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
                        "PRAGMA journal_size_limit = %d",
                        JOURNAL_WAL_MAX);
    if (!sql_exec(j, settings, err) || (version > 0 && !check_pages(j, err)) ||
        !schema_apply(j, version, schema_steps, schema_version, err))
        return false;
    g_auto(sql) q = {0};
    if (!sql_open_once(j, "SELECT change FROM counter", &q, err) || !sql_number(&q, 0, &j->change, err))
        return false;
    j->stored = j->change;
    return true;
}

/* Whether a log with something in it lies beside the file. */
static bool has_log(const char *real)
{
    g_autofree char *log = g_strconcat(real, "-wal", NULL);
    struct stat st;
    return stat(log, &st) != 0 ? errno != ENOENT : st.st_size > 0;
}

static bool identify_for_reading(journal *j, struct err *err)
{
    int version = 0;
    if (!schema_identify(j, &version, err))
        return false;
    if (version == 0)
        return err_set(err, ERR_NO_INPUT, "journal '%s' is empty: nothing was written to it yet", j->path);
    if (version < schema_version)
        return err_set(
            err, ERR_DATA,
            "journal '%s' has an older schema (%d, this version reads %d); it is brought up to date "
            "when the service starts",
            j->path, version, schema_version);
    return true;
}

/* Who may not write to the folder needs the -shm file that a writer leaves there. Where it is gone and the
 * log is, too, the file is complete by itself and nobody has it open. */
static bool open_reader(journal *j, const char *real, struct err *err)
{
    struct err why = {0};
    if (!connect_file(j, real, false, err))
        return false;
    if (identify_for_reading(j, &why))
        return true;
    int rc = j->failed & 0xff;
    bool no_index = why.cls != ERR_DATA && (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY);
    j->still = no_index && !has_log(real);
    if (j->still)
        return connect_file(j, real, true, err) && identify_for_reading(j, err);
    if (no_index)
        return err_set(err, ERR_NO_PERMISSION,
                       "cannot read journal '%s': its log '%s-wal' cannot be read without '%s-shm', which "
                       "this user may not make; start the service, or read it as its owner",
                       j->path, real, real);
    if (err != NULL)
        *err = why;
    return false;
}

static bool open_located(journal *j, struct err *err)
{
    g_autofree char *real = NULL;
    bool is_new = false;
    if (!journal_locate(j->path, j->mode, &real, &is_new, err))
        return false;
    if (j->mode == JOURNAL_READ)
        return open_reader(j, real, err);
    return journal_lock(j->path, real, &j->lock_fd, err) && (!is_new || journal_create(j->path, real, err)) &&
           open_writer(j, real, err);
}

bool journal_open(const char *path, enum journal_mode mode, journal **ret, struct err *err)
{
    g_autoptr(journal) j = g_new0(journal, 1);
    j->path = g_strdup(path);
    j->mode = mode;
    j->lock_fd = -1;
    j->statements = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, finalize);
    if (!open_located(j, err))
        return false;
    *ret = g_steal_pointer(&j);
    return true;
}

bool journal_is_still(const journal *j)
{
    return j->still;
}

static void roll_back(journal *j)
{
    if (!sqlite3_get_autocommit(j->db))
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
}

void journal_free(journal *j)
{
    if (j == NULL)
        return;
    g_hash_table_unref(j->statements);
    if (j->db != NULL)
        roll_back(j);
    sqlite3_close(j->db);
    if (j->lock_fd >= 0) {
        (void)!ftruncate(j->lock_fd, 0);
        close(j->lock_fd);
    }
    g_free(j->path);
    g_free(j);
}

/* BEGIN and the like: no rows, and an error is one of writing where the file is open for it. */
static bool control(journal *j, const char *text, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j, text, &q, err))
        return false;
    int rc = sql_step(&q);
    return rc == SQLITE_DONE || sql_fail(j, rc, j->mode == JOURNAL_WRITE, err);
}

/* With a write-ahead log SQLite does not look itself, and writes on into a file that nobody will find again.
 */
static bool still_in_place(journal *j, struct err *err)
{
    int moved = 0;
    if (j->mode != JOURNAL_WRITE ||
        sqlite3_file_control(j->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved == 0)
        return true;
    return sql_fail(j, SQLITE_READONLY_DBMOVED, true, err);
}

bool journal_begin(journal *j, struct err *err)
{
    if (j->in_tx)
        return err_set(err, ERR_FAILED, "journal '%s': a transaction is open already", j->path);
    if (!still_in_place(j, err))
        return false;
    if (!control(j, j->mode == JOURNAL_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", err))
        return false;
    j->in_tx = true;
    j->doom = (struct err){0};
    return true;
}

void journal_rollback(journal *j)
{
    roll_back(j);
    j->in_tx = false;
    j->doom = (struct err){0};
}

static bool store_counter(journal *j, struct err *err)
{
    g_auto(sql) q = {0};
    if (j->change == j->stored)
        return true;
    if (!sql_open(j, "UPDATE counter SET change = ?", &q, err))
        return false;
    sql_int(&q, j->change);
    return sql_run(&q, err);
}

/* A commit whose sync failed may stand complete in the log, where the next start would find it, though it was
 * told to have failed. Emptying the log takes it away; where the disk is broken, that fails as well. */
static void drop_failed_commit(journal *j)
{
    sqlite3_busy_timeout(j->db, 0);
    sqlite3_wal_checkpoint_v2(j->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(j->db, JOURNAL_BUSY_MS);
}

bool journal_commit(journal *j, struct err *err)
{
    if (!j->in_tx)
        return err_set(err, ERR_FAILED, "journal '%s': no transaction is open", j->path);
    if (j->doom.cls != ERR_NONE) {
        if (err != NULL)
            *err = j->doom;
        journal_rollback(j);
        return false;
    }
    bool stored = store_counter(j, err);
    bool done = stored && control(j, "COMMIT", err);
    if (done)
        j->stored = j->change;
    journal_rollback(j);
    if (stored && !done)
        drop_failed_commit(j);
    return done;
}

bool write_begin(journal *j, bool *ret_own, struct err *err)
{
    if (j->mode != JOURNAL_WRITE)
        return err_set(err, ERR_NO_PERMISSION, "journal '%s' is open for reading only", j->path);
    if (j->doom.cls != ERR_NONE) {
        if (err != NULL)
            *err = j->doom;
        return false;
    }
    *ret_own = !j->in_tx;
    return j->in_tx || journal_begin(j, err);
}

bool write_end(journal *j, bool own, bool ok, struct err *err)
{
    if (ok)
        return !own || journal_commit(j, err);
    if (own) {
        journal_rollback(j);
        return false;
    }
    roll_back(j);
    if (err != NULL)
        j->doom = *err;
    else
        err_set(&j->doom, ERR_FAILED, "journal '%s': an earlier write of the transaction failed", j->path);
    return false;
}

int64_t write_change(journal *j)
{
    return ++j->change;
}
