// SPDX-License-Identifier: Apache-2.0
#include "tests/support/plan_times.h"

#include "balancer/plan/estimate.h"
#include "balancer/plan/simulate.h"
#include "balancer/source/source.h"

static const double LATENCY = 1, BYTES_A_SECOND = 20 * 0x1p20;
static const double ROUND_PAUSE = 1;

enum { DRAWS = 5, QUANTILES = 101 };

double plan_times_expected(int64_t bytes)
{
    return LATENCY + (double)bytes / BYTES_A_SECOND;
}

/* How many times its model each migration on record took, as quantiles of mean 1; read once. */
static const double *spread_on_record(void)
{
    static double spread[QUANTILES];
    if (spread[QUANTILES - 1] > 0)
        return spread;
    g_autoptr(cluster) cl = NULL;
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    if (!source_read_dump(TEST_DATA_DIR "/real-4.2/balanced/config", b, &err) ||
        !builder_finish(b, &cl, &err))
        g_error("%s", err.msg);
    g_autoptr(estimate) e = estimate_fit(cl);
    double sum = 0;
    for (int i = 0; i < QUANTILES; i++)
        sum += spread[i] = estimate_spread(e, (double)i / (QUANTILES - 1));
    for (int i = 0; i < QUANTILES; i++)
        spread[i] *= QUANTILES / sum;
    return spread;
}

/* A migration of what is left of a chunk, or of a second part of it, waits for the one before. */
static uint32_t find_earlier(const plan *p, GHashTable *last, uint32_t i)
{
    const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
    bson_t min;
    plan_bound_bson(m->min, &min);
    GBytes *key = g_bytes_new_static(bson_get_data(&min), min.len);
    g_autofree char *name = g_strdup_printf("%u %u", m->coll->number, g_bytes_hash(key));
    g_bytes_unref(key);
    uint32_t earlier = GPOINTER_TO_UINT(g_hash_table_lookup(last, name));
    if (m->open_max || earlier > 0)
        g_hash_table_insert(last, g_steal_pointer(&name), GUINT_TO_POINTER(i + 1));
    return earlier == 0 ? SIM_NONE : earlier - 1;
}

static struct sim_move *list_moves(const plan *p)
{
    struct sim_move *moves = g_new(struct sim_move, MAX(p->migrations->len, 1));
    g_autoptr(GHashTable) last = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (uint32_t i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        moves[i] = (struct sim_move){.from = m->from,
                                     .to = m->to,
                                     .round = m->round,
                                     .after = find_earlier(p, last, i),
                                     .seconds = plan_times_expected(m->bytes),
                                     .bytes = m->bytes};
    }
    return moves;
}

static double mean_seconds(sim *s, struct sim_luck luck, bool barrier)
{
    double sum = 0;
    for (uint64_t seed = 1; seed <= DRAWS; seed++) {
        luck.seed = seed;
        struct sim_end end =
            barrier ? sim_run_rounds(s, NULL, &luck, ROUND_PAUSE) : sim_run(s, NULL, &luck, NULL);
        g_assert(end.left == 0);
        sum += end.seconds;
    }
    return sum / DRAWS;
}

struct plan_times plan_times(const plan *p, bool barrier)
{
    g_autofree struct sim_move *moves = list_moves(p);
    g_autoptr(sim) s = sim_new(moves, p->migrations->len);
    struct sim_luck luck = {.spread = spread_on_record(), .n_spread = QUANTILES};
    struct plan_times ret = {.usual = mean_seconds(s, luck, barrier)};
    luck.straggler_share = PLAN_TIMES_STRAGGLERS;
    luck.straggler_factor = PLAN_TIMES_STRAGGLER_FACTOR;
    ret.stragglers = mean_seconds(s, luck, barrier);
    return ret;
}
