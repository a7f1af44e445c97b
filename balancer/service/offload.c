// SPDX-License-Identifier: Apache-2.0
/* Locks of pthread rather than GLib's queues: the thread sanitizer knows them. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "balancer/service/offload.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct item {
    void (*work)(void *data);
    void (*done)(void *data);
    void (*drop)(void *data);
    void *data;
};

struct offload {
    pthread_t thread;
    pthread_mutex_t lock;  /* of the four below */
    pthread_cond_t news;   /* for both sides */
    GQueue todo, finished; /* struct item * */
    bool ending, ended;
    int fd;
    struct event *readable;
};

/* NULL: the thread is to end. */
static struct item *wait_for_work(offload *o)
{
    pthread_mutex_lock(&o->lock);
    while (!o->ending && g_queue_is_empty(&o->todo))
        pthread_cond_wait(&o->news, &o->lock);
    struct item *i = o->ending ? NULL : g_queue_pop_head(&o->todo);
    if (i == NULL) {
        o->ended = true;
        pthread_cond_broadcast(&o->news);
    }
    pthread_mutex_unlock(&o->lock);
    return i;
}

static void *run(void *data)
{
    offload *o = data;
    for (struct item *i; (i = wait_for_work(o)) != NULL;) {
        i->work(i->data);
        pthread_mutex_lock(&o->lock);
        g_queue_push_tail(&o->finished, i);
        pthread_mutex_unlock(&o->lock);
        const uint64_t one = 1;
        if (write(o->fd, &one, sizeof(one)) < 0)
            continue; /* the counter is full: the loop has been told often enough */
    }
    return NULL;
}

static struct item *take(offload *o, GQueue *queue)
{
    pthread_mutex_lock(&o->lock);
    struct item *i = g_queue_pop_head(queue);
    pthread_mutex_unlock(&o->lock);
    return i;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
    offload *o = data;
    uint64_t n;
    (void)what;
    if (read((int)fd, &n, sizeof(n)) < 0)
        return;
    for (struct item *i; (i = take(o, &o->finished)) != NULL; g_free(i))
        i->done(i->data);
}

/* Signals are the loop's. */
static bool start_thread(offload *o, const char *name)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&o->thread, NULL, run, o) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        pthread_setname_np(o->thread, name);
    return started;
}

static void release(offload *o)
{
    if (o->readable != NULL)
        event_free(o->readable);
    if (o->fd >= 0)
        close(o->fd);
    pthread_cond_destroy(&o->news);
    pthread_mutex_destroy(&o->lock);
    g_free(o);
}

static offload *make(struct event_base *base)
{
    pthread_condattr_t attributes;
    offload *o = g_new0(offload, 1);
    g_queue_init(&o->todo);
    g_queue_init(&o->finished);
    pthread_mutex_init(&o->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&o->news, &attributes);
    pthread_condattr_destroy(&attributes);
    o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    o->readable = o->fd < 0 ? NULL : event_new(base, o->fd, EV_READ | EV_PERSIST, on_readable, o);
    return o;
}

bool offload_new(struct event_base *base, const char *name, offload **ret, struct err *err)
{
    offload *o = make(base);
    if (o->readable == NULL || event_add(o->readable, NULL) != 0 || !start_thread(o, name)) {
        release(o);
        return err_set(err, ERR_UNAVAILABLE, "cannot start the thread '%s'; are there too many?", name);
    }
    *ret = o;
    return true;
}

static void drop_all(offload *o, GQueue *queue)
{
    for (struct item *i; (i = take(o, queue)) != NULL; g_free(i))
        i->drop(i->data);
}

/* Tells it to end; whether it did within that time. */
static bool ends(offload *o, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&o->lock);
    o->ending = true;
    pthread_cond_broadcast(&o->news);
    while (!o->ended && pthread_cond_timedwait(&o->news, &o->lock, &until) != ETIMEDOUT)
        continue;
    const bool ended = o->ended;
    pthread_mutex_unlock(&o->lock);
    return ended;
}

bool offload_free(offload *o, int64_t wait_ms)
{
    if (o == NULL)
        return true;
    g_clear_pointer(&o->readable, event_free);
    const bool ended = ends(o, wait_ms);
    drop_all(o, &o->todo);
    if (!ended) {
        pthread_detach(o->thread);
        return false;
    }
    pthread_join(o->thread, NULL);
    drop_all(o, &o->finished);
    release(o);
    return true;
}

void offload_submit(offload *o, void (*work)(void *data), void (*done)(void *data), void (*drop)(void *data),
                    void *data)
{
    struct item *i = g_new(struct item, 1);
    *i = (struct item){work, done, drop, data};
    pthread_mutex_lock(&o->lock);
    g_queue_push_tail(&o->todo, i);
    pthread_cond_signal(&o->news);
    pthread_mutex_unlock(&o->lock);
}
