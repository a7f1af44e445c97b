// SPDX-License-Identifier: Apache-2.0
/* The way of a command: fail points, log-in, our own tables, the cluster's commands; then ok, cluster time,
 * the log. */
#include "sandbox/host.h"

#include "balancer/key/show.h"
#include "common/text.h"
#include "sandbox/docpath.h"
#include "sandbox/pipeline.h"

#include <string.h>

enum { STORE_MAX = 256 * 1024 * 1024 };

/* A command from its arrival to its reply. Those that wait stand in host.ops. */
struct op {
    host *h;
    struct client *client;
    int64_t id;
    bson_t *cmd;
    char *db, *name;
    host_reply_fn reply;
    void *user;
    void *timer;     /* what it waits for: a timer, */
    bson_t *ready;   /* with this answer, or (NULL) with the command still to run; */
    bool in_cluster; /* or the cluster */
    bool close;
    bson_t *write_concern_error;
    int64_t started_ms;
};

const char *const host_config_collections[] = {
    "actionlog", "changelog",  "chunks", "collections",      "databases", "lockpings",
    "locks",     "migrations", "mongos", "placementHistory", "ping",      "reshardingOperations",
    "settings",  "shards",     "tags",   "version",          NULL};

static const struct command *const tables[] = {commands_session, commands_query, commands_write,
                                               commands_catalog, commands_sizes, commands_ops};

/* Takes the operation out of whatever it still waits in. */
static void op_free(gpointer p)
{
    struct op *op = p;
    if (op->timer != NULL)
        op->h->clock.cancel(op->h->clock.host, op->timer);
    if (op->in_cluster)
        sb_cluster_forget(op->h->cluster, op);
    bson_destroy(op->cmd);
    if (op->ready != NULL)
        bson_destroy(op->ready);
    if (op->write_concern_error != NULL)
        bson_destroy(op->write_concern_error);
    g_free(op->db);
    g_free(op->name);
    g_free(op);
}

host *host_new(const struct sb_options *options, const struct sb_clock *clock)
{
    host *h = g_new0(host, 1);
    h->options = *options;
    h->clock = *clock;
    h->cluster = sb_cluster_new(options, clock);
    h->store = store_new(STORE_MAX);
    h->cursors = cursors_new(options->seed);
    h->failpoints = failpoints_new();
    h->ops = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, op_free);
    h->clients = g_hash_table_new(NULL, NULL);
    h->speed = 1;
    h->started_ms = host_now(h);
    bson_oid_init(&h->process_id, NULL);
    return h;
}

/* Operations first: they stand in the cluster and in timers. The callers of those are gone, and get no reply.
 */
void host_free(host *h)
{
    if (h == NULL)
        return;
    GHashTableIter it;
    gpointer client;
    g_hash_table_unref(h->ops);
    g_hash_table_iter_init(&it, h->clients);
    while (g_hash_table_iter_next(&it, &client, NULL)) {
        g_hash_table_iter_remove(&it);
        auth_session_clear(&((struct client *)client)->auth);
        g_free(((struct client *)client)->address);
        g_free(client);
    }
    g_hash_table_unref(h->clients);
    sb_cluster_free(h->cluster);
    store_free(h->store);
    cursors_free(h->cursors);
    failpoints_free(h->failpoints);
    auth_free(h->auth);
    g_free(h->address);
    g_free(h);
}

struct client *host_client_new(host *h, const char *address)
{
    struct client *client = g_new0(struct client, 1);
    client->id = ++h->next_client;
    client->address = g_strdup(address);
    g_hash_table_add(h->clients, client);
    return client;
}

static gboolean belongs_to(gpointer key, gpointer op, gpointer client)
{
    (void)key;
    return ((struct op *)op)->client == client;
}

/* What it asked for goes on in the cluster; nobody is told. */
void host_client_gone(host *h, struct client *client)
{
    g_hash_table_foreach_remove(h->ops, belongs_to, client);
    g_hash_table_remove(h->clients, client);
    auth_session_clear(&client->auth);
    g_free(client->address);
    g_free(client);
}

