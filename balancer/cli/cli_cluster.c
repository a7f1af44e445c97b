// SPDX-License-Identifier: Apache-2.0
/* A live cluster as the source of metadata: which URI is meant, and reading it. */
#include "balancer/cli/cli_cluster.h"

#include "balancer/cluster/builder.h"
#include "balancer/setup/uri.h"
#include "common/text.h"
#include "migrations/mongo/live_source.h"

#include <stdio.h>

char *cli_cluster_uri(const struct cli_source *s, struct err *err)
{
    g_autofree char *warning = NULL;
    char *uri = setup_uri(s->cfg, s->uri, &warning, err);
    if (warning != NULL) {
        g_autofree char *shown = text_escaped(warning);
        fprintf(stderr, "evenkeel: warning: %s\n", shown);
    }
    if (uri == NULL && err->cls == ERR_USAGE)
        err_set(
            err, ERR_USAGE,
            "no source of metadata given; use --uri URI for a cluster, --snapshot FILE, or --dump DIR for "
            "what 'mongodump --db config' wrote");
    return uri;
}

bool cli_cluster_model(const mongo_conn *c, cluster **ret, struct err *err)
{
    const struct live_options opt = {.fcv = false};
    g_autoptr(builder) b = builder_new();
    const struct intake to = intake_builder(b);
    return live_read(c, &opt, &to, err) && builder_finish(b, ret, err);
}

bool cli_cluster_into(const struct cli_source *s, bool fcv, const struct intake *to, const char **ret_name,
                      struct err *err)
{
    const struct live_options opt = {.fcv = fcv};
    g_autoptr(mongo_conn) c = NULL;
    g_autofree char *uri = cli_cluster_uri(s, err);
    if (uri == NULL || !mongo_connect(uri, setup_read_mode(s->cfg), &c, err) || !live_read(c, &opt, to, err))
        return false;
    *ret_name = g_intern_string(c->name);
    return true;
}
