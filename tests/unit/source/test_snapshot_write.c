// SPDX-License-Identifier: Apache-2.0
/* What is written is what was handed over; what cannot be written leaves nothing behind. */
#include "balancer/source/snapshot_write.h"

#include "balancer/source/source.h"
#include "tests/support/temp_dir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What came, one line each. */
static bool note_document(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                          struct err *err)
{
    (void)err;
    g_autofree char *hex = g_compute_checksum_for_data(G_CHECKSUM_SHA256, doc, len);
    g_string_append_printf(data, "%s[%" G_GUINT64_FORMAT "] %s\n", doc_kind_name(kind), index, hex);
    return true;
}

static bool note_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    (void)err;
    g_autofree char *hex = g_compute_checksum_for_data(G_CHECKSUM_SHA256, doc, len);
    g_string_append_printf(data, "sizes %s %s\n", ns, hex);
    return true;
}

static bool note_text(void *data, enum intake_text what, const char *text, struct err *err)
{
    (void)err;
    g_string_append_printf(data, "text %d %s\n", (int)what, text);
    return true;
}

static bool note_taken_at(void *data, int64_t unix_ms, struct err *err)
{
    (void)err;
    g_string_append_printf(data, "taken %" G_GINT64_FORMAT "\n", unix_ms);
    return true;
}

static struct intake note_into(GString *out)
{
    return (struct intake){out, note_document, note_sizes, note_text, note_taken_at, NULL};
}

/* Every type that a key may have, to be kept to the bit. */
static bson_t *sample(int32_t n)
{
    static const uint8_t uuid[16] = {1, 2, 3};
    bson_oid_t oid;
    bson_decimal128_t decimal;
    bson_oid_init_from_string(&oid, "0102030405060708090a0b0c");
    bson_decimal128_from_string("1.50", &decimal);
    return BCON_NEW("_id", BCON_INT32(n), "long", BCON_INT64(5), "double", BCON_DOUBLE(5), "nan",
                    BCON_DOUBLE((double)NAN), "tiny", BCON_DOUBLE(4.9e-324), "text",
                    BCON_UTF8("\"\\\n \xe2\x82\xac"), "oid", BCON_OID(&oid), "date", BCON_DATE_TIME(-1),
                    "stamp", BCON_TIMESTAMP(7, 2147483647), "uuid", BCON_BIN(BSON_SUBTYPE_UUID, uuid, 16),
                    "null", BCON_NULL, "min", BCON_MINKEY, "max", BCON_MAXKEY, "decimal",
                    BCON_DECIMAL128(&decimal), "sub", "{", "a", "[", BCON_INT32(1), "{", "}", "]", "}",
                    "regex", BCON_REGEX("a/b", "i"));
}

static bool feed(const struct intake *to, struct err *err)
{
    bool done =
        to->taken_at(to->data, 1234, err) && to->text(to->data, INTAKE_SERVER_VERSION, "7.0.1", err) &&
        to->text(to->data, INTAKE_USED_SHARD, "s\"0", err) &&
        to->text(to->data, INTAKE_USED_SHARD, "s1", err) && to->text(to->data, INTAKE_FIRST_NS, "a.b", err);
    for (int kind = 0; done && kind < DOC_KIND_COUNT; kind++)
        for (int32_t i = 0; done && i < 12; i++) {
            bson_t *doc = sample(i);
            done =
                to->document(to->data, (enum doc_kind)kind, (uint64_t)i, bson_get_data(doc), doc->len, err);
            bson_destroy(doc);
        }
    bson_t *sizes = BCON_NEW("s0", BCON_INT64(7), "s1", "{", "bytes", BCON_DOUBLE(3), "}");
    done = done && to->sizes(to->data, "d.\"c", bson_get_data(sizes), sizes->len, err) &&
           to->sizes(to->data, "d.d", bson_get_data(sizes), sizes->len, err);
    bson_destroy(sizes);
    return done;
}

/* Texts come at the end of the file, and lines are compared sorted. */
static char *sorted(const GString *lines)
{
    g_auto(GStrv) parts = g_strsplit(lines->str, "\n", -1);
    for (char **a = parts; *a != NULL; a++)
        for (char **b = a + 1; *b != NULL; b++)
            if (strcmp(*a, *b) > 0) {
                char *swap = *a;
                *a = *b;
                *b = swap;
            }
    return g_strjoinv("\n", parts);
}

