// SPDX-License-Identifier: Apache-2.0
/* journal_fixture.h - steps, rounds and files for tests of the journal.
 * Owns: short spellings of what a row needs. Never: goes on after a failure: the test program ends, naming
 * the error.
 */
#pragma once

#include "migrations/journal/journal.h"
#include "tests/support/temp_dir.h"

/* A time that these tests count from: 2026-11-21T00:00:00Z. */
#define TEST_T0 INT64_C(1795219200000)

typedef struct {
    struct journal_step s;
    bson_t *min, *max;
} test_step;

/* The range [{k: min}, {k: max}) of 1 MiB, version "1|0", reason "imbalance"; `to` NULL: a split in the
 * middle. */
test_step *test_step_new(const char *ns, int64_t min, int64_t max, const char *from, const char *to);
void test_step_free(test_step *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(test_step, test_step_free)

bson_t *test_key(int64_t k);     /* {k: k} */
GBytes *test_key_enc(int64_t k); /* encoded */

journal *test_journal(const char *path, enum journal_mode mode);
/* A running round of no plan. */
int64_t test_round(journal *j, const char *plan_id, int64_t at);
/* A row in state planned; of a split where `to` is NULL. */
int64_t test_row(journal *j, int64_t round, const char *ns, int64_t min, int64_t max, const char *from,
                 const char *to, int64_t at);
/* Takes it along an edge. */
void test_state(journal *j, enum journal_kind kind, int64_t id, enum migration_state to, int64_t at);
/* A migration that committed: planned and started at `from_at`, ended at `to_at`. */
int64_t test_moved(journal *j, int64_t round, const char *ns, int64_t min, int64_t max, const char *from,
                   const char *to, int64_t from_at, int64_t to_at);

/* The first column of the first row that `query` gives, in a connection of its own; "" where there is none.
 * Caller frees. */
char *test_query(const char *path, const char *query);
/* Runs SQL in a connection of its own. */
void test_exec(const char *path, const char *statements);
/* A copy of the file, and of its log where it has one. */
void test_copy_journal(const char *from, const char *to);

/* For tests that each have a journal of their own: cmocka's setup and teardown. */
struct journal_fixture {
    temp_dir *dir;
    char *path;
    journal *j; /* open for writing; NULL: of journal_path_setup() */
    struct err err;
};
int journal_setup(void **state);
int journal_path_setup(void **state); /* no journal is made; others may look into the folder */
int journal_teardown(void **state);

/* The error that is set has this class and speaks of `says`; it is cleared. */
void assert_error(struct err *err, enum err_class cls, const char *says);
/* What the file says to somebody else. */
void assert_query(const struct journal_fixture *f, const char *query, const char *want);
/* The file cannot be opened in this mode; the error names it. */
void assert_no_journal(const char *path, enum journal_mode mode, enum err_class cls, const char *says);
/* Makes a journal with `n` committed migrations. */
void make_journal(const char *path, int n);
