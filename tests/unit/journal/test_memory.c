// SPDX-License-Identifier: Apache-2.0
/* What the journal remembers of plans, moves and the cluster, and what it forgets. */
#include "migrations/journal/history.h"
#include "tests/support/journal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20, SECOND = 1000 };

static void refused(struct journal_fixture *f, bool ok, enum err_class cls, const char *says)
{
    assert_false(ok);
    assert_error(&f->err, cls, says);
}

static void moved_at_asks_for_the_way_back(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), at;
    test_moved(f->j, round, "a.b", 0, 10, "s0", "s1", TEST_T0, TEST_T0 + 5);
    test_moved(f->j, round, "a.b", 5, 20, "s0", "s1", TEST_T0, TEST_T0 + 7);
    int64_t open = test_row(f->j, round, "a.b", 0, 9, "s0", "s1", TEST_T0);
    test_state(f->j, JOURNAL_MIGRATION, open, MIGRATION_STARTED, TEST_T0 + 8);
    g_autoptr(GBytes) a = test_key_enc(4);
    g_autoptr(GBytes) b = test_key_enc(6);
    static const struct {
        const char *name, *ns, *from, *to;
        int64_t since, want;
    } rows[] = {
        {"the way back, the last of two", "a.b", "s1", "s0", 0, 7},
        {"the same way", "a.b", "s0", "s1", 0, 0},
        {"another collection", "a.c", "s1", "s0", 0, 0},
        {"another shard", "a.b", "s1", "s2", 0, 0},
        {"since that moment", "a.b", "s1", "s0", TEST_T0 + 7, 7},
        {"since later", "a.b", "s1", "s0", TEST_T0 + 8, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_true(
            journal_moved_at(f->j, rows[i].ns, a, b, rows[i].from, rows[i].to, rows[i].since, &at, &f->err));
        if (at != (rows[i].want == 0 ? 0 : TEST_T0 + rows[i].want))
            fail_msg("%s: %ld", rows[i].name, (long)at);
    }
}

static void bytes_since_counts_what_committed(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0), bytes, id;
    assert_true(journal_bytes_since(f->j, 0, 5, &bytes, &f->err));
    assert_int_equal(bytes, 0);
    test_moved(f->j, round, "a.b", 0, 10, "s0", "s1", TEST_T0, TEST_T0 + 10);
    test_moved(f->j, round, "a.b", 10, 20, "s0", "s1", TEST_T0, TEST_T0 + 20);
    g_autoptr(test_step) t = test_step_new("a.b", 20, 30, "s0", "s1");
    t->s.bytes = -1;
    assert_true(journal_row_planned(f->j, JOURNAL_MIGRATION, round, NULL, &t->s, TEST_T0, &id, &f->err));
    test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_STARTED, TEST_T0);
    assert_true(journal_bytes_since(f->j, 0, 1000, &bytes, &f->err));
    assert_int_equal(bytes, 2 * MIB);
    test_state(f->j, JOURNAL_MIGRATION, id, MIGRATION_COMMITTED, TEST_T0 + 30);
    assert_true(journal_bytes_since(f->j, 0, 1000, &bytes, &f->err));
    assert_int_equal(bytes, 2 * MIB + 1000);
    assert_true(journal_bytes_since(f->j, TEST_T0 + 20, 1000, &bytes, &f->err));
    assert_int_equal(bytes, MIB + 1000);
    assert_true(journal_bytes_since(f->j, TEST_T0 + 31, 1000, &bytes, &f->err));
    assert_int_equal(bytes, 0);
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

