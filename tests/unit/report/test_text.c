// SPDX-License-Identifier: Apache-2.0
#include "balancer/plan/planner.h"
#include "balancer/report/page.h"
#include "balancer/report/report.h"
#include "balancer/report/words.h"
#include "tests/support/cluster_json.h"
#include "tests/support/plan_by_hand.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct report_source source = {"snapshot", "cluster.json", 1732152345678};

static char *text_of(const hand *h, struct report_style style)
{
    GString *out = g_string_new(NULL);
    report_text(&h->p, &source, &style, out);
    assert_true(g_utf8_validate(out->str, (gssize)out->len, NULL));
    return g_string_free(out, FALSE);
}

static void check_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

static void check_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("'%s' is in: %s", part, text);
}

static guint count(const char *text, const char *part)
{
    guint n = 0;
    for (const char *s = strstr(text, part); s != NULL; s = strstr(s + 1, part))
        n++;
    return n;
}

/* The text without its escape sequences, which must be of the kind that colours. */
static char *without_color(const char *text)
{
    GString *out = g_string_new(NULL);
    while (*text != '\0') {
        if (*text != '\033') {
            g_string_append_c(out, *text++);
            continue;
        }
        size_t len = strspn(text + 2, "0123456789;");
        if (text[1] != '[' || text[2 + len] != 'm')
            fail_msg("a strange escape sequence before: %s", text + 1);
        text += len + 3;
    }
    return g_string_free(out, FALSE);
}

/* No line is wider than the page, or holds a control character, or ends in a space. */
static void check_lines(const char *name, const char *text, struct report_style style)
{
    g_autofree char *plain = style.color ? without_color(text) : g_strdup(text);
    g_auto(GStrv) lines = g_strsplit(plain, "\n", -1);
    for (char **l = lines; *l != NULL; l++) {
        unsigned columns = page_columns(*l);
        if (columns > style.width)
            fail_msg("%s: %u columns, not %u: %s", name, columns, style.width, *l);
        for (const char *s = *l; *s != '\0'; s++) {
            if ((unsigned char)*s < 0x20 || *s == 0x7f || (style.ascii && (unsigned char)*s >= 0x80))
                fail_msg("%s: byte 0x%02x in: %s", name, (unsigned)(unsigned char)*s, *l);
        }
    }
}

static void busy_collection(hand *h, const char *ns, guint moves)
{
    guint c = hand_collection(h, ns, "{\"region\": 1, \"orderId\": 1}");
    struct plan_collection *pc = hand_at(h, c);
    pc->shards[0].chunks = 143;
    pc->shards[0].chunks_after = 99;
    pc->shards[0].bytes = 143LL << 28;
    pc->shards[0].bytes_after = 99LL << 28;
    pc->shards[0].target_bytes = 100LL << 28;
    pc->shards[0].target_chunks = 100;
    for (guint i = 0; i < moves; i++)
        hand_move(h, c, "{\"region\": \"EU\", \"orderId\": {\"$minKey\": 1}}",
                  "{\"region\": \"EU\", \"orderId\": {\"$numberLong\": \"123456789012345\"}}", 0, 1,
                  12345678);
}

static hand *busy_plan(guint rounds, guint moves)
{
    hand *h = hand_new("6.0.3", "size", 4);
    uint32_t eu = hand_zone(h, 0, "EU");
    h->cl.shards[3].draining = true;
    for (guint r = 0; r < rounds; r++) {
        hand_round(h);
        g_autofree char *ns = g_strdup_printf("shop.orders%u", r);
        busy_collection(h, ns, moves);
        g_ptr_array_add(hand_at(h, r)->zones, h->cl.zones[eu]);
    }
    h->p.summary.time = (struct plan_time){60, 80, 40, 180, TIME_CHANGELOG};
    h->p.summary.lower_bytes = 1 << 20;
    h->p.summary.lower_rounds = 1;
    return h;
}

