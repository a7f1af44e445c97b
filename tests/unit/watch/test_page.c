// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/page.h"
#include "tests/support/canned_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static GString *page_of(const char *scene, bool may_act)
{
    g_autoptr(service_view) v = canned_view(scene);
    const struct page_facts facts = {.may_act = may_act};
    GString *out = g_string_new(NULL);
    status_page_html(v, &facts, out);
    return out;
}

/* ---- a strict reader of the markup ---- */

static bool is_void(const char *tag)
{
    static const char *const names[] = {"meta", "link", "input", "!doctype", NULL};
    return g_strv_contains(names, tag);
}

/* Attributes that run something, or that the Content-Security-Policy refuses. */
static void check_attribute(const char *scene, const char *name, const char *value)
{
    if (g_str_has_prefix(name, "on") || strcmp(name, "style") == 0)
        fail_msg("%s: attribute %s", scene, name);
    if ((strcmp(name, "href") == 0 || strcmp(name, "src") == 0) && *value != '/' && *value != '#' &&
        !g_str_has_prefix(value, "data:image/svg+xml,"))
        fail_msg("%s: %s leads to %s", scene, name, value);
    if (strpbrk(value, "<\n") != NULL)
        fail_msg("%s: %s=\"%s\" is not escaped", scene, name, value);
}

/* From behind a tag's name to behind its '>'; *ret_closed: "/>". */
static const char *read_attributes(const char *scene, const char *p, bool *ret_closed)
{
    *ret_closed = false;
    for (;;) {
        p += strspn(p, " \n");
        if (*p == '>')
            return p + 1;
        if (strncmp(p, "/>", 2) == 0) {
            *ret_closed = true;
            return p + 2;
        }
        const size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzBARVX0123456789-");
        if (n == 0)
            fail_msg("%s: no attribute at: %.80s", scene, p);
        g_autofree char *name = g_strndup(p, n);
        g_autofree char *value = g_strdup("");
        p += n;
        if (strncmp(p, "=\"", 2) == 0) {
            const char *end = strchr(p + 2, '"');
            g_free(value);
            value = g_strndup(p + 2, (gsize)(end - p - 2));
            p = end + 1;
        }
        check_attribute(scene, name, value);
    }
}

static const char *read_tag(const char *scene, const char *p, GPtrArray *open)
{
    bool closed;
    const bool ends = p[1] == '/';
    p += ends ? 2 : 1;
    const size_t n = strcspn(p, " \n>/");
    g_autofree char *name = g_strndup(p, n);
    if (ends) {
        if (open->len == 0 || strcmp(open->pdata[open->len - 1], name) != 0)
            fail_msg("%s: </%s> closes %s", scene, name,
                     open->len == 0 ? "nothing" : (char *)open->pdata[open->len - 1]);
        g_ptr_array_set_size(open, (gint)open->len - 1);
        return p + n + 1;
    }
    p = read_attributes(scene, p + n, &closed);
    if (!closed && !is_void(name))
        g_ptr_array_add(open, g_steal_pointer(&name));
    return p;
}

/* Every element is closed where it should be; every '&' in the text begins a reference. */
static void check_markup(const char *scene, const GString *html)
{
    static const char *const references[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    g_autoptr(GPtrArray) open = g_ptr_array_new_with_free_func(g_free);
    for (const char *p = html->str; *p != '\0';) {
        if (*p == '<') {
            p = read_tag(scene, p, open);
            continue;
        }
        if (*p == '&') {
            bool known = false;
            for (size_t i = 0; i < G_N_ELEMENTS(references); i++)
                known = known || g_str_has_prefix(p, references[i]);
            if (!known)
                fail_msg("%s: bare & at: %.60s", scene, p);
        }
        p++;
    }
    if (open->len != 0)
        fail_msg("%s: %s is not closed", scene, (char *)open->pdata[open->len - 1]);
}

static void check_unique_ids(const char *scene, const GString *html)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (const char *p = html->str; (p = strstr(p, " id=\"")) != NULL;) {
        p += 5;
        char *id = g_strndup(p, strcspn(p, "\""));
        if (!g_hash_table_add(ids, id))
            fail_msg("%s: two elements are called %s", scene, id);
    }
}

static void well_formed(void **state)
{
    (void)state;
    for (const char *const *scene = canned_scenes(); *scene != NULL; scene++) {
        g_autoptr(GString) html = page_of(*scene, true);
        check_markup(*scene, html);
        check_unique_ids(*scene, html);
        assert_true(g_utf8_validate(html->str, (gssize)html->len, NULL));
        assert_null(strstr(html->str, "{{"));
        if (html->len > 1024 * 1024)
            fail_msg("%s: %zu bytes", *scene, html->len);
    }
}

/* ---- what it says ---- */

