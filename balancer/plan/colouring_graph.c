// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/colouring_private.h"

#include <string.h>

enum {
    LOOKS_MAX = 32
}; /* at one vertex while peeling: a hub of many neighbours is not to be gone through for each */

struct ends {
    uint16_t low, high;
};

static struct ends ends_of(const struct colouring_edge *e)
{
    return e->a < e->b ? (struct ends){e->a, e->b} : (struct ends){e->b, e->a};
}

/* A counting sort by one end, stable. */
static void sort_by_end(const struct colouring_edge *edges, size_t n, uint32_t n_vertices, bool high,
                        const uint32_t *from, uint32_t *to)
{
    g_autofree uint32_t *next = g_new0(uint32_t, n_vertices + 1);
    for (size_t i = 0; i < n; i++) {
        struct ends e = ends_of(&edges[i]);
        next[(high ? e.high : e.low) + 1]++;
    }
    for (uint32_t v = 0; v < n_vertices; v++)
        next[v + 1] += next[v];
    for (size_t i = 0; i < n; i++) {
        uint32_t edge = from != NULL ? from[i] : (uint32_t)i;
        struct ends e = ends_of(&edges[edge]);
        to[next[high ? e.high : e.low]++] = edge;
    }
}

/* Sorted by the lower end, the higher, the index. */
static uint32_t *sort_edges(const struct colouring_edge *edges, size_t n, uint32_t n_vertices)
{
    g_autofree uint32_t *by_high = g_new0(uint32_t, n);
    uint32_t *order = g_new0(uint32_t, n);
    sort_by_end(edges, n, n_vertices, true, NULL, by_high);
    sort_by_end(edges, n, n_vertices, false, by_high, order);
    return order;
}

static uint32_t count_pairs(const struct colouring_edge *edges, const uint32_t *order, size_t n,
                            struct multi_pair *pairs)
{
    uint32_t n_pairs = 0;
    struct ends last = {0, 0}; /* no edge's */
    for (size_t i = 0; i < n; i++) {
        struct ends e = ends_of(&edges[order[i]]);
        if (e.low != last.low || e.high != last.high) {
            if (pairs != NULL)
                pairs[n_pairs] = (struct multi_pair){.a = e.low, .b = e.high, .first = (uint32_t)i};
            n_pairs++;
            last = e;
        }
        if (pairs != NULL)
            pairs[n_pairs - 1].n++;
    }
    return n_pairs;
}

/* --- components --- */

static uint32_t find_root(uint32_t *parent, uint32_t v)
{
    while (parent[v] != v)
        v = parent[v] = parent[parent[v]];
    return v;
}

/* The lowest vertex of each one's component. */
static uint32_t *find_roots(uint32_t n, const struct multi_pair *pairs, uint32_t n_pairs)
{
    uint32_t *parent = g_new0(uint32_t, n);
    for (uint32_t v = 0; v < n; v++)
        parent[v] = v;
    for (uint32_t i = 0; i < n_pairs; i++) {
        uint32_t a = find_root(parent, pairs[i].a), b = find_root(parent, pairs[i].b);
        parent[MAX(a, b)] = MIN(a, b);
    }
    for (uint32_t v = 0; v < n; v++)
        parent[v] = find_root(parent, v);
    return parent;
}

/* Sorts the pairs by component, and numbers each component's vertices from 0. ret_size: vertices, by root;
 * ret_end: where a root's pairs end. */
static struct multi_pair *by_component(uint32_t n, const struct multi_pair *pairs, uint32_t n_pairs,
                                       const uint32_t *root, uint32_t *ret_size, uint32_t *ret_end)
{
    g_autofree uint32_t *number = g_new0(uint32_t, n);
    struct multi_pair *sorted = g_new(struct multi_pair, n_pairs);
    for (uint32_t v = 0; v < n; v++)
        number[v] = ret_size[root[v]]++;
    for (uint32_t i = 0; i < n_pairs; i++)
        ret_end[root[pairs[i].a] + 1]++;
    for (uint32_t v = 0; v < n; v++)
        ret_end[v + 1] += ret_end[v];
    for (uint32_t i = 0; i < n_pairs; i++) {
        struct multi_pair p = pairs[i];
        uint32_t to = ret_end[root[p.a]]++;
        p.a = (uint16_t)number[p.a];
        p.b = (uint16_t)number[p.b];
        sorted[to] = p;
    }
    return sorted;
}

/* --- one component --- */

static void link_pairs(struct multigraph *g)
{
    g->degree = g_new0(uint32_t, g->n);
    g->start = g_new0(uint32_t, g->n + 1);
    g->at = g_new(uint32_t, 2 * (size_t)g->n_pairs);
    for (uint32_t i = 0; i < g->n_pairs; i++) {
        const struct multi_pair *p = &g->pairs[i];
        g->degree[p->a] += p->n;
        g->degree[p->b] += p->n;
        g->start[p->a]++;
        g->start[p->b]++;
    }
    uint32_t sum = 0;
    for (uint32_t v = 0; v <= g->n; v++) {
        sum += g->start[v];
        g->start[v] = sum; /* the end, until filled from behind */
    }
    for (uint32_t i = g->n_pairs; i-- > 0;) {
        g->at[--g->start[g->pairs[i].a]] = i;
        g->at[--g->start[g->pairs[i].b]] = i;
    }
}

