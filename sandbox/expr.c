// SPDX-License-Identifier: Apache-2.0
#include "sandbox/expr.h"

#include "balancer/key/raw.h"
#include "sandbox/docpath.h"
#include "sandbox/wire.h"

#include <math.h>
#include <string.h>

/* Evaluated arguments, held as an array document; a missing one is null there. */
struct args {
    bson_t values;
    unsigned n;
    bool missing_first; /* the first argument has no value */
};

typedef bool operator_fn(const struct args *a, bson_t *out, const char *name, struct fault *f);

/* Arguments are few; walking to one is simpler than keeping an index. */
static bool nth(const struct args *a, unsigned n, bson_iter_t *ret)
{
    bson_iter_init(ret, &a->values);
    for (unsigned i = 0; i <= n; i++)
        if (!bson_iter_next(ret))
            return false;
    return true;
}

static bool is_null(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_NULL(it) || BSON_ITER_HOLDS_UNDEFINED(it);
}

static bool is_number(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_INT32(it) || BSON_ITER_HOLDS_INT64(it) || BSON_ITER_HOLDS_DOUBLE(it);
}

static double as_double(const bson_iter_t *it)
{
    return BSON_ITER_HOLDS_DOUBLE(it) ? bson_iter_double(it) : (double)bson_iter_as_int64(it);
}

/* Results keep the width of their operands, and grow where they must, as the server's do. */
static void put_whole(bson_t *out, const char *name, int64_t v, bool wide)
{
    if (wide || v > INT32_MAX || v < INT32_MIN)
        bson_append_int64(out, name, -1, v);
    else
        bson_append_int32(out, name, -1, (int32_t)v);
}

/* +, - or * of two numbers in the wider type; whole numbers that overflow become doubles. */
static bool calculate(char op, const bson_iter_t *a, const bson_iter_t *b, bson_t *out, const char *name)
{
    if (!is_number(a) || !is_number(b))
        return false;
    if (!BSON_ITER_HOLDS_DOUBLE(a) && !BSON_ITER_HOLDS_DOUBLE(b)) {
        int64_t x = bson_iter_as_int64(a), y = bson_iter_as_int64(b), v = 0;
        bool over = op == '+'   ? __builtin_add_overflow(x, y, &v)
                    : op == '-' ? __builtin_sub_overflow(x, y, &v)
                                : __builtin_mul_overflow(x, y, &v);
        if (!over) {
            put_whole(out, name, v, BSON_ITER_HOLDS_INT64(a) || BSON_ITER_HOLDS_INT64(b));
            return true;
        }
    }
    double x = as_double(a), y = as_double(b);
    bson_append_double(out, name, -1, op == '+' ? x + y : op == '-' ? x - y : x * y);
    return true;
}

bool number_add(const bson_iter_t *a, const bson_iter_t *b, bson_t *out, const char *name)
{
    return calculate('+', a, b, out, name);
}

/* The sum or product of all arguments; one that is null makes the result null. */
static bool fold(char op, int32_t start, const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_t total = BSON_INITIALIZER;
    bson_iter_t it, at;
    bool fine = true, is_null_result = false;
    bson_append_int32(&total, "v", -1, start);
    bson_iter_init(&it, &a->values);
    while (fine && bson_iter_next(&it)) {
        bson_t next = BSON_INITIALIZER;
        bson_iter_init_find(&at, &total, "v");
        is_null_result = is_null_result || is_null(&it);
        fine = is_null(&it) || calculate(op, &at, &it, &next, "v");
        if (fine && !is_null(&it)) {
            bson_destroy(&total);
            bson_copy_to(&next, &total);
        }
        bson_destroy(&next);
    }
    bson_iter_init_find(&at, &total, "v");
    if (fine && is_null_result)
        bson_append_null(out, name, -1);
    else if (fine)
        doc_put(out, name, &at);
    bson_destroy(&total);
    return fine || fault_say(f, 16554, "%s only supports numeric or date types, not %s",
                             op == '+' ? "$add" : "$multiply", value_type_name(bson_iter_type(&it)));
}

