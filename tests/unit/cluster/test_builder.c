// SPDX-License-Identifier: Apache-2.0
/* What a whole snapshot becomes, of either generation, and which damage leaves a collection out or ends the
 * reading. */
#include "balancer/cluster/builder_private.h"
#include "balancer/key/show.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SHARDS "'shards': [{'_id': 's1'}, {'_id': 's0'}]"
#define UUID_A "{'$uuid': '00000000-0000-4000-8000-00000000000a'}"
#define UUID_B "{'$uuid': '00000000-0000-4000-8000-00000000000b'}"
#define KMIN "{'$minKey': 1}"
#define KMAX "{'$maxKey': 1}"
#define OLD_COLL "'collections': [{'_id': 'd.c', 'key': {'a': 1}}]"
#define NEW_COLL                                                                                             \
    "'collections': [{'_id': 'd.c', 'key': {'a': 1}, 'uuid': " UUID_A                                        \
    ", 'timestamp': {'$timestamp': {'t': 7, 'i': 1}}}]"
/* Three chunks by ns, not in order. */
#define OLD_CHUNKS                                                                                           \
    "{'_id': 'x', 'ns': 'd.c', 'min': {'a': 10}, 'max': {'a': " KMAX "}, 'shard': 's0'},"                    \
    "{'_id': 'y', 'ns': 'd.c', 'min': {'a': " KMIN "}, 'max': {'a': -5}, 'shard': 's1', 'jumbo': 1},"        \
    "{'_id': 'z', 'ns': 'd.c', 'min': {'a': -5}, 'max': {'a': 10}, 'shard': 's0',"                           \
    " 'lastmod': {'$timestamp': {'t': 3, 'i': 9}}}"
#define BY_UUID(more)                                                                                        \
    "{'uuid': " UUID_A more ", 'min': {'a': " KMIN "}, 'max': {'a': 0}, 'shard': 's0'},"                     \
    "{'uuid': " UUID_A ", 'min': {'a': 0}, 'max': {'a': " KMAX "}, 'shard': 's1'}"

static char *min_text(const struct collection *c, uint32_t i)
{
    bson_t bound = BSON_INITIALIZER;
    GString *out = g_string_new(NULL);
    chunk_min(c, &c->chunks, i, &bound);
    key_show(out, &bound, 0);
    bson_destroy(&bound);
    return g_string_free(out, FALSE);
}

static void test_old_layout(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        cluster_from_json("{" SHARDS "," OLD_COLL ", 'chunks': [" OLD_CHUNKS "],"
                          "'databases': [{'_id': 'd', 'primary': 's0'}, {'_id': 'e', 'primary': 'q'}]}");
    assert_int_equal(cl->n_shards, 2);
    assert_string_equal(cl->shards[0].id, "s1"); /* order of the input */
    assert_int_equal(cluster_find_shard(cl, "s0"), 1);
    assert_int_equal(cluster_find_shard(cl, "s9"), SHARD_NONE);
    const struct collection *c = cluster_find_collection(cl, "d.c");
    assert_non_null(c);
    assert_null(c->invalid);
    assert_int_equal(c->chunks.n, 3);
    assert_int_equal(c->chunks.shard[0], 0);
    assert_int_equal(c->chunks.shard[1], 1);
    assert_int_equal(c->chunks.shard[2], 1);
    assert_int_equal(c->chunks.flags[0], CHUNK_JUMBO);
    assert_int_equal(c->chunks.flags[1], 0);
    assert_true(c->chunks.version[1] == ((uint64_t)3 << 32 | 9));
    assert_true(c->chunks.bytes[1] == SIZE_UNKNOWN);
    g_autofree char *min = min_text(c, 1);
    assert_string_equal(min, "{ a: -5 }");
    assert_int_equal(cl->warnings->len, 0);
    assert_int_equal(cl->n_databases, 2);
    assert_int_equal(cl->databases[0].primary, 1);
    assert_int_equal(cl->databases[1].primary, SHARD_NONE);
    assert_true(cl->key_bytes == c->chunks.enc_at[3] + c->chunks.pack_at[3]);
    bson_t max = BSON_INITIALIZER;
    chunk_max(c, &c->chunks, 2, &max);
    bson_iter_t it;
    assert_true(bson_iter_init_find(&it, &max, "a") && BSON_ITER_HOLDS_MAXKEY(&it));
    bson_destroy(&max);
}

