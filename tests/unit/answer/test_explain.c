// SPDX-License-Identifier: Apache-2.0
/* Which rules are told, in which order, with which answer; and that the outcome is what the policy picks. */
#include "balancer/answer/explain.h"

#include "balancer/key/show.h"
#include "tests/support/chunk_table.h"
#include "tests/support/cluster_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct explain_rule *find_rule(const explanation *e, const char *code, const char *subject)
{
    for (guint i = 0; i < e->rules->len; i++) {
        const struct explain_rule *r = &g_array_index(e->rules, struct explain_rule, i);
        if (strcmp(r->code, code) == 0 && g_strcmp0(r->subject, subject) == 0)
            return r;
    }
    return NULL;
}

static void check_rule(const char *name, const explanation *e, const char *code, const char *subject,
                       enum explain_answer answer, const char *words)
{
    const struct explain_rule *r = find_rule(e, code, subject);
    if (r == NULL)
        fail_msg("%s: no rule %s (%s)", name, code, subject != NULL ? subject : "-");
    if (r->answer != answer || strstr(r->why, words) == NULL)
        fail_msg("%s: %s is %s: '%s'; expected %s with '%s'", name, code, explain_answer_text(r->answer),
                 r->why, explain_answer_text(answer), words);
}

static void check_outcome(const char *name, const explanation *e, enum explain_answer answer,
                          const char *words)
{
    if (e->outcome != answer || strstr(e->outcome_why, words) == NULL)
        fail_msg("%s: the outcome is %s: '%s'; expected %s with '%s'", name, explain_answer_text(e->outcome),
                 e->outcome_why, explain_answer_text(answer), words);
}

/* Six chunks on s0, none elsewhere. */
static const struct chunk_table uneven = {.key = "{'a': 1}",
                                          .points = "[{'a': 0}, {'a': 10}, {'a': 20}, {'a': 30}, {'a': 40}]",
                                          .owners = "000000"};

struct row {
    const char *name;
    struct chunk_table table;
    const char *code, *subject;
    enum explain_answer answer;
    const char *words;
    enum explain_answer outcome;
    const char *outcome_words;
};

#define POINTS "[{'a': 0}, {'a': 10}, {'a': 20}, {'a': 30}, {'a': 40}]"

