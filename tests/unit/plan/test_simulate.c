// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/simulate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOVES_MAX = 32, SPANS_MAX = 4 };

/* "a>b 10" takes 10 s; "a>b 10 5" and moves 5 bytes; "a>b 10 5 0" after the first; "|" begins a round. */
static uint32_t read_moves(const char *text, struct sim_move *moves)
{
    uint32_t n = 0, round = 1;
    g_auto(GStrv) parts = g_strsplit(text, ";", -1);
    for (char **p = parts; *p != NULL && g_strstrip(*p)[0] != '\0'; p++) {
        if (strcmp(*p, "|") == 0) {
            round++;
            continue;
        }
        g_auto(GStrv) words = g_strsplit(*p, " ", -1);
        const guint len = g_strv_length(words);
        moves[n++] = (struct sim_move){
            .from = (uint16_t)(words[0][0] - 'a'),
            .to = (uint16_t)(words[0][2] - 'a'),
            .round = round,
            .seconds = g_ascii_strtod(words[1], NULL),
            .bytes = len > 2 ? g_ascii_strtoll(words[2], NULL, 10) : 0,
            .after = len > 3 ? (uint32_t)g_ascii_strtoull(words[3], NULL, 10) : SIM_NONE,
        };
    }
    return n;
}

struct row {
    const char *name, *moves;
    const char *starts; /* seconds, or "-": never */
    double end, bound;
    uint32_t max_concurrent;
    int64_t per_hour;
    struct sim_span open[SPANS_MAX]; /* in seconds here, from 0 */
    double barrier;                  /* the end in rounds, a pause of 1 s between; 0: not looked at */
    uint32_t left, barrier_left;
};

static const struct row rows[] = {
    {"nothing", "", "", 0, 0},
    {"one", "a>b 10", "0", 10, 10, .barrier = 10},
    {"two of the same shards", "a>b 10; a>b 5", "0 10", 15, 15, .barrier = 15},
    {"two apart", "a>b 10; c>d 5", "0 0", 10, 10, .barrier = 10},
    {"a chain of shards", "a>b 10; b>c 10; c>d 10; d>e 10", "0 10 0 10", 20, 20},
    {"the longest shard first, not the first move", "a>b 1; a>c 1; c>d 10; c>e 10", "1 0 1 11", 21, 21},
    {"barrier and pauses", "a>b 10; c>d 60; |; a>b 10; c>d 1; |; a>b 10", "0 0 10 60 20", 61, 61,
     .barrier = 82},
    {"one at a time", "a>b 10; c>d 5; e>f 1", "0 10 15", 16, 16, .max_concurrent = 1},
    {"two at a time", "a>b 10; c>d 5; e>f 1; g>h 7", "0 7 10 0", 12, 11.5, .max_concurrent = 2},
    {"pieces of one chunk", "a>b 10 0; a>c 5 0 0; d>c 8 0", "0 10 0", 15, 15},
    {"in order, though the other shard is free", "a>b 10 0; c>d 5 0 0", "0 10", 15, 15},
    {"waits for room in the hour", "a>b 10 60; a>b 10 60", "0 3610", 3620, 20, .per_hour = 100},
    {"under way counts", "a>b 10 60; c>d 10 60", "0 3610", 3620, 10, .per_hour = 100},
    {"too big goes alone", "a>b 10 500; c>d 10 60", "0 3610", 3620, 10, .per_hour = 100},
    {"what is an hour old is forgotten", "a>b 10 60; a>b 4000 40; a>b 10 60", "0 10 4010", 4020, 4020,
     .per_hour = 100},
    {"inside the window", "a>b 10; a>b 10; a>b 10", "0 10 20", 30, 30, .open = {{0, 30}}},
    {"across a close", "a>b 10; a>b 10; a>b 10", "0 10 100", 110, 30, .open = {{0, 29}, {100, 200}},
     .barrier = 30},
    {"the short one still fits", "a>b 10; a>b 10; a>b 3", "0 100 10", 110, 23, .open = {{0, 15}, {100, 200}}},
    {"closed at the beginning", "a>b 10", "50", 60, 10, .open = {{50, 90}}, .barrier = 60},
    {"already open", "a>b 10", "0", 10, 10, .open = {{-100, 90}}},
    {"no window is long enough", "a>b 50; c>d 5", "- 0", 5, 50, .open = {{0, 20}, {30, 60}}, .left = 1,
     .barrier = 50},
    {"windows are over", "a>b 10; |; a>b 10; |; a>b 10", "0 30 -", 40, 30, .open = {{0, 11}, {30, 41}},
     .left = 1, .barrier = 40, .barrier_left = 1},
    {"never open", "a>b 10", "-", 0, 10, .open = {{-100, -50}}, .left = 1},
    {"window and limit by the hour", "a>b 10 60; a>b 10 60", "0 3700", 3710, 20, .per_hour = 100,
     .open = {{0, 1000}, {3700, 9000}}},
};

