// SPDX-License-Identifier: Apache-2.0
/* evenkeel sandbox: serves a snapshot or a dump as a simulated cluster, over the wire protocol, on loopback.
 */
#include "balancer/cli/cli.h"

#include "common/text.h"
#include "sandbox/load.h"
#include "sandbox/server.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_SNAPSHOT = 0x3000,
    OPT_DUMP,
    OPT_PORT,
    OPT_BIND,
    OPT_VERSION,
    OPT_BANDWIDTH,
    OPT_LATENCY,
    OPT_SPREAD,
    OPT_SEED,
    OPT_SPEED,
    OPT_ORPHAN_DELAY,
    OPT_GROWTH,
    OPT_TLS,
    OPT_USER,
    OPT_PASSWORD_FILE,
    OPT_LOG,
    OPT_FAULTS
};

enum { DEFAULT_PORT = 27017, PASSWORD_MAX = 1024 };

struct sandbox_args {
    struct cli_common common;
    struct server_options server;
    char *snapshot, *dump, *bind, *tls, *user, *password_file, *log;
    const char *version;
    int64_t growth;
};

static const struct argp_option options[] = {
    {"snapshot", OPT_SNAPSHOT, "FILE", 0, "Serve this snapshot (JSON or BSON, plain or gzip)", 1},
    {"dump", OPT_DUMP, "DIR", 0, "Serve the config database that mongodump wrote to DIR", 0},
    {"port", OPT_PORT, "N", 0, "Listen on this port (default 27017; 0: any free one)", 2},
    {"bind", OPT_BIND, "ADDRESS", 0, "Listen on this loopback address (default 127.0.0.1)", 0},
    {"server-version", OPT_VERSION, "X.Y.Z", 0, "Behave as this version of MongoDB (default: the metadata's)",
     0},
    {"tls-certificate-key-file", OPT_TLS, "FILE", 0,
     "Require TLS, with the certificate and key of this PEM file", 0},
    {"user", OPT_USER, "NAME", 0, "Require SCRAM-SHA-256 log-in as this user of the database admin", 0},
    {"password-file", OPT_PASSWORD_FILE, "FILE", 0, "Its password: the first line of FILE", 0},
    {"bandwidth", OPT_BANDWIDTH, "SIZE", 0, "A migration copies so much in a second (default: no copy time)",
     3},
    {"latency", OPT_LATENCY, "DURATION", 0, "The fixed time of a migration (default 100ms)", 0},
    {"spread", OPT_SPREAD, "FRACTION", 0, "Spread both at random by up to this fraction, 0 to 1 (default 0)",
     0},
    {"seed", OPT_SEED, "N", 0, "Draw chance from N (default 1)", 0},
    {"orphan-delay", OPT_ORPHAN_DELAY, "DURATION", 0, "Donors keep moved ranges for so long (default 15m)",
     0},
    {"growth", OPT_GROWTH, "SIZE", 0, "New data over the whole cluster in a second (default 0)", 0},
    {"speed", OPT_SPEED, "N", 0, "Let N simulated seconds pass in a real one (default 1)", 0},
    {"allow-faults", OPT_FAULTS, NULL, 0,
     "Accept the command evenkeelSandboxFault: lost replies, step-downs, and so on", 0},
    {"log", OPT_LOG, "FILE", 0, "Append a line for each command to FILE", 4},
    {0},
};

static error_t check(bool sound, struct sandbox_args *in, const char *option)
{
    return sound ? 0 : cli_bad_value(in->common.err, option);
}

static error_t take(char **field, const char *arg, struct sandbox_args *in, const char *option)
{
    if (arg[0] == '\0') {
        err_set(in->common.err, ERR_USAGE, "its argument is empty");
        return cli_bad_value(in->common.err, option);
    }
    g_free(*field);
    *field = g_strdup(arg);
    return 0;
}

/* A plain decimal number, with or without a fraction. */
static bool parse_number(const char *arg, double min, double max, double *ret, struct err *err)
{
    char *end;
    double v = g_ascii_strtod(arg, &end);
    if (end == arg || *end != '\0' || !isfinite(v) || v < min || v > max)
        return err_set(err, ERR_USAGE, "'%s' is not a number from %g to %g", arg, min, max);
    *ret = v;
    return true;
}