/* Which chunks a collection takes when they are named by ns, by uuid, or both. */
static const struct layout_row {
    const char *name, *json;
    int chunks;
    unsigned strays;
} layout_rows[] = {
    {"by ns", "{" SHARDS "," OLD_COLL ", 'chunks': [" OLD_CHUNKS "]}", 3, 0},
    {"by uuid", "{" SHARDS "," NEW_COLL ", 'chunks': [" BY_UUID("") "]}", 2, 0},
    {"documents in the opposite order", "{'chunks': [" BY_UUID("") "], " NEW_COLL "," SHARDS "}", 2, 0},
    {"timestamp, both layouts there", "{" SHARDS "," NEW_COLL ", 'chunks': [" BY_UUID("") "," OLD_CHUNKS "]}",
     2, 0},
    {"timestamp, only ns there", "{" SHARDS "," NEW_COLL ", 'chunks': [" OLD_CHUNKS "]}", 3, 0},
    {"no timestamp, only uuid there",
     "{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'a': 1}, 'uuid': " UUID_A
     "}], 'chunks': [" BY_UUID("") "]}",
     2, 0},
    {"half of them name ns too", "{" SHARDS "," NEW_COLL ", 'chunks': [" BY_UUID(", 'ns': 'd.c'") "]}", 2, 0},
    {"old subtype of uuid",
     "{" SHARDS "," NEW_COLL
     ", 'chunks': [{'uuid': {'$binary': {'base64': 'AAAAAAAAQACAAAAAAAAACg==', 'subType': '03'}},"
     "'min': {'a': " KMIN "}, 'max': {'a': " KMAX "}, 'shard': 's0'}]}",
     1, 0},
    {"uuid of nobody",
     "{" SHARDS "," NEW_COLL
     ", 'chunks': [" BY_UUID("") ",{'uuid': " UUID_B ", 'min': {'q': 1}, 'max': {'q': 2}, 'shard': 's7'}]}",
     2, 1},
    {"ns of nobody, two chunks of it",
     "{" SHARDS "," OLD_COLL ", 'chunks': [{'ns': 'x.y', 'min': {}, 'max': 1, 'shard': 's0'}," OLD_CHUNKS
     ",{'ns': 'x.y', 'min': {}}]}",
     3, 1},
    {"dropped collections' chunks are passed over",
     "{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'a': 1}}, {'_id': 'd.gone', 'dropped': 1}],"
     "'chunks': [{'ns': 'd.gone', 'min': {'a': 1}, 'max': {'a': 2}, 'shard': 's0'}," OLD_CHUNKS "]}",
     3, 0},
};

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(layout_rows); i++) {
        const struct layout_row *row = &layout_rows[i];
        g_autoptr(cluster) cl = cluster_from_json(row->json);
        const struct collection *c = &cl->collections[0];
        if (cl->n_collections != 1 || (int)c->chunks.n != row->chunks || c->invalid != NULL)
            fail_msg("%s: %u chunks: %s", row->name, c->chunks.n, c->invalid);
        g_autoptr(GString) mins = g_string_new(NULL);
        for (uint32_t k = 0; k < c->chunks.n; k++) {
            g_autofree char *min = min_text(c, k);
            g_string_append(mins, min);
        }
        const char *want = row->chunks == 3   ? "{ a: MinKey }{ a: -5 }{ a: 10 }"
                           : row->chunks == 2 ? "{ a: MinKey }{ a: 0 }"
                                              : "{ a: MinKey }";
        if (strcmp(mins->str, want) != 0)
            fail_msg("%s: %s", row->name, mins->str);
        if (cluster_count_warnings(cl, "chunksWithoutCollection") != row->strays ||
            cl->warnings->len != row->strays)
            fail_msg("%s: %u warnings", row->name, cl->warnings->len);
    }
}

#define ONE_CHUNK(fields) "{" SHARDS "," OLD_COLL ", 'chunks': [{'_id': 'x', 'ns': 'd.c', " fields "}]}"
#define WHOLE "'min': {'a': " KMIN "}, 'max': {'a': " KMAX "}"
#define COLLECTION(fields)                                                                                   \
    "{" SHARDS ", 'collections': [{'_id': 'd.c'" fields "}],"                                                \
    "'chunks': [{'ns': 'd.c', " WHOLE ", 'shard': 's0'}]}"
#define PAIR(max0, min1)                                                                                     \
    "{" SHARDS "," OLD_COLL ", 'chunks': [{'ns': 'd.c', 'min': {'a': " KMIN "}, 'max': {'a': " max0          \
    "}, 'shard': 's0'}, {'ns': 'd.c', 'min': {'a': " min1 "}, 'max': {'a': " KMAX "}, 'shard': 's0'}]}"

