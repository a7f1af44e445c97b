// SPDX-License-Identifier: Apache-2.0
/* Testing documents. A predicate on a field asks of every value that its path reaches, and of the elements
 * where such a value is an array; one that holds is enough. */
#include "sandbox/match_private.h"

#include "balancer/key/raw.h"
#include "sandbox/docpath.h"

#include <math.h>
#include <string.h>

enum { RANK_UNDEFINED = 0, RANK_NULL = 5 };

/* NaN equals itself only, whatever the encoding says about its place in the order. */
static bool is_nan(const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_DOUBLE(it))
        return isnan(bson_iter_double(it));
    bson_decimal128_t d;
    return BSON_ITER_HOLDS_DECIMAL128(it) && bson_iter_decimal128(it, &d) && (d.high >> 58 & 0x1f) == 0x1f;
}

static bool holds_order(enum match_kind kind, int order)
{
    switch (kind) {
    case MATCH_EQ:
        return order == 0;
    case MATCH_LT:
        return order < 0;
    case MATCH_LTE:
        return order <= 0;
    case MATCH_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* Values compare within their type only; null and missing are equal, and MinKey and MaxKey as operands take
 * all. */
static bool compare(const match *m, const bson_iter_t *value)
{
    int rank = value == NULL ? RANK_UNDEFINED : raw_rank(bson_iter_type(value));
    if (rank != m->rank) {
        if (rank + m->rank == RANK_NULL)
            return m->kind == MATCH_EQ || m->kind == MATCH_LTE || m->kind == MATCH_GTE;
        return m->kind != MATCH_EQ && (m->rank == -1 || m->rank == 127);
    }
    if (value == NULL)
        return m->kind == MATCH_EQ || m->kind == MATCH_LTE || m->kind == MATCH_GTE;
    bool nan = is_nan(value);
    if (nan || m->nan)
        return nan && m->nan && m->kind != MATCH_LT && m->kind != MATCH_GT;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    return key_encode_value(value, enc, NULL) &&
           holds_order(m->kind, key_cmp(enc->data, enc->len, m->encoded->data, m->encoded->len));
}

/* Encodings in a hash table: $in with thousands of values is how tools ask for many collections at once. */
static bool is_in(const match *m, const bson_iter_t *value)
{
    if (value == NULL || BSON_ITER_HOLDS_NULL(value) || BSON_ITER_HOLDS_UNDEFINED(value))
        return m->set_null;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!key_encode_value(value, enc, NULL))
        return false;
    g_autoptr(GBytes) bytes = g_bytes_new_static(enc->data, enc->len);
    return g_hash_table_contains(m->set, bytes);
}

/* Text that is not UTF-8 cannot be searched by GRegex, and never matches. */
static bool matches_regex(const match *m, const bson_iter_t *value)
{
    uint32_t len = 0;
    const char *text = NULL;
    if (value != NULL && BSON_ITER_HOLDS_UTF8(value))
        text = bson_iter_utf8(value, &len);
    else if (value != NULL && BSON_ITER_HOLDS_SYMBOL(value))
        text = bson_iter_symbol(value, &len);
    if (text != NULL)
        return raw_is_utf8(text, len) && g_regex_match_full(m->regex, text, (gssize)len, 0, 0, NULL, NULL);
    return value != NULL && BSON_ITER_HOLDS_REGEX(value) && m->operand != NULL && compare(m, value);
}

static bool is_of_type(const match *m, const bson_iter_t *value)
{
    if (value == NULL)
        return false;
    bson_type_t type = bson_iter_type(value);
    if (type == BSON_TYPE_MINKEY)
        return m->type_min;
    if (type == BSON_TYPE_MAXKEY)
        return m->type_max;
    return (unsigned)type < 32 && (m->types >> (unsigned)type & 1) != 0;
}

static bool has_modulus(const match *m, const bson_iter_t *value)
{
    int64_t v;
    return value != NULL && value_int64(value, &v) && v % m->number == m->remainder;
}

static bool test_children(const match *m, const bson_iter_t *value);

/* A predicate that asks one value, without looking into arrays. */
static bool test_one(const match *m, const bson_iter_t *value)
{
    switch (m->kind) {
    case MATCH_IN:
        return is_in(m, value);
    case MATCH_REGEX:
        return matches_regex(m, value);
    case MATCH_TYPE:
        return is_of_type(m, value);
    case MATCH_MOD:
        return has_modulus(m, value);
    default:
        return compare(m, value);
    }
}

/* Whether some element of an array holds; no array: false. */
static bool test_elements(const match *m, const bson_iter_t *value,
                          bool (*fn)(const match *, const bson_iter_t *))
{
    bson_t array;
    bson_iter_t el;
    if (value == NULL || !BSON_ITER_HOLDS_ARRAY(value) || !doc_under(value, &array) ||
        !bson_iter_init(&el, &array))
        return false;
    while (bson_iter_next(&el))
        if (fn(m, &el))
            return true;
    return false;
}

static bool has_size(const match *m, const bson_iter_t *value)
{
    bson_t array;
    return value != NULL && BSON_ITER_HOLDS_ARRAY(value) && doc_under(value, &array) &&
           (int64_t)bson_count_keys(&array) == m->number;
}

/* $elemMatch with a filter: one element must satisfy all of it. */
static bool element_document(const match *m, const bson_iter_t *el)
{
    bson_t doc;
    if (!doc_under(el, &doc))
        return false;
    for (guint i = 0; i < m->children->len; i++)
        if (!match_test(m->children->pdata[i], &doc))
            return false;
    return true;
}

static bool test_any_child(const match *m, const bson_iter_t *value);

/* One value, as its kind asks for it. What looks into arrays itself (size, $elemMatch, existence) gets the
 * array; comparisons get it and each of its elements. */
static bool test_value(const match *m, const bson_iter_t *value)
{
    switch (m->kind) {
    case MATCH_EXISTS:
        return value != NULL;
    case MATCH_SIZE:
        return has_size(m, value);
    case MATCH_ELEM_DOCUMENT:
        return test_elements(m, value, element_document);
    case MATCH_ELEM_VALUE:
        return test_elements(m, value, test_children);
    case MATCH_CONSTANT:
        return m->flag;
    case MATCH_NOT:
        return !test_children(m, value);
    case MATCH_AND:
        return test_children(m, value);
    case MATCH_OR: /* of $in, inside $elemMatch */
        return test_any_child(m, value);
    default:
        return test_one(m, value) || test_elements(m, value, test_one);
    }
}

/* All children of a node without paths, asked of one value. */
static bool test_children(const match *m, const bson_iter_t *value)
{
    for (guint i = 0; i < m->children->len; i++)
        if (!test_value(m->children->pdata[i], value))
            return false;
    return true;
}

static bool test_any_child(const match *m, const bson_iter_t *value)
{
    for (guint i = 0; i < m->children->len; i++)
        if (test_value(m->children->pdata[i], value))
            return true;
    return false;
}

static bool stop_at_match(void *user, const bson_iter_t *value)
{
    return test_value(user, value);
}

/* $exists: false is the only predicate that holds where nothing was found. */
static bool test_field(const match *m, const bson_t *doc)
{
    bool found = docpath_each(doc, m->path, stop_at_match, (void *)m);
    return m->kind == MATCH_EXISTS ? found == m->flag : found;
}

/* Children that match, counted until one settles the matter. */
static guint count_matching(const match *m, const bson_t *doc, bool stop_at)
{
    guint n = 0;
    for (guint i = 0; i < m->children->len; i++) {
        bool matched = match_test(m->children->pdata[i], doc);
        n += matched ? 1 : 0;
        if (matched == stop_at)
            break;
    }
    return n;
}

bool match_test(const match *m, const bson_t *doc)
{
    switch (m->kind) {
    case MATCH_CONSTANT:
        return m->flag;
    case MATCH_AND:
        return count_matching(m, doc, false) == m->children->len;
    case MATCH_OR:
        return count_matching(m, doc, true) > 0;
    case MATCH_NOR:
        return count_matching(m, doc, true) == 0;
    case MATCH_NOT: /* a field's "not": its children have the path */
        return count_matching(m, doc, false) != m->children->len;
    default:
        return test_field(m, doc);
    }
}

/* Only what must hold in every match counts: nothing below an $or. */
void match_each_equality(const match *m, void (*fn)(void *user, const char *path, const bson_iter_t *value),
                         void *user)
{
    bson_iter_t it;
    if (m->kind == MATCH_EQ && m->path != NULL && bson_iter_init(&it, m->operand) && bson_iter_next(&it))
        fn(user, m->path, &it);
    for (guint i = 0; m->kind == MATCH_AND && i < m->children->len; i++)
        match_each_equality(m->children->pdata[i], fn, user);
}
