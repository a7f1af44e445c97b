// SPDX-License-Identifier: Apache-2.0
/* sandbox_cluster.h - a simulated cluster on a stepped clock, and clients that wait for their replies.
 * Owns: loading a snapshot file or a written state into it, and the replies that came. Fails the running test
 * on damage.
 */
#pragma once

#include "sandbox/cluster.h"
#include "tests/support/step_clock.h"

struct sandbox {
    step_clock *clock;
    sb_cluster *cluster;
    int64_t ops;
};

/* What one client waits for. */
struct waiting {
    bson_t *reply; /* NULL: not yet */
    int64_t asked, answered;
    int64_t op;
    struct sandbox *sb;
};

/* `path` of a snapshot.json below TEST_DATA_DIR; `extra`: more of it (JSON), or NULL. */
struct sandbox *sandbox_from_snapshot(const char *path, const struct sb_options *opt, const char *extra);
/* `state`: JSON, {collection: [documents]}. */
struct sandbox *sandbox_from_json(const char *state, const struct sb_options *opt);
void sandbox_free(struct sandbox *sb);

/* Asks, without waiting. The caller frees with waiting_free(), which forgets the request where it still
 * waits. */
struct waiting *sandbox_ask(struct sandbox *sb, const char *db, const bson_t *cmd);
struct waiting *sandbox_ask_json(struct sandbox *sb, const char *json); /* of database admin */
void waiting_free(struct waiting *w);
/* Lets time go on until the reply is there; fails the test after a simulated hour. */
const bson_t *sandbox_wait(struct waiting *w);
/* Asks and waits; the caller destroys the reply. */
bson_t *sandbox_run(struct sandbox *sb, const bson_t *cmd);
bson_t *sandbox_run_json(struct sandbox *sb, const char *json);

/* Numbers and texts of a reply; -1 and NULL where they are missing. */
int sandbox_code(const bson_t *reply); /* 0: ok or no code */
bool sandbox_ok(const bson_t *reply);
const char *sandbox_text(const bson_t *reply, const char *name);

/* The shard of the chunk with this min (JSON), borrowed; NULL: no such chunk. */
const char *sandbox_owner(struct sandbox *sb, const char *ns, const char *min);
bson_t *sandbox_json(const char *json);

/* Three shards, a ranged (app.items), a hashed (app.hash) and a compound (app.pair) collection, and a zone,
 * as JSON; and a cluster of it in a version, where a migration takes 100 ms and orphans stay for 900 s. */
extern const char sandbox_small_state[];
struct sandbox *sandbox_small(int major, int minor);

enum { VERSIONS = 6 };
extern const int sandbox_versions[VERSIONS][2]; /* major, minor */

/* A code as tables have it: GONE for commands that a version does not have, BARE for a refusal without a
 * code. */
enum { OK = 0, BARE = -2, GONE = 59 };
int sandbox_outcome(const bson_t *reply);

/* A document or array in a document, borrowed; false: there is none. */
bool sandbox_sub(const bson_t *doc, const char *name, bson_t *ret);

/* A move in app.items, without its closing brace. */
#define ITEMS(min, max, to)                                                                                  \
    "{\"moveChunk\": \"app.items\", \"bounds\": [{\"x\": " #min "}, {\"x\": " #max "}], \"to\": \"" to "\""
