// SPDX-License-Identifier: Apache-2.0
/* Migrations and splits: written, taken from state to state, their attempts, and those that stayed open. */
#include "migrations/journal/journal_private.h"

#include "balancer/key/encode.h"
#include "balancer/key/show.h"

#include <string.h>

const char *kind_text(enum journal_kind kind)
{
    return kind == JOURNAL_SPLIT ? "split" : "migration";
}

/* NULL where the bound has no place in the order of keys. */
static GBytes *encode(const bson_t *bound)
{
    GByteArray *enc = g_byte_array_new();
    bson_iter_t it;
    bool ok = bson_iter_init(&it, bound);
    while (ok && bson_iter_next(&it))
        ok = key_encode_value(&it, enc, NULL);
    if (ok)
        return g_byte_array_free_to_bytes(enc);
    g_byte_array_unref(enc);
    return NULL;
}

void step_blobs_clear(struct step_blobs *b)
{
    g_clear_pointer(&b->min_key, g_bytes_unref);
    g_clear_pointer(&b->max_key, g_bytes_unref);
    g_clear_pointer(&b->at, bson_destroy);
    g_free(b->min_json);
    g_free(b->max_json);
    g_free(b->at_json);
    *b = (struct step_blobs){0};
}

void step_bind(sql *q, const struct journal_step *s, struct step_blobs *b)
{
    b->min_key = s->enc_min != NULL ? g_bytes_ref(s->enc_min) : encode(s->min);
    b->max_key = s->enc_max != NULL ? g_bytes_ref(s->enc_max) : encode(s->max);
    b->min_json = key_json_text(s->min);
    b->max_json = key_json_text(s->max);
    sql_text(q, s->ns);
    sql_text(q, s->from);
    sql_doc(q, s->min);
    sql_doc(q, s->max);
    sql_blob(q, b->min_key);
    sql_blob(q, b->max_key);
    sql_text(q, b->min_json);
    sql_text(q, b->max_json);
    sql_text(q, s->version);
    sql_text(q, s->reason);
    sql_text(q, s->zone);
    sql_message(q, s->why);
    sql_int_unless(q, MAX(s->bytes, -1), -1);
}

void step_bind_at(sql *q, const struct journal_step *s, struct step_blobs *b)
{
    GString *json = g_string_new("[");
    b->at = bson_new();
    for (guint i = 0; s->at != NULL && i < s->at->len; i++) {
        char buf[16];
        const char *key;
        size_t len = bson_uint32_to_string(i, &key, buf, sizeof(buf));
        bson_append_document(b->at, key, (int)len, s->at->pdata[i]);
        g_string_append(json, i > 0 ? ", " : "");
        key_json(json, s->at->pdata[i]);
    }
    b->at_json = g_string_free(g_string_append_c(json, ']'), FALSE);
    sql_doc(q, b->at);
    sql_text(q, b->at_json);
}

static bool insert_row(journal *j, enum journal_kind kind, int64_t round, const char *plan_id,
                       const struct journal_step *s, int64_t at, int64_t *ret_id, struct err *err)
{
#define ROW_COLUMNS "round, plan, step, state, change, planned_at, " STEP_COLUMNS
#define ROW_VALUES "?, ?, ?, 'planned', ?, ?, " STEP_VALUES
    static const char *const inserts[] = {
        "INSERT INTO migrations (" ROW_COLUMNS ", recipient, force_jumbo, open_max) VALUES (" ROW_VALUES
        ", ?, ?, ?)",
        "INSERT INTO splits (" ROW_COLUMNS ", at, at_json) VALUES (" ROW_VALUES ", ?, ?)"};
    struct step_blobs blobs = {0};
    int64_t plan = 0;
    g_auto(sql) q = {0};
    if (!plan_number(j, plan_id, true, &plan, err) || !sql_open(j, inserts[kind], &q, err))
        return false;
    sql_int(&q, round);
    sql_int_unless(&q, plan, 0);
    sql_int_unless(&q, s->step, 0);
    sql_int(&q, write_change(j));
    sql_int(&q, at);
    step_bind(&q, s, &blobs);
    if (kind == JOURNAL_SPLIT) {
        step_bind_at(&q, s, &blobs);
    } else {
        sql_text(&q, s->to);
        sql_int(&q, s->force_jumbo);
        sql_int(&q, s->open_max);
    }
    bool ok = sql_run(&q, err);
    step_blobs_clear(&blobs);
    *ret_id = sqlite3_last_insert_rowid(j->db);
    return ok;
}

