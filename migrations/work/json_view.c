// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/json_view.h"

#include "balancer/key/show.h"
#include "balancer/source/json_scan.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* A fault of the byte `at`. */
static bool fault(const char *text, gsize at, const char *why, struct err *err)
{
    gsize line = 1, start = 0;
    for (gsize i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return err_set(err, ERR_DATA, "line %zu, column %zu: %s", line, at - start + 1, why);
}

bool view_check(const char *text, gsize len, const char **ret_object, struct err *err)
{
    struct json_scan scan = {0};
    const char *bad, *why;
    gsize at = 0, used;
    if (!g_utf8_validate(text, (gssize)len, &bad))
        return fault(text, (gsize)(bad - text), *bad == '\0' ? "a NUL byte" : "it is not UTF-8", err);
    while (at < len && is_blank(text[at]))
        at++;
    if (at == len)
        return err_set(err, ERR_DATA, "it is empty");
    if (text[at] != '{')
        return fault(text, at, "'{' was expected here", err);
    *ret_object = text + at;
    enum json_scan_result what = json_scan_feed(&scan, (const uint8_t *)text + at, len - at, &used, &why);
    at += used;
    if (what == JSON_SCAN_BAD)
        return fault(text, at, why, err);
    if (what == JSON_SCAN_MORE)
        return fault(text, len, "truncated: it ends before its last bracket is closed", err);
    while (at < len && is_blank(text[at]))
        at++;
    return at == len || fault(text, at, "something stands behind the end of the document", err);
}

char view_kind(const char *value)
{
    return *value == '-' || g_ascii_isdigit(*value) ? '0' : *value;
}

static const char *end_of_string(const char *s)
{
    for (s++; *s != '"'; s++)
        s += *s == '\\' ? 1 : 0;
    return s + 1;
}

const char *view_end(const char *v)
{
    unsigned depth = 0;
    do {
        if (*v == '"') {
            v = end_of_string(v);
        } else if (*v == '{' || *v == '[') {
            depth++;
            v++;
        } else if (depth > 0) {
            depth -= *v == '}' || *v == ']' ? 1 : 0;
            v++;
        } else {
            while (!is_blank(*v) && *v != ',' && *v != '}' && *v != ']')
                v++;
        }
    } while (depth > 0);
    return v;
}

struct view_items view_items(const char *container)
{
    return (struct view_items){.at = container, .keyed = *container == '{'};
}

static const char *skip(const char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

bool view_next(struct view_items *it)
{
    if (it->value != NULL)
        it->at = skip(view_end(it->value)); /* on the comma, or on the bracket */
    if (it->value != NULL && *it->at != ',')
        return false;
    const char *s = skip(it->at + 1);
    if (*s == '}' || *s == ']')
        return false;
    if (it->keyed) {
        it->key = s;
        s = skip(skip(end_of_string(s)) + 1);
    }
    it->value = s;
    return true;
}

bool view_key_is(const char *key, const char *name)
{
    gsize len = (gsize)(end_of_string(key) - key) - 2, want = strlen(name);
    if (memchr(key + 1, '\\', len) == NULL)
        return len == want && memcmp(key + 1, name, want) == 0;
    g_autofree char *text = view_text(key);
    return text != NULL && strcmp(text, name) == 0;
}

/* A string with escapes is libbson's to decode. */
static char *decode(const char *value, gsize len)
{
    g_autofree char *json = g_strndup(value, len);
    bson_t doc;
    bson_iter_t it;
    char *ret = NULL;
    if (!key_parse_value(json, &doc, NULL))
        return NULL;
    if (bson_iter_init_find(&it, &doc, "v")) {
        uint32_t n;
        const char *text = bson_iter_utf8(&it, &n);
        if (memchr(text, 0, n) == NULL)
            ret = g_strndup(text, n);
    }
    bson_destroy(&doc);
    return ret;
}

char *view_text(const char *value)
{
    if (*value != '"')
        return NULL;
    gsize len = (gsize)(end_of_string(value) - value);
    if (memchr(value, '\\', len) != NULL)
        return decode(value, len);
    return g_strndup(value + 1, len - 2);
}

bool view_int64(const char *value, int64_t *ret)
{
    gsize len = (gsize)(view_end(value) - value);
    char digits[32];
    if (view_kind(value) != '0' || len >= sizeof digits)
        return false;
    memcpy(digits, value, len);
    digits[len] = '\0';
    return g_ascii_string_to_signed(digits, 10, G_MININT64, G_MAXINT64, ret, NULL);
}

bool view_real(const char *value, double *ret)
{
    if (view_kind(value) != '0')
        return false;
    *ret = g_ascii_strtod(value, NULL);
    return true;
}
