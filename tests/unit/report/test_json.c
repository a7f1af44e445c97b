// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/report.h"
#include "tests/support/plan_by_hand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct report_source source = {"snapshot", "cluster.json", 1732152345678};

/* The report parsed back; it must be JSON and end with a line end. */
static bson_t *report_of(hand *h)
{
    g_autoptr(GString) out = g_string_new(NULL);
    bson_error_t error;
    report_json(&h->p, &source, out);
    assert_true(g_utf8_validate(out->str, (gssize)out->len, NULL));
    assert_true(g_str_has_suffix(out->str, "}\n"));
    bson_t *doc = bson_new_from_json((const uint8_t *)out->str, (ssize_t)out->len, &error);
    if (doc == NULL)
        fail_msg("not JSON: %s in %s", error.message, out->str);
    return doc;
}

static bson_iter_t at(const bson_t *doc, const char *path)
{
    bson_iter_t it, found;
    assert_true(bson_iter_init(&it, doc));
    if (!bson_iter_find_descendant(&it, path, &found))
        fail_msg("there is no %s", path);
    return found;
}

static void check_string(const bson_t *doc, const char *path, const char *want)
{
    bson_iter_t it = at(doc, path);
    if (want == NULL) {
        if (!BSON_ITER_HOLDS_NULL(&it))
            fail_msg("%s is not null", path);
        return;
    }
    if (!BSON_ITER_HOLDS_UTF8(&it) || strcmp(bson_iter_utf8(&it, NULL), want) != 0)
        fail_msg("%s is not '%s'", path, want);
}

static void check_int(const bson_t *doc, const char *path, int64_t want)
{
    bson_iter_t it = at(doc, path);
    if (!(BSON_ITER_HOLDS_INT(&it)) || bson_iter_as_int64(&it) != want)
        fail_msg("%s is not %" PRId64, path, want);
}

/* The names of the fields at `path` ("": the document), in order, separated by spaces. */
static void check_keys(const bson_t *doc, const char *path, const char *want)
{
    bson_iter_t it, child;
    g_autoptr(GString) got = g_string_new(NULL);
    if (*path == '\0') {
        assert_true(bson_iter_init(&child, doc));
    } else {
        it = at(doc, path);
        assert_true(bson_iter_recurse(&it, &child));
    }
    while (bson_iter_next(&child))
        g_string_append_printf(got, "%s%s", got->len > 0 ? " " : "", bson_iter_key(&child));
    if (strcmp(got->str, want) != 0)
        fail_msg("keys of '%s' are %s, want %s", path, got->str, want);
}

static guint length(const bson_t *doc, const char *path)
{
    bson_iter_t it = at(doc, path), child;
    guint n = 0;
    assert_true(BSON_ITER_HOLDS_ARRAY(&it) && bson_iter_recurse(&it, &child));
    while (bson_iter_next(&child))
        n++;
    return n;
}

static hand *full_plan(void)
{
    hand *h = hand_new("6.0.3", "size", 3);
    uint32_t eu = hand_zone(h, 0, "EU");
    guint c = hand_collection(h, "shop.orders", "{\"region\": 1, \"id\": 1}");
    g_ptr_array_add(hand_at(h, c)->zones, h->cl.zones[eu]);
    hand_at(h, c)->violation = "zoneBoundary";
    hand_at(h, c)->shards[2].bytes_after = SIZE_UNKNOWN;
    hand_round(h);
    hand_split(h, c, "{\"region\": \"A\", \"id\": 1}", "{\"region\": \"Z\", \"id\": 1}",
               "{\"region\": \"EU\", \"id\": {\"$minKey\": 1}}");
    struct plan_migration *m =
        hand_move(h, c, "{\"region\": \"EU\", \"id\": {\"$numberLong\": \"7\"}}",
                  "{\"region\": {\"$maxKey\": 1}, \"id\": {\"$maxKey\": 1}}", 1, 0, 4096);
    m->reason = MOVE_ZONE_VIOLATION;
    m->zone = eu;
    hand_round(h);
    m = hand_move(h, c, "{\"region\": \"A\", \"id\": 1}", "{\"region\": \"B\", \"id\": 1}", 0, 2,
                  SIZE_UNKNOWN);
    m->open_max = m->force_jumbo = true;
    hand_blocked(h, c, 1, "jumbo")->min = hand_bound(h, "{\"region\": \"Q\", \"id\": 5}");
    hand_blocked(h, c, SHARD_NONE, "noEligibleShard")->bytes = SIZE_UNKNOWN;
    hand_warning(h, "sizesAssumed", "shop.orders", "sizes are not known");
    hand_warning(h, "balancerOff", NULL, "the balancer is off");
    hand_advice(h, "jumbo", hand_at(h, c)->coll, 1, "first\nsecond");
    hand_advice(h, "zoneCannotBeMet", NULL, SHARD_NONE, "");
    h->p.summary.time = (struct plan_time){1.5, 2, 1, 4, TIME_CHANGELOG};
    h->p.summary.lower_bytes = 2048;
    h->p.summary.lower_rounds = 1;
    h->p.summary.imbalance_before = 0.25;
    h->p.summary.imbalance_after = INFINITY;
    return h;
}

