// SPDX-License-Identifier: Apache-2.0
/* Steps that may start stand in one heap for each pair of shards, lowest number on top. A choice walks the
 * free shards from the longest remaining work down, and looks at the pairs of each; most choices are made at
 * the first. */
#include "migrations/executor/schedule.h"

#include "migrations/executor/heap.h"
#include "migrations/executor/overlap.h"
#include "migrations/executor/shards.h"

#include <string.h>

enum state {
    WAITING, /* for steps below it */
    DELAYED, /* for its time; in `delayed` */
    READY,   /* in its pair's heap */
    RUNNING,
    DONE,
    DROPPED
};

#define NO_SHARD UINT32_MAX
#define NO_EDGE UINT32_MAX

struct step {
    const struct work_step *work;
    int64_t cost; /* microseconds, 1 at least */
    int64_t not_before;
    uint32_t from, to; /* shards; `to` NO_SHARD: a split */
    uint32_t pair;
    uint32_t below; /* steps under it that have not ended */
    uint32_t edges; /* first of the steps that wait for it */
    uint8_t state;
};

struct edge {
    uint32_t to, next;
};

/* Heads that are no longer ready are taken off when they are met. */
struct pair {
    uint32_t from, to;
    GArray *ready;       /* heap of numbers */
    bool at_from, at_to; /* listed in that shard's pairs */
};

struct schedule {
    struct schedule_options opt;
    GArray *steps, *edges, *pairs;
    shards *shards;
    GPtrArray *pairs_of; /* of each shard: GArray of uint32_t, pairs that may have ready steps */
    GHashTable *by_two;  /* from and to in one int64_t -> index + 1 */
    GHashTable *ranges;  /* ns -> overlap */
    GArray *delayed;     /* heap by not_before */
    size_t waiting, running;
    int64_t remaining; /* microseconds, all steps */
};

static struct step *step_at(const schedule *s, size_t n)
{
    return &g_array_index(s->steps, struct step, n);
}

static struct pair *pair_at(const schedule *s, uint32_t n)
{
    return &g_array_index(s->pairs, struct pair, n);
}

static void clear_pair(gpointer data)
{
    g_array_unref(((struct pair *)data)->ready);
}

static void free_overlap(gpointer data)
{
    overlap_free(data);
}

schedule *schedule_new(const struct schedule_options *opt)
{
    schedule *s = g_new0(schedule, 1);
    s->opt = *opt;
    s->steps = g_array_new(FALSE, FALSE, sizeof(struct step));
    s->edges = g_array_new(FALSE, FALSE, sizeof(struct edge));
    s->shards = shards_new();
    s->pairs_of = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    s->pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));
    g_array_set_clear_func(s->pairs, clear_pair);
    s->by_two = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    s->ranges = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_overlap);
    s->delayed = g_array_new(FALSE, FALSE, sizeof(struct heap_item));
    return s;
}

void schedule_free(schedule *s)
{
    if (s == NULL)
        return;
    g_array_unref(s->steps);
    g_array_unref(s->edges);
    shards_free(s->shards);
    g_ptr_array_unref(s->pairs_of);
    g_array_unref(s->pairs);
    g_hash_table_unref(s->by_two);
    g_hash_table_unref(s->ranges);
    g_array_unref(s->delayed);
    g_free(s);
}

const struct work_step *schedule_step(const schedule *s, size_t number)
{
    return step_at(s, number)->work;
}

/* --- shards and pairs --- */

static uint32_t shard_of(schedule *s, const char *name)
{
    const uint32_t n = shards_find(s->shards, name);
    while (s->pairs_of->len <= n)
        g_ptr_array_add(s->pairs_of, g_array_new(FALSE, FALSE, sizeof(uint32_t)));
    return n;
}

static uint32_t pair_of(schedule *s, uint32_t from, uint32_t to)
{
    const int64_t key = (int64_t)(((uint64_t)from << 32) | to);
    gpointer known = g_hash_table_lookup(s->by_two, &key);
    if (known != NULL)
        return GPOINTER_TO_UINT(known) - 1;
    const uint32_t n = s->pairs->len;
    const struct pair added = {from, to, g_array_new(FALSE, FALSE, sizeof(struct heap_item)), false, false};
    g_array_append_val(s->pairs, added);
    g_hash_table_insert(s->by_two, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(n + 1));
    return n;
}

