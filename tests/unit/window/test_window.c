// SPDX-License-Identifier: Apache-2.0
/* Windows of time: what opens when, to the millisecond, over changes of clock; what is refused; the text. */
#include "balancer/window/window_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static windows *from_yaml(const char *list)
{
    struct err err = {0};
    g_autoptr(config) c = NULL;
    windows *w = NULL;
    g_autofree char *text = g_strdup_printf("balancer: {windows: [%s]}\n", list);
    if (!config_parse("test", text, strlen(text), &c, NULL, &err) || !windows_from_config(c, &w, &err))
        fail_msg("%s: %s", list, err.msg);
    return w;
}

static int64_t moment(const char *iso)
{
    g_autofree char *full = g_strconcat(iso, ":00Z", NULL);
    g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(full, NULL);
    if (t == NULL)
        fail_msg("'%s' is no time", iso);
    return g_date_time_to_unix(t) * 1000;
}

/* Milliseconds of open time in [from, to). */
static int64_t open_ms(const windows *w, int64_t from, int64_t to)
{
    int64_t sum = 0;
    while (from < to) {
        const struct window_now now = windows_at(w, from);
        const int64_t until = MIN(now.changes_at, to);
        sum += now.open ? until - from : 0;
        from = until;
    }
    return sum;
}

/* The same from the list of spans, which are in order and apart. */
static void check_spans(const windows *w, int64_t from, int64_t to)
{
    g_autoptr(GArray) spans = windows_spans(w, from, to);
    int64_t sum = 0, last = INT64_MIN;
    for (guint i = 0; i < spans->len; i++) {
        const struct window_span *s = &g_array_index(spans, struct window_span, i);
        if (s->from <= last || s->to <= s->from || s->from < from || s->to > to)
            fail_msg("span %u is not in order", i);
        last = s->to;
        sum += s->to - s->from;
    }
    assert_true(sum == open_ms(w, from, to));
}

