// SPDX-License-Identifier: Apache-2.0
/* What became of a migration, where operations may not be seen: the changelog stands in for them. */
#include "tests/support/sandbox_cluster.h"
#include "tests/support/settle_scene.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name;
    const char *before[SETTLE_FAULTS];
    const char *other; /* a move after it */
    bool untimed;      /* it is not known when it was sent */
    bool send_twice;   /* the first time undisturbed: the changelog has an older end */
    enum settle_outcome want;
    const char *text;
} blind_rows[] = {
    {"the changelog has its end",
     {FAULT("errorCode", ", \"step\": 4, \"code\": 91")},
     .want = SETTLE_NOT,
     .text = "clusterMonitor"},
    {"it was never begun",
     {FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .want = SETTLE_IN_FLIGHT,
     .text = "clusterMonitor"},
    {"it hangs", {HANG("alwaysOn")}, .want = SETTLE_IN_FLIGHT, .text = ""},
    {"the end is of an earlier attempt",
     {FAULT("errorCode", ", \"step\": 4, \"code\": 91, \"times\": 1"),
      FAULT("replyLostBefore", ", \"command\": \"gone\"")},
     .send_twice = true,
     .want = SETTLE_IN_FLIGHT,
     .text = "clusterMonitor"},
    {"nobody knows when it was sent",
     {FAULT("errorCode", ", \"step\": 4, \"code\": 91")},
     .untimed = true,
     .want = SETTLE_IN_FLIGHT,
     .text = "clusterMonitor"},
    {"it was carried out",
     {FAULT("replyLostAfter", ", \"command\": \"move\"")},
     .want = SETTLE_COMMITTED,
     .text = ""},
};

static void blind(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(blind_rows); i++) {
        struct settle_scene sc = {0};
        g_autofree char *text = NULL;
        struct mongo_result r;
        settle_scene_begin(&sc, "1"); /* the changelog's time is ours */
        settle_scene_do(&sc, blind_rows[i].before);
        if (blind_rows[i].send_twice) {
            settle_scene_move(&sc, &r);
            mongo_result_clear(&r);
            settle_scene_do(
                &sc, (const char *const[SETTLE_FAULTS]){FAULT("replyLostBefore", ", \"command\": \"move\"")});
            g_usleep(5000); /* the clocks count milliseconds */
        }
        settle_scene_move(&sc, &r);
        assert_true(r.class.unknown);
        mongo_result_clear(&r);
        live_sandbox_do(sc.s, BLIND);
        if (blind_rows[i].untimed)
            sc.sent_at = 0;
        enum settle_outcome got = settle_scene_ask(&sc, &text, NULL);
        if (got != blind_rows[i].want || strstr(text, blind_rows[i].text) == NULL)
            fail_msg("%s: %s: %s: %s", settle_version, blind_rows[i].name, settle_word(got), text);
        settle_scene_end(&sc);
    }
}

/* The entry of the end is missing (logging is best effort), but the donor has begun another one. */
static void another_was_begun(void **state)
{
    (void)state;
    if (settle_version[0] != '7')
        return;
    struct settle_scene sc = {0};
    int64_t now = g_get_real_time() / 1000;
#define ENTRY(at, what, min)                                                                                 \
    "{\"_id\": \"%d\", \"ns\": \"app.items\", \"time\": {\"$date\": {\"$numberLong\": \"%" G_GINT64_FORMAT   \
    "\"}}, \"what\": \"" what "\", \"details\": {\"min\": {\"x\": " min                                      \
    "}, \"from\": \"a\", \"to\": \"c\"}}"
    static const struct {
        int64_t began, other; /* after it was sent; 0: none */
        enum settle_outcome want;
    } tries[] = {
        {10, 20, SETTLE_NOT},
        {10, 0, SETTLE_IN_FLIGHT},
        {20, 10, SETTLE_IN_FLIGHT}, /* that was before ours */
        {0, 10, SETTLE_IN_FLIGHT},  /* ours may be begun yet */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(tries); i++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autoptr(GString) json = g_string_new("{\"changelog\": [");
        const char *comma = "";
        for (int k = 0; k < 2; k++) {
            bool own = (k == 0) == (tries[i].began < tries[i].other);
            int64_t at = own ? tries[i].began : tries[i].other;
            if (at == 0)
                continue;
            g_string_append(json, comma);
            if (own)
                g_string_append_printf(json, ENTRY(at, "moveChunk.start", "0"), k, now + at);
            else
                g_string_append_printf(json, ENTRY(at, "moveChunk.start", "100"), k, now + at);
            comma = ", ";
        }
        g_string_append_printf(json, "], %s", sandbox_small_state + 1);
        g_autofree char *path = temp_dir_write(dir, "s.json", json->str, json->len);
        const char *const args[] = {"--snapshot", path, "--server-version", settle_version, NULL};
        g_autofree char *text = NULL;
        sc.s = live_sandbox_new(args);
        sc.conn = settle_scene_connect(sc.s, "");
        sc.sender = settle_scene_connect(sc.s, "");
        sc.sent_at = now;
        live_sandbox_do(sc.s, BLIND);
        enum settle_outcome got = settle_scene_ask(&sc, &text, NULL);
        if (got != tries[i].want)
            fail_msg("try %zu: %s: %s", i, settle_word(got), text);
        settle_scene_end(&sc);
    }
}

static int run_version(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blind),
        cmocka_unit_test(another_was_begun),
    };
    return cmocka_run_group_tests_name(settle_version, tests, NULL, NULL);
}

int main(void)
{
    return settle_each_version(run_version);
}
