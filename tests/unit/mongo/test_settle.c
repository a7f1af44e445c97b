// SPDX-License-Identifier: Apache-2.0
/* What became of a migration: every disturbance that was recorded from a real cluster and every fault of the
 * sandbox, on every version, settled at once and settled when it is over. Each version in a process of its
 * own, all at once: they wait more than they work. */
#include "migrations/mongo/commands.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/settle.h"
#include "tests/support/live_sandbox.h"
#include "tests/support/mock_mongos.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const versions[] = {"4.2.25", "4.4.29", "5.0.31", "6.0.20", "7.0.16", "8.0.4"};
static const char *version; /* of this process */

enum { FAULTS = 6, SETTLE_S = 60 };
#define HANG(on) "{\"configureFailPoint\": \"moveChunkHangAtStep4\", \"mode\": \"" on "\"}"
#define FAULT(kind, more) "{\"evenkeelSandboxFault\": \"" kind "\"" more "}"
#define CLEAR FAULT("clear", "")
#define USERS "\"ns\": \"app.items\", \"at\": "

struct scene {
    live_sandbox *s;
    mongo_conn *conn;   /* for looking */
    mongo_conn *sender; /* whose socket timeout is short */
    int64_t sent_at;
};

static mongo_conn *connect_to(const live_sandbox *s, const char *options)
{
    mongo_conn *c = NULL;
    struct err err = {0};
    g_autofree char *uri = g_strconcat(live_sandbox_uri(s), options, NULL);
    if (!mongo_connect(uri, MONGOC_READ_PRIMARY, &c, &err))
        fail_msg("%s", err.msg);
    return c;
}

static void begin(struct scene *sc, const char *speed)
{
    const char *const args[] = {"--speed", speed, "--orphan-delay", "1s", NULL};
    sc->s = live_sandbox_small(version, args);
    sc->conn = connect_to(sc->s, "");
    sc->sender = connect_to(sc->s, "/?socketTimeoutMS=2500");
}

static void end(struct scene *sc)
{
    mongo_conn_free(sc->sender);
    mongo_conn_free(sc->conn);
    live_sandbox_free(sc->s);
}

/* ---- one migration: app.items [0, 100) from a to c ---- */

