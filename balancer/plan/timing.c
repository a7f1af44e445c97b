// SPDX-License-Identifier: Apache-2.0
/* One run exactly as expected, then some with luck. What concerns all migrations alike (the model may be off)
 * is drawn in even steps from run to run, what each has of its own by a seed that never changes: so the same
 * plan always has the same times. */
#include "balancer/plan/timing.h"

#include <math.h>
#include <string.h>

enum {
    RUNS_MAX = 48,
    RUNS_LEAST = 4,     /* with fewer the range is that of the model alone */
    MOVES_MAX = 200000, /* that are simulated with luck, all runs together */
    QUANTILES = 65,
    SEED = 20
};
/* Beyond so many steps of work (hostile input: tens of thousands of shards) the bound has to do. */
static const double WORK_MAX = 1e10;
static const double PAUSE_S = 1; /* of MongoDB's balancer, after a round that moved something */
static const double LOW = 0.05, HIGH = 0.95;

/* --- moves --- */

/* A range by its collection and its end: what cuts pieces off a chunk, or moves it on, leaves the end. */
struct place {
    uint32_t coll;
    plan_bound max;
};

static uint32_t bound_len(plan_bound b)
{
    uint32_t len;
    memcpy(&len, b, sizeof len);
    return GUINT32_FROM_LE(len);
}

static guint place_hash(gconstpointer data)
{
    const struct place *p = data;
    guint h = 2166136261U ^ p->coll;
    for (uint32_t i = 0, len = bound_len(p->max); i < len; i++)
        h = (h ^ p->max[i]) * 16777619U;
    return h;
}

static gboolean place_equal(gconstpointer a, gconstpointer b)
{
    const struct place *x = a, *y = b;
    const uint32_t len = bound_len(x->max);
    return x->coll == y->coll && len == bound_len(y->max) && memcmp(x->max, y->max, len) == 0;
}

static struct sim_move *make_moves(plan *p, const estimate *e)
{
    const guint n = p->migrations->len;
    struct sim_move *moves = g_new(struct sim_move, n);
    g_autofree struct place *places = g_new(struct place, n);
    g_autoptr(GHashTable) last = g_hash_table_new(place_hash, place_equal);
    const int64_t assumed = p->cl->settings.chunk_bytes;
    for (guint i = 0; i < n; i++) {
        struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        m->seconds = estimate_seconds(e, m->coll->number, m->from, m->to, m->bytes);
        places[i] = (struct place){m->coll->number, m->max};
        const guint before = GPOINTER_TO_UINT(g_hash_table_lookup(last, &places[i]));
        g_hash_table_replace(last, &places[i], GUINT_TO_POINTER(i + 1));
        moves[i] = (struct sim_move){.from = m->from,
                                     .to = m->to,
                                     .round = m->round,
                                     .after = before == 0 ? SIM_NONE : before - 1,
                                     .seconds = m->seconds,
                                     .bytes = m->bytes >= 0 ? m->bytes : assumed};
    }
    return moves;
}

/* --- runs --- */

struct timing {
    plan *p;
    const estimate *e;
    const struct sim_limits *limits;
    sim *s;
    double spread[QUANTILES];
};

static struct sim_luck luck_of(const struct timing *t, unsigned run, unsigned runs)
{
    return (struct sim_luck){.seed = SEED + run,
                             .common = estimate_common(t->e, (run + 0.5) / runs),
                             .spread = t->spread,
                             .n_spread = t->e->ratios->len > 0 ? QUANTILES : 0};
}

