// SPDX-License-Identifier: Apache-2.0
/* Reading a cluster, from a mongos that says what each row tells it to. */
#include "balancer/cluster/cluster.h"
#include "migrations/mongo/live_source.h"
#include "tests/support/mock_mongos.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CREDENTIALS "scott:t1ger@"

#define COLLECTION(epoch)                                                                                    \
    "{\"_id\": \"d.c\", \"lastmodEpoch\": {\"$oid\": \"" epoch "\"}, \"key\": {\"a\": 1}, \"dropped\": "     \
    "false}"
#define BY_UUID                                                                                              \
    "{\"_id\": \"d.c\", \"timestamp\": {\"$timestamp\": {\"t\": 5, \"i\": 1}}, \"key\": {\"a\": 1}, "        \
    "\"uuid\": {\"$binary\": {\"base64\": \"AAECAwQFBgcICQoLDA0ODw==\", \"subType\": \"04\"}}}"
#define EPOCH_1 "000000000000000000000001"
#define EPOCH_2 "000000000000000000000002"
#define KEY_MIN "{\"$minKey\": 1}"
#define KEY_MAX "{\"$maxKey\": 1}"
#define CHUNK(min, max, shard)                                                                               \
    "{\"ns\": \"d.c\", \"min\": {\"a\": " min "}, \"max\": {\"a\": " max "}, \"shard\": \"" shard "\"}"
#define UUID_CHUNK(min, max, shard)                                                                          \
    "{\"uuid\": {\"$binary\": {\"base64\": \"AAECAwQFBgcICQoLDA0ODw==\", \"subType\": \"04\"}}, "            \
    "\"min\": {\"a\": " min "}, \"max\": {\"a\": " max "}, \"shard\": \"" shard "\"}"
#define FIVE                                                                                                 \
    CHUNK(KEY_MIN, "1", "s0")                                                                                \
    "," CHUNK("1", "2", "s1") "," CHUNK("2", "3", "s0") "," CHUNK("3.0", "4", "s0") "," CHUNK("4", KEY_MAX,  \
                                                                                              "s0")
#define STATS(s0, s1)                                                                                        \
    "{\"ok\": 1, \"shards\": {\"s0\": {\"size\": " s0                                                        \
    ", \"count\": 10, \"numOrphanDocs\": 5}, \"s1\": {\"size\": " s1 "}}}"

static mock_mongos *sound_mock(void)
{
    mock_mongos *m = mock_mongos_new();
    mock_mongos_add(m, "config.shards",
                    "[{\"_id\": \"s0\", \"host\": \"h0\"}, {\"_id\": \"s1\", \"host\": \"h1\"}]");
    mock_mongos_add(m, "config.databases", "[{\"_id\": \"d\", \"primary\": \"s0\"}]");
    mock_mongos_add(m, "config.settings", "[{\"_id\": \"chunksize\", \"value\": 32}]");
    mock_mongos_reply(m, "collStats", STATS("1000", "77"));
    return m;
}

static bool read_cluster(mock_mongos *m, const char *credentials, cluster **ret, struct err *err)
{
    g_autofree char *uri = mock_mongos_uri(m, credentials);
    g_autoptr(mongo_conn) c = NULL;
    g_autoptr(builder) b = builder_new();
    const struct intake to = intake_builder(b);
    const struct live_options opt = {.fcv = true};
    bool done = mongo_connect(uri, MONGOC_READ_PRIMARY, &c, err) && live_read(c, &opt, &to, err) &&
                builder_finish(b, ret, err);
    if (!done && (strstr(err->msg, "t1ger") != NULL || strstr(err->msg, "scott") != NULL))
        fail_msg("shows credentials: %s", err->msg);
    if (!done && strstr(err->msg, "127.0.0.1") == NULL)
        fail_msg("names no host: %s", err->msg);
    return done;
}

/* How often find was asked for config.<coll>. */
static unsigned finds(mock_mongos *m, const char *coll)
{
    g_autoptr(GPtrArray) log = mock_mongos_log(m, "find");
    g_autofree char *start = g_strdup_printf("{ \"find\" : \"%s\"", coll);
    unsigned n = 0;
    for (guint i = 0; i < log->len; i++)
        n += g_str_has_prefix(log->pdata[i], start) ? 1 : 0;
    return n;
}

