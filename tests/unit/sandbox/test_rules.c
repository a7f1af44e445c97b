// SPDX-License-Identifier: Apache-2.0
/* What each version answers to each command, how its metadata looks, and how chunk versions change. */
#include "tests/support/sandbox_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *command;
    int want[VERSIONS];
} answers[] = {
    {"list", "{\"listShards\": 1}", {0, 0, 0, 0, 0, 0}},
    {"status", "{\"balancerStatus\": 1}", {0, 0, 0, 0, 0, 0}},
    {"stop", "{\"balancerStop\": 1}", {0, 0, 0, 0, 0, 0}},
    {"collection status", "{\"balancerCollectionStatus\": \"app.items\"}", {GONE, 0, 0, 0, 0, 0}},
    {"status of none", "{\"balancerCollectionStatus\": \"app.none\"}", {GONE, 118, 118, 118, 118, 118}},
    {"move", ITEMS(0, 100, "b") "}", {0, 0, 0, 0, 0, 0}},
    {"move to itself", ITEMS(0, 100, "a") "}", {0, 0, 0, 0, 0, 0}},
    {"move by find",
     "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 5}, \"to\": \"c\"}",
     {0, 0, 0, 0, 0, 0}},
    {"move by find of a hash",
     "{\"moveChunk\": \"app.hash\", \"find\": {\"h\": 2}, \"to\": \"a\", \"forceJumbo\": true}",
     {153, 0, 0, 0, 0, 0}},
    {"find with $eq",
     "{\"moveChunk\": \"app.items\", \"find\": {\"x\": {\"$eq\": 5}}, \"to\": \"c\"}",
     {0, 0, 0, 0, 0, 0}},
    {"find without key",
     "{\"moveChunk\": \"app.items\", \"find\": {\"y\": 5}, \"to\": \"c\"}",
     {BARE, BARE, BARE, 656450, 656450, 656450}},
    {"bounds not of the key",
     "{\"moveChunk\": \"app.items\", \"bounds\": [{\"y\": 0}, {\"y\": 1}], \"to\": \"c\"}",
     {BARE, BARE, BARE, 656451, 656451, 656451}},
    {"no such chunk", ITEMS(0, 101, "b") "}", {BARE, BARE, BARE, 656452, 656452, 656452}},
    {"neither", "{\"moveChunk\": \"app.items\", \"to\": \"c\"}", {BARE, BARE, BARE, 72, 72, 72}},
    {"unknown shard", ITEMS(0, 100, "z") "}", {70, 70, 70, 70, 70, 70}},
    {"to is missing",
     "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 5}}",
     {14, 14, 14, 40414, 40414, 40414}},
    {"to is a number",
     "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 5}, \"to\": 5}",
     {14, 14, 14, 14, 14, 14}},
    {"namespace is a number",
     "{\"moveChunk\": 5, \"find\": {\"x\": 5}, \"to\": \"b\"}",
     {2, 2, 2, 14, 14, 14}},
    {"not sharded",
     "{\"moveChunk\": \"app.none\", \"find\": {\"x\": 5}, \"to\": \"b\"}",
     {118, 118, 118, 118, 118, 118}},
    {"unknown field", ITEMS(0, 100, "b") ", \"foo\": 1}", {0, 0, 0, 40415, 40415, 40415}},
    {"forceJumbo", ITEMS(0, 100, "b") ", \"forceJumbo\": true}", {0, 0, 0, 0, 0, 0}},
    {"forceJumbo is a number", ITEMS(0, 100, "b") ", \"forceJumbo\": 1}", {0, 14, 14, 0, 0, 0}},
    {"forceJumbo is a text", ITEMS(0, 100, "b") ", \"forceJumbo\": \"x\"}", {0, 14, 14, 14, 14, 14}},
    {"write concern alone", ITEMS(0, 100, "b") ", \"writeConcern\": {\"w\": 1}}", {12, 12, 12, 0, 0, 0}},
    {"write concern and throttle",
     ITEMS(0, 100, "b") ", \"_secondaryThrottle\": true, \"writeConcern\": {\"w\": 1}}",
     {0, 0, 0, 0, 0, 0}},
    {"out of its zone",
     "{\"moveChunk\": \"app.pair\", \"bounds\": [{\"r\": \"m\", \"n\": {\"$minKey\": 1}}, {\"r\": "
     "{\"$maxKey\": 1}, \"n\":"
     " {\"$maxKey\": 1}}], \"to\": \"a\"}",
     {20, 20, 20, 0, 0, 0}},
    {"too big",
     "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 200}, \"to\": \"c\"}",
     {153, 153, 153, 153, 153, 153}},
    {"too big, forced",
     "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 200}, \"to\": \"c\", \"forceJumbo\": true}",
     {153, 0, 0, 0, 0, 0}},
    {"range",
     "{\"moveRange\": \"app.items\", \"min\": {\"x\": 10}, \"max\": {\"x\": 20}, \"toShard\": \"c\"}",
     {GONE, GONE, GONE, 0, 0, 0}},
    {"range by min",
     "{\"moveRange\": \"app.items\", \"min\": {\"x\": 200}, \"toShard\": \"c\"}",
     {GONE, GONE, GONE, 0, 0, 0}},
    {"range by max",
     "{\"moveRange\": \"app.items\", \"max\": {\"x\": 100}, \"toShard\": \"c\"}",
     {GONE, GONE, GONE, 0, 0, 0}},
    {"range without bounds",
     "{\"moveRange\": \"app.items\", \"toShard\": \"c\"}",
     {GONE, GONE, GONE, 72, 72, 72}},
    {"range over two chunks",
     "{\"moveRange\": \"app.items\", \"min\": {\"x\": 10}, \"max\": {\"x\": 120}, \"toShard\": \"c\"}",
     {GONE, GONE, GONE, 13388, 13388, 13388}},
    {"range bound of another key",
     "{\"moveRange\": \"app.items\", \"min\": {\"y\": 10}, \"toShard\": \"c\"}",
     {GONE, GONE, GONE, 72, 72, 72}},
    {"range to nowhere",
     "{\"moveRange\": \"app.items\", \"min\": {\"x\": 10}, \"toShard\": \"z\"}",
     {GONE, GONE, GONE, 70, 70, 70}},
    {"split", "{\"split\": \"app.items\", \"middle\": {\"x\": 50}}", {0, 0, 0, 0, 0, 0}},
    {"split at a bound",
     "{\"split\": \"app.items\", \"middle\": {\"x\": 100}}",
     {BARE, BARE, BARE, BARE, BARE, BARE}},
    {"split at nothing", "{\"split\": \"app.items\"}", {BARE, BARE, BARE, BARE, BARE, BARE}},
    {"split of a bound pair",
     "{\"split\": \"app.items\", \"bounds\": [{\"x\": 0}, {\"x\": 100}]}",
     {0, 0, 0, 0, 0, 0}},
    {"split hashed",
     "{\"split\": \"app.hash\", \"middle\": {\"h\": {\"$numberLong\": \"77\"}}}",
     {0, 0, 0, 0, 0, 0}},
    {"split hashed by int", "{\"split\": \"app.hash\", \"middle\": {\"h\": 77}}", {87, 87, 87, 87, 87, 87}},
    {"merge", "{\"mergeChunks\": \"app.items\", \"bounds\": [{\"x\": 0}, {\"x\": 200}]}", {0, 0, 0, 0, 0, 0}},
    {"merge of two shards",
     "{\"mergeChunks\": \"app.items\", \"bounds\": [{\"x\": 100}, {\"x\": {\"$maxKey\": 1}}]}",
     {20, 13388, 13388, 13388, 13388, 13388}},
    {"merge all",
     "{\"mergeAllChunksOnShard\": \"app.items\", \"shard\": \"a\"}",
     {GONE, GONE, GONE, GONE, 0, 0}},
    {"merge all of nobody",
     "{\"mergeAllChunksOnShard\": \"app.items\", \"shard\": \"z\"}",
     {GONE, GONE, GONE, GONE, 70, 70}},
    {"clear jumbo",
     "{\"clearJumboFlag\": \"app.items\", \"bounds\": [{\"x\": 100}, {\"x\": 200}]}",
     {0, 0, 0, 0, 0, 0}},
    {"clear jumbo of none",
     "{\"clearJumboFlag\": \"app.items\", \"bounds\": [{\"x\": 100}, {\"x\": 201}]}",
     {51261, 51261, 51261, 51261, 51261, 51261}},
    {"zone", "{\"addShardToZone\": \"c\", \"zone\": \"EU\"}", {0, 0, 0, 0, 0, 0}},
    {"zone of nobody", "{\"addShardToZone\": \"z\", \"zone\": \"EU\"}", {70, 70, 70, 70, 70, 70}},
    {"zone in use", "{\"removeShardFromZone\": \"b\", \"zone\": \"US\"}", {163, 163, 163, 163, 163, 163}},
    {"zone not in use", "{\"removeShardFromZone\": \"a\", \"zone\": \"EU\"}", {0, 0, 0, 0, 0, 0}},
    {"zone range",
     "{\"updateZoneKeyRange\": \"app.items\", \"min\": {\"x\": 1}, \"max\": {\"x\": 9}, \"zone\": \"EU\"}",
     {0, 0, 0, 0, 0, 0}},
    {"zone range inverted",
     "{\"updateZoneKeyRange\": \"app.items\", \"min\": {\"x\": 9}, \"max\": {\"x\": 1}, \"zone\": \"EU\"}",
     {9, 9, 9, 9, 9, 9}},
    {"zone range overlap",
     "{\"updateZoneKeyRange\": \"app.pair\", \"min\": {\"r\": \"a\"}, \"max\": {\"r\": \"z\"}, \"zone\": "
     "\"EU\"}",
     {178, 178, 178, 178, 178, 178}},
    {"zone range removed",
     "{\"updateZoneKeyRange\": \"app.pair\", \"min\": {\"r\": \"m\"}, \"max\": {\"r\": {\"$maxKey\": 1}, "
     "\"n\": {\"$maxKey\":"
     " 1}}, \"zone\": null}",
     {0, 0, 0, 0, 0, 0}},
    {"zone range of a hash",
     "{\"updateZoneKeyRange\": \"app.hash\", \"min\": {\"h\": 1}, \"max\": {\"h\": 9}, \"zone\": \"EU\"}",
     {0, 0, 72, 72, 72, 72}},
    {"unknown zone",
     "{\"updateZoneKeyRange\": \"app.items\", \"min\": {\"x\": 1}, \"max\": {\"x\": 9}, \"zone\": \"XX\"}",
     {177, 177, 177, 177, 177, 177}},
    {"not a prefix",
     "{\"updateZoneKeyRange\": \"app.pair\", \"min\": {\"n\": 1}, \"max\": {\"n\": 9}, \"zone\": \"EU\"}",
     {61, 61, 61, 61, 61, 61}},
    {"add shard", "{\"addShard\": \"d/127.0.0.1:4\"}", {0, 0, 0, 0, 0, 0}},
    {"add shard twice", "{\"addShard\": \"a/127.0.0.1:9\"}", {20, 20, 20, 20, 20, 20}},
    {"remove shard", "{\"removeShard\": \"c\"}", {0, 0, 0, 0, 0, 0}},
    {"remove nobody", "{\"removeShard\": \"z\"}", {70, 70, 70, 70, 70, 70}},
    {"move primary", "{\"movePrimary\": \"app\", \"to\": \"c\"}", {0, 0, 0, 0, 0, 0}},
    {"move primary of none", "{\"movePrimary\": \"none\", \"to\": \"c\"}", {26, 26, 26, 26, 26, 26}},
    {"enable sharding", "{\"enableSharding\": \"other\"}", {0, 0, 0, 0, 0, 0}},
    {"shard collection",
     "{\"shardCollection\": \"app.new\", \"key\": {\"k\": \"hashed\"}}",
     {0, 0, 0, 0, 0, 0}},
    {"shard of a new database",
     "{\"shardCollection\": \"new.new\", \"key\": {\"k\": 1}}",
     {20, 20, 20, 0, 0, 0}},
    {"shard again", "{\"shardCollection\": \"app.items\", \"key\": {\"y\": 1}}", {23, 23, 23, 23, 23, 23}},
    {"shard by nonsense",
     "{\"shardCollection\": \"app.new\", \"key\": {\"k\": \"text\"}}",
     {2, 2, 2, 2, 2, 2}},
    {"configure",
     "{\"configureCollectionBalancing\": \"app.items\", \"chunkSize\": 2}",
     {GONE, GONE, GONE, 0, 0, 0}},
    {"configure too much",
     "{\"configureCollectionBalancing\": \"app.items\", \"chunkSize\": 2000}",
     {GONE, GONE, GONE, 72, 72, 72}},
    {"allow migrations",
     "{\"setAllowMigrations\": \"app.items\", \"allowMigrations\": false}",
     {GONE, GONE, 0, 0, 0, 0}},
    {"flush", "{\"flushRouterConfig\": 1}", {0, 0, 0, 0, 0, 0}},
    {"version", "{\"getShardVersion\": \"app.items\"}", {0, 0, 0, 0, 0, 0}},
    {"fail point",
     "{\"configureFailPoint\": \"failMigrationCommit\", \"mode\": {\"times\": 1}}",
     {0, 0, 0, 0, 0, 0}},
    {"unknown", "{\"noSuchCommand\": 1}", {59, 59, 59, 59, 59, 59}},
    {"bad time limit", "{\"listShards\": 1, \"maxTimeMS\": -1}", {2, 2, 2, 2, 2, 2}},
};

