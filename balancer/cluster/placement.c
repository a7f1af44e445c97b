// SPDX-License-Identifier: Apache-2.0
/* Loads are kept as plain sums beside the chunks, and the movable chunks of each zone on each shard in a
 * binary heap, so that a projection of many rounds costs by the migration, never by the chunk. */
#include "balancer/cluster/placement.h"

#include "balancer/key/encode.h"

#include <string.h>

/* A heap of entries, the lowest key on top. */
struct bucket {
    uint32_t *entries;
    uint32_t n, cap;
};

static size_t cell(const placement *p, uint32_t slot, uint16_t shard)
{
    return (size_t)slot * p->cl->n_shards + shard;
}

static struct piece *piece_at(const placement *p, uint32_t entry)
{
    return &g_array_index(p->pieces, struct piece, entry - p->chunks->n);
}

bool placement_is_piece(const placement *p, uint32_t entry)
{
    return entry >= p->chunks->n;
}

uint32_t placement_chunk_of(const placement *p, uint32_t entry)
{
    return placement_is_piece(p, entry) ? piece_at(p, entry)->chunk : entry;
}

int64_t placement_bytes(const placement *p, uint32_t entry)
{
    return placement_is_piece(p, entry) ? piece_at(p, entry)->bytes : p->bytes_of[entry];
}

uint16_t placement_shard(const placement *p, uint32_t entry)
{
    return placement_is_piece(p, entry) ? piece_at(p, entry)->shard : p->shard_of[entry];
}

/* Pieces were cut off from below, one after the other, so the earlier one is the lower, and the rest comes
 * last. */
int placement_order(const placement *p, uint32_t a, uint32_t b)
{
    uint32_t ca = placement_chunk_of(p, a), cb = placement_chunk_of(p, b);
    if (ca != cb)
        return ca < cb ? -1 : 1;
    bool pa = placement_is_piece(p, a), pb = placement_is_piece(p, b);
    if (pa != pb)
        return pa ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
}

bool placement_was_cut(const placement *p, uint32_t entry)
{
    if (placement_is_piece(p, entry))
        return !piece_at(p, entry)->first;
    return p->cut != NULL && p->cut[entry] != 0;
}

static void bucket_push(const placement *p, struct bucket *b, uint32_t entry)
{
    if (b->n == b->cap) {
        b->cap = b->cap < 4 ? 4 : b->cap + b->cap / 2;
        b->entries = g_renew(uint32_t, b->entries, b->cap);
    }
    uint32_t i = b->n++;
    while (i > 0 && placement_order(p, entry, b->entries[(i - 1) / 2]) < 0) {
        b->entries[i] = b->entries[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    b->entries[i] = entry;
}

static void bucket_pop(const placement *p, struct bucket *b)
{
    uint32_t last = b->entries[--b->n];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= b->n)
            break;
        if (child + 1 < b->n && placement_order(p, b->entries[child + 1], b->entries[child]) < 0)
            child++;
        if (placement_order(p, last, b->entries[child]) <= 0)
            break;
        b->entries[i] = b->entries[child];
        i = child;
    }
    if (b->n > 0)
        b->entries[i] = last;
}

/* A chunk's bytes, or what stands for them: nothing on a shard of unknown size, else one configured chunk. */
static int64_t assume(const placement *p, int64_t bytes, int64_t assumed_bytes)
{
    return bytes >= 0 ? bytes : p->coll->sizes_known ? 0 : assumed_bytes;
}

/* Copies chunk `i` to the end of `to` as `parts` chunks: it and `parts` - 1 that begin at `points`. Its bytes
 * are shared evenly, the first parts taking the remainder. */
