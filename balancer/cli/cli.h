// SPDX-License-Identifier: Apache-2.0
/* cli.h - the command line: one table of subcommands, the options that several share, and where output goes.
 * Owns: argument parsing (argp), reading the metadata source that the options name, exit codes, colour, -o.
 * Never: holds logic that another subcommand could need: that lives in a library below.
 */
#pragma once

#include "balancer/cluster/changes.h"
#include "balancer/cluster/cluster.h"
#include "balancer/policy/policy.h"
#include "common/config/config.h"
#include "common/err.h"
#include "common/globs.h"

#include <argp.h>
#include <glib.h>
#include <stdbool.h>

/* Runs the program: argv[0] and all. Returns the exit code. */
int cli_main(int argc, char **argv);

/* One subcommand. `run` gets its own argv (argv[0] is the subcommand's name), writes results to stdout or -o
 * and sets `err` on failure; its result is the exit code where `err` is not set. */
struct cli_command {
    const char *name;
    const char *help; /* one line */
    int (*run)(int argc, char **argv, struct err *err);
};

int cmd_plan(int argc, char **argv, struct err *err);
int cmd_explain(int argc, char **argv, struct err *err);
int cmd_drain(int argc, char **argv, struct err *err);
int cmd_zones(int argc, char **argv, struct err *err);
int cmd_route(int argc, char **argv, struct err *err);
int cmd_snapshot(int argc, char **argv, struct err *err);
int cmd_run(int argc, char **argv, struct err *err);
int cmd_status(int argc, char **argv, struct err *err);
int cmd_pause(int argc, char **argv, struct err *err);
int cmd_resume(int argc, char **argv, struct err *err);
int cmd_sandbox(int argc, char **argv, struct err *err);
int cmd_apply(int argc, char **argv, struct err *err);
int cmd_round(int argc, char **argv, struct err *err);
int cmd_history(int argc, char **argv, struct err *err);
int cmd_hash(int argc, char **argv, struct err *err);
int cmd_config(int argc, char **argv, struct err *err);

/* Read where --config names none and it exists. */
#define CLI_CONFIG_DEFAULT "/etc/evenkeel/evenkeel.yaml"

/* Options that all commands share; a command's argp lists cli_common_argp as a child, whose input is this
 * struct. */
struct cli_common {
    char *config_path; /* --config; NULL: the default path where it exists */
    int verbose;
    bool quiet;
    bool no_color;
    char *format;    /* --format; NULL: the command's default */
    char *output;    /* -o; NULL: stdout */
    struct err *err; /* what a bad argument value sets */
};
extern const struct argp cli_common_argp;

/* Options of the commands that read metadata. */
struct cli_source {
    char *snapshot, *dump, *uri, *sizes;
    globs *namespaces;   /* --ns; NULL: not given */
    change_list *whatif; /* --drain, ...: wished changes; NULL: none */
    const config
        *cfg; /* its cluster.uri is a source where no option names one; borrowed; NULL: not looked at */
    struct err *err; /* what a bad argument value sets */
};
extern const struct argp cli_source_argp;
/* The what-if options, whose input is a struct cli_source as well. */
extern const struct argp cli_whatif_argp;

void cli_common_clear(struct cli_common *c);
void cli_source_clear(struct cli_source *s);

/* Parses, options and positional arguments in the order in which they stand; a parser takes the latter as
 * ARGP_KEY_ARG. On a bad argument `err` (ERR_USAGE) is set and false returned. --help and --usage print and
 * exit. A parser reports a fault through cli_bad_value() only: argp_error() and argp_usage() print nothing
 * here. */
bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, struct err *err);

/* Puts the option's name ("--rounds") before the fault that `err` tells, and makes argp stop. For use in
 * option parsers: return cli_bad_value(in->err, "--rounds"). */
error_t cli_bad_value(struct err *err, const char *option);

/* Values that several commands take. Limits of nothing are refused; *ret_policy is NULL for "auto". */
bool cli_parse_policy(const char *name, const struct policy **ret_policy, struct err *err);
bool cli_parse_max_bytes(const char *arg, int64_t *ret, struct err *err);
bool cli_parse_max_time(const char *arg, int64_t *ret_ms, struct err *err);

/* The configuration: --config, or the default file where it exists, or the defaults. Faults are printed to
 * stderr. */
bool cli_load_config(const struct cli_common *c, config **ret, struct err *err);

/* Reads what --zones names into s->whatif; once. */
bool cli_read_wishes(const struct cli_source *s, struct err *err);

/* Reads the source that the options name, at most one of snapshot, dump and URI, into a model, with the
 * wished changes made to it; where none is named, the cluster of EVENKEEL_URI or of the configuration.
 * `*ret_kind` ("snapshot", "dump", "cluster") is static; `*ret_name` is borrowed from `s`, or is the URI
 * without credentials, interned. */
bool cli_read_cluster(const struct cli_source *s, cluster **ret, const char **ret_kind, const char **ret_name,
                      struct err *err);

/* When work planned on it begins, for the calendar of a report for people: now where it is live, else when it
 * was taken, so that it always gives the same report. Unix milliseconds; 0: not known. */
int64_t cli_starts_at(const char *kind, const cluster *cl);

/* Writes text to stdout, or to c->output ("-": stdout) through a temporary file that is renamed; a device or
 * a pipe is written in place. ERR_CANT_CREATE on failure, a closed pipe included. */
bool cli_write(const struct cli_common *c, const GString *text, struct err *err);

/* Whether colour is wanted: a terminal on stdout, no -o, no --no-color, no NO_COLOR. */
bool cli_color(const struct cli_common *c);
/* Columns of the terminal on stdout where the text goes there, else COLUMNS, else 80; at least 40. */
unsigned cli_width(const struct cli_common *c);

/* Checks --format against the formats a command knows (NULL-terminated; the first is the default). */
const char *cli_format(const struct cli_common *c, const char *const *known, struct err *err);
