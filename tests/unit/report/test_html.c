// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/arena.h"
#include "balancer/plan/planner.h"
#include "balancer/report/report.h"
#include "tests/support/cluster_json.h"
#include "tests/support/generate.h"
#include "tests/support/html_check.h"
#include "tests/support/plan_by_hand.h"
#include "tests/support/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct report_source source = {"snapshot", "cluster.json", 1732152345678};

static GString *html_of(const plan *p, const struct report_source *src)
{
    GString *out = g_string_new(NULL);
    report_html(p, src, out);
    return out;
}

static void check_has(const GString *html, const char *part)
{
    if (strstr(html->str, part) == NULL)
        fail_msg("'%s' is not in it", part);
}

static void check_has_not(const GString *html, const char *part)
{
    const char *at = strstr(html->str, part);
    if (at != NULL)
        fail_msg("'%s' is in: %.200s", part, at);
}

static guint count(const char *text, const char *part)
{
    guint n = 0;
    for (const char *s = strstr(text, part); s != NULL; s = strstr(s + 1, part))
        n++;
    return n;
}

/* ---- plans by hand ---- */

static guint hand_busy(hand *h, const char *ns, guint moves)
{
    const guint c = hand_collection(h, ns, "{\"k\": 1}");
    struct plan_collection *pc = hand_at(h, c);
    pc->status = PLAN_IMBALANCED;
    pc->n_migrations = moves;
    pc->bytes_moved = (int64_t)moves << 20;
    pc->imbalance_before = 0.45;
    pc->shards[0].bytes = 40 << 20;
    for (guint i = 0; i < moves; i++) {
        g_autofree char *min = g_strdup_printf("{\"k\": %u}", i),
                        *max = g_strdup_printf("{\"k\": %u}", i + 1);
        struct plan_migration *m = hand_move(h, c, min, max, (uint16_t)(i % 2), 2, 1 << 20);
        m->starts = i * 4;
        m->seconds = 4;
    }
    return c;
}

/* Its spaces do not break. */
#define HEADLINE                                                                                             \
    "<h1 id=\"headline\">3\xc2\xa0"                                                                          \
    "migrations and 1\xc2\xa0"                                                                               \
    "split in 1\xc2\xa0"                                                                                     \
    "round move 3.00\xc2\xa0"                                                                                \
    "MiB</h1>"

static void says_what_is_done(void **state)
{
    static const char *const parts[] = {
        HEADLINE,
        "At least 2.00\xc2\xa0MiB and 1\xc2\xa0round are needed.",
        "at least 2.00 MiB; 50.0\xc2\xa0% above it",
        "about 1 min 20 s",
        "40 s to 3 min, from the cluster's own changelog",
        "<title>Plan for cluster.json</title>",
        "<dt>MongoDB</dt><dd>6.0.3</dd>",
        "<dt>Policy</dt><dd>size, by bytes</dd>",
        "<dt>Plan made</dt><dd>2024-11-21T01:25:45Z</dd>",
        "<bdi class=\"name\" title=\"shop.orders\">shop.orders</bdi>",
        "[{ k: 1 }, { k: 2 })",
        "moved for a reason",
        "aria-label=\"before 40.0 MiB, after 10.0 MiB, target 10.0 MiB\"",
        "<h2 id=\"splits-title\">Splits</h2>",
        "<span class=\"tag warn\">jumbo</span>",
        "<span class=\"tag warn\">someCode</span>",
        "class=\"tag warn\">critical</span>",
        "busy for 12\xc2\xa0s of 12\xc2\xa0s",
        "as MongoDB's own balancer makes them, it would take 30\xc2\xa0s.",
        "; at least 1 min 10 s; 14.3\xc2\xa0% above it",
        "class=\"tag warn\">draining</span>",
    };
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 4);
    h->cl.shards[3].draining = true;
    hand_round(h);
    const guint c = hand_busy(h, "shop.orders", 3);
    g_array_index(h->p.migrations, struct plan_migration, 1).why = g_strdup("moved for a reason");
    g_ptr_array_add(h->owned, (gpointer)g_array_index(h->p.migrations, struct plan_migration, 1).why);
    hand_split(h, c, "{\"k\": 5}", "{\"k\": 9}", "{\"k\": 7}");
    hand_blocked(h, c, 1, "jumbo");
    hand_warning(h, "someCode", NULL, "something is to be said");
    h->p.summary.time = (struct plan_time){60, 80, 40, 180, TIME_CHANGELOG, .lower_bound = 70, .barrier = 30};
    h->p.summary.lower_bytes = 2 << 20;
    h->p.summary.lower_rounds = 1;
    g_autoptr(GString) html = html_of(&h->p, &source);
    html_check("busy", html);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        check_has(html, parts[i]);
}

