// SPDX-License-Identifier: Apache-2.0
/* fake_hands.h - hands that do what a test says, on real worker threads.
 * Owns: the answers, by what is asked; and what it saw of the rules: before a command the row is on the disk
 * as started, read there by a connection of its own; no shard takes part in two commands, and no two are
 * about ranges that overlap. Never: sleeps: a call waits until its answer is given.
 *
 * A question is "db.c 0" (namespace and {x: min}) of a migration or a split, "/db.c 0" of the split of a
 * chunk that is too big, "?db.c 0" of a settlement. An answer is an outcome's text (fake_hands_outcome),
 * "lost" (a reply that never came), or a server's error code, "117"; "ok" is "committed".
 */
#pragma once

#include "migrations/executor/hands.h"

#include <glib.h>

/* "committed", "already", "failed", "unknown", "changed", "notAllowed", "unreachable", "notCarriedOut",
 * "inFlight", "void". */
const char *fake_hands_outcome(enum hands_outcome o);

typedef struct fake_hands fake_hands;

/* `journal_path` NULL: rows are not looked for. */
fake_hands *fake_hands_new(const char *journal_path);
/* No thread may be inside any more. NULL accepted. */
void fake_hands_free(fake_hands *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fake_hands, fake_hands_free)
struct hands fake_hands_table(fake_hands *h);

/* Answers to come, in order, separated by blanks: "117 117 ok". When they are used up, calls wait. */
void fake_hands_say(fake_hands *h, const char *question, const char *answers);
/* The answer to every question without one of its own; NULL: none. */
void fake_hands_otherwise(fake_hands *h, const char *answer);
/* Asked first, when a call comes in, one call at a time: the answer (static), or NULL: as above. */
void fake_hands_decide(fake_hands *h, const char *(*decide)(void *data, const struct hands_job *job),
                       void *data);
/* The range that the answers to this question tell of, {x: min} .. {x: max}. */
void fake_hands_range(fake_hands *h, const char *question, int min, int max);

/* Calls that wait for an answer now; and a descriptor that becomes readable when one begins to. */
unsigned fake_hands_waiting(fake_hands *h);
int fake_hands_fd(const fake_hands *h);
/* Every question so far, "; " between; of settlements with the range as asked, "?db.c 0..10". Caller frees.
 */
char *fake_hands_asked(fake_hands *h);
/* What was against the rules, or NULL. Caller frees. */
char *fake_hands_fault(fake_hands *h);
/* Answers everything with "ok" from now on, and waits until the last thread has ended. */
void fake_hands_end(fake_hands *h);
