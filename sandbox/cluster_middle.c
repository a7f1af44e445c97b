// SPDX-License-Identifier: Apache-2.0
/* No document is there, only their number: keys inside a chunk are found between its bounds, as if documents
 * lay evenly between them in the first field that differs. What cannot be divided so (booleans, documents)
 * has no key inside. */
#include "balancer/key/raw.h"
#include "sandbox/cluster_impl.h"

#include <math.h>
#include <string.h>

/* A key value as a point on a line, and how to make a value of the kind again. */
struct point {
    bson_type_t type; /* EOD: not on a line */
    double at;
};

static double bytes_as_number(const uint8_t *s, uint32_t len)
{
    double v = 0, unit = 1;
    for (uint32_t i = 0; i < 7; i++) {
        unit /= 256;
        v += unit * (i < len ? s[i] : 0);
    }
    return v;
}

/* Texts, ids and times become numbers; seven bytes of a text are all that a double can tell apart. */
static struct point point_of(const bson_iter_t *it)
{
    struct point p = {bson_iter_type(it), 0};
    uint32_t t = 0, i = 0;
    switch (p.type) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
        p.at = bson_iter_as_double(it);
        if (!isfinite(p.at))
            p.type = BSON_TYPE_EOD;
        break;
    case BSON_TYPE_DATE_TIME:
        p.at = (double)bson_iter_date_time(it);
        break;
    case BSON_TYPE_TIMESTAMP:
        bson_iter_timestamp(it, &t, &i);
        p.at = (double)t + (double)i / 4294967296.0;
        break;
    case BSON_TYPE_OID:
        p.at = bytes_as_number(bson_iter_oid(it)->bytes, 12);
        break;
    case BSON_TYPE_UTF8: {
        uint32_t len;
        const char *s = bson_iter_utf8(it, &len);
        p.at = bytes_as_number((const uint8_t *)s, len);
        break;
    }
    case BSON_TYPE_MINKEY:
    case BSON_TYPE_MAXKEY:
        break;
    default:
        p.type = BSON_TYPE_EOD;
        break;
    }
    return p;
}

static bool is_number(bson_type_t t)
{
    return t == BSON_TYPE_INT32 || t == BSON_TYPE_INT64 || t == BSON_TYPE_DOUBLE;
}

/* Open ends are taken to lie this far from the other bound. */
static double reach(bson_type_t t)
{
    return is_number(t)               ? 1000
           : t == BSON_TYPE_DATE_TIME ? 86400000.0 * 30
           : t == BSON_TYPE_TIMESTAMP ? 86400
                                      : 0.01;
}

/* Puts both ends on one line; hashed fields reach over all int64. */
static bool line_of(const bson_iter_t *min, const bson_iter_t *max, bool hashed, struct point *ret_a,
                    struct point *ret_b)
{
    struct point a = point_of(min), b = point_of(max);
    if (a.type == BSON_TYPE_EOD || b.type == BSON_TYPE_EOD || a.type == BSON_TYPE_MAXKEY ||
        b.type == BSON_TYPE_MINKEY)
        return false;
    bool open_a = a.type == BSON_TYPE_MINKEY, open_b = b.type == BSON_TYPE_MAXKEY;
    if (open_a && open_b)
        a = b = (struct point){hashed ? BSON_TYPE_INT64 : BSON_TYPE_INT32, 0};
    else if (open_a)
        a = b;
    else if (open_b)
        b = a;
    if (open_a)
        a.at = hashed ? -9223372036854775808.0 : a.at - reach(a.type);
    if (open_b)
        b.at = hashed ? 9223372036854775807.0 : b.at + reach(b.type);
    *ret_a = a;
    *ret_b = b;
    return a.type == b.type || (is_number(a.type) && is_number(b.type));
}

static void number_as_bytes(double v, uint8_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        v *= 256;
        double digit = floor(v);
        digit = CLAMP(digit, 0, 255);
        out[i] = (uint8_t)digit;
        v -= digit;
    }
}

static void put_string(bson_t *out, const char *name, double v)
{
    uint8_t text[7];
    int len = 0;
    number_as_bytes(v, text, sizeof text);
    /* as far as it is plain text: the value only has to lie between the bounds */
    while (len < (int)sizeof text && text[len] != 0) {
        text[len] = text[len] < 0x20 ? ' ' : text[len] > 0x7e ? '~' : text[len];
        len++;
    }
    bson_append_utf8(out, name, -1, (const char *)text, len);
}

