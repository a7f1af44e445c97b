// SPDX-License-Identifier: Apache-2.0
/* Parsing filters. Nesting is bounded by the depth of the document, which the wire layer has checked. */
#include "sandbox/match_private.h"

#include "balancer/key/raw.h"
#include "sandbox/docpath.h"

#include <math.h>
#include <string.h>

enum { REGEX_MAX = 32764 };

static match *node_new(enum match_kind kind, const char *path)
{
    match *m = g_new0(match, 1);
    m->kind = kind;
    m->path = g_strdup(path);
    m->children = g_ptr_array_new_with_free_func((GDestroyNotify)match_free);
    return m;
}

void match_free(match *m)
{
    if (m == NULL)
        return;
    g_free(m->path);
    g_ptr_array_unref(m->children);
    if (m->operand != NULL)
        bson_destroy(m->operand);
    if (m->encoded != NULL)
        g_byte_array_unref(m->encoded);
    if (m->set != NULL)
        g_hash_table_unref(m->set);
    if (m->regex != NULL)
        g_regex_unref(m->regex);
    g_free(m);
}

/* The operand is kept twice: as BSON for upserts, encoded for comparing. */
static bool take_operand(match *m, const bson_iter_t *value, struct fault *f)
{
    struct err err = {0};
    m->operand = bson_new();
    doc_put(m->operand, "", value);
    m->encoded = g_byte_array_new();
    m->rank = raw_rank(bson_iter_type(value));
    m->nan = BSON_ITER_HOLDS_DOUBLE(value) && isnan(bson_iter_double(value));
    return key_encode_value(value, m->encoded, &err) || fault_say(f, SB_BAD_VALUE, "%s", err.msg);
}

/* PCRE limits its own memory and steps; the length is the server's limit. */
static bool compile_regex(match *m, const char *pattern, const char *flags, struct fault *f)
{
    GRegexCompileFlags compile = G_REGEX_OPTIMIZE;
    g_autoptr(GError) error = NULL;
    for (const char *p = flags; *p != '\0'; p++) {
        if (strchr("imsxu", *p) == NULL)
            return fault_say(f, 51108, "invalid flag in regex options: %c", *p);
        compile |= *p == 'i'   ? G_REGEX_CASELESS
                   : *p == 'm' ? G_REGEX_MULTILINE
                   : *p == 's' ? G_REGEX_DOTALL
                   : *p == 'x' ? G_REGEX_EXTENDED
                               : 0;
    }
    if (strlen(pattern) > REGEX_MAX)
        return fault_say(f, 51091, "Regular expression is invalid: regular expression is too large");
    if (g_utf8_validate(pattern, -1, NULL))
        m->regex = g_regex_new(pattern, compile, 0, &error);
    return m->regex != NULL || fault_say(f, 51091, "Regular expression is invalid: %s",
                                         error == NULL ? "not UTF-8" : error->message);
}

static bool parse_regex(match *m, const bson_iter_t *value, const char *options, struct fault *f)
{
    const char *flags = "";
    const char *pattern = NULL;
    if (BSON_ITER_HOLDS_REGEX(value))
        pattern = bson_iter_regex(value, &flags);
    else if (BSON_ITER_HOLDS_UTF8(value))
        pattern = bson_iter_utf8(value, NULL);
    if (pattern == NULL)
        return fault_say(f, SB_BAD_VALUE, "$regex has to be a string");
    if (BSON_ITER_HOLDS_REGEX(value) && !take_operand(m, value, f))
        return false;
    return compile_regex(m, pattern, options != NULL ? options : flags, f);
}

static guint bytes_hash(gconstpointer p)
{
    return g_bytes_hash(p);
}

static gboolean bytes_equal(gconstpointer a, gconstpointer b)
{
    return g_bytes_equal(a, b);
}

