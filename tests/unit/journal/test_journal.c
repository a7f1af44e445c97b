// SPDX-License-Identifier: Apache-2.0
/* What is written is what is read, and nothing else is taken. */
#include "tests/support/journal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { MIB = 1 << 20, SECOND = 1000 };

static void refused(struct journal_fixture *f, bool ok, enum err_class cls, const char *says)
{
    assert_false(ok);
    assert_error(&f->err, cls, says);
}

static void a_new_file_is_as_promised(void **state)
{
    struct journal_fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777 & ~0640U, 0);
    assert_query(f, "PRAGMA journal_mode", "wal");
    assert_query(f, "PRAGMA user_version", "1");
    assert_query(f, "PRAGMA application_id", "1165380460");
    assert_query(f, "PRAGMA integrity_check", "ok");
    assert_query(f,
                 "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main'"
                 " AND NOT strict AND name NOT LIKE 'sqlite_%'",
                 "0");
    assert_query(f, "SELECT count(*) FROM v_rounds, v_migrations, v_splits", "0");
}

static void a_row_lives_through_its_states(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    for (int kind = JOURNAL_MIGRATION; kind <= JOURNAL_SPLIT; kind++) {
        const char *rows = kind == JOURNAL_SPLIT ? "splits" : "migrations";
        const char *to = kind == JOURNAL_SPLIT ? NULL : "shard1";
        int64_t id = test_row(f->j, round, "shop.users", 0, 100, "shard0", to, TEST_T0 + 1);
        g_autofree char *query = g_strdup_printf(
            "SELECT state || ' ' || planned_at || ' ' || ifnull(started_at, '-') || ' ' || ifnull(ended_at, "
            "'-')"
            " || ' ' || bytes || ' ' || ifnull(code, '-') || ' ' || ifnull(message, '-') FROM %s",
            rows);
        assert_query(f, query, "planned 1795219200001 - - 1048576 - -");
        test_state(f->j, (enum journal_kind)kind, id, MIGRATION_STARTED, TEST_T0 + 2);
        assert_query(f, query, "started 1795219200001 1795219200002 - 1048576 - -");
        const struct journal_outcome lost = {.message = "the reply is missing", .bytes = -1};
        assert_true(journal_row_state(f->j, (enum journal_kind)kind, id, MIGRATION_UNKNOWN, TEST_T0 + 3,
                                      &lost, &f->err));
        assert_query(f, query, "unknown 1795219200001 1795219200002 - 1048576 - the reply is missing");
        const struct journal_outcome done = {.code = 96, .verdict = "round", .message = "no", .bytes = 77};
        assert_true(journal_row_state(f->j, (enum journal_kind)kind, id, MIGRATION_FAILED, TEST_T0 + 4, &done,
                                      &f->err));
        assert_query(f, query, "failed 1795219200001 1795219200002 1795219200004 77 96 no");
    }
}

static void other_edges_are_refused_and_leave_the_row(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), edges = 0, n = 0;
    for (int from = 0; from < MIGRATION_STATE_COUNT; from++)
        for (int to = 0; to < MIGRATION_STATE_COUNT; to++) {
            int64_t id = test_row(f->j, round, "a.b", n, n + 1, "s0", "s1", TEST_T0);
            n++;
            if (from != MIGRATION_PLANNED && from != MIGRATION_ABORTED)
                test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, TEST_T0 + 1);
            if (from != MIGRATION_PLANNED && from != MIGRATION_STARTED)
                test_state(f->j, JOURNAL_MIGRATION, id, (enum migration_state)from, TEST_T0 + 2);
            g_autofree char *all = g_strdup_printf("SELECT quote(state) || quote(change) || quote(message) ||"
                                                   " quote(ended_at) FROM migrations WHERE id = %ld",
                                                   (long)id);
            g_autofree char *before = test_query(f->path, all);
            const struct journal_outcome o = {.message = "x"};
            bool edge = migration_edge((enum migration_state)from, (enum migration_state)to);
            bool ok = journal_row_state(f->j, JOURNAL_MIGRATION, id, (enum migration_state)to, TEST_T0 + 3,
                                        &o, &f->err);
            assert_int_equal(ok, edge);
            edges += edge;
            if (edge)
                continue;
            refused(f, ok, ERR_DATA, migration_state_text((enum migration_state)from));
            assert_query(f, all, before);
        }
    assert_int_equal(edges, 9);
    refused(f, journal_row_state(f->j, JOURNAL_SPLIT, 4711, MIGRATION_STARTED, 0, NULL, &f->err), ERR_DATA,
            "no split 4711");
}

