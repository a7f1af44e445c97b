// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_policy.h"

#include "tests/support/slow_compare.h"

#include <math.h>
#include <string.h>

/* What is being chosen from: one collection, and the shards not yet taken in this round. */
struct choosing {
    const naive_cluster *n;
    const naive_collection *c;
    unsigned round;
    bool by_size;
    bool *free;
    int64_t *chunks, *bytes; /* per shard, of the whole collection */
    GArray *out;
};

/* The bounds of zones inside a chunk, ascending, none twice. */
static GArray *points_inside(const naive_collection *c, const struct naive_chunk *chunk)
{
    GArray *points = g_array_new(FALSE, TRUE, sizeof(bson_t));
    const bson_t *last = chunk->min;
    for (guint r = 0; r < 2 * c->ranges->len; r++) {
        const struct naive_range *range = &g_array_index(c->ranges, struct naive_range, r / 2);
        const bson_t *point = r % 2 == 0 ? range->min : range->max;
        if (slow_compare_docs(last, point) >= 0 || slow_compare_docs(point, chunk->max) >= 0)
            continue;
        g_array_append_vals(points, point, 1);
        last = point;
    }
    return points;
}

guint naive_do_splits(naive_cluster *n)
{
    guint done = 0;
    for (guint i = 0; i < n->colls->len; i++) {
        naive_collection *c = n->colls->pdata[i];
        for (guint k = 0; k < c->chunks->len && !c->untouched && !c->time_series; k++) {
            const struct naive_chunk chunk = *naive_chunk_at(c, k);
            g_autoptr(GArray) points = points_inside(c, &chunk);
            if (naive_split(n, c, chunk.min, chunk.max, (const bson_t *)(void *)points->data, points->len)) {
                k += points->len;
                done++;
            }
        }
    }
    return done;
}

static bool receives(const struct choosing *ch, guint s, const char *zone)
{
    const struct naive_shard *shard = naive_shard_at(ch->n, s);
    return ch->free[s] && !shard->draining && naive_carries(shard, zone);
}

/* The receiver with the least of the whole collection; the first of equals; -1: none. */
static int least_loaded(const struct choosing *ch, const char *zone)
{
    const int64_t *load = ch->by_size ? ch->bytes : ch->chunks;
    int best = -1;
    for (guint s = 0; s < ch->n->shards->len; s++)
        if (receives(ch, s, zone) && (best < 0 || load[s] < load[best]))
            best = (int)s;
    return best;
}

static int64_t chunks_in_zone(const struct choosing *ch, guint s, const char *zone)
{
    int64_t number = 0;
    for (guint i = 0; i < ch->c->chunks->len; i++)
        number +=
            naive_chunk_at(ch->c, i)->shard == s && g_strcmp0(naive_chunk_at(ch->c, i)->zone, zone) == 0;
    return number;
}

/* How much a migration takes whose end is the donor's choice. */
static int64_t cut(const struct naive_chunk *chunk, int64_t m)
{
    if (chunk->piece || chunk->bytes <= m + m / 3)
        return chunk->bytes;
    return chunk->bytes <= m + m / 5 * 4 ? chunk->bytes / 2 : m;
}

static void choose(struct choosing *ch, guint i, int to, const char *reason, bool force_jumbo)
{
    const struct naive_chunk *chunk = naive_chunk_at(ch->c, i);
    bool open = ch->by_size && ch->n->move_range;
    struct naive_choice choice = {.coll = ch->c,
                                  .min = chunk->min,
                                  .max = chunk->max,
                                  .from = chunk->shard,
                                  .to = (uint32_t)to,
                                  .reason = reason,
                                  .zone = chunk->zone,
                                  .bytes = open ? cut(chunk, ch->n->chunk_size) : chunk->bytes,
                                  .open_max = open,
                                  .force_jumbo = force_jumbo};
    choice.sways = ch->by_size && ch->round > 1 && strcmp(reason, "imbalance") == 0 &&
                   choice.bytes >= ch->bytes[choice.from] - ch->bytes[to];
    ch->free[chunk->shard] = ch->free[to] = false;
    g_array_append_val(ch->out, choice);
}

static void drain(struct choosing *ch)
{
    for (guint s = 0; s < ch->n->shards->len; s++) {
        for (guint i = 0; i < ch->c->chunks->len && naive_shard_at(ch->n, s)->draining && ch->free[s]; i++) {
            const struct naive_chunk *chunk = naive_chunk_at(ch->c, i);
            if (chunk->shard == s && !chunk->jumbo && least_loaded(ch, chunk->zone) >= 0)
                choose(ch, i, least_loaded(ch, chunk->zone), "drain", !ch->by_size && ch->n->from_4_4);
        }
    }
}

static void mend_zones(struct choosing *ch)
{
    for (guint s = 0; s < ch->n->shards->len; s++) {
        const struct naive_shard *shard = naive_shard_at(ch->n, s);
        for (guint i = 0; i < ch->c->chunks->len && ch->free[s] && !(ch->by_size && shard->draining); i++) {
            const struct naive_chunk *chunk = naive_chunk_at(ch->c, i);
            if (chunk->shard == s && !chunk->jumbo && !naive_carries(shard, chunk->zone) &&
                least_loaded(ch, chunk->zone) >= 0)
                choose(ch, i, least_loaded(ch, chunk->zone), "zoneViolation", false);
        }
    }
}