static void test_verdict(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(2, 3);
    hand_split(h, 0, "{\"a\": 1}", "{\"a\": 9}", "{\"a\": 5}");
    h->cl.taken_at_ms = 1732152345678;
    h->p.summary.imbalance_before = 0.447;
    h->p.summary.imbalance_after = 0.012;
    h->p.summary.complete = false;
    hand_blocked(h, 0, 1, "jumbo");
    g_autofree char *text = text_of(h, (struct report_style){.width = 500, .quiet = true});
    assert_string_equal(
        text,
        "snapshot cluster.json \xc2\xb7 MongoDB 6.0.3 \xc2\xb7 policy size \xc2\xb7 taken "
        "2024-11-21T01:25:45Z\n"
        "6 migrations and 1 split in 2 rounds move 70.6 MiB; about 1 min 20 s (40 s to 3 min, from the "
        "cluster's own changelog). At least 1.00 MiB and 1 round are needed. The fullest shard holds 45 % "
        "more "
        "than its share, 1.2 % afterwards. 3 chunks should move and cannot. More is left for later rounds: "
        "--until-balanced shows all of it.\n");
}

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        guint balanced, excluded, imbalanced;
        const char *want;
    } rows[] = {
        {"no collection", 0, 0, 0, "Nothing to do: there is no sharded collection.\n"},
        {"one", 1, 0, 0, "Nothing to do: 1 collection is balanced.\n"},
        {"some left out", 3, 1, 0, "Nothing to do: 3 collections are balanced, 1 is left out.\n"},
        {"all left out", 0, 2, 0, "Nothing to do: 2 collections are left out.\n"},
        {"stuck", 1, 0, 2, "Nothing can be done: 1 collection is balanced, 2 are imbalanced.\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(hand) h = hand_new("4.4.0", "count", 2);
        guint n = rows[i].balanced + rows[i].excluded + rows[i].imbalanced;
        for (guint k = 0; k < n; k++) {
            struct plan_collection *c = hand_at(h, hand_collection(h, "a.b", "{\"a\": 1}"));
            c->status = k < rows[i].balanced                      ? PLAN_BALANCED
                        : k < rows[i].balanced + rows[i].excluded ? PLAN_EXCLUDED
                                                                  : PLAN_IMBALANCED;
            c->excluded = c->status == PLAN_EXCLUDED ? EXCLUDED_NO_BALANCE : EXCLUDED_NO;
        }
        g_autofree char *text = text_of(h, (struct report_style){.width = 200, .quiet = true});
        const char *second = strchr(text, '\n') + 1;
        if (strcmp(second, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].name, second);
    }
}

static void test_optimal_and_unknown(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(1, 1);
    h->p.summary.lower_bytes = h->p.summary.bytes;
    g_autofree char *a = text_of(h, (struct report_style){.width = 200});
    check_has(a, "No plan to the same end moves less");
    check_has(a, "1 migration in 1 round moves 11.8 MiB;");
    h->p.summary.lower_bytes--;
    g_autofree char *less = text_of(h, (struct report_style){.width = 200});
    check_has(less, "At least 11.8 MiB and 1 round are needed.");
    h->p.summary.bytes = h->p.summary.lower_bytes = SIZE_UNKNOWN;
    h->p.summary.lower_rounds = 0;
    h->p.summary.time = (struct plan_time){3, 3, 3, 3, TIME_DEFAULT};
    h->p.summary.imbalance_before = INFINITY;
    g_autofree char *b = text_of(h, (struct report_style){.width = 400});
    check_has(b, "data size not known; about 3.0 s (by default speeds, nothing measured).");
    check_has(b, "over 1,000 % more than its share");
    check_has_not(b, "At least");
}

