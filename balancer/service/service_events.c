// SPDX-License-Identifier: Apache-2.0
/* The executor's events: logged, counted, told to those who follow a forced round. */
#include "balancer/service/service_private.h"

#include "balancer/key/show.h"
#include "common/json_writer.h"
#include "common/text.h"

#include <string.h>

/* Why it is begun, or what there is to say of its end; NULL: nothing. */
static const char *event_why(const struct executor_event *e)
{
    return e->kind == EXECUTOR_STARTED && e->step != NULL ? e->step->why : e->message;
}

static void log_event(struct service *s, const struct executor_event *e)
{
    const struct work_step *step = e->step;
    const struct journal_open_row *old = e->inherited;
    bool split = step != NULL ? step->kind == WORK_SPLIT : old->kind == JOURNAL_SPLIT;
    g_autofree char *min = key_json_text(step != NULL ? step->min : old->min);
    g_autofree char *max = key_json_text(step != NULL ? step->max : old->max);
    const char *from = step != NULL ? step->from : old->from, *to = step != NULL ? step->to : old->to;
    struct log_field fields[10] = {
        log_str("ns", step != NULL ? step->coll->ns : old->ns),
        log_str("min", min),
        log_str("max", max),
        log_str("from", from),
        log_str("to", split ? NULL : to),
        log_i64("row", e->row),
        log_str("why", event_why(e)),
    };
    size_t n = 7;
    if (step != NULL && step->bytes >= 0)
        fields[n++] = log_i64("bytes", step->bytes);
    if (e->kind == EXECUTOR_ENDED)
        fields[n++] = log_seconds("took", (double)e->took_ms / 1000);
    if (e->kind == EXECUTOR_RETRY)
        fields[n++] = log_seconds("wait", (double)e->wait_ms / 1000);
    enum log_id id = LOG_MIGRATION_ABORTED;
    switch (e->kind) {
    case EXECUTOR_STARTED:
        id = split ? LOG_SPLIT_START : LOG_MIGRATION_START;
        break;
    case EXECUTOR_UNKNOWN:
    case EXECUTOR_INHERITED:
        id = LOG_MIGRATION_UNKNOWN;
        break;
    case EXECUTOR_RETRY:
        id = LOG_MIGRATION_RETRY;
        break;
    case EXECUTOR_ENDED:
        id = e->state == MIGRATION_COMMITTED ? (split ? LOG_SPLIT_COMMIT : LOG_MIGRATION_COMMIT)
             : e->state == MIGRATION_FAILED  ? (split ? LOG_SPLIT_FAILED : LOG_MIGRATION_FAILED)
                                             : LOG_MIGRATION_ABORTED;
        break;
    case EXECUTOR_DROPPED:
        break;
    }
    log_line(s->log, id, fields, n);
}

static void count_event(struct service *s, const struct executor_event *e)
{
    bool split = e->step != NULL ? e->step->kind == WORK_SPLIT : e->inherited->kind == JOURNAL_SPLIT;
    if (e->kind == EXECUTOR_RETRY)
        s->counted->count.retries++;
    if (e->kind == EXECUTOR_UNKNOWN)
        s->counted->count.unknown++;
    if (e->kind != EXECUTOR_ENDED)
        return;
    if (e->step == NULL)
        s->settled[e->state]++;
    if (split) {
        s->counted->count.splits += e->state == MIGRATION_COMMITTED;
    } else if (e->state == MIGRATION_COMMITTED) {
        s->counted->count.migrations_committed++;
        s->counted->count.migration_seconds += (double)e->took_ms / 1000;
        s->counted->count.bytes_moved += e->step == NULL ? 0 : (uint64_t)MAX(e->step->bytes, 0);
    } else {
        s->counted->count.migrations_failed += e->state == MIGRATION_FAILED;
        s->counted->count.migrations_aborted += e->state == MIGRATION_ABORTED;
    }
}

static const char *event_text(const struct executor_event *e)
{
    switch (e->kind) {
    case EXECUTOR_STARTED:
        return "started";
    case EXECUTOR_ENDED:
        return migration_state_text(e->state);
    case EXECUTOR_UNKNOWN:
        return "unknown";
    case EXECUTOR_RETRY:
        return "retry";
    case EXECUTOR_DROPPED:
        return "dropped";
    case EXECUTOR_INHERITED:
        return "inherited";
    }
    return "";
}

/* {"event": "committed", "ns": ..., ...} to those who wait for a forced round. */
static void tell_event(struct forced *f, const struct executor_event *e)
{
    if (f == NULL || f->followers->len == 0 || e->step == NULL)
        return;
    struct json_writer w;
    g_autoptr(GString) line = g_string_new(NULL);
    json_init(&w, line);
    json_object(&w, true);
    json_put_string(&w, "event", event_text(e));
    json_put_string(&w, "kind", e->step->kind == WORK_SPLIT ? "split" : "migration");
    json_put_string(&w, "ns", e->step->coll->ns);
    json_key(&w, "min");
    key_json(json_value(&w), e->step->min);
    json_key(&w, "max");
    key_json(json_value(&w), e->step->max);
    json_put_string(&w, "from", e->step->from);
    json_put_string(&w, "to", e->step->to);
    json_put_int(&w, "bytes", e->step->bytes);
    json_put_string(&w, "message", event_why(e));
    json_end(&w);
    forced_tell(f, line->str, false);
}

void rounds_on_event(void *data, const struct executor_event *e)
{
    struct service *s = data;
    log_event(s, e);
    count_event(s, e);
    tell_event(s->running, e);
}
