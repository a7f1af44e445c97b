// SPDX-License-Identifier: Apache-2.0
/* A plan for people: headline, verdict, warnings, tables, lists. */
#include "common/text.h"
#include "balancer/report/text_parts.h"

#include <math.h>
#include <string.h>

enum { FOLD_WARNINGS = 20 };

void parts_append_n(GString *out, int64_t n, const char *thing)
{
    text_append_count(out, n);
    g_string_append_printf(out, " %s%s", thing, n == 1 ? "" : "s");
}

char *parts_bytes(int64_t bytes)
{
    return bytes < 0 ? g_strdup("?") : text_bytes(bytes);
}

char *parts_shard(const struct page *pg, const plan *p, uint16_t shard, unsigned max)
{
    return shard < p->cl->n_shards ? page_name(pg, p->cl->shards[shard].id, max) : g_strdup("-");
}

void parts_more(struct page *pg, unsigned indent, int64_t n, const char *thing)
{
    if (n <= 0)
        return;
    g_autoptr(GString) line = g_string_new(page_dots(pg));
    g_string_append_c(line, ' ');
    text_append_count(line, n);
    g_string_append_printf(line, " more %s%s; --all shows %s", thing, n == 1 ? "" : "s",
                           n == 1 ? "it" : "them");
    page_paragraph(pg, indent, INK_NONE, NULL, line->str);
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

/* "; about 1 min 20 s (40 s to 3 min, from the cluster's own changelog)" */
static void append_time(GString *out, const struct plan_time *t)
{
    static const char *const bases[] = {
        [TIME_DEFAULT] = "by default speeds, nothing measured",
        [TIME_CHANGELOG] = "from the cluster's own changelog",
        [TIME_JOURNAL] = "from the journal of past migrations",
    };
    g_autofree char *low = text_duration(t->low), *high = text_duration(t->high);
    g_string_append(out, "; about ");
    text_append_duration(out, t->expected);
    g_string_append(out, " (");
    if (strcmp(low, high) != 0)
        g_string_append_printf(out, "%s to %s, ", low, high);
    g_string_append_printf(out, "%s).", bases[t->basis]);
}

static void append_work(GString *out, const struct plan_summary *s)
{
    if (s->n_migrations > 0) {
        parts_append_n(out, s->n_migrations, "migration");
        g_string_append(out, s->n_splits > 0 ? " and " : "");
    }
    if (s->n_splits > 0)
        parts_append_n(out, s->n_splits, "split");
    g_string_append(out, " in ");
    parts_append_n(out, s->n_rounds, "round");
    if (s->n_migrations == 0) {
        g_string_append(out, ", no migration");
    } else if (s->bytes >= 0) {
        g_string_append(out, s->n_migrations + s->n_splits == 1 ? " moves " : " move ");
        text_append_bytes(out, s->bytes);
    } else {
        g_string_append(out, ", data size not known");
    }
    append_time(out, &s->time);
}

static void append_lower_bound(GString *out, const struct plan_summary *s)
{
    if (s->lower_rounds == 0 && s->lower_bytes <= 0)
        return;
    if (s->lower_rounds >= s->n_rounds && s->lower_bytes >= s->bytes) {
        g_string_append(out, " No plan to the same end moves less, or takes fewer rounds.");
        return;
    }
    g_string_append(out, " At least ");
    if (s->lower_bytes > 0) {
        text_append_bytes(out, s->lower_bytes);
        g_string_append(out, " and ");
    }
    parts_append_n(out, s->lower_rounds, "round");
    g_string_append(out, s->lower_rounds == 1 && s->lower_bytes <= 0 ? " is needed." : " are needed.");
}

/* "45 %", "0.4 %", "over 1,000 %" of an imbalance. */
static void append_percent(GString *out, double imbalance)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    double x = imbalance * 100;
    if (!(x <= 1000))
        g_string_append(out, "over 1,000");
    else
        g_string_append(out, g_ascii_formatd(buf, sizeof buf, x > 0 && x < 9.95 ? "%.1f" : "%.0f", x));
    g_string_append(out, " %");
}

static void append_imbalance(GString *out, const struct plan_summary *s)
{
    if (!(s->imbalance_before > 0))
        return;
    g_string_append(out, " The fullest shard holds ");
    append_percent(out, s->imbalance_before);
    g_string_append(out, " more than its share, ");
    append_percent(out, s->imbalance_after);
    g_string_append(out, " afterwards.");
}

static void append_blocked(GString *out, const plan *p)
{
    int64_t chunks = 0;
    for (guint i = 0; i < p->blocked->len; i++)
        chunks += MAX(g_array_index(p->blocked, struct plan_blocked, i).chunks, 0);
    if (p->blocked->len == 0)
        return;
    g_string_append_c(out, ' ');
    if (chunks == 0) {
        parts_append_n(out, p->blocked->len, "obstacle");
        g_string_append(out, p->blocked->len == 1 ? " remains." : " remain.");
        return;
    }
    parts_append_n(out, chunks, "chunk");
    g_string_append(out, " should move and cannot.");
}

static void count_statuses(const plan *p, unsigned counts[3])
{
    memset(counts, 0, 3 * sizeof counts[0]);
    for (guint i = 0; i < p->collections->len; i++)
        counts[g_array_index(p->collections, struct plan_collection, i).status]++;
}

static void append_nothing(GString *out, const plan *p)
{
    unsigned n[3];
    count_statuses(p, n);
    if (p->collections->len == 0) {
        g_string_append(out, "there is no sharded collection.");
        return;
    }
    const char *sep = "";
    static const char *const words[] = {
        [PLAN_BALANCED] = "balanced", [PLAN_IMBALANCED] = "imbalanced", [PLAN_EXCLUDED] = "left out"};
    for (unsigned s = 0; s < G_N_ELEMENTS(words); s++) {
        if (n[s] == 0)
            continue;
        g_string_append(out, sep);
        if (*sep == '\0')
            parts_append_n(out, n[s], "collection");
        else
            text_append_count(out, n[s]);
        g_string_append_printf(out, " %s %s", n[s] == 1 ? "is" : "are", words[s]);
        sep = ", ";
    }
    g_string_append_c(out, '.');
}

static void verdict(struct page *pg, const plan *p)
{
    const struct plan_summary *s = &p->summary;
    g_autoptr(GString) text = g_string_new(NULL);
    const char *label = NULL;
    enum ink ink = INK_NONE;
    if (s->n_migrations + s->n_splits > 0) {
        append_work(text, s);
        if (s->n_migrations > 0)
            append_lower_bound(text, s);
    } else {
        unsigned n[3];
        count_statuses(p, n);
        bool stuck = n[PLAN_IMBALANCED] > 0 || p->blocked->len > 0;
        label = stuck ? "Nothing can be done:" : "Nothing to do:";
        ink = stuck ? INK_WARNING : INK_GOOD;
        append_nothing(text, p);
    }
    append_imbalance(text, s);
    append_blocked(text, p);
    if (!s->complete)
        g_string_append(text, " More is left for later rounds: --until-balanced shows all of it.");
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
    verdict(&pg, p);
    if (style->quiet)
        return;
    warnings(&pg, p);
    parts_collections(&pg, p);
    parts_splits(&pg, p);
    parts_migrations(&pg, p);
    parts_blocked(&pg, p);
}
