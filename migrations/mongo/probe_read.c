// SPDX-License-Identifier: Apache-2.0
/* Short reads, and what all probes need: fields, bounds, incarnations. */
#include "migrations/mongo/probe_private.h"

#include "balancer/key/encode.h"
#include "balancer/key/raw.h"
#include "balancer/key/show.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/uri.h"

#include <string.h>

enum { MAX_TIME_MS = 30 * 1000, TRIES = 3, EPOCH_HEX = 24, SHOWN_MAX = 120 };

static void bson_slot_free(gpointer doc)
{
    bson_destroy(doc);
}

char *probe_name(mongoc_client_t *client)
{
    return uri_shown_parsed(mongoc_client_get_uri(client));
}

static bool failed(mongoc_client_t *client, const char *what, const bson_error_t *error, const bson_t *reply,
                   struct err *err)
{
    g_autofree char *name = probe_name(client);
    const mongo_conn c = {.client = client, .name = name};
    return mongo_failed(&c, what, error, reply, err);
}

/* Takes the cursor. *ret_broke: the same read may go well when it is tried again. */
static GPtrArray *drain(mongoc_client_t *client, const char *what, mongoc_cursor_t *cursor, bool *ret_broke,
                        struct err *err)
{
    const bson_t *doc, *reply = NULL;
    bson_error_t error;
    g_autoptr(GPtrArray) docs = g_ptr_array_new_with_free_func(bson_slot_free);
    while (mongoc_cursor_next(cursor, &doc))
        g_ptr_array_add(docs, bson_copy(doc));
    bool good = !mongoc_cursor_error_document(cursor, &error, &reply);
    *ret_broke = !good && error.domain == MONGOC_ERROR_STREAM;
    if (!good)
        failed(client, what, &error, reply, err);
    mongoc_cursor_destroy(cursor);
    return good ? g_steal_pointer(&docs) : NULL;
}

static bson_t *find_options(const bson_t *sort, int64_t limit)
{
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(MAX_TIME_MS));
    mongoc_read_concern_t *majority = mongoc_read_concern_new();
    mongoc_read_concern_set_level(majority, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_read_concern_append(majority, opts);
    mongoc_read_concern_destroy(majority);
    if (sort != NULL)
        BSON_APPEND_DOCUMENT(opts, "sort", sort);
    if (limit > 0)
        BSON_APPEND_INT64(opts, "limit", limit);
    return opts;
}

bool probe_find(mongoc_client_t *client, const char *coll, const bson_t *filter, const bson_t *sort,
                int64_t limit, GPtrArray **ret, struct err *err)
{
    g_autofree char *what = g_strdup_printf("config.%s", coll);
    mongoc_collection_t *c = mongoc_client_get_collection(client, "config", coll);
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    bson_t *opts = find_options(sort, limit);
    GPtrArray *docs = NULL;
    bool broke = true;
    for (unsigned i = 0; docs == NULL && broke && i < TRIES; i++)
        docs = drain(client, what, mongoc_collection_find_with_opts(c, filter, opts, primary), &broke, err);
    bson_destroy(opts);
    mongoc_read_prefs_destroy(primary);
    mongoc_collection_destroy(c);
    if (docs != NULL)
        *ret = docs;
    return docs != NULL;
}

bool probe_aggregate_admin(mongoc_client_t *client, const char *what, const bson_t *pipeline, GPtrArray **ret,
                           struct err *err)
{
    mongoc_database_t *admin = mongoc_client_get_database(client, "admin");
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(MAX_TIME_MS));
    GPtrArray *docs = NULL;
    bool broke = true;
    mongoc_database_set_read_prefs(admin, primary);
    for (unsigned i = 0; docs == NULL && broke && i < TRIES; i++)
        docs = drain(client, what, mongoc_database_aggregate(admin, pipeline, opts, primary), &broke, err);
    bson_destroy(opts);
    mongoc_read_prefs_destroy(primary);
    mongoc_database_destroy(admin);
    if (docs != NULL)
        *ret = docs;
    return docs != NULL;
}

bool probe_command(mongoc_client_t *client, const bson_t *cmd, bson_t *ret_reply, struct err *err)
{
    bson_iter_t it;
    bson_error_t error;
    if (mongoc_client_command_simple(client, "admin", cmd, NULL, ret_reply, &error))
        return true;
    const char *name = bson_iter_init(&it, cmd) && bson_iter_next(&it) ? bson_iter_key(&it) : "";
    failed(client, name, &error, ret_reply, err);
    bson_destroy(ret_reply);
    return false;
}

const char *probe_text(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL)
                                                                            : NULL;
}

bool probe_document(const bson_t *doc, const char *name, bson_t *ret)
{
    bson_iter_t it;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_DOCUMENT(&it))
        return false;
    bson_iter_document(&it, &len, &data);
    return bson_init_static(ret, data, len);
}

static bool encode(const bson_t *bound, GByteArray *out, struct err *err)
{
    bson_iter_t it;
    if (!raw_open(&it, bson_get_data(bound), bound->len))
        return err_set(err, ERR_DATA, "a bound is corrupt BSON");
    while (bson_iter_next(&it))
        if (!key_encode_value(&it, out, err))
            return err_wrap(err, "a bound");
    return !raw_broken(&it) || err_set(err, ERR_DATA, "a bound is corrupt BSON");
}

bool probe_compare(const bson_t *a, const bson_t *b, int *ret, struct err *err)
{
    g_autoptr(GByteArray) ea = g_byte_array_new(), eb = g_byte_array_new();
    if (bson_equal(a, b)) {
        *ret = 0;
        return true;
    }
    if (!encode(a, ea, err) || !encode(b, eb, err))
        return false;
    *ret = key_cmp(ea->data, ea->len, eb->data, eb->len);
    return true;
}

char *probe_range_text(const bson_t *min, const bson_t *max)
{
    GString *out = g_string_new("[");
    key_show(out, min, SHOWN_MAX);
    g_string_append(out, ", ");
    if (max != NULL)
        key_show(out, max, SHOWN_MAX);
    else
        g_string_append(out, "...");
    g_string_append_c(out, ')');
    return g_string_free(out, FALSE);
}

bool probe_same_incarnation(const char *version, const struct probe_collection *coll)
{
    static const bson_oid_t none = {{0}};
    bson_oid_t epoch;
    char hex[EPOCH_HEX + 1];
    const char *at = strstr(version, "||");
    if (at == NULL || strlen(at + 2) < EPOCH_HEX)
        return false;
    memcpy(hex, at + 2, EPOCH_HEX);
    hex[EPOCH_HEX] = '\0';
    const char *rest = at + 2 + EPOCH_HEX;
    if (!bson_oid_is_valid(hex, EPOCH_HEX) || (*rest != '\0' && !g_str_has_prefix(rest, "||")))
        return false;
    bson_oid_init_from_string(&epoch, hex);
    if (!bson_oid_equal(&epoch, &none) && !bson_oid_equal(&epoch, &coll->epoch))
        return false;
    if (*rest == '\0' || !coll->has_timestamp) /* of a plan made before or after the change of layout */
        return true;
    g_autofree char *now =
        g_strdup_printf("||Timestamp(%u, %u)", (unsigned)coll->timestamp_t, (unsigned)coll->timestamp_i);
    return strcmp(rest, now) == 0;
}
