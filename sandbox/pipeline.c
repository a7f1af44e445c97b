// SPDX-License-Identifier: Apache-2.0
/* Documents are borrowed until a stage makes new ones, so that a $match over a million chunks copies none. */
#include "sandbox/pipeline.h"

#include "sandbox/docpath.h"
#include "sandbox/expr.h"
#include "sandbox/group.h"
#include "sandbox/match.h"
#include "sandbox/shape.h"
#include "sandbox/wire.h"

#include <string.h>

/* What one stage may make of its input. */
enum { STAGE_BYTES_MAX = 1 << 30 };

/* What stands between two stages. */
struct flow {
    GPtrArray *docs;
    bool owned; /* the documents are ours, one by one */
};

typedef bool stage_fn(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                      struct fault *f);

static void free_doc(gpointer p)
{
    bson_destroy(p);
}

GPtrArray *docs_new(void)
{
    return g_ptr_array_new_with_free_func(free_doc);
}

static void flow_clear(struct flow *flow)
{
    for (guint i = 0; flow->owned && i < flow->docs->len; i++)
        bson_destroy(flow->docs->pdata[i]);
    g_ptr_array_unref(flow->docs);
}

/* Replaces the documents by others, which are ours. */
static void flow_take(struct flow *flow, GPtrArray *docs)
{
    flow_clear(flow);
    g_ptr_array_set_free_func(docs, NULL);
    *flow = (struct flow){.docs = docs, .owned = true};
}

/* Each stage has its own code for a specification of the wrong type. */
static bool need_document(const bson_iter_t *spec, bson_t *ret, int code, struct fault *f)
{
    return (BSON_ITER_HOLDS_DOCUMENT(spec) && doc_under(spec, ret)) ||
           fault_say(f, code, "the %s specification must be an object", bson_iter_key(spec));
}

static void drop(struct flow *flow, guint from)
{
    for (guint i = from; flow->owned && i < flow->docs->len; i++)
        bson_destroy(flow->docs->pdata[i]);
    g_ptr_array_set_size(flow->docs, (gint)MIN(from, flow->docs->len));
}

/* Adds a document to a stage's output, and to the bytes of it. */
static bool put_out(GPtrArray *out, bson_t *doc, int64_t *bytes, struct fault *f)
{
    if (doc == NULL)
        return false;
    g_ptr_array_add(out, doc);
    *bytes += doc->len;
    if (doc->len > WIRE_DOCUMENT_MAX)
        return fault_say(f, 10334, "BSONObj size: %u is invalid. Size must be between 0 and 16793600(16MB)",
                         doc->len);
    return *bytes <= STAGE_BYTES_MAX ||
           fault_say(f, SB_LIMIT, "a stage makes more than %d bytes of documents", STAGE_BYTES_MAX);
}

/* In place: what stays moves up, what goes is freed where it is ours. */
static bool stage_match(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                        struct fault *f)
{
    bson_t filter;
    g_autoptr(match) m = NULL;
    (void)host;
    if (!need_document(spec, &filter, 15959, f) || !match_parse(&filter, &m, f))
        return false;
    guint kept = 0;
    for (guint i = 0; i < flow->docs->len; i++) {
        bson_t *doc = flow->docs->pdata[i];
        if (match_test(m, doc))
            flow->docs->pdata[kept++] = doc;
        else if (flow->owned)
            bson_destroy(doc);
    }
    g_ptr_array_set_size(flow->docs, (gint)kept);
    return true;
}

static bool stage_sort(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                       struct fault *f)
{
    bson_t order;
    (void)host;
    return need_document(spec, &order, 15973, f) && shape_sort(flow->docs, &order, f);
}

static bool stage_limit(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                        struct fault *f)
{
    int64_t n;
    (void)host;
    if (!value_int64(spec, &n) || n <= 0)
        return fault_say(f, 15958, "the limit must be positive");
    drop(flow, (guint)MIN(n, (int64_t)flow->docs->len));
    return true;
}

static bool stage_skip(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                       struct fault *f)
{
    int64_t n;
    (void)host;
    if (!value_int64(spec, &n) || n < 0)
        return fault_say(f, 15956, "Argument to $skip cannot be negative");
    guint skipped = (guint)MIN(n, (int64_t)flow->docs->len);
    for (guint i = 0; flow->owned && i < skipped; i++)
        bson_destroy(flow->docs->pdata[i]);
    if (skipped > 0)
        g_ptr_array_remove_range(flow->docs, 0, skipped);
    return true;
}

