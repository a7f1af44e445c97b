// SPDX-License-Identifier: Apache-2.0
/* colouring.h - rounds as an edge colouring: shards are vertices, migrations edges, rounds colours.
 * Owns: which migrations run together. Never: knows of chunks, bytes or time; leaves anything to chance.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One migration. Both ends are less than the number of vertices, and differ; which is which does not matter.
 * There may be many edges between the same two. */
struct colouring_edge {
    uint16_t a, b;
};

/* No colouring has fewer colours than this: a shard takes part in one migration at a time (the largest
 * degree), and among the shards of an odd set S at most floor(|S|/2) run at once (the edges inside S over
 * that, rounded up). Exact where the graph is bipartite, and where what odd sets can be in has connected
 * parts of up to 256 vertices (unless light cuts fall into more than 64 pieces); else odd sets are looked for
 * where they are likely, and the bound, though valid, may be too low. At most UINT32_MAX / 2 edges. */
uint32_t colouring_bound(uint16_t n_vertices, const struct colouring_edge *edges, size_t n_edges);

/* Colours the edges: `ret_colour[i]`, below the number returned, is the one of `edges[i]`; edges that share a
 * vertex differ. Where the graph is bipartite, whatever its sides (they need not be donors and recipients),
 * the number returned is the largest degree, exactly. Else it is colouring_bound(), where a bounded search
 * finds such a colouring; or one more, which always exists (the theorem of Goldberg and Seymour); and should
 * even the search for that be given up, as many more as it takes: it never fails. Of edges between the same
 * two vertices the lower index has the lower colour; the first colours have the most edges. Memory: some 100
 * bytes a vertex and edge, and tables of at most 200 MiB. */
uint32_t colouring_find(uint16_t n_vertices, const struct colouring_edge *edges, size_t n_edges,
                        uint32_t *ret_colour);
