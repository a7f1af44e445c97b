// SPDX-License-Identifier: Apache-2.0
/* Shared by simulate*.c. */
#pragma once

#include "balancer/plan/simulate.h"

struct sim_pair {
    uint16_t from, to;
    uint32_t n; /* moves */
};

struct sim {
    const struct sim_move *moves;
    uint32_t n;
    uint32_t n_shards; /* the highest number and one */
    struct sim_pair *pairs;
    uint32_t n_pairs;
    uint32_t *pair;                     /* of each move */
    uint32_t *pairs_at;                 /* n_shards + 1 offsets into `pairs_of` */
    uint32_t *pairs_of;                 /* of each shard, the pairs that it is in */
    int64_t *cost;                      /* of each move, microseconds, 1 at least: as the executor counts */
    int64_t *work;                      /* of each shard, microseconds */
    uint32_t *first_after, *next_after; /* of each move, those that wait for it; NULL: none waits for any */
    double least_seconds;               /* the shortest expected time */
};

/* A move under way. */
struct sim_ending {
    double at;
    uint32_t move;
};
/* simulate_heap.c: in a GArray of struct sim_ending; the first element is the one that ends first. */
void sim_push_ending(GArray *heap, struct sim_ending e);
struct sim_ending sim_pop_ending(GArray *heap);
