// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/colouring_private.h"

/* Colours in a row are neighbours. */
static size_t slot_home(const struct mates *m, uint64_t key)
{
    uint64_t h = (key >> 19) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)((h >> 24) << 3 | (key >> 16 & 7)) & m->mask;
}

/* Where v's entry for c is, or the empty slot where it would be. */
static size_t slot_of(const struct mates *m, uint64_t key)
{
    size_t i = slot_home(m, key);
    while (m->slot[i] != 0 && m->slot[i] >> 16 != key >> 16)
        i = (i + 1) & m->mask;
    return i;
}

uint16_t mates_get_slot(const struct mates *m, uint32_t v, uint32_t c)
{
    uint64_t e = m->slot[slot_of(m, mates_pack(v, c, 0))];
    return e == 0 ? MATE_NONE : (uint16_t)e;
}

static void slots_grow(struct mates *m)
{
    uint64_t *old = m->slot;
    size_t n = m->mask + 1;
    m->mask = 2 * n - 1;
    m->slot = g_new0(uint64_t, 2 * n);
    for (size_t i = 0; i < n; i++)
        if (old[i] != 0)
            m->slot[slot_of(m, old[i])] = old[i];
    g_free(old);
}

/* Closes the gap, so that no search ends too early. */
static void slot_remove(struct mates *m, size_t gap)
{
    m->n_slots--;
    for (size_t i = (gap + 1) & m->mask; m->slot[i] != 0; i = (i + 1) & m->mask) {
        size_t home = slot_home(m, m->slot[i]);
        if (((i - home) & m->mask) >= ((i - gap) & m->mask)) {
            m->slot[gap] = m->slot[i];
            gap = i;
        }
    }
    m->slot[gap] = 0;
}

void mates_put_slot(struct mates *m, uint32_t v, uint32_t c, uint16_t mate)
{
    uint64_t key = mates_pack(v, c, mate);
    size_t i = slot_of(m, key);
    if (mate == MATE_NONE) {
        if (m->slot[i] != 0)
            slot_remove(m, i);
        return;
    }
    if (m->slot[i] == 0 && 2 * ++m->n_slots > m->mask) {
        slots_grow(m);
        i = slot_of(m, key);
    }
    m->slot[i] = key;
}

uint64_t *mates_copy_slots(const struct mates *m)
{
    uint64_t *copy = g_new(uint64_t, m->n_slots + 1);
    size_t n = 0;
    for (size_t i = 0; i <= m->mask; i++)
        if (m->slot[i] != 0)
            copy[n++] = m->slot[i];
    return copy;
}

void mates_sort(uint64_t *entries, size_t n, unsigned shift, uint32_t end)
{
    g_autofree size_t *next = g_new0(size_t, (size_t)end + 1);
    g_autofree uint64_t *from = g_memdup2(entries, n * sizeof(*entries));
    for (size_t i = 0; i < n; i++)
        next[(uint32_t)(from[i] >> shift) + 1]++;
    for (uint32_t k = 0; k < end; k++)
        next[k + 1] += next[k];
    for (size_t i = 0; i < n; i++)
        entries[next[(uint32_t)(from[i] >> shift)]++] = from[i];
}
