// SPDX-License-Identifier: Apache-2.0
#include "migrations/executor/schedule.h"

#include "tests/support/work_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* One case: work, and what is done with it. A script is a line of words:
 *   "4"   schedule_next() gives step 4 (numbers from 0)   "-"   it gives none
 *   "d4"  step 4 is done    "x4=5,6"  it is dropped, and so are 5 and 6    "w4@9"  it is put back till time 9
 *   "t9" the time is 9   "o:a" shard a is occupied   "r:a" released
 *   "c:ns=1,2" the collection is dropped   "s:a=1" the recipient is dropped   "b:a=1" for db.c   "a=1,2" all
 * is dropped */
struct row {
    const char *name;
    const char
        *steps; /* "a>b 0..10" moves and "a|5 0..10" splits, "; " between; "db.d" before: not of db.c */
    const char *script;
    unsigned max_concurrent;
    const char *done; /* ids that are done before */
};

static void check_dropped(const char *word, GArray *dropped)
{
    g_autoptr(GString) got = g_string_new(NULL);
    for (guint i = 0; i < dropped->len; i++)
        g_string_append_printf(got, "%s%zu", i == 0 ? "" : ",", g_array_index(dropped, size_t, i));
    const char *want = strchr(word, '=');
    assert_string_equal(got->str, want == NULL ? "" : want + 1);
}

static void run_drop(schedule *s, const char *word)
{
    g_autoptr(GArray) dropped = g_array_new(FALSE, FALSE, sizeof(size_t));
    g_autofree char *name =
        g_strndup(word + MIN(2, strlen(word)), strcspn(word, "=") - MIN(2, strcspn(word, "=")));
    if (word[0] == 'x')
        schedule_dropped(s, (size_t)g_ascii_strtoull(word + 1, NULL, 10), dropped);
    else if (word[0] == 'c')
        schedule_drop(s, name, NULL, dropped);
    else if (word[0] == 'b')
        schedule_drop(s, "db.c", name, dropped);
    else if (word[0] == 's')
        schedule_drop(s, NULL, name, dropped);
    else
        schedule_drop(s, NULL, NULL, dropped);
    check_dropped(word, dropped);
}

static void run_word(schedule *s, const char *word, int64_t *now)
{
    int64_t wait;
    const char *at = strchr(word, '@');
    const int64_t time = at == NULL ? 0 : g_ascii_strtoll(at + 1, NULL, 10);
    const size_t number = (size_t)g_ascii_strtoull(word + 1, NULL, 10);
    if (word[0] == '-')
        assert_int_equal(schedule_next(s, *now, &wait), SCHEDULE_NONE);
    else if (g_ascii_isdigit(word[0]))
        assert_int_equal(schedule_next(s, *now, &wait), g_ascii_strtoll(word, NULL, 10));
    else if (word[0] == 'd')
        schedule_done(s, number);
    else if (word[0] == 'w')
        schedule_delay(s, number, time);
    else if (word[0] == 't')
        *now = (int64_t)number;
    else if (word[0] == 'o')
        schedule_occupy(s, word + 2);
    else if (word[0] == 'r')
        schedule_release(s, word + 2);
    else
        run_drop(s, word);
}