static void bounds_are_kept_byte_for_byte(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), id;
    g_autoptr(test_step) t = test_step_new("a.b", 0, 1, "s0", "s1");
    bson_reinit(t->min);
    bson_append_minkey(t->min, "region", 6);
    bson_append_double(t->min, "n", 1, 1.0);
    bson_reinit(t->max);
    bson_append_utf8(t->max, "region", 6, "E\x1bU", 3);
    bson_append_int32(t->max, "n", 1, 1);
    g_clear_pointer(&t->s.enc_min, g_bytes_unref); /* made from the bounds then */
    g_clear_pointer(&t->s.enc_max, g_bytes_unref);
    assert_true(journal_row_planned(f->j, JOURNAL_MIGRATION, round, NULL, &t->s, TEST_T0, &id, &f->err));
    g_autoptr(GPtrArray) open = NULL;
    assert_true(journal_open_rows(f->j, &open, &f->err));
    assert_int_equal(open->len, 1);
    const struct journal_open_row *r = open->pdata[0];
    assert_true(bson_equal(r->min, t->min));
    assert_true(bson_equal(r->max, t->max));
    assert_query(f, "SELECT min_json || max_json FROM migrations",
                 "{\"region\": {\"$minKey\": 1}, \"n\": 1.0}{\"region\": \"E\\u001bU\", \"n\": 1}");
    assert_query(f, "SELECT min_key < max_key FROM migrations", "1");
}

static void keys_compare_in_sqlite_as_they_do_on_the_server(void **state)
{
    static const int64_t keys[] = {INT64_MIN, -300, -256, -1, 0, 1, 127, 128, 255, 256, 65536, INT64_MAX};
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    for (size_t i = 0; i + 1 < G_N_ELEMENTS(keys); i++) {
        const char *query = "SELECT min_key < max_key AND typeof(min_key) = 'blob' FROM migrations"
                            " ORDER BY id DESC LIMIT 1";
        test_row(f->j, round, "a.b", keys[i], keys[i + 1], "s0", "s1", TEST_T0);
        assert_query(f, query, "1");
    }
    g_autoptr(test_step) t = test_step_new("a.b", 5, 5, "s0", "s1");
    int64_t id;
    refused(f, journal_row_planned(f->j, JOURNAL_MIGRATION, round, NULL, &t->s, TEST_T0, &id, &f->err),
            ERR_DATA, "min_key < max_key");
}

static void the_range_that_moved_takes_the_planned_ones_place(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), at;
    int64_t id = test_row(f->j, round, "a.b", 0, 100, "s0", "s1", TEST_T0);
    test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, TEST_T0 + 1);
    bson_t *min = test_key(10), *max = test_key(40);
    const struct journal_outcome o = {.min = min, .max = max, .bytes = 12345};
    assert_true(
        journal_row_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_COMMITTED, TEST_T0 + 9, &o, &f->err));
    assert_query(f, "SELECT min_json || max_json || bytes FROM migrations", "{\"k\": 10}{\"k\": 40}12345");
    static const struct {
        int64_t min, max;
        bool want;
    } rows[] = {{0, 10, false},  {0, 11, true},  {39, 41, true},
                {40, 50, false}, {20, 30, true}, {0, 99, true}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) a = test_key_enc(rows[i].min);
        g_autoptr(GBytes) b = test_key_enc(rows[i].max);
        assert_true(journal_moved_at(f->j, "a.b", a, b, "s1", "s0", 0, &at, &f->err));
        assert_int_equal(at, rows[i].want ? TEST_T0 + 9 : 0);
    }
    bson_destroy(min);
    bson_destroy(max);
}

static void attempt(struct journal_fixture *f, enum journal_kind kind, int64_t row, uint32_t number,
                    int64_t from, int64_t to, bool ok)
{
    const struct journal_attempt a = {.kind = kind,
                                      .row = row,
                                      .number = number,
                                      .started_at = from,
                                      .ended_at = to,
                                      .ok = ok,
                                      .code = ok ? 0 : 117,
                                      .code_name = ok ? NULL : "ConflictingOperationInProgress",
                                      .verdict = ok ? NULL : "soon",
                                      .message = ok ? NULL : "busy"};
    assert_true(journal_attempt_put(f->j, &a, &f->err));
}

