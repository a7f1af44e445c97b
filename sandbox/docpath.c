// SPDX-License-Identifier: Apache-2.0
#include "sandbox/docpath.h"

#include "balancer/key/raw.h"

#include <math.h>
#include <string.h>

enum { TYPE_NUMBER = -2 };

/* libbson checks the lengths inside as it walks, so a static view is enough. */
bool doc_under(const bson_iter_t *it, bson_t *ret)
{
    const uint8_t *data = NULL;
    uint32_t len = 0;
    if (BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, &len, &data);
    else if (BSON_ITER_HOLDS_ARRAY(it))
        bson_iter_array(it, &len, &data);
    return data != NULL && bson_init_static(ret, data, len);
}

/* The first component of `path`, and where the next one begins (NULL: it was the last). */
static const char *split_path(const char *path, size_t *ret_len)
{
    const char *dot = strchr(path, '.');
    *ret_len = dot == NULL ? strlen(path) : (size_t)(dot - path);
    return dot == NULL ? NULL : dot + 1;
}

static bool find_component(const bson_t *doc, const char *name, size_t len, bson_iter_t *ret)
{
    return bson_iter_init(ret, doc) && bson_iter_find_w_len(ret, name, (int)len);
}

static bool is_index(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!g_ascii_isdigit(name[i]))
            return false;
    return len > 0;
}

static bool each_below(const bson_iter_t *it, const char *rest, docpath_fn *fn, void *user);

/* A number in the path may pick an element, or name a field of the elements: both are tried, as by the
 * server. */
static bool each_in_array(const bson_iter_t *it, const char *rest, docpath_fn *fn, void *user)
{
    bson_t array, inner;
    bson_iter_t el;
    size_t len;
    const char *next = split_path(rest, &len);
    if (!doc_under(it, &array) || !bson_iter_init(&el, &array))
        return false;
    if (is_index(rest, len) && bson_iter_find_w_len(&el, rest, (int)len) && each_below(&el, next, fn, user))
        return true;
    if (!bson_iter_init(&el, &array))
        return false;
    while (bson_iter_next(&el))
        if (BSON_ITER_HOLDS_DOCUMENT(&el) && doc_under(&el, &inner) && docpath_each(&inner, rest, fn, user))
            return true;
    return false;
}

/* `rest` is what is left of the path below `it`; NULL: `it` is the value. */
static bool each_below(const bson_iter_t *it, const char *rest, docpath_fn *fn, void *user)
{
    bson_t inner;
    if (rest == NULL)
        return fn(user, it);
    if (BSON_ITER_HOLDS_ARRAY(it))
        return each_in_array(it, rest, fn, user);
    if (BSON_ITER_HOLDS_DOCUMENT(it) && doc_under(it, &inner))
        return docpath_each(&inner, rest, fn, user);
    return fn(user, NULL);
}

/* Recursion goes down one level of the document a step, and the depth of documents was checked on the wire.
 */
bool docpath_each(const bson_t *doc, const char *path, docpath_fn *fn, void *user)
{
    bson_iter_t it;
    size_t len;
    const char *rest = split_path(path, &len);
    if (!find_component(doc, path, len, &it))
        return fn(user, NULL);
    return each_below(&it, rest, fn, user);
}

/* `ret` points into the bytes of `doc`, not into the views that the walk makes. */
bool docpath_find(const bson_t *doc, const char *path, bson_iter_t *ret)
{
    const bson_t *at = doc;
    bson_t inner;
    for (;;) {
        size_t len;
        const char *rest = split_path(path, &len);
        if (!find_component(at, path, len, ret))
            return false;
        if (rest == NULL)
            return true;
        if (!doc_under(ret, &inner))
            return false;
        at = &inner;
        path = rest;
    }
}

/* Encodings are what orders shard keys: queries must agree with them, or a balancer would see chunks out of
 * order. */
int value_compare(const bson_iter_t *a, const bson_iter_t *b)
{
    g_autoptr(GByteArray) ea = g_byte_array_new();
    g_autoptr(GByteArray) eb = g_byte_array_new();
    bool fine_a = key_encode_value(a, ea, NULL);
    bool fine_b = key_encode_value(b, eb, NULL);
    if (!fine_a || !fine_b)
        return fine_a ? -1 : fine_b ? 1 : 0;
    return key_cmp(ea->data, ea->len, eb->data, eb->len);
}

