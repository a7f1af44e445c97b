// SPDX-License-Identifier: Apache-2.0
#include "sandbox/update.h"

#include "sandbox/docpath.h"
#include "sandbox/expr.h"

#include <string.h>

struct change {
    const bson_t *root;
    bool inserting;
    int64_t now_ms;
};

/* What an operator makes of a path: {"v": value} in `holder`; empty: the path goes, or stays as it is. */
typedef bool operator_fn(const struct change *c, const char *path, const bson_iter_t *arg,
                         const bson_iter_t *old, bson_t *holder, struct fault *f);

bool update_is_replacement(const bson_t *update)
{
    bson_iter_t it;
    return !bson_iter_init(&it, update) || !bson_iter_next(&it) || bson_iter_key(&it)[0] != '$';
}

static bool op_set(const struct change *c, const char *path, const bson_iter_t *arg, const bson_iter_t *old,
                   bson_t *holder, struct fault *f)
{
    (void)c, (void)path, (void)old, (void)f;
    doc_put(holder, "v", arg);
    return true;
}

/* When nothing is inserted the old value stays, and a missing one stays missing. */
static bool op_set_on_insert(const struct change *c, const char *path, const bson_iter_t *arg,
                             const bson_iter_t *old, bson_t *holder, struct fault *f)
{
    (void)path, (void)f;
    if (c->inserting)
        doc_put(holder, "v", arg);
    else if (old != NULL)
        doc_put(holder, "v", old);
    return true;
}

/* No value in the holder: the path goes. */
static bool op_unset(const struct change *c, const char *path, const bson_iter_t *arg, const bson_iter_t *old,
                     bson_t *holder, struct fault *f)
{
    (void)c, (void)path, (void)arg, (void)old, (void)holder, (void)f;
    return true;
}

static bool is_number(const bson_iter_t *it)
{
    int64_t v;
    return value_int64(it, &v);
}

/* A missing field counts as 0 of the increment's own type. */
static bool op_inc(const struct change *c, const char *path, const bson_iter_t *arg, const bson_iter_t *old,
                   bson_t *holder, struct fault *f)
{
    (void)c;
    if (!is_number(arg))
        return fault_say(f, SB_TYPE_MISMATCH, "Cannot increment with non-numeric argument: {%s: ...}", path);
    if (old == NULL)
        doc_put(holder, "v", arg);
    else if (!number_add(old, arg, holder, "v"))
        return fault_say(
            f, SB_TYPE_MISMATCH,
            "Cannot apply $inc to a value of non-numeric type. The field '%s' has non-numeric type %s", path,
            value_type_name(bson_iter_type(old)));
    return true;
}

static bool keep_extreme(int sign, const bson_iter_t *arg, const bson_iter_t *old, bson_t *holder)
{
    doc_put(holder, "v", old == NULL || value_compare(arg, old) * sign > 0 ? arg : old);
    return true;
}

static bool op_max(const struct change *c, const char *path, const bson_iter_t *arg, const bson_iter_t *old,
                   bson_t *holder, struct fault *f)
{
    (void)c, (void)path, (void)f;
    return keep_extreme(1, arg, old, holder);
}

static bool op_min(const struct change *c, const char *path, const bson_iter_t *arg, const bson_iter_t *old,
                   bson_t *holder, struct fault *f)
{
    (void)c, (void)path, (void)f;
    return keep_extreme(-1, arg, old, holder);
}

static bool op_current_date(const struct change *c, const char *path, const bson_iter_t *arg,
                            const bson_iter_t *old, bson_t *holder, struct fault *f)
{
    bson_t how;
    const char *type = "date";
    (void)path, (void)old;
    if (BSON_ITER_HOLDS_DOCUMENT(arg) && doc_under(arg, &how))
        type = doc_get_text(&how, "$type");
    else if (!BSON_ITER_HOLDS_BOOL(arg))
        type = NULL;
    if (type != NULL && strcmp(type, "date") == 0)
        return bson_append_date_time(holder, "v", -1, c->now_ms);
    if (type != NULL && strcmp(type, "timestamp") == 0)
        return bson_append_timestamp(holder, "v", -1, (uint32_t)(c->now_ms / 1000), 1);
    return fault_say(f, SB_BAD_VALUE,
                     "$currentDate takes a boolean, or {$type: 'date'} or {$type: 'timestamp'}");
}

/* Without modifiers: one element, at the end. */
static bool op_push(const struct change *c, const char *path, const bson_iter_t *arg, const bson_iter_t *old,
                    bson_t *holder, struct fault *f)
{
    bson_t array, before = BSON_INITIALIZER;
    char key[16];
    const char *index;
    (void)c;
    if (old != NULL && (!BSON_ITER_HOLDS_ARRAY(old) || !doc_under(old, &before)))
        return fault_say(f, SB_BAD_VALUE, "The field '%s' must be an array but is of type %s", path,
                         value_type_name(bson_iter_type(old)));
    bson_append_array_begin(holder, "v", -1, &array);
    doc_put_all(&array, &before);
    bson_uint32_to_string(bson_count_keys(&before), &index, key, sizeof key);
    doc_put(&array, index, arg);
    bson_append_array_end(holder, &array);
    return true;
}