static void test_ends(void **state)
{
    enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
    const int64_t start = INT64_C(1794996000000); /* 2026-11-18T10:00:00Z, a Wednesday */
    static const struct {
        int64_t expected, latest; /* after the start; -1: never */
        const char *want;
    } rows[] = {
        {5 * MINUTE, 9 * MINUTE, ""},
        {5 * MINUTE, 30 * MINUTE, " Begun 2026-11-18 10:00 UTC, it is done 10:05, at the latest 10:30."},
        {17 * HOUR, 19 * HOUR,
         " Begun 2026-11-18 10:00 UTC, it is done Thursday 03:00, at the latest 05:00."},
        {13 * HOUR, 15 * HOUR,
         " Begun 2026-11-18 10:00 UTC, it is done 23:00, at the latest Thursday 01:00."},
        {INT64_C(6) * DAY, INT64_C(13) * DAY,
         " Begun 2026-11-18 10:00 UTC, it is done Tuesday 10:00, at the latest 2026-12-01 10:00."},
        {30 * MINUTE, 30 * MINUTE + 59000, " Begun 2026-11-18 10:00 UTC, it is done 10:30."},
        {INT64_C(7) * DAY, -1,
         " Begun 2026-11-18 10:00 UTC, it is done 2026-11-25 10:00, at the latest after 400 days."},
        {-1, -1, " Begun 2026-11-18 10:00 UTC, it is not done in any balancing window of the next 400 days."},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        struct plan_time t = {.starts_at = start};
        t.expected_end = rows[i].expected < 0 ? 0 : start + rows[i].expected;
        t.latest_end = rows[i].latest < 0 ? 0 : start + rows[i].latest;
        words_ends(out, &t);
        assert_string_equal(out->str, rows[i].want);
        t.starts_at = 0;
        g_string_truncate(out, 0);
        words_ends(out, &t);
        assert_string_equal(out->str, "");
    }
}

static void test_order_of_parts(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(1, 2);
    hand_split(h, 0, "{\"a\": 1}", "{\"a\": 9}", "{\"a\": 5}");
    hand_collection(h, "shop.quiet", "{\"_id\": \"hashed\"}");
    struct plan_collection *c = hand_at(h, hand_collection(h, "shop.metrics", "{\"t\": 1}"));
    c->status = PLAN_EXCLUDED;
    c->excluded = EXCLUDED_TIME_SERIES;
    hand_blocked(h, 0, 3, "jumbo");
    hand_warning(h, "sizesAssumed", NULL, "sizes are not known");
    hand_advice(h, "jumbo", hand_at(h, 0)->coll, 3, "split or move");
    hand_advice(h, "zoneCannotBeMet", NULL, SHARD_NONE, "add a shard");
    static const char *const parts[] = {
        "snapshot cluster.json",
        "2 migrations and 1 split in 1 round",
        "warning sizesAssumed: sizes are not known",
        "shop.orders0\n",
        "key { region: 1, orderId: 1 }",
        "SHARD",
        "shard3 (draining)",
        "1 collection is balanced.",
        "1 collection is left out:",
        "shop.metrics  timeSeries",
        "Splits\n",
        "zoneBoundary",
        "Migrations\n",
        "Round 1: 1 split, then 2 migrations, 23.5 MiB",
        "[{ region: \"EU\", orderId: MinKey }, { region: \"EU\", orderId: 123456789012345 })",
        "the donor holds the most",
        "Stays where it is\n",
        "jumbo",
        "these chunks are flagged jumbo",
        "\nAdvice\n  jumbo shop.orders0: split or move\n    What to do: split or move\n      split or move\n",
        "  zoneCannotBeMet: add a shard\n",
    };
    g_autofree char *text = text_of(h, (struct report_style){.width = 200});
    const char *at = text;
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        const char *found = strstr(at, parts[i]);
        if (found == NULL)
            fail_msg("'%s' is missing or out of order in: %s", parts[i], text);
        at = found;
    }
    check_has_not(text, "shop.quiet");
    g_autofree char *all = text_of(h, (struct report_style){.width = 200, .all = true});
    check_has(all, "shop.quiet");
}

static void test_folding(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        guint rounds, moves, shown, more_in_round, more_at_end;
    } rows[] = {
        {"nothing folded", 2, 10, 20, 0, 0},
        {"one over", 1, 11, 10, 1, 0},
        {"just all", 4, 10, 40, 0, 0},
        {"rounds folded", 7, 12, 40, 3 * 2, 3 * 12 + 2},
        {"many small rounds", 60, 1, 40, 0, 20},
        {"ten and more", 5, 10, 40, 0, 10},
        {"the limit inside a round", 7, 7, 40, 0, 9},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(hand) h = busy_plan(rows[i].rounds, rows[i].moves);
        g_autofree char *text = text_of(h, (struct report_style){.width = 200});
        g_autofree char *all = text_of(h, (struct report_style){.width = 200, .all = true});
        guint shown = count(text, "shard0 \xe2\x86\x92 shard1"), more = 0, at_end = 0;
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **l = lines; *l != NULL; l++) {
            if (strstr(*l, " more migration") == NULL)
                continue;
            guint n = (guint)g_ascii_strtoull(strpbrk(*l, "0123456789"), NULL, 10);
            *(**l == ' ' ? &more : &at_end) += n;
        }
        if (shown != rows[i].shown || more != rows[i].more_in_round || at_end != rows[i].more_at_end)
            fail_msg("%s: %u shown, %u and %u more", rows[i].name, shown, more, at_end);
        assert_int_equal(shown + more + at_end, rows[i].rounds * rows[i].moves);
        assert_int_equal(count(all, "shard0 \xe2\x86\x92 shard1"), rows[i].rounds * rows[i].moves);
        check_has_not(all, "--all");
    }
}

