// SPDX-License-Identifier: Apache-2.0
/* Cheapest flows: small networks worked out by hand, and random ones against the plainest way there is, one
 * shortest path after the other by Bellman and Ford. */
#include "balancer/policy/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct edge {
    uint32_t from, to;
    int64_t capacity, cost;
};

enum { EDGES_MAX = 64, NODES_MAX = 12 };

#define BIG ((int64_t)1 << 52)

struct row {
    const char *name;
    uint32_t n, source, sink;
    uint32_t n_edges;
    struct edge edges[10];
    int64_t sent, cost;
    const char *through; /* what each arc carries; NULL: any of the cheapest will do */
    const char *reached; /* per node after that: '1' on the source's side; NULL: not looked at */
};

static const struct row rows[] = {
    {"one arc", 2, 0, 1, 1, {{0, 1, 5, 3}}, 5, 15, "5", "10"},
    {"no arc", 2, 0, 1, 0, {{0, 0, 0, 0}}, 0, 0, "", "10"},
    {"an arc of capacity 0", 2, 0, 1, 1, {{0, 1, 0, 1}}, 0, 0, "0", "10"},
    {"only the wrong way", 2, 0, 1, 1, {{1, 0, 5, 1}}, 0, 0, "0", "10"},
    {"the sink is cut off", 4, 0, 3, 2, {{0, 1, 5, 1}, {2, 3, 5, 1}}, 0, 0, "0 0", "1100"},
    {"the narrowest arc of a path", 3, 0, 2, 2, {{0, 1, 7, 1}, {1, 2, 4, 1}}, 4, 8, "4 4", "110"},
    {"the cheaper of two first",
     4,
     0,
     3,
     5,
     {{0, 1, 4, 0}, {0, 2, 4, 0}, {1, 3, 4, 5}, {2, 3, 4, 1}, {1, 2, 4, 1}},
     8,
     24,
     "4 4 4 4 0",
     NULL},
    {"all that can be, even where it is dear",
     3,
     0,
     2,
     3,
     {{0, 1, 2, 1}, {1, 2, 2, 1}, {0, 2, 3, 1000}},
     5,
     3004,
     "2 2 3",
     "100"},
    {"an early path is taken back in part",
     /* The cheapest single path 0-1-2-3 bars the two others; the most and the cheapest uses neither 1-2. */
     4,
     0,
     3,
     5,
     {{0, 1, 1, 1}, {0, 2, 1, 4}, {1, 2, 1, 1}, {1, 3, 1, 4}, {2, 3, 1, 1}},
     2,
     10,
     "1 1 0 1 1",
     NULL},
    {"a negative cost is worth a detour",
     4,
     0,
     3,
     4,
     {{0, 1, 3, 0}, {1, 3, 3, 0}, {1, 2, 2, -5}, {2, 3, 2, 1}},
     3,
     -8,
     "3 1 2 2",
     NULL},
    {"all costs negative", 3, 0, 2, 3, {{0, 1, 2, -3}, {1, 2, 2, -4}, {0, 2, 2, -1}}, 4, -16, "2 2 2", NULL},
    {"negative costs behind the source's reach are nothing to it",
     4,
     0,
     1,
     3,
     {{0, 1, 2, 7}, {2, 3, 9, -9}, {3, 1, 9, -9}},
     2,
     14,
     "2 0 0",
     "1000"},
    {"arcs into the source and out of the sink",
     3,
     0,
     2,
     4,
     {{0, 1, 3, 1}, {1, 2, 3, 1}, {1, 0, 3, 1}, {2, 1, 3, 1}},
     3,
     6,
     "3 3 0 0",
     "100"},
    {"parallel arcs, the cheaper filled first",
     2,
     0,
     1,
     3,
     {{0, 1, 2, 9}, {0, 1, 2, 1}, {0, 1, 2, 5}},
     6,
     30,
     "2 2 2",
     "10"},
    {"capacities of petabytes, costs of a thousand",
     4,
     0,
     3,
     4,
     {{0, 1, BIG, 1000}, {0, 2, BIG, 1}, {1, 3, BIG, 0}, {2, 3, BIG / 2, 0}},
     BIG / 2 * 3,
     BIG * 1000 + BIG / 2,
     NULL,
     "1010"},
    {"unbounded arcs between bounded ones",
     4,
     0,
     3,
     3,
     {{0, 1, 6, 0}, {1, 2, FLOW_UNBOUNDED, 2}, {2, 3, 6, 0}},
     6,
     12,
     "6 6 6",
     NULL},
    {"a circle of cost nought",
     4,
     0,
     3,
     5,
     {{0, 1, 2, 1}, {1, 2, 5, 3}, {2, 1, 5, -3}, {1, 3, 1, 1}, {2, 3, 1, 1}},
     2,
     7,
     NULL,
     NULL},
};

