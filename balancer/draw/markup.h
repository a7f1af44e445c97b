// SPDX-License-Identifier: Apache-2.0
/* markup.h - HTML piece by piece: our own markup, and texts from outside, which can never become any.
 * Owns: escaping for text and attributes, how names and numbers are written in a page. Never: knows what is
 * shown. All of it is well-formed XML as well.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Characters that are shown of a foreign text and of a foreign name; of longer ones the middle is left out.
 */
enum { MARKUP_TEXT_CHARS = 600, MARKUP_NAME_CHARS = 400 };

/* Markup of our own; foreign text never goes through here. */
void put(GString *out, const char *markup);
void putf(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Foreign text (NULL: nothing) as text or as the value of an attribute: control and direction characters are
 * shown as escapes. */
void put_text(GString *out, const char *s);

/* A foreign name in an element of its own, cut off at the end of its place, whole when pointed at. `cls` adds
 * classes. NULL: a dash. */
void put_name(GString *out, const char *cls, const char *s);

/* "12.4 GiB"; -1: a dash. */
void put_bytes(GString *out, int64_t bytes);
/* "1,234"; -1: a dash. */
void put_count(GString *out, int64_t n);
/* "1 chunk", "1,234 chunks". */
void put_n(GString *out, int64_t n, const char *thing);
/* "12.4 %"; a dash where it is no number. */
void put_percent(GString *out, double ratio);
