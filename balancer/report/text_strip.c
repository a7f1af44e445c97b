// SPDX-License-Identifier: Apache-2.0
/* The key space of a collection in two lines of characters: its zones, and where ranges move. */
#include "balancer/report/text_parts.h"

#include <math.h>
#include <string.h>

enum { WIDEST = 72, LABEL = 8, ZONES_NAMED = 8, LETTERS = 26, ZONE_WIDTH = 24 };

/* A share of this much of a column is most of it. */
static const double most = 0.5;

struct column {
    double moves, zone_is; /* shares; zone_is: of the widest zone in it */
    uint32_t zone;
};

struct strip {
    double whole, at;
    bool moves;
    guint n;
    struct column *columns;
};

static void measure(const struct keyspace_part *part, void *ctx)
{
    struct strip *s = ctx;
    s->whole += part->width;
    s->moves = s->moves || part->before != part->after;
}

static void fill(const struct keyspace_part *part, void *ctx)
{
    struct strip *s = ctx;
    double from = s->at / s->whole * s->n;
    s->at += part->width;
    const double to = s->at / s->whole * s->n;
    while (from < to) {
        const guint i = MIN((guint)from, s->n - 1);
        const double end = i == s->n - 1 ? to : MIN(to, i + 1.0);
        struct column *c = &s->columns[i];
        if (part->before != part->after)
            c->moves += end - from;
        if (end - from > c->zone_is) {
            c->zone_is = end - from;
            c->zone = part->zone;
        }
        from = end;
    }
}

static const char *blank(const struct page *pg)
{
    return pg->ascii ? "." : "\xc2\xb7";
}

/* The place of a zone among the collection's, from 0; n where it is none of them. */
static guint place_of(const plan *p, const struct plan_collection *c, uint32_t zone)
{
    guint i = 0;
    while (i < c->zones->len && (zone == ZONE_NONE || strcmp(c->zones->pdata[i], p->cl->zones[zone]) != 0))
        i++;
    return i;
}

static void print_zones(struct page *pg, const plan *p, const struct plan_collection *c,
                        const struct strip *s)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint i = 0; i < s->n; i++) {
        const guint place = place_of(p, c, s->columns[i].zone);
        if (place >= c->zones->len)
            g_string_append(line, blank(pg));
        else
            g_string_append_c(line, place < LETTERS ? (char)('A' + (int)place) : '*');
    }
    page_paragraph(pg, 2, INK_NONE, "zones", line->str);
}

static void print_moves(struct page *pg, const struct strip *s)
{
    const char *all = pg->ascii ? "#" : "\xe2\x96\x88", *some = pg->ascii ? "-" : "\xe2\x96\x91";
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint i = 0; i < s->n; i++)
        g_string_append(line, s->columns[i].moves >= most  ? all
                              : s->columns[i].moves > 1e-9 ? some
                                                           : blank(pg));
    page_paragraph(pg, 2, INK_NONE, "moves", line->str);
}

/* "A EU, B US", and once, what the lines are. */
static void print_legend(struct page *pg, const struct plan_collection *c, bool by_bytes,
                         struct strip_scales *told)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const guint named = MIN(c->zones->len, (guint)ZONES_NAMED);
    bool *scale = by_bytes ? &told->bytes : &told->chunks;
    for (guint i = 0; i < named; i++) {
        g_autofree char *name = page_name(pg, c->zones->pdata[i], ZONE_WIDTH);
        g_string_append_printf(text, "%s%c\xc2\xa0%s", i > 0 ? ", " : "", 'A' + (int)i, name);
    }
    if (named < c->zones->len)
        g_string_append_printf(text, ", %u more", c->zones->len - named);
    if (!*scale)
        g_string_append_printf(text, "%sfrom the lowest key to the highest, each chunk as wide as %s",
                               named > 0 ? "; " : "", by_bytes ? "its data" : "the others");
    *scale = true;
    if (text->len > 0)
        page_paragraph(pg, LABEL, INK_NONE, NULL, text->str);
}

void parts_strip(struct page *pg, const plan *p, const struct plan_collection *c,
                 const struct moves_by_collection *moves, struct strip_scales *told)
{
    struct strip s = {.n = MIN(pg->width - LABEL, (guint)WIDEST)};
    g_autoptr(keyspace) k = keyspace_new(p, c, moves);
    if (k == NULL)
        return;
    keyspace_walk(k, measure, &s);
    if (!(s.whole > 0) || (!s.moves && c->zones->len == 0))
        return;
    s.columns = g_new0(struct column, s.n);
    for (guint i = 0; i < s.n; i++)
        s.columns[i].zone = ZONE_NONE;
    keyspace_walk(k, fill, &s);
    if (c->zones->len > 0)
        print_zones(pg, p, c, &s);
    if (s.moves)
        print_moves(pg, &s);
    print_legend(pg, c, keyspace_by_bytes(k), told);
    g_free(s.columns);
}
