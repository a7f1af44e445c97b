// SPDX-License-Identifier: Apache-2.0
/* evenkeel pause, evenkeel resume: asked of the running service. */
#include "balancer/cli/cli.h"

#include "balancer/service/control_client.h"
#include "common/json_writer.h"

#include <stdio.h>
#include <string.h>

enum { OPT_REASON = 0x3500, OPT_SOCKET, ANSWER_MS = 10000 };

struct pause_args {
    struct cli_common common;
    const char *reason, *socket;
};

static const struct argp_option options[] = {
    {"reason", OPT_REASON, "TEXT", 0, "Why, for the journal and for whoever looks at the status", 1},
    {"socket", OPT_SOCKET, "PATH", 0, "The control socket, instead of the configuration's control.socket", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct pause_args *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case OPT_REASON:
        in->reason = arg;
        return 0;
    case OPT_SOCKET:
        in->socket = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp pause_argp = {
    .options = options,
    .parser = parse,
    .doc = "Stop starting migrations in the running service; those under way end. It survives a restart."
           "\vExamples:\n"
           "  evenkeel pause --reason 'index build on shop.orders until noon'\n",
    .children = children,
};
static const struct argp resume_argp = {
    .options = options,
    .parser = parse,
    .doc = "Let the running service start migrations again.\vExamples:\n  evenkeel resume\n",
    .children = children,
};

static char *request(const char *op, const char *reason)
{
    struct json_writer w;
    g_autoptr(GString) out = g_string_new(NULL);
    json_init(&w, out);
    json_object(&w, true);
    json_put_int(&w, "v", 1);
    json_put_string(&w, "op", op);
    if (reason != NULL)
        json_put_string(&w, "reason", reason);
    json_end(&w);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static void ask(const struct pause_args *in, const char *op, const char *done, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    struct control_client *c = NULL;
    bson_t answer;
    if (!cli_load_config(&in->common, &cfg, err) ||
        !control_connect(in->socket != NULL ? in->socket : cfg->control.socket, &c, err))
        return;
    g_autofree char *json = request(op, in->reason);
    if (control_send(c, json, err) && control_receive(c, ANSWER_MS, &answer, err)) {
        bson_destroy(&answer);
        if (!in->common.quiet)
            puts(done);
    }
    control_client_free(c);
}

static int run(const struct argp *argp, int argc, char **argv, const char *op, const char *done,
               struct err *err)
{
    struct pause_args in = {.common = {.err = err}};
    if (cli_parse(argp, argc, argv, &in, err))
        ask(&in, op, done, err);
    cli_common_clear(&in.common);
    return 0;
}

int cmd_pause(int argc, char **argv, struct err *err)
{
    return run(&pause_argp, argc, argv, "pause",
               "paused: no new migration starts until 'evenkeel resume'; those under way end", err);
}

int cmd_resume(int argc, char **argv, struct err *err)
{
    return run(&resume_argp, argc, argv, "resume", "resumed", err);
}
