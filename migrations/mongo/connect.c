// SPDX-License-Identifier: Apache-2.0
#include "migrations/mongo/connect.h"

#include "migrations/mongo/uri.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libmongoc, as it is loaded and before any code of ours runs, puts a page of counters into /dev/shm under a
 * name made of the process id, and warns on stderr where a killed process of the same id left one behind.
 * These two stand in for libc's in this program: the page is anonymous, nothing is left behind, and nobody
 * else can read it. */
int shm_open(const char *name, int flags, mode_t mode)
{
    (void)flags;
    (void)mode;
    return (int)syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */);
}

int shm_unlink(const char *name)
{
    (void)name;
    return 0;
}

/* Codes of the server. */
enum {
    CODE_UNAUTHORIZED = 13,
    CODE_AUTHENTICATION_FAILED = 18,
    CODE_MAX_TIME_EXPIRED = 50,
    CODE_MECHANISM_UNAVAILABLE = 334
};

void mongo_conn_free(mongo_conn *c)
{
    if (c == NULL)
        return;
    mongoc_client_destroy(c->client);
    mongoc_read_prefs_destroy(c->prefs);
    g_free(c->name);
    g_free(c->version);
    g_free(c);
}

const char *mongo_library_version(void)
{
    return mongoc_get_version();
}

/* libmongoc changes 17 and 13390, for instance. */
int64_t mongo_code(const bson_error_t *error, const bson_t *reply)
{
    bson_iter_t it;
    if (reply != NULL && bson_iter_init_find(&it, reply, "code") && BSON_ITER_HOLDS_NUMBER(&it))
        return bson_iter_as_int64(&it);
    return error->domain == MONGOC_ERROR_SERVER ? error->code : 0;
}

bool mongo_login_failed(const bson_error_t *error, int64_t code)
{
    return (error->domain == MONGOC_ERROR_CLIENT && error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE) ||
           error->domain == MONGOC_ERROR_SASL || error->domain == MONGOC_ERROR_SCRAM ||
           code == CODE_AUTHENTICATION_FAILED || code == CODE_MECHANISM_UNAVAILABLE;
}

bool mongo_broke(const bson_error_t *error)
{
    return error->domain == MONGOC_ERROR_STREAM || error->domain == MONGOC_ERROR_SERVER_SELECTION;
}

/* Of a login that fails no word of the server is passed on: it may name the user. */
bool mongo_failed(const mongo_conn *c, const char *what, const bson_error_t *error, const bson_t *reply,
                  struct err *err)
{
    int64_t code = mongo_code(error, reply);
    if (mongo_login_failed(error, code))
        return err_set(err, ERR_NO_PERMISSION,
                       "cannot log in to %s; check user, password, authSource and authMechanism in the URI",
                       c->name);
    if (code == CODE_UNAUTHORIZED)
        return err_set(err, ERR_NO_PERMISSION,
                       "not permitted to read %s on %s; give the user the role clusterMonitor on admin, or "
                       "name a user in the URI",
                       what, c->name);
    if (code == CODE_MAX_TIME_EXPIRED)
        return err_set(err, ERR_UNAVAILABLE,
                       "reading %s from %s took too long; try again when the config servers are less busy",
                       what, c->name);
    if (mongo_broke(error))
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot read %s from %s: %s; check that a mongos answers there, and TLS options", what,
                       c->name, error->message);
    if (code != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot read %s from %s: %s (code %" G_GINT64_FORMAT ")", what,
                       c->name, error->message, code);
    return err_set(err, ERR_UNAVAILABLE, "cannot read %s from %s: %s", what, c->name, error->message);
}

static bool run_admin(const mongo_conn *c, const char *command, bson_t *ret_reply, struct err *err)
{
    bson_error_t error;
    bson_t *cmd = BCON_NEW(command, BCON_INT32(1));
    bool done = mongoc_client_command_simple(c->client, "admin", cmd, NULL, ret_reply, &error);
    bson_destroy(cmd);
    if (done)
        return true;
    mongo_failed(c, command, &error, ret_reply, err);
    bson_destroy(ret_reply);
    return false;
}

static char *text_field(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    if (!bson_iter_init_find(&it, doc, name) || !BSON_ITER_HOLDS_UTF8(&it))
        return NULL;
    return g_strdup(bson_iter_utf8(&it, NULL));
}

/* isMaster rather than hello: every version knows it. */
static bool check_mongos(const mongo_conn *c, struct err *err)
{
    bson_t reply;
    if (!run_admin(c, "isMaster", &reply, err))
        return false;
    g_autofree char *msg = text_field(&reply, "msg");
    g_autofree char *set = text_field(&reply, "setName");
    bson_destroy(&reply);
    if (g_strcmp0(msg, "isdbgrid") == 0)
        return true;
    return err_set(
        err, ERR_UNAVAILABLE,
        "%s is not a mongos but %s%s; give the URI of a mongos, since only that sees the whole cluster",
        c->name, set == NULL ? "a mongod" : "a member of the replica set ", set == NULL ? "" : set);
}

static bool read_version(mongo_conn *c, struct err *err)
{
    bson_t reply;
    if (!run_admin(c, "buildInfo", &reply, err))
        return false;
    c->version = text_field(&reply, "version");
    bson_destroy(&reply);
    return c->version != NULL ||
           err_set(err, ERR_UNAVAILABLE, "%s answers buildInfo without a version; is it a mongos?", c->name);
}

/* What hinders, without the words around it: "... [connection refused calling hello on 'h:1']". */
static char *selection_reason(const char *message)
{
    const char *open = strchr(message, '['), *close = strrchr(message, ']');
    if (open == NULL || close == NULL || close <= open + 1)
        return g_strdup(message);
    return g_strndup(open + 1, (gsize)(close - open - 1));
}

static bool open_client(mongo_conn *c, const mongoc_uri_t *uri, struct err *err)
{
    bson_error_t error = {0};
    c->client = mongoc_client_new_from_uri_with_error(uri, &error);
    if (c->client == NULL)
        return err_set(err, ERR_UNAVAILABLE, "cannot connect to %s: %s", c->name, error.message);
    mongoc_client_set_error_api(c->client, MONGOC_ERROR_API_VERSION_2);
    mongoc_server_description_t *server = mongoc_client_select_server(c->client, false, NULL, &error);
    if (server != NULL) {
        mongoc_server_description_destroy(server);
        return true;
    }
    if (mongo_login_failed(&error, 0))
        return mongo_failed(c, "hello", &error, NULL, err);
    g_autofree char *reason = selection_reason(error.message);
    return err_set(err, ERR_UNAVAILABLE,
                   "cannot connect to %s: %s; check that a mongos runs there, the port, and TLS options",
                   c->name, reason);
}

bool mongo_connect(const char *text, mongoc_read_mode_t mode, mongo_conn **ret, struct err *err)
{
    mongoc_init();
    g_autoptr(mongoc_uri_t) uri = NULL;
    if (!uri_parse(text, &uri, err))
        return false;
    mongo_conn *c = g_new0(mongo_conn, 1);
    c->name = uri_shown_parsed(uri);
    c->prefs = mongoc_read_prefs_new(mode);
    if (open_client(c, uri, err) && check_mongos(c, err) && read_version(c, err)) {
        *ret = c;
        return true;
    }
    mongo_conn_free(c);
    return false;
}
