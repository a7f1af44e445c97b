// SPDX-License-Identifier: Apache-2.0
#include "migrations/journal/journal_private.h"

#include "common/escape.h"

#include <errno.h>
#include <string.h>

/* SQLite keeps the system's reason of a file that it cannot open; of a failed commit it keeps none, but errno
 * still has it. */
static int system_error(journal *j, int rc)
{
    int kept = sqlite3_system_errno(j->db);
    return (rc & 0xff) == SQLITE_IOERR && j->os_error != 0 ? j->os_error : kept;
}

static bool fail_io(journal *j, int rc, const char *doing, struct err *err)
{
    int why = system_error(j, rc);
    const char *remedy = why == EFBIG    ? "raise the limit on the size of files (ulimit -f)"
                         : why == EDQUOT ? "raise the quota of its owner, or free space"
                         : why == EACCES ? "give this user the right to its folder and files"
                                         : "check its file system and the system's log";
    enum err_class cls = why == EACCES              ? ERR_NO_PERMISSION
                         : j->mode == JOURNAL_WRITE ? ERR_CANT_CREATE
                                                    : ERR_NO_INPUT;
    return err_set(err, cls, "cannot %s journal '%s': %s; %s", doing, j->path,
                   why == 0 ? "input/output error" : g_strerror(why), remedy);
}

static bool fail_read_only(journal *j, int rc, const char *doing, struct err *err)
{
    if (rc == SQLITE_READONLY_DBMOVED)
        return err_set(
            err, ERR_CANT_CREATE,
            "cannot %s journal '%s': the file was moved or deleted while in use; put it back and start again",
            doing, j->path);
    return err_set(
        err, ERR_CANT_CREATE,
        "cannot %s journal '%s': it or its folder cannot be written to; mount it writable and give "
        "this user the right to write",
        doing, j->path);
}

bool sql_fail(journal *j, int rc, bool writes, struct err *err)
{
    const char *doing = writes ? "write" : "read";
    j->failed = rc;
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return err_set(err, ERR_CANT_CREATE,
                       "cannot %s journal '%s': the disk is full; free space on its file system", doing,
                       j->path);
    case SQLITE_READONLY:
        return fail_read_only(j, rc, doing, err);
    case SQLITE_NOTADB:
        return err_set(
            err, ERR_DATA,
            "'%s' is no journal (%s); name another file (journal.path), or, if it was one, it is damaged: "
            "put a backup in its place",
            j->path, sqlite3_errmsg(j->db));
    case SQLITE_CORRUPT:
        return err_set(err, ERR_DATA,
                       "journal '%s' is damaged (%s); put a backup in its place, or move it aside with its "
                       "-wal and -shm files and begin a new one",
                       j->path, sqlite3_errmsg(j->db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(
            err, ERR_RETRY_LATER,
            "cannot %s journal '%s': another program, perhaps an sqlite3 shell, keeps a transaction "
            "on it open; end that one and try again",
            doing, j->path);
    case SQLITE_INTERRUPT:
        return err_set(err, ERR_RETRY_LATER,
                       "looking through journal '%s' takes too long here; ask for less (since, round), or "
                       "use 'evenkeel history'",
                       j->path);
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
        return err_set(err, ERR_DATA, "journal '%s' does not take the row: %s; nothing was written", j->path,
                       sqlite3_errmsg(j->db));
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return fail_io(j, rc, doing, err);
    default:
        return err_set(err, ERR_FAILED, "cannot %s journal '%s': %s", doing, j->path, sqlite3_errmsg(j->db));
    }
}

enum { OPCODES_BETWEEN_LOOKS = 1000 };

static int is_over(void *data)
{
    const journal *j = data;
    return g_get_monotonic_time() >= j->give_up_at;
}

void journal_bound_reads(journal *j, int64_t ms)
{
    j->give_up_at = g_get_monotonic_time() + ms * 1000;
    sqlite3_progress_handler(j->db, ms == 0 ? 0 : OPCODES_BETWEEN_LOOKS, ms == 0 ? NULL : is_over, j);
}

static bool prepare(journal *j, const char *text, unsigned flags, sqlite3_stmt **ret, struct err *err)
{
    int rc = sqlite3_prepare_v3(j->db, text, -1, flags, ret, NULL);
    return rc == SQLITE_OK || sql_fail(j, rc, false, err);
}

bool sql_open(journal *j, const char *text, sql *ret, struct err *err)
{
    sqlite3_stmt *stmt = g_hash_table_lookup(j->statements, text);
    if (stmt == NULL) {
        if (!prepare(j, text, SQLITE_PREPARE_PERSISTENT, &stmt, err))
            return false;
        g_hash_table_insert(j->statements, (gpointer)text, stmt);
    }
    *ret = (sql){.j = j, .stmt = stmt, .cached = true};
    return true;
}

bool sql_open_once(journal *j, const char *text, sql *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    if (!prepare(j, text, 0, &stmt, err))
        return false;
    *ret = (sql){.j = j, .stmt = stmt};
    return true;
}

void sql_close(sql *q)
{
    if (q->cached) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
    } else {
        sqlite3_finalize(q->stmt);
    }
    *q = (sql){0};
}

