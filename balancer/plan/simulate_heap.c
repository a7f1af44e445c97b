// SPDX-License-Identifier: Apache-2.0
/* A binary heap: of moves under way, the one that ends first, then the one of the lower number. */
#include "balancer/plan/simulate_private.h"

static bool earlier(const struct sim_ending *a, const struct sim_ending *b)
{
    return a->at != b->at ? a->at < b->at : a->move < b->move;
}

void sim_push_ending(GArray *heap, struct sim_ending e)
{
    g_array_append_val(heap, e);
    struct sim_ending *h = (struct sim_ending *)(void *)heap->data;
    guint i = heap->len - 1;
    for (; i > 0 && earlier(&e, &h[(i - 1) / 2]); i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = e;
}

struct sim_ending sim_pop_ending(GArray *heap)
{
    struct sim_ending *h = (struct sim_ending *)(void *)heap->data;
    const struct sim_ending top = h[0], last = h[heap->len - 1];
    const guint n = heap->len - 1;
    g_array_set_size(heap, n);
    guint i = 0;
    for (guint child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && earlier(&h[child + 1], &h[child]))
            child++;
        if (!earlier(&h[child], &last))
            break;
        h[i] = h[child];
        i = child;
    }
    if (n > 0)
        h[i] = last;
    return top;
}
