// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/heap.h"

static struct heap_item *items(const GArray *heap)
{
    return (struct heap_item *)(void *)heap->data;
}

void heap_push(GArray *heap, int64_t key, uint32_t value)
{
    const struct heap_item added = {key, value};
    g_array_append_val(heap, added);
    struct heap_item *h = items(heap);
    guint at = heap->len - 1;
    for (; at > 0 && h[(at - 1) / 2].key > key; at = (at - 1) / 2)
        h[at] = h[(at - 1) / 2];
    h[at] = added;
}

void heap_pop(GArray *heap)
{
    struct heap_item *h = items(heap);
    const struct heap_item last = h[heap->len - 1];
    const guint n = heap->len - 1;
    g_array_set_size(heap, n);
    guint at = 0;
    for (guint child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && h[child + 1].key < h[child].key)
            child++;
        if (h[child].key >= last.key)
            break;
        h[at] = h[child];
        at = child;
    }
    if (n > 0)
        h[at] = last;
}
