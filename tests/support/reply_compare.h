// SPDX-License-Identifier: Apache-2.0
/* reply_compare.h - a reply against the recorded one, field by field.
 * Owns: what may differ: times and counters (by type only), and int32 against int64, which the recordings do
 * not tell apart. Never: fails a test by itself.
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>

/* Prints each difference, `label` before it, and counts them. The order of fields does not matter. */
guint reply_compare(const char *label, const bson_t *want, const bson_t *got);
