// SPDX-License-Identifier: Apache-2.0
/* Random moves in virtual time: the order is the executor's own, move by move; what may never happen is
 * looked for at every start; and nothing waits that could go. */
#include "balancer/plan/simulate.h"
#include "migrations/executor/schedule.h"
#include "tests/support/work_make.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 300, SHARDS_MAX = 30, MOVES_MAX = 400, BIG_MOVES = 200000, BIG_SHARDS = 100 };

struct scene {
    guint32 seed;
    GRand *rand;
    uint32_t shards, n;
    struct sim_move moves[MOVES_MAX];
    double starts[MOVES_MAX];
    struct sim_limits limits;
    struct sim_span spans[50];
};

#define CHECK(scene, is, ...)                                                                                \
    do {                                                                                                     \
        if (!(is)) {                                                                                         \
            print_error("seed %u: ", (scene)->seed);                                                         \
            fail_msg(__VA_ARGS__);                                                                           \
        }                                                                                                    \
    } while (0)

/* Whole seconds, so that ends fall together; some shards are hot. */
static void make_scene(struct scene *c, guint32 seed)
{
    *c = (struct scene){.seed = seed, .rand = g_rand_new_with_seed(seed)};
    c->shards = (uint32_t)g_rand_int_range(c->rand, 2, SHARDS_MAX + 1);
    c->n = (uint32_t)g_rand_int_range(c->rand, 1, MOVES_MAX + 1);
    const int hot = g_rand_int_range(c->rand, 0, 3), longest = g_rand_int_range(c->rand, 1, 100);
    for (uint32_t i = 0; i < c->n; i++) {
        const int from = hot > 0 && g_rand_int_range(c->rand, 0, 3) < hot
                             ? 0
                             : g_rand_int_range(c->rand, 0, (int)c->shards);
        const int to = (from + g_rand_int_range(c->rand, 1, (int)c->shards)) % (int)c->shards;
        const int seconds = g_rand_int_range(c->rand, 1, longest + 1);
        c->moves[i] = (struct sim_move){.from = (uint16_t)from,
                                        .to = (uint16_t)to,
                                        .round = i,
                                        .after = SIM_NONE,
                                        .seconds = seconds,
                                        .bytes = seconds};
    }
    if (g_rand_boolean(c->rand))
        c->limits.max_concurrent = (uint32_t)g_rand_int_range(c->rand, 1, 8);
}

static void add_chains(struct scene *c)
{
    for (uint32_t i = 1; i < c->n; i++)
        if (g_rand_int_range(c->rand, 0, 4) == 0)
            c->moves[i].after = (uint32_t)g_rand_int_range(c->rand, 0, (gint32)i);
}

static void add_limits(struct scene *c)
{
    c->limits.start_ms = INT64_C(1700000000000);
    if (g_rand_boolean(c->rand))
        c->limits.max_bytes_per_hour = g_rand_int_range(c->rand, 50, 2000);
    if (g_rand_boolean(c->rand))
        return;
    int64_t at = c->limits.start_ms - g_rand_int_range(c->rand, 0, 100) * 1000;
    for (; c->limits.n_open < G_N_ELEMENTS(c->spans); c->limits.n_open++) {
        const int64_t from = at + g_rand_int_range(c->rand, 1, 1000) * 1000;
        at = from + g_rand_int_range(c->rand, 10, 2000) * 1000;
        c->spans[c->limits.n_open] = (struct sim_span){from, at};
    }
    c->limits.open = c->spans;
}

static void clear_scene(struct scene *c)
{
    g_rand_free(c->rand);
}

/* --- the executor's own order --- */

static const char *shard_name(uint32_t n)
{
    char name[16];
    g_snprintf(name, sizeof name, "s%u", n);
    return g_intern_string(name);
}

/* Starts of each on the executor's schedule, everything taking what was expected. */
static double executed(const struct scene *c, double *starts)
{
    g_autoptr(work) w = work_make();
    for (uint32_t i = 0; i < c->n; i++)
        work_make_move(w, "db.c", (int)i * 10, (int)i * 10 + 10, shard_name(c->moves[i].from),
                       shard_name(c->moves[i].to), c->moves[i].bytes);
    const struct schedule_options opt = {.max_concurrent = c->limits.max_concurrent, .seconds_per_byte = 1};
    g_autoptr(schedule) s = schedule_new(&opt);
    schedule_add(s, w, NULL);
    bool running[MOVES_MAX] = {0};
    double now = 0;
    for (;;) {
        int64_t wait;
        for (long n; (n = schedule_next(s, 0, &wait)) != SCHEDULE_NONE;) {
            running[n] = true;
            starts[n] = now;
        }
        double next = HUGE_VAL;
        for (uint32_t i = 0; i < c->n; i++)
            if (running[i])
                next = MIN(next, starts[i] + c->moves[i].seconds);
        if (next == HUGE_VAL)
            return now;
        now = next;
        for (uint32_t i = 0; i < c->n; i++)
            if (running[i] && starts[i] + c->moves[i].seconds <= now) {
                running[i] = false;
                schedule_done(s, i);
            }
    }
}

