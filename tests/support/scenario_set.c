// SPDX-License-Identifier: Apache-2.0
#include "tests/support/scenario_set.h"

#include <math.h>

#define MIB ((int64_t)1024 * 1024)
#define GB ((int64_t)1000 * 1000 * 1000)

static uint32_t scaled(double scale, uint32_t chunks)
{
    return MAX((uint32_t)(scale * chunks), 1);
}

/* Neighbours change the shard often, as after years of balancing, but not with every chunk. */
static uint16_t spread(uint32_t i, uint16_t first, uint16_t n)
{
    uint32_t x = i / 3 * 2654435761u;
    return (uint16_t)(first + (x >> 16) % n);
}

/* One collection of equal chunks, on shards `first` to `first + n` in turn. */
static void spread_evenly(struct flat_coll *c, uint32_t chunks, int64_t bytes, uint16_t first, uint16_t n)
{
    flat_chunks(c, chunks);
    for (uint32_t i = 0; i < chunks; i++) {
        c->bytes[i] = bytes;
        c->shard[i] = (uint16_t)(first + i % n);
    }
}

static flat_cluster *new_shard(double scale)
{
    flat_cluster *f = flat_new(9, 1);
    spread_evenly(&f->colls[0], scaled(scale, 9000), 64 * MIB, 0, 8);
    return f;
}

static flat_cluster *drain_one(double scale)
{
    flat_cluster *f = flat_new(8, 1);
    spread_evenly(&f->colls[0], scaled(scale, 8000), 64 * MIB, 0, 8);
    f->shards[7].draining = true;
    return f;
}

/* The first half of the keys belongs to a zone of half the shards, as of now. */
static flat_cluster *half_zoned(double scale)
{
    flat_cluster *f = flat_new(8, 1);
    struct flat_coll *c = &f->colls[0];
    spread_evenly(c, scaled(scale, 8000), 64 * MIB, 0, 8);
    for (uint16_t s = 0; s < 4; s++)
        f->shards[s].zones = 1;
    for (uint32_t i = 0; i < c->n / 2; i++)
        c->zone[i] = 0;
    return f;
}

/* Two chunks of each on every shard, those on the first two shards of three times the size. */
static flat_cluster *many_small(double scale)
{
    flat_cluster *f = flat_new(4, scaled(scale, 1000));
    for (uint32_t i = 0; i < f->n_colls; i++) {
        spread_evenly(&f->colls[i], 8, 16 * MIB, 0, 4);
        for (uint32_t k = 0; k < 8; k++)
            f->colls[i].bytes[k] = f->colls[i].shard[k] < 2 ? 48 * MIB : 16 * MIB;
    }
    return f;
}

/* Nine tenths of the one on the first four shards, of the other on the last four. */
static flat_cluster *opposite(double scale)
{
    flat_cluster *f = flat_new(8, 2);
    for (uint32_t k = 0; k < 2; k++) {
        struct flat_coll *c = &f->colls[k];
        spread_evenly(c, scaled(scale, 4000), 64 * MIB, 0, 4);
        for (uint32_t i = 0; i < c->n; i++)
            c->shard[i] = spread(i, i % 10 == 9 ? (k == 0 ? 4 : 0) : (k == 0 ? 0 : 4), 4);
    }
    return f;
}

static flat_cluster *weighted(double scale)
{
    static const double weights[] = {1, 1, 2, 2, 4, 4};
    flat_cluster *f = flat_new(6, 1);
    spread_evenly(&f->colls[0], scaled(scale, 8400), 64 * MIB, 0, 6);
    for (uint16_t s = 0; s < 6; s++)
        f->shards[s].weight = weights[s];
    return f;
}

/* Pareto's law with a tail of 1.2: a fifth of the chunks has four fifths of the data. At most 4 GiB. */
static int64_t pareto(GRand *r)
{
    double bytes = 8.0 * (double)MIB / pow(1 - g_rand_double(r), 1 / 1.2);
    return (int64_t)MIN(bytes, 4096.0 * (double)MIB);
}

static flat_cluster *heavy_tail(double scale)
{
    flat_cluster *f = flat_new(8, 1);
    struct flat_coll *c = &f->colls[0];
    GRand *r = g_rand_new_with_seed(5);
    flat_chunks(c, scaled(scale, 8000));
    for (uint32_t i = 0; i < c->n; i++) {
        c->bytes[i] = pareto(r);
        c->shard[i] =
            (uint16_t)(g_rand_double(r) < 0.5 ? g_rand_int_range(r, 0, 2) : g_rand_int_range(r, 0, 8));
    }
    g_rand_free(r);
    return f;
}

