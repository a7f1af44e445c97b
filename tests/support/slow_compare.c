// SPDX-License-Identifier: Apache-2.0
#include "tests/support/slow_compare.h"

#include <glib.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Room for 9.99E6144 before the point and 1E-6176 behind it. */
enum { PLACES = 6200, BUFFER = 2 * PLACES };

/* A number written out: digit i of `digits` stands at 10^(PLACES - 1 - i). */
struct written {
    int rank; /* NaN -2, -Infinity -1, finite 0, Infinity 1 */
    int sign; /* of a finite one: -1, 0, 1 */
    char digits[BUFFER];
};

static void write_text(struct written *w, const char *text)
{
    const char *point = strchr(text, '.');
    size_t whole = point == NULL ? strlen(text) : (size_t)(point - text);
    memcpy(w->digits + PLACES - whole, text, whole);
    if (point != NULL)
        memcpy(w->digits + PLACES, point + 1, strlen(point + 1));
}

static void write_int64(struct written *w, int64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, v);
    w->sign = v < 0 ? -1 : 1;
    write_text(w, v < 0 ? text + 1 : text);
}

static void write_double(struct written *w, double v)
{
    char text[1500];
    if (isnan(v) || isinf(v)) {
        w->rank = isnan(v) ? -2 : v < 0 ? -1 : 1;
        return;
    }
    snprintf(text, sizeof text, "%.1080f", fabs(v)); /* the smallest double needs 1074 places */
    w->sign = v < 0 ? -1 : 1;
    write_text(w, text);
}

/* Divides a number of four 32-bit limbs, highest first, by ten; the remainder is the last digit. */
static unsigned divide_by_ten(uint32_t limbs[4])
{
    uint64_t rest = 0;
    for (int i = 0; i < 4; i++) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
    return (unsigned)rest;
}

static void write_decimal(struct written *w, const bson_decimal128_t *d)
{
    unsigned top5 = (unsigned)(d->high >> 58 & 31);
    w->sign = d->high >> 63 ? -1 : 1;
    if (top5 >= 30) {
        w->rank = top5 == 31 ? -2 : w->sign;
        return;
    }
    if (top5 >= 24)
        return; /* a coefficient that is not allowed: zero */
    int exponent = (int)(d->high >> 49 & 0x3fff) - 6176;
    uint64_t high = d->high & 0x1ffffffffffff;
    uint32_t limbs[4] = {(uint32_t)(high >> 32), (uint32_t)high, (uint32_t)(d->low >> 32), (uint32_t)d->low};
    char digits[40] = {0};
    for (int i = 38; i >= 0; i--)
        digits[i] = (char)divide_by_ten(limbs);
    for (int i = 0; i < 5; i++) {
        if (digits[i] != 0)
            return; /* 35 digits or more: zero, too */
    }
    for (int i = 0; i < 39; i++) {
        if (digits[i] != 0)
            w->digits[PLACES - 39 + i - exponent] = (char)('0' + digits[i]);
    }
}

static void write_number(struct written *w, const bson_iter_t *it)
{
    bson_decimal128_t d;
    w->rank = 0;
    memset(w->digits, '0', BUFFER);
    if (BSON_ITER_HOLDS_INT32(it)) {
        write_int64(w, bson_iter_int32(it));
    } else if (BSON_ITER_HOLDS_INT64(it)) {
        write_int64(w, bson_iter_int64(it));
    } else if (BSON_ITER_HOLDS_DOUBLE(it)) {
        write_double(w, bson_iter_double(it));
    } else {
        bson_iter_decimal128(it, &d);
        write_decimal(w, &d);
    }
    bool zero = true;
    for (int i = 0; i < BUFFER && zero; i++)
        zero = w->digits[i] == '0';
    if (w->rank == 0 && zero)
        w->sign = 0;
}

