// SPDX-License-Identifier: Apache-2.0
/* The two shapes are told apart by their keys: a namespace has a dot in it, and no key of a snapshot has. */
#include "balancer/source/readers.h"
#include "balancer/source/source.h"
#include "balancer/source/walk.h"

#include <string.h>

struct size_file {
    builder *b;
    bool in_sizes, saw_sizes; /* within, and after, a snapshot's `sizes` */
    char *ns;                 /* the key at hand */
    char *first_ns;           /* the first key that is a namespace */
    char *other;              /* the first that is neither */
};

/* Sizes in both places could disagree, and which came first in the file must not decide. */
static bool on_key(void *data, const char *key, enum shape *ret, struct err *err)
{
    struct size_file *f = data;
    bool is_sizes = strcmp(key, "sizes") == 0, is_ns = strchr(key, '.') != NULL;
    if (is_sizes && f->saw_sizes)
        return err_set(err, ERR_DATA, "the key 'sizes' is there twice");
    f->saw_sizes |= is_sizes;
    g_free(f->ns);
    f->ns = g_strdup(key);
    if (is_ns && f->first_ns == NULL)
        f->first_ns = g_strdup(key);
    if (!is_ns && !is_sizes && f->other == NULL)
        f->other = g_strdup(key);
    *ret = is_sizes ? SHAPE_MEMBERS : is_ns ? SHAPE_DOCUMENT : SHAPE_SKIP;
    if (f->saw_sizes && f->first_ns != NULL)
        return err_set(err, ERR_DATA,
                       "has both the key 'sizes' and, beside it, the namespace '%.255s'; sizes stand in one "
                       "place or the other",
                       f->first_ns);
    return true;
}

static bool on_member(void *data, const char *name, const uint8_t *doc, uint32_t len, struct err *err)
{
    struct size_file *f = data;
    return builder_sizes(f->b, name, doc, len, err);
}

static bool on_document(void *data, uint64_t index, const uint8_t *doc, uint32_t len, struct err *err)
{
    (void)index;
    struct size_file *f = data;
    return builder_sizes(f->b, f->ns, doc, len, err);
}

/* Keys of a snapshot may stand before its `sizes`: whether they belong here is known only at the end. */
static bool read_all(stream *st, struct size_file *f, struct err *err)
{
    const struct sink sink = {f, on_key, NULL, NULL, on_document, on_member};
    if (!walk(st, &sink, err))
        return false;
    if (f->other != NULL && !f->saw_sizes)
        return err_set(
            err, ERR_DATA,
            "the key '%.255s' is not a namespace, and there is no key 'sizes'; expected is {\"db.coll\": "
            "{\"shard\": bytes}}, or a snapshot with sizes",
            f->other);
    return true;
}

bool sizes_read(stream *st, builder *b, struct err *err)
{
    struct size_file f = {.b = b};
    bool ok = read_all(st, &f, err);
    g_free(f.ns);
    g_free(f.first_ns);
    g_free(f.other);
    return ok;
}

bool source_read_sizes(const char *path, builder *b, struct err *err)
{
    g_autoptr(stream) st = stream_open(path, err);
    if (st == NULL || !sizes_read(st, b, err))
        return strcmp(path, "-") == 0 ? err_wrap(err, "sizes from standard input")
                                      : err_wrap(err, "sizes '%s'", path);
    return true;
}
