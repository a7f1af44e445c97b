// SPDX-License-Identifier: Apache-2.0
#include "tests/support/step_clock.h"

#include <glib.h>

struct timer {
    int64_t at, order;
    void (*fn)(void *user);
    void *user;
};

struct step_clock {
    struct sb_clock host;
    int64_t now, order;
    GPtrArray *timers; /* struct timer, unordered */
};

static int64_t now_of(void *host)
{
    return ((step_clock *)host)->now;
}

static void *set(void *host, int64_t delay_ms, void (*fn)(void *user), void *user)
{
    step_clock *s = host;
    struct timer *t = g_new(struct timer, 1);
    *t = (struct timer){s->now + MAX(delay_ms, 0), s->order++, fn, user};
    g_ptr_array_add(s->timers, t);
    return t;
}

static void cancel(void *host, void *handle)
{
    step_clock *s = host;
    if (!g_ptr_array_remove_fast(s->timers, handle))
        g_error("a timer was cancelled that had fired, or never was");
}

step_clock *step_clock_new(int64_t now_ms)
{
    step_clock *s = g_new0(step_clock, 1);
    s->host = (struct sb_clock){now_of, set, cancel, s};
    s->now = now_ms;
    s->timers = g_ptr_array_new_with_free_func(g_free);
    return s;
}

void step_clock_free(step_clock *s)
{
    if (s == NULL)
        return;
    g_ptr_array_unref(s->timers);
    g_free(s);
}

const struct sb_clock *step_clock_host(step_clock *s)
{
    return &s->host;
}

int64_t step_clock_now(const step_clock *s)
{
    return s->now;
}

bool step_clock_next(step_clock *s, int64_t limit_ms)
{
    guint best = 0;
    if (s->timers->len == 0)
        return false;
    for (guint i = 1; i < s->timers->len; i++) {
        const struct timer *t = s->timers->pdata[i], *b = s->timers->pdata[best];
        if (t->at < b->at || (t->at == b->at && t->order < b->order))
            best = i;
    }
    struct timer *t = s->timers->pdata[best];
    if (t->at - s->now > limit_ms)
        return false;
    struct timer fired = *t;
    g_ptr_array_remove_index_fast(s->timers, best);
    s->now = MAX(s->now, fired.at);
    fired.fn(fired.user);
    return true;
}

void step_clock_advance(step_clock *s, int64_t ms)
{
    int64_t until = s->now + ms;
    while (step_clock_next(s, until - s->now))
        ;
    s->now = until;
}
