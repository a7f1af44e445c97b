// SPDX-License-Identifier: Apache-2.0
/* The executor's order in virtual time. Moves that may start stand in one list for each pair of shards. What
 * can start after an end has a shard in it that became free just then (`fresh`), so mostly the pairs of two
 * shards are looked at; when many are fresh (at the beginning, at a window's opening, at the limit of
 * concurrency), free shards are walked from the longest remaining work down, as the executor does. */
#include "balancer/plan/simulate_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 4, HOUR_S = 3600 };
static const double SAME_TIME = 1e-9;

struct moved {
    double at;
    int64_t bytes;
};
struct candidate {
    int64_t work; /* of the longer of its shards */
    uint32_t move, pair;
};

struct run {
    const sim *s;
    struct sim_limits limits;
    const struct sim_luck *luck;
    double *starts;
    double now, end;
    uint32_t left, running;
    int64_t *work; /* of each shard, microseconds, of all that has not ended */
    bool *busy, *is_fresh;
    GArray *fresh;         /* uint32_t: shards */
    uint32_t *head, *tail; /* of each pair: moves that may start, by number */
    uint32_t *late;        /* of each pair: moves that do not fit into this span, by number */
    uint32_t *next;        /* of each move, in either list */
    uint32_t *pair_left;   /* of each pair: moves that did not start */
    uint32_t *listed;      /* of each shard: how many of its pairs still count; they stand first */
    uint32_t *pairs_of;    /* as the simulation's, in an order of its own */
    GArray *has_late;      /* uint32_t: pairs */
    GArray *endings;       /* heap */
    GArray *moved;         /* of the last hour: from `hour_at` on */
    guint hour_at;
    int64_t hour_bytes, running_bytes;
    size_t span;
    double opens, closes;         /* of the span; 0 and HUGE_VAL: always */
    double held_until;            /* by the limit by the hour; 0: not held */
    struct candidate *candidates; /* room for every pair from both its shards */
    uint32_t n_candidates;
    GArray *walk;
};

/* --- lists --- */

/* By number; mostly at the end or near the beginning. */
static void put_ready(struct run *r, uint32_t move)
{
    const uint32_t p = r->s->pair[move];
    if (r->head[p] == SIM_NONE || move < r->head[p]) {
        r->next[move] = r->head[p];
        r->tail[p] = r->head[p] == SIM_NONE ? move : r->tail[p];
        r->head[p] = move;
        return;
    }
    uint32_t before = move > r->tail[p] ? r->tail[p] : r->head[p];
    while (r->next[before] != SIM_NONE && r->next[before] < move)
        before = r->next[before];
    r->next[move] = r->next[before];
    r->next[before] = move;
    r->tail[p] = MAX(r->tail[p], move);
}

static void freshen(struct run *r, uint32_t shard)
{
    if (!r->is_fresh[shard])
        g_array_append_val(r->fresh, shard);
    r->is_fresh[shard] = true;
}

/* The first of the pair that may start and fits into what is left of the span; the others wait for the
 * next. */
static uint32_t head_of(struct run *r, uint32_t p)
{
    const double room = r->closes - r->now;
    while (r->head[p] != SIM_NONE && r->s->moves[r->head[p]].seconds > room) {
        const uint32_t move = r->head[p];
        uint32_t *at = &r->late[p];
        if (*at == SIM_NONE)
            g_array_append_val(r->has_late, p);
        while (*at != SIM_NONE && *at < move)
            at = &r->next[*at];
        r->head[p] = r->next[move];
        r->next[move] = *at;
        *at = move;
    }
    return r->head[p];
}

/* A span opens: what did not fit into the last may fit into this. */
static void restore_late(struct run *r)
{
    for (guint i = 0; i < r->has_late->len; i++) {
        const uint32_t p = g_array_index(r->has_late, uint32_t, i);
        while (r->late[p] != SIM_NONE) {
            const uint32_t move = r->late[p];
            r->late[p] = r->next[move];
            put_ready(r, move);
        }
    }
    g_array_set_size(r->has_late, 0);
    for (uint32_t d = 0; d < r->s->n_shards; d++)
        if (!r->busy[d] && r->listed[d] > 0)
            freshen(r, d);
}