struct row {
    const char *name;
    const char *collections[4], *chunks[4]; /* what each read sees */
    const char *invalid;                    /* expected; NULL: the collection is sound */
    unsigned n_chunks, n_collections;
    unsigned reads; /* of chunks, expected */
    unsigned cuts;  /* of config.chunks */
};

static const struct row rows[] = {
    {"sound, five batches", {COLLECTION(EPOCH_1)}, {FIVE}, .n_chunks = 5, .n_collections = 1, .reads = 1},
    {"by uuid",
     {BY_UUID},
     {UUID_CHUNK(KEY_MIN, "1", "s0") "," UUID_CHUNK("1", KEY_MAX, "s1") "," CHUNK("7", "8", "s1")},
     .n_chunks = 2,
     .n_collections = 1,
     .reads = 1},
    {"a gap at first",
     {COLLECTION(EPOCH_1)},
     {CHUNK(KEY_MIN, "1", "s0") "," CHUNK("2", KEY_MAX, "s0"), FIVE},
     .n_chunks = 5,
     .n_collections = 1,
     .reads = 2},
    {"no end at first",
     {COLLECTION(EPOCH_1)},
     {CHUNK(KEY_MIN, "1", "s0"), CHUNK("1", KEY_MAX, "s0"), FIVE},
     .n_chunks = 5,
     .n_collections = 1,
     .reads = 3},
    {"a gap that stays",
     {COLLECTION(EPOCH_1)},
     {CHUNK(KEY_MIN, "1", "s0") "," CHUNK("2", KEY_MAX, "s0")},
     .invalid = "",
     .n_chunks = 0,
     .n_collections = 1,
     .reads = 4},
    {"another incarnation after the chunks",
     {COLLECTION(EPOCH_1), COLLECTION(EPOCH_2), COLLECTION(EPOCH_2)},
     {CHUNK(KEY_MIN, KEY_MAX, "s0"), FIVE},
     .n_chunks = 5,
     .n_collections = 1,
     .reads = 2},
    {"dropped after the chunks", {COLLECTION(EPOCH_1), ""}, {FIVE}, .n_collections = 0, .reads = 1},
    {"a tombstone", {"{\"_id\": \"d.c\", \"dropped\": true}"}, {""}, .n_collections = 0, .reads = 0},
    {"cut once", {COLLECTION(EPOCH_1)}, {FIVE}, .n_chunks = 5, .n_collections = 1, .reads = 2, .cuts = 1},
};

static void check(const struct row *row, const cluster *cl, mock_mongos *m)
{
    if (cl->n_collections != row->n_collections)
        fail_msg("%s: %u collections", row->name, cl->n_collections);
    if (finds(m, "chunks") < row->reads || (row->reads == 0 && finds(m, "chunks") > 0))
        fail_msg("%s: %u reads of chunks", row->name, finds(m, "chunks"));
    if (row->cuts == 0 && finds(m, "chunks") != row->reads)
        fail_msg("%s: %u reads of chunks, not %u", row->name, finds(m, "chunks"), row->reads);
    if (cl->n_collections == 0) {
        if (cl->warnings->len > 0) /* of chunks without a collection */
            fail_msg("%s: %s", row->name, g_array_index(cl->warnings, struct warning, 0).message);
        return;
    }
    const struct collection *c = &cl->collections[0];
    if ((c->invalid != NULL) != (row->invalid != NULL))
        fail_msg("%s: invalid: %s", row->name, c->invalid == NULL ? "no" : c->invalid);
    if (row->invalid == NULL && c->chunks.n != row->n_chunks)
        fail_msg("%s: %u chunks", row->name, c->chunks.n);
}

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(mock_mongos) m = sound_mock();
        g_autoptr(cluster) cl = NULL;
        struct err err = {0};
        for (unsigned n = 0; n < 4 && rows[i].collections[n] != NULL; n++) {
            g_autofree char *array = g_strdup_printf("[%s]", rows[i].collections[n]);
            /* Of `collections` the first read is of all. */
            mock_mongos_add(m, "config.collections", array);
        }
        for (unsigned n = 0; n < 4 && rows[i].chunks[n] != NULL; n++) {
            g_autofree char *array = g_strdup_printf("[%s]", rows[i].chunks[n]);
            mock_mongos_add(m, "config.chunks", array);
        }
        mock_mongos_cut(m, "config.chunks", rows[i].cuts);
        if (!read_cluster(m, "", &cl, &err))
            fail_msg("%s: %s", rows[i].name, err.msg);
        check(&rows[i], cl, m);
    }
}

