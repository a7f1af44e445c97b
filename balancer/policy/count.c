// SPDX-License-Identifier: Apache-2.0
/* count - MongoDB's own balancer up to 6.0.2: each zone's chunks spread evenly over the shards that carry it,
 * by number. Reproduced as it is, its weaknesses included (docs/policies.md): the recipient is chosen by all
 * chunks of the collection but judged by those of the zone, and draining shards count in the share. */
#include "balancer/policy/evenness.h"
#include "balancer/policy/steps.h"

/* Any shard with chunks of the zone gives, whether it carries the zone or not, draining or not. */
static bool may_give(const struct round_facts *facts, const placement *p, uint32_t slot, uint16_t shard)
{
    return p->slot_chunks[(size_t)slot * facts->cl->n_shards + shard] > 0;
}

static const struct even_rules evenness = {.unit = LOAD_CHUNKS, .may_give = may_give};

static void judge(const struct round_facts *facts, const placement *p, uint32_t slot, struct evenness *ret)
{
    even_judge(facts, &evenness, p, slot, ret);
}

static void pick(const struct round_facts *facts, const placement *p, GArray *moves)
{
    const struct step_rules rules = {
        .unit = LOAD_CHUNKS,
        .drain_forces_jumbo = cluster_version_cmp(facts->cl, 4, 4, 0) >= 0,
    };
    step_drain(facts, &rules, p, moves);
    step_zone_violations(facts, &rules, p, moves);
    even_out(facts, &evenness, p, false, moves);
}

const struct policy policy_count = {
    .name = "count",
    .unit = LOAD_CHUNKS,
    .help = "as MongoDB's own balancer up to 6.0.2: chunk counts",
    .pick = pick,
    .judge = judge,
};
