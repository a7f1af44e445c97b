// SPDX-License-Identifier: Apache-2.0
/* config.settings, the server's version, and the past migrations of the changelog. */
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((int64_t)1 << 20)

static const struct setting_row {
    const char *name, *version, *documents;
    const char *invalid; /* a part of the reason; NULL: valid */
    int64_t chunk_mib;
    enum balancer_mode mode;
    const char *window; /* "start-stop", those of days behind it; NULL: none */
} rows[] = {
    {"nothing, 4.2", "4.2.0", "", NULL, 64, BALANCER_FULL, NULL},
    {"nothing, 5.0", "5.0.9", "", NULL, 64, BALANCER_FULL, NULL},
    {"nothing, 6.0", "6.0.0", "", NULL, 128, BALANCER_FULL, NULL},
    {"size int", "4.2.0", "{'_id': 'chunksize', 'value': 1}", NULL, 1, BALANCER_FULL, NULL},
    {"size double", "8.0.0", "{'_id': 'chunksize', 'value': 64.0}", NULL, 64, BALANCER_FULL, NULL},
    {"size long", "8.0.0", "{'_id': 'chunksize', 'value': {'$numberLong': '1024'}}", NULL, 1024,
     BALANCER_FULL, NULL},
    {"size with a fraction", "8.0.0", "{'_id': 'chunksize', 'value': 64.5}",
     "settings[0] (_id \"chunksize\"): value", 128, BALANCER_FULL, NULL},
    {"size 0", "4.2.0", "{'_id': 'chunksize', 'value': 0}", "whole number", 64, BALANCER_FULL, NULL},
    {"size 1025", "4.2.0", "{'_id': 'chunksize', 'value': 1025}", "whole number", 64, BALANCER_FULL, NULL},
    {"size huge", "4.2.0", "{'_id': 'chunksize', 'value': 1e300}", "whole number", 64, BALANCER_FULL, NULL},
    {"size text", "4.2.0", "{'_id': 'chunksize', 'value': '64'}", "whole number", 64, BALANCER_FULL, NULL},
    {"size absent", "4.2.0", "{'_id': 'chunksize'}", "value is missing", 64, BALANCER_FULL, NULL},
    {"stopped", "4.2.0", "{'_id': 'balancer', 'stopped': true, 'mode': 'full'}", NULL, 64, BALANCER_OFF,
     NULL},
    {"not stopped but off", "4.2.0", "{'_id': 'balancer', 'stopped': false, 'mode': 'off'}", NULL, 64,
     BALANCER_OFF, NULL},
    {"split only", "4.2.0", "{'_id': 'balancer', 'mode': 'autoSplitOnly'}", NULL, 64, BALANCER_AUTOSPLIT_ONLY,
     NULL},
    {"unknown mode, 6", "6.0.0", "{'_id': 'balancer', 'mode': 'x'}", "mode 'x' is not known", 128,
     BALANCER_OFF, NULL},
    {"unknown mode, 7", "7.0.0", "{'_id': 'balancer', 'mode': 'x'}", NULL, 128, BALANCER_OFF, NULL},
    {"unknown mode, stopped", "4.2.0", "{'_id': 'balancer', 'mode': 'x', 'stopped': true}", NULL, 64,
     BALANCER_OFF, NULL},
    {"stopped is text", "4.2.0", "{'_id': 'balancer', 'stopped': 'yes'}", "stopped is not", 64, BALANCER_FULL,
     NULL},
    {"mode is a number", "4.2.0", "{'_id': 'balancer', 'mode': 1}", "mode is not", 64, BALANCER_FULL, NULL},
    {"wait is text", "4.2.0", "{'_id': 'balancer', '_waitForDelete': 'x'}", "_waitForDelete", 64,
     BALANCER_FULL, NULL},
    {"jumbo is text", "4.2.0", "{'_id': 'balancer', 'attemptToBalanceJumboChunks': 'x'}",
     "attemptToBalanceJumboChunks", 64, BALANCER_FULL, NULL},
    {"window", "4.2.0", "{'_id': 'balancer', 'activeWindow': {'start': '23:00', 'stop': '6:05'}}", NULL, 64,
     BALANCER_FULL, "23:00-06:05"},
    {"lenient window", "4.2.0", "{'_id': 'balancer', 'activeWindow': {'start': ' 9:5x', 'stop': '19:00:30'}}",
     NULL, 64, BALANCER_FULL, "09:05-19:00"},
    {"window of no length", "4.2.0",
     "{'_id': 'balancer', 'activeWindow': {'start': '9:00', 'stop': '09:00'}}", "starts when it stops", 64,
     BALANCER_FULL, NULL},
    {"window without stop", "4.2.0", "{'_id': 'balancer', 'activeWindow': {'start': '9:00'}}", "needs both",
     64, BALANCER_FULL, NULL},
    {"window at 24:00", "4.2.0", "{'_id': 'balancer', 'activeWindow': {'start': '9:00', 'stop': '24:00'}}",
     "time of day", 64, BALANCER_FULL, NULL},
    {"window at 9:60", "4.2.0", "{'_id': 'balancer', 'activeWindow': {'start': '9:60', 'stop': '10:00'}}",
     "time of day", 64, BALANCER_FULL, NULL},
    {"window of numbers", "4.2.0", "{'_id': 'balancer', 'activeWindow': {'start': 9, 'stop': 10}}",
     "time of day", 64, BALANCER_FULL, NULL},
    {"window without colon", "4.2.0",
     "{'_id': 'balancer', 'activeWindow': {'start': '900', 'stop': '10:00'}}", "time of day", 64,
     BALANCER_FULL, NULL},
    {"window of many digits", "4.2.0",
     "{'_id': 'balancer', 'activeWindow': {'start': '99999999999999999999:00', 'stop': '10:00'}}",
     "time of day", 64, BALANCER_FULL, NULL},
    {"window is text", "4.2.0", "{'_id': 'balancer', 'activeWindow': '9:00-10:00'}", "activeWindow is not",
     64, BALANCER_FULL, NULL},
    {"days", "8.3.0",
     "{'_id': 'balancer', 'activeWindow': {'start': '1:00', 'stop': '2:00'}, 'activeWindowDOW': [{'day': "
     "'Monday', 'start': '23:00', 'stop': '6:05'}, {'start': '9:00', 'stop': '10:00', 'day': 'Sunday'}]}",
     NULL, 128, BALANCER_FULL, "01:00-02:00 Monday 23:00-06:05 Sunday 09:00-10:00"},
    {"no days", "8.3.0", "{'_id': 'balancer', 'activeWindowDOW': []}", NULL, 128, BALANCER_FULL, NULL},
    {"days are text", "8.3.0", "{'_id': 'balancer', 'activeWindowDOW': 'Monday'}", "is not an array", 128,
     BALANCER_FULL, NULL},
    {"a day is text", "8.3.0", "{'_id': 'balancer', 'activeWindowDOW': ['Monday']}", "is not a document", 128,
     BALANCER_FULL, NULL},
    {"a day is a number", "8.3.0",
     "{'_id': 'balancer', 'activeWindowDOW': [{'day': 1, 'start': '9:00', 'stop': '10:00'}]}",
     "is not a string", 128, BALANCER_FULL, NULL},
    {"no such day", "8.3.0",
     "{'_id': 'balancer', 'activeWindowDOW': [{'day': 'monday', 'start': '9:00', 'stop': '10:00'}]}",
     "none of Sunday", 128, BALANCER_FULL, NULL},
    {"a day without its name", "8.3.0",
     "{'_id': 'balancer', 'activeWindowDOW': [{'start': '9:00', 'stop': '10:00'}]}", "none of Sunday", 128,
     BALANCER_FULL, NULL},
    {"a day of no length", "8.3.0",
     "{'_id': 'balancer', 'activeWindowDOW': [{'day': 'Monday', 'start': '9:00', 'stop': '9:00'}]}",
     "starts when it stops", 128, BALANCER_FULL, NULL},
    {"others are not looked at", "4.2.0",
     "{'_id': 'autosplit', 'enabled': 7}, {'value': 3}, {'_id': 5, 'mode': 1}", NULL, 64, BALANCER_FULL,
     NULL},
};

