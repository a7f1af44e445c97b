// SPDX-License-Identifier: Apache-2.0
/* One stored range by itself, then against its neighbours. */
#include "balancer/answer/zones_check_private.h"

#include "balancer/key/encode.h"
#include "balancer/key/show.h"

#include <math.h>
#include <string.h>

/* The first field of a bound that the key does not have, or NULL. `*ret_n`: how many fields it has. */
static const char *foreign_field(const key_pattern *key, const uint8_t *data, uint32_t len, uint32_t *ret_n)
{
    bson_iter_t it;
    const char *found = NULL;
    *ret_n = 0;
    if (!bson_iter_init_from_data(&it, data, len))
        return NULL;
    while (bson_iter_next(&it)) {
        (*ret_n)++;
        if (found == NULL && key_pattern_find(key, bson_iter_key(&it)) < 0)
            found = bson_iter_key(&it);
    }
    return found;
}

/* Whether the names of a bound fit the key; says what is wrong. */
static bool check_names(struct check *k, const struct collection *coll, const struct stored_range *r,
                        bool max, uint32_t *ret_n)
{
    const char *which = max ? "max" : "min", *foreign;
    g_autoptr(GString) key = g_string_new(NULL);
    key_show(key, &coll->key->doc, SHOWN_MAX);
    foreign = max ? foreign_field(coll->key, r->max_data, r->max_len, ret_n)
                  : foreign_field(coll->key, r->min_data, r->min_len, ret_n);
    struct zone_finding *f = NULL;
    if (foreign != NULL)
        f = finding_add(
            k, ZONE_ERROR, "fieldNotInKey", coll->ns, r,
            "its %s has the field '%s', which is not in the shard key %s: the server refuses all zones of "
            "the collection and moves nothing of it; remove the range",
            which, foreign, key->str);
    else if (*ret_n == 0)
        f = finding_add(k, ZONE_ERROR, "emptyBound", coll->ns, r,
                        "its %s has no field at all; remove the range, or give it bounds over %s", which,
                        key->str);
    if (f == NULL)
        return true;
    g_ptr_array_add(f->fix, fix_delete(r));
    return false;
}

/* Extends both bounds as the server does. The fields are of the key, but their order may be wrong. */
static bool extend(struct check *k, const struct collection *coll, struct stored_range *r, bson_t *min,
                   bson_t *max, bool *ret_trap)
{
    struct err why = {0};
    bson_t stored_min, stored_max;
    bool extended_min = false, extended_max = false, trap = false, other;
    range_min(r, &stored_min);
    range_max(r, &stored_max);
    g_autoptr(GByteArray) enc_min = g_byte_array_new(), enc_max = g_byte_array_new();
    if (key_pattern_extend(coll->key, &stored_min, false, min, &extended_min, &other, &why) &&
        key_pattern_extend(coll->key, &stored_max, true, max, &extended_max, &trap, &why) &&
        key_encode_bound(bson_get_data(min), min->len, coll->key->names, enc_min, NULL, &why) &&
        key_encode_bound(bson_get_data(max), max->len, coll->key->names, enc_max, NULL, &why)) {
        r->enc_min = g_byte_array_free_to_bytes(g_steal_pointer(&enc_min));
        r->enc_max = g_byte_array_free_to_bytes(g_steal_pointer(&enc_max));
        r->full = !extended_min && !extended_max;
        *ret_trap = trap;
        return true;
    }
    struct zone_finding *f = finding_add(
        k, ZONE_ERROR, "fieldsNotPrefix", coll->ns, r,
        "its bounds do not follow the shard key: %s; the server refuses all zones of the collection; "
        "remove the range, or give it the fields in the key's order",
        why.msg);
    g_ptr_array_add(f->fix, fix_delete(r));
    return false;
}

/* `max` as stored and as it is meant: MaxKey throughout. */
static void tell_trap(struct check *k, const struct collection *coll, const struct stored_range *r,
                      const bson_t *min, const bson_t *max)
{
    g_autoptr(GString) meant = g_string_new(NULL);
    key_show(meant, max, SHOWN_MAX);
    struct zone_finding *f = finding_add(k, ZONE_WARNING, "maxKeyTrap", coll->ns, r,
                                         "its max is MaxKey followed by MinKey or by nothing, which servers "
                                         "read as a point below the end of the key "
                                         "space: the last chunk is partly outside of the zone, so it has no "
                                         "zone; here it is read as %s, which is "
                                         "surely meant; store that",
                                         meant->str);
    g_ptr_array_add(f->fix, r->full ? fix_remove(r) : fix_delete(r));
    g_ptr_array_add(f->fix, fix_set(coll->ns, min, max, r->zone));
}

