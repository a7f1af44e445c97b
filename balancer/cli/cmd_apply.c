// SPDX-License-Identifier: Apache-2.0
/* evenkeel apply: carries out exactly the plan that was approved, or refuses. */
#include "balancer/cli/cli_apply.h"

#include "common/escape.h"
#include "migrations/work/plan_file.h"

#include <string.h>

enum { OPT_REFRESH = 0x4800 };

static const struct argp_option options[] = {
    {"refresh", OPT_REFRESH, NULL, 0,
     "Make a new plan by the same policy and print how it differs; -o FILE keeps it; nothing is carried out",
     1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct apply *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->args;
        return 0;
    case OPT_REFRESH:
        in->refresh = true;
        return 0;
    case ARGP_KEY_ARG:
        if (in->path != NULL)
            return ARGP_ERR_UNKNOWN;
        in->path = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&act_argp, 0, "", 2}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "PLAN.json",
    .doc =
        "Carries out exactly the plan that 'evenkeel plan --format json' wrote, or refuses: every range is "
        "compared with the cluster's chunks first, and of a stale plan each range that changed is named. "
        "Interrupted, it goes on where it stopped when it is called again."
        "\vFormats: text (default), json. The first Ctrl-C starts nothing more and waits for what is under "
        "way; "
        "the second leaves it to the cluster."
        "\n\nExamples:\n"
        "  evenkeel plan --format json -o plan.json\n"
        "  evenkeel apply plan.json\n"
        "  evenkeel apply plan.json --yes --max-time 6h --quiet\n"
        "  evenkeel apply plan.json --refresh -o new.json\n",
    .children = children,
};

static const char *const formats[] = {"text", "json", NULL};

static bool check_args(const struct apply *in, struct err *err)
{
    const struct act_args *a = &in->args;
    if (in->path == NULL)
        return err_set(err, ERR_USAGE, "no plan is named; use: evenkeel apply PLAN.json");
    if (in->refresh && a->dry_run)
        return err_set(err, ERR_USAGE, "--refresh and --dry-run exclude each other; give one");
    if (in->refresh && a->max_moves + a->max_bytes + a->max_ms > 0)
        return err_set(
            err, ERR_USAGE,
            "--refresh carries nothing out, so limits have no meaning; 'evenkeel plan' has its own");
    if (!in->refresh && a->source.namespaces != NULL)
        return err_set(
            err, ERR_USAGE,
            "--ns: a plan is carried out as it was approved; make another with 'evenkeel plan --ns'");
    return in->refresh || a->dry_run || act_may_act(a, err);
}

char *apply_name(const struct apply *in)
{
    enum { ENOUGH = 12 };
    return g_strdup_printf("plan %.*s", ENOUGH, in->work->plan_id);
}

void apply_append_left(const struct apply *in, GString *out)
{
    uint32_t n[2] = {0};
    int64_t bytes = 0;
    for (guint i = 0; i < in->work->steps->len; i++) {
        const struct work_step *s = in->work->steps->pdata[i];
        if (in->done[s->id])
            continue;
        n[s->kind]++;
        if (s->kind == WORK_MOVE)
            bytes += MAX(s->bytes, 0);
    }
    act_append_steps(out, n[WORK_MOVE], n[WORK_SPLIT]);
    act_append_bytes(out, bytes);
}

static bool ask(struct apply *in, struct err *err)
{
    g_autoptr(GString) q = g_string_new(in->n_done > 0 ? "go on with " : "apply ");
    apply_append_left(in, q);
    g_string_append_printf(q, " to %s?", in->act.conn->name);
    return act_confirm(&in->act, q->str, err);
}

/* The plan as it was approved, and every step of it, before the first of them leaves. */
static bool approve(struct apply *in, struct err *err)
{
    const work *w = in->work;
    bool known;
    g_autofree struct journal_step *steps = g_new0(struct journal_step, w->steps->len + 1);
    for (guint i = 0; i < w->steps->len; i++)
        steps[i] = executor_journal_step(w->steps->pdata[i]);
    const struct journal_plan p = {.plan_id = w->plan_id,
                                   .source = w->source,
                                   .policy = w->policy,
                                   .migrations = w->n_migrations,
                                   .splits = w->n_splits,
                                   .bytes = w->bytes,
                                   .expected_seconds = w->expected_seconds,
                                   .approved_at = act_now(),
                                   .who = in->act.who};
    return journal_plan_put(in->act.journal, &p, steps, w->steps->len, &known, err);
}

