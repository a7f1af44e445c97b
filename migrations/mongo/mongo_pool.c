// SPDX-License-Identifier: Apache-2.0
/* libmongoc's own pools, one a purpose: a socket timeout belongs to all clients of a pool. Their monitors
 * find a mongos that comes back by themselves; a connection that broke is made again by whoever needs it
 * next. */
#include "migrations/mongo/mongo_pool.h"

#include "migrations/mongo/uri.h"

#include <glib.h>

enum { READS, MOVES, KINDS };

/* A "not primary" that mongos passes on from elsewhere is taken for mongos' own state: nothing is sent to it
 * until the monitor hears of it again. libmongoc's default, 10 s, would be as long as a server is looked for.
 */
enum { HEARTBEAT_MS = 2000 };

struct mongo_pool {
    mongoc_client_pool_t *pools[KINDS];
};

/* `timeout_ms`: of a socket; 0: what the URI has. libmongoc takes 0 for its default, 5 min. */
static mongoc_client_pool_t *make(const mongoc_uri_t *uri, int64_t timeout_ms, unsigned max_clients,
                                  struct err *err)
{
    bson_error_t error = {0};
    g_autoptr(mongoc_uri_t) own = mongoc_uri_copy(uri);
    if (timeout_ms > 0)
        mongoc_uri_set_option_as_int32(own, MONGOC_URI_SOCKETTIMEOUTMS, (int32_t)MIN(timeout_ms, INT32_MAX));
    if (!mongoc_uri_has_option(own, MONGOC_URI_HEARTBEATFREQUENCYMS))
        mongoc_uri_set_option_as_int32(own, MONGOC_URI_HEARTBEATFREQUENCYMS, HEARTBEAT_MS);
    mongoc_client_pool_t *pool = mongoc_client_pool_new_with_error(own, &error);
    if (pool == NULL) {
        g_autofree char *name = uri_shown_parsed(uri);
        bool names = error.domain == MONGOC_ERROR_STREAM; /* mongodb+srv:// asks the name servers at once */
        err_set(err, names ? ERR_UNAVAILABLE : ERR_USAGE, "the URI %s cannot be used: %s", name,
                error.message);
        return NULL;
    }
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_max_size(pool, MAX(max_clients, 1));
    return pool;
}

bool mongo_pool_new(const char *uri_text, int64_t deadline_ms, unsigned max_clients, mongo_pool **ret,
                    struct err *err)
{
    g_autoptr(mongoc_uri_t) uri = NULL;
    g_autoptr(mongo_pool) p = g_new0(mongo_pool, 1);
    mongoc_init();
    if (!uri_parse(uri_text, &uri, err))
        return false;
    p->pools[READS] = make(uri, 0, max_clients, err);
    p->pools[MOVES] = p->pools[READS] != NULL ? make(uri, MAX(deadline_ms, 1), max_clients, err) : NULL;
    if (p->pools[MOVES] == NULL)
        return false;
    *ret = g_steal_pointer(&p);
    return true;
}

void mongo_pool_free(mongo_pool *p)
{
    if (p == NULL)
        return;
    for (int i = 0; i < KINDS; i++)
        if (p->pools[i] != NULL)
            mongoc_client_pool_destroy(p->pools[i]);
    g_free(p);
}

mongoc_client_t *mongo_pool_take(mongo_pool *p, bool for_moves)
{
    return mongoc_client_pool_pop(p->pools[for_moves ? MOVES : READS]);
}

void mongo_pool_give(mongo_pool *p, bool for_moves, mongoc_client_t *client)
{
    mongoc_client_pool_push(p->pools[for_moves ? MOVES : READS], client);
}