/* Three zones of three shards held 45, 20 and 35 per cent; now 30 of the first's 45 belong to the second. */
static flat_cluster *zone_change(double scale)
{
    flat_cluster *f = flat_new(9, 1);
    struct flat_coll *c = &f->colls[0];
    flat_chunks(c, scaled(scale, 9000));
    for (uint16_t s = 0; s < 9; s++)
        f->shards[s].zones = 1u << s / 3;
    for (uint32_t i = 0; i < c->n; i++) {
        double at = (double)i / c->n;
        uint8_t before = at < 0.45 ? 0 : at < 0.65 ? 1 : 2;
        c->bytes[i] = 64 * MIB;
        c->shard[i] = (uint16_t)(3 * before + i % 3);
        c->zone[i] = at < 0.30 ? 1 : before;
    }
    return f;
}

/* Told of in public: MongoDB 4.x, 338 GB in 13,856 chunks. */
static flat_cluster *seen_in_public(double scale)
{
    static const uint32_t chunks[] = {3106, 3106, 3106, 3107, 358, 358, 358, 357};
    flat_cluster *f = flat_new(8, 1);
    struct flat_coll *c = &f->colls[0];
    uint32_t total = 0, at = 0;
    f->version = "4.4.18";
    f->chunk_bytes = 64 * MIB;
    for (int s = 0; s < 8; s++)
        total += scaled(scale, chunks[s]);
    flat_chunks(c, total);
    for (uint16_t s = 0; s < 8; s++)
        for (uint32_t i = 0; i < scaled(scale, chunks[s]); i++, at++) {
            c->shard[at] = s;
            c->bytes[at] = 338 * GB / 13856 + (at < 338 * GB % 13856 ? 1 : 0);
        }
    return f;
}

/* A collection of four ranges of zones and none, in turn; a few of its chunks outside their zone, and a few
 * more than its share on one shard. */
static void fill_zoned(flat_cluster *f, struct flat_coll *c, uint32_t chunks, GRand *r)
{
    uint16_t favourite = (uint16_t)g_rand_int_range(r, 0, f->n_shards);
    flat_chunks(c, chunks);
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t part = (uint32_t)((uint64_t)i * 8 / chunks);
        uint16_t shard = g_rand_double(r) < 0.02 ? favourite : (uint16_t)g_rand_int_range(r, 0, f->n_shards);
        double x = g_rand_double(r);
        c->zone[i] = part % 2 == 0 ? FLAT_NO_ZONE : (uint8_t)(part / 2);
        if (!flat_may_hold(f, shard, c->zone[i]) && g_rand_double(r) >= 0.01)
            shard = (uint16_t)(shard / 4 * 4 + c->zone[i]);
        c->shard[i] = shard;
        c->bytes[i] = (int64_t)(x * x * 160 * (double)MIB) + 1000;
    }
}

static flat_cluster *zoned_of(uint32_t chunks)
{
    flat_cluster *f = flat_new(100, CLAMP(chunks / 20000, 2, 50));
    GRand *r = g_rand_new_with_seed(11);
    for (uint16_t s = 0; s < f->n_shards; s++)
        f->shards[s].zones = 1u << s % 4;
    for (uint32_t i = 0; i < f->n_colls; i++)
        fill_zoned(f, &f->colls[i], MAX(chunks / f->n_colls, 1), r);
    g_rand_free(r);
    return f;
}

static flat_cluster *million(double scale)
{
    return zoned_of(scaled(scale, 1000 * 1000));
}

static flat_cluster *ten_million(double scale)
{
    return zoned_of(scaled(scale, 10 * 1000 * 1000));
}

const struct set_scenario set_scenarios[] = {
    {"new-shard", "8 even shards and a ninth that is empty", false, 9000, new_shard},
    {"drain", "one of 8 shards is removed", false, 8000, drain_one},
    {"half-zoned", "half the keys now belong to a zone of half the shards", false, 8000, half_zoned},
    {"many-small", "1,000 collections within their thresholds, the total 3 to 1", true, 8000, many_small},
    {"opposite", "two collections, each nine tenths on the other's four of 8 shards", false, 8000, opposite},
    {"weights", "6 even shards of weights 1, 1, 2, 2, 4, 4", false, 8400, weighted},
    {"heavy-tail", "chunk sizes by Pareto's law, half of them on two of 8 shards", false, 8000, heavy_tail},
    {"zone-change", "30 % of the data now belongs to another zone", false, 9000, zone_change},
    {"public", "8 shards of 3106, 3106, 3106, 3107, 358, 358, 358, 357 chunks", false, 13856, seen_in_public},
    {"million", "a million chunks of 50 collections on 100 shards in 4 zones", false, 1000000, million},
};
const size_t n_set_scenarios = G_N_ELEMENTS(set_scenarios);

const struct set_scenario set_huge = {"huge", "ten million chunks of 50 collections on 100 shards in 4 zones",
                                      false, 10000000, ten_million};