static void attempts_belong_to_a_row_and_are_numbered(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    int64_t split = test_row(f->j, round, "a.b", 0, 10, "s0", NULL, TEST_T0);
    attempt(f, JOURNAL_SPLIT, split, 1, TEST_T0, TEST_T0 + 1, false);
    assert_query(f,
                 "SELECT split || ' ' || number || ' ' || ok || ' ' || code || ' ' || code_name || ' ' ||"
                 " verdict || ' ' || message FROM attempts",
                 "1 1 0 117 ConflictingOperationInProgress soon busy");
    struct journal_attempt a = {.kind = JOURNAL_SPLIT, .row = split, .number = 1};
    refused(f, journal_attempt_put(f->j, &a, &f->err), ERR_DATA, "UNIQUE");
    a = (struct journal_attempt){.kind = JOURNAL_MIGRATION, .row = split, .number = 2};
    refused(f, journal_attempt_put(f->j, &a, &f->err), ERR_DATA, "FOREIGN KEY");
    assert_query(f, "SELECT count(*) FROM attempts", "1");
    assert_query(f, "SELECT attempts FROM splits", "1");
}

static void rounds_begin_grow_and_end(void **state)
{
    struct journal_fixture *f = *state;
    const char *row = "SELECT state || ' ' || planned_migrations || ' ' || planned_splits || ' ' ||"
                      " planned_bytes || ' ' || planned_seconds || ' ' || ifnull(ended_at, '-') || ' ' ||"
                      " ifnull(note, '-') FROM rounds";
    int64_t id = test_round(f->j, NULL, TEST_T0);
    assert_query(f, row, "running 2 1 2097152 12.5 - -");
    assert_true(journal_round_extend(f->j, id, 3, 2, 100, 7, &f->err));
    assert_query(f, row, "running 5 3 2097252 12.5 - -");
    assert_true(journal_round_extend(f->j, id, 0, 0, 0, 20.5, &f->err));
    assert_query(f, row, "running 5 3 2097252 20.5 - -");
    refused(f, journal_round_end(f->j, id, ROUND_RUNNING, 0, NULL, &f->err), ERR_DATA, "running");
    refused(f, journal_round_end(f->j, id + 1, ROUND_DONE, 0, NULL, &f->err), ERR_DATA, "no running round 2");
    assert_true(journal_round_end(f->j, id, ROUND_DONE, TEST_T0 + 1, "all is well", &f->err));
    assert_query(f, row, "done 5 3 2097252 20.5 1795219200001 all is well");
    refused(f, journal_round_end(f->j, id, ROUND_FAILED, 0, NULL, &f->err), ERR_DATA, "no running round 1");
    refused(f, journal_round_extend(f->j, id, 1, 1, 1, 1, &f->err), ERR_DATA, "no running round 1");
    assert_string_equal(round_state_text((enum round_state)99), "?");
}

static void a_round_that_a_crash_cut_off_ends_with_its_last_word(void **state)
{
    struct journal_fixture *f = *state;
    uint32_t n;
    int64_t done = test_round(f->j, NULL, TEST_T0);
    assert_true(journal_round_end(f->j, done, ROUND_DONE, TEST_T0 + 1, NULL, &f->err));
    int64_t silent = test_round(f->j, NULL, TEST_T0 + 10);
    int64_t busy = test_round(f->j, NULL, TEST_T0 + 20);
    test_moved(f->j, busy, "a.b", 0, 10, "s0", "s1", TEST_T0 + 21, TEST_T0 + 40);
    test_row(f->j, busy, "a.b", 10, 20, "s0", NULL, TEST_T0 + 30);
    assert_true(journal_rounds_interrupted(f->j, TEST_T0 + 5000, &n, &f->err));
    assert_int_equal(n, 2);
    assert_query(f, "SELECT group_concat(state || (ended_at - 1795219200000)) FROM rounds",
                 "done1,interrupted10,interrupted40");
    assert_true(journal_rounds_interrupted(f->j, TEST_T0 + 5000, &n, &f->err));
    assert_int_equal(n, 0);
    (void)silent;
}

