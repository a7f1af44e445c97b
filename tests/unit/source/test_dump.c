// SPDX-License-Identifier: Apache-2.0
#include "balancer/source/bson_stream.h"
#include "balancer/source/readers.h"
#include "balancer/source/source.h"
#include "tests/support/model_text.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const states[] = {"imbalanced", "after-moves", "draining", "balanced"};

typedef bool (*reader)(const char *path, builder *b, struct err *err);

/* NULL with err set on failure. */
static cluster *read_model(reader read, const char *path, struct err *err)
{
    g_autoptr(builder) b = builder_new();
    cluster *model = NULL;
    if (read(path, b, err))
        builder_finish(b, &model, err);
    return model;
}

static char *text_of(reader read, const char *path, bool all)
{
    struct err err = {0};
    g_autoptr(cluster) model = read_model(read, path, &err);
    if (model == NULL)
        fail_msg("%s", err.msg);
    return model_text(model, all);
}

static char *recorded(const char *state, const char *name)
{
    return g_build_filename(TEST_DATA_DIR, "real-4.2", state, name, NULL);
}

static void dump_is_the_snapshot(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        g_autofree char *dir = recorded(states[i], "config"), *parent = recorded(states[i], "");
        g_autofree char *file = recorded(states[i], "snapshot.json");
        g_autofree char *of_snapshot = text_of(source_read_snapshot, file, false);
        g_autofree char *of_dump = text_of(source_read_dump, dir, false);
        g_autofree char *of_parent = text_of(source_read_dump, parent, false);
        assert_string_equal(of_dump, of_snapshot);
        assert_string_equal(of_parent, of_dump);
    }
}

/* Copies a recorded state's files to `into`, gzipped where `gzip`. */
static void copy_state(temp_dir *tmp, const char *from, const char *into, bool gzip)
{
    g_autofree char *dir = recorded(from, "config");
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(open)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL), *data = NULL;
        g_autofree char *to = g_strdup_printf("%s/%s%s", into, name, gzip ? ".gz" : "");
        gsize len;
        assert_true(g_file_get_contents(path, &data, &len, NULL));
        g_free(gzip ? temp_dir_write_gz(tmp, to, data, len) : temp_dir_write(tmp, to, data, len));
    }
}

static void gzip_is_the_same(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        g_autofree char *dir = recorded(states[i], "config");
        g_autofree char *copy = g_build_filename(tmp->path, states[i], NULL);
        copy_state(tmp, states[i], states[i], true);
        g_autofree char *want = text_of(source_read_dump, dir, true);
        g_autofree char *got = text_of(source_read_dump, copy, true);
        assert_string_equal(got, want);
    }
}

/* A folder with a good dump, in which a test does damage. */
static temp_dir *good_dump(void)
{
    temp_dir *tmp = temp_dir_new();
    copy_state(tmp, "imbalanced", ".", false);
    return tmp;
}

static void assert_refused(const char *dir, enum err_class cls, const char *want)
{
    struct err err = {0};
    g_autoptr(cluster) model = read_model(source_read_dump, dir, &err);
    if (model != NULL)
        fail_msg("no error; expected was: %s", want);
    if (err.cls != cls || strstr(err.msg, want) == NULL)
        fail_msg("class %d: %s; expected was: %s", (int)err.cls, err.msg, want);
}

static void missing_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want; /* NULL: may be missing */
    } rows[] = {
        {"shards.bson", "there is no shards.bson or shards.bson.gz"},
        {"collections.bson", "there is no collections.bson or collections.bson.gz"},
        {"databases.bson", NULL},
        {"tags.bson", NULL},
        {"settings.bson", NULL},
        {"changelog.bson", NULL},
        {"mongos.bson", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(temp_dir) tmp = good_dump();
        g_autofree char *path = g_build_filename(tmp->path, rows[i].name, NULL);
        assert_int_equal(unlink(path), 0);
        if (rows[i].want != NULL)
            assert_refused(tmp->path, ERR_NO_INPUT, rows[i].want);
        else
            g_free(text_of(source_read_dump, tmp->path, true));
    }
}

static void wrong_folders(void **state)
{
    (void)state;
    g_autoptr(temp_dir) tmp = temp_dir_new();
    g_autofree char *missing = g_build_filename(tmp->path, "missing", NULL);
    g_autofree char *file = temp_dir_write(tmp, "file.json", "{}", 2);
    assert_refused(missing, ERR_NO_INPUT, "cannot open: No such file");
    assert_refused(file, ERR_NO_INPUT, "is a file, not a folder; for a snapshot in one file, use --snapshot");
    assert_refused(tmp->path, ERR_NO_INPUT, "there is no shards.bson");
    g_autoptr(temp_dir) twice = good_dump();
    g_free(temp_dir_write_gz(twice, "chunks.bson.gz", "", 0));
    assert_refused(twice->path, ERR_DATA, "both chunks.bson and chunks.bson.gz are there");
    g_autoptr(temp_dir) folder = good_dump();
    g_autofree char *inner = g_build_filename(folder->path, "tags.bson.gz", NULL);
    g_autofree char *plain = g_build_filename(folder->path, "tags.bson", NULL);
    assert_int_equal(unlink(plain), 0);
    assert_int_equal(g_mkdir_with_parents(inner, 0700), 0);
    assert_refused(folder->path, ERR_NO_INPUT, "tags.bson.gz': is a folder");
}

