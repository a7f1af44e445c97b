// SPDX-License-Identifier: Apache-2.0
/* Random work carried out on a simulated clock: what may never happen is looked for at every start, with
 * walks over all steps that share nothing with the schedule. */
#include "migrations/executor/schedule.h"
#include "tests/support/work_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 120, SHARDS_MAX = 24, STEPS_MAX = 400, COLLECTIONS = 4 };

enum phase { WAITING, RUNNING, DONE, DROPPED };

struct seen {
    const struct work_step *w;
    enum phase phase;
    int64_t ends, not_before;
    bool fails, delays;
};

struct sim {
    uint32_t seed;
    GRand *rand;
    unsigned shards, max_concurrent;
    bool troubles; /* drops, delays, occupied shards */
    work *w[2];
    schedule *s;
    struct seen steps[2 * STEPS_MAX];
    size_t n;
    int64_t now;
    int occupied; /* a shard's number, -1: none */
    unsigned dropped, delayed, overlapped;
};

static const char *shard_name(int n)
{
    return g_intern_string(((char[]){'s', (char)('a' + n), 0}));
}

/* Ranges lie far apart, or over one another, as the seed has it. */
static work *random_work(struct sim *sim, bool disjoint)
{
    work *w = work_make();
    const int n = g_rand_int_range(sim->rand, disjoint ? STEPS_MAX / 4 : 1, STEPS_MAX),
              width = disjoint ? n : g_rand_int_range(sim->rand, 5, 200);
    const int hot = g_rand_int_range(sim->rand, 0, 3); /* 0: no shard is hot */
    for (int i = 0; i < n; i++) {
        const int from = hot > 0 && g_rand_int_range(sim->rand, 0, 3) < hot
                             ? 0
                             : g_rand_int_range(sim->rand, 0, (int)sim->shards);
        const int to = (from + g_rand_int_range(sim->rand, 1, (int)sim->shards)) % (int)sim->shards;
        const int min = disjoint ? i * 10 : g_rand_int_range(sim->rand, 0, width) * 10;
        const int max = disjoint ? min + 10 : min + g_rand_int_range(sim->rand, 1, 60);
        char ns[8];
        g_snprintf(ns, sizeof(ns), "db.c%d", g_rand_int_range(sim->rand, 0, COLLECTIONS));
        if (!disjoint && g_rand_int_range(sim->rand, 0, 6) == 0)
            work_make_split(w, ns, min, max, shard_name(from), min + 1);
        else
            work_make_move(w, ns, min, max, shard_name(from), shard_name(to),
                           g_rand_int_range(sim->rand, 0, 100));
    }
    return w;
}

static bool overlap(const struct work_step *a, const struct work_step *b)
{
    return strcmp(a->coll->ns, b->coll->ns) == 0 && g_bytes_compare(a->enc_min, b->enc_max) < 0 &&
           g_bytes_compare(b->enc_min, a->enc_max) < 0;
}

static bool uses(const struct work_step *w, const char *shard)
{
    return strcmp(w->from, shard) == 0 || (w->to != NULL && strcmp(w->to, shard) == 0);
}

static bool share(const struct work_step *a, const struct work_step *b)
{
    return uses(a, b->from) || (b->to != NULL && uses(a, b->to));
}

/* What keeps step `n` from starting now; NULL: nothing. */
static const char *kept_by(const struct sim *sim, size_t n)
{
    unsigned running = 0;
    if (sim->steps[n].not_before > sim->now)
        return "its time";
    if (sim->occupied >= 0 && uses(sim->steps[n].w, shard_name(sim->occupied)))
        return "an occupied shard";
    for (size_t i = 0; i < sim->n; i++) {
        const struct seen *o = &sim->steps[i];
        running += o->phase == RUNNING ? 1 : 0;
        if (i != n && o->phase == RUNNING && share(o->w, sim->steps[n].w))
            return "a shard in use";
        if (i < n && o->phase <= RUNNING && overlap(o->w, sim->steps[n].w))
            return "a range below it";
    }
    return sim->max_concurrent > 0 && running >= sim->max_concurrent ? "the limit" : NULL;
}

#define CHECK(sim, is, ...)                                                                                  \
    do {                                                                                                     \
        if (!(is)) {                                                                                         \
            print_error("seed %u, time %lld: ", (sim)->seed, (long long)(sim)->now);                         \
            fail_msg(__VA_ARGS__);                                                                           \
        }                                                                                                    \
    } while (0)

