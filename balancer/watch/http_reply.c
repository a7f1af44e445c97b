// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/http_private.h"
#include "common/json_writer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdarg.h>

/* Nothing of the page comes from elsewhere, nothing of it may be framed, stored or guessed at. */
static const struct {
    const char *name, *value;
} common_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
     "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

/* ---- large answers ---- */

/* An answer that is sent piece by piece, the next when the client has taken the one before. */
struct pieces {
    struct http *h;
    struct evhttp_request *req;
    GBytes *data;
    size_t at;
};

static void pieces_free(struct pieces *p)
{
    p->h->large--;
    g_bytes_unref(p->data);
    g_free(p);
}

/* The connection goes down before the end. Where evhttp has let go of the request, it is ours to free. */
static void pieces_cut(struct evhttp_connection *evcon, void *arg)
{
    struct pieces *p = arg;
    (void)evcon;
    if (evhttp_request_get_connection(p->req) == NULL)
        evhttp_request_free(p->req);
    pieces_free(p);
}

static void unref_bytes(const void *data, size_t len, void *bytes)
{
    (void)data, (void)len;
    g_bytes_unref(bytes);
}

static void pieces_next(struct evhttp_connection *evcon, void *arg)
{
    struct pieces *p = arg;
    gsize len;
    const char *data = g_bytes_get_data(p->data, &len);
    const size_t n = MIN(HTTP_PIECE, len - p->at);
    if (n == 0) {
        struct evhttp_request *req = p->req;
        evhttp_connection_set_closecb(evcon, NULL, NULL);
        pieces_free(p);
        evhttp_send_reply_end(req);
        return;
    }
    struct evbuffer *piece = evbuffer_new();
    evbuffer_add_reference(piece, data + p->at, n, unref_bytes, g_bytes_ref(p->data));
    p->at += n;
    evhttp_send_reply_chunk_with_cb(p->req, piece, pieces_next, p);
    evbuffer_free(piece);
}

static void send_pieces(struct http *h, struct evhttp_request *req, int status, GBytes *body)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(req);
    struct pieces *p = g_new0(struct pieces, 1);
    *p = (struct pieces){.h = h, .req = req, .data = g_bytes_ref(body)};
    h->large++;
    evhttp_connection_set_closecb(evcon, pieces_cut, p);
    evhttp_send_reply_start(req, status, NULL);
    pieces_next(evcon, p);
}

/* ---- any answer ---- */

static void on_complete(struct evhttp_request *req, void *arg)
{
    connection_answered(arg, req);
}

static void add_headers(struct evhttp_request *req, const char *type, size_t length)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    g_autofree char *digits = g_strdup_printf("%" G_GSIZE_FORMAT, length);
    for (size_t i = 0; i < G_N_ELEMENTS(common_headers); i++)
        evhttp_add_header(out, common_headers[i].name, common_headers[i].value);
    evhttp_add_header(out, "Content-Type", type);
    evhttp_add_header(out, "Content-Length", digits);
}

static const char *phrase(int status)
{
    return status == 429 ? "Too Many Requests" : NULL; /* NULL: evhttp knows it */
}

static bool reply_has_room(const struct http *h, size_t length)
{
    return length <= HTTP_LARGE || h->large < HTTP_LARGE_AT_ONCE;
}

static void send_whole(struct evhttp_request *req, int status, GBytes *body, bool head)
{
    gsize len;
    const char *data = g_bytes_get_data(body, &len);
    struct evbuffer *out = evbuffer_new();
    if (!head)
        evbuffer_add(out, data, len);
    evhttp_send_reply(req, status, phrase(status), out);
    evbuffer_free(out);
}

void reply_bytes(struct http *h, struct evhttp_request *req, int status, const char *type, GBytes *body)
{
    const bool head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
    const size_t length = g_bytes_get_size(body);
    if (!head && !reply_has_room(h, length)) {
        reply_error(h, req, HTTP_SERVUNAVAIL, "busy",
                    "%d large answers are under way already; try again later", HTTP_LARGE_AT_ONCE);
    } else {
        h->counts.requests++;
        connection_answering(h, req);
        evhttp_request_set_on_complete_cb(req, on_complete, h);
        add_headers(req, type, length);
        if (length > HTTP_LARGE && !head)
            send_pieces(h, req, status, body);
        else
            send_whole(req, status, body, head);
    }
    g_bytes_unref(body);
}

void reply(struct http *h, struct evhttp_request *req, int status, const char *type, GString *body)
{
    reply_bytes(h, req, status, type, g_string_free_to_bytes(body));
}

static void reply_message(struct http *h, struct evhttp_request *req, int status, const char *code,
                          const char *message)
{
    struct json_writer w;
    GString *body = g_string_new(NULL);
    json_init(&w, body);
    json_object(&w, true);
    json_key(&w, "error");
    json_object(&w, true);
    json_put_string(&w, "code", code);
    json_put_string(&w, "message", message);
    json_end(&w);
    json_end(&w);
    g_string_append_c(body, '\n');
    reply(h, req, status, "application/json", body);
}

void reply_error(struct http *h, struct evhttp_request *req, int status, const char *code, const char *fmt,
                 ...)
{
    va_list args;
    va_start(args, fmt);
    g_autofree char *message = g_strdup_vprintf(fmt, args);
    va_end(args);
    if (status == HTTP_SERVUNAVAIL || status == 429)
        evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After", "1");
    reply_message(h, req, status, code, message);
}

void reply_err(struct http *h, struct evhttp_request *req, const struct err *err)
{
    static const struct {
        int status;
        const char *code;
    } by_class[ERR_CLASS_COUNT] = {
        [ERR_NONE] = {HTTP_INTERNAL, "failed"},
        [ERR_FAILED] = {HTTP_INTERNAL, "failed"},
        [ERR_USAGE] = {HTTP_BADREQUEST, "badRequest"},
        [ERR_DATA] = {HTTP_INTERNAL, "badData"},
        [ERR_NO_INPUT] = {HTTP_NOTFOUND, "notFound"},
        [ERR_UNAVAILABLE] = {HTTP_SERVUNAVAIL, "unavailable"},
        [ERR_CANT_CREATE] = {HTTP_INTERNAL, "cannotWrite"},
        [ERR_RETRY_LATER] = {409, "tryLater"},
        [ERR_NO_PERMISSION] = {403, "notPermitted"},
        [ERR_CONFIG] = {HTTP_INTERNAL, "configuration"},
    };
    reply_error(h, req, by_class[err->cls].status, by_class[err->cls].code, "%s", err->msg);
}

void reply_refused(struct http *h, struct evhttp_request *req, int status, const char *code,
                   const char *message)
{
    h->counts.refused++;
    if (h->refused != NULL)
        h->refused(h->refused_data, request_peer(req), code);
    reply_error(h, req, status, code, "%s", message);
}

const char *request_peer(struct evhttp_request *req)
{
    char *address = NULL;
    ev_uint16_t port = 0;
    evhttp_connection_get_peer(evhttp_request_get_connection(req), &address, &port);
    return address == NULL ? "unknown" : address;
}
