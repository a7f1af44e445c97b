// SPDX-License-Identifier: Apache-2.0
/* whole.h - what a policy that looks at the whole cluster at once is given, and what it answers.
 * Owns: the two tables. Never: rounds, times, limits on a plan; those are the planner's.
 * Loads and amounts are bytes; where a collection's sizes are not known each chunk counts as one chunk size.
 */
#pragma once

#include "balancer/policy/policy.h"

/* Efforts: as even as the rival ends; ever nearer to the shares than that; at last the rival's own end, each
 * chunk moved there at once. */
enum { WHOLE_EFFORTS = 5 };

struct whole_collection {
    const placement *place; /* at rest: nothing moved in it yet; NULL: left out */
    int64_t max_chunk_bytes;
    int64_t threshold_bytes; /* the configuration's; 0: the built-in's rule */
    int64_t priority;
    /* The end of the built-in's own way, splits being the same, and what it moved to get there; NULL: not
     * known. */
    const placement *rival;
    int64_t rival_moved;
    uint8_t effort; /* how hard it is to outdo the rival, 0 to WHOLE_EFFORTS - 1 */
};

struct whole_facts {
    const cluster *cl;
    uint32_t n_collections; /* as cluster.collections */
    const struct whole_collection *collections;
    const bool *draining, *no_receive; /* per shard */
    const double *weight;              /* per shard */
    const int64_t *max_bytes;          /* per shard: what it may hold of everything; 0: no limit */
    const int64_t *shard_bytes;        /* per shard: everything there now, excluded collections too */
    bool cut_large;                    /* the donor picks the end of an open range (moveRange) */
    bool balance_cluster;              /* the total of all collections is to be even, too */
    bool nearer;                       /* ends a third as far from the shares as the thresholds ask */
    int64_t threshold_chunks;          /* 0: the built-in's rule */
    double threshold_percent;
};

/* A move of the way. Several of one chunk are its parts, from its lower end upwards in the order of the list.
 */
struct whole_move {
    uint32_t collection;
    struct move move; /* entry: the chunk; bytes: the part that goes, the rest last */
    bool hot;         /* the range that ends the key space, where ascending keys grow */
    bool for_total;   /* it evens the total of all collections */
};

/* Goals of one collection, per shard. */
struct whole_goal {
    double *target; /* its fair share, bytes */
    int64_t *low,
        *high; /* what it may hold at the end, both inclusive; the loads now where nothing is to do */
    bool behind, outdone; /* the rival ends as even as is asked, and is better on some measure, or on none */
    bool acts;            /* it is out of balance, or something of it must go */
};

struct whole_answer {
    GArray *moves;            /* struct whole_move, what comes first first */
    struct whole_goal *goals; /* per collection; zeroed where left out */
    uint32_t n_goals;
    bool cut_short;      /* more is to be moved than one plan tells: chunks of very many parts */
    int64_t lower_bytes; /* nobody who ends within the goals moves fewer */
};
void whole_answer_clear(struct whole_answer *a);
/* A goal with arrays for so many shards, zeroed. */
void whole_goal_init(struct whole_goal *g, uint16_t n_shards);
void whole_goal_clear(struct whole_goal *g);

/* Appends a move of which entry, from, to and bytes are given; all else follows from these. `for_total` as
 * in struct whole_move. */
void whole_add_move(const struct whole_facts *f, const struct whole_goal *goal, uint32_t collection,
                    struct move m, bool for_total, GArray *moves);
/* What is urgent first; moves of one chunk keep their order. */
void whole_sort_moves(const struct whole_facts *f, GArray *moves);

/* The largest chunk that a donor of this version does not refuse as too big (ChunkTooBig), in bytes; where it
 * cuts ranges itself, INT64_MAX. */
int64_t whole_largest(const struct whole_facts *f, uint32_t collection);
/* The range that ends the key space, where ascending keys grow. */
bool whole_is_hot(const placement *p, uint32_t chunk);
enum move_reason whole_reason(const struct whole_facts *f, uint16_t from, uint32_t zone);
/* Whether the donor chooses the end of a range of so many bytes at the lower end of the chunk. A range is
 * named by both its bounds only where its size was measured and is known to pass; else the donor takes what
 * it can, and the next plan sees what is left. */
bool whole_leaves_end_open(const struct whole_facts *f, uint32_t collection, uint32_t chunk, int64_t bytes);
