// SPDX-License-Identifier: Apache-2.0
/* Requests: from the command document to the function that carries it out, and back to whoever asked. A
 * request is in sb_cluster.requests until it is answered; answering takes it out and frees it, whoever still
 * works for it. */
#include "sandbox/cluster_impl.h"

#include <stdarg.h>
#include <string.h>

struct command {
    const char *name;
    command_fn *run;
    int major, minor;             /* the first version that has it */
    int until_major, until_minor; /* the first that no longer has it, 0: none */
    bool any_db;
    bool no_config; /* answered by mongos alone, also without config servers */
};

static const struct command commands[] = {
    {"listShards", sb_cmd_list_shards, 0, 0, 0, 0, false, false},
    {"balancerStart", sb_cmd_balancer_start, 0, 0, 0, 0, false, false},
    {"balancerStop", sb_cmd_balancer_stop, 0, 0, 0, 0, false, false},
    {"balancerStatus", sb_cmd_balancer_status, 0, 0, 0, 0, false, false},
    {"balancerCollectionStatus", sb_cmd_balancer_collection_status, 4, 4, 0, 0, false, false},
    {"moveChunk", sb_cmd_move_chunk, 0, 0, 0, 0, false, false},
    {"movechunk", sb_cmd_move_chunk, 0, 0, 0, 0, false, false},
    {"moveRange", sb_cmd_move_range, 6, 0, 0, 0, false, false},
    {"split", sb_cmd_split, 0, 0, 0, 0, false, false},
    {"mergeChunks", sb_cmd_merge_chunks, 0, 0, 0, 0, false, false},
    {"mergeAllChunksOnShard", sb_cmd_merge_all, 7, 0, 0, 0, false, false},
    {"clearJumboFlag", sb_cmd_clear_jumbo, 4, 2, 0, 0, false, false},
    {"addShardToZone", sb_cmd_add_shard_to_zone, 0, 0, 0, 0, false, false},
    {"removeShardFromZone", sb_cmd_remove_shard_from_zone, 0, 0, 0, 0, false, false},
    {"updateZoneKeyRange", sb_cmd_update_zone_key_range, 0, 0, 0, 0, false, false},
    {"addShard", sb_cmd_add_shard, 0, 0, 0, 0, false, false},
    {"removeShard", sb_cmd_remove_shard, 0, 0, 0, 0, false, false},
    {"movePrimary", sb_cmd_move_primary, 0, 0, 0, 0, false, false},
    {"enableSharding", sb_cmd_enable_sharding, 0, 0, 0, 0, false, false},
    {"shardCollection", sb_cmd_shard_collection, 0, 0, 0, 0, false, false},
    {"configureCollectionBalancing", sb_cmd_configure_balancing, 5, 3, 0, 0, false, false},
    {"setAllowMigrations", sb_cmd_set_allow_migrations, 5, 0, 0, 0, false, false},
    {"flushRouterConfig", sb_cmd_flush_router_config, 0, 0, 0, 0, false, true},
    {"getShardVersion", sb_cmd_get_shard_version, 0, 0, 0, 0, false, true},
    {"configureFailPoint", sb_cmd_configure_fail_point, 0, 0, 0, 0, false, true},
    {"evenkeelSandboxFault", sb_cmd_fault, 0, 0, 0, 0, false, true},
    {"drop", sb_cmd_drop, 0, 0, 0, 0, true, false},
    {"dropDatabase", sb_cmd_drop_database, 0, 0, 0, 0, true, false},
};

static const struct command *find_command(const sb_cluster *c, const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        const struct command *how = &commands[i];
        if (strcmp(how->name, name) != 0)
            continue;
        bool gone = how->until_major > 0 && sb_since(c, how->until_major, how->until_minor);
        bool early = how->run == sb_cmd_clear_jumbo && c->opt.version_major == 4 &&
                     c->opt.version_minor == 2 && c->opt.version_patch < 3;
        bool hidden = how->run == sb_cmd_fault && !c->opt.allow_faults;
        return sb_since(c, how->major, how->minor) && !gone && !early && !hidden ? how : NULL;
    }
    return NULL;
}

bool sb_cluster_has_command(const sb_cluster *c, const char *name)
{
    return find_command(c, name) != NULL;
}

