// SPDX-License-Identifier: Apache-2.0
/* A group's state is one document, {name: running value}; averages keep their count beside it. */
#include "sandbox/group.h"

#include "sandbox/docpath.h"
#include "sandbox/expr.h"
#include "sandbox/pipeline.h"

#include <string.h>

enum { MAX_FIELDS = 64 };

enum accumulator { ACC_SUM, ACC_AVG, ACC_MIN, ACC_MAX, ACC_FIRST, ACC_LAST, ACC_PUSH, ACC_SET };

static const char *const accumulators[] = {"$sum",   "$avg",  "$min",  "$max",
                                           "$first", "$last", "$push", "$addToSet"};

struct field {
    bson_iter_t expression;
    const char *name;
    enum accumulator how;
};

struct cell {
    bson_t *value;    /* {"v": running value}; NULL: nothing seen */
    GPtrArray *items; /* of push and set: {"v": value} */
    double sum;
    int64_t n;
};

struct group {
    bson_t *id; /* {"_id": key}, empty where it is missing */
    struct cell *cells;
};

struct grouping {
    struct field fields[MAX_FIELDS];
    bson_iter_t key;
    GHashTable *by_key; /* GBytes to struct group */
    GPtrArray *groups;
    unsigned n_fields;
};

/* {name: {$accumulator: expression}}; the names and expressions borrow the specification's bytes. */
static bool parse_field(struct grouping *g, const bson_iter_t *it, struct fault *f)
{
    bson_t inner;
    bson_iter_t op;
    if (!BSON_ITER_HOLDS_DOCUMENT(it) || !doc_under(it, &inner) || bson_count_keys(&inner) != 1)
        return fault_say(f, 40234, "The field '%s' must be an accumulator object", bson_iter_key(it));
    if (g->n_fields == MAX_FIELDS)
        return fault_say(f, SB_LIMIT, "$group has too many fields");
    bson_iter_init(&op, &inner);
    bson_iter_next(&op);
    for (size_t i = 0; i < G_N_ELEMENTS(accumulators); i++)
        if (strcmp(accumulators[i], bson_iter_key(&op)) == 0) {
            g->fields[g->n_fields++] =
                (struct field){.name = bson_iter_key(it), .how = (enum accumulator)i, .expression = op};
            return true;
        }
    return fault_say(f, 15952, "unknown group operator '%s'", bson_iter_key(&op));
}

static bool parse(struct grouping *g, const bson_t *spec, struct fault *f)
{
    bson_iter_t it;
    bool has_id = false;
    bson_iter_init(&it, spec);
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "_id") == 0) {
            has_id = true;
            g->key = it;
        } else if (!parse_field(g, &it, f)) {
            return false;
        }
    }
    return has_id || fault_say(f, 15955, "a group specification must include an _id");
}

static void cell_clear(struct cell *c)
{
    if (c->value != NULL)
        bson_destroy(c->value);
    if (c->items != NULL)
        g_ptr_array_unref(c->items);
}

/* Keys are equal when their encodings are: 1 and 1.0 make one group, as with the server. */
static struct group *find_group(struct grouping *g, const bson_t *doc, struct fault *f)
{
    bson_t *id = bson_new();
    bson_iter_t it;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!expr_eval(&g->key, doc, id, "_id", f)) {
        bson_destroy(id);
        return NULL;
    }
    if (bson_iter_init_find(&it, id, "_id"))
        key_encode_value(&it, enc, NULL);
    GBytes *key = g_byte_array_free_to_bytes(g_steal_pointer(&enc));
    struct group *group = g_hash_table_lookup(g->by_key, key);
    if (group != NULL) {
        bson_destroy(id);
        g_bytes_unref(key);
        return group;
    }
    group = g_new0(struct group, 1);
    group->id = id;
    group->cells = g_new0(struct cell, g->n_fields);
    g_ptr_array_add(g->groups, group);
    g_hash_table_insert(g->by_key, key, group);
    return group;
}

static void keep(struct cell *c, const bson_t *holder)
{
    if (c->value != NULL)
        bson_destroy(c->value);
    c->value = bson_copy(holder);
}

/* What is no number does not count in a sum. */
static void add_number(struct cell *c, const bson_iter_t *value)
{
    bson_t next = BSON_INITIALIZER;
    bson_iter_t at;
    if (c->value == NULL) {
        c->value = bson_new();
        bson_append_int32(c->value, "v", -1, 0);
    }
    bson_iter_init_find(&at, c->value, "v");
    if (number_add(&at, value, &next, "v"))
        keep(c, &next);
    bson_destroy(&next);
}