int64_t host_now(const host *h)
{
    return h->clock.now_ms(h->clock.host);
}

int64_t host_waited(const host *h)
{
    return (int64_t)((double)(host_now(h) - h->started_ms) / h->speed);
}

bool host_since(const host *h, int major, int minor)
{
    return h->options.version_major > major ||
           (h->options.version_major == major && h->options.version_minor >= minor);
}

/* Versions that never were in the list count as the newest one below them. */
int host_max_wire_version(const host *h)
{
    static const struct {
        int major, minor, wire;
    } versions[] = {{8, 2, 27}, {8, 1, 26}, {8, 0, 25}, {7, 3, 24}, {7, 2, 23}, {7, 1, 22},
                    {7, 0, 21}, {6, 3, 20}, {6, 2, 19}, {6, 1, 18}, {6, 0, 17}, {5, 3, 16},
                    {5, 2, 15}, {5, 1, 14}, {5, 0, 13}, {4, 4, 9}};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        if (host_since(h, versions[i].major, versions[i].minor))
            return versions[i].wire;
    return 8;
}

bool host_owned_by_cluster(host *h, const char *db, const char *collection)
{
    return strcmp(db, "config") == 0 && sb_cluster_docs(h->cluster, collection) != NULL;
}

/* The cluster's collections hide ordinary ones of the same name. */
const GPtrArray *host_docs(host *h, const char *db, const char *collection)
{
    const GPtrArray *docs = strcmp(db, "config") == 0 ? sb_cluster_docs(h->cluster, collection) : NULL;
    g_autofree char *ns = g_strconcat(db, ".", collection, NULL);
    return docs != NULL ? docs : store_docs(h->store, ns);
}

/* Tombstones of 4.x (dropped: true) are not collections. */
const bson_t *host_sharded(host *h, const char *ns)
{
    const GPtrArray *collections = sb_cluster_docs(h->cluster, "collections");
    for (guint i = 0; collections != NULL && i < collections->len; i++) {
        const char *id = doc_get_text(collections->pdata[i], "_id");
        if (id != NULL && strcmp(id, ns) == 0 && !doc_get_bool(collections->pdata[i], "dropped", false))
            return collections->pdata[i];
    }
    return NULL;
}

/* By name up to 4.4, by uuid since; uuids are compared as bytes, as there may be a million chunks. */
bool host_chunk_of(const bson_t *chunk, const bson_t *coll)
{
    bson_iter_t a, b;
    const char *ns = doc_get_text(chunk, "ns"), *id = doc_get_text(coll, "_id");
    if (ns != NULL && id != NULL)
        return strcmp(ns, id) == 0;
    if (!doc_get(chunk, "uuid", &a) || !doc_get(coll, "uuid", &b) || !BSON_ITER_HOLDS_BINARY(&a) ||
        !BSON_ITER_HOLDS_BINARY(&b))
        return false;
    const uint8_t *data_a, *data_b;
    uint32_t len_a, len_b;
    bson_iter_binary(&a, NULL, &len_a, &data_a);
    bson_iter_binary(&b, NULL, &len_b, &data_b);
    return len_a == len_b && memcmp(data_a, data_b, len_a) == 0;
}

