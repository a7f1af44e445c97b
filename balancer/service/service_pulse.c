// SPDX-License-Identifier: Apache-2.0
/* Signs of life: the heartbeat, the watchdog, how long the loop was away, and what the service manager is
 * told. */
#include "balancer/service/service_private.h"

#include "common/notify/notify.h"

#include <string.h>

enum { HEARTBEAT_MS = 1000 };

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

/* What the manager did not take is worth a line, and no more. */
static void told(const struct service *s, bool taken, const struct err *err)
{
    if (!taken)
        log_put(s->log, LOG_NOTIFY_FAILED, log_err(err));
}

void tell_ready(const struct service *s)
{
    struct err err = {0};
    told(s, notify_ready(NULL, &err), &err);
}

void tell_reloading(const struct service *s)
{
    struct err err = {0};
    told(s, notify_reloading(&err), &err);
}

void tell_stopping(const struct service *s, int64_t grace_ms)
{
    struct err err = {0};
    told(s, notify_stopping("stopping", grace_ms, &err), &err);
}

/* What systemd shows: "moving 3 of 128, 41 GB left, done about 03:20". Only what is news. */
static void tell_status(struct service *s)
{
    struct err err = {0};
    char *text = service_status_line(s);
    if (g_strcmp0(text, s->told_status) == 0) {
        g_free(text);
        return;
    }
    g_free(s->told_status);
    s->told_status = text;
    told(s, notify_status(text, &err), &err);
}

static void longest(struct service *s, gint64 stop_us)
{
    double *most = &s->counted->count.loop_longest_stop_seconds;
    *most = MAX(*most, (double)stop_us / 1e6);
}

void pulse_took(struct service *s, gint64 since)
{
    longest(s, g_get_monotonic_time() - since);
}

/* It comes late by what keeps the loop, whatever that is. */
static void on_heartbeat(evutil_socket_t fd, short what, void *data)
{
    struct service *s = data;
    gint64 now = g_get_monotonic_time();
    (void)fd;
    (void)what;
    if (s->heartbeat_at != 0)
        longest(s, now - s->heartbeat_at - HEARTBEAT_MS * INT64_C(1000));
    s->heartbeat_at = now;
    log_tick(s->log);
    tell_status(s);
}

static void on_watchdog(evutil_socket_t fd, short what, void *data)
{
    const struct service *s = data;
    struct err err = {0};
    (void)fd;
    (void)what;
    told(s, notify_watchdog(&err), &err);
}

static bool every(struct service *s, int64_t ms, event_callback_fn fn, struct event **ret, struct err *err)
{
    const struct timeval interval = timeval_of(ms);
    *ret = event_new(s->base, -1, EV_PERSIST, fn, s);
    return (*ret != NULL && event_add(*ret, &interval) == 0) ||
           err_set(err, ERR_UNAVAILABLE, "no timers: out of memory");
}

bool pulse_start(struct service *s, struct err *err)
{
    int64_t watchdog_ms;
    if (!notify_watchdog_every(&watchdog_ms, err) ||
        !every(s, HEARTBEAT_MS, on_heartbeat, &s->heartbeat, err))
        return false;
    return watchdog_ms == 0 || every(s, watchdog_ms, on_watchdog, &s->watchdog, err);
}

void pulse_stop(struct service *s)
{
    g_clear_pointer(&s->heartbeat, event_free);
    g_clear_pointer(&s->watchdog, event_free);
    g_clear_pointer(&s->told_status, g_free);
}