/* Out of everything that refers to it. */
static void rq_detach(struct request *rq)
{
    sb_cancel_timer(rq->c, &rq->deadline);
    sb_cancel_timer(rq->c, &rq->delay);
    if (rq->migration != NULL)
        g_ptr_array_remove(rq->migration->waiters, rq);
    rq->migration = NULL;
    rq->lock = NULL;
}

void sb_rq_free(void *data)
{
    struct request *rq = data;
    rq_detach(rq);
    bson_destroy(rq->cmd);
    g_free(rq->lock_text);
    g_free(rq->db);
    g_free(rq);
}

struct answer {
    sb_reply_fn fn;
    void *user;
    bson_t *reply;
};

void sb_answer_free(void *data)
{
    struct answer *a = data;
    bson_destroy(a->reply);
    g_free(a);
}

void sb_enter(sb_cluster *c)
{
    c->depth++;
}

void sb_leave(sb_cluster *c)
{
    if (--c->depth > 0)
        return;
    while (c->outbox->len > 0) {
        struct answer *a = g_ptr_array_steal_index(c->outbox, 0);
        a->fn(a->user, a->reply);
        sb_answer_free(a);
    }
}

/* The last that happens to a request. Takes the reply. */
static void answer(struct request *rq, bson_t *reply)
{
    struct answer *a = g_new(struct answer, 1);
    if (rq->lose_reply) {
        bson_reinit(reply);
        BSON_APPEND_BOOL(reply, "$evenkeelDropConnection", true);
        BSON_APPEND_DOUBLE(reply, "ok", 0);
    }
    *a = (struct answer){rq->reply, rq->user, reply};
    g_ptr_array_add(rq->c->outbox, a);
    g_ptr_array_remove(rq->c->requests, rq); /* frees it */
}

void sb_rq_reply(struct request *rq, const bson_t *fields)
{
    bson_t *reply = fields != NULL ? bson_copy(fields) : bson_new();
    BSON_APPEND_DOUBLE(reply, "ok", 1);
    answer(rq, reply);
}

void sb_rq_fail_with(struct request *rq, int code, const char *text, const bson_t *more)
{
    bson_t *reply = bson_new();
    char name[SB_CODE_NAME_MAX];
    BSON_APPEND_DOUBLE(reply, "ok", 0);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    BSON_APPEND_UTF8(reply, "errmsg", valid);
    if (code != SB_NO_CODE) {
        BSON_APPEND_INT32(reply, "code", code);
        BSON_APPEND_UTF8(reply, "codeName", sb_code_name(code, name));
    }
    if (more != NULL)
        bson_concat(reply, more);
    answer(rq, reply);
}

void sb_rq_refuse(struct request *rq, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    sb_rq_fail_with(rq, code, text, NULL);
}

void sb_rq_drop(struct request *rq)
{
    rq->lose_reply = true;
    answer(rq, bson_new());
}

static void rq_delayed(void *data)
{
    struct request *rq = data;
    rq->delay = NULL;
    rq->then(rq);
}

void sb_rq_later(struct request *rq, int64_t ms, void (*fn)(struct request *))
{
    sb_cancel_timer(rq->c, &rq->delay);
    rq->then = fn;
    rq->delay = sb_set_timer(rq->c, ms, rq_delayed, rq);
}

const char *sb_bson_type_word(bson_type_t type)
{
    switch (type) {
    case BSON_TYPE_DOUBLE:
        return "double";
    case BSON_TYPE_UTF8:
        return "string";
    case BSON_TYPE_DOCUMENT:
        return "object";
    case BSON_TYPE_ARRAY:
        return "array";
    case BSON_TYPE_BINARY:
        return "binData";
    case BSON_TYPE_OID:
        return "objectId";
    case BSON_TYPE_BOOL:
        return "bool";
    case BSON_TYPE_DATE_TIME:
        return "date";
    case BSON_TYPE_NULL:
        return "null";
    case BSON_TYPE_INT32:
        return "int";
    case BSON_TYPE_TIMESTAMP:
        return "timestamp";
    case BSON_TYPE_INT64:
        return "long";
    case BSON_TYPE_DECIMAL128:
        return "decimal";
    default:
        return "missing";
    }
}

/* From 6.0 on the type is checked with all the other declared fields; before that it is a bad collection
 * name. */
