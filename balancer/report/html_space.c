// SPDX-License-Identifier: Apache-2.0
/* What a plan does to the space of its shards, what a change of zones comes to, and advice. */
#include "balancer/report/html_private.h"
#include "common/text.h"

#include <string.h>

/* ---- what if ---- */

void html_whatif(struct html *h)
{
    const change_list *c = h->p->whatif;
    const guint n = c == NULL ? 0 : c->list->len, shown = MIN(n, (guint)HTML_NOTES);
    if (n == 0)
        return;
    section_open(h->out, "whatif", "What if", "The plan rests on changes that the cluster does not have.");
    put(h->out, "<ul class=\"notes\">\n");
    for (guint i = 0; i < shown; i++) {
        g_autofree char *text = change_text(&g_array_index(c->list, struct wished, i));
        put(h->out, "<li>");
        put_text(h->out, text);
        put(h->out, "</li>\n");
    }
    put(h->out, "</ul>\n");
    put_rest(h->out, shown, n, "");
    section_close(h->out);
}

/* ---- a change of zones ---- */

static void put_zone_faults(struct html *h)
{
    const GArray *list = h->p->zone_faults;
    const guint shown = MIN(list->len, (guint)HTML_NOTES);
    if (shown == 0)
        return;
    put(h->out, "<ul class=\"notes\">\n");
    for (guint i = 0; i < shown; i++) {
        put(h->out, "<li><span class=\"tag warn\">impossible</span> ");
        put_text(h->out, g_array_index(list, struct plan_zone_fault, i).why);
        put(h->out, "</li>\n");
    }
    put(h->out, "</ul>\n");
    put_rest(h->out, shown, list->len, "");
}

void html_zone_change(struct html *h)
{
    static const struct html_column columns[] = {{.title = "Zone"},
                                                 {.title = "Shard"},
                                                 {.title = "Migrations out", .number = true},
                                                 {.title = "Data out", .number = true},
                                                 {.title = "Migrations in", .number = true},
                                                 {.title = "Data in", .number = true},
                                                 {.title = NULL}};
    const GArray *list = h->p->zone_moves;
    const guint shown = MIN(list->len, (guint)HTML_SHARDS);
    if (!changes_have(h->p->whatif, CHANGE_ZONES))
        return;
    section_open(h->out, "zone-change", "The change of zones", shown == 0 ? "Nothing moves." : NULL);
    put_zone_faults(h);
    if (shown > 0)
        table_open(h->out, "What leaves and comes, by zone and shard", true, columns);
    for (guint i = 0; i < shown; i++) {
        const struct plan_zone_move *m = &g_array_index(list, struct plan_zone_move, i);
        put(h->out, "<tr><th scope=\"row\">");
        put_swatch(h->out, m->zone);
        put(h->out, " ");
        put_name(h->out, "", cluster_zone_name(h->p->cl, m->zone));
        put(h->out, "</th><td>");
        put_shard(h->out, h->p, m->shard);
        put(h->out, "</td>");
        cell_count(h->out, m->n_out);
        cell_bytes(h->out, m->bytes_out);
        cell_count(h->out, m->n_in);
        cell_bytes(h->out, m->bytes_in);
        put(h->out, "</tr>\n");
    }
    if (shown > 0)
        table_close(h->out);
    put_rest(h->out, shown, list->len, "");
    section_close(h->out);
}

/* ---- space ---- */

static bool takes_part(const struct plan_peak *k)
{
    return k->bytes_in > 0 || k->bytes_out > 0;
}

/* Columns that only some plans have something for. */
struct space_columns {
    bool orphans, prompt, limit;
};

static struct space_columns columns_of(const plan *p, guint *ret_rows)
{
    struct space_columns c = {false, false, false};
    for (guint i = 0; i < p->peaks->len; i++) {
        const struct plan_peak *k = &g_array_index(p->peaks, struct plan_peak, i);
        if (!takes_part(k))
            continue;
        ++*ret_rows;
        c.orphans |= k->orphan_bytes > 0;
        c.prompt |= k->prompt_peak != k->peak;
        c.limit |= k->limit >= 0;
    }
    return c;
}

