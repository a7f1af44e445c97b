// SPDX-License-Identifier: Apache-2.0
#include "balancer/source/bson_stream.h"
#include "balancer/source/stream.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static GByteArray *random_bytes(GRand *rand, guint n)
{
    GByteArray *out = g_byte_array_new();
    for (guint i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)g_rand_int_range(rand, 0, 256);
        g_byte_array_append(out, &byte, 1);
    }
    return out;
}

/* Reads to the end in steps of random sizes. False with err set where the stream fails. */
static bool read_all(stream *st, GRand *rand, GByteArray *out, struct err *err)
{
    for (;;) {
        size_t have, want = (size_t)g_rand_int_range(rand, 1, 300);
        const uint8_t *p = stream_peek(st, want, &have, err);
        if (p == NULL)
            return false;
        assert_int_equal(stream_offset(st), out->len);
        if (have == 0)
            return true;
        size_t take = (size_t)g_rand_int_range(rand, 1, (gint32)MIN(have, want) + 1);
        g_byte_array_append(out, p, (guint)take);
        stream_consume(st, take);
    }
}

static void assert_same(const GByteArray *a, const uint8_t *data, size_t len)
{
    assert_int_equal(a->len, len);
    if (len > 0)
        assert_memory_equal(a->data, data, len);
}

static void memory_in_any_steps(void **state)
{
    (void)state;
    static const size_t blocks[] = {0, 1, 2, 7, 64, 4096};
    guint32 seed = 20261;
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(GByteArray) data = random_bytes(rand, 3000);
    for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++) {
        g_autoptr(stream) st = stream_open_memory(data->data, data->len, blocks[i]);
        g_autoptr(GByteArray) got = g_byte_array_new();
        struct err err = {0};
        assert_true(read_all(st, rand, got, &err));
        assert_same(got, data->data, data->len);
    }
}

/* More than the window holds, so that it moves and grows. */
static void files_plain_and_gzip(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autoptr(GByteArray) data = random_bytes(rand, 3 << 20);
    g_autofree char *plain = temp_dir_write(tmp, "plain", data->data, data->len);
    g_autofree char *gz = temp_dir_write_gz(tmp, "gz", data->data, data->len);
    const char *paths[] = {plain, gz};
    for (size_t i = 0; i < 2; i++) {
        struct err err = {0};
        g_autoptr(stream) st = stream_open(paths[i], &err);
        assert_non_null(st);
        size_t have;
        const uint8_t *p = stream_peek(st, 10, &have, &err);
        assert_memory_equal(p, data->data, 10);
        stream_consume(st, 10);
        p = stream_peek(st, (2 << 20) + 1, &have, &err);
        assert_true(have > 2 << 20);
        assert_memory_equal(p, data->data + 10, have);
        bool cut;
        assert_true(stream_discard(st, (3 << 20) - 15, &cut, &err));
        assert_false(cut);
        p = stream_peek(st, 100, &have, &err);
        assert_int_equal(have, 5);
        assert_memory_equal(p, data->data + data->len - 5, 5);
        assert_true(stream_discard(st, 6, &cut, &err));
        assert_true(cut);
    }
}

static void gzip_members_are_one_stream(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autoptr(GByteArray) gz = gzip_bytes("abc", 3), more = gzip_bytes("defg", 4);
    g_byte_array_append(gz, more->data, more->len);
    g_autofree char *path = temp_dir_write(tmp, "two", gz->data, gz->len);
    struct err err = {0};
    g_autoptr(stream) st = stream_open(path, &err);
    size_t have;
    const uint8_t *p = stream_peek(st, 100, &have, &err);
    assert_int_equal(have, 7);
    assert_memory_equal(p, "abcdefg", 7);
}

/* Cut anywhere but at its end, gzip data is refused as truncated; a byte of it alone is no gzip. */
static void gzip_truncated(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autoptr(GByteArray) data = random_bytes(rand, 700);
    g_autoptr(GByteArray) gz = gzip_bytes(data->data, data->len);
    for (guint n = 2; n < gz->len; n++) {
        g_autofree char *path = temp_dir_write(tmp, "cut", gz->data, n);
        g_autoptr(GByteArray) got = g_byte_array_new();
        struct err err = {0};
        g_autoptr(stream) st = stream_open(path, &err);
        if (read_all(st, rand, got, &err))
            fail_msg("cut to %u bytes: no error", n);
        assert_int_equal(err.cls, ERR_DATA);
        if (strstr(err.msg, "truncated") == NULL)
            fail_msg("cut to %u bytes: %s", n, err.msg);
    }
}

