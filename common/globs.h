// SPDX-License-Identifier: Apache-2.0
/* globs.h - an ordered set of name patterns with exclusions.
 * Owns: the rule. A name is in when it matches some plain pattern (or there is none) and no "!pattern".
 *       '*' stands for any run of characters, '?' for one; both cross dots.
 * Never: knows what the names mean.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <stdbool.h>

typedef struct globs globs;

globs *globs_new(void);
void globs_free(globs *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(globs, globs_free)

/* Adds a pattern, copied; "!p" excludes. An empty pattern, "!" alone, or invalid UTF-8 is ERR_USAGE. */
bool globs_add(globs *g, const char *pattern, struct err *err);

/* What was added, in order (char *); borrowed. */
const GPtrArray *globs_patterns(const globs *g);

/* Whether nothing was added: then every name matches. */
bool globs_empty(const globs *g);

/* NULL matches every name. */
bool globs_match(const globs *g, const char *name);