bool journal_row_planned(journal *j, enum journal_kind kind, int64_t round, const char *plan_id,
                         const struct journal_step *s, int64_t at, int64_t *ret_id, struct err *err)
{
    bool own;
    int64_t id = 0;
    if (!write_begin(j, &own, err) ||
        !write_end(j, own, insert_row(j, kind, round, plan_id, s, at, &id, err), err))
        return false;
    *ret_id = id;
    return true;
}

static bool row_state(journal *j, enum journal_kind kind, int64_t id, enum migration_state *ret,
                      struct err *err)
{
    static const char *const selects[] = {"SELECT state FROM migrations WHERE id = ?",
                                          "SELECT state FROM splits WHERE id = ?"};
    g_auto(sql) q = {0};
    bool row;
    if (!sql_open(j, selects[kind], &q, err))
        return false;
    sql_int(&q, id);
    if (!sql_next(&q, &row, err))
        return false;
    const char *text = row ? (const char *)sqlite3_column_text(q.stmt, 0) : NULL;
    if (text == NULL)
        return err_set(err, ERR_DATA, "journal '%s' has no %s %" G_GINT64_FORMAT, j->path, kind_text(kind),
                       id);
    return migration_state_parse(text, ret) ||
           err_set(err, ERR_DATA, "journal '%s' is damaged: %s %" G_GINT64_FORMAT " has the state '%s'",
                   j->path, kind_text(kind), id, text);
}

static bool set_state(journal *j, enum journal_kind kind, int64_t id, enum migration_state to, int64_t at,
                      struct err *err)
{
#define SET_STATE(rows)                                                                                      \
    "UPDATE " rows " SET state = ?, change = ?, started_at = ifnull(started_at, ?), ended_at = ? WHERE id "  \
    "= ?"
    static const char *const updates[] = {SET_STATE("migrations"), SET_STATE("splits")};
    g_auto(sql) q = {0};
    if (!sql_open(j, updates[kind], &q, err))
        return false;
    sql_text(&q, migration_state_text(to));
    sql_int(&q, write_change(j));
    sql_int_unless(&q, to == MIGRATION_STARTED ? at : INT64_MIN, INT64_MIN);
    sql_int_unless(&q, migration_state_final(to) ? at : INT64_MIN, INT64_MIN);
    sql_int(&q, id);
    return sql_run(&q, err);
}

static bool set_outcome(journal *j, enum journal_kind kind, int64_t id, const struct journal_outcome *o,
                        struct err *err)
{
#define SET_OUTCOME(rows)                                                                                    \
    "UPDATE " rows " SET code = ?, verdict = ?, message = ?, bytes = ifnull(?, bytes) WHERE id = ?"
    static const char *const updates[] = {SET_OUTCOME("migrations"), SET_OUTCOME("splits")};
    g_auto(sql) q = {0};
    if (!sql_open(j, updates[kind], &q, err))
        return false;
    sql_int_unless(&q, o->code, 0);
    sql_text(&q, o->verdict);
    sql_message(&q, o->message);
    sql_int_unless(&q, MAX(o->bytes, 0), 0);
    sql_int(&q, id);
    return sql_run(&q, err);
}

