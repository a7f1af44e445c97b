// SPDX-License-Identifier: Apache-2.0
/* bench_colouring - how long the rounds of a plan take to find (its edge colouring), how many colours there
 * are against the bound, and how full the first of them are. */
#include "balancer/plan/colouring.h"
#include "common/err.h"
#include "common/text.h"
#include "tests/support/measure.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum shape {
    HALVES,    /* donors and recipients are disjoint, half of the vertices each */
    ONE_DONOR, /* one vertex has all */
    FEW_DONORS,
    ANY,       /* any two vertices */
    SKEWED,    /* any two, low numbers far more often */
    RING,      /* an odd cycle of parallel edges, the densest odd set */
    TWO_ZONES, /* two odd groups, hardly joined */
    ALL_PAIRS, /* each two vertices equally often: every vertex has the largest degree */
};

static const struct row {
    const char *name;
    enum shape shape;
    uint16_t vertices;
    uint32_t edges;
} rows[] = {
    {"donors to recipients", HALVES, 100, 200000},
    {"donors to recipients", HALVES, 100, 2000000},
    {"donors to recipients", HALVES, 1000, 2000000},
    {"drain of one", ONE_DONOR, 100, 2000000},
    {"five donors", FEW_DONORS, 100, 200000},
    {"five donors", FEW_DONORS, 100, 2000000},
    {"between any two", ANY, 100, 200000},
    {"between any two", ANY, 100, 2000000},
    {"between any two", ANY, 1000, 2000000},
    {"between any two, skewed", SKEWED, 100, 200000},
    {"between any two, skewed", SKEWED, 100, 2000000},
    {"odd ring", RING, 99, 200000},
    {"two zones, 49 and 51", TWO_ZONES, 100, 200000},
    {"two zones, 49 and 51", TWO_ZONES, 100, 2000000},
    {"each two equally", ALL_PAIRS, 100, 4950 * 40},
    {"each two equally", ALL_PAIRS, 99, 4851 * 40},
    {"each two once", ALL_PAIRS, 100, 4950},
    {"many, one donor", ONE_DONOR, 65535, 2000000},
    {"many, donors to recipients", HALVES, 65535, 200000},
    {"many, between any two", ANY, 65535, 200000},
    {"many, between any two", ANY, 65535, 2000000},
    {"many, skewed", SKEWED, 65535, 200000},
    {"many, skewed", SKEWED, 65535, 2000000},
};

/* Seconds of processor time: other processes do not count. */
static double now_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint16_t below(GRand *rand, uint32_t n)
{
    return (uint16_t)g_rand_int_range(rand, 0, (gint32)n);
}

static struct colouring_edge other_than(uint16_t a, uint16_t b, uint16_t n)
{
    return (struct colouring_edge){a, a == b ? (uint16_t)((b + 1) % n) : b};
}

static uint16_t draw_skewed(GRand *rand, uint16_t n)
{
    double x = g_rand_double(rand);
    return (uint16_t)(x * x * x * n);
}

static struct colouring_edge draw(GRand *rand, enum shape shape, uint16_t n, uint32_t i)
{
    const uint16_t half = n / 2;
    switch (shape) {
    case HALVES:
        return (struct colouring_edge){below(rand, half), (uint16_t)(half + below(rand, half))};
    case ONE_DONOR:
        return (struct colouring_edge){0, (uint16_t)(1 + below(rand, n - 1U))};
    case FEW_DONORS:
        return (struct colouring_edge){below(rand, 5), (uint16_t)(5 + below(rand, n - 5U))};
    case ANY:
        return other_than(below(rand, n), below(rand, n), n);
    case SKEWED:
        return other_than(draw_skewed(rand, n), draw_skewed(rand, n), n);
    case RING:
        return (struct colouring_edge){(uint16_t)(i % n), (uint16_t)((i + 1) % n)};
    case TWO_ZONES:
        if (i % 5000 == 0)
            return (struct colouring_edge){0, (uint16_t)(n - 1)};
        if (i % 2 == 0)
            return other_than(below(rand, half - 1U), below(rand, half - 1U), half - 1);
        return (struct colouring_edge){(uint16_t)(half - 1 + (i / 2) % (half + 1U)),
                                       (uint16_t)(half - 1 + (i / 2 + 1 + below(rand, half)) % (half + 1U))};
    default:
        break;
    }
    uint32_t k = i % (n * (n - 1U) / 2), a = 0;
    while (k >= n - 1U - a)
        k -= n - 1U - a++;
    return (struct colouring_edge){(uint16_t)a, (uint16_t)(a + 1 + k)};
}

