// SPDX-License-Identifier: Apache-2.0
#include "tests/support/canned_view.h"

#include <math.h>
#include <string.h>

const char canned_markup[] = "<script>alert(1)</script>";
const char canned_reversed[] = "safe\xe2\x80\xae"
                               "gnp.exe";
const char canned_quotes[] = "\"'><img src=x onerror=alert(2)>&amp;\\n\n";
const char canned_broken[] = "not\xff\xfeutf8\x1b[31m";

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const int64_t GIB = INT64_C(1) << 30;

/* ---- one of each ---- */

static void add_hold(service_view *v, const char *code, const char *text, int64_t until)
{
    struct view_hold h = {.code = g_strdup(code), .text = g_strdup(text), .until = until};
    g_array_append_val(v->holds, h);
}

static void add_move(service_view *v, const char *ns, const char *from, const char *to, int64_t row)
{
    struct view_migration m = {.row = row,
                               .ns = g_strdup(ns),
                               .from = g_strdup(from),
                               .to = g_strdup(to),
                               .min = g_strdup_printf("{\"customerId\": %d}", (int)row * 1000),
                               .max = g_strdup_printf("{\"customerId\": %d}", (int)row * 1000 + 990),
                               .reason = g_strdup(row % 3 == 0 ? "zoneViolation" : "imbalance"),
                               .bytes = (row % 5 + 1) * GIB / 2,
                               .started_at = CANNED_NOW - (row % 4 + 1) * 3 * MINUTE,
                               .expected_end = CANNED_NOW + (row % 3) * 4 * MINUTE - MINUTE,
                               .expected_low = CANNED_NOW + (row % 3) * 3 * MINUTE - 2 * MINUTE,
                               .expected_high = CANNED_NOW + (row % 3) * 6 * MINUTE + 2 * MINUTE,
                               .attempt = row % 7 == 0 ? 2 : 1,
                               .settling = row % 11 == 0};
    g_array_append_val(v->migrations, m);
}

static GPtrArray *zones_of(const char *zone)
{
    GPtrArray *zones = g_ptr_array_new_with_free_func(g_free);
    if (zone != NULL)
        g_ptr_array_add(zones, g_strdup(zone));
    return zones;
}

static void add_shard(GArray *to, const char *id, int64_t bytes, int64_t target, const char *zone)
{
    struct view_shard s = {.id = g_strdup(id),
                           .bytes = bytes,
                           .target_bytes = target,
                           .chunks = bytes < 0 ? 0 : bytes / (GIB / 8),
                           .target_chunks = target < 0 ? -1 : target / (GIB / 8),
                           .zones = zones_of(zone)};
    g_array_append_val(to, s);
}

static void add_range(GArray *to, const char *zone, const char *min, const char *max)
{
    struct view_zone_range r = {.zone = g_strdup(zone), .min = g_strdup(min), .max = g_strdup(max)};
    g_array_append_val(to, r);
}

/* `excluded` NULL: balanced below 2 %. */
static struct view_collection *add_collection(service_view *v, const char *ns, double imbalance,
                                              const char *excluded)
{
    const char *status = excluded != NULL ? "excluded" : imbalance < 0.02 ? "balanced" : "imbalanced";
    struct view_collection c = {.ns = g_strdup(ns),
                                .status = g_strdup(status),
                                .excluded = g_strdup(excluded),
                                .imbalance = imbalance,
                                .chunks = 4096,
                                .bytes = 480 * GIB,
                                .migrations = imbalance < 0.02 ? 0 : (uint32_t)(MIN(imbalance, 10) * 100),
                                .shards = view_shards_new(),
                                .ranges = view_ranges_new()};
    v->n_collections++;
    v->n_imbalanced += excluded == NULL && imbalance >= 0.02;
    g_array_append_val(v->collections, c);
    return &g_array_index(v->collections, struct view_collection, v->collections->len - 1);
}

