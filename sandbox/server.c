// SPDX-License-Identifier: Apache-2.0
#include "sandbox/server_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <string.h>

enum { RETRY_ACCEPT_MS = 100 };

/* ---- the clock of the simulation ---- */

struct timer {
    server *s;
    struct event *event;
    void (*fn)(void *user);
    void *user;
};

/* From the monotonic clock: simulated time never jumps with the wall clock. */
static int64_t now_ms(void *user)
{
    const server *s = user;
    return s->start_real_ms +
           (int64_t)((double)(g_get_monotonic_time() - s->start_mono_us) / 1000.0 * s->speed);
}

static void timer_free(gpointer p)
{
    struct timer *t = p;
    event_free(t->event);
    g_free(t);
}

/* The timer is freed first: what it calls may set or cancel others. */
static void timer_fired(evutil_socket_t fd, short what, void *user)
{
    struct timer *t = user;
    void (*fn)(void *) = t->fn;
    void *arg = t->user;
    (void)fd, (void)what;
    g_hash_table_remove(t->s->timers, t);
    fn(arg);
}

static struct timeval as_timeval(double ms)
{
    const int64_t us = ms < 0 ? 0 : ms > 1e15 ? (int64_t)1e18 : (int64_t)(ms * 1000.0);
    return (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
}

static void *after(void *user, int64_t delay_ms, void (*fn)(void *user), void *arg)
{
    server *s = user;
    struct timer *t = g_new0(struct timer, 1);
    const struct timeval delay = as_timeval((double)delay_ms / s->speed);
    *t = (struct timer){.s = s, .fn = fn, .user = arg};
    t->event = evtimer_new(s->base, timer_fired, t);
    evtimer_add(t->event, &delay);
    g_hash_table_add(s->timers, t);
    return t;
}

static void cancel(void *user, void *handle)
{
    server *s = user;
    g_hash_table_remove(s->timers, handle);
}

/* ---- listening ---- */

/* Loopback only: the sandbox trusts its clients' intentions. */
static bool parse_address(const char *bind, int port, struct sockaddr_storage *ret, int *ret_len,
                          struct err *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof *ret);
    if (strcmp(bind, "localhost") == 0)
        bind = "127.0.0.1";
    if (inet_pton(AF_INET, bind, &v4->sin_addr) == 1 && ntohl(v4->sin_addr.s_addr) >> 24 == 127) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *ret_len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, bind, &v6->sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *ret_len = sizeof *v6;
        return true;
    }
    return err_set(err, ERR_USAGE,
                   "'%s' is not a loopback address; the sandbox listens on 127.0.0.1 or ::1 only", bind);
}

/* As URIs write it. */
static char *address_text(const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        return g_strdup_printf("[%s]:%u", text, ntohs(v6->sin6_port));
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return g_strdup_printf("%s:%u", text, ntohs(v4->sin_port));
}

/* Beyond the limit clients are turned away at once rather than left waiting. */
static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len,
                     void *user)
{
    server *s = user;
    (void)listener, (void)len;
    if (g_hash_table_size(s->connections) >= MAX_CONNECTIONS) {
        evutil_closesocket(fd);
        return;
    }
    g_autofree char *text = address_text(address);
    connection_new(s, fd, text);
}

static void accept_again(evutil_socket_t fd, short what, void *user)
{
    server *s = user;
    (void)fd, (void)what;
    evconnlistener_enable(s->listener);
}

/* Out of descriptors: waits for some to come free, rather than spin. */
static void accept_failed(struct evconnlistener *listener, void *user)
{
    server *s = user;
    const struct timeval delay = as_timeval(RETRY_ACCEPT_MS);
    evconnlistener_disable(listener);
    evtimer_add(s->retry, &delay);
}

/* The port is asked for afterwards, as 0 lets the system choose. */
static bool listen_on(server *s, const struct server_options *opt, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int address_len = 0;
    const char *bind = opt->bind == NULL ? "127.0.0.1" : opt->bind;
    if (!parse_address(bind, opt->port, &address, &address_len, err))
        return false;
    s->listener = evconnlistener_new_bind(s->base, accepted, s,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                          SOMAXCONN, (struct sockaddr *)&address, address_len);
    if (s->listener == NULL)
        return err_set(err, ERR_UNAVAILABLE, "cannot listen on %s, port %d: %s; choose another with --port",
                       bind, opt->port, g_strerror(errno));
    evconnlistener_set_error_cb(s->listener, accept_failed);
    if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&address, &len) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot tell the port that is listened on: %s",
                       g_strerror(errno));
    s->address = address_text((struct sockaddr *)&address);
    return true;
}

