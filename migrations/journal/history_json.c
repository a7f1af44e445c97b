// SPDX-License-Identifier: Apache-2.0
#include "migrations/journal/history_json.h"

#include "common/text.h"

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
    g_autofree char *text = ms == 0 ? NULL : text_iso8601(ms);
    json_put_string(w, key, text);
}

static void put_took(struct json_writer *w, int64_t from, int64_t to)
{
    /* Not known, or the clock was set back. */
    if (from == 0 || to < from)
        json_put_null(w, "seconds");
    else
        json_put_double(w, "seconds", (double)(to - from) / 1000);
}

/* Null where there is none. */
static void put_int_unless(struct json_writer *w, const char *key, int64_t x, int64_t none)
{
    if (x == none)
        json_put_null(w, key);
    else
        json_put_int(w, key, x);
}

static void put_json(struct json_writer *w, const char *key, const char *json)
{
    json_key(w, key);
    g_string_append(json_value(w), json);
}

void history_row_json(struct json_writer *w, const struct history_row *r)
{
    json_object(w, true);
    json_put_string(w, "kind", r->kind == JOURNAL_SPLIT ? "split" : "migration");
    json_put_int(w, "id", r->id);
    json_put_int(w, "round", r->round);
    json_put_string(w, "planId", r->plan_id);
    put_int_unless(w, "step", r->step, 0);
    json_put_string(w, "state", migration_state_text(r->state));
    json_put_string(w, "ns", r->ns);
    put_json(w, "min", r->min_json);
    put_json(w, "max", r->max_json);
    if (r->kind == JOURNAL_SPLIT)
        put_json(w, "at", r->at_json);
    json_put_string(w, "from", r->from);
    json_put_string(w, "to", r->to);
    json_put_string(w, "zone", r->zone);
    json_put_string(w, "reason", r->reason);
    json_put_string(w, "why", r->why);
    put_int_unless(w, "bytes", r->bytes, -1);
    put_time(w, "plannedAt", r->planned_at);
    put_time(w, "startedAt", r->started_at);
    put_time(w, "endedAt", r->ended_at);
    put_took(w, r->started_at, r->ended_at);
    json_put_int(w, "attempts", r->attempts);
    put_int_unless(w, "code", r->code, 0);
    json_put_string(w, "verdict", r->verdict);
    json_put_string(w, "message", r->message);
    json_end(w);
}

void history_round_json(struct json_writer *w, const struct history_round *r)
{
    json_object(w, true);
    json_put_int(w, "id", r->id);
    json_put_string(w, "kind", r->kind);
    json_put_string(w, "state", r->state);
    json_put_string(w, "planId", r->plan_id);
    json_put_string(w, "policy", r->policy);
    json_put_string(w, "who", r->who);
    json_put_string(w, "reason", r->reason);
    json_put_string(w, "note", r->note);
    put_time(w, "startedAt", r->started_at);
    put_time(w, "endedAt", r->ended_at);
    put_took(w, r->started_at, r->ended_at);
    json_put_int(w, "plannedMigrations", r->planned_migrations);
    json_put_int(w, "plannedSplits", r->planned_splits);
    json_put_int(w, "plannedBytes", r->planned_bytes);
    json_put_double(w, "plannedSeconds", r->planned_seconds);
    json_put_int(w, "committed", r->committed);
    json_put_int(w, "failed", r->failed);
    json_put_int(w, "aborted", r->aborted);
    json_put_int(w, "open", r->open);
    json_put_int(w, "splits", r->splits);
    json_put_int(w, "bytes", r->bytes);
    json_end(w);
}
