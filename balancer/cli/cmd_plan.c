// SPDX-License-Identifier: Apache-2.0
/* evenkeel plan: reads metadata, plans, and reports; the cluster is never written to. */
#include "balancer/cli/cli.h"
#include "balancer/cli/plan_compare.h"

#include "balancer/report/report.h"
#include "balancer/setup/planning.h"
#include "common/text.h"
#include "migrations/journal/history.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { EXIT_CHANGES = 2 }; /* --detailed-exitcode: there is something to do */

enum {
    OPT_ROUNDS = 0x2000,
    OPT_UNTIL_BALANCED,
    OPT_POLICY,
    OPT_COMPARE,
    OPT_MAX_MOVES,
    OPT_MAX_BYTES,
    OPT_MAX_TIME,
    OPT_DETAILED_EXITCODE,
    OPT_SEED,
    OPT_ALL,
    OPT_START,
    OPT_TIME_SERIES,
    OPT_BALANCE
};

/* What was given; a flag beside it where zero is a value too. */
struct plan_args {
    struct cli_common common;
    struct cli_source source;
    int64_t rounds; /* 0: not given */
    bool until_balanced;
    bool has_policy;
    const struct policy *policy; /* NULL: auto */
    struct compared compared;    /* --compare; n 0: not given */
    int64_t max_moves, max_bytes, max_ms;
    int64_t start_ms; /* 0: not given */
    bool has_seed;
    int64_t seed;
    bool has_time_series, time_series_even;
    bool has_balance, balance_cluster;
    bool all, detailed_exitcode;
};

static const struct argp_option options[] = {
    {"rounds", OPT_ROUNDS, "N", 0, "Project N rounds ahead (default 1)", 1},
    {"until-balanced", OPT_UNTIL_BALANCED, NULL, 0, "Project until nothing is left to move", 0},
    {"policy", OPT_POLICY, "NAME", 0,
     "auto (by server version, the default), count (chunks, as MongoDB up to 6.0.2), size (bytes, as MongoDB "
     "from 6.0.3), optimal (ours: bytes by capacity, the fewest moved, in the fewest rounds)",
     0},
    {"compare", OPT_COMPARE, "A,B[,...]", 0,
     "Plan with each of these policies, and print the plans side by side", 0},
    {"balance", OPT_BALANCE, "WHAT", 0,
     "Policy optimal: make each collection even (the default), or the total of the cluster, too", 0},
    {"time-series", OPT_TIME_SERIES, "HOW", 0,
     "exclude time-series collections (the default), or spread them even(ly)", 0},
    {"seed", OPT_SEED, "N", 0, "Settle ties in an order drawn from N instead of the input's", 0},
    {"max-moves", OPT_MAX_MOVES, "N", 0, "Plan no more than N migrations", 2},
    {"max-bytes", OPT_MAX_BYTES, "SIZE", 0, "Move no more data than this, like 500GiB", 0},
    {"max-time", OPT_MAX_TIME, "DURATION", 0, "Plan no more than is expected to fit, like 6h", 0},
    {"start", OPT_START, "TIME", 0, "When it would begin, for the times told: now, or like 2026-11-21T22:00Z",
     0},
    {"all", OPT_ALL, NULL, 0, "Fold no long list", 3},
    {"detailed-exitcode", OPT_DETAILED_EXITCODE, NULL, 0,
     "Exit 0 where there is nothing to do, 2 where there is something", 0},
    {0},
};

static bool parse_time_series(const char *how, struct plan_args *in, struct err *err)
{
    in->has_time_series = true;
    in->time_series_even = strcmp(how, "even") == 0;
    return in->time_series_even || strcmp(how, "exclude") == 0 ||
           err_set(err, ERR_USAGE, "'%s' is neither 'exclude' nor 'even'", how);
}

static bool parse_balance(const char *what, struct plan_args *in, struct err *err)
{
    in->has_balance = true;
    in->balance_cluster = strcmp(what, "cluster") == 0;
    return in->balance_cluster || strcmp(what, "collection") == 0 ||
           err_set(err, ERR_USAGE, "'%s' is neither 'collection' nor 'cluster'", what);
}

static bool parse_start(const char *arg, struct plan_args *in, struct err *err)
{
    const int64_t now = g_get_real_time() / 1000;
    in->start_ms = now;
    return strcmp(arg, "now") == 0 || history_parse_time(arg, now, &in->start_ms, err);
}

static error_t check(bool sound, struct plan_args *in, const char *option)
{
    return sound ? 0 : cli_bad_value(in->common.err, option);
}

