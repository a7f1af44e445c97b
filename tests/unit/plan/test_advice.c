// SPDX-License-Identifier: Apache-2.0
/* Each code of advice, a row for where it is given and for where it is not, at the borders. */
#include "balancer/plan/planner.h"
#include "tests/support/cluster_json.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400)
static const int64_t T0 = 1700000000;

static plan *make(const char *name, const cluster *cl, const struct plan_options *opt)
{
    struct err err = {0};
    plan *p = NULL;
    if (!plan_make(cl, opt, &p, &err))
        fail_msg("%s: %s", name, err.msg);
    return p;
}

static const struct plan_advice *find(const plan *p, const char *code)
{
    for (guint i = 0; i < p->advice->len; i++) {
        const struct plan_advice *a = &g_array_index(p->advice, struct plan_advice, i);
        if (strcmp(a->code, code) == 0)
            return a;
    }
    return NULL;
}

/* What a row asks of one code: NULL, it is not given; else what message, todo and commands together hold, the
 * parts being separated by '|', of which one with '!' before it must not be there. */
static unsigned faults; /* of all rows of a test, so that one does not hide the others */

static void check(const char *name, const plan *p, const char *code, const char *want)
{
    const struct plan_advice *a = find(p, code);
    if ((want == NULL) != (a == NULL)) {
        faults++;
        print_error("%s: %s is %s\n", name, code, a == NULL ? "not given" : a->message);
    }
    if (want == NULL || a == NULL)
        return;
    g_autofree char *all = g_strdup_printf("%s\n%s\n%s", a->message, a->todo, a->commands);
    g_auto(GStrv) parts = g_strsplit(want, "|", -1);
    for (char **part = parts; *part != NULL; part++) {
        const bool absent = **part == '!';
        if ((strstr(all, *part + (absent ? 1 : 0)) != NULL) != absent)
            continue;
        faults++;
        print_error("%s: %s '%s' in:\n%s\n", name, absent ? "there is" : "there is no", *part, all);
    }
}

static int reset(void **state)
{
    (void)state;
    faults = 0;
    return 0;
}

static int no_faults(void **state)
{
    (void)state;
    return faults == 0 ? 0 : -1;
}

struct row {
    const char *name, *code;
    struct layout on;
    const char *want;
    const char *policy, *drain; /* NULL: by version, none */
    struct shard_wish wish;     /* shard NULL: none */
    bool until_balanced;
};

#define JUMBO "a* 1 a* 2 b 5 b 8 c"
#define V8 "8.0.4"
#define OFF "{\"_id\":\"balancer\",\"stopped\":true}"

