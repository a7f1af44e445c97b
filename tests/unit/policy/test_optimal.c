// SPDX-License-Identifier: Apache-2.0
/* Decisions of the policy `optimal` on small clusters, a row each: what goes where, and what is left alone.
 */
#include "balancer/plan/planner.h"
#include "tests/support/cluster_json.h"
#include "tests/support/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define M128 "{\"_id\":\"chunksize\",\"value\":128}"
#define BUSY_A "\"usedShards\":[\"a\"]"
/* 20 chunks of one shard, too many to try all ways. */
#define TWENTY "a 1 a 2 a 3 a 4 a 5 a 6 a 7 a 8 a 9 a 10 a 11 a 12 a 13 a 14 a 15 a 16 a 17 a 18 a 19 a"

struct row {
    const char *name;
    struct layout on;
    const char *want;      /* the plan; NULL: not looked at */
    const char *after;     /* MiB on each shard at the end, in their order; NULL: not looked at */
    int64_t threshold_mib; /* this and what follows: the configuration's; 0: the built-in's */
    double threshold_percent;
    int64_t threshold_chunks;
    struct shard_wish wish; /* shard NULL: none */
};

static const struct row rows[] = {
    {"equal chunks, a new shard",
     {"a b c", "a 1 a 2 a 3 a 4 a 5 a 6 b 7 b 8 b 9 b 10 b 11 b", .sizes = "a=600M b=600M c=0",
      .settings = M128},
     "1 imbalance min a>c; 2 imbalance 1 a>c; 3 imbalance 6 b>c; 4 imbalance 7 b>c",
     "400 400 400"},
    {"one shard", {"a", "a 1 a 2 a 3 a 4 a 5 a", .settings = M128}, "", NULL},
    {"nothing there", {"a b", "a 1 a", .sizes = "a=0 b=0", .settings = M128}, "", NULL},

    {"below the threshold is left alone",
     {"a b", TWENTY, .sizes = "a=9M b=0", .settings = M128},
     "",
     "9 0",
     .threshold_mib = 10},
    {"at the threshold it acts",
     {"a b", TWENTY, .sizes = "a=20M b=0", .settings = M128},
     NULL,
     "10 10",
     .threshold_mib = 20},
    {"three chunk sizes from 6.0.3 on",
     {"a b", "a 1 a 2 a 3 a", .sizes = "a=380M b=0", .version = "7.0.5", .settings = M128},
     "",
     "380 0"},
    {"in per cent of the share: below",
     {"a b", "a 1 a 2 a 3 a 4 b 5 b", .sizes = "a=400M b=200M", .settings = M128},
     "",
     "400 200",
     .threshold_mib = 1,
     .threshold_percent = 50},
    {"in per cent of the share: above",
     {"a b", "a 1 a 2 a 3 a 4 b", .sizes = "a=400M b=100M", .settings = M128},
     "1 imbalance 3 a>b",
     "300 200",
     .threshold_mib = 1,
     .threshold_percent = 50},
    {"in chunks: two more are worth a migration",
     {"a b", "a 1 a 2 a 3 b", .version = "5.0.5", .settings = M128},
     "1 imbalance 2 a>b",
     "256 256"},
    {"in chunks: one more is not", {"a b", "a 1 a 2 b", .version = "5.0.5", .settings = M128}, "", "256 128"},
    {"in chunks, configured: below",
     {"a b", "a 1 a 2 a 3 a 4 a 5 b", .version = "5.0.5", .settings = M128},
     "",
     "640 128",
     .threshold_chunks = 3},
    {"in chunks, configured: met",
     {"a b", "a 1 a 2 a 3 a 4 a 5 b", .version = "5.0.5", .settings = M128},
     "1 imbalance 4 a>b",
     "512 256",
     .threshold_chunks = 2},

    {"a drain is spread, and nothing moves twice",
     {"a! b c d", "a 1 a 2 a 3 a 4 b 5 c 6 d", .sizes = "a=400M b=100M c=100M d=100M", .settings = M128},
     "1 drain min a>c; 2 drain 1 a>c; 3 drain 2 a>d; 4 drain 3 a>b",
     "0 200 300 200"},
    {"a large drain, too",
     {"a! b c", TWENTY, .sizes = "a=2000M b=0 c=0", .settings = M128},
     NULL,
     "0 1000 1000"},
    {"a drain goes to where its zones are",
     {"a! b/EU c/US", "a 1 a 2 a", .zones = "EU:min..1 US:1..2", .sizes = "a=300M b=0 c=0", .settings = M128},
     "1 drain min a>b; 2 drain 1 a>c; 3 drain 2 a>c",
     "0 100 200"},
    {"a drain within a zone, whoever else is empty",
     {"a!/EU b/EU c", "a 1 a 2 b", .zones = "EU:min..2", .sizes = "a=200M b=0 c=0", .settings = M128},
     "1 drain min a>b; 2 drain 1 a>b",
     "0 200 0"},
    {"a drain without a shard for its zone",
     {"a!/EU b", "a 1 a 2 b", .zones = "EU:min..2", .sizes = "a=200M b=100M", .settings = M128},
     "",
     "200 100"},
    {"what drains is not given to",
     {"a! b c", "b 1 b 2 b 3 b", .sizes = "b=400M c=0", .settings = M128},
     "1 imbalance min b>c; 2 imbalance 1 b>c",
     NULL,
     .threshold_mib = 1},

    {"zone violations",
     {"a b/EU c/EU", "a 1 a 2 a 3 a 4 a", .zones = "EU:min..4", .sizes = "a=500M b=0 c=0", .settings = M128},
     "1 zoneViolation min a>b; 2 zoneViolation 1 a>b; 3 zoneViolation 2 a>c; 4 zoneViolation 3 a>c",
     "100 200 200"},
    {"a violation, and evenness with what it leaves",
     {"a b/EU c", "a 1 a 2 a 3 a", .zones = "EU:min..2", .sizes = "a=400M b=0 c=0", .settings = M128},
     "1 zoneViolation min a>b; 2 zoneViolation 1 a>b; 3 imbalance 2 a>c",
     "100 200 100",
     .threshold_mib = 1},
    {"chunks of no zone stay clear of a crowded shard",
     {"a/EU b c", "a 1 a 2 a 3 b 4 b 5 b 6 b", .zones = "EU:min..3", .sizes = "a=300M b=400M c=0",
      .settings = M128},
     "1 imbalance 3 b>c; 2 imbalance 4 b>c",
     "300 200 200",
     .threshold_mib = 1},

    {"jumbo stays, others go in its place",
     {"a b", "a* 1 a* 2 a 3 a", .sizes = "a=400M b=0", .settings = M128},
     "1 imbalance 2 a>b; 2 imbalance 3 a>b",
     "200 200",
     .threshold_mib = 1},
    {"nothing but jumbo",
     {"a b", "a* 1 a* 2 a* 3 b", .sizes = "a=900M b=0", .settings = M128},
     "",
     "900 0",
     1},
    {"jumbo on a draining shard",
     {"a! b", "a* 1 a 2 b", .sizes = "a=200M b=100M", .settings = M128},
     "1 drain 1 a>b",
     "100 200"},
    {"jumbo in the wrong zone",
     {"a b/EU", "a* 1 a 2 b", .zones = "EU:min..2", .sizes = "a=200M b=100M", .settings = M128},
     "1 zoneViolation 1 a>b",
     "100 200"},

    {"receive: false, for evenness",
     {"a b c", "a 1 a 2 a 3 a 4 a 5 a", .sizes = "a=600M b=0 c=0", .settings = M128},
     "1 imbalance min a>c; 2 imbalance 1 a>c; 3 imbalance 2 a>c",
     "300 0 300",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 1, .receive = false}},
    {"receive: false, for a zone",
     {"a b/EU", "a 1 b", .zones = "EU:min..1", .sizes = "a=100M b=100M", .settings = M128},
     "",
     "100 100",
     .wish = {.shard = (char *)"b", .weight = 1, .receive = false}},
    {"receive: false still gives",
     {"a b", "b 1 b 2 b 3 b", .sizes = "a=0 b=400M", .settings = M128},
     "1 imbalance min b>a; 2 imbalance 1 b>a",
     "200 200",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 1, .receive = false}},
    {"maxBytes sends the rest on",
     {"a b c", "a 1 a 2 a 3 a 4 a 5 a", .sizes = "a=600M b=0 c=0", .settings = M128},
     "1 imbalance min a>b; 2 imbalance 1 a>c; 3 imbalance 2 a>c",
     "300 100 200",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 1, .max_bytes = 150 << 20, .receive = true}},
    {"maxBytes ends a drain",
     {"a! b", "a 1 a 2 a 3 b", .sizes = "a=300M b=100M", .settings = M128},
     "1 drain 2 a>b",
     "200 200",
     .wish = {.shard = (char *)"b", .weight = 1, .max_bytes = 250 << 20, .receive = true}},
    {"maxBytes takes a part",
     {"a b", "a 1 b", .sizes = "a=512M b=0", .version = "7.0.5", .settings = M128},
     "1 imbalance min+ a>b",
     "384 128",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 1, .max_bytes = 200 << 20, .receive = true}},
    {"weights",
     {"a b", "a 1 a 2 a 3 a 4 a 5 a", .sizes = "a=600M b=0", .settings = M128},
     "1 imbalance min a>b; 2 imbalance 1 a>b; 3 imbalance 2 a>b; 4 imbalance 3 a>b",
     "200 400",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 2, .receive = true}},
    {"weights, many chunks",
     {"a b", TWENTY, .sizes = "a=2000M b=0", .settings = M128},
     NULL,
     "500 1500",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 3, .receive = true}},
    {"even by weight is left alone",
     {"a b", "a 1 b 2 b", .sizes = "a=100M b=200M", .settings = M128},
     "",
     "100 200",
     .threshold_mib = 1,
     .wish = {.shard = (char *)"b", .weight = 2, .receive = true}},

    {"the last range goes last",
     {"a b", "a 1 a 2 a 3 a", .sizes = "a=512M b=0", .settings = M128},
     "1 imbalance min a>b; 2 imbalance 1 a>b",
     "256 256"},
    {"the last range goes last, many chunks",
     {"a b", TWENTY, .sizes = "a=2000M b=0", .settings = M128},
     "1 imbalance min a>b; 2 imbalance 1 a>b; 3 imbalance 2 a>b; 4 imbalance 3 a>b; 5 imbalance 4 a>b; "
     "6 imbalance 5 a>b; 7 imbalance 6 a>b; 8 imbalance 7 a>b; 9 imbalance 8 a>b; 10 imbalance 9 a>b",
     "1000 1000"},
    {"neighbours go to one shard",
     {"a b c", "a 1 a 2 a 3 a 4 a 5 a 6 a 7 a 8 a 9 a 10 a 11 a 12 a 13 a 14 a 15 a 16 a 17 a 18 a 19 c 20 b",
      .sizes = "a=1900M b=100M c=100M", .settings = M128},
     "1 imbalance min a>b; 2 imbalance 1 a>b; 3 imbalance 2 a>b; 4 imbalance 3 a>b; 5 imbalance 4 a>b; "
     "6 imbalance 5 a>b; 7 imbalance 6 a>c; 8 imbalance 7 a>c; 9 imbalance 8 a>c; 10 imbalance 9 a>c; "
     "11 imbalance 10 a>c; 12 imbalance 11 a>c",
     "700 700 700",
     .threshold_mib = 1},
    {"of equal chunks the one that closes a gap",
     {"a b", "a 1 b 2 a 3 a 4 a", .sizes = "a=400M b=100M", .settings = M128},
     "1 imbalance min a>b",
     "300 200",
     .threshold_mib = 1},

    {"a large chunk in parts, from its lower end",
     {"a b", "a 1 b", .sizes = "a=1280M b=0", .version = "7.0.5", .settings = M128},
     "1 imbalance min+ a>b; 2 imbalance ~min+ a>b; 3 imbalance ~min+ a>b; 4 imbalance ~min+ a>b",
     "768 512"},
    {"parts for two shards",
     {"a b c", "a 1 b 2 c", .sizes = "a=1280M b=0 c=0", .version = "7.0.5", .settings = M128},
     "1 imbalance min+ a>b; 2 imbalance ~min+ a>b; 3 imbalance ~min+ a>b; 4 imbalance ~min+ a>c; "
     "5 imbalance ~min+ a>c; 6 imbalance ~min+ a>c",
     "512 384 384"},
    {"a drained chunk in parts, the last without a rest",
     {"a! b", "a", .sizes = "a=300M b=0", .version = "7.0.5", .settings = M128},
     "1 drain min+ a>b; 2 drain ~min+ a>b; 3 drain ~min+ a>b",
     "0 300"},
    {"before 6.0 it goes whole",
     {"a! b", "a", .sizes = "a=300M b=0", .version = "5.0.5", .settings = M128},
     "1 drain min a>b",
     "0 300"},
    {"before 6.0 a giant that would only change places stays",
     {"a b", "a 1 b", .sizes = "a=1280M b=0", .version = "5.0.5", .settings = M128},
     "",
     "1280 0"},

    {"a shard of unknown size neither gives nor takes",
     {"a b c", "a 1 a 2 a 3 b 4 c", .sizes = "a=300M b=100M", .settings = M128},
     "1 imbalance 2 a>b",
     NULL,
     .threshold_mib = 1},
    {"a shard of unknown size is drained",
     {"a! b", "a 1 b", .sizes = "b=100M", .settings = M128},
     "1 drain min a>b",
     NULL},
    {"no sizes, one chunk size each",
     {"a! b", "a 1 a 2 b", .settings = M128},
     "1 drain min a>b; 2 drain 1 a>b",
     "0 384"},
    {"busy shards wait",
     {"a b c d", "a 1 a 2 a 3 a 4 b 5 b 6 b 7 b", .settings = M128, .top = BUSY_A},
     "1 imbalance 4 b>d; 2 imbalance 1 a>c; 2 imbalance 5 b>d; 3 imbalance min a>c",
     "256 256 256 256",
     .threshold_mib = 1},
};