static const struct row rows[] = {
    {"two pairs side by side", "a>b 0..1; c>d 1..2", "0 1 - d0 d1 -"},
    {"one shard, one after the other", "a>b 0..1; a>c 1..2", "0 - d0 1 d1 -"},
    {"the recipient is a shard, too", "a>c 0..1; b>c 1..2", "0 - d0 1 -"},
    {"and gives only when it has got", "a>b 0..1; b>c 1..2", "0 - d0 1 -"},
    {"the longest shard first", "a>b 0..1; c>d 1..2; c>e 2..3", "1 0 - d1 2"},
    {"a recipient may be the longest", "a>b 0..1; c>d 1..2; e>d 2..3", "1 0"},
    {"bytes make it longer", "a>b 0..1 1; c>d 1..2 9", "1 0"},
    {"equal: the plan's order", "c>d 0..1; a>b 1..2", "0 1"},
    {"equal shards, lowest number of all", "c>d 0..1; a>b 1..2; b>a 2..3; d>c 3..4", "0 1 d0 3 d1 2"},
    {"concurrency", "a>b 0..1; c>d 1..2", "0 - d0 1", 1},
    {"a split takes the owner's shard only", "a|5 0..10; b>c 20..30; a>b 30..40", "1 0 - d1 - d0 2"},
    {"split, then its parts", "a|5 0..10; a>b 0..5; a>c 5..10", "0 - d0 1 - d1 2"},
    {"overlap keeps the order, though the shards are free", "a>b 0..10; c>d 5..15", "0 - d0 1"},
    {"touching is no overlap", "a>b 0..10; c>d 10..20", "0 1"},
    {"other collection, same range", "a>b 0..10; db.d c>d 0..10", "0 1"},
    {"an inner piece, then the rest", "a>b 0..100; c>d 40..60; e>f 0..30; g>h 70..100; i>j 45..50",
     "0 - d0 1 2 3 - d1 4"},
    {"one over many", "a>b 0..10; c>d 10..20; e>f 0..20", "0 1 - d1 - d0 2"},
    {"an empty range touches nothing", "a>b 5..5; c>d 0..10", "0 1"},
    {"drop what rests on it", "a>b 0..10; c>d 5..15; e>f 12..20; g>h 30..40", "0 3 - x0=1,2 -"},
    {"drop nothing else", "a>b 0..10; c>d 10..20", "0 x0 1 d1 -"},
    {"put back", "a>b 0..10; a>c 10..20", "0 - w0@7 1 - d1 - t6 - t7 0 d0 -"},
    {"put back where there is nothing else", "a>b 0..10", "0 - w0@0 0 d0 -"},
    {"what rests on one put back waits", "a>b 0..10; c>d 0..10", "0 w0@7 - t7 0 - d0 1"},
    {"put back twice", "a>b 0..10", "0 w0@5 - t5 0 w0@9 - t8 - t9 0 d0 -"},
    {"put back, in the order of their times", "a>b 0..10; a>c 20..30", "0 w0@9 1 w1@5 t6 1 d1 - t9 0"},
    {"occupied", "a>b 0..10; c>d 20..30", "o:a 1 - r:a 0"},
    {"occupied twice", "a>b 0..10", "o:b o:b - r:b - r:b 0"},
    {"occupied, not in the work", "a>b 0..10", "o:zz 0"},
    {"drop a collection", "a>b 0..10; db.d c>d 0..10; a>c 20..30; e>f 5..10", "0 1 c:db.c=2,3 d0 d1 -"},
    {"drop a recipient and what rests on it", "a>b 0..10; c>b 20..30; d>e 25..40", "0 s:b=1,2 d0 -"},
    {"drop a recipient for one collection", "a>b 0..10; c>b 20..30; db.d d>b 0..10", "0 b:b=1 d0 2"},
    {"a split has no recipient", "a|5 0..10", "s:a 0"},
    {"drop all", "a>b 0..10; a>c 20..30; d>e 0..5", "0 a=1,2 - d0 -"},
    {"drop one that waits for its time", "a>b 0..10", "0 w0@5 a=0 t9 -"},
    {"done before", "a>b 0..10; c>d 0..10; e>f 0..10", "1 - d1 2", 0, "1"},
    {"done without having run", "a>b 0..10; c>d 0..10; e>f 0..10", "0 d1 - d0 2 d2 -"},
    {"dropped twice over", "a>b 0..10; c>d 0..10; e>f 0..10", "0 x1=2 x0 -"},
    {"from a shard to itself", "a>a 0..10; a>b 20..30", "0 - d0 1"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *r = &rows[i];
        const struct schedule_options opt = {r->max_concurrent, 1, 1};
        g_autoptr(work) w = work_make_text(r->steps);
        g_autofree bool *done = g_new0(bool, w->steps->len + 1);
        if (r->done != NULL)
            done[g_ascii_strtoull(r->done, NULL, 10)] = true;
        g_autoptr(schedule) s = schedule_new(&opt);
        assert_int_equal(schedule_add(s, w, r->done == NULL ? NULL : done), 0);
        g_auto(GStrv) words = g_strsplit(r->script, " ", -1);
        int64_t now = 1;
        print_message("%s\n", r->name);
        for (unsigned k = 0; words[k] != NULL; k++)
            run_word(s, words[k], &now);
    }
}

