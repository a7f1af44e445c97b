// SPDX-License-Identifier: Apache-2.0
/* bench_policies - the same clusters planned by every policy, and what none can beat, in one table; with
 * --check, what is demanded of `optimal`. README.md tells what each column and bound means. */
#include "common/text.h"
#include "tests/support/even_bound.h"
#include "tests/support/measure.h"
#include "tests/support/scenario_set.h"

#include <string.h>
#include <sys/resource.h>

#define GIB 0x1p30

struct options {
    double scale;
    const char *only; /* one scenario */
    bool check, huge;
};

/* What no plan to an even end can beat. */
struct bound {
    int64_t bytes;
    uint32_t rounds;
};

struct row {
    const struct policy *policy;
    double planning; /* seconds */
    int64_t peak;    /* resident while planning */
    struct plan_summary sum;
    uint32_t own_rounds; /* the fewest for its own migrations */
    bool disjoint;       /* no shard both gives and takes */
    uint64_t repeats;
    double after; /* out of place */
    char *fault;
};

static unsigned n_missed;

/* As far from its fair load as half a chunk size a shard may end; a draining one ends empty. */
static void band_of(const flat_cluster *f, const struct flat_coll *c, int64_t *low, int64_t *high)
{
    even_fair(f, c, low);
    for (uint16_t s = 0; s < f->n_shards; s++) {
        int64_t slack = f->shards[s].draining ? 0 : f->chunk_bytes / 2;
        high[s] = low[s] + slack;
        low[s] = MAX(low[s] - slack, 0);
    }
}

/* What one migration takes at most: a whole chunk, or what a donor cuts off a large one. */
static int64_t largest_migration(const flat_cluster *f)
{
    return f->version[0] >= '6' ? f->chunk_bytes * 4 / 3 : INT64_MAX;
}

static void add_bound(const flat_cluster *f, const struct flat_coll *c, struct bound *b, uint32_t *degree)
{
    g_autofree int64_t *low = g_new(int64_t, f->n_shards), *high = g_new(int64_t, f->n_shards);
    band_of(f, c, low, high);
    b->bytes += even_least(f, c, low, high).moved;
    even_degrees(f, c, low, high, largest_migration(f), degree);
}

static struct bound bound_of(const flat_cluster *f, bool together)
{
    struct bound b = {0};
    g_autofree uint32_t *degree = g_new0(uint32_t, f->n_shards);
    for (uint32_t i = 0; i < (together ? 1 : f->n_colls); i++)
        add_bound(f, together ? NULL : &f->colls[i], &b, degree);
    for (uint16_t s = 0; s < f->n_shards; s++)
        b.rounds = MAX(b.rounds, degree[s]);
    return b;
}

static bool is_disjoint(const plan *p)
{
    g_autofree uint8_t *role = g_new0(uint8_t, p->cl->n_shards);
    bool disjoint = true;
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        role[m->from] |= 1;
        role[m->to] |= 2;
    }
    for (uint16_t s = 0; s < p->cl->n_shards; s++)
        disjoint = disjoint && role[s] != 3;
    return disjoint;
}

static plan *time_plan(const struct set_scenario *sc, const cluster *cl, struct row *r)
{
    g_autoptr(flat_cluster) shards = sc->make(0); /* only what they are like is asked for */
    struct plan_options opt = flat_options(shards, r->policy);
    struct err err = {0};
    plan *p = NULL;
    measure_peak_reset();
    double start = measure_now();
    if (!plan_make(cl, &opt, &p, &err))
        g_error("%s", err.msg);
    r->planning = measure_now() - start;
    r->peak = measure_peak();
    return p;
}

static struct row run_policy(const struct set_scenario *sc, const struct options *o, const cluster *cl,
                             const struct policy *policy)
{
    struct row r = {.policy = policy};
    struct flat_replay replay = {.capacity = true};
    plan *p = time_plan(sc, cl, &r);
    g_autoptr(flat_cluster) f = sc->make(o->scale);
    r.sum = p->summary;
    r.own_rounds = even_rounds(p);
    r.disjoint = is_disjoint(p);
    r.fault = flat_carry_out(f, p, &replay);
    r.repeats = replay.repeats;
    r.after = even_out_of_place(f, sc->together);
    plan_free(p);
    return r;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : a > 0 ? 999 : 1;
}

static void print_head(void)
{
    static const char *const columns[] = {"scenario", "policy",      "migrations",   "GiB",
                                          "x bound",  "x own bound", "rounds",       "x bound",
                                          "x own",    "repeats",     "out of place", "planned in"};
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
        printf("| %s ", columns[i]);
    printf("|\n");
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
        printf("| --- ");
    printf("|\n");
}