bool sb_rq_ns(struct request *rq, const char **ret)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, rq->cmd, rq->name) || !BSON_ITER_HOLDS_UTF8(&it)) {
        const char *word =
            bson_iter_init_find(&it, rq->cmd, rq->name) ? sb_bson_type_word(bson_iter_type(&it)) : "missing";
        return sb_since(rq->c, 6, 0)
                   ? sb_rq_fail(rq, SB_TYPE_MISMATCH,
                                "BSON field '%s.%s' is the wrong type '%s', expected type 'string'", rq->name,
                                rq->name, word)
                   : sb_rq_fail(rq, SB_BAD_VALUE, "collection name has invalid type %s", word);
    }
    const char *ns = bson_iter_utf8(&it, NULL);
    const char *dot = strchr(ns, '.');
    if (dot == NULL || dot == ns || dot[1] == '\0')
        return sb_rq_fail(rq, SB_INVALID_NAMESPACE, "Invalid namespace specified '%s'", ns);
    *ret = ns;
    return true;
}

bool sb_rq_coll(struct request *rq, struct coll **ret)
{
    const char *ns;
    if (!sb_rq_ns(rq, &ns))
        return false;
    struct coll *k = sb_find_coll(rq->c, ns);
    if (k == NULL || k->unsplittable)
        return sb_rq_fail(rq, SB_NOT_SHARDED, "Collection %s is not sharded.", ns);
    *ret = k;
    return true;
}

bool sb_rq_string(struct request *rq, const char *name, bool required, const char **ret)
{
    bson_iter_t it;
    *ret = NULL;
    if (!bson_iter_init_find(&it, rq->cmd, name))
        return !required || sb_rq_fail(rq, SB_IDL_MISSING,
                                       "BSON field '%s.%s' is missing but a required field", rq->name, name);
    if (!BSON_ITER_HOLDS_UTF8(&it))
        return sb_rq_fail(rq, SB_TYPE_MISMATCH,
                          "BSON field '%s.%s' is the wrong type '%s', expected type 'string'", rq->name, name,
                          sb_bson_type_word(bson_iter_type(&it)));
    *ret = bson_iter_utf8(&it, NULL);
    return true;
}

bool sb_rq_doc(struct request *rq, const char *name, bool required, bson_t *ret, bool *ret_there)
{
    bson_iter_t it;
    *ret_there = false;
    if (!bson_iter_init_find(&it, rq->cmd, name))
        return !required || sb_rq_fail(rq, SB_IDL_MISSING,
                                       "BSON field '%s.%s' is missing but a required field", rq->name, name);
    if (!sb_doc_sub(rq->cmd, name, ret))
        return sb_rq_fail(rq, SB_TYPE_MISMATCH,
                          "BSON field '%s.%s' is the wrong type '%s', expected type 'object'", rq->name, name,
                          sb_bson_type_word(bson_iter_type(&it)));
    *ret_there = true;
    return true;
}

bool sb_rq_known_fields(struct request *rq, const char *const *names)
{
    static const char *const generic[] = {"lsid",        "maxTimeMS",  "comment",   "writeConcern",
                                          "readConcern", "apiVersion", "apiStrict", "apiDeprecationErrors",
                                          "txnNumber",   NULL};
    bson_iter_t it;
    if (!bson_iter_init(&it, rq->cmd) || !bson_iter_next(&it))
        return true;
    while (bson_iter_next(&it)) {
        const char *name = bson_iter_key(&it);
        if (name[0] != '$' && !g_strv_contains(names, name) && !g_strv_contains(generic, name))
            return sb_rq_fail(rq, SB_IDL_UNKNOWN, "BSON field '%s.%s' is an unknown field.", rq->name, name);
    }
    return true;
}

bool sb_two_bounds(const bson_t *cmd, const char *name, bson_t *ret_min, bson_t *ret_max)
{
    bson_iter_t it;
    bson_t array;
    uint32_t len;
    const uint8_t *data;
    if (!bson_iter_init_find(&it, cmd, name) || !BSON_ITER_HOLDS_ARRAY(&it))
        return false;
    bson_iter_array(&it, &len, &data);
    return bson_init_static(&array, data, len) && bson_count_keys(&array) == 2 &&
           sb_doc_sub(&array, "0", ret_min) && sb_doc_sub(&array, "1", ret_max);
}

static void deadline_passed(void *data)
{
    struct request *rq = data;
    rq->deadline = NULL;
    sb_rq_fail(rq, SB_MAX_TIME_EXPIRED, "operation exceeded time limit");
}

