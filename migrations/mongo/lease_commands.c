// SPDX-License-Identifier: Apache-2.0
/* The document of the lease: how it is read, what is written over what, and what a failure means. */
#include "common/text.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/lease_private.h"

#include <string.h>

#define DOCUMENT_ID "evenkeel"
#define NOBODY "nobody" /* no holder's id, which is a uuid */

/* Codes of the server. */
enum { CODE_UNAUTHORIZED = 13, CODE_NAMESPACE_EXISTS = 48, CODE_DUPLICATE_KEY = 11000 };

/* No holder counts that far; a number near the end of its type is somebody's joke. */
#define EPOCH_MAX (INT64_C(1) << 53)

/* Of a login that fails, or a permission, no word of the server is passed on: it may name the user. */
static bool failed(const struct lease_place *p, const char *verb, const bson_error_t *error,
                   const bson_t *reply, struct err *err)
{
    int64_t code = mongo_code(error, reply);
    if (mongo_login_failed(error, code))
        return err_set(
            err, ERR_NO_PERMISSION,
            "cannot log in to %s for the lease; check user, password, authSource and authMechanism "
            "in the URI",
            p->cluster);
    if (code == CODE_UNAUTHORIZED)
        return err_set(
            err, ERR_NO_PERMISSION,
            "not permitted to %s the lease in %s on %s; give the user the role readWrite on database "
            "'%s', or set lease.enabled to false where only one evenkeel ever runs",
            verb, p->ns, p->cluster, p->db);
    if (mongo_broke(error))
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot %s the lease in %s on %s: %s; check that a mongos answers there", verb, p->ns,
                       p->cluster, error->message);
    return err_set(err, ERR_UNAVAILABLE, "cannot %s the lease in %s on %s: %s (code %" G_GINT64_FORMAT ")",
                   verb, p->ns, p->cluster, error->message, code);
}

static bool sub_document(const bson_t *doc, const char *name, bson_t *ret)
{
    bson_iter_t it;
    const uint8_t *data;
    uint32_t len;
    if (!bson_iter_init_find(&it, doc, name))
        return false;
    if (BSON_ITER_HOLDS_ARRAY(&it))
        bson_iter_array(&it, &len, &data);
    else if (BSON_ITER_HOLDS_DOCUMENT(&it))
        bson_iter_document(&it, &len, &data);
    else
        return false;
    return bson_init_static(ret, data, len);
}

static const char *text_field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : "";
}

static int64_t number_field(const bson_t *doc, const char *name, int64_t otherwise)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_NUMBER(&it) ? bson_iter_as_int64(&it)
                                                                              : otherwise;
}

static int64_t date_field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, doc, name) && BSON_ITER_HOLDS_DATE_TIME(&it) ? bson_iter_date_time(&it)
                                                                                 : 0;
}

/* A text that fits; false: there is none. */
static bool copy_text(const bson_t *doc, const char *name, char *into)
{
    const char *text = text_field(doc, name);
    return *text != '\0' && g_strlcpy(into, text, LEASE_TEXT_MAX) < LEASE_TEXT_MAX;
}

static void parse_document(const bson_t *doc, struct lease_seen *ret)
{
    bson_iter_t it;
    *ret =
        (struct lease_seen){.epoch = number_field(doc, "epoch", -1), .ttl_ms = number_field(doc, "ttlMs", 0)};
    bool sound = copy_text(doc, "holder", ret->holder) && copy_text(doc, "stamp", ret->stamp) &&
                 ret->epoch >= 0 && ret->epoch < EPOCH_MAX;
    bool released =
        bson_iter_init_find(&it, doc, "released") && BSON_ITER_HOLDS_BOOL(&it) && bson_iter_bool(&it);
    ret->doc = !sound ? LEASE_DOC_DAMAGED : released ? LEASE_DOC_FREE : LEASE_DOC_HELD;
    if (sound)
        return;
    g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bson_get_data(doc), doc->len);
    *ret = (struct lease_seen){.doc = LEASE_DOC_DAMAGED};
    g_strlcpy(ret->stamp, digest, LEASE_TEXT_MAX);
}

