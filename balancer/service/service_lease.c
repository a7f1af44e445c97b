// SPDX-License-Identifier: Apache-2.0
/* The lease on the loop: what its keeper finds, told and heeded. */
#include "balancer/service/service_private.h"

/* What a try found. Losing it ends the round: what was planned is not what the next holder leaves behind. */
static void on_news(evutil_socket_t fd, short what, void *data)
{
    struct service *s = data;
    struct lease_news n;
    (void)fd;
    (void)what;
    if (!lease_keeper_news(s->lease, &n))
        return;
    s->lease_failures = n.err.cls == ERR_NONE ? 0 : s->lease_failures + 1;
    if (n.err.cls != ERR_NONE) {
        s->unreachable = n.err;
        s->counted->count.cluster_errors++;
        log_put(s->log, LOG_LEASE_RENEW_FAILED, log_err(&n.err));
    }
    if (n.lost)
        rounds_stop(s, "leaseLost");
    service_tick(s);
}

bool lease_open(struct service *s, struct err *err)
{
    if (!acting_lease(s->cfg->cfg, s->uri, "evenkeel run", &s->lease, err))
        return false;
    if (s->lease == NULL)
        return true;
    s->lease_event = event_new(s->base, lease_keeper_fd(s->lease), EV_READ | EV_PERSIST, on_news, s);
    return (s->lease_event != NULL && event_add(s->lease_event, NULL) == 0) ||
           err_set(err, ERR_UNAVAILABLE, "cannot watch the lease: out of memory");
}

bool lease_ours(const struct service *s)
{
    return lease_keeper_held(s->lease);
}

bool lease_stands_by(const struct service *s)
{
    return !lease_ours(s) && s->lease_failures == 0 && lease_due_at(lease_keeper_lease(s->lease)) != 0;
}

static void tell_change(struct service *s, bool ours)
{
    struct lease_holder h = {0};
    struct err ignored = {0};
    lease_holder_get(lease_keeper_lease(s->lease), &h);
    if (ours)
        log_put(s->log, LOG_LEASE_ACQUIRED, log_i64("epoch", lease_epoch(lease_keeper_lease(s->lease))));
    else
        log_put(s->log, s->had_lease ? LOG_LEASE_LOST : LOG_LEASE_STANDBY,
                log_str("holder", h.ours ? NULL : h.name), log_str("host", h.ours ? NULL : h.host),
                log_i64("pid", h.ours ? 0 : h.pid));
    s->counted->count.lease_losses += s->had_lease && !ours;
    if (s->journal != NULL)
        journal_event(s->journal, service_now(s), ours ? "leaseAcquired" : "leaseNotHeld", s->round,
                      ours ? "this process holds the lease" : "another holds it, or it could not be renewed",
                      &ignored);
    lease_holder_clear(&h);
}

/* Losing it stops new migrations at once: whatever starts asks lease_ours() in the same turn. */
void lease_tick(struct service *s)
{
    if (s->lease == NULL)
        return;
    const bool ours = lease_ours(s);
    const bool tried = lease_due_at(lease_keeper_lease(s->lease)) != 0;
    if (!tried || (ours == s->had_lease && s->told_lease))
        return;
    tell_change(s, ours);
    s->told_lease = true;
    s->had_lease = ours;
}

/* The workers that were left inside a command ask the keeper before they send: it stays with them. */
void lease_stop(struct service *s)
{
    struct err err = {0};
    if (s->lease == NULL)
        return;
    bool ours = lease_ours(s);
    bool told = lease_keeper_stop(s->lease, &err);
    if (!told)
        log_put(s->log, LOG_LEASE_RENEW_FAILED, log_err(&err));
    else if (ours)
        log_put(s->log, LOG_LEASE_RELEASED, log_i64("epoch", lease_epoch(lease_keeper_lease(s->lease))));
    g_clear_pointer(&s->lease_event, event_free);
    if (!s->left)
        g_clear_pointer(&s->lease, lease_keeper_free);
}

void lease_fill(const struct service *s, service_view *v)
{
    struct lease_holder h = {0};
    v->lease.enabled = s->lease != NULL;
    v->lease.held = lease_ours(s);
    if (s->lease == NULL)
        return;
    lease_holder_get(lease_keeper_lease(s->lease), &h);
    if (h.known) {
        v->lease.holder = g_strdup_printf("%s on %s (pid %" G_GINT64_FORMAT ")", h.name, h.host, h.pid);
        v->lease.since = h.since_ms;
    }
    v->lease.epoch = lease_epoch(lease_keeper_lease(s->lease));
    lease_holder_clear(&h);
}