/* The range as it was moved takes the place of the planned one, which stays with the plan's step. */
static bool set_bound(journal *j, enum journal_kind kind, int64_t id, bool is_max, const bson_t *bound,
                      struct err *err)
{
#define SET_BOUND(rows, b) "UPDATE " rows " SET " b " = ?, " b "_key = ?, " b "_json = ? WHERE id = ?"
    static const char *const updates[][2] = {{SET_BOUND("migrations", "min"), SET_BOUND("migrations", "max")},
                                             {SET_BOUND("splits", "min"), SET_BOUND("splits", "max")}};
    if (bound == NULL)
        return true;
    g_autofree char *json = key_json_text(bound);
    g_autoptr(GBytes) key = encode(bound);
    g_auto(sql) q = {0};
    if (!sql_open(j, updates[kind][is_max], &q, err))
        return false;
    sql_doc(&q, bound);
    sql_blob(&q, key);
    sql_text(&q, json);
    sql_int(&q, id);
    return sql_run(&q, err);
}

/* The one place where a row's state changes. */
static bool take_edge(journal *j, enum journal_kind kind, int64_t id, enum migration_state to, int64_t at,
                      const struct journal_outcome *o, struct err *err)
{
    enum migration_state from;
    if (!row_state(j, kind, id, &from, err))
        return false;
    if (!migration_edge(from, to))
        return err_set(err, ERR_DATA,
                       "journal '%s': %s %" G_GINT64_FORMAT
                       " is %s and cannot become %s; nothing was written",
                       j->path, kind_text(kind), id, migration_state_text(from), migration_state_text(to));
    return set_state(j, kind, id, to, at, err) &&
           (o == NULL || (set_outcome(j, kind, id, o, err) && set_bound(j, kind, id, false, o->min, err) &&
                          set_bound(j, kind, id, true, o->max, err)));
}

bool journal_row_state(journal *j, enum journal_kind kind, int64_t id, enum migration_state to, int64_t at,
                       const struct journal_outcome *o, struct err *err)
{
    bool own;
    return write_begin(j, &own, err) && write_end(j, own, take_edge(j, kind, id, to, at, o, err), err);
}

static bool insert_attempt(journal *j, const struct journal_attempt *a, struct err *err)
{
#define INSERT_ATTEMPT(row)                                                                                  \
    "INSERT INTO attempts (" row ", number, started_at, ended_at, ok, code, code_name, verdict, message)"    \
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    static const char *const inserts[] = {INSERT_ATTEMPT("migration"), INSERT_ATTEMPT("split")};
    g_auto(sql) q = {0};
    if (!sql_open(j, inserts[a->kind], &q, err))
        return false;
    sql_int(&q, a->row);
    sql_int(&q, a->number);
    sql_int(&q, a->started_at);
    sql_int(&q, a->ended_at);
    sql_int(&q, a->ok);
    sql_int_unless(&q, a->code, 0);
    sql_text(&q, a->code_name);
    sql_text(&q, a->verdict);
    sql_message(&q, a->message);
    return sql_run(&q, err);
}

static bool count_attempt(journal *j, const struct journal_attempt *a, struct err *err)
{
#define COUNT_ATTEMPT(rows) "UPDATE " rows " SET attempts = max(attempts, ?), change = ? WHERE id = ?"
    static const char *const updates[] = {COUNT_ATTEMPT("migrations"), COUNT_ATTEMPT("splits")};
    g_auto(sql) q = {0};
    if (!sql_open(j, updates[a->kind], &q, err))
        return false;
    sql_int(&q, a->number);
    sql_int(&q, write_change(j));
    sql_int(&q, a->row);
    return sql_run(&q, err);
}

bool journal_attempt_put(journal *j, const struct journal_attempt *a, struct err *err)
{
    bool own;
    return write_begin(j, &own, err) &&
           write_end(j, own, insert_attempt(j, a, err) && count_attempt(j, a, err), err);
}

void journal_open_row_free(struct journal_open_row *r)
{
    if (r == NULL)
        return;
    g_free(r->plan_id);
    g_free(r->ns);
    g_free(r->from);
    g_free(r->to);
    g_free(r->version);
    bson_destroy(r->min);
    bson_destroy(r->max);
    if (r->at != NULL)
        g_ptr_array_unref(r->at);
    g_free(r);
}

