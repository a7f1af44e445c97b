// SPDX-License-Identifier: Apache-2.0
#include "balancer/cluster/cluster.h"

#include "balancer/key/encode.h"

#include <string.h>

static const char *const excluded_words[EXCLUDED_COUNT] = {
    [EXCLUDED_FILTERED] = "filtered",         [EXCLUDED_METADATA_INVALID] = "metadataInvalid",
    [EXCLUDED_UNSPLITTABLE] = "unsplittable", [EXCLUDED_TIME_SERIES] = "timeSeries",
    [EXCLUDED_RESHARDING] = "resharding",     [EXCLUDED_DEFRAGMENTING] = "defragmenting",
    [EXCLUDED_NO_BALANCE] = "noBalance",      [EXCLUDED_MIGRATIONS_NOT_PERMITTED] = "migrationsNotPermitted",
};

const char *excluded_text(enum excluded e)
{
    return excluded_words[e];
}

enum excluded collection_excluded(const struct collection *c, bool time_series_even)
{
    if (c->invalid != NULL)
        return EXCLUDED_METADATA_INVALID;
    if (c->unsplittable)
        return EXCLUDED_UNSPLITTABLE;
    if (c->time_series && !time_series_even)
        return EXCLUDED_TIME_SERIES;
    if (c->resharding)
        return EXCLUDED_RESHARDING;
    if (c->defragmenting)
        return EXCLUDED_DEFRAGMENTING;
    if (c->no_balance)
        return EXCLUDED_NO_BALANCE;
    if (c->migrations_not_permitted)
        return EXCLUDED_MIGRATIONS_NOT_PERMITTED;
    return EXCLUDED_NO;
}

char *collection_version_text(const struct collection *c, uint64_t version)
{
    char epoch[25];
    bson_oid_to_string(&c->epoch, epoch);
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "%u|%u||%s", (unsigned)(version >> 32), (unsigned)(version & UINT32_MAX),
                           epoch);
    if (c->has_timestamp)
        g_string_append_printf(out, "||Timestamp(%u, %u)", (unsigned)c->timestamp_t,
                               (unsigned)c->timestamp_i);
    return g_string_free(out, FALSE);
}

void chunk_min(const struct collection *c, const struct chunks *ch, uint32_t i, bson_t *out)
{
    key_unpack(c->key, ch->pack + ch->pack_at[i], ch->pack_at[i + 1] - ch->pack_at[i], out);
}

void chunk_max(const struct collection *c, const struct chunks *ch, uint32_t i, bson_t *out)
{
    if (i + 1 == ch->n)
        key_pattern_global(c->key, true, out);
    else
        chunk_min(c, ch, i + 1, out);
}

uint32_t chunks_find(const struct chunks *ch, const uint8_t *enc, uint32_t len)
{
    uint32_t lo = 0, hi = ch->n; /* the answer is in [lo, hi), but for a key below the first min */
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2, mid_len;
        const uint8_t *mid_enc = chunk_enc(ch, mid, &mid_len);
        if (key_cmp(mid_enc, mid_len, enc, len) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

bool chunks_find_bound(const struct chunks *ch, const uint8_t *enc, uint32_t len, uint32_t *ret)
{
    uint32_t found_len, found = chunks_find(ch, enc, len);
    const uint8_t *found_enc = chunk_enc(ch, found, &found_len);
    *ret = found;
    return key_cmp(found_enc, found_len, enc, len) == 0;
}

void chunks_clear(struct chunks *ch)
{
    g_free(ch->enc_at);
    g_free(ch->enc);
    g_free(ch->pack_at);
    g_free(ch->pack);
    g_free(ch->shard);
    g_free(ch->flags);
    g_free(ch->version);
    g_free(ch->bytes);
    *ch = (struct chunks){0};
}

static void range_clear(struct zone_range *r)
{
    g_bytes_unref(r->enc_min);
    g_bytes_unref(r->enc_max);
    bson_destroy(&r->min);
    bson_destroy(&r->max);
}

static void collection_clear(struct collection *c)
{
    g_free(c->ns);
    g_free(c->invalid);
    key_pattern_free(c->key);
    chunks_clear(&c->chunks);
    for (uint32_t i = 0; i < c->n_ranges; i++)
        range_clear(&c->ranges[i]);
    g_aligned_free(c->ranges);
    g_free(c->bytes);
}

static void shards_free(cluster *c)
{
    for (uint16_t i = 0; i < c->n_shards; i++) {
        g_free(c->shards[i].id);
        g_free(c->shards[i].host);
        g_free(c->shards[i].zones);
    }
    g_free(c->shards);
}

void cluster_free(cluster *c)
{
    if (c == NULL)
        return;
    shards_free(c);
    for (uint32_t i = 0; i < c->n_zones; i++)
        g_free(c->zones[i]);
    g_free(c->zones);
    for (uint32_t i = 0; i < c->n_databases; i++)
        g_free(c->databases[i].name);
    g_free(c->databases);
    for (uint32_t i = 0; i < c->n_collections; i++)
        collection_clear(&c->collections[i]);
    g_free(c->collections);
    g_free(c->settings.window_start);
    g_free(c->settings.window_stop);
    g_clear_pointer(&c->settings.day_windows, g_array_unref);
    g_free(c->settings.invalid);
    g_free(c->server_version);
    g_array_unref(c->history);
    g_array_unref(c->warnings);
    g_ptr_array_unref(c->first_ns);
    g_ptr_array_unref(c->tags);
    g_free(c);
}

uint16_t cluster_find_shard(const cluster *c, const char *id)
{
    for (uint16_t i = 0; i < c->n_shards; i++)
        if (strcmp(c->shards[i].id, id) == 0)
            return i;
    return SHARD_NONE;
}

uint32_t cluster_find_zone(const cluster *c, const char *name)
{
    uint32_t lo = 0, hi = c->n_zones;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = strcmp(c->zones[mid], name);
        if (order == 0)
            return mid;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return ZONE_NONE;
}

const struct collection *cluster_find_collection(const cluster *c, const char *ns)
{
    for (uint32_t i = 0; i < c->n_collections; i++)
        if (strcmp(c->collections[i].ns, ns) == 0)
            return &c->collections[i];
    return NULL;
}

bool shard_has_zone(const struct shard *s, uint32_t zone)
{
    if (zone == ZONE_NONE)
        return true;
    for (uint32_t i = 0; i < s->n_zones && s->zones[i] <= zone; i++)
        if (s->zones[i] == zone)
            return true;
    return false;
}

const char *cluster_zone_name(const cluster *c, uint32_t zone)
{
    return zone == ZONE_NONE ? "no zone" : c->zones[zone];
}

static int int_cmp(int a, int b)
{
    return (a > b) - (a < b);
}

int cluster_version_cmp(const cluster *c, int major, int minor, int patch)
{
    int order = int_cmp(c->server_major, major);
    if (order == 0)
        order = int_cmp(c->server_minor, minor);
    return order != 0 ? order : int_cmp(c->server_patch, patch);
}

int64_t cluster_max_chunk_bytes(const cluster *c, const struct collection *coll, bool by_size)
{
    if (coll->max_chunk_bytes > 0)
        return coll->max_chunk_bytes;
    if (by_size && strcmp(coll->ns, "config.system.sessions") == 0)
        return 200000;
    return c->settings.chunk_bytes;
}

bool cluster_has_move_range(const cluster *c)
{
    return cluster_version_cmp(c, 6, 0, 0) >= 0;
}