static const struct row rows[] = {
    /* reshardFaster */
    {"all on one of four",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a", NULL, "a=409600M", V8},
     "300 GiB|to 4 shards at once|400 GiB anew|4 h 56 min|2 h 8 min|about 200 GiB free|is not in the "
     "metadata|"
     "20.0 MiB a second|assumed|{reshardCollection: \"t.c\", key: { \"x\": NumberInt(1) }, "
     "forceRedistribution: true})"},
    {"one of four, before 8.0",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a", NULL, "a=409600M", "7.3.4"},
     NULL},
    {"one of four, of no known version",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a", NULL, "a=409600M"},
     NULL},
    {"one of two: migrating takes as long",
     "reshardFaster",
     {"a b", "a 1 a 2 a 3 a", NULL, "a=409600M", V8},
     NULL},
    {"sizes not known", "reshardFaster", {"a b c d", "a 1 a 2 a 3 a", NULL, NULL, V8}, NULL},
    {"done before five minutes are over",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a", NULL, "a=4096M", V8},
     NULL},
    {"even already",
     "reshardFaster",
     {"a b c d", "a 1 b 2 c 3 d", NULL, "a=102400M b=102400M c=102400M d=102400M", V8},
     NULL},
    {"a shard lacks room",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a", NULL, "a=409600M", V8},
     NULL,
     .wish = {"b", 1, (int64_t)199 << 30, true}},
    {"a shard has room",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a", NULL, "a=409600M", V8},
     "1 has it under its limit, for 3 it is not in the metadata",
     .wish = {"b", 1, (int64_t)200 << 30, true}},
    {"a shard that drains gets nothing",
     "reshardFaster",
     {"a b c d e", "a 1 a 2 a 3 a", NULL, "a=409600M", V8},
     "to 4 shards at once",
     .drain = "e"},
    {"all rounds",
     "reshardFaster",
     {"a b c d", "a 1 a 2 a 3 a 4 a 5 a", NULL, "a=409600M", V8},
     "to 4 shards at once",
     .until_balanced = true},
    /* jumbo */
    {"none flagged", "jumbo", {"a b", "a 1 b", .version = V8}, NULL},
    {"4.2.0",
     "jumbo",
     {"a b c", JUMBO, .version = "4.2.0"},
     "2 chunks on a are flagged|{split: \"t.c\", bounds: [{ \"x\": MinKey() }, { \"x\": NumberInt(1) "
     "}]})|comes with 4.2.3|"
     "!refine|!reshard|!forceJumbo|!{clearJumboFlag|stays where it is before 4.4"},
    {"4.2.3",
     "jumbo",
     {"a b c", JUMBO, .version = "4.2.3"},
     "of the first 2, 1 spans|{clearJumboFlag: \"t.c\", bounds: [{ \"x\": NumberInt(1) }, { \"x\": "
     "NumberInt(2) }]})|!refine"},
    {"4.4",
     "jumbo",
     {"a b c", JUMBO, .version = "4.4.1"},
     "refineCollectionShardKey|forceJumbo: true in moveChunk|attemptToBalanceJumboChunks|!reshard"},
    {"4.4, tried already",
     "jumbo",
     {"a b c", JUMBO, .version = "4.4.1",
      .settings = "{\"_id\":\"balancer\",\"attemptToBalanceJumboChunks\":true}"},
     "!attemptToBalanceJumboChunks"},
    {"5.0", "jumbo", {"a b c", JUMBO, .version = "5.0.1"}, "reshardCollection to a key|!forceRedistribution"},
    {"6.0", "jumbo", {"a b c", JUMBO, .version = "6.0.4"}, "forceJumbo: true in moveRange"},
    {"8.0", "jumbo", {"a b c", JUMBO, .version = V8}, "forceRedistribution: true takes jumbo chunks along"},
    {"version not known", "jumbo", {"a b c", JUMBO}, "(from 4.2.3)|(from 4.4;|(from 5.0)|(from 8.0)"},
    {"six on two shards",
     "jumbo",
     {"a b", "a* 1 b* 2 a* 3 a* 4 a* 5 a* 6 b", .version = V8},
     "6 chunks on a and b are flagged|the first 5 of them|of the first 5, 4 span|!NumberInt(6)"},
    {"only singles", "jumbo", {"a b", "a 1 a* 2 b", .version = V8}, "1 chunk on a is flagged|!try to split"},
    /* zoneCannotBeMet */
    {"zone met", "zoneCannotBeMet", {"a/EU b", "b 10 a 20 b", "EU:10..20", .version = V8}, NULL},
    {"zone can be met", "zoneCannotBeMet", {"a/EU b", "b 10 b 20 b", "EU:10..20", .version = V8}, NULL},
    {"carried by nobody",
     "zoneCannotBeMet",
     {"a b", "b 10 a 20 b", "EU:10..20", .version = V8},
     "zone 'EU'|no shard carries it: 1 chunk of it stays where it is|addShardToZone: \"a\", zone: \"EU\""},
    {"carried by nobody, cut",
     "zoneCannotBeMet",
     {"a b", "b 12 a 20 b", "EU:10..11", .version = V8},
     "no shard carries it|!chunk of it"},
    {"carried by one that drains",
     "zoneCannotBeMet",
     {"a!/EU b c", "b 10 a 20 b", "EU:10..20", .version = V8},
     "1 chunk of it can go to none|a is draining|addShardToZone: \"b\""},
    {"carried by one that drains in this plan",
     "zoneCannotBeMet",
     {"a/EU b", "b 10 a 20 b", "EU:10..20", .version = V8},
     "a is draining",
     .drain = "a"},
    {"its shard does not receive, and has all",
     "zoneCannotBeMet",
     {"a/EU b", "b 10 a 20 b", "EU:10..20", .version = V8},
     NULL,
     .wish = {"a", 1, 0, false}},
    {"its shard does not receive",
     "zoneCannotBeMet",
     {"a/EU b", "b 10 b 15 a 20 b", "EU:10..20", .version = V8},
     "1 chunk of it|a is configured not to receive",
     .wish = {"a", 1, 0, false}},
    {"its shard is full",
     "zoneCannotBeMet",
     {"a/EU b", "b 10 b 15 a 20 b", "EU:10..20", "a=100M b=10M", V8},
     "a is full|addShardToZone: \"b\"",
     .wish = {"a", 1, 100 << 20, true}},
    {"its shard is not quite full",
     "zoneCannotBeMet",
     {"a/EU b", "b 10 b 15 a 20 b", "EU:10..20", "a=100M b=10M", V8},
     NULL,
     .wish = {"a", 1, (100 << 20) + (20 << 20), true}},
    {"two shards, two reasons",
     "zoneCannotBeMet",
     {"a/EU b c!/EU", "b 10 b 15 a 20 b", "EU:10..20", .version = V8},
     "c is draining, a is configured not to receive",
     .wish = {"a", 1, 0, false}},
    {"more data than room",
     "zoneCannotBeMet",
     {"a/EU b", "a 10 a 15 a 20 b", "EU:10..20", "a=300M b=10M", V8},
     "zone 'EU' holds at least 200 MiB in all collections, but the shards that carry it (a) may hold 199 MiB "
     "together",
     .wish = {"a", 1, 199 << 20, true}},
    {"data as large as the room",
     "zoneCannotBeMet",
     {"a/EU b", "a 10 a 15 a 20 b", "EU:10..20", "a=300M b=10M", V8},
     NULL,
     .wish = {"a", 1, 200 << 20, true}},
    {"room of one of two not known",
     "zoneCannotBeMet",
     {"a/EU b/EU", "a 10 a 15 a 20 b", "EU:10..20", "a=300M b=10M", V8},
     NULL,
     .wish = {"a", 1, 10 << 20, true}},
    {"time series know no zones",
     "zoneCannotBeMet",
     {"a b", "b 10 a 20 b", "EU:10..20", NULL, V8, "\"timeseriesFields\":{\"timeField\":\"t\"}"},
     NULL},
    /* unevenChunkSizes */
    {"sizes differ",
     "unevenChunkSizes",
     {"a b", "a 1 b", NULL, "a=384M b=192M", "4.4.0"},
     "a holds 384 MiB in 1 chunk, b 192 MiB in 1 chunk|--policy size"},
    {"less than half as much again",
     "unevenChunkSizes",
     {"a b", "a 1 b", NULL, "a=579M b=387M", "4.4.0"},
     NULL},
    {"less than three chunks more", "unevenChunkSizes", {"a b", "a 1 b", NULL, "a=191M b=0M", "4.4.0"}, NULL},
    {"by size already", "unevenChunkSizes", {"a b", "a 1 b", NULL, "a=384M b=192M", "7.0.0"}, NULL},
    {"sizes of no shard known", "unevenChunkSizes", {"a b", "a 1 b", NULL, NULL, "4.4.0"}, NULL},
    {"zones are uneven on purpose",
     "unevenChunkSizes",
     {"a/EU b", "a 1 b", "EU:min..1", "a=384M b=192M", "4.4.0"},
     NULL},
    {"imbalanced by chunks, too",
     "unevenChunkSizes",
     {"a b", "a 1 a 2 a", NULL, "a=900M b=0M", "4.4.0"},
     NULL},
};

