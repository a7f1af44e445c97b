// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/overlap.h"

struct piece {
    GBytes *end;
    uint32_t number;
};

struct overlap {
    GTree *pieces; /* GBytes min (borrowed) -> struct piece; they do not overlap */
};

static gint compare(gconstpointer a, gconstpointer b, gpointer data)
{
    (void)data;
    return g_bytes_compare(a, b);
}

overlap *overlap_new(void)
{
    overlap *o = g_new0(overlap, 1);
    o->pieces = g_tree_new_full(compare, NULL, NULL, g_free);
    return o;
}

void overlap_free(overlap *o)
{
    if (o == NULL)
        return;
    g_tree_unref(o->pieces);
    g_free(o);
}

static void insert(overlap *o, GBytes *min, GBytes *end, uint32_t number)
{
    struct piece *p = g_new(struct piece, 1);
    *p = (struct piece){.end = end, .number = number};
    g_tree_insert(o->pieces, min, p);
}

/* The piece that begins before `min` and reaches into the range is cut at `min`; what of it lies behind `max`
 * stays a piece. */
static void cut_before(overlap *o, GBytes *min, GBytes *max, GArray *below)
{
    GTreeNode *at = g_tree_lower_bound(o->pieces, min);
    at = at == NULL ? g_tree_node_last(o->pieces) : g_tree_node_previous(at);
    struct piece *p = at == NULL ? NULL : g_tree_node_value(at);
    if (p == NULL || g_bytes_compare(p->end, min) <= 0)
        return;
    GBytes *end = p->end;
    g_array_append_val(below, p->number);
    p->end = min;
    if (g_bytes_compare(end, max) > 0)
        insert(o, max, end, p->number);
}

/* Pieces that begin in the range go; the last one may reach beyond it. */
static void swallow(overlap *o, GBytes *min, GBytes *max, GArray *below)
{
    GTreeNode *at;
    while ((at = g_tree_lower_bound(o->pieces, min)) != NULL) {
        GBytes *begin = g_tree_node_key(at);
        if (g_bytes_compare(begin, max) >= 0)
            return;
        const struct piece p = *(struct piece *)g_tree_node_value(at);
        g_array_append_val(below, p.number);
        g_tree_remove(o->pieces, begin);
        if (g_bytes_compare(p.end, max) > 0)
            insert(o, max, p.end, p.number);
    }
}

void overlap_put(overlap *o, GBytes *min, GBytes *max, uint32_t number, GArray *ret_below)
{
    if (g_bytes_compare(min, max) >= 0)
        return;
    cut_before(o, min, max, ret_below);
    swallow(o, min, max, ret_below);
    insert(o, min, max, number);
}
