// SPDX-License-Identifier: Apache-2.0
/* Steps, ranges and amounts in words. Names come from outside and are escaped here. */
#include "balancer/cli/cli_act.h"

#include "balancer/key/show.h"
#include "common/text.h"

#include <string.h>

static void append_n(GString *out, uint32_t n, const char *thing)
{
    text_append_count(out, n);
    g_string_append_printf(out, " %s%s", thing, n == 1 ? "" : "s");
}

void act_append_steps(GString *out, uint32_t migrations, uint32_t splits)
{
    if (migrations > 0 || splits == 0)
        append_n(out, migrations, "migration");
    if (splits > 0) {
        g_string_append(out, migrations > 0 ? " and " : "");
        append_n(out, splits, "split");
    }
}

void act_append_bytes(GString *out, int64_t bytes)
{
    if (bytes < 0)
        return;
    g_string_append(out, ", ");
    text_append_bytes(out, bytes);
}

void act_append_range(GString *out, const char *ns, const bson_t *min, const bson_t *max, const char *from,
                      const char *to)
{
    text_append_escaped(out, ns, -1);
    g_string_append(out, " [");
    key_show(out, min, ACT_KEY_SHOWN);
    g_string_append(out, ", ");
    key_show(out, max, ACT_KEY_SHOWN);
    g_string_append(out, to == NULL ? ") on " : ") ");
    text_append_escaped(out, from, -1);
    if (to == NULL)
        return;
    g_string_append(out, " -> ");
    text_append_escaped(out, to, -1);
}

void act_append_step(GString *out, const struct work_step *s)
{
    act_append_range(out, s->coll->ns, s->min, s->max, s->from, s->kind == WORK_SPLIT ? NULL : s->to);
}

const char *act_code_text(const char *code)
{
    static const struct {
        const char *code, *text;
    } known[] = {
        {"cancelled", "cancelled"},
        {"limit", "a limit was reached"},
        {"leaseLost", "the lease was lost"},
        {ACT_WINDOW, "not to end before the balancing window closes"},
        {"stopped", "an operator is needed first"},
        {"stopping", "cancelled"},
        {"journal", "the journal cannot be written"},
        {"restsOnFailed", "resting on a step that was not carried out"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (strcmp(known[i].code, code) == 0)
            return known[i].text;
    return NULL;
}

void act_page(const struct act_args *args, struct page *pg, GString *out)
{
    const struct report_style style = {.color = cli_color(&args->common),
                                       .width = cli_width(&args->common),
                                       .all = args->all,
                                       .quiet = args->common.quiet};
    page_init(pg, &style, out);
}
