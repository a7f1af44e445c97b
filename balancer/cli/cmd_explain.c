// SPDX-License-Identifier: Apache-2.0
/* evenkeel explain NS [--chunk KEY | --shard ID]: every rule applied to it, in order, with its answer. */
#include "balancer/cli/answers.h"

#include "balancer/answer/explain.h"
#include "balancer/key/show.h"
#include "balancer/report/whatif.h"

#include <string.h>

struct explain_args {
    struct answer_args a; /* first: shared parsers look at it */
    char *chunk, *shard;
};

enum { OPT_CHUNK = 0x3100, OPT_SHARD };

static const struct argp_option options[] = {
    {"chunk", OPT_CHUNK, "KEY", 0,
     "Explain the chunk that holds this shard key, an Extended JSON document of its first fields or all", 1},
    {"shard", OPT_SHARD, "ID", 0, "Explain this shard towards the collection", 0},
    {"policy", ANSWER_OPT_POLICY, "NAME", 0, "auto (by server version, the default), count, size, optimal",
     2},
    {"time-series", ANSWER_OPT_TIME_SERIES, "HOW", 0,
     "exclude time-series collections (the default), or spread them even(ly)", 0},
    {0},
};

static error_t take_once(char **field, char *arg, struct explain_args *in, const char *option)
{
    if (*field != NULL) {
        err_set(in->a.common.err, ERR_USAGE, "it is given twice; give one");
        return cli_bad_value(in->a.common.err, option);
    }
    *field = arg;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct explain_args *in = state->input;
    switch (key) {
    case OPT_CHUNK:
        return take_once(&in->chunk, arg, in, "--chunk");
    case OPT_SHARD:
        return take_once(&in->shard, arg, in, "--shard");
    default:
        return answer_parse(key, arg, state, &in->a);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NS",
    .doc = "Why a collection, one of its chunks, or a shard moves or does not move: every rule that is "
           "applied, in "
           "order, with its answer (YES: it allows or calls for a migration; NO: it does not; WAIT: "
           "something else "
           "comes first) and the numbers."
           "\vFormats: text (default), json."
           "\n\nExamples:\n"
           "  evenkeel explain shop.orders --snapshot cluster.json\n"
           "  evenkeel explain shop.orders --chunk '{\"region\": \"EU\", \"orderId\": 5}' --snapshot "
           "cluster.json\n"
           "  evenkeel explain shop.orders --shard shard2 --dump dump/config --policy size\n",
    .children = answer_whatif_children,
};

static const char *const formats[] = {"text", "json", NULL};
static const char *const kinds[] = {
    [EXPLAIN_COLLECTION] = "collection", [EXPLAIN_CHUNK] = "chunk", [EXPLAIN_SHARD] = "shard"};

static void chunk_json(struct json_writer *w, const cluster *cl, const explanation *e)
{
    bson_t *min, *max;
    const struct chunks *ch = &e->coll->chunks;
    g_autofree char *version = collection_version_text(e->coll, ch->version[e->chunk]);
    answer_chunk(e->coll, e->chunk, &min, &max);
    json_key(w, "chunk");
    json_object(w, false);
    answer_put_doc(w, "min", min);
    answer_put_doc(w, "max", max);
    json_put_string(w, "shard", cl->shards[e->shard].id);
    answer_put_zone(w, "zone", cl, e->zone);
    json_put_bool(w, "jumbo", (ch->flags[e->chunk] & CHUNK_JUMBO) != 0);
    answer_put_bytes(w, "bytes", ch->bytes[e->chunk]);
    json_put_string(w, "version", version);
    json_end(w);
    bson_destroy(min);
    bson_destroy(max);
}

static void report_explain_json(const struct answer_input *in, const explanation *e, GString *out)
{
    struct json_writer w;
    answer_begin_json(&w, out, in);
    json_put_string(&w, "ns", e->coll->ns);
    json_put_string(&w, "subject", kinds[e->kind]);
    json_put_string(&w, "policy", e->policy->name);
    if (e->kind == EXPLAIN_CHUNK)
        chunk_json(&w, in->cl, e);
    if (e->kind == EXPLAIN_SHARD)
        json_put_string(&w, "shard", in->cl->shards[e->shard].id);
    json_key(&w, "outcome");
    json_object(&w, false);
    json_put_string(&w, "answer", explain_answer_text(e->outcome));
    json_put_string(&w, "why", e->outcome_why);
    json_end(&w);
    json_key(&w, "rules");
    json_array(&w, false);
    for (guint i = 0; i < e->rules->len; i++) {
        const struct explain_rule *r = &g_array_index(e->rules, struct explain_rule, i);
        json_object(&w, false);
        json_put_string(&w, "code", r->code);
        json_put_string(&w, "answer", explain_answer_text(r->answer));
        json_put_string(&w, "subject", r->subject);
        json_put_string(&w, "why", r->why);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    g_string_append_c(out, '\n');
}

/* "chunk [min, max) on shard0, zone EU, jumbo, 1.2 MiB, version 2|1||..." */
static void append_chunk(GString *s, const struct page *pg, const cluster *cl, const explanation *e)
{
    bson_t *min, *max;
    const struct chunks *ch = &e->coll->chunks;
    g_autofree char *version = collection_version_text(e->coll, ch->version[e->chunk]);
    answer_chunk(e->coll, e->chunk, &min, &max);
    g_autofree char *from = answer_doc(pg, min), *to = answer_doc(pg, max);
    g_autofree char *shard = answer_name(pg, cl->shards[e->shard].id);
    g_autofree char *zone = answer_name(pg, cluster_zone_name(cl, e->zone));
    g_autofree char *bytes = answer_bytes(ch->bytes[e->chunk]);
    g_string_append_printf(s, "%schunk [%s, %s) on %s%s%s%s%s%s%s%sversion %s", page_dot(pg), from, to, shard,
                           page_dot(pg), e->zone == ZONE_NONE ? "" : "zone ", zone,
                           (ch->flags[e->chunk] & CHUNK_JUMBO) != 0 ? ", jumbo" : "", page_dot(pg), bytes,
                           page_dot(pg), version);
    bson_destroy(min);
    bson_destroy(max);
}

static void rule_text(struct page *pg, const struct explain_rule *r)
{
    static const enum ink inks[] = {
        [EXPLAIN_YES] = INK_GOOD, [EXPLAIN_NO] = INK_NONE, [EXPLAIN_WAIT] = INK_WARNING};
    g_autofree char *subject = r->subject == NULL ? NULL : answer_name(pg, r->subject);
    g_autofree char *why = page_elide(pg, r->why, 0);
    g_autofree char *label = g_strdup_printf("%-4s %s%s%s%s:", explain_answer_text(r->answer), r->code,
                                             subject == NULL ? "" : " (", subject == NULL ? "" : subject,
                                             subject == NULL ? "" : ")");
    page_paragraph(pg, 2, inks[r->answer], label, why);
}

static void report_explain_text(const struct answer_args *a, const struct answer_input *in,
                                const explanation *e, GString *out)
{
    struct page pg;
    answer_page(a, &pg, out);
    g_autofree char *ns = answer_name(&pg, e->coll->ns);
    g_autoptr(GString) head = g_string_new(ns);
    if (e->kind == EXPLAIN_CHUNK)
        append_chunk(head, &pg, in->cl, e);
    if (e->kind == EXPLAIN_SHARD) {
        g_autofree char *shard = answer_name(&pg, in->cl->shards[e->shard].id);
        g_string_append_printf(head, "%sshard %s", page_dot(&pg), shard);
    }
    g_string_append_printf(head, "%spolicy %s", page_dot(&pg), e->policy->name);
    page_paragraph(&pg, 0, INK_HEADING, NULL, head->str);
    whatif_text(&pg, in->whatif);
    g_autofree char *label = g_strdup_printf("%s:", explain_answer_text(e->outcome));
    g_autofree char *why = page_elide(&pg, e->outcome_why, 0);
    page_paragraph(&pg, 0, e->outcome == EXPLAIN_YES ? INK_GOOD : INK_WARNING, label, why);
    if (a->common.quiet)
        return;
    page_blank(&pg);
    for (guint i = 0; i < e->rules->len; i++)
        rule_text(&pg, &g_array_index(e->rules, struct explain_rule, i));
}

static bool explain_any(const struct explain_args *in, const struct answer_input *src, explanation **ret,
                        struct err *err)
{
    const char *ns = in->a.words[0];
    const struct plan_options *opt = &src->planning.opt;
    if (in->shard != NULL)
        return explain_shard(src->cl, opt, ns, in->shard, ret, err);
    if (in->chunk == NULL)
        return explain_collection(src->cl, opt, ns, ret, err);
    bson_t key;
    if (!key_parse_doc(in->chunk, &key, err))
        return err_wrap(err, "--chunk");
    bool ok = explain_chunk(src->cl, opt, ns, &key, ret, err);
    bson_destroy(&key);
    return ok;
}

static void run(struct explain_args *in, struct err *err)
{
    struct answer_input src;
    const char *format = cli_format(&in->a.common, formats, err);
    if (format == NULL)
        return;
    if (in->a.n_words != 1) {
        err_set(err, ERR_USAGE,
                "%s; use 'evenkeel explain NS', for example: evenkeel explain shop.users --snapshot "
                "cluster.json",
                in->a.n_words == 0 ? "no collection is given" : "more than one collection is given");
        return;
    }
    if (in->chunk != NULL && in->shard != NULL) {
        err_set(err, ERR_USAGE, "--chunk and --shard exclude each other; give one");
        return;
    }
    if (!answer_read(&in->a, &src, err))
        return;
    g_autoptr(explanation) e = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    if (explain_any(in, &src, &e, err)) {
        if (strcmp(format, "json") == 0)
            report_explain_json(&src, e, out);
        else
            report_explain_text(&in->a, &src, e, out);
        cli_write(&in->a.common, out, err);
    }
    answer_input_clear(&src);
}

int cmd_explain(int argc, char **argv, struct err *err)
{
    struct explain_args in = {.a = {.common = {.err = err}, .source = {.err = err}}};
    if (cli_parse(&argp, argc, argv, &in, err))
        run(&in, err);
    answer_clear(&in.a);
    return 0;
}
