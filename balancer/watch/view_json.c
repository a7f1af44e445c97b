// SPDX-License-Identifier: Apache-2.0
#include "balancer/watch/view.h"
#include "common/json_writer.h"
#include "common/text.h"

enum { SCHEMA_VERSION = 1 };

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
    g_autofree char *text = ms > 0 ? text_iso8601(ms) : NULL;
    json_put_string(w, key, text);
}

/* -1 is "not known". */
static void put_known(struct json_writer *w, const char *key, int64_t x)
{
    if (x < 0)
        json_put_null(w, key);
    else
        json_put_int(w, key, x);
}

/* Seconds, bytes a second: 0 is "not known". */
static void put_positive(struct json_writer *w, const char *key, double x)
{
    if (x > 0)
        json_put_double(w, key, x);
    else
        json_put_null(w, key);
}

/* A bound is Extended JSON already (view.h). */
static void put_bound(struct json_writer *w, const char *key, const char *bound)
{
    json_key(w, key);
    if (bound == NULL)
        json_null(w);
    else
        g_string_append(json_value(w), bound);
}

/* ---- what it is and does ---- */

static void put_cluster(struct json_writer *w, const service_view *v)
{
    json_key(w, "cluster");
    json_object(w, true);
    json_put_string(w, "name", v->cluster.name);
    json_put_string(w, "version", v->cluster.version);
    json_put_string(w, "id", v->cluster.id);
    json_end(w);
}

static void put_lease(struct json_writer *w, const service_view *v)
{
    json_key(w, "lease");
    json_object(w, true);
    json_put_bool(w, "enabled", v->lease.enabled);
    json_put_bool(w, "held", v->lease.held);
    json_put_string(w, "holder", v->lease.holder);
    put_time(w, "since", v->lease.since);
    json_put_int(w, "epoch", v->lease.epoch);
    json_end(w);
}

static void put_window(struct json_writer *w, const service_view *v)
{
    json_key(w, "window");
    json_object(w, true);
    json_put_bool(w, "always", v->window.always);
    json_put_bool(w, "open", v->window.open);
    put_time(w, "changesAt", v->window.always ? 0 : v->window.changes_at);
    json_put_string(w, "text", v->window.text);
    json_end(w);
}

static void put_pause(struct json_writer *w, const service_view *v)
{
    json_key(w, "pause");
    json_object(w, true);
    json_put_bool(w, "paused", v->pause.paused);
    json_put_string(w, "who", v->pause.who);
    json_put_string(w, "reason", v->pause.reason);
    put_time(w, "since", v->pause.since);
    json_end(w);
}

static void put_holds(struct json_writer *w, const service_view *v)
{
    json_key(w, "holds");
    json_array(w, false);
    for (guint i = 0; i < v->holds->len; i++) {
        const struct view_hold *h = &g_array_index(v->holds, struct view_hold, i);
        json_object(w, true);
        json_put_string(w, "code", h->code);
        json_put_string(w, "text", h->text);
        put_time(w, "until", h->until);
        json_end(w);
    }
    json_end(w);
}

static void put_round(struct json_writer *w, const service_view *v)
{
    json_key(w, "round");
    if (v->round.id == 0) {
        json_null(w);
        return;
    }
    json_object(w, false);
    json_put_int(w, "id", v->round.id);
    json_put_string(w, "kind", v->round.kind);
    json_put_int(w, "steps", v->round.steps);
    json_put_int(w, "done", v->round.done);
    json_put_int(w, "failed", v->round.failed);
    put_known(w, "bytes", v->round.bytes);
    put_known(w, "bytesDone", v->round.bytes_done);
    put_positive(w, "bytesPerSecond", v->round.bytes_per_second);
    put_time(w, "finishLow", v->round.finish_low);
    put_time(w, "finishExpected", v->round.finish_expected);
    put_time(w, "finishHigh", v->round.finish_high);
    json_end(w);
}

static void put_migrations(struct json_writer *w, const service_view *v)
{
    json_key(w, "migrations");
    json_array(w, false);
    for (guint i = 0; i < v->migrations->len; i++) {
        const struct view_migration *m = &g_array_index(v->migrations, struct view_migration, i);
        json_object(w, true);
        json_put_int(w, "row", m->row);
        json_put_string(w, "kind", m->split ? "split" : "migration");
        json_put_bool(w, "settling", m->settling);
        json_put_string(w, "ns", m->ns);
        json_put_string(w, "from", m->from);
        json_put_string(w, "to", m->to);
        put_bound(w, "min", m->min);
        put_bound(w, "max", m->max);
        json_put_string(w, "reason", m->reason);
        put_known(w, "bytes", m->bytes);
        put_time(w, "startedAt", m->started_at);
        put_time(w, "expectedEnd", m->expected_end);
        put_time(w, "expectedLow", m->expected_low);
        put_time(w, "expectedHigh", m->expected_high);
        json_put_int(w, "attempt", m->attempt);
        json_end(w);
    }
    json_end(w);
}

