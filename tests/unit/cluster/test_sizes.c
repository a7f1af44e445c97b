// SPDX-License-Identifier: Apache-2.0
/* How sizes of shards become sizes of chunks. Six chunks: s0 has three, s1 two, s2 one, s3 none. */
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const owners[] = {"s0", "s1", "s0", "s1", "s2", "s0"};
enum { N = G_N_ELEMENTS(owners) };

static void append_chunks(GString *json, const int *measured)
{
    for (int i = 0; i < N; i++) {
        g_string_append(json, i > 0 ? ", " : "");
        g_string_append(json, "{'ns': 'd.c', 'min': {'a': ");
        if (i == 0)
            g_string_append(json, "{'$minKey': 1}");
        else
            g_string_append_printf(json, "%d", i);
        g_string_append(json, "}, 'max': {'a': ");
        if (i + 1 == N)
            g_string_append(json, "{'$maxKey': 1}");
        else
            g_string_append_printf(json, "%d", i + 1);
        g_string_append_printf(json, "}, 'shard': '%s'", owners[i]);
        if (measured[i] >= 0)
            g_string_append_printf(json, ", 'estimatedDataSizeBytes': %d", measured[i]);
        g_string_append_c(json, '}');
    }
}

static cluster *with_sizes(const char *sizes, const int *measured)
{
    g_autoptr(GString) json = g_string_new(NULL);
    g_string_printf(json,
                    "{'sizes': {%s}, 'shards': [{'_id': 's3'}, {'_id': 's2'}, {'_id': 's1'}, {'_id': 's0'}],"
                    "'collections': [{'_id': 'd.c', 'key': {'a': 1}}], 'chunks': [",
                    sizes);
    append_chunks(json, measured);
    g_string_append(json, "]}");
    return cluster_from_json(json->str);
}

#define NOT_MEASURED                                                                                         \
    {                                                                                                        \
        -1, -1, -1, -1, -1, -1                                                                               \
    }

static const struct size_row {
    const char *name, *sizes;
    int measured[N];
    const char *shards; /* s0 s1 s2 s3; "" where no size is known */
    const char *chunks; /* in key order, "!" where measured */
} rows[] = {
    {"not given", "", NOT_MEASURED, "", "-1 -1 -1 -1 -1 -1 "},
    {"not given, some measured", "", {5, -1, -1, -1, -1, 0}, "", "5! -1 -1 -1 -1 0! "},
    {"given empty", "'d.c': {}", NOT_MEASURED, "", "-1 -1 -1 -1 -1 -1 "},
    {"all given", "'d.c': {'s0': 9, 's1': 4, 's2': 1, 's3': 0}", NOT_MEASURED, "9 4 1 0 ", "3 2 3 2 1 3 "},
    {"remainder to the first", "'d.c': {'s0': 11, 's1': 5, 's2': 0, 's3': 0}", NOT_MEASURED, "11 5 0 0 ",
     "4 3 4 2 0 3 "},
    {"number types", "'d.c': {'s0': {'$numberLong': '9'}, 's1': 4.9, 's2': {'documents': 8, 'bytes': 2}}",
     NOT_MEASURED, "9 4 2 0 ", "3 2 3 2 2 3 "},
    {"not given, owns chunks", "'d.c': {'s0': 9}", NOT_MEASURED, "9 -1 -1 0 ", "3 -1 3 -1 -1 3 "},
    {"orphans only", "'d.c': {'s0': 9, 's3': 77}", NOT_MEASURED, "9 -1 -1 77 ", "3 -1 3 -1 -1 3 "},
    {"one measured",
     "'d.c': {'s0': 11, 's1': 4, 's2': 1}",
     {-1, -1, 6, -1, -1, -1},
     "11 4 1 0 ",
     "3 2 6! 2 1 2 "},
    {"measured 0",
     "'d.c': {'s0': 11, 's1': 4, 's2': 1}",
     {0, -1, -1, -1, -1, -1},
     "11 4 1 0 ",
     "0! 2 6 2 1 5 "},
    {"measured too much",
     "'d.c': {'s0': 11, 's1': 4, 's2': 1}",
     {-1, -1, 12, -1, 1, -1},
     "11 4 1 0 ",
     "4 2 4 2 1! 3 "},
    {"all measured, some is over",
     "'d.c': {'s0': 11, 's1': 4, 's2': 1}",
     {1, -1, 2, -1, -1, 3},
     "11 4 1 0 ",
     "3! 2 4! 2 1 4! "},
    {"unknown shard's chunks measured",
     "'d.c': {'s0': 11}",
     {-1, 7, -1, -1, -1, -1},
     "11 -1 -1 0 ",
     "4 7! 4 -1 -1 3 "},
};

