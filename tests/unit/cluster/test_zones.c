// SPDX-License-Identifier: Apache-2.0
/* config.tags: what ranges become, which damage they make, and how zones are numbered. */
#include "balancer/key/show.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KMIN "{'$minKey': 1}"
#define KMAX "{'$maxKey': 1}"
#define TAG(min, max, zone) "{'_id': 'i', 'ns': 'd.c', 'min': " min ", 'max': " max ", 'tag': '" zone "'}"
#define R(min, max, zone) TAG("{'a': " min "}", "{'a': " max "}", zone)
#define P(a, b) "{'a': " a ", 'b': " b "}"

/* Shards carry B; B and A. The key is {a: 1, b: 1}; one chunk holds everything. */
static cluster *with_tags(const char *tags, const char *fields)
{
    g_autofree char *json = g_strdup_printf(
        "{'shards': [{'_id': 's0', 'tags': ['B']}, {'_id': 's1', 'tags': ['B', 'A', 'B']}],"
        "'collections': [{'_id': 'd.c', 'key': {'a': 1, 'b': 1}%s}], 'tags': [%s],"
        "'chunks': [{'ns': 'd.c', 'min': " P(KMIN, KMIN) ", 'max': " P(KMAX, KMAX) ", 'shard': 's0'}]}",
        fields, tags);
    return cluster_from_json(json);
}

static char *ranges_text(const cluster *cl, const struct collection *c)
{
    GString *out = g_string_new(NULL);
    for (uint32_t i = 0; i < c->n_ranges; i++) {
        const struct zone_range *r = &c->ranges[i];
        g_string_append_printf(out, "%s", cluster_zone_name(cl, r->zone));
        key_show(out, &r->min, 0);
        key_show(out, &r->max, 0);
        g_string_append_printf(out, "%s%s;", r->extended ? "+" : "", r->trap ? "!" : "");
    }
    return g_string_free(out, FALSE);
}

static const struct zone_row {
    const char *name, *tags;
    const char *want;    /* the ranges; NULL: not looked at */
    const char *invalid; /* a part of the reason */
    const char *warning; /* a code that must be there (besides metadataInvalid); NULL: none at all */
} rows[] = {
    {"none", "", "", NULL, NULL},
    {"full bounds", TAG(P("1", "2"), P("3", "4"), "A"), "A{ a: 1, b: 2 }{ a: 3, b: 4 };", NULL, NULL},
    {"prefix", R("1", "2", "B"), "B{ a: 1, b: MinKey }{ a: 2, b: MinKey }+;", NULL, NULL},
    {"sorted", R("5", "6", "A") "," R("1", "2", "B"),
     "B{ a: 1, b: MinKey }{ a: 2, b: MinKey }+;A{ a: 5, b: MinKey }{ a: 6, b: MinKey }+;", NULL, NULL},
    {"touching", R("1", "2", "A") "," R("2", "3", "A"),
     "A{ a: 1, b: MinKey }{ a: 2, b: MinKey }+;A{ a: 2, b: MinKey }{ a: 3, b: MinKey }+;", NULL, NULL},
    {"the same twice", R("1", "2", "A") "," R("7", "8", "A") "," TAG(P("1", KMIN), P("2.0", KMIN), "A"), NULL,
     NULL, NULL},
    {"trap, short", R("1", KMAX, "A"), "A{ a: 1, b: MinKey }{ a: MaxKey, b: MaxKey }+!;", NULL,
     "maxKeyZoneBound"},
    {"trap, stored", TAG(P("1", KMIN), P(KMAX, KMIN), "A"), "A{ a: 1, b: MinKey }{ a: MaxKey, b: MaxKey }!;",
     NULL, "maxKeyZoneBound"},
    {"global maximum is no trap", TAG(P("1", KMIN), P(KMAX, KMAX), "A"),
     "A{ a: 1, b: MinKey }{ a: MaxKey, b: MaxKey };", NULL, NULL},
    {"zone of nobody", R("1", "2", "C") "," R("3", "4", "C"), NULL, NULL, "zoneWithoutShard"},
    {"overlap", R("1", "5", "A") "," R("4", "6", "B"), NULL,
     "overlap: tags[0] (_id \"i\") [{ a: 1, b: MinKey }, { a: 5, b: MinKey }) of zone 'A' and tags[1]",
     "zoneRangesOverlap"},
    {"the same range of two zones", R("1", "5", "A") "," R("1", "5", "B"), NULL, "overlap",
     "zoneRangesOverlap"},
    {"overlap by type", R("5", "'x'", "A") "," R("6.5", "7", "B"), NULL, "overlap", "zoneRangesOverlap"},
    {"empty", R("1", "1", "A"), "", "tags[0] (_id \"i\"): min is not less than max", NULL},
    {"inverted", R("2", "1", "A"), "", "min is not less than max", NULL},
    {"not a prefix", TAG("{'b': 1}", "{'b': 2}", "A"), "", "tags[0] (_id \"i\"): min: ", NULL},
    {"max not a prefix", TAG("{'a': 1}", "{'b': 2}", "A"), "", "tags[0] (_id \"i\"): max: ", NULL},
    {"empty bounds", TAG("{}", "{}", "A"), "", "min: ", NULL},
    {"a field too many", TAG("{'a': 1, 'b': 1, 'c': 1}", "{'a': 2, 'b': 1, 'c': 1}", "A"), "", "min: ", NULL},
    {"no min", "{'ns': 'd.c', 'max': {'a': 1}, 'tag': 'A'}", "", "tags[0]: min is missing", NULL},
    {"max is a number", "{'ns': 'd.c', 'min': {'a': 1}, 'max': 1, 'tag': 'A'}", "",
     "max is missing, or not a document", NULL},
    {"no zone", "{'ns': 'd.c', 'min': {'a': 1}, 'max': {'a': 2}}", "", "tag is not a zone's name", NULL},
    {"zone is empty", R("1", "2", ""), "", "tag is not a zone's name", NULL},
    {"other namespaces", "{'ns': 'd.x', 'min': {'q': 1}, 'max': {'q': 2}, 'tag': 'Q'}, {'ns': 'd.x'}", "",
     NULL, "zonesWithoutCollection"},
};

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct zone_row *row = &rows[i];
        g_autoptr(cluster) cl = with_tags(row->tags, "");
        const struct collection *c = &cl->collections[0];
        g_autofree char *got = ranges_text(cl, c);
        if (row->want != NULL && strcmp(got, row->want) != 0)
            fail_msg("%s: %s", row->name, got);
        if ((c->invalid == NULL) != (row->invalid == NULL) ||
            (row->invalid != NULL && strstr(c->invalid, row->invalid) == NULL))
            fail_msg("%s: %s", row->name, c->invalid);
        if (row->warning != NULL && cluster_count_warnings(cl, row->warning) != 1)
            fail_msg("%s: no warning %s", row->name, row->warning);
        if (cl->warnings->len != (guint)(row->warning != NULL) + (row->invalid != NULL))
            fail_msg("%s: %u warnings", row->name, cl->warnings->len);
    }
}

