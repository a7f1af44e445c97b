// SPDX-License-Identifier: Apache-2.0
#include "balancer/key/show.h"
#include "balancer/watch/page_private.h"
#include "common/text.h"

#include <math.h>
#include <string.h>

static const char dash[] = "\xe2\x80\x93";

/* A bound as people read it; as it is, where it cannot be read. */
static void append_bound(GString *out, const char *json)
{
    bson_t doc;
    if (json == NULL) {
        g_string_append_c(out, '?');
    } else if (!key_parse_doc(json, &doc, NULL)) {
        g_string_append(out, json);
    } else {
        key_show(out, &doc, MARKUP_NAME_CHARS / 2);
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