/* Damage to one collection: it is left out, in these words among others, and a warning tells the same. */
static const struct damage_row {
    const char *name, *json, *says;
} damage_rows[] = {
    {"min missing", ONE_CHUNK("'max': {'a': 1}, 'shard': 's0'"), "chunks[0] (_id \"x\"): min is missing"},
    {"max missing", ONE_CHUNK("'min': {'a': 1}, 'shard': 's0'"), "max is missing"},
    {"shard missing", ONE_CHUNK(WHOLE), "shard is missing"},
    {"shard is a number", ONE_CHUNK(WHOLE ", 'shard': 7"), "shard is not a string"},
    {"shard is a uuid", ONE_CHUNK(WHOLE ", 'shard': " UUID_A), "shard is a UUID"},
    {"shard is empty", ONE_CHUNK(WHOLE ", 'shard': ''"), "shard is empty"},
    {"shard holds NUL", ONE_CHUNK(WHOLE ", 'shard': 's0\\u0000x'"), "holds NUL"},
    {"shard unknown", ONE_CHUNK(WHOLE ", 'shard': 's9'"),
     "chunks[0] (_id \"x\"): shard 's9' is not in config.shards"},
    {"min is an array", ONE_CHUNK("'min': [1], 'max': {'a': 1}, 'shard': 's0'"), "min is not a document"},
    {"max is null", ONE_CHUNK("'min': {'a': 1}, 'max': null, 'shard': 's0'"), "max is not a document"},
    {"lastmod is a string", ONE_CHUNK(WHOLE ", 'shard': 's0', 'lastmod': '1'"), "lastmod is not a timestamp"},
    {"jumbo is a string", ONE_CHUNK(WHOLE ", 'shard': 's0', 'jumbo': 'yes'"), "jumbo is not a boolean"},
    {"measured size below 0", ONE_CHUNK(WHOLE ", 'shard': 's0', 'estimatedDataSizeBytes': -1"),
     "estimatedDataSizeBytes"},
    {"uuid is no uuid", ONE_CHUNK(WHOLE ", 'shard': 's0', 'uuid': 'a'"), "uuid is not a UUID"},
    {"min equals max", ONE_CHUNK("'min': {'a': 1}, 'max': {'a': 1.0}, 'shard': 's0'"),
     "min { a: 1 } is not less than max"},
    {"min over max", ONE_CHUNK("'min': {'a': 'b'}, 'max': {'a': 'a'}, 'shard': 's0'"),
     "is not less than max"},
    {"fields of max differ", ONE_CHUNK("'min': {'a': 1}, 'max': {'b': 2}, 'shard': 's0'"), "max: "},
    {"empty bounds", ONE_CHUNK("'min': {}, 'max': {}, 'shard': 's0'"), "min has no fields"},
    {"not the key's fields", ONE_CHUNK("'min': {'b': " KMIN "}, 'max': {'b': " KMAX "}, 'shard': 's0'"),
     "chunks[0] (_id \"x\"): bounds whose fields are not the shard key's"},
    {"a field too many",
     ONE_CHUNK("'min': {'a': " KMIN ", 'b': 1}, 'max': {'a': " KMAX ", 'b': 1}, 'shard': 's0'"),
     "bounds whose fields are not the shard key's"},
    {"first min", ONE_CHUNK("'min': {'a': 0}, 'max': {'a': " KMAX "}, 'shard': 's0'"), "not all MinKey"},
    {"last max", ONE_CHUNK("'min': {'a': " KMIN "}, 'max': {'a': 0}, 'shard': 's0'"), "not all MaxKey"},
    {"gap", PAIR("5", "6"),
     "a gap between chunks: chunks[0], from { a: MinKey }; and chunks[1], from { a: 6 }"},
    {"overlap", PAIR("6", "5"), "chunks overlap: chunks[0], from"},
    {"twice the same min", PAIR("5", KMIN), "two chunks with the same min"},
    {"no chunks", "{" SHARDS "," OLD_COLL "}", "collection 'd.c' has no chunks"},
    {"no key", COLLECTION(""), "collections[0] (_id \"d.c\"): key is missing"},
    {"key is a string", COLLECTION(", 'key': 'a'"), "key is not a document"},
    {"key is empty", COLLECTION(", 'key': {}"), "collections[0]"},
    {"key of a text index", COLLECTION(", 'key': {'a': 'text'}"), "collections[0]"},
    {"noBalance is a number", COLLECTION(", 'key': {'a': 1}, 'noBalance': 1"), "noBalance is not a boolean"},
    {"uuid is a string", COLLECTION(", 'key': {'a': 1}, 'uuid': 'a'"), "uuid is not a UUID"},
    {"timestamp is a date", COLLECTION(", 'key': {'a': 1}, 'timestamp': {'$date': {'$numberLong': '1'}}"),
     "timestamp is not a timestamp"},
    {"epoch is a string", COLLECTION(", 'key': {'a': 1}, 'lastmodEpoch': 'a'"),
     "lastmodEpoch is not an ObjectId"},
    {"chunk size of 0", COLLECTION(", 'key': {'a': 1}, 'maxChunkSizeBytes': 0"), "maxChunkSizeBytes"},
    {"chunk size with a fraction", COLLECTION(", 'key': {'a': 1}, 'maxChunkSizeBytes': 1.5"),
     "maxChunkSizeBytes"},
    {"no namespace", "{" SHARDS ", 'collections': [{'_id': 'dc', 'key': {'a': 1}}]}", "is not a namespace"},
    {"a collection twice",
     "{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'a': 1}}, {'_id': 'd.c', 'key': {'a': 1}}],"
     "'chunks': [{'ns': 'd.c', " WHOLE ", 'shard': 's0'}]}",
     "collections[1] (_id \"d.c\"): a second document"},
    {"hashed bound is int32",
     "{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'a': 'hashed'}}], 'chunks': ["
     "{'ns': 'd.c', 'min': {'a': " KMIN "}, 'max': {'a': 5}, 'shard': 's0'},"
     "{'ns': 'd.c', 'min': {'a': 5}, 'max': {'a': " KMAX "}, 'shard': 's0'}]}",
     "chunks[1], from { a: 5 }: a hashed field's bound"},
    {"hashed bound behind another field",
     "{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'z': 1, 'a': 'hashed'}}], 'chunks': ["
     "{'ns': 'd.c', 'min': {'z': " KMIN ", 'a': " KMIN "}, 'max': {'z': 1, 'a': 5.5}, 'shard': 's0'},"
     "{'ns': 'd.c', 'min': {'z': 1, 'a': 5.5}, 'max': {'z': " KMAX ", 'a': " KMAX "}, 'shard': 's0'}]}",
     "a hashed field's bound"},
};

