// SPDX-License-Identifier: Apache-2.0
/* One object a line in the shape of mongod's own log, so that what reads that one reads ours. */
#include "common/json_writer.h"
#include "common/log/log_private.h"

#include <math.h>

/* A number that is not finite is null, as JSON has none; durations are told to the millisecond. */
static void put_value(struct json_writer *w, const struct log_field *f)
{
    switch (f->type) {
    case LOG_FIELD_I64:
        json_int(w, f->i64);
        break;
    case LOG_FIELD_F64:
        json_double(w, f->f64);
        break;
    case LOG_FIELD_SECONDS:
        json_double(w, round(f->f64 * 1000) / 1000);
        break;
    case LOG_FIELD_BOOL:
        json_bool(w, f->boolean);
        break;
    case LOG_FIELD_STRING:
        json_string(w, f->string);
        break;
    }
}

void log_append_number(GString *out, const struct log_field *f)
{
    struct json_writer w;
    json_init(&w, out);
    put_value(&w, f);
}

void log_format_json(GString *out, const struct log_entry *e)
{
    static const char *const levels[] = {"E", "W", "I", "D1"};
    struct json_writer w;
    json_init(&w, out);
    json_object(&w, true);
    json_key(&w, "t");
    json_object(&w, true);
    json_key(&w, "$date");
    GString *value = json_value(&w);
    g_string_append_c(value, '"');
    log_append_time(value, e->now_ms);
    g_string_append_c(value, '"');
    json_end(&w);
    json_put_string(&w, "s", levels[e->message->level]);
    json_put_string(&w, "c", e->message->component);
    json_put_int(&w, "id", e->message->number);
    json_put_string(&w, "ctx", LOG_CONTEXT);
    json_put_string(&w, "msg", e->message->text);
    json_key(&w, "attr");
    json_object(&w, true);
    for (size_t i = 0; i < e->n; i++) {
        if (!log_field_counts(&e->fields[i]))
            continue;
        json_key(&w, e->fields[i].name);
        put_value(&w, &e->fields[i]);
    }
    json_end(&w);
    json_end(&w);
    g_string_append_c(out, '\n');
}