static void test_schema(void **state)
{
    (void)state;
    g_autoptr(hand) h = full_plan();
    bson_t *doc = report_of(h);
    check_keys(doc, "",
               "schemaVersion planId tool generatedAt source policy collections rounds summary peak warnings "
               "advice");
    check_keys(doc, "tool", "name version");
    check_keys(doc, "source", "kind name serverVersion");
    check_keys(doc, "policy", "name unit");
    check_keys(doc, "collections.0",
               "ns shardKey status excludedReason violation zones chunks bytes sizesAssumed "
               "imbalanceBefore imbalanceAfter shards");
    check_keys(doc, "collections.0.shards.0",
               "shard chunks bytes targetBytes chunksAfter bytesAfter targetChunks");
    check_keys(doc, "rounds.0", "round splits migrations");
    check_keys(doc, "rounds.0.splits.0", "ns min max at shard version reason");
    check_keys(doc, "rounds.0.migrations.0",
               "id ns min max openMin openMax from to version reason zone bytes forceJumbo why");
    check_keys(doc, "summary",
               "migrations splits bytes rounds complete time lowerBound imbalanceBefore "
               "imbalanceAfter blocked");
    check_keys(
        doc, "summary.time",
        "minimumSeconds expectedSeconds lowSeconds highSeconds basis lowerBoundSeconds barrierSeconds");
    check_keys(doc, "summary.lowerBound", "bytes rounds");
    check_keys(doc, "summary.blocked.0", "ns min shard reason chunks bytes why");
    check_keys(doc, "warnings.0", "code ns message");
    check_keys(doc, "advice.0", "code ns shard message todo commands");
    assert_int_equal(length(doc, "advice.0.commands"), 2);
    assert_int_equal(length(doc, "advice.1.commands"), 0);
    bson_destroy(doc);
}

