// SPDX-License-Identifier: Apache-2.0
/* What a journal is opened on, and what is said where it cannot be. */
#include "migrations/journal/history.h"
#include "migrations/journal/journal_private.h"
#include "tests/support/journal_fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static char *contents(const char *path, gsize *ret_len)
{
    char *data = NULL;
    assert_true(g_file_get_contents(path, &data, ret_len, NULL));
    return data;
}

static void paths_that_name_no_file(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *folder = g_build_filename(f->dir->path, "folder", NULL);
    g_autofree char *slash = g_strconcat(f->path, "/", NULL);
    g_autofree char *below = g_build_filename(f->path, "journal.db", NULL);
    g_autofree char *missing = g_build_filename(f->dir->path, "none", "journal.db", NULL);
    g_autofree char *fifo = g_build_filename(f->dir->path, "fifo", NULL);
    g_autofree char *link = g_build_filename(f->dir->path, "link", NULL);
    g_autofree char *loop = g_build_filename(f->dir->path, "loop", NULL);
    g_autofree char *name = g_strnfill(300, 'x');
    g_autofree char *longest = g_build_filename(f->dir->path, name, NULL);
    assert_int_equal(
        g_mkdir(folder, 0755) + mkfifo(fifo, 0644) + symlink("nowhere", link) + symlink("loop", loop), 0);
    g_free(temp_dir_write(f->dir, "journal.db", "", 0));
    const struct {
        const char *path, *write_says, *read_says;
    } rows[] = {
        {"", "names no file", "names no file"},
        {slash, "names no file", "names no file"},
        {folder, "a folder", "a folder"},
        {fifo, "not a regular file", "not a regular file"},
        {link, "symbolic link to nothing", "symbolic link to nothing"},
        {loop, g_strerror(ELOOP), g_strerror(ELOOP)},
        {below, g_strerror(ENOTDIR), g_strerror(ENOTDIR)},
        {missing, "folder", "no journal"},
        {longest, g_strerror(ENAMETOOLONG), g_strerror(ENAMETOOLONG)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_no_journal(rows[i].path, JOURNAL_WRITE, ERR_CANT_CREATE, rows[i].write_says);
        assert_no_journal(rows[i].path, JOURNAL_READ, ERR_NO_INPUT, rows[i].read_says);
    }
    assert_false(g_file_test(missing, G_FILE_TEST_EXISTS));
}

static void reading_makes_nothing(void **state)
{
    struct journal_fixture *f = *state;
    assert_no_journal(f->path, JOURNAL_READ, ERR_NO_INPUT, "there is no journal");
    assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));
    g_free(temp_dir_write(f->dir, "journal.db", "", 0));
    assert_no_journal(f->path, JOURNAL_READ, ERR_NO_INPUT, "is empty");
    make_journal(f->path, 1); /* an empty file is a new one */
    g_autoptr(journal) j = test_journal(f->path, JOURNAL_READ);
    struct err err = {0};
    assert_false(journal_event(j, TEST_T0, "x", 0, "y", &err));
    assert_error(&err, ERR_NO_PERMISSION, "reading only");
}

static void names_that_mean_something_to_sqlite_are_names(void **state)
{
    static const char *const names[] = {":memory:", "file:x?mode=memory", "a b#c%20\xff.db"};
    struct journal_fixture *f = *state;
    g_autofree char *before = g_get_current_dir();
    assert_int_equal(g_chdir(f->dir->path), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        make_journal(names[i], 1);
        assert_true(g_file_test(names[i], G_FILE_TEST_IS_REGULAR));
        journal_free(test_journal(names[i], JOURNAL_READ));
    }
    assert_int_equal(g_chdir(before), 0);
}

static void a_link_leads_to_the_same_lock(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *link = g_build_filename(f->dir->path, "link.db", NULL);
    make_journal(f->path, 1);
    assert_int_equal(symlink("journal.db", link), 0);
    journal *j = test_journal(f->path, JOURNAL_WRITE);
    assert_no_journal(link, JOURNAL_WRITE, ERR_RETRY_LATER, "in use by process");
    journal_free(j);
}

