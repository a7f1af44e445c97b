// SPDX-License-Identifier: Apache-2.0
/* json_writer.h - writes JSON text, indented by two spaces, into a GString.
 * Owns: commas, line breaks, indentation, the spelling of strings and numbers.
 * Never: checks that keys differ, or knows what is written. What comes out is valid UTF-8 and harmless on a
 * terminal. A container may be asked to stay on one line; whatever is inside it does too.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 16 };

struct json_level {
    char close; /* '}' or ']' */
    bool one_line;
    bool has_items;
};

/* Deeper nesting than JSON_DEPTH_MAX is a fault of the caller. */
struct json_writer {
    GString *out; /* borrowed */
    unsigned depth;
    bool after_key;
    struct json_level levels[JSON_DEPTH_MAX];
};

void json_init(struct json_writer *w, GString *out);

/* Containers: as a value behind a key, in an array, or the whole text; json_end() closes the innermost. */
void json_object(struct json_writer *w, bool one_line);
void json_array(struct json_writer *w, bool one_line);
void json_end(struct json_writer *w);

void json_key(struct json_writer *w, const char *key);

/* Values. A string that is not UTF-8 is written as text_escaped() shows it; NULL is null. A double is the
 * shortest decimal that reads back as the same number; one that is not finite, which JSON cannot hold, is
 * null. */
void json_string(struct json_writer *w, const char *s);
void json_int(struct json_writer *w, int64_t x);
void json_double(struct json_writer *w, double x);
void json_bool(struct json_writer *w, bool b);
void json_null(struct json_writer *w);

/* Makes room for a value and returns `out`, for callers that append valid JSON of their own. */
GString *json_value(struct json_writer *w);

/* Key and value in one call. */
void json_put_string(struct json_writer *w, const char *key, const char *s);
void json_put_int(struct json_writer *w, const char *key, int64_t x);
void json_put_double(struct json_writer *w, const char *key, double x);
void json_put_bool(struct json_writer *w, const char *key, bool b);
void json_put_null(struct json_writer *w, const char *key);

/* Makes one line of what was written indented. */
void json_one_line(GString *json);