/* Doubles are clamped: casting one that does not fit would be undefined. */
bool value_int64(const bson_iter_t *it, int64_t *ret)
{
    switch (bson_iter_type(it)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        *ret = bson_iter_as_int64(it);
        return true;
    case BSON_TYPE_DOUBLE: {
        double d = bson_iter_double(it);
        if (isnan(d))
            *ret = 0;
        else if (d >= 9223372036854775807.0)
            *ret = INT64_MAX;
        else if (d <= -9223372036854775808.0)
            *ret = INT64_MIN;
        else
            *ret = (int64_t)d;
        return true;
    }
    default:
        return false;
    }
}

bool value_truth(const bson_iter_t *it)
{
    switch (bson_iter_type(it)) {
    case BSON_TYPE_BOOL:
        return bson_iter_bool(it);
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        return bson_iter_as_int64(it) != 0;
    case BSON_TYPE_DOUBLE:
        return fpclassify(bson_iter_double(it)) != FP_ZERO;
    case BSON_TYPE_NULL:
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_EOD:
        return false;
    default:
        return true;
    }
}

static const struct {
    int type;
    const char *name;
} types[] = {
    {BSON_TYPE_DOUBLE, "double"},
    {BSON_TYPE_UTF8, "string"},
    {BSON_TYPE_DOCUMENT, "object"},
    {BSON_TYPE_ARRAY, "array"},
    {BSON_TYPE_BINARY, "binData"},
    {BSON_TYPE_UNDEFINED, "undefined"},
    {BSON_TYPE_OID, "objectId"},
    {BSON_TYPE_BOOL, "bool"},
    {BSON_TYPE_DATE_TIME, "date"},
    {BSON_TYPE_NULL, "null"},
    {BSON_TYPE_REGEX, "regex"},
    {BSON_TYPE_DBPOINTER, "dbPointer"},
    {BSON_TYPE_CODE, "javascript"},
    {BSON_TYPE_SYMBOL, "symbol"},
    {BSON_TYPE_CODEWSCOPE, "javascriptWithScope"},
    {BSON_TYPE_INT32, "int"},
    {BSON_TYPE_TIMESTAMP, "timestamp"},
    {BSON_TYPE_INT64, "long"},
    {BSON_TYPE_DECIMAL128, "decimal"},
    {BSON_TYPE_MINKEY, "minKey"},
    {BSON_TYPE_MAXKEY, "maxKey"},
    {TYPE_NUMBER, "number"},
};

const char *value_type_name(bson_type_t type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].type == (int)type)
            return types[i].name;
    return "missing";
}

/* -1 is what people write for MinKey; BSON has 255 in its byte. */
bool value_type_of(const bson_iter_t *it, int *ret)
{
    int64_t number = -3;
    const char *name = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, NULL) : NULL;
    if (name == NULL && !value_int64(it, &number))
        return false;
    if (number == -1)
        number = BSON_TYPE_MINKEY;
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (name != NULL ? strcmp(types[i].name, name) == 0 : types[i].type == number) {
            *ret = types[i].type;
            return true;
        }
    return false;
}

/* bson_append_array() complains on stderr about elements with odd names, so arrays go by their elements. */
void doc_put(bson_t *out, const char *name, const bson_iter_t *it)
{
    bson_t array, copy;
    if (!BSON_ITER_HOLDS_ARRAY(it) || !doc_under(it, &array)) {
        bson_append_iter(out, name, -1, it);
        return;
    }
    bson_append_array_begin(out, name, -1, &copy);
    doc_put_all(&copy, &array);
    bson_append_array_end(out, &copy);
}

void doc_put_all(bson_t *out, const bson_t *doc)
{
    bson_iter_t it;
    bson_iter_init(&it, doc);
    while (bson_iter_next(&it))
        doc_put(out, bson_iter_key(&it), &it);
}

bool doc_get(const bson_t *doc, const char *name, bson_iter_t *ret)
{
    return bson_iter_init_find(ret, doc, name);
}

const char *doc_get_text(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return doc_get(doc, name, &it) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : NULL;
}

int64_t doc_get_int(const bson_t *doc, const char *name, int64_t otherwise)
{
    bson_iter_t it;
    int64_t v;
    return doc_get(doc, name, &it) && value_int64(&it, &v) ? v : otherwise;
}

bool doc_get_bool(const bson_t *doc, const char *name, bool otherwise)
{
    bson_iter_t it;
    return doc_get(doc, name, &it) ? value_truth(&it) : otherwise;
}
