// SPDX-License-Identifier: Apache-2.0
/* What a collection is to look like at the end: the share of each shard, and how far from it the load may
 * be. */
#include "balancer/policy/fill.h"
#include "balancer/policy/optimal_private.h"

#include <math.h>
#include <string.h>

static bool must_leave(const struct coll_state *c, uint32_t slot, uint16_t shard)
{
    return c->facts->draining[shard] || !shard_has_zone(&c->facts->cl->shards[shard], c->p->slots[slot].zone);
}

/* As the donor cuts an open range: about M off a larger chunk, the half of one up to 1.8 M. */
static int64_t part_of(int64_t bytes, int64_t m)
{
    if (bytes <= m + m / 3)
        return bytes;
    return bytes <= m + m / 5 * 4 ? bytes / 2 : m;
}

/* What is left of a chunk of yet more parts is for a later plan. */
enum { PARTS_MAX = 65536 };

uint32_t optimal_parts(const struct coll_state *c, uint32_t chunk)
{
    const int64_t m = c->in->max_chunk_bytes, bytes = c->p->bytes_of[chunk];
    if (!c->facts->cut_large || m <= 0 || bytes <= m + m / 3)
        return 1;
    /* Parts of M until no more than 1.8 M is left, then halves or the rest. */
    const int64_t whole = bytes <= m + m / 5 * 4 ? 0 : (bytes - (m + m / 5 * 4) + m - 1) / m;
    const int64_t rest = bytes - whole * m;
    return (uint32_t)MIN(whole + (rest > m + m / 3 ? 2 : 1), PARTS_MAX);
}

int64_t optimal_part_bytes(const struct coll_state *c, uint32_t chunk, uint32_t part)
{
    const int64_t m = c->in->max_chunk_bytes;
    const uint32_t parts = optimal_parts(c, chunk);
    int64_t bytes = c->p->bytes_of[chunk];
    if (parts == 1)
        return bytes;
    if (part + 2 < parts || parts == PARTS_MAX)
        return m;
    bytes -= (int64_t)(parts - 2) * m; /* what the last two share */
    const int64_t first = part_of(bytes, m);
    return part + 2 == parts ? first : bytes - first;
}

/* --- the state --- */

static void find_fits(struct coll_state *c)
{
    for (uint32_t z = 0; z < c->n_slots; z++) {
        bool any = false;
        for (uint16_t s = 0; s < c->n; s++) {
            const bool keeps = !must_leave(c, z, s);
            const bool takes = keeps && !c->facts->no_receive[s] && !c->unknown[s];
            c->fit[cell_of(c, z, s)] = (uint8_t)((keeps ? FIT_KEEP : 0) | (takes ? FIT_TAKE : 0));
            c->may_hold[cell_of(c, z, s)] = keeps && !c->unknown[s];
            any |= takes;
        }
        for (uint16_t s = 0; any && s < c->n; s++)
            if ((c->fit[cell_of(c, z, s)] & FIT_KEEP) == 0)
                c->fit[cell_of(c, z, s)] |= FIT_LEAVE;
    }
}

bool optimal_may_go(const struct coll_state *c, uint32_t chunk)
{
    const uint16_t s = c->p->shard_of[chunk];
    const uint8_t fit = c->fit[cell_of(c, c->p->slot_of[chunk], s)];
    if ((c->p->chunks->flags[chunk] & CHUNK_JUMBO) != 0)
        return false;
    if ((fit & FIT_LEAVE) != 0) /* the donor may refuse it for its size, but it is worth the try */
        return true;
    return (fit & FIT_KEEP) != 0 && !c->unknown[s] && c->p->bytes_of[chunk] <= c->largest;
}

static void add_chunks(struct coll_state *c)
{
    enum { NONE_YET = -1, DIFFER = -2 };
    int64_t size = NONE_YET;
    for (uint32_t i = 0; i < c->p->chunks->n; i++) {
        const size_t at = cell_of(c, c->p->slot_of[i], c->p->shard_of[i]);
        const int64_t bytes = c->p->bytes_of[i];
        if (!optimal_may_go(c, i))
            continue;
        c->movable[at] += bytes;
        c->n_movable++;
        c->n_leaving += (c->fit[at] & FIT_LEAVE) != 0 ? 1 : 0;
        if (size == NONE_YET)
            size = bytes;
        if (size != bytes || optimal_parts(c, i) > 1)
            size = DIFFER;
    }
    c->unit = MAX(size, 0);
}

