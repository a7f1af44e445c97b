// SPDX-License-Identifier: Apache-2.0
/* Relaxed Extended JSON v2. libbson writes it too, but not doubles in their shortest form, not every date,
 * and it gives up on text that is not UTF-8. */
#include "balancer/key/show.h"

#include "balancer/key/number.h"
#include "balancer/key/spell.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static spell_fn json_raw;
static void json_name(GString *out, const char *name);

static const struct spelling as_json = {
    .value = json_raw,
    .name = json_name,
    .open = "{",
    .close = "}",
    .too_deep = "null",
    .corrupt = "", /* what is left out here was refused before, by key_encode_bound() */
};

static void put_string(GString *out, const char *s, gsize len)
{
    spell_quoted(out, s, len, /* for_script= */ false);
}

static void json_name(GString *out, const char *name)
{
    put_string(out, name, strlen(name));
    g_string_append(out, ": ");
}

/* A double stays one: "2.0". */
static void json_double(GString *out, double d)
{
    char text[SPELL_DOUBLE_MAX];
    spell_double(d, text);
    if (!isfinite(d))
        g_string_append_printf(out, "{\"$numberDouble\": \"%s\"}", text);
    else
        g_string_append_printf(out, "%s%s", text, spell_looks_integer(text) ? ".0" : "");
}

static void json_decimal(GString *out, const uint8_t *bytes)
{
    char text[NUMBER_TEXT_MAX];
    number_decimal_text(bytes, text);
    g_string_append_printf(out, "{\"$numberDecimal\": \"%s\"}", text);
}

/* Relaxed: as text from 1970 to 9999, else as a number. */
static void json_date(GString *out, int64_t ms)
{
    g_string_append(out, "{\"$date\": ");
    gsize start = out->len;
    g_string_append_c(out, '"');
    if (ms >= 0 && spell_date(out, ms)) {
        g_string_append(out, "\"}");
        return;
    }
    g_string_truncate(out, start);
    g_string_append_printf(out, "{\"$numberLong\": \"%" PRId64 "\"}}", ms);
}

static void json_binary(GString *out, struct raw v)
{
    uint8_t subtype;
    struct raw bytes = spell_binary(v, &subtype);
    g_string_append(out, "{\"$binary\": {\"base64\": \"");
    spell_base64(out, bytes.data, bytes.len);
    g_string_append_printf(out, "\", \"subType\": \"%02x\"}}", subtype);
}

static void json_text(GString *out, struct raw v, unsigned depth)
{
    struct raw_text t;
    if (!raw_text(v, &t)) {
        g_string_append(out, "null");
        return;
    }
    if (v.type == BSON_TYPE_UTF8) {
        put_string(out, t.text, t.len);
        return;
    }
    g_string_append(out, v.type == BSON_TYPE_SYMBOL ? "{\"$symbol\": " : "{\"$code\": ");
    put_string(out, t.text, t.len);
    if (t.scope != NULL) {
        g_string_append(out, ", \"$scope\": ");
        spell_document(out, &as_json, t.scope, t.scope_len, depth + 1);
    }
    g_string_append_c(out, '}');
}

static void json_oid(GString *out, const uint8_t *oid)
{
    g_string_append(out, "{\"$oid\": \"");
    spell_hex(out, oid, 12);
    g_string_append(out, "\"}");
}

static void json_regex(GString *out, struct raw v)
{
    const char *flags = spell_regex_flags(v);
    g_string_append(out, "{\"$regularExpression\": {\"pattern\": ");
    put_string(out, (const char *)v.data, strlen((const char *)v.data));
    g_string_append(out, ", \"options\": ");
    put_string(out, flags, strlen(flags));
    g_string_append(out, "}}");
}

static void json_dbpointer(GString *out, struct raw v)
{
    uint32_t count = raw_u32(v.data);
    g_string_append(out, "{\"$dbPointer\": {\"$ref\": ");
    put_string(out, (const char *)v.data + 4, count - 1);
    g_string_append(out, ", \"$id\": ");
    json_oid(out, v.data + 4 + count);
    g_string_append(out, "}}");
}

static void json_raw(GString *out, struct raw v, unsigned depth)
{
    switch (v.type) {
    case BSON_TYPE_MINKEY:
        g_string_append(out, "{\"$minKey\": 1}");
        break;
    case BSON_TYPE_MAXKEY:
        g_string_append(out, "{\"$maxKey\": 1}");
        break;
    case BSON_TYPE_NULL:
        g_string_append(out, "null");
        break;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED:
        g_string_append(out, "{\"$undefined\": true}");
        break;
    case BSON_TYPE_BOOL:
        g_string_append(out, v.data[0] ? "true" : "false");
        break;
    case BSON_TYPE_INT32:
        g_string_append_printf(out, "%" PRId32, (int32_t)raw_u32(v.data));
        break;
    case BSON_TYPE_INT64:
        g_string_append_printf(out, "%" PRId64, (int64_t)raw_u64(v.data));
        break;
    case BSON_TYPE_DOUBLE:
        json_double(out, raw_double(v.data));
        break;
    case BSON_TYPE_DECIMAL128:
        json_decimal(out, v.data);
        break;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
    case BSON_TYPE_CODEWSCOPE:
        json_text(out, v, depth);
        break;
    case BSON_TYPE_DOCUMENT:
        spell_document(out, &as_json, v.data, v.len, depth + 1);
        break;
    case BSON_TYPE_ARRAY:
        spell_array(out, &as_json, v.data, v.len, depth + 1);
        break;
    case BSON_TYPE_BINARY:
        json_binary(out, v);
        break;
    case BSON_TYPE_OID:
        json_oid(out, v.data);
        break;
    case BSON_TYPE_DATE_TIME:
        json_date(out, (int64_t)raw_u64(v.data));
        break;
    case BSON_TYPE_TIMESTAMP:
        g_string_append_printf(out, "{\"$timestamp\": {\"t\": %" PRIu32 ", \"i\": %" PRIu32 "}}",
                               raw_u32(v.data + 4), raw_u32(v.data));
        break;
    case BSON_TYPE_REGEX:
        json_regex(out, v);
        break;
    case BSON_TYPE_DBPOINTER:
        json_dbpointer(out, v);
        break;
    }
}

void key_json(GString *out, const bson_t *doc)
{
    spell_document(out, &as_json, bson_get_data(doc), doc->len, /* depth= */ 0);
}

char *key_json_text(const bson_t *doc)
{
    if (doc == NULL)
        return NULL;
    GString *out = g_string_new(NULL);
    key_json(out, doc);
    return g_string_free(out, FALSE);
}
