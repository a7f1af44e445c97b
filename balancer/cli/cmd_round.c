// SPDX-License-Identifier: Apache-2.0
/* evenkeel round: one balancing round now, in this process. */
#include "balancer/cli/cli_act.h"
#include "balancer/cli/round_ask.h"

#include "balancer/report/report.h"
#include "balancer/setup/acting.h"
#include "balancer/setup/measured.h"
#include "balancer/setup/planning.h"
#include "balancer/setup/window_setup.h"
#include "common/escape.h"
#include "common/text.h"
#include "migrations/work/stale.h"

#include <string.h>

enum { OPT_STANDALONE = 0x4900, OPT_POLICY, OPT_IGNORE_WINDOW, OPT_REASON, OPT_WAIT, OPT_SOCKET };
enum { REASON_MAX = 500 };

struct round {
    struct act_args args;
    bool standalone, ignore_window, wait;
    const char *socket; /* NULL: the configuration's */
    bool has_policy;
    const struct policy *policy; /* NULL: auto */
    char *reason;
    const char *format;
    config *cfg;
    cluster *cl;
    windows *windows;
    plan *plan;
    work *work;
    struct act act;
};

static const struct argp_option options[] = {
    {"standalone", OPT_STANDALONE, NULL, 0, "Perform it in this process, where no service runs", 1},
    {"policy", OPT_POLICY, "NAME", 0, "auto (by server version, the default), count, size, optimal", 0},
    {"ignore-window", OPT_IGNORE_WINDOW, NULL, 0, "Act outside the balancing window, too", 0},
    {"wait", OPT_WAIT, NULL, 0, "Follow the service's round to its end", 0},
    {"socket", OPT_SOCKET, "PATH", 0, "The service's control socket, instead of the configuration's", 0},
    {"reason", OPT_REASON, "TEXT", 0, "Why, for the journal", 0},
    {0},
};

static bool take_reason(struct round *in, const char *arg, struct err *err)
{
    if (arg[0] == '\0' || strlen(arg) > REASON_MAX)
        return err_set(err, ERR_USAGE, "a reason has 1 to %d bytes", REASON_MAX);
    g_free(in->reason);
    in->reason = text_escaped(arg);
    return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct round *in = state->input;
    struct err *err = in->args.common.err;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->args;
        return 0;
    case OPT_STANDALONE:
        in->standalone = true;
        return 0;
    case OPT_WAIT:
        in->wait = true;
        return 0;
    case OPT_SOCKET:
        in->socket = arg;
        return 0;
    case OPT_IGNORE_WINDOW:
        in->ignore_window = true;
        return 0;
    case OPT_POLICY:
        in->has_policy = true;
        return cli_parse_policy(arg, &in->policy, err) ? 0 : cli_bad_value(err, "--policy");
    case OPT_REASON:
        return take_reason(in, arg, err) ? 0 : cli_bad_value(err, "--reason");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&act_argp, 0, "", 2}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Forces one balancing round now: asks the running service for it over its control socket, or with "
           "--standalone plans it in this process, shows it, asks, and carries it out."
           "\vFormats: text (default), json. Outside the balancing window (balancer.windows of the "
           "configuration, else the cluster's activeWindow) it refuses, and it begins nothing that, by its "
           "estimate, would end after the window. The first Ctrl-C starts nothing more and waits for what is "
           "under way; the second "
           "leaves it to the cluster."
           "\n\nExamples:\n"
           "  evenkeel round --wait --reason 'before the sale'\n"
           "  evenkeel round --standalone\n"
           "  evenkeel round --standalone --yes --ns 'shop.*' --max-bytes 50GiB --reason 'before the sale'\n"
           "  evenkeel round --standalone --dry-run\n",
    .children = children,
};

static const char *const formats[] = {"text", "json", NULL};

/* --- the window --- */

/* *ret_closes: when what begins must have ended; 0: no such time. */
static bool check_window(struct round *in, int64_t *ret_closes, struct err *err)
{
    *ret_closes = 0;
    if (!setup_windows(in->cfg, in->cl, &in->windows, err))
        return false;
    const struct window_now now = windows_at(in->windows, act_now());
    if (now.open && !now.always && !in->ignore_window)
        *ret_closes = now.changes_at;
    if (now.open || in->ignore_window)
        return true;
    g_autofree char *text = windows_text(in->windows);
    g_autofree char *opens = now.always ? g_strdup("never") : text_iso8601(now.changes_at);
    if (in->args.dry_run) {
        act_say(&in->act, "the balancing window (%s) is closed until %s", text, opens);
        return true;
    }
    return err_set(err, ERR_RETRY_LATER,
                   "the balancing window (%s) is closed until %s; --ignore-window acts now", text, opens);
}

