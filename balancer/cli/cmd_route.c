// SPDX-License-Identifier: Apache-2.0
/* evenkeel route NS QUERY: which chunks, zones and shards a filter reaches, and why. */
#include "balancer/cli/answers.h"

#include "balancer/answer/lookup.h"
#include "balancer/answer/route.h"
#include "balancer/key/show.h"

#include <string.h>

static const struct argp_option options[] = {
    {"all", ANSWER_OPT_ALL, NULL, 0, "List every chunk that is reached", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return answer_parse(key, arg, state, state->input);
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NS QUERY",
    .doc = "Which chunks, zones and shards a filter reaches: targeted to one shard, to some, or "
           "scatter-gather, and "
           "why."
           "\vNS is a sharded collection, QUERY a filter document in Extended JSON. Equality, $gt, $gte, "
           "$lt, $lte, "
           "$in, anchored regular expressions, $and and $or on the shard key's fields are understood, on a "
           "hashed "
           "field equality and $in; anything else narrows nothing. Both ends of a range count as reached, as "
           "they do "
           "for mongos. Formats: text (default), json."
           "\n\nExamples:\n"
           "  evenkeel route shop.orders '{\"region\": \"EU\", \"orderId\": {\"$gte\": 100, \"$lt\": 200}}' "
           "--snapshot "
           "cluster.json\n"
           "  evenkeel route telemetry.events '{\"deviceId\": {\"$in\": [1, 2]}}' --dump dump/config "
           "--format json\n",
    .children = answer_children,
};

static const char *const formats[] = {"text", "json", NULL};

static void chunk_json(struct json_writer *w, const cluster *cl, const route *r, uint32_t chunk)
{
    bson_t *min, *max;
    answer_chunk(r->coll, chunk, &min, &max);
    json_object(w, true);
    answer_put_doc(w, "min", min);
    answer_put_doc(w, "max", max);
    json_put_string(w, "shard", cl->shards[r->coll->chunks.shard[chunk]].id);
    answer_put_zone(w, "zone", cl, lookup_chunk_zone(r->coll, chunk).zone);
    json_end(w);
    bson_destroy(min);
    bson_destroy(max);
}

static void chunks_json(struct json_writer *w, const cluster *cl, const route *r, bool all)
{
    guint listed = 0;
    json_key(w, "chunks");
    json_array(w, false);
    for (guint i = 0; i < r->runs->len; i++) {
        const struct route_run *run = &g_array_index(r->runs, struct route_run, i);
        for (uint32_t c = run->first; c <= run->last && (all || listed < ANSWER_JSON_MAX); c++, listed++)
            chunk_json(w, cl, r, c);
    }
    json_end(w);
    json_put_bool(w, "chunksComplete", listed == r->n_chunks);
}

static void shares_json(struct json_writer *w, const cluster *cl, const char *key, const char *item,
                        const GArray *shares, bool zones)
{
    json_key(w, key);
    json_array(w, false);
    for (guint i = 0; i < shares->len; i++) {
        const struct route_share *s = &g_array_index(shares, struct route_share, i);
        json_object(w, true);
        if (zones)
            answer_put_zone(w, item, cl, s->number);
        else
            json_put_string(w, item, cl->shards[s->number].id);
        json_put_int(w, "chunks", s->chunks);
        json_end(w);
    }
    json_end(w);
}

static void report_route_json(const struct answer_args *a, const struct answer_input *in, const bson_t *query,
                              const route *r, GString *out)
{
    struct json_writer w;
    answer_begin_json(&w, out, in);
    json_put_string(&w, "ns", r->coll->ns);
    answer_put_doc(&w, "shardKey", &r->coll->key->doc);
    answer_put_doc(&w, "query", query);
    json_put_string(&w, "verdict", route_verdict_text(r->verdict));
    json_put_string(&w, "reason", r->reason);
    json_key(&w, "fields");
    json_array(&w, false);
    for (uint32_t f = 0; f < r->coll->key->n_fields; f++) {
        json_object(&w, true);
        json_put_string(&w, "field", r->coll->key->fields[f].name);
        json_put_bool(&w, "hashed", r->coll->key->fields[f].hashed);
        json_put_string(&w, "narrowedTo", route_constraint_text(r->fields[f]));
        json_end(&w);
    }
    json_end(&w);
    shares_json(&w, in->cl, "shards", "shard", r->shards, false);
    shares_json(&w, in->cl, "zones", "zone", r->zones, true);
    json_put_int(&w, "chunksReached", r->n_chunks);
    json_put_int(&w, "chunksTotal", r->coll->chunks.n);
    chunks_json(&w, in->cl, r, a->all);
    answer_put_strings(&w, "notes", r->notes);
    json_end(&w);
    g_string_append_c(out, '\n');
}

static void shares_text(struct page *pg, const cluster *cl, const route *r)
{
    static const struct page_column columns[] = {{.title = "shard"}, {.title = "chunks", .right = true}};
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < r->shards->len; i++) {
        const struct route_share *s = &g_array_index(r->shards, struct route_share, i);
        page_table_row(t);
        page_table_cell(t, INK_NONE, answer_name(pg, cl->shards[s->number].id));
        page_table_cell(t, INK_NONE, answer_count(s->chunks));
    }
    if (r->shards->len > 0)
        page_table_print(t);
}

