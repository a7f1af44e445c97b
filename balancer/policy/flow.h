// SPDX-License-Identifier: Apache-2.0
/* flow.h - a network with capacities and costs, and the cheapest way to send through it as much as it takes.
 * Owns: nodes, arcs, the flow found. Never: knows shards or zones, or draws a random number: the same arcs in
 * the same order give the same flow. Source: the primal-dual method for minimum-cost flow (shortest paths by
 * Dijkstra on reduced costs, then Dinic's blocking flows on the arcs of reduced cost zero); Ahuja, Magnanti,
 * Orlin, "Network Flows", chapters 7 and 9.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define FLOW_UNBOUNDED (INT64_MAX / 4)

typedef struct flow flow;

/* Nodes are 0 .. n_nodes - 1. Arcs with negative costs are allowed, circles of negative cost are not. */
flow *flow_new(uint32_t n_nodes);
void flow_free(flow *f); /* NULL accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(flow, flow_free)

/* Adds an arc, `capacity` >= 0; returns its number. Costs are per unit; the sum of the costs of a path has to
 * stay below 2^61. */
uint32_t flow_add(flow *f, uint32_t from, uint32_t to, int64_t capacity, int64_t cost);

/* Sends as much as possible from `source` to `sink` at the least cost; returns how much. */
int64_t flow_solve(flow *f, uint32_t source, uint32_t sink);

/* Through one arc. */
int64_t flow_through(const flow *f, uint32_t arc);

/* Whether anything more could come from the source to `node`, after flow_solve(): the source's side of a
 * least cut. */
bool flow_reached(const flow *f, uint32_t node);
