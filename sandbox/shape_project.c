// SPDX-License-Identifier: Apache-2.0
/* A projection is a tree of field names. Fields keep the document's order; computed ones come behind. */
#include "sandbox/docpath.h"
#include "sandbox/expr.h"
#include "sandbox/shape.h"

#include <string.h>

enum { MAX_DEPTH = 180 };

struct node {
    char *name;
    bool leaf;
    GPtrArray *children; /* struct node */
};

struct projection {
    bool inclusion;
    bool without_id, with_id;
    struct node *root;
    bson_t *computed; /* {path: expression} */
};

static void node_free(gpointer p)
{
    struct node *n = p;
    g_free(n->name);
    g_ptr_array_unref(n->children);
    g_free(n);
}

static struct node *node_new(const char *name, size_t len)
{
    struct node *n = g_new0(struct node, 1);
    n->name = g_strndup(name, len);
    n->children = g_ptr_array_new_with_free_func(node_free);
    return n;
}

static struct node *child(const struct node *n, const char *name, size_t len)
{
    for (guint i = 0; i < n->children->len; i++) {
        struct node *c = n->children->pdata[i];
        if (strlen(c->name) == len && memcmp(c->name, name, len) == 0)
            return c;
    }
    return NULL;
}

/* The last component becomes a leaf: whatever lies below it is taken or left whole. */
static bool add_path(struct node *root, const char *path, struct fault *f)
{
    struct node *at = root;
    for (unsigned depth = 0;; depth++) {
        const char *dot = strchr(path, '.');
        size_t len = dot == NULL ? strlen(path) : (size_t)(dot - path);
        struct node *c = child(at, path, len);
        if (len == 0 || depth > MAX_DEPTH)
            return fault_say(f, 40352, "FieldPath cannot be constructed with empty string.");
        if (c == NULL) {
            c = node_new(path, len);
            g_ptr_array_add(at->children, c);
        }
        at = c;
        if (dot == NULL)
            break;
        path = dot + 1;
    }
    at->leaf = true;
    return true;
}

void projection_free(projection *p)
{
    if (p == NULL)
        return;
    node_free(p->root);
    bson_destroy(p->computed);
    g_free(p);
}

/* Whether a value says include or exclude; anything else is an expression. */
static bool is_switch(const bson_iter_t *it)
{
    int64_t n;
    return BSON_ITER_HOLDS_BOOL(it) || value_int64(it, &n);
}

/* Once the first field has said whether to include or exclude, the others must agree; _id may always differ.
 */
static bool take_field(projection *p, const bson_iter_t *it, bool computed, bool *mode_known, struct fault *f)
{
    const char *name = bson_iter_key(it);
    if (!is_switch(it)) {
        if (!computed)
            return fault_say(f, SB_BAD_VALUE, "Unsupported projection option: %s", name);
        doc_put(p->computed, name, it);
        if (*mode_known && !p->inclusion)
            return fault_say(f, 31252, "Cannot use an expression %s in an exclusion projection", name);
        *mode_known = p->inclusion = true;
        return true;
    }
    bool on = value_truth(it);
    if (strcmp(name, "_id") == 0) {
        p->with_id = on;
        p->without_id = !on;
        return true;
    }
    if (*mode_known && p->inclusion != on)
        return fault_say(f, SB_BAD_VALUE, "Projection cannot have a mix of inclusion and exclusion.");
    *mode_known = true;
    p->inclusion = on;
    return add_path(p->root, name, f);
}

/* {_id: 0} alone excludes, {_id: 1} alone includes. */
bool projection_parse(const bson_t *spec, bool computed, projection **ret, struct fault *f)
{
    projection *p = g_new0(projection, 1);
    bool mode_known = false;
    bson_iter_t it;
    p->root = node_new("", 0);
    p->computed = bson_new();
    bson_iter_init(&it, spec);
    while (bson_iter_next(&it))
        if (!take_field(p, &it, computed, &mode_known, f)) {
            projection_free(p);
            return false;
        }
    if (!mode_known)
        p->inclusion = p->with_id;
    *ret = p;
    return true;
}

static void apply_document(const struct node *n, bool inclusion, const bson_t *doc, bson_t *out,
                           unsigned depth);

/* A projection goes through arrays: it applies to each document in them, and scalars go when fields are
 * included. */
static void apply_array(const struct node *n, bool inclusion, const bson_t *array, bson_t *out,
                        unsigned depth)
{
    bson_iter_t it;
    bson_t inner, part;
    uint32_t i = 0;
    bson_iter_init(&it, array);
    while (depth < MAX_DEPTH && bson_iter_next(&it)) {
        char key[16];
        const char *index;
        bson_uint32_to_string(i, &index, key, sizeof key);
        if (BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, &inner)) {
            bson_append_document_begin(out, index, -1, &part);
            apply_document(n, inclusion, &inner, &part, depth + 1);
            bson_append_document_end(out, &part);
        } else if (BSON_ITER_HOLDS_ARRAY(&it) && doc_under(&it, &inner)) {
            bson_append_array_begin(out, index, -1, &part);
            apply_array(n, inclusion, &inner, &part, depth + 1);
            bson_append_array_end(out, &part);
        } else if (!inclusion) {
            doc_put(out, index, &it);
        } else {
            continue;
        }
        i++;
    }
}

static void apply_inner(const struct node *c, bool inclusion, const bson_iter_t *it, bson_t *out,
                        unsigned depth)
{
    bson_t inner, part;
    if (BSON_ITER_HOLDS_DOCUMENT(it) && doc_under(it, &inner)) {
        bson_append_document_begin(out, bson_iter_key(it), -1, &part);
        apply_document(c, inclusion, &inner, &part, depth + 1);
        bson_append_document_end(out, &part);
    } else if (BSON_ITER_HOLDS_ARRAY(it) && doc_under(it, &inner)) {
        bson_append_array_begin(out, bson_iter_key(it), -1, &part);
        apply_array(c, inclusion, &inner, &part, depth + 1);
        bson_append_array_end(out, &part);
    } else if (!inclusion) {
        doc_put(out, bson_iter_key(it), it);
    }
}

static void apply_field(const struct node *n, bool inclusion, const bson_iter_t *it, bson_t *out,
                        unsigned depth)
{
    const char *name = bson_iter_key(it);
    const struct node *c = child(n, name, strlen(name));
    if (c != NULL && !c->leaf)
        apply_inner(c, inclusion, it, out, depth);
    else if ((c != NULL) == inclusion)
        doc_put(out, name, it);
}

static void apply_document(const struct node *n, bool inclusion, const bson_t *doc, bson_t *out,
                           unsigned depth)
{
    bson_iter_t it;
    bson_iter_init(&it, doc);
    while (depth < MAX_DEPTH && bson_iter_next(&it))
        apply_field(n, inclusion, &it, out, depth);
}

/* _id has rules of its own: there unless it was switched off, or is computed. */
bson_t *projection_apply(const projection *p, const bson_t *doc, struct fault *f)
{
    bson_t *out = bson_new();
    bson_iter_t it;
    bson_iter_init(&it, doc);
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "_id") != 0 || child(p->root, "_id", 3) != NULL)
            apply_field(p->root, p->inclusion, &it, out, 0);
        else if (!p->without_id && !bson_has_field(p->computed, "_id"))
            doc_put(out, "_id", &it);
    }
    if (bson_empty(p->computed))
        return out;
    bson_t *with = expr_set_fields(out, p->computed, doc, f);
    bson_destroy(out);
    return with;
}
