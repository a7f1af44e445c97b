// SPDX-License-Identifier: Apache-2.0
#include "balancer/service/control_client.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

struct control_client {
    int fd;
    char *path;
    GString *in; /* what was read and not yet handed out */
    gsize seen;  /* of `in`, looked through for a line's end */
};

void control_client_free(struct control_client *c)
{
    if (c == NULL)
        return;
    if (c->fd >= 0)
        close(c->fd);
    g_string_free(c->in, TRUE);
    g_free(c->path);
    g_free(c);
}

static bool refuse_connection(const char *path, int why, struct err *err)
{
    if (why == EACCES || why == EPERM)
        return err_set(err, ERR_NO_PERMISSION,
                       "not permitted to ask the service at '%s'; join the group of that socket, or use sudo",
                       path);
    return err_set(
        err, ERR_UNAVAILABLE,
        "no evenkeel service answers at '%s' (%s); start it with 'systemctl start evenkeel', or use "
        "'evenkeel round --standalone'",
        path, g_strerror(why));
}

bool control_connect(const char *path, struct control_client **ret, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_CONFIG, "control.socket '%s' is too long for a socket's path", path);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return refuse_connection(path, why, err);
    }
    struct control_client *c = g_new0(struct control_client, 1);
    c->fd = fd;
    c->path = g_strdup(path);
    c->in = g_string_new(NULL);
    *ret = c;
    return true;
}

static bool went_away(const struct control_client *c, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the service at '%s' went away; see its log", c->path);
}

bool control_send(struct control_client *c, const char *json, struct err *err)
{
    g_autofree char *line = g_strconcat(json, "\n", NULL);
    size_t len = strlen(line);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(c->fd, line + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return went_away(c, err);
        sent += n < 0 ? 0 : (size_t)n;
    }
    return true;
}

static bool wait_readable(struct control_client *c, int timeout_ms, struct err *err)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);
    if (n > 0)
        return true;
    if (n < 0 && errno == EINTR)
        return err_set(err, ERR_FAILED, "interrupted; the service goes on");
    return err_set(err, ERR_UNAVAILABLE, "the service at '%s' does not answer", c->path);
}

static bool read_line(struct control_client *c, int timeout_ms, struct err *err)
{
    while (memchr(c->in->str + c->seen, '\n', c->in->len - c->seen) == NULL) {
        char buffer[READ_BYTES];
        c->seen = c->in->len;
        if (!wait_readable(c, timeout_ms, err))
            return false;
        ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);
        if (n == 0 || (n < 0 && errno != EINTR))
            return went_away(c, err);
        g_string_append_len(c->in, buffer, MAX(n, 0));
    }
    return true;
}

static bool take_refusal(const bson_t *answer, struct err *err)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, answer, "ok") || !BSON_ITER_HOLDS_BOOL(&it) || bson_iter_bool(&it))
        return true;
    int code = bson_iter_init_find(&it, answer, "exit") ? (int)bson_iter_as_int64(&it) : 0;
    const char *text = bson_iter_init_find(&it, answer, "error") && BSON_ITER_HOLDS_UTF8(&it)
                           ? bson_iter_utf8(&it, NULL)
                           : "the service refused without a word";
    return err_set(err, err_class_of(code), "%s", text);
}

bool control_receive(struct control_client *c, int timeout_ms, bson_t *ret, struct err *err)
{
    if (!read_line(c, timeout_ms, err))
        return false;
    const char *end = memchr(c->in->str, '\n', c->in->len);
    gsize len = (gsize)(end - c->in->str);
    bool read = bson_init_from_json(ret, c->in->str, (ssize_t)len, NULL);
    g_string_erase(c->in, 0, (gssize)len + 1);
    c->seen = 0;
    if (!read)
        return err_set(err, ERR_UNAVAILABLE,
                       "the service at '%s' answers something else than JSON; is it evenkeel?", c->path);
    if (take_refusal(ret, err))
        return true;
    bson_destroy(ret);
    return false;
}