static plan *make(const cluster *cl, const struct row *r, const char *policy)
{
    struct err err = {0};
    struct plan_options opt = plan_options_default();
    plan *p = NULL;
    opt.policy = policy_find(policy);
    opt.until_balanced = true;
    opt.threshold_bytes = r->threshold_mib << 20;
    opt.threshold_percent = r->threshold_percent;
    opt.threshold_chunks = r->threshold_chunks;
    opt.shard_wishes = &r->wish;
    opt.n_shard_wishes = r->wish.shard != NULL ? 1 : 0;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static const struct plan_collection *collection_at(const plan *p, guint i)
{
    return &g_array_index(p->collections, struct plan_collection, i);
}

static const struct plan_migration *migration_at(const plan *p, guint i)
{
    return &g_array_index(p->migrations, struct plan_migration, i);
}

/* MiB on every shard at the end, those that are not listed holding nothing. */
static char *after_text(const plan *p, guint collection)
{
    const struct plan_collection *c = collection_at(p, collection);
    GString *s = g_string_new(NULL);
    for (uint16_t shard = 0; shard < p->cl->n_shards; shard++) {
        int64_t bytes = 0;
        for (uint32_t i = 0; i < c->n_shards; i++)
            if (c->shards[i].shard == shard)
                bytes = c->shards[i].bytes_after;
        g_string_append_printf(s, "%s%" G_GINT64_FORMAT, shard > 0 ? " " : "", (bytes + (1 << 19)) >> 20);
    }
    return g_string_free(s, FALSE);
}

/* No migration twice with one chunk, but for its parts, which go upwards: all open at the lower end but the
 * first. Bytes add up. */
static void check_sane(const plan *p)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    int64_t bytes = 0;
    uint32_t round = 1;
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = migration_at(p, i);
        const bool again = g_hash_table_contains(seen, m->min);
        assert_int_equal(m->id, i + 1);
        assert_true(m->round == round || m->round == round + 1);
        round = m->round;
        assert_int_not_equal(m->from, m->to);
        for (guint k = 0; k < i; k++) {
            const struct plan_migration *b = migration_at(p, k);
            if (b->round == m->round)
                assert_true(b->from != m->from && b->from != m->to && b->to != m->from && b->to != m->to);
        }
        if (again)
            assert_true(m->open_min);
        g_hash_table_add(seen, (gpointer)m->min);
        bytes += m->bytes;
    }
    assert_int_equal(bytes, p->summary.bytes);
    assert_true(p->summary.lower_bytes <= bytes);
    assert_true(p->summary.lower_rounds <= p->summary.n_rounds);
}

