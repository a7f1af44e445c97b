// SPDX-License-Identifier: Apache-2.0
/* executor_rig.h - an executor on fake hands, a real journal in a temporary folder, and a clock that a test
 * sets. Owns: all of them, and what was told. Never: waits for time to pass.
 */
#pragma once

#include "migrations/executor/executor.h"
#include "tests/support/fake_hands.h"
#include "tests/support/temp_dir.h"

struct rig {
    temp_dir *dir;
    char *path; /* of the journal */
    journal *j;
    int64_t round;
    fake_hands *hands;
    executor *x;
    int64_t now;
    GString
        *events;    /* "S1 E1:committed": started, ended, unknown, retry, dropped, inherited; the step's id */
    GString *waits; /* of retries, "5000 9000" */
    void (*watch)(void *data, const struct executor_event *e); /* told every event, too; NULL: nobody */
    void *watch_data;
    char *last_message;  /* of the last event that had one */
    bool journal_failed; /* a turn said so */
    struct err err;
    GPtrArray *works;
};

/* What tests begin with: 10 shards, 3 attempts, back-off of 1000 ms at most 8000, no limits, no cool-down. */
struct executor_options rig_options(void);
/* With a journal at TEST_T0, and no executor yet. */
void rig_init(struct rig *r);
/* Times are those of the rig's clock. */
void rig_start(struct rig *r, const struct executor_options *opt);
/* Calls that still wait for an answer get "ok". */
void rig_clear(struct rig *r);

/* Work as work_make_text() reads it, of the plan "p" where `with_plan`. */
void rig_add(struct rig *r, const char *steps, bool with_plan);
/* The same, of that plan, with step `id` done before. */
void rig_add_done(struct rig *r, const char *steps, unsigned id);
void rig_put_plan(struct rig *r, const work *w);
/* Lines of answers, "db.c 0: 117 ok; ?db.c 0: committed". */
void rig_say(struct rig *r, const char *answers);

/* Turns until all is done, or until nothing goes on without the test: every command waits for an answer, and
 * there is nothing to be done within the next `ms` of the clock, which goes on so far at most. */
void rig_run(struct rig *r, int64_t ms);
enum { RIG_LONG = 100000000 };

/* Rows of both kinds by when they were planned, "m1 committed/2" is the migration of step 1 in that state
 * after two commands; "s1" a split; step 0: of none. The caller frees. */
char *rig_rows(const struct rig *r);
/* A list with "; " between, sorted; the caller frees. */
char *rig_sorted(const char *list);
/* Fails the test where hands saw rules broken. */
void rig_check(struct rig *r);