static void put_peak(struct html *h, const struct plan_peak *k, struct space_columns c)
{
    const bool over = k->limit >= 0 && k->peak > k->limit;
    put(h->out, "<tr><th scope=\"row\">");
    put_shard(h->out, h->p, k->shard);
    put(h->out, over ? " <span class=\"tag bad\">too full</span></th>" : "</th>");
    cell_bytes(h->out, k->bytes);
    if (c.orphans)
        cell_bytes(h->out, k->orphan_bytes);
    cell_bytes(h->out, k->bytes_in);
    cell_bytes(h->out, k->bytes_out);
    cell_bytes(h->out, k->peak);
    if (c.prompt)
        cell_bytes(h->out, k->prompt_peak);
    cell_bytes(h->out, k->bytes + k->bytes_in - k->bytes_out);
    if (c.limit)
        cell_bytes(h->out, k->limit);
    put(h->out, "</tr>\n");
}

static void open_space_table(struct html *h, struct space_columns c)
{
    const struct {
        bool there;
        const char *title;
    } all[] = {{true, "Data"}, {c.orphans, "Orphans"},    {true, "Arrives"}, {true, "Leaves"},
               {true, "Peak"}, {c.prompt, "Prompt peak"}, {true, "After"},   {c.limit, "Limit"}};
    struct html_column columns[G_N_ELEMENTS(all) + 2] = {{.title = "Shard"}};
    guint n = 1;
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        if (all[i].there)
            columns[n++] = (struct html_column){.title = all[i].title, .number = true};
    table_open(h->out, "Space of the shards that take part", true, columns);
}

void html_space(struct html *h)
{
    guint n = 0, shown = 0;
    const struct space_columns c = columns_of(h->p, &n);
    if (n == 0)
        return;
    section_open(h->out, "space", "Space",
                 "What each shard holds at the peak, while what leaves it is not deleted yet.");
    open_space_table(h, c);
    for (guint i = 0; i < h->p->peaks->len && shown < HTML_SHARDS; i++) {
        const struct plan_peak *k = &g_array_index(h->p->peaks, struct plan_peak, i);
        if (!takes_part(k))
            continue;
        put_peak(h, k, c);
        shown++;
    }
    table_close(h->out);
    if (c.prompt)
        put(h->out, "<p class=\"more\">The prompt peak is where each range is deleted at once from where it "
                    "came.</p>\n");
    put_rest(h->out, shown, n, "");
    section_close(h->out);
}

/* ---- advice ---- */

static void put_advice(struct html *h, const struct plan_advice *a)
{
    put(h->out, "<li><p><span class=\"tag busy\">");
    put_text(h->out, a->code);
    put(h->out, "</span> ");
    if (a->coll != NULL) {
        put_name(h->out, "strong", a->coll->ns);
        put(h->out, " ");
    }
    put_text(h->out, a->message);
    put(h->out, "</p>");
    if (a->todo != NULL && *a->todo != '\0') {
        put(h->out, "<p><strong>What to do:</strong> ");
        put_text(h->out, a->todo);
        put(h->out, "</p>");
    }
    if (a->commands != NULL && *a->commands != '\0') {
        g_auto(GStrv) lines = g_strsplit(a->commands, "\n", -1);
        put(h->out, "<pre tabindex=\"0\"><code>");
        for (char **line = lines; *line != NULL; line++) {
            put(h->out, line == lines ? "" : "\n");
            put_text(h->out, *line);
        }
        put(h->out, "</code></pre>");
    }
    put(h->out, "</li>\n");
}

void html_advice(struct html *h)
{
    const GArray *list = h->p->advice;
    const guint shown = MIN(list->len, (guint)HTML_NOTES);
    if (shown == 0)
        return;
    section_open(h->out, "advice", "Advice", NULL);
    put(h->out, "<ul class=\"notes\">\n");
    for (guint i = 0; i < shown && i < HTML_ADVICE_OPEN; i++)
        put_advice(h, &g_array_index(list, struct plan_advice, i));
    put(h->out, "</ul>\n");
    if (shown > HTML_ADVICE_OPEN) {
        putf(h->out, "<details><summary>%u more</summary><ul class=\"notes\">\n", shown - HTML_ADVICE_OPEN);
        for (guint i = HTML_ADVICE_OPEN; i < shown; i++)
            put_advice(h, &g_array_index(list, struct plan_advice, i));
        put(h->out, "</ul></details>\n");
    }
    put_rest(h->out, shown, list->len, "");
    section_close(h->out);
}
