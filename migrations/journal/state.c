// SPDX-License-Identifier: Apache-2.0
#include "migrations/journal/state.h"

#include <stddef.h>
#include <string.h>

#define TO(state) (1U << MIGRATION_##state)

/* A state without a way out is final. */
static const struct {
    const char *text;
    unsigned next; /* a bit for each state that may follow */
} states[MIGRATION_STATE_COUNT] = {
    [MIGRATION_PLANNED] = {"planned", TO(STARTED) | TO(ABORTED)},
    [MIGRATION_STARTED] = {"started", TO(COMMITTED) | TO(FAILED) | TO(ABORTED) | TO(UNKNOWN)},
    [MIGRATION_COMMITTED] = {"committed", 0},
    [MIGRATION_FAILED] = {"failed", 0},
    [MIGRATION_ABORTED] = {"aborted", 0},
    [MIGRATION_UNKNOWN] = {"unknown", TO(COMMITTED) | TO(FAILED) | TO(ABORTED)},
};

static bool known(enum migration_state s)
{
    return (unsigned)s < MIGRATION_STATE_COUNT;
}

const char *migration_state_text(enum migration_state s)
{
    return known(s) ? states[s].text : "?";
}

bool migration_state_parse(const char *text, enum migration_state *ret)
{
    for (int s = 0; s < MIGRATION_STATE_COUNT; s++)
        if (strcmp(states[s].text, text) == 0) {
            *ret = (enum migration_state)s;
            return true;
        }
    return false;
}

bool migration_edge(enum migration_state from, enum migration_state to)
{
    return known(from) && known(to) && (states[from].next & 1U << to) != 0;
}

bool migration_state_final(enum migration_state s)
{
    return known(s) && states[s].next == 0;
}
