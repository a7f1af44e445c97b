// SPDX-License-Identifier: Apache-2.0
/* Plan files: what is read back, what is refused, and with which place. */
#include "balancer/plan/planner.h"
#include "balancer/plan/summary.h"
#include "migrations/work/plan_file.h"
#include "tests/support/layout.h"
#include "tests/support/plan_by_hand.h"
#include "tests/support/temp_dir.h"
#include "tests/support/work_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct layout ordinary = {"a b/EU c!", "a 10 a 20 a* 30 b 40 c", .zones = "EU:min..15",
                                       .sizes = "a=900M b=0 c=10M", .version = "6.0.14"};

static plan *plan_of(const cluster *cl, const struct policy *policy)
{
    struct plan_options opt = plan_options_default();
    struct err err = {0};
    plan *p = NULL;
    opt.policy = policy;
    opt.until_balanced = true;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

/* The ordinary plan's JSON. It has splits, several rounds, and open ends. */
static char *ordinary_json(void)
{
    g_autoptr(cluster) cl = layout_cluster(&ordinary);
    g_autoptr(plan) p = plan_of(cl, &policy_size);
    assert_true(p->splits->len > 0 && p->rounds->len > 1);
    return plan_json(p);
}

static work *must_read(const char *json)
{
    struct err err = {0};
    work *w = NULL;
    if (!plan_file_parse("plan.json", json, strlen(json), &w, &err))
        fail_msg("%s", err.msg);
    return w;
}

static void must_take(const char *json)
{
    work_free(must_read(json));
}

static void check_refused(const char *json, gsize len, const char *want)
{
    struct err err = {0};
    work *w = NULL;
    if (plan_file_parse("plan.json", json, len, &w, &err))
        fail_msg("it was taken; wanted '%s'", want);
    assert_null(w);
    assert_int_equal(err.cls, ERR_DATA);
    if (strstr(err.msg, want) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, want);
}

/* `text` with the first `from` in it made into `to`; the caller frees. */
static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (at == NULL)
        fail_msg("the plan has no %s", from);
    return g_strdup_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void test_read_back(void **state)
{
    (void)state;
    const struct policy *const some[] = {&policy_count, &policy_size};
    g_autoptr(cluster) cl = layout_cluster(&ordinary);
    for (size_t i = 0; i < G_N_ELEMENTS(some); i++) {
        g_autoptr(plan) p = plan_of(cl, some[i]);
        g_autofree char *json = plan_json(p);
        g_autoptr(work) direct = work_from_plan(p, "cluster.json"), read = must_read(json);
        g_autofree char *want = work_text(direct, true), *have = work_text(read, true);
        assert_string_equal(have, want);
        assert_true(read->n_splits == p->splits->len && read->n_migrations == p->migrations->len);
    }
}

static void test_no_steps(void **state)
{
    (void)state;
    g_autoptr(cluster) cl = layout_cluster(&(struct layout){"a b", "a 10 b"});
    g_autoptr(plan) p = plan_of(cl, &policy_count);
    g_autofree char *json = plan_json(p);
    g_autoptr(work) w = must_read(json);
    assert_int_equal(w->steps->len, 0);
    assert_int_equal(w->collections->len, 0);
    assert_string_equal(w->plan_id, p->id);
}

/* --- what may differ from what was written --- */

static const struct {
    const char *name, *from, *to;
} harmless[] = {
    {"unknown keys, of any shape", "\"tool\": {", "\"later\": [{\"ns\": [1]}, null], \"tool\": {\"x\": {}, "},
    {"unknown keys of a migration", "\"openMin\": ", "\"later\": {\"ns\": 1}, \"openMin\": "},
    {"a key written with escapes", "\"forceJumbo\": ", "\"force\\u004aumbo\": "},
    {"a text written with escapes", "\"to\": \"b\"", "\"to\": \"\\u0062\""},
    {"an integer as a double", "{\"x\": 10}", "{\"x\": 10.0}"},
    {"an integer as a long", "{\"x\": 10}", "{\"x\": {\"$numberLong\": \"10\"}}"},
    {"an integer as a decimal", "{\"x\": 10}", "{\"x\": {\"$numberDecimal\": \"1E1\"}}"},
    {"another time", "1970-01-01T00:00:00Z", "2024-01-01T00:00:00Z"},
    {"another sentence", "\"why\": \"", "\"why\": \"so: "},
    {"a source without a name", "\"cluster.json\"", "null"},
};

static void test_harmless(void **state)
{
    (void)state;
    g_autofree char *json = ordinary_json();
    for (size_t i = 0; i < G_N_ELEMENTS(harmless); i++) {
        g_autofree char *text = edited(json, harmless[i].from, harmless[i].to);
        struct err err = {0};
        g_autoptr(work) w = NULL;
        if (!plan_file_parse("plan.json", text, strlen(text), &w, &err))
            fail_msg("%s: %s", harmless[i].name, err.msg);
    }
}

/* --- a content that is not the planId's --- */

static const struct {
    const char *from, *to;
} changes[] = {
    {"\"name\": \"size\"", "\"name\": \"count\""},
    {"\"shardKey\": {\"x\": 1}", "\"shardKey\": {\"x\": \"hashed\"}"},
    {"\"openMax\": true", "\"openMax\": false"},
    {"\"openMin\": false", "\"openMin\": true"},
    {"\"to\": \"b\"", "\"to\": \"d\""},
    {"\"from\": \"a\"", "\"from\": \"d\""},
    {"\"shard\": \"a\", \"version\"", "\"shard\": \"b\", \"version\""},
    {"\"version\": \"1|0||", "\"version\": \"1|1||"},
    {"\"forceJumbo\": false", "\"forceJumbo\": true"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [{\"x\": 16}]"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [{\"x\": 15}, {\"x\": 16}]"},
    {"\"reason\": \"zoneBoundary\"", "\"reason\": \"sessions\""},
    {"\"reason\": \"drain\"", "\"reason\": \"imbalance\""},
    {"\"zone\": \"EU\"", "\"zone\": \"US\""},
    {"\"zone\": \"EU\"", "\"zone\": null"},
    {"\"planId\": \"", NULL}, /* another digit */
};

static void test_changed(void **state)
{
    (void)state;
    g_autofree char *json = ordinary_json();
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *text = NULL;
        if (changes[i].to != NULL) {
            text = edited(json, changes[i].from, changes[i].to);
        } else {
            text = g_strdup(json);
            char *digit = strstr(text, changes[i].from) + strlen(changes[i].from);
            *digit = *digit == '0' ? '1' : '0';
        }
        check_refused(text, strlen(text), "plan.json: planId is not the hash of what the plan does");
    }
}

/* Two steps that change places, each still sound. */
static void test_order(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.14", "size", 4);
    hand_collection(h, "shop.users", "{\"a\": 1}");
    hand_round(h);
    hand_move(h, 0, "{\"a\": 1}", "{\"a\": 2}", 0, 1, 7);
    hand_move(h, 0, "{\"a\": 5}", "{\"a\": 6}", 2, 3, 7);
    g_autofree char *id = plan_content_id(&h->p);
    h->p.id = id;
    g_autofree char *json = plan_json(&h->p);
    must_take(json);
    g_autofree char *a = edited(json, "\"id\": 1", "\"id\": 9"), *b = edited(a, "\"id\": 2", "\"id\": 1"),
                    *c = edited(b, "\"id\": 9", "\"id\": 2");
    check_refused(c, strlen(c), "rounds[0].migrations[0].id: migrations must be numbered");
    char *first = strstr(json, "{\"id\": 1"), *second = strstr(json, "{\"id\": 2");
    gsize len = strcspn(first, "\n") - 1;
    assert_int_equal(strcspn(second, "\n"), len);
    g_autofree char *kept = g_strndup(first, len);
    memcpy(first, second, len);
    memcpy(second, kept, len);
    first[7] = '1';
    second[7] = '2';
    check_refused(json, strlen(json), "planId is not the hash");
}

/* --- damage --- */

static const struct {
    const char *from, *to, *want;
} damages[] = {
    {"\"schemaVersion\": 1", "\"schemaVersion\": 2", "plan.json: schemaVersion is 2, and this version"},
    {"\"schemaVersion\": 1", "\"schemaVersion\": \"1\"", "not a plan as"},
    {"\"schemaVersion\": 1,", "", "not a plan as"},
    {"\"schemaVersion\": 1", "\"schemaVersion\": 1, \"schemaVersion\": 1", "not a plan as"},
    {"\"planId\": \"", "\"whatIf\": [{\"kind\": \"drain\"}, {\"kind\": \"addShard\"}], \"planId\": \"",
     "plan.json: whatIf[1]: this plan asks what if the cluster had one more shard"},
    {"\"planId\": \"", "\"whatIf\": [{\"kind\": \"zones\"}], \"planId\": \"",
     "had other zones, which it has not"},
    {"\"planId\": \"", "\"whatIf\": [{\"kind\": \"wish\"}], \"planId\": \"", "had another state"},
    {"\"planId\": \"", "\"whatIf\": [{\"kind\": 7}], \"planId\": \"", "whatIf[0].kind: this must be a text"},
    {"\"planId\": \"", "\"whatIf\": [7], \"planId\": \"", "whatIf[0]: this must be a document"},
    {"\"planId\": \"", "\"whatIf\": {}, \"planId\": \"", "whatIf: this must be an array"},
    {"\"planId\": \"", "\"planId\": \"0", "planId: this must be 64 hexadecimal digits"},
    {"\"planId\": \"", "\"planId\": 7, \"x\": \"", "planId: this must be a text"},
    {"\"rounds\": [", "\"rounds\": [], \"rounds\": [", "plan.json: rounds: it is given twice"},
    {"\"collections\": [", "\"collections\": {}, \"x\": [", "collections: this must be an array"},
    {"\"summary\": {", "\"x\": {", "'summary' is missing"},
    {"\"source\": {", "\"source\": null, \"x\": {", "source: this must be a document"},
    {"\"policy\": {\"name\": \"size\"", "\"policy\": {\"name\": \"\"", "policy.name: this must be a text"},
    {"\"ns\": \"t.c\",", "", "collections[0]: 'ns' is missing"},
    {"\"shardKey\": {\"x\": 1}", "\"shardKey\": {}", "collections[0].shardKey: the shard key has no fields"},
    {"\"shardKey\": {\"x\": 1}", "\"shardKey\": {\"x\": {\"$oid\": 1}}", "collections[0].shardKey: "},
    {"\"shardKey\": {\"x\": 1}", "\"shardKey\": null", "splits[0].ns: its shard key is not known"},
    {"\"shardKey\": {\"x\": 1}", "\"shardKey\": {\"y\": 1}",
     "rounds[0].splits[0].min: the fields are { x } but the shard key is { y }"},
    {"\"round\": 1", "\"round\": 0", "rounds[0].round: rounds must be numbered"},
    {"\"round\": 2", "\"round\": 3", "rounds[1].round: rounds must be numbered"},
    {"\"round\": 2", "\"round\": 1.0", "rounds[1].round: this must be a whole number"},
    {"\"round\": 2", "\"round\": -2", "rounds[1].round: this must be a whole number"},
    {"\"round\": 2", "\"round\": 4294967298", "rounds[1].round: this must be a whole number"},
    {"\"splits\": [", "\"splits\": null, \"x\": [", "rounds[0].splits: this must be an array"},
    {"\"splits\": [", "\"splits\": [7,", "rounds[0].splits[0]: this must be a document"},
    {"\"at\": [{\"x\": 15}]", "\"at\": []", "rounds[0].splits[0].at: there is no point"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [{\"x\": 10}]", "splits[0].at[0]: it is not between"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [{\"x\": 20}]", "splits[0].at[0]: it is not between"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [{\"x\": 15}, {\"x\": 15}]", "splits[0].at[1]: it is not between"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [15]", "splits[0].at[0]: this must be a document"},
    {"\"at\": [{\"x\": 15}]", "\"at\": [{\"y\": 15}]", "splits[0].at[0]: the fields are"},
    {"\"reason\": \"zoneBoundary\"", "\"reason\": \"drain\"", "splits[0].reason: not a reason"},
    {"\"reason\": \"drain\"", "\"reason\": \"zoneBoundary\"", ".reason: not a reason"},
    {"\"version\": \"1|", "\"version\": \"1", ".version: not a chunk's version"},
    {"\"version\": \"1|", "\"version\": \"|", ".version: not a chunk's version"},
    {"\"version\": \"1|1||000", "\"version\": \"1|1||00", ".version: not a chunk's version"},
    {"\"id\": 1,", "\"id\": 2,", "migrations[0].id: migrations must be numbered"},
    {"\"id\": 1,", "", "rounds[0].migrations[0]: 'id' is missing"},
    {"\"id\": 1, \"ns\": \"t.c\"", "\"id\": 1, \"ns\": \"t.d\"",
     "rounds[0].migrations[0].ns: this collection is not among"},
    {"\"id\": 1, \"ns\": \"t.c\", \"min\": {", "\"id\": 1, \"ns\": \"t.c\", \"min\": [], \"x\": {",
     "rounds[0].migrations[0].min: this must be a document"},
    {"\"id\": 1, \"ns\": \"t.c\", \"min\": {\"x\":",
     "\"id\": 1, \"ns\": \"t.c\", \"min\": {\"x\": {\"$date\": 1}, \"y\":", "rounds[0].migrations[0].min: "},
    {"\"openMin\": false", "\"openMin\": 0", "migrations[0].openMin: this must be true or false"},
    {"\"to\": \"b\"", "\"to\": null", "migrations[0].to: this must be a text"},
    {"\"to\": \"b\"", "\"to\": \"a\\u0000\"", "migrations[0].to: this must be a text"},
    {"\"to\": \"b\"", "\"to\": \"\\ud800\"", "migrations[0].to: this must be a text"},
    {"\"forceJumbo\": false", "\"forceJumbo\": false, \"forceJumbo\": false",
     "forceJumbo: it is given twice"},
    {"\"zone\": ", "\"zone\": 7, \"x\": ", ".zone: this must be a text that is not empty, or null"},
    {"\"expectedSeconds\": ", "\"expectedSeconds\": -1, \"x\": ",
     "summary.time.expectedSeconds: this must be"},
    {"\"lowSeconds\": ", "\"lowSeconds\": 1e999, \"x\": ", "summary.time.lowSeconds: this must be a number"},
    {"\"highSeconds\": ", "\"highSeconds\": null, \"x\": ",
     "summary.time.highSeconds: this must be a number"},
    {"\"time\": {", "\"time\": 1, \"x\": {", "summary.time: this must be a document"},
};

static void test_damages(void **state)
{
    (void)state;
    g_autofree char *json = ordinary_json();
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autofree char *text = edited(json, damages[i].from, damages[i].to);
        check_refused(text, strlen(text), damages[i].want);
    }
}

/* Sums that are not those of the rounds, and what needs more than one edit. */
static void test_sums(void **state)
{
    (void)state;
    static const char *const sums[] = {"migrations", "splits", "rounds", "bytes"};
    g_autofree char *json = ordinary_json();
    const char *summary = strstr(json, "\"summary\": {");
    for (size_t i = 0; i < G_N_ELEMENTS(sums); i++) {
        g_autofree char *from = g_strdup_printf("\"%s\": ", sums[i]);
        g_autofree char *to = g_strdup_printf("\"%s\": 1", sums[i]);
        g_autofree char *after = edited(summary, from, to);
        g_autofree char *text = g_strdup_printf("%.*s%s", (int)(summary - json), json, after);
        g_autofree char *want = g_strdup_printf("plan.json: summary.%s is 1", sums[i]);
        check_refused(text, strlen(text), want);
    }
    g_autofree char *twice =
        edited(json, "\"collections\": [", "\"collections\": [{\"ns\": \"t.c\", \"shardKey\": null},");
    check_refused(twice, strlen(twice), "collections[1].ns: this collection is listed twice");
    g_autofree char *backwards = edited(json, "\"max\": {\"x\": 20}", "\"max\": {\"x\": 10}");
    check_refused(backwards, strlen(backwards), "rounds[0].splits[0].max: it is not above min");
    g_autofree char *nowhere =
        edited(json, "\"from\": \"a\", \"to\": \"b\"", "\"from\": \"b\", \"to\": \"b\"");
    check_refused(nowhere, strlen(nowhere), ".to: the recipient is the donor");
}

/* Cut off anywhere, it is refused and says so. */
static void test_truncated(void **state)
{
    (void)state;
    g_autofree char *json = ordinary_json();
    gsize len = strlen(g_strchomp(json));
    check_refused(json, 0, "it is empty");
    for (gsize n = 1; n < len; n++)
        check_refused(json, n, n < len - 1 ? "plan.json: not a plan in JSON: line " : "truncated");
    must_take(json);
}

static void test_not_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {" \n\t", "it is empty"},
        {"[]", "line 1, column 1: '{' was expected here"},
        {"\n  7", "line 2, column 3: '{' was expected here"},
        {"{} {}", "line 1, column 4: something stands behind the end"},
        {"{}", "no schemaVersion"},
        {"{\"a\": 1,}", "line 1, column 9"},
        {"{\"a\": NaN}", "line 1, column 7"},
        {"{\"a\": 01}", "line 1, column 8"},
        {"{\"a\": 123456789012345678901}", "more than 64 bits"},
        {"{\"a\": \"\xff\"}", "line 1, column 8: it is not UTF-8"},
        {"{\"a\": \"\x01\"}", "a control character"},
        {"{\"evenkeelSnapshot\": 1, \"shards\": []}",
         "not a plan as 'evenkeel plan --format json' writes it"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        check_refused(rows[i].text, strlen(rows[i].text), rows[i].want);
    check_refused("{\"a\": \"b\0\"}", 11, "line 1, column 9: a NUL byte");
    g_autoptr(GString) deep = g_string_new("{\"a\": ");
    for (int i = 0; i < 100000; i++)
        g_string_append_c(deep, '[');
    check_refused(deep->str, deep->len, "nested too deeply");
}

/* --- kinds of values --- */

/* A plan with one migration [{v: value}, {v: MaxKey}), and what is read back of its begin. */
static work *carry(const bson_t *min, char **ret_json, struct err *err)
{
    g_autoptr(hand) h = hand_new("6.0.14", "size", 2);
    hand_collection(h, "shop.users", "{\"v\": 1}");
    hand_round(h);
    hand_move(h, 0, "{\"v\": 1}", "{\"v\": {\"$maxKey\": 1}}", 0, 1, 7)->min = hand_bound_of(h, min);
    g_autofree char *id = plan_content_id(&h->p);
    h->p.id = id;
    g_autofree char *json = plan_json(&h->p);
    work *w = NULL;
    if (plan_file_parse("plan.json", json, strlen(json), &w, err))
        assert_string_equal(w->plan_id, id);
    if (ret_json != NULL)
        *ret_json = g_steal_pointer(&json);
    return w;
}

static const struct work_step *only_step(const work *w)
{
    if (w == NULL)
        fail_msg("there is no work");
    assert_int_equal(w->steps->len, 1);
    return w->steps->pdata[0];
}

/* Canonical Extended JSON of values that come back with their types. */
static const char *const exact[] = {
    "{\"$minKey\": 1}",
    "null",
    "{\"$undefined\": true}",
    "true",
    "\"\"",
    "\"a\\u0000b\"",
    "\"\\u00e9\\u20ac\\ud83d\\ude00\\\"\\\\\\u2028\\u202e\\u001b\"",
    "{\"$symbol\": \"abc\"}",
    "{\"$numberInt\": \"5\"}",
    "{\"$numberInt\": \"-2147483648\"}",
    "{\"$numberLong\": \"9223372036854775807\"}",
    "{\"$numberLong\": \"-9223372036854775808\"}",
    "{\"$numberLong\": \"9007199254740993\"}",
    "{\"$numberDouble\": \"5.0\"}",
    "{\"$numberDouble\": \"-0.0\"}",
    "{\"$numberDouble\": \"0.1\"}",
    "{\"$numberDouble\": \"1e300\"}",
    "{\"$numberDouble\": \"5e-324\"}",
    "{\"$numberDouble\": \"NaN\"}",
    "{\"$numberDouble\": \"Infinity\"}",
    "{\"$numberDouble\": \"-Infinity\"}",
    "{\"$numberDecimal\": \"1.50\"}",
    "{\"$numberDecimal\": \"-1E-6176\"}",
    "{\"$numberDecimal\": \"NaN\"}",
    "{\"$numberDecimal\": \"-Infinity\"}",
    "{\"$date\": {\"$numberLong\": \"0\"}}",
    "{\"$date\": {\"$numberLong\": \"1732152345678\"}}",
    "{\"$date\": {\"$numberLong\": \"-1\"}}",
    "{\"$date\": {\"$numberLong\": \"9223372036854775807\"}}",
    "{\"$timestamp\": {\"t\": 4294967295, \"i\": 4294967295}}",
    "{\"$oid\": \"507f1f77bcf86cd799439011\"}",
    "{\"$binary\": {\"base64\": \"\", \"subType\": \"00\"}}",
    "{\"$binary\": {\"base64\": \"AQID\", \"subType\": \"02\"}}",
    "{\"$binary\": {\"base64\": \"AAECAwQFBgcICQoLDA0ODw==\", \"subType\": \"03\"}}",
    "{\"$binary\": {\"base64\": \"AAECAwQFBgcICQoLDA0ODw==\", \"subType\": \"04\"}}",
    "{\"$binary\": {\"base64\": \"AQID\", \"subType\": \"80\"}}",
    "{\"$regularExpression\": {\"pattern\": \"^a/\\\"\", \"options\": \"im\"}}",
    "{\"$code\": \"return 1\"}",
    "{\"$code\": \"return x\", \"$scope\": {\"x\": {\"$numberInt\": \"1\"}}}",
    "{\"$dbPointer\": {\"$ref\": \"c\", \"$id\": {\"$oid\": \"507f1f77bcf86cd799439011\"}}}",
    "{}",
    "{\"\": {\"a.b\": {\"$minKey\": 1}, \"c\": {\"$maxKey\": 1}}}",
    "{\"r\": {\"$regularExpression\": {\"pattern\": \"x\", \"options\": \"\"}}}",
    "{\"s\": {\"$symbol\": \"y\"}, \"t\": {\"$timestamp\": {\"t\": 1, \"i\": 2}}}",
    "{\"nan\": {\"$numberDouble\": \"NaN\"}, \"z\": {\"$numberDouble\": \"-0.0\"}}",
    "{\"$ref\": \"c\", \"$id\": {\"$numberInt\": \"1\"}, \"$db\": \"d\"}",
};

static void check_exact(const char *value)
{
    bson_t doc;
    bson_error_t why;
    struct err err = {0};
    g_autofree char *text = g_strdup_printf("{\"v\": %s}", value);
    if (!bson_init_from_json(&doc, text, -1, &why))
        fail_msg("%s: %s", why.message, text);
    g_autoptr(work) w = carry(&doc, NULL, &err);
    if (w == NULL)
        fail_msg("%s: %s", err.msg, value);
    if (!bson_equal(only_step(w)->min, &doc)) {
        char *have = bson_as_canonical_extended_json(only_step(w)->min, NULL);
        fail_msg("%s came back as %s", value, have);
    }
    bson_destroy(&doc);
}

static void test_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(exact); i++)
        check_exact(exact[i]);
}

/* A small int64 comes back as int32, and is the same key. */
static void test_equal_number(void **state)
{
    (void)state;
    bson_t doc = BSON_INITIALIZER;
    struct err err = {0};
    bson_iter_t it;
    BSON_APPEND_INT64(&doc, "v", 5);
    g_autoptr(work) w = carry(&doc, NULL, &err);
    assert_non_null(w);
    assert_true(bson_iter_init_find(&it, only_step(w)->min, "v"));
    assert_true(BSON_ITER_HOLDS_INT32(&it));
    bson_destroy(&doc);
}

/* Documents whose names are those of Extended JSON are something else in a file: refused, never mistaken. */
static void test_not_carried(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *want;
    } rows[] = {
        {"$oid", "507f1f77bcf86cd799439011", "planId is not the hash of what the plan does"},
        {"$numberInt", "5", "planId is not the hash of what the plan does"},
        {"$oid", "none", "rounds[0].migrations[0].min: "},
        {"$date", "yesterday", "rounds[0].migrations[0].min: "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bson_t doc = BSON_INITIALIZER, inner;
        struct err err = {0};
        BSON_APPEND_DOCUMENT_BEGIN(&doc, "v", &inner);
        BSON_APPEND_UTF8(&inner, rows[i].name, rows[i].value);
        bson_append_document_end(&doc, &inner);
        g_autofree char *json = NULL;
        g_autoptr(work) w = carry(&doc, &json, &err);
        assert_null(w);
        check_refused(json, strlen(json), rows[i].want);
        bson_destroy(&doc);
    }
}

/* --- files --- */

static void test_files(void **state)
{
    (void)state;
    g_autofree char *json = ordinary_json();
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *path = temp_dir_write(dir, "plan.json", json, strlen(json));
    g_autofree char *none = g_build_filename(dir->path, "none.json", NULL);
    struct err err = {0};
    g_autoptr(work) w = NULL;
    assert_true(plan_file_read(path, &w, &err));
    g_autoptr(work) again = must_read(json);
    g_autofree char *a = work_text(w, true), *b = work_text(again, true);
    assert_string_equal(a, b);
    work *refused = NULL;
    assert_false(plan_file_read(none, &refused, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "none.json: cannot open the plan: "));
    assert_false(plan_file_read(dir->path, &refused, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, "cannot read the plan: "));
}

/* What the command wrote of a real cluster: the form that is hashed is the one of those files. */
static void test_golden(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        guint steps;
    } files[] = {{"imbalanced", 63}, {"after-moves", 58}, {"draining", 57}, {"balanced", 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strdup_printf(TEST_DATA_DIR "/golden/%s.count.json", files[i].name);
        struct err err = {0};
        g_autoptr(work) w = NULL;
        if (!plan_file_read(path, &w, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(w->steps->len, files[i].steps);
    }
}

static void test_stdin(void **state)
{
    (void)state;
    g_autofree char *json = ordinary_json();
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *path = temp_dir_write(dir, "plan.json", json, strlen(json));
    struct err err = {0};
    g_autoptr(work) w = NULL;
    assert_non_null(freopen(path, "r", stdin));
    assert_true(plan_file_read("-", &w, &err));
    assert_int_equal(fseek(stdin, 2, SEEK_SET), 0);
    work *refused = NULL;
    assert_false(plan_file_read("-", &refused, &err));
    assert_non_null(strstr(err.msg, "standard input: not a plan in JSON: line 1, column "));
}

static void test_too_large(void **state)
{
    (void)state;
    struct err err = {0};
    work *w = NULL;
    assert_false(plan_file_parse("plan.json", "{", (gsize)PLAN_FILE_MAX + 1, &w, &err));
    assert_int_equal(err.cls, ERR_DATA);
    assert_non_null(strstr(err.msg, "larger than a plan may be (512 MiB)"));
}

/* Many steps: nothing in the reading is worse than linear. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    g_autoptr(hand) h = hand_new("6.0.14", "size", 2);
    hand_collection(h, "shop.users", "{\"a\": 1}");
    hand_round(h);
    for (uint32_t i = 0; i < MANY; i++) {
        uint16_t from = i % 2 == 0 ? 0 : 1;
        g_autofree char *min = g_strdup_printf("{\"a\": %u}", i),
                        *max = g_strdup_printf("{\"a\": %u}", i + 1);
        hand_move(h, 0, min, max, from, from == 0 ? 1 : 0, 1000);
    }
    g_autofree char *id = plan_content_id(&h->p);
    h->p.id = id;
    g_autofree char *json = plan_json(&h->p);
    g_autoptr(temp_dir) dir = temp_dir_new();
    g_autofree char *path = temp_dir_write(dir, "plan.json", json, strlen(json));
    g_autoptr(work) direct = work_from_plan(&h->p, "cluster.json"), w = NULL;
    assert_true(plan_file_read(path, &w, NULL));
    g_autofree char *a = work_text(direct, true), *b = work_text(w, true);
    assert_string_equal(a, b);
    assert_int_equal(w->bytes, (int64_t)MANY * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_back),    cmocka_unit_test(test_no_steps),
        cmocka_unit_test(test_harmless),     cmocka_unit_test(test_changed),
        cmocka_unit_test(test_order),        cmocka_unit_test(test_damages),
        cmocka_unit_test(test_sums),         cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_not_json),     cmocka_unit_test(test_exact),
        cmocka_unit_test(test_equal_number), cmocka_unit_test(test_not_carried),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_stdin),
        cmocka_unit_test(test_golden),       cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("plan_file", tests, NULL, NULL);
}
