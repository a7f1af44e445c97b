// SPDX-License-Identifier: Apache-2.0
/* pooling.h - groups that differ, told from groups that only seem to: partial pooling of medians.
 * Owns: the share of a group's own value that is believed. Never: knows what the values mean.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define POOLED_NONE UINT32_MAX /* in no group, but counts towards the whole */

struct pooled_value {
    uint32_t group;
    double value;
};

struct pooled_group {
    uint32_t group;
    uint32_t n;
    double effect; /* how far from the median of all it is believed to be; within +-POOLED_MOST */
};
#define POOLED_MOST 1.5

/* GArray of struct pooled_group by group number, of the values (GArray of struct pooled_value); no group: all
 * have the same. A group's median differs from that of all by chance and by its nature; the variance that
 * chance does not explain, over all groups, says how much of each is nature: all of it where its members are
 * many and groups differ much, nothing where groups differ no more than chance has it. */
GArray *pooled_groups(const GArray *values);

/* The variance of groups beyond what chance has. */
double pooled_between(const GArray *values);

/* The standard normal distribution's quantile, to 5e-4; q within [1e-6, 1 - 1e-6]. */
double pooled_normal(double q);