static void put_speed(struct json_writer *w, const service_view *v)
{
    json_key(w, "speed");
    if (v->speed.basis == NULL) {
        json_null(w);
        return;
    }
    json_object(w, true);
    json_put_string(w, "basis", v->speed.basis);
    json_put_int(w, "samples", v->speed.samples);
    json_put_double(w, "latencySeconds", v->speed.latency_seconds);
    put_positive(w, "bytesPerSecond", v->speed.bytes_per_second);
    json_end(w);
}

static void put_forecast(struct json_writer *w, const service_view *v)
{
    json_key(w, "forecast");
    if (!v->forecast.known) {
        json_null(w);
        return;
    }
    json_object(w, true);
    json_put_bool(w, "complete", v->forecast.complete);
    json_put_int(w, "migrations", v->forecast.migrations);
    put_known(w, "bytes", v->forecast.bytes);
    json_put_double(w, "lowSeconds", v->forecast.low_seconds);
    json_put_double(w, "expectedSeconds", v->forecast.expected_seconds);
    json_put_double(w, "highSeconds", v->forecast.high_seconds);
    put_time(w, "finishLow", v->forecast.finish_low);
    put_time(w, "finishExpected", v->forecast.finish_expected);
    put_time(w, "finishHigh", v->forecast.finish_high);
    json_end(w);
}

static void put_promise(struct json_writer *w, const service_view *v)
{
    const struct view_promise p = view_promise(v);
    json_key(w, "promise");
    json_object(w, true);
    json_put_int(w, "rounds", p.rounds);
    json_put_double(w, "promisedSeconds", p.promised_seconds);
    json_put_double(w, "achievedSeconds", p.achieved_seconds);
    json_end(w);
}

/* ---- the data and where it lies ---- */

static void put_shards(struct json_writer *w, const GArray *shards)
{
    json_key(w, "shards");
    json_array(w, false);
    for (guint i = 0; shards != NULL && i < shards->len; i++) {
        const struct view_shard *s = &g_array_index(shards, struct view_shard, i);
        json_object(w, true);
        json_put_string(w, "id", s->id);
        json_put_bool(w, "draining", s->draining);
        put_known(w, "bytes", s->bytes);
        put_known(w, "targetBytes", s->target_bytes);
        put_known(w, "chunks", s->chunks);
        put_known(w, "targetChunks", s->target_chunks);
        json_key(w, "zones");
        json_array(w, true);
        for (guint z = 0; s->zones != NULL && z < s->zones->len; z++)
            json_string(w, s->zones->pdata[z]);
        json_end(w);
        json_end(w);
    }
    json_end(w);
}

static void put_ranges(struct json_writer *w, const GArray *ranges)
{
    json_key(w, "ranges");
    json_array(w, false);
    for (guint i = 0; ranges != NULL && i < ranges->len; i++) {
        const struct view_zone_range *r = &g_array_index(ranges, struct view_zone_range, i);
        json_object(w, true);
        json_put_string(w, "zone", r->zone);
        put_bound(w, "min", r->min);
        put_bound(w, "max", r->max);
        json_end(w);
    }
    json_end(w);
}

static void put_collections(struct json_writer *w, const service_view *v, bool whole)
{
    json_key(w, "collections");
    json_array(w, false);
    for (guint i = 0; i < v->collections->len; i++) {
        const struct view_collection *c = &g_array_index(v->collections, struct view_collection, i);
        json_object(w, !whole);
        json_put_string(w, "ns", c->ns);
        json_put_string(w, "status", c->status);
        json_put_string(w, "excludedReason", c->excluded);
        json_put_double(w, "imbalance", c->imbalance);
        put_known(w, "chunks", c->chunks);
        put_known(w, "bytes", c->bytes);
        json_put_int(w, "migrations", c->migrations);
        if (whole) {
            put_shards(w, c->shards);
            put_ranges(w, c->ranges);
        }
        json_end(w);
    }
    json_end(w);
}

static void put_history(struct json_writer *w, const service_view *v)
{
    json_key(w, "history");
    json_array(w, false);
    for (guint i = 0; i < v->history->len; i++) {
        const struct view_point *p = &g_array_index(v->history, struct view_point, i);
        json_object(w, true);
        put_time(w, "at", p->at);
        json_put_double(w, "imbalance", p->imbalance);
        json_end(w);
    }
    json_end(w);
}

/* ---- what was, and what cannot be ---- */

