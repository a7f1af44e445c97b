// SPDX-License-Identifier: Apache-2.0
/* text_parts.h - the parts of a text report, for text.c only.
 * Each part begins with an empty line of its own and prints nothing where it has nothing to say.
 * Never: sees the source or the style; those are in the page.
 */
#pragma once

#include "balancer/plan/plan.h"
#include "balancer/report/keyspace.h"
#include "balancer/report/page.h"

#include <glib.h>
#include <stdint.h>

/* "18.2 MiB", or "?" where not known. Caller frees. */
char *parts_bytes(int64_t bytes);

/* A foreign name, at most `max` columns wide (0: whole); "-" for a shard that is none. Caller frees. */
char *parts_shard(const struct page *pg, const plan *p, uint16_t shard, unsigned max);

/* "… 318 more; --all shows them", where there are more. */
void parts_more(struct page *pg, unsigned indent, int64_t n, const char *thing);
/* The same with the words as they are to stand there. */
void parts_more_of(struct page *pg, unsigned indent, int64_t n, const char *things);

void parts_collections(struct page *pg, const plan *p); /* tables, then what is balanced or left out */
void parts_space(struct page *pg, const plan *p);       /* what shards hold at the peak */
void parts_zone_change(struct page *pg, const plan *p); /* its preview */
void parts_splits(struct page *pg, const plan *p);
void parts_migrations(struct page *pg, const plan *p);
void parts_blocked(struct page *pg, const plan *p);

/* What each shard holds before and after: of the cluster, where several collections change; of one
 * collection. */
void parts_shards(struct page *pg, const plan *p);
void parts_shard_table(struct page *pg, const plan *p, const struct plan_collection *c);

/* The key space of one collection: a line with its zones, one with what moves; nothing where there is
 * neither, or where its chunks are not known. `told`: which of the two scales were explained already. */
struct strip_scales {
    bool bytes, chunks;
};
void parts_strip(struct page *pg, const plan *p, const struct plan_collection *c,
                 const struct moves_by_collection *moves, struct strip_scales *told);
