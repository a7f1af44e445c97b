// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_bson.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static guint below(GRand *r, guint n)
{
    return (guint)g_rand_int_range(r, 0, (gint32)n);
}

static uint64_t any64(GRand *r)
{
    uint64_t high = g_rand_int(r);
    return high << 32 | g_rand_int(r);
}

static double double_of_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static double random_double(GRand *r)
{
    static const double nasty[] = {
        0,
        -0.0,
        NAN,
        INFINITY,
        -INFINITY,
        DBL_MAX,
        -DBL_MAX,
        DBL_MIN,
        DBL_TRUE_MIN,
        -DBL_TRUE_MIN,
        0.1,
        1e15,
        1e16,
        9007199254740992.0,
        -9007199254740992.0,
        9007199254740994.0,
        9223372036854775808.0,
        -9223372036854775808.0,
        1e22,
        1e23,
        0.5,
        1,
    };
    double d;
    switch (below(r, 5)) {
    case 0:
        d = double_of_bits(any64(r));
        break;
    case 1:
        d = g_rand_int_range(r, -50, 50);
        break;
    case 2:
        d = g_rand_int_range(r, -400, 400) / 8.0;
        break;
    case 3: /* denormals */
        d = double_of_bits(any64(r) & 0x800fffffffffffff);
        break;
    default:
        d = nasty[below(r, G_N_ELEMENTS(nasty))];
        break;
    }
    return below(r, 6) == 0 ? nextafter(d, below(r, 2) == 0 ? -INFINITY : INFINITY) : d;
}

static int64_t random_int64(GRand *r)
{
    static const int64_t nasty[] = {
        0,
        1,
        -1,
        INT32_MAX,
        INT32_MIN,
        INT64_MAX,
        INT64_MIN,
        (int64_t)1 << 53,
        -((int64_t)1 << 53),
        (int64_t)1 << 62,
        999999999999999,
        1000000000000000,
        9223372036854774784,
    };
    switch (below(r, 3)) {
    case 0:
        return (int64_t)(any64(r) >> below(r, 64)) * (below(r, 2) == 0 ? 1 : -1);
    case 1:
        return g_rand_int_range(r, -50, 50);
    default: { /* wraps around at the ends, which is as good */
        uint64_t near = (uint64_t)nasty[below(r, G_N_ELEMENTS(nasty))] + below(r, 7) - 3;
        return (int64_t)near;
    }
    }
}

/* Up to 34 digits of a double: the very number, or one just beside it. */
static void near_double(GRand *r, double d, char *text, size_t size)
{
    snprintf(text, size, "%.*e", (int)(below(r, 3) == 0 ? below(r, 33) : 33), d);
    char *last = strchr(text, 'e');
    if (last != NULL && below(r, 3) == 0 && g_ascii_isdigit(last[-1]))
        last[-1] = (char)('0' + below(r, 10));
}

static bson_decimal128_t decimal_of(const char *text)
{
    bson_decimal128_t d = {0};
    g_assert_true(bson_decimal128_from_string(text, &d));
    return d;
}

static bson_decimal128_t random_decimal(GRand *r)
{
    static const char *const nasty[] = {
        "0",
        "-0",
        "0E+6000",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "1.0",
        "1.00",
        "1",
        "10E-1",
        "1E1",
        "1E6144",
        "-1E6144",
        "1E-6176",
        "-1E-6176",
        "9.99E6144",
        "9.999999999999999999999999999999999E6144",
        "-9.999999999999999999999999999999999E6144",
        "1.7976931348623157E308",
        "1.797693134862315708145274237317043E308",
        "1.797693134862315708145274237317044E308",
        "1.797693134862315807937289714053034E308",
        "1E309",
        "4.9E-324",
        "4.940656458412465441765687928682213E-324",
        "4.940656458412465441765687928682214E-324",
        "2.4E-324",
        "1E-400",
        "-1E-400",
        "9007199254740993",
        "9007199254740992.5",
        "9223372036854775807",
        "9223372036854775807.5",
        "9223372036854775808",
        "-9223372036854775808.1",
        "0.1",
        "0.5",
        "1.5",
        "0.1000000000000000055511151231257827",
        "999999999999999",
        "1000000000000000",
        "1E15",
        "1E14",
    };
    char text[64];
    bson_decimal128_t d;
    switch (below(r, 6)) {
    case 0: /* any bits, among them coefficients that are not allowed */
        d.high = any64(r);
        d.low = any64(r);
        return d;
    case 1: { /* few digits, exponents from end to end */
        int exponent = below(r, 2) == 0 ? g_rand_int_range(r, -6176, 6111) : g_rand_int_range(r, -12, 12);
        snprintf(text, sizeof text, "%dE%d", g_rand_int_range(r, -1200, 1200), exponent);
        break;
    }
    case 2: {
        double near = random_double(r);
        near_double(r, isfinite(near) ? near : 1.0, text, sizeof text);
        break;
    }
    case 3:
        snprintf(text, sizeof text, "%" G_GINT64_FORMAT "%s", (gint64)random_int64(r),
                 below(r, 2) == 0 ? ".0" : ".5");
        break;
    case 4:
        snprintf(text, sizeof text, "%d.%02u", g_rand_int_range(r, -50, 50), 25 * below(r, 4));
        break;
    default:
        return decimal_of(nasty[below(r, G_N_ELEMENTS(nasty))]);
    }
    return decimal_of(text);
}