static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(damage_rows); i++) {
        const struct damage_row *row = &damage_rows[i];
        g_autoptr(cluster) cl = cluster_from_json(row->json);
        const struct collection *c = &cl->collections[0];
        if (c->invalid == NULL || strstr(c->invalid, row->says) == NULL)
            fail_msg("%s: said \"%s\"", row->name, c->invalid);
        const struct warning *w = cluster_warning(cl, "metadataInvalid", c->ns);
        if (w == NULL || strstr(w->message, c->ns) == NULL || !g_str_has_suffix(w->message, c->invalid) ||
            cl->warnings->len != 1)
            fail_msg("%s: warnings", row->name);
        if (collection_excluded(c, false) != EXCLUDED_METADATA_INVALID)
            fail_msg("%s: not excluded", row->name);
    }
}

/* One bad collection leaves the others as they are. */
static void test_damage_stays_inside(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = cluster_from_json(
        "{" SHARDS ", 'collections': [{'_id': 'd.bad', 'key': {'a': 1}}, {'_id': 'd.c', 'key': {'a': 1}}],"
        "'chunks': [{'ns': 'd.bad', 'min': {'a': 1}, 'shard': 's0'}, " OLD_CHUNKS
        ", {'ns': 'd.bad', 'min': {'a': 1}, 'max': {'a': 2}, 'shard': 's0'}]}");
    assert_non_null(cl->collections[0].invalid);
    assert_int_equal(cl->collections[0].chunks.n, 0);
    assert_null(cl->collections[1].invalid);
    assert_int_equal(cl->collections[1].chunks.n, 3);
}