static void run_row(void **state)
{
    const struct row *r = *state;
    g_autoptr(cluster) cl = layout_cluster(&r->on);
    g_autoptr(plan) p = make(cl, r, "optimal");
    g_autofree char *have = layout_plan_text(p), *after = after_text(p, 0);
    if (r->want != NULL)
        assert_string_equal(have, r->want);
    if (r->after != NULL)
        assert_string_equal(after, r->after);
    check_sane(p);
}

static int64_t fullest_after(const plan *p)
{
    const struct plan_collection *c = collection_at(p, 0);
    int64_t most = 0;
    for (uint32_t i = 0; i < c->n_shards; i++)
        most = MAX(most, c->shards[i].bytes_after);
    return most;
}

/* Where the built-in moves anything, it takes no fewer bytes and no fewer rounds, and ends no more even. */
static void test_never_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *r = &rows[i];
        if (r->wish.shard != NULL || r->threshold_mib != 0 || r->threshold_chunks != 0)
            continue;
        g_autoptr(cluster) cl = layout_cluster(&r->on);
        g_autoptr(plan) ours = make(cl, r, "optimal");
        g_autoptr(plan) theirs = make(cl, r, policy_auto(cl)->name);
        if (theirs->summary.n_migrations == 0)
            continue;
        if (ours->summary.bytes > theirs->summary.bytes)
            fail_msg("%s: moves more than %s", r->name, policy_auto(cl)->name);
        if (ours->summary.n_rounds > theirs->summary.n_rounds)
            fail_msg("%s: takes more rounds than %s", r->name, policy_auto(cl)->name);
        if (fullest_after(ours) > fullest_after(theirs))
            fail_msg("%s: ends less even than %s", r->name, policy_auto(cl)->name);
    }
}

