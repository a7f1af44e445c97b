// SPDX-License-Identifier: Apache-2.0
/* The key space of one collection: a lane with its zones, and below it a lane a shard with what it keeps,
 * loses and gets. Few stretches are drawn one by one, at most RUNS; of more, each column of the drawing shows
 * how much of its part of the key space a shard keeps, loses and gets, one above the other. */
#include "balancer/key/show.h"
#include "balancer/report/html_private.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

enum {
    RUNS = 600,
    TITLED = 150, /* moved stretches that can be pointed at */
    LINKED = 60,  /* and that a line leads from donor to recipient */
    COLUMNS = 240,
    STEPS = 12, /* heights that are told apart in a column */
    LEGEND = 12,
    ENDS = 24 /* characters of a key below the drawing */
};

enum { KEEPS, GETS, LOSES, KINDS };

/* Neighbours that have the same shards and the same zone. */
struct run {
    double from, to;
    uint16_t before, after;
    uint32_t zone;
    uint32_t n_moves;
    const struct plan_migration *move; /* the first */
};

struct map {
    struct html *h;
    const struct plan_collection *c;
    draw_lanes *l;
    /* What the first walk finds. */
    double whole;
    uint32_t n_runs, n_moved;
    double *moved, *held; /* per shard */
    bool *there;          /* it has or gets a part, be it empty */
    bool zones;
    /* Lanes. */
    uint32_t n_lanes, others;
    uint16_t *lane; /* per shard */
    /* The second walk. */
    double at;
    struct run run;
    bool open;
    double *columns;       /* [(lane * COLUMNS + column) * KINDS + kind] */
    uint32_t *column_zone; /* of the widest part of the column */
    double *column_zone_is;
};

/* ---- the first walk: how much there is to draw ---- */

static bool same_run(const struct run *r, const struct keyspace_part *p)
{
    return r->before == p->before && r->after == p->after && r->zone == p->zone;
}

static void measure(const struct keyspace_part *p, void *ctx)
{
    struct map *m = ctx;
    m->whole += p->width;
    m->there[p->before] = m->there[p->after] = true;
    m->held[p->before] += p->width;
    if (p->before != p->after) {
        m->moved[p->before] += p->width;
        m->moved[p->after] += p->width;
    }
    if (m->open && same_run(&m->run, p))
        return;
    m->open = true;
    m->run = (struct run){.before = p->before, .after = p->after, .zone = p->zone};
    m->n_runs++;
    m->n_moved += p->before != p->after ? 1 : 0;
}

/* ---- lanes ---- */

static gint by_interest(gconstpointer a, gconstpointer b, gpointer ctx)
{
    const struct map *m = ctx;
    const uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
    if (m->moved[x] < m->moved[y] || m->moved[x] > m->moved[y])
        return m->moved[x] > m->moved[y] ? -1 : 1;
    if (m->held[x] < m->held[y] || m->held[x] > m->held[y])
        return m->held[x] > m->held[y] ? -1 : 1;
    return (int)x - (int)y;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* A lane for each shard that has or gets some of it, the most concerned where they are too many; the others
 * share one. */
static void choose_lanes(struct map *m)
{
    const uint16_t n = m->h->p->cl->n_shards;
    g_autoptr(GArray) shards = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    for (uint16_t s = 0; s < n; s++)
        if (m->there[s])
            g_array_append_val(shards, s);
    guint own = shards->len;
    if (own > HTML_MAP_LANES) {
        own = HTML_MAP_LANES;
        g_array_sort_with_data(shards, by_interest, m);
        m->others = shards->len - own;
        g_array_set_size(shards, own);
        g_array_sort(shards, by_number);
    }
    m->n_lanes = (m->zones ? 1 : 0) + own + (m->others > 0 ? 1 : 0);
    m->lane = g_new(uint16_t, MAX(n, 1));
    for (uint16_t s = 0; s < n; s++)
        m->lane[s] = (uint16_t)(m->n_lanes - 1);
    for (guint i = 0; i < own; i++)
        m->lane[g_array_index(shards, uint16_t, i)] = (uint16_t)(i + (m->zones ? 1 : 0));
    m->l = draw_lanes_new(m->n_lanes, 1.5, 0.14);
    if (m->zones)
        draw_lanes_label(m->l, 0, "<span class=\"dim\">zones</span>");
    for (guint i = 0; i < own; i++) {
        g_autoptr(GString) name = g_string_new(NULL);
        put_shard(name, m->h->p, g_array_index(shards, uint16_t, i));
        draw_lanes_label(m->l, i + (m->zones ? 1 : 0), name->str);
    }
    if (m->others > 0) {
        g_autofree char *rest = g_strdup_printf("<span class=\"dim\">%u others</span>", m->others);
        draw_lanes_label(m->l, m->n_lanes - 1, rest);
    }
}

/* ---- stretch by stretch ---- */

static char *move_title(const struct map *m, const struct run *r)
{
    const cluster *cl = m->h->p->cl;
    g_autofree char *range = range_of(r->move);
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "%s \xe2\x86\x92 %s: %s", cl->shards[r->before].id, cl->shards[r->after].id,
                           range);
    if (r->n_moves > 1)
        g_string_append_printf(s, " and %u more next to it", r->n_moves - 1);
    g_string_append_printf(s, ", %s", move_reason_text(r->move->reason));
    return g_string_free(s, FALSE);
}