/* What ends the reading. */
static const struct damage_row fatal_rows[] = {
    {"shard without _id", "{'shards': [{'host': 'h'}]}", "shards[0]: _id is missing"},
    {"shard _id is a number", "{'shards': [{'_id': 5}]}", "shards[0] (_id 5): _id is not a string"},
    {"shard _id is empty", "{'shards': [{'_id': ''}]}", "_id is not a string, or empty"},
    {"shard twice", "{'shards': [{'_id': 'a'}, {'_id': 'b'}, {'_id': 'a'}]}",
     "shards[2] (_id \"a\"): a second document"},
    {"tags is a string", "{'shards': [{'_id': 'a', 'tags': 'x'}]}", "tags is not an array"},
    {"a tag is a number", "{'shards': [{'_id': 'a', 'tags': ['x', 1]}]}", "an element of tags"},
    {"maxSize is negative", "{'shards': [{'_id': 'a', 'maxSize': -1}]}", "maxSize"},
    {"draining is a string", "{'shards': [{'_id': 'a', 'draining': 'no'}]}", "draining is not a boolean"},
    {"collection without _id", "{'collections': [{'key': {'a': 1}}]}", "collections[0]: _id is missing"},
    {"collection _id is a number", "{'collections': [{'_id': 1}]}", "collections[0] (_id 1): _id is not"},
    {"dropped is a string", "{'collections': [{'_id': 'a.b', 'dropped': 'x'}]}", "dropped is not a boolean"},
    {"chunk of nobody", "{'chunks': [{'_id': 'x', 'min': {'a': 1}}]}",
     "chunks[0] (_id \"x\") names no collection"},
    {"chunk ns is a number", "{'chunks': [{'ns': 1}]}", "chunks[0] names no collection: ns is not a string"},
    {"tag of nobody", "{'tags': [{'_id': 1, 'tag': 'z'}]}", "tags[0] (_id 1) names no collection"},
    {"version", "{'serverVersion': 'seven'}", "server version 'seven'"},
    {"sizes negative", "{'sizes': {'d.c': {'s0': -1}}}", "sizes of 'd.c' on shard 's0'"},
    {"sizes NaN", "{'sizes': {'d.c': {'s0': {'bytes': {'$numberDouble': 'NaN'}}}}}",
     "sizes of 'd.c' on shard 's0'"},
    {"sizes a string", "{'sizes': {'d.c': {'s0': '12'}}}", "sizes of 'd.c' on shard 's0'"},
    {"sizes without bytes", "{'sizes': {'d.c': {'s0': {'documents': 1}}}}", "sizes of 'd.c' on shard 's0'"},
    {"a size over 1 PiB", "{'sizes': {'d.c': {'s0': 1e300}}}", "sizes of 'd.c' on shard 's0'"},
};

static void test_fatal(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(fatal_rows); i++) {
        struct err err = {0};
        cluster *cl = cluster_json_try(fatal_rows[i].json, &err);
        if (cl != NULL || err.cls != ERR_DATA || strstr(err.msg, fatal_rows[i].says) == NULL)
            fail_msg("%s: \"%s\"", fatal_rows[i].name, err.msg);
    }
}

/* Flags of a collection, and the reason that comes first. */
static const struct flag_row {
    const char *name, *fields;
    enum excluded want;
} flag_rows[] = {
    {"none", "", EXCLUDED_NO},
    {"noBalance", ", 'noBalance': true", EXCLUDED_NO_BALANCE},
    {"noBalance false", ", 'noBalance': false", EXCLUDED_NO},
    {"noBalance null", ", 'noBalance': null", EXCLUDED_NO},
    {"allowMigrations", ", 'allowMigrations': false", EXCLUDED_MIGRATIONS_NOT_PERMITTED},
    {"allowMigrations true", ", 'allowMigrations': true", EXCLUDED_NO},
    {"permitMigrations", ", 'permitMigrations': false", EXCLUDED_MIGRATIONS_NOT_PERMITTED},
    {"allowChunkOperations", ", 'allowChunkOperations': false", EXCLUDED_MIGRATIONS_NOT_PERMITTED},
    {"unsplittable", ", 'unsplittable': true, 'noBalance': true", EXCLUDED_UNSPLITTABLE},
    {"defragmenting", ", 'defragmentCollection': true, 'noBalance': true", EXCLUDED_DEFRAGMENTING},
    {"resharding", ", 'reshardingFields': {'state': 'x'}, 'allowMigrations': false", EXCLUDED_RESHARDING},
    {"time series", ", 'timeseriesFields': {'timeField': 't'}, 'noBalance': true", EXCLUDED_TIME_SERIES},
};

