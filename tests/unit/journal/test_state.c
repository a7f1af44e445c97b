// SPDX-License-Identifier: Apache-2.0
#include "migrations/journal/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The drawing of state.h, said once more. */
static const char *const edges[] = {"planned started",   "planned aborted", "started committed",
                                    "started failed",    "started aborted", "started unknown",
                                    "unknown committed", "unknown failed",  "unknown aborted"};
enum { N_EDGES = sizeof(edges) / sizeof(edges[0]) };

static void edges_are_those_of_the_drawing(void **state)
{
    unsigned found = 0;
    (void)state;
    for (int from = 0; from < MIGRATION_STATE_COUNT; from++)
        for (int to = 0; to < MIGRATION_STATE_COUNT; to++) {
            char text[40];
            snprintf(text, sizeof(text), "%s %s", migration_state_text((enum migration_state)from),
                     migration_state_text((enum migration_state)to));
            bool want = false;
            for (int e = 0; e < N_EDGES; e++)
                want = want || strcmp(edges[e], text) == 0;
            if (migration_edge((enum migration_state)from, (enum migration_state)to) != want)
                fail_msg("%s ought to be %s", text, want ? "an edge" : "none");
            found += want;
        }
    assert_int_equal(found, N_EDGES);
}

static void what_is_no_state_has_no_edge(void **state)
{
    (void)state;
    enum migration_state wrong = (enum migration_state)MIGRATION_STATE_COUNT;
    assert_false(migration_edge(wrong, MIGRATION_STARTED));
    assert_false(migration_edge(MIGRATION_PLANNED, wrong));
    assert_false(migration_state_final(wrong));
    assert_string_equal(migration_state_text(wrong), "?");
}

static void final_states_have_no_way_out(void **state)
{
    (void)state;
    for (int s = 0; s < MIGRATION_STATE_COUNT; s++) {
        bool out = false;
        for (int to = 0; to < MIGRATION_STATE_COUNT; to++)
            out = out || migration_edge((enum migration_state)s, (enum migration_state)to);
        assert_int_equal(migration_state_final((enum migration_state)s), !out);
    }
    assert_true(migration_state_final(MIGRATION_COMMITTED));
    assert_true(migration_state_final(MIGRATION_FAILED));
    assert_true(migration_state_final(MIGRATION_ABORTED));
}

static void texts_read_back(void **state)
{
    static const char *const wrong[] = {"", "Planned", "planned ", "done", "?"};
    enum migration_state got;
    (void)state;
    for (int s = 0; s < MIGRATION_STATE_COUNT; s++) {
        assert_true(migration_state_parse(migration_state_text((enum migration_state)s), &got));
        assert_int_equal(got, s);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(migration_state_parse(wrong[i], &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_those_of_the_drawing),
        cmocka_unit_test(what_is_no_state_has_no_edge),
        cmocka_unit_test(final_states_have_no_way_out),
        cmocka_unit_test(texts_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
