// SPDX-License-Identifier: Apache-2.0
/* Splits, migrations by round, and what stays where it is. */
#include "balancer/key/show.h"
#include "balancer/report/text_parts.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <string.h>

/* Migrations shown of one round, of all rounds; splits and obstacles; characters of one bound. */
enum { FOLD_ROUND = 10, FOLD_ALL = 40, FOLD_SPLITS = 10, FOLD_BLOCKED = 10, BOUND_MAX = 80 };

static char *bound_text(const struct page *pg, plan_bound b, unsigned max)
{
    bson_t doc;
    g_autoptr(GString) s = g_string_new(NULL);
    plan_bound_bson(b, &doc);
    key_show(s, &doc, max);
    return page_elide(pg, s->str, max);
}

/* "[min, max)"; an end that is not known beforehand is said so. */
static char *range_text(const struct page *pg, plan_bound min, plan_bound max, bool open_min, bool open_max)
{
    unsigned limit = pg->all ? 0 : BOUND_MAX;
    g_autofree char *from = bound_text(pg, min, limit);
    g_autofree char *to = open_max && !open_min ? g_strdup(page_dots(pg)) : bound_text(pg, max, limit);
    return g_strdup_printf("%s[%s, %s)", open_min ? "rest of " : "", from, to);
}

static void print_line(struct page *pg, unsigned indent, const char *line)
{
    g_string_append_printf(pg->out, "%*s%s\n", (int)indent, "", line);
}

static void section(struct page *pg, const char *title)
{
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, title);
}

void parts_splits(struct page *pg, const plan *p)
{
    static const struct page_column columns[] = {
        {"ROUND", 3, 0, true}, {"COLLECTION", 0, 12, false}, {"AT", 0, 16, false}, {"REASON", 2, 0, false}};
    if (p->splits->len == 0)
        return;
    section(pg, "Splits");
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    guint n = pg->all ? p->splits->len : MIN(p->splits->len, FOLD_SPLITS);
    for (guint i = 0; i < n; i++) {
        const struct plan_split *s = &g_array_index(p->splits, struct plan_split, i);
        g_autoptr(GString) at = g_string_new(NULL);
        guint shown = pg->all ? s->at->len : MIN(s->at->len, 4);
        for (guint k = 0; k < shown; k++) {
            g_autofree char *point = bound_text(pg, g_ptr_array_index(s->at, k), pg->all ? 0 : BOUND_MAX);
            g_string_append_printf(at, "%s%s", k > 0 ? ", " : "", point);
        }
        if (shown < s->at->len)
            g_string_append_printf(at, ", %u more", s->at->len - shown);
        page_table_row(t);
        page_table_cell(t, INK_NONE, text_count(s->round));
        page_table_cell(t, INK_NONE, page_name(pg, s->coll->ns, 0));
        page_table_cell(t, INK_NONE, g_string_free(g_steal_pointer(&at), FALSE));
        page_table_cell(t, INK_NONE, g_strdup(split_reason_text(s->reason)));
    }
    page_table_print(t);
    parts_more(pg, 2, p->splits->len - n, "split");
}

enum { COL_ID, COL_NS, COL_RANGE, COL_WAY, COL_SIZE, COL_REASON, COL_COUNT };

static char *way_text(const struct page *pg, const plan *p, const struct plan_migration *m)
{
    g_autofree char *from = parts_shard(pg, p, m->from, 40), *to = parts_shard(pg, p, m->to, 40);
    return g_strdup_printf("%s %s %s", from, page_arrow(pg), to);
}

static void add_migration(page_table *t, const struct page *pg, const plan *p, const struct plan_migration *m)
{
    enum ink ink = m->reason == MOVE_IMBALANCE ? INK_NONE : INK_ALERT;
    page_table_row(t);
    page_table_cell(t, INK_NONE, text_count(m->id));
    page_table_cell(t, INK_NONE, page_name(pg, m->coll->ns, 0));
    page_table_cell(t, INK_NONE, range_text(pg, m->min, m->max, m->open_min, m->open_max));
    page_table_cell(t, INK_NONE, way_text(pg, p, m));
    page_table_cell(t, INK_NONE, parts_bytes(m->bytes));
    page_table_cell(t, ink,
                    g_strdup_printf("%s%s", move_reason_text(m->reason), m->force_jumbo ? ", forced" : ""));
}

static const struct plan_migration *migration_of(const plan *p, const struct plan_round *r, uint32_t i)
{
    return &g_array_index(p->migrations, struct plan_migration, r->first_migration + i);
}

/* How many of a round's migrations are shown, `left` being what the whole list may still take. */
static uint32_t shown_of(const struct page *pg, const struct plan_round *r, uint32_t left)
{
    return pg->all ? r->n_migrations : MIN(r->n_migrations, MIN(left, FOLD_ROUND));
}

