// SPDX-License-Identifier: Apache-2.0
/* Whose the journal is, events, what is remembered, and what is forgotten. */
#include "migrations/journal/journal_private.h"

#include <string.h>

static bool put_cluster(journal *j, const char *cluster_id, const char *name, int64_t now, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "INSERT INTO cluster (id, cluster_id, name, claimed_at) VALUES (1, ?, ?, ?)"
                  " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                  &q, err))
        return false;
    sql_text(&q, cluster_id);
    sql_text(&q, name);
    sql_int(&q, now);
    return sql_run(&q, err);
}

static bool claim(journal *j, const char *cluster_id, const char *name, int64_t now, struct err *err)
{
    bool row;
    g_auto(sql) q = {0};
    if (!sql_open(j, "SELECT cluster_id, name FROM cluster", &q, err) || !sql_next(&q, &row, err))
        return false;
    const char *id = row ? (const char *)sqlite3_column_text(q.stmt, 0) : cluster_id;
    const char *known = row ? (const char *)sqlite3_column_text(q.stmt, 1) : NULL;
    if (g_strcmp0(id, cluster_id) != 0)
        return err_set(err, ERR_CONFIG,
                       "journal '%s' belongs to cluster '%s' (%s), not to '%s' (%s); name another file for "
                       "this cluster (journal.path)",
                       j->path, known, id, name, cluster_id);
    return g_strcmp0(known, name) == 0 || put_cluster(j, cluster_id, name, now, err);
}

bool journal_claim(journal *j, const char *cluster_id, const char *cluster_name, int64_t now, struct err *err)
{
    bool own;
    if (cluster_id[0] == '\0')
        return true;
    return write_begin(j, &own, err) && write_end(j, own, claim(j, cluster_id, cluster_name, now, err), err);
}

static bool put_event(journal *j, int64_t at, const char *code, int64_t round, const char *text,
                      struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j, "INSERT INTO events (at, code, round, text) VALUES (?, ?, ?, ?)", &q, err))
        return false;
    sql_int(&q, at);
    sql_text(&q, code);
    sql_int_unless(&q, round, 0);
    sql_message(&q, text);
    return sql_run(&q, err);
}

bool journal_event(journal *j, int64_t at, const char *code, int64_t round, const char *text, struct err *err)
{
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, put_event(j, at, code, round, text, err), err);
}

/* Runs a statement with up to one text and one time, in this order. */
static bool write_memory(journal *j, const char *statement, const char *text, int64_t at, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j, statement, &q, err))
        return false;
    if (text != NULL)
        sql_text(&q, text);
    sql_int(&q, at);
    return sql_run(&q, err);
}

/* What it was before the first time is what is restored. */
bool journal_balancer_remember(journal *j, const char *mode_before, int64_t at, struct err *err)
{
    static const char text[] = "INSERT INTO builtin_balancer (mode_before, stopped_at) VALUES (?, ?)"
                               " ON CONFLICT DO NOTHING";
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, write_memory(j, text, mode_before, at, err), err);
}

bool journal_balancer_forget(journal *j, int64_t at, struct err *err)
{
    static const char text[] = "UPDATE builtin_balancer SET restored_at = ? WHERE restored_at IS NULL";
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, write_memory(j, text, NULL, at, err), err);
}

bool journal_balancer_remembered(journal *j, char **ret_mode, int64_t *ret_at, struct err *err)
{
    bool row;
    g_auto(sql) q = {0};
    if (!sql_open(j, "SELECT mode_before, stopped_at FROM builtin_balancer WHERE restored_at IS NULL", &q,
                  err) ||
        !sql_next(&q, &row, err))
        return false;
    *ret_mode = row ? g_strdup((const char *)sqlite3_column_text(q.stmt, 0)) : NULL;
    *ret_at = row ? sqlite3_column_int64(q.stmt, 1) : 0;
    return true;
}

static bool put_setting(journal *j, const char *name, const char *value, int64_t at, struct err *err)
{
    static const char put[] = "INSERT INTO settings (name, value, changed_at) VALUES (?, ?, ?)"
                              " ON CONFLICT (name) DO UPDATE SET value = excluded.value,"
                              " changed_at = excluded.changed_at";
    static const char drop[] = "DELETE FROM settings WHERE name = ?";
    g_auto(sql) q = {0};
    if (!sql_open(j, value != NULL ? put : drop, &q, err))
        return false;
    sql_text(&q, name);
    if (value != NULL) {
        sql_text(&q, value);
        sql_int(&q, at);
    }
    return sql_run(&q, err);
}

bool journal_setting_put(journal *j, const char *name, const char *value, int64_t at, struct err *err)
{
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, put_setting(j, name, value, at, err), err);
}

bool journal_setting_get(journal *j, const char *name, char **ret, struct err *err)
{
    bool row;
    g_auto(sql) q = {0};
    if (!sql_open(j, "SELECT value FROM settings WHERE name = ?", &q, err))
        return false;
    sql_text(&q, name);
    if (!sql_next(&q, &row, err))
        return false;
    *ret = row ? g_strdup((const char *)sqlite3_column_text(q.stmt, 0)) : NULL;
    return true;
}

/* A round goes with all that hangs on it, as soon as the last of its rows is old enough, too. */
static bool prune_rounds(journal *j, int64_t before, uint32_t max, uint32_t *ret_n, struct err *err)
{
#define NO_YOUNG(rows)                                                                                       \
    " AND NOT EXISTS (SELECT 1 FROM " rows " m WHERE m.round = rounds.id"                                    \
    " AND (m.ended_at IS NULL OR m.ended_at >= ?1))"
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "DELETE FROM rounds WHERE id IN (SELECT id FROM rounds WHERE ended_at < ?1" NO_YOUNG(
                      "migrations") NO_YOUNG("splits") " ORDER BY id LIMIT ?2)",
                  &q, err))
        return false;
    sql_int(&q, before);
    sql_int(&q, max == 0 ? -1 : (int64_t)max);
    if (!sql_run(&q, err))
        return false;
    *ret_n = (uint32_t)sqlite3_changes(j->db);
    return true;
}

static bool prune(journal *j, int64_t before, uint32_t max, uint32_t *ret_n, struct err *err)
{
#define NO_ROWS(rows) " AND NOT EXISTS (SELECT 1 FROM " rows " m WHERE m.plan = plans.id)"
    static const char *const others[] = {
        "DELETE FROM plans WHERE closed_at < ?" NO_ROWS("rounds") NO_ROWS("migrations") NO_ROWS("splits"),
        "DELETE FROM events WHERE at < ?",
        "DELETE FROM builtin_balancer WHERE restored_at < ?",
    };
    if (!prune_rounds(j, before, max, ret_n, err))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(others) && (max == 0 || *ret_n < max); i++)
        if (!write_memory(j, others[i], NULL, before, err))
            return false;
    return true;
}

bool journal_prune(journal *j, int64_t before, uint32_t max, uint32_t *ret_n, struct err *err)
{
    bool own;
    uint32_t n = 0;
    if (!write_begin(j, &own, err) || !write_end(j, own, prune(j, before, max, &n, err), err))
        return false;
    *ret_n = n;
    return true;
}