static void speeds_are_those_of_the_command_that_did_it(void **state)
{
    struct journal_fixture *f = *state;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    int64_t id = test_moved(f->j, round, "a.b", 0, 10, "s0", "s1", TEST_T0, TEST_T0 + 60 * SECOND);
    attempt(f, JOURNAL_MIGRATION, id, 1, TEST_T0, TEST_T0 + 1 * SECOND, false);
    attempt(f, JOURNAL_MIGRATION, id, 2, TEST_T0 + 50 * SECOND, TEST_T0 + 52 * SECOND, true);
    int64_t settled = test_moved(f->j, round, "a.b", 10, 20, "s0", "s1", TEST_T0, TEST_T0 + 99 * SECOND);
    attempt(f, JOURNAL_MIGRATION, settled, 1, TEST_T0, TEST_T0 + 1, false);
    id = test_moved(f->j, round, "a.b", 20, 30, "s0", "s1", TEST_T0, TEST_T0 + 70 * SECOND);
    attempt(f, JOURNAL_MIGRATION, id, 1, TEST_T0, TEST_T0 + 500, true);
    assert_query(f, "SELECT group_concat(attempts) FROM migrations", "2,1,1");
    g_autoptr(GArray) all = NULL, one = NULL;
    assert_true(journal_speeds(f->j, 10, &all, &f->err));
    assert_int_equal(all->len, 2);
    const struct journal_speed *s = &g_array_index(all, struct journal_speed, 0);
    assert_true(s[0].ended_at == TEST_T0 + 70 * SECOND && s[0].seconds == 0.5 && s[0].bytes == MIB);
    assert_true(s[1].ended_at == TEST_T0 + 60 * SECOND && s[1].seconds == 2 && s[1].bytes == MIB);
    assert_string_equal(s[0].ns, "a.b");
    assert_string_equal(s[1].from, "s0");
    assert_string_equal(s[1].to, "s1");
    assert_true(journal_speeds(f->j, 1, &one, &f->err));
    assert_int_equal(one->len, 1);
    assert_true(g_array_index(one, struct journal_speed, 0).seconds == 0.5);
}

enum { STEPS = 4 };

/* Steps 1 to 3 are migrations, 4 is a split. */
static void put_plan(struct journal_fixture *f, const char *plan_id, bool *ret_known)
{
    test_step *t[STEPS];
    struct journal_step steps[STEPS];
    for (int i = 0; i < STEPS; i++) {
        t[i] = test_step_new("a.b", 10 * i, 10 * i + 10, "s0", i == STEPS - 1 ? NULL : "s1");
        steps[i] = t[i]->s;
        steps[i].step = (uint32_t)i + 1;
    }
    const struct journal_plan p = {.plan_id = plan_id,
                                   .source = "mongodb://host/",
                                   .policy = "count",
                                   .migrations = 3,
                                   .splits = 1,
                                   .bytes = 3 * MIB,
                                   .expected_seconds = 60,
                                   .approved_at = TEST_T0,
                                   .who = "alice (uid 1000)"};
    assert_true(journal_plan_put(f->j, &p, steps, STEPS, ret_known, &f->err));
    for (int i = 0; i < STEPS; i++)
        test_step_free(t[i]);
}

/* A committed row of that step. */
static void carry_out(struct journal_fixture *f, int64_t round, const char *plan_id, uint32_t step,
                      enum journal_kind kind, enum migration_state end, int64_t at)
{
    g_autoptr(test_step) t =
        test_step_new("a.b", 10 * (step - 1), 10 * step, "s0", kind == JOURNAL_SPLIT ? NULL : "s1");
    int64_t id;
    t->s.step = step;
    assert_true(journal_row_planned(f->j, kind, round, plan_id, &t->s, at, &id, &f->err));
    test_state(f->j, kind, id, MIGRATION_STARTED, at);
    test_state(f->j, kind, id, end, at + 1);
}

static void a_plan_is_kept_and_its_steps_are_marked(void **state)
{
    struct journal_fixture *f = *state;
    bool known, done[STEPS + 1] = {false};
    put_plan(f, "feed", &known);
    assert_false(known);
    put_plan(f, "feed", &known);
    assert_true(known);
    assert_query(f,
                 "SELECT group_concat(step || kind || ifnull(recipient, '-') || ifnull(at_json, '-'))"
                 " FROM plan_steps",
                 "1migrations1-,2migrations1-,3migrations1-,4split-[{\"k\": 35}]");
    int64_t round = test_round(f->j, "feed", TEST_T0);
    carry_out(f, round, "feed", 1, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0);
    carry_out(f, round, "feed", 2, JOURNAL_MIGRATION, MIGRATION_FAILED, TEST_T0);
    carry_out(f, round, "feed", 3, JOURNAL_SPLIT, MIGRATION_COMMITTED,
              TEST_T0); /* too big: split, not moved */
    carry_out(f, round, "feed", 4, JOURNAL_SPLIT, MIGRATION_COMMITTED, TEST_T0);
    assert_true(journal_plan_done(f->j, "feed", done, STEPS, &f->err));
    assert_true(done[1] && !done[2] && !done[3] && done[4]);
    carry_out(f, round, "feed", 2, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0);
    memset(done, 0, sizeof(done));
    assert_true(journal_plan_done(f->j, "feed", done, 2, &f->err)); /* those that the caller has room for */
    assert_true(done[1] && done[2] && !done[4]);
    memset(done, 0, sizeof(done));
    assert_true(journal_plan_done(f->j, "beef", done, STEPS, &f->err));
    assert_false(done[1] || done[2] || done[3] || done[4]);
}