static int cmp_double(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* The value below which the share `q` of the sorted ones lies. */
static double quantile(const double *sorted, unsigned n, double q)
{
    const double at = q * (n - 1);
    const unsigned i = (unsigned)at, next = MIN(i + 1, n - 1);
    return at <= i ? sorted[i] : sorted[i] + (sorted[next] - sorted[i]) * (at - i);
}

/* Ends of so many runs, ascending; those that never come to their end as HUGE_VAL. Returns by how much longer
 * rounds with a barrier take, on average. */
static double draw_ends(const struct timing *t, const struct sim_limits *limits, unsigned runs,
                        double *ret_ends)
{
    double barrier = 0;
    for (unsigned i = 0; i < runs; i++) {
        const struct sim_luck luck = luck_of(t, i, runs);
        const struct sim_end end = sim_run(t->s, limits, &luck, NULL);
        ret_ends[i] = end.left > 0 ? HUGE_VAL : end.seconds;
        barrier += sim_run_rounds(t->s, NULL, &luck, PAUSE_S).seconds - end.seconds;
    }
    qsort(ret_ends, runs, sizeof *ret_ends, cmp_double);
    return runs > 0 ? barrier / runs : 0;
}

/* Without windows: seconds of open time. */
static void fill_seconds(const struct timing *t, unsigned runs, double *starts)
{
    struct plan_time *to = &t->p->summary.time;
    struct sim_limits anytime = *t->limits;
    double ends[RUNS_MAX];
    anytime.open = NULL;
    to->lower_bound = sim_lower_bound(t->s, t->limits->max_concurrent);
    to->expected = sim_run(t->s, &anytime, NULL, starts).seconds;
    to->low = to->expected * estimate_common(t->e, LOW);
    to->high = to->expected * estimate_common(t->e, HIGH);
    const double longer = draw_ends(t, &anytime, runs, ends);
    to->barrier = sim_run_rounds(t->s, NULL, NULL, PAUSE_S).seconds;
    if (anytime.max_concurrent == 0 && anytime.max_bytes_per_hour == 0) /* they know no such limits */
        to->barrier = MAX(to->barrier, to->expected + longer);
    if (runs > 0) {
        to->low = MIN(quantile(ends, runs, LOW), to->expected);
        to->high = MAX(quantile(ends, runs, HIGH), to->expected);
    }
}

/* When so many seconds of open time have passed. */
static double after_open(const struct sim_limits *l, double seconds)
{
    if (l->open == NULL)
        return seconds;
    for (size_t i = 0; i < l->n_open; i++) {
        const double from = MAX((double)(l->open[i].from - l->start_ms) / 1000, 0);
        const double to = (double)(l->open[i].to - l->start_ms) / 1000;
        if (to > from && from + seconds <= to)
            return from + seconds;
        seconds -= MAX(to - from, 0);
    }
    return HUGE_VAL;
}

static int64_t moment(const struct timing *t, double seconds)
{
    return seconds < 1e11 ? t->limits->start_ms + (int64_t)(seconds * 1000) : 0;
}

/* On the calendar. In windows some time is lost before each close, when nothing fits any more: that is
 * simulated, too, but for the largest plans, of which it is little. */
static void fill_ends(const struct timing *t, unsigned runs, double *starts)
{
    struct plan_time *to = &t->p->summary.time;
    double low = after_open(t->limits, to->low), expected = after_open(t->limits, to->expected),
           high = after_open(t->limits, to->high), ends[RUNS_MAX];
    const bool simulated = t->limits->open != NULL && runs > 0;
    if (simulated) {
        const struct sim_end end = sim_run(t->s, t->limits, NULL, starts);
        expected = end.left > 0 ? HUGE_VAL : end.seconds;
        draw_ends(t, t->limits, runs, ends);
        low = MIN(quantile(ends, runs, LOW), expected);
        high = MAX(quantile(ends, runs, HIGH), expected);
    }
    to->starts_at = t->limits->start_ms;
    to->earliest_end = moment(t, low);
    to->expected_end = moment(t, expected);
    to->latest_end = moment(t, high);
    for (guint i = 0; i < t->p->migrations->len; i++) {
        struct plan_migration *m = &g_array_index(t->p->migrations, struct plan_migration, i);
        const double end = starts[i] + m->seconds;
        m->ends_at = starts[i] < 0 ? 0 : moment(t, simulated ? end : after_open(t->limits, end));
    }
}

static unsigned count_runs(const struct timing *t, guint n)
{
    if ((double)n * t->p->cl->n_shards > WORK_MAX)
        return 0;
    const bool windows = t->limits->start_ms != 0 && t->limits->open != NULL;
    const guint runs = MIN(MOVES_MAX / MAX(n, 1) / (windows ? 2 : 1), RUNS_MAX);
    return runs < RUNS_LEAST ? 0 : runs;
}

static double milliseconds(double seconds)
{
    return round(seconds * 1000) / 1000;
}

static void round_off(struct plan_time *t)
{
    double *const all[] = {&t->minimum, &t->expected, &t->low, &t->high, &t->lower_bound, &t->barrier};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        *all[i] = milliseconds(*all[i]);
}

static void take_bound(const struct timing *t)
{
    struct plan_time *to = &t->p->summary.time;
    to->lower_bound = to->expected = to->barrier = sim_lower_bound(t->s, t->limits->max_concurrent);
    to->low = to->expected * estimate_common(t->e, LOW);
    to->high = to->expected * estimate_common(t->e, HIGH);
}

void timing_fill(plan *p, const estimate *e, const struct plan_options *opt, double within)
{
    const guint n = p->migrations->len;
    struct plan_time *to = &p->summary.time;
    g_autofree struct sim_move *moves = make_moves(p, e);
    g_autofree double *starts = g_new0(double, n);
    struct timing t = {.p = p, .e = e, .limits = &opt->limits, .s = sim_new(moves, n)};
    const unsigned runs = count_runs(&t, n);
    for (int i = 0; i < QUANTILES; i++)
        t.spread[i] = estimate_spread(e, (double)i / (QUANTILES - 1));
    if ((double)n * p->cl->n_shards > WORK_MAX)
        take_bound(&t);
    else
        fill_seconds(&t, runs, starts);
    if (within > 0 && opt->limits.max_bytes_per_hour == 0 && opt->limits.max_concurrent == 0)
        to->expected = MIN(to->expected, within);
    to->low = MIN(to->low, to->expected);
    to->minimum = MIN(to->lower_bound * e->low, to->low);
    to->basis = e->basis;
    for (guint i = 0; i < n; i++)
        g_array_index(p->migrations, struct plan_migration, i).starts = starts[i];
    if (opt->limits.start_ms != 0 && n > 0)
        fill_ends(&t, runs, starts);
    round_off(to);
    sim_free(t.s);
}
