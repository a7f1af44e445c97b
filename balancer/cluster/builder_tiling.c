// SPDX-License-Identifier: Apache-2.0
/* The chunks of one collection at the end: put in key order, checked that they tile the key space, and moved
 * into the columns of the model.
 *   global min [ chunk )[ chunk )[ chunk ) ... [ chunk ) global max */
#include "balancer/cluster/builder_private.h"
#include "balancer/key/encode.h"
#include "balancer/key/show.h"

#include <string.h>

/* A slot's rows in key order. */
struct tiles {
    const builder *b;
    const struct slot *s;
    const struct collection *c;
    uint32_t n;
    uint32_t *order; /* row numbers; NULL: as they stand */
};

static const struct chunk_row *row_at(const struct slot *s, uint32_t i)
{
    return &g_array_index(s->rows, struct chunk_row, i);
}

static uint32_t nth(const struct tiles *t, uint32_t i)
{
    return t->order == NULL ? i : t->order[i];
}

/* Encoded min of row r; it ends where the next row's begins. */
static const uint8_t *row_min(const struct slot *s, uint32_t r, uint32_t *ret_len)
{
    uint32_t at = row_at(s, r)->min_at;
    *ret_len = (r + 1 < s->rows->len ? row_at(s, r + 1)->min_at : s->min->len) - at;
    return s->min->data + at;
}

static const uint8_t *row_max(const struct slot *s, uint32_t r, uint32_t *ret_len)
{
    uint32_t at = row_at(s, r)->max_at;
    *ret_len = (r + 1 < s->rows->len ? row_at(s, r + 1)->max_at : s->max->len) - at;
    return s->max->data + at;
}

static const uint8_t *row_pack(const struct slot *s, uint32_t r, uint32_t *ret_len)
{
    uint32_t at = row_at(s, r)->pack_at;
    *ret_len = (r + 1 < s->rows->len ? row_at(s, r + 1)->pack_at : s->pack->len) - at;
    return s->pack->data + at;
}

/* Equal mins are a fault; the document's number decides then, so that the words do not depend on order. */
static int by_min(const struct slot *s, uint32_t a, uint32_t b)
{
    uint32_t alen, blen;
    const uint8_t *amin = row_min(s, a, &alen), *bmin = row_min(s, b, &blen);
    int order = key_cmp(amin, alen, bmin, blen);
    return order != 0
               ? order
               : (row_at(s, a)->index > row_at(s, b)->index) - (row_at(s, a)->index < row_at(s, b)->index);
}

static int by_min_of(gconstpointer a, gconstpointer b, gpointer slot)
{
    return by_min(slot, *(const uint32_t *)a, *(const uint32_t *)b);
}

static void sort_tiles(struct tiles *t, struct slot *s)
{
    uint32_t i = 1;
    while (i < t->n && by_min(s, i - 1, i) < 0)
        i++;
    if (i >= t->n)
        return;
    t->order = g_new(uint32_t, t->n);
    for (i = 0; i < t->n; i++)
        t->order[i] = i;
    g_qsort_with_data(t->order, (gint)t->n, sizeof *t->order, by_min_of, s);
}

/* "chunks[17], from { a: 5 }," */
static void append_tile(GString *out, const struct tiles *t, uint32_t i)
{
    uint32_t len, r = nth(t, i);
    const uint8_t *pack = row_pack(t->s, r, &len);
    g_string_append_printf(out, "chunks[%u], from ", (unsigned)row_at(t->s, r)->index);
    show_packed(out, t->c->key, pack, len);
}

static bool tile_fault(const struct tiles *t, char **fault, uint32_t i, const char *what)
{
    g_autoptr(GString) text = g_string_new(NULL);
    append_tile(text, t, i);
    fault_set(fault, "%s%s", text->str, what);
    return false;
}

/* How neighbours i and i + 1 fail to touch. */
static bool neighbour_fault(const struct tiles *t, char **fault, uint32_t i, const char *what)
{
    g_autoptr(GString) first = g_string_new(NULL), second = g_string_new(NULL);
    append_tile(first, t, i);
    append_tile(second, t, i + 1);
    fault_set(fault, "%s: %s; and %s", what, first->str, second->str);
    return false;
}

static bool check_ends(const struct tiles *t, char **fault)
{
    uint32_t len;
    const uint8_t *bound = row_min(t->s, nth(t, 0), &len);
    g_autoptr(GByteArray) global = g_byte_array_new();
    key_encode_global(t->c->key, false, global);
    if (key_cmp(bound, len, global->data, global->len) != 0)
        return tile_fault(t, fault, 0, ": the first chunk's min is not all MinKey");
    g_byte_array_set_size(global, 0);
    key_encode_global(t->c->key, true, global);
    bound = row_max(t->s, nth(t, t->n - 1), &len);
    if (key_cmp(bound, len, global->data, global->len) != 0)
        return tile_fault(t, fault, t->n - 1, ": the last chunk's max is not all MaxKey");
    return true;
}

