// SPDX-License-Identifier: Apache-2.0
/* The extension of the file is not asked: files are renamed, and standard input has none. */
#include "balancer/source/walk.h"

#include <string.h>

enum { LOOK_AT = 4096, NEAR_START = 16 };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* BSON shows itself early: its length has zero bytes, or, from 16 MiB on, the type of its first key or the
 * end of that key's name is a byte that JSON text does not have. */
static bool has_binary_start(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < MIN(n, (size_t)NEAR_START); i++) {
        if (p[i] < 0x20 && !is_blank(p[i]))
            return true;
    }
    return false;
}

static uint8_t first_not_blank(const uint8_t *p, size_t n)
{
    size_t i = n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (i < n && is_blank(p[i]))
        i++;
    return i < n ? p[i] : '\0';
}

bool walk(stream *st, const struct sink *sink, struct err *err)
{
    size_t have;
    const uint8_t *p = stream_peek(st, LOOK_AT, &have, err);
    if (p == NULL)
        return false;
    if (have == 0)
        return err_set(err, ERR_DATA, "the file is empty");
    if (has_binary_start(p, have))
        return walk_bson(st, sink, err);
    uint8_t c = first_not_blank(p, have);
    if (c == '\0' && have < LOOK_AT)
        return err_set(err, ERR_DATA, "the file holds no document, only blanks");
    if (c != '{' && c != '\0')
        return err_set(err, ERR_DATA, "neither Extended JSON, which starts with '{', nor BSON");
    return walk_json(st, sink, err);
}

/* libbson's own check lets a zero byte pass, at which a C string would end early. */
bool walk_text(const bson_iter_t *value, const char **ret, struct err *err)
{
    if (!BSON_ITER_HOLDS_UTF8(value))
        return err_set(err, ERR_DATA, "a string was expected");
    uint32_t len;
    const char *text = bson_iter_utf8(value, &len);
    if (!g_utf8_validate(text, (gssize)len, NULL))
        return err_set(err, ERR_DATA, "the string is not UTF-8, or holds a zero character");
    *ret = text;
    return true;
}
