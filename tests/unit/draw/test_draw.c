// SPDX-License-Identifier: Apache-2.0
#include "balancer/draw/draw.h"
#include "balancer/draw/markup.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check_has(const GString *text, const char *part)
{
    if (strstr(text->str, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text->str);
}

static void check_has_not(const GString *text, const char *part)
{
    if (strstr(text->str, part) != NULL)
        fail_msg("'%s' is in: %s", part, text->str);
}

/* ---- texts ---- */

static void texts(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {NULL, ""},
        {"<script>&\"'", "&lt;script&gt;&amp;&quot;&apos;"},
        {"a\033[31mb", "a\\x1B[31mb"},
        {"\xe2\x80\xae|c", "\\u{202E}|c"},
        {"\xef\xbf\xbf\xef\xbf\xbe", "\\u{FFFF}\\u{FFFE}"},
        {"\xff\xfe", "\\xFF\\xFE"},
        {"]]>", "]]&gt;"},
        {"\xc3\xa9\xf0\x9f\x8c\x8d", "\xc3\xa9\xf0\x9f\x8c\x8d"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        put_text(out, rows[i].in);
        assert_string_equal(out->str, rows[i].out);
    }
}

static void long_texts_lose_their_middle(void **state)
{
    g_autofree char *x = g_strnfill(5000, 'x'), *both = g_strdup_printf("begin%send", x);
    g_autoptr(GString) out = g_string_new(NULL);
    (void)state;
    put_text(out, both);
    assert_true(g_str_has_prefix(out->str, "beginxxx") && g_str_has_suffix(out->str, "xxxend"));
    assert_int_equal(g_utf8_strlen(out->str, -1), MARKUP_TEXT_CHARS + 3);
}

static void numbers(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);
    (void)state;
    put_bytes(out, -1);
    put_bytes(out, 2048);
    put(out, " ");
    put_count(out, -1);
    put_count(out, 1234567);
    put(out, " ");
    put_n(out, 1, "chunk");
    put_n(out, 2, "chunk");
    static const double ratios[] = {0, 0.1234, 1, 12.5, NAN, INFINITY, -0.02};
    for (size_t i = 0; i < G_N_ELEMENTS(ratios); i++) {
        put(out, " ");
        put_percent(out, ratios[i]);
    }
    assert_string_equal(out->str, "\xe2\x80\x93"
                                  "2.00 KiB \xe2\x80\x93"
                                  "1,234,567 1 chunk2 chunks 0\xc2\xa0% 12.3\xc2\xa0% 100\xc2\xa0% "
                                  "1,250\xc2\xa0% \xe2\x80\x93 \xe2\x80\x93 -2.0\xc2\xa0%");
}

static void names(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);
    (void)state;
    put_name(out, "strong", "a<b");
    put_name(out, "", NULL);
    assert_string_equal(out->str, "<bdi class=\"name strong\" title=\"a&lt;b\">a&lt;b</bdi>\xe2\x80\x93");
}

/* ---- bars ---- */

