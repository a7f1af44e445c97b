// SPDX-License-Identifier: Apache-2.0
/* A number is encoded as the double next to it on the side of zero, which settles nearly every comparison,
 * then as its own digits where that double is not the number itself. docs/key-order.md has the layout.
 */
#include "balancer/key/number.h"

#include "balancer/key/raw.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARK_EXACT = 1,
    MARK_DIGITS = 2,
    EXPONENT_BIAS = 0x4000, /* exponents of base 100 lie in [-3088, 3073] */
    DOUBLE_DIGITS = 767,    /* no double has more significant decimal digits */
};

static const uint64_t sign_bit = (uint64_t)1 << 63;
static const uint64_t max_exact = (uint64_t)1 << 53; /* every integer up to here is a double */

/* The eight bytes and the marker. Larger bytes for larger magnitudes; all reversed below zero. */
static void put_head(GByteArray *out, double magnitude, bool negative, uint8_t mark)
{
    uint8_t head[9];
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    bits |= sign_bit;
    bits = GUINT64_TO_BE(negative ? ~bits : bits);
    memcpy(head, &bits, 8);
    head[8] = negative ? (uint8_t)~mark : mark;
    g_byte_array_append(out, head, sizeof head);
}

/* The digits in pairs, the decimal point on an even place, so that equal values have equal bytes. */
static void put_digits(GByteArray *out, const struct number *n)
{
    uint8_t tail[2 + NUMBER_DIGITS_MAX / 2 + 2];
    bool odd = n->point % 2 != 0;
    int exponent = (n->point + (odd ? 1 : 0)) / 2 + EXPONENT_BIAS;
    unsigned len = 0;
    tail[len++] = (uint8_t)(exponent >> 8);
    tail[len++] = (uint8_t)exponent;
    for (unsigned i = 0; i < n->n_digits;) {
        unsigned pair = 0;
        if (!(odd && i == 0))
            pair = 10u * n->digits[i++];
        if (i < n->n_digits)
            pair += n->digits[i++];
        tail[len++] = (uint8_t)(pair + 1);
    }
    tail[len++] = 0;
    for (unsigned i = 0; n->negative && i < len; i++)
        tail[i] = (uint8_t)~tail[i];
    g_byte_array_append(out, tail, len);
}

/* Digits without the zeros at either end; `point` as in struct number, counted from the first digit of `s`.
 */
static void set_digits(struct number *n, const char *s, unsigned len, int point)
{
    while (len > 0 && *s == '0') {
        s++;
        len--;
        point--;
    }
    while (len > 0 && s[len - 1] == '0')
        len--;
    n->kind = NUMBER_FINITE;
    n->n_digits = MIN(len, NUMBER_DIGITS_MAX);
    n->point = n->n_digits > 0 ? point : 0;
    n->negative = n->negative && n->n_digits > 0;
    for (unsigned i = 0; i < n->n_digits; i++)
        n->digits[i] = (uint8_t)(s[i] - '0');
}

void number_encode_int64(GByteArray *out, int64_t v)
{
    bool negative = v < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)v : (uint64_t)v;
    uint64_t top = magnitude;
    unsigned dropped = 0;
    while (top > max_exact) {
        top >>= 1;
        dropped++;
    }
    uint64_t truncated = top << dropped;
    if (truncated == magnitude) {
        put_head(out, (double)magnitude, negative, MARK_EXACT);
        return;
    }
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, magnitude);
    struct number n = {.negative = negative};
    set_digits(&n, text, (unsigned)len, len);
    put_head(out, (double)truncated, negative, MARK_DIGITS);
    put_digits(out, &n);
}

/* Eight zero bytes come before those of -Infinity. */
static void put_nan(GByteArray *out)
{
    static const uint8_t nan_bytes[9] = {[8] = MARK_EXACT};
    g_byte_array_append(out, nan_bytes, sizeof nan_bytes);
}

void number_encode_double(GByteArray *out, double v)
{
    if (isnan(v))
        put_nan(out);
    else
        put_head(out, fabs(v), v < 0, MARK_EXACT);
}

/* Whether the coefficient is more than 34 digits. Two combination bits of 11 (and not NaN or Infinity, 1111x)
 * mean a coefficient of at least 2^113. */
static bool coefficient_too_big(uint64_t high, uint64_t low)
{
    if ((high >> 61 & 3) == 3)
        return (high >> 59 & 15) != 15;
    uint64_t top = high & (((uint64_t)1 << 49) - 1);
    return top > 0x1ed09bead87c0 || (top == 0x1ed09bead87c0 && low > 0x378d8e63ffffffff);
}

void number_decimal_text(const uint8_t bytes[16], char ret[NUMBER_TEXT_MAX])
{
    bson_decimal128_t d = {.low = raw_u64(bytes), .high = raw_u64(bytes + 8)};
    if (coefficient_too_big(d.high, d.low))
        g_strlcpy(ret, d.high & sign_bit ? "-0" : "0", NUMBER_TEXT_MAX);
    else
        bson_decimal128_to_string(&d, ret);
}

