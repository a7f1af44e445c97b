// SPDX-License-Identifier: Apache-2.0
#include "sandbox/store.h"

#include "balancer/key/show.h"
#include "sandbox/docpath.h"
#include "sandbox/expr.h"
#include "sandbox/pipeline.h"
#include "sandbox/shape.h"
#include "sandbox/update.h"
#include "sandbox/wire.h"

#include <string.h>

enum { MAX_COLLECTIONS = 10000 };

struct collection {
    GPtrArray *docs;   /* bson_t, in order of insertion */
    GHashTable *by_id; /* encoded _id */
};

struct store {
    GHashTable *collections; /* ns to struct collection */
    int64_t bytes, max_bytes;
};

static void collection_free(gpointer p)
{
    struct collection *c = p;
    g_ptr_array_unref(c->docs);
    g_hash_table_unref(c->by_id);
    g_free(c);
}

store *store_new(int64_t max_bytes)
{
    store *s = g_new0(store, 1);
    s->collections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, collection_free);
    s->max_bytes = max_bytes;
    return s;
}

void store_free(store *s)
{
    if (s == NULL)
        return;
    g_hash_table_unref(s->collections);
    g_free(s);
}

const GPtrArray *store_docs(const store *s, const char *ns)
{
    struct collection *c = g_hash_table_lookup(s->collections, ns);
    return c == NULL ? NULL : c->docs;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted: the order of a hash table must not reach a client. */
GPtrArray *store_names(const store *s, const char *db)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter it;
    gpointer key;
    size_t len = db == NULL ? 0 : strlen(db);
    g_hash_table_iter_init(&it, s->collections);
    while (g_hash_table_iter_next(&it, &key, NULL)) {
        const char *ns = key;
        if (db == NULL || (strncmp(ns, db, len) == 0 && ns[len] == '.'))
            g_ptr_array_add(names, g_strdup(ns));
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

bool store_create(store *s, const char *ns)
{
    if (g_hash_table_contains(s->collections, ns) || g_hash_table_size(s->collections) >= MAX_COLLECTIONS)
        return false;
    struct collection *c = g_new0(struct collection, 1);
    c->docs = docs_new();
    c->by_id = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_hash_table_insert(s->collections, g_strdup(ns), c);
    return true;
}

bool store_drop(store *s, const char *ns)
{
    struct collection *c = g_hash_table_lookup(s->collections, ns);
    for (guint i = 0; c != NULL && i < c->docs->len; i++)
        s->bytes -= ((bson_t *)c->docs->pdata[i])->len;
    return g_hash_table_remove(s->collections, ns);
}

/* What the server refuses as _id, it refuses here: two arrays or expressions could not be told apart by it.
 */
static GBytes *encoded_id(const bson_t *doc, struct fault *f)
{
    bson_iter_t it;
    struct err err = {0};
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!doc_get(doc, "_id", &it) || BSON_ITER_HOLDS_ARRAY(&it) || BSON_ITER_HOLDS_REGEX(&it)) {
        fault_say(f, 53, "The '_id' value cannot be of type %s",
                  doc_get(doc, "_id", &it) ? value_type_name(bson_iter_type(&it)) : "missing");
        return NULL;
    }
    if (!key_encode_value(&it, enc, &err)) {
        fault_say(f, SB_BAD_VALUE, "%s", err.msg);
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&enc));
}

/* Drivers and leases look at the code; people at the text; some drivers at keyPattern and keyValue. */
static bool duplicate(const char *ns, const bson_t *doc, struct fault *f)
{
    bson_t key = BSON_INITIALIZER;
    bson_iter_t it;
    g_autoptr(GString) shown = g_string_new(NULL);
    if (doc_get(doc, "_id", &it))
        doc_put(&key, "_id", &it);
    key_show(shown, &key, 0);
    fault_say(f, SB_DUPLICATE_KEY, "E11000 duplicate key error collection: %s index: _id_ dup key: %s", ns,
              shown->str);
    f->details = BCON_NEW("keyPattern", "{", "_id", BCON_INT32(1), "}", "keyValue", BCON_DOCUMENT(&key));
    bson_destroy(&key);
    return false;
}