static void plan_totals_span_rounds(void **state)
{
    struct journal_fixture *f = *state;
    bool known;
    struct journal_plan_totals t;
    put_plan(f, "feed", &known);
    assert_true(journal_plan_totals(f->j, "feed", &t, &f->err));
    assert_true(t.migrations == 0 && t.splits == 0 && t.seconds == 0 && t.first_started_at == 0);
    int64_t first = test_round(f->j, "feed", TEST_T0);
    carry_out(f, first, "feed", 1, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0);
    carry_out(f, first, "feed", 4, JOURNAL_SPLIT, MIGRATION_COMMITTED, TEST_T0);
    assert_true(journal_round_end(f->j, first, ROUND_CANCELLED, TEST_T0 + 10 * SECOND, NULL, &f->err));
    int64_t overlap = test_round(f->j, "feed", TEST_T0 + 5 * SECOND);
    assert_true(journal_round_end(f->j, overlap, ROUND_DONE, TEST_T0 + 12 * SECOND, NULL, &f->err));
    int64_t running = test_round(f->j, "feed", TEST_T0 + 100 * SECOND);
    carry_out(f, running, "feed", 2, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0 + 103 * SECOND - 1);
    int64_t other = test_round(f->j, NULL, TEST_T0 + 200 * SECOND);
    assert_true(journal_round_end(f->j, other, ROUND_DONE, TEST_T0 + 300 * SECOND, NULL, &f->err));
    assert_true(journal_plan_totals(f->j, "feed", &t, &f->err));
    assert_int_equal(t.migrations, 2);
    assert_int_equal(t.splits, 1);
    assert_int_equal(t.bytes, 2 * MIB);
    assert_true(t.seconds == 15);
    assert_int_equal(t.first_started_at, TEST_T0);
    assert_true(journal_plan_totals(f->j, "beef", &t, &f->err));
    assert_true(t.migrations == 0 && t.bytes == 0 && t.seconds == 0 && t.first_started_at == 0);
}

static void a_plan_is_closed_and_opened_again(void **state)
{
    struct journal_fixture *f = *state;
    bool known;
    int64_t id;
    put_plan(f, "feed", &known);
    assert_true(journal_plan_close(f->j, "feed", "complete", TEST_T0 + 1, &f->err));
    assert_query(f, "SELECT state || closed_at FROM plans", "complete1795219200001");
    assert_true(journal_plan_close(f->j, "feed", "open", TEST_T0 + 2, &f->err));
    assert_query(f, "SELECT state || ifnull(closed_at, '-') FROM plans", "open-");
    refused(f, journal_plan_close(f->j, "feed", "lost", TEST_T0, &f->err), ERR_DATA, "CHECK");
    refused(f, journal_plan_close(f->j, "beef", "open", TEST_T0, &f->err), ERR_DATA, "no plan 'beef'");
    const struct journal_round r = {.kind = "apply", .plan_id = "beef", .policy = "count", .who = "x"};
    refused(f, journal_round_start(f->j, &r, &id, &f->err), ERR_DATA, "no plan 'beef'");
    g_autoptr(test_step) t = test_step_new("a.b", 0, 1, "s0", "s1");
    int64_t round = test_round(f->j, NULL, TEST_T0);
    refused(f, journal_row_planned(f->j, JOURNAL_MIGRATION, round, "beef", &t->s, 0, &id, &f->err), ERR_DATA,
            "no plan 'beef'");
    refused(f, journal_row_planned(f->j, JOURNAL_MIGRATION, 4711, NULL, &t->s, 0, &id, &f->err), ERR_DATA,
            "FOREIGN KEY");
}

