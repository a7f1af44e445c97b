// SPDX-License-Identifier: Apache-2.0
#include "balancer/source/anonymize_names.h"

#include "balancer/key/encode.h"

#include <string.h>

/* A name that stays as it is, and what names before and behind it begin with so that the order stays. */
static const struct {
    const char *reserved, *before, *behind;
} rules[NAME_KIND_COUNT] = {
    [NAME_SHARD] = {"config", "a", "shard"},   [NAME_DATABASE] = {"config.", "a", "db"},
    [NAME_COLLECTION] = {"system.", "c", "x"}, [NAME_ZONE] = {NULL, NULL, "zone"},
    [NAME_FIELD] = {NULL, NULL, "f"},
};

/* Parts of fields that the server gives, not the user. */
static const char *const known_fields[] = {"_id", "meta", "control", "min", "max"};
/* What collections of the server's own begin with; what follows is the user's. */
static const char *const known_prefixes[] = {"system.buckets.", "system.resharding."};
static const char known_collection[] = "system.sessions";

/* The values of one field of one collection. */
struct values {
    GHashTable *set;   /* GBytes, owned: encodings; NULL when settled */
    GPtrArray *sorted; /* the same GBytes, in order */
    bool hashed;
};

struct names {
    GHashTable *kinds[NAME_KIND_COUNT]; /* old name -> new name, owned */
    GHashTable *values;                 /* "ns\npath" -> struct values */
};

static void values_free(gpointer data)
{
    struct values *v = data;
    if (v->set != NULL)
        g_hash_table_unref(v->set);
    if (v->sorted != NULL)
        g_ptr_array_unref(v->sorted);
    g_free(v);
}

names *names_new(void)
{
    names *n = g_new0(names, 1);
    for (int i = 0; i < NAME_KIND_COUNT; i++)
        n->kinds[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    n->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, values_free);
    return n;
}

void names_free(names *n)
{
    for (int i = 0; i < NAME_KIND_COUNT; i++)
        g_hash_table_unref(n->kinds[i]);
    g_hash_table_unref(n->values);
    g_free(n);
}

static bool is_known_field(const char *part)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known_fields); i++)
        if (strcmp(known_fields[i], part) == 0)
            return true;
    return false;
}

/* The server's part of a collection's name, "" where it has none. */
static const char *known_prefix(const char *collection)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known_prefixes); i++)
        if (g_str_has_prefix(collection, known_prefixes[i]))
            return known_prefixes[i];
    return "";
}

/* A database is kept with the dot behind it: so namespaces sort, and so must databases. */
static char *key_of(enum name_kind kind, const char *name)
{
    return kind == NAME_DATABASE ? g_strconcat(name, ".", NULL) : g_strdup(name);
}

void names_add(names *n, enum name_kind kind, const char *name)
{
    char *key = key_of(kind, name);
    if (g_hash_table_contains(n->kinds[kind], key))
        g_free(key);
    else
        g_hash_table_insert(n->kinds[kind], key, NULL);
}

void names_add_ns(names *n, const char *ns)
{
    const char *dot = strchr(ns, '.');
    g_autofree char *db = dot == NULL ? g_strdup(ns) : g_strndup(ns, (gsize)(dot - ns));
    names_add(n, NAME_DATABASE, db);
    if (dot != NULL && strcmp(dot + 1, known_collection) != 0)
        names_add(n, NAME_COLLECTION, dot + 1 + strlen(known_prefix(dot + 1)));
}

void names_add_path(names *n, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, ".", -1);
    for (char **part = parts; *part != NULL; part++)
        if (!is_known_field(*part))
            names_add(n, NAME_FIELD, *part);
}

static struct values *values_of(names *n, const char *ns, const char *path)
{
    char *key = g_strconcat(ns, "\n", path, NULL);
    struct values *v = g_hash_table_lookup(n->values, key);
    if (v != NULL) {
        g_free(key);
        return v;
    }
    v = g_new0(struct values, 1);
    v->set = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_hash_table_insert(n->values, key, v);
    return v;
}

static GBytes *encode(const bson_iter_t *it)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    if (!key_encode_value(it, out, NULL))
        return NULL;
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

void names_add_value(names *n, const char *ns, const char *path, const bson_iter_t *it)
{
    bson_type_t type = bson_iter_type(it);
    GBytes *bytes = type == BSON_TYPE_MINKEY || type == BSON_TYPE_MAXKEY ? NULL : encode(it);
    if (bytes != NULL)
        g_hash_table_add(values_of(n, ns, path)->set, bytes);
}

