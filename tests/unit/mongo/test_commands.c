// SPDX-License-Identifier: Apache-2.0
/* Moves and splits: their documents to the byte, what else goes over the wire with them, and what comes back
 * of every version. */
#include "migrations/mongo/commands.h"
#include "migrations/mongo/connect.h"
#include "migrations/mongo/mongo_pool.h"
#include "tests/support/live_sandbox.h"
#include "tests/support/mock_mongos.h"
#include "tests/support/sandbox_cluster.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LONG_7 "{\"$numberLong\": \"7\"}"

/* ---- documents ---- */

struct doc_row {
    const char *name;
    const char *min, *max;
    struct mongo_move m; /* without ns, to, min, max */
    const char *want;
};

static const struct doc_row moves[] = {
    {"moveChunk, plain",
     "{\"h\": " LONG_7 "}",
     "{\"h\": {\"$numberLong\": \"9\"}}",
     {0},
     "{\"moveChunk\": \"d.c\", \"bounds\": [{\"h\": " LONG_7 "}, {\"h\": {\"$numberLong\": \"9\"}}], \"to\": "
     "\"s1\"}"},
    {"moveChunk, everything",
     "{\"a\": 1.0, \"b\": {\"$minKey\": 1}}",
     "{\"a\": {\"$maxKey\": 1}, \"b\": {\"$maxKey\": 1}}",
     {.force_jumbo = true,
      .wait_for_delete = true,
      .throttle = THROTTLE_CONCERN,
      .throttle_mode = "majority"},
     "{\"moveChunk\": \"d.c\", \"bounds\": [{\"a\": {\"$numberDouble\": \"1.0\"}, \"b\": {\"$minKey\": 1}}, "
     "{\"a\": "
     "{\"$maxKey\": 1}, \"b\": {\"$maxKey\": 1}}], \"to\": \"s1\", \"forceJumbo\": true, "
     "\"_secondaryThrottle\": "
     "true, \"writeConcern\": {\"w\": \"majority\"}, \"_waitForDelete\": true}"},
    {"moveChunk, throttled",
     "{\"a\": 1}",
     "{\"a\": 2}",
     {.throttle = THROTTLE_ON},
     "{\"moveChunk\": \"d.c\", \"bounds\": [{\"a\": 1}, {\"a\": 2}], \"to\": \"s1\", \"_secondaryThrottle\": "
     "true}"},
    {"moveChunk, not throttled; a concern given to the wrong kind is left out",
     "{\"a\": 1}",
     "{\"a\": 2}",
     {.throttle = THROTTLE_OFF, .throttle_members = 2, .throttle_mode = "majority"},
     "{\"moveChunk\": \"d.c\", \"bounds\": [{\"a\": 1}, {\"a\": 2}], \"to\": \"s1\", \"_secondaryThrottle\": "
     "false}"},
    {"moveChunk, a number of members",
     "{\"a\": 1}",
     "{\"a\": 2}",
     {.throttle = THROTTLE_CONCERN, .throttle_members = 2, .throttle_mode = "majority"},
     "{\"moveChunk\": \"d.c\", \"bounds\": [{\"a\": 1}, {\"a\": 2}], \"to\": \"s1\", \"_secondaryThrottle\": "
     "true, "
     "\"writeConcern\": {\"w\": 2}}"},
    {"moveChunk, a concern that says nothing",
     "{\"a\": 1}",
     "{\"a\": 2}",
     {.throttle = THROTTLE_CONCERN},
     "{\"moveChunk\": \"d.c\", \"bounds\": [{\"a\": 1}, {\"a\": 2}], \"to\": \"s1\", \"_secondaryThrottle\": "
     "true}"},
    {"moveRange, plain",
     "{\"a\": 1}",
     "{\"a\": 2}",
     {.move_range = true},
     "{\"moveRange\": \"d.c\", \"toShard\": \"s1\", \"min\": {\"a\": 1}, \"max\": {\"a\": 2}}"},
    {"moveRange, the donor chooses the end",
     "{\"a\": 1}",
     NULL,
     {.move_range = true},
     "{\"moveRange\": \"d.c\", \"toShard\": \"s1\", \"min\": {\"a\": 1}}"},
    {"an open end is moveRange's alone",
     "{\"a\": 1}",
     NULL,
     {0},
     "{\"moveRange\": \"d.c\", \"toShard\": \"s1\", \"min\": {\"a\": 1}}"},
    {"moveRange, everything",
     "{\"a\": 1}",
     "{\"a\": 2}",
     {.move_range = true,
      .force_jumbo = true,
      .wait_for_delete = true,
      .throttle = THROTTLE_CONCERN,
      .throttle_members = 3},
     "{\"moveRange\": \"d.c\", \"toShard\": \"s1\", \"min\": {\"a\": 1}, \"max\": {\"a\": 2}, "
     "\"forceJumbo\": true, "
     "\"secondaryThrottle\": true, \"writeConcern\": {\"w\": 3}, \"waitForDelete\": true}"},
};

