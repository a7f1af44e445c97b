// SPDX-License-Identifier: Apache-2.0
/* Every outcome and verdict: what rows, events and counters become, and what is dropped. */
#include "tests/support/executor_rig.h"

#include "migrations/mongo/error_private.h"
#include "tests/support/journal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TWO "a>b 0..10; c>d 20..30"
#define RESTING "a>b 0..10; c>d 5..15; e>f 20..30"

#define ELEVEN(w) w " " w " " w " " w " " w " " w " " w " " w " " w " " w " " w " "
#define TWELVE(w) ELEVEN(w) w

struct row {
    const char *name, *steps, *says;
    const char *rows;   /* of the journal */
    const char *events; /* in order; sorted where steps run side by side */
    const char *counts; /* committed already failed dropped splits */
    const char *asked;  /* NULL: not looked at */
    enum executor_jumbo jumbo;
};

static const struct row table[] = {
    {"committed", "a>b 0..10", "db.c 0: ok", "m1 committed/1", "S1 E1:committed", "1 0 0 0 0", "db.c 0"},
    {"split", "a|5 0..10", "db.c 0: ok", "s1 committed/1", "S1 E1:committed", "0 0 0 0 1"},
    {"split, then a part", "a|5 0..10; a>b 5..10", "db.c 0: ok; db.c 5: ok", "s1 committed/1; m2 committed/1",
     "S1 E1:committed S2 E2:committed", "1 0 0 0 1", "db.c 0; db.c 5"},
    {"already", "a>b 0..10; a>c 0..10", "db.c 0: already ok", "m1 aborted/0; m2 committed/1",
     "S1 E1:already S2 E2:committed", "1 1 0 0 0"},
    {"split already", "a|5 0..10", "db.c 0: already", "s1 aborted/0", "S1 E1:already", "0 1 0 0 0"},
    {"changed", RESTING, "db.c 0: changed; db.c 20: ok", "m1 aborted/0; m3 committed/1",
     "S1 S3 E1:changed D2:restsOnFailed E3:committed", "1 0 0 2 0"},
    {"not allowed", RESTING, "db.c 0: notAllowed; db.c 20: ok", "m1 aborted/0; m3 committed/1",
     "S1 S3 E1:notAllowed D2:restsOnFailed E3:committed", "1 0 0 2 0"},
    {"void before it is sent", "a>b 0..10", "db.c 0: void", "m1 aborted/0", "S1 E1:void", "0 0 0 1 0"},

    {"soon, then well", "a>b 0..10", "db.c 0: 24 24 ok", "m1 committed/3",
     "S1 R1:failed R1:failed E1:committed", "1 0 0 0 0", "db.c 0; db.c 0; db.c 0"},
    {"soon, too often", RESTING, "db.c 0: 24 24 24; db.c 20: ok", "m1 failed/3; m3 committed/1",
     "S1 S3 R1:failed E3:committed R1:failed E1:failed D2:restsOnFailed", "1 0 1 1 0"},
    {"others in the way: more patience", "a>b 0..10", "db.c 0: 117 117 117 117 117 117 117 ok",
     "m1 committed/8",
     "S1 R1:failed R1:failed R1:failed R1:failed R1:failed R1:failed R1:failed E1:committed", "1 0 0 0 0"},
    {"others in the way for ever", "a>b 0..10", "db.c 0: " TWELVE("46"), "m1 failed/12",
     "S1 " ELEVEN("R1:failed") "E1:failed", "0 0 1 0 0"},
    {"unreachable before it is sent", "a>b 0..10", "db.c 0: unreachable unreachable ok", "m1 committed/1",
     "S1 R1:unreachable R1:unreachable E1:committed", "1 0 0 0 0"},
    {"unreachable for ever", "a>b 0..10", "db.c 0: " TWELVE("unreachable"), "m1 aborted/0",
     "S1 " ELEVEN("R1:unreachable") "E1:unreachable", "0 0 0 1 0"},
    {"unreachable after a refusal", "a>b 0..10", "db.c 0: 24 unreachable ok", "m1 committed/2",
     "S1 R1:failed R1:unreachable E1:committed", "1 0 0 0 0"},

    {"round", RESTING, "db.c 0: 13388; db.c 20: ok", "m1 failed/1; m3 committed/1",
     "S1 S3 E1:failed D2:restsOnFailed E3:committed", "1 0 1 1 0"},
    {"chunk", TWO, "db.c 0: 72; db.c 20: ok", "m1 failed/1; m2 committed/1", "S1 S2 E1:failed E2:committed",
     "1 0 1 0 0"},
    {"a split that is refused", "a|5 0..10; a>b 5..10", "db.c 0: 87", "s1 failed/1",
     "S1 E1:failed D2:restsOnFailed", "0 0 1 1 0"},
    {"collection", "a>b 0..10; a>c 20..30; db.d a>b 0..10", "db.c 0: 118; db.d 0: ok",
     "m1 failed/1; m3 committed/1", "S1 E1:failed D2:collection S3 E3:committed", "1 0 1 1 0"},
    {"recipient", "a>b 0..10; c>b 20..30; a>e 40..50", "db.c 0: 70; db.c 40: ok",
     "m1 failed/1; m3 committed/1", "S1 E1:failed D2:recipient S3 E3:committed", "1 0 1 1 0"},
    {"recipient, for one collection", "a>b 0..10; a>b 20..30; db.d a>b 0..10; a>e 40..50",
     "db.c 0: 67; db.d 0: ok; db.c 40: ok", "m1 failed/1; m3 committed/1; m4 committed/1",
     "S1 E1:failed D2:recipient S3 E3:committed S4 E4:committed", "2 0 1 1 0"},
    {"recipient, for one chunk", "a>b 0..10; a>b 20..30", "db.c 0: 313; db.c 20: ok",
     "m1 failed/1; m2 committed/1", "S1 E1:failed S2 E2:committed", "1 0 1 0 0"},
    {"stop", "a>b 0..10; a>c 20..30", "db.c 0: 13", "m1 failed/1", "S1 E1:failed D2:stopped", "0 0 1 1 0"},

    {"too big: skipped", "a>b 0..10; a>b 20..30", "db.c 0: 153; db.c 20: ok", "m1 failed/1; m2 committed/1",
     "S1 E1:jumbo S2 E2:committed", "1 0 1 0 0"},
    {"too big: forced", "a>b 0..10", "db.c 0: 153 ok", "m1 committed/2", "S1 R1:jumbo E1:committed",
     "1 0 0 0 0", "db.c 0; db.c 0 forced", EXECUTOR_JUMBO_FORCE},
    {"too big even so", "a>b 0..10", "db.c 0: 153 153", "m1 failed/2", "S1 R1:jumbo E1:jumbo", "0 0 1 0 0",
     NULL, EXECUTOR_JUMBO_FORCE},
    {"too big: split", "a>b 0..10; a>b 20..30", "db.c 0: 153; /db.c 0: ok; db.c 20: ok",
     "m1 failed/1; s0 committed/1; m2 committed/1", "S1 S1 E1:committed E1:split S2 E2:committed",
     "1 0 1 0 1", "db.c 0; /db.c 0; db.c 20", EXECUTOR_JUMBO_SPLIT},
    {"too big, cannot be split", "a>b 0..10", "db.c 0: 153; /db.c 0: 87", "m1 failed/1; s0 failed/1",
     "S1 S1 E1:failed E1:jumbo", "0 0 1 0 0", NULL, EXECUTOR_JUMBO_SPLIT},
    {"too big, the split's reply is lost", "a>b 0..10",
     "db.c 0: 153; /db.c 0: lost; ?db.c 0: inFlight committed", "m1 failed/1; s0 committed/1",
     "S1 S1 U1 E1:committed E1:split", "0 0 1 0 1", "db.c 0; /db.c 0; ?db.c 0..10; ?db.c 0..10",
     EXECUTOR_JUMBO_SPLIT},
    {"too big, the split is tried once", "a>b 0..10", "db.c 0: 153; /db.c 0: 24", "m1 failed/1; s0 failed/1",
     "S1 S1 E1:failed E1:jumbo", "0 0 1 0 0", NULL, EXECUTOR_JUMBO_SPLIT},
    {"too big, the split's reply is lost, not done", "a>b 0..10",
     "db.c 0: 153; /db.c 0: lost; ?db.c 0: notCarriedOut", "m1 failed/1; s0 failed/1",
     "S1 S1 U1 E1:notCarriedOut E1:jumbo", "0 0 1 0 0", NULL, EXECUTOR_JUMBO_SPLIT},
    {"too big, and changed meanwhile", "a>b 0..10", "db.c 0: 153; /db.c 0: changed",
     "m1 failed/1; s0 aborted/0", "S1 S1 E1:changed E1:jumbo", "0 0 1 0 0", NULL, EXECUTOR_JUMBO_SPLIT},
    {"a split cannot be too big", "a|5 0..10", "db.c 0: 153", "s1 failed/1", "S1 E1:jumbo", "0 0 1 0 0", NULL,
     EXECUTOR_JUMBO_SPLIT},

    {"lost, and carried out", "a>b 0..10", "db.c 0: lost; ?db.c 0: unreachable inFlight committed",
     "m1 committed/1", "S1 U1 E1:committed", "1 0 0 0 0", "db.c 0; ?db.c 0..10; ?db.c 0..10; ?db.c 0..10"},
    {"lost, not carried out, done again", "a>b 0..10; a>c 0..10",
     "db.c 0: lost ok ok; ?db.c 0: inFlight notCarriedOut", "m1 failed/1; m1 committed/1; m2 committed/1",
     "S1 U1 E1:notCarriedOut R1:notCarriedOut S1 E1:committed S2 E2:committed", "2 0 0 0 0"},
    {"lost again and again", "a>b 0..10; a>c 0..10",
     "db.c 0: lost lost lost; ?db.c 0: notCarriedOut notCarriedOut notCarriedOut",
     "m1 failed/1; m1 failed/1; m1 failed/1",
     "S1 U1 E1:notCarriedOut R1:notCarriedOut S1 U1 E1:notCarriedOut R1:notCarriedOut S1 U1 E1:notCarriedOut "
     "D2:restsOnFailed",
     "0 0 1 1 0"},
    {"lost, and void", "a>b 0..10; a>c 0..10", "db.c 0: lost; ?db.c 0: void", "m1 aborted/1",
     "S1 U1 E1:void D2:restsOnFailed", "0 0 0 2 0"},
    {"the reply says little, and that it may pass", "a>b 0..10", "db.c 0: 125; ?db.c 0: notCarriedOut",
     "m1 failed/1", "S1 U1 E1:notCarriedOut", "0 0 1 0 0"},
    {"the reply says little, and soon", "a>b 0..10", "db.c 0: 6 ok; ?db.c 0: notCarriedOut",
     "m1 failed/1; m1 committed/1", "S1 U1 E1:notCarriedOut R1:notCarriedOut S1 E1:committed", "1 0 0 0 0"},
    {"a split's reply is lost", "a|5 0..10", "db.c 0: lost ok; ?db.c 0: notCarriedOut",
     "s1 failed/1; s1 committed/1", "S1 U1 E1:notCarriedOut R1:notCarriedOut S1 E1:committed", "0 0 0 0 1"},
    {"settled by words that are no settlement", "a>b 0..10",
     "db.c 0: lost; ?db.c 0: 13 already changed committed", "m1 committed/1", "S1 U1 E1:committed",
     "1 0 0 0 0"},
    {"acted on with words of a settlement", TWO,
     "db.c 0: inFlight; ?db.c 0: committed; db.c 20: notCarriedOut", "m1 committed/0; m2 failed/0",
     "S1 S2 E2:failed U1 E1:committed", "1 0 1 0 0"},
};

