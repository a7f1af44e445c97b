// SPDX-License-Identifier: Apache-2.0
/* json_view.h - JSON text in memory, checked once as a whole and then looked through in place.
 * Owns: the check (UTF-8, grammar, one value and nothing behind it) and the way from value to value.
 * Never: copies a text but for what it hands out, knows what the keys mean, recurses. A value is the pointer
 * to its first byte; the functions below the check believe the text to have passed it.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether `text` is one object. ERR_DATA tells the place, "line 3, column 7: ...". */
bool view_check(const char *text, gsize len, const char **ret_object, struct err *err);

/* '{', '[', '"', 't', 'f', 'n', or '0' for every number. */
char view_kind(const char *value);
/* Behind the last byte of a value inside the object. */
const char *view_end(const char *value);

/* The members of an object or the items of an array, front to back. Starts with view_items(); `key` is the
 * key's value, NULL in an array. */
struct view_items {
    const char *at;
    bool keyed;
    const char *key, *value;
};
struct view_items view_items(const char *container);
bool view_next(struct view_items *it);

/* Whether a key is `name`; escapes in it are understood. */
bool view_key_is(const char *key, const char *name);

/* The text of a string; the caller frees. NULL: not a string, or one that holds a NUL or half a character. */
char *view_text(const char *value);
/* A whole number as such, without point or exponent, that fits. */
bool view_int64(const char *value, int64_t *ret);
/* Any number; never NaN, infinite where it is too large. */
bool view_real(const char *value, double *ret);