static void draw_moved(struct map *m, const struct run *r)
{
    struct draw_span span = {m->lane[r->before], r->from, r->to, 0, 1, "leaves", true};
    struct draw_span to = span;
    to.lane = m->lane[r->after];
    to.cls = "arrives";
    if (m->n_moved > TITLED) {
        draw_lanes_span(m->l, &span);
        draw_lanes_span(m->l, &to);
        return;
    }
    g_autofree char *title = move_title(m, r);
    draw_lanes_titled(m->l, &span, title, NULL);
    draw_lanes_titled(m->l, &to, title, NULL);
    if (m->n_moved <= LINKED && span.lane != to.lane)
        draw_lanes_link(m->l, (r->from + r->to) / 2, span.lane, to.lane, "");
}

static void draw_run(struct map *m, const struct run *r)
{
    if (r->before != r->after) {
        draw_moved(m, r);
        return;
    }
    const struct draw_span span = {m->lane[r->before], r->from, r->to, 0, 1, zone_class(r->zone), false};
    draw_lanes_span(m->l, &span);
}

static void flush_run(struct map *m)
{
    if (m->open)
        draw_run(m, &m->run);
    m->open = false;
}

static void visit_exact(const struct keyspace_part *p, void *ctx)
{
    struct map *m = ctx;
    const double from = m->at / m->whole, to = (m->at + p->width) / m->whole;
    m->at += p->width;
    if (!m->open || !same_run(&m->run, p)) {
        flush_run(m);
        m->open = true;
        m->run = (struct run){from, to, p->before, p->after, p->zone, 0, p->move};
    }
    m->run.to = to;
    m->run.n_moves += p->move != NULL ? 1 : 0;
}

/* ---- column by column ---- */

static void add_to_column(struct map *m, const struct keyspace_part *p, uint32_t column, double share)
{
    double *before = m->columns + ((size_t)m->lane[p->before] * COLUMNS + column) * KINDS;
    double *after = m->columns + ((size_t)m->lane[p->after] * COLUMNS + column) * KINDS;
    if (p->before == p->after) {
        before[KEEPS] += share;
    } else {
        before[LOSES] += share;
        after[GETS] += share;
    }
    if (share > m->column_zone_is[column]) {
        m->column_zone_is[column] = share;
        m->column_zone[column] = p->zone;
    }
}

static void visit_column(const struct keyspace_part *p, void *ctx)
{
    struct map *m = ctx;
    double from = m->at / m->whole * COLUMNS;
    m->at += p->width;
    const double to = m->at / m->whole * COLUMNS;
    while (from < to) {
        const uint32_t column = MIN((uint32_t)from, COLUMNS - 1U);
        const double end = column == COLUMNS - 1 ? to : MIN(to, column + 1.0);
        add_to_column(m, p, column, end - from);
        from = end;
    }
}

static double step(double share)
{
    return round(CLAMP(share, 0, 1) * STEPS) / STEPS;
}

static void draw_columns(struct map *m)
{
    static const char *const classes[KINDS] = {"keeps", "arrives", "leaves-part"};
    for (int kind = 0; kind < KINDS; kind++)
        for (uint32_t lane = m->zones ? 1 : 0; lane < m->n_lanes; lane++)
            for (uint32_t i = 0; i < COLUMNS; i++) {
                const double *c = m->columns + ((size_t)lane * COLUMNS + i) * KINDS;
                double below = 0;
                for (int k = 0; k < kind; k++)
                    below += c[k];
                const struct draw_span span = {lane,
                                               (double)i / COLUMNS,
                                               (i + 1.0) / COLUMNS,
                                               1 - step(below + c[kind]),
                                               1 - step(below),
                                               classes[kind],
                                               false};
                draw_lanes_span(m->l, &span);
            }
}

/* ---- the lane of zones ---- */

struct zone_lane {
    struct map *m;
    double at, from;
    uint32_t zone, stretches;
    bool open, titled;
};

static void flush_zone(struct zone_lane *z)
{
    const struct draw_span span = {0, z->from, z->at / z->m->whole, 0, 1, zone_class(z->zone), false};
    if (!z->open || z->zone == ZONE_NONE)
        return;
    if (!z->titled) {
        draw_lanes_span(z->m->l, &span);
        return;
    }
    g_autoptr(GString) mark = g_string_new(NULL);
    append_mark(mark, z->zone);
    draw_lanes_titled(z->m->l, &span, cluster_zone_name(z->m->h->p->cl, z->zone), mark->str);
}

