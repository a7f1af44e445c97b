// SPDX-License-Identifier: Apache-2.0
#include "balancer/policy/evenness.h"

#include "balancer/policy/steps.h"

/* Loads by shard, as evenness of this slot is measured. */
static const int64_t *loads_of(const placement *p, enum load_unit unit, uint32_t slot)
{
    return unit == LOAD_BYTES ? p->shard_bytes : p->slot_chunks + (size_t)slot * p->cl->n_shards;
}

/* The free shard with the largest load that may give; the first of equals. */
static uint16_t find_donor(const struct round_facts *facts, const struct even_rules *rules,
                           const placement *p, uint32_t slot)
{
    const int64_t *load = loads_of(p, rules->unit, slot);
    uint16_t donor = SHARD_NONE;
    for (uint16_t i = 0; i < facts->cl->n_shards; i++) {
        uint16_t s = facts->shard_order[i];
        if (facts->free[s] && (donor == SHARD_NONE || load[s] > load[donor]) &&
            rules->may_give(facts, p, slot, s))
            donor = s;
    }
    return donor;
}

/* The built-in's thresholds: one chunk over the share; three chunk sizes over the recipient. */
static int64_t threshold(const struct round_facts *facts, enum load_unit unit)
{
    if (unit == LOAD_CHUNKS)
        return MAX(facts->limits.threshold_chunks, 1);
    return facts->limits.threshold_bytes > 0 ? facts->limits.threshold_bytes : 3 * facts->max_chunk_bytes;
}

static bool over_threshold(const struct round_facts *facts, const struct even_rules *rules,
                           const struct evenness *e)
{
    int64_t over = e->donor_load - (rules->over_recipient ? e->recipient_load : e->ideal);
    double percent = facts->limits.threshold_percent;
    return over >= e->threshold && (double)(e->donor_load - e->ideal) * 100.0 >= percent * (double)e->ideal;
}

/* The tests in their order, once donor and recipient are found. */
static enum even_verdict verdict(const struct round_facts *facts, const struct even_rules *rules,
                                 const placement *p, uint32_t slot, struct evenness *e)
{
    if (e->donor == SHARD_NONE || e->donor_load <= e->ideal)
        return EVEN_BALANCED;
    if (e->recipient == SHARD_NONE || e->recipient == e->donor)
        return EVEN_NO_RECEIVER;
    if (e->recipient_load >= e->ideal)
        return EVEN_RECEIVER_AT_SHARE;
    if (!over_threshold(facts, rules, e))
        return EVEN_BELOW_THRESHOLD;
    e->entry = placement_first(p, slot, e->donor);
    return e->entry == ENTRY_NONE ? EVEN_ONLY_JUMBO : EVEN_MOVES;
}

void even_judge(const struct round_facts *facts, const struct even_rules *rules, const placement *p,
                uint32_t slot, struct evenness *ret)
{
    const int64_t *load = loads_of(p, rules->unit, slot);
    *ret = (struct evenness){.donor = SHARD_NONE, .recipient = SHARD_NONE, .entry = ENTRY_NONE};
    ret->threshold = threshold(facts, rules->unit);
    if (!policy_share(facts, p, rules->unit, slot, &ret->ideal, &ret->n_sharing)) {
        ret->verdict = EVEN_UNSHARED;
        return;
    }
    ret->donor = find_donor(facts, rules, p, slot);
    ret->recipient = policy_least_loaded(facts, p, rules->unit, p->slots[slot].zone, &ret->n_receivers);
    ret->donor_load = ret->donor == SHARD_NONE ? 0 : load[ret->donor];
    ret->recipient_load = ret->recipient == SHARD_NONE ? 0 : load[ret->recipient];
    ret->verdict = verdict(facts, rules, p, slot, ret);
}

void even_out(const struct round_facts *facts, const struct even_rules *rules, const placement *p,
              bool open_max, GArray *moves)
{
    for (uint32_t slot = 0; slot < p->n_slots; slot++) {
        struct evenness e;
        for (even_judge(facts, rules, p, slot, &e); e.verdict == EVEN_MOVES;
             even_judge(facts, rules, p, slot, &e))
            step_choose(facts, p, rules->unit, moves,
                        (struct move){
                            .entry = e.entry,
                            .from = e.donor,
                            .to = e.recipient,
                            .reason = MOVE_IMBALANCE,
                            .zone = p->slots[slot].zone,
                            .bytes = open_max ? step_bytes(facts, p, e.entry) : placement_bytes(p, e.entry),
                            .open_max = open_max,
                            .donor_load = e.donor_load,
                            .recipient_load = e.recipient_load,
                            .ideal = e.ideal,
                            .n_sharing = e.n_sharing,
                            .n_receivers = e.n_receivers,
                        });
    }
}
