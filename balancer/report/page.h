// SPDX-License-Identifier: Apache-2.0
/* page.h - text laid out for a terminal: paragraphs that wrap, tables that drop columns, colour.
 * Owns: display width, wrapping, eliding, which columns of a table fit, escape sequences.
 * Never: knows plans. No line is wider than the page. Strings handed in must be clean: either our own words
 * or what page_name() made of a foreign one.
 */
#pragma once

#include "balancer/report/report.h"

#include <glib.h>
#include <stdbool.h>

enum ink { INK_NONE, INK_HEADING, INK_WARNING, INK_ALERT, INK_GOOD };

struct page {
    GString *out; /* borrowed */
    unsigned width;
    bool color, ascii, all;
};

/* Plain ASCII is taken, whatever the style says, where the locale's charset cannot show more. */
void page_init(struct page *pg, const struct report_style *style, GString *out);

/* The arrow, the ellipsis, and the separator of short facts, as the page's charset has them. */
const char *page_arrow(const struct page *pg);
const char *page_dots(const struct page *pg);
const char *page_dot(const struct page *pg);

/* Columns that a clean string takes. */
unsigned page_columns(const char *s);

/* A foreign name made harmless and printable in the page's charset; over `max` columns (0: no limit) its
 * middle gives way to an ellipsis. Caller frees. */
char *page_name(const struct page *pg, const char *s, unsigned max);

/* The same for a string that is clean already, such as key_show()'s, but for the charset. */
char *page_elide(const struct page *pg, const char *s, unsigned max);

/* One wrapped paragraph: `label` (NULL: none) in `ink`, then `text`, further lines indented by two more; with
 * no label all of it in `ink` and flush. A no-break space is printed as a space, and no line ends at it. */
void page_paragraph(struct page *pg, unsigned indent, enum ink ink, const char *label, const char *text);
/* Puts a no-break space between each number and its unit. For sentences of our own, not for names. */
void page_glue_units(GString *text);
void page_blank(struct page *pg);

struct page_column {
    const char *title;
    unsigned drop; /* 0: always shown; the highest goes first where the page is narrow */
    unsigned min;  /* columns it may be elided to; 0: never elided */
    bool right;
};

struct page_cell {
    char *text; /* owned */
    enum ink ink;
};

typedef struct page_table page_table;

/* `columns` is borrowed. */
page_table *page_table_new(struct page *pg, unsigned indent, const struct page_column *columns,
                           unsigned n_columns);
void page_table_free(page_table *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(page_table, page_table_free)

/* Begins a row, then fills it from the left; missing cells are empty. `text` is taken. */
void page_table_row(page_table *t);
void page_table_cell(page_table *t, enum ink ink, char *text);

/* Decides which columns fit; nothing may be added afterwards. */
void page_table_layout(page_table *t);
bool page_table_shows(const page_table *t, unsigned column);

/* The heading line, then one line a row, without line ends; NULL-terminated. */
char **page_table_lines(page_table *t);

/* Layout, lines, out. */
void page_table_print(page_table *t);