static bool stage_project(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                          struct fault *f)
{
    bson_t fields;
    g_autoptr(projection) p = NULL;
    (void)host;
    if (!need_document(spec, &fields, 15969, f) || !projection_parse(&fields, true, &p, f))
        return false;
    g_autoptr(GPtrArray) out = docs_new();
    int64_t bytes = 0;
    for (guint i = 0; i < flow->docs->len; i++)
        if (!put_out(out, projection_apply(p, flow->docs->pdata[i], f), &bytes, f))
            return false;
    flow_take(flow, g_steal_pointer(&out));
    return true;
}

/* $unset: a name or a list of them. */
static bool stage_unset(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                        struct fault *f)
{
    bson_t names, fields = BSON_INITIALIZER, stage = BSON_INITIALIZER;
    bson_iter_t it;
    if (BSON_ITER_HOLDS_UTF8(spec))
        bson_append_bool(&fields, bson_iter_utf8(spec, NULL), -1, false);
    else if (BSON_ITER_HOLDS_ARRAY(spec) && doc_under(spec, &names) && bson_iter_init(&it, &names))
        while (bson_iter_next(&it))
            if (BSON_ITER_HOLDS_UTF8(&it))
                bson_append_bool(&fields, bson_iter_utf8(&it, NULL), -1, false);
    bson_append_document(&stage, "$unset", -1, &fields);
    bson_iter_init(&it, &stage);
    bson_iter_next(&it);
    bool fine = !bson_empty(&fields)
                    ? stage_project(flow, &it, host, f)
                    : fault_say(f, 31002, "$unset specification must be a string or an array");
    bson_destroy(&fields);
    bson_destroy(&stage);
    return fine;
}

static bool stage_add_fields(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                             struct fault *f)
{
    bson_t fields;
    (void)host;
    if (!need_document(spec, &fields, 40272, f))
        return false;
    g_autoptr(GPtrArray) out = docs_new();
    int64_t bytes = 0;
    for (guint i = 0; i < flow->docs->len; i++)
        if (!put_out(out, expr_set_fields(flow->docs->pdata[i], &fields, flow->docs->pdata[i], f), &bytes, f))
            return false;
    flow_take(flow, g_steal_pointer(&out));
    return true;
}

static bool stage_group(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                        struct fault *f)
{
    bson_t fields;
    (void)host;
    if (!need_document(spec, &fields, 15947, f))
        return false;
    GPtrArray *out = group_run(&fields, flow->docs, f);
    if (out != NULL)
        flow_take(flow, out);
    return out != NULL;
}

/* No document at all where there is nothing to count, as with the server. */
static bool stage_count(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                        struct fault *f)
{
    const char *name = BSON_ITER_HOLDS_UTF8(spec) ? bson_iter_utf8(spec, NULL) : "";
    (void)host;
    if (name[0] == '\0' || name[0] == '$' || strchr(name, '.') != NULL)
        return fault_say(f, 40156, "the count field must be a non-empty string");
    GPtrArray *out = docs_new();
    if (flow->docs->len > 0) {
        bson_t *doc = bson_new();
        bson_append_int32(doc, name, -1, (int32_t)flow->docs->len);
        g_ptr_array_add(out, doc);
    }
    flow_take(flow, out);
    return true;
}

/* One document for each element; scalars pass, empty arrays and missing fields go unless they are to be kept.
 */
static bool unwind_one(const bson_t *doc, const char *path, bool keep, GPtrArray *out, int64_t *bytes,
                       struct fault *f)
{
    bson_iter_t it, el;
    bson_t array;
    bool there = docpath_find(doc, path, &it);
    bool is_array = there && BSON_ITER_HOLDS_ARRAY(&it) && doc_under(&it, &array);
    if (!there || BSON_ITER_HOLDS_NULL(&it) || (is_array && bson_empty(&array))) {
        return !keep || put_out(out, is_array ? doc_with_path(doc, path, NULL, f) : bson_copy(doc), bytes, f);
    }
    if (!is_array)
        return put_out(out, bson_copy(doc), bytes, f);
    bson_iter_init(&el, &array);
    while (bson_iter_next(&el))
        if (!put_out(out, doc_with_path(doc, path, &el, f), bytes, f))
            return false;
    return true;
}

