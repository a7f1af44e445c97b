// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/estimate.h"

#include "balancer/plan/pooling.h"

#include <math.h>

/* Without history: a second for the hand-over, 20 MiB/s for the copy, and a wide spread. Assumptions, not
 * measurements; reports say so by their basis "default". */
static const estimate defaults = {.latency = 1.0,
                                  .seconds_per_byte = 1.0 / (20 * 0x1p20),
                                  .low = 0.5,
                                  .high = 4.0,
                                  .common_low = 0.5,
                                  .common_high = 4.0,
                                  .basis = TIME_DEFAULT};

/* How many times longer or shorter than the median, both as multiples of the model, is an outlier. */
static const double OUTLIER = 16;

/* A model that rests on one migration would be off by this (standard deviation of the logarithm), on n by the
 * square root of n less. */
static const double DOUBT_OF_ONE = 0.5;

/* Nothing that a migration does is over sooner; what claims to be is no measurement. */
static const double LEAST_SECONDS = 1e-6;

/* One that has taken longer than any of the past is expected to take so many times that. */
static const double BEYOND_ALL = 1.25;

enum { NEWEST = 2000, BLOCKS = 10, BLOCK_LEAST = 5, PASSES = 4 };

/* What past migrations are grouped by, in the order in which factors are fitted. */
enum group { BY_DONOR, BY_RECIPIENT, BY_COLLECTION, BY_PAIR, GROUPS = ESTIMATE_GROUPS };

struct factor {
    uint32_t number; /* of the shard or collection; of a pair both */
    double factor;
};

static uint32_t number_of(enum group by, uint32_t coll, uint16_t from, uint16_t to)
{
    switch (by) {
    case BY_DONOR:
        return from == SHARD_NONE ? POOLED_NONE : from;
    case BY_RECIPIENT:
        return to == SHARD_NONE ? POOLED_NONE : to;
    case BY_COLLECTION:
        return coll;
    default:
        return from == SHARD_NONE || to == SHARD_NONE ? POOLED_NONE : (uint32_t)from << 16 | to;
    }
}

