// SPDX-License-Identifier: Apache-2.0
#include "balancer/cli/history_out.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <string.h>

enum { KEY_SHOWN = 60 };

/* Milliseconds between two times; -1: one of them is not known, or the clock was set back. */
static int64_t took_ms(int64_t from, int64_t to)
{
    return from == 0 || to < from ? -1 : to - from;
}

static char *took_text(int64_t from, int64_t to)
{
    int64_t ms = took_ms(from, to);
    return ms < 0 ? g_strdup("") : text_duration((double)ms / 1000);
}

static char *time_text(int64_t ms)
{
    return ms == 0 ? g_strdup("") : text_iso8601(ms);
}

static char *bytes_text(int64_t bytes)
{
    return bytes < 0 ? g_strdup("?") : text_bytes(bytes);
}

static char *name_or_none(const struct page *pg, const char *s)
{
    return page_name(pg, s == NULL ? "" : s, 0);
}

static enum ink state_ink(enum migration_state s)
{
    static const enum ink inks[MIGRATION_STATE_COUNT] = {[MIGRATION_COMMITTED] = INK_GOOD,
                                                         [MIGRATION_FAILED] = INK_ALERT,
                                                         [MIGRATION_ABORTED] = INK_WARNING,
                                                         [MIGRATION_UNKNOWN] = INK_WARNING};
    return inks[s];
}

static enum ink round_ink(const char *state)
{
    return strcmp(state, "done") == 0      ? INK_GOOD
           : strcmp(state, "failed") == 0  ? INK_ALERT
           : strcmp(state, "running") == 0 ? INK_NONE
                                           : INK_WARNING;
}

/* "[{ k: 0 }, { k: 10 })", or of a split the points "at { k: 5 }". */
static char *range_text(const struct page *pg, const struct history_row *r)
{
    g_autoptr(GString) s = g_string_new(NULL);
    if (r->kind == JOURNAL_SPLIT) {
        bson_iter_t it;
        const char *separator = "at ";
        for (bool any = bson_iter_init(&it, r->at); any && bson_iter_next(&it); separator = ", ") {
            g_string_append(s, separator);
            key_show_value(s, &it, KEY_SHOWN);
        }
    } else {
        g_string_append_c(s, '[');
        key_show(s, r->min, KEY_SHOWN);
        g_string_append(s, ", ");
        key_show(s, r->max, KEY_SHOWN);
        g_string_append_c(s, ')');
    }
    return page_elide(pg, s->str, 2 * KEY_SHOWN + 4);
}

static char *way_text(const struct page *pg, const struct history_row *r)
{
    g_autofree char *from = page_name(pg, r->from, 0);
    g_autofree char *to = r->to == NULL ? NULL : page_name(pg, r->to, 0);
    return to == NULL ? g_strdup_printf("%s split", from)
                      : g_strdup_printf("%s %s %s", from, page_arrow(pg), to);
}

page_table *history_rows_table(struct page *pg)
{
    static const struct page_column columns[] = {
        {.title = "planned"},
        {.title = "state"},
        {.title = "collection", .min = 12},
        {.title = "shards", .min = 8},
        {.title = "range", .drop = 3, .min = 16},
        {.title = "data", .right = true, .drop = 4},
        {.title = "took", .right = true, .drop = 5},
        {.title = "message", .drop = 2, .min = 16},
        {.title = "round", .right = true, .drop = 6},
    };
    return page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
}

void history_rows_table_add(page_table *t, const struct page *pg, const struct history_row *r)
{
    page_table_row(t);
    page_table_cell(t, INK_NONE, time_text(r->planned_at));
    page_table_cell(t, state_ink(r->state), g_strdup(migration_state_text(r->state)));
    page_table_cell(t, INK_NONE, page_name(pg, r->ns, 0));
    page_table_cell(t, INK_NONE, way_text(pg, r));
    page_table_cell(t, INK_NONE, range_text(pg, r));
    page_table_cell(t, INK_NONE, r->kind == JOURNAL_SPLIT ? g_strdup("") : bytes_text(r->bytes));
    page_table_cell(t, INK_NONE, took_text(r->started_at, r->ended_at));
    page_table_cell(t, INK_NONE, name_or_none(pg, r->message));
    page_table_cell(t, INK_NONE, g_strdup_printf("%" G_GINT64_FORMAT, r->round));
}

