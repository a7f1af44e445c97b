// SPDX-License-Identifier: Apache-2.0
#include "tests/support/even_bound.h"

#include <math.h>
#include <string.h>

enum { SLOTS = FLAT_NO_ZONE + 1 };

/* One collection, or all together, as zone by shard. Draining shards may hold nothing. */
struct grid {
    const flat_cluster *f;
    uint16_t n;
    uint8_t n_slots, zone[SLOTS]; /* in use */
    int64_t *cell;                /* [slot * n + shard]: bytes that can move */
    int64_t *fixed;               /* per shard: jumbo */
};

static void add_bytes(struct grid *g, uint8_t zone, bool jumbo, uint16_t shard, int64_t bytes)
{
    uint8_t slot = 0;
    if (jumbo) {
        g->fixed[shard] += bytes;
        return;
    }
    while (slot < g->n_slots && g->zone[slot] != zone)
        slot++;
    if (slot == g->n_slots)
        g->zone[g->n_slots++] = zone;
    g->cell[(size_t)slot * g->n + shard] += bytes;
}

static void add_collection(struct grid *g, const struct flat_coll *c)
{
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an element of an array
    for (uint32_t i = 0; i < c->n; i++)
        add_bytes(g, c->zone[i], (c->flags[i] & FLAT_JUMBO) != 0, c->shard[i], c->bytes[i]);
    for (guint i = 0; i < c->pieces->len; i++) {
        const struct flat_piece *p = &g_array_index(c->pieces, struct flat_piece, i);
        add_bytes(g, c->zone[p->chunk], false, p->shard, p->bytes);
    }
}

static void grid_init(struct grid *g, const flat_cluster *f, const struct flat_coll *c)
{
    *g = (struct grid){.f = f, .n = f->n_shards};
    g->cell = g_new0(int64_t, (size_t)SLOTS * g->n);
    g->fixed = g_new0(int64_t, g->n);
    uint32_t first = c == NULL ? 0 : (uint32_t)(c - f->colls), end = c == NULL ? f->n_colls : first + 1;
    for (uint32_t i = first; i < end; i++)
        add_collection(g, &f->colls[i]);
}

static void grid_clear(struct grid *g)
{
    g_free(g->cell);
    g_free(g->fixed);
}

/* Water-filling. */

struct water {
    const struct grid *g;
    double *bytes; /* per slot, not settled yet */
    double *base;  /* per shard: what is there whatever the level */
    double *most;  /* per shard: it takes no more (it does not receive) */
    bool *settled; /* per shard */
};

/* What the shards that `slots` can go to hold at this level. */
static double hold_at(const struct water *w, uint32_t slots, double level)
{
    const struct grid *g = w->g;
    double sum = 0;
    for (uint16_t s = 0; s < g->n; s++) {
        bool reached = false;
        for (uint8_t k = 0; k < g->n_slots && !w->settled[s]; k++)
            reached = reached || ((slots >> k & 1) != 0 && flat_may_hold(g->f, s, g->zone[k]));
        double room = g->f->shards[s].weight * level - w->base[s];
        sum += reached ? CLAMP(room, 0, w->most[s]) : 0;
    }
    return sum;
}

/* The lowest level at which those slots find room; INFINITY: never. */
static double level_of(const struct water *w, uint32_t slots, double top)
{
    double bytes = 0, low = 0, high = top;
    for (uint8_t k = 0; k < w->g->n_slots; k++)
        bytes += (slots >> k & 1) != 0 ? w->bytes[k] : 0;
    if (bytes <= 0)
        return 0;
    if (hold_at(w, slots, top) < bytes * (1 - 1e-12))
        return INFINITY;
    for (int i = 0; i < 100 && high - low > 1e-3; i++) {
        double mid = (low + high) / 2;
        if (hold_at(w, slots, mid) < bytes)
            low = mid;
        else
            high = mid;
    }
    return high;
}