/* Options that take a value. */
static error_t parse_valued(int key, const char *arg, struct plan_args *in)
{
    struct err *err = in->common.err;
    switch (key) {
    case OPT_ROUNDS:
        return check(text_parse_int(arg, 1, 1000000, &in->rounds, err), in, "--rounds");
    case OPT_POLICY:
        in->has_policy = true;
        return check(cli_parse_policy(arg, &in->policy, err), in, "--policy");
    case OPT_COMPARE:
        return check(compared_parse(arg, &in->compared, err), in, "--compare");
    case OPT_TIME_SERIES:
        return check(parse_time_series(arg, in, err), in, "--time-series");
    case OPT_BALANCE:
        return check(parse_balance(arg, in, err), in, "--balance");
    case OPT_SEED:
        in->has_seed = true;
        return check(text_parse_int(arg, 0, UINT32_MAX, &in->seed, err), in, "--seed");
    case OPT_MAX_MOVES:
        return check(text_parse_int(arg, 1, UINT32_MAX, &in->max_moves, err), in, "--max-moves");
    case OPT_MAX_BYTES:
        return check(cli_parse_max_bytes(arg, &in->max_bytes, err), in, "--max-bytes");
    case OPT_MAX_TIME:
        return check(cli_parse_max_time(arg, &in->max_ms, err), in, "--max-time");
    case OPT_START:
        return check(parse_start(arg, in, err), in, "--start");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct plan_args *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->source;
        state->child_inputs[1] = &in->common;
        state->child_inputs[2] = &in->source;
        return 0;
    case OPT_UNTIL_BALANCED:
        in->until_balanced = true;
        return 0;
    case OPT_ALL:
        in->all = true;
        return 0;
    case OPT_DETAILED_EXITCODE:
        in->detailed_exitcode = true;
        return 0;
    default:
        return parse_valued(key, arg, in);
    }
}

static const struct argp_child children[] = {
    {&cli_source_argp, 0, "Where the metadata comes from:", 5},
    {&cli_common_argp, 0, "Common options:", 10},
    {&cli_whatif_argp, 0, "What if:", 4},
    {0},
};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Dry run: reads a cluster's metadata and prints what would move, why, how much, and how long it "
           "takes. Nothing is ever written to the cluster."
           "\vFormats: text (default), json, html (one file to look at), commands (a mongosh script that "
           "does the "
           "same by hand)."
           "\n\nExamples:\n"
           "  evenkeel plan --snapshot cluster.json\n"
           "  evenkeel plan --dump dump/config --until-balanced --ns 'shop.*'\n"
           "  evenkeel plan --snapshot cluster.json.gz --format json -o plan.json\n"
           "  evenkeel plan --snapshot cluster.json --until-balanced --format html -o plan.html\n"
           "  evenkeel plan --snapshot cluster.json --until-balanced --compare count,size\n"
           "  evenkeel plan --snapshot cluster.json --rounds 20 --max-time 6h\n"
           "  evenkeel plan --snapshot cluster.json --until-balanced --add-shard shard9:EU --drain shard2\n",
    .children = children,
};

static const char *const formats[] = {"text", "json", "html", "commands", NULL};

/* Options go before the configuration. */
static void apply_options(const struct plan_args *in, struct plan_options *opt)
{
    if (in->rounds != 0)
        opt->rounds = (uint32_t)in->rounds;
    opt->until_balanced = in->until_balanced;
    if (in->has_policy)
        opt->policy = in->policy;
    if (in->has_balance)
        opt->balance_cluster = in->balance_cluster;
    if (in->has_time_series)
        opt->time_series_even = in->time_series_even;
    opt->max_moves = in->max_moves;
    opt->max_bytes = in->max_bytes;
    opt->max_seconds = (double)in->max_ms / 1000.0;
    opt->has_seed = in->has_seed;
    opt->seed = (uint32_t)in->seed;
}

/* One line on stderr for -v; `marks` are monotonic microseconds before reading, before planning, after it. */
static void tell_effort(const cluster *cl, const gint64 marks[3])
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    uint64_t chunks = 0;
    for (uint32_t i = 0; i < cl->n_collections; i++)
        chunks += cl->collections[i].chunks.n;
    g_autofree char *count = text_count((int64_t)chunks);
    g_autofree char *reading = text_duration((double)(marks[1] - marks[0]) / 1e6);
    g_autofree char *planning = text_duration((double)(marks[2] - marks[1]) / 1e6);
    g_autofree char *memory = text_bytes((int64_t)usage.ru_maxrss * 1024);
    fprintf(
        stderr,
        "evenkeel plan: %u shards, %u collections, %s chunks: read in %s, planned in %s, peak memory %s\n",
        cl->n_shards, cl->n_collections, count, reading, planning, memory);
}

