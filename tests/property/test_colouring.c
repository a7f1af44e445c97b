// SPDX-License-Identifier: Apache-2.0
/* Thousands of seeded random multigraphs: every colouring is proper, as short as promised, and what is
 * counted by brute force on small ones agrees. */
#include "balancer/plan/colouring.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { EDGES_MAX = 4000, VERTICES_MAX = 60, SMALL_EDGES = 10, SMALL_VERTICES = 6, SUBSETS_VERTICES = 14 };

struct sample {
    uint32_t seed;
    uint16_t n;
    size_t n_edges;
    struct colouring_edge edge[EDGES_MAX];
    uint32_t colour[EDGES_MAX];
};

#define CHECK(s, is, ...)                                                                                    \
    do {                                                                                                     \
        if (!(is)) {                                                                                         \
            print_error("seed %u: ", (s)->seed);                                                             \
            fail_msg(__VA_ARGS__);                                                                           \
        }                                                                                                    \
    } while (0)

static uint16_t below(GRand *rand, uint32_t n)
{
    return (uint16_t)g_rand_int_range(rand, 0, (gint32)n);
}

static uint16_t uneven(GRand *rand, uint32_t n)
{
    double x = g_rand_double(rand);
    return (uint16_t)(x * x * n);
}

/* Any two vertices, with many or few parallel edges, some vertices busier than others. */
static void draw_any(struct sample *s, uint32_t n_max, uint32_t edges_max)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(s->seed);
    const bool skewed = g_rand_boolean(rand);
    const uint32_t repeat = 1U + below(rand, below(rand, 2) == 0 ? 1 : 12);
    s->n = (uint16_t)(2 + below(rand, n_max - 1));
    const size_t target = 1U + below(rand, edges_max);
    for (s->n_edges = 0; s->n_edges < target;) {
        uint16_t a = skewed ? uneven(rand, s->n) : below(rand, s->n), b = below(rand, s->n);
        for (uint32_t i = 0; a != b && i < repeat && s->n_edges < target; i++)
            s->edge[s->n_edges++] = (struct colouring_edge){a, b};
    }
}

/* Two sides, mixed among each other, either of them giving. */
static void draw_bipartite(struct sample *s, uint32_t n_max, uint32_t edges_max)
{
    draw_any(s, n_max, edges_max);
    g_autoptr(GRand) rand = g_rand_new_with_seed(s->seed + 1);
    uint32_t sides = g_rand_int(rand) | 1;
    size_t n = 0;
    for (size_t i = 0; i < s->n_edges; i++) {
        struct colouring_edge e = s->edge[i];
        if ((sides >> (e.a % 32) & 1) != (sides >> (e.b % 32) & 1))
            s->edge[n++] = e;
    }
    s->n_edges = n;
}

/* Groups of any size with many edges inside and few between them: odd sets that are not easily told from even
 * ones. */
static void draw_groups(struct sample *s, uint32_t n_max, uint32_t edges_max)
{
    draw_any(s, n_max, edges_max);
    g_autoptr(GRand) rand = g_rand_new_with_seed(s->seed + 1);
    const uint32_t groups = 2U + below(rand, 4);
    size_t n = 0;
    for (size_t i = 0; i < s->n_edges; i++) {
        struct colouring_edge e = s->edge[i];
        if (e.a * groups / s->n == e.b * groups / s->n || below(rand, 20) == 0)
            s->edge[n++] = e;
    }
    s->n_edges = n;
}

static uint32_t max_degree(const struct sample *s)
{
    uint32_t degree[VERTICES_MAX] = {0}, max = 0;
    for (size_t i = 0; i < s->n_edges; i++) {
        degree[s->edge[i].a]++;
        degree[s->edge[i].b]++;
    }
    for (uint32_t v = 0; v < s->n; v++)
        max = MAX(max, degree[v]);
    return max;
}

/* The colours' number, once they are known to be proper, and without gaps. */
static uint32_t find(struct sample *s)
{
    uint32_t n = colouring_find(s->n, s->edge, s->n_edges, s->colour);
    g_autofree uint8_t *seen = g_new0(uint8_t, ((size_t)n + 1) * s->n);
    g_autofree uint32_t *size = g_new0(uint32_t, (size_t)n + 1);
    for (size_t i = 0; i < s->n_edges; i++) {
        struct colouring_edge e = s->edge[i];
        uint32_t c = s->colour[i];
        CHECK(s, c < n, "edge %zu has colour %u of %u", i, c, n);
        CHECK(s, seen[(size_t)c * s->n + e.a]++ == 0, "vertex %u has colour %u twice", e.a, c);
        CHECK(s, seen[(size_t)c * s->n + e.b]++ == 0, "vertex %u has colour %u twice", e.b, c);
        size[c]++;
    }
    for (uint32_t c = 0; c < n; c++)
        CHECK(s, size[c] > 0, "no edge has colour %u", c);
    return n;
}