static void run_row(const struct row *r)
{
    g_autoptr(cluster) cl = layout_cluster(&r->on);
    struct plan_options opt = plan_options_default();
    opt.advice = true;
    opt.until_balanced = r->until_balanced;
    opt.policy = r->policy == NULL ? NULL : policy_find(r->policy);
    opt.drain = &r->drain;
    opt.n_drain = r->drain == NULL ? 0 : 1;
    opt.shard_wishes = &r->wish;
    opt.n_shard_wishes = r->wish.shard == NULL ? 0 : 1;
    g_autoptr(plan) p = make(r->name, cl, &opt);
    check(r->name, p, r->code, r->want);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        run_row(&rows[i]);
}

/* A collection "t.c" of n chunks on shards a, b: bounds a day apart from T0 on, or numbers. */
struct grown {
    const char *name, *key;
    char kind; /* o: ObjectId, d: date, t: timestamp, n: number, s: text */
    unsigned n;
    int64_t age; /* seconds from the last bound to when the metadata were taken; INT64_MIN: not known */
    bool rising; /* versions rise with the key, else fall */
    unsigned top, others; /* migrations in the changelog */
    const char *version, *want;
    bool splits; /* these are splits */
    bool quick;  /* all within an hour less a millisecond */
};

static void append_value(GString *s, const struct grown *g, unsigned i)
{
    const int64_t t = T0 + (int64_t)i * DAY;
    if (i == 0 || i == g->n)
        g_string_append_printf(s, "{\"k\":{\"%s\":1}}", i == 0 ? "$minKey" : "$maxKey");
    else if (g->kind == 'o')
        g_string_append_printf(s, "{\"k\":{\"$oid\":\"%08x%016x\"}}", (unsigned)t, i);
    else if (g->kind == 'd')
        g_string_append_printf(s, "{\"k\":{\"$date\":{\"$numberLong\":\"%" G_GINT64_FORMAT "\"}}}", t * 1000);
    else if (g->kind == 't')
        g_string_append_printf(s, "{\"k\":{\"$timestamp\":{\"t\":%" G_GINT64_FORMAT ",\"i\":1}}}", t);
    else if (g->kind == 'n')
        g_string_append_printf(s, "{\"k\":%u}", i * 1000);
    else
        g_string_append_printf(s, "{\"k\":\"%06u\"}", i);
}