static void print_row(const struct set_scenario *sc, const struct row *r, const struct bound *b,
                      double before)
{
    printf("| %s | %s | %u | %.1f | %.3f | %.3f | %u | %.3f | %.3f | %" G_GUINT64_FORMAT
           " | %.2f to %.2f %% | %.0f ms |\n",
           sc->name, r->policy->name, r->sum.n_migrations, (double)r->sum.bytes / GIB,
           ratio((double)r->sum.bytes, (double)b->bytes),
           ratio((double)r->sum.bytes, (double)r->sum.lower_bytes), r->sum.n_rounds,
           ratio(r->sum.n_rounds, b->rounds), ratio(r->sum.n_rounds, r->own_rounds), r->repeats, before * 100,
           r->after * 100, r->planning * 1e3);
}

static void demand(const struct set_scenario *sc, bool met, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void demand(const struct set_scenario *sc, bool met, const char *fmt, ...)
{
    va_list ap;
    if (met)
        return;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    printf("missed: %s: %s\n", sc->name, text);
    n_missed++;
}

/* What is demanded of the policy `optimal`; times of planning at full scale only. */
static void check_row(const struct set_scenario *sc, const struct options *o, const struct row *r,
                      const struct bound *b, double best_after)
{
    double bytes = ratio((double)r->sum.bytes, (double)b->bytes),
           rounds = ratio(r->sum.n_rounds, r->own_rounds);
    demand(sc, r->fault == NULL, "%s", r->fault);
    demand(sc, r->sum.complete, "the plan is not complete");
    demand(sc, r->repeats == 0, "%" G_GUINT64_FORMAT " ranges move twice", r->repeats);
    demand(sc, bytes <= 1.02, "%.3f times the bytes of the bound", bytes);
    demand(sc, rounds <= (r->disjoint ? 1.0 : 1.05), "%.3f times the rounds that its migrations need",
           rounds);
    demand(sc, r->after <= best_after + 0.005, "%.2f %% out of place, another policy leaves %.2f",
           r->after * 100, best_after * 100);
    if (o->scale < 1)
        return;
    demand(sc, sc->chunks > 1000 * 1000 || r->planning < 2, "planned in %.1f s", r->planning);
    demand(sc, r->planning < 30, "planned in %.1f s", r->planning);
    demand(sc, r->peak < (int64_t)2 << 30, "%.2f GiB resident", (double)r->peak / GIB);
}

static void run_scenario(const struct set_scenario *sc, const struct options *o)
{
    flat_cluster *f = sc->make(o->scale);
    g_autoptr(cluster) cl = flat_build(f);
    struct bound b = bound_of(f, sc->together);
    double before = even_out_of_place(f, sc->together), best = before;
    const struct policy *last = policies[n_policies - 1];
    flat_free(f);
    for (size_t i = sc == &set_huge ? n_policies - 1 : 0; i < n_policies; i++) {
        struct row r = run_policy(sc, o, cl, policies[i]);
        print_row(sc, &r, &b, before);
        if (policies[i] == last && o->check)
            check_row(sc, o, &r, &b, best);
        best = MIN(best, r.after);
        if (sc == &set_huge)
            printf("resident while planning: %.2f GiB\n", (double)r.peak / GIB);
        g_free(r.fault);
    }
    printf("| %s | *bound* | | %.1f | | | %u | | | | | |\n", sc->name, (double)b.bytes / GIB, b.rounds);
    fflush(stdout);
}

static int usage(FILE *out)
{
    fputs("usage: bench_policies [--check] [--scale X] [--only SCENARIO] [--huge]\n"
          "  --check  exit with 1 where a demand on the last policy is missed\n"
          "  --scale  a part of the chunks, 0 to 1; times of planning are then not checked\n"
          "  --huge   ten million chunks instead\n",
          out);
    for (size_t i = 0; i < n_set_scenarios; i++)
        fprintf(out, "  %-12s %s\n", set_scenarios[i].name, set_scenarios[i].about);
    return out == stdout ? 0 : err_exit_code(ERR_USAGE);
}

static bool read_arguments(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--check") == 0)
            o->check = true;
        else if (strcmp(argv[i], "--huge") == 0)
            o->huge = true;
        else if (strcmp(argv[i], "--scale") == 0 && more)
            o->scale = g_ascii_strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--only") == 0 && more)
            o->only = argv[++i];
        else
            return false;
    }
    return o->scale > 0 && o->scale <= 1;
}

int main(int argc, char **argv)
{
    struct options o = {.scale = 1};
    struct rusage used;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!read_arguments(argc, argv, &o))
        return usage(stderr);
    print_head();
    if (o.huge)
        run_scenario(&set_huge, &o);
    for (size_t i = 0; i < n_set_scenarios && !o.huge; i++)
        if (o.only == NULL || strcmp(o.only, set_scenarios[i].name) == 0)
            run_scenario(&set_scenarios[i], &o);
    getrusage(RUSAGE_SELF, &used);
    printf("largest resident size: %.2f GiB\n", (double)used.ru_maxrss * 1024 / GIB);
    return n_missed > 0 ? 1 : 0;
}