static void says(void **state)
{
    static const struct {
        const char *scene, *text;
        bool not_there;
    } rows[] = {
        {"moving", "<h1 id=\"state\">Moving data</h1>"},
        {"moving", "<title>Moving data \xc2\xb7 evenkeel</title>"},
        {"moving",
         "<strong>41</strong> of <strong>128</strong> steps done, <strong class=\"alert\">1 failed</strong>"},
        {"moving", "97.0 GiB of 312 GiB \xc2\xb7 <span class=\"num\">38.5 MiB/s</span>"},
        {"moving", "data-as=\"clock\">03:50 UTC</time>"},
        {"moving", "<strong>734</strong> migrations, <strong>497 GiB</strong> to go<"},
        {"moving", "05:48 UTC</time></strong> <span class=\"dim\">between <time"},
        {"moving", "By 200 past migrations, from the journal."},
        {"moving", "took 31 min 12 s, promised 20 min"},
        {"moving", "took 1.56\xc2\xa0\xc3\x97 the time promised"},
        {"moving", "5 older"},
        {"moving", "alice (uid 1000): make room"},
        {"moving", "three migrations failed"},
        {"held", " to go at least"},
        {"paused", "<strong>3 h 6 min</strong> to <strong>5 h 12 min</strong> of work"},
        {"balanced", "Until nothing more moves", true},
        {"balanced", "the time promised"},
        {"empty", "the time promised", true},
        {"many", "42 younger"},
        {"moving", "[{ customerId: 7000 }, { customerId: 7990 })"},
        {"moving", "attempt 2"},
        {"moving", "was expected "},
        {"moving", "aria-label=\"1.26 TiB, target 1.02 TiB\""},
        {"moving", "draining"},
        {"moving", "left alone: timeSeries"},
        {"moving", "24.1\xc2\xa0%"},
        {"moving", "no zone [{ region: &quot;KR&quot;, orderId: MinKey }, { region: &quot;US&quot;, orderId: "
                   "MinKey })"},
        {"moving", "3 chunks of 1.4 GiB"},
        {"moving", "data-ask=\"pause\""},
        {"moving", "data-ask=\"resume\"", true},
        {"moving", "7 d ago", true},
        {"balanced", "<h1 id=\"state\">In balance</h1>"},
        {"balanced", "Nothing needs to move. Next look <time datetime=\"2026-11-21T02:13:13Z\""},
        {"balanced", "No migration is under way."},
        {"balanced", "No collection has zones."},
        {"balanced", "Nothing that should move is kept from it."},
        {"empty", "<h1 id=\"state\">Starting</h1>"},
        {"empty", "No shard is known yet."},
        {"empty", "No round has run yet."},
        {"unreachable", "Cluster unreachable"},
        {"unreachable", "connection refused"},
        {"unreachable", "What is shown below was read <time datetime=\"2026-11-21T01:59:05Z\""},
        {"paused", "5 h ago</time>: <bdi"},
        {"paused", "storage maintenance on rs-eu-2 until Monday"},
        {"paused", "data-ask=\"resume\""},
        {"paused", "<span class=\"code\">paused</span>", true},
        {"held", "sat, sun 23:00-06:00 Europe/Paris"},
        {"held", "rs-eu-2 lags 41 s behind its primary"},
        {"held", "closed <span class=\"dim\">until <time datetime=\"2026-11-21T22:13:05Z\""},
        {"standby", "Another evenkeel holds the lease"},
        {"standby", "balancer1.prod.example pid 4711"},
        {"planning", "not wanted"},
        {"stopping", "No new migration starts"},
        {"many", "and 10 more"},
        {"many", "and 470 more: <a href=\"/api/v1/collections\">"},
        {"many", "and 92 more: those are nearer to their targets"},
        {"many", "200 ranges"},
        {"many", "and 140 more"},
        {"many", ">27</b>"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) html = page_of(rows[i].scene, true);
        if ((strstr(html->str, rows[i].text) == NULL) != rows[i].not_there)
            fail_msg("%s: %s: %s", rows[i].scene, rows[i].not_there ? "says" : "does not say", rows[i].text);
    }
}

static void hostile_names(void **state)
{
    (void)state;
    g_autoptr(GString) html = page_of("hostile", true);
    assert_null(strstr(html->str, canned_markup));
    assert_null(strstr(html->str, "<img"));
    assert_null(strstr(html->str, "\xe2\x80\xae"));
    assert_null(strchr(html->str, '\x1b'));
    assert_non_null(strstr(html->str, ">&lt;script&gt;alert(1)&lt;/script&gt;<"));
    assert_non_null(strstr(html->str, "safe\\u{202E}gnp.exe"));
    assert_non_null(strstr(html->str, "not\\xFF\\xFEutf8\\x1B[31m"));
}

