// SPDX-License-Identifier: Apache-2.0
/* size - MongoDB's own balancer from 6.0.3, in its newest generation: each zone's shards brought within three
 * chunk sizes of each other, by the bytes of the whole collection. Donors carry the zone and are not
 * draining; donors are above the share and recipients below it; migrations give min only and the donor picks
 * the end. */
#include "balancer/policy/steps.h"

/* The free shard that carries the zone, is not draining, and holds the most bytes of the collection. */
static uint16_t find_donor(const struct round_facts *facts, const placement *p, uint32_t zone)
{
    uint16_t donor = SHARD_NONE;
    for (uint16_t i = 0; i < facts->cl->n_shards; i++) {
        uint16_t s = facts->shard_order[i];
        if (!facts->free[s] || facts->draining[s] || p->shard_bytes[s] < 0 ||
            !shard_has_zone(&facts->cl->shards[s], zone))
            continue;
        if (donor == SHARD_NONE || p->shard_bytes[s] > p->shard_bytes[donor])
            donor = s;
    }
    return donor;
}

static bool over_threshold(const struct round_facts *facts, int64_t donor, int64_t recipient, int64_t ideal)
{
    const struct policy_limits *limits = &facts->limits;
    int64_t least = limits->threshold_bytes > 0 ? limits->threshold_bytes : 3 * facts->max_chunk_bytes;
    return donor - recipient >= least &&
           (double)(donor - ideal) * 100.0 >= limits->threshold_percent * (double)ideal;
}

static bool even_out(const struct round_facts *facts, const placement *p, uint32_t slot, int64_t ideal,
                     uint32_t sharing, GArray *moves)
{
    uint32_t zone = p->slots[slot].zone, receivers;
    uint16_t from = find_donor(facts, p, zone);
    uint16_t to = policy_least_loaded(facts, p, LOAD_BYTES, zone, &receivers);
    if (from == SHARD_NONE || to == SHARD_NONE || to == from)
        return false;
    int64_t donor = p->shard_bytes[from], recipient = p->shard_bytes[to];
    if (donor <= ideal || recipient >= ideal || !over_threshold(facts, donor, recipient, ideal))
        return false;
    uint32_t entry = placement_first(p, slot, from);
    if (entry == ENTRY_NONE)
        return false;
    struct move m = {
        .entry = entry,
        .from = from,
        .to = to,
        .reason = MOVE_IMBALANCE,
        .zone = zone,
        .bytes = step_bytes(facts, p, entry),
        .open_max = facts->cut_large,
        .donor_load = donor,
        .recipient_load = recipient,
        .ideal = ideal,
        .n_sharing = sharing,
        .n_receivers = receivers,
    };
    step_choose(facts, p, LOAD_BYTES, moves, m);
    return true;
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
    for (uint32_t slot = 0; slot < p->n_slots; slot++) {
        int64_t ideal;
        uint32_t sharing;
        if (!policy_share(facts, p, LOAD_BYTES, slot, &ideal, &sharing))
            continue;
        while (even_out(facts, p, slot, ideal, sharing, moves))
            ;
    }
}

const struct policy policy_size = {
    .name = "size",
    .unit = LOAD_BYTES,
    .help = "as MongoDB's own balancer from 6.0.3: data size",
    .pick = pick,
};
