// SPDX-License-Identifier: Apache-2.0
/* How well the end of a run is told from its first 5 %: whole runs in virtual time on clusters whose speeds
 * nobody told the program; what had ended by then is measured, the model is fitted to it as the service does,
 * and the rest is simulated by that model. */
#include "balancer/plan/estimate.h"
#include "balancer/plan/simulate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RUNS = 200, SHARDS_MAX = 20, MOVES_MAX = 3000, COLLECTIONS = 6, QUANTILES = 65 };
static const double FIRST = 0.05, WITHIN = 0.20;

struct world {
    guint32 seed;
    GRand *rand;
    uint16_t shards;
    uint32_t n;
    struct sim_move moves[MOVES_MAX];
    uint32_t coll[MOVES_MAX];
    double starts[MOVES_MAX];
    double spread[QUANTILES];
    struct sim_luck luck;
    double end;
};

static double normal(GRand *rand)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += g_rand_double(rand);
    return sum - 6;
}

/* What nobody told the program. */
struct kind {
    const char *name;
    double shards, collections; /* how speeds differ: standard deviation of the logarithm */
    double stragglers;
    double wanted; /* share of runs */
};

/* Sizes with a heavy tail; speeds as the kind has it. */
static void make_world(struct world *w, const struct kind *kind, guint32 seed)
{
    *w = (struct world){.seed = seed, .rand = g_rand_new_with_seed(seed)};
    GRand *rand = w->rand;
    double shard[SHARDS_MAX], coll[COLLECTIONS];
    w->shards = (uint16_t)g_rand_int_range(rand, 4, SHARDS_MAX + 1);
    w->n = (uint32_t)g_rand_int_range(rand, 1000, MOVES_MAX + 1);
    const double latency = g_rand_double_range(rand, 0.2, 5), rate = g_rand_double_range(rand, 5e6, 80e6);
    for (int s = 0; s < w->shards; s++)
        shard[s] = exp(kind->shards * normal(rand));
    for (int c = 0; c < COLLECTIONS; c++)
        coll[c] = exp(kind->collections * normal(rand));
    const int receivers = g_rand_int_range(rand, 1, w->shards);
    for (uint32_t i = 0; i < w->n; i++) {
        struct sim_move *m = &w->moves[i];
        m->from = (uint16_t)g_rand_int_range(rand, receivers, w->shards);
        m->to = (uint16_t)g_rand_int_range(rand, 0, receivers);
        m->round = i;
        m->after = SIM_NONE;
        m->bytes = (int64_t)(40e6 * exp(0.8 * normal(rand)));
        w->coll[i] = (uint32_t)g_rand_int_range(rand, 0, COLLECTIONS);
        m->seconds = (latency + (double)m->bytes / rate) * shard[m->from] * shard[m->to] * coll[w->coll[i]];
    }
    const double sigma = g_rand_double_range(rand, 0.05, 0.5);
    for (int q = 0; q < QUANTILES; q++) /* about log-normal, of median 1 */
        w->spread[q] = exp(sigma * 1.7 * (q - QUANTILES / 2) / (QUANTILES / 2));
    w->luck = (struct sim_luck){.seed = seed, .spread = w->spread, .n_spread = QUANTILES};
    w->luck.straggler_share = kind->stragglers;
    w->luck.straggler_factor = 6;
    g_autoptr(sim) s = sim_new(w->moves, w->n);
    w->end = sim_run(s, NULL, &w->luck, w->starts).seconds;
    g_rand_free(w->rand);
}

static bool has_ended(const struct world *w, uint32_t i, double at)
{
    return w->starts[i] + sim_duration(&w->moves[i], i, &w->luck) <= at;
}

/* What the journal has by then. */
static estimate *fit(const struct world *w, double at)
{
    cluster cl = {.n_shards = w->shards,
                  .n_collections = COLLECTIONS,
                  .history = g_array_new(FALSE, FALSE, sizeof(struct past_migration)),
                  .history_is_ours = true};
    for (uint32_t i = 0; i < w->n; i++) {
        const double takes = sim_duration(&w->moves[i], i, &w->luck), so_far = at - w->starts[i];
        const struct past_migration m = {.ended_ms = (int64_t)(1000 * w->starts[i]),
                                         .seconds = MIN(takes, so_far),
                                         .running = so_far < takes,
                                         .bytes = w->moves[i].bytes,
                                         .from = w->moves[i].from,
                                         .to = w->moves[i].to,
                                         .coll = w->coll[i]};
        if (so_far > 0)
            g_array_append_val(cl.history, m);
    }
    estimate *e = estimate_fit(&cl);
    g_array_unref(cl.history);
    return e;
}

/* When it ends, by what is known at `at`: `ret_low` and `ret_high` by how far the model may be off. */
static double predict(const struct world *w, double at, double *ret_low, double *ret_high)
{
    g_autoptr(estimate) e = fit(w, at);
    g_autofree struct sim_move *rest = g_new(struct sim_move, w->n);
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        if (has_ended(w, i, at))
            continue;
        const struct sim_move *m = &w->moves[i];
        const double passed = MAX(at - w->starts[i], 0);
        rest[n] = *m;
        rest[n].seconds = estimate_seconds(e, w->coll[i], m->from, m->to, m->bytes) - passed;
        rest[n].seconds = MAX(rest[n].seconds, 0);
        n++;
    }
    g_autoptr(sim) s = sim_new(rest, n);
    const double left = sim_run(s, NULL, NULL, NULL).seconds;
    *ret_low = at + left * e->common_low;
    *ret_high = at + left * e->common_high;
    return at + left;
}

static void check_kind(struct world *w, const struct kind *kind)
{
    double worst = 0, sum = 0;
    unsigned good = 0, inside = 0;
    guint32 worst_seed = 0;
    for (guint32 seed = 1; seed <= RUNS; seed++) {
        double low, high;
        make_world(w, kind, seed);
        const double off = fabs(predict(w, FIRST * w->end, &low, &high) / w->end - 1);
        good += off <= WITHIN ? 1 : 0;
        inside += low <= w->end && w->end <= high ? 1 : 0;
        sum += off;
        if (off > worst) {
            worst = off;
            worst_seed = seed;
        }
    }
    print_message(
        "%s: after %.0f %% of a run its end is told within %.0f %% in %.1f %% of %d runs; off by %.1f %% on "
        "average, %.1f %% at worst (seed %u); inside the range in %.1f %%\n",
        kind->name, FIRST * 100, WITHIN * 100, 100.0 * good / RUNS, RUNS, 100 * sum / RUNS, 100 * worst,
        worst_seed, 100.0 * inside / RUNS);
    if (good < kind->wanted * RUNS)
        fail_msg("%s: in fewer than %.0f %%", kind->name, 100 * kind->wanted);
}

static void test_first_part_tells_the_end(void **state)
{
    static const struct kind kinds[] = {
        {"speeds alike", 0, 0, 0, 0.95},
        {"collections differ", 0, 0.3, 0, 0.95},
        {"shards and collections differ", 0.15, 0.3, 0, 0.95},
        {"one migration in 20 is six times slower", 0, 0.2, 0.05, 0.9},
    };
    (void)state;
    g_autofree struct world *w = g_new(struct world, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        check_kind(w, &kinds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_part_tells_the_end)};
    return cmocka_run_group_tests_name("finish_time", tests, NULL, NULL);
}
