// SPDX-License-Identifier: Apache-2.0
#include "balancer/answer/intervals.h"

#include "balancer/key/encode.h"

#include <math.h>
#include <string.h>

static void interval_clear(gpointer p)
{
    struct interval *i = p;
    g_bytes_unref(i->lo);
    g_bytes_unref(i->hi);
}

GArray *intervals_new(void)
{
    GArray *set = g_array_new(FALSE, FALSE, sizeof(struct interval));
    g_array_set_clear_func(set, interval_clear);
    return set;
}

static int cmp(const GBytes *a, const GBytes *b)
{
    return g_bytes_compare(a, b);
}

/* Whether nothing lies between the ends. */
static bool is_empty(const struct interval *i)
{
    int order = cmp(i->lo, i->hi);
    return order > 0 || (order == 0 && (i->lo_excluded || i->hi_excluded || i->lo_type || i->hi_type));
}

/* Takes the references. */
static void add(GArray *set, struct interval i)
{
    if (is_empty(&i))
        interval_clear(&i);
    else
        g_array_append_val(set, i);
}

static GBytes *encode(const bson_t *doc, struct err *err)
{
    bson_iter_t it;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!bson_iter_init(&it, doc) || !bson_iter_next(&it) || !key_encode_value(&it, enc, err))
        return NULL;
    return g_byte_array_free_to_bytes(g_steal_pointer(&enc));
}

/* The lowest or highest value where the type has one that is worth naming; false: its end is open. */
static bool append_extreme(bson_type_t type, bool highest, bson_t *out)
{
    uint8_t bytes[12];
    bson_oid_t oid;
    switch (type) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128: /* NaN is less than all others, and no comparison but equality finds it */
        return BSON_APPEND_DOUBLE(out, "v", highest ? (double)INFINITY : -(double)INFINITY);
    case BSON_TYPE_BOOL:
        return BSON_APPEND_BOOL(out, "v", highest);
    case BSON_TYPE_DATE_TIME:
        return BSON_APPEND_DATE_TIME(out, "v", highest ? INT64_MAX : INT64_MIN);
    case BSON_TYPE_TIMESTAMP:
        return BSON_APPEND_TIMESTAMP(out, "v", highest ? UINT32_MAX : 0, highest ? UINT32_MAX : 0);
    case BSON_TYPE_OID:
        memset(bytes, highest ? 0xff : 0, sizeof bytes);
        bson_oid_init_from_data(&oid, bytes);
        return BSON_APPEND_OID(out, "v", &oid);
    case BSON_TYPE_NULL:
        return BSON_APPEND_NULL(out, "v");
    case BSON_TYPE_UTF8:
        return !highest && BSON_APPEND_UTF8(out, "v", "");
    default:
        return false;
    }
}

/* The end of the type whose encodings begin as `value` does. */
static GBytes *type_end(GBytes *value, bson_type_t type, bool highest, bool *ret_open)
{
    bson_t doc = BSON_INITIALIZER;
    GBytes *end = append_extreme(type, highest, &doc) ? encode(&doc, NULL) : NULL;
    bson_destroy(&doc);
    *ret_open = end == NULL;
    if (end != NULL)
        return end;
    gsize len;
    const uint8_t *data = g_bytes_get_data(value, &len);
    uint8_t byte = (uint8_t)(data[0] + (highest ? 1 : 0));
    return g_bytes_new(&byte, 1);
}

static GBytes *extreme_key(bool max)
{
    bson_t doc = BSON_INITIALIZER;
    if (max)
        BSON_APPEND_MAXKEY(&doc, "v");
    else
        BSON_APPEND_MINKEY(&doc, "v");
    GBytes *enc = encode(&doc, NULL);
    bson_destroy(&doc);
    return enc;
}

static bool is_nan(const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_DOUBLE(it))
        return isnan(bson_iter_double(it));
    bson_decimal128_t d;
    return BSON_ITER_HOLDS_DECIMAL128(it) && bson_iter_decimal128(it, &d) &&
           (d.high & G_GUINT64_CONSTANT(0x7c00000000000000)) == G_GUINT64_CONSTANT(0x7c00000000000000);
}

