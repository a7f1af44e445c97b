// SPDX-License-Identifier: Apache-2.0
/* Bounds and chunks: order, versions, history. A collection's chunks tile its key space at all times;
 * everything that changes them goes through sb_chunk_cut(), sb_chunk_drop() and sb_chunk_placed(). */
#include "balancer/key/encode.h"
#include "balancer/key/hash.h"
#include "sandbox/cluster_impl.h"

#include <string.h>

static struct bound *bound_of(const bson_t *doc, GByteArray *enc)
{
    struct bound *b = g_rc_box_new0(struct bound);
    b->doc = bson_copy(doc);
    b->len = enc->len;
    b->enc = g_byte_array_free(enc, FALSE);
    return b;
}

struct bound *sb_bound_new(const key_pattern *key, const bson_t *doc, struct err *err)
{
    GByteArray *enc = g_byte_array_new();
    if (!key_encode_bound(bson_get_data(doc), doc->len, key->names, enc, NULL, err)) {
        g_byte_array_unref(enc);
        return NULL;
    }
    return bound_of(doc, enc);
}

/* The value itself, or its hash; {$eq: value} counts as the value. */
static bool append_key_value(bson_t *key, const struct key_field *f, const bson_iter_t *found)
{
    bson_iter_t it = *found, eq;
    struct err err = {0};
    int64_t hash;
    if (BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &eq) && bson_iter_find(&eq, "$eq"))
        it = eq;
    if (!f->hashed)
        return bson_append_iter(key, f->name, -1, &it);
    return key_hash_value(&it, &hash, &err) && bson_append_int64(key, f->name, -1, hash);
}

struct bound *sb_bound_of_query(const struct coll *k, const bson_t *query)
{
    bson_t key = BSON_INITIALIZER;
    bson_iter_t it;
    bool full = true;
    for (uint32_t i = 0; i < k->key->n_fields && full; i++) {
        const struct key_field *f = &k->key->fields[i];
        full = bson_iter_init_find(&it, query, f->name) && append_key_value(&key, f, &it);
    }
    struct bound *b = full ? sb_bound_new(k->key, &key, NULL) : NULL;
    bson_destroy(&key);
    return b;
}

struct bound *sb_bound_global(const key_pattern *key, bool max)
{
    bson_t doc = BSON_INITIALIZER;
    GByteArray *enc = g_byte_array_new();
    key_pattern_global(key, max, &doc);
    key_encode_global(key, max, enc);
    struct bound *b = bound_of(&doc, enc);
    bson_destroy(&doc);
    return b;
}

struct bound *sb_bound_ref(struct bound *b)
{
    return g_rc_box_acquire(b);
}

static void bound_clear(void *data)
{
    struct bound *b = data;
    bson_destroy(b->doc);
    g_free(b->enc);
}

void sb_bound_unref(struct bound *b)
{
    if (b != NULL)
        g_rc_box_release_full(b, bound_clear);
}

int sb_bound_cmp(const struct bound *a, const struct bound *b)
{
    return key_cmp(a->enc, a->len, b->enc, b->len);
}

struct chunk *sb_chunk_new(struct coll *k, struct bound *min, struct bound *max, struct shard *s)
{
    struct chunk *ch = g_new0(struct chunk, 1);
    ch->coll = k;
    ch->min = min;
    ch->max = max;
    ch->shard = s;
    ch->jumbo = -1;
    ch->history = g_array_new(FALSE, FALSE, sizeof(struct placed));
    sb_oid_next(k->c, &ch->id);
    return ch;
}

void sb_chunk_free(void *data)
{
    struct chunk *ch = data;
    sb_bound_unref(ch->min);
    sb_bound_unref(ch->max);
    g_array_unref(ch->history);
    if (ch->doc != NULL)
        bson_destroy(ch->doc);
    g_free(ch);
}

void sb_chunk_changed(struct chunk *ch)
{
    if (ch->doc != NULL)
        bson_destroy(ch->doc);
    ch->doc = NULL;
    sb_changed(ch->coll->c);
}

/* The first chunk whose max lies above `at`. */
guint sb_chunk_index(const struct coll *k, const struct bound *at)
{
    guint low = 0, high = k->chunks->len;
    while (low < high) {
        guint mid = low + (high - low) / 2;
        const struct chunk *ch = k->chunks->pdata[mid];
        if (sb_bound_cmp(at, ch->max) < 0)
            high = mid;
        else
            low = mid + 1;
    }
    /* the global maximum lies in the last chunk: a key may really be MaxKey */
    return MIN(low, k->chunks->len - 1);
}

