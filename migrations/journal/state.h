// SPDX-License-Identifier: Apache-2.0
/* state.h - the life of a migration (and of a split), as the journal has it: one table.
 * Owns: the states, the edges between them, what must be durable before each, and what a crash just there
 * leaves. Never: does I/O.
 *
 *   planned -> started -> committed | failed | aborted | unknown
 *   planned -> aborted                      (never sent: cancelled, changed under us, not allowed any more)
 *   unknown -> committed | failed | aborted (settled from the cluster's own metadata)
 */
#pragma once

#include <stdbool.h>

enum migration_state {
    MIGRATION_PLANNED,   /* decided; nothing left for the cluster */
    MIGRATION_STARTED,   /* durable before the command leaves; a crash here: it may or may not have arrived */
    MIGRATION_COMMITTED, /* the recipient owns the range by the cluster's word */
    MIGRATION_FAILED,    /* tried; the donor still owns it by the cluster's word */
    MIGRATION_ABORTED,   /* nothing was sent, or what was sent cannot happen any more */
    MIGRATION_UNKNOWN,   /* sent, and the reply is missing or says nothing: to be settled */
    MIGRATION_STATE_COUNT
};

/* "planned", ...; as stored. */
const char *migration_state_text(enum migration_state s);
bool migration_state_parse(const char *text, enum migration_state *ret);

/* Whether the edge is in the table. */
bool migration_edge(enum migration_state from, enum migration_state to);
/* committed, failed, aborted. */
bool migration_state_final(enum migration_state s);
