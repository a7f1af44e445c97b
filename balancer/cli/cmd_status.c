// SPDX-License-Identifier: Apache-2.0
/* evenkeel status: what the running service is doing. */
#include "balancer/cli/cli.h"
#include "balancer/cli/status_text.h"

#include "balancer/service/control_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_SOCKET = 0x3600, OPT_WATCH, OPT_JSON, ANSWER_MS = 10000, WATCH_SECONDS = 1 };

struct status_args {
    struct cli_common common;
    const char *socket;
    bool watch, json;
};

static const struct argp_option options[] = {
    {"socket", OPT_SOCKET, "PATH", 0, "The control socket, instead of the configuration's control.socket", 1},
    {"watch", OPT_WATCH, NULL, 0, "Redraw every second, on a terminal, until Ctrl-C", 0},
    {"json", OPT_JSON, NULL, 0, "The same as --format json", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct status_args *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case OPT_SOCKET:
        in->socket = arg;
        return 0;
    case OPT_WATCH:
        in->watch = true;
        return 0;
    case OPT_JSON:
        in->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "What the running service is doing: state and what holds it back, lease, window, migrations under "
           "way, "
           "data per shard, imbalance, last rounds."
           "\vFormats: text (default), json.\n\nExamples:\n"
           "  evenkeel status\n"
           "  evenkeel status --watch\n"
           "  evenkeel status --json | jq .state\n",
    .children = children,
};

static const char *const formats[] = {"text", "json", NULL};
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void write_text(const struct status_args *in, const bson_t *status, GString *out)
{
    const struct report_style style = {.color = cli_color(&in->common), .width = cli_width(&in->common)};
    struct page pg;
    page_init(&pg, &style, out);
    status_text(status, &pg);
}

static bool write_status(const struct status_args *in, const bson_t *answer, bool json, GString *out,
                         struct err *err)
{
    bson_iter_t it;
    bson_t status;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, answer, "status") || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return err_set(err, ERR_UNAVAILABLE,
                       "the service answered without a status; is it of another version?");
    bson_iter_document(&it, &len, &data);
    if (!bson_init_static(&status, data, len))
        return err_set(err, ERR_UNAVAILABLE, "the service's status cannot be read");
    if (json) {
        char *text = bson_as_relaxed_extended_json(&status, NULL);
        g_string_append(out, text);
        g_string_append_c(out, '\n');
        bson_free(text);
    } else {
        write_text(in, &status, out);
    }
    return true;
}

static bool show_once(const struct status_args *in, struct control_client *c, bool json, struct err *err)
{
    bson_t answer;
    g_autoptr(GString) out = g_string_new(in->watch ? "\033[H\033[2J" : NULL);
    if (!control_send(c, "{\"v\": 1, \"op\": \"status\"}", err) ||
        !control_receive(c, ANSWER_MS, &answer, err))
        return false;
    bool done = write_status(in, &answer, json, out, err) && cli_write(&in->common, out, err);
    bson_destroy(&answer);
    return done;
}

static void show(struct status_args *in, bool json, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    struct control_client *c = NULL;
    if (!cli_load_config(&in->common, &cfg, err) ||
        !control_connect(in->socket != NULL ? in->socket : cfg->control.socket, &c, err))
        return;
    if (in->watch) {
        const struct sigaction act = {.sa_handler = on_interrupt};
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
    }
    while (show_once(in, c, json, err) && in->watch && !interrupted)
        sleep(WATCH_SECONDS);
    if (interrupted)
        *err = (struct err){0};
    control_client_free(c);
}

static void run(struct status_args *in, struct err *err)
{
    if (in->json && in->common.format == NULL)
        in->common.format = g_strdup("json");
    const char *format = cli_format(&in->common, formats, err);
    if (format == NULL)
        return;
    if (in->watch && (in->common.output != NULL || isatty(STDOUT_FILENO) == 0)) {
        err_set(err, ERR_USAGE,
                "--watch redraws a terminal, and stdout is none; leave it out, or poll --json");
        return;
    }
    show(in, strcmp(format, "json") == 0, err);
}

int cmd_status(int argc, char **argv, struct err *err)
{
    struct status_args in = {.common = {.err = err}};
    if (cli_parse(&argp, argc, argv, &in, err))
        run(&in, err);
    cli_common_clear(&in.common);
    return 0;
}