char *host_shown(const bson_t *doc)
{
    g_autoptr(GString) out = g_string_new(NULL);
    key_show(out, doc, 0);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

void append_count(bson_t *out, const char *name, int64_t n)
{
    if (n <= INT32_MAX && n >= INT32_MIN)
        bson_append_int32(out, name, -1, (int32_t)n);
    else
        bson_append_int64(out, name, -1, n);
}

const char *call_collection(struct call *c, struct fault *f)
{
    const char *name = BSON_ITER_HOLDS_UTF8(&c->first) ? bson_iter_utf8(&c->first, NULL) : NULL;
    if (name == NULL)
        fault_say(f, SB_INVALID_NAMESPACE, "collection name has invalid type %s",
                  value_type_name(bson_iter_type(&c->first)));
    if (name != NULL && (name[0] == '\0' || name[0] == '.' || strlen(name) > 255))
        name = NULL;
    if (name == NULL && f->message == NULL)
        fault_say(f, SB_INVALID_NAMESPACE, "Invalid namespace specified '%s.'", c->db);
    return name;
}

/* The texts are the server's, which changed with its parser in 5.0. */
bool call_document(const struct call *c, const char *name, bson_t *ret, struct fault *f)
{
    static const uint8_t empty[] = {5, 0, 0, 0, 0};
    bson_iter_t it;
    if (!doc_get(c->cmd, name, &it) || BSON_ITER_HOLDS_NULL(&it))
        return bson_init_static(ret, empty, sizeof empty);
    if (BSON_ITER_HOLDS_DOCUMENT(&it))
        return doc_under(&it, ret);
    if (host_since(c->h, 5, 0))
        return fault_say(f, SB_TYPE_MISMATCH,
                         "BSON field '%s.%s' is the wrong type '%s', expected type 'object'", c->name, name,
                         value_type_name(bson_iter_type(&it)));
    return fault_say(f, SB_FAILED_TO_PARSE, "Failed to parse: %s: Expected field '%s' to be of type object",
                     c->name, name);
}

static const struct command *find_command(const host *h, const char *name)
{
    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++)
        for (const struct command *cmd = tables[t]; cmd->name != NULL; cmd++)
            if (strcmp(cmd->name, name) == 0 && host_since(h, cmd->since / 100, cmd->since % 100))
                return cmd;
    return NULL;
}

/* Cluster time moves with the clock, and by one at least with each reply. */
static void append_times(host *h, bson_t *reply)
{
    static const uint8_t no_hash[20] = {0};
    bson_t time, signature;
    uint32_t now_s = (uint32_t)(host_now(h) / 1000);
    h->time_n = now_s > h->time_s ? 1 : h->time_n + 1;
    h->time_s = MAX(h->time_s, now_s);
    if (!bson_has_field(reply, "operationTime"))
        bson_append_timestamp(reply, "operationTime", -1, h->time_s, h->time_n);
    if (bson_has_field(reply, "$clusterTime"))
        return;
    bson_append_document_begin(reply, "$clusterTime", -1, &time);
    bson_append_timestamp(&time, "clusterTime", -1, h->time_s, h->time_n);
    bson_append_document_begin(&time, "signature", -1, &signature);
    bson_append_binary(&signature, "hash", -1, BSON_SUBTYPE_BINARY, no_hash, sizeof no_hash);
    bson_append_int64(&signature, "keyId", -1, 0);
    bson_append_document_end(&time, &signature);
    bson_append_document_end(reply, &time);
}

/* The command's first field only: what else it holds may be secret, or large. */
static void log_command(const struct op *op, const bson_t *reply)
{
    host *h = op->h;
    bson_iter_t it;
    if (h->log == NULL)
        return;
    g_autofree char *when = text_iso8601(host_now(h));
    g_autoptr(GString) line = g_string_new(when);
    g_string_append_printf(line, " client %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "ms ", op->client->id,
                           host_now(h) - op->started_ms);
    text_append_escaped(line, op->db, -1);
    g_string_append_c(line, ' ');
    text_append_escaped(line, op->name, -1);
    if (bson_iter_init(&it, op->cmd) && bson_iter_next(&it) && BSON_ITER_HOLDS_UTF8(&it)) {
        g_string_append_c(line, ' ');
        text_append_escaped(line, bson_iter_utf8(&it, NULL), -1);
    }
    bool ok = reply != NULL && doc_get_bool(reply, "ok", false);
    g_string_append(line, reply == NULL ? " dropped" : ok ? " ok" : " error ");
    if (reply != NULL && !ok) {
        g_string_append_printf(line, "%" G_GINT64_FORMAT " ", doc_get_int(reply, "code", 0));
        text_append_escaped(line, doc_get_text(reply, "errmsg") == NULL ? "" : doc_get_text(reply, "errmsg"),
                            -1);
    }
    g_string_append_c(line, '\n');
    fputs(line->str, h->log);
    fflush(h->log);
}

