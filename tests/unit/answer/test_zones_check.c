// SPDX-License-Identifier: Apache-2.0
/* Every fault of zone ranges is told with its code, place and fix, and sound ranges are left in peace. */
#include "balancer/answer/zones_check.h"

#include "balancer/answer/lookup.h"
#include "balancer/answer/zones_map.h"
#include "tests/support/chunk_table.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char zoned[] = "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1', 'tags': ['B']}, {'_id': 's2'}]";

/* "error overlap db.c": all findings, in order. */
static char *findings_text(const GArray *findings)
{
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < findings->len; i++) {
        const struct zone_finding *f = zones_finding(findings, i);
        g_string_append_printf(s, "%s%s %s", i > 0 ? ", " : "", zone_severity_text(f->severity), f->code);
    }
    return g_string_free(s, FALSE);
}

struct row {
    const char *name;
    struct chunk_table table;
    const char *findings;    /* all of them */
    const char *words, *fix; /* of the first one; NULL: not looked at */
};

static const struct row rows[] = {
    {.name = "no ranges", .table = {.key = "{'a': 1}"}, .findings = ""},
    {.name = "sound, all covered",
     .table =
         {.key = "{'a': 1}",
          .points = "[{'a': 0}]",
          .shards = zoned,
          .tags =
              "[{'min': {'a': {'$minKey': 1}}, 'max': {'a': 0}, 'tag': 'A'}, {'min': {'a': 0}, 'max': {'a': "
              "{'$maxKey': 1}}, 'tag': 'B'}]"},
     .findings = ""},
    {.name = "overlap",
     .table =
         {.key = "{'a': 1}",
          .shards = zoned,
          .tags =
              "[{'min': {'a': 0}, 'max': {'a': 10}, 'tag': 'A'}, {'min': {'a': 5}, 'max': {'a': 15}, 'tag': "
              "'B'}]"},
     .findings = "error overlap",
     .words = "overlaps tags[0] [{ a: 0 }, { a: 10 }) of zone 'A'",
     .fix = "sh.removeRangeFromZone(\"db.c\", { \"a\": NumberInt(5) }, { \"a\": NumberInt(15) })|"
            "sh.updateZoneKeyRange(\"db.c\", { \"a\": NumberInt(10) }, { \"a\": NumberInt(15) }, \"B\")"},
    {.name = "overlap behind a shorter one",
     .table =
         {.key = "{'a': 1}",
          .shards = zoned,
          .tags =
              "[{'min': {'a': 0}, 'max': {'a': 100}, 'tag': 'A'}, {'min': {'a': 5}, 'max': {'a': 6}, 'tag': "
              "'B'}, {'min': {'a': 50}, 'max': {'a': 60}, 'tag': 'B'}]"},
     .findings = "error overlap, error overlap",
     .words = "overlaps tags[0]",
     .fix = "sh.removeRangeFromZone(\"db.c\", { \"a\": NumberInt(5) }, { \"a\": NumberInt(6) })"},
    {.name = "touching ranges do not overlap",
     .table =
         {.key = "{'a': 1}",
          .points = "[{'a': 0}, {'a': 5}, {'a': 9}]",
          .shards = zoned,
          .tags =
              "[{'min': {'a': 0}, 'max': {'a': 5}, 'tag': 'A'}, {'min': {'a': 5.0}, 'max': {'a': 9}, 'tag': "
              "'B'}]"},
     .findings = "info gap",
     .words = "2 chunks are in no zone"},
    {.name = "the same twice",
     .table =
         {.key = "{'a': 1}",
          .points = "[{'a': 0}]",
          .shards = "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1'}]",
          .owners = "01",
          .tags =
              "[{'min': {'a': {'$minKey': 1}}, 'max': {'a': 0}, 'tag': 'A'}, {'min': {'a': {'$minKey': 1}}, "
              "'max': {'a': 0}, 'tag': 'A'}]"},
     .findings = "info duplicateRange, info gap",
     .words = "the same as tags[0]",
     .fix = "db.getSiblingDB(\"config\").tags.deleteOne({ \"_id\": NumberInt(1) })"},
    {.name = "empty",
     .table = {.key = "{'a': 1}",
               .shards = zoned,
               .tags = "[{'min': {'a': 5}, 'max': {'a': 5.0}, 'tag': 'A'}]"},
     .findings = "error emptyRange",
     .words = "max is exclusive",
     .fix = "db.getSiblingDB(\"config\").tags.deleteOne({ \"_id\": NumberInt(0) })"},
    {.name = "inverted",
     .table = {.key = "{'a': 1}",
               .shards = zoned,
               .tags = "[{'min': {'a': 9}, 'max': {'a': 5}, 'tag': 'A'}]"},
     .findings = "error invertedRange"},
    {.name = "a field that is not in the key",
     .table = {.key = "{'a': 1}",
               .shards = zoned,
               .tags = "[{'min': {'x': 1}, 'max': {'a': 5}, 'tag': 'A'}]"},
     .findings = "error fieldNotInKey",
     .words = "its min has the field 'x'"},
    {.name = "too many fields",
     .table = {.key = "{'a': 1}",
               .shards = zoned,
               .tags = "[{'min': {'a': 1, 'b': 1}, 'max': {'a': 5, 'b': 1}, 'tag': 'A'}]"},
     .findings = "error fieldNotInKey, error fieldNotInKey"},
    {.name = "not a prefix",
     .table = {.key = "{'a': 1, 'b': 1}",
               .shards = zoned,
               .tags = "[{'min': {'b': 1}, 'max': {'b': 5}, 'tag': 'A'}]"},
     .findings = "error fieldsNotPrefix",
     .words = "do not follow the shard key"},
    {.name = "no fields",
     .table = {.key = "{'a': 1}", .shards = zoned, .tags = "[{'min': {}, 'max': {'a': 5}, 'tag': 'A'}]"},
     .findings = "error emptyBound"},
    {.name = "a prefix of the key",
     .table = {.key = "{'a': 1, 'b': 1}",
               .points = "[{'a': 0, 'b': {'$minKey': 1}}, {'a': 5, 'b': {'$minKey': 1}}]",
               .shards = zoned,
               .tags = "[{'min': {'a': 0}, 'max': {'a': 5}, 'tag': 'A'}]"},
     .findings = "warning partialKey, info gap",
     .words = "[{ a: 0, b: MinKey }, { a: 5, b: MinKey })",
     .fix = "db.getSiblingDB(\"config\").tags.deleteOne({ \"_id\": NumberInt(0) })|"
            "sh.updateZoneKeyRange(\"db.c\", { \"a\": NumberInt(0), \"b\": MinKey() }, { \"a\": "
            "NumberInt(5), \"b\": "
            "MinKey() }, \"A\")"},
    {.name = "the MaxKey trap",
     .table =
         {.key = "{'a': 1, 'b': 1}",
          .points = "[{'a': 0, 'b': {'$minKey': 1}}]",
          .shards = zoned,
          .tags =
              "[{'min': {'a': 0, 'b': {'$minKey': 1}}, 'max': {'a': {'$maxKey': 1}, 'b': {'$minKey': 1}}, "
              "'tag': 'A'}]"},
     .findings = "warning maxKeyTrap, info gap",
     .words = "read as { a: MaxKey, b: MaxKey }",
     .fix = "sh.removeRangeFromZone(\"db.c\", { \"a\": NumberInt(0), \"b\": MinKey() }, { \"a\": MaxKey(), "
            "\"b\": "
            "MinKey() })|sh.updateZoneKeyRange(\"db.c\", { \"a\": NumberInt(0), \"b\": MinKey() }, { \"a\": "
            "MaxKey(), "
            "\"b\": MaxKey() }, \"A\")"},
    {.name = "the MaxKey trap by a prefix",
     .table = {.key = "{'a': 1, 'b': 1}",
               .points = "[{'a': 0, 'b': {'$minKey': 1}}]",
               .shards = zoned,
               .tags = "[{'min': {'a': 0}, 'max': {'a': {'$maxKey': 1}}, 'tag': 'A'}]"},
     .findings = "warning maxKeyTrap, info gap"},
    {.name = "a value where hashes are",
     .table = {.key = "{'h': 'hashed'}",
               .shards = zoned,
               .tags = "[{'min': {'h': 'x'}, 'max': {'h': {'$maxKey': 1}}, 'tag': 'A'}]"},
     .findings = "error hashedBound, warning chunksCross, info gap",
     .words = "its min on the hashed field 'h' is \"x\""},
    {.name = "a fraction where hashes are",
     .table = {.key = "{'h': 'hashed'}",
               .points = "[{'h': {'$numberLong': '5'}}]",
               .shards = zoned,
               .tags = "[{'min': {'h': {'$minKey': 1}}, 'max': {'h': 4.5}, 'tag': 'A'}]"},
     .findings = "error hashedBound, warning chunksCross, info gap",
     .words = "64-bit hashes"},
    {.name = "a short integer where hashes are",
     .table = {.key = "{'h': 'hashed'}",
               .points = "[{'h': {'$numberLong': '5'}}]",
               .shards = zoned,
               .tags = "[{'min': {'h': {'$minKey': 1}}, 'max': {'h': 5}, 'tag': 'A'}]"},
     .findings = "warning hashedBound, info gap",
     .words = "NumberLong"},
    {.name = "a hash",
     .table = {.key = "{'h': 'hashed'}",
               .points = "[{'h': {'$numberLong': '5'}}]",
               .shards = zoned,
               .tags = "[{'min': {'h': {'$minKey': 1}}, 'max': {'h': {'$numberLong': '5'}}, 'tag': 'A'}]"},
     .findings = "info gap"},
    {.name = "a zone that no shard carries",
     .table = {.key = "{'a': 1}",
               .points = "[{'a': 0}, {'a': 5}]",
               .owners = "012",
               .tags = "[{'min': {'a': 0}, 'max': {'a': 5}, 'tag': 'X'}]"},
     .findings = "error zoneWithoutShard, info gap",
     .words = "no shard carries zone 'X'",
     .fix = "sh.addShardToZone(\"s1\", \"X\")"},
    {.name = "a zone only on draining shards",
     .table = {.key = "{'a': 1}",
               .points = "[{'a': 0}]",
               .owners = "01",
               .shards = "[{'_id': 's0', 'tags': ['X'], 'draining': true}, {'_id': 's1'}]",
               .tags = "[{'min': {'a': {'$minKey': 1}}, 'max': {'a': 0}, 'tag': 'X'}]"},
     .findings = "warning zoneDrainingOnly, info gap",
     .words = "all shards that carry zone 'X' are draining",
     .fix = "sh.addShardToZone(\"s1\", \"X\")"},
    {.name = "a zone on a draining and another shard",
     .table = {.key = "{'a': 1}",
               .points = "[{'a': 0}]",
               .owners = "01",
               .shards = "[{'_id': 's0', 'tags': ['X'], 'draining': true}, {'_id': 's1', 'tags': ['X']}]",
               .tags = "[{'min': {'a': {'$minKey': 1}}, 'max': {'a': 0}, 'tag': 'X'}]"},
     .findings = "info gap"},
    {.name = "a time-series collection",
     .table =
         {.key = "{'meta': 1, 'control.min.t': 1}",
          .shards = zoned,
          .extra = ", 'timeseriesFields': {'timeField': 't', 'metaField': 'm'}",
          .tags =
              "[{'min': {'meta': 1, 'control.min.t': {'$minKey': 1}}, 'max': {'meta': 5, 'control.min.t': "
              "{'$minKey': 1}}, 'tag': 'A'}]"},
     .findings = "warning timeSeries"},
    {.name = "the time of a time-series collection",
     .table = {.key = "{'meta': 1, 'control.min.t': 1}",
               .shards = zoned,
               .extra = ", 'timeseriesFields': {'timeField': 't', 'metaField': 'm'}",
               .tags =
                   "[{'min': {'meta': 1, 'control.min.t': {'$date': 0}}, 'max': {'meta': 5, 'control.min.t': "
                   "{'$minKey': 1}}, 'tag': 'A'}]"},
     .findings = "error timeSeriesTimeField"},
    {.name = "chunks cross bounds",
     .table =
         {.key = "{'a': 1}",
          .points = "[{'a': 0}, {'a': 10}]",
          .shards = zoned,
          .tags =
              "[{'min': {'a': 2}, 'max': {'a': 4}, 'tag': 'A'}, {'min': {'a': 4}, 'max': {'a': 12}, 'tag': "
              "'B'}]"},
     .findings = "warning chunksCross, info gap",
     .words = "2 chunks cross a zone's bound: [{ a: 0 }, { a: 10 }) on s1, [{ a: 10 }, { a: MaxKey }) on s2",
     .fix = "sh.splitAt(\"db.c\", { \"a\": NumberInt(2) })|sh.splitAt(\"db.c\", { \"a\": NumberInt(4) })|"
            "sh.splitAt(\"db.c\", { \"a\": NumberInt(12) })"},
    {.name = "an unknown collection",
     .table =
         {.key = "{'a': 1}",
          .tags =
              "[{'ns': 'db.gone', 'min': {'a': 0}, 'max': {'a': 5}, 'tag': 'X'}, {'ns': 'db.gone', 'min': "
              "{'a': 5}, 'max': {'a': 6}, 'tag': 'X'}]"},
     .findings = "warning unknownCollection",
     .words = "2 zone ranges of a collection that is not in config.collections",
     .fix = "sh.removeRangeFromZone(\"db.gone\", { \"a\": NumberInt(0) }, { \"a\": NumberInt(5) })|"
            "sh.removeRangeFromZone(\"db.gone\", { \"a\": NumberInt(5) }, { \"a\": NumberInt(6) })"},
    {.name = "a collection that is not sharded",
     .table = {.key = "{'_id': 1}",
               .extra = ", 'unsplittable': true",
               .shards = zoned,
               .tags = "[{'min': {'_id': 0}, 'max': {'_id': 5}, 'tag': 'A'}]"},
     .findings = "warning notSharded, info zoneWithoutRange"},
    {.name = "a zone without a range",
     .table = {.key = "{'a': 1}", .shards = "[{'_id': 's0', 'tags': ['Z']}]"},
     .findings = "info zoneWithoutRange",
     .words = "zone 'Z' has no range"},
    {.name = "not readable",
     .table = {.key = "{'a': 1}", .shards = zoned, .tags = "[{'min': {'a': 0}, 'max': 5, 'tag': 'A'}]"},
     .findings = "error unreadable",
     .words = "'max' is missing"},
    {.name = "names that would end a command",
     .table = {.key = "{\"a\": 1}",
               .shards = "[{\"_id\": \"s0\", \"tags\": [\"A\"]}]",
               .tags = "[{\"min\": {\"a\": \"\\\"); drop(\"}, \"max\": {\"a\": \"\\\"\"}, \"tag\": \"A\"}]"},
     .findings = "error invertedRange",
     .words = "min is above its max",
     .fix = "db.getSiblingDB(\"config\").tags.deleteOne({ \"_id\": NumberInt(0) })"},
};

