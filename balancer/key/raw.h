// SPDX-License-Identifier: Apache-2.0
/* raw.h - one BSON value as the bytes that are stored, and the walk over the fields of a document.
 * Owns: where a value begins and ends, and its canonical type number. Everything below treats BSON as
 * untrusted. Never: interprets a value, allocates.
 */
#pragma once

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

struct raw {
    bson_type_t type;
    const uint8_t *data; /* the value without type and name; borrowed from the document */
    uint32_t len;
};

/* The value under `it`, which stands on a field. */
struct raw raw_of(const bson_iter_t *it);

/* Starts a walk over a document's fields; false where the length or the end of the document is wrong. */
bool raw_open(bson_iter_t *it, const uint8_t *doc, uint32_t len);
/* After bson_iter_next() said false: whether it stopped at damage instead of the end. */
bool raw_broken(const bson_iter_t *it);

/* The server's canonical type number, -1 (MinKey) to 127 (MaxKey): values of different numbers compare by it.
 */
int raw_rank(bson_type_t type);

/* The length of the value that begins at `data`, of which `len` bytes may be read; `len` + 1 where it does
 * not fit. */
uint32_t raw_size(bson_type_t type, const uint8_t *data, uint32_t len);

/* The parts of a string, symbol, code, or code with scope (`scope` NULL for the others). The text may hold
 * NULs. False: the lengths inside do not agree. */
struct raw_text {
    const char *text;
    uint32_t len;
    const uint8_t *scope;
    uint32_t scope_len;
};
bool raw_text(struct raw v, struct raw_text *ret);

/* A little-endian number in a document. */
uint32_t raw_u32(const uint8_t *p);
uint64_t raw_u64(const uint8_t *p);
double raw_double(const uint8_t *p);

/* Whether it is UTF-8; NULs inside are text here, as in BSON. */
bool raw_is_utf8(const char *s, uint32_t len);
