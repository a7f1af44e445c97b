// SPDX-License-Identifier: Apache-2.0
/* A disk that breaks at the n-th write or sync, and one that loses power: the journal says so, and what it
 * holds then is the state before a transaction or after it. */
#include "tests/support/fault_vfs.h"
#include "tests/support/journal_fixture.h"
#include "tests/support/journal_walk.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { STEPS = 10, POINTS_MAX = 5000 };

static int setup(void **state)
{
    fault_vfs_install();
    return journal_path_setup(state);
}

static int teardown(void **state)
{
    fault_vfs_remove();
    return journal_teardown(state);
}

/* The files of a scenario, gone. */
static void remove_journal(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *name = g_strconcat(path, ends[i], NULL);
        g_unlink(name);
    }
}

/* Makes a journal, or opens the one there, and walks. *ret_done: transactions that were told to be kept. */
static bool scenario(journal_walk *w, const char *path, unsigned steps, unsigned *ret_done, struct err *err)
{
    journal *j = NULL;
    bool ok = journal_open(path, JOURNAL_WRITE, &j, err);
    for (*ret_done = 0; ok && *ret_done < steps; *ret_done += ok)
        ok = journal_walk_step(w, j, err);
    journal_free(j);
    return ok;
}

static bool clear_words(const struct err *err, enum fault_kind kind, const char *path)
{
    bool full = strstr(err->msg, "the disk is full; free space") != NULL;
    bool broken = strstr(err->msg, "check its file system") != NULL;
    return err->cls == ERR_CANT_CREATE && strstr(err->msg, path) != NULL &&
           (broken || (full && kind == FAULT_FULL));
}

/* Fails the n-th point of the scenario for good, then looks what is there. False: nothing was left to fail.
 */
static bool fails_well(const char *path, uint32_t seed, unsigned n, enum fault_kind kind)
{
    struct err err = {0};
    unsigned done;
    g_autoptr(journal_walk) w = journal_walk_new(seed);
    remove_journal(path);
    fault_vfs_remove(); /* what it knows of the files before goes with it */
    fault_vfs_install();
    fault_vfs_fail(n, FAULT_FOREVER, kind);
    bool ok = scenario(w, path, STEPS, &done, &err);
    unsigned struck = fault_vfs_struck();
    fault_vfs_fail(0, 0, kind);
    if (!ok && !clear_words(&err, kind, path))
        fail_msg("point %u: class %d: %s", n, err.cls, err.msg);
    if (!ok && struck == 0)
        fail_msg("point %u: failed without a fault: %s", n, err.msg);
    journal_free(test_journal(path, JOURNAL_WRITE));
    g_autofree char *found = journal_walk_found(path);
    g_autofree char *before = journal_walk_expected(w);
    if (strcmp(found, before) != 0) {
        /* The one that failed may stand whole. */
        g_autoptr(journal_walk) more = journal_walk_new(seed);
        for (unsigned i = 0; i <= done; i++)
            assert_true(journal_walk_step(more, NULL, &err));
        g_autofree char *after = journal_walk_expected(more);
        if (ok || strcmp(found, after) != 0)
            fail_msg("point %u, after %u transactions:\nfound\n%s\nwant\n%s", n, done, found, before);
    }
    return struck > 0;
}

static void every_failed_write_is_told_and_leaves_before_or_after(void **state)
{
    struct journal_fixture *f = *state;
    unsigned points = 0;
    for (int kind = FAULT_IO; kind <= FAULT_FULL; kind++) {
        unsigned n = 1, stride = kind == FAULT_IO ? 1 : 3; /* they fail at the same places */
        for (; n < POINTS_MAX && fails_well(f->path, 7 + (uint32_t)kind, n, (enum fault_kind)kind);
             n += stride)
            points++;
        assert_in_range(n, STEPS * 2, POINTS_MAX - 1);
    }
    print_message("%u points\n", points);
}

/* One write fails and the disk is well again: the next transaction goes through, on what was before. */
static void a_passing_failure_costs_one_transaction(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    unsigned struck = 0;
    for (unsigned n = 1; n < 60; n++) {
        remove_journal(f->path);
        fault_vfs_remove();
        fault_vfs_install();
        g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
        int64_t round = test_round(j, NULL, TEST_T0);
        int kept = 0;
        fault_vfs_fail(n, 0, n % 2 == 0 ? FAULT_IO : FAULT_FULL);
        for (int i = 0; i < 10; i++) {
            bool ok = journal_begin(j, &err);
            for (int k = 0; ok && k < 3; k++)
                ok = journal_event(j, TEST_T0 + i, "x", round, "y", &err);
            ok = ok && journal_commit(j, &err);
            if (!ok)
                journal_rollback(j);
            kept += ok;
        }
        struck += fault_vfs_struck();
        g_autofree char *count = test_query(f->path, "SELECT count(*) FROM events");
        if (g_ascii_strtoll(count, NULL, 10) != 3 * kept || (unsigned)kept + fault_vfs_struck() != 10)
            fail_msg("point %u: %s events of %d transactions, %u failures", n, count, kept,
                     fault_vfs_struck());
    }
    assert_true(struck >= 10);
}