static int compare_numbers(const bson_iter_t *a, const bson_iter_t *b)
{
    struct written wa, wb;
    write_number(&wa, a);
    write_number(&wb, b);
    if (wa.rank != wb.rank)
        return wa.rank < wb.rank ? -1 : 1;
    if (wa.rank != 0)
        return 0;
    if (wa.sign != wb.sign)
        return wa.sign < wb.sign ? -1 : 1;
    return wa.sign * memcmp(wa.digits, wb.digits, BUFFER);
}

static int compare_bytes(const char *a, uint32_t alen, const char *b, uint32_t blen)
{
    int c = memcmp(a, b, alen < blen ? alen : blen);
    return c != 0 ? c : alen < blen ? -1 : alen > blen;
}

static const char *text_of(const bson_iter_t *it, uint32_t *len)
{
    switch (bson_iter_type(it)) {
    case BSON_TYPE_UTF8:
        return bson_iter_utf8(it, len);
    case BSON_TYPE_SYMBOL:
        return bson_iter_symbol(it, len);
    default:
        return bson_iter_code(it, len);
    }
}

static int compare_text(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t alen, blen;
    const char *ta = text_of(a, &alen);
    const char *tb = text_of(b, &blen);
    return compare_bytes(ta, alen, tb, blen);
}

static int compare_inner(const bson_iter_t *a, const bson_iter_t *b)
{
    const uint8_t *da, *db;
    uint32_t la, lb;
    bson_t doc_a, doc_b;
    if (BSON_ITER_HOLDS_ARRAY(a)) {
        bson_iter_array(a, &la, &da);
        bson_iter_array(b, &lb, &db);
    } else {
        bson_iter_document(a, &la, &da);
        bson_iter_document(b, &lb, &db);
    }
    g_assert_true(bson_init_static(&doc_a, da, la) && bson_init_static(&doc_b, db, lb));
    return slow_compare_docs(&doc_a, &doc_b);
}

/* The old subtype 2 stores four bytes more, its length once again. */
static int compare_binary(const bson_iter_t *a, const bson_iter_t *b)
{
    bson_subtype_t sa, sb;
    uint32_t la, lb;
    const uint8_t *da, *db;
    bson_iter_binary(a, &sa, &la, &da);
    bson_iter_binary(b, &sb, &lb, &db);
    uint32_t stored_a = la + (sa == BSON_SUBTYPE_BINARY_DEPRECATED ? 4 : 0);
    uint32_t stored_b = lb + (sb == BSON_SUBTYPE_BINARY_DEPRECATED ? 4 : 0);
    if (stored_a != stored_b)
        return stored_a < stored_b ? -1 : 1;
    if (sa != sb)
        return (unsigned)sa < (unsigned)sb ? -1 : 1;
    return memcmp(da, db, la);
}

static int compare_regex(const bson_iter_t *a, const bson_iter_t *b)
{
    const char *fa, *fb;
    const char *pa = bson_iter_regex(a, &fa);
    const char *pb = bson_iter_regex(b, &fb);
    int c = strcmp(pa, pb);
    return c != 0 ? c : strcmp(fa, fb);
}

static int compare_dbpointer(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t la, lb;
    const char *na, *nb;
    const bson_oid_t *oa, *ob;
    bson_iter_dbpointer(a, &la, &na, &oa);
    bson_iter_dbpointer(b, &lb, &nb, &ob);
    if (la != lb)
        return la < lb ? -1 : 1;
    int c = memcmp(na, nb, la);
    return c != 0 ? c : memcmp(oa->bytes, ob->bytes, 12);
}

static int compare_scoped_code(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t la, lb, sla, slb;
    const uint8_t *sa, *sb;
    bson_t scope_a, scope_b;
    const char *ca = bson_iter_codewscope(a, &la, &sla, &sa);
    const char *cb = bson_iter_codewscope(b, &lb, &slb, &sb);
    int c = compare_bytes(ca, la, cb, lb);
    if (c != 0)
        return c;
    g_assert_true(bson_init_static(&scope_a, sa, sla) && bson_init_static(&scope_b, sb, slb));
    return slow_compare_docs(&scope_a, &scope_b);
}

