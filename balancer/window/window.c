// SPDX-License-Identifier: Apache-2.0
/* The list of windows: what is taken into it, and how it is shown. */
#include "balancer/window/window_private.h"
#include "common/text.h"

#include <string.h>

enum { DAYS = 7, ALL_DAYS = (1 << DAYS) - 1, DAY_MIN = 24 * 60 };

static const char *const day_names[DAYS] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};

static void window_clear(void *data)
{
    struct window *window = data;
    g_clear_pointer(&window->zone, g_time_zone_unref);
    g_clear_pointer(&window->zone_name, g_free);
}

windows *windows_new(void)
{
    windows *w = g_new0(windows, 1);
    w->list = g_array_new(FALSE, TRUE, sizeof(struct window));
    g_array_set_clear_func(w->list, window_clear);
    return w;
}

void windows_free(windows *w)
{
    if (w == NULL)
        return;
    g_array_unref(w->list);
    g_free(w);
}

unsigned windows_count(const windows *w)
{
    return w->list->len;
}

/* A name is a path below tzdata's folder: it must stay there. */
static GTimeZone *find_zone(const char *name)
{
    if (*name == '\0')
        return g_time_zone_new_local();
    if (*name == '/' || strstr(name, "..") != NULL)
        return NULL;
    return g_time_zone_new_identifier(name);
}

static bool add(windows *w, struct window window, const char *zone_name, struct err *err)
{
    window.zone = find_zone(zone_name);
    if (window.zone == NULL)
        return err_set(
            err, ERR_CONFIG,
            "time zone '%.64s' is not known here; write it like Europe/Paris or UTC, and install tzdata",
            zone_name);
    window.zone_name = g_strdup(zone_name);
    g_array_append_val(w->list, window);
    return true;
}

static bool is_clock(int minutes)
{
    return minutes >= 0 && minutes < DAY_MIN;
}

bool windows_add(windows *w, unsigned days, int start_min, int stop_min, const char *zone, struct err *err)
{
    if (days == 0 || days > ALL_DAYS)
        return err_set(err, ERR_CONFIG, "a window opens on no day of the week; name at least one");
    if (!is_clock(start_min) || !is_clock(stop_min))
        return err_set(err, ERR_CONFIG, "a window starts or stops at no time of day; use 00:00 to 23:59");
    if (start_min == stop_min)
        return err_set(err, ERR_CONFIG, "a window stops when it starts; give two different times");
    const struct window window = {.days = days, .start_min = start_min, .stop_min = stop_min};
    return add(w, window, zone, err);
}

static bool find_day(const char *name, unsigned *ret_days)
{
    for (unsigned i = 0; i < DAYS; i++) {
        if (strcmp(name, day_names[i]) == 0) {
            *ret_days = 1U << i;
            return true;
        }
    }
    return false;
}

bool windows_add_cluster(windows *w, const char *day, const char *start, const char *stop, const char *zone,
                         struct err *err)
{
    struct window window = {.days = ALL_DAYS, .one_day = day != NULL};
    const char *field = day != NULL ? "activeWindowDOW" : "activeWindow";
    if (day != NULL && !find_day(day, &window.days))
        return err_set(err, ERR_DATA,
                       "%s of the cluster has no day of the week in '%.40s', but Monday to Sunday", field,
                       day);
    if (!text_parse_clock(start, &window.start_min) || !text_parse_clock(stop, &window.stop_min))
        return err_set(err, ERR_DATA, "%s of the cluster is from '%.40s' to '%.40s', not times such as 23:00",
                       field, start, stop);
    if (window.start_min == window.stop_min)
        return err_set(err, ERR_DATA, "%s of the cluster stops when it starts, at '%.40s'", field, start);
    return add(w, window, zone, err);
}

/* "sat, sun ", the week beginning on Monday; nothing where it is each day. */
static void append_days(GString *out, unsigned days)
{
    const char *between = "";
    if (days == ALL_DAYS)
        return;
    for (unsigned i = 1; i <= DAYS; i++) {
        const char *name = day_names[i % DAYS];
        if ((days & (1U << (i % DAYS))) == 0)
            continue;
        g_string_append_printf(out, "%s%c%.2s", between, g_ascii_tolower(*name), name + 1);
        between = ", ";
    }
    g_string_append_c(out, ' ');
}

static void append_span(GString *out, int start_min, int stop_min)
{
    g_string_append_printf(out, "%02d:%02d-%02d:%02d", start_min / 60, start_min % 60, stop_min / 60,
                           stop_min % 60);
}

static void append_window(GString *out, const struct window *window)
{
    append_days(out, window->days);
    if (window->one_day && window->start_min > window->stop_min) {
        append_span(out, 0, window->stop_min);
        g_string_append(out, ", ");
        append_span(out, window->start_min, DAY_MIN);
    } else {
        append_span(out, window->start_min, window->stop_min);
    }
    g_string_append_c(out, ' ');
    g_string_append(out, *window->zone_name != '\0' ? window->zone_name : "local time");
}

char *windows_text(const windows *w)
{
    GString *out = g_string_new(w->list->len == 0 ? "always" : "");
    for (guint i = 0; i < w->list->len; i++) {
        if (i > 0)
            g_string_append(out, "; ");
        append_window(out, &g_array_index(w->list, struct window, i));
    }
    return g_string_free(out, FALSE);
}
