// SPDX-License-Identifier: Apache-2.0
/* Collects everything, gathers the names, then makes each document anew from the fields that are known. */
#include "balancer/source/anonymize_private.h"

#include <string.h>

struct size_entry {
    char *ns;
    GBytes *doc;
};

static void size_entry_free(gpointer data)
{
    struct size_entry *e = data;
    g_free(e->ns);
    g_bytes_unref(e->doc);
    g_free(e);
}

anonymizer *anonymizer_new(void)
{
    anonymizer *a = g_new0(anonymizer, 1);
    for (int i = 0; i < DOC_KIND_COUNT; i++)
        a->docs[i] = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (int i = 0; i < INTAKE_TEXT_COUNT; i++)
        a->texts[i] = g_ptr_array_new_with_free_func(g_free);
    a->sizes = g_ptr_array_new_with_free_func(size_entry_free);
    a->names = names_new();
    a->ids = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    a->ns_of_uuid = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, g_free);
    return a;
}

void anonymizer_free(anonymizer *a)
{
    if (a == NULL)
        return;
    for (int i = 0; i < DOC_KIND_COUNT; i++)
        g_ptr_array_unref(a->docs[i]);
    for (int i = 0; i < INTAKE_TEXT_COUNT; i++)
        g_ptr_array_unref(a->texts[i]);
    g_ptr_array_unref(a->sizes);
    names_free(a->names);
    g_hash_table_unref(a->ids);
    g_hash_table_unref(a->ns_of_uuid);
    g_free(a);
}

static bool on_document(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                        struct err *err)
{
    (void)index;
    (void)err;
    anonymizer *a = data;
    g_ptr_array_add(a->docs[kind], g_bytes_new(doc, len));
    return true;
}

static bool on_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    (void)err;
    anonymizer *a = data;
    struct size_entry *e = g_new0(struct size_entry, 1);
    e->ns = g_strdup(ns);
    e->doc = g_bytes_new(doc, len);
    g_ptr_array_add(a->sizes, e);
    return true;
}

static bool on_text(void *data, enum intake_text what, const char *text, struct err *err)
{
    (void)err;
    anonymizer *a = data;
    g_ptr_array_add(a->texts[what], g_strdup(text));
    return true;
}

static bool on_taken_at(void *data, int64_t unix_ms, struct err *err)
{
    (void)err;
    anonymizer *a = data;
    a->has_taken_at = true;
    a->taken_at = unix_ms;
    return true;
}

static void on_warn(void *data, const char *code, const char *ns, const char *message)
{
    (void)data;
    (void)code;
    (void)ns;
    (void)message;
}

struct intake anonymizer_intake(anonymizer *a)
{
    return (struct intake){a, on_document, on_sizes, on_text, on_taken_at, on_warn};
}

static bool bytes_as_bson(const GBytes *bytes, bson_t *ret)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data((GBytes *)bytes, &len);
    return bson_init_static(ret, data, len);
}

/* Each document of a kind that is sound enough to be looked into. */
static void for_each(anonymizer *a, enum doc_kind kind, void (*f)(anonymizer *, const bson_t *))
{
    bson_t doc;
    for (guint i = 0; i < a->docs[kind]->len; i++)
        if (bytes_as_bson(a->docs[kind]->pdata[i], &doc))
            f(a, &doc);
}

static bool emit_kind(anonymizer *a, enum doc_kind kind, const struct intake *to, struct err *err)
{
    bson_t doc;
    uint64_t index = 0;
    for (guint i = 0; i < a->docs[kind]->len; i++) {
        if (!bytes_as_bson(a->docs[kind]->pdata[i], &doc))
            continue;
        bson_t out = BSON_INITIALIZER;
        anonymize_document(a, kind, index, &doc, &out);
        bool done = to->document(to->data, kind, index++, bson_get_data(&out), out.len, err);
        bson_destroy(&out);
        if (!done)
            return false;
    }
    return true;
}

static bool emit_sizes(anonymizer *a, const struct intake *to, struct err *err)
{
    for (guint i = 0; i < a->sizes->len; i++) {
        const struct size_entry *e = a->sizes->pdata[i];
        bson_t doc, out = BSON_INITIALIZER;
        if (!bytes_as_bson(e->doc, &doc))
            continue;
        g_autofree char *ns = names_get_ns(a->names, e->ns);
        anonymize_sizes(a, &doc, &out);
        bool done = to->sizes(to->data, ns, bson_get_data(&out), out.len, err);
        bson_destroy(&out);
        if (!done)
            return false;
    }
    return true;
}

static bool emit_texts(anonymizer *a, const struct intake *to, struct err *err)
{
    for (int what = 0; what < INTAKE_TEXT_COUNT; what++)
        for (guint i = 0; i < a->texts[what]->len; i++) {
            const char *text = a->texts[what]->pdata[i];
            g_autofree char *hidden = what == INTAKE_USED_SHARD ? names_get(a->names, NAME_SHARD, text)
                                      : what == INTAKE_FIRST_NS ? names_get_ns(a->names, text)
                                                                : g_strdup(text);
            if (!to->text(to->data, (enum intake_text)what, hidden, err))
                return false;
        }
    return true;
}

/* Collections first: chunks are known by their uuid. */
static void gather(anonymizer *a)
{
    static const enum doc_kind order[] = {DOC_COLLECTION, DOC_SHARD, DOC_DATABASE,
                                          DOC_CHUNK,      DOC_TAG,   DOC_CHANGELOG};
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
        for_each(a, order[i], anonymize_gatherer(order[i]));
    for (guint i = 0; i < a->sizes->len; i++) {
        const struct size_entry *e = a->sizes->pdata[i];
        bson_t doc;
        bson_iter_t it;
        names_add_ns(a->names, e->ns);
        if (bytes_as_bson(e->doc, &doc) && bson_iter_init(&it, &doc))
            while (bson_iter_next(&it))
                names_add(a->names, NAME_SHARD, bson_iter_key(&it));
    }
    for (guint i = 0; i < a->texts[INTAKE_USED_SHARD]->len; i++)
        names_add(a->names, NAME_SHARD, a->texts[INTAKE_USED_SHARD]->pdata[i]);
    for (guint i = 0; i < a->texts[INTAKE_FIRST_NS]->len; i++)
        names_add_ns(a->names, a->texts[INTAKE_FIRST_NS]->pdata[i]);
    names_settle(a->names);
}

bool anonymizer_emit(anonymizer *a, const struct intake *to, struct err *err)
{
    gather(a);
    if ((a->has_taken_at && !to->taken_at(to->data, a->taken_at, err)) || !emit_texts(a, to, err))
        return false;
    for (int kind = 0; kind < DOC_KIND_COUNT; kind++)
        if (!emit_kind(a, (enum doc_kind)kind, to, err))
            return false;
    return emit_sizes(a, to, err);
}
