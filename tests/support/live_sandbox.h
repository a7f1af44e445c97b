// SPDX-License-Identifier: Apache-2.0
/* live_sandbox.h - the built `evenkeel sandbox` as a child process, for tests that speak to a cluster over
 * the wire. Owns: the process, its port (kept while the process is away), and a client of its own for set-up
 * and faults. Never: outlives the test program; fails quietly: what cannot be done ends the running test.
 *
 * The binary is the one that the environment variable EVENKEEL names, else the one of this build.
 */
#pragma once

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>

typedef struct live_sandbox live_sandbox;

/* `args`: NULL-terminated, what follows `sandbox --port ... --allow-faults`, a --snapshot FILE among them.
 * Returns when it listens. To be called from the main thread: the child is told to die with the thread that
 * made it. */
live_sandbox *live_sandbox_new(const char *const *args);
void live_sandbox_free(live_sandbox *s); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(live_sandbox, live_sandbox_free)

/* The three shards of sandbox_small() (sandbox_cluster.h: app.items, app.hash, app.pair) in that version,
 * where a migration takes 30 ms; `args` as above, more of them, or NULL. */
live_sandbox *live_sandbox_small(const char *server_version, const char *const *args);

/* "mongodb://127.0.0.1:PORT"; borrowed. */
const char *live_sandbox_uri(const live_sandbox *s);
int live_sandbox_pid(const live_sandbox *s);

/* The reply to a command, ok or not; the caller destroys. Fails the test where none comes. */
bson_t *live_sandbox_run(live_sandbox *s, const char *db, const bson_t *cmd);
bson_t *live_sandbox_command_json(live_sandbox *s, const char *db, const char *json);
/* The same on admin, where anything but ok fails the test: set-up, and evenkeelSandboxFault. */
void live_sandbox_do(live_sandbox *s, const char *json);
/* The shard that owns the chunk with this min (JSON); the caller frees. NULL: no such chunk. */
char *live_sandbox_owner(live_sandbox *s, const char *ns, const char *min);

/* Kills the process, with the cluster's state; the port stays ours. */
void live_sandbox_kill(live_sandbox *s);
/* Starts it again, on the same port, in the state of its arguments. */
void live_sandbox_restart(live_sandbox *s);
