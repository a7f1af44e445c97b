// SPDX-License-Identifier: Apache-2.0
/* What must hold of every plan of the policy `optimal`, over thousands of random clusters; the small ones
 * against the best end there is, found by trying all. */
#include "balancer/report/report.h"
#include "tests/support/brute_plan.h"
#include "tests/support/even_bound.h"
#include "tests/support/flat_case.h"
#include "tests/support/flat_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 2000, SEEDS_LONG = 1000, SEEDS_TINY = 3000 };

static const struct policy *optimal(void)
{
    return policy_find("optimal");
}

/* The row of the shard; NULL: it has none. */
static const struct plan_shard *row_of(const struct plan_collection *c, uint16_t shard)
{
    for (uint32_t i = 0; i < c->n_shards; i++)
        if (c->shards[i].shard == shard)
            return &c->shards[i];
    return NULL;
}

/* The band that the plan told for collection `i`; shards without a row are to hold nothing. */
static void band_of(const plan *p, uint32_t i, int64_t *low, int64_t *high)
{
    const struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, i);
    for (uint16_t s = 0; s < p->cl->n_shards; s++) {
        const struct plan_shard *row = row_of(c, s);
        low[s] = row == NULL ? 0 : row->low_bytes;
        high[s] = row == NULL ? 0 : row->high_bytes;
    }
}

static bool is_limited(const flat_cluster *f)
{
    bool limited = false;
    for (uint16_t s = 0; s < f->n_shards; s++)
        limited = limited || f->shards[s].max_bytes > 0;
    return limited;
}

/* Whether there are chunks that donors refuse as too big: `optimal` moves them only where it must, the
 * built-in chooses them, and what such a one does to a shard on which it must arrive nothing can undo. */
static bool has_refused(const flat_cluster *f)
{
    const bool cuts = g_ascii_strtod(f->version, NULL) >= 6.0;
    const double most = (g_ascii_strtod(f->version, NULL) >= 5.0 ? 2.0 : 1.3) * (double)f->chunk_bytes;
    bool any = false;
    for (uint32_t k = 0; !cuts && f->sizes_known && k < f->n_colls; k++)
        for (uint32_t i = 0; i < f->colls[k].n; i++)
            any = any || (double)f->colls[k].bytes[i] > most;
    return any;
}

/* Rules. */

static char *keeps_rules(struct flat_case *t)
{
    struct flat_replay replay = {.capacity = true};
    g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
    char *fault = flat_carry_out(t->f, p->p, &replay);
    if (fault == NULL && replay.repeats > 0)
        fault = g_strdup_printf("%" G_GUINT64_FORMAT " ranges move twice", replay.repeats);
    if (fault == NULL && !p->p->summary.complete)
        fault = g_strdup("the plan is not complete");
    return fault;
}

static char *json_of(const plan *p)
{
    const struct report_source src = {.kind = "snapshot", .name = "generated", .generated_ms = 0};
    GString *out = g_string_new(NULL);
    report_json(p, &src, out);
    return g_string_free(out, FALSE);
}

static char *repeats(struct flat_case *t)
{
    g_autoptr(flat_plan) a = flat_plan_new(t->f, optimal()), b = flat_plan_new(t->f, optimal());
    g_autofree char *x = json_of(a->p), *y = json_of(b->p);
    return strcmp(x, y) == 0 ? NULL : g_strdup("planned twice, there are two plans");
}

/* Within its band and nothing where it may not be, a collection is let alone; when something moves, there was
 * a reason. */
static bool is_sound(const flat_cluster *f, const struct flat_coll *c, const int64_t *low,
                     const int64_t *high)
{
    g_autofree int64_t *load = g_new(int64_t, f->n_shards);
    bool sound = true;
    flat_loads(f, c, load);
    for (uint16_t s = 0; s < f->n_shards; s++)
        sound = sound && load[s] >= low[s] && load[s] <= high[s];
    for (uint32_t i = 0; i < c->n; i++)
        sound = sound && ((c->flags[i] & FLAT_JUMBO) != 0 || flat_may_hold(f, c->shard[i], c->zone[i]));
    return sound;
}

static char *lets_alone(struct flat_case *t)
{
    g_autofree int64_t *low = g_new(int64_t, t->f->n_shards), *high = g_new(int64_t, t->f->n_shards);
    g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
    for (uint32_t i = 0; i < t->f->n_colls; i++) {
        const struct plan_collection *c = &g_array_index(p->p->collections, struct plan_collection, i);
        band_of(p->p, i, low, high);
        if (c->n_migrations > 0 && is_sound(t->f, &t->f->colls[i], low, high))
            return g_strdup_printf("%s is within its band, but %u chunks move", c->coll->ns, c->n_migrations);
    }
    return NULL;
}

