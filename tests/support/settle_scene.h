// SPDX-License-Identifier: Apache-2.0
/* settle_scene.h - one migration or split in a live sandbox, disturbed, for tests that ask what became of it.
 * Owns: the sandbox, two connections to it, the words of its faults. Fails the running test where anything
 * but the disturbance goes wrong.
 */
#pragma once

#include "migrations/mongo/commands.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/settle.h"
#include "tests/support/live_sandbox.h"

enum { SETTLE_FAULTS = 6 };
#define SETTLE_SCENE_US (60 * INT64_C(1000000)) /* within which what was disturbed ends */
#define HANG(on) "{\"configureFailPoint\": \"moveChunkHangAtStep4\", \"mode\": \"" on "\"}"
#define FAULT(kind, more) "{\"evenkeelSandboxFault\": \"" kind "\"" more "}"
#define CLEAR FAULT("clear", "")
#define USERS "\"ns\": \"app.items\", \"at\": "
/* Operations may not be seen. */
#define BLIND                                                                                                \
    "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": "        \
    "[\"aggregate\"], "                                                                                      \
    "\"errorCode\": 13}}"

extern const char *settle_version; /* of the cluster, one in each process */

/* Has `run` called for each version, in a process of its own, all at once: they wait more than they work.
 * ONLY_VERSION in the environment: that one alone. How many failed. */
int settle_each_version(int (*run)(void));

struct settle_scene {
    live_sandbox *s;
    mongo_conn *conn;   /* for looking */
    mongo_conn *sender; /* whose socket timeout is short */
    int64_t sent_at;
};

void settle_scene_begin(struct settle_scene *sc, const char *speed);
void settle_scene_end(struct settle_scene *sc);
/* `options` go behind the URI, or "". */
mongo_conn *settle_scene_connect(const live_sandbox *s, const char *options);

/* Whether its migrations are moveRange (6.0 and later). */
bool settle_scene_newer(void);
/* Commands on admin, up to NULL; "move" in one is the command of this version. "kill" kills the client's own
 * operation, "drop" drops app.items. */
void settle_scene_do(struct settle_scene *sc, const char *const commands[SETTLE_FAULTS]);

/* app.items [0, 100) from a to c; the caller clears. */
void settle_scene_move(struct settle_scene *sc, struct mongo_result *ret);
/* Returns when the recipient is at work. */
void settle_scene_await(struct settle_scene *sc);
/* What became of that move; both may be NULL. */
enum settle_outcome settle_scene_ask(struct settle_scene *sc, char **ret_text, bson_t **ret_max);

struct settle_sender {
    struct settle_scene *sc;
    const char *cmd; /* NULL: the move itself */
    bool give_up;    /* does not wait for the reply */
    struct mongo_result r;
};
/* For a thread of its own. */
gpointer settle_scene_send(gpointer sender);

const char *settle_word(enum settle_outcome o);