static void tell_partial(struct check *k, const struct collection *coll, const struct stored_range *r,
                         const bson_t *min, const bson_t *max)
{
    g_autoptr(GString) as = g_string_new("[");
    key_show(as, min, SHOWN_MAX);
    g_string_append(as, ", ");
    key_show(as, max, SHOWN_MAX);
    g_string_append_c(as, ')');
    struct zone_finding *f =
        finding_add(k, ZONE_WARNING, "partialKey", coll->ns, r,
                    "its bounds do not give the full shard key; the server extends both with "
                    "MinKey and reads the range as %s; store it so",
                    as->str);
    g_ptr_array_add(f->fix, fix_delete(r));
    g_ptr_array_add(f->fix, fix_set(coll->ns, min, max, r->zone));
}

/* Whether a number without fraction, so that a hash may be meant. */
static bool is_whole(const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_INT32(it))
        return true;
    double d = BSON_ITER_HOLDS_DOUBLE(it) ? bson_iter_double(it) : 0.5;
    return isfinite(d) && floor(d) >= d;
}

static void check_hashed_bound(struct check *k, const struct collection *coll, const struct stored_range *r,
                               const uint8_t *data, uint32_t len, const char *which)
{
    bson_iter_t it;
    int field = key_pattern_hashed_field(coll->key);
    if (field < 0 || !bson_iter_init_from_data(&it, data, len) ||
        !bson_iter_find(&it, coll->key->fields[field].name) || BSON_ITER_HOLDS_INT64(&it) ||
        BSON_ITER_HOLDS_MINKEY(&it) || BSON_ITER_HOLDS_MAXKEY(&it))
        return;
    g_autoptr(GString) value = g_string_new(NULL);
    key_show_value(value, &it, SHOWN_MAX);
    struct zone_finding *f;
    if (is_whole(&it))
        f = finding_add(
            k, ZONE_WARNING, "hashedBound", coll->ns, r,
            "its %s on the hashed field '%s' is %s, which is not a 64-bit integer as hashes are; newer "
            "servers refuse it; store it as NumberLong",
            which, coll->key->fields[field].name, value->str);
    else
        f = finding_add(
            k, ZONE_ERROR, "hashedBound", coll->ns, r,
            "its %s on the hashed field '%s' is %s, but chunks of a hashed field are divided by 64-bit "
            "hashes: a range of values cannot be a zone; remove it, or give it bounds between hashes",
            which, coll->key->fields[field].name, value->str);
    g_ptr_array_add(f->fix, fix_delete(r));
}

static bool check_order(struct check *k, const struct collection *coll, const struct stored_range *r)
{
    int order = g_bytes_compare(r->enc_min, r->enc_max);
    if (order < 0)
        return true;
    struct zone_finding *f =
        order == 0
            ? finding_add(k, ZONE_ERROR, "emptyRange", coll->ns, r,
                          "its min equals its max, so nothing is in it (max is exclusive); remove it")
            : finding_add(
                  k, ZONE_ERROR, "invertedRange", coll->ns, r,
                  "its min is above its max; remove it, and add it anew with the two exchanged if that "
                  "was meant");
    g_ptr_array_add(f->fix, fix_delete(r));
    return false;
}

/* The time of a measurement may not be divided into zones. */
static void check_time_series(struct check *k, const struct collection *coll, const struct stored_range *r)
{
    if (!coll->time_series)
        return;
    bool time_bound = false;
    for (uint32_t f = 0; f < coll->key->n_fields; f++) {
        bson_iter_t it;
        if (!g_str_has_prefix(coll->key->fields[f].name, "control.min."))
            continue;
        for (int max = 0; max < 2; max++)
            time_bound |= bson_iter_init_from_data(&it, max ? r->max_data : r->min_data,
                                                   max ? r->max_len : r->min_len) &&
                          bson_iter_find(&it, coll->key->fields[f].name) && !BSON_ITER_HOLDS_MINKEY(&it) &&
                          !BSON_ITER_HOLDS_MAXKEY(&it);
    }
    struct zone_finding *f =
        time_bound
            ? finding_add(k, ZONE_ERROR, "timeSeriesTimeField", coll->ns, r,
                          "it bounds the time field of a time-series collection, which servers do not allow; "
                          "remove it, or bound the metadata field only")
            : finding_add(
                  k, ZONE_WARNING, "timeSeries", coll->ns, r,
                  "it is on a time-series collection, to which zones are not applied here; remove it");
    g_ptr_array_add(f->fix, r->full ? fix_remove(r) : fix_delete(r));
}

