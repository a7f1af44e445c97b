// SPDX-License-Identifier: Apache-2.0
/* pattern.h - a shard key pattern: its fields, in order, and which of them is hashed.
 * Owns: reading and checking the pattern, the names blob that bounds are checked against, the global bounds.
 * Never: compares values (encode.h) or knows collections.
 * Source: MongoDB manual, "Shard Keys"; a pattern has 1 to 32 fields, values 1 (any number > 0), -1, or
 * "hashed".
 */
#pragma once

#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { KEY_FIELDS_MAX = 32 };

struct key_field {
    const char *name; /* into key_pattern.names */
    bool hashed;
    bool descending; /* never made by a server today; padding follows it (MaxKey first) */
};

typedef struct key_pattern {
    uint32_t n_fields;
    struct key_field fields[KEY_FIELDS_MAX];
    GString
        *names; /* every field name followed by one NUL, in order: what key_bound_names() makes of a bound */
    bson_t doc; /* the pattern as stored */
} key_pattern;

/* Reads {a: 1, b: "hashed"}. ERR_DATA names what is wrong. The caller frees with key_pattern_free(), NULL
 * accepted. */
bool key_pattern_parse(const bson_t *doc, key_pattern **ret, struct err *err);
void key_pattern_free(key_pattern *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_pattern, key_pattern_free)

/* The number of the field called `name`, or -1. */
int key_pattern_find(const key_pattern *p, const char *name);

/* Index of the hashed field, or -1. */
int key_pattern_hashed_field(const key_pattern *p);

/* Appends to `out` (initialised, empty) the global minimum (MinKey in every ascending or hashed field, MaxKey
 * in a descending one), or the global maximum (the reverse). */
void key_pattern_global(const key_pattern *p, bool max, bson_t *out);

/* Extends a zone bound to the full key as the server does (builtin-balancer: zone loading): given fields must
 * be a prefix of the pattern's, in order; each missing field gets MinKey (descending: MaxKey), for min and
 * max alike. `is_max` and every field given being MaxKey while the rest is missing or MinKey: the global
 * maximum is meant (the MaxKey trap); then *ret_trap is true and the missing or MinKey fields become MaxKey.
 * Appends the full bound to `out` (initialised, empty). *ret_extended: a field was missing. ERR_DATA when it
 * is not a prefix, or empty. */
bool key_pattern_extend(const key_pattern *p, const bson_t *bound, bool is_max, bson_t *out,
                        bool *ret_extended, bool *ret_trap, struct err *err);