page_table *history_rounds_table(struct page *pg)
{
    static const struct page_column columns[] = {
        {.title = "round", .right = true},
        {.title = "started"},
        {.title = "kind", .drop = 5},
        {.title = "state"},
        {.title = "committed", .right = true},
        {.title = "failed", .right = true, .drop = 1},
        {.title = "aborted", .right = true, .drop = 4},
        {.title = "open", .right = true, .drop = 3},
        {.title = "splits", .right = true, .drop = 6},
        {.title = "data", .right = true},
        {.title = "took", .right = true, .drop = 2},
        {.title = "note", .drop = 7, .min = 16},
        {.title = "who", .drop = 8},
        {.title = "reason", .drop = 9, .min = 16},
    };
    return page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
}

void history_rounds_table_add(page_table *t, const struct page *pg, const struct history_round *r)
{
    page_table_row(t);
    page_table_cell(t, INK_NONE, g_strdup_printf("%" G_GINT64_FORMAT, r->id));
    page_table_cell(t, INK_NONE, time_text(r->started_at));
    page_table_cell(t, INK_NONE, page_name(pg, r->kind, 0));
    page_table_cell(t, round_ink(r->state), page_name(pg, r->state, 0));
    page_table_cell(t, INK_NONE, g_strdup_printf("%u/%u", r->committed, r->planned_migrations));
    page_table_cell(t, r->failed > 0 ? INK_ALERT : INK_NONE, text_count(r->failed));
    page_table_cell(t, INK_NONE, text_count(r->aborted));
    page_table_cell(t, INK_NONE, text_count(r->open));
    page_table_cell(t, INK_NONE, text_count(r->splits));
    page_table_cell(t, INK_NONE, text_bytes(r->bytes));
    page_table_cell(t, INK_NONE, took_text(r->started_at, r->ended_at));
    page_table_cell(t, INK_NONE, name_or_none(pg, r->note));
    page_table_cell(t, INK_NONE, name_or_none(pg, r->who));
    page_table_cell(t, INK_NONE, name_or_none(pg, r->reason));
}

static void append_word(GString *out, const char *word)
{
    if (word[0] != '\0')
        g_string_append_printf(out, "  %s", word);
}

void history_row_line(const struct page *pg, const struct history_row *r, GString *out)
{
    g_autofree char *time = time_text(r->ended_at != 0     ? r->ended_at
                                      : r->started_at != 0 ? r->started_at
                                                           : r->planned_at);
    g_autofree char *ns = page_name(pg, r->ns, 0);
    g_autofree char *range = range_text(pg, r);
    g_autofree char *way = way_text(pg, r);
    g_autofree char *data = r->kind == JOURNAL_SPLIT ? g_strdup("") : bytes_text(r->bytes);
    g_autofree char *took = took_text(r->started_at, r->ended_at);
    g_autofree char *message = name_or_none(pg, r->message);
    g_string_append_printf(out, "%s  %-9s  %s %s  %s", time, migration_state_text(r->state), ns, range, way);
    append_word(out, data);
    append_word(out, took);
    append_word(out, message);
    g_string_append_c(out, '\n');
}

void history_round_line(const struct page *pg, const struct history_round *r, GString *out)
{
    g_autofree char *time = time_text(r->ended_at != 0 ? r->ended_at : r->started_at);
    g_autofree char *kind = page_name(pg, r->kind, 0);
    g_autofree char *state = page_name(pg, r->state, 0);
    g_autofree char *data = text_bytes(r->bytes);
    g_autofree char *took = took_text(r->started_at, r->ended_at);
    g_autofree char *note = name_or_none(pg, r->note);
    g_string_append_printf(out,
                           "%s  round %" G_GINT64_FORMAT
                           " (%s) %s: %u of %u migrations, %u failed, %u open, %u "
                           "split%s",
                           time, r->id, kind, state, r->committed, r->planned_migrations, r->failed, r->open,
                           r->splits, r->splits == 1 ? "" : "s");
    append_word(out, data);
    append_word(out, took);
    append_word(out, note);
    g_string_append_c(out, '\n');
}

