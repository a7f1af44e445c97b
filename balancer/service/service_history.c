// SPDX-License-Identifier: Apache-2.0
/* Rows of the journal for the HTTP side, by the filters of its query. */
#include "balancer/service/service_private.h"

#include "common/globs.h"
#include "common/text.h"
#include "migrations/journal/history_json.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <string.h>

enum { READ_MS = 25 };

static const char *value_of(const struct evkeyvalq *query, const char *name)
{
    return evhttp_find_header(query, name);
}

static bool parse_time(const struct evkeyvalq *query, const char *name, int64_t now, int64_t *ret,
                       struct err *err)
{
    const char *text = value_of(query, name);
    return text == NULL || history_parse_time(text, now, ret, err) || err_wrap(err, "%s", name);
}

/* `ns` takes the patterns, borrowed from the query. */
static bool parse_patterns(const struct evkeyvalq *query, GPtrArray *ns, struct err *err)
{
    const struct evkeyval *kv;
    g_autoptr(globs) checked = globs_new();
    for (kv = query->tqh_first; kv != NULL; kv = kv->next.tqe_next) {
        if (strcmp(kv->key, "ns") != 0)
            continue;
        if (!globs_add(checked, kv->value, err))
            return err_wrap(err, "ns");
        g_ptr_array_add(ns, kv->value);
    }
    return true;
}

static bool parse_filter(const struct evkeyvalq *query, int64_t now, struct history_filter *f, GPtrArray *ns,
                         struct err *err)
{
    const char *state = value_of(query, "state"), *round = value_of(query, "round");
    if (!parse_patterns(query, ns, err))
        return false;
    f->ns = ns->len == 0 ? NULL : (const char *const *)ns->pdata;
    f->n_ns = ns->len;
    f->shard = value_of(query, "shard");
    return (state == NULL || history_parse_state(state, f, err)) &&
           parse_time(query, "since", now, &f->since, err) &&
           parse_time(query, "until", now, &f->until, err) &&
           (round == NULL || text_parse_int(round, 1, INT64_MAX, &f->round, err) || err_wrap(err, "round"));
}

static bool on_row(void *data, const struct history_row *r, struct err *err)
{
    (void)err;
    history_row_json(data, r);
    return true;
}

static bool write_rows(struct service *s, const struct history_filter *f, GString *out, struct err *err)
{
    struct json_writer w;
    json_init(&w, out);
    json_object(&w, false);
    json_put_int(&w, "schemaVersion", 1);
    json_key(&w, "rows");
    json_array(&w, false);
    journal_bound_reads(s->journal, READ_MS);
    bool read = history_rows(s->journal, f, on_row, &w, err);
    journal_bound_reads(s->journal, 0);
    json_end(&w);
    json_end(&w);
    return read;
}

bool service_history_json(void *data, const char *query_text, unsigned limit, GString *out, struct err *err)
{
    struct evkeyvalq query = {0};
    if (evhttp_parse_query_str(query_text == NULL ? "" : query_text, &query) != 0)
        return err_set(err, ERR_USAGE, "the query cannot be read");
    struct history_filter f = {.limit = limit};
    g_autoptr(GPtrArray) ns = g_ptr_array_new();
    bool done = parse_filter(&query, service_now(data), &f, ns, err) && write_rows(data, &f, out, err);
    evhttp_clear_headers(&query);
    return done;
}