static void bars(void **state)
{
    static const struct {
        double now, after, target;
        const char *has[4], *has_not;
    } rows[] = {
        {0.5, -1, -1, {"class=\"fill\" y=\"0\" width=\"500\" height=\"20\""}, "tick"},
        {0.5, -1, 0.25, {"width=\"250\"", "fill over\" x=\"250\"", "<line class=\"tick\" x1=\"250\""}, "was"},
        {0.5, -1, 0, {"width=\"0\"", "over\" x=\"0\" y=\"0\" width=\"500\"", "x1=\"0\""}, "was"},
        {1.0, 0.25, 0.25, {"class=\"was\"", "was over\" x=\"250\"", "class=\"fill\""}, "fill over"},
        {-3, -1, 7, {"width=\"0\"", "x1=\"998\""}, "over"},
        {NAN, NAN, -1, {"width=\"0\""}, "nan"},
        {INFINITY, -1, -1, {"width=\"1000\""}, "inf"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        const struct draw_bar bar = {rows[i].now, rows[i].after, rows[i].target, "", "so <much>"};
        draw_bar(out, &bar);
        check_has(out, "role=\"img\" aria-label=\"so &lt;much&gt;\"");
        for (size_t k = 0; k < 4 && rows[i].has[k] != NULL; k++)
            check_has(out, rows[i].has[k]);
        check_has_not(out, rows[i].has_not);
    }
}

/* ---- lanes ---- */

static GString *drawn(draw_lanes *l)
{
    GString *out = g_string_new(NULL);
    draw_lanes_put(out, l, "map", "A <map>", "what & where");
    return out;
}

static void one_path_a_class(void **state)
{
    g_autoptr(draw_lanes) l = draw_lanes_new(2, 1.5, 0);
    (void)state;
    draw_lanes_span(l, &(struct draw_span){0, 0, 0.1, 0, 1, "z0", false});
    draw_lanes_span(l,
                    &(struct draw_span){0, 0.1, 0.25, 0, 1, "z0", false}); /* goes on: the same rectangle */
    draw_lanes_span(l, &(struct draw_span){1, 0.25, 0.5, 0, 1, "leaves", false});
    draw_lanes_span(l, &(struct draw_span){0, 0.5, 2, 0, 0.5, "z0", false});     /* cut off at the end */
    draw_lanes_span(l, &(struct draw_span){1, 0.6, 0.6, 0, 1, "leaves", false}); /* nothing to be seen */
    g_autoptr(GString) out = drawn(l);
    check_has(out, "<path class=\"z0\" d=\"M0 0h2500v100H0zM5000 0h5000v50H5000z\"/>");
    check_has(out, "<path class=\"leaves\" d=\"M2500 100h2500v100H2500z\"/>");
    check_has(out, "aria-labelledby=\"map-t\" aria-describedby=\"map-d\"><title id=\"map-t\">A "
                   "&lt;map&gt;</title><desc id=\"map-d\">what &amp; where</desc>");
    check_has(out, "height=\"3.00rem\"");
    check_has_not(out, "lane-names");
}

static void narrow_ones_are_widened(void **state)
{
    g_autoptr(draw_lanes) l = draw_lanes_new(1, 1, 0);
    (void)state;
    draw_lanes_span(l, &(struct draw_span){0, 0, 0, 0, 1, "a", true});
    draw_lanes_span(l, &(struct draw_span){0, 0.5, 0.5001, 0, 1, "a", true});
    draw_lanes_span(l, &(struct draw_span){0, 1, 1, 0, 1, "a", true});
    g_autoptr(GString) out = drawn(l);
    check_has(out, "M0 0h25v100H0zM4988 0h25v100H4988zM9975 0h25v100H9975z");
}

static void marks_links_ticks_labels(void **state)
{
    g_autoptr(draw_lanes) l = draw_lanes_new(4, 1.5, 0.15);
    (void)state;
    draw_lanes_titled(l, &(struct draw_span){0, 0.25, 0.75, 0, 1, "z3", false}, "from <a>", "D");
    draw_lanes_titled(l, &(struct draw_span){1, 0.25, 0.26, 0, 1, "z3", false}, NULL, "E");
    draw_lanes_titled(l, &(struct draw_span){1, 0.3, 0.3, 0, 1, "z3", false}, "nothing", "F");
    draw_lanes_link(l, 0.5, 1, 3, "");
    draw_lanes_tick(l, 0, "MinKey");
    draw_lanes_tick(l, 0.5, "5 & 6");
    draw_lanes_tick(l, 1, "MaxKey");
    draw_lanes_label(l, 2, "<b>two</b>");
    draw_lanes_stress(l, 2, "critical");
    g_autoptr(GString) out = drawn(l);
    check_has(out, "<rect class=\"z3\" x=\"2500\" y=\"10\" width=\"5000\" height=\"80\"><title>from "
                   "&lt;a&gt;</title></rect>");
    check_has(out, "<text class=\"mark-text\" x=\"50.00%\" y=\"12.50%\">D</text>");
    check_has_not(out, ">E<");
    check_has_not(out, "nothing");
    check_has(out, "d=\"M5000 150V350\"/><path class=\"dot \" d=\"M5000 350h0\"/>");
    check_has(out, "text-anchor=\"start\">MinKey</text>");
    check_has(out, "text-anchor=\"middle\">5 &amp; 6</text>");
    check_has(out, "text-anchor=\"end\">MaxKey</text>");
    check_has(out, "<ul class=\"lane-names\"><li></li><li></li><li><b>two</b></li><li></li></ul>");
    check_has(out, "<rect class=\"critical\" y=\"200\" width=\"10000\" height=\"100\"/>");
}

static void without_an_id_the_label_alone(void **state)
{
    g_autoptr(draw_lanes) l = draw_lanes_new(1, 1.8, 0);
    g_autoptr(GString) out = g_string_new(NULL);
    (void)state;
    draw_lanes_put(out, l, NULL, "A, B, \"C\"", NULL);
    check_has(out, "role=\"img\" aria-label=\"A, B, &quot;C&quot;\">");
    check_has_not(out, "<title");
    draw_lanes_free(NULL);
}

/* A comma is no decimal point in a drawing, whatever the locale. */
static void numbers_in_any_locale(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL)
        skip();
    g_autoptr(draw_lanes) l = draw_lanes_new(1, 1.8, 0);
    g_autoptr(GString) out = drawn(l);
    setlocale(LC_ALL, "C");
    check_has(out, "height=\"1.80rem\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(long_texts_lose_their_middle),
        cmocka_unit_test(numbers),
        cmocka_unit_test(names),
        cmocka_unit_test(bars),
        cmocka_unit_test(one_path_a_class),
        cmocka_unit_test(narrow_ones_are_widened),
        cmocka_unit_test(marks_links_ticks_labels),
        cmocka_unit_test(without_an_id_the_label_alone),
        cmocka_unit_test(numbers_in_any_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
