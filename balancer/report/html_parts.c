// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/show.h"
#include "balancer/report/html_private.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

enum { ZONE_COLORS = 8, SHOWN_ZONES = 4 };

void section_open(GString *out, const char *id, const char *title, const char *note)
{
    putf(out,
         "<section class=\"card\" id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n", id,
         id, id, title);
    if (note != NULL)
        putf(out, "<p class=\"note\">%s</p>\n", note);
}

void section_close(GString *out)
{
    put(out, "</section>\n");
}

void table_open(GString *out, const char *caption, bool sortable, const struct html_column *columns)
{
    put(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
    put_text(out, caption);
    putf(out, "\"><table%s>\n<caption>", sortable ? " class=\"sortable\"" : "");
    put_text(out, caption);
    put(out, "</caption>\n<thead><tr>");
    for (const struct html_column *c = columns; c->title != NULL; c++)
        putf(out, "<th scope=\"col\"%s%s%s%s>%s</th>",
             c->number        ? " class=\"num\""
             : c->cls != NULL ? " class=\""
                              : "",
             !c->number && c->cls != NULL ? c->cls : "", !c->number && c->cls != NULL ? "\"" : "",
             c->fixed ? " data-fixed=\"\"" : "", c->title);
    put(out, "</tr></thead>\n<tbody>\n");
}

void table_close(GString *out)
{
    put(out, "</tbody></table></div>\n");
}

void cell_bytes(GString *out, int64_t bytes)
{
    putf(out, "<td class=\"num\" data-v=\"%" G_GINT64_FORMAT "\">", bytes);
    put_bytes(out, bytes);
    put(out, "</td>");
}

void cell_count(GString *out, int64_t n)
{
    put(out, "<td class=\"num\">");
    put_count(out, n);
    put(out, "</td>");
}

void put_load(GString *out, enum load_unit unit, int64_t load)
{
    if (unit == LOAD_BYTES)
        put_bytes(out, load);
    else
        put_count(out, load);
}

void cell_load(GString *out, enum load_unit unit, int64_t load)
{
    if (unit == LOAD_BYTES)
        cell_bytes(out, load);
    else
        cell_count(out, load);
}

void put_shard(GString *out, const plan *p, uint16_t shard)
{
    put_name(out, "", shard < p->cl->n_shards ? p->cl->shards[shard].id : NULL);
}

static void append_bound(GString *out, plan_bound bound)
{
    bson_t doc;
    plan_bound_bson(bound, &doc);
    key_show(out, &doc, HTML_BOUND);
}

void put_bound(GString *out, plan_bound bound)
{
    g_autoptr(GString) text = g_string_new(NULL);
    append_bound(text, bound);
    put_name(out, "key", text->str);
}

char *range_of(const struct plan_migration *m)
{
    GString *s = g_string_new(m->open_min ? "rest of [" : "[");
    append_bound(s, m->min);
    g_string_append(s, ", ");
    if (m->open_max && !m->open_min)
        g_string_append(s, "\xe2\x80\xa6");
    else
        append_bound(s, m->max);
    g_string_append_c(s, ')');
    return g_string_free(s, FALSE);
}

void put_range(GString *out, const struct plan_migration *m)
{
    g_autofree char *text = range_of(m);
    put_name(out, "key", text);
}

void put_rest(GString *out, int64_t shown, int64_t all, const char *what)
{
    if (all <= shown)
        return;
    put(out, "<p class=\"more\">and ");
    put_count(out, all - shown);
    putf(out, " more%s</p>\n", what);
}

void append_mark(GString *out, uint32_t zone)
{
    if (zone < 26)
        g_string_append_c(out, (char)('A' + (int)zone));
    else
        putf(out, "%u", zone + 1);
}

const char *zone_class(uint32_t zone)
{
    static const char *const classes[ZONE_COLORS] = {"z0", "z1", "z2", "z3", "z4", "z5", "z6", "z7"};
    return zone == ZONE_NONE ? "zn" : classes[zone % ZONE_COLORS];
}

void put_swatch(GString *out, uint32_t zone)
{
    putf(out, "<b class=\"swatch %s\">", zone_class(zone));
    if (zone != ZONE_NONE)
        append_mark(out, zone);
    put(out, "</b>");
}

void put_paragraph(GString *out, const char *cls, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    putf(out, "<p class=\"%s\">", cls);
    put_text(out, text);
    put(out, "</p>");
}

/* ---- shards with bars ---- */

/* Those furthest from their target, or that change, first. */
static gint by_interest(gconstpointer a, gconstpointer b)
{
    const struct shard_load *x = a, *y = b;
    const int64_t dx = MAX(ABS(x->now - x->after), ABS(x->after - x->target));
    const int64_t dy = MAX(ABS(y->now - y->after), ABS(y->after - y->target));
    return dx != dy ? (dx > dy ? -1 : 1) : (int)x->shard - (int)y->shard;
}

static gint by_shard(gconstpointer a, gconstpointer b)
{
    return (int)((const struct shard_load *)a)->shard - (int)((const struct shard_load *)b)->shard;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Its zones stand in byte order. */
static bool has_ranges(const struct plan_collection *c, const char *zone)
{
    return c->zones != NULL && c->zones->len > 0 &&
           bsearch(&zone, c->zones->pdata, c->zones->len, sizeof(gpointer), by_name) != NULL;
}

/* The zones of the shard that count here: those with ranges in the collection, or in any. */
static void put_zones_of(struct html *h, const struct shard *s, const struct plan_collection *c)
{
    guint shown = 0, all = 0;
    for (uint32_t i = 0; i < s->n_zones; i++) {
        const char *zone = h->p->cl->zones[s->zones[i]];
        if ((c != NULL && !has_ranges(c, zone)) || all++ >= SHOWN_ZONES)
            continue;
        put(h->out, " <span class=\"zone\">");
        put_swatch(h->out, s->zones[i]);
        put_name(h->out, "dim", zone);
        put(h->out, "</span>");
        shown++;
    }
    if (all > shown)
        putf(h->out, " <span class=\"dim\">+%u</span>", all - shown);
}

static void put_shard_bar(GString *out, enum load_unit unit, const struct shard_load *r, int64_t scale)
{
    g_autoptr(GString) label = g_string_new("before ");
    const double whole = (double)MAX(scale, 1);
    put_load(label, unit, r->now);
    put(label, ", after ");
    put_load(label, unit, r->after);
    put(label, ", target ");
    put_load(label, unit, r->target);
    const struct draw_bar bar = {.now = (double)r->now / whole,
                                 .after = (double)MAX(r->after, 0) / whole,
                                 .target = r->target < 0 ? -1 : (double)r->target / whole,
                                 .cls = "pair",
                                 .label = label->str};
    draw_bar(out, &bar);
}

static void put_shard_row(struct html *h, enum load_unit unit, const struct shard_load *r, int64_t scale,
                          const struct plan_collection *c)
{
    const struct shard *s = r->shard < h->p->cl->n_shards ? &h->p->cl->shards[r->shard] : NULL;
    put(h->out, "<tr><th scope=\"row\">");
    put_shard(h->out, h->p, r->shard);
    if (s != NULL && s->draining)
        put(h->out, " <span class=\"tag warn\">draining</span>");
    if (s != NULL)
        put_zones_of(h, s, c);
    put(h->out, "</th>");
    cell_load(h->out, unit, r->now);
    put(h->out, "<td class=\"bar-cell\">");
    put_shard_bar(h->out, unit, r, scale);
    put(h->out, "</td>");
    cell_load(h->out, unit, r->after);
    cell_load(h->out, unit, r->target);
    put(h->out, "<td class=\"num\">");
    if (r->target > 0)
        put_percent(h->out, (double)r->after / (double)r->target);
    put(h->out, "</td></tr>\n");
}

void put_shard_table(struct html *h, const char *caption, enum load_unit unit, GArray *rows, guint limit,
                     const struct plan_collection *c)
{
    static const struct html_column columns[] = {
        {.title = "Shard"},
        {.title = "Before", .number = true},
        {.title = "<span class=\"key-was\"></span>before <span class=\"key-now\"></span>after "
                  "<span class=\"key-tick\"></span>target",
         .fixed = true,
         .cls = "bar-cell"},
        {.title = "After", .number = true},
        {.title = "Target", .number = true},
        {.title = "Of target", .number = true},
        {.title = NULL}};
    int64_t scale = 1;
    const guint all = rows->len;
    if (rows->len > limit) {
        g_array_sort(rows, by_interest);
        g_array_set_size(rows, limit);
        g_array_sort(rows, by_shard);
    }
    for (guint i = 0; i < rows->len; i++) {
        const struct shard_load *r = &g_array_index(rows, struct shard_load, i);
        scale = MAX(scale, MAX(r->now, MAX(r->after, r->target)));
    }
    table_open(h->out, caption, true, columns);
    for (guint i = 0; i < rows->len; i++)
        put_shard_row(h, unit, &g_array_index(rows, struct shard_load, i), scale, c);
    table_close(h->out);
    put_rest(h->out, rows->len, all, ", which change less");
}