static void test_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(flag_rows); i++) {
        g_autofree char *json =
            g_strdup_printf("{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'a': 1}%s}],"
                            "'chunks': [" OLD_CHUNKS "]}",
                            flag_rows[i].fields);
        g_autoptr(cluster) cl = cluster_from_json(json);
        enum excluded got = collection_excluded(&cl->collections[0], false);
        if (got != flag_rows[i].want)
            fail_msg("%s: %s", flag_rows[i].name, excluded_text(got));
        enum excluded even = collection_excluded(&cl->collections[0], true);
        if ((even == got) == (got == EXCLUDED_TIME_SERIES))
            fail_msg("%s: evenly %s", flag_rows[i].name, excluded_text(even));
    }
    assert_string_equal(excluded_text(EXCLUDED_METADATA_INVALID), "metadataInvalid");
    assert_null(excluded_text(EXCLUDED_NO));
}

static void test_resharding_name(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        cluster_from_json("{" SHARDS ", 'collections': [{'_id': 'd.system.resharding.1', 'key': {'a': 1}}],"
                          "'chunks': [{'ns': 'd.system.resharding.1', " WHOLE ", 'shard': 's0'}]}");
    assert_int_equal(collection_excluded(&cl->collections[0], false), EXCLUDED_RESHARDING);
}

static void test_version_text(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        cluster_from_json("{" SHARDS ", 'collections': [{'_id': 'd.c', 'key': {'a': 1}, 'lastmodEpoch': "
                          "{'$oid': '0102030405060708090a0b0c'}},"
                          "{'_id': 'd.n', 'key': {'a': 1}, 'timestamp': {'$timestamp': {'t': 7, 'i': 1}}}]}");
    g_autofree char *old = collection_version_text(&cl->collections[0], (uint64_t)2 << 32 | 5);
    assert_string_equal(old, "2|5||0102030405060708090a0b0c");
    g_autofree char *new = collection_version_text(&cl->collections[1], 1);
    assert_string_equal(new, "0|1||000000000000000000000000||Timestamp(7, 1)");
}

/* A chunk document of a collection with an ObjectId key, [i, i + 1) of n. */
static void add_oid_chunk(builder *b, uint64_t index, uint32_t i, uint32_t n)
{
    bson_t doc = BSON_INITIALIZER, bound;
    char name[8];
    bson_oid_t oid = {{0}};
    const char *const sides[] = {"min", "max"};
    BSON_APPEND_INT64(&doc, "_id", i);
    BSON_APPEND_UTF8(&doc, "ns", "d.c");
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t at = i + side;
        BSON_APPEND_DOCUMENT_BEGIN(&doc, sides[side], &bound);
        for (int byte = 0; byte < 4; byte++)
            oid.bytes[byte] = (uint8_t)(at >> (24 - 8 * byte));
        if (at == 0)
            BSON_APPEND_MINKEY(&bound, "_id");
        else if (at == n)
            BSON_APPEND_MAXKEY(&bound, "_id");
        else
            BSON_APPEND_OID(&bound, "_id", &oid);
        bson_append_document_end(&doc, &bound);
    }
    g_snprintf(name, sizeof name, "s%u", (unsigned)(i % 3));
    BSON_APPEND_UTF8(&doc, "shard", name);
    BSON_APPEND_TIMESTAMP(&doc, "lastmod", i + 1, i % 7);
    if (i % 5 == 0)
        BSON_APPEND_BOOL(&doc, "jumbo", true);
    if (i % 4 == 0)
        BSON_APPEND_INT64(&doc, "estimatedDataSizeBytes", 10 * (int64_t)i);
    struct err err = {0};
    if (!builder_add(b, DOC_CHUNK, index, bson_get_data(&doc), doc.len, &err))
        fail_msg("%s", err.msg);
    bson_destroy(&doc);
}

static cluster *oid_cluster(const uint32_t *order, uint32_t n, bool chunks_first)
{
    static const char rest[] = "{'shards': [{'_id': 's0'}, {'_id': 's1'}, {'_id': 's2'}],"
                               "'collections': [{'_id': 'd.c', 'key': {'_id': 1}}]}";
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    if (!chunks_first)
        assert_true(cluster_json_feed(b, rest, &err));
    for (uint32_t i = 0; i < n; i++)
        add_oid_chunk(b, i, order[i], n);
    if (chunks_first)
        assert_true(cluster_json_feed(b, rest, &err));
    cluster *cl = NULL;
    assert_true(builder_finish(b, &cl, &err));
    if (cl->collections[0].invalid != NULL)
        fail_msg("%s", cl->collections[0].invalid);
    return cl;
}

