// SPDX-License-Identifier: Apache-2.0
#include "balancer/policy/splits.h"

#include "balancer/key/encode.h"

#include <string.h>

enum {
    SESSIONS_CHUNKS = 1024,
    SESSIONS_BITS = 10
}; /* minNumChunksForSessionsCollection, and its binary logarithm */

const char *split_reason_text(enum split_reason r)
{
    return r == SPLIT_SESSIONS ? "sessions" : "zoneBoundary";
}

static void bson_free_one(gpointer p)
{
    bson_destroy(p);
}

static void split_clear(gpointer p)
{
    struct split *s = p;
    g_ptr_array_unref(s->points_enc);
    g_ptr_array_unref(s->points_bson);
}

/* Adds a point, unless it is a chunk's bound already or was the last one added. Points come in ascending
 * order. */
static void add_point(GArray *splits, const struct collection *coll, GBytes *enc, const bson_t *bound,
                      enum split_reason reason)
{
    gsize len;
    const uint8_t *key = g_bytes_get_data(enc, &len);
    uint32_t chunk;
    if (chunks_find_bound(&coll->chunks, key, (uint32_t)len, &chunk))
        return;
    struct split *last = splits->len == 0 ? NULL : &g_array_index(splits, struct split, splits->len - 1);
    if (last == NULL || last->chunk != chunk) {
        struct split fresh = {
            .chunk = chunk,
            .reason = reason,
            .points_enc = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
            .points_bson = g_ptr_array_new_with_free_func(bson_free_one),
        };
        g_array_append_val(splits, fresh);
        last = &g_array_index(splits, struct split, splits->len - 1);
    }
    guint n = last->points_enc->len;
    if (n > 0 && g_bytes_equal(last->points_enc->pdata[n - 1], enc))
        return;
    g_ptr_array_add(last->points_enc, g_bytes_ref(enc));
    g_ptr_array_add(last->points_bson, bson_copy(bound));
}

static void find_zone_splits(const struct collection *coll, GArray *splits)
{
    g_autoptr(GByteArray) global = g_byte_array_new();
    key_encode_global(coll->key, true, global);
    for (uint32_t i = 0; i < coll->n_ranges; i++) {
        const struct zone_range *r = &coll->ranges[i];
        add_point(splits, coll, r->enc_min, &r->min, SPLIT_ZONE_BOUNDARY);
        gsize len;
        const uint8_t *max = g_bytes_get_data(r->enc_max, &len);
        if (key_cmp(max, (uint32_t)len, global->data, global->len) < 0)
            add_point(splits, coll, r->enc_max, &r->max, SPLIT_ZONE_BOUNDARY);
    }
}

/* Even steps of the UUID space: {_id: {id: UUID}} whose first ten bits count up. */
static void find_session_splits(const struct collection *coll, GArray *splits)
{
    g_autoptr(GByteArray) enc = g_byte_array_new();
    for (uint32_t i = 1; i < SESSIONS_CHUNKS; i++) {
        uint8_t uuid[16] = {0};
        uint32_t prefix = i << (16 - SESSIONS_BITS);
        uuid[0] = (uint8_t)(prefix >> 8);
        uuid[1] = (uint8_t)prefix;
        bson_t bound = BSON_INITIALIZER, id;
        bson_append_document_begin(&bound, "_id", 3, &id);
        bson_append_binary(&id, "id", 2, BSON_SUBTYPE_UUID, uuid, sizeof uuid);
        bson_append_document_end(&bound, &id);
        g_byte_array_set_size(enc, 0);
        if (key_encode_bound(bson_get_data(&bound), bound.len, coll->key->names, enc, NULL, NULL)) {
            g_autoptr(GBytes) point = g_bytes_new(enc->data, enc->len);
            add_point(splits, coll, point, &bound, SPLIT_SESSIONS);
        }
        bson_destroy(&bound);
    }
}

static bool is_sessions(const struct collection *coll)
{
    return strcmp(coll->ns, "config.system.sessions") == 0 && coll->key->n_fields == 1 &&
           strcmp(coll->key->fields[0].name, "_id") == 0 && !coll->key->fields[0].hashed;
}

GArray *splits_find(const cluster *cl, const struct collection *coll, bool by_size)
{
    GArray *splits = g_array_new(FALSE, FALSE, sizeof(struct split));
    g_array_set_clear_func(splits, split_clear);
    if (coll->chunks.n == 0)
        return splits;
    if (!is_sessions(coll) || cluster_version_cmp(cl, 4, 4, 0) < 0)
        find_zone_splits(coll, splits);
    else if (!by_size && coll->chunks.n < SESSIONS_CHUNKS)
        find_session_splits(coll, splits);
    return splits;
}

bool splits_zone_bounds_cut(const struct collection *coll)
{
    g_autoptr(GArray) splits = g_array_new(FALSE, FALSE, sizeof(struct split));
    g_array_set_clear_func(splits, split_clear);
    find_zone_splits(coll, splits);
    return splits->len > 0;
}
