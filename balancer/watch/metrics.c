// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/metrics.h"

#include "common/escape.h"
#include "common/json_writer.h"

#include <math.h>
#include <string.h>

/* ---- the format ---- */

static void head(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The shortest decimal that reads back as the same number, as in JSON. */
static void number(GString *out, double x)
{
    struct json_writer w;
    json_init(&w, out);
    json_double(&w, x);
}

/* A label's value: clean, of bounded length, with the format's own escapes. */
static char *label(const char *s)
{
    g_autofree char *clean = text_escaped(s == NULL ? "" : s);
    GString *out = g_string_new(NULL);
    const char *p = clean;
    for (unsigned n = 0; *p != '\0' && n < METRICS_LABEL_CHARS; n++) {
        const char *next = g_utf8_next_char(p);
        if (*p == '"' || *p == '\\')
            g_string_append_c(out, '\\');
        g_string_append_len(out, p, next - p);
        p = next;
    }
    if (*p != '\0')
        g_string_append(out, "\xe2\x80\xa6");
    return g_string_free(out, FALSE);
}

/* One sample; `value` is a label value that label() made. */
static void sample(GString *out, const char *name, const char *key, const char *value, double x)
{
    if (!isfinite(x))
        return;
    g_string_append(out, name);
    if (key != NULL)
        g_string_append_printf(out, "{%s=\"%s\"}", key, value);
    g_string_append_c(out, ' ');
    number(out, x);
    g_string_append_c(out, '\n');
}

static double seconds(int64_t ms)
{
    return ms > 0 ? (double)ms / 1000.0 : NAN;
}

static double known(int64_t x)
{
    return x < 0 ? NAN : (double)x;
}

/* ---- families of one sample ---- */

struct scalar {
    const char *name, *help;
    double x; /* NAN: not known */
};

static void scalars(GString *out, const char *type, const struct scalar *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(rows[i].x))
            continue;
        head(out, rows[i].name, type, rows[i].help);
        sample(out, rows[i].name, NULL, NULL, rows[i].x);
    }
}

static void write_standing(const service_view *v, GString *out)
{
    const bool reachable = v->state != SERVICE_STARTING && v->state != SERVICE_UNREACHABLE;
    const struct scalar rows[] = {
        {"evenkeel_cluster_reachable", "Whether the cluster answered when it was last asked.", reachable},
        {"evenkeel_paused", "Whether an operator has paused balancing.", v->pause.paused},
        {"evenkeel_lease_enabled", "Whether a lease is wanted before anything is moved.", v->lease.enabled},
        {"evenkeel_lease_held", "Whether this process holds the lease.", v->lease.held},
        {"evenkeel_lease_epoch", "How often the lease has changed hands.",
         v->lease.enabled ? (double)v->lease.epoch : NAN},
        {"evenkeel_window_open", "Whether migrations may start at this time of day.",
         v->window.always || v->window.open},
        {"evenkeel_window_change_timestamp_seconds", "When the window opens or closes next.",
         v->window.always || v->window.changes_at == INT64_MAX ? NAN : seconds(v->window.changes_at)},
        {"evenkeel_next_round_timestamp_seconds", "When the next round is due.", seconds(v->next_round_at)},
        {"evenkeel_last_plan_timestamp_seconds", "When the last plan was made.", seconds(v->planned_at)},
        {"evenkeel_loop_longest_stop_seconds", "The longest time that the event loop was away from its work.",
         v->count.loop_longest_stop_seconds},
    };
    scalars(out, "gauge", rows, G_N_ELEMENTS(rows));
}

static void write_balance(const service_view *v, GString *out)
{
    const bool planned = v->planned_at > 0;
    const struct scalar rows[] = {
        {"evenkeel_imbalance_ratio",
         "The largest shard's load over its target, less 1, in the whole cluster.",
         planned ? v->imbalance : NAN},
        {"evenkeel_collections", "Sharded collections.", planned ? (double)v->n_collections : NAN},
        {"evenkeel_collections_imbalanced", "Sharded collections that are not balanced.",
         planned ? (double)v->n_imbalanced : NAN},
        {"evenkeel_shards", "Shards of the cluster.", planned ? (double)v->shards->len : NAN},
    };
    scalars(out, "gauge", rows, G_N_ELEMENTS(rows));
}

