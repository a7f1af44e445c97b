// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Shared by the owner and every thread; whoever leaves last frees it. */
struct workers {
    atomic_uint users;
    pthread_mutex_t lock;        /* not a GMutex: sanitizers see this one */
    pthread_cond_t wanted, left; /* a job is there, or it is over; a thread ended */
    struct hands hands;
    GQueue jobs, results;
    unsigned max, threads;
    unsigned entering, idle, acting; /* where threads are; else between two of them */
    bool closing;
    int fd;
};

/* --- jobs --- */

static bson_t *copy_bound(const bson_t *b)
{
    return b == NULL ? NULL : bson_copy(b);
}

static void free_bound(gpointer b)
{
    bson_destroy(b); /* NULL accepted */
}

static GPtrArray *copy_points(const GPtrArray *at)
{
    if (at == NULL)
        return NULL;
    GPtrArray *copy = g_ptr_array_new_with_free_func(free_bound);
    for (guint i = 0; i < at->len; i++)
        g_ptr_array_add(copy, bson_copy(at->pdata[i]));
    return copy;
}

struct worker_job *worker_job_new(const struct hands_job *ask, void *tag)
{
    struct worker_job *job = g_new0(struct worker_job, 1);
    job->tag = tag;
    job->ask = *ask;
    job->ask.ns = g_strdup(ask->ns);
    job->ask.from = g_strdup(ask->from);
    job->ask.to = g_strdup(ask->to);
    job->ask.min = copy_bound(ask->min);
    job->ask.max = copy_bound(ask->max);
    job->ask.at = copy_points(ask->at);
    job->ask.version = g_strdup(ask->version);
    job->ask.reason = g_strdup(ask->reason);
    return job;
}

void worker_job_free(struct worker_job *job)
{
    if (job == NULL)
        return;
    g_free((char *)job->ask.ns);
    g_free((char *)job->ask.from);
    g_free((char *)job->ask.to);
    free_bound((bson_t *)job->ask.min);
    free_bound((bson_t *)job->ask.max);
    if (job->ask.at != NULL)
        g_ptr_array_unref((GPtrArray *)job->ask.at);
    g_free((char *)job->ask.version);
    g_free((char *)job->ask.reason);
    hands_result_clear(&job->result);
    g_free(job);
}

static void free_job(gpointer job)
{
    worker_job_free(job);
}

/* --- threads --- */

static void unref(workers *w)
{
    if (atomic_fetch_sub(&w->users, 1) > 1)
        return;
    g_queue_clear_full(&w->jobs, free_job);
    g_queue_clear_full(&w->results, free_job);
    close(w->fd);
    pthread_cond_destroy(&w->wanted);
    pthread_cond_destroy(&w->left);
    pthread_mutex_destroy(&w->lock);
    g_free(w);
}

/* With the lock held. A full counter of an eventfd still reads as "something is there". */
static void give_back(workers *w, struct worker_job *job)
{
    const uint64_t one = 1;
    g_queue_push_tail(&w->results, job);
    ssize_t n = write(w->fd, &one, sizeof(one));
    (void)n;
}

/* With the lock held; NULL: it is over. */
static struct worker_job *wait_for_job(workers *w)
{
    w->idle++;
    while (!w->closing && g_queue_is_empty(&w->jobs))
        pthread_cond_wait(&w->wanted, &w->lock);
    w->idle--;
    return w->closing ? NULL : g_queue_pop_head(&w->jobs);
}

static void work_until_over(workers *w, void *thread)
{
    struct worker_job *job;
    pthread_mutex_lock(&w->lock);
    w->entering--;
    while ((job = wait_for_job(w)) != NULL) {
        w->acting++;
        pthread_mutex_unlock(&w->lock);
        w->hands.act(w->hands.data, thread, &job->ask, &job->result);
        pthread_mutex_lock(&w->lock);
        w->acting--;
        give_back(w, job);
    }
    pthread_mutex_unlock(&w->lock);
}

static gpointer work_on(gpointer data)
{
    workers *w = data;
    void *thread = w->hands.enter == NULL ? NULL : w->hands.enter(w->hands.data);
    work_until_over(w, thread);
    if (w->hands.leave != NULL)
        w->hands.leave(w->hands.data, thread);
    pthread_mutex_lock(&w->lock);
    w->threads--;
    pthread_cond_broadcast(&w->left);
    pthread_mutex_unlock(&w->lock);
    unref(w);
    return NULL;
}

/* With the lock held. */
static bool start_thread(workers *w, struct err *err)
{
    g_autoptr(GError) error = NULL;
    atomic_fetch_add(&w->users, 1);
    GThread *t = g_thread_try_new("migration", work_on, w, &error);
    if (t == NULL) {
        atomic_fetch_sub(&w->users, 1); /* the owner is still there */
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot start a thread for migrations: %s; raise the limit of processes and threads",
                       error->message);
    }
    w->threads++;
    w->entering++;
    g_thread_unref(t);
    return true;
}

/* --- the owner's side --- */

bool workers_new(const struct hands *hands, unsigned max, workers **ret, struct err *err)
{
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot make a descriptor for the results of migrations: %s; raise the limit of open "
                       "files",
                       g_strerror(errno));
    workers *w = g_new0(workers, 1);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wanted, NULL);
    pthread_cond_init(&w->left, NULL);
    w->hands = *hands;
    w->max = MAX(max, 1);
    atomic_init(&w->users, 1);
    w->fd = fd;
    pthread_mutex_lock(&w->lock);
    const bool started = start_thread(w, err);
    pthread_mutex_unlock(&w->lock);
    if (started)
        *ret = w;
    else
        unref(w);
    return started;
}

void workers_free(workers *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->wanted);
    while (w->threads > w->acting)
        pthread_cond_wait(&w->left, &w->lock);
    pthread_mutex_unlock(&w->lock);
    unref(w);
}

void workers_put(workers *w, struct worker_job *job)
{
    pthread_mutex_lock(&w->lock);
    g_queue_push_tail(&w->jobs, job);
    /* Where no more threads are to be had, those there are do it one after the other. */
    if (g_queue_get_length(&w->jobs) > w->idle + w->entering && w->threads < w->max)
        (void)start_thread(w, NULL);
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
}

struct worker_job *workers_take(workers *w)
{
    uint64_t n;
    pthread_mutex_lock(&w->lock);
    struct worker_job *job = g_queue_pop_head(&w->results);
    if (g_queue_is_empty(&w->results)) {
        ssize_t got = read(w->fd, &n, sizeof(n));
        (void)got;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

int workers_fd(const workers *w)
{
    return w->fd;
}

unsigned workers_inside(workers *w)
{
    pthread_mutex_lock(&w->lock);
    const unsigned n = w->acting;
    pthread_mutex_unlock(&w->lock);
    return n;
}
