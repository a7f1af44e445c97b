// SPDX-License-Identifier: Apache-2.0
/* bench_policies - the same clusters planned by every policy, and what none can beat, in one table; with
 * --check, what is demanded of `optimal`. README.md tells what each column and bound means. */
#include "common/text.h"
#include "tests/support/even_bound.h"
#include "tests/support/measure.h"
#include "tests/support/plan_times.h"
#include "tests/support/scenario_set.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

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
    double seconds;
};

struct row {
    const struct policy *policy;
    double planning; /* seconds of a processor */
    int64_t peak;    /* resident while planning */
    struct plan_summary sum;
    uint32_t own_rounds; /* the fewest for its own migrations */
    bool disjoint;       /* no shard both gives and takes */
    uint64_t repeats;
    struct plan_times times;
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

static void add_bound(const flat_cluster *f, const struct flat_coll *c, struct bound *b,
                      struct even_work *work)
{
    g_autofree int64_t *low = g_new(int64_t, f->n_shards), *high = g_new(int64_t, f->n_shards);
    band_of(f, c, low, high);
    b->bytes += even_least(f, c, low, high).moved;
    even_add_work(f, c, low, high, largest_migration(f), work);
}

static struct bound bound_of(const flat_cluster *f, bool together)
{
    struct bound b = {0};
    g_autofree struct even_work *work = g_new0(struct even_work, f->n_shards);
    for (uint32_t i = 0; i < (together ? 1 : f->n_colls); i++)
        add_bound(f, together ? NULL : &f->colls[i], &b, work);
    for (uint16_t s = 0; s < f->n_shards; s++) {
        b.rounds = MAX(b.rounds, work[s].migrations);
        b.seconds = MAX(b.seconds, work[s].migrations * plan_times_expected(0) +
                                       plan_times_expected(work[s].bytes) - plan_times_expected(0));
    }
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
    opt.balance_cluster = sc->together;
    struct err err = {0};
    plan *p = NULL;
    measure_peak_reset();
    clock_t start = clock();
    if (!plan_make(cl, &opt, &p, &err))
        g_error("%s", err.msg);
    r->planning = (double)(clock() - start) / CLOCKS_PER_SEC;
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
    r.times = plan_times(p, policy != policy_find("optimal"));
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
    static const char *const columns[] = {"scenario",     "policy",  "migrations",   "GiB",
                                          "x bound",      "x own",   "rounds",       "x bound",
                                          "x own",        "hours",   "x bound",      "stragglers",
                                          "x built-in's", "repeats", "out of place", "planned in"};
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
        printf("| %s ", columns[i]);
    printf("|\n");
    for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
        printf("| --- ");
    printf("|\n");
}

static void print_row(const struct set_scenario *sc, const struct row *r, const struct bound *b,
                      double before, double builtin_stragglers)
{
    printf("| %s | %s | %u | %.1f | %.3f | %.3f | %u | %.3f | %.3f |", sc->name, r->policy->name,
           r->sum.n_migrations, (double)r->sum.bytes / GIB, ratio((double)r->sum.bytes, (double)b->bytes),
           ratio((double)r->sum.bytes, (double)r->sum.lower_bytes), r->sum.n_rounds,
           ratio(r->sum.n_rounds, b->rounds), ratio(r->sum.n_rounds, r->own_rounds));
    printf(" %.2f | %.3f | %.2f |", r->times.usual / 3600, ratio(r->times.usual, b->seconds),
           r->times.stragglers / 3600);
    if (builtin_stragglers > 0)
        printf(" %.2f", r->times.stragglers / builtin_stragglers);
    printf(" | %" G_GUINT64_FORMAT " | %.2f to %.2f %% | %.0f ms |\n", r->repeats, before * 100,
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

/* Half the built-in's time, or a tenth more than the busiest shard alone needs, stragglers and all; of few
 * migrations a straggler is a large part. */
static double most_with_stragglers(const struct options *o, const struct bound *b, const struct row *builtin)
{
    const double luck = o->scale < 1 ? 1.3 : 1.1;
    const double slower = 1 + PLAN_TIMES_STRAGGLERS * (PLAN_TIMES_STRAGGLER_FACTOR - 1);
    return MAX(builtin->times.stragglers / 2, luck * slower * b->seconds);
}

static void check_bounds(const struct set_scenario *sc, const struct options *o, const struct row *r,
                         const struct bound *b, const struct row *builtin)
{
    double bytes = ratio((double)r->sum.bytes, (double)b->bytes),
           rounds = ratio(r->sum.n_rounds, r->own_rounds), time = ratio(r->times.usual, b->seconds),
           most = most_with_stragglers(o, b, builtin);
    demand(sc, bytes <= 1.02, "%.3f times the bytes of the bound", bytes);
    demand(sc, rounds <= (r->disjoint ? 1.0 : 1.05), "%.3f times the rounds that its migrations need",
           rounds);
    demand(sc, time <= 1.3, "%.3f times the time of the bound", time);
    demand(sc, r->times.stragglers <= most, "with stragglers %.2f hours, more than %.2f",
           r->times.stragglers / 3600, most / 3600);
    demand(sc, r->after <= builtin->after + 0.005, "%.2f %% out of place, the built-in leaves %.2f",
           r->after * 100, builtin->after * 100);
}

/* What is demanded of the policy `optimal`; times of planning at full scale only. */
static void check_row(const struct set_scenario *sc, const struct options *o, const struct row *r,
                      const struct bound *b, const struct row *builtin)
{
    demand(sc, r->fault == NULL, "%s", r->fault);
    demand(sc, r->sum.complete, "the plan is not complete");
    demand(sc, r->repeats == 0, "%" G_GUINT64_FORMAT " ranges move twice", r->repeats);
    check_bounds(sc, o, r, b, builtin);
    if (o->scale < 1)
        return;
    demand(sc, r->planning < (sc->chunks > 1000 * 1000 ? 30 : 2), "planned in %.1f s", r->planning);
    demand(sc, r->peak < (int64_t)2 << 30, "%.2f GiB resident", (double)r->peak / GIB);
}

/* Prints, and checks `optimal`. */
static void report(const struct set_scenario *sc, const struct options *o, const struct row *rows, size_t n,
                   const struct bound *b, const struct row *builtin, double before)
{
    for (size_t i = 0; i < n; i++) {
        print_row(sc, &rows[i], b, before, builtin->times.stragglers);
        if (rows[i].policy == policy_find("optimal") && o->check)
            check_row(sc, o, &rows[i], b, builtin);
        if (o->huge)
            printf("resident while planning: %.2f GiB\n", (double)rows[i].peak / GIB);
    }
    printf("| %s | *bound* | | %.1f | | | %u | | | %.2f | | | | | | |\n", sc->name, (double)b->bytes / GIB,
           b->rounds, b->seconds / 3600);
    fflush(stdout);
}

static void run_scenario(const struct set_scenario *sc, const struct options *o)
{
    flat_cluster *f = sc->make(o->scale);
    g_autoptr(cluster) cl = flat_build(f);
    struct bound b = bound_of(f, sc->together);
    double before = even_out_of_place(f, sc->together);
    g_autofree struct row *rows = g_new0(struct row, n_policies);
    struct row builtin = {.after = before};
    size_t n = 0;
    flat_free(f);
    for (size_t i = o->huge ? n_policies - 1 : 0; i < n_policies; i++, n++) {
        rows[n] = run_policy(sc, o, cl, policies[i]);
        if (policies[i] == policy_auto(cl))
            builtin = rows[n];
    }
    report(sc, o, rows, n, &b, &builtin, before);
    for (size_t i = 0; i < n; i++)
        g_free(rows[i].fault);
}

static int usage(FILE *out)
{
    fputs("usage: bench_policies [--check] [--scale X] [--only SCENARIO] [--huge]\n"
          "  --check  exit with 1 where a demand on `optimal` is missed\n"
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
