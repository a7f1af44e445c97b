// SPDX-License-Identifier: Apache-2.0
/* What is done: migrations, each with why, or groups of them where they are many; splits; what stays. */
#include "balancer/report/html_private.h"
#include "common/text.h"

#include <string.h>

static const struct plan_migration *move_at(const plan *p, guint i)
{
    return &g_array_index(p->migrations, struct plan_migration, i);
}

static void put_reason(GString *out, const struct plan_migration *m)
{
    putf(out, "<span class=\"tag %s\">%s</span>", m->reason == MOVE_IMBALANCE ? "quiet" : "warn",
         move_reason_text(m->reason));
    if (m->force_jumbo)
        put(out, " <span class=\"tag warn\">forced</span>");
}

/* ---- one by one ---- */

static void put_move_row(struct html *h, guint i)
{
    const struct plan_migration *m = move_at(h->p, i);
    putf(h->out, "<tr id=\"m%u\"><td class=\"num\">%u</td><td class=\"num\">%u</td>", m->id, m->id, m->round);
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    putf(h->out, "<td class=\"num\" data-v=\"%s\">", g_ascii_formatd(buf, sizeof buf, "%.3f", m->starts));
    if (m->starts >= 0)
        text_append_duration(h->out, m->starts);
    put(h->out, "</td><th scope=\"row\">");
    put_name(h->out, "strong", m->coll->ns);
    put(h->out, "<br/>");
    put_range(h->out, m);
    put_paragraph(h->out, "why", m->why);
    put(h->out, "</th><td>");
    put_shard(h->out, h->p, m->from);
    put(h->out, "</td><td>");
    put_shard(h->out, h->p, m->to);
    put(h->out, "</td>");
    cell_bytes(h->out, m->bytes);
    put(h->out, "<td>");
    put_reason(h->out, m);
    put(h->out, "</td></tr>\n");
}

static void put_all_moves(struct html *h)
{
    static const struct html_column columns[] = {{.title = "#", .number = true},
                                                 {.title = "Round", .number = true},
                                                 {.title = "Starts after", .number = true},
                                                 {.title = "Range, and why", .cls = "wide"},
                                                 {.title = "From"},
                                                 {.title = "To"},
                                                 {.title = "Data", .number = true},
                                                 {.title = "Reason"},
                                                 {.title = NULL}};
    table_open(h->out, "Migrations in the order of their rounds", true, columns);
    for (guint i = 0; i < h->p->migrations->len; i++)
        put_move_row(h, i);
    table_close(h->out);
}

/* ---- in groups ---- */

/* Migrations alike in everything but the range. */
struct group {
    const struct plan_migration *first;
    uint32_t n, first_round, last_round;
    int64_t bytes; /* SIZE_UNKNOWN once one is not known */
    guint examples[HTML_EXAMPLES];
};

static guint group_hash(gconstpointer key)
{
    const struct plan_migration *m = ((const struct group *)key)->first;
    return m->coll->number * 2654435761U ^ (guint)m->from << 17 ^ (guint)m->to << 3 ^ (guint)m->reason ^
           m->zone * 31;
}

static gboolean same_group(gconstpointer a, gconstpointer b)
{
    const struct plan_migration *x = ((const struct group *)a)->first, *y = ((const struct group *)b)->first;
    return x->coll == y->coll && x->from == y->from && x->to == y->to && x->reason == y->reason &&
           x->zone == y->zone;
}

