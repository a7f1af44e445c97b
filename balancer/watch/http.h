// SPDX-License-Identifier: Apache-2.0
/* http.h - the HTTP door: status page, metrics, probes, a JSON interface, and with a token the switches.
 * Owns: the listening sockets, connections with their limits and deadlines, who may ask for what (Host,
 * Origin, token), every header. Never: decides anything of balancing, blocks, speaks TLS. Everything happens
 * on the loop thread that calls http_new().
 */
#pragma once

#include "balancer/watch/ops.h"

#include <event2/event.h>

struct http_options {
    struct event_base *base;       /* borrowed, like `ops` */
    const struct service_ops *ops; /* all of its functions must be there */
    const char *host;              /* a name or an address, IPv6 without brackets; copied */
    uint16_t port;                 /* 0: any free one */
    const char *token_file;        /* NULL or "": nothing can be changed over HTTP */
    /* Told of each request that was refused for who asked (NULL: nobody). `peer` is an address, `code` a
     * stable word: "hostNotAllowed", "originNotAllowed", "readOnly", "tokenMissing", "tokenRefused",
     * "tooManyTokens". */
    void (*refused)(void *data, const char *peer, const char *code);
    void *refused_data;
    int64_t (*now_us)(void *data); /* monotonic microseconds; NULL: the system's clock */
    void *now_data;
};

typedef struct http http;

/* Listens on every address of `host`. SIGPIPE is ignored from here on, as libevent's HTTP asks.
 * ERR_UNAVAILABLE: the address cannot be listened on; ERR_CONFIG: the token file is missing, may be used by
 * others, or holds no token of 16 to 512 visible ASCII characters. */
bool http_new(const struct http_options *opt, http **ret, struct err *err);
void http_free(http *h); /* cuts what is connected; NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(http, http_free)

/* Reads the token file again; where that fails the old token stays in force. */
bool http_reload(http *h, const char *token_file, struct err *err);

uint16_t http_port(const http *h);
/* "127.0.0.1:29017", "[::1]:29017", with the host as it was given and the port as it is. The caller frees. */
char *http_address(const http *h);
/* Whether one of the addresses that are listened on is none of loopback. */
bool http_is_exposed(const http *h);

struct http_counts {
    uint64_t requests; /* answered, in whatever way */
    uint64_t refused;  /* a part of them: for who asked */
};
struct http_counts http_counts(const http *h);