void check_range(struct check *k, const struct collection *coll, struct stored_range *r)
{
    uint32_t n_min, n_max;
    bool trap = false;
    bool named = check_names(k, coll, r, false, &n_min);
    if (!check_names(k, coll, r, true, &n_max) || !named)
        return;
    check_hashed_bound(k, coll, r, r->min_data, r->min_len, "min");
    check_hashed_bound(k, coll, r, r->max_data, r->max_len, "max");
    bson_t min = BSON_INITIALIZER, max = BSON_INITIALIZER;
    if (extend(k, coll, r, &min, &max, &trap)) {
        bool sound = check_order(k, coll, r);
        if (sound && trap)
            tell_trap(k, coll, r, &min, &max);
        else if (sound && !r->full)
            tell_partial(k, coll, r, &min, &max);
        if (sound)
            check_time_series(k, coll, r);
        else
            g_clear_pointer(&r->enc_min, g_bytes_unref);
    }
    bson_destroy(&min);
    bson_destroy(&max);
}

static int by_bounds(gconstpointer pa, gconstpointer pb)
{
    const struct stored_range *a = *(struct stored_range *const *)pa, *b = *(struct stored_range *const *)pb;
    int order = g_bytes_compare(a->enc_min, b->enc_min);
    if (order == 0)
        order = g_bytes_compare(a->enc_max, b->enc_max);
    return order != 0 ? order : a->index < b->index ? -1 : 1;
}

static void tell_duplicate(struct check *k, const char *ns, const struct stored_range *first,
                           const struct stored_range *r)
{
    struct zone_finding *f =
        finding_add(k, ZONE_INFO, "duplicateRange", ns, r,
                    "it says the same as tags[%u]; one of the two will do", first->index);
    g_ptr_array_add(f->fix, fix_delete(r));
}

/* The later one is told; its fix keeps the part that the earlier one leaves. */
static void tell_overlap(struct check *k, const char *ns, const struct stored_range *first,
                         const struct stored_range *r)
{
    g_autoptr(GString) other = g_string_new(NULL);
    range_append(other, first);
    struct zone_finding *f = finding_add(k, ZONE_ERROR, "overlap", ns, r,
                                         "it overlaps tags[%u] %s of zone '%s': the server refuses all zones "
                                         "of the collection and moves nothing of it; "
                                         "cut one of the two back (the fix keeps tags[%u])",
                                         first->index, other->str, first->zone, first->index);
    g_ptr_array_add(f->fix, r->full ? fix_remove(r) : fix_delete(r));
    if (g_bytes_compare(first->enc_max, r->enc_max) < 0) {
        bson_t min, max;
        range_max(first, &min);
        range_max(r, &max);
        g_ptr_array_add(f->fix, fix_set(ns, &min, &max, r->zone));
    }
}

void check_overlaps(struct check *k, const struct collection *coll, GPtrArray *ranges)
{
    const struct stored_range *widest = NULL, *last = NULL;
    g_ptr_array_sort(ranges, by_bounds);
    for (guint i = 0; i < ranges->len; i++) {
        const struct stored_range *r = ranges->pdata[i];
        bool same = last != NULL && g_bytes_equal(last->enc_min, r->enc_min) &&
                    g_bytes_equal(last->enc_max, r->enc_max) && strcmp(last->zone, r->zone) == 0;
        if (same) {
            tell_duplicate(k, coll->ns, last, r);
            continue;
        }
        if (widest != NULL && g_bytes_compare(widest->enc_max, r->enc_min) > 0)
            tell_overlap(k, coll->ns, widest, r);
        if (widest == NULL || g_bytes_compare(widest->enc_max, r->enc_max) < 0)
            widest = r;
        last = r;
    }
}