static void add_round(service_view *v, int64_t id, const char *kind, const char *state, const char *note)
{
    const bool running = strcmp(state, "running") == 0;
    struct view_round r = {.id = id,
                           .kind = g_strdup(kind),
                           .state = g_strdup(state),
                           .note = g_strdup(note),
                           .started_at = CANNED_NOW - (40 - id) * 47 * MINUTE,
                           .planned = (uint32_t)(id * 7 % 60 + 1),
                           .committed = (uint32_t)(id * 7 % 60),
                           .failed = strcmp(state, "failed") == 0 ? 3 : 0,
                           .splits = (uint32_t)(id % 3),
                           .planned_bytes = id * GIB,
                           .bytes = id * GIB - GIB / 3,
                           .planned_seconds = 1200};
    r.ended_at = running ? 0 : r.started_at + 31 * MINUTE + 12 * SECOND;
    if (strcmp(kind, "forced") == 0) {
        r.who = g_strdup("alice (uid 1000)");
        r.reason = g_strdup("make room before the import");
    }
    g_array_append_val(v->rounds, r);
}

static void add_blocked(service_view *v, const char *ns, const char *shard, const char *reason,
                        const char *why)
{
    struct view_blocked b = {.ns = g_strdup(ns),
                             .shard = g_strdup(shard),
                             .reason = g_strdup(reason),
                             .why = g_strdup(why),
                             .chunks = 3};
    g_array_append_val(v->blocked, b);
}

/* ---- a cluster ---- */

static void add_history(service_view *v, double from, double to, int n)
{
    for (int i = 0; i < n; i++) {
        const double t = n == 1 ? 0 : (double)i / (n - 1);
        const double wave = 0.03 * sin(t * 37) * (1 - t);
        struct view_point p = {.at = CANNED_NOW - (int64_t)((1 - t) * 9 * HOUR),
                               .imbalance = MAX(0, from + (to - from) * t * t * (3 - 2 * t) + wave)};
        g_array_append_val(v->history, p);
    }
}

static void set_process(service_view *v)
{
    v->at = CANNED_NOW;
    v->started_at = CANNED_NOW - 26 * (int64_t)HOUR;
    v->version = g_strdup("0.1.0");
    v->policy = g_strdup("optimal");
    v->process.resident_bytes = 48 * 1024 * 1024;
    v->process.cpu_seconds = 12.5;
    v->process.open_files = 31;
    v->window.always = v->window.open = true;
    v->window.text = g_strdup("always");
    v->count.rounds = 39;
    v->count.rounds_failed = 1;
    v->count.migrations_committed = 1204;
    v->count.migrations_failed = 3;
    v->count.bytes_moved = (uint64_t)(912 * GIB);
    v->count.migration_seconds = 40211.25;
    v->count.plans = 512;
    v->count.plan_seconds = 3.5;
}

static void set_cluster(service_view *v)
{
    v->cluster.name = g_strdup("mongodb://mongos1.prod.example:27017,mongos2.prod.example:27017");
    v->cluster.version = g_strdup("7.0.14");
    v->cluster.id = g_strdup("65f0c0ffee65f0c0ffee65f0");
    v->lease.enabled = v->lease.held = true;
    v->lease.holder = g_strdup("balancer1.prod.example pid 4711");
    v->lease.since = v->started_at + 3 * SECOND;
    v->lease.epoch = 12;
    v->builtin_balancer = g_strdup("off");
    v->planned_at = CANNED_NOW - 42 * SECOND;
}

static void add_zoned(service_view *v, const char *ns, double imbalance)
{
    struct view_collection *c = add_collection(v, ns, imbalance, NULL);
    add_range(c->ranges, "eu-west", "{\"region\": {\"$minKey\": 1}, \"orderId\": {\"$minKey\": 1}}",
              "{\"region\": \"DE\", \"orderId\": {\"$minKey\": 1}}");
    add_range(c->ranges, "eu-central", "{\"region\": \"DE\", \"orderId\": {\"$minKey\": 1}}",
              "{\"region\": \"FR\", \"orderId\": {\"$minKey\": 1}}");
    add_range(c->ranges, "eu-west", "{\"region\": \"FR\", \"orderId\": {\"$minKey\": 1}}",
              "{\"region\": \"JP\", \"orderId\": {\"$minKey\": 1}}");
    add_range(c->ranges, "apac", "{\"region\": \"JP\", \"orderId\": {\"$minKey\": 1}}",
              "{\"region\": \"KR\", \"orderId\": {\"$minKey\": 1}}");
    add_range(c->ranges, "us-east", "{\"region\": \"US\", \"orderId\": {\"$minKey\": 1}}",
              "{\"region\": {\"$maxKey\": 1}, \"orderId\": {\"$maxKey\": 1}}");
    add_shard(c->shards, "rs-eu-1", 310 * GIB, 262 * GIB, "eu-west");
    add_shard(c->shards, "rs-eu-2", 181 * GIB, 262 * GIB, "eu-central");
    add_shard(c->shards, "rs-us-1", 240 * GIB, 231 * GIB, "us-east");
    add_shard(c->shards, "rs-apac-1", 70 * GIB, 71 * GIB, "apac");
}

