// SPDX-License-Identifier: Apache-2.0
/* encode.h - BSON values as byte strings that memcmp orders exactly as the server orders the values.
 * Owns: the encoding (private to this program, never sent; plan/content_id.h hashes it and the journal stores
 * it, so that a change of it needs a step of the journal's schema and makes old plan files stale) and the
 * packed form, from which the bound's BSON comes back byte for byte. Never: does I/O, applies a collation, or
 * knows collections. Order: canonical type, then field name (inside documents), then value; see
 * docs/key-order.md for the layout.
 *   encoding of a bound = encodings of its values, in order; each is self-delimiting, so that a compound
 * bound compares field by field, and the encoding of a prefix of its fields is a byte prefix of it. int32,
 * int64, double and Decimal128 of equal value have equal encodings; so have -0.0 and 0, all NaNs, string and
 * symbol of equal text.
 */
#pragma once

#include "balancer/key/pattern.h"
#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Deepest nesting of documents and arrays inside one bound; the server stores no more than 180 levels. */
enum { KEY_DEPTH_MAX = 180 };

/* Appends the encoding of the value under `it`. ERR_DATA: nested too deep, a string or a name inside that is
 * not UTF-8 (a plan could not carry it), or corrupt BSON; `out` is as before then. */
bool key_encode_value(const bson_iter_t *it, GByteArray *out, struct err *err);

/* Appends, for every field of `bound`, its name and one NUL: compare with key_pattern.names. False: corrupt
 * BSON. */
bool key_bound_names(const uint8_t *bound, uint32_t len, GString *out);

/* Encodes a whole bound. `names` (see key_pattern.names) is what its fields must be called, in order; on a
 * mismatch ERR_DATA says which fields were found and which were expected. Appends the encoding to `enc`, and
 * to `packed` (NULL: not wanted) the packed form: per field one type byte and the value's raw BSON bytes. On
 * failure both are as before. Fast: this runs twice per chunk. */
bool key_encode_bound(const uint8_t *bound, uint32_t len, const GString *names, GByteArray *enc,
                      GByteArray *packed, struct err *err);

/* Rebuilds the bound's BSON from its packed form, byte for byte, and appends its fields to `out`
 * (initialised). */
void key_unpack(const key_pattern *p, const uint8_t *packed, uint32_t len, bson_t *out);

/* memcmp, shorter first: <0, 0, >0. */
int key_cmp(const uint8_t *a, uint32_t alen, const uint8_t *b, uint32_t blen);

/* Appends the encoding of the global minimum or maximum of `p`. */
void key_encode_global(const key_pattern *p, bool max, GByteArray *out);