void names_set_hashed(names *n, const char *ns, const char *path)
{
    values_of(n, ns, path)->hashed = true;
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_bytes(gconstpointer a, gconstpointer b)
{
    return g_bytes_compare(*(const GBytes *const *)a, *(const GBytes *const *)b);
}

/* Sorted keys of a table; they belong to it. */
static GPtrArray *sorted_keys(GHashTable *table, GCompareFunc order)
{
    GPtrArray *keys = g_ptr_array_new();
    GHashTableIter it;
    gpointer key;
    g_hash_table_iter_init(&it, table);
    while (g_hash_table_iter_next(&it, &key, NULL))
        g_ptr_array_add(keys, key);
    g_ptr_array_sort(keys, order);
    return keys;
}

static char *new_name(enum name_kind kind, const char *old, bool has_reserved, int width, guint number)
{
    const char *reserved = rules[kind].reserved;
    if (has_reserved && strcmp(old, reserved) == 0)
        return g_strdup("config");
    bool before = has_reserved && strcmp(old, reserved) < 0;
    return g_strdup_printf("%s%0*u", before ? rules[kind].before : rules[kind].behind, width, number);
}

static void settle_kind(names *n, enum name_kind kind)
{
    GHashTable *table = n->kinds[kind];
    g_autoptr(GPtrArray) old = sorted_keys(table, by_text);
    /* Of collections it is a whole class that may be met; it is compared with always. */
    bool has_reserved = kind == NAME_COLLECTION ||
                        (rules[kind].reserved != NULL && g_hash_table_contains(table, rules[kind].reserved));
    int width = 1;
    for (guint left = old->len; left >= 10; left /= 10)
        width++;
    for (guint i = 0; i < old->len; i++)
        g_hash_table_replace(table, g_strdup(old->pdata[i]),
                             new_name(kind, old->pdata[i], has_reserved, width, i));
}

void names_settle(names *n)
{
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        settle_kind(n, (enum name_kind)kind);
    GHashTableIter it;
    gpointer value;
    g_hash_table_iter_init(&it, n->values);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        struct values *v = value;
        v->sorted = sorted_keys(v->set, by_bytes);
    }
}

char *names_get(const names *n, enum name_kind kind, const char *name)
{
    g_autofree char *key = key_of(kind, name);
    const char *found = g_hash_table_lookup(n->kinds[kind], key);
    return g_strdup(found != NULL ? found : "unknown");
}

char *names_get_ns(const names *n, const char *ns)
{
    const char *dot = strchr(ns, '.');
    g_autofree char *old = dot == NULL ? g_strdup(ns) : g_strndup(ns, (gsize)(dot - ns));
    g_autofree char *db = names_get(n, NAME_DATABASE, old);
    if (dot == NULL)
        return g_steal_pointer(&db);
    if (strcmp(dot + 1, known_collection) == 0)
        return g_strconcat(db, dot, NULL);
    const char *prefix = known_prefix(dot + 1);
    g_autofree char *collection = names_get(n, NAME_COLLECTION, dot + 1 + strlen(prefix));
    return g_strconcat(db, ".", prefix, collection, NULL);
}

char *names_get_path(const names *n, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, ".", -1);
    for (char **part = parts; *part != NULL; part++) {
        if (is_known_field(*part))
            continue;
        char *new = names_get(n, NAME_FIELD, *part);
        g_free(*part);
        *part = new;
    }
    return g_strjoinv(".", parts);
}

static guint rank_of(const GPtrArray *sorted, const GBytes *bytes)
{
    guint lo = 0, hi = sorted->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        if (g_bytes_compare(sorted->pdata[mid], bytes) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What was not encoded when it was added is not now. */
void names_append_value(const names *n, const char *ns, const char *path, const bson_iter_t *it,
                        const char *as, bson_t *out)
{
    bson_type_t type = bson_iter_type(it);
    g_autofree char *key = g_strconcat(ns, "\n", path, NULL);
    const struct values *v = g_hash_table_lookup(n->values, key);
    g_autoptr(GBytes) bytes = NULL;
    if (type == BSON_TYPE_MINKEY || type == BSON_TYPE_MAXKEY) {
        bson_append_iter(out, as, -1, it);
        return;
    }
    if (v == NULL || (bytes = encode(it)) == NULL) {
        bson_append_null(out, as, -1);
        return;
    }
    guint rank = rank_of(v->sorted, bytes);
    if (v->hashed) {
        uint64_t step = UINT64_MAX / ((uint64_t)v->sorted->len + 1);
        bson_append_int64(out, as, -1, (int64_t)((UINT64_C(1) << 63) + (rank + 1) * step));
    } else {
        bson_append_int32(out, as, -1, (int32_t)MIN(rank, (guint)INT32_MAX));
    }
}