static void add_data(service_view *v)
{
    set_cluster(v);
    add_shard(v->shards, "rs-eu-1", 1290 * GIB, 1040 * GIB, "eu-west");
    add_shard(v->shards, "rs-eu-2", 844 * GIB, 1040 * GIB, "eu-central");
    add_shard(v->shards, "rs-eu-3", 122 * GIB, 0, "eu-central");
    g_array_index(v->shards, struct view_shard, 2).draining = true;
    add_shard(v->shards, "rs-us-1", 1051 * GIB, 1040 * GIB, "us-east");
    add_shard(v->shards, "rs-us-2", 999 * GIB, 1040 * GIB, "us-east");
    add_shard(v->shards, "rs-apac-1", 512 * GIB, 520 * GIB, "apac");
    add_zoned(v, "shop.orders", 0.241);
    add_collection(v, "shop.customers", 0.094, NULL);
    add_collection(v, "shop.inventory", 0.011, NULL);
    add_collection(v, "billing.invoices", 0.004, NULL);
    add_collection(v, "telemetry.readings", 0, "timeSeries");
    v->imbalance = 0.241;
    add_history(v, 0.62, 0.24, 160);
    for (int64_t id = 38; id > 26; id--)
        add_round(v, id, id % 5 == 0 ? "forced" : "scheduled",
                  id == 33   ? "failed"
                  : id == 30 ? "interrupted"
                             : "done",
                  id == 33 ? "three migrations failed: the recipient rs-eu-2 had no primary" : NULL);
}

/* Half a terabyte to go. */
static void add_forecast(service_view *v)
{
    v->speed.basis = g_strdup("journal");
    v->speed.samples = 200;
    v->speed.latency_seconds = 2.4;
    v->speed.bytes_per_second = 41.5 * 1024 * 1024;
    v->forecast.known = v->forecast.complete = true;
    v->forecast.migrations = 734;
    v->forecast.bytes = 497 * GIB;
    v->forecast.low_seconds = 3.1 * 3600;
    v->forecast.expected_seconds = 3.6 * 3600;
    v->forecast.high_seconds = 5.2 * 3600;
    v->forecast.finish_low = v->planned_at + 186 * (int64_t)MINUTE;
    v->forecast.finish_expected = v->planned_at + 216 * (int64_t)MINUTE;
    v->forecast.finish_high = v->planned_at + 312 * (int64_t)MINUTE;
}

/* ---- scenes ---- */

static void moving(service_view *v)
{
    add_data(v);
    v->state = SERVICE_MOVING;
    add_round(v, 39, "scheduled", "running", NULL);
    struct view_round newest = g_array_index(v->rounds, struct view_round, v->rounds->len - 1);
    memmove(v->rounds->data + sizeof newest, v->rounds->data, (v->rounds->len - 1) * sizeof newest);
    g_array_index(v->rounds, struct view_round, 0) = newest;
    add_forecast(v);
    add_move(v, "shop.orders", "rs-eu-1", "rs-eu-2", 7);
    add_move(v, "shop.customers", "rs-us-1", "rs-us-2", 8);
    add_move(v, "shop.orders", "rs-eu-3", "rs-apac-1", 9);
    v->round.id = 39;
    v->round.kind = g_strdup("scheduled");
    v->round.steps = 128;
    v->round.done = 41;
    v->round.failed = 1;
    v->round.bytes = 312 * GIB;
    v->round.bytes_done = 97 * GIB;
    v->round.bytes_per_second = 38.5 * 1024 * 1024;
    v->round.finish_low = CANNED_NOW + 88 * (int64_t)MINUTE;
    v->round.finish_expected = CANNED_NOW + 97 * (int64_t)MINUTE;
    v->round.finish_high = CANNED_NOW + 131 * (int64_t)MINUTE;
    add_blocked(
        v, "shop.orders", "rs-eu-3", "jumbo",
        "3 chunks of 1.4 GiB to 2.2 GiB are marked jumbo; set migrations.jumbo, or split them by hand");
}