/* Settles the set of slots that needs the highest level, and the shards it can go to; false: all is done. The
 * largest of equal sets, so that all of one level are settled at once. */
static bool settle_tightest(struct water *w, double top, double *load)
{
    const struct grid *g = w->g;
    uint32_t tightest = 0;
    double level = 0;
    for (uint32_t slots = 1; slots < 1u << g->n_slots; slots++) {
        double l = level_of(w, slots, top);
        if (l > level * (1 + 1e-9) || (l > 0 && l >= level * (1 - 1e-9) && (slots & tightest) == tightest)) {
            level = MAX(l, level);
            tightest = slots;
        }
    }
    if (tightest == 0)
        return false;
    if (isinf(level))
        level = top;
    for (uint16_t s = 0; s < g->n; s++) {
        bool reached = false;
        for (uint8_t k = 0; k < g->n_slots && !w->settled[s]; k++)
            reached = reached || ((tightest >> k & 1) != 0 && flat_may_hold(g->f, s, g->zone[k]));
        double room = g->f->shards[s].weight * level - w->base[s];
        if (!reached)
            continue;
        load[s] = w->base[s] + CLAMP(room, 0, w->most[s]);
        w->settled[s] = true;
    }
    for (uint8_t k = 0; k < g->n_slots; k++)
        if ((tightest >> k & 1) != 0)
            w->bytes[k] = 0;
    return true;
}

/* What cannot go anywhere stays where it is. */
static bool has_home(const struct grid *g, uint8_t slot)
{
    for (uint16_t s = 0; s < g->n; s++)
        if (flat_may_hold(g->f, s, g->zone[slot]))
            return true;
    return false;
}

/* Shares out what can move; `base` gets the rest. The sum of all is returned. */
static double split_grid(const struct grid *g, struct water *w)
{
    double total = 0;
    for (uint16_t s = 0; s < g->n; s++) {
        double here = 0;
        w->base[s] = (double)g->fixed[s];
        for (uint8_t k = 0; k < g->n_slots; k++) {
            double *to = has_home(g, k) ? &w->bytes[k] : &w->base[s];
            *to += (double)g->cell[(size_t)k * g->n + s];
            here += has_home(g, k) ? (double)g->cell[(size_t)k * g->n + s] : 0;
        }
        w->most[s] = g->f->shards[s].no_receive ? here : INFINITY;
        total += here + w->base[s];
    }
    return total;
}

static void fair(const struct grid *g, int64_t *ret)
{
    g_autofree double *load = g_new0(double, g->n), *bytes = g_new0(double, SLOTS),
                      *base = g_new0(double, g->n), *most = g_new0(double, g->n);
    g_autofree bool *settled = g_new0(bool, g->n);
    struct water w = {.g = g, .bytes = bytes, .base = base, .most = most, .settled = settled};
    double total = split_grid(g, &w), least = 1;
    for (uint16_t s = 0; s < g->n; s++) {
        load[s] = base[s];
        least = MIN(least, g->f->shards[s].weight);
    }
    while (settle_tightest(&w, 2 * total / least + 1, load))
        ;
    for (uint16_t s = 0; s < g->n; s++)
        ret[s] = (int64_t)llround(load[s]);
}

void even_fair(const flat_cluster *f, const struct flat_coll *c, int64_t *ret)
{
    struct grid g;
    grid_init(&g, f, c);
    g_assert(g.n_slots <= 13);
    fair(&g, ret);
    grid_clear(&g);
}

/* The flow: source, slots, shards, sink; the cheapest way found again and again. */

struct arc {
    uint32_t to;
    int64_t room, cost;
};

struct net {
    uint32_t n;
    GArray *arcs; /* struct arc; k and k ^ 1 are one arc's two directions */
    GArray **out; /* per node: uint32_t numbers of arcs */
};

/* Costs, so that each kind outweighs all of the next on any way through the net. */
static const int64_t COST_MOVE = 1, COST_OFF = 1000, COST_STUCK = 1000000;

