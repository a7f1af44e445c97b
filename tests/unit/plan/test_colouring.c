// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/colouring.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EDGES_MAX = 40 };

struct row {
    const char *name;
    uint16_t n;
    uint32_t times; /* every edge so often; 0: once */
    struct colouring_edge edge[EDGES_MAX];
    size_t n_edges;
    uint32_t bound, colours;
};

/* clang-format off */
static const struct row rows[] = {
    {"no edge", 3, 0, {{0, 0}}, 0, 0, 0},
    {"one edge", 2, 0, {{1, 0}}, 1, 1, 1},
    {"parallel edges", 2, 5, {{0, 1}}, 1, 5, 5},
    {"there and back", 2, 0, {{0, 1}, {1, 0}, {0, 1}}, 3, 3, 3},
    {"star", 6, 0, {{0, 1}, {0, 2}, {3, 0}, {0, 4}, {5, 0}}, 5, 5, 5},
    {"path", 5, 0, {{0, 1}, {1, 2}, {2, 3}, {3, 4}}, 4, 2, 2},
    {"path of many", 4, 1000, {{0, 1}, {1, 2}, {2, 3}}, 3, 2000, 2000},
    {"cycle of 6", 6, 0, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 0}}, 6, 2, 2},
    {"cycle of 5", 5, 0, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}}, 5, 3, 3},
    {"cycle of 5, twice", 5, 2, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}}, 5, 5, 5},
    {"cycle of 7, 300 times", 7, 300, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 0}}, 7, 700, 700},
    {"triangle", 3, 0, {{0, 1}, {1, 2}, {2, 0}}, 3, 3, 3},
    {"triangle, 7 times", 3, 7, {{0, 1}, {1, 2}, {2, 0}}, 3, 21, 21},
    {"triangle, uneven", 3, 0, {{0, 1}, {0, 1}, {0, 1}, {1, 2}, {1, 2}, {2, 0}}, 6, 6, 6},
    {"all of 4", 4, 0, {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}, 6, 3, 3},
    {"all of 5", 5, 0, {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 2}, {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 4}}, 10, 5, 5},
    {"all of 5, 1000 times", 5, 1000, {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 2}, {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 4}}, 10, 5000, 5000},
    /* No odd set tells that three are not enough. */
    {"Petersen's graph", 10, 0, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}, {0, 5}, {1, 6}, {2, 7}, {3, 8}, {4, 9}, {5, 7}, {7, 9}, {9, 6}, {6, 8}, {8, 5}}, 15, 3, 4},
    {"Petersen's graph, twice", 10, 2, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}, {0, 5}, {1, 6}, {2, 7}, {3, 8}, {4, 9}, {5, 7}, {7, 9}, {9, 6}, {6, 8}, {8, 5}}, 15, 6, 6},
    {"three with three", 6, 0, {{0, 3}, {0, 4}, {0, 5}, {1, 3}, {1, 4}, {1, 5}, {2, 3}, {2, 4}, {2, 5}}, 9, 3, 3},
    {"two sides, both give", 6, 0, {{0, 3}, {4, 0}, {0, 5}, {3, 1}, {1, 4}, {5, 1}, {2, 3}, {4, 2}, {2, 5}}, 9, 3, 3},
    {"a drain that passes on", 4, 50, {{0, 1}, {0, 2}, {1, 3}, {2, 3}}, 4, 100, 100},
    {"two parts", 7, 0, {{0, 1}, {1, 2}, {2, 0}, {4, 5}, {4, 6}}, 5, 3, 3},
    {"two triangles and a bridge", 6, 4, {{0, 1}, {1, 2}, {2, 0}, {2, 3}, {3, 4}, {4, 5}, {5, 3}}, 7, 12, 12},
    {"the last vertex of all", UINT16_MAX, 0, {{0, UINT16_MAX - 1}, {UINT16_MAX - 1, 7}, {7, 0}}, 3, 3, 3},
};
/* clang-format on */

static void check_proper(const struct colouring_edge *edges, const uint32_t *colour, size_t n_edges,
                         uint32_t n)
{
    g_autofree uint8_t *seen =
        g_new0(uint8_t, (size_t)n * UINT16_MAX / 8 + 1); /* a bit for each colour and vertex */
    for (size_t i = 0; i < n_edges; i++) {
        const uint16_t ends[] = {edges[i].a, edges[i].b};
        assert_true(colour[i] < n);
        for (size_t j = 0; j < 2; j++) {
            size_t at = (size_t)colour[i] * UINT16_MAX + ends[j];
            assert_false(seen[at / 8] >> at % 8 & 1);
            seen[at / 8] |= (uint8_t)(1U << at % 8);
        }
    }
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        const size_t times = MAX(row->times, 1U), n_edges = row->n_edges * times;
        g_autofree struct colouring_edge *edges = g_new0(struct colouring_edge, n_edges + 1);
        g_autofree uint32_t *colour = g_new0(uint32_t, n_edges + 1);
        for (size_t j = 0; j < n_edges; j++)
            edges[j] = row->edge[j / times];
        uint32_t bound = colouring_bound(row->n, edges, n_edges);
        uint32_t n = colouring_find(row->n, edges, n_edges, colour);
        if (bound != row->bound || n != row->colours)
            fail_msg("%s: bound %u, %u colours; expected %u, %u", row->name, bound, n, row->bound,
                     row->colours);
        check_proper(edges, colour, n_edges, n);
    }
}