/* A changed byte of the data or of the checks behind it is found. */
static void gzip_damaged(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autoptr(GByteArray) data = random_bytes(rand, 300);
    for (guint at = 10; at < 10 + 300; at += 13) {
        g_autoptr(GByteArray) gz = gzip_bytes(data->data, data->len);
        gz->data[at] ^= 0x55;
        g_autofree char *path = temp_dir_write(tmp, "damaged", gz->data, gz->len);
        g_autoptr(GByteArray) got = g_byte_array_new();
        struct err err = {0};
        g_autoptr(stream) st = stream_open(path, &err);
        if (read_all(st, rand, got, &err))
            fail_msg("byte %u changed: no error", at);
        assert_int_equal(err.cls, ERR_DATA);
    }
}

static void not_a_file(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autofree char *missing = g_build_filename(tmp->path, "missing", NULL);
    struct err err = {0};
    assert_null(stream_open(missing, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "No such file"));
    assert_null(stream_open(tmp->path, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "folder"));
}

static void may_not_be_read(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autofree char *path = temp_dir_write(tmp, "secret", "x", 1);
    chmod(path, 0);
    struct err err = {0};
    assert_null(stream_open(path, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "Permission denied"));
}

static void documents_one_behind_the_other(void **state)
{
    (void)state;
    static const uint8_t two[] = "\x05\0\0\0\0\x08\0\0\0\x0A"
                                 "a\0";
    for (size_t block = 1; block < 16; block++) {
        g_autoptr(stream) st = stream_open_memory(two, sizeof two, block);
        struct err err = {0};
        const uint8_t *doc;
        uint32_t len;
        assert_true(bson_stream_next(st, &doc, &len, &err));
        assert_int_equal(len, 5);
        assert_true(bson_stream_next(st, &doc, &len, &err));
        assert_int_equal(len, 8);
        assert_memory_equal(doc, two + 5, 8);
        assert_true(bson_stream_next(st, &doc, &len, &err));
        assert_null(doc);
    }
}

static void documents_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *data;
        size_t len;
        const char *want;
    } rows[] = {
        {"part of a length", "\x05\0", 2, "truncated"},
        {"length 0", "\0\0\0\0\0", 5, "is given as 0 bytes"},
        {"length 4", "\x04\0\0\0", 4, "is given as 4 bytes"},
        {"negative length", "\xff\xff\xff\xff\0", 5, "no document is longer"},
        {"one byte over the limit", "\x01\x40\0\x01\0", 5, "no document is longer"},
        {"at the limit, cut", "\x00\x40\0\x01\0", 5,
         "truncated: the document has 16793600 bytes, and the file ends after 5"},
        {"ends with another byte", "\x05\0\0\0\x01", 5, "does not end with a zero byte"},
        {"JSON", "{\"a\":1}\n", 8, "not BSON"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(stream) st = stream_open_memory((const uint8_t *)rows[i].data, rows[i].len, 8);
        struct err err = {0};
        const uint8_t *doc;
        uint32_t len;
        if (bson_stream_next(st, &doc, &len, &err))
            fail_msg("%s: no error", rows[i].name);
        assert_int_equal(err.cls, ERR_DATA);
        if (strstr(err.msg, rows[i].want) == NULL || strstr(err.msg, "at byte 0") == NULL)
            fail_msg("%s: %s", rows[i].name, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_in_any_steps),
        cmocka_unit_test(files_plain_and_gzip),
        cmocka_unit_test(gzip_members_are_one_stream),
        cmocka_unit_test(gzip_truncated),
        cmocka_unit_test(gzip_damaged),
        cmocka_unit_test(not_a_file),
        cmocka_unit_test(may_not_be_read),
        cmocka_unit_test(documents_one_behind_the_other),
        cmocka_unit_test(documents_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
