// SPDX-License-Identifier: Apache-2.0
/* colouring_private.h - shared by the files of the edge colouring.
 * Owns: multigraphs with their parallel edges counted, colourings under way. Never: is seen outside.
 */
#pragma once

#include "balancer/plan/colouring.h"

#include <glib.h>
#include <stdbool.h>

/* --- colouring_graph.c --- */

/* All edges between two vertices. */
struct multi_pair {
    uint16_t a, b;  /* a < b */
    uint32_t n;     /* edges, at least 1 */
    uint32_t first; /* their indices: order[first, first + n), ascending */
};

/* One connected component. Its vertices are numbered anew, in their order; pairs are sorted by (a, b). */
struct multigraph {
    uint32_t n, n_pairs;
    const struct multi_pair *pairs;
    const uint32_t *order; /* of the whole graph's edges */
    uint32_t *degree;      /* per vertex */
    uint32_t *start;       /* pairs at v: at[start[v], start[v + 1]) */
    uint32_t *at;
    bool bipartite;
};

typedef void multigraph_fn(const struct multigraph *g, void *data);

/* Calls `fn` for each component that has an edge, by its lowest vertex. */
void multigraph_each(uint16_t n_vertices, const struct colouring_edge *edges, size_t n_edges,
                     multigraph_fn *fn, void *data);

static inline uint32_t multi_other(const struct multi_pair *p, uint32_t v)
{
    return p->a == v ? p->b : p->a;
}

uint32_t multigraph_max_degree(const struct multigraph *g);

/* Edges whose ends have at most `colours` - 1 other edges between them can always be coloured last. Takes
 * such away, again and again: `mult` (per pair) keeps what is left. `ret_taken` (uint32_t pairs in the order
 * they went), unless NULL, is appended to: coloured in reverse, each finds a free colour. */
void multigraph_peel(const struct multigraph *g, uint32_t colours, uint32_t *mult, GArray *ret_taken);

/* --- colouring_bound.c --- */

uint32_t multigraph_bound(const struct multigraph *g);

/* --- colouring_cut.c --- */

/* Looks for an odd set of vertices with more than colours * floor(size / 2) edges inside, exactly. `weight`
 * is n x n, symmetric, zero on the diagonal, no row's sum above `colours`. ret_needed: the colours that such
 * a set needs, 0 if there is none. False where it was given up. */
bool odd_set_find(const uint32_t *weight, uint32_t n, uint32_t colours, uint32_t *ret_needed);

/* --- colouring_mates.c, colouring_table.c --- */

#define MATE_NONE UINT16_MAX

/* A partial colouring: who is at the other end of v's edge of a colour, and which colours are free at v. In
 * large graphs not every vertex can have a row of all colours: those of few edges share a hash table, and
 * those of the fewest have no bits either. */
struct mates {
    uint32_t n, colours, room; /* `room`: colours that there is memory for */
    uint16_t **row;            /* per vertex, then colour: its mate; NULL: in the table */
    uint64_t *
        *free; /* per vertex: a bit for each free colour, 0 from `colours` on; NULL: only the table tells */
    uint64_t **some; /* a bit for each word of those that is not 0 */
    uint32_t *low;   /* per vertex: all words of `some` below are 0; without bits: no colour below is free */
    uint16_t *row_memory;
    uint64_t *free_memory;
    uint64_t *slot; /* the table: mates_pack(), 0: empty */
    size_t mask, n_slots;
};

static inline uint64_t mates_pack(uint32_t v, uint32_t c, uint32_t mate)
{
    return (uint64_t)v << 48 | (uint64_t)c << 16 | mate;
}

/* --- colouring_table.c --- */

uint16_t mates_get_slot(const struct mates *m, uint32_t v, uint32_t c);
void mates_put_slot(struct mates *m, uint32_t v, uint32_t c, uint16_t mate);
/* The `n_slots` entries, in no order. */
uint64_t *mates_copy_slots(const struct mates *m);
/* Sorts entries by one part of them, stable: that from bit `shift` on, below `end`. */
void mates_sort(uint64_t *entries, size_t n, unsigned shift, uint32_t end);

/* --- colouring_mates.c --- */

void mates_init(struct mates *m, const struct multigraph *g, uint32_t room);
void mates_clear(struct mates *m);
/* `mate` MATE_NONE: the colour becomes free. */
void mates_put(struct mates *m, uint32_t v, uint32_t c, uint16_t mate);
/* Colours more, free everywhere. */
void mates_add_colours(struct mates *m, uint32_t n);
/* Every edge twice: in its colour c and in c + the number of colours before. */
void mates_double(struct mates *m);
/* Takes the colour with the fewest edges away; its edges are appended to `ret_edges` (struct colouring_edge).
 */
void mates_drop_colour(struct mates *m, GArray *ret_edges);
/* The lowest colour that is free at both; `colours` if none. */
uint32_t mates_common(struct mates *m, uint32_t u, uint32_t v);
/* The first colour from `c` on, around the end, that is free at v; `colours` if none. */
uint32_t mates_free_from(struct mates *m, uint32_t v, uint32_t c);
/* All edges, mates_pack(v, c, mate) with v < mate, ascending. n_edges: how many there are, all in all. */
uint64_t *mates_list(const struct mates *m, size_t n_edges);

static inline uint16_t mates_get(const struct mates *m, uint32_t v, uint32_t c)
{
    return m->row[v] != NULL ? m->row[v][c] : mates_get_slot(m, v, c);
}

static inline void mates_colour(struct mates *m, uint32_t u, uint32_t v, uint32_t c)
{
    mates_put(m, u, c, (uint16_t)v);
    mates_put(m, v, c, (uint16_t)u);
}

/* --- colouring_search.c --- */

struct search {
    struct mates m;
    uint64_t random; /* the state of a generator with a fixed seed */
    int64_t work;    /* steps that may still be spent on edges that resist */
};

/* Colours the edge u-v, recolouring others. False where the work allowed is spent: then an edge, maybe
 * another, is left out, and u-v is that one. */
bool search_place(struct search *s, uint32_t *u, uint32_t *v);

/* --- colouring_fill.c --- */

/* Renumbers colours, most edges first (equal: lowest edges first), and moves edges to lower ones that are
 * free. The colours that are left with edges. */
uint32_t fill_first(struct mates *m, const struct multigraph *g, size_t n_edges);
/* Calls for each edge's index with its colour; of those between the same two, lower indices with lower
 * colours. */
void fill_each(const struct mates *m, const struct multigraph *g, size_t n_edges,
               void (*fn)(uint32_t edge, uint32_t colour, void *data), void *data);
