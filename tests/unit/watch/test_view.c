// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/view.h"
#include "tests/support/canned_view.h"

#include <bson/bson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bson_t *parsed(const char *scene, const GString *json)
{
    bson_error_t fault;
    bson_t *doc = bson_new_from_json((const uint8_t *)json->str, (gssize)json->len, &fault);
    if (doc == NULL)
        fail_msg("%s: not JSON: %s", scene, fault.message);
    return doc;
}

static bson_t *status_of(const char *scene)
{
    g_autoptr(service_view) v = canned_view(scene);
    g_autoptr(GString) out = g_string_new(NULL);
    service_view_json(v, out);
    return parsed(scene, out);
}

static bson_t *collections_of(const char *scene)
{
    g_autoptr(service_view) v = canned_view(scene);
    g_autoptr(GString) out = g_string_new(NULL);
    service_view_collections_json(v, out);
    return parsed(scene, out);
}

/* ---- every state has its word ---- */

static void states(void **state)
{
    static const char *const want[] = {"starting", "standby", "idle",        "planning", "moving",
                                       "held",     "paused",  "unreachable", "stopping"};
    (void)state;
    for (enum service_state s = SERVICE_STARTING; s <= SERVICE_STOPPING; s++)
        assert_string_equal(service_state_text(s), want[s]);
}

/* ---- values ---- */

/* The value at a dotted path, as relaxed text. */
static char *value_at(const bson_t *doc, const char *path)
{
    bson_iter_t it, found;
    assert_true(bson_iter_init(&it, doc));
    if (!bson_iter_find_descendant(&it, path, &found))
        return g_strdup("(missing)");
    switch (bson_iter_type(&found)) {
    case BSON_TYPE_UTF8:
        return g_strdup(bson_iter_utf8(&found, NULL));
    case BSON_TYPE_BOOL:
        return g_strdup(bson_iter_bool(&found) ? "true" : "false");
    case BSON_TYPE_NULL:
        return g_strdup("null");
    case BSON_TYPE_DOUBLE:
        return g_strdup_printf("%g", bson_iter_double(&found));
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        return g_strdup_printf("%" G_GINT64_FORMAT, bson_iter_as_int64(&found));
    case BSON_TYPE_ARRAY:
        return g_strdup("(array)");
    default:
        return g_strdup("(document)");
    }
}

