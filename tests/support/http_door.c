// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_US = 30 * 1000 * 1000 };

/* ---- the door ---- */

static int64_t door_clock(void *data)
{
    return ((struct door *)data)->clock_us;
}

static void note_refused(void *data, const char *peer, const char *code)
{
    g_string_append_printf(((struct door *)data)->refused, "%s %s\n", peer, code);
}

struct http_options door_options(struct door *d, const char *host, const char *token_file)
{
    return (struct http_options){.base = d->base,
                                 .ops = &d->ops,
                                 .host = host,
                                 .token_file = token_file,
                                 .refused = note_refused,
                                 .refused_data = d,
                                 .now_us = door_clock,
                                 .now_data = d};
}

void door_open(struct door *d, bool with_token)
{
    struct err err = {0};
    *d = (struct door){.base = event_base_new(),
                       .dir = temp_dir_new(),
                       .clock_us = 1000000000,
                       .refused = g_string_new(NULL)};
    fake_service_init(&d->fake, "moving");
    d->ops = fake_service_ops(&d->fake);
    d->token_file = temp_dir_write(d->dir, "token", DOOR_TOKEN "\n", strlen(DOOR_TOKEN) + 1);
    assert_int_equal(chmod(d->token_file, 0600), 0);
    const struct http_options opt = door_options(d, "127.0.0.1", with_token ? d->token_file : "");
    if (!http_new(&opt, &d->http, &err))
        fail_msg("http_new: %s", err.msg);
}

void door_close(struct door *d)
{
    http_free(d->http);
    event_base_free(d->base);
    fake_service_clear(&d->fake);
    g_string_free(d->refused, TRUE);
    g_free(d->token_file);
    temp_dir_free(d->dir);
}

void door_turn(struct door *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        event_base_loop(d->base, EVLOOP_NONBLOCK);
}

/* ---- clients ---- */

struct client *client_new(struct door *d)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_port(d->http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client *c = g_new0(struct client, 1);
    *c = (struct client){
        .door = d, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .got = g_string_new(NULL)};
    /* The backlog takes it, whether or not the loop turns. */
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail_msg("connect: %s", g_strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    return c;
}

void client_free(struct client *c)
{
    close(c->fd);
    g_string_free(c->got, TRUE);
    g_free(c);
}

/* Takes what is there; one turn of the loop; where nothing moves, a short wait for either side. */
static void turn(struct client *c)
{
    char buf[65536];
    ssize_t n = 0;
    event_base_loop(c->door->base, EVLOOP_NONBLOCK);
    if (!c->ended)
        n = recv(c->fd, buf, sizeof buf, 0);
    if (n > 0) {
        g_string_append_len(c->got, buf, n);
        return;
    }
    if (!c->ended)
        c->ended = n == 0 || (errno != EAGAIN && errno != EINTR);
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (!c->ended)
        poll(&p, 1, 1);
}

void client_turn(struct client *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        turn(c);
}

static void patience(const struct client *c, int64_t since, const char *what)
{
    if (g_get_monotonic_time() - since > PATIENCE_US)
        fail_msg("waited in vain for %s; so far came: %.300s", what, c->got->str);
}

void client_send(struct client *c, const char *data, size_t len)
{
    const int64_t since = g_get_monotonic_time();
    while (len > 0) {
        const ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return; /* closed: whoever reads finds out */
        patience(c, since, "the other side to read");
        turn(c);
    }
}

void client_text(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

void client_read_all(struct client *c)
{
    const int64_t since = g_get_monotonic_time();
    while (!c->ended) {
        turn(c);
        patience(c, since, "the end");
    }
}

void client_read(struct client *c, size_t bytes)
{
    const int64_t since = g_get_monotonic_time();
    while (!c->ended && c->got->len < bytes) {
        turn(c);
        patience(c, since, "more");
    }
    assert_true(c->got->len >= bytes);
}

void client_await(struct client *c, const char *text)
{
    const int64_t since = g_get_monotonic_time();
    while (strstr(c->got->str, text) == NULL) {
        if (c->ended)
            fail_msg("closed before '%s'; so far came: %.300s", text, c->got->str);
        turn(c);
        patience(c, since, text);
    }
}

GString *door_talk(struct door *d, const char *request)
{
    struct client *c = client_new(d);
    client_text(c, request);
    client_read_all(c);
    GString *got = c->got;
    c->got = g_string_new(NULL);
    client_free(c);
    return got;
}

GString *door_ask(struct door *d, const char *method, const char *path, const char *headers, const char *body)
{
    g_autofree char *length =
        body == NULL ? g_strdup("") : g_strdup_printf("Content-Length: %zu\r\n", strlen(body));
    g_autofree char *request =
        g_strdup_printf("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n%s", method, path,
                        headers, length, body == NULL ? "" : body);
    return door_talk(d, request);
}

/* ---- answers ---- */

int answer_status(const GString *answer)
{
    if (!g_str_has_prefix(answer->str, "HTTP/1."))
        return 0;
    return (int)strtol(answer->str + strlen("HTTP/1.1 "), NULL, 10);
}

char *answer_header(const GString *answer, const char *name)
{
    const char *body = answer_body(answer);
    const char *line = strstr(answer->str, "\r\n");
    for (; line != NULL && line + 2 < body - 2; line = strstr(line + 2, "\r\n")) {
        const size_t n = strlen(name);
        if (g_ascii_strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
            const char *value = line + 2 + n + 1;
            return g_strstrip(g_strndup(value, (gsize)(strstr(value, "\r\n") - value)));
        }
    }
    return NULL;
}

const char *answer_body(const GString *answer)
{
    const char *end = strstr(answer->str, "\r\n\r\n");
    return end == NULL ? answer->str + answer->len : end + 4;
}

void door_expect(const char *row, const GString *answer, int status, const char *contains)
{
    if (answer_status(answer) != status || (contains != NULL && strstr(answer->str, contains) == NULL))
        fail_msg("%s: want %d with '%s', got %.600s", row, status, contains == NULL ? "" : contains,
                 answer->str);
}
