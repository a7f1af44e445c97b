// SPDX-License-Identifier: Apache-2.0
/* connect.h - one connection to a mongos.
 * Owns: the client, the check that the peer is a mongos, its version, and the words and classes for whatever
 * keeps us from it. Never: shows credentials, retries by itself, lets libmongoc write to stderr.
 */
#pragma once

#include "common/err.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>

typedef struct {
    mongoc_client_t *client;
    char *name;    /* the URI as it may be shown */
    char *version; /* of the mongos, "7.0.14" */
    mongoc_read_prefs_t *prefs;
} mongo_conn;

/* Connects. `mode`: which config servers answer. ERR_USAGE: the URI; ERR_UNAVAILABLE: nobody answers, or one
 * who is not a mongos; ERR_NO_PERMISSION: the login is refused. Tries each host once, so that a wrong port is
 * told at once. */
bool mongo_connect(const char *uri, mongoc_read_mode_t mode, mongo_conn **ret, struct err *err);
void mongo_conn_free(mongo_conn *c); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mongo_conn, mongo_conn_free)

/* What a failed read means: sets `err` and returns false. `what` is what was read ("config.chunks"); `reply`
 * may be NULL. */
bool mongo_failed(const mongo_conn *c, const char *what, const bson_error_t *error, const bson_t *reply,
                  struct err *err);

/* Whether the connection broke, so that the same read may go well when it is tried again. */
bool mongo_broke(const bson_error_t *error);

/* The server's own code where the reply (may be NULL) has one: libmongoc changes some; 0: none. */
int64_t mongo_code(const bson_error_t *error, const bson_t *reply);
/* Whether user or password were refused. */
bool mongo_login_failed(const bson_error_t *error, int64_t code);

/* "1.23.1", of the library that runs. */
const char *mongo_library_version(void);