/* The most data first, then the most migrations. */
static gint by_amount(gconstpointer a, gconstpointer b)
{
    const struct group *x = *(const struct group *const *)a, *y = *(const struct group *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->first->id < y->first->id ? -1 : 1;
}

static GPtrArray *groups_of(const plan *p)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) known = g_hash_table_new(group_hash, same_group);
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = move_at(p, i);
        const struct group key = {.first = m};
        struct group *g = g_hash_table_lookup(known, &key);
        if (g == NULL) {
            g = g_memdup2(&key, sizeof key);
            g->first_round = m->round;
            g_ptr_array_add(list, g);
            g_hash_table_add(known, g);
        }
        if (g->n < HTML_EXAMPLES)
            g->examples[g->n] = i;
        g->n++;
        g->last_round = MAX(g->last_round, m->round);
        g->bytes = g->bytes < 0 || m->bytes < 0 ? SIZE_UNKNOWN : g->bytes + m->bytes;
    }
    g_ptr_array_sort(list, by_amount);
    return list;
}

static void put_examples(struct html *h, const struct group *g)
{
    putf(h->out, "<details><summary>%s</summary><ol class=\"examples\">",
         g->n == 1               ? "the one"
         : g->n <= HTML_EXAMPLES ? "all of them"
                                 : "the first of them");
    for (guint i = 0; i < MIN(g->n, (guint)HTML_EXAMPLES); i++) {
        const struct plan_migration *m = move_at(h->p, g->examples[i]);
        putf(h->out, "<li>%u: ", m->id);
        put_range(h->out, m);
        put(h->out, " <span class=\"dim\">");
        put_bytes(h->out, m->bytes);
        put(h->out, "</span>");
        put_paragraph(h->out, "why", m->why);
        put(h->out, "</li>");
    }
    put(h->out, "</ol></details>");
}

static void put_group_row(struct html *h, const struct group *g)
{
    const uint32_t zone = g->first->zone;
    put(h->out, "<tr><th scope=\"row\">");
    put_name(h->out, "strong", g->first->coll->ns);
    put_examples(h, g);
    put(h->out, "</th><td>");
    put_shard(h->out, h->p, g->first->from);
    put(h->out, "</td><td>");
    put_shard(h->out, h->p, g->first->to);
    put(h->out, "</td><td>");
    put_reason(h->out, g->first);
    if (zone < h->p->cl->n_zones) {
        put(h->out, " <span class=\"zone\">");
        put_swatch(h->out, zone);
        put_name(h->out, "dim", h->p->cl->zones[zone]);
        put(h->out, "</span>");
    }
    put(h->out, "</td>");
    cell_count(h->out, g->n);
    cell_bytes(h->out, g->bytes);
    putf(h->out, "<td class=\"num\" data-v=\"%u\">%u", g->first_round, g->first_round);
    if (g->last_round > g->first_round)
        putf(h->out, "\xe2\x80\x93%u", g->last_round);
    put(h->out, "</td></tr>\n");
}

/* What the groups that are not shown amount to. */
static void put_other_groups(struct html *h, const GPtrArray *groups, guint shown)
{
    int64_t n = 0, bytes = 0;
    for (guint i = shown; i < groups->len; i++) {
        const struct group *g = groups->pdata[i];
        n += g->n;
        bytes = bytes < 0 || g->bytes < 0 ? SIZE_UNKNOWN : bytes + g->bytes;
    }
    if (n == 0)
        return;
    put(h->out, "<p class=\"more\">and ");
    put_count(h->out, groups->len - shown);
    put(h->out, " more groups with ");
    put_n(h->out, n, "migration");
    if (bytes >= 0) {
        put(h->out, ", ");
        put_bytes(h->out, bytes);
    }
    put(h->out, "; <code>--format json</code> has every one</p>\n");
}

static void put_groups(struct html *h)
{
    static const struct html_column columns[] = {{.title = "Collection", .cls = "wide"},
                                                 {.title = "From"},
                                                 {.title = "To"},
                                                 {.title = "Reason"},
                                                 {.title = "Migrations", .number = true},
                                                 {.title = "Data", .number = true},
                                                 {.title = "Rounds", .number = true},
                                                 {.title = NULL}};
    g_autoptr(GPtrArray) groups = groups_of(h->p);
    const guint shown = MIN(groups->len, (guint)HTML_GROUPS);
    table_open(h->out, "Migrations by collection, shards and reason, most data first", true, columns);
    for (guint i = 0; i < shown; i++)
        put_group_row(h, groups->pdata[i]);
    table_close(h->out);
    put_other_groups(h, groups, shown);
}