static void each_version_answers(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
        for (int v = 0; v < VERSIONS; v++) {
            struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
            bson_t *reply = sandbox_run_json(sb, answers[i].command);
            if (sandbox_outcome(reply) != answers[i].want[v]) {
                print_message("%s on %d.%d: %d, not %d: %s\n", answers[i].name, sandbox_versions[v][0],
                              sandbox_versions[v][1], sandbox_outcome(reply), answers[i].want[v],
                              sandbox_text(reply, "errmsg"));
                wrong++;
            }
            bson_destroy(reply);
            sandbox_free(sb);
        }
    }
    assert_int_equal(wrong, 0);
}

/* Which fields a document has in which version: from and until, as major * 10 + minor; 0: always. */
static void documents_have_the_shape_of_the_version(void **state)
{
    (void)state;
    static const struct {
        const char *collection, *field;
        bson_type_t type;
        int from, until;
    } rows[] = {
        {"chunks", "ns", BSON_TYPE_UTF8, 0, 50},
        {"chunks", "uuid", BSON_TYPE_BINARY, 50, 0},
        {"chunks", "lastmodEpoch", BSON_TYPE_OID, 0, 50},
        {"chunks", "onCurrentShardSince", BSON_TYPE_TIMESTAMP, 70, 0},
        {"chunks", "history", BSON_TYPE_ARRAY, 0, 0},
        {"chunks", "lastmod", BSON_TYPE_TIMESTAMP, 0, 0},
        {"collections", "dropped", BSON_TYPE_BOOL, 0, 50},
        {"collections", "timestamp", BSON_TYPE_TIMESTAMP, 50, 0},
        {"collections", "uuid", BSON_TYPE_BINARY, 0, 0},
        {"databases", "partitioned", BSON_TYPE_BOOL, 0, 60},
        {"shards", "topologyTime", BSON_TYPE_TIMESTAMP, 50, 0},
        {"tags", "tag", BSON_TYPE_UTF8, 0, 0},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (int v = 0; v < VERSIONS; v++) {
            int version = sandbox_versions[v][0] * 10 + sandbox_versions[v][1];
            struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
            const GPtrArray *docs = sb_cluster_docs(sb->cluster, rows[i].collection);
            bson_iter_t it;
            assert_true(docs != NULL && docs->len > 0);
            bool there = bson_iter_init_find(&it, docs->pdata[0], rows[i].field);
            bool want = version >= rows[i].from && (rows[i].until == 0 || version < rows[i].until);
            if (there != want || (there && bson_iter_type(&it) != rows[i].type))
                fail_msg("%s.%s of %d", rows[i].collection, rows[i].field, version);
            sandbox_free(sb);
        }
    }
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        bson_iter_t chunk, tag;
        assert_true(bson_iter_init_find(&chunk, sb_cluster_docs(sb->cluster, "chunks")->pdata[0], "_id"));
        assert_int_equal(BSON_ITER_HOLDS_UTF8(&chunk), v == 0);
        assert_true(bson_iter_init_find(&tag, sb_cluster_docs(sb->cluster, "tags")->pdata[0], "_id"));
        assert_int_equal(BSON_ITER_HOLDS_DOCUMENT(&tag), v == 0);
        assert_int_equal(sb_cluster_docs(sb->cluster, "migrations") != NULL, v < 3);
        sandbox_free(sb);
    }
}

