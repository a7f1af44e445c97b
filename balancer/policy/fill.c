// SPDX-License-Identifier: Apache-2.0
#include "balancer/policy/fill.h"

#include "balancer/policy/flow.h"

#include <math.h>

struct fill {
    uint16_t n_shards;
    uint32_t n_slots;
    const struct fill_shard *shards;
    const int64_t *supply;
    const bool *may_hold;
    uint32_t *slot_group, *shard_group; /* which part of the decomposition each is in */
    uint32_t n_groups;
    double *target;
};

/* What the shard takes beyond its base when the water stands at `level`. */
static double taken(const struct fill_shard *s, double level)
{
    const double full = s->cap == INT64_MAX ? INFINITY : (double)s->cap;
    return MAX(MIN(level * s->weight, full) - (double)s->base, 0);
}

static double group_takes(const struct fill *f, uint32_t group, double level)
{
    double sum = 0;
    for (uint16_t s = 0; s < f->n_shards; s++)
        if (f->shard_group[s] == group && f->shards[s].weight > 0)
            sum += taken(&f->shards[s], level);
    return sum;
}

/* The level at which the group takes `amount`; INFINITY: it never does. By halving: takes() only grows. */
static double find_level(const struct fill *f, uint32_t group, double amount)
{
    double low = 0, high = 1;
    if (group_takes(f, group, INFINITY) < amount)
        return INFINITY;
    while (group_takes(f, group, high) < amount)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
        const double middle = low + (high - low) / 2;
        if (group_takes(f, group, middle) < amount)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void set_targets(struct fill *f, uint32_t group, double level)
{
    for (uint16_t s = 0; s < f->n_shards; s++)
        if (f->shard_group[s] == group)
            f->target[s] =
                (double)f->shards[s].base + (f->shards[s].weight > 0 ? taken(&f->shards[s], level) : 0);
}

/* Sends the group's supply at this level. False: it does not all fit; then the crowded slots and their shards
 * have become a group of their own. */
static bool fits(struct fill *f, uint32_t group, double level, double amount)
{
    const uint32_t source = f->n_slots + f->n_shards, sink = source + 1;
    g_autoptr(flow) net = flow_new(sink + 1);
    for (uint32_t z = 0; z < f->n_slots; z++) {
        if (f->slot_group[z] != group)
            continue;
        flow_add(net, source, z, f->supply[z], 0);
        for (uint16_t s = 0; s < f->n_shards; s++)
            if (f->shard_group[s] == group && f->may_hold[(size_t)z * f->n_shards + s])
                flow_add(net, z, f->n_slots + s, FLOW_UNBOUNDED, 0);
    }
    for (uint16_t s = 0; s < f->n_shards; s++)
        if (f->shard_group[s] == group && f->shards[s].weight > 0) {
            /* A unit more than the level says: rounding must not crowd anybody. */
            const double room = taken(&f->shards[s], level) + 1;
            flow_add(net, f->n_slots + s, sink,
                     room < (double)FLOW_UNBOUNDED ? (int64_t)room : FLOW_UNBOUNDED, 0);
        }
    if ((double)flow_solve(net, source, sink) >= amount)
        return true;
    const uint32_t crowded = f->n_groups;
    uint32_t left = 0, all = 0;
    for (uint32_t z = 0; z < f->n_slots; z++)
        if (f->slot_group[z] == group) {
            all++;
            left += flow_reached(net, z) ? 0 : 1;
        }
    uint32_t shards_left = 0;
    for (uint16_t s = 0; s < f->n_shards; s++)
        shards_left += f->shard_group[s] == group && !flow_reached(net, f->n_slots + s) ? 1 : 0;
    if ((left == 0 && shards_left == 0) || left == all)
        return true; /* all are crowded alike: no room in the whole group */
    f->n_groups++;
    for (uint32_t z = 0; z < f->n_slots; z++)
        if (f->slot_group[z] == group && flow_reached(net, z))
            f->slot_group[z] = crowded;
    for (uint16_t s = 0; s < f->n_shards; s++)
        if (f->shard_group[s] == group && flow_reached(net, f->n_slots + s))
            f->shard_group[s] = crowded;
    return false;
}

/* One slot that every shard of weight may hold, the common case, needs no network. */
static bool is_plain(const struct fill *f, uint32_t group)
{
    uint32_t slots = 0;
    for (uint32_t z = 0; z < f->n_slots; z++) {
        if (f->slot_group[z] != group || f->supply[z] == 0)
            continue;
        slots++;
        for (uint16_t s = 0; s < f->n_shards; s++)
            if (f->shard_group[s] == group && f->shards[s].weight > 0 &&
                !f->may_hold[(size_t)z * f->n_shards + s])
                return false;
    }
    return slots > 0;
}

static void level_group(struct fill *f, uint32_t group)
{
    for (;;) {
        double amount = 0;
        for (uint32_t z = 0; z < f->n_slots; z++)
            amount += f->slot_group[z] == group ? (double)f->supply[z] : 0;
        const double level = amount > 0 ? find_level(f, group, amount) : 0;
        if (amount <= 0 || is_plain(f, group) || fits(f, group, level, amount)) {
            set_targets(f, group, level);
            return;
        }
    }
}

void fill_targets(uint16_t n_shards, const struct fill_shard *shards, uint32_t n_slots, const int64_t *supply,
                  const bool *may_hold, double *ret_target)
{
    g_autofree uint32_t *slot_group = g_new0(uint32_t, n_slots + 1);
    g_autofree uint32_t *shard_group = g_new0(uint32_t, (size_t)n_shards + 1);
    struct fill f = {.n_shards = n_shards,
                     .n_slots = n_slots,
                     .shards = shards,
                     .supply = supply,
                     .may_hold = may_hold,
                     .slot_group = slot_group,
                     .shard_group = shard_group,
                     .n_groups = 1,
                     .target = ret_target};
    /* A group that was cut in two is levelled again; the crowded part comes later, under its new number. */
    for (uint32_t group = 0; group < f.n_groups; group++)
        level_group(&f, group);
}
