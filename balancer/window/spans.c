// SPDX-License-Identifier: Apache-2.0
/* Open time as spans of UTC, and the questions answered from them.
 *
 * A wall time w is the first moment at which the clock on the wall has reached w. That one rule gives both of
 * the header's: before a gap the clock has not reached it, behind the gap it has; and of an hour that comes
 * twice the first reaches it. It keeps order, too: of two wall times the later is never reached before the
 * earlier, so that a window can become empty, but never inside out. */
#include "balancer/window/window_private.h"

#define DAY_S ((int64_t)24 * 60 * 60)
#define YEAR_1_MS (INT64_C(-62135596800) * 1000)
#define YEAR_10000_MS (INT64_C(253402300800) * 1000)

/* No zone is or was further from UTC. */
enum { OFFSET_MAX_S = 26 * 60 * 60 };
enum { HORIZON_DAYS = 400, MINUTES_A_DAY = 24 * 60 };

/* The first second of [from, to] that lies in an interval behind `interval`; `to` does. */
static int64_t interval_end(GTimeZone *zone, int interval, int64_t from, int64_t to)
{
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, middle) > interval)
            to = middle;
        else
            from = middle + 1;
    }
    return to;
}

/* The first second of UTC at which the zone's clock shows `wall` or later. Between two changes of clock it is
 * `wall` less the offset, or the beginning, if that is later, unless that is behind the end. */
static int64_t reaches(GTimeZone *zone, int64_t wall)
{
    int64_t begin = wall - OFFSET_MAX_S, last = wall + OFFSET_MAX_S;
    int to = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, last);
    for (int i = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, begin); i < to; i++) {
        int64_t end = interval_end(zone, i, begin, last);
        int64_t at = MAX(begin, wall - g_time_zone_get_offset(zone, i));
        if (at < end)
            return at;
        begin = end;
    }
    return MAX(begin, wall - g_time_zone_get_offset(zone, to));
}

/* Days since 1970 on the zone's calendar. */
static int64_t local_day(GTimeZone *zone, int64_t at_s)
{
    int interval = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, at_s);
    int64_t wall = at_s + g_time_zone_get_offset(zone, interval);
    return wall / DAY_S - (wall % DAY_S < 0 ? 1 : 0);
}

/* 1970 began on a Thursday; bit 0 is Sunday. */
static unsigned weekday_bit(int64_t day)
{
    return 1U << (((day + 4) % 7 + 7) % 7);
}

/* Minutes of that day; MINUTES_A_DAY and more are of the next. */
static int64_t wall_ms(GTimeZone *zone, int64_t day, int minutes)
{
    return reaches(zone, day * DAY_S + INT64_C(60) * minutes) * 1000;
}

/* Adds what of the wall times [from_min, to_min) of that day lies in `range`. */
static void add_span(GArray *spans, GTimeZone *zone, int64_t day, int from_min, int to_min,
                     struct window_span range)
{
    int64_t from = wall_ms(zone, day, from_min), to = wall_ms(zone, day, to_min);
    const struct window_span span = {MAX(range.from, from), MIN(range.to, to)};
    if (span.from < span.to)
        g_array_append_val(spans, span);
}

static void add_day(GArray *spans, const struct window *window, int64_t day, struct window_span range)
{
    int start = window->start_min, stop = window->stop_min;
    if ((window->days & weekday_bit(day)) == 0)
        return;
    if (start < stop) {
        add_span(spans, window->zone, day, start, stop, range);
    } else if (window->one_day) {
        add_span(spans, window->zone, day, 0, stop, range);
        add_span(spans, window->zone, day, start, MINUTES_A_DAY, range);
    } else {
        add_span(spans, window->zone, day, start, stop + MINUTES_A_DAY, range);
    }
}

static gint compare_spans(gconstpointer a, gconstpointer b)
{
    int64_t x = ((const struct window_span *)a)->from, y = ((const struct window_span *)b)->from;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* Sorts, and joins spans that touch or overlap. */
static void merge(GArray *spans)
{
    guint n = 0;
    g_array_sort(spans, compare_spans);
    for (guint i = 0; i < spans->len; i++) {
        struct window_span next = g_array_index(spans, struct window_span, i);
        struct window_span *last = n == 0 ? NULL : &g_array_index(spans, struct window_span, n - 1);
        if (last != NULL && next.from <= last->to)
            last->to = MAX(last->to, next.to);
        else
            g_array_index(spans, struct window_span, n++) = next;
    }
    g_array_set_size(spans, n);
}

/* Open time in `range`, in order, disjoint. A window of yesterday can last until today, and a zone can have
 * left out, or repeated, a whole day: two days more on either side. */
static GArray *open_spans(const windows *w, struct window_span range)
{
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct window_span));
    if (w->list->len == 0 && range.from < range.to)
        g_array_append_val(spans, range);
    for (guint i = 0; i < w->list->len && range.from < range.to; i++) {
        const struct window *window = &g_array_index(w->list, struct window, i);
        int64_t last = local_day(window->zone, range.to / 1000) + 2;
        for (int64_t day = local_day(window->zone, range.from / 1000) - 2; day <= last; day++)
            add_day(spans, window, day, range);
    }
    merge(spans);
    return spans;
}

static int64_t clamp_time(int64_t ms)
{
    return CLAMP(ms, YEAR_1_MS, YEAR_10000_MS);
}

/* What comes in the next `days`. */
static GArray *spans_ahead(const windows *w, int64_t from_ms, int days)
{
    const struct window_span range = {clamp_time(from_ms), clamp_time(from_ms) + days * DAY_S * 1000};
    return open_spans(w, range);
}

/* Mostly something happens within a week and a change of clock. */
static const int horizons[] = {9, HORIZON_DAYS};

struct window_now windows_at(const windows *w, int64_t now_ms)
{
    struct window_now ret = {.open = true, .changes_at = INT64_MAX};
    int64_t now = clamp_time(now_ms);
    for (size_t i = 0; i < G_N_ELEMENTS(horizons) && w->list->len > 0; i++) {
        g_autoptr(GArray) spans = spans_ahead(w, now, horizons[i]);
        const struct window_span first = spans->len > 0 ? g_array_index(spans, struct window_span, 0)
                                                        : (struct window_span){INT64_MAX, INT64_MAX};
        ret.open = first.from == now;
        ret.changes_at = ret.open ? first.to : first.from;
        if (ret.changes_at < now + horizons[i] * DAY_S * 1000)
            return ret;
    }
    ret.changes_at = INT64_MAX;
    ret.always = ret.open;
    return ret;
}

GArray *windows_spans(const windows *w, int64_t from_ms, int64_t to_ms)
{
    return open_spans(w, (struct window_span){clamp_time(from_ms), clamp_time(to_ms)});
}

int64_t windows_finish(const windows *w, int64_t from_ms, int64_t work_ms)
{
    if (work_ms <= 0)
        return from_ms;
    for (size_t i = 0; i < G_N_ELEMENTS(horizons); i++) {
        g_autoptr(GArray) spans = spans_ahead(w, from_ms, horizons[i]);
        int64_t left = work_ms;
        for (guint k = 0; k < spans->len; k++) {
            const struct window_span *span = &g_array_index(spans, struct window_span, k);
            if (left <= span->to - span->from)
                return span->from + left;
            left -= span->to - span->from;
        }
    }
    return INT64_MAX;
}