/* "min max shard major|minor" of app.items by key, one a line. */
static char *chunks_text(struct sandbox *sb)
{
    GString *out = g_string_new(NULL);
    const GPtrArray *docs = sb_cluster_docs(sb->cluster, "chunks");
    for (int64_t at = G_MININT64; at < G_MAXINT64;) {
        int64_t next = G_MAXINT64;
        for (guint i = 0; i < docs->len; i++) {
            bson_t min, max;
            bson_iter_t it, end;
            uint32_t t, n;
            assert_true(sandbox_sub(docs->pdata[i], "min", &min) && sandbox_sub(docs->pdata[i], "max", &max));
            if (!bson_iter_init_find(&it, &min, "x") || !bson_iter_init_find(&end, &max, "x"))
                continue;
            int64_t from = BSON_ITER_HOLDS_MINKEY(&it) ? G_MININT64 : bson_iter_as_int64(&it);
            if (from != at)
                continue;
            next = BSON_ITER_HOLDS_MAXKEY(&end) ? G_MAXINT64 : bson_iter_as_int64(&end);
            assert_true(bson_iter_init_find(&it, docs->pdata[i], "lastmod"));
            bson_iter_timestamp(&it, &t, &n);
            if (at == G_MININT64)
                g_string_append(out, "Min");
            else
                g_string_append_printf(out, "%d", (int)at);
            g_string_append_printf(out, " %s %u|%u; ", sandbox_text(docs->pdata[i], "shard"), t, n);
        }
        at = next;
    }
    return g_string_free(out, FALSE);
}