static void check_row(const struct row *row)
{
    g_autoptr(cluster) cl = chunk_table_cluster(&row->table);
    g_autoptr(GArray) findings = zones_check(cl, NULL, NULL);
    g_autofree char *all = findings_text(findings);
    g_autoptr(GString) got =
        g_string_new(NULL); /* without zones that have no range, but where they are meant */
    g_auto(GStrv) parts = g_strsplit(all, ", ", -1);
    for (char **p = parts; *p != NULL; p++)
        if (strcmp(*p, "info zoneWithoutRange") != 0 || strstr(row->findings, "zoneWithoutRange") != NULL)
            g_string_append_printf(got, "%s%s", got->len > 0 ? ", " : "", *p);
    if (strcmp(got->str, row->findings) != 0)
        fail_msg("%s: found '%s', expected '%s'", row->name, got->str, row->findings);
    if (findings->len == 0)
        return;
    const struct zone_finding *first = zones_finding(findings, 0);
    if (row->words != NULL && strstr(first->message, row->words) == NULL)
        fail_msg("%s: '%s' lacks '%s'", row->name, first->message, row->words);
    if (row->fix == NULL)
        return;
    g_autoptr(GString) fix = g_string_new(NULL);
    for (guint i = 0; i < first->fix->len; i++)
        g_string_append_printf(fix, "%s%s", i > 0 ? "|" : "", (char *)first->fix->pdata[i]);
    if (strcmp(fix->str, row->fix) != 0)
        fail_msg("%s: the fix is '%s', expected '%s'", row->name, fix->str, row->fix);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        check_row(&rows[i]);
}