static void open_rows_come_oldest_first(void **state)
{
    struct journal_fixture *f = *state;
    bool known;
    put_plan(f, "feed", &known);
    int64_t round = test_round(f->j, "feed", TEST_T0), id;
    int64_t late = test_row(f->j, round, "a.late", 0, 10, "s0", "s1", TEST_T0 + 9);
    int64_t split = test_row(f->j, round, "a.split", 0, 10, "s0", NULL, TEST_T0 + 5);
    test_moved(f->j, round, "a.done", 0, 10, "s0", "s1", TEST_T0, TEST_T0 + 1);
    g_autoptr(test_step) t = test_step_new("a.planned", 0, 10, "s2", "s3");
    t->s.step = 3;
    t->s.open_max = true;
    assert_true(
        journal_row_planned(f->j, JOURNAL_MIGRATION, round, "feed", &t->s, TEST_T0 + 5, &id, &f->err));
    test_state(f->j, JOURNAL_MIGRATION, late, MIGRATION_STARTED, TEST_T0 + 10);
    test_state(f->j, JOURNAL_MIGRATION, late, MIGRATION_UNKNOWN, TEST_T0 + 11);
    test_state(f->j, JOURNAL_SPLIT, split, MIGRATION_STARTED, TEST_T0 + 6);
    g_autoptr(GPtrArray) rows = NULL;
    assert_true(journal_open_rows(f->j, &rows, &f->err));
    assert_int_equal(rows->len, 3);
    const struct journal_open_row *a = rows->pdata[0], *b = rows->pdata[1], *c = rows->pdata[2];
    assert_true(a->kind == JOURNAL_SPLIT && a->state == MIGRATION_STARTED && a->id == split && a->to == NULL);
    assert_true(a->at->len == 1 && a->started_at == TEST_T0 + 6 && a->plan_id == NULL && a->round == round);
    assert_string_equal(a->ns, "a.split");
    bson_t *middle = test_key(5);
    assert_true(bson_equal(a->at->pdata[0], middle));
    bson_destroy(middle);
    assert_true(b->kind == JOURNAL_MIGRATION && b->state == MIGRATION_PLANNED && b->started_at == 0);
    assert_true(b->step == 3 && b->open_max && b->at == NULL);
    assert_string_equal(b->plan_id, "feed");
    assert_string_equal(b->from, "s2");
    assert_string_equal(b->to, "s3");
    assert_string_equal(b->version, "1|0");
    assert_true(c->state == MIGRATION_UNKNOWN && c->id == late && !c->open_max);
}

static void claimed_by_one_cluster(void **state)
{
    struct journal_fixture *f = *state;
    assert_true(journal_claim(f->j, "", "unknown", TEST_T0, &f->err));
    assert_query(f, "SELECT count(*) FROM cluster", "0");
    assert_true(journal_claim(f->j, "5f3c", "prod", TEST_T0, &f->err));
    assert_true(journal_claim(f->j, "5f3c", "prod", TEST_T0 + 1, &f->err));
    assert_query(f, "SELECT cluster_id || name || claimed_at FROM cluster", "5f3cprod1795219200000");
    assert_true(journal_claim(f->j, "5f3c", "production", TEST_T0 + 1, &f->err));
    assert_query(f, "SELECT cluster_id || name || claimed_at FROM cluster", "5f3cproduction1795219200000");
    bool ok = journal_claim(f->j, "77aa", "staging", TEST_T0, &f->err);
    assert_non_null(strstr(f->err.msg, "'production' (5f3c)"));
    refused(f, ok, ERR_CONFIG, "'staging' (77aa)");
    assert_true(journal_claim(f->j, "", "unknown", TEST_T0, &f->err));
}

static void remembers_the_balancer(void **state)
{
    struct journal_fixture *f = *state;
    char *mode = (char *)"x";
    int64_t at = 7;
    assert_true(journal_balancer_remembered(f->j, &mode, &at, &f->err));
    assert_true(mode == NULL && at == 0);
    assert_true(journal_balancer_remember(f->j, "full", TEST_T0, &f->err));
    assert_true(journal_balancer_remember(f->j, "off", TEST_T0 + 1, &f->err)); /* its own doing */
    assert_true(journal_balancer_remembered(f->j, &mode, &at, &f->err));
    assert_string_equal(mode, "full");
    assert_int_equal(at, TEST_T0);
    g_free(mode);
    assert_true(journal_balancer_forget(f->j, TEST_T0 + 2, &f->err));
    assert_true(journal_balancer_forget(f->j, TEST_T0 + 3, &f->err));
    assert_true(journal_balancer_remembered(f->j, &mode, &at, &f->err));
    assert_null(mode);
    assert_true(journal_balancer_remember(f->j, "autoSplitOnly", TEST_T0 + 4, &f->err));
    assert_query(f, "SELECT group_concat(mode_before || ifnull(restored_at, '-')) FROM builtin_balancer",
                 "full1795219200002,autoSplitOnly-");
}

