// SPDX-License-Identifier: Apache-2.0
/* Predicates of one level are intersected. Of a $or, the branches' intervals are joined field by field, as
 * mongos does, and only where nothing beside it bounds the first key field. */
#include "balancer/answer/route_filter.h"

#include "balancer/key/encode.h"
#include "balancer/key/hash.h"
#include "common/text.h"

#include <string.h>

enum { DEPTH_MAX = 64, NOTES_MAX = 20 };

/* Documents inside the filter; borrowed. */
struct view {
    const uint8_t *data;
    uint32_t len;
};

/* What one level of the filter says. */
struct level {
    GArray *sets[KEY_FIELDS_MAX];        /* NULL: free */
    GBytes *from_subdoc[KEY_FIELDS_MAX]; /* the value inside a whole subdocument that must be equal; NULL */
    GArray *ors;                         /* struct view: arrays of $or */
};

struct reader {
    const key_pattern *key;
    GPtrArray *notes;
    struct err *err;
};

static void note(const struct reader *r, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void note(const struct reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *raw = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    char *text = text_escaped(raw);
    if (r->notes->len >= NOTES_MAX || g_ptr_array_find_with_equal_func(r->notes, text, g_str_equal, NULL))
        g_free(text);
    else
        g_ptr_array_add(r->notes, text);
}

static void level_clear(struct level *l)
{
    for (uint32_t f = 0; f < KEY_FIELDS_MAX; f++) {
        g_clear_pointer(&l->sets[f], g_array_unref);
        g_clear_pointer(&l->from_subdoc[f], g_bytes_unref);
    }
    g_clear_pointer(&l->ors, g_array_unref);
}

static bool refuse(const struct reader *r, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(const struct reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return err_set(r->err, ERR_USAGE, "the filter: %s", text);
}

static bool get_view(const bson_iter_t *it, struct view *ret)
{
    if (BSON_ITER_HOLDS_DOCUMENT(it))
        bson_iter_document(it, &ret->len, &ret->data);
    else if (BSON_ITER_HOLDS_ARRAY(it))
        bson_iter_array(it, &ret->len, &ret->data);
    else
        return false;
    return true;
}

/* Narrows a field by `set`, which is taken. */
static void narrow(struct level *l, uint32_t field, GArray *set)
{
    intervals_normalise(set);
    if (l->sets[field] == NULL) {
        l->sets[field] = set;
        return;
    }
    GArray *both = intervals_intersect(l->sets[field], set);
    g_array_unref(l->sets[field]);
    g_array_unref(set);
    l->sets[field] = both;
}

static GBytes *encode_hash(int64_t hash)
{
    bson_t doc = BSON_INITIALIZER;
    bson_iter_t it;
    GByteArray *enc = g_byte_array_new();
    BSON_APPEND_INT64(&doc, "v", hash);
    if (bson_iter_init(&it, &doc) && bson_iter_next(&it))
        key_encode_value(&it, enc, NULL);
    bson_destroy(&doc);
    return g_byte_array_free_to_bytes(enc);
}

/* The value as it stands in the key: its hash for a hashed field. */
static bool key_value(const struct reader *r, const struct key_field *f, const bson_iter_t *it, GBytes **ret)
{
    int64_t hash;
    if (f->hashed) {
        if (!key_hash_value(it, &hash, r->err)) {
            r->err->cls = ERR_USAGE;
            return false;
        }
        *ret = encode_hash(hash);
        return true;
    }
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!key_encode_value(it, enc, r->err)) {
        r->err->cls = ERR_USAGE;
        return false;
    }
    *ret = g_byte_array_free_to_bytes(g_steal_pointer(&enc));
    return true;
}

/* The literal beginning that all matches of an anchored pattern share; "" where there is none. Only ASCII
 * letters, digits and a few harmless signs are taken for literal. */
static char *literal_prefix(const char *pattern, const char *flags)
{
    GString *out = g_string_new(NULL);
    if (pattern[0] == '^' && flags[0] == '\0' && strpbrk(pattern, "|") == NULL) {
        const char *p = pattern + 1;
        for (; g_ascii_isalnum(*p) || (*p != '\0' && strchr(" _-:/,@#%&=<>~\"';!", *p) != NULL); p++)
            g_string_append_c(out, *p);
        if (*p != '\0' && strchr("*?{+", *p) != NULL && out->len > 0)
            g_string_truncate(out, out->len - 1); /* the quantifier is the last character's */
    }
    return g_string_free(out, FALSE);
}

/* A regular expression finds strings, and itself stored as a value. */
static bool add_regex(const struct reader *r, GArray *set, const bson_iter_t *it)
{
    const char *flags, *pattern = bson_iter_regex(it, &flags);
    g_autofree char *prefix = literal_prefix(pattern, flags);
    intervals_add_prefix(set, prefix);
    return intervals_add(set, COMPARE_EQ, it, r->err);
}

/* Equality with one value of the filter; *ret_free: it says nothing about the field. */
static bool add_equal(const struct reader *r, uint32_t field, const bson_iter_t *it, bool as_match,
                      GArray *set, bool *ret_free)
{
    const struct key_field *f = &r->key->fields[field];
    if (BSON_ITER_HOLDS_ARRAY(it)) {
        note(r, "'%s' is compared with an array, which no shard key value can be: it is not used", f->name);
        *ret_free = true;
        return true;
    }
    if (as_match && BSON_ITER_HOLDS_REGEX(it)) {
        if (!f->hashed)
            return add_regex(r, set, it);
        note(r, "a regular expression on the hashed field '%s' cannot be targeted", f->name);
        *ret_free = true;
        return true;
    }
    GBytes *value;
    if (!key_value(r, f, it, &value))
        return false;
    intervals_add_point(set, value);
    g_bytes_unref(value);
    return true;
}

static bool read_equal(const struct reader *r, struct level *l, uint32_t field, const bson_iter_t *it,
                       bool as_match)
{
    bool is_free = false;
    GArray *set = intervals_new();
    bool ok = add_equal(r, field, it, as_match, set, &is_free);
    if (ok && !is_free)
        narrow(l, field, set);
    else
        g_array_unref(set);
    return ok;
}

static bool read_in(const struct reader *r, struct level *l, uint32_t field, const bson_iter_t *it)
{
    bson_iter_t item;
    bool is_free = false, ok = true;
    if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &item))
        return refuse(r, "$in needs an array");
    GArray *set = intervals_new();
    while (ok && bson_iter_next(&item))
        ok = add_equal(r, field, &item, true, set, &is_free);
    if (ok && !is_free)
        narrow(l, field, set);
    else
        g_array_unref(set);
    return ok;
}