static int compare_timestamps(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t ta, ia, tb, ib;
    bson_iter_timestamp(a, &ta, &ia);
    bson_iter_timestamp(b, &tb, &ib);
    if (ta != tb)
        return ta < tb ? -1 : 1;
    return ia < ib ? -1 : ia > ib;
}

static int compare_dates(const bson_iter_t *a, const bson_iter_t *b)
{
    int64_t da = bson_iter_date_time(a);
    int64_t db = bson_iter_date_time(b);
    return da < db ? -1 : da > db;
}

static int canonical(const bson_iter_t *it)
{
    static const struct {
        bson_type_t type;
        int canonical;
    } types[] = {
        {BSON_TYPE_MINKEY, -1},     {BSON_TYPE_UNDEFINED, 0},   {BSON_TYPE_NULL, 5},
        {BSON_TYPE_DOUBLE, 10},     {BSON_TYPE_INT32, 10},      {BSON_TYPE_INT64, 10},
        {BSON_TYPE_DECIMAL128, 10}, {BSON_TYPE_UTF8, 15},       {BSON_TYPE_SYMBOL, 15},
        {BSON_TYPE_DOCUMENT, 20},   {BSON_TYPE_ARRAY, 25},      {BSON_TYPE_BINARY, 30},
        {BSON_TYPE_OID, 35},        {BSON_TYPE_BOOL, 40},       {BSON_TYPE_DATE_TIME, 45},
        {BSON_TYPE_TIMESTAMP, 47},  {BSON_TYPE_REGEX, 50},      {BSON_TYPE_DBPOINTER, 55},
        {BSON_TYPE_CODE, 60},       {BSON_TYPE_CODEWSCOPE, 65}, {BSON_TYPE_MAXKEY, 127},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i].type == bson_iter_type(it))
            return types[i].canonical;
    }
    g_assert_not_reached();
}

static int compare_same_type(const bson_iter_t *a, const bson_iter_t *b)
{
    switch (canonical(a)) {
    case 10:
        return compare_numbers(a, b);
    case 15:
    case 60:
        return compare_text(a, b);
    case 20:
    case 25:
        return compare_inner(a, b);
    case 30:
        return compare_binary(a, b);
    case 35:
        return memcmp(bson_iter_oid(a)->bytes, bson_iter_oid(b)->bytes, 12);
    case 40:
        return (int)bson_iter_bool(a) - (int)bson_iter_bool(b);
    case 45:
        return compare_dates(a, b);
    case 47:
        return compare_timestamps(a, b);
    case 50:
        return compare_regex(a, b);
    case 55:
        return compare_dbpointer(a, b);
    case 65:
        return compare_scoped_code(a, b);
    default: /* MinKey, Undefined, Null, MaxKey */
        return 0;
    }
}

int slow_compare_values(const bson_iter_t *a, const bson_iter_t *b)
{
    int types = canonical(a) - canonical(b);
    return types != 0 ? types : compare_same_type(a, b);
}

int slow_compare_docs(const bson_t *a, const bson_t *b)
{
    bson_iter_t ia, ib;
    g_assert_true(bson_iter_init(&ia, a) && bson_iter_init(&ib, b));
    for (;;) {
        bool more_a = bson_iter_next(&ia);
        bool more_b = bson_iter_next(&ib);
        if (!more_a || !more_b)
            return (int)more_a - (int)more_b;
        int c = canonical(&ia) - canonical(&ib);
        if (c == 0)
            c = strcmp(bson_iter_key(&ia), bson_iter_key(&ib));
        if (c == 0)
            c = compare_same_type(&ia, &ib);
        if (c != 0)
            return c;
    }
}
