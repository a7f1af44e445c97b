// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/plan.h"

#include "balancer/plan/arena.h"

#include <string.h>

void plan_bound_bson(plan_bound b, bson_t *ret_static)
{
    uint32_t len;
    memcpy(&len, b, sizeof len);
    bson_init_static(ret_static, b, GUINT32_FROM_LE(len));
}

const char *plan_status_text(enum plan_status s)
{
    static const char *const texts[] = {"balanced", "imbalanced", "excluded"};
    return texts[s];
}

const char *time_basis_text(enum time_basis b)
{
    static const char *const texts[] = {"default", "changelog", "journal"};
    return texts[b];
}

void plan_free(plan *p)
{
    if (p == NULL)
        return;
    for (guint i = 0; i < p->collections->len; i++) {
        struct plan_collection *c = &g_array_index(p->collections, struct plan_collection, i);
        g_ptr_array_unref(c->zones);
        g_free(c->shards);
    }
    for (guint i = 0; i < p->splits->len; i++)
        g_ptr_array_unref(g_array_index(p->splits, struct plan_split, i).at);
    for (guint i = 0; i < p->warnings->len; i++) {
        struct warning *w = &g_array_index(p->warnings, struct warning, i);
        g_free(w->code);
        g_free(w->ns);
        g_free(w->message);
    }
    g_array_unref(p->collections);
    g_array_unref(p->rounds);
    g_array_unref(p->splits);
    g_array_unref(p->migrations);
    g_array_unref(p->blocked);
    g_array_unref(p->advice);
    g_array_unref(p->peaks);
    g_array_unref(p->zone_moves);
    g_array_unref(p->zone_faults);
    g_array_unref(p->warnings);
    plan_arena_free(p->arena);
    g_free(p->id);
    g_free(p);
}
