// SPDX-License-Identifier: Apache-2.0
/* The table of messages, and docs/log.md, which must show the same. With EVENKEEL_WRITE_DOCS set, the page's
 * table is written anew from the messages. */
#include "common/log/log_messages.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN "<!-- messages: begin -->\n"
#define END "<!-- messages: end -->\n"

/* "http.tlsOff" is HTTP_TLS_OFF. */
static char *symbol_of(const char *text)
{
    GString *symbol = g_string_new(NULL);
    for (; *text != '\0'; text++) {
        if (g_ascii_isupper(*text))
            g_string_append_c(symbol, '_');
        g_string_append_c(symbol, *text == '.' ? '_' : g_ascii_toupper(*text));
    }
    return g_string_free(symbol, FALSE);
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOG_ID_COUNT; i++) {
        const struct log_message *m = log_message_of(i);
        g_autofree char *symbol = symbol_of(m->text);
        assert_string_equal(m->symbol, symbol);
        assert_true(m->level <= LOG_LEVEL_DEBUG);
        assert_true(m->number >= 1000 && m->number <= 9999);
        if (i > 0)
            assert_true(m->number > log_message_of(i - 1)->number);
        if (!g_str_has_suffix(m->help, ".") || strpbrk(m->help, "|\n<>") != NULL || strlen(m->help) < 15)
            fail_msg("%s: its help is no sentence for a table", m->text);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(m->text, log_message_of(j)->text);
    }
}

static char *table(void)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    GString *t = g_string_new("| message | id | level | component | what it means, what to do |\n"
                              "| --- | --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < LOG_ID_COUNT; i++) {
        const struct log_message *m = log_message_of(i);
        g_string_append_printf(t, "| `%s` | %d | %s | %s | %s |\n", m->text, m->number, levels[m->level],
                               m->component, m->help);
    }
    return g_string_free(t, FALSE);
}

static void test_the_page_shows_the_table(void **state)
{
    (void)state;
    g_autofree char *path = g_build_filename(SOURCE_DIR, "docs/log.md", NULL);
    g_autofree char *page = NULL;
    assert_true(g_file_get_contents(path, &page, NULL, NULL));
    char *begin = strstr(page, BEGIN);
    char *end = strstr(page, END);
    assert_true(begin != NULL && end != NULL && begin < end);
    begin += strlen(BEGIN);
    g_autofree char *shown = g_strndup(begin, (gsize)(end - begin));
    g_autofree char *want = table();
    if (strcmp(shown, want) == 0)
        return;
    if (g_getenv("EVENKEEL_WRITE_DOCS") == NULL)
        fail_msg("docs/log.md shows another table; run this test with EVENKEEL_WRITE_DOCS=1");
    g_autoptr(GString) text = g_string_new_len(page, begin - page);
    g_string_append_printf(text, "%s%s", want, end);
    assert_true(g_file_set_contents(path, text->str, (gssize)text->len, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_the_page_shows_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