/* One millisecond before, at, and after each edge, and the length. */
static void check_span(const char *name, const windows *w, int64_t from, int64_t to)
{
    const struct {
        int64_t at;
        bool open;
        int64_t changes_at; /* 0: not looked at */
    } edges[] = {{from - 1, false, from}, {from, true, to}, {from + 1, true, to},
                 {to - 1, true, to},      {to, false, 0},   {to + 1, false, 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(edges); i++) {
        struct window_now now = windows_at(w, edges[i].at);
        if (now.open != edges[i].open || now.always ||
            (edges[i].changes_at != 0 && now.changes_at != edges[i].changes_at))
            fail_msg("%s: edge %d of the span at %lld: %s until %lld", name, (int)i, (long long)from,
                     now.open ? "open" : "closed", (long long)now.changes_at);
    }
    assert_int_equal(windows_finish(w, from - 1, to - from), to);
    assert_int_equal(windows_finish(w, from - 1, 1), from + 1);
    assert_true(windows_finish(w, from - 1, to - from + 1) > to + 1);
}

#define PARIS(days, start, stop) "{" days "start: \"" start "\", stop: \"" stop "\", timezone: Europe/Paris}"
#define NEW_YORK(days, start, stop)                                                                          \
    "{" days "start: \"" start "\", stop: \"" stop "\", timezone: America/New_York}"
#define HOWE(start, stop) "{start: \"" start "\", stop: \"" stop "\", timezone: Australia/Lord_Howe}"
#define IN_UTC(days, start, stop) "{" days "start: \"" start "\", stop: \"" stop "\", timezone: UTC}"

/* In Paris clocks go from 02:00 to 03:00 at 2026-03-29T01:00Z and from 03:00 to 02:00 at 2026-10-25T01:00Z;
 * in New York at 2026-03-08T07:00Z and 2026-11-01T06:00Z; on Lord Howe Island from 02:00 to 01:30 at
 * 2026-04-04T15:00Z and from 02:00 to 02:30 at 2026-10-03T15:30Z. Samoa had no 30 December 2011. */
static const struct row {
    const char *name, *windows;
    const char *from, *to;   /* all open time between these ... */
    const char *spans[4][2]; /* ... is this */
} rows[] = {
    {"each day, UTC",
     IN_UTC("", "02:00", "03:00"),
     "2026-06-01T00:00",
     "2026-06-03T00:00",
     {{"2026-06-01T02:00", "2026-06-01T03:00"}, {"2026-06-02T02:00", "2026-06-02T03:00"}}},
    {"half an hour from the others",
     "{start: \"00:00\", stop: \"06:00\", timezone: Asia/Kolkata}",
     "2026-06-01T12:00",
     "2026-06-02T12:00",
     {{"2026-06-01T18:30", "2026-06-02T00:30"}}},
    {"inside the hour that is skipped",
     PARIS("", "02:30", "02:45"),
     "2026-03-28T00:00",
     "2026-03-31T00:00",
     {{"2026-03-28T01:30", "2026-03-28T01:45"}, {"2026-03-30T00:30", "2026-03-30T00:45"}}},
    {"exactly the hour that is skipped",
     PARIS("", "02:00", "03:00"),
     "2026-03-28T12:00",
     "2026-03-30T12:00",
     {{"2026-03-30T00:00", "2026-03-30T01:00"}}},
    {"stop is skipped",
     PARIS("", "01:30", "02:30"),
     "2026-03-28T12:00",
     "2026-03-29T12:00",
     {{"2026-03-29T00:30", "2026-03-29T01:00"}}},
    {"start is skipped",
     PARIS("", "02:30", "04:00"),
     "2026-03-28T12:00",
     "2026-03-29T12:00",
     {{"2026-03-29T01:00", "2026-03-29T02:00"}}},
    {"around the hour that is skipped",
     PARIS("", "01:00", "04:00"),
     "2026-03-28T12:00",
     "2026-03-29T12:00",
     {{"2026-03-29T00:00", "2026-03-29T02:00"}}},
    {"a night with a skipped hour",
     PARIS("days: [sat], ", "23:00", "06:00"),
     "2026-03-25T00:00",
     "2026-03-31T00:00",
     {{"2026-03-28T22:00", "2026-03-29T04:00"}}},
    {"a night with a repeated hour",
     PARIS("days: [sat], ", "23:00", "06:00"),
     "2026-10-20T00:00",
     "2026-10-27T00:00",
     {{"2026-10-24T21:00", "2026-10-25T05:00"}}},
    {"inside the hour that comes twice",
     PARIS("", "02:15", "02:45"),
     "2026-10-24T12:00",
     "2026-10-25T12:00",
     {{"2026-10-25T00:15", "2026-10-25T00:45"}}},
    {"begins in the hour that comes twice",
     PARIS("", "02:30", "03:00"),
     "2026-10-24T12:00",
     "2026-10-25T12:00",
     {{"2026-10-25T00:30", "2026-10-25T02:00"}}},
    {"ends in the hour that comes twice",
     PARIS("", "01:00", "02:30"),
     "2026-10-24T12:00",
     "2026-10-25T12:00",
     {{"2026-10-24T23:00", "2026-10-25T00:30"}}},
    {"ends where the hour is repeated",
     PARIS("", "01:00", "02:00"),
     "2026-10-24T12:00",
     "2026-10-25T12:00",
     {{"2026-10-24T23:00", "2026-10-25T00:00"}}},
    {"New York, skipped",
     NEW_YORK("days: [sun], ", "01:30", "03:30"),
     "2026-03-04T00:00",
     "2026-03-16T00:00",
     {{"2026-03-08T06:30", "2026-03-08T07:30"}, {"2026-03-15T05:30", "2026-03-15T07:30"}}},
    {"New York, repeated",
     NEW_YORK("", "01:15", "01:45"),
     "2026-10-31T12:00",
     "2026-11-02T12:00",
     {{"2026-11-01T05:15", "2026-11-01T05:45"}, {"2026-11-02T06:15", "2026-11-02T06:45"}}},
    {"thirty minutes skipped",
     HOWE("02:15", "03:00"),
     "2026-10-03T00:00",
     "2026-10-04T12:00",
     {{"2026-10-03T15:30", "2026-10-03T16:00"}}},
    {"thirty minutes repeated",
     HOWE("01:45", "02:00"),
     "2026-04-04T00:00",
     "2026-04-05T12:00",
     {{"2026-04-04T14:45", "2026-04-04T15:30"}}},
    {"a whole day skipped",
     "{days: [thu, fri, sat], start: \"10:00\", stop: \"12:00\", timezone: Pacific/Apia}",
     "2011-12-29T12:00",
     "2012-01-01T12:00",
     {{"2011-12-29T20:00", "2011-12-29T22:00"}, {"2011-12-30T20:00", "2011-12-30T22:00"}}},
    {"days on which it starts",
     IN_UTC("days: [sun, wed], ", "22:00", "02:00"),
     "2026-06-01T00:00",
     "2026-06-07T20:00",
     {{"2026-06-01T00:00", "2026-06-01T02:00"}, {"2026-06-03T22:00", "2026-06-04T02:00"}}},
    {"to midnight",
     IN_UTC("days: [mon], ", "22:00", "00:00"),
     "2026-06-01T00:00",
     "2026-06-08T00:00",
     {{"2026-06-01T22:00", "2026-06-02T00:00"}}},
    {"two that touch",
     IN_UTC("", "00:00", "06:00") "," IN_UTC("", "06:00", "09:00"),
     "2026-06-01T00:00",
     "2026-06-01T23:00",
     {{"2026-06-01T00:00", "2026-06-01T09:00"}}},
    {"two that overlap, of two zones",
     PARIS("days: [mon], ", "08:00", "12:00") "," NEW_YORK("days: [mon], ", "04:00", "08:00"),
     "2026-06-01T00:00",
     "2026-06-02T00:00",
     {{"2026-06-01T06:00", "2026-06-01T12:00"}}},
    {"one inside another",
     IN_UTC("", "01:00", "09:00") "," IN_UTC("", "03:00", "04:00"),
     "2026-06-01T00:00",
     "2026-06-01T23:00",
     {{"2026-06-01T01:00", "2026-06-01T09:00"}}},
    {"two apart",
     IN_UTC("", "20:00", "21:00") "," IN_UTC("", "03:00", "04:00"),
     "2026-06-01T00:00",
     "2026-06-01T23:00",
     {{"2026-06-01T03:00", "2026-06-01T04:00"}, {"2026-06-01T20:00", "2026-06-01T21:00"}}},
    {"all but a minute of the week",
     IN_UTC("days: [mon, tue, wed, thu, fri, sat], ", "00:00",
            "23:59") "," IN_UTC("days: [mon, tue, wed, thu, fri, sat], ", "23:59",
                                "00:00") "," IN_UTC("days: [sun], ", "00:00", "23:59"),
     "2026-06-01T00:00",
     "2026-06-15T00:00",
     {{"2026-06-01T00:00", "2026-06-07T23:59"}, {"2026-06-08T00:00", "2026-06-14T23:59"}}},
    {"before 1970",
     PARIS("days: [sat], ", "23:00", "06:00"),
     "1969-12-30T00:00",
     "1970-01-02T00:00",
     {{NULL}}},
    {"before 1970, open",
     PARIS("days: [sat], ", "23:00", "06:00"),
     "1969-12-25T00:00",
     "1970-01-02T00:00",
     {{"1969-12-27T22:00", "1969-12-28T05:00"}}},
};

static void test_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        g_autoptr(windows) w = from_yaml(row->windows);
        int64_t sum = 0;
        for (size_t k = 0; k < G_N_ELEMENTS(row->spans) && row->spans[k][0] != NULL; k++) {
            int64_t from = moment(row->spans[k][0]), to = moment(row->spans[k][1]);
            /* A span that begins before the stretch of the row has no edge there. */
            if (from > moment(row->from) || !windows_at(w, from - 1).open)
                check_span(row->name, w, from, to);
            sum += to - from;
        }
        int64_t open = open_ms(w, moment(row->from), moment(row->to));
        if (open != sum)
            fail_msg("%s: open for %lld ms", row->name, (long long)open);
        check_spans(w, moment(row->from), moment(row->to));
    }
}