static struct sim_limits limits_of(const struct row *row, struct sim_span *spans)
{
    struct sim_limits l = {.max_concurrent = row->max_concurrent,
                           .max_bytes_per_hour = row->per_hour,
                           .start_ms = INT64_C(1700000000000)};
    for (; l.n_open < SPANS_MAX && row->open[l.n_open].to != 0; l.n_open++) {
        spans[l.n_open].from = l.start_ms + row->open[l.n_open].from * 1000;
        spans[l.n_open].to = l.start_ms + row->open[l.n_open].to * 1000;
    }
    l.open = l.n_open > 0 ? spans : NULL;
    return l;
}

static char *starts_text(const double *starts, uint32_t n)
{
    GString *out = g_string_new(NULL);
    for (uint32_t i = 0; i < n; i++)
        g_string_append_printf(out, starts[i] < 0 ? "%s-" : "%s%.0f", i > 0 ? " " : "", starts[i]);
    return g_string_free(out, FALSE);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        struct sim_move moves[MOVES_MAX];
        struct sim_span spans[SPANS_MAX];
        double starts[MOVES_MAX];
        const uint32_t n = read_moves(row->moves, moves);
        const struct sim_limits l = limits_of(row, spans);
        g_autoptr(sim) s = sim_new(moves, n);
        const struct sim_end end = sim_run(s, &l, NULL, starts);
        g_autofree char *got = starts_text(starts, n);
        if (strcmp(got, row->starts) != 0 || fabs(end.seconds - row->end) > 1e-6 || end.left != row->left)
            fail_msg("%s: %s, end %.3f, %u left", row->name, got, end.seconds, end.left);
        const double bound = sim_lower_bound(s, row->max_concurrent);
        if (fabs(bound - row->bound) > 1e-6)
            fail_msg("%s: bound %.3f", row->name, bound);
        const struct sim_end barrier = sim_run_rounds(s, &l, NULL, 1);
        if (row->barrier > 0 &&
            (fabs(barrier.seconds - row->barrier) > 1e-6 || barrier.left != row->barrier_left))
            fail_msg("%s: with barriers %.3f, %u left", row->name, barrier.seconds, barrier.left);
    }
}

/* A table of quantiles is drawn from evenly; the same seed, the same luck, also in rounds. */
static void test_luck(void **state)
{
    (void)state;
    enum { N = 20000 };
    const double spread[] = {0.5, 1, 1.5};
    g_autofree struct sim_move *moves = g_new0(struct sim_move, N);
    for (uint32_t i = 0; i < N; i++)
        moves[i] = (struct sim_move){.from = 0, .to = 1, .round = i, .seconds = 1, .after = SIM_NONE};
    g_autoptr(sim) s = sim_new(moves, N);
    struct sim_luck luck = {.seed = 5, .spread = spread, .n_spread = 3};
    const double once = sim_run(s, NULL, &luck, NULL).seconds;
    assert_true(fabs(once / N - 1) < 0.01);
    assert_true(sim_run(s, NULL, &luck, NULL).seconds == once);
    assert_true(fabs(sim_run_rounds(s, NULL, &luck, 0).seconds / once - 1) < 1e-9);
    luck.seed = 6;
    const double other = sim_run(s, NULL, &luck, NULL).seconds;
    assert_true(other != once && fabs(other / once - 1) < 0.02);
    luck.common = 2;
    assert_true(fabs(sim_run(s, NULL, &luck, NULL).seconds / other - 2) < 1e-9);
    luck = (struct sim_luck){.seed = 5, .straggler_share = 0.05, .straggler_factor = 6};
    assert_true(fabs(sim_run(s, NULL, &luck, NULL).seconds / N - 1.25) < 0.03);
}

/* One straggler holds up a whole round with a barrier, and without one only its own shards. */
static void test_straggler(void **state)
{
    (void)state;
    enum { PAIRS = 10, ROUNDS = 40 };
    struct sim_move moves[PAIRS * ROUNDS];
    for (uint32_t i = 0; i < PAIRS * ROUNDS; i++)
        moves[i] = (struct sim_move){.from = (uint16_t)(i % PAIRS),
                                     .to = (uint16_t)(PAIRS + i % PAIRS),
                                     .round = i / PAIRS,
                                     .seconds = 10,
                                     .after = SIM_NONE};
    g_autoptr(sim) s = sim_new(moves, PAIRS * ROUNDS);
    const struct sim_luck luck = {.seed = 3, .straggler_share = 0.05, .straggler_factor = 6};
    const double ours = sim_run(s, NULL, &luck, NULL).seconds;
    const double theirs = sim_run_rounds(s, NULL, &luck, 1).seconds;
    assert_true(theirs > 1.5 * ours);
}

/* Years a move, a million moves: nothing overflows. */
static void test_hostile_times(void **state)
{
    (void)state;
    enum { N = 1000000 };
    g_autofree struct sim_move *moves = g_new0(struct sim_move, N);
    for (uint32_t i = 0; i < N; i++)
        moves[i] = (struct sim_move){.from = 0, .to = 1, .round = i, .seconds = 1e8, .after = SIM_NONE};
    g_autoptr(sim) s = sim_new(moves, N);
    assert_true(fabs(sim_run(s, NULL, NULL, NULL).seconds / (1e8 * N) - 1) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_luck),
                                       cmocka_unit_test(test_straggler),
                                       cmocka_unit_test(test_hostile_times)};
    return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
