// SPDX-License-Identifier: Apache-2.0
#include "migrations/journal/history.h"

#include "balancer/key/show.h"
#include "migrations/journal/journal_private.h"

/* Numbers of parameters, the same in every query here. */
enum { PARAM_SINCE = 1, PARAM_UNTIL, PARAM_SHARD, PARAM_STATE, PARAM_ROUND, PARAM_AFTER, PARAM_LIMIT };

/* What each kind of row must be, but for its times; `m` is the table. */
static void append_row_conditions(GString *out, const struct history_filter *f, enum journal_kind kind)
{
    if (f->n_ns > 0)
        g_string_append(out, " AND in_ns(m.ns)");
    if (f->shard != NULL)
        g_string_append(out, kind == JOURNAL_SPLIT ? " AND m.donor = ?3"
                                                   : " AND (m.donor = ?3 OR m.recipient = ?3)");
    if (f->has_state)
        g_string_append(out, " AND m.state = ?4");
}

static void append_where(GString *out, const struct history_filter *f, const char *time, const char *round)
{
    g_string_append(out, " WHERE 1");
    if (f->since != 0)
        g_string_append_printf(out, " AND %s >= ?1", time);
    if (f->until != 0)
        g_string_append_printf(out, " AND %s < ?2", time);
    if (f->round != 0)
        g_string_append_printf(out, " AND %s = ?5", round);
    if (f->after != 0)
        g_string_append(out, " AND m.change > ?6");
}

/* Both kinds of rows; `migration` and `split` are what is selected of each, with kind, planned_at, id and
 * change. */
static void append_rows(GString *out, const struct history_filter *f, const char *migration,
                        const char *split)
{
    g_string_append_printf(out, "SELECT %s FROM migrations m", migration);
    append_where(out, f, "m.planned_at", "m.round");
    append_row_conditions(out, f, JOURNAL_MIGRATION);
    g_string_append_printf(out, " UNION ALL SELECT %s FROM splits m", split);
    append_where(out, f, "m.planned_at", "m.round");
    append_row_conditions(out, f, JOURNAL_SPLIT);
    if (f->limit > 0)
        g_string_append(out, f->after != 0 ? " ORDER BY change DESC LIMIT ?7"
                                           : " ORDER BY planned_at DESC, kind, id DESC LIMIT ?7");
}

static bool wants(const sql *q, int param)
{
    return param <= sqlite3_bind_parameter_count(q->stmt);
}

static void bind_int(sql *q, int param, int64_t x)
{
    q->bound = param - 1;
    if (wants(q, param))
        sql_int(q, x);
}

static void bind_text(sql *q, int param, const char *s)
{
    q->bound = param - 1;
    if (wants(q, param))
        sql_text(q, s);
}

static void bind_filter(sql *q, const struct history_filter *f)
{
    bind_int(q, PARAM_SINCE, f->since);
    bind_int(q, PARAM_UNTIL, f->until);
    bind_text(q, PARAM_SHARD, f->shard);
    bind_text(q, PARAM_STATE, f->has_state ? migration_state_text(f->state) : NULL);
    bind_int(q, PARAM_ROUND, f->round);
    bind_int(q, PARAM_AFTER, f->after);
    bind_int(q, PARAM_LIMIT, f->limit);
}

/* Hands each row to `take`, with the patterns of `f` in force meanwhile. */
static bool each_row(journal *j, const struct history_filter *f, const char *text,
                     bool (*take)(const sql *q, void *data, struct err *err), void *data, struct err *err)
{
    g_autoptr(globs) ns = globs_new();
    for (size_t i = 0; i < f->n_ns; i++)
        if (!globs_add(ns, f->ns[i], err))
            return false;
    bool row = true, ok;
    g_auto(sql) q = {0};
    if (!sql_open_once(j, text, &q, err))
        return false;
    bind_filter(&q, f);
    j->ns = ns;
    do
        ok = sql_next(&q, &row, err) && (!row || take(&q, data, err));
    while (ok && row);
    j->ns = NULL;
    return ok;
}

static const char *column_text(const sql *q, int column)
{
    return (const char *)sqlite3_column_text(q->stmt, column);
}

/* Of a column that is never NULL, but for a file that somebody mended by hand. */
static const char *column_word(const sql *q, int column)
{
    const char *s = column_text(q, column);
    return s == NULL ? "" : s;
}

