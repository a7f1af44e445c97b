// SPDX-License-Identifier: Apache-2.0
#include "tests/support/slow_windows.h"

#include <string.h>

enum { DAY_MIN = 24 * 60, LEAD_MIN = 2 * DAY_MIN };

/* What the clock on the wall shows, in minutes of its calendar, by GLib's calendar. */
static int64_t wall_minutes(GTimeZone *zone, int64_t utc_min)
{
    int year, month, day;
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(utc_min * 60);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
    g_date_time_get_ymd(local, &year, &month, &day);
    GDate date;
    g_date_clear(&date, 1);
    g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)year);
    return (int64_t)g_date_get_julian(&date) * DAY_MIN + g_date_time_get_hour(local) * 60 +
           g_date_time_get_minute(local);
}

/* Day 1 of the Julian count was a Monday. */
static bool is_day(const struct slow_window *w, int64_t julian)
{
    return (w->days & (1U << (julian % 7))) != 0;
}

static bool is_open(const struct slow_window *w, int64_t wall)
{
    int64_t day = wall / DAY_MIN, time = wall % DAY_MIN;
    if (w->start_min < w->stop_min)
        return is_day(w, day) && time >= w->start_min && time < w->stop_min;
    if (w->one_day)
        return is_day(w, day) && (time >= w->start_min || time < w->stop_min);
    return (is_day(w, day) && time >= w->start_min) || (is_day(w, day - 1) && time < w->stop_min);
}

GByteArray *slow_windows_walk(const struct slow_window *list, size_t n, int64_t from_min, int64_t to_min)
{
    GByteArray *ret = g_byte_array_new();
    g_byte_array_set_size(ret, (guint)(to_min - from_min));
    memset(ret->data, n == 0 ? 1 : 0, ret->len);
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(list[i].zone);
        int64_t furthest = 0;
        for (int64_t at = from_min - LEAD_MIN; at < to_min; at++) {
            furthest = MAX(furthest, wall_minutes(zone, at));
            if (at >= from_min && is_open(&list[i], furthest))
                ret->data[at - from_min] = 1;
        }
    }
    return ret;
}
