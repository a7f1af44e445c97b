// SPDX-License-Identifier: Apache-2.0
/* What each shard holds before and after: of the cluster, and of one collection. */
#include "balancer/report/loads.h"
#include "balancer/report/text_parts.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

enum { FOLD_SHARDS = 30, BAR_WIDTH = 26 };

static struct shard_load load_of(const plan *p, const struct plan_shard *s)
{
    return loads_of(p->policy->unit, s);
}

static char *load_text(enum load_unit unit, int64_t load)
{
    return unit == LOAD_BYTES ? parts_bytes(load) : load < 0 ? g_strdup("?") : text_count(load);
}

/* The two numbers of a pair, as text; `after` is NULL where nothing changes. */
struct pair {
    char *now, *after;
    enum ink ink;
};

static struct pair pair_of(enum load_unit unit, struct shard_load l)
{
    struct pair pair = {.now = load_text(unit, l.now)};
    if (l.now == l.after)
        return pair;
    pair.after = load_text(unit, l.after);
    /* An approach to the share is what the plan is for. */
    if (l.target >= 0 && ABS(l.after - l.target) < ABS(l.now - l.target))
        pair.ink = INK_GOOD;
    return pair;
}

static struct pair percent_pair(struct shard_load l)
{
    if (l.now < 0 || l.after < 0 || l.target <= 0)
        return (struct pair){.now = g_strdup(l.target == 0 ? "" : "?")};
    double now = round(100.0 * (double)l.now / (double)l.target);
    double after = round(100.0 * (double)l.after / (double)l.target);
    struct pair pair = {.now = g_strdup_printf("%.0f%%", MIN(now, 99999))};
    if (l.now != l.after)
        pair.after = g_strdup_printf("%.0f%%", MIN(after, 99999));
    return pair;
}

/* Pads pairs so that their arrows stand below each other. Takes the strings. */
static void join_pairs(const struct page *pg, struct pair *pairs, guint n, char **ret_cells)
{
    int now = 0, after = 0;
    for (guint i = 0; i < n; i++) {
        now = MAX(now, (int)strlen(pairs[i].now));
        after = MAX(after, pairs[i].after == NULL ? 0 : (int)strlen(pairs[i].after));
    }
    for (guint i = 0; i < n; i++) {
        ret_cells[i] = pairs[i].after == NULL ? g_strdup_printf("%*s", now, pairs[i].now)
                                              : g_strdup_printf("%*s %s %*s", now, pairs[i].now,
                                                                page_arrow(pg), after, pairs[i].after);
        g_free(pairs[i].now);
        g_free(pairs[i].after);
    }
}

static void repeat(GString *out, const char *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        g_string_append(out, s);
}

/* Puts the mark of the share over the column where it lies; a bar that ends before it is prolonged. */
static void mark_share(const struct page *pg, GString *bar, int64_t column)
{
    const char *mark = pg->ascii ? "|" : "\xe2\x94\x82";
    glong length = g_utf8_strlen(bar->str, -1);
    for (; length < column; length++)
        g_string_append_c(bar, ' ');
    const gssize at = g_utf8_offset_to_pointer(bar->str, (glong)column) - bar->str;
    if ((gsize)at < bar->len)
        g_string_erase(bar, at, g_utf8_next_char(bar->str + at) - (bar->str + at));
    g_string_insert(bar, at, mark);
}

static int64_t largest(struct shard_load l)
{
    return MAX(l.target, MAX(l.now, l.after));
}

/* What stays, leaves and arrives, to the scale of the fullest shard, and where its share ends. */
static char *bar(const struct page *pg, struct shard_load l, int64_t scale)
{
    const char *stay = pg->ascii ? "#" : "\xe2\x96\x88", *leave = pg->ascii ? "-" : "\xe2\x96\x91",
               *arrive = pg->ascii ? "+" : "\xe2\x96\x92";
    GString *out = g_string_new(NULL);
    if (l.now < 0 || l.after < 0 || scale <= 0)
        return g_string_free(out, FALSE);
    double unit = BAR_WIDTH / (double)scale;
    int64_t kept = llround((double)MIN(l.now, l.after) * unit);
    repeat(out, stay, kept);
    repeat(out, l.after < l.now ? leave : arrive, llround((double)MAX(l.now, l.after) * unit) - kept);
    if (l.target >= 0)
        mark_share(pg, out, MIN(llround((double)l.target * unit), BAR_WIDTH - 1));
    return g_string_free(out, FALSE);
}

