// SPDX-License-Identifier: Apache-2.0
#include "tests/support/datagrams.h"

#include "tests/support/temp_dir.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct datagrams {
    temp_dir *dir;
    char *path;
    int fd;
};

void datagrams_open(datagrams *d)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, d->path, sizeof address.sun_path);
    d->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (d->fd < 0 || bind(d->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        g_error("cannot listen on %s", d->path);
}

void datagrams_close(datagrams *d)
{
    if (d->fd < 0)
        return;
    close(d->fd);
    (void)unlink(d->path);
    d->fd = -1;
}

datagrams *datagrams_new(void)
{
    datagrams *d = g_new0(datagrams, 1);
    d->dir = temp_dir_new();
    d->path = g_build_filename(d->dir->path, "socket", NULL);
    datagrams_open(d);
    return d;
}

void datagrams_free(datagrams *d)
{
    if (d == NULL)
        return;
    datagrams_close(d);
    g_free(d->path);
    temp_dir_free(d->dir);
    g_free(d);
}

const char *datagrams_path(const datagrams *d)
{
    return d->path;
}

GString *datagrams_next(datagrams *d, int *ret_fd)
{
    static char buffer[1024 * 1024];
    struct iovec part = {.iov_base = buffer, .iov_len = sizeof buffer};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(d->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return NULL;
    int fd = -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    if (ret_fd != NULL)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return g_string_new_len(buffer, n);
}
