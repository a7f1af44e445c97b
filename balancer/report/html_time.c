// SPDX-License-Identifier: Apache-2.0
/* The schedule: a lane a shard, over time. What a shard gives away stands in the upper half of its lane, what
 * it takes in the lower. */
#include "balancer/report/html_private.h"
#include "balancer/report/page.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

enum {
    TITLED = 400, /* migrations that can be pointed at */
    DRAWN = 4000, /* one by one; of more, how busy a shard is in each column */
    COLUMNS = 300,
    STEPS = 8
};

struct timeline {
    struct html *h;
    draw_lanes *l;
    GArray *shards; /* uint16_t, with a lane each */
    uint16_t *lane; /* per shard; SHARD_NONE: not shown */
};

static gint by_busy(gconstpointer a, gconstpointer b, gpointer busy)
{
    const uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
    const double dx = ((const double *)busy)[x], dy = ((const double *)busy)[y];
    if (dx < dy || dx > dy)
        return dx > dy ? -1 : 1;
    return (int)x - (int)y;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Those that move anything, the busiest where they are too many. Returns how many there are. */
static guint choose_shards(struct timeline *t)
{
    const uint16_t n = t->h->p->cl->n_shards;
    t->shards = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    for (uint16_t s = 0; s < n; s++)
        if (t->h->when.busy[s] > 0)
            g_array_append_val(t->shards, s);
    const guint all = t->shards->len;
    if (all > HTML_TIME_LANES) {
        g_array_sort_with_data(t->shards, by_busy, t->h->when.busy);
        g_array_set_size(t->shards, HTML_TIME_LANES);
        g_array_sort(t->shards, by_number);
    }
    t->lane = g_new(uint16_t, n);
    for (uint16_t s = 0; s < n; s++)
        t->lane[s] = SHARD_NONE;
    for (guint i = 0; i < t->shards->len; i++)
        t->lane[g_array_index(t->shards, uint16_t, i)] = (uint16_t)i;
    return all;
}

static void label_lanes(struct timeline *t)
{
    for (guint i = 0; i < t->shards->len; i++) {
        const uint16_t s = g_array_index(t->shards, uint16_t, i);
        const bool critical = s == t->h->when.critical;
        g_autoptr(GString) label = g_string_new(NULL);
        if (critical)
            put(label, "<span class=\"tag warn\">critical</span>");
        put_shard(label, t->h->p, s);
        draw_lanes_label(t->l, i, label->str);
        if (critical)
            draw_lanes_stress(t->l, i, "critical");
    }
}

static void draw_one(struct timeline *t, guint i, bool titled)
{
    const struct plan_migration *m = &g_array_index(t->h->p->migrations, struct plan_migration, i);
    const double whole = t->h->when.length;
    const uint16_t lanes[2] = {t->lane[m->from], t->lane[m->to]};
    g_autofree char *title = NULL;
    if (m->starts < 0) /* no window is long enough for it */
        return;
    if (titled) {
        g_autofree char *range = range_of(m), *took = text_duration(m->seconds);
        title = g_strdup_printf("%u: %s %s, %s \xe2\x86\x92 %s, %s", m->id, m->coll->ns, range,
                                t->h->p->cl->shards[m->from].id, t->h->p->cl->shards[m->to].id, took);
    }
    for (int side = 0; side < 2; side++) {
        if (lanes[side] == SHARD_NONE)
            continue;
        const struct draw_span span = {lanes[side], m->starts / whole,  (m->starts + m->seconds) / whole,
                                       side * 0.54, 0.46 + side * 0.54, side == 0 ? "gives" : "takes",
                                       true};
        if (titled)
            draw_lanes_titled(t->l, &span, title, NULL);
        else
            draw_lanes_span(t->l, &span);
    }
}

/* How much of each column's time a shard gives and takes. */
static double *shares_of_columns(const struct timeline *t)
{
    double *share = g_new0(double, (size_t)t->shards->len *COLUMNS * 2);
    for (guint i = 0; i < t->h->p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(t->h->p->migrations, struct plan_migration, i);
        const uint16_t lanes[2] = {t->lane[m->from], t->lane[m->to]};
        const double to = (m->starts + m->seconds) / t->h->when.length * COLUMNS;
        double from = MAX(m->starts, 0) / t->h->when.length * COLUMNS;
        while (m->starts >= 0 && from < to) {
            const uint32_t column = MIN((uint32_t)from, COLUMNS - 1U);
            const double end = column == COLUMNS - 1 ? to : MIN(to, column + 1.0);
            for (int side = 0; side < 2; side++)
                if (lanes[side] != SHARD_NONE)
                    share[((size_t)lanes[side] * COLUMNS + column) * 2 + (size_t)side] += end - from;
            from = end;
        }
    }
    return share;
}

static void draw_columns(struct timeline *t)
{
    g_autofree double *share = shares_of_columns(t);
    for (int side = 0; side < 2; side++)
        for (uint32_t lane = 0; lane < t->shards->len; lane++)
            for (uint32_t i = 0; i < COLUMNS; i++) {
                const double x = share[((size_t)lane * COLUMNS + i) * 2 + (size_t)side];
                const double high = ceil(CLAMP(x, 0, 1) * STEPS - 0.01) / STEPS * 0.46;
                const struct draw_span span = {lane,
                                               (double)i / COLUMNS,
                                               (i + 1.0) / COLUMNS,
                                               side == 0 ? 0.46 - high : 0.54,
                                               side == 0 ? 0.46 : 0.54 + high,
                                               side == 0 ? "gives" : "takes",
                                               false};
                draw_lanes_span(t->l, &span);
            }
}

/* About five ticks at whole units of time. */
static void draw_ticks(struct timeline *t)
{
    static const double steps[] = {1,     2,     5,      10,     15,      30,     60,    120,
                                   300,   600,   900,    1800,   3600,    7200,   10800, 21600,
                                   43200, 86400, 172800, 604800, 1209600, 2592000};
    const double whole = t->h->when.length;
    double every = whole / 5;
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
        if (steps[i] * 6 >= whole) {
            every = steps[i];
            break;
        }
    for (int i = 0; i * every < whole * 0.94; i++) {
        g_autofree char *text = text_duration(i * every);
        draw_lanes_tick(t->l, i * every / whole, text);
    }
    g_autofree char *end = text_duration(whole);
    draw_lanes_tick(t->l, 1, end);
}

static char *note_of(const struct html *h)
{
    GString *note = g_string_new("Each migration starts as soon as both its shards are free.");
    if (h->when.critical == SHARD_NONE)
        return g_string_free(note, FALSE);
    put(note, " <strong>");
    put_shard(note, h->p, h->when.critical);
    put(note, "</strong>");
    g_autoptr(GString) busy = g_string_new(" has the most to do: busy for ");
    text_append_duration(busy, h->when.busy[h->when.critical]);
    put(busy, " of ");
    text_append_duration(busy, h->when.length);
    put(busy, "; no schedule is shorter than that.");
    if (h->p->summary.time.barrier > h->when.length) {
        put(busy,
            " In rounds that wait for one another, as MongoDB's own balancer makes them, it would take ");
        text_append_duration(busy, h->p->summary.time.barrier);
        put(busy, ".");
    }
    page_glue_units(busy);
    put(note, busy->str);
    return g_string_free(note, FALSE);
}

static void put_drawing(struct timeline *t, bool exact)
{
    g_autoptr(GString) desc = g_string_new(NULL);
    put_n(desc, t->h->p->migrations->len, "migration");
    put(desc, " over ");
    text_append_duration(desc, t->h->when.length);
    put(desc, exact ? ", each in the lane of its donor and of its recipient."
                    : "; each column shows how much of its time a shard gives and takes.");
    put(t->h->out,
        "<figure class=\"map\"><ul class=\"legend\"><li><b class=\"swatch gives\"></b>gives away (upper half)"
        "</li><li><b class=\"swatch takes\"></b>takes in (lower half)</li></ul>\n");
    draw_lanes_put(t->h->out, t->l, "time", "Schedule of the migrations by shard", desc->str);
    put(t->h->out, "</figure>\n");
}

void html_schedule(struct html *h)
{
    struct timeline t = {.h = h};
    const guint n = h->p->migrations->len;
    if (n == 0 || !(h->when.length > 0))
        return;
    const guint all = choose_shards(&t);
    g_autofree char *note = note_of(h);
    t.l = draw_lanes_new(t.shards->len, 1.5, 0.14);
    label_lanes(&t);
    draw_ticks(&t);
    if (n > DRAWN)
        draw_columns(&t);
    for (guint i = 0; i < n && n <= DRAWN; i++)
        draw_one(&t, i, n <= TITLED);
    section_open(h->out, "schedule", "Schedule", note);
    put_drawing(&t, n <= DRAWN);
    put_rest(h->out, t.shards->len, all, " with less to do");
    section_close(h->out);
    draw_lanes_free(t.l);
    g_array_unref(t.shards);
    g_free(t.lane);
}
