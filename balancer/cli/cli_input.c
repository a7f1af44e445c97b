// SPDX-License-Identifier: Apache-2.0
/* What commands read: the configuration, and the metadata source that the options name. */
#include "balancer/cli/cli.h"
#include "balancer/cli/cli_cluster.h"

#include "balancer/source/source.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_faults(const GPtrArray *faults)
{
    for (guint i = 0; faults != NULL && i < faults->len; i++)
        fprintf(stderr, "%s\n", (const char *)faults->pdata[i]);
}

bool cli_load_config(const struct cli_common *c, config **ret, struct err *err)
{
    const char *path = c->config_path;
    if (path == NULL && access(CLI_CONFIG_DEFAULT, F_OK) == 0)
        path = CLI_CONFIG_DEFAULT;
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

/* Two sources could disagree. */
static bool check_source(const struct cli_source *s, struct err *err)
{
    return (s->snapshot != NULL) + (s->dump != NULL) + (s->uri != NULL) <= 1 ||
           err_set(err, ERR_USAGE,
                   "more than one source of metadata given; name one of --snapshot, --dump and --uri");
}

bool cli_read_into(const struct cli_source *s, bool fcv, const struct intake *to, const char **ret_kind,
                   const char **ret_name, struct err *err)
{
    if (!check_source(s, err))
        return false;
    *ret_kind = s->snapshot != NULL ? "snapshot" : s->dump != NULL ? "dump" : "cluster";
    *ret_name = s->snapshot != NULL ? s->snapshot : s->dump;
    if (s->snapshot != NULL)
        return source_snapshot_into(s->snapshot, to, err);
    if (s->dump != NULL)
        return source_dump_into(s->dump, to, err);
    return cli_cluster_into(s, fcv, to, ret_name, err);
}

/* With --sizes the cluster's own sizes are not what is wanted. */
static bool no_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    (void)data;
    (void)ns;
    (void)doc;
    (void)len;
    (void)err;
    return true;
}

static void no_warning(void *data, const char *code, const char *ns, const char *message)
{
    (void)data;
    (void)code;
    (void)ns;
    (void)message;
}

bool cli_read_cluster(const struct cli_source *s, cluster **ret, const char **ret_kind, const char **ret_name,
                      struct err *err)
{
    const char *kind = NULL, *name = NULL;
    g_autoptr(builder) b = builder_new();
    struct intake to = intake_builder(b);
    if (s->sizes != NULL && s->snapshot == NULL && s->dump == NULL) {
        to.sizes = no_sizes;
        to.warn = no_warning;
    }
    if (!cli_read_wishes(s, err) || !cli_read_into(s, false, &to, &kind, &name, err) ||
        (s->sizes != NULL && !source_read_sizes(s->sizes, b, err)) ||
        (s->whatif != NULL && !changes_make(s->whatif, b, err)) || !builder_finish(b, ret, err))
        return false;
    *ret_kind = kind;
    *ret_name = name;
    return true;
}

int64_t cli_starts_at(const char *kind, const cluster *cl)
{
    return strcmp(kind, "cluster") == 0 ? g_get_real_time() / 1000 : cl->taken_at_ms;
}
