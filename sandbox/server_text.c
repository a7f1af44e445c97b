// SPDX-License-Identifier: Apache-2.0
#include "sandbox/server_text.h"

#include "balancer/key/number.h"
#include "balancer/key/raw.h"
#include "balancer/key/spell.h"

enum { DEPTH_MAX = 20 };

static void put_value(GString *out, const bson_iter_t *it, unsigned depth);

static void put_fields(GString *out, bson_iter_t *it, bool array, unsigned depth)
{
    const char *sep = array ? "[ " : "{ ";
    bool any = false;
    while (depth < DEPTH_MAX && bson_iter_next(it)) {
        g_string_append(out, sep);
        if (!array)
            g_string_append_printf(out, "%s: ", bson_iter_key(it));
        put_value(out, it, depth + 1);
        sep = ", ";
        any = true;
    }
    if (depth >= DEPTH_MAX)
        g_string_append(out, "...");
    else if (!any)
        g_string_append(out, array ? "[]" : "{}");
    else
        g_string_append(out, array ? " ]" : " }");
}

static void put_double(GString *out, double d)
{
    char digits[SPELL_DOUBLE_MAX];
    spell_double(d, digits);
    g_string_append(out, digits);
    if (spell_looks_integer(digits))
        g_string_append(out, ".0");
}

static void put_binary(GString *out, const bson_iter_t *it)
{
    bson_subtype_t subtype;
    uint32_t len;
    const uint8_t *data;
    bson_iter_binary(it, &subtype, &len, &data);
    bool uuid = subtype == BSON_SUBTYPE_UUID && len == 16;
    if (uuid)
        g_string_append(out, "UUID(\"");
    else
        g_string_append_printf(out, "BinData(%d, ", (int)subtype);
    for (uint32_t i = 0; i < len; i++) {
        g_string_append_printf(out, uuid ? "%02x" : "%02X", data[i]);
        if (uuid && (i == 3 || i == 5 || i == 7 || i == 9))
            g_string_append_c(out, '-');
    }
    g_string_append(out, uuid ? "\")" : ")");
}

static void put_string(GString *out, const bson_iter_t *it)
{
    uint32_t len;
    const char *s = bson_iter_utf8(it, &len);
    g_string_append_c(out, '"');
    for (uint32_t i = 0; i < len; i++) {
        if (s[i] == '"' || s[i] == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, s[i] == '\0' ? ' ' : s[i]);
    }
    g_string_append_c(out, '"');
}

static void put_other(GString *out, const bson_iter_t *it)
{
    uint32_t t, i;
    char text[NUMBER_TEXT_MAX];
    switch (bson_iter_type(it)) {
    case BSON_TYPE_OID:
        bson_oid_to_string(bson_iter_oid(it), text);
        g_string_append_printf(out, "ObjectId('%s')", text);
        break;
    case BSON_TYPE_DATE_TIME:
        g_string_append_printf(out, "new Date(%" G_GINT64_FORMAT ")", bson_iter_date_time(it));
        break;
    case BSON_TYPE_TIMESTAMP:
        bson_iter_timestamp(it, &t, &i);
        g_string_append_printf(out, "Timestamp(%u, %u)", t, i);
        break;
    case BSON_TYPE_DECIMAL128:
        number_decimal_text(raw_of(it).data, text);
        g_string_append(out, text);
        break;
    case BSON_TYPE_REGEX:
        g_string_append_printf(out, "/%s/", bson_iter_regex(it, NULL));
        break;
    case BSON_TYPE_UNDEFINED:
        g_string_append(out, "undefined");
        break;
    default:
        g_string_append(out, "?");
        break;
    }
}

static void put_value(GString *out, const bson_iter_t *it, unsigned depth)
{
    bson_iter_t child;
    switch (bson_iter_type(it)) {
    case BSON_TYPE_DOUBLE:
        put_double(out, bson_iter_double(it));
        break;
    case BSON_TYPE_UTF8:
        put_string(out, it);
        break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        if (bson_iter_recurse(it, &child))
            put_fields(out, &child, BSON_ITER_HOLDS_ARRAY(it), depth);
        break;
    case BSON_TYPE_BINARY:
        put_binary(out, it);
        break;
    case BSON_TYPE_BOOL:
        g_string_append(out, bson_iter_bool(it) ? "true" : "false");
        break;
    case BSON_TYPE_NULL:
        g_string_append(out, "null");
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        g_string_append_printf(out, "%" G_GINT64_FORMAT, bson_iter_as_int64(it));
        break;
    case BSON_TYPE_MINKEY:
        g_string_append(out, "MinKey");
        break;
    case BSON_TYPE_MAXKEY:
        g_string_append(out, "MaxKey");
        break;
    default:
        put_other(out, it);
        break;
    }
}

void server_text_append(GString *out, const bson_t *doc)
{
    bson_iter_t it;
    if (bson_iter_init(&it, doc))
        put_fields(out, &it, false, 0);
}

char *server_text(const bson_t *doc)
{
    GString *out = g_string_new(NULL);
    server_text_append(out, doc);
    return g_string_free(out, FALSE);
}

char *server_range_text(const bson_t *min, const bson_t *max, const char *sep)
{
    GString *out = g_string_new("[");
    server_text_append(out, min);
    g_string_append(out, sep);
    server_text_append(out, max);
    g_string_append_c(out, ')');
    return g_string_free(out, FALSE);
}

char *server_chunk_id(const char *ns, const bson_t *min)
{
    GString *out = g_string_new(ns);
    bson_iter_t it;
    g_string_append_c(out, '-');
    if (bson_iter_init(&it, min)) {
        while (bson_iter_next(&it)) {
            g_string_append_printf(out, "%s_", bson_iter_key(&it));
            put_value(out, &it, 0);
        }
    }
    return g_string_free(out, FALSE);
}