static void chunks_text(const struct answer_args *a, struct page *pg, const cluster *cl, const route *r)
{
    static const struct page_column columns[] = {{.title = "min", .min = 12},
                                                 {.title = "max", .min = 12},
                                                 {.title = "shard", .min = 8},
                                                 {.title = "zone", .drop = 1, .min = 6}};
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    guint shown = answer_shown(a, r->n_chunks), n = 0;
    for (guint i = 0; i < r->runs->len && n < shown; i++) {
        const struct route_run *run = &g_array_index(r->runs, struct route_run, i);
        for (uint32_t c = run->first; c <= run->last && n < shown; c++, n++) {
            bson_t *min, *max;
            uint32_t zone = lookup_chunk_zone(r->coll, c).zone;
            answer_chunk(r->coll, c, &min, &max);
            page_table_row(t);
            page_table_cell(t, INK_NONE, answer_bound(pg, min));
            page_table_cell(t, INK_NONE, answer_bound(pg, max));
            page_table_cell(t, INK_NONE, answer_name(pg, cl->shards[r->coll->chunks.shard[c]].id));
            page_table_cell(t, INK_NONE, answer_name(pg, zone == ZONE_NONE ? "-" : cl->zones[zone]));
            bson_destroy(min);
            bson_destroy(max);
        }
    }
    if (n > 0)
        page_table_print(t);
    answer_more(pg, 2, r->n_chunks - n);
}

static void report_route_text(const struct answer_args *a, const struct answer_input *in, const bson_t *query,
                              const route *r, GString *out)
{
    static const struct {
        const char *label;
        enum ink ink;
    } verdicts[] = {[ROUTE_NONE] = {"Matches nothing:", INK_WARNING},
                    [ROUTE_ONE] = {"Targeted to one shard:", INK_GOOD},
                    [ROUTE_SOME] = {"Targeted to some shards:", INK_NONE},
                    [ROUTE_ALL] = {"Scatter-gather:", INK_WARNING}};
    struct page pg;
    answer_page(a, &pg, out);
    g_autofree char *ns = answer_name(&pg, r->coll->ns), *key = answer_doc(&pg, &r->coll->key->doc);
    g_autofree char *filter = answer_doc(&pg, query), *reason = page_elide(&pg, r->reason, 0);
    g_autofree char *head =
        g_strdup_printf("%s%skey %s%sfilter %s", ns, page_dot(&pg), key, page_dot(&pg), filter);
    page_paragraph(&pg, 0, INK_HEADING, NULL, head);
    page_paragraph(&pg, 0, verdicts[r->verdict].ink, verdicts[r->verdict].label, reason);
    if (a->common.quiet)
        return;
    for (guint i = 0; i < r->notes->len; i++) {
        g_autofree char *note = page_elide(&pg, r->notes->pdata[i], 0);
        page_paragraph(&pg, 0, INK_WARNING, "note:", note);
    }
    if (r->n_chunks == 0)
        return;
    page_blank(&pg);
    shares_text(&pg, in->cl, r);
    page_blank(&pg);
    chunks_text(a, &pg, in->cl, r);
}

static bool route_query(struct answer_args *a, const char *format, const bson_t *query, struct err *err)
{
    struct answer_input in;
    g_autoptr(route) r = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!answer_read(a, &in, err))
        return false;
    bool ok = route_make(in.cl, a->words[0], query, &r, err);
    if (ok && strcmp(format, "json") == 0)
        report_route_json(a, &in, query, r, out);
    else if (ok)
        report_route_text(a, &in, query, r, out);
    ok = ok && cli_write(&a->common, out, err);
    answer_input_clear(&in);
    return ok;
}

static void run(struct answer_args *a, struct err *err)
{
    bson_t query;
    const char *format = cli_format(&a->common, formats, err);
    if (format == NULL)
        return;
    if (a->n_words != 2) {
        err_set(err, ERR_USAGE,
                "%s; use 'evenkeel route NS QUERY', for example: evenkeel route shop.users "
                "'{\"userId\": 5}' --snapshot cluster.json",
                a->n_words == 0   ? "neither a collection nor a filter is given"
                : a->n_words == 1 ? "no filter is given"
                                  : "there are too many arguments");
        return;
    }
    if (!key_parse_doc(a->words[1], &query, err)) {
        err_wrap(err, "the filter");
        return;
    }
    route_query(a, format, &query, err);
    bson_destroy(&query);
}

int cmd_route(int argc, char **argv, struct err *err)
{
    struct answer_args a = {.common = {.err = err}, .source = {.err = err}};
    if (cli_parse(&argp, argc, argv, &a, err))
        run(&a, err);
    answer_clear(&a);
    return 0;
}
