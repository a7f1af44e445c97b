// SPDX-License-Identifier: Apache-2.0
/* measured.h - what the journal measured, for the estimates of a plan.
 * Owns: how much of the past counts; the step from names to the numbers of a model. Never: reads a clock.
 */
#pragma once

#include "balancer/cluster/cluster.h"
#include "migrations/journal/journal.h"

#include <glib.h>

/* GArray of struct journal_speed, newest first: those of the last month, so many at most; the caller unrefs.
 * NULL: they could not be read; then the changelog has to tell. */
GArray *setup_speeds(journal *j, int64_t now_ms);

/* Puts `speeds` (as above; ended_at 0: under way, `seconds` so far; NULL: none) in the place of the cluster's
 * own history, provided that enough of them are of use. */
void setup_measured(cluster *cl, const GArray *speeds);
