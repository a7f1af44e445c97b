// SPDX-License-Identifier: Apache-2.0
/* http_private.h - what the files of the HTTP door share.
 * Owns: its state, its limits. Never: seen outside of http*.c.
 */
#pragma once

#include "balancer/watch/http.h"

#include <event2/http.h>
#include <event2/listener.h>

enum {
    HTTP_HEADERS_MAX = 16 * 1024,
    HTTP_BODY_MAX = 64 * 1024,
    HTTP_CONNECTIONS_MAX = 64,
    HTTP_LARGE = 256 * 1024, /* an answer beyond this is sent piece by piece */
    HTTP_LARGE_AT_ONCE = 4,  /* such answers under way; a further one is asked to come back */
    HTTP_PIECE = 64 * 1024,
    HTTP_TIMEOUT_US = 10000000, /* for a request to be there; for each HTTP_PIECE of the answer to be taken */
    HTTP_IDLE_US = 30000000,    /* between two requests of a connection */
    HTTP_HISTORY_DEFAULT = 100,
    HTTP_HISTORY_MAX = 1000
};

/* ---- http_token.c ---- */

enum token_verdict { TOKEN_GOOD, TOKEN_NONE_SET, TOKEN_MISSING, TOKEN_BAD, TOKEN_TOO_OFTEN };

struct http_token;
/* `path` NULL or "": none is set. */
bool http_token_new(const char *path, struct http_token **ret, struct err *err);
void http_token_free(struct http_token *t);
bool http_token_is_set(const struct http_token *t);
/* Judges the value of an Authorization header (NULL: there is none). After some bad tokens from `peer` a
 * second, further ones are not even looked at. */
enum token_verdict http_token_check(struct http_token *t, const char *authorization, const char *peer,
                                    int64_t now_us);

/* ---- http.c ---- */

struct http {
    struct event_base *base;
    const struct service_ops *ops;
    struct evhttp *ev;
    GPtrArray *listeners; /* struct evconnlistener *, owned by `ev` */
    char *host;
    uint16_t port;
    struct http_token *token;
    GHashTable *connections; /* struct bufferevent * -> struct connection * */
    struct event *sweep;
    bool sweeping, accepting, exposed;
    unsigned large; /* answers under way */
    struct http_counts counts;
    void (*refused)(void *data, const char *peer, const char *code);
    void *refused_data;
    int64_t (*now_us)(void *data);
    void *now_data;
};
int64_t http_now(const struct http *h);

/* ---- http_connections.c ---- */

/* Before the first connection and after the last. */
void connections_init(struct http *h);
void connections_clear(struct http *h);
/* The request is there, its answer begins; the answer was sent whole. */
void connection_answering(struct http *h, struct evhttp_request *req);
void connection_answered(struct http *h, struct evhttp_request *req);

/* ---- http_check.c: who may ask ---- */

/* Headers that leave no doubt where the request ends and whom it asks. What is wrong with them, or NULL. */
const char *check_framing(struct evhttp_request *req);
/* The Host header names this machine (loopback), the address that was called, or what is listened on. */
bool check_host(const struct http *h, struct evhttp_request *req);
/* A browser that sends this does so for our own page. */
bool check_origin(struct evhttp_request *req);
/* Every '%' is followed by two hexadecimal digits and none encodes a NUL. */
bool check_percent(const char *s);
/* "application/json", parameters aside. */
bool check_json_type(struct evhttp_request *req);

/* ---- http_reply.c ---- */

/* Each ends the request. `body` is taken. To a HEAD only its length is told. */
void reply(struct http *h, struct evhttp_request *req, int status, const char *type, GString *body);
void reply_bytes(struct http *h, struct evhttp_request *req, int status, const char *type, GBytes *body);
void reply_error(struct http *h, struct evhttp_request *req, int status, const char *code, const char *fmt,
                 ...) G_GNUC_PRINTF(5, 6);
/* By the class of the error. */
void reply_err(struct http *h, struct evhttp_request *req, const struct err *err);
/* The same as an error, counted and told as a refusal. */
void reply_refused(struct http *h, struct evhttp_request *req, int status, const char *code,
                   const char *message);
/* "127.0.0.1"; borrowed from the request's connection. */
const char *request_peer(struct evhttp_request *req);

/* ---- http_routes.c ---- */

/* Answers one whole request. */
void routes_answer(struct http *h, struct evhttp_request *req);

/* ---- http_body.c ---- */

/* What a POST may say; what it does not say is zero. */
struct ask_body {
    bool ignore_window, dry_run;
    GPtrArray *ns; /* char *, or NULL */
    char *reason;  /* or NULL */
};
void ask_body_clear(struct ask_body *b);
/* `for_round`: all of it; else only the reason. ERR_USAGE: no JSON object, an unknown key, a wrong type. */
bool ask_body_parse(const char *text, size_t len, bool for_round, struct ask_body *ret, struct err *err);