static const struct {
    const char *name;
    operator_fn *run;
} operators[] = {
    {"$set", op_set},
    {"$unset", op_unset},
    {"$inc", op_inc},
    {"$max", op_max},
    {"$min", op_min},
    {"$setOnInsert", op_set_on_insert},
    {"$currentDate", op_current_date},
    {"$push", op_push},
};

static operator_fn *find_operator(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++)
        if (strcmp(operators[i].name, name) == 0)
            return operators[i].run;
    return NULL;
}

/* A path may be changed once only, and not together with one above or below it. */
static bool claim(GPtrArray *paths, const char *path, struct fault *f)
{
    size_t len = strlen(path);
    for (guint i = 0; i < paths->len; i++) {
        const char *other = paths->pdata[i];
        size_t shorter = MIN(len, strlen(other));
        const char *longer = len > shorter ? path : other;
        if (strncmp(path, other, shorter) == 0 && (longer[shorter] == '\0' || longer[shorter] == '.'))
            return fault_say(f, SB_CODE_NAME_MAX, "Updating the path '%s' would create a conflict at '%s'",
                             path, other);
    }
    g_ptr_array_add(paths, (gpointer)path);
    return true;
}

/* Changes one path of *doc, which is replaced. */
static bool change_path(const struct change *c, operator_fn *run, const bson_iter_t *arg, bson_t **doc,
                        struct fault *f)
{
    const char *path = bson_iter_key(arg);
    bson_iter_t old, value;
    bson_t holder = BSON_INITIALIZER;
    bool there = docpath_find(*doc, path, &old);
    bson_t *next = NULL;
    if (run(c, path, arg, there ? &old : NULL, &holder, f)) {
        bool has = bson_iter_init_find(&value, &holder, "v");
        next = doc_with_path(*doc, path, has ? &value : NULL, f);
    }
    bson_destroy(&holder);
    if (next == NULL)
        return false;
    bson_destroy(*doc);
    *doc = next;
    return true;
}

static bool apply_operator(const struct change *c, const bson_iter_t *op, GPtrArray *paths, bson_t **doc,
                           struct fault *f)
{
    bson_t fields;
    bson_iter_t it;
    operator_fn *run = find_operator(bson_iter_key(op));
    if (run == NULL)
        return fault_say(
            f, SB_FAILED_TO_PARSE,
            "Unknown modifier: %s. Expected a valid update modifier or pipeline-style update specified as an "
            "array",
            bson_iter_key(op));
    if (!BSON_ITER_HOLDS_DOCUMENT(op) || !doc_under(op, &fields))
        return fault_say(f, SB_FAILED_TO_PARSE, "Modifiers operate on fields but we found type %s instead",
                         value_type_name(bson_iter_type(op)));
    bson_iter_init(&it, &fields);
    while (bson_iter_next(&it))
        if (!claim(paths, bson_iter_key(&it), f) || !change_path(c, run, &it, doc, f))
            return false;
    return true;
}

static bool same_id(const bson_t *a, const bson_t *b)
{
    bson_iter_t ia, ib;
    bool has_a = doc_get(a, "_id", &ia), has_b = doc_get(b, "_id", &ib);
    return !has_a || (has_b && value_compare(&ia, &ib) == 0);
}

/* The replacement with the old _id in front. */
static bson_t *replace(const bson_t *doc, const bson_t *update, struct fault *f)
{
    bson_iter_t it;
    bson_t *out = bson_new();
    if (!bson_has_field(update, "_id") && doc_get(doc, "_id", &it))
        doc_put(out, "_id", &it);
    doc_put_all(out, update);
    if (same_id(doc, out))
        return out;
    bson_destroy(out);
    fault_say(f, SB_IMMUTABLE_FIELD,
              "After applying the update, the (immutable) field '_id' was found to have been "
              "altered");
    return NULL;
}

/* Operators see what those before them made; a path is changed once, so their order does not show. */
bson_t *update_apply(const bson_t *doc, const bson_t *update, bool inserting, int64_t now_ms, struct fault *f)
{
    const struct change c = {.root = doc, .inserting = inserting, .now_ms = now_ms};
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    bson_iter_t it;
    if (update_is_replacement(update))
        return replace(doc, update, f);
    bson_t *out = bson_copy(doc);
    bool fine = true;
    bson_iter_init(&it, update);
    while (fine && bson_iter_next(&it))
        fine = apply_operator(&c, &it, paths, &out, f);
    if (fine && !same_id(doc, out))
        fine = fault_say(f, SB_IMMUTABLE_FIELD,
                         "Performing an update on the path '_id' would modify the immutable field "
                         "'_id'");
    if (fine)
        return out;
    bson_destroy(out);
    return NULL;
}