/* Fails on two edges of one colour at a vertex. Returns how many edges the first half of the colours have. */
static uint64_t check(const struct row *row, const struct colouring_edge *edges, const uint32_t *colour,
                      uint32_t n)
{
    g_autofree uint32_t *start = g_new0(uint32_t, n + 2), *at = g_new(uint32_t, row->edges),
                        *seen = g_new0(uint32_t, 65536);
    uint64_t first_half = 0;
    for (uint32_t i = 0; i < row->edges; i++)
        start[colour[i] + 2]++;
    for (uint32_t c = 0; c < n; c++)
        start[c + 2] += start[c + 1];
    for (uint32_t i = 0; i < row->edges; i++)
        at[start[colour[i] + 1]++] = i;
    for (uint32_t c = 0; c < n; c++) {
        for (uint32_t j = start[c]; j < start[c + 1]; j++) {
            struct colouring_edge e = edges[at[j]];
            if (seen[e.a] == c + 1 || seen[e.b] == c + 1)
                g_error("%s: two edges of colour %u at %u or %u", row->name, c, e.a, e.b);
            seen[e.a] = seen[e.b] = c + 1;
        }
        first_half += c < (n + 1) / 2 ? start[c + 1] - start[c] : 0;
    }
    return first_half;
}

static void bench_row(const struct row *row)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    g_autofree struct colouring_edge *edges = g_new(struct colouring_edge, row->edges);
    g_autofree uint32_t *colour = g_new(uint32_t, row->edges), *degree = g_new0(uint32_t, row->vertices);
    uint32_t max = 0;
    for (uint32_t i = 0; i < row->edges; i++) {
        edges[i] = draw(rand, row->shape, row->vertices, i);
        degree[edges[i].a]++;
        degree[edges[i].b]++;
    }
    for (uint32_t v = 0; v < row->vertices; v++)
        max = MAX(max, degree[v]);
    double start = now_cpu();
    uint32_t bound = colouring_bound(row->vertices, edges, row->edges);
    double bound_s = now_cpu() - start;
    int64_t before = measure_peak_reset();
    start = now_cpu();
    uint32_t n = colouring_find(row->vertices, edges, row->edges, colour);
    double seconds = now_cpu() - start;
    int64_t peak = measure_peak() - before;
    uint64_t first_half = check(row, edges, colour, n);
    printf("%-28s %8u %8u %8u %8u %8u %9.1f %8.1f %5.0f  %.1f %%\n", row->name, row->vertices, row->edges,
           max, bound, n, bound_s * 1e3, seconds * 1e3, (double)peak / 1048576,
           100.0 * (double)first_half / row->edges);
    fflush(stdout);
}

static int usage(FILE *out)
{
    fputs("usage: bench_colouring [--max-edges N] [--only TEXT]\n"
          "Colours the built-in graphs: all, or those of at most N edges, or with TEXT in their names.\n",
          out);
    return out == stdout ? 0 : err_exit_code(ERR_USAGE);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int64_t max_edges = INT32_MAX;
    const char *only = "";
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else if (i + 1 == argc || strcmp(argv[i], "--max-edges") != 0 ||
                 !text_parse_int(argv[i + 1], 0, INT32_MAX, &max_edges, &err))
            return usage(stderr);
    }
    printf("%-28s %8s %8s %8s %8s %8s %9s %8s %5s  %s\n", "graph", "vertices", "edges", "degree", "bound",
           "colours", "bound ms", "find ms", "MiB", "in the first half");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].edges <= max_edges && strstr(rows[i].name, only) != NULL)
            bench_row(&rows[i]);
    return 0;
}