static void damaged_cells_are_named(void **state)
{
    static const struct {
        const char *name, *change, *says;
    } rows[] = {
        {"bounds are not BSON", "UPDATE migrations SET min = x'0102'", "'min' of migration 1 is not BSON"},
        {"bounds break off", "UPDATE splits SET max = x'0500000007'", "'max' of split 1 is not BSON"},
        {"points are no documents", "UPDATE splits SET at = x'0c0000001030000100000000'",
         "points of split 1"},
    };
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    test_row(f->j, round, "a.b", 0, 10, "s0", "s1", TEST_T0);
    test_row(f->j, round, "a.b", 0, 10, "s0", NULL, TEST_T0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) got = NULL;
        g_autofree char *undo = g_build_filename(f->dir->path, "undo.db", NULL);
        assert_true(journal_open_rows(f->j, &got, &f->err));
        journal_free(g_steal_pointer(&f->j));
        test_copy_journal(f->path, undo);
        test_exec(f->path, rows[i].change);
        f->j = test_journal(f->path, JOURNAL_WRITE);
        g_clear_pointer(&got, g_ptr_array_unref);
        refused(f, journal_open_rows(f->j, &got, &f->err), ERR_DATA, rows[i].says);
        assert_null(got);
        journal_free(g_steal_pointer(&f->j));
        test_copy_journal(undo, f->path);
        f->j = test_journal(f->path, JOURNAL_WRITE);
    }
}

static void texts_are_kept_and_messages_are_cut(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    g_autofree char *two_byte = g_strnfill(4000, '\xc3');
    for (size_t i = 1; i < 4000; i += 2)
        two_byte[i] = '\xa9';
    const struct {
        const char *name, *in, *want;
        size_t want_len; /* 0: `want` is all */
    } rows[] = {
        {"plain", "no such shard", "no such shard", 0},
        {"control characters", "a\x1b[31mb\n", "a\\x1B[31mb\\x0A", 0},
        {"not UTF-8", "a\xff\xc3", "a\\xFF\\xC3", 0},
        {"letters of two bytes are not cut in two", two_byte, "\xc3\xa9", 2047},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_true(journal_event(f->j, TEST_T0, "test", round, rows[i].in, &f->err));
        g_autofree char *got = test_query(f->path, "SELECT text FROM events ORDER BY id DESC");
        assert_true(g_utf8_validate(got, -1, NULL));
        if (rows[i].want_len == 0 ? strcmp(got, rows[i].want) != 0
                                  : strlen(got) != rows[i].want_len || !g_str_has_suffix(got, "\xa9..."))
            fail_msg("%s: %zu: %s", rows[i].name, strlen(got), got);
    }
    int64_t id = test_row(f->j, round, "a.b\x1b\"';--", 0, 1, "s0\xfe", "s1", TEST_T0);
    assert_query(f, "SELECT hex(ns) || donor FROM migrations", "612E621B22273B2D2Ds0\\xFE");
    assert_query(f, "SELECT ns || range FROM v_migrations", "a.b\\x1B\"';--[{\"k\": 0}, {\"k\": 1})");
    (void)id;
}

static void a_transaction_is_all_or_nothing(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), id = 0;
    refused(f, journal_commit(f->j, &f->err), ERR_FAILED, "no transaction");
    assert_true(journal_begin(f->j, &f->err));
    refused(f, journal_begin(f->j, &f->err), ERR_FAILED, "open already");
    id = test_row(f->j, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
    assert_query(f, "SELECT count(*) FROM migrations", "0");
    journal_rollback(f->j);
    assert_query(f, "SELECT count(*) FROM migrations", "0");
    assert_true(journal_begin(f->j, &f->err));
    id = test_row(f->j, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
    test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, TEST_T0);
    assert_true(journal_commit(f->j, &f->err));
    assert_query(f, "SELECT state FROM migrations", "started");
}

static void a_failed_write_ends_the_transaction_it_is_in(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), id;
    assert_true(journal_begin(f->j, &f->err));
    id = test_row(f->j, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
    refused(f, journal_row_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_COMMITTED, 0, NULL, &f->err),
            ERR_DATA, "planned and cannot become committed");
    refused(f, journal_event(f->j, TEST_T0, "x", 0, "after it", &f->err), ERR_DATA,
            "cannot become committed");
    refused(f, journal_commit(f->j, &f->err), ERR_DATA, "cannot become committed");
    assert_query(f, "SELECT (SELECT count(*) FROM migrations) + (SELECT count(*) FROM events)", "0");
    assert_true(journal_event(f->j, TEST_T0, "x", 0, "a new one", &f->err));
    assert_true(journal_begin(f->j, NULL)); /* who does not want to know why learns that it failed */
    assert_false(journal_row_state(f->j, JOURNAL_MIGRATION, 99, MIGRATION_STARTED, 0, NULL, NULL));
    assert_false(journal_event(f->j, TEST_T0, "x", 0, "y", NULL));
    assert_false(journal_commit(f->j, NULL));
    assert_true(journal_begin(f->j, &f->err));
    assert_false(journal_round_end(f->j, 99, ROUND_DONE, 0, NULL, NULL));
    journal_rollback(f->j);
    assert_true(journal_event(f->j, TEST_T0, "x", 0, "another", &f->err));
    assert_query(f, "SELECT group_concat(text) FROM events", "a new one,another");
}

