// SPDX-License-Identifier: Apache-2.0
/* kill -9 at random moments: what was acknowledged is there afterwards, at most one more transaction is, and
 * it is there whole. */
#include "tests/support/journal_fixture.h"
#include "tests/support/journal_walk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WALKS = 12, LIVES = 20, STEPS_MAX = 14, MICROSECONDS_MAX = 400 };

/* One life of a writer, told through `fd`: a byte for each transaction once it is on the disk. */
static void live(journal_walk *w, const char *path, int fd)
{
    struct err err = {0};
    journal *j = NULL;
    bool ok = journal_open(path, JOURNAL_WRITE, &j, &err) && journal_walk_restart(w, j, &err);
    while (ok && write(fd, "+", 1) == 1)
        ok = journal_walk_step(w, j, &err);
    if (!ok && write(fd, "!", 1) == 1)
        (void)!write(STDERR_FILENO, err.msg, strlen(err.msg));
    _exit(1);
}

/* Starts a life, ends it a moment after its n-th transaction, and counts what it told of. */
static unsigned live_and_die(journal_walk *w, const char *path, GRand *r)
{
    unsigned told = 0, n = (unsigned)g_rand_int_range(r, 0, STEPS_MAX);
    int ends[2];
    char c = '+';
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        live(w, path, ends[1]);
    }
    close(ends[1]);
    for (; told < n && read(ends[0], &c, 1) == 1 && c == '+'; told++)
        ;
    g_usleep((gulong)g_rand_int_range(r, 0, MICROSECONDS_MAX)); /* spreads the moment over a transaction */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (; c == '+' && read(ends[0], &c, 1) == 1; told += c == '+')
        ;
    close(ends[0]);
    assert_int_equal(c, '+');
    return told;
}

static void advance(journal_walk *w, bool *begun)
{
    struct err err = {0};
    assert_true(*begun ? journal_walk_step(w, NULL, &err) : journal_walk_restart(w, NULL, &err));
    *begun = true;
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    unsigned kills = 0, transactions = 0, one_more = 0;
    for (uint32_t seed = 1; seed <= WALKS; seed++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *path = g_build_filename(dir->path, "journal.db", NULL);
        g_autoptr(journal_walk) w = journal_walk_new(seed);
        g_autoptr(GRand) r = g_rand_new_with_seed(seed + 1000);
        for (int life = 0; life < LIVES; life++, kills++) {
            unsigned told = live_and_die(w, path, r);
            bool begun = false;
            transactions += told;
            for (unsigned i = 0; i < told; i++)
                advance(w, &begun);
            journal_free(test_journal(path, JOURNAL_WRITE)); /* whatever the moment was, it opens */
            g_autofree char *found = journal_walk_found(path);
            g_autofree char *want = journal_walk_expected(w);
            if (strcmp(found, want) == 0)
                continue;
            advance(w, &begun); /* it was on the disk, but not told of any more */
            one_more++;
            g_autofree char *want_more = journal_walk_expected(w);
            if (strcmp(found, want_more) != 0)
                fail_msg("seed %u, life %d, after %u transactions:\nfound\n%s\nwant\n%s", seed, life, told,
                         found, want);
        }
    }
    assert_int_equal(kills, WALKS * LIVES);
    print_message("%u kills, %u transactions, %u of them not told of\n", kills, transactions, one_more);
}

/* The same walk without a crash: the model and the journal are of one mind. */
static void the_model_is_right(void **state)
{
    (void)state;
    for (uint32_t seed = 100; seed < 104; seed++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autofree char *path = g_build_filename(dir->path, "journal.db", NULL);
        g_autoptr(journal_walk) w = journal_walk_new(seed);
        g_autoptr(journal) j = test_journal(path, JOURNAL_WRITE);
        struct err err = {0};
        for (int i = 0; i < 300; i++) {
            if (!journal_walk_step(w, j, &err))
                fail_msg("seed %u, step %d: %s", seed, i, err.msg);
            if (i % 20 > 0)
                continue;
            g_autofree char *found = journal_walk_found(path);
            g_autofree char *want = journal_walk_expected(w);
            if (strcmp(found, want) != 0)
                fail_msg("seed %u, step %d:\nfound\n%s\nwant\n%s", seed, i, found, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_is_right),
        cmocka_unit_test(nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