static void versions_change_as_the_server_changes_them(void **state)
{
    (void)state;
    static const struct {
        const char *name, *command, *want;
        int major;
    } rows[] = {
        {"nothing", "{\"listShards\": 1}", "Min a 1|0; 0 a 1|1; 100 a 1|2; 200 b 1|3; ", 4},
        {"a move, and the control chunk", ITEMS(0, 100, "c") "}",
         "Min a 2|1; 0 c 2|0; 100 a 1|2; 200 b 1|3; ", 4},
        {"the donor's last chunk",
         "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 200}, \"to\": \"c\", \"forceJumbo\": true}",
         "Min a 1|0; 0 a 1|1; 100 a 1|2; 200 c 2|0; ", 5},
        {"a split", "{\"split\": \"app.items\", \"middle\": {\"x\": 30}}",
         "Min a 1|0; 0 a 1|4; 30 a 1|5; 100 a 1|2; 200 b 1|3; ", 4},
        {"a merge", "{\"mergeChunks\": \"app.items\", \"bounds\": [{\"x\": 0}, {\"x\": 200}]}",
         "Min a 1|0; 0 a 1|4; 200 b 1|3; ", 4},
        {"a range inside a chunk",
         "{\"moveRange\": \"app.items\", \"min\": {\"x\": 20}, \"max\": {\"x\": 30}, \"toShard\": \"c\"}",
         "Min a 1|0; 0 a 2|1; 20 c 2|0; 30 a 2|2; 100 a 1|2; 200 b 1|3; ", 7},
        {"a range from a chunk's begin",
         "{\"moveRange\": \"app.items\", \"min\": {\"x\": 0}, \"max\": {\"x\": 30}, \"toShard\": \"c\"}",
         "Min a 1|0; 0 c 2|0; 30 a 2|1; 100 a 1|2; 200 b 1|3; ", 7},
        {"a whole chunk as a range",
         "{\"moveRange\": \"app.items\", \"min\": {\"x\": 0}, \"max\": {\"x\": 100}, \"toShard\": \"c\"}",
         "Min a 2|1; 0 c 2|0; 100 a 1|2; 200 b 1|3; ", 7},
        {"a cleared flag", "{\"clearJumboFlag\": \"app.items\", \"bounds\": [{\"x\": 100}, {\"x\": 200}]}",
         "Min a 1|0; 0 a 1|1; 100 a 2|0; 200 b 1|3; ", 4},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct sandbox *sb = sandbox_small(rows[i].major, rows[i].major == 4 ? 2 : 0);
        bson_t *reply = sandbox_run_json(sb, rows[i].command);
        g_autofree char *text = chunks_text(sb);
        if (!sandbox_ok(reply) || strcmp(text, rows[i].want) != 0)
            fail_msg("%s: %s, not %s (%s)", rows[i].name, text, rows[i].want, sandbox_text(reply, "errmsg"));
        bson_destroy(reply);
        sandbox_free(sb);
    }
}

