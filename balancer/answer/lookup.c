// SPDX-License-Identifier: Apache-2.0
#include "balancer/answer/lookup.h"

#include "balancer/key/encode.h"
#include "common/text.h"

enum { NAMES_MAX = 10 }; /* listed in one message */

bool lookup_collection(const cluster *cl, const char *ns, const struct collection **ret, struct err *err)
{
    const struct collection *found = cluster_find_collection(cl, ns);
    if (found != NULL) {
        *ret = found;
        return true;
    }
    if (cl->n_collections == 0)
        return err_set(err, ERR_USAGE, "no sharded collection named '%s'; there is none at all", ns);
    g_autoptr(GString) names = g_string_new(NULL);
    for (uint32_t i = 0; i < cl->n_collections && i < NAMES_MAX; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", cl->collections[i].ns);
    if (cl->n_collections > NAMES_MAX)
        g_string_append_printf(names, " and %u more", cl->n_collections - NAMES_MAX);
    return err_set(err, ERR_USAGE, "no sharded collection named '%s'; there are %s", ns, names->str);
}

bool lookup_sound_collection(const cluster *cl, const char *ns, const struct collection **ret,
                             struct err *err)
{
    const struct collection *found = NULL;
    if (!lookup_collection(cl, ns, &found, err))
        return false;
    if (found->invalid != NULL)
        return err_set(err, ERR_DATA, "the metadata of '%s' is damaged: %s", ns, found->invalid);
    if (found->key == NULL || found->chunks.n == 0)
        return err_set(err, ERR_DATA, "'%s' has no chunks in this metadata", ns);
    *ret = found;
    return true;
}

bool lookup_shard(const cluster *cl, const char *id, uint16_t *ret, struct err *err)
{
    uint16_t shard = cluster_find_shard(cl, id);
    if (shard != SHARD_NONE) {
        *ret = shard;
        return true;
    }
    g_autofree uint16_t *all = g_new(uint16_t, MAX(cl->n_shards, 1));
    for (uint16_t i = 0; i < cl->n_shards; i++)
        all[i] = i;
    g_autoptr(GString) names = g_string_new(NULL);
    lookup_append_shards(names, cl, all, cl->n_shards, NAMES_MAX);
    return err_set(err, ERR_USAGE, "no shard '%s' in this cluster; there %s %s", id,
                   cl->n_shards == 1 ? "is" : "are", cl->n_shards == 0 ? "none" : names->str);
}

void lookup_append_shards(GString *out, const cluster *cl, const uint16_t *shards, uint32_t n, uint32_t max)
{
    uint32_t shown = MIN(n, max);
    for (uint32_t i = 0; i < shown; i++) {
        g_string_append(out, i == 0 ? "" : i + 1 == n ? " and " : ", ");
        text_append_escaped(out, cl->shards[shards[i]].id, -1);
    }
    if (n > shown)
        g_string_append_printf(out, " and %u more", n - shown);
}

GBytes *lookup_global_max(const struct collection *coll)
{
    GByteArray *enc = g_byte_array_new();
    key_encode_global(coll->key, true, enc);
    return g_byte_array_free_to_bytes(enc);
}

static int cmp_bytes(GBytes *a, const uint8_t *key, uint32_t len)
{
    gsize alen;
    const uint8_t *data = g_bytes_get_data(a, &alen);
    return key_cmp(data, (uint32_t)alen, key, len);
}

/* The first range that ends behind the key. */
static uint32_t first_range_after(const struct collection *coll, const uint8_t *key, uint32_t len)
{
    uint32_t lo = 0, hi = coll->n_ranges;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (cmp_bytes(coll->ranges[mid].enc_max, key, len) > 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

struct chunk_zone lookup_chunk_zone(const struct collection *coll, uint32_t chunk)
{
    struct chunk_zone out = {.zone = ZONE_NONE, .range = UINT32_MAX};
    uint32_t min_len, max_len;
    const uint8_t *min = chunk_enc(&coll->chunks, chunk, &min_len);
    uint32_t i = first_range_after(coll, min, min_len);
    if (i == coll->n_ranges)
        return out;
    const struct zone_range *r = &coll->ranges[i];
    if (chunk + 1 == coll->chunks.n) { /* it ends at the global maximum, and no range goes beyond */
        g_autoptr(GBytes) global = lookup_global_max(coll);
        out.crosses = g_bytes_compare(r->enc_max, global) < 0;
    } else {
        const uint8_t *max = chunk_enc(&coll->chunks, chunk + 1, &max_len);
        if (cmp_bytes(r->enc_min, max, max_len) >= 0)
            return out;
        out.crosses = cmp_bytes(r->enc_max, max, max_len) < 0;
    }
    out.range = i;
    out.crosses |= cmp_bytes(r->enc_min, min, min_len) > 0;
    if (!out.crosses)
        out.zone = r->zone;
    return out;
}