static char *windows_shown(const struct cluster_settings *s)
{
    char *text = s->window_start == NULL ? NULL : g_strconcat(s->window_start, "-", s->window_stop, NULL);
    for (guint i = 0; s->day_windows != NULL && i < s->day_windows->len; i++) {
        const struct cluster_day_window *w = &g_array_index(s->day_windows, struct cluster_day_window, i);
        char *more = g_strdup_printf("%s %s %s-%s", text == NULL ? "" : text, w->day, w->start, w->stop);
        g_free(text);
        text = more;
    }
    return text;
}

static void test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct setting_row *row = &rows[i];
        /* The version comes last: what depends on it must wait for it. */
        g_autofree char *json =
            g_strdup_printf("{'settings': [%s], 'serverVersion': '%s'}", row->documents, row->version);
        g_autoptr(cluster) cl = cluster_from_json(json);
        const struct cluster_settings *s = &cl->settings;
        if ((s->invalid == NULL) != (row->invalid == NULL) ||
            (row->invalid != NULL && strstr(s->invalid, row->invalid) == NULL))
            fail_msg("%s: invalid: %s", row->name, s->invalid);
        if (s->chunk_bytes != row->chunk_mib * MIB || s->mode != row->mode)
            fail_msg("%s: %d bytes, mode %d", row->name, (int)s->chunk_bytes, (int)s->mode);
        g_autofree char *window = windows_shown(s);
        if (g_strcmp0(window, row->window) != 0)
            fail_msg("%s: window %s", row->name, window);
        bool warned = cluster_warning(cl, "unknownBalancerMode", NULL) != NULL;
        if (warned != (strcmp(row->name, "unknown mode, 7") == 0))
            fail_msg("%s: warning", row->name);
    }
}

