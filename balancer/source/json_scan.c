// SPDX-License-Identifier: Apache-2.0
/* A state machine with one step a byte; the insides of strings and runs of blanks go by in loops of their
 * own. */
#include "balancer/source/json_scan.h"

#include <string.h>

enum {
    ST_VALUE,
    ST_FIRST_ITEM,
    ST_FIRST_KEY,
    ST_KEY,
    ST_COLON,
    ST_NEXT,
    ST_STRING,
    ST_ESCAPE,
    ST_HEX,
    ST_LITERAL,
    ST_NUMBER,
    ST_DONE
};

/* Where in a number we are. */
enum { NUM_MINUS, NUM_ZERO, NUM_INT, NUM_DOT, NUM_FRACTION, NUM_E, NUM_E_SIGN, NUM_EXPONENT };

/* With more digits libbson's integers wrap around unseen; up to so many it checks their range. */
enum { INTEGER_DIGITS_MAX = 19 };

enum step { STEP_ON, STEP_AGAIN, STEP_BAD };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The value just read is whole. Outside all brackets that is the end of the scan. */
static void ended(struct json_scan *s)
{
    s->state = s->depth == 0 ? ST_DONE : ST_NEXT;
}

/* The kinds of the open brackets are bits of one word: no memory grows with what the file nests. */
static enum step open_level(struct json_scan *s, bool object, const char **why)
{
    if (s->depth == JSON_DEPTH_MAX) {
        *why = "nested too deeply (more than 64 levels)";
        return STEP_BAD;
    }
    s->depth++;
    s->is_object = s->is_object << 1 | object;
    s->state = object ? ST_FIRST_KEY : ST_FIRST_ITEM;
    return STEP_ON;
}

/* The bracket was compared with the one that is open. */
static enum step close_level(struct json_scan *s)
{
    s->depth--;
    s->is_object >>= 1;
    ended(s);
    return STEP_ON;
}

static enum step open_string(struct json_scan *s, bool key)
{
    s->key = key;
    s->state = ST_STRING;
    return STEP_ON;
}

static enum step open_literal(struct json_scan *s, const char *rest)
{
    s->literal = rest;
    s->state = ST_LITERAL;
    return STEP_ON;
}

static enum step open_number(struct json_scan *s, uint8_t c)
{
    s->digits = c == '-' || c == '0' ? 0 : 1;
    s->number = c == '-' ? NUM_MINUS : c == '0' ? NUM_ZERO : NUM_INT;
    s->state = ST_NUMBER;
    return STEP_ON;
}

static enum step step_value(struct json_scan *s, uint8_t c, const char **why)
{
    switch (c) {
    case '{':
        return open_level(s, true, why);
    case '[':
        return open_level(s, false, why);
    case '"':
        return open_string(s, false);
    case 't':
        return open_literal(s, "rue");
    case 'f':
        return open_literal(s, "alse");
    case 'n':
        return open_literal(s, "ull");
    default:
        if (c == '-' || is_digit(c))
            return open_number(s, c);
        *why = "a value was expected here";
        return STEP_BAD;
    }
}

static enum step step_key(struct json_scan *s, uint8_t c, const char **why)
{
    if (c == '"')
        return open_string(s, true);
    *why = "a key in double quotes was expected here";
    return STEP_BAD;
}

static enum step step_next(struct json_scan *s, uint8_t c, const char **why)
{
    bool object = s->is_object & 1;
    if (c == (object ? '}' : ']'))
        return close_level(s);
    if (c == ',') {
        s->state = object ? ST_KEY : ST_VALUE;
        return STEP_ON;
    }
    *why = object ? "',' or '}' was expected here" : "',' or ']' was expected here";
    return STEP_BAD;
}

/* A byte of a string that skip_plain() stops at. */
static enum step step_string(struct json_scan *s, uint8_t c, const char **why)
{
    if (c < 0x20) {
        *why = "a control character stands in a string";
        return STEP_BAD;
    }
    if (c == '\\')
        s->state = ST_ESCAPE;
    else if (c == '"' && s->key)
        s->state = ST_COLON;
    else if (c == '"')
        ended(s);
    return STEP_ON;
}

static enum step step_escape(struct json_scan *s, uint8_t c, const char **why)
{
    if (c == 'u') {
        s->escapes = 4;
        s->state = ST_HEX;
        return STEP_ON;
    }
    if (c != 0 && strchr("\"\\/bfnrt", c) != NULL) {
        s->state = ST_STRING;
        return STEP_ON;
    }
    *why = "an unknown escape stands in a string";
    return STEP_BAD;
}

