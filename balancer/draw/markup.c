// SPDX-License-Identifier: Apache-2.0
#include "balancer/draw/markup.h"

#include "common/text.h"

#include <math.h>
#include <stdarg.h>

static const char dash[] = "\xe2\x80\x93";

void put(GString *out, const char *markup)
{
    g_string_append(out, markup);
}

void putf(GString *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(out, format, args);
    va_end(args);
}

/* Texts from outside have no bound on their length: of a very long one the middle is left out. */
static char *shortened(const char *s, glong most)
{
    g_autofree char *clean = text_escaped(s == NULL ? "" : s);
    const glong chars = g_utf8_strlen(clean, -1);
    if (chars <= most)
        return g_steal_pointer(&clean);
    g_autofree char *start = g_utf8_substring(clean, 0, most / 2);
    g_autofree char *end = g_utf8_substring(clean, chars - most / 2, chars);
    return g_strdup_printf("%s \xe2\x80\xa6 %s", start, end);
}

void put_text(GString *out, const char *s)
{
    g_autofree char *clean = shortened(s, MARKUP_TEXT_CHARS);
    g_autofree char *safe = g_markup_escape_text(clean, -1);
    g_string_append(out, safe);
}

void put_name(GString *out, const char *cls, const char *s)
{
    if (s == NULL) {
        put(out, dash);
        return;
    }
    g_autofree char *clean = shortened(s, MARKUP_NAME_CHARS);
    g_autofree char *safe = g_markup_escape_text(clean, -1);
    putf(out, "<bdi class=\"name%s%s\" title=\"%s\">%s</bdi>", *cls == '\0' ? "" : " ", cls, safe, safe);
}

void put_bytes(GString *out, int64_t bytes)
{
    if (bytes < 0)
        put(out, dash);
    else
        text_append_bytes(out, bytes);
}

void put_count(GString *out, int64_t n)
{
    if (n < 0)
        put(out, dash);
    else
        text_append_count(out, n);
}

void put_n(GString *out, int64_t n, const char *thing)
{
    put_count(out, n);
    putf(out, " %s%s", thing, n == 1 ? "" : "s");
}

void put_percent(GString *out, double ratio)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];
    const double percent = ratio * 100;
    if (!isfinite(percent) || percent > 1e15)
        put(out, dash);
    else if (percent == 0)
        put(out, "0\xc2\xa0%");
    else if (fabs(percent) < 99.95)
        putf(out, "%s\xc2\xa0%%", g_ascii_formatd(buf, sizeof buf, "%.1f", percent + 0.0));
    else {
        text_append_count(out, (int64_t)round(percent));
        put(out, "\xc2\xa0%");
    }
}
