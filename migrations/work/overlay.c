// SPDX-License-Identifier: Apache-2.0
#include "migrations/work/overlay.h"

#include "balancer/key/encode.h"
#include "balancer/key/show.h"

enum { BOUND_SHOWN_MAX = 100 };

/* The migrations of one range that were carried out. */
struct past {
    GBytes *enc_max;
    uint32_t n_cuts; /* of them open-ended: each may have cut a chunk in two */
    GPtrArray *to;   /* their recipients, const char *, borrowed */
};

struct overlay {
    const cluster *cl;
    const struct collection *coll;
    GHashTable *ranges; /* encoded min -> struct overlay_range */
    GHashTable *past;   /* encoded min -> struct past */
    GBytes *global;     /* the encoded global max */
};

static void range_free(gpointer p)
{
    struct overlay_range *r = p;
    g_bytes_unref(r->enc_max);
    g_clear_pointer(&r->behind, g_array_unref);
    g_free(r->why);
    g_free(r);
}

static void past_free(gpointer p)
{
    struct past *x = p;
    g_bytes_unref(x->enc_max);
    g_ptr_array_unref(x->to);
    g_free(x);
}

static GHashTable *by_min(GDestroyNotify free_value)
{
    return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, free_value);
}

overlay *overlay_new(const cluster *cl, const struct collection *coll)
{
    g_autoptr(GByteArray) global = g_byte_array_new();
    overlay *o = g_new0(overlay, 1);
    o->cl = cl;
    o->coll = coll;
    o->ranges = by_min(range_free);
    o->past = by_min(past_free);
    key_encode_global(coll->key, true, global);
    o->global = g_bytes_new(global->data, global->len);
    return o;
}

void overlay_free(overlay *o)
{
    if (o == NULL)
        return;
    g_hash_table_unref(o->ranges);
    g_hash_table_unref(o->past);
    g_bytes_unref(o->global);
    g_free(o);
}

void overlay_note_done(overlay *o, const struct work_step *s)
{
    if (s->kind == WORK_SPLIT)
        return;
    struct past *x = g_hash_table_lookup(o->past, s->enc_min);
    if (x == NULL) {
        x = g_new0(struct past, 1);
        x->enc_max = g_bytes_ref(s->enc_max);
        x->to = g_ptr_array_new();
        g_hash_table_insert(o->past, g_bytes_ref(s->enc_min), x);
    }
    x->n_cuts += s->open_max ? 1 : 0;
    g_ptr_array_add(x->to, s->to);
}

/* The model's chunks that a range meets: [first, end); and whether they begin and end where it does. */
struct met {
    uint32_t first, end;
    bool begins, ends;
};

static bool find_bound(const overlay *o, GBytes *enc, uint32_t *ret)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(enc, &len);
    return chunks_find_bound(&o->coll->chunks, data, (uint32_t)len, ret);
}

static struct met meet(const overlay *o, const struct work_step *s)
{
    struct met m = {0};
    m.begins = find_bound(o, s->enc_min, &m.first);
    m.ends = find_bound(o, s->enc_max, &m.end);
    m.end += m.ends ? 0 : 1;
    if (m.end == o->coll->chunks.n)
        m.ends = g_bytes_equal(s->enc_max, o->global);
    return m;
}

G_GNUC_PRINTF(3, 4)
static void set_fault(struct overlay_range *r, enum stale_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    r->fault = kind;
    r->why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
}

/* Tells of the chunk that the range's begin lies in. */
static void fault_bounds(const overlay *o, const struct met *m, struct overlay_range *r)
{
    g_autoptr(GString) text = g_string_new(NULL);
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    chunk_min(o->coll, &o->coll->chunks, m->first, &min);
    chunk_max(o->coll, &o->coll->chunks, m->first, &max);
    key_show(text, &min, BOUND_SHOWN_MAX);
    g_string_append(text, ", ");
    key_show(text, &max, BOUND_SHOWN_MAX);
    set_fault(r, STALE_BOUNDS, "not a chunk any more; where it begins there is [%s) now", text->str);
    bson_destroy(&min);
    bson_destroy(&max);
}

/* Whether chunk `i` begins at one of the points, looked for from *at on. */
static bool begins_at_point(const overlay *o, uint32_t i, const struct work_step *s, guint *at)
{
    uint32_t len;
    const uint8_t *enc = chunk_enc(&o->coll->chunks, i, &len);
    for (; *at < s->at->len; (*at)++) {
        g_autoptr(GBytes) point = step_encode(s->coll, s->at->pdata[*at], NULL);
        gsize n;
        const uint8_t *data = g_bytes_get_data(point, &n);
        int order = key_cmp(data, (uint32_t)n, enc, len);
        if (order >= 0)
            return order == 0;
    }
    return false;
}