static void write_round(const service_view *v, GString *out)
{
    unsigned settling = 0;
    for (guint i = 0; i < v->migrations->len; i++)
        settling += g_array_index(v->migrations, struct view_migration, i).settling;
    const bool on = v->round.id != 0;
    const struct scalar rows[] = {
        {"evenkeel_round_running", "Whether a round is under way.", on},
        {"evenkeel_round_steps", "Steps of the round under way.", on ? v->round.steps : 0},
        {"evenkeel_round_steps_done", "Steps of it that are done.", on ? v->round.done : 0},
        {"evenkeel_round_steps_failed", "Steps of it that failed.", on ? v->round.failed : 0},
        {"evenkeel_round_bytes", "Data that the round under way is to move.", on ? known(v->round.bytes) : 0},
        {"evenkeel_round_done_bytes", "Data of it that was moved.", on ? known(v->round.bytes_done) : 0},
        {"evenkeel_round_bytes_per_second", "Speed over the last minutes.",
         on ? v->round.bytes_per_second : 0},
        {"evenkeel_round_finish_low_timestamp_seconds", "When the round under way is done at the earliest.",
         on ? seconds(v->round.finish_low) : NAN},
        {"evenkeel_round_finish_timestamp_seconds", "When the round under way is expected to be done.",
         on ? seconds(v->round.finish_expected) : NAN},
        {"evenkeel_round_finish_high_timestamp_seconds", "When the round under way is done at the latest.",
         on ? seconds(v->round.finish_high) : NAN},
        {"evenkeel_migrations_under_way", "Migrations and splits that were sent and have not ended.",
         v->migrations->len},
        {"evenkeel_migrations_settling", "Those of them whose outcome is asked of the cluster.", settling},
    };
    scalars(out, "gauge", rows, G_N_ELEMENTS(rows));
}

static void write_forecast(const service_view *v, GString *out)
{
    const bool known = v->forecast.known, moves = known && v->forecast.migrations > 0;
    const bool measured = v->speed.basis != NULL && strcmp(v->speed.basis, "default") != 0;
    const struct scalar rows[] = {
        {"evenkeel_forecast_migrations", "Migrations until nothing more moves.",
         known ? (double)v->forecast.migrations : NAN},
        {"evenkeel_forecast_bytes", "Data to be moved until then.", known ? (double)v->forecast.bytes : NAN},
        {"evenkeel_forecast_complete", "Whether nothing that can move is left after these.",
         known ? (double)v->forecast.complete : NAN},
        {"evenkeel_forecast_seconds", "Time that they are expected to take, in open windows.",
         moves ? v->forecast.expected_seconds : NAN},
        {"evenkeel_forecast_finish_low_timestamp_seconds", "When they are done at the earliest.",
         moves ? seconds(v->forecast.finish_low) : NAN},
        {"evenkeel_forecast_finish_timestamp_seconds", "When they are expected to be done.",
         moves ? seconds(v->forecast.finish_expected) : NAN},
        {"evenkeel_forecast_finish_high_timestamp_seconds", "When they are done at the latest.",
         moves ? seconds(v->forecast.finish_high) : NAN},
        {"evenkeel_estimate_samples", "Past migrations that expected times rest on; 0: on assumptions.",
         v->speed.basis == NULL ? NAN
         : measured             ? (double)v->speed.samples
                                : 0},
    };
    scalars(out, "gauge", rows, G_N_ELEMENTS(rows));
}

/* Of the newest round that tells. */
static void write_promise(const service_view *v, GString *out)
{
    const struct view_round *r = NULL;
    for (guint i = 0; i < v->rounds->len && r == NULL; i++)
        if (view_round_counts(&g_array_index(v->rounds, struct view_round, i)))
            r = &g_array_index(v->rounds, struct view_round, i);
    const struct scalar rows[] = {
        {"evenkeel_last_round_promised_seconds", "Time that the last round was expected to take.",
         r != NULL ? r->planned_seconds : NAN},
        {"evenkeel_last_round_seconds", "Time that it took.",
         r != NULL ? (double)(r->ended_at - r->started_at) / 1000 : NAN},
    };
    scalars(out, "gauge", rows, G_N_ELEMENTS(rows));
}

