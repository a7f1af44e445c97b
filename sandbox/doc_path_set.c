// SPDX-License-Identifier: Apache-2.0
/* Documents with one path changed: what updates and computed fields are made of. */
#include "sandbox/docpath.h"
#include "sandbox/expr.h"

#include <string.h>

enum { MAX_DEPTH = 180 };

static bool set_below(const bson_t *doc, bool in_array, const char *path, const bson_iter_t *value,
                      bson_t *out, unsigned depth, struct fault *f);

/* {rest: value} made from nothing. */
static bool make_below(const char *rest, const bson_iter_t *value, bson_t *out, unsigned depth,
                       struct fault *f)
{
    const bson_t empty = BSON_INITIALIZER;
    return value == NULL || set_below(&empty, false, rest, value, out, depth, f);
}

/* The value on the way is copied with the change inside; a scalar on the way makes the path impossible. */
static bool set_inside(const bson_iter_t *it, const char *rest, const bson_iter_t *value, bson_t *out,
                       unsigned depth, struct fault *f)
{
    bson_t inner, part;
    const char *name = bson_iter_key(it);
    if (!doc_under(it, &inner)) {
        if (value != NULL)
            return fault_say(f, SB_PATH_NOT_VIABLE, "Cannot create field '%s' in element {%s: ...}", rest,
                             name);
        doc_put(out, name, it);
        return true;
    }
    bool array = BSON_ITER_HOLDS_ARRAY(it);
    if (array)
        bson_append_array_begin(out, name, -1, &part);
    else
        bson_append_document_begin(out, name, -1, &part);
    bool fine = set_below(&inner, array, rest, value, &part, depth + 1, f);
    if (array)
        bson_append_array_end(out, &part);
    else
        bson_append_document_end(out, &part);
    return fine;
}

/* Copies all fields and changes the one that is meant, so that the order of fields stays; a new one comes
 * last. */
static bool set_below(const bson_t *doc, bool in_array, const char *path, const bson_iter_t *value,
                      bson_t *out, unsigned depth, struct fault *f)
{
    const char *dot = strchr(path, '.');
    const char *rest = dot == NULL ? NULL : dot + 1;
    g_autofree char *name = g_strndup(path, dot == NULL ? strlen(path) : (size_t)(dot - path));
    bool found = false, fine = true;
    bson_iter_t it;
    if (depth > MAX_DEPTH || name[0] == '\0')
        return fault_say(f, 56, "The update path '%s' contains an empty field name, or is too deep.", path);
    bson_iter_init(&it, doc);
    while (fine && bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), name) != 0) {
            doc_put(out, bson_iter_key(&it), &it);
            continue;
        }
        found = true;
        if (rest != NULL)
            fine = set_inside(&it, rest, value, out, depth, f);
        else if (value != NULL)
            doc_put(out, name, value);
        else if (in_array) /* an element's place stays */
            bson_append_null(out, name, -1);
    }
    if (!fine || found || value == NULL)
        return fine;
    if (rest == NULL) {
        doc_put(out, name, value);
        return true;
    }
    bson_t part;
    bson_append_document_begin(out, name, -1, &part);
    fine = make_below(rest, value, &part, depth + 1, f);
    bson_append_document_end(out, &part);
    return fine;
}

bson_t *doc_with_path(const bson_t *doc, const char *path, const bson_iter_t *value, struct fault *f)
{
    bson_t *out = bson_new();
    if (set_below(doc, false, path, value, out, 0, f))
        return out;
    bson_destroy(out);
    return NULL;
}

bson_t *expr_set_fields(const bson_t *doc, const bson_t *spec, const bson_t *root, struct fault *f)
{
    bson_t *at = bson_copy(doc);
    bson_iter_t it, value;
    bson_iter_init(&it, spec);
    while (at != NULL && bson_iter_next(&it)) {
        bson_t holder = BSON_INITIALIZER;
        bson_t *next = NULL;
        if (expr_eval(&it, root, &holder, "v", f)) {
            bool there = bson_iter_init_find(&value, &holder, "v");
            next = there ? doc_with_path(at, bson_iter_key(&it), &value, f) : bson_copy(at);
        }
        bson_destroy(&holder);
        bson_destroy(at);
        at = next;
    }
    return at;
}