static void expect_doc(const char *name, const char *want_json, const bson_t *got)
{
    bson_t *want = sandbox_json(want_json);
    if (!bson_equal(want, got)) {
        char *a = bson_as_canonical_extended_json(want, NULL),
             *b = bson_as_canonical_extended_json(got, NULL);
        fail_msg("%s:\n %s\n %s", name, a, b);
    }
    bson_destroy(want);
}

static void exact_moves(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(moves); i++) {
        struct mongo_move m = moves[i].m;
        bson_t *min = sandbox_json(moves[i].min),
               *max = moves[i].max != NULL ? sandbox_json(moves[i].max) : NULL;
        m.ns = "d.c";
        m.to = "s1";
        m.min = min;
        m.max = max;
        bson_t *cmd = mongo_move_command(&m);
        expect_doc(moves[i].name, moves[i].want, cmd);
        bson_destroy(cmd);
        bson_destroy(min);
        bson_destroy(max);
    }
    print_message("%zu moves\n", G_N_ELEMENTS(moves));
}

static void exact_splits(void **state)
{
    (void)state;
    bson_t *a = sandbox_json("{\"h\": " LONG_7 "}"), *b = sandbox_json("{\"h\": {\"$maxKey\": 1}}");
    bson_t *at = mongo_split_command(&(struct mongo_split){.ns = "d.c", .middle = a});
    bson_t *median = mongo_split_command(&(struct mongo_split){.ns = "d.c", .min = a, .max = b});
    expect_doc("at a point", "{\"split\": \"d.c\", \"middle\": {\"h\": " LONG_7 "}}", at);
    expect_doc("median", "{\"split\": \"d.c\", \"bounds\": [{\"h\": " LONG_7 "}, {\"h\": {\"$maxKey\": 1}}]}",
               median);
    bson_t *const all[] = {a, b, at, median};
    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        bson_destroy(all[i]);
}

/* ---- with it over the wire ---- */

/* Only these may stand beside the command's own fields: a session's id (which mongos needs to keep track of
 * the operation), the cluster's time, and what every message has. */
static void expect_bare(const char *log_json, const char *want_json)
{
    static const char *const beside[] = {"$db", "lsid", "$clusterTime"};
    bson_t *got = sandbox_json(log_json), rest = BSON_INITIALIZER;
    bson_iter_t it;
    assert_true(bson_iter_init(&it, got));
    while (bson_iter_next(&it)) {
        bool allowed = false;
        for (size_t i = 0; i < G_N_ELEMENTS(beside); i++)
            allowed = allowed || strcmp(bson_iter_key(&it), beside[i]) == 0;
        if (!allowed)
            bson_append_iter(&rest, NULL, 0, &it);
    }
    expect_doc("on the wire", want_json, &rest);
    bson_destroy(&rest);
    bson_destroy(got);
}

/* The mock serves one connection at a time. */
static mongo_conn *connect_to(const char *uri)
{
    mongo_conn *c = NULL;
    struct err err = {0};
    if (!mongo_connect(uri, MONGOC_READ_PRIMARY, &c, &err))
        fail_msg("%s", err.msg);
    return c;
}

struct gatekeeper {
    unsigned asked, lets; /* the first so many */
};

static bool ask_gatekeeper(void *data)
{
    struct gatekeeper *k = data;
    return k->asked++ < k->lets;
}

