// SPDX-License-Identifier: Apache-2.0
/* The spelling as mongosh source. What JavaScript cannot hold exactly becomes an expression that throws: a
 * script must stop there rather than send another key. */
#include "balancer/key/show.h"

#include "balancer/key/encode.h"
#include "balancer/key/number.h"
#include "balancer/key/spell.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static spell_fn script_raw;

static void put_string(GString *out, const char *s, gsize len)
{
    spell_quoted(out, s, len, /* for_script= */ true);
}

/* An expression that stops the script. `what` is plain text of our own. */
static void put_refusal(GString *out, const char *what)
{
    g_string_append_printf(
        out, "(() => { throw new Error(\"mongosh cannot write %s; carry this out otherwise\"); })()", what);
}

static void script_name(GString *out, const char *name)
{
    put_string(out, name, strlen(name));
    g_string_append(out, ": ");
}

static void script_entry(GString *out, const char *name)
{
    g_string_append_c(out, '[');
    put_string(out, name, strlen(name));
    g_string_append(out, ", ");
}

static void script_entry_value(GString *out, struct raw v, unsigned depth)
{
    script_raw(out, v, depth);
    g_string_append_c(out, ']');
}

static const struct spelling as_literal = {
    .value = script_raw,
    .name = script_name,
    .open = "{ ",
    .close = " }",
    .too_deep = "(() => { throw new Error(\"nested too deep\"); })()",
    .corrupt = "",
};

/* A Map keeps names that an object literal would treat specially, in their order. */
static const struct spelling as_map = {
    .value = script_entry_value,
    .name = script_entry,
    .open = "new Map([",
    .close = "])",
    .too_deep = "(() => { throw new Error(\"nested too deep\"); })()",
    .corrupt = "",
};

/* JavaScript puts names like "7" before all others; the rest mean something to objects or to the driver. */
static bool is_special_name(const char *name)
{
    static const char *const special[] = {"__proto__", "_bsontype", "toBSON"};
    for (size_t i = 0; i < G_N_ELEMENTS(special); i++) {
        if (strcmp(name, special[i]) == 0)
            return true;
    }
    return *name != '\0' && strspn(name, "0123456789") == strlen(name);
}

enum doc_shape { SHAPE_LITERAL, SHAPE_MAP, SHAPE_REPEATED, SHAPE_CORRUPT };

static enum doc_shape shape_of(const uint8_t *doc, uint32_t len)
{
    enum doc_shape shape = SHAPE_LITERAL;
    bson_iter_t it;
    if (!raw_open(&it, doc, len))
        return SHAPE_CORRUPT;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    while (bson_iter_next(&it)) {
        const char *name = bson_iter_key(&it);
        if (!g_hash_table_add(seen, (gpointer)(uintptr_t)name))
            return SHAPE_REPEATED;
        if (is_special_name(name))
            shape = SHAPE_MAP;
    }
    return raw_broken(&it) ? SHAPE_CORRUPT : shape;
}

static void script_document(GString *out, const uint8_t *doc, uint32_t len, unsigned depth)
{
    switch (depth > KEY_DEPTH_MAX ? SHAPE_LITERAL : shape_of(doc, len)) {
    case SHAPE_LITERAL:
        spell_document(out, &as_literal, doc, len, depth);
        break;
    case SHAPE_MAP:
        spell_document(out, &as_map, doc, len, depth);
        break;
    case SHAPE_REPEATED:
        put_refusal(out, "a document that has a field twice");
        break;
    case SHAPE_CORRUPT:
        put_refusal(out, "corrupt BSON");
        break;
    }
}

/* JavaScript numbers the elements itself. */
static void script_array(GString *out, const uint8_t *doc, uint32_t len, unsigned depth)
{
    bson_iter_t it;
    bool as_numbered = raw_open(&it, doc, len);
    for (uint32_t i = 0; as_numbered && bson_iter_next(&it); i++) {
        char index[16];
        g_snprintf(index, sizeof index, "%" PRIu32, i);
        as_numbered = strcmp(index, bson_iter_key(&it)) == 0;
    }
    if (!as_numbered || raw_broken(&it))
        put_refusal(out, "an array whose elements are not numbered in order");
    else
        spell_array(out, &as_literal, doc, len, depth);
}

/* The driver sends a number without a fraction as an int32 unless it is told otherwise. */
static void script_double(GString *out, double d)
{
    char text[SPELL_DOUBLE_MAX];
    spell_double(d, text);
    bool plain = isfinite(d) && trunc(d) != d;
    g_string_append_printf(out, plain ? "%s" : "Double(%s)", text);
}

static void script_decimal(GString *out, const uint8_t *bytes)
{
    char text[NUMBER_TEXT_MAX];
    number_decimal_text(bytes, text);
    g_string_append_printf(out, "NumberDecimal(\"%s\")", text);
}