/* Nothing to do fits always. */
static bool check_fits(const struct round *in, int64_t closes, struct err *err)
{
    g_autoptr(estimate) speed = estimate_fit(in->cl);
    if (closes == 0 || in->work->steps->len == 0 || acting_fits(speed, in->work, act_now(), closes))
        return true;
    g_autofree char *at = text_iso8601(closes);
    return err_set(err, ERR_RETRY_LATER,
                   "nothing that is planned would end before the balancing window closes %s; --ignore-window "
                   "acts now",
                   at);
}

/* --- planning and showing --- */

static bool is_json(const struct round *in)
{
    return strcmp(in->format, "json") == 0;
}

static bool make_plan(struct round *in, struct err *err)
{
    struct planning planning = {0};
    if (!planning_init(in->cfg, in->args.source.namespaces, &planning, err))
        return false;
    if (in->has_policy)
        planning.opt.policy = in->policy;
    planning.opt.rounds = 1;
    planning.opt.max_moves = in->args.max_moves;
    planning.opt.max_bytes = in->args.max_bytes;
    planning.opt.max_seconds = (double)in->args.max_ms / 1000.0;
    if (!is_json(in)) /* a plan for programs has no calendar: it is the same whenever it is made */
        planning_when(in->cfg, in->cl, act_now(), &planning);
    bool made = plan_make(in->cl, &planning.opt, &in->plan, err);
    planning_clear(&planning);
    if (made)
        in->work = work_from_plan(in->plan, in->act.conn->name);
    return made;
}

/* `whole`: the plan is the result; else its summary goes before the result, to stdout always. */
static bool show_plan(const struct round *in, bool whole, struct err *err)
{
    struct cli_common to = in->args.common;
    if (!whole)
        to.output = NULL;
    const struct report_source src = {
        .kind = "cluster", .name = in->act.conn->name, .generated_ms = act_now()};
    const struct report_style style = {.color = cli_color(&to),
                                       .width = cli_width(&to),
                                       .all = in->args.all,
                                       .quiet = !whole || in->args.common.quiet};
    g_autoptr(GString) out = g_string_new(NULL);
    if (is_json(in))
        report_json(in->plan, &src, out);
    else
        report_text(in->plan, &src, &style, out);
    return cli_write(&to, out, err);
}

/* --- the end --- */

static bool report(struct round *in, const char *state, const struct act_outcome *o, struct err *err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const work *w = in->work;
    struct act_report r = {.state = state,
                           .subject = "the round",
                           .outcome = o,
                           .steps = w->steps->len,
                           .promised = {.migrations = w->n_migrations,
                                        .splits = w->n_splits,
                                        .bytes = w->bytes,
                                        .seconds = w->expected_seconds,
                                        .low = w->low_seconds,
                                        .high = w->high_seconds}};
    if (o != NULL) {
        uint32_t moves = o->status.committed + o->status.already;
        r.achieved = (struct act_amount){
            .migrations = moves, .splits = o->status.splits, .bytes = o->status.bytes, .seconds = o->seconds};
        r.left = r.steps - MIN(r.steps, moves + o->status.splits);
    }
    r.complete = r.left == 0;
    if (is_json(in))
        act_report_json(&in->act, &r, NULL, NULL, out);
    else
        act_report_text(&in->act, &r, out);
    return cli_write(&in->args.common, out, err);
}

static bool conclude(struct round *in, const struct act_outcome *o, struct err *err)
{
    uint32_t all = in->work->steps->len;
    uint32_t done = o->status.committed + o->status.already + o->status.splits;
    bool complete = done >= all;
    if (!report(in, complete ? "complete" : "incomplete", o, err) || complete)
        return err->cls == ERR_NONE;
    return act_incomplete(&in->act, o, all - done, all, "; another round takes up what still makes sense",
                          err);
}

static bool ask(struct round *in, struct err *err)
{
    g_autoptr(GString) q = g_string_new("carry out ");
    act_append_steps(q, in->work->n_migrations, in->work->n_splits);
    act_append_bytes(q, in->work->bytes);
    g_string_append_printf(q, " on %s?", in->act.conn->name);
    return act_confirm(&in->act, q->str, err);
}

/* The built-in balancer ran until it was stopped for us, and may have moved what was planned. */
static bool check_again(struct round *in, struct err *err)
{
    g_autoptr(cluster) now = NULL;
    if (!act_read(&in->act, &now, err))
        return false;
    g_autoptr(GPtrArray) stale = stale_find(in->work, now, NULL);
    return stale->len == 0 ||
           err_set(err, ERR_RETRY_LATER,
                   "the built-in balancer moved chunks before it was stopped: %s; call again",
                   ((const struct stale *)stale->pdata[0])->text);
}

