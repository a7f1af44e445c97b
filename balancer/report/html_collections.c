// SPDX-License-Identifier: Apache-2.0
/* Where the data lies before and after: the cluster, the collections, and those with something to say. */
#include "balancer/key/show.h"
#include "balancer/report/html_private.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <string.h>

static const struct plan_collection *collection_at(const plan *p, guint i)
{
    return &g_array_index(p->collections, struct plan_collection, i);
}

/* ---- the cluster ---- */

void html_shards(struct html *h)
{
    const plan *p = h->p;
    enum load_unit unit;
    g_autoptr(GArray) rows = loads_of_cluster(p, &unit);
    if (p->collections->len == 0)
        return;
    section_open(h->out, "shards", unit == LOAD_BYTES ? "Data per shard" : "Chunks per shard",
                 "All collections that are balanced, together.");
    put_shard_table(h, "Shards of the cluster, before and after", unit, rows, HTML_SHARDS, NULL);
    section_close(h->out);
}

/* ---- the table of collections ---- */

static bool has_something_to_say(const struct plan_collection *c)
{
    return c->status == PLAN_IMBALANCED || c->n_migrations > 0 || c->n_splits > 0;
}

/* What moves most first, then what is not balanced, then what is largest; plan order between equals. */
static gint by_weight(gconstpointer a, gconstpointer b)
{
    const struct plan_collection *x = *(const struct plan_collection *const *)a;
    const struct plan_collection *y = *(const struct plan_collection *const *)b;
    const int64_t keys[][2] = {{x->bytes_moved, y->bytes_moved},
                               {x->n_migrations, y->n_migrations},
                               {has_something_to_say(x), has_something_to_say(y)},
                               {x->status == PLAN_EXCLUDED, y->status == PLAN_EXCLUDED},
                               {x->bytes, y->bytes},
                               {x->chunks, y->chunks}};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] > keys[i][1] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static GPtrArray *in_order(const plan *p)
{
    GPtrArray *list = g_ptr_array_new();
    for (guint i = 0; i < p->collections->len; i++)
        g_ptr_array_add(list, (gpointer)collection_at(p, i));
    g_ptr_array_sort(list, by_weight);
    return list;
}

static void put_status(GString *out, const struct plan_collection *c)
{
    static const char *const tones[] = {"good", "warn", "quiet"};
    putf(out, "<span class=\"tag %s\">%s</span>", tones[c->status], plan_status_text(c->status));
    if (c->status == PLAN_EXCLUDED && c->excluded != EXCLUDED_NO)
        putf(out, " <span class=\"dim small\">%s</span>", excluded_text(c->excluded));
}

static void put_collection_row(struct html *h, const struct plan_collection *c, guint detail)
{
    put(h->out, "<tr><th scope=\"row\">");
    if (detail < HTML_DETAILS)
        putf(h->out, "<a href=\"#c%u\">", detail);
    put_name(h->out, "", c->coll->ns);
    put(h->out, detail < HTML_DETAILS ? "</a></th><td>" : "</th><td>");
    put_status(h->out, c);
    put(h->out, "</td>");
    cell_count(h->out, c->chunks);
    cell_bytes(h->out, c->bytes);
    cell_count(h->out, c->n_migrations);
    cell_bytes(h->out, c->n_migrations > 0 ? c->bytes_moved : 0);
    put(h->out, "<td class=\"num\">");
    if (c->status != PLAN_EXCLUDED)
        words_percent(h->out, c->imbalance_before);
    put(h->out, "</td><td class=\"num\">");
    if (c->status != PLAN_EXCLUDED)
        words_percent(h->out, c->imbalance_after);
    put(h->out, "</td></tr>\n");
}