static flow *build(uint32_t n, const struct edge *edges, uint32_t n_edges)
{
    flow *f = flow_new(n);
    for (uint32_t i = 0; i < n_edges; i++)
        assert_int_equal(flow_add(f, edges[i].from, edges[i].to, edges[i].capacity, edges[i].cost), 2 * i);
    return f;
}

static int64_t cost_of(const flow *f, const struct edge *edges, uint32_t n_edges)
{
    int64_t cost = 0;
    for (uint32_t i = 0; i < n_edges; i++)
        cost += flow_through(f, 2 * i) * edges[i].cost;
    return cost;
}

static char *through_of(const flow *f, uint32_t n_edges)
{
    GString *s = g_string_new(NULL);
    for (uint32_t i = 0; i < n_edges; i++)
        g_string_append_printf(s, "%s%" G_GINT64_FORMAT, i > 0 ? " " : "", flow_through(f, 2 * i));
    return g_string_free(s, FALSE);
}

/* No arc over its capacity, and what enters a node leaves it, but for source and sink. */
static const char *flow_fault(const flow *f, const struct row *r, const struct edge *edges, uint32_t n_edges,
                              int64_t sent)
{
    int64_t net[NODES_MAX] = {0};
    for (uint32_t i = 0; i < n_edges; i++) {
        const int64_t x = flow_through(f, 2 * i);
        if (x < 0 || x > edges[i].capacity)
            return "an arc carries more than it can";
        net[edges[i].from] -= x;
        net[edges[i].to] += x;
    }
    for (uint32_t v = 0; v < r->n; v++)
        if (net[v] != (v == r->source ? -sent : v == r->sink ? sent : 0))
            return "a node loses something or makes it";
    return NULL;
}

static void run_row(void **state)
{
    const struct row *r = *state;
    g_autoptr(flow) f = build(r->n, r->edges, r->n_edges);
    assert_int_equal(flow_solve(f, r->source, r->sink), r->sent);
    const char *fault = flow_fault(f, r, r->edges, r->n_edges, r->sent);
    if (fault != NULL)
        fail_msg("%s", fault);
    assert_int_equal(cost_of(f, r->edges, r->n_edges), r->cost);
    g_autofree char *through = through_of(f, r->n_edges);
    if (r->through != NULL)
        assert_string_equal(through, r->through);
    for (uint32_t v = 0; r->reached != NULL && v < r->n; v++)
        assert_int_equal(flow_reached(f, v), r->reached[v] == '1');
}

/* Two equal ways: the same arcs in the same order give the same one, whatever was in memory before. */
static void test_ties_do_not_change(void **state)
{
    (void)state;
    static const struct edge edges[] = {{0, 1, 3, 1}, {0, 2, 3, 1}, {1, 3, 3, 1}, {2, 3, 3, 1}, {3, 4, 3, 0}};
    g_autofree char *first = NULL;
    for (int i = 0; i < 20; i++) {
        g_autofree char *noise = g_malloc((gsize)i * 37 + 1);
        memset(noise, i * 11, (size_t)i * 37 + 1);
        g_autoptr(flow) f = build(5, edges, G_N_ELEMENTS(edges));
        assert_int_equal(flow_solve(f, 0, 4), 3);
        g_autofree char *through = through_of(f, G_N_ELEMENTS(edges));
        if (first == NULL)
            first = g_steal_pointer(&through);
        else
            assert_string_equal(through, first);
    }
    flow_free(NULL);
}

/* --- the plain way: one shortest path after the other --- */

struct naive {
    struct edge edges[2 * EDGES_MAX]; /* every second one the way back */
    uint32_t n;
};

/* The cheapest path's arcs, by their ends: via[v] the arc that leads to v. False: there is none. */
static bool naive_path(const struct naive *g, uint32_t nodes, uint32_t source, uint32_t sink, uint32_t *via)
{
    int64_t distance[NODES_MAX];
    for (uint32_t v = 0; v < nodes; v++)
        distance[v] = v == source ? 0 : INT64_MAX;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < g->n; i++) {
            const struct edge *e = &g->edges[i];
            if (e->capacity == 0 || distance[e->from] == INT64_MAX ||
                distance[e->from] + e->cost >= distance[e->to])
                continue;
            distance[e->to] = distance[e->from] + e->cost;
            via[e->to] = i;
            again = true;
        }
    }
    return distance[sink] != INT64_MAX;
}