static void append_parts(const placement *p, const struct chunks *from, uint32_t i,
                         const struct split_point *points, uint32_t parts, int64_t assumed_bytes,
                         GByteArray *enc, GByteArray *pack, struct chunks *to)
{
    for (uint32_t k = 0; k < parts; k++) {
        uint32_t j = to->n++;
        to->enc_at[j] = enc->len;
        to->pack_at[j] = pack->len;
        if (k == 0) {
            g_byte_array_append(enc, from->enc + from->enc_at[i], from->enc_at[i + 1] - from->enc_at[i]);
            g_byte_array_append(pack, from->pack + from->pack_at[i], from->pack_at[i + 1] - from->pack_at[i]);
        } else {
            const bson_t *b = points[k - 1].bound;
            key_encode_bound(bson_get_data(b), b->len, p->coll->key->names, enc, pack, NULL);
        }
        to->shard[j] = from->shard[i];
        to->flags[j] = (uint8_t)(from->flags[i] | (k > 0 ? CHUNK_PLANNED : 0));
        to->version[j] = from->version[i];
        int64_t b = assume(p, from->bytes[i], assumed_bytes);
        to->bytes[j] = b / parts + (k < b % parts ? 1 : 0);
    }
}

/* The model's chunks with the planned splits done, in p->split. */
static void apply_splits(placement *p, const struct split_point *points, uint32_t n_points,
                         int64_t assumed_bytes)
{
    const struct chunks *from = &p->coll->chunks;
    struct chunks *to = &p->split;
    uint32_t n = from->n + n_points;
    to->enc_at = g_new(uint32_t, n + 1);
    to->pack_at = g_new(uint32_t, n + 1);
    to->shard = g_new(uint16_t, n);
    to->flags = g_new(uint8_t, n);
    to->version = g_new(uint64_t, n);
    to->bytes = g_new(int64_t, n);
    GByteArray *enc = g_byte_array_sized_new(from->enc_at[from->n]);
    GByteArray *pack = g_byte_array_sized_new(from->pack_at[from->n]);
    uint32_t next = 0;
    for (uint32_t i = 0; i < from->n; i++) {
        uint32_t first = next;
        while (next < n_points && points[next].chunk == i)
            next++;
        append_parts(p, from, i, points + first, next - first + 1, assumed_bytes, enc, pack, to);
    }
    to->enc_at[n] = enc->len;
    to->pack_at[n] = pack->len;
    to->enc = g_byte_array_free(enc, FALSE);
    to->pack = g_byte_array_free(pack, FALSE);
    p->has_split = true;
}