static void test_folded_collections(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(15, 1);
    hand_at(h, 14)->bytes_moved = 1LL << 40; /* the most work is shown, in the plan's order */
    g_autofree char *text = text_of(h, (struct report_style){.width = 200});
    assert_int_equal(count(text, "SHARD "), 11); /* one for all of them together */
    check_has(text, "\nshop.orders0\n");
    check_has(text, "\nshop.orders8\n");
    check_has(text, "\nshop.orders14\n");
    assert_true(strstr(text, "\nshop.orders14\n") > strstr(text, "\nshop.orders8\n"));
    check_has_not(text, "\nshop.orders9\n");
    check_has(text, "\xe2\x80\xa6 5 more collections; --all shows them\n");
}

/* All collections together: only where several change; the bar has the share in it. */
static void test_cluster_table(void **state)
{
    (void)state;
    for (guint n = 1; n <= 3; n++) {
        g_autoptr(hand) h = busy_plan(n, 1);
        for (guint i = 0; i < n; i++)
            hand_at(h, i)->n_migrations = 1;
        g_autofree char *text = text_of(h, (struct report_style){.width = 120});
        g_autofree char *ascii = text_of(h, (struct report_style){.width = 120, .ascii = true});
        check_lines("cluster", text, (struct report_style){.width = 120});
        check_lines("ascii", ascii, (struct report_style){.width = 120, .ascii = true});
        assert_int_equal(count(text, "All collections together\n"), n > 1 ? 1 : 0);
        if (n == 2) {
            check_has(text,
                      "  shard0             71.5 GiB \xe2\x86\x92 49.5 GiB  50.0 GiB  143% \xe2\x86\x92 99%  "
                      "\xe2\x96\x88\xe2\x96\x88");
            check_has(ascii, "  ##################|-------\n");
            check_has(ascii, "  shard3 (draining)  20.0 MiB");
        }
    }
}

/* ---- the strip: of a real model ---- */

/* Three shards; c.c has 4 chunks of a zone in 8, c.d 2 chunks without; sizes if asked for. */
static cluster *strip_cluster(bool sizes)
{
    g_autoptr(GString) s =
        g_string_new("{'shards': [{'_id': 's0', 'tags': ['EU']}, {'_id': 's1'}, {'_id': 's2'}],"
                     "'collections': [");
    static const struct {
        const char *ns;
        int n;
    } colls[] = {{"c.c", 8}, {"c.d", 4}};
    for (size_t c = 0; c < G_N_ELEMENTS(colls); c++)
        g_string_append_printf(s,
                               "%s{'_id': '%s', 'key': {'k': 1}, 'lastmodEpoch': {'$oid': "
                               "'5f0000000000000000000001'}}",
                               c > 0 ? "," : "", colls[c].ns);
    g_string_append(s,
                    "], 'tags': [{'ns': 'c.c', 'min': {'k': 2}, 'max': {'k': 6}, 'tag': 'EU'}], 'chunks': [");
    for (size_t c = 0; c < G_N_ELEMENTS(colls); c++)
        for (int i = 0; i < colls[c].n; i++) {
            g_autofree char *min = i == 0 ? g_strdup("{'$minKey': 1}") : g_strdup_printf("%d", i);
            g_autofree char *max =
                i == colls[c].n - 1 ? g_strdup("{'$maxKey': 1}") : g_strdup_printf("%d", i + 1);
            g_string_append_printf(
                s,
                "%s{'ns': '%s', 'min': {'k': %s}, 'max': {'k': %s}, 'shard': 's0', 'lastmod': "
                "{'$timestamp': {'t': 1, 'i': %d}}",
                c + (size_t)i > 0 ? "," : "", colls[c].ns, min, max, i);
            g_string_append_printf(s, sizes ? ", 'estimatedDataSizeBytes': %d}" : "}", i == 7 ? 9000 : 1000);
        }
    g_string_append(s, "]}");
    return cluster_from_json(s->str);
}

