// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/estimate.h"

/* Without history: a second for the hand-over, 20 MiB/s for the copy, and a wide spread. Assumptions, not
 * measurements; reports say so by their basis "default". */
static const struct estimate defaults = {
    .latency = 1.0, .seconds_per_byte = 1.0 / (20 * 0x1p20), .low = 0.5, .high = 4.0, .basis = TIME_DEFAULT};

enum { LEAST_HISTORY = 3 };

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

struct estimate estimate_fit(const cluster *cl)
{
    g_autoptr(GArray) used = g_array_new(FALSE, FALSE, sizeof(struct past_migration));
    for (guint i = 0; cl->history != NULL && i < cl->history->len; i++) {
        const struct past_migration *m = &g_array_index(cl->history, struct past_migration, i);
        if (m->bytes >= 0 && m->seconds > 0)
            g_array_append_vals(used, m, 1);
    }
    if (used->len < LEAST_HISTORY)
        return defaults;
    struct estimate e = {.basis = TIME_CHANGELOG};
    fit_line(used, &e);
    g_autoptr(GArray) ratios = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < used->len; i++) {
        const struct past_migration *m = &g_array_index(used, struct past_migration, i);
        double model = estimate_seconds(&e, m->bytes);
        double ratio = model > 0 ? m->seconds / model : 1;
        g_array_append_val(ratios, ratio);
    }
    g_array_sort(ratios, cmp_double);
    e.low = MIN(quantile(ratios, 0.05), 1);
    e.high = MAX(quantile(ratios, 0.95), 1);
    return e;
}
