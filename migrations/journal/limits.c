// SPDX-License-Identifier: Apache-2.0
/* What the journal knows for limits and estimates. */
#include "migrations/journal/journal_private.h"

bool journal_bytes_since(journal *j, int64_t since, int64_t assumed, int64_t *ret, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "SELECT sum(ifnull(bytes, ?)) FROM migrations WHERE state = 'committed' AND ended_at >= ?",
                  &q, err))
        return false;
    sql_int(&q, assumed);
    sql_int(&q, since);
    return sql_number(&q, 0, ret, err);
}

bool journal_moved_at(journal *j, const char *ns, GBytes *enc_min, GBytes *enc_max, const char *from,
                      const char *to, int64_t since, int64_t *ret_at, struct err *err)
{
    g_auto(sql) q = {0};
    if (!sql_open(j,
                  "SELECT max(ended_at) FROM migrations WHERE state = 'committed' AND ns = ? AND donor = ?"
                  " AND recipient = ? AND ended_at >= ? AND min_key < ? AND max_key > ?",
                  &q, err))
        return false;
    sql_text(&q, ns);
    sql_text(&q, to);
    sql_text(&q, from);
    sql_int(&q, since);
    sql_blob(&q, enc_max);
    sql_blob(&q, enc_min);
    return sql_number(&q, 0, ret_at, err);
}

static void clear_speed(gpointer data)
{
    struct journal_speed *s = data;
    g_free(s->ns);
    g_free(s->from);
    g_free(s->to);
}

static char *column_copy(const sql *q, int column)
{
    return g_strdup((const char *)sqlite3_column_text(q->stmt, column));
}

/* The time of the command that did it, without back-off and settlement: of a row that was settled, nobody
 * knows it. */
bool journal_speeds(journal *j, uint32_t max, GArray **ret, struct err *err)
{
    static const char text[] = "SELECT m.ended_at, a.ended_at - a.started_at, m.bytes, m.ns, m.donor,"
                               " m.recipient FROM migrations m"
                               " JOIN attempts a ON a.migration = m.id AND a.ok = 1"
                               " WHERE m.state = 'committed' AND a.ended_at >= a.started_at"
                               " ORDER BY m.ended_at DESC LIMIT ?";
    g_autoptr(GArray) speeds = g_array_new(FALSE, FALSE, sizeof(struct journal_speed));
    g_array_set_clear_func(speeds, clear_speed);
    g_auto(sql) q = {0};
    bool row;
    if (!sql_open(j, text, &q, err))
        return false;
    sql_int(&q, max);
    for (;;) {
        if (!sql_next(&q, &row, err))
            return false;
        if (!row)
            break;
        struct journal_speed s = {.ended_at = sqlite3_column_int64(q.stmt, 0),
                                  .seconds = (double)sqlite3_column_int64(q.stmt, 1) / 1000,
                                  .bytes = sql_column_int(&q, 2, -1),
                                  .ns = column_copy(&q, 3),
                                  .from = column_copy(&q, 4),
                                  .to = column_copy(&q, 5)};
        g_array_append_val(speeds, s);
    }
    *ret = g_steal_pointer(&speeds);
    return true;
}
