// SPDX-License-Identifier: Apache-2.0
/* The bounds that plans are measured by, held against each other: trying all ends of small clusters never
 * beats what fluid chunks could do, and fair loads are fair. */
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

enum { SEEDS = 2000, ROUNDING = 100 };

static flat_cluster *tiny(GRand *r)
{
    return flat_random_tiny(r, g_rand_boolean(r));
}

/* No way with whole chunks beats the fluid. */
static char *bounds_all_ends(struct flat_case *t)
{
    int64_t low[8] = {0}, high[8] = {0};
    even_fair(t->f, NULL, low);
    for (uint16_t s = 0; s < t->f->n_shards; s++) {
        high[s] = low[s] + t->f->chunk_bytes / 2;
        low[s] = MAX(low[s] - t->f->chunk_bytes / 2, 0);
    }
    struct brute_end best = brute_best(t->f, low, high);
    struct even_least fluid = even_least(t->f, &t->f->colls[0], low, high);
    struct brute_end bound = {fluid.stuck, fluid.off, fluid.moved};
    if (brute_compare(&bound, &best) > 0)
        return g_strdup_printf("the bound is %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                               "; an end has %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT,
                               bound.stuck, bound.off, bound.moved, best.stuck, best.off, best.moved);
    return NULL;
}

static void test_bounds_all_ends(void **state)
{
    (void)state;
    flat_for_seeds(SEEDS, tiny, bounds_all_ends);
}

/* All that is there is shared out, and a load is only over another's, by weight, where zones keep it from
 * going there. */
static char *is_fair(struct flat_case *t)
{
    for (uint32_t i = 0; i < t->f->n_colls; i++) {
        g_autofree int64_t *load = g_new(int64_t, t->f->n_shards), *fair = g_new(int64_t, t->f->n_shards);
        int64_t over = 0;
        flat_loads(t->f, &t->f->colls[i], load);
        even_fair(t->f, &t->f->colls[i], fair);
        for (uint16_t s = 0; s < t->f->n_shards; s++)
            over += fair[s] - load[s];
        if (ABS(over) > ROUNDING)
            return g_strdup_printf("%" G_GINT64_FORMAT " bytes more are shared out than there are", over);
        struct even_least l = even_least(t->f, &t->f->colls[i], fair, fair);
        if (l.off > ROUNDING)
            return g_strdup_printf("fair loads cannot be reached by %" G_GINT64_FORMAT " bytes", l.off);
    }
    return NULL;
}

/* Shards that must not receive, or may hold nothing of a zone but have some, are left out: what is fair then
 * is not asked. */
static flat_cluster *receiving(GRand *r)
{
    flat_cluster *f = flat_random(r);
    for (uint16_t s = 0; s < f->n_shards; s++)
        f->shards[s].no_receive = false;
    return f;
}

static void test_is_fair(void **state)
{
    (void)state;
    flat_for_seeds(SEEDS, receiving, is_fair);
}

static void test_fair_by_hand(void **state)
{
    static const struct {
        uint32_t zones[3];
        double weight[3];
        int64_t zoned, free, want[3]; /* bytes of zone 0, and of none */
    } rows[] = {
        {{0, 0, 0}, {1, 1, 1}, 0, 300, {100, 100, 100}},  {{0, 0, 0}, {1, 2, 4}, 0, 700, {100, 200, 400}},
        {{1, 0, 0}, {1, 1, 1}, 60, 240, {100, 100, 100}}, {{1, 0, 0}, {1, 1, 1}, 200, 100, {200, 50, 50}},
        {{1, 1, 0}, {1, 3, 1}, 400, 50, {100, 300, 50}},  {{1, 1, 0}, {1, 1, 2}, 100, 300, {100, 100, 200}},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(flat_cluster) f = flat_new(3, 1);
        int64_t fair[3];
        flat_chunks(&f->colls[0], 2);
        f->colls[0].zone[0] = 0;
        f->colls[0].bytes[0] = rows[i].zoned;
        f->colls[0].bytes[1] = rows[i].free;
        for (uint16_t s = 0; s < 3; s++) {
            f->shards[s].zones = rows[i].zones[s];
            f->shards[s].weight = rows[i].weight[s];
        }
        even_fair(f, NULL, fair);
        for (uint16_t s = 0; s < 3; s++)
            if (fair[s] != rows[i].want[s])
                fail_msg("row %zu: shard %u has %" G_GINT64_FORMAT, i, s, fair[s]);
    }
}

