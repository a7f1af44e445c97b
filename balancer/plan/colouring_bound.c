// SPDX-License-Identifier: Apache-2.0
/* The largest degree, and odd sets. An odd set that needs more than k colours has one within what is left
 * after peeling for k colours, so only that is looked through, with k ever higher. */
#include "balancer/plan/colouring_private.h"

#include <stdlib.h>

#include <string.h>

enum {
    EXACT_MAX = 256,    /* vertices of a part that is judged exactly, in time with their third power */
    SEEDS_MAX = 256,    /* else sets are grown from so many pairs, those of the most edges */
    GROW_MAX = 33,      /* to so many vertices */
    LOOKS_MAX = 1 << 24 /* at vertices and pairs, all in all */
};

/* A connected part of what peeling left. */
struct part {
    const struct multigraph *g;
    const uint32_t *mult;
    uint32_t *number; /* of its vertices, within it */
    uint32_t *vertex, n;
};

static uint32_t needed(uint64_t edges, uint32_t vertices)
{
    uint32_t at_once = vertices / 2;
    return (uint32_t)((edges + at_once - 1) / at_once);
}

/* --- exactly --- */

static bool try_exactly(const struct part *p, uint32_t colours, uint32_t *ret_needed)
{
    g_autofree uint32_t *weight = g_new0(uint32_t, (size_t)p->n * p->n);
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t v = p->vertex[i];
        for (uint32_t j = p->g->start[v]; j < p->g->start[v + 1]; j++) {
            uint32_t mult = p->mult[p->g->at[j]];
            if (mult > 0)
                weight[(size_t)i * p->n + p->number[multi_other(&p->g->pairs[p->g->at[j]], v)]] = mult;
        }
    }
    return odd_set_find(weight, p->n, colours, ret_needed);
}

/* --- sets that are likely --- */

struct grow {
    const struct part *p;
    uint32_t *edges_to;     /* the set, from each vertex; UINT32_MAX: is in it */
    uint32_t *near, n_near; /* vertices that have any, or are in it */
    uint64_t inside;
    int64_t looks; /* left */
};

static void take_in(struct grow *w, uint32_t v)
{
    const struct multigraph *g = w->p->g;
    if (w->edges_to[v] == 0)
        w->near[w->n_near++] = v;
    w->inside += w->edges_to[v];
    w->edges_to[v] = UINT32_MAX;
    for (uint32_t j = g->start[v]; j < g->start[v + 1]; j++) {
        uint32_t x = multi_other(&g->pairs[g->at[j]], v), n = w->p->mult[g->at[j]];
        if (n == 0 || w->edges_to[x] == UINT32_MAX)
            continue;
        if (w->edges_to[x] == 0)
            w->near[w->n_near++] = x;
        w->edges_to[x] += n;
    }
    w->looks -= g->start[v + 1] - g->start[v];
}

/* The vertex outside with the most edges into the set; UINT32_MAX: none. */
static uint32_t closest(struct grow *w)
{
    uint32_t best = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < w->n_near; i++) {
        uint32_t v = w->near[i], n = w->edges_to[v];
        if (n != UINT32_MAX && (n > most || (n == most && v < best))) {
            best = v;
            most = n;
        }
    }
    w->looks -= w->n_near;
    return best;
}

static uint32_t grow_from(struct grow *w, const struct multi_pair *seed)
{
    uint32_t best = 0, v;
    w->n_near = 0;
    w->inside = 0;
    take_in(w, seed->a);
    take_in(w, seed->b);
    for (uint32_t size = 3; size <= GROW_MAX && (v = closest(w)) != UINT32_MAX; size++) {
        take_in(w, v);
        if (size % 2 == 1)
            best = MAX(best, needed(w->inside, size));
    }
    for (uint32_t i = 0; i < w->n_near; i++)
        w->edges_to[w->near[i]] = 0;
    return best;
}

struct seed {
    uint32_t pair, n;
};