static bool read_range(const struct reader *r, struct level *l, uint32_t field, enum compare op,
                       const bson_iter_t *it)
{
    const struct key_field *f = &r->key->fields[field];
    if (f->hashed) {
        note(r, "a range on the hashed field '%s' cannot be targeted: hashes do not keep the order of values",
             f->name);
        return true;
    }
    if (BSON_ITER_HOLDS_ARRAY(it) || BSON_ITER_HOLDS_REGEX(it)) {
        note(r, "'%s' is compared with an array or a regular expression: it is not used", f->name);
        return true;
    }
    GArray *set = intervals_new();
    if (!intervals_add(set, op, it, r->err)) {
        g_array_unref(set);
        return false;
    }
    narrow(l, field, set);
    return true;
}

static bool is_operators(const bson_iter_t *it)
{
    bson_iter_t first;
    if (!BSON_ITER_HOLDS_DOCUMENT(it) || !bson_iter_recurse(it, &first) || !bson_iter_next(&first))
        return false;
    const char *name = bson_iter_key(&first);
    return name[0] == '$' && strcmp(name, "$ref") != 0 && strcmp(name, "$id") != 0 &&
           strcmp(name, "$db") != 0;
}

/* {$regex: "...", $options: "..."}; `it` stands on $regex, `doc` is the document around it. */
static bool read_regex(const struct reader *r, struct level *l, uint32_t field, const bson_iter_t *it,
                       const bson_iter_t *doc)
{
    bson_iter_t options;
    const char *flags = "", *pattern = NULL;
    if (BSON_ITER_HOLDS_REGEX(it))
        pattern = bson_iter_regex(it, &flags);
    else if (BSON_ITER_HOLDS_UTF8(it))
        pattern = bson_iter_utf8(it, NULL);
    if (pattern == NULL)
        return refuse(r, "$regex needs a string or a regular expression");
    if (bson_iter_recurse(doc, &options) && bson_iter_find(&options, "$options"))
        flags = BSON_ITER_HOLDS_UTF8(&options) ? bson_iter_utf8(&options, NULL) : "?";
    bson_t regex = BSON_INITIALIZER;
    bson_iter_t value;
    BSON_APPEND_REGEX(&regex, "v", pattern, flags);
    bool ok =
        bson_iter_init(&value, &regex) && bson_iter_next(&value) && read_equal(r, l, field, &value, true);
    bson_destroy(&regex);
    return ok;
}