void history_totals_text(const struct history_totals *t, GString *out)
{
    uint32_t all = 0;
    for (int s = 0; s < MIGRATION_STATE_COUNT; s++)
        all += t->rows[s];
    text_append_count(out, all);
    g_string_append(out, all == 1 ? " row: " : " rows: ");
    const char *separator = "";
    for (int s = 0; s < MIGRATION_STATE_COUNT; s++) {
        if (t->rows[s] == 0)
            continue;
        g_string_append(out, separator);
        text_append_count(out, t->rows[s]);
        g_string_append_printf(out, " %s", migration_state_text((enum migration_state)s));
        separator = ", ";
    }
    if (t->splits > 0) {
        g_string_append(out, "; ");
        text_append_count(out, t->splits);
        g_string_append(out, t->splits == 1 ? " of them is a split" : " of them are splits");
    }
    g_string_append(out, "; ");
    text_append_bytes(out, t->bytes);
    g_string_append(out, " moved");
}

static const char *kind_text(const struct history_row *r)
{
    return r->kind == JOURNAL_SPLIT ? "split" : "migration";
}

static void csv_separate(GString *out)
{
    if (out->len > 0 && out->str[out->len - 1] != '\n')
        g_string_append_c(out, ',');
}

static void csv_text(GString *out, const char *s)
{
    g_autofree char *shown = text_escaped(s == NULL ? "" : s);
    bool quoted = strpbrk(shown, "\", ") != NULL;
    csv_separate(out);
    g_string_append(out, quoted ? "\"" : "");
    if (shown[0] != '\0' && strchr("=+-@", shown[0]) != NULL)
        g_string_append_c(out, '\'');
    for (const char *c = shown; *c != '\0'; c++) {
        if (*c == '"')
            g_string_append_c(out, '"');
        g_string_append_c(out, *c);
    }
    g_string_append(out, quoted ? "\"" : "");
}

static void csv_int(GString *out, int64_t x, int64_t none)
{
    csv_separate(out);
    if (x != none)
        g_string_append_printf(out, "%" G_GINT64_FORMAT, x);
}

static void csv_time(GString *out, int64_t ms)
{
    g_autofree char *text = time_text(ms);
    csv_text(out, text);
}

static void csv_end(GString *out)
{
    g_string_append(out, "\r\n");
}

void history_csv_head(bool rounds, GString *out)
{
    g_string_append(out, rounds
                             ? "id,kind,state,planId,policy,who,reason,note,startedAt,endedAt,"
                               "plannedMigrations,plannedSplits,plannedBytes,committed,failed,aborted,open,"
                               "splits,bytes"
                             : "kind,id,round,planId,step,state,ns,min,max,at,from,to,zone,reason,why,bytes,"
                               "plannedAt,startedAt,endedAt,attempts,code,verdict,message");
    csv_end(out);
}

void history_row_csv(const struct history_row *r, GString *out)
{
    csv_text(out, kind_text(r));
    csv_int(out, r->id, 0);
    csv_int(out, r->round, 0);
    csv_text(out, r->plan_id);
    csv_int(out, r->step, 0);
    csv_text(out, migration_state_text(r->state));
    csv_text(out, r->ns);
    csv_text(out, r->min_json);
    csv_text(out, r->max_json);
    csv_text(out, r->at_json);
    csv_text(out, r->from);
    csv_text(out, r->to);
    csv_text(out, r->zone);
    csv_text(out, r->reason);
    csv_text(out, r->why);
    csv_int(out, r->bytes, -1);
    csv_time(out, r->planned_at);
    csv_time(out, r->started_at);
    csv_time(out, r->ended_at);
    csv_int(out, r->attempts, -1);
    csv_int(out, r->code, 0);
    csv_text(out, r->verdict);
    csv_text(out, r->message);
    csv_end(out);
}

void history_round_csv(const struct history_round *r, GString *out)
{
    csv_int(out, r->id, 0);
    csv_text(out, r->kind);
    csv_text(out, r->state);
    csv_text(out, r->plan_id);
    csv_text(out, r->policy);
    csv_text(out, r->who);
    csv_text(out, r->reason);
    csv_text(out, r->note);
    csv_time(out, r->started_at);
    csv_time(out, r->ended_at);
    csv_int(out, r->planned_migrations, -1);
    csv_int(out, r->planned_splits, -1);
    csv_int(out, r->planned_bytes, -1);
    csv_int(out, r->committed, -1);
    csv_int(out, r->failed, -1);
    csv_int(out, r->aborted, -1);
    csv_int(out, r->open, -1);
    csv_int(out, r->splits, -1);
    csv_int(out, r->bytes, -1);
    csv_end(out);
}