/* Replies, and ends the operation. `reply` NULL: the connection is dropped. */
static void settle(struct op *op, const bson_t *reply)
{
    bson_t *whole = reply == NULL ? NULL : bson_copy(reply);
    host *h = op->h;
    if (whole != NULL && op->write_concern_error != NULL && !bson_has_field(whole, "writeConcernError"))
        bson_append_document(whole, "writeConcernError", -1, op->write_concern_error);
    if (whole != NULL)
        append_times(h, whole);
    log_command(op, whole);
    host_reply_fn fn = op->reply;
    void *user = op->user;
    bool close = op->close;
    g_hash_table_steal(h->ops, &op->id);
    op_free(op);
    fn(user, whole, close);
    if (whole != NULL)
        bson_destroy(whole);
}

static void settle_fault(struct op *op, struct fault *f)
{
    bson_t reply = BSON_INITIALIZER;
    fault_append(f, &reply);
    fault_clear(f);
    settle(op, &reply);
    bson_destroy(&reply);
}

static void cluster_replied(void *user, const bson_t *reply)
{
    struct op *op = user;
    op->in_cluster = false;
    /* How the cluster loses a reply: the mongos that would give it dies. */
    settle(op, doc_get_bool(reply, "$evenkeelDropConnection", false) ? NULL : reply);
}

static void timer_fired(void *user);

/* Waits as long as the client does: its clock is not the accelerated one. */
static void *wait_real(struct op *op, int64_t ms, void (*fn)(void *user))
{
    return op->h->clock.after(op->h->clock.host, (int64_t)((double)ms * op->h->speed), fn, op);
}

/* Runs one of our own commands, and replies now or when its delay is over. */
static void run_own(struct op *op, const struct command *cmd)
{
    struct call c = {.h = op->h,
                     .client = op->client,
                     .db = op->db,
                     .name = op->name,
                     .cmd = op->cmd,
                     .op = op->id,
                     .close = false};
    struct fault f = {0};
    bson_t reply = BSON_INITIALIZER;
    bson_iter_init(&c.first, op->cmd);
    bson_iter_next(&c.first);
    bool fine = cmd->run(&c, &reply, &f);
    if (fine && !bson_has_field(&reply, "ok"))
        bson_append_double(&reply, "ok", -1, 1);
    op->close = c.close;
    if (!fine) {
        settle_fault(op, &f);
    } else if (c.delay_ms > 0) {
        op->ready = bson_copy(&reply);
        op->timer = wait_real(op, c.delay_ms, timer_fired);
    } else {
        settle(op, &reply);
    }
    bson_destroy(&reply);
}

static bool not_found(const struct op *op, struct fault *f)
{
    return host_since(op->h, 4, 4) ? fault_say(f, SB_COMMAND_NOT_FOUND, "no such command: '%s'", op->name)
                                   : fault_say(f, SB_COMMAND_NOT_FOUND, "no such cmd: %s", op->name);
}

/* The reply may come at once and end the operation, so the command is kept alive for the call. */
static void run_in_cluster(struct op *op)
{
    bson_t *cmd = bson_copy(op->cmd);
    g_autofree char *db = g_strdup(op->db);
    sb_cluster_run(op->h->cluster, db, cmd, op->id, cluster_replied, op);
    bson_destroy(cmd);
}

void host_drop_ordinary(host *h, const char *db)
{
    g_autoptr(GPtrArray) names = store_names(h->store, db);
    for (guint i = 0; i < names->len; i++)
        store_drop(h->store, names->pdata[i]);
}

