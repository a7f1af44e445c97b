// SPDX-License-Identifier: Apache-2.0
/* An odd set as a light cut. With edges to one more node, so that every vertex has `colours`, a set S of n
 * vertices has colours * n - 2 * (edges inside) edges across its border: more inside than colours * (n - 1) /
 * 2 means fewer than `colours` across. So nodes that no such cut parts are made one, as long as there are any
 * (the last node of a maximum adjacency order is parted from the one before by no cut lighter than its own);
 * of what remains, a Gomory-Hu tree has the lightest odd cut among its own (Padberg and Rao). */
#include "balancer/plan/colouring_private.h"

#include <string.h>

enum { TREE_MAX = 64 }; /* nodes that a tree is made of */

struct cut {
    const uint32_t *weight; /* n x n, of the vertices themselves */
    uint32_t n, colours;
    uint32_t n_nodes;
    uint32_t *node;  /* of each vertex, and of the one more */
    int64_t *across; /* n_nodes x n_nodes */
    bool *odd;       /* per node: how many vertices it stands for */
    uint32_t best;   /* colours needed by the sets seen */
};

static int64_t *at(const struct cut *c, uint32_t a, uint32_t b)
{
    return &c->across[(size_t)a * c->n_nodes + b];
}

/* The vertices of the nodes marked, or where the one more is among them, the others: what they need. */
static void judge(struct cut *c, const bool *marked)
{
    const bool side = !marked[c->node[c->n]];
    g_autofree uint32_t *set = g_new(uint32_t, c->n);
    uint32_t size = 0;
    uint64_t inside = 0;
    for (uint32_t v = 0; v < c->n; v++) {
        if (marked[c->node[v]] != side)
            continue;
        for (uint32_t i = 0; i < size; i++)
            inside += c->weight[(size_t)v * c->n + set[i]];
        set[size++] = v;
    }
    if (size >= 3)
        c->best = MAX(c->best, (uint32_t)((inside + size / 2 - 1) / (size / 2)));
}

/* --- making nodes one --- */

/* Nodes in the order of a walk that always takes the one with the most edges to those before; ret_edges: how
 * many. */
static void order_nodes(const struct cut *c, uint32_t *ret_order, int64_t *ret_edges)
{
    g_autofree int64_t *edges = g_new0(int64_t, c->n_nodes); /* -1: taken */
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        uint32_t best = 0;
        for (uint32_t x = 1; x < c->n_nodes; x++)
            if (edges[x] > edges[best] || edges[best] < 0)
                best = x;
        ret_order[i] = best;
        ret_edges[i] = edges[best];
        for (uint32_t x = 0; x < c->n_nodes; x++)
            edges[x] += edges[x] < 0 ? 0 : *at(c, best, x);
        edges[best] = -1;
    }
}

/* to: the new number of each node. */
static void renumber(struct cut *c, const uint32_t *to, uint32_t n_nodes)
{
    int64_t *across = g_new0(int64_t, (size_t)n_nodes * n_nodes);
    bool *odd = g_new0(bool, n_nodes);
    for (uint32_t a = 0; a < c->n_nodes; a++) {
        odd[to[a]] ^= c->odd[a];
        for (uint32_t b = 0; b < c->n_nodes; b++)
            if (to[a] != to[b])
                across[(size_t)to[a] * n_nodes + to[b]] += *at(c, a, b);
    }
    for (uint32_t v = 0; v <= c->n; v++)
        c->node[v] = to[c->node[v]];
    g_free(c->across);
    g_free(c->odd);
    c->across = across;
    c->odd = odd;
    c->n_nodes = n_nodes;
}

static bool unite(struct cut *c)
{
    g_autofree uint32_t *order = g_new0(uint32_t, c->n_nodes), *to = g_new0(uint32_t, c->n_nodes);
    g_autofree int64_t *edges = g_new0(int64_t, c->n_nodes);
    uint32_t n = 0;
    order_nodes(c, order, edges);
    for (uint32_t i = 0; i < c->n_nodes; i++)
        to[order[i]] = i > 0 && edges[i] >= c->colours ? n - 1 : n++;
    if (n == c->n_nodes)
        return false;
    renumber(c, to, n);
    return true;
}

/* --- the tree --- */

