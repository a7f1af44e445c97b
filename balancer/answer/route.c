// SPDX-License-Identifier: Apache-2.0
/* The intervals of the fields are put together as mongos does: values of the leading fields as long as there
 * is one each, then the intervals of the next field, each extended by the lowest and highest of all later
 * ones. mongos does not look at whether an end is excluded, so a chunk that only begins there is asked as
 * well. */
#include "balancer/answer/route.h"

#include "balancer/answer/lookup.h"
#include "balancer/answer/route_filter.h"
#include "balancer/key/encode.h"
#include "common/text.h"

const char *route_verdict_text(enum route_verdict v)
{
    static const char *const texts[] = {"none", "one", "some", "all"};
    return texts[v];
}

const char *route_constraint_text(enum route_constraint c)
{
    static const char *const texts[] = {"none", "range", "values", "value"};
    return texts[c];
}

/* One interval over whole keys, growing field by field; a `done` end is a type's, where later fields do not
 * count. */
struct key_interval {
    GByteArray *lo, *hi;
    bool lo_done, hi_done;
};

static void key_interval_clear(gpointer p)
{
    struct key_interval *k = p;
    g_byte_array_unref(k->lo);
    g_byte_array_unref(k->hi);
}

static void append(GByteArray *to, GBytes *value)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(value, &len);
    g_byte_array_append(to, data, (guint)len);
}

static void extend_lo(struct key_interval *k, const struct interval *by)
{
    if (k->lo_done)
        return;
    append(k->lo, by->lo);
    k->lo_done = by->lo_type;
}

static void extend_hi(struct key_interval *k, const struct interval *by)
{
    if (k->hi_done)
        return;
    append(k->hi, by->hi);
    k->hi_done = by->hi_type;
}

/* The first field that leaves more than one value makes one interval of each of its own. */
static void fan_out(GArray *keys, const GArray *set)
{
    struct key_interval stem = g_array_index(keys, struct key_interval, 0);
    GByteArray *lo = g_byte_array_ref(stem.lo);
    g_array_set_size(keys, 0);
    for (guint i = 0; i < set->len; i++) {
        struct key_interval k = {.lo = g_byte_array_new(), .hi = g_byte_array_new()};
        g_byte_array_append(k.lo, lo->data, lo->len);
        g_byte_array_append(k.hi, lo->data, lo->len);
        extend_lo(&k, interval_at(set, i));
        extend_hi(&k, interval_at(set, i));
        g_array_append_val(keys, k);
    }
    g_byte_array_unref(lo);
}

/* All values of a field. */
static GArray *all_values(void)
{
    bson_t doc = BSON_INITIALIZER;
    bson_iter_t it;
    GArray *set = intervals_new();
    BSON_APPEND_MINKEY(&doc, "v");
    if (bson_iter_init(&it, &doc) && bson_iter_next(&it))
        intervals_add(set, COMPARE_GTE, &it, NULL);
    bson_destroy(&doc);
    return set;
}

/* Whole-key intervals, ascending. */
static GArray *key_intervals(const key_pattern *key, const struct filter_bounds *b)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct key_interval));
    g_array_set_clear_func(keys, key_interval_clear);
    struct key_interval stem = {.lo = g_byte_array_new(), .hi = g_byte_array_new()};
    g_array_append_val(keys, stem);
    g_autoptr(GArray) all = all_values();
    bool values_only = true;
    for (uint32_t f = 0; f < key->n_fields; f++) {
        const GArray *set = b->fields[f] != NULL ? b->fields[f] : all;
        if (values_only && !intervals_is_point(set)) {
            fan_out(keys, set);
            values_only = false;
            continue;
        }
        for (guint i = 0; i < keys->len; i++) {
            extend_lo(&g_array_index(keys, struct key_interval, i), interval_at(set, 0));
            extend_hi(&g_array_index(keys, struct key_interval, i), interval_at(set, set->len - 1));
        }
    }
    return keys;
}

static void add_run(GArray *runs, uint32_t first, uint32_t last)
{
    if (runs->len > 0) {
        struct route_run *prev = &g_array_index(runs, struct route_run, runs->len - 1);
        if (first <= prev->last || first == prev->last + 1) {
            prev->last = MAX(prev->last, last);
            return;
        }
    }
    struct route_run run = {first, last};
    g_array_append_val(runs, run);
}

static bool is_contradiction(const key_pattern *key, const struct filter_bounds *b)
{
    for (uint32_t f = 0; f < key->n_fields; f++)
        if (b->fields[f] != NULL && b->fields[f]->len == 0)
            return true;
    return false;
}

static void find_runs(route *r, const struct filter_bounds *b)
{
    const struct chunks *ch = &r->coll->chunks;
    if (is_contradiction(r->coll->key, b))
        return;
    if (b->fields[0] == NULL) { /* mongos finds no bounds where the first field has none */
        add_run(r->runs, 0, ch->n - 1);
        return;
    }
    g_autoptr(GArray) keys = key_intervals(r->coll->key, b);
    for (guint i = 0; i < keys->len; i++) {
        const struct key_interval *k = &g_array_index(keys, struct key_interval, i);
        uint32_t first = chunks_find(ch, k->lo->data, k->lo->len);
        add_run(r->runs, first, MAX(first, chunks_find(ch, k->hi->data, k->hi->len)));
    }
}

static void collect_shares(GArray *out, const uint32_t *counts, uint32_t n, uint32_t none)
{
    for (uint32_t i = 0; i < n; i++)
        if (counts[i] > 0) {
            struct route_share s = {.number = i == none ? ZONE_NONE : i, .chunks = counts[i]};
            g_array_append_val(out, s);
        }
}