/* Complete or not, and how to go on. */
static bool conclude(struct apply *in, const struct act_outcome *o, struct err *err)
{
    uint32_t all = in->work->steps->len;
    for (guint i = 0; i < o->already->len; i++)
        in->done[g_array_index(o->already, uint32_t, i)] = true;
    if (!apply_find_done(in, err))
        return false;
    bool complete = in->n_done == all;
    if (complete && !journal_plan_close(in->act.journal, in->work->plan_id, "complete", act_now(), err))
        return false;
    if (!apply_report(in, complete ? "complete" : "incomplete", o, err) || complete)
        return err->cls == ERR_NONE;
    return act_incomplete(
        &in->act, o, all - in->n_done, all,
        o->end == ACT_FINISHED && o->status.failed > 0
            ? ", call again to go on; where that is refused as stale, --refresh shows a new "
              "plan"
            : ", call again to go on",
        err);
}

static bool nothing_left(struct apply *in, struct err *err)
{
    if (in->n_done == 0)
        return apply_report(in, "nothingToDo", NULL, err);
    return journal_plan_close(in->act.journal, in->work->plan_id, "complete", act_now(), err) &&
           apply_report(in, "alreadyComplete", NULL, err);
}

static bool carry_out(struct apply *in, struct err *err)
{
    bool stopped;
    if (!apply_check(in, err))
        return false;
    if (act_cancelled(&in->act))
        return err_set(err, ERR_FAILED, "cancelled; nothing was carried out");
    if (in->n_done == in->work->steps->len)
        return nothing_left(in, err);
    if (!ask(in, err) || !act_listen(&in->act, err) || !act_balancer_stop(&in->act, &stopped, err))
        return false;
    /* The built-in balancer ran until now, and may have moved what was compared. */
    if (stopped && !apply_check(in, err))
        return false;
    if (act_cancelled(&in->act))
        return err_set(err, ERR_FAILED, "cancelled; nothing was carried out");
    if (!approve(in, err))
        return false;
    const struct act_job job = {.work = in->work,
                                .done = in->done,
                                .cl = in->cl,
                                .plan_id = in->work->plan_id,
                                .kind = "apply",
                                .wait_cool_down = true};
    struct act_outcome outcome = {0};
    bool done = act_run(&in->act, &job, &outcome, err) && conclude(in, &outcome, err);
    act_outcome_clear(&outcome);
    return done;
}

static bool apply(struct apply *in, struct err *err)
{
    bool look = in->refresh || in->args.dry_run;
    if (!act_open(&in->act, look ? ACT_LOOK : ACT_CARRY_OUT, &in->args, in->cfg, "apply", err))
        return false;
    if (in->refresh)
        return apply_refresh(in, err);
    if (!act_balancer_check(&in->act, err) || (!look && !act_recover(&in->act, err)) ||
        !apply_find_done(in, err))
        return false;
    if (look)
        return apply_look(in, err);
    return in->n_done < in->work->steps->len ? carry_out(in, err) : nothing_left(in, err);
}

static void run(struct apply *in, struct err *err)
{
    in->format = cli_format(&in->args.common, formats, err);
    if (in->format == NULL || !check_args(in, err) || !cli_load_config(&in->args.common, &in->cfg, err) ||
        !plan_file_read(in->path, &in->work, err))
        return;
    in->done = g_new0(bool, in->work->steps->len + 1);
    apply(in, err);
    act_close(&in->act, err);
}

int cmd_apply(int argc, char **argv, struct err *err)
{
    struct apply in = {.args = {.common = {.err = err}, .source = {.err = err}}};
    if (cli_parse(&argp, argc, argv, &in, err))
        run(&in, err);
    g_free(in.done);
    cluster_free(in.cl);
    work_free(in.work);
    config_free(in.cfg);
    act_args_clear(&in.args);
    return 0;
}
