// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/http_private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 64, ALL_METHODS = 0x1ff };

int64_t http_now(const struct http *h)
{
    return h->now_us != NULL ? h->now_us(h->now_data) : g_get_monotonic_time();
}

static uint16_t *port_in(struct sockaddr *sa)
{
    return sa->sa_family == AF_INET6 ? &((struct sockaddr_in6 *)sa)->sin6_port
                                     : &((struct sockaddr_in *)sa)->sin_port;
}

/* What cannot be told is taken for not. */
static bool is_loopback(const struct sockaddr_storage *ss)
{
    if (ss->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)ss)->sin_addr.s_addr) >> 24 == 127;
    return ss->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)ss)->sin6_addr);
}

static bool listen_on(struct http *h, struct sockaddr *sa, socklen_t len)
{
    const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    struct sockaddr_storage own = {0};
    socklen_t own_len = sizeof own;
    *port_in(sa) = htons(h->port);
    struct evconnlistener *l = evconnlistener_new_bind(h->base, NULL, NULL, flags, BACKLOG, sa, (int)len);
    if (l == NULL)
        return false;
    /* With port 0 the first address draws the port for all of them. */
    if (getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&own, &own_len) == 0)
        h->port = ntohs(*port_in((struct sockaddr *)&own));
    h->exposed = h->exposed || !is_loopback(&own);
    g_ptr_array_add(h->listeners, l);
    evhttp_bind_listener(h->ev, l);
    return true;
}

/* An address of the name that this machine does not have (IPv6 switched off) is passed over. */
static bool listen_on_all(struct http *h, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *all = NULL;
    int fault = getaddrinfo(h->host, NULL, &hints, &all);
    int failed = EADDRNOTAVAIL;
    if (fault != 0)
        return err_set(err, ERR_UNAVAILABLE, "http.listen: cannot find the address of '%s': %s", h->host,
                       gai_strerror(fault));
    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;
        if (listen_on(h, a->ai_addr, a->ai_addrlen))
            continue;
        failed = errno;
        if (failed != EADDRNOTAVAIL && failed != EAFNOSUPPORT)
            break;
    }
    freeaddrinfo(all);
    if (h->listeners->len > 0 && (failed == EADDRNOTAVAIL || failed == EAFNOSUPPORT))
        return true;
    return err_set(err, ERR_UNAVAILABLE, "http.listen: cannot listen on port %u of '%s': %s", h->port,
                   h->host, g_strerror(failed));
}

static void on_request(struct evhttp_request *req, void *arg)
{
    routes_answer(arg, req);
}

static void ignore_sigpipe(void)
{
    struct sigaction old;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(SIGPIPE, &ignore, NULL);
}

static void start(struct http *h)
{
    ignore_sigpipe();
    h->ev = evhttp_new(h->base);
    evhttp_set_max_headers_size(h->ev, HTTP_HEADERS_MAX);
    evhttp_set_max_body_size(h->ev, HTTP_BODY_MAX);
    /* A client that sends too much gets to know it, instead of a connection reset in mid-sentence. */
    evhttp_set_flags(h->ev, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_allowed_methods(h->ev, ALL_METHODS); /* so that 405 is ours to answer */
    evhttp_set_gencb(h->ev, on_request, h);
    connections_init(h);
}

bool http_new(const struct http_options *opt, http **ret, struct err *err)
{
    g_autoptr(http) h = g_new0(http, 1);
    h->base = opt->base;
    h->ops = opt->ops;
    h->host = g_strdup(opt->host);
    h->port = opt->port;
    h->refused = opt->refused;
    h->refused_data = opt->refused_data;
    h->now_us = opt->now_us;
    h->now_data = opt->now_data;
    h->listeners = g_ptr_array_new();
    start(h);
    if (!http_token_new(opt->token_file, &h->token, err) || !listen_on_all(h, err))
        return false;
    *ret = g_steal_pointer(&h);
    return true;
}

void http_free(http *h)
{
    if (h == NULL)
        return;
    evhttp_free(h->ev); /* closes the listeners, and what is connected */
    connections_clear(h);
    http_token_free(h->token);
    g_ptr_array_unref(h->listeners);
    g_free(h->host);
    g_free(h);
}

bool http_reload(http *h, const char *token_file, struct err *err)
{
    struct http_token *t = NULL;
    if (!http_token_new(token_file, &t, err))
        return false;
    http_token_free(h->token);
    h->token = t;
    return true;
}

uint16_t http_port(const http *h)
{
    return h->port;
}

char *http_address(const http *h)
{
    const bool v6 = strchr(h->host, ':') != NULL;
    return g_strdup_printf("%s%s%s:%u", v6 ? "[" : "", h->host, v6 ? "]" : "", h->port);
}

bool http_is_exposed(const http *h)
{
    return h->exposed;
}

struct http_counts http_counts(const http *h)
{
    return h->counts;
}