/* Short strings over few letters, so that equal ones, prefixes and inner NULs come often. */
static guint random_text(GRand *r, char *text, bool nuls)
{
    static const char *const letters[] = {"a",    "b",   "A", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                          "\x01", "\x7f"};
    guint len = 0;
    for (guint n = below(r, 5); n > 0; n--) {
        if (nuls && below(r, 4) == 0) {
            text[len++] = '\0';
            continue;
        }
        const char *letter = letters[below(r, below(r, 2) == 0 ? 2 : G_N_ELEMENTS(letters))];
        memcpy(text + len, letter, strlen(letter));
        len += (guint)strlen(letter);
    }
    text[len] = '\0';
    return len;
}

static void random_document(GRand *r, bson_t *out, unsigned depth, bool array)
{
    char name[32];
    guint n = below(r, 4);
    for (guint i = 0; i < n; i++) {
        if (array)
            snprintf(name, sizeof name, "%u", i);
        else
            random_text(r, name, /* nuls= */ false);
        random_value(r, out, name, depth);
    }
}

static void random_binary(GRand *r, bson_t *out, const char *name)
{
    static const bson_subtype_t subtypes[] = {
        BSON_SUBTYPE_BINARY, BSON_SUBTYPE_BINARY_DEPRECATED, BSON_SUBTYPE_UUID, BSON_SUBTYPE_MD5,
        BSON_SUBTYPE_USER,
    };
    uint8_t bytes[260];
    guint len = below(r, 3) == 0 ? 16 : below(r, 8) == 0 ? 254 + below(r, 6) : below(r, 6);
    for (guint i = 0; i < len; i++)
        bytes[i] = (uint8_t)(below(r, 2) == 0 ? below(r, 3) : below(r, 256));
    bson_append_binary(out, name, -1, subtypes[below(r, G_N_ELEMENTS(subtypes))], bytes, len);
}

static void random_oid(GRand *r, bson_oid_t *oid)
{
    for (int i = 0; i < 12; i++)
        oid->bytes[i] = (uint8_t)(below(r, 3) == 0 ? below(r, 256) : below(r, 2));
}

static int64_t random_date(GRand *r)
{
    return below(r, 2) == 0 ? random_int64(r) : g_rand_int_range(r, -1000, 1000) * (int64_t)86400000;
}

static uint32_t random_uint32(GRand *r)
{
    return below(r, 2) == 0 ? g_rand_int(r) : below(r, 3);
}

bson_type_t random_type(GRand *r)
{
    static const bson_type_t types[] = {
        BSON_TYPE_MINKEY, BSON_TYPE_UNDEFINED, BSON_TYPE_NULL,       BSON_TYPE_DOUBLE,
        BSON_TYPE_INT32,  BSON_TYPE_INT64,     BSON_TYPE_DECIMAL128, BSON_TYPE_UTF8,
        BSON_TYPE_SYMBOL, BSON_TYPE_DOCUMENT,  BSON_TYPE_ARRAY,      BSON_TYPE_BINARY,
        BSON_TYPE_OID,    BSON_TYPE_BOOL,      BSON_TYPE_DATE_TIME,  BSON_TYPE_TIMESTAMP,
        BSON_TYPE_REGEX,  BSON_TYPE_DBPOINTER, BSON_TYPE_CODE,       BSON_TYPE_CODEWSCOPE,
        BSON_TYPE_MAXKEY,
    };
    return types[below(r, G_N_ELEMENTS(types))];
}

/* Types that hold other values, or text. */
static void random_compound(GRand *r, bson_t *out, const char *name, bson_type_t type, unsigned depth)
{
    char text[64];
    guint len = random_text(r, text, /* nuls= */ type == BSON_TYPE_UTF8 || type == BSON_TYPE_SYMBOL);
    bson_t inner = BSON_INITIALIZER;
    bson_oid_t oid;
    random_oid(r, &oid);
    if (depth > 0)
        random_document(r, &inner, depth - 1, type == BSON_TYPE_ARRAY);
    if (type == BSON_TYPE_UTF8) {
        bson_append_utf8(out, name, -1, text, (int)len);
    } else if (type == BSON_TYPE_SYMBOL) {
        bson_append_symbol(out, name, -1, text, (int)len);
    } else if (type == BSON_TYPE_CODE) {
        bson_append_code(out, name, -1, text);
    } else if (type == BSON_TYPE_CODEWSCOPE) {
        bson_append_code_with_scope(out, name, -1, text, &inner);
    } else if (type == BSON_TYPE_DOCUMENT) {
        bson_append_document(out, name, -1, &inner);
    } else if (type == BSON_TYPE_ARRAY) {
        bson_append_array(out, name, -1, &inner);
    } else if (type == BSON_TYPE_REGEX) {
        bson_append_regex(out, name, -1, text, below(r, 2) == 0 ? "im" : "");
    } else {
        bson_append_dbpointer(out, name, -1, text, &oid);
    }
    bson_destroy(&inner);
}

