// SPDX-License-Identifier: Apache-2.0
/* Per collection: what each shard holds before and after; then what is balanced or left out. */
#include "balancer/key/show.h"
#include "balancer/report/text_parts.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

enum { FOLD_COLLECTIONS = 10, FOLD_SHARDS = 30, FOLD_LISTED = 10, BAR_WIDTH = 26 };

/* A load before and after, and its share. */
struct load {
    int64_t now, after, target;
};

static struct load load_of(const plan *p, const struct plan_shard *s)
{
    if (p->policy->unit == LOAD_BYTES)
        return (struct load){s->bytes, s->bytes_after, s->target_bytes};
    return (struct load){s->chunks, s->chunks_after, s->target_chunks};
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

static struct pair pair_of(enum load_unit unit, struct load l)
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

static struct pair percent_pair(struct load l)
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

/* What stays, leaves and arrives, to the scale of the fullest shard. */
static char *bar(const struct page *pg, struct load l, int64_t scale)
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
    return g_string_free(out, FALSE);
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
        pairs[i] = pair_of(LOAD_CHUNKS, (struct load){s->chunks, s->chunks_after, s->target_chunks});
        pairs[n + i] = pair_of(LOAD_BYTES, (struct load){s->bytes, s->bytes_after, s->target_bytes});
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
    for (guint i = 0; i < n; i++) {
        struct load l = load_of(p, g_ptr_array_index(rows, i));
        scale = MAX(scale, MAX(l.now, l.after));
    }
    g_autofree enum ink *inks = g_new0(enum ink, n);
    g_autofree char **cells = paired_cells(pg, p, rows, inks);
    for (guint i = 0; i < n; i++) {
        const struct plan_shard *s = g_ptr_array_index(rows, i);
        struct load l = load_of(p, s);
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

static void shard_table(struct page *pg, const plan *p, const struct plan_collection *c)
{
    bool chunks = p->policy->unit == LOAD_CHUNKS;
    const struct page_column columns[COL_COUNT] = {
        [COL_SHARD] = {"SHARD", 0, 24, false},
        [COL_ZONES] = {"ZONES", 4, 6, false},
        [COL_CHUNKS] = {"CHUNKS", chunks ? 0 : 3, 0, false},
        [COL_DATA] = {"DATA", chunks ? 3 : 0, 0, false},
        [COL_TARGET] = {"SHARE", 5, 0, true},
        [COL_PERCENT] = {"OF SHARE", 2, 0, false},
        [COL_BAR] = {pg->ascii ? "# stays, - leaves, + comes"
                               : "\xe2\x96\x88 stays \xe2\x96\x91 leaves \xe2\x96\x92 comes",
                     6, 0, false},
    };
    g_autoptr(GPtrArray) rows = rows_to_show(pg, c);
    if (rows->len > 0) {
        g_autoptr(page_table) t = page_table_new(pg, 2, columns, COL_COUNT);
        fill_rows(t, pg, p, c, rows);
        page_table_print(t);
    }
    parts_more(pg, 2, c->n_shards - rows->len, "shard");
}

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
    for (guint i = 0; i < shown->len; i++) {
        collection_head(pg, g_ptr_array_index(shown, i));
        shard_table(pg, p, g_ptr_array_index(shown, i));
    }
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