static mock_mongos *simple_mock(void)
{
    mock_mongos *m = sound_mock();
    mock_mongos_add(m, "config.collections", "[" COLLECTION(EPOCH_1) "]");
    mock_mongos_add(m, "config.chunks", "[" FIVE "]");
    return m;
}

/* Every read asks for the majority's view, a limit of time, and the one session. */
static void asks_properly(void **state)
{
    (void)state;
    g_autoptr(mock_mongos) m = simple_mock();
    g_autoptr(cluster) cl = NULL;
    struct err err = {0};
    assert_true(read_cluster(m, "", &cl, &err));
    assert_string_equal(cl->server_version, "4.4.0");
    g_autoptr(GPtrArray) log = mock_mongos_log(m, "find");
    assert_true(log->len >= 7);
    g_autofree char *lsid = NULL;
    for (guint i = 0; i < log->len; i++) {
        const char *cmd = log->pdata[i];
        const char *id = strstr(cmd, "\"lsid\"");
        if (strstr(cmd, "\"level\" : \"majority\"") == NULL || strstr(cmd, "maxTimeMS") == NULL || id == NULL)
            fail_msg("%s", cmd);
        g_autofree char *this = g_strndup(id, strcspn(id, "}"));
        if (lsid != NULL)
            assert_string_equal(this, lsid);
        else
            lsid = g_strdup(this);
    }
}

/* s0: 1000 bytes, half of it orphans; s1: no count. */
static void reads_sizes(void **state)
{
    (void)state;
    g_autoptr(mock_mongos) m = simple_mock();
    g_autoptr(cluster) cl = NULL;
    struct err err = {0};
    assert_true(read_cluster(m, "", &cl, &err));
    const struct collection *c = &cl->collections[0];
    assert_true(c->sizes_known);
    assert_int_equal(c->bytes[0], 500);
    assert_int_equal(c->bytes[1], 77);
    g_autoptr(GPtrArray) asked = mock_mongos_log(m, "aggregate");
    assert_int_equal(asked->len, 0);
}

static void reads_distribution(void **state)
{
    (void)state;
    g_autoptr(mock_mongos) m = simple_mock();
    g_autoptr(cluster) cl = NULL;
    struct err err = {0};
    mock_mongos_role(m, true, "6.0.3");
    mock_mongos_reply(m, "aggregate",
                      "{\"ok\": 1, \"cursor\": {\"id\": 0, \"ns\": \"admin.$cmd.aggregate\", \"firstBatch\": "
                      "[{\"ns\": \"x.y\"}, "
                      "{\"ns\": \"d.c\", \"shards\": [{\"shardName\": \"s0\", \"ownedSizeBytes\": 42, "
                      "\"orphanedSizeBytes\": 9, "
                      "\"numOwnedDocuments\": 4}, {\"shardName\": \"s1\", \"ownedSizeBytes\": 7.0}]}]}}");
    assert_true(read_cluster(m, "", &cl, &err));
    assert_int_equal(cl->collections[0].bytes[0], 42);
    assert_int_equal(cl->collections[0].bytes[1], 7);
}

static bool has_warning(const cluster *cl, const char *code)
{
    for (guint i = 0; i < cl->warnings->len; i++)
        if (strcmp(g_array_index(cl->warnings, struct warning, i).code, code) == 0)
            return true;
    return false;
}

/* Sizes that are not to be had are no reason to give up. */
static void goes_without_sizes(void **state)
{
    (void)state;
    static const int codes[] = {13, 59, 166};
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autoptr(mock_mongos) m = simple_mock();
        g_autoptr(cluster) cl = NULL;
        struct err err = {0};
        mock_mongos_role(m, true, "7.0.1");
        mock_mongos_fail(m, "aggregate", codes[i]);
        mock_mongos_fail(m, "collStats", codes[i]);
        if (!read_cluster(m, "", &cl, &err))
            fail_msg("code %d: %s", codes[i], err.msg);
        if (!has_warning(cl, "sizesUnavailable"))
            fail_msg("code %d: no warning", codes[i]);
        assert_false(cl->collections[0].sizes_known);
    }
}