/* Steps that rest on `n` itself: none of them may be waiting still. */
static void check_nothing_rests(const struct sim *sim, size_t n)
{
    for (size_t k = n + 1; k < sim->n; k++)
        CHECK(sim, sim->steps[k].phase != WAITING || !overlap(sim->steps[n].w, sim->steps[k].w),
              "step %zu rests on %zu and is not dropped", k, n);
}

static void take_dropped(struct sim *sim, const GArray *dropped)
{
    for (guint i = 0; i < dropped->len; i++) {
        const size_t n = g_array_index(dropped, size_t, i);
        CHECK(sim, n < sim->n && sim->steps[n].phase == WAITING, "step %zu dropped out of turn", n);
        sim->steps[n].phase = DROPPED;
        sim->dropped++;
    }
    for (guint i = 0; i < dropped->len; i++)
        check_nothing_rests(sim, g_array_index(dropped, size_t, i));
}

static void end_step(struct sim *sim, size_t n)
{
    struct seen *st = &sim->steps[n];
    g_autoptr(GArray) dropped = g_array_new(FALSE, FALSE, sizeof(size_t));
    if (st->delays) {
        st->delays = false;
        st->phase = WAITING;
        st->not_before = sim->now + g_rand_int_range(sim->rand, 0, 50);
        sim->delayed++;
        schedule_delay(sim->s, n, st->not_before);
    } else if (st->fails) {
        st->phase = DROPPED;
        schedule_dropped(sim->s, n, dropped);
        const guint told = dropped->len;
        take_dropped(sim, dropped);
        sim->overlapped += told > 0 ? 1 : 0;
        check_nothing_rests(sim, n);
    } else {
        st->phase = DONE;
        schedule_done(sim->s, n);
    }
}

/* Now and then something from outside. */
static void disturb(struct sim *sim)
{
    g_autoptr(GArray) dropped = g_array_new(FALSE, FALSE, sizeof(size_t));
    const int what = g_rand_int_range(sim->rand, 0, 150);
    if (what == 0) {
        schedule_drop(sim->s, "db.c1", NULL, dropped);
        take_dropped(sim, dropped);
        for (size_t i = 0; i < sim->n; i++)
            CHECK(sim, sim->steps[i].phase != WAITING || strcmp(sim->steps[i].w->coll->ns, "db.c1") != 0,
                  "step %zu of a dropped collection waits", i);
    } else if (what == 1) {
        schedule_drop(sim->s, NULL, "sb", dropped);
        take_dropped(sim, dropped);
    } else if (what < 10 && sim->occupied < 0) {
        sim->occupied = g_rand_int_range(sim->rand, 0, (int)sim->shards);
        schedule_occupy(sim->s, shard_name(sim->occupied));
    } else if (what < 40 && sim->occupied >= 0) {
        schedule_release(sim->s, shard_name(sim->occupied));
        sim->occupied = -1;
    }
}

static void start_all(struct sim *sim, int64_t fixed, int64_t *ret_wait)
{
    long n;
    while ((n = schedule_next(sim->s, sim->now, ret_wait)) != SCHEDULE_NONE) {
        struct seen *st = &sim->steps[n];
        CHECK(sim, (size_t)n < sim->n && st->phase == WAITING, "step %ld started twice", n);
        const char *kept = kept_by(sim, (size_t)n);
        CHECK(sim, kept == NULL, "step %ld started in spite of %s", n, kept);
        st->phase = RUNNING;
        st->ends = sim->now + (fixed > 0 ? fixed : g_rand_int_range(sim->rand, 1, 60));
        st->fails = sim->troubles && g_rand_int_range(sim->rand, 0, 20) == 0;
        st->delays = sim->troubles && g_rand_int_range(sim->rand, 0, 10) == 0;
    }
    for (size_t i = 0; i < sim->n; i++)
        CHECK(sim, sim->steps[i].phase != WAITING || kept_by(sim, i) != NULL,
              "step %zu could start and does not", i);
}