static void values(void **state)
{
    static const struct {
        const char *scene, *path, *want;
    } rows[] = {
        {"moving", "schemaVersion", "1"},
        {"moving", "at", "2026-11-21T02:13:05Z"},
        {"moving", "state", "moving"},
        {"moving", "cluster.version", "7.0.14"},
        {"moving", "lease.held", "true"},
        {"moving", "lease.epoch", "12"},
        {"moving", "window.always", "true"},
        {"moving", "window.changesAt", "null"},
        {"moving", "pause.paused", "false"},
        {"moving", "pause.who", "null"},
        {"moving", "policy", "optimal"},
        {"moving", "round.id", "39"},
        {"moving", "round.bytesDone", "104152956928"},
        {"moving", "round.finishExpected", "2026-11-21T03:50:05Z"},
        {"moving", "migrations.0.ns", "shop.orders"},
        {"moving", "migrations.0.kind", "migration"},
        {"moving", "migrations.0.min.customerId", "7000"},
        {"moving", "migrations.0.attempt", "2"},
        {"moving", "migrations.0.expectedLow", "2026-11-21T02:14:05Z"},
        {"moving", "speed.basis", "journal"},
        {"moving", "speed.samples", "200"},
        {"balanced", "speed.bytesPerSecond", "null"},
        {"empty", "speed", "null"},
        {"moving", "forecast.complete", "true"},
        {"moving", "forecast.migrations", "734"},
        {"moving", "forecast.finishExpected", "2026-11-21T05:48:23Z"},
        {"held", "forecast.complete", "false"},
        {"paused", "forecast.finishHigh", "null"},
        {"paused", "forecast.highSeconds", "18720"},
        {"empty", "forecast", "null"},
        {"moving", "promise.rounds", "10"},
        {"moving", "promise.promisedSeconds", "12000"},
        {"moving", "promise.achievedSeconds", "18720"},
        {"empty", "promise.rounds", "0"},
        {"moving", "shards.0.id", "rs-eu-1"},
        {"moving", "shards.0.zones.0", "eu-west"},
        {"moving", "shards.2.draining", "true"},
        {"moving", "collections.0.imbalance", "0.241"},
        {"moving", "collections.0.shards", "(missing)"},
        {"moving", "collections.4.excludedReason", "timeSeries"},
        {"moving", "collectionsTotal", "5"},
        {"moving", "collectionsImbalanced", "2"},
        {"moving", "blocked.0.reason", "jumbo"},
        {"moving", "history.0.imbalance", "0.62"},
        {"moving", "rounds.0.endedAt", "null"},
        {"moving", "rounds.1.endedAt", "2026-11-21T01:10:17Z"},
        {"moving", "counters.migrationsCommitted", "1204"},
        {"moving", "counters.migrationSeconds", "40211.2"},
        {"moving", "process.openFiles", "31"},
        {"empty", "state", "starting"},
        {"empty", "cluster.name", "null"},
        {"empty", "round", "null"},
        {"empty", "plannedAt", "null"},
        {"empty", "nextRoundAt", "null"},
        {"held", "holds.0.code", "window"},
        {"held", "holds.0.until", "2026-11-21T22:13:05Z"},
        {"held", "holds.1.until", "null"},
        {"held", "window.changesAt", "2026-11-21T22:13:05Z"},
        {"hostile", "cluster.name", "<script>alert(1)</script>"},
        {"hostile", "policy", "not\\xFF\\xFEutf8\\x1B[31m"},
        {"hostile", "pause.reason",
         "safe\xe2\x80\xae"
         "gnp.exe"},
        {"hostile", "collections.6.imbalance", "null"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t *doc = status_of(rows[i].scene);
        g_autofree char *got = value_at(doc, rows[i].path);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s, %s: got %s, want %s", rows[i].scene, rows[i].path, got, rows[i].want);
        bson_destroy(doc);
    }
}

static void unknown_is_null(void **state)
{
    (void)state;
    g_autoptr(service_view) v = service_view_new();
    g_autoptr(GString) out = g_string_new(NULL);
    struct view_shard s = {.id = g_strdup("a"), .bytes = -1, .target_bytes = -1, .target_chunks = -1};
    struct view_migration m = {.bytes = -1, .split = true};
    struct view_collection c = {.bytes = -1, .chunks = -1};
    g_array_append_val(v->shards, s);
    g_array_append_val(v->migrations, m);
    g_array_append_val(v->collections, c);
    v->count.bytes_moved = UINT64_MAX;
    service_view_json(v, out);
    assert_non_null(
        strstr(out->str, "\"bytes\": null, \"targetBytes\": null, \"chunks\": 0, \"targetChunks\": null"));
    assert_non_null(strstr(out->str, "\"kind\": \"split\""));
    assert_non_null(strstr(out->str, "\"min\": null, \"max\": null"));
    assert_non_null(strstr(out->str, "\"bytesMoved\": 9223372036854775807"));
    service_view_collections_json(v, out);
    service_view_free(NULL);
}

static void collections(void **state)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"plannedAt", "2026-11-21T02:12:23Z"},         {"collections.0.ns", "shop.orders"},
        {"collections.0.shards.1.id", "rs-eu-2"},      {"collections.0.shards.1.targetBytes", "281320357888"},
        {"collections.0.ranges.1.zone", "eu-central"}, {"collections.0.ranges.1.min.region", "DE"},
        {"collections.1.ranges.0", "(missing)"},       {"history", "(missing)"},
    };
    (void)state;
    bson_t *doc = collections_of("moving");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = value_at(doc, rows[i].path);
        assert_string_equal(got, rows[i].want);
    }
    bson_destroy(doc);
}

/* ---- the document tells every field ---- */

static void check_told(const char *doc_text, const bson_t *doc, bool is_array)
{
    bson_iter_t it;
    assert_true(bson_iter_init(&it, doc));
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        g_autofree char *quoted = g_strdup_printf("`%s`", key);
        g_autofree char *quoted_list = g_strdup_printf("`%s[]`", key);
        if (strcmp(key, "min") == 0 || strcmp(key, "max") == 0)
            continue; /* what is in them is the cluster's */
        if (!is_array && strstr(doc_text, quoted) == NULL && strstr(doc_text, quoted_list) == NULL)
            fail_msg("docs/status.md does not tell of %s", key);
        if (BSON_ITER_HOLDS_DOCUMENT(&it) || BSON_ITER_HOLDS_ARRAY(&it)) {
            bson_t part;
            const uint8_t *data;
            uint32_t len;
            const bool array = BSON_ITER_HOLDS_ARRAY(&it);
            if (array)
                bson_iter_array(&it, &len, &data);
            else
                bson_iter_document(&it, &len, &data);
            assert_true(bson_init_static(&part, data, len));
            check_told(doc_text, &part, array);
        }
    }
}

static void documented(void **state)
{
    (void)state;
    for (const char *const *scene = canned_scenes(); *scene != NULL; scene++) {
        g_autofree char *text = NULL;
        bson_t *status = status_of(*scene), *all = collections_of(*scene);
        assert_true(g_file_get_contents(SOURCE_DIR "/docs/status.md", &text, NULL, NULL));
        check_told(text, status, false);
        check_told(text, all, false);
        bson_destroy(status);
        bson_destroy(all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states),      cmocka_unit_test(values),     cmocka_unit_test(unknown_is_null),
        cmocka_unit_test(collections), cmocka_unit_test(documented),
    };
    return cmocka_run_group_tests_name("watch.view", tests, NULL, NULL);
}
