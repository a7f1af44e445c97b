// SPDX-License-Identifier: Apache-2.0
/* optimal_private.h - what the steps of the policy `optimal` share; for optimal*.c only.
 * One collection after the other: its state and goals (optimal_goal.c), how much of each zone goes from where
 * to where (optimal_amounts.c), which chunks (optimal_choose.c), to whom (optimal_assign.c), then what can be
 * bettered (optimal_mend.c), or, of few chunks, all there is tried (optimal_exact.c). At the end the totals
 * over all collections, if they are to be even (optimal_total.c).
 */
#pragma once

#include "balancer/policy/whole.h"

/* What a shard may do with chunks of a slot. */
enum {
    FIT_KEEP = 1 << 0,
    FIT_TAKE = 1 << 1,
    FIT_LEAVE = 1 << 2 /* they must go, and somebody may take them */
};

/* A chunk, or a part of one, that was chosen to go. */
struct item {
    uint32_t chunk, part; /* parts count from the chunk's lower end */
    int64_t bytes;
    uint32_t slot;
    uint16_t from, to; /* SHARD_NONE: not assigned yet */
    bool forced;       /* it must leave, whatever the loads */
    bool for_total;    /* as in struct whole_move */
};

struct coll_state {
    const struct whole_facts *facts;
    const struct whole_collection *in;
    const placement *p;
    uint32_t number, n_slots;
    uint16_t n;       /* shards */
    int64_t *movable; /* [slot * n + shard]: bytes of chunks that may move */
    uint8_t *fit;     /* the same: FIT_... */
    bool *may_hold;   /* the same: keeps and counts in the sharing */
    bool *unknown;    /* per shard: the size there is not known */
    int64_t *fixed;   /* per shard: what cannot move */
    int64_t *load;    /* per shard: now, kept up as items are assigned */
    /* Per shard, shared by all collections: what may still arrive (INT64_MAX: no limit), whether there is a
     * limit, and the migrations that it takes part in so far. */
    int64_t *room;
    const bool *limited;
    uint32_t *degree;
    int64_t *amount;    /* [slot * n + shard]: movable bytes wanted at the end */
    int64_t largest;    /* that a donor moves, bytes */
    uint32_t n_movable; /* chunks that may move */
    uint32_t n_leaving; /* chunks that must go */
    int64_t unit;       /* all movable chunks have this size; 0: they have not */
    bool counts_chunks; /* the threshold is one of chunks of one size, as the built-in's of this version */
    bool cut_short;     /* chunks of too many parts: there is more to move than items */
    bool is_spread;     /* it is uneven by its threshold, whatever must go besides */
    bool rival_fits;    /* the rival's end is within the threshold */
    int64_t threshold;  /* a difference between two shards that is worth a migration, bytes */
    struct whole_goal *goal;
    GArray *items; /* struct item */
};

static inline size_t cell_of(const struct coll_state *c, uint32_t slot, uint16_t shard)
{
    return (size_t)slot * c->n + shard;
}

/* Whether the chunk may be moved at all: it is not jumbo; and if it must leave, somebody may take it, else
 * its shard's size is known, and it is not too large. */
bool optimal_may_go(const struct coll_state *c, uint32_t chunk);
/* How many migrations a chunk takes, and the size of one part of it. */
uint32_t optimal_parts(const struct coll_state *c, uint32_t chunk);
int64_t optimal_part_bytes(const struct coll_state *c, uint32_t chunk, uint32_t part);

/* What the collections of a cluster share. */
struct common {
    int64_t *room;
    bool *limited;
    uint32_t *degree;
};

/* optimal_goal.c. `common` is borrowed. */
void optimal_state_init(struct coll_state *c, const struct whole_facts *facts, uint32_t number,
                        const struct common *common, struct whole_goal *goal);
void optimal_state_clear(struct coll_state *c);
/* Targets, band, whether anything is to be done. */
void optimal_set_goal(struct coll_state *c);
/* How far a load is outside of its band, bytes; draining shards have none. */
int64_t optimal_miss(const struct coll_state *c, uint16_t shard, int64_t load);

/* optimal_amounts.c: fills c->amount; returns how many bytes that moves. */
int64_t optimal_amounts(struct coll_state *c);

/* optimal_choose.c: appends to c->items what goes, without recipients. */
void optimal_choose(struct coll_state *c);

/* optimal_assign.c: finds a recipient for each item; those that find none, or better nothing, are taken out.
 */
void optimal_assign(struct coll_state *c);
struct item optimal_item(const struct coll_state *c, uint32_t chunk, uint32_t part, int64_t bytes);
/* Takes recipients from all items, and the items out. */
void optimal_take_all_back(struct coll_state *c);
bool optimal_has_room(const struct coll_state *c, uint16_t shard, const struct item *it);
/* Gives an item a recipient, and takes it from it again; loads and room follow. */
void optimal_place(struct coll_state *c, struct item *it, uint16_t to);
void optimal_unplace(struct coll_state *c, struct item *it);
/* Takes the items without a recipient out; of a chunk in parts the higher parts, too. Items of a chunk stand
 * together, parts upwards. */
void optimal_drop_unplaced(struct coll_state *c);

/* optimal_mend.c: takes back what need not go, exchanges, adds, as long as it gets better. */
void optimal_mend(struct coll_state *c);

/* By chunk, parts upwards. */
void optimal_sort_items(struct coll_state *c);

/* optimal_rival.c: sets goal->behind and goal->outdone; takes the rival's end in place of c->items, where it
 * is a measure. */
void optimal_compare_rival(struct coll_state *c);
void optimal_take_rival(struct coll_state *c);

/* optimal_exact.c: of few chunks (at most so many ways), the best of all ways in place of c->items. */
void optimal_exact(struct coll_state *c, double ways);

/* optimal_total.c: further items in any collection, so that the totals over all of them get even. `room`:
 * what may arrive on each shard before anything moves. Returns the bytes that must leave the fullest shards.
 */
int64_t optimal_even_totals(struct coll_state *states, uint32_t n, const struct whole_facts *facts,
                            const int64_t *room);
