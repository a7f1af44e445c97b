// SPDX-License-Identifier: Apache-2.0
/* size - MongoDB's own balancer from 6.0.3, in its newest generation: each zone's shards brought within three
 * chunk sizes of each other, by the bytes of the whole collection. Donors carry the zone and are not
 * draining; donors are above the share and recipients below it; where the servers can, migrations give min
 * only and the donor picks the end. */
#include "balancer/policy/evenness.h"
#include "balancer/policy/steps.h"

static bool may_give(const struct round_facts *facts, const placement *p, uint32_t slot, uint16_t shard)
{
    return !facts->draining[shard] && p->shard_bytes[shard] >= 0 &&
           shard_has_zone(&facts->cl->shards[shard], p->slots[slot].zone);
}

static const struct even_rules evenness = {.unit = LOAD_BYTES, .may_give = may_give, .over_recipient = true};

static void judge(const struct round_facts *facts, const placement *p, uint32_t slot, struct evenness *ret)
{
    even_judge(facts, &evenness, p, slot, ret);
}

static void pick(const struct round_facts *facts, const placement *p, GArray *moves)
{
    const struct step_rules rules = {
        .unit = LOAD_BYTES,
        .skip_draining_violators = true,
        .open_max = facts->cut_large,
    };
    step_drain(facts, &rules, p, moves);
    step_zone_violations(facts, &rules, p, moves);
    even_out(facts, &evenness, p, facts->cut_large, moves);
}

const struct policy policy_size = {
    .name = "size",
    .unit = LOAD_BYTES,
    .help = "as MongoDB's own balancer from 6.0.3: data size",
    .pick = pick,
    .judge = judge,
};
