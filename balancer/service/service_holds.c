// SPDX-License-Identifier: Apache-2.0
/* What keeps the service from starting migrations, each with a stable code and a sentence. */
#include "balancer/service/service_private.h"

#include "common/text.h"

#include <string.h>

void holds_clear(GArray *holds)
{
    for (guint i = 0; i < holds->len; i++) {
        g_free(g_array_index(holds, struct view_hold, i).code);
        g_free(g_array_index(holds, struct view_hold, i).text);
    }
    g_array_set_size(holds, 0);
}

static void add(GArray *holds, const char *code, int64_t until, char *text)
{
    const struct view_hold h = {g_strdup(code), text, until};
    g_array_append_val(holds, h);
}

/* The configuration's windows, else those of the cluster as last read; s->windows is made anew with each
 * look. */
struct window_now service_window(const struct service *s, int64_t now)
{
    return windows_at(s->windows, now);
}

static void find_window(struct service *s, int64_t now)
{
    const struct window_now w = service_window(s, now);
    bool ignore = s->running != NULL ? s->running->ignore_window
                                     : s->waiting != NULL && s->executor == NULL && s->waiting->ignore_window;
    if (w.open || w.always || ignore)
        return;
    g_autofree char *at = text_iso8601(w.changes_at);
    add(s->holds, "window", w.changes_at,
        g_strdup_printf("outside the balancing window, which opens %s", at));
}

static void find_lease(struct service *s)
{
    if (!lease_ours(s) && s->lease_failures == 0)
        add(s->holds, "lease", 0, g_strdup("another evenkeel holds the lease, or it could not be renewed"));
}

static void find_pause(struct service *s)
{
    if (s->paused)
        add(s->holds, "paused", 0,
            g_strdup_printf("paused by %s%s%s", s->pause_who == NULL ? "an operator" : s->pause_who,
                            s->pause_reason == NULL ? "" : ": ",
                            s->pause_reason == NULL ? "" : s->pause_reason));
}

static void find_balancer(struct service *s)
{
    if (s->last == NULL || !s->last->found.balancer.migrates ||
        s->cfg->cfg->cluster.builtin_balancer == CONFIG_BUILTIN_IGNORE)
        return;
    add(s->holds, "balancerRunning", 0,
        g_strdup("the balancer inside MongoDB is running; stop it with sh.stopBalancer(), or set "
                 "cluster.builtinBalancer to stopAndRestore"));
}

static void find_orphans(struct service *s)
{
    int64_t limit = s->cfg->cfg->migrations.pause_when.orphans;
    if (limit == 0 || s->last == NULL || s->last->found.orphans <= limit)
        return;
    g_autofree char *n = text_count(s->last->found.orphans);
    g_autofree char *most = text_count(limit);
    add(s->holds, "orphans", 0,
        g_strdup_printf("%s orphaned documents wait for deletion, more than the %s of "
                        "migrations.pauseWhen.orphans",
                        n, most));
}

static void find_cluster(struct service *s)
{
    if (s->failures > 0 || (s->lease_failures > 0 && !lease_ours(s)))
        add(s->holds, "clusterUnreachable", s->failures > 0 ? s->next_round_at : 0,
            g_strdup_printf("tried again, since %s", s->unreachable.msg));
}

static void find_lag(struct service *s)
{
    char *text = lag_holds(s);
    if (text != NULL)
        add(s->holds, "replicationLag", 0, text);
}

static void find_throttle(struct service *s, int64_t now)
{
    if (now < s->throttled_until)
        add(s->holds, "maxBytesPerHour", s->throttled_until,
            g_strdup("as much was moved within the hour as migrations.maxBytesPerHour allows"));
}

/* What is found later may be shorter: this keeps nothing from being looked for. */
static void find_window_short(struct service *s, int64_t now)
{
    const struct window_now w = service_window(s, now);
    if (!s->window_short || w.always || !w.open)
        return;
    g_autofree char *at = text_iso8601(w.changes_at);
    add(s->holds, "windowTooShort", 0,
        g_strdup_printf("nothing that is planned would end before the balancing window closes %s", at));
}

/* What the executor alone knows: limits and pauses between attempts. */
static void find_executor(struct service *s)
{
    struct executor_status st;
    static const struct {
        const char *code, *text;
    } known[] = {{"coolDown", "a range came from where it would go not long ago, and waits"},
                 {"backoff", "a migration failed and waits to be tried again"}};
    if (s->executor == NULL)
        return;
    executor_status(s->executor, &st);
    for (size_t i = 0; i < G_N_ELEMENTS(known) && st.holds != NULL; i++)
        if (strcmp(known[i].code, st.holds) == 0)
            add(s->holds, known[i].code, st.holds_until, g_strdup(known[i].text));
}

static enum log_id id_of(const char *code, bool holds)
{
    if (strcmp(code, "window") == 0)
        return holds ? LOG_WINDOW_CLOSED : LOG_WINDOW_OPEN;
    if (strcmp(code, "balancerRunning") == 0 && holds)
        return LOG_BALANCER_RUNNING;
    if (strcmp(code, "orphans") == 0 || strcmp(code, "maxBytesPerHour") == 0 ||
        strcmp(code, "replicationLag") == 0)
        return holds ? LOG_THROTTLE_HOLD : LOG_THROTTLE_RELEASE;
    return LOG_ROUND_SKIP;
}

/* Pause, lease and cluster have lines of their own. */
static bool is_told_elsewhere(const char *code)
{
    return strcmp(code, "paused") == 0 || strcmp(code, "lease") == 0 ||
           strcmp(code, "clusterUnreachable") == 0 || strcmp(code, "backoff") == 0;
}

void holds_tell(struct service *s)
{
    const struct view_hold *first = s->holds->len == 0 ? NULL : &g_array_index(s->holds, struct view_hold, 0);
    if (g_strcmp0(first == NULL ? NULL : first->code, s->told_hold) == 0)
        return;
    if (s->told_hold != NULL && !is_told_elsewhere(s->told_hold) &&
        id_of(s->told_hold, false) != LOG_ROUND_SKIP)
        log_put(s->log, id_of(s->told_hold, false), log_str("why", s->told_hold));
    if (first != NULL && !is_told_elsewhere(first->code))
        log_put(s->log, id_of(first->code, true), log_str("why", first->code), log_str("text", first->text));
    g_free(s->told_hold);
    s->told_hold = first == NULL ? NULL : g_strdup(first->code);
}

const char *holds_find(struct service *s, int64_t now)
{
    holds_clear(s->holds);
    find_pause(s);
    find_lease(s);
    find_window(s, now);
    find_balancer(s);
    find_orphans(s);
    find_lag(s);
    find_throttle(s, now);
    find_cluster(s);
    const char *code = s->holds->len == 0 ? NULL : g_array_index(s->holds, struct view_hold, 0).code;
    find_window_short(s, now);
    find_executor(s); /* it holds itself back */
    return code;
}
