// SPDX-License-Identifier: Apache-2.0
/* Windows of time against a walk through it, for random windows around changes of clock. A failure prints the
 * seed; EVENKEEL_TEST_SEED=N runs that one alone. */
#include "balancer/window/window.h"
#include "tests/support/slow_windows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 600, DAY_MIN = 24 * 60, LIST_MAX = 3 };
#define MINUTE_MS INT64_C(60000)

static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

/* A zone, and a day on which its clock changes. */
static const struct {
    const char *zone, *day;
} changes[] = {
    {"Europe/Paris", "2026-03-29"},        {"Europe/Paris", "2026-10-25"},
    {"America/New_York", "2026-03-08"},    {"America/New_York", "2026-11-01"},
    {"Australia/Lord_Howe", "2026-04-05"}, {"Australia/Lord_Howe", "2026-10-04"},
    {"Pacific/Apia", "2011-12-30"},        {"America/Sao_Paulo", "2018-11-04"},
    {"Africa/Casablanca", "2026-02-15"},   {"Pacific/Chatham", "2026-04-05"},
    {"America/St_Johns", "2006-10-29"},    {"Africa/Cairo", "2010-08-11"},
    {"Asia/Kolkata", "2026-01-01"},        {"UTC", "2026-12-31"},
};

struct scene {
    uint32_t seed;
    struct slow_window list[LIST_MAX];
    size_t n;
    windows *w;
    int64_t from_min, to_min; /* of UTC */
    GByteArray *open;         /* by the walk */
};

/* Mostly near to midnight or to the usual hours of change. */
static int random_time(GRand *r)
{
    int hour = g_rand_boolean(r) ? g_rand_int_range(r, 0, 5) : g_rand_int_range(r, 0, 24);
    return hour * 60 + g_rand_int_range(r, 0, 4) * 15 + (g_rand_int_range(r, 0, 8) == 0 ? 7 : 0);
}

static struct slow_window random_window(GRand *r, const char *zone)
{
    struct slow_window s = {.days = g_rand_boolean(r) ? 127 : (unsigned)g_rand_int_range(r, 1, 128),
                            .start_min = random_time(r),
                            .one_day = g_rand_int_range(r, 0, 4) == 0,
                            .zone = zone};
    do
        s.stop_min = random_time(r);
    while (s.stop_min == s.start_min);
    if (g_rand_int_range(r, 0, 4) == 0)
        s.zone = changes[g_rand_int_range(r, 0, G_N_ELEMENTS(changes))].zone;
    return s;
}

static void add_window(windows *w, const struct slow_window *s)
{
    struct err err = {0};
    bool added = true;
    g_autofree char *start = g_strdup_printf("%d:%02d", s->start_min / 60, s->start_min % 60);
    g_autofree char *stop = g_strdup_printf("%d:%02d", s->stop_min / 60, s->stop_min % 60);
    if (!s->one_day)
        added = windows_add(w, s->days, s->start_min, s->stop_min, s->zone, &err);
    for (unsigned i = 0; i < 7 && s->one_day; i++)
        if ((s->days & (1U << i)) != 0)
            added = windows_add_cluster(w, weekdays[i], start, stop, s->zone, &err) && added;
    if (!added)
        fail_msg("%s", err.msg);
}

static void scene_init(struct scene *s, uint32_t seed)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(seed);
    size_t change = seed % G_N_ELEMENTS(changes);
    g_autofree char *noon = g_strconcat(changes[change].day, "T12:00:00Z", NULL);
    g_autoptr(GDateTime) day = g_date_time_new_from_iso8601(noon, NULL);
    *s = (struct scene){.seed = seed, .w = windows_new()};
    s->from_min = g_date_time_to_unix(day) / 60 - g_rand_int_range(r, DAY_MIN / 2, 2 * DAY_MIN);
    s->to_min = s->from_min + g_rand_int_range(r, DAY_MIN, 5 * DAY_MIN);
    s->n = (size_t)g_rand_int_range(r, seed % 50 == 0 ? 0 : 1, LIST_MAX + 1);
    for (size_t i = 0; i < s->n; i++) {
        s->list[i] = random_window(r, changes[change].zone);
        add_window(s->w, &s->list[i]);
    }
    s->open = slow_windows_walk(s->list, s->n, s->from_min, s->to_min);
}

static void scene_clear(struct scene *s)
{
    windows_free(s->w);
    g_byte_array_unref(s->open);
}

static char *describe(const struct scene *s, int64_t at_ms, const char *what)
{
    g_autofree char *text = windows_text(s->w);
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(at_ms / 1000);
    g_autofree char *iso = g_date_time_format(at, "%FT%TZ");
    return g_strdup_printf("%s: at %s + %d ms: %s", text, iso, (int)(at_ms % 1000), what);
}

/* The first minute behind `at` at which the walk shows another state than at `at`; the end: none. */
static int64_t next_change(const struct scene *s, int64_t at)
{
    for (int64_t i = at + 1; i < s->to_min; i++)
        if (s->open->data[i - s->from_min] != s->open->data[at - s->from_min])
            return i;
    return s->to_min;
}