static bool has_room(const store *s, int64_t more, struct fault *f)
{
    return s->bytes + more <= s->max_bytes ||
           fault_say(f, 14031, "the sandbox keeps no more than %" G_GINT64_FORMAT " bytes of documents",
                     s->max_bytes);
}

/* A copy with the _id in front, made where there is none. */
static bson_t *with_id(const bson_t *doc)
{
    bson_t *out = bson_new();
    bson_iter_t it;
    bson_oid_t oid;
    if (doc_get(doc, "_id", &it)) {
        doc_put(out, "_id", &it);
    } else {
        bson_oid_init(&oid, NULL);
        bson_append_oid(out, "_id", -1, &oid);
    }
    bson_iter_init(&it, doc);
    while (bson_iter_next(&it))
        if (strcmp(bson_iter_key(&it), "_id") != 0)
            doc_put(out, bson_iter_key(&it), &it);
    return out;
}

/* Takes ownership of `doc`, in success and failure. */
static bool insert_owned(store *s, const char *ns, bson_t *doc, struct fault *f)
{
    store_create(s, ns);
    struct collection *c = g_hash_table_lookup(s->collections, ns);
    GBytes *id = encoded_id(doc, f);
    bool fine = id != NULL;
    if (c == NULL && fine)
        fine = fault_say(f, 14031, "the sandbox keeps no more than %d collections", MAX_COLLECTIONS);
    if (fine && doc->len > WIRE_DOCUMENT_MAX)
        fine = fault_say(f, 10334, "BSONObj size: %u is invalid. Size must be between 0 and 16793600(16MB)",
                         doc->len);
    fine = fine && has_room(s, doc->len, f);
    if (fine && c != NULL && g_hash_table_contains(c->by_id, id))
        fine = duplicate(ns, doc, f);
    if (!fine || c == NULL) {
        g_clear_pointer(&id, g_bytes_unref);
        bson_destroy(doc);
        return false;
    }
    g_hash_table_add(c->by_id, id);
    g_ptr_array_add(c->docs, doc);
    s->bytes += doc->len;
    return true;
}

bool store_insert(store *s, const char *ns, const bson_t *doc, struct fault *f)
{
    return insert_owned(s, ns, with_id(doc), f);
}

/* Every document is tried: these collections are small. */
GPtrArray *store_select(const GPtrArray *docs, const bson_t *query, const bson_t *sort, struct fault *f)
{
    g_autoptr(match) m = NULL;
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    if (!match_parse(query, &m, f))
        return NULL;
    for (guint i = 0; docs != NULL && i < docs->len; i++)
        if (match_test(m, docs->pdata[i]))
            g_ptr_array_add(found, docs->pdata[i]);
    if (sort != NULL && !shape_sort(found, sort, f))
        return NULL;
    return g_steal_pointer(&found);
}

void store_result_clear(struct store_result *r)
{
    g_clear_pointer(&r->upserted, bson_destroy);
    g_clear_pointer(&r->before, bson_destroy);
    g_clear_pointer(&r->after, bson_destroy);
}

struct seed {
    bson_t *doc;
    struct fault *f;
    bool failed;
};

/* A seed that cannot be planted (a path through a scalar) fails the upsert. */
static void plant(void *user, const char *path, const bson_iter_t *value)
{
    struct seed *seed = user;
    bson_t *next = seed->failed ? NULL : doc_with_path(seed->doc, path, value, seed->f);
    if (next == NULL) {
        seed->failed = true;
        return;
    }
    bson_destroy(seed->doc);
    seed->doc = next;
}

bson_t *store_upserted(const bson_t *query, const bson_t *update, int64_t now_ms, struct fault *f)
{
    g_autoptr(match) m = NULL;
    if (!match_parse(query, &m, f))
        return NULL;
    struct seed seed = {.doc = bson_new(), .f = f};
    if (update_is_replacement(update)) { /* only the query's _id goes into a replacement */
        bson_iter_t it;
        if (doc_get(query, "_id", &it) && !BSON_ITER_HOLDS_DOCUMENT(&it))
            doc_put(seed.doc, "_id", &it);
    } else {
        match_each_equality(m, plant, &seed);
    }
    bson_t *made = seed.failed ? NULL : update_apply(seed.doc, update, true, now_ms, f);
    bson_destroy(seed.doc);
    if (made == NULL)
        return NULL;
    bson_t *out = with_id(made);
    bson_destroy(made);
    return out;
}

