// SPDX-License-Identifier: Apache-2.0
/* Where the data lies: shards, imbalance over time, collections. */
#include "balancer/watch/page_private.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

/* ---- shards ---- */

/* Whether bars tell chunks: sizes are not known of any. */
static bool by_chunks(const GArray *shards)
{
    for (guint i = 0; i < shards->len; i++)
        if (g_array_index(shards, struct view_shard, i).bytes >= 0)
            return false;
    return true;
}

static double largest(const GArray *shards, bool chunks)
{
    double most = 1;
    for (guint i = 0; i < shards->len; i++) {
        const struct view_shard *s = &g_array_index(shards, struct view_shard, i);
        most = MAX(most, (double)(chunks ? s->chunks : s->bytes));
        most = MAX(most, (double)(chunks ? s->target_chunks : s->target_bytes));
    }
    return most;
}

static void put_amount(GString *out, bool chunks, int64_t x)
{
    if (chunks)
        put_count(out, x);
    else
        put_bytes(out, x);
}

static void put_shard(GString *out, const struct view_shard *s, bool chunks, double most)
{
    const int64_t has = chunks ? s->chunks : s->bytes;
    const int64_t target = chunks ? s->target_chunks : s->target_bytes;
    g_autoptr(GString) label = g_string_new(NULL);
    put_amount(label, chunks, has);
    put(label, ", target ");
    put_amount(label, chunks, target);
    put(out, "<li class=\"shard\"><p class=\"title\">");
    put_name(out, "", s->id);
    if (s->draining)
        put(out, "<span class=\"tag warn\">draining</span>");
    for (guint z = 0; s->zones != NULL && z < MIN(s->zones->len, 4U); z++)
        put_name(out, "tag zone", s->zones->pdata[z]);
    put(out, "</p>");
    const struct draw_bar bar = {.now = (double)has / most,
                                 .after = -1,
                                 .target = target < 0 ? -1 : (double)target / most,
                                 .cls = "",
                                 .label = label->str};
    draw_bar(out, &bar);
    put(out, "<p class=\"num\">");
    put_amount(out, chunks, has);
    put(out, " <span class=\"dim\">/ ");
    put_amount(out, chunks, target);
    put(out, "</span></p></li>\n");
}

/* The furthest from their target first. */
static gint by_distance(gconstpointer a, gconstpointer b, gpointer data)
{
    const bool chunks = GPOINTER_TO_INT(data) != 0;
    const struct view_shard *x = *(const struct view_shard *const *)a,
                            *y = *(const struct view_shard *const *)b;
    const int64_t dx = chunks ? ABS(x->chunks - x->target_chunks) : ABS(x->bytes - x->target_bytes);
    const int64_t dy = chunks ? ABS(y->chunks - y->target_chunks) : ABS(y->bytes - y->target_bytes);
    return dx != dy ? (dx > dy ? -1 : 1) : g_strcmp0(x->id, y->id);
}

void put_shard_bars(GString *out, const GArray *shards, guint limit)
{
    const bool chunks = by_chunks(shards);
    const double most = largest(shards, chunks);
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (guint i = 0; i < shards->len; i++)
        g_ptr_array_add(order, &g_array_index(shards, struct view_shard, i));
    if (limit > 0 && shards->len > limit)
        g_ptr_array_sort_with_data(order, by_distance, GINT_TO_POINTER(chunks));
    const guint shown = limit > 0 ? MIN(limit, shards->len) : shards->len;
    putf(out, "<ul class=\"shards%s\">\n",
         shards->len > 12 && limit != PAGE_COLLECTION_SHARDS ? " many" : "");
    for (guint i = 0; i < shown; i++)
        put_shard(out, order->pdata[i], chunks, most);
    put(out, "</ul>\n");
    put_more(out, shown, shards->len, limit > 0 ? "those are nearer to their targets" : NULL);
}

void put_shards(GString *out, const service_view *v)
{
    const bool chunks = v->shards->len > 0 && by_chunks(v->shards);
    card_open(out, "shards", chunks ? "Chunks per shard" : "Data per shard",
              v->shards->len > 0 ? "<span class=\"key-tick\" aria-hidden=\"true\"></span>target" : NULL);
    if (v->shards->len == 0)
        put_nothing(out, "No shard is known yet.");
    else
        put_shard_bars(out, v->shards, PAGE_SHARDS);
    card_close(out);
}

/* ---- imbalance over time ---- */

enum { CHART_WIDTH = 1000, CHART_HEIGHT = 200 };

/* A number with a round half, not below x. */
static double round_up(double x)
{
    static const double steps[] = {1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10};
    const double base = pow(10, floor(log10(x)));
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
        if (steps[i] * base >= x * 0.999999)
            return steps[i] * base;
    return 10 * base;
}

struct chart {
    int64_t from, to;
    double top;
};

static struct chart chart_of(const service_view *v)
{
    struct chart c = {.from = INT64_MAX, .to = v->at, .top = 0.05};
    for (guint i = 0; i < v->history->len; i++) {
        const struct view_point *p = &g_array_index(v->history, struct view_point, i);
        c.from = MIN(c.from, p->at);
        c.to = MAX(c.to, p->at);
        if (isfinite(p->imbalance))
            c.top = MAX(c.top, p->imbalance);
    }
    c.top = round_up(c.top);
    c.to = MAX(c.to, c.from + 1000);
    return c;
}

