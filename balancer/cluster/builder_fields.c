// SPDX-License-Identifier: Apache-2.0
#include "balancer/cluster/builder_private.h"
#include "balancer/key/encode.h"
#include "balancer/key/show.h"

#include <math.h>
#include <string.h>

bool field_number(const bson_iter_t *it, double *ret)
{
    switch (bson_iter_type(it)) {
    case BSON_TYPE_INT32:
        *ret = bson_iter_int32(it);
        return true;
    case BSON_TYPE_INT64:
        *ret = (double)bson_iter_int64(it);
        return true;
    case BSON_TYPE_DOUBLE:
        *ret = bson_iter_double(it);
        return !isnan(*ret);
    default:
        return false;
    }
}

bool field_whole(const bson_iter_t *it, int64_t min, int64_t max, int64_t *ret)
{
    double x;
    if (!field_number(it, &x))
        return false;
    int64_t n;
    if (!BSON_ITER_HOLDS_DOUBLE(it))
        n = bson_iter_as_int64(it);
    else if (x >= -4611686018427387904.0 && x <= 4611686018427387904.0 && floor(x) == x)
        n = (int64_t)x;
    else
        return false;
    if (n < min || n > max)
        return false;
    *ret = n;
    return true;
}

bool field_bytes(const bson_iter_t *it, int64_t *ret)
{
    double x;
    if (!field_number(it, &x) || x < 0 || x > (double)SIZE_MAX_ONE)
        return false;
    *ret = BSON_ITER_HOLDS_DOUBLE(it) ? (int64_t)x : bson_iter_as_int64(it);
    return true;
}

bool field_bool(const bson_iter_t *it, bool lenient, bool *ret)
{
    double x;
    if (BSON_ITER_HOLDS_NULL(it))
        return true;
    if (BSON_ITER_HOLDS_BOOL(it))
        *ret = bson_iter_bool(it);
    else if (lenient && field_number(it, &x))
        *ret = x < 0 || x > 0;
    else
        return false;
    return true;
}

bool field_text(const bson_iter_t *it, const char **ret)
{
    if (!BSON_ITER_HOLDS_UTF8(it))
        return false;
    uint32_t len;
    const char *s = bson_iter_utf8(it, &len);
    if (!g_utf8_validate(s, (gssize)len, NULL)) /* refuses NUL too */
        return false;
    *ret = s;
    return true;
}

bool field_uuid(const bson_iter_t *it, const uint8_t **ret)
{
    if (!BSON_ITER_HOLDS_BINARY(it))
        return false;
    bson_subtype_t subtype;
    uint32_t len = 0;
    const uint8_t *data = NULL;
    bson_iter_binary(it, &subtype, &len, &data);
    if (data == NULL || len != 16 ||
        (subtype != BSON_SUBTYPE_UUID && subtype != BSON_SUBTYPE_UUID_DEPRECATED))
        return false;
    *ret = data;
    return true;
}

/* Shows the value of _id: a bound or a string may be long, so the middle is left out. */
static void append_id(GString *out, const uint8_t *doc, uint32_t len)
{
    bson_iter_t it;
    if (!bson_iter_init_from_data(&it, doc, len) || !bson_iter_find(&it, "_id"))
        return;
    g_string_append(out, " (_id ");
    key_show_value(out, &it, KEY_SHOWN_MAX);
    g_string_append_c(out, ')');
}

char *doc_where(enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%s[%" G_GUINT64_FORMAT "]", doc_kind_name(kind), index);
    append_id(out, doc, len);
    return g_string_free(out, FALSE);
}

void show_bson(GString *out, const uint8_t *data, uint32_t len)
{
    bson_t bound;
    if (bson_init_static(&bound, data, len))
        key_show(out, &bound, KEY_SHOWN_MAX);
    else
        g_string_append(out, "corrupt BSON");
}

void show_packed(GString *out, const key_pattern *key, const uint8_t *packed, uint32_t len)
{
    bson_t bound;
    bson_init(&bound);
    key_unpack(key, packed, len, &bound);
    key_show(out, &bound, KEY_SHOWN_MAX);
    bson_destroy(&bound);
}

void fault_set(char **fault, const char *fmt, ...)
{
    if (*fault != NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    struct err printable = {0};
    err_set(&printable, ERR_DATA, "%s", text);
    *fault = g_strdup(printable.msg);
}

void warn_add(builder *b, const char *code, const char *ns, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    struct err printable = {0};
    err_set(&printable, ERR_DATA, "%s", text);
    struct warning w = {.code = g_strdup(code), .ns = g_strdup(ns), .message = g_strdup(printable.msg)};
    g_array_append_val(b->cl->warnings, w);
}
