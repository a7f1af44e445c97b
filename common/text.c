// SPDX-License-Identifier: Apache-2.0
#include "common/text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Three significant digits of x >= 0, without a locale's point. */
static void append_3_digits(GString *out, double x)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    const char *fmt = x < 9.995 ? "%.2f" : x < 99.95 ? "%.1f" : "%.0f";
    g_string_append(out, g_ascii_formatd(buf, sizeof buf, fmt, x));
}

void text_append_bytes(GString *out, int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 0)
        g_string_append_c(out, '-');
    double x = bytes < 0 ? -(double)bytes : (double)bytes;
    if (x < 1024) {
        g_string_append_printf(out, "%.0f B", x);
        return;
    }
    size_t u = 0;
    x /= 1024;
    while (x >= 1023.5 && u + 1 < G_N_ELEMENTS(units)) {
        x /= 1024;
        u++;
    }
    append_3_digits(out, x);
    g_string_append_printf(out, " %s", units[u]);
}

char *text_bytes(int64_t bytes)
{
    GString *out = g_string_new(NULL);
    text_append_bytes(out, bytes);
    return g_string_free(out, FALSE);
}

void text_append_count(GString *out, int64_t n)
{
    g_autofree char *digits = g_strdup_printf("%" G_GINT64_FORMAT, n);
    const char *p = digits;
    if (*p == '-')
        g_string_append_c(out, *p++);
    for (size_t left = strlen(p); left > 0; left--) {
        g_string_append_c(out, *p++);
        if (left > 1 && left % 3 == 1)
            g_string_append_c(out, ',');
    }
}

char *text_count(int64_t n)
{
    GString *out = g_string_new(NULL);
    text_append_count(out, n);
    return g_string_free(out, FALSE);
}

/* "3 min 20 s", "3 min". */
static void append_parts(GString *out, double large, const char *large_unit, double small,
                         const char *small_unit)
{
    g_string_append_printf(out, "%.0f %s", large, large_unit);
    if (small >= 1)
        g_string_append_printf(out, " %.0f %s", small, small_unit);
}

void text_append_duration(GString *out, double seconds)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    if (!(seconds > 0)) {
        g_string_append(out, "0 s");
        return;
    }
    if (seconds < 9.95) {
        g_string_append_printf(out, "%s s",
                               g_ascii_formatd(buf, sizeof buf, seconds < 0.095 ? "%.2f" : "%.1f", seconds));
        return;
    }
    double s = round(seconds);
    if (s < 60)
        append_parts(out, s, "s", 0, NULL);
    else if (s < 3600)
        append_parts(out, floor(s / 60), "min", fmod(s, 60), "s");
    else if (s < 2 * 86400.0)
        append_parts(out, floor(s / 3600), "h", floor(fmod(s, 3600) / 60), "min");
    else
        append_parts(out, floor(s / 86400), "d", floor(fmod(s, 86400) / 3600), "h");
}

char *text_duration(double seconds)
{
    GString *out = g_string_new(NULL);
    text_append_duration(out, seconds);
    return g_string_free(out, FALSE);
}

char *text_iso8601(int64_t unix_ms)
{
    int64_t s = unix_ms / 1000 - (unix_ms % 1000 < 0 ? 1 : 0);
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(s);
    return t == NULL ? g_strdup("unknown") : g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ");
}

/* Reads digits with an optional fraction; moves *s behind them. False: no number there. */
static bool scan_number(const char **s, double *ret)
{
    if (!g_ascii_isdigit(**s))
        return false;
    const char *p = *s;
    while (g_ascii_isdigit(*p))
        p++;
    if (*p == '.' && g_ascii_isdigit(p[1])) {
        p++;
        while (g_ascii_isdigit(*p))
            p++;
    }
    g_autofree char *digits = g_strndup(*s, (gsize)(p - *s));
    *ret = g_ascii_strtod(digits, NULL);
    *s = p;
    return true;
}

bool text_parse_bytes(const char *s, int64_t *ret_bytes, struct err *err)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        {"", 1},         {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
        {"PiB", 0x1p50}, {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},    {"PB", 1e15},
    };
    const char *p = s;
    double x;
    if (!scan_number(&p, &x))
        return err_set(err, ERR_USAGE, "'%s' is not a size; write it like 384MiB or 1.5GiB", s);
    while (*p == ' ')
        p++;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (g_ascii_strcasecmp(p, units[i].name) != 0)
            continue;
        x = round(x * units[i].factor);
        if (x >= 0x1p63)
            return err_set(err, ERR_USAGE, "size '%s' is too large", s);
        *ret_bytes = (int64_t)x;
        return true;
    }
    return err_set(err, ERR_USAGE, "'%s' has an unknown unit; use B, KiB, MiB, GiB, TiB, or KB, MB, GB, TB",
                   s);
}

/* The length in milliseconds of the unit at *s, moving behind it; 0: none. */
static int64_t scan_time_unit(const char **s)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(*s, units[i].name, len) == 0 && !g_ascii_isalpha((*s)[len])) {
            *s += len;
            return units[i].ms;
        }
    }
    return 0;
}

bool text_parse_duration(const char *s, int64_t *ret_ms, struct err *err)
{
    double total = 0;
    const char *p = s;
    if (strcmp(s, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    do {
        double x;
        if (!scan_number(&p, &x))
            return err_set(err, ERR_USAGE, "'%s' is not a duration; write it like 10s, 500ms, 5m, 6h or 90d",
                           s);
        int64_t unit = scan_time_unit(&p);
        if (unit == 0)
            return err_set(err, ERR_USAGE, "duration '%s' lacks a unit; use ms, s, m, h or d", s);
        total += x * (double)unit;
    } while (*p != '\0');
    if (total >= 0x1p53)
        return err_set(err, ERR_USAGE, "duration '%s' is too long", s);
    *ret_ms = (int64_t)round(total);
    return true;
}

bool text_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    char *end;
    errno = 0;
    gint64 x = g_ascii_strtoll(s, &end, 10);
    if (*s == '\0' || *end != '\0' || g_ascii_isspace(*s) || *s == '+' || errno == ERANGE)
        return err_set(err, ERR_USAGE, "'%s' is not a whole number", s);
    if (x < min || x > max)
        return err_set(err, ERR_USAGE,
                       "%s is out of range; it must be from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, s,
                       min, max);
    *ret = x;
    return true;
}

bool text_parse_clock(const char *s, int *ret_minutes)
{
    int part[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        while (g_ascii_isspace(*s))
            s++;
        if (!g_ascii_isdigit(*s))
            return false;
        for (; g_ascii_isdigit(*s) && part[i] < 100; s++)
            part[i] = part[i] * 10 + g_ascii_digit_value(*s);
        if (i == 0 && *s++ != ':')
            return false;
    }
    if (part[0] >= 24 || part[1] >= 60)
        return false;
    *ret_minutes = part[0] * 60 + part[1];
    return true;
}
