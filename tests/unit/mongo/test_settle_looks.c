// SPDX-License-Identifier: Apache-2.0
/* What became of a migration, where looks at the cluster differ or see odd things, and where nobody can be
 * asked. */
#include "tests/support/mock_mongos.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/settle_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COLLECTION                                                                                           \
    "[{\"_id\": \"app.items\", \"key\": {\"x\": 1}, \"lastmodEpoch\": {\"$oid\": "                           \
    "\"5f0000000000000000000001\"}}]"
#define CHUNK(min, max, shard)                                                                               \
    "{\"ns\": \"app.items\", \"min\": {\"x\": " min "}, \"max\": {\"x\": " max "}, \"shard\": \"" shard "\"" \
    "}"
#define IDLE "{\"ok\": 1, \"cursor\": {\"id\": 0, \"ns\": \"admin.$cmd.aggregate\", \"firstBatch\": []}}"
#define BUSY(op)                                                                                             \
    "{\"ok\": 1, \"cursor\": {\"id\": 0, \"ns\": \"admin.$cmd.aggregate\", \"firstBatch\": [" op "]}}"

static const struct {
    const char *name;
    const char *chunks[8]; /* what each find sees */
    const char *ops;
    enum settle_outcome want;
    unsigned finds; /* of chunks */
    bool fails;
} look_rows[] = {
    {"it arrives between the looks",
     {CHUNK("0", "100", "a"), CHUNK("0", "100", "c")},
     IDLE,
     SETTLE_COMMITTED,
     2},
    {"it stays", {CHUNK("0", "100", "a"), CHUNK("0", "100", "a")}, IDLE, SETTLE_NOT, 2},
    {"somebody takes it between the looks",
     {CHUNK("0", "100", "a"), CHUNK("0", "100", "b")},
     IDLE,
     SETTLE_VOID,
     2},
    {"a gap while it is read",
     {CHUNK("0", "50", "c"), CHUNK("60", "100", "c"), CHUNK("0", "50", "c"), CHUNK("50", "100", "c")},
     IDLE,
     SETTLE_COMMITTED,
     4},
    {"a gap that stays", {CHUNK("0", "50", "c"), ""}, IDLE, SETTLE_VOID, 8, true},
    {"no chunks at all", {""}, IDLE, SETTLE_VOID, 8, true},
    {"a donor that tells little",
     {CHUNK("0", "100", "a")},
     BUSY("{\"desc\": \"MoveChunk\", \"shard\": \"a\"}"),
     SETTLE_IN_FLIGHT,
     1},
    {"another donor that tells little",
     {CHUNK("0", "100", "a")},
     BUSY("{\"desc\": \"MoveChunk\", \"shard\": \"b\"}"),
     SETTLE_NOT,
     2},
    {"the recipient's thread",
     {CHUNK("0", "100", "a")},
     BUSY("{\"desc\": \"migrateThread\", \"shard\": \"c\", \"command\": {}}"),
     SETTLE_IN_FLIGHT,
     1},
    {"a command that tells no more than the collection",
     {CHUNK("0", "100", "a")},
     BUSY("{\"command\": {\"_shardsvrMoveRange\": \"app.items\"}}"),
     SETTLE_IN_FLIGHT,
     1},
    {"a command of mongos that tells `bounds`",
     {CHUNK("0", "100", "a")},
     BUSY("{\"command\": {\"moveChunk\": \"app.items\", \"bounds\": [{\"x\": 0.0}, {\"x\": 100}]}}"),
     SETTLE_IN_FLIGHT,
     1},
    {"one that tells others",
     {CHUNK("0", "100", "a")},
     BUSY("{\"command\": {\"moveChunk\": \"app.items\", \"bounds\": [{\"x\": 5}, {\"x\": 100}]}}"),
     SETTLE_NOT,
     2},
    {"documents of other shapes",
     {CHUNK("0", "100", "a")},
     BUSY("{\"command\": 5, \"desc\": {}, \"shard\": []}, {\"command\": {\"moveChunk\": 7, \"min\": 8, "
          "\"bounds\": 9}}, {}"),
     SETTLE_NOT,
     2},
    {"a chunk without a shard",
     {"{\"ns\": \"app.items\", \"min\": {\"x\": 0}, \"max\": {\"x\": 100}}"},
     IDLE,
     SETTLE_VOID,
     1,
     true},
    {"a chunk whose bound is no document",
     {"{\"ns\": \"app.items\", \"min\": 5, \"max\": {\"x\": 100}, \"shard\": \"a\"}"},
     IDLE,
     SETTLE_VOID,
     1,
     true},
};

static void looks_that_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(look_rows); i++) {
        g_autoptr(mock_mongos) mock = mock_mongos_new();
        mock_mongos_role(mock, true, "7.0.14");
        mock_mongos_add(mock, "config.collections", COLLECTION);
        for (int k = 0; k < 8 && look_rows[i].chunks[k] != NULL; k++) {
            g_autofree char *list = g_strdup_printf("[%s]", look_rows[i].chunks[k]);
            mock_mongos_add(mock, "config.chunks", list);
        }
        mock_mongos_reply(mock, "aggregate", look_rows[i].ops);
        g_autofree char *uri = mock_mongos_uri(mock, "");
        g_autoptr(mongo_conn) c = NULL;
        g_autofree char *text = NULL;
        enum settle_outcome got = SETTLE_VOID;
        struct err err = {0};
        assert_true(mongo_connect(uri, MONGOC_READ_PRIMARY, &c, NULL));
        bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
        const struct settle_question q = {.ns = "app.items", .min = min, .max = max, .from = "a", .to = "c"};
        bool done = settle_move(c->client, &q, &got, NULL, &text, &err);
        g_autoptr(GPtrArray) finds = mock_mongos_log(mock, "find");
        unsigned n = 0;
        for (guint k = 0; k < finds->len; k++)
            n += strstr(finds->pdata[k], "\"chunks\"") != NULL ? 1 : 0;
        if (done == look_rows[i].fails || got != look_rows[i].want || n != look_rows[i].finds)
            fail_msg("%s: %s, %u finds: %s", look_rows[i].name, settle_word(got), n, done ? text : err.msg);
        bson_destroy(min);
        bson_destroy(max);
    }
}

/* ---- when nobody can be asked ---- */

static void unreachable(void **state)
{
    (void)state;
    struct settle_scene sc = {0};
    settle_version = "7.0.16";
    settle_scene_begin(&sc, "1");
    live_sandbox_kill(sc.s);
    enum settle_outcome outcome = SETTLE_VOID;
    struct err err = {0};
    bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
    g_autoptr(GPtrArray) at = g_ptr_array_new();
    g_ptr_array_add(at, min);
    const struct settle_question q = {.ns = "app.items", .min = min, .max = max, .from = "a", .to = "c"};
    assert_false(settle_move(sc.conn->client, &q, &outcome, NULL, NULL, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    err = (struct err){0};
    assert_false(settle_split(sc.conn->client, "app.items", at, &outcome, NULL, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_int_equal(outcome, SETTLE_VOID); /* as it was */
    bson_destroy(min);
    bson_destroy(max);
    settle_scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_that_differ),
        cmocka_unit_test(unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
