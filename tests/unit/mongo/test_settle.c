// SPDX-License-Identifier: Apache-2.0
/* What became of a migration: every disturbance that was recorded from a real cluster and every fault of the
 * sandbox, on every version, settled at once and settled when it is over. */
#include "tests/support/sandbox_cluster.h"
#include "tests/support/settle_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- app.items [0, 100) from a to c ---- */

struct row {
    const char *name;
    const char *before[SETTLE_FAULTS]; /* commands of set-up */
    const char *during[SETTLE_FAULTS]; /* while it is under way; then it is sent by another thread */
    int unknown;                       /* of the reply: 0, 1; -1: as it comes */
    enum settle_outcome at_once;
    const char *after[SETTLE_FAULTS]; /* what ends it */
    enum settle_outcome later;
    const char *send; /* another command than the move; NULL: the move */
    bool give_up;     /* the client does not wait for the reply */
};

static const struct row rows[] = {
    {"nothing disturbs it", .at_once = SETTLE_COMMITTED, .later = SETTLE_COMMITTED},

    /* recorded from a cluster */
    {"another chunk of the donor while it donates",
     {HANG("alwaysOn")},
     .send = ITEMS(100, 200, "b") "}",
     .during = {""},
     .at_once = SETTLE_NOT,
     .after = {HANG("off")},
     .later = SETTLE_NOT},
    {"the same chunk elsewhere while it migrates",
     {HANG("alwaysOn")},
     .send = ITEMS(0, 100, "b") "}",
     .during = {""},
     .at_once = SETTLE_IN_FLIGHT,
     .after = {HANG("off")},
     .later = SETTLE_VOID},
    {"joined by an identical request",
     {HANG("alwaysOn")},
     .send = ITEMS(0, 100, "c") "}",
     .during = {HANG("off")},
     .at_once = SETTLE_COMMITTED,
     .later = SETTLE_COMMITTED},
    {"maxTimeMS",
     {HANG("alwaysOn")},
     .send = ITEMS(0, 100, "c") ", \"maxTimeMS\": 100}",
     .give_up = true,
     .at_once = SETTLE_IN_FLIGHT,
     .after = {HANG("off")},
     .later = SETTLE_COMMITTED},
    {"the client gives up",
     {HANG("alwaysOn")},
     .unknown = 1,
     .at_once = SETTLE_IN_FLIGHT,
     .after = {HANG("off")},
     .later = SETTLE_COMMITTED},
    {"the recipient cannot commit",
     {"{\"configureFailPoint\": \"failMigrationCommit\", \"mode\": \"alwaysOn\"}"},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"the config servers' reply to the commit is lost",
     {"{\"configureFailPoint\": \"migrationCommitNetworkError\", \"mode\": \"alwaysOn\"}"},
     .at_once = SETTLE_COMMITTED,
     .later = SETTLE_COMMITTED},
    {"the recipient dies",
     {HANG("alwaysOn")},
     {FAULT("shardUnreachable", ", \"shard\": \"c\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .after = {CLEAR, HANG("off")},
     .later = SETTLE_NOT},
    {"the donor dies",
     {HANG("alwaysOn")},
     {FAULT("shardUnreachable", ", \"shard\": \"a\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .after = {CLEAR, HANG("off")},
     .later = SETTLE_NOT},
    {"the donor steps down",
     {HANG("alwaysOn")},
     {FAULT("stepdown", ", \"shard\": \"a\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .after = {CLEAR, HANG("off")},
     .later = SETTLE_NOT},
    {"the config servers step down meanwhile",
     {HANG("alwaysOn")},
     {FAULT("stepdown", ", \"shard\": \"config\", \"ms\": 5000"), HANG("off")},
     .at_once = SETTLE_COMMITTED,
     .later = SETTLE_COMMITTED},
    {"killOp on mongos",
     {HANG("alwaysOn")},
     {"kill"},
     .unknown = 1,
     .at_once = SETTLE_IN_FLIGHT,
     .after = {HANG("off")},
     .later = SETTLE_COMMITTED},
    {"the recipient is down before",
     {FAULT("shardUnreachable", ", \"shard\": \"c\"")},
     .at_once = SETTLE_NOT,
     .after = {CLEAR},
     .later = SETTLE_NOT},
    {"the connection breaks in flight",
     {HANG("alwaysOn")},
     .send = ITEMS(0, 100, "c") "}",
     .give_up = true,
     .at_once = SETTLE_IN_FLIGHT,
     .after = {HANG("off")},
     .later = SETTLE_COMMITTED},

    /* the sandbox's faults */
    {"lost before it is carried out",
     {FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"lost after it was carried out",
     {FAULT("replyLostAfter", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_COMMITTED,
     .later = SETTLE_COMMITTED},
    {"an error on arrival that says nothing",
     {FAULT("errorCode", ", \"command\": \"move\", \"code\": 64")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"an error at a step, wrapped",
     {FAULT("errorCode", ", \"step\": 4, \"code\": 91")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"an error at a step, plain",
     {FAULT("errorCode", ", \"step\": 2, \"code\": 27")},
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"a stall longer than the deadline",
     {FAULT("stall", ", \"ms\": 3600000")},
     .unknown = 1,
     .at_once = SETTLE_IN_FLIGHT,
     .later = SETTLE_IN_FLIGHT},
    {"a slow shard",
     {FAULT("slowShard", ", \"shard\": \"c\", \"factor\": 4")},
     .at_once = SETTLE_COMMITTED,
     .later = SETTLE_COMMITTED},
    {"no config servers while it waits",
     {FAULT("configUnavailable", ", \"ms\": 3600000")},
     .give_up = true,
     .send = ITEMS(0, 100, "c") "}",
     .at_once = SETTLE_NOT, /* nobody waits for it in mongos any more */
     .after = {CLEAR},
     .later = SETTLE_NOT},
    {"no config servers at the commit",
     {HANG("alwaysOn")},
     {FAULT("configUnavailable", ", \"ms\": 3600000"), HANG("off")},
     .unknown = 1, /* waits for them longer than the deadline */
     .at_once = SETTLE_IN_FLIGHT,
     .later = SETTLE_IN_FLIGHT},
    {"the donor has no primary",
     {FAULT("stepdown", ", \"shard\": \"a\", \"ms\": 3600000")},
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"somebody moves it elsewhere meanwhile",
     {HANG("alwaysOn")},
     {FAULT("chunkMoved", ", " USERS "{\"x\": 5}, \"to\": \"b\""), HANG("off")},
     .unknown = 1,
     .at_once = SETTLE_VOID,
     .later = SETTLE_VOID},
    {"somebody moves it there",
     {FAULT("chunkMoved", ", " USERS "{\"x\": 5}, \"to\": \"c\""),
      FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_COMMITTED,
     .later = SETTLE_COMMITTED},
    {"somebody splits it, and the donor keeps it",
     {FAULT("chunkSplit", ", " USERS "{\"x\": 50}"), FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"somebody splits it, and one part goes there",
     {FAULT("chunkSplit", ", " USERS "{\"x\": 50}"), FAULT("replyLostBefore", ", \"command\": \"move\""),
      FAULT("chunkMoved", ", " USERS "{\"x\": 5}, \"to\": \"c\"")},
     .unknown = 1,
     .at_once = SETTLE_VOID,
     .later = SETTLE_VOID},
    {"it arrives, and is split there",
     {FAULT("replyLostAfter", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_COMMITTED,
     .after = {FAULT("chunkSplit", ", " USERS "{\"x\": 50}"), FAULT("chunkSplit", ", " USERS "{\"x\": 20}")},
     .later = SETTLE_COMMITTED},
    {"it arrives, and goes on",
     {FAULT("replyLostAfter", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_COMMITTED,
     .after = {FAULT("chunkMoved", ", " USERS "{\"x\": 5}, \"to\": \"b\"")},
     .later = SETTLE_VOID},
    {"the donor is removed",
     {FAULT("shardRemoved", ", \"shard\": \"a\""), FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_VOID, /* its chunks are at the first that is left */
     .later = SETTLE_VOID},
    {"the recipient is removed",
     {FAULT("shardRemoved", ", \"shard\": \"c\"")},
     .at_once = SETTLE_NOT,
     .later = SETTLE_NOT},
    {"the collection is dropped",
     {FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .after = {"drop"},
     .later = SETTLE_VOID},
    {"the collection is dropped and made anew",
     {FAULT("replyLostBefore", ", \"command\": \"move\"")},
     .unknown = 1,
     .at_once = SETTLE_NOT,
     .after = {"drop", "{\"enableSharding\": \"app\"}",
               "{\"shardCollection\": \"app.items\", \"key\": {\"x\": 1}}"},
     .later = SETTLE_VOID},
};

static void expect(struct settle_scene *sc, const char *name, const char *when, enum settle_outcome want)
{
    g_autofree char *text = NULL;
    bson_t *max = NULL;
    enum settle_outcome got = settle_scene_ask(sc, &text, &max);
    if (got != want)
        fail_msg("%s: %s: %s: %s, not %s: %s", settle_version, name, when, settle_word(got),
                 settle_word(want), text);
    assert_non_null(text);
    assert_true((max != NULL) == (got == SETTLE_COMMITTED));
    bson_destroy(max);
}

/* It ends in its own time. */
static void expect_later(struct settle_scene *sc, const struct row *row)
{
    gint64 until = g_get_monotonic_time() + SETTLE_SCENE_US;
    while (row->later != SETTLE_IN_FLIGHT && settle_scene_ask(sc, NULL, NULL) == SETTLE_IN_FLIGHT &&
           g_get_monotonic_time() < until)
        g_usleep(5000);
    expect(sc, row->name, "later", row->later);
}

static void check_reply(const struct row *row, const struct mongo_result *r)
{
    if (row->unknown >= 0 && r->class.unknown != (row->unknown == 1))
        fail_msg("%s: %s: the outcome is %s: %d %s", settle_version, row->name,
                 r->class.unknown ? "unknown" : "known", r->code, r->message);
}

/* `send`, or the move where it is disturbed under way, comes from a thread of its own; then the move. */
static void run_row(struct settle_scene *sc, const struct row *row)
{
    struct settle_sender o = {.sc = sc, .cmd = row->send, .give_up = row->give_up};
    GThread *thread = NULL;
    settle_scene_do(sc, row->before);
    if (row->give_up) {
        sc->sent_at = g_get_real_time() / 1000;
        settle_scene_send(&o);
    } else if (row->during[0] != NULL) {
        thread = g_thread_new("sender", settle_scene_send, &o);
        settle_scene_await(sc);
        settle_scene_do(sc, row->during);
    }
    if (thread == NULL || row->send != NULL) {
        struct mongo_result r = {.code_name = ""};
        if (!row->give_up) {
            settle_scene_move(sc, &r);
            check_reply(row, &r);
        }
        mongo_result_clear(&r);
    } else {
        g_thread_join(g_steal_pointer(&thread));
        check_reply(row, &o.r);
        mongo_result_clear(&o.r);
    }
    expect(sc, row->name, "at once", row->at_once);
    settle_scene_do(sc, row->after);
    if (thread != NULL)
        g_thread_join(thread);
    expect_later(sc, row);
}

static void disturbed(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct settle_scene sc = {0};
        settle_scene_begin(&sc, "20");
        run_row(&sc, &rows[i]);
        settle_scene_end(&sc);
    }
    print_message("%s: %zu disturbances\n", settle_version, G_N_ELEMENTS(rows));
}

/* ---- the donor chose the end ---- */

static void open_end(void **state)
{
    (void)state;
    if (!settle_scene_newer())
        return;
    struct settle_scene sc = {0};
    settle_scene_begin(&sc, "20");
    bson_t *min = sandbox_json("{\"x\": 200}"), *max = sandbox_json("{\"x\": {\"$maxKey\": 1}}"),
           *end_of = NULL;
    const struct settle_question q = {
        .ns = "app.items", .min = min, .max = max, .open_max = true, .from = "b", .to = "c"};
    enum settle_outcome outcome;
    struct mongo_result r;
    assert_true(settle_move(sc.conn->client, &q, &outcome, &end_of, NULL, NULL));
    assert_int_equal(outcome, SETTLE_NOT);
    assert_null(end_of);
    mongo_move_run(sc.sender->client,
                   &(struct mongo_move){.ns = "app.items", .to = "c", .min = min, .move_range = true}, &r);
    assert_true(r.ok);
    mongo_result_clear(&r);
    assert_true(settle_move(sc.conn->client, &q, &outcome, &end_of, NULL, NULL));
    assert_int_equal(outcome, SETTLE_COMMITTED);
    assert_non_null(end_of);
    assert_false(bson_equal(end_of, max)); /* a part of 4 MB, of chunks of 1 MB */
    bson_destroy(end_of);
    live_sandbox_do(sc.s, FAULT("chunkMoved", ", " USERS "{\"x\": 200}, \"to\": \"a\""));
    assert_true(settle_move(sc.conn->client, &q, &outcome, NULL, NULL, NULL));
    assert_int_equal(outcome, SETTLE_VOID);
    bson_destroy(min);
    bson_destroy(max);
    settle_scene_end(&sc);
}

static int run_version(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disturbed),
        cmocka_unit_test(open_end),
    };
    return cmocka_run_group_tests_name(settle_version, tests, NULL, NULL);
}

int main(void)
{
    return settle_each_version(run_version);
}