/* Dates may be added to, in milliseconds; overflow wraps rather than be undefined. */
static bool op_add(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t x, y;
    int64_t ms;
    if (a->n == 2 && nth(a, 0, &x) && nth(a, 1, &y) && BSON_ITER_HOLDS_DATE_TIME(&x) &&
        value_int64(&y, &ms)) {
        bson_append_date_time(out, name, -1, (int64_t)((uint64_t)bson_iter_date_time(&x) + (uint64_t)ms));
        return true;
    }
    return fold('+', 0, a, out, name, f);
}

static bool op_multiply(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    return fold('*', 1, a, out, name, f);
}

/* Both operands, where neither is null; otherwise the answer, null, is put. */
static bool two(const struct args *a, bson_iter_t *x, bson_iter_t *y, bson_t *out, const char *name)
{
    if (nth(a, 0, x) && nth(a, 1, y) && !is_null(x) && !is_null(y))
        return true;
    bson_append_null(out, name, -1);
    return false;
}

/* Two dates give milliseconds between them: how long something has been running. */
static bool op_subtract(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t x, y;
    int64_t ms;
    if (!two(a, &x, &y, out, name))
        return true;
    if (BSON_ITER_HOLDS_DATE_TIME(&x) && BSON_ITER_HOLDS_DATE_TIME(&y)) {
        bson_append_int64(out, name, -1,
                          (int64_t)((uint64_t)bson_iter_date_time(&x) - (uint64_t)bson_iter_date_time(&y)));
        return true;
    }
    if (BSON_ITER_HOLDS_DATE_TIME(&x) && value_int64(&y, &ms)) {
        bson_append_date_time(out, name, -1, (int64_t)((uint64_t)bson_iter_date_time(&x) - (uint64_t)ms));
        return true;
    }
    return calculate('-', &x, &y, out, name) ||
           fault_say(f, 16556, "cant $subtract a %s from a %s", value_type_name(bson_iter_type(&y)),
                     value_type_name(bson_iter_type(&x)));
}

static bool op_divide(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t x, y;
    if (!two(a, &x, &y, out, name))
        return true;
    if (!is_number(&x) || !is_number(&y))
        return fault_say(f, 16609, "$divide only supports numeric types");
    if (fpclassify(as_double(&y)) == FP_ZERO)
        return fault_say(f, SB_BAD_VALUE, "can't $divide by zero");
    bson_append_double(out, name, -1, as_double(&x) / as_double(&y));
    return true;
}

/* A divisor of -1 always leaves 0, and the division itself would overflow for the smallest number. */
static bool op_mod(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t x, y;
    int64_t l, r;
    if (!two(a, &x, &y, out, name))
        return true;
    if (!value_int64(&x, &l) || !value_int64(&y, &r))
        return fault_say(f, 16611, "$mod only supports numeric types");
    if (r == 0)
        return fault_say(f, 16610, "can't $mod by zero");
    put_whole(out, name, r == -1 ? 0 : l % r, BSON_ITER_HOLDS_INT64(&x) || BSON_ITER_HOLDS_INT64(&y));
    return true;
}

static int order_of(const struct args *a)
{
    bson_iter_t x, y;
    return nth(a, 0, &x) && nth(a, 1, &y) ? value_compare(&x, &y) : 0;
}

#define COMPARISON(fn, test)                                                                                 \
    static bool fn(const struct args *a, bson_t *out, const char *name, struct fault *f)                     \
    {                                                                                                        \
        (void)f;                                                                                             \
        int order = order_of(a);                                                                             \
        return bson_append_bool(out, name, -1, test);                                                        \
    }
COMPARISON(op_eq, order == 0)
COMPARISON(op_ne, order != 0)
COMPARISON(op_lt, order < 0)
COMPARISON(op_lte, order <= 0)
COMPARISON(op_gt, order > 0)
COMPARISON(op_gte, order >= 0)

static bool op_cmp(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    (void)f;
    int order = order_of(a);
    return bson_append_int32(out, name, -1, order < 0 ? -1 : order > 0);
}

static unsigned count_true(const struct args *a)
{
    bson_iter_t it;
    unsigned n = 0;
    bson_iter_init(&it, &a->values);
    while (bson_iter_next(&it))
        n += value_truth(&it) ? 1 : 0;
    return n;
}

