// SPDX-License-Identifier: Apache-2.0
/* show.h - keys and values as people and programs read them.
 * Owns: three spellings of a document: for people, as relaxed Extended JSON, as mongosh source; reading
 * Extended JSON. Never: orders or compares. What it appends is valid UTF-8 on one line, harmless on a
 * terminal, whatever the key holds.
 */
#pragma once

#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>

/* "{ region: \"EU\", orderId: MinKey }": like mongosh output, for people. Over `max_chars` characters (0: no
 * limit) the middle gives way to "…". */
void key_show(GString *out, const bson_t *doc, guint max_chars);
/* One value, in the same manner. */
void key_show_value(GString *out, const bson_iter_t *it, guint max_chars);

/* Relaxed Extended JSON v2 on one line, {"region": "EU", "orderId": {"$minKey": 1}}; control characters
 * escaped. */
void key_json(GString *out, const bson_t *doc);
/* The same as a string, for the caller to free; NULL of NULL. */
char *key_json_text(const bson_t *doc);

/* Source that mongosh evaluates to exactly this document: NumberInt(3), NumberLong("3"), 2.5 (Double where it
 * has no fraction), NumberDecimal("1.0"), MinKey(), MaxKey(), ObjectId("..."), ISODate, Timestamp({t, i}),
 * BinData(4, "..."), /re/i as RegExp(...), Code. Field names are quoted. U+2028/9, "</" and control
 * characters are escaped. */
void key_mongosh(GString *out, const bson_t *doc);
/* A quoted string literal for mongosh. */
void key_mongosh_string(GString *out, const char *s);

/* Reads one Extended JSON document, e.g. from the command line. ERR_USAGE on failure; bson_destroy(ret) by
 * the caller. */
bool key_parse_doc(const char *json, bson_t *ret, struct err *err);
/* Reads one Extended JSON value into {"v": value}. */
bool key_parse_value(const char *json, bson_t *ret, struct err *err);
