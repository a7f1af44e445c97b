// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/hash.h"

#include "balancer/key/encode.h"
#include "balancer/key/number.h"
#include "balancer/key/raw.h"

#include <string.h>

static void feed_le32(GChecksum *md5, int32_t n)
{
    uint32_t le = GUINT32_TO_LE((uint32_t)n);
    g_checksum_update(md5, (const uint8_t *)&le, sizeof le);
}

static void feed_le64(GChecksum *md5, int64_t n)
{
    uint64_t le = GUINT64_TO_LE((uint64_t)n);
    g_checksum_update(md5, (const uint8_t *)&le, sizeof le);
}

/* The canonical type, and inside documents the name. */
static void feed_type(GChecksum *md5, bson_type_t type, const char *name)
{
    feed_le32(md5, raw_rank(type));
    if (name != NULL)
        g_checksum_update(md5, (const uint8_t *)name, (gssize)strlen(name) + 1);
}

static bool feed_value(GChecksum *md5, struct raw v, unsigned depth, struct err *err);

static bool feed_document(GChecksum *md5, const uint8_t *doc, uint32_t len, unsigned depth, struct err *err)
{
    bson_iter_t it;
    if (depth > KEY_DEPTH_MAX)
        return err_set(err, ERR_DATA, "documents nested more than %d deep", (int)KEY_DEPTH_MAX);
    if (!raw_open(&it, doc, len))
        return err_set(err, ERR_DATA, "corrupt BSON");
    while (bson_iter_next(&it)) {
        struct raw v = raw_of(&it);
        feed_type(md5, v.type, bson_iter_key(&it));
        if (!feed_value(md5, v, depth, err))
            return false;
    }
    if (raw_broken(&it))
        return err_set(err, ERR_DATA, "corrupt BSON");
    feed_le32(md5, raw_rank(BSON_TYPE_EOD));
    return true;
}

/* Its text goes in without the length that other strings have. */
static bool feed_scoped_code(GChecksum *md5, struct raw v, unsigned depth, struct err *err)
{
    struct raw_text t;
    if (!raw_text(v, &t))
        return err_set(err, ERR_DATA, "corrupt BSON");
    g_checksum_update(md5, (const uint8_t *)t.text, (gssize)t.len + 1);
    return feed_document(md5, t.scope, t.scope_len, depth + 1, err);
}

static bool feed_value(GChecksum *md5, struct raw v, unsigned depth, struct err *err)
{
    switch (v.type) {
    case BSON_TYPE_INT32:
        feed_le64(md5, (int32_t)raw_u32(v.data));
        return true;
    case BSON_TYPE_DOUBLE:
        feed_le64(md5, number_hashed_double(raw_double(v.data)));
        return true;
    case BSON_TYPE_DECIMAL128:
        feed_le64(md5, number_hashed_decimal(v.data));
        return true;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return feed_document(md5, v.data, v.len, depth + 1, err);
    case BSON_TYPE_CODEWSCOPE:
        return feed_scoped_code(md5, v, depth, err);
    default: /* as stored: strings with their length, int64, dates, nothing for null, MinKey and MaxKey */
        g_checksum_update(md5, v.data, (gssize)v.len);
        return true;
    }
}

static GChecksum *start(void)
{
    GChecksum *md5 = g_checksum_new(G_CHECKSUM_MD5);
    feed_le32(md5, 0); /* the seed; the server knows no other */
    return md5;
}

static int64_t finish(GChecksum *md5)
{
    uint8_t digest[16];
    gsize len = sizeof digest;
    g_checksum_get_digest(md5, digest, &len);
    return (int64_t)raw_u64(digest);
}

bool key_hash_value(const bson_iter_t *it, int64_t *ret, struct err *err)
{
    g_autoptr(GChecksum) md5 = start();
    struct raw v = raw_of(it);
    feed_type(md5, v.type, /* name= */ NULL);
    if (!feed_value(md5, v, 0, err))
        return false;
    *ret = finish(md5);
    return true;
}

int64_t key_hash_missing(void)
{
    g_autoptr(GChecksum) md5 = start();
    feed_type(md5, BSON_TYPE_NULL, /* name= */ NULL);
    return finish(md5);
}