static double factor_of(const GArray *factors, uint32_t number)
{
    guint lo = 0, hi = factors == NULL ? 0 : factors->len;
    while (lo < hi) {
        const guint mid = lo + (hi - lo) / 2;
        const struct factor *f = &g_array_index(factors, struct factor, mid);
        if (f->number == number)
            return f->factor;
        if (f->number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 1;
}

static double line(const estimate *e, int64_t bytes)
{
    return e->latency + e->seconds_per_byte * (double)MAX(bytes, 0);
}

double estimate_seconds(const estimate *e, uint32_t coll, uint16_t from, uint16_t to, int64_t bytes)
{
    double seconds = line(e, bytes);
    for (int by = 0; by < GROUPS; by++)
        seconds *= factor_of(e->factors[by], number_of((enum group)by, coll, from, to));
    return seconds;
}

static double model_of(const estimate *e, const struct past_migration *m)
{
    return estimate_seconds(e, m->coll, m->from, m->to, m->bytes);
}

static int cmp_double(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* The value below which the share `q` of the sorted values lies. */
static double quantile(const GArray *sorted, double q)
{
    guint i = (guint)(q * (double)(sorted->len - 1) + 0.5);
    return g_array_index(sorted, double, i);
}

/* --- the line --- */

/* Least squares of seconds over bytes, `weighted` by what the model has of each so far: long ones stray by
 * more seconds. Where all had one size, or the slope or the intercept would be negative, a plain rate or a
 * plain mean. What factors the model has are taken as they are. */
static void fit_line(const GArray *used, estimate *e, bool weighted)
{
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        const double straight = line(e, m->bytes), model = weighted ? model_of(e, m) : 0;
        const double w = model > 0 ? 1 / (straight * straight) : 1;
        const double x = (double)m->bytes, y = model > 0 ? m->seconds * straight / model : m->seconds;
        n += w;
        sx += w * x;
        sy += w * y;
        sxx += w * x * x;
        sxy += w * x * y;
    }
    double d = n * sxx - sx * sx;
    double b = d > 1e-9 * n * sxx ? (n * sxy - sx * sy) / d : 0;
    double a = (sy - b * sx) / n;
    if (b < 0) {
        b = 0;
        a = sy / n;
    } else if (a < 0) {
        a = 0;
        b = sx > 0 ? sy / sx : 0;
    }
    e->latency = a;
    e->seconds_per_byte = b;
}

/* The newest past migrations with a size and a time; or such that are under way. */
static GArray *useful(const GArray *history, bool running)
{
    GArray *used = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    guint i = history == NULL || history->len <= NEWEST ? 0 : history->len - NEWEST;
    for (; history != NULL && i < history->len; i++) {
        const struct past_migration *m = &g_array_index(history, struct past_migration, i);
        if (m->bytes >= 0 && m->seconds >= LEAST_SECONDS && m->running == running)
            g_array_append_vals(used, m, 1);
    }
    return used;
}

static double ratio_of(const estimate *e, const struct past_migration *m)
{
    const double model = model_of(e, m);
    return model > 0 ? m->seconds / model : 1;
}

/* How many times the model each took, in their order. */
static GArray *ratios_of(const estimate *e, const GArray *used)
{
    GArray *ratios = g_array_sized_new(FALSE, FALSE, sizeof(double), used->len);
    for (guint i = 0; i < used->len; i++) {
        const double ratio = ratio_of(e, &g_array_index(used, struct past_migration, i));
        g_array_append_val(ratios, ratio);
    }
    return ratios;
}

/* Without outliers, judged against the median by the model as it is: it may be bent, but the odd ones are odd
 * still. All of them, where too few would be left. */
static GArray *trimmed(const estimate *by, const GArray *used)
{
    g_autoptr(GArray) ratios = ratios_of(by, used);
    g_array_sort(ratios, cmp_double);
    const double median = quantile(ratios, 0.5);
    GArray *kept = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        const double ratio = ratio_of(by, m) / median;
        if (ratio <= OUTLIER && ratio >= 1 / OUTLIER)
            g_array_append_vals(kept, m, 1);
    }
    if (kept->len < ESTIMATE_LEAST)
        g_array_append_vals(g_array_set_size(kept, 0), used->data, used->len);
    return kept;
}

/* --- factors --- */

/* What the model leaves unexplained, as logarithms, each with the number of its group. */
static GArray *residuals(const estimate *e, const GArray *used, enum group by)
{
    GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(struct pooled_value), used->len);
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        const struct pooled_value v = {number_of(by, m->coll, m->from, m->to), log(ratio_of(e, m))};
        g_array_append_val(out, v);
    }
    return out;
}

/* From what all other factors leave over. */
static void fit_factors(estimate *e, const GArray *used, enum group by)
{
    g_array_set_size(e->factors[by], 0);
    g_autoptr(GArray) values = residuals(e, used, by);
    g_autoptr(GArray) groups = pooled_groups(values);
    for (guint i = 0; i < groups->len; i++) {
        const struct pooled_group *g = &g_array_index(groups, struct pooled_group, i);
        const struct factor f = {g->group, exp(g->effect)};
        g_array_append_val(e->factors[by], f);
    }
}

/* On the mean, not the median: sums are to come out right, with all that took longer. */
static void scale(estimate *e, const GArray *used)
{
    double sum = 0;
    for (guint i = 0; i < used->len; i++)
        sum += ratio_of(e, &g_array_index(used, struct past_migration, i));
    e->latency *= sum / used->len;
    e->seconds_per_byte *= sum / used->len;
}

/* --- spread --- */

/* How far the mean of some stretch of the past was from the whole, by more than chance: the future is
 * another such stretch. */
static void fit_common(estimate *e, const GArray *used)
{
    GArray *values = residuals(e, used, BY_PAIR);
    const guint block = MAX((used->len + BLOCKS - 1) / BLOCKS, BLOCK_LEAST);
    for (guint i = 0; i < values->len; i++)
        g_array_index(values, struct pooled_value, i).group = i / block;
    const double drift = pooled_between(values);
    double strays = DOUBT_OF_ONE * DOUBT_OF_ONE;
    for (guint i = 0; i < used->len; i++) {
        const double stray = ratio_of(e, &g_array_index(used, struct past_migration, i)) - 1;
        strays += stray * stray / used->len;
    }
    const double sd = sqrt(strays / used->len + drift);
    e->common_high = exp(1.645 * sd);
    e->common_low = 1 / e->common_high;
    g_array_unref(values);
}

