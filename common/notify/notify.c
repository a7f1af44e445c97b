// SPDX-License-Identifier: Apache-2.0
#include "common/notify/notify.h"

#include "common/text.h"

#include <systemd/sd-daemon.h>

/* The variables stay set: the service notifies more than once, and starts no other program. */
static bool tell(const char *state, const char *what, struct err *err)
{
    int r = sd_notify(0, state);
    if (r >= 0)
        return true;
    const char *socket = g_getenv("NOTIFY_SOCKET");
    return err_set(err, ERR_UNAVAILABLE,
                   "cannot tell the service manager '%s' at NOTIFY_SOCKET '%s': %s; check the unit's "
                   "NotifyAccess and that the socket can be reached",
                   what, socket != NULL ? socket : "", g_strerror(-r));
}

static void append_status(GString *state, const char *status)
{
    if (status == NULL)
        return;
    g_string_append(state, "STATUS=");
    text_append_escaped(state, status, -1);
    g_string_append_c(state, '\n');
}

static void append_extension(GString *state, int64_t ms)
{
    if (ms > 0)
        g_string_append_printf(state, "EXTEND_TIMEOUT_USEC=%" G_GINT64_FORMAT "\n",
                               MIN(ms, G_MAXINT64 / 1000) * 1000);
}

bool notify_ready(const char *status, struct err *err)
{
    g_autoptr(GString) state = g_string_new("READY=1\n");
    append_status(state, status);
    return tell(state->str, "ready", err);
}

bool notify_status(const char *status, struct err *err)
{
    if (status == NULL)
        return true;
    g_autoptr(GString) state = g_string_new(NULL);
    append_status(state, status);
    return tell(state->str, "status", err);
}

bool notify_reloading(struct err *err)
{
    /* GLib's monotonic time is CLOCK_MONOTONIC, which the manager compares with its own. */
    g_autofree char *state =
        g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT "\n", g_get_monotonic_time());
    return tell(state, "reloading", err);
}

bool notify_stopping(const char *status, int64_t ms, struct err *err)
{
    g_autoptr(GString) state = g_string_new("STOPPING=1\n");
    append_status(state, status);
    append_extension(state, ms);
    return tell(state->str, "stopping", err);
}

bool notify_watchdog(struct err *err)
{
    return tell("WATCHDOG=1", "watchdog", err);
}

bool notify_watchdog_every(int64_t *ret_ms, struct err *err)
{
    uint64_t usec = 0;
    int r = sd_watchdog_enabled(0, &usec);
    if (r < 0)
        return err_set(err, ERR_CONFIG,
                       "cannot read WATCHDOG_USEC or WATCHDOG_PID from the environment: %s; the service "
                       "manager sets both, nobody else should",
                       g_strerror(-r));
    *ret_ms = r == 0 ? 0 : MAX((int64_t)MIN(usec / 2000, (uint64_t)G_MAXINT64), 1);
    return true;
}
