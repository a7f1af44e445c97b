// SPDX-License-Identifier: Apache-2.0
/* work_make.h - work written down step by step, for tests: collections with the key {x: 1}, integer bounds.
 * Owns: giving each step its id, its bounds, and their encoding. Never: checks that it makes sense.
 */
#pragma once

#include "migrations/work/work.h"

/* Empty, of a plan whose id is "ppp...". The caller frees with work_free(). */
work *work_make(void);

/* The encoded bound {x: n}; the caller unrefs. */
GBytes *work_make_key(int n);

/* Appends a step and returns it, so that a test can set what else it wants. */
struct work_step *work_make_move(work *w, const char *ns, int min, int max, const char *from, const char *to,
                                 int64_t bytes);
struct work_step *work_make_split(work *w, const char *ns, int min, int max, const char *from, int at);

/* Steps in a line: "a>b 0..10" moves the range, "a>b 0..10 99" with so many bytes ("-1": not known; else 1),
 * "a|5 0..10" splits at 5; "; " between; "db.d a>b 0..10": not of db.c. */
work *work_make_text(const char *steps);
