// SPDX-License-Identifier: Apache-2.0
/* A plan file beside the cluster: does it still fit, what would be done, how would a new plan differ. */
#include "balancer/cli/cli_apply.h"

#include "balancer/key/encode.h"
#include "balancer/report/report.h"
#include "balancer/setup/planning.h"
#include "common/text.h"

#include <string.h>

static const struct cli_common to_stdout = {0};

static bool is_json(const struct apply *in)
{
    return strcmp(in->format, "json") == 0;
}

static void count_done(struct apply *in)
{
    in->n_done = 0;
    for (size_t i = 1; i <= in->work->steps->len; i++)
        in->n_done += in->done[i];
}

/* Whoever only looks settles nothing: then there may be such rows. */
static bool find_begun(struct apply *in, struct err *err)
{
    g_autoptr(GPtrArray) rows = NULL;
    if (!journal_open_rows(in->act.journal, &rows, err))
        return false;
    in->begun = false;
    for (guint i = 0; i < rows->len; i++) {
        const struct journal_open_row *r = rows->pdata[i];
        in->begun =
            in->begun || (r->state != MIGRATION_PLANNED && g_strcmp0(r->plan_id, in->work->plan_id) == 0);
    }
    return true;
}

bool apply_find_done(struct apply *in, struct err *err)
{
    size_t n = in->work->steps->len;
    if (in->act.journal != NULL &&
        (!find_begun(in, err) || !journal_plan_done(in->act.journal, in->work->plan_id, in->done, n, err)))
        return false;
    count_done(in);
    return true;
}

/* --- reports --- */

static bool fill(struct apply *in, struct act_report *r, struct err *err)
{
    const work *w = in->work;
    r->plan_id = w->plan_id;
    r->steps = w->steps->len;
    r->left = r->steps - in->n_done;
    r->complete = r->left == 0;
    r->promised = (struct act_amount){.migrations = w->n_migrations,
                                      .splits = w->n_splits,
                                      .bytes = w->bytes,
                                      .seconds = w->expected_seconds,
                                      .low = w->low_seconds,
                                      .high = w->high_seconds};
    if (in->n_done == 0) /* the journal may not even know the plan */
        return true;
    struct journal_plan_totals t = {0};
    if (!journal_plan_totals(in->act.journal, w->plan_id, &t, err))
        return false;
    r->achieved = (struct act_amount){
        .migrations = t.migrations, .splits = t.splits, .bytes = t.bytes, .seconds = t.seconds};
    return true;
}

bool apply_report(struct apply *in, const char *state, const struct act_outcome *outcome, struct err *err)
{
    struct act_report r = {.state = state, .outcome = outcome};
    g_autofree char *name = apply_name(in);
    g_autoptr(GString) out = g_string_new(NULL);
    r.subject = name;
    if (!fill(in, &r, err))
        return false;
    if (is_json(in)) {
        act_report_json(&in->act, &r, NULL, NULL, out);
    } else {
        act_report_text(&in->act, &r, out);
        if (outcome == NULL)
            g_string_append(out, "\nNothing was left to do.\n");
    }
    return cli_write(&in->args.common, out, err);
}

/* --- stale --- */

static void put_stale(struct json_writer *w, const void *data)
{
    const GPtrArray *stale = data;
    json_key(w, "stale");
    json_array(w, stale->len == 0);
    for (guint i = 0; i < stale->len; i++) {
        const struct stale *s = stale->pdata[i];
        json_object(w, true);
        json_put_int(w, "step", s->step);
        json_put_string(w, "kind", stale_kind_text(s->kind));
        json_put_string(w, "text", s->text);
        json_end(w);
    }
    json_end(w);
}

static void stale_text(struct apply *in, const GPtrArray *stale, GString *out)
{
    struct page pg;
    g_autofree char *name = apply_name(in);
    g_autoptr(GString) head = g_string_new(name);
    act_page(&in->args, &pg, out);
    head->str[0] = g_ascii_toupper(head->str[0]);
    g_string_append_printf(head, " does not fit the cluster any more: %u of %u changed.", stale->len,
                           in->work->steps->len);
    page_paragraph(&pg, 0, INK_ALERT, NULL, head->str);
    guint shown = in->args.all ? stale->len : MIN(stale->len, ACT_FOLD);
    for (guint i = 0; i < shown; i++) {
        g_autofree char *line = page_elide(&pg, ((const struct stale *)stale->pdata[i])->text, 0);
        page_paragraph(&pg, 2, INK_NONE, NULL, line);
    }
    if (shown < stale->len) {
        g_autofree char *line =
            g_strdup_printf("%s %u more; --all shows them", page_dots(&pg), stale->len - shown);
        page_paragraph(&pg, 2, INK_NONE, NULL, line);
    }
}

