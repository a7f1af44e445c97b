// SPDX-License-Identifier: Apache-2.0
/* What takes time or several commands: moves back, draining, waiting, dropping, settings, growth; and what is
 * not loaded. */
#include "tests/support/sandbox_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* About one chunk size (1 MB of 4) is cut off where only min is given; less than 4/3 of it goes whole. */
static void the_donor_chooses_the_end(void **state)
{
    (void)state;
    struct sandbox *sb = sandbox_small(7, 0);
    bson_t *reply =
        sandbox_run_json(sb, "{\"moveRange\": \"app.items\", \"min\": {\"x\": 200}, \"toShard\": \"c\"}");
    assert_true(sandbox_ok(reply) && !bson_has_field(reply, "millis"));
    bson_destroy(reply);
    int64_t moved = sb_cluster_bytes(sb->cluster, "app.items", "c");
    assert_true(moved > 900000 && moved < 1200000);
    assert_int_equal(moved + sb_cluster_bytes(sb->cluster, "app.items", "b"), 4000000);
    reply = sandbox_run_json(sb, "{\"moveRange\": \"app.items\", \"min\": {\"x\": 0}, \"toShard\": \"b\"}");
    assert_true(sandbox_ok(reply));
    bson_destroy(reply);
    assert_string_equal(sandbox_owner(sb, "app.items", "{\"x\": 100}"), "a");
    assert_string_equal(sandbox_owner(sb, "app.items", "{\"x\": 0}"), "b");
    sandbox_free(sb);
}

/* Back to the former owner before it has deleted its documents (after 900 s): 4.2 waits, later ones give up
 * after 10 s. */
static void a_range_moved_back_at_once(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        bson_t *reply = sandbox_run_json(sb, ITEMS(0, 100, "b") "}");
        assert_true(sandbox_ok(reply));
        bson_destroy(reply);
        assert_int_equal(sb_cluster_orphan_documents(sb->cluster, "app.items", "a"), 200);
        int64_t began = step_clock_now(sb->clock);
        reply = sandbox_run_json(sb, ITEMS(0, 100, "a") "}");
        int64_t took = step_clock_now(sb->clock) - began;
        assert_int_equal(sandbox_outcome(reply), v == 0 ? OK : 96);
        assert_true(v == 0 ? took > 890000 && took < 910000 : took >= 10000 && took < 11000);
        assert_true(v == 0 || strstr(sandbox_text(reply, "errmsg"), "ExceededTimeLimit") != NULL);
        bson_destroy(reply);
        step_clock_advance(sb->clock, 900000);
        assert_int_equal(sb_cluster_orphan_documents(sb->cluster, "app.items", "a"), 0);
        sandbox_free(sb);
    }
}

static void a_shard_drains_and_leaves(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        static const struct {
            const char *command, *state;
            int want;
        } steps[] = {
            {"{\"removeShard\": \"c\"}", "started", OK},
            {"{\"removeShard\": \"c\"}", "ongoing", OK},
            {"{\"moveChunk\": \"app.hash\", \"bounds\": [{\"h\": {\"$numberLong\": \"0\"}}, {\"h\": "
             "{\"$maxKey\": 1}}],"
             " \"to\": \"a\", \"forceJumbo\": true}",
             NULL, OK},
            {"{\"removeShard\": \"c\"}", "completed", OK},
            {"{\"removeShard\": \"c\"}", NULL, 70},
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
            if (v == 0 && i == 2) /* too big to move there: one must not wait for it */
                break;
            bson_t *reply = sandbox_run_json(sb, steps[i].command);
            if (sandbox_outcome(reply) != steps[i].want ||
                g_strcmp0(sandbox_text(reply, "state"), steps[i].state) != 0)
                fail_msg("step %u of version %d: %d %s", i, sandbox_versions[v][0], sandbox_outcome(reply),
                         sandbox_text(reply, "errmsg"));
            bson_destroy(reply);
        }
        bson_t *reply = sandbox_run_json(sb, "{\"removeShard\": \"b\"}");
        assert_int_equal(sandbox_outcome(reply), v == 0 ? 117 : OK);
        bson_destroy(reply);
        reply = sandbox_run_json(sb, ITEMS(0, 100, "b") "}");
        assert_int_equal(sandbox_outcome(reply), v < 3 && v > 0 ? 20 : v == 0 ? OK : 70);
        bson_destroy(reply);
        sandbox_free(sb);
    }
}