static bool parse_int(const char *arg, int64_t max, int *ret, struct err *err)
{
    int64_t v;
    if (!text_parse_int(arg, 0, max, &v, err))
        return false;
    *ret = (int)v;
    return true;
}

/* "7.0.14", "7.0", "8.0.0-rc1". */
static bool parse_version(const char *text, struct sb_options *ret, struct err *err)
{
    int v[3] = {0};
    int n = 0;
    const char *p = text;
    while (n < 3 && g_ascii_isdigit(*p)) {
        char *end;
        v[n++] = (int)MIN(g_ascii_strtoull(p, &end, 10), 9999);
        p = *end == '.' ? end + 1 : end;
        if (*end != '.')
            break;
    }
    if (n < 2 || p[-1] == '.' || (*p != '\0' && *p != '-'))
        return err_set(err, ERR_USAGE, "'%s' is not a version like 7.0.14", text);
    if (v[0] < 4 || (v[0] == 4 && v[1] < 2) || v[0] > 8)
        return err_set(err, ERR_USAGE,
                       "the sandbox behaves as versions 4.2 to 8.x, not as %s; choose one with "
                       "--server-version",
                       text);
    ret->version_major = v[0];
    ret->version_minor = v[1];
    ret->version_patch = v[2];
    return true;
}

static error_t parse_simulation(int key, const char *arg, struct sandbox_args *in)
{
    struct err *err = in->common.err;
    struct sb_options *opt = &in->server.cluster;
    int64_t seed;
    switch (key) {
    case OPT_BANDWIDTH:
        return check(text_parse_bytes(arg, &opt->bandwidth, err), in, "--bandwidth");
    case OPT_LATENCY:
        return check(text_parse_duration(arg, &opt->latency_ms, err), in, "--latency");
    case OPT_SPREAD:
        return check(parse_number(arg, 0, 1, &opt->spread, err), in, "--spread");
    case OPT_SEED:
        if (!text_parse_int(arg, 0, UINT32_MAX, &seed, err))
            return cli_bad_value(err, "--seed");
        opt->seed = (uint32_t)seed;
        return 0;
    case OPT_ORPHAN_DELAY:
        return check(text_parse_duration(arg, &opt->orphan_delay_ms, err), in, "--orphan-delay");
    case OPT_GROWTH:
        return check(text_parse_bytes(arg, &in->growth, err), in, "--growth");
    case OPT_SPEED:
        return check(parse_number(arg, 0.001, 1e6, &in->server.speed, err), in, "--speed");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct sandbox_args *in = state->input;
    struct err *err = in->common.err;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case OPT_SNAPSHOT:
        return take(&in->snapshot, arg, in, "--snapshot");
    case OPT_DUMP:
        return take(&in->dump, arg, in, "--dump");
    case OPT_PORT:
        return check(parse_int(arg, 65535, &in->server.port, err), in, "--port");
    case OPT_BIND:
        return take(&in->bind, arg, in, "--bind");
    case OPT_VERSION:
        in->version = arg;
        return check(parse_version(arg, &in->server.cluster, err), in, "--server-version");
    case OPT_TLS:
        return take(&in->tls, arg, in, "--tls-certificate-key-file");
    case OPT_USER:
        return take(&in->user, arg, in, "--user");
    case OPT_PASSWORD_FILE:
        return take(&in->password_file, arg, in, "--password-file");
    case OPT_FAULTS:
        in->server.cluster.allow_faults = true;
        return 0;
    case OPT_LOG:
        return take(&in->log, arg, in, "--log");
    default:
        return parse_simulation(key, arg, in);
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Serves a snapshot as a simulated sharded cluster over the real wire protocol, on loopback: "
           "drivers, mongosh and "
           "evenkeel itself take it for a mongos. Changes live in memory and end with the process."
           "\vIt prints 'listening on ADDRESS:PORT' when it is ready, and runs until SIGINT or SIGTERM."
           "\n\nExamples:\n"
           "  evenkeel sandbox --snapshot cluster.json\n"
           "  evenkeel sandbox --dump dump/config --port 0 --bandwidth 20MiB --speed 60\n"
           "  evenkeel sandbox --snapshot cluster.json --server-version 7.0.14 --log commands.log\n",
    .children = children,
};

static bool read_metadata(const struct sandbox_args *in, metadata **ret, struct err *err)
{
    if ((in->snapshot == NULL) == (in->dump == NULL))
        return err_set(err, ERR_USAGE, "give one of --snapshot FILE and --dump DIR");
    return in->snapshot != NULL ? metadata_read_snapshot(in->snapshot, ret, err)
                                : metadata_read_dump(in->dump, ret, err);
}

/* The first line of the file. */
static bool read_password(const char *path, char **ret, struct err *err)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error))
        return err_set(err, ERR_NO_INPUT, "cannot read the password: %s", error->message);
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] == '\0' || strlen(text) > PASSWORD_MAX)
        return err_set(err, ERR_DATA, "%s: its first line must be a password of 1 to %d bytes", path,
                       PASSWORD_MAX);
    *ret = g_steal_pointer(&text);
    return true;
}

