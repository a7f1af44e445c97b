// SPDX-License-Identifier: Apache-2.0
/* explain.h - why a collection, a chunk or a shard moves or does not move.
 * Owns: the rules in the order in which they are applied, each with a stable code, an answer, and a sentence
 * with the numbers and what would change it.
 * Never: decides: loads, shares, receivers and the outcome are the policy's own. Prints nothing.
 */
#pragma once

#include "balancer/plan/planner.h"
#include "common/err.h"

#include <bson/bson.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum explain_answer {
    EXPLAIN_YES, /* the rule allows a migration, or calls for one */
    EXPLAIN_NO,  /* it forbids one, or does not call for one */
    EXPLAIN_WAIT /* something else must happen first */
};
/* "YES", "NO", "WAIT". */
const char *explain_answer_text(enum explain_answer a);

struct explain_rule {
    const char *code; /* camelCase, stable */
    enum explain_answer answer;
    char *subject; /* the zone or the shard that the rule was applied to; NULL: all of it */
    char *why;
};

enum explain_kind { EXPLAIN_COLLECTION, EXPLAIN_CHUNK, EXPLAIN_SHARD };

typedef struct explanation {
    enum explain_kind kind;
    const struct collection *coll;
    const struct policy *policy;
    uint32_t chunk; /* of the model; kind chunk only */
    uint16_t shard; /* kind chunk: its owner; kind shard: that one */
    uint32_t zone;  /* kind chunk only; ZONE_NONE */
    GArray *rules;  /* struct explain_rule */
    enum explain_answer outcome;
    char *outcome_why;
} explanation;

/* `opt` is used as plan_make() uses it; the model must outlive the result. ERR_USAGE: no such collection. */
bool explain_collection(const cluster *cl, const struct plan_options *opt, const char *ns, explanation **ret,
                        struct err *err);

/* The chunk that holds `key`, a document of the shard key's first fields or all; missing ones count as
 * MinKey. ERR_USAGE: fields that are not the key's; ERR_DATA: damaged metadata. */
bool explain_chunk(const cluster *cl, const struct plan_options *opt, const char *ns, const bson_t *key,
                   explanation **ret, struct err *err);

/* One shard towards one collection. */
bool explain_shard(const cluster *cl, const struct plan_options *opt, const char *ns, const char *shard,
                   explanation **ret, struct err *err);

void explanation_free(explanation *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(explanation, explanation_free)