static void test_flags(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = cluster_from_json(
        "{'settings': [{'_id': 'balancer', '_waitForDelete': true, 'attemptToBalanceJumboChunks': true},"
        "{'_id': 'chunksize', 'value': 64}]}");
    assert_true(cl->settings.wait_for_delete && cl->settings.attempt_jumbo && cl->settings.chunk_bytes_given);
    g_autoptr(cluster) none = cluster_from_json("{'settings': [{'_id': 'balancer'}]}");
    assert_true(!none->settings.wait_for_delete && !none->settings.attempt_jumbo &&
                !none->settings.chunk_bytes_given);
}

/* The version and what follows from it. */
static const struct version_row {
    const char *name, *json;
    int major, minor, patch;
    int64_t chunk_mib;
    bool move_range;
} version_rows[] = {
    {"given", "{'serverVersion': '6.0.14'}", 6, 0, 14, 128, true},
    {"release candidate", "{'serverVersion': '8.0.0-rc3'}", 8, 0, 0, 128, true},
    {"no patch level", "{'serverVersion': '5.0'}", 5, 0, 0, 64, false},
    {"newest mongos",
     "{'mongos': [{'_id': 'a', 'ping': {'$date': {'$numberLong': '5'}}, 'mongoVersion': '6.0.1'},"
     "{'_id': 'b', 'ping': {'$date': {'$numberLong': '9'}}, 'mongoVersion': '5.0.7'},"
     "{'_id': 'c', 'ping': {'$date': {'$numberLong': '10'}}, 'mongoVersion': 'odd'},"
     "{'_id': 'd', 'ping': {'$date': {'$numberLong': '8'}}, 'mongoVersion': '7.0.0'}]}",
     5, 0, 7, 64, false},
    {"given wins over mongos",
     "{'mongos': [{'ping': {'$date': {'$numberLong': '5'}}, 'mongoVersion': '6.0.1'}], 'serverVersion': "
     "'4.4.1'}",
     4, 4, 1, 64, false},
    {"unknown, old layout", "{'collections': [{'_id': 'd.c', 'key': {'a': 1}}]}", 0, 0, 0, 64, false},
    {"unknown, new layout",
     "{'collections': [{'_id': 'd.c', 'key': {'a': 1}, 'timestamp': {'$timestamp': {'t': 1, 'i': 1}}}]}", 0,
     0, 0, 128, false},
};