static void test_as_the_executor(void **state)
{
    (void)state;
    for (guint32 seed = 1; seed <= SEEDS; seed++) {
        struct scene c;
        double starts[MOVES_MAX];
        make_scene(&c, seed);
        g_autoptr(sim) s = sim_new(c.moves, c.n);
        const struct sim_end end = sim_run(s, &c.limits, NULL, c.starts);
        const double want = executed(&c, starts);
        for (uint32_t i = 0; i < c.n; i++)
            CHECK(&c, fabs(starts[i] - c.starts[i]) < 1e-6, "move %u starts %.1f, executed %.1f", i,
                  c.starts[i], starts[i]);
        CHECK(&c, fabs(end.seconds - want) < 1e-6, "ends %.1f, executed %.1f", end.seconds, want);
        clear_scene(&c);
    }
}

/* --- what always holds --- */

static double open_until(const struct scene *c, double at)
{
    if (c->limits.open == NULL)
        return HUGE_VAL;
    for (size_t i = 0; i < c->limits.n_open; i++) {
        const double from = (double)(c->spans[i].from - c->limits.start_ms) / 1000,
                     to = (double)(c->spans[i].to - c->limits.start_ms) / 1000;
        if (at >= from - 1e-6 && at < to)
            return to;
    }
    return -1;
}

static bool at_work(const struct scene *c, uint32_t i, double at)
{
    return c->starts[i] >= 0 && c->starts[i] <= at + 1e-6 && at < c->starts[i] + c->moves[i].seconds - 1e-6;
}

/* What move `i` had around it when it started. */
static void check_start(const struct scene *c, uint32_t i)
{
    const struct sim_move *m = &c->moves[i];
    const double at = c->starts[i];
    uint32_t running = 0;
    int64_t bytes = 0;
    for (uint32_t k = 0; k < c->n; k++) {
        const struct sim_move *o = &c->moves[k];
        const double ended = c->starts[k] + o->seconds;
        const bool shares = o->from == m->from || o->from == m->to || o->to == m->from || o->to == m->to;
        CHECK(c, k == i || !shares || !at_work(c, k, at), "%u and %u at once", i, k);
        running += at_work(c, k, at);
        if (k != i && c->starts[k] >= 0 &&
            (at_work(c, k, at) ? c->starts[k] < at || k < i : ended <= at + 1e-6 && ended + 3600 > at + 1e-6))
            bytes += o->bytes;
    }
    CHECK(c, c->limits.max_concurrent == 0 || running <= c->limits.max_concurrent, "%u at once", running);
    CHECK(c,
          m->after == SIM_NONE ||
              (c->starts[m->after] >= 0 && c->starts[m->after] + c->moves[m->after].seconds <= at + 1e-6),
          "%u before %u", i, m->after);
    CHECK(c, at + m->seconds <= open_until(c, at) + 1e-6, "%u outside a window, at %.1f", i, at);
    CHECK(c,
          c->limits.max_bytes_per_hour == 0 || bytes == 0 || running > 1 ||
              bytes + m->bytes <= c->limits.max_bytes_per_hour,
          "%u over the limit by the hour at %.1f: %lld", i, at, (long long)(bytes + m->bytes));
}

static void test_rules(void **state)
{
    (void)state;
    uint32_t left = 0, all = 0;
    for (guint32 seed = 1; seed <= SEEDS; seed++) {
        struct scene c;
        make_scene(&c, seed);
        add_chains(&c);
        add_limits(&c);
        g_autoptr(sim) s = sim_new(c.moves, c.n);
        const struct sim_end end = sim_run(s, &c.limits, NULL, c.starts);
        uint32_t never = 0;
        double last = 0;
        for (uint32_t i = 0; i < c.n; i++) {
            if (c.starts[i] < 0) {
                never++;
                continue;
            }
            check_start(&c, i);
            last = MAX(last, c.starts[i] + c.moves[i].seconds);
        }
        CHECK(&c, never == end.left, "%u never, %u left", never, end.left);
        CHECK(&c, fabs(last - end.seconds) < 1e-6, "ends %.1f, not %.1f", last, end.seconds);
        CHECK(&c, end.left == 0 || c.limits.open != NULL, "%u left without windows", end.left);
        const double bound = sim_lower_bound(s, c.limits.max_concurrent);
        CHECK(&c, end.left > 0 || end.seconds >= bound - 1e-6, "ends %.1f, bound %.1f", end.seconds, bound);
        left += end.left;
        all += c.n;
        clear_scene(&c);
    }
    print_message("%u moves, %u of them never in a window\n", all, left);
}

