// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/show.h"
#include "balancer/watch/page_private.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

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
    g_autofree char *clean = shortened(s, PAGE_TEXT_CHARS);
    g_autofree char *safe = g_markup_escape_text(clean, -1);
    g_string_append(out, safe);
}

void put_name(GString *out, const char *cls, const char *s)
{
    if (s == NULL) {
        put(out, dash);
        return;
    }
    g_autofree char *clean = shortened(s, PAGE_NAME_CHARS);
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

/* A bound as people read it; as it is, where it cannot be read. */
static void append_bound(GString *out, const char *json)
{
    bson_t doc;
    if (json == NULL) {
        g_string_append_c(out, '?');
    } else if (!key_parse_doc(json, &doc, NULL)) {
        g_string_append(out, json);
    } else {
        key_show(out, &doc, PAGE_NAME_CHARS / 2);
        bson_destroy(&doc);
    }
}

char *range_text(const char *min, const char *max)
{
    GString *out = g_string_new("[");
    append_bound(out, min);
    g_string_append(out, ", ");
    append_bound(out, max);
    g_string_append_c(out, ')');
    return g_string_free(out, FALSE);
}

/* ---- times ---- */

/* "45 s", "12 min", "3 h", "4 d". */
static void put_about(GString *out, int64_t seconds)
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } steps[] = {{60, 1, "s"}, {3600, 60, "min"}, {INT64_C(2) * 86400, 3600, "h"}, {INT64_MAX, 86400, "d"}};
    size_t i = 0;
    while (seconds >= steps[i].below && i + 1 < G_N_ELEMENTS(steps))
        i++;
    putf(out, "%" G_GINT64_FORMAT " %s", seconds / steps[i].unit, steps[i].name);
}

static void put_ago(GString *out, int64_t now, int64_t ms)
{
    const int64_t seconds = (ms - now) / 1000;
    if (seconds == 0) {
        put(out, "now");
        return;
    }
    if (seconds > 0)
        put(out, "in ");
    put_about(out, ABS(seconds));
    if (seconds < 0)
        put(out, " ago");
}

/* "02:13", "20 Nov 02:13", "31 Dec 2025 23:59", as much as is needed. */
static void put_clock(GString *out, int64_t now, int64_t ms)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(ms / 1000);
    g_autoptr(GDateTime) today = g_date_time_new_from_unix_utc(now / 1000);
    if (t == NULL || today == NULL) {
        put(out, dash);
        return;
    }
    const bool same_year = g_date_time_get_year(t) == g_date_time_get_year(today);
    if (!same_year || g_date_time_get_day_of_year(t) != g_date_time_get_day_of_year(today))
        putf(out, "%d %s ", g_date_time_get_day_of_month(t), months[g_date_time_get_month(t) - 1]);
    if (!same_year)
        putf(out, "%d ", g_date_time_get_year(t));
    putf(out, "%02d:%02d UTC", g_date_time_get_hour(t), g_date_time_get_minute(t));
}

void put_time(GString *out, int64_t now, int64_t ms, enum time_style style)
{
    if (ms <= 0 || ms == INT64_MAX) {
        put(out, dash);
        return;
    }
    g_autofree char *iso = text_iso8601(ms);
    putf(out, "<time datetime=\"%s\" title=\"%s\" data-as=\"%s\">", iso, iso,
         style == TIME_AGO ? "ago" : "clock");
    if (style == TIME_AGO)
        put_ago(out, now, ms);
    else
        put_clock(out, now, ms);
    put(out, "</time>");
}

void put_finish(GString *out, int64_t now, int64_t low, int64_t expected, int64_t high)
{
    const int64_t minute = 60000;
    put(out, "<strong>");
    put_time(out, now, expected, TIME_CLOCK);
    put(out, "</strong>");
    if (low <= 0 || high <= 0 || low / minute == high / minute)
        return;
    put(out, " <span class=\"dim\">between ");
    put_time(out, now, low, TIME_CLOCK);
    put(out, " and ");
    put_time(out, now, high, TIME_CLOCK);
    put(out, "</span>");
}

/* ---- pieces ---- */

enum { BAR = 1000 };

static int on_bar(double share)
{
    return !(share > 0) ? 0 : share >= 1 ? BAR : (int)lround(share * BAR);
}

void put_bar(GString *out, const char *cls, double fill, double target, const char *label)
{
    g_autofree char *safe = g_markup_escape_text(label, -1);
    const int filled = on_bar(fill), tick = on_bar(target);
    const bool has_target = target >= 0;
    putf(out,
         "<svg class=\"bar %s\" viewBox=\"0 0 %d 10\" preserveAspectRatio=\"none\" role=\"img\" "
         "aria-label=\"%s\">",
         cls, BAR, safe);
    putf(out, "<rect class=\"track\" width=\"%d\" height=\"10\"/>", BAR);
    putf(out, "<rect class=\"fill\" width=\"%d\" height=\"10\"/>", has_target ? MIN(filled, tick) : filled);
    if (has_target && filled > tick)
        putf(out, "<rect class=\"over\" x=\"%d\" width=\"%d\" height=\"10\"/>", tick, filled - tick);
    if (has_target)
        putf(out, "<line class=\"tick\" x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"10\"/>", MIN(tick, BAR - 2),
             MIN(tick, BAR - 2));
    put(out, "</svg>");
}

void card_open(GString *out, const char *id, const char *title, const char *note)
{
    putf(out,
         "<section class=\"card\" id=\"%s\" aria-labelledby=\"%s-title\"><header><h2 id=\"%s-title\">%s</h2>",
         id, id, id, title);
    if (note != NULL)
        putf(out, "<p class=\"note\">%s</p>", note);
    put(out, "</header>\n");
}

void card_close(GString *out)
{
    put(out, "</section>\n");
}

void put_nothing(GString *out, const char *text)
{
    putf(out, "<p class=\"nothing\">%s</p>\n", text);
}

void put_more(GString *out, guint shown, guint total, const char *where)
{
    if (total > shown)
        putf(out, "<p class=\"more\">and %u more%s%s</p>\n", total - shown, where == NULL ? "" : ": ",
             where == NULL ? "" : where);
}