static void test_duplicate_dropped(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        with_tags(R("1", "2", "A") "," R("7", "8", "A") "," TAG(P("1", KMIN), P("2.0", KMIN), "A"), "");
    assert_int_equal(cl->collections[0].n_ranges, 2);
}

static void test_numbers(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        with_tags(R("1", "2", "a") "," R("3", "4", "\xc3\xa9") ",{'ns': 'd.x', 'tag': 'Q'}", "");
    const char *const want[] = {"A", "B", "a", "\xc3\xa9"};
    assert_int_equal(cl->n_zones, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(cl->zones[i], want[i]);
        assert_int_equal(cluster_find_zone(cl, want[i]), i);
    }
    assert_int_equal(cluster_find_zone(cl, "Q"), ZONE_NONE);
    assert_int_equal(cl->shards[0].n_zones, 1);
    assert_int_equal(cl->shards[1].n_zones, 2);
    assert_int_equal(cl->shards[1].zones[0], 0);
    assert_int_equal(cl->shards[1].zones[1], 1);
    assert_true(shard_has_zone(&cl->shards[0], 1) && !shard_has_zone(&cl->shards[0], 0));
    assert_true(shard_has_zone(&cl->shards[0], ZONE_NONE));
    assert_string_equal(cluster_zone_name(cl, ZONE_NONE), "no zone");
}

#define TIME_SERIES ", 'timeseriesFields': {'timeField': 't'}"

static void test_time_series(void **state)
{
    (void)state;
    g_autoptr(cluster) sound = with_tags(R("1", "2", "A"), TIME_SERIES);
    assert_null(sound->collections[0].invalid);
    assert_int_equal(sound->collections[0].n_ranges, 1);
    assert_non_null(cluster_warning(sound, "zonesOnTimeSeries", "d.c"));
    g_autoptr(cluster) damaged = with_tags(R("1", "5", "A") "," R("4", "6", "C"), TIME_SERIES);
    assert_null(damaged->collections[0].invalid);
    assert_int_equal(damaged->collections[0].n_ranges, 0);
    assert_non_null(strstr(cluster_warning(damaged, "zonesOnTimeSeries", "d.c")->message, "overlap"));
    assert_int_equal(damaged->warnings->len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_duplicate_dropped),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_time_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
