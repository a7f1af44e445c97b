// SPDX-License-Identifier: Apache-2.0
#include "balancer/source/readers.h"
#include "balancer/source/source.h"
#include "tests/support/model_text.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char small[] =
    "{\"evenkeelSnapshot\":1,\"takenAt\":{\"$date\":\"2026-11-21T01:38:00Z\"},\"serverVersion\":\"7.0.14\",\n"
    "\"shards\":[{\"_id\":\"s0\",\"host\":\"s0/h:1\"},{\"_id\":\"s1\",\"host\":\"s1/"
    "h:2\",\"tags\":[\"EU\"]}],\n"
    "\"collections\":[{\"_id\":\"d.c\",\"lastmodEpoch\":{\"$oid\":\"5f0000000000000000000001\"},\"key\":{"
    "\"k\":1}}],\n"
    "\"chunks\":[{\"ns\":\"d.c\",\"min\":{\"k\":{\"$minKey\":1}},\"max\":{\"k\":5},\"shard\":\"s0\"},\n"
    "{\"ns\":\"d.c\",\"min\":{\"k\":5},\"max\":{\"k\":{\"$maxKey\":1}},\"shard\":\"s1\"}],\n"
    "\"tags\":[{\"ns\":\"d.c\",\"min\":{\"k\":5},\"max\":{\"k\":{\"$maxKey\":1}},\"tag\":\"EU\"}],\n"
    "\"sizes\":{\"d.c\":{\"s0\":100,\"s1\":{\"bytes\":200}}},\"usedShards\":[\"s1\"],\"imbalanced_cache\":["
    "\"d.c\"]}\n";

/* The model of bytes read through a window that starts with `block` bytes; NULL with err set. */
static cluster *read_bytes(const void *data, size_t len, size_t block, struct err *err)
{
    g_autoptr(stream) st = stream_open_memory(data, len, block);
    g_autoptr(builder) b = builder_new();
    cluster *model = NULL;
    if (snapshot_read(st, b, err))
        builder_finish(b, &model, err);
    assert_int_equal(model == NULL, err->cls != ERR_NONE);
    return model;
}

static char *text_of_bytes(const void *data, size_t len, size_t block)
{
    struct err err = {0};
    g_autoptr(cluster) model = read_bytes(data, len, block, &err);
    if (model == NULL)
        fail_msg("%s", err.msg);
    return model_text(model, true);
}

static char *text_of_file(const char *path)
{
    struct err err = {0};
    g_autoptr(builder) b = builder_new();
    cluster *got = NULL;
    if (!source_read_snapshot(path, b, &err) || !builder_finish(b, &got, &err))
        fail_msg("%s", err.msg);
    g_autoptr(cluster) model = got;
    return model_text(model, true);
}

static void to_bson(const char *json, bson_t *ret)
{
    bson_error_t why;
    if (!bson_init_from_json(ret, json, -1, &why))
        fail_msg("%s", why.message);
}

static void what_it_says(void **state)
{
    (void)state;
    struct err err = {0};
    g_autoptr(cluster) c = read_bytes(small, strlen(small), 16, &err);
    assert_non_null(c);
    assert_int_equal(c->n_shards, 2);
    assert_string_equal(c->shards[1].id, "s1");
    assert_true(c->shards[1].busy);
    assert_false(c->shards[0].busy);
    assert_int_equal(c->n_collections, 1);
    assert_int_equal(c->collections[0].chunks.n, 2);
    assert_int_equal(c->collections[0].bytes[1], 200);
    assert_int_equal(c->collections[0].n_ranges, 1);
    assert_string_equal(c->server_version, "7.0.14");
    assert_int_equal(c->taken_at_ms, 1795225080000);
    assert_int_equal(c->first_ns->len, 1);
}

