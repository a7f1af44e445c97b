// SPDX-License-Identifier: Apache-2.0
/* Short looks, on every version: collections, chunks, what is on its way. */
#include "migrations/mongo/connect.h"
#include "migrations/mongo/probe.h"
#include "migrations/mongo/probe_private.h"
#include "tests/support/live_sandbox.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const versions[] = {"4.2.25", "4.4.29", "5.0.31", "6.0.20", "7.0.16", "8.0.4"};

struct scene {
    live_sandbox *s;
    mongo_conn *conn;
    mongoc_client_t *client;
};

static struct scene begin_of(live_sandbox *s)
{
    struct scene scene = {.s = s};
    struct err err = {0};
    if (!mongo_connect(live_sandbox_uri(s), MONGOC_READ_PRIMARY, &scene.conn, &err))
        fail_msg("%s", err.msg);
    scene.client = scene.conn->client;
    return scene;
}

static struct scene begin(const char *version)
{
    return begin_of(live_sandbox_small(version, NULL));
}

static void end(struct scene *scene)
{
    mongo_conn_free(scene->conn);
    live_sandbox_free(scene->s);
}

static void expect_key(const char *what, const char *json, const bson_t *got)
{
    bson_t *want = sandbox_json(json);
    if (got == NULL || !bson_equal(want, got)) {
        char *text = got != NULL ? bson_as_canonical_extended_json(got, NULL) : NULL;
        fail_msg("%s: %s, not %s", what, text, json);
    }
    bson_destroy(want);
}

static void collections(void **state)
{
    (void)state;
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
        struct scene s = begin(versions[v]);
        struct probe_collection c;
        assert_true(probe_collection(s.client, "app.items", &c, NULL));
        assert_true(c.there);
        assert_int_equal(c.by_uuid, versions[v][0] >= '5');
        assert_int_equal(c.has_timestamp, versions[v][0] >= '5');
        assert_true(c.has_uuid);
        expect_key("app.items", "{\"x\": 1}", c.key);
        assert_false(c.no_balance || c.migrations_not_permitted || c.resharding || c.unsplittable ||
                     c.defragmenting || c.time_series);
        char hex[25];
        bson_oid_to_string(&c.epoch, hex);
        assert_string_equal(hex, "5f0000000000000000000001");
        probe_collection_clear(&c);
        assert_true(probe_collection(s.client, "app.nosuch", &c, NULL));
        assert_false(c.there);
        probe_collection_clear(&c);
        end(&s);
    }
}

/* Documents as they may stand in a cluster, whatever its version. */
static void flags_of_collections(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *version;
        const char *want; /* one letter a flag that is set: b p r u d t; "-": not there */
    } rows[] = {
        {"", "4.2.25", ""},
        {", \"noBalance\": true", "4.2.25", "b"},
        {", \"noBalance\": false", "7.0.16", ""},
        {", \"permitMigrations\": false", "5.0.31", "p"},
        {", \"allowMigrations\": false", "8.0.4", "p"},
        {", \"defragmentCollection\": true", "6.0.20", "d"},
        {", \"unsplittable\": true", "8.0.4", "u"},
        {", \"reshardingFields\": {\"state\": \"cloning\"}", "7.0.16", "r"},
        {", \"reshardingFields\": null", "7.0.16", ""},
        {", \"timeseriesFields\": {\"timeField\": \"t\"}", "7.0.16", "t"},
        {", \"allowChunkOperations\": false", "8.0.4", "p"},
        {", \"distributionMode\": \"unsharded\"", "4.4.29", ""}, /* the sandbox writes its own */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *json =
            g_strdup_printf("{\"shards\": [{\"_id\": \"a\", \"host\": \"a/h:1\"}], \"collections\": "
                            "[{\"_id\": \"d.c\", \"key\": {\"k\": 1}%s}],"
                            "\"chunks\": [{\"ns\": \"d.c\", \"min\": {\"k\": {\"$minKey\": 1}}, \"max\": "
                            "{\"k\": {\"$maxKey\": 1}}, "
                            "\"shard\": \"a\"}]}",
                            rows[i].fields);
        g_autofree char *path = temp_dir_write(dir, "s.json", json, strlen(json));
        const char *const args[] = {"--snapshot", path, "--server-version", rows[i].version, NULL};
        struct scene s = begin_of(live_sandbox_new(args));
        struct probe_collection c;
        assert_true(probe_collection(s.client, "d.c", &c, NULL));
        g_autofree char *got =
            g_strdup_printf("%s%s%s%s%s%s%s", c.there ? "" : "-", c.no_balance ? "b" : "",
                            c.migrations_not_permitted ? "p" : "", c.resharding ? "r" : "",
                            c.unsplittable ? "u" : "", c.defragmenting ? "d" : "", c.time_series ? "t" : "");
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: '%s', not '%s'", rows[i].fields, got, rows[i].want);
        probe_collection_clear(&c);
        end(&s);
    }
}