/* $in with regular expressions is an $or of the set and of each of them. */
static bool parse_in(match *parent, const char *path, const char *op, const bson_iter_t *value,
                     struct fault *f)
{
    bson_t array;
    bson_iter_t el;
    if (!BSON_ITER_HOLDS_ARRAY(value) || !doc_under(value, &array) || !bson_iter_init(&el, &array))
        return fault_say(f, SB_BAD_VALUE, "%s needs an array", op);
    match *any = node_new(MATCH_OR, NULL);
    match *set = node_new(MATCH_IN, path);
    g_ptr_array_add(parent->children, any);
    g_ptr_array_add(any->children, set);
    set->set = g_hash_table_new_full(bytes_hash, bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    while (bson_iter_next(&el)) {
        g_autoptr(GByteArray) enc = g_byte_array_new();
        struct err err = {0};
        if (BSON_ITER_HOLDS_REGEX(&el)) {
            match *regex = node_new(MATCH_REGEX, path);
            g_ptr_array_add(any->children, regex);
            if (!parse_regex(regex, &el, NULL, f))
                return false;
            continue;
        }
        if (!key_encode_value(&el, enc, &err))
            return fault_say(f, SB_BAD_VALUE, "%s", err.msg);
        set->set_null = set->set_null || BSON_ITER_HOLDS_NULL(&el);
        g_hash_table_add(set->set, g_byte_array_free_to_bytes(g_steal_pointer(&enc)));
    }
    return true;
}

/* Numbers stand for all four kinds; MinKey and MaxKey have codes outside the mask. */
static bool add_type(match *m, const bson_iter_t *value, struct fault *f)
{
    int type;
    if (!value_type_of(value, &type)) {
        if (BSON_ITER_HOLDS_UTF8(value))
            return fault_say(f, SB_BAD_VALUE, "Unknown type name alias: %s", bson_iter_utf8(value, NULL));
        return fault_say(f, SB_BAD_VALUE, "Invalid numerical type code");
    }
    if (type == -2)
        m->types |= 1u << BSON_TYPE_DOUBLE | 1u << BSON_TYPE_INT32 | 1u << BSON_TYPE_INT64 |
                    1u << BSON_TYPE_DECIMAL128;
    else if (type == BSON_TYPE_MINKEY)
        m->type_min = true;
    else if (type == BSON_TYPE_MAXKEY)
        m->type_max = true;
    else
        m->types |= 1u << (unsigned)type;
    return true;
}

static bool parse_type(match *m, const bson_iter_t *value, struct fault *f)
{
    bson_t array;
    bson_iter_t el;
    if (!BSON_ITER_HOLDS_ARRAY(value))
        return add_type(m, value, f);
    if (!doc_under(value, &array) || !bson_iter_init(&el, &array))
        return false;
    while (bson_iter_next(&el))
        if (!add_type(m, &el, f))
            return false;
    return true;
}

/* The remainder by zero must never be computed. */
static bool parse_mod(match *m, const bson_iter_t *value, struct fault *f)
{
    bson_t array;
    bson_iter_t el;
    if (!BSON_ITER_HOLDS_ARRAY(value) || !doc_under(value, &array) || bson_count_keys(&array) != 2)
        return fault_say(f, SB_BAD_VALUE, "malformed mod, needs to be an array of two numbers");
    bson_iter_init(&el, &array);
    bson_iter_next(&el);
    if (!value_int64(&el, &m->number) || m->number == 0)
        return fault_say(f, SB_BAD_VALUE, "divisor cannot be 0");
    bson_iter_next(&el);
    if (m->number == -1) /* the remainder is 0 then, and the division of the smallest number would overflow */
        m->number = 1;
    return value_int64(&el, &m->remainder) ||
           fault_say(f, SB_BAD_VALUE, "malformed mod, remainder not a number");
}

static bool parse_conditions(match *parent, const char *path, const bson_t *conditions, struct fault *f);
static bool parse_filter(match *parent, const bson_t *filter, struct fault *f);

/* {a: {$gt: 1}} asks, {a: {b: 1}} is a value; DBRefs begin with '$' and are values. */
static bool begins_with_operator(const bson_t *doc)
{
    bson_iter_t it;
    return bson_iter_init(&it, doc) && bson_iter_next(&it) && bson_iter_key(&it)[0] == '$' &&
           strcmp(bson_iter_key(&it), "$ref") != 0 && strcmp(bson_iter_key(&it), "$id") != 0 &&
           strcmp(bson_iter_key(&it), "$db") != 0;
}

static bool is_logical(const bson_t *doc)
{
    bson_iter_t it;
    return bson_iter_init(&it, doc) && bson_iter_next(&it) &&
           (strcmp(bson_iter_key(&it), "$and") == 0 || strcmp(bson_iter_key(&it), "$or") == 0 ||
            strcmp(bson_iter_key(&it), "$nor") == 0);
}

/* Of values ({$gt: 1}) or of documents ({b: 1}); logical operators go with the latter. */
static bool parse_elem_match(match *parent, const char *path, const bson_iter_t *value, struct fault *f)
{
    bson_t inner;
    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !doc_under(value, &inner))
        return fault_say(f, SB_BAD_VALUE, "$elemMatch needs an Object");
    bool of_value = begins_with_operator(&inner) && !is_logical(&inner);
    match *m = node_new(of_value ? MATCH_ELEM_VALUE : MATCH_ELEM_DOCUMENT, path);
    g_ptr_array_add(parent->children, m);
    return of_value ? parse_conditions(m, NULL, &inner, f) : parse_filter(m, &inner, f);
}