struct chunk *sb_chunk_at(const struct coll *k, const struct bound *at)
{
    return k->chunks->len > 0 ? k->chunks->pdata[sb_chunk_index(k, at)] : NULL;
}

struct chunk *sb_chunk_exact(const struct coll *k, const struct bound *min, const struct bound *max)
{
    struct chunk *ch = sb_chunk_at(k, min);
    return ch != NULL && sb_bound_cmp(ch->min, min) == 0 && sb_bound_cmp(ch->max, max) == 0 ? ch : NULL;
}

void sb_chunk_insert(struct coll *k, struct chunk *ch)
{
    guint i = k->chunks->len == 0 ? 0 : sb_chunk_index(k, ch->min);
    if (k->chunks->len > 0 && sb_bound_cmp(((struct chunk *)k->chunks->pdata[i])->min, ch->min) < 0)
        i++;
    g_ptr_array_insert(k->chunks, (gint)i, ch);
    g_ptr_array_add(k->c->chunks, ch);
    sb_changed(k->c);
}

void sb_chunk_drop(struct coll *k, guint index)
{
    struct chunk *ch = k->chunks->pdata[index];
    g_ptr_array_remove_index(k->chunks, index);
    sb_changed(k->c);
    g_ptr_array_remove(k->c->chunks, ch);
}

void sb_chunk_set_version(struct chunk *ch, uint64_t version)
{
    ch->version = version;
    ch->coll->version = MAX(ch->coll->version, version);
    sb_chunk_changed(ch);
}

uint64_t sb_version_major(uint64_t version)
{
    return ((version >> 32) + 1) << 32;
}

/* How long a place stays in the history. 4.2 forgets what is older; later servers keep the one that was valid
 * when the window began, so that a snapshot read of that moment finds its shard. */
static void trim_history(struct chunk *ch, struct stamp now)
{
    bool later = sb_since(ch->coll->c, 4, 4);
    uint32_t window = later ? 300 : 10;
    while (ch->history->len > 1) {
        guint last = ch->history->len - 1;
        const struct placed *decides = &g_array_index(ch->history, struct placed, later ? last - 1 : last);
        if ((uint64_t)decides->since.t + window >= now.t)
            break;
        g_array_set_size(ch->history, last);
    }
}

void sb_chunk_placed(struct chunk *ch, struct shard *to, struct stamp when)
{
    struct placed p = {when, to};
    ch->shard = to;
    g_array_prepend_val(ch->history, p);
    trim_history(ch, when);
    sb_chunk_changed(ch);
}

void sb_chunk_history_reset(struct chunk *ch, struct stamp when)
{
    struct placed p = {when, ch->shard};
    g_array_set_size(ch->history, 0);
    g_array_append_val(ch->history, p);
    sb_chunk_changed(ch);
}

/* Cuts off what lies above `at` into a new chunk; data by where `at` lies. */
static struct chunk *cut_once(struct chunk *ch, struct bound *at)
{
    double fraction = sb_key_position(ch->coll, ch->min->doc, ch->max->doc, at->doc);
    int64_t documents = (int64_t)((double)ch->documents * fraction + 0.5);
    int64_t bytes = ch->documents > 0
                        ? (int64_t)((double)ch->bytes * ((double)documents / (double)ch->documents) + 0.5)
                        : (int64_t)((double)ch->bytes * fraction);
    struct chunk *right = sb_chunk_new(ch->coll, sb_bound_ref(at), ch->max, ch->shard);
    ch->max = sb_bound_ref(at);
    right->documents = ch->documents - MIN(documents, ch->documents);
    right->bytes = ch->bytes - MIN(bytes, ch->bytes);
    ch->documents -= right->documents;
    ch->bytes -= right->bytes;
    right->version = ch->version;
    g_array_append_vals(right->history, ch->history->data, ch->history->len);
    ch->jumbo = -1;
    ch->keys = 0;
    sb_chunk_changed(ch);
    sb_chunk_insert(ch->coll, right);
    return right;
}

void sb_chunk_cut(struct chunk *ch, struct bound **at, guint n, GPtrArray *ret)
{
    if (ret != NULL)
        g_ptr_array_add(ret, ch);
    for (guint i = 0; i < n; i++) {
        ch = cut_once(ch, at[i]);
        if (ret != NULL)
            g_ptr_array_add(ret, ch);
    }
}
