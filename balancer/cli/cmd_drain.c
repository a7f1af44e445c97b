// SPDX-License-Identifier: Apache-2.0
/* evenkeel drain SHARD: what emptying a shard takes, and what stands in its way. */
#include "balancer/cli/answers.h"

#include "balancer/answer/drain.h"
#include "balancer/report/advice_out.h"
#include "balancer/report/whatif.h"
#include "balancer/report/words.h"
#include "common/text.h"

#include <string.h>

static const struct argp_option options[] = {
    {"policy", ANSWER_OPT_POLICY, "NAME", 0, "auto (by server version, the default), count, size, optimal",
     1},
    {"time-series", ANSWER_OPT_TIME_SERIES, "HOW", 0,
     "exclude time-series collections (the default), or spread them even(ly)", 0},
    {"all", ANSWER_OPT_ALL, NULL, 0, "Fold no long list", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return answer_parse(key, arg, state, state->input);
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "SHARD",
    .doc =
        "What emptying a shard takes: chunks and data per collection, jumbo chunks, databases and unsharded "
        "collections, zones that forbid a destination, steps in order, time, and what blocks it now. Nothing "
        "is "
        "started."
        "\vThe projection takes the shard as draining. Formats: text (default), json."
        "\n\nExamples:\n"
        "  evenkeel drain shard2 --snapshot cluster.json\n"
        "  evenkeel drain shard2 --dump dump/config --sizes sizes.json --format json\n",
    .children = answer_whatif_children,
};

static const char *const formats[] = {"text", "json", NULL};

static void collections_json(struct json_writer *w, const drain *d)
{
    json_key(w, "collections");
    json_array(w, false);
    for (guint i = 0; i < d->collections->len; i++) {
        const struct drain_collection *c = &g_array_index(d->collections, struct drain_collection, i);
        json_object(w, true);
        json_put_string(w, "ns", c->coll->ns);
        json_put_int(w, "chunks", c->chunks);
        json_put_int(w, "jumbo", c->jumbo);
        answer_put_bytes(w, "bytes", c->bytes);
        answer_put_bytes(w, "chunksAfter", c->chunks_after);
        json_put_int(w, "migrations", c->n_migrations);
        json_put_string(w, "excludedReason", excluded_text(c->excluded));
        json_end(w);
    }
    json_end(w);
}

static void jumbo_json(struct json_writer *w, const drain *d)
{
    json_key(w, "jumbo");
    json_array(w, false);
    for (guint i = 0; i < d->jumbo->len; i++) {
        const struct drain_jumbo *j = &g_array_index(d->jumbo, struct drain_jumbo, i);
        bson_t *min, *max;
        answer_chunk(j->coll, j->chunk, &min, &max);
        json_object(w, true);
        json_put_string(w, "ns", j->coll->ns);
        answer_put_doc(w, "min", min);
        answer_put_doc(w, "max", max);
        answer_put_bytes(w, "bytes", j->coll->chunks.bytes[j->chunk]);
        json_put_string(w, "fix", j->fix);
        json_end(w);
        bson_destroy(min);
        bson_destroy(max);
    }
    json_end(w);
}

static void homes_json(struct json_writer *w, const drain *d)
{
    json_key(w, "databases");
    json_array(w, true);
    for (guint i = 0; i < d->databases->len; i++)
        json_string(w, g_array_index(d->databases, char *, i));
    json_end(w);
    json_key(w, "unsharded");
    json_array(w, true);
    for (guint i = 0; i < d->unsplittable->len; i++)
        json_string(w, g_array_index(d->unsplittable, const struct collection *, i)->ns);
    json_end(w);
    json_key(w, "zones");
    json_array(w, false);
    for (guint i = 0; i < d->zones->len; i++) {
        const struct drain_zone *z = &g_array_index(d->zones, struct drain_zone, i);
        json_object(w, true);
        json_put_string(w, "ns", z->coll->ns);
        answer_put_zone(w, "zone", d->cl, z->zone);
        json_put_int(w, "chunks", z->chunks);
        answer_put_shards(w, "receivers", d->cl, z->receivers);
        json_end(w);
    }
    json_end(w);
}

static void steps_json(struct json_writer *w, const drain *d)
{
    json_key(w, "blockers");
    json_array(w, false);
    for (guint i = 0; i < d->blockers->len; i++) {
        const struct drain_blocker *b = &g_array_index(d->blockers, struct drain_blocker, i);
        json_object(w, false);
        json_put_string(w, "code", b->code);
        json_put_string(w, "ns", b->ns);
        json_put_string(w, "why", b->why);
        json_put_string(w, "fix", b->fix);
        json_end(w);
    }
    json_end(w);
    json_key(w, "steps");
    json_array(w, false);
    for (guint i = 0; i < d->steps->len; i++) {
        const struct drain_step *s = &g_array_index(d->steps, struct drain_step, i);
        json_object(w, false);
        json_put_int(w, "step", i + 1);
        json_put_string(w, "what", s->what);
        answer_put_strings(w, "commands", s->commands);
        json_end(w);
    }
    json_end(w);
}

static void report_drain_json(const struct answer_input *in, const drain *d, GString *out)
{
    struct json_writer w;
    answer_begin_json(&w, out, in);
    json_put_string(&w, "shard", d->cl->shards[d->shard].id);
    json_put_string(&w, "policy", d->policy->name);
    json_put_bool(&w, "draining", d->already);
    answer_put_shards(&w, "otherDraining", d->cl, d->others);
    json_put_bool(&w, "blocked", d->blockers->len > 0);
    json_put_int(&w, "chunks", d->chunks);
    answer_put_bytes(&w, "bytes", d->bytes);
    json_put_int(&w, "chunksLeft", d->left);
    json_put_int(&w, "jumboChunks", d->jumbo_total);
    json_key(&w, "projection");
    json_object(&w, false);
    json_put_int(&w, "migrations", d->migrations);
    json_put_int(&w, "rounds", d->rounds);
    answer_put_bytes(&w, "bytes", d->bytes_moved);
    json_put_double(&w, "expectedSeconds", d->seconds);
    json_put_double(&w, "lowSeconds", d->low);
    json_put_double(&w, "highSeconds", d->high);
    json_put_string(&w, "basis", time_basis_text(d->basis));
    json_end(&w);
    collections_json(&w, d);
    jumbo_json(&w, d);
    homes_json(&w, d);
    steps_json(&w, d);
    advice_json(&w, d->cl, d->advice);
    json_end(&w);
    g_string_append_c(out, '\n');
}

static void summary_text(struct page *pg, const drain *d)
{
    g_autofree char *chunks = text_count(d->chunks), *moves = text_count(d->migrations);
    g_autofree char *bytes = d->bytes < 0 ? g_strdup("data of unknown size") : text_bytes(d->bytes);
    g_autofree char *time = text_duration(d->seconds), *low = text_duration(d->low),
                    *high = text_duration(d->high);
    const struct plan_time when = {
        .starts_at = d->starts_at, .expected_end = d->ends_at, .latest_end = d->ends_at};
    const bool same = strcmp(low, high) == 0;
    g_autoptr(GString) s = g_string_new(NULL);
    if (d->chunks == 0)
        g_string_append(s, "it holds no chunks.");
    else
        g_string_append_printf(
            s, "it holds %s chunk%s, %s; %s migration%s in %u round%s take about %s (%s%s%s, basis: %s).",
            chunks, d->chunks == 1 ? "" : "s", bytes, moves, d->migrations == 1 ? "" : "s", d->rounds,
            d->rounds == 1 ? "" : "s", time, low, same ? "" : " to ", same ? "" : high,
            time_basis_text(d->basis));
    words_ends(s, &when);
    if (d->left > 0) {
        g_autofree char *left = text_count(d->left);
        g_string_append_printf(s, " %s chunk%s stay%s as things are, so it never gets empty.", left,
                               d->left == 1 ? "" : "s", d->left == 1 ? "s" : "");
    }
    bool stuck = d->blockers->len > 0;
    page_paragraph(pg, 0, stuck ? INK_WARNING : INK_GOOD, stuck ? "Blocked:" : "It can be emptied:", s->str);
}

static void collections_text(const struct answer_args *a, struct page *pg, const drain *d)
{
    static const struct page_column columns[] = {
        {.title = "collection", .min = 12},     {.title = "chunks", .right = true},
        {.title = "jumbo", .right = true},      {.title = "data", .right = true},
        {.title = "migrations", .right = true}, {.title = "stay", .right = true},
        {.title = "excluded", .drop = 1}};
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    guint shown = answer_shown(a, d->collections->len);
    for (guint i = 0; i < shown; i++) {
        const struct drain_collection *c = &g_array_index(d->collections, struct drain_collection, i);
        int64_t stay = c->chunks_after < 0 ? c->chunks : c->chunks_after;
        const char *excluded = excluded_text(c->excluded);
        page_table_row(t);
        page_table_cell(t, INK_NONE, answer_name(pg, c->coll->ns));
        page_table_cell(t, INK_NONE, answer_count(c->chunks));
        page_table_cell(t, c->jumbo > 0 ? INK_WARNING : INK_NONE, answer_count(c->jumbo));
        page_table_cell(t, INK_NONE, answer_bytes(c->bytes));
        page_table_cell(t, INK_NONE, answer_count(c->n_migrations));
        page_table_cell(t, stay > 0 ? INK_WARNING : INK_NONE, answer_count(stay));
        page_table_cell(t, INK_WARNING, g_strdup(excluded == NULL ? "" : excluded));
    }
    if (shown == 0)
        return;
    page_blank(pg);
    page_table_print(t);
    answer_more(pg, 0, d->collections->len - shown);
}

static void command_text(struct page *pg, const char *command)
{
    g_autofree char *clean = page_elide(pg, command, 0);
    g_string_append_printf(pg->out, "     %s\n", clean);
}

static void jumbo_text(const struct answer_args *a, struct page *pg, const drain *d)
{
    guint shown = answer_shown(a, d->jumbo->len);
    if (shown == 0)
        return;
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, "Chunks flagged jumbo");
    for (guint i = 0; i < shown; i++) {
        const struct drain_jumbo *j = &g_array_index(d->jumbo, struct drain_jumbo, i);
        bson_t *min, *max;
        answer_chunk(j->coll, j->chunk, &min, &max);
        g_autofree char *ns = answer_name(pg, j->coll->ns), *from = answer_doc(pg, min),
                        *to = answer_doc(pg, max);
        g_autofree char *bytes = answer_bytes(j->coll->chunks.bytes[j->chunk]);
        g_autofree char *line = g_strdup_printf("%s [%s, %s), %s", ns, from, to, bytes);
        page_paragraph(pg, 2, INK_NONE, NULL, line);
        command_text(pg, j->fix);
        bson_destroy(min);
        bson_destroy(max);
    }
    answer_more(pg, 2, (guint)(d->jumbo_total - shown));
}