static void status_of_a_collection(void **state)
{
    (void)state;
    static const struct {
        const char *before, *ns, *violation;
    } rows[] = {
        {"{\"listShards\": 1}", "app.pair", NULL},
        {"{\"listShards\": 1}", "app.items", "chunksImbalance"},
        {"{\"updateZoneKeyRange\": \"app.items\", \"min\": {\"x\": 1}, \"max\": {\"x\": 9}, \"zone\": "
         "\"EU\"}",
         "app.items", "zoneViolation"},
        {"{\"updateZoneKeyRange\": \"app.items\", \"min\": {\"x\": 0}, \"max\": {\"x\": 100}, \"zone\": "
         "\"US\"}",
         "app.items", "zoneViolation"},
        {"{\"removeShard\": \"b\"}", "app.hash", "draining"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct sandbox *sb = sandbox_small(7, 0);
        bson_destroy(sandbox_run_json(sb, rows[i].before));
        g_autofree char *ask = g_strdup_printf("{\"balancerCollectionStatus\": \"%s\"}", rows[i].ns);
        bson_t *reply = sandbox_run_json(sb, ask);
        if (g_strcmp0(sandbox_text(reply, "firstComplianceViolation"), rows[i].violation) != 0)
            fail_msg("row %u: %s", i, sandbox_text(reply, "firstComplianceViolation"));
        bson_destroy(reply);
        sandbox_free(sb);
    }
}

#define HANG "{\"configureFailPoint\": \"moveChunkHangAtStep4\", \"mode\": \"%s\"}"

static void hang(struct sandbox *sb, const char *mode)
{
    g_autofree char *json = g_strdup_printf(HANG, mode);
    bson_t *reply = sandbox_run_json(sb, json);
    assert_true(sandbox_ok(reply));
    bson_destroy(reply);
}

/* A split during a migration of its collection: 4.2 gives up after 20 s, later ones go on when the migration
 * has ended. */
static void a_split_waits_for_a_migration(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        hang(sb, "alwaysOn");
        struct waiting *move = sandbox_ask_json(sb, ITEMS(0, 100, "b") "}");
        struct waiting *split = sandbox_ask_json(sb, "{\"split\": \"app.items\", \"middle\": {\"x\": -7}}");
        step_clock_advance(sb->clock, 60000);
        assert_true(move->reply == NULL);
        assert_int_equal(split->reply != NULL, v == 0);
        assert_true(v > 0 || (sandbox_code(split->reply) == 46 && split->answered - split->asked == 20000));
        hang(sb, "off");
        assert_true(sandbox_ok(sandbox_wait(move)));
        assert_int_equal(sandbox_ok(sandbox_wait(split)), v > 0);
        waiting_free(move);
        waiting_free(split);
        sandbox_free(sb);
    }
}

/* The donor's operation as each version shows it, with the step and who does it. */
static void migrations_show_in_current_op(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        hang(sb, "alwaysOn");
        struct waiting *move = sandbox_ask_json(sb, ITEMS(0, 100, "b") "}");
        step_clock_advance(sb->clock, 3000);
        g_autoptr(GPtrArray) ops = sb_cluster_current_ops(sb->cluster);
        guint donors = 0, recipients = 0, threads = 0;
        for (guint i = 0; i < ops->len; i++) {
            bson_t command;
            assert_true(sandbox_sub(ops->pdata[i], "command", &command));
            const char *ns = sandbox_text(&command, v < 3 ? "moveChunk" : "_shardsvrMoveRange");
            donors +=
                g_strcmp0(ns, "app.items") == 0 && g_strcmp0(sandbox_text(ops->pdata[i], "shard"), "a") == 0;
            recipients += g_strcmp0(sandbox_text(ops->pdata[i], "desc"), "migrateThread") == 0;
            threads += g_strcmp0(sandbox_text(ops->pdata[i], "desc"), "MoveChunk") == 0;
        }
        assert_int_equal(donors, v < 2 ? 1 : 2);
        assert_int_equal(recipients, 1);
        assert_int_equal(threads, v < 2 ? 0 : 1);
        hang(sb, "off");
        assert_true(sandbox_ok(sandbox_wait(move)));
        g_autoptr(GPtrArray) after = sb_cluster_current_ops(sb->cluster);
        assert_int_equal(after->len, 0);
        waiting_free(move);
        sandbox_free(sb);
    }
}

struct chain {
    struct sandbox *sb;
    int left, answered;
    struct waiting *other; /* given up by the first who is answered */
};