static void append_log(GString *s, const struct grown *g)
{
    for (unsigned i = 0; i < g->top + g->others; i++) {
        const unsigned chunk = i < g->top ? g->n - 1 : i % (g->n - 1);
        g_string_append_printf(
            s,
            "%s{\"what\":\"%s\",\"ns\":\"t.c\",\"time\":{\"$date\":{\"$numberLong\":\"%u\"}},\"details\":{%s",
            i == 0 ? "" : ",", g->splits ? "split" : "moveChunk.commit",
            i + 1 == g->top ? 3600000 - (g->quick ? 1 : 0)
            : i == 0        ? 0
                            : i,
            g->splits ? "\"before\":{" : "\"from\":\"a\",\"to\":\"b\",");
        g_string_append(s, "\"min\":");
        append_value(s, g, chunk);
        g_string_append(s, ",\"max\":");
        append_value(s, g, chunk + 1);
        g_string_append(s, g->splits ? "}}}" : "}}");
    }
}

static cluster *grow(const struct grown *g)
{
    g_autoptr(GString) s = g_string_new(NULL);
    g_string_append_printf(s, "{\"serverVersion\":\"%s\",\"shards\":[{\"_id\":\"a\"},{\"_id\":\"b\"}],",
                           g->version);
    if (g->age != INT64_MIN)
        g_string_append_printf(s, "\"takenAt\":{\"$date\":{\"$numberLong\":\"%" G_GINT64_FORMAT "\"}},",
                               (T0 + (int64_t)(g->n - 1) * DAY + g->age) * 1000);
    g_string_append_printf(s, "\"collections\":[{\"_id\":\"t.c\",\"key\":%s}],\"chunks\":[", g->key);
    for (unsigned i = 0; i < g->n; i++) {
        g_string_append_printf(s, "%s{\"ns\":\"t.c\",\"min\":", i == 0 ? "" : ",");
        append_value(s, g, i);
        g_string_append(s, ",\"max\":");
        append_value(s, g, i + 1);
        g_string_append_printf(s, ",\"shard\":\"%s\",\"lastmod\":{\"$timestamp\":{\"t\":%u,\"i\":0}}}",
                               i % 2 ? "b" : "a", g->rising ? i + 1 : g->n - i);
    }
    g_string_append(s, "],\"changelog\":[");
    append_log(s, g);
    g_string_append(s, "]}");
    return cluster_from_json(s->str);
}

