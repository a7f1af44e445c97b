// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/colouring_private.h"

#include <string.h>

enum {
    ROWS_MAX = 1 << 26, /* entries, 128 MiB: for the vertices of the most edges */
    BITS_MAX = 1 << 28, /* 32 MiB, likewise */
    SLOTS_MIN = 64,
};

static uint64_t bit(uint32_t c)
{
    return UINT64_C(1) << (c % 64);
}

/* --- rows --- */

static size_t words_for(size_t bits)
{
    return (bits + 63) / 64;
}

static void give_rows(struct mates *m, uint32_t room)
{
    uint32_t n = 0;
    for (uint32_t v = 0; v < m->n; v++)
        n += m->row[v] != NULL;
    uint16_t *rows = g_new(uint16_t, (size_t)n * room), *to = rows;
    memset(rows, 0xff, sizeof(uint16_t) * n * room); /* MATE_NONE */
    for (uint32_t v = 0; v < m->n; v++) {
        if (m->row[v] == NULL)
            continue;
        memcpy(to, m->row[v], sizeof(uint16_t) * m->colours);
        m->row[v] = to;
        to += room;
    }
    g_free(m->row_memory);
    m->row_memory = rows;
}

static void give_bits(struct mates *m, uint32_t room)
{
    const size_t words = words_for(room), each = words + words_for(words);
    uint32_t n = 0;
    for (uint32_t v = 0; v < m->n; v++)
        n += m->free[v] != NULL;
    uint64_t *bits = g_new0(uint64_t, n * each), *to = bits;
    for (uint32_t v = 0; v < m->n; v++) {
        if (m->free[v] == NULL)
            continue;
        if (m->colours > 0) {
            memcpy(to, m->free[v], sizeof(uint64_t) * words_for(m->colours));
            memcpy(to + words, m->some[v], sizeof(uint64_t) * words_for(words_for(m->colours)));
        }
        m->free[v] = to;
        m->some[v] = to + words;
        to += each;
    }
    g_free(m->free_memory);
    m->free_memory = bits;
}

static void make_room(struct mates *m, uint32_t room)
{
    give_rows(m, room);
    give_bits(m, room);
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

/* The lowest degree such that there is memory for all vertices from there on. */
static uint32_t least_degree(const struct multigraph *g, uint32_t room, uint64_t entries_max)
{
    g_autofree uint32_t *n_of = g_new0(uint32_t, (size_t)room + 1); /* no degree is above the colours */
    for (uint32_t v = 0; v < g->n; v++)
        n_of[g->degree[v]]++;
    uint64_t n = 0;
    uint32_t degree = room;
    while (degree > 0 && (n + n_of[degree]) * room <= entries_max)
        n += n_of[degree--];
    return degree + 1;
}

void mates_init(struct mates *m, const struct multigraph *g, uint32_t room)
{
    static uint16_t a_row; /* say which vertices are to have them */
    static uint64_t bits;
    const uint32_t for_row = least_degree(g, room, ROWS_MAX), for_bits = least_degree(g, room, BITS_MAX);
    *m = (struct mates){.n = g->n, .mask = SLOTS_MIN - 1, .slot = g_new0(uint64_t, SLOTS_MIN)};
    m->row = g_new0(uint16_t *, g->n);
    m->free = g_new0(uint64_t *, g->n);
    m->some = g_new0(uint64_t *, g->n);
    m->low = g_new0(uint32_t, g->n);
    for (uint32_t v = 0; v < g->n; v++) {
        m->row[v] = g->degree[v] >= for_row ? &a_row : NULL;
        m->free[v] = g->degree[v] >= for_bits ? &bits : NULL;
    }
    make_room(m, room);
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
    if (m->row[v] != NULL)
        m->row[v][c] = mate;
    else
        mates_put_slot(m, v, c, mate);
    if (mate != MATE_NONE && m->free[v] != NULL)
        clear_free(m, v, c);
    else if (m->free[v] != NULL)
        set_free(m, v, c);
    else if (mate == MATE_NONE)
        m->low[v] = MIN(m->low[v], c);
}

/* --- whole colours --- */

void mates_add_colours(struct mates *m, uint32_t n)
{
    const uint32_t first = m->colours;
    if (first + n > m->room)
        make_room(m, first + n + m->room / 8 + 8);
    m->colours += n;
    for (uint32_t v = 0; v < m->n; v++)
        for (uint32_t c = first; m->free[v] != NULL && c < m->colours; c++)
            set_free(m, v, c);
}

void mates_double(struct mates *m)
{
    const uint32_t colours = m->colours;
    mates_add_colours(m, colours);
    for (uint32_t v = 0; v < m->n; v++)
        for (uint32_t c = 0; m->row[v] != NULL && c < colours; c++)
            if (m->row[v][c] != MATE_NONE)
                mates_put(m, v, c + colours, m->row[v][c]);
    size_t n = m->n_slots;
    g_autofree uint64_t *entries = mates_copy_slots(m);
    for (size_t i = 0; i < n; i++)
        mates_put(m, (uint32_t)(entries[i] >> 48), (uint32_t)(entries[i] >> 16) + colours,
                  (uint16_t)entries[i]);
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
        if (m->free[v] != NULL)
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

static uint32_t common_by_bits(struct mates *m, uint32_t u, uint32_t v)
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

/* The first from `c` on that is free; `colours` if none. */
static uint32_t free_by_bits(const struct mates *m, uint32_t v, uint32_t c)
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
    return m->free[v] != NULL ? free_by_bits(m, v, c) : free_in_table(m, v, c);
}

uint32_t mates_common(struct mates *m, uint32_t u, uint32_t v)
{
    if (m->free[u] != NULL && m->free[v] != NULL)
        return common_by_bits(m, u, v);
    /* Bits tell free colours the fastest; a vertex without has few that are not free. */
    const uint32_t x = m->free[u] != NULL ? u : v, y = x == u ? v : u;
    uint32_t c = m->low[y];
    if (m->free[x] != NULL)
        c = MAX(c, first_some(m, x, (uint32_t)words_for(words_for(m->colours))) * 64 * 64);
    for (c = free_at_or_after(m, x, c); c < m->colours; c = free_at_or_after(m, x, c + 1))
        if (mates_get(m, y, c) == MATE_NONE)
            return c;
    return m->colours;
}

uint32_t mates_free_from(struct mates *m, uint32_t v, uint32_t c)
{
    uint32_t found = free_at_or_after(m, v, c);
    return found < m->colours ? found : free_at_or_after(m, v, 0);
}

/* --- all of it --- */

uint64_t *mates_list(const struct mates *m, size_t n_edges)
{
    uint64_t *list = g_new(uint64_t, n_edges);
    g_autofree uint64_t *entries = mates_copy_slots(m);
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
