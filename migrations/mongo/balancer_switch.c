// SPDX-License-Identifier: Apache-2.0
#include "migrations/mongo/balancer_switch.h"

#include "common/escape.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/probe_private.h"

#include <string.h>

enum { CODE_UNAUTHORIZED = 13 };

bool balancer_status(mongoc_client_t *client, struct balancer_status *ret, struct err *err)
{
    bson_t reply;
    bson_iter_t it;
    bson_t *cmd = BCON_NEW("balancerStatus", BCON_INT32(1));
    bool done = probe_command(client, cmd, &reply, err);
    bson_destroy(cmd);
    if (!done)
        return false;
    struct balancer_status found = {0};
    const char *mode = probe_text(&reply, "mode");
    g_autofree char *shown = mode != NULL ? text_escaped(mode) : NULL;
    if (shown != NULL)
        g_strlcpy(found.mode, shown, sizeof(found.mode));
    found.migrates = g_strcmp0(mode, "full") == 0;
    found.in_round = bson_iter_init_find(&it, &reply, "inBalancerRound") && bson_iter_as_bool(&it);
    bson_destroy(&reply);
    if (mode == NULL) {
        g_autofree char *name = probe_name(client);
        return err_set(err, ERR_UNAVAILABLE, "%s answers balancerStatus without a mode; is it a mongos?",
                       name);
    }
    *ret = found;
    return true;
}

/* Of a command that changes the switch; reading it asks for less. */
static bool switch_failed(mongoc_client_t *client, const char *command, const bson_t *reply,
                          const bson_error_t *error, struct err *err)
{
    bson_iter_t it;
    g_autofree char *name = probe_name(client);
    const mongo_conn c = {.client = client, .name = name};
    if (bson_iter_init_find(&it, reply, "code") && bson_iter_as_int64(&it) == CODE_UNAUTHORIZED)
        return err_set(err, ERR_NO_PERMISSION,
                       "not permitted to run %s on %s; give the user the role clusterManager on admin",
                       command, name);
    return mongo_failed(&c, command, error, reply, err);
}

static bool run_switch(mongoc_client_t *client, const bson_t *cmd, const char *command, struct err *err)
{
    bson_t reply;
    bson_error_t error;
    bool done = mongoc_client_command_simple(client, "admin", cmd, NULL, &reply, &error);
    if (!done)
        switch_failed(client, command, &reply, &error, err);
    bson_destroy(&reply);
    return done;
}

/* Whatever the command said: a stop that runs out of time, or whose reply is lost, has been written before it
 * waits. */
bool balancer_stop(mongoc_client_t *client, int64_t timeout_ms, struct err *err)
{
    struct err why = {0};
    struct balancer_status now;
    bson_t *cmd =
        BCON_NEW("balancerStop", BCON_INT32(1), "maxTimeMS", BCON_INT64(CLAMP(timeout_ms, 1, INT32_MAX)));
    bool done = run_switch(client, cmd, "balancerStop", &why);
    bson_destroy(cmd);
    if (!done && why.cls == ERR_NO_PERMISSION)
        return err_set(err, why.cls, "%s", why.msg);
    if (!balancer_status(client, &now, err))
        return false;
    if (strcmp(now.mode, "off") == 0)
        return true;
    g_autofree char *name = probe_name(client);
    if (done)
        return err_set(err, ERR_RETRY_LATER,
                       "the balancer of %s is in mode %s though it was stopped; find out who starts it", name,
                       now.mode);
    return err_set(err, why.cls, "cannot stop the balancer: %s", why.msg);
}

bool balancer_start(mongoc_client_t *client, struct err *err)
{
    struct err why = {0};
    struct balancer_status now;
    bson_t *cmd = BCON_NEW("balancerStart", BCON_INT32(1));
    bool done = run_switch(client, cmd, "balancerStart", &why);
    bson_destroy(cmd);
    /* a reply that was lost */
    if (done || (why.cls == ERR_UNAVAILABLE && balancer_status(client, &now, NULL) && now.migrates))
        return true;
    return err_set(err, why.cls, "cannot start the balancer: %s", why.msg);
}

/* Versions as numbers that compare: 6.0.3 is 60003. An unknown version is taken for the newest. */
static int64_t version_number(const char *version)
{
    int64_t n = 0;
    for (int i = 0; i < 3; i++) {
        char *end = NULL;
        guint64 part = version != NULL ? g_ascii_strtoull(version, &end, 10) : 0;
        if (i == 0 && part == 0)
            return INT64_MAX;
        n = n * 100 + (int64_t)MIN(part, 99);
        version = end != NULL && *end == '.' ? end + 1 : NULL;
    }
    return n;
}

/* What the balancer does besides, so that whoever stops it knows what stops as well. */
static char *also_stops(const char *server_version)
{
    static const struct {
        int64_t from, before;
        const char *what;
    } parts[] = {
        {0, INT64_MAX, "the draining of shards"},
        {0, INT64_MAX, "splits at zone bounds"},
        {0, 60003, "auto-splitting"},
        {50300, INT64_MAX, "defragmentation"},
        {70000, INT64_MAX, "auto-merging"},
    };
    int64_t version = version_number(server_version);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (version >= parts[i].from && (version < parts[i].before || parts[i].before == INT64_MAX))
            g_ptr_array_add(names, (gpointer)parts[i].what);
    const char *last = g_ptr_array_steal_index(names, names->len - 1);
    g_ptr_array_add(names, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)names->pdata);
    return g_strdup_printf("%s and %s", list, last);
}

bool balancer_refuse(const char *uri_shown, const char *server_version, struct err *err)
{
    g_autofree char *also = also_stops(server_version);
    return err_set(
        err, ERR_RETRY_LATER,
        "the built-in balancer of %s is running, and two balancers undo each other's work; stop it with "
        "sh.stopBalancer(), or set cluster.builtinBalancer to stopAndRestore; that stops %s, too",
        uri_shown, also);
}