/* Reads "[-]digits[.digits][E[+-]digits]", "NaN", "[-]Infinity". */
static struct number number_of_text(const char *text)
{
    struct number n = {.negative = *text == '-'};
    if (n.negative)
        text++;
    if (!g_ascii_isdigit(*text)) {
        n.kind = *text == 'I' ? NUMBER_INFINITE : NUMBER_NAN;
        return n;
    }
    char digits[NUMBER_TEXT_MAX];
    unsigned len = 0, before_point = 0;
    bool seen_point = false;
    for (; *text != '\0' && *text != 'E'; text++) {
        if (*text == '.') {
            seen_point = true;
            continue;
        }
        digits[len++] = *text;
        before_point += seen_point ? 0 : 1;
    }
    int exponent = *text == 'E' ? (int)strtol(text + 1, NULL, 10) : 0;
    set_digits(&n, digits, len, exponent + (int)before_point);
    return n;
}

struct number number_of_decimal(const uint8_t bytes[16])
{
    char text[NUMBER_TEXT_MAX];
    number_decimal_text(bytes, text);
    return number_of_text(text);
}

/* Compares the magnitude of `n` with a positive finite double, digit by digit of the double's exact decimal
 * form. */
static int compare_magnitude(const struct number *n, double d)
{
    char buf[DOUBLE_DIGITS + 16];
    g_ascii_formatd(buf, sizeof buf, "%.766e", d);
    const char *e = strchr(buf, 'e');
    int point = (int)strtol(e + 1, NULL, 10) + 1;
    if (n->point != point)
        return n->point < point ? -1 : 1;
    for (unsigned i = 0; i < DOUBLE_DIGITS; i++) {
        int ours = i < n->n_digits ? n->digits[i] : 0;
        int its = buf[i == 0 ? 0 : i + 1] - '0'; /* the point stands behind the first digit */
        if (ours != its)
            return ours < its ? -1 : 1;
    }
    return 0;
}

/* The largest double that is not above the magnitude of `n`. */
static double truncate_to_double(const struct number *n, bool *ret_exact)
{
    char text[NUMBER_TEXT_MAX];
    unsigned len = 0;
    text[len++] = '.';
    for (unsigned i = 0; i < n->n_digits; i++)
        text[len++] = (char)('0' + n->digits[i]);
    snprintf(text + len, sizeof text - len, "e%d", n->point);
    double d = g_ascii_strtod(text, NULL); /* the nearest, which may be the next one up, or infinity */
    *ret_exact = false;
    if (d == 0)
        return 0;
    if (!isfinite(d))
        return DBL_MAX;
    int side = compare_magnitude(n, d);
    *ret_exact = side == 0;
    return side < 0 ? nextafter(d, 0) : d;
}

/* Whole numbers below 10^15 go without the long way. */
static bool small_integer(const struct number *n, double *ret)
{
    if (n->point > 15 || n->point < (int)n->n_digits)
        return false;
    uint64_t v = 0;
    for (int i = 0; i < n->point; i++)
        v = v * 10 + (i < (int)n->n_digits ? n->digits[i] : 0u);
    *ret = (double)v;
    return true;
}

void number_encode_decimal(GByteArray *out, const uint8_t bytes[16])
{
    struct number n = number_of_decimal(bytes);
    if (n.kind == NUMBER_NAN) {
        put_nan(out);
        return;
    }
    double d = INFINITY;
    bool exact = true;
    if (n.kind == NUMBER_FINITE && !small_integer(&n, &d))
        d = truncate_to_double(&n, &exact);
    put_head(out, d, n.negative, exact ? MARK_EXACT : MARK_DIGITS);
    if (!exact)
        put_digits(out, &n);
}

int64_t number_hashed_double(double v)
{
    const double two63 = 9223372036854775808.0;
    if (isnan(v))
        return 0;
    if (v == two63)
        return INT64_MIN; /* the server's old quirk, kept for the sake of stored hashes */
    if (v > two63)
        return INT64_MAX;
    return v < -two63 ? INT64_MIN : (int64_t)v;
}

/* Whether the digits from `i` on are above one half, or just one half behind an odd number. */
static bool rounds_up(const struct number *n, int i, uint64_t whole)
{
    if (i < 0 || i >= (int)n->n_digits || n->digits[i] < 5)
        return false;
    bool above_half = n->digits[i] > 5 || (unsigned)i + 1 < n->n_digits;
    return above_half || whole % 2 == 1;
}

int64_t number_hashed_decimal(const uint8_t bytes[16])
{
    struct number n = number_of_decimal(bytes);
    if (n.kind == NUMBER_NAN)
        return 0;
    int64_t end = n.negative ? INT64_MIN : INT64_MAX;
    if (n.kind == NUMBER_INFINITE || n.point > 19)
        return end;
    uint64_t whole = 0; /* at most 19 digits, which fit */
    for (int i = 0; i < n.point; i++)
        whole = whole * 10 + (i < (int)n.n_digits ? n.digits[i] : 0u);
    if (rounds_up(&n, n.point, whole))
        whole++;
    if (whole > (uint64_t)INT64_MAX)
        return end;
    return n.negative ? -(int64_t)whole : (int64_t)whole;
}