/* What a plan leaves is a fixed point: the model as it will be has nothing to move. */
static void test_even_stays_even(void **state)
{
    (void)state;
    static const struct row ends[] = {
        {"new shard",
         {"a b c", "c 1 c 2 a 3 a 4 a 5 a 6 c 7 c 8 b 9 b 10 b 11 b", .sizes = "a=400M b=400M c=400M",
          .settings = M128},
         "",
         NULL},
        {"drained",
         {"a! b c d", "c 1 c 2 d 3 b 4 b 5 c 6 d", .sizes = "b=200M c=300M d=200M a=0", .settings = M128},
         "",
         NULL},
        {"parts",
         {"a b", "b 0 a 1 b", .sizes = "a=768M b=512M", .version = "7.0.5", .settings = M128},
         "",
         NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autoptr(cluster) cl = layout_cluster(&ends[i].on);
        g_autoptr(plan) p = make(cl, &ends[i], "optimal");
        g_autofree char *have = layout_plan_text(p);
        assert_string_equal(have, "");
        assert_true(p->summary.complete);
    }
}

/* Sizes of parts, and the version that all rest on. */
static void test_parts(void **state)
{
    (void)state;
    static const struct row r = {
        "parts",
        {"a! b c", "a 1 b 2 c", .sizes = "a=470M b=0 c=0", .version = "7.0.5", .settings = M128},
        NULL,
        NULL};
    static const int64_t want_mib[] = {128, 128, 107, 107};
    g_autoptr(cluster) cl = layout_cluster(&r.on);
    g_autoptr(plan) p = make(cl, &r, "optimal");
    assert_int_equal(p->migrations->len, G_N_ELEMENTS(want_mib));
    for (guint i = 0; i < p->migrations->len; i++) {
        const struct plan_migration *m = migration_at(p, i);
        assert_int_equal(m->round, i + 1);
        assert_int_equal(m->bytes, want_mib[i] << 20);
        assert_int_equal(m->open_min, i > 0);
        assert_true(m->open_max);
        assert_int_equal(m->version, migration_at(p, 0)->version);
    }
}

static void test_why(void **state)
{
    (void)state;
    static const struct {
        struct layout l;
        const char *why;
    } cases[] = {
        {{"a b", "a 1 a 2 a 3 a", .sizes = "a=512M b=0", .settings = M128},
         "a holds 512 MiB of t.c, 256 MiB over its share of 256 MiB; b holds 0 B of it, 256 MiB under its "
         "share "
         "of 256 MiB"},
        {{"a! b", "a 1 b", .sizes = "a=100M b=100M", .settings = M128},
         "a is draining and holds 100 MiB of t.c; b holds 100 MiB of it, 100 MiB under its share of 200 MiB"},
        {{"a b/EU", "a 1 b", .zones = "EU:min..1", .sizes = "a=100M b=100M", .settings = M128},
         "the range belongs to zone EU, which a does not carry; b holds 100 MiB of it, just its share, and "
         "carries zone EU"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct row r = {"why", cases[i].l, NULL, NULL};
        g_autoptr(cluster) cl = layout_cluster(&r.on);
        g_autoptr(plan) p = make(cl, &r, "optimal");
        assert_true(p->migrations->len > 0);
        assert_string_equal(migration_at(p, 0)->why, cases[i].why);
    }
}

/* A drain that a limit ends says what stays, and why. */
static void test_no_room(void **state)
{
    (void)state;
    static const struct {
        int64_t max_mib;
        int64_t chunks;
    } cases[] = {{250, 2}, {199, 3}, {400, 0}, {300, 1}};
    static const char want[] = "the shard is draining, but no shard may receive chunks of no zone: b is ";
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct row r = {
            "no room",
            {"a! b", "a 1 a 2 a 3 b", .sizes = "a=300M b=100M", .settings = M128},
            NULL,
            NULL,
            .wish = {
                .shard = (char *)"b", .weight = 1, .max_bytes = cases[i].max_mib << 20, .receive = true}};
        g_autoptr(cluster) cl = layout_cluster(&r.on);
        g_autoptr(plan) p = make(cl, &r, "optimal");
        assert_int_equal(p->blocked->len, cases[i].chunks > 0);
        if (cases[i].chunks == 0)
            continue;
        const struct plan_blocked *b = &g_array_index(p->blocked, struct plan_blocked, 0);
        assert_string_equal(b->reason, "noEligibleShard");
        assert_int_equal(b->chunks, cases[i].chunks);
        assert_memory_equal(b->why, want, sizeof want - 1);
    }
}

/* --- the totals of all collections --- */

/* Collections t.0, t.1, ... of 10 chunks of 10 MiB on each shard more than 0 of it: "6 4" for two shards. */
static cluster *many(const char *const *owners, size_t n)
{
    g_autoptr(GString) colls = g_string_new(NULL);
    g_autoptr(GString) chunks = g_string_new(NULL);
    g_autoptr(GString) sizes = g_string_new(NULL);
    for (size_t i = 0; i < n; i++) {
        g_auto(GStrv) counts = g_strsplit(owners[i], " ", -1);
        int64_t at = 0;
        g_string_append_printf(colls, "%s{'_id':'t.%zu','key':{'x':1}}", i > 0 ? "," : "", i);
        g_string_append_printf(sizes, "%s't.%zu':{", i > 0 ? "," : "", i);
        const int64_t all = g_ascii_strtoll(counts[0], NULL, 10) + g_ascii_strtoll(counts[1], NULL, 10);
        for (size_t s = 0; s < 2; s++) {
            const int64_t here = g_ascii_strtoll(counts[s], NULL, 10);
            g_string_append_printf(sizes, "%s'%c':{'$numberLong':'%" G_GINT64_FORMAT "'}", s > 0 ? "," : "",
                                   (char)('a' + s), here * (10 << 20));
            for (int64_t k = 0; k < here; k++, at++) {
                g_autofree char *min = at == 0 ? g_strdup("{'$minKey':1}") : g_strdup_printf("%d", (int)at);
                g_autofree char *max =
                    at + 1 == all ? g_strdup("{'$maxKey':1}") : g_strdup_printf("%d", (int)at + 1);
                g_string_append_printf(chunks, "%s{'ns':'t.%zu','min':{'x':%s},'max':{'x':%s},'shard':'%c'}",
                                       chunks->len > 0 ? "," : "", i, min, max, (char)('a' + s));
            }
        }
        g_string_append_c(sizes, '}');
    }
    g_autofree char *json =
        g_strdup_printf("{'evenkeelSnapshot':1,'serverVersion':'7.0.5','shards':[{'_id':'a','host':'a/h:1'},"
                        "{'_id':'b','host':'b/h:1'}],'collections':[%s],'chunks':[%s],'sizes':{%s}}",
                        colls->str, chunks->str, sizes->str);
    return cluster_from_json(json);
}

static void test_totals(void **state)
{
    (void)state;
    /* Each is within its threshold of 30 MiB; together a holds 60 MiB more. */
    static const char *const owners[] = {"6 4", "6 4", "6 4"};
    struct err err = {0};
    g_autoptr(cluster) cl = many(owners, G_N_ELEMENTS(owners));
    struct plan_options opt = plan_options_default();
    opt.policy = policy_find("optimal");
    opt.until_balanced = true;
    opt.threshold_bytes = 30 << 20;
    g_autoptr(plan) alone = NULL, together = NULL;
    assert_true(plan_make(cl, &opt, &alone, &err));
    assert_int_equal(alone->migrations->len, 0);
    opt.balance_cluster = true;
    assert_true(plan_make(cl, &opt, &together, &err));
    check_sane(together);
    int64_t total[2] = {0};
    for (guint i = 0; i < together->collections->len; i++) {
        const struct plan_collection *c = collection_at(together, i);
        for (uint32_t s = 0; s < c->n_shards; s++) {
            total[c->shards[s].shard] += c->shards[s].bytes_after;
            assert_in_range(c->shards[s].bytes_after, c->shards[s].low_bytes, c->shards[s].high_bytes);
        }
    }
    if (llabs(total[0] - total[1]) > 20 << 20)
        fail_msg("totals are %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT, total[0], total[1]);
    assert_true(together->migrations->len > 0);
    const char *why = migration_at(together, 0)->why;
    if (strstr(why, "all collections together are to be even: a holds 180 MiB, b 120 MiB") == NULL)
        fail_msg("why: %s", why);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_never_behind), cmocka_unit_test(test_even_stays_even),
        cmocka_unit_test(test_parts),        cmocka_unit_test(test_why),
        cmocka_unit_test(test_totals),       cmocka_unit_test(test_no_room),
    };
    struct CMUnitTest tests[G_N_ELEMENTS(rows) + G_N_ELEMENTS(others)];
    memcpy(tests, others, sizeof others);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        tests[G_N_ELEMENTS(others) + i] =
            (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, (void *)&rows[i]};
    return _cmocka_run_group_tests("optimal", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