static void test_values(void **state)
{
    (void)state;
    g_autoptr(hand) h = full_plan();
    bson_t *doc = report_of(h);
    static const struct {
        const char *path, *want;
    } strings[] = {
        {"planId", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"tool.version", EVENKEEL_VERSION},
        {"generatedAt", "2024-11-21T01:25:45Z"},
        {"source.kind", "snapshot"},
        {"source.name", "cluster.json"},
        {"source.serverVersion", "6.0.3"},
        {"policy.name", "size"},
        {"policy.unit", "bytes"},
        {"collections.0.status", "imbalanced"},
        {"collections.0.excludedReason", NULL},
        {"collections.0.violation", "zoneBoundary"},
        {"collections.0.zones.0", "EU"},
        {"collections.0.shards.2.bytesAfter", NULL},
        {"rounds.0.splits.0.reason", "zoneBoundary"},
        {"rounds.0.splits.0.at.0.region", "EU"},
        {"rounds.0.migrations.0.from", "shard1"},
        {"rounds.0.migrations.0.to", "shard0"},
        {"rounds.0.migrations.0.version", "2|5||000000000000000000000000"},
        {"rounds.0.migrations.0.reason", "zoneViolation"},
        {"rounds.0.migrations.0.zone", "EU"},
        {"rounds.1.migrations.0.zone", NULL},
        {"rounds.1.migrations.0.bytes", NULL},
        {"summary.time.basis", "changelog"},
        {"summary.imbalanceAfter", NULL},
        {"summary.blocked.0.shard", "shard1"},
        {"summary.blocked.1.shard", NULL},
        {"summary.blocked.1.min", NULL},
        {"summary.blocked.1.bytes", NULL},
        {"warnings.0.ns", "shop.orders"},
        {"warnings.1.ns", NULL},
        {"advice.0.code", "jumbo"},
        {"advice.0.ns", "shop.orders"},
        {"advice.0.shard", "shard1"},
        {"advice.0.commands.1", "second"},
        {"advice.1.ns", NULL},
        {"advice.1.shard", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
        check_string(doc, strings[i].path, strings[i].want);
    check_int(doc, "schemaVersion", 1);
    check_int(doc, "rounds.0.migrations.0.id", 1);
    check_int(doc, "rounds.0.migrations.0.bytes", 4096);
    check_int(doc, "rounds.1.migrations.0.id", 2);
    check_int(doc, "collections.0.shards.0.targetChunks", 10);
    check_int(doc, "summary.blocked.0.chunks", 3);
    check_int(doc, "summary.lowerBound.bytes", 2048);
    assert_int_equal(length(doc, "rounds.1.splits"), 0);
    bson_iter_t it = at(doc, "rounds.0.migrations.0.max.region");
    assert_true(BSON_ITER_HOLDS_MAXKEY(&it));
    it = at(doc, "summary.time.minimumSeconds");
    assert_float_equal(bson_iter_as_double(&it), 1.5, 0);
    it = at(doc, "rounds.1.migrations.0.openMax");
    assert_true(BSON_ITER_HOLDS_BOOL(&it) && bson_iter_bool(&it));
    it = at(doc, "rounds.1.migrations.0.openMin");
    assert_true(BSON_ITER_HOLDS_BOOL(&it) && !bson_iter_bool(&it));
    it = at(doc, "rounds.1.migrations.0.forceJumbo");
    assert_true(BSON_ITER_HOLDS_BOOL(&it) && bson_iter_bool(&it));
    bson_destroy(doc);
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new(NULL, "count", 1);
    bson_t *doc = report_of(h);
    check_string(doc, "source.serverVersion", NULL);
    check_string(doc, "policy.unit", "chunks");
    assert_int_equal(length(doc, "collections"), 0);
    assert_int_equal(length(doc, "rounds"), 0);
    assert_int_equal(length(doc, "warnings"), 0);
    assert_int_equal(length(doc, "summary.blocked"), 0);
    bson_destroy(doc);
}

static void test_excluded(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("5.0.1", "count", 2);
    guint c = hand_collection(h, "shop.broken", NULL);
    hand_at(h, c)->status = PLAN_EXCLUDED;
    hand_at(h, c)->excluded = EXCLUDED_METADATA_INVALID;
    hand_at(h, c)->bytes = SIZE_UNKNOWN;
    bson_t *doc = report_of(h);
    check_string(doc, "collections.0.status", "excluded");
    check_string(doc, "collections.0.excludedReason", "metadataInvalid");
    check_string(doc, "collections.0.shardKey", NULL);
    check_string(doc, "collections.0.bytes", NULL);
    bson_destroy(doc);
}

/* Names come back as they were, and nothing raw reaches the terminal. */
static void test_hostile_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want; /* want NULL: as it went in */
    } rows[] = {
        {"markup", "</script><script>alert(1)</script>", NULL},
        {"quotes", "a\"},{\"b\": \"c\\", NULL},
        {"controls", "\x1b[2J\x07\n\r\x7f", NULL},
        {"C1",
         "\xc2\x9b"
         "31m",
         NULL},
        {"line separators",
         "a\xe2\x80\xa8"
         "b\xe2\x80\xa9",
         NULL},
        {"direction",
         "\xe2\x80\xae"
         "fdp.exe",
         NULL},
        {"not UTF-8", "a\xc3(", "a\\xC3("},
        {"empty", "", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *want = rows[i].want != NULL ? rows[i].want : rows[i].in;
        g_autoptr(hand) h = hand_new("6.0.3", "size", 2);
        hand_shard_id(h, 1, rows[i].in);
        guint c = hand_collection(h, rows[i].in, "{\"a\": 1}");
        hand_round(h);
        hand_move(h, c, "{\"a\": 1}", "{\"a\": 2}", 0, 1, 1)->why = (char *)(uintptr_t)rows[i].in;
        hand_warning(h, "x", rows[i].in, rows[i].in);
        g_autoptr(GString) out = g_string_new(NULL);
        const struct report_source src = {"dump", rows[i].in, 0};
        report_json(&h->p, &src, out);
        for (const char *s = out->str; *s != '\0'; s = g_utf8_next_char(s)) {
            gunichar ch = g_utf8_get_char(s);
            if ((ch < 0x20 && ch != '\n') || (ch >= 0x7f && ch < 0xa0) || (ch >= 0x2028 && ch <= 0x202e))
                fail_msg("%s: U+%04X is in the output", rows[i].name, (unsigned)ch);
        }
        bson_t *doc = report_of(h);
        check_string(doc, "collections.0.ns", want);
        check_string(doc, "collections.0.shards.1.shard", want);
        check_string(doc, "rounds.0.migrations.0.to", want);
        check_string(doc, "rounds.0.migrations.0.why", want);
        check_string(doc, "warnings.0.message", want);
        bson_destroy(doc);
    }
}

static void test_same_bytes(void **state)
{
    (void)state;
    g_autoptr(hand) h = full_plan();
    g_autoptr(GString) a = g_string_new(NULL), b = g_string_new(NULL);
    struct report_source later = source;
    later.generated_ms += 3600000;
    report_json(&h->p, &source, a);
    report_json(&h->p, &later, b);
    assert_string_not_equal(a->str, b->str);
    char *time_a = strstr(a->str, "2024-11-21T01:25:45Z"), *time_b = strstr(b->str, "2024-11-21T02:25:45Z");
    assert_true(time_a != NULL && time_b != NULL);
    time_a[12] = time_b[12] = '_';
    assert_string_equal(a->str, b->str);
}

static void test_one_line_per_migration(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 2);
    guint c = hand_collection(h, "a.b", "{\"a\": 1}");
    hand_round(h);
    for (int i = 0; i < 1000; i++)
        hand_move(h, c, "{\"a\": \"line\\nend\"}", "{\"a\": 2}", 0, 1, 1);
    g_autoptr(GString) out = g_string_new(NULL);
    report_json(&h->p, &source, out);
    guint lines = 0;
    g_auto(GStrv) all = g_strsplit(out->str, "\n", -1);
    for (char **l = all; *l != NULL; l++)
        lines += g_str_has_prefix(*l, "        {\"id\": ") ? 1 : 0;
    assert_int_equal(lines, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_excluded),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_one_line_per_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