static bool stage_unwind(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                         struct fault *f)
{
    bson_t fields;
    const char *path = BSON_ITER_HOLDS_UTF8(spec) ? bson_iter_utf8(spec, NULL) : NULL;
    bool keep = false;
    (void)host;
    if (BSON_ITER_HOLDS_DOCUMENT(spec) && doc_under(spec, &fields)) {
        path = doc_get_text(&fields, "path");
        keep = doc_get_bool(&fields, "preserveNullAndEmptyArrays", false);
    }
    if (path == NULL || path[0] != '$' || path[1] == '\0')
        return fault_say(f, 28818, "path option to $unwind stage should be prefixed with a '$'");
    g_autoptr(GPtrArray) out = docs_new();
    int64_t bytes = 0;
    for (guint i = 0; i < flow->docs->len; i++)
        if (!unwind_one(flow->docs->pdata[i], path + 1, keep, out, &bytes, f))
            return false;
    flow_take(flow, g_steal_pointer(&out));
    return true;
}

/* $replaceWith is the same with the expression itself for a specification. */
static bool stage_replace_root(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                               struct fault *f)
{
    bson_t fields, doc;
    bson_iter_t it = *spec, value;
    (void)host;
    if (strcmp(bson_iter_key(spec), "$replaceRoot") == 0 &&
        (!need_document(spec, &fields, 40229, f) || !doc_get(&fields, "newRoot", &it)))
        return f->message != NULL ? false
                                  : fault_say(f, 40231, "no newRoot specified for the $replaceRoot stage");
    g_autoptr(GPtrArray) out = docs_new();
    for (guint i = 0; i < flow->docs->len; i++) {
        bson_t holder = BSON_INITIALIZER;
        bool fine = expr_eval(&it, flow->docs->pdata[i], &holder, "v", f);
        if (fine && bson_iter_init_find(&value, &holder, "v") && BSON_ITER_HOLDS_DOCUMENT(&value) &&
            doc_under(&value, &doc))
            g_ptr_array_add(out, bson_copy(&doc));
        else if (fine)
            fine = fault_say(f, 40228, "'newRoot' expression must evaluate to an object");
        bson_destroy(&holder);
        if (!fine)
            return false;
    }
    flow_take(flow, g_steal_pointer(&out));
    return true;
}

/* The other collection's documents by the encodings of one field. */
static GHashTable *index_by(const GPtrArray *docs, const char *path)
{
    GHashTable *index = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                              (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; docs != NULL && i < docs->len; i++) {
        bson_iter_t it;
        g_autoptr(GByteArray) enc = g_byte_array_new();
        if (!docpath_find(docs->pdata[i], path, &it) || !key_encode_value(&it, enc, NULL))
            continue;
        GBytes *key = g_byte_array_free_to_bytes(g_steal_pointer(&enc));
        GPtrArray *list = g_hash_table_lookup(index, key);
        if (list == NULL) {
            list = g_ptr_array_new();
            g_hash_table_insert(index, g_bytes_ref(key), list);
        }
        g_ptr_array_add(list, docs->pdata[i]);
        g_bytes_unref(key);
    }
    return index;
}

static bson_t *join_one(const bson_t *doc, const char *local, const char *as, GHashTable *index,
                        struct fault *f)
{
    bson_t holder = BSON_INITIALIZER, array;
    bson_iter_t it;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    const GPtrArray *found = NULL;
    if (docpath_find(doc, local, &it) && key_encode_value(&it, enc, NULL)) {
        g_autoptr(GBytes) key = g_bytes_new_static(enc->data, enc->len);
        found = g_hash_table_lookup(index, key);
    }
    bson_append_array_begin(&holder, "v", -1, &array);
    for (guint i = 0; found != NULL && i < found->len; i++) {
        char key[16];
        const char *position;
        bson_uint32_to_string(i, &position, key, sizeof key);
        bson_append_document(&array, position, -1, found->pdata[i]);
    }
    bson_append_array_end(&holder, &array);
    bson_iter_init_find(&it, &holder, "v");
    bson_t *joined = doc_with_path(doc, as, &it, f);
    bson_destroy(&holder);
    return joined;
}

/* One index over the foreign collection, made once: joining chunks with collections takes a pass over each.
 */
static bool stage_lookup(struct flow *flow, const bson_iter_t *spec, const struct pipeline_host *host,
                         struct fault *f)
{
    bson_t fields;
    if (!need_document(spec, &fields, SB_FAILED_TO_PARSE, f))
        return false;
    const char *from = doc_get_text(&fields, "from"), *as = doc_get_text(&fields, "as");
    const char *local = doc_get_text(&fields, "localField"), *foreign = doc_get_text(&fields, "foreignField");
    if (from == NULL || as == NULL || local == NULL || foreign == NULL || bson_has_field(&fields, "pipeline"))
        return fault_say(f, SB_FAILED_TO_PARSE,
                         "the sandbox knows $lookup with from, localField, foreignField and as only");
    g_autoptr(GHashTable) index = index_by(host->collection(host->user, from), foreign);
    g_autoptr(GPtrArray) out = docs_new();
    int64_t bytes = 0;
    for (guint i = 0; i < flow->docs->len; i++)
        if (!put_out(out, join_one(flow->docs->pdata[i], local, as, index, f), &bytes, f))
            return false;
    flow_take(flow, g_steal_pointer(&out));
    return true;
}

