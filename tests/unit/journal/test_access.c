// SPDX-License-Identifier: Apache-2.0
/* Full disks, read-only places, and users who may not. */
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
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534, READ_STILL = 7 };

/* Runs `fn` in a process of user nobody; its result is the exit code. */
static int as_nobody(int (*fn)(const char *path), const char *path)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (getuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(99);
        _exit(fn(path));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
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

/* In a process of its own, whose files may not grow beyond a size. */
static int write_until_full(const char *path)
{
    struct err err = {0};
    journal *j = NULL;
    signal(SIGXFSZ, SIG_IGN);
    if (!journal_open(path, JOURNAL_WRITE, &j, &err))
        return 10;
    int64_t round = test_round(j, NULL, TEST_T0);
    int acked = 0;
    const struct rlimit limit = {.rlim_cur = 300 * 1024, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 11;
    for (; acked < 10000; acked++) {
        g_autoptr(test_step) t = test_step_new("a.b", acked, acked + 1, "s0", "s1");
        int64_t id;
        if (!journal_row_planned(j, JOURNAL_MIGRATION, round, NULL, &t->s, TEST_T0, &id, &err))
            break;
    }
    if (err.cls != ERR_CANT_CREATE || strstr(err.msg, "File too large") == NULL ||
        strstr(err.msg, "ulimit -f") == NULL) {
        fprintf(stderr, "class %d: %s\n", err.cls, err.msg);
        return 12;
    }
    const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &none);
    struct journal_outcome o = {0};
    if (!journal_row_state(j, JOURNAL_MIGRATION, acked, MIGRATION_STARTED, TEST_T0, &o, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 13; /* with room again, it goes on */
    }
    journal_free(j);
    g_autofree char *n = test_query(path, "SELECT count(*) || (SELECT integrity_check FROM"
                                          " pragma_integrity_check) FROM migrations");
    g_autofree char *want = g_strdup_printf("%dok", acked);
    return strcmp(n, want) == 0 ? 0 : 14;
}

static int in_child(int (*fn)(const char *path), const char *path)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(path));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_limit_on_file_sizes_is_told(void **state)
{
    struct journal_fixture *f = *state;
    assert_int_equal(in_child(write_until_full, f->path), 0);
}

/* By name only: the file is open, and takes what is written. */
static void a_file_that_is_gone_takes_nothing(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    g_autofree char *away = g_strconcat(f->path, ".away", NULL);
    g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
    assert_true(journal_event(j, TEST_T0, "before", 0, "", &err));
    assert_int_equal(rename(f->path, away), 0);
    assert_false(journal_event(j, TEST_T0, "after", 0, "", &err));
    assert_error(&err, ERR_CANT_CREATE, "moved or deleted while in use");
    assert_int_equal(g_file_set_contents(f->path, "", 0, NULL), TRUE);
    err = (struct err){0};
    assert_false(journal_begin(j, &err));
    assert_error(&err, ERR_CANT_CREATE, "put it back");
    assert_int_equal(rename(away, f->path), 0);
    err = (struct err){0};
    assert_true(journal_event(j, TEST_T0, "back", 0, "", &err));
    g_autofree char *codes = test_query(f->path, "SELECT group_concat(code) FROM events");
    assert_string_equal(codes, "before,back");
}

static void a_full_disk_is_told_and_passes(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    int64_t id = 0, committed = 0;
    g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
    int64_t round = test_round(j, NULL, TEST_T0);
    assert_int_equal(sqlite3_exec(j->db, "PRAGMA max_page_count = 80", NULL, NULL, NULL), SQLITE_OK);
    while (err.cls == ERR_NONE) { /* three rows at a time, so that one may fail in the middle */
        assert_true(journal_begin(j, &err));
        for (int i = 0; i < 3 && err.cls == ERR_NONE; i++) {
            g_autoptr(test_step) t = test_step_new("a.b", i, i + 1, "s0", "s1");
            journal_row_planned(j, JOURNAL_MIGRATION, round, NULL, &t->s, TEST_T0, &id, &err);
        }
        if (journal_commit(j, err.cls == ERR_NONE ? &err : NULL))
            committed += 3;
    }
    assert_error(&err, ERR_CANT_CREATE, "the disk is full");
    g_autofree char *n = test_query(f->path, "SELECT count(*) FROM migrations");
    assert_int_equal(g_ascii_strtoll(n, NULL, 10), committed);
    assert_true(committed > 0);
    sqlite3_exec(j->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL);
    err = (struct err){0};
    test_row(j, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
}

/* A tiny file system of its own; false where this user may not mount. */
static bool mount_tiny(const char *folder, const char *size)
{
    g_mkdir(folder, 0755);
    return mount("none", folder, "tmpfs", 0, size) == 0;
}

static void a_full_file_system_is_told(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    g_autofree char *folder = g_build_filename(f->dir->path, "tiny", NULL);
    g_autofree char *path = g_build_filename(folder, "journal.db", NULL);
    if (!mount_tiny(folder, "size=600k")) {
        print_message("not allowed to mount; the test needs root\n");
        return;
    }
    journal *j = test_journal(path, JOURNAL_WRITE);
    int64_t round = test_round(j, NULL, TEST_T0), id, rows = 0;
    for (; err.cls == ERR_NONE; rows++) {
        g_autoptr(test_step) t = test_step_new("a.b", rows, rows + 1, "s0", "s1");
        journal_row_planned(j, JOURNAL_MIGRATION, round, NULL, &t->s, TEST_T0, &id, &err);
    }
    assert_error(&err, ERR_CANT_CREATE, "the disk is full");
    journal_free(j);
    journal *other = NULL;
    err = (struct err){0};
    if (journal_open(path, JOURNAL_WRITE, &other,
                     &err)) { /* it may still be opened, with all that is in it */
        g_autoptr(GPtrArray) open = NULL;
        assert_true(journal_open_rows(other, &open, &err));
        assert_int_equal(open->len, rows - 1);
        journal_free(other);
    } else {
        assert_error(&err, ERR_CANT_CREATE, "full");
    }
    umount(folder);
}

static void a_read_only_file_system_is_told_and_can_be_read(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *folder = g_build_filename(f->dir->path, "ro", NULL);
    g_autofree char *path = g_build_filename(folder, "journal.db", NULL);
    g_autofree char *copy = g_build_filename(folder, "copy.db", NULL);
    g_autofree char *other = g_build_filename(folder, "other.db", NULL);
    if (!mount_tiny(folder, "size=4m")) {
        print_message("not allowed to mount; the test needs root\n");
        return;
    }
    make_journal(path, 3);
    test_copy_journal(path, copy);
    g_autofree char *log = g_strconcat(copy, "-wal", NULL);
    unlink(log);
    assert_int_equal(mount("none", folder, "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
    const char *const paths[] = {path, copy}; /* with its log, and a copy alone */
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        struct history_totals t;
        const struct history_filter all = {0};
        g_autoptr(journal) j = test_journal(paths[i], JOURNAL_READ);
        assert_true(history_totals(j, &all, &t, NULL));
        assert_int_equal(t.rows[MIGRATION_COMMITTED], 3);
    }
    assert_no_journal(path, JOURNAL_WRITE, ERR_CANT_CREATE, g_strerror(EROFS));
    assert_no_journal(other, JOURNAL_WRITE, ERR_CANT_CREATE, g_strerror(EROFS));
    umount(folder);
}

static int read_three(const char *path)
{
    struct history_totals t;
    struct err err = {0};
    const struct history_filter all = {0};
    journal *j = NULL;
    if (!journal_open(path, JOURNAL_READ, &j, &err) || !history_totals(j, &all, &t, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    bool still = journal_is_still(j);
    journal_free(j);
    return t.rows[MIGRATION_COMMITTED] != 3 ? 2 : still ? READ_STILL : 0;
}

static int write_refused(const char *path)
{
    struct err err = {0};
    journal *j = NULL;
    if (journal_open(path, JOURNAL_WRITE, &j, &err))
        return 1;
    return err.cls == ERR_NO_PERMISSION && strstr(err.msg, "Permission denied") != NULL &&
                   strstr(err.msg, path) != NULL
               ? 0
               : 2;
}

static int read_refused(const char *path)
{
    struct err err = {0};
    journal *j = NULL;
    if (journal_open(path, JOURNAL_READ, &j, &err))
        return 1;
    return err.cls == ERR_NO_PERMISSION && strstr(err.msg, path) != NULL ? 0 : 2;
}

static void who_may_only_read_reads(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *log = g_strconcat(f->path, "-wal", NULL);
    g_autofree char *shm = g_strconcat(f->path, "-shm", NULL);
    if (getuid() != 0) {
        print_message("the test needs root\n");
        return;
    }
    make_journal(f->path, 3);
    g_chmod(f->path, 0644);
    g_chmod(log, 0644);
    g_chmod(shm, 0644);
    assert_int_equal(as_nobody(read_three, f->path), 0); /* closed, its log beside it */
    assert_int_equal(as_nobody(write_refused, f->path), 0);
    journal *j = test_journal(f->path, JOURNAL_WRITE);
    int64_t round = test_round(j, NULL, TEST_T0);
    test_row(j, round, "a.b", 0, 1, "s0", "s1", TEST_T0);
    assert_int_equal(as_nobody(read_three, f->path), 0); /* while somebody writes */
    journal_free(j);
    pid_t pid = hold(f->path);
    assert_int_equal(as_nobody(read_three, f->path), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(as_nobody(read_three, f->path), 0); /* after a crash */
    unlink(shm);
    assert_int_equal(as_nobody(read_refused, f->path), 0); /* a log, and no index to read it by */
    journal_free(test_journal(f->path, JOURNAL_WRITE));
    unlink(log);
    unlink(shm);
    assert_int_equal(as_nobody(read_three, f->path), READ_STILL); /* the file alone */
    g_chmod(f->path, 0600);
    assert_int_equal(as_nobody(read_refused, f->path), 0);
}

static void a_folder_that_may_not_be_written_to_is_told(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *file = g_build_filename(f->dir->path, "there.db", NULL);
    if (getuid() != 0) {
        print_message("the test needs root\n");
        return;
    }
    assert_int_equal(as_nobody(write_refused, f->path), 0); /* a new file */
    make_journal(file, 1);
    assert_int_equal(chown(file, NOBODY, NOBODY), 0);
    assert_int_equal(as_nobody(write_refused, file), 0); /* the lock belongs to another */
    g_autofree char *lock = g_strconcat(file, ".lock", NULL);
    unlink(lock);
    assert_int_equal(as_nobody(write_refused, file), 0); /* no lock can be made */
}

static void modes_follow_the_umask(void **state)
{
    struct journal_fixture *f = *state;
    struct stat st;
    mode_t before = umask(0);
    make_journal(f->path, 1);
    umask(before);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    g_autofree char *shm = g_strconcat(f->path, "-shm", NULL);
    assert_int_equal(stat(shm, &st), 0); /* it stays, for readers */
    assert_int_equal(st.st_mode & 0777, 0640);
    g_autofree char *lock = g_strconcat(f->path, ".lock", NULL);
    assert_int_equal(stat(lock, &st), 0);
    assert_int_equal(st.st_size, 0); /* nobody holds it */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, journal_path_setup, journal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_gone_takes_nothing),
        TEST(the_limit_on_file_sizes_is_told),
        TEST(a_full_disk_is_told_and_passes),
        TEST(a_full_file_system_is_told),
        TEST(a_read_only_file_system_is_told_and_can_be_read),
        TEST(who_may_only_read_reads),
        TEST(a_folder_that_may_not_be_written_to_is_told),
        TEST(modes_follow_the_umask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
