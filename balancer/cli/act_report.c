// SPDX-License-Identifier: Apache-2.0
/* What was promised and what became of it, for people and for programs. */
#include "balancer/cli/cli_act.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <string.h>

/* --- text --- */

static char *duration_cell(const struct act_amount *m)
{
    GString *out = g_string_new(NULL);
    text_append_duration(out, m->seconds);
    if (m->high > 0) {
        g_autofree char *low = text_duration(m->low), *high = text_duration(m->high);
        g_string_append_printf(out, " (%s to %s)", low, high);
    }
    return g_string_free(out, FALSE);
}

static void amount_row(page_table *t, const char *label, const struct act_amount *m)
{
    page_table_row(t);
    page_table_cell(t, INK_NONE, g_strdup(label));
    page_table_cell(t, INK_NONE, text_count(m->migrations));
    page_table_cell(t, INK_NONE, text_count(m->splits));
    page_table_cell(t, INK_NONE, text_bytes(m->bytes));
    page_table_cell(t, INK_NONE, duration_cell(m));
}

static void amounts(struct page *pg, const struct act_report *r)
{
    static const struct page_column columns[] = {
        {"", 0, 0, false},    {"MIGRATIONS", 0, 0, true}, {"SPLITS", 2, 0, true},
        {"DATA", 0, 0, true}, {"TIME", 1, 0, false},
    };
    g_autoptr(page_table) t = page_table_new(pg, 2, columns, G_N_ELEMENTS(columns));
    amount_row(t, "promised", &r->promised);
    amount_row(t, "achieved", &r->achieved);
    page_table_print(t);
}

static char *missed_text(const struct act_missed *m)
{
    GString *out = g_string_new(NULL);
    act_append_step(out, m->step);
    if (m->message != NULL) {
        g_string_append(out, ": ");
        text_append_escaped(out, m->message, -1);
    }
    return g_string_free(out, FALSE);
}

/* All of one code, from the first that has it. */
static void missed_of_code(struct page *pg, const GPtrArray *missed, guint first)
{
    const char *code = ((const struct act_missed *)missed->pdata[first])->code;
    const char *plain = act_code_text(code);
    guint n = 0, shown = 0, max = pg->all ? missed->len : plain != NULL ? 0 : ACT_FOLD;
    for (guint i = first; i < missed->len; i++)
        n += strcmp(((const struct act_missed *)missed->pdata[i])->code, code) == 0;
    g_autoptr(GString) head = g_string_new(NULL);
    text_append_count(head, n);
    g_string_append_printf(head, " %s", plain != NULL ? plain : code);
    page_paragraph(pg, 2, INK_WARNING, NULL, head->str);
    for (guint i = first; i < missed->len && shown < max; i++) {
        const struct act_missed *m = missed->pdata[i];
        if (strcmp(m->code, code) != 0)
            continue;
        g_autofree char *text = missed_text(m);
        g_autofree char *line = page_elide(pg, text, 0);
        page_paragraph(pg, 4, INK_NONE, NULL, line);
        shown++;
    }
    if (shown > 0 && shown < n) {
        g_autofree char *count = text_count(n - shown);
        g_autofree char *line = g_strdup_printf("%s %s more; --all shows them", page_dots(pg), count);
        page_paragraph(pg, 4, INK_NONE, NULL, line);
    }
}

static void missed_list(struct page *pg, const GPtrArray *missed)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    if (missed->len == 0)
        return;
    page_blank(pg);
    page_paragraph(pg, 0, INK_HEADING, NULL, "Not carried out");
    for (guint i = 0; i < missed->len; i++) {
        const struct act_missed *m = missed->pdata[i];
        if (g_hash_table_add(seen, m->code))
            missed_of_code(pg, missed, i);
    }
}

static void headline(struct page *pg, const struct act_report *r)
{
    g_autoptr(GString) text = g_string_new(r->subject);
    text->str[0] = g_ascii_toupper(text->str[0]);
    if (r->complete) {
        g_string_append(text, " is complete: ");
        act_append_steps(text, r->achieved.migrations, r->achieved.splits);
        act_append_bytes(text, r->achieved.bytes);
        g_string_append(text, " in ");
        text_append_duration(text, r->achieved.seconds);
        g_string_append_c(text, '.');
    } else {
        g_autofree char *left = text_count(r->left), *all = text_count(r->steps);
        g_string_append_printf(text, " is not complete: %s of %s left.", left, all);
    }
    page_glue_units(text);
    page_paragraph(pg, 0, r->complete ? INK_GOOD : INK_ALERT, NULL, text->str);
}

