// SPDX-License-Identifier: Apache-2.0
/* The plan as JSON, in the order of keys that the contract gives. Records that programs take one by one
 * (shards, splits, migrations, blocked, warnings) stand on one line each, so that line tools can work on them
 * and a plan of a million migrations stays small. */
#include "balancer/key/show.h"
#include "balancer/report/advice_out.h"
#include "balancer/report/json_parts.h"
#include "balancer/report/report.h"
#include "balancer/report/whatif.h"
#include "common/json_writer.h"
#include "common/text.h"

enum { SCHEMA_VERSION = 1 };

static void put_bytes(struct json_writer *w, const char *key, int64_t bytes)
{
    if (bytes < 0)
        json_put_null(w, key);
    else
        json_put_int(w, key, bytes);
}

static void write_bound(struct json_writer *w, plan_bound b)
{
    bson_t doc;
    if (b == NULL) {
        json_null(w);
        return;
    }
    plan_bound_bson(b, &doc);
    key_json(json_value(w), &doc);
}

static void put_bound(struct json_writer *w, const char *key, plan_bound b)
{
    json_key(w, key);
    write_bound(w, b);
}

static void put_shard(struct json_writer *w, const char *key, const plan *p, uint16_t shard)
{
    json_put_string(w, key, shard < p->cl->n_shards ? p->cl->shards[shard].id : NULL);
}

static void put_head(struct json_writer *w, const plan *p, const struct report_source *src)
{
    json_put_int(w, "schemaVersion", SCHEMA_VERSION);
    json_put_string(w, "planId", p->id);
    json_put_origin(w, p->cl, src);
    json_put_policy(w, p->policy);
    whatif_json(w, p->whatif);
}

void json_put_origin(struct json_writer *w, const cluster *cl, const struct report_source *src)
{
    g_autofree char *when = text_iso8601(src->generated_ms);
    json_key(w, "tool");
    json_object(w, true);
    json_put_string(w, "name", "evenkeel");
    json_put_string(w, "version", EVENKEEL_VERSION);
    json_end(w);
    json_put_string(w, "generatedAt", when);
    json_key(w, "source");
    json_object(w, true);
    json_put_string(w, "kind", src->kind);
    json_put_string(w, "name", src->name);
    json_put_string(w, "serverVersion", cl->server_version);
    json_end(w);
}

void json_put_policy(struct json_writer *w, const struct policy *policy)
{
    json_key(w, "policy");
    json_object(w, true);
    json_put_string(w, "name", policy->name);
    json_put_string(w, "unit", policy->unit == LOAD_CHUNKS ? "chunks" : "bytes");
    json_end(w);
}

static void write_shard(struct json_writer *w, const plan *p, const struct plan_shard *s)
{
    json_object(w, true);
    put_shard(w, "shard", p, s->shard);
    json_put_int(w, "chunks", s->chunks);
    put_bytes(w, "bytes", s->bytes);
    put_bytes(w, "targetBytes", s->target_bytes);
    json_put_int(w, "chunksAfter", s->chunks_after);
    put_bytes(w, "bytesAfter", s->bytes_after);
    json_put_int(w, "targetChunks", s->target_chunks);
    json_end(w);
}

static void write_collection(struct json_writer *w, const plan *p, const struct plan_collection *c)
{
    json_object(w, false);
    json_put_string(w, "ns", c->coll->ns);
    json_key(w, "shardKey");
    if (c->coll->key == NULL)
        json_null(w);
    else
        key_json(json_value(w), &c->coll->key->doc);
    json_put_string(w, "status", plan_status_text(c->status));
    json_put_string(w, "excludedReason", excluded_text(c->excluded));
    json_put_string(w, "violation", c->violation);
    json_key(w, "zones");
    json_array(w, true);
    for (guint i = 0; c->zones != NULL && i < c->zones->len; i++)
        json_string(w, g_ptr_array_index(c->zones, i));
    json_end(w);
    json_put_int(w, "chunks", c->chunks);
    put_bytes(w, "bytes", c->bytes);
    json_put_bool(w, "sizesAssumed", c->sizes_assumed);
    json_put_double(w, "imbalanceBefore", c->imbalance_before);
    json_put_double(w, "imbalanceAfter", c->imbalance_after);
    json_key(w, "shards");
    json_array(w, false);
    for (uint32_t i = 0; i < c->n_shards; i++)
        write_shard(w, p, &c->shards[i]);
    json_end(w);
    json_end(w);
}