/* --- starting --- */

static bool is_full(const struct run *r)
{
    return r->limits.max_concurrent > 0 && r->running >= r->limits.max_concurrent;
}

/* Whether the limit by the hour lets it go; if not, nothing goes until what moved is an hour old. */
static bool has_room(struct run *r, const struct sim_move *m)
{
    const int64_t limit = r->limits.max_bytes_per_hour, before = r->hour_bytes + r->running_bytes;
    if (limit <= 0 || before == 0 || before + m->bytes <= limit)
        return true;
    int64_t counted = before;
    r->held_until = HUGE_VAL; /* it hangs on what is under way */
    for (guint i = r->hour_at; i < r->moved->len; i++) {
        const struct moved *old = &g_array_index(r->moved, struct moved, i);
        counted -= old->bytes;
        if (counted == 0 || counted + m->bytes <= limit) {
            r->held_until = old->at + HOUR_S;
            break;
        }
    }
    return false;
}

static void start(struct run *r, const struct candidate *c)
{
    const struct sim_move *m = &r->s->moves[c->move];
    const struct sim_ending e = {r->now + sim_duration(m, c->move, r->luck), c->move};
    r->head[c->pair] = r->next[c->move];
    r->pair_left[c->pair]--;
    r->left--;
    r->busy[m->from] = r->busy[m->to] = true;
    r->running++;
    r->running_bytes += m->bytes;
    if (r->starts != NULL)
        r->starts[c->move] = r->now;
    sim_push_ending(r->endings, e);
}

/* --- choosing --- */

/* The pairs of this shard whose other shard is free, too. Pairs with nothing left are taken off. */
static void collect(struct run *r, uint32_t shard)
{
    uint32_t *list = &r->pairs_of[r->s->pairs_at[shard]];
    for (uint32_t i = 0; i < r->listed[shard];) {
        const uint32_t p = list[i];
        const struct sim_pair *pair = &r->s->pairs[p];
        if (r->pair_left[p] == 0) {
            list[i] = list[--r->listed[shard]];
            continue;
        }
        i++;
        const uint32_t other = pair->from == shard ? pair->to : pair->from;
        if (r->busy[other] || r->head[p] == SIM_NONE)
            continue;
        const struct candidate c = {MAX(r->work[shard], r->work[other]), head_of(r, p), p};
        if (c.move != SIM_NONE)
            r->candidates[r->n_candidates++] = c;
    }
}

static int by_order(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->work != y->work)
        return x->work > y->work ? -1 : 1;
    return x->move < y->move ? -1 : x->move > y->move ? 1 : 0;
}

static bool may_start(struct run *r, const struct candidate *c)
{
    return !is_full(r) && has_room(r, &r->s->moves[c->move]);
}

static bool is_startable(const struct run *r, const struct candidate *c)
{
    return !r->busy[r->s->pairs[c->pair].from] && !r->busy[r->s->pairs[c->pair].to];
}

/* Starts what can start of the candidates, in order; false: a limit ends the choice. */
static bool take(struct run *r)
{
    if (r->n_candidates > 1)
        qsort(r->candidates, r->n_candidates, sizeof *r->candidates, by_order);
    for (uint32_t i = 0; i < r->n_candidates; i++) {
        const struct candidate *c = &r->candidates[i];
        if (!is_startable(r, c))
            continue;
        if (!may_start(r, c))
            return false;
        start(r, c);
    }
    return true;
}

/* The same where few can start: by looking through them a few times. */
static bool take_few(struct run *r)
{
    for (;;) {
        const struct candidate *best = NULL;
        for (uint32_t i = 0; i < r->n_candidates; i++) {
            const struct candidate *c = &r->candidates[i];
            if ((best == NULL || by_order(c, best) < 0) && is_startable(r, c))
                best = c;
        }
        if (best == NULL)
            return true;
        if (!may_start(r, best))
            return false;
        start(r, best);
    }
}

static bool choose_few(struct run *r)
{
    r->n_candidates = 0;
    for (guint i = 0; i < r->fresh->len; i++) {
        const uint32_t shard = g_array_index(r->fresh, uint32_t, i);
        if (!r->busy[shard])
            collect(r, shard);
    }
    return take_few(r);
}

