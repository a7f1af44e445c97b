// SPDX-License-Identifier: Apache-2.0
/* The layout is described in docs/key-order.md; the rules that it obeys are those of the server's BSON
 * comparison. */
#include "balancer/key/encode.h"

#include "balancer/key/number.h"
#include "balancer/key/raw.h"

#include <string.h>

enum {
    END_MARK = 0x00,     /* ends a document, a string, a name; below every type byte */
    ESCAPED_NUL = 0xff,  /* behind a NUL that belongs to a string; above every type byte */
    TYPE_BYTE_OFFSET = 2 /* canonical types begin at -1 */
};

static void put_byte(GByteArray *out, unsigned b)
{
    uint8_t byte = (uint8_t)b;
    g_byte_array_append(out, &byte, 1);
}

static void put_be32(GByteArray *out, uint32_t n)
{
    n = GUINT32_TO_BE(n);
    g_byte_array_append(out, (const uint8_t *)&n, sizeof n);
}

static void put_be64(GByteArray *out, uint64_t n)
{
    n = GUINT64_TO_BE(n);
    g_byte_array_append(out, (const uint8_t *)&n, sizeof n);
}

static void put_type(GByteArray *out, bson_type_t type)
{
    put_byte(out, (unsigned)(raw_rank(type) + TYPE_BYTE_OFFSET));
}

static bool corrupt(struct err *err)
{
    return err_set(err, ERR_DATA, "corrupt BSON");
}

/* Text that may hold NULs. */
static bool put_text(GByteArray *out, const char *s, uint32_t len, struct err *err)
{
    if (!raw_is_utf8(s, len))
        return err_set(err, ERR_DATA, "a string that is not UTF-8");
    const char *end = s + len;
    const char *nul;
    while ((nul = memchr(s, 0, (size_t)(end - s))) != NULL) {
        g_byte_array_append(out, (const uint8_t *)s, (guint)(nul - s) + 1);
        put_byte(out, ESCAPED_NUL);
        s = nul + 1;
    }
    g_byte_array_append(out, (const uint8_t *)s, (guint)(end - s));
    put_byte(out, END_MARK);
    return true;
}

/* Text that cannot hold a NUL needs no escaping: its own NUL is the end mark. */
static bool put_c_string(GByteArray *out, const char *s, uint32_t len, struct err *err)
{
    if (!raw_is_utf8(s, len))
        return err_set(err, ERR_DATA, "a field name or regular expression that is not UTF-8");
    g_byte_array_append(out, (const uint8_t *)s, len + 1);
    return true;
}

static bool put_value(GByteArray *out, struct raw v, unsigned depth, struct err *err);

/* Type before name before value: the order in which the server compares the fields of two documents. */
static bool put_document(GByteArray *out, const uint8_t *doc, uint32_t len, unsigned depth, struct err *err)
{
    bson_iter_t it;
    if (depth > KEY_DEPTH_MAX)
        return err_set(err, ERR_DATA, "documents nested more than %d deep", (int)KEY_DEPTH_MAX);
    if (!raw_open(&it, doc, len))
        return corrupt(err);
    while (bson_iter_next(&it)) {
        struct raw v = raw_of(&it);
        put_type(out, v.type);
        if (!put_c_string(out, bson_iter_key(&it), bson_iter_key_len(&it), err) ||
            !put_value(out, v, depth, err))
            return false;
    }
    if (raw_broken(&it))
        return corrupt(err);
    put_byte(out, END_MARK);
    return true;
}

static bool put_string_or_code(GByteArray *out, struct raw v, unsigned depth, struct err *err)
{
    struct raw_text t;
    if (!raw_text(v, &t))
        return corrupt(err);
    if (!put_text(out, t.text, t.len, err))
        return false;
    return t.scope == NULL || put_document(out, t.scope, t.scope_len, depth + 1, err);
}