static bool check_touching(const struct tiles *t, char **fault)
{
    for (uint32_t i = 0; i + 1 < t->n; i++) {
        uint32_t max_len, min_len, next_len;
        const uint8_t *max = row_max(t->s, nth(t, i), &max_len);
        const uint8_t *next = row_min(t->s, nth(t, i + 1), &next_len);
        int order = key_cmp(max, max_len, next, next_len);
        if (order == 0)
            continue;
        const uint8_t *min = row_min(t->s, nth(t, i), &min_len);
        if (key_cmp(min, min_len, next, next_len) == 0)
            return neighbour_fault(t, fault, i, "two chunks with the same min");
        return neighbour_fault(t, fault, i, order < 0 ? "a gap between chunks" : "chunks overlap");
    }
    return true;
}

static bool check_owners(const struct tiles *t, char **fault)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct chunk_row *row = row_at(t->s, nth(t, i));
        const struct shard_name *n = name_at(t->b, row->shard);
        if (n->number != SHARD_NONE)
            continue;
        g_autoptr(GString) where = g_string_new(NULL);
        if (n->first_index == row->index)
            g_string_append(where, n->first_where);
        else
            append_tile(where, t, i);
        fault_set(fault, "%s: shard " NAME_FMT " is not in config.shards", where->str, n->name);
        return false;
    }
    return true;
}

/* The type of field `field` of a bound in packed form, where each field is a type byte and its value. */
static bson_type_t packed_type(const struct tiles *t, uint32_t r, int field)
{
    uint32_t len;
    const uint8_t *pack = row_pack(t->s, r, &len);
    if (field == 0)
        return (bson_type_t)pack[0];
    bson_t bound;
    bson_iter_t it;
    bson_type_t type = BSON_TYPE_EOD;
    bson_init(&bound);
    key_unpack(t->c->key, pack, len, &bound);
    bson_iter_init(&it, &bound);
    for (int i = 0; i <= field && bson_iter_next(&it); i++)
        type = bson_iter_type(&it);
    bson_destroy(&bound);
    return type;
}

/* Bounds of a hashed field are hashes. */
static bool check_hashed(const struct tiles *t, char **fault)
{
    int field = key_pattern_hashed_field(t->c->key);
    for (uint32_t i = 0; field >= 0 && i < t->n; i++) {
        bson_type_t type = packed_type(t, nth(t, i), field);
        if (type != BSON_TYPE_INT64 && type != BSON_TYPE_MINKEY && type != BSON_TYPE_MAXKEY)
            return tile_fault(t, fault, i, ": a hashed field's bound is not a 64-bit integer");
    }
    return true;
}

/* Copies the keys in order; `key_of` tells where they stand now. */
static uint8_t *copy_arena(const struct tiles *t, uint32_t size, uint32_t *at,
                           const uint8_t *(*key_of)(const struct slot *, uint32_t, uint32_t *))
{
    uint8_t *arena = g_malloc(MAX(size, 1));
    uint32_t end = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t len;
        const uint8_t *key = key_of(t->s, nth(t, i), &len);
        at[i] = end;
        memcpy(arena + end, key, len);
        end += len;
    }
    at[t->n] = end;
    return arena;
}

static void copy_columns(const struct tiles *t, struct chunks *ch)
{
    ch->n = t->n;
    ch->shard = g_new(uint16_t, t->n);
    ch->flags = g_new(uint8_t, t->n);
    ch->version = g_new(uint64_t, t->n);
    ch->bytes = g_new(int64_t, t->n);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct chunk_row *row = row_at(t->s, nth(t, i));
        ch->shard[i] = name_at(t->b, row->shard)->number;
        ch->flags[i] = row->flags;
        ch->version[i] = row->version;
        ch->bytes[i] = row->bytes;
    }
}

void slot_into_chunks(builder *b, struct slot *s, struct collection *c)
{
    struct tiles t = {.b = b, .s = s, .c = c, .n = s->rows->len};
    struct chunks *ch = &c->chunks;
    sort_tiles(&t, s);
    if (check_ends(&t, &c->invalid) && check_touching(&t, &c->invalid) && check_owners(&t, &c->invalid) &&
        check_hashed(&t, &c->invalid)) {
        /* Each temporary goes as soon as it is copied: the peak is here. */
        g_clear_pointer(&s->max, g_byte_array_unref);
        ch->enc_at = g_new(uint32_t, (gsize)t.n + 1);
        ch->enc = copy_arena(&t, s->min->len, ch->enc_at, row_min);
        g_clear_pointer(&s->min, g_byte_array_unref);
        ch->pack_at = g_new(uint32_t, (gsize)t.n + 1);
        ch->pack = copy_arena(&t, s->pack->len, ch->pack_at, row_pack);
        g_clear_pointer(&s->pack, g_byte_array_unref);
        copy_columns(&t, ch);
    }
    g_free(t.order);
    slot_drop_keys(s);
}