static char *strip_of(bool sizes, struct report_style style)
{
    struct plan_options opt = plan_options_default();
    g_autoptr(cluster) cl = strip_cluster(sizes);
    g_autoptr(plan) p = NULL;
    GString *out = g_string_new(NULL);
    opt.policy = policy_find("count");
    opt.until_balanced = true;
    assert_true(plan_make(cl, &opt, &p, NULL));
    report_text(p, &source, &style, out);
    check_lines("strip", out->str, style);
    return g_string_free(out, FALSE);
}

static void test_strip(void **state)
{
    (void)state;
    g_autofree char *text = strip_of(false, (struct report_style){.width = 40, .ascii = true});
    /* 32 columns: 4 a chunk of c.c, 8 a chunk of c.d. */
    check_has(text, "\n  zones ........AAAAAAAAAAAAAAAA........\n");
    check_has(text, "\n  moves ");
    check_has(text, "        A EU; from the lowest key to the\n");
    assert_int_equal(count(text, "from the lowest key"), 1);
    assert_int_equal(count(text, "\n  zones "), 1);
    g_autofree char *sized = strip_of(true, (struct report_style){.width = 40, .ascii = true});
    /* The last chunk has 9 of 16 parts of the data, and so 18 of 32 columns. */
    check_has(sized, "\n  zones ....AAAAAAAA....................\n");
    check_has(sized, "its data\n");
    g_autofree char *wide = strip_of(false, (struct report_style){.width = 300});
    check_has(wide, "\xc2\xb7\xc2\xb7\x41\x41");
    check_has(wide, "each chunk as wide as the others\n");
}

/* Of each code the first three. */
static void test_folded_advice(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(1, 1);
    for (unsigned i = 0; i < 10; i++)
        hand_advice(h, i % 2 == 0 ? "jumbo" : i < 8 ? "ascendingKey" : "rare", NULL, SHARD_NONE, "text");
    g_autofree char *text = text_of(h, (struct report_style){.width = 200});
    g_autofree char *all = text_of(h, (struct report_style){.width = 200, .all = true});
    g_autofree char *quiet = text_of(h, (struct report_style){.width = 200, .quiet = true});
    assert_int_equal(count(text, "\n  jumbo: text\n"), 3);
    assert_int_equal(count(text, "\n  ascendingKey: text\n"), 3);
    assert_int_equal(count(text, "\n  rare: text\n"), 1);
    check_has(text, "\n  \xe2\x80\xa6 2 more pieces of advice 'jumbo'; --all shows them\n");
    check_has(text, "\n  \xe2\x80\xa6 1 more piece of advice 'ascendingKey'; --all shows it\n");
    assert_int_equal(count(all, "\n  jumbo: text\n"), 5);
    check_has_not(all, "more piece");
    check_has_not(quiet, "Advice");
}

static void test_many_shards(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("6.0.3", "size", 100);
    hand_round(h);
    busy_collection(h, "shop.orders", 2);
    g_autofree char *text = text_of(h, (struct report_style){.width = 80});
    g_autofree char *all = text_of(h, (struct report_style){.width = 80, .all = true});
    check_has(text, "\n  shard0 ");
    check_has(text, "\xe2\x80\xa6 99 more shards; --all shows them");
    check_has(all, "\n  shard99 ");
    check_lines("folded", text, (struct report_style){.width = 80});
    check_lines("all", all, (struct report_style){.width = 80, .all = true});
}