static void round_head(struct page *pg, const plan *p, const struct plan_round *r)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < r->n_migrations && bytes >= 0; i++) {
        int64_t b = migration_of(p, r, i)->bytes;
        bytes = b < 0 ? SIZE_UNKNOWN : bytes + b;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    if (r->n_splits > 0) {
        words_n(text, r->n_splits, "split");
        g_string_append(text, r->n_migrations > 0 ? ", then " : "");
    }
    if (r->n_migrations > 0 || r->n_splits == 0)
        words_n(text, r->n_migrations, "migration");
    if (r->n_migrations > 0 && bytes >= 0) {
        g_string_append(text, ", ");
        text_append_bytes(text, bytes);
    }
    g_autofree char *label = g_strdup_printf("Round %u:", r->number);
    page_paragraph(pg, 0, INK_HEADING, label, text->str);
}

/* What a narrow page may leave out of the table. */
struct shown_columns {
    bool ns, range;
};

/* The line of the table, and below it what has no column: what was dropped, and why. */
static void print_migration(struct page *pg, const struct plan_migration *m, const char *line,
                            struct shown_columns shown)
{
    print_line(pg, 2, line);
    if (!shown.ns) {
        g_autofree char *ns = page_name(pg, m->coll->ns, 0);
        page_paragraph(pg, 6, INK_NONE, NULL, ns);
    }
    if (!shown.range) {
        g_autofree char *range = range_text(pg, m->min, m->max, m->open_min, m->open_max);
        page_paragraph(pg, 6, INK_NONE, NULL, range);
    }
    g_autofree char *why = page_name(pg, m->why == NULL ? "" : m->why, 0);
    if (*why != '\0')
        page_paragraph(pg, 6, INK_NONE, NULL, why);
}

/* One table over all rounds keeps their columns below each other; its lines are dealt out to the rounds. */
static char **migration_lines(struct page *pg, const plan *p, struct shown_columns *ret_shown)
{
    static const struct page_column columns[COL_COUNT] = {
        [COL_ID] = {"#", 0, 0, true},          [COL_NS] = {"COLLECTION", 4, 14, false},
        [COL_RANGE] = {"RANGE", 5, 60, false}, [COL_WAY] = {"FROM, TO", 0, 16, false},
        [COL_SIZE] = {"DATA", 2, 0, true},     [COL_REASON] = {"REASON", 3, 0, false},
    };
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, COL_COUNT);
    uint32_t left = FOLD_ALL;
    for (guint i = 0; i < p->rounds->len; i++) {
        const struct plan_round *r = &g_array_index(p->rounds, struct plan_round, i);
        uint32_t n = shown_of(pg, r, left);
        for (uint32_t k = 0; k < n; k++)
            add_migration(t, pg, p, migration_of(p, r, k));
        left -= MIN(n, left);
    }
    page_table_layout(t);
    *ret_shown = (struct shown_columns){page_table_shows(t, COL_NS), page_table_shows(t, COL_RANGE)};
    return page_table_lines(t);
}

void parts_migrations(struct page *pg, const plan *p)
{
    if (p->migrations->len == 0)
        return;
    struct shown_columns columns;
    g_auto(GStrv) lines = migration_lines(pg, p, &columns);
    char **line = lines;
    uint32_t left = FOLD_ALL, shown = 0;
    section(pg, "Migrations");
    print_line(pg, 2, *line++);
    for (guint i = 0; i < p->rounds->len && (pg->all || left > 0); i++) {
        const struct plan_round *r = &g_array_index(p->rounds, struct plan_round, i);
        uint32_t n = shown_of(pg, r, left);
        round_head(pg, p, r);
        for (uint32_t k = 0; k < n; k++)
            print_migration(pg, migration_of(p, r, k), *line++, columns);
        left -= MIN(n, left);
        shown += n;
        if (left > 0 || pg->all) {
            parts_more(pg, 2, r->n_migrations - n, "migration");
            shown += r->n_migrations - n;
        }
    }
    parts_more(pg, 0, p->migrations->len - shown, "migration");
}

void parts_blocked(struct page *pg, const plan *p)
{
    static const struct page_column columns[] = {{"COLLECTION", 0, 12, false},
                                                 {"SHARD", 0, 10, false},
                                                 {"REASON", 0, 8, false},
                                                 {"CHUNKS", 2, 0, true},
                                                 {"DATA", 3, 0, true}};
    if (p->blocked->len == 0)
        return;
    section(pg, "Stays where it is");
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    guint n = pg->all ? p->blocked->len : MIN(p->blocked->len, FOLD_BLOCKED);
    for (guint i = 0; i < n; i++) {
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, i);
        page_table_row(t);
        page_table_cell(t, INK_NONE, page_name(pg, b->coll == NULL ? "-" : b->coll->ns, 0));
        page_table_cell(t, INK_NONE, parts_shard(pg, p, b->shard, 0));
        page_table_cell(t, INK_WARNING, page_name(pg, b->reason, 0));
        page_table_cell(t, INK_NONE, text_count(b->chunks));
        page_table_cell(t, INK_NONE, parts_bytes(b->bytes));
    }
    page_table_layout(t);
    g_auto(GStrv) lines = page_table_lines(t);
    print_line(pg, 2, lines[0]);
    for (guint i = 0; i < n; i++) {
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, i);
        g_autofree char *why = page_name(pg, b->why == NULL ? "" : b->why, 0);
        print_line(pg, 2, lines[i + 1]);
        if (*why != '\0')
            page_paragraph(pg, 6, INK_NONE, NULL, why);
    }
    parts_more(pg, 2, p->blocked->len - n, "obstacle");
}
