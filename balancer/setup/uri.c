// SPDX-License-Identifier: Apache-2.0
#include "balancer/setup/uri.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { URI_FILE_MAX = 64 * 1024 };

/* The file's first line without the space around it, NULL where it cannot be read; its mode. */
static char *first_line(const char *what, const char *path, mode_t *ret_mode, struct err *err)
{
    struct stat info;
    char *line = NULL;
    size_t size = 0;
    FILE *in = fopen(path, "re");
    if (in == NULL || fstat(fileno(in), &info) != 0) {
        int why = errno;
        if (in != NULL)
            fclose(in);
        err_set(err, why == EACCES ? ERR_NO_PERMISSION : ERR_NO_INPUT, "%s '%s': cannot read: %s", what, path,
                g_strerror(why));
        return NULL;
    }
    bool regular = S_ISREG(info.st_mode) && info.st_size <= URI_FILE_MAX;
    ssize_t n = regular ? getline(&line, &size, in) : -1;
    fclose(in);
    char *text = g_strstrip(g_strndup(n > 0 ? line : "", (gsize)MAX(n, 0)));
    free(line);
    *ret_mode = info.st_mode;
    return text;
}

/* Others who can read the file can read the password in it. */
static char *read_uri_file(const char *path, char **ret_warning, struct err *err)
{
    mode_t mode;
    char *uri = first_line("cluster.uriFile", path, &mode, err);
    if (uri == NULL)
        return NULL;
    if (uri[0] == '\0') {
        g_free(uri);
        err_set(err, ERR_CONFIG, "cluster.uriFile '%s': its first line holds no URI", path);
        return NULL;
    }
    if ((mode & S_IROTH) != 0 && ret_warning != NULL)
        *ret_warning = g_strdup_printf("cluster.uriFile '%s' can be read by everyone; chmod 600 it", path);
    return uri;
}

/* What LoadCredential=uri:PATH of a unit has put there. *ret is NULL where there is none, or an empty one: a
 * unit whose PATH does not exist passes the empty line of its SetCredential=. */
static bool read_credential(char **ret, struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    mode_t mode;
    *ret = NULL;
    if (folder == NULL || folder[0] == '\0')
        return true;
    g_autofree char *path = g_build_filename(folder, "uri", NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return true;
    char *uri = first_line("credential", path, &mode, err);
    if (uri == NULL)
        return false;
    if (uri[0] == '\0')
        g_clear_pointer(&uri, g_free);
    *ret = uri;
    return true;
}

char *setup_uri(const config *cfg, const char *given, char **ret_warning, struct err *err)
{
    const char *env = getenv("EVENKEEL_URI");
    if (ret_warning != NULL)
        *ret_warning = NULL;
    if (given != NULL)
        return g_strdup(given);
    if (env != NULL && env[0] != '\0')
        return g_strdup(env);
    char *credential;
    if (!read_credential(&credential, err) || credential != NULL)
        return credential;
    if (cfg != NULL && config_is_set(cfg, "cluster.uri"))
        return g_strdup(cfg->cluster.uri);
    if (cfg != NULL && cfg->cluster.uri_file[0] != '\0')
        return read_uri_file(cfg->cluster.uri_file, ret_warning, err);
    err_set(err, ERR_USAGE,
            "no cluster named; give --uri, EVENKEEL_URI, or cluster.uri or cluster.uriFile in the "
            "configuration");
    return NULL;
}

mongoc_read_mode_t setup_read_mode(const config *cfg)
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
