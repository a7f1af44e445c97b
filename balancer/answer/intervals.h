// SPDX-License-Identifier: Apache-2.0
/* intervals.h - which values of one shard key field a filter leaves: sorted intervals over encoded values.
 * Owns: making them of single comparisons, intersection, union.
 * Never: knows fields, chunks or filters.
 */
#pragma once

#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* From lo to hi. An end that is no value is the end of a type: then it is that type byte alone, or the byte
 * above, and `lo_type` or `hi_type` is set. */
struct interval {
    GBytes *lo, *hi;
    bool lo_type, hi_type;
    bool lo_excluded, hi_excluded;
};

/* A GArray of struct interval, sorted, none overlapping; it frees its elements. Empty: no value is left. */
GArray *intervals_new(void);

enum compare { COMPARE_EQ, COMPARE_GT, COMPARE_GTE, COMPARE_LT, COMPARE_LTE };

/* Adds what `op` leaves of the type of the value under `it`, as the server brackets types; nothing where no
 * value can match. MinKey and MaxKey compare with all types. ERR_USAGE: the value cannot stand in a key. The
 * set must be normalised before it is used otherwise. */
bool intervals_add(GArray *set, enum compare op, const bson_iter_t *it, struct err *err);

/* Adds the one value, encoded. */
void intervals_add_point(GArray *set, GBytes *value);

/* Adds all strings that begin with `prefix`. */
void intervals_add_prefix(GArray *set, const char *prefix);

/* Sorts and joins. */
void intervals_normalise(GArray *set);

/* A new normalised set; both must be normalised. */
GArray *intervals_intersect(const GArray *a, const GArray *b);
/* Adds copies of all of `from`. */
void intervals_add_all(GArray *set, const GArray *from);

/* Whether it is one single value. */
bool intervals_is_point(const GArray *set);

static inline const struct interval *interval_at(const GArray *set, guint i)
{
    return &g_array_index(set, struct interval, i);
}
