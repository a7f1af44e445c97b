// SPDX-License-Identifier: Apache-2.0
/* The document: head, parts in order, foot. Nothing in it leads elsewhere: style and script stand inside, and
 * a Content-Security-Policy allows these two by their hashes and nothing else. */
#include "balancer/report/html_private.h"
#include "common/text.h"

#include <string.h>

/* "sha256-..." of what stands between the tags. */
static void put_hash(GString *out, const unsigned char *data, size_t len)
{
    guint8 digest[32];
    gsize n = sizeof digest;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, data, (gssize)len);
    g_checksum_get_digest(sum, digest, &n);
    g_autofree char *text = g_base64_encode(digest, n);
    putf(out, "'sha256-%s'", text);
}

static void put_head(struct html *h)
{
    GString *out = h->out;
    put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src ");
    put_hash(out, html_file_style, html_file_style_len);
    put(out, "; script-src ");
    put_hash(out, html_file_script, html_file_script_len);
    put(out, "; base-uri 'none'; form-action 'none'\"/>\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
             "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
             "<meta name=\"referrer\" content=\"no-referrer\"/>\n"
             "<meta name=\"robots\" content=\"noindex\"/>\n<title>Plan for ");
    put_text(out, h->src->name);
    put(out, "</title>\n<style>");
    g_string_append_len(out, (const char *)html_file_style, (gssize)html_file_style_len);
    put(out, "</style>\n</head>\n");
}

static void put_nav(struct html *h)
{
    const plan *p = h->p;
    const struct {
        const char *id, *title;
        bool there;
    } parts[] = {
        {"notes", "Warnings", p->warnings->len > 0},
        {"shards", "Shards", p->collections->len > 0},
        {"collections", "Collections", p->collections->len > 0},
        {"schedule", "Schedule", h->when.length > 0},
        {"moves", "Migrations", p->migrations->len > 0},
        {"splits", "Splits", p->splits->len > 0},
        {"blocked", "Stays", p->blocked->len > 0},
        {"advice", "Advice", p->advice->len > 0},
        {"facts", "Facts", true},
    };
    put(h->out, "<nav aria-label=\"Parts of this report\"><ul>");
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (parts[i].there)
            putf(h->out, "<li><a href=\"#%s\">%s</a></li>", parts[i].id, parts[i].title);
    put(h->out, "</ul></nav>\n");
}

static void put_top(struct html *h)
{
    GString *out = h->out;
    put(out, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\">\n"
             "<svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><path class=\"level\" d=\"M4 "
             "11h24\"/>"
             "<path class=\"hull\" d=\"M4 11c1 8 6 12 12 12s11-4 12-12M16 23v5\"/></svg>\n"
             "<p class=\"brand\">evenkeel</p>\n<p class=\"of\">plan for ");
    put_name(out, "", h->src->name);
    put(out, "</p>\n");
    put_nav(h);
    put(out, "</header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

static void put_foot(struct html *h)
{
    g_autofree char *when = text_iso8601(h->src->generated_ms);
    putf(h->out,
         "</main>\n<footer><p>Made by evenkeel %s, <time datetime=\"%s\">%s</time>. A dry run: nothing was "
         "written to the cluster.</p></footer>\n<script>",
         EVENKEEL_VERSION, when, when);
    g_string_append_len(h->out, (const char *)html_file_script, (gssize)html_file_script_len);
    put(h->out, "</script>\n</body>\n</html>\n");
}

void report_html(const plan *p, const struct report_source *src, GString *out)
{
    struct html h = {.out = out, .p = p, .src = src};
    moves_by_collection_init(&h.moves, p);
    schedule_make(&h.when, p);
    put_head(&h);
    put_top(&h);
    html_summary(&h);
    html_whatif(&h);
    html_notes(&h);
    html_zone_change(&h);
    html_shards(&h);
    html_collections(&h);
    html_details(&h);
    html_schedule(&h);
    html_space(&h);
    html_moves(&h);
    html_splits(&h);
    html_blocked(&h);
    html_advice(&h);
    html_facts(&h);
    put_foot(&h);
    moves_by_collection_clear(&h.moves);
    schedule_clear(&h.when);
}