static struct arc *arc_at(const struct net *net, uint32_t k)
{
    return &g_array_index(net->arcs, struct arc, k);
}

static uint32_t add_arc(struct net *net, uint32_t from, uint32_t to, int64_t room, int64_t cost)
{
    uint32_t k = net->arcs->len;
    struct arc there = {to, room, cost}, back = {from, 0, -cost};
    g_array_append_val(net->arcs, there);
    g_array_append_val(net->arcs, back);
    g_array_append_val(net->out[from], k);
    k++;
    g_array_append_val(net->out[to], k);
    return k - 1;
}

static void net_init(struct net *net, uint32_t n)
{
    *net = (struct net){.n = n, .arcs = g_array_new(FALSE, FALSE, sizeof(struct arc))};
    net->out = g_new(GArray *, n);
    for (uint32_t i = 0; i < n; i++)
        net->out[i] = g_array_new(FALSE, FALSE, sizeof(uint32_t));
}

static void net_clear(struct net *net)
{
    for (uint32_t i = 0; i < net->n; i++)
        g_array_unref(net->out[i]);
    g_free(net->out);
    g_array_unref(net->arcs);
}

/* Bellman and Ford's, with a queue: `came` gets the arc by which each node is reached most cheaply. */
static bool cheapest(const struct net *net, uint32_t from, uint32_t to, uint32_t *came)
{
    g_autofree int64_t *cost = g_new(int64_t, net->n);
    g_autofree bool *waits = g_new0(bool, net->n);
    GQueue queue = G_QUEUE_INIT;
    for (uint32_t i = 0; i < net->n; i++)
        cost[i] = INT64_MAX;
    cost[from] = 0;
    g_queue_push_tail(&queue, GUINT_TO_POINTER(from));
    while (!g_queue_is_empty(&queue)) {
        uint32_t node = GPOINTER_TO_UINT(g_queue_pop_head(&queue));
        waits[node] = false;
        for (guint i = 0; i < net->out[node]->len; i++) {
            uint32_t k = g_array_index(net->out[node], uint32_t, i);
            const struct arc *a = arc_at(net, k);
            if (a->room == 0 || cost[node] + a->cost >= cost[a->to])
                continue;
            cost[a->to] = cost[node] + a->cost;
            came[a->to] = k;
            if (!waits[a->to])
                g_queue_push_tail(&queue, GUINT_TO_POINTER(a->to));
            waits[a->to] = true;
        }
    }
    return cost[to] != INT64_MAX;
}

static void run_flow(struct net *net, uint32_t from, uint32_t to)
{
    g_autofree uint32_t *came = g_new(uint32_t, net->n);
    while (cheapest(net, from, to, came)) {
        int64_t room = INT64_MAX;
        for (uint32_t node = to; node != from; node = arc_at(net, came[node] ^ 1)->to)
            room = MIN(room, arc_at(net, came[node])->room);
        for (uint32_t node = to; node != from; node = arc_at(net, came[node] ^ 1)->to) {
            arc_at(net, came[node])->room -= room;
            arc_at(net, came[node] ^ 1)->room += room;
        }
    }
}

static int64_t flowed(const struct net *net, uint32_t k)
{
    return arc_at(net, k ^ 1)->room;
}

/* Adds up what went over the arcs of each kind. */
struct kinds {
    GArray *stuck, *moved; /* uint32_t */
};

static void add_slot(struct net *net, const struct grid *g, uint8_t slot, struct kinds *kinds)
{
    int64_t total = 0;
    uint32_t node = 1u + slot, first = 1u + g->n_slots;
    for (uint16_t s = 0; s < g->n; s++) {
        int64_t here = g->cell[(size_t)slot * g->n + s];
        total += here;
        if (here > 0) {
            bool foul = !flat_may_hold(g->f, s, g->zone[slot]);
            uint32_t k = add_arc(net, node, first + s, here, foul ? COST_STUCK : 0);
            if (foul)
                g_array_append_val(kinds->stuck, k);
        }
        if (flat_may_receive(g->f, s, g->zone[slot])) {
            uint32_t k = add_arc(net, node, first + s, INT64_MAX / 4, COST_MOVE);
            g_array_append_val(kinds->moved, k);
        }
    }
    add_arc(net, 0, node, total, 0);
}