static void assert_same_chunks(const struct chunks *a, const struct chunks *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->enc_at, b->enc_at, (a->n + 1) * sizeof *a->enc_at);
    assert_memory_equal(a->pack_at, b->pack_at, (a->n + 1) * sizeof *a->pack_at);
    assert_memory_equal(a->enc, b->enc, a->enc_at[a->n]);
    assert_memory_equal(a->pack, b->pack, a->pack_at[a->n]);
    assert_memory_equal(a->shard, b->shard, a->n * sizeof *a->shard);
    assert_memory_equal(a->flags, b->flags, a->n * sizeof *a->flags);
    assert_memory_equal(a->version, b->version, a->n * sizeof *a->version);
    assert_memory_equal(a->bytes, b->bytes, a->n * sizeof *a->bytes);
}

enum { MANY = 10000 };

/* The order of the input does not show, and a chunk is small. */
static void test_shuffled(void **state)
{
    (void)state;
    uint32_t *order = g_new(uint32_t, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        order[i] = i;
    g_autoptr(cluster) sorted = oid_cluster(order, MANY, false);
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261121);
    for (uint32_t i = MANY; i-- > 1;) {
        uint32_t j = (uint32_t)g_rand_int_range(rand, 0, (gint32)i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    g_autoptr(cluster) shuffled = oid_cluster(order, MANY, true);
    const struct chunks *ch = &sorted->collections[0].chunks;
    assert_same_chunks(ch, &shuffled->collections[0].chunks);
    uint64_t columns = (ch->n + 1) * 2 * sizeof(uint32_t) + ch->n * (2 + 1 + 8 + 8);
    uint64_t all = columns + ch->enc_at[ch->n] + ch->pack_at[ch->n];
    assert_true(all / ch->n < 120);
    assert_true(ch->bytes[8] == 80 && ch->flags[8] == CHUNK_MEASURED);
    g_free(order);
}

static void test_find(void **state)
{
    (void)state;
    uint32_t order[] = {0, 1, 2, 3, 4, 5, 6};
    for (uint32_t n = 1; n <= G_N_ELEMENTS(order); n++) {
        g_autoptr(cluster) cl = oid_cluster(order, n, false);
        const struct chunks *ch = &cl->collections[0].chunks;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t len, at = UINT32_MAX;
            const uint8_t *enc = chunk_enc(ch, i, &len);
            assert_int_equal(chunks_find(ch, enc, len), i);
            assert_true(chunks_find_bound(ch, enc, len, &at));
            assert_int_equal(at, i);
            g_autofree uint8_t *longer = g_malloc0(len + 1); /* just above the bound */
            memcpy(longer, enc, len);
            assert_int_equal(chunks_find(ch, longer, len + 1), i);
            assert_false(chunks_find_bound(ch, longer, len + 1, &at));
            assert_int_equal(at, i);
        }
        assert_int_equal(chunks_find(ch, (const uint8_t *)"", 0), 0);
    }
}

/* Keys that would not fit the arena end the reading, naming the collection. */
static void test_arena_limit(void **state)
{
    (void)state;
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    b->arena_max = 600;
    bool good = true;
    for (unsigned i = 0; good && i < 100; i++)
        good = cluster_json_feed(b, "{'chunks': [" OLD_CHUNKS "]}", &err);
    assert_false(good);
    assert_int_equal(err.cls, ERR_DATA);
    assert_non_null(strstr(err.msg, "of 'd.c'"));
}

static void test_too_many_shards(void **state)
{
    (void)state;
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    for (uint32_t i = 0; i < 65535; i++) {
        bson_t doc = BSON_INITIALIZER;
        char name[16];
        g_snprintf(name, sizeof name, "s%u", (unsigned)i);
        BSON_APPEND_UTF8(&doc, "_id", name);
        assert_int_equal(builder_add(b, DOC_SHARD, i, bson_get_data(&doc), doc.len, &err), i < 65534);
        bson_destroy(&doc);
    }
    assert_non_null(strstr(err.msg, "more than 65534 shards"));
}

/* Builds from one document of each kind, that of `kind` with one bit changed. */
static void try_mangled(bson_t *const *good, unsigned kind, uint32_t at, uint8_t bit)
{
    g_autofree uint8_t *bad = g_memdup2(bson_get_data(good[kind]), good[kind]->len);
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    bool whole = true;
    bad[at] ^= bit;
    for (unsigned k = 0; whole && k < DOC_KIND_COUNT; k++)
        whole =
            builder_add(b, (enum doc_kind)k, 0, k == kind ? bad : bson_get_data(good[k]), good[k]->len, &err);
    cluster *cl = NULL;
    if (!whole || !builder_finish(b, &cl, &err))
        assert_int_equal(err.cls, ERR_DATA);
    cluster_free(cl);
}

/* A document with any one bit changed ends in a model or an error. */
static void test_mangled(void **state)
{
    (void)state;
    static const char *const docs[DOC_KIND_COUNT] = {
        [DOC_SHARD] = "{\"_id\": \"s0\", \"host\": \"h\", \"tags\": [\"a\", \"b\"], \"draining\": true, "
                      "\"maxSize\": 4}",
        [DOC_DATABASE] = "{\"_id\": \"d\", \"primary\": \"s0\"}",
        [DOC_COLLECTION] =
            "{\"_id\": \"d.c\", \"key\": {\"a\": 1}, \"noBalance\": false, \"maxChunkSizeBytes\": 5}",
        [DOC_CHUNK] = "{\"_id\": 1, \"ns\": \"d.c\", \"min\": {\"a\": {\"$minKey\": 1}}, \"max\": {\"a\": "
                      "{\"$maxKey\": 1}}, "
                      "\"shard\": \"s0\", \"jumbo\": true}",
        [DOC_TAG] = "{\"_id\": 1, \"ns\": \"d.c\", \"min\": {\"a\": 1}, \"max\": {\"a\": 2}, \"tag\": \"a\"}",
        [DOC_SETTING] = "{\"_id\": \"balancer\", \"mode\": \"full\", \"activeWindow\": {\"start\": \"1:00\", "
                        "\"stop\": \"2:00\"}}",
        [DOC_CHANGELOG] = "{\"what\": \"moveChunk.from\", \"ns\": \"d.c\", \"time\": {\"$date\": 1}, "
                          "\"details\": {\"min\": {\"a\": 1},"
                          "\"from\": \"x\", \"to\": \"y\", \"note\": \"success\", \"step 1 of 1\": 5}}",
        [DOC_MONGOS] = "{\"_id\": \"h\", \"ping\": {\"$date\": 1}, \"mongoVersion\": \"7.0.1\"}",
    };
    bson_t *good[DOC_KIND_COUNT];
    for (unsigned k = 0; k < DOC_KIND_COUNT; k++) {
        good[k] = bson_new_from_json((const uint8_t *)docs[k], -1, NULL);
        assert_non_null(good[k]);
    }
    for (unsigned k = 0; k < DOC_KIND_COUNT; k++)
        for (uint32_t at = 0; at < good[k]->len; at++)
            for (unsigned bit = 0; bit < 8; bit++)
                try_mangled(good, k, at, (uint8_t)(1u << bit));
    for (unsigned k = 0; k < DOC_KIND_COUNT; k++)
        bson_destroy(good[k]);
}

static void test_small_facts(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = cluster_from_json("{'shards': [{'_id': 'a', 'host': 'a/h:1', 'draining': true, "
                                              "'maxSize': 10, 'currSizeMB': 2.5}, {'_id': 'b'}],"
                                              "'takenAt': {'$date': {'$numberLong': '99'}}, 'usedShards': "
                                              "['b', 'zz'], 'imbalanced_cache': ['d.c']}");
    assert_string_equal(cl->shards[0].host, "a/h:1");
    assert_true(cl->shards[0].draining && !cl->shards[1].draining);
    assert_int_equal(cl->shards[0].max_size_mb, 10);
    assert_int_equal(cl->shards[0].current_size_mb, 2);
    assert_int_equal(cl->shards[1].current_size_mb, SIZE_UNKNOWN);
    assert_true(!cl->shards[0].busy && cl->shards[1].busy);
    assert_int_equal(cl->taken_at_ms, 99);
    assert_int_equal(cl->first_ns->len, 1);
    assert_non_null(cluster_warning(cl, "usedShardUnknown", NULL));
    assert_int_equal(doc_kind_find("changelog"), DOC_CHANGELOG);
    assert_int_equal(doc_kind_find("version"), DOC_KIND_COUNT);
    assert_string_equal(doc_kind_name(DOC_TAG), "tags");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_layout),      cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_damage),          cmocka_unit_test(test_damage_stays_inside),
        cmocka_unit_test(test_fatal),           cmocka_unit_test(test_flags),
        cmocka_unit_test(test_resharding_name), cmocka_unit_test(test_version_text),
        cmocka_unit_test(test_shuffled),        cmocka_unit_test(test_find),
        cmocka_unit_test(test_arena_limit),     cmocka_unit_test(test_too_many_shards),
        cmocka_unit_test(test_mangled),         cmocka_unit_test(test_small_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
