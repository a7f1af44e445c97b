// SPDX-License-Identifier: Apache-2.0
/* Framing: what a message is worth, byte by byte. */
#include "sandbox/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static GByteArray *bytes_of(const char *text, size_t len)
{
    return g_byte_array_append(g_byte_array_new(), (const uint8_t *)text, (guint)len);
}

static void put(GByteArray *out, const void *data, size_t len)
{
    g_byte_array_append(out, data, (guint)len);
}

static void put_int(GByteArray *out, int32_t v)
{
    const uint32_t u = (uint32_t)v;
    const uint8_t b[4] = {(uint8_t)u, (uint8_t)(u >> 8), (uint8_t)(u >> 16), (uint8_t)(u >> 24)};
    put(out, b, 4);
}

/* A message of these bytes behind the header. */
static GByteArray *message(int32_t opcode, const GByteArray *body)
{
    GByteArray *out = g_byte_array_new();
    put_int(out, 16 + (int32_t)body->len);
    put_int(out, 42);
    put_int(out, 0);
    put_int(out, opcode);
    put(out, body->data, body->len);
    return out;
}

static bson_t *json(const char *text)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (doc == NULL)
        fail_msg("%s: %s", text, error.message);
    return doc;
}

static void put_body(GByteArray *out, const char *text)
{
    bson_t *doc = json(text);
    put(out, "\0", 1);
    put(out, bson_get_data(doc), doc->len);
    bson_destroy(doc);
}

static void put_sequence(GByteArray *out, const char *name, unsigned n)
{
    bson_t *doc = json("{\"x\": 1}");
    put(out, "\1", 1);
    put_int(out, (int32_t)(4 + strlen(name) + 1 + n * doc->len));
    put(out, name, strlen(name) + 1);
    for (unsigned i = 0; i < n; i++)
        put(out, bson_get_data(doc), doc->len);
    bson_destroy(doc);
}

static void checksum_of_known_text(void **state)
{
    (void)state;
    assert_int_equal(wire_crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
    assert_int_equal(wire_crc32c(NULL, 0), 0);
}

static void headers(void **state)
{
    static const struct {
        const char *name;
        int32_t length;
        bool fine;
    } rows[] = {{"least", 16, true},         {"below a header", 15, false},
                {"zero", 0, false},          {"negative", -1, false},
                {"largest", 48000000, true}, {"above the largest", 48000001, false}};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        struct wire_header h;
        put_int(bytes, rows[i].length);
        put_int(bytes, 1);
        put_int(bytes, 2);
        put_int(bytes, 2013);
        if (wire_read_header(bytes->data, &h) != rows[i].fine)
            fail_msg("%s", rows[i].name);
        assert_int_equal(h.length, rows[i].length);
        assert_int_equal(h.opcode, 2013);
    }
}

/* Sequences become arrays of the command, in order, wherever the body stands. */
static void sequences_become_arrays(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        g_autoptr(GByteArray) body = g_byte_array_new();
        struct wire_request r;
        put_int(body, 0);
        if (first == 1)
            put_sequence(body, "documents", 12);
        put_body(body, "{\"insert\": \"c\"}");
        if (first == 0)
            put_sequence(body, "documents", 12);
        g_autoptr(GByteArray) m = message(2013, body);
        assert_int_equal(wire_decode(m->data, m->len, &r), WIRE_REQUEST);
        bson_iter_t it, list;
        assert_true(bson_iter_init_find(&it, r.command, "documents") && BSON_ITER_HOLDS_ARRAY(&it));
        assert_true(bson_iter_recurse(&it, &list));
        unsigned n = 0;
        while (bson_iter_next(&list)) {
            char key[16];
            const char *index;
            bson_uint32_to_string(n++, &index, key, sizeof key);
            assert_string_equal(bson_iter_key(&list), index);
        }
        assert_int_equal(n, 12);
        assert_int_equal(r.header.request_id, 42);
        wire_request_clear(&r);
    }
}

/* Every prefix of a good message, with the length set right: never a request, never a read beyond the end. */
static void truncated_messages(void **state)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    (void)state;
    put_int(body, 0);
    put_body(body, "{\"insert\": \"c\", \"x\": {\"y\": [1, \"z\"]}}");
    guint whole_body = body->len;
    put_sequence(body, "documents", 2);
    for (guint len = 0; len < body->len; len++) {
        g_autoptr(GByteArray) part = g_byte_array_append(g_byte_array_new(), body->data, len);
        g_autoptr(GByteArray) m = message(2013, part);
        g_autofree uint8_t *exact = g_memdup2(m->data, m->len); /* so that a checker sees the end */
        struct wire_request r;
        enum wire_verdict verdict = wire_decode(exact, m->len, &r);
        if ((verdict == WIRE_REQUEST) != (len == whole_body))
            fail_msg("%u bytes of %u: verdict %d", len, body->len, verdict);
        if (verdict != WIRE_REQUEST)
            assert_non_null(r.message);
        wire_request_clear(&r);
    }
}

static void a_length_that_lies(void **state)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    (void)state;
    put_int(body, 0);
    put_body(body, "{\"ping\": 1}");
    g_autoptr(GByteArray) m = message(2013, body);
    struct wire_request r;
    assert_int_equal(wire_decode(m->data, m->len - 1, &r), WIRE_DROP);
    wire_request_clear(&r);
    assert_int_equal(wire_decode(m->data, 3, &r), WIRE_DROP);
    wire_request_clear(&r);
}

