// SPDX-License-Identifier: Apache-2.0
/* Tables: which columns fit is decided here, before libsmartcols sees them; it pads, aligns and colours. */
#include "balancer/report/page.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 };

struct page_table {
    struct page *pg;
    unsigned indent;
    const struct page_column *columns;
    unsigned n_columns;
    unsigned *width; /* per column, as laid out; 0: dropped */
    GArray *cells;   /* struct page_cell, row by row */
    unsigned n_rows, filled;
};

static void clear_cell(gpointer cell)
{
    g_free(((struct page_cell *)cell)->text);
}

page_table *page_table_new(struct page *pg, unsigned indent, const struct page_column *columns,
                           unsigned n_columns)
{
    page_table *t = g_new0(page_table, 1);
    *t = (page_table){.pg = pg, .indent = indent, .columns = columns, .n_columns = n_columns};
    t->width = g_new0(unsigned, n_columns);
    t->cells = g_array_new(FALSE, TRUE, sizeof(struct page_cell));
    g_array_set_clear_func(t->cells, clear_cell);
    return t;
}

void page_table_free(page_table *t)
{
    if (t == NULL)
        return;
    g_array_free(t->cells, TRUE);
    g_free(t->width);
    g_free(t);
}

static struct page_cell *cell_at(const page_table *t, unsigned row, unsigned column)
{
    return &g_array_index(t->cells, struct page_cell, row * t->n_columns + column);
}

void page_table_row(page_table *t)
{
    t->n_rows++;
    t->filled = 0;
    g_array_set_size(t->cells, t->n_rows * t->n_columns);
}

void page_table_cell(page_table *t, enum ink ink, char *text)
{
    *cell_at(t, t->n_rows - 1, t->filled++) = (struct page_cell){.text = text, .ink = ink};
}

/* Widths by content. A column that can be dropped and is empty all the way down is not there at all. */
static void measure(page_table *t)
{
    for (unsigned c = 0; c < t->n_columns; c++) {
        unsigned widest = 0;
        for (unsigned r = 0; r < t->n_rows; r++) {
            const char *text = cell_at(t, r, c)->text;
            widest = MAX(widest, text == NULL ? 0 : page_columns(text));
        }
        bool absent = widest == 0 && t->columns[c].drop > 0;
        t->width[c] = absent ? 0 : MAX(widest, MAX(1, page_columns(t->columns[c].title)));
    }
}

/* The least that a column takes: its title stays readable where it can be elided. */
static unsigned least(const page_table *t, unsigned c)
{
    return t->columns[c].min == 0 ? t->width[c] : MIN(t->width[c], t->columns[c].min);
}

static unsigned total(const page_table *t, bool at_least)
{
    unsigned sum = 0;
    for (unsigned c = 0; c < t->n_columns; c++) {
        if (t->width[c] > 0)
            sum += (at_least ? least(t, c) : t->width[c]) + (sum > 0 ? GAP : 0);
    }
    return sum;
}

/* Drops the column that is missed least. False: all that are left must stay. */
static bool drop_one(page_table *t)
{
    unsigned worst = t->n_columns;
    for (unsigned c = 0; c < t->n_columns; c++) {
        if (t->width[c] > 0 && t->columns[c].drop > 0 &&
            (worst == t->n_columns || t->columns[c].drop > t->columns[worst].drop))
            worst = c;
    }
    if (worst == t->n_columns)
        return false;
    t->width[worst] = 0;
    return true;
}

/* The three stages of making a table narrower that has no column left to drop. */
enum stage { TO_MIN, TO_STUMP, TO_ANYTHING, STAGES };

static unsigned floor_of(const page_table *t, unsigned c, enum stage stage)
{
    enum { STUMP = 6 };
    if (stage == TO_ANYTHING)
        return MIN(t->width[c], 1);
    unsigned n = least(t, c);
    return stage == TO_STUMP && t->columns[c].min > 0 ? MIN(n, STUMP) : n;
}

