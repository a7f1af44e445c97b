// SPDX-License-Identifier: Apache-2.0
/* What becomes of generated documents: a dump folder, a snapshot, or a model. */
#include "tests/support/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct dump {
    const char *dir;
    FILE *files[DOC_KIND_COUNT];
};

static bool dump_doc(void *ctx, enum doc_kind kind, const bson_t *doc, struct err *err)
{
    struct dump *d = ctx;
    g_autofree char *path = g_strdup_printf("%s/%s.bson", d->dir, doc_kind_name(kind));
    if (d->files[kind] == NULL && (d->files[kind] = fopen(path, "wb")) == NULL)
        return err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", path, g_strerror(errno));
    if (fwrite(bson_get_data(doc), 1, doc->len, d->files[kind]) != doc->len)
        return err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", path, g_strerror(errno));
    return true;
}

bool generate_dump(const struct gen_params *params, const char *dir, struct err *err)
{
    struct dump d = {.dir = dir};
    struct gen_sink sink = {.doc = dump_doc, .ctx = &d};
    bool ok = generate(params, &sink, err);
    for (int kind = 0; kind < DOC_KIND_COUNT; kind++)
        if (d.files[kind] != NULL && fclose(d.files[kind]) != 0 && ok)
            ok = err_set(err, ERR_CANT_CREATE, "cannot write to '%s': %s", dir, g_strerror(errno));
    return ok;
}

struct snapshot {
    FILE *f;
    bool any[DOC_KIND_COUNT]; /* its array was begun; the arrays before it are ended then */
    bool open, sizes;
};

static bool snapshot_put(struct snapshot *s, const bson_t *doc, const char *before, struct err *err)
{
    char *text = bson_as_relaxed_extended_json(doc, NULL);
    bool ok = text != NULL && fprintf(s->f, "%s%s", before, text) > 0;
    bson_free(text);
    return ok || err_set(err, ERR_CANT_CREATE, "cannot write the snapshot: %s", g_strerror(errno));
}

static bool snapshot_doc(void *ctx, enum doc_kind kind, const bson_t *doc, struct err *err)
{
    struct snapshot *s = ctx;
    if (!s->any[kind]) {
        fprintf(s->f, "%s,\n\"%s\": [\n", s->open ? "]" : "", doc_kind_name(kind));
        s->any[kind] = s->open = true;
        return snapshot_put(s, doc, "", err);
    }
    return snapshot_put(s, doc, ",\n", err);
}

static bool snapshot_sizes(void *ctx, const char *ns, const bson_t *by_shard, struct err *err)
{
    struct snapshot *s = ctx;
    g_autofree char *before = g_strdup_printf("%s\n\"%s\": ", s->sizes ? "," : "],\n\"sizes\": {", ns);
    s->sizes = true;
    return snapshot_put(s, by_shard, before, err);
}

bool generate_snapshot(const struct gen_params *params, const char *path, struct err *err)
{
    struct snapshot s = {.f = fopen(path, "wb")};
    if (s.f == NULL)
        return err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", path, g_strerror(errno));
    struct gen_sink sink = {.doc = snapshot_doc, .sizes = snapshot_sizes, .ctx = &s};
    fputs("{\"evenkeelSnapshot\": 1", s.f);
    if (params->version != NULL)
        fprintf(s.f, ", \"serverVersion\": \"%s\"", params->version);
    bool ok = generate(params, &sink, err);
    fputs(s.sizes ? "}}\n" : s.open ? "]}\n" : "}\n", s.f);
    if (fclose(s.f) != 0 && ok)
        ok = err_set(err, ERR_CANT_CREATE, "cannot write '%s': %s", path, g_strerror(errno));
    return ok;
}

static bool builder_doc(void *ctx, enum doc_kind kind, const bson_t *doc, struct err *err)
{
    struct gen_builder_sink *to = ctx;
    return builder_add(to->b, kind, to->counters[kind]++, bson_get_data(doc), doc->len, err);
}

static bool builder_doc_sizes(void *ctx, const char *ns, const bson_t *by_shard, struct err *err)
{
    struct gen_builder_sink *to = ctx;
    return builder_sizes(to->b, ns, bson_get_data(by_shard), by_shard->len, err);
}

struct gen_sink gen_sink_builder(struct gen_builder_sink *to)
{
    return (struct gen_sink){.doc = builder_doc, .sizes = builder_doc_sizes, .ctx = to};
}

cluster *generate_cluster(const struct gen_params *params)
{
    struct err err = {0};
    struct gen_builder_sink to = {.b = builder_new()};
    struct gen_sink sink = gen_sink_builder(&to);
    cluster *cl = NULL;
    if (!generate(params, &sink, &err) || !builder_finish(to.b, &cl, &err))
        g_error("seed %u: %s", params->seed, err.msg);
    builder_free(to.b);
    return cl;
}
