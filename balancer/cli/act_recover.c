// SPDX-License-Identifier: Apache-2.0
/* What an earlier run left open is settled from the cluster's own metadata before anything new begins. */
#include "balancer/cli/cli_act.h"

#include "balancer/setup/acting.h"

struct recovery {
    struct act *a;
    uint32_t migrations, splits; /* that were under way */
    uint32_t committed, not ;
};

static void on_event(void *data, const struct executor_event *e)
{
    struct recovery *r = data;
    act_progress_event(r->a->progress, e);
    if (e->kind == EXECUTOR_ENDED && e->inherited != NULL && e->inherited->state != MIGRATION_PLANNED)
        *(e->state == MIGRATION_COMMITTED ? &r->committed : &r->not ) += 1;
}

/* Rows that were only planned never left for the cluster. */
static void count(struct recovery *r, const GPtrArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        const struct journal_open_row *row = rows->pdata[i];
        if (row->state != MIGRATION_PLANNED)
            *(row->kind == JOURNAL_SPLIT ? &r->splits : &r->migrations) += 1;
    }
}

static bool settle(struct recovery *r, GPtrArray *rows, enum act_end *ret_end, struct err *err)
{
    struct act *a = r->a;
    struct hands hands;
    g_autoptr(cluster) cl = NULL;
    g_autoptr(executor) x = NULL;
    if (!act_read(a, &cl, err)) {
        g_ptr_array_unref(rows);
        return false;
    }
    struct executor_options opt = acting_executor(a->cfg, cl);
    opt.seed = g_random_int();
    if (!act_hands(a, cl, &hands, err) || !executor_new(&opt, &hands, a->journal, 0, on_event, r, &x, err)) {
        g_ptr_array_unref(rows);
        return false;
    }
    a->progress = act_progress_new(a, rows->len, 0);
    executor_inherit(x, rows);
    bool settled = act_turn(a, x, ret_end, err);
    g_clear_pointer(&a->progress, act_progress_free);
    return settled;
}

/* "recovered: 2 migrations were under way when an earlier run ended: 1 committed, 1 not carried out" */
static bool tell(const struct recovery *r, struct err *err)
{
    g_autoptr(GString) text = g_string_new(NULL);
    act_append_steps(text, r->migrations, r->splits);
    g_string_append_printf(text, " %s under way when an earlier run ended: %u committed, %u not carried out",
                           r->migrations + r->splits == 1 ? "was" : "were", r->committed, r->not );
    act_say(r->a, "recovered: %s", text->str);
    return journal_event(r->a->journal, act_now(), "recovered", 0, text->str, err);
}

bool act_recover(struct act *a, struct err *err)
{
    struct recovery r = {.a = a};
    GPtrArray *rows = NULL;
    enum act_end end = ACT_FINISHED;
    uint32_t interrupted;
    if (!journal_rounds_interrupted(a->journal, act_now(), &interrupted, err) ||
        !journal_open_rows(a->journal, &rows, err))
        return false;
    if (rows->len == 0) {
        g_ptr_array_unref(rows);
        return true;
    }
    count(&r, rows);
    if (!settle(&r, rows, &end, err))
        return false;
    if (end == ACT_BLIND)
        return act_blind(a, err);
    if (end != ACT_FINISHED)
        return err_set(err, ERR_FAILED,
                       "cancelled while what an earlier run left under way was settled; call again");
    return r.migrations + r.splits == 0 || tell(&r, err);
}
