// SPDX-License-Identifier: Apache-2.0
/* page_private.h - what the files of the status page share.
 * Owns: the small pieces that all of its parts are made of. Never: seen outside of page*.c.
 */
#pragma once

#include "balancer/draw/draw.h"
#include "balancer/draw/markup.h"
#include "balancer/watch/page.h"

/* Longest lists that are shown; a page is asked for every other second. */
enum {
    PAGE_MOVES = 40,
    PAGE_MOVES_OPEN = 8, /* the others are folded */
    PAGE_ROUNDS = 8,     /* likewise the older ones */
    PAGE_SHARDS = 300,
    PAGE_COLLECTIONS = 30,
    PAGE_COLLECTION_SHARDS = 8,
    PAGE_MAPS = 12,
    PAGE_SEGMENTS = 60,
    PAGE_LEGEND = 40
};

/* Generated from page/, the style from draw.css as well: see embed.cmake. */
extern const unsigned char page_file_index[], page_file_style[], page_file_script[];
extern const size_t page_file_index_len, page_file_style_len, page_file_script_len;

/* ---- page_html.c ---- */

/* "[{ _id: MinKey }, { _id: 5 })" of bounds in Extended JSON; the caller frees. */
char *range_text(const char *min, const char *max);

enum time_style {
    TIME_AGO,  /* "3 min ago", "in 2 h": kept up to date by the script */
    TIME_CLOCK /* "02:13 UTC", with the day where it is another: the script shows the reader's zone */
};
/* `now`: when the view was taken. 0: a dash. */
void put_time(GString *out, int64_t now, int64_t ms, enum time_style style);

/* "<strong>03:20</strong> between 03:05 and 04:40": a finish time and its range, which is left out where it
 * is not known or all in one minute. */
void put_finish(GString *out, int64_t now, int64_t low, int64_t expected, int64_t high);

/* A titled part of the page; `note` (NULL: none) stands beside the title. */
void card_open(GString *out, const char *id, const char *title, const char *note);
void card_close(GString *out);
/* What a card says when it has nothing to show. */
void put_nothing(GString *out, const char *text);
/* "and 12 more" when `total` is larger than `shown`. */
void put_more(GString *out, guint shown, guint total, const char *where);

/* ---- the parts ---- */

/* "Moving data", and the tone that goes with it: "good", "busy", "hold", "bad", "quiet". */
const char *state_title(const service_view *v);
const char *state_tone(const service_view *v);

void put_now(GString *out, const service_view *v, const struct page_facts *facts);
void put_under_way(GString *out, const service_view *v);
void put_rounds(GString *out, const service_view *v);
void put_blocked(GString *out, const service_view *v);
void put_shards(GString *out, const service_view *v);
void put_imbalance(GString *out, const service_view *v);
void put_collections(GString *out, const service_view *v);
void put_zones(GString *out, const service_view *v);

/* Bars of shards, one below the other, all to the same scale; `limit` 0: all. */
void put_shard_bars(GString *out, const GArray *shards, guint limit);

/* Which of the eight colours, and which mark, a zone has: the same wherever it is shown. */
typedef GHashTable zone_marks;
zone_marks *zone_marks_new(const service_view *v);
guint zone_mark(zone_marks *z, const char *zone); /* 0.. */
void put_mark(GString *out, guint mark);          /* "A" .. "Z", "27" ... */
