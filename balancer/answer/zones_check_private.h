// SPDX-License-Identifier: Apache-2.0
/* zones_check_private.h - what the parts of the zone check share: findings under way, and one stored range.
 * Never: included outside the zone check.
 */
#pragma once

#include "balancer/answer/zones_check.h"

#include <bson/bson.h>

enum { SHOWN_MAX = 80, FIX_MAX = 10 }; /* characters of a bound in a sentence; commands of one fix */

/* One document of config.tags; all borrowed from it but the encodings. */
struct stored_range {
    guint index;
    const bson_t *doc;
    const char *ns, *zone;              /* NULL: not readable */
    const uint8_t *min_data, *max_data; /* NULL: not readable */
    uint32_t min_len, max_len;
    GBytes *enc_min, *enc_max; /* extended; NULL where that cannot be done */
    bool full;                 /* both bounds have every field of the key */
};

struct check {
    const cluster *cl;
    GArray *findings;
};

/* Adds a finding; `r` (may be NULL) gives place and zone. The result may be filled further until the next
 * call. */
struct zone_finding *finding_add(struct check *k, enum zone_severity severity, const char *code,
                                 const char *ns, const struct stored_range *r, const char *fmt, ...)
    G_GNUC_PRINTF(6, 7);

/* Appends "[{ a: 1 }, { a: 5 })". */
void range_append(GString *out, const struct stored_range *r);

/* Borrowed views of the stored bounds. */
void range_min(const struct stored_range *r, bson_t *ret_static);
void range_max(const struct stored_range *r, bson_t *ret_static);

/* Commands. Those that set or remove by the server's own command need full bounds with min below max. */
char *fix_remove(const struct stored_range *r);
char *fix_delete(const struct stored_range *r);
char *fix_set(const char *ns, const bson_t *min, const bson_t *max, const char *zone);
char *fix_split(const char *ns, const bson_t *at);
char *fix_add_shard(const char *shard, const char *zone);

/* Checks one range by itself and fills its encodings where it is sound. */
void check_range(struct check *k, const struct collection *coll, struct stored_range *r);

/* Checks the ranges of one collection (struct stored_range *) against each other. */
void check_overlaps(struct check *k, const struct collection *coll, GPtrArray *ranges);

/* Checks the chunks of a collection against its ranges. */
void check_chunks(struct check *k, const struct collection *coll);