/* The ends. */

/* The largest chunk that could move. */
static int64_t largest(const struct flat_coll *c)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < c->n; i++)
        most = MAX(most, (c->flags[i] & FLAT_JUMBO) == 0 ? c->bytes[i] : 0);
    return most;
}

/* A collection that was worked on ends as near its band as chunks taken as fluid would, give or take a chunk
 * a shard; and nothing stays where it may not be that could go. */
static char *check_end(const flat_cluster *before, const flat_cluster *after, const plan *p, uint32_t i)
{
    uint16_t n = before->n_shards;
    g_autofree int64_t *low = g_new(int64_t, n), *high = g_new(int64_t, n);
    const struct flat_coll *c = &before->colls[i];
    band_of(p, i, low, high);
    struct even_least best = even_least(before, c, low, high);
    g_autofree int64_t *load = g_new(int64_t, n);
    int64_t stuck = 0, off = 0;
    flat_loads(after, &after->colls[i], load);
    for (uint32_t k = 0; k < after->colls[i].n; k++)
        if ((c->flags[k] & FLAT_JUMBO) == 0 && !flat_may_hold(after, after->colls[i].shard[k], c->zone[k]))
            stuck += after->colls[i].bytes[k];
    for (uint16_t s = 0; s < n; s++)
        off += MAX(load[s] - high[s], 0) + MAX(low[s] - load[s], 0);
    if (stuck > best.stuck)
        return g_strdup_printf("collection %u: %" G_GINT64_FORMAT " bytes stay where they may not be, "
                               "%" G_GINT64_FORMAT " would have to",
                               i, stuck, best.stuck);
    if (off > best.off + largest(c) * n)
        return g_strdup_printf("collection %u ends %" G_GINT64_FORMAT
                               " bytes off its band, at best %" G_GINT64_FORMAT,
                               i, off, best.off);
    return NULL;
}

static char *reaches_band(struct flat_case *t)
{
    struct flat_replay replay = {0};
    g_autoptr(flat_cluster) before = flat_copy(t->f);
    g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
    char *fault = flat_carry_out(t->f, p->p, &replay);
    for (uint32_t i = 0; i < before->n_colls && fault == NULL && !is_limited(before); i++)
        fault = check_end(before, t->f, p->p, i);
    return fault;
}

static bool was_cut(const flat_cluster *f)
{
    bool cut = false;
    for (uint32_t i = 0; i < f->n_colls; i++)
        cut = cut || f->colls[i].pieces->len > 0;
    return cut;
}

/* Chunks that are half as large as the threshold, or larger; they are where the built-in counts chunks, since
 * the threshold is two of them then. */
static bool is_coarse(const flat_cluster *f)
{
    bool counts = strcmp(f->version, "6.0.3") < 0;
    int64_t threshold = f->threshold > 0 ? f->threshold : 2 * f->chunk_bytes, most = 0;
    for (uint32_t i = 0; i < f->n_colls; i++)
        most = MAX(most, largest(&f->colls[i]));
    return most >= threshold / 2 || (counts && f->threshold == 0);
}

/* Carried out and planned again, nothing is left to do. Where chunks are large a little may be found at a
 * second look, where donors cut them, so that there are others then, at a third. What has left a shard that
 * may hold no more is deleted by then, so that there is room for more: not asked. */
static char *is_done(struct flat_case *t)
{
    int looks = is_coarse(t->f) ? 2 : 1;
    if (is_limited(t->f))
        return NULL;
    for (int i = 0;; i++) {
        struct flat_replay replay = {0};
        g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
        if (p->p->migrations->len == 0)
            return NULL;
        if (i == looks)
            return g_strdup_printf("carried out and planned again, %u migrations are left",
                                   p->p->migrations->len);
        char *fault = flat_carry_out(t->f, p->p, &replay);
        looks = was_cut(t->f) ? 4 : looks;
        flat_settle(t->f);
        if (fault != NULL)
            return fault;
    }
}

/* The total. */

static double total_out_of_place(const flat_cluster *f, bool together, char **fault)
{
    struct flat_replay replay = {.capacity = true};
    g_autoptr(flat_cluster) work = flat_copy(f);
    work->together = together;
    g_autoptr(flat_plan) p = flat_plan_new(work, optimal());
    *fault = flat_carry_out(work, p->p, &replay);
    if (*fault == NULL && replay.repeats > 0)
        *fault = g_strdup_printf("%" G_GUINT64_FORMAT " ranges move twice", replay.repeats);
    return even_out_of_place(work, true);
}