static void count_reached(route *r, const cluster *cl)
{
    const struct chunks *ch = &r->coll->chunks;
    g_autofree uint32_t *shards = g_new0(uint32_t, cl->n_shards), *held = g_new0(uint32_t, cl->n_shards);
    g_autofree uint32_t *zones = g_new0(uint32_t, cl->n_zones + 1);
    for (uint32_t i = 0; i < ch->n; i++)
        if (held[ch->shard[i]]++ == 0)
            r->n_holders++;
    for (guint i = 0; i < r->runs->len; i++) {
        const struct route_run *run = &g_array_index(r->runs, struct route_run, i);
        for (uint32_t c = run->first; c <= run->last; c++) {
            uint32_t zone = r->coll->n_ranges == 0 ? ZONE_NONE : lookup_chunk_zone(r->coll, c).zone;
            shards[ch->shard[c]]++;
            zones[MIN(zone, cl->n_zones)]++;
            r->n_chunks++;
        }
    }
    collect_shares(r->shards, shards, cl->n_shards, UINT32_MAX);
    collect_shares(r->zones, zones, cl->n_zones + 1, cl->n_zones);
    r->verdict = r->shards->len == 0             ? ROUTE_NONE
                 : r->shards->len == 1           ? ROUTE_ONE
                 : r->shards->len < r->n_holders ? ROUTE_SOME
                                                 : ROUTE_ALL;
}

static enum route_constraint constraint_of(const GArray *set)
{
    if (set == NULL)
        return ROUTE_FREE;
    return intervals_is_point(set) ? ROUTE_VALUE : set->len > 1 ? ROUTE_VALUES : ROUTE_RANGE;
}

/* "'region' and 'orderId'" of the first n fields. */
static void append_fields(GString *s, const key_pattern *key, uint32_t from, uint32_t to)
{
    for (uint32_t f = from; f < to; f++) {
        g_string_append(s, f == from ? "'" : f + 1 == to ? " and '" : ", '");
        text_append_escaped(s, key->fields[f].name, -1);
        g_string_append(s, key->fields[f].hashed ? "' (hashed)" : "'");
    }
}

/* What the filter does to the key; the leading fields decide. */
static void append_why(GString *s, const route *r)
{
    const key_pattern *key = r->coll->key;
    uint32_t fixed = 0;
    while (fixed < key->n_fields && r->fields[fixed] == ROUTE_VALUE)
        fixed++;
    if (fixed == key->n_fields) {
        g_string_append(s, "the filter fixes the whole shard key, ");
        append_fields(s, key, 0, fixed);
        return;
    }
    g_string_append(s, "the filter ");
    if (fixed > 0) {
        g_string_append(s, "fixes ");
        append_fields(s, key, 0, fixed);
    }
    if (r->fields[fixed] != ROUTE_FREE) {
        g_string_append(s, fixed > 0 ? " and narrows " : "narrows ");
        append_fields(s, key, fixed, fixed + 1);
        g_string_append(s, r->fields[fixed] == ROUTE_VALUES ? " to several intervals" : " to a range");
    } else if (fixed > 0) {
        g_string_append(s, ", a prefix of the shard key");
    } else {
        g_string_append(s, "does not narrow ");
        append_fields(s, key, 0, 1);
        g_string_append(s, ", the first field of the shard key");
    }
}

static char *reason_text(const route *r)
{
    GString *s = g_string_new(NULL);
    if (r->verdict == ROUTE_NONE) {
        g_string_append(
            s, "no shard key value can satisfy the filter; mongos asks one shard all the same, which "
               "finds nothing");
        return g_string_free(s, FALSE);
    }
    append_why(s, r);
    g_string_append(s, ": ");
    text_append_count(s, r->n_chunks);
    g_string_append(s, " of ");
    text_append_count(s, r->coll->chunks.n);
    g_string_append(s, r->coll->chunks.n == 1 ? " chunk" : " chunks");
    if (r->n_holders == 1)
        g_string_append(s, ", and one shard holds the whole collection");
    else if (r->verdict == ROUTE_ALL)
        g_string_append_printf(s, " on all %u shards that hold the collection", r->n_holders);
    else
        g_string_append_printf(s, " on %u of the %u shards that hold the collection", r->shards->len,
                               r->n_holders);
    return g_string_free(s, FALSE);
}

bool route_make(const cluster *cl, const char *ns, const bson_t *filter, route **ret, struct err *err)
{
    const struct collection *coll;
    struct filter_bounds bounds = {0};
    if (!lookup_sound_collection(cl, ns, &coll, err) || !filter_bounds_read(coll->key, filter, &bounds, err))
        return false;
    route *r = g_new0(route, 1);
    r->coll = coll;
    r->runs = g_array_new(FALSE, FALSE, sizeof(struct route_run));
    r->shards = g_array_new(FALSE, FALSE, sizeof(struct route_share));
    r->zones = g_array_new(FALSE, FALSE, sizeof(struct route_share));
    r->notes = g_steal_pointer(&bounds.notes);
    for (uint32_t f = 0; f < coll->key->n_fields; f++)
        r->fields[f] = constraint_of(bounds.fields[f]);
    find_runs(r, &bounds);
    count_reached(r, cl);
    r->reason = reason_text(r);
    if (coll->time_series)
        g_ptr_array_add(r->notes,
                        g_strdup("this is a time-series collection: its key lies in buckets, and mongos "
                                 "translates filters on measurements before it targets"));
    filter_bounds_clear(&bounds);
    *ret = r;
    return true;
}

void route_free(route *r)
{
    if (r == NULL)
        return;
    g_array_unref(r->runs);
    g_array_unref(r->shards);
    g_array_unref(r->zones);
    g_ptr_array_unref(r->notes);
    g_free(r->reason);
    g_free(r);
}
