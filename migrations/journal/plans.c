// SPDX-License-Identifier: Apache-2.0
/* Approved plans, and how far they got. */
#include "migrations/journal/journal_private.h"

bool plan_number(journal *j, const char *plan_id, bool must, int64_t *ret, struct err *err)
{
    g_auto(sql) q = {0};
    *ret = 0;
    if (plan_id == NULL)
        return true;
    if (!sql_open(j, "SELECT id FROM plans WHERE plan_id = ?", &q, err))
        return false;
    sql_text(&q, plan_id);
    if (!sql_number(&q, 0, ret, err))
        return false;
    return *ret != 0 || !must || err_set(err, ERR_DATA, "journal '%s' has no plan '%s'", j->path, plan_id);
}

static bool insert_plan(journal *j, const struct journal_plan *p, int64_t *ret, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "INSERT INTO plans (plan_id, source, policy, who, migrations, splits, bytes,"
                  " expected_seconds, approved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  &q, err))
        return false;
    sql_text(&q, p->plan_id);
    sql_text(&q, p->source);
    sql_text(&q, p->policy);
    sql_text(&q, p->who);
    sql_int(&q, p->migrations);
    sql_int(&q, p->splits);
    sql_int(&q, p->bytes);
    sql_double(&q, p->expected_seconds);
    sql_int(&q, p->approved_at);
    if (!sql_run(&q, err))
        return false;
    *ret = sqlite3_last_insert_rowid(j->db);
    return true;
}

static bool insert_step(journal *j, int64_t plan, const struct journal_step *s, struct err *err)
{
    struct step_blobs blobs = {0};
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "INSERT INTO plan_steps (plan, step, kind, recipient, force_jumbo, open_max, " STEP_COLUMNS
                  ", at, at_json) VALUES (?, ?, ?, ?, ?, ?, " STEP_VALUES ", ?, ?)",
                  &q, err))
        return false;
    sql_int(&q, plan);
    sql_int(&q, s->step);
    sql_text(&q, kind_text(step_kind(s)));
    sql_text(&q, s->to);
    sql_int(&q, s->force_jumbo);
    sql_int(&q, s->open_max);
    step_bind(&q, s, &blobs);
    if (step_kind(s) == JOURNAL_SPLIT)
        step_bind_at(&q, s, &blobs);
    bool ok = sql_run(&q, err);
    step_blobs_clear(&blobs);
    return ok;
}

static bool put(journal *j, const struct journal_plan *p, const struct journal_step *steps, size_t n,
                bool *ret_known, struct err *err)
{
    int64_t plan;
    if (!plan_number(j, p->plan_id, false, &plan, err))
        return false;
    *ret_known = plan != 0;
    if (*ret_known)
        return true;
    bool ok = insert_plan(j, p, &plan, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = insert_step(j, plan, &steps[i], err);
    return ok;
}

bool journal_plan_put(journal *j, const struct journal_plan *p, const struct journal_step *steps, size_t n,
                      bool *ret_known, struct err *err)
{
    bool own, known = false;
    if (!write_begin(j, &own, err) || !write_end(j, own, put(j, p, steps, n, &known, err), err))
        return false;
    *ret_known = known;
    return true;
}

/* Rows of the plan that did what its step says; a row of the other kind (a chunk that was split because it
 * was too big to move) is not the step. */
#define DONE_ROWS(columns, rows, kind)                                                                       \
    "SELECT " columns " FROM " rows " m JOIN plan_steps s ON s.plan = m.plan AND s.step = m.step"            \
    " WHERE m.plan = ?1 AND m.state = 'committed' AND s.kind = '" kind "'"

bool journal_plan_done(journal *j, const char *plan_id, bool *done, size_t n, struct err *err)
{
    int64_t plan;
    bool row;
    g_auto(sql) q = {0};
    if (!plan_number(j, plan_id, false, &plan, err) ||
        !sql_open(j,
                  DONE_ROWS("m.step", "migrations", "migration") " UNION ALL " DONE_ROWS("m.step", "splits",
                                                                                         "split"),
                  &q, err))
        return false;
    sql_int(&q, plan);
    for (;;) {
        if (!sql_next(&q, &row, err))
            return false;
        if (!row)
            return true;
        int64_t step = sqlite3_column_int64(q.stmt, 0);
        if (step > 0 && (uint64_t)step <= n)
            done[step] = true;
    }
}

static bool close_plan(journal *j, const char *plan_id, const char *state, int64_t at, struct err *err)
{
    bool open = g_strcmp0(state, "open") == 0;
    int64_t plan;
    g_auto(sql) q = {0};
    if (!plan_number(j, plan_id, true, &plan, err) ||
        !sql_open(j, "UPDATE plans SET state = ?, closed_at = ? WHERE id = ?", &q, err))
        return false;
    sql_text(&q, state);
    sql_int_unless(&q, open ? INT64_MIN : at, INT64_MIN);
    sql_int(&q, plan);
    return sql_run(&q, err);
}

bool journal_plan_close(journal *j, const char *plan_id, const char *state, int64_t at, struct err *err)
{
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, close_plan(j, plan_id, state, at, err), err);
}

