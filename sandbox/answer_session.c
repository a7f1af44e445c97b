// SPDX-License-Identifier: Apache-2.0
/* Greeting, log-in, sessions, and what a server tells about itself. */
#include "sandbox/docpath.h"
#include "sandbox/host.h"
#include "sandbox/wire.h"

#include <string.h>
#include <unistd.h>

enum { MAX_AWAIT_MS = 600000 };

static void append_topology_version(const host *h, bson_t *reply)
{
    bson_t version;
    bson_append_document_begin(reply, "topologyVersion", -1, &version);
    bson_append_oid(&version, "processId", -1, &h->process_id);
    bson_append_int64(&version, "counter", -1, 0);
    bson_append_document_end(reply, &version);
}

/* Clients that know our topology version ask to be told of the next one; there is none, so the time they give
 * passes. */
static bool await_change(struct call *c, struct fault *f)
{
    bson_iter_t it;
    bson_t version;
    int64_t wait = doc_get_int(c->cmd, "maxAwaitTimeMS", -1);
    if (!host_since(c->h, 4, 4) || !doc_get(c->cmd, "topologyVersion", &it))
        return true;
    if (wait < 0)
        return fault_say(f, 31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'");
    if (!BSON_ITER_HOLDS_DOCUMENT(&it) || !doc_under(&it, &version) || !doc_get(&version, "processId", &it))
        return fault_say(f, SB_TYPE_MISMATCH, "'topologyVersion' must be a document with a processId");
    if (BSON_ITER_HOLDS_OID(&it) && bson_oid_equal(bson_iter_oid(&it), &c->h->process_id))
        c->delay_ms = MIN(wait, MAX_AWAIT_MS);
    return true;
}

/* What makes a driver take us for a mongos is `msg`; there is no setName, and every node is writable. */
static bool greet(struct call *c, bson_t *reply, struct fault *f)
{
    const host *h = c->h;
    bool hello = strcmp(c->name, "hello") == 0;
    const char *user = doc_get_text(c->cmd, "saslSupportedMechs");
    bson_append_bool(reply, hello ? "isWritablePrimary" : "ismaster", -1, true);
    if (!hello && doc_get_bool(c->cmd, "helloOk", false) && host_since(h, 4, 4))
        bson_append_bool(reply, "helloOk", -1, true);
    bson_append_utf8(reply, "msg", -1, "isdbgrid", -1);
    if (host_since(h, 4, 4))
        append_topology_version(h, reply);
    bson_append_int32(reply, "maxBsonObjectSize", -1, WIRE_DOCUMENT_MAX);
    bson_append_int32(reply, "maxMessageSizeBytes", -1, WIRE_MESSAGE_MAX);
    bson_append_int32(reply, "maxWriteBatchSize", -1, 100000);
    bson_append_date_time(reply, "localTime", -1, host_now(h));
    bson_append_int32(reply, "logicalSessionTimeoutMinutes", -1, 30);
    bson_append_int32(reply, "connectionId", -1, (int32_t)c->client->id);
    bson_append_int32(reply, "maxWireVersion", -1, host_max_wire_version(h));
    bson_append_int32(reply, "minWireVersion", -1, 0);
    if (user != NULL && h->auth != NULL) {
        g_autofree char *full = g_strconcat("admin.", auth_user(h->auth), NULL);
        bson_t list;
        bson_append_array_begin(reply, "saslSupportedMechs", -1, &list);
        if (strcmp(user, full) == 0)
            bson_append_utf8(&list, "0", -1, "SCRAM-SHA-256", -1);
        bson_append_array_end(reply, &list);
    }
    return await_change(c, f);
}

static bool nothing(struct call *c, bson_t *reply, struct fault *f)
{
    (void)c, (void)reply, (void)f;
    return true;
}

static bool is_db_grid(struct call *c, bson_t *reply, struct fault *f)
{
    (void)c, (void)f;
    bson_append_int32(reply, "isdbgrid", -1, 1);
    return bson_append_utf8(reply, "hostname", -1, "sandbox", -1);
}

static char *version_text(const host *h)
{
    return g_strdup_printf("%d.%d.%d", h->options.version_major, h->options.version_minor,
                           h->options.version_patch);
}

/* No build environment is made up beyond what drivers parse. */
static bool build_info(struct call *c, bson_t *reply, struct fault *f)
{
    g_autofree char *version = version_text(c->h);
    (void)f;
    BCON_APPEND(reply, "version", version, "gitVersion", "sandbox", "modules", "[", "]", "allocator",
                "system", "javascriptEngine", "none", "sysInfo", "deprecated", "versionArray", "[",
                BCON_INT32(c->h->options.version_major), BCON_INT32(c->h->options.version_minor),
                BCON_INT32(c->h->options.version_patch), BCON_INT32(0), "]", "openssl", "{", "running",
                "disabled", "compiled", "disabled", "}", "buildEnvironment", "{", "distmod", "", "distarch",
                "x86_64", "target_os", "linux", "}", "bits", BCON_INT32(64), "debug", BCON_BOOL(false),
                "maxBsonObjectSize", BCON_INT32(WIRE_DOCUMENT_MAX));
    return true;
}

/* featureCompatibilityVersion is deliberately not here: a mongos does not know it. */
static bool get_parameter(struct call *c, bson_t *reply, struct fault *f)
{
    bool all = BSON_ITER_HOLDS_UTF8(&c->first) && strcmp(bson_iter_utf8(&c->first, NULL), "*") == 0;
    bool any = all;
    if (all || bson_has_field(c->cmd, "authenticationMechanisms")) {
        BCON_APPEND(reply, "authenticationMechanisms", "[", "SCRAM-SHA-256", "]");
        any = true;
    }
    if (all || bson_has_field(c->cmd, "logLevel"))
        any = bson_append_int32(reply, "logLevel", -1, 0);
    if (all || bson_has_field(c->cmd, "quiet"))
        any = bson_append_bool(reply, "quiet", -1, false);
    if (all || bson_has_field(c->cmd, "enableTestCommands"))
        any = bson_append_bool(reply, "enableTestCommands", -1, true);
    return any || fault_say(f, host_since(c->h, 4, 4) ? SB_INVALID_OPTIONS : 0, "no option found to get");
}

static bool server_status(struct call *c, bson_t *reply, struct fault *f)
{
    g_autofree char *version = version_text(c->h);
    const int64_t up = host_now(c->h) - c->h->started_ms, seconds = up / 1000;
    (void)f;
    BCON_APPEND(reply, "host", c->h->address == NULL ? "sandbox" : c->h->address, "version", version,
                "process", "mongos", "pid", BCON_INT64(getpid()), "uptime", BCON_DOUBLE((double)seconds),
                "uptimeMillis", BCON_INT64(up), "localTime", BCON_DATE_TIME(host_now(c->h)), "connections",
                "{", "current", BCON_INT32((int32_t)g_hash_table_size(c->h->clients)), "totalCreated",
                BCON_INT64(c->h->next_client), "}", "metrics", "{", "cursor", "{", "open", "{", "total",
                BCON_INT64(cursors_open(c->h->cursors)), "}", "}", "commands", "{", "total",
                BCON_INT64((int64_t)c->h->n_commands), "}", "}");
    return true;
}

/* Whoever is logged in may do everything: the sandbox has no roles. */
static bool connection_status(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t info, list, one;
    bool in = c->h->auth != NULL && c->client->auth.logged_in;
    (void)f;
    bson_append_document_begin(reply, "authInfo", -1, &info);
    bson_append_array_begin(&info, "authenticatedUsers", -1, &list);
    if (in) {
        bson_append_document_begin(&list, "0", -1, &one);
        BCON_APPEND(&one, "user", auth_user(c->h->auth), "db", "admin");
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&info, &list);
    bson_append_array_begin(&info, "authenticatedUserRoles", -1, &list);
    if (in) {
        bson_append_document_begin(&list, "0", -1, &one);
        BCON_APPEND(&one, "role", "root", "db", "admin");
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&info, &list);
    if (doc_get_bool(c->cmd, "showPrivileges", false)) {
        bson_append_array_begin(&info, "authenticatedUserPrivileges", -1, &list);
        bson_append_array_end(&info, &list);
    }
    return bson_append_document_end(reply, &info);
}

static bool whats_my_uri(struct call *c, bson_t *reply, struct fault *f)
{
    (void)f;
    return bson_append_utf8(reply, "you", -1, c->client->address, -1);
}

static bool command_line(struct call *c, bson_t *reply, struct fault *f)
{
    (void)c, (void)f;
    BCON_APPEND(reply, "argv", "[", "mongos", "]", "parsed", "{", "}");
    return true;
}

static bool get_log(struct call *c, bson_t *reply, struct fault *f)
{
    (void)c, (void)reply;
    return fault_say(f, SB_NOT_SUPPORTED, "the sandbox keeps no log to ask for; start it with --log FILE");
}

static bool host_info(struct call *c, bson_t *reply, struct fault *f)
{
    (void)f;
    BCON_APPEND(reply, "system", "{", "currentTime", BCON_DATE_TIME(host_now(c->h)), "hostname", "sandbox",
                "cpuAddrSize", BCON_INT32(64), "}", "os", "{", "type", "Linux", "}", "extra", "{", "}");
    return true;
}

/* Tools tell a mongos by this refusal; it has carried no code for most of its life. */
static bool repl_status(struct call *c, bson_t *reply, struct fault *f)
{
    (void)c, (void)reply;
    fault_say(f, 0, "replSetGetStatus is not supported through mongos");
    f->details = BCON_NEW("info", "mongos");
    return false;
}

/* An id is all there is to a session here: nothing is kept for it. */
static bool start_session(struct call *c, bson_t *reply, struct fault *f)
{
    bson_t id;
    uint8_t uuid[16];
    bson_oid_t a, b;
    (void)c, (void)f;
    bson_oid_init(&a, NULL);
    bson_oid_init(&b, NULL);
    memcpy(uuid, a.bytes, 12);
    memcpy(uuid + 12, b.bytes + 8, 4);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    bson_append_document_begin(reply, "id", -1, &id);
    bson_append_binary(&id, "id", -1, BSON_SUBTYPE_UUID, uuid, sizeof uuid);
    bson_append_document_end(reply, &id);
    return bson_append_int32(reply, "timeoutMinutes", -1, 30);
}

static bool sasl_start(struct call *c, bson_t *reply, struct fault *f)
{
    return auth_start(c->h->auth, &c->client->auth, c->cmd, reply, f);
}

static bool sasl_continue(struct call *c, bson_t *reply, struct fault *f)
{
    return auth_continue(c->h->auth, &c->client->auth, c->cmd, reply, f);
}

static bool log_out(struct call *c, bson_t *reply, struct fault *f)
{
    (void)reply, (void)f;
    auth_session_clear(&c->client->auth);
    return true;
}

/* Names other than failCommand reach the cluster before this is asked. */
static bool configure_fail_point(struct call *c, bson_t *reply, struct fault *f)
{
    const char *name = BSON_ITER_HOLDS_UTF8(&c->first) ? bson_iter_utf8(&c->first, NULL) : "";
    int64_t count;
    if (strcmp(name, "failCommand") != 0)
        return fault_say(f, 266, "%s not found", name);
    if (!failpoints_configure(c->h->failpoints, c->cmd, &count, f))
        return false;
    if (host_since(c->h, 4, 4))
        append_count(reply, "count", count);
    return true;
}

const struct command commands_session[] = {
    {"hello", greet, COMMAND_NO_AUTH, 0},
    {"isMaster", greet, COMMAND_NO_AUTH, 0},
    {"ismaster", greet, COMMAND_NO_AUTH, 0},
    {"ping", nothing, COMMAND_NO_AUTH, 0},
    {"buildInfo", build_info, COMMAND_NO_AUTH, 0},
    {"buildinfo", build_info, COMMAND_NO_AUTH, 0},
    {"isdbgrid", is_db_grid, COMMAND_NO_AUTH, 0},
    {"whatsmyuri", whats_my_uri, COMMAND_NO_AUTH, 0},
    {"connectionStatus", connection_status, COMMAND_NO_AUTH, 0},
    {"saslStart", sasl_start, COMMAND_NO_AUTH, 0},
    {"saslContinue", sasl_continue, COMMAND_NO_AUTH, 0},
    {"logout", log_out, COMMAND_NO_AUTH, 0},
    {"endSessions", nothing, COMMAND_NO_AUTH, 0},
    {"startSession", start_session, 0, 0},
    {"refreshSessions", nothing, 0, 0},
    {"killSessions", nothing, 0, 0},
    {"killAllSessions", nothing, 0, 0},
    {"getParameter", get_parameter, COMMAND_ADMIN, 0},
    {"serverStatus", server_status, 0, 0},
    {"getCmdLineOpts", command_line, COMMAND_ADMIN, 0},
    {"getLog", get_log, COMMAND_ADMIN, 0},
    {"hostInfo", host_info, 0, 0},
    {"replSetGetStatus", repl_status, COMMAND_ADMIN, 0},
    {"configureFailPoint", configure_fail_point, COMMAND_ADMIN, 0},
    {NULL, NULL, 0, 0},
};
