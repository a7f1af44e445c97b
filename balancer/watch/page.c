// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/page_private.h"

#include <string.h>

static void put_title(GString *out, const service_view *v, const struct page_facts *facts)
{
    (void)facts;
    put(out, state_title(v));
    put(out, " \xc2\xb7 evenkeel");
}

/* A disc in the tone's colour, so that a tab tells its state. */
static void put_icon(GString *out, const service_view *v, const struct page_facts *facts)
{
    static const struct {
        const char *tone, *color;
    } colors[] = {
        {"good", "2f8f6b"}, {"busy", "2f7fc1"}, {"hold", "c98a1b"}, {"bad", "cc4b3e"}, {"quiet", "7d8a96"}};
    (void)facts;
    for (size_t i = 0; i < G_N_ELEMENTS(colors); i++)
        if (strcmp(colors[i].tone, state_tone(v)) == 0)
            putf(out,
                 "data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 "
                 "16'%%3E%%3Ccircle "
                 "cx='8' cy='8' r='7' fill='%%23%s'/%%3E%%3C/svg%%3E",
                 colors[i].color);
}

static void put_cluster(GString *out, const service_view *v, const struct page_facts *facts)
{
    (void)facts;
    if (v->cluster.name != NULL)
        put_name(out, "cluster", v->cluster.name);
    if (v->cluster.version != NULL) {
        g_autofree char *version = g_strdup_printf("MongoDB %s", v->cluster.version);
        put_name(out, "dim", version);
    }
}

static void put_as_of(GString *out, const service_view *v, const struct page_facts *facts)
{
    (void)facts;
    put(out, "as of ");
    put_time(out, v->at, v->at, TIME_CLOCK);
}

static void put_version(GString *out, const service_view *v, const struct page_facts *facts)
{
    (void)facts;
    put_text(out, v->version);
}

static void put_main(GString *out, const service_view *v, const struct page_facts *facts)
{
    put_now(out, v, facts);
    put(out, "<div class=\"columns\"><div class=\"column a\">\n");
    put_under_way(out, v);
    put_rounds(out, v);
    put(out, "</div><div class=\"column b\">\n");
    put_imbalance(out, v);
    put_shards(out, v);
    put_collections(out, v);
    put(out, "</div><div class=\"column c\">\n");
    put_zones(out, v);
    put_blocked(out, v);
    put(out, "</div></div>\n");
}

/* What stands in page/index.html as {{name}}. */
static const struct {
    const char *name;
    void (*put)(GString *out, const service_view *v, const struct page_facts *facts);
} holes[] = {
    {"title", put_title}, {"icon", put_icon}, {"cluster", put_cluster},
    {"asOf", put_as_of},  {"main", put_main}, {"version", put_version},
};

static void fill_hole(GString *out, const char *name, size_t len, const service_view *v,
                      const struct page_facts *facts)
{
    for (size_t i = 0; i < G_N_ELEMENTS(holes); i++)
        if (strlen(holes[i].name) == len && memcmp(holes[i].name, name, len) == 0)
            holes[i].put(out, v, facts);
}

void status_page_html(const service_view *v, const struct page_facts *facts, GString *out)
{
    const char *p = (const char *)page_file_index, *end = p + page_file_index_len;
    const char *hole, *close;
    while ((hole = g_strstr_len(p, end - p, "{{")) != NULL &&
           (close = g_strstr_len(hole, end - hole, "}}")) != NULL) {
        g_string_append_len(out, p, hole - p);
        fill_hole(out, hole + 2, (size_t)(close - hole - 2), v, facts);
        p = close + 2;
    }
    g_string_append_len(out, p, end - p);
}

GBytes *status_page_css(void)
{
    return g_bytes_new_static(page_file_style, page_file_style_len);
}

GBytes *status_page_js(void)
{
    return g_bytes_new_static(page_file_script, page_file_script_len);
}
