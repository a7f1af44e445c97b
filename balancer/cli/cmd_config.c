// SPDX-License-Identifier: Apache-2.0
/* evenkeel config check [FILE]: every fault of a configuration file on stderr, one a line. */
#include "balancer/cli/cli.h"

#include "common/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct config_args {
    struct cli_common common;
    const char *verb, *file;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct config_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->common;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return ARGP_ERR_UNKNOWN;
        *(state->arg_num == 0 ? &args->verb : &args->file) = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The file that the arguments name; ERR_USAGE where they name two, ERR_NO_INPUT where there is none to be
 * found. */
static bool choose_file(const struct config_args *args, const char **ret_path, struct err *err)
{
    if (args->file != NULL && args->common.config_path != NULL)
        return err_set(err, ERR_USAGE, "both FILE and --config are given; name one file");
    if (args->file != NULL || args->common.config_path != NULL) {
        *ret_path = args->file != NULL ? args->file : args->common.config_path;
        return true;
    }
    if (access(CLI_CONFIG_DEFAULT, F_OK) != 0)
        return err_set(err, ERR_NO_INPUT, "no configuration file to check: %s is not there; name a FILE",
                       CLI_CONFIG_DEFAULT);
    *ret_path = CLI_CONFIG_DEFAULT;
    return true;
}

/* The result is the exit code where `err` is not set. */
static int check_file(const struct config_args *args, struct err *err)
{
    static const char *const formats[] = {"text", NULL};
    const char *path = NULL;
    g_autoptr(config) c = NULL;
    g_autoptr(GPtrArray) faults = NULL;
    if (cli_format(&args->common, formats, err) == NULL || !choose_file(args, &path, err))
        return 0;
    bool good = config_load(path, &c, &faults, err);
    for (guint i = 0; i < faults->len && !(good && args->common.quiet); i++)
        fprintf(stderr, "%s\n", (const char *)faults->pdata[i]);
    if (!good && faults->len > 0) {
        /* Told already, and in full: `err` would tell the first again. */
        int code = err_exit_code(err->cls);
        *err = (struct err){0};
        return code;
    }
    if (!good || args->common.quiet)
        return 0;
    g_autoptr(GString) out = g_string_new(NULL);
    text_append_escaped(out, path, -1);
    g_string_append(out, ": ok\n");
    cli_write(&args->common, out, err);
    return 0;
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp argp = {
    .parser = parse_option,
    .args_doc = "check [FILE]",
    .doc = "Check a configuration file. Every fault is a line on standard error, with its place; the exit "
           "code is "
           "then 78."
           "\vWithout FILE, the one of --config is checked, else /etc/evenkeel/evenkeel.yaml. Format: text."
           "\n\nExamples:\n"
           "  evenkeel config check\n"
           "  evenkeel config check ./evenkeel.yaml\n",
    .children = children,
};

int cmd_config(int argc, char **argv, struct err *err)
{
    struct config_args args = {.common = {.err = err}};
    int code = 0;
    if (cli_parse(&argp, argc, argv, &args, err)) {
        if (args.verb == NULL)
            err_set(err, ERR_USAGE, "what to do is not given; use 'evenkeel config check [FILE]'");
        else if (strcmp(args.verb, "check") != 0)
            err_set(err, ERR_USAGE, "'%s' is not known; use 'evenkeel config check [FILE]'", args.verb);
        else
            code = check_file(&args, err);
    }
    cli_common_clear(&args.common);
    return code;
}