void html_collections(struct html *h)
{
    static const struct html_column columns[] = {{.title = "Collection"},
                                                 {.title = "Status"},
                                                 {.title = "Chunks", .number = true},
                                                 {.title = "Data", .number = true},
                                                 {.title = "Migrations", .number = true},
                                                 {.title = "Moved", .number = true},
                                                 {.title = "Over share", .number = true},
                                                 {.title = "After", .number = true},
                                                 {.title = NULL}};
    g_autoptr(GPtrArray) list = in_order(h->p);
    const guint shown = MIN(list->len, (guint)HTML_COLLECTIONS);
    if (shown == 0)
        return;
    section_open(h->out, "collections", "Collections", NULL);
    table_open(h->out, "Collections, those that move most first", true, columns);
    for (guint i = 0; i < shown; i++)
        put_collection_row(h, list->pdata[i], has_something_to_say(list->pdata[i]) ? i : (guint)HTML_DETAILS);
    table_close(h->out);
    put_rest(h->out, shown, list->len, " with less to move");
    section_close(h->out);
}

/* ---- each collection ---- */

static void put_facts_of(struct html *h, const struct plan_collection *c)
{
    g_autoptr(GString) key = g_string_new(NULL);
    put(h->out, "<p class=\"meta\">");
    if (c->coll->key != NULL) {
        key_show(key, &c->coll->key->doc, HTML_BOUND);
        put(h->out, "<span>key ");
        put_name(h->out, "key", key->str);
        put(h->out, "</span>");
    }
    put(h->out, "<span>");
    put_n(h->out, c->chunks, "chunk");
    if (c->bytes >= 0) {
        put(h->out, ", ");
        put_bytes(h->out, c->bytes);
    }
    put(h->out, "</span><span>");
    put_n(h->out, c->n_migrations, "migration");
    if (c->n_migrations > 0 && c->bytes_moved >= 0) {
        put(h->out, ", ");
        put_bytes(h->out, c->bytes_moved);
    }
    put(h->out, "</span>");
    if (c->n_splits > 0) {
        put(h->out, "<span>");
        put_n(h->out, c->n_splits, "split");
        put(h->out, "</span>");
    }
    if (c->violation != NULL) {
        put(h->out, "<span>because of ");
        put_text(h->out, c->violation);
        put(h->out, "</span>");
    }
    put(h->out, c->sizes_assumed ? "<span>sizes assumed</span></p>\n" : "</p>\n");
}

static void put_detail(struct html *h, const struct plan_collection *c, guint number)
{
    const enum load_unit unit = loads_unit(h->p, c);
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(struct shard_load));
    g_autoptr(GString) caption = g_string_new(NULL);
    for (uint32_t i = 0; i < c->n_shards; i++) {
        const struct shard_load l = loads_of(unit, &c->shards[i]);
        g_array_append_val(rows, l);
    }
    putf(h->out, "<details class=\"card part\" id=\"c%u\"%s><summary><h3>", number,
         number < HTML_DETAILS_OPEN ? " open=\"open\"" : "");
    put_name(h->out, "", c->coll->ns);
    put(h->out, "</h3>");
    put_status(h->out, c);
    put(h->out, "<span class=\"num\">");
    put_n(h->out, c->n_migrations, "migration");
    put(h->out, "</span></summary>\n");
    put_facts_of(h, c);
    put_map(h, c, number);
    text_append_escaped(caption, c->coll->ns, -1);
    put(caption, unit == LOAD_BYTES ? ": data per shard" : ": chunks per shard");
    put_shard_table(h, caption->str, unit, rows, HTML_COLLECTION_SHARDS, c);
    put(h->out, "</details>\n");
}

void html_details(struct html *h)
{
    g_autoptr(GPtrArray) list = in_order(h->p);
    guint n = 0, all = 0;
    for (guint i = 0; i < list->len; i++)
        all += has_something_to_say(list->pdata[i]) ? 1 : 0;
    if (all == 0)
        return;
    put(h->out, "<section class=\"parts\" id=\"details\" aria-labelledby=\"details-title\">\n"
                "<h2 id=\"details-title\">Key space and shards of each collection</h2>\n");
    for (; n < list->len && n < HTML_DETAILS && has_something_to_say(list->pdata[n]); n++)
        put_detail(h, list->pdata[n], n);
    put_rest(h->out, n, all, " that change, in the table above");
    section_close(h->out);
}
