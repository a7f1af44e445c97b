// SPDX-License-Identifier: Apache-2.0
/* round_ask.h - a round forced in the running service, and followed to its end.
 * Owns: the request, and how the round's events are told. Never: balances by itself.
 */
#pragma once

#include "common/err.h"

#include <glib.h>
#include <stdbool.h>

struct round_request {
    const char *socket;  /* of the service */
    const char *reason;  /* NULL: none */
    const GPtrArray *ns; /* char *; NULL: all */
    bool ignore_window, dry_run, wait, json, quiet;
};

/* With `wait` true until the round ended; ERR_FAILED: it failed. Without: it is queued. */
bool round_ask(const struct round_request *r, struct err *err);
