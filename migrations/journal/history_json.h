// SPDX-License-Identifier: Apache-2.0
/* history_json.h - rows and rounds of the journal as JSON, for the command and for HTTP alike.
 * Owns: the fields and their spelling; times are ISO-8601, null is "not known" or "not yet". Never: reads the
 * journal.
 */
#pragma once

#include "common/json_writer.h"
#include "migrations/journal/history.h"

/* An object on one line. */
void history_row_json(struct json_writer *w, const struct history_row *r);
void history_round_json(struct json_writer *w, const struct history_round *r);