void html_moves(struct html *h)
{
    const guint n = h->p->migrations->len;
    g_autoptr(GString) note = g_string_new(NULL);
    if (n == 0)
        return;
    put_n(note, n, "migration");
    put(note, n > HTML_MOVES ? ", grouped." : ". A range includes its lower bound and not its upper one.");
    section_open(h->out, "moves", "Migrations", note->str);
    if (n > HTML_MOVES)
        put_groups(h);
    else
        put_all_moves(h);
    section_close(h->out);
}

/* ---- splits ---- */

void html_splits(struct html *h)
{
    static const struct html_column columns[] = {{.title = "Round", .number = true},
                                                 {.title = "Collection"},
                                                 {.title = "At", .cls = "wide"},
                                                 {.title = "Shard"},
                                                 {.title = "Reason"},
                                                 {.title = NULL}};
    enum { POINTS = 4 };
    const GArray *list = h->p->splits;
    const guint shown = MIN(list->len, (guint)HTML_SPLITS);
    if (shown == 0)
        return;
    section_open(h->out, "splits", "Splits", NULL);
    table_open(h->out, "Chunks that are split before others move", true, columns);
    for (guint i = 0; i < shown; i++) {
        const struct plan_split *s = &g_array_index(list, struct plan_split, i);
        putf(h->out, "<tr><td class=\"num\">%u</td><th scope=\"row\">", s->round);
        put_name(h->out, "strong", s->coll->ns);
        put(h->out, "</th><td>");
        for (guint k = 0; k < MIN(s->at->len, (guint)POINTS); k++) {
            put(h->out, k > 0 ? "<br/>" : "");
            put_bound(h->out, s->at->pdata[k]);
        }
        put_rest(h->out, POINTS, s->at->len, "");
        put(h->out, "</td><td>");
        put_shard(h->out, h->p, s->shard);
        putf(h->out, "</td><td>%s</td></tr>\n", split_reason_text(s->reason));
    }
    table_close(h->out);
    put_rest(h->out, shown, list->len, "");
    section_close(h->out);
}

/* ---- what stays ---- */

void html_blocked(struct html *h)
{
    static const struct html_column columns[] = {{.title = "Collection"},
                                                 {.title = "Shard"},
                                                 {.title = "Reason, and why", .cls = "wide"},
                                                 {.title = "Chunks", .number = true},
                                                 {.title = "Data", .number = true},
                                                 {.title = NULL}};
    const GArray *list = h->p->blocked;
    const guint shown = MIN(list->len, (guint)HTML_BLOCKED);
    if (shown == 0)
        return;
    section_open(h->out, "blocked", "What stays where it is", "It should move and cannot.");
    table_open(h->out, "What should move and cannot", true, columns);
    for (guint i = 0; i < shown; i++) {
        const struct plan_blocked *b = &g_array_index(list, struct plan_blocked, i);
        put(h->out, "<tr><th scope=\"row\">");
        put_name(h->out, "strong", b->coll == NULL ? NULL : b->coll->ns);
        if (b->min != NULL) {
            put(h->out, "<br/><span class=\"dim small\">from </span>");
            put_bound(h->out, b->min);
        }
        put(h->out, "</th><td>");
        put_shard(h->out, h->p, b->shard);
        put(h->out, "</td><td><span class=\"tag warn\">");
        put_text(h->out, b->reason);
        put(h->out, "</span>");
        put_paragraph(h->out, "why", b->why);
        put(h->out, "</td>");
        cell_count(h->out, b->chunks);
        cell_bytes(h->out, b->bytes);
        put(h->out, "</tr>\n");
    }
    table_close(h->out);
    put_rest(h->out, shown, list->len, "");
    section_close(h->out);
}
