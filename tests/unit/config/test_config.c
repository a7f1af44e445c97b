// SPDX-License-Identifier: Apache-2.0
/* What files fill, what stays at its default, and how files are opened. */
#include "common/config/config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Reads text that must be accepted without a word. */
static config *sound(const char *text)
{
    struct err err = {0};
    config *c = NULL;
    g_autoptr(GPtrArray) lines = NULL;
    if (!config_parse("f.yaml", text, strlen(text), &c, &lines, &err))
        fail_msg("refused: %s\n%s", err.msg, text);
    assert_int_equal(lines->len, 0);
    return c;
}

static void test_defaults(void **state)
{
    (void)state;
    g_autoptr(config) c = config_default();
    assert_string_equal(c->cluster.uri, "mongodb://localhost:27017");
    assert_string_equal(c->cluster.uri_file, "");
    assert_int_equal(c->cluster.read_preference, CONFIG_READ_PRIMARY);
    assert_int_equal(c->cluster.builtin_balancer, CONFIG_BUILTIN_REQUIRE_STOPPED);
    assert_int_equal(c->balancer.policy, CONFIG_POLICY_AUTO);
    assert_int_equal(c->balancer.interval, 10000);
    assert_int_equal(c->balancer.busy_interval, 1000);
    assert_int_equal(c->balancer.windows->len, 0);
    assert_int_equal(c->balancer.namespaces->len, 1);
    assert_string_equal(c->balancer.namespaces->pdata[0], "*");
    assert_int_equal(c->balancer.time_series, CONFIG_TIME_SERIES_EXCLUDE);
    assert_int_equal(c->balancer.thresholds.chunks, 1);
    assert_int_equal(c->balancer.thresholds.bytes, 384LL * 1024 * 1024);
    assert_true(c->balancer.thresholds.percent == 0);
    assert_int_equal(c->balancer.shards->len, 0);
    assert_int_equal(c->balancer.collections->len, 0);
    assert_int_equal(c->log.level, CONFIG_LOG_INFO);
    assert_int_equal(c->log.format, CONFIG_LOG_AUTO);
    assert_false(config_is_set(c, "balancer.interval"));
}

static void test_defaults_of_service(void **state)
{
    (void)state;
    g_autoptr(config) c = config_default();
    assert_int_equal(c->migrations.max_concurrent, 0);
    assert_int_equal(c->migrations.secondary_throttle.kind, CONFIG_THROTTLE_DEFAULT);
    assert_false(c->migrations.wait_for_delete);
    assert_int_equal(c->migrations.timeout, 6LL * 3600 * 1000);
    assert_int_equal(c->migrations.retry.attempts, 3);
    assert_int_equal(c->migrations.retry.backoff, 5000);
    assert_int_equal(c->migrations.retry.max_backoff, 300000);
    assert_int_equal(c->migrations.max_bytes_per_hour, 0);
    assert_int_equal(c->migrations.pause_when.replication_lag, 0);
    assert_int_equal(c->migrations.pause_when.orphans, 0);
    assert_int_equal(c->migrations.jumbo, CONFIG_JUMBO_SKIP);
    assert_string_equal(c->journal.path, "/var/lib/evenkeel/journal.db");
    assert_int_equal(c->journal.retention, 90LL * 86400 * 1000);
    assert_true(c->lease.enabled);
    assert_int_equal(c->lease.ttl, 30000);
    assert_string_equal(c->lease.ns, "evenkeel.lease");
    assert_string_equal(c->control.socket, "/run/evenkeel/control.sock");
    assert_int_equal(c->control.mode, 0660);
    assert_string_equal(c->http.listen.host, "127.0.0.1");
    assert_int_equal(c->http.listen.port, 29017);
    assert_string_equal(c->http.token_file, "");
}