/* Brings the shards with the most work of [from, ...) to its front, and returns the end of them. */
static guint next_group(const struct run *r, guint from)
{
    uint32_t *walk = (uint32_t *)(void *)r->walk->data;
    int64_t most = 0;
    guint end = from;
    for (guint i = from; i < r->walk->len; i++)
        most = MAX(most, r->work[walk[i]]);
    for (guint i = from; i < r->walk->len; i++)
        if (r->work[walk[i]] == most) {
            const uint32_t shard = walk[i];
            walk[i] = walk[end];
            walk[end++] = shard;
        }
    return end;
}

static guint sorted_group(const struct run *r, guint from)
{
    const uint32_t *walk = (const uint32_t *)(void *)r->walk->data;
    guint end = from;
    while (end < r->walk->len && r->work[walk[end]] == r->work[walk[from]])
        end++;
    return end;
}

static int by_work(gconstpointer a, gconstpointer b, gpointer data)
{
    const int64_t *work = data;
    const int64_t x = work[*(const uint32_t *)a], y = work[*(const uint32_t *)b];
    return x > y ? -1 : x < y ? 1 : 0;
}

/* Shards with as much left go together, so that the plan's order decides among all of them. Where few may
 * start, the first of them are found without sorting all. */
static bool choose_walking(struct run *r)
{
    const bool few = r->limits.max_concurrent > 0 && r->limits.max_concurrent - r->running <= FEW;
    g_array_set_size(r->walk, 0);
    for (uint32_t d = 0; d < r->s->n_shards; d++)
        if (!r->busy[d] && r->listed[d] > 0)
            g_array_append_val(r->walk, d);
    if (!few)
        g_array_sort_with_data(r->walk, by_work, r->work);
    for (guint i = 0, end; i < r->walk->len; i = end) {
        end = few ? next_group(r, i) : sorted_group(r, i);
        r->n_candidates = 0;
        for (guint k = i; k < end; k++) {
            const uint32_t shard = g_array_index(r->walk, uint32_t, k);
            if (!r->busy[shard])
                collect(r, shard);
        }
        if (!(few ? take_few(r) : take(r)) || is_full(r))
            return false;
    }
    return true;
}

static void choose(struct run *r)
{
    if (r->now < r->opens || r->closes - r->now < r->s->least_seconds || is_full(r))
        return;
    r->held_until = 0;
    if (!(r->fresh->len <= FEW ? choose_few(r) : choose_walking(r)))
        return;
    for (guint i = 0; i < r->fresh->len; i++)
        r->is_fresh[g_array_index(r->fresh, uint32_t, i)] = false;
    g_array_set_size(r->fresh, 0);
}

/* --- time --- */

static void end_one(struct run *r, const struct sim_ending *e)
{
    const struct sim_move *m = &r->s->moves[e->move];
    r->busy[m->from] = r->busy[m->to] = false;
    r->work[m->from] -= r->s->cost[e->move];
    r->work[m->to] -= r->s->cost[e->move];
    r->running--;
    r->running_bytes -= m->bytes;
    r->end = MAX(r->end, e->at);
    freshen(r, m->from);
    freshen(r, m->to);
    if (r->limits.max_bytes_per_hour > 0) {
        const struct moved moved = {e->at, m->bytes};
        g_array_append_val(r->moved, moved);
        r->hour_bytes += m->bytes;
    }
    if (r->s->first_after == NULL)
        return;
    for (uint32_t w = r->s->first_after[e->move]; w != SIM_NONE; w = r->s->next_after[w]) {
        put_ready(r, w);
        freshen(r, r->s->moves[w].from);
    }
}

static void forget_old(struct run *r)
{
    while (r->hour_at < r->moved->len) {
        const struct moved *old = &g_array_index(r->moved, struct moved, r->hour_at);
        if (old->at + HOUR_S > r->now + SAME_TIME)
            return;
        r->hour_bytes -= old->bytes;
        r->hour_at++;
    }
}

