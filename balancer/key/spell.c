// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/spell.h"

#include "balancer/key/encode.h"

#include <math.h>
#include <string.h>

/* Controls, format characters (bidirectional overrides, zero-width ones), line and paragraph separators, and
 * what Unicode has not given a meaning yet. */
static bool is_unsafe(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_SURROGATE:
        return true;
    default:
        return false;
    }
}

/* UTF-16, as JSON and JavaScript want it. */
static void put_u_escape(GString *out, gunichar c)
{
    if (c < 0x10000) {
        g_string_append_printf(out, "\\u%04x", (unsigned)c);
        return;
    }
    c -= 0x10000;
    g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800u + (unsigned)(c >> 10),
                           0xdc00u + (unsigned)(c & 0x3ff));
}

static void put_char(GString *out, gunichar c)
{
    static const char short_forms[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *found = c > 0 && c < 0x80 ? strchr(short_forms, (int)c) : NULL;
    if (found != NULL) {
        g_string_append_c(out, '\\');
        g_string_append_c(out, letters[found - short_forms]);
    } else if (c >= 0x20 && c < 0x7f) {
        g_string_append_c(out, (char)c);
    } else if (is_unsafe(c)) {
        put_u_escape(out, c);
    } else {
        g_string_append_unichar(out, c);
    }
}

void spell_quoted(GString *out, const char *s, gsize len, bool for_script)
{
    const char *end = s + len;
    g_string_append_c(out, '"');
    while (s < end) {
        gunichar c = g_utf8_get_char_validated(s, end - s);
        bool invalid = c == (gunichar)-1 || c == (gunichar)-2;
        /* GLib takes a NUL for the end of the text and calls it incomplete */
        if (*s == '\0')
            put_u_escape(out, 0);
        else if (invalid)
            g_string_append(out, "\\ufffd");
        else if (for_script && c == '<' && end - s > 1 && s[1] == '/')
            g_string_append(out, "<\\");
        else
            put_char(out, c);
        s = *s == '\0' || invalid ? s + 1 : g_utf8_next_char(s);
    }
    g_string_append_c(out, '"');
}

void spell_double(double d, char ret[SPELL_DOUBLE_MAX])
{
    static const char *const formats[] = {"%.15g", "%.16g", "%.17g"};
    if (!isfinite(d)) {
        g_strlcpy(ret, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity", SPELL_DOUBLE_MAX);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_ascii_formatd(ret, SPELL_DOUBLE_MAX, formats[i], d);
        double back = g_ascii_strtod(ret, NULL);
        if (back >= d && back <= d)
            return;
    }
}

bool spell_looks_integer(const char *digits)
{
    return strspn(digits, "-0123456789") == strlen(digits);
}

bool spell_date(GString *out, int64_t unix_ms)
{
    const int64_t first = -62135596800000, last = 253402300799999; /* 0001-01-01 and the end of 9999 */
    if (unix_ms < first || unix_ms > last)
        return false;
    int64_t seconds = unix_ms / 1000 - (unix_ms % 1000 < 0 ? 1 : 0);
    int ms = (int)(unix_ms - seconds * 1000);
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);
    g_string_append_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", g_date_time_get_year(t),
                           g_date_time_get_month(t), g_date_time_get_day_of_month(t), g_date_time_get_hour(t),
                           g_date_time_get_minute(t), g_date_time_get_second(t));
    if (ms != 0)
        g_string_append_printf(out, ".%03d", ms);
    g_string_append_c(out, 'Z');
    return true;
}

void spell_hex(GString *out, const uint8_t *data, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        g_string_append_printf(out, "%02x", data[i]);
}

void spell_base64(GString *out, const uint8_t *data, uint32_t len)
{
    g_autofree char *text = g_base64_encode(data, len);
    g_string_append(out, text);
}

struct raw spell_binary(struct raw v, uint8_t *ret_subtype)
{
    uint32_t before = 5;
    *ret_subtype = v.data[4];
    if (*ret_subtype == BSON_SUBTYPE_BINARY_DEPRECATED && v.len >= 9)
        before = 9;
    return (struct raw){.type = v.type, .data = v.data + before, .len = v.len - before};
}

const char *spell_regex_flags(struct raw v)
{
    return (const char *)v.data + strlen((const char *)v.data) + 1;
}

static void spell_fields(GString *out, const struct spelling *how, const uint8_t *doc, uint32_t len,
                         unsigned depth, bool named)
{
    bson_iter_t it;
    const char *separator = "";
    if (!raw_open(&it, doc, len)) {
        g_string_append(out, how->corrupt);
        return;
    }
    while (bson_iter_next(&it)) {
        g_string_append(out, separator);
        if (named)
            how->name(out, bson_iter_key(&it));
        how->value(out, raw_of(&it), depth);
        separator = ", ";
    }
    if (raw_broken(&it))
        g_string_append(out, how->corrupt);
}

void spell_document(GString *out, const struct spelling *how, const uint8_t *doc, uint32_t len,
                    unsigned depth)
{
    if (depth > KEY_DEPTH_MAX) {
        g_string_append(out, how->too_deep);
        return;
    }
    bool empty = len <= 5;
    g_string_append(out, empty ? "{" : how->open);
    spell_fields(out, how, doc, len, depth, /* named= */ true);
    g_string_append(out, empty ? "}" : how->close);
}

void spell_array(GString *out, const struct spelling *how, const uint8_t *doc, uint32_t len, unsigned depth)
{
    if (depth > KEY_DEPTH_MAX) {
        g_string_append(out, how->too_deep);
        return;
    }
    g_string_append_c(out, '[');
    spell_fields(out, how, doc, len, depth, /* named= */ false);
    g_string_append_c(out, ']');
}