static void zones_text(const struct answer_args *a, struct page *pg, const drain *d)
{
    static const struct page_column columns[] = {{.title = "collection", .min = 12},
                                                 {.title = "zone", .min = 6},
                                                 {.title = "chunks", .right = true},
                                                 {.title = "may go to", .min = 12}};
    guint shown = answer_shown(a, d->zones->len);
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    for (guint i = 0; i < shown; i++) {
        const struct drain_zone *z = &g_array_index(d->zones, struct drain_zone, i);
        g_autoptr(GString) to = g_string_new(z->receivers->len == 0 ? "nowhere" : NULL);
        for (guint k = 0; k < z->receivers->len; k++) {
            g_autofree char *id = answer_name(pg, d->cl->shards[g_array_index(z->receivers, uint16_t, k)].id);
            g_string_append_printf(to, "%s%s", k > 0 ? ", " : "", id);
        }
        page_table_row(t);
        page_table_cell(t, INK_NONE, answer_name(pg, z->coll->ns));
        page_table_cell(t, INK_NONE, answer_name(pg, cluster_zone_name(d->cl, z->zone)));
        page_table_cell(t, INK_NONE, answer_count(z->chunks));
        page_table_cell(t, z->receivers->len == 0 ? INK_ALERT : INK_NONE, g_strdup(to->str));
    }
    if (shown == 0)
        return;
    page_blank(pg);
    page_table_print(t);
    answer_more(pg, 0, d->zones->len - shown);
}