/* All that a step has to take, given (1) or taken off again (-1). */
static void count_cost(schedule *s, const struct step *st, int sign)
{
    s->remaining += sign * st->cost;
    shards_change_remaining(s->shards, st->from, sign * st->cost);
    if (st->to != NO_SHARD && st->to != st->from)
        shards_change_remaining(s->shards, st->to, sign * st->cost);
}

static void occupy(schedule *s, const struct step *st, bool on)
{
    shards_occupy(s->shards, st->from, on);
    if (st->to != NO_SHARD && st->to != st->from)
        shards_occupy(s->shards, st->to, on);
}

void schedule_occupy(schedule *s, const char *shard)
{
    shards_occupy(s->shards, shard_of(s, shard), true);
}

void schedule_release(schedule *s, const char *shard)
{
    shards_occupy(s->shards, shard_of(s, shard), false);
}

/* --- the life of a step --- */

static void list_pair(schedule *s, uint32_t n)
{
    struct pair *p = pair_at(s, n);
    if (!p->at_from)
        g_array_append_val(s->pairs_of->pdata[p->from], n);
    p->at_from = true;
    if (p->to == NO_SHARD || p->to == p->from)
        return;
    if (!p->at_to)
        g_array_append_val(s->pairs_of->pdata[p->to], n);
    p->at_to = true;
}

static void make_ready(schedule *s, uint32_t number)
{
    struct step *st = step_at(s, number);
    st->state = READY;
    heap_push(pair_at(s, st->pair)->ready, number, number);
    list_pair(s, st->pair);
}

/* Nothing below it is open any more, or its time changed. */
static void put_up(schedule *s, uint32_t number)
{
    struct step *st = step_at(s, number);
    if (st->below > 0) {
        st->state = WAITING;
    } else if (st->not_before > 0) {
        st->state = DELAYED;
        heap_push(s->delayed, st->not_before, number);
    } else {
        make_ready(s, number);
    }
}

/* Those above it need not wait for it any more. What was done without having run, while something below it
 * still ran, passes that on. */
static void release_above(schedule *s, uint32_t number)
{
    if (step_at(s, number)->below > 0)
        return;
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_array_append_val(todo, number);
    for (guint i = 0; i < todo->len; i++) {
        uint32_t e = step_at(s, g_array_index(todo, uint32_t, i))->edges;
        for (; e != NO_EDGE; e = g_array_index(s->edges, struct edge, e).next) {
            const uint32_t above = g_array_index(s->edges, struct edge, e).to;
            struct step *st = step_at(s, above);
            if (--st->below > 0)
                continue;
            if (st->state == WAITING)
                put_up(s, above);
            else
                g_array_append_val(todo, above);
        }
    }
}

static bool is_waiting(const struct step *st)
{
    return st->state <= READY;
}

static void add_edge(schedule *s, uint32_t below, uint32_t above)
{
    const struct edge e = {above, step_at(s, below)->edges};
    step_at(s, below)->edges = s->edges->len;
    g_array_append_val(s->edges, e);
    step_at(s, above)->below++;
}

/* Appends the steps right below it to `ret_below`. */
static void put_range(schedule *s, uint32_t number, GArray *ret_below)
{
    const struct work_step *w = step_at(s, number)->work;
    overlap *o = g_hash_table_lookup(s->ranges, w->coll->ns);
    if (o == NULL) {
        o = overlap_new();
        g_hash_table_insert(s->ranges, w->coll->ns, o);
    }
    overlap_put(o, w->enc_min, w->enc_max, number, ret_below);
}

/* Only what has not ended may stand between old steps and new ones. */
static void put_old_ranges(schedule *s)
{
    g_autoptr(GArray) below = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_hash_table_remove_all(s->ranges);
    for (uint32_t n = 0; n < s->steps->len; n++)
        if (step_at(s, n)->state < DONE)
            put_range(s, n, below);
}

