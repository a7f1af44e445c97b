// SPDX-License-Identifier: Apache-2.0
/* walk.h - one large document, JSON or BSON, taken apart at its first level while it streams by.
 * Owns: the way through the file: which bytes are which key, element or member, and where (in the errors).
 * Never: knows what a key means (the sink says what to do with each), or holds more than one element.
 */
#pragma once

#include "balancer/source/stream.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    WALK_KEY_MAX = 1024,              /* bytes of a name */
    WALK_VALUE_MAX = 64 << 10,        /* bytes of a value for SHAPE_VALUE, SHAPE_STRINGS */
    WALK_JSON_MAX = 64 * 1024 * 1024, /* bytes of one element's JSON text */
};

/* What the value of a top-level key has to be, and how it is handed over. */
enum shape {
    SHAPE_SKIP,      /* anything: passed over */
    SHAPE_VALUE,     /* anything short: value(), once */
    SHAPE_STRINGS,   /* an array of strings, or null: text(), for each */
    SHAPE_DOCUMENTS, /* an array of documents, or null: document(), for each */
    SHAPE_DOCUMENT,  /* one document: document(), with index 0 */
    SHAPE_MEMBERS,   /* a document of documents, or null: member(), for each */
};

/* Who takes what is found. All that is handed over is borrowed for the call. Documents' lengths are sound,
 * their contents are not checked; texts and names are UTF-8 without NUL. */
struct sink {
    void *data;
    bool (*key)(void *data, const char *key, enum shape *ret, struct err *err); /* before its value */
    bool (*value)(void *data, const bson_iter_t *value, struct err *err);
    bool (*text)(void *data, const char *text, struct err *err);
    bool (*document)(void *data, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err);
    bool (*member)(void *data, const char *name, const uint8_t *doc, uint32_t len, struct err *err);
};

/* Each takes the whole stream, one document and nothing behind it. Errors name the place and the element. */
bool walk_json(stream *st, const struct sink *sink, struct err *err);
bool walk_bson(stream *st, const struct sink *sink, struct err *err);

/* The text of a string value, checked to be UTF-8 without NUL; borrowed. */
bool walk_text(const bson_iter_t *value, const char **ret, struct err *err);

/* The one that suits the first bytes: JSON where the first that is not blank is '{' and no byte near the
 * start is one that only BSON has. ERR_DATA where the stream is empty or neither. */
bool walk(stream *st, const struct sink *sink, struct err *err);