void optimal_state_init(struct coll_state *c, const struct whole_facts *facts, uint32_t number,
                        const struct common *common, struct whole_goal *goal)
{
    const struct whole_collection *in = &facts->collections[number];
    const uint16_t n = facts->cl->n_shards;
    const size_t cells = (size_t)in->place->n_slots * n;
    *c = (struct coll_state){.facts = facts,
                             .in = in,
                             .p = in->place,
                             .number = number,
                             .largest = whole_largest(facts, number),
                             .n_slots = in->place->n_slots,
                             .n = n,
                             .movable = g_new0(int64_t, cells),
                             .fit = g_new0(uint8_t, cells),
                             .may_hold = g_new0(bool, cells),
                             .unknown = g_new0(bool, n),
                             .fixed = g_new0(int64_t, n),
                             .load = g_new0(int64_t, n),
                             .amount = g_new0(int64_t, cells),
                             .room = common->room,
                             .limited = common->limited,
                             .degree = common->degree,
                             .goal = goal,
                             .items = g_array_new(FALSE, FALSE, sizeof(struct item))};
    for (uint16_t s = 0; s < n; s++)
        c->unknown[s] = c->p->shard_bytes[s] < 0;
    find_fits(c);
    add_chunks(c);
    for (uint16_t s = 0; s < n; s++) {
        c->load[s] = MAX(c->p->shard_bytes[s], 0);
        c->fixed[s] = c->load[s];
        for (uint32_t z = 0; z < c->n_slots; z++)
            c->fixed[s] -= c->unknown[s] ? 0 : c->movable[cell_of(c, z, s)];
    }
}

void optimal_state_clear(struct coll_state *c)
{
    g_free(c->movable);
    g_free(c->fit);
    g_free(c->may_hold);
    g_free(c->unknown);
    g_free(c->fixed);
    g_free(c->load);
    g_free(c->amount);
    g_array_unref(c->items);
}

/* --- goals --- */

/* What the built-in's thresholds come to in bytes, as a difference between two shards: three chunk sizes, or,
 * on servers that count chunks, the two chunks that are worth a migration, as large as its chunks are on
 * average. */
static int64_t threshold_of(const struct coll_state *c)
{
    if (c->in->threshold_bytes > 0)
        return c->in->threshold_bytes;
    if (policy_auto(c->facts->cl)->unit == LOAD_BYTES)
        return 3 * c->in->max_chunk_bytes;
    int64_t bytes = 0;
    for (size_t at = 0; at < (size_t)c->n_slots * c->n; at++)
        bytes += c->movable[at];
    return (MAX(c->facts->threshold_chunks, 1) + 1) * (bytes / MAX(c->n_movable, 1));
}

static bool shares(const struct coll_state *c, uint16_t shard)
{
    return !c->facts->draining[shard] && !c->unknown[shard];
}

static void set_targets(struct coll_state *c)
{
    g_autofree struct fill_shard *shards = g_new0(struct fill_shard, c->n);
    g_autofree int64_t *supply = g_new0(int64_t, c->n_slots);
    for (uint16_t s = 0; s < c->n; s++) {
        const int64_t room = c->facts->no_receive[s] ? 0 : c->room[s];
        shards[s] = (struct fill_shard){.weight = shares(c, s) ? c->facts->weight[s] : 0,
                                        .base = c->fixed[s],
                                        .cap = room == INT64_MAX ? INT64_MAX : c->load[s] + room};
    }
    for (uint32_t z = 0; z < c->n_slots; z++) {
        bool held = false;
        for (uint16_t s = 0; s < c->n; s++) {
            supply[z] += c->movable[cell_of(c, z, s)];
            held |= c->may_hold[cell_of(c, z, s)];
        }
        supply[z] = held ? supply[z] : 0;
    }
    fill_targets(c->n, shards, c->n_slots, supply, c->may_hold, c->goal->target);
}

/* Shards that reach each other through zones stand in one group, named by its lowest shard. */
static uint16_t *find_groups(const struct coll_state *c)
{
    uint16_t *group = g_new0(uint16_t, c->n);
    for (uint16_t s = 0; s < c->n; s++)
        group[s] = s;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t z = 0; z < c->n_slots; z++) {
            uint16_t low = SHARD_NONE;
            for (uint16_t s = 0; s < c->n; s++)
                if (c->may_hold[cell_of(c, z, s)])
                    low = MIN(low, group[s]);
            for (uint16_t s = 0; s < c->n; s++) {
                if (!c->may_hold[cell_of(c, z, s)] || group[s] == low)
                    continue;
                group[s] = low;
                again = true;
            }
        }
    }
    return group;
}

/* How far the fullest and the emptiest of a group are from their shares. */
struct spread {
    double over, under;
    double chunks_over, chunks_under; /* where chunks are counted: the same from the share in whole chunks */
    double percent;                   /* the largest of over in per cent of the share */
};

