// SPDX-License-Identifier: Apache-2.0
/* The spelling for people: near to what mongosh prints, with the types told apart only where they matter. */
#include "balancer/key/show.h"

#include "balancer/key/number.h"
#include "balancer/key/spell.h"
#include "common/text.h"

#include <inttypes.h>
#include <string.h>

static spell_fn show_raw;
static void show_name(GString *out, const char *name);

static const struct spelling for_people = {
    .value = show_raw,
    .name = show_name,
    .open = "{ ",
    .close = " }",
    .too_deep = "{ nested too deep }",
    .corrupt = "<corrupt BSON>",
};

/* Names that JavaScript takes without quotes. */
static bool is_plain_name(const char *name)
{
    if (!g_ascii_isalpha(*name) && *name != '_' && *name != '$')
        return false;
    for (; *name != '\0'; name++) {
        if (!g_ascii_isalnum(*name) && *name != '_' && *name != '$')
            return false;
    }
    return true;
}

static void show_name(GString *out, const char *name)
{
    if (is_plain_name(name))
        g_string_append(out, name);
    else
        spell_quoted(out, name, strlen(name), /* for_script= */ false);
    g_string_append(out, ": ");
}

static void show_binary(GString *out, struct raw v)
{
    uint8_t subtype;
    struct raw bytes = spell_binary(v, &subtype);
    if (subtype == BSON_SUBTYPE_UUID && bytes.len == 16) {
        static const uint8_t parts[] = {4, 2, 2, 2, 6};
        g_string_append(out, "UUID(\"");
        for (size_t i = 0, at = 0; i < sizeof parts; at += parts[i++]) {
            g_string_append(out, i == 0 ? "" : "-");
            spell_hex(out, bytes.data + at, parts[i]);
        }
    } else {
        g_string_append_printf(out, "BinData(%d, \"", subtype);
        spell_base64(out, bytes.data, bytes.len);
    }
    g_string_append(out, "\")");
}

/* A string as it is, code in its wrapping. */
static void show_text(GString *out, struct raw v, unsigned depth)
{
    struct raw_text t;
    bool is_code = v.type == BSON_TYPE_CODE || v.type == BSON_TYPE_CODEWSCOPE;
    if (!raw_text(v, &t)) {
        g_string_append(out, for_people.corrupt);
        return;
    }
    g_string_append(out, is_code ? "Code(" : "");
    spell_quoted(out, t.text, t.len, /* for_script= */ false);
    if (t.scope != NULL) {
        g_string_append(out, ", ");
        spell_document(out, &for_people, t.scope, t.scope_len, depth + 1);
    }
    g_string_append(out, is_code ? ")" : "");
}

static void show_date(GString *out, int64_t ms)
{
    gsize start = out->len;
    g_string_append(out, "ISODate(\"");
    if (spell_date(out, ms)) {
        g_string_append(out, "\")");
        return;
    }
    g_string_truncate(out, start);
    g_string_append_printf(out, "Date(%" PRId64 ")", ms);
}

static void show_dbpointer(GString *out, struct raw v)
{
    uint32_t count = raw_u32(v.data);
    g_string_append(out, "DBPointer(");
    spell_quoted(out, (const char *)v.data + 4, count - 1, /* for_script= */ false);
    g_string_append(out, ", ObjectId(\"");
    spell_hex(out, v.data + 4 + count, 12);
    g_string_append(out, "\"))");
}

static void show_number(GString *out, struct raw v)
{
    char text[NUMBER_TEXT_MAX];
    if (v.type == BSON_TYPE_DECIMAL128) {
        number_decimal_text(v.data, text);
        g_string_append_printf(out, "NumberDecimal(\"%s\")", text);
    } else if (v.type == BSON_TYPE_DOUBLE) {
        spell_double(raw_double(v.data), text);
        g_string_append(out, text);
    } else {
        int64_t n = v.type == BSON_TYPE_INT32 ? (int32_t)raw_u32(v.data) : (int64_t)raw_u64(v.data);
        g_string_append_printf(out, "%" PRId64, n);
    }
}

static void show_regex(GString *out, struct raw v)
{
    g_string_append_c(out, '/');
    text_append_escaped(out, (const char *)v.data, -1);
    g_string_append_c(out, '/');
    text_append_escaped(out, spell_regex_flags(v), -1);
}

static void show_raw(GString *out, struct raw v, unsigned depth)
{
    switch (v.type) {
    case BSON_TYPE_MINKEY:
        g_string_append(out, "MinKey");
        break;
    case BSON_TYPE_MAXKEY:
        g_string_append(out, "MaxKey");
        break;
    case BSON_TYPE_NULL:
        g_string_append(out, "null");
        break;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED:
        g_string_append(out, "undefined");
        break;
    case BSON_TYPE_BOOL:
        g_string_append(out, v.data[0] ? "true" : "false");
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
        show_number(out, v);
        break;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
    case BSON_TYPE_CODEWSCOPE:
        show_text(out, v, depth);
        break;
    case BSON_TYPE_DOCUMENT:
        spell_document(out, &for_people, v.data, v.len, depth + 1);
        break;
    case BSON_TYPE_ARRAY:
        spell_array(out, &for_people, v.data, v.len, depth + 1);
        break;
    case BSON_TYPE_BINARY:
        show_binary(out, v);
        break;
    case BSON_TYPE_OID:
        g_string_append(out, "ObjectId(\"");
        spell_hex(out, v.data, v.len);
        g_string_append(out, "\")");
        break;
    case BSON_TYPE_DATE_TIME:
        show_date(out, (int64_t)raw_u64(v.data));
        break;
    case BSON_TYPE_TIMESTAMP:
        g_string_append_printf(out, "Timestamp(%" PRIu32 ", %" PRIu32 ")", raw_u32(v.data + 4),
                               raw_u32(v.data));
        break;
    case BSON_TYPE_REGEX:
        show_regex(out, v);
        break;
    case BSON_TYPE_DBPOINTER:
        show_dbpointer(out, v);
        break;
    }
}

/* Appends `text`, its middle left out where it is longer than `max_chars`. */
static void append_shortened(GString *out, const GString *text, guint max_chars)
{
    glong chars = g_utf8_strlen(text->str, (gssize)text->len);
    if (max_chars == 0 || chars <= (glong)max_chars) {
        g_string_append_len(out, text->str, (gssize)text->len);
        return;
    }
    glong behind = (glong)(max_chars - 1) / 2;
    glong before = (glong)max_chars - 1 - behind;
    g_string_append_len(out, text->str, g_utf8_offset_to_pointer(text->str, before) - text->str);
    g_string_append(out, "…");
    g_string_append(out, g_utf8_offset_to_pointer(text->str, chars - behind));
}

void key_show(GString *out, const bson_t *doc, guint max_chars)
{
    g_autoptr(GString) text = g_string_new(NULL);
    spell_document(text, &for_people, bson_get_data(doc), doc->len, /* depth= */ 0);
    append_shortened(out, text, max_chars);
}

void key_show_value(GString *out, const bson_iter_t *it, guint max_chars)
{
    g_autoptr(GString) text = g_string_new(NULL);
    show_raw(text, raw_of(it), /* depth= */ 0);
    append_shortened(out, text, max_chars);
}
