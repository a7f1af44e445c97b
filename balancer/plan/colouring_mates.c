// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/colouring_private.h"

#include <stdlib.h>

#include <string.h>

enum {
    ROW_ENTRIES_MAX = 1 << 26, /* 128 MiB of rows: for the vertices of the most edges */
    SLOTS_MIN = 64,
};

static uint64_t bit(uint32_t c)
{
    return UINT64_C(1) << (c % 64);
}

/* --- the table --- */

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

static void put_slot(struct mates *m, uint32_t v, uint32_t c, uint16_t mate)
{
    uint64_t key = mates_pack(v, c, mate);
    size_t i = slot_of(m, key);
    if (mate == MATE_NONE) {
        m->low[v] = MIN(m->low[v], c);
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

/* A copy of the entries, for changes that would move them about. */
static uint64_t *copy_slots(const struct mates *m)
{
    uint64_t *copy = g_new(uint64_t, m->n_slots + 1);
    size_t n = 0;
    for (size_t i = 0; i <= m->mask; i++)
        if (m->slot[i] != 0)
            copy[n++] = m->slot[i];
    return copy;
}

/* --- rows --- */

static size_t words_for(size_t bits)
{
    return (bits + 63) / 64;
}

static void give_rows(struct mates *m, uint32_t room)
{
    const size_t words = words_for(room), each = words + words_for(words);
    uint32_t n_rows = 0;
    for (uint32_t v = 0; v < m->n; v++)
        n_rows += m->row[v] != NULL;
    uint16_t *rows = g_new(uint16_t, (size_t)n_rows * room);
    memset(rows, 0xff, sizeof(uint16_t) * n_rows * room); /* MATE_NONE */
    uint64_t *free = g_new0(uint64_t, n_rows * each), *to = free;
    for (uint32_t v = 0, i = 0; v < m->n; v++) {
        if (m->row[v] == NULL)
            continue;
        if (m->colours > 0) {
            memcpy(rows + (size_t)i * room, m->row[v], sizeof(uint16_t) * m->colours);
            memcpy(to, m->free[v], sizeof(uint64_t) * m->words);
            memcpy(to + words, m->some[v], sizeof(uint64_t) * words_for(m->words));
        }
        m->row[v] = rows + (size_t)i++ * room;
        m->free[v] = to;
        m->some[v] = to + words;
        to += each;
    }
    g_free(m->row_memory);
    g_free(m->free_memory);
    m->row_memory = rows;
    m->free_memory = free;
    m->words = words;
    m->room = room;
}

static void set_free(struct mates *m, uint32_t v, uint32_t c)
{
    m->free[v][c / 64] |= bit(c);
    m->some[v][c / 64 / 64] |= bit(c / 64);
    m->low[v] = MIN(m->low[v], c / 64 / 64);
}

static void clear_free(struct mates *m, uint32_t v, uint32_t c)
{
    uint64_t *word = &m->free[v][c / 64];
    *word &= ~bit(c);
    if (*word == 0)
        m->some[v][c / 64 / 64] &= ~bit(c / 64);
}

/* The lowest degree that has a row. */
static uint32_t least_for_row(const struct multigraph *g, uint32_t room)
{
    g_autofree uint32_t *n_of = g_new0(uint32_t, (size_t)room + 1); /* no degree is above the colours */
    for (uint32_t v = 0; v < g->n; v++)
        n_of[g->degree[v]]++;
    uint64_t n = 0;
    uint32_t degree = room;
    while (degree > 0 && (n + n_of[degree]) * room <= ROW_ENTRIES_MAX)
        n += n_of[degree--];
    return degree + 1;
}

void mates_init(struct mates *m, const struct multigraph *g, uint32_t room)
{
    static uint16_t a_row; /* says which vertices are to have one */
    const uint32_t least = least_for_row(g, room);
    *m = (struct mates){.n = g->n, .mask = SLOTS_MIN - 1, .slot = g_new0(uint64_t, SLOTS_MIN)};
    m->row = g_new0(uint16_t *, g->n);
    m->free = g_new0(uint64_t *, g->n);
    m->some = g_new0(uint64_t *, g->n);
    m->low = g_new0(uint32_t, g->n);
    for (uint32_t v = 0; v < g->n; v++)
        if (g->degree[v] >= least)
            m->row[v] = &a_row;
    give_rows(m, room);
}

void mates_clear(struct mates *m)
{
    g_free(m->row);
    g_free(m->free);
    g_free(m->some);
    g_free(m->low);
    g_free(m->row_memory);
    g_free(m->free_memory);
    g_free(m->slot);
}

void mates_put(struct mates *m, uint32_t v, uint32_t c, uint16_t mate)
{
    if (m->row[v] == NULL) {
        put_slot(m, v, c, mate);
        return;
    }
    m->row[v][c] = mate;
    if (mate == MATE_NONE)
        set_free(m, v, c);
    else
        clear_free(m, v, c);
}

/* --- whole colours --- */

void mates_add_colours(struct mates *m, uint32_t n)
{
    const uint32_t first = m->colours;
    if (first + n > m->room)
        give_rows(m, first + n + m->room / 8 + 8);
    m->colours += n;
    for (uint32_t v = 0; v < m->n; v++)
        for (uint32_t c = first; m->row[v] != NULL && c < m->colours; c++)
            mates_put(m, v, c, MATE_NONE);
}

static void double_row(struct mates *m, uint32_t v, uint32_t colours)
{
    memcpy(m->row[v] + colours, m->row[v], sizeof(uint16_t) * colours);
    for (uint32_t c = colours; c < 2 * colours; c++)
        if (m->row[v][c] == MATE_NONE)
            set_free(m, v, c);
}

void mates_double(struct mates *m)
{
    const uint32_t colours = m->colours;
    if (2 * colours > m->room)
        give_rows(m, 2 * colours + 8);
    for (uint32_t v = 0; v < m->n; v++)
        if (m->row[v] != NULL)
            double_row(m, v, colours);
    size_t n = m->n_slots;
    g_autofree uint64_t *entries = copy_slots(m);
    for (size_t i = 0; i < n; i++)
        put_slot(m, (uint32_t)(entries[i] >> 48), (uint32_t)(entries[i] >> 16) + colours,
                 (uint16_t)entries[i]);
    m->colours = 2 * colours;
}

static uint32_t smallest_colour(const struct mates *m)
{
    g_autofree uint32_t *n = g_new0(uint32_t, m->colours);
    for (uint32_t v = 0; v < m->n; v++)
        for (uint32_t c = 0; m->row[v] != NULL && c < m->colours; c++)
            n[c] += m->row[v][c] != MATE_NONE;
    for (size_t i = 0; i <= m->mask; i++)
        if (m->slot[i] != 0)
            n[(uint32_t)(m->slot[i] >> 16)]++;
    uint32_t min = 0;
    for (uint32_t c = 1; c < m->colours; c++)
        if (n[c] <= n[min])
            min = c;
    return min;
}

void mates_drop_colour(struct mates *m, GArray *ret_edges)
{
    const uint32_t c = smallest_colour(m), last = m->colours - 1;
    for (uint32_t v = 0; v < m->n; v++) {
        uint16_t w = mates_get(m, v, c);
        if (w != MATE_NONE && w > v) {
            struct colouring_edge e = {(uint16_t)v, w};
            g_array_append_val(ret_edges, e);
        }
        mates_put(m, v, c, mates_get(m, v, last));
        mates_put(m, v, last, MATE_NONE);
        if (m->row[v] != NULL)
            clear_free(m, v, last);
    }
    m->colours--;
}

/* --- free colours --- */

static uint32_t lowest(uint64_t word)
{
    return (uint32_t)__builtin_ctzll(word);
}

/* The first word of `some` that is not 0; their number, if none. */
static uint32_t first_some(struct mates *m, uint32_t v, uint32_t end)
{
    while (m->low[v] < end && m->some[v][m->low[v]] == 0)
        m->low[v]++;
    return m->low[v];
}

static uint32_t common_of_rows(struct mates *m, uint32_t u, uint32_t v)
{
    const uint32_t end = (uint32_t)words_for(words_for(m->colours));
    for (uint32_t i = MAX(first_some(m, u, end), first_some(m, v, end)); i < end; i++) {
        for (uint64_t both = m->some[u][i] & m->some[v][i]; both != 0; both &= both - 1) {
            uint32_t word = i * 64 + lowest(both);
            uint64_t free = m->free[u][word] & m->free[v][word];
            if (free != 0)
                return word * 64 + lowest(free);
        }
    }
    return m->colours;
}

/* The first from `c` on that is free in v's row; `colours` if none. */
static uint32_t free_in_row(const struct mates *m, uint32_t v, uint32_t c)
{
    uint32_t word = c / 64, i = word / 64;
    if (c >= m->colours)
        return m->colours;
    uint64_t free = m->free[v][word] & ~(bit(c) - 1);
    if (free != 0)
        return word * 64 + lowest(free);
    const uint32_t end = (uint32_t)words_for(words_for(m->colours));
    uint64_t some = m->some[v][i] & ~(bit(word) - 1) & ~bit(word);
    while (some == 0 && ++i < end)
        some = m->some[v][i];
    if (some == 0)
        return m->colours;
    word = i * 64 + lowest(some);
    return word * 64 + lowest(m->free[v][word]);
}

static uint32_t free_in_table(struct mates *m, uint32_t v, uint32_t c)
{
    const bool lowest = c <= m->low[v];
    c = MAX(c, m->low[v]);
    while (c < m->colours && mates_get_slot(m, v, c) != MATE_NONE)
        c++;
    if (lowest)
        m->low[v] = c;
    return c;
}

static uint32_t free_at_or_after(struct mates *m, uint32_t v, uint32_t c)
{
    return m->row[v] != NULL ? free_in_row(m, v, c) : free_in_table(m, v, c);
}

uint32_t mates_common(struct mates *m, uint32_t u, uint32_t v)
{
    if (m->row[u] != NULL && m->row[v] != NULL)
        return common_of_rows(m, u, v);
    /* Free colours of a row are told the fastest; without one, it has few that are not free. */
    const uint32_t x = m->row[u] != NULL ? u : v, y = x == u ? v : u;
    uint32_t c = m->low[y];
    if (m->row[x] != NULL)
        c = MAX(c, first_some(m, x, (uint32_t)words_for(words_for(m->colours))) * 64 * 64);
    for (c = free_at_or_after(m, x, c); c < m->colours; c = free_at_or_after(m, x, c + 1))
        if (mates_get_slot(m, y, c) == MATE_NONE)
            return c;
    return m->colours;
}

uint32_t mates_free_from(struct mates *m, uint32_t v, uint32_t c)
{
    uint32_t found = free_at_or_after(m, v, c);
    return found < m->colours ? found : free_at_or_after(m, v, 0);
}

/* --- all of it --- */

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

uint64_t *mates_list(const struct mates *m, size_t n_edges)
{
    uint64_t *list = g_new(uint64_t, n_edges);
    g_autofree uint64_t *entries = copy_slots(m);
    size_t n = 0, next = 0;
    mates_sort(entries, m->n_slots, 16, m->colours);
    mates_sort(entries, m->n_slots, 48, m->n);
    for (uint32_t v = 0; v < m->n; v++) {
        for (uint32_t c = 0; m->row[v] != NULL && c < m->colours; c++)
            if (m->row[v][c] != MATE_NONE && m->row[v][c] > v)
                list[n++] = mates_pack(v, c, m->row[v][c]);
        for (; next < m->n_slots && entries[next] >> 48 == v; next++)
            if ((uint16_t)entries[next] > v)
                list[n++] = entries[next];
    }
    g_assert(n == n_edges);
    return list;
}
