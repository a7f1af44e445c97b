// SPDX-License-Identifier: Apache-2.0
/* What the script looks like, and, where node is there, what it does: tests/data/report/mongosh_mock.js plays
 * the shell and tells what was sent. */
#include "balancer/report/report.h"
#include "tests/support/plan_by_hand.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct report_source source = {"snapshot", "cluster.json", 1732152345678};

static GString *script_of(const hand *h)
{
    GString *out = g_string_new(NULL);
    report_commands(&h->p, &source, out);
    return out;
}

static void check_has(const GString *script, const char *part)
{
    if (strstr(script->str, part) == NULL)
        fail_msg("'%s' is not in the script: %s", part, script->str);
}

static void check_has_not(const GString *script, const char *part)
{
    if (strstr(script->str, part) != NULL)
        fail_msg("'%s' is in the script: %s", part, script->str);
}

/* Runs the script in the mock; the lines it wrote. Skips the test where there is no node. */
static char **play(const GString *script, const char *options)
{
    g_autofree char *node = g_find_program_in_path("node");
    if (node == NULL) {
        print_message("node is not installed: the script is not run\n");
        skip();
    }
    g_autofree char *path = NULL, *out = NULL, *err = NULL;
    int status = -1, fd = g_file_open_tmp("evenkeel-test-XXXXXX.js", &path, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_true(g_file_set_contents(path, script->str, (gssize)script->len, NULL));
    char *argv[] = {node, (char *)(uintptr_t)(TEST_DATA_DIR "/report/mongosh_mock.js"), path,
                    (char *)(uintptr_t)options, NULL};
    bool ran = g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status, NULL);
    g_unlink(path);
    if (!ran || status != 0)
        fail_msg("node failed: %s", err);
    return g_strsplit(g_strchomp(out), "\n", -1);
}

/* The lines of one kind ("sent", "query", "error", "print"), without the word. */
static GPtrArray *lines_of(char **lines, const char *kind)
{
    GPtrArray *found = g_ptr_array_new();
    for (; *lines != NULL; lines++) {
        if (g_str_has_prefix(*lines, kind) && (*lines)[strlen(kind)] == ' ')
            g_ptr_array_add(found, *lines + strlen(kind) + 1);
    }
    return found;
}

/* The lines, read as Extended JSON, are exactly these documents: types and order of fields too. */
static void check_documents(char **lines, const char *kind, const char *const *want, guint n)
{
    g_autoptr(GPtrArray) got = lines_of(lines, kind);
    for (guint i = 0; i < MIN(got->len, n); i++) {
        bson_error_t error;
        const char *line = g_ptr_array_index(got, i);
        bson_t *a = bson_new_from_json((const uint8_t *)line, -1, &error);
        bson_t *b = bson_new_from_json((const uint8_t *)want[i], -1, &error);
        if (a == NULL || b == NULL || !bson_equal(a, b))
            fail_msg("%s %u: got %s, want %s", kind, i, line, want[i]);
        bson_destroy(a);
        bson_destroy(b);
    }
    if (got->len != n) {
        g_autofree char *all = g_strjoinv("\n", lines);
        fail_msg("%u times '%s', want %u: %s", got->len, kind, n, all);
    }
}

static hand *plan_of(const char *version)
{
    hand *h = hand_new(version, "size", 3);
    guint c = hand_collection(h, "shop.orders", "{\"a\": 1}");
    hand_round(h);
    hand_split(h, c, "{\"a\": {\"$minKey\": 1}}", "{\"a\": {\"$maxKey\": 1}}", "{\"a\": 5}");
    hand_move(h, c, "{\"a\": {\"$minKey\": 1}}", "{\"a\": 5}", 0, 1, 10);
    hand_round(h);
    hand_move(h, c, "{\"a\": 5}", "{\"a\": {\"$maxKey\": 1}}", 1, 2, 10)->force_jumbo = true;
    return h;
}

static void test_header(void **state)
{
    (void)state;
    g_autoptr(hand) h = plan_of("4.4.1");
    g_autoptr(GString) script = script_of(h);
    check_has(script, "plan 0123456789abcdef");
    check_has(script, "source: snapshot cluster.json; MongoDB 4.4.1; policy size\n");
    check_has(script, "migrations: 2, splits: 1, rounds: 2\n");
    check_has(script, "sh.stopBalancer()");
    check_has(script, "var total = 3;\n");
    check_has_not(script, "function rest");
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new(NULL, "count", 2);
    g_autoptr(GString) script = script_of(h);
    check_has(script, "nothing to do");
    check_has_not(script, "run(");
    g_auto(GStrv) lines = play(script, "{}");
    check_documents(lines, "sent", NULL, 0);
    check_documents(lines, "error", NULL, 0);
}