static void unreadable(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    g_autoptr(temp_dir) tmp = good_dump();
    g_autofree char *path = g_build_filename(tmp->path, "chunks.bson", NULL);
    chmod(path, 0);
    assert_refused(tmp->path, ERR_NO_INPUT, "chunks.bson': cannot open: Permission denied");
}

#define BYTES(s) s, sizeof(s) - 1

static void damaged_files(void **state)
{
    (void)state;
    static const struct {
        const char *file, *data;
        size_t len;
        const char *want;
    } rows[] = {
        {"chunks.bson", BYTES("\x05\0\0"), "chunks.bson': document 0: at byte 0: truncated"},
        {"changelog.bson", BYTES("\x05\0\0\0\0\x06\0\0\0\0"),
         "changelog.bson': document 1: at byte 5: truncated"},
        {"tags.bson", BYTES("\x04\0\0\0\0"), "tags.bson': document 0: at byte 0: not BSON"},
        {"settings.bson", BYTES("\x05\0\0\0\x01"), "does not end with a zero byte"},
        {"shards.bson", BYTES("{\"_id\":\"shard0\"}\n"), "shards.bson': document 0: at byte 0: not BSON"},
        {"databases.bson", BYTES("\x1f\x8b\x08"),
         "databases.bson': document 0: at byte 0: truncated: the gzip data"},
        {"shards.bson", BYTES("\x05\0\0\0\0"), "shards.bson': shards[0]"},
        {"chunks.bson",
         BYTES("\x08\0\0\0\x99"
               "a\0\0"),
         "chunks.bson': chunks[0]"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(temp_dir) tmp = good_dump();
        g_free(temp_dir_write(tmp, rows[i].file, rows[i].data, rows[i].len));
        assert_refused(tmp->path, ERR_DATA, rows[i].want);
    }
}

/* Cut within a document, a file is refused; between two it is a shorter one, which the model's checks may
 * pass. */
static void truncations(void **state)
{
    (void)state;
    g_autofree char *path = recorded("imbalanced", "config/chunks.bson"), *data = NULL;
    gsize whole;
    assert_true(g_file_get_contents(path, &data, &whole, NULL));
    size_t len = 0, edge = 0;
    for (int i = 0; i < 4; i++)
        len += bson_u32((const uint8_t *)data + len);
    for (size_t n = 0; n <= len; n++) {
        g_autoptr(stream) st = stream_open_memory((const uint8_t *)data, n, 64);
        g_autoptr(builder) b = builder_new();
        struct err err = {0};
        bool ok = documents_read(st, DOC_CHUNK, b, &err);
        if (ok != (n == edge))
            fail_msg("cut to %zu bytes: %s", n, ok ? "no error" : err.msg);
        if (ok && n < len)
            edge += bson_u32((const uint8_t *)data + n);
        if (!ok && (err.cls != ERR_DATA || strstr(err.msg, "truncated") == NULL))
            fail_msg("cut to %zu bytes: class %d: %s", n, (int)err.cls, err.msg);
    }
}

/* Documents nested as deep as their size allows: refused or read, never a crash. */
static void deep_documents(void **state)
{
    (void)state;
    enum { DEEP = 2000000, HEAD = 4 + 1 + 2 };
    static const struct {
        const char *name;
        enum doc_kind kind;
    } rows[] = {{"chunk", DOC_CHUNK},       {"shard", DOC_SHARD},  {"changelog", DOC_CHANGELOG},
                {"setting", DOC_SETTING},   {"tag", DOC_TAG},      {"collection", DOC_COLLECTION},
                {"database", DOC_DATABASE}, {"mongos", DOC_MONGOS}};
    uint32_t len = DEEP * (HEAD + 1) + 5;
    g_autofree uint8_t *doc = g_malloc0(len);
    for (uint32_t i = 0; i < DEEP; i++) {
        uint32_t size = GUINT32_TO_LE(len - i * (HEAD + 1));
        memcpy(doc + i * HEAD, &size, 4);
        memcpy(doc + i * HEAD + 4, "\x03k", 3);
    }
    memcpy(doc + DEEP * HEAD, "\x05\0\0\0", 4);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(stream) st = stream_open_memory(doc, len, 1 << 20);
        g_autoptr(builder) b = builder_new();
        struct err err = {0};
        cluster *model = NULL;
        bool ok = documents_read(st, rows[i].kind, b, &err) && builder_finish(b, &model, &err);
        if (!ok && err.cls != ERR_DATA)
            fail_msg("%s: class %d: %s", rows[i].name, (int)err.cls, err.msg);
        cluster_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dump_is_the_snapshot), cmocka_unit_test(gzip_is_the_same),
        cmocka_unit_test(missing_files),        cmocka_unit_test(wrong_folders),
        cmocka_unit_test(unreadable),           cmocka_unit_test(damaged_files),
        cmocka_unit_test(truncations),          cmocka_unit_test(deep_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
