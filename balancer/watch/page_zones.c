// SPDX-License-Identifier: Apache-2.0
/* The zone map: each collection's key space as a strip, in key order, every stretch as wide as the others:
 * the order of keys is known, their distance is not. */
#include "balancer/key/show.h"
#include "balancer/watch/page_private.h"

#include <string.h>

enum { COLORS = 8 };

/* ---- marks ---- */

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect(GHashTable *names, const char *name)
{
    if (name != NULL)
        g_hash_table_add(names, g_strdup(name));
}

zone_marks *zone_marks_new(const service_view *v)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    zone_marks *z = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < v->collections->len; i++) {
        const GArray *ranges = g_array_index(v->collections, struct view_collection, i).ranges;
        for (guint r = 0; ranges != NULL && r < ranges->len; r++)
            collect(names, g_array_index(ranges, struct view_zone_range, r).zone);
    }
    guint n = 0;
    g_autofree gpointer *keys = g_hash_table_get_keys_as_array(names, &n);
    qsort(keys, n, sizeof *keys, by_name);
    for (guint i = 0; i < n; i++)
        g_hash_table_insert(z, g_strdup(keys[i]), GUINT_TO_POINTER(i));
    return z;
}

guint zone_mark(zone_marks *z, const char *zone)
{
    return zone == NULL ? 0 : GPOINTER_TO_UINT(g_hash_table_lookup(z, zone));
}

void put_mark(GString *out, guint mark)
{
    if (mark < 26)
        putf(out, "%c", (char)('A' + (int)mark));
    else
        putf(out, "%u", mark + 1);
}

/* ---- the strip ---- */

/* Whether every field of a bound is the lowest key (`type` MinKey) or the highest. */
static bool is_end(const char *bound, bson_type_t type)
{
    bson_t doc;
    bson_iter_t it;
    bool all = true;
    if (bound == NULL || !key_parse_doc(bound, &doc, NULL))
        return false;
    if (bson_iter_init(&it, &doc))
        while (bson_iter_next(&it))
            all = all && bson_iter_type(&it) == type;
    bson_destroy(&doc);
    return all;
}

/* A place of the strip: a range, or the keys before, between and behind ranges (NULL). */
struct stretch {
    const struct view_zone_range *range;
    const char *min, *max; /* NULL: open */
    double width;
};

static void add_stretch(GArray *to, const struct view_zone_range *r, const char *min, const char *max)
{
    const struct stretch s = {r, min, max, r == NULL ? 0.5 : 1};
    g_array_append_val(to, s);
}

static GArray *stretches_of(const GArray *ranges, guint shown)
{
    const struct view_zone_range *last = NULL;
    GArray *list = g_array_new(FALSE, FALSE, sizeof(struct stretch));
    for (guint i = 0; i < shown; i++) {
        const struct view_zone_range *r = &g_array_index(ranges, struct view_zone_range, i);
        if (last == NULL && !is_end(r->min, BSON_TYPE_MINKEY))
            add_stretch(list, NULL, NULL, r->min);
        else if (last != NULL && g_strcmp0(last->max, r->min) != 0)
            add_stretch(list, NULL, last->max, r->min);
        add_stretch(list, r, r->min, r->max);
        last = r;
    }
    if (last != NULL && shown == ranges->len && !is_end(last->max, BSON_TYPE_MAXKEY))
        add_stretch(list, NULL, last->max, NULL);
    return list;
}

static void draw_stretch(draw_lanes *l, zone_marks *marks, const struct stretch *s, double from, double to)
{
    static const char *const classes[COLORS] = {"z0", "z1", "z2", "z3", "z4", "z5", "z6", "z7"};
    const guint mark = s->range == NULL ? 0 : zone_mark(marks, s->range->zone);
    g_autofree char *range = range_text(s->min, s->max);
    g_autofree char *title = g_strdup_printf("%s %s", s->range == NULL ? "no zone" : s->range->zone, range);
    g_autoptr(GString) letter = g_string_new(NULL);
    const struct draw_span span = {
        .from = from, .to = to, .bottom = 1, .cls = s->range == NULL ? "gap" : classes[mark % COLORS]};
    if (s->range != NULL)
        put_mark(letter, mark);
    draw_lanes_titled(l, &span, title, letter->str);
}

