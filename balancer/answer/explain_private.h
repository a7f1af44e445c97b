// SPDX-License-Identifier: Apache-2.0
/* explain_private.h - what the three kinds of explanation share.
 * Never: included outside of them.
 */
#pragma once

#include "balancer/answer/explain.h"
#include "balancer/plan/projection.h"
#include "balancer/plan/why.h"

/* One explanation under way: a projection at rest, in which all shards are free. */
struct asking {
    const cluster *cl;
    struct plan scratch; /* takes the projection's warnings, which are not told here */
    struct projection pr;
    const struct coll_projection *c;
    struct round_facts facts;
    plan *whole; /* under a policy that has solve(): the whole way of all collections; else NULL */
    explanation *out;
};

bool asking_init(struct asking *a, const cluster *cl, const struct plan_options *opt, const char *ns,
                 enum explain_kind kind, struct err *err);
/* Takes the explanation out. */
explanation *asking_end(struct asking *a);

/* Adds a rule; the subject is copied. */
void asking_rule(struct asking *a, const char *code, enum explain_answer answer, const char *subject,
                 const char *fmt, ...) G_GNUC_PRINTF(5, 6);
void asking_outcome(struct asking *a, enum explain_answer answer, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* The rules about the collection as a whole; false: it is left out, and the outcome says so. */
bool asking_gates(struct asking *a);

/* Whether zone bounds cut chunks; false: they do and never will be split, and the outcome says so. */
bool asking_bounds(struct asking *a);

/* "'EU'", or "no zone". */
char *slot_name(const struct asking *a, uint32_t slot);
/* The zone's name for a rule's subject; NULL where the collection has no zones. */
const char *slot_subject(const struct asking *a, uint32_t slot);
/* Adds the rule `imbalance` of one slot. */
void asking_evenness(struct asking *a, uint32_t slot);

const char *receiver_text(enum receiver_verdict v);

/* All moves that the policy picks for this collection alone with all shards free (struct move). */
GArray *asking_pick(struct asking *a);
/* "[min, max) from shard0 to shard1: why". Caller frees. */
char *move_text(const struct asking *a, const struct move *m);

/* explain_whole.c: under a policy that has solve(), in place of the rules about the next migration. */
/* Makes the plan, where the policy is such a one. */
bool whole_prepare(struct asking *a, const struct plan_options *opt, struct err *err);
/* The rule `imbalance`, once for the collection. */
void whole_evenness(struct asking *a);
void whole_conclude(struct asking *a);
/* The rule `donor` of a chunk; true: its shard gives something. */
bool whole_donor(struct asking *a, uint16_t from);
/* The rule `chosen`. */
void whole_order(struct asking *a, uint32_t entry);
/* `stays`: why it stays, if it does; NULL: others were chosen. */
void whole_conclude_chunk(struct asking *a, uint32_t entry, const char *stays);
/* The rules `gives` and `gets`. */
void whole_shard(struct asking *a, uint16_t shard);
void whole_conclude_shard(struct asking *a, uint16_t shard);