/* The first failure is the one that is told. */
static void note(sql *q, int rc)
{
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void sql_int(sql *q, int64_t x)
{
    note(q, sqlite3_bind_int64(q->stmt, ++q->bound, x));
}

void sql_int_unless(sql *q, int64_t x, int64_t none)
{
    if (x == none)
        note(q, sqlite3_bind_null(q->stmt, ++q->bound));
    else
        sql_int(q, x);
}

void sql_double(sql *q, double x)
{
    note(q, sqlite3_bind_double(q->stmt, ++q->bound, x));
}

void sql_text(sql *q, const char *s)
{
    if (s == NULL || g_utf8_validate(s, -1, NULL)) {
        note(q, sqlite3_bind_text(q->stmt, ++q->bound, s, -1, SQLITE_STATIC));
        return;
    }
    g_autofree char *shown = text_escaped(s);
    note(q, sqlite3_bind_text(q->stmt, ++q->bound, shown, -1, SQLITE_TRANSIENT));
}

void sql_message(sql *q, const char *s)
{
    static const char cut[] = "...";
    if (s == NULL) {
        sql_text(q, NULL);
        return;
    }
    g_autoptr(GString) shown = g_string_new(NULL);
    /* Escaping only lengthens: what lies behind the limit before it lies behind it afterwards. */
    text_append_escaped(shown, s, (gssize)strnlen(s, JOURNAL_MESSAGE_MAX + 1));
    if (shown->len > JOURNAL_MESSAGE_MAX) {
        const char *end = shown->str + JOURNAL_MESSAGE_MAX - (sizeof(cut) - 1);
        end = g_utf8_find_prev_char(shown->str, end + 1);
        g_string_truncate(shown, (gsize)(end - shown->str));
        g_string_append(shown, cut);
    }
    note(q, sqlite3_bind_text(q->stmt, ++q->bound, shown->str, (int)shown->len, SQLITE_TRANSIENT));
}

void sql_blob(sql *q, GBytes *bytes)
{
    gsize len = 0;
    const void *data = bytes == NULL ? NULL : g_bytes_get_data(bytes, &len);
    if (bytes != NULL && len == 0)
        note(q, sqlite3_bind_zeroblob(q->stmt, ++q->bound, 0));
    else
        note(q, sqlite3_bind_blob64(q->stmt, ++q->bound, data, len, SQLITE_STATIC));
}

void sql_doc(sql *q, const bson_t *doc)
{
    if (doc == NULL)
        note(q, sqlite3_bind_null(q->stmt, ++q->bound));
    else
        note(q, sqlite3_bind_blob64(q->stmt, ++q->bound, bson_get_data(doc), doc->len, SQLITE_STATIC));
}

int sql_step(sql *q)
{
    errno = 0;
    int rc = q->rc == SQLITE_OK ? sqlite3_step(q->stmt) : q->rc;
    q->j->os_error = errno;
    return rc;
}

bool sql_next(sql *q, bool *ret_row, struct err *err)
{
    int rc = sql_step(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sql_fail(q->j, rc, !sqlite3_stmt_readonly(q->stmt), err);
    *ret_row = rc == SQLITE_ROW;
    return true;
}

bool sql_run(sql *q, struct err *err)
{
    bool row = true;
    while (row)
        if (!sql_next(q, &row, err))
            return false;
    return true;
}

bool sql_number(sql *q, int64_t none, int64_t *ret, struct err *err)
{
    bool row;
    if (!sql_next(q, &row, err))
        return false;
    *ret = row ? sql_column_int(q, 0, none) : none;
    return true;
}

int64_t sql_column_int(const sql *q, int column, int64_t none)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL ? none : sqlite3_column_int64(q->stmt, column);
}

bool sql_column_doc(const sql *q, int column, const char *what, bson_t *ret, struct err *err)
{
    const uint8_t *data = sqlite3_column_blob(q->stmt, column);
    int len = sqlite3_column_bytes(q->stmt, column);
    if (data == NULL || !bson_init_static(ret, data, (size_t)len) ||
        !bson_validate(ret, BSON_VALIDATE_NONE, NULL))
        return err_set(err, ERR_DATA,
                       "journal '%s' is damaged: column '%s' of %s is not BSON; put a backup in its place",
                       q->j->path, sqlite3_column_name(q->stmt, column), what);
    return true;
}

bool sql_exec(journal *j, const char *text, struct err *err)
{
    errno = 0;
    int rc = sqlite3_exec(j->db, text, NULL, NULL, NULL);
    j->os_error = errno;
    return rc == SQLITE_OK || sql_fail(j, rc, j->mode == JOURNAL_WRITE, err);
}