static void script_date(GString *out, int64_t ms)
{
    const int64_t limit = 8640000000000000; /* of a JavaScript Date, either side of 1970 */
    gsize start = out->len;
    g_string_append(out, "ISODate(\"");
    if (spell_date(out, ms)) {
        g_string_append(out, "\")");
        return;
    }
    g_string_truncate(out, start);
    if (ms < -limit || ms > limit)
        put_refusal(out, "a date so far from 1970");
    else
        g_string_append_printf(out, "new Date(%" PRId64 ")", ms);
}

static void script_text(GString *out, struct raw v, unsigned depth)
{
    struct raw_text t;
    if (!raw_text(v, &t) || !raw_is_utf8(t.text, t.len)) {
        put_refusal(out, "a string that is not UTF-8");
        return;
    }
    if (v.type != BSON_TYPE_UTF8)
        g_string_append(out, v.type == BSON_TYPE_SYMBOL ? "new BSONSymbol(" : "Code(");
    put_string(out, t.text, t.len);
    if (t.scope != NULL) {
        g_string_append(out, ", ");
        script_document(out, t.scope, t.scope_len, depth + 1);
    }
    g_string_append(out, v.type != BSON_TYPE_UTF8 ? ")" : "");
}

/* RegExp() keeps a pattern as it is only where JavaScript has nothing to escape in it, and knows few of the
 * flags. */
static bool regexp_keeps(const char *pattern, const char *flags)
{
    bool plain = *pattern != '\0' && strpbrk(pattern, "/\r\n") == NULL &&
                 g_utf8_validate(pattern, -1, NULL) && strstr(pattern, "\xe2\x80\xa8") == NULL &&
                 strstr(pattern, "\xe2\x80\xa9") == NULL;
    bool known =
        *flags == '\0' || strcmp(flags, "i") == 0 || strcmp(flags, "m") == 0 || strcmp(flags, "im") == 0;
    return plain && known;
}

static void script_regex(GString *out, struct raw v)
{
    const char *pattern = (const char *)v.data;
    const char *flags = spell_regex_flags(v);
    bool keeps = regexp_keeps(pattern, flags);
    g_string_append(out, keeps ? "RegExp(" : "EJSON.deserialize({\"$regularExpression\": {\"pattern\": ");
    put_string(out, pattern, strlen(pattern));
    g_string_append(out, keeps ? ", " : ", \"options\": ");
    put_string(out, flags, strlen(flags));
    g_string_append(out, keeps ? ")" : "}})");
}

static void script_binary(GString *out, struct raw v)
{
    uint8_t subtype;
    struct raw bytes = spell_binary(v, &subtype);
    g_string_append_printf(out, "BinData(%d, \"", subtype);
    spell_base64(out, bytes.data, bytes.len);
    g_string_append(out, "\")");
}

static void script_number(GString *out, struct raw v)
{
    if (v.type == BSON_TYPE_INT32)
        g_string_append_printf(out, "NumberInt(%" PRId32 ")", (int32_t)raw_u32(v.data));
    else if (v.type == BSON_TYPE_INT64)
        g_string_append_printf(out, "NumberLong(\"%" PRId64 "\")", (int64_t)raw_u64(v.data));
    else if (v.type == BSON_TYPE_DOUBLE)
        script_double(out, raw_double(v.data));
    else
        script_decimal(out, v.data);
}

static void script_raw(GString *out, struct raw v, unsigned depth)
{
    switch (v.type) {
    case BSON_TYPE_MINKEY:
        g_string_append(out, "MinKey()");
        break;
    case BSON_TYPE_MAXKEY:
        g_string_append(out, "MaxKey()");
        break;
    case BSON_TYPE_NULL:
        g_string_append(out, "null");
        break;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED:
        put_refusal(out, "a BSON undefined");
        break;
    case BSON_TYPE_BOOL:
        g_string_append(out, v.data[0] ? "true" : "false");
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
        script_number(out, v);
        break;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
    case BSON_TYPE_CODEWSCOPE:
        script_text(out, v, depth);
        break;
    case BSON_TYPE_DOCUMENT:
        script_document(out, v.data, v.len, depth + 1);
        break;
    case BSON_TYPE_ARRAY:
        script_array(out, v.data, v.len, depth + 1);
        break;
    case BSON_TYPE_BINARY:
        script_binary(out, v);
        break;
    case BSON_TYPE_OID:
        g_string_append(out, "ObjectId(\"");
        spell_hex(out, v.data, v.len);
        g_string_append(out, "\")");
        break;
    case BSON_TYPE_DATE_TIME:
        script_date(out, (int64_t)raw_u64(v.data));
        break;
    case BSON_TYPE_TIMESTAMP:
        g_string_append_printf(out, "Timestamp({ t: %" PRIu32 ", i: %" PRIu32 " })", raw_u32(v.data + 4),
                               raw_u32(v.data));
        break;
    case BSON_TYPE_REGEX:
        script_regex(out, v);
        break;
    case BSON_TYPE_DBPOINTER:
        put_refusal(out, "a DBPointer");
        break;
    }
}

void key_mongosh(GString *out, const bson_t *doc)
{
    script_document(out, bson_get_data(doc), doc->len, /* depth= */ 0);
}

void key_mongosh_string(GString *out, const char *s)
{
    put_string(out, s, strlen(s));
}