struct chunk_row {
    const char *name, *ns;
    char kind; /* '@' at min, 'o' of shard in [min, max) */
    const char *min, *max, *shard;
    const char *want_min, *want_max, *want_shard; /* NULL: there is none */
};

#define MINKEY "{\"$minKey\": 1}"
#define MAXKEY "{\"$maxKey\": 1}"
#define LONG(n) "{\"$numberLong\": \"" #n "\"}"

static const struct chunk_row chunk_rows[] = {
    {"its first", "app.items", '@', "{\"x\": " MINKEY "}", NULL, NULL, "{\"x\": " MINKEY "}", "{\"x\": 0}",
     "a"},
    {"at a bound", "app.items", '@', "{\"x\": 100}", NULL, NULL, "{\"x\": 100}", "{\"x\": 200}", "a"},
    {"another number type", "app.items", '@', "{\"x\": 100.0}", NULL, NULL, "{\"x\": 100}", "{\"x\": 200}",
     "a"},
    {"just before a bound", "app.items", '@', "{\"x\": 99.5}", NULL, NULL, "{\"x\": 0}", "{\"x\": 100}", "a"},
    {"in its last", "app.items", '@', "{\"x\": \"text\"}", NULL, NULL, "{\"x\": 200}", "{\"x\": " MAXKEY "}",
     "b"},
    {"hashed", "app.hash", '@', "{\"h\": " LONG(-1) "}", NULL, NULL, "{\"h\": " MINKEY "}",
     "{\"h\": " LONG(0) "}", "b"},
    {"compound", "app.pair", '@', "{\"r\": \"m\", \"n\": " MINKEY "}", NULL, NULL,
     "{\"r\": \"m\", \"n\": " MINKEY "}", "{\"r\": " MAXKEY ", \"n\": " MAXKEY "}", "b"},
    {"compound, just before", "app.pair", '@', "{\"r\": \"lz\", \"n\": 4}", NULL, NULL,
     "{\"r\": " MINKEY ", \"n\": " MINKEY "}", "{\"r\": \"m\", \"n\": " MINKEY "}", "a"},
    {"of a shard", "app.items", 'o', "{\"x\": 50}", "{\"x\": " MAXKEY "}", "a", "{\"x\": 100}",
     "{\"x\": 200}", "a"},
    {"of a shard, at the begin", "app.items", 'o', "{\"x\": 0}", "{\"x\": 1}", "a", "{\"x\": 0}",
     "{\"x\": 100}", "a"},
    {"of a shard, before the end", "app.items", 'o', "{\"x\": 50}", "{\"x\": 200}", "b", NULL, NULL, NULL},
    {"of another shard", "app.items", 'o', "{\"x\": " MINKEY "}", "{\"x\": " MAXKEY "}", "c", NULL, NULL,
     NULL},
};

static void chunks(void **state)
{
    (void)state;
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
        struct scene s = begin(versions[v]);
        for (size_t i = 0; i < G_N_ELEMENTS(chunk_rows); i++) {
            const struct chunk_row *row = &chunk_rows[i];
            struct probe_collection c;
            struct probe_chunk found;
            bson_t *min = sandbox_json(row->min), *max = row->max != NULL ? sandbox_json(row->max) : NULL;
            assert_true(probe_collection(s.client, row->ns, &c, NULL));
            assert_true(row->kind == '@'
                            ? probe_chunk_at(s.client, row->ns, &c, min, &found, NULL)
                            : probe_chunk_of(s.client, row->ns, &c, min, max, row->shard, &found, NULL));
            if (found.there != (row->want_min != NULL))
                fail_msg("%s %s: there: %d", versions[v], row->name, found.there);
            if (found.there) {
                expect_key(row->name, row->want_min, found.min);
                expect_key(row->name, row->want_max, found.max);
                assert_string_equal(found.shard, row->want_shard);
                assert_true(found.version >= (uint64_t)1 << 32);
                assert_true(found.valid_after > 0);
                assert_int_equal(found.jumbo, strcmp(row->want_min, "{\"x\": 100}") == 0);
            }
            probe_chunk_clear(&found);
            probe_collection_clear(&c);
            bson_destroy(min);
            bson_destroy(max);
        }
        end(&s);
    }
    print_message("%zu versions, %zu questions each\n", G_N_ELEMENTS(versions), G_N_ELEMENTS(chunk_rows));
}