/* The negation of everything in it together, not of each. */
static bool parse_not(match *parent, const char *path, const bson_iter_t *value, struct fault *f)
{
    bson_t inner;
    match *m = node_new(MATCH_NOT, NULL);
    g_ptr_array_add(parent->children, m);
    if (BSON_ITER_HOLDS_REGEX(value)) {
        match *regex = node_new(MATCH_REGEX, path);
        g_ptr_array_add(m->children, regex);
        return parse_regex(regex, value, NULL, f);
    }
    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !doc_under(value, &inner))
        return fault_say(f, SB_BAD_VALUE, "$not needs a regex or a document");
    if (bson_empty(&inner))
        return fault_say(f, SB_BAD_VALUE, "$not cannot be empty");
    return parse_conditions(m, path, &inner, f);
}

/* All of them must be among the elements: an $and of equalities. Nothing matches an empty list. */
static bool parse_all(match *parent, const char *path, const bson_iter_t *value, struct fault *f)
{
    bson_t array;
    bson_iter_t el;
    if (!BSON_ITER_HOLDS_ARRAY(value) || !doc_under(value, &array) || !bson_iter_init(&el, &array))
        return fault_say(f, SB_BAD_VALUE, "$all needs an array");
    match *all = node_new(bson_empty(&array) ? MATCH_CONSTANT : MATCH_AND, NULL);
    g_ptr_array_add(parent->children, all);
    while (bson_iter_next(&el)) {
        match *one = node_new(MATCH_EQ, path);
        g_ptr_array_add(all->children, one);
        if (!take_operand(one, &el, f))
            return false;
    }
    return true;
}

static bool parse_simple(match *m, const bson_iter_t *value, const bson_t *conditions, struct fault *f)
{
    switch (m->kind) {
    case MATCH_REGEX:
        return parse_regex(m, value, doc_get_text(conditions, "$options"), f);
    case MATCH_TYPE:
        return parse_type(m, value, f);
    case MATCH_MOD:
        return parse_mod(m, value, f);
    case MATCH_SIZE:
        return value_int64(value, &m->number) || fault_say(f, SB_BAD_VALUE, "$size needs a number");
    case MATCH_EXISTS:
        m->flag = value_truth(value);
        return true;
    default:
        return take_operand(m, value, f);
    }
}

static const struct {
    const char *name;
    enum match_kind kind;
    bool negated;
} simple_operators[] = {
    {"$eq", MATCH_EQ, false},         {"$ne", MATCH_EQ, true},      {"$lt", MATCH_LT, false},
    {"$lte", MATCH_LTE, false},       {"$gt", MATCH_GT, false},     {"$gte", MATCH_GTE, false},
    {"$exists", MATCH_EXISTS, false}, {"$type", MATCH_TYPE, false}, {"$size", MATCH_SIZE, false},
    {"$regex", MATCH_REGEX, false},   {"$mod", MATCH_MOD, false},
};

static match *negate(match *parent)
{
    match *m = node_new(MATCH_NOT, NULL);
    g_ptr_array_add(parent->children, m);
    return m;
}

/* One operator of a field. Negated ones are their positive selves below a node that negates, because
 * {a: {$ne: 1}} means that no value at `a` is 1. */