static char *chunks_text(const struct chunks *ch)
{
    GString *out = g_string_new(NULL);
    for (uint32_t i = 0; i < ch->n; i++)
        g_string_append_printf(out, "%d%s ", (int)ch->bytes[i], ch->flags[i] & CHUNK_MEASURED ? "!" : "");
    return g_string_free(out, FALSE);
}

static void test_sharing(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(cluster) cl = with_sizes(rows[i].sizes, rows[i].measured);
        const struct collection *c = &cl->collections[0];
        g_autofree char *chunks = chunks_text(&c->chunks);
        g_autoptr(GString) shards = g_string_new(NULL);
        for (int s = 3; c->bytes != NULL && s >= 0; s--) /* s0 is the last of the input */
            g_string_append_printf(shards, "%d ", (int)c->bytes[s]);
        if (strcmp(shards->str, rows[i].shards) != 0 || strcmp(chunks, rows[i].chunks) != 0)
            fail_msg("%s: shards %s, chunks %s", rows[i].name, shards->str, chunks);
        if (c->sizes_known != (rows[i].shards[0] != '\0') || cl->warnings->len != 0)
            fail_msg("%s: known %d, %u warnings", rows[i].name, c->sizes_known, cl->warnings->len);
    }
}

/* Whatever is given and measured, the chunks of a shard add up to it. */
static void test_sums(void **state)
{
    (void)state;
    const uint32_t seed = 4242;
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int round = 0; round < 500; round++) {
        int measured[N];
        for (int i = 0; i < N; i++)
            measured[i] = g_rand_boolean(rand) ? g_rand_int_range(rand, 0, 50) : -1;
        g_autofree char *sizes =
            g_strdup_printf("'d.c': {'s0': %d, 's1': %d, 's2': %d}", g_rand_int_range(rand, 0, 100),
                            g_rand_int_range(rand, 0, 100), g_rand_int_range(rand, 0, 100));
        g_autoptr(cluster) cl = with_sizes(sizes, measured);
        const struct collection *c = &cl->collections[0];
        int64_t sums[4] = {0};
        for (uint32_t i = 0; i < c->chunks.n; i++) {
            sums[c->chunks.shard[i]] += c->chunks.bytes[i];
            if (c->chunks.bytes[i] < 0)
                fail_msg("seed %u round %d: chunk %u is negative", seed, round, i);
        }
        for (int s = 0; s < 4; s++)
            if (sums[s] != c->bytes[s])
                fail_msg("seed %u round %d: shard %d", seed, round, s);
    }
}

static void test_strangers(void **state)
{
    (void)state;
    const int measured[N] = NOT_MEASURED;
    g_autoptr(cluster) cl = with_sizes("'d.c': {'s0': 9, 's7': 5}, 'd.x': {'s0': 1}", measured);
    assert_non_null(cluster_warning(cl, "sizesUnknownShard", "d.c"));
    assert_non_null(cluster_warning(cl, "sizesUnknownNamespace", "d.x"));
    assert_int_equal(cl->warnings->len, 2);
    assert_int_equal(cl->collections[0].bytes[3], 9);
}

static void test_twice(void **state)
{
    (void)state;
    g_autoptr(builder) b = builder_new();
    bson_t doc = BSON_INITIALIZER;
    struct err err = {0};
    assert_true(builder_sizes(b, "d.c", bson_get_data(&doc), doc.len, &err));
    assert_false(builder_sizes(b, "d.c", bson_get_data(&doc), doc.len, &err));
    assert_non_null(strstr(err.msg, "given twice"));
    BSON_APPEND_INT32(&doc, "s0", 1);
    BSON_APPEND_INT32(&doc, "s0", 2);
    assert_true(builder_sizes(b, "d.d", bson_get_data(&doc), doc.len, &err));
    assert_true(cluster_json_feed(
        b, "{'shards': [{'_id': 's0'}], 'collections': [{'_id': 'd.d', 'key': {'a': 1}}]}", &err));
    cluster *cl = NULL;
    assert_false(builder_finish(b, &cl, &err));
    assert_null(cl);
    assert_int_equal(err.cls, ERR_DATA);
    bson_destroy(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
