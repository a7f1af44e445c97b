// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/estimate.h"

/* Without history: a second for the hand-over, 20 MiB/s for the copy, and a wide spread. Assumptions, not
 * measurements; reports say so by their basis "default". */
static const struct estimate defaults = {
    .latency = 1.0, .seconds_per_byte = 1.0 / (20 * 0x1p20), .low = 0.5, .high = 4.0, .basis = TIME_DEFAULT};

/* How many times longer or shorter than the median, both as multiples of the model, is an outlier. */
static const double OUTLIER = 8;

double estimate_seconds(const struct estimate *e, int64_t bytes)
{
    return e->latency + e->seconds_per_byte * (double)MAX(bytes, 0);
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

/* Least squares of seconds over bytes; where all had one size, or the slope or the intercept would be
 * negative, a plain rate or a plain mean. */
static void fit_line(const GArray *used, struct estimate *e)
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

static double ratio_of(const struct estimate *e, const struct past_migration *m)
{
    const double model = estimate_seconds(e, m->bytes);
    return model > 0 ? m->seconds / model : 1;
}

/* How many times the model each took, sorted. */
static GArray *ratios_of(const struct estimate *e, const GArray *used)
{
    GArray *ratios = g_array_sized_new(FALSE, FALSE, sizeof(double), used->len);
    for (guint i = 0; i < used->len; i++) {
        const double ratio = ratio_of(e, &g_array_index(used, struct past_migration, i));
        g_array_append_val(ratios, ratio);
    }
    g_array_sort(ratios, cmp_double);
    return ratios;
}

/* Without outliers, judged by a first line through all of them: it may be bent, but the odd ones are odd
 * against the median still. All of them, where too few would be left. */
static GArray *trimmed(const GArray *used)
{
    struct estimate by = {0};
    fit_line(used, &by);
    g_autoptr(GArray) ratios = ratios_of(&by, used);
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

struct estimate estimate_fit(const cluster *cl)
{
    g_autoptr(GArray) all = useful(cl->history);
    if (all->len < ESTIMATE_LEAST)
        return defaults;
    g_autoptr(GArray) used = trimmed(all);
    struct estimate e = {.basis = cl->history_is_ours ? TIME_JOURNAL : TIME_CHANGELOG, .samples = used->len};
    fit_line(used, &e);
    g_autoptr(GArray) ratios = ratios_of(&e, used);
    e.low = MIN(quantile(ratios, 0.05), 1);
    e.high = MAX(quantile(ratios, 0.95), 1);
    return e;
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