static void expect_always(const windows *w, int64_t at)
{
    struct window_now now = windows_at(w, at);
    assert_true(now.open && now.always);
    assert_true(now.changes_at == INT64_MAX);
    assert_int_equal(windows_finish(w, at, 12345678), at + 12345678);
    assert_true(windows_finish(w, at, 400 * DAY_MS) == at + 400 * DAY_MS);
    assert_true(windows_finish(w, at, 400 * DAY_MS + 1) == INT64_MAX);
}

static void test_always(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "",
        PARIS("", "00:00", "12:00") "," PARIS("", "12:00", "00:00"),
        NEW_YORK("", "02:30", "02:00") "," NEW_YORK("", "01:45", "02:45"),
        IN_UTC("days: [sun, tue, thu, sat], ", "06:00", "05:59") "," IN_UTC(
            "days: [mon, wed, fri], ", "06:00", "05:59") "," IN_UTC("", "05:59", "06:00"),
        /* Together they leave no gap in winter nor in summer. */
        PARIS("", "02:00", "00:00") "," IN_UTC("", "21:30", "01:30"),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autoptr(windows) w = from_yaml(lists[i]);
        for (int day = 0; day < 365; day += 13)
            expect_always(w, moment("2026-01-01T01:30") + day * DAY_MS);
    }
}