static struct report_style style_of(const struct plan_args *in)
{
    return (struct report_style){.color = cli_color(&in->common),
                                 .width = cli_width(&in->common),
                                 .all = in->all,
                                 .quiet = in->common.quiet};
}

static bool report(const struct plan_args *in, const plan *p, const char *format,
                   const struct report_source *src, struct err *err)
{
    const struct report_style style = style_of(in);
    g_autoptr(GString) out = g_string_new(NULL);
    if (strcmp(format, "json") == 0)
        report_json(p, src, out);
    else if (strcmp(format, "html") == 0)
        report_html(p, src, out);
    else if (strcmp(format, "commands") == 0)
        report_commands(p, src, out);
    else
        report_text(p, src, &style, out);
    return cli_write(&in->common, out, err);
}

static bool compare(const struct plan_args *in, const cluster *cl, const struct plan_options *opt,
                    const char *format, struct report_source *src, bool *ret_changes, struct err *err)
{
    const struct report_style style = style_of(in);
    g_autoptr(GString) out = g_string_new(NULL);
    src->generated_ms = g_get_real_time() / 1000;
    return compared_report(&in->compared, cl, opt, src, &style, format, out, ret_changes, err) &&
           cli_write(&in->common, out, err);
}

/* Reports for programs tell no calendar without --start, so that the same input always gives the same plan.
 */
static int64_t starts_at(const struct plan_args *in, const cluster *cl, const char *kind, const char *format)
{
    if (in->start_ms != 0)
        return in->start_ms;
    if (strcmp(format, "json") == 0 || strcmp(format, "commands") == 0)
        return 0;
    return cli_starts_at(kind, cl);
}

/* Reads, plans, reports; *ret_changes: whether there is anything to do. */
static bool plan_and_report(const struct plan_args *in, struct planning *planning, const char *format,
                            bool *ret_changes, struct err *err)
{
    g_autoptr(cluster) cl = NULL;
    g_autoptr(plan) p = NULL;
    struct report_source src = {0};
    gint64 marks[3] = {g_get_monotonic_time(), 0, 0};
    if (!cli_read_cluster(&in->source, &cl, &src.kind, &src.name, err))
        return false;
    marks[1] = g_get_monotonic_time();
    planning_change(planning, in->source.whatif);
    planning_when(in->source.cfg, cl, starts_at(in, cl, src.kind, format), planning);
    if (in->compared.n > 0)
        return compare(in, cl, &planning->opt, format, &src, ret_changes, err);
    if (!plan_make(cl, &planning->opt, &p, err))
        return false;
    marks[2] = g_get_monotonic_time();
    if (in->common.verbose > 0)
        tell_effort(cl, marks);
    src.generated_ms = g_get_real_time() / 1000;
    *ret_changes = p->summary.n_migrations > 0 || p->summary.n_splits > 0;
    return report(in, p, format, &src, err);
}

static int run(struct plan_args *in, struct err *err)
{
    g_autoptr(config) cfg = NULL;
    struct planning planning = {0};
    bool changes = false;
    if (in->compared.n > 0 && in->has_policy) {
        err_set(err, ERR_USAGE, "--policy and --compare exclude each other; name the policy in --compare");
        return 0;
    }
    const char *format = cli_format(&in->common, in->compared.n > 0 ? compared_formats : formats, err);
    if (format == NULL) {
        if (in->compared.n > 0)
            err_wrap(err, "--compare");
        return 0;
    }
    if (in->rounds != 0 && in->until_balanced) {
        err_set(err, ERR_USAGE, "--rounds and --until-balanced exclude each other; give one");
        return 0;
    }
    if (!cli_load_config(&in->common, &cfg, err))
        return 0;
    in->source.cfg = cfg;
    if (!planning_init(cfg, in->source.namespaces, &planning, err))
        return 0;
    apply_options(in, &planning.opt);
    planning.opt.advice = strcmp(format, "json") == 0 || strcmp(format, "html") == 0 ||
                          (strcmp(format, "text") == 0 && !in->common.quiet);
    bool done = plan_and_report(in, &planning, format, &changes, err);
    planning_clear(&planning);
    return done && changes && in->detailed_exitcode ? EXIT_CHANGES : 0;
}

int cmd_plan(int argc, char **argv, struct err *err)
{
    struct plan_args in = {.common = {.err = err}, .source = {.err = err}};
    int code = cli_parse(&argp, argc, argv, &in, err) ? run(&in, err) : 0;
    compared_clear(&in.compared);
    cli_common_clear(&in.common);
    cli_source_clear(&in.source);
    return code;
}
