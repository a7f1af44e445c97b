// SPDX-License-Identifier: Apache-2.0
/* Of every random cluster: advice changes no plan, is the same each time, speaks of nothing that is not
 * there, and is clean on a terminal. */
#include "tests/support/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int64_t count_jumbo(const struct collection *coll)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < coll->chunks.n; i++)
        n += (coll->chunks.flags[i] & CHUNK_JUMBO) != 0 ? 1 : 0;
    return n;
}

static bool has_advice(const plan *p, const struct collection *coll, const char *code)
{
    for (guint i = 0; i < p->advice->len; i++) {
        const struct plan_advice *a = &g_array_index(p->advice, struct plan_advice, i);
        if (a->coll == coll && strcmp(a->code, code) == 0)
            return true;
    }
    return false;
}

static char *clean(const struct plan_advice *a)
{
    g_autofree char *all = g_strconcat(a->message, a->todo, a->commands, NULL);
    if (*a->message == '\0' || *a->todo == '\0' || !g_utf8_validate(all, -1, NULL))
        return g_strdup_printf("%s: an empty text, or one that is not UTF-8", a->code);
    for (const char *c = all; *c != '\0'; c++)
        if ((*c > 0 && *c < 0x20 && *c != '\n') || *c == 0x7f)
            return g_strdup_printf("%s: a control character in %s", a->code, all);
    return NULL;
}

/* The codes that follow from the metadata alone, and those that a version forbids. */
static char *fits(const plan *p, const struct plan_collection *pc)
{
    const bool in = pc->excluded == EXCLUDED_NO;
    if (has_advice(p, pc->coll, "jumbo") != (in && count_jumbo(pc->coll) > 0))
        return g_strdup_printf("%s: jumbo", pc->coll->ns);
    if (has_advice(p, pc->coll, "reshardFaster") && cluster_version_cmp(p->cl, 8, 0, 0) < 0)
        return g_strdup_printf("%s: reshardFaster before 8.0", pc->coll->ns);
    if (has_advice(p, pc->coll, "zoneCannotBeMet") && pc->coll->n_ranges == 0)
        return g_strdup_printf("%s: zoneCannotBeMet without a zone", pc->coll->ns);
    if (has_advice(p, pc->coll, "unevenChunkSizes") && plan_is_by_size(p))
        return g_strdup_printf("%s: unevenChunkSizes by size", pc->coll->ns);
    return NULL;
}

static char *same(const plan *a, const plan *b)
{
    if (a->advice->len != b->advice->len)
        return g_strdup("two numbers of advice");
    for (guint i = 0; i < a->advice->len; i++) {
        const struct plan_advice *x = &g_array_index(a->advice, struct plan_advice, i),
                                 *y = &g_array_index(b->advice, struct plan_advice, i);
        if (strcmp(x->code, y->code) != 0 || strcmp(x->message, y->message) != 0)
            return g_strdup_printf("%s and %s", x->message, y->message);
    }
    return NULL;
}

static char *sound(struct scenario *s)
{
    struct plan_options with = s->opt;
    with.advice = true;
    g_autoptr(plan) silent = scenario_plan(s, s->cl, &s->opt), told = scenario_plan(s, s->cl, &with),
                    again = scenario_plan(s, s->cl, &with);
    char *fault = same(told, again);
    if (silent->advice->len > 0 || strcmp(silent->id, told->id) != 0)
        return g_strdup("advice was not asked for, or changed the plan");
    for (guint i = 0; i < told->advice->len && fault == NULL; i++)
        fault = clean(&g_array_index(told->advice, struct plan_advice, i));
    for (guint i = 0; i < told->collections->len && fault == NULL; i++)
        fault = fits(told, &g_array_index(told->collections, struct plan_collection, i));
    return fault;
}

PROPERTY(sound)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sound)};
    return cmocka_run_group_tests_name("property.advice", tests, NULL, NULL);
}
