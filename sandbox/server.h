// SPDX-License-Identifier: Apache-2.0
/* server.h - connections: sockets, TLS, the order of replies, limits, and the clock of the simulation.
 * Owns: the event loop and all timers. Listens on loopback only.
 * Never: understands a command (host.h).
 */
#pragma once

#include "common/err.h"
#include "sandbox/host.h"

#include <stdbool.h>
#include <stdint.h>

struct server_options {
    struct sb_options cluster;
    const char *bind;                 /* NULL: 127.0.0.1 */
    int port;                         /* 0: any free one */
    double speed;                     /* simulated seconds in a real one; 0: 1 */
    const char *certificate_key_file; /* PEM; NULL: no TLS */
    const char *user, *password;      /* NULL: no log-in */
    const char *log;                  /* a file to append to; NULL: none */
};

typedef struct server server;

/* Opens the log, reads the certificate, listens. What the cluster is, goes into server_host()'s cluster
 * before server_run(). ERR_UNAVAILABLE: the address cannot be listened on. */
bool server_new(const struct server_options *opt, server **ret, struct err *err);
void server_free(server *s); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(server, server_free)

host *server_host(server *s);
/* "127.0.0.1:27017"; borrowed. */
const char *server_address(const server *s);

/* Serves until SIGINT, SIGTERM or server_stop(). */
bool server_run(server *s, struct err *err);
void server_stop(server *s);