static int64_t naive_solve(const struct row *r, const struct edge *edges, uint32_t n, int64_t *ret_cost)
{
    struct naive g = {.n = 2 * n};
    uint32_t via[NODES_MAX] = {0};
    int64_t sent = 0;
    for (uint32_t i = 0; i < n; i++) {
        g.edges[2 * i] = edges[i];
        g.edges[2 * i + 1] = (struct edge){edges[i].to, edges[i].from, 0, -edges[i].cost};
    }
    *ret_cost = 0;
    while (naive_path(&g, r->n, r->source, r->sink, via)) {
        int64_t most = INT64_MAX;
        for (uint32_t v = r->sink; v != r->source; v = g.edges[via[v]].from)
            most = MIN(most, g.edges[via[v]].capacity);
        for (uint32_t v = r->sink; v != r->source; v = g.edges[via[v]].from) {
            g.edges[via[v]].capacity -= most;
            g.edges[via[v] ^ 1].capacity += most;
            *ret_cost += most * g.edges[via[v]].cost;
        }
        sent += most;
    }
    return sent;
}

static int64_t draw_capacity(GRand *rand)
{
    static const int64_t scales[] = {1, 1, 1, 1000, (int64_t)1 << 40};
    const int64_t scale = scales[g_rand_int_range(rand, 0, G_N_ELEMENTS(scales))];
    return g_rand_int_range(rand, 0, 10) * scale;
}

/* Every third network has negative costs. They are what potentials make of costs that are not: no circle is
 * cheaper than nothing then. */
static uint32_t draw_edges(GRand *rand, const struct row *r, bool negative, struct edge *edges)
{
    int64_t height[NODES_MAX];
    const uint32_t n = (uint32_t)g_rand_int_range(rand, 1, EDGES_MAX);
    for (uint32_t v = 0; v < r->n; v++)
        height[v] = negative ? g_rand_int_range(rand, 0, 50) : 0;
    for (uint32_t i = 0; i < n; i++) {
        struct edge *e = &edges[i];
        e->from = (uint32_t)g_rand_int_range(rand, 0, (gint32)r->n);
        e->to = (e->from + (uint32_t)g_rand_int_range(rand, 1, (gint32)r->n)) % r->n;
        e->capacity = draw_capacity(rand);
        e->cost =
            g_rand_int_range(rand, 0, 4) * g_rand_int_range(rand, 0, 20) + height[e->to] - height[e->from];
    }
    return n;
}

static void test_against_plain(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 4000; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        struct edge edges[EDGES_MAX];
        struct row r = {.n = (uint32_t)g_rand_int_range(rand, 2, NODES_MAX + 1)};
        r.sink = r.n - 1;
        const uint32_t n = draw_edges(rand, &r, seed % 3 == 0, edges);
        int64_t want_cost = 0;
        const int64_t want = naive_solve(&r, edges, n, &want_cost);
        g_autoptr(flow) f = build(r.n, edges, n);
        const int64_t sent = flow_solve(f, r.source, r.sink);
        const char *fault = flow_fault(f, &r, edges, n, sent);
        if (fault != NULL)
            fail_msg("seed %u: %s", seed, fault);
        if (sent != want || cost_of(f, edges, n) != want_cost)
            fail_msg("seed %u: sent %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ", at %" G_GINT64_FORMAT
                     " instead of %" G_GINT64_FORMAT,
                     seed, sent, want, cost_of(f, edges, n), want_cost);
        /* The reached side of the cut: all arcs out of it are full. */
        for (uint32_t i = 0; i < n; i++)
            if (flow_reached(f, edges[i].from) && !flow_reached(f, edges[i].to) &&
                flow_through(f, 2 * i) != edges[i].capacity)
                fail_msg("seed %u: arc %u leaves the source's side and has room", seed, i);
        if (!flow_reached(f, r.source) || flow_reached(f, r.sink))
            fail_msg("seed %u: no cut between source and sink", seed);
    }
}

int main(void)
{
    struct CMUnitTest tests[G_N_ELEMENTS(rows) + 2] = {
        cmocka_unit_test(test_ties_do_not_change),
        cmocka_unit_test(test_against_plain),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        tests[i + 2] = (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, (void *)&rows[i]};
    return _cmocka_run_group_tests("flow", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