static const struct row rows[] = {
    {.name = "uneven",
     .table = {.key = "{'a': 1}", .points = POINTS, .owners = "000000"},
     .code = "imbalance",
     .answer = EXPLAIN_YES,
     .words = "s0 holds the most, 6 chunks, over the share of 2 chunks (3 shards); s1, the least loaded",
     .outcome = EXPLAIN_YES,
     .outcome_words = "first goes [{ a: MinKey }, { a: 0 }) from s0 to s1"},
    {.name = "even",
     .table = {.key = "{'a': 1}", .points = POINTS},
     .code = "imbalance",
     .answer = EXPLAIN_NO,
     .words = "not over the share of 2 chunks",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
    {.name = "only jumbo chunks",
     .table = {.key = "{'a': 1}", .points = POINTS, .owners = "000000", .jumbo = "111111"},
     .code = "imbalance",
     .answer = EXPLAIN_NO,
     .words = "6 of its 6 chunks are flagged jumbo",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
    {.name = "a draining shard",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .shards = "[{'_id': 's0', 'draining': true}, {'_id': 's1'}, {'_id': 's2'}]"},
     .code = "draining",
     .answer = EXPLAIN_YES,
     .words = "s0 is draining and holds 2 chunks",
     .outcome = EXPLAIN_YES,
     .outcome_words = "from s0 to s1: s0 is draining"},
    {.name = "nobody to receive",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .owners = "000000",
               .shards = "[{'_id': 's0'}, {'_id': 's1', 'draining': true}]"},
     .code = "imbalance",
     .answer = EXPLAIN_NO,
     .words = "no other shard may receive",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
    {.name = "chunks outside of their zone",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .shards = "[{'_id': 's0'}, {'_id': 's1', 'tags': ['A']}, {'_id': 's2'}]",
               .tags = "[{'min': {'a': 30}, 'max': {'a': {'$maxKey': 1}}, 'tag': 'A'}]"},
     .code = "zoneViolation",
     .answer = EXPLAIN_YES,
     .words = "s2 holds 1 chunk of zone 'A', which it does not carry",
     .outcome = EXPLAIN_YES,
     .outcome_words = "[{ a: 40 }, { a: MaxKey }) from s2 to s1"},
    {.name = "a bound inside a chunk",
     .table =
         {.key = "{'a': 1}",
          .points = POINTS,
          .shards =
              "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1', 'tags': ['A']}, {'_id': 's2', 'tags': ['A']}]",
          .tags = "[{'min': {'a': 5}, 'max': {'a': {'$maxKey': 1}}, 'tag': 'A'}]"},
     .code = "zoneBounds",
     .answer = EXPLAIN_WAIT,
     .words = "1 chunk must be split first",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
    {.name = "noBalance",
     .table = {.key = "{'a': 1}", .extra = ", 'noBalance': true"},
     .code = "balancingEnabled",
     .answer = EXPLAIN_NO,
     .words = "sh.enableBalancing()",
     .outcome = EXPLAIN_NO,
     .outcome_words = "balancing is disabled"},
    {.name = "resharding",
     .table = {.key = "{'a': 1}", .extra = ", 'reshardingFields': {'state': 'cloning'}"},
     .code = "notResharding",
     .answer = EXPLAIN_WAIT,
     .words = "being resharded",
     .outcome = EXPLAIN_WAIT,
     .outcome_words = "being resharded"},
    {.name = "defragmenting",
     .table = {.key = "{'a': 1}", .extra = ", 'defragmentCollection': true"},
     .code = "notDefragmenting",
     .answer = EXPLAIN_WAIT,
     .words = "being defragmented",
     .outcome = EXPLAIN_WAIT,
     .outcome_words = "being defragmented"},
    {.name = "migrations forbidden",
     .table = {.key = "{'a': 1}", .extra = ", 'permitMigrations': false"},
     .code = "migrationsPermitted",
     .answer = EXPLAIN_WAIT,
     .words = "setAllowMigrations",
     .outcome = EXPLAIN_WAIT,
     .outcome_words = "not permitted"},
    {.name = "time-series",
     .table = {.key = "{'a': 1}", .extra = ", 'timeseriesFields': {'timeField': 't'}"},
     .code = "notTimeSeries",
     .answer = EXPLAIN_NO,
     .words = "--time-series even",
     .outcome = EXPLAIN_NO,
     .outcome_words = "time-series"},
    {.name = "unsplittable",
     .table = {.key = "{'_id': 1}", .extra = ", 'unsplittable': true"},
     .code = "splittable",
     .answer = EXPLAIN_NO,
     .words = "moveCollection",
     .outcome = EXPLAIN_NO,
     .outcome_words = "unsplittable"},
    {.name = "damaged",
     .table = {.key = "{'a': 1}", .tags = "[{'min': {'x': 1}, 'max': {'x': 2}, 'tag': 'A'}]"},
     .code = "metadataSound",
     .answer = EXPLAIN_NO,
     .words = "tags[0]",
     .outcome = EXPLAIN_NO,
     .outcome_words = "tags[0]"},
    {.name = "one shard",
     .table = {.key = "{'a': 1}", .shards = "[{'_id': 's0'}]"},
     .code = "enoughShards",
     .answer = EXPLAIN_NO,
     .words = "only one shard",
     .outcome = EXPLAIN_NO,
     .outcome_words = "only one shard"},
    {.name = "settings that stop all",
     .table = {.key = "{'a': 1}", .more = ", 'settings': [{'_id': 'chunksize', 'value': 5000}]"},
     .code = "settingsValid",
     .answer = EXPLAIN_NO,
     .words = "skips every round",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
    {.name = "by size, below the threshold",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .owners = "000000",
               .more = ", 'serverVersion': '7.0.0', 'sizes': {'db.c': {'s0': 300000000, 's1': 0, 's2': 0}}"},
     .code = "imbalance",
     .answer = EXPLAIN_NO,
     .words = "a migration begins at a difference of 384 MiB (three times the chunk size)",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
    {.name = "by size, above it",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .owners = "000000",
               .more = ", 'serverVersion': '7.0.0', 'sizes': {'db.c': {'s0': 600000000, 's1': 0, 's2': 0}}"},
     .code = "imbalance",
     .answer = EXPLAIN_YES,
     .words = "s0 holds the most, 572 MiB, over the share of 191 MiB (3 shards)",
     .outcome = EXPLAIN_YES,
     .outcome_words = "from s0 to s1"},
    {.name = "nothing of any size",
     .table = {.key = "{'a': 1}",
               .points = POINTS,
               .more = ", 'serverVersion': '7.0.0', 'sizes': {'db.c': {'s0': 0, 's1': 0, 's2': 0}}"},
     .code = "imbalance",
     .answer = EXPLAIN_NO,
     .words = "nothing to share out",
     .outcome = EXPLAIN_NO,
     .outcome_words = "nothing moves"},
};

static void test_collections(void **state)
{
    (void)state;
    struct plan_options opt = plan_options_default();
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct err err = {0};
        g_autoptr(cluster) cl = chunk_table_cluster(&rows[i].table);
        g_autoptr(explanation) e = NULL;
        if (!explain_collection(cl, &opt, "db.c", &e, &err))
            fail_msg("%s: %s", rows[i].name, err.msg);
        check_rule(rows[i].name, e, rows[i].code, rows[i].subject, rows[i].answer, rows[i].words);
        check_outcome(rows[i].name, e, rows[i].outcome, rows[i].outcome_words);
    }
}