static bool read_operator(const struct reader *r, struct level *l, uint32_t field, const bson_iter_t *it,
                          const bson_iter_t *doc)
{
    static const struct {
        const char *name;
        enum compare op;
    } ranges[] = {{"$gt", COMPARE_GT}, {"$gte", COMPARE_GTE}, {"$lt", COMPARE_LT}, {"$lte", COMPARE_LTE}};
    const char *name = bson_iter_key(it);
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
        if (strcmp(name, ranges[i].name) == 0)
            return read_range(r, l, field, ranges[i].op, it);
    if (strcmp(name, "$eq") == 0)
        return read_equal(r, l, field, it, false);
    if (strcmp(name, "$in") == 0)
        return read_in(r, l, field, it);
    if (strcmp(name, "$regex") == 0)
        return read_regex(r, l, field, it, doc);
    if (strcmp(name, "$options") != 0 && strcmp(name, "$comment") != 0)
        note(r, "%s on '%s' does not narrow the chunks", name, r->key->fields[field].name);
    return true;
}

static bool read_operators(const struct reader *r, struct level *l, uint32_t field, const bson_iter_t *doc)
{
    bson_iter_t it;
    if (!bson_iter_recurse(doc, &it))
        return refuse(r, "corrupt BSON");
    while (bson_iter_next(&it))
        if (!read_operator(r, l, field, &it, doc))
            return false;
    return true;
}

/* "a.b" below "a": what must follow, or NULL. */
static const char *below(const char *name, const char *path)
{
    size_t len = strlen(path);
    return strncmp(name, path, len) == 0 && name[len] == '.' ? name + len + 1 : NULL;
}

/* A whole subdocument must be equal, so the key field inside it is fixed. The path may lead nowhere. */
static bool read_subdoc(const struct reader *r, struct level *l, uint32_t field, const bson_iter_t *value,
                        const char *rest)
{
    bson_iter_t sub, it = *value, in;
    if (BSON_ITER_HOLDS_DOCUMENT(&it) && is_operators(&it)) {
        if (!bson_iter_recurse(value, &in) || !bson_iter_find(&in, "$eq"))
            return true;
        it = in;
    }
    if (!BSON_ITER_HOLDS_DOCUMENT(&it) || !bson_iter_recurse(&it, &sub) ||
        !bson_iter_find_descendant(&sub, rest, &in) || BSON_ITER_HOLDS_ARRAY(&in) ||
        BSON_ITER_HOLDS_REGEX(&in))
        return true;
    GBytes *fixed;
    if (!key_value(r, &r->key->fields[field], &in, &fixed))
        return false;
    g_clear_pointer(&l->from_subdoc[field], g_bytes_unref);
    l->from_subdoc[field] = fixed;
    return true;
}