static bool put_regex(GByteArray *out, struct raw v, struct err *err)
{
    const char *pattern = (const char *)v.data;
    uint32_t pattern_len = (uint32_t)strlen(pattern);
    const char *flags = pattern + pattern_len + 1;
    return put_c_string(out, pattern, pattern_len, err) &&
           put_c_string(out, flags, (uint32_t)strlen(flags), err);
}

/* The namespace is text that a plan has to show. */
static bool put_dbpointer(GByteArray *out, struct raw v, struct err *err)
{
    if (!raw_is_utf8((const char *)v.data + 4, raw_u32(v.data) - 1))
        return err_set(err, ERR_DATA, "a string that is not UTF-8");
    put_be32(out, v.len);
    g_byte_array_append(out, v.data, v.len);
    return true;
}

static void put_timestamp(GByteArray *out, const uint8_t *data)
{
    put_be32(out, raw_u32(data + 4)); /* seconds */
    put_be32(out, raw_u32(data));
}

/* The payload behind the type byte. `depth` is that of the document around the value. */
static bool put_value(GByteArray *out, struct raw v, unsigned depth, struct err *err)
{
    switch (v.type) {
    case BSON_TYPE_EOD:
    case BSON_TYPE_MINKEY:
    case BSON_TYPE_MAXKEY:
    case BSON_TYPE_NULL:
    case BSON_TYPE_UNDEFINED:
        break;
    case BSON_TYPE_INT32:
        number_encode_int64(out, (int32_t)raw_u32(v.data));
        break;
    case BSON_TYPE_INT64:
        number_encode_int64(out, (int64_t)raw_u64(v.data));
        break;
    case BSON_TYPE_DOUBLE:
        number_encode_double(out, raw_double(v.data));
        break;
    case BSON_TYPE_DECIMAL128:
        number_encode_decimal(out, v.data);
        break;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
    case BSON_TYPE_CODEWSCOPE:
        return put_string_or_code(out, v, depth, err);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return put_document(out, v.data, v.len, depth + 1, err);
    case BSON_TYPE_BINARY: /* length, subtype, bytes; all as stored, also for the old subtype 2 */
        put_be32(out, raw_u32(v.data));
        g_byte_array_append(out, v.data + 4, v.len - 4);
        break;
    case BSON_TYPE_OID:
    case BSON_TYPE_BOOL:
        g_byte_array_append(out, v.data, v.len);
        break;
    case BSON_TYPE_DATE_TIME: /* signed: the flipped sign bit puts negative ones first */
        put_be64(out, raw_u64(v.data) ^ (uint64_t)1 << 63);
        break;
    case BSON_TYPE_TIMESTAMP:
        put_timestamp(out, v.data);
        break;
    case BSON_TYPE_REGEX:
        return put_regex(out, v, err);
    case BSON_TYPE_DBPOINTER:
        return put_dbpointer(out, v, err);
    }
    return true;
}

bool key_encode_value(const bson_iter_t *it, GByteArray *out, struct err *err)
{
    guint start = out->len;
    struct raw v = raw_of(it);
    put_type(out, v.type);
    if (put_value(out, v, 0, err))
        return true;
    g_byte_array_set_size(out, start);
    return false;
}

bool key_bound_names(const uint8_t *bound, uint32_t len, GString *out)
{
    bson_iter_t it;
    if (!raw_open(&it, bound, len))
        return false;
    gsize start = out->len;
    while (bson_iter_next(&it))
        g_string_append_len(out, bson_iter_key(&it), (gssize)bson_iter_key_len(&it) + 1);
    if (raw_broken(&it)) {
        g_string_truncate(out, start);
        return false;
    }
    return true;
}

/* "{ a, b }" */
static char *list_names(const GString *names)
{
    g_autoptr(GString) list = g_string_new("{");
    for (gsize i = 0; i < names->len; i += strlen(names->str + i) + 1)
        g_string_append_printf(list, "%s %s", i > 0 ? "," : "", names->str + i);
    g_string_append(list, " }");
    return g_strdup(list->str);
}

