// SPDX-License-Identifier: Apache-2.0
/* Threads that run hands: how many, in which order results come, what stays of those that are left behind. */
#define _GNU_SOURCE /* pthread_setattr_default_np */
#include "migrations/executor/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Hands that wait at a gate. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    unsigned inside, most, threads, calls;
    char *seen; /* what the last call was asked */
};

static void gate_init(struct gate *g, bool open)
{
    *g = (struct gate){.open = open};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

/* Until so many calls are at the gate. */
static void gate_wait(struct gate *g, unsigned n)
{
    pthread_mutex_lock(&g->lock);
    while (g->inside < n)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

/* Opens it, and waits until no thread is left. */
static void gate_clear(struct gate *g)
{
    gate_open(g);
    pthread_mutex_lock(&g->lock);
    while (g->threads > 0)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    g_free(g->seen);
}

static void act(void *data, void *thread, const struct hands_job *job, struct hands_result *ret)
{
    struct gate *g = data;
    assert_ptr_equal(thread, g);
    pthread_mutex_lock(&g->lock);
    g->calls++;
    g->inside++;
    g->most = MAX(g->most, g->inside);
    g_free(g->seen);
    g->seen = g_strdup_printf("%s %s>%s %s %s at %u", job->ns, job->from, job->to == NULL ? "" : job->to,
                              job->version == NULL ? "-" : job->version,
                              job->reason == NULL ? "-" : job->reason, job->at == NULL ? 0 : job->at->len);
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    g->inside--;
    pthread_mutex_unlock(&g->lock);
    *ret = (struct hands_result){.outcome = HANDS_COMMITTED, .message = g_strdup(job->ns)};
}

static void *enter(void *data)
{
    struct gate *g = data;
    pthread_mutex_lock(&g->lock);
    g->threads++;
    pthread_mutex_unlock(&g->lock);
    return g;
}

static void leave(void *data, void *thread)
{
    struct gate *g = data;
    assert_ptr_equal(thread, g);
    pthread_mutex_lock(&g->lock);
    g->threads--;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static workers *start(struct gate *g, unsigned max)
{
    const struct hands hands = {.data = g, .enter = enter, .leave = leave, .act = act};
    struct err err = {0};
    workers *w;
    if (!workers_new(&hands, max, &w, &err))
        fail_msg("%s", err.msg);
    return w;
}

static void put(workers *w, const char *ns, void *tag)
{
    bson_t *point = BCON_NEW("x", BCON_INT32(5));
    g_autoptr(GPtrArray) at = g_ptr_array_new();
    g_ptr_array_add(at, point);
    const struct hands_job ask = {
        .ns = ns, .from = "a", .to = "b", .min = point, .max = point, .at = at, .reason = "drain"};
    workers_put(w, worker_job_new(&ask, tag)); /* owns copies */
    bson_destroy(point);
}

static struct worker_job *wait_for_result(workers *w)
{
    struct worker_job *job;
    while ((job = workers_take(w)) == NULL) {
        struct pollfd fd = {.fd = workers_fd(w), .events = POLLIN};
        if (poll(&fd, 1, 60000) == 0)
            fail_msg("no result");
    }
    return job;
}

static bool is_readable(const workers *w)
{
    struct pollfd fd = {.fd = workers_fd(w), .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void test_one_after_the_other(void **state)
{
    struct gate g;
    (void)state;
    gate_init(&g, true);
    workers *w = start(&g, 0); /* as 1 */
    assert_null(workers_take(w));
    assert_false(is_readable(w));
    for (intptr_t i = 1; i <= 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "db.c%d", (int)i);
        put(w, name, (void *)i);
    }
    for (intptr_t i = 1; i <= 20; i++) {
        struct worker_job *job = wait_for_result(w);
        assert_ptr_equal(job->tag, (void *)i);
        assert_string_equal(job->result.message, job->ask.ns);
        worker_job_free(job);
    }
    assert_false(is_readable(w));
    assert_string_equal(g.seen, "db.c20 a>b - drain at 1");
    assert_int_equal(g.most, 1);
    workers_free(w);
    gate_clear(&g);
}

static void test_at_once(void **state)
{
    struct gate g;
    (void)state;
    gate_init(&g, false);
    workers *w = start(&g, 3);
    for (unsigned i = 0; i < 7; i++)
        put(w, "db.c", NULL);
    gate_wait(&g, 3);
    assert_int_equal(workers_inside(w), 3);
    assert_false(is_readable(w));
    gate_open(&g);
    for (unsigned i = 0; i < 7; i++)
        worker_job_free(wait_for_result(w));
    assert_int_equal(g.most, 3);
    assert_int_equal(workers_inside(w), 0);
    workers_free(w);
    gate_clear(&g);
}

/* Jobs not begun are dropped; whoever is inside ends later, and its result with it. */
static void test_left_behind(void **state)
{
    struct gate g;
    (void)state;
    gate_init(&g, false);
    workers *w = start(&g, 2);
    for (unsigned i = 0; i < 5; i++)
        put(w, "db.c", NULL);
    gate_wait(&g, 2);
    workers_free(w);
    gate_clear(&g);
    assert_int_equal(g.calls, 2);
}

static void test_results_not_taken(void **state)
{
    struct gate g;
    (void)state;
    gate_init(&g, true);
    workers *w = start(&g, 2);
    put(w, "db.c", NULL);
    worker_job_free(wait_for_result(w));
    put(w, "db.c", NULL);
    put(w, "db.d", NULL);
    while (!is_readable(w))
        g_thread_yield();
    workers_free(w);
    gate_clear(&g);
    workers_free(NULL);
    worker_job_free(NULL);
}

static void test_no_descriptors(void **state)
{
    const struct hands hands = {.act = act};
    struct rlimit old, none;
    struct err err = {0};
    workers *w = NULL;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const bool made = workers_new(&hands, 1, &w, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_false(made);
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "raise the limit of open files"));
}

/* Threads with a stack that no machine has. */
static void no_threads(bool on)
{
    static size_t usual;
    pthread_attr_t attr;
    assert_int_equal(pthread_getattr_default_np(&attr), 0);
    if (on)
        assert_int_equal(pthread_attr_getstacksize(&attr, &usual), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, on ? (size_t)1 << 46 : usual), 0);
    assert_int_equal(pthread_setattr_default_np(&attr), 0);
    pthread_attr_destroy(&attr);
}

static void test_no_threads(void **state)
{
    struct gate g;
    struct err err = {0};
    workers *w = NULL;
    (void)state;
    gate_init(&g, true);
    const struct hands hands = {.data = &g, .act = act};
    no_threads(true);
    assert_false(workers_new(&hands, 1, &w, &err));
    no_threads(false);
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "cannot start a thread for migrations"));
    gate_clear(&g);
}

/* The one there is does it all. */
static void test_no_more_threads(void **state)
{
    struct gate g;
    (void)state;
    gate_init(&g, false);
    workers *w = start(&g, 8);
    put(w, "db.c", NULL);
    gate_wait(&g, 1);
    no_threads(true);
    for (unsigned i = 0; i < 5; i++)
        put(w, "db.c", NULL);
    no_threads(false);
    gate_open(&g);
    for (unsigned i = 0; i < 6; i++)
        worker_job_free(wait_for_result(w));
    assert_int_equal(g.most, 1);
    workers_free(w);
    gate_clear(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other), cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_left_behind),         cmocka_unit_test(test_results_not_taken),
        cmocka_unit_test(test_no_descriptors),      cmocka_unit_test(test_no_threads),
        cmocka_unit_test(test_no_more_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
