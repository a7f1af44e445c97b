// SPDX-License-Identifier: Apache-2.0
/* Waiting for an executor: results, its own time, signals, and the clock of what is shown; one thread, one
 * loop, nothing that blocks. */
#include "balancer/cli/cli_act.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct act_loop {
    struct event_base *base;
    struct event *signals[ACT_SIGNALS];
    unsigned presses; /* signals so far */
};

/* One executor's stay in the loop. */
struct stay {
    struct act *a;
    executor *x;
    struct event *due, *shown, *lease;
    unsigned presses; /* that were acted on */
    bool lost;        /* the lease, and that was told */
    bool left;
    struct err failed; /* the journal's first failure */
};

static void on_signal(evutil_socket_t number, short what, void *data)
{
    (void)number;
    (void)what;
    struct act_loop *l = data;
    l->presses++;
    event_base_loopbreak(l->base);
}

static void no_log(int severity, const char *text)
{
    (void)severity;
    (void)text;
}

/* What the caller has set to be ignored (nohup) stays so. */
static bool is_ignored(int number)
{
    struct sigaction was;
    return sigaction(number, NULL, &was) == 0 && was.sa_handler == SIG_IGN;
}

bool act_listen(struct act *a, struct err *err)
{
    static const int numbers[ACT_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    if (a->loop != NULL)
        return true;
    event_set_log_callback(no_log);
    struct act_loop *l = g_new0(struct act_loop, 1);
    l->base = event_base_new();
    bool made = l->base != NULL;
    for (int i = 0; i < ACT_SIGNALS && made; i++) {
        if (is_ignored(numbers[i]))
            continue;
        l->signals[i] = evsignal_new(l->base, numbers[i], on_signal, l);
        made = l->signals[i] != NULL && event_add(l->signals[i], NULL) == 0;
    }
    if (!made) {
        act_loop_free(l);
        return err_set(err, ERR_UNAVAILABLE, "cannot make an event loop: too few file descriptors or memory");
    }
    a->loop = l;
    return true;
}

void act_loop_free(struct act_loop *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < ACT_SIGNALS; i++)
        if (l->signals[i] != NULL)
            event_free(l->signals[i]);
    if (l->base != NULL)
        event_base_free(l->base);
    g_free(l);
}

struct waiting {
    struct act_loop *loop;
    void (*readable)(void *data);
    void *data;
};

static void on_waited(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    const struct waiting *w = data;
    w->readable(w->data);
    event_base_loopbreak(w->loop->base);
}

static void free_event(struct event *e)
{
    if (e != NULL)
        event_free(e);
}

bool act_wait(struct act *a, int fd, void (*readable)(void *data), void *data, struct err *err)
{
    struct waiting w = {a->loop, readable, data};
    struct event *e = event_new(a->loop->base, fd, EV_READ, on_waited, &w);
    const bool made = e != NULL && event_add(e, NULL) == 0;
    if (made)
        event_base_dispatch(a->loop->base);
    free_event(e);
    return made || err_set(err, ERR_UNAVAILABLE, "cannot wait for events: out of memory");
}

bool act_cancelled(struct act *a)
{
    event_base_loop(a->loop->base, EVLOOP_NONBLOCK);
    return a->loop->presses > 0;
}