/* What a mongos says of a collection that is not there is no size. */
static void takes_no_size_of_nothing(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "{\"ok\": 1, \"sharded\": false, \"shards\": {\"s0\": {\"size\": 0}}}",
        "{\"ok\": 1, \"sharded\": true, \"shards\": {}}", "{\"ok\": 1}", "{\"ok\": 1, \"shards\": 5}"};
    for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
        g_autoptr(mock_mongos) m = simple_mock();
        g_autoptr(cluster) cl = NULL;
        struct err err = {0};
        mock_mongos_reply(m, "collStats", replies[i]);
        if (!read_cluster(m, "", &cl, &err))
            fail_msg("%s: %s", replies[i], err.msg);
        if (cl->collections[0].sizes_known || !has_warning(cl, "sizesUnavailable"))
            fail_msg("%s: taken for a size", replies[i]);
    }
}

static const struct {
    const char *name, *fail; /* a command or a namespace */
    int code;
    const char *credentials;
    bool mongod;
    unsigned cuts;
    enum err_class cls;
    const char *says;
} failures[] = {
    {"not permitted", "config.chunks", 13, "", false, 0, ERR_NO_PERMISSION, "clusterMonitor"},
    {"not permitted at all", "config.shards", 13, "", false, 0, ERR_NO_PERMISSION, "config.shards"},
    {"login refused", "saslStart", 18, CREDENTIALS, false, 0, ERR_NO_PERMISSION, "cannot log in"},
    {"a read that is refused as not logged in", "config.tags", 18, "", false, 0, ERR_NO_PERMISSION,
     "cannot log in"},
    {"too slow", "config.settings", 50, "", false, 0, ERR_UNAVAILABLE, "too long"},
    {"some other code", "config.shards", 8, "", false, 0, ERR_UNAVAILABLE, "code 8"},
    {"not a mongos", "", 0, "", true, 0, ERR_UNAVAILABLE, "not a mongos"},
    {"no buildInfo", "buildInfo", 59, "", false, 0, ERR_UNAVAILABLE, "buildInfo"},
    {"cut again and again", "", 0, "", false, 100, ERR_UNAVAILABLE, "config.chunks"},
};

static void tells_what_failed(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
        g_autoptr(mock_mongos) m = simple_mock();
        g_autoptr(cluster) cl = NULL;
        struct err err = {0};
        mock_mongos_role(m, !failures[i].mongod, "4.4.0");
        if (failures[i].code != 0)
            mock_mongos_fail(m, failures[i].fail, failures[i].code);
        mock_mongos_cut(m, "config.chunks", failures[i].cuts);
        if (read_cluster(m, failures[i].credentials, &cl, &err))
            fail_msg("%s: went well", failures[i].name);
        if (err.cls != failures[i].cls || strstr(err.msg, failures[i].says) == NULL)
            fail_msg("%s: class %d: %s", failures[i].name, (int)err.cls, err.msg);
    }
}

/* A port where nobody listens is told at once, not after the timeout. */
static void nobody_there(void **state)
{
    (void)state;
    mock_mongos *m = mock_mongos_new();
    g_autofree char *uri = mock_mongos_uri(m, CREDENTIALS);
    mock_mongos_free(m);
    g_autoptr(mongo_conn) c = NULL;
    struct err err = {0};
    gint64 start = g_get_monotonic_time();
    assert_false(mongo_connect(uri, MONGOC_READ_PRIMARY, &c, &err));
    assert_int_equal(err.cls, ERR_UNAVAILABLE);
    assert_null(strstr(err.msg, "t1ger"));
    assert_true(g_get_monotonic_time() - start < 5 * G_USEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(asks_properly),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_distribution),
        cmocka_unit_test(goes_without_sizes),
        cmocka_unit_test(takes_no_size_of_nothing),
        cmocka_unit_test(tells_what_failed),
        cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