/* Closed only in summer: what is far away is found. */
static void test_far_change(void **state)
{
    (void)state;
    g_autoptr(windows) w = from_yaml(PARIS("", "02:00", "01:00") "," IN_UTC("", "00:00", "01:00"));
    struct window_now now = windows_at(w, moment("2026-11-01T00:00"));
    assert_true(now.open && !now.always);
    assert_int_equal(now.changes_at, moment("2027-03-28T23:00"));
    now = windows_at(w, now.changes_at);
    assert_true(!now.open);
    assert_int_equal(now.changes_at, moment("2027-03-29T00:00"));
}

static void test_long_questions(void **state)
{
    (void)state;
    g_autoptr(windows) w = from_yaml(PARIS("", "02:30", "02:45"));
    /* 15 minutes on each day but that of the skipped hour. */
    assert_int_equal(open_ms(w, moment("2026-01-01T00:00"), moment("2027-01-01T00:00")),
                     364 * 15 * INT64_C(60000));
    assert_int_equal(windows_finish(w, moment("2026-01-01T00:00"), 364 * 15 * INT64_C(60000)),
                     moment("2026-12-31T01:45"));
    assert_true(windows_finish(w, moment("2026-01-01T00:00"), DAY_MS * 5) == INT64_MAX);
    assert_int_equal(windows_finish(w, 5, 0), 5);
    assert_int_equal(windows_finish(w, 5, -1), 5);
    /* Times that no calendar has neither overflow nor hang. */
    assert_true(!windows_at(w, INT64_MIN).always && !windows_at(w, INT64_MAX).always);
    assert_true(windows_finish(w, INT64_MAX, 1) > 0);
}

static windows *of_cluster(const char *day, const char *start, const char *stop, const char *zone)
{
    struct err err = {0};
    windows *w = windows_new();
    if (!windows_add_cluster(w, day, start, stop, zone, &err))
        fail_msg("%s", err.msg);
    return w;
}

static void test_cluster_window(void **state)
{
    (void)state;
    /* Over midnight, each day, as lenient as the server. */
    g_autoptr(windows) nights = of_cluster(NULL, "23:0", "6:00", "Europe/Paris");
    check_span("nights", nights, moment("2026-06-01T21:00"), moment("2026-06-02T04:00"));
    /* Early and late on a Monday (2026-06-01), not on Tuesday morning. */
    g_autoptr(windows) monday = of_cluster("Monday", "23:00", "6:00", "Europe/Paris");
    check_span("early", monday, moment("2026-05-31T22:00"), moment("2026-06-01T04:00"));
    check_span("late", monday, moment("2026-06-01T21:00"), moment("2026-06-01T22:00"));
    assert_int_equal(open_ms(monday, moment("2026-05-27T00:00"), moment("2026-06-03T00:00")),
                     7 * 60 * INT64_C(60000));
    /* The next day's goes on from there. */
    struct err err = {0};
    assert_true(windows_add_cluster(monday, "Tuesday", "20:00", "10:00", "Europe/Paris", &err));
    assert_int_equal(windows_count(monday), 2);
    check_span("late and early", monday, moment("2026-06-01T21:00"), moment("2026-06-02T08:00"));
    g_autoptr(windows) from_start = of_cluster("Sunday", "22:00", "0:00", "UTC");
    check_span("to midnight", from_start, moment("2026-06-07T22:00"), moment("2026-06-08T00:00"));
    g_autoptr(windows) forward = of_cluster("Saturday", "9:30", "10:00", "UTC");
    check_span("forward", forward, moment("2026-06-06T09:30"), moment("2026-06-06T10:00"));
}