/* Asked at `ms`, within the minute `at`: state and next change as walked. */
static char *check_now(const struct scene *s, int64_t at, int64_t ms)
{
    struct window_now now = windows_at(s->w, at * MINUTE_MS + ms);
    int64_t change = next_change(s, at) * MINUTE_MS;
    if (now.open != (s->open->data[at - s->from_min] == 1))
        return describe(s, at * MINUTE_MS + ms, now.open ? "open" : "closed");
    if (now.always != (now.open && now.changes_at == INT64_MAX))
        return describe(s, at * MINUTE_MS + ms, "always?");
    if (change < s->to_min * MINUTE_MS ? now.changes_at != change : now.changes_at < change)
        return describe(s, now.changes_at, "does not change then");
    return NULL;
}

static bool same(const struct scene *s, int64_t at)
{
    return at > s->from_min && at < s->to_min &&
           s->open->data[at - s->from_min] == s->open->data[at - 1 - s->from_min];
}

/* Every minute next to a change, by the millisecond, and some others. */
static char *states(const struct scene *s)
{
    char *wrong = NULL;
    for (int64_t at = s->from_min; wrong == NULL && at < s->to_min; at++) {
        bool edge = !same(s, at) || !same(s, at + 1);
        if (edge)
            wrong = check_now(s, at, 0);
        if (edge && wrong == NULL)
            wrong = check_now(s, at, 1);
        if (wrong == NULL && (edge || at % 97 == 0))
            wrong = check_now(s, at, MINUTE_MS - 1);
    }
    return wrong;
}

static int64_t walked_open_ms(const struct scene *s, int64_t from_ms, int64_t to_ms)
{
    int64_t sum = 0;
    for (int64_t at = from_ms / MINUTE_MS; at * MINUTE_MS < to_ms; at++)
        if (s->open->data[at - s->from_min] == 1)
            sum += MIN(to_ms, (at + 1) * MINUTE_MS) - MAX(from_ms, at * MINUTE_MS);
    return sum;
}

/* The first moment by which that much open time has passed; the end: not before it. */
static int64_t walked_finish(const struct scene *s, int64_t from_ms, int64_t work_ms)
{
    for (int64_t at = from_ms / MINUTE_MS; at < s->to_min; at++) {
        int64_t begin = MAX(from_ms, at * MINUTE_MS), length = (at + 1) * MINUTE_MS - begin;
        if (s->open->data[at - s->from_min] == 0)
            continue;
        if (work_ms <= length)
            return begin + work_ms;
        work_ms -= length;
    }
    return s->to_min * MINUTE_MS;
}

static int64_t random_moment(const struct scene *s, GRand *r)
{
    int64_t at = s->from_min + g_rand_int_range(r, 0, (gint32)(s->to_min - s->from_min));
    if (g_rand_boolean(r))
        at = MIN(next_change(s, at), s->to_min - 1);
    return at * MINUTE_MS + (g_rand_boolean(r) ? 0 : g_rand_int_range(r, 0, (gint32)MINUTE_MS));
}

static char *lengths(const struct scene *s)
{
    g_autoptr(GRand) r = g_rand_new_with_seed(s->seed);
    for (int i = 0; i < 20; i++) {
        int64_t a = random_moment(s, r), b = random_moment(s, r);
        int64_t from = MIN(a, b), to = MAX(a, b), open = walked_open_ms(s, from, to);
        const int64_t works[] = {0, 1, open, open + 1, g_rand_int_range(r, 0, DAY_MIN) * MINUTE_MS};
        for (size_t k = 0; k < G_N_ELEMENTS(works); k++) {
            int64_t want = works[k] == 0 ? from : walked_finish(s, from, works[k]),
                    end = s->to_min * MINUTE_MS;
            int64_t got = windows_finish(s->w, from, works[k]);
            if (want < end ? got != want : got < end)
                return describe(s, from, "another end of the work that begins there");
        }
    }
    return NULL;
}

/* Where it says that it changes it does, not a millisecond before, over weeks; and then says so again. */
static char *flips(const struct scene *s)
{
    int64_t at = s->from_min * MINUTE_MS;
    for (int i = 0; i < 30; i++) {
        struct window_now now = windows_at(s->w, at);
        if (now.always || now.changes_at == INT64_MAX)
            return now.always && now.open ? NULL : describe(s, at, "never changes");
        struct window_now before = windows_at(s->w, now.changes_at - 1),
                          then = windows_at(s->w, now.changes_at);
        if (now.changes_at <= at || before.open != now.open || before.changes_at != now.changes_at)
            return describe(s, now.changes_at, "changes before");
        if (then.open == now.open)
            return describe(s, now.changes_at, "does not change");
        at = now.changes_at;
    }
    return NULL;
}

static void holds_for_all_seeds(void **state)
{
    static char *(*const properties[])(const struct scene *s) = {states, lengths, flips};
    const char *only = g_getenv("EVENKEEL_TEST_SEED");
    uint32_t first = only == NULL ? 0 : (uint32_t)strtoul(only, NULL, 10);
    (void)state;
    for (uint32_t seed = first; seed < (only == NULL ? SEEDS : first + 1); seed++) {
        struct scene s;
        char *wrong = NULL;
        scene_init(&s, seed);
        for (size_t i = 0; i < G_N_ELEMENTS(properties) && wrong == NULL; i++)
            wrong = properties[i](&s);
        scene_clear(&s);
        if (wrong != NULL)
            fail_msg("%s (again: EVENKEEL_TEST_SEED=%u)", wrong, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_for_all_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