static void test_empty_files(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "# only a comment\n",
                                        "---\n",
                                        "{}\n",
                                        "~\n",
                                        "\xef\xbb\xbflog: {}\n",
                                        "balancer:\n  # interval: 3s\nlog:\n",
                                        "balancer: {windows: , shards: , collections: }\n"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(config) c = sound(texts[i]);
        assert_int_equal(c->balancer.interval, 10000);
        assert_int_equal(c->balancer.windows->len, 0);
        assert_false(config_is_set(c, "balancer.interval"));
    }
}

static void test_balancer(void **state)
{
    (void)state;
    g_autoptr(config) c = sound("cluster:\n"
                                "  uri: mongodb+srv://joe:secret@h/?tls=true\n"
                                "  readPreference: secondaryPreferred\n"
                                "  builtinBalancer: ignore\n"
                                "balancer:\n"
                                "  policy: \"optimal\"\n"
                                "  interval: 1h30m\n"
                                "  busyInterval: 0s\n"
                                "  namespaces: [shop.*, \"!shop.carts\", '*.x']\n"
                                "  timeSeries: even\n"
                                "  thresholds: {chunks: 8, bytes: 1.5GiB, percent: 2.5e0}\n");
    assert_string_equal(c->cluster.uri, "mongodb+srv://joe:secret@h/?tls=true");
    assert_int_equal(c->cluster.read_preference, CONFIG_READ_SECONDARY_PREFERRED);
    assert_int_equal(c->cluster.builtin_balancer, CONFIG_BUILTIN_IGNORE);
    assert_int_equal(c->balancer.policy, CONFIG_POLICY_OPTIMAL);
    assert_int_equal(c->balancer.interval, 5400000);
    assert_int_equal(c->balancer.busy_interval, 0);
    assert_int_equal(c->balancer.namespaces->len, 3);
    assert_string_equal(c->balancer.namespaces->pdata[1], "!shop.carts");
    assert_int_equal(c->balancer.time_series, CONFIG_TIME_SERIES_EVEN);
    assert_int_equal(c->balancer.thresholds.chunks, 8);
    assert_int_equal(c->balancer.thresholds.bytes, 1536LL * 1024 * 1024);
    assert_true(c->balancer.thresholds.percent == 2.5);
}

static void test_service(void **state)
{
    (void)state;
    g_autoptr(config) c = sound("migrations:\n"
                                "  maxConcurrent: 512\n"
                                "  waitForDelete: true\n"
                                "  timeout: 1s\n"
                                "  retry: {attempts: 1, backoff: 5m}\n"
                                "  maxBytesPerHour: 2TB\n"
                                "  pauseWhen: {replicationLag: 10s, orphans: 100000}\n"
                                "  jumbo: force\n"
                                "journal: {path: ./j.db, retention: 7d}\n"
                                "lease: {enabled: false, ttl: 5s, namespace: ops.a.b}\n"
                                "control: {socket: \"/run/x\", mode: \"600\"}\n"
                                "http: {listen: \"[::1]:80\", tokenFile: /etc/token}\n"
                                "log: {level: debug, format: journald}\n");
    assert_int_equal(c->migrations.max_concurrent, 512);
    assert_true(c->migrations.wait_for_delete);
    assert_int_equal(c->migrations.timeout, 1000);
    assert_int_equal(c->migrations.retry.backoff, 300000);
    assert_int_equal(c->migrations.max_bytes_per_hour, 2000000000000LL);
    assert_int_equal(c->migrations.pause_when.replication_lag, 10000);
    assert_int_equal(c->migrations.pause_when.orphans, 100000);
    assert_int_equal(c->migrations.jumbo, CONFIG_JUMBO_FORCE);
    assert_string_equal(c->journal.path, "./j.db");
    assert_int_equal(c->journal.retention, 7LL * 86400 * 1000);
    assert_false(c->lease.enabled);
    assert_string_equal(c->lease.ns, "ops.a.b");
    assert_int_equal(c->control.mode, 0600);
    assert_string_equal(c->http.listen.host, "::1");
    assert_int_equal(c->http.listen.port, 80);
    assert_string_equal(c->http.token_file, "/etc/token");
    assert_int_equal(c->log.level, CONFIG_LOG_DEBUG);
    assert_int_equal(c->log.format, CONFIG_LOG_JOURNALD);
}