static bool refuse_stale(struct apply *in, const GPtrArray *stale, struct err *err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct act_report r = {.state = "stale"};
    if (!fill(in, &r, err))
        return false;
    if (is_json(in))
        act_report_json(&in->act, &r, put_stale, stale, out);
    else
        stale_text(in, stale, out);
    if (!cli_write(&in->args.common, out, err))
        return false;
    return err_set(err, ERR_RETRY_LATER,
                   "the plan is stale, %u of %u steps do not fit %s any more, nothing was carried out; "
                   "--refresh shows how a new plan differs",
                   stale->len, in->work->steps->len, in->act.conn->name);
}

static bool is_bound(const struct chunks *ch, const struct work_step *s, const bson_t *key)
{
    uint32_t chunk;
    g_autoptr(GByteArray) enc = g_byte_array_new();
    return key_encode_bound(bson_get_data(key), key->len, s->coll->key->names, enc, NULL, NULL) &&
           chunks_find_bound(ch, enc->data, enc->len, &chunk);
}

/* Whether the cluster is as the step would make it. */
static bool is_so(const struct work_step *s, const cluster *cl)
{
    const struct collection *coll = cluster_find_collection(cl, s->coll->ns);
    if (coll == NULL || coll->invalid != NULL || coll->chunks.n == 0)
        return false;
    const struct chunks *ch = &coll->chunks;
    if (s->kind == WORK_SPLIT) {
        for (guint i = 0; i < s->at->len; i++)
            if (!is_bound(ch, s, s->at->pdata[i]))
                return false;
        return true;
    }
    gsize len;
    uint32_t chunk;
    const uint8_t *min = g_bytes_get_data(s->enc_min, &len);
    return chunks_find_bound(ch, min, (uint32_t)len, &chunk) &&
           ch->shard[chunk] == cluster_find_shard(cl, s->to);
}

/* What of a resumed plan somebody else did; how many steps that were. */
static uint32_t take_done(struct apply *in, const GPtrArray *stale)
{
    uint32_t n = 0;
    for (guint i = 0; (in->n_done > 0 || in->begun) && i < stale->len; i++) {
        const struct stale *s = stale->pdata[i];
        const struct work_step *step = in->work->steps->pdata[s->step - 1];
        if ((s->kind != STALE_OWNER && s->kind != STALE_BOUNDS) || !is_so(step, in->cl))
            continue;
        in->done[s->step] = true;
        n++;
    }
    in->n_done += n;
    return n;
}

static bool read_cluster(struct apply *in, GPtrArray **ret_stale, struct err *err)
{
    cluster *cl = NULL;
    if (!act_read(&in->act, &cl, err))
        return false;
    cluster_free(in->cl);
    in->cl = cl;
    work_resolve(in->work, cl);
    for (;;) {
        GPtrArray *stale = stale_find(in->work, cl, in->n_done > 0 ? in->done : NULL);
        if (take_done(in, stale) == 0) {
            *ret_stale = stale;
            return true;
        }
        g_ptr_array_unref(stale);
    }
}

bool apply_check(struct apply *in, struct err *err)
{
    g_autoptr(GPtrArray) stale = NULL;
    return read_cluster(in, &stale, err) && (stale->len == 0 || refuse_stale(in, stale, err));
}

/* --- --dry-run --- */

static void look_text(struct apply *in, GString *out)
{
    struct page pg;
    g_autoptr(GString) head = g_string_new("Would carry out ");
    act_page(&in->args, &pg, out);
    apply_append_left(in, head);
    if (in->n_done > 0)
        g_string_append_printf(head, "; %u of %u are done already", in->n_done, in->work->steps->len);
    g_string_append(head, ". Every range still fits the cluster.");
    page_glue_units(head);
    page_paragraph(&pg, 0, INK_HEADING, NULL, head->str);
    guint left = in->work->steps->len - in->n_done, shown = 0;
    guint max = in->args.all ? left : in->args.common.quiet ? 0 : MIN(left, ACT_FOLD);
    for (guint i = 0; i < in->work->steps->len && shown < max; i++) {
        const struct work_step *s = in->work->steps->pdata[i];
        if (in->done[s->id])
            continue;
        g_autoptr(GString) text = g_string_new(s->kind == WORK_SPLIT ? "split " : "move ");
        g_autoptr(GString) size = g_string_new(NULL);
        if (s->kind == WORK_MOVE)
            act_append_bytes(size, s->bytes);
        page_glue_units(size);
        act_append_step(text, s);
        g_string_append(text, size->str);
        g_autofree char *line = page_elide(&pg, text->str, 0);
        page_paragraph(&pg, 2, INK_NONE, NULL, line);
        shown++;
    }
    if (shown > 0 && shown < left) {
        g_autofree char *line = g_strdup_printf("%s %u more; --all shows them", page_dots(&pg), left - shown);
        page_paragraph(&pg, 2, INK_NONE, NULL, line);
    }
}