static const char *bar_title(const struct page *pg)
{
    return pg->ascii ? "# stays - out + in | share"
                     : "\xe2\x96\x88 stays \xe2\x96\x91 out \xe2\x96\x92 in \xe2\x94\x82 share";
}

static char *zones_of(const struct page *pg, const plan *p, const struct plan_collection *c, uint16_t shard)
{
    const struct shard *s = &p->cl->shards[shard];
    GString *out = g_string_new(NULL);
    for (uint32_t i = 0; i < s->n_zones; i++) {
        const char *zone = p->cl->zones[s->zones[i]];
        for (guint k = 0; c->zones != NULL && k < c->zones->len; k++) {
            if (strcmp(zone, g_ptr_array_index(c->zones, k)) != 0)
                continue;
            g_autofree char *name = page_name(pg, zone, 0);
            g_string_append_printf(out, "%s%s", out->len > 0 ? ", " : "", name);
            break;
        }
    }
    return g_string_free(out, FALSE);
}

static char *shard_label(const struct page *pg, const plan *p, uint16_t shard)
{
    g_autofree char *name = parts_shard(pg, p, shard, 0);
    bool draining = shard < p->cl->n_shards && p->cl->shards[shard].draining;
    return g_strdup_printf("%s%s", name, draining ? " (draining)" : "");
}

/* Every shard where all fit, else those that change, up to the limit. Pointers to struct plan_shard. */
static GPtrArray *rows_to_show(const struct page *pg, const struct plan_collection *c)
{
    GPtrArray *rows = g_ptr_array_new();
    bool fold = !pg->all && c->n_shards > FOLD_SHARDS;
    for (uint32_t i = 0; i < c->n_shards; i++) {
        struct plan_shard *s = &c->shards[i];
        bool changes = s->chunks != s->chunks_after || s->bytes != s->bytes_after;
        if (!fold || (changes && rows->len < FOLD_SHARDS))
            g_ptr_array_add(rows, s);
    }
    return rows;
}

enum { COL_SHARD, COL_ZONES, COL_CHUNKS, COL_DATA, COL_TARGET, COL_PERCENT, COL_BAR, COL_COUNT };

/* The columns' paired cells: three columns of `rows`, one behind the other. */
static char **paired_cells(const struct page *pg, const plan *p, const GPtrArray *rows, enum ink *ret_inks)
{
    guint n = rows->len;
    g_autofree struct pair *pairs = g_new0(struct pair, 3 * (gsize)n);
    char **cells = g_new0(char *, 3 * (gsize)n);
    for (guint i = 0; i < n; i++) {
        const struct plan_shard *s = g_ptr_array_index(rows, i);
        pairs[i] =
            pair_of(LOAD_CHUNKS, (struct shard_load){s->shard, s->chunks, s->chunks_after, s->target_chunks});
        pairs[n + i] =
            pair_of(LOAD_BYTES, (struct shard_load){s->shard, s->bytes, s->bytes_after, s->target_bytes});
        pairs[2 * n + i] = percent_pair(load_of(p, s));
        ret_inks[i] = (p->policy->unit == LOAD_BYTES ? pairs[n + i] : pairs[i]).ink;
    }
    for (guint k = 0; k < 3; k++)
        join_pairs(pg, pairs + (size_t)k * n, n, cells + (size_t)k * n);
    return cells;
}

static void fill_rows(page_table *t, const struct page *pg, const plan *p, const struct plan_collection *c,
                      const GPtrArray *rows)
{
    guint n = rows->len;
    int64_t scale = 0;
    for (guint i = 0; i < n; i++)
        scale = MAX(scale, largest(load_of(p, g_ptr_array_index(rows, i))));
    g_autofree enum ink *inks = g_new0(enum ink, n);
    g_autofree char **cells = paired_cells(pg, p, rows, inks);
    for (guint i = 0; i < n; i++) {
        const struct plan_shard *s = g_ptr_array_index(rows, i);
        struct shard_load l = load_of(p, s);
        bool chunks = p->policy->unit == LOAD_CHUNKS;
        page_table_row(t);
        page_table_cell(t, p->cl->shards[s->shard].draining ? INK_ALERT : INK_NONE,
                        shard_label(pg, p, s->shard));
        page_table_cell(t, INK_NONE, zones_of(pg, p, c, s->shard));
        page_table_cell(t, chunks ? inks[i] : INK_NONE, cells[i]);
        page_table_cell(t, chunks ? INK_NONE : inks[i], cells[n + i]);
        page_table_cell(t, INK_NONE, load_text(p->policy->unit, l.target));
        page_table_cell(t, INK_NONE, cells[2 * n + i]);
        page_table_cell(t, INK_NONE, bar(pg, l, scale));
    }
}