/* Steps side by side end in any order: each step's own events keep theirs. */
static char *by_step(const char *events)
{
    g_auto(GStrv) words = g_strsplit(events, " ", -1);
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(g_free);
    for (int id = 0; id < 10; id++) {
        GString *line = g_string_new(NULL);
        for (unsigned i = 0; words[i] != NULL; i++)
            if (g_ascii_digit_value(words[i][1]) == id)
                g_string_append_printf(line, "%s ", words[i]);
        g_ptr_array_add(steps, g_string_free(line, FALSE));
    }
    g_ptr_array_add(steps, NULL);
    return g_strjoinv("", (char **)steps->pdata);
}

static void check_counts(const struct rig *r, const char *want)
{
    struct executor_status s;
    executor_status(r->x, &s);
    g_autofree char *got =
        g_strdup_printf("%u %u %u %u %u", s.committed, s.already, s.failed, s.dropped, s.splits);
    assert_string_equal(got, want);
    assert_int_equal(s.under_way + s.settling + s.waiting, 0);
    assert_int_equal(s.bytes, s.committed);
    assert_int_equal(s.bytes_left, 0);
    assert_null(s.holds);
    assert_float_equal(s.remaining_seconds, 0, 0);
}

static void run_row(const struct row *row, bool with_plan)
{
    struct rig r;
    struct executor_options opt = rig_options();
    opt.jumbo = row->jumbo;
    rig_init(&r);
    rig_start(&r, &opt);
    rig_say(&r, row->says);
    rig_add(&r, row->steps, with_plan);
    rig_run(&r, RIG_LONG);
    g_autofree char *rows = rig_rows(&r), *got_rows = rig_sorted(rows), *want_rows = rig_sorted(row->rows),
                    *got = by_step(r.events->str), *want = by_step(row->events),
                    *asked = fake_hands_asked(r.hands);
    assert_string_equal(got, want);
    assert_string_equal(got_rows, want_rows);
    check_counts(&r, row->counts);
    if (row->asked != NULL)
        assert_string_equal(asked, row->asked);
    assert_true(executor_finished(r.x));
    assert_int_equal(executor_wait_ms(r.x), -1);
    rig_check(&r);
    rig_clear(&r);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        print_message("%s\n", table[i].name);
        run_row(&table[i], i % 2 == 0);
    }
}