static void test_no_http(void **state)
{
    (void)state;
    g_autoptr(config) any = sound("http: {listen: \"localhost:0\"}\n");
    assert_string_equal(any->http.listen.host, "localhost");
    assert_int_equal(any->http.listen.port, 0);
    g_autoptr(config) c = sound("http: {listen: \"\"}\n");
    assert_null(c->http.listen.host);
    assert_int_equal(c->http.listen.port, 0);
}

static void test_throttle(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum config_throttle_kind kind;
        int64_t members;
        const char *mode;
    } rows[] = {
        {"default", CONFIG_THROTTLE_DEFAULT, 0, NULL},
        {"true", CONFIG_THROTTLE_ON, 0, NULL},
        {"\"false\"", CONFIG_THROTTLE_OFF, 0, NULL},
        {"majority", CONFIG_THROTTLE_CONCERN, 0, "majority"},
        {"2", CONFIG_THROTTLE_CONCERN, 2, NULL},
        {"50", CONFIG_THROTTLE_CONCERN, 50, NULL},
        {"twoCenters", CONFIG_THROTTLE_CONCERN, 0, "twoCenters"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("migrations: {secondaryThrottle: %s}\n", rows[i].text);
        g_autoptr(config) c = sound(text);
        const struct config_throttle *got = &c->migrations.secondary_throttle;
        assert_int_equal(got->kind, rows[i].kind);
        assert_int_equal(got->members, rows[i].members);
        if (g_strcmp0(got->mode, rows[i].mode) != 0)
            fail_msg("%s: mode is %s", rows[i].text, got->mode);
    }
}

static const struct config_window *window(const config *c, guint i)
{
    return &g_array_index(c->balancer.windows, struct config_window, i);
}

static void test_windows(void **state)
{
    (void)state;
    g_autoptr(config) c =
        sound("balancer:\n"
              "  windows:\n"
              "    - {days: [sat, sun], start: \"23:00\", stop: \"06:30\", timezone: Europe/Paris}\n"
              "    - start: 0:00\n"
              "      stop: 23:59\n"
              "    - {start: '1:05', stop: '01:06', timezone: UTC, days: [wed]}\n");
    assert_int_equal(c->balancer.windows->len, 3);
    assert_int_equal(window(c, 0)->days, 1 | 1 << 6);
    assert_int_equal(window(c, 0)->start_min, 23 * 60);
    assert_int_equal(window(c, 0)->stop_min, 6 * 60 + 30);
    assert_string_equal(window(c, 0)->timezone, "Europe/Paris");
    assert_int_equal(window(c, 1)->days, 0x7f);
    assert_int_equal(window(c, 1)->start_min, 0);
    assert_int_equal(window(c, 1)->stop_min, 1439);
    assert_string_equal(window(c, 1)->timezone, "");
    assert_int_equal(window(c, 2)->days, 1 << 3);
    assert_int_equal(window(c, 2)->start_min, 65);
    assert_true(config_is_set(c, "balancer.windows"));
}

static void test_records(void **state)
{
    (void)state;
    g_autoptr(config) c = sound("balancer:\n"
                                "  shards:\n"
                                "    shard0: {weight: 2.5, maxBytes: 2TiB, receive: false}\n"
                                "    rs.odd name: {}\n"
                                "    \"7\":\n"
                                "  collections:\n"
                                "    shop.orders: {priority: -10, threshold: 1GiB}\n"
                                "    a.b.c: {enabled: false}\n");
    const struct config_shard *s = config_shard_find(c, "shard0");
    assert_non_null(s);
    assert_true(s->weight == 2.5);
    assert_int_equal(s->max_bytes, 2LL << 40);
    assert_false(s->receive);
    s = config_shard_find(c, "rs.odd name");
    assert_non_null(s);
    assert_true(s->weight == 1);
    assert_int_equal(s->max_bytes, 0);
    assert_true(s->receive);
    assert_non_null(config_shard_find(c, "7"));
    assert_null(config_shard_find(c, "shard"));
    const struct config_collection *coll = config_collection_find(c, "shop.orders");
    assert_non_null(coll);
    assert_int_equal(coll->priority, -10);
    assert_int_equal(coll->threshold, 1LL << 30);
    assert_true(coll->enabled);
    coll = config_collection_find(c, "a.b.c");
    assert_false(coll->enabled);
    assert_null(config_collection_find(c, "a.b"));
    assert_true(config_is_set(c, "balancer.shards.shard0.weight"));
    assert_false(config_is_set(c, "balancer.shards.rs.odd name.weight"));
}

