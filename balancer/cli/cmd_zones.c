// SPDX-License-Identifier: Apache-2.0
/* evenkeel zones show [NS] | check: zone ranges over the key space, and every fault in them. */
#include "balancer/cli/answers.h"

#include "balancer/answer/lookup.h"
#include "balancer/answer/zones_check.h"
#include "balancer/answer/zones_map.h"

#include <string.h>

static const struct argp_option options[] = {
    {"all", ANSWER_OPT_ALL, NULL, 0, "Fold no long list", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return answer_parse(key, arg, state, state->input);
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "show [NS]\ncheck",
    .doc =
        "Show the zone ranges of one collection, or of all that have some, in key order: who carries the "
        "zone, "
        "which chunks are inside, which cross a bound, and what no zone covers. Or check all zone ranges for "
        "faults, each told with its place and its fix."
        "\v'zones check' exits 65 where it finds an error, 0 where it finds none (there may be warnings). "
        "With "
        "--quiet it prints errors and warnings only. Formats: text (default), json."
        "\n\nExamples:\n"
        "  evenkeel zones show --snapshot cluster.json\n"
        "  evenkeel zones show shop.orders --dump dump/config\n"
        "  evenkeel zones check --snapshot cluster.json --format json\n",
    .children = answer_children,
};

static const char *const formats[] = {"text", "json", NULL};

static void part_json(struct json_writer *w, const cluster *cl, const struct zone_part *p)
{
    json_object(w, false);
    answer_put_zone(w, "zone", cl, p->range == NULL ? ZONE_NONE : p->range->zone);
    json_put_bool(w, "gap", p->range == NULL);
    answer_put_doc(w, "min", p->min);
    answer_put_doc(w, "max", p->max);
    g_autoptr(GArray) carriers = p->range == NULL ? g_array_new(FALSE, FALSE, sizeof(uint16_t))
                                                  : zones_carriers(cl, p->range->zone, NULL);
    answer_put_shards(w, "shards", cl, carriers);
    json_put_int(w, "chunks", p->inside);
    json_put_int(w, "chunksCrossing", p->crossing);
    answer_put_bytes(w, "bytes", p->bytes);
    json_put_bool(w, "extended", p->range != NULL && p->range->extended);
    json_end(w);
}

/* Whether `zones show` has a word to say of the collection. */
static bool is_shown(const struct answer_args *a, const struct collection *coll)
{
    if (a->n_words == 2)
        return strcmp(coll->ns, a->words[1]) == 0;
    return globs_match(a->source.namespaces, coll->ns) && (coll->n_ranges > 0 || coll->invalid != NULL);
}

static void show_collections_json(struct json_writer *w, const struct answer_args *a, const cluster *cl)
{
    json_key(w, "collections");
    json_array(w, false);
    for (uint32_t i = 0; i < cl->n_collections; i++) {
        const struct collection *coll = &cl->collections[i];
        if (!is_shown(a, coll))
            continue;
        json_object(w, false);
        json_put_string(w, "ns", coll->ns);
        json_put_string(w, "invalid", coll->invalid);
        if (coll->key != NULL)
            answer_put_doc(w, "shardKey", &coll->key->doc);
        json_key(w, "ranges");
        json_array(w, false);
        if (coll->invalid == NULL && coll->chunks.n > 0) {
            g_autoptr(zones_map) map = zones_map_new(coll);
            for (guint p = 0; p < map->parts->len; p++)
                part_json(w, cl, &g_array_index(map->parts, struct zone_part, p));
        }
        json_end(w);
        json_end(w);
    }
    json_end(w);
}

static void show_json(const struct answer_args *a, const struct answer_input *in, GString *out)
{
    struct json_writer w;
    answer_begin_json(&w, out, in);
    show_collections_json(&w, a, in->cl);
    json_key(&w, "zones");
    json_array(&w, false);
    for (uint32_t z = 0; z < in->cl->n_zones; z++) {
        g_autoptr(GArray) carriers = zones_carriers(in->cl, z, NULL);
        json_object(&w, true);
        json_put_string(&w, "zone", in->cl->zones[z]);
        answer_put_shards(&w, "shards", in->cl, carriers);
        json_put_bool(&w, "hasRanges", zones_has_range(in->cl, z));
        json_end(&w);
    }
    json_end(&w);
    json_key(&w, "shards");
    json_array(&w, false);
    for (uint16_t s = 0; s < in->cl->n_shards; s++) {
        const struct shard *shard = &in->cl->shards[s];
        json_object(&w, true);
        json_put_string(&w, "shard", shard->id);
        json_put_bool(&w, "draining", shard->draining);
        json_key(&w, "zones");
        json_array(&w, true);
        for (uint32_t z = 0; z < shard->n_zones; z++)
            json_string(&w, in->cl->zones[shard->zones[z]]);
        json_end(&w);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    g_string_append_c(out, '\n');
}

/* "shard0, shard1" with their state; "nobody". */
static char *carriers_text(const struct page *pg, const cluster *cl, uint32_t zone)
{
    g_autoptr(GArray) carriers = zones_carriers(cl, zone, NULL);
    g_autoptr(GString) s = g_string_new(carriers->len == 0 ? "nobody" : NULL);
    for (guint i = 0; i < carriers->len; i++) {
        const struct shard *shard = &cl->shards[g_array_index(carriers, uint16_t, i)];
        g_autofree char *id = answer_name(pg, shard->id);
        g_string_append_printf(s, "%s%s%s", i > 0 ? ", " : "", id, shard->draining ? " (draining)" : "");
    }
    return g_strdup(s->str);
}

static void part_row(page_table *t, const struct page *pg, const cluster *cl, const struct zone_part *p)
{
    bool gap = p->range == NULL;
    page_table_row(t);
    page_table_cell(t, gap ? INK_WARNING : INK_NONE,
                    gap ? g_strdup("(gap)") : answer_name(pg, cl->zones[p->range->zone]));
    page_table_cell(t, INK_NONE, answer_bound(pg, p->min));
    page_table_cell(t, INK_NONE, answer_bound(pg, p->max));
    page_table_cell(t, INK_NONE, answer_count(p->inside));
    page_table_cell(t, p->crossing > 0 && !gap ? INK_WARNING : INK_NONE, answer_count(p->crossing));
    page_table_cell(t, INK_NONE, answer_bytes(p->bytes));
    page_table_cell(t, INK_NONE, gap ? g_strdup("any") : carriers_text(pg, cl, p->range->zone));
}

static void collection_text(const struct answer_args *a, struct page *pg, const cluster *cl,
                            const struct collection *coll)
{
    static const struct page_column columns[] = {{.title = "zone", .min = 6},
                                                 {.title = "min", .min = 16},
                                                 {.title = "max", .min = 16},
                                                 {.title = "inside", .right = true},
                                                 {.title = "cut", .right = true},
                                                 {.title = "data", .drop = 2, .right = true},
                                                 {.title = "shards", .drop = 1, .min = 18}};
    g_autofree char *ns = answer_name(pg, coll->ns);
    g_autofree char *key = coll->key == NULL ? g_strdup("?") : answer_doc(pg, &coll->key->doc);
    g_autofree char *head = g_strdup_printf("%s%skey %s", ns, page_dot(pg), key);
    page_paragraph(pg, 0, INK_HEADING, NULL, head);
    if (coll->invalid != NULL || coll->chunks.n == 0) {
        g_autofree char *why = answer_name(pg, coll->invalid != NULL ? coll->invalid : "it has no chunks");
        page_paragraph(pg, 2, INK_ALERT, "damaged:", why);
        return;
    }
    g_autoptr(zones_map) map = zones_map_new(coll);
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    guint shown = answer_shown(a, map->parts->len);
    for (guint i = 0; i < shown; i++)
        part_row(t, pg, cl, &g_array_index(map->parts, struct zone_part, i));
    page_table_print(t);
    answer_more(pg, 2, map->parts->len - shown);
}

static void shards_text(struct page *pg, const cluster *cl)
{
    static const struct page_column columns[] = {{.title = "shard", .min = 8}, {.title = "zones", .min = 8}};
    g_autoptr(page_table) t = page_table_new(pg, 0, columns, G_N_ELEMENTS(columns));
    for (uint16_t s = 0; s < cl->n_shards; s++) {
        const struct shard *shard = &cl->shards[s];
        g_autoptr(GString) zones = g_string_new(shard->n_zones == 0 ? "-" : NULL);
        for (uint32_t z = 0; z < shard->n_zones; z++) {
            g_autofree char *name = answer_name(pg, cl->zones[shard->zones[z]]);
            g_string_append_printf(zones, "%s%s%s", z > 0 ? ", " : "", name,
                                   zones_has_range(cl, shard->zones[z]) ? "" : " (no range)");
        }
        g_autofree char *id = answer_name(pg, shard->id);
        page_table_row(t);
        page_table_cell(t, INK_NONE, g_strdup_printf("%s%s", id, shard->draining ? " (draining)" : ""));
        page_table_cell(t, INK_NONE, g_strdup(zones->str));
    }
    page_table_print(t);
}

static void show_text(const struct answer_args *a, const struct answer_input *in, GString *out)
{
    struct page pg;
    bool any = false;
    answer_page(a, &pg, out);
    for (uint32_t i = 0; i < in->cl->n_collections; i++)
        if (is_shown(a, &in->cl->collections[i])) {
            collection_text(a, &pg, in->cl, &in->cl->collections[i]);
            page_blank(&pg);
            any = true;
        }
    if (!any) {
        page_paragraph(&pg, 0, INK_NONE, NULL, "No collection has zone ranges.");
        page_blank(&pg);
    }
    shards_text(&pg, in->cl);
}

static bool show(struct answer_args *a, const struct answer_input *in, const char *format, GString *out,
                 struct err *err)
{
    const struct collection *coll;
    if (a->n_words == 2 && !lookup_collection(in->cl, a->words[1], &coll, err))
        return false;
    if (strcmp(format, "json") == 0)
        show_json(a, in, out);
    else
        show_text(a, in, out);
    return true;
}

static void check_json(const struct answer_input *in, const GArray *findings, const unsigned counts[3],
                       GString *out)
{
    struct json_writer w;
    answer_begin_json(&w, out, in);
    json_put_int(&w, "errors", counts[ZONE_ERROR]);
    json_put_int(&w, "warnings", counts[ZONE_WARNING]);
    json_put_int(&w, "infos", counts[ZONE_INFO]);
    json_key(&w, "findings");
    json_array(&w, false);
    for (guint i = 0; i < findings->len; i++) {
        const struct zone_finding *f = zones_finding(findings, i);
        json_object(&w, false);
        json_put_string(&w, "severity", zone_severity_text(f->severity));
        json_put_string(&w, "code", f->code);
        json_put_string(&w, "ns", f->ns);
        json_put_string(&w, "zone", f->zone);
        json_put_string(&w, "place", f->place);
        json_put_string(&w, "message", f->message);
        answer_put_strings(&w, "fix", f->fix);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    g_string_append_c(out, '\n');
}

static void finding_text(struct page *pg, const struct zone_finding *f)
{
    static const enum ink inks[] = {
        [ZONE_ERROR] = INK_ALERT, [ZONE_WARNING] = INK_WARNING, [ZONE_INFO] = INK_NONE};
    g_autofree char *ns = f->ns == NULL ? NULL : answer_name(pg, f->ns);
    g_autofree char *place = f->place == NULL ? NULL : page_elide(pg, f->place, 0);
    g_autofree char *message = page_elide(pg, f->message, 0);
    g_autofree char *label = g_strdup_printf("%s %s:", zone_severity_text(f->severity), f->code);
    g_autofree char *text =
        g_strdup_printf("%s%s%s%s%s", ns != NULL ? ns : "", ns != NULL && place != NULL ? " " : "",
                        place != NULL ? place : "", place != NULL || ns != NULL ? ": " : "", message);
    page_paragraph(pg, 0, inks[f->severity], label, text);
    for (guint i = 0; i < f->fix->len; i++) { /* never wrapped: it is to be copied */
        g_autofree char *command = page_elide(pg, f->fix->pdata[i], 0);
        g_string_append_printf(pg->out, "    %s\n", command);
    }
}

static void check_text(const struct answer_args *a, const GArray *findings, const unsigned counts[3],
                       GString *out)
{
    struct page pg;
    guint told = 0,
          due = counts[ZONE_ERROR] + counts[ZONE_WARNING] + (a->common.quiet ? 0 : counts[ZONE_INFO]);
    answer_page(a, &pg, out);
    guint shown = answer_shown(a, due);
    for (guint i = 0; i < findings->len && told < shown; i++, told++) {
        if (told > 0)
            page_blank(&pg);
        finding_text(&pg, zones_finding(findings, i));
    }
    if (told > 0 && due > told)
        page_blank(&pg);
    answer_more(&pg, 0, due - told);
    if (a->common.quiet)
        return;
    if (told > 0)
        page_blank(&pg);
    g_autofree char *sum = g_strdup_printf("%u error%s, %u warning%s, %u info%s", counts[ZONE_ERROR],
                                           counts[ZONE_ERROR] == 1 ? "" : "s", counts[ZONE_WARNING],
                                           counts[ZONE_WARNING] == 1 ? "" : "s", counts[ZONE_INFO],
                                           counts[ZONE_INFO] == 1 ? "" : "s");
    page_paragraph(&pg, 0, counts[ZONE_ERROR] > 0 ? INK_ALERT : INK_GOOD, NULL, sum);
}

static bool matches(const char *ns, void *data)
{
    return globs_match(data, ns);
}

/* The result is the exit code where all went well. */
static int check(const struct answer_args *a, const struct answer_input *in, const char *format, GString *out)
{
    g_autoptr(GArray) findings =
        zones_check(in->cl, a->source.namespaces == NULL ? NULL : matches, a->source.namespaces);
    unsigned counts[3] = {0};
    for (guint i = 0; i < findings->len; i++)
        counts[zones_finding(findings, i)->severity]++;
    if (strcmp(format, "json") == 0)
        check_json(in, findings, counts, out);
    else
        check_text(a, findings, counts, out);
    return counts[ZONE_ERROR] > 0 ? err_exit_code(ERR_DATA) : 0;
}

static int run(struct answer_args *a, struct err *err)
{
    struct answer_input in;
    int code = 0;
    const char *format = cli_format(&a->common, formats, err);
    if (format == NULL)
        return 0;
    bool checks = a->n_words == 1 && strcmp(a->words[0], "check") == 0;
    bool shows = (a->n_words == 1 || a->n_words == 2) && strcmp(a->words[0], "show") == 0;
    if (!checks && !shows) {
        if (a->n_words == 0)
            err_set(err, ERR_USAGE,
                    "what to do is not given; use 'evenkeel zones show [NS]' or 'evenkeel zones check'");
        else
            err_set(err, ERR_USAGE,
                    "'%s' with %u argument%s is not known; use 'evenkeel zones show [NS]' or 'evenkeel "
                    "zones check'",
                    a->words[0], a->n_words - 1, a->n_words == 2 ? "" : "s");
        return 0;
    }
    if (!answer_read(a, &in, err))
        return 0;
    g_autoptr(GString) out = g_string_new(NULL);
    bool ok = true;
    if (checks)
        code = check(a, &in, format, out);
    else
        ok = show(a, &in, format, out, err);
    if (ok)
        cli_write(&a->common, out, err);
    answer_input_clear(&in);
    return code;
}

int cmd_zones(int argc, char **argv, struct err *err)
{
    struct answer_args a = {.common = {.err = err}, .source = {.err = err}};
    int code = cli_parse(&argp, argc, argv, &a, err) ? run(&a, err) : 0;
    answer_clear(&a);
    return code;
}
