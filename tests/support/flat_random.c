// SPDX-License-Identifier: Apache-2.0
#include "tests/support/flat_random.h"

#include <string.h>

#define MIB ((int64_t)1024 * 1024)

static uint32_t below(GRand *r, uint32_t n)
{
    return n < 2 ? 0 : (uint32_t)g_rand_int_range(r, 0, (gint32)n);
}

/* One time in `n`. */
static bool one_in(GRand *r, uint32_t n)
{
    return below(r, n) == 0;
}

enum sizes { SIZES_EQUAL, SIZES_EVEN, SIZES_SKEWED, SIZES_LARGE, SIZES_TINY, SIZES_COUNT };

static int64_t draw_bytes(GRand *r, enum sizes sizes, int64_t m)
{
    double x = g_rand_double(r);
    switch (sizes) {
    case SIZES_EQUAL:
        return m / 2;
    case SIZES_EVEN:
        return m / 4 + (int64_t)(x * (double)m / 2);
    case SIZES_LARGE:
        return (int64_t)(x * x * x * (double)m * 8) + 1;
    case SIZES_TINY:
        return one_in(r, 4) ? 0 : below(r, 100);
    default:
        return (int64_t)(x * x * (double)m * 1.25) + 1;
    }
}

static void draw_shards(GRand *r, flat_cluster *f, uint32_t n_zones)
{
    static const double weights[] = {0.5, 1, 1, 2, 4};
    bool weighted = one_in(r, 2), drains = one_in(r, 3), refuses = one_in(r, 4);
    for (uint16_t s = 0; s < f->n_shards; s++) {
        struct flat_shard *shard = &f->shards[s];
        shard->weight = weighted ? weights[below(r, G_N_ELEMENTS(weights))] : 1;
        shard->draining = drains && one_in(r, 4);
        shard->no_receive = refuses && one_in(r, 3);
        for (uint32_t z = 0; z < n_zones; z++)
            shard->zones |= one_in(r, 2) ? 1u << z : 0;
    }
}

/* Runs of one zone, or none. */
static void draw_zones(GRand *r, struct flat_coll *c, uint32_t n_zones)
{
    for (uint32_t i = 0; i < c->n && n_zones > 0;) {
        uint32_t end = i + 1 + below(r, c->n / 2 + 1);
        uint8_t zone = one_in(r, 3) ? FLAT_NO_ZONE : (uint8_t)below(r, n_zones);
        for (; i < MIN(end, c->n); i++)
            c->zone[i] = zone;
    }
}

/* Shards by a skew of the collection's own; outside the zone now and then. */
static void draw_owners(GRand *r, const flat_cluster *f, struct flat_coll *c)
{
    double skew = one_in(r, 3) ? 0 : g_rand_double(r);
    bool violates = one_in(r, 3);
    uint16_t favourite = (uint16_t)below(r, f->n_shards);
    for (uint32_t i = 0; i < c->n; i++) {
        uint16_t s = g_rand_double(r) < skew ? favourite : (uint16_t)below(r, f->n_shards);
        for (uint32_t tries = 0; tries < f->n_shards && !flat_may_hold(f, s, c->zone[i]) && !violates;
             tries++)
            s = (uint16_t)((s + 1) % f->n_shards);
        c->shard[i] = s;
    }
}

static void draw_collection(GRand *r, flat_cluster *f, struct flat_coll *c, uint32_t chunks, uint32_t n_zones,
                            enum sizes sizes)
{
    double jumbo = one_in(r, 4) ? g_rand_double(r) / 2 : 0;
    flat_chunks(c, chunks);
    draw_zones(r, c, n_zones);
    draw_owners(r, f, c);
    for (uint32_t i = 0; i < chunks; i++) {
        c->bytes[i] = f->sizes_known ? draw_bytes(r, sizes, f->chunk_bytes) : f->chunk_bytes;
        c->flags[i] = g_rand_double(r) < jumbo ? FLAT_JUMBO : 0;
    }
}

/* Room for about what is there, more or less. */
static void draw_limits(GRand *r, flat_cluster *f)
{
    g_autofree int64_t *loads = g_new(int64_t, f->n_shards);
    int64_t total = 0;
    flat_loads(f, NULL, loads);
    for (uint16_t s = 0; s < f->n_shards; s++)
        total += loads[s];
    for (uint16_t s = 0; s < f->n_shards; s++)
        if (one_in(r, 2))
            f->shards[s].max_bytes = total / f->n_shards / 2 + (int64_t)below(r, 1000) * total / 1000 / 2 + 1;
}