/* JSON and BSON, whatever the window. */
static void any_window(void **state)
{
    (void)state;
    bson_t bson;
    to_bson(small, &bson);
    g_autofree char *want = text_of_bytes(small, strlen(small), 1 << 16);
    for (size_t block = 1; block < 40; block++) {
        g_autofree char *json_text = text_of_bytes(small, strlen(small), block);
        g_autofree char *bson_text = text_of_bytes(bson_get_data(&bson), bson.len, block);
        assert_string_equal(json_text, want);
        assert_string_equal(bson_text, want);
    }
    bson_destroy(&bson);
}

#define BOTH "\"shards\":[],\"collections\":[]"

/* All have neither shards nor collections in the end, but are right. */
static void accepted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        bool json_only;
    } rows[] = {
        {"least", "{" BOTH "}", false},
        {"blanks", " \n\t{ \"shards\" : [ ] ,\r\n\"collections\":[\n]\t} \n\n", false},
        {"byte order mark", "\xEF\xBB\xBF{" BOTH "}", true},
        {"other order", "{\"collections\":[],\"chunks\":[],\"shards\":[]}", false},
        {"null is empty",
         "{\"shards\":null,\"collections\":null,\"chunks\":null,\"sizes\":null,\"usedShards\":null}", false},
        {"null own keys", "{" BOTH ",\"takenAt\":null,\"serverVersion\":null}", false},
        {"canonical format", "{" BOTH ",\"evenkeelSnapshot\":{\"$numberInt\":\"1\"}}", false},
        {"long format", "{" BOTH ",\"evenkeelSnapshot\":{\"$numberLong\":\"1\"}}", false},
        {"double format", "{\"evenkeelSnapshot\":1.0," BOTH "}", false},
        {"canonical date", "{" BOTH ",\"takenAt\":{\"$date\":{\"$numberLong\":\"5\"}}}", false},
        {"escaped key", "{\"sh\\u0061rds\":[],\"collections\":[]}", false},
        {"unknown keys",
         "{\"a\":1,\"b\":[1,[2,{\"c\":\"]}\\\"\"}]],\"d\":{\"shards\":1},\"e\":\"x\",\"f\":null,\"g\":{\"$"
         "oid\":"
         "\"5f0000000000000000000001\"},\"h\":{\"$minKey\":1},\"i\":{\"$regularExpression\":{\"pattern\":"
         "\"a\",\"options\":"
         "\"i\"}},\"j\":{\"$binary\":{\"base64\":\"AAAA\",\"subType\":\"02\"}},\"k\":{\"$code\":\"x\",\"$"
         "scope\":{\"a\":1}},"
         "\"l\":{\"$numberDecimal\":\"1\"},\"m\":{\"$timestamp\":{\"t\":1,\"i\":1}},\"n\":true,\"o\":{\"$"
         "symbol\":\"s\"},"
         "\"p\":{\"$undefined\":true},\"q\":{\"$dbPointer\":{\"$ref\":\"a\",\"$id\":{\"$oid\":"
         "\"5f0000000000000000000001\"}}}," BOTH "}",
         false},
        {"unknown keys twice", "{\"a\":1,\"a\":2," BOTH "}", false},
        {"empty key", "{\"\":{}," BOTH "}", false},
        {"future version string", "{" BOTH ",\"featureCompatibilityVersion\":[7]}", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (size_t block = 1; block < 50; block += 3) {
            struct err err = {0};
            g_autoptr(cluster) c = read_bytes(rows[i].json, strlen(rows[i].json), block, &err);
            if (c == NULL)
                fail_msg("%s: %s", rows[i].name, err.msg);
            bson_t bson;
            if (rows[i].json_only)
                continue;
            to_bson(rows[i].json, &bson);
            g_autoptr(cluster) same = read_bytes(bson_get_data(&bson), bson.len, block, &err);
            bson_destroy(&bson);
            if (same == NULL)
                fail_msg("%s as BSON: %s", rows[i].name, err.msg);
        }
    }
}

