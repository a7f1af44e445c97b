// SPDX-License-Identifier: Apache-2.0
/* Shards and databases: which there are, and how one is drained and leaves. */
#include "sandbox/cluster_impl.h"

#include <string.h>

static char *index_name(guint i, char buf[16])
{
    const char *key;
    bson_uint32_to_string(i, &key, buf, 16);
    if (key != buf)
        g_strlcpy(buf, key, 16);
    return buf;
}

void sb_cmd_list_shards(struct request *rq)
{
    bson_t *reply = bson_new(), array;
    char name[16];
    BSON_APPEND_ARRAY_BEGIN(reply, "shards", &array);
    for (guint i = 0; i < rq->c->shards->len; i++) {
        bson_t *doc = sb_shard_doc(rq->c, rq->c->shards->pdata[i]);
        bson_append_document(&array, index_name(i, name), -1, doc);
        bson_destroy(doc);
    }
    bson_append_array_end(reply, &array);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* "rs/h1:p,h2:p"; the set's name is the shard's unless another is asked for. */
void sb_cmd_add_shard(struct request *rq)
{
    const char *host, *name;
    if (!sb_rq_string(rq, "addShard", true, &host) || !sb_rq_string(rq, "name", false, &name))
        return;
    const char *slash = strchr(host, '/');
    if (slash == NULL || slash == host || slash[1] == '\0' || (name != NULL && name[0] == '\0')) {
        sb_rq_fail(rq, SB_BAD_VALUE, "Invalid shard connection string: '%s'", host);
        return;
    }
    g_autofree char *id = name != NULL ? g_strdup(name) : g_strndup(host, (gsize)(slash - host));
    const struct shard *there = sb_find_shard(rq->c, id);
    if (there != NULL && strcmp(there->host, host) != 0) {
        sb_rq_fail(rq, SB_ILLEGAL_OPERATION,
                   "A shard named %s containing the replica set '%s' already exists", id, there->host);
        return;
    }
    if (there == NULL) {
        struct shard *s = sb_shard_new(rq->c, id, host);
        s->topology = sb_stamp_next(rq->c);
        bson_t *details = bson_new();
        BSON_APPEND_UTF8(details, "name", id);
        BSON_APPEND_UTF8(details, "host", host);
        sb_log_config(rq->c, "addShard", "", details);
        bson_destroy(details);
    }
    bson_t *reply = bson_new();
    BSON_APPEND_UTF8(reply, "shardAdded", id);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

struct remaining {
    int64_t chunks, jumbo, databases;
};

static struct remaining count_remaining(const sb_cluster *c, const struct shard *s)
{
    struct remaining r = {0};
    for (guint i = 0; i < c->chunks->len; i++) {
        const struct chunk *ch = c->chunks->pdata[i];
        if (ch->shard == s) {
            r.chunks++;
            r.jumbo += ch->jumbo > 0;
        }
    }
    for (guint i = 0; i < c->databases->len; i++)
        r.databases += strcmp(((const struct database *)c->databases->pdata[i])->primary, s->id) == 0;
    return r;
}

/* Told also where there are none, as recorded. */
static void append_databases(const sb_cluster *c, const struct shard *s, bson_t *reply)
{
    bson_t array;
    char name[16];
    guint n = 0;
    BSON_APPEND_UTF8(reply, "note", "you need to drop or movePrimary these databases");
    BSON_APPEND_ARRAY_BEGIN(reply, "dbsToMove", &array);
    for (guint i = 0; i < c->databases->len; i++) {
        const struct database *d = c->databases->pdata[i];
        if (strcmp(d->primary, s->id) == 0)
            bson_append_utf8(&array, index_name(n++, name), -1, d->name, -1);
    }
    bson_append_array_end(reply, &array);
    if (sb_since(c, 8, 0)) {
        BSON_APPEND_ARRAY_BEGIN(reply, "collectionsToMove", &array);
        bson_append_array_end(reply, &array);
    }
}

static void log_removal(sb_cluster *c, const char *what, const char *id)
{
    bson_t *details = bson_new();
    BSON_APPEND_UTF8(details, "shard", id);
    sb_log_config(c, what, "", details);
    bson_destroy(details);
}

static guint draining_shards(const sb_cluster *c)
{
    guint n = 0;
    for (guint i = 0; i < c->shards->len; i++)
        n += ((const struct shard *)c->shards->pdata[i])->draining;
    return n;
}

/* 4.2 and 4.4 drain one shard at a time. The last shard that is not draining must stay. */
static void start_draining(struct request *rq, struct shard *s)
{
    guint draining = draining_shards(rq->c);
    if (draining > 0 && !sb_since(rq->c, 5, 0)) {
        sb_rq_fail(rq, SB_CONFLICT, "Can't have more than one draining shard at a time");
        return;
    }
    if (rq->c->shards->len - draining < 2) {
        sb_rq_fail(rq, SB_ILLEGAL_OPERATION, "Operation not allowed because it would remove the last shard");
        return;
    }
    s->draining = true;
    log_removal(rq->c, "removeShard.start", s->id);
    bson_t *reply = bson_new();
    BSON_APPEND_UTF8(reply, "msg", "draining started successfully");
    BSON_APPEND_UTF8(reply, "state", "started");
    BSON_APPEND_UTF8(reply, "shard", s->id);
    append_databases(rq->c, s, reply);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

static void report_draining(struct request *rq, const struct shard *s, struct remaining left)
{
    bson_t *reply = bson_new(), remaining;
    BSON_APPEND_UTF8(reply, "msg", "draining ongoing");
    BSON_APPEND_UTF8(reply, "state", "ongoing");
    BSON_APPEND_DOCUMENT_BEGIN(reply, "remaining", &remaining);
    BSON_APPEND_INT64(&remaining, "chunks", left.chunks);
    if (sb_since(rq->c, 8, 0))
        BSON_APPEND_INT64(&remaining, "collectionsToMove", 0);
    BSON_APPEND_INT64(&remaining, "dbs", left.databases);
    if (sb_since(rq->c, 4, 4))
        BSON_APPEND_INT64(&remaining, "jumboChunks", left.jumbo);
    bson_append_document_end(reply, &remaining);
    append_databases(rq->c, s, reply);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

static void finish_draining(struct request *rq, struct shard *s)
{
    bson_t *reply = bson_new();
    log_removal(rq->c, "removeShard", s->id);
    BSON_APPEND_UTF8(reply, "msg", "removeshard completed successfully");
    BSON_APPEND_UTF8(reply, "state", "completed");
    BSON_APPEND_UTF8(reply, "shard", s->id);
    sb_shard_remove(rq->c, s);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* Asked again, it tells how far it is; the call that finds nothing left removes the shard. */
void sb_cmd_remove_shard(struct request *rq)
{
    const char *id;
    if (!sb_rq_string(rq, rq->name, true, &id))
        return;
    struct shard *s = sb_find_shard(rq->c, id);
    if (s == NULL) {
        sb_rq_fail(rq, SB_SHARD_NOT_FOUND, "Could not drop shard '%s' because it does not exist", id);
        return;
    }
    struct remaining left = count_remaining(rq->c, s);
    if (!s->draining)
        start_draining(rq, s);
    else if (left.chunks > 0 || left.databases > 0 || s->busy != NULL)
        report_draining(rq, s, left);
    else
        finish_draining(rq, s);
}

/* Unsharded data takes no time here: only the primary changes, and the database's version. */
void sb_cmd_move_primary(struct request *rq)
{
    const char *name, *to;
    if (!sb_rq_string(rq, rq->name, true, &name) || !sb_rq_string(rq, "to", true, &to))
        return;
    struct database *d = sb_find_database(rq->c, name);
    const struct shard *s = sb_find_shard(rq->c, to);
    if (d == NULL) {
        sb_rq_fail(rq, SB_NAMESPACE_NOT_FOUND, "Database '%s' not found", name);
        return;
    }
    if (s == NULL) {
        sb_rq_fail(rq, SB_SHARD_NOT_FOUND,
                   "Could not move database '%s' to shard '%s' because the shard does not exist", name, to);
        return;
    }
    if (strcmp(d->primary, s->id) != 0) {
        g_free(d->primary);
        d->primary = g_strdup(s->id);
        d->last_mod++;
        sb_changed(rq->c);
    }
    bson_t *reply = bson_new();
    g_autofree char *text = g_strdup_printf("%s:%s", s->id, s->host);
    if (!sb_since(rq->c, 4, 4))
        BSON_APPEND_UTF8(reply, "primary", text);
    sb_rq_reply(rq, reply);
    bson_destroy(reply);
}

/* A new database goes where the fewest are. */
static const struct shard *emptiest(const sb_cluster *c)
{
    const struct shard *best = NULL;
    int64_t fewest = 0;
    for (guint i = 0; i < c->shards->len; i++) {
        const struct shard *s = c->shards->pdata[i];
        int64_t n = count_remaining(c, s).databases;
        if (!s->draining && (best == NULL || n < fewest)) {
            best = s;
            fewest = n;
        }
    }
    return best != NULL ? best : c->shards->pdata[0];
}

/* Harmless where it was done before, unless another primary is asked for. */
void sb_cmd_enable_sharding(struct request *rq)
{
    const char *name, *primary;
    if (!sb_rq_string(rq, rq->name, true, &name) || !sb_rq_string(rq, "primaryShard", false, &primary))
        return;
    if (name[0] == '\0' || strpbrk(name, "./\\ \"$") != NULL || strcmp(name, "admin") == 0 ||
        strcmp(name, "local") == 0) {
        sb_rq_fail(rq, SB_INVALID_NAMESPACE, "invalid db name specified: %s", name);
        return;
    }
    const struct shard *s = primary != NULL ? sb_find_shard(rq->c, primary) : emptiest(rq->c);
    struct database *d = sb_find_database(rq->c, name);
    if (s == NULL) {
        sb_rq_fail(rq, SB_SHARD_NOT_FOUND, "Shard %s not found", primary);
        return;
    }
    if (d != NULL && primary != NULL && strcmp(d->primary, primary) != 0) {
        sb_rq_fail(rq, SB_NAMESPACE_EXISTS,
                   "database already created on a primary which is different from: %s", primary);
        return;
    }
    if (d == NULL)
        d = sb_database_new(rq->c, name, s->id);
    d->partitioned = true;
    sb_changed(rq->c);
    sb_rq_reply(rq, NULL);
}