static void free_doc(gpointer doc)
{
    bson_destroy(doc);
}

static bool read_doc(const sql *q, int column, const char *what, bson_t **ret, struct err *err)
{
    bson_t doc;
    if (!sql_column_doc(q, column, what, &doc, err))
        return false;
    *ret = bson_copy(&doc);
    return true;
}

static bool read_at(const sql *q, int column, const char *what, GPtrArray **ret, struct err *err)
{
    bson_t array, doc;
    bson_iter_t it;
    if (!sql_column_doc(q, column, what, &array, err) || !bson_iter_init(&it, &array))
        return false;
    *ret = g_ptr_array_new_with_free_func(free_doc);
    while (bson_iter_next(&it)) {
        const uint8_t *data = NULL;
        uint32_t len = 0;
        if (BSON_ITER_HOLDS_DOCUMENT(&it))
            bson_iter_document(&it, &len, &data);
        if (data == NULL || !bson_init_static(&doc, data, len))
            return err_set(err, ERR_DATA, "journal '%s' is damaged: the points of %s are not documents",
                           q->j->path, what);
        g_ptr_array_add(*ret, bson_copy(&doc));
    }
    return true;
}

static char *read_text(const sql *q, int column)
{
    return g_strdup((const char *)sqlite3_column_text(q->stmt, column));
}

static bool read_open_row(const sql *q, struct journal_open_row *r, struct err *err)
{
    r->kind = sqlite3_column_int(q->stmt, 0) != 0 ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
    r->id = sqlite3_column_int64(q->stmt, 1);
    g_autofree char *what = g_strdup_printf("%s %" G_GINT64_FORMAT, kind_text(r->kind), r->id);
    const char *state = (const char *)sqlite3_column_text(q->stmt, 3);
    if (state == NULL || !migration_state_parse(state, &r->state))
        return err_set(err, ERR_DATA, "journal '%s' is damaged: %s has no known state", q->j->path, what);
    r->round = sqlite3_column_int64(q->stmt, 2);
    r->plan_id = read_text(q, 4);
    r->step = (uint32_t)sqlite3_column_int64(q->stmt, 5);
    r->ns = read_text(q, 6);
    r->from = read_text(q, 7);
    r->to = read_text(q, 8);
    r->version = read_text(q, 9);
    r->open_max = sqlite3_column_int(q->stmt, 13) != 0;
    r->started_at = sqlite3_column_int64(q->stmt, 14);
    return read_doc(q, 10, what, &r->min, err) && read_doc(q, 11, what, &r->max, err) &&
           (r->kind == JOURNAL_MIGRATION || read_at(q, 12, what, &r->at, err));
}

static void free_open_row(gpointer r)
{
    journal_open_row_free(r);
}

bool journal_open_rows(journal *j, GPtrArray **ret, struct err *err)
{
#define OPEN_COLUMNS ", id, round, state, (SELECT plan_id FROM plans p WHERE p.id = plan), step, ns, donor, "
    static const char text[] =
        "SELECT 0 AS kind" OPEN_COLUMNS "recipient, version, min, max, NULL, open_max, started_at, planned_at"
        " FROM migrations WHERE ended_at IS NULL UNION ALL SELECT 1" OPEN_COLUMNS
        "NULL, version, min, max, at, 0, started_at, planned_at FROM splits WHERE ended_at IS NULL"
        " ORDER BY planned_at, kind DESC, id";
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_open_row);
    g_auto(sql) q = {0};
    bool row;
    if (!sql_open(j, text, &q, err))
        return false;
    for (;;) {
        if (!sql_next(&q, &row, err))
            return false;
        if (!row)
            break;
        struct journal_open_row *r = g_new0(struct journal_open_row, 1);
        g_ptr_array_add(rows, r);
        if (!read_open_row(&q, r, err))
            return false;
    }
    *ret = g_steal_pointer(&rows);
    return true;
}
