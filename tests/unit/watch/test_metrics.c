// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/metrics.h"
#include "tests/support/canned_view.h"
#include "tests/support/temp_dir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a strict reader of the text format ---- */

struct reading {
    GHashTable *families; /* name -> type, in the order HELP, TYPE, samples */
    GHashTable *samples;  /* "name{labels}" -> value as written */
    char *family;         /* the one being read */
    bool has_type;
};

static void reading_clear(struct reading *r)
{
    g_hash_table_unref(r->families);
    g_hash_table_unref(r->samples);
    g_free(r->family);
}

static const char *skip_name(const char *s)
{
    if (!g_ascii_isalpha(*s) && *s != '_')
        fail_msg("no name at: %.60s", s);
    while (g_ascii_isalnum(*s) || *s == '_')
        s++;
    return s;
}

/* Behind the closing quote of a label's value. */
static const char *skip_value(const char *s)
{
    if (*s++ != '"')
        fail_msg("no quote at: %.60s", s - 1);
    for (; *s != '"'; s++) {
        if (*s == '\\' && strchr("\\\"n", *++s) == NULL)
            fail_msg("bad escape at: %.60s", s);
        if (*s == '\0' || *s == '\n')
            fail_msg("a label value without end");
    }
    return s + 1;
}

static const char *skip_labels(const char *s)
{
    if (*s != '{')
        return s;
    do {
        s = skip_name(s + 1);
        if (*s != '=')
            fail_msg("no = at: %.60s", s);
        s = skip_value(s + 1);
    } while (*s == ',');
    if (*s != '}')
        fail_msg("no } at: %.60s", s);
    return s + 1;
}

static void read_head(struct reading *r, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);
    assert_int_equal(g_strv_length(words), 4);
    if (strcmp(words[1], "HELP") == 0) {
        if (g_hash_table_contains(r->families, words[2]))
            fail_msg("%s comes twice", words[2]);
        if (strlen(words[3]) < 10 || strchr(words[3], '\\') != NULL || !g_str_has_suffix(words[3], "."))
            fail_msg("poor help: %s", line);
        g_free(r->family);
        r->family = g_strdup(words[2]);
        r->has_type = false;
        return;
    }
    assert_string_equal(words[1], "TYPE");
    assert_string_equal(words[2], r->family);
    assert_true(strcmp(words[3], "gauge") == 0 || strcmp(words[3], "counter") == 0);
    assert_true((strcmp(words[3], "counter") == 0) == g_str_has_suffix(words[2], "_total"));
    assert_true(g_str_has_prefix(words[2], "evenkeel_") || g_str_has_prefix(words[2], "process_"));
    g_hash_table_insert(r->families, g_strdup(words[2]), g_strdup(words[3]));
    r->has_type = true;
}

static void read_sample(struct reading *r, const char *line)
{
    char *end;
    const char *after_name = skip_name(line);
    g_autofree char *name = g_strndup(line, (gsize)(after_name - line));
    const char *after = skip_labels(after_name);
    g_autofree char *key = g_strndup(line, (gsize)(after - line));
    if (!r->has_type || strcmp(name, r->family) != 0)
        fail_msg("sample outside of its family: %s", line);
    assert_int_equal(*after, ' ');
    const double x = g_ascii_strtod(after + 1, &end);
    if (end == after + 1 || *end != '\0' || !isfinite(x))
        fail_msg("no number: %s", line);
    if (g_hash_table_contains(r->samples, key))
        fail_msg("the sample %s comes twice", key);
    g_hash_table_insert(r->samples, g_steal_pointer(&key), g_strdup(after + 1));
}

