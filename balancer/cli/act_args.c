// SPDX-License-Identifier: Apache-2.0
/* The options of the commands that act. */
#include "balancer/cli/cli_act.h"

#include "common/text.h"

#include <unistd.h>

enum {
    OPT_URI = 0x4000,
    OPT_NS,
    OPT_JOURNAL,
    OPT_YES,
    OPT_DRY_RUN,
    OPT_MAX_MOVES,
    OPT_MAX_BYTES,
    OPT_MAX_TIME,
    OPT_ALL
};

static const struct argp_option options[] = {
    {"uri", OPT_URI, "URI", 0,
     "The cluster, by one of its mongos (default: EVENKEEL_URI, or the configuration's cluster.uri)", 1},
    {"journal", OPT_JOURNAL, "FILE", 0, "Journal here (default: the configuration's journal.path)", 0},
    {"yes", OPT_YES, NULL, 0, "Do not ask; needed off a terminal", 0},
    {"dry-run", OPT_DRY_RUN, NULL, 0, "Say what would be done, and do nothing", 0},
    {"max-moves", OPT_MAX_MOVES, "N", 0, "Carry out no more than N migrations", 2},
    {"max-bytes", OPT_MAX_BYTES, "SIZE", 0, "Move no more data than this, like 500GiB", 0},
    {"max-time", OPT_MAX_TIME, "DURATION", 0, "Start no migration later than this, like 6h", 0},
    {"ns", OPT_NS, "GLOB", 0, "Plan only these collections; '!GLOB' leaves some out; may be repeated", 0},
    {"all", OPT_ALL, NULL, 0, "Fold no long list", 3},
    {0},
};

static error_t take(char **field, const char *arg, struct err *err, const char *option)
{
    if (arg[0] == '\0' || *field != NULL) {
        err_set(err, ERR_USAGE, arg[0] == '\0' ? "its argument is empty" : "it is given twice");
        return cli_bad_value(err, option);
    }
    *field = g_strdup(arg);
    return 0;
}

static error_t check(bool sound, struct err *err, const char *option)
{
    return sound ? 0 : cli_bad_value(err, option);
}

static error_t parse_valued(int key, const char *arg, struct act_args *in)
{
    struct err *err = in->common.err;
    switch (key) {
    case OPT_URI:
        return take(&in->source.uri, arg, err, "--uri");
    case OPT_JOURNAL:
        return take(&in->journal, arg, err, "--journal");
    case OPT_NS:
        if (in->source.namespaces == NULL)
            in->source.namespaces = globs_new();
        return check(globs_add(in->source.namespaces, arg, err), err, "--ns");
    case OPT_MAX_MOVES:
        return check(text_parse_int(arg, 1, UINT32_MAX, &in->max_moves, err), err, "--max-moves");
    case OPT_MAX_BYTES:
        return check(cli_parse_max_bytes(arg, &in->max_bytes, err), err, "--max-bytes");
    case OPT_MAX_TIME:
        return check(cli_parse_max_time(arg, &in->max_ms, err), err, "--max-time");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct act_args *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case OPT_YES:
        in->yes = true;
        return 0;
    case OPT_DRY_RUN:
        in->dry_run = true;
        return 0;
    case OPT_ALL:
        in->all = true;
        return 0;
    default:
        return parse_valued(key, arg, in);
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
const struct argp act_argp = {.options = options, .parser = parse, .children = children};

void act_args_clear(struct act_args *args)
{
    cli_common_clear(&args->common);
    cli_source_clear(&args->source);
    g_clear_pointer(&args->journal, g_free);
}

bool act_may_act(const struct act_args *args, struct err *err)
{
    return args->yes || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) ||
           err_set(err, ERR_USAGE,
                   "nobody can be asked off a terminal; give --yes to carry it out, or --dry-run to look");
}
