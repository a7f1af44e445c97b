// SPDX-License-Identifier: Apache-2.0
/* html_private.h - what the files of the HTML report share.
 * Owns: the pieces that its parts are made of. Never: seen outside of html*.c.
 */
#pragma once

#include "balancer/draw/draw.h"
#include "balancer/draw/markup.h"
#include "balancer/report/keyspace.h"
#include "balancer/report/loads.h"
#include "balancer/report/report.h"
#include "balancer/report/schedule.h"

/* Longest lists that are shown; what is beyond is told by count. A report stays below 5 MB with them. */
enum {
    HTML_SHARDS = 300,           /* rows of the cluster's table */
    HTML_COLLECTIONS = 500,      /* rows of the table of collections */
    HTML_DETAILS = 24,           /* collections with drawings of their own */
    HTML_DETAILS_OPEN = 4,       /* the others are folded */
    HTML_COLLECTION_SHARDS = 40, /* rows of each */
    HTML_MAP_LANES = 16,
    HTML_TIME_LANES = 40,
    HTML_MOVES = 500, /* more are grouped */
    HTML_GROUPS = 200,
    HTML_EXAMPLES = 3, /* of a group */
    HTML_SPLITS = 200,
    HTML_BLOCKED = 200,
    HTML_ADVICE_OPEN = 10, /* the others are folded */
    HTML_NOTES = 200,      /* warnings, advice */
    HTML_BOUND = 80,       /* characters of a bound */
};

/* Generated from html/ and draw.css: see embed.cmake. */
extern const unsigned char html_file_style[], html_file_script[];
extern const size_t html_file_style_len, html_file_script_len;

struct html {
    GString *out;
    const plan *p;
    const struct report_source *src;
    struct moves_by_collection moves;
    struct schedule when;
};

/* ---- html_parts.c ---- */

/* A titled part of the document; `id` is an anchor. `note` (NULL: none) stands below the title: markup. */
void section_open(GString *out, const char *id, const char *title, const char *note);
void section_close(GString *out);

/* A table within a frame that scrolls sideways where it must. `columns` ends with a NULL title. */
struct html_column {
    const char *title;
    bool number; /* right-aligned, sorted as numbers */
    bool fixed;  /* has nothing to be sorted by */
    const char *cls;
};
void table_open(GString *out, const char *caption, bool sortable, const struct html_column *columns);
void table_close(GString *out);
/* Cells; `sort` is what a number is sorted by. */
void cell_bytes(GString *out, int64_t bytes);
void cell_count(GString *out, int64_t n);
void cell_load(GString *out, enum load_unit unit, int64_t load);

void put_load(GString *out, enum load_unit unit, int64_t load);
void put_shard(GString *out, const plan *p, uint16_t shard);
void put_bound(GString *out, plan_bound bound);
/* "[{ _id: MinKey }, { _id: 5 })" of a migration, in an element of its own. */
void put_range(GString *out, const struct plan_migration *m);
/* The same as text that is not escaped yet. */
char *range_of(const struct plan_migration *m);
/* "and 1,234 more ...", where there are more than are shown. */
void put_rest(GString *out, int64_t shown, int64_t all, const char *what);
/* A zone's letter in its colour, the same all over the report. */
void put_swatch(GString *out, uint32_t zone);
const char *zone_class(uint32_t zone);
void append_mark(GString *out, uint32_t zone);
/* A wrapped text of our own with foreign names in it, such as a sentence why. */
void put_paragraph(GString *out, const char *cls, const char *text);

/* A table of shards with bars. `rows`: struct shard_load; put in order, and cut off at the limit. */
void put_shard_table(struct html *h, const char *caption, enum load_unit unit, GArray *rows, guint limit,
                     const struct plan_collection *c);

/* ---- the parts, in the order of the document ---- */

void html_summary(struct html *h);
void html_whatif(struct html *h);
void html_notes(struct html *h);
void html_zone_change(struct html *h);
void html_advice(struct html *h);
void html_shards(struct html *h);
void html_collections(struct html *h);
void html_details(struct html *h);
void html_space(struct html *h);
void html_schedule(struct html *h);
void html_moves(struct html *h);
void html_splits(struct html *h);
void html_blocked(struct html *h);
void html_facts(struct html *h);

/* The key space of one collection; nothing where its chunks are not known. `number` makes ids unique. */
void put_map(struct html *h, const struct plan_collection *c, guint number);