static void wait_for_overlapping(schedule *s, uint32_t number)
{
    g_autoptr(GArray) below = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    put_range(s, number, below);
    for (guint i = 0; i < below->len; i++) {
        const uint32_t b = g_array_index(below, uint32_t, i), last = step_at(s, b)->edges;
        if (last == NO_EDGE || g_array_index(s->edges, struct edge, last).to != number)
            add_edge(s, b, number);
    }
}

static int64_t cost_of(const schedule *s, const struct work_step *w)
{
    const double bytes = w->kind == WORK_MOVE && w->bytes > 0 ? (double)w->bytes : 0;
    const double us = (s->opt.latency_seconds + s->opt.seconds_per_byte * bytes) * 1e6;
    return us > 1 ? (int64_t)MIN(us, 1e13) : 1;
}

static void add_step(schedule *s, const struct work_step *w, bool done)
{
    const uint32_t number = s->steps->len;
    struct step st = {.work = w, .cost = cost_of(s, w), .edges = NO_EDGE, .state = done ? DONE : WAITING};
    st.from = shard_of(s, w->from);
    st.to = w->to == NULL ? NO_SHARD : shard_of(s, w->to);
    st.pair = pair_of(s, st.from, st.to);
    g_array_append_val(s->steps, st);
    if (done)
        return;
    s->waiting++;
    count_cost(s, &st, 1);
    wait_for_overlapping(s, number);
    put_up(s, number);
}

size_t schedule_add(schedule *s, const work *w, const bool *done)
{
    const size_t first = s->steps->len;
    put_old_ranges(s);
    for (guint i = 0; i < w->steps->len; i++) {
        const struct work_step *step = w->steps->pdata[i];
        add_step(s, step, done != NULL && done[step->id]);
    }
    return first;
}

/* --- choosing --- */

static void wake(schedule *s, int64_t now)
{
    while (s->delayed->len > 0) {
        const struct heap_item top = heap_top(s->delayed);
        const struct step *st = step_at(s, top.value);
        const bool holds = st->state == DELAYED && st->not_before == top.key;
        if (holds && top.key > now)
            return;
        heap_pop(s->delayed);
        if (holds)
            make_ready(s, top.value);
    }
}

/* The lowest ready step of a pair; SCHEDULE_NONE: none is left, and the pair may be taken off the lists. */
static long head_of(const schedule *s, struct pair *p)
{
    while (p->ready->len > 0) {
        const uint32_t number = heap_top(p->ready).value;
        if (step_at(s, number)->state == READY)
            return number;
        heap_pop(p->ready);
    }
    return SCHEDULE_NONE;
}

static bool is_free(const schedule *s, uint32_t shard)
{
    return shard == NO_SHARD || shards_is_free(s->shards, shard);
}

/* The lowest ready step of a free shard whose other shard is free, too, if it is lower than `best`. */
static long best_of_shard(schedule *s, uint32_t shard, long best)
{
    GArray *pairs = s->pairs_of->pdata[shard];
    for (guint i = 0; i < pairs->len;) {
        struct pair *p = pair_at(s, g_array_index(pairs, uint32_t, i));
        const long head = head_of(s, p);
        if (head == SCHEDULE_NONE) {
            *(p->from == shard ? &p->at_from : &p->at_to) = false;
            g_array_remove_index_fast(pairs, i);
            continue;
        }
        i++;
        if ((best == SCHEDULE_NONE || head < best) && is_free(s, p->from == shard ? p->to : p->from))
            best = head;
    }
    return best;
}

static long choose(schedule *s)
{
    long best = SCHEDULE_NONE;
    int64_t longest = 0;
    for (uint32_t rank = 0; rank < shards_count(s->shards); rank++) {
        const uint32_t shard = shards_ranked(s->shards, rank);
        const int64_t remaining = shards_remaining(s->shards, shard);
        if (best != SCHEDULE_NONE && remaining < longest)
            break;
        if (shards_is_free(s->shards, shard))
            best = best_of_shard(s, shard, best);
        longest = remaining;
    }
    return best;
}

