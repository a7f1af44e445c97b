// SPDX-License-Identifier: Apache-2.0
/* evenkeel snapshot: a cluster's balancing metadata in one file, as it is or without names. */
#include "balancer/cli/cli.h"
#include "balancer/cli/cli_cluster.h"

#include "balancer/source/anonymize.h"
#include "balancer/source/snapshot_write.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

enum { OPT_ANONYMIZE = 0x2800 };

struct snapshot_args {
    struct cli_common common;
    struct cli_source source;
    bool anonymize;
};

static const struct argp_option options[] = {
    {"anonymize", OPT_ANONYMIZE, NULL, 0,
     "Replace names and key values; order and sizes stay, so that it can be shared", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct snapshot_args *in = state->input;
    (void)arg;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &in->source;
        state->child_inputs[1] = &in->common;
    } else if (key == OPT_ANONYMIZE) {
        in->anonymize = true;
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Source:", 5}, {&cli_common_argp, 0, "Common options:", 10}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Capture the balancing metadata of a cluster into one file, to plan offline or to share."
        "\vFormats: json (Extended JSON, the default), bson (the default for -o *.bson); -o *.gz compresses. "
        "Only the owner can read the file. --snapshot and --dump convert or anonymise what there is."
        "\n\nExamples:\n"
        "  evenkeel snapshot --uri mongodb://localhost:27017 -o cluster.json.gz\n"
        "  evenkeel snapshot --snapshot cluster.json.gz --anonymize -o shareable.json\n",
    .children = children,
};

static const char *const formats[] = {"json", "bson", NULL};

/* By --format, else by the file's name. */
static bool choose_format(const struct cli_common *c, struct snapshot_format *ret, struct err *err)
{
    if (c->output == NULL || strcmp(c->output, "-") == 0)
        return err_set(err, ERR_USAGE, "no file given; name the one to write with -o FILE");
    const char *format = cli_format(c, formats, err);
    if (format == NULL)
        return false;
    ret->gzip = g_str_has_suffix(c->output, ".gz");
    ret->bson = strcmp(format, "bson") == 0 ||
                (c->format == NULL &&
                 (g_str_has_suffix(c->output, ".bson") || g_str_has_suffix(c->output, ".bson.gz")));
    return true;
}

/* Counts what goes by. */
struct capture {
    struct intake to;
    uint64_t n[DOC_KIND_COUNT];
};

static bool on_document(void *data, enum doc_kind kind, uint64_t index, const uint8_t *doc, uint32_t len,
                        struct err *err)
{
    struct capture *c = data;
    c->n[kind]++;
    return c->to.document(c->to.data, kind, index, doc, len, err);
}

static bool on_sizes(void *data, const char *ns, const uint8_t *doc, uint32_t len, struct err *err)
{
    const struct capture *c = data;
    return c->to.sizes(c->to.data, ns, doc, len, err);
}

static bool on_text(void *data, enum intake_text what, const char *text, struct err *err)
{
    const struct capture *c = data;
    return c->to.text(c->to.data, what, text, err);
}

static bool on_taken_at(void *data, int64_t unix_ms, struct err *err)
{
    const struct capture *c = data;
    return c->to.taken_at(c->to.data, unix_ms, err);
}

static void on_warn(void *data, const char *code, const char *ns, const char *message)
{
    (void)data;
    g_autofree char *shown = text_escaped(message);
    g_autofree char *name = ns == NULL ? NULL : text_escaped(ns);
    fprintf(stderr, "evenkeel snapshot: warning: %s: %s%s%s\n", code, name == NULL ? "" : name,
            name == NULL ? "" : ": ", shown);
}

static void tell(const struct snapshot_args *in, const struct capture *c)
{
    if (in->common.quiet)
        return;
    g_autofree char *path = text_escaped(in->common.output);
    g_autofree char *chunks = text_count((int64_t)c->n[DOC_CHUNK]);
    printf("%s: %" G_GUINT64_FORMAT " shards, %" G_GUINT64_FORMAT " collections, %s chunks%s\n", path,
           c->n[DOC_SHARD], c->n[DOC_COLLECTION], chunks, in->anonymize ? ", anonymised" : "");
}

static bool capture(const struct snapshot_args *in, const struct snapshot_format *format, struct err *err)
{
    const char *kind, *name;
    g_autoptr(snapshot_writer) w = snapshot_writer_new(in->common.output, format, err);
    g_autoptr(anonymizer) a = in->anonymize ? anonymizer_new() : NULL;
    if (w == NULL)
        return false;
    const struct intake out = snapshot_writer_intake(w);
    struct capture c = {.to = a != NULL ? anonymizer_intake(a) : out};
    const struct intake in_between = {&c, on_document, on_sizes, on_text, on_taken_at, on_warn};
    if (!cli_read_into(&in->source, true, &in_between, &kind, &name, err) ||
        (a != NULL && !anonymizer_emit(a, &out, err)) || !snapshot_writer_finish(w, err))
        return false;
    tell(in, &c);
    return true;
}

static bool run(struct snapshot_args *in, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    struct snapshot_format format = {0};
    if (in->source.sizes != NULL || in->source.namespaces != NULL)
        return err_set(err, ERR_USAGE, "%s has no meaning here; a snapshot holds all there is",
                       in->source.sizes != NULL ? "--sizes" : "--ns");
    if (!choose_format(&in->common, &format, err) || !cli_load_config(&in->common, &cfg, err))
        return false;
    in->source.cfg = cfg;
    return capture(in, &format, err);
}

int cmd_snapshot(int argc, char **argv, struct err *err)
{
    struct snapshot_args in = {.common = {.err = err}, .source = {.err = err}};
    if (cli_parse(&argp, argc, argv, &in, err))
        run(&in, err);
    cli_common_clear(&in.common);
    cli_source_clear(&in.source);
    return 0;
}