bool intervals_add(GArray *set, enum compare op, const bson_iter_t *it, struct err *err)
{
    bson_type_t type = bson_iter_type(it);
    bool all_types = type == BSON_TYPE_MINKEY || type == BSON_TYPE_MAXKEY;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    if (!key_encode_value(it, enc, err)) {
        err->cls = ERR_USAGE;
        return false;
    }
    GBytes *value = g_byte_array_free_to_bytes(g_steal_pointer(&enc));
    struct interval i = {.lo = value, .hi = value};
    bool down = op == COMPARE_LT || op == COMPARE_LTE;
    if (op == COMPARE_EQ || is_nan(it)) {
        i.hi = g_bytes_ref(value);
        i.lo_excluded = op == COMPARE_GT || op == COMPARE_LT;
    } else if (down) {
        i.lo = all_types ? extreme_key(false) : type_end(value, type, false, &i.lo_type);
        i.hi_excluded = op == COMPARE_LT;
    } else {
        i.hi = all_types ? extreme_key(true) : type_end(value, type, true, &i.hi_type);
        i.lo_excluded = op == COMPARE_GT;
    }
    add(set, i);
    return true;
}

void intervals_add_point(GArray *set, GBytes *value)
{
    add(set, (struct interval){.lo = g_bytes_ref(value), .hi = g_bytes_ref(value)});
}

/* Without its end mark the encoding of a string is a prefix of those of all longer ones. */
void intervals_add_prefix(GArray *set, const char *prefix)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "v", prefix);
    g_autoptr(GBytes) value = encode(&doc, NULL);
    bson_destroy(&doc);
    gsize len;
    const uint8_t *data = g_bytes_get_data(value, &len);
    g_autoptr(GByteArray) above = g_byte_array_new();
    g_byte_array_append(above, data, (guint)len - 1);
    above->data[above->len - 1]++; /* the type byte, or the last of the prefix, which is ASCII */
    add(set, (struct interval){
                 .lo = g_bytes_ref(value), .hi = g_bytes_new(above->data, above->len), .hi_type = true});
}

static int by_lo(gconstpointer pa, gconstpointer pb)
{
    const struct interval *a = pa, *b = pb;
    int order = cmp(a->lo, b->lo);
    return order != 0 ? order : (int)a->lo_excluded - (int)b->lo_excluded;
}

void intervals_normalise(GArray *set)
{
    g_array_sort(set, by_lo);
    guint kept = 0;
    for (guint i = 1; i < set->len; i++) {
        struct interval *last = &g_array_index(set, struct interval, kept);
        struct interval *next = &g_array_index(set, struct interval, i);
        if (cmp(next->lo, last->hi) > 0) {
            struct interval t = g_array_index(set, struct interval, kept + 1);
            g_array_index(set, struct interval, ++kept) = *next;
            if (kept != i)
                *next = t;
            continue;
        }
        int order = cmp(next->hi, last->hi);
        if (order > 0 || (order == 0 && last->hi_excluded)) {
            GBytes *t = last->hi;
            last->hi = next->hi;
            next->hi = t;
            last->hi_type = next->hi_type;
            last->hi_excluded = next->hi_excluded;
        }
    }
    if (set->len > 0)
        g_array_set_size(set, kept + 1);
}

/* What two intervals have in common; may be empty. References are taken. */
static struct interval common_part(const struct interval *a, const struct interval *b)
{
    int lo = cmp(a->lo, b->lo), hi = cmp(a->hi, b->hi);
    const struct interval *from = lo > 0 || (lo == 0 && a->lo_excluded) ? a : b;
    const struct interval *to = hi < 0 || (hi == 0 && a->hi_excluded) ? a : b;
    return (struct interval){.lo = g_bytes_ref(from->lo),
                             .hi = g_bytes_ref(to->hi),
                             .lo_type = from->lo_type,
                             .hi_type = to->hi_type,
                             .lo_excluded = from->lo_excluded,
                             .hi_excluded = to->hi_excluded};
}

GArray *intervals_intersect(const GArray *a, const GArray *b)
{
    GArray *out = intervals_new();
    for (guint i = 0, k = 0; i < a->len && k < b->len;) {
        const struct interval *x = interval_at(a, i), *y = interval_at(b, k);
        add(out, common_part(x, y));
        if (cmp(x->hi, y->hi) < 0)
            i++;
        else
            k++;
    }
    return out;
}

void intervals_add_all(GArray *set, const GArray *from)
{
    for (guint i = 0; i < from->len; i++) {
        struct interval copy = *interval_at(from, i);
        g_bytes_ref(copy.lo);
        g_bytes_ref(copy.hi);
        g_array_append_val(set, copy);
    }
}

bool intervals_is_point(const GArray *set)
{
    if (set->len != 1)
        return false;
    const struct interval *i = interval_at(set, 0);
    return !i->lo_type && !i->hi_type && cmp(i->lo, i->hi) == 0;
}