static bool load_certificate(server *s, const char *path, struct err *err)
{
    s->tls = SSL_CTX_new(TLS_server_method());
    bool fine = s->tls != NULL && SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION) == 1 &&
                SSL_CTX_use_certificate_chain_file(s->tls, path) == 1 &&
                SSL_CTX_use_PrivateKey_file(s->tls, path, SSL_FILETYPE_PEM) == 1 &&
                SSL_CTX_check_private_key(s->tls) == 1;
    if (fine)
        return true;
    char reason[256];
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
    ERR_clear_error();
    return err_set(err, ERR_NO_INPUT,
                   "%s: cannot take certificate and key from it: %s; it must be a PEM file with both", path,
                   reason);
}

/* ---- life ---- */

static void signalled(evutil_socket_t fd, short what, void *user)
{
    (void)fd, (void)what;
    server_stop(user);
}

/* Signals arrive through the loop, so that nothing runs inside a handler. */
static void init_loop(server *s, const struct server_options *opt)
{
    s->base = event_base_new();
    s->speed = opt->speed > 0 ? opt->speed : 1;
    s->start_real_ms = g_get_real_time() / 1000;
    s->start_mono_us = g_get_monotonic_time();
    s->connections = g_hash_table_new(NULL, NULL);
    s->timers = g_hash_table_new_full(NULL, NULL, timer_free, NULL);
    s->retry = evtimer_new(s->base, accept_again, s);
    s->signals[0] = evsignal_new(s->base, SIGINT, signalled, s);
    s->signals[1] = evsignal_new(s->base, SIGTERM, signalled, s);
    event_add(s->signals[0], NULL);
    event_add(s->signals[1], NULL);
}

static bool open_log(server *s, const char *path, struct err *err)
{
    s->log = fopen(path, "ae");
    return s->log != NULL ||
           err_set(err, ERR_CANT_CREATE, "cannot open the log %s: %s", path, g_strerror(errno));
}

bool server_new(const struct server_options *opt, server **ret, struct err *err)
{
    g_autoptr(server) s = g_new0(server, 1);
    init_loop(s, opt);
    if ((opt->log != NULL && !open_log(s, opt->log, err)) ||
        (opt->certificate_key_file != NULL && !load_certificate(s, opt->certificate_key_file, err)))
        return false;
    const struct sb_clock clock = {.now_ms = now_ms, .after = after, .cancel = cancel, .host = s};
    s->host = host_new(&opt->cluster, &clock);
    s->host->log = s->log;
    s->host->speed = s->speed;
    if ((opt->user != NULL && !auth_new(opt->user, opt->password, &s->host->auth, err)) ||
        !listen_on(s, opt, err))
        return false;
    s->host->address = g_strdup(s->address);
    *ret = g_steal_pointer(&s);
    return true;
}

/* Connections before the host, the host before timers: each holds on to the next. */
void server_free(server *s)
{
    if (s == NULL)
        return;
    g_autoptr(GList) open = g_hash_table_get_keys(s->connections);
    for (GList *l = open; l != NULL; l = l->next)
        connection_free(l->data);
    host_free(s->host);
    g_hash_table_unref(s->connections);
    g_hash_table_unref(s->timers);
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    event_free(s->retry);
    event_free(s->signals[0]);
    event_free(s->signals[1]);
    event_base_free(s->base);
    SSL_CTX_free(s->tls);
    if (s->log != NULL)
        fclose(s->log);
    g_free(s->address);
    g_free(s);
}

host *server_host(server *s)
{
    return s->host;
}

const char *server_address(const server *s)
{
    return s->address;
}

bool server_run(server *s, struct err *err)
{
    return event_base_dispatch(s->base) == 0 ||
           err_set(err, ERR_FAILED, "the event loop failed: %s", g_strerror(errno));
}

void server_stop(server *s)
{
    event_base_loopbreak(s->base);
}
