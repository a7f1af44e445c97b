// SPDX-License-Identifier: Apache-2.0
#include "balancer/report/whatif.h"

enum { FOLD_CHANGES = 20 };

void whatif_text(struct page *pg, const change_list *c)
{
    guint n = c == NULL ? 0 : c->list->len, shown = pg->all ? n : MIN(n, FOLD_CHANGES);
    for (guint i = 0; i < shown; i++) {
        g_autofree char *text = change_text(&g_array_index(c->list, struct wished, i));
        g_autofree char *clean = page_elide(pg, text, 0);
        page_paragraph(pg, 0, INK_WARNING, "what if:", clean);
    }
    if (shown < n) {
        g_autofree char *more = g_strdup_printf("%u more changes; --all shows them", n - shown);
        page_paragraph(pg, 0, INK_WARNING, "what if:", more);
    }
}

static void put_names(struct json_writer *w, const char *key, const GPtrArray *names)
{
    json_key(w, key);
    json_array(w, true);
    for (guint i = 0; i < names->len; i++)
        json_string(w, names->pdata[i]);
    json_end(w);
}

static void write_change(struct json_writer *w, const struct wished *ch)
{
    json_object(w, true);
    json_put_string(w, "kind", change_kind_text(ch->kind));
    if (ch->kind == CHANGE_ZONES) {
        json_put_string(w, "file", ch->file);
        put_names(w, "collections", ch->namespaces);
        put_names(w, "shards", ch->shards);
    } else {
        json_put_string(w, "shard", ch->shard);
    }
    if (ch->kind == CHANGE_ADD_SHARD)
        put_names(w, "zones", ch->zones);
    if (ch->kind == CHANGE_WEIGHT)
        json_put_double(w, "weight", ch->weight);
    json_end(w);
}

void whatif_json(struct json_writer *w, const change_list *c)
{
    if (c == NULL || c->list->len == 0)
        return;
    json_key(w, "whatIf");
    json_array(w, false);
    for (guint i = 0; i < c->list->len; i++)
        write_change(w, &g_array_index(c->list, struct wished, i));
    json_end(w);
}