static int64_t sum_of(const struct net *net, const GArray *arcs)
{
    int64_t sum = 0;
    for (guint i = 0; i < arcs->len; i++)
        sum += flowed(net, g_array_index(arcs, uint32_t, i));
    return sum;
}

static struct even_least least(const struct grid *g, const int64_t *low, const int64_t *high)
{
    struct net net;
    uint32_t sink = 1u + g->n_slots + g->n;
    struct kinds kinds = {g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                          g_array_new(FALSE, FALSE, sizeof(uint32_t))};
    struct even_least ret = {0};
    net_init(&net, sink + 1);
    for (uint8_t k = 0; k < g->n_slots; k++)
        add_slot(&net, g, k, &kinds);
    uint32_t first = net.arcs->len;
    for (uint16_t s = 0; s < g->n; s++) {
        int64_t l = MAX(low[s] - g->fixed[s], 0), h = MAX(high[s] - g->fixed[s], l);
        add_arc(&net, 1u + g->n_slots + s, sink, l, -COST_OFF);
        add_arc(&net, 1u + g->n_slots + s, sink, h - l, 0);
        add_arc(&net, 1u + g->n_slots + s, sink, INT64_MAX / 4, COST_OFF);
    }
    run_flow(&net, 0, sink);
    for (uint16_t s = 0; s < g->n; s++) {
        uint32_t k = first + 6u * s;
        ret.off += arc_at(&net, k)->room + flowed(&net, k + 4) + MAX(g->fixed[s] - high[s], 0);
    }
    ret.stuck = sum_of(&net, kinds.stuck);
    ret.moved = sum_of(&net, kinds.moved);
    g_array_unref(kinds.stuck);
    g_array_unref(kinds.moved);
    net_clear(&net);
    return ret;
}

struct even_least even_least(const flat_cluster *f, const struct flat_coll *c, const int64_t *low,
                             const int64_t *high)
{
    struct grid g;
    grid_init(&g, f, c);
    struct even_least ret = least(&g, low, high);
    grid_clear(&g);
    return ret;
}

static double moved_to_even(const flat_cluster *f, const struct flat_coll *c, double *total)
{
    struct grid g;
    g_autofree int64_t *target = g_new(int64_t, f->n_shards);
    grid_init(&g, f, c);
    fair(&g, target);
    for (size_t i = 0; i < (size_t)g.n_slots * g.n; i++)
        *total += (double)g.cell[i];
    struct even_least l = least(&g, target, target);
    grid_clear(&g);
    return (double)l.moved;
}

double even_out_of_place(const flat_cluster *f, bool together)
{
    double moved = 0, total = 0;
    for (uint32_t i = 0; i < (together ? 1 : f->n_colls); i++)
        moved += moved_to_even(f, together ? NULL : &f->colls[i], &total);
    return total > 0 ? moved / total : 0;
}

/* Migrations and rounds. */

static int larger_first(gconstpointer a, gconstpointer b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x > y ? -1 : x < y ? 1 : 0;
}

/* How many of the largest it takes to make `bytes`. */
static uint32_t count_largest(const GArray *sorted, int64_t bytes)
{
    uint32_t n = 0;
    for (; n < sorted->len && bytes > 0; n++)
        bytes -= g_array_index(sorted, int64_t, n);
    return n;
}

/* What one migration at a time can take: `all` of it, and of each shard what may stay there. */
struct takes {
    GArray *all, **mine;
    int64_t *load; /* per shard, without what is foul */
};

