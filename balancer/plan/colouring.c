// SPDX-License-Identifier: Apache-2.0
/* Each component alone. What can always be coloured last is taken away; the rest is coloured at half, halved
 * again, of each pair's edges, each time doubled, and the odd ones added: so the search, and its cost, is for
 * pairs rather than edges. */
#include "balancer/plan/colouring_private.h"

enum {
    WORK_EACH = 40000,  /* steps allowed in an attempt, for each vertex and pair */
    WORK_MAX = 1 << 24, /* at most */
    ATTEMPTS = 4,       /* then ever less is allowed */
};

struct result {
    uint32_t *colour, n_colours;
};

static int64_t work_allowed(const struct multigraph *g, unsigned attempt)
{
    int64_t work = MIN((int64_t)WORK_MAX, WORK_EACH * ((int64_t)g->n + g->n_pairs));
    return attempt < ATTEMPTS ? work : work >> MIN(attempt - ATTEMPTS + 1, 30);
}

/* Adds colours where the search is given up, with work allowed anew. */
static void place_all(struct search *s, const struct multigraph *g, const GArray *edges)
{
    unsigned attempt = 0;
    s->work = work_allowed(g, attempt);
    for (guint i = 0; i < edges->len; i++) {
        const struct colouring_edge *e = &g_array_index(edges, struct colouring_edge, i);
        uint32_t u = e->a, v = e->b;
        if (search_place(s, &u, &v))
            continue;
        mates_add_colours(&s->m, 1);
        mates_colour(&s->m, u, v, s->m.colours - 1);
        s->work = work_allowed(g, ++attempt);
    }
}

/* Edges of the pairs that have bit `level` in their number. */
static void add_odd_ones(const struct multigraph *g, const uint32_t *mult, unsigned level, GArray *edges)
{
    for (uint32_t i = 0; i < g->n_pairs; i++) {
        struct colouring_edge e = {g->pairs[i].a, g->pairs[i].b};
        if ((mult[i] >> level & 1) != 0)
            g_array_append_val(edges, e);
    }
}

static void colour_core(struct search *s, const struct multigraph *g, const uint32_t *mult, uint32_t colours)
{
    g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(struct colouring_edge));
    uint32_t max = 0;
    for (uint32_t i = 0; i < g->n_pairs; i++)
        max = MAX(max, mult[i]);
    for (unsigned level = g_bit_storage(max); level-- > 0;) {
        /* If all edges can do with `colours`, the 2^level-th part of each pair can with that part, rounded
         * up: in no odd set are there more edges than that. */
        uint32_t enough = (uint32_t)((colours + (UINT64_C(1) << level) - 1) >> level);
        g_array_set_size(edges, 0);
        mates_double(&s->m);
        while (s->m.colours > enough)
            mates_drop_colour(&s->m, edges);
        mates_add_colours(&s->m, enough - s->m.colours);
        add_odd_ones(g, mult, level, edges);
        place_all(s, g, edges);
    }
    if (s->m.colours < colours) /* nothing was left to colour */
        mates_add_colours(&s->m, colours - s->m.colours);
}

static void give_colour(uint32_t edge, uint32_t colour, void *data)
{
    ((struct result *)data)->colour[edge] = colour;
}

static void colour_component(const struct multigraph *g, void *data)
{
    struct result *r = data;
    struct search s = {.random = UINT64_C(0x9E3779B97F4A7C15)};
    const uint32_t colours = multigraph_bound(g);
    g_autofree uint32_t *mult = g_new(uint32_t, g->n_pairs);
    g_autoptr(GArray) last = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    size_t n_edges = 0;
    for (uint32_t i = 0; i < g->n_pairs; i++)
        n_edges += mult[i] = g->pairs[i].n;
    multigraph_peel(g, colours, mult, last);
    mates_init(&s.m, g, colours + 2);
    colour_core(&s, g, mult, colours);
    for (guint i = last->len; i-- > 0;) {
        const struct multi_pair *p = &g->pairs[g_array_index(last, uint32_t, i)];
        mates_colour(&s.m, p->a, p->b, mates_common(&s.m, p->a, p->b));
    }
    r->n_colours = MAX(r->n_colours, fill_first(&s.m, g, n_edges));
    fill_each(&s.m, g, n_edges, give_colour, r);
    mates_clear(&s.m);
}

uint32_t colouring_find(uint16_t n_vertices, const struct colouring_edge *edges, size_t n_edges,
                        uint32_t *ret_colour)
{
    struct result r = {.colour = ret_colour};
    multigraph_each(n_vertices, edges, n_edges, colour_component, &r);
    return r.n_colours;
}