bool apply_look(struct apply *in, struct err *err)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct act_report r = {.state = "dryRun"};
    uint32_t all = in->work->steps->len;
    if (in->n_done < all && !apply_check(in, err))
        return false;
    if (in->n_done == all)
        return apply_report(in, all > 0 ? "alreadyComplete" : "nothingToDo", NULL, err);
    if (!fill(in, &r, err))
        return false;
    if (is_json(in))
        act_report_json(&in->act, &r, NULL, NULL, out);
    else
        look_text(in, out);
    return cli_write(&in->args.common, out, err);
}

/* --- --refresh --- */

struct refreshed {
    const plan *plan;
    const GPtrArray *stale;
    const struct work_diff *diff;
};

static void put_refreshed(struct json_writer *w, const void *data)
{
    const struct refreshed *f = data;
    put_stale(w, f->stale);
    json_key(w, "newPlan");
    json_object(w, true);
    json_put_string(w, "planId", f->plan->id);
    json_put_int(w, "migrations", f->plan->summary.n_migrations);
    json_put_int(w, "splits", f->plan->summary.n_splits);
    json_put_int(w, "same", f->diff->same);
    json_put_int(w, "gone", f->diff->gone);
    json_put_int(w, "added", f->diff->added);
    json_end(w);
    json_key(w, "difference");
    json_array(w, f->diff->lines->len == 0);
    for (guint i = 0; i < f->diff->lines->len; i++)
        json_string(w, f->diff->lines->pdata[i]);
    json_end(w);
}

static void refreshed_text(struct apply *in, const struct refreshed *f, GString *out)
{
    struct page pg;
    g_autofree char *name = apply_name(in);
    g_autoptr(GString) head = g_string_new(name);
    act_page(&in->args, &pg, out);
    head->str[0] = g_ascii_toupper(head->str[0]);
    g_string_append(head, " against a new one of ");
    act_append_steps(head, f->plan->summary.n_migrations, f->plan->summary.n_splits);
    g_string_append_printf(head,
                           ": %u stay, %u fall away, %u are new; %u of %u do not fit the cluster any more.",
                           f->diff->same, f->diff->gone, f->diff->added, f->stale->len, in->work->steps->len);
    page_paragraph(&pg, 0, INK_HEADING, NULL, head->str);
    for (guint i = 0; i < f->diff->lines->len; i++) {
        g_autofree char *line = page_elide(&pg, f->diff->lines->pdata[i], 0);
        page_paragraph(&pg, 2, INK_NONE, NULL, line);
    }
    uint32_t hidden = f->diff->gone + f->diff->added;
    hidden -= MIN(hidden, f->diff->lines->len);
    if (hidden > 0) {
        g_autofree char *line = g_strdup_printf("%s %u more; --all shows them", page_dots(&pg), hidden);
        page_paragraph(&pg, 2, INK_NONE, NULL, line);
    }
    if (in->args.common.output == NULL)
        page_paragraph(&pg, 0, INK_NONE, NULL, "-o FILE keeps the new plan, to be read and applied.");
}

/* The new plan to -o; how it differs to stdout. */
static bool write_refreshed(struct apply *in, const struct refreshed *f, struct err *err)
{
    g_autoptr(GString) out = g_string_new(NULL), file = g_string_new(NULL);
    const struct report_source src = {
        .kind = "cluster", .name = in->act.conn->name, .generated_ms = act_now()};
    struct act_report r = {.state = "refreshed"};
    if (in->args.common.output != NULL) {
        report_json(f->plan, &src, file);
        if (!cli_write(&in->args.common, file, err))
            return false;
    }
    if (!fill(in, &r, err))
        return false;
    if (is_json(in))
        act_report_json(&in->act, &r, put_refreshed, f, out);
    else
        refreshed_text(in, f, out);
    return cli_write(&to_stdout, out, err);
}

static bool compare(struct apply *in, const plan *p, const GPtrArray *stale, struct err *err)
{
    g_autoptr(work) now = work_from_plan(p, in->act.conn->name);
    struct work_diff diff = {0};
    work_diff_make(in->work, now, in->args.all ? 0 : ACT_FOLD, &diff);
    const struct refreshed f = {.plan = p, .stale = stale, .diff = &diff};
    bool written = write_refreshed(in, &f, err);
    work_diff_clear(&diff);
    return written;
}

bool apply_refresh(struct apply *in, struct err *err)
{
    g_autoptr(GPtrArray) stale = NULL;
    g_autoptr(plan) p = NULL;
    struct planning planning = {0};
    if (!apply_find_done(in, err) || !read_cluster(in, &stale, err) ||
        !planning_init(in->cfg, in->args.source.namespaces, &planning, err))
        return false;
    planning.opt.policy = policy_find(in->work->policy);
    planning.opt.rounds = MAX(in->work->n_rounds, 1);
    bool done = plan_make(in->cl, &planning.opt, &p, err) && compare(in, p, stale, err);
    planning_clear(&planning);
    return done;
}