static void chunks_in_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *min, *max;
        unsigned limit;
        const char *shards; /* of the chunks, in order */
        bool covered;
    } rows[] = {
        {"{\"x\": 0}", "{\"x\": 100}", 10, "a", true},
        {"{\"x\": 10}", "{\"x\": 20}", 10, "a", true},
        {"{\"x\": 10}", "{\"x\": 100.0}", 10, "a", true},
        {"{\"x\": 10}", "{\"x\": 101}", 10, "aa", true},
        {"{\"x\": " MINKEY "}", "{\"x\": " MAXKEY "}", 10, "aaab", true},
        {"{\"x\": " MINKEY "}", "{\"x\": " MAXKEY "}", 3, "aaa", false},
        {"{\"x\": " MINKEY "}", "{\"x\": " MAXKEY "}", 1, "a", false},
        {"{\"x\": 150}", "{\"x\": 250}", 10, "ab", true},
        {"{\"x\": 300}", "{\"x\": " MAXKEY "}", 10, "b", true},
    };
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v += 3) {
        struct scene s = begin(versions[v]);
        struct probe_collection c;
        assert_true(probe_collection(s.client, "app.items", &c, NULL));
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
            g_autoptr(GPtrArray) found = NULL;
            bool covered;
            bson_t *min = sandbox_json(rows[i].min), *max = sandbox_json(rows[i].max);
            assert_true(probe_chunks_in(s.client, "app.items", &c, min, max, rows[i].limit, &found, NULL));
            assert_int_equal(found->len, strlen(rows[i].shards));
            for (guint k = 0; k < found->len; k++)
                assert_int_equal(((struct probe_chunk *)found->pdata[k])->shard[0], rows[i].shards[k]);
            assert_true(probe_covers(found, min, max, &covered, NULL));
            assert_int_equal(covered, rows[i].covered);
            bson_destroy(min);
            bson_destroy(max);
        }
        probe_collection_clear(&c);
        end(&s);
    }
}

/* Chunks that were read while they changed. */
static void gaps_and_overlaps(void **state)
{
    (void)state;
    static const struct {
        int bounds[6]; /* of up to three chunks */
        int n, min, max;
        bool want;
    } rows[] = {
        {{0, 10}, 1, 0, 10, true},
        {{0, 10}, 1, 5, 7, true},
        {{0, 10}, 1, -1, 5, false},
        {{0, 10}, 1, 0, 11, false},
        {{0, 5, 5, 10}, 2, 0, 10, true},
        {{0, 5, 6, 10}, 2, 0, 10, false},
        {{0, 6, 5, 10}, 2, 0, 10, false},
        {{0, 5, 5, 7, 7, 9}, 3, 1, 9, true},
        {{0}, 0, 0, 1, false},
        {{0, 5, 5, 7, 8, 9}, 3, 0, 7, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct probe_chunk chunk[3];
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        bool covered;
        for (int k = 0; k < rows[i].n; k++) {
            const int *bounds = &rows[i].bounds[(size_t)k * 2];
            chunk[k] = (struct probe_chunk){.there = true,
                                            .min = BCON_NEW("a", BCON_INT32(bounds[0])),
                                            .max = BCON_NEW("a", BCON_INT64(bounds[1]))};
            g_ptr_array_add(all, &chunk[k]);
        }
        bson_t *min = BCON_NEW("a", BCON_DOUBLE(rows[i].min)), *max = BCON_NEW("a", BCON_INT32(rows[i].max));
        assert_true(probe_covers(all, min, max, &covered, NULL));
        if (covered != rows[i].want)
            fail_msg("row %zu: %d", i, covered);
        for (int k = 0; k < rows[i].n; k++)
            probe_chunk_clear(&chunk[k]);
        bson_destroy(min);
        bson_destroy(max);
    }
}

/* ---- what is on its way ---- */

static void fail_point(live_sandbox *s, const char *name, bool on)
{
    g_autofree char *cmd =
        g_strdup_printf("{\"configureFailPoint\": \"%s\", \"mode\": \"%s\"}", name, on ? "alwaysOn" : "off");
    live_sandbox_do(s, cmd);
}

struct sender {
    const char *uri, *cmd;
    GThread *thread;
};

static gpointer send_it(gpointer data)
{
    const struct sender *sender = data;
    bson_t *cmd = sandbox_json(sender->cmd);
    mongoc_client_t *client = mongoc_client_new(sender->uri);
    mongoc_client_command_simple(client, "admin", cmd, NULL, NULL, NULL);
    mongoc_client_destroy(client);
    bson_destroy(cmd);
    return NULL;
}

static bool in_flight(struct scene *s, const char *ns, const char *min, const char *from, const char *to,
                      bool with_to)
{
    bool found = false;
    struct err err = {0};
    bson_t *key = sandbox_json(min);
    bool done = (with_to || probe_registered(s->client, ns, key, &found, &err)) &&
                (found || probe_under_way(s->client, ns, key, from, to, &found, &err));
    if (!done)
        fail_msg("%s", err.msg);
    bson_destroy(key);
    return found;
}

static void on_its_way(void **state)
{
    (void)state;
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
        struct scene s = begin(versions[v]);
        assert_false(in_flight(&s, "app.items", "{\"x\": 0}", "a", NULL, false));
        fail_point(s.s, "moveChunkHangAtStep4", true);
        struct sender sender = {live_sandbox_uri(s.s), ITEMS(0, 100, "c") "}", NULL};
        sender.thread = g_thread_new("sender", send_it, &sender);
        while (!in_flight(&s, "app.items", "{\"x\": 0}", "a", NULL, false))
            g_usleep(1000);
        /* of another collection, another begin, another donor: none */
        assert_false(in_flight(&s, "app.hash", "{\"h\": 0}", "b", NULL, false));
        assert_false(in_flight(&s, "app.items", "{\"x\": 200}", "b", NULL, false));
        assert_false(in_flight(&s, "app.items", "{\"x\": 100}", "a", NULL, false));
        /* the recipient's thread alone does not say what it receives */
        while (!in_flight(&s, "app.hash", "{\"h\": 0}", "b", "c", true))
            g_usleep(1000);
        assert_false(in_flight(&s, "app.hash", "{\"h\": 0}", "b", "a", true));
        fail_point(s.s, "moveChunkHangAtStep4", false);
        g_thread_join(sender.thread);
        assert_false(in_flight(&s, "app.items", "{\"x\": 0}", "a", "c", true));
        assert_false(in_flight(&s, "app.items", "{\"x\": 0}", "a", NULL, false));
        end(&s);
    }
}