static const struct grown growths[] = {
    {"ObjectIds to now, versions rise", "{\"k\":1}", 'o', 100, 3600, true, 0, 0, "5.0.1",
     "{ k: 1 }|on b|holds ObjectIds|the last bound is of 2024-02-21T22:13:20Z, 1 h before|100|0, is the "
     "newest of all 100|"
     "{reshardCollection: \"t.c\", key: {\"k\": \"hashed\"}})|from 5.0"},
    {"the same in 4.4", "{\"k\":1}", 'o', 100, 3600, true, 0, 0, "4.4.1",
     "cannot be changed before 5.0|!{reshardCollection"},
    {"ObjectIds to now alone", "{\"k\":1}", 'o', 100, 3600, false, 0, 0, "5.0.1", NULL},
    {"versions rise alone", "{\"k\":1}", 'o', 100, 300 * DAY, true, 0, 0, "5.0.1", NULL},
    {"when is not known", "{\"k\":1}", 'o', 100, INT64_MIN, true, 0, 0, "5.0.1", NULL},
    {"dates", "{\"k\":1}", 'd', 100, 3600, true, 0, 0, "5.0.1", "holds dates"},
    {"timestamps", "{\"k\":1}", 't', 100, 3600, true, 0, 0, "5.0.1", "holds timestamps"},
    {"a tenth of the span behind", "{\"k\":1}", 'd', 102, 10 * DAY, true, 0, 0, "5.0.1", "10 d"},
    {"more than a tenth behind", "{\"k\":1}", 'd', 102, 10 * DAY + 1, true, 0, 0, "5.0.1", NULL},
    {"more than a month behind", "{\"k\":1}", 'd', 1000, 30 * DAY + 1, true, 0, 0, "5.0.1", NULL},
    {"a day behind, though a tenth is less", "{\"k\":1}", 'd', 8, DAY, true, 0, 0, "5.0.1", "24 h before"},
    {"a day ahead", "{\"k\":1}", 'd', 100, -DAY, true, 0, 0, "5.0.1", "about when"},
    {"split into the future", "{\"k\":1}", 'd', 100, -DAY - 1, true, 0, 0, "5.0.1", NULL},
    {"seven chunks", "{\"k\":1}", 'd', 7, 60, true, 0, 0, "5.0.1", NULL},
    {"hashed", "{\"k\":\"hashed\"}", 'n', 100, 60, true, 9, 0, "5.0.1", NULL},
    {"numbers, versions rise", "{\"k\":1}", 'n', 100, 60, true, 0, 0, "5.0.1", NULL},
    {"numbers, migrations of the top", "{\"k\":1}", 'n', 100, 60, false, 9, 0, "5.0.1", NULL},
    {"numbers, both", "{\"k\":1}", 'n', 100, 60, true, 4, 4, "5.0.1",
     "holds numbers|4 of the 8 splits and migrations in the changelog"},
    {"numbers, both, splits", "{\"k\":1}", 'n', 100, 60, true, 4, 4, "5.0.1", "4 of the 8 splits",
     .splits = true},
    {"numbers, more of others", "{\"k\":1}", 'n', 100, 60, true, 4, 5, "5.0.1", NULL},
    {"numbers, three entries", "{\"k\":1}", 'n', 100, 60, true, 3, 0, "5.0.1", NULL},
    {"dates, both but the clock", "{\"k\":1}", 'd', 100, INT64_MIN, true, 4, 0, "5.0.1",
     "!the last bound is of"},
    {"numbers, both, within an hour", "{\"k\":1}", 'n', 100, 60, true, 9, 0, "5.0.1", NULL, .splits = true,
     .quick = true},
    {"texts", "{\"k\":1}", 's', 100, 60, true, 9, 0, "5.0.1", NULL},
};

static void test_ascending(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(growths); i++) {
        g_autoptr(cluster) cl = grow(&growths[i]);
        struct plan_options opt = plan_options_default();
        opt.advice = true;
        g_autoptr(plan) p = make(growths[i].name, cl, &opt);
        check(growths[i].name, p, "ascendingKey", growths[i].want);
    }
}

/* "a 0 a 1 ... b n ...": `runs` runs of `each` chunks, on a and b in turn. */
static char *run_chunks(unsigned runs, unsigned each)
{
    GString *s = g_string_new(NULL);
    for (unsigned i = 0; i < runs * each; i++) {
        if (i > 0)
            g_string_append_printf(s, " %u ", i * 10);
        g_string_append_c(s, i / each % 2 == 0 ? 'a' : 'b');
    }
    return g_string_free(s, FALSE);
}