static struct reading read_metrics(const GString *text)
{
    struct reading r = {.families = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                        .samples = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
    const guint n = g_strv_length(lines);
    assert_true(g_utf8_validate(text->str, (gssize)text->len, NULL));
    assert_string_equal(lines[n - 1], ""); /* the last line has its end */
    for (guint i = 0; i + 1 < n; i++) {
        if (*lines[i] == '#')
            read_head(&r, lines[i]);
        else
            read_sample(&r, lines[i]);
    }
    return r;
}

static GString *metrics_of(const char *scene)
{
    g_autoptr(service_view) v = canned_view(scene);
    GString *out = g_string_new(NULL);
    metrics_write(v, out);
    return out;
}

/* ---- tests ---- */

static void every_scene_is_well_formed(void **state)
{
    (void)state;
    for (const char *const *scene = canned_scenes(); *scene != NULL; scene++) {
        g_autoptr(GString) text = metrics_of(*scene);
        struct reading r = read_metrics(text);
        assert_true(g_hash_table_size(r.families) > 35);
        reading_clear(&r);
    }
}

static void values(void **state)
{
    static const struct {
        const char *scene, *sample, *want; /* NULL: not there */
    } rows[] = {
        {"moving", "evenkeel_build_info{version=\"0.1.0\"}", "1"},
        {"moving",
         "evenkeel_cluster_info{name=\"mongodb://mongos1.prod.example:27017,mongos2.prod.example:27017\","
         "server_version=\"7.0.14\"}",
         "1"},
        {"moving", "evenkeel_state{state=\"moving\"}", "1"},
        {"moving", "evenkeel_state{state=\"idle\"}", "0"},
        {"moving", "evenkeel_cluster_reachable", "1"},
        {"unreachable", "evenkeel_cluster_reachable", "0"},
        {"unreachable", "evenkeel_holds{code=\"clusterUnreachable\"}", "1"},
        {"empty", "evenkeel_cluster_reachable", "0"},
        {"empty", "evenkeel_imbalance_ratio", NULL},
        {"empty", "evenkeel_lease_epoch", NULL},
        {"empty", "evenkeel_next_round_timestamp_seconds", NULL},
        {"empty", "evenkeel_migrations_total{result=\"committed\"}", "0"},
        {"balanced", "evenkeel_next_round_timestamp_seconds", "1795227193"},
        {"balanced", "evenkeel_round_running", "0"},
        {"paused", "evenkeel_paused", "1"},
        {"moving", "evenkeel_paused", "0"},
        {"held", "evenkeel_window_open", "0"},
        {"held", "evenkeel_window_change_timestamp_seconds", "1795299185"},
        {"moving", "evenkeel_window_open", "1"},
        {"moving", "evenkeel_window_change_timestamp_seconds", NULL},
        {"standby", "evenkeel_lease_held", "0"},
        {"moving", "evenkeel_lease_held", "1"},
        {"moving", "evenkeel_lease_epoch", "12"},
        {"moving", "evenkeel_imbalance_ratio", "0.241"},
        {"moving", "evenkeel_collections", "5"},
        {"moving", "evenkeel_collections_imbalanced", "2"},
        {"moving", "evenkeel_shards", "6"},
        {"moving", "evenkeel_shard_bytes{shard=\"rs-eu-3\"}", "130996502528"},
        {"moving", "evenkeel_shard_target_bytes{shard=\"rs-eu-3\"}", "0"},
        {"moving", "evenkeel_shard_draining{shard=\"rs-eu-3\"}", "1"},
        {"moving", "evenkeel_shard_draining{shard=\"rs-us-1\"}", "0"},
        {"moving", "evenkeel_collection_imbalance_ratio{ns=\"shop.orders\"}", "0.241"},
        {"moving", "evenkeel_collection_imbalance_ratio{ns=\"telemetry.readings\"}", NULL},
        {"moving", "evenkeel_collection_planned_migrations{ns=\"shop.orders\"}", "24"},
        {"moving", "evenkeel_blocked_chunks{reason=\"jumbo\"}", "3"},
        {"many", "evenkeel_blocked_chunks{reason=\"jumbo\"}", "75"},
        {"moving", "evenkeel_round_steps", "128"},
        {"moving", "evenkeel_round_finish_timestamp_seconds", "1795233005"},
        {"moving", "evenkeel_round_finish_low_timestamp_seconds", "1795232465"},
        {"moving", "evenkeel_forecast_migrations", "734"},
        {"moving", "evenkeel_forecast_complete", "1"},
        {"moving", "evenkeel_forecast_seconds", "12960"},
        {"balanced", "evenkeel_forecast_migrations", "0"},
        {"balanced", "evenkeel_forecast_seconds", NULL},
        {"paused", "evenkeel_forecast_finish_timestamp_seconds", NULL},
        {"held", "evenkeel_forecast_complete", "0"},
        {"empty", "evenkeel_forecast_migrations", NULL},
        {"moving", "evenkeel_estimate_samples", "200"},
        {"empty", "evenkeel_estimate_samples", NULL},
        {"moving", "evenkeel_last_round_promised_seconds", "1200"},
        {"moving", "evenkeel_last_round_seconds", "1872"},
        {"empty", "evenkeel_last_round_seconds", NULL},
        {"moving", "evenkeel_migrations_under_way", "3"},
        {"many", "evenkeel_migrations_settling", "4"},
        {"moving", "evenkeel_migrations_total{result=\"committed\"}", "1204"},
        {"moving", "evenkeel_migration_seconds_total", "40211.25"},
        {"moving", "evenkeel_moved_bytes_total", "979252543488"},
        {"moving", "process_open_fds", "31"},
        {"moving", "process_cpu_seconds_total", "12.5"},
        {"hostile", "evenkeel_shard_bytes{shard=\"<script>alert(1)</script>\"}", "1073741824"},
        {"hostile", "evenkeel_shard_bytes{shard=\"safe\\\\u{202E}gnp.exe\"}", "1073741824"},
        {"hostile", "evenkeel_shard_bytes{shard=\"not\\\\xFF\\\\xFEutf8\\\\x1B[31m\"}", "3221225472"},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) text = metrics_of(rows[i].scene);
        struct reading r = read_metrics(text);
        const char *got = g_hash_table_lookup(r.samples, rows[i].sample);
        if (g_strcmp0(got, rows[i].want) != 0)
            fail_msg("%s, %s: got %s, want %s", rows[i].scene, rows[i].sample, got, rows[i].want);
        reading_clear(&r);
    }
}

