// SPDX-License-Identifier: Apache-2.0
/* Files are read one after the other in the order of enum doc_kind; the builder takes any order. Files of
 * other collections, and the metadata.json files of mongodump, are not looked at. */
#include "balancer/source/bson_stream.h"
#include "balancer/source/readers.h"
#include "balancer/source/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool is_required(enum doc_kind kind)
{
    return kind == DOC_SHARD || kind == DOC_COLLECTION;
}

/* A file that is there but cannot be looked at counts as there: opening it then tells why. */
static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 || errno != ENOENT;
}

/* The file of a collection in the folder: plain or gzip, *ret NULL where there is none. The caller frees. */
static bool find_file(const char *dir, enum doc_kind kind, char **ret, struct err *err)
{
    g_autofree char *plain = g_strdup_printf("%s/%s.bson", dir, doc_kind_name(kind));
    g_autofree char *gzip = g_strdup_printf("%s.gz", plain);
    bool has_plain = exists(plain), has_gzip = exists(gzip);
    if (has_plain && has_gzip)
        return err_set(err, ERR_DATA,
                       "dump '%s': both %s.bson and %s.bson.gz are there; remove the one that is out of "
                       "date",
                       dir, doc_kind_name(kind), doc_kind_name(kind));
    *ret = has_plain ? g_steal_pointer(&plain) : has_gzip ? g_steal_pointer(&gzip) : NULL;
    return true;
}

static bool read_into(stream *st, enum doc_kind kind, const struct intake *to, struct err *err)
{
    for (uint64_t i = 0;; i++) {
        const uint8_t *doc;
        uint32_t len;
        if (!bson_stream_next(st, &doc, &len, err))
            return err_wrap(err, "document %" G_GUINT64_FORMAT, i);
        if (doc == NULL)
            return true;
        if (!to->document(to->data, kind, i, doc, len, err))
            return false;
    }
}

bool documents_read(stream *st, enum doc_kind kind, builder *b, struct err *err)
{
    const struct intake to = intake_builder(b);
    return read_into(st, kind, &to, err);
}

/* Faults of a document are named by the builder ("chunks[17] (_id ...)"), those of the file here. */
static bool read_file(const char *path, enum doc_kind kind, const struct intake *to, struct err *err)
{
    g_autoptr(stream) st = stream_open(path, err);
    return (st != NULL && read_into(st, kind, to, err)) || err_wrap(err, "'%s'", path);
}

/* `dir` itself, or `dir`/config where only that holds what must be there. The caller frees. */
static char *find_folder(const char *dir)
{
    g_autofree char *inner = g_build_filename(dir, "config", NULL);
    g_autofree char *here = NULL, *there = NULL;
    struct err ignored = {0};
    bool here_ok = find_file(dir, DOC_SHARD, &here, &ignored);
    bool there_ok = find_file(inner, DOC_SHARD, &there, &ignored);
    if (here_ok && here == NULL && (!there_ok || there != NULL))
        return g_steal_pointer(&inner);
    return g_strdup(dir);
}

/* Said before any file is missed, so that a wrong path is not taken for an incomplete dump. */
static bool check_folder(const char *dir, struct err *err)
{
    struct stat info;
    if (stat(dir, &info) != 0)
        return err_set(err, ERR_NO_INPUT, "dump '%s': cannot open: %s", dir, g_strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_NO_INPUT,
                       "dump '%s': is a file, not a folder; for a snapshot in one file, use --snapshot", dir);
    return true;
}

bool source_dump_into(const char *dir, const struct intake *to, struct err *err)
{
    if (!check_folder(dir, err))
        return false;
    g_autofree char *folder = find_folder(dir);
    for (int kind = 0; kind < DOC_KIND_COUNT; kind++) {
        g_autofree char *path = NULL;
        if (!find_file(folder, (enum doc_kind)kind, &path, err))
            return false;
        const char *name = doc_kind_name((enum doc_kind)kind);
        if (path == NULL && is_required((enum doc_kind)kind))
            return err_set(err, ERR_NO_INPUT,
                           "dump '%s': there is no %s.bson or %s.bson.gz; name the folder that "
                           "'mongodump --db config' wrote",
                           folder, name, name);
        if (path != NULL && !read_file(path, (enum doc_kind)kind, to, err))
            return false;
    }
    return true;
}

bool source_read_dump(const char *dir, builder *b, struct err *err)
{
    const struct intake to = intake_builder(b);
    return source_dump_into(dir, &to, err);
}
