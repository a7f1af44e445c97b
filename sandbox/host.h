// SPDX-License-Identifier: Apache-2.0
/* host.h - what answers commands: the simulated cluster, ordinary collections, cursors, sessions and fail
 * points together. Owns: dispatching a command to whoever answers it, operations that wait, cluster time, the
 * log of commands. Never: touches sockets (server.h) or simulates migrations (cluster.h).
 */
#pragma once

#include "common/err.h"
#include "sandbox/auth.h"
#include "sandbox/cluster.h"
#include "sandbox/cursors.h"
#include "sandbox/failpoint.h"
#include "sandbox/fault.h"
#include "sandbox/store.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct host {
    sb_cluster *cluster;
    struct sb_options options;
    struct sb_clock clock;
    store *store;
    cursors *cursors;
    failpoints *failpoints;
    auth *auth;            /* NULL: nobody needs to log in */
    FILE *log;             /* borrowed; NULL: none */
    char *address;         /* "127.0.0.1:27017", what we listen on */
    double speed;          /* simulated milliseconds in a real one */
    bson_oid_t process_id; /* of topologyVersion */
    int64_t started_ms;
    int64_t next_op, next_client;
    uint32_t time_s, time_n; /* cluster time */
    GHashTable *ops;         /* id to struct op: those that wait */
    GHashTable *clients;     /* struct client, a set */
    uint64_t n_commands;
} host;

/* One connection, as commands see it. */
struct client {
    int64_t id;
    char *address;
    struct auth_session auth;
};

/* A command in the act of being answered. */
struct call {
    host *h;
    struct client *client;
    const char *db, *name;
    const bson_t *cmd;
    bson_iter_t first; /* its first field: the command's name and argument */
    int64_t op;
    int64_t delay_ms; /* set by a command whose answer is due later */
    bool close;       /* set by a command after whose answer the connection ends */
};

/* Appends the reply's fields without "ok", or returns false with a fault. */
typedef bool command_fn(struct call *c, bson_t *reply, struct fault *f);

enum { COMMAND_NO_AUTH = 1, COMMAND_ADMIN = 2 };

struct command {
    const char *name;
    command_fn *run;
    unsigned flags;
    int since; /* major * 100 + minor; 0: every version */
};

/* The tables, one a subject, each ending with a NULL name. */
extern const struct command commands_session[];
extern const struct command commands_query[];
extern const struct command commands_write[];
extern const struct command commands_catalog[];
extern const struct command commands_sizes[];
extern const struct command commands_ops[];

/* Options are copied. The clock must outlive the host. */
host *host_new(const struct sb_options *options, const struct sb_clock *clock);
void host_free(host *h); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(host, host_free)

struct client *host_client_new(host *h, const char *address);
/* Forgets what waits for it, and frees it. */
void host_client_gone(host *h, struct client *client);

/* Called once for each host_run(); `reply` NULL: drop the connection. `close`: drop it after the reply. */
typedef void (*host_reply_fn)(void *user, const bson_t *reply, bool close);

/* Runs a command that came with OP_MSG (`db` NULL: it names its database itself) or OP_QUERY. */
void host_run(host *h, struct client *client, const char *db, const bson_t *cmd, host_reply_fn reply,
              void *user);

/* Answers with an error, as host_run() would: for messages that could not be decoded. */
void host_refuse(host *h, const struct fault *f, host_reply_fn reply, void *user);

/* What several commands need. */
int64_t host_now(const host *h);
/* Milliseconds that clients have seen pass since the start: real ones, for what waits for them. */
int64_t host_waited(const host *h);
bool host_since(const host *h, int major, int minor); /* whether this version is that, or later */
int host_max_wire_version(const host *h);
/* The collection's documents, the cluster's or ordinary ones, borrowed; NULL: no such collection. */
const GPtrArray *host_docs(host *h, const char *db, const char *collection);
bool host_owned_by_cluster(host *h, const char *db, const char *collection);
/* config.collections' document of a namespace; NULL: not sharded. */
const bson_t *host_sharded(host *h, const char *ns);
/* Drops the ordinary collections of a database. */
void host_drop_ordinary(host *h, const char *db);
/* Whether config.chunks' document `chunk` belongs to the collection `coll`. */
bool host_chunk_of(const bson_t *chunk, const bson_t *coll);
/* "{ a: 1 }" of a document; the caller frees. */
char *host_shown(const bson_t *doc);
/* Whole numbers as mongos writes them: int32 where they fit. */
void append_count(bson_t *out, const char *name, int64_t n);
/* The command's collection name, its first field; sets the fault where it is none. */
const char *call_collection(struct call *c, struct fault *f);
/* Sets `ret` to the document field `name`, to an empty document where it is missing; false: it is another
 * type. */
bool call_document(const struct call *c, const char *name, bson_t *ret, struct fault *f);
/* $currentOp's documents: those of the cluster and those that wait here. */
GPtrArray *host_current_ops(host *h);
/* Names of the cluster's config collections and of their fields that queries may list, NULL-terminated. */
extern const char *const host_config_collections[];
/* Sources of aggregation: answer_sizes.c and answer_ops.c make their documents. */
GPtrArray *sizes_coll_stats(host *h, const char *ns, const bson_t *spec, struct fault *f);
GPtrArray *sizes_data_distribution(host *h);