/* The donor's first chunk of the zone that is not jumbo; false: none. */
static bool give_first(struct choosing *ch, int from, int to, const char *zone)
{
    for (guint i = 0; i < ch->c->chunks->len; i++) {
        const struct naive_chunk *chunk = naive_chunk_at(ch->c, i);
        if (chunk->shard == (guint)from && !chunk->jumbo && g_strcmp0(chunk->zone, zone) == 0) {
            choose(ch, i, to, "imbalance", false);
            return true;
        }
    }
    return false;
}

static bool even_count(struct choosing *ch, const char *zone)
{
    int64_t total = 0, sharing = 0;
    int from = -1, to = least_loaded(ch, zone);
    for (guint s = 0; s < ch->n->shards->len; s++) {
        sharing += naive_carries(naive_shard_at(ch->n, s), zone);
        total += zone == NULL ? ch->chunks[s] : chunks_in_zone(ch, s, zone);
        if (ch->free[s] && chunks_in_zone(ch, s, zone) > 0 &&
            (from < 0 || chunks_in_zone(ch, s, zone) > chunks_in_zone(ch, (guint)from, zone)))
            from = (int)s;
    }
    if (sharing == 0 || from < 0 || to < 0)
        return false;
    int64_t ideal = (int64_t)floor((double)total / (double)sharing + 0.5);
    return chunks_in_zone(ch, (guint)from, zone) > ideal && chunks_in_zone(ch, (guint)to, zone) < ideal &&
           give_first(ch, from, to, zone);
}

static bool even_size(struct choosing *ch, const char *zone)
{
    int64_t total = 0, sharing = 0;
    int from = -1, to = least_loaded(ch, zone);
    for (guint s = 0; s < ch->n->shards->len; s++) {
        if (!naive_carries(naive_shard_at(ch->n, s), zone))
            continue;
        sharing++;
        total += ch->bytes[s];
        if (receives(ch, s, zone) && (from < 0 || ch->bytes[s] > ch->bytes[from]))
            from = (int)s;
    }
    if (sharing == 0 || total == 0 || from < 0 || to < 0 || from == to)
        return false;
    int64_t ideal = total / sharing;
    return ch->bytes[from] > ideal && ch->bytes[to] < ideal &&
           ch->bytes[from] - ch->bytes[to] >= 3 * ch->n->chunk_size && give_first(ch, from, to, zone);
}

static int cmp_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the zones with ranges here, in byte order, then NULL for no zone. */
static GPtrArray *zones_of(const naive_collection *c)
{
    GPtrArray *zones = g_ptr_array_new();
    for (guint i = 0; i < c->ranges->len; i++) {
        char *zone = g_array_index(c->ranges, struct naive_range, i).zone;
        if (!g_ptr_array_find_with_equal_func(zones, zone, g_str_equal, NULL))
            g_ptr_array_add(zones, zone);
    }
    g_ptr_array_sort(zones, cmp_names);
    g_ptr_array_add(zones, NULL);
    return zones;
}

static void choose_collection(struct choosing *ch)
{
    g_autoptr(GPtrArray) zones = zones_of(ch->c);
    naive_sums(ch->n, ch->c, ch->chunks, ch->bytes);
    drain(ch);
    mend_zones(ch);
    for (guint i = 0; i < zones->len; i++)
        while (ch->by_size ? even_size(ch, zones->pdata[i]) : even_count(ch, zones->pdata[i]))
            ;
}

/* Those left out give their shards back to the collections that follow. */
static void leave_out(struct choosing *ch, guint first)
{
    for (guint i = first; i < ch->out->len;) {
        const struct naive_choice *choice = &g_array_index(ch->out, struct naive_choice, i);
        if (!choice->sways) {
            i++;
            continue;
        }
        ch->free[choice->from] = ch->free[choice->to] = true;
        g_array_remove_index(ch->out, i);
    }
}

GArray *naive_round(const naive_cluster *n, unsigned round, bool by_size, bool time_series)
{
    guint shards = n->shards->len;
    g_autofree bool *free_shards = g_new(bool, shards);
    g_autofree int64_t *chunks = g_new0(int64_t, shards), *bytes = g_new0(int64_t, shards);
    GArray *out = g_array_new(FALSE, TRUE, sizeof(struct naive_choice));
    for (guint s = 0; s < shards; s++)
        free_shards[s] = true;
    for (guint i = 0; i < n->colls->len; i++) {
        const naive_collection *c = n->colls->pdata[i];
        struct choosing ch = {n, c, round, by_size, free_shards, chunks, bytes, out};
        guint first = out->len;
        if (!c->untouched && !c->no_moves && (!c->time_series || time_series))
            choose_collection(&ch);
        leave_out(&ch, first);
    }
    return out;
}
