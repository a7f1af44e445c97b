// SPDX-License-Identifier: Apache-2.0
/* The inner drawing is stretched to the width that there is; texts and dots keep their shape because they
 * stand outside of it, or have strokes that do not scale. */
#include "balancer/draw/draw.h"
#include "balancer/draw/markup.h"

#include <math.h>
#include <string.h>

enum {
    WIDE = 10000, /* units of the inner drawing */
    LANE = 100,   /* and of a lane's height */
    LEAST = 25,   /* width of what should be seen however narrow it is */
    MARKED = 200  /* width from which on there is room for a mark */
};

/* All stretches of one class. */
struct layer {
    const char *cls;
    GString *path;
    /* The last one, not yet written: a neighbour that continues it makes it longer. */
    bool open;
    int x, end, y, bottom;
};

struct draw_lanes {
    uint32_t n;
    double height, gap;
    GPtrArray *labels;  /* char *, or NULL */
    GPtrArray *layers;  /* struct layer */
    GString *stress;    /* backgrounds */
    GString *titled;    /* elements of their own */
    GString *links;     /* lines and dots */
    GString *marks;     /* texts over the lanes */
    GString *tick_line; /* lines of the axis */
    GString *tick_text;
    bool labelled;
};

static void layer_free(gpointer data)
{
    struct layer *y = data;
    g_string_free(y->path, TRUE);
    g_free(y);
}

draw_lanes *draw_lanes_new(uint32_t n_lanes, double height, double gap)
{
    draw_lanes *l = g_new0(draw_lanes, 1);
    l->n = n_lanes;
    l->height = height;
    l->gap = height > 0 ? CLAMP(gap / height, 0, 0.4) : 0;
    l->labels = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_set_size(l->labels, (gint)n_lanes);
    l->layers = g_ptr_array_new_with_free_func(layer_free);
    GString **texts[] = {&l->stress, &l->titled, &l->links, &l->marks, &l->tick_line, &l->tick_text};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = g_string_new(NULL);
    return l;
}

void draw_lanes_free(draw_lanes *l)
{
    if (l == NULL)
        return;
    g_ptr_array_unref(l->labels);
    g_ptr_array_unref(l->layers);
    GString *texts[] = {l->stress, l->titled, l->links, l->marks, l->tick_line, l->tick_text};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_string_free(texts[i], TRUE);
    g_free(l);
}

void draw_lanes_label(draw_lanes *l, uint32_t lane, const char *markup)
{
    g_free(l->labels->pdata[lane]);
    l->labels->pdata[lane] = g_strdup(markup);
    l->labelled = true;
}

void draw_lanes_stress(draw_lanes *l, uint32_t lane, const char *cls)
{
    putf(l->stress, "<rect class=\"%s\" y=\"%u\" width=\"%d\" height=\"%d\"/>", cls, lane * LANE, WIDE, LANE);
}

static int along(double at)
{
    return !(at > 0) ? 0 : at >= 1 ? WIDE : (int)lround(at * WIDE);
}

/* The stretch in units of the drawing. */
struct box {
    int x, end, y, bottom;
};

static struct box box_of(const draw_lanes *l, const struct draw_span *s)
{
    const double top = CLAMP(s->top, 0, 1), bottom = CLAMP(s->bottom, top, 1);
    const double first = l->gap, inner = 1 - 2 * l->gap;
    struct box b = {along(s->from), along(s->to),
                    (int)(s->lane * LANE) + (int)lround((first + top * inner) * LANE),
                    (int)(s->lane * LANE) + (int)lround((first + bottom * inner) * LANE)};
    if (s->least && b.end - b.x < LEAST) {
        b.x = CLAMP((b.x + b.end - LEAST) / 2, 0, WIDE - LEAST);
        b.end = b.x + LEAST;
    }
    return b;
}

static void layer_close(const struct layer *y, GString *out)
{
    if (y->open)
        putf(out, "M%d %dh%dv%dH%dz", y->x, y->y, y->end - y->x, y->bottom - y->y, y->x);
}

static struct layer *layer_of(draw_lanes *l, const char *cls)
{
    for (guint i = 0; i < l->layers->len; i++) {
        struct layer *y = l->layers->pdata[i];
        if (strcmp(y->cls, cls) == 0)
            return y;
    }
    struct layer *y = g_new0(struct layer, 1);
    y->cls = cls;
    y->path = g_string_new(NULL);
    g_ptr_array_add(l->layers, y);
    return y;
}

void draw_lanes_span(draw_lanes *l, const struct draw_span *span)
{
    const struct box b = box_of(l, span);
    struct layer *y = layer_of(l, span->cls);
    if (b.end <= b.x || b.bottom <= b.y)
        return;
    if (y->open && y->y == b.y && y->bottom == b.bottom && b.x >= y->x && b.x <= y->end) {
        y->end = MAX(y->end, b.end);
        return;
    }
    layer_close(y, y->path);
    *y = (struct layer){y->cls, y->path, true, b.x, b.end, b.y, b.bottom};
}

