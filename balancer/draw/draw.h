// SPDX-License-Identifier: Apache-2.0
/* draw.h - the drawings of the HTML report and of the status page, as SVG inside HTML.
 * Owns: bars with a target, lanes (a zone map, a timeline), their geometry, their words for those who do not
 * see them. Never: knows plans or views, carries a meaning by colour alone, or needs a style attribute, which
 * a strict Content-Security-Policy would refuse. Colours come from draw.css, by class. Places along a drawing
 * are shares of its width, 0 to 1; what lies outside is cut off. Texts are foreign and get escaped.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One amount, or one before and after, against its target; all as shares of the longest bar. */
struct draw_bar {
    double now;        /* before, where there is an `after` */
    double after;      /* < 0: only one bar is drawn */
    double target;     /* < 0: no tick */
    const char *cls;   /* more classes; "" for none */
    const char *label; /* the bar in words */
};
void draw_bar(GString *out, const struct draw_bar *bar);

/* ---- lanes: rows of stretches below one another, over one common axis ---- */

typedef struct draw_lanes draw_lanes;

/* `height`: of one lane, in rem. `gap`: what of it is free space above and below a stretch. */
draw_lanes *draw_lanes_new(uint32_t n_lanes, double height, double gap);
void draw_lanes_free(draw_lanes *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(draw_lanes, draw_lanes_free)

/* What stands beside the lane: markup, already escaped. Without any, the lanes take the whole width. */
void draw_lanes_label(draw_lanes *l, uint32_t lane, const char *markup);

/* The background of a lane in a class of its own, such as "critical". */
void draw_lanes_stress(draw_lanes *l, uint32_t lane, const char *cls);

/* A stretch of a lane, from `from` to `to`; `top` and `bottom` are shares of the lane's height, 0 and 1 for
 * all of it. One that is too narrow to be seen is widened where `least` says so. Stretches of one class
 * become one path, in the order in which the classes first come: later ones lie above earlier ones. */
struct draw_span {
    uint32_t lane;
    double from, to, top, bottom;
    const char *cls; /* a static string */
    bool least;
};
void draw_lanes_span(draw_lanes *l, const struct draw_span *span);

/* The same as an element of its own, with a title to be pointed at and, where it is wide enough, a mark ("A")
 * in its middle; NULL: neither. */
void draw_lanes_titled(draw_lanes *l, const struct draw_span *span, const char *title, const char *mark);

/* A line from the middle of one lane to the middle of another, ending in a dot. */
void draw_lanes_link(draw_lanes *l, double at, uint32_t from, uint32_t to, const char *cls);

/* A line over all lanes with its text below. */
void draw_lanes_tick(draw_lanes *l, double at, const char *text);

/* `id`: of our own making, unique in the page; NULL: `title` alone names the drawing. */
void draw_lanes_put(GString *out, const draw_lanes *l, const char *id, const char *title, const char *desc);
