// SPDX-License-Identifier: Apache-2.0
/* overlap.h - which steps touched a range last.
 * Owns: of one collection, the key space cut into pieces, each with the last step that covers it. Never:
 * knows what the steps do. Steps are put in the plan's order, so the steps that a new one meets are those it
 * has to wait for: whatever lay below them they wait for themselves. n steps cost O(n log n) altogether,
 * since each put adds at most three pieces and swallows the rest.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct overlap overlap;

overlap *overlap_new(void);
void overlap_free(overlap *o);

/* Puts step `number` on [min, max), encoded bounds that must outlive it; an empty range touches nothing.
 * Appends to `ret_below` (GArray of uint32_t) the steps that covered any of it till now; one may come more
 * than once. */
void overlap_put(overlap *o, GBytes *min, GBytes *max, uint32_t number, GArray *ret_below);