/* What lies within the threshold of one collection, in parts of all there is. */
static double threshold_part(const flat_cluster *f)
{
    g_autofree int64_t *load = g_new(int64_t, f->n_shards);
    double total = 1, threshold = f->threshold > 0 ? (double)f->threshold : 3 * (double)f->chunk_bytes;
    flat_loads(f, NULL, load);
    for (uint16_t s = 0; s < f->n_shards; s++)
        total += (double)load[s];
    return threshold / 2 * f->n_shards / total;
}

/* Asked for, the total comes out no less even than without, but for a threshold; all rules are kept. */
static char *evens_total(struct flat_case *t)
{
    g_autofree char *other = NULL;
    char *fault = NULL;
    double alone = total_out_of_place(t->f, false, &other), together = total_out_of_place(t->f, true, &fault);
    if (fault == NULL && together > alone + threshold_part(t->f))
        fault = g_strdup_printf("%.5f of all is out of place, without being asked %.5f", together, alone);
    return fault;
}

/* Against the built-in. */

struct outcome {
    double off;
    int64_t bytes;
    uint32_t rounds;
};

static struct outcome outcome_of(const flat_cluster *f, const struct policy *policy)
{
    g_autoptr(flat_cluster) work = flat_copy(f);
    g_autoptr(flat_plan) p = flat_plan_new(work, policy);
    struct flat_replay replay = {0};
    g_autofree char *fault = flat_carry_out(work, p->p, &replay);
    (void)fault; /* the built-in minds neither weights nor all limits */
    return (struct outcome){even_out_of_place(work, false), p->p->summary.bytes, p->p->summary.n_rounds};
}

/* Where the built-in ends as even, it moves no fewer bytes; and with as many bytes it takes at most a round
 * less: which of several equal shards keeps the odd chunk is not chosen by rounds. Left out
 * are limited shards (the built-in goes over limits, and what is fair is another matter), and in
 * rounds 6.0.2, whose `count` has a large chunk go at once where its donor would cut it. */
static char *is_no_worse(struct flat_case *t)
{
    if (is_limited(t->f) || has_refused(t->f))
        return NULL;
    g_autoptr(cluster) cl = flat_build(t->f);
    struct outcome ours = outcome_of(t->f, optimal()), builtin = outcome_of(t->f, policy_auto(cl));
    const double little = builtin.bytes == 0 ? 0.005 : -1e-9; /* to lie still is a different matter */
    if (builtin.off > ours.off - little)
        return NULL;
    if (ours.bytes > builtin.bytes)
        return g_strdup_printf("%" G_GINT64_FORMAT
                               " bytes for %.4f out of place, the built-in %" G_GINT64_FORMAT " for %.4f",
                               ours.bytes, ours.off, builtin.bytes, builtin.off);
    if (ours.bytes == builtin.bytes && ours.rounds > builtin.rounds + 1 &&
        strcmp(t->f->version, "6.0.2") != 0)
        return g_strdup_printf("%u rounds, the built-in %u", ours.rounds, builtin.rounds);
    return NULL;
}

/* Disturbed. */

static int64_t bytes_of(const plan *p, guint n)
{
    int64_t sum = 0;
    for (guint i = 0; i < n; i++)
        sum += g_array_index(p->migrations, struct plan_migration, i).bytes;
    return sum;
}

/* Carries out half of what is planned, and plans again, until nothing is planned. It has to end, having moved
 * little more than was planned at first; a range goes back now and then, so that the sum comes out, but not
 * to and fro. */
static char *settles(struct flat_case *t)
{
    enum { PLANS_MAX = 24, CHUNKS_MORE = 8 };
    struct flat_replay replay = {0};
    int64_t moved = 0, planned = 0;
    for (int i = 0; i < PLANS_MAX; i++) {
        g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
        guint half = (p->p->migrations->len + 1) / 2;
        char *fault = flat_carry_out_some(t->f, p->p, half, &replay);
        planned = i == 0 ? p->p->summary.bytes : planned;
        moved += bytes_of(p->p, half);
        flat_settle(t->f);
        if (fault == NULL && !is_limited(t->f) &&
            moved > planned + planned / 5 + CHUNKS_MORE * t->f->chunk_bytes)
            fault = g_strdup_printf("planned again half way, %" G_GINT64_FORMAT
                                    " bytes move, not %" G_GINT64_FORMAT,
                                    moved, planned);
        if (fault == NULL && replay.to_and_fro > 0 && !has_refused(t->f))
            fault = g_strdup_printf("planned again half way, %" G_GUINT64_FORMAT " ranges go to and fro",
                                    replay.to_and_fro);
        if (fault != NULL || half == 0)
            return fault;
    }
    return g_strdup("it does not come to rest");
}

