// SPDX-License-Identifier: Apache-2.0
/* One row a figure, one column a policy: they are few, and numbers are compared along a line. */
#include "balancer/report/compare.h"

#include "balancer/report/json_parts.h"
#include "balancer/report/text_parts.h"
#include "balancer/report/whatif.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <string.h>

/* --- text --- */

static const struct compared_plan *plan_at(const comparison *c, guint i)
{
    return &g_array_index(c->plans, struct compared_plan, i);
}

static char *percent_cell(double imbalance)
{
    g_autoptr(GString) s = g_string_new(NULL);
    words_percent(s, imbalance);
    return g_strdup(s->str);
}

static int64_t blocked_chunks(const plan *p)
{
    int64_t chunks = 0;
    for (guint i = 0; i < p->blocked->len; i++)
        chunks += MAX(g_array_index(p->blocked, struct plan_blocked, i).chunks, 0);
    return chunks;
}

enum figure {
    MIGRATIONS,
    SPLITS,
    BYTES,
    LOWER_BYTES,
    ROUNDS,
    LOWER_ROUNDS,
    EXPECTED,
    LOWER_TIME,
    LOW,
    HIGH,
    BARRIER,
    IMBALANCE_BEFORE,
    IMBALANCE_AFTER,
    OVER_BEFORE,
    OVER_AFTER,
    BLOCKED,
    MORE,
    FIGURE_COUNT
};

/* Those that say more of the figure above them are indented. */
static const char *const titles[FIGURE_COUNT] = {
    [MIGRATIONS] = "migrations",
    [SPLITS] = "splits",
    [BYTES] = "data moved",
    [LOWER_BYTES] = "  at least",
    [ROUNDS] = "rounds",
    [LOWER_ROUNDS] = "  at least",
    [EXPECTED] = "time",
    [LOWER_TIME] = "  at least",
    [LOW] = "  low",
    [HIGH] = "  high",
    [BARRIER] = "  with a barrier after each round",
    [IMBALANCE_BEFORE] = "fullest shard over its share",
    [IMBALANCE_AFTER] = "  afterwards",
    [OVER_BEFORE] = "data over the shares",
    [OVER_AFTER] = "  afterwards",
    [BLOCKED] = "chunks that cannot move",
    [MORE] = "more left for later rounds",
};

static char *time_cell(const struct plan_time *t, enum figure figure)
{
    return text_duration(figure == EXPECTED     ? t->expected
                         : figure == LOWER_TIME ? t->lower_bound
                         : figure == LOW        ? t->low
                         : figure == HIGH       ? t->high
                                                : t->barrier);
}

static char *load_cell(const comparison *c, const struct compared_plan *one, enum figure figure)
{
    if (figure == IMBALANCE_BEFORE || figure == IMBALANCE_AFTER)
        return percent_cell(figure == IMBALANCE_BEFORE ? c->before.imbalance : one->after.imbalance);
    return parts_bytes(figure == OVER_BEFORE ? c->before.over : one->after.over);
}

static char *cell(const comparison *c, const struct compared_plan *one, enum figure figure)
{
    const struct plan_summary *s = &one->plan->summary;
    switch (figure) {
    case MIGRATIONS:
        return text_count(s->n_migrations);
    case SPLITS:
        return text_count(s->n_splits);
    case BYTES:
        return parts_bytes(s->bytes);
    case LOWER_BYTES:
        return parts_bytes(s->lower_bytes);
    case ROUNDS:
        return text_count(s->n_rounds);
    case LOWER_ROUNDS:
        return text_count(s->lower_rounds);
    case EXPECTED:
    case LOWER_TIME:
    case LOW:
    case HIGH:
    case BARRIER:
        return time_cell(&s->time, figure);
    case BLOCKED:
        return text_count(blocked_chunks(one->plan));
    case MORE:
        return g_strdup(s->complete ? "no" : "yes");
    default:
        return load_cell(c, one, figure);
    }
}

