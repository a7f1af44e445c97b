// SPDX-License-Identifier: Apache-2.0
/* Filters as people write them. */
#include "migrations/journal/history.h"

#include "common/nearest.h"
#include "common/text.h"

#include <string.h>

/* GLib wants a time behind a date, and seconds in a time. */
static GDateTime *read_iso(const char *s)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    size_t date = strcspn(s, "T "), clock = date + strspn(s + date, "T 0123456789:,.");
    g_autoptr(GString) whole = g_string_new(s);
    if (s[date] == '\0')
        g_string_append(whole, "T00:00:00Z");
    else if (clock - date == strlen("T00:00"))
        g_string_insert(whole, (gssize)clock, ":00");
    return g_date_time_new_from_iso8601(whole->str, utc);
}

bool history_parse_time(const char *s, int64_t now, int64_t *ret, struct err *err)
{
    int64_t ago;
    g_autoptr(GDateTime) t = read_iso(s);
    if (t != NULL)
        *ret = g_date_time_to_unix(t) * 1000 + g_date_time_get_microsecond(t) / 1000;
    else if (text_parse_duration(s, &ago, NULL))
        *ret = now - ago;
    else
        return err_set(
            err, ERR_USAGE,
            "'%s' is not a time; write 2026-11-21, 2026-11-21T09:30:00Z, 2026-11-21T09:30:00+01:00, or "
            "how long ago, like 2h or 90d",
            s);
    return *ret > 0 || err_set(err, ERR_USAGE, "'%s' is before 1970", s);
}

bool history_parse_state(const char *s, struct history_filter *f, struct err *err)
{
    const char *names[MIGRATION_STATE_COUNT + 1] = {NULL};
    f->has_state = true;
    if (migration_state_parse(s, &f->state))
        return true;
    for (int i = 0; i < MIGRATION_STATE_COUNT; i++)
        names[i] = migration_state_text((enum migration_state)i);
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    const char *nearest = nearest_word(s, names, MIGRATION_STATE_COUNT);
    return err_set(err, ERR_USAGE, "unknown state '%s'%s%s%s; the states are: %s", s,
                   nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
                   nearest == NULL ? "" : "'?", all);
}