/* Whoever is answered asks for the next thing at once: a move there and back, and now and then a drop. */
static void ask_next(void *user, const bson_t *reply)
{
    struct chain *c = user;
    (void)reply;
    c->answered++;
    if (c->other != NULL)
        waiting_free(c->other);
    c->other = NULL;
    if (c->left-- == 0)
        return;
    g_autofree char *json = c->left == 1 ? g_strdup("{\"drop\": \"items\"}")
                                         : g_strdup_printf(ITEMS(0, 100, "%s") ", \"waitForDelete\": true}",
                                                           c->left % 2 == 0 ? "b" : "a");
    bson_t *cmd = sandbox_json(json);
    sb_cluster_run(c->sb->cluster, c->left == 1 ? "app" : "admin", cmd, 1, ask_next, c);
    bson_destroy(cmd);
}

static void a_reply_may_bring_the_next_request(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        struct chain c = {sb, 20, 0, NULL};
        hang(sb, "alwaysOn");
        bson_t *cmd = sandbox_json(ITEMS(0, 100, "b") ", \"waitForDelete\": true}");
        sb_cluster_run(sb->cluster, "admin", cmd, 2, ask_next, &c);
        c.other = sandbox_ask_json(sb, ITEMS(0, 100, "b") "}");
        step_clock_advance(sb->clock, 1000);
        hang(sb, "off");
        step_clock_advance(sb->clock, 60000);
        assert_int_equal(c.answered, 21);
        assert_int_equal(sb_cluster_bytes(sb->cluster, "app.items", "a"), -1);
        bson_destroy(cmd);
        sandbox_free(sb);
    }
}

/* killOp on the donor or recipient, by the number that $currentOp shows: the migration ends, nothing has
 * moved. */
static void a_killed_migration_is_aborted(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        for (int side = 0; side < 2; side++) {
            struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
            hang(sb, "alwaysOn");
            struct waiting *move = sandbox_ask_json(sb, ITEMS(0, 100, "b") "}");
            step_clock_advance(sb->clock, 3000);
            g_autoptr(GPtrArray) ops = sb_cluster_current_ops(sb->cluster);
            const char *opid = sandbox_text(ops->pdata[side], "opid");
            sb_cluster_kill(sb->cluster, g_ascii_strtoll(strchr(opid, ':') + 1, NULL, 10));
            assert_int_equal(sandbox_code(sandbox_wait(move)), side == 0 ? 96 : 11601);
            assert_string_equal(sandbox_owner(sb, "app.items", "{\"x\": 0}"), "a");
            hang(sb, "off");
            bson_t *again = sandbox_run_json(sb, ITEMS(0, 100, "b") "}");
            assert_true(sandbox_ok(again));
            bson_destroy(again);
            waiting_free(move);
            sandbox_free(sb);
        }
    }
}

/* A dropped collection takes its migration and whoever waits for it along. */
static void a_drop_ends_what_runs(void **state)
{
    (void)state;
    for (int v = 0; v < VERSIONS; v++) {
        struct sandbox *sb = sandbox_small(sandbox_versions[v][0], sandbox_versions[v][1]);
        hang(sb, "alwaysOn");
        struct waiting *move = sandbox_ask_json(sb, ITEMS(0, 100, "b") "}");
        step_clock_advance(sb->clock, 1000);
        bson_t *drop = sandbox_json("{\"drop\": \"items\"}");
        struct waiting *dropped = sandbox_ask(sb, "app", drop);
        assert_true(sandbox_ok(sandbox_wait(dropped)));
        assert_int_equal(sandbox_code(sandbox_wait(move)), 117);
        waiting_free(dropped);
        dropped = sandbox_ask(sb, "app", drop);
        assert_int_equal(sandbox_code(sandbox_wait(dropped)), 26);
        assert_int_equal(sb_cluster_bytes(sb->cluster, "app.items", "a"), -1);
        assert_int_equal(sb_cluster_docs(sb->cluster, "chunks")->len, 4);
        bson_t *other = sandbox_json("{\"drop\": \"pair\"}");
        waiting_free(dropped);
        dropped = sandbox_ask(sb, "app", other);
        assert_true(sandbox_ok(sandbox_wait(dropped)));
        assert_int_equal(sb_cluster_docs(sb->cluster, "tags")->len, 0);
        bson_destroy(other);
        bson_destroy(drop);
        waiting_free(dropped);
        waiting_free(move);
        sandbox_free(sb);
    }
}

/* What a client writes into config.settings takes effect: four times the chunk size, and the big chunk may
 * move. */
