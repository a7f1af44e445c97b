// SPDX-License-Identifier: Apache-2.0
#include "tests/support/chunk_table.h"

#include "balancer/key/show.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Single quotes made double ones where there are no double ones. The caller frees. */
static char *quoted(const char *json)
{
    char *text = g_strdup(json);
    return strchr(text, '"') == NULL ? g_strdelimit(text, "'", '"') : text;
}

static void parse(const char *json, bson_t *ret)
{
    bson_error_t why;
    g_autofree char *text = quoted(json);
    if (!bson_init_from_json(ret, text, -1, &why))
        fail_msg("bad JSON in the test: %s: %s", why.message, json);
}

/* An array, as the only field of a document. */
static void parse_list(const char *json, bson_t *ret)
{
    g_autofree char *text = quoted(json);
    g_autofree char *wrapped = g_strdup_printf("{\"list\": %s}", text);
    parse(wrapped, ret);
}

/* {a: X, b: X} for every field of the key. */
static char *global_bound(const char *key, const char *value)
{
    bson_t doc;
    bson_iter_t it;
    GString *out = g_string_new("{");
    parse(key, &doc);
    assert_true(bson_iter_init(&it, &doc));
    while (bson_iter_next(&it))
        g_string_append_printf(out, "%s\"%s\": {\"%s\": 1}", out->len > 1 ? ", " : "", bson_iter_key(&it),
                               value);
    g_string_append_c(out, '}');
    bson_destroy(&doc);
    return g_string_free(out, FALSE);
}

/* The bounds of all chunks, as JSON: MinKey, the points, MaxKey. */
static GPtrArray *all_bounds(const struct chunk_table *t)
{
    GPtrArray *bounds = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(bounds, global_bound(t->key, "$minKey"));
    if (t->points != NULL) {
        bson_t list;
        bson_iter_t wrapper, it;
        parse_list(t->points, &list);
        assert_true(bson_iter_init(&wrapper, &list) && bson_iter_next(&wrapper) &&
                    bson_iter_recurse(&wrapper, &it));
        while (bson_iter_next(&it)) {
            uint32_t len;
            const uint8_t *data;
            bson_t point;
            bson_iter_document(&it, &len, &data);
            assert_true(bson_init_static(&point, data, len));
            char *json = bson_as_canonical_extended_json(&point, NULL);
            g_ptr_array_add(bounds, g_strdup(json));
            bson_free(json);
        }
        bson_destroy(&list);
    }
    g_ptr_array_add(bounds, global_bound(t->key, "$maxKey"));
    return bounds;
}

static void append_chunks(GString *out, const struct chunk_table *t)
{
    g_autoptr(GPtrArray) bounds = all_bounds(t);
    guint n = bounds->len - 1;
    assert_true(t->owners == NULL || strlen(t->owners) == n);
    assert_true(t->jumbo == NULL || strlen(t->jumbo) == n);
    for (guint i = 0; i < n; i++)
        g_string_append_printf(
            out,
            "%s{\"ns\": \"db.c\", \"min\": %s, \"max\": %s, \"shard\": \"s%c\", \"lastmod\": "
            "{\"$timestamp\": {\"t\": 1, \"i\": %u}}%s}",
            i > 0 ? ", " : "", (char *)bounds->pdata[i], (char *)bounds->pdata[i + 1],
            t->owners != NULL ? t->owners[i] : (char)('0' + i % 3), i,
            t->jumbo != NULL && t->jumbo[i] == '1' ? ", \"jumbo\": true" : "");
}

/* Appends JSON in which single quotes stand for double ones. */
static void append_quoted(GString *out, const char *json)
{
    g_autofree char *text = quoted(json);
    g_string_append(out, text);
}

/* Gives each tag an ns and an _id where it has none. */
static void append_tags(GString *out, const char *tags)
{
    bson_t list;
    bson_iter_t wrapper, it;
    unsigned n = 0;
    parse_list(tags, &list);
    assert_true(bson_iter_init(&wrapper, &list) && bson_iter_next(&wrapper) &&
                bson_iter_recurse(&wrapper, &it));
    for (; bson_iter_next(&it); n++) {
        uint32_t len;
        const uint8_t *data;
        bson_t tag, whole = BSON_INITIALIZER;
        bson_iter_document(&it, &len, &data);
        assert_true(bson_init_static(&tag, data, len));
        if (!bson_has_field(&tag, "_id"))
            BSON_APPEND_INT32(&whole, "_id", (int)n);
        if (!bson_has_field(&tag, "ns"))
            BSON_APPEND_UTF8(&whole, "ns", "db.c");
        bson_concat(&whole, &tag);
        char *json = bson_as_canonical_extended_json(&whole, NULL);
        g_string_append_printf(out, "%s%s", n > 0 ? ", " : "", json);
        bson_free(json);
        bson_destroy(&whole);
    }
    bson_destroy(&list);
}

cluster *chunk_table_cluster(const struct chunk_table *t)
{
    g_autoptr(GString) s = g_string_new("{\"shards\": ");
    append_quoted(s, t->shards != NULL ? t->shards : "[{'_id': 's0'}, {'_id': 's1'}, {'_id': 's2'}]");
    g_string_append(s, ", \"collections\": [{\"_id\": \"db.c\", \"key\": ");
    append_quoted(s, t->key);
    append_quoted(s, t->extra != NULL ? t->extra : "");
    g_string_append(s, "}], \"chunks\": [");
    append_chunks(s, t);
    g_string_append(s, "], \"tags\": [");
    if (t->tags != NULL)
        append_tags(s, t->tags);
    g_string_append_c(s, ']');
    append_quoted(s, t->more != NULL ? t->more : "");
    g_string_append_c(s, '}');
    return cluster_from_json(s->str);
}