struct row {
    const char *name;
    const char *before[FAULTS]; /* commands of set-up */
    const char *during[FAULTS]; /* while it is under way; then it is sent by another thread */
    int unknown;                /* of the reply: 0, 1; -1: as it comes */
    enum settle_outcome at_once;
    const char *after[FAULTS]; /* what ends it */
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

static bool newer(void)
{
    return version[0] >= '6';
}

/* The client's own operation, as mongos numbers it. */
static void kill_op(struct scene *sc)
{
    bson_t *reply = live_sandbox_command_json(sc->s, "admin", "{\"currentOp\": 1}"), one;
    bson_iter_t it, item;
    bool killed = false;
    assert_true(bson_iter_init_find(&it, reply, "inprog") && bson_iter_recurse(&it, &item));
    while (!killed && bson_iter_next(&item)) {
        uint32_t len;
        const uint8_t *data;
        bson_iter_t op;
        bson_iter_document(&item, &len, &data);
        assert_true(bson_init_static(&one, data, len));
        bson_t command;
        if (!sandbox_sub(&one, "command", &command) || !bson_has_field(&one, "client") ||
            !(bson_has_field(&command, "moveChunk") || bson_has_field(&command, "moveRange")) ||
            !bson_iter_init_find(&op, &one, "opid"))
            continue;
        g_autofree char *cmd = g_strdup_printf("{\"killOp\": 1, \"op\": %d}", (int)bson_iter_as_int64(&op));
        live_sandbox_do(sc->s, cmd);
        killed = true;
    }
    bson_destroy(reply);
    assert_true(killed);
}

/* Of faults that strike a command the one of this version. */
static void run_all(struct scene *sc, const char *const commands[FAULTS])
{
    for (int i = 0; i < FAULTS && commands[i] != NULL; i++) {
        g_autoptr(GString) cmd = g_string_new(commands[i]);
        g_string_replace(cmd, "\"move\"", newer() ? "\"moveRange\"" : "\"moveChunk\"", 0);
        if (strcmp(cmd->str, "kill") == 0)
            kill_op(sc);
        else if (strcmp(cmd->str, "drop") == 0)
            bson_destroy(live_sandbox_command_json(sc->s, "app", "{\"drop\": \"items\"}"));
        else if (cmd->len > 0)
            live_sandbox_do(sc->s, cmd->str);
    }
}

static void move_items(struct scene *sc, struct mongo_result *ret)
{
    bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
    sc->sent_at = g_get_real_time() / 1000;
    mongo_move_run(
        sc->sender->client,
        &(struct mongo_move){.ns = "app.items", .to = "c", .min = min, .max = max, .move_range = newer()},
        ret);
    bson_destroy(min);
    bson_destroy(max);
}

struct other {
    struct scene *sc;
    const char *cmd; /* NULL: the move itself */
    bool give_up;
    struct mongo_result r;
};

static gpointer send_other(gpointer data)
{
    struct other *o = data;
    if (o->cmd == NULL) {
        move_items(o->sc, &o->r);
        return NULL;
    }
    bson_t *cmd = sandbox_json(o->cmd);
    g_autofree char *uri = g_strconcat(
        live_sandbox_uri(o->sc->s), o->give_up ? "/?socketTimeoutMS=300" : "/?socketTimeoutMS=20000", NULL);
    mongoc_client_t *client = mongoc_client_new(uri);
    mongoc_client_command_simple(client, "admin", cmd, NULL, NULL, NULL);
    mongoc_client_destroy(client);
    bson_destroy(cmd);
    return NULL;
}

static void await_under_way(struct scene *sc)
{
    for (bool busy = false; !busy; g_usleep(1000)) {
        bson_t *reply = live_sandbox_command_json(sc->s, "admin", "{\"currentOp\": 1}");
        char *json = bson_as_relaxed_extended_json(reply, NULL);
        busy = strstr(json, "migrateThread") != NULL;
        bson_free(json);
        bson_destroy(reply);
    }
}

static enum settle_outcome settle_items(struct scene *sc, char **ret_text, bson_t **ret_max)
{
    static const char text_version[] = "1|1||5f0000000000000000000001";
    enum settle_outcome outcome;
    struct err err = {0};
    bson_t *min = sandbox_json("{\"x\": 0}"), *max = sandbox_json("{\"x\": 100}");
    const struct settle_question q = {.ns = "app.items",
                                      .min = min,
                                      .max = max,
                                      .from = "a",
                                      .to = "c",
                                      .version = text_version,
                                      .sent_at = sc->sent_at};
    if (!settle_move(sc->conn->client, &q, &outcome, ret_max, ret_text, &err))
        fail_msg("%s", err.msg);
    bson_destroy(min);
    bson_destroy(max);
    return outcome;
}

static void expect(struct scene *sc, const char *name, const char *when, enum settle_outcome want)
{
    g_autofree char *text = NULL;
    bson_t *max = NULL;
    enum settle_outcome got = settle_items(sc, &text, &max);
    if (got != want)
        fail_msg("%s: %s: %s: %s, not %s: %s", version, name, when, settle_outcome_text(got),
                 settle_outcome_text(want), text);
    assert_non_null(text);
    assert_true((max != NULL) == (got == SETTLE_COMMITTED));
    bson_destroy(max);
}

/* It ends in its own time. */
static void expect_later(struct scene *sc, const struct row *row)
{
    gint64 until = g_get_monotonic_time() + SETTLE_S * G_USEC_PER_SEC;
    while (row->later != SETTLE_IN_FLIGHT && settle_items(sc, NULL, NULL) == SETTLE_IN_FLIGHT &&
           g_get_monotonic_time() < until)
        g_usleep(5000);
    expect(sc, row->name, "later", row->later);
}

static void check_reply(const struct row *row, const struct mongo_result *r)
{
    if (row->unknown >= 0 && r->class.unknown != (row->unknown == 1))
        fail_msg("%s: %s: the outcome is %s: %d %s", version, row->name,
                 r->class.unknown ? "unknown" : "known", r->code, r->message);
}

/* `send`, or the move where it is disturbed under way, comes from a thread of its own; then the move. */
static void run_row(struct scene *sc, const struct row *row)
{
    struct other o = {.sc = sc, .cmd = row->send, .give_up = row->give_up};
    GThread *thread = NULL;
    run_all(sc, row->before);
    if (row->give_up) {
        sc->sent_at = g_get_real_time() / 1000;
        send_other(&o);
    } else if (row->during[0] != NULL) {
        thread = g_thread_new("sender", send_other, &o);
        await_under_way(sc);
        run_all(sc, row->during);
    }
    if (thread == NULL || row->send != NULL) {
        struct mongo_result r = {.code_name = ""};
        if (!row->give_up) {
            move_items(sc, &r);
            check_reply(row, &r);
        }
        mongo_result_clear(&r);
    } else {
        g_thread_join(g_steal_pointer(&thread));
        check_reply(row, &o.r);
        mongo_result_clear(&o.r);
    }
    expect(sc, row->name, "at once", row->at_once);
    run_all(sc, row->after);
    if (thread != NULL)
        g_thread_join(thread);
    expect_later(sc, row);
}

static void disturbed(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct scene sc = {0};
        begin(&sc, "20");
        run_row(&sc, &rows[i]);
        end(&sc);
    }
    print_message("%s: %zu disturbances\n", version, G_N_ELEMENTS(rows));
}

