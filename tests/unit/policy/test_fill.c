// SPDX-License-Identifier: Apache-2.0
/* The fairest loads: small cases worked out by hand, and random ones against pouring drop by drop and
 * carrying drops over as long as that makes it more even. */
#include "balancer/policy/fill.h"

#include <glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SHARDS_MAX = 6, SLOTS_MAX = 5 };
#define NO_CAP INT64_MAX

struct row {
    const char *name;
    uint16_t n_shards;
    struct fill_shard shards[SHARDS_MAX]; /* weight, base, cap */
    uint32_t n_slots;
    struct {
        int64_t supply;
        const char *holds; /* per shard: '1' may hold */
    } slots[SLOTS_MAX];
    double want[SHARDS_MAX];
};

#define PLAIN                                                                                                \
    {                                                                                                        \
        1, 0, NO_CAP                                                                                         \
    }

static const struct row rows[] = {
    {"one slot, alike", 3, {PLAIN, PLAIN, PLAIN}, 1, {{300, "111"}}, {100, 100, 100}},
    {"one slot, fractions", 3, {PLAIN, PLAIN, PLAIN}, 1, {{100, "111"}}, {100 / 3.0, 100 / 3.0, 100 / 3.0}},
    {"nothing to pour", 2, {PLAIN, {1, 7, NO_CAP}}, 1, {{0, "11"}}, {0, 7}},
    {"no slot at all", 2, {PLAIN, {1, 7, NO_CAP}}, 0, {{0, NULL}}, {0, 7}},
    {"no shard at all", 0, {PLAIN}, 1, {{5, ""}}, {0}},
    {"weights 1:2:4",
     3,
     {{1, 0, NO_CAP}, {2, 0, NO_CAP}, {4, 0, NO_CAP}},
     1,
     {{700, "111"}},
     {100, 200, 400}},
    {"weights 1:2:4 with bases within the level",
     3,
     {{1, 50, NO_CAP}, {2, 0, NO_CAP}, {4, 150, NO_CAP}},
     1,
     {{500, "111"}},
     {100, 200, 400}},
    {"weights below one", 2, {{0.25, 0, NO_CAP}, {0.75, 0, NO_CAP}}, 1, {{400, "11"}}, {100, 300}},
    {"weight 0 takes nothing", 3, {{0, 40, NO_CAP}, PLAIN, PLAIN}, 1, {{100, "111"}}, {40, 50, 50}},
    {"all weights 0", 2, {{0, 4, NO_CAP}, {0, 0, NO_CAP}}, 1, {{100, "11"}}, {4, 0}},
    {"a cap sends the rest on", 3, {{1, 0, 20}, PLAIN, PLAIN}, 1, {{300, "111"}}, {20, 140, 140}},
    {"a cap above the share is nothing", 2, {{1, 0, 500}, PLAIN}, 1, {{300, "11"}}, {150, 150}},
    {"a cap under the base", 2, {{1, 80, 50}, PLAIN}, 1, {{100, "11"}}, {80, 100}},
    {"a base over the level", 3, {{1, 500, NO_CAP}, PLAIN, PLAIN}, 1, {{100, "111"}}, {500, 50, 50}},
    {"bases are filled up to the level",
     3,
     {{1, 60, NO_CAP}, {1, 30, NO_CAP}, PLAIN},
     1,
     {{90, "111"}},
     {60, 60, 60}},
    {"everything full", 2, {{1, 10, 50}, {1, 0, 30}}, 1, {{500, "11"}}, {50, 30}},
    {"one may hold, two may not", 3, {PLAIN, PLAIN, PLAIN}, 1, {{90, "010"}}, {0, 90, 0}},
    {"a slot that nobody may hold", 2, {PLAIN, PLAIN}, 2, {{100, "11"}, {70, "00"}}, {50, 50}},
    {"nobody may hold anything", 2, {PLAIN, {1, 3, NO_CAP}}, 2, {{100, "00"}, {70, "00"}}, {0, 3}},
    {"zones apart", 4, {PLAIN, PLAIN, PLAIN, PLAIN}, 2, {{100, "1100"}, {40, "0011"}}, {50, 50, 20, 20}},
    {"a shard in two zones is not loaded twice",
     3,
     {PLAIN, PLAIN, PLAIN},
     2,
     {{150, "110"}, {150, "011"}},
     {100, 100, 100}},
    {"a shard in two zones is left to the fuller",
     3,
     {PLAIN, PLAIN, PLAIN},
     2,
     {{200, "110"}, {40, "011"}},
     {100, 100, 40}},
    {"a zone within the rest, below the level",
     3,
     {PLAIN, PLAIN, PLAIN},
     2,
     {{40, "100"}, {260, "111"}},
     {100, 100, 100}},
    {"a zone within the rest, over the level",
     3,
     {PLAIN, PLAIN, PLAIN},
     2,
     {{240, "100"}, {60, "111"}},
     {240, 30, 30}},
    {"nested zones: three levels",
     4,
     {PLAIN, PLAIN, PLAIN, PLAIN},
     3,
     {{400, "1000"}, {200, "1100"}, {100, "1111"}},
     {400, 200, 50, 50}},
    {"a chain of overlaps",
     4,
     {PLAIN, PLAIN, PLAIN, PLAIN},
     3,
     {{200, "1100"}, {0, "0110"}, {100, "0011"}},
     {100, 100, 50, 50}},
    {"a chain that evens out",
     4,
     {PLAIN, PLAIN, PLAIN, PLAIN},
     3,
     {{150, "1100"}, {100, "0110"}, {150, "0011"}},
     {100, 100, 100, 100}},
    {"weights within zones",
     4,
     {{1, 0, NO_CAP}, {3, 0, NO_CAP}, {1, 0, NO_CAP}, {1, 0, NO_CAP}},
     2,
     {{400, "1100"}, {100, "0011"}},
     {100, 300, 50, 50}},
    {"a full shard crowds its zone",
     3,
     {{1, 0, 10}, PLAIN, PLAIN},
     2,
     {{100, "110"}, {50, "001"}},
     {10, 90, 50}},
    {"a full zone leaves its rest out", 2, {{1, 0, 10}, PLAIN}, 2, {{100, "10"}, {50, "01"}}, {10, 50}},
    {"a full zone and one that can evade it", 2, {{1, 0, 10}, PLAIN}, 2, {{100, "10"}, {50, "11"}}, {10, 50}},
    {"petabytes", 2, {PLAIN, PLAIN}, 1, {{(int64_t)1 << 52, "11"}}, {2251799813685248.0, 2251799813685248.0}},
};