/* The config servers are away: the command waits in mongos, and no shard knows of it. Reads of config wait as
 * well in a cluster; what mongos does itself can be asked all the same. */
static void waits_in_mongos(void **state)
{
    (void)state;
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v += 5) {
        struct scene s = begin(versions[v]);
        live_sandbox_do(s.s, "{\"evenkeelSandboxFault\": \"configUnavailable\", \"ms\": 15000}");
        struct sender sender = {live_sandbox_uri(s.s), ITEMS(0, 100, "c") "}", NULL};
        sender.thread = g_thread_new("sender", send_it, &sender);
        while (!in_flight(&s, "app.items", "{\"x\": 0}", "a", "c", true))
            g_usleep(1000);
        assert_false(in_flight(&s, "app.items", "{\"x\": 100}", "a", "b", true));
        live_sandbox_do(s.s, "{\"evenkeelSandboxFault\": \"clear\"}");
        live_sandbox_kill(s.s); /* ends the wait */
        g_thread_join(sender.thread);
        end(&s);
    }
}

static void not_permitted(void **state)
{
    (void)state;
    struct scene s = begin("7.0.16");
    struct err err = {0};
    bool found = true;
    bson_t *min = sandbox_json("{\"x\": 0}");
    live_sandbox_do(
        s.s, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": "
             "[\"aggregate\"], \"errorCode\": 13}}");
    assert_false(probe_under_way(s.client, "app.items", min, "a", NULL, &found, &err));
    assert_int_equal(err.cls, ERR_NO_PERMISSION);
    if (strstr(err.msg, "clusterMonitor") == NULL || strstr(err.msg, "$currentOp") == NULL)
        fail_msg("%s", err.msg);
    live_sandbox_do(s.s, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"off\"}");
    live_sandbox_do(
        s.s, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": "
             "[\"find\"], \"errorCode\": 13}}");
    err = (struct err){0};
    struct probe_collection c;
    assert_false(probe_collection(s.client, "app.items", &c, &err));
    assert_int_equal(err.cls, ERR_NO_PERMISSION);
    bson_destroy(min);
    end(&s);
}