static void write_counters(const service_view *v, GString *out)
{
    const struct scalar rows[] = {
        {"evenkeel_rounds_total", "Rounds that ended.", (double)v->count.rounds},
        {"evenkeel_rounds_failed_total", "Rounds that failed.", (double)v->count.rounds_failed},
        {"evenkeel_migrations_unknown_total", "Migrations whose outcome had to be asked of the cluster.",
         (double)v->count.unknown},
        {"evenkeel_splits_total", "Splits that were carried out.", (double)v->count.splits},
        {"evenkeel_retries_total", "Commands that were sent again.", (double)v->count.retries},
        {"evenkeel_moved_bytes_total", "Data of committed migrations.", (double)v->count.bytes_moved},
        {"evenkeel_migration_seconds_total", "Time that committed migrations took.",
         v->count.migration_seconds},
        {"evenkeel_plans_total", "Plans that were made.", (double)v->count.plans},
        {"evenkeel_plan_seconds_total", "Time spent on planning.", v->count.plan_seconds},
        {"evenkeel_metadata_read_seconds_total", "Time spent on reading the cluster's metadata.",
         v->count.read_seconds},
        {"evenkeel_cluster_errors_total", "Commands to the cluster that failed.",
         (double)v->count.cluster_errors},
        {"evenkeel_lease_losses_total", "Times that the lease was lost.", (double)v->count.lease_losses},
        {"evenkeel_control_requests_total", "Requests over the control socket.",
         (double)v->count.control_requests},
        {"evenkeel_http_requests_total", "Requests over HTTP.", (double)v->count.http_requests},
        {"evenkeel_http_refused_total", "Requests over HTTP refused for who asked.",
         (double)v->count.http_refused},
        {"evenkeel_config_reloads_total", "Reloads of the configuration.", (double)v->count.reloads},
        {"evenkeel_log_dropped_total", "Log lines that could not be written.", (double)v->count.log_dropped},
    };
    scalars(out, "counter", rows, G_N_ELEMENTS(rows));
}

static void write_process(const service_view *v, GString *out)
{
    const struct scalar gauges[] = {
        {"process_resident_memory_bytes", "Resident memory.", (double)v->process.resident_bytes},
        {"process_open_fds", "Open file descriptors.", v->process.open_files},
        {"process_start_time_seconds", "When the process started.", seconds(v->started_at)},
    };
    const struct scalar cpu = {"process_cpu_seconds_total", "Processor time.", v->process.cpu_seconds};
    scalars(out, "gauge", gauges, G_N_ELEMENTS(gauges));
    scalars(out, "counter", &cpu, 1);
}

/* ---- families by label ---- */

static void write_info(const service_view *v, GString *out)
{
    g_autofree char *version = label(v->version);
    g_autofree char *server = label(v->cluster.version);
    g_autofree char *name = label(v->cluster.name);
    head(out, "evenkeel_build_info", "gauge", "The version that runs.");
    sample(out, "evenkeel_build_info", "version", version, 1);
    head(out, "evenkeel_cluster_info", "gauge", "The cluster, and the version of its servers once known.");
    g_string_append_printf(out, "evenkeel_cluster_info{name=\"%s\",server_version=\"%s\"} 1\n", name, server);
}

static void write_state(const service_view *v, GString *out)
{
    head(out, "evenkeel_state", "gauge", "What the service is doing: 1 for the state that it is in.");
    for (enum service_state s = SERVICE_STARTING; s <= SERVICE_STOPPING; s++)
        sample(out, "evenkeel_state", "state", service_state_text(s), s == v->state);
}

static void write_migration_results(const service_view *v, GString *out)
{
    static const char name[] = "evenkeel_migrations_total";
    head(out, name, "counter", "Migrations that ended, by how.");
    sample(out, name, "result", "committed", (double)v->count.migrations_committed);
    sample(out, name, "result", "failed", (double)v->count.migrations_failed);
    sample(out, name, "result", "aborted", (double)v->count.migrations_aborted);
}

/* Sums by a code: label values in order of their first appearance. */
struct sums {
    GPtrArray *labels; /* char *, owned */
    GArray *sums;      /* double */
};

static void sums_init(struct sums *s)
{
    s->labels = g_ptr_array_new_with_free_func(g_free);
    s->sums = g_array_new(FALSE, FALSE, sizeof(double));
}

static void sums_add(struct sums *s, const char *code, double x)
{
    g_autofree char *l = label(code);
    guint i;
    if (g_ptr_array_find_with_equal_func(s->labels, l, g_str_equal, &i)) {
        g_array_index(s->sums, double, i) += x;
    } else if (s->labels->len < METRICS_CODES) {
        g_ptr_array_add(s->labels, g_steal_pointer(&l));
        g_array_append_val(s->sums, x);
    }
}

