// SPDX-License-Identifier: Apache-2.0
/* Placement: zones of chunks, loads, splits taken as done, moves whole and cut, and a random walk against
 * sums made anew. */
#include "balancer/cluster/placement.h"

#include "balancer/key/encode.h"
#include "balancer/policy/splits.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20 };

static placement *place(const cluster *cl, bool use_zones, int64_t assumed)
{
    return placement_new(cl, &cl->collections[0], use_zones, NULL, 0, assumed);
}

/* The zone of every chunk, one letter each, '-' for none. */
static void test_zone_of_chunk(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct layout l;
        const char *want;
    } rows[] = {
        {"no zones", {"a", "a 1 a"}, "--"},
        {"aligned", {"a/E", "a 1 a 2 a", .zones = "E:1..2"}, "-E-"},
        {"whole key space", {"a/E", "a 1 a", .zones = "E:min..max"}, "EE"},
        {"cut chunk is in no zone", {"a/E", "a 1 a 3 a", .zones = "E:min..2"}, "E--"},
        {"range inside one chunk", {"a/E", "a 1 a 9 a", .zones = "E:3..5"}, "---"},
        {"max not on a bound", {"a/E", "a 1 a 3 a 5 a", .zones = "E:1..4"}, "-E--"},
        {"touching ranges of one zone do not join", {"a/E", "a 1 a 5 a", .zones = "E:1..3 E:3..5"}, "---"},
        {"last chunk needs the global max", {"a/E", "a 1 a", .zones = "E:1..max"}, "-E"},
        {"two zones", {"a/E b/U", "a 1 a 2 b", .zones = "U:min..1 E:2..max"}, "U-E"},
        {"empty in the middle", {"a/E", "a 5 a 6 a", .zones = "E:5..6 E:7..8"}, "-E-"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(cluster) cl = layout_cluster(&rows[i].l);
        g_autoptr(placement) p = place(cl, true, 1);
        g_autoptr(GString) have = g_string_new(NULL);
        for (uint32_t c = 0; c < p->chunks->n; c++) {
            uint32_t zone = p->slots[p->slot_of[c]].zone;
            g_string_append_c(have, zone == ZONE_NONE ? '-' : cl->zones[zone][0]);
        }
        if (strcmp(have->str, rows[i].want) != 0)
            fail_msg("%s: have %s, want %s", rows[i].name, have->str, rows[i].want);
    }
}

static void test_zones_not_used(void **state)
{
    (void)state;
    struct layout l = {"a/E b", "a 1 b", .zones = "E:min..1"};
    g_autoptr(cluster) cl = layout_cluster(&l);
    g_autoptr(placement) p = place(cl, false, 1);
    assert_int_equal(p->n_slots, 1);
    assert_int_equal(p->slots[0].chunks, 2);
    assert_int_equal(placement_slot(p, ZONE_NONE), 0);
    assert_int_equal(placement_slot(p, cluster_find_zone(cl, "E")), UINT32_MAX);
}

static void test_sizes(void **state)
{
    (void)state;
    struct layout known = {"a b c", "a 1 a 2 a", .sizes = "a=100 b=50"}, unknown = {"a b", "a 1 b"};
    g_autoptr(cluster) k = layout_cluster(&known);
    g_autoptr(placement) pk = place(k, true, 1000);
    assert_false(pk->sizes_assumed);
    assert_int_equal(placement_bytes(pk, 0), 34); /* 100 over three chunks, the remainder first */
    assert_int_equal(placement_bytes(pk, 2), 33);
    assert_int_equal(pk->shard_bytes[1], 50); /* orphans only */
    assert_int_equal(pk->shard_bytes[2], 0);
    g_autoptr(cluster) u = layout_cluster(&unknown);
    g_autoptr(placement) pu = place(u, true, 1000);
    assert_true(pu->sizes_assumed);
    assert_int_equal(pu->shard_bytes[0], 1000);
}

/* Splits taken as done: parts share the bytes, keep shard and version, and find their zones. */
static void test_splits(void **state)
{
    (void)state;
    struct layout l = {"a/E b", "a 50 b", .zones = "E:10..20", .sizes = "a=100 b=7"};
    g_autoptr(cluster) cl = layout_cluster(&l);
    GArray *splits = splits_find(cl, &cl->collections[0], false);
    assert_int_equal(splits->len, 1);
    const struct split *s = &g_array_index(splits, struct split, 0);
    assert_int_equal(s->points_enc->len, 2);
    struct split_point points[2];
    for (guint i = 0; i < 2; i++)
        points[i] = (struct split_point){s->chunk, s->points_enc->pdata[i], s->points_bson->pdata[i]};
    g_autoptr(placement) p = placement_new(cl, &cl->collections[0], true, points, 2, 1);
    assert_int_equal(p->chunks->n, 4);
    static const int64_t want_bytes[] = {34, 33, 33, 7};
    static const bool want_zone[] = {false, true, false, false}, want_planned[] = {false, true, true, false};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(p->bytes_of[i], want_bytes[i]);
        assert_int_equal(p->slots[p->slot_of[i]].zone != ZONE_NONE, want_zone[i]);
        assert_int_equal((p->chunks->flags[i] & CHUNK_PLANNED) != 0, want_planned[i]);
        assert_int_equal(p->shard_of[i], i == 3 ? 1 : 0);
        assert_int_equal(p->chunks->version[i], cl->collections[0].chunks.version[i == 3 ? 1 : 0]);
    }
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(&cl->collections[0], p->chunks, 1, &min);
    chunk_max(&cl->collections[0], p->chunks, 1, &max);
    char *a = bson_as_relaxed_extended_json(&min, NULL), *b = bson_as_relaxed_extended_json(&max, NULL);
    assert_string_equal(a, "{ \"x\" : 10 }");
    assert_string_equal(b, "{ \"x\" : 20 }");
    bson_free(a);
    bson_free(b);
    bson_destroy(&min);
    bson_destroy(&max);
    g_array_unref(splits);
}