static void test_move_chunk(void **state)
{
    (void)state;
    static const char *const want[] = {
        "{\"split\": \"shop.orders\", \"middle\": {\"a\": 5}}",
        "{\"moveChunk\": \"shop.orders\", \"bounds\": [{\"a\": {\"$minKey\": 1}}, {\"a\": 5}], \"to\": "
        "\"shard1\"}",
        "{\"moveChunk\": \"shop.orders\", \"bounds\": [{\"a\": 5}, {\"a\": {\"$maxKey\": 1}}], \"to\": "
        "\"shard2\", "
        "\"forceJumbo\": true}",
    };
    static const char *const versions[] = {"4.2.0", "5.0.31", NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autoptr(hand) h = plan_of(versions[i]);
        g_autoptr(GString) script = script_of(h);
        g_auto(GStrv) lines = play(script, "{}");
        check_documents(lines, "sent", want, G_N_ELEMENTS(want));
        check_documents(lines, "error", NULL, 0);
    }
}

static void test_move_range(void **state)
{
    (void)state;
    static const char *const want[] = {
        "{\"split\": \"shop.orders\", \"middle\": {\"a\": 5}}",
        "{\"moveRange\": \"shop.orders\", \"min\": {\"a\": {\"$minKey\": 1}}, \"toShard\": \"shard1\"}",
        ("{\"moveRange\": \"shop.orders\", \"min\": {\"a\": 5}, \"max\": {\"a\": {\"$maxKey\": 1}}, "
         "\"toShard\": \"shard2\", \"forceJumbo\": true}"),
    };
    g_autoptr(hand) h = plan_of("6.0.0");
    g_array_index(h->p.migrations, struct plan_migration, 0).open_max = true;
    g_autoptr(GString) script = script_of(h);
    g_auto(GStrv) lines = play(script, "{}");
    check_documents(lines, "sent", want, G_N_ELEMENTS(want));
    check_documents(lines, "error", NULL, 0);
}

/* What is left of a range whose lower part went: looked up, then moved from where it begins. */
static void test_open_min(void **state)
{
    (void)state;
#define BOUNDS "\"shard\": \"shard1\", \"min\": {\"$gte\": {\"a\": 5}}, \"max\": "
    static const char by_ns[] = "{\"ns\": \"shop.orders\", " BOUNDS;
    static const char by_uuid[] =
        "{\"uuid\": {\"$binary\": {\"base64\": \"AQIDBAUGBwgJCgsMDQ4PEA==\", \"subType\": \"04\"}}, " BOUNDS;
    static const struct {
        const char *name, *options;
        bool has_uuid, open_max;
        guint queries;
        const char *want; /* NULL: nothing sent for it */
    } rows[] = {
        {"the last part", "{\"by\": \"last\", \"found\": {\"min\": \"m\", \"max\": \"x\"}}", true, false, 1,
         "\"min\": {\"a\": \"m\"}, \"max\": {\"a\": \"x\"}"},
        {"a part inside", "{\"by\": \"within\", \"found\": {\"min\": \"m\", \"max\": \"x\"}}", false, false,
         2, "\"min\": {\"a\": \"m\"}, \"max\": {\"a\": \"x\"}"},
        {"open at both ends", "{\"by\": \"last\", \"found\": {\"min\": \"m\", \"max\": \"x\"}}", true, true,
         1, "\"min\": {\"a\": \"m\"}"},
        {"all gone", "{\"found\": null}", true, false, 2, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(hand) h = plan_of("7.0.2");
        struct plan_migration *m = &g_array_index(h->p.migrations, struct plan_migration, 1);
        m->open_min = true;
        m->open_max = rows[i].open_max;
        m->force_jumbo = false;
        struct collection *c = hand_model(h, 0);
        c->has_uuid = c->has_timestamp = rows[i].has_uuid;
        for (uint8_t k = 0; k < 16; k++)
            c->uuid[k] = (uint8_t)(k + 1);
        g_autoptr(GString) script = script_of(h);
        g_auto(GStrv) lines = play(script, rows[i].options);
        const char *of = rows[i].has_uuid ? by_uuid : by_ns;
        g_autofree char *last = g_strconcat(of, "{\"$eq\": {\"a\": {\"$maxKey\": 1}}}}", NULL);
        g_autofree char *within = g_strconcat(of, "{\"$lte\": {\"a\": {\"$maxKey\": 1}}}}", NULL);
        const char *queries[] = {last, within};
        check_documents(lines, "query", queries, rows[i].queries);
        check_documents(lines, "error", NULL, 0);
        g_autofree char *sent =
            g_strdup_printf("{\"moveRange\": \"shop.orders\", \"toShard\": \"shard2\", %s}", rows[i].want);
        const char *want[] = {
            "{\"split\": \"shop.orders\", \"middle\": {\"a\": 5}}",
            "{\"moveRange\": \"shop.orders\", \"min\": {\"a\": {\"$minKey\": 1}}, \"max\": {\"a\": 5}, "
            "\"toShard\": \"shard1\"}",
            sent,
        };
        check_documents(lines, "sent", want, rows[i].want == NULL ? 2 : 3);
    }
}

static void test_stops(void **state)
{
    (void)state;
    static const struct {
        const char *name, *options;
        guint sent, errors;
    } rows[] = {
        {"all well", "{}", 3, 0},
        {"all well on a pipe", "{\"lines\": true}", 3, 0},
        {"balancer on", "{\"balancer\": true}", 0, 1},
        {"balancer on, on a pipe", "{\"balancer\": true, \"lines\": true}", 0, 4},
        {"not a mongos, on a pipe", "{\"balancer\": \"throws\", \"lines\": true}", 0, 5},
        {"first fails", "{\"failAt\": 1}", 1, 1},
        {"second fails", "{\"failAt\": 2}", 2, 1},
        {"second fails on a pipe", "{\"failAt\": 2, \"lines\": true}", 2, 2},
    };
    g_autoptr(hand) h = plan_of("6.0.3");
    g_autoptr(GString) script = script_of(h);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) lines = play(script, rows[i].options);
        g_autoptr(GPtrArray) sent = lines_of(lines, "sent"), errors = lines_of(lines, "error");
        if (sent->len != rows[i].sent || errors->len != rows[i].errors)
            fail_msg("%s: %u sent, %u errors", rows[i].name, sent->len, errors->len);
        g_autofree char *all = g_strjoinv("\n", lines);
        assert_int_equal(strstr(all, "evenkeel: done") != NULL, rows[i].errors == 0);
    }
}