/* Groups of `size` vertices each, every two of one group joined `times`, and the groups in a row by an edge.
 */
static size_t join_groups(uint32_t groups, uint32_t size, uint32_t times, struct colouring_edge *edges)
{
    size_t n = 0;
    for (uint32_t g = 0; g < groups; g++) {
        for (uint32_t i = 0; i < size; i++)
            for (uint32_t j = 0; j < i; j++)
                for (uint32_t k = 0; k < times; k++)
                    edges[n++] = (struct colouring_edge){(uint16_t)(g * size + i), (uint16_t)(g * size + j)};
        if (g > 0)
            edges[n++] = (struct colouring_edge){(uint16_t)(g * size - 1), (uint16_t)(g * size)};
    }
    return n;
}

static void test_groups(void **state)
{
    (void)state;
    static const struct {
        uint32_t groups, size, times, bound;
    } cases[] = {
        {2, 41, 20, 820}, /* a large odd set within a part */
        {3, 40, 20, 781}, /* even ones: the degree is enough */
        {90, 5, 3, 15},   /* more than are judged exactly, small sets */
        {2, 201, 1, 201}, /* and large ones */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const uint32_t size = cases[i].size;
        const size_t most = (size_t)cases[i].groups * (1 + (size_t)size * (size - 1) / 2 * cases[i].times);
        g_autofree struct colouring_edge *edges = g_new(struct colouring_edge, most);
        g_autofree uint32_t *colour = g_new(uint32_t, most);
        const uint16_t n = (uint16_t)(cases[i].groups * size);
        size_t n_edges = join_groups(cases[i].groups, size, cases[i].times, edges);
        assert_int_equal(colouring_bound(n, edges, n_edges), cases[i].bound);
        assert_int_equal(colouring_find(n, edges, n_edges, colour), cases[i].bound);
        check_proper(edges, colour, n_edges, cases[i].bound);
    }
}

/* Parallel edges keep their order; vertices with time to spare are done first. */
static void test_early_colours(void **state)
{
    (void)state;
    struct colouring_edge edges[40];
    uint32_t colour[40];
    for (size_t i = 0; i < 30; i++)
        edges[i] = (struct colouring_edge){0, 1};
    for (size_t i = 30; i < 40; i++)
        edges[i] = (struct colouring_edge){i % 2 == 0 ? 2 : 3, i % 2 == 0 ? 3 : 2};
    assert_int_equal(colouring_find(4, edges, 40, colour), 30);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(colour[i], i < 30 ? i : i - 30);
    edges[39] = (struct colouring_edge){0, 2}; /* now one part, not two */
    assert_int_equal(colouring_find(4, edges, 40, colour), 31);
    for (size_t i = 0; i < 39; i++)
        assert_true(i == 0 || i == 30 || colour[i] > colour[i - 1]);
    assert_int_equal(colour[38], 8);
}

/* So many vertices and colours that not every vertex can have a table of all colours. */
static void test_large_and_sparse(void **state)
{
    (void)state;
    enum { N = 60000, HUBS = 3, SPOKES = 20000, CHAIN = 5 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    g_autofree struct colouring_edge *edges = g_new(struct colouring_edge, HUBS * SPOKES + CHAIN * N);
    size_t n_edges = 0;
    for (uint32_t hub = 0; hub < HUBS; hub++) {
        edges[n_edges++] = (struct colouring_edge){
            (uint16_t)hub, (uint16_t)((hub + 1) % HUBS)}; /* an odd cycle: not bipartite */
        for (int i = 1; i < SPOKES - 1; i++)
            edges[n_edges++] =
                (struct colouring_edge){(uint16_t)hub, (uint16_t)g_rand_int_range(rand, HUBS, N)};
    }
    for (uint32_t v = HUBS; v < N - 1; v++)
        for (int i = 0; i < g_rand_int_range(rand, 1, CHAIN); i++)
            edges[n_edges++] = (struct colouring_edge){(uint16_t)(v + 1), (uint16_t)v};
    g_autofree uint32_t *colour = g_new(uint32_t, n_edges);
    assert_int_equal(colouring_bound(N, edges, n_edges), SPOKES);
    assert_int_equal(colouring_find(N, edges, n_edges, colour), SPOKES);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (size_t i = 0; i < n_edges; i++) {
        assert_true(colour[i] < SPOKES);
        assert_true(g_hash_table_add(seen, GUINT_TO_POINTER((guint)edges[i].a * SPOKES + colour[i] + 1)));
        assert_true(g_hash_table_add(seen, GUINT_TO_POINTER((guint)edges[i].b * SPOKES + colour[i] + 1)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_early_colours),
        cmocka_unit_test(test_large_and_sparse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