/* ---- where operations may not be seen ---- */

#define BLIND                                                                                                \
    "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": "        \
    "[\"aggregate\"], "                                                                                      \
    "\"errorCode\": 13}}"

static const struct {
    const char *name;
    const char *before[FAULTS];
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
        struct scene sc = {0};
        g_autofree char *text = NULL;
        struct mongo_result r;
        begin(&sc, "1"); /* the changelog's time is ours */
        run_all(&sc, blind_rows[i].before);
        if (blind_rows[i].send_twice) {
            move_items(&sc, &r);
            mongo_result_clear(&r);
            run_all(&sc, (const char *const[FAULTS]){FAULT("replyLostBefore", ", \"command\": \"move\"")});
            g_usleep(5000); /* the clocks count milliseconds */
        }
        move_items(&sc, &r);
        assert_true(r.class.unknown);
        mongo_result_clear(&r);
        live_sandbox_do(sc.s, BLIND);
        if (blind_rows[i].untimed)
            sc.sent_at = 0;
        enum settle_outcome got = settle_items(&sc, &text, NULL);
        if (got != blind_rows[i].want || strstr(text, blind_rows[i].text) == NULL)
            fail_msg("%s: %s: %s: %s", version, blind_rows[i].name, settle_outcome_text(got), text);
        end(&sc);
    }
}

/* The entry of the end is missing (logging is best effort), but the donor has begun another one. */
static void another_was_begun(void **state)
{
    (void)state;
    if (version[0] != '7')
        return;
    struct scene sc = {0};
    begin(&sc, "1");
    int64_t now = g_get_real_time() / 1000;
    live_sandbox_free(sc.s);
    mongo_conn_free(sc.conn);
    mongo_conn_free(sc.sender);
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
        const char *const args[] = {"--snapshot", path, "--server-version", version, NULL};
        g_autofree char *text = NULL;
        sc.s = live_sandbox_new(args);
        sc.conn = connect_to(sc.s, "");
        sc.sender = connect_to(sc.s, "");
        sc.sent_at = now;
        live_sandbox_do(sc.s, BLIND);
        enum settle_outcome got = settle_items(&sc, &text, NULL);
        if (got != tries[i].want)
            fail_msg("try %zu: %s: %s", i, settle_outcome_text(got), text);
        end(&sc);
    }
}