void act_report_text(const struct act *a, const struct act_report *r, GString *out)
{
    struct page pg;
    act_page(a->args, &pg, out);
    headline(&pg, r);
    if (!a->args->common.quiet) {
        page_blank(&pg);
        amounts(&pg, r);
    }
    if (r->outcome != NULL) {
        missed_list(&pg, r->outcome->missed);
        if (r->outcome->stopped_by != NULL) {
            g_autofree char *why = page_name(&pg, r->outcome->stopped_by, 0);
            page_blank(&pg);
            page_paragraph(&pg, 0, INK_ALERT, "Stopped:", why);
        }
    }
}

/* --- JSON --- */

static void put_amount(struct json_writer *w, const char *key, const struct act_amount *m, bool promised)
{
    json_key(w, key);
    json_object(w, true);
    json_put_int(w, "migrations", m->migrations);
    json_put_int(w, "splits", m->splits);
    json_put_int(w, "bytes", m->bytes);
    json_put_double(w, promised ? "expectedSeconds" : "seconds", m->seconds);
    if (promised) {
        json_put_double(w, "lowSeconds", m->low);
        json_put_double(w, "highSeconds", m->high);
    }
    json_end(w);
}

static void put_doc(struct json_writer *w, const char *key, const bson_t *doc)
{
    json_key(w, key);
    key_json(json_value(w), doc);
}

static void put_missed(struct json_writer *w, const struct act_missed *m)
{
    const struct work_step *s = m->step;
    json_object(w, true);
    json_put_int(w, "step", s->id);
    json_put_string(w, "kind", s->kind == WORK_SPLIT ? "split" : "migration");
    json_put_string(w, "ns", s->coll->ns);
    put_doc(w, "min", s->min);
    put_doc(w, "max", s->max);
    json_put_string(w, "from", s->from);
    json_put_string(w, "to", s->to);
    json_put_string(w, "outcome", m->failed ? "failed" : "dropped");
    json_put_string(w, "code", m->code);
    json_put_string(w, "message", m->message);
    json_end(w);
}

static void put_outcome(struct json_writer *w, const struct act_outcome *o)
{
    json_put_int(w, "round", o->round);
    json_key(w, "steps");
    json_object(w, true);
    json_put_int(w, "committed", o->status.committed);
    json_put_int(w, "already", o->status.already);
    json_put_int(w, "splits", o->status.splits);
    json_put_int(w, "failed", o->status.failed);
    json_put_int(w, "dropped", o->status.dropped);
    json_end(w);
    json_put_double(w, "seconds", o->seconds);
    json_put_bool(w, "cancelled", o->end == ACT_CANCELLED || o->end == ACT_LEFT);
    json_put_string(w, "stoppedBy", o->stopped_by);
    json_key(w, "notCarriedOut");
    json_array(w, o->missed->len == 0);
    for (guint i = 0; i < o->missed->len; i++)
        put_missed(w, o->missed->pdata[i]);
    json_end(w);
}

void act_report_json(const struct act *a, const struct act_report *r,
                     void (*extra)(struct json_writer *w, const void *data), const void *data, GString *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_object(&w, false);
    json_put_int(&w, "schemaVersion", 1);
    json_key(&w, "tool");
    json_object(&w, true);
    json_put_string(&w, "name", "evenkeel");
    json_put_string(&w, "version", EVENKEEL_VERSION);
    json_end(&w);
    json_put_string(&w, "command", a->command);
    json_put_string(&w, "cluster", a->conn->name);
    json_put_string(&w, "journal", a->journal != NULL ? a->journal_path : NULL);
    json_put_string(&w, "planId", r->plan_id);
    json_put_string(&w, "state", r->state);
    json_put_bool(&w, "complete", r->complete);
    put_amount(&w, "promised", &r->promised, true);
    put_amount(&w, "achieved", &r->achieved, false);
    json_put_int(&w, "left", r->left);
    if (r->outcome != NULL) {
        json_key(&w, "run");
        json_object(&w, false);
        put_outcome(&w, r->outcome);
        json_end(&w);
    }
    if (extra != NULL)
        extra(&w, data);
    json_end(&w);
    g_string_append_c(out, '\n');
}