static void steps_text(const struct answer_args *a, struct page *pg, const drain *d)
{
    guint shown = answer_shown(a, d->blockers->len);
    for (guint i = 0; i < shown; i++) {
        const struct drain_blocker *b = &g_array_index(d->blockers, struct drain_blocker, i);
        g_autofree char *why = page_elide(pg, b->why, 0), *label = g_strdup_printf("blocked %s:", b->code);
        if (i == 0)
            page_blank(pg);
        page_paragraph(pg, 0, INK_WARNING, label, why);
        if (b->fix != NULL)
            command_text(pg, b->fix);
    }
    answer_more(pg, 0, d->blockers->len - shown);
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, "Steps");
    for (guint i = 0; i < d->steps->len; i++) {
        const struct drain_step *s = &g_array_index(d->steps, struct drain_step, i);
        g_autofree char *number = g_strdup_printf("%u.", i + 1);
        page_paragraph(pg, 2, INK_NONE, number, s->what);
        guint commands = answer_shown(a, s->commands->len);
        for (guint k = 0; k < commands; k++)
            command_text(pg, s->commands->pdata[k]);
        answer_more(pg, 5, s->commands->len - commands);
    }
}

static void report_drain_text(const struct answer_args *a, const struct answer_input *in, const drain *d,
                              GString *out)
{
    struct page pg;
    answer_page(a, &pg, out);
    g_autofree char *id = answer_name(&pg, d->cl->shards[d->shard].id);
    g_autofree char *head =
        g_strdup_printf("drain %s%spolicy %s%s%s", id, page_dot(&pg), d->policy->name,
                        d->already ? page_dot(&pg) : "", d->already ? "draining already" : "");
    page_paragraph(&pg, 0, INK_HEADING, NULL, head);
    whatif_text(&pg, in->whatif);
    summary_text(&pg, d);
    if (a->common.quiet)
        return;
    for (guint i = 0; i < d->others->len; i++) {
        g_autofree char *other = answer_name(&pg, d->cl->shards[g_array_index(d->others, uint16_t, i)].id);
        g_autofree char *line = g_strdup_printf("%s is draining as well, and receives nothing", other);
        page_paragraph(&pg, 0, INK_WARNING, "note:", line);
    }
    collections_text(a, &pg, d);
    zones_text(a, &pg, d);
    jumbo_text(a, &pg, d);
    steps_text(a, &pg, d);
    advice_text(&pg, d->advice);
}

