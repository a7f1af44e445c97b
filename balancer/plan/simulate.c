// SPDX-License-Identifier: Apache-2.0
/* What is the same in every run: pairs of shards, work by shard; luck; bounds; rounds with a barrier. */
#include "balancer/plan/simulate_private.h"

#include <math.h>
#include <string.h>

/* --- the graph --- */

static void count_shards(sim *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        s->n_shards = MAX(s->n_shards, (uint32_t)MAX(s->moves[i].from, s->moves[i].to) + 1);
}

/* Moves by their donor, in order: a counting sort. */
static uint32_t *by_donor(const sim *s)
{
    g_autofree uint32_t *at = g_new0(uint32_t, s->n_shards + 1);
    uint32_t *order = g_new0(uint32_t, s->n);
    for (uint32_t i = 0; i < s->n; i++)
        at[s->moves[i].from + 1]++;
    for (uint32_t d = 0; d < s->n_shards; d++)
        at[d + 1] += at[d];
    for (uint32_t i = 0; i < s->n; i++)
        order[at[s->moves[i].from]++] = i;
    return order;
}

static void find_pairs(sim *s)
{
    g_autofree uint32_t *order = by_donor(s);
    g_autofree uint32_t *last = g_new(uint32_t, s->n_shards + 1); /* of each recipient the newest pair */
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct sim_pair));
    for (uint32_t i = 0; i < s->n_shards; i++)
        last[i] = SIM_NONE;
    s->pair = g_new(uint32_t, s->n);
    for (uint32_t k = 0; k < s->n; k++) {
        const struct sim_move *m = &s->moves[order[k]];
        uint32_t p = last[m->to];
        if (p == SIM_NONE || g_array_index(pairs, struct sim_pair, p).from != m->from) {
            const struct sim_pair added = {m->from, m->to, 0};
            p = last[m->to] = pairs->len;
            g_array_append_val(pairs, added);
        }
        g_array_index(pairs, struct sim_pair, p).n++;
        s->pair[order[k]] = p;
    }
    s->n_pairs = pairs->len;
    s->pairs = (struct sim_pair *)(void *)g_array_free(g_steal_pointer(&pairs), FALSE);
}

static void list_pairs(sim *s)
{
    s->pairs_at = g_new0(uint32_t, s->n_shards + 1);
    s->pairs_of = g_new(uint32_t, 2 * (size_t)s->n_pairs);
    for (uint32_t p = 0; p < s->n_pairs; p++) {
        s->pairs_at[s->pairs[p].from + 1]++;
        s->pairs_at[s->pairs[p].to + 1]++;
    }
    for (uint32_t d = 0; d < s->n_shards; d++)
        s->pairs_at[d + 1] += s->pairs_at[d];
    g_autofree uint32_t *fill = g_memdup2(s->pairs_at, (s->n_shards + 1) * sizeof *fill);
    for (uint32_t p = 0; p < s->n_pairs; p++) {
        s->pairs_of[fill[s->pairs[p].from]++] = p;
        s->pairs_of[fill[s->pairs[p].to]++] = p;
    }
}

static void count_work(sim *s)
{
    s->cost = g_new(int64_t, s->n);
    s->work = g_new0(int64_t, s->n_shards);
    s->least_seconds = s->n == 0 ? 0 : HUGE_VAL;
    const double most = MIN(1e13, 4e18 / MAX(s->n, 1)); /* all of them together fit into 64 bits */
    for (uint32_t i = 0; i < s->n; i++) {
        const struct sim_move *m = &s->moves[i];
        const double us = m->seconds * 1e6;
        s->cost[i] = us > 1 ? (int64_t)MIN(us, most) : 1;
        s->work[m->from] += s->cost[i];
        s->work[m->to] += s->cost[i];
        s->least_seconds = MIN(s->least_seconds, m->seconds);
    }
}

static void list_waiting(sim *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const uint32_t after = s->moves[i].after;
        if (after >= i) /* SIM_NONE, too */
            continue;
        if (s->first_after == NULL) {
            s->first_after = g_new(uint32_t, s->n);
            s->next_after = g_new(uint32_t, s->n);
            memset(s->first_after, 0xff, s->n * sizeof *s->first_after);
        }
        s->next_after[i] = s->first_after[after];
        s->first_after[after] = i;
    }
}