static bool is_full(const schedule *s)
{
    return s->opt.max_concurrent > 0 && s->running >= s->opt.max_concurrent;
}

/* In its pair's heap it stays behind where it is not on top, and is void there. */
static void start(schedule *s, struct step *st)
{
    st->state = RUNNING;
    occupy(s, st, true);
    s->waiting--;
    s->running++;
}

long schedule_next(schedule *s, int64_t now, int64_t *ret_wait_ms)
{
    wake(s, now);
    const long number = is_full(s) ? SCHEDULE_NONE : choose(s);
    *ret_wait_ms = s->delayed->len > 0 ? heap_top(s->delayed).key - now : -1;
    if (number != SCHEDULE_NONE)
        start(s, step_at(s, (size_t)number));
    return number;
}

bool schedule_try(schedule *s, size_t number, int64_t now)
{
    struct step *st = step_at(s, number);
    wake(s, now);
    if (st->state != READY || is_full(s) || !is_free(s, st->from) || !is_free(s, st->to))
        return false;
    start(s, st);
    return true;
}

/* --- ends --- */

/* It leaves the state it is in for good. */
static void leave_state(schedule *s, struct step *st, enum state to)
{
    if (st->state == RUNNING) {
        occupy(s, st, false);
        s->running--;
    } else {
        s->waiting--;
    }
    count_cost(s, st, -1);
    st->state = (uint8_t)to;
}

void schedule_done(schedule *s, size_t number)
{
    struct step *st = step_at(s, number);
    g_return_if_fail(st->state < DONE);
    leave_state(s, st, DONE);
    release_above(s, (uint32_t)number);
}

void schedule_dropped(schedule *s, size_t number, GArray *ret_dropped)
{
    g_return_if_fail(step_at(s, number)->state < DONE);
    leave_state(s, step_at(s, number), DROPPED);
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(size_t));
    g_array_append_val(gone, number);
    for (guint i = 0; i < gone->len; i++) {
        uint32_t e = step_at(s, g_array_index(gone, size_t, i))->edges;
        for (; e != NO_EDGE; e = g_array_index(s->edges, struct edge, e).next) {
            const size_t above = g_array_index(s->edges, struct edge, e).to;
            if (!is_waiting(step_at(s, above)))
                continue;
            leave_state(s, step_at(s, above), DROPPED);
            g_array_append_val(gone, above);
        }
    }
    if (ret_dropped != NULL && gone->len > 1)
        g_array_append_vals(ret_dropped, &g_array_index(gone, size_t, 1), gone->len - 1);
    release_above(s, (uint32_t)number);
}

void schedule_delay(schedule *s, size_t number, int64_t not_before)
{
    struct step *st = step_at(s, number);
    g_return_if_fail(st->state == RUNNING);
    occupy(s, st, false);
    s->running--;
    s->waiting++;
    st->not_before = not_before;
    put_up(s, (uint32_t)number);
}

void schedule_drop(schedule *s, const char *ns, const char *to, GArray *ret_dropped)
{
    for (size_t n = 0; n < s->steps->len; n++) {
        const struct step *st = step_at(s, n);
        if (!is_waiting(st) || (ns != NULL && strcmp(st->work->coll->ns, ns) != 0) ||
            (to != NULL && g_strcmp0(st->work->to, to) != 0))
            continue;
        if (ret_dropped != NULL)
            g_array_append_val(ret_dropped, n);
        schedule_dropped(s, n, ret_dropped);
    }
}

size_t schedule_waiting(const schedule *s)
{
    return s->waiting;
}

size_t schedule_running(const schedule *s)
{
    return s->running;
}

double schedule_remaining_seconds(const schedule *s)
{
    const uint32_t n = shards_count(s->shards);
    if (n == 0)
        return 0;
    unsigned side_by_side = MAX(n / 2, 1);
    if (s->opt.max_concurrent > 0)
        side_by_side = MIN(side_by_side, s->opt.max_concurrent);
    const int64_t longest = shards_remaining(s->shards, shards_ranked(s->shards, 0));
    return MAX((double)longest, (double)s->remaining / side_by_side) / 1e6;
}