static void put_rounds(struct json_writer *w, const service_view *v)
{
    json_key(w, "rounds");
    json_array(w, false);
    for (guint i = 0; i < v->rounds->len; i++) {
        const struct view_round *r = &g_array_index(v->rounds, struct view_round, i);
        json_object(w, true);
        json_put_int(w, "id", r->id);
        json_put_string(w, "kind", r->kind);
        json_put_string(w, "state", r->state);
        json_put_string(w, "who", r->who);
        json_put_string(w, "reason", r->reason);
        json_put_string(w, "note", r->note);
        put_time(w, "startedAt", r->started_at);
        put_time(w, "endedAt", r->ended_at);
        json_put_int(w, "planned", r->planned);
        json_put_int(w, "committed", r->committed);
        json_put_int(w, "failed", r->failed);
        json_put_int(w, "splits", r->splits);
        put_known(w, "plannedBytes", r->planned_bytes);
        put_known(w, "bytes", r->bytes);
        put_positive(w, "plannedSeconds", r->planned_seconds);
        put_positive(w, "seconds",
                     r->started_at > 0 ? (double)MAX(r->ended_at - r->started_at, 0) / 1000 : 0);
        json_end(w);
    }
    json_end(w);
}

static void put_blocked(struct json_writer *w, const service_view *v)
{
    json_key(w, "blocked");
    json_array(w, false);
    for (guint i = 0; i < v->blocked->len; i++) {
        const struct view_blocked *b = &g_array_index(v->blocked, struct view_blocked, i);
        json_object(w, true);
        json_put_string(w, "ns", b->ns);
        json_put_string(w, "shard", b->shard);
        json_put_string(w, "reason", b->reason);
        json_put_string(w, "why", b->why);
        put_known(w, "chunks", b->chunks);
        json_end(w);
    }
    json_end(w);
}

static void put_counters(struct json_writer *w, const service_view *v)
{
    const struct {
        const char *key;
        uint64_t x;
    } counts[] = {
        {"rounds", v->count.rounds},
        {"roundsFailed", v->count.rounds_failed},
        {"migrationsCommitted", v->count.migrations_committed},
        {"migrationsFailed", v->count.migrations_failed},
        {"migrationsAborted", v->count.migrations_aborted},
        {"splits", v->count.splits},
        {"retries", v->count.retries},
        {"unknown", v->count.unknown},
        {"bytesMoved", v->count.bytes_moved},
        {"clusterErrors", v->count.cluster_errors},
        {"leaseLosses", v->count.lease_losses},
        {"controlRequests", v->count.control_requests},
        {"httpRequests", v->count.http_requests},
        {"httpRefused", v->count.http_refused},
        {"reloads", v->count.reloads},
        {"logDropped", v->count.log_dropped},
        {"plans", v->count.plans},
    };
    json_key(w, "counters");
    json_object(w, false);
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        json_put_int(w, counts[i].key, (int64_t)MIN(counts[i].x, (uint64_t)INT64_MAX));
    json_put_double(w, "migrationSeconds", v->count.migration_seconds);
    json_put_double(w, "planSeconds", v->count.plan_seconds);
    json_put_double(w, "readSeconds", v->count.read_seconds);
    json_put_double(w, "loopLongestStopSeconds", v->count.loop_longest_stop_seconds);
    json_end(w);
}

static void put_process(struct json_writer *w, const service_view *v)
{
    json_key(w, "process");
    json_object(w, true);
    put_time(w, "startedAt", v->started_at);
    json_put_int(w, "residentBytes", v->process.resident_bytes);
    json_put_double(w, "cpuSeconds", v->process.cpu_seconds);
    json_put_int(w, "openFiles", v->process.open_files);
    json_end(w);
}

void service_view_json(const service_view *v, GString *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_object(&w, false);
    json_put_int(&w, "schemaVersion", SCHEMA_VERSION);
    put_time(&w, "at", v->at);
    json_put_string(&w, "version", v->version);
    json_put_string(&w, "state", service_state_text(v->state));
    put_holds(&w, v);
    put_cluster(&w, v);
    put_lease(&w, v);
    put_window(&w, v);
    put_pause(&w, v);
    json_put_string(&w, "policy", v->policy);
    json_put_string(&w, "builtinBalancer", v->builtin_balancer);
    put_time(&w, "nextRoundAt", v->next_round_at);
    put_round(&w, v);
    put_migrations(&w, v);
    put_speed(&w, v);
    put_forecast(&w, v);
    put_promise(&w, v);
    put_time(&w, "plannedAt", v->planned_at);
    json_put_double(&w, "imbalance", v->imbalance);
    put_shards(&w, v->shards);
    json_put_int(&w, "collectionsTotal", v->n_collections);
    json_put_int(&w, "collectionsImbalanced", v->n_imbalanced);
    put_collections(&w, v, false);
    put_blocked(&w, v);
    put_history(&w, v);
    put_rounds(&w, v);
    put_counters(&w, v);
    put_process(&w, v);
    json_end(&w);
    g_string_append_c(out, '\n');
}

void service_view_collections_json(const service_view *v, GString *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_object(&w, false);
    json_put_int(&w, "schemaVersion", SCHEMA_VERSION);
    put_time(&w, "at", v->at);
    put_time(&w, "plannedAt", v->planned_at);
    json_put_int(&w, "collectionsTotal", v->n_collections);
    put_collections(&w, v, true);
    json_end(&w);
    g_string_append_c(out, '\n');
}