static bool is_bipartite(const struct multigraph *g)
{
    g_autofree uint8_t *side = g_new0(uint8_t, g->n); /* 0: not seen, 1, 2 */
    g_autofree uint32_t *queue = g_new(uint32_t, g->n);
    uint32_t n_queue = 1;
    queue[0] = 0;
    side[0] = 1;
    for (uint32_t i = 0; i < n_queue; i++) {
        uint32_t v = queue[i];
        for (uint32_t j = g->start[v]; j < g->start[v + 1]; j++) {
            uint32_t w = multi_other(&g->pairs[g->at[j]], v);
            if (side[w] == side[v])
                return false;
            if (side[w] == 0)
                queue[n_queue++] = w;
            side[w] = (uint8_t)(3 - side[v]);
        }
    }
    return true;
}

static void call_with(struct multigraph *g, multigraph_fn *fn, void *data)
{
    link_pairs(g);
    g->bipartite = is_bipartite(g);
    fn(g, data);
    g_free(g->degree);
    g_free(g->start);
    g_free(g->at);
}

void multigraph_each(uint16_t n_vertices, const struct colouring_edge *edges, size_t n_edges,
                     multigraph_fn *fn, void *data)
{
    const uint32_t n = n_vertices;
    if (n_edges == 0)
        return;
    g_assert(n_edges <= UINT32_MAX / 2);
    g_autofree uint32_t *order = sort_edges(edges, n_edges, n);
    uint32_t n_pairs = count_pairs(edges, order, n_edges, NULL);
    g_autofree struct multi_pair *all = g_new0(struct multi_pair, n_pairs);
    count_pairs(edges, order, n_edges, all);
    g_autofree uint32_t *root = find_roots(n, all, n_pairs);
    g_autofree uint32_t *size = g_new0(uint32_t, n), *end = g_new0(uint32_t, n + 1);
    g_autofree struct multi_pair *pairs = by_component(n, all, n_pairs, root, size, end);
    g_clear_pointer(&all, g_free);
    uint32_t first = 0;
    for (uint32_t v = 0; v < n; v++) {
        struct multigraph g = {
            .n = size[v], .n_pairs = end[v] - first, .pairs = pairs + first, .order = order};
        first = end[v];
        if (g.n_pairs > 0)
            call_with(&g, fn, data);
    }
}

uint32_t multigraph_max_degree(const struct multigraph *g)
{
    uint32_t max = 0;
    for (uint32_t v = 0; v < g->n; v++)
        max = MAX(max, g->degree[v]);
    return max;
}

/* --- peeling --- */

struct peel {
    const struct multigraph *g;
    uint32_t colours, *mult, *degree;
    GArray *taken;
    uint32_t *queue, n_queue; /* a stack of vertices to look at */
    uint8_t *looks;
    bool *queued;
};

static void look_again(struct peel *p, uint32_t v)
{
    if (p->queued[v] || p->looks[v] == LOOKS_MAX)
        return;
    p->queued[v] = true;
    p->looks[v]++;
    p->queue[p->n_queue++] = v;
}

static void peel_at(struct peel *p, uint32_t v)
{
    for (uint32_t j = p->g->start[v]; j < p->g->start[v + 1]; j++) {
        uint32_t pair = p->g->at[j], w = multi_other(&p->g->pairs[pair], v), n = p->mult[pair];
        if (n == 0 || (uint64_t)p->degree[v] + p->degree[w] > (uint64_t)p->colours + 1)
            continue;
        for (uint32_t i = 0; i < n && p->taken != NULL; i++)
            g_array_append_val(p->taken, pair);
        p->mult[pair] = 0;
        p->degree[v] -= n;
        p->degree[w] -= n;
        look_again(p, v);
        look_again(p, w);
    }
}

void multigraph_peel(const struct multigraph *g, uint32_t colours, uint32_t *mult, GArray *ret_taken)
{
    g_autofree uint32_t *degree = g_new0(uint32_t, g->n), *queue = g_new(uint32_t, g->n);
    g_autofree uint8_t *looks = g_new0(uint8_t, g->n);
    g_autofree bool *queued = g_new0(bool, g->n);
    struct peel p = {g, colours, mult, degree, ret_taken, queue, 0, looks, queued};
    for (uint32_t i = 0; i < g->n_pairs; i++) {
        degree[g->pairs[i].a] += mult[i];
        degree[g->pairs[i].b] += mult[i];
    }
    for (uint32_t v = g->n; v-- > 0;)
        look_again(&p, v);
    while (p.n_queue > 0) {
        uint32_t v = queue[--p.n_queue];
        queued[v] = false;
        peel_at(&p, v);
    }
}