static bool only_other(const char *ns, void *data)
{
    (void)data;
    return strcmp(ns, "db.other") == 0;
}

static void test_filtered(void **state)
{
    (void)state;
    const struct chunk_table t = {
        .key = "{'a': 1}", .shards = zoned, .tags = "[{'min': {'a': 9}, 'max': {'a': 5}, 'tag': 'A'}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(GArray) findings = zones_check(cl, only_other, NULL);
    assert_int_equal(findings->len, 0);
}

/* "A 1+0, gap 1+1": zone, chunks inside + crossing. */
static void check_map(const char *name, const struct chunk_table *t, const char *expected)
{
    g_autoptr(cluster) cl = chunk_table_cluster(t);
    g_autoptr(zones_map) m = zones_map_new(&cl->collections[0]);
    g_autoptr(GString) got = g_string_new(NULL);
    for (guint i = 0; i < m->parts->len; i++) {
        const struct zone_part *p = &g_array_index(m->parts, struct zone_part, i);
        g_string_append_printf(got, "%s%s %u+%u", i > 0 ? ", " : "",
                               p->range == NULL ? "gap" : cl->zones[p->range->zone], p->inside, p->crossing);
    }
    if (strcmp(got->str, expected) != 0)
        fail_msg("%s: '%s', expected '%s'", name, got->str, expected);
}

static void test_map(void **state)
{
    (void)state;
    struct chunk_table t = {.key = "{'a': 1}", .points = "[{'a': 0}, {'a': 10}, {'a': 20}]", .shards = zoned};
    check_map("no ranges", &t, "gap 4+0");
    t.tags = "[{'min': {'a': 0}, 'max': {'a': 20}, 'tag': 'A'}]";
    check_map("aligned", &t, "gap 1+0, A 2+0, gap 1+0");
    t.tags = "[{'min': {'a': 5}, 'max': {'a': 15}, 'tag': 'A'}]";
    check_map("both ends cut", &t, "gap 1+1, A 0+2, gap 1+1");
    t.tags = "[{'min': {'a': 2}, 'max': {'a': 4}, 'tag': 'A'}]";
    check_map("inside one chunk", &t, "gap 1+1, A 0+1, gap 2+1");
    t.tags = "[{'min': {'a': 2}, 'max': {'a': 4}, 'tag': 'A'}, {'min': {'a': 4}, 'max': {'a': {'$maxKey': "
             "1}}, 'tag': "
             "'B'}]";
    check_map("two that touch", &t, "gap 1+1, A 0+1, B 2+1");
    t.tags = "[{'min': {'a': {'$minKey': 1}}, 'max': {'a': {'$maxKey': 1}}, 'tag': 'A'}]";
    check_map("everything", &t, "A 4+0");
    t.tags = "[{'min': {'a': 25}, 'max': {'a': 30}, 'tag': 'A'}]";
    check_map("inside the last chunk", &t, "gap 3+1, A 0+1, gap 0+1");
}

static void test_chunk_zone(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1}",
                                  .points = "[{'a': 0}, {'a': 10}, {'a': 20}, {'a': 30}]",
                                  .shards = zoned,
                                  .tags = "[{'min': {'a': 0}, 'max': {'a': 15}, 'tag': 'A'}, {'min': {'a': "
                                          "30}, 'max': {'a': {'$maxKey': 1}}, "
                                          "'tag': 'B'}]"};
    static const struct chunk_zone expected[] = {{ZONE_NONE, UINT32_MAX, false},
                                                 {0, 0, false},
                                                 {ZONE_NONE, 0, true},
                                                 {ZONE_NONE, UINT32_MAX, false},
                                                 {1, 1, false}};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    for (uint32_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        struct chunk_zone got = lookup_chunk_zone(&cl->collections[0], i);
        if (got.zone != expected[i].zone || got.range != expected[i].range ||
            got.crosses != expected[i].crosses)
            fail_msg("chunk %u: zone %u, range %u, crosses %d", i, got.zone, got.range, got.crosses);
    }
}

/* The model keeps documents of zone ranges, but not without end. */
static void test_tags_bounded(void **state)
{
    (void)state;
    enum { BIG = 15 << 20 };
    g_autofree char *text = g_strnfill(BIG, 'x');
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    bool ok = true;
    for (int i = 0; i < 5 && ok; i++) {
        bson_t doc = BSON_INITIALIZER, bound = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&doc, "ns", "db.c");
        BSON_APPEND_UTF8(&doc, "x", text);
        BSON_APPEND_DOCUMENT(&doc, "min", &bound);
        BSON_APPEND_DOCUMENT(&doc, "max", &bound);
        BSON_APPEND_UTF8(&doc, "tag", "A");
        ok = builder_add(b, DOC_TAG, (uint64_t)i, bson_get_data(&doc), doc.len, &err);
        assert_true(ok || i == 4);
        bson_destroy(&doc);
        bson_destroy(&bound);
    }
    assert_false(ok);
    assert_int_equal(err.cls, ERR_DATA);
    assert_non_null(strstr(err.msg, "64 MiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_filtered),     cmocka_unit_test(test_map),
        cmocka_unit_test(test_chunk_zone), cmocka_unit_test(test_tags_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
