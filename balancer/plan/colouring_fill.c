// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/colouring_private.h"

#include <stdlib.h>

struct one {
    uint32_t u, v, c;
};

static struct one unpack(uint64_t e)
{
    return (struct one){(uint32_t)(e >> 48), (uint16_t)e, (uint32_t)(e >> 16)};
}

static void each_of(const uint64_t *list, const struct multigraph *g, size_t n_edges,
                    void (*fn)(uint32_t edge, uint32_t colour, void *data), void *data)
{
    g_autofree uint32_t *next = g_new0(uint32_t, g->n); /* by mate: in `order`, the pair's next edge */
    size_t i = 0;
    for (uint32_t v = 0; v < g->n; v++) {
        for (uint32_t j = g->start[v]; j < g->start[v + 1]; j++)
            if (g->pairs[g->at[j]].a == v)
                next[g->pairs[g->at[j]].b] = g->pairs[g->at[j]].first;
        for (; i < n_edges && list[i] >> 48 == v; i++) {
            struct one e = unpack(list[i]);
            fn(g->order[next[e.v]++], e.c, data);
        }
    }
}

void fill_each(const struct mates *m, const struct multigraph *g, size_t n_edges,
               void (*fn)(uint32_t edge, uint32_t colour, void *data), void *data)
{
    g_autofree uint64_t *list = mates_list(m, n_edges);
    each_of(list, g, n_edges, fn, data);
}

/* --- the order of the colours --- */

struct colour_weight {
    uint32_t colour, n;
    uint64_t indices; /* summed */
};

static void weigh(uint32_t edge, uint32_t colour, void *data)
{
    struct colour_weight *w = data;
    w[colour].n++;
    w[colour].indices += edge;
}

static int compare_weights(const void *a, const void *b)
{
    const struct colour_weight *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    if (x->indices != y->indices)
        return x->indices < y->indices ? -1 : 1;
    return x->colour < y->colour ? -1 : x->colour > y->colour;
}

/* Returns the colours that have edges. */
static uint32_t renumber(struct mates *m, const struct multigraph *g, size_t n_edges)
{
    g_autofree uint64_t *list = mates_list(m, n_edges);
    g_autofree struct colour_weight *w = g_new0(struct colour_weight, m->colours);
    g_autofree uint32_t *number = g_new(uint32_t, m->colours);
    uint32_t used = 0;
    for (uint32_t c = 0; c < m->colours; c++)
        w[c].colour = c;
    each_of(list, g, n_edges, weigh, w);
    qsort(w, m->colours, sizeof(*w), compare_weights);
    for (uint32_t i = 0; i < m->colours; i++) {
        number[w[i].colour] = i;
        used += w[i].n > 0;
    }
    for (size_t i = 0; i < n_edges; i++) {
        struct one e = unpack(list[i]);
        mates_put(m, e.u, e.c, MATE_NONE);
        mates_put(m, e.v, e.c, MATE_NONE);
    }
    for (size_t i = 0; i < n_edges; i++) {
        struct one e = unpack(list[i]);
        mates_colour(m, e.u, e.v, number[e.c]);
    }
    return used;
}

/* --- moving forward --- */

static void move_forward(struct mates *m, size_t n_edges)
{
    g_autofree uint64_t *list = mates_list(m, n_edges);
    mates_sort(list, n_edges, 16, m->colours);
    for (size_t i = n_edges; i-- > 0;) {
        struct one e = unpack(list[i]);
        uint32_t c = mates_common(m, e.u, e.v);
        if (c >= e.c)
            continue;
        mates_put(m, e.u, e.c, MATE_NONE);
        mates_put(m, e.v, e.c, MATE_NONE);
        mates_colour(m, e.u, e.v, c);
    }
}

uint32_t fill_first(struct mates *m, const struct multigraph *g, size_t n_edges)
{
    renumber(m, g, n_edges);
    move_forward(m, n_edges);
    return renumber(m, g, n_edges);
}