static char *converges_disturbed(struct flat_case *t)
{
    struct flat_replay replay = {0};
    g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
    char *fault = flat_carry_out_some(t->f, p->p, p->p->migrations->len / 2, &replay);
    if (fault != NULL)
        return fault;
    flat_disturb(t->f, t->rand);
    return settles(t);
}

/* By trying all. */

static unsigned n_tried, n_moving, n_worse;

static char *against_all(struct flat_case *t, bool exact)
{
    int64_t low[8] = {0}, high[8] = {0};
    struct flat_replay replay = {.capacity = true};
    g_autoptr(flat_cluster) before = flat_copy(t->f);
    g_autoptr(flat_plan) p = flat_plan_new(t->f, optimal());
    char *fault = flat_carry_out(t->f, p->p, &replay);
    if (fault != NULL)
        return fault;
    band_of(p->p, 0, low, high);
    struct brute_end end = brute_end_of(before, t->f, low, high), best = brute_best(before, low, high);
    n_tried++;
    n_moving += best.moved > 0;
    if (brute_compare(&end, &best) <= 0)
        return NULL;
    n_worse++;
    if (!exact)
        return NULL;
    return g_strdup_printf("%" G_GINT64_FORMAT " stuck, %" G_GINT64_FORMAT " off the band, %" G_GINT64_FORMAT
                           " moved; at best %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT,
                           end.stuck, end.off, end.moved, best.stuck, best.off, best.moved);
}

static flat_cluster *tiny_equal(GRand *r)
{
    return flat_random_tiny(r, true);
}

static flat_cluster *tiny_mixed(GRand *r)
{
    return flat_random_tiny(r, false);
}

static char *best_of_equal(struct flat_case *t)
{
    return against_all(t, true);
}

static char *best_of_mixed(struct flat_case *t)
{
    return against_all(t, g_getenv("EVENKEEL_TEST_TELL") != NULL);
}

static void test_best_of_equal(void **state)
{
    (void)state;
    n_tried = n_moving = n_worse = 0;
    flat_for_seeds(SEEDS_TINY, tiny_equal, best_of_equal);
    print_message("%u tried, %u of which move\n", n_tried, n_moving);
}

static void test_best_of_mixed(void **state)
{
    (void)state;
    n_tried = n_moving = n_worse = 0;
    flat_for_seeds(SEEDS_TINY, tiny_mixed, best_of_mixed);
    print_message("%u tried, %u of which move, %u are not the best\n", n_tried, n_moving, n_worse);
    /* With the built-in as even, and near the best, it may stay there. */
    assert_true(n_worse <= MAX(n_moving / 50, 2));
}

#define FLAT_PROPERTY(name, seeds)                                                                           \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        flat_for_seeds(seeds, flat_random, name);                                                            \
    }

FLAT_PROPERTY(keeps_rules, SEEDS)

static void test_keeps_rules_of_extremes(void **state)
{
    (void)state;
    flat_for_seeds(SEEDS / 2, flat_random_extreme, keeps_rules);
}

FLAT_PROPERTY(repeats, SEEDS)
FLAT_PROPERTY(lets_alone, SEEDS)
FLAT_PROPERTY(reaches_band, SEEDS)
FLAT_PROPERTY(is_done, SEEDS)
FLAT_PROPERTY(evens_total, SEEDS_LONG)
FLAT_PROPERTY(is_no_worse, SEEDS_LONG)
FLAT_PROPERTY(settles, SEEDS_LONG)
FLAT_PROPERTY(converges_disturbed, SEEDS_LONG)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_rules),   cmocka_unit_test(test_keeps_rules_of_extremes),
        cmocka_unit_test(test_repeats),       cmocka_unit_test(test_lets_alone),
        cmocka_unit_test(test_reaches_band),  cmocka_unit_test(test_is_done),
        cmocka_unit_test(test_evens_total),   cmocka_unit_test(test_is_no_worse),
        cmocka_unit_test(test_settles),       cmocka_unit_test(test_converges_disturbed),
        cmocka_unit_test(test_best_of_equal), cmocka_unit_test(test_best_of_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