static void write_split(struct json_writer *w, const plan *p, const struct plan_split *s)
{
    g_autofree char *version = collection_version_text(s->coll, s->version);
    json_object(w, true);
    json_put_string(w, "ns", s->coll->ns);
    put_bound(w, "min", s->min);
    put_bound(w, "max", s->max);
    json_key(w, "at");
    json_array(w, true);
    for (guint i = 0; i < s->at->len; i++)
        write_bound(w, g_ptr_array_index(s->at, i));
    json_end(w);
    put_shard(w, "shard", p, s->shard);
    json_put_string(w, "version", version);
    json_put_string(w, "reason", split_reason_text(s->reason));
    json_end(w);
}

static void write_migration(struct json_writer *w, const plan *p, const struct plan_migration *m)
{
    g_autofree char *version = collection_version_text(m->coll, m->version);
    json_object(w, true);
    json_put_int(w, "id", m->id);
    json_put_string(w, "ns", m->coll->ns);
    put_bound(w, "min", m->min);
    put_bound(w, "max", m->max);
    json_put_bool(w, "openMin", m->open_min);
    json_put_bool(w, "openMax", m->open_max);
    put_shard(w, "from", p, m->from);
    put_shard(w, "to", p, m->to);
    json_put_string(w, "version", version);
    json_put_string(w, "reason", move_reason_text(m->reason));
    json_put_string(w, "zone", m->zone == ZONE_NONE ? NULL : cluster_zone_name(p->cl, m->zone));
    put_bytes(w, "bytes", m->bytes);
    json_put_bool(w, "forceJumbo", m->force_jumbo);
    json_put_string(w, "why", m->why);
    json_end(w);
}

static void write_round(struct json_writer *w, const plan *p, const struct plan_round *r)
{
    json_object(w, false);
    json_put_int(w, "round", r->number);
    json_key(w, "splits");
    json_array(w, false);
    for (uint32_t i = 0; i < r->n_splits; i++)
        write_split(w, p, &g_array_index(p->splits, struct plan_split, r->first_split + i));
    json_end(w);
    json_key(w, "migrations");
    json_array(w, false);
    for (uint32_t i = 0; i < r->n_migrations; i++)
        write_migration(w, p, &g_array_index(p->migrations, struct plan_migration, r->first_migration + i));
    json_end(w);
    json_end(w);
}

static void write_blocked(struct json_writer *w, const plan *p, const struct plan_blocked *b)
{
    json_object(w, true);
    json_put_string(w, "ns", b->coll == NULL ? NULL : b->coll->ns);
    put_bound(w, "min", b->min);
    put_shard(w, "shard", p, b->shard);
    json_put_string(w, "reason", b->reason);
    json_put_int(w, "chunks", b->chunks);
    put_bytes(w, "bytes", b->bytes);
    json_put_string(w, "why", b->why);
    json_end(w);
}

static void put_moment(struct json_writer *w, const char *key, int64_t unix_ms)
{
    g_autofree char *text = unix_ms == 0 ? NULL : text_iso8601(unix_ms);
    json_put_string(w, key, text);
}

static void put_time(struct json_writer *w, const struct plan_time *t)
{
    json_key(w, "time");
    json_object(w, true);
    json_put_double(w, "minimumSeconds", t->minimum);
    json_put_double(w, "expectedSeconds", t->expected);
    json_put_double(w, "lowSeconds", t->low);
    json_put_double(w, "highSeconds", t->high);
    json_put_string(w, "basis", time_basis_text(t->basis));
    json_put_double(w, "lowerBoundSeconds", t->lower_bound);
    json_put_double(w, "barrierSeconds", t->barrier);
    if (t->starts_at != 0) {
        put_moment(w, "startsAt", t->starts_at);
        put_moment(w, "earliestEnd", t->earliest_end);
        put_moment(w, "expectedEnd", t->expected_end);
        put_moment(w, "latestEnd", t->latest_end);
    }
    json_end(w);
}

void json_put_summary(struct json_writer *w, const plan *p)
{
    const struct plan_summary *s = &p->summary;
    json_key(w, "summary");
    json_object(w, false);
    json_put_int(w, "migrations", s->n_migrations);
    json_put_int(w, "splits", s->n_splits);
    put_bytes(w, "bytes", s->bytes);
    json_put_int(w, "rounds", s->n_rounds);
    json_put_bool(w, "complete", s->complete);
    put_time(w, &s->time);
    json_key(w, "lowerBound");
    json_object(w, true);
    put_bytes(w, "bytes", s->lower_bytes);
    json_put_int(w, "rounds", s->lower_rounds);
    json_end(w);
    json_put_double(w, "imbalanceBefore", s->imbalance_before);
    json_put_double(w, "imbalanceAfter", s->imbalance_after);
    json_key(w, "blocked");
    json_array(w, false);
    for (guint i = 0; i < p->blocked->len; i++)
        write_blocked(w, p, &g_array_index(p->blocked, struct plan_blocked, i));
    json_end(w);
    json_end(w);
}

