// SPDX-License-Identifier: Apache-2.0
#include "common/globs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PATTERNS_MAX = 4 };

static void matches(void **state)
{
    static const struct {
        const char *name;
        const char *patterns[PATTERNS_MAX];
        const char *in;
        bool want;
    } rows[] = {
        {"no pattern takes all", {NULL}, "shop.orders", true},
        {"the same text", {"shop.orders"}, "shop.orders", true},
        {"only a part of it", {"shop"}, "shop.orders", false},
        {"upper case differs", {"Shop.orders"}, "shop.orders", false},
        {"star at the end", {"shop.*"}, "shop.orders", true},
        {"star takes nothing too", {"shop.*"}, "shop.", true},
        {"star crosses dots", {"shop.*"}, "shop.a.b", true},
        {"star in the middle", {"s*s"}, "shop.orders", true},
        {"star in front", {"*.orders"}, "shop.orders", true},
        {"star in front, other end", {"*.orders"}, "shop.orders2", false},
        {"several stars", {"*o*r*"}, "shop.orders", true},
        {"question mark is one character", {"sho?.orders"}, "shop.orders", true},
        {"question mark is not none", {"shop?.orders"}, "shop.orders", false},
        {"question mark crosses a dot", {"shop?orders"}, "shop.orders", true},
        {"question mark takes a letter of two bytes", {"caf?.x"}, "caf\xC3\xA9.x", true},
        {"second of two", {"a.*", "b.*"}, "b.x", true},
        {"none of two", {"a.*", "b.*"}, "c.x", false},
        {"exclusion alone leaves the others", {"!shop.carts"}, "shop.orders", true},
        {"exclusion alone takes its own out", {"!shop.carts"}, "shop.carts", false},
        {"exclusion wins over an inclusion behind it", {"!shop.carts", "shop.*"}, "shop.carts", false},
        {"exclusion wins over an inclusion before it", {"shop.*", "!shop.carts"}, "shop.carts", false},
        {"exclusion does not include", {"shop.*", "!hr.*"}, "law.x", false},
        {"exclude all", {"!*"}, "shop.orders", false},
        {"second exclamation mark is plain", {"!!a"}, "!a", false},
        {"regex signs are plain", {"a.+"}, "a.bb", false},
        {"brackets are plain", {"a.[b]"}, "a.b", false},
        {"empty name", {"*"}, "", true},
        {"name that is not UTF-8", {"a*"}, "a\xE6\x97", true},
        {"name that ends in a lead byte", {"*z"}, "a\xF0", false},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(globs) g = globs_new();
        struct err err = {0};
        for (size_t j = 0; j < PATTERNS_MAX && rows[i].patterns[j] != NULL; j++)
            assert_true(globs_add(g, rows[i].patterns[j], &err));
        if (globs_match(g, rows[i].in) != rows[i].want)
            fail_msg("%s: '%s' ought to be %s", rows[i].name, rows[i].in, rows[i].want ? "in" : "out");
    }
}

static void refuses(void **state)
{
    static const char *const rows[] = {"", "!", "\xFF", "!a\xC3"};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(globs) g = globs_new();
        struct err err = {0};
        if (globs_add(g, rows[i], &err))
            fail_msg("row %zu is taken", i);
        assert_int_equal(err.cls, ERR_USAGE);
        assert_true(g_utf8_validate(err.msg, -1, NULL));
        assert_true(globs_empty(g));
        assert_true(globs_match(g, "a.b"));
    }
}

static void absent_set_matches_all(void **state)
{
    (void)state;
    assert_true(globs_match(NULL, "a.b"));
    globs_free(NULL);
    g_autoptr(globs) g = globs_new();
    assert_true(globs_empty(g));
    assert_true(globs_add(g, "!a.*", NULL));
    assert_false(globs_empty(g));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),
        cmocka_unit_test(refuses),
        cmocka_unit_test(absent_set_matches_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
