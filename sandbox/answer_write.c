// SPDX-License-Identifier: Apache-2.0
/* Writing: insert, update, delete, findAndModify, and what makes and drops collections. What the cluster owns
 * is read only, but for config.settings, through which tools speak to the balancer. */
#include "sandbox/docpath.h"
#include "sandbox/host.h"
#include "sandbox/shape.h"
#include "sandbox/update.h"

#include <string.h>

enum { MAX_BATCH = 100000 };

struct batch {
    bson_t errors, upserted;
    struct call *c;
    char *ns;
    const char *collection;
    int64_t n, modified;
    uint32_t n_errors, n_upserted;
};

typedef bool write_fn(struct batch *b, const bson_t *statement, uint32_t index, struct fault *f);

/* Write errors stand beside the counts in a reply that is otherwise fine. */
static void append_error(struct batch *b, uint32_t index, const struct fault *f)
{
    bson_t one;
    char key[16];
    const char *position;
    bson_uint32_to_string(b->n_errors++, &position, key, sizeof key);
    bson_append_document_begin(&b->errors, position, -1, &one);
    bson_append_int32(&one, "index", -1, (int32_t)index);
    bson_append_int32(&one, "code", -1, f->code);
    if (f->details != NULL)
        bson_concat(&one, f->details);
    bson_append_utf8(&one, "errmsg", -1, f->message, -1);
    bson_append_document_end(&b->errors, &one);
}

/* Runs each statement of the list; an ordered batch ends with its first error. */
static bool run_batch(struct call *c, const char *list_name, write_fn *run, bool is_update, bson_t *reply,
                      struct fault *f)
{
    struct batch b = {.c = c, .errors = BSON_INITIALIZER, .upserted = BSON_INITIALIZER};
    bson_iter_t it, el;
    bson_t list, statement;
    uint32_t index = 0;
    bool ordered = doc_get_bool(c->cmd, "ordered", true);
    if ((b.collection = call_collection(c, f)) == NULL)
        return false;
    if (!doc_get(c->cmd, list_name, &it) || !BSON_ITER_HOLDS_ARRAY(&it) || !doc_under(&it, &list) ||
        bson_empty(&list) || bson_count_keys(&list) > MAX_BATCH)
        return fault_say(f, 16, "Write batch sizes must be between 1 and %d.", MAX_BATCH);
    b.ns = g_strconcat(c->db, ".", b.collection, NULL);
    bson_iter_init(&el, &list);
    for (; bson_iter_next(&el) && (b.n_errors == 0 || !ordered); index++) {
        struct fault one = {0};
        bool fine = BSON_ITER_HOLDS_DOCUMENT(&el) && doc_under(&el, &statement)
                        ? run(&b, &statement, index, &one)
                        : fault_say(&one, SB_TYPE_MISMATCH, "a statement must be a document");
        if (!fine)
            append_error(&b, index, &one);
        fault_clear(&one);
    }
    append_count(reply, "n", b.n);
    if (is_update)
        append_count(reply, "nModified", b.modified);
    if (b.n_upserted > 0)
        bson_append_array(reply, "upserted", -1, &b.upserted);
    if (b.n_errors > 0)
        bson_append_array(reply, "writeErrors", -1, &b.errors);
    bson_destroy(&b.errors);
    bson_destroy(&b.upserted);
    g_free(b.ns);
    return true;
}

static bool refuse_owned(const struct batch *b, struct fault *f)
{
    return fault_say(f, SB_ILLEGAL_OPERATION,
                     "the sandbox does not let %s be written; use the administrative commands", b->ns);
}

static bool insert_one(struct batch *b, const bson_t *doc, uint32_t index, struct fault *f)
{
    (void)index;
    if (host_owned_by_cluster(b->c->h, b->c->db, b->collection))
        return refuse_owned(b, f);
    if (!store_insert(b->c->h->store, b->ns, doc, f))
        return false;
    b->n++;
    return true;
}

static bool insert(struct call *c, bson_t *reply, struct fault *f)
{
    return run_batch(c, "documents", insert_one, false, reply, f);
}

/* Puts the changed document in the place of the one with its _id; the cluster says whether a client may. */
static bool change_metadata(host *h, const char *collection, const struct store_update *u,
                            struct store_result *ret, struct fault *f)
{
    struct err err = {0};
    bson_iter_t it;
    *ret = (struct store_result){0};
    g_autoptr(GPtrArray) found = store_select(sb_cluster_docs(h->cluster, collection), u->query, u->sort, f);
    if (found == NULL || (found->len == 0 && !u->upsert))
        return found != NULL;
    bson_t *after = found->len == 0 ? store_upserted(u->query, u->update, u->now_ms, f)
                                    : update_apply(found->pdata[0], u->update, false, u->now_ms, f);
    if (after == NULL)
        return false;
    if (found->len == 0) {
        ret->upserted = bson_new();
        if (doc_get(after, "_id", &it))
            doc_put(ret->upserted, "_id", &it);
    } else {
        ret->before = bson_copy(found->pdata[0]);
        ret->matched = 1;
        ret->modified = bson_equal(ret->before, after) ? 0 : 1;
    }
    ret->after = after;
    return sb_cluster_put(h->cluster, collection, after, &err) ||
           fault_say(f, 121, "Document failed validation: %s", err.msg);
}

