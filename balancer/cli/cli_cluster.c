// SPDX-License-Identifier: Apache-2.0
/* A live cluster as the source of metadata: which URI is meant, and reading it. */
#include "balancer/cli/cli_cluster.h"

#include "common/text.h"
#include "migrations/mongo/live_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { URI_FILE_MAX = 64 * 1024 };

/* The file's first line. Others who can read it can read the password in it. */
static char *read_uri_file(const char *path, struct err *err)
{
    struct stat info;
    char *line = NULL;
    size_t size = 0;
    FILE *in = fopen(path, "re");
    if (in == NULL || fstat(fileno(in), &info) != 0) {
        int why = errno;
        if (in != NULL)
            fclose(in);
        err_set(err, why == EACCES ? ERR_NO_PERMISSION : ERR_NO_INPUT,
                "cluster.uriFile '%s': cannot read: %s", path, g_strerror(why));
        return NULL;
    }
    bool regular = S_ISREG(info.st_mode) && info.st_size <= URI_FILE_MAX;
    ssize_t n = regular ? getline(&line, &size, in) : -1;
    fclose(in);
    char *uri = n > 0 ? g_strstrip(g_strndup(line, (gsize)n)) : NULL;
    free(line);
    if (uri == NULL || uri[0] == '\0') {
        g_free(uri);
        err_set(err, ERR_CONFIG, "cluster.uriFile '%s': its first line holds no URI", path);
        return NULL;
    }
    if ((info.st_mode & S_IROTH) != 0) {
        g_autofree char *shown = text_escaped(path);
        fprintf(stderr, "evenkeel: warning: cluster.uriFile '%s' can be read by everyone; chmod 600 it\n",
                shown);
    }
    return uri;
}

char *cli_cluster_uri(const struct cli_source *s, struct err *err)
{
    const char *env = getenv("EVENKEEL_URI");
    if (s->uri != NULL)
        return g_strdup(s->uri);
    if (env != NULL && env[0] != '\0')
        return g_strdup(env);
    if (s->cfg != NULL && config_is_set(s->cfg, "cluster.uri"))
        return g_strdup(s->cfg->cluster.uri);
    if (s->cfg != NULL && s->cfg->cluster.uri_file[0] != '\0')
        return read_uri_file(s->cfg->cluster.uri_file, err);
    err_set(
        err, ERR_USAGE,
        "no source of metadata given; use --uri URI for a cluster, --snapshot FILE, or --dump DIR for what "
        "'mongodump --db config' wrote");
    return NULL;
}

static mongoc_read_mode_t read_mode(const config *cfg)
{
    static const mongoc_read_mode_t modes[] = {
        [CONFIG_READ_PRIMARY] = MONGOC_READ_PRIMARY,
        [CONFIG_READ_PRIMARY_PREFERRED] = MONGOC_READ_PRIMARY_PREFERRED,
        [CONFIG_READ_SECONDARY] = MONGOC_READ_SECONDARY,
        [CONFIG_READ_SECONDARY_PREFERRED] = MONGOC_READ_SECONDARY_PREFERRED,
        [CONFIG_READ_NEAREST] = MONGOC_READ_NEAREST,
    };
    return cfg == NULL ? MONGOC_READ_PRIMARY : modes[cfg->cluster.read_preference];
}

bool cli_cluster_into(const struct cli_source *s, bool fcv, const struct intake *to, const char **ret_name,
                      struct err *err)
{
    const struct live_options opt = {.fcv = fcv};
    g_autoptr(mongo_conn) c = NULL;
    g_autofree char *uri = cli_cluster_uri(s, err);
    if (uri == NULL || !mongo_connect(uri, read_mode(s->cfg), &c, err) || !live_read(c, &opt, to, err))
        return false;
    *ret_name = g_intern_string(c->name);
    return true;
}