static void table(struct page *pg, const comparison *c)
{
    guint n = c->plans->len;
    g_autofree struct page_column *columns = g_new0(struct page_column, n + 1);
    g_autoptr(GPtrArray) heads = g_ptr_array_new_with_free_func(g_free);
    columns[0].title = "";
    for (guint i = 0; i < n; i++) {
        const struct compared_plan *one = plan_at(c, i);
        bool other = strcmp(one->name, one->plan->policy->name) != 0;
        char *head =
            other ? g_strdup_printf("%s (%s)", one->name, one->plan->policy->name) : g_strdup(one->name);
        g_ptr_array_add(heads, head);
        columns[i + 1] = (struct page_column){.title = head, .right = true};
    }
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, n + 1);
    for (unsigned f = 0; f < FIGURE_COUNT; f++) {
        page_table_row(t);
        page_table_cell(t, INK_NONE, g_strdup(titles[f]));
        for (guint i = 0; i < n; i++)
            page_table_cell(t, INK_NONE, cell(c, plan_at(c, i), (enum figure)f));
    }
    page_table_print(t);
}

static void headline(struct page *pg, const cluster *cl, const struct report_source *src)
{
    g_autofree char *name = page_name(pg, src->name, pg->width - (unsigned)strlen(src->kind) - 1);
    g_autofree char *version = cl->server_version == NULL ? NULL : page_name(pg, cl->server_version, 20);
    g_autofree char *line =
        g_strdup_printf("%s %s%sMongoDB\xc2\xa0%s%spolicies compared", src->kind, name, page_dot(pg),
                        version == NULL ? "of unknown version" : version, page_dot(pg));
    page_paragraph(pg, 0, INK_HEADING, NULL, line);
}

/* Each warning once, with the policies whose plans have it: most are about the cluster. */
static void warnings(struct page *pg, const comparison *c)
{
    g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < c->plans->len; i++) {
        const plan *p = plan_at(c, i)->plan;
        for (guint k = 0; k < p->warnings->len; k++) {
            const struct warning *w = &g_array_index(p->warnings, struct warning, k);
            if (!g_hash_table_add(told, w->message))
                continue;
            g_autofree char *message = page_name(pg, w->message, 0);
            g_autofree char *label = g_strdup_printf("warning %s:", w->code);
            if (g_hash_table_size(told) == 1)
                page_blank(pg);
            page_paragraph(pg, 0, INK_WARNING, label, message);
        }
    }
}

void report_compare_text(const comparison *c, const struct report_source *src,
                         const struct report_style *style, GString *out)
{
    struct page pg;
    const plan *first = plan_at(c, 0)->plan;
    page_init(&pg, style, out);
    headline(&pg, first->cl, src);
    whatif_text(&pg, first->whatif);
    page_blank(&pg);
    table(&pg, c);
    if (style->quiet)
        return;
    page_blank(&pg);
    g_autofree char *note = g_strdup_printf("What shards hold is measured in data, by the shares of policy "
                                            "%s for all. 'At least' is what any plan to the "
                                            "same end takes.",
                                            c->measure);
    page_paragraph(&pg, 0, INK_NONE, NULL, note);
    warnings(&pg, c);
}

/* --- JSON --- */

static void put_load(struct json_writer *w, const char *key, const struct compared_load *l)
{
    json_key(w, key);
    json_object(w, true);
    json_put_double(w, "imbalance", l->imbalance);
    json_put_int(w, "bytesOverShares", l->over);
    json_end(w);
}

static void write_plan(struct json_writer *w, const comparison *c, const struct compared_plan *one)
{
    json_object(w, false);
    json_put_string(w, "name", one->name);
    json_put_policy(w, one->plan->policy);
    json_put_string(w, "planId", one->plan->id);
    put_load(w, "before", &c->before);
    put_load(w, "after", &one->after);
    json_put_int(w, "blockedChunks", blocked_chunks(one->plan));
    json_put_summary(w, one->plan);
    json_put_warnings(w, one->plan);
    json_end(w);
}

void report_compare_json(const comparison *c, const struct report_source *src, GString *out)
{
    struct json_writer w;
    const plan *first = plan_at(c, 0)->plan;
    json_init(&w, out);
    json_object(&w, false);
    json_put_int(&w, "schemaVersion", 1);
    json_put_origin(&w, first->cl, src);
    whatif_json(&w, first->whatif);
    json_put_string(&w, "sharesOf", c->measure);
    json_key(&w, "compare");
    json_array(&w, false);
    for (guint i = 0; i < c->plans->len; i++)
        write_plan(&w, c, plan_at(c, i));
    json_end(&w);
    json_end(&w);
    g_string_append_c(out, '\n');
}