/* A split that was interrupted: cut at some of its points already, at nothing else, all on one shard. */
static bool is_partly_split(const overlay *o, const struct work_step *s, const struct met *m)
{
    const uint16_t *shard = o->coll->chunks.shard;
    guint at = 0;
    if (s->kind != WORK_SPLIT || !m->begins || !m->ends)
        return false;
    for (uint32_t i = m->first + 1; i < m->end; i++)
        if (shard[i] != shard[m->first] || !begins_at_point(o, i, s, &at))
            return false;
    return true;
}

/* The parts that steps carried out have left. A part that reaches over the range's end is merged with its
 * neighbour, and nobody's here. False: there are more parts than steps could make. */
static bool take_parts(const overlay *o, const struct met *m, uint32_t n_cuts, struct overlay_range *r)
{
    if (m->end - m->first > n_cuts + 1)
        return false;
    r->first = SHARD_NONE;
    r->behind = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    for (uint32_t i = m->first; i < m->end; i++) {
        bool lowest = i == m->first, last = i + 1 == m->end;
        if ((lowest && !m->begins) || (last && !m->ends))
            continue;
        if (lowest)
            r->first = o->coll->chunks.shard[i];
        else
            g_array_append_val(r->behind, o->coll->chunks.shard[i]);
    }
    return true;
}

/* Whether the steps carried out may have left nothing with their donors: no part more than they cut off, and
 * every part with one of their recipients. */
static bool is_spent(const overlay *o, const struct met *m, const struct past *past)
{
    if (m->end - m->first > past->n_cuts)
        return false;
    for (uint32_t i = m->first; i < m->end; i++) {
        const char *owner = o->cl->shards[o->coll->chunks.shard[i]].id;
        if (!g_ptr_array_find_with_equal_func(past->to, owner, g_str_equal, NULL))
            return false;
    }
    return true;
}

static struct overlay_range *from_model(overlay *o, const struct work_step *s)
{
    const struct chunks *ch = &o->coll->chunks;
    struct met m = meet(o, s);
    const struct past *past = g_hash_table_lookup(o->past, s->enc_min);
    struct overlay_range *r = g_new0(struct overlay_range, 1);
    if (past != NULL && (past->n_cuts == 0 || !g_bytes_equal(past->enc_max, s->enc_max)))
        past = NULL;
    r->enc_max = g_bytes_ref(s->enc_max);
    r->first = ch->shard[m.first];
    r->version = ch->version[m.first];
    r->spent = past != NULL && is_spent(o, &m, past);
    bool whole = m.begins && m.ends && m.end - m.first == 1;
    r->any_version = !whole && is_partly_split(o, s, &m);
    if (!whole && !r->any_version && (past == NULL || !take_parts(o, &m, past->n_cuts, r)))
        fault_bounds(o, &m, r);
    g_hash_table_insert(o->ranges, g_bytes_ref(s->enc_min), r);
    return r;
}

struct overlay_range *overlay_find(overlay *o, const struct work_step *s)
{
    struct overlay_range *r = g_hash_table_lookup(o->ranges, s->enc_min);
    if (r == NULL)
        r = from_model(o, s);
    bool parts = r->behind != NULL && !s->open_min && !s->open_max;
    if (r->why == NULL && (parts || !g_bytes_equal(r->enc_max, s->enc_max)))
        set_fault(r, STALE_BOUNDS, "not a chunk once the steps before it are done");
    return r;
}

static bool is_behind(const struct overlay_range *r, uint16_t shard)
{
    for (guint i = 0; r->behind != NULL && i < r->behind->len; i++)
        if (g_array_index(r->behind, uint16_t, i) == shard)
            return true;
    return false;
}

bool overlay_has(const struct overlay_range *r, const struct work_step *s, uint16_t shard)
{
    return r->first == shard || (s->open_min && (is_behind(r, shard) || r->spent));
}

static void put_behind(struct overlay_range *r, uint16_t shard)
{
    if (r->behind == NULL)
        r->behind = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    if (!is_behind(r, shard))
        g_array_append_val(r->behind, shard);
}

/* The range's own entry becomes the first part. */
static void apply_split(overlay *o, struct overlay_range *r, const struct work_step *s)
{
    g_autoptr(GBytes) end = g_bytes_ref(r->enc_max);
    for (guint i = 0; i < s->at->len; i++) {
        GBytes *point = step_encode(s->coll, s->at->pdata[i], NULL);
        struct overlay_range *part = g_new0(struct overlay_range, 1);
        *part = *r;
        part->enc_max = g_bytes_ref(end);
        part->behind = NULL;
        part->why = g_strdup(r->why);
        g_bytes_unref(r->enc_max);
        r->enc_max = g_bytes_ref(point);
        g_hash_table_replace(o->ranges, point, part);
        r = part;
    }
}

void overlay_apply(overlay *o, struct overlay_range *r, const struct work_step *s, uint16_t from, uint16_t to)
{
    if (s->kind == WORK_SPLIT) {
        apply_split(o, r, s);
        return;
    }
    bool lowest = !s->open_min || (r->first == from && !is_behind(r, from));
    if (lowest)
        r->first = to;
    else
        put_behind(r, to);
    if (s->open_max)
        put_behind(r, from);
}
