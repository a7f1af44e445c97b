// SPDX-License-Identifier: Apache-2.0
#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void exit_codes_are_the_contract(void **state)
{
    static const struct {
        enum err_class cls;
        int want;
    } rows[] = {
        {ERR_NONE, 0},           {ERR_FAILED, 1},       {ERR_USAGE, 64},       {ERR_DATA, 65},
        {ERR_NO_INPUT, 66},      {ERR_UNAVAILABLE, 69}, {ERR_CANT_CREATE, 73}, {ERR_RETRY_LATER, 75},
        {ERR_NO_PERMISSION, 77}, {ERR_CONFIG, 78},
    };
    (void)state;
    assert_int_equal(G_N_ELEMENTS(rows), ERR_CLASS_COUNT);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_int_equal(err_exit_code(rows[i].cls), rows[i].want);
}

static void set_tells_class_and_text(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(err_set(&err, ERR_DATA, "chunk %d of '%s'", 7, "shop.orders"));
    assert_int_equal(err.cls, ERR_DATA);
    assert_string_equal(err.msg, "chunk 7 of 'shop.orders'");
    assert_false(err_set(&err, ERR_USAGE, "100%%"));
    assert_int_equal(err.cls, ERR_USAGE);
    assert_string_equal(err.msg, "100%");
    assert_false(err_set(NULL, ERR_DATA, "nobody asked"));
}

static void message_is_one_printable_line(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, ERR_DATA, "a\nb\x1b[0m\xFF");
    assert_string_equal(err.msg, "a\\x0Ab\\x1B[0m\\xFF");
}

static void wrap_puts_context_before(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(err_wrap(&err, "nothing wrong"));
    assert_int_equal(err.cls, ERR_NONE);
    assert_string_equal(err.msg, "");
    err_set(&err, ERR_NO_INPUT, "no\nsuch file");
    assert_false(err_wrap(&err, "--sizes '%s'", "x"));
    assert_false(err_wrap(&err, "plan"));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_string_equal(err.msg, "plan: --sizes 'x': no\\x0Asuch file");
    assert_false(err_wrap(NULL, "nobody asked"));
}

/* Around the limit, with characters of one to four bytes. */
static void long_messages_are_cut_between_characters(void **state)
{
    static const char *const units[] = {"a", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x90\x99", "\n"};
    (void)state;
    for (size_t u = 0; u < G_N_ELEMENTS(units); u++)
        for (size_t len = ERR_MSG_MAX - 8; len < ERR_MSG_MAX + 8; len++) {
            g_autoptr(GString) text = g_string_new(NULL);
            while (text->len < len)
                g_string_append(text, text->len < len % 4 ? "a" : units[u]);
            struct err err = {0};
            err_set(&err, ERR_DATA, "%s", text->str);
            assert_true(strlen(err.msg) < ERR_MSG_MAX);
            assert_true(g_utf8_validate(err.msg, -1, NULL));
            if (units[u][0] == '\n')
                continue;
            if (text->len < ERR_MSG_MAX)
                assert_string_equal(err.msg, text->str);
            else
                assert_true(g_str_has_suffix(err.msg, "...") && strlen(err.msg) > ERR_MSG_MAX - 12);
        }
}

static void wrapping_a_long_message_keeps_the_context(void **state)
{
    (void)state;
    struct err err = {0};
    g_autofree char *text = g_strnfill(5000, 'x');
    err_set(&err, ERR_DATA, "%s", text);
    err_wrap(&err, "shop.orders");
    assert_true(g_str_has_prefix(err.msg, "shop.orders: xxx"));
    assert_true(g_str_has_suffix(err.msg, "x..."));
    assert_true(strlen(err.msg) < ERR_MSG_MAX);
}

static void own_message_may_be_quoted(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, ERR_DATA, "inner");
    err_set(&err, ERR_CONFIG, "outer (%s)", err.msg);
    assert_string_equal(err.msg, "outer (inner)");
}

static void classes_come_back_from_their_exit_codes(void **state)
{
    (void)state;
    for (int cls = ERR_NONE + 1; cls < ERR_CLASS_COUNT; cls++)
        assert_int_equal(err_class_of(err_exit_code((enum err_class)cls)), cls);
    assert_int_equal(err_class_of(0), ERR_FAILED);
    assert_int_equal(err_class_of(-1), ERR_FAILED);
    assert_int_equal(err_class_of(139), ERR_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_are_the_contract),
        cmocka_unit_test(classes_come_back_from_their_exit_codes),
        cmocka_unit_test(set_tells_class_and_text),
        cmocka_unit_test(message_is_one_printable_line),
        cmocka_unit_test(wrap_puts_context_before),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(wrapping_a_long_message_keeps_the_context),
        cmocka_unit_test(own_message_may_be_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
