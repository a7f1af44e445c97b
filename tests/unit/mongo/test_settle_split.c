// SPDX-License-Identifier: Apache-2.0
/* What became of a split. */
#include "tests/support/sandbox_cluster.h"
#include "tests/support/settle_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum settle_outcome settle_at(struct settle_scene *sc, const char *ns, int first, int count,
                                     char **ret_text)
{
    enum settle_outcome outcome;
    struct err err = {0};
    g_autoptr(GPtrArray) at = g_ptr_array_new_with_free_func((GDestroyNotify)bson_destroy);
    for (int i = 0; i < count; i++)
        g_ptr_array_add(at, BCON_NEW("x", BCON_INT32(first + i)));
    if (!settle_split(sc->conn->client, ns, at, &outcome, ret_text, &err))
        fail_msg("%s", err.msg);
    return outcome;
}

static void splits(void **state)
{
    (void)state;
    struct settle_scene sc = {0};
    settle_scene_begin(&sc, "20");
    g_autofree char *text = NULL;
    assert_int_equal(settle_at(&sc, "app.items", 5, 1, NULL), SETTLE_NOT);
    live_sandbox_do(sc.s, FAULT("replyLostAfter", ", \"command\": \"split\""));
    for (int i = 5; i < 7; i++) { /* the first reply is lost */
        bson_t *middle = BCON_NEW("x", BCON_INT32(i));
        struct mongo_result r;
        mongo_split_run(sc.sender->client, &(struct mongo_split){.ns = "app.items", .middle = middle}, &r);
        assert_int_equal(r.class.unknown, i == 5);
        assert_int_equal(r.ok, i == 6);
        mongo_result_clear(&r);
        bson_destroy(middle);
    }
    assert_int_equal(settle_at(&sc, "app.items", 5, 2, NULL), SETTLE_COMMITTED);
    assert_int_equal(settle_at(&sc, "app.items", 5, 3, &text), SETTLE_NOT);
    assert_non_null(strstr(text, "2 of 3"));
    assert_int_equal(settle_at(&sc, "app.nosuch", 5, 1, NULL), SETTLE_VOID);
    live_sandbox_do(sc.s, BLIND);
    g_autofree char *without = NULL;
    assert_int_equal(settle_at(&sc, "app.items", 7, 1, &without), SETTLE_NOT);
    assert_non_null(strstr(without, "clusterMonitor"));
    settle_scene_end(&sc);
}

/* A split waits for the migration of its collection: 4.2 for 20 s, later versions as long as it takes. */
static void split_of_a_migrating_chunk(void **state)
{
    (void)state;
    struct settle_scene sc = {0};
    settle_scene_begin(&sc, "1");
    struct settle_sender o = {.sc = &sc, .cmd = ITEMS(0, 100, "c") "}"};
    struct settle_sender waits = {.sc = &sc, .cmd = "{\"split\": \"app.items\", \"middle\": {\"x\": 50}}"};
    settle_scene_do(&sc, (const char *const[SETTLE_FAULTS]){HANG("alwaysOn")});
    GThread *move = g_thread_new("sender", settle_scene_send, &o);
    settle_scene_await(&sc);
    GThread *split = g_thread_new("sender", settle_scene_send, &waits);
    gint64 until = g_get_monotonic_time() + SETTLE_SCENE_US;
    while (settle_at(&sc, "app.items", 50, 1, NULL) != SETTLE_IN_FLIGHT)
        assert_true(g_get_monotonic_time() < until);
    settle_scene_do(&sc, (const char *const[SETTLE_FAULTS]){HANG("off")});
    g_thread_join(move);
    g_thread_join(split);
    assert_int_equal(settle_at(&sc, "app.items", 50, 1, NULL), SETTLE_COMMITTED);
    settle_scene_end(&sc);
}

static int run_version(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(split_of_a_migrating_chunk),
    };
    return cmocka_run_group_tests_name(settle_version, tests, NULL, NULL);
}

int main(void)
{
    return settle_each_version(run_version);
}