/* Three kinds of collections: ordinary ones, metadata that clients may change, and metadata that they may
 * not. */
static bool update_any(host *h, const char *db, const char *collection, const struct store_update *u,
                       struct store_result *ret, struct fault *f)
{
    g_autofree char *ns = g_strconcat(db, ".", collection, NULL);
    if ((strcmp(ns, "config.settings") == 0 || strcmp(ns, "config.collections") == 0) &&
        host_owned_by_cluster(h, db, collection))
        return change_metadata(h, collection, u, ret, f);
    if (host_owned_by_cluster(h, db, collection))
        return fault_say(f, SB_ILLEGAL_OPERATION,
                         "the sandbox does not let %s be written; use the administrative commands", ns);
    return store_update(h->store, ns, u, ret, f);
}

static bool read_document(const bson_t *from, const char *name, bson_t *ret)
{
    bson_iter_t it;
    return doc_get(from, name, &it) && BSON_ITER_HOLDS_DOCUMENT(&it) && doc_under(&it, ret);
}

/* One statement {q, u, multi, upsert}; pipelines for updates are not there. */
static bool update_one(struct batch *b, const bson_t *statement, uint32_t index, struct fault *f)
{
    bson_t query, update;
    struct store_result result = {0};
    if (!read_document(statement, "q", &query) || !read_document(statement, "u", &update))
        return fault_say(f, SB_FAILED_TO_PARSE, "the sandbox needs documents q and u in an update");
    const struct store_update u = {.query = &query,
                                   .update = &update,
                                   .multi = doc_get_bool(statement, "multi", false),
                                   .upsert = doc_get_bool(statement, "upsert", false),
                                   .now_ms = host_now(b->c->h)};
    bool fine = update_any(b->c->h, b->c->db, b->collection, &u, &result, f);
    b->n += result.matched + (result.upserted != NULL ? 1 : 0);
    b->modified += result.modified;
    if (fine && result.upserted != NULL) {
        bson_t one;
        char key[16];
        const char *position;
        bson_uint32_to_string(b->n_upserted++, &position, key, sizeof key);
        bson_append_document_begin(&b->upserted, position, -1, &one);
        bson_append_int32(&one, "index", -1, (int32_t)index);
        bson_concat(&one, result.upserted);
        bson_append_document_end(&b->upserted, &one);
    }
    store_result_clear(&result);
    return fine;
}

static bool update(struct call *c, bson_t *reply, struct fault *f)
{
    return run_batch(c, "updates", update_one, true, reply, f);
}

static bool delete_one(struct batch *b, const bson_t *statement, uint32_t index, struct fault *f)
{
    bson_t query;
    int64_t n = 0;
    (void)index;
    if (!read_document(statement, "q", &query) || !bson_has_field(statement, "limit"))
        return fault_say(f, SB_FAILED_TO_PARSE, "a delete statement needs q and limit");
    if (host_owned_by_cluster(b->c->h, b->c->db, b->collection))
        return refuse_owned(b, f);
    bool fine = store_delete(b->c->h->store, b->ns, &query, NULL,
                             doc_get_int(statement, "limit", 0) == 0 ? 0 : 1, &n, NULL, f);
    b->n += n;
    return fine;
}

static bool delete (struct call *c, bson_t *reply, struct fault *f)
{
    return run_batch(c, "deletes", delete_one, false, reply, f);
}

/* findAndModify's `value`: the document, as its `fields` project it, or null. */
static bool append_value(struct call *c, const bson_t *doc, const bson_t *fields, bson_t *reply,
                         struct fault *f)
{
    g_autoptr(projection) p = NULL;
    (void)c;
    if (doc == NULL)
        return bson_append_null(reply, "value", -1);
    if (bson_empty(fields))
        return bson_append_document(reply, "value", -1, doc);
    if (!projection_parse(fields, false, &p, f))
        return false;
    bson_t *shown = projection_apply(p, doc, f);
    if (shown != NULL)
        bson_append_document(reply, "value", -1, shown);
    bson_destroy(shown);
    return shown != NULL;
}

/* Old or new document, by `new`; what an upsert found is nothing. */
static bool modify_update(struct call *c, const char *collection, struct store_update *u,
                          const bson_t *fields, bson_t *reply, struct fault *f)
{
    bson_t last;
    struct store_result result = {0};
    bool new = doc_get_bool(c->cmd, "new", false);
    bool fine = update_any(c->h, c->db, collection, u, &result, f);
    if (fine) {
        bson_append_document_begin(reply, "lastErrorObject", -1, &last);
        append_count(&last, "n", result.matched > 0 || result.upserted != NULL ? 1 : 0);
        bson_append_bool(&last, "updatedExisting", -1, result.matched > 0);
        bson_iter_t it;
        if (result.upserted != NULL && doc_get(result.upserted, "_id", &it))
            doc_put(&last, "upserted", &it);
        bson_append_document_end(reply, &last);
        fine = append_value(c, new ? result.after : result.before, fields, reply, f);
    }
    store_result_clear(&result);
    return fine;
}