static const struct {
    const char *name;
    stage_fn *run; /* NULL: a stage of the server that the sandbox does not have */
} stages[] = {
    {"$match", stage_match},
    {"$group", stage_group},
    {"$sort", stage_sort},
    {"$limit", stage_limit},
    {"$skip", stage_skip},
    {"$project", stage_project},
    {"$unset", stage_unset},
    {"$addFields", stage_add_fields},
    {"$set", stage_add_fields},
    {"$count", stage_count},
    {"$unwind", stage_unwind},
    {"$replaceRoot", stage_replace_root},
    {"$replaceWith", stage_replace_root},
    {"$lookup", stage_lookup},
    {"$bucket", NULL},
    {"$bucketAuto", NULL},
    {"$changeStream", NULL},
    {"$facet", NULL},
    {"$geoNear", NULL},
    {"$graphLookup", NULL},
    {"$indexStats", NULL},
    {"$listLocalSessions", NULL},
    {"$listSessions", NULL},
    {"$merge", NULL},
    {"$out", NULL},
    {"$planCacheStats", NULL},
    {"$redact", NULL},
    {"$sample", NULL},
    {"$sortByCount", NULL},
    {"$unionWith", NULL},
};

/* A source makes documents from nothing, and so must come first. */
static bool run_source(struct flow *flow, const bson_iter_t *spec, guint position,
                       const struct pipeline_host *host, struct fault *f)
{
    bson_t fields = BSON_INITIALIZER;
    const char *name = bson_iter_key(spec);
    if (position > 0)
        return fault_say(f, 40602, "%s is only valid as the first stage in a pipeline.", name);
    if (BSON_ITER_HOLDS_DOCUMENT(spec))
        doc_under(spec, &fields);
    GPtrArray *docs = host->source(host->user, name, &fields, f);
    if (docs != NULL)
        flow_take(flow, docs);
    return docs != NULL;
}

/* Stages that the server knows and the sandbox does not are told apart from misspelt ones. */
static bool run_stage(struct flow *flow, const bson_iter_t *stage, guint position,
                      const struct pipeline_host *host, struct fault *f)
{
    bson_t doc;
    bson_iter_t spec;
    if (!BSON_ITER_HOLDS_DOCUMENT(stage) || !doc_under(stage, &doc))
        return fault_say(f, SB_TYPE_MISMATCH, "Each element of the 'pipeline' array must be an object");
    if (bson_count_keys(&doc) != 1)
        return fault_say(f, 40323, "A pipeline stage specification object must contain exactly one field.");
    bson_iter_init(&spec, &doc);
    bson_iter_next(&spec);
    const char *name = bson_iter_key(&spec);
    if (host->knows(host->user, name))
        return run_source(flow, &spec, position, host, f);
    for (size_t i = 0; i < G_N_ELEMENTS(stages); i++)
        if (strcmp(stages[i].name, name) == 0)
            return stages[i].run != NULL
                       ? stages[i].run(flow, &spec, host, f)
                       : fault_say(f, SB_NOT_SUPPORTED, "the sandbox has no stage '%s'", name);
    return fault_say(f, 40324, "Unrecognized pipeline stage name: '%s'", name);
}

/* Copies what is still borrowed. */
static GPtrArray *finish(struct flow *flow)
{
    GPtrArray *out = docs_new();
    for (guint i = 0; i < flow->docs->len; i++)
        g_ptr_array_add(out, flow->owned ? flow->docs->pdata[i] : bson_copy(flow->docs->pdata[i]));
    g_ptr_array_unref(flow->docs);
    return out;
}

GPtrArray *pipeline_run(const bson_t *pipeline, const GPtrArray *docs, const struct pipeline_host *host,
                        struct fault *f)
{
    struct flow flow = {.docs = g_ptr_array_new()};
    bson_iter_t it;
    guint position = 0;
    for (guint i = 0; docs != NULL && i < docs->len; i++)
        g_ptr_array_add(flow.docs, docs->pdata[i]);
    bson_iter_init(&it, pipeline);
    while (bson_iter_next(&it))
        if (!run_stage(&flow, &it, position++, host, f)) {
            flow_clear(&flow);
            return NULL;
        }
    return finish(&flow);
}