static void settings_come_and_go(void **state)
{
    struct journal_fixture *f = *state;
    char *value = NULL;
    assert_true(journal_setting_get(f->j, "paused", &value, &f->err));
    assert_null(value);
    assert_true(journal_setting_put(f->j, "paused", "maintenance", TEST_T0, &f->err));
    assert_true(journal_setting_put(f->j, "paused", "longer \xff", TEST_T0, &f->err));
    assert_true(journal_setting_get(f->j, "paused", &value, &f->err));
    assert_string_equal(value, "longer \\xFF");
    g_free(value);
    assert_true(journal_setting_put(f->j, "paused", NULL, TEST_T0, &f->err));
    assert_true(journal_setting_put(f->j, "never", NULL, TEST_T0, &f->err));
    assert_true(journal_setting_get(f->j, "paused", &value, &f->err));
    assert_null(value);
}

static void pruning_takes_what_ended_and_nothing_else(void **state)
{
    struct journal_fixture *f = *state;
    bool known;
    uint32_t n;
    put_plan(f, "feed", &known);
    put_plan(f, "beef", &known);
    put_plan(f, "open", &known);
    int64_t old = test_round(f->j, "feed", TEST_T0);
    carry_out(f, old, "feed", 1, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0 + 1);
    carry_out(f, old, "feed", 4, JOURNAL_SPLIT, MIGRATION_FAILED, TEST_T0 + 1);
    attempt(f, JOURNAL_MIGRATION, 1, 1, TEST_T0, TEST_T0 + 1, true);
    assert_true(journal_event(f->j, TEST_T0 + 1, "x", old, "old", &f->err));
    assert_true(journal_event(f->j, TEST_T0 + 500, "x", old, "young", &f->err));
    int64_t open = test_round(f->j, NULL, TEST_T0);
    test_row(f->j, open, "a.open", 0, 1, "s0", "s1", TEST_T0);
    int64_t late = test_round(f->j, "beef", TEST_T0); /* its row was settled long after it */
    carry_out(f, late, "beef", 1, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0 + 400);
    int64_t young = test_round(f->j, NULL, TEST_T0 + 300);
    test_round(f->j, NULL, TEST_T0); /* still running */
    const int64_t ended[] = {old, open, late};
    for (size_t i = 0; i < G_N_ELEMENTS(ended); i++)
        assert_true(journal_round_end(f->j, ended[i], ROUND_DONE, TEST_T0 + 10, NULL, &f->err));
    assert_true(journal_round_end(f->j, young, ROUND_DONE, TEST_T0 + 310, NULL, &f->err));
    assert_true(journal_plan_close(f->j, "feed", "complete", TEST_T0 + 10, &f->err));
    assert_true(journal_plan_close(f->j, "beef", "abandoned", TEST_T0 + 10, &f->err));
    assert_true(journal_balancer_remember(f->j, "full", TEST_T0, &f->err));
    assert_true(journal_balancer_forget(f->j, TEST_T0 + 1, &f->err));
    assert_true(journal_balancer_remember(f->j, "off", TEST_T0, &f->err));

    assert_true(journal_prune(f->j, TEST_T0 + 10, 0, &n, &f->err));
    assert_int_equal(n, 0); /* nothing ended before that moment */
    assert_true(journal_prune(f->j, TEST_T0 + 300, 0, &n, &f->err));
    assert_int_equal(n, 1);
    assert_query(f, "SELECT group_concat(id) FROM (SELECT id FROM rounds ORDER BY id)", "2,3,4,5");
    assert_query(f, "SELECT group_concat(id) FROM (SELECT id FROM migrations ORDER BY id)", "2,3");
    assert_query(f, "SELECT count(*) FROM splits", "0");
    assert_query(f, "SELECT count(*) FROM attempts", "0");
    assert_query(f, "SELECT group_concat(plan_id) FROM plans", "beef,open");
    assert_query(f, "SELECT count(DISTINCT plan) FROM plan_steps", "2");
    assert_query(f, "SELECT group_concat(text || ifnull(round, '-')) FROM events", "young-");
    assert_query(f, "SELECT group_concat(mode_before) FROM builtin_balancer", "off");
    assert_query(f, "PRAGMA foreign_key_check", "");
    assert_true(journal_prune(f->j, TEST_T0 + 1000, 0, &n, &f->err));
    assert_int_equal(n, 2);
    assert_query(f, "SELECT group_concat(id) FROM (SELECT id FROM rounds ORDER BY id)", "2,5");
    assert_query(f, "SELECT group_concat(plan_id) FROM plans", "open");
    int64_t next = test_round(f->j, NULL, TEST_T0);
    assert_int_equal(next, 6); /* numbers are not given twice */
}