struct merge_row {
    const char *name;
    unsigned runs, each;
    const char *sizes, *version, *settings, *zones, *want;
};

static const struct merge_row merge_rows[] = {
    {"7.0, balancer off", 2, 51, NULL, "7.0.1", OFF, NULL,
     "102 chunks could be 2: 100 of them|not known|{mergeAllChunksOnShard: \"t.c\", shard: \"a\"})|shard: "
     "\"b\""},
    {"7.0, the AutoMerger does it", 2, 51, NULL, "7.0.1", NULL, NULL, NULL},
    {"99 fewer", 3, 34, NULL, "7.0.1", OFF, NULL, NULL},
    {"more than half stay", 200, 1, NULL, "7.0.1", OFF, NULL, NULL},
    {"6.0.4", 2, 51, NULL, "6.0.4", NULL, NULL,
     "102 chunks could be 2|{mergeChunks: \"t.c\", bounds: [{ \"x\": MinKey() }, { \"x\": NumberInt(510) "
     "}]})|defragment"},
    {"large chunks", 2, 51, "a=3315M b=3315M", "6.0.4", NULL, NULL, NULL},
    {"half as large", 2, 51, "a=3264M b=3264M", "6.0.4", NULL, NULL, "64.0 MiB on average where 128 MiB"},
    {"4.4: merged chunks stay below the chunk size", 2, 64, "a=128M b=128M", "4.4.1", NULL, NULL,
     "128 chunks could be 4|{ \"x\": MinKey() }, { \"x\": NumberInt(320) }|!defragment"},
    {"4.4, sizes not known", 2, 64, NULL, "4.4.1", NULL, NULL, NULL},
    {"zones keep them apart", 1, 102, NULL, "6.0.4", NULL, "EU:min..10", "102 chunks could be 2"},
};

static void test_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(merge_rows); i++) {
        const struct merge_row *r = &merge_rows[i];
        g_autofree char *chunks = run_chunks(r->runs, r->each);
        const struct layout l = {.shards = "a/EU b",
                                 .chunks = chunks,
                                 .sizes = r->sizes,
                                 .version = r->version,
                                 .settings = r->settings,
                                 .zones = r->zones};
        g_autoptr(cluster) cl = layout_cluster(&l);
        struct plan_options opt = plan_options_default();
        opt.advice = true;
        g_autoptr(plan) p = make(r->name, cl, &opt);
        check(r->name, p, "mergeWouldHelp", r->want);
    }
}

/* Names that would end a literal, colour a terminal, or turn the direction of writing. */
static void test_hostile_names(void **state)
{
    (void)state;
    static const char json[] =
        "{\"serverVersion\":\"8.0.4\",\"shards\":[{\"_id\":\"s\\u001b[31m\\\"\"},{\"_id\":\"\\u202ex\\n\"}],"
        "\"collections\":[{\"_id\":\"t.c\\\"}); db.dropDatabase(); (\\u0007\",\"key\":{\"\\u001b]0;\":1}}],"
        "\"chunks\":[{\"ns\":\"t.c\\\"}); db.dropDatabase(); "
        "(\\u0007\",\"min\":{\"\\u001b]0;\":{\"$minKey\":1}},"
        "\"max\":{\"\\u001b]0;\":{\"$maxKey\":1}},\"shard\":\"s\\u001b[31m\\\"\",\"jumbo\":true}],"
        "\"tags\":[{\"ns\":\"t.c\\\"}); db.dropDatabase(); "
        "(\\u0007\",\"min\":{\"\\u001b]0;\":{\"$minKey\":1}},"
        "\"max\":{\"\\u001b]0;\":{\"$maxKey\":1}},\"tag\":\"Z\\u001b\\\"\\u2028\"}]}";
    g_autoptr(cluster) cl = cluster_from_json(json);
    struct plan_options opt = plan_options_default();
    opt.advice = true;
    g_autoptr(plan) p = make("hostile", cl, &opt);
    assert_non_null(find(p, "jumbo"));
    assert_non_null(find(p, "zoneCannotBeMet"));
    for (guint i = 0; i < p->advice->len; i++) {
        const struct plan_advice *a = &g_array_index(p->advice, struct plan_advice, i);
        g_autofree char *all = g_strconcat(a->message, a->todo, a->commands, NULL);
        assert_true(g_utf8_validate(all, -1, NULL));
        for (const char *c = all; *c != '\0'; c = g_utf8_next_char(c)) {
            const gunichar u = g_utf8_get_char(c);
            if ((u < 0x20 && u != '\n') || u == 0x7f || u == 0x202e || u == 0x2028)
                fail_msg("%s holds U+%04X: %s", a->code, u, all);
        }
        assert_null(strstr(a->message, "\n"));
        assert_true(*a->commands == '\0' || strstr(a->commands, "c\\\"}); db") != NULL ||
                    strstr(a->commands, "addShardToZone") != NULL);
    }
}

