// SPDX-License-Identifier: Apache-2.0
/* The options that several commands share. */
#include "balancer/cli/cli.h"

#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_CONFIG = 0x1000, OPT_QUIET, OPT_NO_COLOR, OPT_FORMAT, OPT_USAGE };
enum { OPT_SNAPSHOT = 0x1100, OPT_DUMP, OPT_URI, OPT_SIZES, OPT_NS };

/* Prints what argp makes of the tables, and ends the program: argp's own --help is silenced with its errors.
 */
static void help_and_exit(const struct argp_state *state, unsigned flags)
{
    g_autofree char *name = g_strdup_printf("evenkeel %s", state->argv[0]);
    g_autofree char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out != NULL) {
        argp_help(state->root_argp, out, flags, name);
        fclose(out);
    }
    const struct cli_common to_stdout = {0};
    struct err err = {0};
    g_autoptr(GString) shown = g_string_new(text);
    if (!cli_write(&to_stdout, shown, &err))
        fprintf(stderr, "%s: %s\n", name, err.msg);
    exit(err_exit_code(err.cls));
}

/* Keeps the last value given. */
static error_t take(char **field, const char *arg, struct err *err, const char *option)
{
    if (arg[0] == '\0') {
        err_set(err, ERR_USAGE, "its argument is empty");
        return cli_bad_value(err, option);
    }
    g_free(*field);
    *field = g_strdup(arg);
    return 0;
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct cli_common *c = state->input;
    switch (key) {
    case OPT_CONFIG:
        return take(&c->config_path, arg, c->err, "--config");
    case 'v':
        c->verbose++;
        return 0;
    case OPT_QUIET:
        c->quiet = true;
        return 0;
    case OPT_NO_COLOR:
        c->no_color = true;
        return 0;
    case OPT_FORMAT:
        return take(&c->format, arg, c->err, "--format");
    case 'o':
        return take(&c->output, arg, c->err, "--output");
    case 'h':
    case '?':
        help_and_exit(state, ARGP_HELP_STD_HELP);
        return 0;
    case OPT_USAGE:
        help_and_exit(state, ARGP_HELP_USAGE);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option common_options[] = {
    {"format", OPT_FORMAT, "FORMAT", 0, "How the result is written", 0},
    {"output", 'o', "FILE", 0, "Write the result to FILE, which is replaced only by a complete one", 0},
    {"config", OPT_CONFIG, "FILE", 0,
     "Read this configuration (default: /etc/evenkeel/evenkeel.yaml when it exists)", 0},
    {"verbose", 'v', NULL, 0, "Tell more on standard error; may be repeated", 0},
    {"quiet", OPT_QUIET, NULL, 0, "Print the essential only", 0},
    {"no-color", OPT_NO_COLOR, NULL, 0, "No colours, on a terminal either", 0},
    {"help", 'h', NULL, 0, "Print this text", -1},
    {"usage", OPT_USAGE, NULL, 0, "Print a short usage message", -1},
    {NULL, '?', NULL, OPTION_HIDDEN, NULL, -1},
    {0},
};

const struct argp cli_common_argp = {.options = common_options, .parser = parse_common};

/* A source may be named once: of two, one would be passed over without a word. */
static error_t take_source(char **field, const char *arg, struct err *err, const char *option)
{
    if (*field != NULL) {
        err_set(err, ERR_USAGE, "it is given twice; name one source");
        return cli_bad_value(err, option);
    }
    return take(field, arg, err, option);
}

static error_t parse_source(int key, char *arg, struct argp_state *state)
{
    struct cli_source *s = state->input;
    switch (key) {
    case OPT_SNAPSHOT:
        return take_source(&s->snapshot, arg, s->err, "--snapshot");
    case OPT_DUMP:
        return take_source(&s->dump, arg, s->err, "--dump");
    case OPT_URI:
        return take_source(&s->uri, arg, s->err, "--uri");
    case OPT_SIZES:
        return take_source(&s->sizes, arg, s->err, "--sizes");
    case OPT_NS:
        if (s->namespaces == NULL)
            s->namespaces = globs_new();
        return globs_add(s->namespaces, arg, s->err) ? 0 : cli_bad_value(s->err, "--ns");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option source_options[] = {
    {"snapshot", OPT_SNAPSHOT, "FILE", 0,
     "A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '-' reads standard input", 0},
    {"dump", OPT_DUMP, "DIR", 0, "The folder that 'mongodump --db config' wrote", 0},
    {"uri", OPT_URI, "URI", 0,
     "A live cluster, by one of its mongos (default: EVENKEEL_URI, or the configuration's cluster.uri)", 0},
    {"sizes", OPT_SIZES, "FILE", 0,
     "Data sizes, {\"db.coll\": {\"shard\": bytes}}, where the source has none", 0},
    {"ns", OPT_NS, "GLOB", 0, "Only these collections; '!GLOB' leaves some out; may be repeated", 0},
    {0},
};

const struct argp cli_source_argp = {.options = source_options, .parser = parse_source};

void cli_common_clear(struct cli_common *c)
{
    g_free(c->config_path);
    g_free(c->format);
    g_free(c->output);
    *c = (struct cli_common){0};
}

void cli_source_clear(struct cli_source *s)
{
    g_free(s->snapshot);
    g_free(s->dump);
    g_free(s->uri);
    g_free(s->sizes);
    globs_free(s->namespaces);
    changes_free(s->whatif);
    *s = (struct cli_source){0};
}

const char *cli_format(const struct cli_common *c, const char *const *known, struct err *err)
{
    if (c->format == NULL)
        return known[0];
    for (const char *const *k = known; *k != NULL; k++)
        if (strcmp(*k, c->format) == 0)
            return *k;
    g_autofree char *all = g_strjoinv(", ", (char **)known);
    err_set(err, ERR_USAGE, "--format: unknown format '%s'; this command writes: %s", c->format, all);
    return NULL;
}