/* --- a cluster that cannot be asked --- */

static unsigned blind(struct rig *r, const char *answers, const char **ret_why)
{
    rig_say(r, answers);
    rig_run(r, RIG_LONG);
    return executor_blind(r->x, ret_why);
}

/* As often as a command would be tried where it cannot be reached; one look that could ask, and it counts
 * anew. */
static void test_blind(void **state)
{
    struct rig r;
    struct executor_options opt = rig_options();
    const char *why;
    (void)state;
    rig_init(&r);
    rig_start(&r, &opt);
    rig_add(&r, "a>b 0..10", true);
    assert_int_equal(blind(&r, "db.c 0: lost", &why), 0);
    for (int i = 0; i < 11; i++)
        assert_int_equal(blind(&r, "?db.c 0: unreachable", &why), 0);
    assert_null(why);
    assert_int_equal(blind(&r, "?db.c 0: unreachable", &why), 1);
    assert_non_null(why);
    assert_int_equal(blind(&r, "?db.c 0: inFlight", &why), 0);
    assert_int_equal(blind(&r, "?db.c 0: " TWELVE("unreachable"), &why), 1);
    assert_int_equal(blind(&r, "?db.c 0: committed", &why), 0);
    assert_true(executor_finished(r.x));
    g_autofree char *rows = rig_rows(&r);
    assert_string_equal(rows, "m1 committed/1");
    rig_check(&r);
    rig_clear(&r);
}

