// SPDX-License-Identifier: Apache-2.0
#include "migrations/journal/journal_private.h"

const char *round_state_text(enum round_state s)
{
    static const char *const texts[] = {[ROUND_RUNNING] = "running",
                                        [ROUND_DONE] = "done",
                                        [ROUND_FAILED] = "failed",
                                        [ROUND_CANCELLED] = "cancelled",
                                        [ROUND_INTERRUPTED] = "interrupted"};
    return (unsigned)s < G_N_ELEMENTS(texts) ? texts[s] : "?";
}

static bool insert_round(journal *j, const struct journal_round *r, int64_t *ret_id, struct err *err)
{
    static const char text[] =
        "INSERT INTO rounds (kind, state, change, plan, policy, who, reason, planned_migrations,"
        " planned_splits, planned_bytes, planned_seconds, started_at)"
        " VALUES (?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    int64_t plan = 0;
    g_auto(sql) q = {0};
    if (!plan_number(j, r->plan_id, true, &plan, err) || !sql_open(j, text, &q, err))
        return false;
    sql_text(&q, r->kind);
    sql_int(&q, write_change(j));
    sql_int_unless(&q, plan, 0);
    sql_text(&q, r->policy);
    sql_text(&q, r->who);
    sql_message(&q, r->reason);
    sql_int(&q, r->planned_migrations);
    sql_int(&q, r->planned_splits);
    sql_int(&q, MAX(r->planned_bytes, 0));
    sql_double(&q, r->planned_seconds);
    sql_int(&q, r->started_at);
    if (!sql_run(&q, err))
        return false;
    *ret_id = sqlite3_last_insert_rowid(j->db);
    return true;
}

bool journal_round_start(journal *j, const struct journal_round *r, int64_t *ret_id, struct err *err)
{
    bool own;
    int64_t id = 0;
    if (!write_begin(j, &own, err) || !write_end(j, own, insert_round(j, r, &id, err), err))
        return false;
    *ret_id = id;
    return true;
}

/* Runs an UPDATE of a running round; there must be one. */
static bool update_running(journal *j, sql *q, int64_t round, struct err *err)
{
    return sql_run(q, err) &&
           (sqlite3_changes(j->db) == 1 ||
            err_set(err, ERR_DATA,
                    "journal '%s' has no running round %" G_GINT64_FORMAT "; nothing was written", j->path,
                    round));
}

static bool extend(journal *j, int64_t round, uint32_t migrations, uint32_t splits, int64_t bytes,
                   double seconds, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "UPDATE rounds SET change = ?, planned_migrations = planned_migrations + ?,"
                  " planned_splits = planned_splits + ?, planned_bytes = planned_bytes + ?,"
                  " planned_seconds = max(planned_seconds, ?)"
                  " WHERE id = ? AND state = 'running'",
                  &q, err))
        return false;
    sql_int(&q, write_change(j));
    sql_int(&q, migrations);
    sql_int(&q, splits);
    sql_int(&q, MAX(bytes, 0));
    sql_double(&q, seconds);
    sql_int(&q, round);
    return update_running(j, &q, round, err);
}

bool journal_round_extend(journal *j, int64_t round, uint32_t migrations, uint32_t splits, int64_t bytes,
                          double seconds, struct err *err)
{
    bool own;
    return write_begin(j, &own, err) &&
           write_end(j, own, extend(j, round, migrations, splits, bytes, seconds, err), err);
}

static bool end(journal *j, int64_t round, enum round_state s, int64_t at, const char *note, struct err *err)
{
    g_auto(sql) q = {0};
    if (s == ROUND_RUNNING)
        return err_set(err, ERR_DATA, "journal '%s': a round does not end as running", j->path);
    if (!sql_open(j,
                  "UPDATE rounds SET change = ?, state = ?, ended_at = ?, note = ?"
                  " WHERE id = ? AND state = 'running'",
                  &q, err))
        return false;
    sql_int(&q, write_change(j));
    sql_text(&q, round_state_text(s));
    sql_int(&q, at);
    sql_message(&q, note);
    sql_int(&q, round);
    return update_running(j, &q, round, err);
}

bool journal_round_end(journal *j, int64_t round, enum round_state s, int64_t at, const char *note,
                       struct err *err)
{
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, end(j, round, s, at, note, err), err);
}

/* A round that a crash cut off ended with the last that was heard of it: the time until somebody looked is
 * not its own. */
static bool interrupt(journal *j, int64_t at, uint32_t *ret_n, struct err *err)
{
#define LAST_OF(rows)                                                                                        \
    "ifnull((SELECT max(max(m.planned_at, ifnull(m.started_at, 0), ifnull(m.ended_at, 0)))"                  \
    " FROM " rows " m WHERE m.round = rounds.id), 0)"
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "UPDATE rounds SET change = ?, state = 'interrupted', note ="
                  " 'found still running after a restart', ended_at = min(?, max(started_at, " LAST_OF(
                      "migrations") ", " LAST_OF("splits") ")) WHERE state = 'running'",
                  &q, err))
        return false;
    sql_int(&q, write_change(j));
    sql_int(&q, at);
    if (!sql_run(&q, err))
        return false;
    *ret_n = (uint32_t)sqlite3_changes(j->db);
    return true;
}

bool journal_rounds_interrupted(journal *j, int64_t at, uint32_t *ret_n, struct err *err)
{
    bool own;
    uint32_t n = 0;
    if (!write_begin(j, &own, err) || !write_end(j, own, interrupt(j, at, &n, err), err))
        return false;
    *ret_n = n;
    return true;
}