/* A URI that asks for everything that must not go with a migration. */
static void send_bare(const struct mongo_gate *gate)
{
    g_autoptr(mock_mongos) mock = mock_mongos_new();
    mock_mongos_reply(mock, "moveChunk", "{\"ok\": 1, \"millis\": 4}");
    mock_mongos_reply(mock, "split", "{\"ok\": 1}");
    g_autofree char *plain = mock_mongos_uri(mock, "");
    g_autofree char *uri = g_strconcat(
        plain, "/?w=majority&wTimeoutMS=5&journal=true&readConcernLevel=majority&retryWrites=true", NULL);
    g_autoptr(mongo_conn) c = connect_to(uri);
    mongoc_client_t *client = c->client;
    struct mongo_result r;
    bson_t *a = sandbox_json("{\"a\": 1}"), *b = sandbox_json("{\"a\": 2}");
    const struct mongo_move m = {.ns = "d.c", .to = "s1", .min = a, .max = b, .gate = gate};
    mongo_move_run(client, &m, &r);
    assert_true(r.ok);
    assert_null(r.message);
    mongo_result_clear(&r);
    mongo_split_run(client, &(struct mongo_split){.ns = "d.c", .middle = a, .gate = gate}, &r);
    assert_true(r.ok);
    mongo_result_clear(&r);
    bson_destroy(a);
    bson_destroy(b);
    g_autoptr(GPtrArray) sent = mock_mongos_log(mock, "moveChunk"), split = mock_mongos_log(mock, "split");
    assert_int_equal(sent->len, 1);
    assert_int_equal(split->len, 1);
    expect_bare(sent->pdata[0],
                "{\"moveChunk\": \"d.c\", \"bounds\": [{\"a\": 1}, {\"a\": 2}], \"to\": \"s1\"}");
    expect_bare(split->pdata[0], "{\"split\": \"d.c\", \"middle\": {\"a\": 1}}");
}

static void nothing_goes_along(void **state)
{
    (void)state;
    struct gatekeeper open = {.lets = 2};
    send_bare(NULL);
    send_bare(&(struct mongo_gate){ask_gatekeeper, &open});
    assert_int_equal(open.asked, 2);
}

/* Closed, nothing leaves; nor does the older command, where it closes behind the newer one. */
static void gated(void **state)
{
    (void)state;
    bson_t *a = sandbox_json("{\"a\": 1}"), *b = sandbox_json("{\"a\": 2}");
    for (unsigned lets = 0; lets <= 1; lets++) {
        g_autoptr(mock_mongos) mock = mock_mongos_new();
        mock_mongos_fail(mock, "moveRange", 59);
        mock_mongos_reply(mock, "moveChunk", "{\"ok\": 1}");
        g_autofree char *uri = mock_mongos_uri(mock, "");
        g_autoptr(mongo_conn) c = connect_to(uri);
        struct gatekeeper keeper = {.lets = lets};
        const struct mongo_gate gate = {ask_gatekeeper, &keeper};
        struct mongo_result r;
        mongo_move_run(c->client,
                       &(struct mongo_move){
                           .ns = "d.c", .to = "s1", .min = a, .max = b, .move_range = true, .gate = &gate},
                       &r);
        assert_true(r.gated && !r.ok && r.message == NULL && r.code == 0);
        mongo_result_clear(&r);
        mongo_split_run(c->client, &(struct mongo_split){.ns = "d.c", .middle = a, .gate = &gate}, &r);
        assert_true(r.gated && !r.ok);
        mongo_result_clear(&r);
        g_autoptr(GPtrArray) range = mock_mongos_log(mock, "moveRange"),
                             chunk = mock_mongos_log(mock, "moveChunk"),
                             split = mock_mongos_log(mock, "split");
        assert_int_equal(range->len, lets);
        assert_int_equal(chunk->len + split->len, 0);
        assert_int_equal(keeper.asked, lets + 2);
    }
    bson_destroy(a);
    bson_destroy(b);
}

