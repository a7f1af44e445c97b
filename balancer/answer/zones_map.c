// SPDX-License-Identifier: Apache-2.0
#include "balancer/answer/zones_map.h"

#include "balancer/answer/lookup.h"

/* A point of the key space towards the chunks. */
struct place {
    uint32_t chunk; /* that begins there, or that it cuts; chunks.n: the end of the key space */
    bool cuts;
};

static struct place place_of(const struct chunks *ch, GBytes *key, const GBytes *global)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(key, &len);
    struct place p = {.chunk = ch->n};
    if (g_bytes_compare(key, global) < 0)
        p.cuts = !chunks_find_bound(ch, data, (uint32_t)len, &p.chunk);
    return p;
}

/* Fills the counts of a part between two places. */
static void count_part(struct zone_part *part, const struct chunks *ch, struct place from, struct place to)
{
    uint32_t first = from.chunk + (from.cuts ? 1 : 0);
    part->inside = to.chunk > first ? to.chunk - first : 0;
    part->crossing = from.cuts ? 1 : 0;
    if (to.cuts && !(from.cuts && from.chunk == to.chunk))
        part->crossing++;
    for (uint32_t i = first; i < first + part->inside; i++) {
        if (ch->bytes == NULL || ch->bytes[i] < 0) {
            part->bytes = SIZE_UNKNOWN;
            return;
        }
        part->bytes += ch->bytes[i];
    }
}

static void add_part(zones_map *m, const struct zone_range *range, const bson_t *min, const bson_t *max,
                     struct place from, struct place to)
{
    struct zone_part part = {.range = range, .min = min, .max = max};
    count_part(&part, &m->coll->chunks, from, to);
    g_array_append_val(m->parts, part);
}

zones_map *zones_map_new(const struct collection *coll)
{
    zones_map *m = g_new0(zones_map, 1);
    const struct chunks *ch = &coll->chunks;
    g_autoptr(GBytes) global = lookup_global_max(coll);
    m->coll = coll;
    m->parts = g_array_new(FALSE, FALSE, sizeof(struct zone_part));
    m->global_min = bson_new();
    m->global_max = bson_new();
    key_pattern_global(coll->key, false, m->global_min);
    key_pattern_global(coll->key, true, m->global_max);
    const bson_t *at = m->global_min;
    struct place at_place = {0}, end = {.chunk = ch->n};
    for (uint32_t i = 0; i < coll->n_ranges; i++) {
        const struct zone_range *r = &coll->ranges[i];
        struct place from = place_of(ch, r->enc_min, global), to = place_of(ch, r->enc_max, global);
        bool gap = i == 0 ? from.cuts || from.chunk > 0
                          : g_bytes_compare(coll->ranges[i - 1].enc_max, r->enc_min) < 0;
        if (gap)
            add_part(m, NULL, at, &r->min, at_place, from);
        add_part(m, r, &r->min, &r->max, from, to);
        at = &r->max;
        at_place = to;
    }
    if (at_place.chunk < ch->n)
        add_part(m, NULL, at, m->global_max, at_place, end);
    return m;
}

void zones_map_free(zones_map *m)
{
    if (m == NULL)
        return;
    g_array_unref(m->parts);
    bson_destroy(m->global_min);
    bson_destroy(m->global_max);
    g_free(m);
}

GArray *zones_carriers(const cluster *cl, uint32_t zone, uint32_t *drained)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    uint32_t n = 0;
    for (uint16_t s = 0; s < cl->n_shards; s++)
        if (shard_has_zone(&cl->shards[s], zone)) {
            g_array_append_val(out, s);
            n += cl->shards[s].draining ? 1 : 0;
        }
    if (drained != NULL)
        *drained = n;
    return out;
}

bool zones_has_range(const cluster *cl, uint32_t zone)
{
    for (uint32_t i = 0; i < cl->n_collections; i++)
        for (uint32_t k = 0; k < cl->collections[i].n_ranges; k++)
            if (cl->collections[i].ranges[k].zone == zone)
                return true;
    return false;
}