static void test_version(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(version_rows); i++) {
        const struct version_row *row = &version_rows[i];
        g_autoptr(cluster) cl = cluster_from_json(row->json);
        if (cluster_version_cmp(cl, row->major, row->minor, row->patch) != 0 ||
            cluster_version_cmp(cl, row->major, row->minor, row->patch + 1) >= 0 ||
            cluster_version_cmp(cl, row->major - 1, 99, 99) <= 0)
            fail_msg("%s: %d.%d.%d", row->name, cl->server_major, cl->server_minor, cl->server_patch);
        if (cl->settings.chunk_bytes != row->chunk_mib * MIB || cluster_has_move_range(cl) != row->move_range)
            fail_msg("%s: what follows", row->name);
    }
}

static void test_max_chunk(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = cluster_from_json(
        "{'serverVersion': '7.0.0', 'settings': [{'_id': 'chunksize', 'value': 32}], 'collections': ["
        "{'_id': 'd.c', 'key': {'a': 1}}, {'_id': 'd.own', 'key': {'a': 1}, 'maxChunkSizeBytes': 1e6},"
        "{'_id': 'config.system.sessions', 'key': {'_id': 1}}]}");
    assert_int_equal(cluster_max_chunk_bytes(cl, &cl->collections[0], true), 32 * MIB);
    assert_int_equal(cluster_max_chunk_bytes(cl, &cl->collections[1], true), 1000000);
    assert_int_equal(cluster_max_chunk_bytes(cl, &cl->collections[2], true), 200000);
    assert_int_equal(cluster_max_chunk_bytes(cl, &cl->collections[2], false), 32 * MIB);
}

#define FROM(time, min, shard, note, steps)                                                                  \
    "{'what': 'moveChunk.from', 'ns': 'd.c', 'time': {'$date': {'$numberLong': '" time "'}}, 'details':"     \
    "{'min': {'a': " min "}, 'from': '" shard "', 'to': 's9', 'note': '" note "'" steps "}}"
#define COMMIT(time, min, shard, bytes)                                                                      \
    "{'what': 'moveChunk.commit', 'ns': 'd.c', 'time': {'$date': {'$numberLong': '" time "'}}, 'details':"   \
    "{'min': {'a': " min "}, 'from': '" shard "', 'to': 's9', 'counts': {'cloned': 1, 'clonedBytes': " bytes \
    "}}}"
#define STEPS ", 'step 1 of 6': 0, 'step 2 of 6': 500, 'step 6 of 6': {'$numberLong': '1500'}"

static const struct log_row {
    const char *name, *documents;
    const char *want; /* "ended/seconds/bytes" each, oldest first */
} log_rows[] = {
    {"nothing", "", ""},
    {"joined", FROM("100000", "1", "s0", "success", STEPS) "," COMMIT("99900", "1", "s0", "7"),
     "100000/2.0/7 "},
    {"joined, commit first", COMMIT("99900", "1", "s0", "7") "," FROM("100000", "1", "s0", "success", STEPS),
     "100000/2.0/7 "},
    {"oldest first", FROM("200", "1", "s0", "success", STEPS) "," FROM("100", "2", "s0", "success", STEPS),
     "100/2.0/-1 200/2.0/-1 "},
    {"other min", FROM("100", "1", "s0", "success", STEPS) "," COMMIT("100", "2", "s0", "7"), "100/2.0/-1 "},
    {"other donor", FROM("100", "1", "s0", "success", STEPS) "," COMMIT("100", "1", "s1", "7"),
     "100/2.0/-1 "},
    {"too long before", FROM("1000000", "1", "s0", "success", STEPS) "," COMMIT("100", "1", "s0", "7"),
     "1000000/2.0/-1 "},
    {"too long after", FROM("100", "1", "s0", "success", STEPS) "," COMMIT("1000000", "1", "s0", "7"),
     "100/2.0/-1 "},
    {"the same chunk twice",
     FROM("1000000", "1", "s0", "success", STEPS) "," COMMIT("999000", "1", "s0", "7") "," FROM(
         "5000000", "1", "s0", "success", STEPS) "," COMMIT("4999000", "1", "s0", "8"),
     "1000000/2.0/7 5000000/2.0/8 "},
    {"aborted", FROM("100", "1", "s0", "aborted", STEPS), ""},
    {"no steps", FROM("100", "1", "s0", "success", ""), ""},
    {"negative step", FROM("100", "1", "s0", "success", ", 'step 1 of 1': -5"), ""},
    {"step is text", FROM("100", "1", "s0", "success", ", 'step 1 of 1': 'x'"), ""},
    {"other documents", "{'what': 'split'}, {}, {'what': 'moveChunk.from', 'ns': 'd.c', 'details': {}}", ""},
};