/* Where nobody can be reached the gate is not even asked, and the failure is the connection's. */
static void gated_without_a_server(void **state)
{
    (void)state;
    mongoc_client_t *client = mongoc_client_new("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1");
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    struct gatekeeper keeper = {.lets = 1};
    const struct mongo_gate gate = {ask_gatekeeper, &keeper};
    struct mongo_result r;
    bson_t *a = sandbox_json("{\"a\": 1}");
    mongo_split_run(client, &(struct mongo_split){.ns = "d.c", .middle = a, .gate = &gate}, &r);
    assert_true(!r.ok && !r.gated && r.message != NULL);
    assert_string_equal(error_verdict_text(r.class.verdict), "soon");
    assert_int_equal(keeper.asked, 0);
    mongo_result_clear(&r);
    bson_destroy(a);
    mongoc_client_destroy(client);
}

/* moveRange that an older mongos does not know, and what must not be taken for that. */
static void fallback(void **state)
{
    (void)state;
    static const struct {
        const char *reply; /* to moveRange */
        bool max;
        unsigned chunk_moves; /* sent afterwards */
        const char *verdict;
        int code;
    } rows[] = {
        {"{\"ok\": 0, \"code\": 59, \"errmsg\": \"no such command: 'moveRange'\"}", true, 1, "", 0},
        /* an open end has no other command */
        {"{\"ok\": 0, \"code\": 59, \"errmsg\": \"no such command: 'moveRange'\"}", false, 0, "stop", 59},
        /* the driver's 59 for the server's 17 and 13390 */
        {"{\"ok\": 0, \"code\": 17, \"errmsg\": \"x\"}", true, 0, "round", 17},
        {"{\"ok\": 0, \"code\": 13390, \"errmsg\": \"x\"}", true, 0, "round", 13390},
        {"{\"ok\": 0, \"errmsg\": \"no such command\"}", true, 0, "round", 0},
        {"{\"ok\": 1}", true, 0, "", 0},
        {"{\"ok\": 1, \"writeConcernError\": {\"code\": 64, \"errmsg\": \"late\"}}", true, 0, "round", 64},
    };
    bson_t *a = sandbox_json("{\"a\": 1}"), *b = sandbox_json("{\"a\": 2}");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(mock_mongos) mock = mock_mongos_new();
        mock_mongos_reply(mock, "moveRange", rows[i].reply);
        mock_mongos_reply(mock, "moveChunk", "{\"ok\": 1}");
        g_autofree char *uri = mock_mongos_uri(mock, "");
        g_autoptr(mongo_conn) c = connect_to(uri);
        mongoc_client_t *client = c->client;
        struct mongo_result r;
        const struct mongo_move m = {
            .ns = "d.c", .to = "s1", .min = a, .max = rows[i].max ? b : NULL, .move_range = true};
        mongo_move_run(client, &m, &r);
        g_autoptr(GPtrArray) range = mock_mongos_log(mock, "moveRange"),
                             chunk = mock_mongos_log(mock, "moveChunk");
        if (range->len != 1 || chunk->len != rows[i].chunk_moves || r.code != rows[i].code ||
            strcmp(error_verdict_text(r.class.verdict), rows[i].verdict) != 0)
            fail_msg("row %zu: %u + %u sent, code %d, %s", i, range->len, chunk->len, r.code,
                     error_verdict_text(r.class.verdict));
        assert_true(r.ok == (rows[i].verdict[0] == '\0'));
        mongo_result_clear(&r);
    }
    bson_destroy(a);
    bson_destroy(b);
}

/* ---- on every version ---- */

static const char *const versions[] = {"4.2.25", "4.4.29", "5.0.31", "6.0.20", "7.0.16", "8.0.4"};

struct run_row {
    const char *name, *ns, *min, *max, *to;
    bool force, wait;
    enum mongo_throttle throttle;
    const char *verdict; /* to 5.x, by moveChunk */
    const char *newer;   /* from 6.0, by moveRange; NULL: the same */
    const char *owner;   /* of the chunk at min afterwards; NULL: none begins there */
};

