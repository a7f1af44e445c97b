// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/work_private.h"

#include "balancer/key/encode.h"

#include <string.h>

/* One collection of the work in the model. */
struct known {
    const struct collection *coll; /* NULL: not there, or of another key */
    GByteArray *global;            /* the encoded global max */
    GHashTable *zone_bounds;       /* encoded -> const bson_t *, of the model */
};

static void known_free(gpointer p)
{
    struct known *k = p;
    if (k->coll != NULL) {
        g_byte_array_unref(k->global);
        g_hash_table_unref(k->zone_bounds);
    }
    g_free(k);
}

static void add_zone_bound(struct known *k, GBytes *enc, const bson_t *bound)
{
    if (!g_hash_table_contains(k->zone_bounds, enc)) /* the first of equal ones, as planned splits have it */
        g_hash_table_insert(k->zone_bounds, enc, (gpointer)bound);
}

static struct known *known_new(const struct work_collection *wc, const cluster *cl)
{
    struct known *k = g_new0(struct known, 1);
    const struct collection *coll = cluster_find_collection(cl, wc->ns);
    if (coll == NULL || coll->key == NULL || coll->chunks.n == 0 ||
        !g_string_equal(coll->key->names, wc->key->names))
        return k;
    k->coll = coll;
    k->global = g_byte_array_new();
    key_encode_global(coll->key, true, k->global);
    k->zone_bounds = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    for (uint32_t i = 0; i < coll->n_ranges; i++) {
        add_zone_bound(k, coll->ranges[i].enc_min, &coll->ranges[i].min);
        add_zone_bound(k, coll->ranges[i].enc_max, &coll->ranges[i].max);
    }
    return k;
}

/* Appends the cluster's bytes for a bound; false: it has none. */
static bool find_bytes(const struct known *k, GBytes *enc, bson_t *out)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(enc, &len);
    uint32_t chunk;
    if (chunks_find_bound(&k->coll->chunks, data, (uint32_t)len, &chunk)) {
        chunk_min(k->coll, &k->coll->chunks, chunk, out);
        return true;
    }
    if (key_cmp(data, (uint32_t)len, k->global->data, k->global->len) == 0) {
        key_pattern_global(k->coll->key, true, out);
        return true;
    }
    const bson_t *bound = g_hash_table_lookup(k->zone_bounds, enc);
    return bound != NULL && bson_concat(out, bound);
}

/* 1 where the bound was found and taken. */
static size_t replace(const struct known *k, GBytes *enc, bson_t **bound)
{
    bson_t *found = bson_new();
    if (!find_bytes(k, enc, found)) {
        bson_destroy(found);
        return 0;
    }
    bson_destroy(*bound);
    *bound = found;
    return 1;
}

static size_t resolve_step(const struct known *k, struct work_step *s)
{
    size_t n = replace(k, s->enc_min, &s->min) + replace(k, s->enc_max, &s->max);
    for (guint i = 0; s->at != NULL && i < s->at->len; i++) {
        g_autoptr(GBytes) enc = step_encode(s->coll, s->at->pdata[i], NULL);
        n += replace(k, enc, (bson_t **)&s->at->pdata[i]);
    }
    return n;
}

size_t work_resolve(work *w, const cluster *cl)
{
    g_autoptr(GHashTable) all = g_hash_table_new_full(NULL, NULL, NULL, known_free);
    size_t n = 0;
    for (guint i = 0; i < w->collections->len; i++)
        g_hash_table_insert(all, w->collections->pdata[i], known_new(w->collections->pdata[i], cl));
    for (guint i = 0; i < w->steps->len; i++) {
        struct work_step *s = w->steps->pdata[i];
        const struct known *k = g_hash_table_lookup(all, s->coll);
        if (k->coll != NULL)
            n += resolve_step(k, s);
    }
    return n;
}