void random_value_of(GRand *r, bson_t *out, const char *name, bson_type_t type, unsigned depth)
{
    bson_decimal128_t decimal;
    bson_oid_t oid;
    switch (type) {
    case BSON_TYPE_MINKEY:
        bson_append_minkey(out, name, -1);
        break;
    case BSON_TYPE_MAXKEY:
        bson_append_maxkey(out, name, -1);
        break;
    case BSON_TYPE_UNDEFINED:
        bson_append_undefined(out, name, -1);
        break;
    case BSON_TYPE_NULL:
        bson_append_null(out, name, -1);
        break;
    case BSON_TYPE_DOUBLE:
        bson_append_double(out, name, -1, random_double(r));
        break;
    case BSON_TYPE_INT32:
        bson_append_int32(out, name, -1, (int32_t)random_int64(r));
        break;
    case BSON_TYPE_INT64:
        bson_append_int64(out, name, -1, random_int64(r));
        break;
    case BSON_TYPE_DECIMAL128:
        decimal = random_decimal(r);
        bson_append_decimal128(out, name, -1, &decimal);
        break;
    case BSON_TYPE_BINARY:
        random_binary(r, out, name);
        break;
    case BSON_TYPE_OID:
        random_oid(r, &oid);
        bson_append_oid(out, name, -1, &oid);
        break;
    case BSON_TYPE_BOOL:
        bson_append_bool(out, name, -1, below(r, 2) == 0);
        break;
    case BSON_TYPE_DATE_TIME:
        bson_append_date_time(out, name, -1, random_date(r));
        break;
    case BSON_TYPE_TIMESTAMP:
        bson_append_timestamp(out, name, -1, random_uint32(r), random_uint32(r));
        break;
    default:
        random_compound(r, out, name, type, depth);
        break;
    }
}

void random_value(GRand *r, bson_t *out, const char *name, unsigned depth)
{
    random_value_of(r, out, name, random_type(r), depth);
}

void random_number(GRand *r, bson_t *out, const char *name)
{
    static const bson_type_t kinds[] = {BSON_TYPE_DOUBLE, BSON_TYPE_INT32, BSON_TYPE_INT64,
                                        BSON_TYPE_DECIMAL128};
    random_value_of(r, out, name, kinds[below(r, G_N_ELEMENTS(kinds))], 0);
}

/* The same digits one place further up or down, which leaves a value that is beyond all doubles on its
 * double. */
static bson_decimal128_t ten_times(GRand *r, bson_decimal128_t d)
{
    uint64_t step = (uint64_t)1 << 49;
    d.high += below(r, 2) == 0 ? step : 0 - step;
    return d;
}

static double rounded_to_double(const bson_iter_t *it)
{
    char text[BSON_DECIMAL128_STRING + 8];
    bson_decimal128_t d;
    if (!BSON_ITER_HOLDS_DECIMAL128(it))
        return bson_iter_as_double(it);
    bson_iter_decimal128(it, &d);
    bson_decimal128_to_string(&d, text);
    return g_ascii_strtod(text, NULL);
}

void random_near(GRand *r, const bson_iter_t *it, bson_t *out, const char *name)
{
    char text[64];
    double d = rounded_to_double(it);
    bson_decimal128_t decimal;
    if (BSON_ITER_HOLDS_DECIMAL128(it) && below(r, 3) == 0) {
        bson_iter_decimal128(it, &decimal);
        decimal = ten_times(r, decimal);
        bson_append_decimal128(out, name, -1, &decimal);
        return;
    }
    switch (below(r, 4)) {
    case 0:
        bson_append_double(out, name, -1,
                           below(r, 3) == 0 ? nextafter(d, below(r, 2) == 0 ? -INFINITY : INFINITY) : d);
        return;
    case 1:
        if (fabs(d) < 9e18) {
            bson_append_int64(out, name, -1, (int64_t)d + g_rand_int_range(r, -1, 2));
            return;
        }
        break;
    case 2:
        if (BSON_ITER_HOLDS_INT64(it)) {
            snprintf(text, sizeof text, "%" G_GINT64_FORMAT "%s", (gint64)bson_iter_int64(it),
                     below(r, 2) == 0 ? ".00" : ".1");
            decimal = decimal_of(text);
            bson_append_decimal128(out, name, -1, &decimal);
            return;
        }
        break;
    default:
        break;
    }
    if (!isfinite(d)) {
        bson_append_double(out, name, -1, d);
        return;
    }
    near_double(r, d, text, sizeof text);
    decimal = decimal_of(text);
    bson_append_decimal128(out, name, -1, &decimal);
}