/* A set is searched through: it holds shard names and the like, never many. */
static void add_item(struct cell *c, bool once, const bson_t *holder)
{
    bson_iter_t a, b;
    if (c->items == NULL)
        c->items = docs_new();
    bson_iter_init_find(&a, holder, "v");
    for (guint i = 0; once && i < c->items->len; i++)
        if (bson_iter_init_find(&b, c->items->pdata[i], "v") && value_compare(&a, &b) == 0)
            return;
    g_ptr_array_add(c->items, bson_copy(holder));
}

static void add_average(struct cell *c, const bson_iter_t *value)
{
    int64_t whole;
    if (!value_int64(value, &whole))
        return;
    c->sum += BSON_ITER_HOLDS_DOUBLE(value) ? bson_iter_double(value) : (double)whole;
    c->n++;
}

/* Missing values count for $first and $last only. */
static void accumulate(struct cell *c, enum accumulator how, const bson_t *holder)
{
    bson_iter_t value, best;
    bool there = bson_iter_init_find(&value, holder, "v");
    bool first = c->value == NULL;
    int order = 0;
    if (how == ACC_FIRST || how == ACC_LAST) {
        if (first || how == ACC_LAST)
            keep(c, holder);
        return;
    }
    if (!there)
        return;
    if (how == ACC_SUM)
        add_number(c, &value);
    else if (how == ACC_AVG)
        add_average(c, &value);
    else if (how == ACC_PUSH || how == ACC_SET)
        add_item(c, how == ACC_SET, holder);
    else if (!BSON_ITER_HOLDS_NULL(&value)) {
        if (!first && bson_iter_init_find(&best, c->value, "v"))
            order = value_compare(&value, &best);
        if (first || (how == ACC_MIN ? order < 0 : order > 0))
            keep(c, holder);
    }
}

static void append_items(bson_t *out, const char *name, const GPtrArray *items)
{
    bson_t array;
    bson_iter_t it;
    bson_append_array_begin(out, name, -1, &array);
    for (guint i = 0; items != NULL && i < items->len; i++) {
        char key[16];
        const char *index;
        bson_uint32_to_string(i, &index, key, sizeof key);
        if (bson_iter_init_find(&it, items->pdata[i], "v"))
            doc_put(&array, index, &it);
    }
    bson_append_array_end(out, &array);
}

/* What an accumulator gives when it has seen nothing: 0, null, or an empty list. */
static void append_cell(bson_t *out, const struct field *field, const struct cell *c)
{
    bson_iter_t it;
    if (field->how == ACC_PUSH || field->how == ACC_SET)
        append_items(out, field->name, c->items);
    else if (field->how == ACC_AVG && c->n > 0)
        bson_append_double(out, field->name, -1, c->sum / (double)c->n);
    else if (c->value != NULL && bson_iter_init_find(&it, c->value, "v"))
        doc_put(out, field->name, &it);
    else if (field->how == ACC_SUM)
        bson_append_int32(out, field->name, -1, 0);
    else
        bson_append_null(out, field->name, -1);
}

static bson_t *result_of(const struct grouping *g, const struct group *group)
{
    bson_t *out = bson_new();
    bson_iter_t it;
    if (bson_iter_init_find(&it, group->id, "_id"))
        doc_put(out, "_id", &it);
    else
        bson_append_null(out, "_id", -1);
    for (unsigned i = 0; i < g->n_fields; i++)
        append_cell(out, &g->fields[i], &group->cells[i]);
    return out;
}

static bool take(struct grouping *g, const bson_t *doc, struct fault *f)
{
    struct group *group = find_group(g, doc, f);
    for (unsigned i = 0; group != NULL && i < g->n_fields; i++) {
        bson_t holder = BSON_INITIALIZER;
        bool fine = expr_eval(&g->fields[i].expression, doc, &holder, "v", f);
        if (fine)
            accumulate(&group->cells[i], g->fields[i].how, &holder);
        bson_destroy(&holder);
        if (!fine)
            return false;
    }
    return group != NULL;
}

GPtrArray *group_run(const bson_t *spec, const GPtrArray *docs, struct fault *f)
{
    struct grouping g = {0};
    GPtrArray *out = NULL;
    if (!parse(&g, spec, f))
        return NULL;
    g.by_key = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g.groups = g_ptr_array_new();
    bool fine = true;
    for (guint i = 0; fine && i < docs->len; i++)
        fine = take(&g, docs->pdata[i], f);
    if (fine)
        out = docs_new();
    for (guint i = 0; i < g.groups->len; i++) {
        struct group *group = g.groups->pdata[i];
        if (fine)
            g_ptr_array_add(out, result_of(&g, group));
        for (unsigned n = 0; n < g.n_fields; n++)
            cell_clear(&group->cells[n]);
        bson_destroy(group->id);
        g_free(group->cells);
        g_free(group);
    }
    g_ptr_array_unref(g.groups);
    g_hash_table_unref(g.by_key);
    return out;
}
