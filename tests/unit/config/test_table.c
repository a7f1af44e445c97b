// SPDX-License-Identifier: Apache-2.0
/* The table itself, and what must agree with it: the defaults, the example file and the man page. */
#include "common/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *read_source_file(const char *name)
{
    g_autofree char *path = g_build_filename(SOURCE_DIR, name, NULL);
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        fail_msg("cannot read %s", path);
    return text;
}

static bool is_record_row(const struct config_key *key)
{
    return strpbrk(key->name, "[<") != NULL;
}

/* The key that a row's name ends in. */
static const char *last_word(const struct config_key *key)
{
    return strrchr(key->name, '.') + 1;
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    size_t n;
    const struct config_key *keys = config_keys(&n);
    assert_true(n > 40);
    for (size_t i = 0; i < n; i++) {
        bool ranged = keys[i].type == CONFIG_INT || keys[i].type == CONFIG_NUMBER ||
                      keys[i].type == CONFIG_BYTES || keys[i].type == CONFIG_DURATION;
        bool records = keys[i].type == CONFIG_LIST || keys[i].type == CONFIG_MAP;
        if (ranged && !(keys[i].min < keys[i].max))
            fail_msg("%s has no range", keys[i].name);
        if ((keys[i].type == CONFIG_ENUM) != (keys[i].words != NULL) || records != (keys[i].record_size > 0))
            fail_msg("%s: its fields do not go with its type", keys[i].name);
        if (keys[i].def == NULL && !is_record_row(&keys[i]))
            fail_msg("%s has no default", keys[i].name);
        if (keys[i].help == NULL || strlen(keys[i].help) < 5 || g_str_has_suffix(keys[i].help, "."))
            fail_msg("%s has no help of one line", keys[i].name);
        assert_true(strlen(config_type_text(keys[i].type)) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i].name, keys[j].name);
    }
}

/* Writes "a.b.c: value" as nested flow maps. */
static char *as_yaml(const char *name, const char *value)
{
    g_auto(GStrv) words = g_strsplit(name, ".", -1);
    GString *text = g_string_new(words[0]);
    guint n = g_strv_length(words);
    for (guint i = 1; i < n; i++)
        g_string_append_printf(text, ": {%s", words[i]);
    g_string_append_printf(text, ": %s", value);
    for (guint i = 1; i < n; i++)
        g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

static bool accepts(const char *text)
{
    g_autoptr(config) c = NULL;
    return config_parse("f", text, strlen(text), &c, NULL, NULL);
}

/* Every row is reached by its name, takes its default, every one of its words, and no map. */
static void test_every_row_is_read(void **state)
{
    (void)state;
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (is_record_row(&keys[i]))
            continue;
        g_autofree char *good = as_yaml(keys[i].name, keys[i].def);
        if (!accepts(good))
            fail_msg("the default is refused: %s", good);
        g_autofree char *bad = as_yaml(keys[i].name, "{nonsense: 1}");
        if (accepts(bad))
            fail_msg("accepted: %s", bad);
        g_auto(GStrv) words = g_strsplit(keys[i].words == NULL ? "" : keys[i].words, "|", -1);
        for (char **word = words; *word != NULL; word++) {
            g_autofree char *text = as_yaml(keys[i].name, *word);
            if (!accepts(text))
                fail_msg("refused: %s", text);
        }
    }
}

static bool same_strings(const GPtrArray *a, const GPtrArray *b)
{
    bool same = a->len == b->len;
    for (guint i = 0; same && i < a->len; i++)
        same = strcmp(a->pdata[i], b->pdata[i]) == 0;
    return same;
}

/* Whether a row's field is the same in both; by the size that its type has. */
static bool same_field(const struct config_key *key, const config *a, const config *b)
{
    const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;
    const struct config_listen *lx = x, *ly = y;
    const struct config_throttle *tx = x, *ty = y;
    switch (key->type) {
    case CONFIG_BOOL:
        return memcmp(x, y, sizeof(bool)) == 0;
    case CONFIG_ENUM:
    case CONFIG_MODE:
    case CONFIG_TIME:
        return memcmp(x, y, sizeof(int)) == 0;
    case CONFIG_INT:
    case CONFIG_BYTES:
    case CONFIG_DURATION:
    case CONFIG_NUMBER:
        return memcmp(x, y, sizeof(int64_t)) == 0;
    case CONFIG_LISTEN:
        return g_strcmp0(lx->host, ly->host) == 0 && lx->port == ly->port;
    case CONFIG_THROTTLE:
        return tx->kind == ty->kind && tx->members == ty->members && g_strcmp0(tx->mode, ty->mode) == 0;
    case CONFIG_GLOBS:
        return same_strings(*(GPtrArray *const *)x, *(GPtrArray *const *)y);
    case CONFIG_LIST:
    case CONFIG_MAP:
        return (*(GArray *const *)x)->len == (*(GArray *const *)y)->len;
    default:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    }
}

static void test_example_holds_the_defaults(void **state)
{
    (void)state;
    struct err err = {0};
    g_autofree char *text = read_source_file("systemd/evenkeel.yaml");
    g_autoptr(config) c = NULL;
    g_autoptr(config) defaults = config_default();
    if (!config_parse("evenkeel.yaml", text, strlen(text), &c, NULL, &err))
        fail_msg("%s", err.msg);
    size_t n;
    const struct config_key *keys = config_keys(&n);
    unsigned set = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_record_row(&keys[i]) && !same_field(&keys[i], c, defaults))
            fail_msg("the example's %s is not the default", keys[i].name);
        set += config_is_set(c, keys[i].name);
    }
    assert_true(set > 30);
}

/* A key stands in the example as "key:", given or in a comment. */
static void test_example_shows_every_key(void **state)
{
    (void)state;
    g_autofree char *text = read_source_file("systemd/evenkeel.yaml");
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        g_autofree char *pattern = g_strdup_printf("(^|[ {])%s:", last_word(&keys[i]));
        if (!g_regex_match_simple(pattern, text, G_REGEX_MULTILINE, 0))
            fail_msg("the example does not show %s", keys[i].name);
    }
}

/* The man page has an entry "*name*" for each row, with its default where that is not empty. */
static void test_man_page_names_every_key(void **state)
{
    (void)state;
    g_autofree char *source = read_source_file("man/evenkeel.yaml.5.scd");
    g_auto(GStrv) parts = g_strsplit(source, "\\", -1); /* scdoc's escapes */
    g_autofree char *text = g_strjoinv(NULL, parts);
    size_t n;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        g_autofree char *entry = g_strdup_printf("\n*%s* (", keys[i].name);
        const char *at = strstr(text, entry);
        if (at == NULL) {
            fail_msg("the man page does not tell of %s", keys[i].name);
            return;
        }
        const char *end = strstr(at, "\n\n");
        g_autofree char *part = g_strndup(at, end == NULL ? strlen(at) : (gsize)(end - at));
        g_autofree char *def = g_strdup_printf("Default: %s", keys[i].def);
        if (keys[i].def != NULL && strcmp(keys[i].def, "\"\"") != 0 && strstr(part, def) == NULL)
            fail_msg("the man page does not tell the default %s of %s", keys[i].def, keys[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_every_row_is_read),
        cmocka_unit_test(test_example_holds_the_defaults),
        cmocka_unit_test(test_example_shows_every_key),
        cmocka_unit_test(test_man_page_names_every_key),
    };
    return cmocka_run_group_tests_name("config table", tests, NULL, NULL);
}