/* In this order on one cluster: a [min, 0) [0, 100) [100, 200), b [200, max). */
static const struct run_row runs[] = {
    {"a ranged chunk", "app.items", "{\"x\": 0}", "{\"x\": 100}", "c", .verdict = "", .owner = "c"},
    {"where it is already", "app.items", "{\"x\": 0}", "{\"x\": 100}", "c", .verdict = "", .owner = "c"},
    {"a hashed chunk", "app.hash", "{\"h\": {\"$minKey\": 1}}", "{\"h\": {\"$numberLong\": \"0\"}}", "a",
     .force = true, .verdict = "", .owner = "a"},
    {"too big", "app.hash", "{\"h\": {\"$numberLong\": \"0\"}}", "{\"h\": {\"$maxKey\": 1}}", "b",
     .verdict = "split", .owner = "c"},
    {"a compound chunk", "app.pair", "{\"r\": {\"$minKey\": 1}, \"n\": {\"$minKey\": 1}}",
     "{\"r\": \"m\", \"n\": {\"$minKey\": 1}}", "c", .throttle = THROTTLE_ON, .wait = true, .verdict = "",
     .owner = "c"},
    {"out of its zone", "app.pair", "{\"r\": \"m\", \"n\": {\"$minKey\": 1}}",
     "{\"r\": {\"$maxKey\": 1}, \"n\": {\"$maxKey\": 1}}", "a", .verdict = "round", .newer = "",
     .owner = "b"},
    {"no such chunk", "app.items", "{\"x\": 100}", "{\"x\": 150}", "b", .verdict = "round", .newer = "",
     .owner = "a"},
    {"across two chunks", "app.items", "{\"x\": 0}", "{\"x\": 200}", "b", .verdict = "round", .owner = "c"},
    {"no such shard", "app.items", "{\"x\": 0}", "{\"x\": 100}", "nosuch", .verdict = "round", .owner = "c"},
    {"no such collection", "app.nosuch", "{\"x\": 0}", "{\"x\": 100}", "a", .verdict = "collection"},
};

static void run_on(live_sandbox *s, mongoc_client_t *client, const struct run_row *row, bool newer)
{
    bson_t *min = sandbox_json(row->min), *max = sandbox_json(row->max);
    const char *verdict = newer && row->newer != NULL ? row->newer : row->verdict;
    struct gatekeeper open = {.lets = UINT_MAX};
    const struct mongo_gate gate = {ask_gatekeeper, &open};
    const struct mongo_move m = {.ns = row->ns,
                                 .to = row->to,
                                 .min = min,
                                 .max = max,
                                 .force_jumbo = row->force,
                                 .wait_for_delete = row->wait,
                                 .throttle = row->throttle,
                                 .move_range = newer,
                                 .gate = &gate};
    struct mongo_result r;
    mongo_move_run(client, &m, &r);
    if (strcmp(error_verdict_text(r.class.verdict), verdict) != 0)
        fail_msg("%s: %s, not %s: %d %s", row->name, error_verdict_text(r.class.verdict), verdict, r.code,
                 r.message);
    assert_true(r.ok == (verdict[0] == '\0') && (r.message == NULL) == r.ok);
    mongo_result_clear(&r);
    g_autofree char *owner = live_sandbox_owner(s, row->ns, row->min);
    const char *want = newer && row->newer != NULL && r.ok ? row->to : row->owner;
    if (!(newer && row->newer != NULL) && g_strcmp0(owner, want) != 0)
        fail_msg("%s: owned by %s, not %s", row->name, owner, want);
    bson_destroy(min);
    bson_destroy(max);
}

