// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool feed_documents(builder *b, enum doc_kind kind, const bson_iter_t *array, struct err *err)
{
    bson_iter_t item;
    uint64_t index = 0;
    assert_true(BSON_ITER_HOLDS_ARRAY(array) && bson_iter_recurse(array, &item));
    for (; bson_iter_next(&item); index++) {
        const uint8_t *data = NULL;
        uint32_t len = 0;
        assert_true(BSON_ITER_HOLDS_DOCUMENT(&item));
        bson_iter_document(&item, &len, &data);
        if (!builder_add(b, kind, index, data, len, err))
            return false;
    }
    return true;
}

static bool feed_sizes(builder *b, const bson_iter_t *sizes, struct err *err)
{
    bson_iter_t item;
    assert_true(BSON_ITER_HOLDS_DOCUMENT(sizes) && bson_iter_recurse(sizes, &item));
    while (bson_iter_next(&item)) {
        const uint8_t *data = NULL;
        uint32_t len = 0;
        assert_true(BSON_ITER_HOLDS_DOCUMENT(&item));
        bson_iter_document(&item, &len, &data);
        if (!builder_sizes(b, bson_iter_key(&item), data, len, err))
            return false;
    }
    return true;
}

static void feed_names(builder *b, const bson_iter_t *array, void (*feed)(builder *, const char *))
{
    bson_iter_t item;
    assert_true(BSON_ITER_HOLDS_ARRAY(array) && bson_iter_recurse(array, &item));
    while (bson_iter_next(&item))
        feed(b, bson_iter_utf8(&item, NULL));
}

static bool feed_key(builder *b, const bson_iter_t *it, struct err *err)
{
    const char *name = bson_iter_key(it);
    enum doc_kind kind = doc_kind_find(name);
    if (kind != DOC_KIND_COUNT)
        return feed_documents(b, kind, it, err);
    if (strcmp(name, "sizes") == 0)
        return feed_sizes(b, it, err);
    if (strcmp(name, "serverVersion") == 0)
        return builder_server_version(b, bson_iter_utf8(it, NULL), err);
    if (strcmp(name, "takenAt") == 0)
        builder_taken_at(b, bson_iter_date_time(it));
    if (strcmp(name, "usedShards") == 0)
        feed_names(b, it, builder_used_shard);
    if (strcmp(name, "imbalanced_cache") == 0)
        feed_names(b, it, builder_first_ns);
    return true;
}

bool cluster_json_feed(builder *b, const char *snapshot_json, struct err *err)
{
    bson_t doc;
    bson_iter_t it;
    bson_error_t why;
    g_autofree char *json = g_strdup(snapshot_json);
    if (strchr(json, '"') == NULL)
        g_strdelimit(json, "'", '"');
    if (!bson_init_from_json(&doc, json, -1, &why))
        fail_msg("bad JSON in the test: %s: %s", why.message, json);
    assert_true(bson_iter_init(&it, &doc));
    bool good = true;
    while (good && bson_iter_next(&it))
        good = feed_key(b, &it, err);
    bson_destroy(&doc);
    return good;
}

cluster *cluster_json_try(const char *snapshot_json, struct err *err)
{
    g_autoptr(builder) b = builder_new();
    cluster *cl = NULL;
    if (!cluster_json_feed(b, snapshot_json, err) || !builder_finish(b, &cl, err))
        return NULL;
    return cl;
}

cluster *cluster_from_json(const char *snapshot_json)
{
    struct err err = {0};
    cluster *cl = cluster_json_try(snapshot_json, &err);
    if (cl == NULL)
        fail_msg("refused: %s", err.msg);
    return cl;
}

const struct warning *cluster_warning(const cluster *cl, const char *code, const char *ns)
{
    for (guint i = 0; i < cl->warnings->len; i++) {
        const struct warning *w = &g_array_index(cl->warnings, struct warning, i);
        if (strcmp(w->code, code) == 0 && (ns == NULL || g_strcmp0(w->ns, ns) == 0))
            return w;
    }
    return NULL;
}

unsigned cluster_count_warnings(const cluster *cl, const char *code)
{
    unsigned n = 0;
    for (guint i = 0; i < cl->warnings->len; i++)
        n += strcmp(g_array_index(cl->warnings, struct warning, i).code, code) == 0;
    return n;
}
