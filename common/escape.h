// SPDX-License-Identifier: Apache-2.0
/* escape.h - names and texts from outside, made safe to print.
 * Owns: which characters are harmless on one line of a terminal, a log or a report. Never: shortens or
 * translates.
 */
#pragma once

#include <glib.h>

/* Appends `s` (`len` bytes, -1: to its NUL) so that it is valid UTF-8 on one line and harmless on a terminal:
 * control characters, bytes that are not UTF-8, and characters that turn the direction of writing become \xNN
 * or \u{NNNN}. */
void text_append_escaped(GString *out, const char *s, gssize len);

/* The same as a new string; the caller frees it. */
char *text_escaped(const char *s);
