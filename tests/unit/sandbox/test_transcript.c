// SPDX-License-Identifier: Apache-2.0
/* What a real 4.2 cluster answered to administrative commands, replayed in order from the same state: every
 * reply compared field by field. Of values that cannot be equal (times) only the type is compared. */
#include "tests/support/reply_compare.h"
#include "tests/support/sandbox_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What no metadata tells of the recorded data: one tenant has 2000 of the carts, and users start at 0. */
static const char sizes[] =
    "{\"sizes\": [{\"_id\": \"shop.carts\", \"chunks\": [{\"min\": {\"tenant\": \"big\"}, \"bytes\": 4096000,"
    " \"documents\": 2000, \"keys\": 1}, {\"min\": {\"tenant\": {\"$minKey\": 1}}, \"bytes\": 0, "
    "\"documents\": 0}]},"
    " {\"_id\": \"shop.users\", \"chunks\": [{\"min\": {\"userId\": {\"$minKey\": 1}}, \"bytes\": 0, "
    "\"documents\": 0}]}]}";

static const struct sb_options options = {
    .version_major = 4, .version_minor = 2, .latency_ms = 110, .seed = 1, .orphan_delay_ms = 2000};

/* Answered by the other half of the sandbox: greetings, sizes, queries. */
static const char *const elsewhere[] = {"isMaster", "buildInfo", "collStats",    "listDatabases",
                                        "dataSize", "aggregate", "getParameter", NULL};

static guint compare(guint row, const bson_t *want, const bson_t *got)
{
    g_autofree char *label = g_strdup_printf("%u", row);
    return reply_compare(label, want, got);
}

struct row {
    bson_t *command, *reply;
    const char *db, *note;
};

static bson_t *sub(const bson_t *doc, const char *name)
{
    bson_iter_t it;
    bson_t borrowed;
    uint32_t len;
    const uint8_t *data;
    assert_true(bson_iter_init_find(&it, doc, name));
    bson_iter_document(&it, &len, &data);
    assert_true(bson_init_static(&borrowed, data, len));
    return bson_copy(&borrowed);
}

static bson_t *read_rows(GArray *rows)
{
    g_autofree char *json = NULL, *wrapped = NULL;
    bson_iter_t it, item;
    assert_true(g_file_get_contents(TEST_DATA_DIR "/recorded/transcript.json", &json, NULL, NULL));
    wrapped = g_strdup_printf("{\"rows\": %s}", json);
    bson_t *all = sandbox_json(wrapped);
    assert_true(bson_iter_init_find(&it, all, "rows") && bson_iter_recurse(&it, &item));
    while (bson_iter_next(&item)) {
        bson_t doc;
        uint32_t len;
        const uint8_t *data;
        bson_iter_document(&item, &len, &data);
        assert_true(bson_init_static(&doc, data, len));
        struct row row = {sub(&doc, "command"), sub(&doc, "reply"), sandbox_text(&doc, "db"),
                          sandbox_text(&doc, "note")};
        g_array_append_val(rows, row);
    }
    return all;
}

static const char *name_of(const bson_t *cmd)
{
    bson_iter_t it;
    assert_true(bson_iter_init(&it, cmd) && bson_iter_next(&it));
    return bson_iter_key(&it);
}

static guint replay_one(struct sandbox *sb, guint index, const struct row *row)
{
    const char *name = name_of(row->command);
    if (g_strv_contains(elsewhere, name)) {
        assert_false(sb_cluster_has_command(sb->cluster, name));
        return 0;
    }
    struct waiting *w = sandbox_ask(sb, row->db, row->command);
    guint n = compare(index, row->reply, sandbox_wait(w));
    waiting_free(w);
    return n;
}

/* Three moves at once; the recording tells which won, and that one is asked first. */
static guint replay_concurrent(struct sandbox *sb, guint first, const GArray *rows)
{
    struct waiting *w[3];
    guint n = 0, winner = 0;
    for (guint i = 0; i < 3; i++) {
        if (sandbox_ok(g_array_index(rows, struct row, first + i).reply))
            winner = i;
    }
    for (guint i = 0; i < 3; i++) {
        guint at = (winner + i) % 3;
        w[at] = sandbox_ask(sb, "admin", g_array_index(rows, struct row, first + at).command);
    }
    for (guint i = 0; i < 3; i++) {
        n += compare(first + i, g_array_index(rows, struct row, first + i).reply, sandbox_wait(w[i]));
        waiting_free(w[i]);
    }
    return n;
}

static const bson_t *by_id(const GPtrArray *docs, const char *id)
{
    for (guint i = 0; i < docs->len; i++) {
        if (g_strcmp0(sandbox_text(docs->pdata[i], "_id"), id) == 0)
            return docs->pdata[i];
    }
    return NULL;
}

static bson_reader_t *open_dump(const char *name)
{
    g_autofree char *path = g_build_filename(TEST_DATA_DIR "/real-4.2/after-moves/config", name, NULL);
    bson_error_t error;
    bson_reader_t *reader = bson_reader_new_from_file(path, &error);
    if (reader == NULL)
        fail_msg("%s: %s", path, error.message);
    return reader;
}