/* Marks what is reached from s with room left; back: from where. */
static bool reach(const struct cut *c, const int64_t *room, uint32_t s, uint32_t t, bool *marked,
                  uint32_t *back)
{
    uint32_t queue[TREE_MAX], n = 0;
    memset(marked, 0, sizeof(*marked) * c->n_nodes);
    marked[s] = true;
    queue[n++] = s;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t x = 0; x < c->n_nodes; x++) {
            if (marked[x] || room[(size_t)queue[i] * c->n_nodes + x] <= 0)
                continue;
            marked[x] = true;
            back[x] = queue[i];
            queue[n++] = x;
        }
    }
    return marked[t];
}

/* The lightest cut between s and t; marks the side of s. */
static int64_t lightest(const struct cut *c, uint32_t s, uint32_t t, bool *marked)
{
    const size_t n = c->n_nodes;
    g_autofree int64_t *room = g_memdup2(c->across, n * n * sizeof(*room));
    uint32_t back[TREE_MAX] = {0};
    int64_t flow = 0;
    while (reach(c, room, s, t, marked, back)) {
        int64_t more = INT64_MAX;
        for (uint32_t x = t; x != s; x = back[x])
            more = MIN(more, room[back[x] * n + x]);
        for (uint32_t x = t; x != s; x = back[x]) {
            room[back[x] * n + x] -= more;
            room[x * n + back[x]] += more;
        }
        flow += more;
    }
    return flow;
}

/* Gusfield's way to a Gomory-Hu tree: parent[x] of each node but 0, flow[x] between them. */
static void make_tree(const struct cut *c, uint32_t *parent, int64_t *flow)
{
    bool side[TREE_MAX];
    for (uint32_t s = 1; s < c->n_nodes; s++) {
        uint32_t t = parent[s];
        flow[s] = lightest(c, s, t, side);
        for (uint32_t x = 0; x < c->n_nodes; x++)
            if (x != s && side[x] && parent[x] == t)
                parent[x] = s;
        if (side[parent[t]]) {
            int64_t f = flow[s];
            parent[s] = parent[t];
            parent[t] = s;
            flow[s] = flow[t];
            flow[t] = f;
        }
    }
}

static bool is_below(const uint32_t *parent, uint32_t x, uint32_t top)
{
    while (x != top && x != 0)
        x = parent[x];
    return x == top;
}

static void judge_tree(struct cut *c)
{
    uint32_t parent[TREE_MAX] = {0};
    int64_t flow[TREE_MAX] = {0};
    make_tree(c, parent, flow);
    for (uint32_t top = 1; top < c->n_nodes; top++) {
        bool marked[TREE_MAX] = {false}, odd = false;
        for (uint32_t x = 0; x < c->n_nodes; x++) {
            marked[x] = is_below(parent, x, top);
            odd ^= marked[x] && c->odd[x];
        }
        if (odd && flow[top] < c->colours)
            judge(c, marked);
    }
}

static void begin(struct cut *c)
{
    const uint32_t n = c->n;
    c->n_nodes = n + 1;
    c->node = g_new(uint32_t, n + 1);
    c->across = g_new0(int64_t, (size_t)(n + 1) * (n + 1));
    c->odd = g_new(bool, n + 1);
    c->odd[n] = n % 2 == 1;
    c->node[n] = n;
    for (uint32_t v = 0; v < n; v++) {
        int64_t degree = 0;
        c->node[v] = v;
        c->odd[v] = true;
        for (uint32_t w = 0; w < n; w++)
            degree += *at(c, v, w) = c->weight[(size_t)v * n + w];
        *at(c, v, n) = *at(c, n, v) = c->colours - degree;
    }
}

bool odd_set_find(const uint32_t *weight, uint32_t n, uint32_t colours, uint32_t *ret_needed)
{
    struct cut c = {.weight = weight, .n = n, .colours = colours};
    begin(&c);
    while (c.n_nodes > 1 && unite(&c))
        ;
    const bool sure = c.n_nodes <= TREE_MAX;
    if (sure && c.n_nodes > 1)
        judge_tree(&c);
    g_free(c.node);
    g_free(c.across);
    g_free(c.odd);
    *ret_needed = c.best;
    return sure;
}
