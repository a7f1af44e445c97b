// SPDX-License-Identifier: Apache-2.0
/* The chunks of one collection as of one moment. A read goes on while chunks split, merge and move: then a
 * chunk is met twice or never, the chunks do not follow upon one another, and they are read again. */
#include "migrations/mongo/live_private.h"

#include "balancer/key/encode.h"
#include "balancer/key/raw.h"

#include <string.h>

enum { CHUNK_TRIES = 4 };

static bool bound_of(const bson_t *chunk, const char *name, const uint8_t **ret, uint32_t *ret_len)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, chunk, name) || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return false;
    bson_iter_document(&it, ret_len, ret);
    return true;
}

/* Whether every value is of this type (MinKey, MaxKey). */
static bool is_global(const uint8_t *doc, uint32_t len, bson_type_t type)
{
    bson_iter_t it;
    unsigned n = 0;
    if (!bson_iter_init_from_data(&it, doc, len))
        return false;
    for (; bson_iter_next(&it); n++)
        if (bson_iter_type(&it) != type)
            return false;
    return n > 0;
}

static bool encode(const uint8_t *doc, uint32_t len, GByteArray *out)
{
    bson_iter_t it;
    if (!bson_iter_init_from_data(&it, doc, len))
        return false;
    while (bson_iter_next(&it))
        if (!key_encode_value(&it, out, NULL))
            return false;
    return true;
}

/* The same bytes as a rule; 5 and 5.0 are the same bound all the same. */
static bool same_bound(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    if (a_len == b_len && memcmp(a, b, a_len) == 0)
        return true;
    g_autoptr(GByteArray) ea = g_byte_array_new(), eb = g_byte_array_new();
    return encode(a, a_len, ea) && encode(b, b_len, eb) && key_cmp(ea->data, ea->len, eb->data, eb->len) == 0;
}

/* From the global minimum to the global maximum without a gap. Chunks that cannot be read are the builder's
 * to complain of. */
static bool contiguous(const GByteArray *chunks)
{
    const uint8_t *last = NULL, *min, *max;
    uint32_t last_len = 0, min_len, max_len;
    bson_t doc;
    for (size_t at = 0; live_next(chunks, &at, &doc);) {
        if (!bound_of(&doc, "min", &min, &min_len) || !bound_of(&doc, "max", &max, &max_len))
            return false;
        if (last == NULL ? !is_global(min, min_len, BSON_TYPE_MINKEY)
                         : !same_bound(last, last_len, min, min_len))
            return false;
        last = max;
        last_len = max_len;
    }
    return last != NULL && is_global(last, last_len, BSON_TYPE_MAXKEY);
}

static bool same_field(const bson_t *a, const bson_t *b, const char *name)
{
    bson_iter_t ia, ib;
    bool has_a = bson_iter_init_find(&ia, a, name), has_b = bson_iter_init_find(&ib, b, name);
    if (!has_a || !has_b)
        return has_a == has_b;
    struct raw ra = raw_of(&ia), rb = raw_of(&ib);
    return ra.type == rb.type && ra.len == rb.len && memcmp(ra.data, rb.data, ra.len) == 0;
}

/* Dropping, creating anew, refining and resharding change one of these. */
static bool same_incarnation(const bson_t *a, const bson_t *b)
{
    return same_field(a, b, "uuid") && same_field(a, b, "lastmodEpoch") && same_field(a, b, "timestamp");
}

/* Chunks are found by uuid exactly when the collection has a timestamp; this holds at every moment of an
 * upgrade and of a downgrade, too. */
static bool chunks_filter(const bson_t *coll, bson_t *ret)
{
    bson_iter_t it;
    bool by_uuid = bson_iter_init_find(&it, coll, "timestamp") && bson_iter_init_find(&it, coll, "uuid");
    if (!by_uuid && !bson_iter_init_find(&it, coll, "_id"))
        return false;
    return bson_append_iter(ret, by_uuid ? "uuid" : "ns", -1, &it);
}

static bool fetch_chunks(const struct live *l, const bson_t *coll, GByteArray *into, struct err *err)
{
    bson_t filter = BSON_INITIALIZER;
    bson_t *by_min = BCON_NEW("sort", "{", "min", BCON_INT32(1), "}");
    bool done = true;
    g_byte_array_set_size(into, 0);
    if (chunks_filter(coll, &filter))
        done = live_fetch(l, "chunks", &filter, by_min, into, err);
    bson_destroy(by_min);
    bson_destroy(&filter);
    return done;
}

/* The collection's document as it is now, in `into`, empty where it is gone. */
static bool fetch_again(const struct live *l, const bson_t *coll, GByteArray *into, struct err *err)
{
    bson_t filter = BSON_INITIALIZER;
    bson_iter_t it;
    if (bson_iter_init_find(&it, coll, "_id"))
        bson_append_iter(&filter, "_id", -1, &it);
    bool done = live_fetch(l, "collections", &filter, NULL, into, err);
    bson_destroy(&filter);
    return done;
}

/* Replaces `coll` (one document) by the present one, `chunks` by its chunks; leaves `coll` empty where the
 * collection is gone. What never comes to rest is taken as it is: the builder then excludes it. */
static bool settle(const struct live *l, GByteArray *coll, GByteArray *chunks, struct err *err)
{
    g_autoptr(GByteArray) now = g_byte_array_new();
    for (unsigned i = 0; i < CHUNK_TRIES; i++) {
        bson_t before, after;
        size_t at = 0;
        if (!live_next(coll, &at, &before) || !fetch_chunks(l, &before, chunks, err) ||
            !fetch_again(l, &before, now, err))
            return false;
        at = 0;
        bool gone = !live_next(now, &at, &after);
        bool same = !gone && same_incarnation(&before, &after);
        g_byte_array_set_size(coll, 0);
        g_byte_array_append(coll, now->data, now->len);
        if (gone || (same && contiguous(chunks)))
            return true;
    }
    return true;
}

static bool is_dropped(const bson_t *coll)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, coll, "dropped") && bson_iter_as_bool(&it);
}

static bool hand_over(const struct live *l, const GByteArray *chunks, uint64_t *index, struct err *err)
{
    bson_t doc;
    for (size_t at = 0; live_next(chunks, &at, &doc);)
        if (!l->to->document(l->to->data, DOC_CHUNK, (*index)++, bson_get_data(&doc), doc.len, err))
            return false;
    return true;
}

bool live_collections(const struct live *l, GByteArray *collections, struct err *err)
{
    g_autoptr(GByteArray) settled = g_byte_array_new(), coll = g_byte_array_new(),
                          chunks = g_byte_array_new();
    uint64_t index = 0;
    bson_t doc;
    for (size_t at = 0; live_next(collections, &at, &doc);) {
        g_byte_array_set_size(coll, 0);
        g_byte_array_append(coll, bson_get_data(&doc), doc.len);
        g_byte_array_set_size(chunks, 0);
        if (!is_dropped(&doc) && !settle(l, coll, chunks, err))
            return false;
        if (coll->len > 0 && !hand_over(l, chunks, &index, err))
            return false;
        g_byte_array_append(settled, coll->data, coll->len);
    }
    g_byte_array_set_size(collections, 0);
    g_byte_array_append(collections, settled->data, settled->len);
    return true;
}
