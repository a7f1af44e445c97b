// SPDX-License-Identifier: Apache-2.0
/* Reading: find, getMore, killCursors, aggregate, count, distinct. */
#include "sandbox/docpath.h"
#include "sandbox/host.h"
#include "sandbox/pipeline.h"
#include "sandbox/shape.h"

#include <string.h>

enum { FIRST_BATCH = 101 };

/* Fields that any command may carry, and those of find. */
static const char *const generic_fields[] = {"$db",
                                             "$readPreference",
                                             "$clusterTime",
                                             "lsid",
                                             "txnNumber",
                                             "readConcern",
                                             "maxTimeMS",
                                             "comment",
                                             "apiVersion",
                                             "apiStrict",
                                             "apiDeprecationErrors",
                                             "autocommit",
                                             "startTransaction",
                                             "$queryOptions",
                                             "$configTime",
                                             "$topologyTime",
                                             "$audit",
                                             "$client",
                                             "writeConcern",
                                             NULL};
static const char *const find_fields[] = {"find",
                                          "filter",
                                          "sort",
                                          "projection",
                                          "hint",
                                          "skip",
                                          "limit",
                                          "batchSize",
                                          "singleBatch",
                                          "tailable",
                                          "awaitData",
                                          "oplogReplay",
                                          "noCursorTimeout",
                                          "allowPartialResults",
                                          "collation",
                                          "max",
                                          "min",
                                          "returnKey",
                                          "showRecordId",
                                          "ntoreturn",
                                          "allowDiskUse",
                                          "let",
                                          NULL};

