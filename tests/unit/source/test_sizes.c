// SPDX-License-Identifier: Apache-2.0
#include "balancer/source/readers.h"
#include "balancer/source/source.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char metadata[] =
    "{\"shards\":[{\"_id\":\"s0\",\"host\":\"h:1\"},{\"_id\":\"s1\",\"host\":\"h:2\"}],"
    "\"collections\":[{\"_id\":\"d.c\",\"lastmodEpoch\":{\"$oid\":\"5f0000000000000000000001\"},\"key\":{"
    "\"k\":1}}],"
    "\"chunks\":[{\"ns\":\"d.c\",\"min\":{\"k\":{\"$minKey\":1}},\"max\":{\"k\":5},\"shard\":\"s0\"},"
    "{\"ns\":\"d.c\",\"min\":{\"k\":5},\"max\":{\"k\":{\"$maxKey\":1}},\"shard\":\"s1\"}]}";

static builder *with_metadata(void)
{
    builder *b = builder_new();
    struct err err = {0};
    g_autoptr(stream) st = stream_open_memory((const uint8_t *)metadata, strlen(metadata), 64);
    if (!snapshot_read(st, b, &err))
        fail_msg("%s", err.msg);
    return b;
}

static void assert_sizes(builder *b, const char *name, int64_t s0, int64_t s1)
{
    struct err err = {0};
    cluster *got = NULL;
    if (!builder_finish(b, &got, &err))
        fail_msg("%s: %s", name, err.msg);
    g_autoptr(cluster) model = got;
    assert_int_equal(model->n_collections, 1);
    assert_true(model->collections[0].sizes_known);
    assert_int_equal(model->collections[0].bytes[0], s0);
    assert_int_equal(model->collections[0].bytes[1], s1);
}