static void read_holder(const bson_t *doc, const struct lease_seen *seen, struct lease_holder *ret)
{
    if (seen->doc != LEASE_DOC_HELD || strcmp(seen->holder, NOBODY) == 0)
        return;
    *ret = (struct lease_holder){.known = true,
                                 .name = g_strdup(text_field(doc, "name")),
                                 .host = g_strdup(text_field(doc, "host")),
                                 .pid = number_field(doc, "pid", 0),
                                 .epoch = seen->epoch,
                                 .since_ms = date_field(doc, "since"),
                                 .renewed_ms = date_field(doc, "renewed")};
    if (ret->renewed_ms != 0 && seen->ttl_ms > 0 && seen->ttl_ms <= LEASE_TTL_MAX_MS)
        ret->until_ms = ret->renewed_ms + seen->ttl_ms;
}

static bson_t *read_command(const struct lease_place *p)
{
    return BCON_NEW("find", BCON_UTF8(p->coll), "filter", "{", "_id", BCON_UTF8(DOCUMENT_ID), "}", "limit",
                    BCON_INT32(1), "singleBatch", BCON_BOOL(true), "readConcern", "{", "level",
                    BCON_UTF8("majority"), "}", "maxTimeMS", BCON_INT64(p->max_ms));
}

bool lease_read(mongoc_client_t *client, const struct lease_place *p, struct lease_seen *ret,
                bson_t **ret_raw, struct lease_holder *ret_holder, struct err *err)
{
    bson_error_t error = {0};
    bson_t reply, cursor, batch, first, *cmd = read_command(p);
    bool good = mongoc_client_command_simple(client, p->db, cmd, NULL, &reply, &error) ||
                failed(p, "read", &error, &reply, err);
    *ret = (struct lease_seen){.doc = LEASE_DOC_NONE};
    if (good && (!sub_document(&reply, "cursor", &cursor) || !sub_document(&cursor, "firstBatch", &batch))) {
        good = err_set(err, ERR_UNAVAILABLE, "%s on %s answers without a cursor; is it a mongos?", p->ns,
                       p->cluster);
    } else if (good && sub_document(&batch, "0", &first)) {
        *ret_raw = bson_copy(&first);
        parse_document(&first, ret);
        read_holder(&first, ret, ret_holder);
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return good;
}

/* The value as it was read, of whatever type, or that there was none. */
static void append_unchanged(bson_t *query, const bson_t *raw, const char *name)
{
    bson_iter_t it;
    bson_t how;
    BSON_APPEND_DOCUMENT_BEGIN(query, name, &how);
    if (bson_iter_init_find(&it, raw, name))
        bson_append_iter(&how, "$eq", -1, &it);
    else
        BSON_APPEND_BOOL(&how, "$exists", false);
    bson_append_document_end(query, &how);
}

static void append_query(bson_t *cmd, const struct lease_write *w)
{
    bson_t query, how;
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "query", &query);
    BSON_APPEND_UTF8(&query, "_id", DOCUMENT_ID);
    switch (w->op) {
    case LEASE_OP_PLACE: /* matches none of ours: what is there already makes the insert fail */
        BSON_APPEND_DOCUMENT_BEGIN(&query, "stamp", &how);
        BSON_APPEND_BOOL(&how, "$exists", false);
        bson_append_document_end(&query, &how);
        break;
    case LEASE_OP_TAKE:
        append_unchanged(&query, w->raw, "holder");
        append_unchanged(&query, w->raw, "epoch");
        append_unchanged(&query, w->raw, "stamp");
        break;
    default:
        BSON_APPEND_UTF8(&query, "holder", w->id);
        if (w->op == LEASE_OP_RENEW)
            BSON_APPEND_INT64(&query, "epoch", w->epoch);
        break;
    }
    bson_append_document_end(cmd, &query);
}