static void views_are_readable(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    test_moved(f->j, round, "shop.users", 0, 100, "shard0", "shard1", TEST_T0, TEST_T0 + 200 * SECOND);
    test_row(f->j, round, "shop.users", 0, 100, "shard0", NULL, TEST_T0);
    assert_true(journal_round_end(f->j, round, ROUND_DONE, TEST_T0 + 7500 * SECOND, "done", &f->err));
    assert_query(f,
                 "SELECT kind || ' ' || state || ' ' || started || ' ' || ended || ' ' || took || ' ' ||"
                 " committed || ' ' || open || ' ' || splits || ' ' || data || ' ' || who FROM v_rounds",
                 "scheduled done 2026-11-21T00:00:00Z 2026-11-21T02:05:00Z 2 h 5 min 1 0 0 1.0 MiB alice"
                 " (uid 1000)");
    assert_query(
        f,
        "SELECT state || ' ' || ns || ' ' || range || ' ' || donor || '>' || recipient || ' ' || data"
        " || ' ' || started || ' ' || took FROM v_migrations",
        "committed shop.users [{\"k\": 0}, {\"k\": 100}) shard0>shard1 1.0 MiB 2026-11-21T00:00:00Z"
        " 3 min 20 s");
    assert_query(f, "SELECT state || ' ' || at || ' ' || planned || ifnull(took, '-') FROM v_splits",
                 "planned [{\"k\": 50}] 2026-11-21T00:00:00Z-");
    static const struct {
        const char *bytes, *ms, *want;
    } rows[] = {
        {"0", "0", "0 B 0.0 s"},
        {"1023", "59900", "1023 B 59.9 s"},
        {"1024", "60000", "1.0 KiB 1 min 0 s"},
        {"1073741824", "90000000", "1.0 GiB 1 d 1 h"},
        {"5497558138880", "3600000", "5.00 TiB 1 h 0 min"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *change = g_strdup_printf(
            "UPDATE migrations SET bytes = %s, ended_at = started_at + %s", rows[i].bytes, rows[i].ms);
        test_exec(f->path, change);
        assert_query(f, "SELECT data || ' ' || took FROM v_migrations", rows[i].want);
    }
}

static void every_write_moves_the_change_on(void **state)
{
    struct journal_fixture *f = *state;
    const char *query =
        "SELECT max(change) || ' ' || (SELECT change FROM counter) FROM (SELECT change FROM rounds"
        " UNION ALL SELECT change FROM migrations UNION ALL SELECT change FROM splits)";
    int64_t round = test_round(f->j, NULL, TEST_T0);
    assert_query(f, query, "1 1");
    int64_t id = test_row(f->j, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
    test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, TEST_T0);
    attempt(f, JOURNAL_MIGRATION, id, 1, TEST_T0, TEST_T0 + 1, true);
    assert_query(f, query, "4 4");
    assert_true(journal_round_extend(f->j, round, 0, 0, -1, 0, &f->err));
    assert_true(journal_round_end(f->j, round, ROUND_FAILED, TEST_T0, NULL, &f->err));
    assert_query(f, query, "6 6");
    uint32_t n;
    test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_ABORTED, TEST_T0);
    assert_true(journal_prune(f->j, TEST_T0 + 1, 0, &n, &f->err));
    assert_int_equal(n, 1);
    journal_free(g_steal_pointer(&f->j)); /* what was given is not given again, though the row is gone */
    f->j = test_journal(f->path, JOURNAL_WRITE);
    test_round(f->j, NULL, TEST_T0);
    assert_query(f, query, "8 8");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, journal_setup, journal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_as_promised),
        TEST(a_row_lives_through_its_states),
        TEST(other_edges_are_refused_and_leave_the_row),
        TEST(bounds_are_kept_byte_for_byte),
        TEST(keys_compare_in_sqlite_as_they_do_on_the_server),
        TEST(the_range_that_moved_takes_the_planned_ones_place),
        TEST(attempts_belong_to_a_row_and_are_numbered),
        TEST(rounds_begin_grow_and_end),
        TEST(a_round_that_a_crash_cut_off_ends_with_its_last_word),
        TEST(damaged_cells_are_named),
        TEST(texts_are_kept_and_messages_are_cut),
        TEST(a_transaction_is_all_or_nothing),
        TEST(a_failed_write_ends_the_transaction_it_is_in),
        TEST(views_are_readable),
        TEST(every_write_moves_the_change_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
