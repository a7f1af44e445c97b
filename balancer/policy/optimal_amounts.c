// SPDX-License-Identifier: Apache-2.0
/* How much of each zone each shard is to hold, with the fewest bytes moved: a minimum-cost flow from zones
 * through shards. What stays costs nothing, what moves its bytes; a load outside of its band costs more than
 * any move, data where it must not be more than that, and going over a shard's limit more than all. Where
 * all chunks have one size the flow is in chunks, and so exact. */
#include "balancer/policy/flow.h"
#include "balancer/policy/optimal_private.h"

/* Costs per byte, or per chunk where chunks are the unit. Each is more than as many of the one before as one
 * path of the flow can hold. */
#define COST_MOVE ((int64_t)1 << 10)
#define COST_MISS ((int64_t)1 << 20)
#define COST_WRONG ((int64_t)1 << 34)

struct network {
    const struct coll_state *c;
    flow *net;
    int64_t unit;
    uint32_t source, sink;
    uint32_t *stays, *goes; /* arcs per cell; UINT32_MAX: none */
};

/* Slots are nodes by their own numbers, then come the shards. */
static uint32_t shard_node(const struct network *w, uint16_t shard)
{
    return w->c->n_slots + shard;
}

/* Where arriving data enters, so that it can be limited. */
static uint32_t door_node(const struct network *w, uint16_t shard)
{
    return w->c->n_slots + w->c->n + shard;
}

static void add_slots(struct network *w)
{
    const struct coll_state *c = w->c;
    for (uint32_t z = 0; z < c->n_slots; z++) {
        int64_t supply = 0;
        for (uint16_t s = 0; s < c->n; s++) {
            const size_t at = cell_of(c, z, s);
            const int64_t here = c->movable[at] / w->unit;
            supply += here;
            w->stays[at] = w->goes[at] = UINT32_MAX;
            if (here > 0)
                w->stays[at] = flow_add(w->net, z, shard_node(w, s), here,
                                        (c->fit[at] & FIT_KEEP) != 0 ? 0 : COST_WRONG);
            if ((c->fit[at] & FIT_TAKE) != 0)
                w->goes[at] = flow_add(w->net, z, door_node(w, s), FLOW_UNBOUNDED, COST_MOVE);
        }
        flow_add(w->net, w->source, z, supply, 0);
    }
}

/* Up to `until` (in units, of what is movable) each unit costs `cost`. */
static int64_t add_step(struct network *w, uint16_t shard, int64_t from, int64_t until, int64_t cost)
{
    if (until <= from)
        return from;
    flow_add(w->net, shard_node(w, shard), w->sink, until - from, cost);
    return until;
}

/* What one more unit saves or costs outside of the band; the unit that crosses a bound, in proportion. */
static int64_t marginal(const struct coll_state *c, uint16_t s, int64_t units, int64_t unit)
{
    const int64_t load = c->fixed[s] + units * unit;
    const int64_t change = optimal_miss(c, s, load + unit) - optimal_miss(c, s, load);
    return (int64_t)((double)COST_MISS * (double)change / (double)unit);
}

/* The cost of a load, by steps: below the band each unit is a gain, above a loss; inside, the nearer to the
 * share the better, where it costs no bytes. */
static void add_shard(struct network *w, uint16_t s)
{
    const struct coll_state *c = w->c;
    const int64_t unit = w->unit, base = c->fixed[s];
    if (c->goal->high[s] == INT64_MAX) {
        flow_add(w->net, shard_node(w, s), w->sink, FLOW_UNBOUNDED, 0);
        return;
    }
    const int64_t share = (int64_t)c->goal->target[s] - base;
    const int64_t low = c->goal->low[s] - base, high = c->goal->high[s] - base;
    const int64_t to_low = low <= 0 ? 0 : low / unit, to_high = high <= 0 ? 0 : high / unit;
    int64_t at = add_step(w, s, 0, to_low, -COST_MISS);
    if (unit > 1 && low > 0 && low % unit != 0)
        at = add_step(w, s, at, at + 1, marginal(c, s, at, unit));
    const int64_t middle = CLAMP(share <= 0 ? 0 : share / unit, at, MAX(to_high, at));
    at = add_step(w, s, at, at + (middle - at) / 2, 0);
    at = add_step(w, s, at, middle, 1);
    at = add_step(w, s, at, at + (MAX(to_high, at) - at) / 2, 2);
    at = add_step(w, s, at, to_high, 3);
    if (unit > 1 && high > 0 && at == to_high)
        add_step(w, s, at, at + 1, marginal(c, s, at, unit));
    flow_add(w->net, shard_node(w, s), w->sink, FLOW_UNBOUNDED, COST_MISS);
}

static int64_t read_amounts(struct coll_state *c, const struct network *w)
{
    int64_t moved = 0;
    for (size_t at = 0; at < (size_t)c->n_slots * c->n; at++) {
        const int64_t stays = w->stays[at] == UINT32_MAX ? 0 : flow_through(w->net, w->stays[at]) * w->unit;
        const int64_t comes = w->goes[at] == UINT32_MAX ? 0 : flow_through(w->net, w->goes[at]) * w->unit;
        c->amount[at] = stays + comes;
        moved += MAX(c->movable[at] - c->amount[at], 0);
    }
    return moved;
}

int64_t optimal_amounts(struct coll_state *c)
{
    const size_t cells = (size_t)c->n_slots * c->n;
    const uint32_t nodes = c->n_slots + 2 * (uint32_t)c->n + 2;
    struct network w = {.c = c,
                        .net = flow_new(nodes),
                        .unit = MAX(c->unit, 1),
                        .source = nodes - 2,
                        .sink = nodes - 1,
                        .stays = g_new0(uint32_t, cells),
                        .goes = g_new0(uint32_t, cells)};
    add_slots(&w);
    for (uint16_t s = 0; s < c->n; s++) {
        const int64_t room = c->room[s] == INT64_MAX ? FLOW_UNBOUNDED : MAX(c->room[s], 0) / w.unit;
        flow_add(w.net, door_node(&w, s), shard_node(&w, s), room, 0);
        add_shard(&w, s);
    }
    flow_solve(w.net, w.source, w.sink);
    const int64_t moved = read_amounts(c, &w);
    flow_free(w.net);
    g_free(w.stays);
    g_free(w.goes);
    return moved;
}