/* Space, advice, and what the plan takes for granted. */
static void space_and_advice(void **state)
{
    static const char *const parts[] = {
        "<h2 id=\"whatif-title\">What if</h2>",
        "shard &apos;sh&lt;9&apos; is added",
        "<h2 id=\"zone-change-title\">The change of zones</h2>",
        "<span class=\"tag warn\">impossible</span> no shard carries &lt;Z&gt;",
        "<span class=\"tag bad\">too full</span>",
        "Prompt peak",
        "<span class=\"tag busy\">someAdvice</span>",
        "<strong>What to do:</strong> this &amp; that",
        "<code>sh.one()\nsh.two(&lt;x&gt;)</code>",
        "<details><summary>2 more</summary>",
    };
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 2);
    g_autoptr(change_list) changes = changes_new();
    assert_true(changes_add_shard(changes, "sh<9", NULL));
    assert_true(changes_zones_file(changes, "zones.json", NULL));
    hand_collection(h, "a.b", "{\"k\": 1}");
    h->p.whatif = changes;
    const struct plan_peak peaks[] = {{0, false, 100, 5, 50, 0, 155, 150, 120},
                                      {1, false, 100, 0, 0, 50, 100, 100, SIZE_UNKNOWN}};
    g_array_append_vals(h->p.peaks, peaks, 2);
    const struct plan_zone_move move = {ZONE_NONE, 1, 1, 2, 3, 4};
    g_array_append_val(h->p.zone_moves, move);
    const struct plan_zone_fault fault = {.coll = hand_model(h, 0), .why = (char *)"no shard carries <Z>"};
    g_array_append_val(h->p.zone_faults, fault);
    for (int i = 0; i < 12; i++) {
        const struct plan_advice a = {
            "someAdvice",    hand_model(h, 0),      0,
            (char *)"is so", (char *)"this & that", (char *)"sh.one()\nsh.two(<x>)"};
        g_array_append_val(h->p.advice, a);
    }
    g_autoptr(GString) html = html_of(&h->p, &source);
    html_check("space", html);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        check_has(html, parts[i]);
}

/* Where there is nothing to do it says so, and leaves out what would be empty. */
static void nothing_to_do(void **state)
{
    static const struct {
        const char *name;
        enum plan_status status;
        const char *want;
    } rows[] = {{"balanced", PLAN_BALANCED, "<h1 id=\"headline\">Nothing to do</h1>"},
                {"stuck", PLAN_IMBALANCED, "<h1 id=\"headline\">Nothing can be done</h1>"},
                {"excluded", PLAN_EXCLUDED,
                 "1\xc2\xa0"
                 "collection is left out."}};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(hand) h = hand_new(NULL, "count", 2);
        const guint c = hand_collection(h, "a.b", i == 2 ? NULL : "{\"k\": 1}");
        hand_at(h, c)->status = rows[i].status;
        hand_at(h, c)->excluded = i == 2 ? EXCLUDED_METADATA_INVALID : EXCLUDED_NO;
        g_autoptr(GString) html = html_of(&h->p, &source);
        html_check(rows[i].name, html);
        check_has(html, rows[i].want);
        check_has(html, "version not known");
        check_has_not(html, "id=\"schedule\"");
        check_has_not(html, "id=\"moves\"");
        check_has_not(html, "class=\"figures\"");
    }
}

static void an_empty_cluster(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new(NULL, "size", 0);
    g_autoptr(GString) html = html_of(&h->p, &source);
    html_check("empty", html);
    check_has(html, "There is no sharded collection.");
    check_has_not(html, "id=\"shards\"");
}

