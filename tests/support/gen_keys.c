// SPDX-License-Identifier: Apache-2.0
#include "tests/support/gen_keys.h"

#include <glib.h>
#include <string.h>

static const char *const names[GEN_KEY_COUNT] = {"objectid", "int64", "string", "compound",
                                                 "hashed",   "uuid",  "mixed"};

const char *gen_key_name(enum gen_key kind)
{
    return names[kind];
}

enum gen_key gen_key_find(const char *name)
{
    int kind = 0;
    while (kind < GEN_KEY_COUNT && strcmp(names[kind], name) != 0)
        kind++;
    return (enum gen_key)kind;
}

static const char *field_of(enum gen_key kind)
{
    return kind == GEN_KEY_OBJECTID || kind == GEN_KEY_HASHED ? "_id" : "k";
}

void gen_key_pattern(enum gen_key kind, bson_t *out)
{
    if (kind == GEN_KEY_COMPOUND) {
        BSON_APPEND_INT32(out, "region", 1);
        BSON_APPEND_DOUBLE(out, "id", 1.0);
    } else if (kind == GEN_KEY_HASHED) {
        BSON_APPEND_UTF8(out, field_of(kind), "hashed");
    } else {
        BSON_APPEND_INT32(out, field_of(kind), 1);
    }
}

/* What a position's key holds beside its order: looks random, is the same every time. */
static uint64_t noise(const struct gen_keys *keys, uint64_t position)
{
    uint64_t x = position * 0x9E3779B97F4A7C15u + keys->seed + 1;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static void put_be(uint8_t *p, uint64_t x, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(x >> (8 * (bytes - 1 - i)));
}

static void append_oid(const char *field, uint32_t seconds, uint64_t tail, bson_t *out)
{
    bson_oid_t oid;
    put_be(oid.bytes, seconds, 4);
    put_be(oid.bytes + 4, tail, 8);
    BSON_APPEND_OID(out, field, &oid);
}

/* Regions of equal size, in the order of their names; each begins at {region, MinKey}. */
static const char *const regions[] = {"AP", "EU", "SA", "US", "ZA"};

static uint64_t region_size(const struct gen_keys *keys)
{
    return keys->end / G_N_ELEMENTS(regions) + 1;
}

static void append_compound(const struct gen_keys *keys, uint64_t position, bson_t *out)
{
    uint64_t size = region_size(keys);
    BSON_APPEND_UTF8(out, "region", regions[position / size]);
    if (position % size == 0)
        BSON_APPEND_MINKEY(out, "id");
    else
        BSON_APPEND_INT64(out, "id", (int64_t)(position % size * 1000 + noise(keys, position) % 1000));
}

/* Numbers of three types, then strings, documents, ObjectIds, dates: the order of types is the server's. */
static void append_mixed(const struct gen_keys *keys, uint64_t position, bson_t *out)
{
    uint64_t part = position * 10 / (keys->end + 1);
    char text[32];
    bson_t inner;
    if (part < 4) {
        int64_t n = (int64_t)position * 10 - 50;
        switch (noise(keys, position) % 3) {
        case 0:
            BSON_APPEND_INT32(out, "k", (int32_t)n);
            break;
        case 1:
            BSON_APPEND_INT64(out, "k", n);
            break;
        default:
            BSON_APPEND_DOUBLE(out, "k", (double)n + 0.25 * (double)(noise(keys, position) % 5));
            break;
        }
    } else if (part < 6) {
        g_snprintf(text, sizeof text, "\303\251t\303\251-%012" G_GUINT64_FORMAT, position);
        BSON_APPEND_UTF8(out, "k", text);
    } else if (part < 7) {
        BSON_APPEND_DOCUMENT_BEGIN(out, "k", &inner);
        BSON_APPEND_INT64(&inner, "n", (int64_t)position);
        BSON_APPEND_UTF8(&inner, "s", "x");
        bson_append_document_end(out, &inner);
    } else if (part < 9) {
        append_oid("k", 0x60000000u + (uint32_t)position, noise(keys, position), out);
    } else {
        BSON_APPEND_DATE_TIME(out, "k", (int64_t)position * 1000 - 5000000);
    }
}

static void append_inner(const struct gen_keys *keys, uint64_t position, bson_t *out)
{
    const char *field = field_of(keys->kind);
    uint64_t step = UINT64_MAX / (keys->end + 1), tail = noise(keys, position);
    uint8_t uuid[16];
    char text[64];
    switch (keys->kind) {
    case GEN_KEY_OBJECTID:
        append_oid(field, 0x50000000u + (uint32_t)position * 4, tail, out);
        break;
    case GEN_KEY_INT64:
        BSON_APPEND_INT64(out, field, (int64_t)(position * 1000 + tail % 1000) - 100000);
        break;
    case GEN_KEY_STRING:
        g_snprintf(text, sizeof text, "user%010" G_GUINT64_FORMAT "@%x.example", position,
                   (unsigned)(tail & 0xFFFF));
        BSON_APPEND_UTF8(out, field, text);
        break;
    case GEN_KEY_HASHED:
        BSON_APPEND_INT64(out, field, (int64_t)(position * step + tail % step - 0x8000000000000000u));
        break;
    case GEN_KEY_UUID:
        put_be(uuid, position * step + tail % step, 8);
        put_be(uuid + 8, tail, 8);
        bson_append_binary(out, field, -1, BSON_SUBTYPE_UUID, uuid, sizeof uuid);
        break;
    case GEN_KEY_COMPOUND:
        append_compound(keys, position, out);
        break;
    default:
        append_mixed(keys, position, out);
        break;
    }
}

static void append_global(const struct gen_keys *keys, bool max, bson_t *out)
{
    const char *fields[] = {keys->kind == GEN_KEY_COMPOUND ? "region" : field_of(keys->kind),
                            keys->kind == GEN_KEY_COMPOUND ? "id" : NULL};
    for (int i = 0; i < 2 && fields[i] != NULL; i++) {
        if (max)
            BSON_APPEND_MAXKEY(out, fields[i]);
        else
            BSON_APPEND_MINKEY(out, fields[i]);
    }
}

void gen_key_at(const struct gen_keys *keys, uint64_t position, bson_t *out)
{
    if (position == 0 || position >= keys->end)
        append_global(keys, position != 0, out);
    else
        append_inner(keys, position, out);
}

void gen_key_zone_at(const struct gen_keys *keys, uint64_t position, bool is_max, bson_t *out)
{
    bool whole_region = position % region_size(keys) == 0 || position >= keys->end;
    if (keys->kind != GEN_KEY_COMPOUND || !whole_region || noise(keys, position) % 2 == 0) {
        gen_key_at(keys, position, out);
    } else if (position == 0) {
        BSON_APPEND_MINKEY(out, "region");
    } else if (position >= keys->end) {
        BSON_APPEND_MAXKEY(out, "region");
        if (is_max && noise(keys, position) % 4 == 1) /* as stored by servers that padded it with MinKey */
            BSON_APPEND_MINKEY(out, "id");
    } else {
        BSON_APPEND_UTF8(out, "region", regions[position / region_size(keys)]);
    }
}