static void read_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        int64_t s0, s1;
    } rows[] = {
        {"plain", "{\"d.c\":{\"s0\":100,\"s1\":{\"bytes\":200,\"documents\":2}}}", 100, 200},
        {"other collections too", "{\"d.x\":{\"s0\":1},\"d.c\":{\"s0\":7,\"s1\":8}}", 7, 8},
        {"a snapshot",
         "{\"evenkeelSnapshot\":1,\"sizes\":{\"d.c\":{\"s0\":3,\"s1\":4}},\"shards\":[{\"_id\":\"x\"}]}", 3,
         4},
        {"only the key", "{\"sizes\":{\"d.c\":{\"s0\":5,\"s1\":6}}}", 5, 6},
        {"sizes last", "{\"shards\":[1,2],\"chunks\":\"?\",\"sizes\":{\"d.c\":{\"s0\":5,\"s1\":6}}}", 5, 6},
        {"dots", "{\"d.c.x\":{\"s0\":1},\"d.c\":{\"s0\":2,\"s1\":2}}", 2, 2},
        {"spelt otherwise", "{\"d\\u002ec\":{\"s0\":{\"$numberLong\":\"9\"},\"s1\":{\"bytes\":1e1}}}", 9, 10},
    };
    g_autoptr(temp_dir) tmp = temp_dir_new();
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t bson;
        assert_true(bson_init_from_json(&bson, rows[i].json, -1, NULL));
        char *files[] = {
            temp_dir_write(tmp, "a", rows[i].json, strlen(rows[i].json)),
            temp_dir_write_gz(tmp, "b", rows[i].json, strlen(rows[i].json)),
            temp_dir_write(tmp, "c", bson_get_data(&bson), bson.len),
            temp_dir_write_gz(tmp, "d", bson_get_data(&bson), bson.len),
        };
        for (size_t k = 0; k < G_N_ELEMENTS(files); k++) {
            g_autoptr(builder) b = with_metadata();
            struct err err = {0};
            if (!source_read_sizes(files[k], b, &err))
                fail_msg("%s: %s", rows[i].name, err.msg);
            assert_sizes(b, rows[i].name, rows[i].s0, rows[i].s1);
            g_free(files[k]);
        }
        bson_destroy(&bson);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json, *want;
    } rows[] = {
        {"no namespace", "{\"orders\":{\"s0\":1}}", "the key 'orders' is not a namespace"},
        {"a snapshot without sizes", "{\"shards\":[],\"collections\":[]}",
         "the key 'shards' is not a namespace"},
        {"sizes twice", "{\"sizes\":{},\"sizes\":{}}", "the key 'sizes' is there twice"},
        {"both places", "{\"d.c\":{},\"sizes\":{}}",
         "both the key 'sizes' and, beside it, the namespace 'd.c'"},
        {"both places, other order", "{\"sizes\":{},\"d.c\":{}}",
         "both the key 'sizes' and, beside it, the namespace 'd.c'"},
        {"a namespace twice", "{\"d.c\":{\"s0\":1},\"d.c\":{\"s0\":1}}", "twice"},
        {"a namespace twice in a snapshot", "{\"sizes\":{\"d.c\":{\"s0\":1},\"d.c\":{\"s0\":1}}}", "twice"},
        {"a number", "{\"d.c\":5}", "d.c: a document was expected"},
        {"an array", "{\"d.c\":[]}", "d.c: a document was expected"},
        {"null", "{\"d.c\":null}", "d.c: a document was expected"},
        {"sizes a number", "{\"sizes\":5}", "sizes: a document was expected"},
        {"size a string", "{\"d.c\":{\"s0\":\"1\"}}", "d.c"},
        {"size negative", "{\"d.c\":{\"s0\":-1}}", "d.c"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t bson;
        assert_true(bson_init_from_json(&bson, rows[i].json, -1, NULL));
        for (int as_bson = 0; as_bson < 2; as_bson++) {
            const uint8_t *data = as_bson ? bson_get_data(&bson) : (const uint8_t *)rows[i].json;
            struct err err = {0};
            g_autoptr(stream) st = stream_open_memory(data, as_bson ? bson.len : strlen(rows[i].json), 16);
            g_autoptr(builder) b = with_metadata();
            cluster *model = NULL;
            if (sizes_read(st, b, &err) && builder_finish(b, &model, &err))
                fail_msg("%s: no error", rows[i].name);
            if (err.cls != ERR_DATA || strstr(err.msg, rows[i].want) == NULL)
                fail_msg("%s: class %d: %s", rows[i].name, (int)err.cls, err.msg);
        }
        bson_destroy(&bson);
    }
}

static void truncations(void **state)
{
    (void)state;
    static const char json[] = "{\"d.c\":{\"s0\":100,\"s1\":{\"bytes\":200}}}";
    bson_t bson;
    assert_true(bson_init_from_json(&bson, json, -1, NULL));
    for (size_t n = 0; n < bson.len; n++) {
        struct err err = {0};
        g_autoptr(stream) st = stream_open_memory(bson_get_data(&bson), n, 16);
        g_autoptr(builder) b = builder_new();
        assert_false(sizes_read(st, b, &err));
        assert_int_equal(err.cls, ERR_DATA);
    }
    for (size_t n = 0; n < strlen(json); n++) {
        struct err err = {0};
        g_autoptr(stream) st = stream_open_memory((const uint8_t *)json, n, 16);
        g_autoptr(builder) b = builder_new();
        assert_false(sizes_read(st, b, &err));
        assert_int_equal(err.cls, ERR_DATA);
    }
    bson_destroy(&bson);
}

static void not_there(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autofree char *path = g_build_filename(tmp->path, "missing", NULL);
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    assert_false(source_read_sizes(path, b, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "missing': cannot open: No such file"));
    assert_false(source_read_sizes(tmp->path, b, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_sizes),
        cmocka_unit_test(refused),
        cmocka_unit_test(truncations),
        cmocka_unit_test(not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
