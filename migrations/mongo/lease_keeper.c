// SPDX-License-Identifier: Apache-2.0
#include "migrations/mongo/lease_keeper.h"

#include "migrations/mongo/uri.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lease_keeper {
    mongoc_uri_t *uri;
    char *shown;
    int64_t ttl_ms;
    lease *lease;
    mongoc_client_t *client; /* of the thread, and after its end of the owner; NULL: none yet, or no more */
    pthread_t thread;
    bool running;
    int64_t tenure;       /* of the thread: its epoch, as of the newest try that was answered; 0: not held */
    _Atomic bool stopped; /* told to end: not held any more */
    int wake, told;       /* eventfds: to the thread; to the owner */
    pthread_mutex_t lock; /* not a GMutex: sanitizers see this one */
    bool fresh;           /* behind the lock, with the rest */
    struct lease_news news;
};

/* --- the client --- */

static mongoc_client_t *take_client(void *data)
{
    lease_keeper *k = data;
    return k->client;
}

static void give_client(void *data, mongoc_client_t *client)
{
    (void)data;
    (void)client;
}

/* Looks up names, of mongodb+srv://. */
static bool need_client(lease_keeper *k, struct err *err)
{
    bson_error_t error = {0};
    if (k->client != NULL)
        return true;
    k->client = mongoc_client_new_from_uri_with_error(k->uri, &error);
    if (k->client == NULL)
        return err_set(err, ERR_UNAVAILABLE, "cannot connect to %s for the lease: %s", k->shown,
                       error.message);
    mongoc_client_set_error_api(k->client, MONGOC_ERROR_API_VERSION_2);
    return true;
}

/* --- the thread --- */

static void tell(lease_keeper *k, const struct lease_news *n)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&k->lock);
    bool lost = n->lost || (k->fresh && k->news.lost);
    enum lease_state state = n->err.cls == ERR_NONE ? n->state : k->news.state;
    k->news = *n;
    k->news.lost = lost;
    k->news.state = state;
    k->fresh = true;
    ssize_t written = write(k->told, &one, sizeof(one)); /* a full counter still reads as news */
    pthread_mutex_unlock(&k->lock);
    (void)written;
}

/* One try may find it lost and get it anew. */
static bool was_lost(lease_keeper *k, enum lease_state state)
{
    int64_t before = k->tenure;
    k->tenure = state == LEASE_HELD ? lease_epoch(k->lease) : 0;
    return before != 0 && k->tenure != before;
}

/* A client that failed is made anew: libmongoc leaves servers that it could not reach alone for 5 s, which
 * may be all that is left of a lease. */
static void try_once(lease_keeper *k)
{
    struct lease_news n = {.state = LEASE_WAITED};
    if (need_client(k, &n.err) && lease_try(k->lease, &n.state, &n.err))
        n.lost = was_lost(k, n.state);
    else
        g_clear_pointer(&k->client, mongoc_client_destroy);
    tell(k, &n);
}

static void sleep_until_due(const lease_keeper *k)
{
    struct pollfd wake = {.fd = k->wake, .events = POLLIN};
    int64_t now = lease_boottime_ms();
    /* Where there was no client, nobody has set a time. */
    int64_t wait = MAX(lease_due_at(k->lease) - now, k->client == NULL ? k->ttl_ms / 10 : 0);
    while (poll(&wake, 1, (int)CLAMP(wait, 0, INT32_MAX)) < 0 && errno == EINTR)
        ;
}

static void *keep(void *data)
{
    lease_keeper *k = data;
    while (!atomic_load(&k->stopped)) {
        try_once(k);
        sleep_until_due(k);
    }
    return NULL;
}

/* Signals are the owner's. */
static bool start_thread(lease_keeper *k)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    k->running = pthread_create(&k->thread, NULL, keep, k) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return k->running;
}

/* --- the owner --- */

/* A third of the lease's life is what one command may take, so that two may fail. */
static bool make_uri(lease_keeper *k, const char *text, struct err *err)
{
    int32_t third = (int32_t)(CLAMP(k->ttl_ms, 1000, INT32_MAX) / 3);
    if (!uri_parse(text, &k->uri, err))
        return false;
    mongoc_uri_set_option_as_int32(k->uri, MONGOC_URI_SOCKETTIMEOUTMS, third);
    mongoc_uri_set_option_as_int32(k->uri, MONGOC_URI_CONNECTTIMEOUTMS, third);
    mongoc_uri_set_option_as_int32(k->uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, third);
    k->shown = uri_shown_parsed(k->uri);
    return true;
}

bool lease_keeper_new(const struct lease_keeper_options *opt, lease_keeper **ret, struct err *err)
{
    g_autoptr(lease_keeper) k = g_new0(lease_keeper, 1);
    mongoc_init();
    k->ttl_ms = opt->ttl_ms;
    k->news.state = LEASE_WAITED;
    k->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    k->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&k->lock, NULL);
    if (!make_uri(k, opt->uri, err))
        return false;
    const struct lease_options of_lease = {.ns = opt->ns,
                                           .ttl_ms = opt->ttl_ms,
                                           .name = opt->name,
                                           .cluster = k->shown,
                                           .take = take_client,
                                           .give = give_client,
                                           .data = k};
    k->lease = lease_new(&of_lease);
    if (k->wake < 0 || k->told < 0 || !start_thread(k))
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot start the thread that keeps the lease; raise the limits of threads and open "
                       "files");
    *ret = g_steal_pointer(&k);
    return true;
}

bool lease_keeper_stop(lease_keeper *k, struct err *err)
{
    const uint64_t one = 1;
    if (!k->running)
        return true;
    atomic_store(&k->stopped, true);
    ssize_t written = write(k->wake, &one, sizeof(one));
    (void)written;
    pthread_join(k->thread, NULL);
    k->running = false;
    return need_client(k, err) && lease_release(k->lease, err);
}

void lease_keeper_free(lease_keeper *k)
{
    if (k == NULL)
        return;
    lease_keeper_stop(k, NULL);
    lease_free(k->lease);
    if (k->client != NULL)
        mongoc_client_destroy(k->client);
    if (k->wake >= 0)
        close(k->wake);
    if (k->told >= 0)
        close(k->told);
    pthread_mutex_destroy(&k->lock);
    if (k->uri != NULL)
        mongoc_uri_destroy(k->uri);
    g_free(k->shown);
    g_free(k);
}

int lease_keeper_fd(const lease_keeper *k)
{
    return k->told;
}

bool lease_keeper_news(lease_keeper *k, struct lease_news *ret)
{
    uint64_t n;
    pthread_mutex_lock(&k->lock);
    bool fresh = k->fresh;
    *ret = k->news;
    k->fresh = k->news.lost = false;
    ssize_t got = fresh ? read(k->told, &n, sizeof(n)) : 0;
    pthread_mutex_unlock(&k->lock);
    (void)got;
    return fresh;
}

const lease *lease_keeper_lease(const lease_keeper *k)
{
    return k->lease;
}

bool lease_keeper_held(const lease_keeper *k)
{
    return k == NULL || (!atomic_load(&k->stopped) && lease_held(k->lease, lease_boottime_ms()));
}