static void test_is_set(void **state)
{
    (void)state;
    g_autoptr(config) c = sound("balancer: {thresholds: {percent: 0}}\n");
    assert_true(config_is_set(c, "balancer"));
    assert_true(config_is_set(c, "balancer.thresholds"));
    assert_true(config_is_set(c, "balancer.thresholds.percent"));
    assert_false(config_is_set(c, "balancer.thresholds.bytes"));
    assert_false(config_is_set(c, "cluster"));
    assert_false(config_is_set(c, ""));
}

static void test_long_texts(void **state)
{
    (void)state;
    /* Many escapes, folding, and multi-byte characters on the way to the same text. */
    g_autoptr(config) c = sound("journal:\n  path: '/a''b''c''d''e''f''g''h''i''j''k''l''m''n'\n"
                                "http:\n  tokenFile: \"/\\u00e9\\x41\\\n    b\"\n");
    assert_string_equal(c->journal.path, "/a'b'c'd'e'f'g'h'i'j'k'l'm'n");
    assert_string_equal(c->http.token_file, "/\xc3\xa9"
                                            "Ab");
}

/* A folder of its own, gone when the test ends. */
struct folder {
    char *dir, *file;
};

static int make_folder(void **state)
{
    struct folder *f = g_new0(struct folder, 1);
    f->dir = g_dir_make_tmp("evenkeel-config-XXXXXX", NULL);
    f->file = g_build_filename(f->dir, "evenkeel.yaml", NULL);
    *state = f;
    return f->dir == NULL;
}

static int drop_folder(void **state)
{
    struct folder *f = *state;
    g_unlink(f->file);
    g_rmdir(f->dir);
    g_free(f->file);
    g_free(f->dir);
    g_free(f);
    return 0;
}

static void test_load(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    g_autoptr(config) c = NULL;
    assert_true(g_file_set_contents(f->file, "log: {level: error}\n", -1, NULL));
    assert_true(config_load(f->file, &c, NULL, &err));
    assert_int_equal(c->log.level, CONFIG_LOG_ERROR);
}

static void test_load_faults(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    config *c = NULL;
    g_autoptr(GPtrArray) lines = NULL;
    assert_true(g_file_set_contents(f->file, "log: {level: x}\nfoo: 1\n", -1, NULL));
    assert_false(config_load(f->file, &c, &lines, &err));
    assert_null(c);
    assert_int_equal(err.cls, ERR_CONFIG);
    assert_int_equal(err_exit_code(err.cls), 78);
    assert_non_null(strstr(err.msg, "2 faults"));
    assert_int_equal(lines->len, 2);
    assert_true(g_str_has_prefix(lines->pdata[0], f->file));
    assert_true(g_str_has_prefix((char *)lines->pdata[0] + strlen(f->file), ":1:14: error: log.level: "));
}