/* Every chunk's owner, version, history and flags as the server had them. */
static guint compare_chunks(struct sandbox *sb)
{
    bson_reader_t *reader = open_dump("chunks.bson");
    const GPtrArray *ours = sb_cluster_docs(sb->cluster, "chunks");
    const bson_t *want;
    bool eof;
    guint n = 0, seen = 0;
    while ((want = bson_reader_read(reader, &eof)) != NULL) {
        const char *id = sandbox_text(want, "_id");
        const bson_t *got = by_id(ours, id);
        if (g_str_has_prefix(sandbox_text(want, "ns"), "config."))
            continue;
        seen++;
        if (got == NULL)
            print_message("there is no chunk %s\n", id);
        n += got == NULL ? 1 : reply_compare(id, want, got);
    }
    bson_reader_destroy(reader);
    return n + (seen == ours->len ? 0 : 1);
}

/* What was written down on the way, from the first migration on; `ours` begins at `from`. */
static guint compare_changelog(struct sandbox *sb, guint from)
{
    bson_reader_t *reader = open_dump("changelog.bson");
    const GPtrArray *ours = sb_cluster_docs(sb->cluster, "changelog");
    const bson_t *doc;
    bson_iter_t it;
    bool eof;
    guint n = 0;
    while ((doc = bson_reader_read(reader, &eof)) != NULL) {
        bson_t want = BSON_INITIALIZER, got = BSON_INITIALIZER;
        assert_true(bson_iter_init_find(&it, doc, "time"));
        if (bson_iter_date_time(&it) > 1795212283730) {
            g_autofree char *label = g_strdup_printf("entry %u", from);
            bson_copy_to_excluding_noinit(doc, &want, "_id", (char *)NULL);
            if (from < ours->len)
                bson_copy_to_excluding_noinit(ours->pdata[from], &got, "_id", (char *)NULL);
            n += reply_compare(label, &want, &got);
            from++;
        }
        bson_destroy(&want);
        bson_destroy(&got);
    }
    bson_reader_destroy(reader);
    return n + (from == ours->len ? 0 : 1);
}

static void the_replies_are_those_recorded(void **state)
{
    (void)state;
    struct sandbox *sb = sandbox_from_snapshot("real-4.2/imbalanced/snapshot.json", &options, sizes);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct row));
    bson_t *all = read_rows(rows);
    guint differences = 0;
    guint logged = sb_cluster_docs(sb->cluster, "changelog")->len;
    assert_int_equal(rows->len, 42);
    for (guint i = 0; i < rows->len; i++) {
        const struct row *row = &g_array_index(rows, struct row, i);
        if (strcmp(row->note, "start draining") == 0)
            differences += compare_chunks(sb) + compare_changelog(sb, logged);
        if (strcmp(row->note, "concurrent") == 0) {
            differences += replay_concurrent(sb, i, rows);
            i += 2;
        } else {
            differences += replay_one(sb, i, row);
        }
    }
    for (guint i = 0; i < rows->len; i++) {
        bson_destroy(g_array_index(rows, struct row, i).command);
        bson_destroy(g_array_index(rows, struct row, i).reply);
    }
    bson_destroy(all);
    sandbox_free(sb);
    assert_int_equal(differences, 0);
}

/* The administrative commands among what was asked of the balanced cluster. */
static void other_refusals_are_those_recorded(void **state)
{
    (void)state;
    struct sandbox *sb = sandbox_from_snapshot("real-4.2/balanced/snapshot.json", &options, NULL);
    g_autofree char *json = NULL, *wrapped = NULL;
    bson_iter_t it, item, ask, pair;
    guint differences = 0, asked = 0;
    assert_true(g_file_get_contents(TEST_DATA_DIR "/recorded/queries.json", &json, NULL, NULL));
    wrapped = g_strdup_printf("{\"rows\": %s}", json);
    bson_t *all = sandbox_json(wrapped);
    assert_true(bson_iter_init_find(&it, all, "rows") && bson_iter_recurse(&it, &item));
    while (bson_iter_next(&item)) {
        bson_t row, cmd = BSON_INITIALIZER;
        uint32_t len;
        const uint8_t *data;
        bson_iter_document(&item, &len, &data);
        assert_true(bson_init_static(&row, data, len));
        if (bson_iter_init_find(&ask, &row, "ask") && BSON_ITER_HOLDS_ARRAY(&ask) &&
            bson_iter_recurse(&ask, &pair)) {
            while (bson_iter_next(&pair)) {
                bson_iter_t name, value;
                assert_true(bson_iter_recurse(&pair, &name) && bson_iter_next(&name));
                value = name;
                assert_true(bson_iter_next(&value));
                bson_append_iter(&cmd, bson_iter_utf8(&name, NULL), -1, &value);
            }
        }
        const char *name = bson_empty(&cmd) ? "" : name_of(&cmd);
        if (sb_cluster_has_command(sb->cluster, name) && strcmp(name, "balancerStatus") != 0) {
            bson_t *want = sub(&row, "answer"), *got = sandbox_run(sb, &cmd);
            differences += compare(asked++, want, got);
            bson_destroy(want);
            bson_destroy(got);
        }
        bson_destroy(&cmd);
    }
    bson_destroy(all);
    sandbox_free(sb);
    assert_int_equal(asked, 8);
    assert_int_equal(differences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_replies_are_those_recorded),
        cmocka_unit_test(other_refusals_are_those_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