/* The order is part of the answer. */
static void test_order(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "sharded",         "selected",         "metadataSound",    "splittable",          "notTimeSeries",
        "notResharding",   "notDefragmenting", "balancingEnabled", "migrationsPermitted", "settingsValid",
        "builtinBalancer", "zoneBounds",       "draining",         "zoneViolation",       "imbalance"};
    struct plan_options opt = plan_options_default();
    g_autoptr(cluster) cl = chunk_table_cluster(&uneven);
    g_autoptr(explanation) e = NULL;
    assert_true(explain_collection(cl, &opt, "db.c", &e, NULL));
    assert_int_equal(e->rules->len, G_N_ELEMENTS(codes));
    for (guint i = 0; i < e->rules->len; i++)
        assert_string_equal(g_array_index(e->rules, struct explain_rule, i).code, codes[i]);
}

static void test_filtered(void **state)
{
    (void)state;
    struct plan_options opt = plan_options_default();
    g_autoptr(globs) ns = globs_new();
    g_autoptr(cluster) cl = chunk_table_cluster(&uneven);
    g_autoptr(explanation) e = NULL;
    assert_true(globs_add(ns, "!db.*", NULL));
    opt.namespaces = ns;
    assert_true(explain_collection(cl, &opt, "db.c", &e, NULL));
    check_rule("filtered", e, "selected", NULL, EXPLAIN_NO, "--ns");
    check_outcome("filtered", e, EXPLAIN_NO, "--ns");
}

static void explain_key(const cluster *cl, const char *json, explanation **ret)
{
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    bson_t key;
    assert_true(key_parse_doc(json, &key, &err));
    if (!explain_chunk(cl, &opt, "db.c", &key, ret, &err))
        fail_msg("%s: %s", json, err.msg);
    bson_destroy(&key);
}