/* `both`: the same in BSON is refused as well, with these words where it is not NULL, else with `want`. */
static const struct {
    const char *name, *json, *want, *both;
} refused_rows[] = {
    {"no shards", "{\"collections\":[]}", "the key 'shards' is missing", ""},
    {"no collections", "{\"shards\":[]}", "the key 'collections' is missing", ""},
    {"empty object", "{}", "the key 'shards' is missing", ""},
    {"shards twice", "{" BOTH ",\"shards\":[]}", "the key 'shards' is there twice", ""},
    {"sizes twice", "{" BOTH ",\"sizes\":{},\"sizes\":{}}", "the key 'sizes' is there twice", ""},
    {"newer format", "{\"evenkeelSnapshot\":2," BOTH "}", "newer format", ""},
    {"newer format, canonical", "{\"evenkeelSnapshot\":{\"$numberLong\":\"2\"}," BOTH "}", "newer format",
     ""},
    {"format 1.5", "{\"evenkeelSnapshot\":1.5," BOTH "}", "newer format", ""},
    {"format 0", "{\"evenkeelSnapshot\":0," BOTH "}", "no format of snapshots", ""},
    {"format not a number", "{\"evenkeelSnapshot\":{\"$numberDouble\":\"NaN\"}}", "no format of snapshots",
     ""},
    {"format a string", "{\"evenkeelSnapshot\":\"1\"}",
     "evenkeelSnapshot: the number of the snapshot's format", ""},
    {"time a number", "{\"takenAt\":5}", "takenAt: a date was expected", ""},
    {"version a number", "{\"serverVersion\":7}", "serverVersion: a string was expected", ""},
    {"version with NUL", "{\"serverVersion\":\"7.0\\u0000\"}",
     "serverVersion: the string is not UTF-8, or holds a zero", ""},
    {"shards an object", "{\"shards\":{}}", "line 1, column 11: shards: an array was expected",
     "an array was expected"},
    {"shards a string", "{\"shards\":\"s0\"}", "an array was expected", ""},
    {"chunks true", "{\"chunks\":true}", "chunks: an array was expected", ""},
    {"nul", "{\"chunks\":nul}", "unknown word", NULL},
    {"sizes an array", "{\"sizes\":[]}", "sizes: a document was expected", ""},
    {"sizes of a number", "{\"sizes\":{\"d.c\":5}}", "a document was expected", ""},
    {"sizes negative", "{\"sizes\":{\"d.c\":{\"s0\":-1}}}", "d.c", ""},
    {"element a number", "{\"chunks\":[1]}", "line 1, column 12: chunks[0]: a document was expected",
     "chunks[0]: a document was"},
    {"element null", "{\"chunks\":[null]}", "chunks[0]: a document was expected", ""},
    {"element an array", "{\"shards\":[[]]}", "shards[0]: a document was expected", ""},
    {"third element", "{\"databases\":[{\"_id\":\"a\"},{\"_id\":\"b\"},3]}",
     "databases[2]: a document was expected", ""},
    {"used shard a number", "{\"usedShards\":[1]}", "usedShards[0]: a string was expected", ""},
    {"used shards a string", "{\"usedShards\":\"s0\"}", "usedShards: an array was expected", ""},
    {"cache of objects", "{\"imbalanced_cache\":[\"d.c\",{}]}", "imbalanced_cache[1]: a string was expected",
     ""},
    {"second line", "{\n \"databases\":[{},\n  ?]}",
     "line 3, column 3: databases[1]: a document was expected", NULL},
    {"behind the end", "{" BOTH "} x", "behind the end of the document", NULL},
    {"two documents", "{" BOTH "}{}", "behind the end of the document", NULL},
    {"a comma too many", "{" BOTH ",}", "a key in double quotes was expected", NULL},
    {"a comma too many in an array", "{\"shards\":[{\"_id\":\"a\"},]}", "shards[1]: a document was expected",
     NULL},
    {"no comma", "{\"shards\":[] \"collections\":[]}", "',' or '}' was expected", NULL},
    {"no comma in an array", "{\"databases\":[{\"_id\":\"a\"} {}]}", "databases: ',' or ']' was expected",
     NULL},
    {"no colon", "{\"shards\" []}", "':' was expected", NULL},
    {"bare key", "{shards: []}", "a key in double quotes was expected", NULL},
    {"single quotes", "{'shards': []}", "a key in double quotes was expected", NULL},
    {"wrong bracket", "{\"shards\":[}", "shards[0]: a document was expected", NULL},
    {"array outside", "[{}]", "neither Extended JSON", NULL},
    {"a word", "hello", "neither Extended JSON", NULL},
    {"blanks only", " \n ", "only blanks", NULL},
    {"UTF-16", "\xff\xfe", "neither Extended JSON", NULL},
    {"unknown value not JSON", "{\"x\":{\"a\":[1,2}}", "x: ',' or ']' was expected", NULL},
    {"control character", "{\"x\":\"a\nb\"}", "control character", NULL},
    {"lone surrogate", "{\"chunks\":[{\"a\":\"\\ud800\"}]}", "chunks[0]: not Extended JSON", NULL},
    {"not UTF-8", "{\"chunks\":[{\"a\":\"\xff\xfe\"}]}", "chunks[0]: not Extended JSON", NULL},
    {"key not UTF-8", "{\"\xff\":1}", "not Extended JSON", NULL},
    {"key with NUL", "{\"a\\u0000b\":1}", "the string is not UTF-8, or holds a zero", NULL},
    {"inner key with NUL", "{\"chunks\":[{\"a\\u0000b\":1}]}", "not Extended JSON", NULL},
    {"number too large", "{\"chunks\":[{\"a\":1e999}]}", "chunks[0]: not Extended JSON", NULL},
    {"integer too large", "{\"chunks\":[{\"a\":9223372036854775808}]}", "chunks[0]: not Extended JSON", NULL},
    {"integer far too large", "{\"chunks\":[{\"a\":99999999999999999999}]}", "chunks[0]: the whole number",
     NULL},
    {"bad $oid", "{\"chunks\":[{\"a\":{\"$oid\":\"5\"}}]}", "chunks[0]: not Extended JSON", NULL},
    {"bad $date", "{\"takenAt\":{\"$date\":\"yesterday\"}}", "takenAt: not Extended JSON", NULL},
    {"bad $numberInt", "{\"evenkeelSnapshot\":{\"$numberInt\":\"x\"}}", "not Extended JSON", NULL},
    {"shard without a name", "{\"shards\":[{\"host\":\"x\"}]}", "shards[0]", ""},
    {"chunk of no collection", "{\"chunks\":[{\"shard\":\"x\"}]}", "chunks[0]", ""},
};

