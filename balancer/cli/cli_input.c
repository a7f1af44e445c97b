// SPDX-License-Identifier: Apache-2.0
/* What commands read: the configuration, and the metadata source that the options name. */
#include "balancer/cli/cli.h"

#include "balancer/source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char default_config_path[] = "/etc/evenkeel/evenkeel.yaml";

static void print_faults(const GPtrArray *faults)
{
    for (guint i = 0; faults != NULL && i < faults->len; i++)
        fprintf(stderr, "%s\n", (const char *)faults->pdata[i]);
}

bool cli_load_config(const struct cli_common *c, config **ret, struct err *err)
{
    const char *path = c->config_path;
    if (path == NULL && access(default_config_path, F_OK) == 0)
        path = default_config_path;
    if (path == NULL) {
        *ret = config_default();
        return true;
    }
    g_autoptr(GPtrArray) faults = NULL;
    bool loaded = config_load(path, ret, &faults, err);
    if (!loaded || !c->quiet)
        print_faults(faults);
    return loaded;
}

static bool given(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* Whether a live cluster is named anywhere: it is a source where no option names another. */
static bool names_cluster(const struct cli_source *s)
{
    return given(s->uri) || given(getenv("EVENKEEL_URI")) ||
           (s->cfg != NULL &&
            (config_is_set(s->cfg, "cluster.uri") || config_is_set(s->cfg, "cluster.uriFile")));
}

/* Exactly one file source. The URI itself is never shown: it may hold a password. */
static bool check_source(const struct cli_source *s, struct err *err)
{
    if ((s->snapshot != NULL) + (s->dump != NULL) + (s->uri != NULL) > 1)
        return err_set(err, ERR_USAGE,
                       "more than one source of metadata given; name one of --snapshot and --dump");
    if (s->snapshot != NULL || s->dump != NULL)
        return true;
    if (names_cluster(s))
        return err_set(
            err, ERR_UNAVAILABLE,
            "this version reads metadata from files only; capture the cluster with 'mongodump --db "
            "config' or as a snapshot file, then use --dump or --snapshot");
    return err_set(err, ERR_USAGE,
                   "no source of metadata given; use --snapshot FILE, or --dump DIR for what 'mongodump --db "
                   "config' wrote");
}

bool cli_read_cluster(const struct cli_source *s, cluster **ret, const char **ret_kind, const char **ret_name,
                      struct err *err)
{
    if (!check_source(s, err))
        return false;
    g_autoptr(builder) b = builder_new();
    bool read =
        s->snapshot != NULL ? source_read_snapshot(s->snapshot, b, err) : source_read_dump(s->dump, b, err);
    if (!read || (s->sizes != NULL && !source_read_sizes(s->sizes, b, err)) || !builder_finish(b, ret, err))
        return false;
    *ret_kind = s->snapshot != NULL ? "snapshot" : "dump";
    *ret_name = s->snapshot != NULL ? s->snapshot : s->dump;
    return true;
}
