// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/raw.h"

#include <glib.h>
#include <string.h>

uint32_t raw_u32(const uint8_t *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return GUINT32_FROM_LE(n);
}

uint64_t raw_u64(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return GUINT64_FROM_LE(n);
}

double raw_double(const uint8_t *p)
{
    uint64_t bits = raw_u64(p);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

struct raw raw_of(const bson_iter_t *it)
{
    /* libbson has no accessor for a whole value; it has checked that [d1, next_off) lies in the document. */
    return (struct raw){
        .type = bson_iter_type(it),
        .data = it->raw + it->d1,
        .len = it->next_off - it->d1,
    };
}

bool raw_open(bson_iter_t *it, const uint8_t *doc, uint32_t len)
{
    return bson_iter_init_from_data(it, doc, len);
}

bool raw_broken(const bson_iter_t *it)
{
    return it->err_off != 0;
}

int raw_rank(bson_type_t type)
{
    switch (type) {
    case BSON_TYPE_MINKEY:
        return -1;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED:
        return 0;
    case BSON_TYPE_NULL:
        return 5;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
        return 10;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        return 15;
    case BSON_TYPE_DOCUMENT:
        return 20;
    case BSON_TYPE_ARRAY:
        return 25;
    case BSON_TYPE_BINARY:
        return 30;
    case BSON_TYPE_OID:
        return 35;
    case BSON_TYPE_BOOL:
        return 40;
    case BSON_TYPE_DATE_TIME:
        return 45;
    case BSON_TYPE_TIMESTAMP:
        return 47;
    case BSON_TYPE_REGEX:
        return 50;
    case BSON_TYPE_DBPOINTER:
        return 55;
    case BSON_TYPE_CODE:
        return 60;
    case BSON_TYPE_CODEWSCOPE:
        return 65;
    case BSON_TYPE_MAXKEY:
        return 127;
    }
    return 0;
}

/* Two C strings. */
static uint64_t regex_size(const uint8_t *data, uint32_t len)
{
    const uint8_t *pattern_end = memchr(data, 0, len);
    if (pattern_end == NULL)
        return (uint64_t)len + 1;
    uint32_t flags_at = (uint32_t)(pattern_end - data) + 1;
    const uint8_t *flags_end = memchr(data + flags_at, 0, len - flags_at);
    return flags_end == NULL ? (uint64_t)len + 1 : (uint64_t)(flags_end - data) + 1;
}

/* What a value holds besides the bytes that its length field counts; -1: it begins with no length. */
static int size_beyond_count(bson_type_t type)
{
    switch (type) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
        return 4; /* the length field itself */
    case BSON_TYPE_BINARY:
        return 5; /* and the subtype */
    case BSON_TYPE_DBPOINTER:
        return 16; /* and the ObjectId */
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_CODEWSCOPE:
        return 0;
    default:
        return -1;
    }
}

static uint32_t fixed_size(bson_type_t type)
{
    switch (type) {
    case BSON_TYPE_BOOL:
        return 1;
    case BSON_TYPE_INT32:
        return 4;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_TIMESTAMP:
    case BSON_TYPE_INT64:
        return 8;
    case BSON_TYPE_OID:
        return 12;
    case BSON_TYPE_DECIMAL128:
        return 16;
    default:
        return 0;
    }
}

uint32_t raw_size(bson_type_t type, const uint8_t *data, uint32_t len)
{
    int beyond = size_beyond_count(type);
    uint64_t size = fixed_size(type);
    if (type == BSON_TYPE_REGEX)
        size = regex_size(data, len);
    else if (beyond >= 0)
        size = len < 4 ? (uint64_t)len + 1 : (uint64_t)raw_u32(data) + (uint64_t)beyond;
    return size > len ? len + 1 : (uint32_t)size;
}

bool raw_text(struct raw v, struct raw_text *ret)
{
    bool scoped = v.type == BSON_TYPE_CODEWSCOPE;
    uint32_t before = scoped ? 8 : 4;
    if (v.len < before + 1)
        return false;
    uint32_t count = raw_u32(v.data + before - 4);
    if (count == 0 || count > v.len - before || v.data[before + count - 1] != 0)
        return false;
    *ret = (struct raw_text){.text = (const char *)v.data + before, .len = count - 1};
    if (scoped) {
        ret->scope = v.data + before + count;
        ret->scope_len = v.len - before - count;
    }
    return true;
}

bool raw_is_utf8(const char *s, uint32_t len)
{
    const char *end = s + len;
    while (s < end) {
        const char *stop;
        if (!g_utf8_validate(s, end - s, &stop) && *stop != '\0')
            return false;
        s = stop + 1;
    }
    return true;
}