static void test_load_no_file(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    config *c = NULL;
    g_autoptr(GPtrArray) lines = NULL;
    assert_false(config_load(f->file, &c, &lines, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_non_null(strstr(err.msg, f->file));
    assert_int_equal(lines->len, 0);
    err = (struct err){0};
    assert_false(config_load(f->dir, &c, NULL, &err));
    assert_int_equal(err.cls, ERR_NO_INPUT);
    assert_null(c);
}

static void test_load_denied(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    config *c = NULL;
    if (geteuid() == 0)
        skip();
    assert_true(g_file_set_contents(f->file, "", -1, NULL));
    assert_int_equal(g_chmod(f->file, 0), 0);
    assert_false(config_load(f->file, &c, NULL, &err));
    assert_int_equal(err.cls, ERR_NO_PERMISSION);
}

static void test_load_too_large(void **state)
{
    const struct folder *f = *state;
    struct err err = {0};
    config *c = NULL;
    g_autofree char *text = g_strnfill(CONFIG_FILE_MAX + 1, '\n');
    assert_true(g_file_set_contents(f->file, text, CONFIG_FILE_MAX + 1, NULL));
    assert_false(config_load(f->file, &c, NULL, &err));
    assert_int_equal(err.cls, ERR_CONFIG);
    assert_true(g_file_set_contents(f->file, text, CONFIG_FILE_MAX, NULL));
    assert_true(config_load(f->file, &c, NULL, &err));
    config_free(c);
}

static void test_public_password(void **state)
{
    static const struct {
        const char *uri;
        unsigned mode;
        bool warned;
    } rows[] = {
        {"mongodb://joe:hunter2@h/", 0644, true},  {"mongodb+srv://joe:hunter2@h,i:3/?a=b", 0604, true},
        {"mongodb://joe:hunter2@h/", 0640, false}, {"mongodb://joe:hunter2@h/", 0600, false},
        {"mongodb://joe@h:27017/", 0644, false},   {"mongodb://joe:@h:27017/", 0644, false},
        {"mongodb://h:27017/a@b:c", 0644, false},
    };
    const struct folder *f = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("cluster: {uri: \"%s\"}\n", rows[i].uri);
        g_autoptr(config) c = NULL;
        g_autoptr(GPtrArray) lines = NULL;
        struct err err = {0};
        assert_true(g_file_set_contents(f->file, text, -1, NULL));
        assert_int_equal(g_chmod(f->file, rows[i].mode), 0);
        assert_true(config_load(f->file, &c, &lines, &err));
        if (lines->len != (rows[i].warned ? 1 : 0))
            fail_msg("%s with mode %o: %u warnings", rows[i].uri, rows[i].mode, lines->len);
        if (rows[i].warned) {
            assert_non_null(strstr(lines->pdata[0], ": warning: others can read this file"));
            assert_null(strstr(lines->pdata[0], "hunter2"));
        }
    }
}

static void test_many_faults_are_cut_short(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 300; i++)
        g_string_append_printf(text, "zzzz%d: 1\n", i);
    config *c = NULL;
    struct err err = {0};
    g_autoptr(GPtrArray) lines = NULL;
    assert_false(config_parse("f", text->str, text->len, &c, &lines, &err));
    assert_int_equal(lines->len, 101);
    assert_string_equal(lines->pdata[100], "f: error: 200 more faults are not shown");
    assert_non_null(strstr(err.msg, "300 faults"));
}

/* Aliases that would unfold to 10^9 values must cost nothing. */
static void test_expansion_bomb(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (char k = 'b'; k < 'j'; k++) {
        char p = (char)(k - 1);
        g_string_append_printf(text, "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", k, k, p,
                               p, p, p, p, p, p, p, p, p);
    }
    config *c = NULL;
    struct err err = {0};
    assert_false(config_parse("f", text->str, text->len, &c, NULL, &err));
    assert_int_equal(err.cls, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_defaults_of_service),
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_balancer),
        cmocka_unit_test(test_service),
        cmocka_unit_test(test_no_http),
        cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_is_set),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test_setup_teardown(test_load, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_load_faults, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_load_no_file, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_load_denied, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_load_too_large, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_public_password, make_folder, drop_folder),
        cmocka_unit_test(test_many_faults_are_cut_short),
        cmocka_unit_test(test_expansion_bomb),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