/* An answer, and the built-in balancer's end, may take long: the window is looked at before and after. */
static bool carry_out(struct round *in, int64_t closes, struct err *err)
{
    bool stopped;
    if (!ask(in, err) || !act_listen(&in->act, err) || !act_balancer_stop(&in->act, &stopped, err) ||
        (stopped && !check_again(in, err)) || !check_fits(in, closes, err))
        return false;
    if (act_cancelled(&in->act))
        return err_set(err, ERR_FAILED, "cancelled; nothing was carried out");
    const struct act_job job = {
        .work = in->work, .cl = in->cl, .kind = "forced", .reason = in->reason, .window_end = closes};
    struct act_outcome outcome = {0};
    bool done = act_run(&in->act, &job, &outcome, err) && conclude(in, &outcome, err);
    act_outcome_clear(&outcome);
    return done;
}

/* Speeds of our own go before those of the changelog. */
static void take_measured(struct round *in)
{
    g_autoptr(GArray) speeds = in->act.journal == NULL ? NULL : setup_speeds(in->act.journal, act_now());
    setup_measured(in->cl, speeds);
}

static bool perform(struct round *in, struct err *err)
{
    int64_t closes;
    bool look = in->args.dry_run;
    if (!act_open(&in->act, look ? ACT_PLAN : ACT_CARRY_OUT, &in->args, in->cfg, "round", err) ||
        (!look && (!act_balancer_check(&in->act, err) || !act_recover(&in->act, err))) ||
        !act_read(&in->act, &in->cl, err) || !check_window(in, &closes, err))
        return false;
    take_measured(in);
    if (!make_plan(in, err))
        return false;
    struct err too_short = {0};
    const bool fits = check_fits(in, closes, &too_short);
    if (look && !fits)
        act_say(&in->act, "%s", too_short.msg);
    if (look)
        return show_plan(in, true, err);
    if (!fits) {
        *err = too_short;
        return false;
    }
    if (act_cancelled(&in->act))
        return err_set(err, ERR_FAILED, "cancelled; nothing was carried out");
    if (!is_json(in) && !show_plan(in, false, err))
        return false;
    if (in->work->steps->len == 0)
        return !is_json(in) || report(in, "nothingToDo", NULL, err);
    return carry_out(in, closes, err);
}

/* What only this process could do has no meaning for the service's round. */
static bool check_service_options(const struct round *in, struct err *err)
{
    const struct act_args *a = &in->args;
    const char *option = a->source.uri != NULL                                      ? "--uri"
                         : a->journal != NULL                                       ? "--journal"
                         : in->has_policy                                           ? "--policy"
                         : a->max_moves != 0 || a->max_bytes != 0 || a->max_ms != 0 ? "--max-..."
                                                                                    : NULL;
    return option == NULL ||
           err_set(err, ERR_USAGE, "%s goes with --standalone; the service uses its own configuration",
                   option);
}

static void ask_service(struct round *in, struct err *err)
{
    if (!check_service_options(in, err) || !cli_load_config(&in->args.common, &in->cfg, err))
        return;
    const struct round_request r = {
        .socket = in->socket != NULL ? in->socket : in->cfg->control.socket,
        .reason = in->reason,
        .ns = in->args.source.namespaces == NULL ? NULL : globs_patterns(in->args.source.namespaces),
        .ignore_window = in->ignore_window,
        .dry_run = in->args.dry_run,
        .wait = in->wait,
        .json = is_json(in),
        .quiet = in->args.common.quiet};
    round_ask(&r, err);
}

static void run(struct round *in, struct err *err)
{
    in->format = cli_format(&in->args.common, formats, err);
    if (in->format == NULL)
        return;
    if (!in->standalone) {
        ask_service(in, err);
        return;
    }
    if ((!in->args.dry_run && !act_may_act(&in->args, err)) ||
        !cli_load_config(&in->args.common, &in->cfg, err))
        return;
    perform(in, err);
    act_close(&in->act, err);
}

int cmd_round(int argc, char **argv, struct err *err)
{
    struct round in = {.args = {.common = {.err = err}, .source = {.err = err}}};
    if (cli_parse(&argp, argc, argv, &in, err))
        run(&in, err);
    work_free(in.work);
    plan_free(in.plan);
    windows_free(in.windows);
    cluster_free(in.cl);
    config_free(in.cfg);
    g_free(in.reason);
    act_args_clear(&in.args);
    return 0;
}