static unsigned count_prefix(GHashTable *samples, const char *prefix)
{
    GHashTableIter it;
    gpointer key;
    unsigned n = 0;
    g_hash_table_iter_init(&it, samples);
    while (g_hash_table_iter_next(&it, &key, NULL))
        n += g_str_has_prefix(key, prefix) ? 1 : 0;
    return n;
}

static void labels_are_bounded(void **state)
{
    (void)state;
    g_autoptr(service_view) v = canned_view("many");
    g_autoptr(GString) out = g_string_new(NULL);
    for (int i = 0; i < 3000; i++) {
        struct view_shard s = {.id = g_strdup_printf("s%d", i)};
        struct view_hold h = {.code = g_strdup_printf("code%d", i), .text = g_strdup("")};
        g_array_append_val(v->shards, s);
        g_array_append_val(v->holds, h);
    }
    metrics_write(v, out);
    struct reading r = read_metrics(out);
    assert_int_equal(count_prefix(r.samples, "evenkeel_shard_bytes{"), METRICS_SHARDS);
    assert_int_equal(count_prefix(r.samples, "evenkeel_collection_imbalance_ratio{"), METRICS_COLLECTIONS);
    assert_int_equal(count_prefix(r.samples, "evenkeel_holds{"), METRICS_CODES);
    assert_true(out->len < 1024 * 1024);
    reading_clear(&r);
}

/* Names that are the same once they can be shown, and names without end. */
static void alike_and_long(void **state)
{
    (void)state;
    g_autoptr(service_view) v = service_view_new();
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *wide = g_strnfill(5000, 'w');
    const char *const names[] = {"a\n", "a\\x0A", wide, "plain", "plain", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct view_shard s = {.id = g_strdup(names[i]), .bytes = (int64_t)i};
        struct view_collection c = {.ns = g_strdup(names[i]), .imbalance = (double)i};
        g_array_append_val(v->shards, s);
        g_array_append_val(v->collections, c);
    }
    metrics_write(v, out);
    struct reading r = read_metrics(out);
    assert_int_equal(count_prefix(r.samples, "evenkeel_shard_bytes{"), 4);
    assert_int_equal(count_prefix(r.samples, "evenkeel_collection_imbalance_ratio{"), 4);
    assert_string_equal(g_hash_table_lookup(r.samples, "evenkeel_shard_bytes{shard=\"a\\\\x0A\"}"), "0");
    assert_null(strstr(out->str, wide + 5000 - METRICS_LABEL_CHARS - 1));
    reading_clear(&r);
}

/* Every family stands in the document, with its type and labels; and no other. */
static void documented(void **state)
{
    g_autofree char *doc = NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter it;
    gpointer name, type;
    unsigned told = 0;
    (void)state;
    assert_true(g_file_get_contents(SOURCE_DIR "/docs/metrics.md", &doc, NULL, NULL));
    for (const char *const *scene = canned_scenes(); *scene != NULL; scene++) {
        g_autoptr(GString) text = metrics_of(*scene);
        struct reading r = read_metrics(text);
        g_hash_table_iter_init(&it, r.families);
        while (g_hash_table_iter_next(&it, &name, &type)) {
            g_autofree char *plain = g_strdup_printf("| `%s` | %s |", (char *)name, (char *)type);
            g_autofree char *labelled = g_strdup_printf("| `%s{", (char *)name);
            if (strstr(doc, plain) == NULL && strstr(doc, labelled) == NULL)
                fail_msg("docs/metrics.md does not tell of %s, a %s", (char *)name, (char *)type);
            g_hash_table_add(seen, g_strdup(name));
        }
        reading_clear(&r);
    }
    for (const char *p = doc; (p = strstr(p, "\n| `")) != NULL; p++)
        told++;
    assert_int_equal(told, g_hash_table_size(seen));
}

/* Prometheus' own judgement, where its tool is at hand. */
static void promtool_agrees(void **state)
{
    (void)state;
    g_autofree char *found = g_find_program_in_path("promtool");
    const char *promtool = found != NULL ? found : SOURCE_DIR "/build/tools/usr/bin/promtool";
    if (!g_file_test(promtool, G_FILE_TEST_IS_EXECUTABLE)) {
        print_message("skipped: there is no promtool (tools/install-deps test brings it)\n");
        skip();
    }
    for (const char *const *scene = canned_scenes(); *scene != NULL; scene++) {
        g_autoptr(temp_dir) dir = temp_dir_new();
        g_autoptr(GString) text = metrics_of(*scene);
        g_autofree char *path = temp_dir_write(dir, "metrics", text->str, text->len);
        g_autofree char *command = g_strdup_printf("'%s' check metrics < '%s'", promtool, path);
        const char *const argv[] = {"sh", "-c", command, NULL};
        g_autofree char *complaint = NULL;
        int status = -1;
        assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &complaint,
                                 &status, NULL));
        if (status != 0 || *complaint != '\0')
            fail_msg("%s: promtool says: %s", *scene, complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scene_is_well_formed),
        cmocka_unit_test(values),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(alike_and_long),
        cmocka_unit_test(documented),
        cmocka_unit_test(promtool_agrees),
    };
    return cmocka_run_group_tests_name("watch.metrics", tests, NULL, NULL);
}