static void flags(void **state)
{
    static const struct {
        const char *name;
        uint32_t flags;
        enum wire_verdict want;
    } rows[] = {{"none", 0, WIRE_REQUEST},
                {"more to come", 2, WIRE_REQUEST},
                {"exhaust allowed", 1u << 16, WIRE_REQUEST},
                {"an optional one", 1u << 31, WIRE_REQUEST},
                {"a required one", 4, WIRE_DROP},
                {"the last required one", 1u << 15, WIRE_DROP},
                {"a checksum that is wrong", 1, WIRE_DROP}};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) body = g_byte_array_new();
        struct wire_request r;
        put_int(body, (int32_t)rows[i].flags);
        put_body(body, "{\"ping\": 1}");
        g_autoptr(GByteArray) m = message(2013, body);
        if (wire_decode(m->data, m->len, &r) != rows[i].want)
            fail_msg("%s: %s", rows[i].name, r.message);
        wire_request_clear(&r);
    }
}

/* What is encoded decodes to the same, with and without checksum. */
static void encoding_and_back(void **state)
{
    bson_t *doc = json("{\"ok\": 1.0, \"cursor\": {\"firstBatch\": [{\"a\": 1}]}}");
    (void)state;
    for (int checksum = 0; checksum < 2; checksum++) {
        g_autoptr(GByteArray) m = g_byte_array_new();
        struct wire_request r;
        wire_encode_msg(m, 5, 6, checksum == 1, doc);
        assert_int_equal(wire_decode(m->data, m->len, &r), WIRE_REQUEST);
        assert_true(bson_equal(r.command, doc));
        assert_int_equal(r.header.request_id, 5);
        assert_int_equal(r.header.response_to, 6);
        assert_int_equal(r.flags, checksum);
        wire_request_clear(&r);
        m->data[m->len - 1] ^= 0x20;
        assert_int_equal(wire_decode(m->data, m->len, &r), checksum == 1 ? WIRE_DROP : WIRE_ANSWER_ERROR);
        wire_request_clear(&r);
    }
    bson_destroy(doc);
}

static void replies_to_the_old_form(void **state)
{
    bson_t *doc = json("{\"ok\": 1.0}");
    g_autoptr(GByteArray) m = g_byte_array_new();
    struct wire_header h;
    (void)state;
    wire_encode_reply(m, 5, 6, doc);
    assert_true(wire_read_header(m->data, &h));
    assert_int_equal(h.length, m->len);
    assert_int_equal(h.opcode, WIRE_OP_REPLY);
    assert_int_equal(m->data[32], 1); /* one document */
    assert_memory_equal(m->data + 36, bson_get_data(doc), doc->len);
    bson_destroy(doc);
}

/* {a: {a: {... {}}}}, `depth` deep. */
static GByteArray *nested(unsigned depth)
{
    GByteArray *at = bytes_of("\5\0\0\0", 5);
    for (unsigned i = 0; i < depth; i++) {
        GByteArray *next = g_byte_array_new();
        put_int(next, (int32_t)at->len + 8);
        put(next, "\3a", 3);
        put(next, at->data, at->len);
        put(next, "", 1);
        g_byte_array_unref(at);
        at = next;
    }
    return at;
}

static void documents(void **state)
{
#define ROW(name, text, fine)                                                                                \
    {                                                                                                        \
        name, text, sizeof(text) - 1, fine                                                                   \
    }
    static const struct {
        const char *name, *bytes;
        size_t len;
        bool fine;
    } rows[] = {
        ROW("empty", "\5\0\0\0\0", true),
        ROW("nothing", "", false),
        ROW("no end", "\5\0\0\0\1", false),
        ROW("length too small", "\4\0\0\0\0", false),
        ROW("length too large", "\6\0\0\0\0", false),
        ROW("a null",
            "\x08\0\0\0\x0a"
            "a\0\0",
            true),
        ROW("an unknown type",
            "\x08\0\0\0\x20"
            "a\0\0",
            false),
        ROW("a string of length 0", "\x0c\0\0\0\2a\0\0\0\0\0\0", false),
        ROW("a string", "\x0d\0\0\0\2a\0\1\0\0\0\0\0", true),
        ROW("a string without end", "\x0d\0\0\0\2a\0\1\0\0\0x\0", false),
        ROW("a string that is longer than the rest", "\x0d\0\0\0\2a\0\xff\0\0\0\0\0", false),
        ROW("a document inside without end", "\x0d\0\0\0\3a\0\5\0\0\0\1\0", false),
        ROW("a name without end",
            "\x08\0\0\0\x0a"
            "abc",
            false),
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (wire_document_ok((const uint8_t *)rows[i].bytes, rows[i].len) != rows[i].fine)
            fail_msg("%s", rows[i].name);
    for (unsigned depth = 178; depth < 183; depth++) {
        g_autoptr(GByteArray) doc = nested(depth);
        if (wire_document_ok(doc->data, doc->len) != (depth <= 180))
            fail_msg("depth %u", depth);
    }
    g_autoptr(GByteArray) abyss = nested(20000);
    assert_false(wire_document_ok(abyss->data, abyss->len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_of_known_text),
        cmocka_unit_test(headers),
        cmocka_unit_test(sequences_become_arrays),
        cmocka_unit_test(truncated_messages),
        cmocka_unit_test(a_length_that_lies),
        cmocka_unit_test(flags),
        cmocka_unit_test(encoding_and_back),
        cmocka_unit_test(replies_to_the_old_form),
        cmocka_unit_test(documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