static bool is_among(const char *name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

/* Older servers quote the whole request in this refusal. */
static bool check_find_fields(struct call *c, struct fault *f)
{
    bson_iter_t it;
    bson_iter_init(&it, c->cmd);
    while (bson_iter_next(&it)) {
        const char *name = bson_iter_key(&it);
        if (is_among(name, find_fields) || is_among(name, generic_fields))
            continue;
        if (host_since(c->h, 5, 0))
            return fault_say(f, 40415, "BSON field 'FindCommandRequest.%s' is an unknown field.", name);
        g_autofree char *shown = host_shown(c->cmd);
        return fault_say(f, SB_FAILED_TO_PARSE, "Failed to parse: %s. Unrecognized field '%s'.", shown, name);
    }
    return true;
}

/* A number that must not be negative; -1: not given. */
static bool read_amount(struct call *c, const char *name, const char *title, int64_t *ret, struct fault *f)
{
    bson_iter_t it;
    *ret = -1;
    if (!doc_get(c->cmd, name, &it) || BSON_ITER_HOLDS_NULL(&it))
        return true;
    if (!value_int64(&it, ret))
        return fault_say(f, host_since(c->h, 5, 0) ? SB_TYPE_MISMATCH : SB_FAILED_TO_PARSE,
                         "Failed to parse: %s: Expected field '%s' to be a number", c->name, name);
    if (*ret >= 0)
        return true;
    if (host_since(c->h, 5, 0))
        return fault_say(f, 51024, "BSON field '%s' value must be >= 0, actual value '%" G_GINT64_FORMAT "'",
                         name, *ret);
    return fault_say(f, SB_BAD_VALUE, "%s value must be non-negative, but received: %" G_GINT64_FORMAT, title,
                     *ret);
}

/* Borrowed documents that match, in order, without those before `skip` and behind `limit`. */
static GPtrArray *select_part(struct call *c, const char *collection, const bson_t *filter,
                              const bson_t *sort, int64_t skip, int64_t limit, struct fault *f)
{
    GPtrArray *found = store_select(host_docs(c->h, c->db, collection), filter, sort, f);
    if (found == NULL)
        return NULL;
    if (skip > 0)
        g_ptr_array_remove_range(found, 0, (guint)MIN(skip, (int64_t)found->len));
    if (limit > 0 && limit < (int64_t)found->len)
        g_ptr_array_set_size(found, (gint)limit);
    return found;
}

/* Owned documents: copies, as the projection makes them. */
static GPtrArray *project_all(const GPtrArray *found, const bson_t *fields, struct fault *f)
{
    g_autoptr(projection) p = NULL;
    g_autoptr(GPtrArray) out = docs_new();
    if (!bson_empty(fields) && !projection_parse(fields, false, &p, f))
        return NULL;
    for (guint i = 0; i < found->len; i++) {
        bson_t *doc = p == NULL ? bson_copy(found->pdata[i]) : projection_apply(p, found->pdata[i], f);
        if (doc == NULL)
            return NULL;
        g_ptr_array_add(out, doc);
    }
    return g_steal_pointer(&out);
}

/* Every check comes before the search: a bad option is refused on an empty collection too. */
static bool find(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t filter, sort, fields;
    int64_t skip, limit, batch;
    const char *collection = call_collection(c, f);
    if (collection == NULL || !check_find_fields(c, f) || !call_document(c, "filter", &filter, f) ||
        !call_document(c, "sort", &sort, f) || !call_document(c, "projection", &fields, f) ||
        !read_amount(c, "skip", "Skip", &skip, f) || !read_amount(c, "limit", "Limit", &limit, f) ||
        !read_amount(c, "batchSize", "BatchSize", &batch, f))
        return false;
    g_autoptr(GPtrArray) found = select_part(c, collection, &filter, &sort, skip, limit, f);
    GPtrArray *docs = found == NULL ? NULL : project_all(found, &fields, f);
    if (docs == NULL)
        return false;
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    cursors_reply_first(c->h->cursors, ns, docs, batch < 0 ? FIRST_BATCH : batch,
                        doc_get_bool(c->cmd, "singleBatch", false), host_waited(c->h), reply);
    return true;
}

/* Cursor ids are 64 bits on the wire; other types are refused, as by the server. */
static bool get_more(struct call *c, bson_t *reply, struct fault *f)
{
    const char *collection = doc_get_text(c->cmd, "collection");
    int64_t batch, id;
    if (!BSON_ITER_HOLDS_INT64(&c->first) || collection == NULL)
        return fault_say(f, SB_TYPE_MISMATCH, "getMore needs a cursor id of type long, and a collection");
    id = bson_iter_int64(&c->first);
    if (!read_amount(c, "batchSize", "BatchSize", &batch, f))
        return false;
    g_autofree char *ns = g_strconcat(c->db, ".", collection, NULL);
    if (cursors_reply_next(c->h->cursors, id, ns, MAX(batch, 0), host_waited(c->h), reply))
        return true;
    if (host_since(c->h, 4, 4))
        return fault_say(f, SB_CURSOR_NOT_FOUND, "cursor id %" G_GINT64_FORMAT " not found", id);
    return fault_say(f, SB_CURSOR_NOT_FOUND, "Cursor not found (namespace: '%s', id: %" G_GINT64_FORMAT ").",
                     ns, id);
}

static bool kill_cursors(struct call *c, bson_t *reply, struct fault *f)
{
    bson_iter_t it, el;
    bson_t ids, killed = BSON_INITIALIZER, missing = BSON_INITIALIZER;
    const bson_t none = BSON_INITIALIZER;
    uint32_t n = 0, m = 0;
    if (!doc_get(c->cmd, "cursors", &it) || !BSON_ITER_HOLDS_ARRAY(&it) || !doc_under(&it, &ids))
        return fault_say(f, SB_TYPE_MISMATCH, "killCursors needs an array 'cursors'");
    bson_iter_init(&el, &ids);
    while (bson_iter_next(&el)) {
        int64_t id;
        char key[16];
        const char *index;
        bool ended = value_int64(&el, &id) && cursors_kill(c->h->cursors, id);
        bson_uint32_to_string(ended ? n++ : m++, &index, key, sizeof key);
        doc_put(ended ? &killed : &missing, index, &el);
    }
    bson_append_array(reply, "cursorsKilled", -1, &killed);
    bson_append_array(reply, "cursorsNotFound", -1, &missing);
    bson_append_array(reply, "cursorsAlive", -1, &none);
    bson_append_array(reply, "cursorsUnknown", -1, &none);
    bson_destroy(&killed);
    bson_destroy(&missing);
    return true;
}

struct aggregation {
    struct call *c;
    const char *collection; /* NULL: asked of the database */
};

static bool knows_source(void *user, const char *stage)
{
    const struct aggregation *a = user;
    const host *h = a->c->h;
    if (strcmp(stage, "$shardedDataDistribution") == 0)
        return host_since(h, 6, 1) || (host_since(h, 6, 0) && h->options.version_patch >= 3);
    return strcmp(stage, "$currentOp") == 0 || strcmp(stage, "$collStats") == 0;
}

/* Sources are bound to a collection or to the database admin; asked elsewhere they are refused. */
static GPtrArray *make_source(void *user, const char *stage, const bson_t *spec, struct fault *f)
{
    const struct aggregation *a = user;
    bool on_collection = strcmp(stage, "$collStats") == 0;
    if (on_collection != (a->collection != NULL)) {
        fault_say(f, SB_INVALID_NAMESPACE, "%s must be run against %s", stage,
                  on_collection ? "a collection" : "the 'admin' database with {aggregate: 1}");
        return NULL;
    }
    if (on_collection) {
        g_autofree char *ns = g_strconcat(a->c->db, ".", a->collection, NULL);
        return sizes_coll_stats(a->c->h, ns, spec, f);
    }
    if (strcmp(a->c->db, "admin") != 0) {
        fault_say(f, SB_INVALID_NAMESPACE, "%s must be run against the 'admin' database with {aggregate: 1}",
                  stage);
        return NULL;
    }
    return strcmp(stage, "$currentOp") == 0 ? host_current_ops(a->c->h) : sizes_data_distribution(a->c->h);
}

static const GPtrArray *other_collection(void *user, const char *name)
{
    const struct aggregation *a = user;
    return host_docs(a->c->h, a->c->db, name);
}

/* Whether a pipeline without collection begins with what makes documents: otherwise there are none to work
 * on. */
static bool begins_with_source(const struct aggregation *a, const bson_t *pipeline)
{
    bson_iter_t it, stage;
    bson_t first;
    return bson_iter_init(&it, pipeline) && bson_iter_next(&it) && BSON_ITER_HOLDS_DOCUMENT(&it) &&
           doc_under(&it, &first) && bson_iter_init(&stage, &first) && bson_iter_next(&stage) &&
           knows_source((void *)a, bson_iter_key(&stage));
}

/* {aggregate: 1} asks the database instead of a collection. */
static bool read_pipeline(struct call *c, struct aggregation *a, bson_t *ret_pipeline, bson_t *ret_cursor,
                          struct fault *f)
{
    bson_iter_t it;
    int64_t one;
    if (!(value_int64(&c->first, &one) && one == 1) && (a->collection = call_collection(c, f)) == NULL)
        return false;
    if (!doc_get(c->cmd, "pipeline", &it) || !BSON_ITER_HOLDS_ARRAY(&it) || !doc_under(&it, ret_pipeline))
        return fault_say(f, SB_TYPE_MISMATCH, "'pipeline' option must be specified as an array");
    if (!doc_get(c->cmd, "cursor", &it))
        return fault_say(f, SB_FAILED_TO_PARSE,
                         "The 'cursor' option is required, except for aggregate with the explain argument");
    return call_document(c, "cursor", ret_cursor, f);
}

/* All results are made at once; cursors only deal them out. */
static bool aggregate(struct call *c, bson_t *reply, struct fault *f)
{
    struct aggregation a = {.c = c};
    const struct pipeline_host sources = {
        .user = &a, .knows = knows_source, .source = make_source, .collection = other_collection};
    bson_t pipeline, cursor;
    if (!read_pipeline(c, &a, &pipeline, &cursor, f))
        return false;
    const GPtrArray *docs = a.collection == NULL ? NULL : host_docs(c->h, c->db, a.collection);
    GPtrArray *out = pipeline_run(&pipeline, docs, &sources, f);
    if (out == NULL)
        return false;
    if (a.collection == NULL && !begins_with_source(&a, &pipeline)) {
        g_ptr_array_unref(out);
        return fault_say(f, SB_INVALID_NAMESPACE,
                         "{aggregate: 1} is not valid for the stages given; a collection is required.");
    }
    int64_t batch = doc_get_int(&cursor, "batchSize", FIRST_BATCH);
    if (batch < 0) {
        g_ptr_array_unref(out);
        return fault_say(f, SB_BAD_VALUE, "cursor.batchSize must not be negative");
    }
    g_autofree char *ns =
        g_strconcat(c->db, ".", a.collection == NULL ? "$cmd.aggregate" : a.collection, NULL);
    cursors_reply_first(c->h->cursors, ns, out, batch, false, host_waited(c->h), reply);
    return true;
}

/* Where an unsharded collection of `db` lives. */
static const char *primary_of(struct call *c)
{
    const GPtrArray *databases = sb_cluster_docs(c->h->cluster, "databases");
    for (guint i = 0; databases != NULL && i < databases->len; i++) {
        const char *name = doc_get_text(databases->pdata[i], "_id"),
                   *primary = doc_get_text(databases->pdata[i], "primary");
        if (name != NULL && primary != NULL && strcmp(name, c->db) == 0)
            return primary;
    }
    return "config";
}

/* A negative limit counts as its amount. `shards` is what a mongos adds up to 4.4. */
static bool count(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t query, shards;
    int64_t skip;
    const char *collection = call_collection(c, f);
    int64_t limit = doc_get_int(c->cmd, "limit", 0);
    if (collection == NULL || !call_document(c, "query", &query, f) ||
        !read_amount(c, "skip", "Skip", &skip, f))
        return false;
    limit = limit == INT64_MIN ? INT64_MAX : limit < 0 ? -limit : limit;
    g_autoptr(GPtrArray) found = select_part(c, collection, &query, NULL, skip, limit, f);
    if (found == NULL)
        return false;
    if (!host_since(c->h, 5, 0)) {
        bson_append_document_begin(reply, "shards", -1, &shards);
        append_count(&shards, primary_of(c), found->len);
        bson_append_document_end(reply, &shards);
    }
    append_count(reply, "n", found->len);
    return true;
}

struct values {
    GHashTable *seen;
    bson_t *list;
    uint32_t n;
};

static void add_value(struct values *v, const bson_iter_t *value)
{
    g_autoptr(GByteArray) enc = g_byte_array_new();
    char key[16];
    const char *index;
    if (!key_encode_value(value, enc, NULL) ||
        !g_hash_table_add(v->seen, g_byte_array_free_to_bytes(g_steal_pointer(&enc))))
        return;
    bson_uint32_to_string(v->n++, &index, key, sizeof key);
    doc_put(v->list, index, value);
}

/* An array gives its elements, as distinct means them. */
static bool collect(void *user, const bson_iter_t *value)
{
    bson_t array;
    bson_iter_t el;
    if (value != NULL && BSON_ITER_HOLDS_ARRAY(value) && doc_under(value, &array) &&
        bson_iter_init(&el, &array))
        while (bson_iter_next(&el))
            add_value(user, &el);
    else if (value != NULL)
        add_value(user, value);
    return false;
}

static bool distinct(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t query, list;
    const char *collection = call_collection(c, f), *key = doc_get_text(c->cmd, "key");
    if (collection == NULL || !call_document(c, "query", &query, f))
        return false;
    if (key == NULL || key[0] == '\0')
        return fault_say(f, SB_TYPE_MISMATCH, "distinct needs a string 'key'");
    g_autoptr(GPtrArray) found = select_part(c, collection, &query, NULL, -1, 0, f);
    if (found == NULL)
        return false;
    bson_append_array_begin(reply, "values", -1, &list);
    struct values v = {
        .seen = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL),
        .list = &list};
    for (guint i = 0; i < found->len; i++)
        docpath_each(found->pdata[i], key, collect, &v);
    bson_append_array_end(reply, &list);
    g_hash_table_unref(v.seen);
    return true;
}

const struct command commands_query[] = {
    {"find", find, 0, 0},
    {"getMore", get_more, 0, 0},
    {"killCursors", kill_cursors, 0, 0},
    {"aggregate", aggregate, 0, 0},
    {"count", count, 0, 0},
    {"distinct", distinct, 0, 0},
    {NULL, NULL, 0, 0},
};
