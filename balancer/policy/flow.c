// SPDX-License-Identifier: Apache-2.0
#include "balancer/policy/flow.h"

#define FAR INT64_MAX

/* Arcs stand in pairs: the one that was added, and at the next number the way back. */
struct arc {
    uint32_t to, next; /* the next arc of the same node */
    int64_t room, cost;
};
#define ARC_END UINT32_MAX

struct flow {
    uint32_t n;
    uint32_t *first; /* per node */
    GArray *arcs;    /* struct arc */
    int64_t *potential, *distance;
    uint32_t *level, *at, *queue, *place; /* of Dinic's search; of Dijkstra's heap */
};

flow *flow_new(uint32_t n_nodes)
{
    flow *f = g_new0(flow, 1);
    f->n = n_nodes;
    f->first = g_new(uint32_t, n_nodes);
    f->potential = g_new0(int64_t, n_nodes);
    f->distance = g_new0(int64_t, n_nodes);
    f->level = g_new0(uint32_t, n_nodes);
    f->at = g_new0(uint32_t, n_nodes);
    f->queue = g_new0(uint32_t, n_nodes);
    f->place = g_new0(uint32_t, n_nodes);
    f->arcs = g_array_new(FALSE, FALSE, sizeof(struct arc));
    for (uint32_t i = 0; i < n_nodes; i++)
        f->first[i] = ARC_END;
    return f;
}

void flow_free(flow *f)
{
    if (f == NULL)
        return;
    g_array_unref(f->arcs);
    g_free(f->first);
    g_free(f->potential);
    g_free(f->distance);
    g_free(f->level);
    g_free(f->at);
    g_free(f->queue);
    g_free(f->place);
    g_free(f);
}

static struct arc *arc_at(const flow *f, uint32_t i)
{
    return &g_array_index(f->arcs, struct arc, i);
}

static void append(flow *f, uint32_t from, uint32_t to, int64_t room, int64_t cost)
{
    const struct arc a = {.to = to, .next = f->first[from], .room = room, .cost = cost};
    f->first[from] = f->arcs->len;
    g_array_append_val(f->arcs, a);
}

uint32_t flow_add(flow *f, uint32_t from, uint32_t to, int64_t capacity, int64_t cost)
{
    append(f, from, to, capacity, cost);
    append(f, to, from, 0, -cost);
    return f->arcs->len - 2;
}

int64_t flow_through(const flow *f, uint32_t arc)
{
    return arc_at(f, arc + 1)->room;
}

/* Costs may be negative at first: potentials by Bellman and Ford with a queue. */
static void first_potentials(flow *f, uint32_t source)
{
    g_autoptr(GQueue) waiting = g_queue_new();
    g_autofree bool *queued = g_new0(bool, f->n);
    for (uint32_t i = 0; i < f->n; i++)
        f->potential[i] = FAR;
    f->potential[source] = 0;
    g_queue_push_tail(waiting, GUINT_TO_POINTER(source));
    while (!g_queue_is_empty(waiting)) {
        const uint32_t node = GPOINTER_TO_UINT(g_queue_pop_head(waiting));
        queued[node] = false;
        for (uint32_t i = f->first[node]; i != ARC_END; i = arc_at(f, i)->next) {
            const struct arc *a = arc_at(f, i);
            if (a->room == 0 || f->potential[node] + a->cost >= f->potential[a->to])
                continue;
            f->potential[a->to] = f->potential[node] + a->cost;
            if (!queued[a->to])
                g_queue_push_tail(waiting, GUINT_TO_POINTER(a->to));
            queued[a->to] = true;
        }
    }
    for (uint32_t i = 0; i < f->n; i++)
        if (f->potential[i] == FAR)
            f->potential[i] = 0; /* never reached, so no arc of use begins there */
}

static int64_t reduced(const flow *f, uint32_t from, const struct arc *a)
{
    return a->cost + f->potential[from] - f->potential[a->to];
}

/* --- the heap of Dijkstra's search: nodes by distance, then number --- */

static bool nearer(const flow *f, uint32_t a, uint32_t b)
{
    return f->distance[a] != f->distance[b] ? f->distance[a] < f->distance[b] : a < b;
}

