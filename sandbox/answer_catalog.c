// SPDX-License-Identifier: Apache-2.0
/* What there is: databases, collections, indexes. */
#include "sandbox/docpath.h"
#include "sandbox/host.h"
#include "sandbox/match.h"
#include "sandbox/pipeline.h"

#include <string.h>

enum { EMPTY_FILE = 4096 }; /* what a collection takes on disk at least */

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_name(GPtrArray *names, const char *name, size_t len)
{
    g_autofree char *copy = g_strndup(name, len);
    if (!g_ptr_array_find_with_equal_func(names, copy, g_str_equal, NULL))
        g_ptr_array_add(names, g_steal_pointer(&copy));
}

/* admin and config are always there; others by metadata or by ordinary collections. */
static GPtrArray *database_names(host *h)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) stored = store_names(h->store, NULL);
    const GPtrArray *databases = sb_cluster_docs(h->cluster, "databases");
    add_name(names, "admin", 5);
    add_name(names, "config", 6);
    for (guint i = 0; databases != NULL && i < databases->len; i++) {
        const char *name = doc_get_text(databases->pdata[i], "_id");
        if (name != NULL)
            add_name(names, name, strlen(name));
    }
    for (guint i = 0; i < stored->len; i++)
        add_name(names, stored->pdata[i], strcspn(stored->pdata[i], "."));
    g_ptr_array_sort(names, by_name);
    return names;
}

static bool is_in_database(const char *ns, const char *db)
{
    size_t len = strlen(db);
    return ns != NULL && strncmp(ns, db, len) == 0 && ns[len] == '.';
}

/* Bytes of a database on a shard, by its sharded collections. */
static int64_t bytes_on(host *h, const char *db, const char *shard)
{
    const GPtrArray *collections = sb_cluster_docs(h->cluster, "collections");
    int64_t total = 0;
    for (guint i = 0; collections != NULL && i < collections->len; i++) {
        const char *ns = doc_get_text(collections->pdata[i], "_id");
        int64_t bytes = is_in_database(ns, db) ? sb_cluster_bytes(h->cluster, ns, shard) : 0;
        total += MAX(bytes, 0);
    }
    return total;
}

/* Where no size is known a database takes what an empty file takes: tools divide by it. */
static bson_t *describe_database(host *h, const char *name)
{
    bson_t *doc = bson_new();
    bson_t parts = BSON_INITIALIZER;
    const GPtrArray *shards = sb_cluster_docs(h->cluster, "shards");
    int64_t total = 0;
    for (guint i = 0; shards != NULL && i < shards->len; i++) {
        const char *shard = doc_get_text(shards->pdata[i], "_id");
        int64_t bytes = shard == NULL ? 0 : bytes_on(h, name, shard);
        if (bytes > 0)
            append_count(&parts, shard, bytes);
        total += bytes;
    }
    if (total == 0) {
        append_count(&parts, "config", EMPTY_FILE);
        total = EMPTY_FILE;
    }
    bson_append_utf8(doc, "name", -1, name, -1);
    append_count(doc, "sizeOnDisk", total);
    bson_append_bool(doc, "empty", -1, false);
    bson_append_document(doc, "shards", -1, &parts);
    bson_destroy(&parts);
    return doc;
}

/* The filter asks of the whole description, even where only names are wanted. */
static bool list_databases(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t filter, list;
    g_autoptr(match) m = NULL;
    g_autoptr(GPtrArray) names = database_names(c->h);
    bool name_only = doc_get_bool(c->cmd, "nameOnly", false);
    int64_t total = 0;
    uint32_t n = 0;
    if (!call_document(c, "filter", &filter, f) || !match_parse(&filter, &m, f))
        return false;
    bson_append_array_begin(reply, "databases", -1, &list);
    for (guint i = 0; i < names->len; i++) {
        bson_t *doc = describe_database(c->h, names->pdata[i]);
        char key[16];
        const char *index;
        if (match_test(m, doc)) {
            total += doc_get_int(doc, "sizeOnDisk", 0);
            bson_uint32_to_string(n++, &index, key, sizeof key);
            if (name_only) {
                bson_t one;
                bson_append_document_begin(&list, index, -1, &one);
                bson_append_utf8(&one, "name", -1, names->pdata[i], -1);
                bson_append_document_end(&list, &one);
            } else {
                bson_append_document(&list, index, -1, doc);
            }
        }
        bson_destroy(doc);
    }
    bson_append_array_end(reply, &list);
    if (!name_only) {
        append_count(reply, "totalSize", total);
        append_count(reply, "totalSizeMb", total >> 20);
    }
    return true;
}