enum {
    ROW_KIND,
    ROW_ID,
    ROW_PLANNED,
    ROW_CHANGE,
    ROW_ROUND,
    ROW_PLAN,
    ROW_STEP,
    ROW_STATE,
    ROW_NS,
    ROW_FROM,
    ROW_ZONE,
    ROW_REASON,
    ROW_WHY,
    ROW_MIN,
    ROW_MAX,
    ROW_BYTES,
    ROW_STARTED,
    ROW_ENDED,
    ROW_ATTEMPTS,
    ROW_CODE,
    ROW_VERDICT,
    ROW_MESSAGE,
    ROW_TO,
    ROW_OPEN_MAX,
    ROW_AT
};
#define ROW_SELECT                                                                                           \
    " AS kind, m.id, m.planned_at, m.change, m.round, (SELECT p.plan_id FROM plans p WHERE p.id = m.plan),"  \
    " m.step, m.state, m.ns, m.donor, m.zone, m.reason, m.why, m.min, m.max, m.bytes, m.started_at,"         \
    " m.ended_at, m.attempts, m.code, m.verdict, m.message, "

struct row_call {
    history_fn fn;
    void *data;
    GString *min, *max, *at; /* reused from row to row */
};

static void spell(GString *out, const bson_t *doc)
{
    g_string_truncate(out, 0);
    key_json(out, doc);
}

static bool read_points(const sql *q, const char *what, bson_t *array, GString *out, struct err *err)
{
    bson_t doc;
    bson_iter_t it;
    g_string_assign(out, "[");
    if (!sql_column_doc(q, ROW_AT, what, array, err) || !bson_iter_init(&it, array))
        return false;
    while (bson_iter_next(&it)) {
        const uint8_t *data = NULL;
        uint32_t len = 0;
        if (BSON_ITER_HOLDS_DOCUMENT(&it))
            bson_iter_document(&it, &len, &data);
        if (data == NULL || !bson_init_static(&doc, data, len))
            continue;
        g_string_append(out, out->len > 1 ? ", " : "");
        key_json(out, &doc);
    }
    g_string_append_c(out, ']');
    return true;
}

static bool read_bounds(const sql *q, struct row_call *c, struct history_row *r, bson_t *min, bson_t *max,
                        bson_t *at, struct err *err)
{
    g_autofree char *what = g_strdup_printf("%s %" G_GINT64_FORMAT, kind_text(r->kind), r->id);
    if (!sql_column_doc(q, ROW_MIN, what, min, err) || !sql_column_doc(q, ROW_MAX, what, max, err) ||
        (r->kind == JOURNAL_SPLIT && !read_points(q, what, at, c->at, err)))
        return false;
    spell(c->min, min);
    spell(c->max, max);
    r->min = min;
    r->max = max;
    r->min_json = c->min->str;
    r->max_json = c->max->str;
    r->at = r->kind == JOURNAL_SPLIT ? at : NULL;
    r->at_json = r->kind == JOURNAL_SPLIT ? c->at->str : NULL;
    return migration_state_parse(column_word(q, ROW_STATE), &r->state) ||
           err_set(err, ERR_DATA, "journal '%s' is damaged: %s has no known state", q->j->path, what);
}

static bool take_row(const sql *q, void *data, struct err *err)
{
    struct row_call *c = data;
    bson_t min, max, at;
    struct history_row r = {
        .kind = sql_column_int(q, ROW_KIND, 0) != 0 ? JOURNAL_SPLIT : JOURNAL_MIGRATION,
        .id = sql_column_int(q, ROW_ID, 0),
        .round = sql_column_int(q, ROW_ROUND, 0),
        .plan_id = column_text(q, ROW_PLAN),
        .step = (uint32_t)sql_column_int(q, ROW_STEP, 0),
        .ns = column_word(q, ROW_NS),
        .from = column_word(q, ROW_FROM),
        .to = column_text(q, ROW_TO),
        .zone = column_text(q, ROW_ZONE),
        .reason = column_word(q, ROW_REASON),
        .why = column_text(q, ROW_WHY),
        .bytes = sql_column_int(q, ROW_BYTES, -1),
        .planned_at = sql_column_int(q, ROW_PLANNED, 0),
        .started_at = sql_column_int(q, ROW_STARTED, 0),
        .ended_at = sql_column_int(q, ROW_ENDED, 0),
        .attempts = (uint32_t)sql_column_int(q, ROW_ATTEMPTS, 0),
        .code = (int)sql_column_int(q, ROW_CODE, 0),
        .verdict = column_text(q, ROW_VERDICT),
        .message = column_text(q, ROW_MESSAGE),
        .change = sql_column_int(q, ROW_CHANGE, 0),
        .open_max = sql_column_int(q, ROW_OPEN_MAX, 0) != 0,
    };
    return read_bounds(q, c, &r, &min, &max, &at, err) && c->fn(c->data, &r, err);
}

