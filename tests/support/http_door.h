// SPDX-License-Identifier: Apache-2.0
/* http_door.h - the HTTP door over a fake service, and clients of it on raw sockets, in one thread.
 * Owns: the loop, which turns while a client waits; the clock, which only moves when told to. Never: sleeps;
 * waits longer than half a minute for anything: then the test fails.
 */
#pragma once

#include "balancer/watch/http.h"
#include "tests/support/fake_service.h"
#include "tests/support/temp_dir.h"

#define DOOR_TOKEN "0123456789abcdef-token"

/* Headers of a request. */
#define JSON_TYPE "Content-Type: application/json\r\n"
#define GOOD_TOKEN "Authorization: Bearer " DOOR_TOKEN "\r\n"

struct door {
    struct event_base *base;
    struct fake_service fake;
    struct service_ops ops;
    struct http *http;
    temp_dir *dir;
    char *token_file; /* holds DOOR_TOKEN */
    int64_t clock_us;
    GString *refused; /* "127.0.0.1 tokenRefused\n" ... */
};

/* With a token, or read-only. On 127.0.0.1. */
void door_open(struct door *d, bool with_token);
void door_close(struct door *d);
/* What http_new() is to be given. */
struct http_options door_options(struct door *d, const char *host, const char *token_file);

/* A connection; client_free() closes it. */
struct client {
    struct door *door;
    int fd;
    GString *got; /* all that came */
    bool ended;   /* the other side closed */
};
struct client *client_new(struct door *d);
void client_free(struct client *c);
void client_send(struct client *c, const char *data, size_t len);
void client_text(struct client *c, const char *text);
/* Turns the loop until the other side has closed; until `bytes` bytes have come; until `text` has come; `n`
 * times. */
void client_read_all(struct client *c);
void client_read(struct client *c, size_t bytes);
void client_await(struct client *c, const char *text);
void client_turn(struct client *c, unsigned n);
/* Turns the loop without reading. */
void door_turn(struct door *d, unsigned n);

/* One request on a connection of its own, everything that comes back. The caller frees. */
GString *door_talk(struct door *d, const char *request);
/* "METHOD path" with Host, "Connection: close", `headers` (lines with their ends, or ""), and `body` (NULL:
 * none). */
GString *door_ask(struct door *d, const char *method, const char *path, const char *headers,
                  const char *body);

/* Of an answer. */
int answer_status(const GString *answer);
/* The value of a header; NULL: not there. The caller frees. */
char *answer_header(const GString *answer, const char *name);
const char *answer_body(const GString *answer);
/* The test fails where the status is another, or `contains` (NULL: anything) is not in it; `row` names what
 * was asked. */
void door_expect(const char *row, const GString *answer, int status, const char *contains);
