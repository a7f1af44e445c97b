// SPDX-License-Identifier: Apache-2.0
/* Peaks: what shards hold while a plan is carried out; and what a change of zones comes to. */
#include "balancer/plan/planner.h"
#include "tests/support/cluster_json.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((int64_t)1 << 20)

static plan *make(const cluster *cl, const struct plan_options *opt)
{
    struct err err = {0};
    plan *p = NULL;
    if (!plan_make(cl, opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static const struct plan_peak *peak_of(const plan *p, const char *shard)
{
    return &g_array_index(p->peaks, struct plan_peak, cluster_find_shard(p->cl, shard));
}

static const char *warned(const plan *p, const char *code)
{
    for (guint i = 0; i < p->warnings->len; i++)
        if (strcmp(g_array_index(p->warnings, struct warning, i).code, code) == 0)
            return g_array_index(p->warnings, struct warning, i).message;
    return NULL;
}

/* b gives its part of zone Z to c, and gets what a has too much of: 4 chunks of 10 MiB, each moved by itself.
 */
static const char passing_through[] =
    "{'serverVersion': '5.0.0', 'shards': [{'_id': 'a'}, {'_id': 'b'%s}, {'_id': 'c', 'tags': ['Z']}],"
    "'collections': [{'_id': 't.c', 'key': {'x': 1}}, {'_id': 't.d', 'key': {'x': 1}, 'noBalance': true}],"
    "'tags': [{'ns': 't.c', 'min': {'x': 0}, 'max': {'x': 20}, 'tag': 'Z'}],"
    "'chunks': [{'ns': 't.c', 'min': {'x': {'$minKey': 1}}, 'max': {'x': 0}, 'shard': 'a'},"
    " {'ns': 't.c', 'min': {'x': 0}, 'max': {'x': 10}, 'shard': 'b'},"
    " {'ns': 't.c', 'min': {'x': 10}, 'max': {'x': 20}, 'shard': 'b'},"
    " {'ns': 't.c', 'min': {'x': 20}, 'max': {'x': 30}, 'shard': 'a'},"
    " {'ns': 't.c', 'min': {'x': 30}, 'max': {'x': 40}, 'shard': 'a'},"
    " {'ns': 't.c', 'min': {'x': 40}, 'max': {'x': {'$maxKey': 1}}, 'shard': 'a'},"
    " {'ns': 't.d', 'min': {'x': {'$minKey': 1}}, 'max': {'x': {'$maxKey': 1}}, 'shard': 'b'}],"
    "'sizes': {'t.c': {'a': 41943040, 'b': {'bytes': 20971520, 'orphanBytes': 3145728}, 'c': {'bytes': 0, "
    "'orphanBytes': null}}, 't.d': {'b': {'bytes': 1048576, 'orphanBytes': 1048576}}}}";

static void what_leaves_is_counted_until_it_is_deleted(void **state)
{
    (void)state;
    struct plan_options opt = plan_options_default();
    g_autofree char *json = g_strdup_printf(passing_through, "");
    g_autoptr(cluster) cl = cluster_from_json(json);
    opt.until_balanced = true;
    opt.policy = &policy_count;
    g_autoptr(plan) p = make(cl, &opt);
    const struct plan_peak *a = peak_of(p, "a"), *b = peak_of(p, "b"), *c = peak_of(p, "c");
    assert_int_equal(p->peaks->len, 3);
    assert_int_equal(a->bytes, 40 * MIB);
    assert_int_equal(a->orphan_bytes, SIZE_UNKNOWN);
    assert_int_equal(a->peak, 40 * MIB);
    assert_int_equal(b->bytes, 21 * MIB); /* with the collection that is left out */
    assert_int_equal(b->orphan_bytes, 4 * MIB);
    assert_int_equal(b->bytes_out, 20 * MIB);
    assert_true(b->bytes_in > 0);
    assert_int_equal(b->peak, 25 * MIB + b->bytes_in);
    assert_true(b->prompt_peak < b->peak);
    assert_true(b->prompt_peak >= 25 * MIB);
    assert_int_equal(c->orphan_bytes, SIZE_UNKNOWN);
    assert_int_equal(c->bytes_in, 20 * MIB + (a->bytes_out - b->bytes_in));
    assert_int_equal(c->peak, c->bytes_in);
    assert_int_equal(a->limit, SIZE_UNKNOWN);
    assert_false(b->assumed);
    assert_null(warned(p, "shardTooFull"));
    assert_int_equal(p->zone_moves->len + p->zone_faults->len, 0);
}

/* The limit is the smaller of both; below the peak it is told, and whether prompt deletion helps. */
static void a_shard_that_becomes_too_full(void **state)
{
    (void)state;
    static const struct {
        const char *document;
        int64_t wish, limit;
        const char *says; /* NULL: no warning */
    } rows[] = {
        {"", 100 * MIB, 100 * MIB, NULL},
        {", 'maxSize': 100", 0, 100 * MIB, NULL},
        {", 'maxSize': 100", 34 * MIB, 34 * MIB,
         "'b' comes to hold up to 45.0 MiB on the way, over its limit of 34.0 MiB; what it gives is deleted "
         "some"},
        {", 'maxSize': 34", 100 * MIB, 34 * MIB, "migrations.waitForDelete keeps it to 25.0 MiB"},
        {", 'maxSize': 24", 0, 24 * MIB, "over its limit of 24.0 MiB; give it room, or move less to it"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct plan_options opt = plan_options_default();
        const struct shard_wish wish = {
            .shard = (char *)"b", .weight = 1, .max_bytes = rows[i].wish, .receive = true};
        g_autofree char *json = g_strdup_printf(passing_through, rows[i].document);
        g_autoptr(cluster) cl = cluster_from_json(json);
        opt.until_balanced = true;
        opt.policy = &policy_count;
        opt.shard_wishes = &wish;
        opt.n_shard_wishes = 1;
        g_autoptr(plan) p = make(cl, &opt);
        const char *message = warned(p, "shardTooFull");
        assert_int_equal(peak_of(p, "b")->limit, rows[i].limit);
        if ((message == NULL) != (rows[i].says == NULL))
            fail_msg("row %zu: %s", i, message == NULL ? "no warning" : message);
        if (message != NULL && strstr(message, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, message);
    }
}

/* Without sizes each chunk counts as one full chunk, and the peaks say so. */
static void unknown_sizes_are_assumed(void **state)
{
    (void)state;
    const struct layout l = {.shards = "a b", .chunks = "a 10 a 20 a 30 a", .version = "5.0.0"};
    struct plan_options opt = plan_options_default();
    g_autoptr(cluster) cl = layout_cluster(&l);
    opt.until_balanced = true;
    g_autoptr(plan) p = make(cl, &opt);
    assert_int_equal(peak_of(p, "a")->bytes, 4 * 64 * MIB);
    assert_true(peak_of(p, "a")->assumed);
    assert_false(peak_of(p, "b")->assumed);
    assert_int_equal(peak_of(p, "b")->peak, p->summary.bytes);
}

/* A plan about other zones; what the wish says does not matter here. */
static plan *with_zone_change(const cluster *cl, change_list *c, const struct shard_wish *wish)
{
    struct err err = {0};
    struct plan_options opt = plan_options_default();
    opt.until_balanced = true;
    opt.policy = &policy_count;
    opt.whatif = c;
    opt.shard_wishes = wish;
    opt.n_shard_wishes = wish == NULL ? 0 : 1;
    assert_true(changes_zones_file(c, "zones.json", &err));
    return make(cl, &opt);
}

static char *moves_text(const plan *p)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < p->zone_moves->len; i++) {
        const struct plan_zone_move *m = &g_array_index(p->zone_moves, struct plan_zone_move, i);
        g_string_append_printf(out, "%s %s -%u +%u -%" PRId64 " +%" PRId64 "; ",
                               cluster_zone_name(p->cl, m->zone), p->cl->shards[m->shard].id, m->n_out,
                               m->n_in, m->bytes_out / MIB, m->bytes_in / MIB);
    }
    return g_string_free(out, FALSE);
}

static void moves_by_zone_and_shard(void **state)
{
    (void)state;
    const struct layout l = {.shards = "a b/Z c/Y",
                             .chunks = "a 10 a 20 a 30 b 40 b",
                             .zones = "Z:10..20 Y:30..40 Z:20..30",
                             .sizes = "a=30M b=20M",
                             .version = "5.0.0"};
    g_autoptr(cluster) cl = layout_cluster(&l);
    g_autoptr(change_list) c = changes_new();
    g_autoptr(plan) p = with_zone_change(cl, c, NULL);
    g_autofree char *text = moves_text(p);
    assert_string_equal(text, "Y b -1 +0 -10 +0; Y c -0 +1 -0 +10; Z a -2 +0 -20 +0; Z b -0 +2 -0 +20; ");
    assert_int_equal(p->zone_faults->len, 0);
}

static void ranges_that_cannot_be_met(void **state)
{
    (void)state;
    const struct layout l = {.shards = "a b/Z c d/V",
                             .chunks = "a 10 a 20 b 30 a 40 a",
                             .zones = "Z:10..20 N:min..10 N:30..40 M:50..60",
                             .sizes = "a=40M b=10M",
                             .version = "5.0.0"};
    const struct shard_wish shut = {.shard = (char *)"b", .weight = 1, .receive = false};
    g_autoptr(cluster) cl = layout_cluster(&l);
    g_autoptr(change_list) c = changes_new();
    g_autoptr(plan) p = with_zone_change(cl, c, &shut);
    static const struct {
        const char *zone;
        bool no_carrier;
        uint32_t ranges;
        int64_t chunks;
        const char *why;
    } want[] = {
        {"M", true, 1, 1,
         "no shard carries zone 'M': 1 chunk in its 1 range of t.c has nowhere to go; give the"},
        {"N", true, 2, 2, "no shard carries zone 'N': 2 chunks in its 2 ranges of t.c have nowhere"},
        {"Z", false, 1, 1,
         "zone 'Z' has no shard that may receive: 1 chunk in its 1 range of t.c has nowhere to go; "
         "give it to a shard that is neither"},
    };
    assert_int_equal(p->zone_faults->len, G_N_ELEMENTS(want));
    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        const struct plan_zone_fault *f = &g_array_index(p->zone_faults, struct plan_zone_fault, i);
        assert_string_equal(p->cl->zones[f->zone], want[i].zone);
        assert_int_equal(f->no_carrier, want[i].no_carrier);
        assert_int_equal(f->n_ranges, want[i].ranges);
        assert_int_equal(f->chunks, want[i].chunks);
        if (strstr(f->why, want[i].why) == NULL)
            fail_msg("%s", f->why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_is_counted_until_it_is_deleted),
        cmocka_unit_test(a_shard_that_becomes_too_full),
        cmocka_unit_test(unknown_sizes_are_assumed),
        cmocka_unit_test(moves_by_zone_and_shard),
        cmocka_unit_test(ranges_that_cannot_be_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