static bool op_and(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    (void)f;
    return bson_append_bool(out, name, -1, count_true(a) == a->n);
}

static bool op_or(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    (void)f;
    return bson_append_bool(out, name, -1, count_true(a) > 0);
}

static bool op_not(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    (void)f;
    return bson_append_bool(out, name, -1, count_true(a) == 0);
}

static bool op_if_null(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t it;
    (void)f;
    for (unsigned i = 0; i < a->n && nth(a, i, &it); i++)
        if (!is_null(&it) || i + 1 == a->n) {
            doc_put(out, name, &it);
            break;
        }
    return true;
}

static bool op_size(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t it;
    bson_t array;
    if (!nth(a, 0, &it) || !BSON_ITER_HOLDS_ARRAY(&it) || !doc_under(&it, &array))
        return fault_say(f, 17124, "The argument to $size must be an array, but was of type: %s",
                         a->missing_first ? "missing" : value_type_name(bson_iter_type(&it)));
    return bson_append_int32(out, name, -1, (int32_t)bson_count_keys(&array));
}

/* Negative positions count from the end; beyond either end there is no value. */
static bool op_array_elem_at(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t x, y, el;
    bson_t array;
    int64_t at;
    if (!two(a, &x, &y, out, name))
        return true;
    if (!BSON_ITER_HOLDS_ARRAY(&x) || !doc_under(&x, &array) || !value_int64(&y, &at))
        return fault_say(f, 28689, "$arrayElemAt's first argument must be an array, and its second a number");
    if (at < 0)
        at += (int64_t)bson_count_keys(&array);
    bson_iter_init(&el, &array);
    for (int64_t i = 0; bson_iter_next(&el); i++)
        if (i == at)
            doc_put(out, name, &el);
    return true;
}

static bool op_in(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t x, y, el;
    bson_t array;
    bool found = false;
    if (!nth(a, 0, &x) || !nth(a, 1, &y) || !BSON_ITER_HOLDS_ARRAY(&y) || !doc_under(&y, &array))
        return fault_say(f, 40081, "$in requires an array as a second argument");
    bson_iter_init(&el, &array);
    while (bson_iter_next(&el))
        found = found || value_compare(&x, &el) == 0;
    return bson_append_bool(out, name, -1, found);
}

static bool op_concat(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    g_autoptr(GString) text = g_string_new(NULL);
    bson_iter_t it;
    bson_iter_init(&it, &a->values);
    while (bson_iter_next(&it)) {
        uint32_t len;
        if (is_null(&it))
            return bson_append_null(out, name, -1);
        if (!BSON_ITER_HOLDS_UTF8(&it))
            return fault_say(f, 16702, "$concat only supports strings, not %s",
                             value_type_name(bson_iter_type(&it)));
        const char *part = bson_iter_utf8(&it, &len);
        g_string_append_len(text, part, len);
    }
    return bson_append_utf8(out, name, -1, text->str, (int)text->len);
}

static bool op_type(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t it;
    (void)f;
    bool there = nth(a, 0, &it) && !a->missing_first;
    return bson_append_utf8(out, name, -1, there ? value_type_name(bson_iter_type(&it)) : "missing", -1);
}

/* Over the arguments, or over the elements of a single array; nulls do not count. */
static bool extreme(const struct args *a, int sign, bson_t *out, const char *name)
{
    bson_iter_t it, el, best;
    bson_t array;
    bool any = false;
    bson_iter_init(&it, &a->values);
    if (a->n == 1 && nth(a, 0, &el) && BSON_ITER_HOLDS_ARRAY(&el) && doc_under(&el, &array))
        bson_iter_init(&it, &array);
    while (bson_iter_next(&it)) {
        if (is_null(&it) || (any && value_compare(&it, &best) * sign <= 0))
            continue;
        best = it;
        any = true;
    }
    if (any)
        doc_put(out, name, &best);
    else
        bson_append_null(out, name, -1);
    return true;
}

static bool op_max(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    (void)f;
    return extreme(a, 1, out, name);
}