/* Greedy: with nothing to wait for but shards, at most twice the bound; on average far nearer. */
static void test_near_the_bound(void **state)
{
    (void)state;
    double worst = 0, sum = 0;
    for (guint32 seed = 1; seed <= SEEDS; seed++) {
        struct scene c;
        make_scene(&c, seed);
        c.limits.max_concurrent = 0;
        g_autoptr(sim) s = sim_new(c.moves, c.n);
        const double ratio = sim_run(s, NULL, NULL, NULL).seconds / sim_lower_bound(s, 0);
        const double rounds = sim_run_rounds(s, NULL, NULL, 0).seconds;
        CHECK(&c, ratio >= 1 - 1e-9 && ratio <= 2, "%.3f times the bound", ratio);
        CHECK(&c, rounds >= sim_lower_bound(s, 0) - 1e-6, "rounds %.1f below the bound", rounds);
        worst = MAX(worst, ratio);
        sum += ratio;
        clear_scene(&c);
    }
    print_message("times the lower bound: %.3f on average, %.3f at worst\n", sum / SEEDS, worst);
    assert_true(sum / SEEDS < 1.1);
}

/* The same seed, the same end; all twice as slow, twice as long, window or not. */
static void test_luck(void **state)
{
    (void)state;
    const double spread[] = {0.2, 0.8, 0.9, 1, 1.1, 1.5, 3};
    for (guint32 seed = 1; seed <= SEEDS; seed++) {
        struct scene c;
        make_scene(&c, seed);
        add_chains(&c);
        struct sim_luck luck = {.seed = seed,
                                .spread = spread,
                                .n_spread = G_N_ELEMENTS(spread),
                                .straggler_share = 0.05,
                                .straggler_factor = 6};
        g_autoptr(sim) s = sim_new(c.moves, c.n), again = sim_new(c.moves, c.n);
        const double once = sim_run(s, &c.limits, &luck, NULL).seconds;
        CHECK(&c, sim_run(again, &c.limits, &luck, NULL).seconds == once, "not the same again");
        CHECK(&c, sim_run(s, &c.limits, &luck, NULL).seconds == once,
              "the first run leaves something behind");
        luck.common = 2;
        CHECK(&c, fabs(sim_run(s, &c.limits, &luck, NULL).seconds - 2 * once) < 1e-3, "not twice");
        clear_scene(&c);
    }
}

/* As many moves as a large cluster has: told, not judged. */
static void test_big(void **state)
{
    (void)state;
    g_autofree struct sim_move *moves = g_new0(struct sim_move, BIG_MOVES);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    for (uint32_t i = 0; i < BIG_MOVES; i++) {
        const int from = g_rand_int_range(rand, 0, BIG_SHARDS / 2);
        moves[i] = (struct sim_move){.from = (uint16_t)from,
                                     .to = (uint16_t)g_rand_int_range(rand, BIG_SHARDS / 2, BIG_SHARDS),
                                     .round = i / (BIG_SHARDS / 2),
                                     .after = SIM_NONE,
                                     .seconds = 1 + g_rand_double(rand),
                                     .bytes = 1 << 20};
    }
    static const struct sim_limits kinds[] = {
        {0}, {.max_concurrent = 4}, {.max_bytes_per_hour = INT64_C(1) << 40}};
    static const char *const names[] = {"free", "4 at a time", "a limit by the hour"};
    g_autoptr(sim) s = sim_new(moves, BIG_MOVES);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const gint64 began = g_get_monotonic_time();
        const struct sim_end end = sim_run(s, &kinds[i], NULL, NULL);
        print_message(
            "%u moves on %u shards, %s: %.0f s in virtual time, %.3f of the bound, simulated in %.0f ms\n",
            BIG_MOVES, BIG_SHARDS, names[i], end.seconds,
            end.seconds / sim_lower_bound(s, kinds[i].max_concurrent),
            (double)(g_get_monotonic_time() - began) / 1000);
        assert_int_equal(end.left, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_the_executor), cmocka_unit_test(test_rules),
                                       cmocka_unit_test(test_near_the_bound), cmocka_unit_test(test_luck),
                                       cmocka_unit_test(test_big)};
    return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
