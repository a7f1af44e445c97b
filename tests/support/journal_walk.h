// SPDX-License-Identifier: Apache-2.0
/* journal_walk.h - a random walk over what the journal can do, beside a slow obvious model of what it must
 * then hold.
 * Owns: the model, and which transaction comes next; both follow from the seed alone. Never: looks into the
 * journal's own code: what the file says is asked with plain SQL.
 */
#pragma once

#include "migrations/journal/journal.h"

#include <glib.h>

typedef struct journal_walk journal_walk;

journal_walk *journal_walk_new(uint32_t seed);
void journal_walk_free(journal_walk *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(journal_walk, journal_walk_free)

/* The next transaction: one to eight writes, sometimes given up or refused on purpose; carried out on `j`
 * (NULL: on the model alone). On failure the model is where it was before, as the file must be, and the walk
 * can go no further. */
bool journal_walk_step(journal_walk *w, journal *j, struct err *err);

/* The first transaction after a restart: rounds that ran are interrupted, planned rows aborted, started ones
 * unknown. */
bool journal_walk_restart(journal_walk *w, journal *j, struct err *err);

/* Everything that the journal must hold, a line a fact; and what the file says. The caller frees. */
char *journal_walk_expected(const journal_walk *w);
char *journal_walk_found(const char *path);
