// SPDX-License-Identifier: Apache-2.0
/* mock_mongos.h - a mongos that says what a test tells it to, on a port of loopback.
 * Owns: its thread, the wire protocol as far as libmongoc needs it, cursors, and a log of what was asked.
 * Never: understands a query beyond equality of top-level fields.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct mock_mongos mock_mongos;

mock_mongos *mock_mongos_new(void);
void mock_mongos_free(mock_mongos *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mock_mongos, mock_mongos_free)

/* "mongodb://127.0.0.1:PORT" with `credentials` ("user:password@") in it; the caller frees. */
char *mock_mongos_uri(const mock_mongos *m, const char *credentials);

/* All of these before the first connection. */

/* What isMaster says: the default is a mongos with sessions, 4.4.0. */
void mock_mongos_role(mock_mongos *m, bool is_mongos, const char *version);
/* The documents of "config.shards", as a JSON array; given again: what the next find of that namespace sees;
 * the last stays. */
void mock_mongos_add(mock_mongos *m, const char *ns, const char *json);
/* The reply to a command that is not find or getMore. */
void mock_mongos_reply(mock_mongos *m, const char *command, const char *json);
/* Documents of a batch; the default is 2. */
void mock_mongos_batch(mock_mongos *m, unsigned n);
/* A command, or a find of this namespace, fails with `code`. */
void mock_mongos_fail(mock_mongos *m, const char *command_or_ns, int code);
/* The connection is cut instead of the second batch of this namespace; so many times. */
void mock_mongos_cut(mock_mongos *m, const char *ns, unsigned times);

/* Commands of that name so far, as JSON (char *). The caller unrefs. */
GPtrArray *mock_mongos_log(mock_mongos *m, const char *command);
