// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* pthread_setname_np */
#include "balancer/service/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct item {
    void (*work)(void *data); /* NULL: the thread is to end */
    void (*done)(void *data);
    void (*drop)(void *data);
    void *data;
};

struct offload {
    pthread_t thread;
    GAsyncQueue *todo, *finished; /* struct item * */
    GAsyncQueue *ended;           /* the thread itself, when it is about to end */
    int fd;
    struct event *readable;
};

static void *run(void *data)
{
    offload *o = data;
    for (;;) {
        struct item *i = g_async_queue_pop(o->todo);
        if (i->work == NULL) {
            g_free(i);
            g_async_queue_push(o->ended, o);
            return NULL;
        }
        i->work(i->data);
        g_async_queue_push(o->finished, i);
        const uint64_t one = 1;
        if (write(o->fd, &one, sizeof(one)) < 0)
            continue; /* the counter is full: the loop has been told often enough */
    }
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
    const offload *o = data;
    uint64_t n;
    (void)what;
    if (read((int)fd, &n, sizeof(n)) < 0)
        return;
    for (struct item *i; (i = g_async_queue_try_pop(o->finished)) != NULL; g_free(i))
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
    g_async_queue_unref(o->todo);
    g_async_queue_unref(o->finished);
    g_async_queue_unref(o->ended);
    g_free(o);
}

bool offload_new(struct event_base *base, const char *name, offload **ret, struct err *err)
{
    offload *o = g_new0(offload, 1);
    o->todo = g_async_queue_new();
    o->finished = g_async_queue_new();
    o->ended = g_async_queue_new();
    o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    o->readable = o->fd < 0 ? NULL : event_new(base, o->fd, EV_READ | EV_PERSIST, on_readable, o);
    if (o->readable == NULL || event_add(o->readable, NULL) != 0 || !start_thread(o, name)) {
        release(o);
        return err_set(err, ERR_UNAVAILABLE, "cannot start the thread '%s'; are there too many?", name);
    }
    *ret = o;
    return true;
}

static void drop_all(GAsyncQueue *queue)
{
    for (struct item *i; (i = g_async_queue_try_pop(queue)) != NULL; g_free(i))
        i->drop(i->data);
}

bool offload_free(offload *o, int64_t wait_ms)
{
    if (o == NULL)
        return true;
    drop_all(o->todo);
    g_async_queue_push(o->todo, g_new0(struct item, 1));
    event_free(o->readable);
    o->readable = NULL;
    if (g_async_queue_timeout_pop(o->ended, (guint64)MAX(wait_ms, 1) * 1000) == NULL) {
        pthread_detach(o->thread);
        return false;
    }
    pthread_join(o->thread, NULL);
    drop_all(o->finished);
    release(o);
    return true;
}

void offload_submit(offload *o, void (*work)(void *data), void (*done)(void *data), void (*drop)(void *data),
                    void *data)
{
    struct item *i = g_new(struct item, 1);
    *i = (struct item){work, done, drop, data};
    g_async_queue_push(o->todo, i);
}
