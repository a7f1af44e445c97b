// SPDX-License-Identifier: Apache-2.0
/* control_client.h - asking the running service over its control socket; blocking.
 * Owns: the connection and what a refusal means as an exit code. Never: acts by itself where there is no
 * service.
 */
#pragma once

#include "common/err.h"

#include <bson/bson.h>

struct control_client;

/* ERR_UNAVAILABLE: no service listens there; ERR_NO_PERMISSION: it may not be asked by this user. */
bool control_connect(const char *path, struct control_client **ret, struct err *err);
void control_client_free(struct control_client *c); /* NULL accepted */

/* Sends one request (a JSON object, without its line end). */
bool control_send(struct control_client *c, const char *json, struct err *err);
/* The next line as a document; the caller destroys it. An answer that is a refusal sets `err` with the class
 * that the service gave. ERR_UNAVAILABLE: the service went away. `timeout_ms` < 0: waits. */
bool control_receive(struct control_client *c, int timeout_ms, bson_t *ret, struct err *err);