/* Where tools look for the version that the cluster's features are limited to. */
static bool add_feature_version(host *h, const metadata *m, struct err *err)
{
    struct fault f = {0};
    const char *known = metadata_feature_version(m);
    g_autofree char *version =
        known != NULL ? g_strdup(known)
                      : g_strdup_printf("%d.%d", h->options.version_major, h->options.version_minor);
    bson_t *doc = BCON_NEW("_id", "featureCompatibilityVersion", "version", version);
    bool fine = store_insert(h->store, "admin.system.version", doc, &f) ||
                err_set(err, ERR_FAILED, "cannot keep the feature compatibility version: %s", f.message);
    fault_clear(&f);
    bson_destroy(doc);
    return fine;
}

static bool serve(struct sandbox_args *in, struct err *err)
{
    g_autoptr(metadata) m = NULL;
    g_autoptr(server) s = NULL;
    g_autofree char *password = NULL;
    if (!read_metadata(in, &m, err) ||
        (in->password_file != NULL && !read_password(in->password_file, &password, err)))
        return false;
    if (in->version == NULL && !parse_version(metadata_version(m), &in->server.cluster, err))
        return false;
    in->server.bind = in->bind;
    in->server.certificate_key_file = in->tls;
    in->server.user = in->user;
    in->server.password = password;
    in->server.log = in->log;
    in->server.cluster.growth = (double)in->growth;
    if (!server_new(&in->server, &s, err) || !metadata_feed(m, server_host(s)->cluster, err) ||
        !add_feature_version(server_host(s), m, err))
        return false;
    g_clear_pointer(&m, metadata_free);
    printf("listening on %s\n", server_address(s));
    if (fflush(stdout) != 0)
        return err_set(err, ERR_CANT_CREATE, "cannot write to standard output: %s", g_strerror(errno));
    return server_run(s, err);
}

int cmd_sandbox(int argc, char **argv, struct err *err)
{
    struct sandbox_args in = {.common.err = err, .server.port = DEFAULT_PORT, .server.speed = 1};
    in.server.cluster.seed = 1;
    in.server.cluster.latency_ms = 100;
    in.server.cluster.orphan_delay_ms = -1;
    if (cli_parse(&argp, argc, argv, &in, err)) {
        if ((in.user == NULL) != (in.password_file == NULL))
            err_set(err, ERR_USAGE, "--user and --password-file go together");
        else if (in.common.format != NULL || in.common.output != NULL)
            err_set(err, ERR_USAGE,
                    "the sandbox serves and writes no result; leave out --format and --output");
        else
            serve(&in, err);
    }
    g_free(in.snapshot);
    g_free(in.dump);
    g_free(in.bind);
    g_free(in.tls);
    g_free(in.user);
    g_free(in.password_file);
    g_free(in.log);
    cli_common_clear(&in.common);
    return 0;
}