/* To the next end, or the next time that a step waits for. False: there is nothing to wait for. */
static bool let_time_pass(struct sim *sim, int64_t wait)
{
    int64_t next = wait >= 0 ? sim->now + MAX(wait, 1) : INT64_MAX;
    for (size_t i = 0; i < sim->n; i++)
        if (sim->steps[i].phase == RUNNING)
            next = MIN(next, sim->steps[i].ends);
    if (next == INT64_MAX)
        return false;
    sim->now = next;
    for (size_t i = 0; i < sim->n; i++)
        if (sim->steps[i].phase == RUNNING && sim->steps[i].ends <= sim->now)
            end_step(sim, i);
    return true;
}

static void add_work(struct sim *sim, unsigned which, bool disjoint)
{
    sim->w[which] = random_work(sim, disjoint);
    const size_t first = schedule_add(sim->s, sim->w[which], NULL);
    CHECK(sim, first == sim->n, "numbers are not dense");
    for (guint i = 0; i < sim->w[which]->steps->len; i++)
        sim->steps[sim->n++] = (struct seen){.w = sim->w[which]->steps->pdata[i]};
}

static void sim_init(struct sim *sim, uint32_t seed, bool troubles, bool equal)
{
    *sim =
        (struct sim){.seed = seed, .rand = g_rand_new_with_seed(seed), .troubles = troubles, .occupied = -1};
    sim->shards = (unsigned)g_rand_int_range(sim->rand, 2, SHARDS_MAX);
    sim->max_concurrent = g_rand_boolean(sim->rand) ? 0 : (unsigned)g_rand_int_range(sim->rand, 1, 10);
    const struct schedule_options opt = {sim->max_concurrent, 1, equal ? 0 : 0.01};
    sim->s = schedule_new(&opt);
}

static void sim_clear(struct sim *sim)
{
    schedule_free(sim->s);
    work_free(sim->w[0]);
    work_free(sim->w[1]);
    g_rand_free(sim->rand);
}

static void run(struct sim *sim, int64_t fixed)
{
    for (bool second = !sim->troubles;;) {
        int64_t wait;
        if (!second && g_rand_int_range(sim->rand, 0, 20) == 0) {
            add_work(sim, 1, false);
            second = true;
        }
        if (sim->troubles)
            disturb(sim);
        start_all(sim, fixed, &wait);
        if (let_time_pass(sim, wait))
            continue;
        if (schedule_waiting(sim->s) == 0 && second)
            break;
        CHECK(sim, sim->occupied >= 0 || !second, "%zu steps wait for nothing", schedule_waiting(sim->s));
        sim->now++;
    }
    for (size_t i = 0; i < sim->n; i++)
        CHECK(sim, sim->steps[i].phase >= DONE, "step %zu never ended", i);
    CHECK(sim, schedule_running(sim->s) == 0 && schedule_remaining_seconds(sim->s) == 0, "something is left");
}

/* Whatever happens, nothing that must not. */
static void test_rules(void **state)
{
    unsigned dropped = 0, delayed = 0, overlapped = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct sim sim;
        sim_init(&sim, seed, seed % 4 != 0, false);
        add_work(&sim, 0, false);
        run(&sim, 0);
        dropped += sim.dropped;
        delayed += sim.delayed;
        overlapped += sim.overlapped;
        sim_clear(&sim);
    }
    assert_true(dropped > SEEDS && delayed > SEEDS && overlapped > SEEDS / 4);
}

/* Equal durations, no range twice: not much longer than what no order can beat. */
static void test_makespan(void **state)
{
    double worst = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct sim sim;
        unsigned load[SHARDS_MAX] = {0}, longest = 0;
        sim_init(&sim, seed, false, true);
        add_work(&sim, 0, true);
        for (size_t i = 0; i < sim.n; i++)
            for (unsigned k = 0; k < sim.shards; k++)
                load[k] += uses(sim.steps[i].w, shard_name((int)k)) ? 1 : 0;
        for (unsigned k = 0; k < sim.shards; k++)
            longest = MAX(longest, load[k]);
        run(&sim, 10);
        const unsigned pairs = sim.shards / 2;
        const unsigned at_once = sim.max_concurrent == 0 ? pairs : MIN(sim.max_concurrent, pairs);
        const double bound = 10 * MAX((double)longest, (double)sim.n / at_once);
        worst = MAX(worst, (double)sim.now / bound);
        CHECK(&sim, (double)sim.now <= 1.3 * bound, "%zu steps on %u shards took %lld, bound %g", sim.n,
              sim.shards, (long long)sim.now, bound);
        sim_clear(&sim);
    }
    print_message("longest against its bound: %.3f\n", worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_makespan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
