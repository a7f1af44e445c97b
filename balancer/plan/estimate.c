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
static const double OUTLIER = 8;

/* A model that rests on one migration would be off by this (standard deviation of the logarithm), on n by the
 * square root of n less. */
static const double DOUBT_OF_ONE = 0.5;

enum { BLOCKS = 10, BLOCK_LEAST = 5, PASSES = 2 };

struct pair_factor {
    uint32_t key; /* from and to */
    double factor;
};

static uint32_t pair_key(uint16_t from, uint16_t to)
{
    return (uint32_t)from << 16 | to;
}

static double pair_of(const estimate *e, uint16_t from, uint16_t to)
{
    const uint32_t key = pair_key(from, to);
    guint lo = 0, hi = e->pairs == NULL ? 0 : e->pairs->len;
    while (lo < hi) {
        const guint mid = lo + (hi - lo) / 2;
        const struct pair_factor *p = &g_array_index(e->pairs, struct pair_factor, mid);
        if (p->key == key)
            return p->factor;
        if (p->key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 1;
}

static double collection_of(const estimate *e, uint32_t coll)
{
    return e->collections != NULL && coll < e->collections->len ? g_array_index(e->collections, double, coll)
                                                                : 1;
}

static double line(const estimate *e, int64_t bytes)
{
    return e->latency + e->seconds_per_byte * (double)MAX(bytes, 0);
}

double estimate_seconds(const estimate *e, uint32_t coll, uint16_t from, uint16_t to, int64_t bytes)
{
    return line(e, bytes) * pair_of(e, from, to) * collection_of(e, coll);
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

/* Least squares of seconds over bytes; where all had one size, or the slope or the intercept would be
 * negative, a plain rate or a plain mean. */
static void fit_line(const GArray *used, estimate *e)
{
    double n = used->len, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        double x = (double)m->bytes, y = m->seconds;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    double d = n * sxx - sx * sx;
    double b = d > 0 ? (n * sxy - sx * sy) / d : 0;
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

/* Past migrations with a size and a time. */
static GArray *useful(const GArray *history)
{
    GArray *used = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    for (guint i = 0; history != NULL && i < history->len; i++) {
        const struct past_migration *m = &g_array_index(history, struct past_migration, i);
        if (m->bytes >= 0 && m->seconds > 0)
            g_array_append_vals(used, m, 1);
    }
    return used;
}

static double ratio_of(const estimate *e, const struct past_migration *m)
{
    const double model = estimate_seconds(e, m->coll, m->from, m->to, m->bytes);
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

/* Without outliers, judged by a first line through all of them: it may be bent, but the odd ones are odd
 * against the median still. All of them, where too few would be left. */
static GArray *trimmed(const GArray *used)
{
    estimate by = {0};
    fit_line(used, &by);
    g_autoptr(GArray) ratios = ratios_of(&by, used);
    g_array_sort(ratios, cmp_double);
    const double median = quantile(ratios, 0.5);
    GArray *kept = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        const double ratio = ratio_of(&by, m) / median;
        if (ratio <= OUTLIER && ratio >= 1 / OUTLIER)
            g_array_append_vals(kept, m, 1);
    }
    if (kept->len < ESTIMATE_LEAST)
        g_array_append_vals(g_array_set_size(kept, 0), used->data, used->len);
    return kept;
}

/* --- factors --- */

/* What the model leaves unexplained, as logarithms, each with the number of its group. */
static GArray *residuals(const estimate *e, const GArray *used, bool by_pair)
{
    GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(struct pooled_value), used->len);
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        const bool known =
            by_pair ? m->from != SHARD_NONE && m->to != SHARD_NONE : m->coll != COLLECTION_NONE;
        const struct pooled_value v = {known ? (by_pair ? pair_key(m->from, m->to) : m->coll) : POOLED_NONE,
                                       log(ratio_of(e, m))};
        g_array_append_val(out, v);
    }
    return out;
}

/* Each pass takes what the other factors leave over. */
static void fit_pairs(estimate *e, const GArray *used)
{
    g_array_set_size(e->pairs, 0);
    g_autoptr(GArray) values = residuals(e, used, true);
    g_autoptr(GArray) groups = pooled_groups(values);
    for (guint i = 0; i < groups->len; i++) {
        const struct pooled_group *g = &g_array_index(groups, struct pooled_group, i);
        const struct pair_factor p = {g->group, exp(g->effect)};
        g_array_append_val(e->pairs, p);
    }
}

static void fit_collections(estimate *e, const GArray *used, uint32_t n)
{
    g_array_set_size(e->collections, 0);
    g_autoptr(GArray) values = residuals(e, used, false);
    g_autoptr(GArray) groups = pooled_groups(values);
    for (guint i = 0; i < groups->len; i++) {
        const struct pooled_group *g = &g_array_index(groups, struct pooled_group, i);
        const double factor = exp(g->effect), one = 1;
        while (e->collections->len < n)
            g_array_append_val(e->collections, one);
        if (g->group < n)
            g_array_index(e->collections, double, g->group) = factor;
    }
}

/* Sums are to come out right: as long as the past ones took together. */
static void scale(estimate *e, const GArray *used)
{
    double took = 0, model = 0;
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        took += m->seconds;
        model += estimate_seconds(e, m->coll, m->from, m->to, m->bytes);
    }
    if (model > 0) {
        e->latency *= took / model;
        e->seconds_per_byte *= took / model;
    }
}

/* --- spread --- */

/* How far the mean of some stretch of the past was from the whole, by more than chance: the future is
 * another such stretch. */
static void fit_common(estimate *e, const GArray *used)
{
    GArray *values = residuals(e, used, true);
    const guint block = MAX((used->len + BLOCKS - 1) / BLOCKS, BLOCK_LEAST);
    for (guint i = 0; i < values->len; i++)
        g_array_index(values, struct pooled_value, i).group = i / block;
    const double drift = pooled_between(values);
    const double doubt = pooled_within(values) + DOUBT_OF_ONE * DOUBT_OF_ONE;
    const double sd = sqrt(doubt / used->len + drift);
    e->common_high = exp(1.645 * sd);
    e->common_low = 1 / e->common_high;
    g_array_unref(values);
}

estimate *estimate_fit(const cluster *cl)
{
    estimate *e = g_new(estimate, 1);
    *e = defaults;
    e->pairs = g_array_new(FALSE, FALSE, sizeof(struct pair_factor));
    e->collections = g_array_new(FALSE, FALSE, sizeof(double));
    e->ratios = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) all = useful(cl->history);
    if (all->len < ESTIMATE_LEAST)
        return e;
    g_autoptr(GArray) used = trimmed(all);
    e->basis = cl->history_is_ours ? TIME_JOURNAL : TIME_CHANGELOG;
    e->samples = used->len;
    fit_line(used, e);
    for (int pass = 0; pass < PASSES; pass++) {
        fit_pairs(e, used);
        fit_collections(e, used, cl->n_collections);
    }
    scale(e, used);
    fit_common(e, used);
    g_array_unref(e->ratios);
    e->ratios = ratios_of(e, used);
    g_array_sort(e->ratios, cmp_double);
    e->low = MIN(quantile(e->ratios, 0.05), 1);
    e->high = MAX(quantile(e->ratios, 0.95), 1);
    return e;
}

void estimate_free(estimate *e)
{
    if (e == NULL)
        return;
    g_array_unref(e->pairs);
    g_array_unref(e->collections);
    g_array_unref(e->ratios);
    g_free(e);
}

void estimate_prefer(cluster *cl, const GArray *measured)
{
    g_autoptr(GArray) used = useful(measured);
    if (used->len < ESTIMATE_LEAST)
        return;
    g_array_set_size(cl->history, 0);
    g_array_append_vals(cl->history, used->data, used->len);
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
