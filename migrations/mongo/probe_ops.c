// SPDX-License-Identifier: Apache-2.0
/* Is something on its way? $currentOp shows the donor's command (moveChunk to 5.x, _shardsvrMoveRange later),
 * the donor's own thread (from 5.0; desc "MoveChunk"), the recipient's (desc "migrateThread"), and, asked for
 * the operations of mongos itself, the client's command that still waits there for the config servers. */
#include "migrations/mongo/probe_private.h"

#include <string.h>

enum { MIGRATIONS_UNTIL = 6 }; /* config.migrations is not used from this version on */

static const char *const move_commands[] = {"moveChunk", "moveRange", "_shardsvrMoveRange",
                                            "_configsvrMoveRange"};
static const char *const split_commands[] = {"split", "splitChunk"};

/* What is asked for. */
struct wanted {
    const char *ns, *from, *to;
    const bson_t *min;
};

static void append_names(bson_t *any, unsigned *n, const char *const *names, size_t count, const char *ns)
{
    for (size_t i = 0; i < count; i++) {
        g_autofree char *index = g_strdup_printf("%u", (*n)++);
        g_autofree char *path = g_strconcat("command.", names[i], NULL);
        bson_t one;
        bson_append_document_begin(any, index, -1, &one);
        bson_append_utf8(&one, path, -1, ns, -1);
        bson_append_document_end(any, &one);
    }
}

/* The servers send only what may matter: there may be thousands of operations. */
static bson_t *pipeline_of(const struct wanted *w, bool of_mongos)
{
    bson_t match, any, desc;
    unsigned n = 1;
    bson_t *stage = BCON_NEW("$currentOp", "{", "allUsers", BCON_BOOL(true), "idleConnections",
                             BCON_BOOL(false), "localOps", BCON_BOOL(of_mongos), "}");
    bson_t *filter = bson_new();
    BSON_APPEND_DOCUMENT_BEGIN(filter, "$match", &match);
    BSON_APPEND_ARRAY_BEGIN(&match, "$or", &any);
    BSON_APPEND_DOCUMENT_BEGIN(&any, "0", &desc);
    BCON_APPEND(&desc, "desc", "{", "$in", "[", BCON_UTF8("MoveChunk"), BCON_UTF8("migrateThread"), "]", "}");
    bson_append_document_end(&any, &desc);
    append_names(&any, &n, move_commands, G_N_ELEMENTS(move_commands), w->ns);
    append_names(&any, &n, split_commands, G_N_ELEMENTS(split_commands), w->ns);
    bson_append_array_end(&match, &any);
    bson_append_document_end(filter, &match);
    bson_t *pipeline = BCON_NEW("pipeline", "[", BCON_DOCUMENT(stage), BCON_DOCUMENT(filter), "]");
    bson_destroy(stage);
    bson_destroy(filter);
    return pipeline;
}

/* The namespace that one of the commands names; NULL: it is none of them. */
static const char *named(const bson_t *command, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *ns = probe_text(command, names[i]);
        if (ns != NULL)
            return ns;
    }
    return NULL;
}

/* The begin of the range, however the command tells it. */
static bool min_of(const bson_t *command, bson_t *ret)
{
    bson_iter_t it, first;
    uint32_t len;
    const uint8_t *data;
    if (probe_document(command, "min", ret))
        return true;
    if (!bson_iter_init(&it, command) || !bson_iter_find_descendant(&it, "bounds.0", &first) ||
        !BSON_ITER_HOLDS_DOCUMENT(&first))
        return false;
    bson_iter_document(&first, &len, &data);
    return bson_init_static(ret, data, len);
}

/* Whether a command that moves something in the collection may be the one. What it does not tell speaks for
 * it. */
static bool may_be_ours(const bson_t *command, const struct wanted *w)
{
    bson_t min;
    int order = 0;
    const char *from = probe_text(command, "fromShard");
    if (from != NULL && strcmp(from, w->from) != 0)
        return false;
    return !min_of(command, &min) || !probe_compare(&min, w->min, &order, NULL) || order == 0;
}

static bool is_move(const bson_t *op, const struct wanted *w)
{
    static const bson_t none = BSON_INITIALIZER;
    bson_t command;
    if (!probe_document(op, "command", &command))
        bson_init_static(&command, bson_get_data(&none), none.len);
    const char *ns = named(&command, move_commands, G_N_ELEMENTS(move_commands));
    const char *desc = probe_text(op, "desc"), *shard = probe_text(op, "shard");
    if (ns != NULL)
        return strcmp(ns, w->ns) == 0 && may_be_ours(&command, w);
    /* threads that do not tell what they move: a shard takes part in one migration at a time */
    return (g_strcmp0(desc, "MoveChunk") == 0 && g_strcmp0(shard, w->from) == 0) ||
           (g_strcmp0(desc, "migrateThread") == 0 && w->to != NULL && g_strcmp0(shard, w->to) == 0);
}

static bool is_split(const bson_t *op, const struct wanted *w)
{
    bson_t command;
    return probe_document(op, "command", &command) &&
           g_strcmp0(named(&command, split_commands, G_N_ELEMENTS(split_commands)), w->ns) == 0;
}