static int most_edges_first(const void *a, const void *b)
{
    const struct seed *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static uint32_t try_likely(const struct part *p)
{
    g_autoptr(GArray) seeds = g_array_new(FALSE, FALSE, sizeof(struct seed));
    g_autofree uint32_t *edges_to = g_new0(uint32_t, p->g->n), *near = g_new(uint32_t, p->g->n);
    struct grow w = {.p = p, .edges_to = edges_to, .near = near, .looks = LOOKS_MAX};
    uint64_t all = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        for (uint32_t v = p->vertex[i], j = p->g->start[v]; j < p->g->start[v + 1]; j++) {
            struct seed s = {p->g->at[j], p->mult[p->g->at[j]]};
            if (s.n == 0 || p->g->pairs[s.pair].a != v)
                continue;
            all += s.n;
            g_array_append_val(seeds, s);
        }
    }
    g_array_sort(seeds, most_edges_first);
    uint32_t best = p->n % 2 == 1 ? needed(all, p->n) : 0;
    for (guint i = 0; i < MIN(seeds->len, SEEDS_MAX) && w.looks > 0; i++)
        best = MAX(best, grow_from(&w, &p->g->pairs[g_array_index(seeds, struct seed, i).pair]));
    return best;
}

/* --- the parts --- */

/* All that is connected with v; marks it as numbered. */
static void collect(struct part *p, uint32_t v)
{
    p->n = 0;
    p->number[v] = 0;
    p->vertex[p->n++] = v;
    for (uint32_t i = 0; i < p->n; i++) {
        v = p->vertex[i];
        for (uint32_t j = p->g->start[v]; j < p->g->start[v + 1]; j++) {
            uint32_t w = multi_other(&p->g->pairs[p->g->at[j]], v);
            if (p->mult[p->g->at[j]] == 0 || p->number[w] != UINT32_MAX)
                continue;
            p->number[w] = p->n;
            p->vertex[p->n++] = w;
        }
    }
}

/* The colours that a part needs, if more than `colours`. */
static uint32_t try_part(const struct part *p, uint32_t colours)
{
    uint32_t n = 0;
    if (p->n < 3 || (p->n <= EXACT_MAX && try_exactly(p, colours, &n)))
        return n;
    return try_likely(p);
}

static uint32_t densest(const struct multigraph *g, const uint32_t *mult, uint32_t colours)
{
    g_autofree uint32_t *number = g_new(uint32_t, g->n), *vertex = g_new(uint32_t, g->n);
    struct part p = {.g = g, .mult = mult, .number = number, .vertex = vertex};
    uint32_t best = 0;
    memset(number, 0xff, sizeof(*number) * g->n); /* UINT32_MAX */
    for (uint32_t v = 0; v < g->n; v++) {
        if (number[v] != UINT32_MAX)
            continue;
        collect(&p, v);
        best = MAX(best, try_part(&p, colours));
    }
    return best;
}

uint32_t multigraph_bound(const struct multigraph *g)
{
    g_autofree uint32_t *mult = g_new(uint32_t, g->n_pairs);
    uint32_t colours = 0;
    for (uint32_t more = multigraph_max_degree(g); more > colours && !g->bipartite;) {
        colours = more;
        for (uint32_t i = 0; i < g->n_pairs; i++)
            mult[i] = g->pairs[i].n;
        multigraph_peel(g, colours, mult, NULL);
        more = densest(g, mult, colours);
    }
    return g->bipartite ? multigraph_max_degree(g) : colours;
}

static void most_needed(const struct multigraph *g, void *data)
{
    uint32_t *most = data;
    *most = MAX(*most, multigraph_bound(g));
}

uint32_t colouring_bound(uint16_t n_vertices, const struct colouring_edge *edges, size_t n_edges)
{
    uint32_t most = 0;
    multigraph_each(n_vertices, edges, n_edges, most_needed, &most);
    return most;
}
