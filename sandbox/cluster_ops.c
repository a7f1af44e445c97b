// SPDX-License-Identifier: Apache-2.0
/* Migrations in flight as others see them: in config.migrations (up to 5.x) and in $currentOp. */
#include "sandbox/cluster_impl.h"
#include "sandbox/server_text.h"

#include <string.h>

/* The version in it is the collection's, as recorded, though it is called the chunk's. */
bson_t *sb_migration_doc(const struct migration *m)
{
    bson_t *doc = bson_new(), version;
    const struct coll *k = m->move.coll;
    g_autofree char *id = server_chunk_id(m->ns, m->move.min->doc);
    BSON_APPEND_UTF8(doc, "_id", id);
    BSON_APPEND_UTF8(doc, "ns", m->ns);
    BSON_APPEND_DOCUMENT(doc, "min", m->move.min->doc);
    BSON_APPEND_DOCUMENT(doc, "max", m->move.max->doc);
    BSON_APPEND_UTF8(doc, "fromShard", m->move.from->id);
    BSON_APPEND_UTF8(doc, "toShard", m->move.to->id);
    BSON_APPEND_ARRAY_BEGIN(doc, "chunkVersion", &version);
    sb_append_version(&version, "0", m->version);
    BSON_APPEND_OID(&version, "1", &k->epoch);
    if (sb_since(m->c, 5, 0))
        sb_append_stamp(&version, "2", k->timestamp);
    bson_append_array_end(doc, &version);
    BSON_APPEND_BOOL(doc, "waitForDelete", m->move.wait_delete);
    if (sb_since(m->c, 4, 4))
        BSON_APPEND_BOOL(doc, "forceJumbo", m->move.force);
    return doc;
}

static void append_command(const struct migration *m, bson_t *op)
{
    bson_t command;
    bool newer = sb_since(m->c, 6, 0);
    BSON_APPEND_DOCUMENT_BEGIN(op, "command", &command);
    bson_append_utf8(&command, newer ? "_shardsvrMoveRange" : "moveChunk", -1, m->ns, -1);
    if (!newer) {
        bson_t version;
        BSON_APPEND_ARRAY_BEGIN(&command, "shardVersion", &version);
        sb_append_version(&version, "0", m->version);
        BSON_APPEND_OID(&version, "1", &m->move.coll->epoch);
        bson_append_array_end(&command, &version);
        BSON_APPEND_OID(&command, "epoch", &m->move.coll->epoch);
    }
    BSON_APPEND_UTF8(&command, "fromShard", m->move.from->id);
    BSON_APPEND_UTF8(&command, "toShard", m->move.to->id);
    BSON_APPEND_DOCUMENT(&command, "min", m->move.min->doc);
    BSON_APPEND_DOCUMENT(&command, "max", m->move.max->doc);
    BSON_APPEND_INT64(&command, "maxChunkSizeBytes", sb_max_chunk_bytes(m->move.coll));
    BSON_APPEND_BOOL(&command, "waitForDelete", m->move.wait_delete);
    if (!newer)
        BSON_APPEND_BOOL(&command, "takeDistLock", false);
    BSON_APPEND_UTF8(&command, "$db", "admin");
    bson_append_document_end(op, &command);
}

static bson_t *op_begin(const struct shard *s, const char *desc, int64_t opid)
{
    bson_t *op = bson_new();
    g_autofree char *id = g_strdup_printf("%s:%" G_GINT64_FORMAT, s->id, opid);
    BSON_APPEND_UTF8(op, "shard", s->id);
    BSON_APPEND_UTF8(op, "type", "op");
    BSON_APPEND_UTF8(op, "desc", desc);
    BSON_APPEND_BOOL(op, "active", true);
    BSON_APPEND_UTF8(op, "opid", id);
    return op;
}

static void append_message(const struct migration *m, bson_t *op)
{
    char text[32];
    g_snprintf(text, sizeof text, "step %d of %d", MIN(m->step, STEPS), STEPS);
    BSON_APPEND_UTF8(op, "msg", text);
}

static void append_running(const struct migration *m, bson_t *op, int64_t began)
{
    int64_t ms = sb_now_ms(m->c) - began;
    BSON_APPEND_INT64(op, "secs_running", ms / 1000);
    BSON_APPEND_INT64(op, "microsecs_running", ms * 1000);
}

static bson_t *recipient_op(const struct migration *m)
{
    bson_t *op = op_begin(m->move.to, "migrateThread", m->op + 1), command;
    BSON_APPEND_UTF8(op, "op", "none");
    BSON_APPEND_UTF8(op, "ns", m->ns);
    BSON_APPEND_DOCUMENT_BEGIN(op, "command", &command);
    bson_append_document_end(op, &command);
    append_message(m, op);
    return op;
}

/* Of one who asked; the first one's connection does the work and shows the step, from 5.0 on a thread of its
 * own does. */
static bson_t *donor_op(const struct migration *m, const struct request *rq, guint index, bool works)
{
    char desc[32];
    g_snprintf(desc, sizeof desc, "conn%u", 17 + index);
    bson_t *op = op_begin(m->move.from, rq != NULL ? desc : "MoveChunk", m->op + 2 + index);
    BSON_APPEND_UTF8(op, "op", "command");
    BSON_APPEND_UTF8(op, "ns", "admin.$cmd");
    append_command(m, op);
    if (works)
        append_message(m, op);
    append_running(m, op, rq != NULL ? rq->started : m->started);
    return op;
}

GPtrArray *sb_cluster_current_ops(sb_cluster *c)
{
    GPtrArray *ops = g_ptr_array_new_with_free_func(sb_bson_slot_free);
    for (guint i = 0; i < c->migrations->len; i++) {
        const struct migration *m = c->migrations->pdata[i];
        bool thread = sb_since(c, 5, 0) || m->waiters->len == 0;
        if (m->step > 2)
            g_ptr_array_add(ops, recipient_op(m));
        if (thread)
            g_ptr_array_add(ops, donor_op(m, NULL, 0, true));
        for (guint w = 0; w < m->waiters->len; w++)
            g_ptr_array_add(ops, donor_op(m, m->waiters->pdata[w], w + 1, !thread && w == 0));
    }
    return ops;
}