/* False: it is answered. */
static bool start_deadline(struct request *rq)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, rq->cmd, "maxTimeMS"))
        return true;
    double ms = sb_doc_double(rq->cmd, "maxTimeMS", -1);
    if (!(ms >= 0) || ms > G_MAXINT32)
        return sb_rq_fail(rq, SB_BAD_VALUE, "maxTimeMS must be a number between 0 and %d", G_MAXINT32);
    if (ms > 0)
        rq->deadline = sb_set_timer(rq->c, (int64_t)ms, deadline_passed, rq);
    return true;
}

enum { CONFIG_WAIT = 20000 }; /* how long mongos looks for a primary of the config servers */

/* Without a primary of the config servers mongos tries for 20 s; then the client hears of it. */
static void dispatch(struct request *rq)
{
    if (sb_config_down(rq->c) && !rq->how->no_config) {
        int64_t left = rq->c->config_down_until - sb_now_ms(rq->c);
        if (sb_now_ms(rq->c) - rq->started >= CONFIG_WAIT) {
            sb_rq_fail(rq, SB_NO_PRIMARY,
                       "Could not find host matching read preference { mode: \"primary\" } for set csrs");
            return;
        }
        sb_rq_later(rq, MIN(left, CONFIG_WAIT), dispatch);
        return;
    }
    rq->how->run(rq);
}

void sb_rq_again(struct request *rq)
{
    dispatch(rq);
}

/* The command is copied: a reply may come long after the caller's buffer has gone. */
static void run(sb_cluster *c, const char *db, const bson_t *cmd, int64_t op, sb_reply_fn reply, void *user)
{
    struct request *rq = g_new0(struct request, 1);
    bson_iter_t it;
    bool valid = bson_validate(cmd, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL);
    *rq = (struct request){.c = c, .op = op, .reply = reply, .user = user, .started = sb_now_ms(c)};
    rq->cmd = valid ? bson_copy(cmd) : bson_new();
    rq->db = g_strdup(db);
    g_ptr_array_add(c->requests, rq);
    sb_grow(c);
    if (!valid || !bson_iter_init(&it, rq->cmd) || !bson_iter_next(&it)) {
        sb_rq_fail(rq, valid ? SB_BAD_VALUE : SB_INVALID_BSON,
                   valid ? "empty command" : "invalid BSON in a command");
        return;
    }
    rq->name = bson_iter_key(&it);
    rq->how = find_command(c, rq->name);
    if (rq->how == NULL) {
        sb_rq_fail(rq, SB_COMMAND_NOT_FOUND, sb_since(c, 4, 4) ? "no such command: '%s'" : "no such cmd: %s",
                   rq->name);
        return;
    }
    if (!rq->how->any_db && strcmp(db, "admin") != 0) {
        sb_rq_fail(rq, SB_UNAUTHORIZED, "%s may only be run against the admin database.", rq->name);
        return;
    }
    if (start_deadline(rq) && !sb_fault_on_arrival(rq))
        dispatch(rq);
}

void sb_cluster_run(sb_cluster *c, const char *db, const bson_t *cmd, int64_t op, sb_reply_fn reply,
                    void *user)
{
    sb_enter(c);
    run(c, db, cmd, op, reply, user);
    sb_leave(c);
}

void sb_cluster_forget(sb_cluster *c, void *user)
{
    for (guint i = c->requests->len; i-- > 0;) {
        if (((const struct request *)c->requests->pdata[i])->user == user)
            g_ptr_array_remove_index(c->requests, i);
    }
    for (guint i = c->outbox->len; i-- > 0;) {
        if (((const struct answer *)c->outbox->pdata[i])->user == user)
            g_ptr_array_remove_index(c->outbox, i);
    }
}

/* An operation of mongos, or else one of a shard. */
void sb_cluster_kill(sb_cluster *c, int64_t op)
{
    bool found = false;
    sb_enter(c);
    for (guint i = c->requests->len; i-- > 0 && !found;) {
        struct request *rq = c->requests->pdata[i];
        found = rq->op == op;
        if (found)
            sb_rq_fail(rq, SB_INTERRUPTED, "operation was interrupted");
    }
    if (!found)
        sb_migration_kill(c, op);
    sb_leave(c);
}