/* The sync of a commit fails after its pages were written to the log: told to have failed, it is not to come
 * back when the process dies right then. */
static void a_commit_whose_sync_failed_does_not_come_back(void **state)
{
    struct journal_fixture *f = *state;
    struct err err = {0};
    g_autofree char *copy = g_build_filename(f->dir->path, "copy.db", NULL);
    g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
    assert_true(journal_event(j, TEST_T0, "x", 0, "before", &err));
    fault_vfs_fail_syncs(1, 0);
    assert_false(journal_event(j, TEST_T0, "x", 0, "failed", &err));
    assert_int_equal(fault_vfs_struck(), 1);
    assert_true(clear_words(&err, FAULT_IO, f->path));
    test_copy_journal(f->path, copy);
    g_autofree char *now = test_query(f->path, "SELECT group_concat(text) FROM events");
    g_autofree char *after_crash = test_query(copy, "SELECT group_concat(text) FROM events");
    assert_string_equal(now, "before");
    assert_string_equal(after_crash, "before");
    assert_true(journal_event(j, TEST_T0, "x", 0, "after", &err));
    g_autofree char *later = test_query(f->path, "SELECT group_concat(text) FROM events");
    assert_string_equal(later, "before,after");
}

/* The power goes out after any transaction: each that was told of is there. */
static void what_was_told_survives_a_power_failure(void **state)
{
    enum { WALKS = 10, MOMENTS = 60 };
    struct journal_fixture *f = *state;
    g_autofree char *copy = g_build_filename(f->dir->path, "copy.db", NULL);
    for (uint32_t seed = 1; seed <= WALKS; seed++) {
        struct err err = {0};
        g_autoptr(journal_walk) w = journal_walk_new(seed);
        g_autoptr(GRand) r = g_rand_new_with_seed(seed);
        remove_journal(f->path);
        fault_vfs_remove();
        fault_vfs_install();
        g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
        for (int i = 0; i < MOMENTS; i++) {
            if (!journal_walk_step(w, j, &err))
                fail_msg("seed %u, step %d: %s", seed, i, err.msg);
            remove_journal(copy);
            fault_vfs_power_loss(f->path, copy, r);
            g_autofree char *found = journal_walk_found(copy);
            g_autofree char *want = journal_walk_expected(w);
            if (strcmp(found, want) != 0)
                fail_msg("seed %u, step %d:\nfound\n%s\nwant\n%s", seed, i, found, want);
        }
    }
}

/* The power goes out within a transaction, at its n-th write: it is there whole or not at all. */
static void power_that_fails_within_a_transaction(void **state)
{
    struct journal_fixture *f = *state;
    g_autofree char *copy = g_build_filename(f->dir->path, "copy.db", NULL);
    unsigned moments = 0;
    for (unsigned n = 1, struck = 1; struck > 0 && n < POINTS_MAX; n += 3, moments++) {
        struct err err = {0};
        unsigned done = 0;
        g_autoptr(journal_walk) w = journal_walk_new(77);
        g_autoptr(journal_walk) more = journal_walk_new(77);
        g_autoptr(GRand) r = g_rand_new_with_seed(n);
        remove_journal(f->path);
        remove_journal(copy);
        fault_vfs_remove();
        fault_vfs_install();
        g_autoptr(journal) j = test_journal(f->path, JOURNAL_WRITE);
        fault_vfs_fail(n, FAULT_FOREVER, FAULT_IO); /* a plug that is pulled */
        while (done < 3 * STEPS && journal_walk_step(w, j, &err))
            done++;
        struck = fault_vfs_struck();
        fault_vfs_power_loss(f->path, copy, r);
        g_autofree char *found = journal_walk_found(copy);
        g_autofree char *before = journal_walk_expected(w);
        for (unsigned i = 0; i <= done; i++)
            assert_true(journal_walk_step(more, NULL, &err));
        g_autofree char *after = journal_walk_expected(more);
        if (strcmp(found, before) != 0 && strcmp(found, after) != 0)
            fail_msg("point %u, after %u transactions:\nfound\n%s\nwant\n%s", n, done, found, before);
        fault_vfs_fail(0, 0, FAULT_IO);
    }
    assert_in_range(moments, STEPS, POINTS_MAX - 1);
    print_message("%u moments\n", moments);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_failed_write_is_told_and_leaves_before_or_after),
        TEST(a_passing_failure_costs_one_transaction),
        TEST(a_commit_whose_sync_failed_does_not_come_back),
        TEST(what_was_told_survives_a_power_failure),
        TEST(power_that_fails_within_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
