// SPDX-License-Identifier: Apache-2.0
/* The table of subcommands, and what the program says about itself. */
#include "balancer/cli/cli.h"

#include "common/nearest.h"
#include "migrations/mongo/connect.h"

#include <bson/bson.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <libsmartcols.h>
#include <locale.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static const struct cli_command commands[] = {
    {"plan", "what would move, why, how much, how long", cmd_plan},
    {"apply", "carry out a plan that was approved, or refuse it where it is stale", cmd_apply},
    {"round", "force one balancing round now", cmd_round},
    {"explain", "why a collection, a chunk or a shard moves or does not move", cmd_explain},
    {"drain", "what emptying a shard takes, and what blocks it", cmd_drain},
    {"zones", "show zone ranges, and check them for faults", cmd_zones},
    {"route", "which chunks and shards a query reaches", cmd_route},
    {"history", "what the journal says was done: migrations and rounds", cmd_history},
    {"snapshot", "capture a cluster's metadata into one file, --anonymize to share it", cmd_snapshot},
    {"run", "the service, in the foreground", cmd_run},
    {"status", "what the service is doing", cmd_status},
    {"pause", "stop starting migrations in the running service", cmd_pause},
    {"resume", "let it start them again", cmd_resume},
    {"sandbox", "serve a snapshot as a simulated cluster", cmd_sandbox},
    {"hash", "the hashed shard key value of a value", cmd_hash},
    {"config", "validate a configuration file", cmd_config},
};

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Writes to stdout whatever the options of a command might be. The result is an exit code where `err` is not
 * set. */
static int print(const GString *text, struct err *err)
{
    const struct cli_common to_stdout = {0};
    cli_write(&to_stdout, text, err);
    return 0;
}

static int print_help(struct err *err)
{
    g_autoptr(GString) out = g_string_new("Usage: evenkeel COMMAND [OPTION...]\n"
                                          "A balancer for MongoDB sharded clusters.\n\n"
                                          "Commands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        g_string_append_printf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    g_string_append(out, "\n"
                         "  -h, --help     print this text\n"
                         "  -V, --version  print the version, and those of the libraries in use\n\n"
                         "'evenkeel COMMAND --help' tells a command's options, with examples.\n");
    return print(out, err);
}

/* Of the libraries that run, not of those that the build saw. */
static int print_version(struct err *err)
{
    const char *smartcols = NULL;
    scols_get_library_version(&smartcols);
    g_autoptr(GString) out = g_string_new("evenkeel " EVENKEEL_VERSION "\n");
    g_string_append_printf(out, "libmongoc %s\n", mongo_library_version());
    g_string_append_printf(out, "libbson %s\n", bson_get_version());
    g_string_append_printf(out, "libevent %s\n", event_get_version());
    g_string_append_printf(out, "SQLite %s\n", sqlite3_libversion());
    g_string_append_printf(out, "GLib %u.%u.%u\n", glib_major_version, glib_minor_version,
                           glib_micro_version);
    g_string_append_printf(out, "libfyaml %s\n", fy_library_version());
    g_string_append_printf(out, "zlib %s\n", zlibVersion());
    g_string_append_printf(out, "libsmartcols %s\n", smartcols);
    return print(out, err);
}

static int refuse_command(const char *name, struct err *err)
{
    const char *names[G_N_ELEMENTS(commands) + 1] = {NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        names[i] = commands[i].name;
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    const char *nearest = nearest_word(name, names, G_N_ELEMENTS(commands));
    if (name[0] == '-')
        err_set(err, ERR_USAGE, "options stand behind the command: evenkeel COMMAND %s; the commands are: %s",
                name, all);
    else if (nearest != NULL)
        err_set(err, ERR_USAGE, "unknown command '%s'; did you mean '%s'? The commands are: %s", name,
                nearest, all);
    else
        err_set(err, ERR_USAGE, "unknown command '%s'; the commands are: %s", name, all);
    return 0;
}

static bool is_either(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* `evenkeel help plan` is `evenkeel plan --help`. */
static int help_for(const char *name, struct err *err)
{
    const struct cli_command *cmd = find_command(name);
    if (cmd == NULL)
        return refuse_command(name, err);
    char *argv[] = {(char *)name, (char *)"--help", NULL};
    return cmd->run(2, argv, err);
}

static int dispatch(int argc, char **argv, const struct cli_command **ret_cmd, struct err *err)
{
    if (argc < 2) {
        err_set(err, ERR_USAGE, "no command given; 'evenkeel --help' lists the commands");
        return 0;
    }
    const char *name = argv[1];
    if (is_either(name, "--version", "-V"))
        return print_version(err);
    if (strcmp(name, "help") == 0 && argc > 2)
        return help_for(argv[2], err);
    if (is_either(name, "--help", "-h") || is_either(name, "help", "-?"))
        return print_help(err);
    const struct cli_command *cmd = find_command(name);
    if (cmd == NULL)
        return refuse_command(name, err);
    *ret_cmd = cmd;
    return cmd->run(argc - 1, argv + 1, err);
}

/* A standard descriptor that was closed by the caller must not be given to a file that we open: an error
 * message would land in it. Each is opened the wrong way round, so that using it still fails. */
static void hold_standard_descriptors(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", modes[fd]) != fd)
            _exit(err_exit_code(ERR_UNAVAILABLE));
}

/* Takes user and password out of every URI that a message quotes, as far as a misplaced argument can bring
 * one there. */
static char *without_credentials(const char *msg)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *uri; (uri = strstr(msg, "://")) != NULL;) {
        const char *host = uri + 3;
        size_t len = strcspn(host, " '\"");
        const char *at = g_strrstr_len(host, (gssize)len, "@");
        g_string_append_len(out, msg, host - msg);
        if (at != NULL)
            g_string_append(out, "***");
        msg = at == NULL ? host : at;
    }
    g_string_append(out, msg);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

int cli_main(int argc, char **argv)
{
    hold_standard_descriptors();
    setlocale(LC_CTYPE, "");
    /* A closed pipe and a file size limit end in an error of the write, which is reported like any other. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    struct err err = {0};
    const struct cli_command *cmd = NULL;
    int code = dispatch(argc, argv, &cmd, &err);
    if (err.cls == ERR_NONE)
        return code;
    g_autofree char *msg = without_credentials(err.msg);
    fprintf(stderr, "evenkeel%s%s: %s\n", cmd == NULL ? "" : " ", cmd == NULL ? "" : cmd->name, msg);
    return err_exit_code(err.cls);
}