static bool count_done(journal *j, int64_t plan, struct journal_plan_totals *t, struct err *err)
{
#define DONE_SUMS "count(DISTINCT m.step), ifnull(sum(m.bytes), 0)"
    static const char *const texts[] = {DONE_ROWS(DONE_SUMS, "migrations", "migration"),
                                        DONE_ROWS(DONE_SUMS, "splits", "split")};
    for (int kind = JOURNAL_MIGRATION; kind <= JOURNAL_SPLIT; kind++) {
        g_auto(sql) q = {0};
        bool row;
        if (!sql_open(j, texts[kind], &q, err))
            return false;
        sql_int(&q, plan);
        if (!sql_next(&q, &row, err))
            return false;
        uint32_t n = (uint32_t)sqlite3_column_int64(q.stmt, 0);
        if (kind == JOURNAL_SPLIT)
            t->splits = n;
        else
            t->migrations = n;
        t->bytes += kind == JOURNAL_SPLIT ? 0 : sqlite3_column_int64(q.stmt, 1);
    }
    return true;
}

/* The time that the plan's rounds cover together; a running one reaches to the last that it wrote. */
static bool sum_rounds(journal *j, int64_t plan, struct journal_plan_totals *t, struct err *err)
{
    static const char text[] =
        "SELECT started_at, ifnull(ended_at, (SELECT max(max(m.planned_at, ifnull(m.started_at, 0),"
        " ifnull(m.ended_at, 0))) FROM migrations m WHERE m.round = rounds.id)) FROM rounds WHERE plan = ?"
        " ORDER BY started_at";
    int64_t covered = INT64_MIN, ms = 0;
    bool row, first = true;
    g_auto(sql) q = {0};
    if (!sql_open(j, text, &q, err))
        return false;
    sql_int(&q, plan);
    for (;; first = false) {
        if (!sql_next(&q, &row, err))
            return false;
        if (!row)
            break;
        int64_t from = sqlite3_column_int64(q.stmt, 0), to = sql_column_int(&q, 1, from);
        if (first)
            t->first_started_at = from;
        ms += MAX(to - MAX(from, covered), 0);
        covered = MAX(covered, to);
    }
    t->seconds = (double)ms / 1000;
    return true;
}

bool journal_plan_totals(journal *j, const char *plan_id, struct journal_plan_totals *ret, struct err *err)
{
    struct journal_plan_totals t = {0};
    int64_t plan;
    if (!plan_number(j, plan_id, false, &plan, err) || !count_done(j, plan, &t, err) ||
        !sum_rounds(j, plan, &t, err))
        return false;
    *ret = t;
    return true;
}