static bool parse_condition(match *parent, const char *path, const bson_iter_t *it, const bson_t *conditions,
                            struct fault *f)
{
    const char *op = bson_iter_key(it);
    for (size_t i = 0; i < G_N_ELEMENTS(simple_operators); i++) {
        if (strcmp(simple_operators[i].name, op) != 0)
            continue;
        match *m = node_new(simple_operators[i].kind, path);
        g_ptr_array_add(simple_operators[i].negated ? negate(parent)->children : parent->children, m);
        return parse_simple(m, it, conditions, f);
    }
    if (strcmp(op, "$in") == 0)
        return parse_in(parent, path, op, it, f);
    if (strcmp(op, "$nin") == 0)
        return parse_in(negate(parent), path, op, it, f);
    if (strcmp(op, "$elemMatch") == 0)
        return parse_elem_match(parent, path, it, f);
    if (strcmp(op, "$not") == 0)
        return parse_not(parent, path, it, f);
    if (strcmp(op, "$all") == 0)
        return parse_all(parent, path, it, f);
    if (strcmp(op, "$options") == 0)
        return bson_has_field(conditions, "$regex") || fault_say(f, SB_BAD_VALUE, "$options needs a $regex");
    return fault_say(f, SB_BAD_VALUE, "unknown operator: %s", op);
}

static bool parse_conditions(match *parent, const char *path, const bson_t *conditions, struct fault *f)
{
    bson_iter_t it;
    bson_iter_init(&it, conditions);
    while (bson_iter_next(&it))
        if (!parse_condition(parent, path, &it, conditions, f))
            return false;
    return true;
}

static bool parse_logical(match *parent, enum match_kind kind, const bson_iter_t *it, struct fault *f)
{
    bson_t array, inner;
    bson_iter_t el;
    const char *op = bson_iter_key(it);
    if (!BSON_ITER_HOLDS_ARRAY(it) || !doc_under(it, &array))
        return fault_say(f, SB_BAD_VALUE, "%s must be an array", op + 1);
    if (bson_empty(&array))
        return fault_say(f, SB_BAD_VALUE, "$and/$or/$nor must be a nonempty array");
    match *m = node_new(kind, NULL);
    g_ptr_array_add(parent->children, m);
    bson_iter_init(&el, &array);
    while (bson_iter_next(&el)) {
        if (!BSON_ITER_HOLDS_DOCUMENT(&el) || !doc_under(&el, &inner))
            return fault_say(f, SB_BAD_VALUE, "$or/$and/$nor entries need to be full objects");
        match *all = node_new(MATCH_AND, NULL);
        g_ptr_array_add(m->children, all);
        if (!parse_filter(all, &inner, f))
            return false;
    }
    return true;
}

static bool parse_top_operator(match *parent, const bson_iter_t *it, struct fault *f)
{
    const char *op = bson_iter_key(it);
    if (strcmp(op, "$and") == 0)
        return parse_logical(parent, MATCH_AND, it, f);
    if (strcmp(op, "$or") == 0)
        return parse_logical(parent, MATCH_OR, it, f);
    if (strcmp(op, "$nor") == 0)
        return parse_logical(parent, MATCH_NOR, it, f);
    if (strcmp(op, "$comment") == 0)
        return true;
    return fault_say(f, SB_BAD_VALUE, "unknown top level operator: %s", op);
}

/* Fields and logical operators; all of them must hold. */
static bool parse_filter(match *parent, const bson_t *filter, struct fault *f)
{
    bson_iter_t it;
    bson_t inner;
    bson_iter_init(&it, filter);
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        bool fine;
        if (key[0] == '$') {
            fine = parse_top_operator(parent, &it, f);
        } else if (BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, &inner) && begins_with_operator(&inner)) {
            fine = parse_conditions(parent, key, &inner, f);
        } else {
            match *m = node_new(BSON_ITER_HOLDS_REGEX(&it) ? MATCH_REGEX : MATCH_EQ, key);
            g_ptr_array_add(parent->children, m);
            fine = m->kind == MATCH_REGEX ? parse_regex(m, &it, NULL, f) : take_operand(m, &it, f);
        }
        if (!fine)
            return false;
    }
    return true;
}

bool match_parse(const bson_t *filter, match **ret, struct fault *f)
{
    match *m = node_new(MATCH_AND, NULL);
    if (!parse_filter(m, filter, f)) {
        match_free(m);
        return false;
    }
    *ret = m;
    return true;
}