static void test_only_splits(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("4.2.0", "count", 2);
    hand_collection(h, "a.b", "{\"a\": 1}");
    hand_round(h);
    hand_split(h, 0, "{\"a\": 1}", "{\"a\": 9}", "{\"a\": 5}");
    g_autofree char *text = text_of(h, (struct report_style){.width = 80});
    check_has(text, "1 split in 1 round, no migration; about 0 s");
    check_has(text, "1  a.b         { a: 5 }  zoneBoundary");
    check_has_not(text, "Migrations\n");
}

static void test_open_ends(void **state)
{
    (void)state;
    g_autoptr(hand) h = hand_new("7.0.0", "size", 2);
    hand_collection(h, "a.b", "{\"a\": 1}");
    hand_round(h);
    hand_move(h, 0, "{\"a\": 1}", "{\"a\": 9}", 0, 1, 1)->open_max = true;
    hand_move(h, 0, "{\"a\": 2}", "{\"a\": 9}", 0, 1, 1)->open_min = true;
    struct plan_migration *m = hand_move(h, 0, "{\"a\": 3}", "{\"a\": 9}", 0, 1, SIZE_UNKNOWN);
    m->open_min = m->open_max = m->force_jumbo = true;
    g_autofree char *text = text_of(h, (struct report_style){.width = 100});
    check_has(text, "[{ a: 1 }, \xe2\x80\xa6) ");
    check_has(text, "rest of [{ a: 2 }, { a: 9 }) ");
    check_has(text, "rest of [{ a: 3 }, { a: 9 }) ");
    check_has(text, "imbalance, forced");
    check_has(text, "Round 1: 3 migrations\n"); /* no sum with a size that is not known */
}

static void test_unknown_sizes(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(1, 1);
    struct plan_collection *c = hand_at(h, 0);
    for (uint32_t i = 0; i < c->n_shards; i++)
        c->shards[i].bytes = c->shards[i].bytes_after = c->shards[i].target_bytes = SIZE_UNKNOWN;
    c->bytes = c->bytes_moved = SIZE_UNKNOWN;
    c->sizes_assumed = true;
    g_autofree char *text = text_of(h, (struct report_style){.width = 200});
    check_has(text, "sizes assumed");
    check_has(text, " ? ");
    check_has_not(text, "-1");
}

static char *long_name(void)
{
    GString *s = g_string_new("begin.");
    for (int i = 0; i < 60; i++)
        g_string_append(s, "collection");
    g_string_append(s, ".end");
    return g_string_free(s, FALSE);
}

/* Every width, every style, with the worst names. */
static void test_width(void **state)
{
    (void)state;
    g_autofree char *long_ns = long_name();
    const struct {
        const char *name, *text;
    } rows[] = {
        {"plain", "shop.orders"},
        {"long", long_ns},
        {"wide characters",
         "\xe6\xb3\xa8\xe6\x96\x87\xe6\xb3\xa8\xe6\x96\x87\xe6\xb3\xa8\xe6\x96\x87\xe6\xb3\xa8"
         "\xe6\x96\x87\xe6\xb3\xa8\xe6\x96\x87\xe6\xb3\xa8\xe6\x96\x87\xe6\xb3\xa8\xe6\x96\x87"},
        {"combining", "a\xcc\x81\xcc\x81\xcc\x81"
                      "e\xcc\x80"
                      "o\xcc\x81\xcc\x81\xcc\x81"},
        {"escape sequence", "\x1b[2J\x1b]0;title\x07"},
        {"direction and separators", "\xe2\x80\xae"
                                     "abc\xe2\x80\xa8"
                                     "def"},
        {"lines", "a\nb\rc\td"},
        {"not UTF-8", "\xff\xfe\xfd\xc3("},
        {"backslash", "\\x1b\\"},
        {"spaces", "a  b   c                                                              d"},
        {"private use and unassigned", "\xee\x80\x80\xf3\xbf\xbf\xbf"},
        {"empty", ""},
    };
    static const unsigned widths[] = {40, 41, 57, 80, 200};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(hand) h = busy_plan(2, 12);
        hand_shard_id(h, 0, rows[i].text);
        hand_model(h, 0)->ns = (char *)(uintptr_t)rows[i].text;
        h->cl.zones[0] = (char *)(uintptr_t)rows[i].text;
        h->cl.server_version = (char *)(uintptr_t)rows[i].text;
        hand_at(h, 0)->zones->pdata[0] = h->cl.zones[0];
        g_array_index(h->p.migrations, struct plan_migration, 0).why = (char *)(uintptr_t)rows[i].text;
        hand_split(h, 0, "{\"a\": 1}", "{\"a\": 9}", "{\"a\": 5}");
        hand_blocked(h, 0, 0, rows[i].text);
        hand_warning(h, "code", rows[i].text, rows[i].text);
        hand_advice(h, "code", hand_at(h, 0)->coll, 0, rows[i].text);
        struct plan_collection *c = hand_at(h, hand_collection(h, rows[i].text, NULL));
        c->status = PLAN_EXCLUDED;
        c->excluded = EXCLUDED_MIGRATIONS_NOT_PERMITTED;
        for (size_t k = 0; k < G_N_ELEMENTS(widths) * 8; k++) {
            const struct report_style style = {
                .width = widths[k / 8], .color = (k & 1) != 0, .ascii = (k & 2) != 0, .all = (k & 4) != 0};
            g_autofree char *text = text_of(h, style);
            g_autofree char *name = g_strdup_printf("%s, %zu", rows[i].name, k);
            check_lines(name, text, style);
        }
    }
}