/* Takes one column of width off the widest of those that may give at this stage. */
static bool shrink_one(page_table *t, enum stage stage)
{
    unsigned widest = t->n_columns;
    for (unsigned c = 0; c < t->n_columns; c++) {
        if (t->width[c] > floor_of(t, c, stage) && (widest == t->n_columns || t->width[c] > t->width[widest]))
            widest = c;
    }
    if (widest == t->n_columns)
        return false;
    t->width[widest]--;
    return true;
}

void page_table_layout(page_table *t)
{
    unsigned room = t->pg->width - t->indent;
    measure(t);
    /* No column needs more than the page: spares shrinking a key of megabytes step by step. */
    for (unsigned c = 0; c < t->n_columns; c++) {
        if (t->columns[c].min > 0)
            t->width[c] = MIN(t->width[c], room);
    }
    while (total(t, true) > room && drop_one(t))
        ;
    for (unsigned stage = TO_MIN; stage < STAGES; stage++) {
        while (total(t, false) > room && shrink_one(t, stage))
            ;
    }
}

bool page_table_shows(const page_table *t, unsigned column)
{
    return t->width[column] > 0;
}

static const char *ink_name(enum ink ink)
{
    static const char *const names[] = {NULL, "bold", "yellow", "magenta", "green"};
    return names[ink];
}

static void add_columns(const page_table *t, struct libscols_table *tb)
{
    for (unsigned c = 0; c < t->n_columns; c++) {
        if (t->width[c] == 0)
            continue;
        g_autofree char *title = page_elide(t->pg, t->columns[c].title, t->width[c]);
        struct libscols_column *col =
            scols_table_new_column(tb, title, (double)t->width[c], t->columns[c].right ? SCOLS_FL_RIGHT : 0);
        g_assert(col != NULL);
        if (t->pg->color)
            scols_cell_set_color(scols_column_get_header(col), "bold");
    }
}

static void add_row(const page_table *t, struct libscols_table *tb, unsigned row)
{
    struct libscols_line *line = scols_table_new_line(tb, NULL);
    g_assert(line != NULL);
    size_t at = 0;
    for (unsigned c = 0; c < t->n_columns; c++) {
        if (t->width[c] == 0)
            continue;
        const struct page_cell *cell = cell_at(t, row, c);
        g_autofree char *text = page_elide(t->pg, cell->text == NULL ? "" : cell->text, t->width[c]);
        scols_line_set_data(line, at, text);
        if (t->pg->color && cell->ink != INK_NONE)
            scols_cell_set_color(scols_line_get_cell(line, at), ink_name(cell->ink));
        at++;
    }
}

char **page_table_lines(page_table *t)
{
    struct libscols_table *tb = scols_new_table();
    g_assert(tb != NULL);
    scols_table_set_column_separator(tb, "  ");
    scols_table_enable_noencoding(tb, 1); /* cells are clean */
    scols_table_enable_colors(tb, t->pg->color);
    scols_table_set_termforce(tb, SCOLS_TERMFORCE_ALWAYS);
    scols_table_set_termwidth(tb, t->pg->width - t->indent);
    add_columns(t, tb);
    for (unsigned r = 0; r < t->n_rows; r++)
        add_row(t, tb, r);
    char *text = NULL;
    int rc = scols_print_table_to_string(tb, &text);
    g_assert(rc == 0 && text != NULL);
    scols_unref_table(tb);
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\n')
        text[len - 1] = '\0';
    char **lines = g_strsplit(text, "\n", -1);
    free(text);
    for (char **l = lines; *l != NULL; l++)
        g_strchomp(*l);
    return lines;
}

void page_table_print(page_table *t)
{
    page_table_layout(t);
    g_auto(GStrv) lines = page_table_lines(t);
    for (char **l = lines; *l != NULL; l++)
        g_string_append_printf(t->pg->out, "%*s%s\n", (int)t->indent, "", *l);
}