void draw_lanes_titled(draw_lanes *l, const struct draw_span *span, const char *title, const char *mark)
{
    const struct box b = box_of(l, span);
    if (b.end <= b.x || b.bottom <= b.y)
        return;
    putf(l->titled, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"", span->cls, b.x, b.y,
         b.end - b.x, b.bottom - b.y);
    if (title == NULL) {
        put(l->titled, "/>");
    } else {
        put(l->titled, "><title>");
        put_text(l->titled, title);
        put(l->titled, "</title></rect>");
    }
    if (mark == NULL || b.end - b.x < MARKED)
        return;
    const int middle = (b.x + b.end) / 2;
    const int down = (b.y + b.bottom) * 50 / (int)MAX(l->n, 1U);
    putf(l->marks, "<text class=\"mark-text\" x=\"%d.%02d%%\" y=\"%d.%02d%%\">", middle / 100, middle % 100,
         down / 100, down % 100);
    put_text(l->marks, mark);
    put(l->marks, "</text>");
}

void draw_lanes_link(draw_lanes *l, double at, uint32_t from, uint32_t to, const char *cls)
{
    const int x = along(at);
    const uint32_t y0 = from * LANE + LANE / 2, y1 = to * LANE + LANE / 2;
    putf(l->links, "<path class=\"link %s\" d=\"M%d %uV%u\"/><path class=\"dot %s\" d=\"M%d %uh0\"/>", cls, x,
         y0, y1, cls, x, y1);
}

void draw_lanes_tick(draw_lanes *l, double at, const char *text)
{
    const int x = along(at);
    const char *anchor = x < WIDE / 50 ? "start" : x > WIDE - WIDE / 50 ? "end" : "middle";
    putf(l->tick_line, "M%d 0V%u", x, l->n * LANE);
    putf(l->tick_text, "<text x=\"%d.%02d%%\" y=\"75%%\" text-anchor=\"%s\">", x / 100, x % 100, anchor);
    put_text(l->tick_text, text);
    put(l->tick_text, "</text>");
}

/* ---- the whole ---- */

static void put_labels(GString *out, const draw_lanes *l)
{
    put(out, "<ul class=\"lane-names\">");
    for (guint i = 0; i < l->labels->len; i++)
        putf(out, "<li>%s</li>", l->labels->pdata[i] == NULL ? "" : (const char *)l->labels->pdata[i]);
    put(out, "</ul>");
}

static void put_inner(GString *out, const draw_lanes *l)
{
    putf(out, "<svg viewBox=\"0 0 %d %u\" preserveAspectRatio=\"none\" width=\"100%%\" height=\"100%%\">",
         WIDE, l->n * LANE);
    put(out, "<path class=\"lane-bed\" d=\"");
    for (uint32_t i = 0; i < l->n; i++) {
        const int gap = (int)lround(l->gap * LANE);
        putf(out, "M0 %dh%dv%dH0z", (int)(i * LANE) + gap, WIDE, LANE - 2 * gap);
    }
    putf(out, "\"/>%s", l->stress->str);
    if (l->tick_line->len > 0)
        putf(out, "<path class=\"tick-line\" d=\"%s\"/>", l->tick_line->str);
    for (guint i = 0; i < l->layers->len; i++) {
        const struct layer *y = l->layers->pdata[i];
        putf(out, "<path class=\"%s\" d=\"%s", y->cls, y->path->str);
        layer_close(y, out);
        put(out, "\"/>");
    }
    putf(out, "%s%s</svg>%s", l->titled->str, l->links->str, l->marks->str);
}

static void put_opening(GString *out, const draw_lanes *l, const char *id, const char *title,
                        const char *desc)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    putf(out, "<svg class=\"lanes-svg\" width=\"100%%\" height=\"%srem\" role=\"img\" ",
         g_ascii_formatd(buf, sizeof buf, "%.2f", l->height * l->n));
    if (id == NULL) {
        put(out, "aria-label=\"");
        put_text(out, title);
        put(out, "\">");
        return;
    }
    putf(out, "aria-labelledby=\"%s-t\" aria-describedby=\"%s-d\"><title id=\"%s-t\">", id, id, id);
    put_text(out, title);
    putf(out, "</title><desc id=\"%s-d\">", id);
    put_text(out, desc);
    put(out, "</desc>");
}

void draw_lanes_put(GString *out, const draw_lanes *l, const char *id, const char *title, const char *desc)
{
    putf(out, "<div class=\"lanes%s\">", l->labelled ? " labelled" : "");
    if (l->labelled)
        put_labels(out, l);
    put_opening(out, l, id, title, desc);
    put_inner(out, l);
    put(out, "</svg>");
    if (l->tick_text->len > 0)
        putf(out, "<svg class=\"axis\" width=\"100%%\" height=\"1.4rem\" aria-hidden=\"true\">%s</svg>",
             l->tick_text->str);
    put(out, "</div>\n");
}