static void fill_row(const struct row *r, int64_t scale, double *ret)
{
    struct fill_shard shards[SHARDS_MAX];
    int64_t supply[SLOTS_MAX + 1];
    bool holds[SLOTS_MAX * SHARDS_MAX + 1];
    for (uint16_t s = 0; s < r->n_shards; s++) {
        shards[s] = r->shards[s];
        shards[s].base *= scale;
        shards[s].cap = shards[s].cap == NO_CAP ? NO_CAP : shards[s].cap * scale;
        ret[s] = -1;
    }
    for (uint32_t z = 0; z < r->n_slots; z++) {
        supply[z] = r->slots[z].supply * scale;
        for (uint16_t s = 0; s < r->n_shards; s++)
            holds[z * r->n_shards + s] = r->slots[z].holds[s] == '1';
    }
    fill_targets(r->n_shards, shards, r->n_slots, supply, holds, ret);
}

static void run_row(void **state)
{
    const struct row *r = *state;
    double have[SHARDS_MAX];
    /* As they stand, within the unit by which rounding is helped; then in mebibytes, exactly. */
    fill_row(r, 1, have);
    for (uint16_t s = 0; s < r->n_shards; s++)
        if (fabs(have[s] - r->want[s]) > 1 + r->want[s] * 1e-9)
            fail_msg("shard %u: have %.3f, want %.3f", s, have[s], r->want[s]);
    if (r->slots[0].supply > 1 << 20)
        return;
    fill_row(r, 1 << 20, have);
    for (uint16_t s = 0; s < r->n_shards; s++)
        if (fabs(have[s] / (1 << 20) - r->want[s]) > 1e-4)
            fail_msg("shard %u, in MiB: have %.6f, want %.6f", s, have[s] / (1 << 20), r->want[s]);
}

/* --- drop by drop --- */

struct pour {
    const struct row *r;
    int64_t load[SHARDS_MAX];             /* base included */
    int64_t drops[SLOTS_MAX][SHARDS_MAX]; /* of each slot on each shard */
};

static bool may_hold(const struct row *r, uint32_t slot, uint16_t shard)
{
    return r->slots[slot].holds[shard] == '1' && r->shards[shard].weight > 0;
}

static bool has_room(const struct pour *p, uint16_t shard)
{
    return p->load[shard] < p->r->shards[shard].cap;
}

/* Which shards a drop may be carried to from these (`start`), other drops making way: from[s] the shard
 * before, by way of the slot through[s]. */
static void reach(const struct pour *p, const bool *start, int *from, uint32_t *through, bool *reached)
{
    const struct row *r = p->r;
    memcpy(reached, start, SHARDS_MAX * sizeof *reached);
    for (uint16_t s = 0; s < r->n_shards; s++)
        from[s] = -1;
    for (bool again = true; again;) {
        again = false;
        for (uint16_t a = 0; a < r->n_shards; a++)
            for (uint32_t z = 0; reached[a] && z < r->n_slots; z++)
                for (uint16_t b = 0; p->drops[z][a] > 0 && b < r->n_shards; b++) {
                    if (reached[b] || !may_hold(r, z, b))
                        continue;
                    reached[b] = true;
                    from[b] = a;
                    through[b] = z;
                    again = true;
                }
    }
}

