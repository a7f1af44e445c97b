// SPDX-License-Identifier: Apache-2.0
/* evenness.h - the way in which `count` and `size` look at a slot: the fullest gives to the least loaded.
 * Owns: the order of the tests. Never: knows who may give or from when on; that is each policy's own.
 */
#pragma once

#include "balancer/policy/policy.h"

struct even_rules {
    enum load_unit unit;
    /* Whether a free shard may be the donor in this slot. */
    bool (*may_give)(const struct round_facts *facts, const placement *p, uint32_t slot, uint16_t shard);
    bool over_recipient; /* the threshold is a difference to the recipient, else to the share */
};

/* Judges one slot. */
void even_judge(const struct round_facts *facts, const struct even_rules *rules, const placement *p,
                uint32_t slot, struct evenness *ret);

/* Moves zone by zone, no zone last, as long as something moves. `open_max` as in struct move. */
void even_out(const struct round_facts *facts, const struct even_rules *rules, const placement *p,
              bool open_max, GArray *moves);