/* The oldest first, so many at a time; plans and events only when no round is left to go. */
static void pruning_in_pieces(void **state)
{
    struct journal_fixture *f = *state;
    uint32_t n;
    for (int i = 0; i < 5; i++) {
        int64_t round = test_round(f->j, NULL, TEST_T0);
        carry_out(f, round, NULL, 1, JOURNAL_MIGRATION, MIGRATION_COMMITTED, TEST_T0 + 1);
        assert_true(journal_round_end(f->j, round, ROUND_DONE, TEST_T0 + 2, NULL, &f->err));
    }
    assert_true(journal_event(f->j, TEST_T0, "x", 0, "old", &f->err));
    static const struct {
        uint32_t gone;
        const char *rounds, *events;
    } steps[] = {{2, "3,4,5", "1"}, {2, "5", "1"}, {1, "", "0"}, {0, "", "0"}};
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        assert_true(journal_prune(f->j, TEST_T0 + 100, 2, &n, &f->err));
        assert_int_equal(n, steps[i].gone);
        assert_query(f, "SELECT ifnull(group_concat(id), '') FROM (SELECT id FROM rounds ORDER BY id)",
                     steps[i].rounds);
        assert_query(f, "SELECT count(*) FROM events", steps[i].events);
    }
    assert_query(f, "SELECT count(*) FROM migrations", "0");
}

static bool on_row(void *data, const struct history_row *row, struct err *err)
{
    (void)row;
    (void)err;
    (*(unsigned *)data)++;
    return true;
}

/* A bound that is over at once ends a long look with a word, and writing goes on. */
static void reads_can_be_bounded(void **state)
{
    struct journal_fixture *f = *state;
    const struct history_filter all = {0};
    unsigned rows = 0;
    int64_t round = test_round(f->j, NULL, TEST_T0);
    for (int i = 0; i < 400; i++)
        test_row(f->j, round, "a.b", i, i + 1, "s0", "s1", TEST_T0);
    journal_bound_reads(f->j, -1);
    assert_false(history_rows(f->j, &all, on_row, &rows, &f->err));
    assert_int_equal(f->err.cls, ERR_RETRY_LATER);
    assert_non_null(strstr(f->err.msg, "takes too long"));
    f->err = (struct err){0};
    journal_bound_reads(f->j, 60000);
    rows = 0;
    assert_true(history_rows(f->j, &all, on_row, &rows, &f->err));
    assert_int_equal(rows, 400);
    journal_bound_reads(f->j, 0);
    assert_true(journal_event(f->j, TEST_T0, "x", 0, "written", &f->err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, journal_setup, journal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(moved_at_asks_for_the_way_back),
        TEST(bytes_since_counts_what_committed),
        TEST(speeds_are_those_of_the_command_that_did_it),
        TEST(a_plan_is_kept_and_its_steps_are_marked),
        TEST(plan_totals_span_rounds),
        TEST(a_plan_is_closed_and_opened_again),
        TEST(open_rows_come_oldest_first),
        TEST(claimed_by_one_cluster),
        TEST(remembers_the_balancer),
        TEST(settings_come_and_go),
        TEST(pruning_takes_what_ended_and_nothing_else),
        TEST(pruning_in_pieces),
        TEST(reads_can_be_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
