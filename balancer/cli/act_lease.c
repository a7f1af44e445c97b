// SPDX-License-Identifier: Apache-2.0
/* The lease of a command that acts: the same as a service's, waited for where its holder may be dead. */
#include "balancer/cli/cli_act.h"

#include "balancer/setup/acting.h"
#include "common/text.h"

/* How often the cluster may fail to answer before anything was carried out; and for how long what is under
 * way is waited on with a lease that ran out and could not be renewed. */
enum { FAILURES_MAX = 3, PATIENCE_MS = 10 * 60 * 1000 };

bool act_lease_held(const struct act *a)
{
    return lease_keeper_held(a->lease);
}

/* --- taking it --- */

struct taking {
    struct act *a;
    unsigned failures;
    bool said, decided; /* decided: held, or `err` is set */
    struct err *err;
};

static void say_waiting(struct taking *t, const struct lease_holder *h)
{
    g_autofree char *renewed = text_iso8601(h->renewed_ms);
    if (t->said)
        return;
    t->said = true;
    act_say(t->a,
            "the lease is held by '%s' on host %s (process %" G_GINT64_FORMAT
            "), renewed %s; looking whether it still runs, which may take as long as the lease lasts",
            h->known ? h->name : "nobody known", h->known ? h->host : "unknown", h->pid,
            h->renewed_ms != 0 ? renewed : "at an unknown time");
}

/* Who has died does not renew it any more, and is waited for; who lives will not end because we wait. */
static void heed(struct taking *t, const struct lease_news *n)
{
    const lease *l = lease_keeper_lease(t->a->lease);
    struct lease_holder h = {0};
    lease_holder_get(l, &h);
    if (n->err.cls != ERR_NONE) {
        t->decided = n->err.cls != ERR_UNAVAILABLE || ++t->failures >= FAILURES_MAX;
        *t->err = n->err;
    } else if (n->state == LEASE_HELD) {
        t->decided = true;
    } else if (h.alive) {
        t->decided = true;
        lease_refuse(l, t->err);
    } else {
        say_waiting(t, &h);
    }
    lease_holder_clear(&h);
}

static void on_news(void *data)
{
    struct taking *t = data;
    struct lease_news n;
    if (!t->decided && lease_keeper_news(t->a->lease, &n))
        heed(t, &n);
}

bool act_lease_take(struct act *a, struct err *err)
{
    struct err why = {0};
    struct taking t = {.a = a, .err = &why};
    g_autofree char *name = g_strdup_printf("evenkeel %s", a->command);
    if (!act_listen(a, err) || !acting_lease(a->cfg, a->uri, name, &a->lease, err))
        return false;
    while (a->lease != NULL && !t.decided) {
        if (!act_wait(a, lease_keeper_fd(a->lease), on_news, &t, err))
            return false;
        if (act_cancelled(a))
            return err_set(err, ERR_FAILED, "cancelled while waiting for the lease; nothing was carried out");
    }
    if (act_lease_held(a))
        return true;
    if (why.cls == ERR_NONE) /* got, and stopped for longer than it lasts since */
        return act_lease_check(a, err);
    *err = why;
    return err_false();
}

/* --- keeping it --- */

void act_lease_turn(struct act *a)
{
    struct lease_news n;
    if (a->lease == NULL)
        return;
    const int64_t now = lease_boottime_ms();
    const bool news = lease_keeper_news(a->lease, &n), held = act_lease_held(a);
    if (news && n.err.cls != ERR_NONE && !a->lease_failing)
        act_say(a, "warning: %s", n.err.msg);
    if (news)
        a->lease_failing = n.err.cls != ERR_NONE;
    if (held)
        a->lease_missed_at = 0;
    else if (a->lease_missed_at == 0)
        a->lease_missed_at = now;
    a->lease_lost = a->lease_lost || (news && n.lost) || (!held && now - a->lease_missed_at > PATIENCE_MS);
}

bool act_lease_check(struct act *a, struct err *err)
{
    struct lease_holder h = {0};
    if (act_lease_held(a) && !a->lease_lost)
        return true;
    const lease *l = lease_keeper_lease(a->lease);
    lease_holder_get(l, &h);
    if (h.known && !h.ours)
        lease_refuse(l, err);
    else
        err_set(err, ERR_RETRY_LATER,
                "it ran out before it could be renewed; check that this host reaches the cluster and was not "
                "stopped or asleep, and call again");
    lease_holder_clear(&h);
    return err_wrap(err, "the lease was lost");
}

/* Workers that were left inside a command ask the keeper before they send: it stays with them. */
void act_lease_close(struct act *a)
{
    struct err err = {0};
    if (a->lease == NULL)
        return;
    if (!lease_keeper_stop(a->lease, &err))
        act_say(a, "warning: the lease was not given up, others wait for its end: %s", err.msg);
    if (!a->left)
        lease_keeper_free(a->lease);
}