static void test_chunk_first(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = chunk_table_cluster(&uneven);
    g_autoptr(explanation) e = NULL;
    explain_key(cl, "{\"a\": -5}", &e);
    assert_int_equal(e->chunk, 0);
    assert_int_equal(e->shard, 0);
    check_rule("first", e, "donor", NULL, EXPLAIN_YES, "s0 is the one that gives");
    check_rule("first", e, "firstInOrder", NULL, EXPLAIN_YES, "first");
    check_rule("first", e, "receiver", "s2", EXPLAIN_YES, "may receive");
    assert_null(find_rule(e, "receiver", "s0"));
    check_outcome("first", e, EXPLAIN_YES, "in the next round");
}

static void test_chunk_later(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = chunk_table_cluster(&uneven);
    g_autoptr(explanation) e = NULL;
    explain_key(cl, "{\"a\": 10}", &e);
    assert_int_equal(e->chunk, 2);
    check_rule("later", e, "firstInOrder", NULL, EXPLAIN_WAIT,
               "2 chunks of its zone on its shard come before it");
    check_outcome("later", e, EXPLAIN_WAIT, "other chunks go first");
}

static void test_chunk_stays(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1, 'b': 1}",
                                  .points = "[{'a': 0, 'b': 0}, {'a': 10, 'b': 0}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(explanation) e = NULL;
    explain_key(cl, "{\"a\": 10}", &e); /* { a: 10, b: MinKey } is below the second point */
    assert_int_equal(e->chunk, 1);
    check_rule("stays", e, "draining", NULL, EXPLAIN_NO, "s1 is not draining");
    check_outcome("stays", e, EXPLAIN_NO, "nothing calls for it");
}

