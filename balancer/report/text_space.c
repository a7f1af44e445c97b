// SPDX-License-Identifier: Apache-2.0
/* What shards hold at the peak; what a change of zones comes to. */
#include "balancer/report/text_parts.h"
#include "common/text.h"

enum { FOLD_SHARDS = 30, FOLD_FAULTS = 20 };

static bool takes_part(const struct plan_peak *k)
{
    return k->bytes_in > 0 || k->bytes_out > 0;
}

static void heading(struct page *pg, const char *title)
{
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, title);
}

enum {
    COL_SHARD,
    COL_DATA,
    COL_ORPHANS,
    COL_IN,
    COL_OUT,
    COL_PEAK,
    COL_PROMPT,
    COL_AFTER,
    COL_LIMIT,
    COL_COUNT
};

/* Which columns have something to say. */
static void choose_columns(const plan *p, bool show[COL_COUNT])
{
    for (unsigned i = 0; i < COL_COUNT; i++)
        show[i] = i != COL_ORPHANS && i != COL_PROMPT && i != COL_LIMIT;
    for (guint i = 0; i < p->peaks->len; i++) {
        const struct plan_peak *k = &g_array_index(p->peaks, struct plan_peak, i);
        show[COL_ORPHANS] |= takes_part(k) && k->orphan_bytes > 0;
        show[COL_PROMPT] |= takes_part(k) && k->prompt_peak != k->peak;
        show[COL_LIMIT] |= takes_part(k) && k->limit >= 0;
    }
}

static char *peak_cell(const struct page *pg, const plan *p, const struct plan_peak *k, unsigned column)
{
    switch (column) {
    case COL_SHARD:
        return parts_shard(pg, p, k->shard, 0);
    case COL_DATA:
        return parts_bytes(k->bytes);
    case COL_ORPHANS:
        return parts_bytes(k->orphan_bytes);
    case COL_IN:
        return parts_bytes(k->bytes_in);
    case COL_OUT:
        return parts_bytes(k->bytes_out);
    case COL_PEAK:
        return parts_bytes(k->peak);
    case COL_PROMPT:
        return parts_bytes(k->prompt_peak);
    case COL_AFTER:
        return parts_bytes(k->bytes + k->bytes_in - k->bytes_out);
    default:
        return k->limit < 0 ? g_strdup("-") : parts_bytes(k->limit);
    }
}

static void add_peak(page_table *t, const struct page *pg, const plan *p, const struct plan_peak *k,
                     const bool show[COL_COUNT])
{
    bool over = k->limit >= 0 && k->peak > k->limit;
    page_table_row(t);
    for (unsigned i = 0; i < COL_COUNT; i++)
        if (show[i])
            page_table_cell(t, i == COL_PEAK && over ? INK_ALERT : INK_NONE, peak_cell(pg, p, k, i));
}

static guint count_parts(const plan *p)
{
    guint n = 0;
    for (guint i = 0; i < p->peaks->len; i++)
        n += takes_part(&g_array_index(p->peaks, struct plan_peak, i)) ? 1 : 0;
    return n;
}

void parts_space(struct page *pg, const plan *p)
{
    static const struct page_column all[COL_COUNT] = {
        [COL_SHARD] = {"SHARD", 0, 10, false},   [COL_DATA] = {"DATA", 0, 0, true},
        [COL_ORPHANS] = {"ORPHANS", 3, 0, true}, [COL_IN] = {"ARRIVES", 1, 0, true},
        [COL_OUT] = {"LEAVES", 2, 0, true},      [COL_PEAK] = {"PEAK", 0, 0, true},
        [COL_PROMPT] = {"PROMPT", 4, 0, true},   [COL_AFTER] = {"AFTER", 0, 0, true},
        [COL_LIMIT] = {"LIMIT", 1, 0, true},
    };
    guint n = count_parts(p), shown = 0;
    struct page_column columns[COL_COUNT];
    bool show[COL_COUNT];
    unsigned n_columns = 0;
    if (n == 0)
        return;
    choose_columns(p, show);
    for (unsigned i = 0; i < COL_COUNT; i++)
        if (show[i])
            columns[n_columns++] = all[i];
    heading(pg, "Space");
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, n_columns);
    for (guint i = 0; i < p->peaks->len && (pg->all || shown < FOLD_SHARDS); i++) {
        const struct plan_peak *k = &g_array_index(p->peaks, struct plan_peak, i);
        if (takes_part(k)) {
            add_peak(t, pg, p, k, show);
            shown++;
        }
    }
    page_table_print(t);
    parts_more(pg, 2, n - shown, "shard");
    if (show[COL_PROMPT])
        page_paragraph(pg, 2, INK_NONE, NULL,
                       "The peak counts what leaves as still there, since it is deleted some time after its "
                       "migration; prompt is the peak where it is deleted at once.");
}

static void zone_moves(struct page *pg, const plan *p)
{
    static const struct page_column columns[] = {
        {"ZONE", 0, 10, false},   {"SHARD", 0, 10, false},       {"MIGRATIONS OUT", 2, 0, true},
        {"DATA OUT", 0, 0, true}, {"MIGRATIONS IN", 2, 0, true}, {"DATA IN", 0, 0, true},
    };
    guint n = pg->all ? p->zone_moves->len : MIN(p->zone_moves->len, FOLD_SHARDS);
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < n; i++) {
        const struct plan_zone_move *m = &g_array_index(p->zone_moves, struct plan_zone_move, i);
        page_table_row(t);
        page_table_cell(t, INK_NONE, page_name(pg, cluster_zone_name(p->cl, m->zone), 0));
        page_table_cell(t, INK_NONE, parts_shard(pg, p, m->shard, 0));
        page_table_cell(t, INK_NONE, text_count(m->n_out));
        page_table_cell(t, INK_NONE, parts_bytes(m->bytes_out));
        page_table_cell(t, INK_NONE, text_count(m->n_in));
        page_table_cell(t, INK_NONE, parts_bytes(m->bytes_in));
    }
    page_table_print(t);
    parts_more(pg, 2, p->zone_moves->len - n, "line");
}

void parts_zone_change(struct page *pg, const plan *p)
{
    if (!changes_have(p->whatif, CHANGE_ZONES))
        return;
    heading(pg, "The change of zones");
    if (p->zone_moves->len > 0)
        zone_moves(pg, p);
    else
        page_paragraph(pg, 2, INK_NONE, NULL, "Nothing moves.");
    guint n = pg->all ? p->zone_faults->len : MIN(p->zone_faults->len, FOLD_FAULTS);
    for (guint i = 0; i < n; i++) {
        const struct plan_zone_fault *f = &g_array_index(p->zone_faults, struct plan_zone_fault, i);
        g_autofree char *why = page_elide(pg, f->why, 0);
        page_paragraph(pg, 2, INK_ALERT, "impossible:", why);
    }
    parts_more(pg, 2, p->zone_faults->len - n, "impossible thing");
}