static void visit_zone(const struct keyspace_part *p, void *ctx)
{
    struct zone_lane *z = ctx;
    if (!z->open || p->zone != z->zone) {
        flush_zone(z);
        z->from = z->at / z->m->whole;
        z->zone = p->zone;
        z->open = true;
    }
    z->at += p->width;
}

static void draw_zones(struct map *m, const keyspace *k)
{
    struct zone_lane z = {.m = m, .titled = m->c->coll->n_ranges <= TITLED};
    if (!m->zones)
        return;
    if (m->c->coll->n_ranges <= RUNS) {
        keyspace_walk(k, visit_zone, &z);
        flush_zone(&z);
        return;
    }
    for (uint32_t i = 0; m->column_zone != NULL && i < COLUMNS; i++) {
        const struct draw_span span = {
            0, (double)i / COLUMNS, (i + 1.0) / COLUMNS, 0, 1, zone_class(m->column_zone[i]), false};
        if (m->column_zone[i] != ZONE_NONE)
            draw_lanes_span(m->l, &span);
    }
}

static void put_legend(struct map *m, bool exact, bool bytes)
{
    GString *out = m->h->out;
    guint shown = 0;
    put(out, "<ul class=\"legend\">");
    putf(out, "<li><b class=\"swatch %s\"></b>stays</li>", exact ? "zn" : "keeps");
    if (m->n_moved > 0)
        putf(out,
             "<li><b class=\"swatch %s\"></b>leaves</li><li><b class=\"swatch arrives\"></b>arrives</li>",
             exact ? "leaves" : "leaves-part");
    for (guint i = 0; m->zones && i < m->c->zones->len; i++) {
        if (shown++ >= LEGEND)
            continue;
        put(out, "<li>");
        put_swatch(out, cluster_find_zone(m->h->p->cl, m->c->zones->pdata[i]));
        put_name(out, "", m->c->zones->pdata[i]);
        put(out, "</li>");
    }
    if (shown > LEGEND)
        putf(out, "<li class=\"dim\">and %u more zones</li>", shown - LEGEND);
    putf(out, "<li class=\"dim\">each chunk as wide as %s</li>", bytes ? "its data" : "the others");
    put(out, "</ul>\n");
}

static void put_words(struct map *m, const keyspace *k, bool exact, guint number)
{
    g_autofree char *id = g_strdup_printf("map%u", number);
    g_autoptr(GString) title = g_string_new("Key space of "), desc = g_string_new(NULL);
    put(title, m->c->coll->ns);
    put_n(desc, m->c->coll->chunks.n, "chunk");
    put(desc, " in key order, from the lowest key on the left, each as wide as ");
    put(desc, keyspace_by_bytes(k) ? "its data. " : "the others. ");
    put_n(desc, m->n_moved, "stretch");
    put(desc, m->n_moved == 1 ? " changes its shard" : "es change their shard");
    put(desc, exact ? "." : "; each column shows how much of it a shard keeps, gets and loses.");
    draw_lanes_tick(m->l, 0, "lowest key");
    draw_lanes_tick(m->l, 1, "highest key");
    draw_lanes_put(m->h->out, m->l, id, title->str, desc->str);
}

void put_map(struct html *h, const struct plan_collection *c, guint number)
{
    const uint16_t n = h->p->cl->n_shards;
    g_autoptr(keyspace) k = keyspace_new(h->p, c, &h->moves);
    if (k == NULL)
        return;
    struct map m = {
        .h = h, .c = c, .moved = g_new0(double, n), .held = g_new0(double, n), .there = g_new0(bool, n)};
    m.zones = c->zones != NULL && c->zones->len > 0;
    keyspace_walk(k, measure, &m);
    m.open = false;
    choose_lanes(&m);
    const bool exact = m.n_runs <= RUNS;
    if (exact) {
        keyspace_walk(k, visit_exact, &m);
        flush_run(&m);
    } else {
        m.columns = g_new0(double, (size_t)m.n_lanes *COLUMNS *KINDS);
        m.column_zone = g_new0(uint32_t, COLUMNS);
        m.column_zone_is = g_new0(double, COLUMNS);
        keyspace_walk(k, visit_column, &m);
        draw_columns(&m);
    }
    draw_zones(&m, k);
    put(h->out, "<figure class=\"map\">");
    put_legend(&m, exact, keyspace_by_bytes(k));
    put_words(&m, k, exact, number);
    put(h->out, "</figure>\n");
    draw_lanes_free(m.l);
    gpointer all[] = {m.there, m.moved, m.held, m.lane, m.columns, m.column_zone, m.column_zone_is};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        g_free(all[i]);
}