static bool asks_itself(const struct answer_args *a)
{
    const change_list *whatif = a->source.whatif;
    for (guint i = 0; whatif != NULL && i < whatif->list->len; i++) {
        const struct wished *ch = &g_array_index(whatif->list, struct wished, i);
        if (ch->kind == CHANGE_DRAIN && strcmp(ch->shard, a->words[0]) == 0)
            return true;
    }
    return false;
}

static void run(struct answer_args *a, struct err *err)
{
    struct answer_input in;
    const char *format = cli_format(&a->common, formats, err);
    if (format == NULL)
        return;
    if (a->n_words != 1) {
        err_set(err, ERR_USAGE,
                "%s; use 'evenkeel drain SHARD', for example: evenkeel drain shard2 --snapshot "
                "cluster.json",
                a->n_words == 0 ? "no shard is given" : "more than one shard is given");
        return;
    }
    if (asks_itself(a)) {
        err_set(err, ERR_USAGE,
                "shard '%s' is the one that is asked about; --drain names others that are draining as well",
                a->words[0]);
        return;
    }
    if (!answer_read(a, &in, err))
        return;
    g_autoptr(drain) d = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    if (strcmp(format, "json") != 0) /* for programs: the same whenever it is asked */
        planning_when(in.cfg, in.cl, cli_starts_at(in.kind, in.cl), &in.planning);
    if (drain_make(in.cl, &in.planning.opt, a->words[0], &d, err)) {
        if (strcmp(format, "json") == 0)
            report_drain_json(&in, d, out);
        else
            report_drain_text(a, &in, d, out);
        cli_write(&a->common, out, err);
    }
    answer_input_clear(&in);
}

int cmd_drain(int argc, char **argv, struct err *err)
{
    struct answer_args a = {.common = {.err = err}, .source = {.err = err}};
    if (cli_parse(&argp, argc, argv, &a, err))
        run(&a, err);
    answer_clear(&a);
    return 0;
}