/* How many chunks have a min <= the key. */
static uint32_t count_min_le(const struct chunks *ch, const uint8_t *key, uint32_t len)
{
    uint32_t lo = 0, hi = ch->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2, mlen;
        const uint8_t *m = chunk_enc(ch, mid, &mlen);
        if (key_cmp(m, mlen, key, len) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Chunks [*ret_first, *ret_end) lie wholly inside the range. */
static void chunks_inside(const placement *p, const struct zone_range *r, uint32_t *ret_first,
                          uint32_t *ret_end)
{
    gsize min_len, max_len;
    const uint8_t *min = g_bytes_get_data(r->enc_min, &min_len),
                  *max = g_bytes_get_data(r->enc_max, &max_len);
    uint32_t at;
    bool on_bound = chunks_find_bound(p->chunks, min, (uint32_t)min_len, &at);
    *ret_first = on_bound ? at : count_min_le(p->chunks, min, (uint32_t)min_len);
    g_autoptr(GByteArray) global = g_byte_array_new();
    key_encode_global(p->coll->key, true, global);
    if (key_cmp(max, (uint32_t)max_len, global->data, global->len) >= 0)
        *ret_end = p->chunks->n;
    else
        *ret_end = MAX(count_min_le(p->chunks, max, (uint32_t)max_len), 1) - 1;
}

static int cmp_u32(gconstpointer a, gconstpointer b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* One slot per zone with ranges here; zone numbers are in byte order of names already. */
static void make_slots(placement *p, bool use_zones)
{
    g_autoptr(GArray) zones = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (uint32_t i = 0; use_zones && i < p->coll->n_ranges; i++)
        g_array_append_val(zones, p->coll->ranges[i].zone);
    g_array_sort(zones, cmp_u32);
    p->slots = g_new0(struct zone_slot, zones->len + 1);
    for (guint i = 0; i < zones->len; i++) {
        uint32_t z = g_array_index(zones, uint32_t, i);
        if (p->n_slots == 0 || p->slots[p->n_slots - 1].zone != z)
            p->slots[p->n_slots++].zone = z;
    }
    p->slots[p->n_slots++].zone = ZONE_NONE;
    for (uint32_t i = 0; i < p->chunks->n; i++)
        p->slot_of[i] = (uint16_t)(p->n_slots - 1);
    for (uint32_t i = 0; use_zones && i < p->coll->n_ranges; i++) {
        uint32_t first, end, slot = placement_slot(p, p->coll->ranges[i].zone);
        chunks_inside(p, &p->coll->ranges[i], &first, &end);
        for (uint32_t c = first; c < end; c++)
            p->slot_of[c] = (uint16_t)slot;
    }
}

uint32_t placement_slot(const placement *p, uint32_t zone)
{
    if (zone == ZONE_NONE)
        return p->n_slots - 1;
    for (uint32_t s = 0; s + 1 < p->n_slots; s++)
        if (p->slots[s].zone == zone)
            return s;
    return UINT32_MAX;
}

static void add_load(placement *p, uint32_t slot, uint16_t shard, int64_t chunks, int64_t bytes)
{
    p->shard_chunks[shard] += chunks;
    if (p->shard_bytes[shard] >= 0)
        p->shard_bytes[shard] += bytes;
    p->slot_chunks[cell(p, slot, shard)] += chunks;
    p->slot_bytes[cell(p, slot, shard)] += bytes;
}

/* Sums the loads and fills the buckets; chunks come in key order, and a sorted array is a heap. */
static void load_chunks(placement *p, int64_t assumed_bytes)
{
    const struct chunks *ch = p->chunks;
    uint16_t n_shards = p->cl->n_shards;
    bool known = p->coll->sizes_known;
    for (uint16_t s = 0; s < n_shards; s++)
        p->shard_bytes[s] = known && p->coll->bytes[s] < 0 ? SIZE_UNKNOWN : 0;
    for (uint32_t i = 0; i < ch->n; i++) {
        uint16_t shard = ch->shard[i], slot = p->slot_of[i];
        int64_t bytes = assume(p, ch->bytes[i], assumed_bytes);
        p->shard_of[i] = shard;
        p->bytes_of[i] = bytes;
        add_load(p, slot, shard, 1, bytes);
        p->slots[slot].chunks++;
        p->slots[slot].bytes += bytes;
        if (ch->flags[i] & CHUNK_JUMBO)
            p->slot_jumbo[cell(p, slot, shard)]++;
        else
            p->buckets[cell(p, slot, shard)].cap++;
    }
    for (uint16_t s = 0; known && s < n_shards; s++)
        if (p->coll->bytes[s] >= 0) /* what the shard reports counts, orphans without a chunk included */
            p->shard_bytes[s] = p->coll->bytes[s];
    for (uint32_t i = 0; i < ch->n; i++) {
        if (ch->flags[i] & CHUNK_JUMBO)
            continue;
        struct bucket *b = &p->buckets[cell(p, p->slot_of[i], ch->shard[i])];
        if (b->entries == NULL)
            b->entries = g_new(uint32_t, b->cap);
        b->entries[b->n++] = i;
    }
}

placement *placement_new(const cluster *cl, const struct collection *coll, bool use_zones,
                         const struct split_point *points, uint32_t n_points, int64_t assumed_bytes)
{
    placement *p = g_new0(placement, 1);
    p->cl = cl;
    p->coll = coll;
    p->chunks = &coll->chunks;
    p->sizes_assumed = !coll->sizes_known;
    p->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
    if (n_points > 0) {
        apply_splits(p, points, n_points, assumed_bytes);
        p->chunks = &p->split;
    }
    uint32_t n = p->chunks->n;
    p->slot_of = g_new(uint16_t, n);
    p->shard_of = g_new(uint16_t, n);
    p->bytes_of = g_new(int64_t, n);
    make_slots(p, use_zones);
    size_t cells = (size_t)p->n_slots * cl->n_shards;
    p->shard_chunks = g_new0(int64_t, cl->n_shards);
    p->shard_bytes = g_new0(int64_t, cl->n_shards);
    p->slot_chunks = g_new0(int64_t, cells);
    p->slot_bytes = g_new0(int64_t, cells);
    p->slot_jumbo = g_new0(int64_t, cells);
    p->buckets = g_new0(struct bucket, cells);
    load_chunks(p, assumed_bytes);
    return p;
}

void placement_free(placement *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < (size_t)p->n_slots * p->cl->n_shards; i++)
        g_free(p->buckets[i].entries);
    g_free(p->buckets);
    chunks_clear(&p->split);
    g_free(p->slots);
    g_free(p->slot_of);
    g_free(p->shard_of);
    g_free(p->bytes_of);
    g_free(p->shard_chunks);
    g_free(p->shard_bytes);
    g_free(p->slot_chunks);
    g_free(p->slot_bytes);
    g_free(p->slot_jumbo);
    g_free(p->cut);
    g_array_unref(p->pieces);
    g_free(p);
}

uint32_t placement_first(const placement *p, uint32_t slot, uint16_t shard)
{
    const struct bucket *b = &p->buckets[cell(p, slot, shard)];
    return b->n == 0 ? ENTRY_NONE : b->entries[0];
}

/* Cuts the lower `bytes` off a chunk or piece that stays where it is. */
static uint32_t cut_off(placement *p, uint32_t entry, uint16_t to, int64_t bytes)
{
    struct piece piece = {.chunk = placement_chunk_of(p, entry),
                          .shard = to,
                          .bytes = bytes,
                          .first = !placement_was_cut(p, entry)};
    p->bytes_of[entry] -= bytes;
    if (p->cut == NULL)
        p->cut = g_new0(uint8_t, p->chunks->n);
    p->cut[entry] = 1;
    g_array_append_val(p->pieces, piece);
    return p->chunks->n + p->pieces->len - 1;
}

uint32_t placement_relocate(placement *p, uint32_t entry, uint16_t to, int64_t bytes)
{
    uint32_t slot = p->slot_of[placement_chunk_of(p, entry)];
    uint16_t from = placement_shard(p, entry);
    int64_t whole = placement_bytes(p, entry);
    uint32_t moved = entry;
    if (bytes < whole && !placement_is_piece(p, entry)) {
        moved = cut_off(p, entry, to, bytes);
        add_load(p, slot, from, 0, -bytes);
        p->slots[slot].chunks++;
    } else {
        bytes = whole;
        add_load(p, slot, from, -1, -bytes);
        if (placement_is_piece(p, entry))
            piece_at(p, entry)->shard = to;
        else
            p->shard_of[entry] = to;
    }
    add_load(p, slot, to, 1, bytes);
    return moved;
}

uint32_t placement_move(placement *p, uint32_t entry, uint16_t to, int64_t bytes)
{
    uint32_t slot = p->slot_of[placement_chunk_of(p, entry)];
    uint16_t from = placement_shard(p, entry);
    uint32_t moved = placement_relocate(p, entry, to, bytes);
    if (moved == entry)
        bucket_pop(p, &p->buckets[cell(p, slot, from)]);
    bucket_push(p, &p->buckets[cell(p, slot, to)], moved);
    return moved;
}

void placement_sort(placement *p)
{
    for (size_t i = 0; i < (size_t)p->n_slots * p->cl->n_shards; i++)
        p->buckets[i].n = 0;
    for (uint32_t i = 0; i < p->chunks->n + p->pieces->len; i++) {
        const uint32_t chunk = placement_chunk_of(p, i);
        if ((p->chunks->flags[chunk] & CHUNK_JUMBO) == 0)
            bucket_push(p, &p->buckets[cell(p, p->slot_of[chunk], placement_shard(p, i))], i);
    }
}