static struct spread spread_of(const struct coll_state *c, const uint16_t *group, uint16_t which,
                               const int64_t *load)
{
    struct spread sp = {0};
    for (uint16_t s = 0; s < c->n; s++) {
        if (!shares(c, s) || group[s] != which)
            continue;
        const double over = (double)load[s] - c->goal->target[s];
        sp.over = MAX(sp.over, over);
        sp.under = MAX(sp.under, -over);
        if (c->counts_chunks) {
            const double m = (double)c->unit, whole = floor(c->goal->target[s] / m + 0.5);
            sp.chunks_over = MAX(sp.chunks_over, (double)load[s] / m - whole);
            sp.chunks_under = MAX(sp.chunks_under, whole - (double)load[s] / m);
        }
        if (over > 0)
            sp.percent = MAX(sp.percent, c->goal->target[s] > 0 ? over / c->goal->target[s] * 100 : INFINITY);
    }
    return sp;
}

/* Where chunks are counted, the rule is the built-in's: so many over the rounded share, and one under it. */
static bool is_spread(const struct coll_state *c, const struct spread *sp)
{
    if (c->counts_chunks &&
        (sp->chunks_over < (double)MAX(c->facts->threshold_chunks, 1) || sp->chunks_under < 1))
        return false;
    return sp->over > 0 && sp->under > 0 && sp->over + sp->under >= (double)c->threshold &&
           sp->percent >= c->facts->threshold_percent;
}

/* By effort: the part of the rival's distance from the shares that is allowed. */
static const double efforts[WHOLE_EFFORTS] = {1, 0.5, 0.25, 0, 1};

/* The band of one group: the built-in's own end where that is within the threshold, else half the threshold
 * on either side. A group that is even enough keeps what it has. */
static bool set_band(struct coll_state *c, const uint16_t *group, uint16_t which)
{
    const struct spread now = spread_of(c, group, which, c->p->shard_bytes);
    const double half = ((double)c->threshold - 1) / (c->facts->nearer ? 6 : 2);
    struct spread sp = {.over = half, .under = half};
    const bool acts = is_spread(c, &now);
    c->is_spread |= acts;
    if (c->in->rival != NULL && acts) { /* what only must lose a few chunks is not asked to be as even */
        const struct spread rival = spread_of(c, group, which, c->in->rival->shard_bytes);
        const double part = efforts[c->in->effort];
        if (is_spread(c, &rival))
            c->rival_fits = false;
        else
            sp = (struct spread){.over = rival.over * part, .under = rival.under * part};
    }
    for (uint16_t s = 0; s < c->n; s++) {
        if (!shares(c, s) || group[s] != which)
            continue;
        const double t = c->goal->target[s];
        const double percent = acts ? 0 : t * c->facts->threshold_percent / 100;
        c->goal->low[s] = (int64_t)floor(t - MAX(sp.under, percent));
        c->goal->high[s] = (int64_t)ceil(t + MAX(sp.over, percent));
        if (!acts && c->goal->low[s] > c->load[s])
            c->goal->low[s] = c->load[s];
        if (!acts && c->goal->high[s] < c->load[s])
            c->goal->high[s] = c->load[s];
        if (c->facts->no_receive[s]) /* what it gives away it never gets back */
            c->goal->low[s] = MIN(c->load[s], (int64_t)t);
        c->goal->low[s] = MAX(c->goal->low[s], 0);
        if (!acts && c->in->rival != NULL && optimal_miss(c, s, c->in->rival->shard_bytes[s]) > 0)
            c->rival_fits = false;
    }
    return acts;
}

void optimal_set_goal(struct coll_state *c)
{
    c->counts_chunks =
        c->unit > 0 && policy_auto(c->facts->cl)->unit == LOAD_CHUNKS && c->in->threshold_bytes == 0;
    c->threshold = MAX(threshold_of(c), 1);
    set_targets(c);
    g_autofree uint16_t *group = find_groups(c);
    c->goal->acts = false;
    c->rival_fits = c->in->rival != NULL;
    for (uint16_t s = 0; s < c->n; s++)
        if (group[s] == s && set_band(c, group, s))
            c->goal->acts = true;
    c->goal->acts |= c->n_leaving > 0;
    for (uint16_t s = 0; s < c->n; s++)
        if (!shares(c, s)) {
            c->goal->low[s] = 0;
            c->goal->high[s] = INT64_MAX;
        }
}

int64_t optimal_miss(const struct coll_state *c, uint16_t shard, int64_t load)
{
    if (load > c->goal->high[shard])
        return load - c->goal->high[shard];
    return load < c->goal->low[shard] ? c->goal->low[shard] - load : 0;
}