/* Carries a drop along the way to `shard`; returns where the way began. */
static uint16_t carry(struct pour *p, uint16_t shard, const int *from, const uint32_t *through)
{
    uint16_t at = shard;
    while (from[at] >= 0) {
        p->drops[through[at]][at]++;
        p->drops[through[at]][from[at]]--;
        at = (uint16_t)from[at];
    }
    return at;
}

static double level(const struct pour *p, uint16_t shard, int64_t more)
{
    return (double)(p->load[shard] + more) / p->r->shards[shard].weight;
}

/* One drop into the lowest shard there is a way to. */
static void pour_drop(struct pour *p, uint32_t slot)
{
    bool start[SHARDS_MAX] = {false}, reached[SHARDS_MAX];
    int from[SHARDS_MAX], best = -1;
    uint32_t through[SHARDS_MAX];
    for (uint16_t s = 0; s < p->r->n_shards; s++)
        start[s] = may_hold(p->r, slot, s);
    reach(p, start, from, through, reached);
    for (uint16_t s = 0; s < p->r->n_shards; s++)
        if (reached[s] && has_room(p, s) && (best < 0 || level(p, s, 1) < level(p, (uint16_t)best, 1)))
            best = s;
    if (best < 0)
        return;
    p->load[best]++;
    p->drops[slot][carry(p, (uint16_t)best, from, through)]++;
}

/* Carries a drop from a higher shard to one that is lower even with it. False: there is no such pair. */
static bool improve(struct pour *p)
{
    for (uint16_t a = 0; a < p->r->n_shards; a++) {
        bool start[SHARDS_MAX] = {false}, reached[SHARDS_MAX];
        int from[SHARDS_MAX];
        uint32_t through[SHARDS_MAX];
        start[a] = p->r->shards[a].weight > 0;
        reach(p, start, from, through, reached);
        for (uint16_t b = 0; b < p->r->n_shards; b++) {
            if (!reached[b] || b == a || !has_room(p, b) || level(p, b, 1) >= level(p, a, 0) - 1e-9)
                continue;
            carry(p, b, from, through);
            p->load[a]--;
            p->load[b]++;
            return true;
        }
    }
    return false;
}

static void draw_row(GRand *rand, struct row *r, char holds[SLOTS_MAX][SHARDS_MAX + 1])
{
    static const double weights[] = {1, 1, 1, 2, 4, 0.5, 0};
    *r = (struct row){.n_shards = (uint16_t)g_rand_int_range(rand, 1, SHARDS_MAX + 1),
                      .n_slots = (uint32_t)g_rand_int_range(rand, 1, SLOTS_MAX + 1)};
    for (uint16_t s = 0; s < r->n_shards; s++)
        r->shards[s] = (struct fill_shard){
            .weight = weights[g_rand_int_range(rand, 0, G_N_ELEMENTS(weights))],
            .base = g_rand_int_range(rand, 0, 3) == 0 ? g_rand_int_range(rand, 0, 150) : 0,
            .cap = g_rand_int_range(rand, 0, 4) == 0 ? g_rand_int_range(rand, 0, 150) : NO_CAP};
    for (uint32_t z = 0; z < r->n_slots; z++) {
        memset(holds[z], 0, SHARDS_MAX + 1);
        for (uint16_t s = 0; s < r->n_shards; s++)
            holds[z][s] = g_rand_int_range(rand, 0, 5) < 2 ? '1' : '0';
        r->slots[z].holds = holds[z];
        r->slots[z].supply = g_rand_int_range(rand, 0, 4) == 0 ? 0 : g_rand_int_range(rand, 1, 200);
    }
}

static void test_against_pouring(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 1500; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        char holds[SLOTS_MAX][SHARDS_MAX + 1];
        struct row r;
        double have[SHARDS_MAX];
        draw_row(rand, &r, holds);
        struct pour p = {.r = &r};
        for (uint16_t s = 0; s < r.n_shards; s++)
            p.load[s] = r.shards[s].base;
        for (uint32_t z = 0; z < r.n_slots; z++)
            for (int64_t k = 0; k < r.slots[z].supply; k++)
                pour_drop(&p, z);
        while (improve(&p))
            ;
        fill_row(&r, 1 << 20, have);
        /* Whole drops cannot be as even as water: a drop from each of the others, at worst. */
        for (uint16_t s = 0; s < r.n_shards; s++)
            if (fabs(have[s] / (1 << 20) - (double)p.load[s]) > r.n_shards - 1 + 1e-3)
                fail_msg("seed %u, shard %u: have %.3f, by drops %" G_GINT64_FORMAT, seed, s,
                         have[s] / (1 << 20), p.load[s]);
    }
}

int main(void)
{
    struct CMUnitTest tests[G_N_ELEMENTS(rows) + 1] = {cmocka_unit_test(test_against_pouring)};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        tests[i + 1] = (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, (void *)&rows[i]};
    return _cmocka_run_group_tests("fill", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