static void draw_cluster(GRand *r, flat_cluster *f)
{
    static const char *const versions[] = {"4.4.18", "5.0.20", "6.0.2", "7.0.14", "8.0.4"};
    static const int parts_of_chunk[] = {0, 0, 1, 2};
    int part = parts_of_chunk[below(r, G_N_ELEMENTS(parts_of_chunk))];
    f->version = versions[below(r, G_N_ELEMENTS(versions))];
    f->chunk_bytes = 64 * MIB;
    f->sizes_known = !one_in(r, 5);
    f->threshold = part == 0 ? 0 : f->chunk_bytes / part;
}

flat_cluster *flat_random_tiny(GRand *r, bool equal)
{
    flat_cluster *f = flat_new((uint16_t)(2 + below(r, 2)), 1);
    uint32_t n_zones = below(r, 3);
    enum sizes sizes = equal ? SIZES_EQUAL : one_in(r, 2) ? SIZES_SKEWED : SIZES_EVEN;
    draw_cluster(r, f);
    draw_shards(r, f, n_zones);
    draw_collection(r, f, &f->colls[0], 1 + below(r, 8), n_zones, sizes);
    if (one_in(r, 6))
        draw_limits(r, f);
    return f;
}

flat_cluster *flat_random(GRand *r)
{
    uint16_t n_shards = (uint16_t)(2 + below(r, 8));
    flat_cluster *f = flat_new(n_shards, 1 + below(r, 4));
    uint32_t n_zones = one_in(r, 2) ? 0 : 1 + below(r, 4);
    draw_cluster(r, f);
    draw_shards(r, f, n_zones);
    for (uint32_t i = 0; i < f->n_colls; i++) {
        enum sizes sizes = (enum sizes)below(r, SIZES_COUNT);
        draw_collection(r, f, &f->colls[i], 1 + below(r, 60), n_zones, sizes);
    }
    if (one_in(r, 4))
        draw_limits(r, f);
    return f;
}

flat_cluster *flat_random_extreme(GRand *r)
{
    static const double weights[] = {1e-6, 0.001, 1, 1000, 1e6};
    static const int64_t thresholds[] = {0, 1, 1000, (int64_t)1 << 60};
    static const int64_t limits[] = {0, 0, 1, (int64_t)1 << 40, INT64_MAX};
    static const int64_t factors[] = {0, 1, 10, 1 << 14};
    flat_cluster *f = flat_random(r);
    bool cuts = f->version[0] >= '6'; /* a chunk of terabytes would be cut into a million parts */
    int64_t factor = factors[below(r, G_N_ELEMENTS(factors) - (cuts ? 1 : 0))];
    f->threshold = thresholds[below(r, G_N_ELEMENTS(thresholds))];
    for (uint16_t s = 0; s < f->n_shards; s++) {
        f->shards[s].weight = weights[below(r, G_N_ELEMENTS(weights))];
        f->shards[s].max_bytes = limits[below(r, G_N_ELEMENTS(limits))];
    }
    for (uint32_t k = 0; k < f->n_colls && f->sizes_known; k++)
        for (uint32_t i = 0; i < f->colls[k].n; i++)
            f->colls[k].bytes[i] *= factor;
    return f;
}

static void disturb_chunk(flat_cluster *f, struct flat_coll *c, uint32_t i, GRand *r)
{
    switch (below(r, 3)) {
    case 0:
        c->shard[i] = (uint16_t)below(r, f->n_shards);
        break;
    case 1:
        flat_split(c, i, f->sizes_known ? c->bytes[i] / 3 : f->chunk_bytes);
        c->came_from[i] = SHARD_NONE;
        break;
    default:
        c->bytes[i] += f->sizes_known ? below(r, (uint32_t)f->chunk_bytes) : 0;
        break;
    }
    c->came_from[i] = SHARD_NONE;
    c->flags[i] &= (uint8_t) ~(FLAT_BACK | FLAT_AGAIN);
}

void flat_disturb(flat_cluster *f, GRand *r)
{
    flat_settle(f);
    for (uint32_t k = 0; k < f->n_colls; k++) {
        struct flat_coll *c = &f->colls[k];
        for (uint32_t n = below(r, c->n / 4 + 2); n > 0; n--)
            disturb_chunk(f, c, below(r, c->n), r);
    }
    for (uint32_t k = 0; k < f->n_colls && !f->sizes_known; k++) /* a chunk is a chunk again */
        for (uint32_t i = 0; i < f->colls[k].n; i++)
            f->colls[k].bytes[i] = f->chunk_bytes;
}
