// SPDX-License-Identifier: Apache-2.0
/* count - MongoDB's own balancer up to 6.0.2: each zone's chunks spread evenly over the shards that carry it,
 * by number. Reproduced as it is, its weaknesses included (docs/policies.md): the recipient is chosen by all
 * chunks of the collection but judged by those of the zone, and draining shards count in the share. */
#include "balancer/policy/steps.h"

/* The free shard with the most chunks in the slot, at least one; SHARD_NONE: nobody. */
static uint16_t find_donor(const struct round_facts *facts, const int64_t *chunks)
{
    uint16_t donor = SHARD_NONE;
    for (uint16_t i = 0; i < facts->cl->n_shards; i++) {
        uint16_t s = facts->shard_order[i];
        if (facts->free[s] && chunks[s] > 0 && (donor == SHARD_NONE || chunks[s] > chunks[donor]))
            donor = s;
    }
    return donor;
}

/* Whether so many chunks over the share are worth a migration; the built-in moves from one chunk on. */
static bool over_threshold(const struct policy_limits *limits, int64_t load, int64_t ideal)
{
    int64_t over = load - ideal;
    return over >= MAX(limits->threshold_chunks, 1) &&
           (double)over * 100.0 >= limits->threshold_percent * (double)ideal;
}

/* One migration towards evenness in a slot, or none. */
static bool even_out(const struct round_facts *facts, const placement *p, uint32_t slot, int64_t ideal,
                     uint32_t sharing, GArray *moves)
{
    const int64_t *chunks = p->slot_chunks + (size_t)slot * facts->cl->n_shards;
    uint32_t zone = p->slots[slot].zone, receivers;
    uint16_t from = find_donor(facts, chunks);
    if (from == SHARD_NONE || chunks[from] <= ideal || !over_threshold(&facts->limits, chunks[from], ideal))
        return false;
    uint16_t to = policy_least_loaded(facts, p, LOAD_CHUNKS, zone, &receivers);
    if (to == SHARD_NONE || chunks[to] >= ideal)
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
        .bytes = placement_bytes(p, entry),
        .donor_load = chunks[from],
        .recipient_load = chunks[to],
        .ideal = ideal,
        .n_sharing = sharing,
        .n_receivers = receivers,
    };
    step_choose(facts, p, LOAD_CHUNKS, moves, m);
    return true;
}

static void pick(const struct round_facts *facts, const placement *p, GArray *moves)
{
    const struct step_rules rules = {
        .unit = LOAD_CHUNKS,
        .drain_forces_jumbo = cluster_version_cmp(facts->cl, 4, 4, 0) >= 0,
    };
    step_drain(facts, &rules, p, moves);
    step_zone_violations(facts, &rules, p, moves);
    for (uint32_t slot = 0; slot < p->n_slots; slot++) {
        int64_t ideal;
        uint32_t sharing;
        if (!policy_share(facts, p, LOAD_CHUNKS, slot, &ideal, &sharing))
            continue;
        while (even_out(facts, p, slot, ideal, sharing, moves))
            ;
    }
}

const struct policy policy_count = {
    .name = "count",
    .unit = LOAD_CHUNKS,
    .help = "as MongoDB's own balancer up to 6.0.2: chunk counts",
    .pick = pick,
};