static const struct {
    const char *name;
    struct snapshot_format format;
} formats[] = {
    {"json", {false, false}}, {"json.gz", {false, true}}, {"bson", {true, false}}, {"bson.gz", {true, true}}};

static void round_trip(void **state)
{
    (void)state;
    g_autoptr(GString) want = g_string_new(NULL);
    const struct intake note_want = note_into(want);
    assert_true(feed(&note_want, NULL));
    g_autofree char *want_lines = sorted(want);
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *path = g_build_filename(dir->path, "snapshot", NULL);
        struct err err = {0};
        g_autoptr(snapshot_writer) w = snapshot_writer_new(path, &formats[i].format, &err);
        assert_non_null(w);
        const struct intake to = snapshot_writer_intake(w);
        if (!feed(&to, &err) || !snapshot_writer_finish(w, &err))
            fail_msg("%s: %s", formats[i].name, err.msg);
        g_autoptr(GString) got = g_string_new(NULL);
        const struct intake note_got = note_into(got);
        if (!source_snapshot_into(path, &note_got, &err))
            fail_msg("%s: %s", formats[i].name, err.msg);
        g_autofree char *got_lines = sorted(got);
        if (strcmp(got_lines, want_lines) != 0)
            fail_msg("%s:\n%s\nnot\n%s", formats[i].name, got_lines, want_lines);
    }
}

static unsigned files_in(const char *path)
{
    unsigned n = 0;
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

/* An empty one is a snapshot all the same. */
static void nothing_handed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *path = g_build_filename(dir->path, "snapshot", NULL);
        struct err err = {0};
        g_autoptr(snapshot_writer) w = snapshot_writer_new(path, &formats[i].format, &err);
        assert_true(snapshot_writer_finish(w, &err));
        g_autoptr(GString) got = g_string_new(NULL);
        const struct intake note = note_into(got);
        if (!source_snapshot_into(path, &note, &err))
            fail_msg("%s: %s", formats[i].name, err.msg);
        assert_string_equal(got->str, "");
        assert_int_equal(files_in(dir->path), 1);
    }
}

/* JSON cannot hold it, BSON can; nothing is left of the failure. */
static void text_that_is_not_utf8(void **state)
{
    (void)state;
    static const uint8_t doc[] = {16, 0, 0, 0, 0x02, '_', 'i', 'd', 0, 2, 0, 0, 0, 0xff, 0, 0};
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *path = g_build_filename(dir->path, "snapshot", NULL);
        struct err err = {0};
        snapshot_writer *w = snapshot_writer_new(path, &formats[i].format, &err);
        const struct intake to = snapshot_writer_intake(w);
        bool done = to.document(to.data, DOC_SHARD, 0, doc, sizeof doc, &err);
        snapshot_writer_free(w);
        assert_int_equal(done, formats[i].format.bson);
        if (!done) {
            assert_int_equal(err.cls, ERR_DATA);
            assert_non_null(strstr(err.msg, "--format bson"));
        }
        assert_int_equal(files_in(dir->path), 0);
    }
}

/* A key can stand in the file but once. */
static void kinds_that_come_mixed(void **state)
{
    (void)state;
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *path = g_build_filename(dir->path, "snapshot", NULL);
    struct err err = {0};
    static const uint8_t empty[] = {5, 0, 0, 0, 0};
    g_autoptr(snapshot_writer) w = snapshot_writer_new(path, &formats[0].format, &err);
    const struct intake to = snapshot_writer_intake(w);
    assert_true(to.document(to.data, DOC_SHARD, 0, empty, sizeof empty, &err));
    assert_true(to.document(to.data, DOC_CHUNK, 0, empty, sizeof empty, &err));
    assert_false(to.document(to.data, DOC_SHARD, 1, empty, sizeof empty, &err));
    assert_int_equal(err.cls, ERR_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(nothing_handed_over),
        cmocka_unit_test(text_that_is_not_utf8),
        cmocka_unit_test(kinds_that_come_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