static const char *const hostile[] = {
    "a\"b'c`d${x}\\",
    "line\nend\r",
    "*/ throw 1 /*",
    "</script><!--",
    "\xe2\x80\xa8throw 1\xe2\x80\xa9",
    "\x1b[2J\x07\x7f",
    "\xe2\x80\xaeyx",
    "caf\xc3\xa9 \xf0\x9f\x98\x80",
    "__proto__",
};

static void test_hostile_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
        g_autoptr(hand) h = hand_new(hostile[i], "size", 2);
        guint c = hand_collection(h, hostile[i], "{\"a\": 1}");
        hand_shard_id(h, 1, hostile[i]);
        hand_round(h);
        bson_t *min = BCON_NEW("a", BCON_UTF8(hostile[i])), *max = BCON_NEW("a", BCON_MAXKEY);
        bson_t *want = BCON_NEW("moveChunk", BCON_UTF8(hostile[i]), "bounds", "[", BCON_DOCUMENT(min),
                                BCON_DOCUMENT(max), "]", "to", BCON_UTF8(hostile[i]));
        struct plan_migration *m = hand_move(h, c, "{\"a\": 1}", "{\"a\": 2}", 0, 1, 1);
        m->min = hand_bound_of(h, min);
        m->max = hand_bound_of(h, max);
        m->why = (char *)(uintptr_t)hostile[i];
        g_autoptr(GString) script = g_string_new(NULL);
        const struct report_source src = {"dump", hostile[i], 0};
        report_commands(&h->p, &src, script);
        for (const char *s = script->str; *s != '\0'; s++) {
            if ((unsigned char)*s < 0x20 && *s != '\n')
                fail_msg("row %zu: control character 0x%02x", i, (unsigned)*s);
        }
        g_autofree char *text = bson_as_canonical_extended_json(want, NULL);
        g_auto(GStrv) lines = play(script, "{}");
        const char *all[] = {text};
        check_documents(lines, "error", NULL, 0);
        check_documents(lines, "sent", all, 1);
        bson_destroy(min);
        bson_destroy(max);
        bson_destroy(want);
    }
}

static void test_not_utf8(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 2);
    guint c = hand_collection(h, "a.\xff", "{\"a\": 1}");
    hand_round(h);
    hand_move(h, c, "{\"a\": 1}", "{\"a\": 2}", 0, 1, 1)->why = (char *)(uintptr_t) "\xc3(";
    g_autoptr(GString) script = script_of(h);
    assert_true(g_utf8_validate(script->str, (gssize)script->len, NULL));
}