static void split_on(live_sandbox *s, mongoc_client_t *client)
{
    static const struct {
        const char *ns, *middle, *verdict;
        bool unknown;
    } rows[] = {
        {"app.items", "{\"x\": 250}", "", false},
        {"app.items", "{\"x\": 250}", "round", true}, /* there already */
        {"app.items", "{\"y\": 250}", "chunk", false},
        {"app.hash", "{\"h\": {\"$numberLong\": \"-5\"}}", "", false},
        {"app.nosuch", "{\"x\": 1}", "collection", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct mongo_result r;
        bson_t *middle = sandbox_json(rows[i].middle);
        mongo_split_run(client, &(struct mongo_split){.ns = rows[i].ns, .middle = middle}, &r);
        if (strcmp(error_verdict_text(r.class.verdict), rows[i].verdict) != 0 ||
            r.class.unknown != rows[i].unknown)
            fail_msg("split %zu: %s: %d %s", i, error_verdict_text(r.class.verdict), r.code, r.message);
        mongo_result_clear(&r);
        bson_destroy(middle);
    }
    bson_t *min = sandbox_json("{\"x\": 250}"), *max = sandbox_json("{\"x\": {\"$maxKey\": 1}}");
    struct mongo_result r;
    mongo_split_run(client, &(struct mongo_split){.ns = "app.items", .min = min, .max = max}, &r);
    if (!r.ok)
        fail_msg("median: %d %s", r.code, r.message);
    mongo_result_clear(&r);
    bson_destroy(min);
    bson_destroy(max);
    g_autofree char *owner = live_sandbox_owner(s, "app.items", "{\"x\": 250}");
    assert_string_equal(owner, "b");
}

/* The donor chooses the end: what is left of the chunk begins behind it. */
static void open_end_on(live_sandbox *s, mongoc_client_t *client)
{
    bson_t *min = sandbox_json("{\"x\": 200}");
    struct mongo_result r;
    mongo_move_run(client, &(struct mongo_move){.ns = "app.items", .to = "a", .min = min, .move_range = true},
                   &r);
    if (!r.ok)
        fail_msg("open end: %d %s", r.code, r.message);
    mongo_result_clear(&r);
    bson_destroy(min);
    g_autofree char *owner = live_sandbox_owner(s, "app.items", "{\"x\": 200}");
    assert_string_equal(owner, "a");
}

static void every_version(void **state)
{
    (void)state;
    static const char *const args[] = {"--speed", "50", "--orphan-delay", "1s", NULL};
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
        g_autoptr(live_sandbox) s = live_sandbox_small(versions[v], args);
        g_autoptr(mongo_pool) pool = NULL;
        struct err err = {0};
        if (!mongo_pool_new(live_sandbox_uri(s), 60000, 1, &pool, &err))
            fail_msg("%s", err.msg);
        mongoc_client_t *client = mongo_pool_take(pool, true);
        bool newer = versions[v][0] >= '6';
        for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
            run_on(s, client, &runs[i], newer);
        split_on(s, client);
        if (newer)
            open_end_on(s, client);
        /* asked for moveRange all the same: an older cluster behind a newer client */
        const struct run_row back = {"by fallback", "app.items",   "{\"x\": 0}", "{\"x\": 100}",
                                     "a",           .verdict = "", .owner = "a"};
        if (!newer)
            run_on(s, client, &back, true);
        mongo_pool_give(pool, true, client);
    }
    print_message("%zu versions, %zu moves each\n", G_N_ELEMENTS(versions), G_N_ELEMENTS(runs));
}

static void long_messages_are_cut_and_escaped(void **state)
{
    (void)state;
    g_autoptr(mock_mongos) mock = mock_mongos_new();
    g_autofree char *fill = g_strnfill(5000, 'x');
    g_autofree char *reply =
        g_strdup_printf("{\"ok\": 0, \"code\": 20, \"errmsg\": \"\\u001b[31m%s\"}", fill);
    mock_mongos_reply(mock, "split", reply);
    g_autofree char *uri = mock_mongos_uri(mock, "");
    g_autoptr(mongo_conn) c = connect_to(uri);
    mongoc_client_t *client = c->client;
    struct mongo_result r;
    bson_t *a = sandbox_json("{\"a\": 1}");
    mongo_split_run(client, &(struct mongo_split){.ns = "d.c", .middle = a}, &r);
    assert_true(g_str_has_prefix(r.message, "\\x1B[31mxxx"));
    assert_true(g_str_has_suffix(r.message, "x..."));
    assert_true(strlen(r.message) < 1100);
    assert_string_equal(r.code_name, "IllegalOperation");
    mongo_result_clear(&r);
    bson_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_moves),
        cmocka_unit_test(exact_splits),
        cmocka_unit_test(nothing_goes_along),
        cmocka_unit_test(fallback),
        cmocka_unit_test(gated),
        cmocka_unit_test(gated_without_a_server),
        cmocka_unit_test(every_version),
        cmocka_unit_test(long_messages_are_cut_and_escaped),
    };
    return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