static bool wrong_names(const uint8_t *bound, uint32_t len, const GString *names, struct err *err)
{
    g_autoptr(GString) found = g_string_new(NULL);
    if (!key_bound_names(bound, len, found))
        return corrupt(err);
    g_autofree char *found_list = list_names(found);
    g_autofree char *want_list = list_names(names);
    return err_set(err, ERR_DATA, "the fields are %s but the shard key is %s", found_list, want_list);
}

static bool encode_fields(const uint8_t *bound, uint32_t len, const GString *names, GByteArray *enc,
                          GByteArray *packed, struct err *err)
{
    bson_iter_t it;
    const char *want = names->str;
    const char *end = want + names->len;
    if (!raw_open(&it, bound, len))
        return corrupt(err);
    while (bson_iter_next(&it)) {
        struct raw v = raw_of(&it);
        size_t name_size = (size_t)bson_iter_key_len(&it) + 1;
        if ((size_t)(end - want) < name_size || memcmp(want, bson_iter_key(&it), name_size) != 0)
            return wrong_names(bound, len, names, err);
        want += name_size;
        put_type(enc, v.type);
        if (!put_value(enc, v, 0, err))
            return err_wrap(err, "field '%s'", bson_iter_key(&it));
        if (packed != NULL) {
            put_byte(packed, v.type);
            g_byte_array_append(packed, v.data, v.len);
        }
    }
    if (raw_broken(&it))
        return corrupt(err);
    return want == end || wrong_names(bound, len, names, err);
}

bool key_encode_bound(const uint8_t *bound, uint32_t len, const GString *names, GByteArray *enc,
                      GByteArray *packed, struct err *err)
{
    guint enc_start = enc->len;
    guint packed_start = packed == NULL ? 0 : packed->len;
    if (encode_fields(bound, len, names, enc, packed, err))
        return true;
    g_byte_array_set_size(enc, enc_start);
    if (packed != NULL)
        g_byte_array_set_size(packed, packed_start);
    return false;
}

void key_unpack(const key_pattern *p, const uint8_t *packed, uint32_t len, bson_t *out)
{
    g_autoptr(GByteArray) doc = g_byte_array_sized_new(len + (guint)p->names->len + 64);
    uint32_t at = 0;
    g_byte_array_set_size(doc, 4); /* the length comes last */
    for (uint32_t i = 0; i < p->n_fields && at < len; i++) {
        bson_type_t type = (bson_type_t)packed[at];
        const char *name = p->fields[i].name;
        uint32_t size = raw_size(type, packed + at + 1, len - at - 1);
        if (size > len - at - 1)
            break; /* not made by key_encode_bound() with this pattern */
        g_byte_array_append(doc, packed + at, 1);
        g_byte_array_append(doc, (const uint8_t *)name, (guint)strlen(name) + 1);
        g_byte_array_append(doc, packed + at + 1, size);
        at += 1 + size;
    }
    put_byte(doc, 0);
    uint32_t total = GUINT32_TO_LE(doc->len);
    memcpy(doc->data, &total, sizeof total);
    bson_t built;
    if (bson_init_static(&built, doc->data, doc->len))
        bson_concat(out, &built);
}

int key_cmp(const uint8_t *a, uint32_t alen, const uint8_t *b, uint32_t blen)
{
    uint32_t common = MIN(alen, blen);
    int c = common == 0 ? 0 : memcmp(a, b, common);
    return c != 0 ? c : (alen > blen) - (alen < blen);
}

void key_encode_global(const key_pattern *p, bool max, GByteArray *out)
{
    for (uint32_t i = 0; i < p->n_fields; i++)
        put_type(out, max != p->fields[i].descending ? BSON_TYPE_MAXKEY : BSON_TYPE_MINKEY);
}
