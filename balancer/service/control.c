// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* struct ucred */
#include "balancer/service/control_private.h"

#include "common/escape.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/listener.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void client_free(void *data)
{
    struct client *cl = data;
    if (cl->following)
        cl->c->ops.unfollow(cl->c->ops.data, cl);
    bufferevent_free(cl->io);
    g_free(cl->who);
    g_free(cl);
}

static void client_end(struct client *cl)
{
    g_ptr_array_remove_fast(cl->c->clients, cl);
}

/* --- connections --- */

/* JSON has one object to a line; a NUL would end it before its end. */
static void answer_line(struct client *cl, const char *line, size_t len)
{
    struct err err = {0};
    bson_t request;
    const size_t first = strspn(line, " \t\r");
    if (line[first] == '{' && g_utf8_validate(line, (gssize)len, NULL) &&
        bson_init_from_json(&request, line, (ssize_t)len, NULL)) {
        control_answer(cl, &request);
        bson_destroy(&request);
        return;
    }
    err_set(&err, ERR_USAGE, "a request is one JSON object on one line");
    control_refuse(cl, &err);
}

/* Its answer is still sent; what it says from now on is not listened to. */
static void refuse_length(struct client *cl)
{
    struct err err = {0};
    err_set(&err, ERR_USAGE, "a request is longer than %d bytes", CONTROL_LINE_MAX);
    control_refuse(cl, &err);
    log_put(cl->c->log, LOG_CONTROL_REFUSED, log_str("who", cl->who), log_str("why", err.msg));
    bufferevent_disable(cl->io, EV_READ);
    bufferevent_setwatermark(cl->io, EV_WRITE, 0, 0);
    cl->refused = true;
}

/* Takes requests for as long as their answers are read. */
static void on_read(struct bufferevent *io, void *data)
{
    struct client *cl = data;
    struct evbuffer *in = bufferevent_get_input(io);
    size_t len;
    while (!cl->refused && control_waiting(cl) <= CONTROL_PAUSE_BYTES) {
        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
        if (line == NULL)
            break;
        if (len > CONTROL_LINE_MAX)
            refuse_length(cl);
        else
            answer_line(cl, line, len);
        free(line);
    }
    if (!cl->refused && evbuffer_get_length(in) > CONTROL_LINE_MAX &&
        control_waiting(cl) <= CONTROL_PAUSE_BYTES)
        refuse_length(cl);
}

static void on_written(struct bufferevent *io, void *data)
{
    struct client *cl = data;
    if (cl->refused && control_waiting(cl) == 0)
        client_end(cl);
    else
        on_read(io, cl);
}

/* Who follows a round may be silent for as long as that takes. */
static void on_event(struct bufferevent *io, short what, void *data)
{
    const struct client *cl = data;
    if ((what & BEV_EVENT_TIMEOUT) != 0 && (what & BEV_EVENT_READING) != 0 &&
        (cl->following || control_waiting(cl) > 0))
        bufferevent_enable(io, EV_READ);
    else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0)
        client_end(data);
}

/* As this machine's own file has it: other sources of names may be slow to answer, and the loop does not
 * wait. NULL: it has not. */
static char *local_name(uid_t uid)
{
    FILE *in = fopen("/etc/passwd", "re");
    char *name = NULL, buffer[4096];
    struct passwd pw, *found = NULL;
    while (in != NULL && name == NULL && fgetpwent_r(in, &pw, buffer, sizeof(buffer), &found) == 0)
        if (pw.pw_uid == uid)
            name = text_escaped(pw.pw_name);
    if (in != NULL)
        fclose(in);
    return name;
}

static char *peer_name(evutil_socket_t fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return g_strdup("unknown");
    g_autofree char *name = local_name(peer.uid);
    return name == NULL ? g_strdup_printf("uid %u", (unsigned)peer.uid)
                        : g_strdup_printf("%s (uid %u)", name, (unsigned)peer.uid);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *address, int size,
                      void *data)
{
    struct control *c = data;
    (void)l;
    (void)address;
    (void)size;
    if (c->clients->len >= CONTROL_CLIENTS_MAX) {
        log_put(c->log, LOG_CONTROL_REFUSED, log_str("why", "too many connections"));
        close((int)fd);
        return;
    }
    struct client *cl = g_new0(struct client, 1);
    cl->c = c;
    cl->who = peer_name(fd);
    cl->io = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setwatermark(cl->io, EV_READ, 0, CONTROL_LINE_MAX + 1);
    bufferevent_setcb(cl->io, on_read, on_written, on_event, cl);
    bufferevent_setwatermark(cl->io, EV_WRITE, CONTROL_PAUSE_BYTES / 2, 0);
    const struct timeval patience = {.tv_sec = CONTROL_IDLE_SECONDS};
    bufferevent_set_timeouts(cl->io, &patience, &patience);
    g_ptr_array_add(c->clients, cl);
    bufferevent_enable(cl->io, EV_READ | EV_WRITE);
}

/* A file left by a service that was killed answers nobody. */
static bool make_room(const char *path, const struct sockaddr_un *address, struct err *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return true;
    if (!S_ISSOCK(info.st_mode))
        return err_set(err, ERR_CANT_CREATE,
                       "control.socket '%s' is something else than a socket; remove it or name another",
                       path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (fd >= 0)
        close(fd);
    if (answers)
        return err_set(err, ERR_RETRY_LATER, "another evenkeel service listens on '%s'; stop it first", path);
    unlink(path);
    return true;
}

static bool listen_at(struct control *c, unsigned mode, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(c->path) >= sizeof(address.sun_path))
        return err_set(err, ERR_CONFIG,
                       "control.socket '%s' is longer than the %zu bytes that a socket's path may have",
                       c->path, sizeof(address.sun_path) - 1);
    g_strlcpy(address.sun_path, c->path, sizeof(address.sun_path));
    if (!make_room(c->path, &address, err))
        return false;
    /* Made for nobody else, then opened up: there is no moment at which others could come in. */
    mode_t before = umask(0177);
    c->listener =
        evconnlistener_new_bind(c->base, on_accept, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
                                (const struct sockaddr *)&address, sizeof(address));
    int why = errno;
    umask(before);
    if (c->listener == NULL)
        return err_set(err, why == EACCES ? ERR_NO_PERMISSION : ERR_CANT_CREATE,
                       "control.socket '%s': cannot listen: %s; is its folder there and ours?", c->path,
                       g_strerror(why));
    if (chmod(c->path, mode) != 0)
        return err_set(err, ERR_CANT_CREATE, "control.socket '%s': cannot set its mode: %s", c->path,
                       g_strerror(errno));
    return true;
}

bool control_new(struct event_base *base, const struct control_options *opt, const struct service_ops *ops,
                 struct log *log, struct control **ret, struct err *err)
{
    struct control *c = g_new0(struct control, 1);
    c->base = base;
    c->ops = *ops;
    c->log = log;
    c->path = g_strdup(opt->path);
    c->clients = g_ptr_array_new_with_free_func(client_free);
    if (listen_at(c, opt->mode, err)) {
        *ret = c;
        return true;
    }
    control_free(c);
    return false;
}

void control_free(struct control *c)
{
    if (c == NULL)
        return;
    g_ptr_array_unref(c->clients);
    if (c->listener != NULL) {
        evconnlistener_free(c->listener);
        unlink(c->path);
    }
    g_free(c->path);
    g_free(c);
}

uint64_t control_requests(const struct control *c)
{
    return c->requests;
}