static void fit_all(estimate *e, const GArray *used, const GArray *ended)
{
    for (int by = 0; by < GROUPS; by++)
        g_array_set_size(e->factors[by], 0);
    fit_line(used, e, false);
    for (int pass = 0; pass < PASSES; pass++) {
        fit_line(used, e, true);
        for (int by = 0; by < BY_PAIR; by++)
            fit_factors(e, used, (enum group)by);
    }
    fit_factors(e, used, BY_PAIR); /* what its two shards leave unexplained */
    scale(e, used);
    g_array_unref(e->ratios);
    e->ratios = ratios_of(e, ended);
    g_array_sort(e->ratios, cmp_double);
}

/* How many times the model one takes that has taken `so_far` already: the mean of the past ones that took
 * longer. */
static double ratio_beyond(const estimate *e, double so_far)
{
    double sum = 0;
    guint n = 0;
    for (guint i = e->ratios->len; i > 0 && g_array_index(e->ratios, double, i - 1) > so_far; i--, n++)
        sum += g_array_index(e->ratios, double, i - 1);
    return n > 0 ? sum / n : so_far * BEYOND_ALL;
}

/* Those that have ended by now are the short ones of those that have begun: what is under way counts, too,
 * with the time that the model expects of it in the end. */
static void add_running(estimate *e, const GArray *ended, const GArray *running)
{
    for (int pass = 0; pass < PASSES && running->len > 0; pass++) {
        g_autoptr(GArray) both = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
        g_array_append_vals(both, ended->data, ended->len);
        for (guint i = 0; i < running->len; i++) {
            struct past_migration m = g_array_index(running, struct past_migration, i);
            const double so_far = ratio_of(e, &m);
            if (so_far > OUTLIER)
                continue;
            m.seconds *= ratio_beyond(e, so_far) / so_far;
            g_array_append_val(both, m);
        }
        fit_all(e, both, both);
    }
}

estimate *estimate_fit(const cluster *cl)
{
    estimate *e = g_new(estimate, 1);
    *e = defaults;
    for (int by = 0; by < GROUPS; by++)
        e->factors[by] = g_array_new(FALSE, FALSE, sizeof(struct factor));
    e->ratios = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) all = useful(cl->history, false), running = useful(cl->history, true);
    if (all->len < ESTIMATE_LEAST)
        return e;
    fit_line(all, e, false);
    g_autoptr(GArray) near = trimmed(e, all);
    fit_all(e, near, near);
    g_autoptr(GArray) used = trimmed(e, near);
    fit_all(e, used, used);
    e->basis = cl->history_is_ours ? TIME_JOURNAL : TIME_CHANGELOG;
    e->samples = used->len;
    add_running(e, used, running);
    fit_common(e, used);
    e->low = MIN(quantile(e->ratios, 0.05), 1);
    e->high = MAX(quantile(e->ratios, 0.95), 1);
    return e;
}

void estimate_free(estimate *e)
{
    if (e == NULL)
        return;
    for (int by = 0; by < GROUPS; by++)
        g_array_unref(e->factors[by]);
    g_array_unref(e->ratios);
    g_free(e);
}

void estimate_prefer(cluster *cl, const GArray *measured)
{
    g_autoptr(GArray) used = useful(measured, false), running = useful(measured, true);
    if (used->len < ESTIMATE_LEAST)
        return;
    g_array_set_size(cl->history, 0);
    g_array_append_vals(cl->history, used->data, used->len);
    g_array_append_vals(cl->history, running->data, running->len);
    cl->history_is_ours = true;
}

/* Between the past ones the straight line; of a model without any, all doubt is common to all. */
double estimate_spread(const estimate *e, double q)
{
    if (e->ratios->len == 0)
        return 1;
    const double at = CLAMP(q, 0, 1) * (double)(e->ratios->len - 1);
    const guint i = (guint)at, next = MIN(i + 1, e->ratios->len - 1);
    const double low = g_array_index(e->ratios, double, i), high = g_array_index(e->ratios, double, next);
    return low + (high - low) * (at - i);
}

double estimate_common(const estimate *e, double q)
{
    const double z = pooled_normal(q) / 1.645;
    return z < 0 ? pow(e->common_low, -z) : pow(e->common_high, z);
}