/* ---- the donor chose the end ---- */

static void open_end(void **state)
{
    (void)state;
    if (!newer())
        return;
    struct scene sc = {0};
    begin(&sc, "20");
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
    end(&sc);
}

/* ---- splits ---- */

static enum settle_outcome settle_at(struct scene *sc, const char *ns, int first, int count, char **ret_text)
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
    struct scene sc = {0};
    begin(&sc, "20");
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
    end(&sc);
}

/* A split waits for the migration of its collection: 4.2 for 20 s, later versions as long as it takes. */
static void split_of_a_migrating_chunk(void **state)
{
    (void)state;
    struct scene sc = {0};
    begin(&sc, "1");
    struct other o = {.sc = &sc, .cmd = ITEMS(0, 100, "c") "}"};
    struct other waits = {.sc = &sc, .cmd = "{\"split\": \"app.items\", \"middle\": {\"x\": 50}}"};
    run_all(&sc, (const char *const[FAULTS]){HANG("alwaysOn")});
    GThread *move = g_thread_new("sender", send_other, &o);
    await_under_way(&sc);
    GThread *split = g_thread_new("sender", send_other, &waits);
    gint64 until = g_get_monotonic_time() + SETTLE_S * G_USEC_PER_SEC;
    while (settle_at(&sc, "app.items", 50, 1, NULL) != SETTLE_IN_FLIGHT)
        assert_true(g_get_monotonic_time() < until);
    run_all(&sc, (const char *const[FAULTS]){HANG("off")});
    g_thread_join(move);
    g_thread_join(split);
    assert_int_equal(settle_at(&sc, "app.items", 50, 1, NULL), SETTLE_COMMITTED);
    end(&sc);
}

/* ---- looks that differ ---- */

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
    if (version[0] != '7')
        return;
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
            fail_msg("%s: %s, %u finds: %s", look_rows[i].name, settle_outcome_text(got), n,
                     done ? text : err.msg);
        bson_destroy(min);
        bson_destroy(max);
    }
}

static void outcomes_have_words(void **state)
{
    (void)state;
    for (int a = SETTLE_COMMITTED; a <= SETTLE_VOID; a++)
        for (int b = SETTLE_COMMITTED; b < a; b++)
            assert_string_not_equal(settle_outcome_text((enum settle_outcome)a),
                                    settle_outcome_text((enum settle_outcome)b));
}

/* ---- when nobody can be asked ---- */

static void unreachable(void **state)
{
    (void)state;
    struct scene sc = {0};
    begin(&sc, "1");
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
    end(&sc);
}

static int run_version(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disturbed),
        cmocka_unit_test(blind),
        cmocka_unit_test(another_was_begun),
        cmocka_unit_test(open_end),
        cmocka_unit_test(splits),
        cmocka_unit_test(split_of_a_migrating_chunk),
        cmocka_unit_test(unreachable),
        cmocka_unit_test(looks_that_differ),
        cmocka_unit_test(outcomes_have_words),
    };
    return cmocka_run_group_tests_name(version, tests, NULL, NULL);
}

int main(void)
{
    pid_t children[G_N_ELEMENTS(versions)];
    int failed = 0;
    const char *only = getenv("ONLY_VERSION");
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        version = versions[i];
        children[i] = only != NULL && strcmp(only, version) != 0 ? -1 : fork();
        if (children[i] == 0)
            exit(run_version() != 0);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        int status = 0;
        if (children[i] > 0 && (waitpid(children[i], &status, 0) != children[i] || status != 0)) {
            fprintf(stderr, "%s failed\n", versions[i]);
            failed++;
        }
    }
    return failed;
}