static void test_color(void **state)
{
    (void)state;
    g_autoptr(hand) h = busy_plan(1, 2);
    g_array_index(h->p.migrations, struct plan_migration, 1).reason = MOVE_DRAIN;
    hand_warning(h, "sizesAssumed", NULL, "sizes are not known");
    g_autofree char *plain = text_of(h, (struct report_style){.width = 80});
    g_autofree char *colored = text_of(h, (struct report_style){.width = 80, .color = true});
    check_has_not(plain, "\033");
    check_has(colored, "\033[33mwarning sizesAssumed:\033[0m sizes");
    check_has(colored, "\033[35mdrain");
    check_has(colored, "\033[35mshard3 (draining)");
    check_has(colored, "\033[32m");
    g_autofree char *stripped = without_color(colored);
    g_auto(GStrv) a = g_strsplit(plain, "\n", -1), b = g_strsplit(stripped, "\n", -1);
    assert_int_equal(g_strv_length(a), g_strv_length(b));
    for (guint i = 0; a[i] != NULL; i++)
        assert_string_equal(g_strchomp(a[i]), g_strchomp(b[i]));
}

static void test_elide(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        unsigned max;
        bool ascii;
        const char *want;
    } rows[] = {
        {"abcdefgh", 0, false, "abcdefgh"},
        {"abcdefgh", 8, false, "abcdefgh"},
        {"abcdefgh", 7, false,
         "abc\xe2\x80\xa6"
         "fgh"},
        {"abcdefgh", 4, false, "ab\xe2\x80\xa6h"},
        {"abcdefgh", 1, false, "\xe2\x80\xa6"},
        {"abcdefgh", 7, true, "ab...gh"},
        {"abcdefgh", 2, true, ".."},
        {"caf\xc3\xa9", 0, true, "caf\\u{00E9}"},
        {"\xe6\xb3\xa8\xe6\xb3\xa8\xe6\xb3\xa8\xe6\xb3\xa8", 6, false,
         "\xe6\xb3\xa8\xe2\x80\xa6\xe6\xb3\xa8"},
        {"a\xcc\x81"
         "bcdefg\xcc\x81",
         3, false, "a\xcc\x81\xe2\x80\xa6g\xcc\x81"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct page pg;
        const struct report_style style = {.width = 80, .ascii = rows[i].ascii};
        g_autoptr(GString) out = g_string_new(NULL);
        page_init(&pg, &style, out);
        g_autofree char *got = page_name(&pg, rows[i].in, rows[i].max);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: got %s, want %s", i, got, rows[i].want);
    }
}

int main(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        print_message("the locale C.UTF-8 is not there\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_optimal_and_unknown),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_order_of_parts),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_folded_collections),
        cmocka_unit_test(test_cluster_table),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_folded_advice),
        cmocka_unit_test(test_many_shards),
        cmocka_unit_test(test_only_splits),
        cmocka_unit_test(test_open_ends),
        cmocka_unit_test(test_unknown_sizes),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_color),
        cmocka_unit_test(test_elide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
