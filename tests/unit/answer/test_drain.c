// SPDX-License-Identifier: Apache-2.0
/* What emptying a shard takes, and what forbids it. */
#include "balancer/answer/drain.h"

#include "tests/support/chunk_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define POINTS "[{'a': 0}, {'a': 10}, {'a': 20}, {'a': 30}, {'a': 40}]"

static drain *make(const char *name, const cluster *cl, const char *shard)
{
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    drain *d = NULL;
    if (!drain_make(cl, &opt, shard, &d, &err))
        fail_msg("%s: %s", name, err.msg);
    return d;
}

/* "jumbo zoneless": the codes of all blockers. */
static char *blocker_codes(const drain *d)
{
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < d->blockers->len; i++)
        g_string_append_printf(s, "%s%s", i > 0 ? " " : "",
                               g_array_index(d->blockers, struct drain_blocker, i).code);
    return g_string_free(s, FALSE);
}

/* All commands of all steps, in order. */
static char *commands(const drain *d)
{
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < d->steps->len; i++) {
        const struct drain_step *step = &g_array_index(d->steps, struct drain_step, i);
        for (guint k = 0; k < step->commands->len; k++)
            g_string_append_printf(s, "%s%s", s->len > 0 ? "|" : "", (char *)step->commands->pdata[k]);
    }
    return g_string_free(s, FALSE);
}

static void test_plain(void **state)
{
    (void)state;
    const struct chunk_table t = {
        .key = "{'a': 1}",
        .points = POINTS,
        .more =
            ", 'databases': [{'_id': 'db', 'primary': 's0'}, {'_id': 'db2', 'primary': 's0'}, {'_id': 'db3', "
            "'primary': 's1'}], 'sizes': {'db.c': {'s0': 2000000, 's1': 2000000, 's2': 2000000}}"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("plain", cl, "s0");
    g_autofree char *codes = blocker_codes(d), *cmds = commands(d);
    assert_string_equal(codes, "");
    assert_false(d->already);
    assert_int_equal(d->chunks, 2);
    assert_int_equal(d->bytes, 2000000);
    assert_int_equal(d->migrations, 2);
    assert_int_equal(d->bytes_moved, 2000000);
    assert_int_equal(d->rounds, 2);
    assert_int_equal(d->left, 0);
    assert_true(d->seconds > 0 && d->low <= d->seconds && d->seconds <= d->high);
    assert_int_equal(d->databases->len, 2);
    /* s2 is the primary of none, then of one as s1 is; the first wins */
    assert_string_equal(cmds,
                        "db.adminCommand({removeShard: \"s0\"})|db.adminCommand({movePrimary: \"db\", to: "
                        "\"s2\"})|db.adminCommand({movePrimary: \"db2\", to: \"s1\"})|db.adminCommand("
                        "{removeShard: \"s0\"})");
}

static void test_already(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1}",
                                  .points = POINTS,
                                  .shards =
                                      "[{'_id': 's0', 'draining': true}, {'_id': 's1'}, {'_id': 's2'}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("already", cl, "s0");
    g_autofree char *cmds = commands(d);
    assert_true(d->already);
    assert_int_equal(d->bytes, SIZE_UNKNOWN);
    assert_string_equal(cmds, "db.adminCommand({removeShard: \"s0\"})");
}

static void test_empty_shard(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1}", .owners = "0"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("empty", cl, "s2");
    assert_int_equal(d->chunks, 0);
    assert_int_equal(d->migrations, 0);
    assert_int_equal(d->collections->len, 0);
    assert_int_equal(d->blockers->len, 0);
}

struct row {
    const char *name;
    struct chunk_table table;
    const char *shard, *codes, *why, *fix; /* of the first blocker */
    int64_t left;
};

static const struct row rows[] = {
    {.name = "jumbo",
     .table = {.key = "{'a': 1}", .points = POINTS, .jumbo = "100100"},
     .shard = "s0",
     .codes = "jumbo",
     .why = "2 chunks of db.c there are flagged jumbo",
     .left = 2},
    {.name = "noBalance",
     .table = {.key = "{'a': 1}", .points = POINTS, .extra = ", 'noBalance': true"},
     .shard = "s0",
     .codes = "noBalance",
     .why = "db.c has balancing disabled",
     .fix = "sh.enableBalancing(\"db.c\")",
     .left = 2},
    {.name = "migrations forbidden",
     .table = {.key = "{'a': 1}", .points = POINTS, .extra = ", 'permitMigrations': false"},
     .shard = "s1",
     .codes = "migrationsNotPermitted",
     .fix = "db.adminCommand({setAllowMigrations: \"db.c\", allowMigrations: true})",
     .left = 2},
    {.name = "a zone that only it carries",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .owners = "000000",
               .shards = "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1'}]",
               .tags = "[{'min': {'a': 0}, 'max': {'a': 20}, 'tag': 'A'}]"},
     .shard = "s0",
     .codes = "noEligibleShard",
     .why = "carries zone 'A', which 2 chunks of db.c there belong to",
     .left = 2},
    {.name = "all others are draining",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .owners = "000000",
               .shards = "[{'_id': 's0'}, {'_id': 's1', 'draining': true}]",
               .more = ", 'serverVersion': '7.0.1'"},
     .shard = "s0",
     .codes = "allDraining noEligibleShard",
     .why = "all other shards are draining",
     .left = 6},
    {.name = "an old server that drains another",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .shards = "[{'_id': 's0'}, {'_id': 's1', 'draining': true}, {'_id': 's2'}]",
               .more = ", 'serverVersion': '4.2.0'"},
     .shard = "s0",
     .codes = "otherDraining",
     .why = "one shard at a time"},
    {.name = "a new server that drains another",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .shards = "[{'_id': 's0'}, {'_id': 's1', 'draining': true}, {'_id': 's2'}]",
               .more = ", 'serverVersion': '5.0.0'"},
     .shard = "s0",
     .codes = ""},
};

