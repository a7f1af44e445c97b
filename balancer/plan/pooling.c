// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/pooling.h"

#include <math.h>
#include <string.h>

/* With fewer values in groups of two and more, chance is judged by all values, as if there were no groups. */
enum { STRAYS_LEAST = 4 };

/* A group's own value counts at most n / (n + LEAST_DOUBT). */
static const double LEAST_DOUBT = 3;
/* The variance of a median of n values over that of one: pi / 2 / n. */
static const double MEDIAN_LOSS = 1.5708;
/* The median distance from the median, of a normal distribution of deviation 1, is 1 / 1.4826. */
static const double MAD_TO_SD = 1.4826;

static int by_group(gconstpointer a, gconstpointer b)
{
    const struct pooled_value *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value ? 1 : 0;
}

static int by_value(gconstpointer a, gconstpointer b)
{
    const struct pooled_value *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value ? 1 : 0;
}

static double value_at(const GArray *values, guint i)
{
    return g_array_index(values, struct pooled_value, i).value;
}

/* Of [from, to), sorted. */
static double middle(const GArray *values, guint from, guint to)
{
    const guint n = to - from, half = from + n / 2;
    return n % 2 == 1 ? value_at(values, half) : (value_at(values, half - 1) + value_at(values, half)) / 2;
}

static GArray *sorted_copy(const GArray *values, GCompareFunc order)
{
    GArray *copy = g_array_sized_new(FALSE, FALSE, sizeof(struct pooled_value), values->len);
    g_array_append_vals(copy, values->data, values->len);
    g_array_sort(copy, order);
    return copy;
}

static double median(const GArray *values)
{
    g_autoptr(GArray) sorted = sorted_copy(values, by_value);
    return sorted->len == 0 ? 0 : middle(sorted, 0, sorted->len);
}

/* The end of the group that begins at `from`, of values sorted by group. */
static guint group_end(const GArray *values, guint from)
{
    guint to = from + 1;
    while (to < values->len && g_array_index(values, struct pooled_value, to).group ==
                                   g_array_index(values, struct pooled_value, from).group)
        to++;
    return to;
}

/* Raw: how far each group's median is from the median of all. *ret_within: the variance inside groups. */
static GArray *raw_groups(const GArray *values, double *ret_within)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(struct pooled_group));
    g_autoptr(GArray) sorted = sorted_copy(values, by_group);
    g_autoptr(GArray) strays = g_array_new(FALSE, FALSE, sizeof(struct pooled_value));
    const double whole = median(values);
    for (guint from = 0; from < sorted->len;) {
        const guint to = group_end(sorted, from);
        const uint32_t number = g_array_index(sorted, struct pooled_value, from).group;
        const double own = number == POOLED_NONE ? whole : middle(sorted, from, to);
        const struct pooled_group g = {number, to - from, own - whole};
        if (number != POOLED_NONE)
            g_array_append_val(groups, g);
        for (guint i = from; i < to; i++) {
            const struct pooled_value stray = {0, fabs(value_at(sorted, i) - own)};
            if (to - from > 1)
                g_array_append_val(strays, stray);
        }
        from = to;
    }
    for (guint i = 0; strays->len < STRAYS_LEAST && i < sorted->len; i++) {
        const struct pooled_value stray = {0, fabs(value_at(sorted, i) - whole)};
        g_array_append_val(strays, stray);
    }
    const double deviation = MAD_TO_SD * median(strays);
    *ret_within = deviation * deviation;
    return groups;
}

/* By moments: the mean of the squares, by number of members, less what chance adds to each. */
static double between(const GArray *groups, double within)
{
    double squares = 0, members = 0;
    for (guint i = 0; i < groups->len; i++) {
        const struct pooled_group *g = &g_array_index(groups, struct pooled_group, i);
        squares += g->n * g->effect * g->effect;
        members += g->n;
    }
    const double chance = groups->len * MEDIAN_LOSS * within;
    return members > 0 ? MAX(squares - chance, 0) / members : 0;
}

GArray *pooled_groups(const GArray *values)
{
    double within;
    GArray *groups = raw_groups(values, &within);
    const double nature = between(groups, within);
    if (!(nature > 0) || groups->len < 2)
        return g_array_set_size(groups, 0);
    for (guint i = 0; i < groups->len; i++) {
        struct pooled_group *g = &g_array_index(groups, struct pooled_group, i);
        g->effect *= g->n / (g->n + MAX(LEAST_DOUBT, MEDIAN_LOSS * within / nature));
        g->effect = CLAMP(g->effect, -POOLED_MOST, POOLED_MOST);
    }
    return groups;
}

double pooled_between(const GArray *values)
{
    double within;
    g_autoptr(GArray) groups = raw_groups(values, &within);
    return between(groups, within);
}

/* Abramowitz and Stegun, 26.2.23. */
double pooled_normal(double q)
{
    const double p = CLAMP(MIN(q, 1 - q), 1e-6, 0.5), t = sqrt(-2 * log(p));
    const double up = 2.515517 + t * (0.802853 + t * 0.010328);
    const double down = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    const double z = t - up / down;
    return q < 0.5 ? -z : z;
}