static bool read_path(const struct reader *r, struct level *l, const bson_iter_t *it)
{
    const char *path = bson_iter_key(it);
    for (uint32_t f = 0; f < r->key->n_fields; f++) {
        const char *name = r->key->fields[f].name, *rest = below(name, path);
        bool ok = true;
        if (strcmp(name, path) == 0)
            ok = is_operators(it) ? read_operators(r, l, f, it) : read_equal(r, l, f, it, true);
        else if (rest != NULL)
            ok = read_subdoc(r, l, f, it, rest);
        else if (below(path, name) != NULL)
            note(
                r,
                "'%s' lies inside the key field '%s', which counts as a whole: it does not narrow the chunks",
                path, name);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_level(const struct reader *r, struct level *l, struct view doc, unsigned depth);

static bool read_and(const struct reader *r, struct level *l, const bson_iter_t *array, unsigned depth)
{
    bson_iter_t it;
    struct view v = {0};
    if (!BSON_ITER_HOLDS_ARRAY(array) || !bson_iter_recurse(array, &it))
        return refuse(r, "$and needs an array");
    while (bson_iter_next(&it))
        if (!BSON_ITER_HOLDS_DOCUMENT(&it) || !get_view(&it, &v))
            return refuse(r, "$and needs an array of documents");
        else if (!read_level(r, l, v, depth + 1))
            return false;
    return true;
}

static bool read_top(const struct reader *r, struct level *l, const bson_iter_t *it, unsigned depth)
{
    const char *name = bson_iter_key(it);
    struct view v = {0};
    if (strcmp(name, "$and") == 0)
        return read_and(r, l, it, depth);
    if (strcmp(name, "$or") == 0) {
        if (!BSON_ITER_HOLDS_ARRAY(it) || !get_view(it, &v))
            return refuse(r, "$or needs an array");
        g_array_append_val(l->ors, v);
    } else if (strcmp(name, "$comment") != 0) {
        note(r, "%s does not narrow the chunks", name);
    }
    return true;
}

/* Adds what the document says to the level. */
static bool read_level(const struct reader *r, struct level *l, struct view doc, unsigned depth)
{
    bson_iter_t it;
    if (depth > DEPTH_MAX)
        return refuse(r, "nested more than %d deep", (int)DEPTH_MAX);
    if (l->ors == NULL)
        l->ors = g_array_new(FALSE, FALSE, sizeof(struct view));
    if (!bson_iter_init_from_data(&it, doc.data, doc.len))
        return refuse(r, "corrupt BSON");
    while (bson_iter_next(&it)) {
        bool ok = bson_iter_key(&it)[0] == '$' ? read_top(r, l, &it, depth) : read_path(r, l, &it);
        if (!ok)
            return false;
    }
    return true;
}

static bool is_contradiction(const struct level *l, uint32_t n_fields)
{
    for (uint32_t f = 0; f < n_fields; f++)
        if (l->sets[f] != NULL && l->sets[f]->len == 0)
            return true;
    return false;
}

/* Joins a branch into `sum`, of which `*first` says that nothing was joined yet. */
static void join_branch(struct level *sum, const struct level *branch, uint32_t n_fields, bool *first)
{
    if (is_contradiction(branch, n_fields))
        return;
    for (uint32_t f = 0; f < n_fields; f++) {
        if (branch->sets[f] == NULL || (!*first && sum->sets[f] == NULL)) {
            g_clear_pointer(&sum->sets[f], g_array_unref);
            continue;
        }
        if (sum->sets[f] == NULL)
            sum->sets[f] = intervals_new();
        intervals_add_all(sum->sets[f], branch->sets[f]);
    }
    *first = false;
}

static bool resolve(const struct reader *r, struct level *l, struct view doc, unsigned depth);

static bool read_or(const struct reader *r, struct level *sum, struct view array, unsigned depth)
{
    bson_iter_t it;
    bool first = true, ok = true;
    struct view v = {0};
    if (!bson_iter_init_from_data(&it, array.data, array.len))
        return refuse(r, "corrupt BSON");
    if (array.len <= 5)
        return refuse(r, "$or needs at least one document");
    while (ok && bson_iter_next(&it)) {
        struct level branch = {0};
        ok = BSON_ITER_HOLDS_DOCUMENT(&it) && get_view(&it, &v)
                 ? resolve(r, &branch, v, depth + 1)
                 : refuse(r, "$or needs an array of documents");
        if (ok)
            join_branch(sum, &branch, r->key->n_fields, &first);
        level_clear(&branch);
    }
    if (ok && first) /* no branch can match */
        sum->sets[0] = intervals_new();
    return ok;
}

/* Reads a level, then uses its first $or that bounds the first key field, where nothing else does. */
static bool resolve(const struct reader *r, struct level *l, struct view doc, unsigned depth)
{
    if (!read_level(r, l, doc, depth))
        return false;
    for (guint i = 0; i < l->ors->len; i++) {
        struct level sum = {0};
        bool ok = read_or(r, &sum, g_array_index(l->ors, struct view, i), depth);
        bool use = ok && l->sets[0] == NULL && sum.sets[0] != NULL;
        for (uint32_t f = 0; use && f < r->key->n_fields; f++)
            if (sum.sets[f] != NULL)
                narrow(l, f, g_steal_pointer(&sum.sets[f]));
        level_clear(&sum);
        if (!ok)
            return false;
    }
    return true;
}

/* mongos looks into whole subdocuments only for a filter that fixes every field of the key. */
static void use_subdocs(const struct reader *r, struct level *l)
{
    bool all = true, any = false;
    for (uint32_t f = 0; f < r->key->n_fields; f++) {
        bool sub = l->from_subdoc[f] != NULL;
        any |= sub;
        all &= sub || (l->sets[f] != NULL && intervals_is_point(l->sets[f]));
    }
    if (any && !all)
        note(r, "a whole subdocument fixes the key field inside it only where the filter fixes all other "
                "fields of "
                "the key, too");
    for (uint32_t f = 0; all && f < r->key->n_fields; f++)
        if (l->from_subdoc[f] != NULL) {
            GArray *set = intervals_new();
            intervals_add_point(set, l->from_subdoc[f]);
            narrow(l, f, set);
        }
}

bool filter_bounds_read(const key_pattern *key, const bson_t *filter, struct filter_bounds *ret,
                        struct err *err)
{
    struct err local = {0};
    GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);
    struct reader r = {.key = key, .notes = notes, .err = err != NULL ? err : &local};
    struct level l = {0};
    struct view whole = {.data = bson_get_data(filter), .len = filter->len};
    bool ok = resolve(&r, &l, whole, 0);
    if (ok) {
        use_subdocs(&r, &l);
        *ret = (struct filter_bounds){.notes = g_steal_pointer(&notes)};
        for (uint32_t f = 0; f < key->n_fields; f++)
            ret->fields[f] = g_steal_pointer(&l.sets[f]);
    }
    level_clear(&l);
    g_clear_pointer(&notes, g_ptr_array_unref);
    return ok;
}

void filter_bounds_clear(struct filter_bounds *b)
{
    for (uint32_t f = 0; f < KEY_FIELDS_MAX; f++)
        g_clear_pointer(&b->fields[f], g_array_unref);
    g_clear_pointer(&b->notes, g_ptr_array_unref);
}