/* A connection that breaks in the middle of a read is no failure; one that always breaks is. */
static void breaks(void **state)
{
    (void)state;
    struct scene s = begin("7.0.16");
    struct probe_collection c;
    struct err err = {0};
    live_sandbox_do(
        s.s,
        "{\"configureFailPoint\": \"failCommand\", \"mode\": {\"times\": 2}, \"data\": {\"failCommands\": "
        "[\"find\"], \"closeConnection\": true}}");
    if (!probe_collection(s.client, "app.items", &c, &err))
        fail_msg("%s", err.msg);
    probe_collection_clear(&c);
    live_sandbox_do(
        s.s, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": "
             "[\"find\", \"aggregate\"], \"closeConnection\": true}}");
    err = (struct err){0};
    assert_false(probe_collection(s.client, "app.items", &c, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    end(&s);
}

/* ---- identities ---- */

static void cluster_id(void **state)
{
    (void)state;
    g_autofree char *first = NULL;
    for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
        struct scene s = begin(versions[v]);
        g_autofree char *id = NULL;
        assert_true(probe_cluster_id(s.client, &id, NULL));
        assert_int_equal(strlen(id), 24);
        if (first == NULL)
            first = g_strdup(id);
        assert_string_equal(id, first); /* of one snapshot always the same */
        end(&s);
    }
    const char *const path = TEST_DATA_DIR "/real-4.2/balanced/snapshot.json";
    const char *const args[] = {"--snapshot", path, NULL};
    struct scene s = begin_of(live_sandbox_new(args));
    g_autofree char *other = NULL;
    assert_true(probe_cluster_id(s.client, &other, NULL));
    assert_string_not_equal(first, other);
    end(&s);
}

static void a_snapshots_own_cluster_id(void **state)
{
    (void)state;
    static const struct {
        const char *version, *want;
    } rows[] = {
        {"[{\"_id\": 1, \"clusterId\": {\"$oid\": \"0123456789abcdef01234567\"}}]",
         "0123456789abcdef01234567"},
        {"[{\"_id\": 1, \"clusterId\": \"text\"}]", NULL},
        {"[{\"_id\": 1}]", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *json = g_strdup_printf(
            "{\"shards\": [{\"_id\": \"a\", \"host\": \"a/h:1\"}], \"collections\": [], \"version\": %s}",
            rows[i].version);
        g_autofree char *path = temp_dir_write(dir, "s.json", json, strlen(json));
        const char *const args[] = {"--snapshot", path, "--server-version", "7.0.16", NULL};
        struct scene s = begin_of(live_sandbox_new(args));
        g_autofree char *id = NULL;
        assert_true(probe_cluster_id(s.client, &id, NULL));
        assert_int_equal(g_strcmp0(id, rows[i].want), 0);
        end(&s);
    }
}

static void incarnations(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        bool timestamp; /* the collection has Timestamp(5, 7) */
        bool want;
    } rows[] = {
        {"2|5||5f0000000000000000000001", false, true},
        {"2|5||5f0000000000000000000002", false, false},
        {"2|5||000000000000000000000000", false, true}, /* not known then */
        {"2|5||5f0000000000000000000001", true, true},  /* planned before the change of layout */
        {"2|5||5f0000000000000000000001||Timestamp(5, 7)", true, true},
        {"2|5||5f0000000000000000000001||Timestamp(5, 7)", false, true},
        {"2|5||5f0000000000000000000001||Timestamp(5, 8)", true, false},
        {"2|5||5f0000000000000000000001||Timestamp(6, 7)", true, false},
        {"2|5||000000000000000000000000||Timestamp(5, 7)", true, true},
        {"2|5||000000000000000000000000||Timestamp(5, 6)", true, false},
        {"2|5||5f0000000000000000000001||Timestamp(5, 7) and more", true, false},
        {"2|5||5f0000000000000000000001|Timestamp(5, 7)", true, false},
        {"2|5||5f00000000000000000000zz", false, false},
        {"2|5||5f", false, false},
        {"2|5", false, false},
        {"", false, false},
    };
    struct probe_collection c = {.there = true};
    bson_oid_init_from_string(&c.epoch, "5f0000000000000000000001");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        c.has_timestamp = rows[i].timestamp;
        c.timestamp_t = rows[i].timestamp ? 5 : 0;
        c.timestamp_i = rows[i].timestamp ? 7 : 0;
        if (probe_same_incarnation(rows[i].version, &c) != rows[i].want)
            fail_msg("%s (%d)", rows[i].version, rows[i].timestamp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collections),
        cmocka_unit_test(flags_of_collections),
        cmocka_unit_test(chunks),
        cmocka_unit_test(chunks_in_ranges),
        cmocka_unit_test(gaps_and_overlaps),
        cmocka_unit_test(on_its_way),
        cmocka_unit_test(waits_in_mongos),
        cmocka_unit_test(not_permitted),
        cmocka_unit_test(breaks),
        cmocka_unit_test(cluster_id),
        cmocka_unit_test(a_snapshots_own_cluster_id),
        cmocka_unit_test(incarnations),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
