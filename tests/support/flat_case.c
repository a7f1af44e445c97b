// SPDX-License-Identifier: Apache-2.0
#include "tests/support/flat_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

flat_plan *flat_plan_new(flat_cluster *f, const struct policy *policy)
{
    flat_plan *out = g_new0(flat_plan, 1);
    struct plan_options opt = flat_options(f, policy);
    struct err err = {0};
    out->cl = flat_build(f);
    if (!plan_make(out->cl, &opt, &out->p, &err))
        fail_msg("%s", err.msg);
    return out;
}

void flat_plan_free(flat_plan *p)
{
    if (p == NULL)
        return;
    plan_free(p->p);
    cluster_free(p->cl);
    g_free(p);
}

static uint32_t from_environment(const char *name, uint32_t otherwise)
{
    const char *value = g_getenv(name);
    return value == NULL ? otherwise : (uint32_t)strtoul(value, NULL, 10);
}

static void save(const flat_cluster *f)
{
    const char *path = g_getenv("EVENKEEL_TEST_SAVE");
    g_autofree char *json = path == NULL ? NULL : flat_json(f);
    if (json != NULL && !g_file_set_contents(path, json, -1, NULL))
        fail_msg("cannot write '%s'", path);
}

void flat_for_seeds(uint32_t seeds, flat_cluster *(*make)(GRand *r), char *(*property)(struct flat_case *t))
{
    bool one = g_getenv("EVENKEEL_TEST_SEED") != NULL, tell = g_getenv("EVENKEEL_TEST_TELL") != NULL;
    uint32_t first = from_environment("EVENKEEL_TEST_SEED", 1), wrong = 0;
    uint32_t n = from_environment("EVENKEEL_TEST_SEEDS", one ? 1 : seeds);
    for (uint32_t i = 0; i < n; i++) {
        struct flat_case t = {.seed = first + i, .rand = g_rand_new_with_seed(first + i)};
        t.f = make(t.rand);
        save(t.f);
        g_autofree char *fault = property(&t);
        flat_free(t.f);
        g_rand_free(t.rand);
        if (fault != NULL && (tell || wrong == 0))
            print_message("seed %u: %s\n", t.seed, fault);
        wrong += fault != NULL ? 1 : 0;
    }
    if (wrong > 0)
        fail_msg("wrong for %u of %u seeds (one of them again: EVENKEEL_TEST_SEED=N)", wrong, n);
}