sim *sim_new(const struct sim_move *moves, uint32_t n)
{
    sim *s = g_new0(sim, 1);
    s->moves = moves;
    s->n = n;
    count_shards(s);
    find_pairs(s);
    list_pairs(s);
    count_work(s);
    list_waiting(s);
    return s;
}

void sim_free(sim *s)
{
    if (s == NULL)
        return;
    g_free(s->pairs);
    g_free(s->pair);
    g_free(s->pairs_at);
    g_free(s->pairs_of);
    g_free(s->cost);
    g_free(s->work);
    g_free(s->first_after);
    g_free(s->next_after);
    g_free(s);
}

/* --- luck --- */

/* SplitMix64: evenly spread over [0, 1). */
static double chance(uint64_t seed, uint64_t number)
{
    uint64_t z = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double spread_at(const struct sim_luck *luck, double q)
{
    const double at = q * (double)(luck->n_spread - 1);
    const size_t i = (size_t)at, next = MIN(i + 1, luck->n_spread - 1);
    return luck->spread[i] + (luck->spread[next] - luck->spread[i]) * (at - (double)i);
}

double sim_duration(const struct sim_move *m, uint32_t number, const struct sim_luck *luck)
{
    double seconds = m->seconds;
    if (luck == NULL)
        return seconds;
    if (luck->common > 0)
        seconds *= luck->common;
    if (luck->spread != NULL && luck->n_spread > 0)
        seconds *= spread_at(luck, chance(luck->seed, 2 * (uint64_t)number));
    if (luck->straggler_share > 0 && chance(luck->seed, 2 * (uint64_t)number + 1) < luck->straggler_share)
        seconds *= luck->straggler_factor;
    return seconds;
}

/* --- bounds --- */

/* The longest chain of moves each of which waits for the one before. */
static double longest_chain(const sim *s)
{
    double longest = 0;
    if (s->first_after == NULL)
        return 0;
    g_autofree double *until = g_new(double, s->n);
    for (uint32_t i = 0; i < s->n; i++) {
        const uint32_t after = s->moves[i].after;
        until[i] = s->moves[i].seconds + (after < i ? until[after] : 0);
        longest = MAX(longest, until[i]);
    }
    return longest;
}

double sim_lower_bound(const sim *s, uint32_t max_concurrent)
{
    g_autofree double *own = g_new0(double, s->n_shards);
    uint32_t busy = 0;
    double total = 0, longest = longest_chain(s);
    for (uint32_t i = 0; i < s->n; i++) {
        own[s->moves[i].from] += s->moves[i].seconds;
        own[s->moves[i].to] += s->moves[i].seconds;
        total += s->moves[i].seconds;
    }
    for (uint32_t d = 0; d < s->n_shards; d++) {
        busy += s->work[d] > 0 ? 1 : 0;
        longest = MAX(longest, own[d]);
    }
    uint32_t at_once = MAX(busy / 2, 1);
    if (max_concurrent > 0)
        at_once = MIN(at_once, max_concurrent);
    return MAX(longest, total / at_once);
}

/* --- rounds with a barrier --- */

/* The first moment at or after `at` that is open; HUGE_VAL: none. *span goes on from where it was. */
static double next_open(const struct sim_limits *l, double at, size_t *span)
{
    if (l == NULL || l->open == NULL)
        return at;
    for (; *span < l->n_open; ++*span) {
        const double from = (double)(l->open[*span].from - l->start_ms) / 1000;
        if (at < (double)(l->open[*span].to - l->start_ms) / 1000)
            return MAX(at, from);
    }
    return HUGE_VAL;
}

struct sim_end sim_run_rounds(const sim *s, const struct sim_limits *limits, const struct sim_luck *luck,
                              double pause)
{
    g_autofree double *until = g_new0(double, s->n_shards); /* within a round: one at a time a shard */
    struct sim_end end = {0};
    size_t span = 0;
    double next = 0;
    for (uint32_t i = 0; i < s->n;) {
        const uint32_t round = s->moves[i].round;
        const double begin = next_open(limits, next, &span);
        if (begin == HUGE_VAL) {
            end.left = s->n - i;
            break;
        }
        for (; i < s->n && s->moves[i].round == round; i++) {
            const struct sim_move *m = &s->moves[i];
            const double start = MAX(begin, MAX(until[m->from], until[m->to]));
            until[m->from] = until[m->to] = start + sim_duration(m, i, luck);
            end.seconds = MAX(end.seconds, until[m->from]);
        }
        next = end.seconds + pause;
    }
    return end;
}