static bson_t *all_types(void)
{
    static const uint8_t bytes[] = {0, 1, 0xff};
    bson_oid_t oid;
    bson_decimal128_t dec;
    bson_oid_init_from_string(&oid, "010203040506070809101112");
    assert_true(bson_decimal128_from_string("1.50", &dec));
    bson_t *doc = bson_new();
    BSON_APPEND_INT32(doc, "int", 3);
    BSON_APPEND_INT64(doc, "long", -5582987830488433087);
    BSON_APPEND_DOUBLE(doc, "whole", 3);
    BSON_APPEND_DOUBLE(doc, "fraction", 2.5);
    BSON_APPEND_DECIMAL128(doc, "decimal", &dec);
    BSON_APPEND_OID(doc, "oid", &oid);
    BSON_APPEND_DATE_TIME(doc, "date", 1732152345678);
    BSON_APPEND_TIMESTAMP(doc, "ts", 7, 9);
    BSON_APPEND_BINARY(doc, "bin", BSON_SUBTYPE_UUID, bytes, sizeof bytes);
    BSON_APPEND_BOOL(doc, "bool", true);
    BSON_APPEND_NULL(doc, "null");
    BSON_APPEND_MINKEY(doc, "min");
    BSON_APPEND_MAXKEY(doc, "max");
    return doc;
}

/* Each type arrives as it was, and names that JavaScript treats specially keep their place. */
static void test_types(void **state)
{
    (void)state;
    bson_t *types = all_types(),
           *named = BCON_NEW("10", BCON_INT32(1), "2", BCON_INT32(2), "__proto__", BCON_NULL);
    g_autoptr(hand) h = plan_of("6.0.3");
    struct plan_migration *m = &g_array_index(h->p.migrations, struct plan_migration, 0);
    m->min = hand_bound_of(h, types);
    m->max = hand_bound_of(h, named);
    g_array_set_size(h->p.migrations, 1);
    g_array_set_size(h->p.rounds, 1);
    g_ptr_array_set_size(g_array_index(h->p.splits, struct plan_split, 0).at, 0);
    bson_t *want = BCON_NEW("moveRange", "shop.orders", "min", BCON_DOCUMENT(types), "max",
                            BCON_DOCUMENT(named), "toShard", "shard1");
    g_autofree char *text = bson_as_canonical_extended_json(want, NULL);
    g_autoptr(GString) script = script_of(h);
    bson_destroy(types);
    bson_destroy(named);
    bson_destroy(want);
    g_auto(GStrv) lines = play(script, "{}");
    const char *all[] = {text};
    check_documents(lines, "error", NULL, 0);
    check_documents(lines, "sent", all, 1);
}

/* A key that no script can write stops it there, on a pipe too. */
static void test_refused_key(void **state)
{
    (void)state;
    g_autoptr(hand) h = plan_of("6.0.3");
    bson_t *twice = BCON_NEW("a", BCON_INT32(1), "a", BCON_INT32(2));
    g_array_index(h->p.migrations, struct plan_migration, 0).min = hand_bound_of(h, twice);
    bson_destroy(twice);
    g_autoptr(GString) script = script_of(h);
    g_auto(GStrv) lines = play(script, "{\"lines\": true}");
    static const char *const want[] = {"{\"split\": \"shop.orders\", \"middle\": {\"a\": 5}}"};
    check_documents(lines, "sent", want, 1);
}

/* node --check: also what the mock would never reach. */
static void test_syntax(void **state)
{
    (void)state;
    g_autofree char *node = g_find_program_in_path("node");
    if (node == NULL) {
        print_message("node is not installed: the syntax is not checked\n");
        skip();
    }
    for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
        g_autoptr(hand) h = plan_of("7.0.0");
        g_array_index(h->p.migrations, struct plan_migration, 1).open_min = true;
        hand_shard_id(h, 2, hostile[i]);
        hand_model(h, 0)->ns = (char *)(uintptr_t)hostile[i];
        g_autoptr(GString) script = script_of(h);
        g_autofree char *path = NULL, *err = NULL;
        int status = -1, fd = g_file_open_tmp("evenkeel-test-XXXXXX.js", &path, NULL);
        assert_true(fd >= 0);
        close(fd);
        assert_true(g_file_set_contents(path, script->str, (gssize)script->len, NULL));
        char *argv[] = {node, (char *)(uintptr_t) "--check", path, NULL};
        bool ran = g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &err, &status, NULL);
        g_unlink(path);
        if (!ran || status != 0)
            fail_msg("row %zu: %s", i, err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_move_chunk),    cmocka_unit_test(test_move_range),
        cmocka_unit_test(test_open_min),      cmocka_unit_test(test_stops),
        cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_types),         cmocka_unit_test(test_refused_key),
        cmocka_unit_test(test_syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