/* Where it is not asked for, where the sessions collection alone gives reason, and where all is left out. */
static void test_not_given(void **state)
{
    (void)state;
    const struct layout jumbo = {"a b c", JUMBO, .version = V8},
                        out = {"a b c", JUMBO, .version = V8, .more = "\"noBalance\":true"};
    g_autoptr(cluster) cl = layout_cluster(&jumbo), left_out = layout_cluster(&out);
    struct plan_options opt = plan_options_default();
    g_autoptr(plan) unasked = make("unasked", cl, &opt);
    assert_int_equal(unasked->advice->len, 0);
    opt.advice = true;
    g_autoptr(plan) asked = make("asked", cl, &opt), excluded = make("excluded", left_out, &opt);
    assert_int_equal(asked->advice->len, 1);
    assert_int_equal(excluded->advice->len, 0);
    assert_string_equal(asked->id, unasked->id);
    g_autoptr(cluster) sessions = cluster_from_json(
        "{'shards':[{'_id':'a'}],'collections':[{'_id':'config.system.sessions','key':{'_id':1}}],'chunks':[{"
        "'ns':'config.system.sessions','min':{'_id':{'$minKey':1}},'max':{'_id':{'$maxKey':1}},'shard':'a',"
        "'jumbo':true}]}");
    g_autoptr(plan) own = make("sessions", sessions, &opt);
    assert_int_equal(own->advice->len, 0);
}

/* A size that was measured is told; a shard is named where all are on it. */
static void test_measured(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        cluster_from_json("{'shards':[{'_id':'a'},{'_id':'b'}],'collections':[{'_id':'t.c','key':{'x':1}}],'"
                          "chunks':[{'ns':'t.c',"
                          "'min':{'x':{'$minKey':1}},'max':{'x':0},'shard':'a','jumbo':true,'"
                          "estimatedDataSizeBytes':1073741824},"
                          "{'ns':'t.c','min':{'x':0},'max':{'x':{'$maxKey':1}},'shard':'b'}]}");
    struct plan_options opt = plan_options_default();
    opt.advice = true;
    g_autoptr(plan) p = make("measured", cl, &opt);
    check("measured", p, "jumbo", "1.00 GiB as measured");
    assert_int_equal(find(p, "jumbo")->shard, 0);
}

/* Shards are named up to four. */
static void test_many_shards(void **state)
{
    (void)state;
    const struct layout four = {"a b c d", "a* 1 b* 2 c* 3 d*"},
                        five = {"a b c d e", "a* 1 b* 2 c* 3 d* 4 e*"};
    g_autoptr(cluster) cl4 = layout_cluster(&four), cl5 = layout_cluster(&five);
    struct plan_options opt = plan_options_default();
    opt.advice = true;
    g_autoptr(plan) p4 = make("four", cl4, &opt), p5 = make("five", cl5, &opt);
    check("four", p4, "jumbo", "on a, b, c and d are");
    check("five", p5, "jumbo", "on a, b, c and 2 more are");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, reset, no_faults),
        cmocka_unit_test_setup_teardown(test_ascending, reset, no_faults),
        cmocka_unit_test_setup_teardown(test_merge, reset, no_faults),
        cmocka_unit_test_setup_teardown(test_hostile_names, reset, no_faults),
        cmocka_unit_test_setup_teardown(test_not_given, reset, no_faults),
        cmocka_unit_test_setup_teardown(test_measured, reset, no_faults),
        cmocka_unit_test_setup_teardown(test_many_shards, reset, no_faults),
    };
    return cmocka_run_group_tests_name("plan.advice", tests, NULL, NULL);
}