static void put_peaks(struct json_writer *w, const plan *p)
{
    json_key(w, "peak");
    json_array(w, false);
    for (guint i = 0; i < p->peaks->len; i++) {
        const struct plan_peak *k = &g_array_index(p->peaks, struct plan_peak, i);
        json_object(w, true);
        put_shard(w, "shard", p, k->shard);
        json_put_int(w, "bytes", k->bytes);
        put_bytes(w, "orphanBytes", k->orphan_bytes);
        json_put_int(w, "bytesIn", k->bytes_in);
        json_put_int(w, "bytesOut", k->bytes_out);
        json_put_int(w, "peakBytes", k->peak);
        json_put_int(w, "promptPeakBytes", k->prompt_peak);
        json_put_int(w, "bytesAfter", k->bytes + k->bytes_in - k->bytes_out);
        put_bytes(w, "limitBytes", k->limit);
        json_put_bool(w, "sizesAssumed", k->assumed);
        json_end(w);
    }
    json_end(w);
}

static void put_zone(struct json_writer *w, const plan *p, uint32_t zone)
{
    json_put_string(w, "zone", zone == ZONE_NONE ? NULL : cluster_zone_name(p->cl, zone));
}

static void write_zone_fault(struct json_writer *w, const plan *p, const struct plan_zone_fault *f)
{
    json_object(w, true);
    json_put_string(w, "ns", f->coll->ns);
    put_zone(w, p, f->zone);
    json_put_string(w, "reason", f->no_carrier ? "zoneWithoutShard" : "noEligibleShard");
    json_put_int(w, "ranges", f->n_ranges);
    json_put_int(w, "chunks", f->chunks);
    put_bytes(w, "bytes", f->bytes);
    json_put_string(w, "why", f->why);
    json_end(w);
}

/* Only of a plan that is about other zones. */
static void put_zone_change(struct json_writer *w, const plan *p)
{
    if (!changes_have(p->whatif, CHANGE_ZONES))
        return;
    json_key(w, "zoneChange");
    json_object(w, false);
    json_key(w, "moves");
    json_array(w, false);
    for (guint i = 0; i < p->zone_moves->len; i++) {
        const struct plan_zone_move *m = &g_array_index(p->zone_moves, struct plan_zone_move, i);
        json_object(w, true);
        put_zone(w, p, m->zone);
        put_shard(w, "shard", p, m->shard);
        json_put_int(w, "migrationsOut", m->n_out);
        json_put_int(w, "bytesOut", m->bytes_out);
        json_put_int(w, "migrationsIn", m->n_in);
        json_put_int(w, "bytesIn", m->bytes_in);
        json_end(w);
    }
    json_end(w);
    json_key(w, "impossible");
    json_array(w, false);
    for (guint i = 0; i < p->zone_faults->len; i++)
        write_zone_fault(w, p, &g_array_index(p->zone_faults, struct plan_zone_fault, i));
    json_end(w);
    json_end(w);
}

void json_put_warnings(struct json_writer *w, const plan *p)
{
    json_key(w, "warnings");
    json_array(w, false);
    for (guint i = 0; i < p->warnings->len; i++) {
        const struct warning *x = &g_array_index(p->warnings, struct warning, i);
        json_object(w, true);
        json_put_string(w, "code", x->code);
        json_put_string(w, "ns", x->ns);
        json_put_string(w, "message", x->message);
        json_end(w);
    }
    json_end(w);
}

void report_json(const plan *p, const struct report_source *src, GString *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_object(&w, false);
    put_head(&w, p, src);
    json_key(&w, "collections");
    json_array(&w, false);
    for (guint i = 0; i < p->collections->len; i++)
        write_collection(&w, p, &g_array_index(p->collections, struct plan_collection, i));
    json_end(&w);
    json_key(&w, "rounds");
    json_array(&w, false);
    for (guint i = 0; i < p->rounds->len; i++)
        write_round(&w, p, &g_array_index(p->rounds, struct plan_round, i));
    json_end(&w);
    json_put_summary(&w, p);
    put_peaks(&w, p);
    put_zone_change(&w, p);
    json_put_warnings(&w, p);
    advice_json(&w, p->cl, p->advice);
    json_end(&w);
    g_string_append_c(out, '\n');
}