/* Each zone by its mark and the gaps, in key order: what the strip shows, in words. */
static char *strip_label(zone_marks *marks, const GArray *list)
{
    GString *label = g_string_new("Key space in order: ");
    for (guint i = 0; i < list->len; i++) {
        const struct stretch *s = &g_array_index(list, struct stretch, i);
        put(label, i > 0 ? ", " : "");
        if (s->range == NULL)
            put(label, "no zone");
        else
            put_mark(label, zone_mark(marks, s->range->zone));
    }
    return g_string_free(label, FALSE);
}

static void put_strip(GString *out, zone_marks *marks, const GArray *ranges, guint shown)
{
    g_autoptr(draw_lanes) l = draw_lanes_new(1, 1.8, 0);
    g_autoptr(GArray) list = stretches_of(ranges, shown);
    g_autofree char *label = strip_label(marks, list);
    double whole = 0, at = 0;
    for (guint i = 0; i < list->len; i++)
        whole += g_array_index(list, struct stretch, i).width;
    for (guint i = 0; i < list->len; i++) {
        const struct stretch *s = &g_array_index(list, struct stretch, i);
        draw_stretch(l, marks, s, at / whole, (at + s->width) / whole);
        at += s->width;
    }
    draw_lanes_put(out, l, NULL, label, NULL);
}

static gint by_mark(gconstpointer a, gconstpointer b, gpointer marks)
{
    return (gint)zone_mark(marks, *(const char *const *)a) - (gint)zone_mark(marks, *(const char *const *)b);
}

/* Each zone once, in the order of the marks; only the first so many. */
static void put_legend(GString *out, zone_marks *marks)
{
    guint n = 0;
    g_autofree gpointer *zones = g_hash_table_get_keys_as_array(marks, &n);
    g_qsort_with_data(zones, (gint)n, sizeof *zones, by_mark, marks);
    put(out, "<ul class=\"legend\">");
    for (guint i = 0; i < MIN(n, (guint)PAGE_LEGEND); i++) {
        putf(out, "<li><b class=\"swatch z%u\">", i % COLORS);
        put_mark(out, i);
        put(out, "</b>");
        put_name(out, "", zones[i]);
        put(out, "</li>");
    }
    put(out, "</ul>\n");
    put_more(out, MIN(n, (guint)PAGE_LEGEND), n, NULL);
}

static void put_range_list(GString *out, zone_marks *marks, const struct view_collection *c, guint shown)
{
    put(out, "<details data-key=\"ranges ");
    put_text(out, c->ns);
    putf(out, "\"><summary>%u %s</summary><ol class=\"ranges\">", c->ranges->len,
         c->ranges->len == 1 ? "range" : "ranges");
    for (guint i = 0; i < shown; i++) {
        const struct view_zone_range *r = &g_array_index(c->ranges, struct view_zone_range, i);
        const guint mark = zone_mark(marks, r->zone);
        g_autofree char *range = range_text(r->min, r->max);
        putf(out, "<li><b class=\"swatch z%u\">", mark % COLORS);
        put_mark(out, mark);
        put(out, "</b>");
        put_name(out, "", r->zone);
        put_name(out, "key", range);
        put(out, "</li>");
    }
    put(out, "</ol>");
    put_more(out, shown, c->ranges->len, NULL);
    put(out, "</details>\n");
}

static void put_map(GString *out, zone_marks *marks, const struct view_collection *c)
{
    const guint shown = MIN(c->ranges->len, (guint)PAGE_SEGMENTS);
    put(out, "<li class=\"map\">");
    put(out, "<p class=\"title\">");
    put_name(out, "strong", c->ns);
    put(out, "</p>");
    put_strip(out, marks, c->ranges, shown);
    put_range_list(out, marks, c, shown);
    put(out, "</li>\n");
}

void put_zones(GString *out, const service_view *v)
{
    guint total = 0;
    zone_marks *marks = zone_marks_new(v);
    g_autoptr(GString) maps = g_string_new(NULL);
    for (guint i = 0; i < v->collections->len; i++) {
        const struct view_collection *c = &g_array_index(v->collections, struct view_collection, i);
        if (c->ranges == NULL || c->ranges->len == 0)
            continue;
        if (total++ < PAGE_MAPS)
            put_map(maps, marks, c);
    }
    card_open(out, "zones", "Zones over the key space", total > 0 ? "MinKey to MaxKey" : NULL);
    if (total == 0)
        put_nothing(out, v->planned_at > 0 ? "No collection has zones." : "Not known yet.");
    else
        put_legend(out, marks);
    if (total > 0)
        putf(out, "<ul class=\"maps\">\n%s</ul>\n", maps->str);
    put_more(out, MIN(total, (guint)PAGE_MAPS), total, NULL);
    card_close(out);
    g_hash_table_unref(marks);
}
