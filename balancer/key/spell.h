// SPDX-License-Identifier: Apache-2.0
/* spell.h - the pieces that the spellings of show.h share: quoted text, numbers, dates, bytes, and the walk.
 * Owns: what is escaped. All that it appends is valid UTF-8 on one line.
 * Never: knows a spelling's words.
 */
#pragma once

#include "balancer/key/raw.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Puts `s` between double quotes, escaped as in JSON; also characters that a terminal would obey or that turn
 * the direction of writing are escaped. `for_script`: "</" too, so that the text may stand in an HTML script.
 * A byte that is not UTF-8 becomes U+FFFD. */
void spell_quoted(GString *out, const char *s, gsize len, bool for_script);

/* 15 to 17 digits, less zeros at the end, that give the same double back; "NaN", "Infinity", "-Infinity". */
enum { SPELL_DOUBLE_MAX = 40 };
void spell_double(double d, char ret[SPELL_DOUBLE_MAX]);
/* Whether these digits would be read as an integer: no point, no exponent. */
bool spell_looks_integer(const char *digits);

/* "2026-11-21T01:38:00Z", with ".123" where it has milliseconds. False, and nothing appended, outside of the
 * years 1 to 9999. */
bool spell_date(GString *out, int64_t unix_ms);

void spell_hex(GString *out, const uint8_t *data, uint32_t len);
void spell_base64(GString *out, const uint8_t *data, uint32_t len);

/* The bytes of a binary value without the inner length of the old subtype 2. */
struct raw spell_binary(struct raw v, uint8_t *ret_subtype);
/* The second C string of a regular expression; the first is at v.data. */
const char *spell_regex_flags(struct raw v);

/* One spelling of a value; `depth` counts the documents around it. */
typedef void spell_fn(GString *out, struct raw v, unsigned depth);
/* How it writes documents: `name` writes a field's name and what stands behind it. */
struct spelling {
    spell_fn *value;
    void (*name)(GString *out, const char *name);
    const char *open, *close; /* of a document that is not empty */
    const char *too_deep;     /* instead of a document nested deeper than KEY_DEPTH_MAX */
    const char *corrupt;      /* behind the fields that can be read */
};
void spell_document(GString *out, const struct spelling *how, const uint8_t *doc, uint32_t len,
                    unsigned depth);
void spell_array(GString *out, const struct spelling *how, const uint8_t *doc, uint32_t len, unsigned depth);