/* A renewal writes no name: its query has made sure of the holder. */
static void append_update(bson_t *cmd, const struct lease_self *self, const struct lease_write *w)
{
    bson_t update, set, dates;
    bool begins = w->op == LEASE_OP_TAKE;
    bool nobody = w->op == LEASE_OP_PLACE;
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "update", &update);
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    if (begins || nobody) {
        BSON_APPEND_UTF8(&set, "holder", nobody ? NOBODY : w->id);
        BSON_APPEND_INT64(&set, "epoch", w->epoch);
    }
    if (begins) {
        BSON_APPEND_UTF8(&set, "name", self->name);
        BSON_APPEND_UTF8(&set, "host", self->host);
        BSON_APPEND_INT64(&set, "pid", self->pid);
    }
    BSON_APPEND_UTF8(&set, "stamp", w->stamp);
    BSON_APPEND_INT64(&set, "ttlMs", w->ttl_ms);
    BSON_APPEND_BOOL(&set, "released", w->op == LEASE_OP_NONE);
    bson_append_document_end(&update, &set);
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$currentDate", &dates);
    if (begins)
        BSON_APPEND_BOOL(&dates, "since", true);
    BSON_APPEND_BOOL(&dates, "renewed", true);
    bson_append_document_end(&update, &dates);
    bson_append_document_end(cmd, &update);
}

/* A majority must have it before it counts. */
static void append_concern(bson_t *cmd, const struct lease_place *p)
{
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "writeConcern", &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    BSON_APPEND_INT64(&concern, "wtimeout", p->max_ms);
    bson_append_document_end(cmd, &concern);
    BSON_APPEND_INT64(cmd, "maxTimeMS", p->max_ms);
}

static bson_t *write_command(const struct lease_place *p, const struct lease_self *self,
                             const struct lease_write *w)
{
    bson_t *cmd = bson_new();
    BSON_APPEND_UTF8(cmd, w->op == LEASE_OP_PREPARE ? "create" : "findAndModify", p->coll);
    if (w->op != LEASE_OP_PREPARE) {
        append_query(cmd, w);
        append_update(cmd, self, w);
        BSON_APPEND_BOOL(cmd, "upsert", w->op == LEASE_OP_PLACE);
        BSON_APPEND_BOOL(cmd, "new", true);
    }
    append_concern(cmd, p);
    return cmd;
}

/* Written on one server, but perhaps not to stay. */
static bool unconfirmed(const struct lease_place *p, const bson_t *concern, struct err *err)
{
    const char *message = text_field(concern, "errmsg");
    return err_set(err, ERR_UNAVAILABLE,
                   "the lease in %s on %s was not confirmed by a majority: %s (code %" G_GINT64_FORMAT
                   "); check the replica set of the database's primary shard",
                   p->ns, p->cluster, message, number_field(concern, "code", 0));
}

static bool read_written(const struct lease_place *p, const struct lease_write *w, const bson_t *reply,
                         struct lease_written *ret, struct err *err)
{
    bson_t last, value;
    if (sub_document(reply, "writeConcernError", &last))
        return unconfirmed(p, &last, err);
    ret->matched = w->op == LEASE_OP_PREPARE;
    if (w->op == LEASE_OP_PREPARE)
        return true;
    if (!sub_document(reply, "lastErrorObject", &last))
        return err_set(err, ERR_UNAVAILABLE,
                       "findAndModify on %s answers without lastErrorObject; is it a mongos?", p->cluster);
    ret->matched = number_field(&last, "n", 0) > 0;
    if (!ret->matched)
        return true;
    if (!sub_document(reply, "value", &value))
        return err_set(err, ERR_UNAVAILABLE, "findAndModify on %s answers without a value; is it a mongos?",
                       p->cluster);
    ret->since_ms = date_field(&value, "since");
    ret->renewed_ms = date_field(&value, "renewed");
    ret->raw = bson_copy(&value);
    return true;
}

/* Whether the failure says that what was to be made is there already. */
static bool is_there(const struct lease_write *w, int64_t code)
{
    return (w->op == LEASE_OP_PLACE && code == CODE_DUPLICATE_KEY) ||
           (w->op == LEASE_OP_PREPARE && code == CODE_NAMESPACE_EXISTS);
}

/* A plain command: libmongoc sends it once, and does not repeat it behind our back. */
bool lease_write(mongoc_client_t *client, const struct lease_place *p, const struct lease_self *self,
                 const struct lease_write *w, struct lease_written *ret, struct err *err)
{
    bson_error_t error = {0};
    bson_t reply, *cmd = write_command(p, self, w);
    *ret = (struct lease_written){0};
    bool good = mongoc_client_command_simple(client, p->db, cmd, NULL, &reply, &error);
    if (good)
        good = read_written(p, w, &reply, ret, err);
    else
        good = is_there(w, mongo_code(&error, &reply)) || failed(p, "write", &error, &reply, err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    return good;
}
