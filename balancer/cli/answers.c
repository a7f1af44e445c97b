// SPDX-License-Identifier: Apache-2.0
#include "balancer/cli/answers.h"

#include "balancer/key/show.h"
#include "balancer/report/whatif.h"
#include "common/text.h"

#include <string.h>

const struct argp_child answer_children[] = {
    {&cli_source_argp, 0, "Where the metadata comes from:", 5},
    {&cli_common_argp, 0, "Common options:", 10},
    {0},
};

enum { CHILD_WHATIF = 2 };
const struct argp_child answer_whatif_children[] = {
    {&cli_source_argp, 0, "Where the metadata comes from:", 5},
    {&cli_common_argp, 0, "Common options:", 10},
    {&cli_whatif_argp, 0, "What if:", 4},
    {0},
};

static bool parse_time_series(const char *how, struct answer_args *a)
{
    a->has_time_series = true;
    a->time_series_even = strcmp(how, "even") == 0;
    return a->time_series_even || strcmp(how, "exclude") == 0 ||
           err_set(a->common.err, ERR_USAGE, "'%s' is neither 'exclude' nor 'even'", how);
}

error_t answer_parse(int key, char *arg, struct argp_state *state, struct answer_args *a)
{
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->source;
        state->child_inputs[1] = &a->common;
        if (state->root_argp->children == answer_whatif_children)
            state->child_inputs[CHILD_WHATIF] = &a->source;
        return 0;
    case ARGP_KEY_ARG:
        if (a->n_words == ANSWER_WORDS_MAX)
            return ARGP_ERR_UNKNOWN;
        a->words[a->n_words++] = arg;
        return 0;
    case ANSWER_OPT_ALL:
        a->all = true;
        return 0;
    case ANSWER_OPT_POLICY:
        a->has_policy = true;
        return cli_parse_policy(arg, &a->policy, a->common.err) ? 0
                                                                : cli_bad_value(a->common.err, "--policy");
    case ANSWER_OPT_TIME_SERIES:
        return parse_time_series(arg, a) ? 0 : cli_bad_value(a->common.err, "--time-series");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void answer_clear(struct answer_args *a)
{
    cli_common_clear(&a->common);
    cli_source_clear(&a->source);
}

bool answer_read(struct answer_args *a, struct answer_input *ret, struct err *err)
{
    struct answer_input in = {0};
    bool ok = cli_load_config(&a->common, &in.cfg, err);
    if (ok) {
        a->source.cfg = in.cfg;
        ok = planning_init(in.cfg, a->source.namespaces, &in.planning, err) &&
             cli_read_cluster(&a->source, &in.cl, &in.kind, &in.name, err);
    }
    in.whatif = a->source.whatif;
    if (!ok) {
        answer_input_clear(&in);
        return false;
    }
    planning_change(&in.planning, in.whatif);
    if (a->has_policy)
        in.planning.opt.policy = a->policy;
    if (a->has_time_series)
        in.planning.opt.time_series_even = a->time_series_even;
    *ret = in;
    return true;
}

void answer_input_clear(struct answer_input *in)
{
    planning_clear(&in->planning);
    cluster_free(in->cl);
    config_free(in->cfg);
}

void answer_page(const struct answer_args *a, struct page *pg, GString *out)
{
    const struct report_style style = {.color = cli_color(&a->common),
                                       .width = cli_width(&a->common),
                                       .all = a->all,
                                       .quiet = a->common.quiet};
    page_init(pg, &style, out);
}

guint answer_shown(const struct answer_args *a, guint n)
{
    return a->all ? n : MIN(n, ANSWER_FOLD);
}

void answer_more(struct page *pg, unsigned indent, guint n)
{
    if (n == 0)
        return;
    g_autofree char *count = text_count(n);
    g_autofree char *line =
        g_strdup_printf("%s %s more; --all shows %s", page_dots(pg), count, n == 1 ? "it" : "them");
    page_paragraph(pg, indent, INK_NONE, NULL, line);
}

char *answer_doc(const struct page *pg, const bson_t *doc)
{
    g_autoptr(GString) s = g_string_new(NULL);
    key_show(s, doc, ANSWER_KEY_SHOWN);
    return page_elide(pg, s->str, 0);
}

char *answer_bound(const struct page *pg, const bson_t *bound)
{
    bson_iter_t it;
    g_autoptr(GString) s = g_string_new(NULL);
    if (bson_iter_init(&it, bound))
        while (bson_iter_next(&it)) {
            g_string_append(s, s->len > 0 ? ", " : "");
            key_show_value(s, &it, ANSWER_KEY_SHOWN / 2);
        }
    return page_elide(pg, s->str, 0);
}

char *answer_name(const struct page *pg, const char *name)
{
    return page_name(pg, name, 0);
}

char *answer_count(int64_t n)
{
    return n < 0 ? g_strdup("?") : text_count(n);
}

char *answer_bytes(int64_t bytes)
{
    return bytes < 0 ? g_strdup("?") : text_bytes(bytes);
}

void answer_chunk(const struct collection *coll, uint32_t chunk, bson_t **ret_min, bson_t **ret_max)
{
    *ret_min = bson_new();
    *ret_max = bson_new();
    chunk_min(coll, &coll->chunks, chunk, *ret_min);
    chunk_max(coll, &coll->chunks, chunk, *ret_max);
}

void answer_put_doc(struct json_writer *w, const char *key, const bson_t *doc)
{
    json_key(w, key);
    key_json(json_value(w), doc);
}

void answer_put_bytes(struct json_writer *w, const char *key, int64_t bytes)
{
    if (bytes < 0)
        json_put_null(w, key);
    else
        json_put_int(w, key, bytes);
}

void answer_put_zone(struct json_writer *w, const char *key, const cluster *cl, uint32_t zone)
{
    json_put_string(w, key, zone == ZONE_NONE ? NULL : cl->zones[zone]);
}

void answer_put_strings(struct json_writer *w, const char *key, const GPtrArray *strings)
{
    json_key(w, key);
    json_array(w, strings->len == 0);
    for (guint i = 0; i < strings->len; i++)
        json_string(w, strings->pdata[i]);
    json_end(w);
}

void answer_put_shards(struct json_writer *w, const char *key, const cluster *cl, const GArray *shards)
{
    json_key(w, key);
    json_array(w, true);
    for (guint i = 0; i < shards->len; i++)
        json_string(w, cl->shards[g_array_index(shards, uint16_t, i)].id);
    json_end(w);
}

void answer_begin_json(struct json_writer *w, GString *out, const struct answer_input *in)
{
    json_init(w, out);
    json_object(w, false);
    json_put_int(w, "schemaVersion", 1);
    json_key(w, "tool");
    json_object(w, true);
    json_put_string(w, "name", "evenkeel");
    json_put_string(w, "version", EVENKEEL_VERSION);
    json_end(w);
    json_key(w, "source");
    json_object(w, true);
    json_put_string(w, "kind", in->kind);
    json_put_string(w, "name", in->name);
    json_put_string(w, "serverVersion", in->cl->server_version);
    json_end(w);
    whatif_json(w, in->whatif);
}
