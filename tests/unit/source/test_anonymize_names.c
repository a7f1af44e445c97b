// SPDX-License-Identifier: Apache-2.0
/* New names sort as the old ones, tell nothing of them, and those of the server's own stay. */
#include "balancer/source/anonymize_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void check_order(const char *const *old, char *const *new, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (sign(strcmp(old[i], old[k])) != sign(strcmp(new[i], new[k])))
                fail_msg("'%s', '%s' became '%s', '%s'", old[i], old[k], new[i], new[k]);
}

/* Databases around "config", names with characters below the dot, collections around "system.". */
static void namespaces_keep_their_order(void **state)
{
    (void)state;
    static const char *const old[] = {
        "a.b",
        "a-x.c",
        "a.b.c",
        "a.system.buckets.m",
        "a.system.buckets.k",
        "a.tz",
        "a.aa",
        "config.system.sessions",
        "zz.1",
        "zz.2",
        "zz.3",
        "zz.4",
        "zz.5",
        "zz.6",
        "zz.7",
        "zz.8",
        "zz.9",
        "zz.system.resharding.9f",
        "configx.q",
        "confi.q",
        "a.system",
    };
    char *new[G_N_ELEMENTS(old)];
    names *n = names_new();
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        names_add_ns(n, old[i]);
    names_settle(n);
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        new[i] = names_get_ns(n, old[i]);
    check_order(old, new, G_N_ELEMENTS(old));
    assert_string_equal(new[7], "config.system.sessions");
    assert_non_null(strstr(new[3], ".system.buckets."));
    assert_non_null(strstr(new[17], ".system.resharding."));
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        g_free(new[i]);
    names_free(n);
}

static void shards_keep_their_order(void **state)
{
    (void)state;
    static const char *const old[] = {"rs1", "rs10", "rs2", "config", "alpha", "Zulu", "\xc3\xa9"};
    char *new[G_N_ELEMENTS(old)];
    names *n = names_new();
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        names_add(n, NAME_SHARD, old[i]);
    names_add(n, NAME_SHARD, old[0]);
    names_settle(n);
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        new[i] = names_get(n, NAME_SHARD, old[i]);
    check_order(old, new, G_N_ELEMENTS(old));
    assert_string_equal(new[3], "config");
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        g_free(new[i]);
    g_autofree char *other = names_get(n, NAME_SHARD, "never seen");
    assert_string_equal(other, "unknown");
    names_free(n);
}

static const struct {
    const char *name, *path, *want;
} paths[] = {
    {"one part", "email", "f1"},       {"the server's own", "_id", "_id"},
    {"dotted", "a.email", "f0.f1"},    {"time-series", "control.min.when", "control.min.f2"},
    {"meta", "meta.email", "meta.f1"},
};

static void paths_go_by_part(void **state)
{
    (void)state;
    names *n = names_new();
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        names_add_path(n, paths[i].path);
    names_settle(n);
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *got = names_get_path(n, paths[i].path);
        if (strcmp(got, paths[i].want) != 0)
            fail_msg("%s: '%s'", paths[i].name, got);
    }
    names_free(n);
}

/* Values of several types, in order, and two that are equal. */
static void values_keep_their_order(void **state)
{
    (void)state;
    for (int hashed = 0; hashed < 2; hashed++) {
        bson_t *doc =
            BCON_NEW("a", BCON_MINKEY, "b", BCON_INT64(-5), "c", BCON_DOUBLE(-5), "d", BCON_INT32(9), "e",
                     BCON_UTF8("secret"), "f", BCON_UTF8("secret2"), "g", BCON_MAXKEY);
        names *n = names_new();
        bson_iter_t it;
        bson_t out = BSON_INITIALIZER;
        if (hashed)
            names_set_hashed(n, "d.c", "k");
        bson_iter_init(&it, doc);
        while (bson_iter_next(&it))
            names_add_value(n, "d.c", "k", &it);
        names_settle(n);
        bson_iter_init(&it, doc);
        while (bson_iter_next(&it))
            names_append_value(n, "d.c", "k", &it, bson_iter_key(&it), &out);
        char *json = bson_as_relaxed_extended_json(&out, NULL);
        assert_string_equal(
            json,
            hashed ? "{ \"a\" : { \"$minKey\" : 1 }, \"b\" : -5534023222112865485, \"c\" : "
                     "-5534023222112865485, \"d\" : -1844674407370955162, \"e\" : 1844674407370955161, "
                     "\"f\" : 5534023222112865484, \"g\" : { \"$maxKey\" : 1 } }"
                   : "{ \"a\" : { \"$minKey\" : 1 }, \"b\" : 0, \"c\" : 0, \"d\" : 1, \"e\" : 2, \"f\" : 3, "
                     "\"g\" : { \"$maxKey\" : 1 } }");
        bson_free(json);
        bson_destroy(&out);
        bson_destroy(doc);
        names_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces_keep_their_order),
        cmocka_unit_test(shards_keep_their_order),
        cmocka_unit_test(paths_go_by_part),
        cmocka_unit_test(values_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