/* Texts without end are cut in the middle, numbers that are none have a dash. */
static void odd_values(void **state)
{
    (void)state;
    g_autoptr(service_view) v = canned_view("balanced");
    g_autoptr(GString) html = g_string_new(NULL);
    const struct page_facts facts = {.may_act = false};
    struct view_shard s = {.id = g_strnfill(1000000, 'x'), .bytes = -1, .target_bytes = -1};
    struct view_collection c = {.ns = g_strdup("odd.one"), .bytes = -1, .chunks = -1, .imbalance = 12.5};
    struct view_zone_range r = {.min = g_strdup("no json")};
    struct view_migration m = {.bytes = -1, .settling = true, .split = true};
    struct view_round round = {.id = 1};
    struct view_blocked b = {.why = NULL};
    struct view_point p = {.at = v->at - 400 * INT64_C(86400000), .imbalance = G_MAXDOUBLE * 2};
    c.ranges = view_ranges_new();
    g_array_append_val(c.ranges, r);
    g_array_append_val(v->shards, s);
    g_array_append_val(v->collections, c);
    g_array_append_val(v->migrations, m);
    g_array_append_val(v->rounds, round);
    g_array_append_val(v->blocked, b);
    g_array_prepend_val(v->history, p);
    v->planned_at = v->at - 49 * INT64_C(3600000);
    status_page_html(v, &facts, html);
    check_markup("odd", html);
    assert_true(html->len < 200000);
    assert_non_null(strstr(html->str, "xxx \xe2\x80\xa6 xxx"));
    assert_non_null(strstr(html->str, "1,250\xc2\xa0%"));
    assert_non_null(strstr(html->str, "2 d ago"));
    assert_non_null(strstr(html->str, "17 Oct 2025 02:13 UTC"));
    assert_non_null(strstr(html->str, "asking the cluster"));
    assert_non_null(strstr(html->str, "[no json, ?)"));
    assert_non_null(strstr(html->str, "Read-only"));
}

/* Between two rounds it is not at rest: there is more to move. */
static void between_rounds(void **state)
{
    (void)state;
    g_autoptr(service_view) v = canned_view("balanced");
    g_autoptr(GString) html = g_string_new(NULL);
    const struct page_facts facts = {.may_act = false};
    v->n_imbalanced = 1;
    v->forecast.migrations = 1;
    v->forecast.finish_low = v->forecast.finish_expected = v->forecast.finish_high = v->at + 20000;
    v->speed.samples = 3;
    status_page_html(v, &facts, html);
    assert_non_null(strstr(html->str, "<h1 id=\"state\">Between rounds</h1>"));
    assert_non_null(strstr(html->str, "1 of 2 collections are not even. Next look"));
    assert_non_null(strstr(html->str, "<strong>1</strong> migration to go"));
    assert_non_null(strstr(html->str, "02:13 UTC</time></strong></p>"));
    assert_non_null(strstr(html->str, "By 3 past migrations, from the cluster's changelog."));
    g_free(v->speed.basis);
    v->speed.basis = g_strdup("default");
    status_page_html(v, &facts, html);
    assert_non_null(strstr(html->str, "By assumed speeds"));
}

static void only_chunks_known(void **state)
{
    (void)state;
    g_autoptr(service_view) v = service_view_new();
    g_autoptr(GString) html = g_string_new(NULL);
    const struct page_facts facts = {.may_act = false};
    for (int i = 0; i < 3; i++) {
        struct view_shard s = {.id = g_strdup_printf("s%d", i),
                               .bytes = -1,
                               .target_bytes = -1,
                               .chunks = i * 1000,
                               .target_chunks = 1000};
        g_array_append_val(v->shards, s);
    }
    status_page_html(v, &facts, html);
    assert_non_null(strstr(html->str, "Chunks per shard"));
    assert_non_null(strstr(html->str, "2,000 <span class=\"dim\">/ 1,000"));
}

static void parts(void **state)
{
    (void)state;
    g_autoptr(GBytes) css = status_page_css();
    g_autoptr(GBytes) js = status_page_js();
    g_autofree char *file = NULL;
    gsize len;
    assert_true(g_file_get_contents(SOURCE_DIR "/balancer/watch/page/page.js", &file, &len, NULL));
    assert_int_equal(g_bytes_get_size(js), len);
    assert_memory_equal(g_bytes_get_data(js, NULL), file, len);
    assert_true(g_bytes_get_size(css) > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed),       cmocka_unit_test(says),
        cmocka_unit_test(hostile_names),     cmocka_unit_test(odd_values),
        cmocka_unit_test(between_rounds),    cmocka_unit_test(parts),
        cmocka_unit_test(only_chunks_known),
    };
    return cmocka_run_group_tests_name("watch.page", tests, NULL, NULL);
}