static bool look(mongoc_client_t *client, const struct wanted *w, bool of_mongos, bool *ret, struct err *err)
{
    g_autoptr(GPtrArray) ops = NULL;
    bson_t *pipeline = pipeline_of(w, of_mongos);
    bool done = probe_aggregate_admin(client, "$currentOp", pipeline, &ops, err);
    bson_destroy(pipeline);
    for (guint i = 0; done && i < ops->len && !*ret; i++)
        *ret = w->from == NULL ? is_split(ops->pdata[i], w) : is_move(ops->pdata[i], w);
    return done;
}

/* mongos first: what leaves it in between is seen on the shards. */
bool probe_under_way(mongoc_client_t *client, const char *ns, const bson_t *min, const char *from,
                     const char *to, bool *ret, struct err *err)
{
    const struct wanted w = {.ns = ns, .from = from, .to = to, .min = min};
    bool found = false;
    if (!look(client, &w, true, &found, err) || (!found && !look(client, &w, false, &found, err)))
        return false;
    *ret = found;
    return true;
}

/* The major version of this mongos; 0: it does not say. */
static bool read_major(mongoc_client_t *client, int *ret, struct err *err)
{
    bson_t reply;
    bson_t *cmd = BCON_NEW("buildInfo", BCON_INT32(1));
    bool done = probe_command(client, cmd, &reply, err);
    bson_destroy(cmd);
    if (!done)
        return false;
    const char *version = probe_text(&reply, "version");
    *ret = version != NULL ? (int)CLAMP(g_ascii_strtoll(version, NULL, 10), 0, 1000) : 0;
    bson_destroy(&reply);
    return true;
}

bool probe_registered(mongoc_client_t *client, const char *ns, const bson_t *min, bool *ret, struct err *err)
{
    g_autoptr(GPtrArray) docs = NULL;
    int major;
    if (!read_major(client, &major, err))
        return false;
    if (major >= MIGRATIONS_UNTIL) { /* what is there is forgotten */
        *ret = false;
        return true;
    }
    bson_t *filter = BCON_NEW("ns", BCON_UTF8(ns), "min", BCON_DOCUMENT(min));
    bool done = probe_find(client, "migrations", filter, NULL, 1, &docs, err);
    bson_destroy(filter);
    if (done)
        *ret = docs->len > 0;
    return done;
}

/* The newest entry that fits, or none; the filter is taken. */
static bool newest(mongoc_client_t *client, bson_t *filter, int64_t since_ms, GPtrArray **ret,
                   struct err *err)
{
    bson_t *sort = BCON_NEW("$natural", BCON_INT32(-1)); /* capped: the order of time */
    if (since_ms > 0)
        BCON_APPEND(filter, "time", "{", "$gte", BCON_DATE_TIME(since_ms), "}");
    bool done = probe_find(client, "changelog", filter, sort, 1, ret, err);
    bson_destroy(sort);
    bson_destroy(filter);
    return done;
}

static int64_t time_of(const bson_t *entry)
{
    bson_iter_t it;
    return bson_iter_init_find(&it, entry, "time") && BSON_ITER_HOLDS_DATE_TIME(&it)
               ? bson_iter_date_time(&it)
               : 0;
}

/* Whether the donor has begun another one since: then it is through with this one. */
static bool began_another(mongoc_client_t *client, const bson_t *min, const char *from, int64_t since_ms,
                          bool *ret, struct err *err)
{
    g_autoptr(GPtrArray) later = NULL;
    bson_t *filter = BCON_NEW("what", BCON_UTF8("moveChunk.start"), "details.from", BCON_UTF8(from),
                              "details.min", "{", "$ne", BCON_DOCUMENT(min), "}");
    if (!newest(client, filter, since_ms, &later, err))
        return false;
    *ret = later->len > 0;
    return true;
}

bool probe_changelog(mongoc_client_t *client, const char *ns, const bson_t *min, const char *from,
                     int64_t since_ms, enum probe_log *ret, struct err *err)
{
    g_autoptr(GPtrArray) own = NULL;
    bool another = false;
    bson_t *filter =
        BCON_NEW("ns", BCON_UTF8(ns), "details.min", BCON_DOCUMENT(min), "details.from", BCON_UTF8(from),
                 "what", "{", "$in", "[", BCON_UTF8("moveChunk.start"), BCON_UTF8("moveChunk.commit"),
                 BCON_UTF8("moveChunk.error"), BCON_UTF8("moveChunk.from"), "]", "}");
    if (!newest(client, filter, since_ms, &own, err))
        return false;
    const bson_t *entry = own->len > 0 ? own->pdata[0] : NULL;
    bool started = entry != NULL && g_strcmp0(probe_text(entry, "what"), "moveChunk.start") == 0;
    if (started && !began_another(client, min, from, time_of(entry) + 1, &another, err))
        return false;
    *ret = entry == NULL ? PROBE_LOG_SILENT : started && !another ? PROBE_LOG_STARTED : PROBE_LOG_ENDED;
    return true;
}
