// SPDX-License-Identifier: Apache-2.0
/* What the report says in short: headline, key figures, warnings; and at its end, what it rests on. */
#include "balancer/report/html_private.h"
#include "balancer/report/page.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

/* ---- key figures ---- */

static void figure_open(GString *out, const char *title)
{
    putf(out, "<div><dt>%s</dt><dd><strong>", title);
}

static void figure_close(GString *out, const char *small)
{
    putf(out, "</strong><span class=\"small\">%s</span></dd></div>\n", small);
}

/* "the least possible", or how far it is from that. */
static void append_distance(GString *out, double value, double least)
{
    if (least <= 0)
        return;
    put(out, out->len > 0 ? "; " : "");
    if (value <= least) {
        put(out, "the least possible");
        return;
    }
    put_percent(out, value / least - 1);
    put(out, " above it");
}

static void put_figures(struct html *h)
{
    const struct plan_summary *s = &h->p->summary;
    g_autoptr(GString) small = g_string_new(NULL);
    put(h->out, "<dl class=\"figures\">\n");
    figure_open(h->out, "Data to move");
    put_bytes(h->out, s->bytes);
    if (s->lower_bytes > 0 && s->bytes > s->lower_bytes) {
        put(small, "at least ");
        put_bytes(small, s->lower_bytes);
    }
    append_distance(small, (double)s->bytes, (double)s->lower_bytes);
    figure_close(h->out, small->str);
    figure_open(h->out, "Rounds");
    put_count(h->out, s->n_rounds);
    g_string_truncate(small, 0);
    if (s->n_rounds > s->lower_rounds)
        putf(small, "at least %u", s->lower_rounds);
    append_distance(small, s->n_rounds, s->lower_rounds);
    figure_close(h->out, small->str);
    figure_open(h->out, "Time");
    put(h->out, "about ");
    text_append_duration(h->out, s->time.expected);
    g_autofree char *low = text_duration(s->time.low), *high = text_duration(s->time.high);
    g_string_truncate(small, 0);
    if (strcmp(low, high) != 0)
        putf(small, "%s to %s, ", low, high);
    put(small, words_basis(s->time.basis));
    if (s->time.lower_bound > 0 && s->time.expected > s->time.lower_bound) {
        put(small, "; at least ");
        text_append_duration(small, s->time.lower_bound);
    }
    append_distance(small, s->time.expected, s->time.lower_bound);
    figure_close(h->out, small->str);
    figure_open(h->out, "Fullest shard above its share");
    words_percent(h->out, s->imbalance_before);
    put(h->out, " \xe2\x86\x92 ");
    words_percent(h->out, s->imbalance_after);
    figure_close(h->out, "before and after");
    put(h->out, "</dl>\n");
}

/* "Nothing to do", or what is to be done. */
void html_summary(struct html *h)
{
    const struct plan_summary *s = &h->p->summary;
    const bool work = s->n_migrations + s->n_splits > 0, stuck = !work && words_stuck(h->p);
    g_autoptr(GString) lead = g_string_new(NULL), title = g_string_new(NULL);
    if (work) {
        words_work(title, s);
        if (s->n_migrations > 0)
            words_lower_bound(lead, s);
    } else {
        put(title, stuck ? "Nothing can be done" : "Nothing to do");
        words_nothing(lead, h->p);
        if (lead->len > 0)
            lead->str[0] = g_ascii_toupper(lead->str[0]);
    }
    words_imbalance(lead, s);
    words_blocked(lead, h->p);
    words_left(lead, s);
    words_ends(lead, &s->time);
    page_glue_units(lead);
    page_glue_units(title);
    putf(h->out, "<section class=\"now %s\" aria-labelledby=\"headline\">\n<h1 id=\"headline\">%s</h1>\n",
         work    ? "busy"
         : stuck ? "warn"
                 : "good",
         title->str);
    if (lead->len > 0)
        putf(h->out, "<p class=\"lead\">%s</p>\n", g_strstrip(lead->str));
    if (work)
        put_figures(h);
    section_close(h->out);
}

/* ---- warnings ---- */

static void put_warning(struct html *h, const struct warning *w)
{
    put(h->out, "<li><span class=\"tag warn\">");
    put_text(h->out, w->code);
    put(h->out, "</span> ");
    if (w->ns != NULL && (w->message == NULL || strstr(w->message, w->ns) == NULL)) {
        put_name(h->out, "strong", w->ns);
        put(h->out, " ");
    }
    put_text(h->out, w->message);
    put(h->out, "</li>\n");
}

void html_notes(struct html *h)
{
    const GArray *list = h->p->warnings;
    const guint shown = MIN(list->len, (guint)HTML_NOTES);
    if (shown == 0)
        return;
    section_open(h->out, "notes", "Warnings", NULL);
    put(h->out, "<ul class=\"notes\">\n");
    for (guint i = 0; i < shown; i++)
        put_warning(h, &g_array_index(list, struct warning, i));
    put(h->out, "</ul>\n");
    put_rest(h->out, shown, list->len, "");
    section_close(h->out);
}

/* ---- facts ---- */

static void fact(struct html *h, const char *title, const char *text)
{
    putf(h->out, "<div><dt>%s</dt><dd>", title);
    put_text(h->out, text);
    put(h->out, "</dd></div>\n");
}

void html_facts(struct html *h)
{
    const cluster *cl = h->p->cl;
    g_autofree char *source = g_strdup_printf("%s %s", h->src->kind, h->src->name);
    g_autofree char *made = text_iso8601(h->src->generated_ms);
    g_autofree char *size = g_strdup_printf("%u shards, %u collections", cl->n_shards, cl->n_collections);
    g_autofree char *policy = g_strdup_printf("%s, by %s", h->p->policy->name,
                                              h->p->policy->unit == LOAD_BYTES ? "bytes" : "chunks");
    section_open(h->out, "facts", "What this rests on", NULL);
    put(h->out, "<dl class=\"facts\">\n");
    fact(h, "Source", source);
    fact(h, "MongoDB", cl->server_version == NULL ? "version not known" : cl->server_version);
    fact(h, "Cluster", size);
    if (cl->taken_at_ms != 0) {
        g_autofree char *taken = text_iso8601(cl->taken_at_ms);
        fact(h, "Metadata taken", taken);
    }
    fact(h, "Plan made", made);
    fact(h, "Policy", policy);
    fact(h, "Times", words_basis(h->p->summary.time.basis));
    fact(h, "Plan id", h->p->id);
    put(h->out, "</dl>\n");
    section_close(h->out);
}