bool history_rows(journal *j, const struct history_filter *f, history_fn fn, void *data, struct err *err)
{
    g_autoptr(GString) text = g_string_new(f->limit > 0 ? "SELECT * FROM (" : "");
    append_rows(text, f, "0" ROW_SELECT "m.recipient, m.open_max, NULL", "1" ROW_SELECT "NULL, 0, m.at");
    g_string_append(text, f->limit > 0 ? ")" : "");
    g_string_append(text, f->after != 0 ? " ORDER BY change" : " ORDER BY planned_at, kind DESC, id");
    struct row_call call = {.fn = fn,
                            .data = data,
                            .min = g_string_new(NULL),
                            .max = g_string_new(NULL),
                            .at = g_string_new(NULL)};
    bool ok = each_row(j, f, text->str, take_row, &call, err);
    g_string_free(call.min, TRUE);
    g_string_free(call.max, TRUE);
    g_string_free(call.at, TRUE);
    return ok;
}

static bool take_totals(const sql *q, void *data, struct err *err)
{
    struct history_totals *t = data;
    enum migration_state state;
    bool split = sql_column_int(q, 0, 0) != 0;
    uint32_t n = (uint32_t)sql_column_int(q, 2, 0);
    if (!migration_state_parse(column_word(q, 1), &state))
        return err_set(err, ERR_DATA, "journal '%s' is damaged: a %s has no known state", q->j->path,
                       kind_text(split ? JOURNAL_SPLIT : JOURNAL_MIGRATION));
    t->rows[state] += n;
    t->splits += split ? n : 0;
    if (!split && state == MIGRATION_COMMITTED)
        t->bytes += sql_column_int(q, 3, 0);
    return true;
}

bool history_totals(journal *j, const struct history_filter *f, struct history_totals *ret, struct err *err)
{
#define TOTALS_SELECT " AS kind, m.state AS state, m.bytes AS bytes, m.planned_at, m.id, m.change"
    struct history_totals t = {0};
    g_autoptr(GString) text = g_string_new("SELECT kind, state, count(*), sum(bytes) FROM (");
    append_rows(text, f, "0" TOTALS_SELECT, "1" TOTALS_SELECT);
    g_string_append(text, ") GROUP BY kind, state");
    if (!each_row(j, f, text->str, take_totals, &t, err))
        return false;
    *ret = t;
    return true;
}

enum {
    ROUND_ID,
    ROUND_KIND,
    ROUND_STATE,
    ROUND_PLAN,
    ROUND_POLICY,
    ROUND_WHO,
    ROUND_REASON,
    ROUND_NOTE,
    ROUND_STARTED,
    ROUND_ENDED,
    ROUND_PLANNED_MIGRATIONS,
    ROUND_PLANNED_SPLITS,
    ROUND_PLANNED_BYTES,
    ROUND_PLANNED_SECONDS,
    ROUND_CHANGE,
    ROUND_COMMITTED_N,
    ROUND_FAILED_N,
    ROUND_ABORTED_N,
    ROUND_OPEN_N,
    ROUND_SPLITS_N,
    ROUND_BYTES
};
#define ROUND_ROWS(what, rows, states)                                                                       \
    "(SELECT " what " FROM " rows " x WHERE x.round = m.id AND x.state " states ")"