static enum step step_hex(struct json_scan *s, uint8_t c, const char **why)
{
    if (!is_hex(c)) {
        *why = "four hexadecimal digits were expected after \\u";
        return STEP_BAD;
    }
    if (--s->escapes == 0)
        s->state = ST_STRING;
    return STEP_ON;
}

static enum step step_literal(struct json_scan *s, uint8_t c, const char **why)
{
    if (c != (uint8_t)*s->literal) {
        *why = "an unknown word; true, false, null are known";
        return STEP_BAD;
    }
    if (*++s->literal == '\0')
        ended(s);
    return STEP_ON;
}

/* The place in a number after byte `c`, or -1 where it does not continue the number. */
static int number_after(unsigned place, uint8_t c)
{
    bool digit = is_digit(c), e = c == 'e' || c == 'E';
    switch (place) {
    case NUM_MINUS:
        return c == '0' ? NUM_ZERO : digit ? NUM_INT : -1;
    case NUM_ZERO:
        return c == '.' ? NUM_DOT : e ? NUM_E : -1;
    case NUM_INT:
        return digit ? NUM_INT : c == '.' ? NUM_DOT : e ? NUM_E : -1;
    case NUM_DOT:
        return digit ? NUM_FRACTION : -1;
    case NUM_FRACTION:
        return digit ? NUM_FRACTION : e ? NUM_E : -1;
    case NUM_E:
        return digit ? NUM_EXPONENT : c == '+' || c == '-' ? NUM_E_SIGN : -1;
    default:
        return digit ? NUM_EXPONENT : -1;
    }
}

static bool number_complete(unsigned place)
{
    return place == NUM_ZERO || place == NUM_INT || place == NUM_FRACTION || place == NUM_EXPONENT;
}

/* A number has no closing mark: the byte behind it ends it, and is looked at again as what follows a value.
 */
static enum step step_number(struct json_scan *s, uint8_t c, const char **why)
{
    int place = number_after(s->number, c);
    if (place == NUM_INT && s->digits < UINT8_MAX)
        s->digits++;
    if (place >= 0) {
        s->number = (uint8_t)place;
        return STEP_ON;
    }
    if (!number_complete(s->number) || is_digit(c)) {
        *why = "not a number as JSON writes it";
        return STEP_BAD;
    }
    if (s->number == NUM_INT && s->digits > INTEGER_DIGITS_MAX) {
        *why = "the whole number before this has more than 64 bits";
        return STEP_BAD;
    }
    ended(s);
    return STEP_AGAIN;
}

/* What byte `c` means in the present state. */
static enum step step(struct json_scan *s, uint8_t c, const char **why)
{
    switch (s->state) {
    case ST_VALUE:
        return step_value(s, c, why);
    case ST_FIRST_ITEM:
        return c == ']' ? close_level(s) : step_value(s, c, why);
    case ST_FIRST_KEY:
        return c == '}' ? close_level(s) : step_key(s, c, why);
    case ST_KEY:
        return step_key(s, c, why);
    case ST_COLON:
        if (c != ':') {
            *why = "':' was expected here";
            return STEP_BAD;
        }
        s->state = ST_VALUE;
        return STEP_ON;
    case ST_NEXT:
        return step_next(s, c, why);
    case ST_STRING:
        return step_string(s, c, why);
    case ST_ESCAPE:
        return step_escape(s, c, why);
    case ST_HEX:
        return step_hex(s, c, why);
    case ST_LITERAL:
        return step_literal(s, c, why);
    default:
        return step_number(s, c, why);
    }
}

/* The first byte from `i` on that the present state has to look at. */
static size_t skip_plain(const struct json_scan *s, const uint8_t *p, size_t i, size_t n)
{
    if (s->state == ST_STRING) {
        while (i < n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
            i++;
    } else if (s->state < ST_STRING) {
        while (i < n && is_blank(p[i]))
            i++;
    }
    return i;
}

enum json_scan_result json_scan_feed(struct json_scan *s, const uint8_t *p, size_t n, size_t *ret_used,
                                     const char **ret_why)
{
    size_t i = 0;
    while (s->state != ST_DONE && (i = skip_plain(s, p, i, n)) < n) {
        enum step what = step(s, p[i], ret_why);
        if (what == STEP_BAD) {
            *ret_used = i;
            return JSON_SCAN_BAD;
        }
        if (what == STEP_ON)
            i++;
    }
    *ret_used = i;
    return s->state == ST_DONE ? JSON_SCAN_DONE : JSON_SCAN_MORE;
}

bool json_scan_complete(const struct json_scan *s)
{
    return s->state == ST_DONE || (s->depth == 0 && s->state == ST_NUMBER && number_complete(s->number));
}