static bool op_min(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    (void)f;
    return extreme(a, -1, out, name);
}

/* {k, v} of every field: how shells turn {shard: ...} into rows. */
static bool op_object_to_array(const struct args *a, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t it, field;
    bson_t doc, array, pair;
    uint32_t n = 0;
    if (!nth(a, 0, &it) || is_null(&it))
        return bson_append_null(out, name, -1);
    if (!BSON_ITER_HOLDS_DOCUMENT(&it) || !doc_under(&it, &doc))
        return fault_say(f, 40390, "$objectToArray requires a document input, found: %s",
                         value_type_name(bson_iter_type(&it)));
    bson_append_array_begin(out, name, -1, &array);
    bson_iter_init(&field, &doc);
    while (bson_iter_next(&field)) {
        char key[16];
        const char *index;
        bson_uint32_to_string(n++, &index, key, sizeof key);
        bson_append_document_begin(&array, index, -1, &pair);
        bson_append_utf8(&pair, "k", -1, bson_iter_key(&field), -1);
        doc_put(&pair, "v", &field);
        bson_append_document_end(&array, &pair);
    }
    bson_append_array_end(out, &array);
    return true;
}

static const struct {
    const char *name;
    unsigned min, max;
    operator_fn *run;
} operators[] = {
    {"$eq", 2, 2, op_eq},
    {"$ne", 2, 2, op_ne},
    {"$lt", 2, 2, op_lt},
    {"$lte", 2, 2, op_lte},
    {"$gt", 2, 2, op_gt},
    {"$gte", 2, 2, op_gte},
    {"$cmp", 2, 2, op_cmp},
    {"$and", 0, 1000, op_and},
    {"$or", 0, 1000, op_or},
    {"$not", 1, 1, op_not},
    {"$ifNull", 2, 1000, op_if_null},
    {"$add", 0, 1000, op_add},
    {"$sum", 0, 1000, op_add},
    {"$subtract", 2, 2, op_subtract},
    {"$multiply", 0, 1000, op_multiply},
    {"$divide", 2, 2, op_divide},
    {"$mod", 2, 2, op_mod},
    {"$size", 1, 1, op_size},
    {"$arrayElemAt", 2, 2, op_array_elem_at},
    {"$in", 2, 2, op_in},
    {"$concat", 0, 1000, op_concat},
    {"$type", 1, 1, op_type},
    {"$max", 0, 1000, op_max},
    {"$min", 0, 1000, op_min},
    {"$objectToArray", 1, 1, op_object_to_array},
};

/* A missing value becomes null among the arguments; $type alone cares for the difference. */
static bool add_arg(struct args *a, const bson_iter_t *e, const bson_t *root, struct fault *f)
{
    char key[16];
    const char *index;
    bson_uint32_to_string(a->n, &index, key, sizeof key);
    if (!expr_eval(e, root, &a->values, index, f))
        return false;
    if (!bson_has_field(&a->values, index)) {
        a->missing_first = a->missing_first || a->n == 0;
        bson_append_null(&a->values, index, -1);
    }
    a->n++;
    return true;
}

/* $literal, and $cond, of which only one branch is evaluated. */
static bool eval_cond(const bson_iter_t *e, const bson_t *root, bson_t *out, const char *name,
                      struct fault *f)
{
    static const char *const names[2][3] = {{"0", "1", "2"}, {"if", "then", "else"}};
    bson_t parts, test = BSON_INITIALIZER;
    bson_iter_t part, value;
    const char *const *keys = names[BSON_ITER_HOLDS_DOCUMENT(e) ? 1 : 0];
    if (!doc_under(e, &parts) || bson_count_keys(&parts) != 3 || !doc_get(&parts, keys[0], &part))
        return fault_say(f, 17080, "Missing parameters to $cond");
    bool fine = expr_eval(&part, root, &test, "v", f);
    bool truth = fine && bson_iter_init_find(&value, &test, "v") && value_truth(&value);
    bson_destroy(&test);
    if (fine && !doc_get(&parts, keys[truth ? 1 : 2], &part))
        return fault_say(f, 17080, "Missing parameters to $cond");
    return fine && expr_eval(&part, root, out, name, f);
}