static const char *const round_columns[] = {
    "m.id",
    "m.kind",
    "m.state",
    "(SELECT p.plan_id FROM plans p WHERE p.id = m.plan)",
    "m.policy",
    "m.who",
    "m.reason",
    "m.note",
    "m.started_at",
    "m.ended_at",
    "m.planned_migrations",
    "m.planned_splits",
    "m.planned_bytes",
    "m.planned_seconds",
    "m.change",
    ROUND_ROWS("count(*)", "migrations", "= 'committed'"),
    ROUND_ROWS("count(*)", "migrations", "= 'failed'"),
    ROUND_ROWS("count(*)", "migrations", "= 'aborted'"),
    ROUND_ROWS("count(*)", "migrations", "IN ('planned', 'started', 'unknown')"),
    ROUND_ROWS("count(*)", "splits", "= 'committed'"),
    ROUND_ROWS("sum(x.bytes)", "migrations", "= 'committed'"),
    NULL};

struct round_call {
    history_round_fn fn;
    void *data;
};

static bool take_round(const sql *q, void *data, struct err *err)
{
    const struct round_call *c = data;
    const struct history_round r = {
        .id = sql_column_int(q, ROUND_ID, 0),
        .kind = column_word(q, ROUND_KIND),
        .state = column_word(q, ROUND_STATE),
        .plan_id = column_text(q, ROUND_PLAN),
        .policy = column_word(q, ROUND_POLICY),
        .who = column_word(q, ROUND_WHO),
        .reason = column_text(q, ROUND_REASON),
        .note = column_text(q, ROUND_NOTE),
        .started_at = sql_column_int(q, ROUND_STARTED, 0),
        .ended_at = sql_column_int(q, ROUND_ENDED, 0),
        .planned_migrations = (uint32_t)sql_column_int(q, ROUND_PLANNED_MIGRATIONS, 0),
        .planned_splits = (uint32_t)sql_column_int(q, ROUND_PLANNED_SPLITS, 0),
        .committed = (uint32_t)sql_column_int(q, ROUND_COMMITTED_N, 0),
        .failed = (uint32_t)sql_column_int(q, ROUND_FAILED_N, 0),
        .aborted = (uint32_t)sql_column_int(q, ROUND_ABORTED_N, 0),
        .open = (uint32_t)sql_column_int(q, ROUND_OPEN_N, 0),
        .splits = (uint32_t)sql_column_int(q, ROUND_SPLITS_N, 0),
        .planned_bytes = sql_column_int(q, ROUND_PLANNED_BYTES, 0),
        .bytes = sql_column_int(q, ROUND_BYTES, 0),
        .planned_seconds = sqlite3_column_double(q->stmt, ROUND_PLANNED_SECONDS),
        .change = sql_column_int(q, ROUND_CHANGE, 0),
    };
    return c->fn(c->data, &r, err);
}

/* Rounds that have such a row. */
static void append_round_has(GString *out, const struct history_filter *f)
{
    if (f->n_ns == 0 && f->shard == NULL && !f->has_state)
        return;
    g_string_append(out, " AND m.id IN (SELECT m.round FROM migrations m WHERE 1");
    append_row_conditions(out, f, JOURNAL_MIGRATION);
    g_string_append(out, " UNION ALL SELECT m.round FROM splits m WHERE 1");
    append_row_conditions(out, f, JOURNAL_SPLIT);
    g_string_append_c(out, ')');
}

bool history_rounds(journal *j, const struct history_filter *f, history_round_fn fn, void *data,
                    struct err *err)
{
    g_autofree char *columns = g_strjoinv(", ", (char **)round_columns);
    g_autoptr(GString) text = g_string_new("SELECT ");
    g_string_append_printf(text, "%s FROM rounds m", columns);
    if (f->limit > 0) { /* the newest are chosen first, then counted */
        g_string_append(text, " WHERE m.id IN (SELECT m.id FROM rounds m");
        append_where(text, f, "m.started_at", "m.id");
        append_round_has(text, f);
        g_string_append(text, f->after != 0 ? " ORDER BY m.change DESC LIMIT ?7)"
                                            : " ORDER BY m.started_at DESC, m.id DESC LIMIT ?7)");
    } else {
        append_where(text, f, "m.started_at", "m.id");
        append_round_has(text, f);
    }
    g_string_append(text, f->after != 0 ? " ORDER BY m.change" : " ORDER BY m.started_at, m.id");
    struct round_call call = {.fn = fn, .data = data};
    return each_row(j, f, text->str, take_round, &call, err);
}

bool history_change(journal *j, int64_t *ret, struct err *err)
{
    g_auto(sql) q = {0};
    return sql_open(j, "SELECT change FROM counter", &q, err) && sql_number(&q, 0, ret, err);
}
