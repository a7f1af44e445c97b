// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/arena.h"

#include <string.h>

enum { BLOCK = 64 * 1024 };

struct plan_arena {
    GPtrArray *blocks;
    size_t left; /* free bytes at the end of the last block */
    uint8_t *next;
};

plan_arena *plan_arena_new(void)
{
    plan_arena *a = g_new0(plan_arena, 1);
    a->blocks = g_ptr_array_new_with_free_func(g_free);
    return a;
}

void plan_arena_free(plan_arena *a)
{
    if (a == NULL)
        return;
    g_ptr_array_unref(a->blocks);
    g_free(a);
}

static uint8_t *take(plan_arena *a, size_t n)
{
    if (n > BLOCK / 4) { /* large ones get a block of their own, in front of the one being filled */
        uint8_t *own = g_malloc(n);
        g_ptr_array_insert(a->blocks, 0, own);
        return own;
    }
    if (n > a->left) {
        a->next = g_malloc(BLOCK);
        a->left = BLOCK;
        g_ptr_array_add(a->blocks, a->next);
    }
    uint8_t *p = a->next;
    a->next += n;
    a->left -= n;
    return p;
}

plan_bound plan_arena_bound(plan_arena *a, const bson_t *doc)
{
    uint8_t *p = take(a, doc->len);
    memcpy(p, bson_get_data(doc), doc->len);
    return p;
}

char *plan_arena_text(plan_arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = (char *)take(a, n);
    memcpy(p, s, n);
    return p;
}