static void test_changelog(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(log_rows); i++) {
        g_autofree char *json = g_strdup_printf("{'changelog': [%s]}", log_rows[i].documents);
        g_autoptr(cluster) cl = cluster_from_json(json);
        g_autoptr(GString) got = g_string_new(NULL);
        for (guint k = 0; k < cl->history->len; k++) {
            const struct past_migration *m = &g_array_index(cl->history, struct past_migration, k);
            g_string_append_printf(got, "%" G_GINT64_FORMAT "/%.1f/%" G_GINT64_FORMAT " ", m->ended_ms,
                                   m->seconds, m->bytes);
        }
        if (strcmp(got->str, log_rows[i].want) != 0)
            fail_msg("%s: %s", log_rows[i].name, got->str);
    }
}

#define TOP "'min': {'x': 5}, 'max': {'x': {'$maxKey': 1}}"
#define LOW "'min': {'x': 1}, 'max': {'x': 5}"
#define ENTRY(what, time, details)                                                                           \
    "{'what': '" what "', 'ns': 'd.c', 'time': {'$date': {'$numberLong': '" time "'}}, 'details': {" details \
    "}}"

/* "splits/of the last chunk moves/of the last chunk first-last" */
static const struct log_row activity_rows[] = {
    {"nothing", "", "0/0 0/0 0-0"},
    {"a split of the last chunk", ENTRY("split", "7", "'before': {" TOP "}, 'left': {}"), "1/1 0/0 7-7"},
    {"a split of another", ENTRY("split", "7", "'before': {" LOW "}"), "1/0 0/0 0-0"},
    {"many parts count once",
     ENTRY("multi-split", "7", "'before': {" TOP "}, 'number': 1, 'of': 2") ", " ENTRY(
         "multi-split", "7", "'before': {" TOP "}, 'number': 2, 'of': 2"),
     "1/1 0/0 7-7"},
    {"number that is none", ENTRY("multi-split", "7", "'before': {" TOP "}, 'number': 'x'"), "0/0 0/0 0-0"},
    {"a split of nothing", ENTRY("split", "7", "'before': 5"), "0/0 0/0 0-0"},
    {"moves, oldest last",
     ENTRY("moveChunk.commit", "9", TOP) ", " ENTRY("moveChunk.commit", "8",
                                                    LOW) ", " ENTRY("moveChunk.commit", "3", TOP),
     "0/0 3/2 3-9"},
    {"attempts do not count", ENTRY("moveChunk.start", "9", TOP) ", " ENTRY("moveChunk.error", "9", TOP),
     "0/0 0/0 0-0"},
    {"a bound that is not all MaxKey",
     ENTRY("moveChunk.commit", "9", "'min': {'x': 1, 'y': 1}, 'max': {'x': {'$maxKey': 1}, 'y': 1}"),
     "0/0 1/0 0-0"},
    {"an empty bound", ENTRY("moveChunk.commit", "9", "'min': {}, 'max': {}"), "0/0 1/0 0-0"},
    {"no bound", ENTRY("moveChunk.commit", "9", "'max': 5"), "0/0 1/0 0-0"},
};

