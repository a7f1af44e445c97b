// SPDX-License-Identifier: Apache-2.0
/* steps.h - the steps that `count` and `size` have in common: draining shards, then zone violations.
 * Owns: which chunk goes first and where, for moves that no threshold governs.
 * Never: looks at evenness; that is each policy's own file.
 */
#pragma once

#include "balancer/policy/policy.h"

struct step_rules {
    enum load_unit unit;
    bool skip_draining_violators; /* the newest generation: a draining shard is left out after the drain step
                                   */
    bool open_max;                /* send min only */
    bool drain_forces_jumbo;
};

/* For each free draining shard, the lowest movable chunk for whose zone a receiver exists; no threshold. */
void step_drain(const struct round_facts *facts, const struct step_rules *rules, const placement *p,
                GArray *moves);

/* For each free shard, the lowest movable chunk in a zone that the shard does not carry and for which a
 * receiver exists. */
void step_zone_violations(const struct round_facts *facts, const struct step_rules *rules, const placement *p,
                          GArray *moves);

/* Appends the move, the donor no longer counted among the receivers, and takes both its shards out of the
 * free set. */
void step_choose(const struct round_facts *facts, const placement *p, enum load_unit unit, GArray *moves,
                 struct move m);

/* How much of an entry goes. Where the donor picks the end of the range (facts->cut_large), it cuts about M
 * off a larger chunk, halves one between 4/3 M and 1.8 M, and takes anything smaller whole; else all goes. */
int64_t step_bytes(const struct round_facts *facts, const placement *p, uint32_t entry);