/* The line; and the same closed along the bottom as an area. */
static void put_curve(GString *out, const service_view *v, const struct chart *c)
{
    g_autoptr(GString) d = g_string_new(NULL);
    double first = 0, x = 0;
    for (guint i = 0; i < v->history->len; i++) {
        const struct view_point *p = &g_array_index(v->history, struct view_point, i);
        if (!isfinite(p->imbalance))
            continue;
        x = (double)(p->at - c->from) / (double)(c->to - c->from) * CHART_WIDTH;
        if (d->len == 0)
            first = x;
        putf(d, "%s%d %d", d->len == 0 ? "M" : "L", (int)lround(x),
             (int)lround(CHART_HEIGHT - CLAMP(p->imbalance / c->top, 0, 1) * CHART_HEIGHT));
    }
    if (d->len == 0)
        return;
    putf(out, "<path class=\"area\" d=\"%sL%d %dL%d %dZ\"/>", d->str, (int)lround(x), CHART_HEIGHT,
         (int)lround(first), CHART_HEIGHT);
    putf(out, "<path class=\"line\" d=\"%s\"/>", d->str);
}

static void put_grid(GString *out)
{
    for (int i = 0; i <= 2; i++)
        putf(out, "<line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", CHART_WIDTH,
             i * CHART_HEIGHT / 2, i * CHART_HEIGHT / 2);
}

static void put_chart(GString *out, const service_view *v)
{
    const struct chart c = chart_of(v);
    const struct view_point *first = &g_array_index(v->history, struct view_point, 0);
    const struct view_point *last = &g_array_index(v->history, struct view_point, v->history->len - 1);
    put(out, "<div class=\"chart\"><ul class=\"y-axis\" aria-hidden=\"true\">");
    for (int i = 2; i >= 0; i--) {
        put(out, "<li>");
        put_percent(out, c.top * i / 2);
        put(out, "</li>");
    }
    putf(out,
         "</ul><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Imbalance, "
         "from ",
         CHART_WIDTH, CHART_HEIGHT);
    put_percent(out, first->imbalance);
    put(out, " to ");
    put_percent(out, last->imbalance);
    put(out, "\">");
    put_grid(out);
    put_curve(out, v, &c);
    const enum time_style style = c.to - c.from < INT64_C(2) * 3600 * 1000 ? TIME_AGO : TIME_CLOCK;
    put(out, "</svg><p class=\"x-axis\"><span>");
    put_time(out, v->at, c.from, style);
    put(out, "</span><span>");
    put_time(out, v->at, c.to, style);
    put(out, "</span></p></div>\n");
}

void put_imbalance(GString *out, const service_view *v)
{
    g_autoptr(GString) note = g_string_new(NULL);
    if (v->planned_at > 0)
        put_percent(note, v->imbalance);
    card_open(out, "imbalance", "Imbalance over time", note->len > 0 ? note->str : NULL);
    if (v->history->len < 2)
        put_nothing(out, "The curve begins with the second look at the cluster.");
    else
        put_chart(out, v);
    card_close(out);
}

/* ---- collections ---- */

static void put_status(GString *out, const struct view_collection *c)
{
    const bool balanced = g_strcmp0(c->status, "balanced") == 0;
    putf(out, "<span class=\"tag %s\">", c->excluded != NULL ? "quiet" : balanced ? "good" : "warn");
    put_text(out, c->status);
    put(out, "</span>");
}

static void put_collection(GString *out, const struct view_collection *c)
{
    put(out, "<li class=\"collection\"><details data-key=\"");
    put_text(out, c->ns);
    put(out, "\"><summary>");
    put_name(out, "strong", c->ns);
    put_status(out, c);
    put(out, "<span class=\"num big\">");
    if (c->excluded == NULL)
        put_percent(out, c->imbalance);
    put(out, "</span><span class=\"num dim\">");
    put_bytes(out, c->bytes);
    put(out, "</span></summary>\n<p class=\"meta\">");
    if (c->excluded != NULL) {
        put(out, "<span>left alone: ");
        put_text(out, c->excluded);
        put(out, "</span>");
    }
    put(out, "<span>");
    put_count(out, c->chunks);
    putf(out, " chunks</span><span>%u %s planned</span></p>\n", c->migrations,
         c->migrations == 1 ? "migration" : "migrations");
    if (c->shards != NULL && c->shards->len > 0)
        put_shard_bars(out, c->shards, PAGE_COLLECTION_SHARDS);
    put(out, "</details></li>\n");
}

void put_collections(GString *out, const service_view *v)
{
    const guint shown = MIN(v->collections->len, (guint)PAGE_COLLECTIONS);
    card_open(out, "collections", "Collections", v->collections->len > 0 ? "most uneven first" : NULL);
    if (shown == 0) {
        put_nothing(out, v->planned_at > 0 ? "The cluster has no sharded collection." : "Not known yet.");
    } else {
        put(out, "<ul class=\"collections\">\n");
        for (guint i = 0; i < shown; i++)
            put_collection(out, &g_array_index(v->collections, struct view_collection, i));
        put(out, "</ul>\n");
        put_more(out, shown, MAX(v->n_collections, v->collections->len),
                 "<a href=\"/api/v1/collections\">/api/v1/collections</a>");
    }
    card_close(out);
}