/* Sizes that are not known are a dash, never a negative number; the bars go by chunks then. */
static void sizes_not_known(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 3);
    hand_round(h);
    const guint c = hand_busy(h, "a.b", 2);
    hand_at(h, c)->bytes = hand_at(h, c)->bytes_moved = SIZE_UNKNOWN;
    for (uint32_t i = 0; i < 3; i++)
        hand_at(h, c)->shards[i].bytes = hand_at(h, c)->shards[i].bytes_after = SIZE_UNKNOWN;
    g_array_index(h->p.migrations, struct plan_migration, 0).bytes = SIZE_UNKNOWN;
    h->p.summary.bytes = SIZE_UNKNOWN;
    g_autoptr(GString) html = html_of(&h->p, &source);
    html_check("unknown", html);
    check_has(html, "data size not known");
    check_has(html, "Chunks per shard");
    check_has(html, "aria-label=\"before 10, after 10, target 10\"");
    check_has_not(html, ">-1");
}

/* ---- hostile names ---- */

static const char *const hostile[] = {"<script>alert(1)</script>",
                                      "a\"b'c&d",
                                      "]]><!--",
                                      "\033[31mred\033[0m",
                                      "\xe2\x80\xaeright to left",
                                      "\xff\xfe bytes",
                                      "\xef\xbf\xbf",
                                      "{{main}}",
                                      "-->",
                                      "</style><script>alert(2)</script>",
                                      "javascript:alert(3)",
                                      "\r\nSet-Cookie: x"};

static void hostile_names(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("<b>6", "size", (uint16_t)G_N_ELEMENTS(hostile));
    hand_round(h);
    for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
        hand_shard_id(h, (uint16_t)i, hostile[i]);
        const guint c = hand_busy(h, hostile[i], 3);
        const uint32_t z = hand_zone(h, (uint16_t)i, hostile[i]);
        g_ptr_array_add(hand_at(h, c)->zones, h->cl.zones[z]);
        struct plan_migration *m =
            hand_move(h, c, "{\"k\": \"<script>\"}", "{\"<b>\\u202e\": \"\\u0001\"}", 0, 1, 5);
        m->zone = z;
        m->why = (char *)hostile[i];
        struct plan_blocked *b = hand_blocked(h, c, (uint16_t)i, hostile[i]);
        b->why = (char *)hostile[i];
        hand_warning(h, hostile[i], hostile[i], hostile[i]);
    }
    const struct report_source src = {"snapshot", "<script>alert(0)</script>\033]0;x\007", 0};
    g_autoptr(GString) html = html_of(&h->p, &src);
    html_check("hostile", html);
    check_has_not(html, "<script>alert");
    check_has_not(html, "\033");
    check_has_not(html, "\xe2\x80\xae");
    check_has(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
    check_has(html, "\\u{202E}right to left");
    assert_int_equal(count(html->str, "<script>"), 1);
    /* hand_free() does not own these. */
    for (guint i = 0; i < h->p.migrations->len; i++)
        g_array_index(h->p.migrations, struct plan_migration, i).why = NULL;
}

static void endless_names(void **state)
{
    (void)state;
    g_autofree char *ns = g_strnfill(100000, 'n');
    g_autoptr(hand) h = hand_new("6.0.3", "size", 3);
    hand_round(h);
    hand_shard_id(h, 0, ns);
    hand_busy(h, ns, 500);
    g_autoptr(GString) html = html_of(&h->p, &source);
    html_check("endless", html);
    assert_true(html->len < 3 << 20);
}

/* ---- folding ---- */

static void many_migrations_are_grouped(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 4);
    hand_round(h);
    hand_busy(h, "a.b", 500);
    g_autoptr(GString) each = html_of(&h->p, &source);
    assert_int_equal(count(each->str, "<tr id=\"m"), 500);
    hand_busy(h, "c.d", 1);
    g_autoptr(GString) grouped = html_of(&h->p, &source);
    html_check("grouped", grouped);
    assert_int_equal(count(grouped->str, "<tr id=\"m"), 0);
    check_has(grouped, "501 migrations, grouped.");
    check_has(grouped, "<td class=\"num\">250</td><td class=\"num\" data-v=\"262144000\">250 MiB</td>");
    assert_int_equal(count(grouped->str, "the first of them"), 2);
    assert_int_equal(count(grouped->str, "the one"), 1);
    check_has(grouped, "<li>1: ");
    check_has(grouped, "<li>5: ");
    check_has_not(grouped, "<li>7: ");
}