/* What carrying a plan out must see: each row spoils the plan, or the cluster behind its back. */
static void to_itself(flat_cluster *f, struct plan_migration *m)
{
    (void)f;
    m->to = m->from;
}

static void from_another(flat_cluster *f, struct plan_migration *m)
{
    (void)f;
    m->from = 2;
}

static void twice_a_round(flat_cluster *f, struct plan_migration *m)
{
    (void)f;
    m[1].round = 1;
}

static void draining(flat_cluster *f, struct plan_migration *m)
{
    f->shards[m->to].draining = true;
}

static void refusing(flat_cluster *f, struct plan_migration *m)
{
    f->shards[m->to].no_receive = true;
}

static void other_zone(flat_cluster *f, struct plan_migration *m)
{
    (void)m;
    memset(f->colls[0].zone, 3, f->colls[0].n);
}

static void jumbo(flat_cluster *f, struct plan_migration *m)
{
    (void)m;
    memset(f->colls[0].flags, FLAT_JUMBO, f->colls[0].n);
}

static void too_much(flat_cluster *f, struct plan_migration *m)
{
    (void)f;
    m->bytes++;
}

static void part_of_it(flat_cluster *f, struct plan_migration *m)
{
    (void)f;
    m->bytes--;
    m->open_max = false;
}

static void full(flat_cluster *f, struct plan_migration *m)
{
    f->shards[m->to].max_bytes = 1;
}

static flat_cluster *lopsided(void)
{
    flat_cluster *f = flat_new(3, 1);
    flat_chunks(&f->colls[0], 30);
    for (uint32_t i = 0; i < 30; i++)
        f->colls[0].bytes[i] = f->chunk_bytes;
    return f;
}

static void test_replay_bites(void **state)
{
    static const struct {
        void (*spoil)(flat_cluster *f, struct plan_migration *m);
        const char *says;
    } rows[] = {
        {to_itself, "to where it is"},
        {from_another, "does not have"},
        {twice_a_round, "twice in the round"},
        {draining, "is draining"},
        {refusing, "not to receive"},
        {other_zone, "the zone"},
        {jumbo, "jumbo"},
        {too_much, "more goes"},
        {part_of_it, "less goes"},
        {full, "over its maxBytes"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(flat_cluster) f = lopsided();
        g_autoptr(flat_plan) p = flat_plan_new(f, &policy_count);
        struct flat_replay replay = {.capacity = true};
        assert_true(p->p->migrations->len > 2);
        rows[i].spoil(f, &g_array_index(p->p->migrations, struct plan_migration, 0));
        g_autofree char *fault = flat_carry_out(f, p->p, &replay);
        if (fault == NULL || strstr(fault, rows[i].says) == NULL)
            fail_msg("'%s' is to be told, not: %s", rows[i].says, fault == NULL ? "nothing" : fault);
    }
}

/* A range that moves on in a second plan counts as moved again only while the first is under way; one that
 * goes back counts for ever. */
static void test_replay_counts(void **state)
{
    g_autoptr(flat_cluster) f = lopsided();
    g_autoptr(flat_plan) there = flat_plan_new(f, &policy_count);
    struct flat_replay replay = {0};
    (void)state;
    assert_null(flat_carry_out(f, there->p, &replay));
    assert_int_equal(replay.repeats, 0);
    f->shards[1].draining = f->shards[2].draining = true;
    g_autoptr(flat_plan) back = flat_plan_new(f, &policy_count);
    assert_null(flat_carry_out(f, back->p, &replay));
    assert_int_equal(replay.repeats, 20);
    assert_int_equal(replay.returns, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_all_ends), cmocka_unit_test(test_is_fair),
        cmocka_unit_test(test_fair_by_hand),    cmocka_unit_test(test_replay_bites),
        cmocka_unit_test(test_replay_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
