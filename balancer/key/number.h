// SPDX-License-Identifier: Apache-2.0
/* number.h - BSON's four kinds of number as one ordered line, and as the hash takes them.
 * Owns: the encoding of a number (docs/key-order.md), reading Decimal128, the conversions to int64 of the
 * hash. Never: loses a digit in a comparison. A double may be far from a Decimal128 or an int64 that it
 * rounds to.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    NUMBER_DIGITS_MAX = 34, /* of a Decimal128; an int64 has 19 */
    NUMBER_TEXT_MAX = 64,
};

enum number_kind { NUMBER_NAN, NUMBER_INFINITE, NUMBER_FINITE };

/* A finite value is 0.d1d2d3... times 10 to the power `point`; neither the first nor the last digit is 0, and
 * zero has no digits and no sign. */
struct number {
    enum number_kind kind;
    bool negative;
    int point;
    unsigned n_digits;
    uint8_t digits[NUMBER_DIGITS_MAX]; /* 0 to 9 */
};

/* Append the encoding (without a type byte). A Decimal128 is given as its 16 bytes in a document. */
void number_encode_int64(GByteArray *out, int64_t v);
void number_encode_double(GByteArray *out, double v);
void number_encode_decimal(GByteArray *out, const uint8_t bytes[16]);

/* "1.50", "1E+3", "NaN", "-Infinity": exponent and trailing zeros kept. Coefficients that the standard does
 * not allow count as zero, here and in the server. */
void number_decimal_text(const uint8_t bytes[16], char ret[NUMBER_TEXT_MAX]);
struct number number_of_decimal(const uint8_t bytes[16]);

/* As the server's hash takes them: a double is truncated and 2^63 becomes -2^63; a Decimal128 is rounded to
 * the nearest, ties to even; what lies outside of int64 becomes its nearest end, and NaN 0. */
int64_t number_hashed_double(double v);
int64_t number_hashed_decimal(const uint8_t bytes[16]);