/* The argument may be a list, or a single one by itself. */
static bool eval_operator(const bson_iter_t *e, const bson_t *root, bson_t *out, const char *name,
                          struct fault *f)
{
    const char *op = bson_iter_key(e);
    if (strcmp(op, "$literal") == 0) {
        doc_put(out, name, e);
        return true;
    }
    if (strcmp(op, "$cond") == 0)
        return eval_cond(e, root, out, name, f);
    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++) {
        if (strcmp(operators[i].name, op) != 0)
            continue;
        struct args a = {.values = BSON_INITIALIZER};
        bson_t array;
        bson_iter_t el;
        bool fine = true;
        if (BSON_ITER_HOLDS_ARRAY(e) && doc_under(e, &array)) {
            bson_iter_init(&el, &array);
            while (fine && bson_iter_next(&el))
                fine = add_arg(&a, &el, root, f);
        } else {
            fine = add_arg(&a, e, root, f);
        }
        if (fine && (a.n < operators[i].min || a.n > operators[i].max))
            fine = fault_say(f, 16020, "Expression %s takes exactly %u arguments. %u were passed in.", op,
                             operators[i].min, a.n);
        fine = fine && operators[i].run(&a, out, name, f);
        bson_destroy(&a.values);
        return fine;
    }
    return fault_say(f, 168, "Unrecognized expression '%s'", op);
}

/* "$a.b", "$$ROOT.a"; other variables exist only inside operators that the sandbox has not. */
static bool eval_path(const char *path, const bson_t *root, bson_t *out, const char *name, struct fault *f)
{
    bson_iter_t it;
    if (g_str_has_prefix(path, "$$ROOT") || g_str_has_prefix(path, "$$CURRENT")) {
        const char *dot = strchr(path, '.');
        if (dot == NULL)
            return bson_append_document(out, name, -1, root);
        path = dot;
    } else if (path[1] == '$') {
        return fault_say(f, 17276, "Use of undefined variable: %s", path + 2);
    }
    if (docpath_find(root, path + 1, &it))
        doc_put(out, name, &it);
    return true;
}

/* {a: expression} makes a document, [..] an array, {$op: ...} calls. */
static bool eval_document(const bson_iter_t *e, const bson_t *root, bson_t *out, const char *name,
                          struct fault *f)
{
    bson_t doc, part;
    bson_iter_t it;
    bool fine = true, array = BSON_ITER_HOLDS_ARRAY(e);
    doc_under(e, &doc);
    bson_iter_init(&it, &doc);
    if (!array && bson_iter_next(&it) && bson_iter_key(&it)[0] == '$')
        return bson_count_keys(&doc) == 1
                   ? eval_operator(&it, root, out, name, f)
                   : fault_say(f, 15983, "An object representing an expression must have exactly one field");
    bson_iter_init(&it, &doc);
    if (array)
        bson_append_array_begin(out, name, -1, &part);
    else
        bson_append_document_begin(out, name, -1, &part);
    while (fine && bson_iter_next(&it)) {
        fine = expr_eval(&it, root, &part, bson_iter_key(&it), f);
        if (fine && array && !bson_has_field(&part, bson_iter_key(&it)))
            bson_append_null(&part, bson_iter_key(&it), -1);
    }
    if (array)
        bson_append_array_end(out, &part);
    else
        bson_append_document_end(out, &part);
    return fine;
}

bool expr_eval(const bson_iter_t *e, const bson_t *root, bson_t *out, const char *name, struct fault *f)
{
    bool fine = true;
    if (BSON_ITER_HOLDS_UTF8(e) && bson_iter_utf8(e, NULL)[0] == '$')
        fine = eval_path(bson_iter_utf8(e, NULL), root, out, name, f);
    else if (BSON_ITER_HOLDS_DOCUMENT(e) || BSON_ITER_HOLDS_ARRAY(e))
        fine = eval_document(e, root, out, name, f);
    else
        doc_put(out, name, e);
    if (fine && out->len > WIRE_INTERNAL_MAX) /* a short expression can make a large value */
        return fault_say(f, 10334, "an expression makes a value of more than 16 MB");
    return fine;
}
