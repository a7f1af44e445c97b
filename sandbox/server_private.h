// SPDX-License-Identifier: Apache-2.0
/* server_private.h - what server.c and connection.c share.
 * Owns: the server's state. Never: seen outside of the two.
 */
#pragma once

#include "sandbox/server.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

enum { MAX_CONNECTIONS = 4096 };

struct server {
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *signals[2];
    struct event *retry; /* of accepting, after descriptors ran out */
    SSL_CTX *tls;
    host *host;
    FILE *log;
    char *address;
    double speed;
    int64_t start_real_ms, start_mono_us;
    GHashTable *connections; /* struct connection, a set */
    GHashTable *timers;      /* struct timer, a set */
    int32_t next_request_id;
};

struct connection;
/* Takes the socket. */
void connection_new(struct server *s, evutil_socket_t fd, const char *address);
void connection_free(struct connection *conn);
