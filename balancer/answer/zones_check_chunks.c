// SPDX-License-Identifier: Apache-2.0
/* Sound ranges against the chunks: where bounds cut chunks, and what no zone covers. */
#include "balancer/answer/zones_check_private.h"

#include "balancer/answer/zones_map.h"
#include "balancer/key/show.h"
#include "balancer/policy/splits.h"
#include "common/text.h"

enum { EXAMPLES_MAX = 3 };

static void append_chunk(GString *out, const struct collection *coll, uint32_t chunk)
{
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(coll, &coll->chunks, chunk, &min);
    chunk_max(coll, &coll->chunks, chunk, &max);
    g_string_append_c(out, '[');
    key_show(out, &min, SHOWN_MAX);
    g_string_append(out, ", ");
    key_show(out, &max, SHOWN_MAX);
    g_string_append_c(out, ')');
    bson_destroy(&min);
    bson_destroy(&max);
}

static void add_splits_fix(struct zone_finding *f, const struct collection *coll, const GArray *splits)
{
    for (guint i = 0; i < splits->len; i++) {
        const struct split *s = &g_array_index(splits, struct split, i);
        for (guint p = 0; p < s->points_bson->len && f->fix->len < FIX_MAX; p++)
            g_ptr_array_add(f->fix, fix_split(coll->ns, s->points_bson->pdata[p]));
    }
}

static void check_crossing(struct check *k, const struct collection *coll)
{
    g_autoptr(GArray) splits = splits_find(k->cl, coll, true);
    g_autoptr(GString) text = g_string_new(NULL);
    guint points = 0;
    for (guint i = 0; i < splits->len; i++) {
        const struct split *s = &g_array_index(splits, struct split, i);
        points += s->points_bson->len;
        if (i >= EXAMPLES_MAX)
            continue;
        g_string_append(text, i == 0 ? "" : ", ");
        append_chunk(text, coll, s->chunk);
        g_string_append(text, " on ");
        text_append_escaped(text, k->cl->shards[coll->chunks.shard[s->chunk]].id, -1);
    }
    if (splits->len == 0)
        return;
    if (splits->len > EXAMPLES_MAX)
        g_string_append_printf(text, " and %u more", splits->len - EXAMPLES_MAX);
    struct zone_finding *f = finding_add(
        k, ZONE_WARNING, "chunksCross", coll->ns, NULL,
        "%u chunk%s a zone's bound: %s; until %s split at the bound%s, nothing of the collection is "
        "moved%s",
        splits->len, splits->len == 1 ? " crosses" : "s cross", text->str,
        splits->len == 1 ? "it is" : "they are", points == 1 ? "" : "s",
        points > FIX_MAX ? " (the fix shows the first; 'evenkeel plan --format commands' has all)" : "");
    add_splits_fix(f, coll, splits);
}

static void check_gaps(struct check *k, const struct collection *coll)
{
    g_autoptr(zones_map) map = zones_map_new(coll);
    g_autoptr(GString) text = g_string_new(NULL);
    guint gaps = 0;
    uint32_t chunks = 0;
    for (guint i = 0; i < map->parts->len; i++) {
        const struct zone_part *p = &g_array_index(map->parts, struct zone_part, i);
        if (p->range != NULL)
            continue;
        chunks += p->inside;
        if (gaps++ >= EXAMPLES_MAX)
            continue;
        g_string_append(text, gaps == 1 ? "[" : ", [");
        key_show(text, p->min, SHOWN_MAX);
        g_string_append(text, ", ");
        key_show(text, p->max, SHOWN_MAX);
        g_string_append_c(text, ')');
    }
    if (gaps == 0)
        return;
    if (gaps > EXAMPLES_MAX)
        g_string_append_printf(text, " and %u more", gaps - EXAMPLES_MAX);
    g_autofree char *count = text_count(chunks);
    finding_add(k, ZONE_INFO, "gap", coll->ns, NULL,
                "%s chunk%s in no zone and may be on any shard, those of zones included: %s", count,
                chunks == 1 ? " is" : "s are", text->str);
}

void check_chunks(struct check *k, const struct collection *coll)
{
    if (coll->invalid != NULL || coll->key == NULL || coll->chunks.n == 0 || coll->n_ranges == 0 ||
        coll->time_series || coll->unsplittable)
        return;
    check_crossing(k, coll);
    check_gaps(k, coll);
}