/* What is assumed of a chunk is shared between its parts, too. */
static void test_splits_of_assumed_size(void **state)
{
    (void)state;
    struct layout l = {"a/E b", "a 50 b", .zones = "E:10..max"};
    g_autoptr(cluster) cl = layout_cluster(&l);
    GArray *splits = splits_find(cl, &cl->collections[0], false);
    const struct split *s = &g_array_index(splits, struct split, 0);
    struct split_point point = {s->chunk, s->points_enc->pdata[0], s->points_bson->pdata[0]};
    g_autoptr(placement) p = placement_new(cl, &cl->collections[0], true, &point, 1, 1001);
    assert_int_equal(p->bytes_of[0], 501);
    assert_int_equal(p->bytes_of[1], 500);
    assert_int_equal(p->bytes_of[2], 1001);
    assert_int_equal(p->shard_bytes[0], 1001);
    g_array_unref(splits);
}

static void test_cut(void **state)
{
    (void)state;
    struct layout l = {"a b c", "a 1 a", .sizes = "a=1000"};
    g_autoptr(cluster) cl = layout_cluster(&l);
    g_autoptr(placement) p = place(cl, true, 1);
    uint32_t first = placement_first(p, 0, 0);
    assert_int_equal(first, 0);
    assert_false(placement_was_cut(p, first));
    uint32_t piece = placement_move(p, first, 1, 100);
    assert_true(placement_is_piece(p, piece));
    assert_false(placement_was_cut(p, piece)); /* it begins at the chunk's min */
    assert_true(placement_was_cut(p, first));
    assert_int_equal(placement_bytes(p, first), 400);
    assert_int_equal(placement_first(p, 0, 0), first); /* the rest is still the lowest on the donor */
    uint32_t second = placement_move(p, first, 1, 150);
    assert_true(placement_was_cut(p, second));
    assert_true(placement_order(p, piece, second) < 0 && placement_order(p, second, first) < 0);
    assert_true(placement_order(p, first, 1) < 0);
    assert_int_equal(placement_first(p, 0, 1), piece);
    uint32_t again = placement_move(p, piece, 2, 100);
    assert_int_equal(again, piece);
    assert_int_equal(placement_shard(p, piece), 2);
    assert_int_equal(p->shard_bytes[0], 750);
    assert_int_equal(p->shard_bytes[1], 150);
    assert_int_equal(p->shard_bytes[2], 100);
    assert_int_equal(p->shard_chunks[0] + p->shard_chunks[1] + p->shard_chunks[2], 4);
    assert_int_equal(p->slots[0].chunks, 4);
    assert_int_equal(p->slots[0].bytes, 1000);
}

/* The sums and the lowest entries, made anew from the entries themselves. */
static void check_sums(const placement *p)
{
    uint32_t n = p->chunks->n + p->pieces->len;
    uint16_t n_shards = p->cl->n_shards;
    for (uint32_t slot = 0; slot < p->n_slots; slot++) {
        for (uint16_t s = 0; s < n_shards; s++) {
            int64_t chunks = 0, bytes = 0;
            uint32_t lowest = ENTRY_NONE;
            for (uint32_t e = 0; e < n; e++) {
                uint32_t c = placement_chunk_of(p, e);
                if (placement_shard(p, e) != s || p->slot_of[c] != slot)
                    continue;
                chunks++;
                bytes += placement_bytes(p, e);
                if (!(p->chunks->flags[c] & CHUNK_JUMBO) &&
                    (lowest == ENTRY_NONE || placement_order(p, e, lowest) < 0))
                    lowest = e;
            }
            assert_int_equal(p->slot_chunks[(size_t)slot * n_shards + s], chunks);
            assert_int_equal(p->slot_bytes[(size_t)slot * n_shards + s], bytes);
            assert_int_equal(placement_first(p, slot, s), lowest);
        }
    }
}

static void test_random_walk(void **state)
{
    (void)state;
    struct layout l = {"a/E b/E c d", "a 1 b* 2 c 3 d 4 a 5 a* 6 b 7 c 8 d 9 a 10 a 11 a 12 b",
                       .zones = "E:3..8", .sizes = "a=10000 b=9000 c=800 d=10"};
    g_autoptr(cluster) cl = layout_cluster(&l);
    for (guint32 seed = 1; seed <= 20; seed++) {
        g_autoptr(placement) p = place(cl, true, 1);
        GRand *rand = g_rand_new_with_seed(seed);
        for (int step = 0; step < 60; step++) {
            uint32_t slot = (uint32_t)g_rand_int_range(rand, 0, (gint32)p->n_slots);
            uint16_t from = (uint16_t)g_rand_int_range(rand, 0, 4),
                     to = (uint16_t)g_rand_int_range(rand, 0, 4);
            uint32_t e = placement_first(p, slot, from);
            if (e == ENTRY_NONE || from == to)
                continue;
            int64_t bytes = placement_bytes(p, e);
            placement_move(p, e, to, g_rand_boolean(rand) ? bytes : bytes / 3);
            check_sums(p);
        }
        g_rand_free(rand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone_of_chunk),
        cmocka_unit_test(test_zones_not_used),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_splits_of_assumed_size),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_random_walk),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