/* What one version stores, another loads: same chunks, owners and versions, in its own generation. */
static void one_version_loads_what_another_stored(void **state)
{
    (void)state;
    static const char *const names[] = {"chunks", "tags", "collections", "databases", "shards", "settings"};
    for (int from = 0; from < VERSIONS; from++) {
        struct sandbox *old = sandbox_small(sandbox_versions[from][0], sandbox_versions[from][1]);
        bson_destroy(sandbox_run_json(old, ITEMS(0, 100, "b") "}"));
        bson_destroy(sandbox_run_json(old, "{\"split\": \"app.items\", \"middle\": {\"x\": 150}}"));
        g_autofree char *before = chunks_text(old);
        for (int to = 0; to < VERSIONS; to++) {
            struct sb_options opt = {.version_major = sandbox_versions[to][0],
                                     .version_minor = sandbox_versions[to][1]};
            struct sandbox new = {.clock = step_clock_new(1795212300000)};
            struct err err = {0};
            new.cluster = sb_cluster_new(&opt, step_clock_host(new.clock));
            for (unsigned n = 0; n < G_N_ELEMENTS(names); n++) {
                const GPtrArray *docs = sb_cluster_docs(old->cluster, names[n]);
                for (guint i = 0; i < docs->len; i++)
                    assert_true(sb_cluster_load(new.cluster, names[n], docs->pdata[i], &err));
            }
            if (!sb_cluster_ready(new.cluster, &err))
                fail_msg("%d from %d: %s", to, from, err.msg);
            g_autofree char *after = chunks_text(&new);
            assert_string_equal(after, before);
            const bson_t *chunk = sb_cluster_docs(new.cluster, "chunks")->pdata[0];
            assert_int_equal(bson_has_field(chunk, "ns"), to < 2);
            assert_int_equal(sb_cluster_docs(new.cluster, "tags")->len, 1);
            sb_cluster_free(new.cluster);
            step_clock_free(new.clock);
        }
        sandbox_free(old);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_version_answers),
        cmocka_unit_test(documents_have_the_shape_of_the_version),
        cmocka_unit_test(versions_change_as_the_server_changes_them),
        cmocka_unit_test(one_version_loads_what_another_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
