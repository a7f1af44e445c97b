// SPDX-License-Identifier: Apache-2.0
/* gen_cluster - writes a generated cluster's metadata as a dump folder or a snapshot. */
#include "tests/support/gen_options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int usage(FILE *out)
{
    fputs("usage: gen_cluster dump DIR | snapshot FILE [NAME=VALUE ...]\n", out);
    gen_options_help(out);
    return out == stdout ? 0 : err_exit_code(ERR_USAGE);
}

int main(int argc, char **argv)
{
    struct gen_params params = gen_params_default();
    struct err err = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc < 3 || (strcmp(argv[1], "dump") != 0 && strcmp(argv[1], "snapshot") != 0))
        return usage(stderr);
    bool ok = true;
    for (int i = 3; i < argc && ok; i++)
        ok = gen_option(argv[i], &params, &err);
    if (ok && (params.shards == 0 || params.collections == 0))
        ok = err_set(&err, ERR_USAGE, "there must be a shard and a collection");
    bool dump = strcmp(argv[1], "dump") == 0;
    if (ok && dump && mkdir(argv[2], 0777) != 0 && errno != EEXIST)
        ok = err_set(&err, ERR_CANT_CREATE, "cannot make '%s': %s", argv[2], g_strerror(errno));
    if (ok)
        ok = dump ? generate_dump(&params, argv[2], &err) : generate_snapshot(&params, argv[2], &err);
    if (!ok)
        fprintf(stderr, "gen_cluster: %s\n", err.msg);
    return err_exit_code(err.cls);
}