static void assert_refused(const char *name, const void *data, size_t len, const char *want)
{
    for (size_t block = 1; block < 60; block += 7) {
        struct err err = {0};
        g_autoptr(cluster) c = read_bytes(data, len, block, &err);
        if (c != NULL)
            fail_msg("%s: no error", name);
        if (err.cls != ERR_DATA || strstr(err.msg, want) == NULL)
            fail_msg("%s: class %d: %s", name, (int)err.cls, err.msg);
    }
}

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(refused_rows); i++) {
        const char *json = refused_rows[i].json, *both = refused_rows[i].both, *name = refused_rows[i].name;
        assert_refused(name, json, strlen(json), refused_rows[i].want);
        if (both == NULL)
            continue;
        bson_t bson;
        to_bson(json, &bson);
        assert_refused(name, bson_get_data(&bson), bson.len, both[0] == '\0' ? refused_rows[i].want : both);
        bson_destroy(&bson);
    }
}

#define BYTES(s) s, sizeof(s) - 1

static void refused_bson(void **state)
{
    (void)state;
    static const struct {
        const char *name, *data;
        size_t len;
        const char *want;
    } rows[] = {
        {"empty", BYTES(""), "the file is empty"},
        {"one byte", BYTES("\x05"), "neither Extended JSON"},
        {"length 4", BYTES("\x04\0\0\0"), "its length would be 4"},
        {"length negative", BYTES("\0\0\0\x80\0"), "its length would be -2147483648"},
        {"length alone", BYTES("\x05\0\0\0"), "truncated"},
        {"no end", BYTES("\x05\0\0\0\x0A"), "a length points beyond"},
        {"name beyond the end",
         BYTES("\x07\0\0\0\x0A"
               "ab"),
         "a length points beyond"},
        {"name cut",
         BYTES("\x27\0\0\0\x0A"
               "ab"),
         "truncated"},
        {"ends early", BYTES("\x09\0\0\0\0\0\0\0\0"), "ends 4 bytes before"},
        {"more behind it", BYTES("\x05\0\0\0\0\0"), "behind the end"},
        {"unknown type",
         BYTES("\x0A\0\0\0\x20"
               "a\0\0\0\0"),
         "a: BSON has no type 0x20"},
        {"string length 0",
         BYTES("\x10\0\0\0\x02"
               "a\0\0\0\0\0\0\0\0\0"),
         "a: a length of 0 is not possible"},
        {"string length negative",
         BYTES("\x10\0\0\0\x02"
               "a\0\xff\xff\xff\xff\0\0\0\0\0"),
         "a length of -1 is not"},
        {"string beyond the end",
         BYTES("\x0D\0\0\0\x02"
               "a\0\x05\0\0\0\0\0"),
         "a: a length points beyond"},
        {"document length 4",
         BYTES("\x0D\0\0\0\x03"
               "a\0\x04\0\0\0\0\0"),
         "a length of 4 is not possible"},
        {"regex without end",
         BYTES("\x0A\0\0\0\x0B"
               "a\0b\0c"),
         "a length points beyond"},
        {"binary too long",
         BYTES("\x0D\0\0\0\x05"
               "a\0\xff\xff\xff\x7f\0\0"),
         "a length points beyond"},
        {"array too long", BYTES("\x14\0\0\0\x04shards\0\x05\0\0\x01\0\0"), "shards: a length points beyond"},
        {"array ends early", BYTES("\x15\0\0\0\x04shards\0\x08\0\0\0\0\0\0\0\0"),
         "shards: a document ends 3 bytes before"},
        {"element beyond its array",
         BYTES("\x1A\0\0\0\x04shards\0\x0D\0\0\0\x03"
               "0\0\x07\0\0\0\0\0\0\0"),
         "shards[0]: a length points beyond"},
        {"element without end",
         BYTES("\x1A\0\0\0\x04shards\0\x0D\0\0\0\x03"
               "0\0\x05\0\0\0\x01\0\0"),
         "shards[0]: the document does not end with a zero byte"},
        {"element over the limit",
         BYTES("\x1A\0\0\x7f\x04shards\0\x0D\0\0\x7e\x03"
               "0\0\x01\x40\0\x01\0\0\0"),
         "shards[0]: not BSON"},
        {"name not UTF-8", BYTES("\x09\0\0\0\x0A\xff\xfe\0\0"), "a name is not UTF-8"},
        {"version a regex", BYTES("\x18\0\0\0\x0BserverVersion\0a\0i\0\0"),
         "a regular expression does not belong"},
        {"version not UTF-8", BYTES("\x1A\0\0\0\x02serverVersion\0\x02\0\0\0\xff\0\0"),
         "the string is not UTF-8"},
        {"version without end", BYTES("\x1A\0\0\0\x02serverVersion\0\x02\0\0\0\x37\x37\0"),
         "the value is damaged"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_refused(rows[i].name, rows[i].data, rows[i].len, rows[i].want);
}

static void too_long(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new("{\"serverVersion\":\"");
    for (int i = 0; i < 70000; i++)
        g_string_append_c(text, '7');
    g_string_append(text, "\"}");
    assert_refused("long value", text->str, text->len, "longer than 65536 bytes");
    bson_t bson;
    to_bson(text->str, &bson);
    assert_refused("long value in BSON", bson_get_data(&bson), bson.len, "longer than 65536 bytes");
    bson_destroy(&bson);
    g_string_assign(text, "{\"");
    for (int i = 0; i < 7000; i++)
        g_string_append_c(text, 'k');
    g_string_append(text, "\":1}");
    assert_refused("long key", text->str, text->len, "longer than 6146 bytes");
    to_bson(text->str, &bson);
    assert_refused("long key in BSON", bson_get_data(&bson), bson.len, "a name is longer than 1024 bytes");
    bson_destroy(&bson);
    g_string_assign(text, "{\"x\":");
    for (int i = 0; i < 100000; i++)
        g_string_append_c(text, '[');
    assert_refused("deep", text->str, text->len, "nested too deeply");
}

/* An element may not be as large as the file likes, and is refused before all of it was held. */
static void element_too_large(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new("{\"chunks\":[{\"a\":\"");
    size_t start = text->len;
    g_string_set_size(text, 65 << 20);
    memset(text->str + start, 'x', text->len - start);
    struct err err = {0};
    assert_null(read_bytes(text->str, text->len, 1 << 20, &err));
    assert_non_null(strstr(err.msg, "chunks[0]: longer than 67108864 bytes"));
    g_string_truncate(text, 20 << 20);
    g_string_append(text, "\"}]}");
    assert_null(read_bytes(text->str, text->len, 1 << 20, &err));
    assert_non_null(strstr(err.msg, "larger than a server stores"));
}

/* Every shorter file is refused, whatever it is cut through. */
static void truncations(void **state)
{
    (void)state;
    bson_t bson;
    to_bson(small, &bson);
    size_t whole = strlen(small) - 1; /* the line feed may be missing */
    for (size_t n = 0; n < MAX(whole, bson.len); n++) {
        struct err err = {0}, bson_err = {0};
        g_autoptr(cluster) c = n < whole ? read_bytes(small, n, 32, &err) : NULL;
        g_autoptr(cluster) d = n < bson.len ? read_bytes(bson_get_data(&bson), n, 32, &bson_err) : NULL;
        if (c != NULL || d != NULL || (n < whole && err.cls != ERR_DATA) ||
            (n < bson.len && bson_err.cls != ERR_DATA))
            fail_msg("cut to %zu bytes: no error, or another: %s", n, err.msg);
    }
    bson_destroy(&bson);
}

static void gzip_truncations(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autoptr(GByteArray) gz = gzip_bytes(small, strlen(small));
    for (guint n = 0; n < gz->len; n++) {
        g_autofree char *path = temp_dir_write(tmp, "cut.json.gz", gz->data, n);
        g_autoptr(builder) b = builder_new();
        struct err err = {0};
        if (source_read_snapshot(path, b, &err))
            fail_msg("cut to %u bytes: no error", n);
        assert_int_equal(err.cls, ERR_DATA);
        assert_non_null(strstr(err.msg, "cut.json.gz"));
    }
}

/* Any byte changed to any of some others: read or refused, never worse (the sanitizers look on). */
static void damages(void **state)
{
    (void)state;
    static const uint8_t others[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '}', '[', '\\', ',', '9'};
    bson_t bson;
    to_bson(small, &bson);
    for (int as_bson = 0; as_bson < 2; as_bson++) {
        size_t len = as_bson ? bson.len : strlen(small);
        g_autofree uint8_t *copy = g_memdup2(as_bson ? (const void *)bson_get_data(&bson) : small, len);
        for (size_t at = 0; at < len; at++) {
            uint8_t was = copy[at];
            for (size_t i = 0; i < sizeof others; i++) {
                struct err err = {0};
                copy[at] = others[i];
                g_autoptr(cluster) c = read_bytes(copy, len, 64, &err);
                if (c == NULL && err.cls != ERR_DATA)
                    fail_msg("byte %zu changed to 0x%02x: class %d: %s", at, others[i], (int)err.cls,
                             err.msg);
            }
            copy[at] = was;
        }
    }
    bson_destroy(&bson);
}

static void recorded_states(void **state)
{
    (void)state;
    static const char *const states[] = {"imbalanced", "after-moves", "draining", "balanced"};
    g_autoptr(temp_dir) tmp = temp_dir_new();
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        g_autofree char *path = g_build_filename(TEST_DATA_DIR, "real-4.2", states[i], "snapshot.json", NULL);
        g_autofree char *want = text_of_file(path), *json = NULL;
        gsize len;
        assert_true(g_file_get_contents(path, &json, &len, NULL));
        bson_t bson;
        to_bson(json, &bson);
        char *files[] = {
            temp_dir_write_gz(tmp, "a", json, len),
            temp_dir_write(tmp, "b", bson_get_data(&bson), bson.len),
            temp_dir_write_gz(tmp, "c", bson_get_data(&bson), bson.len),
        };
        for (size_t k = 0; k < G_N_ELEMENTS(files); k++) {
            g_autofree char *got = text_of_file(files[k]);
            assert_string_equal(got, want);
            g_free(files[k]);
        }
        char *canonical = bson_as_canonical_extended_json(&bson, NULL);
        g_autofree char *again = text_of_bytes(canonical, strlen(canonical), 1000);
        assert_string_equal(again, want);
        bson_free(canonical);
        bson_destroy(&bson);
    }
}

/* A BSON file whose first bytes look like blanks and '{' is BSON. */
static void length_like_json(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t len;
    } rows[] = {{"{", 0x7B},
                {"blank {", 0x7B20},
                {"blanks {", 0x7B2020},
                {"{ quote", 0x227B},
                {"line feed {", 0x7B0A}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t bson, array;
        bson_init(&bson);
        BSON_APPEND_ARRAY_BEGIN(&bson, "shards", &array);
        bson_append_array_end(&bson, &array);
        BSON_APPEND_ARRAY_BEGIN(&bson, "collections", &array);
        bson_append_array_end(&bson, &array);
        /* Its head takes 8 bytes: type, "x" and its zero, length, subtype. */
        g_autofree uint8_t *filler = g_malloc0(rows[i].len);
        BSON_APPEND_BINARY(&bson, "x", BSON_SUBTYPE_BINARY, filler, rows[i].len - bson.len - 8);
        assert_int_equal(bson.len, rows[i].len);
        g_autofree char *text = text_of_bytes(bson_get_data(&bson), bson.len, 64);
        assert_non_null(text);
        bson_destroy(&bson);
    }
}