/* --- what the donor chose --- */

static char *bounds(const struct rig *r)
{
    return test_query(r->path, "SELECT min_json || '..' || max_json FROM migrations");
}

/* Where the ends of a range are the donor's choice, those that were sent are settled and written down. */
static void test_open_ends(void **state)
{
    struct rig r;
    const struct executor_options opt = rig_options();
    (void)state;
    rig_init(&r);
    rig_start(&r, &opt);
    fake_hands_range(r.hands, "db.c 0", 3, 7);
    rig_say(&r, "db.c 0: lost; ?db.c 3: committed");
    rig_add(&r, "a>b 0..10", false);
    struct work_step *step = ((work *)r.works->pdata[0])->steps->pdata[0];
    step->open_min = step->open_max = true;
    rig_run(&r, 200);
    g_autofree char *asked = fake_hands_asked(r.hands), *written = bounds(&r);
    assert_string_equal(asked, "db.c 0; ?db.c 3..7");
    assert_string_equal(r.events->str, "S1 U1 E1:committed");
    assert_non_null(strstr(written, "3"));
    assert_non_null(strstr(written, "7"));
    rig_check(&r);
    rig_clear(&r);
}

/* --- every code --- */

#define FOUR_MOVES "a>b 0..10; a>c 20..30; e>b 40..50; db.d f>b 0..10"
#define SPLIT_FIRST "a|5 0..10; a>c 20..30; a>b 40..50; db.d a>b 0..10"

