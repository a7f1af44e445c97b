// SPDX-License-Identifier: Apache-2.0
/* What all policies share: the table, the receiver rule, the shares. Sources: docs/policies.md. */
#include "balancer/policy/policy.h"

#include <math.h>
#include <string.h>

const struct policy *const policies[] = {&policy_count, &policy_size, &policy_optimal};
const size_t n_policies = G_N_ELEMENTS(policies);

const char *move_reason_text(enum move_reason r)
{
    static const char *const texts[MOVE_REASON_COUNT] = {"drain", "zoneViolation", "imbalance"};
    return texts[r];
}

const struct policy *policy_find(const char *name)
{
    for (size_t i = 0; i < n_policies; i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

const struct policy *policy_auto(const cluster *cl)
{
    if (cl->server_version != NULL)
        return cluster_version_cmp(cl, 6, 0, 3) >= 0 ? &policy_size : &policy_count;
    return &policy_count;
}

/* maxSize of the shard document: the count generations look at it, the size generations no longer do. */
static bool is_full(const struct round_facts *facts, enum load_unit unit, uint16_t shard)
{
    if (facts->limits.full != NULL && facts->limits.full[shard])
        return true;
    const struct shard *s = &facts->cl->shards[shard];
    if (unit != LOAD_CHUNKS || s->max_size_mb <= 0 || s->current_size_mb <= 0)
        return false;
    int64_t arrived = facts->arrived == NULL ? 0 : facts->arrived[shard] / (1 << 20);
    return s->current_size_mb + arrived >= s->max_size_mb;
}

enum receiver_verdict policy_receiver(const struct round_facts *facts, const placement *p,
                                      enum load_unit unit, uint16_t shard, uint32_t zone)
{
    if (!facts->free[shard])
        return RECEIVER_BUSY;
    if (facts->draining[shard])
        return RECEIVER_DRAINING;
    if (!shard_has_zone(&facts->cl->shards[shard], zone))
        return RECEIVER_NOT_IN_ZONE;
    if (facts->limits.no_receive != NULL && facts->limits.no_receive[shard])
        return RECEIVER_NOT_ALLOWED;
    if (is_full(facts, unit, shard))
        return RECEIVER_FULL;
    if (unit == LOAD_BYTES && p->shard_bytes[shard] < 0)
        return RECEIVER_SIZE_UNKNOWN;
    return RECEIVER_OK;
}

uint16_t policy_least_loaded(const struct round_facts *facts, const placement *p, enum load_unit unit,
                             uint32_t zone, uint32_t *ret_count)
{
    const int64_t *load = unit == LOAD_CHUNKS ? p->shard_chunks : p->shard_bytes;
    uint16_t best = SHARD_NONE;
    uint32_t count = 0;
    for (uint16_t i = 0; i < facts->cl->n_shards; i++) {
        uint16_t s = facts->shard_order[i];
        if (policy_receiver(facts, p, unit, s, zone) != RECEIVER_OK)
            continue;
        count++;
        if (best == SHARD_NONE || load[s] < load[best])
            best = s;
    }
    if (ret_count != NULL)
        *ret_count = count;
    return best;
}

/* Chunks of the zone over the shards that carry it; for no zone ALL chunks over all shards. The server
 * divides in single precision and rounds halves up; so do we. */
static bool share_of_chunks(const struct round_facts *facts, const placement *p, uint32_t slot,
                            int64_t *ret_ideal, uint32_t *ret_sharing)
{
    uint32_t zone = p->slots[slot].zone, sharing = 0;
    for (uint16_t s = 0; s < facts->cl->n_shards; s++)
        sharing += shard_has_zone(&facts->cl->shards[s], zone) ? 1 : 0;
    if (sharing == 0)
        return false;
    int64_t total = p->slots[slot].chunks;
    if (zone == ZONE_NONE) {
        total = 0;
        for (uint16_t s = 0; s < facts->cl->n_shards; s++)
            total += p->shard_chunks[s];
    }
    *ret_ideal = (int64_t)roundf((float)total / (float)sharing);
    *ret_sharing = sharing;
    return true;
}

/* Bytes of the whole collection on the shards that carry the zone, over those whose size is known. */
static bool share_of_bytes(const struct round_facts *facts, const placement *p, uint32_t slot,
                           int64_t *ret_ideal, uint32_t *ret_sharing)
{
    uint32_t sharing = 0;
    int64_t total = 0;
    for (uint16_t s = 0; s < facts->cl->n_shards; s++) {
        if (p->shard_bytes[s] < 0 || !shard_has_zone(&facts->cl->shards[s], p->slots[slot].zone))
            continue;
        sharing++;
        total += p->shard_bytes[s];
    }
    if (sharing == 0 || total == 0)
        return false;
    *ret_ideal = total / sharing;
    *ret_sharing = sharing;
    return true;
}

bool policy_share(const struct round_facts *facts, const placement *p, enum load_unit unit, uint32_t slot,
                  int64_t *ret_ideal, uint32_t *ret_sharing)
{
    return unit == LOAD_CHUNKS ? share_of_chunks(facts, p, slot, ret_ideal, ret_sharing)
                               : share_of_bytes(facts, p, slot, ret_ideal, ret_sharing);
}