static void test_blockers(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        g_autoptr(cluster) cl = chunk_table_cluster(&row->table);
        g_autoptr(drain) d = make(row->name, cl, row->shard);
        g_autofree char *codes = blocker_codes(d);
        if (strcmp(codes, row->codes) != 0 || d->left != row->left)
            fail_msg("%s: blocked by '%s' with %d left, expected '%s' with %d", row->name, codes,
                     (int)d->left, row->codes, (int)row->left);
        if (d->blockers->len == 0)
            continue;
        const struct drain_blocker *b = &g_array_index(d->blockers, struct drain_blocker, 0);
        if ((row->why != NULL && strstr(b->why, row->why) == NULL) ||
            (row->fix != NULL && g_strcmp0(b->fix, row->fix) != 0))
            fail_msg("%s: '%s', fix '%s'", row->name, b->why, b->fix != NULL ? b->fix : "-");
    }
}

static void test_jumbo_fix(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1}", .points = POINTS, .jumbo = "000100"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("jumbo", cl, "s0");
    assert_int_equal(d->jumbo_total, 1);
    assert_int_equal(d->jumbo->len, 1);
    const struct drain_jumbo *j = &g_array_index(d->jumbo, struct drain_jumbo, 0);
    assert_int_equal(j->chunk, 3);
    assert_string_equal(j->fix,
                        "db.adminCommand({clearJumboFlag: \"db.c\", bounds: [{ \"a\": NumberInt(20) }, { "
                        "\"a\": NumberInt(30) }]})");
}

/* A tracked unsharded collection goes by moveCollection, and is no migration. */
static void test_unsplittable(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'_id': 1}",
                                  .owners = "0",
                                  .extra = ", 'unsplittable': true",
                                  .more = ", 'serverVersion': '8.0.0'"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("unsplittable", cl, "s0");
    g_autofree char *cmds = commands(d);
    assert_int_equal(d->unsplittable->len, 1);
    assert_int_equal(d->collections->len, 0);
    assert_int_equal(d->blockers->len, 0);
    assert_string_equal(cmds,
                        "db.adminCommand({removeShard: \"s0\"})|db.adminCommand({moveCollection: \"db.c\", "
                        "toShard: \"s1\"})|db.adminCommand({removeShard: \"s0\"})");
}

static void test_config_shard(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1}",
                                  .owners = "0",
                                  .shards = "[{'_id': 's0'}, {'_id': 'config'}]",
                                  .more = ", 'serverVersion': '8.0.0'"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("config", cl, "config");
    g_autofree char *cmds = commands(d);
    assert_string_equal(cmds, "db.adminCommand({transitionToDedicatedConfigServer: 1})|db.adminCommand("
                              "{transitionToDedicatedConfigServer: 1})");
}

static void test_zones(void **state)
{
    (void)state;
    const struct chunk_table t = {
        .key = "{'a': 1}",
        .points = POINTS,
        .owners = "000000",
        .shards = "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1', 'tags': ['A']}, {'_id': 's2'}]",
        .tags = "[{'min': {'a': 0}, 'max': {'a': 20}, 'tag': 'A'}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(drain) d = make("zones", cl, "s0");
    assert_int_equal(d->zones->len, 2);
    const struct drain_zone *a = &g_array_index(d->zones, struct drain_zone, 0);
    const struct drain_zone *none = &g_array_index(d->zones, struct drain_zone, 1);
    assert_int_equal(a->zone, 0);
    assert_int_equal(a->chunks, 2);
    assert_int_equal(a->receivers->len, 1);
    assert_int_equal(g_array_index(a->receivers, uint16_t, 0), 1);
    assert_int_equal(none->zone, ZONE_NONE);
    assert_int_equal(none->chunks, 4);
    assert_int_equal(none->receivers->len, 2);
    assert_int_equal(d->left, 0);
    assert_int_equal(d->migrations, 6);
}

static void test_refused(void **state)
{
    (void)state;
    const struct chunk_table one = {.key = "{'a': 1}", .owners = "0", .shards = "[{'_id': 's0'}]"};
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    drain *d = NULL;
    g_autoptr(cluster) cl = chunk_table_cluster(&one);
    assert_false(drain_make(cl, &opt, "s0", &d, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_non_null(strstr(err.msg, "the only shard"));
    err = (struct err){0};
    assert_false(drain_make(cl, &opt, "s7", &d, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_non_null(strstr(err.msg, "there is s0"));
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_already),
        cmocka_unit_test(test_empty_shard),  cmocka_unit_test(test_blockers),
        cmocka_unit_test(test_jumbo_fix),    cmocka_unit_test(test_unsplittable),
        cmocka_unit_test(test_config_shard), cmocka_unit_test(test_zones),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
