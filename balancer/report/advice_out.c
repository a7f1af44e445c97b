// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/advice_out.h"

#include "balancer/report/text_parts.h"

#include <string.h>

enum { FOLD_CODE = 3 };

/* How many of the same code stand before it. */
struct seen {
    const char *code;
    guint n;
};

static guint count_seen(GArray *seen, const char *code)
{
    for (guint i = 0; i < seen->len; i++) {
        struct seen *s = &g_array_index(seen, struct seen, i);
        if (strcmp(s->code, code) == 0)
            return s->n++;
    }
    const struct seen first = {.code = code, .n = 1};
    g_array_append_val(seen, first);
    return 0;
}

static void print_commands(struct page *pg, const char *commands)
{
    if (*commands == '\0')
        return;
    g_auto(GStrv) lines = g_strsplit(commands, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_autofree char *clean = page_name(pg, *line, 0);
        page_paragraph(pg, 6, INK_NONE, NULL, clean);
    }
}

static void print_piece(struct page *pg, const struct plan_advice *a)
{
    g_autofree char *ns = a->coll == NULL ? NULL : page_name(pg, a->coll->ns, 0);
    g_autofree char *label = g_strdup_printf("%s%s%s:", a->code, ns == NULL ? "" : " ", ns == NULL ? "" : ns);
    g_autofree char *message = page_name(pg, a->message, 0), *todo = page_name(pg, a->todo, 0);
    page_paragraph(pg, 2, INK_WARNING, label, message);
    page_paragraph(pg, 4, INK_NONE, "What to do:", todo);
    print_commands(pg, a->commands);
}

void advice_text(struct page *pg, const GArray *advice)
{
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    if (advice->len == 0)
        return;
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, "Advice");
    for (guint i = 0; i < advice->len; i++) {
        const struct plan_advice *a = &g_array_index(advice, struct plan_advice, i);
        if (count_seen(seen, a->code) < FOLD_CODE || pg->all)
            print_piece(pg, a);
    }
    for (guint i = 0; i < seen->len && !pg->all; i++) {
        const struct seen *s = &g_array_index(seen, struct seen, i);
        g_autofree char *thing =
            g_strdup_printf("piece%s of advice '%s'", s->n - FOLD_CODE == 1 ? "" : "s", s->code);
        if (s->n > FOLD_CODE)
            parts_more_of(pg, 2, s->n - FOLD_CODE, thing);
    }
}

void advice_json(struct json_writer *w, const cluster *cl, const GArray *advice)
{
    json_key(w, "advice");
    json_array(w, false);
    for (guint i = 0; i < advice->len; i++) {
        const struct plan_advice *a = &g_array_index(advice, struct plan_advice, i);
        json_object(w, true);
        json_put_string(w, "code", a->code);
        json_put_string(w, "ns", a->coll == NULL ? NULL : a->coll->ns);
        json_put_string(w, "shard", a->shard < cl->n_shards ? cl->shards[a->shard].id : NULL);
        json_put_string(w, "message", a->message);
        json_put_string(w, "todo", a->todo);
        json_key(w, "commands");
        json_array(w, true);
        g_auto(GStrv) lines = g_strsplit(a->commands, "\n", -1);
        for (char **line = lines; *line != NULL; line++)
            json_string(w, *line);
        json_end(w);
        json_end(w);
    }
    json_end(w);
}
