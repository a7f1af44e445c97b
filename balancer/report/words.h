// SPDX-License-Identifier: Apache-2.0
/* words.h - sentences about a plan as a whole, the same in every report that people read.
 * Owns: their wording. Never: lays them out, or holds a foreign text: they are numbers and words of our own.
 */
#pragma once

#include "balancer/plan/plan.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "1 migration", "1,234 migrations". */
void words_n(GString *out, int64_t n, const char *thing);
/* "45 %", "0.4 %", "over 1,000 %" of an imbalance. */
void words_percent(GString *out, double imbalance);

/* "62 migrations and 1 split in 24 rounds move 5.72 MiB": where there is something to do. */
void words_work(GString *out, const struct plan_summary *s);
/* "from the cluster's own changelog". */
const char *words_basis(enum time_basis basis);
/* " Begun 2026-11-23 22:00 UTC, it is done Tuesday 03:20, at the latest 05:10." Nothing where that is not
 * known, or it takes but minutes. */
void words_ends(GString *out, const struct plan_time *t);
/* "; about 1 min 20 s (40 s to 3 min, from the cluster's own changelog).", and words_ends(). */
void words_time(GString *out, const struct plan_summary *s);

/* Sentences that begin with a space; nothing where there is nothing to say. */
void words_lower_bound(GString *out, const struct plan_summary *s);
void words_imbalance(GString *out, const struct plan_summary *s);
void words_blocked(GString *out, const plan *p);
void words_left(GString *out, const struct plan_summary *s);

/* Where there is nothing to do: whether because something is in the way; and how things stand. */
bool words_stuck(const plan *p);
void words_nothing(GString *out, const plan *p);