/* Whether it drops what is sharded. */
static bool drops_sharded(const struct op *op)
{
    const GPtrArray *collections = sb_cluster_docs(op->h->cluster, "collections");
    bool database = strcmp(op->name, "dropDatabase") == 0;
    const char *name = strcmp(op->name, "drop") == 0 ? doc_get_text(op->cmd, op->name) : NULL;
    if (!database && name == NULL)
        return false;
    g_autofree char *ns = g_strconcat(op->db, ".", name, NULL);
    for (guint i = 0; database && collections != NULL && i < collections->len; i++) {
        const char *id = doc_get_text(collections->pdata[i], "_id");
        if (id != NULL && g_str_has_prefix(id, ns))
            return true;
    }
    return !database && host_sharded(op->h, ns) != NULL;
}

/* Whether it is about a fail point inside the cluster: its name is not ours. */
static bool asks_cluster_fail_point(const struct op *op)
{
    const char *point = strcmp(op->name, "configureFailPoint") == 0 ? doc_get_text(op->cmd, op->name) : NULL;
    return point != NULL && strcmp(point, "failCommand") != 0;
}

/* Who is not logged in learns nothing but what a greeting tells; unknown commands are unknown to everybody.
 */
static void run_op(struct op *op)
{
    host *h = op->h;
    struct fault f = {0};
    const struct command *cmd = find_command(h, op->name);
    bool in_cluster = sb_cluster_has_command(h->cluster, op->name);
    if (in_cluster && (asks_cluster_fail_point(op) || drops_sharded(op))) {
        if (strcmp(op->name, "dropDatabase") == 0)
            host_drop_ordinary(h, op->db);
        cmd = NULL;
    }
    bool open = cmd != NULL && (cmd->flags & COMMAND_NO_AUTH) != 0;
    if (h->auth != NULL && !op->client->auth.logged_in && !open && (cmd != NULL || in_cluster)) {
        fault_say(&f, SB_UNAUTHORIZED, "command %s requires authentication", op->name);
    } else if (cmd == NULL && !in_cluster) {
        not_found(op, &f);
    } else if (cmd != NULL && (cmd->flags & COMMAND_ADMIN) != 0 && strcmp(op->db, "admin") != 0) {
        fault_say(&f, SB_UNAUTHORIZED, "%s may only be run against the admin database.", op->name);
    } else if (cmd != NULL) {
        run_own(op, cmd);
        return;
    } else {
        op->in_cluster = true;
        run_in_cluster(op);
        return;
    }
    settle_fault(op, &f);
}

static void timer_fired(void *user)
{
    struct op *op = user;
    op->timer = NULL;
    if (op->ready == NULL) {
        run_op(op);
        return;
    }
    bson_t *ready = g_steal_pointer(&op->ready);
    settle(op, ready);
    bson_destroy(ready);
}

/* With the error of the fail point, or (no reply) by dropping the connection. */
static void answer_failure(void *user)
{
    struct op *op = user;
    op->timer = NULL;
    bson_t *ready = g_steal_pointer(&op->ready);
    settle(op, ready);
    if (ready != NULL)
        bson_destroy(ready);
}

/* A fail point: block, then fail, drop the connection, or go on. */
static void strike(struct op *op, struct failure *x)
{
    op->write_concern_error = g_steal_pointer(&x->write_concern_error);
    bool fails = x->close || x->reply != NULL;
    if (x->close)
        g_clear_pointer(&x->reply, bson_destroy);
    op->ready = g_steal_pointer(&x->reply);
    if (x->block_ms > 0)
        op->timer = wait_real(op, x->block_ms, fails ? answer_failure : timer_fired);
    else if (fails)
        answer_failure(op);
    else
        run_op(op);
}