static bool modify_remove(struct call *c, const char *collection, const bson_t *query, const bson_t *sort,
                          const bson_t *fields, bson_t *reply, struct fault *f)
{
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    bson_t last, *first = NULL;
    int64_t n = 0;
    if (host_owned_by_cluster(c->h, c->db, collection))
        return fault_say(f, SB_ILLEGAL_OPERATION, "the sandbox does not let %s be written", ns);
    if (!store_delete(c->h->store, ns, query, sort, 1, &n, &first, f))
        return false;
    bson_append_document_begin(reply, "lastErrorObject", -1, &last);
    append_count(&last, "n", n);
    bson_append_document_end(reply, &last);
    bool fine = append_value(c, first, fields, reply, f);
    bson_destroy(first);
    return fine;
}

static bool find_and_modify(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t query, sort, fields, change;
    const char *collection = call_collection(c, f);
    bool remove = doc_get_bool(c->cmd, "remove", false);
    if (collection == NULL || !call_document(c, "query", &query, f) || !call_document(c, "sort", &sort, f) ||
        !call_document(c, "fields", &fields, f))
        return false;
    if (remove)
        return modify_remove(c, collection, &query, &sort, &fields, reply, f);
    if (!read_document(c->cmd, "update", &change))
        return fault_say(f, SB_FAILED_TO_PARSE, "Either an update or remove=true must be specified");
    struct store_update u = {.query = &query,
                             .update = &change,
                             .sort = &sort,
                             .upsert = doc_get_bool(c->cmd, "upsert", false),
                             .now_ms = host_now(c->h)};
    return modify_update(c, collection, &u, &fields, reply, f);
}

static bool create(struct call *c, bson_t *reply, struct fault *f)
{
    const char *collection = call_collection(c, f);
    (void)reply;
    if (collection == NULL)
        return false;
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    if (host_docs(c->h, c->db, collection) != NULL || host_sharded(c->h, ns) != NULL ||
        !store_create(c->h->store, ns))
        return fault_say(f, 48, "a collection '%s' already exists", ns);
    return true;
}

/* Ordinary collections only: the cluster answers for sharded ones. */
static bool drop(struct call *c, bson_t *reply, struct fault *f)
{
    const char *collection = call_collection(c, f);
    if (collection == NULL)
        return false;
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    if (host_owned_by_cluster(c->h, c->db, collection))
        return fault_say(f, SB_ILLEGAL_OPERATION, "the sandbox does not drop %s", ns);
    if (!store_drop(c->h->store, ns))
        return fault_say(f, SB_NAMESPACE_NOT_FOUND, "ns not found");
    BCON_APPEND(reply, "nIndexesWas", BCON_INT32(1), "ns", ns);
    return true;
}

/* Sharded collections of the database go through the cluster, which is asked instead where there are some. */
static bool drop_database(struct call *c, bson_t *reply, struct fault *f)
{
    (void)f;
    host_drop_ordinary(c->h, c->db);
    return bson_append_utf8(reply, "dropped", -1, c->db, -1);
}

/* Only _id is ever unique here: what asks for more must not be told that it got it. */
static bool create_indexes(struct call *c, bson_t *reply, struct fault *f)
{
    bson_iter_t it, el;
    bson_t list, one;
    const char *collection = call_collection(c, f);
    if (collection == NULL)
        return false;
    if (!doc_get(c->cmd, "indexes", &it) || !BSON_ITER_HOLDS_ARRAY(&it) || !doc_under(&it, &list) ||
        bson_empty(&list))
        return fault_say(f, SB_BAD_VALUE, "Must specify at least one index to create");
    bson_iter_init(&el, &list);
    while (bson_iter_next(&el))
        if (doc_under(&el, &one) && doc_get_bool(&one, "unique", false))
            return fault_say(f, SB_NOT_SUPPORTED, "the sandbox keeps no unique index but that of _id");
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    bool created = host_docs(c->h, c->db, collection) == NULL && host_sharded(c->h, ns) == NULL &&
                   store_create(c->h->store, ns);
    BCON_APPEND(reply, "createdCollectionAutomatically", BCON_BOOL(created), "numIndexesBefore",
                BCON_INT32(1), "numIndexesAfter", BCON_INT32(1));
    return true;
}

const struct command commands_write[] = {
    {"insert", insert, 0, 0},
    {"update", update, 0, 0},
    {"delete", delete, 0, 0},
    {"findAndModify", find_and_modify, 0, 0},
    {"findandmodify", find_and_modify, 0, 0},
    {"create", create, 0, 0},
    {"drop", drop, 0, 0},
    {"dropDatabase", drop_database, 0, 0},
    {"createIndexes", create_indexes, 0, 0},
    {NULL, NULL, 0, 0},
};