static void add_takes(const flat_cluster *f, const struct flat_coll *c, int64_t largest, struct takes *t,
                      struct even_work *work)
{
    for (uint32_t i = 0; i < c->n; i++) {
        uint16_t s = c->shard[i];
        bool jumbo = (c->flags[i] & FLAT_JUMBO) != 0, foul = !jumbo && !flat_may_hold(f, s, c->zone[i]);
        t->load[s] += foul ? 0 : c->bytes[i];
        work[s].bytes += foul ? c->bytes[i] : 0;
        for (int64_t left = c->bytes[i]; left > 0 && !jumbo; left -= largest) {
            int64_t part = MIN(left, largest);
            g_array_append_val(t->all, part);
            if (foul)
                work[s].migrations++;
            else
                g_array_append_val(t->mine[s], part);
        }
    }
}

void even_add_work(const flat_cluster *f, const struct flat_coll *c, const int64_t *low, const int64_t *high,
                   int64_t largest, struct even_work *work)
{
    struct takes t = {.all = g_array_new(FALSE, FALSE, sizeof(int64_t)),
                      .mine = g_new(GArray *, f->n_shards),
                      .load = g_new0(int64_t, f->n_shards)};
    uint32_t first = c == NULL ? 0 : (uint32_t)(c - f->colls), end = c == NULL ? f->n_colls : first + 1;
    for (uint16_t s = 0; s < f->n_shards; s++)
        t.mine[s] = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (uint32_t i = first; i < end; i++)
        add_takes(f, &f->colls[i], largest, &t, work);
    g_array_sort(t.all, larger_first);
    for (uint16_t s = 0; s < f->n_shards; s++) {
        int64_t out = MAX(t.load[s] - high[s], 0), in = MAX(low[s] - t.load[s], 0);
        g_array_sort(t.mine[s], larger_first);
        work[s].migrations += count_largest(t.mine[s], out) + count_largest(t.all, in);
        work[s].bytes += out + in;
        g_array_unref(t.mine[s]);
    }
    g_array_unref(t.all);
    g_free(t.mine);
    g_free(t.load);
}

/* Migrations between each two of the shards. */
static uint32_t *count_pairs(const plan *p)
{
    uint16_t n = p->cl->n_shards;
    uint32_t *pairs = g_new0(uint32_t, (size_t)n * n);
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = &g_array_index(p->migrations, struct plan_migration, i);
        pairs[(size_t)MIN(m->from, m->to) * n + MAX(m->from, m->to)]++;
    }
    return pairs;
}

/* Rounds that the migrations within this set of an odd number of shards take. */
static uint32_t rounds_within(const uint32_t *pairs, uint16_t n, uint32_t set)
{
    uint32_t within = 0, at_once = ((uint32_t)__builtin_popcount(set) - 1) / 2;
    for (uint16_t a = 0; a < n; a++)
        for (uint16_t b = (uint16_t)(a + 1); b < n && (set >> a & 1) != 0; b++)
            within += (set >> b & 1) != 0 ? pairs[(size_t)a * n + b] : 0;
    return (within + at_once - 1) / at_once;
}

/* Sets of every odd number of up to 12 shards; of more shards only the busiest one is looked at. */
uint32_t even_rounds(const plan *p)
{
    uint16_t n = p->cl->n_shards;
    g_autofree uint32_t *pairs = count_pairs(p);
    uint32_t rounds = 0;
    for (uint16_t s = 0; s < n; s++) {
        uint32_t degree = 0;
        for (uint16_t o = 0; o < n; o++)
            degree += pairs[(size_t)MIN(s, o) * n + MAX(s, o)];
        rounds = MAX(rounds, degree);
    }
    for (uint32_t set = 1; n <= 12 && set < 1u << n; set++)
        if (__builtin_popcount(set) % 2 == 1 && __builtin_popcount(set) > 1)
            rounds = MAX(rounds, rounds_within(pairs, n, set));
    return rounds;
}
