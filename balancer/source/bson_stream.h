// SPDX-License-Identifier: Apache-2.0
/* bson_stream.h - a run of BSON documents, one behind the other, as mongodump writes a collection.
 * Owns: where a document ends, and what is wrong with one that does not.
 * Never: copies a document or looks into it.
 */
#pragma once

#include "balancer/source/stream.h"

#include <stdbool.h>
#include <stdint.h>

/* The largest document a server stores, with the room it keeps for its own fields. */
#define BSON_DOC_MAX (16u * 1024 * 1024 + 16 * 1024)
#define BSON_DOC_MIN 5u

/* Reads a little-endian length. */
uint32_t bson_u32(const uint8_t *p);

/* Whether `len` is the length of a document that we take; false sets err (ERR_DATA). */
bool bson_check_length(uint32_t len, struct err *err);

/* The next document, borrowed until the next call for `st`; NULL in *ret_doc at a clean end. The length is
 * sound and the last byte is 0; the contents are not looked at. Goes on behind the document. ERR_DATA names
 * the byte offset. */
bool bson_stream_next(stream *st, const uint8_t **ret_doc, uint32_t *ret_len, struct err *err);