static void test_chunk_jumbo(void **state)
{
    (void)state;
    const struct chunk_table t = {
        .key = "{'a': 1}",
        .points = "[{'a': 0}]",
        .owners = "01",
        .jumbo = "10",
        .shards = "[{'_id': 's0', 'draining': true}, {'_id': 's1'}, {'_id': 's2', 'draining': true}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(explanation) e = NULL;
    explain_key(cl, "{\"a\": -1}", &e);
    check_rule("jumbo", e, "draining", NULL, EXPLAIN_YES, "s0 is draining");
    check_rule("jumbo", e, "notJumbo", NULL, EXPLAIN_NO, "clearJumboFlag");
    check_rule("jumbo", e, "receiver", "s2", EXPLAIN_NO, "draining");
    check_outcome("jumbo", e, EXPLAIN_NO, "flagged jumbo");
}

static void test_chunk_stuck(void **state)
{
    (void)state;
    const struct chunk_table t = {.key = "{'a': 1}",
                                  .points = "[{'a': 0}]",
                                  .owners = "01",
                                  .shards = "[{'_id': 's0'}, {'_id': 's1'}]",
                                  .tags = "[{'min': {'a': 0}, 'max': {'a': {'$maxKey': 1}}, 'tag': 'A'}]"};
    g_autoptr(cluster) cl = chunk_table_cluster(&t);
    g_autoptr(explanation) e = NULL;
    explain_key(cl, "{\"a\": 1}", &e);
    assert_int_equal(e->zone, 0);
    check_rule("stuck", e, "zoneViolation", NULL, EXPLAIN_YES, "which its shard s1 does not carry");
    check_rule("stuck", e, "receiver", "s0", EXPLAIN_NO, "does not carry the zone");
    check_outcome("stuck", e, EXPLAIN_NO, "no shard may receive it");
}

static void test_shards(void **state)
{
    (void)state;
    struct plan_options opt = plan_options_default();
    g_autoptr(cluster) cl = chunk_table_cluster(&uneven);
    g_autoptr(explanation) giver = NULL, taker = NULL, other = NULL;
    assert_true(explain_shard(cl, &opt, "db.c", "s0", &giver, NULL));
    check_rule("giver", giver, "holds", NULL, EXPLAIN_YES, "6 chunks");
    check_rule("giver", giver, "gives", NULL, EXPLAIN_YES,
               "holds 6 chunks against a share of 2 chunks, the most");
    check_outcome("giver", giver, EXPLAIN_YES, "it gives in the next round");
    assert_true(explain_shard(cl, &opt, "db.c", "s1", &taker, NULL));
    check_rule("taker", taker, "holds", NULL, EXPLAIN_NO, "0 chunks");
    check_rule("taker", taker, "receives", NULL, EXPLAIN_YES, "least loaded");
    check_outcome("taker", taker, EXPLAIN_YES, "it receives in the next round");
    assert_true(explain_shard(cl, &opt, "db.c", "s2", &other, NULL));
    check_outcome("other", other, EXPLAIN_WAIT, "takes no part in the next round");
}

static void test_refused(void **state)
{
    (void)state;
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    explanation *e = NULL;
    bson_t key = BSON_INITIALIZER;
    g_autoptr(cluster) cl = chunk_table_cluster(&uneven);
    assert_false(explain_collection(cl, &opt, "db.x", &e, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_non_null(strstr(err.msg, "there are db.c"));
    err = (struct err){0};
    assert_false(explain_shard(cl, &opt, "db.c", "s9", &e, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_non_null(strstr(err.msg, "s0, s1 and s2"));
    err = (struct err){0};
    BSON_APPEND_INT32(&key, "x", 1);
    assert_false(explain_chunk(cl, &opt, "db.c", &key, &e, &err));
    assert_int_equal(err.cls, ERR_USAGE);
    bson_destroy(&key);
    assert_null(e);
}

/* --- a policy that knows the whole way --- */

struct whole_row {
    const char *name;
    struct chunk_table table;
    const char *chunk; /* a key; NULL: not asked about one */
    const char *shard; /* NULL: not asked about one */
    const char *code;
    enum explain_answer answer;
    const char *words;
    enum explain_answer outcome;
    const char *outcome_words;
};

#define NINE "[{'a': 0}, {'a': 10}, {'a': 20}, {'a': 30}, {'a': 40}, {'a': 50}, {'a': 60}, {'a': 70}]"
#define ON_S0                                                                                                \
    {                                                                                                        \
        .key = "{'a': 1}", .points = NINE, .owners = "000000000"                                             \
    }

static const struct whole_row whole_rows[] = {
    {"uneven", ON_S0, NULL, NULL, "imbalance", EXPLAIN_YES, "s0 is furthest from its share: it holds 576 MiB",
     EXPLAIN_YES, "6 migrations to balance; first goes, in round 1 of 6: [{ a: MinKey }, { a: 0 }) from s0"},
    {"the first chunk", ON_S0, "{\"a\": -1}", NULL, "chosen", EXPLAIN_YES, "it goes, in round 1", EXPLAIN_YES,
     "it goes in round 1 of 6: [{ a: MinKey }, { a: 0 }) from s0 to"},
    {"the last chunk", ON_S0, "{\"a\": 75}", NULL, "chosen", EXPLAIN_NO, "which this is, last", EXPLAIN_NO,
     "it stays: other chunks of its shard go"},
    {"its shard gives", ON_S0, "{\"a\": 75}", NULL, "donor", EXPLAIN_YES, "s0 gives 384 MiB in 6 migrations",
     EXPLAIN_NO, "it stays"},
    {"who gives", ON_S0, NULL, "s0", "gives", EXPLAIN_YES, "it gives 384 MiB in 6 migrations", EXPLAIN_YES,
     "it first gives in round 1 of 6: ["},
    {"who gets", ON_S0, NULL, "s2", "gets", EXPLAIN_YES, "it gets 192 MiB in 3 migrations", EXPLAIN_YES,
     "it first gets in round"},
    {"who gets gives nothing", ON_S0, NULL, "s2", "gives", EXPLAIN_NO, "it gives nothing", EXPLAIN_YES,
     "gets"},
    {"even",
     {.key = "{'a': 1}", .points = NINE},
     NULL,
     NULL,
     "imbalance",
     EXPLAIN_NO,
     "nothing moves for evenness",
     EXPLAIN_NO,
     "nothing moves"},
    {"even: a chunk",
     {.key = "{'a': 1}", .points = NINE},
     "{\"a\": 5}",
     NULL,
     "donor",
     EXPLAIN_NO,
     "gives nothing",
     EXPLAIN_NO,
     "nothing calls for it"},
    {"even: a shard",
     {.key = "{'a': 1}", .points = NINE},
     NULL,
     "s1",
     "gets",
     EXPLAIN_NO,
     "it gets nothing",
     EXPLAIN_NO,
     "nothing of the collection moves"},
    {"others",
     {.key = "{'a': 1}",
      .points = NINE,
      .owners = "000000111",
      .shards = "[{'_id': 's0', 'tags': ['A']}, {'_id': 's1', 'tags': ['B']}, {'_id': 's2', 'tags': ['A']}]",
      .tags = "[{'min': {'a': {'$minKey': 1}}, 'max': {'a': 50}, 'tag': 'A'},"
              " {'min': {'a': 50}, 'max': {'a': {'$maxKey': 1}}, 'tag': 'B'}]"},
     NULL,
     "s1",
     "gives",
     EXPLAIN_NO,
     "it gives nothing",
     EXPLAIN_NO,
     "what moves, moves between other shards"},
    {"jumbo",
     {.key = "{'a': 1}",
      .points = NINE,
      .owners = "000000000",
      .jumbo = "100000000",
      .shards = "[{'_id': 's0', 'draining': true}, {'_id': 's1'}, {'_id': 's2'}]"},
     "{\"a\": -1}",
     NULL,
     "notJumbo",
     EXPLAIN_NO,
     "clearJumboFlag",
     EXPLAIN_NO,
     "flagged jumbo"},
    {"nobody may keep it",
     {.key = "{'a': 1}",
      .points = NINE,
      .shards = "[{'_id': 's0', 'draining': true}, {'_id': 's1', 'draining': true}, {'_id': 's2', "
                "'draining': true}]"},
     NULL,
     NULL,
     "imbalance",
     EXPLAIN_NO,
     "nothing to share out",
     EXPLAIN_NO,
     "nothing moves"},
    {"left out",
     {.key = "{'a': 1}", .points = NINE, .extra = ", 'noBalance': true"},
     NULL,
     NULL,
     "balancingEnabled",
     EXPLAIN_NO,
     "sh.enableBalancing()",
     EXPLAIN_NO,
     "balancing is disabled"},
};

static bool explain_row(const struct whole_row *r, const cluster *cl, const struct plan_options *opt,
                        explanation **ret, struct err *err)
{
    bson_t key;
    if (r->shard != NULL)
        return explain_shard(cl, opt, "db.c", r->shard, ret, err);
    if (r->chunk == NULL)
        return explain_collection(cl, opt, "db.c", ret, err);
    assert_true(key_parse_doc(r->chunk, &key, err));
    const bool ok = explain_chunk(cl, opt, "db.c", &key, ret, err);
    bson_destroy(&key);
    return ok;
}

static void test_whole(void **state)
{
    (void)state;
    struct plan_options opt = plan_options_default();
    opt.policy = &policy_optimal;
    opt.max_moves = 1; /* a limit of one plan is none on the explanation */
    for (size_t i = 0; i < G_N_ELEMENTS(whole_rows); i++) {
        const struct whole_row *r = &whole_rows[i];
        struct err err = {0};
        g_autoptr(cluster) cl = chunk_table_cluster(&r->table);
        g_autoptr(explanation) e = NULL;
        if (!explain_row(r, cl, &opt, &e, &err))
            fail_msg("%s: %s", r->name, err.msg);
        check_rule(r->name, e, r->code, NULL, r->answer, r->words);
        check_outcome(r->name, e, r->outcome, r->outcome_words);
        assert_null(find_rule(e, "firstInOrder", NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collections), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_order),       cmocka_unit_test(test_filtered),
        cmocka_unit_test(test_chunk_first), cmocka_unit_test(test_chunk_later),
        cmocka_unit_test(test_chunk_stays), cmocka_unit_test(test_chunk_jumbo),
        cmocka_unit_test(test_chunk_stuck), cmocka_unit_test(test_shards),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
