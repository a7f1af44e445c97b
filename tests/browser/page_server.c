// SPDX-License-Identifier: Apache-2.0
/* Serves canned views through the real HTTP door, for a browser to look at: page_server [SCENE [TOKEN_FILE]].
 * The first line on standard output is the port; each line on standard input is an order, answered by "ok" or
 * by what was asked for: scene NAME     shows another scene shift MS       moves the time of the view asked
 * prints what the page had done, on one line It ends with its input. */
#include "balancer/watch/http.h"
#include "tests/support/canned_view.h"
#include "tests/support/fake_service.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    struct event_base *base;
    struct fake_service fake;
    GString *input;
    char scene[32];
};

static void obey(struct bench *b, char *line)
{
    const char *answer = "ok";
    if (g_str_has_prefix(line, "scene ")) {
        g_strlcpy(b->scene, line + 6, sizeof b->scene);
        b->fake.scene = b->scene;
        b->fake.paused = false;
    } else if (g_str_has_prefix(line, "shift ")) {
        b->fake.shift = g_ascii_strtoll(line + 6, NULL, 10);
    } else if (strcmp(line, "asked") == 0) {
        answer = g_strdelimit(b->fake.asked->str, "\n", '|');
    } else {
        answer = "what?";
    }
    printf("%s\n", answer);
    fflush(stdout);
    if (strcmp(line, "asked") == 0)
        g_string_truncate(b->fake.asked, 0);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    struct bench *b = arg;
    char buf[512];
    char *end;
    const ssize_t n = read(fd, buf, sizeof buf);
    (void)what;
    if (n <= 0) {
        event_base_loopbreak(b->base);
        return;
    }
    g_string_append_len(b->input, buf, n);
    while ((end = strchr(b->input->str, '\n')) != NULL) {
        *end = '\0';
        obey(b, b->input->str);
        g_string_erase(b->input, 0, end - b->input->str + 1);
    }
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct bench b = {.base = event_base_new(), .input = g_string_new(NULL)};
    g_autoptr(http) h = NULL;
    g_strlcpy(b.scene, argc > 1 ? argv[1] : "moving", sizeof b.scene);
    fake_service_init(&b.fake, b.scene);
    const struct service_ops ops = fake_service_ops(&b.fake);
    const struct http_options opt = {
        .base = b.base, .ops = &ops, .host = "127.0.0.1", .token_file = argc > 2 ? argv[2] : NULL};
    if (!http_new(&opt, &h, &err)) {
        fprintf(stderr, "page_server: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    struct event *input = event_new(b.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &b);
    event_add(input, NULL);
    printf("%u\n", http_port(h));
    fflush(stdout);
    event_base_dispatch(b.base);
    event_free(input);
    g_clear_pointer(&h, http_free);
    event_base_free(b.base);
    fake_service_clear(&b.fake);
    g_string_free(b.input, TRUE);
    return EXIT_SUCCESS;
}