static bool again(const struct error_class *c)
{
    return c->contention || c->verdict == VERDICT_SOON || (c->unknown && c->verdict == VERDICT_NONE);
}

static const char *first_step(const struct error_class *c)
{
    if (c->unknown)
        return again(c) ? "S1 U1 E1:notCarriedOut R1:notCarriedOut S1 E1:committed"
                        : "S1 U1 E1:notCarriedOut";
    if (c->verdict == VERDICT_SPLIT)
        return "S1 E1:jumbo";
    return again(c) ? "S1 R1:failed E1:committed" : "S1 E1:failed";
}

/* Why a step after the first does not run: of its collection, and to its recipient, or not. NULL: it does. */
static const char *dropped_by(const struct error_class *c, bool of_collection, bool to_recipient)
{
    if (again(c))
        return NULL;
    if (c->verdict == VERDICT_STOP)
        return "stopped";
    if (c->verdict == VERDICT_CHUNK)
        return NULL;
    if (c->verdict == VERDICT_COLLECTION && !c->drop_recipient)
        return of_collection ? "collection" : NULL;
    if (c->verdict == VERDICT_COLLECTION)
        return of_collection && to_recipient ? "recipient" : NULL;
    return c->drop_recipient && to_recipient ? "recipient" : NULL;
}

static char *expected(const struct error_class *c)
{
    static const struct {
        bool of_collection, to_recipient;
    } steps[] = {{true, false}, {true, true}, {false, true}};
    GString *text = g_string_new(first_step(c));
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        const char *code = dropped_by(c, steps[i].of_collection, steps[i].to_recipient);
        if (code != NULL)
            g_string_append_printf(text, " D%u:%s", i + 2, code);
        else
            g_string_append_printf(text, " S%u E%u:committed", i + 2, i + 2);
    }
    return g_string_free(text, FALSE);
}

/* The first step is answered with the code, then well; the cluster has not carried out what is unknown. */
static void run_code(int code, enum error_command of)
{
    const struct executor_options opt = rig_options();
    const struct error_class *class = error_class_of(code, of, NULL);
    struct rig r;
    g_autofree char *answers = g_strdup_printf("%d ok", code);
    rig_init(&r);
    rig_start(&r, &opt);
    fake_hands_say(r.hands, "db.c 0", answers);
    fake_hands_say(r.hands, "?db.c 0", "notCarriedOut");
    for (const char *const *q = (const char *const[]){"db.c 20", "db.c 40", "db.d 0", NULL}; *q != NULL; q++)
        fake_hands_say(r.hands, *q, "ok");
    rig_add(&r, of == ERROR_OF_MOVE ? FOUR_MOVES : SPLIT_FIRST, false);
    rig_run(&r, RIG_LONG);
    g_autofree char *got = by_step(r.events->str), *want_events = expected(class),
                    *want = by_step(want_events);
    if (strcmp(got, want) != 0)
        fail_msg("code %d of a %s: %s, not %s", code, of == ERROR_OF_MOVE ? "move" : "split", got, want);
    assert_int_equal(executor_stopped_by(r.x) != NULL, class->verdict == VERDICT_STOP && !again(class));
    assert_true(executor_finished(r.x));
    rig_check(&r);
    rig_clear(&r);
}

static void test_every_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_error_rows; i++) {
        run_code(error_rows[i].code, ERROR_OF_MOVE);
        run_code(error_rows[i].code, ERROR_OF_SPLIT);
    }
    run_code(999999, ERROR_OF_MOVE); /* one that no table has */
    print_message("%zu codes\n", n_error_rows + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_blind),
        cmocka_unit_test(test_open_ends),
        cmocka_unit_test(test_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