/* The span that is open at `now`, or the next; none: nothing may start any more. */
static void find_span(struct run *r)
{
    const struct sim_limits *l = &r->limits;
    while (l->open != NULL && r->closes <= r->now + SAME_TIME) {
        if (++r->span >= l->n_open) {
            r->opens = r->closes = HUGE_VAL;
            return;
        }
        r->opens = (double)(l->open[r->span].from - l->start_ms) / 1000;
        r->closes = (double)(l->open[r->span].to - l->start_ms) / 1000;
        if (r->closes > r->now + SAME_TIME)
            restore_late(r);
    }
}

/* When something may change next; HUGE_VAL: never. */
static double next_time(const struct run *r)
{
    double at = r->endings->len > 0 ? g_array_index(r->endings, struct sim_ending, 0).at : HUGE_VAL;
    if (r->left == 0)
        return at;
    if (r->now < r->opens)
        at = MIN(at, r->opens);
    else if (r->held_until > r->now)
        at = MIN(at, r->held_until);
    if (at == HUGE_VAL && r->closes < HUGE_VAL)
        at = r->closes; /* nothing that is left fits into this span */
    return at;
}

static void advance(struct run *r)
{
    while (r->endings->len > 0 && g_array_index(r->endings, struct sim_ending, 0).at <= r->now + SAME_TIME) {
        const struct sim_ending e = sim_pop_ending(r->endings);
        end_one(r, &e);
    }
    forget_old(r);
    find_span(r);
}

static void set_up(struct run *r)
{
    const sim *s = r->s;
    const size_t n = s->n_shards;
    r->left = s->n;
    r->work = g_memdup2(s->work, n * sizeof *s->work);
    r->busy = g_new0(bool, n);
    r->is_fresh = g_new0(bool, n);
    r->fresh = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    r->head = g_new(uint32_t, s->n_pairs);
    r->tail = g_new(uint32_t, s->n_pairs);
    r->late = g_new(uint32_t, s->n_pairs);
    r->pair_left = g_new(uint32_t, s->n_pairs);
    r->next = g_new(uint32_t, s->n);
    r->listed = g_new(uint32_t, n);
    r->pairs_of = g_memdup2(s->pairs_of, 2 * (size_t)s->n_pairs * sizeof *s->pairs_of);
    r->has_late = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    r->endings = g_array_new(FALSE, FALSE, sizeof(struct sim_ending));
    r->moved = g_array_new(FALSE, FALSE, sizeof(struct moved));
    r->candidates = g_new(struct candidate, 2 * (size_t)s->n_pairs);
    r->walk = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t p = 0; p < s->n_pairs; p++) {
        r->head[p] = r->tail[p] = r->late[p] = SIM_NONE;
        r->pair_left[p] = s->pairs[p].n;
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (s->moves[i].after >= i)
            put_ready(r, i);
    for (uint32_t d = 0; d < n; d++) {
        r->listed[d] = s->pairs_at[d + 1] - s->pairs_at[d];
        if (r->listed[d] > 0)
            freshen(r, d);
    }
    if (r->limits.open != NULL) { /* before the first span */
        r->span = SIZE_MAX;
        r->closes = -HUGE_VAL;
    } else {
        r->closes = HUGE_VAL;
    }
}

static void clear(struct run *r)
{
    g_free(r->work);
    g_free(r->busy);
    g_free(r->is_fresh);
    g_free(r->head);
    g_free(r->tail);
    g_free(r->late);
    g_free(r->pair_left);
    g_free(r->next);
    g_free(r->listed);
    g_free(r->pairs_of);
    g_array_unref(r->fresh);
    g_array_unref(r->has_late);
    g_array_unref(r->endings);
    g_array_unref(r->moved);
    g_free(r->candidates);
    g_array_unref(r->walk);
}

struct sim_end sim_run(sim *s, const struct sim_limits *limits, const struct sim_luck *luck,
                       double *ret_starts)
{
    struct run r = {.s = s, .luck = luck, .starts = ret_starts};
    if (limits != NULL)
        r.limits = *limits;
    for (uint32_t i = 0; ret_starts != NULL && i < s->n; i++)
        ret_starts[i] = -1;
    set_up(&r);
    while (r.now < HUGE_VAL) {
        advance(&r);
        choose(&r);
        r.now = next_time(&r);
    }
    const struct sim_end end = {r.end, r.left};
    clear(&r);
    return end;
}