/* What is added later waits for what runs, also where something dropped lies between. */
static void test_added_later(void **state)
{
    (void)state;
    const struct schedule_options opt = {0, 1, 0};
    g_autoptr(work) first = work_make_text("a>b 0..10; c>d 0..10"),
                    second = work_make_text("e>f 5..15; g>h 10..20; i>j 30..40");
    g_autoptr(schedule) s = schedule_new(&opt);
    int64_t now = 0;
    schedule_add(s, first, NULL);
    run_word(s, "0", &now);
    run_word(s, "c:db.c=1", &now);
    assert_int_equal(schedule_add(s, second, NULL), 2);
    assert_ptr_equal(schedule_step(s, 3), second->steps->pdata[1]);
    for (const char *const *word = (const char *const[]){"4", "-", "d0", "2", "-", "d2", "3", "-", NULL};
         *word != NULL; word++)
        run_word(s, *word, &now);
}

static void test_numbers(void **state)
{
    (void)state;
    const struct schedule_options opt = {0, 2, 1};
    g_autoptr(work) w = work_make_text("a>b 0..10 3; a|5 20..30; c>d 40..50 -1");
    g_autoptr(schedule) s = schedule_new(&opt);
    int64_t now = 5, wait;
    assert_float_equal(schedule_remaining_seconds(s), 0, 0);
    schedule_add(s, w, NULL);
    assert_float_equal(schedule_remaining_seconds(s), 7, 1e-6); /* a: 5 and 2 */
    assert_int_equal(schedule_waiting(s), 3);
    run_word(s, "0", &now);
    assert_int_equal(schedule_waiting(s), 2);
    assert_int_equal(schedule_running(s), 1);
    assert_float_equal(schedule_remaining_seconds(s), 7, 1e-6);
    schedule_delay(s, 0, 15);
    run_word(s, "1", &now);
    schedule_delay(s, 1, 12);
    assert_int_equal(schedule_next(s, now, &wait), 2);
    assert_int_equal(schedule_next(s, now, &wait), SCHEDULE_NONE);
    assert_int_equal(wait, 7);
    assert_int_equal(schedule_next(s, 12, &wait), 1);
    schedule_done(s, 1);
    assert_int_equal(schedule_next(s, 12, &wait), SCHEDULE_NONE);
    assert_int_equal(wait, 3);
    assert_float_equal(schedule_remaining_seconds(s), 5, 1e-6);
    schedule_done(s, 2);
    schedule_drop(s, NULL, NULL, NULL);
    assert_int_equal(schedule_waiting(s) + schedule_running(s), 0);
    assert_float_equal(schedule_remaining_seconds(s), 0, 0);
    schedule_free(NULL);
}

/* Few at a time: their number bounds the end, not the longest shard. */
static void test_bound_by_concurrency(void **state)
{
    (void)state;
    const struct schedule_options opt = {1, 1, 0};
    g_autoptr(work) w = work_make_text("a>b 0..10; c>d 40..50; e>f 60..70");
    g_autoptr(schedule) s = schedule_new(&opt);
    schedule_add(s, w, NULL);
    assert_float_equal(schedule_remaining_seconds(s), 3, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_added_later),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bound_by_concurrency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