static void heap_put(flow *f, uint32_t at, uint32_t node)
{
    f->queue[at] = node;
    f->place[node] = at;
}

static void heap_rise(flow *f, uint32_t at, uint32_t node)
{
    while (at > 0 && nearer(f, node, f->queue[(at - 1) / 2])) {
        heap_put(f, at, f->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(f, at, node);
}

static uint32_t heap_take(flow *f, uint32_t *n)
{
    const uint32_t top = f->queue[0], last = f->queue[--*n];
    uint32_t at = 0;
    while (*n > 0) {
        uint32_t child = 2 * at + 1;
        if (child >= *n)
            break;
        if (child + 1 < *n && nearer(f, f->queue[child + 1], f->queue[child]))
            child++;
        if (!nearer(f, f->queue[child], last))
            break;
        heap_put(f, at, f->queue[child]);
        at = child;
    }
    if (*n > 0)
        heap_put(f, at, last);
    return top;
}

/* Distances by reduced cost from the source over arcs with room, added to the potentials. False: the sink is
 * out of reach. */
static bool find_distances(flow *f, uint32_t source, uint32_t sink)
{
    uint32_t n = 1;
    int64_t furthest = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        f->distance[i] = FAR;
        f->place[i] = ARC_END;
    }
    f->distance[source] = 0;
    heap_put(f, 0, source);
    while (n > 0) {
        const uint32_t node = heap_take(f, &n);
        furthest = f->distance[node];
        for (uint32_t i = f->first[node]; i != ARC_END; i = arc_at(f, i)->next) {
            const struct arc *a = arc_at(f, i);
            if (a->room == 0)
                continue;
            const int64_t far = f->distance[node] + reduced(f, node, a);
            if (far >= f->distance[a->to])
                continue;
            const bool fresh = f->distance[a->to] == FAR;
            f->distance[a->to] = far;
            heap_rise(f, fresh ? n++ : f->place[a->to], a->to);
        }
    }
    for (uint32_t i = 0; i < f->n; i++)
        f->potential[i] += f->distance[i] == FAR ? furthest : f->distance[i];
    return f->distance[sink] != FAR;
}

/* --- Dinic's blocking flows over arcs of reduced cost zero --- */

static bool find_levels(flow *f, uint32_t source, uint32_t sink)
{
    uint32_t head = 0, tail = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        f->level[i] = ARC_END;
        f->at[i] = f->first[i];
    }
    f->level[source] = 0;
    f->queue[tail++] = source;
    while (head < tail) {
        const uint32_t node = f->queue[head++];
        for (uint32_t i = f->first[node]; i != ARC_END; i = arc_at(f, i)->next) {
            const struct arc *a = arc_at(f, i);
            if (a->room == 0 || f->level[a->to] != ARC_END || reduced(f, node, a) != 0)
                continue;
            f->level[a->to] = f->level[node] + 1;
            f->queue[tail++] = a->to;
        }
    }
    return f->level[sink] != ARC_END;
}

/* One path by depth first; as deep as there are levels, which is at most a few times slots and shards. */
static int64_t push(flow *f, uint32_t node, uint32_t sink, int64_t most)
{
    if (node == sink)
        return most;
    for (; f->at[node] != ARC_END; f->at[node] = arc_at(f, f->at[node])->next) {
        const uint32_t i = f->at[node];
        const struct arc *a = arc_at(f, i);
        if (a->room == 0 || f->level[a->to] != f->level[node] + 1 || reduced(f, node, a) != 0)
            continue;
        const int64_t sent = push(f, a->to, sink, MIN(most, a->room));
        if (sent == 0)
            continue;
        arc_at(f, i)->room -= sent;
        arc_at(f, i ^ 1)->room += sent;
        return sent;
    }
    return 0;
}

int64_t flow_solve(flow *f, uint32_t source, uint32_t sink)
{
    int64_t all = 0;
    first_potentials(f, source);
    while (find_distances(f, source, sink))
        while (find_levels(f, source, sink))
            for (int64_t sent = push(f, source, sink, FLOW_UNBOUNDED); sent > 0;
                 sent = push(f, source, sink, FLOW_UNBOUNDED))
                all += sent;
    return all;
}

bool flow_reached(const flow *f, uint32_t node)
{
    return f->distance[node] != FAR;
}
