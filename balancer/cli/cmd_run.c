// SPDX-License-Identifier: Apache-2.0
/* evenkeel run: the service, in the foreground. */
#include "balancer/cli/cli.h"

#include "balancer/service/service.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPT_URI = 0x3400, OPT_JOURNAL };

struct run_args {
    struct cli_common common;
    char *uri, *journal;
};

static const struct argp_option options[] = {
    {"uri", OPT_URI, "URI", 0, "The mongos, instead of EVENKEEL_URI or the configuration's", 1},
    {"journal", OPT_JOURNAL, "FILE", 0, "The journal, instead of the configuration's journal.path", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_args *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case OPT_URI:
        in->uri = arg;
        return 0;
    case OPT_JOURNAL:
        in->journal = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Run as a service, in the foreground: plans and carries out rounds inside its windows, and can be "
           "asked over the control socket and HTTP."
           "\vSIGTERM and SIGINT: no new migrations, those under way get a minute to end; once more: leave "
           "at once. "
           "SIGHUP: read the configuration again. SIGUSR1: a round now. A password in --uri can be seen by "
           "other users of "
           "the machine: EVENKEEL_URI, cluster.uriFile and a systemd credential `uri` cannot."
           "\n\nExamples:\n"
           "  evenkeel run --config /etc/evenkeel/evenkeel.yaml\n"
           "  EVENKEEL_URI=mongodb://localhost:27017 evenkeel run --journal ./journal.db\n",
    .children = children,
};

static void run(const struct run_args *in, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    const char *path = in->common.config_path;
    if (in->common.output != NULL || in->common.format != NULL) {
        err_set(err, ERR_USAGE, "%s has no meaning here; log.format says how the log looks",
                in->common.output != NULL ? "--output" : "--format");
        return;
    }
    /* Told with its faults here, before there is a log. */
    if (!cli_load_config(&in->common, &cfg, err))
        return;
    if (path == NULL && access(CLI_CONFIG_DEFAULT, R_OK) == 0)
        path = CLI_CONFIG_DEFAULT;
    int level = SERVICE_LEVEL_CONFIGURED;
    if (in->common.verbose > 0)
        level = LOG_LEVEL_DEBUG;
    else if (in->common.quiet)
        level = LOG_LEVEL_WARNING;
    const struct service_options opt = {
        .config_path = path, .uri = in->uri, .journal = in->journal, .level = level};
    bool left = false;
    if (service_run(&opt, &left, err) && left) {
        fflush(NULL);
        _exit(0);
    }
}

int cmd_run(int argc, char **argv, struct err *err)
{
    struct run_args in = {.common = {.err = err}};
    if (cli_parse(&argp, argc, argv, &in, err))
        run(&in, err);
    cli_common_clear(&in.common);
    return 0;
}
