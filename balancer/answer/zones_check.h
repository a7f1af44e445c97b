// SPDX-License-Identifier: Apache-2.0
/* zones_check.h - every fault in the zone ranges of a cluster, each with its fix.
 * Owns: the faults, their codes, severities and words, and the mongosh commands that mend them.
 * Never: changes anything, prints. It reads the documents of config.tags as they are stored, because the
 * model keeps only ranges that are sound, and those extended to the full key.
 */
#pragma once

#include "balancer/cluster/cluster.h"

#include <glib.h>
#include <stdbool.h>

enum zone_severity { ZONE_ERROR, ZONE_WARNING, ZONE_INFO };
/* "error", "warning", "info". */
const char *zone_severity_text(enum zone_severity s);

struct zone_finding {
    enum zone_severity severity;
    const char *code; /* camelCase, stable */
    char *ns;         /* NULL: no collection */
    char *zone;       /* NULL: none in particular */
    char *place;      /* "tags[3] [{ a: 1 }, { a: 5 })", a shard, or a zone; NULL */
    char *message;
    GPtrArray *fix; /* char *: mongosh commands, in order; empty: nothing to type */
};

/* Findings in the order error, warning, info; inside of each in the order of the documents. `match` (NULL:
 * all) says which collections to look at. Elements are freed with the array. */
typedef bool zones_match(const char *ns, void *data);
GArray *zones_check(const cluster *cl, zones_match *match, void *data);

static inline const struct zone_finding *zones_finding(const GArray *a, guint i)
{
    return &g_array_index(a, struct zone_finding, i);
}
