// SPDX-License-Identifier: Apache-2.0
/* Per collection: what each shard holds before and after; then what is balanced or left out. */
#include "balancer/key/show.h"
#include "balancer/report/text_parts.h"
#include "balancer/report/words.h"
#include "common/text.h"

enum { FOLD_COLLECTIONS = 10, FOLD_LISTED = 10 };

static void append_moves(GString *out, const struct plan_collection *c)
{
    words_n(out, c->n_migrations, "migration");
    if (c->n_splits > 0) {
        g_string_append(out, ", ");
        words_n(out, c->n_splits, "split");
    }
    if (c->n_migrations > 0 && c->bytes_moved >= 0) {
        g_string_append(out, ", ");
        text_append_bytes(out, c->bytes_moved);
        g_string_append(out, " moved");
    }
}

static void collection_head(struct page *pg, const struct plan_collection *c)
{
    g_autoptr(GString) line = g_string_new(NULL), key = g_string_new(NULL), moves = g_string_new(NULL);
    g_autofree char *ns = page_name(pg, c->coll->ns, pg->width);
    if (c->coll->key != NULL) {
        key_show(key, &c->coll->key->doc, 60);
        g_autofree char *shown = page_elide(pg, key->str, pg->width - 4);
        g_string_append_printf(line, "key %s%s", shown, page_dot(pg));
    }
    g_string_append(line, plan_status_text(c->status));
    if (c->violation != NULL)
        g_string_append_printf(line, " (%s)", c->violation);
    g_string_append(line, page_dot(pg));
    append_moves(moves, c);
    page_glue_units(moves);
    g_string_append(line, moves->str);
    if (c->sizes_assumed)
        g_string_append_printf(line, "%ssizes assumed", page_dot(pg));
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, ns);
    page_paragraph(pg, 2, INK_NONE, NULL, line->str);
}

static const struct plan_collection *collection_at(const plan *p, guint i)
{
    return &g_array_index(p->collections, struct plan_collection, i);
}

/* Numbers of the collections for which something is blocked. */
static GHashTable *blocked_set(const plan *p)
{
    GHashTable *set = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < p->blocked->len; i++)
        g_hash_table_add(set, (gpointer)g_array_index(p->blocked, struct plan_blocked, i).coll);
    return set;
}

static bool has_something_to_say(const struct plan_collection *c, GHashTable *blocked)
{
    return c->status != PLAN_EXCLUDED && (c->status == PLAN_IMBALANCED || c->n_migrations > 0 ||
                                          c->n_splits > 0 || g_hash_table_contains(blocked, c->coll));
}

/* The most work first; plan order between equals. */
static gint by_work(gconstpointer a, gconstpointer b)
{
    const struct plan_collection *x = *(const struct plan_collection *const *)a;
    const struct plan_collection *y = *(const struct plan_collection *const *)b;
    if (x->bytes_moved != y->bytes_moved)
        return x->bytes_moved < y->bytes_moved ? 1 : -1;
    if (x->n_migrations != y->n_migrations)
        return x->n_migrations < y->n_migrations ? 1 : -1;
    return x < y ? -1 : x > y;
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    const struct plan_collection *x = *(const struct plan_collection *const *)a;
    const struct plan_collection *y = *(const struct plan_collection *const *)b;
    return x < y ? -1 : x > y;
}

static void collection_tables(struct page *pg, const plan *p)
{
    struct moves_by_collection moves;
    struct strip_scales told = {false, false};
    g_autoptr(GHashTable) blocked = blocked_set(p);
    g_autoptr(GPtrArray) shown = g_ptr_array_new();
    for (guint i = 0; i < p->collections->len; i++) {
        if (has_something_to_say(collection_at(p, i), blocked))
            g_ptr_array_add(shown, (gpointer)collection_at(p, i));
    }
    guint all = shown->len;
    if (!pg->all && all > FOLD_COLLECTIONS) {
        g_ptr_array_sort(shown, by_work);
        g_ptr_array_set_size(shown, FOLD_COLLECTIONS);
        g_ptr_array_sort(shown, by_place);
    }
    moves_by_collection_init(&moves, p);
    for (guint i = 0; i < shown->len; i++) {
        collection_head(pg, g_ptr_array_index(shown, i));
        parts_strip(pg, p, g_ptr_array_index(shown, i), &moves, &told);
        parts_shard_table(pg, p, g_ptr_array_index(shown, i));
    }
    moves_by_collection_clear(&moves);
    if (all > shown->len)
        page_blank(pg);
    parts_more(pg, 0, all - shown->len, "collection");
}

/* One line for each collection of that status, with the reason where it is left out. */
static void collection_list(struct page *pg, const GPtrArray *list, bool excluded)
{
    const struct page_column columns[] = {
        {"COLLECTION", 0, 12, false},
        {"REASON", 1, 8, false},
        {"CHUNKS", 2, 0, true},
        {"DATA", 3, 0, true},
    };
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    guint n = pg->all ? list->len : MIN(list->len, FOLD_LISTED);
    for (guint i = 0; i < n; i++) {
        const struct plan_collection *c = g_ptr_array_index(list, i);
        page_table_row(t);
        page_table_cell(t, INK_NONE, page_name(pg, c->coll->ns, pg->width));
        page_table_cell(t, INK_NONE, g_strdup(excluded ? excluded_text(c->excluded) : ""));
        page_table_cell(t, INK_NONE, text_count(c->chunks));
        page_table_cell(t, INK_NONE, parts_bytes(c->bytes));
    }
    page_table_print(t);
    parts_more(pg, 2, list->len - n, "collection");
}

static void quiet_collections(struct page *pg, const plan *p, enum plan_status status)
{
    g_autoptr(GHashTable) blocked = blocked_set(p);
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (guint i = 0; i < p->collections->len; i++) {
        const struct plan_collection *c = collection_at(p, i);
        if (c->status == status && !has_something_to_say(c, blocked))
            g_ptr_array_add(list, (gpointer)c);
    }
    if (list->len == 0)
        return;
    bool listed = pg->all || status == PLAN_EXCLUDED;
    g_autoptr(GString) line = g_string_new(NULL);
    words_n(line, list->len, "collection");
    g_string_append_printf(line, " %s %s%c", list->len == 1 ? "is" : "are",
                           status == PLAN_EXCLUDED ? "left out" : "balanced", listed ? ':' : '.');
    page_blank(pg);
    page_paragraph(pg, 0, INK_NONE, NULL, line->str);
    if (listed)
        collection_list(pg, list, status == PLAN_EXCLUDED);
}

void parts_collections(struct page *pg, const plan *p)
{
    collection_tables(pg, p);
    quiet_collections(pg, p, PLAN_BALANCED);
    quiet_collections(pg, p, PLAN_EXCLUDED);
}