static void settings_are_obeyed(void **state)
{
    (void)state;
    struct sandbox *sb = sandbox_small(4, 4);
    struct err err = {0};
    static const char move[] = "{\"moveChunk\": \"app.items\", \"find\": {\"x\": 200}, \"to\": \"c\"}";
    bson_t *doc = sandbox_json("{\"_id\": \"chunksize\", \"value\": 4}");
    bson_t *reply = sandbox_run_json(sb, move);
    assert_int_equal(sandbox_code(reply), 153);
    bson_destroy(reply);
    assert_true(sb_cluster_put(sb->cluster, "settings", doc, &err));
    assert_false(sb_cluster_put(sb->cluster, "shards", doc, &err));
    reply = sandbox_run_json(sb, move);
    assert_true(sandbox_ok(reply));
    bson_destroy(reply);
    bson_destroy(doc);
    assert_int_equal(sb_cluster_docs(sb->cluster, "settings")->len, 1);
    sandbox_free(sb);
}

static void data_grows(void **state)
{
    (void)state;
    struct sb_options opt = {.version_major = 7, .seed = 5, .growth = 1000};
    struct sandbox *sb = sandbox_from_json(sandbox_small_state, &opt);
    step_clock_advance(sb->clock, 100000);
    bson_destroy(sandbox_run_json(sb, "{\"listShards\": 1}"));
    int64_t bytes = 0;
    for (int s = 0; s < 3; s++) {
        const char *shards[] = {"a", "b", "c"};
        bytes += sb_cluster_bytes(sb->cluster, "app.items", shards[s]) +
                 sb_cluster_bytes(sb->cluster, "app.hash", shards[s]) +
                 sb_cluster_bytes(sb->cluster, "app.pair", shards[s]);
    }
    assert_int_equal(bytes, 600000 + 4000000 + 1000000 + 3000001 + 100000);
    assert_int_equal(sb_cluster_bytes(sb->cluster, "app.none", "a"), -1);
    assert_int_equal(sb_cluster_bytes(sb->cluster, "app.items", "z"), -1);
    sandbox_free(sb);
}

/* Damaged metadata is refused with its collection named. */
static void damage_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *find, *replace, *says;
    } rows[] = {
        {"\"max\": {\"x\": 100}", "\"max\": {\"x\": 90}", "app.items"},
        {"\"min\": {\"x\": {\"$minKey\": 1}}", "\"min\": {\"x\": -5}", "app.items"},
        {"\"shard\": \"c\"}", "\"shard\": \"zz\"}", "app.hash"},
        {"{\"x\": 1}", "{\"x\": \"text\"}", "app.items"},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *at = strstr(sandbox_small_state, rows[i].find);
        g_autofree char *before = g_strndup(sandbox_small_state, (gsize)(at - sandbox_small_state));
        g_autofree char *json = g_strconcat(before, rows[i].replace, at + strlen(rows[i].find), NULL);
        struct sb_options opt = {.version_major = 7};
        step_clock *clock = step_clock_new(0);
        sb_cluster *c = sb_cluster_new(&opt, step_clock_host(clock));
        bson_t *doc = sandbox_json(json);
        bson_iter_t it, item;
        struct err err = {0};
        assert_true(bson_iter_init(&it, doc));
        while (bson_iter_next(&it)) {
            if (!BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &item))
                continue;
            while (bson_iter_next(&item)) {
                bson_t one;
                uint32_t len;
                const uint8_t *data;
                bson_iter_document(&item, &len, &data);
                assert_true(bson_init_static(&one, data, len) &&
                            sb_cluster_load(c, bson_iter_key(&it), &one, &err));
            }
        }
        if (sb_cluster_ready(c, &err) || strstr(err.msg, rows[i].says) == NULL)
            fail_msg("row %u: '%s'", i, err.msg);
        bson_destroy(doc);
        sb_cluster_free(c);
        step_clock_free(clock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_donor_chooses_the_end),
        cmocka_unit_test(a_range_moved_back_at_once),
        cmocka_unit_test(a_shard_drains_and_leaves),
        cmocka_unit_test(status_of_a_collection),
        cmocka_unit_test(a_split_waits_for_a_migration),
        cmocka_unit_test(migrations_show_in_current_op),
        cmocka_unit_test(a_reply_may_bring_the_next_request),
        cmocka_unit_test(a_killed_migration_is_aborted),
        cmocka_unit_test(a_drop_ends_what_runs),
        cmocka_unit_test(settings_are_obeyed),
        cmocka_unit_test(data_grows),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