/* Collections of a database, without its name. */
static GPtrArray *collection_names(host *h, const char *db)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) stored = store_names(h->store, db);
    const GPtrArray *collections = sb_cluster_docs(h->cluster, "collections");
    for (guint i = 0; strcmp(db, "config") == 0 && host_config_collections[i] != NULL; i++)
        if (sb_cluster_docs(h->cluster, host_config_collections[i]) != NULL)
            add_name(names, host_config_collections[i], strlen(host_config_collections[i]));
    for (guint i = 0; collections != NULL && i < collections->len; i++) {
        const char *ns = doc_get_text(collections->pdata[i], "_id");
        if (is_in_database(ns, db) && !doc_get_bool(collections->pdata[i], "dropped", false))
            add_name(names, ns + strlen(db) + 1, strlen(ns) - strlen(db) - 1);
    }
    for (guint i = 0; i < stored->len; i++) {
        const char *name = (const char *)stored->pdata[i] + strlen(db) + 1;
        add_name(names, name, strlen(name));
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

static bson_t *describe_collection(host *h, const char *db, const char *name)
{
    bson_t *doc = bson_new();
    bson_t info;
    bson_iter_t uuid;
    g_autofree char *ns = g_strconcat(db, ".", name, NULL);
    const bson_t *sharded = host_sharded(h, ns);
    BCON_APPEND(doc, "name", name, "type", "collection", "options", "{", "}");
    bson_append_document_begin(doc, "info", -1, &info);
    bson_append_bool(&info, "readOnly", -1, false);
    if (sharded != NULL && doc_get(sharded, "uuid", &uuid))
        doc_put(&info, "uuid", &uuid);
    bson_append_document_end(doc, &info);
    BCON_APPEND(doc, "idIndex", "{", "v", BCON_INT32(2), "key", "{", "_id", BCON_INT32(1), "}", "name",
                "_id_", "}");
    return doc;
}

static bool list_collections(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t filter;
    g_autoptr(match) m = NULL;
    if (!call_document(c, "filter", &filter, f) || !match_parse(&filter, &m, f))
        return false;
    g_autoptr(GPtrArray) names = collection_names(c->h, c->db);
    GPtrArray *docs = docs_new();
    for (guint i = 0; i < names->len; i++) {
        bson_t *doc = describe_collection(c->h, c->db, names->pdata[i]);
        if (match_test(m, doc))
            g_ptr_array_add(docs, doc);
        else
            bson_destroy(doc);
    }
    g_autofree char *ns = g_strconcat(c->db, ".$cmd.listCollections", NULL);
    cursors_reply_first(c->h->cursors, ns, docs, INT32_MAX, false, host_waited(c->h), reply);
    return true;
}

/* "a_1_b_hashed". */
static char *index_name(const bson_t *key)
{
    g_autoptr(GString) out = g_string_new(NULL);
    bson_iter_t it;
    int64_t n;
    bson_iter_init(&it, key);
    while (bson_iter_next(&it)) {
        g_string_append_printf(out, "%s%s_", out->len == 0 ? "" : "_", bson_iter_key(&it));
        if (BSON_ITER_HOLDS_UTF8(&it))
            g_string_append(out, bson_iter_utf8(&it, NULL));
        else if (value_int64(&it, &n))
            g_string_append_printf(out, "%" G_GINT64_FORMAT, n);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static void add_index(host *h, GPtrArray *docs, const char *ns, const bson_t *key, bool unique,
                      const char *name)
{
    bson_t *doc = bson_new();
    g_autofree char *made = name == NULL ? index_name(key) : g_strdup(name);
    bson_append_int32(doc, "v", -1, 2);
    if (unique)
        bson_append_bool(doc, "unique", -1, true);
    bson_append_document(doc, "key", -1, key);
    bson_append_utf8(doc, "name", -1, made, -1);
    if (!host_since(h, 4, 4))
        bson_append_utf8(doc, "ns", -1, ns, -1);
    g_ptr_array_add(docs, doc);
}

/* The unique indexes that every generation has; those of later ones are not pretended. */
static void add_chunk_indexes(host *h, GPtrArray *docs)
{
    const GPtrArray *chunks = sb_cluster_docs(h->cluster, "chunks");
    bool by_uuid = chunks != NULL && chunks->len > 0 && bson_has_field(chunks->pdata[0], "uuid");
    const char *owner = by_uuid ? "uuid" : "ns";
    static const char *const fields[][2] = {{"min", NULL}, {"shard", "min"}, {"lastmod", NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        bson_t key = BSON_INITIALIZER;
        bson_append_int32(&key, owner, -1, 1);
        bson_append_int32(&key, fields[i][0], -1, 1);
        if (fields[i][1] != NULL)
            bson_append_int32(&key, fields[i][1], -1, 1);
        add_index(h, docs, "config.chunks", &key, true, NULL);
        bson_destroy(&key);
    }
}

/* Sharded collections have the index of their key, or else they could not be sharded. */
static bool list_indexes(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t id = BSON_INITIALIZER, key;
    bson_iter_t it;
    const char *collection = call_collection(c, f);
    if (collection == NULL)
        return false;
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    const bson_t *sharded = host_sharded(c->h, ns);
    if (sharded == NULL && host_docs(c->h, c->db, collection) == NULL)
        return fault_say(f, SB_NAMESPACE_NOT_FOUND, "ns does not exist: %s", ns);
    GPtrArray *docs = docs_new();
    bson_append_int32(&id, "_id", -1, 1);
    add_index(c->h, docs, ns, &id, false, "_id_");
    if (strcmp(ns, "config.chunks") == 0)
        add_chunk_indexes(c->h, docs);
    if (sharded != NULL && doc_get(sharded, "key", &it) && doc_under(&it, &key) && !bson_equal(&key, &id))
        add_index(c->h, docs, ns, &key, doc_get_bool(sharded, "unique", false), NULL);
    bson_destroy(&id);
    cursors_reply_first(c->h->cursors, ns, docs, INT32_MAX, false, host_waited(c->h), reply);
    return true;
}

const struct command commands_catalog[] = {
    {"listDatabases", list_databases, COMMAND_ADMIN, 0},
    {"listCollections", list_collections, 0, 0},
    {"listIndexes", list_indexes, 0, 0},
    {NULL, NULL, 0, 0},
};
