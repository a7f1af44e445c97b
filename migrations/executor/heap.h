// SPDX-License-Identifier: Apache-2.0
/* heap.h - numbers in order of a key: the smallest on top.
 * Owns: a binary heap in a GArray of struct heap_item. Never: finds or removes anything but the top; who
 * keeps things in it that may become void asks at the top whether it still holds.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

struct heap_item {
    int64_t key;
    uint32_t value;
};

void heap_push(GArray *heap, int64_t key, uint32_t value);
/* Neither on an empty heap. */
static inline struct heap_item heap_top(const GArray *heap)
{
    return g_array_index(heap, struct heap_item, 0);
}
void heap_pop(GArray *heap);
