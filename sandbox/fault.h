// SPDX-License-Identifier: Apache-2.0
/* fault.h - why a command fails, as the server tells its client: a code, the code's name, and a text.
 * Owns: the reply that a failure becomes. The codes and their names are errors.h.
 * Never: tells our own operator anything (common/err.h does).
 */
#pragma once

#include "sandbox/errors.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>

/* Start with {0}; code 0 with a message is a failure that carries no code. Cleared by fault_clear(). */
struct fault {
    int code;
    char *message;
    bson_t *details; /* fields that go into the reply beside the message; NULL: none */
};

/* Sets code and message, which goes as it is to the client; always returns false. */
bool fault_say(struct fault *f, int code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void fault_clear(struct fault *f);

/* Appends {ok: 0, errmsg, code, codeName} and the details to a document. */
void fault_append(const struct fault *f, bson_t *reply);
