// SPDX-License-Identifier: Apache-2.0
#include "balancer/policy/steps.h"

int64_t step_bytes(const struct round_facts *facts, const placement *p, uint32_t entry)
{
    int64_t bytes = placement_bytes(p, entry), m = facts->max_chunk_bytes;
    if (!facts->cut_large || placement_is_piece(p, entry) || bytes <= m + m / 3)
        return bytes;
    return bytes <= m + m / 5 * 4 ? bytes / 2 : m;
}

void step_choose(const struct round_facts *facts, const placement *p, enum load_unit unit, GArray *moves,
                 struct move m)
{
    if (policy_receiver(facts, p, unit, m.from, m.zone) == RECEIVER_OK)
        m.n_receivers--;
    facts->free[m.from] = false;
    facts->free[m.to] = false;
    g_array_append_val(moves, m);
}

/* A candidate of one shard: its entry, and who would take it. */
struct candidate {
    uint32_t entry, slot, n_receivers;
    uint16_t to;
};

/* The lowest entry over the slots of `shard` that has a receiver; `foreign_only`: only zones that the shard
 * does not carry. An entry without a receiver lets the walk go on: all of its slot are in the same case, so
 * the slot is passed. */
static bool find_candidate(const struct round_facts *facts, enum load_unit unit, const placement *p,
                           uint16_t shard, bool foreign_only, struct candidate *ret)
{
    bool found = false;
    for (uint32_t slot = 0; slot < p->n_slots; slot++) {
        uint32_t zone = p->slots[slot].zone;
        if (foreign_only && shard_has_zone(&facts->cl->shards[shard], zone))
            continue;
        uint32_t entry = placement_first(p, slot, shard);
        if (entry == ENTRY_NONE || (found && placement_order(p, entry, ret->entry) > 0))
            continue;
        uint32_t n;
        uint16_t to = policy_least_loaded(facts, p, unit, zone, &n);
        if (to == SHARD_NONE || to == shard)
            continue;
        *ret = (struct candidate){.entry = entry, .slot = slot, .to = to, .n_receivers = n};
        found = true;
    }
    return found;
}

static void choose_candidate(const struct round_facts *facts, const struct step_rules *rules,
                             const placement *p, uint16_t from, const struct candidate *c,
                             enum move_reason reason, bool force_jumbo, GArray *moves)
{
    const int64_t *load = rules->unit == LOAD_CHUNKS ? p->shard_chunks : p->shard_bytes;
    struct move m = {
        .entry = c->entry,
        .from = from,
        .to = c->to,
        .reason = reason,
        .zone = p->slots[c->slot].zone,
        .bytes = rules->open_max ? step_bytes(facts, p, c->entry) : placement_bytes(p, c->entry),
        .force_jumbo = force_jumbo,
        .open_max = rules->open_max,
        .donor_load = load[from],
        .recipient_load = load[c->to],
        .n_receivers = c->n_receivers,
    };
    step_choose(facts, p, rules->unit, moves, m);
}

void step_drain(const struct round_facts *facts, const struct step_rules *rules, const placement *p,
                GArray *moves)
{
    for (uint16_t i = 0; i < facts->cl->n_shards; i++) {
        uint16_t s = facts->shard_order[i];
        struct candidate c;
        if (!facts->draining[s] || !facts->free[s] || p->shard_chunks[s] == 0)
            continue;
        if (find_candidate(facts, rules->unit, p, s, false, &c))
            choose_candidate(facts, rules, p, s, &c, MOVE_DRAIN, rules->drain_forces_jumbo, moves);
    }
}

void step_zone_violations(const struct round_facts *facts, const struct step_rules *rules, const placement *p,
                          GArray *moves)
{
    bool force_jumbo = facts->cl->settings.attempt_jumbo && cluster_version_cmp(facts->cl, 4, 4, 0) >= 0;
    for (uint16_t i = 0; p->n_slots > 1 && i < facts->cl->n_shards; i++) {
        uint16_t s = facts->shard_order[i];
        struct candidate c;
        if (!facts->free[s] || (rules->skip_draining_violators && facts->draining[s]))
            continue;
        if (find_candidate(facts, rules->unit, p, s, true, &c))
            choose_candidate(facts, rules, p, s, &c, MOVE_ZONE_VIOLATION, force_jumbo, moves);
    }
}