static void sums_write(struct sums *s, GString *out, const char *name, const char *key)
{
    for (guint i = 0; i < s->labels->len; i++)
        sample(out, name, key, s->labels->pdata[i], g_array_index(s->sums, double, i));
    g_ptr_array_unref(s->labels);
    g_array_unref(s->sums);
}

static void write_holds(const service_view *v, GString *out)
{
    struct sums s;
    sums_init(&s);
    for (guint i = 0; i < v->holds->len; i++)
        sums_add(&s, g_array_index(v->holds, struct view_hold, i).code, 1);
    head(out, "evenkeel_holds", "gauge", "Things that hold balancing back now, by their code.");
    sums_write(&s, out, "evenkeel_holds", "code");
}

static void write_blocked(const service_view *v, GString *out)
{
    struct sums s;
    sums_init(&s);
    for (guint i = 0; i < v->blocked->len; i++) {
        const struct view_blocked *b = &g_array_index(v->blocked, struct view_blocked, i);
        sums_add(&s, b->reason, (double)MAX(b->chunks, 0));
    }
    head(out, "evenkeel_blocked_chunks", "gauge", "Chunks that should move and cannot, by reason.");
    sums_write(&s, out, "evenkeel_blocked_chunks", "reason");
}

/* A family over shards. Two ids that look the same once they are clean would be one sample told twice: the
 * second is left out. */
static void by_shard(const service_view *v, GString *out, const char *name, const char *help,
                     double (*value)(const struct view_shard *s))
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    head(out, name, "gauge", help);
    for (guint i = 0; i < MIN(v->shards->len, (guint)METRICS_SHARDS); i++) {
        const struct view_shard *s = &g_array_index(v->shards, struct view_shard, i);
        char *l = label(s->id);
        if (!g_hash_table_contains(seen, l))
            sample(out, name, "shard", l, value(s));
        g_hash_table_add(seen, l);
    }
}

static double shard_bytes(const struct view_shard *s)
{
    return known(s->bytes);
}

static double shard_target_bytes(const struct view_shard *s)
{
    return known(s->target_bytes);
}

static double shard_chunks(const struct view_shard *s)
{
    return known(s->chunks);
}

static double shard_target_chunks(const struct view_shard *s)
{
    return known(s->target_chunks);
}

static double shard_draining(const struct view_shard *s)
{
    return s->draining;
}

static void write_shards(const service_view *v, GString *out)
{
    if (v->shards->len == 0)
        return;
    by_shard(v, out, "evenkeel_shard_bytes", "Data of sharded collections on the shard.", shard_bytes);
    by_shard(v, out, "evenkeel_shard_target_bytes", "Data that it should hold.", shard_target_bytes);
    by_shard(v, out, "evenkeel_shard_chunks", "Chunks on the shard.", shard_chunks);
    by_shard(v, out, "evenkeel_shard_target_chunks", "Chunks that it should hold.", shard_target_chunks);
    by_shard(v, out, "evenkeel_shard_draining", "Whether the shard is being emptied.", shard_draining);
}

/* The most imbalanced come first in a view. */
static void write_collections(const service_view *v, GString *out)
{
    static const char ratio[] = "evenkeel_collection_imbalance_ratio";
    static const char moves[] = "evenkeel_collection_planned_migrations";
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) second = g_string_new(NULL);
    if (v->collections->len == 0)
        return;
    head(out, ratio, "gauge", "Imbalance of the most imbalanced collections.");
    head(second, moves, "gauge", "Migrations that the last plan has for them.");
    for (guint i = 0; i < MIN(v->collections->len, (guint)METRICS_COLLECTIONS); i++) {
        const struct view_collection *c = &g_array_index(v->collections, struct view_collection, i);
        char *l = label(c->ns);
        if (!g_hash_table_contains(seen, l)) {
            sample(out, ratio, "ns", l, c->excluded != NULL ? NAN : c->imbalance);
            sample(second, moves, "ns", l, c->migrations);
        }
        g_hash_table_add(seen, l);
    }
    g_string_append_len(out, second->str, (gssize)second->len);
}

void metrics_write(const service_view *v, GString *out)
{
    write_info(v, out);
    write_state(v, out);
    write_standing(v, out);
    write_holds(v, out);
    write_balance(v, out);
    write_shards(v, out);
    write_collections(v, out);
    write_blocked(v, out);
    write_round(v, out);
    write_forecast(v, out);
    write_promise(v, out);
    write_migration_results(v, out);
    write_counters(v, out);
    write_process(v, out);
}