static void test_activity(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(activity_rows); i++) {
        g_autofree char *json = g_strdup_printf("{'collections': [{'_id': 'a.a', 'key': {'x': 1}}, {'_id': "
                                                "'d.c', 'key': {'x': 1}}], 'changelog': [%s]}",
                                                activity_rows[i].documents);
        g_autoptr(cluster) cl = cluster_from_json(json);
        const struct activity *a = &cluster_find_collection(cl, "d.c")->activity;
        g_autofree char *got =
            g_strdup_printf("%u/%u %u/%u %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, a->splits, a->top_splits,
                            a->moves, a->top_moves, a->top_first_ms, a->top_last_ms);
        if (strcmp(got, activity_rows[i].want) != 0)
            fail_msg("%s: %s", activity_rows[i].name, got);
        assert_int_equal(cluster_find_collection(cl, "a.a")->activity.moves, 0);
    }
}

/* Names that are in the model no more are not numbered. */
static void test_changelog_names(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = cluster_from_json(
        "{'shards': [{'_id': 's0'}, {'_id': 's1'}],"
        " 'collections': [{'_id': 'a.a', 'key': {'x': 1}}, {'_id': 'd.c', 'key': {'x': 1}}],"
        " 'changelog': [" FROM("100", "1", "s1", "success", STEPS) ", " FROM("200", "1", "gone", "success",
                                                                             STEPS) "]}");
    assert_int_equal(cl->history->len, 2);
    const struct past_migration *m = &g_array_index(cl->history, struct past_migration, 0);
    assert_int_equal(m[0].from, cluster_find_shard(cl, "s1"));
    assert_int_equal(m[1].from, SHARD_NONE);
    for (int i = 0; i < 2; i++) {
        const struct collection *coll = cluster_find_collection(cl, "d.c");
        assert_int_equal(m[i].coll, coll == NULL ? COLLECTION_NONE : coll->number);
    }
    assert_int_equal(m[0].coll, 1);
}

/* Of a long log the newest stay, in whatever order they came. */
static void test_long_changelog(void **state)
{
    (void)state;
    enum { ALL = 25000, KEPT = 10000 };
    g_autoptr(builder) b = builder_new();
    struct err err = {0};
    for (unsigned i = 0; i < ALL; i++) {
        bson_t doc = BSON_INITIALIZER, details, min;
        BSON_APPEND_UTF8(&doc, "what", "moveChunk.from");
        BSON_APPEND_UTF8(&doc, "ns", "d.c");
        BSON_APPEND_DATE_TIME(&doc, "time", (i * 7919) % ALL); /* a permutation */
        BSON_APPEND_DOCUMENT_BEGIN(&doc, "details", &details);
        BSON_APPEND_DOCUMENT_BEGIN(&details, "min", &min);
        bson_append_document_end(&details, &min);
        BSON_APPEND_UTF8(&details, "from", "a");
        BSON_APPEND_UTF8(&details, "to", "b");
        BSON_APPEND_UTF8(&details, "note", "success");
        BSON_APPEND_INT32(&details, "step 1 of 1", 5);
        bson_append_document_end(&doc, &details);
        assert_true(builder_add(b, DOC_CHANGELOG, i, bson_get_data(&doc), doc.len, &err));
        bson_destroy(&doc);
    }
    g_autoptr(cluster) cl = NULL;
    assert_true(builder_finish(b, &cl, &err));
    assert_int_equal(cl->history->len, KEPT);
    for (unsigned i = 0; i < KEPT; i++)
        assert_int_equal(g_array_index(cl->history, struct past_migration, i).ended_ms, ALL - KEPT + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_version),         cmocka_unit_test(test_max_chunk),
        cmocka_unit_test(test_changelog),       cmocka_unit_test(test_activity),
        cmocka_unit_test(test_changelog_names), cmocka_unit_test(test_long_changelog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
