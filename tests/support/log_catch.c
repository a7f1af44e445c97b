// SPDX-License-Identifier: Apache-2.0
#include "tests/support/log_catch.h"

#include <fcntl.h>
#include <unistd.h>

static int64_t now_ms(void *data)
{
    return ((const log_catch *)data)->now_ms;
}

log_catch *log_catch_new(const struct log_options *options)
{
    log_catch *c = g_new0(log_catch, 1);
    int ends[2];
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        g_error("no pipe for the log");
    c->now_ms = 1795225080123;
    c->read_fd = ends[0];
    c->log_fd = ends[1];
    struct log_options o = {.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_TEXT};
    if (options != NULL)
        o = *options;
    o.fd = ends[1];
    o.now_ms = now_ms;
    o.now_data = c;
    c->log = log_new(&o);
    return c;
}

void log_catch_free(log_catch *c)
{
    if (c == NULL)
        return;
    log_free(c->log);
    close(c->read_fd);
    close(c->log_fd);
    g_free(c);
}

char *log_catch_text(log_catch *c)
{
    GString *text = g_string_new(NULL);
    char piece[4096];
    ssize_t n;
    while ((n = read(c->read_fd, piece, sizeof piece)) > 0)
        g_string_append_len(text, piece, n);
    return g_string_free(text, FALSE);
}
