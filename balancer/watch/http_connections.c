// SPDX-License-Identifier: Apache-2.0
/* evhttp has a timeout between bytes and no limit of connections. Both are added here from outside: each
 * connection's bufferevent is made and referenced by us. It is dead when evhttp has taken its callbacks off;
 * one that is too slow gets its socket shut down, and evhttp clears it away as if the client had hung up. */
#include "balancer/watch/http_private.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

enum { SWEEP_US = 200000, INPUT_MAX = HTTP_HEADERS_MAX + HTTP_BODY_MAX + 16 * 1024 };

enum phase { PHASE_IDLE, PHASE_READING, PHASE_ANSWERING };

struct connection {
    struct http *h;
    struct bufferevent *bev;
    enum phase phase;
    int64_t deadline_us;
    size_t taken; /* bytes of the answer since the deadline was set */
};

static void enter(struct connection *c, enum phase phase)
{
    c->phase = phase;
    c->taken = 0;
    c->deadline_us = http_now(c->h) + (phase == PHASE_IDLE ? HTTP_IDLE_US : HTTP_TIMEOUT_US);
}

static void on_input(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *c = arg;
    (void)buf;
    if (c->phase == PHASE_IDLE && info->n_added > 0)
        enter(c, PHASE_READING);
}

/* A large answer may take long, but not forever. */
static void on_output(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *c = arg;
    (void)buf;
    c->taken += info->n_deleted;
    if (c->phase == PHASE_ANSWERING && c->taken >= HTTP_PIECE)
        enter(c, PHASE_ANSWERING);
}

static void connection_free(gpointer p)
{
    struct connection *c = p;
    evbuffer_remove_cb(bufferevent_get_input(c->bev), on_input, c);
    evbuffer_remove_cb(bufferevent_get_output(c->bev), on_output, c);
    bufferevent_decref(c->bev);
    g_free(c);
}

static bool is_dead(const struct connection *c)
{
    bufferevent_event_cb on_event;
    bufferevent_getcb(c->bev, NULL, NULL, &on_event, NULL);
    return on_event == NULL;
}

static void cut(struct connection *c)
{
    shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

static void accept_more(struct http *h, bool yes)
{
    if (h->accepting == yes)
        return;
    h->accepting = yes;
    for (guint i = 0; i < h->listeners->len; i++) {
        if (yes)
            evconnlistener_enable(h->listeners->pdata[i]);
        else
            evconnlistener_disable(h->listeners->pdata[i]);
    }
}

/* Forgets the dead, cuts those that are late. */
static void sweep(struct http *h)
{
    GHashTableIter it;
    gpointer value;
    const int64_t now = http_now(h);
    g_hash_table_iter_init(&it, h->connections);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        struct connection *c = value;
        if (is_dead(c))
            g_hash_table_iter_remove(&it);
        else if (now >= c->deadline_us)
            cut(c);
    }
    accept_more(h, g_hash_table_size(h->connections) < HTTP_CONNECTIONS_MAX);
}

/* All places are taken: whoever has been idle longest makes room, if there is one. */
static void cut_an_idle_one(struct http *h)
{
    GHashTableIter it;
    gpointer value;
    struct connection *oldest = NULL;
    g_hash_table_iter_init(&it, h->connections);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        struct connection *c = value;
        if (c->phase == PHASE_IDLE && (oldest == NULL || c->deadline_us < oldest->deadline_us))
            oldest = c;
    }
    if (oldest != NULL)
        cut(oldest);
}

static void schedule_sweep(struct http *h)
{
    static const struct timeval interval = {.tv_usec = SWEEP_US};
    h->sweeping = g_hash_table_size(h->connections) > 0;
    if (h->sweeping)
        evtimer_add(h->sweep, &interval);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct http *h = arg;
    (void)fd, (void)what;
    sweep(h);
    schedule_sweep(h);
}

/* evhttp asks for the bufferevent of a connection it has accepted. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    struct http *h = arg;
    sweep(h);
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL)
        return NULL;
    struct connection *c = g_new0(struct connection, 1);
    *c = (struct connection){.h = h, .bev = bev};
    enter(c, PHASE_READING);
    bufferevent_incref(bev);
    /* What a client sends ahead of its answers waits in the kernel from here on. */
    bufferevent_setwatermark(bev, EV_READ, 0, INPUT_MAX);
    evbuffer_add_cb(bufferevent_get_input(bev), on_input, c);
    evbuffer_add_cb(bufferevent_get_output(bev), on_output, c);
    g_hash_table_insert(h->connections, bev, c);
    if (g_hash_table_size(h->connections) >= HTTP_CONNECTIONS_MAX) {
        accept_more(h, false);
        cut_an_idle_one(h);
    }
    if (!h->sweeping)
        schedule_sweep(h);
    return bev;
}

void connections_init(struct http *h)
{
    h->connections = g_hash_table_new_full(NULL, NULL, NULL, connection_free);
    h->sweep = evtimer_new(h->base, on_sweep, h);
    h->accepting = true;
    evhttp_set_bevcb(h->ev, on_accept, h);
}

void connections_clear(struct http *h)
{
    event_free(h->sweep);
    g_hash_table_unref(h->connections);
}

static struct connection *connection_of(struct http *h, struct evhttp_request *req)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(req);
    return g_hash_table_lookup(h->connections, evhttp_connection_get_bufferevent(evcon));
}

void connection_answering(struct http *h, struct evhttp_request *req)
{
    struct connection *c = connection_of(h, req);
    if (c != NULL)
        enter(c, PHASE_ANSWERING);
}

void connection_answered(struct http *h, struct evhttp_request *req)
{
    struct connection *c = connection_of(h, req);
    if (c != NULL)
        enter(c, evbuffer_get_length(bufferevent_get_input(c->bev)) > 0 ? PHASE_READING : PHASE_IDLE);
}
