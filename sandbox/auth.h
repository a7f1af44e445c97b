// SPDX-License-Identifier: Apache-2.0
/* auth.h - logging in: SCRAM-SHA-256 (RFC 7677) of one user, as saslStart and saslContinue carry it.
 * Owns: the stored keys (not the password) and each connection's conversation. Never: knows roles.
 */
#pragma once

#include "common/err.h"
#include "sandbox/fault.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct auth auth;

/* ERR_FAILED where OpenSSL cannot derive keys. The password is used as it is: printable ASCII needs no
 * SASLprep. */
bool auth_new(const char *user, const char *password, auth **ret, struct err *err);
void auth_free(auth *a); /* NULL accepted */
const char *auth_user(const auth *a);

/* One connection's state; start with {0}. */
struct auth_session {
    bool logged_in;
    int step; /* 0: no conversation */
    int32_t conversation;
    bool skip_empty; /* the client asked to leave out the empty exchange at the end */
    char *nonce, *first_bare, *server_first;
};
void auth_session_clear(struct auth_session *s);

/* `payload` of saslStart and saslContinue; appends {conversationId, done, payload}. */
bool auth_start(const auth *a, struct auth_session *s, const bson_t *cmd, bson_t *reply, struct fault *f);
bool auth_continue(const auth *a, struct auth_session *s, const bson_t *cmd, bson_t *reply, struct fault *f);
