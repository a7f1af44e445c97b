// SPDX-License-Identifier: Apache-2.0
/* Documents are collected first and handed over when the last has come: whoever takes them cannot forget, and
 * a cursor that breaks midway must begin again. */
#include "migrations/mongo/live_private.h"

#include "balancer/key/raw.h"

#include <string.h>

enum { MAX_TIME_MS = 30 * 1000, FETCH_TRIES = 3, CHANGELOG_MAX = 10000 };
#define FETCH_BYTES_MAX ((guint)1 << 31)

bool live_next(const GByteArray *docs, size_t *at, bson_t *ret)
{
    if (*at >= docs->len)
        return false;
    uint32_t len = raw_u32(docs->data + *at);
    if (!bson_init_static(ret, docs->data + *at, len))
        return false;
    *at += len;
    return true;
}

/* The options of every find. */
static bool make_opts(const struct live *l, const bson_t *extra, bson_t *ret, struct err *err)
{
    bson_error_t error;
    bson_init(ret);
    if (extra != NULL)
        bson_concat(ret, extra);
    bson_append_int64(ret, "maxTimeMS", -1, l->max_time_ms);
    if (mongoc_read_concern_append(l->majority, ret) &&
        (l->session == NULL || mongoc_client_session_append(l->session, ret, &error)))
        return true;
    bson_destroy(ret);
    return err_set(err, ERR_UNAVAILABLE, "cannot use the session on %s: %s", l->c->name, error.message);
}

enum outcome { FETCHED, BROKEN, FAILED };

/* One attempt. Sets err for BROKEN, too. */
static enum outcome drain_cursor(const struct live *l, const char *what, mongoc_cursor_t *cursor,
                                 GByteArray *into, struct err *err)
{
    const bson_t *doc, *reply = NULL;
    bson_error_t error;
    g_byte_array_set_size(into, 0);
    while (mongoc_cursor_next(cursor, &doc)) {
        if (into->len > FETCH_BYTES_MAX - doc->len) {
            err_set(err, ERR_FAILED, "%s on %s is too large to be read: over 2 GiB of one collection", what,
                    l->c->name);
            return FAILED;
        }
        g_byte_array_append(into, bson_get_data(doc), doc->len);
    }
    if (!mongoc_cursor_error_document(cursor, &error, &reply))
        return FETCHED;
    mongo_failed(l->c, what, &error, reply, err);
    return mongo_broke(&error) ? BROKEN : FAILED;
}

bool live_fetch(const struct live *l, const char *coll, const bson_t *filter, const bson_t *extra,
                GByteArray *into, struct err *err)
{
    g_autofree char *what = g_strdup_printf("config.%s", coll);
    enum outcome outcome = BROKEN;
    for (unsigned i = 0; outcome == BROKEN && i < FETCH_TRIES; i++) {
        bson_t opts;
        if (!make_opts(l, extra, &opts, err))
            return false;
        mongoc_collection_t *c = mongoc_client_get_collection(l->c->client, "config", coll);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, filter, &opts, l->c->prefs);
        outcome = drain_cursor(l, what, cursor, into, err);
        mongoc_cursor_destroy(cursor);
        mongoc_collection_destroy(c);
        bson_destroy(&opts);
    }
    if (outcome == FETCHED && err != NULL)
        *err = (struct err){0}; /* of an earlier attempt */
    return outcome == FETCHED;
}

static bool hand_over(const struct live *l, enum doc_kind kind, const GByteArray *docs, struct err *err)
{
    bson_t doc;
    uint64_t index = 0;
    for (size_t at = 0; live_next(docs, &at, &doc);)
        if (!l->to->document(l->to->data, kind, index++, bson_get_data(&doc), doc.len, err))
            return false;
    return true;
}

/* A collection as a whole, in the order in which the server has it: so that the built-in balancer's ties are
 * ours. */
static bool read_kind(const struct live *l, enum doc_kind kind, const bson_t *filter, const bson_t *extra,
                      struct err *err)
{
    g_autoptr(GByteArray) docs = g_byte_array_new();
    return live_fetch(l, doc_kind_name(kind), filter, extra, docs, err) && hand_over(l, kind, docs, err);
}

/* The newest migrations: the collection is capped, so that its natural order is that of time. */
static bool read_changelog(const struct live *l, struct err *err)
{
    bson_t *filter = BCON_NEW("what", "{", "$in", "[", BCON_UTF8("moveChunk.from"),
                              BCON_UTF8("moveChunk.commit"), "]", "}");
    bson_t *extra =
        BCON_NEW("sort", "{", "$natural", BCON_INT32(-1), "}", "limit", BCON_INT64(CHANGELOG_MAX));
    bool done = read_kind(l, DOC_CHANGELOG, filter, extra, err);
    bson_destroy(filter);
    bson_destroy(extra);
    return done;
}

/* Few may read this; without it the snapshot just lacks it. */
static void read_fcv(const struct live *l)
{
    bson_t opts;
    if (!make_opts(l, NULL, &opts, NULL))
        return;
    bson_t *filter = BCON_NEW("_id", BCON_UTF8("featureCompatibilityVersion"));
    mongoc_collection_t *coll = mongoc_client_get_collection(l->c->client, "admin", "system.version");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(coll, filter, &opts, l->c->prefs);
    const bson_t *doc;
    bson_iter_t it;
    if (mongoc_cursor_next(cursor, &doc) && bson_iter_init_find(&it, doc, "version") &&
        BSON_ITER_HOLDS_UTF8(&it))
        l->to->text(l->to->data, INTAKE_FCV, bson_iter_utf8(&it, NULL), NULL);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(coll);
    bson_destroy(filter);
    bson_destroy(&opts);
}

static bool read_all(const struct live *l, bool fcv, struct err *err)
{
    bson_t none = BSON_INITIALIZER;
    g_autoptr(GByteArray) collections = g_byte_array_new();
    if (!l->to->taken_at(l->to->data, g_get_real_time() / 1000, err) ||
        !l->to->text(l->to->data, INTAKE_SERVER_VERSION, l->c->version, err))
        return false;
    if (fcv)
        read_fcv(l);
    return read_kind(l, DOC_SHARD, &none, NULL, err) && read_kind(l, DOC_DATABASE, &none, NULL, err) &&
           live_fetch(l, "collections", &none, NULL, collections, err) &&
           live_collections(l, collections, err) && hand_over(l, DOC_COLLECTION, collections, err) &&
           read_kind(l, DOC_TAG, &none, NULL, err) && read_kind(l, DOC_SETTING, &none, NULL, err) &&
           read_changelog(l, err) && live_sizes(l, collections, err);
}

bool live_read(const mongo_conn *c, const struct live_options *opt, const struct intake *to, struct err *err)
{
    struct live l = {.c = c, .to = to, .max_time_ms = opt->max_time_ms > 0 ? opt->max_time_ms : MAX_TIME_MS};
    mongoc_session_opt_t *session_opts = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(session_opts, true);
    l.session = mongoc_client_start_session(c->client, session_opts, NULL);
    mongoc_session_opts_destroy(session_opts);
    l.majority = mongoc_read_concern_new();
    mongoc_read_concern_set_level(l.majority, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    bool done = read_all(&l, opt->fcv, err);
    mongoc_read_concern_destroy(l.majority);
    if (l.session != NULL)
        mongoc_client_session_destroy(l.session);
    return done;
}
