// SPDX-License-Identifier: Apache-2.0
/* The balancer inside MongoDB while we act: it must not move chunks at the same time.
 *
 * Order, so that a crash at any point can be told apart afterwards:
 *   remember (durable), then stop;   start, then forget (durable).
 * Remembered and running: killed before the stop or after the start, or somebody else started it: nothing is
 * left to do. Remembered and off: it is ours to start. Not remembered and off: the operator's; never started.
 */
#include "balancer/cli/cli_act.h"

#include "migrations/mongo/balancer_switch.h"

enum { STOP_TIMEOUT_MS = 120000 }; /* for the round that it has under way */

/* What an earlier run left behind it. */
static bool take_over(struct act *a, const struct balancer_status *now, struct err *err)
{
    if (now->migrates)
        return journal_balancer_forget(a->journal, act_now(), err);
    a->restore = true;
    act_say(a, "an earlier run stopped the built-in balancer and was killed; it is started again at the end");
    return true;
}

bool act_balancer_check(struct act *a, struct err *err)
{
    struct balancer_status status;
    g_autofree char *remembered = NULL;
    int64_t at;
    bool writing = !a->args->dry_run;
    if (!balancer_status(a->conn->client, &status, err))
        return false;
    if (a->journal != NULL && !journal_balancer_remembered(a->journal, &remembered, &at, err))
        return false;
    if (remembered != NULL && writing && !take_over(a, &status, err))
        return false;
    if (status.migrates && a->cfg->cluster.builtin_balancer == CONFIG_BUILTIN_REQUIRE_STOPPED)
        return balancer_refuse(a->conn->name, a->conn->version, err);
    return true;
}

bool act_balancer_stop(struct act *a, bool *ret_stopped, struct err *err)
{
    struct balancer_status status;
    *ret_stopped = false;
    if (!act_lease_check(a, err))
        return false;
    if (a->restore || a->cfg->cluster.builtin_balancer != CONFIG_BUILTIN_STOP_AND_RESTORE)
        return true;
    if (!balancer_status(a->conn->client, &status, err))
        return false;
    if (!status.migrates)
        return true;
    act_say(a, "stopping the built-in balancer; it is started again at the end");
    if (!journal_balancer_remember(a->journal, status.mode, act_now(), err))
        return false;
    a->restore = true;
    if (!balancer_stop(a->conn->client, STOP_TIMEOUT_MS, err))
        return false;
    *ret_stopped = true;
    return journal_event(a->journal, act_now(), "builtinBalancerStopped", 0,
                         "the built-in balancer was stopped, to be started again", err);
}

/* Another that has the lease now may rely on it to be off. */
bool act_balancer_restore(struct act *a, struct err *err)
{
    if (!act_lease_check(a, err))
        return err_wrap(err,
                        "the built-in balancer is left stopped (the next run of evenkeel here starts it, "
                        "and so does sh.startBalancer())");
    if (!balancer_start(a->conn->client, err))
        return err_wrap(err,
                        "the built-in balancer is still stopped (the next run of evenkeel starts it, and "
                        "so does sh.startBalancer())");
    a->restore = false;
    if (!journal_balancer_forget(a->journal, act_now(), err) ||
        !journal_event(a->journal, act_now(), "builtinBalancerStarted", 0,
                       "the built-in balancer was started again", err))
        return false;
    act_say(a, "the built-in balancer is started again");
    return true;
}
