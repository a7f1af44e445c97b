// SPDX-License-Identifier: Apache-2.0
/* policy.h - what a balancing policy is: a small table of functions that picks one collection's migrations of
 * a round. Owns: the table, the facts that every policy is given (free shards, who may receive), and the
 * moves they return. Never: does I/O, reads a clock, draws an unseeded random number, or applies what it
 * picked. Source of `count` and `size`: MongoDB's own balancer, as described in docs/policies.md.
 */
#pragma once

#include "balancer/cluster/placement.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum load_unit { LOAD_CHUNKS, LOAD_BYTES };

enum move_reason { MOVE_DRAIN, MOVE_ZONE_VIOLATION, MOVE_IMBALANCE, MOVE_REASON_COUNT };
/* "drain", "zoneViolation", "imbalance". */
const char *move_reason_text(enum move_reason r);

/* What the operator's configuration changes of the built-in's rules; zeroed: nothing. Arrays per shard. */
struct policy_limits {
    const bool *no_receive;     /* shards.X.receive: false; NULL: all receive */
    const bool *full;           /* shards.X.maxBytes reached, kept up by the planner; NULL: none */
    int64_t threshold_chunks;   /* a donor must be this many over its share; 0: the built-in's rule */
    int64_t threshold_bytes;    /* donor less recipient, bytes; 0: three times the chunk size */
    double threshold_percent;   /* donor over its share, in per cent of the share; 0: not looked at */
    const double *weight;       /* capacity in relation to the others, for `optimal` */
    const int64_t *max_bytes;   /* what it may hold of everything; 0: no limit */
    const int64_t *shard_bytes; /* everything that it holds */
};

/* One round's facts, shared by all collections. */
struct round_facts {
    const cluster *cl;
    const uint16_t *shard_order; /* every shard once: the order in which ties are decided */
    const bool *draining;    /* per shard: draining in the metadata, or taken as such in this projection */
    const int64_t *arrived;  /* per shard: bytes that this projection moved there, net; NULL: none */
    bool *free;              /* per shard; a pick takes donor and recipient out */
    bool cut_large;          /* the donor picks the end of an open range (moveRange) */
    int64_t max_chunk_bytes; /* M of this collection */
    struct policy_limits limits;
};

/* How even one slot is. Loads are in the policy's unit: chunks of the slot, or bytes of the whole collection.
 */
enum even_verdict {
    EVEN_UNSHARED,    /* nobody shares the zone, or there is nothing to share */
    EVEN_BALANCED,    /* nobody who may give is over the share */
    EVEN_NO_RECEIVER, /* nobody else may receive */
    EVEN_RECEIVER_AT_SHARE,
    EVEN_BELOW_THRESHOLD,
    EVEN_ONLY_JUMBO, /* the donor has no chunk of the slot, or none that is not flagged */
    EVEN_MOVES
};
struct evenness {
    enum even_verdict verdict;
    uint16_t donor, recipient; /* SHARD_NONE: nobody */
    uint32_t entry;            /* what would go; only where it moves */
    int64_t donor_load, recipient_load;
    int64_t ideal;     /* the share */
    int64_t threshold; /* what the donor must be over its share (count) or over the recipient (size) by */
    uint32_t n_sharing, n_receivers;
};

/* A picked migration, with the numbers that decided. Loads are in the policy's unit, of this collection. */
struct move {
    uint32_t entry; /* of the placement */
    uint16_t from, to;
    enum move_reason reason;
    uint32_t zone; /* cluster zone number or ZONE_NONE */
    int64_t bytes; /* how much goes: the entry's size, or less where cut_large */
    bool force_jumbo;
    bool open_max;      /* min only: the donor picks the end */
    int64_t donor_load; /* drain, zoneViolation: chunks or bytes of the collection on the donor; imbalance by
                           count: of the zone */
    int64_t recipient_load;
    int64_t ideal;           /* imbalance only: the share it was measured against */
    int64_t recipient_ideal; /* `optimal` only: the recipient's share */
    uint32_t n_sharing;      /* imbalance only: shards that the share was computed over */
    uint32_t n_receivers;    /* shards that could have received, the recipient included, the donor not */
};

struct whole_facts;
struct whole_answer;

struct policy {
    const char *name; /* "count", "size", "optimal" */
    enum load_unit unit;
    const char *help; /* one line */
    /* Appends this collection's moves of the round to `moves` (struct move), in the order in which they were
     * chosen, and takes their shards out of facts->free. Changes nothing else. NULL in a policy that has
     * solve().
     */
    void (*pick)(const struct round_facts *facts, const placement *p, GArray *moves);
    /* How the policy looks at one slot for evenness, with the shards that are free now: what pick() goes by.
     */
    void (*judge)(const struct round_facts *facts, const placement *p, uint32_t slot, struct evenness *ret);
    /* NULL but in a policy that looks at the whole cluster at once (whole.h): all moves of the way to
     * balance, no chunk twice. pick() is then what it would do with the collection alone. `ret` is cleared by
     * the caller with whole_answer_clear(). */
    void (*solve)(const struct whole_facts *facts, struct whole_answer *ret);
};

extern const struct policy policy_count, policy_size, policy_optimal;

/* The table: adding a policy is one file and one line in it. */
extern const struct policy *const policies[];
extern const size_t n_policies;
/* By name, NULL where unknown. "auto" is resolved by policy_auto(). */
const struct policy *policy_find(const char *name);
/* `count` up to 6.0.2 (and where neither version nor layout speak of a newer one), `size` from 6.0.3. */
const struct policy *policy_auto(const cluster *cl);

/* The receiver rule: whether `shard` may receive a chunk of `zone` now. For explanations it is also told why
 * not. */
enum receiver_verdict {
    RECEIVER_OK,
    RECEIVER_BUSY, /* takes part in a migration of this round already */
    RECEIVER_DRAINING,
    RECEIVER_NOT_IN_ZONE,
    RECEIVER_FULL,        /* maxSize, or the configured maxBytes */
    RECEIVER_NOT_ALLOWED, /* configured not to receive */
    RECEIVER_SIZE_UNKNOWN
};
enum receiver_verdict policy_receiver(const struct round_facts *facts, const placement *p,
                                      enum load_unit unit, uint16_t shard, uint32_t zone);

/* The least loaded receiver for `zone` by the load of the whole collection, first in shard_order wins;
 * SHARD_NONE: nobody. `*ret_count` (may be NULL): how many could receive. */
uint16_t policy_least_loaded(const struct round_facts *facts, const placement *p, enum load_unit unit,
                             uint32_t zone, uint32_t *ret_count);

/* The share of one shard in a slot under a policy (see docs/policies.md): ideal load and number of shards
 * sharing. False: the policy would skip the zone (nobody shares it, or there is nothing to share). */
bool policy_share(const struct round_facts *facts, const placement *p, enum load_unit unit, uint32_t slot,
                  int64_t *ret_ideal, uint32_t *ret_sharing);
