// SPDX-License-Identifier: Apache-2.0
/* A plan for people: headline, verdict, warnings, tables, lists. */
#include "common/text.h"
#include "balancer/report/advice_out.h"
#include "balancer/report/text_parts.h"
#include "balancer/report/whatif.h"
#include "balancer/report/words.h"

#include <string.h>

enum { FOLD_WARNINGS = 20 };

char *parts_bytes(int64_t bytes)
{
    return bytes < 0 ? g_strdup("?") : text_bytes(bytes);
}

char *parts_shard(const struct page *pg, const plan *p, uint16_t shard, unsigned max)
{
    return shard < p->cl->n_shards ? page_name(pg, p->cl->shards[shard].id, max) : g_strdup("-");
}

void parts_more_of(struct page *pg, unsigned indent, int64_t n, const char *things)
{
    if (n <= 0)
        return;
    g_autoptr(GString) line = g_string_new(page_dots(pg));
    g_string_append_c(line, ' ');
    text_append_count(line, n);
    g_string_append_printf(line, " more %s; --all shows %s", things, n == 1 ? "it" : "them");
    page_paragraph(pg, indent, INK_NONE, NULL, line->str);
}

void parts_more(struct page *pg, unsigned indent, int64_t n, const char *thing)
{
    g_autofree char *things = g_strdup_printf("%s%s", thing, n == 1 ? "" : "s");
    parts_more_of(pg, indent, n, things);
}

static void headline(struct page *pg, const plan *p, const struct report_source *src)
{
    g_autofree char *name = page_name(pg, src->name, pg->width - (unsigned)strlen(src->kind) - 1);
    g_autofree char *version =
        p->cl->server_version == NULL ? NULL : page_name(pg, p->cl->server_version, 20);
    g_autoptr(GString) line = g_string_new(NULL);
    g_string_append_printf(line, "%s %s%sMongoDB\xc2\xa0%s%spolicy\xc2\xa0%s", src->kind, name, page_dot(pg),
                           version == NULL ? "of unknown version" : version, page_dot(pg), p->policy->name);
    if (p->cl->taken_at_ms != 0) {
        g_autofree char *when = text_iso8601(p->cl->taken_at_ms);
        g_string_append_printf(line, "%staken\xc2\xa0%s", page_dot(pg), when);
    }
    page_paragraph(pg, 0, INK_HEADING, NULL, line->str);
}

static void verdict(struct page *pg, const plan *p)
{
    const struct plan_summary *s = &p->summary;
    g_autoptr(GString) text = g_string_new(NULL);
    const char *label = NULL;
    enum ink ink = INK_NONE;
    if (s->n_migrations + s->n_splits > 0) {
        words_work(text, s);
        words_time(text, s);
        if (s->n_migrations > 0)
            words_lower_bound(text, s);
    } else {
        const bool stuck = words_stuck(p);
        label = stuck ? "Nothing can be done:" : "Nothing to do:";
        ink = stuck ? INK_WARNING : INK_GOOD;
        words_nothing(text, p);
    }
    words_imbalance(text, s);
    words_blocked(text, p);
    words_left(text, s);
    page_glue_units(text);
    page_paragraph(pg, 0, ink, label, text->str);
}

static void warnings(struct page *pg, const plan *p)
{
    guint n = pg->all ? p->warnings->len : MIN(p->warnings->len, FOLD_WARNINGS);
    if (n > 0)
        page_blank(pg);
    for (guint i = 0; i < n; i++) {
        const struct warning *w = &g_array_index(p->warnings, struct warning, i);
        g_autofree char *code = page_name(pg, w->code, 0), *message = page_name(pg, w->message, 0);
        g_autofree char *label = g_strdup_printf("warning %s:", code);
        page_paragraph(pg, 0, INK_WARNING, label, message);
    }
    parts_more(pg, 0, p->warnings->len - n, "warning");
}

void report_text(const plan *p, const struct report_source *src, const struct report_style *style,
                 GString *out)
{
    struct page pg;
    page_init(&pg, style, out);
    headline(&pg, p, src);
    whatif_text(&pg, p->whatif);
    verdict(&pg, p);
    if (style->quiet)
        return;
    warnings(&pg, p);
    parts_shards(&pg, p);
    parts_collections(&pg, p);
    parts_zone_change(&pg, p);
    parts_space(&pg, p);
    parts_splits(&pg, p);
    parts_migrations(&pg, p);
    parts_blocked(&pg, p);
    advice_text(&pg, p->advice);
}