/* The equalities of the query make a document, the update changes it, and it is inserted like any other. */
static bool upsert(store *s, const char *ns, const struct store_update *u, struct store_result *ret,
                   struct fault *f)
{
    bson_iter_t it;
    bson_t *doc = store_upserted(u->query, u->update, u->now_ms, f);
    if (doc == NULL)
        return false;
    bson_t *after = bson_copy(doc);
    if (!insert_owned(s, ns, doc, f)) {
        bson_destroy(after);
        return false;
    }
    ret->upserted = bson_new();
    if (doc_get(after, "_id", &it))
        doc_put(ret->upserted, "_id", &it);
    ret->after = after;
    return true;
}

/* The document is replaced in its place, so that natural order stays that of insertion. */
static bool update_one(store *s, struct collection *c, bson_t *doc, const struct store_update *u,
                       struct store_result *ret, struct fault *f)
{
    guint at;
    bson_t *next = update_apply(doc, u->update, false, u->now_ms, f);
    if (next == NULL)
        return false;
    if (next->len > WIRE_DOCUMENT_MAX || !has_room(s, (int64_t)next->len - doc->len, f) ||
        !g_ptr_array_find(c->docs, doc, &at)) {
        bson_destroy(next);
        return f->message != NULL
                   ? false
                   : fault_say(f, 10334, "BSONObj size is invalid: the document would be too large");
    }
    ret->matched++;
    ret->modified += bson_equal(doc, next) ? 0 : 1;
    if (ret->before == NULL) {
        ret->before = bson_copy(doc);
        ret->after = bson_copy(next);
    }
    s->bytes += (int64_t)next->len - doc->len;
    bson_destroy(doc);
    c->docs->pdata[at] = next;
    return true;
}

/* Documents are found first and changed then: a change never makes a later document match. */
bool store_update(store *s, const char *ns, const struct store_update *u, struct store_result *ret,
                  struct fault *f)
{
    struct collection *c = g_hash_table_lookup(s->collections, ns);
    *ret = (struct store_result){0};
    g_autoptr(GPtrArray) found = store_select(c == NULL ? NULL : c->docs, u->query, u->sort, f);
    if (found == NULL)
        return false;
    if (c == NULL || found->len == 0)
        return !u->upsert || upsert(s, ns, u, ret, f);
    if (u->multi && update_is_replacement(u->update))
        return fault_say(f, SB_FAILED_TO_PARSE, "multi update is not supported for replacement-style update");
    for (guint i = 0; i < found->len && (i == 0 || u->multi); i++)
        if (!update_one(s, c, found->pdata[i], u, ret, f))
            return false;
    return true;
}

static void remove_one(store *s, struct collection *c, bson_t *doc)
{
    struct fault ignored = {0};
    g_autoptr(GBytes) id = encoded_id(doc, &ignored);
    fault_clear(&ignored);
    if (id != NULL)
        g_hash_table_remove(c->by_id, id);
    s->bytes -= doc->len;
    g_ptr_array_remove(c->docs, doc);
}

/* The caller gets a copy of the first: findAndModify shows what it removed. */
bool store_delete(store *s, const char *ns, const bson_t *query, const bson_t *sort, int64_t limit,
                  int64_t *ret_n, bson_t **ret_first, struct fault *f)
{
    struct collection *c = g_hash_table_lookup(s->collections, ns);
    g_autoptr(GPtrArray) found = store_select(c == NULL ? NULL : c->docs, query, sort, f);
    if (found == NULL)
        return false;
    guint n = limit > 0 && limit < (int64_t)found->len ? (guint)limit : found->len;
    if (ret_first != NULL)
        *ret_first = n == 0 ? NULL : bson_copy(found->pdata[0]);
    for (guint i = 0; c != NULL && i < n; i++)
        remove_one(s, c, found->pdata[i]);
    *ret_n = n;
    return true;
}
