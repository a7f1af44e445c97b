// SPDX-License-Identifier: Apache-2.0
#include "tests/support/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOVES_MAX = 20000 }; /* no small cluster needs so many */

static uint32_t pick(GRand *r, uint32_t n)
{
    return (uint32_t)g_rand_int_range(r, 0, (gint32)n);
}

static double pick_share(GRand *r)
{
    static const double shares[] = {0, 0, 0.1, 0.5, 1};
    return shares[pick(r, G_N_ELEMENTS(shares))];
}

static void draw_params(GRand *r, struct gen_params *p)
{
    static const char *const versions[] = {"4.2.8",  "4.4.18", "5.0.20", "6.0.2",
                                           "6.0.14", "7.0.14", "8.0.4",  NULL};
    static const uint32_t chunk_mb[] = {0, 1, 64};
    p->version = versions[pick(r, G_N_ELEMENTS(versions))];
    p->generation = p->version != NULL && p->version[0] == '4' ? GEN_NS : GEN_UUID;
    p->shards = 2 + pick(r, 11);
    p->collections = 1 + pick(r, 6);
    p->chunks = 1 + pick(r, pick(r, 4) == 0 ? 300 : 80);
    p->zones = pick(r, 2) * pick(r, 6);
    p->skew = pick_share(r);
    p->violations = pick_share(r);
    p->any_key = true;
    p->draining = pick(r, 3) == 0 ? 1 + pick(r, MIN(p->shards, 3)) : 0;
    p->jumbo = pick(r, 2) * pick_share(r);
    p->misaligned = pick(r, 2) * pick_share(r);
    p->excluded = pick(r, 3) == 0 ? pick(r, p->collections + 1) : 0;
    p->sizes = (enum gen_sizes)pick(r, 4);
    p->measured = p->sizes != GEN_SIZES_NONE && pick(r, 3) != 0;
    p->ragged = pick(r, 2) == 0;
    p->shuffled = pick(r, 2) == 0;
    p->chunk_mb = chunk_mb[pick(r, G_N_ELEMENTS(chunk_mb))];
    p->seed = g_rand_int(r);
}

static void draw_options(GRand *r, struct plan_options *o)
{
    static const struct policy *const some[] = {NULL, &policy_count, &policy_size, &policy_optimal};
    *o = plan_options_default();
    o->policy = some[pick(r, G_N_ELEMENTS(some))];
    o->rounds = 1 + pick(r, 4);
    o->until_balanced = pick(r, 2) == 0;
    o->has_seed = pick(r, 2) == 0;
    o->seed = g_rand_int(r);
}

naive_cluster *scenario_naive(const struct scenario *s)
{
    naive_cluster *n = naive_new(&s->params);
    for (guint i = 0; i < n->shards->len; i++)
        if (s->opt.n_drain > 0 && strcmp(naive_shard_at(n, i)->id, s->drain[0]) == 0)
            naive_shard_at(n, i)->draining = true;
    return n;
}

void scenario_init(struct scenario *s, uint32_t seed)
{
    GRand *r = g_rand_new_with_seed(seed);
    *s = (struct scenario){.seed = seed};
    draw_params(r, &s->params);
    draw_options(r, &s->opt);
    if (pick(r, 6) == 0) {
        s->drain[0] = "shard00";
        s->opt.drain = s->drain;
        s->opt.n_drain = 1;
    }
    g_rand_free(r);
    s->cl = generate_cluster(&s->params);
    s->before = scenario_naive(s);
}

void scenario_clear(struct scenario *s)
{
    cluster_free(s->cl);
    naive_free(s->before);
}

/* Never-ending plans end at the limit, and fail. */
plan *scenario_plan(const struct scenario *s, const cluster *cl, const struct plan_options *opt)
{
    struct err err = {0};
    struct plan_options limited = *opt;
    plan *p = NULL;
    if (opt->until_balanced && opt->max_moves == 0)
        limited.max_moves = MOVES_MAX;
    if (!plan_make(cl, &limited, &p, &err))
        fail_msg("%s (again: EVENKEEL_TEST_SEED=%u)", err.msg, s->seed);
    if (p->migrations->len >= MOVES_MAX)
        fail_msg("the plan has no end (again: EVENKEEL_TEST_SEED=%u)", s->seed);
    return p;
}

bool plan_is_by_size(const plan *p)
{
    return p->policy->unit == LOAD_BYTES;
}

bool plan_warns(const plan *p, const char *code)
{
    for (guint i = 0; i < p->warnings->len; i++)
        if (strcmp(g_array_index(p->warnings, struct warning, i).code, code) == 0)
            return true;
    return false;
}

static uint32_t from_environment(const char *name, uint32_t otherwise)
{
    const char *value = g_getenv(name);
    return value == NULL ? otherwise : (uint32_t)strtoul(value, NULL, 10);
}

void scenario_for_all(char *(*property)(struct scenario *s))
{
    scenario_for_seeds(SCENARIO_SEEDS, property);
}

void scenario_for_seeds(uint32_t seeds, char *(*property)(struct scenario *s))
{
    bool one = g_getenv("EVENKEEL_TEST_SEED") != NULL;
    uint32_t first = from_environment("EVENKEEL_TEST_SEED", 1);
    uint32_t n = from_environment("EVENKEEL_TEST_SEEDS", one ? 1 : seeds);
    for (uint32_t i = 0; i < n; i++) {
        struct scenario s;
        scenario_init(&s, first + i);
        g_autofree char *fault = property(&s);
        scenario_clear(&s);
        if (fault != NULL)
            fail_msg("%s (again: EVENKEEL_TEST_SEED=%u)", fault, first + i);
    }
}