/* Lists beyond their limits end in a count. */
static void long_lists_are_folded(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 400);
    hand_round(h);
    for (guint i = 0; i < 600; i++) {
        g_autofree char *ns = g_strdup_printf("db.c%u", i);
        hand_busy(h, ns, 1);
        hand_split(h, i, "{\"k\": 5}", "{\"k\": 9}", "{\"k\": 7}");
        hand_blocked(h, i, 1, "jumbo");
        hand_warning(h, "code", NULL, ns);
    }
    g_autoptr(GString) html = html_of(&h->p, &source);
    html_check("long", html);
    check_has(html, "and 100 more with less to move");
    check_has(html, "and 100 more, which change less");
    check_has(html, "and 576 more that change, in the table above");
    check_has(html, "and 400 more groups with 400 migrations, 400 MiB");
    assert_int_equal(count(html->str, "and 400 more<"), 3);
    assert_true(html->len < 5 << 20);
}

/* ---- generated clusters ---- */

static plan *planned(const cluster *cl, const char *policy, int64_t max_moves)
{
    plan *p = NULL;
    struct err err = {0};
    struct plan_options opt = plan_options_default();
    opt.policy = policy_find(policy);
    opt.until_balanced = true;
    opt.max_moves = max_moves;
    if (!plan_make(cl, &opt, &p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static void the_key_space_is_drawn(void **state)
{
    static const struct {
        const char *name;
        uint32_t chunks, zones;
        const char *has, *has_not;
    } rows[] = {
        {"few", 60, 4, "class=\"dot ", "leaves-part\" d="},
        {"many", 6000, 4, "leaves-part\" d=", "class=\"dot "},
        {"no zones", 60, 0, "class=\"arrives\"", "<span class=\"dim\">zones</span>"},
        {"many zones", 6000, 700, "<span class=\"dim\">zones</span>", "class=\"mark-text\""},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct gen_params params = gen_params_default();
        params.chunks = rows[i].chunks;
        params.zones = rows[i].zones;
        params.collections = 1;
        params.shards = 24;
        params.skew = 0.6;
        params.violations = 0.5;
        params.seed = (uint32_t)i;
        g_autoptr(cluster) cl = generate_cluster(&params);
        g_autoptr(plan) p = planned(cl, "count", 40);
        g_autoptr(GString) html = html_of(p, &source);
        html_check(rows[i].name, html);
        check_has(html, "<title id=\"map0-t\">Key space of ");
        check_has(html, rows[i].has);
        check_has_not(html, rows[i].has_not);
        check_has(html, "others</span>");
    }
}

/* A chunk without data that moves is seen, in the lanes of its own shards. */
static void an_empty_chunk_moves(void **state)
{
    (void)state;
    g_autoptr(cluster) cl =
        cluster_from_json("{'shards': [{'_id': 'a'}, {'_id': 'b'}, {'_id': 'c'}], 'collections': [{'_id': "
                          "'c.c', 'key': {'k': 1}, "
                          "'lastmodEpoch': {'$oid': '5f0000000000000000000001'}}], 'chunks': ["
                          "{'ns': 'c.c', 'min': {'k': {'$minKey': 1}}, 'max': {'k': 0}, 'shard': 'a', "
                          "'lastmod': {'$timestamp': {'t': "
                          "1, 'i': 0}}, 'estimatedDataSizeBytes': 0},"
                          "{'ns': 'c.c', 'min': {'k': 0}, 'max': {'k': {'$maxKey': 1}}, 'shard': 'c', "
                          "'lastmod': {'$timestamp': {'t': 1, "
                          "'i': 1}}, 'estimatedDataSizeBytes': 100}]}");
    g_autoptr(plan) p = planned(cl, "count", 1);
    const struct collection *c = &cl->collections[0];
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(c, &c->chunks, 0, &min);
    chunk_max(c, &c->chunks, 0, &max);
    struct plan_migration m = {
        .id = 1, .round = 1, .coll = c, .to = 1, .zone = ZONE_NONE, .why = (char *)"so"};
    m.min = plan_arena_bound(p->arena, &min);
    m.max = plan_arena_bound(p->arena, &max);
    g_array_set_size(p->migrations, 0);
    g_array_append_val(p->migrations, m);
    g_array_index(p->collections, struct plan_collection, 0).n_migrations = 1;
    g_autoptr(GString) html = html_of(p, &source);
    html_check("empty chunk", html);
    /* Lanes: a, b, c. */
    check_has(html, "<rect class=\"leaves\" x=\"0\" y=\"9\" width=\"25\"");
    check_has(html, "<rect class=\"arrives\" x=\"0\" y=\"109\" width=\"25\"");
    check_has(html, "M0 209h10000");
    bson_destroy(&min);
    bson_destroy(&max);
}

/* As many migrations as wanted, of one chunk each, added to a plan. */
static void add_moves(plan *p, guint n)
{
    const cluster *cl = p->cl;
    for (guint i = 0; i < n; i++) {
        const struct collection *c = &cl->collections[i % cl->n_collections];
        const uint32_t chunk = i / cl->n_collections % c->chunks.n;
        bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
        chunk_min(c, &c->chunks, chunk, &min);
        chunk_max(c, &c->chunks, chunk, &max);
        g_autofree char *why = g_strdup_printf(
            "chunk %u of %s is moved because this sentence says so, at some length", chunk, c->ns);
        struct plan_migration m = {.id = p->migrations->len + 1, .round = i / 30 + 1, .coll = c};
        m.min = plan_arena_bound(p->arena, &min);
        m.max = plan_arena_bound(p->arena, &max);
        m.from = c->chunks.shard[chunk];
        m.to = (uint16_t)((m.from + 1 + i * 7919 % (cl->n_shards - 1U)) % cl->n_shards);
        m.reason = (enum move_reason)(i % MOVE_REASON_COUNT);
        m.zone = ZONE_NONE;
        m.bytes = (int64_t)i * 1000;
        m.starts = i % 1000 == 999 ? -1 : i / 30 * 2.0;
        m.seconds = 2;
        m.why = plan_arena_text(p->arena, why);
        g_array_append_val(p->migrations, m);
        bson_destroy(&min);
        bson_destroy(&max);
    }
    p->summary.n_migrations = p->migrations->len;
    for (guint i = 0; i < p->collections->len; i++)
        g_array_index(p->collections, struct plan_collection, i).n_migrations = n / p->collections->len;
}

/* 100,000 migrations over 100 shards and 30 collections stay below 5 MB, whatever they are. */
static void a_hundred_thousand(void **state)
{
    (void)state;
    struct gen_params params = gen_params_default();
    params.chunks = 120000;
    params.shards = 100;
    params.collections = 30;
    params.zones = 20;
    params.any_key = true;
    g_autoptr(cluster) cl = generate_cluster(&params);
    g_autoptr(plan) p = planned(cl, "count", 1);
    add_moves(p, 100000);
    const gint64 began = g_get_monotonic_time();
    g_autoptr(GString) html = html_of(p, &source);
    print_message("100,001 migrations: %zu bytes in %.2f s\n", html->len,
                  (double)(g_get_monotonic_time() - began) / 1e6);
    html_check("a hundred thousand", html);
    check_has(html, "100,001 migrations, grouped.");
    assert_true(html->len < 5000000);
}

/* Whatever is planned on whatever cluster: the report is sound. */
static char *every_report_is_sound(struct scenario *s)
{
    g_autoptr(plan) p = scenario_plan(s, s->cl, &s->opt);
    g_autoptr(GString) html = html_of(p, &source);
    return html_fault(html->str, html->len);
}
PROPERTY(every_report_is_sound)

/* The checks themselves find what they are there for. */
static void the_checker_bites(void **state)
{
    static const char *const wrong[] = {
        "<p>",
        "<p>&nbsp;</p>",
        "<p style=\"color: red\"/>",
        "<p onclick=\"x\"/>",
        "<a href=\"https://example.com/\">x</a>",
        "<a href=\"#nowhere\">x</a>",
        "<p id=\"a\"/><p id=\"a\"/>",
        "<h2>x</h2>",
        "<table><tbody/></table>",
        "<th>x</th>",
        "<svg/>",
        "<script>1</script>",
        "<img alt=\"\"/>",
        "<p>\033</p>",
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *html = g_strdup_printf("<!DOCTYPE html>\n<html lang=\"en\">%s</html>", wrong[i]);
        g_autofree char *fault = html_fault(html, strlen(html));
        if (fault == NULL)
            fail_msg("no fault in %s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_done),
        cmocka_unit_test(space_and_advice),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(an_empty_cluster),
        cmocka_unit_test(sizes_not_known),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(endless_names),
        cmocka_unit_test(many_migrations_are_grouped),
        cmocka_unit_test(long_lists_are_folded),
        cmocka_unit_test(the_key_space_is_drawn),
        cmocka_unit_test(an_empty_chunk_moves),
        cmocka_unit_test(a_hundred_thousand),
        cmocka_unit_test(test_every_report_is_sound),
        cmocka_unit_test(the_checker_bites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
