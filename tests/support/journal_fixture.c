// SPDX-License-Identifier: Apache-2.0
#include "tests/support/journal_fixture.h"

#include "balancer/key/encode.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void need(bool ok, const struct err *err, const char *what)
{
    if (!ok)
        g_error("%s: %s", what, err->msg);
}

bson_t *test_key(int64_t k)
{
    bson_t *b = bson_new();
    bson_append_int64(b, "k", 1, k);
    return b;
}

GBytes *test_key_enc(int64_t k)
{
    bson_t *b = test_key(k);
    GByteArray *enc = g_byte_array_new();
    bson_iter_t it;
    struct err err = {0};
    need(bson_iter_init_find(&it, b, "k") && key_encode_value(&it, enc, &err), &err, "encoding");
    bson_destroy(b);
    return g_byte_array_free_to_bytes(enc);
}

static void free_doc(gpointer doc)
{
    bson_destroy(doc);
}

test_step *test_step_new(const char *ns, int64_t min, int64_t max, const char *from, const char *to)
{
    test_step *t = g_new0(test_step, 1);
    GPtrArray *at = NULL;
    t->min = test_key(min);
    t->max = test_key(max);
    if (to == NULL) {
        at = g_ptr_array_new_with_free_func(free_doc);
        g_ptr_array_add(at, test_key(min + (max - min) / 2));
    }
    t->s = (struct journal_step){.ns = ns,
                                 .min = t->min,
                                 .max = t->max,
                                 .enc_min = test_key_enc(min),
                                 .enc_max = test_key_enc(max),
                                 .at = at,
                                 .from = from,
                                 .to = to,
                                 .version = "1|0",
                                 .reason = to == NULL ? "zoneBoundary" : "imbalance",
                                 .why = to == NULL ? NULL : "shard0 has 9 chunks and shard1 has 1",
                                 .bytes = 1 << 20};
    return t;
}

void test_step_free(test_step *t)
{
    if (t == NULL)
        return;
    bson_destroy(t->min);
    bson_destroy(t->max);
    g_clear_pointer(&t->s.enc_min, g_bytes_unref);
    g_clear_pointer(&t->s.enc_max, g_bytes_unref);
    if (t->s.at != NULL)
        g_ptr_array_unref((GPtrArray *)t->s.at);
    g_free(t);
}

journal *test_journal(const char *path, enum journal_mode mode)
{
    struct err err = {0};
    journal *j = NULL;
    need(journal_open(path, mode, &j, &err), &err, path);
    return j;
}

int64_t test_round(journal *j, const char *plan_id, int64_t at)
{
    struct err err = {0};
    int64_t id = 0;
    const struct journal_round r = {.kind = plan_id == NULL ? "scheduled" : "apply",
                                    .plan_id = plan_id,
                                    .policy = "count",
                                    .who = "alice (uid 1000)",
                                    .planned_migrations = 2,
                                    .planned_splits = 1,
                                    .planned_bytes = 2 << 20,
                                    .planned_seconds = 12.5,
                                    .started_at = at};
    need(journal_round_start(j, &r, &id, &err), &err, "round");
    return id;
}

int64_t test_row(journal *j, int64_t round, const char *ns, int64_t min, int64_t max, const char *from,
                 const char *to, int64_t at)
{
    struct err err = {0};
    int64_t id = 0;
    g_autoptr(test_step) t = test_step_new(ns, min, max, from, to);
    enum journal_kind kind = to == NULL ? JOURNAL_SPLIT : JOURNAL_MIGRATION;
    need(journal_row_planned(j, kind, round, NULL, &t->s, at, &id, &err), &err, "row");
    return id;
}

void test_state(journal *j, enum journal_kind kind, int64_t id, enum migration_state to, int64_t at)
{
    struct err err = {0};
    need(journal_row_state(j, kind, id, to, at, NULL, &err), &err, migration_state_text(to));
}

int64_t test_moved(journal *j, int64_t round, const char *ns, int64_t min, int64_t max, const char *from,
                   const char *to, int64_t from_at, int64_t to_at)
{
    int64_t id = test_row(j, round, ns, min, max, from, to, from_at);
    test_state(j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, from_at);
    test_state(j, JOURNAL_MIGRATION, id, MIGRATION_COMMITTED, to_at);
    return id;
}

static sqlite3 *connect_to(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK)
        g_error("%s: %s", path, sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 5000);
    return db;
}

char *test_query(const char *path, const char *query)
{
    sqlite3 *db = connect_to(path);
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK)
        g_error("%s: %s", query, sqlite3_errmsg(db));
    bool row = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
    char *text = g_strdup(row ? (const char *)sqlite3_column_text(stmt, 0) : "");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

void test_exec(const char *path, const char *statements)
{
    sqlite3 *db = connect_to(path);
    if (sqlite3_exec(db, statements, NULL, NULL, NULL) != SQLITE_OK)
        g_error("%s: %s", statements, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void copy_file(const char *from, const char *to)
{
    g_autofree char *data = NULL;
    gsize len;
    if (g_file_get_contents(from, &data, &len, NULL) && !g_file_set_contents(to, data, (gssize)len, NULL))
        g_error("cannot write '%s'", to);
}

void test_copy_journal(const char *from, const char *to)
{
    g_autofree char *from_log = g_strconcat(from, "-wal", NULL);
    g_autofree char *to_log = g_strconcat(to, "-wal", NULL);
    copy_file(from, to);
    copy_file(from_log, to_log);
}

int journal_path_setup(void **state)
{
    struct journal_fixture *f = g_new0(struct journal_fixture, 1);
    f->dir = temp_dir_new();
    f->path = g_build_filename(f->dir->path, "journal.db", NULL);
    g_chmod(f->dir->path, 0755);
    *state = f;
    return 0;
}

int journal_setup(void **state)
{
    journal_path_setup(state);
    struct journal_fixture *f = *state;
    f->j = test_journal(f->path, JOURNAL_WRITE);
    return 0;
}

int journal_teardown(void **state)
{
    struct journal_fixture *f = *state;
    journal_free(f->j);
    temp_dir_free(f->dir);
    g_free(f->path);
    g_free(f);
    return 0;
}

void assert_error(struct err *err, enum err_class cls, const char *says)
{
    if (err->cls != cls || strstr(err->msg, says) == NULL || g_str_has_suffix(err->msg, "."))
        fail_msg("class %d, ought to be %d and speak of '%s': %s", err->cls, cls, says, err->msg);
    *err = (struct err){0};
}

void assert_query(const struct journal_fixture *f, const char *query, const char *want)
{
    g_autofree char *got = test_query(f->path, query);
    if (strcmp(got, want) != 0)
        fail_msg("%s:\n%s\nought to be\n%s", query, got, want);
}

void assert_no_journal(const char *path, enum journal_mode mode, enum err_class cls, const char *says)
{
    journal *j = NULL;
    struct err err = {0};
    if (journal_open(path, mode, &j, &err)) {
        journal_free(j);
        fail_msg("'%s' is opened, though %s", path, says);
    }
    assert_null(j);
    assert_non_null(strstr(err.msg, path));
    assert_error(&err, cls, says);
}

void make_journal(const char *path, int n)
{
    g_autoptr(journal) j = test_journal(path, JOURNAL_WRITE);
    assert_true(journal_begin(j, NULL));
    int64_t round = test_round(j, NULL, TEST_T0);
    for (int i = 0; i < n; i++)
        test_moved(j, round, "shop.users", i, i + 1, "shard0", "shard1", TEST_T0 + i, TEST_T0 + i + 1);
    assert_true(journal_commit(j, NULL));
}