static struct timeval as_timeval(int64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

static void set_timer(struct event *timer, int64_t ms)
{
    const struct timeval tv = as_timeval(ms);
    evtimer_add(timer, &tv);
}

/* What is held back goes on when the lease is renewed after all; what is lost is not ours to go on with. */
static void heed_lease(struct stay *s)
{
    struct executor_status status;
    act_lease_turn(s->a);
    executor_hold(s->x, act_lease_held(s->a) ? NULL : "lease");
    if (!s->a->lease_lost || s->lost)
        return;
    s->lost = true;
    executor_stop(s->x, "leaseLost");
    executor_status(s->x, &status);
    act_say(s->a, "the lease was lost: nothing more is started; %u under way", status.under_way);
}

static void turn(struct stay *s);

/* Nothing is under way but what cannot be looked at: the cluster is gone. */
static void heed_blindness(struct stay *s)
{
    struct executor_status status;
    const char *why;
    unsigned n = executor_blind(s->x, &why);
    executor_status(s->x, &status);
    if (s->left || n == 0 || n < status.under_way)
        return;
    s->left = true;
    s->a->unreachable = g_strdup(why);
    executor_stop(s->x, "unreachable");
    turn(s);
}

/* The first failure counts; what comes after it is its echo. */
static void turn(struct stay *s)
{
    struct err err = {0};
    heed_lease(s);
    if (!executor_turn(s->x, &err) && s->failed.cls == ERR_NONE)
        s->failed = err;
    heed_blindness(s);
    act_progress_draw(s->a->progress, s->x);
    int64_t wait = executor_wait_ms(s->x);
    if (executor_finished(s->x) || s->left)
        event_base_loopbreak(s->a->loop->base);
    else if (wait >= 0)
        set_timer(s->due, wait);
    else
        evtimer_del(s->due);
}

static void on_due(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    turn(data);
}

static void on_shown(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    struct stay *s = data;
    act_progress_draw(s->a->progress, s->x);
}

/* The first signal ends gently, the second at once. */
static void heed_signals(struct stay *s)
{
    struct executor_status status;
    while (s->presses < s->a->loop->presses && !s->left) {
        if (s->presses++ == 0) {
            executor_status(s->x, &status);
            executor_stop(s->x, "cancelled");
            act_say(s->a,
                    status.under_way == 0 ? "stopping"
                                          : "stopping; waiting for %u under way (again: leave them to "
                                            "the cluster)",
                    status.under_way);
            turn(s);
        } else {
            s->left = true;
        }
    }
}

static void leave(struct stay *s)
{
    struct executor_status status;
    struct err err = {0};
    executor_status(s->x, &status);
    s->a->n_left = status.under_way;
    if (status.under_way > 0)
        act_say(s->a, "%u left to the cluster; the next run finds out what became of them", status.under_way);
    if (!executor_leave(s->x, &err) && s->failed.cls == ERR_NONE)
        s->failed = err;
    s->a->left = executor_inside(s->x) > 0;
}

static bool add_lease(struct stay *s)
{
    if (s->a->lease == NULL)
        return true;
    s->lease = event_new(s->a->loop->base, lease_keeper_fd(s->a->lease), EV_READ | EV_PERSIST, on_due, s);
    return s->lease != NULL && event_add(s->lease, NULL) == 0;
}

static bool add_events(struct stay *s, struct event **ret_readable, struct err *err)
{
    struct event_base *base = s->a->loop->base;
    unsigned interval = act_progress_interval(s->a->progress);
    const struct timeval every = as_timeval(interval);
    *ret_readable = event_new(base, executor_fd(s->x), EV_READ | EV_PERSIST, on_due, s);
    s->due = evtimer_new(base, on_due, s);
    s->shown = event_new(base, -1, EV_PERSIST, on_shown, s);
    if (*ret_readable == NULL || s->due == NULL || s->shown == NULL || event_add(*ret_readable, NULL) != 0 ||
        (interval > 0 && event_add(s->shown, &every) != 0) || !add_lease(s))
        return err_set(err, ERR_UNAVAILABLE, "cannot wait for events: out of memory");
    return true;
}

static void stay(struct stay *s)
{
    turn(s);
    heed_signals(s);
    while (!executor_finished(s->x) && !s->left) {
        event_base_dispatch(s->a->loop->base);
        heed_signals(s);
    }
    if (s->left)
        leave(s);
}

bool act_blind(const struct act *a, struct err *err)
{
    return err_set(
        err, ERR_UNAVAILABLE,
        "not complete: nobody could be asked what became of %u under way: %s; call again when the cluster "
        "answers",
        a->n_left, a->unreachable);
}

bool act_turn(struct act *a, executor *x, enum act_end *ret, struct err *err)
{
    struct stay s = {.a = a, .x = x};
    struct event *readable = NULL;
    bool sound = act_listen(a, err) && add_events(&s, &readable, err);
    if (sound)
        stay(&s);
    free_event(readable);
    free_event(s.due);
    free_event(s.shown);
    free_event(s.lease);
    if (!sound)
        return false;
    *ret = a->unreachable != NULL ? ACT_BLIND
           : s.left               ? ACT_LEFT
           : a->loop->presses > 0 ? ACT_CANCELLED
                                  : ACT_FINISHED;
    if (s.failed.cls != ERR_NONE)
        *err = s.failed;
    return s.failed.cls == ERR_NONE;
}