void parts_shard_table(struct page *pg, const plan *p, const struct plan_collection *c)
{
    bool chunks = p->policy->unit == LOAD_CHUNKS;
    const struct page_column columns[COL_COUNT] = {
        [COL_SHARD] = {"SHARD", 0, 24, false},
        [COL_ZONES] = {"ZONES", 4, 6, false},
        [COL_CHUNKS] = {"CHUNKS", chunks ? 0 : 3, 0, false},
        [COL_DATA] = {"DATA", chunks ? 3 : 0, 0, false},
        [COL_TARGET] = {"SHARE", 5, 0, true},
        [COL_PERCENT] = {"OF SHARE", 2, 0, false},
        [COL_BAR] = {bar_title(pg), 6, 0, false},
    };
    g_autoptr(GPtrArray) rows = rows_to_show(pg, c);
    if (rows->len > 0) {
        g_autoptr(page_table) t = page_table_new(pg, 2, columns, COL_COUNT);
        fill_rows(t, pg, p, c, rows);
        page_table_print(t);
    }
    parts_more(pg, 2, c->n_shards - rows->len, "shard");
}

/* ---- the cluster ---- */

/* Every shard where all fit, else those that change, up to the limit. */
static void keep_interesting(const struct page *pg, GArray *loads)
{
    guint n = 0;
    if (pg->all || loads->len <= FOLD_SHARDS)
        return;
    for (guint i = 0; i < loads->len && n < FOLD_SHARDS; i++) {
        const struct shard_load l = g_array_index(loads, struct shard_load, i);
        if (l.now != l.after)
            g_array_index(loads, struct shard_load, n++) = l;
    }
    g_array_set_size(loads, n);
}

static void fill_cluster(page_table *t, const struct page *pg, const plan *p, enum load_unit unit,
                         const GArray *loads)
{
    const guint n = loads->len;
    int64_t scale = 0;
    g_autofree struct pair *pairs = g_new0(struct pair, 2 * (gsize)n);
    g_autofree char **cells = g_new0(char *, 2 * (gsize)n);
    g_autofree enum ink *inks = g_new0(enum ink, n);
    for (guint i = 0; i < n; i++) {
        const struct shard_load l = g_array_index(loads, struct shard_load, i);
        scale = MAX(scale, largest(l));
        pairs[i] = pair_of(unit, l);
        pairs[n + i] = percent_pair(l);
        inks[i] = pairs[i].ink;
    }
    join_pairs(pg, pairs, n, cells);
    join_pairs(pg, pairs + n, n, cells + n);
    for (guint i = 0; i < n; i++) {
        const struct shard_load l = g_array_index(loads, struct shard_load, i);
        page_table_row(t);
        page_table_cell(t, p->cl->shards[l.shard].draining ? INK_ALERT : INK_NONE,
                        shard_label(pg, p, l.shard));
        page_table_cell(t, inks[i], cells[i]);
        page_table_cell(t, INK_NONE, load_text(unit, l.target));
        page_table_cell(t, INK_NONE, cells[n + i]);
        page_table_cell(t, INK_NONE, bar(pg, l, scale));
    }
}

void parts_shards(struct page *pg, const plan *p)
{
    enum load_unit unit;
    guint moving = 0;
    for (guint i = 0; i < p->collections->len; i++)
        moving += g_array_index(p->collections, struct plan_collection, i).n_migrations > 0 ? 1 : 0;
    if (moving < 2) /* the table of the one says it all */
        return;
    g_autoptr(GArray) loads = loads_of_cluster(p, &unit);
    const guint all = loads->len;
    const struct page_column columns[] = {{"SHARD", 0, 24, false},
                                          {unit == LOAD_BYTES ? "DATA" : "CHUNKS", 0, 0, false},
                                          {"SHARE", 4, 0, true},
                                          {"OF SHARE", 2, 0, false},
                                          {bar_title(pg), 3, 0, false}};
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, "All collections together");
    keep_interesting(pg, loads);
    if (loads->len > 0) {
        g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
        fill_cluster(t, pg, p, unit, loads);
        page_table_print(t);
    }
    parts_more(pg, 2, all - loads->len, "shard");
}
