// SPDX-License-Identifier: Apache-2.0
/* What a reload may not change. */
#include "common/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static config *parse(const char *text)
{
    struct err err = {0};
    config *c = NULL;
    GPtrArray *faults = NULL;
    if (!config_parse("test", text, strlen(text), &c, &faults, &err))
        fail_msg("%s", err.msg);
    g_ptr_array_unref(faults);
    return c;
}

/* Every key that is not reloaded, with another value than its default. */
static const struct {
    const char *key, *text;
} others[] = {
    {"cluster.uri", "cluster: {uri: 'mongodb://other'}"},
    {"cluster.uriFile", "cluster: {uriFile: /other}"},
    {"cluster.builtinBalancer", "cluster: {builtinBalancer: ignore}"},
    {"journal.path", "journal: {path: /other.db}"},
    {"lease.enabled", "lease: {enabled: false}"},
    {"lease.ttl", "lease: {ttl: 7s}"},
    {"lease.namespace", "lease: {namespace: a.b}"},
    {"control.socket", "control: {socket: /other.sock}"},
    {"control.mode", "control: {mode: '0600'}"},
    {"http.listen", "http: {listen: '[::1]:1234'}"},
    {"log.format", "log: {format: json}"},
};

static void table_is_whole(void **state)
{
    (void)state;
    size_t n, fixed = 0;
    const struct config_key *keys = config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < G_N_ELEMENTS(others); k++)
            known |= strcmp(others[k].key, keys[i].name) == 0;
        if (known == keys[i].reload)
            fail_msg("%s: reloaded, or not in this test's table", keys[i].name);
        fixed += !keys[i].reload;
    }
    assert_int_equal(fixed, G_N_ELEMENTS(others));
}

/* Both ways: what stays is the old one's, whichever that is, and the next comparison finds nothing. */
static void what_is_fixed_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        for (int way = 0; way < 2; way++) {
            g_autoptr(config) fresh = parse(way == 0 ? others[i].text : "{}");
            g_autoptr(config) old = parse(way == 0 ? "{}" : others[i].text);
            g_autoptr(GPtrArray) changed = g_ptr_array_new(), again = g_ptr_array_new();
            config_keep_fixed(fresh, old, changed);
            assert_int_equal(changed->len, 1);
            assert_string_equal(changed->pdata[0], others[i].key);
            config_keep_fixed(fresh, old, again);
            assert_int_equal(again->len, 0);
        }
}

static void values_are_the_old_ones(void **state)
{
    (void)state;
    g_autoptr(config) fresh =
        parse("lease: {ttl: 7s}\nhttp: {listen: ''}\njournal: {path: /new, retention: 5d}\n"
              "balancer: {interval: 3s}\n");
    g_autoptr(config) old =
        parse("lease: {ttl: 9s}\nhttp: {listen: 'localhost:7'}\njournal: {path: /old, retention: 6d}\n");
    g_autoptr(GPtrArray) changed = g_ptr_array_new();
    config_keep_fixed(fresh, old, changed);
    assert_int_equal(changed->len, 3);
    assert_int_equal(fresh->lease.ttl, 9000);
    assert_string_equal(fresh->http.listen.host, "localhost");
    assert_int_equal(fresh->http.listen.port, 7);
    assert_string_equal(fresh->journal.path, "/old");
    assert_int_equal(fresh->journal.retention, INT64_C(5) * 24 * 3600 * 1000);
    assert_int_equal(fresh->balancer.interval, 3000);
    assert_string_equal(old->journal.path, "/old");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_whole),
        cmocka_unit_test(what_is_fixed_stays),
        cmocka_unit_test(values_are_the_old_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