static void balanced(service_view *v)
{
    set_cluster(v);
    v->speed.basis = g_strdup("changelog");
    v->speed.samples = 3;
    v->speed.latency_seconds = 1;
    v->forecast.known = v->forecast.complete = true;
    v->state = SERVICE_IDLE;
    v->next_round_at = CANNED_NOW + 8 * SECOND;
    add_shard(v->shards, "shard0", 1041 * GIB, 1040 * GIB, NULL);
    add_shard(v->shards, "shard1", 1039 * GIB, 1040 * GIB, NULL);
    add_shard(v->shards, "shard2", 1040 * GIB, 1040 * GIB, NULL);
    add_collection(v, "app.users", 0.001, NULL);
    add_collection(v, "app.events", 0, NULL);
    v->imbalance = 0.001;
    add_history(v, 0.004, 0.001, 60);
    add_round(v, 38, "scheduled", "done", NULL);
}

static void empty(service_view *v)
{
    v->state = SERVICE_STARTING;
    memset(&v->count, 0, sizeof v->count);
}

static void unreachable(service_view *v)
{
    add_data(v);
    v->state = SERVICE_UNREACHABLE;
    v->next_round_at = CANNED_NOW + 20 * SECOND;
    v->planned_at = CANNED_NOW - 14 * (int64_t)MINUTE;
    v->count.cluster_errors = 12;
    add_hold(v, "clusterUnreachable",
             "No mongos of mongos1.prod.example:27017, mongos2.prod.example:27017 answered within 10 s: "
             "connection refused",
             0);
}

static void paused(service_view *v)
{
    add_data(v);
    v->state = SERVICE_PAUSED;
    add_forecast(v);
    v->forecast.finish_low = v->forecast.finish_expected = v->forecast.finish_high = 0;
    v->pause.paused = true;
    v->pause.who = g_strdup("alice (uid 1000)");
    v->pause.reason = g_strdup("storage maintenance on rs-eu-2 until Monday");
    v->pause.since = CANNED_NOW - 5 * (int64_t)HOUR;
    add_hold(v, "paused", "Paused by alice (uid 1000)", 0);
}

static void held(service_view *v)
{
    add_data(v);
    v->state = SERVICE_HELD;
    add_forecast(v);
    v->forecast.complete = false;
    v->forecast.finish_low = CANNED_NOW + 23 * (int64_t)HOUR;
    v->forecast.finish_expected = CANNED_NOW + 24 * (int64_t)HOUR;
    v->forecast.finish_high = CANNED_NOW + 49 * (int64_t)HOUR;
    v->window.always = v->window.open = false;
    v->window.changes_at = CANNED_NOW + 20 * (int64_t)HOUR;
    g_free(v->window.text);
    v->window.text = g_strdup("sat, sun 23:00-06:00 Europe/Paris");
    add_hold(v, "window", "The window sat, sun 23:00-06:00 Europe/Paris is closed", v->window.changes_at);
    add_hold(v, "replicationLag", "rs-eu-2 lags 41 s behind its primary; the limit is 10 s", 0);
}

static void standby(service_view *v)
{
    set_cluster(v);
    v->state = SERVICE_STANDBY;
    v->planned_at = 0;
    v->lease.held = false;
}

static void planning(service_view *v)
{
    balanced(v);
    v->state = SERVICE_PLANNING;
    v->lease.enabled = v->lease.held = false;
}

static void stopping(service_view *v)
{
    moving(v);
    v->state = SERVICE_STOPPING;
}

static void many_collections(service_view *v)
{
    for (int i = 0; i < VIEW_COLLECTIONS; i++) {
        g_autofree char *ns = g_strdup_printf("tenant%03d.documents", i);
        struct view_collection *c = add_collection(v, ns, 2.0 / (i + 1), NULL);
        for (int s = 0; s < 100; s++) {
            g_autofree char *id = g_strdup_printf("shard%04d", s);
            add_shard(c->shards, id, (s * 37 % 90 + 10) * GIB, 50 * GIB, NULL);
        }
        for (int r = 0; i < 20 && r < VIEW_RANGES; r++) {
            g_autofree char *zone = g_strdup_printf("zone-%02d", r % 30);
            g_autofree char *min = g_strdup_printf("{\"_id\": %d}", r * 10);
            g_autofree char *max = g_strdup_printf("{\"_id\": %d}", r * 10 + 10);
            add_range(c->ranges, zone, min, max);
        }
    }
}

