// SPDX-License-Identifier: Apache-2.0
/* Loading as a whole: the file, its text, the tree, the struct, and what is told when it fails. */
#include "common/config/config.h"

#include "common/config/read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

config *config_default(void)
{
    config *c = g_new0(config, 1);
    read_defaults(c);
    return c;
}

void config_free(config *c)
{
    if (c == NULL)
        return;
    read_clear(c);
    g_clear_pointer(&c->given, g_hash_table_unref);
    g_free(c);
}

bool config_is_set(const config *c, const char *dotted_key)
{
    return c->given != NULL && g_hash_table_contains(c->given, dotted_key);
}

const struct config_shard *config_shard_find(const config *c, const char *id)
{
    for (guint i = 0; i < c->balancer.shards->len; i++) {
        const struct config_shard *shard = &g_array_index(c->balancer.shards, struct config_shard, i);
        if (strcmp(shard->id, id) == 0)
            return shard;
    }
    return NULL;
}

const struct config_collection *config_collection_find(const config *c, const char *ns)
{
    for (guint i = 0; i < c->balancer.collections->len; i++) {
        const struct config_collection *coll =
            &g_array_index(c->balancer.collections, struct config_collection, i);
        if (strcmp(coll->ns, ns) == 0)
            return coll;
    }
    return NULL;
}

/* Whether a URI holds a password: "scheme://user:password@host". */
static bool has_password(const char *uri)
{
    const char *start = strstr(uri, "://");
    if (start == NULL)
        return false;
    start += 3;
    g_autofree char *authority = g_strndup(start, strcspn(start, "/?"));
    char *at = strrchr(authority, '@');
    if (at == NULL)
        return false;
    *at = '\0';
    const char *colon = strchr(authority, ':');
    return colon != NULL && colon[1] != '\0';
}

/* Fills `err` from the faults: their number, and the first. */
static bool fail(struct err *err, const char *name, unsigned count, const GPtrArray *lines)
{
    const char *first = NULL;
    for (guint i = 0; first == NULL && i < lines->len; i++) {
        if (strstr(lines->pdata[i], ": error: ") != NULL)
            first = lines->pdata[i];
    }
    if (count == 1)
        return err_set(err, ERR_CONFIG, "%s", first);
    return err_set(err, ERR_CONFIG, "configuration file '%s' has %u faults; the first: %s", name, count,
                   first);
}

/* `public`: others can read the file. */
static bool parse(const char *name, const char *text, gsize len, bool public, config **ret,
                  GPtrArray **ret_faults, struct err *err)
{
    g_autoptr(faults) f = faults_new(name);
    g_autoptr(config) c = config_default();
    g_autoptr(yaml_node) root = NULL;
    if (len > CONFIG_FILE_MAX)
        faults_add(f, 0, 0, "larger than the 1 MiB that a configuration file may have");
    else
        root = yaml_parse(text, len, f);
    read_document(c, root, f);
    if (public && has_password(c->cluster.uri))
        faults_warn(f, 0, 0,
                    "others can read this file, and cluster.uri holds a password; use chmod o-r, or uriFile");
    g_autoptr(GPtrArray) lines = faults_lines(f);
    unsigned count = faults_count(f);
    bool good = count == 0 ? true : fail(err, name, count, lines);
    if (ret_faults != NULL)
        *ret_faults = g_steal_pointer(&lines);
    if (good)
        *ret = g_steal_pointer(&c);
    return good;
}

bool config_parse(const char *name, const char *text, gsize len, config **ret, GPtrArray **ret_faults,
                  struct err *err)
{
    return parse(name, text, len, false, ret, ret_faults, err);
}

/* Reads to the end, or one byte beyond the limit. */
static bool read_all(int fd, const char *path, GByteArray *into, struct err *err)
{
    guint8 buf[8192];
    while (into->len <= CONFIG_FILE_MAX) {
        ssize_t n = read(fd, buf, MIN(sizeof buf, (size_t)CONFIG_FILE_MAX + 1 - into->len));
        if (n == 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_NO_INPUT, "cannot read configuration file '%s': %s", path,
                           g_strerror(errno));
        g_byte_array_append(into, buf, (guint)n);
    }
    return true;
}

/* Reads a file's bytes, and whether others can read it too. */
static bool read_file(const char *path, GByteArray *into, bool *ret_public, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool denied = errno == EACCES || errno == EPERM;
        return err_set(err, denied ? ERR_NO_PERMISSION : ERR_NO_INPUT,
                       "cannot open configuration file '%s': %s", path, g_strerror(errno));
    }
    struct stat st;
    bool good = fstat(fd, &st) == 0 ? true
                                    : err_set(err, ERR_NO_INPUT, "cannot read configuration file '%s': %s",
                                              path, g_strerror(errno));
    if (good && S_ISDIR(st.st_mode))
        good = err_set(err, ERR_NO_INPUT, "configuration file '%s' is a folder; name a file in it", path);
    good = good && read_all(fd, path, into, err);
    close(fd);
    if (good)
        *ret_public = S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) != 0;
    return good;
}

bool config_load(const char *path, config **ret, GPtrArray **ret_faults, struct err *err)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    bool public = false;
    if (!read_file(path, bytes, &public, err)) {
        if (ret_faults != NULL)
            *ret_faults = g_ptr_array_new_with_free_func(g_free);
        return false;
    }
    return parse(path, (const char *)bytes->data, bytes->len, public, ret, ret_faults, err);
}