static struct op *op_new(host *h, struct client *client, const char *db, const bson_t *cmd, const char *name)
{
    struct op *op = g_new0(struct op, 1);
    op->h = h;
    op->client = client;
    op->id = ++h->next_op;
    op->cmd = bson_copy(cmd);
    op->db = g_strdup(db == NULL ? "" : db);
    op->name = g_strdup(name);
    op->started_ms = host_now(h);
    g_hash_table_insert(h->ops, &op->id, op);
    h->n_commands++;
    return op;
}

/* A database's name must be one that files could be named after: the server's rule. */
void host_run(host *h, struct client *client, const char *db, const bson_t *cmd, host_reply_fn reply,
              void *user)
{
    bson_iter_t it;
    struct fault f = {0};
    bool named = bson_iter_init(&it, cmd) && bson_iter_next(&it);
    bool missing_db = db == NULL && doc_get_text(cmd, "$db") == NULL;
    struct op *op =
        op_new(h, client, db != NULL ? db : doc_get_text(cmd, "$db"), cmd, named ? bson_iter_key(&it) : "");
    op->reply = reply;
    op->user = user;
    if (missing_db || op->db[0] == '\0' || strpbrk(op->db, "/\\. \"$") != NULL) {
        if (missing_db)
            fault_say(&f, 40571, "OP_MSG requests require a $db argument");
        else
            fault_say(&f, SB_INVALID_NAMESPACE, "Invalid database name: '%s'", op->db);
        settle_fault(op, &f);
        return;
    }
    struct failure x;
    failpoints_ask(h->failpoints, op->name, &x);
    if (x.strikes && strcmp(op->name, "configureFailPoint") != 0)
        strike(op, &x);
    else
        run_op(op);
    failure_clear(&x);
}

void host_refuse(host *h, const struct fault *f, host_reply_fn reply, void *user)
{
    bson_t doc = BSON_INITIALIZER;
    fault_append(f, &doc);
    append_times(h, &doc);
    reply(user, &doc, false);
    bson_destroy(&doc);
}

/* Like the server's own, as far as tools look: who, since when, which command. */
static bson_t *describe(const struct op *op, int64_t now)
{
    bson_t *doc = bson_new();
    g_autofree char *desc = g_strdup_printf("conn%" G_GINT64_FORMAT, op->client->id);
    bson_append_utf8(doc, "type", -1, "op", -1);
    bson_append_utf8(doc, "desc", -1, desc, -1);
    bson_append_int64(doc, "connectionId", -1, op->client->id);
    bson_append_utf8(doc, "client", -1, op->client->address, -1);
    bson_append_bool(doc, "active", -1, true);
    bson_append_int64(doc, "opid", -1, op->id);
    bson_append_int64(doc, "secs_running", -1, (now - op->started_ms) / 1000);
    bson_append_int64(doc, "microsecs_running", -1, (now - op->started_ms) * 1000);
    bson_append_utf8(doc, "op", -1, "command", -1);
    g_autofree char *ns = g_strconcat(op->db, ".$cmd", NULL);
    bson_append_utf8(doc, "ns", -1, ns, -1);
    bson_append_document(doc, "command", -1, op->cmd);
    return doc;
}

static gint by_id(gconstpointer a, gconstpointer b)
{
    int64_t x = doc_get_int(*(bson_t *const *)a, "opid", 0), y = doc_get_int(*(bson_t *const *)b, "opid", 0);
    return x < y ? -1 : x > y;
}

/* Ours first, then those inside the cluster, which mongos would have gathered from the shards. */
GPtrArray *host_current_ops(host *h)
{
    GPtrArray *out = docs_new();
    GHashTableIter it;
    gpointer op;
    g_hash_table_iter_init(&it, h->ops);
    while (g_hash_table_iter_next(&it, NULL, &op))
        g_ptr_array_add(out, describe(op, host_now(h)));
    g_ptr_array_sort(out, by_id);
    g_autoptr(GPtrArray) theirs = sb_cluster_current_ops(h->cluster);
    for (guint i = 0; theirs != NULL && i < theirs->len; i++)
        g_ptr_array_add(out, bson_copy(theirs->pdata[i]));
    return out;
}