static void many(service_view *v)
{
    set_cluster(v);
    v->state = SERVICE_MOVING;
    v->imbalance = 2;
    v->round.id = 40;
    v->round.steps = 9000;
    v->round.done = 12;
    for (int i = 0; i < 100; i++) {
        g_autofree char *id = g_strdup_printf("shard%04d", i);
        add_shard(v->shards, id, (i * 53 % 700 + 600) * GIB, 1000 * GIB, i % 4 == 0 ? "archive" : NULL);
    }
    many_collections(v);
    for (int i = 0; i < 50; i++) {
        g_autofree char *from = g_strdup_printf("shard%04d", 2 * i);
        g_autofree char *to = g_strdup_printf("shard%04d", 2 * i + 1);
        add_move(v, "tenant000.documents", from, to, i + 1);
    }
    for (int64_t id = 39; id > 39 - VIEW_ROUNDS; id--)
        add_round(v, id, "scheduled", "done", NULL);
    for (int i = 0; i < VIEW_BLOCKED; i++)
        add_blocked(v, "tenant001.documents", "shard0001", i % 2 == 0 ? "jumbo" : "noEligibleShard",
                    "Too large");
    add_history(v, 3, 2, VIEW_POINTS);
}

static char *long_name(char c)
{
    return g_strnfill(1000, c);
}

/* Every place that shows a foreign text shows one that means harm. */
static void hostile(service_view *v)
{
    g_autofree char *wide = long_name('w');
    moving(v);
    g_free(v->cluster.name);
    v->cluster.name = g_strdup(canned_markup);
    g_free(v->cluster.version);
    v->cluster.version = g_strdup(canned_quotes);
    v->pause.who = g_strdup(canned_markup);
    v->pause.reason = g_strdup(canned_reversed);
    g_free(v->policy);
    v->policy = g_strdup(canned_broken);
    add_hold(v, canned_markup, canned_quotes, CANNED_NOW + HOUR);
    add_hold(v, "wide", wide, 0);
    add_move(v, canned_markup, canned_reversed, canned_quotes, 70);
    add_move(v, wide, wide, wide, 71);
    add_shard(v->shards, canned_markup, GIB, 2 * GIB, canned_quotes);
    add_shard(v->shards, canned_reversed, GIB, 2 * GIB, wide);
    add_shard(v->shards, canned_broken, 3 * GIB, 2 * GIB, canned_reversed);
    add_shard(v->shards, wide, 400 * GIB, 2 * GIB, wide);
    struct view_collection *c = add_collection(v, canned_markup, 1.5, NULL);
    add_range(c->ranges, canned_markup, "{\"_id\": \"<b>\"}", "{\"_id\": \"</b>\"}");
    add_range(c->ranges, wide, "{\"_id\": \"</b>\"}",
              "{\"_id\": \"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\"}");
    add_shard(c->shards, canned_quotes, 3 * GIB, GIB, canned_broken);
    add_collection(v, wide, HUGE_VAL, NULL);
    add_collection(v, canned_quotes, 0, canned_markup);
    add_round(v, 66, canned_markup, canned_quotes, canned_markup);
    add_round(v, 67, "forced", "failed", wide);
    add_blocked(v, canned_quotes, canned_markup, canned_reversed, canned_markup);
    add_blocked(v, wide, wide, wide, wide);
}

static const struct {
    const char *name;
    void (*make)(service_view *v);
} scenes[] = {
    {"moving", moving},     {"balanced", balanced}, {"empty", empty},     {"unreachable", unreachable},
    {"paused", paused},     {"held", held},         {"standby", standby}, {"planning", planning},
    {"stopping", stopping}, {"many", many},         {"hostile", hostile},
};

service_view *canned_view(const char *scene)
{
    for (size_t i = 0; i < G_N_ELEMENTS(scenes); i++) {
        if (strcmp(scenes[i].name, scene) != 0)
            continue;
        service_view *v = service_view_new();
        set_process(v);
        scenes[i].make(v);
        return v;
    }
    g_error("there is no scene '%s'", scene);
}

const char *const *canned_scenes(void)
{
    static const char *names[G_N_ELEMENTS(scenes) + 1];
    for (size_t i = 0; i < G_N_ELEMENTS(scenes); i++)
        names[i] = scenes[i].name;
    return names;
}