static void not_there(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autofree char *missing = g_build_filename(tmp->path, "missing.json", NULL);
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    assert_false(source_read_snapshot(missing, b, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "missing.json': cannot open: No such file"));
    assert_false(source_read_snapshot(tmp->path, b, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "use --dump"));
}

static void standard_input(void **state)
{
    (void)state;
    int pipe_ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(write(pipe_ends[1], small, strlen(small)), strlen(small));
    close(pipe_ends[1]);
    dup2(pipe_ends[0], STDIN_FILENO);
    close(pipe_ends[0]);
    g_autofree char *got = text_of_file("-");
    struct err err = {0};
    g_autoptr(builder) b = builder_new();
    bool again = source_read_snapshot("-", b, &err);
    dup2(saved, STDIN_FILENO);
    close(saved);
    g_autofree char *want = text_of_bytes(small, strlen(small), 64);
    assert_string_equal(got, want);
    assert_false(again);
    assert_string_equal(err.msg, "snapshot from standard input: the file is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says),      cmocka_unit_test(any_window),
        cmocka_unit_test(accepted),          cmocka_unit_test(refused),
        cmocka_unit_test(refused_bson),      cmocka_unit_test(too_long),
        cmocka_unit_test(element_too_large), cmocka_unit_test(truncations),
        cmocka_unit_test(gzip_truncations),  cmocka_unit_test(damages),
        cmocka_unit_test(recorded_states),   cmocka_unit_test(length_like_json),
        cmocka_unit_test(not_there),         cmocka_unit_test(standard_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
