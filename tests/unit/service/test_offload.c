// SPDX-License-Identifier: Apache-2.0
/* One thread for what blocks: work in order, done on the loop, and an end that does not wait. */
#include "balancer/service/offload.h"

#include <glib.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct job {
    GString *told; /* of the loop's thread, and of the offload's while that works */
    char name;
    struct event_base *leave;  /* when it is done; NULL: nobody's */
    GAsyncQueue *begun, *gate; /* NULL: it does not wait */
    pthread_t by;
};

static void work(void *data)
{
    struct job *j = data;
    j->by = pthread_self();
    if (j->begun != NULL)
        g_async_queue_push(j->begun, j);
    if (j->gate != NULL)
        g_async_queue_pop(j->gate);
}

static void done(void *data)
{
    struct job *j = data;
    assert_false(pthread_equal(j->by, pthread_self()));
    g_string_append_printf(j->told, "%c ", j->name);
    if (j->leave != NULL)
        event_base_loopbreak(j->leave);
}

static void drop(void *data)
{
    struct job *j = data;
    g_string_append_printf(j->told, "-%c ", j->name);
}

static offload *new_offload(struct event_base *base)
{
    struct err err = {0};
    offload *o = NULL;
    if (!offload_new(base, "test", &o, &err))
        fail_msg("%s", err.msg);
    return o;
}

static void work_is_done_in_order(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    g_autoptr(GString) told = g_string_new(NULL);
    offload *o = new_offload(base);
    struct job jobs[26];
    for (int i = 0; i < 26; i++) {
        jobs[i] = (struct job){.told = told, .name = (char)('a' + i), .leave = i == 25 ? base : NULL};
        offload_submit(o, work, done, drop, &jobs[i]);
    }
    event_base_dispatch(base);
    assert_string_equal(told->str, "a b c d e f g h i j k l m n o p q r s t u v w x y z ");
    assert_true(offload_free(o, 60000));
    assert_int_equal(told->len, 52);
    event_base_free(base);
}

/* Done, under way, and not begun: each is dropped once. */
static void what_nobody_takes_is_dropped(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    g_autoptr(GString) told = g_string_new(NULL);
    g_autoptr(GAsyncQueue) begun = g_async_queue_new(), gate = g_async_queue_new();
    offload *o = new_offload(base);
    struct job a = {.told = told, .name = 'a'}, b = {.told = told, .name = 'b', .begun = begun, .gate = gate},
               c = {.told = told, .name = 'c'};
    offload_submit(o, work, done, drop, &a);
    offload_submit(o, work, done, drop, &b);
    g_async_queue_pop(begun);
    offload_submit(o, work, done, drop, &c);
    g_async_queue_push(gate, &b);
    assert_true(offload_free(o, 60000));
    g_auto(GStrv) each = g_strsplit(g_strstrip(told->str), " ", -1);
    assert_int_equal(g_strv_length(each), 3);
    for (const char *const *want = (const char *const[]){"-a", "-b", "-c", NULL}; *want != NULL; want++)
        assert_true(g_strv_contains((const char *const *)each, *want));
    event_base_free(base);
}

static void what_does_not_end_is_left_behind(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    g_autoptr(GString) told = g_string_new(NULL);
    GAsyncQueue *begun = g_async_queue_new(), *gate = g_async_queue_new();
    offload *o = new_offload(base);
    struct job *a = g_new(struct job, 1), b = {.told = told, .name = 'b'};
    *a = (struct job){.told = told, .name = 'a', .begun = begun, .gate = gate};
    offload_submit(o, work, done, drop, a);
    g_async_queue_pop(begun);
    offload_submit(o, work, done, drop, &b);
    assert_false(offload_free(o, 1));
    assert_string_equal(told->str, "-b ");
    event_base_free(base);
    assert_true(offload_free(NULL, 1));
    g_async_queue_push(gate, a); /* it ends when it likes, and tells nobody; what it uses stays */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_done_in_order),
        cmocka_unit_test(what_nobody_takes_is_dropped),
        cmocka_unit_test(what_does_not_end_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