/* A number of the first bound's kind; int32 gives way to int64 where it does not fit. */
static void put_point(bson_t *out, const char *name, bson_type_t type, double v)
{
    bson_oid_t oid = {{0}};
    double whole = CLAMP(floor(v), -9223372036854774784.0, 9223372036854774784.0);
    switch (type) {
    case BSON_TYPE_INT32:
        if (fabs(whole) < 2147483647.0)
            bson_append_int32(out, name, -1, (int32_t)whole);
        else
            bson_append_int64(out, name, -1, (int64_t)whole);
        break;
    case BSON_TYPE_INT64:
        bson_append_int64(out, name, -1, (int64_t)whole);
        break;
    case BSON_TYPE_DATE_TIME:
        bson_append_date_time(out, name, -1, (int64_t)whole);
        break;
    case BSON_TYPE_TIMESTAMP:
        bson_append_timestamp(out, name, -1, (uint32_t)CLAMP(v, 0, 4294967295.0),
                              (uint32_t)CLAMP((v - floor(v)) * 4294967296.0, 0, 4294967295.0));
        break;
    case BSON_TYPE_OID:
        number_as_bytes(v, oid.bytes, 7);
        bson_append_oid(out, name, -1, &oid);
        break;
    case BSON_TYPE_UTF8:
        put_string(out, name, v);
        break;
    default:
        bson_append_double(out, name, -1, v);
        break;
    }
}

static bool same_value(const bson_iter_t *a, const bson_iter_t *b)
{
    struct raw x = raw_of(a), y = raw_of(b);
    return x.type == y.type && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
}

/* Steps to the first field in which the bounds differ; the equal ones before are copied to `out`. */
static bool first_difference(const bson_t *min, const bson_t *max, bson_iter_t *a, bson_iter_t *b,
                             bson_t *out)
{
    if (!bson_iter_init(a, min) || !bson_iter_init(b, max))
        return false;
    while (bson_iter_next(a) && bson_iter_next(b)) {
        if (!same_value(a, b))
            return true;
        if (out != NULL)
            bson_append_iter(out, bson_iter_key(a), -1, a);
    }
    return false;
}

/* The doc with `fraction` of the line below it; the fields behind get MinKey. */
static bool make_key(const struct coll *k, const bson_t *min, const bson_t *max, double fraction, bson_t *out)
{
    bson_iter_t a, b;
    struct point from, to;
    if (!first_difference(min, max, &a, &b, out))
        return false;
    const char *name = bson_iter_key(&a);
    int field = key_pattern_find(k->key, name);
    bool hashed = field >= 0 && k->key->fields[field].hashed;
    if (!line_of(&a, &b, hashed, &from, &to))
        return false;
    put_point(out, name, hashed ? BSON_TYPE_INT64 : from.type, from.at + (to.at - from.at) * fraction);
    while (bson_iter_next(&a))
        bson_append_minkey(out, bson_iter_key(&a), -1);
    return true;
}

/* The result is looked at once more by its encoding: strictly inside, or there is none. */
bool sb_key_at(const struct coll *k, const bson_t *min, const bson_t *max, double fraction,
               struct bound **ret)
{
    struct err err = {0};
    bson_t doc = BSON_INITIALIZER;
    struct bound *low = sb_bound_new(k->key, min, &err), *high = sb_bound_new(k->key, max, &err), *b = NULL;
    if (low != NULL && high != NULL && make_key(k, min, max, fraction, &doc))
        b = sb_bound_new(k->key, &doc, &err);
    bool inside = b != NULL && sb_bound_cmp(low, b) < 0 && sb_bound_cmp(b, high) < 0;
    if (inside)
        *ret = sb_bound_ref(b);
    sb_bound_unref(low);
    sb_bound_unref(high);
    sb_bound_unref(b);
    bson_destroy(&doc);
    return inside;
}

/* 0.5 where the bounds cannot be laid on a line: better half than nothing. */
double sb_key_position(const struct coll *k, const bson_t *min, const bson_t *max, const bson_t *at)
{
    bson_iter_t a, b, x;
    struct point from, to, p;
    if (!first_difference(min, max, &a, &b, NULL) || !bson_iter_init_find(&x, at, bson_iter_key(&a)))
        return 0.5;
    int field = key_pattern_find(k->key, bson_iter_key(&a));
    bool hashed = field >= 0 && k->key->fields[field].hashed;
    if (!line_of(&a, &b, hashed, &from, &to) || to.at <= from.at)
        return 0.5;
    p = point_of(&x);
    if (p.type != from.type && !(is_number(p.type) && is_number(from.type)))
        return 0.5;
    return CLAMP((p.at - from.at) / (to.at - from.at), 0, 1);
}
