// SPDX-License-Identifier: Apache-2.0
/* Lines to a descriptor that other processes may share, so its flags stay as they are: a blocking write of at
 * most PIPE_BUF bytes behind a poll() that promised room does not block on a pipe, and a socket is sent to
 * without waiting. */
#include "common/log/log_private.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void log_sink_init(struct log_sink *s, int fd)
{
    struct stat st;
    *s = (struct log_sink){.fd = fd, .is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)};
}

static bool wait_for_room(int fd, int64_t until_us)
{
    for (;;) {
        int64_t left_us = until_us - g_get_monotonic_time();
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int n = poll(&p, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0);
        if (n > 0)
            return (p.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0 && (p.revents & POLLOUT) != 0;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static bool write_all(struct log_sink *s, const char *bytes, size_t len, int64_t until_us, size_t *ret_done)
{
    while (*ret_done < len) {
        if (!wait_for_room(s->fd, until_us))
            return false;
        size_t piece = MIN(len - *ret_done, (size_t)PIPE_BUF);
        ssize_t n = s->is_socket ? send(s->fd, bytes + *ret_done, piece, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(s->fd, bytes + *ret_done, piece);
        if (n > 0)
            *ret_done += (size_t)n;
        else if ((n < 0 && errno != EINTR && errno != EAGAIN) || g_get_monotonic_time() >= until_us)
            return false;
    }
    return true;
}

bool log_sink_write(struct log_sink *s, const char *line, size_t len, int wait_ms)
{
    int64_t until_us = g_get_monotonic_time() + (int64_t)wait_ms * 1000;
    size_t done = 0;
    if (s->torn && !write_all(s, "\n", 1, until_us, &done))
        return false;
    s->torn = false;
    done = 0;
    if (write_all(s, line, len, until_us, &done))
        return true;
    s->torn = done > 0;
    return false;
}