/* A process that holds the journal until it is killed; tells when it has it. */
static pid_t hold(const char *path)
{
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        journal *j = test_journal(path, JOURNAL_WRITE);
        if (journal_event(j, TEST_T0, "held", 0, "", NULL) && write(ready[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void another_writer_is_named_until_it_dies(void **state)
{
    struct journal_fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        pid_t pid = hold(f->path);
        g_autofree char *says = g_strdup_printf("in use by process %ld", (long)pid);
        assert_no_journal(f->path, JOURNAL_WRITE, ERR_RETRY_LATER, says);
        journal_free(test_journal(f->path, JOURNAL_READ)); /* readers do not mind */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        journal_free(test_journal(f->path, JOURNAL_WRITE));
    }
}

static void a_holder_without_a_number_is_somebody(void **state)
{
    struct journal_fixture *f = *state;
    static const char *const texts[] = {"", "\n", "not a number\n", "-5\n", "99999999999999\n"};
    g_autofree char *lock = g_strconcat(f->path, ".lock", NULL);
    journal *j = test_journal(f->path, JOURNAL_WRITE);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        FILE *file = fopen(lock, "we");
        assert_non_null(file);
        fputs(texts[i], file);
        fclose(file);
        assert_no_journal(f->path, JOURNAL_WRITE, ERR_RETRY_LATER, "in use by another process");
    }
    journal_free(j);
}

static void a_reader_with_an_open_transaction_does_no_harm(void **state)
{
    struct journal_fixture *f = *state;
    g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
    int64_t round = test_round(j, NULL, TEST_T0);
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM rounds", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 3000; i++) { /* past the point where the log is carried into the file */
        if (i % 500 == 0)
            assert_true(journal_begin(j, NULL));
        test_moved(j, round, "a.b", i, i + 1, "s0", "s1", TEST_T0, TEST_T0 + 1);
        if (i % 500 == 499)
            assert_true(journal_commit(j, NULL));
    }
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM migrations", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 0); /* its own moment */
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    g_autofree char *n = test_query(f->path, "SELECT count(*) FROM migrations");
    assert_string_equal(n, "3000");
}

static void a_foreign_transaction_is_told(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_busy_timeout(j->db, 1);
    assert_false(journal_event(j, TEST_T0, "x", 0, "y", &err));
    assert_error(&err, ERR_RETRY_LATER, "sqlite3 shell");
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    assert_true(journal_event(j, TEST_T0, "x", 0, "y", &err));
    sqlite3_close(db);
}

static void files_that_are_no_journal_are_left_alone(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *noise = g_malloc(3 * PAGE);
    memset(noise, 'x', 3 * PAGE);
    static const struct {
        const char *name, *make, *says;
    } rows[] = {
        {"text", NULL, "damaged"},
        {"tables of another program", "CREATE TABLE t (a); INSERT INTO t VALUES (1)", "of another program"},
        {"another application_id", "PRAGMA application_id = 77; CREATE TABLE t (a)", "application_id 77"},
        {"another application_id, no tables", "PRAGMA application_id = 77", "application_id 77"},
        {"a user_version only", "PRAGMA user_version = 1", "of another program"},
        {"ours without a version", "PRAGMA application_id = 1165380460; CREATE TABLE t (a)",
         "of another program"},
        {"newer", "PRAGMA application_id = 1165380460; PRAGMA user_version = 2; CREATE TABLE t (a)",
         "newer evenkeel (schema 2, this version knows up to 1)"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("%s/%zu.db", f->dir->path, i);
        gsize len, len_after;
        if (rows[i].make == NULL)
            assert_true(g_file_set_contents(path, noise, 3 * PAGE, NULL));
        else
            test_exec(path, rows[i].make);
        g_autofree char *before = contents(path, &len);
        assert_no_journal(path, JOURNAL_WRITE, ERR_DATA, rows[i].says);
        assert_no_journal(path, JOURNAL_READ, ERR_DATA, rows[i].says);
        g_autofree char *after = contents(path, &len_after);
        if (len != len_after || memcmp(before, after, len) != 0)
            fail_msg("%s: the file was changed", rows[i].name);
    }
}

static void damage_is_found_before_anything_is_written(void **state)
{
    struct journal_fixture *f = *state;
    gsize len;
    make_journal(f->path, 400);
    test_exec(f->path, "PRAGMA wal_checkpoint(TRUNCATE)");
    g_autofree char *sound = contents(f->path, &len);
    assert_true(len > 20 * PAGE);
    g_autofree char *path = g_build_filename(f->dir->path, "damaged.db", NULL);
    for (unsigned seed = 0; seed < 60; seed++) {
        g_autofree char *data = g_memdup2(sound, len);
        g_autoptr(GRand) r = g_rand_new_with_seed(seed);
        gsize size = len, page = (gsize)g_rand_int_range(r, 1, (int)(len / PAGE));
        if (seed % 3 == 0) { /* cut, within a page or between two */
            size = page * PAGE + (seed % 2 == 0 ? 0 : 77);
        } else {
            for (gsize i = 0; i < PAGE; i++)
                data[page * PAGE + i] = seed % 3 == 1 ? 0 : (char)g_rand_int(r);
        }
        assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
        journal *j = NULL;
        struct err err = {0};
        if (journal_open(path, JOURNAL_WRITE, &j, &err)) {
            journal_free(j);
            fail_msg("seed %u: not noticed", seed);
        }
        assert_error(&err, ERR_DATA, "damaged");
    }
}

static bool never(void *data, const struct history_row *row, struct err *err)
{
    (void)data;
    (void)row;
    (void)err;
    return true;
}

static void damage_under_a_reader_is_an_error_too(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    gsize len;
    make_journal(f->path, 400);
    test_exec(f->path, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *data = contents(f->path, &len);
    memset(data + 2 * PAGE, 'x', len - 2 * PAGE);
    assert_true(g_file_set_contents(f->path, data, (gssize)len, NULL));
    g_free(data);
    journal *j = NULL;
    bool ok = journal_open(f->path, JOURNAL_READ, &j, &err);
    const struct history_filter all = {0};
    assert_false(ok && history_rows(j, &all, never, NULL, &err));
    assert_error(&err, ERR_DATA, "damaged");
    journal_free(j);
}

static void steps_of_the_schema_are_taken_one_by_one(void **state)
{
    static const char *const add[] = {"ALTER TABLE events ADD COLUMN a INTEGER;",
                                      "UPDATE events SET a = 7; CREATE INDEX events_a ON events (a)", NULL};
    static const char *const add_more[] = {"ALTER TABLE events ADD COLUMN b TEXT", NULL};
    static const char *const broken[] = {"ALTER TABLE events ADD COLUMN c TEXT", "CREATE TABLE events (a)",
                                         NULL};
    const char *const *const steps[] = {schema_steps[0], add, add_more, broken};
    struct journal_fixture *f = *state;
    struct err err = {0};
    journal *j = test_journal(f->path, JOURNAL_WRITE);
    assert_true(journal_event(j, TEST_T0, "x", 0, "y", &err));
    assert_true(schema_apply(j, 1, steps, 1, &err)); /* nothing to do */
    assert_true(schema_apply(j, 1, steps, 3, &err));
    g_autofree char *got =
        test_query(f->path, "SELECT a || ' ' || (SELECT user_version FROM pragma_user_version) || ' ' ||"
                            " (SELECT count(*) FROM pragma_table_info('events')) FROM events");
    assert_string_equal(got, "7 3 7");
    assert_false(schema_apply(j, 3, steps, 4, &err));
    assert_error(&err, ERR_FAILED, "version 4");
    g_autofree char *after =
        test_query(f->path, "SELECT (SELECT user_version FROM pragma_user_version) || ' ' ||"
                            " (SELECT count(*) FROM pragma_table_info('events'))");
    assert_string_equal(after, "3 7"); /* nothing of it */
    journal_free(j);
    assert_no_journal(f->path, JOURNAL_WRITE, ERR_DATA, "schema 3");
    test_exec(f->path, "PRAGMA user_version = 0");
    assert_no_journal(f->path, JOURNAL_READ, ERR_DATA, "another program");
}

static void a_torn_beginning_is_begun_again(void **state)
{
    struct journal_fixture *f = *state;
    test_exec(f->path, "PRAGMA journal_mode = WAL"); /* the file as a crash leaves it before its tables */
    g_autofree char *mode = test_query(f->path, "PRAGMA journal_mode");
    assert_string_equal(mode, "wal");
    assert_no_journal(f->path, JOURNAL_READ, ERR_NO_INPUT, "is empty");
    make_journal(f->path, 1);
}

static void one_moment_is_read_in_a_transaction(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    struct history_totals t;
    const struct history_filter all = {0};
    g_autoptr(journal) w = test_journal(f->path, JOURNAL_WRITE);
    g_autoptr(journal) r = test_journal(f->path, JOURNAL_READ);
    int64_t round = test_round(w, NULL, TEST_T0);
    assert_true(journal_begin(r, &err));
    assert_true(history_totals(r, &all, &t, &err));
    test_row(w, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
    assert_true(history_totals(r, &all, &t, &err));
    assert_int_equal(t.rows[MIGRATION_PLANNED], 0);
    assert_true(journal_commit(r, &err));
    assert_true(history_totals(r, &all, &t, &err));
    assert_int_equal(t.rows[MIGRATION_PLANNED], 1);
}

/* `sudo evenkeel apply` before the service's first start must not leave it a journal that it cannot write. */
static void made_by_root_for_another(void **state)
{
    struct journal_fixture *f = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    enum { OTHER = 54321 };
    struct err err = {0};
    struct stat info;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(f->dir->path, OTHER, OTHER), 0);
    g_autoptr(journal) j = NULL;
    assert_true(journal_open(f->path, JOURNAL_WRITE, &j, &err));
    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(f->path, suffixes[i], NULL);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_uid, OTHER);
        assert_int_equal(info.st_gid, OTHER);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, journal_path_setup, journal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paths_that_name_no_file),
        TEST(made_by_root_for_another),
        TEST(reading_makes_nothing),
        TEST(names_that_mean_something_to_sqlite_are_names),
        TEST(a_link_leads_to_the_same_lock),
        TEST(another_writer_is_named_until_it_dies),
        TEST(a_holder_without_a_number_is_somebody),
        TEST(a_reader_with_an_open_transaction_does_no_harm),
        TEST(a_foreign_transaction_is_told),
        TEST(files_that_are_no_journal_are_left_alone),
        TEST(damage_is_found_before_anything_is_written),
        TEST(damage_under_a_reader_is_an_error_too),
        TEST(steps_of_the_schema_are_taken_one_by_one),
        TEST(a_torn_beginning_is_begun_again),
        TEST(one_moment_is_read_in_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