static void test_bipartite(void **state)
{
    (void)state;
    g_autofree struct sample *s = g_new0(struct sample, 1);
    for (s->seed = 1; s->seed <= 2000; s->seed++) {
        draw_bipartite(s, VERTICES_MAX, s->seed % 50 == 0 ? EDGES_MAX : 300);
        uint32_t degree = max_degree(s), bound = colouring_bound(s->n, s->edge, s->n_edges), n = find(s);
        CHECK(s, bound == degree && n == degree, "degree %u, bound %u, %u colours", degree, bound, n);
    }
}

static void test_any(void **state)
{
    (void)state;
    g_autofree struct sample *s = g_new0(struct sample, 1);
    unsigned hit = 0, above_degree = 0, n_samples = 4000;
    for (s->seed = 1; s->seed <= n_samples; s->seed++) {
        (s->seed % 3 == 0 ? draw_groups : draw_any)(s, s->seed % 2 == 0 ? 9 : VERTICES_MAX,
                                                    s->seed % 50 == 0 ? EDGES_MAX : 300);
        uint32_t degree = max_degree(s), bound = colouring_bound(s->n, s->edge, s->n_edges), n = find(s);
        CHECK(s, bound >= degree, "degree %u, bound %u", degree, bound);
        CHECK(s, n >= bound && n <= bound + 1, "bound %u, %u colours", bound, n);
        hit += n == bound;
        above_degree += bound > degree;
    }
    print_message("%u of %u at the bound (%u times above the degree), the others one above\n", hit, n_samples,
                  above_degree);
    assert_true(hit >= n_samples - n_samples / 100);
}

/* --- against brute force --- */

/* Whether the edges from `i` on can be coloured, the ones before being so; used: a bit a colour, per vertex.
 */
static bool can_colour(const struct sample *s, size_t i, uint32_t colours, uint32_t begun, uint32_t *used)
{
    if (i == s->n_edges)
        return true;
    struct colouring_edge e = s->edge[i];
    for (uint32_t c = 0; c < MIN(colours, begun + 1);
         c++) { /* of colours not begun, one is as good as another */
        if (((used[e.a] | used[e.b]) >> c & 1) != 0)
            continue;
        used[e.a] |= 1U << c;
        used[e.b] |= 1U << c;
        bool can = can_colour(s, i + 1, colours, MAX(begun, c + 1), used);
        used[e.a] &= ~(1U << c);
        used[e.b] &= ~(1U << c);
        if (can)
            return true;
    }
    return false;
}

static void test_small_against_all(void **state)
{
    (void)state;
    g_autofree struct sample *s = g_new0(struct sample, 1);
    for (s->seed = 1; s->seed <= 5000; s->seed++) {
        uint32_t used[SMALL_VERTICES] = {0};
        draw_any(s, SMALL_VERTICES, SMALL_EDGES);
        uint32_t best = max_degree(s), bound = colouring_bound(s->n, s->edge, s->n_edges), n = find(s);
        while (!can_colour(s, 0, best, 0, used))
            best++;
        CHECK(s, bound <= best && n == best, "bound %u, best %u, %u colours", bound, best, n);
    }
}

static uint32_t bound_by_subsets(const struct sample *s)
{
    uint32_t best = max_degree(s);
    for (uint32_t set = 1; set < 1U << s->n; set++) {
        uint32_t size = (uint32_t)__builtin_popcount(set), inside = 0;
        if (size % 2 == 0 || size < 3)
            continue;
        for (size_t i = 0; i < s->n_edges; i++)
            inside += (set >> s->edge[i].a & set >> s->edge[i].b & 1) != 0;
        best = MAX(best, (inside + size / 2 - 1) / (size / 2));
    }
    return best;
}

static void test_bound_against_subsets(void **state)
{
    (void)state;
    g_autofree struct sample *s = g_new0(struct sample, 1);
    for (s->seed = 1; s->seed <= 1500; s->seed++) {
        (s->seed % 3 == 0 ? draw_any : draw_groups)(s, s->seed % 20 == 0 ? SUBSETS_VERTICES : 9, 80);
        uint32_t bound = colouring_bound(s->n, s->edge, s->n_edges), best = bound_by_subsets(s);
        CHECK(s, bound == best, "bound %u, by all subsets %u", bound, best);
    }
}

static void test_same_again(void **state)
{
    (void)state;
    g_autofree struct sample *s = g_new0(struct sample, 1);
    for (s->seed = 1; s->seed <= 100; s->seed++) {
        draw_any(s, VERTICES_MAX, EDGES_MAX);
        g_autofree uint32_t *again = g_new(uint32_t, s->n_edges);
        uint32_t n = colouring_find(s->n, s->edge, s->n_edges, again);
        assert_int_equal(find(s), n);
        assert_memory_equal(again, s->colour, s->n_edges * sizeof(*again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bipartite),         cmocka_unit_test(test_any),
        cmocka_unit_test(test_small_against_all), cmocka_unit_test(test_bound_against_subsets),
        cmocka_unit_test(test_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
