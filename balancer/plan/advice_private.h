// SPDX-License-Identifier: Apache-2.0
/* advice_private.h - facts that the pieces of advice are made from, gathered once.
 * Owns: those facts. Never: included outside of advice*.c.
 */
#pragma once

#include "balancer/plan/advice.h"

enum { ADVICE_JUMBO_SHOWN = 5, ADVICE_MERGE_SHOWN = 3 };

/* Of the whole cluster. Arrays per shard. */
struct advisor {
    plan *p;
    const cluster *cl;
    const struct plan_options *opt;
    const estimate *est;
    bool *stays;         /* not draining, in the metadata or by an option */
    bool *takes;         /* stays, may receive by the configuration, and is not full */
    bool *closed;        /* the configuration keeps it from receiving */
    bool *full;          /* its limit is reached */
    int64_t *max_bytes;  /* the limit, of the configuration or else maxSize; 0: none known */
    int64_t *held;       /* data of all collections; SIZE_UNKNOWN where some are not known */
    int64_t *zone_bytes; /* per zone: data of all collections, as far as known */
    double *busy; /* [collection * n_shards + shard]: seconds of planned migrations; NULL: not asked for */
};

/* A zone with ranges in one collection, or the chunks of no zone. Arrays per shard. */
struct slot_facts {
    uint32_t zone;
    const int64_t *chunks, *bytes;
};

/* Of one collection that takes part in balancing. */
struct coll_facts {
    const struct plan_collection *pc;
    const struct collection *coll;
    int64_t max_chunk_bytes;

    int64_t jumbo;
    int64_t jumbo_bytes; /* SIZE_UNKNOWN unless each was measured */
    int64_t *jumbo_on;   /* per shard */
    uint32_t jumbo_first[ADVICE_JUMBO_SHOWN];

    bool merge_by_size;   /* a merged chunk must not be over the chunk size */
    int64_t merged;       /* chunks, were all that can be merged merged */
    int64_t *mergeable;   /* per shard: chunks that would go into their neighbour below */
    uint32_t merge_first; /* the first that would go into its neighbour; UINT32_MAX: none */
    uint32_t merge_end;   /* the first behind it that would not */

    uint32_t newer; /* chunks whose version is not below that of the last one */

    uint32_t n_slots; /* the last: no zone */
    struct slot_facts *slots;
    int64_t *tallies; /* what the slots point into */
};

/* Adds one piece of advice; `commands` may be NULL. All texts are copied; names in them are escaped already.
 */
void advice_add(struct advisor *a, const char *code, const struct collection *coll, uint16_t shard,
                const char *message, const char *todo, const char *commands);

/* "12 chunks", "1 chunk". */
void advice_say_n(GString *s, int64_t n, const char *thing);
/* A name made printable. */
void advice_say_name(GString *s, const char *name);
/* "shard0 and shard1", "a, b, c and 5 more" of those shards for which `in` holds. */
void advice_say_shards(GString *s, const cluster *cl, const bool *in);
/* The key pattern, "{ userId: 1 }". */
void advice_say_key(GString *s, const struct collection *coll);
/* Appends `db.adminCommand({NAME: "ns"`, to be gone on with; a line break before it where it is not first. */
void advice_command(GString *s, const char *name, const struct collection *coll);
/* Appends `bounds: [{...}, {...}]` from the min of `first` to the min of `end`. */
void advice_bounds(GString *s, const struct collection *coll, uint32_t first, uint32_t end);

/* The server is of that release or newer, or of none that is known. */
bool advice_may(const struct advisor *a, int major, int minor);

/* The codes. */
void advice_reshard(struct advisor *a, const struct coll_facts *f);   /* reshardFaster */
void advice_ascending(struct advisor *a, const struct coll_facts *f); /* ascendingKey */
void advice_jumbo(struct advisor *a, const struct coll_facts *f);     /* jumbo */
void advice_zones(struct advisor *a, const struct coll_facts *f);     /* zoneCannotBeMet, by collection */
void advice_merge(struct advisor *a, const struct coll_facts *f);     /* mergeWouldHelp */
void advice_sizes(struct advisor *a, const struct coll_facts *f);     /* unevenChunkSizes */
void advice_zone_room(struct advisor *a);                             /* zoneCannotBeMet, data over room */
