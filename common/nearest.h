// SPDX-License-Identifier: Apache-2.0
/* nearest.h - "did you mean": the known word that a misspelt one is nearest to.
 * Owns: what counts as near. Never: knows what the words are for.
 */
#pragma once

#include <glib.h>

/* The word that `word` begins (three letters at least), or that few changes of letters lead to; NULL: none is
 * near. The first of equals. Borrowed from `words`. */
const char *nearest_word(const char *word, const char *const *words, size_t n);