static void test_text(void **state)
{
    static const struct {
        const char *windows, *text;
    } texts[] = {
        {"", "always"},
        {PARIS("days: [sat, sun], ", "23:00", "06:00"), "sat, sun 23:00-06:00 Europe/Paris"},
        {"{start: \"09:05\", stop: \"10:00\"}", "09:05-10:00 local time"},
        {IN_UTC("", "00:00", "01:00") "," IN_UTC("days: [sun, fri, mon, wed], ", "00:00", "01:00"),
         "00:00-01:00 UTC; mon, wed, fri, sun 00:00-01:00 UTC"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(windows) w = from_yaml(texts[i].windows);
        g_autofree char *text = windows_text(w);
        assert_string_equal(text, texts[i].text);
    }
    g_autoptr(windows) day = of_cluster("Thursday", "23:00", "6:00", "UTC");
    g_autofree char *text = windows_text(day);
    assert_string_equal(text, "thu 00:00-06:00, 23:00-24:00 UTC");
}

static void test_refused(void **state)
{
    static const struct {
        unsigned days;
        int start, stop;
        const char *zone, *words;
    } bad[] = {
        {0, 0, 60, "UTC", "no day"},
        {128, 0, 60, "UTC", "no day"},
        {127, -1, 60, "UTC", "no time"},
        {127, 0, 1440, "UTC", "no time"},
        {127, 60, 60, "UTC", "when it starts"},
        {127, 0, 60, "Europe/Pari", "'Europe/Pari' is not known"},
        {127, 0, 60, "/etc/localtime", "not known"},
        {127, 0, 60, "Europe/../Europe/Paris", "not known"},
        {127, 0, 60, "\x1b[31m", "not known"},
    };
    static const struct {
        const char *day, *start, *stop, *zone, *words;
    } bad_cluster[] = {
        {NULL, "9", "10:00", "UTC", "'9'"},
        {NULL, "9:00", "24:00", "UTC", "'24:00'"},
        {NULL, "9:00", "09:00", "UTC", "when it starts"},
        {"monday", "9:00", "10:00", "UTC", "'monday'"},
        {"", "9:00", "10:00", "UTC", "no day"},
        {NULL, "9:00", "10:00", "Mars/Olympus", "Mars/Olympus"},
    };
    (void)state;
    g_autoptr(windows) w = windows_new();
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct err err = {0};
        assert_false(windows_add(w, bad[i].days, bad[i].start, bad[i].stop, bad[i].zone, &err));
        assert_int_equal(err.cls, ERR_CONFIG);
        if (strstr(err.msg, bad[i].words) == NULL || strchr(err.msg, '\x1b') != NULL)
            fail_msg("%s", err.msg);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bad_cluster); i++) {
        struct err err = {0};
        assert_false(windows_add_cluster(w, bad_cluster[i].day, bad_cluster[i].start, bad_cluster[i].stop,
                                         bad_cluster[i].zone, &err));
        assert_int_equal(err.cls, bad_cluster[i].zone[0] == 'M' ? ERR_CONFIG : ERR_DATA);
        if (strstr(err.msg, bad_cluster[i].words) == NULL)
            fail_msg("%s", err.msg);
    }
    assert_int_equal(windows_count(w), 0);
}

/* A zone can be gone from tzdata since the file was read. */
static void test_from_config(void **state)
{
    (void)state;
    struct err err = {0};
    g_autoptr(config) c = config_default();
    g_autoptr(windows) none = NULL;
    assert_true(windows_from_config(c, &none, &err));
    assert_int_equal(windows_count(none), 0);
    const struct config_window bad = {
        .days = 1, .start_min = 0, .stop_min = 60, .timezone = g_strdup("Mars/Olympus")};
    g_array_append_val(c->balancer.windows, bad);
    windows *w = NULL;
    assert_false(windows_from_config(c, &w, &err));
    assert_null(w);
    assert_int_equal(err.cls, ERR_CONFIG);
    assert_non_null(strstr(err.msg, "balancer.windows[1]: time zone"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),          cmocka_unit_test(test_always),
        cmocka_unit_test(test_far_change),     cmocka_unit_test(test_long_questions),
        cmocka_unit_test(test_cluster_window), cmocka_unit_test(test_text),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_from_config),
    };
    windows_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
